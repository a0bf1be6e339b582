"""What was given to calls for many things: resources, events, requests, and which errors leave a request out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bookcore.engine.bulk_load import garbage_paused
from bookcore.engine.making import make_event
from bookcore.engine.state import CalendarState
from bookcore.model.errors import (
    LACKING,
    BookcoreError,
    CalendarBrokenError,
    QueryError,
    StoreError,
    TransactionError,
    attempt,
    blaming,
)
from bookcore.model.event import BookingEvent
from bookcore.model.report import Refusal, Report
from bookcore.model.term import has_id
from bookcore.model.typecheck import is_a, plain_text

OF_CALENDARS = StoreError, TransactionError, CalendarBrokenError
"""Errors that say of the calendar that it cannot book, and not of a request that it is refused."""


def is_several(resources: Any) -> bool:
    """Tell whether an argument is an iterable of resources or ids, and not one of these itself."""
    if not is_a(resources, (Iterable,)) or is_a(resources, (str, bytes)):
        return False
    return not attempt(lambda: has_id(resources), True)


def members(resources: Any, home: Any) -> list[Any]:
    """Return the resources or ids of an iterable, which may be a selection of the calendar *home*. Raises: `QueryError`."""
    if not is_several(resources):
        raise QueryError(resources, "is no iterable of resources or ids")
    if getattr(type(resources), "_is_selection", False) and resources._home is not home:
        raise QueryError(resources, "belongs to another calendar")
    with blaming(lambda exc: QueryError(resources, f"could not be iterated ({type(exc).__name__})"), BookcoreError):
        return list(resources)


def listed(events: Iterable[Any]) -> list[Any]:
    """Return the events to load as a list. Raises: `QueryError`."""
    wrong = "load takes an iterable of events"
    with blaming(lambda exc: QueryError(events, f"{wrong} ({type(exc).__name__}: {exc})")), garbage_paused():
        return list(events)


def skipped(on_conflict: Any) -> tuple[type[BookcoreError], ...]:
    """Return the classes of errors whose requests `Calendar.book_all` leaves out. Raises: `QueryError`."""
    how = plain_text(on_conflict)
    if how is not None:
        classes: Any = {"raise": (), "skip": (BookcoreError,)}.get(how)
    else:
        classes = on_conflict if type(on_conflict) is tuple else (on_conflict,)
    if classes is None or not all(is_a(cls, type) and issubclass(cls, BookcoreError) for cls in classes):
        raise QueryError(on_conflict, "on_conflict is 'raise', 'skip', a class of bookcore.errors, or a tuple of these")
    return tuple(classes)


def parsed(requests: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Return each request with the arguments of `Engine.book`, None for an event, or the error that it is none.

    Raises: `QueryError` when there are no requests to iterate over.
    """
    wrong = "book_all takes an iterable of requests"
    with blaming(lambda exc: QueryError(requests, f"{wrong} ({type(exc).__name__}: {exc})")):
        given = list(requests)
    return [(request, None if is_a(request, BookingEvent) else _arguments(request)) for request in given]


def _arguments(request: Any) -> tuple[Any, ...] | BookcoreError:
    try:
        if not is_a(request, (Mapping,)):
            resource, start, end = request
            return resource, start, end, None, 1, "raise", {}
        named = dict(request)
        resource, start, end = named.pop("resource"), named.pop("start"), named.pop("end")
        options = named.pop("id", None), named.pop("quantity", 1), named.pop("if_exists", "raise")
        if all(type(name) is str for name in named):
            return resource, start, end, *options, named
    except LACKING:
        raise
    except BookcoreError as exc:
        return exc
    except Exception:  # noqa: S110 - too few values, no iterable, or the object's own code
        pass
    return QueryError(request, "is no request: give an event, (resource, start, end) or a mapping")


def book_each(
    requests: Iterable[tuple[Any, Any]], skips: tuple[type[BookcoreError], ...], book: Callable[[Any, Any], BookingEvent]
) -> Report:
    """Book the requests that `parsed` returned, one by one; *book* gets a request and its arguments, None for an event."""
    booked: list[BookingEvent] = []
    refused: list[Refusal] = []
    for request, arguments in requests:
        try:
            if is_a(arguments, BookcoreError):
                raise arguments
            booked.append(book(request, arguments))
        except BookcoreError as exc:
            if not is_a(exc, skips) or is_a(exc, OF_CALENDARS):
                exc.request = request
                raise
            refused.append(Refusal(request, exc))
    return Report(tuple(booked), tuple(refused))


def requested(
    state: CalendarState, resource: Any, start: Any, end: Any, id: Any, quantity: Any, if_exists: Any, fields: dict[str, Any]
) -> BookingEvent:
    """Return the event that is asked for, under its id. Raises: `QueryError` where `find_late` alone does not decide."""
    cls = state.event_type
    if plain_text(if_exists) != "raise" or cls is not BookingEvent:
        raise QueryError(if_exists, "is decided when it is the turn of the request")
    known = state.registry.record(resource).resource
    event = make_event(cls, known, start, end, quantity, fields)
    event._id = id
    return event
