"""Whose turnaround does not go with the keys: five hours cannot be added to a date.

Booking says so. A search is about everybody, and leaves those out instead of failing: whom it offers, `book` accepts.
Lengths are asked once for each type of key, however many resources have them, where the type alone decides; where the
value does as well, a float of 1e20 having no room for a length of 1.0, they are asked at every question.
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
    """The lengths that resources keep around their bookings, each with the numbers of those who do.

    Not thread-safe: it stays behind the calendar's lock.
    """

    __slots__ = ("_by_length", "_unfit")

    def __init__(self) -> None:
        self._by_length: dict[Any, tuple[Any, Bitmap]] = {}
        self._unfit: dict[type, int] = {}  # by type of key, until somebody comes or goes

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def add(self, number: int, *lengths: Any) -> None:
        """Let *number* keep these lengths; None is none. O(1)."""
        for length in lengths:
            if length is not None:
                _, bits = self._by_length.setdefault(_token(length), (length, Bitmap()))
                bits.add(number)
                self._unfit.clear()

    def remove(self, number: int, *lengths: Any) -> None:
        """Let *number* keep them no more. O(n / 8)."""
        for length in lengths:
            if length is not None and (token := _token(length)) in self._by_length:
                _, bits = self._by_length[token]
                bits.discard(number)
                if not bits.value():
                    del self._by_length[token]
                self._unfit.clear()

    def unfit(self, low: Any, high: Any) -> int:
        """Return, as a bitmap, whose lengths the keys of a span cannot be moved by. O(1), or O(lengths)."""
        keys = [key for key in (low, high) if key is not None]
        if not keys or not self._by_length:
            return 0
        kind = type(keys[0])
        found = self._unfit.get(kind)
        if found is None:
            found, exact = 0, True
            for length, bits in self._by_length.values():
                exact = exact and (kind, type(length)) in _EXACT
                if not all(is_movable(key, length) for key in keys):
                    found |= bits.value()
            if exact:
                self._unfit[kind] = found
        return found


def _token(length: Any) -> Any:
    """Return what tells a length from those that are added otherwise: 1 and 1.0 are equal, and lengths of other keys."""
    try:
        hash(length)
    except Exception:
        return id(length)
    return type(length), length
