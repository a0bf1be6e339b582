"""The recurrence rules of RFC 5545 (3.3.10): read from their text, and expanded from a first start.

A rule divides time into *periods* of its frequency (years, months, weeks, days, hours, ...), and takes every n-th of
them, counted from the period of the first start. A period gives some *bases* (days, or the hour, minute or second
itself); each base gives some *times* within it. BYSETPOS chooses among all that one period gives, the first period
included as a whole::

    FREQ=MONTHLY;BYDAY=MO,2TU;BYHOUR=9,14     period  May 2026
                                              bases   4, 11, 12, 18, 25 May
                                              times   9:00, 14:00

Whether a day is a base depends on its date alone, and dates repeat after 400 years, which are 20,871 weeks. So a rule
that finds nothing for as long as dates and interval take to repeat never finds anything: it ends.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import isleap, monthrange
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from math import gcd
from typing import Final

from bookcore.hours.wall_clock import EPOCH
from bookcore.model.errors import HoursError

FREQUENCIES: Final = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_UNITS: Final = {"DAILY": 1, "HOURLY": 24, "MINUTELY": 1440, "SECONDLY": 86_400}
"""How many periods a day has, where a period is no longer than a day."""

# the numbers that RFC 5545 allows; negative numbers count from the end
_RANGES: Final = {
    "BYSECOND": range(61),
    "BYMINUTE": range(60),
    "BYHOUR": range(24),
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": (*range(-31, 0), *range(1, 32)),
    "BYYEARDAY": (*range(-366, 0), *range(1, 367)),
    "BYWEEKNO": (*range(-53, 0), *range(1, 54)),
    "BYSETPOS": (*range(-366, 0), *range(1, 367)),
}
_PARTS: Final = frozenset(_RANGES) | {"FREQ", "UNTIL", "COUNT", "INTERVAL", "WKST", "BYDAY"}
_NOT_WITH: Final = {
    "BYWEEKNO": frozenset(FREQUENCIES) - {"YEARLY"},
    "BYYEARDAY": {"DAILY", "WEEKLY", "MONTHLY"},
    "BYMONTHDAY": {"WEEKLY"},
}
"""The frequencies with which a part must not be used (3.3.10, the table of parts)."""
_DAYS: Final = {name: number for number, name in enumerate(("MO", "TU", "WE", "TH", "FR", "SA", "SU"))}
_NUMBER: Final = re.compile(r"[+-]?\d{1,3}", re.ASCII)
_DAY: Final = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_VALUE: Final = re.compile(r"[A-Z0-9,+-]+", re.ASCII)
_POSITIVE: Final = re.compile(r"0*[1-9]\d{0,8}", re.ASCII)
_MOMENT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII | re.IGNORECASE)
_CYCLE: Final = 146_097
"""The days after which dates and weekdays repeat: 400 years."""
_LAST: Final = date.max.toordinal()
_DATES: Final = range(date(2000, 1, 1).toordinal(), date(2028, 1, 1).toordinal())
"""Days among which each date falls on each weekday that it can."""
_DOUBT: Final = 2_000
"""The steps without an occurrence after which it is asked whether there is any day for it."""
_MOST_STEPS: Final = 40_000
"""The steps without an occurrence after which a rule is given up whose repetition is longer than that."""


@dataclass(frozen=True, slots=True)
class RecurrenceRule:
    """A rule that was read. ``by`` has the numbers of each BY... part but BYDAY.

    ``weekdays`` are the days of BYDAY without a number (Monday is 0), ``numbered`` those with one: ``(2, 1)`` is 2TU.
    """

    text: str
    freq: str
    interval: int = 1
    count: int | None = None
    until: date | None = None
    week_start: int = 0
    by: dict[str, tuple[int, ...]] = field(default_factory=dict)
    weekdays: frozenset[int] = frozenset()
    numbered: frozenset[tuple[int, int]] = frozenset()

    def walls(self, first: datetime, *, whole_days: bool = False) -> Iterator[timedelta]:
        """Yield the starts that the rule produces from *first* on, as lengths since 1970 on the wall clock, in order.

        COUNT is applied, UNTIL is not. For *whole_days* the parts for hours, minutes and seconds are ignored, as RFC 5545
        has it.

        Raises: `HoursError` for whole days every hour; while it is iterated, for a rule that finds nothing in 40,000 steps
        although it may find something later.
        Complexity: O(1) memory; the time for one more start is that of the days or times that are passed over.

        >>> rule = read_rule("FREQ=MONTHLY;BYDAY=MO,2TU")
        >>> [str((EPOCH + wall).date()) for wall in islice(rule.walls(datetime(2026, 5, 4)), 4)]
        ['2026-05-04', '2026-05-11', '2026-05-12', '2026-05-18']
        """
        if whole_days and _UNITS.get(self.freq, 1) > 1:
            raise HoursError(self.text, f"FREQ={self.freq} needs a time of day, and the first span is of whole days")
        walls = _Expansion(self, first, whole_days).walls()
        return walls if self.count is None else islice(walls, self.count)


def read_rule(rule: str) -> RecurrenceRule:
    """Return the rule of a text such as ``"FREQ=WEEKLY;BYDAY=MO"``, with or without ``RRULE:``.

    Raises: `HoursError` for anything that RFC 5545 does not allow. Complexity: O(length of the text).

    >>> read_rule("RRULE:FREQ=WEEKLY;COUNT=10;BYDAY=MO,WE").weekdays == {0, 2}
    True
    """
    text = rule.strip()
    if text[:6].upper() == "RRULE:":
        text = text[6:]
    parts: dict[str, str] = {}
    for part in filter(None, text.upper().split(";")):
        name, _, value = (each.strip() for each in part.partition("="))
        if name not in _PARTS or not _VALUE.fullmatch(value):
            raise HoursError(rule, f"{part!r} is no part of a recurrence rule (RFC 5545, 3.3.10)")
        if name in parts:
            raise HoursError(rule, f"{name} is there twice")
        if name in ("INTERVAL", "COUNT") and not _POSITIVE.fullmatch(value):
            raise HoursError(rule, f"{name} is a whole number of at least 1")
        parts[name] = value
    freq = parts.get("FREQ")
    if freq not in FREQUENCIES:
        raise HoursError(rule, "a recurrence rule says how often: FREQ=DAILY, WEEKLY, MONTHLY, YEARLY, ...")
    by = {name: _numbers(rule, name, parts[name]) for name in _RANGES if name in parts}
    for name, frequencies in _NOT_WITH.items():
        if name in by and freq in frequencies:
            raise HoursError(rule, f"{name} must not be used with FREQ={freq} (RFC 5545, 3.3.10)")
    if "BYSETPOS" in by and not any(name.startswith("BY") for name in parts.keys() - {"BYSETPOS"}):
        raise HoursError(rule, "BYSETPOS picks among what other BY... parts give, and there is none")
    weekdays, numbered = _weekdays(rule, parts.get("BYDAY"))
    if numbered and (freq not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in by):
        reason = f"FREQ={freq}{' and BYWEEKNO' if 'BYWEEKNO' in by else ''} (RFC 5545, 3.3.10)"
        raise HoursError(rule, f"BYDAY={parts['BYDAY']}: a day must not have a number with {reason}")
    if (week_start := parts.get("WKST", "MO")) not in _DAYS:
        raise HoursError(rule, f"WKST={week_start} is no day of the week")
    return RecurrenceRule(
        text, freq, int(parts.get("INTERVAL", 1)), int(parts["COUNT"]) if "COUNT" in parts else None,
        _until(rule, parts["UNTIL"]) if "UNTIL" in parts else None, _DAYS[week_start], by, weekdays, numbered,
    )  # fmt: skip


def _numbers(rule: str, name: str, value: str) -> tuple[int, ...]:
    numbers = set()
    for number in value.split(","):
        if not _NUMBER.fullmatch(number) or int(number) not in _RANGES[name]:
            raise HoursError(rule, f"{name}={number} is out of range (RFC 5545, 3.3.10)")
        # Python's clock has no leap second, which counts as the second before it (RFC 5545, 3.3.12)
        numbers.add(59 if name == "BYSECOND" and number == "60" else int(number))
    return tuple(sorted(numbers))


def _weekdays(rule: str, value: str | None) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    plain, numbered = set(), set()
    for day in value.split(",") if value is not None else ():
        match = _DAY.fullmatch(day)
        if match is None or (match[1] is not None and not 1 <= abs(int(match[1])) <= 53):
            raise HoursError(rule, f"BYDAY={day} is no day: write MO, 2TU or -1FR")
        if match[1] is None:
            plain.add(_DAYS[match[2]])
        else:
            numbered.add((int(match[1]), _DAYS[match[2]]))
    return frozenset(plain), frozenset(numbered)


def read_moment(text: str) -> date:
    """Return the date, the datetime, or the datetime in UTC that a text of RFC 5545 says (3.3.4, 3.3.5). Raises: ValueError.

    >>> read_moment("20260504"), read_moment("20260504T235960Z")
    (datetime.date(2026, 5, 4), datetime.datetime(2026, 5, 4, 23, 59, 59, tzinfo=datetime.timezone.utc))
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("not a date or a time; write 20260504, 20260504T090000 or 20260504T090000Z")
    try:
        day = date(int(match[1]), int(match[2]), int(match[3]))
        if match[4] is None:
            return day
        # Python's clock has no leap second, which counts as the second before it (3.3.12)
        second = int(match[6])
        clock = time(int(match[4]), int(match[5]), 59 if second == 60 else second)
    except ValueError as exc:
        raise ValueError("there is no such day or time; an hour is 00 to 23") from exc
    return datetime.combine(day, clock, UTC if match[7] else None)


def _until(rule: str, value: str) -> date:
    try:
        return read_moment(value)
    except ValueError as exc:
        raise HoursError(rule, f"UNTIL={value}: {exc}") from exc


class _Expansion:
    """What a rule gives from one first start on. Days are ordinals as of `date.toordinal`."""

    def __init__(self, rule: RecurrenceRule, first: datetime, whole_days: bool) -> None:
        self.rule, self.first = rule, first
        by, freq = rule.by, rule.freq
        self.months = by.get("BYMONTH", ())
        self.month_days = by.get("BYMONTHDAY", ())
        self.year_days = frozenset(by.get("BYYEARDAY", ()))
        self.weeks = frozenset(by.get("BYWEEKNO", ()))
        self.weekdays, self.numbered = rule.weekdays, rule.numbered
        self.by_day = bool(self.weekdays or self.numbered)
        # what the rule does not say, the first start does
        if not (self.month_days or self.year_days or self.by_day):
            if freq == "WEEKLY" or self.weeks:
                self.weekdays, self.by_day = frozenset((first.weekday(),)), True
            elif freq in ("MONTHLY", "YEARLY"):
                self.month_days = (first.day,)
                if freq == "YEARLY" and not self.months:
                    self.months = (first.month,)
        self.in_year = freq == "YEARLY" and not self.months and bool(self.numbered)  # 2TU counts in the year
        self.known: dict[tuple[int, int], list[int]] = {}  # the days of a month by its first weekday and its length
        self.units = _UNITS.get(freq, 1)
        self.times, self.allowed = self._times(whole_days)

    def walls(self) -> Iterator[timedelta]:
        """Yield the starts, from the first start on."""
        first = self.first - EPOCH
        seconds = 86_400 // self.units
        positions = self.rule.by.get("BYSETPOS")
        if positions is not None:
            most = len(self.times) * {"YEARLY": 366, "MONTHLY": 31, "WEEKLY": len(self.weekdays)}.get(self.rule.freq, 1)
            positions = tuple(position for position in positions if -most <= position <= most)
            if not positions:
                return
        # lengths since 1970, with the microseconds of the first start
        epoch = timedelta(days=EPOCH.toordinal(), microseconds=-self.first.microsecond)
        periods, cycle = self._periods()
        count = 0
        for number, bases in enumerate(periods):
            if positions is None:
                starts: Iterable[int] = (base * seconds + time for base in bases for time in self.times)
            else:
                starts = self._chosen(bases, positions, seconds)
            for start in starts:
                count = number
                wall = timedelta(seconds=start) - epoch
                if wall >= first:
                    yield wall
            if number - count > cycle:
                return

    def _chosen(self, bases: Sequence[int], positions: tuple[int, ...], seconds: int) -> list[int]:
        times, total = len(self.times), len(bases) * len(self.times)
        places = {position - 1 if position > 0 else total + position for position in positions}
        return [bases[p // times] * seconds + self.times[p % times] for p in sorted(places) if 0 <= p < total]

    # -- periods ----------------------------------------------------------------------------------------

    def _periods(self) -> tuple[Iterable[Sequence[int]], int]:
        """Return the bases of each period, and after how many periods all of it repeats.

        The bases are days, or for hours and finer the periods themselves.
        """
        freq, first, interval = self.rule.freq, self.first.date(), self.rule.interval
        days_of: Callable[[int], Sequence[int]]
        if freq == "YEARLY":
            begin, last, cycle, days_of = first.year, 9999, 400, self._days_of_year
        elif freq == "MONTHLY":
            begin, last, cycle = first.year * 12 + first.month - 1, 9999 * 12 + 11, 4800
            days_of = self._days_of_months
        elif freq == "WEEKLY":
            begin, last, cycle = self._week_of(first.toordinal()), self._week_of(_LAST), _CYCLE // 7
            days_of = self._days_of_week
        else:
            return self._units(), _CYCLE  # each of which gives a start
        return map(days_of, range(begin, last + 1, interval)), cycle // gcd(interval, cycle)

    def _days_of_year(self, year: int) -> list[int]:
        return [day for month in self.months or range(1, 13) for day in self._days_of_month(year, month)]

    def _days_of_months(self, months: int) -> list[int]:
        return self._days_of_month(months // 12, months % 12 + 1)

    def _days_of_month(self, year: int, month: int) -> list[int]:
        if self.months and month not in self.months:
            return []
        weekday, length = monthrange(year, month)
        before = date(year, month, 1).toordinal() - 1
        if (numbers := self.known.get((weekday, length))) is None:
            numbers = list(range(1, length + 1))
            if self.month_days:
                numbers = sorted({n if n > 0 else length + 1 + n for n in self.month_days if -length <= n <= length})
            if self.by_day and not self.in_year:
                numbers = [n for n in numbers if self._on_weekday(weekday + n - 1, n, length)]
            self.known[weekday, length] = numbers
        days = [before + number for number in numbers]
        if self.in_year:
            first, length = date(year, 1, 1).toordinal(), 365 + isleap(year)
            days = [day for day in days if self._on_weekday(day - 1, day - first + 1, length)]
        if self.year_days:
            days = [day for day in days if self._on_year_day(day, year)]
        if self.weeks:
            days = [day for day in days if self._in_week(day)]
        return days

    def _days_of_week(self, week: int) -> list[int]:
        monday = week * 7 + 1 + self.rule.week_start - 7
        days = (day for day in range(max(monday, 1), min(monday + 7, _LAST + 1)) if (day - 1) % 7 in self.weekdays)
        if not self.months:
            return list(days)
        return [day for day in days if date.fromordinal(day).month in self.months]

    def _week_of(self, day: int) -> int:
        """Return the number of a day's week, counted from a week before the year 1."""
        return (day - 1 - self.rule.week_start + 7) // 7

    def _on_weekday(self, weekday: int, number: int, length: int) -> bool:
        """Tell whether BYDAY takes a day, the *number*-th of *length* days of its month or year."""
        weekday %= 7
        if weekday in self.weekdays:
            return True
        return ((number + 6) // 7, weekday) in self.numbered or (-((length - number) // 7) - 1, weekday) in self.numbered

    def _on_year_day(self, day: int, year: int) -> bool:
        number = day - date(year, 1, 1).toordinal() + 1
        return number in self.year_days or number - 366 - isleap(year) in self.year_days

    def _in_week(self, day: int) -> bool:
        """Tell whether BYWEEKNO takes a day. A week belongs to the year that has at least four of its days."""
        middle = day - (day - 1 - self.rule.week_start) % 7 + 3
        year = date.fromordinal(min(max(middle, 1), _LAST)).year
        first = date(year, 1, 1).toordinal()
        after = (first + 364 + isleap(year) - middle) // 7
        return (middle - first) // 7 + 1 in self.weeks or -after - 1 in self.weeks

    # -- days and finer ---------------------------------------------------------------------------------

    def _units(self) -> Iterator[Sequence[int]]:
        """Yield the periods of days, hours, minutes or seconds, each as its own and only base."""
        units, interval, allowed = self.units, self.rule.interval, self.allowed
        second = self.first.hour * 3600 + self.first.minute * 60 + self.first.second
        unit = self.first.toordinal() * units + second * units // 86_400
        if allowed is not None:  # those that are reached, on whatever day
            common = gcd(interval, units)
            allowed = tuple(each for each in allowed if (each - unit) % common == 0)
            if not allowed:
                return
        end = (_LAST + 1) * units
        by_date = bool(self.months or self.month_days or self.year_days)
        days = _CYCLE if by_date else 7 if self.by_day else 1
        cycle = days * units * interval // gcd(days * units, interval)  # after which all of it repeats
        known = frozenset(allowed or ())
        last, steps = unit, 0
        while unit < end:
            day, within = divmod(unit, units)
            if (next_day := self._next_day(day)) != day:
                target = next_day * units
            elif allowed is not None and within not in known:
                place = bisect_left(allowed, within)
                target = day * units + allowed[place] if place < len(allowed) else (day + 1) * units
            else:
                last, steps = unit, 0
                yield (unit,)
                target = unit + interval
            unit += -(-(target - unit) // interval) * interval
            steps += 1
            if unit - last > cycle or (steps == _DOUBT and not any(self._next_day(day) == day for day in _DATES)):
                return
            if steps > _MOST_STEPS:
                shown = date.fromordinal(min(unit // units, _LAST)).isoformat()
                raise HoursError(self.rule.text, f"no occurrence was found up to {shown}; this rule is given up")

    def _next_day(self, day: int) -> int:
        """Return the day itself if it is one of the rule, else a later day before which there is none."""
        if self.by_day and (day - 1) % 7 not in self.weekdays:
            return day + 1
        if not (self.months or self.month_days or self.year_days):
            return day
        shown = date.fromordinal(day)
        length = monthrange(shown.year, shown.month)[1]
        if self.months and shown.month not in self.months:
            return day - shown.day + length + 1
        if self.month_days and shown.day not in self.month_days and shown.day - length - 1 not in self.month_days:
            return day + 1
        return day + 1 if self.year_days and not self._on_year_day(day, shown.year) else day

    def _times(self, whole_days: bool) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Return the seconds of the times within a base, and the periods of a day that the rule allows (None: all)."""
        if whole_days:
            return (0,), None
        by, first = self.rule.by, self.first
        said = by.get("BYHOUR"), by.get("BYMINUTE"), by.get("BYSECOND")
        finer = (1, 24, 1440, 86_400).index(self.units)
        hours, minutes, seconds = (
            given or (own,) for given, own in zip(said, (first.hour, first.minute, first.second), strict=True)
        )
        # parts below the period give times within it, the others choose among periods
        below = [(0,) if finer >= 1 else hours, (0,) if finer >= 2 else minutes, (0,) if finer >= 3 else seconds]
        times = tuple(h * 3600 + m * 60 + s for h in below[0] for m in below[1] for s in below[2])
        if not any(said[:finer]):
            return times, None
        ranges = (range(24), range(60), range(60))
        h_, m_, s_ = (said[i] or ranges[i] if i < finer else (0,) for i in range(3))
        length = 86_400 // self.units
        return times, tuple((h * 3600 + m * 60 + s) // length for h in h_ for m in m_ for s in s_)
