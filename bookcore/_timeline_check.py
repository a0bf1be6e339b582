"""The invariants of a `Timeline`, checked against its columns."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from bookcore.block import STRIDE

if TYPE_CHECKING:
    from bookcore.timeline import Timeline

__all__ = ["check_timeline"]


def check_timeline(timeline: Timeline) -> None:
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
    count = active.bit_count()
    for at, block in enumerate(timeline.blocks):
        known = timeline.actives[at]
        if timeline._active(at) != active or (known is not None and int.from_bytes(known, "little") != active):
            fail(f"active of block {at} is wrong")
        for bits, made in ((block.starting, block.started), (block.flipped, block.flips)):
            if bits is not None and bits != int.from_bytes(made, "little"):
                fail(f"the bitmaps of block {at} differ")
        left = cuts[at - 1] if at else None
        right = cuts[at] if at < len(cuts) else None
        for column, starts_like in ((block.starts, not closed), (block.ends, closed)):
            column.check()
            for key in [column.key] if column.uniform else column.flat()[0]:
                if left is not None and (key < left if starts_like else not left < key):
                    fail(f"{key} lies before its block")
                if right is not None and (not key < right if starts_like else right < key):
                    fail(f"{key} lies after its block")
        seen = block.starts.bits.value() if block.starts.uniform else 0  # type: ignore[union-attr]
        for number in block.starts.numbers():
            seen |= 1 << number
        if seen != block.who_starts():
            fail(f"started of block {at} is wrong")
        count += block.starts.count
        data = bytearray((timeline.size >> 3) + 1)
        block.starts.toggle(data)
        block.ends.toggle(data)
        if int.from_bytes(data, "little") != block.who_flips():
            fail(f"flips of block {at} is wrong")
        active ^= block.who_flips()
    if count != timeline.count:
        fail(f"{count} spans, {timeline.count} counted")
