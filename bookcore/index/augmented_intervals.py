"""Intervals that may overlap, each with a number: in order of start, cut into chunks that know their latest end.

    chunk 0   starts  1  2  2  3   latest end 9
    chunk 1   starts  4  6  7      latest end 8
    chunk 2   starts 11 12         latest end unbounded (None)

Which intervals overlap [a, b)? Only chunks that begin before b can hold one, and of those only the ones whose latest end
is after a need to be read (the idea of AIList and NCLS).

Invariants: intervals are in order of start, those of equal start in order of number; ``heads[i]`` is the first start of
chunk i; no chunk is empty; ``latest`` is the greatest end in the chunk; ``span_of`` holds the span of each number.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import Any, TypeAlias

from bookcore.model.keys import LOWEST

Interval: TypeAlias = tuple[Any, Any, int]
"""Start and end (None: unbounded), and the number."""


class _Chunk:
    __slots__ = ("ends", "latest", "starts", "values")

    def __init__(self, starts: list[Any], ends: list[Any], values: list[int]) -> None:
        self.starts, self.ends, self.values = starts, ends, values
        self.measure()

    def measure(self) -> None:
        """Find the latest end anew."""
        self.latest: Any = _latest(self.ends)


def _latest(ends: list[Any]) -> Any:
    """Return the latest of some ends; None, which is later than all others, if one is unbounded."""
    latest = ends[0]
    for end in ends:
        if end is None:
            return None
        if latest < end:
            latest = end
    return latest


class AugmentedIntervalList:
    """Intervals in order of start.

    Complexity: `put`, `remove` O(log m + split); `overlapping` O(log m + split x chunks with an overlap + chunks before).
    """

    SPLIT = 512
    """How many intervals a chunk holds before it is cut in two."""

    __slots__ = ("chunks", "closed", "heads", "span_of", "split")

    def __init__(self, closed: bool, split: int = SPLIT) -> None:
        self.closed, self.split = closed, split
        self.heads: list[Any] = []
        self.chunks: list[_Chunk] = []
        self.span_of: dict[int, tuple[Any, Any]] = {}

    def __len__(self) -> int:
        return len(self.span_of)

    def put(self, start: Any, end: Any, value: int) -> None:
        """Insert an interval. All comparisons come before the first change."""
        span = start, end
        start = LOWEST if start is None else start
        if not self.chunks:
            self.chunks.append(_Chunk([start], [end], [value]))
            self.heads.append(start)
            self.span_of[value] = span
            return
        at, place = self._place(start, value)
        chunk = self.chunks[at]
        if len(chunk.starts) < self.split:
            later = chunk.latest is not None and (end is None or chunk.latest < end)
        else:
            middle = len(chunk.starts) // 2
            left = _Chunk(chunk.starts[:middle], chunk.ends[:middle], chunk.values[:middle])
            right = _Chunk(chunk.starts[middle:], chunk.ends[middle:], chunk.values[middle:])
            half, within = (right, place - middle) if place > middle else (left, place)
            later = half.latest is not None and (end is None or half.latest < end)
            # nothing below compares keys
            self.chunks[at : at + 1] = [left, right]
            self.heads[at : at + 1] = [left.starts[0], right.starts[0]]
            at += half is right
            chunk, place = half, within
        chunk.starts.insert(place, start)
        chunk.ends.insert(place, end)
        chunk.values.insert(place, value)
        if later:
            chunk.latest = end
        self.heads[at] = chunk.starts[0]
        self.span_of[value] = span

    def _place(self, start: Any, value: int) -> tuple[int, int]:
        """Return the chunk and the position where an interval of this start and number belongs."""
        if start is LOWEST:
            above = sum(1 for head in self.heads if head is LOWEST)
        else:
            above = _above(self.heads, start)
        at = max(above - 1, 0)
        while at and not self.heads[at] < start and self.chunks[at].values[0] > value:
            at -= 1  # the run of equal starts began in an earlier chunk, and so did the smaller numbers
        chunk = self.chunks[at]
        high = len([s for s in chunk.starts if s is LOWEST]) if start is LOWEST else _above(chunk.starts, start)
        low = 0 if start is LOWEST else bisect_left(chunk.starts, start, 0, high)
        return at, bisect_right(chunk.values, value, low, high)

    def remove(self, value: int) -> None:
        """Remove an interval, by its number. All comparisons come before the first change. Raises: KeyError."""
        start, end = self.span_of[value]
        at, place = self._place(LOWEST if start is None else start, value)
        chunk = self.chunks[at]
        place -= 1
        latest = chunk.latest
        if len(chunk.ends) > 1 and (end is None or (latest is not None and not end < latest)):
            latest = _latest(chunk.ends[:place] + chunk.ends[place + 1 :])
        # nothing below compares keys
        del self.span_of[value], chunk.starts[place], chunk.ends[place], chunk.values[place]
        if not chunk.starts:
            del self.chunks[at], self.heads[at]
            return
        self.heads[at] = chunk.starts[0]
        chunk.latest = latest

    def overlapping(self, start: Any, end: Any) -> list[Interval]:
        """Return the intervals that overlap the span, by start, then by number."""
        values: list[int] = []
        last = len(self.chunks) if end is None else self._begun(self.heads, end)
        for chunk in self.chunks[:last]:
            latest = chunk.latest
            if start is not None and latest is not None and (latest < start if self.closed else not start < latest):
                continue
            high = len(chunk.starts) if end is None else self._begun(chunk.starts, end)
            first = chunk.starts[0]
            if start is None or (first is not LOWEST and not first < start):  # nothing here begins too early to be in it
                values += chunk.values[:high]
            elif self.closed:
                values += [v for v, to in zip(chunk.values[:high], chunk.ends, strict=False) if to is None or not to < start]
            else:
                values += [v for v, to in zip(chunk.values[:high], chunk.ends, strict=False) if to is None or start < to]
        span_of = self.span_of
        return [(*span_of[value], value) for value in values]

    def _begun(self, starts: list[Any], end: Any) -> int:
        """Return how many of *starts* come before a span that ends at *end* is over."""
        return _above(starts, end) if self.closed else bisect_left(starts, end)

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""
        rows = [row for chunk in self.chunks for row in zip(chunk.starts, chunk.ends, chunk.values, strict=True)]
        for (one, _, first), (two, _, second) in pairwise(rows):
            same = one is two or not (one < two)
            if (two is not LOWEST and one is not LOWEST and two < one) or (same and first >= second):
                raise AssertionError("intervals out of order")
        if any(one is not two for one, two in zip((c.starts[0] for c in self.chunks), self.heads, strict=True)):
            raise AssertionError("heads differ from the chunks'")
        if len(rows) != len(self.span_of):
            raise AssertionError("the spans by number are more or fewer than the intervals")
        for start, end, value in rows:
            known = self.span_of.get(value)
            if known is None or (known[0] is not start and start is not LOWEST) or known[1] is not end:
                raise AssertionError(f"the span by number {value} is not that of its interval")
        for chunk in self.chunks:
            known_latest, latest = chunk.latest, _latest(chunk.ends)
            if known_latest is not latest and (
                known_latest is None or latest is None or known_latest < latest or latest < known_latest
            ):
                raise AssertionError("the latest end is wrong")


def _above(starts: list[Any], key: Any) -> int:
    """Return how many starts are at or before *key*, never asking a key about `LOWEST`."""
    lowest = 0
    while lowest < len(starts) and starts[lowest] is LOWEST:
        lowest += 1
    return bisect_right(starts, key, lowest)
