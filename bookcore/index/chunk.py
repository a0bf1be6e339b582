"""One chunk of an occupancy index, and the group of neighbouring chunks that it is in.

    group        checkpoint          ordinals busy across the left edge of its first chunk
                 start_int           ordinals with a start in any of its chunks, made when it is asked for
      chunk      starts, ends        the spans' starts and ends between two heads, with their ordinals: a `Column` each
                 late_starts         starts that are not in the column yet: key, ordinal, key, ordinal ...
                 late_ends           ends, likewise
                 start_bits          ordinals with a start in the chunk
                 delta_bits          ordinals busy at one edge of the chunk and not at the other

An addition appends to the two lists of late entries and does no more. To put an entry into its column at once, and to set
its bits, would be to wait for memory at a dozen places; done for dozens of entries in one go (`absorb`), these mostly lie
in the processor's cache. An addition leaves at most ``room`` // 2 late starts in a chunk, and as many late ends. A
question sets their bits, and leaves them where they are.
The bitmaps of a chunk that was cut are stale: they are made when they are asked for, which may be after the next cut.

The int of each `Bitmap` is None since the last change or addition, so that a question sets the bits of late entries first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from bookcore.index.bitmap import MASKS, Bitmap, from_ordinals
from bookcore.index.column import Column, Ordinals


class Chunk:
    """The starts and ends between two heads.

    Invariants: unless ``stale``, the bitmaps are what `derive` makes of the columns, and of the late entries up to
    ``marked``, which are two positions in their lists. Keys of late entries can be compared with each other, and with those
    in the columns, without an error.
    """

    __slots__ = ("delta_bits", "ends", "group", "late_ends", "late_starts", "marked", "stale", "start_bits", "starts")

    def __init__(self, group: Group, starts: Column, ends: Column) -> None:
        self.group = group
        self.starts = starts
        self.ends = ends
        self.late_starts: list[Any] = []
        self.late_ends: list[Any] = []
        self.marked = (0, 0)
        self.stale = True
        self.start_bits, self.delta_bits = Bitmap(), Bitmap()

    def mark(self) -> None:
        """Have the bitmaps complete. O(late entries), or O(entries) if they are stale. No key is compared."""
        if self.stale:
            self.derive()
            return
        begun, ended = self.marked
        if len(self.late_starts) > begun or len(self.late_ends) > ended:
            self._set(self.late_starts[begun + 1 :: 2], self.late_ends[ended + 1 :: 2])

    def _set(self, starts: Sequence[int], ends: Sequence[int]) -> None:
        """Set the ordinals of starts and ends in the bitmaps, which are then complete. O(ordinals)."""
        masks = MASKS
        marked = len(self.late_starts), len(self.late_ends)
        self.stale = True  # until it is done: it may be cut off, by Ctrl-C in a question
        most = max(max(starts, default=0), max(ends, default=0)) >> 3
        for bits in (self.start_bits, self.delta_bits):
            if most >= len(bits.data):
                bits.lengthen(most)
        start_bits, delta_bits = self.start_bits.data, self.delta_bits.data
        for number in starts:
            byte, mask = number >> 3, masks[number & 7]
            start_bits[byte] |= mask
            delta_bits[byte] ^= mask
        for number in ends:
            delta_bits[number >> 3] ^= masks[number & 7]
        # no call comes between these, so Ctrl-C does not either
        if starts:
            self.start_bits.cached = None
        self.delta_bits.cached = None
        self.marked = marked
        self.stale = False

    def absorb(self, marking: bool = True) -> None:
        """Put the late entries into the columns. O(late entries x log entries). The bitmaps are then complete, or stale."""
        late_starts, late_ends = self.late_starts, self.late_ends
        if not late_starts and not late_ends:
            return
        begun, ended = self.marked
        starts, ends = late_starts[begun + 1 :: 2], late_ends[ended + 1 :: 2]
        self.starts.insert_all(late_starts)
        self.ends.insert_all(late_ends)
        late_starts.clear()
        late_ends.clear()
        self.marked = 0, 0
        if not marking:
            self.drop_bits()
        elif not self.stale:
            self._set(starts, ends)

    def drop_bits(self) -> None:
        """Leave the bitmaps to be made when they are asked for. O(1)."""
        self.stale = True
        self.start_bits, self.delta_bits = Bitmap(), Bitmap()

    def size(self) -> int:
        """Return the number of starts and ends. O(1)."""
        return len(self.starts.keys) + len(self.ends.keys) + (len(self.late_starts) + len(self.late_ends)) // 2

    def insert_start(self, place: int, key: Any, number: int) -> None:
        """Put a start at its place in the column and set it in the bitmaps; no entry is late. Compares nothing."""
        self.starts.insert(place, key, number)
        self.group.start_int = None
        if not self.stale:
            self._set((number,), ())

    def insert_end(self, place: int, key: Any, number: int) -> None:
        """Put an end at its place in the column and set it in the bitmaps; no entry is late. Compares nothing."""
        self.ends.insert(place, key, number)
        if not self.stale:
            self._set((), (number,))

    def find_start(self, key: Any, number: int) -> int:
        """Return the place of a start, for `delete_start`: below 0 if it is late. Complexity: as `Column.find`."""
        place = self.starts.find(key, number)
        return place if place >= 0 else ~_late_place(self.late_starts, key, number)

    def find_end(self, key: Any, number: int) -> int:
        """Return the place of an end, for `delete_end`: below 0 if it is late. Complexity: as `Column.find`."""
        place = self.ends.find(key, number)
        return place if place >= 0 else ~_late_place(self.late_ends, key, number)

    def delete_start(self, place: int, number: int, others: bool) -> None:
        """Remove a start, whose ordinal has *others* in the chunk or not. Compares nothing."""
        is_marked = not self.stale
        if place >= 0:
            self.starts.delete(place)
        else:
            begun, ended = self.marked
            del self.late_starts[2 * ~place : 2 * ~place + 2]
            if 2 * ~place < begun:
                self.marked = begun - 2, ended
            else:
                is_marked = False
        if not others:  # also if it was late: it may be set for another one, removed before
            self.start_bits.discard(number)
            self.group.start_int = None
        if is_marked:
            self.delta_bits.toggle(number)

    def delete_end(self, place: int, number: int) -> None:
        """Remove an end. Compares nothing."""
        is_marked = not self.stale
        if place >= 0:
            self.ends.delete(place)
        else:
            begun, ended = self.marked
            del self.late_ends[2 * ~place : 2 * ~place + 2]
            if 2 * ~place < ended:
                self.marked = begun, ended - 2
            else:
                is_marked = False
        if is_marked:
            self.delta_bits.toggle(number)

    def starts_before(self, key: Any, inclusive: bool, worth: int) -> Ordinals:
        """Return the ordinals of the starts before *key* (or at it, if *inclusive*). O(log n + answers).

        Where the others are fewer, by more than *worth*, the answer is the bitmap of all without them; unless an ordinal has
        two starts.
        """
        column, late = self.starts, self.late_starts
        place = (bisect_right if inclusive else bisect_left)(column.keys, key)
        if 2 * place > len(column.keys) + worth and column.bits is None:
            every = self.started()
            if every.bit_count() == len(column.keys) + len(late) // 2:
                others = column.numbers[place:].tolist() + _late(late, key, inclusive, False)
                return [], [every ^ from_ordinals(others, every.bit_length())]
        numbers, bitmaps = column.slice(0, place)
        return numbers + _late(late, key, inclusive, True), bitmaps

    def ends_after(self, key: Any, inclusive: bool, worth: int) -> Ordinals:
        """Return the ordinals of the ends after *key* (or at it, if *inclusive*), in the way of `starts_before`."""
        column, late = self.ends, self.late_ends
        place = (bisect_left if inclusive else bisect_right)(column.keys, key)
        if 2 * place + worth < len(column.keys) and column.bits is None:
            started = self.started()
            every = started ^ self.delta()  # if no ordinal has two starts
            counts = len(self.starts.keys) + len(self.late_starts) // 2, len(column.keys) + len(late) // 2
            if (started.bit_count(), every.bit_count()) == counts:
                others = column.numbers[:place].tolist() + _late(late, key, not inclusive, True)
                return [], [every ^ from_ordinals(others, every.bit_length())]
        numbers, bitmaps = column.slice(place, len(column.keys))
        return numbers + _late(late, key, not inclusive, False), bitmaps

    def late(self) -> tuple[Column, Column]:
        """Return the late starts and the late ends as new columns. O(late entries x log of their number)."""
        starts, ends = Column(), Column()
        starts.insert_all(self.late_starts)
        ends.insert_all(self.late_ends)
        return starts, ends

    def all_starts(self) -> Ordinals:
        """Return the ordinals of all starts. O(entries). No key is compared."""
        numbers, bitmaps = self.starts.every()
        return numbers + self.late_starts[1::2], bitmaps

    def all_ends(self) -> Ordinals:
        """Return the ordinals of all ends. O(entries). No key is compared."""
        numbers, bitmaps = self.ends.every()
        return numbers + self.late_ends[1::2], bitmaps

    def started(self) -> int:
        """Return the ordinals with a start in the chunk. O(1) when nothing changed since the last call, else O(n / 8)."""
        bits = self.start_bits.cached
        if bits is None:
            self.mark()
            bits = self.start_bits.value()
        return bits

    def delta(self) -> int:
        """Return the ordinals busy at one edge and not at the other. Complexity: as `started`."""
        bits = self.delta_bits.cached
        if bits is None:
            self.mark()
            bits = self.delta_bits.value()
        return bits

    def derive(self) -> None:
        """Make both bitmaps anew from the columns and the late entries. O(entries)."""
        starts, ends = self.all_starts(), self.all_ends()
        length = (max(map(max, filter(None, (starts[0], ends[0]))), default=0) >> 3) + 1
        started = marked(starts, length)
        # as a rule no ordinal starts twice in a chunk, and then to mark the starts is to toggle them
        once = started.bit_count() == len(starts[0]) + sum(bits.bit_count() for bits in starts[1])
        delta = (started if once else toggled(starts, length)) ^ toggled(ends, length)
        start_bits, delta_bits = Bitmap(started), Bitmap(delta)
        marked_now = len(self.late_starts), len(self.late_ends)
        start_bits.cached, delta_bits.cached = started, delta
        # no call comes between these, so Ctrl-C does not either
        self.start_bits, self.delta_bits = start_bits, delta_bits
        self.marked = marked_now
        self.stale = False

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it. O(entries + n / 8)."""
        self.absorb()
        for column in (self.starts, self.ends):
            column.renumber(numbers)
        self.drop_bits()


class Group:
    """Neighbouring chunks with one checkpoint. ``at`` is the position among the groups.

    Invariants: ``checkpoint`` has the ordinals busy across the left edge of the first chunk; ``start_int`` is None or the
    union of the chunks' `Chunk.started`.
    """

    __slots__ = ("at", "checkpoint", "chunks", "start_int")

    def __init__(self, at: int, active: int) -> None:
        self.at = at
        self.chunks: list[Chunk] = []
        self.checkpoint = Bitmap(active)
        self.start_int: int | None = None

    def active(self, chunk: Chunk | None) -> int:
        """Return the ordinals busy across the left edge of one of the chunks. O(chunks x n / 8), at machine speed.

        None: across the right edge of the last one.
        """
        bits = self.checkpoint.value()
        for each in self.chunks:
            if each is chunk:
                break
            delta = each.delta_bits.cached
            bits ^= each.delta() if delta is None else delta
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
        for chunk in self.chunks:
            chunk.renumber(numbers)
        self.checkpoint.renumber(numbers)
        self.start_int = None


def _late(late: Sequence[Any], key: Any, inclusive: bool, before: bool) -> list[int]:
    """Return the ordinals of the late entries *before* a key (or at it, if *inclusive*), or those of the others."""
    if not late:
        return []
    pairs = zip(late[::2], late[1::2], strict=True)
    if inclusive:  # `not` makes a bool of what a key of the program's own returns
        return [number for own, number in pairs if (not key < own) is before]
    return [number for own, number in pairs if (not own < key) is not before]


def _late_place(late: Sequence[Any], key: Any, number: int) -> int:
    """Return which of some late entries has this key and ordinal. O(late entries). Raises: ValueError."""
    numbers = late[1::2]
    at = numbers.index(number)
    while late[2 * at] is not key and (late[2 * at] < key or key < late[2 * at]):
        at = numbers.index(number, at + 1)
    return at


def marked(entries: Ordinals, length: int) -> int:
    """Return the bitmap of the ordinals of some entries, made in so many bytes."""
    numbers, bitmaps = entries
    bits = from_ordinals(numbers, 8 * length - 1)
    for bitmap in bitmaps:
        bits |= bitmap
    return bits


def toggled(entries: Ordinals, length: int) -> int:
    """Return the bitmap of the ordinals that have an odd number of entries, made in so many bytes."""
    data = bytearray(length)
    masks = MASKS  # a look-up takes two thirds of the time of a shift
    numbers, bitmaps = entries
    for number in numbers:
        data[number >> 3] ^= masks[number & 7]
    bits = int.from_bytes(data, "little")
    for bitmap in bitmaps:
        bits ^= bitmap
    return bits
