"""The starts, or the ends, of one chunk of an occupancy index: keys in order, and beside each its ordinal.

    keys       3  4  6  7  8  8  10  12
    numbers    1  0  1  4  0  6   2   0          those of equal keys in any order

An insertion is one bisect and two short moves of memory; a question, one bisect and a slice. The numbers are in an array,
which holds them side by side, where a list would hold pointers to objects that lie anywhere in memory.

The keys are a tuple, because a full collection of Python's garbage collector walks through every list, and not through
tuples of plain values. An entry that is inserted or deleted alone makes a list of them, which further ones change in place;
the next insertion of many makes it a tuple again.

A column whose keys are all equal cannot be cut, so it may be of any length. Past the limit of the index it is *uniform*: it
also has a bitmap of its ordinals, which is the answer to every question about it.

Invariants: keys ascend, not strictly; ``bits`` is None, or the keys are equal and it is the bitmap of the ordinals.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain, pairwise, repeat
from sys import byteorder
from typing import Any, TypeAlias

from bookcore.index.bitmap import from_ordinals

SHARED: Mapping[Any, Any] = {datetime: timedelta(0), date: timedelta(0), int: 0, str: ""}
"""Types whose equal keys may stand for each other: immutable, and equal only when nothing tells them apart. With each, what
may be added to such a key without changing it."""

Ordinals: TypeAlias = tuple[list[int], list[int]]
"""Ordinals in any order, each as often as it has entries: some as a list of numbers, the rest as a list of bitmaps."""


class Column:
    """Keys with ordinals. An ordinal has a key once at most.

    Complexity, with n entries: a change O(log n) comparisons and O(n) bytes moved, a question O(log n + answers).
    """

    __slots__ = ("bits", "keys", "numbers")

    def __init__(self, keys: Iterable[Any] = (), numbers: Iterable[int] = ()) -> None:
        self.keys: list[Any] | tuple[Any, ...] = tuple(keys)
        self.numbers = array("I", numbers)
        self.bits: int | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def fill_lists(self, keys: Sequence[Any], numbers: Sequence[array[int]]) -> None:
        """Replace the content by some keys, in order, and the array of ordinals of each, which may be empty. O(n), in C."""
        self.keys = tuple(chain.from_iterable(map(repeat, keys, map(len, numbers))))
        self.numbers = array("I", b"".join(numbers))
        self.bits = None

    # -- one entry ---------------------------------------------------------------------------------

    def place_for(self, key: Any) -> int:
        """Return the place at which an entry with this key may be inserted: behind all equal ones. O(log n).

        A uniform column to which another key comes is a column like others from then on.
        """
        place = bisect_right(self.keys, key)
        if self.bits is not None and (not place or self.keys[0] < key):
            self.bits = None
        return place

    def insert(self, place: int, key: Any, number: int) -> None:
        """Insert an entry at the place that `place_for` returned. Compares nothing."""
        if self.bits is not None:
            self.bits |= 1 << number
        self._listed().insert(place, key)
        self.numbers.insert(place, number)

    def _listed(self) -> list[Any]:
        """Have the keys be a list, which may be changed in place, and return it. O(n) if they were a tuple."""
        keys = self.keys
        if isinstance(keys, tuple):
            keys = self.keys = list(keys)
        return keys

    def insert_all(self, entries: Sequence[Any]) -> None:
        """Insert entries, given as key, ordinal, key, ordinal ... O(entries x log n), and as `insert`."""
        if self.bits is not None:
            for key, number in zip(entries[::2], entries[1::2], strict=True):
                self.insert(self.place_for(key), key, number)
            return
        keys, numbers = self._listed(), self.numbers
        for key, number in zip(entries[::2], entries[1::2], strict=True):
            place = bisect_right(keys, key)
            keys.insert(place, key)
            numbers.insert(place, number)
        self.keys = tuple(keys)

    def find(self, key: Any, number: int) -> int:
        """Return the place of an entry, or -1. O(log n + entries with this key)."""
        keys = self.keys
        low = bisect_left(keys, key)
        if low < len(keys) and self.numbers[low] == number and (keys[low] is key or not key < keys[low]):
            return low  # as a rule, where keys do not repeat
        data, sought = self.numbers[low : bisect_right(self.keys, key, low)].tobytes(), number.to_bytes(4, byteorder)
        at = data.find(sought)
        while at > 0 and at % 4:  # the bytes were found across two neighbouring numbers
            at = data.find(sought, at + 1)
        return low + at // 4 if at >= 0 else -1

    def delete(self, place: int) -> None:
        """Remove the entry at the place that `find` returned. Compares nothing."""
        if self.bits is not None:
            self.bits = self.bits ^ 1 << self.numbers[place] if len(self.keys) > 1 else None
        del self._listed()[place], self.numbers[place]

    # -- many entries ------------------------------------------------------------------------------

    def before(self, key: Any, inclusive: bool) -> Ordinals:
        """Return the ordinals of the entries before *key* (or at it, if *inclusive*)."""
        return self.slice(0, (bisect_right if inclusive else bisect_left)(self.keys, key))

    def after(self, key: Any, inclusive: bool) -> Ordinals:
        """Return the ordinals of the entries after *key* (or at it, if *inclusive*)."""
        return self.slice((bisect_left if inclusive else bisect_right)(self.keys, key), len(self.keys))

    def between(self, low: Any, high: Any, inclusive: bool) -> Ordinals:
        """Return the ordinals of the entries after *low* and before *high* (or at them, if *inclusive*)."""
        keys = self.keys
        if inclusive:
            return self.slice(bisect_left(keys, low), bisect_right(keys, high))
        return self.slice(bisect_right(keys, low), bisect_left(keys, high))

    def every(self) -> Ordinals:
        """Return all ordinals. Compares nothing. O(n)."""
        return self.slice(0, len(self.keys))

    def slice(self, low: int, high: int) -> Ordinals:
        """Return the ordinals of the entries from one place to another; those of a uniform column as its bitmap."""
        if self.bits is not None and low < high:  # its keys are equal, so these are all
            return [], [self.bits]
        return self.numbers[low:high].tolist(), []

    # -- in two, and together ----------------------------------------------------------------------

    def middle(self, holds_low: bool) -> Any:
        """Return a key near the middle at which a chunk can be cut with entries on both sides; None if all keys are equal.

        With *holds_low*, an entry with just this key comes to lie right of the cut, else left of it.
        """
        keys = self.keys
        head = keys[len(keys) // 2]
        if holds_low and not keys[0] < head:
            place = bisect_right(keys, head)
            return keys[place] if place < len(keys) else None
        if not holds_low and not head < keys[-1]:
            place = bisect_left(keys, head)
            return keys[place - 1] if place else None
        return head

    def cut(self, place: int) -> Column:
        """Take out the entries from a place on, and return them as a column. Compares nothing."""
        upper = Column(self.keys[place:], self.numbers[place:])
        if not place:
            upper.bits, self.bits = self.bits, None
        self.keys = tuple(self.keys[:place])
        del self.numbers[place:]
        return upper

    def join(self, other: Column) -> None:
        """Put the entries of *other*, whose keys come after these, behind these; neither is uniform. Compares nothing."""
        self.keys = (*self.keys, *other.keys)
        self.numbers += other.numbers

    def make_uniform(self) -> None:
        """Make the bitmap of a column whose keys are all equal. O(n)."""
        self.bits = from_ordinals(self.numbers, max(self.numbers) + 1)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it. O(n). Compares nothing."""
        self.numbers = array("I", map(numbers.__getitem__, self.numbers))
        if self.bits is not None:
            self.make_uniform()

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(n)."""
        if len(self.keys) != len(self.numbers):
            raise AssertionError("keys and ordinals differ in number")
        if any(upper < lower for lower, upper in pairwise(self.keys)):
            raise AssertionError("keys out of order")
        if self.bits is not None and (
            self.keys[0] < self.keys[-1] or self.bits != from_ordinals(self.numbers, max(self.numbers) + 1)
        ):
            raise AssertionError("a uniform column with other keys, or other ordinals, than its bitmap")
