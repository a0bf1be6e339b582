"""Who is busy when, for all resources at once: the axis cut into blocks, each with bitmaps.

    cuts              c1            c2            c3
    blocks      0     |      1      |      2      |      3
    spans     r0  s---|-------------|--e          |              active across c1 and c2
              r1      |   s--e      |       s-----|---e          active across c3
    starts      [s0]  |   [s1]      |      [s1]   |              with ordinals
    ends              |      [e1]   |  [e0]       |  [e1]
    started      r0   |    r1       |       r1    |
    flips        r0   |             |   r0  r1    |   r1         active here, flipped by these: active at the next cut

A block knows the starts and the ends that lie in it, each with the ordinal of its resource, and two bitmaps:
``started``, the ordinals with a start in it, and ``flips``, those with an odd number of starts and ends together, which
are busy across one of its cuts and not across the other. Who is ``active``, busy across a left cut, is kept for every
eighth block or so; from there the flips of the blocks between lead to any other.
Cuts are keys that occurred, so any ordered type will do. Who is busy in [a, b)? With c the first cut at or after a
and d the last cut at or before b:

    ends in (a, c]  |  active at c  |  started of the blocks of [c, d)      |  starts in [d, b)
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
from itertools import accumulate, chain
from math import isqrt
from typing import Any

from bookcore._timeline_check import check_timeline
from bookcore.bitmap import MASKS, from_ordinals
from bookcore.block import STRIDE, Block, entries_right_of, flip, join, move, put
from bookcore.column import LEAF, SHARED, Column

__all__ = ["Timeline"]

SMALLEST = 64
"""The least limit: below it the objects of a block outweigh what it holds."""

NEAR = 8
"""How many cuts past its start the end of a span is looked for before it is looked for everywhere."""


class Timeline:
    """The disjoint busy spans of many ordinals, answering for all of them at once.

    Complexity, with m spans in blocks of B: `add` and `remove` O(log m + blocks spanned), with a cut, O(B), once in B / 2
    additions; `busy` O(log m + B + blocks in the window), of which a block costs one OR at machine speed.
    """

    __slots__ = ("actives", "blocks", "closed", "count", "crossing", "cuts", "limit", "shared", "size")

    def __init__(self, closed: bool = False) -> None:
        self.closed = closed
        self.cuts: list[Any] = []
        self.blocks: list[Block] = [Block(closed)]
        self.actives: list[bytearray | None] = [bytearray()]  # by block: who is busy across its left cut, of some blocks
        self.crossing: list[int | None] = [None]  # the ints made of them
        self.count = 0
        self.size = 0  # ordinals are below this
        self.limit = SMALLEST
        self.shared: dict[Any, Any] | None = {}  # one object for each key, as long as keys repeat

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

    def add(self, number: int, start: Any, end: Any) -> tuple[Any, Any]:
        """Mark *number* busy in the span, which must not overlap another of its spans.

        Returns the span in keys of the index: where an equal key of the same type is in it already, that very object. So
        that those who keep the span as well keep few objects, and the next question finds them in the cache.

        Every comparison of keys comes before the first change. Complexity: see the class.
        """
        if start is None or end is None or self.closed:
            return self._add_anyhow(number, start, end)
        # The common case, with `Column.leaf_of` and `Column.insert` written out: a third off the cost of a booking.
        cuts, blocks = self.cuts, self.blocks
        first = bisect_right(cuts, start)
        near = first + NEAR  # most spans are short: a few cuts are looked at before all of them
        if near < len(cuts):
            last = bisect_left(cuts, end, first, near)
            if last == near:
                last = bisect_left(cuts, end, near)
        else:
            last = bisect_left(cuts, end, first)
        block = blocks[first]
        starts, ends = block.starts, blocks[last].ends
        if starts.uniform or ends.uniform:
            return self._add_anyhow(number, start, end)
        at = bisect_right(starts.seps, start)
        end_at = bisect_left(ends.seps, end)
        # nothing below compares keys
        shared = self.shared
        if shared is not None and type(start) in SHARED and type(end) is type(start):
            start, end = shared.setdefault(start, start), shared.setdefault(end, end)
        if number >= self.size:
            self.size = number + 1
        self.count += 1
        byte, bit = number >> 3, 1 << (number & 7)
        try:
            block.started[byte] |= bit
        except IndexError:
            put(block.started, number)
        block.starting = None
        if last != first:
            block.flipped = None
            try:
                block.flips[byte] ^= bit
            except IndexError:
                put(block.flips, number)
            block = blocks[last]
            block.flipped = None
            try:
                block.flips[byte] ^= bit
            except IndexError:
                put(block.flips, number)
            at_cut = first
            for active in self.actives[first + 1 : last + 1]:
                at_cut += 1
                if active is not None:
                    try:
                        active[byte] |= bit
                    except IndexError:
                        put(active, number)
                    self.crossing[at_cut] = None
        leaf = starts.leaves[at]
        leaf += (start, number)
        if not len(leaf) % (2 * LEAF):
            starts.part(at)
        leaf = ends.leaves[end_at]
        leaf += (end, number)
        if not len(leaf) % (2 * LEAF):
            ends.part(end_at)
        starts.count = count = starts.count + 1
        ends.count = end_count = ends.count + 1
        limit = self.limit
        if end_count > limit:
            self._relieve(last)  # the later block first: a cut in it leaves `first` in place
        if count > limit:
            self._relieve(first)
        return start, end

    def _add_anyhow(self, number: int, start: Any, end: Any) -> tuple[Any, Any]:
        """`add` for every case: either bound open, either kind of bounds, columns empty or uniform."""
        blocks = self.blocks
        first, last = self._locate(start, end)
        starts = ends = None
        if start is not None:
            starts = blocks[first].starts
            if starts.uniform and self._parted(first, starts, start):
                return self.add(number, start, end)
            at = starts.leaf_of(start)
        if end is not None:
            ends = blocks[last].ends
            if ends.uniform and self._parted(last, ends, end):
                return self.add(number, start, end)
            end_at = ends.leaf_of(end)
        # nothing below compares keys
        if number >= self.size:
            self.size = number + 1
        self.count += 1
        self._cross(number, first, last, start, end)
        if ends is not None:
            ends.insert(end_at, end, number)
        if starts is not None:
            block = blocks[first]
            put(block.started, number)
            block.starting = None
            starts.insert(at, start, number)
        limit = self.limit
        if ends is not None and ends.count > limit and not ends.uniform:
            self._relieve(last)  # the later block first: a cut in it leaves `first` in place
        if starts is not None and starts.count > limit and not starts.uniform:
            self._relieve(first)
        return start, end

    def _cross(self, number: int, first: int, last: int, start: Any, end: Any) -> None:
        """Flip an ordinal wherever a bitmap knows of a span: at its two ends, and across the cuts between them."""
        if first != last or start is None or end is None:
            for at, key in ((first, start), (last, end)):
                if key is not None:
                    flip(self.blocks[at].flips, number)
                    self.blocks[at].flipped = None
        for at in range(first + 1, last + 1):
            active = self.actives[at]
            if active is not None:
                flip(active, number)
                self.crossing[at] = None

    def _active(self, at: int) -> int:
        """Return who is busy across the left cut of a block. O(STRIDE x n / 8), at machine speed."""
        known = at
        while (data := self.actives[known]) is None:
            known -= 1
        bits = self.crossing[known]
        if bits is None:
            bits = self.crossing[known] = int.from_bytes(data, "little")
        for block in self.blocks[known:at]:
            flipped = block.flipped
            bits ^= flipped if flipped is not None else block.who_flips()
        return bits

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
            at = starts.leaf_of(start)
            place = starts.find(at, start, number)
            others = (previous is not None and self._is_in(first, previous, True)) or (
                following is not None and self._is_in(first, following, False)
            )
        if end is not None:
            ends = blocks[last].ends
            end_at = ends.leaf_of(end)
            end_place = ends.find(end_at, end, number)
        # nothing below compares keys
        self.count -= 1
        if first != last or start is None or end is None:
            self._cross(number, first, last, start, end)
        if starts is not None:
            if not others:
                blocks[first].started[number >> 3] &= ~(1 << (number & 7))
                blocks[first].starting = None
            starts.delete(at, place, number)
        if ends is not None:
            ends.delete(end_at, end_place, number)
        if len(blocks) > 1:
            least = self.limit >> 3
            for at in (last, first):
                if at >= 0 and blocks[at].starts.count + blocks[at].ends.count < least:
                    self._merge_around(at)
                    break  # positions moved; the other block gets its turn at a later removal

    def _is_in(self, at: int, start: Any, before: bool) -> bool:
        """Tell whether *start*, known to lie before (or after) a start in block *at*, lies in that block too."""
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
        own = column.key
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
        unbounded = self._active(0) >> number & 1
        for block in self.blocks:
            self.count -= block.starts.forget(number)
            block.ends.forget(number)
            for data in (block.started, block.flips):
                if byte < len(data):
                    data[byte] &= ~bit
            block.flipped = block.starting = None
        for active in self.actives:
            if active is not None and byte < len(active):
                active[byte] &= ~bit
        self.crossing = [None] * len(self.crossing)
        self.count -= 1 if unbounded else 0

    def _overflow(self, at: int) -> None:
        """Cut block *at*, one of whose columns is past the limit, or make that column uniform. O(B + size / 8)."""
        self.limit = max(SMALLEST, self.size // 32, isqrt(self.count) // 2)
        if self.shared is not None and len(self.shared) > max(2048, self.count // 4):
            self.shared = None  # keys hardly repeat
        block = self.blocks[at]
        for column in (block.starts, block.ends):
            if column.uniform or column.count <= self.limit:
                continue
            if not column.seps and not column.part(0):
                column.become_uniform()
                continue
            # at the separator nearest to the middle: the column's leaves stay as they are
            ends = list(accumulate(map(len, column.leaves[:-1])))  # by separator, two list items an entry
            nearest = min(range(len(ends)), key=lambda place: abs(ends[place] - column.count))
            self._cut(at, column.seps[nearest])
            return

    def _cut(self, at: int, cut: Any) -> None:
        """Cut block *at* in two at *cut*, a key strictly inside it. O(B + size / 8)."""
        left, right = self.blocks[at], Block(self.closed)
        length = (self.size >> 3) + 1
        parts = [(old, entries_right_of(old, cut)) for old in (left.starts, left.ends)]  # compares keys: before any change
        self.cuts.insert(at, cut)
        self.blocks.insert(at + 1, right)
        self.actives.insert(at + 1, None)
        self.crossing.insert(at + 1, None)
        for (old, part), new in zip(parts, (right.starts, right.ends), strict=True):
            move(old, new, part)
        left.derive(length)
        right.derive(length)
        self._space(at)

    def _space(self, at: int) -> None:
        """Put a bitmap of who is busy between two that have come to lie too far apart around a block."""
        low, high = at, at + 1
        while self.actives[low] is None:
            low -= 1
        while high < len(self.actives) and self.actives[high] is None:
            high += 1
        if high - low > 2 * STRIDE:
            middle = (low + high) // 2
            bits = self._active(middle)
            self.actives[middle] = bytearray(bits.to_bytes((bits.bit_length() >> 3) + 1, "little"))
            self.crossing[middle] = bits

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
                join(column, self.cuts[left], other)
            one.derive((self.size >> 3) + 1)
            del self.blocks[left + 1], self.actives[left + 1], self.crossing[left + 1], self.cuts[left]
            self._space(left)
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
        result = self._active(low)
        masks = MASKS  # a look-up beats a shift by a third, and this is most of what a question costs
        if start is not None:
            ends = blocks[low - 1].ends
            if not ends.uniform:
                for number in ends.after(start, self.closed):
                    data[number >> 3] |= masks[number & 7]
            elif not ends.key < start if self.closed else start < ends.key:
                result |= ends.bits.value()  # type: ignore[union-attr]
        for block in blocks[low:high]:
            # inlined Block.who_starts: a window of a year visits hundreds of blocks
            starting = block.starting
            result |= starting if starting is not None else block.who_starts()
        if high < len(blocks):
            block = blocks[high]
            if end is None:
                result |= block.who_starts()
            elif not block.starts.uniform:
                for number in block.starts.before(end, self.closed):
                    data[number >> 3] |= masks[number & 7]
            elif not end < block.starts.key if self.closed else block.starts.key < end:
                result |= block.who_starts()
        return result | int.from_bytes(data, "little")

    def _within(self, at: int, start: Any, end: Any) -> int:
        """Answer for a span inside block *at*: who is busy at its start, and who starts in it."""
        block = self.blocks[at]
        closed = self.closed
        data = bytearray(self._active(at).to_bytes((self.size >> 3) + 1, "little"))
        # half-open: a span that starts at `start` covers it; closed: it does as well, but is found below
        for column in (block.starts, block.ends):
            if not column.uniform:
                for number in column.before(start, not closed):
                    data[number >> 3] ^= 1 << (number & 7)
            elif column.key < start if closed else not start < column.key:
                column.toggle(data)
        starts = block.starts
        if starts.uniform:
            begins = not starts.key < start if closed else start < starts.key
            if begins and (end is None or (not end < starts.key if closed else starts.key < end)):
                return int.from_bytes(data, "little") | block.who_starts()
            return int.from_bytes(data, "little")
        begun = starts.after(start, closed) if end is None else starts.between(start, end, closed, closed)
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

        Complexity: O(m), one bit an event, no comparison but those that place the cuts.
        """
        keys, numbers = starts
        end_keys, end_numbers = ends
        opened = list(unbounded)
        self._clear(size, len(keys) + len(opened), None)
        self.cuts = self._choose_cuts(keys, end_keys)
        crossing, ending = (bisect_right, bisect_left) if self.closed else (bisect_left, bisect_right)
        active = from_ordinals(opened, size)
        low = end_low = 0
        for cut in [*self.cuts, None]:
            high = len(keys) if cut is None else crossing(keys, cut, low)
            end_high = len(end_keys) if cut is None else ending(end_keys, cut, end_low)
            own, end_own = numbers[low:high], end_numbers[end_low:end_high]
            block, active = self._stack(active, own, end_own)
            block.starts.fill(keys[low:high], own)
            block.ends.fill(end_keys[end_low:end_high], end_own)
            low, end_low = high, end_high
        for at in range(len(self.blocks) - 1, -1, -1):
            self._settle(at)

    def rebuild_from(
        self, size: int, keys: Sequence[Any], starts: Sequence[list[int]], ends: Sequence[list[int]]
    ) -> None:
        """Replace everything, as `rebuild` does, where keys repeat and no span is unbounded.

        *keys* are the distinct ones, in order; *starts* and *ends* the ordinals that start and that end at each.

        Complexity: O(m + keys), one bit an event, no comparison.
        """
        shared = dict(zip(keys, keys, strict=True)) if type(keys[0]) in SHARED else None
        self._clear(size, sum(map(len, starts)), shared)
        cuts = self._choose_cuts(_Repeated(starts), _Repeated(ends))  # as places among the keys
        self.cuts = [keys[cut] for cut in cuts]
        begun, ended = (1, 0) if self.closed else (0, 1)  # does a start at the cut lie left of it, does an end?
        active = low = end_low = 0
        for cut in [*cuts, len(keys)]:
            high, end_high = cut + begun, cut + ended
            own, end_own = starts[low:high], ends[end_low:end_high]
            block, active = self._stack(active, list(chain.from_iterable(own)), list(chain.from_iterable(end_own)))
            block.starts.fill_from(keys[low:high], own)
            block.ends.fill_from(keys[end_low:end_high], end_own)
            low, end_low = high, end_high
        for at in range(len(self.blocks) - 1, -1, -1):
            self._settle(at)

    def _clear(self, size: int, count: int, shared: dict[Any, Any] | None) -> None:
        """Leave no block at all, and make ready for so many spans."""
        self.size, self.count, self.shared = size, count, shared
        self.limit = max(SMALLEST, size // 32, isqrt(count) // 2)
        self.blocks, self.actives, self.crossing = [], [], []

    def _stack(self, active: int, numbers: Sequence[int], end_numbers: Sequence[int]) -> tuple[Block, int]:
        """Append a block whose columns are still to be filled; return it and who is active at its right cut.

        *active* is who is at its left one. O(size / 8), and a bit an event.
        """
        length = (self.size >> 3) + 1
        block = Block(self.closed)
        self.actives.append(bytearray(active.to_bytes(length, "little")) if not len(self.blocks) % STRIDE else None)
        self.crossing.append(None)
        self.blocks.append(block)
        block.started = _marked(numbers, length)
        begun = int.from_bytes(block.started, "little")
        ended = int.from_bytes(_marked(end_numbers, length), "little")
        if begun.bit_count() == len(numbers) and ended.bit_count() == len(end_numbers):
            flips = begun ^ ended
        else:  # some start or end twice here: one of each pair undoes the other
            data = bytearray(length)
            for number in chain(numbers, end_numbers):
                data[number >> 3] ^= 1 << (number & 7)
            flips = int.from_bytes(data, "little")
        block.flips = bytearray(flips.to_bytes(length, "little"))
        return block, active ^ flips

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
        check_timeline(self)


class _Repeated(Sequence[int]):
    """The places 0, 1, 2 ... of some bins in turn, each as often as its bin has members; not written out."""

    def __init__(self, bins: Sequence[list[int]]) -> None:
        self.until = list(accumulate(map(len, bins)))

    def __len__(self) -> int:
        return self.until[-1]

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [bisect_right(self.until, one) for one in range(*at.indices(len(self)))]
        return bisect_right(self.until, at)


def _marked(numbers: Iterable[int], length: int) -> bytearray:
    """Return the bitmap of *numbers*, so many bytes long."""
    data = bytearray(length)
    masks = MASKS  # a look-up beats a shift
    for number in numbers:
        data[number >> 3] |= masks[number & 7]
    return data


def _rising(keys: Sequence[Any], above: Any, below: Any) -> list[Any]:
    """Return the strictly rising ones of sorted *keys* that lie strictly between two keys (None: no limit)."""
    found: list[Any] = []
    for key in keys:
        if (above is None or above < key) and (below is None or key < below):
            found.append(key)
            above = key
    return found


