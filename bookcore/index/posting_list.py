"""The ordinals of one key: in an array while they are few, in a bitmap once they are many.

    key 7    PostingList      [4, 0, 1, 6]       4 bytes an ordinal, in any order
             PostingBitmap    0b1010011          1 bit for every ordinal that there could be

A column of an `OccupancyIndex` keeps a key that occurs often as one of these (see `bookcore.index.column`). The index finds
it by its key in a dict, and through it the chunk, so an addition at a known key compares no keys.

Invariant: an ordinal occurs once at most, since the spans of one ordinal are disjoint.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from sys import byteorder
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from bookcore.index.bitmap import Bitmap, from_ordinals, ordinals

__all__ = ["Posting", "PostingBitmap", "PostingList", "grouped"]

if TYPE_CHECKING:
    _Array = array[int]
else:
    _Array = array


class PostingList(_Array):
    """The ordinals of one key as an array of whole numbers, and the chunk that the key lies in.

    An array holds the numbers side by side, where a list would hold pointers to objects that lie anywhere in memory: a
    search among a thousand of them would wait for memory a thousand times.
    """

    __slots__ = ("chunk", "key")
    chunk: Any
    key: Any

    def __new__(cls, key: Any, chunk: Any, numbers: Iterable[int] = ()) -> Self:
        """Make a posting list of the ordinals given."""
        made: Any = super().__new__(cls, "I", numbers)
        made.key, made.chunk = key, chunk
        return made  # type: ignore[no-any-return]

    def place_of(self, number: int) -> int:
        """Return the position of an ordinal. O(n), by a search for its bytes."""
        data, sought = self.tobytes(), number.to_bytes(self.itemsize, byteorder)
        at = data.index(sought)
        while at % self.itemsize:  # the bytes were found across two neighbouring numbers
            at = data.index(sought, at + 1)
        return at // self.itemsize

    def delete(self, place: int, number: int) -> None:
        """Remove the ordinal at the position that `place_of` returned. O(1)."""
        last = self.pop()
        if place < len(self):
            self[place] = last

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it. O(n)."""
        self[:] = array("I", map(numbers.__getitem__, self))

    def numbers(self) -> list[int]:
        """Return the ordinals, in any order, as a new list. O(n)."""
        return self.tolist()


class PostingBitmap:
    """The ordinals of one key as a bitmap: one bit each, however many they are, and combined at machine speed.

    A chunk of which all starts (or all ends) share one key cannot be cut in two; it need not be, because the bitmap is the
    answer to every question about it.
    """

    __slots__ = ("bits", "chunk", "count", "key")

    def __init__(self, key: Any, chunk: Any, numbers: Sequence[int]) -> None:
        self.key, self.chunk = key, chunk
        bits = from_ordinals(numbers, max(numbers, default=0))
        self.bits = Bitmap(bytearray(bits.to_bytes((bits.bit_length() + 7) >> 3, "little")))
        self.count = bits.bit_count()

    def __len__(self) -> int:
        return self.count

    def append(self, number: int) -> None:
        """Add an ordinal. O(1)."""
        self.count += 1
        self.bits.add(number)

    def place_of(self, number: int) -> int:
        """Return 0 for an ordinal that is in it, as the array form returns a position. Raises: ValueError. O(1)."""
        if number not in self.bits:
            raise ValueError(number)
        return 0

    def delete(self, place: int, number: int) -> None:
        """Remove an ordinal that is in it. O(1)."""
        self.count -= 1
        self.bits.discard(number)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it. O(n)."""
        self.bits.renumber(numbers)

    def numbers(self) -> list[int]:
        """Return the ordinals, ascending, as a new list. O(n)."""
        return list(ordinals(self.bits.value()))


Posting: TypeAlias = PostingList | PostingBitmap


def grouped(keys: Sequence[Any], numbers: Sequence[int]) -> list[PostingList]:
    """Return a posting list for each distinct one of sorted *keys*. O(n + d log n) for d distinct keys."""
    postings: list[PostingList] = []
    low = 0
    while low < len(keys):
        high = bisect_right(keys, keys[low], low)
        postings.append(PostingList(keys[low], None, numbers[low:high]))
        low = high
    return postings
