"""How long a span fits between the bookings of a long schedule, part by part: who looks for a gap passes over the rest.

    parts      0        1        2         3     ...   16 ...      a part's gaps are those within it and the one behind
    gaps       2 1 3    1 1 2    9 1 1     2           1 3
    bounds     3        2        9         2           3           nothing longer fits: measured, or a little too much
    caps 0     9                                       3           the most of each sixteen of them
    caps 1     9                                                   and of each sixteen of those

A booking only makes gaps shorter, so it leaves the bounds as they are: still true, perhaps more than is there. A removal
may make one longer, which nobody then knows (None) until somebody looks. Who looks, and finds less than the bound
said, writes down what is there. So a change costs O(1), and a question O(log m), `SPLIT` more for each part that changed
since it was last looked at, and after a part was cut in two (by one booking in some sixty) a look at each bound behind it.

Gaps are measured by subtraction, of whole numbers, dates and datetimes alone: of these ``start - end >= length`` is the
same as ``end + length <= start``, exactly and at all times. In schedules of other keys no part is passed over.

Invariants: ``bounds[i]`` is None, or nothing longer fits into a gap of part i. Of the first and the last part, where
bookings come into time that was in no gap, it is None. A cap is None, or the most of the bounds below it, of which none is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from operator import sub
from typing import Any, Protocol

__all__ = ["GapSummary"]

FAN = 16
"""How many bounds have one cap."""

LENGTHS: dict[Any, tuple[type, Any]] = {
    # what lengths of such keys are, and the one from a key to the next
    int: (int, 1),
    date: (timedelta, timedelta(days=1)),
    datetime: (timedelta, timedelta(microseconds=1)),
}


class Part(Protocol):
    """A part of a schedule: its edges are start, end, start, end and so on."""

    edges: tuple[Any, ...]


class GapSummary:
    """What is known of the gaps of a schedule's parts. The schedule tells of each change; O(1), amortised."""

    __slots__ = ("bounds", "caps", "closed", "parts")

    def __init__(self, parts: Sequence[Part], closed: bool) -> None:
        self.parts, self.closed = parts, closed
        self.bounds: list[Any] = [self._measured(at) for at in range(len(parts))]
        self.caps: list[list[Any]] = []
        self._moved_from(0)

    # -- what the schedule says --------------------------------------------------------------------

    def parted(self, at: int) -> None:
        """Measure both halves of a part that has been cut in two. O(SPLIT), once in half as many bookings."""
        self.bounds.insert(at + 1, None)
        self._moved_from(at)
        for place in (at, at + 1):
            self.bounds[place] = self._measured(place)

    def freed(self, at: int) -> None:
        """Forget how long the gaps were in a part that a booking has left, or before it."""
        self._note(at, None)
        if at:
            self._note(at - 1, None)

    def emptied(self, at: int) -> None:
        """Forget a part that has gone, and how long the gaps were behind the one before it."""
        del self.bounds[at]
        self._moved_from(at)
        for place in (0, at - 1, len(self.bounds) - 1):
            if place >= 0:
                self._note(place, None)

    def _note(self, at: int, bound: Any) -> None:
        """Write down a bound. What lies above it is put together anew when it is asked for."""
        self.bounds[at] = bound
        for caps in self.caps:
            at //= FAN
            if at < len(caps):
                caps[at] = None

    def _moved_from(self, at: int) -> None:
        """Forget what lies above the parts from a place on: they have moved."""
        for caps in self.caps:
            at //= FAN
            del caps[at:]
        while self._width(len(self.caps)) > FAN:
            self.caps.append([])

    def _width(self, level: int) -> int:
        """Return how many bounds, or caps, there are on a level."""
        return int(-(-len(self.bounds) // FAN**level))

    # -- asking ------------------------------------------------------------------------------------

    def first(self, at: int, length: Any) -> int:
        """Return the first part from a place on into which, or behind which, a length may fit; the last always may.

        Complexity: O(log m), O(SPLIT) for each part that has changed since and is looked into in vain, and O(1) for each
        part behind one that has been cut, or has gone, since.
        """
        last = len(self.parts) - 1
        if at >= last or not self._knows(length):
            return min(at, last)
        level = 0
        # Up where a whole group begins, down where one may hold it. Past the end of a level is past the last part.
        while at * FAN**level <= last:
            bound = self._bound(level, at)
            if bound is None or not bound < length:
                if level:
                    level -= 1
                    at *= FAN
                    continue
                if at == last:
                    return last
                exact = self._measured(at)
                if exact is None or not exact < length:
                    return at
                self._note(at, exact)
            at += 1
            while level < len(self.caps) and not at % FAN:
                level += 1
                at //= FAN
        return last

    def _knows(self, length: Any) -> bool:
        """Tell whether lengths like this one are what gaps are measured in here."""
        kind = type(self.parts[-1].edges[0]) if self.parts[-1].edges else None
        if kind not in LENGTHS or type(length) is not LENGTHS[kind][0]:
            return False
        return kind is not date or not length % LENGTHS[date][1]  # hours added to a date are lost, see `fits`

    def _bound(self, level: int, at: int) -> Any:
        """Return the bound of a part, or the cap of a group of parts, or None. O(FAN x levels)."""
        if not level:
            return self.bounds[at]
        caps = self.caps[level - 1]
        if at < len(caps) and caps[at] is not None:
            return caps[at]
        below = self.bounds if level == 1 else self.caps[level - 2]
        low = at * FAN
        for place in range(low, min(low + FAN, self._width(level - 1))):
            if self._bound(level - 1, place) is None:
                return None
        caps += [None] * (at + 1 - len(caps))
        caps[at] = max(below[low : low + FAN])
        return caps[at]

    def _measured(self, at: int) -> Any:
        """Return the longest length that fits into a gap of a part, or None if there is none such. O(SPLIT), in C."""
        if not at or at + 1 == len(self.parts):
            return None
        edges = (*self.parts[at].edges, self.parts[at + 1].edges[0])
        kinds = set(map(type, edges))
        kind = kinds.pop()
        if kinds or kind not in LENGTHS:
            return None
        widest = max(map(sub, edges[2::2], edges[1::2]))
        return widest - 2 * LENGTHS[kind][1] if self.closed else widest  # from the key after one to the key before the next

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""
        count = len(self.parts)
        if len(self.bounds) != count or self.bounds[0] is not None or self.bounds[-1] is not None:
            raise AssertionError("as many bounds as parts, none for the first and the last")
        for at, bound in enumerate(self.bounds):
            exact = self._measured(at)
            # keys of another kind may have come into a part since it was measured, and made its gaps shorter
            if bound is not None and exact is not None and bound < exact:
                raise AssertionError(f"{exact} fits into part {at}, and its bound is {bound}")
        below = self.bounds
        for level, caps in enumerate(self.caps, 1):
            if len(caps) > self._width(level):
                raise AssertionError("more caps than groups")
            for at, cap in enumerate(caps):
                group = below[at * FAN : (at + 1) * FAN]
                if cap is not None and (None in group or cap != max(group)):
                    raise AssertionError(f"{group} under a cap of {cap}")
            below = caps
