"""`ListStore`: one list and one loop. It is the reference that other stores are compared with."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from bookcore.model.errors import StoreError
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord


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
        self.rows: list[tuple[ResourceRecord, Row]] = []
        self.records: list[ResourceRecord] = []
        self.closed: bool | None = None

    def bind(self, closed: bool) -> None:
        """Begin to serve one calendar. Raises: `StoreError` when it serves one. O(1)."""
        if self.closed is not None:
            raise StoreError(self, "already serves a calendar")
        self.closed = closed

    def add_resource(self, record: ResourceRecord) -> None:
        """Note the resource. O(1)."""
        self.records.append(record)

    def remove_resource(self, record: ResourceRecord) -> None:
        """Forget the resource. O(n)."""
        self.records = [other for other in self.records if other is not record]

    def put(self, record: ResourceRecord, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Append a row. O(1)."""
        self.rows.append((record, (start, end, seq, quantity)))

    def remove(self, record: ResourceRecord, start: Any, end: Any, seq: int) -> None:
        """Drop the row of this number. Raises: `StoreError` when there is none. O(m)."""
        rest = [held for held in self.rows if held[1][2] != seq]
        if len(rest) == len(self.rows):
            raise StoreError(self, f"booking {seq} is not held")
        self.rows = rest

    def row(self, record: ResourceRecord, seq: int) -> Row:
        """Return the row of this number. O(m)."""
        return next(row for held, row in self.rows if held is record and row[2] == seq)

    def overlapping(self, record: ResourceRecord, start: Any, end: Any) -> list[Row]:
        """Return the rows of the resource that overlap the span, by start, then by number. O(m log m)."""
        found = [
            row
            for held, row in self.rows
            if held is record and self._begins_before(row[0], end) and self._begins_before(start, row[1])
        ]
        found.sort(key=cmp_to_key(_compare))
        return found

    def _begins_before(self, start: Any, end: Any) -> bool:
        """Tell whether a span that starts at *start* begins before a span that ends at *end* is over."""
        if start is None or end is None:
            return True
        return not end < start if self.closed else bool(start < end)

    def check(self) -> None:
        """Raise AssertionError if a row belongs to a resource that is gone. O(m n)."""
        if any(all(held is not other for other in self.records) for held, _ in self.rows):
            raise AssertionError("a booking of a resource that is gone")


def _compare(one: Row, two: Row) -> int:
    """Order rows by start, None first, then by number; keys are asked for ``<`` and nothing else."""
    if one[0] is not None and two[0] is not None:
        if one[0] < two[0]:
            return -1
        if two[0] < one[0]:
            return 1
    elif one[0] is not two[0]:
        return -1 if one[0] is None else 1
    return one[2] - two[2]
