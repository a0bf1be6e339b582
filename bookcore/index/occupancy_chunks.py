"""The blocks of a timeline: how they are built, cut in two and joined, and in what form each keeps its events.

    columns of a block     leaves            keys differ: in bags between separators          `Column`
                           bins              keys repeat: a bag for each, found in a dict     `PostingColumn`
                           uniform           all keys equal, and too many: a bitmap           `ConstantColumn`

A block that grows past the limit is cut at a key near its middle, where each half takes the form that suits it. Where all
its starts (or ends) share one key it cannot be, and need not: the bitmap alone is the answer. A block that has become
nearly empty is joined to a neighbour.

Invariants, beside those of `bookcore.index.occupancy`: ``blocks[i].at == i``; ``opens`` and ``closes`` hold each bin of starts, and
of ends, by its key if that is of a type in `SHARED`, and no others; a bin's ``block`` is the one it is in; of any
STRIDE x 2 neighbouring blocks one has its ``active`` in ``actives``, and so has the first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence, Sized
from itertools import accumulate, chain, repeat
from math import isqrt
from typing import Any

from bookcore.index.bitmap import from_ordinals
from bookcore.index.chunk import STRIDE, Block, marked
from bookcore.index.column import SHARED, Column
from bookcore.index.constant_column import ConstantColumn
from bookcore.index.posting_column import OFTEN, PostingColumn, PostingList, grouped, well_binned

__all__ = ["Blocks"]

SMALLEST = 64
"""The least limit: below it the objects of a block outweigh what it holds."""

COLUMNS = ("starts", "ends")


class Blocks:
    """The state of a `OccupancyIndex`, and what keeps its blocks in shape."""

    __slots__ = (
        "actives", "blocks", "closed", "closes", "count", "crossing", "cuts", "limit", "opens", "shared", "size",
    )  # fmt: skip

    def __init__(self, closed: bool = False) -> None:
        self.closed = closed
        self.cuts: list[Any] = []
        self.blocks: list[Block] = [Block(closed)]
        self.actives: list[bytearray | None] = [bytearray()]  # by block: who is busy across its left cut, of some blocks
        self.crossing: list[int | None] = [None]  # the ints made of them
        self.opens: dict[Any, PostingList] = {}  # by key, where starts are in bins
        self.closes: dict[Any, PostingList] = {}  # and where ends are
        self.count = 0
        self.size = 0  # ordinals are below this
        self.limit = SMALLEST
        self.shared: dict[Any, Any] | None = {}  # one object for each key, as long as keys repeat

    def __len__(self) -> int:
        return self.count

    def _active(self, at: int) -> int:
        """Return who is busy across the left cut of a block. O(STRIDE x n / 8), at machine speed."""
        known = at
        while (data := self.actives[known]) is None:
            known -= 1
        bits = self.crossing[known]
        if bits is None:
            bits = self.crossing[known] = int.from_bytes(data, "little")
        for block in self.blocks[known:at]:
            bits ^= block.who_flips()
        return bits

    # -- bins --------------------------------------------------------------------------------------

    def _known(self, name: str) -> dict[Any, PostingList]:
        return self.opens if name == "starts" else self.closes

    def _bin(self, block: Block, name: str, bins: list[PostingList]) -> None:
        """Give a block a column of bins, in order, none of them empty. O(bins)."""
        for one in bins:
            one.block = block
        setattr(block, name, PostingColumn(getattr(block, name).holds_low, bins))
        self._known(name).update((one.key, one) for one in bins)

    def _unbin(self, bins: Iterable[PostingList], name: str) -> None:
        """Find these bins no more."""
        known = self._known(name)
        for one in bins:
            if type(one.key) in SHARED and known.get(one.key) is one:
                del known[one.key]

    def _binned(self, one: PostingList | None, block: Block, name: str) -> None:
        """Find a bin that has just been made, if one was, by its key."""
        if one is not None:
            one.block = block
            if type(one.key) in SHARED:
                self._known(name)[one.key] = one

    def _form(self, block: Block, name: str) -> None:
        """Give a column of a block the form that suits it now. Compares no keys but of `SHARED`. O(B), or less."""
        column = getattr(block, name)
        if isinstance(column, PostingColumn):
            if column.count * 2 >= len(column.bins) * OFTEN and column.bins:
                for one in column.bins:
                    one.block = block
                return
            self._unbin(column.bins, name)
            setattr(block, name, column.as_column())
        elif isinstance(column, Column):
            if well_binned(list(chain.from_iterable(leaf[::2] for leaf in column.leaves))):
                self._bin(block, name, grouped(*column.flat()))
        elif not column.count:
            setattr(block, name, Column(column.holds_low))

    # -- blocks too long, and too short ------------------------------------------------------------

    def _is_crowded(self, block: Block) -> bool:
        limit = self.limit
        return (block.starts.count > limit and not block.starts.uniform) or (
            block.ends.count > limit and not block.ends.uniform
        )

    def _relieve(self, at: int) -> None:
        """Cut a block that is too long, if its keys can be compared now; if not, a later addition will try again."""
        try:
            self._overflow(at)
        except Exception:  # noqa: S110 - it is in; every answer is right, only the block is longer than it should be
            pass

    def _overflow(self, at: int) -> None:
        """Cut block *at*, one of whose columns is past the limit, or make that column uniform. O(B + size / 8)."""
        self.limit = max(SMALLEST, self.size // 32, isqrt(self.count) // 2)
        if self.shared is not None and len(self.shared) > max(2048, self.count // 4):
            self.shared = None  # keys hardly repeat
        block = self.blocks[at]
        block.absorb()
        for name in COLUMNS:
            column = getattr(block, name)
            if column.uniform or column.count <= self.limit:
                continue
            cut = column.middle()
            if cut is not None:
                self._cut(at, cut)
                return
            keys, numbers = column.flat()
            if keys[0] < keys[-1]:  # a comparison failed when a leaf was to be parted; a later addition will try again
                continue
            setattr(block, name, ConstantColumn(column.holds_low, keys[0], numbers))
            if column.binned:
                self._unbin(column.bins, name)

    def _cut(self, at: int, cut: Any) -> None:
        """Cut block *at* in two at *cut*, a key strictly inside it. O(B + size / 8)."""
        left, right = self.blocks[at], Block(self.closed, at + 1)
        left.absorb()
        parts = [getattr(left, name).right_of(cut) for name in COLUMNS]  # compares keys: before any change
        self.cuts.insert(at, cut)
        self.blocks.insert(at + 1, right)
        self.actives.insert(at + 1, None)
        self.crossing.insert(at + 1, None)
        for block in self.blocks[at + 2 :]:
            block.at += 1
        for name, part in zip(COLUMNS, parts, strict=True):
            for block, column in zip((left, right), getattr(left, name).cut(part), strict=True):
                setattr(block, name, column)
                self._form(block, name)
        for block in (left, right):
            block.derive((self.size >> 3) + 1)
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
            one.absorb()
            two.absorb()
            if one.starts.uniform or two.starts.uniform or one.ends.uniform or two.ends.uniform:
                continue
            if max(one.starts.count + two.starts.count, one.ends.count + two.ends.count) > self.limit // 2:
                continue
            for name in COLUMNS:
                self._join(one, two, name, self.cuts[left])
            one.derive((self.size >> 3) + 1)
            del self.blocks[left + 1], self.actives[left + 1], self.crossing[left + 1], self.cuts[left]
            for block in self.blocks[left + 1 :]:
                block.at -= 1
            self._space(left)
            return

    def _join(self, one: Block, two: Block, name: str, cut: Any) -> None:
        """Put the entries of a column of one block behind those of the block before. O(B)."""
        column, other = getattr(one, name), getattr(two, name)
        if column.binned and other.binned:
            setattr(one, name, PostingColumn(column.holds_low, column.bins + other.bins))
        elif not column.count or not other.count:
            setattr(one, name, column if column.count else other)
        else:
            parts = []
            for part in (column, other):
                if part.binned:
                    self._unbin(part.bins, name)
                    part = part.as_column()
                parts.append(part)
            parts[0].join(cut, parts[1])
            setattr(one, name, parts[0])
        column = getattr(one, name)
        if column.binned:
            for each in column.bins:
                each.block = one

    # -- building ----------------------------------------------------------------------------------

    def rebuild(
        self,
        size: int,
        starts: tuple[Sequence[Any], Sequence[int]],
        ends: tuple[Sequence[Any], Sequence[int]],
        unbounded: Iterable[int],
    ) -> None:
        """Replace everything: keys in order and their ordinals, for starts and for ends; who has no start.

        Complexity: O(m), one bit an event, few comparisons. After an exception nothing has changed.
        """
        fresh = type(self)(self.closed)
        fresh._build(size, starts, ends, unbounded)
        self._become(fresh)

    def _become(self, fresh: Blocks) -> None:
        """Take over all that another has, which is of no use then."""
        for name in Blocks.__slots__:
            setattr(self, name, getattr(fresh, name))

    def _build(
        self,
        size: int,
        starts: tuple[Sequence[Any], Sequence[int]],
        ends: tuple[Sequence[Any], Sequence[int]],
        unbounded: Iterable[int],
    ) -> None:
        """`rebuild` of one that holds nothing."""
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
            self._fill(block, "starts", keys[low:high], own)
            self._fill(block, "ends", end_keys[end_low:end_high], end_own)
            low, end_low = high, end_high
        for at in range(len(self.blocks) - 1, -1, -1):
            self._settle(at)

    def rebuild_from(
        self, size: int, keys: Sequence[Any], starts: Sequence[PostingList], ends: Sequence[PostingList]
    ) -> None:
        """Replace everything, as `rebuild` does, where keys repeat and no span is unbounded.

        *keys* are the distinct ones, in order; *starts* and *ends* the ordinals that start and that end at each, in bins,
        which go to the timeline; some of them may be empty.

        Complexity: O(m + keys), one bit an event, few comparisons. After an exception nothing has changed.
        """
        fresh = type(self)(self.closed)
        fresh._build_from(size, keys, starts, ends)
        self._become(fresh)

    def _build_from(self, size: int, keys: Sequence[Any], starts: Sequence[PostingList], ends: Sequence[PostingList]) -> None:
        """`rebuild_from` of one that holds nothing."""
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
            self._fill_from(block, "starts", own)
            self._fill_from(block, "ends", end_own)
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
        block = Block(self.closed, len(self.blocks))
        self.actives.append(bytearray(active.to_bytes(length, "little")) if not len(self.blocks) % STRIDE else None)
        self.crossing.append(None)
        self.blocks.append(block)
        block.started = marked(numbers, length)
        begun = int.from_bytes(block.started, "little")
        ended = int.from_bytes(marked(end_numbers, length), "little")
        if begun.bit_count() == len(numbers) and ended.bit_count() == len(end_numbers):
            flips = begun ^ ended
        else:  # some start or end twice here: one of each pair undoes the other
            data = bytearray(length)
            for number in chain(numbers, end_numbers):
                data[number >> 3] ^= 1 << (number & 7)
            flips = int.from_bytes(data, "little")
        block.flips = bytearray(flips.to_bytes(length, "little"))
        return block, active ^ flips

    def _fill(self, block: Block, name: str, keys: Sequence[Any], numbers: Sequence[int]) -> None:
        """Give a block a column of keys, in order, and their ordinals, in the form that suits them. O(B)."""
        if well_binned(keys):
            self._bin(block, name, grouped(keys, numbers))
        else:
            getattr(block, name).fill(keys, numbers)

    def _fill_from(self, block: Block, name: str, bins: Sequence[PostingList]) -> None:
        """Give a block a column of the entries in some bins, in order, in the form that suits them. O(B), or O(bins)."""
        kept = [one for one in bins if one]
        if kept and type(kept[0].key) in SHARED and sum(map(len, kept)) >= OFTEN * len(kept):
            self._bin(block, name, kept)
        else:
            every = list(chain.from_iterable(repeat(one.key, len(one)) for one in kept))
            getattr(block, name).fill(every, list(chain.from_iterable(kept)))

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
        """Cut block *at* until no column in it is past the limit that can be cut."""
        pending = [at]
        while pending:
            at = pending.pop()
            block = self.blocks[at]
            if self._is_crowded(block):
                before = len(self.blocks)
                self._overflow(at)
                if len(self.blocks) > before:  # else it cannot be cut, or not now
                    pending += [at, at + 1]


class _Repeated(Sequence[int]):
    """The places 0, 1, 2 ... of some bins in turn, each as often as its bin has members; not written out."""

    def __init__(self, bins: Sequence[Sized]) -> None:
        self.until = list(accumulate(map(len, bins)))

    def __len__(self) -> int:
        return self.until[-1]

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [bisect_right(self.until, one) for one in range(*at.indices(len(self)))]
        return bisect_right(self.until, at)


def _rising(keys: Sequence[Any], above: Any, below: Any) -> list[Any]:
    """Return the strictly rising ones of sorted *keys* that lie strictly between two keys (None: no limit)."""
    found: list[Any] = []
    for key in keys:
        if (above is None or above < key) and (below is None or key < below):
            found.append(key)
            above = key
    return found


