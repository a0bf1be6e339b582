"""Holds that run out, few or thousands at one instant: no answer knows of them, whatever the indexes still hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    HoldExpiredError,
    KeyTypeError,
    MemoryStore,
    Resource,
)
from bookcore.changes import Change, Released
from bookcore.engine import holds as engine_holds
from bookcore.stores.protocol import SupportsExpiry
from bookcore.stores.sizes import Sizes
from bookcore.stores.tree import TreeStore
from bookcore.testing import SMALL, ListStore, small_store
from bookcore.testing.every_change import Clock

MOST = settings().max_examples
STORES = (MemoryStore, TreeStore, ListStore)

SLOW = Sizes(at_once=1)
"""Each call removes at most one of the hidden rows."""


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest) -> Callable[..., Calendar]:
    """Return a maker of calendars on one kind of store."""
    return lambda **kwargs: Calendar(request.param(), **kwargs)


@pytest.fixture(params=STORES)
def slow(request: pytest.FixtureRequest) -> Callable[..., Calendar]:
    """Return a maker of calendars on one kind of store, in which each call removes at most one hidden row."""
    return lambda **kwargs: Calendar(small_store(request.param, SLOW), **kwargs)


def fading(calendar: Calendar) -> bool:
    """Tell whether the calendar's store hides rows that it has not removed yet."""
    store = calendar._engine.state.store
    return isinstance(store, SupportsExpiry) and store.hidden_count > 0


def held(calendar: Calendar, count: int, **resource: Any) -> list[BookingEvent]:
    """Add *count* resources, each held over [1, 5) until the clock shows 10, and booked over [7, 8)."""
    for number in range(count):
        calendar.add_resource(Resource(number, **resource))
        calendar.book(number, 7, 8)
    return [calendar.hold(number, 1, 5, until=10) for number in range(count)]


@pytest.mark.parametrize("capacity", [1, 2])
def test_many_that_run_out_at_once_are_gone_from_every_answer(slow: Callable[..., Calendar], capacity: int) -> None:
    """At the deadline, before a row is removed: the span is free, the holds are unknown, other bookings are active."""
    questions: list[Callable[[Calendar, list[BookingEvent]], Any]] = [
        lambda c, h: len(c) == 40,
        lambda c, h: [e.start for e in c.bookings()] == [7] * 40,
        lambda c, h: [e.start for e in c.bookings(3)] == [7],
        lambda c, h: c.find_available(1, 5).ids() == list(range(40)),
        lambda c, h: len(c.find_booked(1, 5)) == 0 and len(c.find_booked(2, 8)) == (40 if capacity == 1 else 0),
        lambda c, h: c.is_available(5, 1, 5, capacity) and c.is_available(5, 1, 8) == (capacity > 1),
        lambda c, h: c.conflicts(5, 1, 9, quantity=capacity)[0].start == 7,
        lambda c, h: list(c.gaps(6, 0, 9, quantity=capacity)) == [(0, 7), (8, 9)],
        lambda c, h: c.next_available(6, 0, 6, quantity=capacity) == (0, 6),
        lambda c, h: next(iter(c.find_slots(6, 0, 20)))[:2] == (0, 6),
        lambda c, h: list(c.occupancy(6, 0, 9)) == [(0, 7, 0), (7, 8, 1), (8, 9, 0)],
        lambda c, h: not any(e.owns_lock or e.status != "released" or e in c for e in h),
        lambda c, h: not c.explain(7, 1, 5, quantity=capacity).causes,
        lambda c, h: c.close(8, 1, 9).overlapping == tuple(c.bookings(8)),
        lambda c, h: [c.book(number, 2, 4, quantity=capacity).owns_lock for number in range(40)] == [True] * 40,
        lambda c, h: c.move(next(c.bookings(9)), start=0, end=6).owns_lock,
        lambda c, h: c.remove_booking(next(c.bookings(9))).start == 7 and not list(c.bookings(9)),
    ]
    for ask in questions:
        clock = Clock(0)
        calendar = slow(clock=clock)
        holds = held(calendar, 40, capacity=capacity)
        clock.now = 10
        assert ask(calendar, holds)
        calendar.check()


@pytest.mark.parametrize("capacity", [1, 2])
def test_what_fades_is_taken_out_little_by_little(capacity: int) -> None:
    """Each call removes a few hidden rows, until there are none."""
    clock = Clock(0)
    calendar = Calendar(MemoryStore(SLOW), clock=clock)
    held(calendar, 5, capacity=capacity)
    clock.now = 10
    seen = []
    for _ in range(8):
        assert len(calendar) == 5 and calendar.find_available(1, 5).ids() == [0, 1, 2, 3, 4]
        seen.append(fading(calendar))
        calendar.check()
    assert seen[0] and not seen[-1] and not calendar._engine.state.holds.deadlines
    assert calendar.is_available(0, 1, 7) and calendar.is_available(0, 1, 8) == (capacity > 1)


def test_few_that_run_out_do_not_fade() -> None:
    """Rows that one call can remove are not hidden but removed at once."""
    clock = Clock(0)
    calendar = Calendar(clock=clock)
    held(calendar, Sizes().at_once)
    clock.now = 10
    assert len(calendar) == Sizes().at_once and not fading(calendar)


def test_resource_whose_holds_ran_out_can_be_removed(make: Callable[..., Calendar]) -> None:
    """A hold that ran out keeps no resource in use."""
    clock = Clock(0)
    calendar = make(clock=clock)
    calendar.add_resource(Resource("r"))
    calendar.hold("r", 1, 5, until=10)
    clock.now = 10
    calendar.remove_resource("r")
    assert calendar.resources.ids() == []


@pytest.mark.parametrize("resource", [{}, {"capacity": 2}, {"after": 1}])
def test_resource_is_removed_while_its_holds_fade(resource: dict[str, Any]) -> None:
    """Hidden rows are removed with their resource, and an undone removal brings back the resource without them."""
    clock = Clock(0)
    calendar = Calendar(MemoryStore(SLOW), clock=clock)
    held(calendar, 40, **resource)
    clock.now = 10
    assert len(calendar) == 40 and fading(calendar)
    with calendar.what_if():
        for number in range(5):
            calendar.remove_booking(next(calendar.bookings(number)))
            calendar.remove_resource(number)
    assert calendar.find_available(1, 6).ids() == list(range(40)) and len(calendar) == 40 and fading(calendar)
    calendar.check()
    calendar.remove_booking(next(calendar.bookings(7)))
    calendar.remove_resource(7)
    assert calendar.find_available(1, 6).count() == 39
    calendar.check()


@pytest.mark.parametrize("count", [3, 200])
def test_load_where_holds_ran_out(make: Callable[..., Calendar], count: int) -> None:
    """A bulk load looks at the clock first, as every way of booking does; a small one does not tidy up for all."""
    clock = Clock(0)
    calendar = make(clock=clock)
    held(calendar, 200)
    clock.now = 10
    assert calendar.load([BookingEvent(number, 1, 5) for number in range(count)]) == count
    assert len(calendar) == 200 + count and calendar.find_available(1, 5).ids() == list(range(count, 200))
    calendar.check()


def test_calendar_left_empty_takes_keys_of_another_family(slow: Callable[..., Calendar]) -> None:
    """Hidden rows do not count: the calendar is empty, and accepts keys of text."""
    clock = Clock(0)
    calendar = slow(clock=clock)
    for number in range(5):
        calendar.add_resource(Resource(number))
        calendar.hold(number, 1, 5, until=10)
    clock.now = 10
    assert calendar.book(0, "a", "c").owns_lock
    assert calendar.find_available("b", "d").ids() == [1, 2, 3, 4]
    calendar.check()


def test_event_whose_hold_ran_out_can_be_booked_again(slow: Callable[..., Calendar]) -> None:
    """The very object, while the store may still hold it; in this calendar and in another."""
    clock = Clock(0)
    calendar, other = slow(clock=clock), slow()
    events = held(calendar, 5)
    clock.now = 10
    assert len(calendar) == 5
    for event in events[:3]:
        assert calendar.add_booking(event).owns_lock
    other.add_resource(events[4].resource)
    assert other.add_booking(events[4]).owns_lock
    assert [e in calendar for e in events] == [True, True, True, False, False]
    for _ in range(6):
        assert calendar.find_available(1, 5).ids() == [3, 4] and other.find_available(1, 5).ids() == []
        calendar.check()
    assert all(not fading(c) for c in (calendar, other))


def test_what_ran_out_in_an_undone_transaction_runs_out_again(slow: Callable[..., Calendar]) -> None:
    """Undoing puts the holds back with their deadlines, which have passed: no answer contains them."""
    clock = Clock(0)
    calendar = slow(clock=clock)
    events = held(calendar, 5)
    told: list[Change] = []
    calendar.subscribe(told.append)
    with suppress(ZeroDivisionError), calendar.transaction():
        clock.now = 10
        assert calendar.find_available(1, 5).ids() == [0, 1, 2, 3, 4]
        calendar.book(0, 1, 5)
        raise ZeroDivisionError
    assert not told
    assert calendar.find_available(1, 5).ids() == [0, 1, 2, 3, 4] and len(calendar) == 5
    assert told == [Released(event, True, True, 10) for event in events]
    calendar.check()


def test_confirming_one_of_many_that_ran_out_says_so(slow: Callable[..., Calendar]) -> None:
    """However many ran out at once, each is remembered for a while."""
    clock = Clock(0)
    calendar = slow(clock=clock)
    for event in held(calendar, 50):
        clock.now = 10
        with pytest.raises(HoldExpiredError):
            calendar.confirm(event)


def test_only_so_many_that_ran_out_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of holds that ran out stays bounded."""
    monkeypatch.setattr(engine_holds, "REMEMBERED", 5)
    clock = Clock(0)
    calendar = Calendar(clock=clock)
    calendar.add_resource(Resource("r"))
    for number in range(40):
        calendar.hold("r", number, number + 1, until=number + 1)
        clock.now = number + 1
        assert len(calendar) == 0
        assert len(calendar._engine.state.holds.expired) <= 10


class Moody:
    """A key that can be made to refuse every comparison."""

    willing = True

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: Moody) -> bool:
        if not Moody.willing:
            raise ZeroDivisionError
        return self.rank < other.rank


@pytest.mark.parametrize("capacity", [1, 2])
def test_keys_that_cannot_be_compared_for_a_while_spoil_nothing(
    slow: Callable[..., Calendar], capacity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that cannot be removed now is in no answer, and a later call removes it."""
    clock = Clock(0)
    calendar = slow(clock=clock)
    for number in range(4):
        calendar.add_resource(Resource(number, capacity=capacity))
        calendar.hold(number, Moody(1), Moody(5), until=10)
    clock.now = 10
    monkeypatch.setattr(Moody, "willing", False)
    with suppress(KeyTypeError):
        len(calendar)
    monkeypatch.setattr(Moody, "willing", True)
    for _ in range(6):
        assert len(calendar) == 0 and calendar.find_available(Moody(1), Moody(5)).ids() == [0, 1, 2, 3]
        calendar.check()


class Counted:
    """A key that counts comparisons, and refuses one of them."""

    count = 0
    refused = -1

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: Counted) -> bool:
        Counted.count += 1
        if Counted.count == Counted.refused:
            raise ZeroDivisionError
        return self.rank < other.rank


def pool_that_ran_out(
    clock: Clock, holds: int, others: int = 0, closed: bool = False, sizes: Sizes | None = None
) -> Calendar:
    """Return a calendar of a pool of 6, at the instant when many holds of 2 run out: at all times, one on another."""
    calendar = Calendar(MemoryStore(sizes), clock=clock, bounds="[]" if closed else "[)")
    calendar.add_resource(Resource("r", capacity=6))
    clock.now = 0
    for number in range(holds):
        calendar.hold("r", Counted(3 * number), Counted(3 * number + 7), quantity=2, until=10)
    for number in range(others):
        calendar.book("r", Counted(-3 * number - 4), Counted(-3 * number - 1))
    clock.now = 10
    return calendar


def test_a_call_pays_for_a_few_of_many_that_ran_out_in_a_pool() -> None:
    """The comparisons of the call that notices, and of those after it, do not grow with how many ran out."""
    questions: list[Callable[[Calendar], Any]] = [
        lambda c: c.is_available("r", Counted(31), Counted(34), quantity=5),
        lambda c: c.find_available(Counted(31), Counted(34), quantity=5).ids() == ["r"],
        lambda c: not c.conflicts("r", Counted(31), Counted(34)),
        lambda c: c.book("r", Counted(31), Counted(34), quantity=6).owns_lock,
    ]
    for ask in questions:
        most = []
        for holds in (500, 2_000):
            calendar = pool_that_ran_out(Clock(0), holds, others=holds)
            Counted.count = 0
            assert ask(calendar) and fading(calendar)
            noticing, Counted.count = Counted.count, 0
            assert questions[0](calendar) or ask is questions[-1]
            assert fading(calendar)
            most.append(max(noticing, Counted.count))
        assert most[1] < 2 * most[0], most


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("limit", range(1, 120, 3))
def test_a_comparison_that_fails_half_way_leaves_a_pool_right(
    limit: int, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many comparisons succeed: no answer contains the expired holds, and all contain the other bookings."""
    clock = Clock(0)
    calendar = pool_that_ran_out(clock, 12, others=3, closed=closed, sizes=Sizes(at_once=3))
    attempts: list[Callable[[], Any]] = [
        lambda: calendar.is_available("r", Counted(4), Counted(9), quantity=6),
        lambda: calendar.book("r", Counted(4), Counted(9), quantity=6),
        lambda: calendar.find_available(Counted(1), Counted(30), quantity=6).ids(),
        lambda: list(calendar.occupancy("r", Counted(1), Counted(30))),
    ]
    for attempt in attempts:
        monkeypatch.setattr(Counted, "refused", Counted.count + limit)
        with suppress(KeyTypeError, ZeroDivisionError):
            attempt()
        monkeypatch.setattr(Counted, "refused", -1)
        calendar.check()
    mine = [event for event in calendar.bookings() if event.quantity == 6]
    assert len(calendar) == 3 + len(mine) <= 4
    for event in mine:
        calendar.remove_booking(event)
    for _ in range(6):
        assert calendar.is_available("r", Counted(1), Counted(99), quantity=6)
        assert not calendar.is_available("r", Counted(-3), Counted(99), quantity=6)
        calendar.check()
    assert not fading(calendar)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["hold"] * 3 + ["crowd"] * 2 + ["book"] * 2 + ["tick", "remove", "move", "confirm", "undo", "again", "resource"]
        ),
        st.integers(0, 5),
        st.integers(0, 12),
        st.integers(1, 6),
        st.integers(1, 4),
    ),
    max_size=60,
)


def run(calendar: Calendar, clock: Clock, steps: Any) -> Iterator[Any]:
    """Do the steps, and yield after each what came of it and what the calendar says."""
    for number in range(6):
        calendar.add_resource(Resource(number, capacity=(1, 1, 1, 3, 1, 2)[number], after=1 if number == 4 else None))
    events: list[BookingEvent] = []
    for what, who, start, length, more in steps:
        end = start + length
        event = events[(start * 7 + who) % len(events)] if events else None
        done: Any = None
        try:
            if what == "hold":
                events.append(calendar.hold(who, start, end, ttl=more))
            elif what == "crowd":
                for by in range(4):
                    quantity = 1 + by % 2 if who == 3 else 1
                    events.append(calendar.hold(who, start + by, end + by * more, ttl=more, quantity=quantity))
            elif what == "book":
                events.append(calendar.book(who, start, end))
            elif what == "tick":
                clock.now += more
            elif what == "undo":
                with calendar.what_if():
                    clock.now += more - 1
                    done = calendar.find_available(start, end).ids(), len(calendar)
                    calendar.book(who, start, end)
            elif what == "resource":
                calendar.remove_resource(who)
                calendar.add_resource(Resource(who))
            elif event is not None and what == "remove":
                calendar.remove_booking(event)
            elif event is not None and what == "move":
                events.append(calendar.move(event, resource=who, start=start, end=end))
            elif event is not None and what == "confirm":
                calendar.confirm(event)
            elif event is not None:
                calendar.add_booking(event)
        except BookcoreError as exc:
            done = type(exc)
        yield (
            done,
            calendar.find_available(start, end).ids(),
            calendar.find_available(start, end, quantity=2).ids(),
            [(e.id, e.resource.id, e.start, e.end, e.status) for e in calendar.bookings(None, start, end)],
            [calendar.is_available(number, start, end) for number in range(6)],
            list(calendar.gaps(who, 0, 20)),
            list(calendar.gaps(3, 0, 20, quantity=2)),
            list(calendar.occupancy(who, 0, 20)),
            calendar.free_busy(3, 0, 20),
            [calendar.next_available(number, start, length, quantity=2) for number in (3, 5)],
            [e.id for e in calendar.conflicts(who, start, end)],
            [e.status for e in events],
            len(calendar),
        )
        calendar.check()


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@given(steps=STEPS)
@settings(max_examples=MOST * 2)
def test_fading_is_not_seen(bounds: Any, steps: Any) -> None:
    """One history, on the store that hides rows and on a plain list: the same answers after each step."""
    one, two = Clock(0), Clock(0)
    here = Calendar(MemoryStore(SMALL), clock=one, bounds=bounds)
    there = Calendar(small_store(ListStore), clock=two, bounds=bounds)
    for mine, right in zip(run(here, one, steps), run(there, two, steps), strict=True):
        assert mine == right


def test_what_runs_out_twice_in_a_pool_is_taken_off_its_use_once() -> None:
    """A hold that expired inside a what-if is active again after it, and expires again."""
    now = [0]
    calendar = Calendar(clock=lambda: now[0])
    pool, room = calendar.add_resource(Resource("pool", capacity=3)), calendar.add_resource(Resource("room"))
    for at in range(3000):
        calendar.book(pool, 10 + 2 * at, 11 + 2 * at)
    calendar.book(pool, 10, 7000)
    calendar.hold(pool, 10, 7000, until=5)
    for at in range(300):
        calendar.hold(room, at, at + 1, until=5)
    with calendar.what_if():
        now[0] = 6
        assert calendar.is_available(pool, 10, 11)
    now[0] = 6
    assert list(calendar.occupancy(pool, 10, 6900))[:3] == [(10, 11, 2), (11, 12, 1), (12, 13, 2)]
    assert calendar.next_available(pool, 10, 6000, quantity=3) == (7000, 13000)
    assert not calendar.is_available(pool, 10, 6000, quantity=2)
    calendar.check()


@pytest.mark.parametrize("capacity", [1, 2])
def test_holds_that_ran_out_in_a_block_that_was_undone_are_forgotten(capacity: int) -> None:
    """Another block gives their numbers to holds of other resources, which run out as well."""
    clock, names = Clock(0), [f"r{number}" for number in range(20)]
    calendar = Calendar(store=MemoryStore(SMALL), clock=clock)

    def run_out(names: list[str]) -> None:
        for name in names:
            calendar.add_resource(Resource(name, capacity=capacity))
        for name in names:
            calendar.hold(name, 0, 10, until=clock.now + 1)
        clock.now += 2
        assert len(calendar) == 0

    with suppress(ZeroDivisionError), calendar.transaction():
        run_out(names)
        raise ZeroDivisionError
    with calendar.transaction():
        run_out(["first", *names])
        calendar.check()
        for name in names:
            assert list(calendar.gaps(name, 0, 20, quantity=capacity)) == [(0, 20)]
            assert calendar.is_available(name, 0, 10, quantity=capacity)
    calendar.check()
