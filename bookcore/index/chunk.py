"""One block of the timeline: what happens between two cuts.

    columns      the starts and the ends in it, with their ordinals, in whatever form suits them
    bitmaps      who starts in it, and whose state differs at its two ends
    tails        ordinals of starts and ends that are in bins, and not yet in the bitmaps

Where keys repeat, a booking adds its ordinal to a bin and to the end of a tail. To set three bits as well would be to wait
for memory a dozen times; done for dozens at a time, when a tail is long or somebody wants to see the bitmaps (`absorb`),
they mostly lie in the cache. What a question may find undone is at most `TAIL` a tail.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from bookcore.index.bitmap import MASKS
from bookcore.index.column import Column
from bookcore.index.constant_column import ConstantColumn
from bookcore.index.posting_column import PostingColumn

__all__ = ["STRIDE", "TAIL", "AnyColumn", "Block", "flip", "marked", "put"]

STRIDE = 8
"""Every which block has a bitmap of who is busy across its left cut. The others' are found from it: a question flips up
to twice as many bitmaps, 1 us each for 100,000 resources; a booking sets one bit in so many blocks it crosses."""

TAIL = 64
"""How many ordinals a block puts off marking, of starts and of ends."""

AnyColumn: TypeAlias = Column | PostingColumn | ConstantColumn


class Block:
    """One stretch of the axis between two cuts: its events, who starts in it, and whose state differs at its two ends.

    Each of the two bitmaps is held as its data and as the int made of it, None since the last change: a `Bitmap` taken
    apart, because each object on the way to a bit is a wait for memory. ``at`` is its place among the blocks.
    ``patience`` is how long its tails may get: 0 once something was absorbed for others than an addition, so that the next
    one looks whether the block has grown too long.

    Invariant: the bitmaps are what `derive` makes of the columns, but for what is in the tails.
    """

    __slots__ = ("at", "closing", "ends", "flipped", "flips", "opening", "patience", "started", "starting", "starts")

    def __init__(self, closed: bool, at: int = 0) -> None:
        self.at = at
        self.opening: list[int] = []
        self.closing: list[int] = []
        self.patience = TAIL
        self.started = bytearray()
        self.starting: int | None = None
        self.flips = bytearray()
        self.flipped: int | None = None
        self.starts: AnyColumn = Column(not closed)
        self.ends: AnyColumn = Column(closed)

    def absorb(self) -> None:
        """Mark in the bitmaps, and count, what is in the tails. O(TAIL). No key is compared."""
        opening, closing, flips, masks = self.opening, self.closing, self.flips, MASKS
        most = max(max(opening, default=-1), max(closing, default=-1))
        if most < 0:
            return
        for data in (self.started, flips):
            if most >> 3 >= len(data):
                _make_room(data, most)
        if opening:
            self.starts.count += len(opening)
            started = self.started
            for number in opening:
                byte, mask = number >> 3, masks[number & 7]
                started[byte] |= mask
                flips[byte] ^= mask
            self.starting = None
            opening.clear()
        self.ends.count += len(closing)
        for number in closing:
            flips[number >> 3] ^= masks[number & 7]
        closing.clear()
        self.flipped = None
        self.patience = 0

    def who_starts(self) -> int:
        """Return ``started`` as an int. O(1) when nothing changed since the last call, else O(n / 8)."""
        if self.opening:
            self.absorb()
        bits = self.starting
        if bits is None:
            bits = self.starting = int.from_bytes(self.started, "little")
        return bits

    def who_flips(self) -> int:
        """Return ``flips`` as an int. O(1) when nothing changed since the last call, else O(n / 8)."""
        if self.opening or self.closing:
            self.absorb()
        bits = self.flipped
        if bits is None:
            bits = self.flipped = int.from_bytes(self.flips, "little")
        return bits

    def derive(self, length: int) -> None:
        """Make both bitmaps from the columns. O(B)."""
        if isinstance(self.starts, ConstantColumn):  # all at once, not one by one
            self.started = bytearray(length)
            self.starts.toggle(self.started)
        else:
            self.started = marked(self.starts.numbers(), length)
        self.flips = bytearray(length)
        self.starts.toggle(self.flips)
        self.ends.toggle(self.flips)
        self.starting = self.flipped = None
        self.opening.clear()
        self.closing.clear()
        self.patience = TAIL


def marked(numbers: Iterable[int], length: int) -> bytearray:
    """Return the bitmap of *numbers*, so many bytes long."""
    data = bytearray(length)
    masks = MASKS  # a look-up beats a shift
    for number in numbers:
        data[number >> 3] |= masks[number & 7]
    return data


def put(data: bytearray, number: int) -> None:
    """Set a bit, with room for it made first."""
    if number >> 3 >= len(data):
        _make_room(data, number)
    data[number >> 3] |= 1 << (number & 7)


def flip(data: bytearray, number: int) -> None:
    """Flip a bit, with room for it made first."""
    if number >> 3 >= len(data):
        put(data, number)  # beyond the end it was not set
    else:
        data[number >> 3] ^= 1 << (number & 7)


def _make_room(data: bytearray, number: int) -> None:
    """Lengthen a bitmap for an ordinal; by an eighth more, so that a run of new ordinals does not copy each time."""
    data.extend(bytes((number >> 3) + 1 - len(data) + (len(data) >> 3)))
