"""The values of properties: dates and times, durations, periods, offsets (RFC 5545, 3.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, TypeAlias

from bookcore.hours.recurrence import nearest_day
from bookcore.hours.rrule import read_moment
from bookcore.integrations.ical.lines import Line

Zones: TypeAlias = Callable[[str], tzinfo]
"""Returns the zone of a TZID."""
Duration: TypeAlias = tuple[timedelta, timedelta]
"""Days, which are wall-clock time, and the rest, which is elapsed time (3.3.6)."""

_DURATION: Final = re.compile(
    r"([+-]?)P(?:(\d{1,7})W)?(?:(\d{1,7})D)?(T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?", re.ASCII | re.IGNORECASE
)
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)(?::?(\d\d))?", re.ASCII)


def _moment(text: str, zone: str | None, zones: Zones) -> date:
    """Return what `read_moment` does, a local time in the zone of a TZID. Raises: ValueError, and what *zones* raises."""
    when = read_moment(text.strip())
    # a time in UTC is that, whatever TZID is beside it
    if zone is None or not isinstance(when, datetime) or when.tzinfo is not None:
        return when
    return when.replace(tzinfo=zones(zone))


def moments(line: Line, zones: Zones) -> Iterator[date | tuple[date, date | Duration]]:
    """Yield the dates, times and periods of a line (DTSTART, EXDATE, RDATE). Raises: as `_moment`."""
    zone = line.parameters.get("TZID")
    for text in filter(None, map(str.strip, line.value.split(","))):
        if "/" in text:
            yield _period(text, zone, zones)
        else:
            yield _moment(text, zone, zones)


def _period(text: str, zone: str | None, zones: Zones) -> tuple[date, date | Duration]:
    begin, _, end = text.partition("/")
    start = _moment(begin, zone, zones)
    return start, duration(end) if end.strip()[:1].upper() in ("P", "+", "-") else _moment(end, zone, zones)


def periods(line: Line, zones: Zones) -> Iterator[tuple[date, date]]:
    """Yield the periods of a line (FREEBUSY). Raises: as `_moment`."""
    for value in moments(line, zones):
        if not isinstance(value, tuple):
            raise ValueError("not a period; write 20260504T090000Z/20260504T100000Z or 20260504T090000Z/PT1H")
        yield value[0], after(value[0], value[1])


def duration(text: str) -> Duration:
    """Return a duration. Raises: ValueError.

    >>> duration("P1D") == duration("PT24H"), sum(duration("P1D"), timedelta()) == sum(duration("PT24H"), timedelta())
    (False, True)
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.group(2, 3, 5, 6, 7)) or match[4] in ("T", "t"):
        raise ValueError("not a duration; write PT1H30M, P1D or P2W")
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in match.group(2, 3, 5, 6, 7))
    sign = -1 if match[1] == "-" else 1
    return sign * timedelta(weeks=weeks, days=days), sign * timedelta(hours=hours, minutes=minutes, seconds=seconds)


def after(start: date, end: date | Duration) -> date:
    """Return the end of a period, which may be given as a duration. Raises: ValueError, OverflowError."""
    if not isinstance(end, tuple):
        return end
    days, rest = end
    if not isinstance(start, datetime):
        if rest % timedelta(days=1):
            raise ValueError("the length of an event on whole days is one in days")
        return start + days + rest
    if start.tzinfo is None:
        return start + days + rest
    return ((start + days).astimezone(UTC) + rest).astimezone(start.tzinfo) if rest else start + days


def offset(text: str) -> timedelta:
    """Return an offset from UTC. Raises: ValueError.

    >>> str(offset("+0530"))
    '5:30:00'
    """
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        raise ValueError("not an offset from UTC; write +0100")
    value = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4] or 0))
    if value >= timedelta(days=1):
        raise ValueError("an offset from UTC is less than a day")
    return -value if match[1] == "-" else value


def like(value: date, start: date, zone: tzinfo | None) -> date:
    """Return what names an occurrence, as its series with that *start* has it: a date or a wall-clock time, where it has.

    An occurrence of whole days may be named by a local midnight. In UTC that is the midnight of *zone* (if given), or
    else the nearest one. A date names all occurrences of that day.
    """
    if not isinstance(value, datetime):
        return value
    if not isinstance(start, datetime):
        local = value if zone is None or value.tzinfo is not UTC else value.astimezone(zone)
        return local.date() if local is not value and local.time() == time() else nearest_day(value)
    if start.tzinfo is None and value.tzinfo is not None:
        local = value if zone is None else value.astimezone(zone)
        return local.replace(tzinfo=None)
    return value
