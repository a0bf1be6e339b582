"""Opening hours: weekly rules on the wall clock of a zone, with other rules for some dates.

The rule is wall-clock time, the question is a span of keys, and a zone stands between them. So the axis is
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

What becomes of times that a clock change skips or repeats is told, with the policies, in `_openings`: by
default an instant is open exactly when the wall clock, read at that instant, shows an open time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from bookcore._hours_rules import Day, DayRule, check_day, day_text, read_date, read_day, read_week, week_text
from bookcore._openings import AMBIGUOUS, NONEXISTENT, Piece, instants, longest_run, merged, runs
from bookcore._wallclock import EPOCH, EPOCH_UTC, choice, load_zone, steady_offset
from bookcore.errors import HoursError, InvalidKeyError, InvalidSpanError, KeyTypeError

__all__ = ["Hours"]

_Week: TypeAlias = tuple[tuple[timedelta, ...], tuple[timedelta, ...]]

_WEEK: Final = timedelta(weeks=1)
_NONE: Final = timedelta(0)
_DAY_ZERO: Final = EPOCH.toordinal()
# the first and last week lie beyond all that a datetime can name in any zone; their outer ends stand for "unbounded"
_FIRST_WEEK: Final = (datetime.min - EPOCH).days // 7 - 2
_LAST_WEEK: Final = (datetime.max - EPOCH).days // 7 + 2
_LOWEST: Final = _FIRST_WEEK * _WEEK
_HIGHEST: Final = (_LAST_WEEK + 1) * _WEEK
# a zone is up to a day off UTC, a clock has been moved by up to a day, and a day's opening may run on for another
_FAR: Final = timedelta(days=2)
_REACH_BACK: Final = 3
_REACH_ON: Final = 2
_KEPT_WEEKS: Final = 512
_HORIZON: Final = 40 * 53  # weeks: every date falls on every weekday within 28 years, save around 1900 or 2100


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Hours:
    """When something is open: weekly rules in a time zone, with other rules for some dates.

    Arguments: ``weekly``, a mapping of weekdays to openings (see the example; a close past midnight is
    written ``26:00``); ``zone``, an IANA name, or None for calendars with naive datetimes, whose keys are the
    wall clock itself; ``exceptions``, dates and what holds *instead* of the weekly rule on them, None for
    closed all day; ``nonexistent`` and ``ambiguous``, the policy at clock changes (see `_openings`).

    An opening belongs to the day it starts on: Friday 22:00-26:00 is decided by Friday's rule or exception up
    to its end on Saturday.

    With a zone, keys are aware datetimes (of any zone), and spans come out in UTC; without, keys are naive.
    Anything else is a `KeyTypeError`. An instance never changes, hashes by its content, and is safe to share
    among threads. It remembers the weeks it was asked about, at most 512 of them.

    Attributes: ``week``, ``zone``, ``exceptions``, ``nonexistent``, ``ambiguous``, as read; ``longest``, a
    length that no open span exceeds (exact without a zone, with one two days more, for clock changes), None
    where there is no bound: use it to give up on lengths that never fit.

    Raises: `HoursError` for a rule that cannot be read.
    Complexity: a week asked about for the first time O(openings near it) if it is near an exception or a change of the
    clock, else O(1) save once for each offset of the zone; after that as each method says.

    >>> berlin = Hours({"mon-fri": "09:00-17:00", "sat": ["10:00-12:00", "13:00-15:00"]}, zone="Europe/Berlin",
    ...                exceptions={"2026-12-24": "09:00-12:00", "2026-12-25": None})
    >>> day = datetime(2026, 12, 24, tzinfo=ZoneInfo("Europe/Berlin"))
    >>> berlin.is_open(day.replace(hour=9), day.replace(hour=12))
    True
    >>> berlin.is_open(day.replace(hour=14), day.replace(hour=15))
    False
    """

    week: tuple[Day, ...]
    zone: ZoneInfo | None
    exceptions: tuple[tuple[date, Day], ...]
    nonexistent: str
    ambiguous: str
    longest: timedelta | None
    _hash: int
    _epoch: datetime
    _by_day: dict[int, Day]
    _steady: bool | None  # what every week far from an exception is: open throughout, closed throughout, or neither
    _eventful: tuple[int, ...]  # the weeks that an exception may touch, in order
    _weeks: dict[int, _Week]
    _usual: dict[timedelta, _Week]  # by offset from UTC: the weeks in which nothing is special

    def __init__(
        self,
        weekly: Mapping[Any, DayRule],  # keys: weekdays, as text or numbers
        *,
        zone: str | ZoneInfo | None = None,
        exceptions: Mapping[Any, DayRule] | None = None,  # keys: dates, or ISO text
        nonexistent: str = "jump",
        ambiguous: str = "both",
    ) -> None:
        dates: dict[date, Day] = {}
        if not isinstance(exceptions, Mapping | None):
            raise HoursError(exceptions, "exceptions are a mapping of dates, such as {'2026-12-25': None}")
        for key, rule in (exceptions or {}).items():
            day = read_date(key)
            if day in dates:
                raise HoursError(key, "this date has its exception already; give each date once")
            dates[day] = read_day(rule)
        self._fill(read_week(weekly), zone, dates, nonexistent, ambiguous)

    def _fill(
        self,
        week: tuple[Day, ...],
        zone: str | ZoneInfo | None,
        dates: dict[date, Day],
        nonexistent: str,
        ambiguous: str,
    ) -> None:
        put = object.__setattr__  # the record is frozen, its constructor is not
        put(self, "week", week)
        put(self, "zone", None if zone is None else load_zone(zone))
        put(self, "exceptions", tuple(sorted(dates.items())))
        put(self, "nonexistent", choice("nonexistent", nonexistent, NONEXISTENT))
        put(self, "ambiguous", choice("ambiguous", ambiguous, AMBIGUOUS))
        put(self, "_hash", hash(self._content()))
        put(self, "_epoch", EPOCH if zone is None else EPOCH_UTC)
        by_day = {day.toordinal() - _DAY_ZERO: rule for day, rule in self.exceptions}
        put(self, "_by_day", by_day)
        week_runs = runs(week, {}, -7, 14)
        whole = any(opens <= timedelta(0) and closes >= _WEEK for opens, closes in week_runs)
        put(self, "_steady", True if whole else None if week_runs else False)
        slack = timedelta(days=0 if zone is None else 2)
        put(self, "longest", None if whole else longest_run(week, by_day) + slack)
        touched = {(day + near) // 7 for day in by_day for near in range(-_REACH_ON, _REACH_BACK + 1)}
        put(self, "_eventful", tuple(sorted(touched)))
        put(self, "_weeks", {})
        put(self, "_usual", {})

    # ---- questions

    def is_open(self, start: datetime | None, end: datetime | None, *, closed: bool = False) -> bool:
        """Tell whether all of ``[start, end)`` lies in opening time.

        An empty span asks about its instant. An end of None is unbounded: only what never closes on that side
        is open. ``closed=True`` is for calendars with ``bounds="[]"``: the span has its end, and so have the
        openings, so that 09:00-17:00 holds a span that ends at 17:00 and one that is nothing but 17:00.

        Raises: `InvalidSpanError` (reversed), `KeyTypeError` (no datetime, or naive where there is a zone, or
        aware where there is none).
        Complexity: O(log openings a week), whatever the length of the span.

        >>> hours = Hours({"fri": "22:00-24:00", "sat": "00:00-04:00"})
        >>> hours.is_open(datetime(2026, 5, 1, 23), datetime(2026, 5, 2, 1))
        True
        """
        return self.holds(*self._window(start, end), closed)

    def points(self, start: datetime | None, end: datetime | None) -> tuple[timedelta, timedelta]:
        """Return a span as `holds` takes it: one answer for all rules with a zone, one for all without.

        Raises: as `is_open`. Complexity: O(1).
        """
        return self._window(start, end)

    def holds(self, low: timedelta, high: timedelta, closed: bool = False) -> bool:
        """Tell whether all of a span is open, as `is_open`, given as `points` of this or a like rule returned it.

        Complexity: as `is_open`; O(1) for a span longer than ``longest``.
        """
        longest, length = self.longest, high - low
        if longest is not None and longest < length:
            return False
        week = low.days // 7
        starts, ends = self._weeks.get(week) or self._resolved(week)
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
            ends = (self._weeks.get(week - 1) or self._resolved(week - 1))[1]
            return bool(ends) and ends[-1] == _WEEK
        return False

    def open_spans(
        self, start: datetime | None, end: datetime | None
    ) -> Iterator[tuple[datetime | None, datetime | None]]:
        """Yield the maximal open spans within ``[start, end)``, disjoint and in order, lazily.

        The window's own ends come back as they were given, all others in UTC (naive without a zone): two
        times of one zone compare by their faces in Python, and at a clock change that is the wrong order. For
        the wall clock: ``span_start.astimezone(hours.zone)``. None is yielded for what is open without end.

        Raises: as `is_open`, when called.
        Complexity: O(weeks walked + spans), each week resolved once.

        >>> hours = Hours({"mon-fri": "09:00-17:00"})
        >>> for opens, closes in hours.open_spans(datetime(2026, 5, 1, 12), datetime(2026, 5, 4, 10)):
        ...     print(opens, closes, sep=" to ")
        2026-05-01 12:00:00 to 2026-05-01 17:00:00
        2026-05-04 09:00:00 to 2026-05-04 10:00:00
        """
        window = self._window(start, end)
        return self._as_keys(self._open_points(*window), start, end, window)

    def closed_spans(
        self, start: datetime | None, end: datetime | None
    ) -> Iterator[tuple[datetime | None, datetime | None]]:
        """Yield the maximal closed spans within ``[start, end)``: exactly what `open_spans` leaves of it.

        Raises, Complexity: as `open_spans`.

        >>> hours = Hours({"mon-fri": "09:00-17:00"})
        >>> for closes, opens in hours.closed_spans(datetime(2026, 5, 1, 12), datetime(2026, 5, 4, 10)):
        ...     print(closes, opens, sep=" to ")
        2026-05-01 17:00:00 to 2026-05-04 09:00:00
        """
        window = self._window(start, end)
        return self._as_keys(self._closed_points(*window), start, end, window)

    def next_open(
        self, after: datetime, *, at_least: timedelta | None = None
    ) -> tuple[datetime, datetime | None] | None:
        """Return the first open span that lasts at least so long at or after an instant, or None.

        The span is maximal save that it does not start before *after*; its end is None if it never closes. It
        looks 40 years past *after* or the last exception, whichever is later.

        Raises: `KeyTypeError` as `is_open`, also for an ``at_least`` that is no `timedelta`.
        Complexity: O(openings passed over).

        >>> Hours({"mon-fri": "09:00-17:00"}).next_open(datetime(2026, 5, 1, 18))
        (datetime.datetime(2026, 5, 4, 9, 0), datetime.datetime(2026, 5, 4, 17, 0))
        """
        if not isinstance(at_least, timedelta | None):
            raise KeyTypeError(at_least, "a length of opening time is a timedelta")
        a = self._point(after)
        wanted = at_least or timedelta.resolution
        if self.longest is not None and wanted > self.longest:
            return None
        horizon = (max([a.days // 7, *self._eventful[-1:]]) + _HORIZON) * _WEEK
        for opens, closes in self._open_points(a, _HIGHEST):
            if closes == _HIGHEST:
                return (after if opens == a else self._key(opens)), None
            if closes - opens >= wanted:
                return (after if opens == a else self._key(opens)), self._key(closes)
            if opens > horizon:
                break
        return None

    # ---- plain data

    def to_plain(self) -> dict[str, Any]:
        """Return the rule as a dict of str, int and tuples; `from_plain` is its inverse.

        >>> Hours({"mon": "09:00-17:00"}).to_plain()["week"]
        (((32400, 61200),), (), (), (), (), (), ())
        """
        return {
            "format": 1,
            "week": self.week,
            "zone": "" if self.zone is None else self.zone.key,
            "exceptions": tuple((day.isoformat(), rule) for day, rule in self.exceptions),
            "nonexistent": self.nonexistent,
            "ambiguous": self.ambiguous,
        }

    @classmethod
    def from_plain(cls, plain: object) -> Hours:
        """Return the rule that `to_plain` described. Raises: `HoursError` for anything else.

        >>> hours = Hours({"mon-fri": "09:00-17:00"}, zone="Europe/Berlin")
        >>> Hours.from_plain(hours.to_plain()) == hours
        True
        """
        fields = {"format", "week", "zone", "exceptions", "nonexistent", "ambiguous"}
        if not isinstance(plain, Mapping) or set(plain) != fields or plain["format"] != 1:
            raise HoursError(plain, "not opening hours as to_plain() writes them")
        week, zone, exceptions = plain["week"], plain["zone"], plain["exceptions"]
        if not isinstance(week, tuple) or len(week) != 7 or not isinstance(exceptions, tuple):
            raise HoursError(plain, "not opening hours as to_plain() writes them: a week of seven days, and exceptions")
        dates: dict[date, Day] = {}
        for item in exceptions:
            if not isinstance(item, tuple) or len(item) != 2 or (day := read_date(item[0])) in dates:
                raise HoursError(item, "not an exception (date, openings), or one of a date that has one")
            dates[day] = _plain_day(item[1])
        hours = object.__new__(cls)
        hours._fill(
            tuple(map(_plain_day, week)), None if zone == "" else zone, dates, plain["nonexistent"], plain["ambiguous"]
        )
        return hours

    def _content(self) -> tuple[object, ...]:
        zone = self.zone and self.zone.key
        return self.week, zone, self.exceptions, self.nonexistent, self.ambiguous

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Hours) and self._content() == other._content())

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Hours.from_plain, (self.to_plain(),)

    def __repr__(self) -> str:
        more = "" if self.zone is None else f", zone={self.zone.key!r}"
        if self.exceptions:
            more += f", exceptions={ {day.isoformat(): day_text(rule) for day, rule in self.exceptions} }"
        more += "" if self.nonexistent == "jump" else f", nonexistent={self.nonexistent!r}"
        more += "" if self.ambiguous == "both" else f", ambiguous={self.ambiguous!r}"
        return f"Hours({week_text(self.week)}{more})"

    # ---- keys and points

    def _point(self, key: Any) -> timedelta:
        """Return a key as the length since 1970, in UTC if there is a zone."""
        if not isinstance(key, datetime):
            raise KeyTypeError(key, "opening hours are about times of day, so they need keys that are datetimes")
        try:
            point = key - self._epoch
        except (TypeError, ValueError, OverflowError) as exc:
            raise self._refusal(key) from exc
        if point != point:  # NaT is a datetime, and equals nothing
            raise InvalidKeyError(key, key, None)
        return point

    def _refusal(self, key: datetime) -> KeyTypeError:
        if self.zone is None:
            if key.tzinfo is not None:
                return KeyTypeError(key, "has a zone, and these opening hours have none; give them one with zone='...'")
        elif key.utcoffset() is None:
            return KeyTypeError(
                key, f"has no zone, and these opening hours are in {self.zone.key}; give the key a zone, "
                "or use Hours(..., zone=None)"
            )
        return KeyTypeError(key, "cannot be measured from 1970")

    def _window(self, start: Any, end: Any) -> Piece:
        a = _LOWEST if start is None else self._point(start)
        b = _HIGHEST if end is None else self._point(end)
        if b < a:
            raise InvalidSpanError(start, end, "the end lies before the start")
        return a, b

    def _key(self, point: timedelta) -> datetime:
        try:
            return self._epoch + point
        except OverflowError:  # 24:00 of the last day that has a name
            return datetime.max.replace(tzinfo=self._epoch.tzinfo)

    def _as_keys(
        self, spans: Iterable[Piece], start: datetime | None, end: datetime | None, window: Piece
    ) -> Iterator[tuple[datetime | None, datetime | None]]:
        a, b = window
        for opens, closes in spans:
            yield (start if opens == a else self._key(opens)), (end if closes == b else self._key(closes))

    # ---- the walk over weeks

    def _is_open_long(self, a: timedelta, b: timedelta) -> bool:
        return next(self._open_points(a, b), None) == (a, b)

    def _open_points(self, a: timedelta, b: timedelta) -> Iterator[Piece]:
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

    def _closed_points(self, a: timedelta, b: timedelta) -> Iterator[Piece]:
        for opens, closes in self._open_points(a, b):
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
                for opens, closes in zip(*(self._weeks.get(week) or self._resolved(week)), strict=True):
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
        if _FIRST_WEEK < week < _LAST_WEEK and not (index and self._eventful[index - 1] == week):
            # a change of the clock two days away moves no edge into the week, out of it or within it
            offset = _NONE if self.zone is None else steady_offset(self.zone, week * 7 - 2, week * 7 + 9)
        if offset is None:
            found = self._resolve(week)
        else:
            found = self._usual.get(offset) or self._resolve(week)
            self._usual[offset] = found
        if len(self._weeks) >= _KEPT_WEEKS:
            self._weeks.clear()  # one step, so that threads need no lock; a week that is lost is resolved again
        self._weeks[week] = found
        return found

    def _resolve(self, week: int) -> _Week:
        """Work out the open spans of one week of UTC, cut at its borders, since it began."""
        low, high = week * _WEEK, (week + 1) * _WEEK
        first, last = week * 7 - _REACH_BACK, week * 7 + 7 + _REACH_ON
        pieces = runs(self.week, self._by_day, first, last)
        if self.zone is not None:
            zone = self.zone
            pieces = merged(
                piece
                for opens, closes in pieces
                if closes > low - _FAR and opens < high + _FAR
                for piece in instants(zone, opens, closes, self.nonexistent, self.ambiguous)
            )
        inside = [(max(opens, low), min(closes, high)) for opens, closes in pieces if closes > low and opens < high]
        if not _FIRST_WEEK < week < _LAST_WEEK and self._steady is None:
            inside = []  # no key is out here, and what never begins or ends should not seem to
        return tuple(opens - low for opens, _ in inside), tuple(closes - low for _, closes in inside)


def _plain_day(openings: object) -> Day:
    if not isinstance(openings, tuple) or not all(
        isinstance(pair, tuple) and len(pair) == 2 and type(pair[0]) is int and type(pair[1]) is int
        for pair in openings
    ):
        raise HoursError(openings, "not a day of openings ((open, close), ...) in seconds after midnight")
    return check_day(openings, openings)
