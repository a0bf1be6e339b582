"""Every reason why a span is not to be had is a rule with four questions: their answers agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import BookcoreError, BookingEvent, BookingStore, Calendar, ConflictError, MemoryStore, Resource
from bookcore.hours import Hours
from bookcore.index.span_algebra import as_places
from bookcore.model.explanation import Cause, CauseKind
from bookcore.model.span import overlaps
from bookcore.stores.sorted import SortedStore
from bookcore.testing import ListStore, rank_spans, small_store

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEKS = tuple(
    Hours(week, zone=zone)
    for week, zone in (
        ({"mon-fri": "02:00-09:00"}, "UTC"),
        ({"mon-tue": ["00:00-05:00", "07:00-20:00"]}, "Europe/Berlin"),
        ({"mon": "00:00-24:00"}, "UTC"),
    )
)
"""Every resource of a calendar with times has one of these, or none."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["book", "book", "book", "hold", "hold", "close", "remove", "tick", "hours"]),
        st.integers(0, 5),
        rank_spans("[]", 0, 40),
        st.integers(1, 3),
        st.integers(0, 99),
    ),
    max_size=30,
)
ASKED = st.lists(st.tuples(rank_spans("[]", -2, 44), st.integers(1, 4)), min_size=1, max_size=6)
FACTS = ((1, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (1, 2, 1), (2, 0, 3))
"""Capacity of each resource, and its buffers before and after, in ranks."""


def time(rank: int | None) -> Any:
    """Return an hour."""
    return None if rank is None else MONDAY + rank * HOUR


def number(rank: int | None) -> Any:
    """Return the rank itself."""
    return rank


def make_calendar(make: Any, bounds: Any, timed: bool, steps: Any) -> Calendar:
    """Return a calendar with a random history of everything that may be in the way."""
    now = [0]
    key, unit = (time, HOUR) if timed else (number, 1)
    calendar = Calendar(small_store(make), bounds=bounds, clock=lambda: now[0])
    for id, (capacity, before, after) in enumerate(FACTS):
        calendar.add_resource(Resource(id, capacity, before=before * unit or None, after=after * unit or None))
    for what, id, (low, high), quantity, pick in steps:
        try:
            if what == "book":
                calendar.book(id, key(low), key(high), quantity=quantity)
            elif what == "hold":
                calendar.hold(id, key(low), key(high), quantity=quantity, ttl=(None, 1, 2)[pick % 3])
            elif what == "close":
                calendar.close(id, key(low), key(high))
            elif what == "remove":
                events = list(calendar.bookings())
                if events:
                    calendar.remove_booking(events[pick % len(events)])
            elif what == "tick":
                now[0] += pick % 3
            elif timed:
                calendar.set_hours([id], (*WEEKS, None)[pick % 4])
        except BookcoreError:
            continue
    return calendar


def meets(spans: Any, low: Any, high: Any, closed: bool) -> bool:
    """Tell whether a span overlaps one of those that no booking may overlap."""
    if not closed:
        return any(overlaps(start, end, low, high, False) for start, end in spans)
    ((first, last),) = as_places([(low, high)])
    return any(overlaps(start, end, first, last, False) for start, end in as_places(spans))


@pytest.mark.parametrize("make", [MemoryStore, SortedStore, ListStore])
@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("timed", [False, True], ids=["numbers", "times with hours"])
@given(steps=STEPS, asked=ASKED)
def test_the_four_questions_of_every_rule_agree(
    make: type[BookingStore[Any]], bounds: Any, timed: bool, steps: Any, asked: Any
) -> None:
    """Allowed, no bit in the bitmap, no blocked span overlaps, no causes: of each rule, and of all of them together."""
    closed = bounds == "[]"
    calendar = make_calendar(make, bounds, timed, steps)
    state = calendar._engine.state
    rules = state.rules
    with state.gate.lock:
        for (low, high), quantity in asked:
            if not closed and low is not None and low == high:
                continue
            start, end = (time if timed else number)(low), (time if timed else number)(high)
            bits = [rule.blocked(start, end, quantity) for rule in rules.every]
            together = rules.blocked(start, end, quantity)
            for record in state.registry.in_order():
                every = []
                for rule, taken in zip(rules.every, bits, strict=True):
                    if rule is rules.bookings and quantity > record.capacity:
                        continue  # the rule of units says no; that of bookings may say either
                    allowed = rule.allows(record, start, end, quantity)
                    every.append(allowed)
                    found = (
                        not taken >> record.number & 1,
                        not list(rule.causes(record, start, end, quantity, start, end)),
                    )
                    assert found == (allowed, allowed), (rule, record, start, end, quantity)
                    if rule is rules.hours and (start is None or end is None):
                        continue  # opening hours go on for ever
                    spans = list(rule.spans(record, start, end, quantity))
                    assert meets(spans, start, end, closed) is not allowed, (rule, record, spans, start, end, quantity)
                allowed = rules.allows(record, start, end, quantity)
                assert allowed is all(every) is rules.allows_or_false(record, start, end, quantity)
                assert allowed is not bool(together >> record.number & 1)
                assert allowed is not bool(list(rules.causes(record, start, end, quantity, start, end)))


class Lunch:
    """A rule that the package does not know: nothing is booked from 12 to 13 on some resources."""

    def __init__(self, state: Any, closed: bool) -> None:
        self.closed, self.numbers = closed, 0
        rules = state.rules
        rules.every = (*rules.every[:-1], self, rules.bookings)

    def concern(self, record: Any) -> None:
        """Have a resource keep its lunch."""
        self.numbers |= 1 << record.number
        record.set_rule(self, True)

    def allows(self, record: Any, low: Any, high: Any, quantity: int) -> bool:
        """See `Rule`."""
        return not (self.numbers >> record.number & 1 and overlaps(low, high, 12, 13, self.closed))

    def blocked(self, low: Any, high: Any, quantity: int) -> int:
        """See `Rule`."""
        return self.numbers if overlaps(low, high, 12, 13, self.closed) else 0

    def spans(self, record: Any, low: Any, high: Any, quantity: int) -> Any:
        """See `Rule`."""
        return iter([(12, 13)] if self.numbers >> record.number & 1 else [])

    def causes(self, record: Any, low: Any, high: Any, quantity: int, start: Any, end: Any) -> Any:
        """See `Rule`."""
        if not self.allows(record, low, high, quantity):
            yield Cause(CauseKind.CLOSURE, "lunch", 12, 13, "lunch", "lunch")


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("count", [4, 300])
def test_a_new_rule_decides_everywhere(count: int, bounds: Any) -> None:
    """It is named in the list, and nothing else knows it: searches, free time, loads and explanations keep to it."""
    calendar = Calendar(bounds=bounds)
    for id in range(count):
        calendar.add_resource(Resource(id))
    state = calendar._engine.state
    lunch = Lunch(state, bounds == "[]")
    for id in range(0, count, 2):
        lunch.concern(state.registry.by_id[id])
    odd, after = list(range(1, count, 2)), 13 + (bounds == "[]")
    assert calendar.find_available(11, 14).ids() == odd
    assert not calendar.is_available(0, 11, 14) and calendar.explain(0, 11, 14).causes[0].what == "lunch"
    assert calendar.next_available(0, 11, 2) == (after, after + 2)
    first = {resource.id: start for start, _, resource in reversed(list(calendar.find_slots(2, 11, 20)))}
    assert first == {id: 11 if id % 2 else after for id in range(count)}
    with pytest.raises(ConflictError, match="lunch"):
        many = [BookingEvent(id, 20 + 2 * at, 21 + 2 * at) for id in odd for at in range(99)]
        calendar.load([*many, BookingEvent(0, 12, 13)])
    with pytest.raises(ConflictError, match="lunch"):
        calendar.book(0, 11, 14)
    report = calendar.book_all([(id, 11, 14) for id in range(count)], "skip")
    assert [event.resource.id for event in report.booked] == odd
    assert calendar.book_any(calendar.resources, 9, 10, strategy="best_fit").owns_lock
    with pytest.raises(ConflictError, match="lunch"):
        calendar.move(calendar.book(0, 2, 3), start=12, end=13)
