"""`Calendar.free_busy` and `Calendar.explain`: the states of a resource, and why a span is not available.

Both use the rules that decide every other answer (`bookcore.engine.rules`), so an explanation is empty exactly when the span
is available. The notes of `bookcore.query.free_time` on datetimes, bounds and consistency apply here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bookcore.engine.gate import question
from bookcore.engine.state import CalendarState
from bookcore.index.span_algebra import Place, as_keys, as_places, complement, in_order, intersection
from bookcore.model.errors import InvalidSpanError
from bookcore.model.explanation import Cause, Explanation, State
from bookcore.model.resource import check_quantity
from bookcore.query.listing import window
from bookcore.stores import generic
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord

Span = tuple[Any, Any]


@question
def free_busy(state: CalendarState, resource: Any, start: Any, end: Any) -> tuple[tuple[Any, Any, State], ...]:
    """See `Calendar.free_busy`."""
    closed, rules = state.closed, state.rules
    record = state.registry.record(resource)
    low, high = state.keys.admit(start, end)
    hours = record.hours
    if hours is not None and (low is None or high is None):
        raise InvalidSpanError(start, end, "opening hours go on without end; ask about a bounded span")
    booked = _points(rules.bookings.spans(record, low, high, 1), closed)
    confirmed = _confirmed(state, record, low, high) if state.holds.until else booked
    others = [rule for rule in record.rules if rule is not rules.hours]
    blocked = in_order(booked, *(_points(rule.spans(record, low, high, 1), closed) for rule in others))
    first, last = (low, high)
    if closed:
        first = Place(low, False) if low is not None else None
        last = Place(high, True) if high is not None else None
    if hours is None:
        free = list(complement(blocked, first, last))
    else:
        free = _points(rules.free(blocked, hours, low, high), closed)
    # each layer: the spans that are left when one more state is taken away
    layers = [(list(complement(confirmed, first, last)), State.BUSY)]
    if confirmed is not booked:
        layers.append((list(complement(booked, first, last)), State.HELD))
    if record.rules:
        layers.append((free, State.CLOSED))
    tiles = [_labelled(free, State.FREE, closed)]
    before = [(first, last)]
    for after, label in layers:
        tiles.append(_labelled(intersection(before, complement(after, first, last)), label, closed))
        before = after
    return tuple(window(state, [record], start, end, low, high).all_in_asked_zone(joined(in_order(*tiles))))


@question
def explain(state: CalendarState, resource: Any, start: Any, end: Any, quantity: int) -> Explanation:
    """See `Calendar.explain`."""
    record = state.registry.record(resource)
    low, high = state.keys.admit(start, end)
    quantity = check_quantity(quantity)
    causes: list[Cause] = []
    if not state.rules.allows(record, low, high, quantity):
        causes = list(state.rules.causes(record, low, high, quantity, start, end))
    return Explanation(record.resource, start, end, quantity, tuple(causes), state.bounds)


def _points(spans: Iterable[Span], closed: bool) -> list[Span]:
    """Return spans as half-open spans: of keys, or with closed bounds of places."""
    return list(as_places(spans)) if closed else list(spans)


def _confirmed(state: CalendarState, record: ResourceRecord, low: Any, high: Any) -> list[Span]:
    """Return the spans in which confirmed bookings alone leave no unit."""

    def confirmed(record: ResourceRecord, low: Any, high: Any) -> list[Row]:
        return [row for row in state.store.overlapping(record, low, high) if not state.ledger.is_held(row[2])]

    return _points(generic.blocked_spans(confirmed, record, low, high, 1, state.closed), state.closed)


def _labelled(spans: Iterable[Span], state: State, closed: bool) -> Iterator[Any]:
    for a, b in as_keys(spans) if closed else spans:
        yield a, b, state


def joined(tiles: Iterable[Any]) -> Iterator[Any]:
    """Yield tiles ``(start, end, state)``, with neighbours of the same state joined."""
    held = None
    for start, end, state in tiles:
        if held is not None and held[2] == state:
            start = held[0]
        elif held is not None:
            yield held
        held = start, end, state
    if held is not None:
        yield held
