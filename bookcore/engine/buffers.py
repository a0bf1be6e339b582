"""The turnaround that resources need around their bookings, and the resources whose turnaround does not go with the keys.

Five hours cannot be added to a date. Booking says so by an error. A search is about all resources, and leaves out those that
cannot be booked instead of failing: `book` accepts every resource that a search offers. Each length is asked about once for
each type of key, however many resources have it, where the type alone decides; where the value decides as well, a float of
1e20 having no room for a length of 1.0, it is asked about at every question.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from bookcore.index.bitmap import Bitmap
from bookcore.model.lengths import is_movable

__all__ = ["BufferIndex"]


_EXACT = frozenset({(int, int), (date, timedelta), (datetime, timedelta)})
"""Types of key and length of which every key can be moved by a length, or (a date by hours) none."""


class BufferIndex:
    """The lengths that resources keep around their bookings, each with the numbers of the resources that do.

    Not thread-safe: it stays behind the calendar's lock.
    """

    __slots__ = ("_by_length", "_incompatible")

    def __init__(self) -> None:
        self._by_length: dict[Any, tuple[Any, Bitmap]] = {}
        self._incompatible: dict[type, int] = {}  # by type of key, until a resource is added or removed

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def add(self, number: int, *lengths: Any) -> None:
        """Note the lengths that a resource needs; None is none. O(1)."""
        for length in lengths:
            if length is not None:
                _, bits = self._by_length.setdefault(_token(length), (length, Bitmap()))
                bits.add(number)
                self._incompatible.clear()

    def remove(self, number: int, *lengths: Any) -> None:
        """Forget the lengths of a resource. O(n / 8)."""
        for length in lengths:
            if length is not None and (token := _token(length)) in self._by_length:
                _, bits = self._by_length[token]
                bits.discard(number)
                if not bits.value():
                    del self._by_length[token]
                self._incompatible.clear()

    def incompatible(self, low: Any, high: Any) -> int:
        """Return, as a bitmap, the resources by whose lengths the keys of a span cannot be moved. O(1), or O(lengths)."""
        keys = [key for key in (low, high) if key is not None]
        if not keys or not self._by_length:
            return 0
        kind = type(keys[0])
        found = self._incompatible.get(kind)
        if found is None:
            found, exact = 0, True
            for length, bits in self._by_length.values():
                exact = exact and (kind, type(length)) in _EXACT
                if not all(is_movable(key, length) for key in keys):
                    found |= bits.value()
            if exact:
                self._incompatible[kind] = found
        return found


def _token(length: Any) -> Any:
    """Return what tells a length from those that are added otherwise: 1 and 1.0 are equal, and lengths of other keys."""
    try:
        hash(length)
    except Exception:
        return id(length)
    return type(length), length
