"""Pure decisions over bookings, for stores that keep no index of usage of their own.

`GenericAvailability` gives any `BookingStore` what `SupportsAvailability` asks for, out of ``overlapping`` alone. It is the plain
statement of the rule that `bookcore.stores.memory.capacity` keeps an index for: a booking fits when the peak of what is in use
within its reach leaves room for its quantity.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bookcore.engine.registry import Registry
from bookcore.index.bitmap import from_ordinals
from bookcore.index.usage_profile import UsageProfile
from bookcore.model.errors import KeyTypeError
from bookcore.model.keys import normal
from bookcore.model.lengths import clear_after, clear_before, reach
from bookcore.model.records import BookingEvent
from bookcore.stores.protocol import BookingStore
from bookcore.stores.record import ResourceRecord

__all__ = ["GenericAvailability", "blocking_bookings", "near", "overlaps", "peak"]

Lookup = Callable[[ResourceRecord, Any, Any], Iterable[BookingEvent]]
Use = tuple[Any, Any, int]


def overlaps(start: Any, end: Any, other_start: Any, other_end: Any, closed: bool) -> bool:
    """Tell whether two spans share a point; None is unbounded, ``closed`` spans hold their ends.

    >>> overlaps(9, 10, 10, 11, closed=False), overlaps(9, 10, 10, 11, closed=True)
    (False, True)
    """
    if closed:
        return (end is None or other_start is None or not end < other_start) and (
            other_end is None or start is None or not other_end < start
        )
    return (other_start is None or end is None or other_start < end) and (
        start is None or other_end is None or start < other_end
    )


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


def near(overlapping: Lookup, entry: ResourceRecord, start: Any, end: Any, closed: bool) -> list[BookingEvent]:
    """Return the bookings whose reach overlaps the reach of a booking of this span, by start, then by order of booking."""
    if entry.before is None and entry.after is None:
        return list(overlapping(entry, start, end))
    low, high = reach(entry, start, end)
    # no booking further away than its own turnaround can reach into ours
    found = overlapping(entry, clear_before(low, entry.after, closed), clear_after(high, entry.before, closed))
    if closed:
        return list(found)
    return [e for e in found if overlaps(low, high, *reach(entry, normal(e.start), normal(e.end)), closed)]


def blocking_bookings(
    overlapping: Lookup, entry: ResourceRecord, start: Any, end: Any, closed: bool, quantity: int
) -> list[BookingEvent]:
    """Return the bookings in the way of one of *quantity*, in the order of `near`: none precisely where there is room.

    Those in use where they leave too little room, and not those that stand elsewhere in the span. No booking is in the way
    of more units than there are: none is named then either.

        capacity 3, [2, 9) asked for 2     1--4 takes 1, 3--6 takes 1: in the way     5--9 takes 1: 6 to 9 has room, not 5
    """
    found = near(overlapping, entry, start, end, closed)
    if quantity > entry.capacity:
        return []
    if entry.plain or not found:
        return found
    reaches = [reach(entry, normal(e.start), normal(e.end)) for e in found]
    use = UsageProfile(closed)
    use.add_all((*span, e.quantity) for span, e in zip(reaches, found, strict=True))
    runs = list(use.over(*reach(entry, start, end), entry.capacity - quantity))
    ends = [high for _, high in runs if high is not None]
    crowded = []
    for (low, high), event in zip(reaches, found, strict=True):
        at = 0 if low is None else bisect_left(ends, low) if closed else bisect_right(ends, low)
        if at < len(runs) and overlaps(low, high, *runs[at], closed):
            crowded.append(event)
    return crowded


class GenericAvailability:
    """Availability over a store that only looks up. Every answer reads the bookings in question."""

    def __init__(self, store: BookingStore[Any], catalog: Registry, closed: bool) -> None:
        self._store, self._catalog, self._closed = store, catalog, closed

    def is_free(self, entry: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """See `SupportsAvailability`. O(log m + overlapping bookings squared)."""
        found = near(self._store.overlapping, entry, start, end, self._closed)
        if entry.plain:
            return not found
        uses = [(*reach(entry, normal(e.start), normal(e.end)), e.quantity) for e in found]
        return peak(uses, *reach(entry, start, end), self._closed) + quantity <= entry.capacity

    def claim(self, entry: ResourceRecord, start: Any, end: Any, event: BookingEvent) -> bool:
        """See `SupportsAvailability`."""
        if not self.is_free(entry, start, end, event.quantity):
            return False
        self._store.put(entry, start, end, event)
        return True

    def _may(self, entry: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        try:
            return self.is_free(entry, start, end, quantity)
        except KeyTypeError:  # its turnaround does not go with these keys
            return False

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """See `SupportsAvailability`. Asks every resource with bookings."""
        return from_ordinals(
            (
                entry.number
                for entry in self._catalog.by_id.values()
                if entry.capacity < quantity or (entry.count and not self._may(entry, start, end, quantity))
            ),
            self._catalog.size,
        )
