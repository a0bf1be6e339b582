"""Classes by name: which name a class has in a file, and which class a name in a file may stand for.

The name is the class's ``__qualname__``. A file's names are looked up among the classes handed in and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource
from bookcore.model.typecheck import is_a
from bookcore.persist.errors import SnapshotTypeError

__all__ = ["CODEC", "OWN", "ClassNames", "handed_in", "resolve"]

# no class of a user has a colon in its name
_OWN: dict[type, str] = {Resource: ":Resource", BookingEvent: ":BookingEvent"}
CODEC = ":codec"
"""Stands for the class of a resource that is carried whole, by its key codec."""
OWN = {each.name for each in fields(Resource) if not each.init}
"""Attributes in which a resource keeps where it is registered: facts about calendars, not about it."""


class ClassNames:
    """Gives each class in a calendar its name and its place in the file's list of names."""

    def __init__(self, path: object) -> None:
        self._path = path
        self._places: dict[Any, int] = {}
        self._owners: dict[str, Any] = {}

    def place(self, cls: Any) -> int:
        """Return the place of a class (or of `CODEC`). Raises: `SnapshotTypeError` if two have one name."""
        found = self._places.get(cls)
        if found is not None:
            return found
        name = cls if cls is CODEC else _OWN.get(cls) or cls.__qualname__
        if name in self._owners:
            other = self._owners[name]
            raise SnapshotTypeError(
                self._path,
                f"two classes have the name {name} ({other.__module__} and {cls.__module__}); rename one of them",
                [name],
            )
        self._owners[name] = cls
        self._places[cls] = place = len(self._places)
        return place

    def names(self) -> list[str]:
        """Return all names, by place."""
        return list(self._owners)


def handed_in(path: object, types: object) -> dict[str, type]:
    """Return the classes of the argument *types* by name.

    Raises: `SnapshotTypeError` if it is no iterable of resource and booking classes, or two have one name.
    """
    try:
        given = list(types)  # type: ignore[call-overload]  # whatever it is, it is asked once
    except Exception as exc:
        raise SnapshotTypeError(path, "types is a list of classes, such as [Flat, Car]", []) from exc
    found: dict[str, type] = {}
    for cls in given:
        if not is_a(cls, type):
            raise SnapshotTypeError(path, f"types is a list of classes, it holds a {type(cls).__name__}", [])
        if found.setdefault(cls.__qualname__, cls) is not cls:
            reason = f"two of the types have the name {cls.__qualname__}; only one of them can be meant"
            raise SnapshotTypeError(path, reason, [cls.__qualname__])
    found.update({name: cls for cls, name in _OWN.items()})
    return found


def resolve(path: object, names: Iterable[str], known: dict[str, type], base: type) -> dict[str, type]:
    """Return the class for each of *names*, all of which are to be *base* or subclasses of it.

    Raises: `SnapshotTypeError` that names every class that was not handed in, or is of the wrong sort.
    """
    wanted = sorted(set(names))
    missing = [name for name in wanted if name not in known]
    if missing:
        raise SnapshotTypeError(
            path, f"it holds objects of {', '.join(missing)}; hand in types=[{', '.join(missing)}]", missing
        )
    wrong = [name for name in wanted if not issubclass(known[name], base)]
    if wrong:
        raise SnapshotTypeError(path, f"{', '.join(wrong)} should be a subclass of {base.__name__}", wrong)
    return {name: known[name] for name in wanted}
