"""The index of an exclusive resource: its bookings as disjoint intervals, and as bits in the occupancy index.

    resource ----.
      _binding --'-->  ExclusiveIndex                occupancy index
                         number     3                  bit 3, for start and end, in their chunks
                         intervals  edges, numbers
                         edges      (1, 3, 4, 7)

A booking looks for a gap in the intervals, adds the span to the occupancy index, which makes the last comparison of keys
that can fail, and then inserts it into the intervals, which compares no keys. A removal, too, compares keys before it
changes anything. With more than ``split`` bookings the intervals are chunked, until few are left.

Invariants: those of the intervals. The occupancy index has exactly these spans for ``number``. ``edges`` are the edges of
the intervals if one bisect over them decides whether a half-open span is free (`Calendar.is_available` does that without
the lock). Otherwise ``edges`` is None: with closed bounds, with chunked intervals, and if the only booking is unbounded on
both sides, so that there is no key to compare with.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from bookcore.index.disjoint_intervals import ChunkedIntervals, DisjointIntervals, make_intervals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.model.keys import HIGHEST, LOWEST
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord
from bookcore.stores.sizes import Sizes


class ExclusiveIndex:
    """The bookings of one exclusive resource."""

    __slots__ = ("active", "edges", "home", "intervals", "number", "occupancy", "record", "sizes")

    def __init__(self, record: ResourceRecord, occupancy: OccupancyIndex, closed: bool, sizes: Sizes) -> None:
        self.record = record
        self.number = record.number
        self.occupancy = occupancy
        self.sizes = sizes
        self.intervals: Any = make_intervals(closed)
        self.edges: tuple[Any, ...] | None = None if closed else ()
        self.home: Any = None  # the calendar, while this is the binding of the resource
        self.active = 0  # the number of active bookings; the intervals may contain hidden rows as well

    def homes(self) -> tuple[Any, ...]:
        """Return the calendars of a resource with this binding."""
        return (self.home,)

    def is_free(self, start: Any, end: Any) -> bool:
        """Tell whether no booking overlaps the span. O(log m)."""
        return self.intervals.gap(start, end) is not None

    def insert_if_free(self, start: Any, end: Any, seq: int) -> bool:
        """Add the row here and to the occupancy index, or return False. O(log m + split + chunks crossed)."""
        edges, number, intervals = self.edges, self.number, self.intervals
        if edges is None or start is None or end is None:
            return self._insert_if_free_general(start, end, seq)
        values = intervals.values
        # `DisjointIntervals.gap` and `.put` written out for the common case: this saves a tenth of a booking's cost
        at = bisect_left(edges, end)
        if at and (at & 1 or start < edges[at - 1]):
            return False
        span = self.occupancy.add(number, start, end)
        values.insert(at >> 1, seq)
        self.edges = intervals.edges = edges[:at] + span + edges[at:]
        if len(values) > self.sizes.split:
            self._settle()
        return True

    def _insert_if_free_general(self, start: Any, end: Any, seq: int) -> bool:
        """Do what `insert_if_free` does, in every case: unbounded spans, closed bounds, chunked intervals."""
        intervals = self.intervals
        at = intervals.gap(start, end)
        if at is None:
            return False
        intervals.put(at, *self.occupancy.add(self.number, start, end), seq)  # `put` compares no keys
        self._settle()
        return True

    def remove(self, seq: int) -> None:
        """Remove the row with this number, here and from the occupancy index. O(log m + split + chunks crossed)."""
        intervals = self.intervals
        place = intervals.find(seq)
        start, end = intervals.span(place)
        before, after = intervals.around(place)
        low, high = None if start is LOWEST else start, None if end is HIGHEST else end
        self.occupancy.remove(self.number, low, high, before, after)
        # nothing below compares keys
        intervals.take(place)
        self._settle()

    def _settle(self) -> None:
        """Chunk the intervals if there are too many, or join the chunks if there are few; publish the edges.

        O(1), or O(m) if the intervals change.
        """
        intervals = self.intervals
        count, chunked = len(intervals), type(intervals) is ChunkedIntervals
        if count > self.sizes.split and not chunked:
            self.intervals = intervals = self._chunked(intervals.closed, intervals.edges, intervals.values)
        elif chunked and count <= self.sizes.split // 4:
            self.intervals = intervals = make_intervals(intervals.closed, intervals.edges, intervals.values)
        self.edges = self._readable_edges()

    def _chunked(self, closed: bool, edges: Sequence[Any], seqs: Sequence[int]) -> ChunkedIntervals:
        return ChunkedIntervals(closed, edges, seqs, self.sizes.split, self.sizes.fan)

    def _readable_edges(self) -> tuple[Any, ...] | None:
        intervals = self.intervals
        if type(intervals) is not DisjointIntervals:
            return None
        edges = intervals.edges
        return None if len(edges) == 2 and edges[0] is LOWEST and edges[1] is HIGHEST else edges

    def fill(self, edges: Sequence[Any], seqs: Sequence[int]) -> None:
        """Replace all rows; the edges are known to be in order. The caller updates the occupancy index. O(m)."""
        closed = self.intervals.closed
        if len(seqs) > self.sizes.split:
            self.intervals = self._chunked(closed, edges, seqs)
        else:
            self.intervals = make_intervals(closed, edges, seqs)
        self.edges = self._readable_edges()

    def repair(self, keeps: Callable[[int], bool]) -> list[tuple[Any, Any]]:
        """Keep these rows only, after a change was cut off; return their spans in order, None for unbounded. O(m)."""
        rows = self.intervals.rows(keeps)
        self.fill([edge for row in rows for edge in row[:2]], [row[2] for row in rows])
        return [(None if low is LOWEST else low, None if high is HIGHEST else high) for low, high, _ in rows]

    def row(self, seq: int) -> Row:
        """Return the row with this number. O(log m + split). Raises: ValueError or KeyError when there is no such row."""
        start, end = self.intervals.span(self.intervals.find(seq))
        return None if start is LOWEST else start, None if end is HIGHEST else end, seq, 1

    def overlapping(self, start: Any, end: Any) -> list[Row]:
        """Return the rows that overlap the span, by start, as a new list. O(log m + answers)."""
        return [(low, high, seq, 1) for low, high, seq in self.intervals.overlapping(start, end)]

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""
        intervals = self.intervals
        intervals.check()
        if type(intervals) is not ChunkedIntervals and len(intervals) > self.sizes.split:
            raise AssertionError(f"{len(intervals)} bookings in one piece")
        if self.edges is not self._readable_edges():
            raise AssertionError(f"the edges of {self.record!r} are not those of its intervals")
