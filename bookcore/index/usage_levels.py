"""The questions of a profile: how high is the level, where, and from where to where.

    level     ...   0  ------.  2  |  5  |  3  .------   0   ...
    key      None            9     10    12    15
    steps          (9, 10, 2) (10, 12, 5) (12, 15, 3)
    over 2                   (10, 15)
    free of it    (None, 10)              (15, None)

`Levels` reads the steps that `bookcore.index.usage_profile` describes and keeps. `_find` and `_window` are the only code here that
compares keys, by ``<`` and nothing else; the rest goes by places.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from bookcore.index.usage_chunks import StepList
from bookcore.model.errors import InvalidSpanError

__all__ = ["Levels"]


class Levels(StepList):
    """Steps that can be asked for their levels. Base of `UsageProfile`, which also changes them."""

    __slots__ = ("closed",)

    def __init__(self, closed: bool = False) -> None:
        super().__init__(sided=closed)
        self.closed = closed

    # ---- over a span

    def peak(self, start: Any, end: Any) -> int:
        """Return the highest level at any point of the span.

        Complexity: O(log m + segment + segments within the span).

        >>> from bookcore.index.usage_profile import UsageProfile
        >>> use = UsageProfile()
        >>> use.add("b", None, 4)
        >>> use.peak(None, "b"), use.peak("a", "c")
        (0, 4)
        """
        s, i, _, t, j, _ = self._window(start, end)
        segments = self.segments
        first, last = segments[s], segments[t]
        if s == t:
            return max(first.levels[i:j]) + first.shift
        top = max(first.levels[i:]) + first.shift
        top = max([segment.peak for segment in segments[s + 1 : t]] + [top])
        if j and last.peak > top:
            top = max(top, max(last.levels[:j]) + last.shift)
        return top

    def has_room(self, start: Any, end: Any, limit: int) -> bool:
        """Tell whether the level stays at or below *limit* throughout the span.

        Complexity: as `peak`, and stops at the first segment that is over.

        >>> from bookcore.index.usage_profile import UsageProfile
        >>> use = UsageProfile()
        >>> use.add(1, 3, 2)
        >>> use.has_room(0, 9, 2), use.has_room(0, 9, 1), use.has_room(3, 9, 0)
        (True, False, True)
        """
        s, i, _, t, j, _ = self._window(start, end)
        segments = self.segments
        first, last = segments[s], segments[t]
        if first.peak > limit and max(first.levels[i : j if s == t else None]) + first.shift > limit:
            return False
        if s == t:
            return True
        for segment in segments[s + 1 : t]:
            if segment.peak > limit:
                return False
        return last.peak <= limit or not j or max(last.levels[:j]) + last.shift <= limit

    def lowest(self, start: Any, end: Any) -> int:
        """Return the lowest level at any point of the span. Complexity: as `peak`.

        >>> from bookcore.index.usage_profile import UsageProfile
        >>> use = UsageProfile()
        >>> use.add(1, 3, 2)
        >>> use.lowest(1, 3), use.lowest(1, 4)
        (2, 0)
        """
        s, i, _, t, j, _ = self._window(start, end)
        segments = self.segments
        first, last = segments[s], segments[t]
        if s == t:
            return min(first.levels[i:j]) + first.shift
        bottom = min(first.levels[i:]) + first.shift
        bottom = min([segment.low for segment in segments[s + 1 : t]] + [bottom])
        if j and last.low < bottom:
            bottom = min(bottom, min(last.levels[:j]) + last.shift)
        return bottom

    def steps(self, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]:
        """Iterate the maximal steps ``(start, end, level)`` that tile the span, level zero included.

        Clipped to the span, in order. With closed spans, a key where steps meet belongs to the highest of
        them, and where a level holds at a single key only there is a step of no length: the level at any
        key is the highest of the steps that reach it.

        Complexity: O(log m) at the call, which is also where a key that cannot be compared raises; O(1) a step.

        >>> from bookcore.index.usage_profile import UsageProfile
        >>> use = UsageProfile(closed=True)
        >>> use.add(1, 3, 1)
        >>> use.add(3, 5, 1)
        >>> list(use.steps(0, 5))
        [(0, 1, 0), (1, 3, 1), (3, 3, 2), (3, 5, 1)]
        """
        s, i, _, t, j, _ = self._window(start, end)
        return self.walk(start, end, s, i, t, j)

    def free(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any]]:
        """Iterate the maximal parts of the span on which the level is at most *limit*, lazily, in order.

        With closed spans these are what is left between closed runs: an end that is not the span's own
        belongs to the run beside it, and a run of a single key parts two free spans that both name it.

        Complexity: O(log m) at the call, O(segment + segments passed) an answer.

        >>> from bookcore.index.usage_profile import UsageProfile
        >>> use = UsageProfile()
        >>> use.add(2, 4, 2)
        >>> use.add(4, 6, 3)
        >>> list(use.free(0, 9, 1)), list(use.free(0, None, 2))
        ([(0, 2), (6, 9)], [(0, 4), (6, None)])
        """
        s, i, _, t, j, _ = self._window(start, end)
        return self._walk_free(start, end, s, i, t, j, limit)

    def over(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any]]:
        """Iterate the maximal parts of the span on which the level is over *limit*: what `free` leaves.

        Complexity: as `free`.

        >>> from bookcore.index.usage_profile import UsageProfile
        >>> use = UsageProfile()
        >>> use.add(2, 4, 2)
        >>> use.add(4, 6, 3)
        >>> list(use.over(0, 9, 1)), list(use.over(0, None, 2)), list(use.over(3, 5, 1))
        ([(2, 6)], [(4, 6)], [(3, 5)])
        """
        left, free_left, any_free = start, True, False
        for low, high in self.free(start, end, limit):
            # with closed bounds a run of just that key may stand at the span's own start, before the first free part
            if any_free or low is not start or not self._has_room_at(start, limit):
                yield left, low
            left, any_free, free_left = high, True, high is end
        if not any_free:
            yield start, end
        elif not free_left or not self._has_room_at(end, limit):
            yield left, end

    def _has_room_at(self, key: Any, limit: int) -> bool:
        return key is None or not self.closed or self.has_room(key, key, limit)

    def stretches(self, start: Any, end: Any) -> list[tuple[Any, Any, int]]:
        """List ``(start, end, level)`` that tile the span, one for each segment: no level in it is higher.

        Complexity: O(log m + segments within the span).
        """
        s, _, _, t, j, _ = self._window(start, end)
        if not j:  # the span ends where the last segment begins
            t -= 1
        cuts = [start, *self.fences[s:t], end]
        return [(a, b, segment.peak) for (a, b), segment in zip(pairwise(cuts), self.segments[s : t + 1], strict=True)]

    # ---- runs

    def runs(self, start: Any, end: Any, at_least: int) -> list[tuple[Any, Any]]:
        """List the maximal runs with a level of *at_least* or more that overlap or touch the span, in order.

        Runs are not clipped: each reaches to its true ends. An `add` over a span changes no run but those
        listed for that span, before and after. With closed spans runs are closed, and to touch is to overlap.

        Complexity: O(log m + runs * segment + segments passed).

        >>> from bookcore.index.usage_profile import UsageProfile
        >>> use = UsageProfile()
        >>> use.add(1, 5, 1)
        >>> use.add(5, 8, 2)
        >>> use.add(9, 12, 1)
        >>> use.runs(8, 9, 1), use.runs(6, 7, 1), use.runs(6, 7, 2), use.runs(2, 4, 2)
        ([(1, 8), (9, 12)], [(1, 8)], [(5, 8)], [])
        """
        s, i, at_start, t, j, at_end = self._window(start, end)
        segments, limit = self.segments, at_least - 1
        if at_start:  # the step that ends where the span starts touches it
            s, i = self.before(s, i)
        if at_end:  # and so does the one that begins where the span ends
            j += 1
        if self.level(s, i) > limit:
            s, i = self.seek_back(s, i, limit, False)
        found: list[tuple[Any, Any]] = []
        while True:
            s, i = self.seek(s, i, limit, True, t)
            if s > t or (s == t and i >= j):
                return found
            left = segments[s].keys[i]
            s, i = self.seek(s, i, limit, False, len(segments) - 1)
            if s == len(segments):
                found.append((left, None))
                return found
            found.append((left, segments[s].keys[i]))

    def end_before(self, key: Any, at_least: int) -> Any:
        """Return where the last run ends that lies before a key and does not touch it; None if there is none.

        Complexity: O(log m + segment + segments passed).

        >>> from bookcore.index.usage_profile import UsageProfile
        >>> use = UsageProfile()
        >>> use.add(1, 3, 1)
        >>> use.add(5, 8, 1)
        >>> use.end_before(4, 1), use.end_before(5, 1), use.end_before(8, 1), use.end_before(3, 1)
        (3, 3, 3, None)
        """
        s, i, there = self._find(key, False)
        if there:
            s, i = self.before(s, i)
        if self.level(s, i) >= at_least:
            s, i = self.seek_back(s, i, at_least - 1, False)
        s, i = self.seek_back(s, i, at_least - 1, True)
        if not (s or i):
            return None
        keys = self.segments[s].keys
        return keys[i] if i < len(keys) else self.fences[s]

    def start_after(self, key: Any, at_least: int) -> Any:
        """Return where the first run starts that lies after a key and does not touch it; None if there is none.

        Complexity: O(log m + segment + segments passed).

        >>> from bookcore.index.usage_profile import UsageProfile
        >>> use = UsageProfile()
        >>> use.add(1, 3, 1)
        >>> use.add(5, 8, 1)
        >>> use.start_after(1, 1), use.start_after(3, 1), use.start_after(4, 1), use.start_after(5, 1)
        (5, 5, 5, None)
        """
        last = len(self.segments) - 1
        s, i, _ = self._find(key, True)
        if self.level(s, i) >= at_least:
            s, i = self.seek(s, i, at_least - 1, False, last)
        s, i = self.seek(s, i, at_least - 1, True, last)
        return self.segments[s].keys[i] if s <= last else None

    # ---- finding places: the only code that compares keys one by one

    def _find(self, key: Any, after: bool) -> tuple[int, int, bool]:
        """Return the last step that begins at or before a position, and whether it begins exactly there.

        The position is *after* the key or, for closed spans only, at it.
        """
        s = bisect_right(self.fences, key)
        segment = self.segments[s]
        keys = segment.keys
        i = bisect_right(keys, key, 0 if s else 1) - 1  # from 1: the first step's None is not compared
        if not i and not s:
            return 0, 0, False
        there = not keys[i] < key
        if segment.sides is None or not there or segment.sides[i] == after:
            return s, i, there
        if after:
            return s, i, False
        # this one begins just after the key; the one before it may begin at the key, or earlier
        s, i = self.before(s, i)
        return s, i, bool(s or i) and not self.segments[s].keys[i] < key

    def _window(self, start: Any, end: Any) -> tuple[int, int, bool, int, int, bool]:
        """Return where a span lies among the steps: ``(s, i, at_start, t, j, at_end)``.

        It reaches from step ``(s, i)`` to before ``(t, j)``; ``j`` may be 0 when ``s < t``. ``at_start``: step
        ``(s, i)`` begins exactly at its start; ``at_end``: step ``(t, j)`` begins exactly at its end.
        """
        s = i = 0
        at_start = False
        if start is not None:
            if end is not None and (end < start if self.closed else not start < end):
                raise InvalidSpanError(start, end)
            s, i, at_start = self._find(start, False)
        if end is None:
            t = len(self.segments) - 1
            return s, i, at_start, t, len(self.segments[t].keys), False
        t, j, at_end = self._find(end, True)
        return s, i, at_start, t, j if at_end else j + 1, at_end

    def _walk_free(
        self, start: Any, end: Any, s: int, i: int, t: int, j: int, limit: int
    ) -> Iterator[tuple[Any, Any]]:
        left = start
        over = self.level(s, i) > limit
        while True:
            s, i = self.seek(s, i, limit, not over, t)
            if s > t or (s == t and i >= j):
                if not over:
                    yield left, end
                return
            key = self.segments[s].keys[i]
            if not over:
                yield left, key
            left, over = key, not over
