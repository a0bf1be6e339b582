"""What a type checker knows of a calendar beyond its classes: the types of its resources, keys and bookings.

    Calendar[Flat, date]            resources are flats, keys are dates, bookings are `BookingEvent`
    Calendar[Flat, date, Stay]      the same, with an event class of the program's own
    Calendar                        resources and keys of any type

At run time `Generic` is an empty class whose subclasses can be subscripted: a type variable with a default needs Python
3.13, or a package that a program need not have. Making and calling a calendar costs the same as without.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

from bookcore.model.event import BookingEvent

__all__ = ["Bounds", "E", "Generic", "Id", "IfExists", "K", "R", "Registers", "T"]

Bounds: TypeAlias = Literal["[)", "[]"]
IfExists: TypeAlias = Literal["raise", "return"]
T = TypeVar("T")
Takes = TypeVar("Takes", contravariant=True)


class Registers(Protocol[Takes]):
    """A calendar that takes resources of a type, or of a wider one: so `add_resource` returns what it got."""

    _gate: Any
    _engine: Any

    def _takes(self, resource: Takes) -> None: ...


if TYPE_CHECKING:
    from enum import Enum
    from typing import Generic
    from uuid import UUID

    import typing_extensions as later

    R = later.TypeVar("R", default=Any)
    K = later.TypeVar("K", default=Any)
    # covariant, so that a function that takes a Calendar takes one with an event class of the program's own
    E = later.TypeVar("E", bound=BookingEvent, default=BookingEvent, covariant=True)
    Id: TypeAlias = str | bytes | int | float | date | UUID | Enum | tuple[Any, ...] | frozenset[Any]
else:
    R, K, E = TypeVar("R"), TypeVar("K"), TypeVar("E")
    Id = Hashable  # may be a part of a union at run time

    class Generic:
        """A class that can be subscripted with types; a subclass is what it is without them."""

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)
