"""Availability out of rows alone, for stores that keep no index of usage of their own.

`GenericAvailability` gives any `BookingStore` what `SupportsAvailability` asks for, out of ``overlapping`` alone. It is the
plain statement of the rule that `bookcore.stores.memory.capacity` keeps an index for: a booking fits when the peak of usage
within its reach leaves room for its quantity.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bookcore.index.bitmap import from_ordinals
from bookcore.index.usage_profile import UsageProfile
from bookcore.model.errors import KeyTypeError
from bookcore.model.lengths import clear_after, clear_before, reach
from bookcore.model.span import overlaps
from bookcore.stores.protocol import BookingStore, Row
from bookcore.stores.record import ResourceRecord

__all__ = ["GenericAvailability", "blocked_spans", "blocking_rows", "fits", "peak", "rows_in_reach", "usage_of"]

Lookup = Callable[[ResourceRecord, Any, Any], Iterable[Row]]
Use = tuple[Any, Any, int]


def peak(uses: Sequence[Use], start: Any, end: Any, closed: bool) -> int:
    """Return the most units in use at one point of the span. O(len(uses) squared), plain on purpose.

    Usage only rises where a use starts, so the start of the span and the starts inside it are the points to look at.
    """
    inside = [use for use in uses if overlaps(start, end, use[0], use[1], closed)]
    points = [start] + [use[0] for use in inside if use[0] is not None and (start is None or start < use[0])]
    most = 0
    for point in points:
        used = 0
        for low, high, quantity in inside:
            begun = low is None or (point is not None and not point < low)
            over = high is not None and (point is not None) and (high < point if closed else not point < high)
            if begun and not over:
                used += quantity
        most = max(most, used)
    return most


def rows_in_reach(overlapping: Lookup, record: ResourceRecord, start: Any, end: Any, closed: bool) -> list[Row]:
    """Return the rows whose reach overlaps the reach of a booking of this span, by start, then by order of booking.

    The reach of a booking is its span and the turnaround it keeps around itself.
    """
    if record.before is None and record.after is None:
        return list(overlapping(record, start, end))
    low, high = reach(record, start, end)
    # no booking further away than its own turnaround can reach into this one
    found = overlapping(record, clear_before(low, record.after, closed), clear_after(high, record.before, closed))
    if closed:
        return list(found)
    return [row for row in found if overlaps(low, high, *reach(record, row[0], row[1]), closed)]


def usage_of(record: ResourceRecord, rows: Iterable[Row], closed: bool) -> UsageProfile:
    """Return how much some rows use, turnaround included."""
    use = UsageProfile(closed)
    use.add_all((*reach(record, start, end), quantity) for start, end, _, quantity in rows)
    return use


def fits(record: ResourceRecord, rows: Sequence[Row], start: Any, end: Any, quantity: int, closed: bool) -> bool:
    """Tell whether *quantity* units fit beside these rows, which are all in reach of the span. O(len(rows) squared)."""
    if record.is_exclusive:
        return not rows
    uses = [(*reach(record, low, high), used) for low, high, _, used in rows]
    return peak(uses, *reach(record, start, end), closed) + quantity <= record.capacity


def blocking_rows(
    overlapping: Lookup, record: ResourceRecord, start: Any, end: Any, closed: bool, quantity: int
) -> list[Row]:
    """Return the rows in the way of a booking of *quantity*, in the order of `rows_in_reach`: none where there is room.

    Those in use where they leave too little room, and not those elsewhere in the span. No row is in the way of more units
    than there are: none is returned then either.

        capacity 3, [2, 9) asked for 2     1--4 takes 1, 3--6 takes 1: in the way     5--9 takes 1: 6 to 9 has room, not 5
    """
    found = rows_in_reach(overlapping, record, start, end, closed)
    if quantity > record.capacity:
        return []
    if record.is_exclusive or not found:
        return found
    use = usage_of(record, found, closed)
    runs = list(use.over(*reach(record, start, end), record.capacity - quantity))
    ends = [high for _, high in runs if high is not None]
    blocking = []
    for row in found:
        low, high = reach(record, row[0], row[1])
        at = 0 if low is None else bisect_left(ends, low) if closed else bisect_right(ends, low)
        if at < len(runs) and overlaps(low, high, *runs[at], closed):
            blocking.append(row)
    return blocking


def blocked_spans(
    overlapping: Lookup, record: ResourceRecord, start: Any, end: Any, quantity: int, closed: bool
) -> Iterator[tuple[Any, Any]]:
    """Yield, in order, the spans that a booking of *quantity* may not overlap, turnaround included."""
    if record.is_exclusive:
        return ((low, high) for low, high, _, _ in overlapping(record, start, end))
    rows = rows_in_reach(overlapping, record, start, end, closed)
    return widened(usage_of(record, rows, closed), record, start, end, quantity, closed)


def widened(
    use: Any, record: ResourceRecord, start: Any, end: Any, quantity: int, closed: bool
) -> Iterator[tuple[Any, Any]]:
    """Yield the runs of usage that leave no room for *quantity*, widened by what a booking keeps around itself.

    A booking [s, e) needs [s - before, e + after) to meet no full run [u, v): it may not overlap [u - after, v + before).
    """
    first, last = reach(record, start, end)
    for low, high in use.over(first, last, record.capacity - quantity):
        # cut at the window's own reach: the booking itself has no room from the window's end on, or up to it
        left = start if low is first else clear_before(low, record.after, closed)
        yield left, end if high is last else clear_after(high, record.before, closed)


class GenericAvailability:
    """Availability over a store that only looks up. Every answer reads the rows in question."""

    __slots__ = ("_closed", "_records", "_store")

    def __init__(self, store: BookingStore[Any], records: Callable[[], Iterable[ResourceRecord]], closed: bool) -> None:
        self._store, self._records, self._closed = store, records, closed

    def is_free(self, record: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """See `SupportsAvailability`. O(log m + overlapping rows squared)."""
        rows = rows_in_reach(self._store.overlapping, record, start, end, self._closed)
        return fits(record, rows, start, end, quantity, self._closed)

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """See `SupportsAvailability`. Asks every resource with bookings."""
        numbers = [
            record.number
            for record in self._records()
            if record.capacity < quantity or (record.active_count and not self._may_fit(record, start, end, quantity))
        ]
        return from_ordinals(numbers, max(numbers, default=0) + 1)

    def _may_fit(self, record: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        try:
            return self.is_free(record, start, end, quantity)
        except KeyTypeError:  # its turnaround does not go with these keys
            return False
