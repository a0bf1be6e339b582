"""The index of a resource with capacity or buffers: its usage, and the spans that are blocked by full usage.

    capacity 2, after=1       1   2   3   4   5   6   7
    booking a                 |-------|~~~|                 the booking, then its buffers
    booking b                     |-----------|~~~|
    usage (with buffers)      1   2   2   1   1
    full                          |-------|                 usage >= capacity
    blocked                   |-----------|                 the full stretch, widened by `after` on its left

A new booking [s, e) fits if the peak of usage in its reach [s - before, e + after) leaves enough units; the number of
overlapping bookings does not matter. For one unit the occupancy index expresses the same about the booking itself: it must
not overlap a full stretch [u, v) widened to [u - after, v + before).

Invariants: the profile is the sum of all reaches. ``lows`` and ``highs`` are the widened full stretches, joined where
they meet, disjoint and in order (`LOWEST` for an unbounded start, None for an unbounded end). The store has put exactly
these blocked spans into the occupancy index for this resource.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any

from bookcore.index.augmented_intervals import AugmentedIntervalList
from bookcore.index.usage_profile import UsageProfile
from bookcore.model.keys import LOWEST
from bookcore.model.lengths import clear_after, clear_before, reach
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord
from bookcore.stores.sizes import Sizes

Removed = list[tuple[Any, Any, Any, Any]]
"""Blocked spans to remove from the occupancy index: start, end, start of the neighbour before, start of the one after."""
Added = list[tuple[Any, Any]]
"""Blocked spans to add to the occupancy index."""


class CapacityIndex:
    """The rows, the usage and the blocked spans of one resource with capacity or buffers."""

    __slots__ = ("closed", "highs", "intervals", "lows", "profile", "quantity_of", "record", "sizes")

    def __init__(self, record: ResourceRecord, closed: bool, sizes: Sizes) -> None:
        self.record = record
        self.closed = closed
        self.sizes = sizes
        self.profile = UsageProfile(closed, **sizes.profile)
        self.intervals = AugmentedIntervalList(closed, sizes.overlapping)
        self.quantity_of: dict[int, int] = {}  # by number, where it is more than 1
        self.lows: list[Any] = []
        self.highs: list[Any] = []

    def has_room(self, start: Any, end: Any, quantity: int) -> bool:
        """Tell whether *quantity* more units fit over the whole span. O(log m + segments in the span)."""
        record = self.record
        if record.before is not None or record.after is not None:
            start, end = reach(record, start, end)
        return self.profile.has_room(start, end, record.capacity - quantity)

    def put(self, start: Any, end: Any, seq: int, quantity: int) -> tuple[Removed, Added]:
        """Add the row; return the blocked spans to remove and to add."""
        low, high = reach(self.record, start, end)
        self.intervals.put(start, end, seq)
        if quantity != 1:
            self.quantity_of[seq] = quantity
        return self._use(low, high, quantity)

    def remove(self, seq: int) -> tuple[Removed, Added]:
        """Remove the row; return the blocked spans to remove and to add."""
        start, end = self.intervals.span_of[seq]
        low, high = reach(self.record, start, end)
        self.intervals.remove(seq)
        return self._use(low, high, -self.quantity_of.pop(seq, 1))

    def repair(self, keeps: Callable[[int], bool]) -> list[tuple[Any, Any]]:
        """Keep these rows only, after a change was cut off; return the blocked spans in order. O(m log m)."""
        fresh = CapacityIndex(self.record, self.closed, self.sizes)
        for seq in list(self.intervals.span_of):
            if keeps(seq):
                start, end, _, quantity = self.row(seq)
                fresh.intervals.put(start, end, seq)
                fresh.profile.add(*reach(self.record, start, end), quantity)
                if quantity != 1:
                    fresh.quantity_of[seq] = quantity
        fresh._follow(None, None)
        for name in ("profile", "intervals", "quantity_of", "lows", "highs"):  # only now: a comparison may have failed
            setattr(self, name, getattr(fresh, name))
        return self.blocked()

    def clear(self) -> Removed:
        """Remove all rows; return the blocked spans to remove. No key is compared. O(blocked spans)."""
        self.profile = UsageProfile(self.closed, **self.sizes.profile)
        self.intervals = AugmentedIntervalList(self.closed, self.sizes.overlapping)
        self.quantity_of = {}
        return self._follow(None, None)[0]

    def row(self, seq: int) -> Row:
        """Return the row with this number. O(1). Raises: KeyError."""
        return (*self.intervals.span_of[seq], seq, self.quantity_of.get(seq, 1))

    def _use(self, low: Any, high: Any, quantity: int) -> tuple[Removed, Added]:
        """Change the usage over a span; return the blocked spans to remove and to add."""
        self.profile.add(low, high, quantity)
        return self._follow(low, high)

    def blocked(self) -> list[tuple[Any, Any]]:
        """Return the blocked spans in order, None for unbounded."""
        return [(None if low is LOWEST else low, high) for low, high in zip(self.lows, self.highs, strict=True)]

    def overlapping(self, start: Any, end: Any) -> list[Row]:
        """Return the rows that overlap the span, buffers left aside, by start, then by number."""
        quantity_of = self.quantity_of.get
        return [(low, high, seq, quantity_of(seq, 1)) for low, high, seq in self.intervals.overlapping(start, end)]

    def _follow(self, low: Any, high: Any) -> tuple[Removed, Added]:
        """Update the blocked spans after a change of usage; return those to remove and to add. O(log m + spans changed)."""
        record = self.record
        # widened as the full stretches are: floats round, and a stretch that meets the change only then meets it still
        near = clear_before(low, record.after, self.closed), clear_after(high, record.before, self.closed)
        first, last = self._touching(*near)
        spans = [
            (clear_before(start, record.after, self.closed), clear_after(end, record.before, self.closed))
            for start, end in self.profile.runs(low, high, record.capacity)
        ]
        if first < last and not (record.before is None and record.after is None):
            first, last, spans = self._with_neighbours(low, high, first, last, spans)
        added: Added = []
        for start, end in spans:
            # an unbounded start can only follow other unbounded starts
            if added and (start is None or added[-1][1] is None or not added[-1][1] < start):
                if added[-1][1] is not None and (end is None or added[-1][1] < end):
                    added[-1] = (added[-1][0], end)
            else:
                added.append((start, end))
        starts, ends = self.lows[first:last], self.highs[first:last]
        if starts == [LOWEST if start is None else start for start, _ in added] and ends == [end for _, end in added]:
            return [], []
        removed: Removed = []
        before = self.lows[first - 1] if first and self.lows[first - 1] is not LOWEST else None
        for at, (start, end) in enumerate(zip(starts, ends, strict=True), first):
            # they are removed from left to right, so the neighbour on the left is always `before`
            following = self.lows[at + 1] if at + 1 < len(self.lows) else None
            removed.append((None if start is LOWEST else start, end, before, following))
        self.lows[first:last] = [LOWEST if start is None else start for start, _ in added]
        self.highs[first:last] = [end for _, end in added]
        return removed, added

    def _with_neighbours(
        self, low: Any, high: Any, first: int, last: int, spans: Added
    ) -> tuple[int, int, Added]:
        """Extend the widened full stretches of a change by the unchanged parts of blocked spans on both sides.

        A blocked span that touches the change may be a long chain of full stretches, each widened as far as the next. Its
        part up to the last full stretch before the change stays as it is, as does its part from the first stretch after.
        """
        record, lows, highs = self.record, self.lows, self.highs
        if high is not None and (highs[last - 1] is None or high < highs[last - 1]):
            start = self.profile.start_after(high, record.capacity)
            if start is not None:
                start = clear_before(start, record.after, self.closed)
                at = 0 if start is None else bisect_right(lows, start, 1 if lows[0] is LOWEST else 0) - 1
                if at < last:
                    last = at + 1
                    spans = [*spans, (start, highs[at])]
        if low is not None and (lows[first] is LOWEST or lows[first] < low):
            end = self.profile.end_before(low, record.capacity)
            if end is not None:
                end = clear_after(end, record.before, self.closed)
                bounded = len(highs) - 1 if highs[-1] is None else len(highs)
                at = bounded if end is None else bisect_left(highs, end, 0, bounded)
                if at >= first:
                    first = at
                    spans = [(None if lows[at] is LOWEST else lows[at], end), *spans]
        return first, last, spans

    def _touching(self, low: Any, high: Any) -> tuple[int, int]:
        """Return the range of blocked spans that overlap or touch the span."""
        if high is None:
            last = len(self.lows)
        else:
            last = bisect_right(self.lows, high, 1 if self.lows and self.lows[0] is LOWEST else 0)
        if low is None:
            return 0, last
        known = len(self.highs) if not self.highs or self.highs[-1] is not None else len(self.highs) - 1
        return min(bisect_left(self.highs, low, 0, known), last), last

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""
        self.profile.check()
        self.intervals.check()
        known = self.lows, self.highs
        self.lows, self.highs = [], []
        try:
            self._follow(None, None)
        finally:
            fresh, (self.lows, self.highs) = (self.lows, self.highs), known
        if len(fresh[0]) != len(known[0]) or not all(
            map(_same, (*fresh[0], *fresh[1]), (*known[0], *known[1]))
        ):
            raise AssertionError(f"the blocked spans of {self.record!r} are not those of its usage")


def _same(fresh: Any, known: Any) -> bool:
    """Tell whether two keys, `LOWEST` or None are the same place, by ``<`` alone."""
    if fresh is known:
        return True
    unbounded = fresh is None or known is None or fresh is LOWEST or known is LOWEST
    return not (unbounded or fresh < known or known < fresh)
