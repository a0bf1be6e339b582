"""The starts, or the ends, of one block of the timeline: keys with the ordinals of their resources, in bags.

    seps              7            9
    leaves   [3 4 1 0 6 1]  [8 1 7 3]  [9 0 12 2]     key, ordinal, key, ordinal, ... in any order

Separators are in order; what lies between two of them is not. So an entry goes in by one bisect among a few dozen
separators and an append, which touches the end of one list, where keeping a leaf in order moved a kilobyte in each of
two: in a timeline of a million bookings, which is in no cache, that was most of what a booking cost. A question sees
whole leaves, and compares the keys of the one leaf that its own key falls into.

A leaf that grows past `LEAF` is parted at the median of a few of its keys, without sorting it. A leaf of equal keys
cannot be; it grows.

Which side of a separator its equals lie on follows the blocks' cuts, so that a block can be cut at a separator:

    holds_low        seps[i-1] <= key <  seps[i]      starts, half-open; ends, closed
    else             seps[i-1] <  key <= seps[i]      ends, half-open; starts, closed

Where keys repeat, a column takes the form of `bookcore.index.posting_column` instead, where all are equal that of `bookcore.index.constant_column`.

Invariants: the line above, for each leaf i; separators ascend strictly; ``len(leaves) == len(seps) + 1``; only a single
leaf may be empty.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import accumulate, compress, pairwise
from operator import itemgetter
from typing import Any

__all__ = ["LEAF", "SHARED", "Column"]

LEAF = 128
"""How many entries a leaf holds before it is parted: what a question may have to compare one by one at either end."""

SHARED = frozenset({datetime, date, int, str})
"""Types whose equal keys may stand for each other: immutable, and equal only when nothing tells them apart."""

_first = itemgetter(0)


def _alike(keys: list[Any]) -> bool:
    """Tell whether keys are all one, if that can be told at once: as a rule they are the same object. O(B), in C."""
    return type(keys[0]) in SHARED and keys.count(keys[0]) == len(keys)


def _highest(keys: list[Any]) -> Any:
    """Return a key that no other is after, by ``<`` alone: `max` would ask ``>``."""
    highest = keys[0]
    for key in keys:
        if highest < key:
            highest = key
    return highest


class Column:
    """Keys with ordinals. Complexity, with B of them: a change O(log B), amortised; a question O(LEAF + answers)."""

    __slots__ = ("count", "holds_low", "leaves", "seps")
    uniform = False  # whether this is a `ConstantColumn`
    binned = False  # whether this is `PostingColumn`

    def __init__(self, holds_low: bool) -> None:
        self.holds_low = holds_low
        self.leaves: list[list[Any]] = [[]]
        self.seps: list[Any] = []
        self.count = 0

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

    # -- one entry ---------------------------------------------------------------------------------

    def leaf_of(self, key: Any) -> int:
        """Return which leaf *key* belongs to. All before it lie before the key, all after it after."""
        return bisect_right(self.seps, key) if self.holds_low else bisect_left(self.seps, key)

    def insert(self, at: int, key: Any, number: int) -> None:
        """Put an entry into its leaf. Compares nothing, unless the leaf is parted."""
        self.count += 1
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
            low, high = min(keys), _highest(keys)
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
        for leaf in self.leaves:
            for number in leaf[1::2]:
                data[number >> 3] ^= 1 << (number & 7)

    def forget(self, number: int) -> int:
        """Take out all entries of an ordinal; return how many. Compares nothing. O(B)."""
        gone = 0
        for at in range(len(self.leaves) - 1, -1, -1):
            leaf = self.leaves[at]
            for place in range(len(leaf) // 2 - 1, -1, -1):
                if leaf[2 * place + 1] == number:
                    self.delete(at, place, number)
                    gone += 1
        return gone

    # -- in two, and together ----------------------------------------------------------------------

    def middle(self) -> Any:
        """Return a key at which a block can be cut, near the middle, or None if there is none. O(leaves)."""
        if not self.seps and not self.part(0):
            return None
        # at a separator: the leaves stay as they are
        ends = list(accumulate(map(len, self.leaves[:-1])))  # by separator, two list items an entry
        return self.seps[min(range(len(ends)), key=lambda place: abs(ends[place] - self.count))]

    def right_of(self, cut: Any) -> tuple[int, list[bool]]:
        """Return from which leaf on all lie right of a cut, and which entries of the leaf before do."""
        at = self.leaf_of(cut)
        keys = self.leaves[at][::2]
        return at + 1, [not key < cut for key in keys] if self.holds_low else [cut < key for key in keys]

    def cut(self, part: tuple[int, list[bool]]) -> tuple[Column, Column]:
        """Take out what `right_of` named; return what is left, and that, as columns. Compares nothing."""
        at, chosen = part
        leaf = self.leaves[at - 1]
        both = [leaf[::2], leaf[1::2]]
        after: list[Any] = [None] * (2 * sum(chosen))
        before: list[Any] = [None] * (len(leaf) - len(after))
        stay = [not one for one in chosen]
        for side in (0, 1):
            before[side::2], after[side::2] = compress(both[side], stay), compress(both[side], chosen)
        left_leaves, left_seps = [*self.leaves[: at - 1], before], self.seps[: at - 1]
        right_leaves, right_seps = [after, *self.leaves[at:]], self.seps[at - 1 :]
        if not before and left_seps:
            del left_leaves[-1], left_seps[-1]
        if not after and right_seps:  # else what separated the cut leaf from the next one still does
            del right_leaves[0], right_seps[0]
        right = Column(self.holds_low)
        self.leaves, self.seps, right.leaves, right.seps = left_leaves, left_seps, right_leaves, right_seps
        self.count, right.count = sum(map(len, left_leaves)) // 2, sum(map(len, right_leaves)) // 2
        return self, right

    def join(self, cut: Any, other: Column) -> None:
        """Put the entries of *other*, which lie right of a cut, behind these. Compares nothing."""
        if not other.count:
            return
        if not self.count:
            self.leaves, self.seps = other.leaves, other.seps
        else:
            self.seps = [*self.seps, cut, *other.seps]
            self.leaves = self.leaves + other.leaves
        self.count += other.count

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(B)."""
        if len(self.leaves) != len(self.seps) + 1 or (self.seps and not all(self.leaves)):
            raise AssertionError("a column out of shape")
        if sum(map(len, self.leaves)) != 2 * self.count:
            raise AssertionError("a column miscounted")
        if any(not one < two for one, two in pairwise(self.seps)):
            raise AssertionError("separators out of order")
        for at, leaf in enumerate(self.leaves):
            if any(self.leaf_of(key) != at for key in leaf[::2]):
                raise AssertionError("a key in the wrong leaf")
