"""A profile: how much of one resource is in use at each point of the axis.

    add(9, 12, 2)            .-----------.
    add(10, 15, 3)           |  2  .-----|-----------.
                             |     |  5  |     3     |
    level     ...   0  ------'     |     |           '------   0   ...
    key      None            9     10    12          15
    step            0        1     2     3           4

A profile is kept as its steps: where each begins (its breakpoint) and its level, which holds up to the next
breakpoint. The first step begins at None, which stands for "no bound", is known by identity, and is never
compared with anything. Room is decided by the highest level in a span, its *peak*: two bookings of 3 that
both touch a span, but never each other, need 3 there and not 6.

The steps are cut into segments of some hundreds (`bookcore.index.usage_chunks`), so that no change moves a long list:

    fences              k2           k5                first key of every segment but the first
    segments  [None k1] [k2 k3 k4]   [k5 k6 k7 ...]    each with its peak, its low and its shift

One bisect in the fences and one in a segment find a step; segments that lie wholly within a span are read,
raised or skipped by those three integers.

Closed spans. ``[a, b]`` holds its end: it begins *at* ``a`` and stops *just after* ``b``. A breakpoint is then a
position, a key and a side: side 0 at the key, side 1 just after it. One key may carry both, in that order; with
"position" read for "key", all else is the same code. Half-open profiles keep no sides.

Invariants, which `UsageProfile.check` proves: positions strictly ascend; neighbouring levels differ, so a breakpoint
that changes nothing any more is gone; every segment but an only one has ``fewest`` to ``most`` steps; fences,
peaks and lows say what the segments hold. And as long as only what was added is taken back: no level is below
zero; closed spans rise at side 0 and fall at side 1.

Keys are compared by ``<`` and nothing else, in `Levels._find` and `Levels._window` (and, many at a time, in
`add_columns` and `_swept`), and all of it comes before the first change: a comparison that raises leaves the profile as
it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, compress, islice
from operator import lt, ne, neg
from typing import Any

from bookcore.index.usage_chunks import Columns
from bookcore.index.usage_levels import Levels
from bookcore.model.errors import InvalidSpanError

__all__ = ["UsageProfile"]


class UsageProfile(Levels):
    """The level of use over the axis: a sum of spans, each with an amount.

    Half-open by default. With ``closed=True`` spans hold both their ends, zero-length ones are legal, and
    touching ones meet in their shared key. Every method that takes a span takes None for an end without
    bound, and raises `InvalidSpanError` for a span that is empty or reversed.

    Not locked, and not to be changed while one of its iterators is walked: both are the caller's business.

    >>> use = UsageProfile()
    >>> use.add(9, 12, 2)
    >>> use.add(10, 15, 3)
    >>> use.peak(9, 10), use.peak(9, 15), use.peak(12, 20)
    (2, 5, 3)
    >>> list(use.steps(8, 13))
    [(8, 9, 0), (9, 10, 2), (10, 12, 5), (12, 13, 3)]
    """

    __slots__ = ()

    @property
    def breakpoints(self) -> int:
        """Count the places where the level changes. Complexity: O(segments)."""
        return sum([len(segment.keys) for segment in self.segments]) - 1

    # ---- with another

    def less(self, other: UsageProfile, start: Any, end: Any) -> UsageProfile:
        """Return a new profile that is this one less another throughout the span, and means nothing elsewhere.

        Complexity: O(log m + steps of both within the span).

        >>> use, part = UsageProfile(), UsageProfile()
        >>> use.add(1, 9, 2), part.add(3, 5, 1)
        (None, None)
        >>> list(use.less(part, 2, 6).steps(2, 6))
        [(2, 3, 2), (3, 5, 1), (5, 6, 2)]
        """
        fresh = UsageProfile(self.closed)
        level, columns = self._difference(other, start, end)
        fresh._sweep(level, *columns)
        return fresh

    def peak_less(self, other: UsageProfile, start: Any, end: Any) -> int:
        """Return the highest level in the span of this one less another. Complexity: as `less`.

        >>> use, part = UsageProfile(), UsageProfile()
        >>> use.add(1, 9, 2), part.add(1, 5, 1)
        (None, None)
        >>> use.peak_less(part, 1, 5), use.peak_less(part, 1, 9)
        (1, 2)
        """
        level, columns = self._difference(other, start, end)
        return max(self._swept(level, columns)[1])

    def _difference(self, other: UsageProfile, start: Any, end: Any) -> tuple[int, tuple[Columns, ...]]:
        """Return the level at the start of a span of this one less another, and what changes it within."""
        s, i, _, t, j, _ = self._window(start, end)
        level, mine = self.level(s, i), self.changes(s, i, t, j)
        s, i, _, t, j, _ = other._window(start, end)
        keys, taken, sides = other.changes(s, i, t, j)
        theirs = keys, list(map(neg, taken)), sides
        # in this order, as `_swept` asks: at each key, side 0 before side 1
        return level - other.level(s, i), (_on(0, theirs), mine, _on(1, theirs))

    # ---- changes

    def add(self, start: Any, end: Any, amount: int) -> None:
        """Raise the level by *amount* throughout the span; a negative amount takes back what was added.

        An amount of zero does nothing. Taking back what was never added is not noticed (`check` finds it).

        Complexity: O(log m + segment + segments within the span).

        >>> use = UsageProfile()
        >>> use.add(1, 3, 2)
        >>> use.add(1, 3, -2)
        >>> use.breakpoints
        0
        """
        s, i, at_start, t, j, at_end = self._window(start, end)
        if not amount:
            return
        # from here on no key is compared
        first, last = self.segments[s], self.segments[t]
        if end is not None and not at_end:
            last.insert(j, end, 1)
        if start is not None and not at_start:
            i += 1
            first.insert(i, start, 0)
            if s == t:
                j += 1
        self.lift(s, i, t, j, amount)
        # a breakpoint that was there before may change nothing any more; the later first, so that places hold
        if at_end:
            self.join(t, j)
        if at_start:
            self.join(s, i)
        most, fewest = self.most, self.fewest
        if s != t and not fewest <= len(last.keys) <= most:
            self.settle(t)
        if not fewest <= len(first.keys) <= most:
            self.settle(s)

    def add_all(self, spans: Iterable[tuple[Any, Any, int]]) -> None:
        """Add many ``(start, end, amount)`` at once: all of them or, if one is refused, none.

        Builds the profile anew with one sort and one sweep, which pays when the spans are many beside what
        is held. For a few, `add` each.

        Complexity: O((m + n) log(m + n)); two to five times faster than as many calls of `add`.

        >>> use = UsageProfile()
        >>> use.add_all([(1, 5, 2), (3, None, 1)])
        >>> list(use.steps(None, None))
        [(None, 1, 0), (1, 3, 2), (3, 5, 3), (5, None, 1)]
        """
        rows = list(spans)
        if rows:
            self.add_columns(*map(list, zip(*rows, strict=True)))

    def add_columns(self, starts: list[Any], ends: list[Any], amounts: list[int]) -> None:
        """Do what `add_all` does, for the starts, the ends and the amounts of the spans."""
        closed, level, falls = self.closed, self.level(0, 0), list(map(neg, amounts))
        bounded = type(None) not in {*map(type, starts), *map(type, ends)}
        if not bounded or (any(map(lt, ends, starts)) if closed else not all(map(lt, starts, ends))):
            for start, end in zip(starts, ends, strict=True):
                if start is not None and end is not None and (end < start if closed else not start < end):
                    raise InvalidSpanError(start, end)
            level += sum(amount for start, amount in zip(starts, amounts, strict=True) if start is None)
            amounts = [amount for start, amount in zip(starts, amounts, strict=True) if start is not None]
            falls = [amount for end, amount in zip(ends, falls, strict=True) if end is not None]
            starts, ends = [start for start in starts if start is not None], [end for end in ends if end is not None]
        over = bytearray((1,) if closed else (0,)) * len(ends)
        self._sweep(level, (starts, amounts, bytearray(len(starts))), self.changes(), (ends, falls, over))

    def _sweep(self, level: int, *columns: Columns) -> None:
        """Hold instead what begins at a level and changes so; see `_swept`."""
        keys, levels, sides = self._swept(level, columns)
        # what changes nothing is no breakpoint
        new = [True, *map(ne, islice(levels, 1, None), levels)]
        self.rebuild(
            list(compress(keys, new)),
            list(compress(levels, new)),
            None if sides is None else bytearray(compress(sides, new)),
        )

    def _swept(
        self, level: int, columns: Sequence[Columns]
    ) -> tuple[list[Any], list[int], bytearray | None]:
        """Return the steps of what begins at a level and changes so, as their keys, levels and sides.

        In any order of keys, but at each key side 0 before side 1, which a stable sort by key alone leaves as it is. All of
        it runs in C.
        """
        keys = list(chain.from_iterable(column[0] for column in columns))
        changes = list(chain.from_iterable(column[1] for column in columns))
        order = sorted(range(len(keys)), key=keys.__getitem__)
        keys = list(map(keys.__getitem__, order))
        levels = list(accumulate(map(changes.__getitem__, order), initial=level))
        # of several changes at one position the last leaves the level that holds
        last: list[Any] = [True, *map(lt, keys, islice(keys, 1, None)), True]
        sides = None
        if self.closed:
            sides = bytearray(chain.from_iterable(column[2] for column in columns))
            sides = bytearray((0, *map(sides.__getitem__, order)))
            last = [after or one != two for after, one, two in zip(last, sides, (*sides[1:], 0), strict=False)]
            last[0] = last[-1] = True
            sides = bytearray(compress(sides, last))
        return list(compress(chain((None,), keys), last)), list(compress(levels, last)), sides

    def check(self) -> None:
        """Prove the invariants named at the head of this file; AssertionError names the first that fails.

        Complexity: O(m).
        """
        segments, fences = self.segments, self.fences
        heads = [segment.keys[0] for segment in segments]
        _prove(heads[0] is None, "the first step begins at no bound")
        _prove(list(map(id, fences)) == list(map(id, heads[1:])), "fences are the later segments' first keys")
        for segment in segments:
            size = len(segment.keys)
            _prove(len(segment.levels) == size, "a level for each key")
            _prove(size <= self.most, "no segment is too long")
            _prove(size >= self.fewest or len(segments) == 1, "no segment among several is too short")
            _prove(segment.peak == max(segment.levels) + segment.shift, "peaks are the highest levels")
            _prove(segment.low == min(segment.levels) + segment.shift, "lows are the lowest levels")
            _prove(segment.low >= 0, "no level is below zero")
            if self.closed:
                _prove(segment.sides is not None and len(segment.sides) == size, "a side for each key")
            else:
                _prove(segment.sides is None, "half-open spans have no sides")
        at, at_side = None, 0
        for key, change, side in zip(*self.changes(), strict=True):
            _prove(key is not None, "only the first step begins at no bound")
            if at is not None:
                _prove(at < key or (not key < at and at_side < side), "positions strictly ascend")
            _prove(change != 0, "neighbouring levels differ")
            if self.closed:
                _prove(side == (change < 0), "closed spans rise at their keys and fall just after them")
            at, at_side = key, side

def _on(side: int, columns: Columns) -> Columns:
    """Return those of some changes that are on a side of their keys."""
    keys, changes, sides = columns
    if sides.count(side) == len(sides):
        return columns
    chosen = bytes(map(side.__eq__, sides))
    return list(compress(keys, chosen)), list(compress(changes, chosen)), bytearray((side,)) * sum(chosen)


def _prove(holds: bool, law: str) -> None:
    # no assert statement: check() must mean the same under python -O
    if not holds:
        raise AssertionError(f"broken profile: {law}")
