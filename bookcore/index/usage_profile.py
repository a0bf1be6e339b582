"""A usage profile: how much of something is in use at each point of an axis, as a step function.

    add(9, 12, 2)            .-----------.
    add(10, 15, 3)           |  2  .-----|-----------.
                             |     |  5  |     3     |
    level     ...   0  ------'     |     |           '------   0   ...
    key      None            9     10    12          15
    step            0        1     2     3           4

A step begins at its breakpoint (a key) and has one level up to the next breakpoint. The first step begins at None, which
means "no bound"; None is recognised by identity and never compared. A span has room when its *peak*, the highest level in
it, is low enough: two amounts of 3 that both overlap a span but not each other need 3 there, not 6.

The steps are cut into chunks of some hundreds, so that no change moves a long list:

    heads                k2           k5               the first key of every chunk but the first
    chunks    [None k1] [k2 k3 k4]   [k5 k6 k7 ...]    each with its peak, its low and its shift

One bisect in the heads and one in a chunk find a step. Chunks that lie wholly within a span are read, raised or skipped
by three integers each (see `UsageChunk`). The *position* of a step is the number ``c`` of its chunk and its index ``i``
there; the position at which a span ends, exclusive, is called ``(d, j)``.

Closed spans. ``[a, b]`` includes its end: it begins *at* ``a`` and stops *just after* ``b``. A breakpoint is then a key
and a side: side 0 is at the key, side 1 just after it. One key may have a breakpoint on both sides, in that order.
Profiles of half-open spans store no sides.

Invariants, which `UsageProfile.check` proves:

- breakpoints strictly ascend, and neighbouring levels differ: a breakpoint that no longer changes the level is removed;
- every chunk has ``fewest`` to ``most`` steps, except that an only chunk may have fewer;
- heads, peaks and lows agree with the contents of the chunks;
- as long as only what was added is taken back: no level is below zero, and closed spans rise at side 0 and fall at side 1.

Keys are compared by ``<`` alone, in `_find`, `_window`, `add_columns` and `_sweep`. All comparisons come before the first
change, so a comparison that raises leaves the profile as it was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, compress, islice, pairwise, repeat
from operator import add, lt, ne, neg, sub
from typing import Any, TypeAlias

from bookcore.model.errors import InvalidSpanError

Columns: TypeAlias = tuple[list[Any], list[int], bytearray]
"""Changes of level, in parallel: the keys, the amounts, and the sides of the keys."""


class UsageChunk:
    """Some hundred neighbouring steps in parallel lists, with their highest and lowest level.

        keys     9:00   9:30   10:15   11:00         where each step begins
        levels     2      5       3       0          the level of each step, without the shift
        shift      4                                 to be added to every level: the true levels are 6, 9, 7, 4
        peak, low  9, 4                              the highest and the lowest true level

    Invariant: ``keys``, ``levels`` (and ``sides``, unless that is None) have the same length, which is not 0; ``peak``
    is ``max(levels) + shift`` and ``low`` is ``min(levels) + shift``. No method compares keys.
    """

    __slots__ = ("keys", "levels", "low", "peak", "shift", "sides")

    def __init__(self, keys: list[Any], levels: list[int], sides: bytearray | None) -> None:
        self.keys, self.levels, self.sides = keys, levels, sides
        self.shift = 0
        self.measure()

    def measure(self) -> None:
        """Compute peak and low from the levels. Complexity: O(length)."""
        self.peak = max(self.levels) + self.shift
        self.low = min(self.levels) + self.shift

    def insert(self, index: int, key: Any, side: int) -> None:
        """Cut the step before *index* in two at *key*. Both parts keep its level, so peak and low do not change.

        Complexity: O(length), a move of memory.
        """
        self.keys.insert(index, key)
        self.levels.insert(index, self.levels[index - 1])
        if self.sides is not None:
            self.sides.insert(index, side)

    def delete(self, index: int) -> None:
        """Join the step at *index* to the step before it, which has the same true level.

        Complexity: O(length), a move of memory. Peak and low are computed anew only when the first step of the chunk is
        joined to a step of another chunk, as this one may then have lost its peak or its low.
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
        """Raise the levels of the steps ``start .. stop - 1``, of which there is at least one. Complexity: O(length).

        Raising can only push the peak up, and the part alone shows how far. The low changes only if it was in the part,
        and only then is the whole chunk read. Lowering is the mirror image. If the part is most of the chunk, the whole
        chunk is raised, which costs O(1), and the rest of it lowered.
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

    def split(self) -> UsageChunk:
        """Keep the first half and return the second half as a new chunk. Complexity: O(length)."""
        middle = len(self.keys) // 2
        sides = self.sides
        right = UsageChunk(self.keys[middle:], self.levels[middle:], None if sides is None else sides[middle:])
        right.lift(self.shift)
        del self.keys[middle:], self.levels[middle:]
        if sides is not None:
            del sides[middle:]
        self.measure()
        return right

    def absorb(self, following: UsageChunk) -> None:
        """Append the steps of the following chunk. Complexity: O(length of that chunk)."""
        difference = following.shift - self.shift
        self.keys += following.keys
        self.levels += [level + difference for level in following.levels]
        if self.sides is not None and following.sides is not None:
            self.sides += following.sides
        self.peak = max(self.peak, following.peak)
        self.low = min(self.low, following.low)


class UsageProfile:
    """The level of use over an axis: the sum of spans that each have an amount.

    Spans are half-open. With ``closed=True`` they include both ends, zero-length spans are legal, and spans that touch
    overlap in the key that they share. Every method that takes a span accepts None for an end without bound, and raises
    `InvalidSpanError` for a span that is empty or reversed.

    *most* and *fewest* limit the length of a chunk. *fewest* is from 3, as one change removes at most two breakpoints, to a
    third of *most*.

    Not locked, and not to be changed while one of its iterators is in use: both are the caller's responsibility.

    >>> use = UsageProfile()
    >>> use.add(9, 12, 2)
    >>> use.add(10, 15, 3)
    >>> use.has_room(9, 15, 5), use.has_room(9, 15, 4), use.has_room(12, 20, 3)
    (True, False, True)
    >>> list(use.steps(8, 13))
    [(8, 9, 0), (9, 10, 2), (10, 12, 5), (12, 13, 3)]
    """

    __slots__ = ("chunks", "closed", "fewest", "heads", "most")

    MOST = 256  # measured: with shorter chunks more of them are passed over, with 512 the slices cost a fifth more
    FEWEST = 64

    def __init__(self, closed: bool = False, most: int = MOST, fewest: int = FEWEST) -> None:
        self.closed, self.most, self.fewest = closed, most, fewest
        self.chunks = [UsageChunk([None], [0], bytearray(1) if closed else None)]
        self.heads: list[Any] = []  # the first key of every chunk but the first

    # ---- questions about a span

    def has_room(self, start: Any, end: Any, limit: int) -> bool:
        """Tell whether the level is at most *limit* throughout the span.

        Complexity: O(log m + chunk + chunks within the span); stops at the first chunk that is over the limit.

        >>> use = UsageProfile()
        >>> use.add(1, 3, 2)
        >>> use.has_room(0, 9, 2), use.has_room(0, 9, 1), use.has_room(3, 9, 0)
        (True, False, True)
        """
        c, i, _, d, j, _ = self._window(start, end)
        chunks = self.chunks
        first, last = chunks[c], chunks[d]
        if first.peak > limit and max(first.levels[i : j if c == d else None]) + first.shift > limit:
            return False
        if c == d:
            return True
        for chunk in chunks[c + 1 : d]:
            if chunk.peak > limit:
                return False
        return last.peak <= limit or not j or max(last.levels[:j]) + last.shift <= limit

    def steps(self, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]:
        """Iterate the maximal steps ``(start, end, level)`` that tile the span, steps of level zero included.

        They are clipped to the span and come in order. With closed spans, a key at which steps meet belongs to the highest
        of them, and a level that holds at a single key only is a step of no length: the level at any key is the highest
        of the steps that reach it.

        Complexity: O(log m) at the call, which is also where a key that cannot be compared raises; O(1) for each step.

        >>> use = UsageProfile(closed=True)
        >>> use.add(1, 3, 1)
        >>> use.add(3, 5, 1)
        >>> list(use.steps(0, 5))
        [(0, 1, 0), (1, 3, 1), (3, 3, 2), (3, 5, 1)]
        """
        c, i, _, d, j, _ = self._window(start, end)
        return self._walk(start, end, c, i, d, j)

    def over(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any]]:
        """Iterate the maximal parts of the span on which the level is over *limit*, lazily, in order.

        With closed spans these parts are closed as well, and may be of a single key.

        Complexity: O(log m) at the call, O(chunk + chunks passed) for each answer.

        >>> use = UsageProfile()
        >>> use.add(2, 4, 2)
        >>> use.add(4, 6, 3)
        >>> list(use.over(0, 9, 1)), list(use.over(0, None, 2)), list(use.over(3, 5, 1))
        ([(2, 6)], [(4, 6)], [(3, 5)])
        """
        c, i, _, d, j, _ = self._window(start, end)
        return self._walk_over(start, end, c, i, d, j, limit)

    # ---- runs: maximal parts of the axis with a level of at least so much

    def runs(self, start: Any, end: Any, at_least: int) -> list[tuple[Any, Any]]:
        """List the maximal runs with a level of *at_least* or more that overlap or touch the span, in order.

        Runs are not clipped to the span. An `add` over a span changes only runs that are listed for that span, before and
        after. With closed spans runs are closed, and to touch is to overlap.

        Complexity: O(log m + runs * chunk + chunks passed).

        >>> use = UsageProfile()
        >>> use.add(1, 5, 1)
        >>> use.add(5, 8, 2)
        >>> use.add(9, 12, 1)
        >>> use.runs(8, 9, 1), use.runs(6, 7, 1), use.runs(6, 7, 2), use.runs(2, 4, 2)
        ([(1, 8), (9, 12)], [(1, 8)], [(5, 8)], [])
        """
        c, i, at_start, d, j, at_end = self._window(start, end)
        chunks, limit = self.chunks, at_least - 1
        if at_start:  # the step that ends where the span starts touches the span
            c, i = self._before(c, i)
        if at_end:  # and so does the step that begins where the span ends
            j += 1
        if self._level(c, i) > limit:
            c, i = self._seek_back(c, i, limit, False)
        spans: list[tuple[Any, Any]] = []
        while True:
            c, i = self._seek(c, i, limit, True, d)
            if c > d or (c == d and i >= j):
                return spans
            left = chunks[c].keys[i]
            c, i = self._seek(c, i, limit, False, len(chunks) - 1)
            if c == len(chunks):
                spans.append((left, None))
                return spans
            spans.append((left, chunks[c].keys[i]))

    def end_before(self, key: Any, at_least: int) -> Any:
        """Return the end of the last run that lies before a key and does not touch it; None if there is none.

        Complexity: O(log m + chunk + chunks passed).

        >>> use = UsageProfile()
        >>> use.add(1, 3, 1)
        >>> use.add(5, 8, 1)
        >>> use.end_before(4, 1), use.end_before(5, 1), use.end_before(8, 1), use.end_before(3, 1)
        (3, 3, 3, None)
        """
        c, i, is_exact = self._find(key, False)
        if is_exact:
            c, i = self._before(c, i)
        if self._level(c, i) >= at_least:
            c, i = self._seek_back(c, i, at_least - 1, False)
        c, i = self._seek_back(c, i, at_least - 1, True)
        if not (c or i):
            return None
        keys = self.chunks[c].keys
        return keys[i] if i < len(keys) else self.heads[c]

    def start_after(self, key: Any, at_least: int) -> Any:
        """Return the start of the first run that lies after a key and does not touch it; None if there is none.

        Complexity: O(log m + chunk + chunks passed).

        >>> use = UsageProfile()
        >>> use.add(1, 3, 1)
        >>> use.add(5, 8, 1)
        >>> use.start_after(1, 1), use.start_after(3, 1), use.start_after(4, 1), use.start_after(5, 1)
        (5, 5, 5, None)
        """
        last = len(self.chunks) - 1
        c, i, _ = self._find(key, True)
        if self._level(c, i) >= at_least:
            c, i = self._seek(c, i, at_least - 1, False, last)
        c, i = self._seek(c, i, at_least - 1, True, last)
        return self.chunks[c].keys[i] if c <= last else None

    # ---- changes

    def add(self, start: Any, end: Any, amount: int) -> None:
        """Raise the level by *amount* throughout the span; a negative amount takes back what was added.

        An amount of zero does nothing. Taking back what was never added is not noticed here; `check` finds it.

        Complexity: O(log m + chunk + chunks within the span).

        >>> use = UsageProfile()
        >>> use.add(1, 3, 2)
        >>> use.add(1, 3, -2)
        >>> list(use.steps(None, None))
        [(None, None, 0)]
        """
        c, i, at_start, d, j, at_end = self._window(start, end)
        if not amount:
            return
        # from here on no key is compared
        first, last = self.chunks[c], self.chunks[d]
        if end is not None and not at_end:
            last.insert(j, end, 1)
        if start is not None and not at_start:
            i += 1
            first.insert(i, start, 0)
            if c == d:
                j += 1
        self._lift(c, i, d, j, amount)
        # a breakpoint that was there before may no longer change the level; the later first, so that positions hold
        if at_end:
            self._join(d, j)
        if at_start:
            self._join(c, i)
        most, fewest = self.most, self.fewest
        if c != d and not fewest <= len(last.keys) <= most:
            self._settle(d)
        if not fewest <= len(first.keys) <= most:
            self._settle(c)

    def add_columns(self, starts: list[Any], ends: list[Any], amounts: list[int]) -> None:
        """Add many spans at once, given as columns: all of them or, if one is refused, none.

        Builds the profile anew with one sort and one sweep, which pays when there are many spans compared with the
        breakpoints that the profile has. For a few, call `add` for each.

        Complexity: O((m + n) log(m + n)); two to five times faster than as many calls of `add`.

        >>> use = UsageProfile()
        >>> use.add_columns([1, 3], [5, None], [2, 1])
        >>> list(use.steps(None, None))
        [(None, 1, 0), (1, 3, 2), (3, 5, 3), (5, None, 1)]
        """
        closed, level, falls = self.closed, self._level(0, 0), list(map(neg, amounts))
        bounded = type(None) not in {*map(type, starts), *map(type, ends)}
        if not bounded or (any(map(lt, ends, starts)) if closed else not all(map(lt, starts, ends))):
            for start, end in zip(starts, ends, strict=True):
                if start is not None and end is not None and (end < start if closed else not start < end):
                    raise InvalidSpanError(start, end)
            level += sum(amount for start, amount in zip(starts, amounts, strict=True) if start is None)
            amounts = [amount for start, amount in zip(starts, amounts, strict=True) if start is not None]
            falls = [amount for end, amount in zip(ends, falls, strict=True) if end is not None]
            starts, ends = [start for start in starts if start is not None], [end for end in ends if end is not None]
        end_sides = bytearray((1,) if closed else (0,)) * len(ends)
        columns = (starts, amounts, bytearray(len(starts))), self._changes(), (ends, falls, end_sides)
        self._set_steps(*self._sweep(level, columns))

    def _sweep(self, level: int, columns: Sequence[Columns]) -> tuple[list[Any], list[int], bytearray | None]:
        """Return the steps of a profile that begins at a level and changes so, as their keys, levels and sides.

        The columns may be in any order of keys. At each key, side 0 has to come before side 1: the sort is stable and looks
        at the keys alone. All of it runs in C. Neighbouring steps may have the same level.
        """
        keys = list(chain.from_iterable(column[0] for column in columns))
        changes = list(chain.from_iterable(column[1] for column in columns))
        order = sorted(range(len(keys)), key=keys.__getitem__)
        keys = list(map(keys.__getitem__, order))
        levels = list(accumulate(map(changes.__getitem__, order), initial=level))
        # after several changes at one breakpoint, the level is the one after the last of them
        is_last: list[Any] = [True, *map(lt, keys, islice(keys, 1, None)), True]
        sides = None
        if self.closed:
            sides = bytearray(chain.from_iterable(column[2] for column in columns))
            sides = bytearray((0, *map(sides.__getitem__, order)))
            following = (*sides[1:], 0)
            is_last = [last or side != next_side for last, side, next_side in zip(is_last, sides, following, strict=False)]
            is_last[0] = is_last[-1] = True
            sides = bytearray(compress(sides, is_last))
        return list(compress(chain((None,), keys), is_last)), list(compress(levels, is_last)), sides

    def _set_steps(self, keys: list[Any], levels: list[int], sides: bytearray | None) -> None:
        """Replace all steps, in chunks that are half full; leave out steps of the same level as before. O(m)."""
        is_new = [True, *map(ne, islice(levels, 1, None), levels)]
        keys, levels = list(compress(keys, is_new)), list(compress(levels, is_new))
        sides = None if sides is None else bytearray(compress(sides, is_new))
        count = 1 if len(keys) <= self.most else 2 * len(keys) // self.most + 1
        cuts = [len(keys) * n // count for n in range(count + 1)]
        self.chunks = [
            UsageChunk(keys[a:b], levels[a:b], None if sides is None else sides[a:b]) for a, b in pairwise(cuts)
        ]
        self.heads = [keys[cut] for cut in cuts[1:-1]]

    def _lift(self, c: int, i: int, d: int, j: int, amount: int) -> None:
        """Raise the steps from ``(c, i)`` to before ``(d, j)``. Complexity: O(chunk + chunks between)."""
        chunks = self.chunks
        if c == d:
            chunks[c].lift_part(i, j, amount)
            return
        chunks[c].lift_part(i, len(chunks[c].keys), amount)
        for chunk in chunks[c + 1 : d]:  # `UsageChunk.lift` written out, as a long span covers many chunks
            chunk.shift += amount
            chunk.peak += amount
            chunk.low += amount
        if j:
            chunks[d].lift_part(0, j, amount)

    def _join(self, c: int, i: int) -> None:
        """Remove the breakpoint of step ``(c, i)`` if the level before it is the same. Complexity: O(chunk)."""
        chunk = self.chunks[c]
        if i:
            if chunk.levels[i - 1] == chunk.levels[i]:
                chunk.delete(i)
        elif self._level(*self._before(c, i)) == self._level(c, i):
            chunk.delete(0)
            self.heads[c - 1] = chunk.keys[0]

    def _settle(self, c: int) -> None:
        """Bring a chunk back to between ``fewest`` and ``most`` steps: join it to a neighbour, or split it.

        Complexity: O(chunk + number of chunks), the latter a move of memory; once in ``fewest`` changes.
        """
        chunks, heads = self.chunks, self.heads
        if len(chunks[c].keys) < self.fewest:
            if len(chunks) == 1:
                return
            c = max(c - 1, 0)
            chunks[c].absorb(chunks[c + 1])
            del chunks[c + 1], heads[c]
        if len(chunks[c].keys) > self.most:
            right = chunks[c].split()
            chunks.insert(c + 1, right)
            heads.insert(c, right.keys[0])

    # ---- finding positions: the only code that compares keys one by one

    def _find(self, key: Any, after: bool) -> tuple[int, int, bool]:
        """Return the position of the last step that begins at or before a point, and whether it begins exactly there.

        The point is at the key or, if *after* and the spans are closed, just after it.
        """
        c = bisect_right(self.heads, key)
        chunk = self.chunks[c]
        keys = chunk.keys
        i = bisect_right(keys, key, 0 if c else 1) - 1  # from 1: the None of the first step is not compared
        if not i and not c:
            return 0, 0, False
        is_exact = not keys[i] < key
        if chunk.sides is None or not is_exact or chunk.sides[i] == after:
            return c, i, is_exact
        if after:
            return c, i, False
        # this step begins just after the key; the step before it may begin at the key, or earlier
        c, i = self._before(c, i)
        return c, i, bool(c or i) and not self.chunks[c].keys[i] < key

    def _window(self, start: Any, end: Any) -> tuple[int, int, bool, int, int, bool]:
        """Return the positions of a span as ``(c, i, at_start, d, j, at_end)``.

        The span reaches from step ``(c, i)`` to before ``(d, j)``; ``j`` may be 0 when ``c < d``. ``at_start``: step
        ``(c, i)`` begins exactly at the start of the span. ``at_end``: step ``(d, j)`` begins exactly at its end.
        """
        c = i = 0
        at_start = False
        if start is not None:
            if end is not None and (end < start if self.closed else not start < end):
                raise InvalidSpanError(start, end)
            c, i, at_start = self._find(start, False)
        if end is None:
            d = len(self.chunks) - 1
            return c, i, at_start, d, len(self.chunks[d].keys), False
        d, j, at_end = self._find(end, True)
        return c, i, at_start, d, j if at_end else j + 1, at_end

    # ---- reading by position

    def _level(self, c: int, i: int) -> int:
        """Return the true level of a step. Complexity: O(1)."""
        return self.chunks[c].levels[i] + self.chunks[c].shift

    def _before(self, c: int, i: int) -> tuple[int, int]:
        """Return the position of the step before, which must exist. Complexity: O(1)."""
        return (c, i - 1) if i else (c - 1, len(self.chunks[c - 1].keys) - 1)

    def _changes(self) -> Columns:
        """Return the keys, changes of level and sides of all breakpoints. Complexity: O(m), in C."""
        keys: list[Any] = []
        levels: list[int] = []
        sides = bytearray()
        for chunk in self.chunks:
            keys += chunk.keys
            levels += map(add, chunk.levels, repeat(chunk.shift)) if chunk.shift else chunk.levels
            sides += chunk.sides if chunk.sides is not None else bytes(len(chunk.keys))
        return keys[1:], list(map(sub, levels[1:], levels)), sides[1:]

    def _walk(self, start: Any, end: Any, c: int, i: int, d: int, j: int) -> Iterator[tuple[Any, Any, int]]:
        """Iterate ``(start, end, level)`` from step ``(c, i)`` to before ``(d, j)``, clipped to *start* and *end*.

        Complexity: O(1) for each step.
        """
        chunks = self.chunks
        left, level = start, self._level(c, i)
        i += 1
        for n in range(c, d + 1):
            chunk = chunks[n]
            shift, stop = chunk.shift, j if n == d else len(chunk.keys)
            for key, unshifted in zip(chunk.keys[i:stop], chunk.levels[i:stop], strict=True):
                yield left, key, level
                left, level = key, unshifted + shift
            i = 0
        yield left, end, level

    def _walk_over(
        self, start: Any, end: Any, c: int, i: int, d: int, j: int, limit: int
    ) -> Iterator[tuple[Any, Any]]:
        left = start
        is_over = self._level(c, i) > limit
        while True:
            c, i = self._seek(c, i, limit, not is_over, d)
            if c > d or (c == d and i >= j):
                if is_over:
                    yield left, end
                return
            key = self.chunks[c].keys[i]
            if is_over:
                yield left, key
            left, is_over = key, not is_over

    def _seek(self, c: int, i: int, limit: int, over: bool, last: int) -> tuple[int, int]:
        """Return the first step from ``(c, i)`` on that is over the limit (or, unless *over*, that is not).

        If there is none up to the end of chunk *last*, the answer is ``(last + 1, 0)``.

        Complexity: O(chunk + chunks passed).
        """
        chunks = self.chunks
        while c <= last:
            chunk = chunks[c]
            if chunk.peak > limit if over else chunk.low <= limit:
                levels, bar = chunk.levels, limit - chunk.shift
                for n in range(i, len(levels)):
                    if (levels[n] > bar) is over:
                        return c, n
            c, i = c + 1, 0
        return c, 0

    def _seek_back(self, c: int, i: int, limit: int, over: bool) -> tuple[int, int]:
        """Return the step that follows the last step before ``(c, i)`` that is over the limit (or, unless *over*, is not).

        That step may be given as one past the end of the chunk before it, from where `_seek` goes on just as well. If
        there is none, the answer is ``(0, 0)``.

        Complexity: O(chunk + chunks passed).
        """
        chunks = self.chunks
        while c >= 0:
            chunk = chunks[c]
            if chunk.peak > limit if over else chunk.low <= limit:
                levels, bar = chunk.levels, limit - chunk.shift
                for n in range(i - 1, -1, -1):
                    if (levels[n] > bar) is over:
                        return c, n + 1
            c -= 1
            i = len(chunks[c].keys)
        return 0, 0

    def check(self) -> None:
        """Prove the invariants that this file begins with; AssertionError names the first that does not hold.

        Complexity: O(m).
        """
        chunks, heads = self.chunks, self.heads
        first_keys = [chunk.keys[0] for chunk in chunks]
        _prove(first_keys[0] is None, "the first step has no bound at its start")
        _prove(list(map(id, heads)) == list(map(id, first_keys[1:])), "heads are the first keys of the later chunks")
        for chunk in chunks:
            size = len(chunk.keys)
            _prove(len(chunk.levels) == size, "a level for each key")
            _prove(size <= self.most, "no chunk is too long")
            _prove(size >= self.fewest or len(chunks) == 1, "no chunk among several is too short")
            _prove(chunk.peak == max(chunk.levels) + chunk.shift, "peaks are the highest levels")
            _prove(chunk.low == min(chunk.levels) + chunk.shift, "lows are the lowest levels")
            _prove(chunk.low >= 0, "no level is below zero")
            if self.closed:
                _prove(chunk.sides is not None and len(chunk.sides) == size, "a side for each key")
            else:
                _prove(chunk.sides is None, "half-open spans have no sides")
        previous, previous_side = None, 0
        for key, change, side in zip(*self._changes(), strict=True):
            _prove(key is not None, "only the first step has no bound at its start")
            if previous is not None:
                ascends = previous < key or (not key < previous and previous_side < side)
                _prove(ascends, "breakpoints strictly ascend")
            _prove(change != 0, "neighbouring levels differ")
            if self.closed:
                _prove(side == (change < 0), "closed spans rise at their keys and fall just after them")
            previous, previous_side = key, side


def _prove(holds: bool, law: str) -> None:
    # no assert statement: check() must do the same under python -O
    if not holds:
        raise AssertionError(f"broken profile: {law}")
