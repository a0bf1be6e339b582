"""The starts, or the ends, of one block of the timeline: keys with the ordinals of their resources, in bags.

    seps              7            9
    leaves   [3 4 1 0 6 1]  [8 1 7 3]  [9 0 12 2]     key, ordinal, key, ordinal, ... in any order

Separators are in order; what lies between two of them is not. So an entry goes in by one bisect among a few dozen
separators and an append, which touches the end of one list, where keeping a leaf in order moved a kilobyte in each of
two: in a timeline of a million bookings, which is in no cache, that was most of what a booking cost. A question sees
whole leaves, and compares the keys of the one leaf that its own key falls into.

A leaf that grows past `LEAF` is parted at the median of a few of its keys, without sorting it. A leaf of equal keys
cannot be; it grows. A column whose keys are all equal can drop its leaves: the bitmap alone says who is in it
(``uniform``), so that a million starts at one instant cost a bit each.

Which side of a separator its equals lie on follows the blocks' cuts, so that a block can be cut at a separator:

    holds_low        seps[i-1] <= key <  seps[i]      starts, half-open; ends, closed
    else             seps[i-1] <  key <= seps[i]      ends, half-open; starts, closed

Invariants: the line above, for each leaf i; separators ascend strictly; ``len(leaves) == len(seps) + 1``; only a single
leaf may be empty; while ``uniform``: ``key`` is the one key, no separators, one empty leaf, bits not empty.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import chain, compress, pairwise, repeat
from operator import itemgetter
from typing import Any

from bookcore.bitmap import Bitmap

__all__ = ["LEAF", "SHARED", "Column"]

LEAF = 128
"""How many entries a leaf holds before it is parted: what a question may have to compare one by one at either end."""

SHARED = frozenset({datetime, date, int, str})
"""Types whose equal keys may stand for each other: immutable, and equal only when nothing tells them apart."""

_first = itemgetter(0)


def _alike(keys: list[Any]) -> bool:
    """Tell whether keys are all one, if that can be told at once: as a rule they are the same object. O(B), in C."""
    return type(keys[0]) in SHARED and keys.count(keys[0]) == len(keys)


class Column:
    """Keys with ordinals. Complexity, with B of them: a change O(log B), amortised; a question O(LEAF + answers)."""

    __slots__ = ("bits", "count", "holds_low", "key", "leaves", "seps", "uniform")

    def __init__(self, holds_low: bool) -> None:
        self.holds_low = holds_low
        self.leaves: list[list[Any]] = [[]]
        self.seps: list[Any] = []
        self.count = 0
        self.bits: Bitmap | None = None  # only while uniform
        self.key: Any = None  # only while uniform
        self.uniform = False

    def fill(self, keys: Sequence[Any], numbers: Sequence[int]) -> None:
        """Replace the content by these keys, in order, and their numbers. O(B)."""
        step = LEAF * 3 // 4  # room to grow
        self.leaves, self.seps = [], []
        self.count = total = len(keys)
        low = 0
        while low < total or not self.leaves:
            high = min(low + step, total)
            if high < total and not keys[high - 1] < keys[high]:
                # equal keys stay together: before them, or if there is nothing before them, after them
                high = bisect_left(keys, keys[high], low, high)
                if high == low:
                    high = bisect_right(keys, keys[low], low, total)
            leaf: list[Any] = [None] * (2 * (high - low))
            leaf[::2], leaf[1::2] = keys[low:high], numbers[low:high]
            self.leaves.append(leaf)
            if high < total:
                self.seps.append(keys[high] if self.holds_low else keys[high - 1])
            low = high

    def fill_from(self, keys: Sequence[Any], bins: Sequence[list[int]]) -> None:
        """Replace the content by distinct keys, in order, and the numbers that go with each. O(B + keys)."""
        self.count = total = sum(map(len, bins))
        if total < 8 * len(keys):  # hardly two of a kind
            self.fill(list(chain.from_iterable(map(repeat, keys, map(len, bins)))), list(chain.from_iterable(bins)))
            return
        step = 2 * (LEAF * 3 // 4)  # as in `fill`, in list items
        self.leaves, self.seps = [], []
        leaf: list[Any] = []
        last: Any = None
        for key, numbers in zip(keys, bins, strict=True):
            if not numbers:
                continue
            part: list[Any] = [key] * (2 * len(numbers))
            part[1::2] = numbers
            if not leaf:
                leaf = part
            elif len(leaf) + len(part) > step:
                self.leaves.append(leaf)
                self.seps.append(key if self.holds_low else last)
                leaf = part
            else:
                leaf += part
            last = key
        self.leaves.append(leaf)

    # -- one entry ---------------------------------------------------------------------------------

    def leaf_of(self, key: Any) -> int:
        """Return which leaf *key* belongs to. All before it lie before the key, all after it after."""
        return bisect_right(self.seps, key) if self.holds_low else bisect_left(self.seps, key)

    def insert(self, at: int, key: Any, number: int) -> None:
        """Put an entry into its leaf. Compares nothing, unless the leaf is parted."""
        self.count += 1
        if self.uniform:
            self.bits.add(number)  # type: ignore[union-attr]
            return
        leaf = self.leaves[at]
        leaf += (key, number)
        if not len(leaf) % (2 * LEAF):  # not at every entry past it: one of equal keys stays as long as it is
            self.part(at)

    def part(self, at: int) -> bool:
        """Part a leaf in two, if it has two distinct keys and they can be compared now; tell whether it was."""
        leaf = self.leaves[at]
        keys, numbers = leaf[::2], leaf[1::2]
        if _alike(keys):
            return False
        try:
            low, high = min(keys), max(keys)
            if not low < high:
                return False
            sample = sorted(keys[:: max(1, len(keys) // 15)])
            for pivot in (sample[len(sample) // 2], high if self.holds_low else low):
                before = [key < pivot for key in keys] if self.holds_low else [not pivot < key for key in keys]
                count = sum(before)
                if 0 < count < len(keys):
                    break
        except Exception:  # the entry is in, the leaf is only longer than it should be
            return False
        after = [not one for one in before]
        parts = []
        for chosen, size in ((before, count), (after, len(keys) - count)):
            part: list[Any] = [None] * (2 * size)
            part[::2], part[1::2] = compress(keys, chosen), compress(numbers, chosen)
            parts.append(part)
        self.leaves[at : at + 1] = parts
        self.seps.insert(at, pivot)
        return True

    def find(self, at: int, key: Any, number: int) -> int:
        """Return where in its leaf an entry is. O(LEAF), in C where the resource has no other in that leaf."""
        if self.uniform:
            return 0
        leaf = self.leaves[at]
        numbers = leaf[1::2]
        place = numbers.index(number)
        known = leaf[2 * place]
        if known is key or not (known < key or key < known):
            return place
        # the resource has several entries in this leaf: as a rule one of them holds this very object
        found = [place for place, other in enumerate(numbers) if other == number]
        for place in found:
            if leaf[2 * place] is key:
                return place
        return next(place for place in found if not (leaf[2 * place] < key or key < leaf[2 * place]))

    def delete(self, at: int, place: int, number: int) -> None:
        """Take out the entry where `find` said. Compares nothing."""
        self.count -= 1
        if self.uniform:
            self.bits.discard(number)  # type: ignore[union-attr]
            if not self.count:
                self.uniform = False
                self.key = self.bits = None
            return
        leaf = self.leaves[at]
        last, key = leaf.pop(), leaf.pop()
        if 2 * place < len(leaf):
            leaf[2 * place], leaf[2 * place + 1] = key, last
        elif not leaf and self.seps:
            del self.leaves[at], self.seps[min(at, len(self.seps) - 1)]

    # -- many entries ------------------------------------------------------------------------------

    def before(self, key: Any, inclusive: bool) -> list[int]:
        """Return the ordinals of the entries before *key* (or at it, if *inclusive*), in any order."""
        at = self.leaf_of(key)
        found: list[int] = []
        for leaf in self.leaves[:at]:
            found += leaf[1::2]
        leaf = self.leaves[at]
        if inclusive:
            return found + [number for one, number in zip(leaf[::2], leaf[1::2], strict=True) if not key < one]
        return found + [number for one, number in zip(leaf[::2], leaf[1::2], strict=True) if one < key]

    def after(self, key: Any, inclusive: bool) -> list[int]:
        """Return the ordinals of the entries after *key* (or at it, if *inclusive*), in any order."""
        at = self.leaf_of(key)
        leaf = self.leaves[at]
        if inclusive:
            found = [number for one, number in zip(leaf[::2], leaf[1::2], strict=True) if not one < key]
        else:
            found = [number for one, number in zip(leaf[::2], leaf[1::2], strict=True) if key < one]
        for leaf in self.leaves[at + 1 :]:
            found += leaf[1::2]
        return found

    def between(self, low: Any, high: Any, with_low: bool, with_high: bool) -> list[int]:
        """Return the ordinals of the entries after *low* and before *high* (or at them), in any order."""
        at, to = self.leaf_of(low), self.leaf_of(high)
        found: list[int] = []
        for leaf in self.leaves[at + 1 : to]:
            found += leaf[1::2]
        for place in {at, to}:
            leaf = self.leaves[place]
            pairs: Any = zip(leaf[::2], leaf[1::2], strict=True)
            if place == at:
                pairs = [pair for pair in pairs if (not pair[0] < low if with_low else low < pair[0])]
            if place == to:
                pairs = [pair for pair in pairs if (not high < pair[0] if with_high else pair[0] < high)]
            found += [number for _, number in pairs]
        return found

    def pairs_from(self, key: Any) -> Iterator[list[tuple[Any, int]]]:
        """Yield the entries of one leaf after the other, in order, from the leaf on that *key* belongs to."""
        for leaf in self.leaves[self.leaf_of(key) :]:
            yield sorted(zip(leaf[::2], leaf[1::2], strict=True), key=_first)

    def flat(self) -> tuple[list[Any], list[int]]:
        """Return all keys, in order, and their numbers, as new lists. O(B log LEAF)."""
        keys: list[Any] = []
        numbers: list[int] = []
        for leaf in self.leaves:
            pairs = sorted(zip(leaf[::2], leaf[1::2], strict=True), key=_first)
            keys += [key for key, _ in pairs]
            numbers += [number for _, number in pairs]
        return keys, numbers

    def numbers(self) -> list[int]:
        """Return all numbers, in any order, as a new list. Compares nothing. O(B)."""
        found: list[int] = []
        for leaf in self.leaves:
            found += leaf[1::2]
        return found

    def toggle(self, data: bytearray) -> None:
        """Flip in *data* the bit of every entry. O(B)."""
        if self.uniform and self.bits is not None:
            flipped = int.from_bytes(data, "little") ^ self.bits.value()
            data[:] = flipped.to_bytes(len(data), "little")
            return
        for leaf in self.leaves:
            for number in leaf[1::2]:
                data[number >> 3] ^= 1 << (number & 7)

    def forget(self, number: int) -> int:
        """Take out all entries of an ordinal; return how many. Compares nothing. O(B)."""
        if self.uniform:
            if self.bits is None or number not in self.bits:
                return 0
            self.delete(0, 0, number)
            return 1
        gone = 0
        for at in range(len(self.leaves) - 1, -1, -1):
            leaf = self.leaves[at]
            for place in range(len(leaf) // 2 - 1, -1, -1):
                if leaf[2 * place + 1] == number:
                    self.delete(at, place, number)
                    gone += 1
        return gone

    def become_uniform(self) -> None:
        """Drop the leaves of a column whose keys are all equal. O(B)."""
        bits = Bitmap()
        for number in self.numbers():
            bits.add(number)
        self.uniform, self.bits, self.key = True, bits, self.leaves[0][0]
        self.leaves, self.seps = [[]], []

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(B)."""
        if self.uniform:
            if self.seps or self.leaves != [[]] or self.bits is None or self.bits.value().bit_count() != self.count:
                raise AssertionError("a uniform column out of shape")
            return
        if self.bits is not None or len(self.leaves) != len(self.seps) + 1 or (self.seps and not all(self.leaves)):
            raise AssertionError("a column out of shape")
        if sum(map(len, self.leaves)) != 2 * self.count:
            raise AssertionError("a column miscounted")
        if any(not one < two for one, two in pairwise(self.seps)):
            raise AssertionError("separators out of order")
        for at, leaf in enumerate(self.leaves):
            if any(self.leaf_of(key) != at for key in leaf[::2]):
                raise AssertionError("a key in the wrong leaf")
