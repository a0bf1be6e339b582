"""The events of a calendar file as rows: each occurrence is a booking of one resource, which is called like the file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from bookcore.cli.faults import UsageError
from bookcore.cli.progress import Bars
from bookcore.cli.sources import Source
from bookcore.hours.rrule import read_rule
from bookcore.integrations.ical import IcsEvent, read_events
from bookcore.model.errors import BookcoreError, CalendarFileError, brief
from bookcore.tables import BadRow, Reason, Row


def occurrences(
    source: Source, zone: str | None, until: str | None, progress: Bars
) -> Iterator[Row | BadRow]:
    """Yield the occurrences of all events that take time, event by event; before them the parts that cannot be read.

    *progress* follows the file while it is read.

    An occurrence is named by the UID of its event and, in a series, by its start. *until* ends series that
    have no end of their own.

    Raises: `CalendarFileError` for a file that is no calendar, `HoursError` for the zone; `UsageError` for a series without
    end if *until* is None, and for events that one calendar cannot hold if *zone* is None.
    """
    last = _date(until) if until is not None else None
    try:
        with source.opened(progress) as file:
            events = read_events(file, zone, busy_only=True, on_bad="skip")
    except CalendarFileError as fault:
        raise UsageError(f"{source.name}: {fault}") from fault
    endless = next(filter(_is_endless, events), None)
    if endless is not None and last is None:
        year = endless.start.year + 1
        what = brief(endless.summary or endless.uid)
        raise UsageError(f"{source.name}: {what} recurs without end; --until {year}-12-31 ends it")
    kinds = sorted({_kind(event.start) for event in events})
    if len(kinds) > 1:
        raise UsageError(
            f"{source.name} has {' and '.join(kinds)}, which one calendar cannot hold; --zone Europe/Berlin, or whatever "
            "the zone is, makes all of them instants of it"
        )
    return _rows(Path(source.name).stem, events, events.bad, last)


def _rows(
    name: str, events: list[IcsEvent], bad: tuple[CalendarFileError, ...], last: date | None
) -> Iterator[Row | BadRow]:
    for fault in bad:
        yield BadRow(fault.line or 0, Reason.UNREADABLE, str(fault))
    for event in events:
        line = event.line or 0
        spans = event.spans(until=last if _is_endless(event) else None)
        try:
            for start, end in spans:
                id = event.uid or None
                if id is not None and (event.rule or event.include or event.occurrence):
                    id = f"{id} {start.isoformat()}"
                yield Row(line, name, start, end, id)
        except BookcoreError as fault:  # of a rule that is given up
            yield BadRow(line, Reason.UNREADABLE, f"event {brief(event.uid)}: {fault}")


def _is_endless(event: IcsEvent) -> bool:
    rule = None if event.rule is None else read_rule(event.rule)
    return rule is not None and rule.count is None and rule.until is None


def _kind(start: date) -> str:
    if not isinstance(start, datetime):
        return "whole days"
    return "floating times" if start.tzinfo is None else "times of a zone"


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--until {text!r}: that is no date like 2027-12-31") from None
