"""One block of the timeline, and how blocks are cut in two and joined.

    cut          left          |         right
    columns      entries before|entries after            leaf by leaf; only the leaf the cut falls into is looked through
    bitmaps      made anew from the columns of each

Everything that compares keys (`entries_right_of`) comes before anything that changes (`move`), so that a comparison
that fails leaves the block as it was.
"""

from __future__ import annotations

from itertools import compress
from typing import Any

from bookcore.column import Column

__all__ = ["STRIDE", "Block", "entries_right_of", "flip", "join", "marked", "move", "put"]

STRIDE = 8
"""Every which block has a bitmap of who is busy across its left cut. The others' are found from it: a question flips up
to twice as many bitmaps, 1 us each for 100,000 resources; a booking sets one bit in so many blocks it crosses."""


class Block:
    """One stretch of the axis between two cuts: its events, who starts in it, and whose state differs at its two ends.

    Each of the two bitmaps is held as its data and as the int made of it, None since the last change: a `Bitmap` taken
    apart, because each object on the way to a bit is a wait for memory.
    """

    __slots__ = ("ends", "flipped", "flips", "started", "starting", "starts")

    def __init__(self, closed: bool) -> None:
        self.started = bytearray()
        self.starting: int | None = None
        self.flips = bytearray()
        self.flipped: int | None = None
        self.starts = Column(not closed)
        self.ends = Column(closed)

    def who_starts(self) -> int:
        """Return ``started`` as an int. O(1) when nothing changed since the last call, else O(n / 8)."""
        bits = self.starting
        if bits is None:
            bits = self.starting = int.from_bytes(self.started, "little")
        return bits

    def who_flips(self) -> int:
        """Return ``flips`` as an int. O(1) when nothing changed since the last call, else O(n / 8)."""
        bits = self.flipped
        if bits is None:
            bits = self.flipped = int.from_bytes(self.flips, "little")
        return bits

    def derive(self, length: int) -> None:
        """Make both bitmaps from the columns. O(B)."""
        self.started = marked(self.starts, length)
        self.flips = bytearray(length)
        self.starts.toggle(self.flips)
        self.ends.toggle(self.flips)
        self.starting = self.flipped = None


def put(data: bytearray, number: int) -> None:
    """Set a bit, with room for it made first; by an eighth more, so that a run of new ordinals does not copy each time."""
    byte = number >> 3
    if byte >= len(data):
        data.extend(bytes(byte + 1 - len(data) + (len(data) >> 3)))
    data[byte] |= 1 << (number & 7)


def flip(data: bytearray, number: int) -> None:
    """Flip a bit, with room for it made first."""
    if number >> 3 >= len(data):
        put(data, number)  # beyond the end it was not set
    else:
        data[number >> 3] ^= 1 << (number & 7)


def entries_right_of(column: Column, cut: Any) -> tuple[int, list[bool] | None]:
    """Return from which leaf on *column* lies right of a cut, and which entries of the leaf before do; None for none.

    For a uniform column the leaf is 0 if its one key lies right of the cut, else 1.
    """
    if column.uniform:
        right = not column.key < cut if column.holds_low else cut < column.key
        return (0 if right else 1), None
    at = column.leaf_of(cut)
    keys = column.leaves[at][::2]
    return at + 1, [not key < cut for key in keys] if column.holds_low else [cut < key for key in keys]


def move(left: Column, right: Column, part: tuple[int, list[bool] | None]) -> None:
    """Move the entries that `entries_right_of` named to *right*, an empty column of the same kind. Compares nothing."""
    at, chosen = part
    if chosen is None:
        if not at:
            right.uniform, right.key, right.bits, right.count = True, left.key, left.bits, left.count
            left.uniform, left.key, left.bits, left.count = False, None, None, 0
        return
    leaf = left.leaves[at - 1]
    both = [leaf[::2], leaf[1::2]]
    after: list[Any] = [None] * (2 * sum(chosen))
    before: list[Any] = [None] * (len(leaf) - len(after))
    stay = [not one for one in chosen]
    for side in (0, 1):
        before[side::2], after[side::2] = compress(both[side], stay), compress(both[side], chosen)
    left_leaves, left_seps = [*left.leaves[: at - 1], before], left.seps[: at - 1]
    right_leaves, right_seps = [after, *left.leaves[at:]], left.seps[at - 1 :]
    if not before and left_seps:
        del left_leaves[-1], left_seps[-1]
    if not after and right_seps:  # else what separated the cut leaf from the next one still does
        del right_leaves[0], right_seps[0]
    left.leaves, left.seps, right.leaves, right.seps = left_leaves, left_seps, right_leaves, right_seps
    left.count, right.count = sum(map(len, left_leaves)) // 2, sum(map(len, right_leaves)) // 2


def join(column: Column, cut: Any, other: Column) -> None:
    """Put the entries of *other*, which lie right of a cut, behind those of *column*. Compares nothing."""
    if not other.count:
        return
    if not column.count:
        column.leaves, column.seps = other.leaves, other.seps
    else:
        column.seps = [*column.seps, cut, *other.seps]
        column.leaves = column.leaves + other.leaves
    column.count += other.count


def marked(column: Column, length: int) -> bytearray:
    """Return the bitmap of the ordinals in a column."""
    data = bytearray(length)
    if column.uniform:
        column.toggle(data)
    for number in column.numbers():
        data[number >> 3] |= 1 << (number & 7)
    return data
