"""Read the events of an iCalendar file (.ics) as spans to book. Extra: ``ical`` (icalendar, and python-dateutil).

`read_ics` takes from each VEVENT what says when it is: start, end or duration, rule, further and excluded
dates, and moved occurrences. A moved occurrence (RECURRENCE-ID) becomes an event of its own and is excluded
from the one it belongs to, so that every event stands by itself and `IcsEvent.spans` is one call of
`bookcore.recurrence.recurring`.
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
    """When an event is: its first span and what recurs of it.

    ``start`` and ``end`` are dates for whole days, naive datetimes for floating times, else aware ones.
    ``keep`` says whether occurrences last as long as the first or end at the same time of day (see
    `recurring`).
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
        """Yield the event's spans in order, for ever if its rule has no end. Raises, Complexity: as `recurring`.

        >>> event = IcsEvent("1", "rent", date(2026, 5, 1), date(2026, 5, 2), "FREQ=MONTHLY")
        >>> [start.isoformat() for start, end in event.spans(limit=3)]
        ['2026-05-01', '2026-06-01', '2026-07-01']
        """
        return recurring(
            self.start,
            self.end,
            self.rule,
            include=self.include,
            exclude=self.exclude,
            until=until,
            limit=limit,
            keep=self.keep,
        )


def read_ics(source: str | bytes | PathLike[str]) -> list[IcsEvent]:
    """Return the events of an iCalendar, in its order, moved occurrences as events of their own.

    *source* is the text itself, or a `pathlib.Path` to read it from.

    Zones are those of icalendar: IANA and Windows names, and what a VTIMEZONE describes. Of two that move one
    occurrence the higher SEQUENCE counts.

    Raises: `HoursError` for what cannot be read, a file that is not there as well, or has no one meaning here (EXRULE, a
    second RRULE, RANGE, no DTSTART); `MissingExtraError` without icalendar.
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
        # white space before the first line would make it the rest of a line that is not there
        calendars = Calendar.from_ical(text.lstrip(), multiple=True)
        for component in (each for calendar in calendars for each in calendar.walk("VEVENT")):
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
    except Exception as exc:  # a parser of foreign text raises what it raises; the reader's caller gets one kind
        raise HoursError(source, f"not an iCalendar that can be read: {type(exc).__name__}: {exc}") from exc
    gone: dict[str, list[date]] = {}
    for uid, when in moved:
        gone.setdefault(uid, []).append(when)
    events = []
    for event in masters:
        left = _fitting(gone.get(event.uid, ()), event.start)
        events.append(replace(event, exclude=(*event.exclude, *left)))
    return events + [event for _, event in moved.values()]


def _text(source: Any) -> str | bytes:
    """Return the text of an iCalendar that was given as a text or as the path of one."""
    if isinstance(source, PathLike):
        try:
            return Path(source).read_bytes()
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "strerror", None) or str(exc)
            raise HoursError(str(source), f"this file cannot be read: {reason}") from exc
    if not isinstance(source, str | bytes):
        raise HoursError(source, "an iCalendar is a text, or the pathlib.Path of one")
    mark: Any = "BEGIN:" if isinstance(source, str) else b"BEGIN:"
    if mark not in source.upper():
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
    further: list[Any] = []
    for when in _dates(component.get("RDATE")):
        if isinstance(when, tuple):
            # a period of bare dates, as some write it and some versions of icalendar read it, is one of midnights
            begin, ended = (_midnight(part, start) for part in when)
            further.append((begin, _after(begin, ended)[0] if isinstance(ended, timedelta) else ended))
        else:
            further += _fitting([when], start)
    return IcsEvent(
        uid,
        summary,
        start,
        end,
        None if rule is None else rule.to_ical().decode(),
        tuple(further),
        tuple(_fitting(_dates(component.get("EXDATE")), start)),
        keep,
    )


def _midnight(part: Any, start: date) -> Any:
    if isinstance(start, datetime) and isinstance(part, date) and not isinstance(part, datetime):
        return datetime.combine(part, time(), start.tzinfo)
    return part


def _after(start: date, duration: timedelta) -> tuple[date, str]:
    """Return the end of a duration, its days on the wall and what is left of it as time that passes.

    icalendar reads PT24H as it reads P1D, so that is a day here, too.
    """
    if not isinstance(start, datetime) or start.tzinfo is None:
        return start + duration, "elapsed"
    days = timedelta(days=duration.days)
    exact = (start + days).astimezone(UTC) + (duration - days)
    return exact.astimezone(start.tzinfo), "wall" if duration == days else "elapsed"


def _dates(values: Any) -> Iterable[Any]:
    lists = values if isinstance(values, list) else [] if values is None else [values]
    return [each.dt for some in lists for each in some.dts]


def _fitting(whens: Iterable[Any], start: date) -> list[date]:
    """Return dates and times as ones that go with *start*: whole days for whole days, floating for floating."""
    fitting: list[date] = []
    for when in whens:
        if not isinstance(start, datetime):
            fitting.append(when.date() if isinstance(when, datetime) else when)
        elif isinstance(when, datetime) and start.tzinfo is None:
            fitting.append(when.replace(tzinfo=None))
        else:
            fitting.append(when)
    return fitting


def _instant(when: date) -> date:
    """Return a key under which two ways to write one instant meet."""
    return when.astimezone(UTC) if isinstance(when, datetime) and when.tzinfo is not None else when
