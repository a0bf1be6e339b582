"""Upper bounds of the gaps in chunks of disjoint spans, so that a search for a gap of some length skips most chunks.

    chunks     0        1        2         3     ...   16 ...      the gaps of a chunk: within it, and behind it
    gaps       2 1 3    1 1 2    9 1 1     2           1 3
    bounds     3        2        9         2           3           no gap of the chunk is longer: exact, or too much
    caps 0     9                                       3           the greatest of each ``fan`` bounds
    caps 1     9                                                   the greatest of each ``fan`` caps of level 0

A span that is added only makes gaps shorter, so the bounds stay true, if perhaps too high. Removing a span may make a gap
longer; the bound of its chunk is then unknown (None) until a search looks at it. A search that finds a chunk's gaps
shorter than the bound says stores what it found. So a change costs O(1), and a search O(log m); it costs one look at a
chunk more for each chunk that changed since the last search, and one look at each bound behind a chunk that was cut in two
or removed since.

Gaps are measured by subtraction, and only for whole numbers, dates and datetimes: for these ``start - end >= length`` is
always exactly the same as ``end + length <= start``. With keys of other types no chunk is skipped.

Invariants, which `GapSummary.check` proves: ``bounds[i]`` is None, or no gap of chunk i is longer. It is None for the
first and the last chunk, as a span may be added before all others, or after them, where there was no gap. A cap is None,
or the greatest of the bounds that it covers, none of which is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from operator import sub
from typing import Any, Protocol

LENGTHS: dict[Any, tuple[type, Any]] = {
    # the type of keys: the type of lengths between them, and the length from one key to the next
    int: (int, 1),
    date: (timedelta, timedelta(days=1)),
    datetime: (timedelta, timedelta(microseconds=1)),
}


class Chunk(Protocol):
    """A chunk of disjoint spans, as their edges in order: start, end, start, end and so on."""

    edges: tuple[Any, ...]


class GapSummary:
    """Upper bounds of the gaps in each chunk of a list of chunks, and of groups of chunks.

    The owner of *chunks* has to call `chunk_split`, `gap_widened` or `chunk_removed` after such a change; each is
    O(1) amortised. *fan* is the number of bounds, or of caps, under one cap.
    """

    __slots__ = ("bounds", "caps", "chunks", "closed", "fan")

    FAN = 16

    def __init__(self, chunks: Sequence[Chunk], closed: bool, fan: int = FAN) -> None:
        self.chunks, self.closed, self.fan = chunks, closed, fan
        self.bounds: list[Any] = [self._measure(at) for at in range(len(chunks))]
        self.caps: list[list[Any]] = []
        self._forget_caps_from(0)

    # -- notifications of the owner ----------------------------------------------------------------

    def chunk_split(self, at: int) -> None:
        """Measure both halves of a chunk that was cut in two. O(chunk + number of chunks)."""
        self.bounds.insert(at + 1, None)
        self._forget_caps_from(at)
        for half in (at, at + 1):
            self.bounds[half] = self._measure(half)

    def gap_widened(self, at: int) -> None:
        """Forget the bounds of a chunk from which a span was removed, and of the chunk before it. O(log m)."""
        self._set_bound(at, None)
        if at:
            self._set_bound(at - 1, None)

    def chunk_removed(self, at: int) -> None:
        """Forget a chunk that was removed, and the bound of the chunk before it. O(number of chunks)."""
        del self.bounds[at]
        self._forget_caps_from(at)
        for changed in (0, at - 1, len(self.bounds) - 1):
            if changed >= 0:
                self._set_bound(changed, None)

    def _set_bound(self, at: int, bound: Any) -> None:
        """Store a bound and forget the caps above it, which are computed anew when a search needs them."""
        self.bounds[at] = bound
        for caps in self.caps:
            at //= self.fan
            if at < len(caps):
                caps[at] = None

    def _forget_caps_from(self, at: int) -> None:
        """Forget the caps over the chunks from a number on, as these chunks have moved."""
        for caps in self.caps:
            at //= self.fan
            del caps[at:]
        while self._width(len(self.caps)) > self.fan:
            self.caps.append([])

    def _width(self, level: int) -> int:
        """Return how many bounds (level 0) or caps there are on a level."""
        return int(-(-len(self.bounds) // self.fan**level))

    # -- searching ---------------------------------------------------------------------------------

    def first(self, at: int, length: Any) -> int:
        """Return the first chunk, from a number on, that may have a gap of a length; the last chunk always may.

        Complexity: O(log m), O(chunk) for each chunk that changed since the last search and is measured in vain, and O(1)
        for each chunk behind one that was cut or removed since.
        """
        fan, last = self.fan, len(self.chunks) - 1
        if at >= last or not self._is_measurable(length):
            return min(at, last)
        level = 0
        # Go up a level where a whole group begins, and down where a group may have the gap. A number past the end of its
        # level means a chunk past the last.
        while at * fan**level <= last:
            bound = self._bound(level, at)
            if bound is None or not bound < length:
                if level:
                    level -= 1
                    at *= fan
                    continue
                if at == last:
                    return last
                exact = self._measure(at)
                if exact is None or not exact < length:
                    return at
                self._set_bound(at, exact)
            at += 1
            while level < len(self.caps) and not at % fan:
                level += 1
                at //= fan
        return last

    def _is_measurable(self, length: Any) -> bool:
        """Tell whether a length is of the type in which gaps between these keys are measured."""
        key_type = type(self.chunks[-1].edges[0]) if self.chunks[-1].edges else None
        if key_type not in LENGTHS or type(length) is not LENGTHS[key_type][0]:
            return False
        return key_type is not date or not length % LENGTHS[date][1]  # adding hours to a date loses them

    def _bound(self, level: int, at: int) -> Any:
        """Return the bound of a chunk (level 0), or the cap of a group of chunks, or None. O(fan x levels)."""
        if not level:
            return self.bounds[at]
        caps = self.caps[level - 1]
        if at < len(caps) and caps[at] is not None:
            return caps[at]
        below = self.bounds if level == 1 else self.caps[level - 2]
        low = at * self.fan
        for lower in range(low, min(low + self.fan, self._width(level - 1))):
            if self._bound(level - 1, lower) is None:
                return None
        caps += [None] * (at + 1 - len(caps))
        caps[at] = max(below[low : low + self.fan])
        return caps[at]

    def _measure(self, at: int) -> Any:
        """Return the greatest length that fits into a gap of a chunk, or None if it has no bound. O(chunk), in C."""
        if not at or at + 1 == len(self.chunks):
            return None
        edges = (*self.chunks[at].edges, self.chunks[at + 1].edges[0])
        types = set(map(type, edges))
        key_type = types.pop()
        if types or key_type not in LENGTHS:
            return None
        longest = max(map(sub, edges[2::2], edges[1::2]))
        # closed: from the key after one span to the key before the next
        return longest - 2 * LENGTHS[key_type][1] if self.closed else longest

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""
        count, fan = len(self.chunks), self.fan
        if len(self.bounds) != count or self.bounds[0] is not None or self.bounds[-1] is not None:
            raise AssertionError("there are not as many bounds as chunks, or the first or last chunk has one")
        for at, bound in enumerate(self.bounds):
            exact = self._measure(at)
            # keys of another type may have come into a chunk since it was measured, and made its gaps shorter
            if bound is not None and exact is not None and bound < exact:
                raise AssertionError(f"a gap of chunk {at} is longer than its bound")
        below = self.bounds
        for level, caps in enumerate(self.caps, 1):
            if len(caps) > self._width(level):
                raise AssertionError("there are more caps than groups")
            for at, cap in enumerate(caps):
                group = below[at * fan : (at + 1) * fan]
                if cap is not None and (None in group or cap != max(group)):
                    raise AssertionError(f"cap {at} of level {level - 1} is not the greatest of what it covers")
            below = caps
