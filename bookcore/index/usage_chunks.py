"""The steps of a profile, kept in segments: a few hundred neighbouring steps each, in parallel lists.

    keys     9:00   9:30   10:15   11:00         where each step begins
    levels     2      5       3       0          how much is used on it, less the shift
    shift      4                                 owed to every level: the true ones are 6, 9, 7, 4
    peak, low  9, 4                              the highest and the lowest true level

Invariant: ``keys``, ``levels`` (and ``sides``, where there are any) are equally long and never empty; ``peak``
and ``low`` are ``max(levels) + shift`` and ``min(levels) + shift``.

A step's place is a pair: the number ``s`` of its segment and its index ``i`` there. What lives here is arithmetic
on places: nothing in this file compares keys. Finding a place is `bookcore.index.usage_profile`'s work, and is over before
the first change below, so a comparison that raises cannot leave anything half changed. A change that covers a
segment whole moves three integers; one that covers a part is a slice and a comprehension, at the speed of C.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, repeat
from operator import add, sub
from typing import Any, TypeAlias

__all__ = ["Columns", "Segment", "StepList"]

Columns: TypeAlias = tuple[list[Any], list[int], bytearray]
"""Changes of level: their keys, by how much, and on which side of the key."""


class Segment:
    """A stretch of neighbouring steps with its highest and lowest level at hand."""

    __slots__ = ("keys", "levels", "low", "peak", "shift", "sides")

    def __init__(self, keys: list[Any], levels: list[int], sides: bytearray | None) -> None:
        self.keys, self.levels, self.sides = keys, levels, sides
        self.shift = 0
        self.measure()

    def measure(self) -> None:
        """Take peak and low afresh from the levels. Complexity: O(length)."""
        self.peak = max(self.levels) + self.shift
        self.low = min(self.levels) + self.shift

    def insert(self, index: int, key: Any, side: int) -> None:
        """Cut the step before *index* in two at *key*; both parts keep its level, so peak and low stay.

        Complexity: O(length), a move of memory.
        """
        self.keys.insert(index, key)
        self.levels.insert(index, self.levels[index - 1])
        if self.sides is not None:
            self.sides.insert(index, side)

    def delete(self, index: int) -> None:
        """Join the step at *index* to the one before it, whose true level is the same.

        Complexity: O(length), a move of memory; joining the first step to a step of the segment before
        may take the peak or the low away with it, so then they are measured.
        """
        del self.keys[index], self.levels[index]
        if self.sides is not None:
            del self.sides[index]
        if not index:
            self.measure()

    def lift(self, amount: int) -> None:
        """Raise every level by *amount*. Complexity: O(1)."""
        self.shift += amount
        self.peak += amount
        self.low += amount

    def lift_part(self, start: int, stop: int, amount: int) -> None:
        """Raise the levels of the steps ``start .. stop - 1``; there is at least one. Complexity: O(length).

        Raising can only push the peak up, which the part alone shows; the low rises only if the part held
        it, and only then is the whole segment read. Lowering is the mirror image. Where the part is most of the
        segment, all is raised, which is one integer, and the rest lowered.
        """
        levels = self.levels
        if 2 * (stop - start) > len(levels):
            self.lift(amount)
            if start:
                self.lift_part(0, start, -amount)
            if stop < len(levels):
                self.lift_part(stop, len(levels), -amount)
            return
        shift = self.shift
        old = levels[start:stop]
        levels[start:stop] = [level + amount for level in old]
        if amount > 0:
            if (top := max(old) + amount + shift) > self.peak:
                self.peak = top
            if min(old) + shift == self.low:
                self.low = min(levels) + shift
        else:
            if (bottom := min(old) + amount + shift) < self.low:
                self.low = bottom
            if max(old) + shift == self.peak:
                self.peak = max(levels) + shift

    def split(self) -> Segment:
        """Keep the first half and return the second as a segment of its own. Complexity: O(length)."""
        middle = len(self.keys) // 2
        sides = self.sides
        right = Segment(self.keys[middle:], self.levels[middle:], None if sides is None else sides[middle:])
        right.lift(self.shift)
        del self.keys[middle:], self.levels[middle:]
        if sides is not None:
            del sides[middle:]
        self.measure()
        return right

    def absorb(self, other: Segment) -> None:
        """Append the steps of *other*, which follows this one. Complexity: O(length of *other*)."""
        owed = other.shift - self.shift
        self.keys += other.keys
        self.levels += [level + owed for level in other.levels]
        if self.sides is not None and other.sides is not None:
            self.sides += other.sides
        self.peak = max(self.peak, other.peak)
        self.low = min(self.low, other.low)


class StepList:
    """All steps of a profile, in order, in segments of ``fewest`` to ``most``; an only one may be shorter."""

    __slots__ = ("fences", "segments")

    most = 256  # measured: shorter ones are more to pass over, of longer ones the slices cost (512: a fifth more)
    fewest = 64  # from 3 (one change removes two breakpoints at most) to a third of most (see `rebuild`)

    def __init__(self, sided: bool) -> None:
        self.fences: list[Any] = []  # the first key of every segment but the first
        self.segments = [Segment([None], [0], bytearray(1) if sided else None)]

    def rebuild(self, keys: list[Any], levels: list[int], sides: bytearray | None) -> None:
        """Hold these steps instead, in segments half full. Complexity: O(m)."""
        count = 1 if len(keys) <= self.most else 2 * len(keys) // self.most + 1
        cuts = [len(keys) * n // count for n in range(count + 1)]
        self.segments = [
            Segment(keys[a:b], levels[a:b], None if sides is None else sides[a:b]) for a, b in pairwise(cuts)
        ]
        self.fences = [keys[cut] for cut in cuts[1:-1]]

    # ---- reading

    def level(self, s: int, i: int) -> int:
        """Return the true level of a step. Complexity: O(1)."""
        return self.segments[s].levels[i] + self.segments[s].shift

    def before(self, s: int, i: int) -> tuple[int, int]:
        """Return the place of the step before, which there is. Complexity: O(1)."""
        return (s, i - 1) if i else (s - 1, len(self.segments[s - 1].keys) - 1)

    def changes(self, s: int = 0, i: int = 0, t: int | None = None, j: int = 0) -> Columns:
        """Return the keys, the changes of level and the sides of the breakpoints past step ``(s, i)`` and before ``(t, j)``.

        Complexity: O(steps), in C.
        """
        t, j = (len(self.segments), 0) if t is None else (t, j)
        keys: list[Any] = []
        levels: list[int] = []
        sides = bytearray()
        for n in range(s, min(t + 1, len(self.segments))):
            segment = self.segments[n]
            part = slice(i, j if n == t else None)
            keys += segment.keys[part]
            levels += map(add, segment.levels[part], repeat(segment.shift)) if segment.shift else segment.levels[part]
            sides += segment.sides[part] if segment.sides is not None else bytes(len(keys) - len(sides))
            i = 0
        return keys[1:], list(map(sub, levels[1:], levels)), sides[1:]

    def walk(self, start: Any, end: Any, s: int, i: int, t: int, j: int) -> Iterator[tuple[Any, Any, int]]:
        """Iterate ``(start, end, level)`` from step ``(s, i)`` to before ``(t, j)``, clipped to *start* and *end*.

        Complexity: O(1) a step.
        """
        segments = self.segments
        left, level = start, self.level(s, i)
        i += 1
        for n in range(s, t + 1):
            segment = segments[n]
            shift, stop = segment.shift, j if n == t else len(segment.keys)
            for key, above in zip(segment.keys[i:stop], segment.levels[i:stop], strict=True):
                yield left, key, level
                left, level = key, above + shift
            i = 0
        yield left, end, level

    def seek(self, s: int, i: int, limit: int, over: bool, last: int) -> tuple[int, int]:
        """Return the first step from ``(s, i)`` on that is over the limit (or that is not).

        None up to the end of segment *last*: ``(last + 1, 0)``.

        Complexity: O(segment + segments passed).
        """
        segments = self.segments
        while s <= last:
            segment = segments[s]
            if segment.peak > limit if over else segment.low <= limit:
                levels, bar = segment.levels, limit - segment.shift
                for n in range(i, len(levels)):
                    if (levels[n] > bar) is over:
                        return s, n
            s, i = s + 1, 0
        return s, 0

    def seek_back(self, s: int, i: int, limit: int, over: bool) -> tuple[int, int]:
        """Return the step that follows the last step before ``(s, i)`` that is over the limit (or that is not).

        It may be named as one past the end of the segment before, from where `seek` goes on all the same. ``(0, 0)`` if
        there is none.

        Complexity: O(segment + segments passed).
        """
        segments = self.segments
        while s >= 0:
            segment = segments[s]
            if segment.peak > limit if over else segment.low <= limit:
                levels, bar = segment.levels, limit - segment.shift
                for n in range(i - 1, -1, -1):
                    if (levels[n] > bar) is over:
                        return s, n + 1
            s -= 1
            i = len(segments[s].keys)
        return 0, 0

    # ---- changing

    def lift(self, s: int, i: int, t: int, j: int, amount: int) -> None:
        """Raise the steps from ``(s, i)`` to before ``(t, j)``. Complexity: O(segment + segments between)."""
        segments = self.segments
        if s == t:
            segments[s].lift_part(i, j, amount)
            return
        segments[s].lift_part(i, len(segments[s].keys), amount)
        for segment in segments[s + 1 : t]:  # `Segment.lift` written out: a week of a full pool covers a dozen
            segment.shift += amount
            segment.peak += amount
            segment.low += amount
        if j:
            segments[t].lift_part(0, j, amount)

    def join(self, s: int, i: int) -> None:
        """Remove the breakpoint of step ``(s, i)`` if the level before it is the same. Complexity: O(segment)."""
        segment = self.segments[s]
        if i:
            if segment.levels[i - 1] == segment.levels[i]:
                segment.delete(i)
        elif self.level(*self.before(s, i)) == self.level(s, i):
            segment.delete(0)
            self.fences[s - 1] = segment.keys[0]

    def settle(self, s: int) -> None:
        """Bring a segment back to between ``fewest`` and ``most`` steps: join it to a neighbour, split it.

        Complexity: O(segment + number of segments), the latter a move of memory; once in ``fewest`` changes.
        """
        segments, fences = self.segments, self.fences
        if len(segments[s].keys) < self.fewest:
            if len(segments) == 1:
                return
            s = max(s - 1, 0)
            segments[s].absorb(segments[s + 1])
            del segments[s + 1], fences[s]
        if len(segments[s].keys) > self.most:
            right = segments[s].split()
            segments.insert(s + 1, right)
            fences.insert(s, right.keys[0])
