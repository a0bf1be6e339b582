"""What several partitions tell, as one: bookings and slots, each in order, as one list in order; digests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from heapq import merge
from itertools import repeat
from typing import Any

from bookcore.model.errors import UnknownResourceError
from bookcore.model.keys import normal

PlaceOf = Callable[[Any], int]
"""What tells the place of a resource in the order of registration."""


class Ahead:
    """The place of a slot in the order: of start, of which nothing but ``<`` is asked, then of registration."""

    __slots__ = ("place", "start")

    def __init__(self, start: Any, place: int) -> None:
        self.start, self.place = start, place

    def __lt__(self, other: Ahead) -> bool:
        earlier, later = self.start < other.start, other.start < self.start
        return bool(earlier or (not later and self.place < other.place))


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

    def ahead(slot: tuple[Any, tuple[Any, Any, Any]]) -> Ahead:
        _, (start, _, resource) = slot
        return Ahead(normal(start), place_of(resource))

    every = [zip(repeat(part), each) for part, each in zip(parts, slots, strict=True)]
    for part, (start, end, resource) in merge(*every, key=ahead):
        if _is_still_available(part, resource, start, end, quantity):
            yield start, end, resource


def _is_still_available(part: Any, resource: Any, start: Any, end: Any, quantity: int) -> bool:
    try:
        return bool(part.calendar.is_available(resource, start, end, quantity))
    except UnknownResourceError:
        return False


def digest_of(digests: Iterable[tuple[int, str]]) -> str:
    """Return one digest of those of several partitions, of which each comes with its number."""
    text = "\n".join(f"{number} {digest}" for number, digest in digests)
    return blake2b(text.encode(), digest_size=32).hexdigest()
