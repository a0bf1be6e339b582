"""Bookings by id: a dict in 64 parts, so that none of them is ever long to grow.

    id 70,001  ->  hash 70,001  ->  part 70,001 >> 16 & 63 = 1

A dict that grows moves all it holds: at 699,051 bookings that took one `book` 25 ms, now and then 60. The calendar's own
ids are consecutive, so 65,536 of them in turn share a part, and reading part after part gives them in their order (up to
four million; beyond that, in few ascending runs). Other ids fall where their hash puts them.

Invariant: an id is in part ``hash(id) >> 16 & 63``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain
from operator import eq
from sys import hash_info
from typing import Any, cast

__all__ = ["IdTable"]

_MODULUS = hash_info.modulus
PARTS = 64
SHIFT = 16


class IdTable:
    """A mapping of ids to bookings, with the methods of a dict that are needed. O(1) each, unless said otherwise."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[dict[Hashable, Any]] = [{} for _ in range(PARTS)]

    def get(self, id: Hashable) -> Any:
        """Return the booking, or None. Raises: what the id's own ``__hash__`` and ``__eq__`` raise."""
        return self.parts[hash(id) >> SHIFT & 63].get(id)

    def __getitem__(self, id: Hashable) -> Any:
        return self.parts[hash(id) >> SHIFT & 63][id]

    def __setitem__(self, id: Hashable, event: Any) -> None:
        self.parts[hash(id) >> SHIFT & 63][id] = event

    def __delitem__(self, id: Hashable) -> None:
        del self.parts[hash(id) >> SHIFT & 63][id]

    def pop(self, id: Hashable) -> Any:
        """Take out a booking and return it. Raises: `KeyError`."""
        return self.parts[hash(id) >> SHIFT & 63].pop(id)

    def __contains__(self, id: Hashable) -> bool:
        return id in self.parts[hash(id) >> SHIFT & 63]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __bool__(self) -> bool:
        return any(self.parts)

    def __iter__(self) -> Iterator[Hashable]:
        """Iterate the ids, part after part. O(bookings)."""
        return chain.from_iterable(self.parts)

    def values(self) -> Iterator[Any]:
        """Iterate the bookings, part after part. O(bookings)."""
        return chain.from_iterable(map(dict.values, self.parts))

    def isdisjoint(self, ids: Iterable[Hashable]) -> bool:
        """Tell whether none of *ids* is here. O(bookings + ids)."""
        if not self:
            return True
        asked = set(ids)
        return all(map(asked.isdisjoint, self.parts))

    def put_all(self, ids: Sequence[Hashable], events: Sequence[Any], counted: bool = False) -> None:
        """Add many bookings, none of whose ids is here. O(their number).

        *counted*: the ids are known to be ints that count up by one; if they are, and it is not, a look at each tells.
        """
        if counted or _count_up(ids):
            first = cast(int, ids[0])
            low = 0
            while low < len(ids):  # as many in turn as share a part, in C
                high = min(low + (1 << SHIFT) - (first + low) % (1 << SHIFT), len(ids))
                self.parts[hash(ids[low]) >> SHIFT & 63].update(zip(ids[low:high], events[low:high], strict=True))
                low = high
            return
        parts = self.parts
        for id, event in zip(ids, events, strict=True):
            parts[hash(id) >> SHIFT & 63][id] = event

    def clear(self) -> None:
        """Take out all bookings. O(bookings)."""
        for part in self.parts:
            part.clear()

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds. O(bookings)."""
        for at, part in enumerate(self.parts):
            if any(hash(id) >> SHIFT & 63 != at for id in part):
                raise AssertionError(f"an id in part {at} that belongs to another")


def _count_up(ids: Sequence[Hashable]) -> bool:
    """Tell whether ids are ints, or equal to ints, that count up by one."""
    first, last = ids[0], ids[-1]
    return (
        type(first) is type(last) is int
        and last - first == len(ids) - 1
        and -_MODULUS < first <= last < _MODULUS  # so far an int is its own hash
        and all(map(eq, ids, range(first, last + 1)))
    )
