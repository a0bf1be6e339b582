"""Which resources have a turnaround that cannot be added to the keys of a span.

Five hours cannot be added to a date: `book` raises an error for such a key. A search covers all resources, so it leaves out
the resources that `book` would refuse. For common types of key, the length alone decides whether it can be added, and the
resources are remembered for each type. For other types the key decides as well (adding 1.0 to a float of 1e20 does not
change it), and every search tries all lengths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from bookcore.index.bitmap import Bitmap
from bookcore.model.errors import LACKING
from bookcore.model.lengths import is_movable

_EXACT = frozenset({(int, int), (date, timedelta), (datetime, timedelta)})
"""Types of key and length for which the length alone decides whether it can be added, whatever the key."""


class BufferIndex:
    """The turnaround lengths, each with the bitmap of the resources that have it.

    Not thread-safe: used under the calendar's lock.
    """

    __slots__ = ("_by_length", "_incompatible")

    def __init__(self) -> None:
        self._by_length: dict[Any, tuple[Any, Bitmap]] = {}
        self._incompatible: dict[type, int] = {}  # bitmaps by type of key, kept until a length is added or removed

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def add(self, number: int, *lengths: Any) -> None:
        """Add the lengths of a resource; None means no length. O(1)."""
        for length in lengths:
            if length is not None:
                _, bits = self._by_length.setdefault(token_of(length), (length, Bitmap()))
                bits.add(number)
                self._incompatible.clear()

    def remove(self, number: int, *lengths: Any) -> None:
        """Remove the lengths of a resource. O(n / 8)."""
        for length in lengths:
            if length is not None and (token := token_of(length)) in self._by_length:
                _, bits = self._by_length[token]
                bits.discard(number)
                if not bits.value():
                    del self._by_length[token]
                self._incompatible.clear()

    def repair(self, records: Iterable[Any]) -> None:
        """Make everything anew from the records of all resources. O(n)."""
        self._by_length, self._incompatible = {}, {}
        for record in records:
            self.add(record.number, record.before, record.after)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace the number of each resource by the one that *numbers* gives for it. O(n)."""
        self._incompatible.clear()
        for _, bits in self._by_length.values():
            bits.renumber(numbers)

    def incompatible(self, low: Any, high: Any) -> int:
        """Return a bitmap of the resources whose lengths cannot be added to the keys of a span. O(1), or O(lengths)."""
        keys = [key for key in (low, high) if key is not None]
        if not keys or not self._by_length:
            return 0
        kind = type(keys[0])
        exact = type(keys[-1]) is kind  # numbers of several types may be mixed
        resources = self._incompatible.get(kind) if exact else None
        if resources is None:
            resources = 0
            for length, bits in self._by_length.values():
                exact = exact and (kind, type(length)) in _EXACT
                if not all(is_movable(key, length) for key in keys):
                    resources |= bits.value()
            if exact:
                self._incompatible[kind] = resources
        return resources


def token_of(length: Any) -> Any:
    """Return what `BufferIndex` keeps a length under. It contains the type: 1 and 1.0 are equal, and fit different keys."""
    try:
        hash(length)
    except LACKING:
        raise
    except Exception:
        return id(length)
    return type(length), length
