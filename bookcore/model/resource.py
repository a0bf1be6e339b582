"""`Resource`: the ready-made class of bookable things."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bookcore.model.errors import InvalidQuantityError, ResourceError

__all__ = ["Binding", "Resource", "check_capacity"]


class Binding(Protocol):
    """What a resource knows of the calendars it is registered with."""

    def homes(self) -> tuple[Any, ...]:
        """Return the calendars, each of which has ``is_available(resource, start, end, quantity)``."""


@dataclass(eq=False, init=False, slots=True, weakref_slot=True)
class Resource:
    """Anything bookable, known by a stable, hashable ``id``. Subclass it for flats, cars, seats.

    ``capacity`` is how many units can be used at one time. ``before`` and ``after`` are lengths (of whatever
    type can be added to the calendar's keys) that every booking needs around itself for turnaround: they
    keep neighbours away but are not part of the booking; two neighbours stand at least the ``after`` of the
    earlier plus the ``before`` of the later apart.

    The calendar reads ``id``, ``capacity``, ``before`` and ``after`` once, when the resource is added; only then are
    they checked.

    >>> class Flat(Resource):
    ...     def __init__(self, id, price):
    ...         super().__init__(id)
    ...         self.price = price
    >>> Flat("loft", 90).capacity
    1

    A dataclass works as well (give it ``eq=False`` to keep its instances hashable):

    >>> from dataclasses import dataclass
    >>> @dataclass(eq=False)
    ... class Car(Resource):
    ...     seats: int = 5
    >>> Car("AB-123", seats=7)
    Car(id='AB-123', seats=7)
    """

    id: Hashable
    capacity: int = field(default=1, kw_only=True, repr=False)
    before: Any = field(default=None, kw_only=True, repr=False)
    after: Any = field(default=None, kw_only=True, repr=False)
    # Where the resource is registered. The calendar reads its own index of the resource through this slot, which lies in the
    # object itself: looking the id up in a dict instead takes twice as long for a random one of 100,000 resources.
    _binding: Any = field(default=None, init=False, repr=False, compare=False)

    def __init__(self, id: Hashable, capacity: int = 1, *, before: Any = None, after: Any = None) -> None:
        self.id = id
        self.capacity = capacity
        self.before = before
        self.after = after
        self._binding = None

    def __getstate__(self) -> Any:
        # A copy, also one made by pickle, is registered with no calendar.
        state: Any = object.__getstate__(self)
        if isinstance(state, tuple):
            state[1].update(_binding=None)
        return state

    def is_available(self, start: Any, end: Any, quantity: int = 1) -> bool:
        """Tell whether *quantity* units are free over the whole span, in the calendar this resource is in.

        Raises: `ResourceError` when it is in no calendar or in several (a calendar that is no longer used counts until
        Python has collected it), else as `Calendar.is_available`.
        Complexity: as `Calendar.is_available`.

        >>> from bookcore import Calendar
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> stay = calendar.book(room, 9, 12)
        >>> room.is_available(11, 13), room.is_available(12, 13)
        (False, True)
        """
        binding: Binding | None = getattr(self, "_binding", None)
        homes = () if binding is None else binding.homes()
        if len(homes) != 1:
            where = f"in {len(homes)} calendars" if homes else "in no calendar"
            raise ResourceError(self, f"it is {where}; ask calendar.is_available(resource, start, end)")
        answer: bool = homes[0].is_available(self, start, end, quantity)
        return answer


def check_capacity(resource: Any, capacity: object) -> int:
    """Return *capacity* if it is an int of at least 1, else raise `InvalidQuantityError`."""
    if type(capacity) is not int or capacity < 1:
        raise InvalidQuantityError(capacity, "capacity")
    return capacity
