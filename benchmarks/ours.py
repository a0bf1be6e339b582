"""bookcore behind the peers' interface; timed is its own bound method where one will do."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from benchmarks.peers import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.data import Columns, Dataset, Span

__all__ = ["Ours", "library"]


def library() -> Any:
    """Return the package, or raise ``MissingError`` while it has no calendar."""
    try:
        module = importlib.import_module("bookcore")
    except ImportError as exc:
        raise MissingError(f"bookcore cannot be imported: {exc}") from exc
    if not hasattr(module, "Calendar"):
        raise MissingError("bookcore has no Calendar yet")
    return module


def needs(thing: Any, *names: str) -> None:
    """Raise ``MissingError`` naming the first of *names* that *thing* lacks."""
    for name in names:
        if not hasattr(thing, name):
            raise MissingError(f"{type(thing).__name__} has no {name} yet")


class Ours:
    """A calendar over one of the stores, keys as the data set gives them."""

    does = frozenset({"count", "list", "first", "is_available", "book", "remove", "load"})
    static = False

    def __init__(self, store: str = "memory") -> None:
        self.bookcore = library()
        self.name = "bookcore" if store == "memory" else f"bookcore, {store} store"
        if store == "memory":
            self.calendar = self.bookcore.Calendar()
        elif store == "tree":
            tree = importlib.import_module("bookcore.stores.tree")
            self.calendar = self.bookcore.Calendar(tree.TreeStore())
        else:
            raise KeyError(store)
        self.resources: list[Any] = []
        self.key: Callable[[int], Any] = int

    def register(self, data: Dataset, make: Callable[[int], Any] | None = None) -> None:
        """Add the data's resources; *make* turns an ordinal into a resource."""
        self.key = data.key
        build = make or self.bookcore.Resource
        add = self.calendar.add_resource
        self.resources = [add(build(ordinal)) for ordinal in range(data.resources)]

    def events(self, data: Dataset, rows: Columns) -> Iterator[Any]:
        """Iterate over booking events for *rows*, not booked yet."""
        event, resources = self.bookcore.BookingEvent, self.resources
        return (event(resources[ordinal], start, end) for ordinal, start, end in data.keyed(rows))

    def load(self, data: Dataset) -> None:
        """Take in the whole data set, index and all."""
        self.register(data)
        self.calendar.load(self.events(data, data.rows))

    def window(self, span: Span) -> tuple[Any, Any]:
        """Turn a span into keys."""
        return self.key(span[0]), self.key(span[1])

    def resource(self, ordinal: int) -> Any:
        """Return the resource of an ordinal."""
        return self.resources[ordinal]

    def ordinals(self, answer: Any) -> list[int]:
        """Turn a list answer into ordinals."""
        return [resource.id for resource in answer]

    def count_available(self, start: Any, end: Any) -> int:
        """Count the resources that are free."""
        return len(self.calendar.find_available(start, end))

    def list_available(self, start: Any, end: Any) -> list[Any]:
        """List the resources that are free."""
        return list(self.calendar.find_available(start, end))

    def first_available(self, start: Any, end: Any) -> list[Any]:
        """List the first ten resources that are free."""
        found: list[Any] = self.calendar.find_available(start, end).first(10)
        return found

    @property
    def is_available(self) -> Callable[[Any, Any, Any], bool]:
        """The calendar's own bound method: no frame of ours is timed."""
        method: Callable[[Any, Any, Any], bool] = self.calendar.is_available
        return method

    @property
    def book(self) -> Callable[[Any, Any, Any], Any]:
        """The calendar's own bound method."""
        method: Callable[[Any, Any, Any], Any] = self.calendar.book
        return method

    @property
    def remove(self) -> Callable[[Any], None]:
        """The calendar's own bound method."""
        method: Callable[[Any], None] = self.calendar.remove_booking
        return method
