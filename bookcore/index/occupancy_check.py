"""The invariants of a `OccupancyIndex`, checked against its columns; nothing is absorbed by it."""

from __future__ import annotations

from functools import reduce
from itertools import chain, pairwise
from operator import or_, xor
from typing import TYPE_CHECKING

from bookcore.index.chunk import STRIDE, TAIL
from bookcore.index.column import SHARED
from bookcore.index.posting_column import PostingColumn

if TYPE_CHECKING:
    from bookcore.index.occupancy import OccupancyIndex

__all__ = ["check_timeline"]


def check_timeline(timeline: OccupancyIndex) -> None:
    """Raise AssertionError unless the invariants hold. O(m)."""

    def fail(why: str) -> None:
        raise AssertionError(why)

    cuts, closed = timeline.cuts, timeline.closed
    if len(timeline.blocks) != len(cuts) + 1:
        fail("blocks and cuts differ")
    if any(not one < two for one, two in pairwise(cuts)):
        fail("cuts out of order")
    if not len(timeline.blocks) == len(timeline.actives) == len(timeline.crossing):
        fail("blocks and bitmaps differ")
    spaced = [at for at, data in enumerate(timeline.actives) if data is not None] + [len(timeline.blocks)]
    if spaced[0] != 0 or any(two - one > 2 * STRIDE for one, two in pairwise(spaced)):
        fail("bitmaps too far apart")
    active = int.from_bytes(timeline.actives[0] or b"", "little")
    count, bins = active.bit_count(), 0
    for at, block in enumerate(timeline.blocks):
        known = timeline.actives[at]
        if known is not None and int.from_bytes(known, "little") != active:
            fail(f"active of block {at} is wrong")
        if block.at != at:
            fail(f"block {at} says that it is {block.at}")
        if max(len(block.opening), len(block.closing)) > TAIL:
            fail(f"block {at} puts off too much")
        for column, by_key in ((block.starts, timeline.opens), (block.ends, timeline.closes)):
            tail = block.opening if column is block.starts else block.closing
            if isinstance(column, PostingColumn) and column.count + len(tail) != sum(map(len, column.bins)):
                fail(f"a column of block {at} miscounted")
            if tail and not isinstance(column, PostingColumn):
                fail(f"block {at} puts off what is in no bin")
            for one in column.bins if isinstance(column, PostingColumn) else ():
                bins += type(one.key) in SHARED
                if one.block is not block or (type(one.key) in SHARED and by_key.get(one.key) is not one):
                    fail(f"the bin of {one.key} is not found")
        for bits, made in ((block.starting, block.started), (block.flipped, block.flips)):
            if bits is not None and bits != int.from_bytes(made, "little"):
                fail(f"the bitmaps of block {at} differ")
        left = cuts[at - 1] if at else None
        right = cuts[at] if at < len(cuts) else None
        for column, starts_like in ((block.starts, not closed), (block.ends, closed)):
            column.check()
            for key in column.flat()[0]:
                if left is not None and (key < left if starts_like else not left < key):
                    fail(f"{key} lies before its block")
                if right is not None and (not key < right if starts_like else right < key):
                    fail(f"{key} lies after its block")
        # what is in the tails is in the columns, and not in the bitmaps
        seen = reduce(or_, (1 << number for number in block.starts.numbers()), 0)
        started = int.from_bytes(block.started, "little")
        if started | reduce(or_, (1 << number for number in block.opening), 0) != seen:
            fail(f"started of block {at} is wrong")
        count += block.starts.count + len(block.opening)
        data = bytearray((timeline.size >> 3) + 1)
        block.starts.toggle(data)
        block.ends.toggle(data)
        flips, new = int.from_bytes(data, "little"), chain(block.opening, block.closing)
        if int.from_bytes(block.flips, "little") ^ reduce(xor, (1 << number for number in new), 0) != flips:
            fail(f"flips of block {at} is wrong")
        active ^= flips
    if bins != len(timeline.opens) + len(timeline.closes):
        fail("bins that are in no column")
    if count != timeline.count:
        fail(f"{count} spans, {timeline.count} counted")
