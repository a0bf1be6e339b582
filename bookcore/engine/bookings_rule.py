"""Bookings as a reason why a span is not available: the last rule in the list of `bookcore.engine.rules`.

The store decides, from its index if it has one. A booking is in the way where it leaves too few units, buffers included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bookcore.engine.ledger import Ledger
from bookcore.model.errors import brief
from bookcore.model.explanation import Cause, CauseKind, key_text, span_text
from bookcore.model.lengths import reach
from bookcore.model.span import overlaps
from bookcore.stores import generic
from bookcore.stores.protocol import BookingStore, Row, SupportsAvailability, SupportsFreeTime
from bookcore.stores.record import ResourceRecord


class Bookings:
    """The rule of bookings, holds and buffers. Not thread-safe: used under the calendar's lock."""

    __slots__ = ("_closed", "_free_time", "_index", "_ledger", "_store", "allows")

    def __init__(
        self,
        store: BookingStore[Any],
        index: SupportsAvailability[Any],
        ledger: Ledger,
        closed: bool,
    ) -> None:
        self._store, self._index, self._ledger, self._closed = store, index, ledger, closed
        self._free_time = store if isinstance(store, SupportsFreeTime) else None
        # `Rule.allows`. It is the store's own method, because it is called most often.
        self.allows = index.is_free

    def allows_beside(self, record: ResourceRecord, low: Any, high: Any, quantity: int, ignored: int) -> bool:
        """Answer as ``allows``, but without the booking with number *ignored*, which has the same quantity. As ``allows``.

        With closed bounds or buffers O(log m + k log k) for k rows in reach.
        """
        if self.allows(record, low, high, quantity):
            return True
        if not self._closed and record.before is None and record.after is None and not record.crowded:
            # where the booking is, there is room for it; so what is outside decides
            start, end, _, _ = self._store.row(record, ignored)
            if not overlaps(low, high, start, end, False):
                return False
            before = start is not None and (low is None or low < start)
            after = end is not None and (high is None or end < high)
            return (not before or self.allows(record, low, start, quantity)) and (
                not after or self.allows(record, end, high, quantity)
            )
        rows = generic.rows_in_reach(self._store.overlapping, record, low, high, self._closed)
        others = [row for row in rows if row[2] != ignored]
        if len(others) == len(rows) or record.is_exclusive:
            return not others
        usage = generic.usage_of(record, others, self._closed)
        return usage.has_room(*reach(record, low, high), record.capacity - quantity)

    def blocked(self, low: Any, high: Any, quantity: int) -> int:
        """Return a bitmap of the resources without room. It may lack those that the rule of buffers blocks."""
        return self._index.busy(low, high, quantity)

    def spans(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, length: Any = None
    ) -> Iterator[tuple[Any, Any]]:
        """Yield, in order, the spans that a booking of *quantity* may not overlap, buffers included.

        Spans with a gap shorter than *length* between them may be yielded as one.
        """
        spans = None
        if self._free_time is not None:
            spans = self._free_time.blocked_spans(record, low, high, quantity, length)
        if spans is None:
            spans = generic.blocked_spans(self._store.overlapping, record, low, high, quantity, self._closed)
        return spans

    def rows(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, ignored: int | None = None
    ) -> list[Row]:
        """Return the rows in the way of a booking of *quantity*, by start: none exactly where there is room.

        The booking with number *ignored* is left out.
        """

        def overlapping(record: ResourceRecord, low: Any, high: Any) -> Sequence[Row]:
            rows = self._store.overlapping(record, low, high)
            return rows if ignored is None else [row for row in rows if row[2] != ignored]

        return generic.blocking_rows(overlapping, record, low, high, self._closed, quantity)

    def nearness(self, record: ResourceRecord, low: Any, high: Any, row: Row) -> str:
        """Return how a message goes on that tells of a row in the way: "" if it overlaps the span, else which buffers."""
        if (record.before is None and record.after is None) or overlaps(low, high, row[0], row[1], self._closed):
            return ""
        needs = ((record.before, "before"), (record.after, "after"))
        lengths = [f"{key_text(length)} {side}" for length, side in needs if length is not None]
        return f" is too near: buffer of {' and '.join(lengths)}"

    def causes(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, start: Any, end: Any
    ) -> Iterator[Cause]:
        """Yield the bookings in the way, by start."""
        rows = self.rows(record, low, high, quantity)
        for row, event in zip(rows, self._ledger.events(record, rows), strict=True):
            text = f"booking {brief(event.id, 40)} {span_text(event.start, event.end, '[]' if self._closed else '[)')}"
            kind = CauseKind.BOOKING
            if self._ledger.is_held(row[2]):
                kind, text = CauseKind.HOLD, text.replace("booking", "hold", 1)
            if record.capacity > 1:
                text += f" takes {brief(event.quantity)} of {brief(record.capacity)}"
            if near := self.nearness(record, low, high, row):
                kind, text = CauseKind.BUFFER, text + near
            yield Cause(kind, event, event.start, event.end, text)
