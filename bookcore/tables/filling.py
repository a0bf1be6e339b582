"""Booking the rows of a table: every good row becomes a booking, a refused row becomes a `BadRow`."""

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
    visible,
)
from bookcore.model.resource import Resource
from bookcore.tables.csvfile import BadRow, Reason, Row

__all__ = ["fill", "sentence", "span"]


def fill(
    calendar: Calendar, rows: Iterable[Row | BadRow], *, capacity: int = 1, name_by_line: bool = False
) -> Iterator[Row | BadRow]:
    """Book *rows* lazily, one by one, and yield each: unchanged if it is booked, else as a `BadRow`.

    Unknown resources are added with *capacity*. The later one of two overlapping rows is refused.

    A row without an id gets a number from the calendar, which differs from every id in a table because those are text.
    With *name_by_line* its id is ``"line 12"``, so that it can be found in the file. Use that only for tables without a
    column of ids, which could contain the same text.

    Complexity: that of `Calendar.book` for each row.

    >>> calendar = Calendar()
    >>> rows = [Row(2, "loft", 1, 5, "a"), Row(3, "loft", 4, 6, None)]
    >>> [str(row) for row in fill(calendar, rows) if isinstance(row, BadRow)]
    ["line 3: overlap: 'loft' 4 to 6 is taken by 'a' (1 to 5)"]
    """
    resources: dict[str, Any] = {}
    lines: dict[Hashable, int] = {}  # the line of each booking with a number as id
    book = calendar.book
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        line, name, start, end, id, quantity = row
        resource = resources.get(name)
        if resource is None:
            with suppress(DuplicateResourceError):  # a resource of the calendar keeps its capacity
                calendar.add_resource(Resource(name, capacity))
            resource = resources[name] = name
        try:
            try:
                booking_id = f"line {line}" if id is None and name_by_line else id
                event = book(resource, start, end, id=booking_id, quantity=quantity)
            except DuplicateBookingError:
                if id is not None:
                    raise
                event = book(resource, start, end, quantity=quantity)  # the same line of another table
        except ConflictError as fault:
            many = f"{brief(quantity, 40)} of " if quantity != 1 else ""
            how = "is taken by" if fault.conflicts else "cannot be had:"
            text = f"{many}{brief(name, 40)} {span(start, end)} {how} {takers(fault, lines)}"
            yield BadRow(line, Reason.OVERLAP if fault.conflicts else Reason.TOO_MANY, text)
        except DuplicateBookingError as fault:
            yield BadRow(line, Reason.DUPLICATE, f"{brief(id, 60)} is {_holder(fault.standing)}")
        except BookcoreError as fault:
            yield BadRow(line, Reason.REFUSED, sentence(fault))
        else:
            if id is None and not name_by_line:
                lines[event.id] = line
            yield row


def span(start: Any, end: Any) -> str:
    """Return a span as text; an unbounded end is ``...``."""
    return f"{'...' if start is None else visible(start)} to {'...' if end is None else visible(end)}"


def sentence(fault: BookcoreError) -> str:
    """Return the message of an error, with the keys as text instead of their repr.

    >>> from datetime import date
    >>> sentence(InvalidSpanError(date(2026, 7, 8), None, "it is empty"))
    'not a span: 2026-07-08 to ...: it is empty'
    """
    if isinstance(fault, InvalidSpanError):
        return f"not a span: {span(fault.start, fault.end)}: {fault.reason}"
    if isinstance(fault, KeyTypeError):
        return f"{visible(fault.key)}: {fault.reason}"
    return str(fault)


def takers(fault: ConflictError, lines: dict[Hashable, int]) -> str:
    """Return the causes of a conflict as text: the ids (or lines) of the first three bookings, and other causes."""
    shown = [
        f"{f'line {lines[event.id]}' if event.id in lines else brief(event.id, 60)} ({span(event.start, event.end)})"
        for event in fault.conflicts[:3]
    ]
    if len(fault.conflicts) > 3:
        shown.append(f"{len(fault.conflicts) - 3} more")
    return ", ".join([*shown, *fault.causes])


def _holder(event: Any) -> str:
    if event is None:
        return "the id of an earlier row"
    return f"booked already: {brief(event.resource.id, 40)} {span(event.start, event.end)}"
