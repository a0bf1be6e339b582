"""`ListStore`: one list and one loop, so plain that it cannot be wrong. What other stores are compared with."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from bookcore.model.errors import StoreError
from bookcore.model.records import BookingEvent
from bookcore.stores.record import ResourceRecord

__all__ = ["ListStore"]

_Row = tuple[ResourceRecord, Any, Any, BookingEvent]


class ListStore:
    """Bookings in a list. Every question reads all of it; it decides nothing and indexes nothing.

    >>> from bookcore import Calendar, Resource
    >>> calendar = Calendar(ListStore())
    >>> room = calendar.add_resource(Resource("room"))
    >>> stay = calendar.book(room, 9, 12)
    >>> calendar.is_available(room, 11, 13), calendar.is_available(room, 12, 13)
    (False, True)
    """

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.entries: list[ResourceRecord] = []
        self.closed: bool | None = None

    def bind(self, closed: bool) -> None:
        """Begin to serve one calendar. Raises: `StoreError` when it serves one. O(1)."""
        if self.closed is not None:
            raise StoreError(self, "already serves a calendar")
        self.closed = closed

    def add_resource(self, entry: ResourceRecord) -> None:
        """Note that there is such a resource. O(1)."""
        self.entries.append(entry)

    def remove_resource(self, entry: ResourceRecord) -> None:
        """Forget it. O(n)."""
        self.entries = [other for other in self.entries if other is not entry]

    def put(self, entry: ResourceRecord, start: Any, end: Any, event: BookingEvent) -> None:
        """Append a row. O(1)."""
        self.rows.append((entry, start, end, event))

    def remove(self, entry: ResourceRecord, start: Any, end: Any, event: BookingEvent) -> None:
        """Drop the event's row. Raises: `StoreError` when there is none. O(m)."""
        rest = [row for row in self.rows if row[3] is not event]
        if len(rest) == len(self.rows):
            raise StoreError(self, f"{event!r} is not held")
        self.rows = rest

    def overlapping(self, entry: ResourceRecord, start: Any, end: Any) -> list[BookingEvent]:
        """Return the bookings of the resource that overlap the span, by start, then by ``_seq``. O(m log m)."""
        found = []
        for held, low, high, event in self.rows:
            if held is entry and self._begins_before(low, end) and self._begins_before(start, high):
                found.append((low, event._seq or 0, event))
        found.sort(key=cmp_to_key(_compare))
        return [event for _, _, event in found]

    def _begins_before(self, start: Any, end: Any) -> bool:
        """Tell whether something that starts at *start* begins before what ends at *end* is over."""
        if start is None or end is None:
            return True
        return not end < start if self.closed else bool(start < end)

    def check(self) -> None:
        """Raise AssertionError if a row belongs to a resource that is gone. O(m n)."""
        if any(all(entry is not other for other in self.entries) for entry, *_ in self.rows):
            raise AssertionError("a booking of a resource that is gone")


def _compare(one: tuple[Any, int, BookingEvent], two: tuple[Any, int, BookingEvent]) -> int:
    """Order rows by start, None first, then by ``_seq``; keys are asked for ``<`` and nothing else."""
    if one[0] is not None and two[0] is not None:
        if one[0] < two[0]:
            return -1
        if two[0] < one[0]:
            return 1
    elif one[0] is not two[0]:
        return -1 if one[0] is None else 1
    return one[1] - two[1]
