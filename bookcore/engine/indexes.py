"""The indexes over the resources of a calendar, and those over its active bookings: the values of key functions, in order.

    by_name    "guest" -> AttributeIndex    "Ada" 3    "Ada" 7    "Bob" 5       values, and numbers of bookings

A change has two steps, as in `bookcore.index.attribute_index`: `places` calls the key functions and compares, `enter`
changes and cannot fail. What was held of a booking is put back by its value, without the key functions, which may answer
otherwise by then. Numbers of bookings grow for ever, so the chunks of their indexes have sets and no bitmaps.

Invariant: every index has each resource, or each active booking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from bookcore.index.attribute_index import AttributeIndex, Position
from bookcore.model.errors import IndexNameError, attempt

Places: TypeAlias = Sequence[tuple[AttributeIndex, Any, Position | None]]
"""For each index: the index, the value of a resource or booking, and its position there."""


class Indexes:
    """Indexes by name. Not thread-safe: used under the calendar's lock.

    *what* they are and which call *makes* one, errors say. *limit* and *kind* are those of `AttributeIndex`. ``by_name`` is
    one dict as long as the calendar lives: while there are none over bookings, `Calendar.book` may take its fast path.
    """

    __slots__ = ("_kind", "_limit", "_makes", "_what", "by_name")

    def __init__(self, what: str, makes: str, limit: int, kind: Callable[[], Any]) -> None:
        self._what, self._makes, self._limit, self._kind = what, makes, limit, kind
        self.by_name: dict[str, AttributeIndex] = {}

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def create(self, name: str, key: Callable[[Any], Any], items: Iterable[tuple[int, Any]]) -> None:
        """Index what there is and will be by *key*; *items* are numbers and objects. If *key* raises, nothing changes.

        O(n log n).
        """
        if name in self.by_name:
            raise IndexNameError(name, f"there is an {self._what} of that name already")
        index = AttributeIndex(name, key, self._limit, self._kind)
        for number, item in items:
            index.put(number, index.value_of(item))
        self.by_name[name] = index

    def index(self, name: object) -> AttributeIndex:
        """Return the index called *name*, or raise an `IndexNameError` that lists the known names. O(1)."""
        index: AttributeIndex | None = attempt(lambda: self.by_name.get(name), None)  # type: ignore[call-overload]
        if index is None:
            known = ", ".join(sorted(self.by_name)) or f"none yet: {self._makes}"
            raise IndexNameError(name, f"no such {self._what}; there are: {known}")
        return index

    def values_of(self, number: int) -> tuple[tuple[str, Any], ...]:
        """Return the value of a number in each index, for `places`. O(indexes)."""
        return tuple([(name, index.values[number]) for name, index in self.by_name.items() if number in index.values])

    def places(self, number: int, item: Any, values: Iterable[tuple[str, Any]] | None = None) -> Places:
        """Return the value of a resource or booking and its position in each index. Changes nothing.

        The values are *values*, a result of `values_of`, if that is given, else those of the key functions.
        Raises: `QueryError`, `KeyTypeError` as `AttributeIndex.value_of` and `place`. O(log n) for each index.
        """
        known = dict(values or ())
        found = [(index, known[name] if name in known else index.value_of(item)) for name, index in self.by_name.items()]
        return [(index, value, index.place(number, value)) for index, value in found]

    def enter(self, number: int, places: Places) -> None:
        """Give a number the values for which `places` has just been called. Runs no code of the user. O(log n) each."""
        for index, value, place in places:
            index.enter(number, value, place)

    def discard(self, number: int) -> None:
        """Take a number out of all indexes. Raises nothing. O(log n) each."""
        for index in self.by_name.values():
            index.discard(number)

    def repair(self, keeps: Callable[[int], bool]) -> None:
        """Make the indexes anew, with the numbers that *keeps*, after a change was cut off. O(n log n) each.

        Raises: `KeyTypeError` when the values of an index cannot be compared any more.
        """
        for index in self.by_name.values():
            index.repair(keeps)

    def check(self, numbers: Iterable[int]) -> None:
        """Raise AssertionError unless the invariant holds for these numbers. O(n) for each index."""
        known = set(numbers) if self.by_name else set()
        for name, index in self.by_name.items():
            index.check()
            if index.values.keys() != known:
                raise AssertionError(f"the {self._what} {name!r} lacks something, or has something that is gone")
