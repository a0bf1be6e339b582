"""Laws of finding time, against the plainest statement of each: ask `is_available` of every span there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bookcore import Calendar, ConflictError, MemoryStore, Resource
from bookcore.stores.tree import TreeStore
from bookcore.testing import ListStore, small_store

STORES = (MemoryStore, TreeStore, ListStore)
LOW, HIGH = -6, 24  # all that happens lies well inside

pytestmark = pytest.mark.parametrize("store", STORES, ids=lambda store: store.__name__)

ends = st.one_of(st.none(), st.integers(0, 14), st.integers(0, 14), st.integers(0, 14))
lengths = st.sampled_from([None, None, 0, 1, 2])


@dataclass(frozen=True)
class Plan:
    """What to do to a fresh calendar; spans that are none, or taken, are passed over."""

    bounds: Any
    rooms: tuple[tuple[int, Any, Any], ...]  # capacity, before, after
    deeds: tuple[tuple[str, int, Any, Any, int], ...]  # what, which room, from, until, how many

    def run(self, store: Any) -> Any:
        """Return the calendar."""
        calendar = Calendar(small_store(store), bounds=self.bounds, clock=lambda: 0)
        for number, (capacity, before, after) in enumerate(self.rooms):
            calendar.add_resource(Resource(number, capacity, before=before, after=after))
        for what, number, start, end, quantity in self.deeds:
            if not is_span(start, end, self.bounds):
                continue
            room = number % len(self.rooms)
            with suppress(ConflictError):
                if what == "close":
                    calendar.close(room, start, end, "paint")
                elif what == "hold":
                    calendar.hold(room, start, end, quantity=quantity)
                else:
                    calendar.book(room, start, end, quantity=quantity)
        return calendar


deeds = st.tuples(
    st.sampled_from(["book", "book", "book", "hold", "close"]), st.integers(0, 3), ends, ends, st.integers(1, 3)
)
plans = st.builds(
    Plan,
    st.sampled_from(["[)", "[)", "[]"]),
    st.lists(st.tuples(st.integers(1, 3), lengths, lengths), min_size=1, max_size=4).map(tuple),
    st.lists(deeds, max_size=14).map(tuple),
)
edges = st.one_of(st.none(), st.integers(-2, 18))
windows = st.tuples(edges, edges)


def is_span(start: Any, end: Any, bounds: Any) -> bool:
    """Tell whether this is a span at all."""
    return start is None or end is None or start < end or (bounds == "[]" and start == end)


def keys_in(start: Any, end: Any) -> list[Any]:
    """Return the whole numbers of a window, and None on a side without bound."""
    first = [None] if start is None else []
    last = [None] if end is None else []
    return first + list(range(LOW if start is None else start, (HIGH if end is None else end) + 1)) + last


def maximal(fine: Any, start: Any, end: Any, bounds: Any) -> list[tuple[Any, Any]]:
    """Return the spans of a window that are fine while no larger one is; whatever lies within a fine one is fine."""
    keys = keys_in(start, end)
    found = []
    for i, low in enumerate(keys):
        for j, high in enumerate(keys):
            if j < i or (j == i and low is None) or not is_span(low, high, bounds):
                continue
            if low is None and high is None and j == 0 and len(keys) > 1:
                continue  # None stands for the start here, not for the end
            if (high is None and j == 0 and end is not None) or not fine(low, high):
                continue
            earlier = i > 0 and fine(keys[i - 1], high)
            later = j + 1 < len(keys) and fine(low, keys[j + 1])
            if not earlier and not later:
                found.append((low, high))
    return found


@given(plan=plans, window=windows, quantity=st.integers(1, 3))
def test_gaps_are_the_maximal_spans_that_can_be_booked(store: Any, plan: Plan, window: Any, quantity: int) -> None:
    """Each gap is accepted whole, nothing larger is, and none is missing."""
    start, end = window
    if not is_span(start, end, plan.bounds):
        return
    calendar = plan.run(store)
    for room in calendar.resources:

        def fine(low: Any, high: Any, room: Any = room) -> bool:
            return bool(calendar.is_available(room, low, high, quantity))

        found = list(calendar.gaps(room, start, end, quantity=quantity))
        assert found == maximal(fine, start, end, plan.bounds)
        for low, high in found:
            with calendar.what_if():
                calendar.book(room, low, high, quantity=quantity)
        for length in (0, 1, 3):
            wide = [g for g in found if None in g or g[1] - g[0] >= length]
            assert list(calendar.gaps(room, start, end, at_least=length, quantity=quantity)) == wide


@given(plan=plans, after=st.integers(-2, 16), length=st.integers(0, 5), quantity=st.integers(1, 3))
def test_next_available_is_the_first_span_that_can_be_booked(
    store: Any, plan: Plan, after: int, length: int, quantity: int
) -> None:
    """It is accepted, and no earlier one of its length would be; None when there is none at all."""
    if length == 0 and plan.bounds == "[)":
        return
    calendar = plan.run(store)
    for room in calendar.resources:
        tried = ((s, s + length) for s in range(after, HIGH))
        expected = next((s for s in tried if calendar.is_available(room, *s, quantity)), None)
        assert calendar.next_available(room, after, length, quantity=quantity) == expected


@given(plan=plans, start=st.integers(-2, 16), length=st.integers(0, 5), quantity=st.integers(1, 3))
def test_nearest_is_the_closest_on_either_side(store: Any, plan: Plan, start: int, length: int, quantity: int) -> None:
    """The latest that starts no later and the earliest that starts no earlier, each accepted."""
    if length == 0 and plan.bounds == "[)":
        return
    calendar = plan.run(store)
    for room in calendar.resources:

        def first(starts: Any, room: Any = room) -> Any:
            tried = ((s, s + length) for s in starts)
            return next((s for s in tried if calendar.is_available(room, *s, quantity)), None)

        expected = first(range(start, LOW - 8, -1)), first(range(start, HIGH))
        assert calendar.nearest(room, start, start + length, quantity=quantity) == expected


@given(plan=plans, window=windows)
def test_free_busy_and_occupancy_tile_the_window(store: Any, plan: Plan, window: Any) -> None:
    """Every point of the window is in just one tile, and each tile says what `is_available` and the bookings say."""
    start, end = window
    if not is_span(start, end, plan.bounds):
        return
    closed = plan.bounds == "[]"
    calendar = plan.run(store)
    for room in calendar.resources:
        tiles = calendar.free_busy(room, start, end)
        assert (tiles[0][0], tiles[-1][1]) == (start, end)
        for (_, b, one), (a, _, two) in pairwise(tiles):
            assert a == b + closed
            assert one != two
        steps = list(calendar.occupancy(room, start, end))
        assert (steps[0][0], steps[-1][1]) == (start, end)
        for (_, b, before), (a, _, after) in pairwise(steps):
            assert a == b + closed
            assert before != after
        free = [(a, b) for a, b, state in tiles if state == "free"]
        assert free == list(calendar.gaps(room, start, end))
        holds = [e for e in calendar.bookings(room) if e.status == "held"]
        state = calendar._engine.state
        record = state.registry.record(room)
        for low, high in cells(start, end, closed):
            states = [s for a, b, s in tiles if covers(a, b, low, high)]
            assert len(states) == 1
            used = sum(e.quantity for e in calendar.bookings(room, low, high))
            assert [u for a, b, u in steps if covers(a, b, low, high)] == [used]
            expected = "closed"
            if calendar.is_available(room, low, high):
                expected = "free"
            elif not state.rules.bookings.allows(record, low, high, 1):
                with calendar.what_if():
                    for event in holds:
                        calendar.remove_booking(event)
                    expected = "held" if state.rules.bookings.allows(record, low, high, 1) else "busy"
            assert states == [expected]


def cells(start: Any, end: Any, closed: bool) -> Iterator[tuple[int, int]]:
    """Yield the smallest spans of whole numbers in a window."""
    first, last = LOW if start is None else start, HIGH if end is None else end
    for key in range(first, last + closed):
        yield key, key if closed else key + 1


def covers(a: Any, b: Any, low: Any, high: Any) -> bool:
    """Tell whether one span holds another."""
    return (a is None or a <= low) and (b is None or high <= b)


@given(plan=plans, window=windows, quantity=st.integers(1, 4))
def test_explain_is_empty_precisely_when_available_and_its_causes_are_enough(
    store: Any, plan: Plan, window: Any, quantity: int
) -> None:
    """No cause, no refusal; and with all the causes out of the way the span can be booked."""
    start, end = window
    if not is_span(start, end, plan.bounds):
        return
    calendar = plan.run(store)
    for room in calendar.resources:
        why = calendar.explain(room, start, end, quantity)
        assert bool(why) is why.available is (why.causes == ())
        assert why.available is calendar.is_available(room, start, end, quantity)
        assert len(str(why).splitlines()) == 1 + len(why.causes)
        kinds = {cause.kind for cause in why.causes}
        assert ("quantity" in kinds) is (quantity > room.capacity)
        with calendar.what_if():
            for cause in why.causes:
                if cause.kind == "closure":
                    calendar.reopen(cause.what)
                elif cause.kind != "quantity":
                    assert (cause.what.status == "held") >= (cause.kind == "hold")
                    calendar.remove_booking(cause.what)
            if "quantity" not in kinds:
                assert calendar.is_available(room, start, end, quantity)


@given(plan=plans, window=windows, quorum=st.sampled_from([None, 1, 2, 3]), length=st.sampled_from([None, 0, 2]))
def test_common_gaps_are_the_maximal_spans_free_on_enough(
    store: Any, plan: Plan, window: Any, quorum: Any, length: Any
) -> None:
    """In each at least so many resources can be booked for the whole of it; nothing larger, nothing missing."""
    start, end = window
    if not is_span(start, end, plan.bounds):
        return
    calendar = plan.run(store)
    rooms = list(calendar.resources)
    needed = len(rooms) if quorum is None else quorum

    def fine(low: Any, high: Any) -> bool:
        return bool(sum(calendar.is_available(room, low, high) for room in rooms) >= needed)

    expected = [
        g for g in maximal(fine, start, end, plan.bounds) if length is None or None in g or g[1] - g[0] >= length
    ]
    assert list(calendar.common_gaps(rooms, start, end, quorum=quorum, at_least=length)) == expected
    twice = [room.id for room in rooms] * 2
    assert list(calendar.common_gaps(twice, start, end, quorum=quorum, at_least=length)) == expected


@pytest.mark.parametrize("many", [0, 256], ids=["by event", "by resource"])
@given(
    plan=plans,
    start=st.integers(-2, 14),
    width=st.integers(1, 16),
    length=st.integers(0, 4),
    step=st.sampled_from([None, None, 1, 3]),
    quantity=st.sampled_from([1, 1, 1, 2]),
    chosen=st.one_of(st.none(), st.sets(st.integers(0, 3), min_size=1)),
)
@example(  # closed: what is taken up to the very start leaves a gap that begins after it
    plan=Plan("[]", ((1, None, 1),), (("book", 0, None, 0, 1),)),
    start=1, width=2, length=0, step=None, quantity=1, chosen=None,
)
def test_find_slots_offers_each_gap_earliest_first(
    store: Any, many: int, plan: Plan, start: int, width: int, length: int, step: Any, quantity: int, chosen: Any
) -> None:
    """All gaps' beginnings, or all starts on the grid, in order of start and then of registration; each is accepted."""
    if length == 0 and plan.bounds == "[)":
        return
    end = start + width
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bookcore.query.slots.MANY", many)
        calendar = plan.run(store)
        terms = [] if chosen is None else [chosen]
        rooms = [room for room in calendar.resources if chosen is None or room.id in chosen]
        expected = []
        for room in rooms:
            if step is None:
                begins = [a for a, _ in calendar.gaps(room, start, end, at_least=length, quantity=quantity)]
            else:
                begins = [
                    s for s in range(start, end - length + 1, step)
                    if calendar.is_available(room, s, s + length, quantity)
                ]
            expected += [(s, s + length, room) for s in begins]
        expected.sort(key=lambda slot: (slot[0], slot[2].id))
        found = calendar.find_slots(length, start, end, *terms, step=step, quantity=quantity)
        assert list(found) == expected
