"""A column of the timeline where keys repeat: the ordinals that go with each key, in a bin of its own.

    keys         7        8       9           in order, each once
    bins     [4 0 1 6]  [1 3]   [0 2]         ordinals, in any order

The timeline finds a bin by its key, in a dict (where the key is of a type in `SHARED`), and by the bin its block: a booking
at keys that have occurred before compares nothing, and touches the ends of two bins. A question sees whole bins; one
bisect says which.

A bin costs some two hundred bytes, so this form is for columns in which a key has `OFTEN` ordinals or more on average
(see `well_binned`); `Column` is for the others, and says what columns are.

Invariants: keys ascend strictly; ``bins[i].key is keys[i]``; no bin is empty. ``count`` is what they hold, less what is in
the block's tail.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from sys import byteorder
from typing import TYPE_CHECKING, Any, Self

from bookcore.index.column import LEAF, SHARED, Column

__all__ = ["OFTEN", "PostingColumn", "PostingList", "grouped", "well_binned"]

OFTEN = 16
"""How many ordinals a key must have on average to be given a bin."""


def well_binned(keys: Sequence[Any]) -> bool:
    """Tell whether keys repeat enough for bins, and are of one type that can be looked up. O(B), at hashing speed."""
    kinds = set(map(type, keys))
    return len(kinds) == 1 and kinds <= SHARED and len(set(keys)) * OFTEN <= len(keys)


if TYPE_CHECKING:
    Ordinals = array[int]
else:
    Ordinals = array


class PostingList(Ordinals):
    """The ordinals that go with one key of one column, and the block that the column is in.

    Four bytes each, side by side, where a list would hold pointers to numbers that lie anywhere: to find one among a
    thousand that are compared one by one is to wait for a thousand places in memory, a hundred times as long.
    """

    __slots__ = ("block", "key")
    block: Any
    key: Any

    def __new__(cls, key: Any, block: Any, numbers: Iterable[int] = ()) -> Self:
        """Make one of the ordinals given."""
        made: Any = super().__new__(cls, "I", numbers)
        made.key, made.block = key, block
        return made  # type: ignore[no-any-return]

    def place_of(self, number: int) -> int:
        """Return where an ordinal is. O(bin), by a search of bytes."""
        data, sought = self.tobytes(), number.to_bytes(self.itemsize, byteorder)
        at = data.index(sought)
        while at % self.itemsize:  # across two ordinals
            at = data.index(sought, at + 1)
        return at // self.itemsize


def grouped(keys: Sequence[Any], numbers: Sequence[int]) -> list[PostingList]:
    """Return a bin for each distinct one of keys in order, with the ordinals that go with it. O(B + d log B)."""
    found: list[PostingList] = []
    low = 0
    while low < len(keys):
        high = bisect_right(keys, keys[low], low)
        found.append(PostingList(keys[low], None, numbers[low:high]))
        low = high
    return found


class PostingColumn:
    """Keys with ordinals. Complexity, with d keys: a change O(log d + bin), a question O(log d + answers)."""

    __slots__ = ("bins", "count", "holds_low", "keys")
    uniform = False
    binned = True

    def __init__(self, holds_low: bool, bins: list[PostingList]) -> None:
        self.holds_low = holds_low
        self.bins = bins
        self.keys = [one.key for one in bins]
        self.count = sum(map(len, bins))  # whoever appends to a bin directly has this follow

    # -- one entry ---------------------------------------------------------------------------------

    def leaf_of(self, key: Any) -> int:
        """Return where a key is, as twice its place, or as that and one less where it is not and would go in. O(log d)."""
        at = bisect_left(self.keys, key)
        return 2 * at if at < len(self.keys) and not key < self.keys[at] else 2 * at - 1

    def insert(self, at: int, key: Any, number: int) -> PostingList | None:
        """Put an entry where `leaf_of` said. Compares nothing. Returns the bin if it is new: its block is to be set."""
        self.count += 1
        if not at & 1:
            self.bins[at >> 1].append(number)
            return None
        new = PostingList(key, None, (number,))
        self.bins.insert(at + 1 >> 1, new)
        self.keys.insert(at + 1 >> 1, key)
        return new

    def find(self, at: int, key: Any, number: int) -> int:
        """Return where in its bin an entry is. O(bin), in C."""
        return self.bins[at >> 1].place_of(number)

    def delete(self, at: int, place: int, number: int) -> PostingList | None:
        """Take out the entry where `find` said. Compares nothing. Returns the bin if it is no more."""
        self.count -= 1
        one = self.bins[at >> 1]
        last = one.pop()
        if place < len(one):
            one[place] = last
        elif not one:
            del self.bins[at >> 1], self.keys[at >> 1]
            return one
        return None

    # -- many entries ------------------------------------------------------------------------------

    def before(self, key: Any, inclusive: bool) -> list[int]:
        """Return the ordinals of the entries before *key* (or at it, if *inclusive*), in any order."""
        high = bisect_right(self.keys, key) if inclusive else bisect_left(self.keys, key)
        return list(chain.from_iterable(self.bins[:high]))

    def after(self, key: Any, inclusive: bool) -> list[int]:
        """Return the ordinals of the entries after *key* (or at it, if *inclusive*), in any order."""
        low = bisect_left(self.keys, key) if inclusive else bisect_right(self.keys, key)
        return list(chain.from_iterable(self.bins[low:]))

    def between(self, low: Any, high: Any, with_low: bool, with_high: bool) -> list[int]:
        """Return the ordinals of the entries after *low* and before *high* (or at them), in any order."""
        at = bisect_left(self.keys, low) if with_low else bisect_right(self.keys, low)
        to = bisect_right(self.keys, high) if with_high else bisect_left(self.keys, high)
        return list(chain.from_iterable(self.bins[at:to]))

    def pairs_from(self, key: Any) -> Iterator[list[tuple[Any, int]]]:
        """Yield the entries of one bin after the other, in order, from *key* on."""
        for one in self.bins[bisect_left(self.keys, key) :]:
            yield [(one.key, number) for number in one]

    def flat(self) -> tuple[list[Any], list[int]]:
        """Return all keys, in order, and their numbers, as new lists. O(B)."""
        return [one.key for one in self.bins for _ in one], self.numbers()

    def numbers(self) -> list[int]:
        """Return all numbers, in order of their keys, as a new list. O(B)."""
        return list(chain.from_iterable(self.bins))

    def toggle(self, data: bytearray) -> None:
        """Flip in *data* the bit of every entry. O(B)."""
        for number in chain.from_iterable(self.bins):
            data[number >> 3] ^= 1 << (number & 7)

    def forget(self, number: int) -> list[PostingList]:
        """Take out all entries of an ordinal; return the bins that are no more. Compares no key. O(B)."""
        for one in self.bins:
            while number in one:
                one.remove(number)
        gone = [one for one in self.bins if not one]
        self.bins = [one for one in self.bins if one]
        self.keys = [one.key for one in self.bins]
        self.count = sum(map(len, self.bins))
        return gone

    # -- in two, and together ----------------------------------------------------------------------

    def as_column(self) -> Column:
        """Return the same entries in leaves. Compares nothing, for bins are in order already. O(B)."""
        column = Column(self.holds_low)
        leaves: list[list[Any]] = []
        for at, one in enumerate(self.bins):
            part: list[Any] = [one.key] * (2 * len(one))
            part[1::2] = one
            if leaves and len(leaves[-1]) + len(part) <= 2 * LEAF:
                leaves[-1] += part
                continue
            if leaves:
                column.seps.append(one.key if self.holds_low else self.keys[at - 1])
            leaves.append(part)
        column.leaves, column.count = leaves or [[]], sum(map(len, self.bins))
        return column

    def middle(self) -> Any:
        """Return a key at which a block can be cut, near the middle, or None if there is none. O(d)."""
        if len(self.bins) < 2:
            return None
        ends = list(accumulate(map(len, self.bins)))
        at = min(range(len(ends) - 1), key=lambda place: abs(2 * ends[place] - ends[-1]))
        return self.keys[at + 1] if self.holds_low else self.keys[at]

    def right_of(self, cut: Any) -> int:
        """Return from which bin on all lie right of a cut."""
        return bisect_left(self.keys, cut) if self.holds_low else bisect_right(self.keys, cut)

    def cut(self, at: int) -> tuple[PostingColumn, PostingColumn]:
        """Take out what `right_of` named; return what is left, and that, as columns. Compares nothing."""
        right = PostingColumn(self.holds_low, self.bins[at:])
        del self.bins[at:], self.keys[at:]
        self.count = sum(map(len, self.bins))
        return self, right

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(B)."""
        if any(not one < two for one, two in pairwise(self.keys)):
            raise AssertionError("keys out of order")
        if len(self.keys) != len(self.bins) or any(b.key is not k for b, k in zip(self.bins, self.keys, strict=True)):
            raise AssertionError("keys differ from the bins'")
        if not all(self.bins):
            raise AssertionError("an empty bin")
