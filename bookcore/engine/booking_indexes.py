"""The indexes over active bookings: the values that key functions give for their events, in order.

    by_name    "guest" -> AttributeIndex    "Ada" 3    "Ada" 7    "Bob" 5       values and numbers of bookings

A change has two steps, as in `bookcore.index.attribute_index`: `places` calls the key functions and compares, `enter`
changes and cannot fail. What was held of a booking is put back by its value, without the key functions, which may answer
otherwise by then. Numbers of bookings grow for ever, so the chunks have sets and no bitmaps.

Invariant: every index has each active booking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from bookcore.index.attribute_index import AttributeIndex, Position, called
from bookcore.model.errors import IndexNameError
from bookcore.model.event import BookingEvent

Places: TypeAlias = Sequence[tuple[AttributeIndex, Any, Position | None]]
"""For each index: the index, the value of a booking, and its position there."""


class BookingIndexes:
    """The indexes over the bookings of one calendar. Not thread-safe: used under the calendar's lock.

    ``by_name`` is one dict as long as the calendar lives: while it is empty, `Calendar.book` may take its fast path.
    """

    __slots__ = ("_limit", "by_name")

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self.by_name: dict[str, AttributeIndex] = {}

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def create(self, name: str, key: Callable[[BookingEvent], Any], events: Iterable[BookingEvent]) -> None:
        """Index all active and future bookings by *key*. If *key* raises, nothing changes. O(n log n)."""
        if name in self.by_name:
            raise IndexNameError(name, "there is an index of bookings of that name already")
        index = AttributeIndex(name, key, self._limit, set)
        for event in events:
            seq: Any = event._seq
            index.put(seq, index.value_of(event))
        self.by_name[name] = index

    def index(self, name: object) -> AttributeIndex:
        """Return the index called *name*, or raise an `IndexNameError` that lists the known names. O(1)."""
        return called(self.by_name, name, "index of bookings", "create_booking_index(name)")

    def held(self, seq: int) -> tuple[tuple[str, Any], ...]:
        """Return the value of a booking in each index, for `places`. O(indexes)."""
        return tuple((name, index.values[seq]) for name, index in self.by_name.items() if seq in index.values)

    def places(self, event: BookingEvent, held: Iterable[tuple[str, Any]] | None = None) -> Places:
        """Return the value of a booking and its position in each index. Changes nothing.

        The values are *held*, a result of `held`, if that is given, else those of the key functions.
        Raises: `QueryError`, `KeyTypeError` as `AttributeIndex.value_of` and `place`. O(log n) for each index.
        """
        seq: Any = event._seq
        known = dict(held or ())
        values = [
            (index, known[name] if name in known else index.value_of(event)) for name, index in self.by_name.items()
        ]
        return [(index, value, index.place(seq, value)) for index, value in values]

    def enter(self, seq: int, places: Places) -> None:
        """Give a booking the values for which `places` has just been called. Runs no key function. O(log n) each."""
        for index, value, place in places:
            index.enter(seq, value, place)

    def discard(self, seq: int) -> None:
        """Take a booking out of all indexes. Raises nothing. O(log n) each."""
        for index in self.by_name.values():
            index.discard(seq)

    def repair(self, is_active: Callable[[int], bool]) -> None:
        """Make the indexes anew, without bookings that are not active, after a change was cut off. O(n log n) each.

        Raises: `KeyTypeError` when the values of an index cannot be compared any more.
        """
        for index in self.by_name.values():
            index.repair(is_active)

    def check(self, active: Iterable[int]) -> None:
        """Raise AssertionError unless the invariants hold. O(n) for each index."""
        numbers = set(active) if self.by_name else set()
        for name, index in self.by_name.items():
            index.check()
            if index.values.keys() != numbers:
                raise AssertionError(f"the index {name!r} lacks a booking, or has one that is not active")
