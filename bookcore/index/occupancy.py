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

How blocks are built, cut and joined, and in what form each keeps its events, is in `bookcore.index.occupancy_chunks`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from bookcore.index.bitmap import MASKS
from bookcore.index.chunk import TAIL, Block, flip, put
from bookcore.index.column import LEAF, SHARED, Column
from bookcore.index.constant_column import ConstantColumn
from bookcore.index.occupancy_check import check_timeline
from bookcore.index.occupancy_chunks import Blocks
from bookcore.index.posting_column import PostingList

__all__ = ["OccupancyIndex"]

NEAR = 8
"""How many cuts past its start the end of a span is looked for before it is looked for everywhere."""


class OccupancyIndex(Blocks):
    """The disjoint busy spans of many ordinals, answering for all of them at once.

    Complexity, with m spans in blocks of B: `add` and `remove` O(log m + blocks spanned), with a cut, O(B), once in B / 2
    additions; at keys that repeat `add` compares nothing, and `remove` is O(bin). `busy` O(log m + B + blocks in the
    window), of which a block costs one OR at machine speed.
    """

    __slots__ = ()

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
        kind = type(start)
        if kind not in SHARED or type(end) is not kind:
            return self._add_anyhow(number, start, end)
        one, other = self.opens.get(start), self.closes.get(end)
        if one is None or other is None:
            return self._add_apart(number, start, end)
        # The common case: both keys are known. Nothing is compared, and next to nothing touched.
        one.append(number)
        other.append(number)
        if number >= self.size:
            self.size = number + 1
        self.count += 1
        block, end_block = one.block, other.block
        if block is not end_block:
            at = block.at
            byte, bit = number >> 3, 1 << (number & 7)
            for active in self.actives[at + 1 : end_block.at + 1]:
                at += 1
                if active is not None:
                    try:
                        active[byte] |= bit
                    except IndexError:
                        put(active, number)
                    self.crossing[at] = None
        opening, closing = block.opening, end_block.closing
        opening.append(number)
        closing.append(number)
        # only now: a cut makes bitmaps of what is in the columns, and drops the tails
        if len(opening) > block.patience:
            self._absorb(block)
        if len(closing) > end_block.patience:
            self._absorb(end_block)
        return one.key, other.key

    def _absorb(self, block: Block) -> None:
        """Have a block mark what is new, and cut it if it is too long."""
        block.absorb()
        block.patience = TAIL
        if self._is_crowded(block):
            self._relieve(block.at)

    def _add_apart(self, number: int, start: Any, end: Any) -> tuple[Any, Any]:
        """`add` where keys hardly repeat: each goes into a leaf."""
        if self.closed:
            return self._add_anyhow(number, start, end)
        # `Column.leaf_of` and `Column.insert` written out: an eighth off the cost of a booking (6.3 us for 7.2).
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
        if type(starts) is not Column or type(ends) is not Column:
            return self._add_anyhow(number, start, end)
        at = bisect_right(starts.seps, start)
        end_at = bisect_left(ends.seps, end)
        # nothing below compares keys
        shared = self.shared
        if shared is not None:
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
        """`add` for every case: either bound open, either kind of bounds, columns of any form."""
        blocks = self.blocks
        first, last = self._locate(start, end)
        starts = ends = None
        if start is not None:
            starts = blocks[first].starts
            if isinstance(starts, ConstantColumn) and self._parted(first, starts, start):
                return self._add_anyhow(number, start, end)
            at = starts.leaf_of(start)
        if end is not None:
            ends = blocks[last].ends
            if isinstance(ends, ConstantColumn) and self._parted(last, ends, end):
                return self._add_anyhow(number, start, end)
            end_at = ends.leaf_of(end)
        # nothing below compares keys
        shared = self.shared
        if shared is not None and type(start) in SHARED and type(end) is type(start):
            start, end = shared.setdefault(start, start), shared.setdefault(end, end)
        if number >= self.size:
            self.size = number + 1
        self.count += 1
        self._cross(number, first, last, start, end)
        if ends is not None:
            self._binned(ends.insert(end_at, end, number), blocks[last], "ends")
        if starts is not None:
            block = blocks[first]
            put(block.started, number)
            block.starting = None
            self._binned(starts.insert(at, start, number), block, "starts")
        if ends is not None and ends.count > self.limit and not ends.uniform:
            self._relieve(last)  # the later block first: a cut in it leaves `first` in place
        if starts is not None and starts.count > self.limit and not starts.uniform:
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

    def remove(self, number: int, start: Any, end: Any, previous: Any, following: Any) -> None:
        """Take back a span added before. Complexity: see the class.

        *previous* and *following* are the starts of the ordinal's neighbouring spans, None where there is none:
        they tell whether it still has a start in the block.
        """
        kind = type(start)
        one = other = None
        if kind in SHARED and type(end) is kind:
            one, other = self.opens.get(start), self.closes.get(end)
        first, last = (one.block.at, other.block.at) if one is not None and other is not None else self._locate(start, end)
        blocks = self.blocks
        for at in (first, last):
            if at >= 0:
                blocks[at].absorb()  # or what is taken out here would be put in afterwards
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
            self._deleted(starts.delete(at, place, number), blocks[first], "starts")
        if ends is not None:
            self._deleted(ends.delete(end_at, end_place, number), blocks[last], "ends")
        if len(blocks) > 1:
            least = self.limit >> 3
            for at in (last, first):
                if at >= 0 and blocks[at].starts.count + blocks[at].ends.count < least:
                    self._merge_around(at)
                    break  # positions moved; the other block gets its turn at a later removal

    def _deleted(self, one: PostingList | None, block: Block, name: str) -> None:
        """Follow what left a column: its bin, if that was empty then; its form, if it was uniform and nothing is left."""
        if one is not None:
            self._unbin((one,), name)
        elif getattr(block, name).uniform:
            self._form(block, name)

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

    def _parted(self, at: int, column: ConstantColumn, key: Any) -> bool:
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

    def forget(self, number: int) -> None:
        """Take out all spans of an ordinal without comparing a key. O(m). For when keys can no longer be compared."""
        byte, bit = number >> 3, 1 << (number & 7)
        unbounded = self._active(0) >> number & 1
        for block in self.blocks:
            block.absorb()
            before = block.starts.count
            for name in ("starts", "ends"):
                column = getattr(block, name)
                gone = column.forget(number)
                if column.binned:
                    self._unbin(gone, name)
                elif column.uniform:
                    self._form(block, name)
            self.count -= before - block.starts.count
            for data in (block.started, block.flips):
                if byte < len(data):
                    data[byte] &= ~bit
            block.flipped = block.starting = None
        for active in self.actives:
            if active is not None and byte < len(active):
                active[byte] &= ~bit
        self.crossing = [None] * len(self.crossing)
        self.count -= 1 if unbounded else 0

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
            ends: Any = blocks[low - 1].ends
            if not ends.uniform:
                for number in ends.after(start, self.closed):
                    data[number >> 3] |= masks[number & 7]
            elif not ends.key < start if self.closed else start < ends.key:
                result |= ends.bits.value()
        for block in blocks[low:high]:
            # inlined Block.who_starts: a window of a year visits hundreds of blocks
            starting = block.starting
            result |= starting if starting is not None and not block.opening else block.who_starts()
        if high < len(blocks):
            block = blocks[high]
            starts: Any = block.starts
            if end is None:
                result |= block.who_starts()
            elif not starts.uniform:
                for number in starts.before(end, self.closed):
                    data[number >> 3] |= masks[number & 7]
            elif not end < starts.key if self.closed else starts.key < end:
                result |= block.who_starts()
        return result | int.from_bytes(data, "little")

    def _within(self, at: int, start: Any, end: Any) -> int:
        """Answer for a span inside block *at*: who is busy at its start, and who starts in it."""
        block = self.blocks[at]
        closed = self.closed
        data = bytearray(self._active(at).to_bytes((self.size >> 3) + 1, "little"))
        # half-open: a span that starts at `start` covers it; closed: it does as well, but is found below
        column: Any
        for column in (block.starts, block.ends):
            if not column.uniform:
                for number in column.before(start, not closed):
                    data[number >> 3] ^= 1 << (number & 7)
            elif column.key < start if closed else not start < column.key:
                column.toggle(data)
        starts: Any = block.starts
        if starts.uniform:
            begins = not starts.key < start if closed else start < starts.key
            if begins and (end is None or (not end < starts.key if closed else starts.key < end)):
                return int.from_bytes(data, "little") | block.who_starts()
            return int.from_bytes(data, "little")
        begun = starts.after(start, closed) if end is None else starts.between(start, end, closed, closed)
        for number in begun:
            data[number >> 3] |= 1 << (number & 7)
        return int.from_bytes(data, "little")

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""
        check_timeline(self)
