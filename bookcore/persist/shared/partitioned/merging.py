"""What several partitions tell, as one: bookings and slots, each in order, as one list in order; digests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from heapq import heapify, heappop, heapreplace
from typing import Any, NamedTuple

from bookcore.model.errors import UnknownResourceError
from bookcore.model.keys import normal

PlaceOf = Callable[[Any], int]
"""What tells the place of a resource in the order of registration."""


class Ahead(NamedTuple):
    """The next slot of a partition: in order of start, of which nothing but ``<`` is asked, then of registration."""

    start: Any
    place: int
    at: int
    slot: Any

    def __lt__(self, other: Any) -> bool:
        return bool(self.start < other.start or (not other.start < self.start and self.place < other.place))


def by_start(parts: Iterable[Iterator[Any]]) -> Iterator[Any]:
    """Merge the bookings of each partition, each by start."""
    every = [event for part in parts for event in part]
    unbounded = [event for event in every if event._start is None]
    bounded = [event for event in every if event._start is not None]
    bounded.sort(key=lambda event: normal(event._start))
    return iter(unbounded + bounded)


def slots_in_order(
    parts: Sequence[Any], slots: list[Iterator[Any]], quantity: int, place_of: PlaceOf
) -> Iterator[tuple[Any, Any, Any]]:
    """Yield slots of all partitions by start, then by registration. One that was taken meanwhile is left out."""

    def ahead(at: int) -> Ahead | None:
        slot = next(slots[at], None)
        return slot and Ahead(normal(slot[0]), place_of(slot[2]), at, slot)

    heads = [head for at in range(len(slots)) if (head := ahead(at))]
    heapify(heads)
    while heads:
        at, (start, end, resource) = heads[0].at, heads[0].slot
        if _is_still_available(parts[at], resource, start, end, quantity):
            yield start, end, resource
        following = ahead(at)
        if following:
            heapreplace(heads, following)
        else:
            heappop(heads)


def _is_still_available(part: Any, resource: Any, start: Any, end: Any, quantity: int) -> bool:
    try:
        return bool(part.calendar.is_available(resource, start, end, quantity))
    except UnknownResourceError:
        return False


def digest_of(digests: Iterable[tuple[int, str]]) -> str:
    """Return one digest of those of several partitions, of which each comes with its number."""
    told = "\n".join(f"{number} {digest}" for number, digest in digests)
    return blake2b(told.encode(), digest_size=32).hexdigest()
