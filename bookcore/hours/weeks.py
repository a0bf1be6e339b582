"""What is open, week by week: a weekly rule and its exceptions, resolved into spans of UTC and kept.

The rule is wall-clock time, the question is a span of points, and a zone stands between them. So the axis is
cut into weeks of UTC, and each week that is asked about is resolved once into disjoint open spans, kept as
lengths since the week began in two parallel sorted tuples; a question is then one bisect::

    rule         Mon 09-17   Tue 09-17   ...   Fri 22-26
    week 2920    [ 08:00 , 16:00 )  [ 08:00 , 16:00 ) ...  [ 21:00 , 01:00 )     UTC, clipped to the week
    question          [ 10:00 , 12:00 )                     inside one span: open

Weeks far from an exception and from a change of the clock look alike, but for the offset from UTC. Such a week is
resolved once for each offset (a year of Berlin is two of them, and the few around its changes), so that a question
about a week nobody asked about before costs little more than any other.

Openings that touch are one before the zone is asked (Mon 00-24 and Tue 00-24 are two days open), and spans
that touch at the border of two weeks are joined when a question reaches it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from bookcore.hours.openings import Piece, instants, longest_run, merged, runs
from bookcore.hours.rules import Day
from bookcore.hours.wall_clock import EPOCH, steady_offset

__all__ = ["HIGHEST", "LOWEST", "Weeks"]

_Week: TypeAlias = tuple[tuple[timedelta, ...], tuple[timedelta, ...]]

_WEEK: Final = timedelta(weeks=1)
_NONE: Final = timedelta(0)
# what a datetime can name, and the weeks that this ends in
_MIN: Final = datetime.min - EPOCH
_MAX: Final = datetime.max - EPOCH + timedelta.resolution
_MIN_WEEK: Final = _MIN.days // 7
_MAX_WEEK: Final = _MAX.days // 7
# the first and last week lie beyond all that a datetime can name in any zone; their outer ends stand for "unbounded"
_FIRST_WEEK: Final = _MIN_WEEK - 2
_LAST_WEEK: Final = _MAX_WEEK + 2
LOWEST: Final = _FIRST_WEEK * _WEEK
HIGHEST: Final = (_LAST_WEEK + 1) * _WEEK
# a zone is up to a day off UTC, a clock has been moved by up to a day, and a day's opening may run on for another
_FAR: Final = timedelta(days=2)
_REACH_BACK: Final = 3
_REACH_ON: Final = 2
_KEPT_WEEKS: Final = 512
_HORIZON: Final = 40 * 53  # weeks: every date falls on every weekday within 28 years, save around 1900 or 2100


class Weeks:
    """Open spans of one rule. Points are lengths since 1970, in UTC if there is a zone.

    ``longest`` is a length that no open span exceeds (exact without a zone, with one two days more), None where there is
    no bound. Safe to share among threads.

    Complexity: a week asked about for the first time O(openings near it) if it is near an exception or a change of the
    clock, else O(1) save once for each offset of the zone.
    """

    __slots__ = (
        "_ambiguous", "_by_day", "_eventful", "_nonexistent", "_steady", "_usual", "_week", "_zone", "kept", "longest",
    )  # fmt: skip

    def __init__(
        self, week: tuple[Day, ...], by_day: Mapping[int, Day], zone: ZoneInfo | None, nonexistent: str, ambiguous: str
    ) -> None:
        self._week, self._by_day, self._zone = week, by_day, zone
        self._nonexistent, self._ambiguous = nonexistent, ambiguous
        found = runs(week, {}, -7, 14)
        whole = any(opens <= _NONE and closes >= _WEEK for opens, closes in found)
        # what every week far from an exception is: open throughout, closed throughout, or neither
        self._steady: bool | None = True if whole else None if found else False
        slack = timedelta(days=0 if zone is None else 2)
        self.longest: timedelta | None = None if whole else longest_run(week, by_day) + slack
        touched = {(day + near) // 7 for day in by_day for near in range(-_REACH_ON, _REACH_BACK + 1)}
        self._eventful = tuple(sorted(touched))  # the weeks that an exception may touch, in order
        self.kept: dict[int, _Week] = {}
        self._usual: dict[timedelta, _Week] = {}  # by offset from UTC: the weeks in which nothing is special

    def holds(self, low: timedelta, high: timedelta, closed: bool) -> bool:
        """Tell whether all of a span is open. O(log openings a week); O(1) for a span longer than ``longest``."""
        longest, length = self.longest, high - low
        if longest is not None and longest < length:
            return False
        week = low.days // 7
        starts, ends = self.kept.get(week) or self._resolved(week)
        since = week * _WEEK
        within = low - since
        index = bisect_right(starts, within) - 1
        if index >= 0:
            until = ends[index]
            if within < until or (closed and within == until):
                if within + length <= until:
                    return True
                # closed before the span ends, unless the opening runs on into the next week
                return until == _WEEK and self._is_open_long(low, high)
        if closed and low == high == since:
            ends = (self.kept.get(week - 1) or self._resolved(week - 1))[1]
            return bool(ends) and ends[-1] == _WEEK
        return False

    def horizon(self, point: timedelta) -> timedelta:
        """Return how far it makes sense to look for an opening: 40 years past a point or the last exception."""
        return (max([point.days // 7, *self._eventful[-1:]]) + _HORIZON) * _WEEK

    def _is_open_long(self, a: timedelta, b: timedelta) -> bool:
        return next(self.open_points(a, b), None) == (a, b)

    def open_points(self, a: timedelta, b: timedelta) -> Iterator[Piece]:
        """Yield the maximal open spans within a span, disjoint and in order, lazily. O(weeks walked + spans)."""
        held: Piece | None = None
        if a == b:
            return
        for opens, closes in self._pieces(a.days // 7, b.days // 7):
            if closes <= a:
                continue
            if held is not None:
                if opens == held[1]:
                    held = held[0], closes
                    continue
                yield held[0], min(held[1], b)
            if opens >= b:
                return
            held = max(opens, a), closes
        if held is not None:
            yield held[0], min(held[1], b)

    def closed_points(self, a: timedelta, b: timedelta) -> Iterator[Piece]:
        """Yield exactly what `open_points` leaves of a span. Complexity: as that."""
        for opens, closes in self.open_points(a, b):
            if a < opens:
                yield a, opens
            a = closes
        if a < b:
            yield a, b

    def _pieces(self, week: int, last: int) -> Iterator[Piece]:
        """Yield open spans week by week, cut at the weeks' borders; steady stretches are one piece, or none."""
        while week <= last:
            index = bisect_right(self._eventful, week)
            if self._steady is None or (index and self._eventful[index - 1] == week):
                since = week * _WEEK
                for opens, closes in zip(*(self.kept.get(week) or self._resolved(week)), strict=True):
                    yield since + opens, since + closes
                week += 1
            else:
                following = self._eventful[index] if index < len(self._eventful) else last + 1
                if self._steady:
                    yield week * _WEEK, following * _WEEK
                week = following

    def _resolved(self, week: int) -> _Week:
        """Return the open spans of one week of UTC, cut at its borders, since it began; and remember them."""
        offset = None
        index = bisect_right(self._eventful, week)
        if _MIN_WEEK < week < _MAX_WEEK and not (index and self._eventful[index - 1] == week):
            # a change of the clock two days away moves no edge into the week, out of it or within it
            offset = _NONE if self._zone is None else steady_offset(self._zone, week * 7 - 2, week * 7 + 9)
        if offset is None:
            found = self._resolve(week)
        else:
            found = self._usual.get(offset) or self._resolve(week)
            self._usual[offset] = found
        if len(self.kept) >= _KEPT_WEEKS:
            self.kept.clear()  # one step, so that threads need no lock; a week that is lost is resolved again
        self.kept[week] = found
        return found

    def _resolve(self, week: int) -> _Week:
        """Work out the open spans of one week of UTC, cut at its borders, since it began."""
        low, high = week * _WEEK, (week + 1) * _WEEK
        first, last = week * 7 - _REACH_BACK, week * 7 + 7 + _REACH_ON
        pieces = runs(self._week, self._by_day, first, last)
        if self._zone is not None:
            zone = self._zone
            pieces = merged(
                piece
                for opens, closes in pieces
                if closes > low - _FAR and opens < high + _FAR
                for piece in instants(zone, opens, closes, self._nonexistent, self._ambiguous)
            )
        first_point, last_point = low, high
        if self._steady is None:  # where no key can be nothing opens: what never begins or ends should not seem to
            first_point, last_point = max(low, _MIN), min(high, _MAX)
        inside = [
            (max(opens, first_point), min(closes, last_point))
            for opens, closes in pieces
            if closes > first_point and opens < last_point
        ]
        return tuple(opens - low for opens, _ in inside), tuple(closes - low for _, closes in inside)
