"""Disjoint intervals in order, each with a number: one bisect decides whether another one fits.

    spans     1--3  4---7      9---12
    edges     1  3  4   7      9   12        start, end, start, end, ...
    place     0  1  2   3      4   5
    values      5     8          6           the number of each interval

The intervals are disjoint, so their edges are one sorted sequence, starts at even places and ends at odd ones. Where the
end of a span falls among the edges decides whether the span is free:

    [5, 6)    edges before 6: 1 3 4      an odd number: 6 lies inside an interval            taken
    [6, 9)    edges before 9: 1 3 4 7    an even number, but 6 < 7: the last one reaches in   taken
    [7, 9)    edges before 9: 1 3 4 7    an even number, and 7 is not before 7                free

With closed bounds the start decides, by the same bisect: the span is taken where an odd number of edges come before the
start, or where the next edge does not come after the end. Either way ``bisect_left`` asks ``edge < key``, so that an edge
that means "unbounded" (`LOWEST`, `HIGHEST`) is always the left operand and no key's own ``<`` is asked about it.

Invariant: ``len(edges) == 2 * len(values)``; half-open, each start < its end <= the next start; closed, each
start <= its end < the next start.

The edges are a tuple that each change replaces. A question about a random one of 100,000 resources mostly waits for
memory, and a tuple holds its items in itself, where the items of a list lie elsewhere. A tuple may also be read without a
lock. Copying it costs a change 0.15 us at ten intervals and less than 1 us at `SPLIT`; beyond that there is
`ChunkedIntervals`, a list of such pieces.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, TypeAlias

from bookcore.index.gap_summary import GapSummary
from bookcore.model.keys import HIGHEST, LOWEST

SPLIT = 128
"""How many intervals one piece holds before it is cut in two. A change then copies 1 KB on average; smaller pieces cost
memory and a longer list of pieces."""

Interval: TypeAlias = tuple[Any, Any, int]
"""Start and end (None: unbounded), and the number."""


class DisjointIntervals:
    """Disjoint half-open intervals in order: the sorted ``edges``, and ``values`` in the same order.

    A change replaces both. So a tuple and an array that are given to the class are used as they are, without a copy.
    """

    __slots__ = ("edges", "values")
    closed = False

    def __init__(self, edges: Iterable[Any] = (), values: Iterable[int] = ()) -> None:
        self.edges: tuple[Any, ...] = tuple(edges)
        self.values: array[int] = values if isinstance(values, array) else array("q", values)

    def __len__(self) -> int:
        return len(self.values)

    def gap(self, start: Any, end: Any) -> int | None:
        """Return the place at which the span fits between the intervals, or None. O(log m): one bisect, one comparison."""
        edges = self.edges
        at = bisect_left(edges, end) if end is not None else len(edges)
        if at:
            if at & 1 or start is None:
                return None
            last = edges[at - 1]
            if last is HIGHEST or start < last:
                return None
        return at

    def put(self, at: int, start: Any, end: Any, value: int) -> None:
        """Insert an interval at the place that `gap` returned. No key is compared. O(m)."""
        edges, values = self.edges, self.values[:]
        values.insert(at >> 1, value)
        span = (LOWEST if start is None else start, HIGHEST if end is None else end)
        self.edges, self.values = edges[:at] + span + edges[at:], values

    def find(self, value: int) -> int:
        """Return the place of the start of an interval, by its number. No key is compared. O(m). Raises: ValueError."""
        return 2 * self.values.index(value)

    def span(self, at: int) -> tuple[Any, Any]:
        """Return the edges of the interval at a place. O(1)."""
        return self.edges[at], self.edges[at + 1]

    def around(self, at: int) -> tuple[Any, Any]:
        """Return the starts of the neighbours of the interval at a place, None where there is none. O(1)."""
        edges = self.edges
        before = edges[at - 2] if at else None
        return None if before is LOWEST else before, edges[at + 2] if at + 2 < len(edges) else None

    def take(self, at: int) -> None:
        """Remove the interval at a place. No key is compared. O(m)."""
        edges, values = self.edges, self.values[:]
        del values[at >> 1]
        self.edges, self.values = edges[:at] + edges[at + 2 :], values

    def rows(self, keeps: Callable[[int], bool]) -> list[Interval]:
        """Return the intervals whose number is to be kept, also after a change was cut off. O(m).

        There is one value more than there are intervals where `ExclusiveIndex.insert_if_free` was cut off between its two
        steps: the number that it inserted, which is not to be kept.
        """
        edges, values = self.edges, list(self.values)
        if 2 * len(values) > len(edges):
            values = [value for value in values if keeps(value)]
        intervals = zip(edges[::2], edges[1::2], values, strict=True)
        return [interval for interval in intervals if keeps(interval[2])]

    def range(self, start: Any, end: Any) -> tuple[int, int]:
        """Return which intervals overlap the span, as a range of positions. O(log m)."""
        edges = self.edges
        high = len(self.values) if end is None else bisect_left(edges, end) + 1 >> 1
        return (0 if start is None else _at_or_before(edges, start) >> 1), high

    def overlapping(self, start: Any, end: Any) -> list[Interval]:
        """Return the intervals that overlap the span, in order, as a new list. O(log m + answers)."""
        low, high = self.range(start, end)
        edges = self.edges
        intervals = zip(edges[2 * low : 2 * high : 2], edges[2 * low + 1 : 2 * high : 2], self.values[low:high], strict=True)
        return [(None if a is LOWEST else a, None if b is HIGHEST else b, value) for a, b, value in intervals]

    def spans(self, start: Any, end: Any, length: Any = None) -> Iterator[tuple[Any, Any]]:
        """Yield the spans of the intervals that overlap the span, in order. *length*: see `ChunkedIntervals.spans`."""
        return ((low, high) for low, high, _ in self.overlapping(start, end))

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds. O(m)."""
        edges = self.edges
        if type(edges) is not tuple or len(edges) != 2 * len(self.values):
            raise AssertionError("edges and values differ in number")
        if any(edge is LOWEST for edge in edges[1:]) or any(edge is HIGHEST for edge in edges[:-1]):
            raise AssertionError("an unbounded edge in the middle")
        for at, (one, two) in enumerate(pairwise(edges)):
            # half-open: a start is before its end; closed: an end is before the next start
            strict = (at % 2 == 0) != self.closed
            if one is LOWEST or two is HIGHEST:
                continue
            if (not one < two) if strict else two < one:
                raise AssertionError(f"edges {at} and {at + 1} are out of order")


class ClosedDisjointIntervals(DisjointIntervals):
    """Disjoint intervals in order, where the end belongs to the interval."""

    __slots__ = ()
    closed = True

    def gap(self, start: Any, end: Any) -> int | None:
        """Return the place at which the span fits between the intervals, or None. O(log m)."""
        edges = self.edges
        at = bisect_left(edges, start) if start is not None else 0
        if at & 1:
            return None
        if at < len(edges):
            following = edges[at]
            if following is LOWEST or end is None or not end < following:
                return None
        return at

    def range(self, start: Any, end: Any) -> tuple[int, int]:
        """Return which intervals overlap the span, as a range of positions. O(log m)."""
        edges = self.edges
        high = len(self.values) if end is None else _at_or_before(edges, end) + 1 >> 1
        return (0 if start is None else bisect_left(edges, start) >> 1), high


def _at_or_before(edges: Sequence[Any], key: Any) -> int:
    """Return how many edges are at or before *key*. ``bisect_right`` asks ``key < edge``: unbounded edges are left out."""
    if not edges:
        return 0
    low = 1 if edges[0] is LOWEST else 0
    high = len(edges) - 1 if edges[-1] is HIGHEST else len(edges)
    return bisect_right(edges, key, low, high)


def make_intervals(closed: bool, edges: Iterable[Any] = (), values: Iterable[int] = ()) -> DisjointIntervals:
    """Return intervals for the bounds given, whose edges are known to be in order."""
    return (ClosedDisjointIntervals if closed else DisjointIntervals)(edges, values)


class ChunkedIntervals:
    """Disjoint intervals cut into chunks: the same answers, and changes in O(log m + split) at any length.

    ``heads[i]`` is the first start of ``chunks[i]``; no chunk is empty unless it is the only one. The chunk that holds the
    last interval to begin before a span is over is the only one that needs to be asked, so that most methods are one bisect
    and a call. ``gaps`` knows which lengths fit between the intervals of a chunk. ``start_of`` holds the start of each
    interval by its number. ``fitting`` is the span that was found to fit last: start, end, the edges of the chunk as they
    were then, and the place. Edges are replaced and never changed, so the place is right while the chunk has these.
    """

    __slots__ = ("chunks", "closed", "fitting", "gaps", "heads", "split", "start_of")

    def __init__(
        self, closed: bool, edges: Sequence[Any], values: Sequence[int], split: int = SPLIT, fan: int = GapSummary.FAN
    ) -> None:
        self.closed, self.split = closed, split
        self.fitting: tuple[Any, Any, Sequence[Any], tuple[int, int]] | None = None
        step = split * 3 // 4 or 1  # room to grow
        self.chunks = [
            make_intervals(closed, edges[2 * low : 2 * (low + step)], values[low : low + step])
            for low in range(0, max(len(values), 1), step)
        ]
        self.heads: list[Any] = [chunk.edges[0] for chunk in self.chunks if chunk.values]
        self.start_of: dict[int, Any] = dict(zip(values, edges[::2], strict=True))
        self.gaps = GapSummary(self.chunks, closed, fan)

    def __len__(self) -> int:
        return len(self.start_of)

    @property
    def edges(self) -> list[Any]:
        """All edges in order, as a new list. O(m)."""
        return list(chain.from_iterable(chunk.edges for chunk in self.chunks))

    @property
    def values(self) -> list[int]:
        """All numbers in order, as a new list. O(m)."""
        return list(chain.from_iterable(chunk.values for chunk in self.chunks))

    def rows(self, keeps: Callable[[int], bool]) -> list[Interval]:
        """Return the intervals whose number is to be kept, also after a change was cut off. O(m)."""
        return [interval for chunk in self.chunks for interval in chunk.rows(keeps)]

    def _begun(self, end: Any) -> int:
        """Return how many chunks begin before a span that ends at *end* is over. O(log m)."""
        if end is None:
            return len(self.heads)
        return _at_or_before(self.heads, end) if self.closed else bisect_left(self.heads, end)

    def gap(self, start: Any, end: Any) -> tuple[int, int] | None:
        """Return the place at which the span fits: a chunk and the place in it; None: it does not.

        Complexity: O(log m); O(1) and no comparison for the span that was found to fit last, if its chunk has not changed:
        a span that is booked was asked for before.
        """
        chunks, fitting = self.chunks, self.fitting
        if fitting is not None:
            low, high, edges, place = fitting
            if low is start and high is end and place[0] < len(chunks) and chunks[place[0]].edges is edges:
                return place
        at = max(self._begun(end) - 1, 0)
        edges = chunks[at].edges
        within = chunks[at].gap(start, end)
        if within is None:
            return None
        self.fitting = start, end, edges, (at, within)
        return at, within

    def put(self, place: tuple[int, int], start: Any, end: Any, value: int) -> None:
        """Insert an interval at the place that `gap` returned. No key is compared. O(split)."""
        self.fitting = None  # it would keep keys that are not needed any more
        at, within = place
        chunk = self.chunks[at]
        chunk.put(within, start, end, value)
        self.start_of[value] = LOWEST if start is None else start
        self.heads[at : at + 1] = chunk.edges[:1]
        if len(chunk.values) > self.split:
            middle = len(chunk.values) // 2
            left = make_intervals(self.closed, chunk.edges[: 2 * middle], chunk.values[:middle])
            right = make_intervals(self.closed, chunk.edges[2 * middle :], chunk.values[middle:])
            self.chunks[at : at + 1] = [left, right]
            self.heads.insert(at + 1, right.edges[0])
            self.gaps.chunk_split(at)

    def find(self, value: int) -> tuple[int, int]:
        """Return the place of an interval, by its number: its chunk, and the place there. O(log m + split)."""
        start = self.start_of[value]
        at = max(_at_or_before(self.heads, start) - 1, 0) if start is not LOWEST else 0
        return at, self.chunks[at].find(value)

    def span(self, place: tuple[int, int]) -> tuple[Any, Any]:
        """Return the edges of the interval at a place. O(1)."""
        at, within = place
        return self.chunks[at].span(within)

    def around(self, place: tuple[int, int]) -> tuple[Any, Any]:
        """Return the starts of the neighbours of the interval at a place, None where there is none. O(1)."""
        at, within = place
        before, after = self.chunks[at].around(within)
        if not within and at:
            before = self.chunks[at - 1].edges[-2]
            before = None if before is LOWEST else before
        if after is None and at + 1 < len(self.chunks):
            after = self.heads[at + 1]
        return before, after

    def take(self, place: tuple[int, int]) -> None:
        """Remove the interval at a place. No key is compared. O(split)."""
        at, within = place
        chunk = self.chunks[at]
        del self.start_of[chunk.values[within >> 1]]
        chunk.take(within)
        if chunk.values:
            self.heads[at] = chunk.edges[0]
            self.gaps.gap_widened(at)
        elif len(self.chunks) > 1:
            del self.chunks[at], self.heads[at]
            self.gaps.chunk_removed(at)
        else:
            self.heads.clear()

    def overlapping(self, start: Any, end: Any) -> list[Interval]:
        """Return the intervals that overlap the span, in order, as a new list. O(log m + answers)."""
        # the last chunk to begin at or before `start` may hold the interval across it
        low = 0 if start is None else max(_at_or_before(self.heads, start) - 1, 0)
        intervals: list[Interval] = []
        for chunk in self.chunks[low : self._begun(end)]:
            intervals += chunk.overlapping(start, end)
        return intervals

    def spans(self, start: Any, end: Any, length: Any = None) -> Iterator[tuple[Any, Any]]:
        """Yield the spans of the intervals that overlap the span, in order.

        With *length*, several are yielded as one where that length does not fit between them, so that a search for a gap of
        it reads O(log m) for each gap long enough, see `GapSummary.first`. Lazy: to be read while nothing changes.
        """
        heads = self.heads
        at = 0 if start is None else max(_at_or_before(heads, start) - 1, 0)
        begun, last = at, len(self.chunks)
        if end is not None:
            last = max(bisect_right(heads, end, min(at + 1, len(heads))), at + 1)
        while at < last:
            if length is not None and at > begun:
                passed, at = at, min(self.gaps.first(at, length), last - 1)
                if passed < at:
                    yield _shown(self.chunks[passed].edges[0], self.chunks[at - 1].edges[-1])
            chunk = self.chunks[at]
            first, beyond = chunk.range(start, end)
            edges = chunk.edges
            for place in range(2 * first, 2 * beyond, 2):
                yield _shown(edges[place], edges[place + 1])
            at += 1

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds. O(m)."""
        heads = [chunk.edges[0] for chunk in self.chunks if chunk.values]
        if len(heads) != len(self.heads) or any(one is not two for one, two in zip(heads, self.heads, strict=True)):
            raise AssertionError("heads differ from the chunks'")
        starts = dict(zip(self.values, self.edges[::2], strict=True))
        if starts.keys() != self.start_of.keys() or any(starts[value] is not at for value, at in self.start_of.items()):
            raise AssertionError("the starts by number differ from the chunks'")
        self.gaps.check()
        for chunk in self.chunks:
            chunk.check()
            if len(chunk.values) > self.split or (not chunk.values and len(self.chunks) > 1):
                raise AssertionError(f"a chunk of {len(chunk.values)}")
        for one, other in pairwise(self.chunks):
            last, first = one.edges[-1], other.edges[0]
            if last is HIGHEST or not (last < first if self.closed else not first < last):
                raise AssertionError("chunks out of order")


def _shown(start: Any, end: Any) -> tuple[Any, Any]:
    return None if start is LOWEST else start, None if end is HIGHEST else end
