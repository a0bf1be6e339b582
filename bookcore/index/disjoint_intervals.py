"""The bookings of one exclusive resource: disjoint spans in order, one bisect to decide.

    spans    1--3  4---7      9---12
    edges    1  3  4   7      9   12        start, end, start, end, ...
    place    0  1  2   3      4   5

The spans are disjoint, so their edges are one sorted sequence, starts at even places and ends at odd ones. Where the
end of the span asked for falls among them decides:

    free [5, 6)    edges before 6: 1 3 4      an odd number: inside a span        taken
    free [6, 9)    edges before 9: 1 3 4 7    even, but 6 < 7: the last reaches in   taken
    free [7, 9)    edges before 9: 1 3 4 7    even, and 7 is not before 7          free

With closed bounds the start decides, by the same bisect: an odd number of edges before it, or a next edge that is not
after the end, is taken. Either way ``bisect_left`` asks ``edge < key``, so an edge that stands for "unbounded"
(`LOWEST`, `HIGHEST`) is always on the left and no key's own ``<`` ever meets it.

Invariant: ``len(edges) == 2 * len(events)``; half-open, each start < its end <= the next start; closed, each
start <= its end < the next start.

The edges are a tuple, made anew by each change. A question about a random one of 100,000 resources mostly waits for
memory, and a tuple holds its items in itself: one wait less than a list, whose items lie elsewhere (and `bisect` takes
70% longer over a subclass of list, three times as long over one of tuple). What never changes may also be read without
a lock. Copying costs a change 0.15 us at ten bookings, under 1 us at `SPLIT`; past that it is a `ChunkedIntervals`, a list
of schedules.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from bookcore.index.gap_summary import GapSummary
from bookcore.model.keys import HIGHEST, LOWEST
from bookcore.model.records import BookingEvent

__all__ = ["ChunkedIntervals", "ClosedDisjointIntervals", "DisjointIntervals", "make_intervals"]

SPLIT = 128
"""How many bookings one flat schedule holds before it is cut in two. A change copies 1 KB on average then; smaller
parts cost memory and a longer list of parts."""


class DisjointIntervals:
    """Disjoint bookings in order, half-open: the sorted ``edges``, and ``events`` in the same order."""

    __slots__ = ("edges", "events")
    closed = False

    def __init__(self) -> None:
        self.edges: tuple[Any, ...] = ()
        self.events: list[BookingEvent] = []

    def is_free(self, start: Any, end: Any) -> bool:
        """Tell whether no booking overlaps the span. O(log m): one bisect, one comparison."""
        edges = self.edges
        at = bisect_left(edges, end) if end is not None else len(edges)
        if not at:
            return True
        if at & 1 or start is None:
            return False
        last = edges[at - 1]
        return last is not HIGHEST and not start < last

    def claim(self, start: Any, end: Any, event: BookingEvent) -> bool:
        """Insert the booking and return True, or return False if the span is not free. O(log m + SPLIT).

        All comparisons come before the first change.
        """
        edges = self.edges
        at = bisect_left(edges, end) if end is not None else len(edges)
        if at:
            if at & 1 or start is None:
                return False
            last = edges[at - 1]
            if last is HIGHEST or start < last:
                return False
        self._insert(at, start, end, event)
        return True

    def _insert(self, at: int, start: Any, end: Any, event: BookingEvent) -> None:
        edges = self.edges
        span = (LOWEST if start is None else start, HIGHEST if end is None else end)
        self.edges = edges[:at] + span + edges[at:]
        self.events.insert(at >> 1, event)

    def find(self, start: Any, end: Any) -> int:
        """Return the place of the start of the booking of exactly this span. O(log m)."""
        edges = self.edges
        return len(edges) - 2 if end is None else bisect_left(edges, end) - 1

    def span(self, at: int) -> tuple[Any, Any]:
        """Return the edges of the booking at a place. O(1)."""
        return self.edges[at], self.edges[at + 1]

    def around(self, at: int) -> tuple[Any, Any]:
        """Return the starts of the neighbours of the booking at a place, None where there is none. O(1)."""
        edges = self.edges
        before = edges[at - 2] if at else None
        return None if before is LOWEST else before, edges[at + 2] if at + 2 < len(edges) else None

    def take(self, at: int) -> None:
        """Take out the booking at a place. No key is compared. O(SPLIT)."""
        edges = self.edges
        self.edges = edges[:at] + edges[at + 2 :]
        del self.events[at >> 1]

    def take_back(self, event: BookingEvent) -> None:
        """Take out a booking, known by identity, when keys can no longer be compared. O(m)."""
        self.take(2 * next(at for at, held in enumerate(self.events) if held is event))

    def overlapping(self, start: Any, end: Any) -> list[BookingEvent]:
        """Return the bookings that overlap the span, in order. O(log m + answers)."""
        low, high = self.range(start, end)
        return self.events[low:high]

    def range(self, start: Any, end: Any) -> tuple[int, int]:
        """Return which bookings overlap the span, as a range of positions. O(log m)."""
        edges = self.edges
        high = len(self.events) if end is None else bisect_left(edges, end) + 1 >> 1
        return (0 if start is None else _at_or_before(edges, start) >> 1), high

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds. O(m)."""
        edges = self.edges
        if type(edges) is not tuple or len(edges) != 2 * len(self.events):
            raise AssertionError("edges and events differ in number")
        if LOWEST in edges[1:] or HIGHEST in edges[:-1]:
            raise AssertionError("an unbounded edge in the middle")
        for at, (one, two) in enumerate(pairwise(edges)):
            # half-open: a start is before its end; closed: an end is before the next start
            strict = (at % 2 == 0) != self.closed
            if one is LOWEST or two is HIGHEST:
                continue
            if (not one < two) if strict else two < one:
                raise AssertionError(f"edge {two} stands after {one}")


class ClosedDisjointIntervals(DisjointIntervals):
    """Disjoint bookings in order, where the end belongs to the span."""

    __slots__ = ()
    closed = True

    def is_free(self, start: Any, end: Any) -> bool:
        """Tell whether no booking overlaps the span. O(log m)."""
        return self._gap(start, end) >= 0

    def claim(self, start: Any, end: Any, event: BookingEvent) -> bool:
        """Insert the booking and return True, or return False if the span is not free. O(log m + SPLIT)."""
        at = self._gap(start, end)
        if at < 0:
            return False
        self._insert(at, start, end, event)
        return True

    def _gap(self, start: Any, end: Any) -> int:
        """Return at which place the span fits, or -1."""
        edges = self.edges
        at = bisect_left(edges, start) if start is not None else 0
        if at & 1:
            return -1
        if at < len(edges):
            following = edges[at]
            if following is LOWEST or end is None or not end < following:
                return -1
        return at

    def find(self, start: Any, end: Any) -> int:
        """Return the place of the start of the booking of exactly this span. O(log m)."""
        return 0 if start is None else bisect_left(self.edges, start)

    def range(self, start: Any, end: Any) -> tuple[int, int]:
        """Return which bookings overlap the span, as a range of positions. O(log m)."""
        edges = self.edges
        high = len(self.events) if end is None else _at_or_before(edges, end) + 1 >> 1
        return (0 if start is None else bisect_left(edges, start) >> 1), high


def _at_or_before(edges: Sequence[Any], key: Any) -> int:
    """Return how many edges are at or before *key*. ``bisect_right`` asks ``key < edge``: unbounded edges stay out."""
    if not edges:
        return 0
    low = 1 if edges[0] is LOWEST else 0
    high = len(edges) - 1 if edges[-1] is HIGHEST else len(edges)
    return bisect_right(edges, key, low, high)


def make_intervals(closed: bool) -> DisjointIntervals:
    """Return an empty schedule for the bounds given."""
    return ClosedDisjointIntervals() if closed else DisjointIntervals()


class ChunkedIntervals:
    """A schedule cut into parts: the same answers, O(log m + SPLIT) changes at any length.

    ``firsts[i]`` is the first start of ``parts[i]``; no part is empty. The part that holds the last span to begin
    before a span is over is the only one that needs to be asked, so most methods are one bisect and a call. What fits
    between the bookings of a part, ``widest`` knows.
    """

    __slots__ = ("closed", "count", "firsts", "parts", "widest")

    def __init__(self, closed: bool, edges: Sequence[Any], events: list[BookingEvent]) -> None:
        self.closed = closed
        self.count = len(events)
        self.parts: list[DisjointIntervals] = []
        step = SPLIT * 3 // 4 or 1  # room to grow
        for low in range(0, max(self.count, 1), step):
            part = make_intervals(closed)
            part.edges = tuple(edges[2 * low : 2 * (low + step)])
            part.events = events[low : low + step]
            self.parts.append(part)
        self.firsts: list[Any] = [part.edges[0] for part in self.parts if part.events]
        self.widest = GapSummary(self.parts, closed)

    def _begun(self, end: Any) -> int:
        """Return how many parts begin before a span that ends at *end* is over. O(log m)."""
        if end is None:
            return len(self.firsts)
        return _at_or_before(self.firsts, end) if self.closed else bisect_left(self.firsts, end)

    def is_free(self, start: Any, end: Any) -> bool:
        """Tell whether no booking overlaps the span. O(log m)."""
        if start is not None and end is not None and not self.closed:
            # the commonest question, with the calls written out
            at = bisect_left(self.firsts, end)
            if not at:
                return True
            edges = self.parts[at - 1].edges
            at = bisect_left(edges, end)
            if at & 1:
                return False
            last = edges[at - 1]
            return last is not HIGHEST and not start < last
        at = self._begun(end)
        return at == 0 or self.parts[at - 1].is_free(start, end)

    def claim(self, start: Any, end: Any, event: BookingEvent) -> bool:
        """Insert the booking and return True, or return False if the span is not free. O(log m + SPLIT)."""
        at = max(self._begun(end) - 1, 0)
        part = self.parts[at]
        if not part.claim(start, end, event):
            return False
        self.count += 1
        self.firsts[at : at + 1] = part.edges[:1]
        if len(part.events) > SPLIT:
            half = make_intervals(self.closed)
            middle = len(part.events) // 2
            half.edges, part.edges = part.edges[2 * middle :], part.edges[: 2 * middle]
            half.events = part.events[middle:]
            del part.events[middle:]
            self.parts.insert(at + 1, half)
            self.firsts.insert(at + 1, half.edges[0])
            self.widest.parted(at)
        return True

    def find(self, start: Any, end: Any) -> tuple[int, int]:
        """Return the place of the booking of exactly this span: its part, and the place there. O(log m)."""
        at = self._begun(end) - 1
        return at, self.parts[at].find(start, end)

    def span(self, place: tuple[int, int]) -> tuple[Any, Any]:
        """Return the edges of the booking at a place. O(1)."""
        at, within = place
        edges = self.parts[at].edges
        return edges[within], edges[within + 1]

    def around(self, place: tuple[int, int]) -> tuple[Any, Any]:
        """Return the starts of the neighbours of the booking at a place, None where there is none. O(1)."""
        at, within = place
        before, after = self.parts[at].around(within)
        if not within and at:
            before = self.parts[at - 1].edges[-2]
            before = None if before is LOWEST else before
        if after is None and at + 1 < len(self.parts):
            after = self.firsts[at + 1]
        return before, after

    def take(self, place: tuple[int, int]) -> None:
        """Take out the booking at a place. No key is compared. O(SPLIT)."""
        at, within = place
        part = self.parts[at]
        part.take(within)
        self.count -= 1
        if part.events:
            self.firsts[at] = part.edges[0]
            self.widest.freed(at)
        elif len(self.parts) > 1:
            del self.parts[at], self.firsts[at]
            self.widest.emptied(at)
        else:
            self.firsts.clear()

    def take_back(self, event: BookingEvent) -> None:
        """Take out a booking, known by identity, when keys can no longer be compared. O(m)."""
        self.take(
            next(
                (at, 2 * within)
                for at, part in enumerate(self.parts)
                for within, held in enumerate(part.events)
                if held is event
            )
        )

    def overlapping(self, start: Any, end: Any) -> list[BookingEvent]:
        """Return the bookings that overlap the span, in order. O(log m + answers)."""
        # the last part to begin at or before `start` may hold the span across it
        low = 0 if start is None else max(_at_or_before(self.firsts, start) - 1, 0)
        found: list[BookingEvent] = []
        for part in self.parts[low : self._begun(end)]:
            found += part.overlapping(start, end)
        return found

    @property
    def events(self) -> list[BookingEvent]:
        """All bookings in order, as a new list. O(m)."""
        return [event for part in self.parts for event in part.events]

    @property
    def edges(self) -> list[Any]:
        """All edges in order, as a new list. O(m)."""
        return [edge for part in self.parts for edge in part.edges]

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds. O(m)."""
        if sum(len(part.events) for part in self.parts) != self.count:
            raise AssertionError("count differs from the parts'")
        firsts = [part.edges[0] for part in self.parts if part.events]
        if len(firsts) != len(self.firsts) or any(one is not two for one, two in zip(firsts, self.firsts, strict=True)):
            raise AssertionError("firsts differ from the parts'")
        self.widest.check()
        for part in self.parts:
            part.check()
            if len(part.events) > SPLIT or (not part.events and len(self.parts) > 1):
                raise AssertionError(f"a part of {len(part.events)}")
        for one, other in pairwise(self.parts):
            last, first = one.edges[-1], other.edges[0]
            if last is HIGHEST or not (last < first if self.closed else not first < last):
                raise AssertionError("parts out of order")
