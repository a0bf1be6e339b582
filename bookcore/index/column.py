"""The starts, or the ends, of one chunk of an occupancy index: keys with ordinals, in leaves between separators.

    separators            7                9         10
    leaves      [3 4 1 0 6 1]   [7 8 8 1]      9: 4 0 1 6    [10 0 12 2]
                 bag             bag           posting       bag           key, ordinal, key, ordinal ... in any order

Separators are in order; the entries between two of them are not. An insertion is one bisect among the separators, a few
dozen, and an append to the end of one list; a list in order would move half its content for each. A question takes whole
leaves, and compares the keys of that one leaf into which its own key falls.

A key that occurs ``often`` times in a bag gets a posting of its own (a `PostingList`, where an entry is only an ordinal); a
bag that reaches ``leaf`` entries and has no such key is parted near the middle.

The side of a separator on which an equal key lies follows the heads of the chunks, so that a chunk can be cut at a
separator:

    holds_low        separators[i-1] <= key <  separators[i]      starts, half-open; ends, closed
    else             separators[i-1] <  key <= separators[i]      ends, half-open; starts, closed

Invariants: the line above, for each leaf i; separators ascend strictly; ``len(leaves) == len(separators) + 1``; only a
single leaf may be empty, and it is a bag; ``count`` is the number of entries less those that the chunk has pending.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import accumulate, chain, compress, pairwise
from operator import itemgetter, lt, sub
from typing import Any, TypeAlias

from bookcore.index.posting_list import Posting, PostingBitmap, PostingList, grouped

__all__ = ["SHARED", "Column", "Leaf", "Ordinals", "side_of", "step_of"]

SHARED = frozenset({datetime, date, int, str})
"""Types whose equal keys may stand for each other: immutable, and equal only when nothing tells them apart."""

Leaf: TypeAlias = Any
"""A bag, which is a list of keys and ordinals by turns, or a `PostingList`, or a `PostingBitmap`."""

Ordinals: TypeAlias = tuple[list[int], list[int]]
"""Ordinals in any order, each as often as it has entries: some as a list of numbers, the rest as a list of bitmaps."""

_first = itemgetter(0)


def _size(leaf: Leaf) -> int:
    """Return the number of entries in a leaf."""
    return len(leaf) // 2 if type(leaf) is list else len(leaf)


def _bag(keys: Iterable[Any], numbers: Iterable[int], size: int) -> list[Any]:
    """Return a bag of *size* keys with their ordinals."""
    leaf: list[Any] = [None] * (2 * size)
    leaf[::2], leaf[1::2] = keys, numbers
    return leaf


def _are_shared(keys: Sequence[Any]) -> bool:
    """Tell whether keys are all of one type, and of one in `SHARED`."""
    kinds = set(map(type, keys))
    return len(kinds) == 1 and kinds <= SHARED


def step_of(leaf: int) -> int:
    """Return after how many list items more a bag is looked through: four times until it is full, or at every entry."""
    return 2 * max(1, leaf // 4)


def side_of(posting: Any, key: Any) -> int:
    """Return 0 if *key* is the key of a posting, else -1 or 1 if it lies before or after it."""
    own = posting.key
    return 0 if own is key else -1 if key < own else int(own < key)


class Column:
    """Keys with ordinals.

    Complexity, with n entries: a change O(log n + leaf), amortised, of which only the bisect compares keys; a question
    O(log n + leaf + answers).
    """

    __slots__ = ("count", "holds_low", "leaf", "leaves", "often", "separators", "step")

    def __init__(self, holds_low: bool, leaf: int = 128, often: int = 8) -> None:
        self.holds_low = holds_low
        self.leaf = leaf
        self.often = often
        self.step = step_of(leaf)
        self.leaves: list[Leaf] = [[]]
        self.separators: list[Any] = []
        self.count = 0

    @property
    def uniform(self) -> bool:
        """Whether all keys are equal and the ordinals are one bitmap: then the column may be of any length."""
        return type(self.leaves[0]) is PostingBitmap and len(self.leaves) == 1

    def recount(self) -> None:
        """Count the entries. O(leaves)."""
        self.count = sum(map(_size, self.leaves))

    def postings(self) -> list[Posting]:
        """Return the leaves of a single key each, in order."""
        return [leaf for leaf in self.leaves if type(leaf) is not list]

    def fill(self, keys: Sequence[Any], numbers: Sequence[int]) -> None:
        """Replace the content by sorted keys and their ordinals. O(n)."""
        if _are_shared(keys) and len(set(keys)) * self.often <= len(keys):
            self.fill_postings(grouped(keys, numbers))
            return
        step = self.leaf * 3 // 4  # room to grow
        self.leaves, self.separators = [], []
        self.count = total = len(keys)
        low = 0
        while low < total or not self.leaves:
            high = min(low + step, total)
            if high < total and not keys[high - 1] < keys[high]:
                # equal keys stay together: the leaf ends before them, or, if it begins with them, after them
                high = bisect_left(keys, keys[high], low, high)
                if high == low:
                    high = bisect_right(keys, keys[low], low, total)
            self.leaves.append(_bag(keys[low:high], numbers[low:high], high - low))
            if high < total:
                self.separators.append(keys[high] if self.holds_low else keys[high - 1])
            low = high

    def fill_postings(self, postings: Iterable[PostingList]) -> None:
        """Replace the content by posting lists, in order of their keys; some may be empty. O(n). Compares nothing."""
        self.leaves, self.separators = [], []
        self.count = 0
        previous: Any = None
        for posting in postings:
            size = len(posting)
            if not size:
                continue
            self.count += size
            key = posting.key
            leaf: Leaf = posting
            if size < self.often or type(key) not in SHARED:
                leaf = _bag([key] * size, posting, size)
                last = self.leaves[-1] if self.leaves else None
                if type(last) is list and len(last) + len(leaf) <= 2 * self.leaf:
                    last += leaf
                    previous = key
                    continue
            if self.leaves:
                self.separators.append(key if self.holds_low else previous)
            self.leaves.append(leaf)
            previous = key
        if not self.leaves:
            self.leaves.append([])

    # -- one entry ---------------------------------------------------------------------------------

    def leaf_of(self, key: Any) -> int:
        """Return the index of the leaf that *key* belongs to: all leaves before it lie before the key, all after after."""
        return bisect_right(self.separators, key) if self.holds_low else bisect_left(self.separators, key)

    def insert(self, at: int, side: int, key: Any, number: int) -> Sequence[Posting]:
        """Put an entry into a leaf or, where `side_of` said so, beside it; return the postings that are new.

        The caller counts the entry. No comparison can fail this: a bag that cannot be parted now stays longer than it
        should be.
        """
        if side:
            at = self._beside(at, side, key)
        leaf = self.leaves[at]
        if type(leaf) is not list:
            leaf.append(number)
        else:
            leaf += (key, number)
            if not len(leaf) % self.step:  # not at every entry, or one that cannot be parted would cost O(n) each time
                return self.part(at)
        return ()

    def _beside(self, at: int, side: int, key: Any) -> int:
        """Return the bag next to a posting, on that side, with room made for *key* between the separators."""
        posting: Any = self.leaves[at]
        separator = key if (side > 0) == self.holds_low else posting.key
        neighbour = at + side
        if 0 <= neighbour < len(self.leaves) and type(self.leaves[neighbour]) is list:
            self.separators[min(at, neighbour)] = separator
            return neighbour
        place = at + (side > 0)
        self.leaves.insert(place, [])
        self.separators.insert(at, separator)
        return place

    def part(self, at: int, whole: bool = False) -> Sequence[Posting]:
        """Part a bag, if it has distinct keys and they can be compared now; return the postings made of it. O(leaf).

        A bag that is not full (with *whole*, any may be parted) is only looked through for frequent keys, if it has few.
        """
        leaf: Any = self.leaves[at]
        full = len(leaf) >= 2 * self.leaf or whole
        if not full:
            few = leaf[:16:2]  # eight keys tell at little cost that keys hardly repeat
            if not _are_shared(few) or len(set(few)) == len(few):
                return ()
        keys = leaf[::2]
        total = len(keys)
        if not full and not (_are_shared(keys) and 2 * len(set(keys)) * self.often <= 3 * total):
            return ()
        numbers = leaf[1::2]
        try:
            # keys that occur often are as a rule the same object, and then this is done in C
            alike = type(keys[0]) in SHARED and keys.count(keys[0]) == total
            if not alike:
                order = sorted(range(total), key=keys.__getitem__)
                keys, numbers = list(map(keys.__getitem__, order)), list(map(numbers.__getitem__, order))
            bounds = [0] if alike else [0, *compress(range(1, total), map(lt, keys, keys[1:]))]
        except Exception:  # the entry is in; the bag is only longer than it should be
            return ()
        bounds.append(total)
        frequent = []
        if max(map(sub, bounds[1:], bounds)) >= self.often:
            pairs = pairwise(bounds)
            frequent = [(low, high) for low, high in pairs if high - low >= self.often and _are_shared(keys[low:high])]
        if frequent:
            cuts = sorted({0, total, *chain.from_iterable(frequent)})
        elif full and len(bounds) > 2:
            at_middle = bisect_left(bounds, total // 2, 1, len(bounds) - 2)
            cuts = [0, bounds[at_middle], total]
        else:
            return ()
        leaves: list[Leaf] = []
        for low, high in pairwise(cuts):
            if (low, high) in frequent:
                leaves.append(PostingList(keys[low], None, numbers[low:high]))
            else:
                leaves.append(_bag(keys[low:high], numbers[low:high], high - low))
        self.leaves[at : at + 1] = leaves
        self.separators[at:at] = [keys[cut] if self.holds_low else keys[cut - 1] for cut in cuts[1:-1]]
        return [leaf for leaf in leaves if type(leaf) is PostingList] if frequent else ()

    def find(self, at: int, key: Any, number: int) -> int:
        """Return the position of an entry in its leaf. O(leaf), in C where the ordinal has no other entry in that leaf."""
        leaf = self.leaves[at]
        if type(leaf) is not list:
            spot: int = leaf.place_of(number)
            return spot
        numbers = leaf[1::2]
        place: int = numbers.index(number)
        known = leaf[2 * place]
        if known is key or not (known < key or key < known):
            return place
        # the ordinal has several entries in this leaf: as a rule one of them holds this very object
        places = [place for place, other in enumerate(numbers) if other == number]
        for place in places:
            if leaf[2 * place] is key:
                return place
        return next(place for place in places if not (leaf[2 * place] < key or key < leaf[2 * place]))

    def delete(self, at: int, place: int, number: int) -> Posting | None:
        """Remove the entry at the position that `find` returned; return the posting if it became empty. Compares nothing."""
        self.count -= 1
        leaf = self.leaves[at]
        if type(leaf) is list:
            last, key = leaf.pop(), leaf.pop()
            if 2 * place < len(leaf):
                leaf[2 * place], leaf[2 * place + 1] = key, last
        else:
            leaf.delete(place, number)
        if leaf:
            return None
        if self.separators:
            del self.leaves[at], self.separators[min(at, len(self.separators) - 1)]
        else:
            self.leaves[0] = []
        return None if type(leaf) is list else leaf

    # -- many entries ------------------------------------------------------------------------------

    def before(self, key: Any, inclusive: bool) -> Ordinals:
        """Return the ordinals of the entries before *key* (or at it, if *inclusive*)."""
        at = self.leaf_of(key)
        numbers, masks = _collect(self.leaves[:at])
        leaf = self.leaves[at]
        if type(leaf) is not list:
            if not key < leaf.key if inclusive else leaf.key < key:
                _collect([leaf], numbers, masks)
            return numbers, masks
        pairs = zip(leaf[::2], leaf[1::2], strict=True)
        if inclusive:
            return numbers + [number for own, number in pairs if not key < own], masks
        return numbers + [number for own, number in pairs if own < key], masks

    def after(self, key: Any, inclusive: bool) -> Ordinals:
        """Return the ordinals of the entries after *key* (or at it, if *inclusive*)."""
        at = self.leaf_of(key)
        numbers, masks = _collect(self.leaves[at + 1 :])
        leaf = self.leaves[at]
        if type(leaf) is not list:
            if not leaf.key < key if inclusive else key < leaf.key:
                _collect([leaf], numbers, masks)
            return numbers, masks
        pairs = zip(leaf[::2], leaf[1::2], strict=True)
        if inclusive:
            return numbers + [number for own, number in pairs if not own < key], masks
        return numbers + [number for own, number in pairs if key < own], masks

    def between(self, low: Any, high: Any, inclusive: bool) -> Ordinals:
        """Return the ordinals of the entries after *low* and before *high* (or at them, if *inclusive*)."""
        at, to = self.leaf_of(low), self.leaf_of(high)
        numbers, masks = _collect(self.leaves[at + 1 : to])
        for place in {at, to}:
            leaf = self.leaves[place]
            pairs = zip(leaf[::2], leaf[1::2], strict=True) if type(leaf) is list else [(leaf.key, -1)]
            if inclusive:
                chosen = [number for own, number in pairs if not (own < low or high < own)]
            else:
                chosen = [number for own, number in pairs if low < own and own < high]
            if type(leaf) is list:
                numbers += chosen
            elif chosen:
                _collect([leaf], numbers, masks)
        return numbers, masks

    def every(self) -> Ordinals:
        """Return all ordinals. Compares nothing. O(n)."""
        return _collect(self.leaves)

    def flat(self) -> tuple[list[Any], list[int]]:
        """Return all keys, in order, and their ordinals, as new lists. O(n log leaf)."""
        keys: list[Any] = []
        numbers: list[int] = []
        for leaf in self.leaves:
            if type(leaf) is list:
                pairs = sorted(zip(leaf[::2], leaf[1::2], strict=True), key=_first)
                keys += [key for key, _ in pairs]
                numbers += [number for _, number in pairs]
            else:
                keys += [leaf.key] * len(leaf)
                numbers += leaf.numbers()
        return keys, numbers

    # -- in two, and together ----------------------------------------------------------------------

    def middle(self) -> tuple[Any, Sequence[Posting]]:
        """Return a key near the middle at which a chunk can be cut, or None; and the postings made in the search."""
        made: Sequence[Posting] = ()
        if not self.separators and type(self.leaves[0]) is list and self.leaves[0]:
            made = self.part(0, True)
        if not self.separators:
            return None, made
        ends = list(accumulate(map(_size, self.leaves[:-1])))  # by separator; at a separator the leaves stay as they are
        middle = min(range(len(ends)), key=lambda place: abs(2 * ends[place] - self.count))
        return self.separators[middle], made

    def make_uniform(self) -> PostingBitmap:
        """Turn the only leaf, all keys of which are equal, into a bitmap. O(n)."""
        keys, numbers = self.flat()
        posting = PostingBitmap(keys[0], None, numbers)
        self.leaves = [posting]
        return posting

    def right_of(self, head: Any) -> tuple[int, bool | list[bool]]:
        """Return the leaf that a key falls into, and which of its entries belong right of the key: all, none, or a list."""
        at = self.leaf_of(head)
        leaf = self.leaves[at]
        if type(leaf) is not list:
            own = leaf.key
            return at, not own < head if self.holds_low else bool(head < own)
        keys = leaf[::2]
        right = [not key < head for key in keys] if self.holds_low else [bool(head < key) for key in keys]
        return at, right if any(right) and not all(right) else any(right)

    def cut(self, at: int, right: bool | list[bool]) -> Column:
        """Take out the entries that `right_of` named, and return them as a column. Compares nothing."""
        leaves, separators = self.leaves, self.separators
        if isinstance(right, list):
            leaf: Any = leaves[at]
            stay = [not each for each in right]
            keys, numbers, size = leaf[::2], leaf[1::2], sum(right)
            halves: list[Leaf] = [
                _bag(compress(keys, chosen), compress(numbers, chosen), count)
                for chosen, count in ((stay, len(keys) - size), (right, size))
            ]
            leaves[at : at + 1] = halves
            separators.insert(at, None)  # for the head itself, and dropped below
            right = False
        count = at + (not right)
        other = Column(self.holds_low, self.leaf, self.often)
        other.leaves, other.separators = leaves[count:] or [[]], separators[count:]
        self.leaves, self.separators = leaves[:count] or [[]], separators[: max(count - 1, 0)]
        total = self.count
        other.count = sum(map(_size, other.leaves))
        self.count = total - other.count
        return other

    def join(self, head: Any, other: Column) -> None:
        """Put the entries of *other*, which lie right of a head, behind these. Compares nothing."""
        if not _size(other.leaves[0]):
            return
        if not _size(self.leaves[0]):
            self.leaves, self.separators = other.leaves, other.separators
        else:
            self.separators = [*self.separators, head, *other.separators]
            self.leaves = self.leaves + other.leaves
        self.count += other.count

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it. O(n). Compares nothing."""
        for leaf in self.leaves:
            if type(leaf) is list:
                leaf[1::2] = map(numbers.__getitem__, leaf[1::2])
            else:
                leaf.renumber(numbers)

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(n)."""
        if len(self.leaves) != len(self.separators) + 1 or (self.separators and not all(map(_size, self.leaves))):
            raise AssertionError("a column out of shape")
        if any(not lower < upper for lower, upper in pairwise(self.separators)):
            raise AssertionError("separators out of order")
        for at, leaf in enumerate(self.leaves):
            if any(self.leaf_of(key) != at for key in (leaf[::2] if type(leaf) is list else [leaf.key])):
                raise AssertionError("a key in the wrong leaf")
            if type(leaf) is not list and (not leaf or len(set(leaf.numbers())) != len(leaf)):
                raise AssertionError("an empty posting, or an ordinal in it twice")


def _collect(leaves: Iterable[Leaf], numbers: list[int] | None = None, masks: list[int] | None = None) -> Ordinals:
    """Add the ordinals in whole leaves to those collected so far, and return them."""
    numbers = [] if numbers is None else numbers
    masks = [] if masks is None else masks
    for leaf in leaves:
        if type(leaf) is list:
            numbers += leaf[1::2]
        elif type(leaf) is PostingList:
            numbers += leaf
        else:
            masks.append(leaf.bits.value())
    return numbers, masks
