"""bookcore behind the peers' interface; timed is its own bound method where one will do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bookcore import BookingEvent, Calendar, MemoryStore, Resource, TreeStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.data import Columns, Dataset, Span

__all__ = ["Ours"]


class Ours:
    """A calendar over one of the stores, keys as the data set gives them."""

    does = frozenset({"count", "list", "first", "is_available", "book", "remove", "load"})

    def __init__(self, store: str = "memory") -> None:
        self.name = "bookcore" if store == "memory" else f"bookcore, {store} store"
        self.calendar: Calendar[Any, Any, Any] = Calendar(TreeStore() if store == "tree" else MemoryStore())
        self.resources: list[Any] = []
        self.key: Callable[[int], Any] = int

    def register(self, data: Dataset, make: Callable[[int], Any] | None = None) -> None:
        """Add the data's resources; *make* turns an ordinal into a resource."""
        self.key = data.key
        build = make or Resource
        add = self.calendar.add_resource
        self.resources = [add(build(ordinal)) for ordinal in range(data.resources)]

    def events(self, data: Dataset, rows: Columns) -> Iterator[Any]:
        """Iterate over booking events for *rows*, not booked yet."""
        resources = self.resources
        return (BookingEvent(resources[ordinal], start, end) for ordinal, start, end in data.keyed(rows))

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
        return self.calendar.find_available(start, end).first(10)

    @property
    def is_available(self) -> Callable[[Any, Any, Any], bool]:
        """The calendar's own bound method: no frame of ours is timed."""
        return self.calendar.is_available

    @property
    def book(self) -> Callable[[Any, Any, Any], Any]:
        """The calendar's own bound method."""
        return self.calendar.book

    @property
    def remove(self) -> Callable[[Any], None]:
        """The calendar's own bound method."""
        return self.calendar.remove_booking
