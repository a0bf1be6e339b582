"""Booking the rows of a table: every good row becomes a booking, a refused row becomes a `BadRow`.

The rows of a table are booked by one call of `Calendar.book_all`, or a million by each call; other rows by a call each.
Either way the same rows are booked under the same ids, and the others are refused for the same reasons.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from bookcore.calendar import Calendar
from bookcore.engine.bulk_load import garbage_paused
from bookcore.model.errors import (
    BookcoreError,
    ConflictError,
    DuplicateBookingError,
    DuplicateResourceError,
    InvalidSpanError,
    KeyTypeError,
    QueryError,
    attempt,
    blaming,
    brief,
    visible,
)
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource
from bookcore.model.typecheck import is_a
from bookcore.tables.csvfile import BadRow, CsvTable, Reason, Row

MOST = 1 << 20
"""The most rows that are booked at once."""


def fill(
    calendar: Calendar, rows: Iterable[Row | BadRow], *, capacity: int = 1, name_by_line: bool = False
) -> Iterator[Row | BadRow]:
    """Book *rows* while the result is iterated, and yield each: unchanged if it is booked, else as a `BadRow`.

    The call alone books nothing: loop over its result, or take its `list`. Where the loop ends early, later rows are not
    booked, but for those of the same block of a table.

    Unknown resources are added with *capacity*. The later one of two overlapping rows is refused.

    Rows of a `CsvTable` are read, then booked, then yielded, up to a million at a time, and are reported as if each had been
    booked at its turn. Other rows are booked one by one, each before it is yielded.

    A row without an id gets a number from the calendar, which differs from every id in a table because those are text.
    With *name_by_line* its id is ``"line 12"``, so that it can be found in the file. Use that only for tables without a
    column of ids, which could contain the same text.

    Raises: `QueryError` for what is no calendar, no table, or no row of one; what `Calendar.book_all` raises where it is the
    calendar that cannot book, and not a row that is refused.
    Complexity: that of `Calendar.book_all` for the rows, and memory for a block of them.

    >>> calendar = Calendar()
    >>> rows = [Row(2, "loft", 1, 5, "a"), Row(3, "loft", 4, 6, None)]
    >>> [str(row) for row in fill(calendar, rows) if isinstance(row, BadRow)]
    ["line 3: overlap: 'loft' 4 to 6 is taken by 'a' (1 to 5)"]
    """
    if not attempt(lambda: callable(type(calendar).book_all), False):
        raise QueryError(calendar, "is no calendar, in which rows could be booked")
    is_table = is_a(rows, CsvTable)
    filling = _Filling(calendar, capacity, name_by_line, is_table)
    with blaming(lambda exc: QueryError(rows, f"is no table, nor an iterable of its rows ({type(exc).__name__})")):
        rows_left = iter(rows)
    most = MOST if is_table else 1  # other rows may depend on what has become of those before them
    while True:
        block, fault = _read(rows_left, most)
        yield from filling.booked(block)
        if fault is not None:
            raise fault
        if len(block) < most:
            return


def _read(rows: Iterator[Row | BadRow], most: int) -> tuple[list[Row | BadRow], Exception | None]:
    """Return the next rows, and the error that came after them, if any."""
    block: list[Row | BadRow] = []
    try:
        with garbage_paused():
            block.extend(islice(rows, most))  # keeps what came before an error
    except Exception as fault:
        return block, fault
    return block, None


class _Filling:
    """The rows that are being booked in a calendar, and what is known of those before them."""

    def __init__(self, calendar: Calendar, capacity: int, name_by_line: bool, is_table: bool) -> None:
        self.calendar, self.capacity, self.name_by_line = calendar, capacity, name_by_line
        self.resources: dict[str, Any] = {}
        self.lines: dict[Hashable, int] = {}  # the line of each booking with a number as id
        self.has_one_table = is_table and not len(calendar)  # so that no booking has the line of another table
        # an event can be loaded at once, and is kept; of a mapping the calendar makes an event of its own class, or a row
        self.request: Any = BookingEvent if calendar.event_type is BookingEvent and capacity == 1 else dict

    def resource(self, name: str) -> Any:
        """Return a resource by its id; one that is unknown is added."""
        resource = self.resources.get(name)
        if resource is None:
            with suppress(DuplicateResourceError):  # a resource of the calendar keeps its capacity
                self.calendar.add_resource(Resource(name, self.capacity))
            resource = self.resources[name] = self.calendar.resource(name)
        return resource

    def booked(self, block: list[Row | BadRow]) -> Iterator[Row | BadRow]:
        """Book rows and yield each, or why it is refused."""
        for row in block:
            if not isinstance(row, Row | BadRow):
                raise QueryError(row, "is no row of a table, as read_csv makes them; Calendar.book_all books other requests")
        with garbage_paused():
            refused = self._book([row for row in block if isinstance(row, Row)])
        for row in block:
            fault = refused.get(id(row))
            yield self.refused(row, fault) if fault is not None and isinstance(row, Row) else row

    def _book(self, rows: list[Row]) -> dict[int, BookcoreError]:
        """Book rows, and return the errors of those that are refused, by the identity of the row."""
        if not rows:
            return {}
        requests = list(map(self._request, rows))
        report = self.calendar.book_all(requests, on_conflict="skip")
        row_of = dict(zip(map(id, requests), rows, strict=True)) if report.refused else {}
        refused = {id(row_of[id(refusal.request)]): refusal.error for refusal in report.refused}
        if not self.name_by_line:
            booked = (row for row in rows if id(row) not in refused) if refused else rows
            self.lines |= {event.id: row.line for row, event in zip(booked, report.booked, strict=True) if row.id is None}
        return refused

    def _request(self, row: Row) -> Any:
        line, name, start, end, id, quantity = row
        if id is None and self.name_by_line and (self.has_one_table or f"line {line}" not in self.calendar):
            id = f"line {line}"  # else it is a line of another table
        return self.request(resource=self.resource(name), start=start, end=end, id=id, quantity=quantity)

    def refused(self, row: Row, fault: BookcoreError) -> BadRow:
        """Return why a row is refused."""
        line, name, start, end, id, quantity = row
        if isinstance(fault, ConflictError):
            many = f"{brief(quantity, 40)} of " if quantity != 1 else ""
            how = "is taken by" if fault.conflicts else "cannot be had:"
            text = f"{many}{brief(name, 40)} {span(start, end)} {how} {takers(fault, self.lines)}"
            return BadRow(line, Reason.OVERLAP if fault.conflicts else Reason.TOO_MANY, text)
        if isinstance(fault, DuplicateBookingError):
            return BadRow(line, Reason.DUPLICATE, f"{brief(id, 60)} is {_holder(fault.standing)}")
        return BadRow(line, Reason.REFUSED, sentence(fault))


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
