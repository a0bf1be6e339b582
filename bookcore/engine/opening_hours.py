"""Who keeps opening hours that do not hold a span: each rule asked once, however many keep it.

The instants are measured once for all rules with a zone and once for those without. Which rules are closed is a small
number, a bit for each rule; who keeps any of them is one bitmap for each such number, remembered until somebody's hours
change: at night all are closed, and nothing is put together again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bookcore.index.bitmap import Bitmap
from bookcore.model.errors import KeyTypeError

__all__ = ["OpeningHoursIndex", "is_shorter", "suits"]

_KEPT = 64
"""How many bitmaps are remembered: 0.8 MB at 100,000 resources."""


UNFIT = ("unfit",)


def suits(hours: Any, low: Any, high: Any) -> bool:
    """Tell whether hours go with the keys of a span: only times of day do, with a zone or without as the hours."""
    return _points(hours, low, high) is not UNFIT


def is_shorter(hours: Any, length: Any) -> bool:
    """Tell whether hours are never open for so long; None is no hours, or no length."""
    if hours is None or hours.longest is None or not isinstance(length, timedelta):
        return False
    return bool(hours.longest < length)


def _points(hours: Any, low: Any, high: Any) -> Any:
    try:
        return hours.points(low, high)
    except KeyTypeError:  # no times of day, or none of a zone
        return UNFIT


class OpeningHoursIndex:
    """The opening hours of one calendar (`bookcore.hours.Hours`), each with the numbers of those who keep it.

    Not thread-safe: it stays behind the calendar's lock.
    """

    __slots__ = ("_unions", "by_rule")

    def __init__(self) -> None:
        self.by_rule: dict[Any, Bitmap] = {}
        self._unions: dict[int, int] = {}

    def change(self, number: int, before: Any, after: Any) -> None:
        """Let *number* keep other hours than before; None is none. O(n / 8) where a rule may be kept no more."""
        self._unions.clear()
        if before is not None:
            bits = self.by_rule[before]
            bits.discard(number)
            if not bits.value():
                del self.by_rule[before]
        if after is not None:
            if after not in self.by_rule:
                self.by_rule[after] = Bitmap()
            self.by_rule[after].add(number)

    def unfit(self, low: Any, high: Any, length: Any = None) -> int:
        """Return, as a bitmap, whose hours do not go with a span's keys, or are never open for so long. O(rules)."""
        found = 0
        for hours, bits in self.by_rule.items():
            if not suits(hours, low, high) or is_shorter(hours, length):
                found |= bits.value()
        return found

    def closed(self, low: Any, high: Any, is_closed: bool) -> int:
        """Return, as a bitmap, who keeps hours that are not open over the whole span, or do not go with its keys.

        *is_closed*: the span holds its end. What a booking raises for, no search offers, and fails for nobody else.
        Complexity: O(log openings a week) for each rule, and one OR for each closed rule when just these were not closed
        together before.
        """
        zoned: Any = None
        local: Any = None
        mask, bit = 0, 1
        for hours in self.by_rule:
            if hours.zone is None:
                points = local = local or _points(hours, low, high)
            else:
                points = zoned = zoned or _points(hours, low, high)
            if points is UNFIT or not hours.holds(*points, is_closed):
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
