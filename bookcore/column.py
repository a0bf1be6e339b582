"""The starts, or the ends, of one block of the timeline: keys in order, each with the ordinal of its resource.

    lows       1            7            9
    keys     [ 1 3 3 6 ]  [ 7 7 8 ]    [ 9 9 ]         leaves of at most `LEAF` keys
    numbers  [ 4 0 2 1 ]  [ 3 4 1 ]    [ 0 2 ]
    bits       11111b                                  the ordinals in it, where the block wants them

Leaves are short because a timeline of a million bookings is in no cache: inserting moved 8 KB in each of four cold
lists, and that was two thirds of the cost of a booking.

A column whose keys are all equal can drop its lists: the bitmap alone says who is in it (``uniform``). So a million
starts at one instant cost a bit each.

Invariants: keys ascend, within a leaf and from leaf to leaf (equal keys in any order); ``lows[i] is keys[i][0]``; no leaf
is empty, save that an empty column has no leaves; while ``uniform``: one leaf of one key, no numbers, bits not empty.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

from bookcore.bitmap import Bitmap

__all__ = ["Column"]

LEAF = 256
"""How many keys a leaf holds before it is cut: an insert moves 1 KB on average in each of two lists."""


class Column:
    """Keys in order, with ordinals. Complexity, with B keys: changes O(log B + LEAF), scans O(LEAF + answers)."""

    __slots__ = ("bits", "count", "keys", "lows", "numbers", "uniform")

    def __init__(self, bits: Bitmap | None = None) -> None:
        self.keys: list[list[Any]] = []
        self.numbers: list[list[int]] = []
        self.lows: list[Any] = []
        self.count = 0
        self.bits = bits
        self.uniform = False

    def fill(self, keys: Sequence[Any], numbers: Sequence[int]) -> None:
        """Replace the content by these keys, in order, and their numbers. The bitmap is the caller's business. O(B)."""
        step = LEAF * 3 // 4  # room to grow
        self.keys = [list(keys[low : low + step]) for low in range(0, len(keys), step)]
        self.numbers = [list(numbers[low : low + step]) for low in range(0, len(keys), step)]
        self.lows = [leaf[0] for leaf in self.keys]
        self.count = len(keys)

    # -- one entry ---------------------------------------------------------------------------------

    def place(self, key: Any) -> tuple[int, int]:
        """Return the leaf and the position in it where *key* goes, after its equals. Compares, changes nothing."""
        lows = self.lows
        if not lows:
            return 0, 0
        at = bisect_right(lows, key) - 1 if len(lows) > 1 else 0
        if at < 0:
            return 0, 0
        return at, bisect_right(self.keys[at], key)

    def insert(self, at: int, place: int, key: Any, number: int) -> None:
        """Put an entry where `place` said. Compares nothing."""
        self.count += 1
        if self.uniform:
            return
        if not self.lows:
            self.keys.append([key])
            self.numbers.append([number])
            self.lows.append(key)
            return
        leaf = self.keys[at]
        leaf.insert(place, key)
        numbers = self.numbers[at]
        numbers.insert(place, number)
        if not place:
            self.lows[at] = key
        if len(leaf) > LEAF:
            self.halve(at)

    def halve(self, at: int) -> None:
        """Cut a leaf that is too long in two."""
        leaf, numbers = self.keys[at], self.numbers[at]
        half = len(leaf) // 2
        self.keys.insert(at + 1, leaf[half:])
        self.numbers.insert(at + 1, numbers[half:])
        self.lows.insert(at + 1, leaf[half])
        del leaf[half:], numbers[half:]

    def find(self, key: Any, number: int) -> tuple[int, int]:
        """Return the leaf and the position of an entry. O(log B + entries of equal key, in C)."""
        if self.uniform:
            return 0, 0
        at = max(bisect_left(self.lows, key) - 1, 0)
        place = bisect_left(self.keys[at], key)
        while True:
            try:
                return at, self.numbers[at].index(number, place)
            except ValueError:  # the run of equal keys goes on in the next leaf
                at, place = at + 1, 0

    def delete(self, at: int, place: int) -> None:
        """Take out the entry where `find` said. Compares nothing."""
        self.count -= 1
        if self.uniform:
            if not self.count:
                self.uniform = False
                self.keys, self.lows = [], []
            return
        leaf = self.keys[at]
        del leaf[place], self.numbers[at][place]
        if not leaf:
            del self.keys[at], self.numbers[at], self.lows[at]
        elif not place:
            self.lows[at] = leaf[0]

    # -- many entries ------------------------------------------------------------------------------

    def split(self, key: Any, inclusive: bool) -> tuple[int, int]:
        """Return leaf and position such that what lies before them is before *key* (or at it, if *inclusive*)."""
        find = bisect_right if inclusive else bisect_left
        at = max(find(self.lows, key) - 1, 0)
        return (at, find(self.keys[at], key)) if self.lows else (0, 0)

    def ordinals_before(self, at: int, place: int) -> list[int]:
        """Return the ordinals of the entries before a position, in order."""
        found = list(chain.from_iterable(self.numbers[:at]))
        if at < len(self.numbers):
            found += self.numbers[at][:place]
        return found

    def ordinals_from(self, at: int, place: int) -> list[int]:
        """Return the ordinals of the entries from a position on, in order."""
        if at >= len(self.numbers):
            return []
        return self.numbers[at][place:] + list(chain.from_iterable(self.numbers[at + 1 :]))

    def flat(self) -> tuple[list[Any], list[int]]:
        """Return all keys and all numbers, as new lists. O(B)."""
        return list(chain.from_iterable(self.keys)), list(chain.from_iterable(self.numbers))

    def toggle(self, data: bytearray) -> None:
        """Flip in *data* the bit of every entry. O(B)."""
        if self.uniform and self.bits is not None:
            flipped = int.from_bytes(data, "little") ^ self.bits.value()
            data[:] = flipped.to_bytes(len(data), "little")
            return
        for number in chain.from_iterable(self.numbers):
            data[number >> 3] ^= 1 << (number & 7)

    def become_uniform(self) -> None:
        """Drop the lists of a column whose keys are all equal. O(B)."""
        if self.bits is None:
            self.bits = Bitmap()
            for number in chain.from_iterable(self.numbers):
                self.bits.add(number)
        self.uniform = True
        self.keys, self.lows, self.numbers = [[self.lows[0]]], [self.lows[0]], []

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(B)."""
        keys, numbers = self.flat()
        if self.uniform:
            if len(keys) != 1 or numbers or self.bits is None or self.bits.value().bit_count() != self.count:
                raise AssertionError("a uniform column out of shape")
            return
        if not len(keys) == len(numbers) == self.count or not all(self.keys):
            raise AssertionError("a column out of shape")
        if any(leaf[0] is not low for leaf, low in zip(self.keys, self.lows, strict=True)):
            raise AssertionError("lows differ from the leaves'")
        if any(two < one for one, two in pairwise(keys)):
            raise AssertionError("keys out of order")
        if any(len(leaf) > LEAF for leaf in self.keys):
            raise AssertionError("a leaf too long")
