"""Parsing of opening hours: text to whole seconds, and back.

A *day* is a sorted tuple of openings, each ``(open, close)`` in seconds after midnight of that day in wall-clock time.
``close`` may exceed 86,400: an opening belongs to the day on which it starts and may end on the next day. The openings
of one day do not overlap; openings that touch (12:00-13:00, 13:00-15:00) are merged.

    "09:00-17:00"                  ->  ((32400, 61200),)
    ["10:00-12:00", "22:00-26:00"] ->  ((36000, 43200), (79200, 93600))       26:00 is 02:00 of the next day
    None                           ->  ()                                     closed all day
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from itertools import islice
from typing import Any, Final, TypeAlias

from bookcore.model.errors import BookcoreError, HoursError, attempt, blaming, brief, visible
from bookcore.model.numpy_scalars import python_int
from bookcore.model.typecheck import is_a, plain_text

Day: TypeAlias = tuple[tuple[int, int], ...]
DayRule: TypeAlias = str | Iterable[str | tuple[str | time, str | time]] | None

FULL: Final = 86_400
_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def read_week(weekly: Any) -> tuple[Day, ...]:
    """Return seven days, Monday first, from a mapping of weekdays to rules for `read_day`.

    Keys: ``"mon"``, ``"monday"``, ``"mon-fri"``, ``"sat-mon"`` (past Sunday), ``"mon,wed,fri"``, ``"daily"``,
    or the number that `date.weekday` gives (Monday 0). A missing day is closed; a repeated day is an error.

    >>> read_week({"sat,sun": "10:00-12:00"})[4:]
    ((), ((36000, 43200),), ((36000, 43200),))
    """
    week: dict[int, Day] = {}
    for key, rule in read_pairs(weekly, "weekly hours are a mapping such as {'mon-fri': '09:00-17:00'}"):
        for weekday in _read_weekdays(key):
            if weekday in week:
                raise HoursError(key, f"{_NAMES[weekday]} has its hours already; give each day once")
            week[weekday] = read_day(rule)
    return tuple(week.get(weekday, ()) for weekday in range(7))


def read_pairs(value: Any, reason: str) -> Iterator[tuple[Any, Any]]:
    """Yield the keys and values of a mapping, one by one, so that a mapping without end ends at its first repeated key.

    Raises: `HoursError` with the *reason* for any other value, or a mapping that cannot be read.
    """
    if not is_a(value, (Mapping,)):
        raise HoursError(value, reason)
    with blaming(lambda exc: HoursError(value, f"{reason}; it could not be read ({type(exc).__name__})"), BookcoreError):
        for key, rule in value.items():  # noqa: UP028 - an item that is no pair raises here
            yield key, rule


def _read_weekdays(key: Any) -> list[int]:
    day = python_int(key)
    if day is not None and 0 <= day <= 6:
        return [day]
    text = plain_text(key)
    if text is not None:
        days: list[int] = []
        for part in text.lower().split(","):
            ends = [_weekday(name.strip()) for name in part.split("-")]
            if part.strip() == "daily":
                days += range(7)
            elif -1 in ends or len(ends) > 2:
                break
            else:
                days += [(ends[0] + step) % 7 for step in range((ends[-1] - ends[0]) % 7 + 1)]
        else:
            return days
    raise HoursError(
        key,
        f"not a weekday; write 'mon', 'monday', 'mon-fri', 'sat,sun', 'daily', or 0 (Monday) to 6 (Sunday){_unlike(key)}",
    )


def _weekday(name: str) -> int:
    """Return the number of a weekday, given by three or more letters of its name ("thu", "thurs"), else -1."""
    for number, full_name in enumerate(_FULL_NAMES):
        if len(name) >= 3 and full_name.startswith(name):
            return number
    return -1


def read_day(rule: Any) -> Day:
    """Return one day's openings from text, from a list of texts or pairs of times, or from None (closed).

    Times are ``"9:00"``, ``"09:00:30"`` or `datetime.time`. A close of 00:00 is the midnight at the end of the day, a
    close of ``26:00`` is 02:00 of the next day. An opening that closes before it opens is an error, because it may be
    meant to pass midnight or be a mistake.

    >>> read_day("10:00-12:00, 22:00-26:00")
    ((36000, 43200), (79200, 93600))
    >>> read_day([("09:00", time(0, 0))])
    ((32400, 86400),)
    """
    if rule is None:
        return ()
    text = plain_text(rule)
    if text is not None:
        rule = [part.strip() for part in text.split(",")]
    items = None if is_a(rule, (bytes, Mapping)) else _items(rule)
    if items is None:
        raise HoursError(rule, "a day's hours are text such as '09:00-17:00', a list of it, or None (closed)")
    if len(items) > FULL:
        raise HoursError(rule, f"has more openings than a day has seconds ({FULL:,})")
    return check_day([_read_opening(item) for item in items], rule)


def _items(value: Any) -> list[Any] | None:
    """Return the items of an iterable, not more than a day may have; None for any other value, or one that raises."""
    return attempt(lambda: list(islice(iter(value), FULL + 1)), None)  # without `len`, which is the object's own code


def _read_opening(item: Any) -> tuple[int, int]:
    text = plain_text(item)
    parts: Any = item if text is None else text.split("-")
    parts = _items(parts) if is_a(parts, (tuple, list)) else None
    if parts is None or len(parts) != 2:
        raise HoursError(item, f"an opening is text such as '09:00-17:00' or a pair of times (open, close){_unlike(item)}")
    opens, closes = (_read_time(part, item) for part in parts)
    return opens, closes or (FULL if opens else 0)  # 00:00-00:00 is ambiguous, and an error in `check_day`


def _read_time(value: Any, item: object) -> int:
    if is_a(value, time):
        plain = _plain(value)
        if plain.tzinfo is not None or plain.microsecond:
            raise HoursError(value, "times of opening hours are whole seconds without a zone of their own")
        return plain.hour * 3600 + plain.minute * 60 + plain.second
    text = plain_text(value)
    match = None if text is None else _TIME.fullmatch(text.strip())
    if match is None:
        raise HoursError(item, f"{brief(value)} is not a time of day such as '09:00'{_unlike(value)}")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if minutes > 59 or seconds > 59:
        raise HoursError(item, f"{brief(value)} is not a time of day: minutes and seconds end at 59")
    return hours * 3600 + minutes * 60 + seconds


def _plain(value: time) -> time:
    """Return a time as one of the class `time` itself, without calling methods of a subclass."""
    facts = [vars(time)[name].__get__(value) for name in ("hour", "minute", "second", "microsecond", "tzinfo")]
    return time(*facts)


def check_day(openings: Iterable[tuple[int, int]], source: object) -> Day:
    """Return the openings in order, merged where they touch. Raises: `HoursError` about *source*.

    >>> check_day([(46800, 54000), (36000, 46800)], "10:00-13:00, 13:00-15:00")
    ((36000, 54000),)
    """
    day: list[tuple[int, int]] = []
    for opens, closes in sorted(openings):
        if not 0 <= opens < FULL:
            raise HoursError(source, f"opens at {_clock(opens)}; an opening starts by 23:59:59")
        if closes < opens:
            later = f"{_clock(opens)}-{_clock(closes + FULL)}"
            raise HoursError(source, f"closes before it opens; if it runs past midnight, write '{later}'")
        if closes == opens:
            raise HoursError(source, f"closes at {_clock(closes)}, when it opens; all day is '00:00-24:00'")
        if closes > 2 * FULL:
            raise HoursError(source, f"closes at {_clock(closes)}; an opening ends by 48:00, the next midnight but one")
        if day and opens < day[-1][1]:
            raise HoursError(
                source, f"{_clock(opens)}-{_clock(closes)} overlaps {_clock(day[-1][0])}-{_clock(day[-1][1])}"
            )
        if day and opens == day[-1][1]:
            day.append((day.pop()[0], closes))
        else:
            day.append((opens, closes))
    return tuple(day)


def read_date(value: Any) -> date:
    """Return a date that is given as a date or as ISO text. Raises: `HoursError`, for a datetime as well.

    >>> read_date("2026-12-24")
    datetime.date(2026, 12, 24)
    """
    if is_a(value, date) and not is_a(value, datetime):
        return date.fromordinal(date.toordinal(value))  # calls no method of a subclass
    text = plain_text(value)
    if text is not None:
        try:
            return date.fromisoformat(text)
        except ValueError as exc:
            reason = f"not a date; write '2026-12-24' or date(2026, 12, 24){_unlike(value)}"
            raise HoursError(value, reason) from exc
    raise HoursError(value, "exceptions are for dates: '2026-12-24' or date(2026, 12, 24)")


def _unlike(value: object) -> str:
    """Return which character of a text is none of ASCII, for a message: some look like those that are right.

    >>> _unlike("09:00\u201317:00")
    '; the \u2013 in it is no ASCII character but EN DASH'
    """
    odd = next((each for each in plain_text(value) or "" if not each.isascii()), None)
    if odd is None:
        return ""
    return f"; the {visible(odd)} in it is no ASCII character but {unicodedata.name(odd, f'U+{ord(odd):04X}')}"


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}" + (f":{left:02}" if left else "")


def day_text(day: Day) -> str | None:
    """Return a day as text for `read_day`, None for a closed day.

    >>> day_text(((32400, 61200), (79200, 93600)))
    '09:00-17:00, 22:00-26:00'
    """
    return ", ".join(f"{_clock(opens)}-{_clock(closes)}" for opens, closes in day) or None


def week_text(week: tuple[Day, ...]) -> dict[str, str]:
    """Return the open days of a week as rules for `read_week`; consecutive equal days are one rule.

    >>> week_text(((),) * 4 + (((32400, 61200),),) * 2 + ((),))
    {'fri-sat': '09:00-17:00'}
    """
    text: dict[str, str] = {}
    first = 0
    for weekday in range(1, 8):
        if weekday == 7 or week[weekday] != week[first]:
            if (rule := day_text(week[first])) is not None:
                names = _NAMES[first] if weekday == first + 1 else f"{_NAMES[first]}-{_NAMES[weekday - 1]}"
                text[names] = rule
            first = weekday
    return text
