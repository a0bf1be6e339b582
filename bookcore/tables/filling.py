"""From rows to a calendar: every good row becomes a booking, what the calendar refuses a `BadRow`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bookcore.calendar import Calendar
from bookcore.errors import BookcoreError, ConflictError, DuplicateBookingError, brief
from bookcore.model import Resource
from bookcore.tables.csvfile import BadRow, Reason, Row

__all__ = ["fill"]


def fill(calendar: Calendar, rows: Iterable[Row | BadRow], *, capacity: int = 1) -> Iterator[Row | BadRow]:
    """Book *rows* one by one as they are asked for, and yield each: itself if booked, else why not.

    Resources are added when they are first named, with *capacity*. A row without an id is booked under the
    number of its line, as ``"line 12"``, so that it can be found in the file. Of two rows that overlap the
    later one is refused.

    Complexity: that of `Calendar.book` a row.

    >>> calendar = Calendar()
    >>> rows = [Row(2, "loft", 1, 5, "a"), Row(3, "loft", 4, 6, None)]
    >>> [str(row) for row in fill(calendar, rows) if isinstance(row, BadRow)]
    ["line 3: overlap: 'loft' 4 to 6 is taken by 'a' (1 to 5)"]
    """
    resources: dict[str, Resource] = {}
    book = calendar.book
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        line, name, start, end, id = row
        resource = resources.get(name)
        if resource is None:
            resource = resources[name] = calendar.add_resource(Resource(name, capacity))
        try:
            book(resource, start, end, id=id if id is not None else f"line {line}")
        except ConflictError as fault:
            yield BadRow(
                line, Reason.OVERLAP, f"{brief(name, 40)} {span(start, end)} is taken by {takers(fault)}"
            )
        except DuplicateBookingError as fault:
            yield BadRow(line, Reason.DUPLICATE, f"{brief(id, 60)} is {_who(fault.standing)}")
        except BookcoreError as fault:
            yield BadRow(line, Reason.REFUSED, str(fault))
        else:
            yield row


def span(start: Any, end: Any) -> str:
    """Return a span in words: its ends as text, what is unbounded as dots."""
    return f"{'...' if start is None else start} to {'...' if end is None else end}"


def takers(fault: ConflictError) -> str:
    """Return who is in the way, the first three by name."""
    shown = [f"{brief(event.id, 60)} ({span(event.start, event.end)})" for event in fault.conflicts[:3]]
    if len(fault.conflicts) > 3:
        shown.append(f"{len(fault.conflicts) - 3} more")
    return ", ".join([*shown, *fault.causes])


def _who(event: Any) -> str:
    if event is None:
        return "the id of an earlier row"
    return f"booked already: {brief(event.resource.id, 40)} {span(event.start, event.end)}"
