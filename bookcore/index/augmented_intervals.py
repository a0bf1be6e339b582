"""Bookings of one resource that may overlap: in order of start, cut into parts that know their latest end.

    part 0   starts  1  2  2  3   latest end 9
    part 1   starts  4  6  7      latest end 8
    part 2   starts 11 12         latest end unbounded (None)

Which bookings overlap [a, b)? Only parts that begin before b can hold one, and of those only the ones whose latest
end is after a need to be read.

Invariants: entries are in order of start, equal starts in order of ``event._seq``; ``firsts[i]`` is the first start of
part i; no part is empty; ``latest`` is the greatest end in the part.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import Any

from bookcore.model.keys import LOWEST
from bookcore.model.records import BookingEvent

__all__ = ["AugmentedIntervalList"]

SPLIT = 512
"""How many bookings a part holds before it is cut in two."""


class _Part:
    __slots__ = ("ends", "events", "latest", "starts")

    def __init__(self, starts: list[Any], ends: list[Any], events: list[BookingEvent]) -> None:
        self.starts, self.ends, self.events = starts, ends, events
        self.measure()

    def measure(self) -> None:
        """Find the latest end anew."""
        self.latest: Any = _latest(self.ends)


def _latest(ends: list[Any]) -> Any:
    """Return the latest of some ends; None, which is later than all, if one is unbounded."""
    latest = ends[0]
    for end in ends:
        if end is None:
            return None
        if latest < end:
            latest = end
    return latest


class AugmentedIntervalList:
    """Bookings in order of start.

    Complexity: `put`, `remove` O(log m + SPLIT); `overlapping` O(log m + SPLIT x parts with an overlap + parts before).
    """

    __slots__ = ("closed", "firsts", "parts")

    def __init__(self, closed: bool) -> None:
        self.closed = closed
        self.firsts: list[Any] = []
        self.parts: list[_Part] = []

    def put(self, start: Any, end: Any, event: BookingEvent) -> None:
        """Insert a booking. All comparisons come before the first change."""
        start = LOWEST if start is None else start
        if not self.parts:
            self.parts.append(_Part([start], [end], [event]))
            self.firsts.append(start)
            return
        at, place = self._place(start, event)
        part = self.parts[at]
        if len(part.starts) >= SPLIT:  # before, so that a comparison that fails finds nothing half done
            half = len(part.starts) // 2
            one = _Part(part.starts[:half], part.ends[:half], part.events[:half])
            two = _Part(part.starts[half:], part.ends[half:], part.events[half:])
            self.parts[at : at + 1] = [one, two]
            self.firsts[at : at + 1] = [one.starts[0], two.starts[0]]
            part, at, place = (one, at, place) if place <= half else (two, at + 1, place - half)
        latest = part.latest
        later = latest is not None and (end is None or latest < end)
        part.starts.insert(place, start)
        part.ends.insert(place, end)
        part.events.insert(place, event)
        if later:
            part.latest = end
        self.firsts[at] = part.starts[0]

    def _place(self, start: Any, event: BookingEvent) -> tuple[int, int]:
        """Return the part and the position where a booking of this start belongs, by order of booking."""
        seq = event._seq or 0
        if start is LOWEST:
            above = sum(1 for first in self.firsts if first is LOWEST)
        else:
            above = _above(self.firsts, start)
        at = max(above - 1, 0)
        while at and not self.firsts[at] < start and (self.parts[at].events[0]._seq or 0) > seq:
            at -= 1  # the run of equal starts began in an earlier part, and so did the earlier bookings
        part = self.parts[at]
        high = len([s for s in part.starts if s is LOWEST]) if start is LOWEST else _above(part.starts, start)
        low = 0 if start is LOWEST else bisect_left(part.starts, start, 0, high)
        return at, bisect_right(part.events, seq, low, high, key=lambda e: e._seq or 0)

    def remove(self, start: Any, event: BookingEvent) -> None:
        """Take a booking out."""
        at, place = self._place(LOWEST if start is None else start, event)
        part = self.parts[at]
        place -= 1
        end = part.ends[place]
        latest = part.latest
        if len(part.ends) > 1 and (end is None or (latest is not None and not end < latest)):
            latest = _latest(part.ends[:place] + part.ends[place + 1 :])
        # nothing below compares keys
        del part.starts[place], part.ends[place], part.events[place]
        if not part.starts:
            del self.parts[at], self.firsts[at]
            return
        self.firsts[at] = part.starts[0]
        part.latest = latest

    def overlapping(self, start: Any, end: Any) -> list[BookingEvent]:
        """Return the bookings that overlap the span, by start, then in order of booking."""
        found: list[BookingEvent] = []
        last = len(self.parts) if end is None else self._begun(self.firsts, end)
        for part in self.parts[:last]:
            latest = part.latest
            if start is not None and latest is not None and (latest < start if self.closed else not start < latest):
                continue
            high = len(part.starts) if end is None else self._begun(part.starts, end)
            first = part.starts[0]
            if start is None or (first is not LOWEST and not first < start):  # nothing here begins too early to be in it
                found += part.events[:high]
            elif self.closed:
                found += [e for e, to in zip(part.events[:high], part.ends, strict=False) if to is None or not to < start]
            else:
                found += [e for e, to in zip(part.events[:high], part.ends, strict=False) if to is None or start < to]
        return found

    def _begun(self, starts: list[Any], end: Any) -> int:
        """Return how many of *starts* come before a span that ends at *end* is over."""
        return _above(starts, end) if self.closed else bisect_left(starts, end)

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""
        rows = [row for p in self.parts for row in zip(p.starts, (e._seq or 0 for e in p.events), strict=True)]
        for (one, first), (two, second) in pairwise(rows):
            same = one is two or not (one < two)
            if (two is not LOWEST and one is not LOWEST and two < one) or (same and first >= second):
                raise AssertionError("bookings out of order")
        if [p.starts[0] for p in self.parts] != self.firsts:
            raise AssertionError("firsts differ from the parts'")
        for part in self.parts:
            known, latest = part.latest, _latest(part.ends)
            if known is not latest and (known is None or latest is None or known < latest or latest < known):
                raise AssertionError("latest end is wrong")


def _above(starts: list[Any], key: Any) -> int:
    """Return how many starts are at or before *key*, never asking a key about `LOWEST`."""
    lowest = 0
    while lowest < len(starts) and starts[lowest] is LOWEST:
        lowest += 1
    return bisect_right(starts, key, lowest)
