"""Many bookings at once against the same ones booked one by one, on keys that repeat and on keys that do not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    ConflictError,
    DuplicateBookingError,
    MemoryStore,
    Resource,
)
from bookcore.stores.sizes import Sizes
from bookcore.testing import SMALL

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

FEWEST = Sizes().fewest
Rows = list[tuple[int, int, int]]
MAKERS: dict[str, Callable[[int], Any]] = {
    "int": int,
    "str": "{:04}".format,
    "date": lambda point: date(2025, 1, 1) + timedelta(point),
    "naive": lambda point: datetime(2025, 1, 1) + timedelta(hours=point),
    "UTC": lambda point: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=point),
    "float": float,
}


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    """Rows of (resource, start, end): disjoint on each resource with half-open bounds, except now and then."""
    rows: Rows = []
    for who in range(draw(st.integers(1, 30))):
        at = draw(st.integers(0, 3))
        for _ in range(draw(st.integers(1, 8))):
            length = draw(st.integers(1, 3))
            rows.append((who, at, at + length))
            at += length + draw(st.sampled_from([0, 1, 1, 1, 1, 1, 1, 2]))
    if draw(st.integers(0, 9)) == 0:
        rows.append(draw(st.sampled_from(rows)))
    return draw(st.permutations(rows))


def calendar_of(count: int, bounds: Any) -> Calendar:
    """Return a calendar of so many resources, and one that is gone."""
    calendar = Calendar(MemoryStore(SMALL), bounds=bounds)
    gone = calendar.add_resource(Resource("gone"))
    for who in range(count):
        calendar.add_resource(Resource(who))
    calendar.remove_resource(gone)
    return calendar


def told(calendar: Calendar) -> list[Any]:
    """Return all that a calendar answers."""
    calendar.check()
    events = list(calendar.bookings())
    whole: list[Any] = [(event.id, event.resource.id, event.start, event.end) for event in events]
    return whole + [calendar.find_booked(event.start, event.end).ids() for event in events[:20]]


@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=MOST // 2)
@given(bounds=st.sampled_from(["[)", "[]"]), rows=tables(), standing=st.integers(0, 40))
def test_a_load_does_what_booking_one_by_one_does(kind: str, bounds: Any, rows: Rows, standing: int) -> None:
    """All of them or none, on top of what stands, and the same answers."""
    make, count = MAKERS[kind], 1 + max(who for who, _, _ in rows)
    one, other = calendar_of(count, bounds), calendar_of(count, bounds)
    fits = True
    try:
        for who, start, end in rows[:standing]:
            one.book(who, make(start), make(end))
            other.book(who, make(start), make(end))
        for who, start, end in rows[standing:]:
            one.book(who, make(start), make(end))
    except ConflictError:
        fits = False
    before = told(other)
    events = [BookingEvent(other.resources.first(count)[who], make(a), make(b)) for who, a, b in rows[standing:]]
    if fits:
        assert other.load(events) == len(events)
        assert told(other) == told(one)
    elif len(other) == standing:
        with pytest.raises(ConflictError):
            other.load(events)
        assert told(other) == before
        assert all(event.id is None and not event.owns_lock for event in events)


@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=MOST // 2)
@given(rows=tables())
def test_a_snapshot_of_keys_that_repeat_comes_back(kind: str, rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whether rows are put in order by ranks or by keys."""
    make = MAKERS[kind]
    path = Path(tmp_path_factory.getbasetemp()) / f"{kind}.bks"
    calendar = calendar_of(1 + max(who for who, _, _ in rows), "[)")
    for who, start, end in rows:
        if calendar.is_available(who, make(start), make(end)):
            calendar.book(who, make(start), make(end))
    calendar.snapshot(path)
    again = Calendar.restore(path, store=MemoryStore(SMALL))
    assert told(again) == told(calendar)
    counts, right = (
        [record.active_count for record in each._engine.state.registry.by_id.values()] for each in (again, calendar)
    )
    assert counts == right


def test_an_event_twice_in_one_load_is_refused() -> None:
    """It would be in its own way; nothing of the load stays."""
    calendar = calendar_of(1, "[)")
    events = [BookingEvent(0, at, at + 1) for at in range(2 * FEWEST)]
    with pytest.raises(DuplicateBookingError):
        calendar.load([*events, events[3]])
    assert len(calendar) == 0 and all(event.id is None for event in events)
    assert calendar.load(events) == len(events)


class Alike(Resource):
    """A resource equal to every other of its id, in whatever calendar."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)


@pytest.mark.parametrize("cls", [Resource, Alike])
def test_a_load_takes_resources_by_identity_or_else_by_id(cls: type[Resource]) -> None:
    """A resource of two calendars has another number in each; one that is equal stands for the registered one."""
    first, second = Calendar(), Calendar()
    shared = [cls(who) for who in range(FEWEST)]
    second.add_resource(cls("other"))
    for resource in shared:
        first.add_resource(resource)
        second.add_resource(resource)
    for calendar in (first, second):
        ways: list[list[Any]] = [shared, list(range(FEWEST))]
        ways.append([cls(who) for who in range(FEWEST)] if cls is Alike else shared)
        for at, held in enumerate(ways):
            events = [BookingEvent(resource, 2 * at, 2 * at + 1) for resource in held]
            calendar.load(events)
            assert [event.resource for event in events] == shared
            assert all(event.resource is resource for event, resource in zip(events, shared, strict=True))
        calendar.check()
        assert calendar.find_booked(2, 3).ids() == list(range(FEWEST))


def test_a_load_asks_resources_nothing_but_their_id() -> None:
    """Not whether they equal anything, which may raise."""

    class Picky(Resource):
        def __eq__(self, other: Any) -> bool:
            return bool(self.id == other.id)

        __hash__ = Resource.__hash__

    calendar = Calendar()
    rooms = [calendar.add_resource(Picky(number)) for number in range(8)]
    rows = [BookingEvent(rooms[at % 8], 10 * (at // 8), 10 * (at // 8) + 5) for at in range(160)]
    assert calendar.load(rows) == 160
    calendar.check()


def test_a_load_whose_keys_fail_to_compare_changes_nothing() -> None:
    """The error is one of ours, and what stood stands."""

    class Moody:
        left = 0

        def __init__(self, rank: float) -> None:
            self.rank = rank

        def __lt__(self, other: Any) -> bool:
            if Moody.left:
                Moody.left -= 1
                if not Moody.left:
                    Moody.left = 1  # from here on at every one
                    raise RuntimeError("not now")
            return bool(self.rank < other.rank)

    for failing in (1, 300, 2000, 2700, 2800):
        Moody.left = 0
        calendar = Calendar()
        rooms = [calendar.add_resource(Resource(number)) for number in range(8)]
        for number, room in enumerate(rooms):
            calendar.book(room, Moody(100_000 + number), Moody(100_000.5 + number))
        rows = [
            BookingEvent(rooms[at % 8], Moody(10 * (at // 8) + at % 8), Moody(10 * (at // 8) + at % 8 + 1))
            for at in range(300)
        ]
        Moody.left = failing
        with pytest.raises(BookcoreError):
            calendar.load(rows)
        Moody.left = 0
        calendar.check()
        assert len(calendar) == 8


@pytest.mark.parametrize("repeats", [True, False])
def test_a_small_load_waits_for_the_first_question_about_all_resources(repeats: bool) -> None:
    """As bookings that are made one by one do."""
    calendar = Calendar()
    for who in range(20):
        calendar.add_resource(Resource(who))
    spans = [(at // 20 * 30, at // 20 * 30 + 29) for at in range(400)]
    calendar.load(BookingEvent(at % 20, low + (0 if repeats else at % 20), high) for at, (low, high) in enumerate(spans))
    occupancy: Any = calendar._engine.state.store._occupancy  # type: ignore[attr-defined]
    calendar.check()
    assert len(occupancy) == 400 == len(occupancy.waiting) // 3
    assert not calendar.is_available(3, 8, 20)
    calendar.book(3, 1000, 1001)
    assert len(occupancy.waiting) // 3 == 401
    assert calendar.find_booked(1000, 1002).ids() == [3]
    assert occupancy.waiting is None
    assert len(calendar.find_available(0, 5000)) == 0
    calendar.check()
