"""The open spans of a weekly rule and its exceptions, resolved week by week into UTC and cached.

The rule is in wall-clock time, a query is a span of points in UTC, and a time zone lies between them. The axis is
therefore divided into weeks of UTC. The first query about a week resolves it into disjoint open spans, stored
as lengths since the start of the week in two parallel sorted tuples. Every query is then one bisection::

    rule         Mon 09-17   Tue 09-17   ...   Fri 22-26
    week 2920    [ 08:00 , 16:00 )  [ 08:00 , 16:00 ) ...  [ 21:00 , 01:00 )     UTC, clipped to the week
    query             [ 10:00 , 12:00 )                     inside one span: open

*Ordinary* weeks, far from an exception and from a clock change, differ only in their UTC offset. Such a week is
resolved once for each offset: Berlin has two of them a year, and a few special weeks around its clock changes.

Openings that touch are merged before the zone is applied (Mon 00-24 and Tue 00-24 are two days open). Spans that
touch at the border of two weeks are merged by the query.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from bookcore.hours.rules import Day
from bookcore.hours.wall_clock import EPOCH, Piece, instants, steady_offset

_Week: TypeAlias = tuple[tuple[timedelta, ...], tuple[timedelta, ...]]

_WEEK: Final = timedelta(weeks=1)
_ZERO: Final = timedelta(0)
# the range of datetime, and its first and last week
_MIN: Final = datetime.min - EPOCH
_MAX: Final = datetime.max - EPOCH + timedelta.resolution
_MIN_WEEK: Final = _MIN.days // 7
_MAX_WEEK: Final = _MAX.days // 7
# these two weeks lie outside the range of datetime in every zone; their outer borders mean "unbounded"
_FIRST_WEEK: Final = _MIN_WEEK - 2
_LAST_WEEK: Final = _MAX_WEEK + 2
LOWEST: Final = _FIRST_WEEK * _WEEK
HIGHEST: Final = (_LAST_WEEK + 1) * _WEEK
# how far an opening may be from its day: up to a day for the UTC offset, a day for a clock change, a day past midnight
_MARGIN: Final = timedelta(days=2)
_DAYS_BEFORE: Final = 3
_DAYS_AFTER: Final = 2
_KEPT_WEEKS: Final = 512
_NEAR: Final = 2
_HORIZON: Final = 40 * 53  # weeks: the calendar repeats after 28 years, and after 40 around 1900 or 2100


class Weeks:
    """The open spans of one rule. Points are lengths since 1970, in UTC if there is a zone.

    ``longest`` is an upper bound for the length of an open span (exact without a zone, two days more with a zone), None
    if there is no bound. ``kept`` is the cache of resolved weeks. Safe to share among threads.

    Complexity: the first query about a week costs O(openings near it) if the week is near an exception or a clock change;
    an ordinary week costs O(1), after the first one of each UTC offset.
    """

    __slots__ = (
        "_always", "_ambiguous", "_by_day", "_exceptional", "_nonexistent", "_ordinary", "_usual", "_week", "_zone", "kept",
        "longest",
    )  # fmt: skip

    def __init__(
        self, week: tuple[Day, ...], by_day: Mapping[int, Day], zone: ZoneInfo | None, nonexistent: str, ambiguous: str
    ) -> None:
        self._week, self._by_day, self._zone = week, by_day, zone
        self._nonexistent, self._ambiguous = nonexistent, ambiguous
        openings = merged_openings(week, {}, -7, 14)
        whole = any(opens <= _ZERO and closes >= _WEEK for opens, closes in openings)
        # True: every week without exceptions is open throughout; False: closed throughout; None: neither
        self._always: bool | None = True if whole else None if openings else False
        slack = timedelta(days=0 if zone is None else 2)
        self.longest: timedelta | None = None if whole else longest(openings + openings_near(week, by_day)) + slack
        # the same for openings without an exception
        self._usual: timedelta | None = None if whole else longest(openings) + slack
        touched = {(day + near) // 7 for day in by_day for near in range(-_DAYS_AFTER, _DAYS_BEFORE + 1)}
        self._exceptional = tuple(sorted(touched))  # the weeks that an exception may affect
        self.kept: dict[int, _Week] = {}
        self._ordinary: dict[timedelta, _Week] = {}  # an ordinary week, by its UTC offset

    def holds(self, low: timedelta, high: timedelta, closed: bool) -> bool:
        """Return whether all of a span is open. O(log openings a week); O(1) for a span longer than ``longest``."""
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
                # the opening ends before the span, unless it continues in the next week
                return until == _WEEK and next(self.open_points(low, high), None) == (low, high)
        if closed and low == high == since:
            ends = (self.kept.get(week - 1) or self._resolved(week - 1))[1]
            return bool(ends) and ends[-1] == _WEEK
        return False

    def horizon(self, point: timedelta) -> timedelta:
        """Return where a search for an opening ends: 40 years after a point or the last exception."""
        return (max([point.days // 7, *self._exceptional[-1:]]) + _HORIZON) * _WEEK

    def open_points(
        self, a: timedelta, b: timedelta, at_least: timedelta = _ZERO, last: timedelta = HIGHEST
    ) -> Iterator[Piece]:
        """Yield the maximal open spans within a span, disjoint and in order, lazily. O(weeks visited + spans).

        Spans shorter than *at_least* are left out: where no ordinary opening is that long, only weeks near an exception are
        visited. So are spans that begin after *last*, and the weeks after it.
        """
        return (span for span in self._joined(a, b, at_least, last) if span[1] - span[0] >= at_least)

    def _joined(self, a: timedelta, b: timedelta, at_least: timedelta, last: timedelta) -> Iterator[Piece]:
        """Yield what `open_points` yields, and some spans that are too short, or parts of such."""
        held: Piece | None = None
        if a == b:
            return
        for opens, closes in self._pieces(a.days // 7, b.days // 7, at_least):
            if closes <= a:
                continue
            if held is not None:
                if opens == held[1]:
                    held = held[0], closes
                    continue
                yield held[0], min(held[1], b)
            if opens >= b or opens > last:
                return
            held = max(opens, a), closes
        if held is not None:
            yield held[0], min(held[1], b)

    def closed_points(self, a: timedelta, b: timedelta) -> Iterator[Piece]:
        """Yield the closed spans within a span, the complement of `open_points`, at the same cost."""
        for opens, closes in self.open_points(a, b):
            if a < opens:
                yield a, opens
            a = closes
        if a < b:
            yield a, b

    def _pieces(self, week: int, last: int, at_least: timedelta) -> Iterator[Piece]:
        """Yield open spans, clipped to weeks. Weeks that are open (or closed) throughout are one piece (or none)."""
        # an opening of an exception may go on for a week of ordinary ones, before it and after it
        near = _NEAR if self._always is None and self._usual is not None and self._usual < at_least else 0
        while week <= last:
            index = bisect_right(self._exceptional, week + near)
            if (self._always is None and not near) or (index and self._exceptional[index - 1] >= week - near):
                since = week * _WEEK
                for opens, closes in zip(*(self.kept.get(week) or self._resolved(week)), strict=True):
                    yield since + opens, since + closes
                week += 1
            else:
                following = self._exceptional[index] - near if index < len(self._exceptional) else last + 1
                if self._always:
                    yield week * _WEEK, following * _WEEK
                week = following

    def _resolved(self, week: int) -> _Week:
        """Return the open spans of one week, computed from an ordinary week if possible, and cache them."""
        offset = None
        index = bisect_right(self._exceptional, week)
        if _MIN_WEEK < week < _MAX_WEEK and not (index and self._exceptional[index - 1] == week):
            # a clock change more than two days away does not affect the week
            offset = _ZERO if self._zone is None else steady_offset(self._zone, week * 7 - 2, week * 7 + 9)
        if offset is None:
            spans = self._resolve(week)
        else:
            spans = self._ordinary.get(offset) or self._resolve(week)
            self._ordinary[offset] = spans
        if len(self.kept) >= _KEPT_WEEKS:
            self.kept.clear()  # atomic, so that threads need no lock
        self.kept[week] = spans
        return spans

    def _resolve(self, week: int) -> _Week:
        """Return the open spans of one week of UTC, clipped to it, as lengths since its start."""
        low, high = week * _WEEK, (week + 1) * _WEEK
        first, last = week * 7 - _DAYS_BEFORE, week * 7 + 7 + _DAYS_AFTER
        pieces = merged_openings(self._week, self._by_day, first, last)
        if self._zone is not None:
            zone = self._zone
            pieces = merged(
                piece
                for opens, closes in pieces
                if closes > low - _MARGIN and opens < high + _MARGIN
                for piece in instants(zone, opens, closes, self._nonexistent, self._ambiguous)
            )
        first_point, last_point = low, high
        if self._always is None:  # outside the range of datetime nothing is open
            first_point, last_point = max(low, _MIN), min(high, _MAX)
        inside = [
            (max(opens, first_point), min(closes, last_point))
            for opens, closes in pieces
            if closes > first_point and opens < last_point
        ]
        return tuple(opens - low for opens, _ in inside), tuple(closes - low for _, closes in inside)


def merged_openings(week: tuple[Day, ...], by_day: Mapping[int, Day], first: int, last: int) -> list[Piece]:
    """Return the openings of the days ``first`` to ``last`` (since 1970, last excluded), merged."""
    openings: list[Piece] = []
    for number in range(first, last):
        midnight = timedelta(days=number)
        for opens, closes in by_day.get(number, week[(number + 3) % 7]):  # 1970 began on a Thursday
            openings.append((midnight + timedelta(seconds=opens), midnight + timedelta(seconds=closes)))
    return merged(openings)


def openings_near(week: tuple[Day, ...], by_day: Mapping[int, Day]) -> list[Piece]:
    """Return the openings near exceptions, of a rule that closes every week. O(exceptions)."""
    openings: list[Piece] = []
    days = sorted(by_day)
    first = 0
    for index, day in enumerate(days):
        # a group of exceptions is at most 20 days apart: an opening without exceptions lasts less than nine days
        if index + 1 == len(days) or days[index + 1] - day > 20:
            openings += merged_openings(week, by_day, days[first] - 10, day + 11)
            first = index + 1
    return openings


def longest(openings: Iterable[Piece]) -> timedelta:
    """Return how long the longest opening is, in wall-clock time."""
    return max((closes - opens for opens, closes in openings), default=timedelta(0))


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces in order; pieces that overlap or touch are merged."""
    merged: list[Piece] = []
    for opens, closes in sorted(pieces):
        if merged and opens <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], closes)
        else:
            merged.append((opens, closes))
    return merged
