"""Read the events of an iCalendar file (.ics) as spans to book. Extra: ``ical`` (icalendar, and python-dateutil).

`read_ics` reads the times of each VEVENT: start, end or duration, rule, included and excluded dates, and moved
occurrences. A moved occurrence (RECURRENCE-ID) becomes a separate event and is excluded from its recurring event, so
that `IcsEvent.spans` needs a single call of `bookcore.recurrence.recurring`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from os import PathLike
from pathlib import Path
from typing import Any

from bookcore.hours.recurrence import recurring
from bookcore.model.errors import BookcoreError, HoursError, MissingExtraError

__all__ = ["IcsEvent", "read_ics"]


@dataclass(frozen=True, slots=True)
class IcsEvent:
    """The times of one event: its first span and its recurrence.

    ``start`` and ``end`` are dates for whole days, naive datetimes for floating times, else aware datetimes. ``keep`` is
    whether occurrences have the same length or the same wall-clock times (see `recurring`).
    """

    uid: str
    summary: str
    start: date
    end: date
    rule: str | None = None
    include: tuple[date | tuple[date, date], ...] = ()
    exclude: tuple[date, ...] = ()
    keep: str = "elapsed"

    def spans(self, *, until: date | None = None, limit: int | None = None) -> Iterator[tuple[date, date]]:
        """Yield the spans of the event in order, lazily and perhaps without end. Raises, Complexity: as `recurring`.

        >>> event = IcsEvent("1", "rent", date(2026, 5, 1), date(2026, 5, 2), "FREQ=MONTHLY")
        >>> [start.isoformat() for start, end in event.spans(limit=3)]
        ['2026-05-01', '2026-06-01', '2026-07-01']
        """
        return recurring(
            self.start, self.end, self.rule, until=until, limit=limit,
            include=self.include, exclude=self.exclude, keep=self.keep,
        )  # fmt: skip


def read_ics(source: str | bytes | PathLike[str]) -> list[IcsEvent]:
    """Return the events of an iCalendar in its order, then moved occurrences as separate events.

    *source* is the text itself, or the `pathlib.Path` of a file. icalendar reads the zones: IANA names, Windows names and
    VTIMEZONE. If two events move the same occurrence, the higher SEQUENCE counts.

    Raises: `HoursError` for a text or file that cannot be read, and for unsupported parts (EXRULE, a second RRULE, RANGE,
    a missing DTSTART); `MissingExtraError` without icalendar.
    Complexity: O(length of the text).

    >>> events = read_ics('''BEGIN:VCALENDAR
    ... BEGIN:VEVENT
    ... UID:1
    ... DTSTART:20260504T090000
    ... DURATION:PT1H
    ... RRULE:FREQ=DAILY;COUNT=3
    ... EXDATE:20260505T090000
    ... END:VEVENT
    ... END:VCALENDAR''')
    >>> [start.day for start, end in events[0].spans()]
    [4, 6]
    """
    try:
        from icalendar import Calendar
    except ImportError as exc:
        raise MissingExtraError("icalendar", "ical") from exc
    text = _text(source)
    masters: list[IcsEvent] = []
    moved: dict[tuple[str, date], tuple[int, IcsEvent]] = {}
    try:
        # a line that begins with white space continues the previous line
        calendars = Calendar.from_ical(text.lstrip(), multiple=True)
        for component in (event for calendar in calendars for event in calendar.walk("VEVENT")):
            event = _event(component)
            if (replaced := component.get("RECURRENCE-ID")) is None:
                masters.append(event)
                continue
            if "RANGE" in replaced.params:
                raise HoursError(event.uid, "an occurrence is moved with RANGE, which has no one meaning")
            sequence = int(component.get("SEQUENCE", 0))
            key = event.uid, _instant(replaced.dt)
            if key not in moved or moved[key][0] <= sequence:
                moved[key] = sequence, event
    except BookcoreError:
        raise
    except Exception as exc:  # icalendar raises many types of errors
        raise HoursError(source, f"not an iCalendar that can be read: {type(exc).__name__}: {exc}") from exc
    replaced_starts: dict[str, list[date]] = {}
    for uid, when in moved:
        replaced_starts.setdefault(uid, []).append(when)
    events = []
    for event in masters:
        excluded = _like_start(replaced_starts.get(event.uid, ()), event.start)
        events.append(replace(event, exclude=(*event.exclude, *excluded)))
    return events + [event for _, event in moved.values()]


def _text(source: Any) -> str | bytes:
    """Return the text of an iCalendar, given as a text or as a path."""
    if isinstance(source, PathLike):
        try:
            return Path(source).read_bytes()
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "strerror", None) or str(exc)
            raise HoursError(str(source), f"this file cannot be read: {reason}") from exc
    if not isinstance(source, str | bytes):
        raise HoursError(source, "an iCalendar is a text, or the pathlib.Path of one")
    begin: Any = "BEGIN:" if isinstance(source, str) else b"BEGIN:"
    if begin not in source.upper():
        raise HoursError(source, "no iCalendar: it has no BEGIN:VCALENDAR. A file is given as pathlib.Path(name)")
    return source


def _event(component: Any) -> IcsEvent:
    uid, summary = str(component.get("UID", "")), str(component.get("SUMMARY", ""))
    if "DTSTART" not in component:
        raise HoursError(uid, "an event without DTSTART has no time")
    if "EXRULE" in component or isinstance(component.get("RRULE"), list):
        raise HoursError(uid, "an EXRULE or a second RRULE has no one meaning, so this event cannot be read")
    start = component["DTSTART"].dt
    end, keep = start, "elapsed"
    if "DTEND" in component:
        end = component["DTEND"].dt
    elif "DURATION" in component:
        end, keep = _after(start, component["DURATION"].dt)
    elif not isinstance(start, datetime):
        end = start + timedelta(days=1)
    rule = component.get("RRULE")
    included: list[Any] = []
    for when in _dates(component.get("RDATE")):
        if isinstance(when, tuple):
            # some calendars write a period of dates, and mean their midnights
            begin, ended = (_midnight(part, start) for part in when)
            included.append((begin, _after(begin, ended)[0] if isinstance(ended, timedelta) else ended))
        else:
            included += _like_start([when], start)
    return IcsEvent(
        uid,
        summary,
        start,
        end,
        None if rule is None else rule.to_ical().decode(),
        tuple(included),
        tuple(_like_start(_dates(component.get("EXDATE")), start)),
        keep,
    )


def _midnight(part: Any, start: date) -> Any:
    if isinstance(start, datetime) and isinstance(part, date) and not isinstance(part, datetime):
        return datetime.combine(part, time(), start.tzinfo)
    return part


def _after(start: date, duration: timedelta) -> tuple[date, str]:
    """Return the end of a duration, and the value of ``keep``: days are wall-clock time, the rest is elapsed time.

    icalendar does not distinguish PT24H from P1D, so both are one day.
    """
    if not isinstance(start, datetime) or start.tzinfo is None:
        return start + duration, "elapsed"
    days = timedelta(days=duration.days)
    exact = (start + days).astimezone(UTC) + (duration - days)
    return exact.astimezone(start.tzinfo), "wall" if duration == days else "elapsed"


def _dates(values: Any) -> Iterable[Any]:
    lists = values if isinstance(values, list) else [] if values is None else [values]
    return [value.dt for dates in lists for value in dates.dts]


def _like_start(whens: Iterable[Any], start: date) -> list[date]:
    """Return dates and times converted to the type of *start*: dates, or floating times."""
    converted: list[date] = []
    for when in whens:
        if not isinstance(start, datetime):
            converted.append(when.date() if isinstance(when, datetime) else when)
        elif isinstance(when, datetime) and start.tzinfo is None:
            converted.append(when.replace(tzinfo=None))
        else:
            converted.append(when)
    return converted


def _instant(when: date) -> date:
    """Return a time in UTC, so that equal instants are equal keys."""
    return when.astimezone(UTC) if isinstance(when, datetime) and when.tzinfo is not None else when
