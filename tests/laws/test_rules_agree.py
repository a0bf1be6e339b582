"""Every reason why a span is not to be had is a rule with four questions: their answers agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import BookcoreError, BookingStore, Calendar, MemoryStore, Resource
from bookcore.hours import Hours
from bookcore.index.span_algebra import as_places
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
