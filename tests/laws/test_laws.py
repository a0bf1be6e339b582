"""The seven laws of the contract as properties, on every store, with both bounds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore import BookcoreError, BookingEvent, BookingStore, Calendar, ConflictError, MemoryStore, Resource
from bookcore.stores.tree import TreeStore
from bookcore.testing import (
    Family,
    ListStore,
    any_family,
    ask,
    fingerprint,
    histories,
    questions,
    rank_spans,
    small_store,
    strangers,
)

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

MAKERS: list[Callable[[], BookingStore[Any]]] = [MemoryStore, TreeStore, ListStore]
CAPACITIES = (1, 1, 2, 3)
WINDOWS = ((None, None), (0, 4), (3, 6), (10, 11), (18, 33), (None, 20), (39, None))

on_every_store = pytest.mark.parametrize("make", MAKERS)
with_both_bounds = pytest.mark.parametrize("bounds", ["[)", "[]"])
History = list[tuple[int, int | None, int | None]]


def new_calendar(make: Callable[[], BookingStore[Any]], bounds: Any, family: Family | None = None) -> Calendar:
    """Return a calendar with four exclusive resources or pools, one of them with buffers, and eight more."""
    calendar = Calendar(small_store(make), bounds=bounds)
    buffer = family.length(2) if family is not None and family.length is not None else None
    for id, capacity in enumerate(CAPACITIES):
        calendar.add_resource(Resource(id, capacity, after=buffer if id == 1 else None))
    for id in range(len(CAPACITIES), 12):
        calendar.add_resource(Resource(id))
    return calendar


def follow(calendar: Calendar, family: Family, history: History) -> list[BookingEvent]:
    """Book what can be booked; return the bookings."""
    booked = []
    for step, (id, start, end) in enumerate(history):
        try:
            booked.append(calendar.book(id, family.key(start, step), family.key(end, step + 1)))
        except ConflictError:
            continue
    return booked


def windows(family: Family) -> list[tuple[Any, Any]]:
    """Return a few windows as keys."""
    return [(family.key(low), family.key(high)) for low, high in WINDOWS]


def walks(bounds: Any) -> st.SearchStrategy[tuple[Family, History]]:
    """Draw a family of keys and a history."""
    return st.tuples(any_family(), histories(bounds))


@on_every_store
@with_both_bounds
@given(data=st.data())
def test_search_offers_what_booking_accepts(make: Callable[[], BookingStore[Any]], bounds: Any, data: st.DataObject) -> None:
    """Law 1: `find_available` yields exactly the resources for which `book` succeeds; `find_booked` all others."""
    family, history = data.draw(walks(bounds))
    calendar = new_calendar(make, bounds, family)
    follow(calendar, family, history)
    quantity = data.draw(st.sampled_from([1, 1, 2, 3]))
    for low, high in data.draw(st.lists(rank_spans(bounds), min_size=1, max_size=4)):
        start, end = family.key(low), family.key(high)
        offered = calendar.find_available(start, end, quantity=quantity).ids()
        accepted = []
        for id in range(12):
            asked = calendar.is_available(id, start, end, quantity=quantity)
            try:
                event = calendar.book(id, start, end, quantity=quantity)
            except ConflictError:
                assert not asked
            else:
                assert asked
                accepted.append(id)
                calendar.remove_booking(event)
        assert offered == accepted
        everyone = set(calendar.resources.ids())
        assert set(calendar.find_booked(start, end).ids()) == everyone - set(calendar.find_available(start, end).ids())


@on_every_store
@with_both_bounds
@given(data=st.data())
def test_one_booking_that_overlaps_is_what_makes_a_resource_booked(
    make: Callable[[], BookingStore[Any]], bounds: Any, data: st.DataObject
) -> None:
    """Law 2: an exclusive resource is booked in a span when some single booking on it overlaps the span."""
    family, history = data.draw(walks(bounds))
    calendar = new_calendar(make, bounds)
    booked = follow(calendar, family, history)
    low, high = data.draw(rank_spans(bounds))
    start, end = family.key(low), family.key(high)

    def overlaps(event: BookingEvent) -> bool:
        one, two = family.rank(event.start), family.rank(event.end)
        touch = 0 if bounds == "[]" else 1
        return (two is None or low is None or low + touch <= two) and (
            high is None or one is None or one + touch <= high
        )

    busy = {event.resource.id for event in booked if overlaps(event)}
    for id in (0, 1, 7):
        assert calendar.is_available(id, start, end) is (id not in busy)
        assert {e.id for e in calendar.conflicts(id, start, end)} == {
            e.id for e in booked if e.resource.id == id and overlaps(e)
        }
    assert {id for id in calendar.find_booked(start, end).ids() if CAPACITIES[id : id + 1] in ((1,), ())} == {
        id for id in busy if CAPACITIES[id] == 1
    }


@on_every_store
@with_both_bounds
@given(ranks=st.lists(st.integers(0, 40), min_size=3, max_size=8, unique=True).map(sorted), family=any_family())
def test_touching_is_free_and_conflicts_with_closed_bounds(
    make: Callable[[], BookingStore[Any]], bounds: Any, ranks: list[int], family: Family
) -> None:
    """Law 3: a chain of half-open spans fits on one resource; of closed ones, every other one does."""
    calendar = Calendar(small_store(make), bounds=bounds)
    calendar.add_resource(Resource("flat"))
    accepted = []
    for at, (low, high) in enumerate(pairwise(ranks)):
        try:
            calendar.book("flat", family.key(low, at), family.key(high, at + 1))
            accepted.append(True)
        except ConflictError as refused:
            accepted.append(False)
            assert [family.rank(event.end) for event in refused.conflicts] == [low]
    assert accepted == [bounds == "[)" or at % 2 == 0 for at in range(len(ranks) - 1)]


@on_every_store
@with_both_bounds
@settings(max_examples=MOST // 2)
@given(data=st.data())
def test_removing_what_was_added_restores_every_answer(
    make: Callable[[], BookingStore[Any]], bounds: Any, data: st.DataObject
) -> None:
    """Law 4: after `add_booking` and `remove_booking`, in whatever order, all answers are as before."""
    family, history = data.draw(walks(bounds))
    calendar = new_calendar(make, bounds, family)
    follow(calendar, family, history)
    asked = windows(family)
    before = fingerprint(calendar, asked)
    added = []
    for id, low, high in data.draw(histories(bounds, most=10)):
        try:
            added.append(calendar.add_booking(BookingEvent(id, family.key(low), family.key(high))))
        except ConflictError:
            continue
    for event in data.draw(st.permutations(added)):
        calendar.remove_booking(event)
    assert fingerprint(calendar, asked) == before
    calendar.check()


REFUSALS: list[Callable[[Calendar, Any, Any], Any]] = [
    lambda c, a, x: c.book(0, a, x),
    lambda c, a, x: c.book(1, x, a),
    lambda c, a, x: c.book(x, a, None),
    lambda c, a, x: c.book(2, None, a, quantity=x),
    lambda c, a, x: c.book(0, a, a, id=x),
    lambda c, a, x: c.add_booking(BookingEvent(3, a, x)),
    lambda c, a, x: c.add_booking(x),
    lambda c, a, x: c.remove_booking(x),
    lambda c, a, x: c.load([BookingEvent(8, None, a), BookingEvent(8, x, None)]),
    lambda c, a, x: c.load([BookingEvent(9, None, None), BookingEvent(9, a, None), x]),
    lambda c, a, x: c.load(x),
    lambda c, a, x: c.remove_resource(x),
    lambda c, a, x: c.tag(x, "label"),
    lambda c, a, x: c.create_index("odd", key=lambda r: x if r.id else 0),
    lambda c, a, x: c.reindex(x),
]


@on_every_store
@with_both_bounds
@settings(max_examples=MOST // 2)
@given(data=st.data())
def test_a_refused_call_leaves_every_answer_as_it_was(
    make: Callable[[], BookingStore[Any]], bounds: Any, data: st.DataObject
) -> None:
    """Law 5: whatever is thrown at a command, it either takes it or has changed nothing."""
    family, history = data.draw(walks(bounds))
    calendar = new_calendar(make, bounds, family)
    follow(calendar, family, history)
    asked = windows(family)
    before = fingerprint(calendar, asked)
    command = data.draw(st.sampled_from(REFUSALS))
    try:
        command(calendar, family.key(data.draw(st.integers(0, 40))), data.draw(strangers()))
    except BookcoreError:
        assert fingerprint(calendar, asked) == before
    calendar.check()


@with_both_bounds
@given(data=st.data())
def test_the_same_history_gives_the_same_answers_in_every_store(bounds: Any, data: st.DataObject) -> None:
    """Law 6: equal answers, in equal order, and with the keys as they were given."""
    family, history = data.draw(walks(bounds))
    steps = [(id, family.key(low, at), family.key(high, at + 1)) for at, (id, low, high) in enumerate(history)]
    asked = windows(family)
    found = []
    for make in MAKERS:
        calendar = new_calendar(make, bounds, family)
        outcomes: list[Any] = []
        for at, step in enumerate(steps):
            try:
                outcomes.append(calendar.book(*step).id)
            except ConflictError as refused:
                outcomes.append([event.id for event in refused.conflicts])
            if at % 5 == 4 and len(calendar):
                outcomes.append(calendar.remove_booking(next(calendar.bookings())).id)
        found.append((outcomes, fingerprint(calendar, asked)))
    assert found[0] == found[2]
    assert found[1] == found[2]


@on_every_store
@with_both_bounds
@given(data=st.data())
def test_selections_obey_set_algebra(make: Callable[[], BookingStore[Any]], bounds: Any, data: st.DataObject) -> None:
    """Law 7: each operator gives what it gives on plain Python sets."""
    calendar = new_calendar(make, bounds)
    for id, low, high in data.draw(histories(bounds)):
        if calendar.is_available(id, low, high):
            calendar.book(id, low, high)
    for id in data.draw(st.sets(st.integers(0, 11))):
        calendar.tag(id, "sea")
    calendar.create_index("value", key=lambda resource: resource.id % 5 or None)
    draw = questions(bounds)
    one = ask(calendar, data.draw(draw), lambda rank: rank)
    two = ask(calendar, data.draw(draw), lambda rank: rank)
    a, b, everything = set(one), set(two), list(calendar.resources)
    for selection, right in (
        (one & two, a & b),
        (one | two, a | b),
        (one - two, a - b),
        (two - one, b - a),
        (one ^ two, a ^ b),
        (~one, set(everything) - a),
        (one & b, a & b),
        (b | one, a | b),
        (list(b) - one, b - a),
        (~(one | two), set(everything) - a - b),
        (calendar.find(one, two), a & b),
        (calendar.find([one, two]), a | b),
    ):
        ordered = [resource for resource in everything if resource in right]
        assert list(selection) == ordered
        assert len(selection) == len(ordered)
        assert bool(selection) is bool(ordered)
        assert selection.first(2) == ordered[:2]
        assert all((resource in selection) == (resource in right) for resource in everything)
