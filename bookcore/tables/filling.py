"""From rows to a calendar: every good row becomes a booking, what the calendar refuses a `BadRow`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from bookcore.calendar import Calendar
from bookcore.model.errors import (
    BookcoreError,
    ConflictError,
    DuplicateBookingError,
    DuplicateResourceError,
    InvalidSpanError,
    KeyTypeError,
    brief,
)
from bookcore.model.resource import Resource
from bookcore.tables.csvfile import BadRow, Reason, Row

__all__ = ["fill", "sentence", "span"]


def fill(
    calendar: Calendar, rows: Iterable[Row | BadRow], *, capacity: int = 1, name_by_line: bool = False
) -> Iterator[Row | BadRow]:
    """Book *rows* one by one as they are asked for, and yield each: itself if booked, else why not.

    Resources that the calendar does not know are added when they are first named, with *capacity*. Of two rows that
    overlap the later one is refused.

    A row without an id gets a number from the calendar, which no id in a table can be, as those are text. With
    *name_by_line* it is booked as ``"line 12"``, so that it can be found in the file; that is for tables without a
    column of ids, since an id in such a column may be called so too.

    Complexity: that of `Calendar.book` a row.

    >>> calendar = Calendar()
    >>> rows = [Row(2, "loft", 1, 5, "a"), Row(3, "loft", 4, 6, None)]
    >>> [str(row) for row in fill(calendar, rows) if isinstance(row, BadRow)]
    ["line 3: overlap: 'loft' 4 to 6 is taken by 'a' (1 to 5)"]
    """
    resources: dict[str, Any] = {}
    lines: dict[Hashable, int] = {}  # of the bookings that have a number for an id
    book = calendar.book
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        line, name, start, end, id, quantity = row
        resource = resources.get(name)
        if resource is None:
            with suppress(DuplicateResourceError):  # or it was there before the table, with a capacity of its own
                calendar.add_resource(Resource(name, capacity))
            resource = resources[name] = name
        try:
            try:
                called = f"line {line}" if id is None and name_by_line else id
                event = book(resource, start, end, id=called, quantity=quantity)
            except DuplicateBookingError:
                if id is not None:
                    raise
                event = book(resource, start, end, quantity=quantity)  # another table's row of that line: a number will do
        except ConflictError as fault:
            many = f"{brief(quantity, 40)} of " if quantity != 1 else ""
            how = "is taken by" if fault.conflicts else "cannot be had:"
            text = f"{many}{brief(name, 40)} {span(start, end)} {how} {takers(fault, lines)}"
            yield BadRow(line, Reason.OVERLAP if fault.conflicts else Reason.TOO_MANY, text)
        except DuplicateBookingError as fault:
            yield BadRow(line, Reason.DUPLICATE, f"{brief(id, 60)} is {_who(fault.standing)}")
        except BookcoreError as fault:
            yield BadRow(line, Reason.REFUSED, sentence(fault))
        else:
            if id is None and not name_by_line:
                lines[event.id] = line
            yield row


def span(start: Any, end: Any) -> str:
    """Return a span in words: its ends as text, what is unbounded as dots."""
    return f"{'...' if start is None else start} to {'...' if end is None else end}"


def sentence(fault: BookcoreError) -> str:
    """Return what an error says, with keys as text rather than as Python writes them.

    >>> from datetime import date
    >>> sentence(InvalidSpanError(date(2026, 7, 8), None, "it is empty"))
    'not a span: 2026-07-08 to ...: it is empty'
    """
    if isinstance(fault, InvalidSpanError):
        return f"not a span: {span(fault.start, fault.end)}: {fault.reason}"
    if isinstance(fault, KeyTypeError):
        return f"{fault.key}: {fault.reason}"
    return str(fault)


def takers(fault: ConflictError, lines: dict[Hashable, int]) -> str:
    """Return who is in the way, the first three by name, or by line if they had none."""
    shown = [f"{_called(event.id, lines)} ({span(event.start, event.end)})" for event in fault.conflicts[:3]]
    if len(fault.conflicts) > 3:
        shown.append(f"{len(fault.conflicts) - 3} more")
    return ", ".join([*shown, *fault.causes])


def _called(id: Hashable, lines: dict[Hashable, int]) -> str:
    return f"line {lines[id]}" if id in lines else brief(id, 60)


def _who(event: Any) -> str:
    if event is None:
        return "the id of an earlier row"
    return f"booked already: {brief(event.resource.id, 40)} {span(event.start, event.end)}"
