"""Opening hours: weekly rules in the wall-clock time of a zone, with exceptions for some dates.

``rules`` parses the written rule, `Hours` converts keys (datetimes) to points (lengths since 1970, in UTC), ``weeks``
resolves and caches the open spans, ``wall_clock`` knows UTC offsets and clock changes::

    rules                     Hours                    weeks                             wall_clock
    {"mon": "09:00-17:00"} --> is_open(start, end) --> bisection in the spans of a week <-- offsets, policies
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from bookcore.hours.rules import (
    Day,
    DayRule,
    check_day,
    day_text,
    read_date,
    read_day,
    read_pairs,
    read_week,
    week_text,
)
from bookcore.hours.wall_clock import AMBIGUOUS, EPOCH, EPOCH_UTC, NONEXISTENT, Piece, choice, load_zone
from bookcore.hours.weeks import HIGHEST, LOWEST, Weeks
from bookcore.model.errors import LACKING, HoursError, InvalidKeyError, InvalidSpanError, KeyTypeError
from bookcore.model.pandas_scalars import nanoseconds, python_time
from bookcore.model.typecheck import is_a, plain_text
from bookcore.model.window import Window

_DAY_ZERO: Final = EPOCH.toordinal()


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Hours:
    """Opening hours: weekly rules in a time zone, with other rules for some dates.

    Arguments: ``weekly``, a mapping of weekdays to openings (see the example; 02:00 of the next day is written
    ``26:00``); ``zone``, an IANA name, or None for calendars with naive datetimes as keys; ``exceptions``, a mapping of
    dates to the openings that *replace* the weekly rule on them, None for closed all day; ``nonexistent`` and
    ``ambiguous``, the policies at clock changes (see `bookcore.hours.wall_clock`). By default an instant is open
    exactly when the wall clock shows an open time at that instant.

    An opening belongs to the day on which it starts: the rule or exception of Friday decides about Friday 22:00-26:00,
    including its end on Saturday.

    With a zone, keys are aware datetimes of any zone, and the returned spans are in the zone of the keys asked with; without
    a zone, keys are naive datetimes. Any other key is a `KeyTypeError`. An instance is immutable, hashes by its content, and
    is safe to share among threads. It caches at most 512 resolved weeks.

    Attributes: ``week``, ``zone``, ``exceptions``, ``nonexistent``, ``ambiguous``, as read; ``longest``, an upper bound
    for the length of an open span (exact without a zone, two days more with a zone), None if there is no bound.

    Raises: `HoursError` for a rule that cannot be read.
    Complexity: the first query about a week costs O(openings near it) if the week is near an exception or a clock change,
    else O(1), after the first ordinary week of each UTC offset. Later queries cost what each method states.

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
    _weeks: Weeks

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
        given: Any = {} if exceptions is None else exceptions
        for key, rule in read_pairs(given, "exceptions are a mapping of dates, such as {'2026-12-25': None}"):
            day = read_date(key)
            if day in dates:
                raise HoursError(key, "this date has its exception already; give each date once")
            dates[day] = read_day(rule)
        self._fill(read_week(weekly), zone, dates, nonexistent, ambiguous)

    def _fill(
        self, week: tuple[Day, ...], zone: str | ZoneInfo | None, dates: dict[date, Day], nonexistent: str, ambiguous: str
    ) -> None:
        put = object.__setattr__  # the dataclass is frozen
        put(self, "week", week)
        put(self, "zone", None if zone is None else load_zone(zone))
        put(self, "exceptions", tuple(sorted(dates.items())))
        put(self, "nonexistent", nonexistent := choice("nonexistent", nonexistent, NONEXISTENT))
        put(self, "ambiguous", ambiguous := choice("ambiguous", ambiguous, AMBIGUOUS))
        put(self, "_hash", hash(self._content()))
        put(self, "_epoch", EPOCH if zone is None else EPOCH_UTC)
        by_day = {day.toordinal() - _DAY_ZERO: rule for day, rule in self.exceptions}
        weeks = Weeks(week, by_day, self.zone, nonexistent, ambiguous)
        put(self, "_weeks", weeks)
        put(self, "longest", weeks.longest)

    # ---- queries

    def is_open(self, start: datetime | None, end: datetime | None, *, closed: bool = False) -> bool:
        """Return whether all of ``[start, end)`` lies in opening time.

        An empty span means its instant. A start or end of None is unbounded: only hours that never close on that side
        are open. ``closed=True`` is for calendars with ``bounds="[]"``: the span and the openings include their ends, so
        that 09:00-17:00 contains a span that ends at 17:00, and the span from 17:00 to 17:00.

        Raises: `InvalidSpanError` (reversed), `KeyTypeError` (no datetime, or naive where there is a zone, or
        aware where there is none).
        Complexity: O(log openings a week), whatever the length of the span.

        >>> hours = Hours({"fri": "22:00-24:00", "sat": "00:00-04:00"})
        >>> hours.is_open(datetime(2026, 5, 1, 23), datetime(2026, 5, 2, 1))
        True
        """
        return self.holds(*self.points(start, end), closed)

    def points(self, start: datetime | None, end: datetime | None) -> tuple[timedelta, timedelta]:
        """Return a span as the two points that `holds` takes; they are the same for all rules with (or without) a zone.

        They count whole microseconds, as all openings do: of keys that count nanoseconds, the start is rounded down and the
        end up. That changes no answer of `holds`.

        Raises: as `is_open`. Complexity: O(1).
        """
        low, high = exact = self._exact(start, end)
        return exact if type(low) is timedelta is type(high) else _outward(exact)

    def holds(self, low: timedelta, high: timedelta, closed: bool = False) -> bool:
        """Return whether all of a span is open, as `is_open`, for a span that `points` returned.

        Raises nothing. Complexity: as `is_open`; O(1) for a span longer than ``longest``.
        """
        return self._weeks.holds(low, high, closed)

    def open_spans(
        self, start: datetime | None, end: datetime | None, *, at_least: timedelta | None = None
    ) -> Iterator[tuple[datetime | None, datetime | None]]:
        """Yield the maximal open spans within ``[start, end)``, disjoint and in order, lazily.

        Spans shorter than *at_least* are left out.

        All times are in the zone of *start*, or if that is None of *end*; if both are None, in UTC. Compare and subtract
        them in UTC: Python compares two times of one zone by their wall-clock fields, which is wrong at a clock change.
        ``span_start.astimezone(hours.zone)`` gives the wall-clock time of the place.

        Raises: as `is_open`, at the call.
        Complexity: O(weeks visited + spans), each week resolved once. Where no weekly opening (with a zone: plus two days,
        for clock changes) lasts *at_least*, only weeks near an exception are visited.

        >>> hours = Hours({"mon-fri": "09:00-17:00"})
        >>> for opens, closes in hours.open_spans(datetime(2026, 5, 1, 12), datetime(2026, 5, 4, 10)):
        ...     print(opens, closes, sep=" to ")
        2026-05-01 12:00:00 to 2026-05-01 17:00:00
        2026-05-04 09:00:00 to 2026-05-04 10:00:00
        """
        wanted = _length(at_least)
        exact = self._exact(start, end)
        window = _outward(exact)
        points = self._weeks.open_points(*window, _whole(wanted))
        return self._as_keys(_long_enough(points, window, exact, wanted), start, end, window)

    def closed_spans(
        self, start: datetime | None, end: datetime | None
    ) -> Iterator[tuple[datetime | None, datetime | None]]:
        """Yield the maximal closed spans within ``[start, end)``: the complement of `open_spans`.

        Raises, Complexity: as `open_spans`.

        >>> hours = Hours({"mon-fri": "09:00-17:00"})
        >>> for closes, opens in hours.closed_spans(datetime(2026, 5, 1, 12), datetime(2026, 5, 4, 10)):
        ...     print(closes, opens, sep=" to ")
        2026-05-01 17:00:00 to 2026-05-04 09:00:00
        """
        exact = self._exact(start, end)
        window = _outward(exact)
        points = self._weeks.closed_points(*window)
        return self._as_keys(_long_enough(points, window, exact, timedelta(0)), start, end, window)

    def next_open(
        self, after: datetime, *, at_least: timedelta | None = None
    ) -> tuple[datetime, datetime | None] | None:
        """Return the first open span at or after an instant that lasts at least *at_least*, or None.

        The span is maximal, except that it does not start before *after*; its end is None if it never closes. The search
        ends 40 years after *after* or the last exception, whichever is later. Times are in the zone of *after*.

        Raises: `KeyTypeError` as `is_open`, also for an ``at_least`` that is no `timedelta`.
        Complexity: O(openings visited), as `open_spans`.

        >>> Hours({"mon-fri": "09:00-17:00"}).next_open(datetime(2026, 5, 1, 18))
        (datetime.datetime(2026, 5, 4, 9, 0), datetime.datetime(2026, 5, 4, 17, 0))
        """
        wanted = _length(at_least)
        exact = self._point(after)
        a = _whole(exact)
        wanted = wanted or timedelta.resolution
        if self.longest is not None and wanted > self.longest:
            return None
        points = self._weeks.open_points(a, HIGHEST, _whole(wanted), self._weeks.horizon(a))
        span = next(_long_enough(points, (a, HIGHEST), (exact, HIGHEST), wanted), None)
        if span is None:
            return None
        opening: Any = next(self._as_keys([span], after, None, (a, HIGHEST)))
        return opening  # type: ignore[no-any-return]

    # ---- serialization

    def to_plain(self) -> dict[str, Any]:
        """Return the rule as a dict of str, int and tuples; `from_plain` is its inverse. O(exceptions).

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
        """Return the rule that `to_plain` described. Raises: `HoursError` otherwise. O(n log n) in exceptions.

        >>> hours = Hours({"mon-fri": "09:00-17:00"}, zone="Europe/Berlin")
        >>> Hours.from_plain(hours.to_plain()) == hours
        True
        """
        fields = {"format", "week", "zone", "exceptions", "nonexistent", "ambiguous"}
        pairs = islice(read_pairs(plain, "not opening hours as to_plain() writes them"), len(fields) + 1)
        facts = {plain_text(name): value for name, value in pairs}
        if facts.keys() != fields or not is_a(facts["format"], int) or int.__index__(facts["format"]) != 1:
            raise HoursError(plain, "not opening hours as to_plain() writes them")
        week, zone, exceptions = facts["week"], facts["zone"], facts["exceptions"]
        if type(week) is not tuple or len(week) != 7 or type(exceptions) is not tuple:
            raise HoursError(plain, "not opening hours as to_plain() writes them: a week of seven days, and exceptions")
        dates: dict[date, Day] = {}
        for item in exceptions:
            if type(item) is not tuple or len(item) != 2 or (day := read_date(item[0])) in dates:
                raise HoursError(item, "not an exception (date, openings), or one of a date that has one")
            dates[day] = _plain_day(item[1])
        hours = object.__new__(cls)
        zone = None if plain_text(zone) == "" else zone
        hours._fill(tuple(map(_plain_day, week)), zone, dates, facts["nonexistent"], facts["ambiguous"])
        return hours

    def _content(self) -> tuple[object, ...]:
        zone = self.zone and self.zone.key
        return self.week, zone, self.exceptions, self.nonexistent, self.ambiguous

    def __eq__(self, other: object) -> bool:
        return self is other or (is_a(other, Hours) and self._content() == other._content())

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

    def _exact(self, start: Any, end: Any) -> tuple[timedelta, timedelta]:
        """Return a span as two points; those of keys that count nanoseconds do so, too."""
        low = LOWEST if start is None else self._point(start)
        high = HIGHEST if end is None else self._point(end)
        if high < low:
            raise InvalidSpanError(start, end, "the end lies before the start")
        return low, high

    def _point(self, key: Any) -> timedelta:
        """Return a key as the length since 1970, in UTC if there is a zone: a `timedelta`, or pandas' with nanoseconds."""
        if not issubclass(type(key), datetime):  # not isinstance, which believes __class__
            raise KeyTypeError(key, "opening hours are about times of day, so they need keys that are datetimes")
        try:
            point: Any = key - self._epoch
            if type(point) is timedelta:
                return point
            is_nat = bool(point != point)  # pandas.NaT is a datetime, and not equal to itself
            point = python_time(point)
            is_near = is_nat or bool(LOWEST < point < HIGHEST)
            if type(point) is not timedelta and is_near and not is_nat and not nanoseconds(point):
                point = timedelta.__add__(timedelta(0), point)  # a class of the user's own
        except LACKING:
            raise
        except Exception as exc:  # the class of the key may raise any error
            raise self._key_error(key) from exc
        if is_nat:
            raise InvalidKeyError(key, key, None)
        if not is_near:
            raise KeyTypeError(key, "is beyond the years of datetime, for which opening hours are computed")
        return point  # type: ignore[no-any-return]

    def _key_error(self, key: datetime) -> KeyTypeError:
        with suppress(Exception):  # the key's own code, or that of its zone
            if self.zone is None:
                if key.tzinfo is not None:
                    return KeyTypeError(key, "has a zone, and these opening hours have none; give them one with zone='...'")
            elif key.utcoffset() is None:
                return KeyTypeError(
                    key, f"has no zone, and these opening hours are in {self.zone.key}; give the key a zone, "
                    "or use Hours(..., zone=None)"
                )
        return KeyTypeError(key, "cannot be measured from 1970")

    def _key(self, point: timedelta) -> datetime:
        try:
            return self._epoch + point
        except OverflowError:  # 24:00 of the last day of datetime
            return datetime.max.replace(tzinfo=self._epoch.tzinfo)

    def _as_keys(
        self, spans: Iterable[Piece], start: datetime | None, end: datetime | None, window: Piece
    ) -> Iterator[tuple[datetime | None, datetime | None]]:
        a, b = window
        keys = (
            (start if opens == a else self._key(opens), end if closes == b else self._key(closes))
            for opens, closes in spans
        )
        return Window(start, end, start, end).all_in_asked_zone(keys)


def _length(at_least: object) -> timedelta:
    """Return the shortest opening asked for: a plain `timedelta`, or pandas' with nanoseconds. Raises: `KeyTypeError`."""
    if at_least is None:
        return timedelta(0)
    if not is_a(at_least, timedelta):
        raise KeyTypeError(at_least, "a length of opening time is a timedelta")
    length = python_time(at_least)
    return length if nanoseconds(length) else timedelta.__add__(timedelta(0), length)  # calls no method of a subclass


def _whole(length: timedelta) -> timedelta:
    """Return a length in whole microseconds: that, or the next less one."""
    return timedelta(length.days, length.seconds, length.microseconds) if nanoseconds(length) else length


def _outward(exact: Piece) -> Piece:
    """Return a span in whole microseconds: its start rounded down, its end up."""
    return _whole(exact[0]), -_whole(-exact[1])


def _count(length: timedelta) -> int:
    """Return a length in nanoseconds."""
    return _whole(length) // timedelta.resolution * 1000 + nanoseconds(length)


def _long_enough(points: Iterator[Piece], window: Piece, exact: Piece, wanted: timedelta) -> Iterator[Piece]:
    """Leave out the spans that, with the ends of the window to the nanosecond, are shorter than *wanted*, or empty."""
    if type(exact[0]) is timedelta is type(exact[1]) and type(wanted) is timedelta:
        return points
    low, high, least = _count(exact[0]), _count(exact[1]), max(_count(wanted), 1)
    return (
        (opens, closes)
        for opens, closes in points
        if (high if closes == window[1] else _count(closes)) - (low if opens == window[0] else _count(opens)) >= least
    )


def _plain_day(openings: object) -> Day:
    if type(openings) is not tuple or not all(
        type(pair) is tuple and len(pair) == 2 and type(pair[0]) is int and type(pair[1]) is int
        for pair in openings
    ):
        raise HoursError(openings, "not a day of openings ((open, close), ...) in seconds after midnight")
    return check_day(openings, openings)
