"""The index of an exclusive resource: its bookings as disjoint intervals, and as bits in the occupancy index.

    resource ----.
      _binding --'-->  ExclusiveIndex                occupancy index
                         number     3                  bit 3, for start and end, in their chunks
                         edges      (1, 3, 4, 7)
                         values     5, 8               the number of each booking

A booking looks for a gap among the edges, adds the span to the occupancy index, which makes the last comparison of keys
that can fail, and then inserts it among the edges, which compares no keys. A removal, too, compares keys before it changes
anything.

``edges`` and ``values`` are those of a `DisjointIntervals`, held here without one: it would be one more object for each
resource that a booking reads from memory and that the garbage collector walks. They serve while one bisect over the edges
decides whether a half-open span is free (`Calendar.is_available` does that without the lock). Otherwise ``edges`` is None,
and ``intervals`` has the rows: with closed bounds; with more than ``split`` bookings, until few are left; and if the only
booking is unbounded on both sides, so that there is no key to compare with.

Invariants: those of the intervals; either ``edges`` or ``intervals`` is None. The occupancy index has exactly these spans
for ``number``.
"""

from __future__ import annotations

from array import array
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

    __slots__ = ("active", "edges", "home", "intervals", "number", "occupancy", "record", "sizes", "values")

    def __init__(self, record: ResourceRecord, occupancy: OccupancyIndex, closed: bool, sizes: Sizes) -> None:
        self.record = record
        self.number = record.number
        self.occupancy = occupancy
        self.sizes = sizes
        self.home: Any = None  # the calendar, while this is the binding of the resource
        self.active = 0  # the number of active bookings; the rows may contain hidden ones as well
        self.edges: tuple[Any, ...] | None = () if not closed else None
        self.values = array("q")
        self.intervals: Any = make_intervals(True) if closed else None

    def homes(self) -> tuple[Any, ...]:
        """Return the calendars of a resource with this binding."""
        return (self.home,)

    def __len__(self) -> int:
        return len(self.values if self.intervals is None else self.intervals)

    def rows(self) -> Any:
        """Return the rows as intervals. Who changes these gives them to `_keep` afterwards. O(1)."""
        return DisjointIntervals(self.edges, self.values) if self.edges is not None else self.intervals

    def is_free(self, start: Any, end: Any) -> bool:
        """Tell whether no booking overlaps the span. O(log m)."""
        return self.rows().gap(start, end) is not None

    def insert_if_free(self, start: Any, end: Any, seq: int) -> bool:
        """Add the row here and to the occupancy index, or return False. O(log m + split + chunks crossed)."""
        edges, number, values = self.edges, self.number, self.values
        if edges is None or start is None or end is None:
            return self._insert_if_free_general(start, end, seq)
        # `DisjointIntervals.gap` and `.put` written out for the common case: this saves a tenth of a booking's cost
        at = bisect_left(edges, end)
        if at and (at & 1 or start < edges[at - 1]):
            return False
        span = self.occupancy.add(number, start, end)
        values.insert(at >> 1, seq)  # first, see `DisjointIntervals.rows`
        self.edges = edges[:at] + span + edges[at:]
        if len(values) > self.sizes.split:
            self._keep(self.rows())
        return True

    def _insert_if_free_general(self, start: Any, end: Any, seq: int) -> bool:
        """Do what `insert_if_free` does, in every case: unbounded spans, closed bounds, chunked intervals."""
        rows = self.rows()
        at = rows.gap(start, end)
        if at is None:
            return False
        rows.put(at, *self.occupancy.add(self.number, start, end), seq)  # `put` compares no keys
        self._keep(rows)
        return True

    def remove(self, seq: int) -> None:
        """Remove the row with this number, here and from the occupancy index. O(log m + split + chunks crossed)."""
        rows = self.rows()
        place = rows.find(seq)
        start, end = rows.span(place)
        before, after = rows.around(place)
        low, high = None if start is LOWEST else start, None if end is HIGHEST else end
        self.occupancy.remove(self.number, low, high, before, after)
        # nothing below compares keys
        rows.take(place)
        self._keep(rows)

    def _keep(self, rows: Any) -> None:
        """Have these intervals be the rows: chunked if there are too many, joined if there are few, or just their edges.

        O(1), or O(m) if they are chunked or joined.
        """
        if type(rows) is ChunkedIntervals:
            if len(rows) <= self.sizes.split // 4:
                rows = make_intervals(rows.closed, rows.edges, rows.values)
        elif len(rows) > self.sizes.split:
            rows = ChunkedIntervals(rows.closed, rows.edges, rows.values, self.sizes.split, self.sizes.fan)
        if _are_readable(rows):
            self.edges, self.values, self.intervals = rows.edges, rows.values, None
        else:
            self.edges, self.values, self.intervals = None, array("q"), rows

    def fill(self, edges: Sequence[Any], seqs: Sequence[int]) -> None:
        """Replace all rows; the edges are known to be in order. The caller updates the occupancy index. O(m)."""
        self._keep(make_intervals(self.rows().closed, edges, seqs))

    def repair(self, keeps: Callable[[int], bool]) -> list[tuple[Any, Any]]:
        """Keep these rows only, after a change was cut off; return their spans in order, None for unbounded. O(m)."""
        rows = self.rows().rows(keeps)
        self.fill([edge for row in rows for edge in row[:2]], [row[2] for row in rows])
        return [(None if low is LOWEST else low, None if high is HIGHEST else high) for low, high, _ in rows]

    def row(self, seq: int) -> Row:
        """Return the row with this number. O(log m + split). Raises: ValueError or KeyError when there is no such row."""
        rows = self.rows()
        start, end = rows.span(rows.find(seq))
        return None if start is LOWEST else start, None if end is HIGHEST else end, seq, 1

    def overlapping(self, start: Any, end: Any) -> list[Row]:
        """Return the rows that overlap the span, by start, as a new list. O(log m + answers)."""
        return [(low, high, seq, 1) for low, high, seq in self.rows().overlapping(start, end)]

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""
        if (self.edges is None) == (self.intervals is None):
            raise AssertionError(f"{self.record!r} has not its rows in one place")
        rows = self.rows()
        rows.check()
        if type(rows) is not ChunkedIntervals and len(rows) > self.sizes.split:
            raise AssertionError(f"{len(rows)} bookings in one piece")
        if (self.edges is not None) != _are_readable(rows):
            raise AssertionError(f"the edges of {self.record!r} are not where the fast path reads them")


def _are_readable(rows: Any) -> bool:
    """Tell whether one bisect over the edges of these intervals decides whether a half-open span is free."""
    if type(rows) is not DisjointIntervals:
        return False
    edges = rows.edges
    return not (len(edges) == 2 and edges[0] is LOWEST and edges[1] is HIGHEST)
