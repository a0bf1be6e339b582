"""Buffers that cannot be added to the keys of a span. One of the rules that `bookcore.engine.rules` lists.

Five hours cannot be added to a date. A booking adds the buffers of its resource to its own keys, and its neighbours
subtract theirs, so each length has to go with each key in both directions. Where one does not, `book` raises an error, and a
search, which covers all resources, leaves the resource out. Where there is room is no matter of this rule, but of bookings.

    before     after      numbers of the resources
    1 hour     1 hour     0 4
    None       1 day      2 3

For common types of key, the length alone decides whether it can be added, and the resources are remembered for each type.
For other types the key decides as well (adding 1.0 to a float of 1e20 does not change it), and every search tries all
lengths. A store moves a key twice, by the buffer of the booking and by that of its neighbour, so both are tried.

Invariant: this rule is among the ``rules`` of a record exactly if that has buffers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from math import ulp
from typing import Any, TypeAlias

from bookcore.index.bitmap import Bitmap
from bookcore.model.errors import KeyTypeError, attempt, brief
from bookcore.model.explanation import Cause
from bookcore.model.lengths import ahead, back, clear_after, clear_before, obstacle
from bookcore.model.numpy_scalars import python_number
from bookcore.model.typecheck import is_a
from bookcore.stores.record import ResourceRecord

_ALWAYS = frozenset({(int, int), (datetime, timedelta)})
"""Types of key and length of which each length can be added to each key."""

_EXACT = _ALWAYS | {(date, timedelta)}
"""Types of key and length for which the length alone decides whether it can be added, whatever the key."""

_DAY = timedelta(days=1)
_NUMBERS = frozenset({int, float})
_Pair: TypeAlias = tuple[Any, Any]
"""The buffer before a booking, and that after it; None for none."""


class Buffers:
    """The lengths of the buffers, before and after, each pair with the bitmap of the resources that have it.

    Not thread-safe: used under the calendar's lock.
    """

    __slots__ = ("_by_lengths", "_closed", "_incompatible")

    def __init__(self, closed: bool) -> None:
        self._closed = closed
        self._by_lengths: dict[Any, tuple[_Pair, Bitmap]] = {}
        self._incompatible: dict[type, int] = {}  # bitmaps by type of key, kept until a length is added or removed

    def __bool__(self) -> bool:
        return bool(self._by_lengths)

    def add(self, record: ResourceRecord) -> None:
        """Add the buffers of a resource, if it has any. O(1)."""
        lengths = record.before, record.after
        if not _has_any(record):
            return
        _, bits = self._by_lengths.setdefault(tuple(map(token_of, lengths)), (lengths, Bitmap()))
        bits.add(record.number)
        self._incompatible.clear()
        record.set_rule(self, True)

    def remove(self, record: ResourceRecord) -> None:
        """Remove the buffers of a resource that is removed. O(n / 8)."""
        tokens = tuple(map(token_of, (record.before, record.after)))
        if tokens in self._by_lengths:
            _, bits = self._by_lengths[tokens]
            bits.discard(record.number)
            if not bits.value():
                del self._by_lengths[tokens]
            self._incompatible.clear()

    def repair(self, records: Iterable[ResourceRecord]) -> None:
        """Make everything anew from the records of all resources. O(n)."""
        self._by_lengths, self._incompatible = {}, {}
        for record in records:
            record.set_rule(self, False)
            self.add(record)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace the number of each resource by the one that *numbers* gives for it. O(n)."""
        self._incompatible.clear()
        for _, bits in self._by_lengths.values():
            bits.renumber(numbers)

    def may_round(self, key: Any) -> bool:
        """Tell whether a key to which the buffers are added may become a float, which is rounded. O(lengths)."""
        lengths = [length for pair, _ in self._by_lengths.values() for length in pair]
        return any(is_a(python_number(number), float) for number in (key, *lengths))

    # -- the rule ----------------------------------------------------------------------------------

    def allows(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """Return True. Raises: `KeyTypeError` if a buffer cannot be added to the keys. O(1)."""
        wrong = self._obstacle(low, high, (record.before, record.after))
        if wrong is not None:
            raise KeyTypeError(wrong.key, f"{wrong.reason}, the buffer of resource {brief(record.id)}") from wrong.__cause__
        return True

    def blocked(self, low: Any, high: Any, quantity: int) -> int:
        """Return a bitmap of the resources of which a buffer cannot be added to the keys. O(1), or O(lengths)."""
        if not self._by_lengths or (low is None and high is None):
            return 0
        keys = [key for key in (low, high) if key is not None]
        kind = type(keys[0])
        exact = type(keys[-1]) is kind  # numbers of several types may be mixed
        resources = self._incompatible.get(kind) if exact else None
        if resources is None:
            resources = 0
            for lengths, bits in self._by_lengths.values():
                exact = exact and all(length is None or (kind, type(length)) in _EXACT for length in lengths)
                if self._obstacle(low, high, lengths) is not None:
                    resources |= bits.value()
            if exact:
                self._incompatible[kind] = resources
        return resources

    def _obstacle(self, low: Any, high: Any, lengths: _Pair) -> KeyTypeError | None:
        """Return the error why a booking of this span cannot keep these buffers, or None."""
        decided = True
        for length in lengths:
            if length is None:
                continue
            kind = type(length)
            for key in (low, high):
                if key is None or (type(key), kind) in _ALWAYS:
                    continue
                if (type(key), kind) not in _EXACT:
                    decided = False
                elif length % _DAY and (wrong := obstacle(key, length)) is not None:
                    return wrong
        if decided or _is_far_from_the_edge(low, high, lengths):
            return None
        for length in lengths:
            for key in (low, high):
                if length is not None and key is not None and (wrong := obstacle(key, length)) is not None:
                    return wrong
        try:  # what the stores compute
            before, after = lengths
            first, last = back(low, before), ahead(high, after)
            clear_before(first, after, self._closed)
            clear_after(last, before, self._closed)
        except KeyTypeError as exc:
            return exc
        return None

    def spans(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Iterator[tuple[Any, Any]]:
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
            if (self in record.rules) is not _has_any(record):
                raise AssertionError(f"{record!r} has buffers or the rule, and not both")


def _has_any(record: ResourceRecord) -> bool:
    return record.before is not None or record.after is not None


def _is_far_from_the_edge(low: Any, high: Any, lengths: _Pair) -> bool:
    """Tell whether floats near these keys are closer together than the lengths, so that none of these is lost, and than 2.

    So a float equals each int there.
    """
    least = most = 0.0
    for length in lengths:
        if length is not None:
            if type(length) not in _NUMBERS:
                return False
            least, most = min(least or length, length), most + length
    try:
        return least > 0 and all(
            key is None or (type(key) in _NUMBERS and ulp(abs(key) + 4 * most) < min(least, 2)) for key in (low, high)
        )
    except OverflowError:  # an int that no float equals
        return False


def token_of(length: Any) -> Any:
    """Return what `Buffers` keeps a length under. It contains the type: 1 and 1.0 are equal, and fit different keys."""
    return id(length) if attempt(lambda: hash(length), None) is None else (type(length), length)
