"""A mapping of ids to values in 64 dicts, none of which is ever slow to grow.

    id 70,001  ->  hash 70,001  ->  part 70,001 >> 16 & 63 = 1

A dict that grows moves all its items: at 699,051 items one insertion took 25 to 60 ms. With 64 parts the longest pause is
a 64th of that, once for each part. Consecutive whole numbers share a part 65,536 at a time, so that iterating part after
part gives them in ascending order (up to four million of them; beyond that, in few ascending runs). Other ids are in the
part that their hash selects.

Invariant: an id is in part ``hash(id) >> SHIFT & PARTS - 1``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain
from operator import eq
from sys import hash_info
from typing import Generic, TypeVar, cast

V = TypeVar("V")

PARTS = 64
SHIFT = 16
_LAST = PARTS - 1
_MODULUS = hash_info.modulus


class IdTable(Generic[V]):
    """A mapping of ids to values of one type, with those methods of a dict that are needed.

    O(1) each, unless said otherwise. A method that is given an id raises what its ``__hash__`` and ``__eq__`` raise.
    ``parts`` is public, for callers that cannot afford the call of a method: ``parts[hash(id) >> SHIFT & PARTS - 1]`` is
    what `part_of` returns. The methods of one id have that expression written out as well.

    >>> table = IdTable[str]()
    >>> table["a"] = "first"
    >>> table.get("a"), table.get("b"), "b" in table, len(table)
    ('first', None, False, 1)
    """

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[dict[Hashable, V]] = [{} for _ in range(PARTS)]

    def part_of(self, id: Hashable) -> dict[Hashable, V]:
        """Return the dict that has an id, or would have it."""
        return self.parts[hash(id) >> SHIFT & _LAST]

    def get(self, id: Hashable) -> V | None:
        """Return the value of an id, or None."""
        return self.parts[hash(id) >> SHIFT & _LAST].get(id)

    def __getitem__(self, id: Hashable) -> V:
        return self.parts[hash(id) >> SHIFT & _LAST][id]

    def __setitem__(self, id: Hashable, value: V) -> None:
        self.parts[hash(id) >> SHIFT & _LAST][id] = value

    def __delitem__(self, id: Hashable) -> None:
        del self.parts[hash(id) >> SHIFT & _LAST][id]

    def pop(self, id: Hashable) -> V:
        """Remove an id and return its value. Raises: `KeyError`."""
        return self.parts[hash(id) >> SHIFT & _LAST].pop(id)

    def __contains__(self, id: Hashable) -> bool:
        return id in self.parts[hash(id) >> SHIFT & _LAST]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __bool__(self) -> bool:
        return any(self.parts)

    def __iter__(self) -> Iterator[Hashable]:
        """Iterate the ids, part after part. O(n)."""
        return chain.from_iterable(self.parts)

    def isdisjoint(self, ids: Iterable[Hashable]) -> bool:
        """Tell whether none of *ids* is in the table. O(n + ids)."""
        if not self:
            return True
        asked = set(ids)
        return all(map(asked.isdisjoint, self.parts))

    def put_all(self, ids: Sequence[Hashable], values: Sequence[V]) -> None:
        """Add at least one id with its value, and none that is in the table already. O(number of ids).

        >>> table = IdTable[str]()
        >>> table.put_all([7, 8, 9], "abc")
        >>> list(table), table[8]
        ([7, 8, 9], 'b')
        """
        if count_up(ids):
            first = cast(int, ids[0])
            low = 0
            while low < len(ids):  # all consecutive ids that share a part go in by one call, in C
                high = min(low + (1 << SHIFT) - (first + low) % (1 << SHIFT), len(ids))
                self.part_of(ids[low]).update(zip(ids[low:high], values[low:high], strict=True))
                low = high
            return
        for id, value in zip(ids, values, strict=True):
            self[id] = value

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds. O(n)."""
        for number, part in enumerate(self.parts):
            for id in part:
                if hash(id) >> SHIFT & _LAST != number:
                    raise AssertionError("an id is in a part that is not the part of its hash")


def count_up(ids: Sequence[Hashable]) -> bool:
    """Tell whether ids are ints, or equal to ints, of which each is one more than the one before."""
    first, last = ids[0], ids[-1]
    return (
        type(first) is type(last) is int
        and last - first == len(ids) - 1
        and -_MODULUS < first <= last < _MODULUS  # in this range an int is its own hash
        and all(map(eq, ids, range(first, last + 1)))
    )
