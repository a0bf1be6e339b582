"""One chunk of an occupancy index, and the group of neighbouring chunks that it is in.

    group        checkpoint_bits     ordinals busy across the left edge of its first chunk
                 start_int           ordinals with a start in any of its chunks, made when it is asked for
      chunk      starts, ends        the spans' starts and ends between two heads, with their ordinals: a `Column` each
                 start_bits          ordinals with a start in the chunk
                 delta_bits          ordinals busy at one edge of the chunk and not at the other
                 pending             ordinals in the columns and not yet in the two bitmaps: n for a start, ~n for an end

An addition appends to two columns and to ``pending``. To set the bits at once as well would be to wait for memory at half a
dozen more places; set for dozens of ordinals in one go (`absorb`), when ``pending`` is long or a question reads the
bitmaps, they mostly lie in the processor's cache. A question finds at most ``tail`` ordinals pending in a chunk.

Each bitmap is held as bytes, which take a bit in constant time, and as the int made of them, None since the last change.
"""

from __future__ import annotations

from collections.abc import Mapping

from bookcore.index.bitmap import MASKS, from_ordinals, ordinals
from bookcore.index.column import Column, Ordinals

__all__ = ["Chunk", "Group", "as_bytes", "clear_bit", "flip_bit", "marked", "toggled"]


class Chunk:
    """The starts and ends between two heads.

    ``patience`` is how long ``pending`` may get before an addition absorbs it: 0 after a question has absorbed it, so that
    the next addition looks whether the chunk has grown too long.

    Invariant: the bitmaps are what `derive` makes of the columns, but for what is pending.
    """

    __slots__ = (
        "absorbing", "delta_bits", "delta_int", "ends", "group", "patience", "pending", "start_bits", "start_int", "starts",
    )  # fmt: skip

    def __init__(self, group: Group, starts: Column, ends: Column) -> None:
        self.group = group
        self.starts = starts
        self.ends = ends
        self.pending: list[int] = []
        self.absorbing = False
        self.patience = 0
        self.start_bits = bytearray()
        self.start_int: int | None = None
        self.delta_bits = bytearray()
        self.delta_int: int | None = None

    def absorb(self) -> None:
        """Set in the bitmaps, and count, what is pending. O(pending). No key is compared."""
        pending = self.pending
        if not pending:
            return
        masks = MASKS
        start_bits, delta_bits = self.start_bits, self.delta_bits
        highest, lowest = max(pending), min(pending)
        most = (highest if highest > ~lowest else ~lowest) >> 3
        if self.absorbing:  # the last call was cut off, by Ctrl-C in a question
            self.starts.recount()
            self.ends.recount()
            self.derive(max(most + 1, len(start_bits)))
            self.group.start_int = None
            self.absorbing = False
            pending.clear()
            return
        self.absorbing = True
        for bits in (start_bits, delta_bits):
            if most >= len(bits):
                _lengthen(bits, most)
        begun = 0
        for number in pending:
            if number >= 0:
                byte, mask = number >> 3, masks[number & 7]
                start_bits[byte] |= mask
                delta_bits[byte] ^= mask
                begun += 1
            else:
                number = ~number
                delta_bits[number >> 3] ^= masks[number & 7]
        if begun:
            self.start_int = self.group.start_int = None
        self.delta_int = None
        self.ends.count += len(pending) - begun
        self.starts.count += begun
        self.patience = 0
        self.absorbing = False  # no call comes between this and the next, so Ctrl-C does not either
        pending.clear()

    def started(self) -> int:
        """Return the ordinals with a start in the chunk. O(1) when nothing changed since the last call, else O(n / 8)."""
        if self.pending:
            self.absorb()
        bits = self.start_int
        if bits is None:
            bits = self.start_int = int.from_bytes(self.start_bits, "little")
        return bits

    def delta(self) -> int:
        """Return the ordinals busy at one edge and not at the other. Complexity: as `started`."""
        if self.pending:
            self.absorb()
        bits = self.delta_int
        if bits is None:
            bits = self.delta_int = int.from_bytes(self.delta_bits, "little")
        return bits

    def derive(self, length: int) -> None:
        """Make both bitmaps from the columns. O(entries)."""
        starts = self.starts.every()
        started = marked(starts, length)
        # as a rule no ordinal starts twice in a chunk, and then to mark the starts is to toggle them
        delta = started if started.bit_count() == self.starts.count else toggled(starts, length)
        self.set_bits(started, delta ^ toggled(self.ends.every(), length))

    def set_bits(self, started: int, delta: int) -> None:
        """Replace both bitmaps."""
        self.start_bits, self.delta_bits = as_bytes(started), as_bytes(delta)
        self.start_int = self.delta_int = None

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it. O(entries + n / 8). No key is compared."""
        self.absorb()
        for column in (self.starts, self.ends):
            column.renumber(numbers)
        self.derive((len(numbers) >> 3) + 1)


class Group:
    """Neighbouring chunks with one checkpoint. ``at`` is the position among the groups.

    Invariants: ``checkpoint_bits`` are the ordinals busy across the left edge of the first chunk; ``start_int`` is None or
    the union of the chunks' `Chunk.started`.
    """

    __slots__ = ("at", "checkpoint_bits", "checkpoint_int", "chunks", "start_int")

    def __init__(self, at: int, checkpoint: int) -> None:
        self.at = at
        self.chunks: list[Chunk] = []
        self.checkpoint_bits = as_bytes(checkpoint)
        self.checkpoint_int: int | None = None
        self.start_int: int | None = None

    def checkpoint(self) -> int:
        """Return the ordinals busy across the left edge. O(1) when nothing changed since the last call, else O(n / 8)."""
        bits = self.checkpoint_int
        if bits is None:
            bits = self.checkpoint_int = int.from_bytes(self.checkpoint_bits, "little")
        return bits

    def active(self, chunk: Chunk) -> int:
        """Return the ordinals busy across the left edge of one of the chunks. O(chunks x n / 8), at machine speed."""
        bits = self.checkpoint()
        for each in self.chunks:
            if each is chunk:
                break
            bits ^= each.delta()
        return bits

    def started(self) -> int:
        """Return the ordinals with a start in the group. O(1) when nothing changed, else O(chunks x n / 8)."""
        bits = self.start_int
        if bits is None:
            bits = 0
            for chunk in self.chunks:
                bits |= chunk.started()
            self.start_int = bits
        return bits

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it, in the chunks as well. O(entries + n / 8)."""
        active = from_ordinals([numbers[number] for number in ordinals(self.checkpoint())], len(numbers))
        for chunk in self.chunks:
            chunk.renumber(numbers)
        self.checkpoint_bits = as_bytes(active)
        self.checkpoint_int = self.start_int = None

    def set_active(self, number: int) -> None:
        """Set the bit of an ordinal in the checkpoint. O(1), amortised."""
        byte = number >> 3
        if byte >= len(self.checkpoint_bits):
            _lengthen(self.checkpoint_bits, byte)
        self.checkpoint_bits[byte] |= MASKS[number & 7]
        self.checkpoint_int = None

    def set_inactive(self, number: int) -> None:
        """Clear the bit of an ordinal in the checkpoint. O(1)."""
        clear_bit(self.checkpoint_bits, number)
        self.checkpoint_int = None


def marked(entries: Ordinals, length: int) -> int:
    """Return the bitmap of the ordinals of some entries, made in so many bytes."""
    data = bytearray(length)
    masks = MASKS  # a look-up takes two thirds of the time of a shift
    numbers, bitmaps = entries
    for number in numbers:
        data[number >> 3] |= masks[number & 7]
    bits = int.from_bytes(data, "little")
    for bitmap in bitmaps:
        bits |= bitmap
    return bits


def toggled(entries: Ordinals, length: int) -> int:
    """Return the bitmap of the ordinals that have an odd number of entries, made in so many bytes."""
    data = bytearray(length)
    masks = MASKS
    numbers, bitmaps = entries
    for number in numbers:
        data[number >> 3] ^= masks[number & 7]
    bits = int.from_bytes(data, "little")
    for bitmap in bitmaps:
        bits ^= bitmap
    return bits


def as_bytes(bits: int) -> bytearray:
    """Return a bitmap as bytes that can be changed."""
    return bytearray(bits.to_bytes((bits.bit_length() + 7) >> 3, "little"))


def clear_bit(data: bytearray, number: int) -> None:
    """Clear the bit of an ordinal."""
    if number >> 3 < len(data):
        data[number >> 3] &= ~MASKS[number & 7]


def flip_bit(data: bytearray, number: int) -> None:
    """Flip the bit of an ordinal, with room for it made first."""
    if number >> 3 >= len(data):
        _lengthen(data, number >> 3)
    data[number >> 3] ^= MASKS[number & 7]


def _lengthen(data: bytearray, byte: int) -> None:
    """Make room for a byte, and an eighth more, so that a run of new ordinals does not copy the bytes each time."""
    data.extend(bytes(byte + 1 - len(data) + (len(data) >> 3)))
