"""From components to events: one model of an event series, and which versions of it count.

All components of one UID are one series: a *main* component, with the rule, and components that each replace one
*occurrence* (RECURRENCE-ID). Of several versions of the main component, or of one occurrence, the newest counts
(SEQUENCE, then DTSTAMP: RFC 5546, 2.1.5). Some programs give one UID to many events: of versions that nothing puts in
order, those at different times all count. A replaced occurrence is excluded from the main event, and is an event itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from bookcore.hours.recurrence import last_day, recurring
from bookcore.hours.rrule import read_moment, read_rule
from bookcore.integrations.ical.lines import Component, Line, one_of
from bookcore.integrations.ical.values import after, duration, like, moments, periods
from bookcore.integrations.ical.zones import FileZones
from bookcore.model.errors import BookcoreError, CalendarFileError

MESSAGES: Final = frozenset({"REPLY", "REFRESH", "COUNTER", "DECLINECOUNTER"})
"""Methods of messages about an event (RFC 5546, 3.2): an answer, a question or a proposal, and not the event itself."""
_FINER: Final = ("BYHOUR", "BYMINUTE", "BYSECOND")


@dataclass(frozen=True, slots=True)
class IcsEvent:
    """One event of a calendar file: its first span, its recurrence, and facts.

    ``start`` and ``end`` are dates for whole days, naive datetimes for floating times, else aware datetimes. ``keep`` is
    what of its length is wall-clock time: nothing ("elapsed"), all ("wall"), or days of it (see `recurring`).

    ``status`` is that of the file in upper case, or "": TENTATIVE, CONFIRMED, CANCELLED. ``transparent`` is whether it
    leaves its time free (TRANSP). ``method`` is that of its calendar. ``occurrence`` is the start of the occurrence that it
    replaces, ``line`` the line of the file at which it begins.
    """

    uid: str
    summary: str
    start: date
    end: date
    rule: str | None = None
    include: tuple[date | tuple[date, date], ...] = ()
    exclude: tuple[date, ...] = ()
    keep: str | timedelta = "elapsed"
    status: str = ""
    transparent: bool = False
    method: str = ""
    location: str = ""
    occurrence: date | None = None
    line: int | None = field(default=None, compare=False)

    @property
    def takes_time(self) -> bool:
        """Whether it blocks its spans: it is not cancelled, not transparent, and no message about an event."""
        return not (self.transparent or self.status == "CANCELLED" or self.method in MESSAGES)

    def spans(
        self,
        *,
        until: date | None = None,
        limit: int | None = None,
        nonexistent: str = "later",
        ambiguous: str = "first",
    ) -> Iterator[tuple[date, date]]:
        """Yield the spans of the event in order, lazily and perhaps without end. Raises, Complexity: as `recurring`.

        Without length, as of a day that a zone skipped, are only spans of an event that has none.

        >>> event = IcsEvent("1", "rent", date(2026, 5, 1), date(2026, 5, 2), "FREQ=MONTHLY")
        >>> [start.isoformat() for start, end in event.spans(limit=3)]
        ['2026-05-01', '2026-06-01', '2026-07-01']
        """
        include, exclude = self.include, self.exclude
        if (nonexistent, ambiguous) != ("later", "first") and isinstance(self.start, datetime):
            include = tuple(_wall(each, self.start.tzinfo) for each in include)
            exclude = (*exclude, *(wall for each in exclude for wall in _walls(each, self.start.tzinfo)))
        spans = recurring(
            self.start, self.end, self.rule, until=until, limit=limit, include=include, exclude=exclude,
            keep=self.keep, nonexistent=nonexistent, ambiguous=ambiguous,
        )  # fmt: skip
        if not _lasts(self):
            return spans
        return (span for span in spans if not _same(*span))


def _wall(included: Any, zone: tzinfo | None) -> Any:
    """Return a start of RDATE that is a time in the zone of its series as what the clock shows, so that policies apply."""
    local = isinstance(included, datetime) and included.tzinfo is zone
    return included.replace(tzinfo=None) if local else included


def _walls(excluded: date, zone: tzinfo | None) -> Iterator[datetime]:
    """Yield the times on the clock of a zone that RFC 5545 reads as an excluded instant (3.3.5)."""
    if zone is None or not isinstance(excluded, datetime) or excluded.tzinfo is None:
        return
    instant = excluded.astimezone(UTC)
    with suppress(OverflowError):  # near the years 1 and 9999, where no clock is changed
        for near in (instant, instant - timedelta(days=1)):  # the offset of the day before is the one before a gap
            wall = instant.replace(tzinfo=None) + (near.astimezone(zone).utcoffset() or timedelta())
            if wall.replace(tzinfo=zone).astimezone(UTC) == instant:
                yield wall


@dataclass(frozen=True, slots=True)
class _Version:
    """An event as one component has it. ``names`` is what its RECURRENCE-ID says, ``rank`` how new it is."""

    event: IcsEvent | None
    uid: str
    names: date | None
    rank: tuple[int, datetime]
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A component of a calendar that can be read, with the METHOD of that and the zones that its times may name."""

    component: Component
    method: str
    zones: FileZones


def parts_of(outermost: list[Component], zone: tzinfo | None) -> Iterator[Part]:
    """Yield the components of calendars in the order of the file, those within others after these. O(lines)."""
    everywhere = FileZones(outermost, zone)
    for calendar, method, parts in _calendars(outermost, ""):
        own = any(part.name == "VTIMEZONE" for part in parts)
        zones = FileZones([calendar], zone, everywhere) if own and len(outermost) > 1 else everywhere
        for component in parts:
            if not component.broken:  # as was reported
                yield Part(component, method, zones)


def events_of(
    parts: Iterable[Part],
    zone: tzinfo | None,
    busy_only: bool,
    report: Callable[[CalendarFileError], None],
    name: str = "VEVENT",
) -> list[IcsEvent]:
    """Return the events of calendars: the main ones in the order of the file, then those of single occurrences.

    They are the components of that *name*, and the periods of each VFREEBUSY. What cannot be read goes to *report*, and the
    others are read. Complexity: O(lines).
    """
    single: list[IcsEvent] = []
    versions: list[_Version] = []
    for part in parts:
        component, method = part.component, part.method
        try:
            if component.name == "VFREEBUSY":
                single += _free_busy(component, part.zones)
            elif component.name == name:
                if name == "VEVENT":
                    _check_alarms(component, report)
                version = _version(component, method, part.zones)
                # a message or an added event is no version of what it is about; without a UID each is one of its own
                alone = not version.uid or (name == "VEVENT" and (method in MESSAGES or method == "ADD"))
                if version.event is not None and alone:
                    single.append(version.event)
                else:
                    versions.append(version)
        except CalendarFileError as exc:
            report(exc)
    events = [*_standing(versions, zone), *single]
    events = [event for event in events if not busy_only or event.takes_time]
    if zone is not None:
        events = list(_all_located(events, zone, report))
    if busy_only:
        events = [lasting for event in events for lasting in _lasting(event)]
    return sorted(events, key=lambda event: (event.occurrence is not None, event.line or 0))


def _calendars(components: Iterable[Component], method: str) -> Iterator[tuple[Component, str, list[Component]]]:
    """Yield the calendars, each with its METHOD and all components in it; others are calendars of themselves."""
    for component in components:
        if component.name != "VCALENDAR":
            yield component, method, [component, *_within(component)]
            continue
        inner = [part for part in component.parts if part.name == "VCALENDAR"]
        others = [part for part in component.parts if part.name != "VCALENDAR"]
        own = component.text("METHOD").strip().upper() or method
        yield component, own, [each for part in others for each in (part, *_within(part))]
        yield from _calendars(inner, own)


def _within(component: Component) -> Iterator[Component]:
    for part in component.parts:
        yield part
        yield from _within(part)


def _standing(versions: Iterable[_Version], zone: tzinfo | None) -> Iterator[IcsEvent]:
    """Yield the events of the newest versions, replaced occurrences excluded from the main event."""
    series: dict[str, list[_Version]] = {}
    for version in versions:
        series.setdefault(version.uid, []).append(version)
    for members in series.values():
        yield from _series(members, zone)


def _series(members: list[_Version], zone: tzinfo | None) -> Iterator[IcsEvent]:
    """Yield the events of one UID: those of its newest main components, then those that replace occurrences."""
    mains = [each for each in members if each.names is None]
    newest = _newest(mains)
    events = [each.event for each in newest if each.event is not None]
    if newest and not events:  # called off without a word about when; older versions say that
        older = _newest([each for each in mains if each.event is not None])
        events = [replace(each.event, status="CANCELLED") for each in older if each.event is not None]
    for event in events:
        names = (like(each.names, event.start, zone) for each in members if each.names is not None)
        yield replace(event, exclude=(*event.exclude, *dict.fromkeys(map(_instant, names))))
    called_off = max((each.rank for each in newest if all(each.cancelled for each in newest)), default=None)
    yielded: list[_Version] = []
    for name, versions in _by_occurrence(members, events[0].start if events else None, zone).items():
        for each in _newest(versions):
            if each.event is not None and not any(each is other for other in yielded):
                yielded.append(each)
                off = called_off is not None and each.rank <= called_off
                yield replace(each.event, status="CANCELLED" if off else each.event.status, occurrence=name)


def _newest(versions: list[_Version]) -> list[_Version]:
    """Return the versions that count: the newest one, and those that are as new and at other times; of equal times the last.

    What calls off without a word about when calls off all that is not newer.
    """
    top = max((each.rank for each in versions), default=None)
    newest = [each for each in versions if each.rank == top]
    if newest and newest[-1].event is None:
        return newest[-1:]
    return list({_times(each.event): each for each in newest if each.event is not None}.values())


def _times(event: IcsEvent) -> tuple[Any, ...]:
    return event.start, event.end, event.rule, event.include, event.exclude, event.keep


def _by_occurrence(members: list[_Version], start: date | None, zone: tzinfo | None) -> dict[date, list[_Version]]:
    """Return the versions of each replaced occurrence, by its name on the clock of the series with that *start*.

    A date names all occurrences of that day, so that it is a version of each that others name by its time.
    """
    named: list[tuple[date, date, _Version]] = []  # with the day
    for each in members:
        if each.names is not None:
            begin = start if start is not None else each.event.start if each.event is not None else each.names
            name = _on_clock(_instant(like(each.names, begin, zone)), begin)
            named.append((name, _day(name, begin), each))
    times: dict[date, dict[date, None]] = {}  # the names of each day that are times
    for name, day, _ in named:
        if isinstance(name, datetime):
            times.setdefault(day, {})[name] = None
    versions_of: dict[date, list[_Version]] = {}
    for name, day, each in named:
        for known in [name] if isinstance(name, datetime) else times.get(day, [name]):
            versions_of.setdefault(known, []).append(each)
    return versions_of


def _instant(when: date) -> date:
    """Return a time in UTC, so that equal instants are equal keys."""
    return when.astimezone(UTC) if isinstance(when, datetime) and when.tzinfo is not None else when


def _same(first: date, second: date) -> bool:
    """Tell whether two times are one. To Python, two times of one zone are equal if its clock shows the same at both."""
    return _instant(first) == _instant(second)


def _lasts(event: IcsEvent) -> bool:
    """Tell whether an event has a length: some time, or a day of which its zone may skip an occurrence."""
    return not _same(event.start, event.end) or (event.keep == "wall" and event.start != event.end)


def _on_clock(name: date, start: date) -> date:
    """Return a floating name of an occurrence as the instant that it is on the clock of its series, to compare versions."""
    if isinstance(name, datetime) and name.tzinfo is None and isinstance(start, datetime) and start.tzinfo is not None:
        return _instant(name.replace(tzinfo=start.tzinfo))
    return name


def _day(name: date, start: date) -> date:
    """Return the day of a name of an occurrence, on the clock of its series."""
    if not isinstance(name, datetime):
        return name
    if name.tzinfo is not None and isinstance(start, datetime) and start.tzinfo is not None:
        name = name.astimezone(start.tzinfo)
    return name.date()


def _version(component: Component, method: str, zones: FileZones) -> _Version:
    """Return a VEVENT as it is. Raises: `CalendarFileError`."""
    read = Reader(component, zones)
    status = "CANCELLED" if method == "CANCEL" else component.text("STATUS").strip().upper()
    names = read.one("RECURRENCE-ID")
    if names is not None and "RANGE" in read.line.parameters:
        raise read.fault("an occurrence is moved with RANGE, which has no one meaning")
    if isinstance(names, datetime) and not date.min.year < names.year < date.max.year:
        raise read.fault("no zone but its own can tell it: it lies too near to the year 1 or 9999")
    rank = read.number("SEQUENCE"), read.stamp()
    start = read.one("DTSTART")
    cancelled = status == "CANCELLED"
    if start is None and cancelled:  # a cancellation need not say when it would have been (RFC 5546, 3.2.5)
        return _Version(None, component.uid, names, rank, cancelled)
    if start is None:
        raise CalendarFileError("DTSTART", "an event without it has no time", uid=component.uid, line=component.line)
    end, keep = read.end(start)
    event = IcsEvent(
        component.uid, component.text("SUMMARY"), start, end, keep=keep, status=status, method=method, occurrence=names,
        transparent=_is_transparent(component), location=component.text("LOCATION"), line=component.line,
    )  # fmt: skip
    if names is None:  # what replaces one occurrence is one, whatever rule it has beside it
        event = replace(event, rule=read.rule(start), include=read.included(start), exclude=read.excluded(start))
    read.run(read.line, lambda: event.spans(limit=0))
    return _Version(event, component.uid, names, rank, cancelled)


def _is_transparent(component: Component) -> bool:
    """Tell whether an event leaves its time free. What Outlook says counts before TRANSP ([MS-OXCICAL], 2.1.3.1.1.20.17)."""
    if busy := component.text("X-MICROSOFT-CDO-BUSYSTATUS").strip().upper():
        return busy == "FREE"
    return component.text("TRANSP").strip().upper().startswith("TRANSPARENT")


class Reader:
    """Reads the properties of a VEVENT; an error names its UID and the line."""

    def __init__(self, component: Component, zones: FileZones) -> None:
        self.component, self.zones = component, zones
        self.line = Line(component.line, "BEGIN", {}, component.name)

    def fault(self, reason: str) -> CalendarFileError:
        """Return the error of the line that was read last."""
        shown = f"{self.line.name}:{self.line.value}"
        return CalendarFileError(shown, reason, uid=self.component.uid, line=self.line.number)

    def run(self, line: Line, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function makes of its arguments, which come from a line."""
        self.line = line
        try:
            return function(*arguments)
        except CalendarFileError:
            raise
        except (BookcoreError, ValueError, OverflowError) as exc:
            raise self.fault(_reason(exc)) from exc

    def lines(self, name: str) -> list[Line]:
        """Return all lines of a property."""
        return self.component.properties.get(name, [])

    def one(self, name: str) -> Any:
        """Return the date or time of a property, None without one."""
        line = one_of(self.component, name)
        return None if line is None else self.run(line, _single, line, self.zones)

    def number(self, name: str) -> int:
        """Return the number of a property, 0 without one."""
        line = one_of(self.component, name)
        return 0 if line is None or not line.value else self.run(line, _whole, line.value)

    def stamp(self) -> datetime:
        """Return DTSTAMP, for comparison; the earliest time without one."""
        earliest = datetime.min.replace(tzinfo=UTC)
        for line in self.lines("DTSTAMP")[-1:]:
            try:
                value = read_moment(line.value)
            except ValueError:  # when a version was written is not when the event is
                return earliest
            if not isinstance(value, datetime):
                value = datetime.combine(value, time())
            return value.replace(tzinfo=UTC)
        return earliest

    def end(self, start: date) -> tuple[date, str | timedelta]:
        """Return the end of the first span, and ``keep``: days are wall-clock time, the rest is elapsed time."""
        end, said = self.one("DTEND"), one_of(self.component, "DURATION")
        keep: str | timedelta = "elapsed"
        by_duration = None
        if said is not None:
            days, rest = self.run(said, duration, said.value)
            by_duration = self.run(said, after, start, (days, rest))
            if isinstance(start, datetime) and start.tzinfo is None:
                keep = days  # the rest is elapsed time, also in a zone that is said later
            elif isinstance(start, datetime) and days:
                keep = days if rest else "wall"
        if end is not None:
            # a length of nothing beside an end is what some programs write for "see the end"
            if by_duration is not None and not (_same(by_duration, start) or _same(by_duration, end)):
                raise self.fault(f"DTEND says {end}, and DURATION {by_duration}")
            return end, "elapsed"
        if by_duration is not None:
            return by_duration, keep
        if not isinstance(start, datetime):
            return self.run(self.lines("DTSTART")[0], after, start, (timedelta(days=1), timedelta())), keep
        return start, keep

    def rule(self, start: date) -> str | None:
        """Return the rule; of whole days without the times of day, which are ignored there (RFC 5545, 3.3.10)."""
        if self.lines("EXRULE"):
            self.line = self.lines("EXRULE")[0]
            raise self.fault("an EXRULE has no one meaning")
        line = one_of(self.component, "RRULE")
        return None if line is None else self.run(line, _rule, line.value, isinstance(start, datetime))

    def included(self, start: date) -> tuple[date | tuple[date, date], ...]:
        """Return the starts and periods of RDATE."""
        starts: list[date | tuple[date, date]] = []
        for when in self.times("RDATE"):
            if isinstance(when, tuple):
                # some calendars write a period of dates, and mean their midnights
                begin = _midnight(when[0], start)
                starts.append((begin, _midnight(self.run(self.line, after, begin, when[1]), start)))
            elif isinstance(start, datetime) and not isinstance(when, datetime):  # the occurrence of that day
                starts.append(datetime.combine(when, start.time().replace(fold=0), start.tzinfo))
            else:
                starts.append(like(when, start, self.zones.default))
        return tuple(starts)

    def excluded(self, start: date) -> tuple[date, ...]:
        """Return the starts of EXDATE."""
        starts: list[date] = []
        for when in self.times("EXDATE"):
            if isinstance(when, tuple):
                raise self.fault("an occurrence is excluded by its start")
            starts.append(like(when, start, self.zones.default))
        return tuple(starts)

    def times(self, name: str, read: Callable[[Line, FileZones], Iterator[Any]] = moments) -> Iterator[Any]:
        """Yield the dates, times or periods of all lines of a property."""
        for line in self.lines(name):
            yield from self.run(line, list[Any], read(line, self.zones))


def _reason(exc: Exception) -> str:
    return "lies after the year 9999, or before the year 1" if isinstance(exc, OverflowError) else str(exc)


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError("not a whole number")
    return int(text)


def _single(line: Line, zones: FileZones) -> date:
    values = list(moments(line, zones))
    if len(values) != 1 or isinstance(values[0], tuple):
        raise ValueError("not one date or time")
    return values[0]


def _rule(text: str, timed: bool) -> str:
    rule = read_rule(text)
    if timed:
        return text
    parts = [part for part in rule.text.split(";") if part and part.partition("=")[0].strip().upper() not in _FINER]
    if rule.until is not None:
        last = last_day(rule.until) if isinstance(rule.until, datetime) else rule.until
        parts = [part for part in parts if part.partition("=")[0].strip().upper() != "UNTIL"]
        parts.append(f"UNTIL={last:%Y%m%d}")
    text = ";".join(parts)
    read_rule(text).walls(datetime.min, whole_days=True)  # raises for rules finer than days
    return text


def _midnight(when: date, start: date) -> date:
    if isinstance(start, datetime) and not isinstance(when, datetime):
        return datetime.combine(when, time(), start.tzinfo)
    return when


def _check_alarms(component: Component, report: Callable[[CalendarFileError], None]) -> None:
    """Report the alarms that cannot be read: they are no part of an event's times, which are read all the same."""
    for alarm in (part for part in component.parts if part.name == "VALARM"):
        for line in [line for name in ("TRIGGER", "DURATION") for line in alarm.properties.get(name, ())]:
            try:
                if line.parameters.get("VALUE", "").upper() == "DATE-TIME" or line.value[:1].isdigit():
                    read_moment(line.value)
                else:
                    duration(line.value)
            except (ValueError, OverflowError) as exc:
                report(CalendarFileError(f"{line.name}:{line.value}", str(exc), uid=component.uid, line=line.number))


def _free_busy(component: Component, zones: FileZones) -> Iterator[IcsEvent]:
    """Yield the periods of a VFREEBUSY. Raises: `CalendarFileError`."""
    read = Reader(component, zones)
    for start, end in read.times("FREEBUSY", periods):
        if end < start:
            raise read.fault("the end lies before the start")
        kind = read.line.parameters.get("FBTYPE", "BUSY").upper()
        status = "TENTATIVE" if kind == "BUSY-TENTATIVE" else ""
        transparent = kind == "FREE"
        yield IcsEvent(component.uid, kind, start, end, status=status, transparent=transparent, line=read.line.number)


def _all_located(
    events: Iterable[IcsEvent], zone: tzinfo, report: Callable[[CalendarFileError], None]
) -> Iterator[IcsEvent]:
    """Yield events with their dates and floating times as instants of a zone. Report those that this makes impossible."""
    for event in events:
        try:
            located = _located(event, zone)
            located.spans(limit=0)
        except (BookcoreError, ValueError, OverflowError) as exc:
            report(CalendarFileError(event.start, f"in {zone}: {_reason(exc)}", uid=event.uid, line=event.line))
        else:
            yield located


def instants(when: Any, zone: tzinfo) -> Any:
    """Return a date or a floating time as an instant of a zone, or a pair of such."""
    if isinstance(when, tuple):
        return instants(when[0], zone), instants(when[1], zone)
    if not isinstance(when, datetime):
        return datetime.combine(when, time(), zone)
    return when.replace(tzinfo=zone) if when.tzinfo is None else when


def _located(event: IcsEvent, zone: tzinfo) -> IcsEvent:
    """Return an event with its dates and floating times as instants of a zone. A day is as long as its zone has it."""

    def located(when: Any) -> Any:
        return instants(when, zone)

    whole_days = not isinstance(event.start, datetime)
    start, end = located(event.start), located(event.end)
    if isinstance(event.start, datetime) and event.start.tzinfo is None and isinstance(event.keep, timedelta):
        end = after(start, (event.keep, event.end - event.start - event.keep))
    return replace(
        event, start=start, end=end, include=tuple(map(located, event.include)),
        exclude=event.exclude if isinstance(event.start, datetime) else tuple(map(located, event.exclude)),
        keep="wall" if whole_days else event.keep,
        occurrence=None if event.occurrence is None else located(event.occurrence),
    )  # fmt: skip


def _lasting(event: IcsEvent) -> Iterator[IcsEvent]:
    """Yield an event that takes time; of one without length, only its periods do."""
    if _lasts(event):
        yield event
        return
    for period in event.include:
        if isinstance(period, tuple) and period[0] not in event.exclude and not _same(*period):
            yield replace(event, start=period[0], end=period[1], rule=None, include=(), exclude=())
