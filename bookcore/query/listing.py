"""Looking up and listing resources, bookings and closures, and windows for the answers about them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from bookcore.engine.gate import inspection, question
from bookcore.engine.state import CalendarState
from bookcore.index.bitmap import ordinals
from bookcore.model.closure import Closure
from bookcore.model.errors import BookcoreError, QueryError, UnknownBookingError, blaming
from bookcore.model.event import BookingEvent
from bookcore.model.resource import check_quantity
from bookcore.model.window import Window
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord


@question
def conflicts(
    state: CalendarState, resource: Any, start: Any, end: Any, quantity: int
) -> tuple[BookingEvent, ...]:
    """See `Calendar.conflicts`."""
    record = state.registry.record(resource)
    low, high = state.keys.admit(start, end)
    quantity = check_quantity(quantity)
    state.buffers.allows(record, low, high, quantity)  # raises an error for keys that no booking can have, as `book` does
    return tuple(state.ledger.events(record, state.rules.bookings.rows(record, low, high, quantity)))


@question
def bookings(state: CalendarState, resource: Any, start: Any, end: Any) -> Iterator[BookingEvent]:
    """See `Calendar.bookings`. The rows are read and the events made in the call, under the lock."""
    overlapping = state.store.overlapping
    low, high = state.keys.admit(start, end)
    if resource is not None:
        record = state.registry.record(resource)
        return iter(state.ledger.events(record, overlapping(record, low, high)))
    registry, pairs = state.registry, list[tuple[ResourceRecord, Row]]()
    numbers = registry.everything.value()
    if low is not None or high is not None:  # with capacity or buffers, the search does not tell whether there is a booking
        numbers = state.rules.bookings.blocked(low, high, 1) | registry.pooled.value()
    for number in ordinals(numbers):
        owner = registry.by_number[number]
        if owner is not None:
            pairs += [(owner, row) for row in overlapping(owner, low, high)]
    return by_start(state, pairs)


def by_start(state: CalendarState, pairs: list[tuple[ResourceRecord, Row]]) -> Iterator[BookingEvent]:
    """Iterate over the events of rows, given with the records of their resources, by start, then in order of booking."""
    # Two stable sorts, not one by (start, number): keys are compared with `<` only, and never with None.
    pairs.sort(key=lambda pair: pair[1][2])
    unbounded = [pair for pair in pairs if pair[1][0] is None]
    bounded = [pair for pair in pairs if pair[1][0] is not None]
    bounded.sort(key=lambda pair: pair[1][0])
    return iter(state.ledger.events_of(unbounded + bounded))


@question
def get(state: CalendarState, booking_id: Hashable) -> BookingEvent:
    """See `Calendar.get`."""
    return state.ledger.event(state.ledger.find(booking_id))


@question
def contains(state: CalendarState, event: object) -> bool:
    """See `Calendar.__contains__`."""
    try:
        state.ledger.find(event)
    except UnknownBookingError:
        return False
    return True


@inspection
def closures(state: CalendarState, resource: Any) -> tuple[Closure, ...]:
    """See `Calendar.closures`."""
    if resource is None:
        return tuple(sorted(state.closures.by_id.values(), key=lambda closure: closure.id))
    return tuple(state.closures.of(state.registry.record(resource)))


@inspection
def closures_of(state: CalendarState, resource: Any) -> tuple[Closure, ...]:
    """See `Calendar.closures_of`."""
    return tuple(state.closures.of(state.registry.record(resource)))


@inspection
def hours_of(state: CalendarState, resource: Any) -> Any:
    """See `Calendar.hours_of`."""
    return state.registry.record(resource).hours


@inspection
def tags_of(state: CalendarState, resource: Any) -> frozenset[Hashable]:
    """See `Calendar.tags_of`."""
    labels = state.registry.labels(state.registry.record(resource))
    with blaming(lambda exc: QueryError(labels, f"cannot be put into a set ({type(exc).__name__})"), BookcoreError):
        return frozenset(labels)


@inspection
def resource(state: CalendarState, id: Hashable) -> Any:
    """See `Calendar.resource`."""
    return state.registry.record(id).resource


def window(state: CalendarState, records: Iterable[ResourceRecord], start: Any, end: Any, low: Any, high: Any) -> Window:
    """Return the window of a question about some resources, given and in index form. The lock is held.

    Complexity: O(1); O(m) for a question without any bound.
    """
    return Window(start, end, low, high, _key_as_given(state, records) if start is None and end is None else None)


def _key_as_given(state: CalendarState, records: Iterable[ResourceRecord]) -> Any:
    """Return a key of the first booking or closure of some resources, as it was given, or one in the zone of their hours."""
    for record in records:
        for event in state.ledger.events(record, state.store.overlapping(record, None, None)[:1]):
            return event.end if event.start is None else event.start
        for closure in state.closures.of(record)[:1]:
            return closure.end if closure.start is None else closure.start
        if record.hours is not None and record.hours.zone is not None:
            return datetime(1970, 1, 1, tzinfo=UTC).astimezone(record.hours.zone)
    return None
