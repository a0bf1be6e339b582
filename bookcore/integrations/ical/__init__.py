"""Calendar files (.ics): read their events as spans to book, write bookings as events. Extra: ``ical``.

`read_ics` reads a file as it was meant, or refuses it by name; it needs no other package. With icalendar (the extra) it also
knows the names that Windows gives to time zones, and finds the IANA zone that a VTIMEZONE shows. `write_ics` writes what
such programs, and `read_ics`, read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from io import BufferedIOBase
from os import PathLike

from bookcore.hours.wall_clock import choice, load_zone
from bookcore.integrations.ical.availability import IcsAvailability, availability_of, unavailable
from bookcore.integrations.ical.lines import components
from bookcore.integrations.ical.series import IcsEvent, events_of, parts_of
from bookcore.integrations.ical.writing import write_ics
from bookcore.integrations.ical.zones import FileZone
from bookcore.model.errors import CalendarFileError

__all__ = ["FileZone", "IcsAvailability", "IcsEvent", "IcsEvents", "read_ics", "write_ics"]


class IcsEvents(list[IcsEvent]):
    """The events of a calendar file.

    ``bad`` are the parts of it that could not be read, as errors that were not raised. ``availability`` is what its
    VAVAILABILITY components say.
    """

    def __init__(
        self,
        events: Iterable[IcsEvent] = (),
        bad: Iterable[CalendarFileError] = (),
        availability: Iterable[IcsAvailability] = (),
    ) -> None:
        super().__init__(events)
        self.bad = tuple(bad)
        self.availability = tuple(availability)

    def unavailable(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, str]]:
        """Yield the spans within ``[start, end)`` that the file says are not available, with their busy type, in order.

        They are maximal, and in the zone of *start*; the busy type is BUSY-UNAVAILABLE, BUSY or BUSY-TENTATIVE. Events are
        not among them. None where the file has no VAVAILABILITY.

        Raises: `KeyTypeError` unless both are datetimes with a zone, `InvalidSpanError`; what `IcsEvent.spans` raises.
        Complexity: O(k log k) for k spans up to *end*, for each component.

        >>> from datetime import UTC
        >>> events = read_ics('''BEGIN:VCALENDAR
        ... BEGIN:VAVAILABILITY
        ... BEGIN:AVAILABLE
        ... DTSTART:20260504T090000Z
        ... DTEND:20260504T170000Z
        ... RRULE:FREQ=WEEKLY;BYDAY=MO,TU
        ... END:AVAILABLE
        ... END:VAVAILABILITY
        ... END:VCALENDAR''')
        >>> monday = datetime(2026, 5, 4, 8, tzinfo=UTC)
        >>> for low, high, kind in events.unavailable(monday, monday.replace(day=5)):
        ...     print(f"{low:%d %B %H:%M} to {high:%d %B %H:%M}", kind)
        04 May 08:00 to 04 May 09:00 BUSY-UNAVAILABLE
        04 May 17:00 to 05 May 08:00 BUSY-UNAVAILABLE
        """
        return unavailable(self.availability, start, end)


def read_ics(
    source: str | bytes | PathLike[str],
    *,
    zone: str | tzinfo | None = None,
    busy_only: bool = True,
    on_bad: str = "raise",
) -> IcsEvents:
    """Return the events of an iCalendar in its order, then replaced occurrences as separate events.

    - ``source``: the text itself, its bytes, or the `pathlib.Path` of a file. UTF-8, UTF-16 and all line ends are
      recognised. A text is not a path.
    - ``busy_only``: give what takes time. Left out are cancelled and transparent events, events without length, and
      messages about events (an answer, a proposal). A cancelled occurrence is taken out of its series either way.
    - ``zone``: makes whole days and floating times instants of that zone (an IANA name or a `tzinfo`), so that one calendar
      can hold all events. Times of a zone that is not known are read in it as well.
    - ``on_bad``: ``"raise"`` an error for the first part that cannot be read, or ``"skip"`` it: read the other parts, and
      list it in ``bad`` of the result. Such a part is a line, an event, an alarm, or a component that is cut off. A
      text, such as SUMMARY, whose line is not NAME:value is never raised, and always listed.

    Of several versions of an event, or of one occurrence, the newest counts. Each VFREEBUSY gives an event for each of its
    periods. A VAVAILABILITY is no event: ``availability`` and ``unavailable`` of the result have what it says. Other
    components (VTODO, VJOURNAL) are passed over.

    Raises: `CalendarFileError`, with the UID and the line, for a source that is no calendar, and for parts that cannot be
    read: also an EXRULE, a second RRULE, RANGE, a missing DTSTART, an end before the start, an unknown zone.
    `HoursError` for an invalid argument.
    Complexity: O(length of the file), and memory for what is returned.

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
    if not isinstance(source, str | bytes | PathLike):
        raise CalendarFileError(source, "an iCalendar is a text, or the pathlib.Path of one")
    return read_events(source, zone, busy_only, on_bad)


def read_events(
    source: str | bytes | PathLike[str] | BufferedIOBase, zone: str | tzinfo | None, busy_only: bool, on_bad: str
) -> IcsEvents:
    """Return what `read_ics` does, also of a file that is open for reading bytes, which is closed."""
    choice("on_bad", on_bad, ("raise", "skip"))
    known = zone if zone is None or isinstance(zone, tzinfo) else load_zone(zone)
    bad: list[CalendarFileError] = []

    def report(error: CalendarFileError) -> None:
        if on_bad == "raise":
            raise error
        bad.append(error)

    parts = list(parts_of(components(source, report, bad.append), known))
    events = events_of(parts, known, bool(busy_only), report)
    availability = availability_of(parts, known, report)  # before *bad* is read
    return IcsEvents(events, bad, availability)
