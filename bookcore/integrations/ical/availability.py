"""VAVAILABILITY (RFC 7953): when a person, or a thing, is available at all.

A VAVAILABILITY says of its span that it is busy, save for its AVAILABLE parts, which recur as events do. It says nothing of
what is outside of its span. Where several say something, the one with the highest priority does: 1 is the highest, 9 the
lowest, and 0 (none) below that; of equal priorities the one that says BUSY, then BUSY-UNAVAILABLE, then BUSY-TENTATIVE::

    of priority 1    - - - - B B B B - - - - - -      busy
    of priority 5    u u A A A A A A A A u u - -      busy-unavailable, save for what is available
    unavailable      u u     B B B B     u u
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from bookcore.index.span_algebra import complement, in_order, intersection, union
from bookcore.integrations.ical.lines import Component, one_of
from bookcore.integrations.ical.series import MESSAGES, IcsEvent, Part, Reader, events_of, instants
from bookcore.model.errors import CalendarFileError, InvalidSpanError, KeyTypeError
from bookcore.query.explain import joined

_TYPES: Final = ("BUSY-TENTATIVE", "BUSY-UNAVAILABLE", "BUSY")


@dataclass(frozen=True, slots=True)
class IcsAvailability:
    """One VAVAILABILITY: all from ``start`` to ``end`` (None: unbounded) is busy, but for the spans of ``available``.

    ``busy_type`` is BUSY-UNAVAILABLE, BUSY or BUSY-TENTATIVE. ``priority`` is that of the file: 1 the highest, 0 the lowest.
    """

    uid: str
    summary: str
    start: datetime | None
    end: datetime | None
    busy_type: str = "BUSY-UNAVAILABLE"
    priority: int = 0
    available: tuple[IcsEvent, ...] = ()
    line: int | None = field(default=None, compare=False)

    @property
    def rank(self) -> tuple[int, int]:
        """What decides before another has a greater rank."""
        return -(self.priority or 10), _TYPES.index(self.busy_type)


def unavailable(
    availabilities: Iterable[IcsAvailability], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, str]]:
    """Yield what `IcsEvents.unavailable` does."""
    for key in (start, end):
        if not isinstance(key, datetime) or key.utcoffset() is None:
            raise KeyTypeError(key, "availability is asked for between two datetimes with a zone")
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    if last < first:
        raise InvalidSpanError(start, end, "the end lies before the start")
    left = [(first, last)] if first < last else []  # of which nothing has been said
    tiles = []
    for said in sorted(availabilities, key=lambda each: each.rank, reverse=True):
        low = first if said.start is None else max(first, said.start.astimezone(UTC))
        high = last if said.end is None else min(last, said.end.astimezone(UTC))
        if low < high:
            free = list(union(sorted(_available(said, low, high))))
            for spans, kind in ((complement(free, low, high), said.busy_type), (free, "")):
                tiles.append([(*span, kind) for span in intersection(left, spans)])
            left = list(intersection(left, complement([(low, high)], first, last)))
    tiles.append([(*span, "") for span in left])
    for low, high, kind in joined(in_order(*tiles)):
        if kind:
            yield low.astimezone(start.tzinfo), high.astimezone(start.tzinfo), kind


def _available(said: IcsAvailability, low: datetime, high: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield what one component says is available, within a span."""
    for event in said.available:
        for begin, ended in event.spans(until=high):
            opens, closes = (each.astimezone(UTC) for each in (begin, ended) if isinstance(each, datetime))
            if max(opens, low) < min(closes, high):
                yield max(opens, low), min(closes, high)


def availability_of(
    parts: Iterable[Part], zone: tzinfo | None, report: Callable[[CalendarFileError], None]
) -> list[IcsAvailability]:
    """Return each VAVAILABILITY, of several versions the newest. One that cannot be read goes to *report*. O(lines)."""
    newest: dict[Any, tuple[tuple[int, datetime], IcsAvailability]] = {}
    for number, part in enumerate(parts):
        if part.component.name != "VAVAILABILITY" or part.method in MESSAGES or part.method == "CANCEL":
            continue
        try:
            read = Reader(part.component, part.zones)
            rank = read.number("SEQUENCE"), read.stamp()
            said = _availability(part, read, zone)
        except CalendarFileError as exc:
            report(exc)
            continue
        name = said.uid or number
        if name not in newest or newest[name][0] <= rank:
            newest[name] = rank, said
    return [said for _, said in newest.values()]


def _availability(part: Part, read: Reader, zone: tzinfo | None) -> IcsAvailability:
    """Return one VAVAILABILITY. Raises: `CalendarFileError`, also for a part of it: without that it says something else."""
    component = part.component
    start, end = read.one("DTSTART"), None
    if one_of(component, "DTEND") is not None or one_of(component, "DURATION") is not None:
        if start is None:
            raise CalendarFileError("VAVAILABILITY", "has an end and no DTSTART", uid=component.uid, line=component.line)
        end, _ = read.end(start)
    start, end = (None if each is None else _located(each, zone, component) for each in (start, end))
    if start is not None and end is not None and end.astimezone(UTC) < start.astimezone(UTC):
        raise read.fault(f"the end {end} lies before the start {start}")
    priority = read.number("PRIORITY")
    if not 0 <= priority <= 9:
        raise read.fault("a priority is 0 to 9")
    kind = component.text("BUSYTYPE").strip().upper()

    def refuse(fault: CalendarFileError) -> None:
        raise fault

    inner = [each for each in component.parts if each.name == "AVAILABLE"]
    for each in inner:
        if each.broken or not (each.properties.keys() & {"DTEND", "DURATION"}):
            why = "has lines that cannot be read" if each.broken else "has no DTEND and no DURATION: how long is not said"
            raise CalendarFileError("AVAILABLE", why, uid=each.uid or component.uid, line=each.line)
    parts = [Part(each, part.method, part.zones) for each in inner]
    available = [event for event in events_of(parts, zone, False, refuse, "AVAILABLE") if event.takes_time]
    for event in available:
        _located(event.start, zone, component)
    return IcsAvailability(
        component.uid, component.text("SUMMARY"), start, end, kind if kind in _TYPES else "BUSY-UNAVAILABLE", priority,
        tuple(available), component.line,
    )  # fmt: skip


def _located(when: Any, zone: tzinfo | None, component: Component) -> Any:
    """Return a time as an instant. Raises: `CalendarFileError` for a date or a floating time, if no zone is said."""
    located = when if zone is None else instants(when, zone)
    if not isinstance(located, datetime) or located.tzinfo is None:
        reason = "availability has instants, and this is none; zone=... says what dates and floating times mean"
        raise CalendarFileError(when, reason, uid=component.uid, line=component.line)
    try:
        located.astimezone(UTC)
    except OverflowError as exc:
        reason = "in UTC it is before the year 1 or after the year 9999"
        raise CalendarFileError(when, reason, uid=component.uid, line=component.line) from exc
    return located
