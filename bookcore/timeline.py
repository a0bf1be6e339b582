"""Who is busy when, for all resources at once: the axis cut into blocks, each with bitmaps.

    cuts              c1            c2            c3
    blocks      0     |      1      |      2      |      3
    spans     r0  s---|-------------|--e          |              active across c1 and c2
              r1      |   s--e      |       s-----|---e          active across c3
    starts      [s0]  |   [s1]      |      [s1]   |              in order, with ordinals
    ends              |      [e1]   |  [e0]       |  [e1]

A block knows the starts and the ends that lie in it, in order of key, each with the ordinal of its resource, and
two bitmaps: ``active``, the ordinals busy across its left cut, and ``starts.bits``, the ordinals with a start in it.
Cuts are keys that occurred, so any ordered type will do. Who is busy in [a, b)? With c the first cut at or after a
and d the last cut at or before b:

    ends in (a, c]  |  active at c  |  starts.bits of the blocks of [c, d)  |  starts in [d, b)
    scanned            one int         one int a block, OR in C               scanned

so the work is one OR a block and a scan of at most one block at either edge, whatever the number of resources.
When no cut falls into [a, b), the block's own events tell who is busy at a: spans of one ordinal are disjoint, so
its starts and ends take turns, and toggling its bit in ``active`` once for each event up to a leaves exactly those
that are busy at a. The same toggling makes the ``active`` of a new cut.

Invariants: spans of one ordinal are disjoint. Half-open: a start in block j has c[j] <= start < c[j+1], an end
c[j] < end <= c[j+1], and ``active`` is start < c < end. Closed bounds swap the sides: c[j] < start <= c[j+1],
c[j] <= end < c[j+1], ``active`` is start <= c <= end. An unbounded start is ``active`` in block 0, whose left cut
is minus infinity, and has no entry in ``starts``; an unbounded end has no entry in ``ends``.

A block whose starts (or ends) outgrow the limit is cut in two. Where all of them share one key it cannot be, and
need not: the bitmap alone is the answer (`Column.uniform`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isqrt
from typing import Any

from bookcore.bitmap import Bitmap, ordinals
from bookcore.column import LEAF, Column

__all__ = ["Timeline"]

SMALLEST = 64
"""The least limit: below it the objects of a block outweigh what it holds."""


class Block:
    """One stretch of the axis between two cuts; ``started`` is the bitmap of ``starts``."""

    __slots__ = ("active", "ends", "started", "starts")

    def __init__(self) -> None:
        self.active = Bitmap()
        self.started = Bitmap()
        self.starts = Column(self.started)
        self.ends = Column()


class Timeline:
    """The disjoint busy spans of many ordinals, answering for all of them at once.

    Complexity, with m spans in blocks of B: `add` and `remove` O(log m + blocks spanned), with a cut, O(B), once in B / 2
    additions; `busy` O(log m + B + blocks in the window), of which a block costs one OR at machine speed.
    """

    __slots__ = ("blocks", "closed", "count", "cuts", "limit", "size")

    def __init__(self, closed: bool = False) -> None:
        self.closed = closed
        self.cuts: list[Any] = []
        self.blocks: list[Block] = [Block()]
        self.count = 0
        self.size = 0  # ordinals are below this
        self.limit = SMALLEST

    def __len__(self) -> int:
        return self.count

    # -- writing -----------------------------------------------------------------------------------

    def _locate(self, start: Any, end: Any) -> tuple[int, int]:
        """Return the block of the start and the block of the end; -1 and the last where unbounded.

        Which side of an equal cut a start or an end falls on is the whole difference between the bounds.
        """
        cuts = self.cuts
        if self.closed:
            first = bisect_left(cuts, start) if start is not None else -1
            return first, bisect_right(cuts, end) if end is not None else len(cuts)
        first = bisect_right(cuts, start) if start is not None else -1
        return first, bisect_left(cuts, end) if end is not None else len(cuts)

    def add(self, number: int, start: Any, end: Any) -> None:
        """Mark *number* busy in the span, which must not overlap another of its spans.

        Every comparison of keys comes before the first change. Complexity: see the class.
        """
        blocks = self.blocks
        if start is not None and end is not None and not self.closed and self._add_plainly(number, start, end):
            return
        first, last = self._locate(start, end)
        starts = ends = None
        if start is not None:
            starts = blocks[first].starts
            if starts.uniform and self._parted(first, starts, start):
                self.add(number, start, end)
                return
            start_leaf, start_place = starts.place(start)
        if end is not None:
            ends = blocks[last].ends
            if ends.uniform and self._parted(last, ends, end):
                self.add(number, start, end)
                return
            end_leaf, end_place = ends.place(end)
        # nothing below compares keys
        if number >= self.size:
            self.size = number + 1
        self.count += 1
        byte, bit = number >> 3, 1 << (number & 7)
        if last != first:
            for block in blocks[first + 1 : last + 1]:
                active = block.active
                try:  # inlined Bitmap.add: a long span sets a bit in every block it crosses
                    active.data[byte] |= bit
                    active.cached = None
                except IndexError:
                    active.add(number)
        if ends is not None:
            if ends.bits is not None:
                ends.bits.add(number)
            ends.insert(end_leaf, end_place, end, number)
        if starts is not None:
            bits = starts.bits
            try:
                bits.data[byte] |= bit  # type: ignore[union-attr]
                bits.cached = None  # type: ignore[union-attr]
            except IndexError:
                bits.add(number)  # type: ignore[union-attr]
            starts.insert(start_leaf, start_place, start, number)
        limit = self.limit
        if ends is not None and ends.count > limit and not ends.uniform:
            self._relieve(last)  # the later block first: a cut in it leaves `first` in place
        if starts is not None and starts.count > limit and not starts.uniform:
            self._relieve(first)

    def _add_plainly(self, number: int, start: Any, end: Any) -> bool:
        """`add` for the common case, with `Column.place` and `Column.insert` written out; False if it is not that.

        Takes a third off the cost of a booking: eight calls less.
        """
        cuts, blocks = self.cuts, self.blocks
        first = bisect_right(cuts, start)
        last = bisect_left(cuts, end, first)
        block = blocks[first]
        starts, ends = block.starts, blocks[last].ends
        if starts.uniform or ends.uniform or not starts.count or not ends.count:
            return False
        lows = starts.lows
        at = bisect_right(lows, start) - 1 if len(lows) > 1 else 0
        if at < 0:
            at = 0
        leaf = starts.keys[at]
        place = bisect_right(leaf, start)
        end_lows = ends.lows
        end_at = bisect_right(end_lows, end) - 1 if len(end_lows) > 1 else 0
        if end_at < 0:
            end_at = 0
        end_leaf = ends.keys[end_at]
        end_place = bisect_right(end_leaf, end)
        # nothing below compares keys
        if number >= self.size:
            self.size = number + 1
        self.count += 1
        byte, bit = number >> 3, 1 << (number & 7)
        if last != first:
            for crossed in blocks[first + 1 : last + 1]:
                active = crossed.active
                try:
                    active.data[byte] |= bit
                    active.cached = None
                except IndexError:
                    active.add(number)
        started = block.started
        try:
            started.data[byte] |= bit
            started.cached = None
        except IndexError:
            started.add(number)
        leaf.insert(place, start)
        starts.numbers[at].insert(place, number)
        starts.count += 1
        if not place:
            lows[at] = start
        if len(leaf) > LEAF:
            starts.halve(at)
        end_leaf.insert(end_place, end)
        ends.numbers[end_at].insert(end_place, number)
        ends.count += 1
        if not end_place:
            end_lows[end_at] = end
        if len(end_leaf) > LEAF:
            ends.halve(end_at)
        limit = self.limit
        if ends.count > limit:
            self._relieve(last)  # the later block first: a cut in it leaves `first` in place
        if starts.count > limit:
            self._relieve(first)
        return True

    def remove(self, number: int, start: Any, end: Any, previous: Any, following: Any) -> None:
        """Take back a span added before. Complexity: see the class.

        *previous* and *following* are the starts of the ordinal's neighbouring spans, None where there is none:
        they tell whether it still has a start in the block.
        """
        first, last = self._locate(start, end)
        blocks = self.blocks
        starts = ends = None
        others = False
        if start is not None:
            starts = blocks[first].starts
            start_leaf, start_place = starts.find(start, number)
            others = self._is_in(first, previous, True) or self._is_in(first, following, False)
        if end is not None:
            ends = blocks[last].ends
            end_leaf, end_place = ends.find(end, number)
        # nothing below compares keys
        self.count -= 1
        byte, bit = number >> 3, ~(1 << (number & 7))
        if last != first:
            for block in blocks[first + 1 : last + 1]:
                active = block.active
                active.data[byte] &= bit
                active.cached = None
        if starts is not None:
            if not others:
                starts.bits.discard(number)  # type: ignore[union-attr]
            starts.delete(start_leaf, start_place)
        if ends is not None:
            if ends.bits is not None:
                ends.bits.discard(number)
            ends.delete(end_leaf, end_place)
            if not ends.uniform:
                ends.bits = None
        if len(blocks) > 1:
            least = self.limit >> 3
            for at in (last, first):
                if at >= 0 and blocks[at].starts.count + blocks[at].ends.count < least:
                    self._merge_around(at)
                    break  # positions moved; the other block gets its turn at a later removal

    def _is_in(self, at: int, start: Any, before: bool) -> bool:
        """Tell whether *start*, known to lie before (or after) a start in block *at*, lies in that block too."""
        if start is None:
            return False
        if before:
            if not at:
                return True
            cut = self.cuts[at - 1]
            return bool(cut < start) if self.closed else not start < cut
        if at == len(self.cuts):
            return True
        cut = self.cuts[at]
        return not cut < start if self.closed else bool(start < cut)

    def _parted(self, at: int, column: Column, key: Any) -> bool:
        """If *key* is not the one key of a uniform *column*, cut block *at* between the two and return True."""
        own = column.lows[0]
        if key < own:
            earlier, later = key, own
        elif own < key:
            earlier, later = own, key
        else:
            return False
        # Starts, half-open, lie in [c, c'): the later of two keys must be the cut. Ends lie in (c, c']: the earlier.
        starts_like = (column is self.blocks[at].starts) != self.closed
        self._cut(at, later if starts_like else earlier)
        return True

    def _relieve(self, at: int) -> None:
        """Cut a block that is too long, if its keys can be compared now; if not, a later addition will try again."""
        try:
            self._overflow(at)
        except Exception:  # noqa: S110 - it is in; every answer is right, only the block is longer than it should be
            pass

    def forget(self, number: int) -> None:
        """Take out all spans of an ordinal without comparing a key. O(m). For when keys can no longer be compared."""
        byte, bit = number >> 3, 1 << (number & 7)
        unbounded = byte < len(self.blocks[0].active.data) and self.blocks[0].active.data[byte] & bit
        for block in self.blocks:
            for column in (block.starts, block.ends):
                if column.uniform:
                    if column.bits is not None and number in column.bits:
                        if column is block.starts:
                            self.count -= 1
                        column.bits.discard(number)
                        column.delete(0, 0)
                        if column is block.ends and not column.uniform:
                            column.bits = None
                    continue
                keys, numbers = column.flat()
                if number in numbers:
                    kept = [(key, other) for key, other in zip(keys, numbers, strict=True) if other != number]
                    if column is block.starts:
                        self.count -= len(numbers) - len(kept)
                    column.fill([key for key, _ in kept], [other for _, other in kept])
            block.started.discard(number)
            block.active.discard(number)
        self.count -= 1 if unbounded else 0

    def _overflow(self, at: int) -> None:
        """Cut block *at*, one of whose columns is past the limit, or make that column uniform. O(B + size / 8)."""
        self.limit = max(SMALLEST, self.size // 32, isqrt(self.count) // 2)
        block = self.blocks[at]
        for column, starts_like in ((block.starts, not self.closed), (block.ends, self.closed)):
            if column.uniform or column.count <= self.limit:
                continue
            keys = column.flat()[0]
            if not keys[0] < keys[-1]:
                column.become_uniform()
                continue
            cut = keys[len(keys) // 2]
            if starts_like and not keys[0] < cut:
                cut = keys[bisect_right(keys, cut)]
            elif not starts_like and not cut < keys[-1]:
                cut = keys[bisect_left(keys, cut) - 1]
            self._cut(at, cut)
            return

    def _cut(self, at: int, cut: Any) -> None:
        """Cut block *at* in two at *cut*, a key strictly inside it. O(B + size / 8)."""
        left, right = self.blocks[at], Block()
        parts = [
            (left.starts, right.starts, _count_before(left.starts, cut, self.closed)),
            (left.ends, right.ends, _count_before(left.ends, cut, not self.closed)),
        ]
        self.cuts.insert(at, cut)
        self.blocks.insert(at + 1, right)
        length = (self.size >> 3) + 1
        for old, new, count in parts:
            _move(old, new, count, length)
        left.started, right.started = left.starts.bits or Bitmap(), right.starts.bits or Bitmap()
        left.starts.bits, right.starts.bits = left.started, right.started
        data = left.active.copy(length)
        left.starts.toggle(data)
        left.ends.toggle(data)
        right.active = Bitmap(data)

    def _merge_around(self, at: int) -> None:
        """Join a nearly empty block to a neighbour that has room, if there is one. O(B + size / 8)."""
        for left in (at - 1, at):
            if left < 0 or left + 1 >= len(self.blocks):
                continue
            one, two = self.blocks[left], self.blocks[left + 1]
            if one.starts.uniform or two.starts.uniform or one.ends.uniform or two.ends.uniform:
                continue
            if max(one.starts.count + two.starts.count, one.ends.count + two.ends.count) > self.limit // 2:
                continue
            for column, other in ((one.starts, two.starts), (one.ends, two.ends)):
                keys, numbers = column.flat()
                more_keys, more_numbers = other.flat()
                column.fill(keys + more_keys, numbers + more_numbers)
            merged = one.started.value() | two.started.value()
            one.started = one.starts.bits = Bitmap(bytearray(merged.to_bytes((merged.bit_length() >> 3) + 1, "little")))
            del self.blocks[left + 1], self.cuts[left]
            return

    # -- reading -----------------------------------------------------------------------------------

    def busy(self, start: Any, end: Any) -> int:
        """Return the bitmap of the ordinals with a span that overlaps ``[start, end)``. Complexity: see the class."""
        cuts, blocks = self.cuts, self.blocks
        high = len(blocks) if end is None else bisect_right(cuts, end)
        if start is None:
            low = 0
        else:
            low = bisect_left(cuts, start) + 1
            if low > high or low == len(blocks):
                return self._within(low - 1, start, end)
        data = bytearray((self.size >> 3) + 1)
        result = blocks[low].active.value()
        if start is not None:
            result |= self._after(blocks[low - 1].ends, start, data)
        for block in blocks[low:high]:
            started = block.started
            cached = started.cached
            # inlined Bitmap.value: a window of a year visits hundreds of blocks
            result |= cached if cached is not None else started.value()
        if high < len(blocks):
            starts = blocks[high].starts
            at, place = starts.split(end, self.closed)
            if at == len(starts.keys) - 1 and place == len(starts.keys[at]):
                result |= blocks[high].started.value()
            elif not starts.uniform:
                for number in starts.ordinals_before(at, place):
                    data[number >> 3] |= 1 << (number & 7)
        return result | int.from_bytes(data, "little")

    def _after(self, ends: Column, start: Any, data: bytearray) -> int:
        """Mark in *data*, or return, who ends after *start* (closed: at or after)."""
        at, place = ends.split(start, not self.closed)
        if ends.uniform:
            return ends.bits.value() if place == 0 else 0  # type: ignore[union-attr]
        for number in ends.ordinals_from(at, place):
            data[number >> 3] |= 1 << (number & 7)
        return 0

    def _within(self, at: int, start: Any, end: Any) -> int:
        """Answer for a span inside block *at*: who is busy at its start, and who starts in it."""
        block = self.blocks[at]
        starts, ends = block.starts, block.ends
        data = block.active.copy((self.size >> 3) + 1)
        # half-open: a span that starts at `start` covers it; closed: it does as well, but is found below
        from_leaf, from_place = starts.split(start, not self.closed)
        for column, leaf, place in ((starts, from_leaf, from_place), (ends, *ends.split(start, not self.closed))):
            if column.uniform:
                if place:
                    column.toggle(data)
            else:
                for number in column.ordinals_before(leaf, place):
                    data[number >> 3] ^= 1 << (number & 7)
        if starts.uniform:
            reached = end is None or starts.split(end, self.closed)[1]
            return int.from_bytes(data, "little") | (starts.bits.value() if reached and not from_place else 0)  # type: ignore[union-attr]
        begun = starts.ordinals_from(from_leaf, from_place)
        if end is not None:
            to_leaf, to_place = starts.split(end, self.closed)
            before = sum(map(len, starts.numbers[:from_leaf])) + from_place
            begun = begun[: sum(map(len, starts.numbers[:to_leaf])) + to_place - before]
        for number in begun:
            data[number >> 3] |= 1 << (number & 7)
        return int.from_bytes(data, "little")

    # -- building ----------------------------------------------------------------------------------

    def rebuild(
        self,
        size: int,
        starts: tuple[Sequence[Any], Sequence[int]],
        ends: tuple[Sequence[Any], Sequence[int]],
        unbounded: Iterable[int],
    ) -> None:
        """Replace everything: keys in order and their ordinals, for starts and for ends; who has no start.

        Complexity: O(m), two bits an event, no comparison but those that place the cuts.
        """
        self.size = size
        keys, numbers = starts
        end_keys, end_numbers = ends
        opened = list(unbounded)
        self.count = len(keys) + len(opened)
        self.limit = max(SMALLEST, size // 32, isqrt(self.count) // 2)
        self.blocks = []
        data = bytearray((size >> 3) + 1)
        for number in opened:
            data[number >> 3] |= 1 << (number & 7)
        self.cuts = self._choose_cuts(keys, end_keys)
        crossing, ending = (bisect_right, bisect_left) if self.closed else (bisect_left, bisect_right)
        low = end_low = 0
        for cut in [*self.cuts, None]:
            high = len(keys) if cut is None else crossing(keys, cut, low)
            end_high = len(end_keys) if cut is None else ending(end_keys, cut, end_low)
            block = Block()
            block.active = Bitmap(bytearray(data))
            started = bytearray(len(data))
            for number in numbers[low:high]:
                byte, bit = number >> 3, 1 << (number & 7)
                started[byte] |= bit
                data[byte] ^= bit
            for number in end_numbers[end_low:end_high]:
                data[number >> 3] ^= 1 << (number & 7)
            block.started = block.starts.bits = Bitmap(started)
            block.starts.fill(keys[low:high], numbers[low:high])
            block.ends.fill(end_keys[end_low:end_high], end_numbers[end_low:end_high])
            self.blocks.append(block)
            low, end_low = high, end_high
        for at in range(len(self.blocks) - 1, -1, -1):
            self._settle(at)

    def _choose_cuts(self, keys: Sequence[Any], end_keys: Sequence[Any]) -> list[Any]:
        """Return cuts that leave about three quarters of a limit in each block. O(blocks x log m)."""
        fill = self.limit * 3 // 4  # room to grow before the first cut
        cuts: list[Any] = []
        low = 0
        previous = None
        for cut in [*_rising(keys[fill::fill], None, None), None]:
            high = len(end_keys) if cut is None else bisect_left(end_keys, cut, low)
            if high - low > self.limit:  # ends crowd where starts do not
                cuts += _rising(end_keys[low + fill : high : fill], previous, cut)
            if cut is not None:
                cuts.append(cut)
            low, previous = high, cut
        return cuts

    def _settle(self, at: int) -> None:
        """Cut block *at* until no list in it is past the limit."""
        pending = [at]
        while pending:
            at = pending.pop()
            block = self.blocks[at]
            if any(column.count > self.limit and not column.uniform for column in (block.starts, block.ends)):
                before = len(self.blocks)
                self._overflow(at)
                pending += [at, at + 1] if len(self.blocks) > before else [at]

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""

        def fail(why: str) -> None:
            raise AssertionError(why)

        cuts, closed = self.cuts, self.closed
        if len(self.blocks) != len(cuts) + 1:
            fail("blocks and cuts differ")
        if any(not one < two for one, two in pairwise(cuts)):
            fail("cuts out of order")
        active = self.blocks[0].active.value()
        count = active.bit_count()
        for at, block in enumerate(self.blocks):
            if block.active.value() != active:
                fail(f"active of block {at} is wrong")
            if block.starts.bits is not block.started or (block.ends.bits is not None and not block.ends.uniform):
                fail(f"the bitmaps of block {at} are not its own")
            left = cuts[at - 1] if at else None
            right = cuts[at] if at < len(cuts) else None
            for column, starts_like in ((block.starts, not closed), (block.ends, closed)):
                column.check()
                for key in column.flat()[0]:
                    if left is not None and (key < left if starts_like else not left < key):
                        fail(f"{key} lies before its block")
                    if right is not None and (not key < right if starts_like else right < key):
                        fail(f"{key} lies after its block")
            seen = 0
            for number in ordinals(block.started.value()) if block.starts.uniform else block.starts.flat()[1]:
                seen |= 1 << number
            if seen != block.started.value():
                fail(f"started of block {at} is wrong")
            count += block.starts.count
            data = bytearray(active.to_bytes((self.size >> 3) + 1, "little"))
            block.starts.toggle(data)
            block.ends.toggle(data)
            active = int.from_bytes(data, "little")
        if count != self.count:
            fail(f"{count} spans, {self.count} counted")


def _rising(keys: Sequence[Any], above: Any, below: Any) -> list[Any]:
    """Return the strictly rising ones of sorted *keys* that lie strictly between two keys (None: no limit)."""
    found: list[Any] = []
    for key in keys:
        if (above is None or above < key) and (below is None or key < below):
            found.append(key)
            above = key
    return found


def _count_before(column: Column, cut: Any, inclusive: bool) -> int:
    """Return how many keys of *column* stay left of *cut*; for a uniform column 0 or 1."""
    at, place = column.split(cut, inclusive)
    return sum(map(len, column.keys[:at])) + place


def _move(left: Column, right: Column, count: int, length: int) -> None:
    """Move the entries of *left* past the first *count* to *right*, an empty column of the same kind."""
    if left.uniform:
        if count == 0:  # its one key lies right of the cut
            right.keys, right.lows, right.uniform, right.count = left.keys, left.lows, True, left.count
            left.bits, right.bits = right.bits, left.bits
            left.keys, left.lows, left.uniform, left.count = [], [], False, 0
        return
    keys, numbers = left.flat()
    left.fill(keys[:count], numbers[:count])
    right.fill(keys[count:], numbers[count:])
    if left.bits is not None:
        for column, part in ((left, numbers[:count]), (right, numbers[count:])):
            data = bytearray(length)
            for number in part:
                data[number >> 3] |= 1 << (number & 7)
            column.bits = Bitmap(data)
