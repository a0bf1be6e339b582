"""Opening hours of resources. One of the rules that `bookcore.engine.rules` lists.

    hours       numbers of the resources
    mon-fri     0 1 4
    weekends    2 3

A search evaluates equal `Hours` once, however many resources have them. The keys of the span are converted once for all
hours with a zone and once for all without. The closed hours form a mask, one bit for each `Hours`; for each mask, the bitmap
of the resources with closed hours is remembered until hours are set again. At night all hours are closed: always one mask.

Invariant: the number of a record is in the bitmap of its ``hours``, and in no other; this rule is among the record's
``rules`` unless its ``hours`` are None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from bookcore.index.bitmap import Bitmap, from_ordinals
from bookcore.index.span_algebra import following, preceding
from bookcore.model.errors import KeyTypeError
from bookcore.model.explanation import Cause, CauseKind, span_text
from bookcore.model.window import Window
from bookcore.stores.record import ResourceRecord

_KEPT = 64
"""How many bitmaps are remembered: 0.8 MB at 100,000 resources."""

_INCOMPATIBLE = ("incompatible",)


def suits(hours: Any, low: Any, high: Any) -> bool:
    """Tell whether hours support the keys of a span: datetimes that have a zone exactly if the hours have one."""
    return _points(hours, low, high) is not _INCOMPATIBLE


def is_shorter(hours: Any, length: Any) -> bool:
    """Tell whether hours are never open for *length* without a break; False if either is None."""
    if hours is None or hours.longest is None or not isinstance(length, timedelta):
        return False
    return bool(hours.longest < length)


def _points(hours: Any, low: Any, high: Any) -> Any:
    try:
        return hours.points(low, high)
    except KeyTypeError:
        return _INCOMPATIBLE


def beside(neighbour: Callable[[Any], Any], key: Any) -> Any:
    """Return the neighbour of a key; None for None, and the key itself if it has none on that side."""
    try:
        return None if key is None else neighbour(key)
    except (LookupError, KeyTypeError):
        return key


class OpeningHours:
    """The opening hours of one calendar (`bookcore.hours.Hours`). Not thread-safe: used under the calendar's lock."""

    __slots__ = ("_closed", "_unions", "by_rule")

    def __init__(self, closed: bool) -> None:
        self._closed = closed
        self.by_rule: dict[Any, Bitmap] = {}
        self._unions: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self.by_rule)

    def set(self, record: ResourceRecord, hours: Any) -> None:
        """Set the hours of a resource; None removes them. O(1), or O(n / 8) if it had hours before."""
        number, before = record.number, record.hours
        self._unions.clear()
        if before is not None:
            bits = self.by_rule[before]
            bits.discard(number)
            if not bits.value():
                del self.by_rule[before]
        if hours is not None:
            if hours not in self.by_rule:
                self.by_rule[hours] = Bitmap()
            self.by_rule[hours].add(number)
        record.hours = hours
        record.set_rule(self, hours is not None)

    def repair(self, records: Iterable[ResourceRecord]) -> None:
        """Make everything anew from the hours of all records, after a change was cut off. O(n)."""
        self.by_rule, self._unions = {}, {}
        for record in records:
            hours, record.hours = record.hours, None
            self.set(record, hours)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace the number of each resource by the one that *numbers* gives for it. O(n)."""
        self._unions.clear()
        for bits in self.by_rule.values():
            bits.renumber(numbers)

    def incompatible(self, low: Any, high: Any, length: Any = None) -> int:
        """Return a bitmap of the resources whose hours do not support a span's keys, or are never open for *length*."""
        resources = 0
        for hours, bits in self.by_rule.items():
            if not suits(hours, low, high) or is_shorter(hours, length):
                resources |= bits.value()
        return resources

    # -- the rule ----------------------------------------------------------------------------------

    def allows(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """Tell whether the hours are open over the whole span. Raises: `KeyTypeError` if they do not support the keys."""
        hours = record.hours
        return hours is None or bool(hours.is_open(low, high, closed=self._closed))

    def blocked(self, low: Any, high: Any, quantity: int) -> int:
        """Return a bitmap of the resources whose hours are not open over the whole span, or do not support its keys.

        Complexity: O(log openings a week) for each `Hours`, and one OR for each closed `Hours` if the mask is new.
        """
        zoned: Any = None
        local: Any = None
        mask, bit = 0, 1
        for hours in self.by_rule:
            if hours.zone is None:
                points = local = local or _points(hours, low, high)
            else:
                points = zoned = zoned or _points(hours, low, high)
            if points is _INCOMPATIBLE or not hours.holds(*points, self._closed):
                mask |= bit
            bit <<= 1
        if not mask:
            return 0
        union = self._unions.get(mask)
        if union is None:
            union = 0
            for at, bits in enumerate(self.by_rule.values()):
                if mask >> at & 1:
                    union |= bits.value()
            if len(self._unions) >= _KEPT:
                self._unions.clear()
            self._unions[mask] = union
        return union

    def spans(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Iterator[tuple[Any, Any]]:
        """Yield, in order, the closed stretches of a window. For an unbounded window the iteration does not end.

        With closed bounds openings contain their ends: a stretch begins one key after an opening, and ends one key before
        the next.
        """
        if record.hours is None:
            return
        if not self._closed:
            yield from record.hours.closed_spans(low, high)
            return
        # the window is widened by one key on each side, so that a window of a single key has a length
        for closes, opens in record.hours.closed_spans(beside(preceding, low), beside(following, high)):
            first, last = beside(following, closes), beside(preceding, opens)
            if first is None or last is None or not last < first:
                yield first, last

    def causes(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, start: Any, end: Any
    ) -> Iterator[Cause]:
        """Yield the first closed stretch of the span, if there is one."""
        hours = record.hours
        if hours is not None and not self.allows(record, low, high, quantity):
            closes, opens = next(iter(hours.closed_spans(low, high)), (low, high))
            closes, opens = Window(start, end, low, high).in_asked_zone(closes, opens)
            text = f"outside its opening hours {span_text(closes, opens, '[)')}"
            yield Cause(CauseKind.HOURS, hours, closes, opens, text, "outside its opening hours")

    def check(self, records: dict[Any, ResourceRecord], size: int) -> None:
        """Raise AssertionError unless the invariant holds. O(n)."""
        expected: dict[Any, list[int]] = {}
        for record in records.values():
            if (self in record.rules) is not (record.hours is not None):
                raise AssertionError(f"{record!r} has hours or the rule, and not both")
            if record.hours is not None:
                expected.setdefault(record.hours, []).append(record.number)
        bitmaps = {hours: bits.value() for hours, bits in self.by_rule.items()}
        if bitmaps != {hours: from_ordinals(numbers, size) for hours, numbers in expected.items()}:
            raise AssertionError("the resources under each rule are not those that have it")
