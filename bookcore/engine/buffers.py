"""Buffers that cannot be added to the keys of a span. One of the rules that `bookcore.engine.rules` lists.

Five hours cannot be added to a date. A booking adds the buffers of its resource to its own keys, and its neighbours
subtract theirs, so each length has to go with each key in both directions. Where one does not, `book` raises an error, and a
search, which covers all resources, leaves the resource out. Where there is room is no matter of this rule, but of bookings.

    length     numbers of the resources
    1 hour     0 4
    1 day      2 3

For common types of key, the length alone decides whether it can be added, and the resources are remembered for each type.
For other types the key decides as well (adding 1.0 to a float of 1e20 does not change it), and every search tries all
lengths.

Invariant: this rule is among the ``rules`` of a record exactly if that has buffers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from bookcore.index.bitmap import Bitmap
from bookcore.model.errors import KeyTypeError, attempt, brief
from bookcore.model.explanation import Cause
from bookcore.model.lengths import obstacle
from bookcore.stores.record import ResourceRecord

_ALWAYS = frozenset({(int, int), (datetime, timedelta)})
"""Types of key and length of which each length can be added to each key."""

_EXACT = _ALWAYS | {(date, timedelta)}
"""Types of key and length for which the length alone decides whether it can be added, whatever the key."""

_DAY = timedelta(days=1)


class Buffers:
    """The lengths of the buffers, each with the bitmap of the resources that have it.

    Not thread-safe: used under the calendar's lock.
    """

    __slots__ = ("_by_length", "_incompatible")

    def __init__(self) -> None:
        self._by_length: dict[Any, tuple[Any, Bitmap]] = {}
        self._incompatible: dict[type, int] = {}  # bitmaps by type of key, kept until a length is added or removed

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def add(self, record: ResourceRecord) -> None:
        """Add the buffers of a resource, if it has any. O(1)."""
        lengths = _lengths(record)
        for length in lengths:
            _, bits = self._by_length.setdefault(token_of(length), (length, Bitmap()))
            bits.add(record.number)
            self._incompatible.clear()
        if lengths:
            record.rules = (*record.rules, self)
            record.publish()

    def remove(self, record: ResourceRecord) -> None:
        """Remove the buffers of a resource that is removed. O(n / 8)."""
        for length in _lengths(record):
            if (token := token_of(length)) in self._by_length:
                _, bits = self._by_length[token]
                bits.discard(record.number)
                if not bits.value():
                    del self._by_length[token]
                self._incompatible.clear()

    def repair(self, records: Iterable[ResourceRecord]) -> None:
        """Make everything anew from the records of all resources. O(n)."""
        self._by_length, self._incompatible = {}, {}
        for record in records:
            record.rules = tuple(rule for rule in record.rules if rule is not self)
            self.add(record)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace the number of each resource by the one that *numbers* gives for it. O(n)."""
        self._incompatible.clear()
        for _, bits in self._by_length.values():
            bits.renumber(numbers)

    # -- the rule ----------------------------------------------------------------------------------

    def allows(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """Return True. Raises: `KeyTypeError` if a buffer cannot be added to the keys. O(1)."""
        for length in (record.before, record.after):
            if length is None:
                continue
            kind = type(length)
            for key in (low, high):
                if key is None or (type(key), kind) in _ALWAYS:
                    continue
                wrong = _obstacle(key, length)
                if wrong is not None:
                    reason = f"{wrong.reason}, the buffer of resource {brief(record.id)}"
                    raise KeyTypeError(key, reason) from wrong.__cause__
        return True

    def blocked(self, low: Any, high: Any, quantity: int) -> int:
        """Return a bitmap of the resources of which a buffer cannot be added to the keys. O(1), or O(lengths)."""
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
                if any(_obstacle(key, length) is not None for key in keys):
                    resources |= bits.value()
            if exact:
                self._incompatible[kind] = resources
        return resources

    def spans(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, length: Any = None
    ) -> Iterator[tuple[Any, Any]]:
        """Yield nothing: a window may begin or end at a key that no booking may."""
        return iter(())

    def causes(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, start: Any, end: Any
    ) -> Iterator[Cause]:
        """Yield nothing: an error says why."""
        return iter(())

    def check(self, records: Mapping[Any, ResourceRecord]) -> None:
        """Raise AssertionError unless the invariant holds. O(n)."""
        for record in records.values():
            if (self in record.rules) is not bool(_lengths(record)):
                raise AssertionError(f"{record!r} has buffers or the rule, and not both")


def _lengths(record: ResourceRecord) -> list[Any]:
    return [length for length in (record.before, record.after) if length is not None]


def _obstacle(key: Any, length: Any) -> KeyTypeError | None:
    """Do what `obstacle` does, without arithmetic on keys where the length alone decides."""
    kinds = type(key), type(length)
    if kinds in _EXACT and (kinds[0] is not date or not length % _DAY):
        return None
    return obstacle(key, length)


def token_of(length: Any) -> Any:
    """Return what `Buffers` keeps a length under. It contains the type: 1 and 1.0 are equal, and fit different keys."""
    return id(length) if attempt(lambda: hash(length), None) is None else (type(length), length)
