"""Availability computed from rows, for stores without an index of usage.

`GenericAvailability` implements `SupportsAvailability` for any `BookingStore`, by calling ``overlapping`` alone. It states
plainly the rule for which `bookcore.stores.memory.capacity` keeps an index: a booking fits if the peak of usage within
its reach leaves room for its quantity.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVarTuple

from bookcore.index.bitmap import from_ordinals
from bookcore.index.usage_profile import UsageProfile
from bookcore.model.errors import KeyTypeError
from bookcore.model.lengths import clear_after, clear_before, reach
from bookcore.model.span import overlaps
from bookcore.stores.protocol import BookingStore, Row
from bookcore.stores.record import ResourceRecord

Ts = TypeVarTuple("Ts")
Lookup = Callable[[ResourceRecord, Any, Any], Iterable[Row]]


def rows_in_reach(overlapping: Lookup, record: ResourceRecord, start: Any, end: Any, closed: bool) -> list[Row]:
    """Return the rows whose reach overlaps the reach of a booking of this span, by start, then by number.

    The reach of a booking is its span with its buffers.
    """
    if record.before is None and record.after is None:
        return list(overlapping(record, start, end))
    low, high = reach(record, start, end)
    # a booking that is further away than its own buffers does not reach into this one
    first, last = _bound(clear_before, low, record.after, closed), _bound(clear_after, high, record.before, closed)
    rows = overlapping(record, first, last)
    return [row for row in rows if overlaps(low, high, *reach(record, row[0], row[1]), closed)]


def _bound(clear: Callable[[Any, Any, bool], Any], key: Any, length: Any, closed: bool) -> Any:
    """Return a key beyond which no row has to be looked at; None if there is no such key, as at the edge of floats."""
    try:
        return clear(key, length, closed)
    except KeyTypeError:  # a window may end where no booking may
        return None


def usage_of(record: ResourceRecord, rows: Iterable[Row], closed: bool) -> UsageProfile:
    """Return the usage of rows, buffers included. O(k log k) for k rows."""
    usage = UsageProfile(closed)
    if columns := list(zip(*rows, strict=True)):
        starts, ends, _, quantities = map(list, columns)
        if record.before is not None or record.after is not None:
            starts, ends = map(list, zip(*map(partial(reach, record), starts, ends), strict=True))
        usage.add_columns(starts, ends, quantities)
    return usage


def fits(overlapping: Lookup, record: ResourceRecord, start: Any, end: Any, quantity: int, closed: bool) -> bool:
    """Tell whether *quantity* units fit beside the rows in reach of the span. As `overlapping`, and O(k log k) for k rows.

    As `SupportsAvailability.is_free`, with ``1 <= quantity <= capacity``.
    """
    rows = rows_in_reach(overlapping, record, start, end, closed)
    if record.is_exclusive or not rows:
        return not rows
    return usage_of(record, rows, closed).has_room(*reach(record, start, end), record.capacity - quantity)


def or_false(asked: Callable[[*Ts], bool], *args: *Ts) -> bool:
    """Return an answer; False where a buffer cannot be added to the keys, so that a booking would raise `KeyTypeError`."""
    try:
        return asked(*args)
    except KeyTypeError:
        return False


def blocking_rows(
    overlapping: Lookup, record: ResourceRecord, start: Any, end: Any, closed: bool, quantity: int
) -> list[Row]:
    """Return the rows in the way of a booking of *quantity*, in the order of `rows_in_reach`.

    These are the rows that use units where fewer than *quantity* are left; rows elsewhere in the span are not in the way.
    None is in the way if enough units are left everywhere, or if *quantity* exceeds the capacity.

        capacity 3, 2 units requested in [2, 9)     rows [1, 4) and [3, 6) of 1 unit: in [3, 4) 1 unit is left
                                                    row [7, 9) of 1 unit: 2 units are left, so it is not in the way
    """
    rows = rows_in_reach(overlapping, record, start, end, closed)
    if quantity > record.capacity:
        return []
    if record.is_exclusive or not rows:
        return rows
    usage = usage_of(record, rows, closed)
    runs = list(usage.over(*reach(record, start, end), record.capacity - quantity))
    ends = [high for _, high in runs if high is not None]
    blocking = []
    for row in rows:
        low, high = reach(record, row[0], row[1])
        at = 0 if low is None else bisect_left(ends, low) if closed else bisect_right(ends, low)
        if at < len(runs) and overlaps(low, high, *runs[at], closed):
            blocking.append(row)
    return blocking


def blocked_spans(
    overlapping: Lookup, record: ResourceRecord, start: Any, end: Any, quantity: int, closed: bool
) -> Iterator[tuple[Any, Any]]:
    """Yield, in order, the spans that a booking of *quantity* may not overlap, buffers included."""
    if record.is_exclusive:
        return ((low, high) for low, high, _, _ in overlapping(record, start, end))
    rows = rows_in_reach(overlapping, record, start, end, closed)
    return widened(usage_of(record, rows, closed), record, start, end, quantity, closed)


def widened(
    use: Any, record: ResourceRecord, start: Any, end: Any, quantity: int, closed: bool
) -> Iterator[tuple[Any, Any]]:
    """Yield the runs of usage that leave no room for *quantity*, widened by the buffers of a new booking.

    The reach [s - before, e + after) of a booking [s, e) may not overlap a full run [u, v). That is the same as: the booking
    itself may not overlap [u - after, v + before).
    """
    first, last = reach(record, start, end)
    for low, high in use.over(first, last, record.capacity - quantity):
        # a run that is cut off at the window's reach blocks everything up to the window's end
        left = start if low is first else clear_before(low, record.after, closed, False)
        yield left, end if high is last else clear_after(high, record.before, closed, False)


class GenericAvailability:
    """Availability for a store without an index of usage. Every answer reads the overlapping rows."""

    __slots__ = ("_closed", "_records", "_store")

    def __init__(self, store: BookingStore[Any], records: Callable[[], Iterable[ResourceRecord]], closed: bool) -> None:
        self._store, self._records, self._closed = store, records, closed

    def is_free(self, record: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """See `SupportsAvailability`. O(log m + k log k) for k rows in reach."""
        return fits(self._store.overlapping, record, start, end, quantity, self._closed)

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """See `SupportsAvailability`. Checks every resource with bookings."""
        numbers = [
            record.number
            for record in self._records()
            if record.capacity < quantity
            or (record.active_count and not or_false(self.is_free, record, start, end, quantity))
        ]
        return from_ordinals(numbers, max(numbers, default=0) + 1)
