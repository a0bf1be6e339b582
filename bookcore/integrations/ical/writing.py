"""Write bookings, closures, free/busy time and availability as an iCalendar."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from os import PathLike
from pathlib import Path
from typing import Any, Final

from bookcore.calendar import Calendar
from bookcore.hours.wall_clock import choice, load_zone
from bookcore.index.span_algebra import complement, intersection, union
from bookcore.model.closure import Closure
from bookcore.model.errors import LACKING, CalendarFileError, blaming
from bookcore.model.event import BookingEvent, Status
from bookcore.model.explanation import State
from bookcore.model.typecheck import is_a
from bookcore.persist.fs import FileSystem, words

_STATUS: Final = {Status.CONFIRMED: "CONFIRMED", Status.HELD: "TENTATIVE", Status.RELEASED: "CANCELLED"}
_BUSY: Final = {State.BUSY: "BUSY", State.HELD: "BUSY-TENTATIVE", State.CLOSED: "BUSY-UNAVAILABLE"}
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DAY: Final = timedelta(days=1)


def write_ics(
    source: Calendar | Iterable[BookingEvent | Closure],
    path: str | PathLike[str],
    *,
    free_busy: tuple[Any, Any, Any] | None = None,
    availability: tuple[Any, Any, Any] | None = None,
    zone: str | tzinfo | None = None,
    bounds: str = "[)",
    stamp: datetime | None = None,
    domain: str = "bookcore",
) -> int:
    """Write bookings and closures as events of an iCalendar file, and return how many. The file is replaced as a whole.

    - ``source``: a `Calendar`, all of whose bookings and closures are written, or an iterable of some. A booking gives a
      VEVENT with its span, its resource as LOCATION, its field ``summary`` (or the resource) as SUMMARY, and its status
      as STATUS; what is not active is CANCELLED. A closure gives a VEVENT with its reason that shows as out of office.
    - ``free_busy``: ``(resource, start, end)`` writes a VFREEBUSY of that resource instead: its busy, held and closed
      parts, as `Calendar.free_busy` has them. ``source`` is a calendar.
    - ``availability``: ``(resource, start, end)`` writes a VAVAILABILITY (RFC 7953) of that resource instead: its opening
      hours without its closures, each open span as an AVAILABLE. All else in the span is BUSY-UNAVAILABLE.
    - ``zone``: the zone of dates and naive datetimes, which are written as instants of it. Without it they are written as
      whole days and floating times; free/busy time and availability need it.
    - ``bounds``: those of the bookings of an iterable. With ``"[]"`` the last date of a span belongs to it.
    - ``stamp``: when the file says that it was made, by default now. ``domain``: the end of each UID.

    Datetimes with a zone are written in UTC. `read_ics` reads the same spans, summaries and states.

    Raises: `CalendarFileError` for keys that are no dates, unbounded spans, parts of a second, spans of datetimes with the
    bounds ``"[]"``, spans in which no time passes in ``zone`` (its clock is set forward past them), other sources, and files
    that cannot be written; what `Calendar.free_busy` and `Hours.open_spans` raise. Nothing is changed then.
    Complexity: O(bookings + closures).

    >>> from bookcore import Calendar, Resource
    >>> calendar = Calendar()
    >>> _ = calendar.book(calendar.add_resource(Resource("loft")), date(2026, 5, 4), date(2026, 5, 6))
    >>> write_ics(calendar, os.devnull)
    1
    """
    choice("bounds", bounds, ("[)", "[]"))
    known = zone if zone is None or isinstance(zone, tzinfo) else load_zone(zone)
    made = datetime.now(UTC) if stamp is None else stamp
    if not isinstance(made, datetime) or made.tzinfo is None:
        raise CalendarFileError(stamp, "the time at which a file is made is a datetime with a zone")
    writer = _Writer(known, made.replace(microsecond=0), domain)
    count = 0
    for asked, what, write in (
        (free_busy, "free/busy time", writer.free_busy), (availability, "availability", writer.availability),
    ):  # fmt: skip
        if asked is None:
            continue
        if not isinstance(source, Calendar) or not isinstance(asked, tuple) or len(asked) != 3:
            raise CalendarFileError(asked, f"{what} is that of a Calendar, for (resource, start, end)")
        if source.bounds != "[)":
            raise CalendarFileError(source.bounds, f"{what} has spans whose end does not belong to them")
        write(source, *asked)
        count += 1
    if not count:
        if isinstance(source, Calendar):
            bounds, source = source.bounds, [*source.bookings(), *source.closures()]
        reason = "what is written is a Calendar, or an iterable of bookings and closures"
        if is_a(source, (str, bytes)):
            raise CalendarFileError(source, reason)
        with blaming(lambda _: CalendarFileError(source, reason)):
            items = iter(source)
        for each in items:
            writer.event(each, bounds)
            count += 1
    _replace(path, writer.text())
    return count


def _beyond(key: object, exc: Exception) -> CalendarFileError:
    """Return the error of a key that cannot be told in UTC."""
    if is_a(exc, OverflowError):
        return CalendarFileError(key, "lies after the year 9999, or before the year 1, in UTC")
    return CalendarFileError(key, f"cannot be told in UTC, by the code of its zone ({type(exc).__name__})")


class _Writer:
    """Collects the lines of a calendar."""

    def __init__(self, zone: tzinfo | None, stamp: datetime, domain: str) -> None:
        self.zone, self.domain = zone, domain
        self.stamp = self.value(stamp)[1]
        self.lines: list[str] = []
        self.uids: dict[str, int] = {}

    def text(self) -> bytes:
        """Return the file."""
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//bookcore//bookcore//EN", *self.lines, "END:VCALENDAR"]
        return b"".join(map(_folded, lines))

    def event(self, each: object, bounds: str) -> None:
        """Add a booking or a closure."""
        facts = []
        if isinstance(each, BookingEvent):
            kind, summary = "booking", each.fields.get("summary")
            summary = _id(each.resource) if summary is None else summary
            facts = [f"STATUS:{_STATUS[each.status]}"]
            if each.quantity != 1:
                facts.append(f"X-BOOKCORE-QUANTITY:{each.quantity}")
        elif isinstance(each, Closure):
            kind, summary = "closure", each.reason
            facts = ["STATUS:CONFIRMED", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"]
        else:
            raise CalendarFileError(each, "is no booking and no closure; what was read is written once it is booked")
        end = self.after(each.end, bounds)
        self.check(each.start, end)
        self.lines += [
            "BEGIN:VEVENT", f"UID:{self.uid(kind, each.id)}", f"DTSTAMP:{self.stamp}",
            self.line("DTSTART", each.start), self.line("DTEND", end),
            f"SUMMARY:{_escaped(summary)}", f"LOCATION:{_escaped(_id(each.resource))}", *facts, "TRANSP:OPAQUE",
            "END:VEVENT",
        ]  # fmt: skip

    def free_busy(self, calendar: Calendar, resource: Any, start: Any, end: Any) -> None:
        """Add the free/busy time of a resource."""
        parts = calendar.free_busy(resource, start, end)
        self.lines += [
            "BEGIN:VFREEBUSY", f"UID:{self.uid('free-busy', _id(resource))}", f"DTSTAMP:{self.stamp}",
            f"DTSTART:{self.instant(start)}", f"DTEND:{self.instant(end)}",
        ]  # fmt: skip
        for begin, ended, state in parts:
            if state in _BUSY:
                self.check(begin, ended)
                self.lines.append(f"FREEBUSY;FBTYPE={_BUSY[state]}:{self.instant(begin)}/{self.instant(ended)}")
        self.lines.append("END:VFREEBUSY")

    def availability(self, calendar: Calendar, resource: Any, start: Any, end: Any) -> None:
        """Add the availability of a resource."""
        hours, closures = calendar.hours_of(resource), calendar.closures_of(resource)
        self.check(start, end)
        low, high = self.instant(start), self.instant(end)  # texts of one form are in the order of time
        spans = [(start, end)] if hours is None else hours.open_spans(start, end)
        free = _in_order((self.instant(opens), self.instant(closes)) for opens, closes in spans)
        shut = _in_order(
            (low if each.start is None else self.instant(each.start), high if each.end is None else self.instant(each.end))
            for each in closures
        )
        self.lines += [
            "BEGIN:VAVAILABILITY", f"UID:{self.uid('availability', _id(resource))}", f"DTSTAMP:{self.stamp}",
            f"DTSTART:{low}", f"DTEND:{high}", "BUSYTYPE:BUSY-UNAVAILABLE", f"SUMMARY:{_escaped(_id(resource))}",
        ]  # fmt: skip
        for opens, closes in intersection(free, complement(shut, low, high)):
            self.lines += [
                "BEGIN:AVAILABLE", f"UID:{self.uid('available', _id(resource))}", f"DTSTAMP:{self.stamp}",
                f"DTSTART:{opens}", f"DTEND:{closes}", "END:AVAILABLE",
            ]  # fmt: skip
        self.lines.append("END:VAVAILABILITY")

    def uid(self, kind: str, name: object) -> str:
        """Return a UID, the same for the same id whenever it is written. Of ids with one text the second gets a number."""
        uid = _escaped(f"{kind}-{name}@{self.domain}")
        count = self.uids[uid] = self.uids.get(uid, 0) + 1
        return uid if count == 1 else self.uid(f"{kind}-{count}", name)

    def after(self, end: Any, bounds: str) -> Any:
        """Return the first point after a span."""
        if bounds == "[)":
            return end
        if isinstance(end, datetime) or not isinstance(end, date):
            raise CalendarFileError(end, "a span of times that includes its end cannot be written: there is no next time")
        if end == date.max:
            raise CalendarFileError(end, "there is no day after it")
        return end + _DAY

    def check(self, start: Any, end: Any) -> None:
        """Check that a span still takes time as it is written. Raises: `CalendarFileError`."""
        if self.value(end)[1] <= self.value(start)[1]:  # texts of one form are in the order of time
            reason = f"no time passes from it to {end}: the clock is set forward past that span, or its bounds are others"
            raise CalendarFileError(start, reason)

    def line(self, name: str, key: Any) -> str:
        """Return the line of a date or time."""
        parameter, text = self.value(key)
        return f"{name}{parameter}:{text}"

    def instant(self, key: Any) -> str:
        """Return a time in UTC."""
        _, text = self.value(key)
        if not text.endswith("Z"):
            raise CalendarFileError(key, "this is written in UTC: zone=... says the zone of dates and naive datetimes")
        return text

    def value(self, key: Any) -> tuple[str, str]:
        """Return the parameter and the text of a date or time."""
        if key is None:
            raise CalendarFileError(key, "an event has a start and an end, and this span is unbounded")
        if not isinstance(key, date) or key != key:  # pandas.NaT is a datetime, and not equal to itself
            raise CalendarFileError(key, "is no date or datetime, as a calendar file has them")
        if not isinstance(key, datetime):
            if self.zone is None:
                return ";VALUE=DATE", f"{key.year:04}{key.month:02}{key.day:02}"
            key = datetime.combine(key, time())
        if key.microsecond or getattr(key, "nanosecond", 0):
            raise CalendarFileError(key, "a calendar file has no parts of a second; round the time first")
        if key.tzinfo is None and self.zone is not None:
            key = key.replace(tzinfo=self.zone)
        suffix = ""
        try:
            if key.utcoffset() is not None:
                key, suffix = key.astimezone(UTC), "Z"
        except LACKING:
            raise
        except Exception as exc:
            raise _beyond(key, exc) from exc
        day, clock = f"{key.year:04}{key.month:02}{key.day:02}", f"{key.hour:02}{key.minute:02}{key.second:02}"
        return "", f"{day}T{clock}{suffix}"


def _in_order(spans: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield spans in order, joined where they meet, without those in which no time passes."""
    return union(sorted(span for span in spans if span[0] < span[1]))


def _id(resource: Any) -> Any:
    return getattr(resource, "id", resource)


def _escaped(value: object) -> str:
    """Return a text with what has a meaning in it escaped (RFC 5545, 3.3.11), and control characters replaced."""
    text = _CONTROLS.sub("\ufffd", str(value).replace("\r\n", "\n").replace("\r", "\n"))
    return re.sub(r"([\\;,])", r"\\\1", text).replace("\n", "\\n")


def _folded(line: str) -> bytes:
    """Return a line in parts of at most 75 bytes, none of which ends within a character (3.1)."""
    return b"\r\n ".join(_parts(line.encode("utf-8", "replace"))) + b"\r\n"


def _parts(line: bytes) -> Iterator[bytes]:
    most = 75
    while len(line) > most:
        cut = most
        while line[cut] & 0xC0 == 0x80:  # within a character
            cut -= 1
        yield line[:cut]
        line, most = line[cut:], 74
    yield line


def _replace(path: str | PathLike[str], data: bytes) -> None:
    """Write a file as a whole or not at all."""
    try:
        target = Path(FileSystem().follow(os.fspath(path)))
        if target.exists() and not target.is_file():  # a device or a pipe cannot be replaced
            target.write_bytes(data)
            return
        temporary = target.with_name(f".{target.name}-{secrets.token_hex(8)}.tmp")
        try:
            with temporary.open("xb") as file:
                file.write(data)
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except (OSError, ValueError, TypeError) as exc:
        raise CalendarFileError(path, f"this file cannot be written: {words(exc)}") from exc
