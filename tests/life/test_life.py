"""The life of a booking on every store: held, confirmed, moved, split, undone, closed around, told of."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    CalendarBrokenError,
    ConflictError,
    DuplicateBookingError,
    HoldExpiredError,
    InvalidSpanError,
    MemoryStore,
    NoneAvailableError,
    QueryError,
    RecursiveCallError,
    Resource,
    TransactionError,
    UnknownBookingError,
    UnknownClosureError,
    changes,
)
from bookcore.changes import Change
from bookcore.hours import Hours
from bookcore.model.errors import brief
from bookcore.model.resource import overwrite
from bookcore.stores.tree import TreeStore
from bookcore.testing import ListStore
from bookcore.testing.every_change import Clock


@pytest.fixture(params=[MemoryStore, TreeStore, ListStore])
def make(request: pytest.FixtureRequest) -> Callable[..., Calendar]:
    """Return a maker of calendars on one kind of store."""
    return lambda **kwargs: Calendar(request.param(), **kwargs)


@pytest.fixture
def clock() -> Clock:
    """Return a clock at 100."""
    return Clock()


@pytest.fixture
def calendar(make: Callable[..., Calendar], clock: Clock) -> Calendar:
    """Return a calendar with the resource "r" and a pool "q" of three."""
    calendar = make(clock=clock)
    calendar.add_resource(Resource("r"))
    calendar.add_resource(Resource("q", capacity=3))
    return calendar


def answers(calendar: Calendar) -> Any:
    """Return what a calendar says, in enough places to notice any change of state."""
    return (
        [(repr(e), e.status) for e in calendar.bookings()],
        [calendar.find_available(a, a + 3).ids() for a in range(0, 30, 2)],
        [calendar.find_available(a, a + 3, quantity=2).ids() for a in range(0, 30, 5)],
        calendar.resources.ids(),
        calendar.tagged("x").ids(),
        [c.id for c in calendar.closures()],
    )


def test_expired_hold_frees_its_span_everywhere_at_once(calendar: Calendar, clock: Clock) -> None:
    """The instant the clock reaches the deadline, no question sees the hold any more."""
    hold = calendar.hold("r", 1, 5, ttl=10)
    assert hold.status == "held" and hold.owns_lock and not calendar.is_available("r", 2, 3)
    clock.now = 109
    assert not calendar.is_available("r", 2, 3)
    clock.now = 110
    assert calendar.is_available("r", 2, 3)
    assert hold.status == "released" and not hold.owns_lock
    assert len(calendar) == 0 and hold not in calendar and list(calendar.bookings()) == []
    assert calendar.find_available(1, 5).ids() == ["r", "q"]


def test_expired_hold_cannot_be_confirmed(calendar: Calendar, clock: Clock) -> None:
    """Confirming too late says when the hold ran out."""
    hold = calendar.hold("r", 1, 5, until=105)
    clock.now = 107
    with pytest.raises(HoldExpiredError) as refused:
        calendar.confirm(hold)
    assert (refused.value.until, refused.value.now) == (105, 107)


def test_confirmed_hold_outlives_its_deadline(calendar: Calendar, clock: Clock) -> None:
    """A hold that was confirmed in time stays."""
    hold = calendar.confirm(calendar.hold("r", 1, 5, ttl=10))
    clock.now = 1000
    assert hold.status == "confirmed" and not calendar.is_available("r", 2, 3)


def test_expired_hold_does_not_take_its_successor_along(calendar: Calendar, clock: Clock) -> None:
    """A removed hold's deadline means nothing to a later booking of the same id."""
    calendar.remove_booking(calendar.hold("r", 1, 5, ttl=10, id="x"))
    later = calendar.hold("r", 1, 5, ttl=50, id="x")
    clock.now = 120
    assert later.status == "held"


def test_hold_without_clock_is_refused_a_deadline() -> None:
    """Only a calendar that knows the time can let a hold run out."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    with pytest.raises(QueryError):
        calendar.hold("r", 1, 5, ttl=10)
    assert calendar.hold("r", 1, 5).status == "held"


def test_move_ignores_its_own_lock_and_keeps_id_and_order(calendar: Calendar) -> None:
    """A booking may move to where it overlaps itself; the id stays, the old event lets go."""
    old = calendar.book("r", 1, 5, id="x", guest="Ada")
    new = calendar.move(old, start=3, end=8)
    assert (new.id, new.start, new.end, new.fields["guest"]) == ("x", 3, 8, "Ada")
    assert new.owns_lock and not old.owns_lock and old not in calendar
    assert calendar.is_available("r", 1, 3) and not calendar.is_available("r", 7, 8)
    calendar.check()


def test_refused_move_leaves_everything_as_it_was(calendar: Calendar) -> None:
    """Not a trace of the attempt, and the old event still stands."""
    event, wall = calendar.book("r", 1, 5), calendar.book("r", 8, 9)
    before = answers(calendar)
    with pytest.raises(ConflictError) as refused:
        calendar.move(event, end=9)
    assert refused.value.conflicts == (wall,)
    assert answers(calendar) == before and event.owns_lock
    calendar.check()


def test_move_to_another_resource(calendar: Calendar) -> None:
    """The lock changes hands in one step."""
    event = calendar.book("r", 1, 5)
    moved = calendar.move(event, resource="q")
    assert moved.resource.id == "q" and calendar.is_available("r", 1, 5)
    assert calendar.is_available("q", 1, 5, 2) and not calendar.is_available("q", 1, 5, 3)
    with pytest.raises(UnknownBookingError):
        calendar.remove_booking(event)


def test_split_holds_the_span_throughout(calendar: Calendar) -> None:
    """Two bookings where one was; the first keeps the id."""
    event = calendar.book("r", 1, 9, id="x")
    first, second = calendar.split(event, 4)
    assert [(e.start, e.end) for e in (first, second)] == [(1, 4), (4, 9)]
    assert first.id == "x" and second.id != "x" and not calendar.is_available("r", 4, 5)
    with pytest.raises(InvalidSpanError):
        calendar.split(first, 4)
    calendar.check()


def test_undone_transaction_leaves_no_trace(calendar: Calendar, clock: Clock) -> None:
    """Whatever was done inside, an exception takes it all back, to the numbers of the next ids."""
    booking, hold = calendar.book("r", 1, 5), calendar.hold("q", 1, 9, ttl=50, quantity=2)
    calendar.tag("r", "x")
    closure = calendar.close("q", 20, 22, "paint")
    told: list[Change] = []
    calendar.subscribe(told.append)
    before = answers(calendar)
    with pytest.raises(ZeroDivisionError), calendar.transaction():
        calendar.remove_booking(booking)
        calendar.book("r", 2, 20)
        calendar.confirm(hold)
        calendar.move(hold, start=4)
        calendar.reopen(closure)
        calendar.close("r", 25, 27, "inspection")
        calendar.untag("r", "x")
        calendar.tag("q", "x")
        calendar.add_resource(Resource("z"))
        calendar.book("z", 1, 2)
        raise ZeroDivisionError
    assert answers(calendar) == before and told == []
    assert booking.owns_lock and hold.status == "held" and calendar.get(hold.id) == hold
    clock.now = 151
    assert hold.status == "released", "its deadline came back with it"
    assert calendar.book("q", 1, 2).id == hold.id + 1
    calendar.check()


def test_inner_transaction_is_undone_alone(calendar: Calendar) -> None:
    """What the outer one did stays."""
    with calendar.transaction():
        calendar.book("r", 1, 2)
        with pytest.raises(ZeroDivisionError), calendar.transaction():
            calendar.book("r", 3, 4)
            raise ZeroDivisionError
    assert [e.start for e in calendar.bookings()] == [1]


def test_what_if_answers_and_forgets(calendar: Calendar) -> None:
    """Cancel A, move B: does C fit?"""
    a, b = calendar.book("r", 1, 5), calendar.book("r", 6, 9)
    with calendar.what_if():
        calendar.remove_booking(a)
        calendar.move(b, start=7)
        assert calendar.is_available("r", 1, 7)
    assert not calendar.is_available("r", 1, 7) and a.owns_lock and b.owns_lock
    calendar.check()


def test_book_all_skips_or_refuses_all(calendar: Calendar) -> None:
    """With "skip" the report names what was in the way; with "raise" nothing is booked."""
    requests = [("r", 1, 5), {"resource": "q", "start": 1, "end": 5, "quantity": 3}, BookingEvent("r", 4, 6)]
    with pytest.raises(ConflictError):
        calendar.book_all(requests)
    assert len(calendar) == 0
    report = calendar.book_all(requests, on_conflict="skip")
    assert [e.resource.id for e in report.booked] == ["r", "q"]
    assert report.refused[0].request is requests[2] and report.refused[0].conflicts == (report.booked[0],)


def test_repeated_request_returns_the_booking_that_stands(calendar: Calendar) -> None:
    """Same id and content: the same booking; other content: refused."""
    first = calendar.book("r", 1, 5, id="x", guest="Ada", if_exists="return")
    assert calendar.book("r", 1, 5, id="x", guest="Ada", if_exists="return") is first
    for other in ({"end": 6}, {"guest": "Bob"}):
        asked = {"end": 5, "guest": "Ada", **other}
        with pytest.raises(DuplicateBookingError):
            calendar.book("r", 1, asked["end"], id="x", guest=asked["guest"], if_exists="return")


def test_closure_bars_bookings_and_lets_standing_ones_be(calendar: Calendar) -> None:
    """What stands is listed; search, booking and moving agree; conflicts tell closures from bookings."""
    standing = calendar.book("q", 1, 5)
    closure = calendar.close("q", 3, 9, "paint")
    assert closure.overlapping == (standing,) and standing.owns_lock
    assert calendar.find_available(4, 5).ids() == ["r"] and not calendar.is_available("q", 8, 12)
    with pytest.raises(ConflictError, match="paint") as refused:
        calendar.book("q", 6, 7)
    assert refused.value.conflicts == () and refused.value.causes == ("closed: paint",)
    assert calendar.is_available("q", 9, 12, 3)
    calendar.reopen(closure)
    assert calendar.is_available("q", 6, 7, 3)
    with pytest.raises(UnknownClosureError):
        calendar.reopen(closure)
    calendar.check()


def test_overlapping_closures_are_lifted_one_by_one(calendar: Calendar) -> None:
    """What two closures share stays closed until both are gone."""
    one, two = calendar.close("r", 1, 6), calendar.close("r", 4, 9)
    calendar.reopen(one)
    assert calendar.is_available("r", 1, 4) and not calendar.is_available("r", 4, 5)
    calendar.reopen(two)
    assert calendar.find_available(1, 9).ids() == ["r", "q"]


def test_opening_hours_decide_search_and_booking_alike(make: Callable[..., Calendar]) -> None:
    """Nine to five on weekdays, for one of two rooms."""
    calendar = make()
    for name in ("a", "b"):
        calendar.add_resource(Resource(name))
    calendar.set_hours("a", Hours({"mon-fri": "09:00-17:00"}))
    monday = datetime(2026, 5, 4)
    inside, outside = (monday.replace(hour=10), monday.replace(hour=12)), (monday.replace(hour=16), monday.replace(hour=18))
    assert calendar.find_available(*inside).ids() == ["a", "b"]
    assert calendar.find_available(*outside).ids() == ["b"]
    with pytest.raises(ConflictError, match="opening hours"):
        calendar.book("a", *outside)
    calendar.book("a", *inside)
    calendar.set_hours(["a"], None)
    assert calendar.is_available("a", *outside)


def test_buffers_keep_neighbours_apart_in_either_order(make: Callable[..., Calendar]) -> None:
    """After one and before the next both fit between two bookings, whichever was booked first."""
    calendar = make()
    calendar.add_resource(Resource("r", before=1, after=2))
    calendar.book("r", 10, 20)
    assert calendar.is_available("r", 23, 25) and not calendar.is_available("r", 22, 25)
    assert calendar.is_available("r", 5, 7) and not calendar.is_available("r", 5, 8)
    assert calendar.find_available(22, 25).ids() == [] and calendar.find_available(23, 25).ids() == ["r"]
    calendar.check()


def test_subscriber_that_replays_the_changes_rebuilds_the_calendar(
    make: Callable[..., Calendar], calendar: Calendar, clock: Clock
) -> None:
    """Each change is told once, in order, after it took effect."""
    follower = make()
    follower.add_resource(Resource("r"))
    follower.add_resource(Resource("q", capacity=3))
    calendar.subscribe(follower.apply)
    held = calendar.hold("r", 1, 5, ttl=10)
    event = calendar.book("q", 1, 9, quantity=2)
    calendar.confirm(held)
    calendar.move(event, end=7)
    calendar.hold("q", 3, 4, ttl=10)
    calendar.split(held, 3)
    calendar.tag("q", "x")
    calendar.reopen(calendar.close("q", 20, 22))
    calendar.close("r", 24, 26)
    with calendar.transaction():
        calendar.book("q", 10, 12)
        calendar.remove_booking(calendar.book("q", 10, 12))
    clock.now = 111
    assert answers(calendar) == answers(follower)


def test_failing_subscriber_neither_undoes_nor_hides(
    calendar: Calendar, caplog: pytest.LogCaptureFixture
) -> None:
    """The change stands, the next subscriber hears of it, and the exception is logged."""
    told: list[Change] = []

    def fail(change: Change) -> None:
        raise ZeroDivisionError

    calendar.subscribe(fail)
    stop = calendar.subscribe(told.append)
    calendar.book("r", 1, 5)
    (logged,) = caplog.records
    assert logged.name == "bookcore" and logged.exc_info is not None and logged.exc_info[0] is ZeroDivisionError
    assert len(told) == 1 and not calendar.is_available("r", 1, 2)
    stop()
    calendar.book("r", 6, 7)
    assert len(told) == 1


def test_peak_decides_not_count(calendar: Calendar) -> None:
    """Three bookings that never meet leave room for two more units."""
    for start in (1, 3, 5):
        calendar.book("q", start, start + 1)
    assert calendar.is_available("q", 0, 9, 2) and not calendar.is_available("q", 0, 9, 3)
    with pytest.raises(ConflictError, match="capacity is 3"):
        calendar.book("q", 0, 9, quantity=4)


def test_booking_where_a_hold_ran_out_succeeds(calendar: Calendar, clock: Clock) -> None:
    """Every way of booking looks at the clock first."""
    ways: tuple[Callable[[], BookingEvent], ...] = (
        lambda: calendar.book("r", 1, 5),
        lambda: calendar.add_booking(BookingEvent("r", 1, 5)),
        lambda: calendar.hold("r", 1, 5),
        lambda: calendar.book_all([("r", 1, 5)]).booked[0],
        lambda: calendar.move(calendar.book("q", 1, 5), resource="r"),
    )
    for book in ways:
        calendar.hold("r", 1, 5, ttl=1)
        clock.now += 1
        calendar.remove_booking(book())


def test_lifting_one_closure_reads_no_other(make: Callable[..., Calendar], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, they are counted, not listed."""
    calendar = make()
    calendar.add_resource(Resource("r"))
    closures = [calendar.close("r", at, at + 1) for at in range(20)]
    with monkeypatch.context() as patched:
        patched.setattr(MemoryStore, "overlapping", lambda *_: pytest.fail("listed"))
        for closure in closures[1:]:
            calendar.reopen(closure)
    assert calendar.closures("r") == (closures[0],)
    assert not calendar.is_available("r", 0, 1)
    calendar.reopen(closures[0])
    assert calendar.is_available("r", 0, 1)
    calendar.check()


@pytest.mark.parametrize("id", ["other", 5, None, [], float("nan")], ids=repr)
@pytest.mark.parametrize("command", ["split", "reopen", "move", "remove_booking", "confirm"])
def test_a_resource_whose_id_was_changed_is_found_by_its_bookings_and_closures(command: str, id: Any) -> None:
    """The calendar knows it by the id under which it was registered, also when the new one cannot be hashed."""

    class Changing:
        id: Any = "room"

    calendar = Calendar()
    room = calendar.add_resource(Changing())
    stay, closure = calendar.book(room, 1, 9), calendar.close(room, 20, 30)
    overwrite(room, "id", id)  # past what refuses it
    commands: dict[str, Callable[[], Any]] = {
        "split": lambda: calendar.split(stay, 4),
        "reopen": lambda: calendar.reopen(closure),
        "move": lambda: calendar.move(stay, start=2),
        "remove_booking": lambda: calendar.remove_booking(stay),
        "confirm": lambda: calendar.confirm(stay),
    }
    commands[command]()
    calendar.check()
    booked = {"split": [(1, 4), (4, 9)], "move": [(2, 9)], "remove_booking": []}.get(command, [(1, 9)])
    assert [(event.start, event.end) for event in calendar.bookings()] == booked
    assert calendar.is_available("room", 20, 30) is (command == "reopen")


def test_errors_travel_with_their_facts() -> None:
    """Through pickle, copy and deepcopy, as to another process."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    stay = calendar.book("room", 1, 9)
    found: list[BookcoreError] = [RecursiveCallError("why"), CalendarBrokenError("why"), TransactionError("why")]
    calls: list[Callable[[], Any]] = [
        lambda: calendar.book("room", 2, 3),
        lambda: calendar.book("barn", 2, 3),
        lambda: calendar.book("room", 3, 2),
        lambda: calendar.book("room", 30, 31, quantity=0),
        lambda: calendar.book("room", "a", "b"),
        lambda: calendar.get("x"),
        lambda: calendar.index("x"),
        lambda: calendar.book_any(calendar.resources, 1, 2),
        lambda: calendar.remove_resource("room"),
        lambda: calendar.book("room", 40, 41, id=stay.id),
        lambda: calendar.find("text"),
    ]
    for call in calls:
        with pytest.raises(BookcoreError) as caught:
            call()
        found.append(caught.value)
    failed = ConflictError("room", 1, 2)
    failed.look_later(lambda: 1 // 0, lambda question: question())  # type: ignore[arg-type, return-value]
    other = Calendar()
    found += [QueryError(facts, "why") for facts in (lambda: 5, calendar, other.resources, threading.Lock())]
    found += [failed, OwnConflictError("room"), NoneAvailableError(1, 2, 1, 1, [failed])]
    found[0].add_note("a note")
    found[3].add_note("another")
    for error in found:
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - ours
            assert type(again) is type(error)
            assert str(again) == str(error)
            names = [name for name in vars(error) if not name.startswith("_") or name == "__notes__"]
            assert all(_looks_like(getattr(again, name), getattr(error, name)) for name in names)


class OwnConflictError(ConflictError):
    """An error of the program."""

    def __init__(self, room: str) -> None:
        super().__init__(room, 1, 2)


def _looks_like(copied: object, fact: object) -> bool:
    """Tell whether a fact of a copy is that of the error, or its short form."""
    return str(copied) in (str(fact), brief(fact))


def test_subscribers_can_name_every_record_that_they_get() -> None:
    """A log that tells records by their classes must not have to import from the inside."""
    told: list[Change] = []
    calendar = Calendar(clock=lambda: 0)
    room = calendar.add_resource(Resource("room"))
    calendar.subscribe(told.append)
    calendar.create_index("name", key=lambda resource: resource.id)
    calendar.create_booking_index("guest")
    calendar.reindex(room)
    calendar.hold(room, 1, 5, id="x", ttl=3)
    calendar.extend("x", ttl=9)
    calendar.split("x", 3)
    calendar.confirm("x")
    assert {type(change).__name__ for change in told} >= {"IndexCreated", "Reindexed", "Booked", "Extended", "Confirmed"}
    assert all(getattr(changes, type(change).__name__) is type(change) for change in told)
    assert set(changes.__all__) == {cls.__name__ for cls in Change.__subclasses__()} | {"Change"}
