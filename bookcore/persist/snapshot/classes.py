"""The names of classes in a file, and the classes that these names stand for.

The name of a class is its ``__qualname__``. The names in a file are looked up among the classes which the caller
passed, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from bookcore.model.errors import blaming
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource
from bookcore.model.typecheck import is_a
from bookcore.persist.errors import SnapshotTypeError

# the colon keeps these names apart from those of the user's classes
_BUILT_IN: dict[type, str] = {Resource: ":Resource", BookingEvent: ":BookingEvent"}
CODEC = ":codec"
"""The name for the class of a resource that is written as a whole by its key codec."""
OWN = {each.name for each in fields(Resource) if not each.init}
"""The attributes of a resource which say in which calendar it is registered, and which snapshots leave out."""


def name_of(cls: type) -> str:
    """Return the name under which files have a class."""
    return _BUILT_IN.get(cls) or cls.__qualname__


class Known(dict[str, type]):
    """Classes by name."""


class ClassNames:
    """The names of the classes in a calendar; a file refers to a class by the place of its name in this list."""

    def __init__(self, path: object) -> None:
        self._path = path
        self._places: dict[Any, int] = {}
        self._classes: dict[str, Any] = {}

    def place(self, cls: Any) -> int:
        """Return the place of a class (or of `CODEC`). Raises: `SnapshotTypeError` if two classes have one name."""
        place = self._places.get(cls)
        if place is not None:
            return place
        name = cls if cls is CODEC else name_of(cls)
        if name in self._classes:
            known = self._classes[name]
            raise SnapshotTypeError(
                self._path,
                f"two classes have the name {name} ({known.__module__} and {cls.__module__}); rename one of them",
                [name],
            )
        self._classes[name] = cls
        self._places[cls] = place = len(self._places)
        return place

    def name(self, cls: Any) -> str:
        """Return the name of a class (or of `CODEC`). Raises: as `place`."""
        self.place(cls)
        return cls if cls is CODEC else name_of(cls)

    def names(self) -> list[str]:
        """Return all names, by place."""
        return list(self._classes)


def handed_in(path: object, types: object, *more: type) -> dict[str, type]:
    """Return the classes in the argument *types*, and in *more*, by name; an earlier result is returned as it is.

    Raises: `SnapshotTypeError` if *types* is no iterable of classes, or if two classes have one name.
    """
    if is_a(types, Known):
        return types
    with blaming(lambda exc: SnapshotTypeError(path, "types is a list of classes, such as [Flat, Car]", [])):
        given = [*types, *more]  # type: ignore[misc]  # any object may be passed; it is iterated once
    by_name = Known()
    for cls in given:
        if not is_a(cls, type):
            raise SnapshotTypeError(path, f"types is a list of classes, it holds a {type(cls).__name__}", [])
        if by_name.setdefault(cls.__qualname__, cls) is not cls:
            reason = f"two of the types have the name {cls.__qualname__}; pass only one of them"
            raise SnapshotTypeError(path, reason, [cls.__qualname__])
    by_name.update({name: cls for cls, name in _BUILT_IN.items()})
    return by_name


class StandIns(Known):
    """Classes by name for a reader without the program that wrote the file: a class is made for each name."""

    def __init__(self) -> None:
        super().__init__({name: cls for cls, name in _BUILT_IN.items()})


def class_of(name: str, known: dict[str, type], base: type) -> type | None:
    """Return the class of a name, which should be *base* or a subclass of it; None if it is not known."""
    if name not in known and isinstance(known, StandIns):
        known[name] = type("StandIn", (base,), {"__qualname__": name})
    return known.get(name)


def resolve(path: object, names: Iterable[str], known: dict[str, type], base: type) -> dict[str, type]:
    """Return the class for each of *names*; each must be *base* or a subclass of it.

    Raises: `SnapshotTypeError` that names every class which was not passed, or which is no subclass of *base*.
    """
    wanted = sorted(set(names))
    missing = [name for name in wanted if class_of(name, known, base) is None]
    if missing:
        raise SnapshotTypeError(
            path, f"it holds objects of {', '.join(missing)}; pass types=[{', '.join(missing)}]", missing
        )
    wrong = [name for name in wanted if not issubclass(known[name], base)]
    if wrong:
        raise SnapshotTypeError(path, f"{', '.join(wrong)} should be a subclass of {base.__name__}", wrong)
    return {name: known[name] for name in wanted}
