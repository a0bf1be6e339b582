"""Facts that random histories hardly meet, each of which one line of the code keeps."""

from __future__ import annotations

import copy
import threading
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

import pytest

from bookcore import BookingEvent, Calendar, ConflictError, DuplicateBookingError, KeyTypeError, Resource
from bookcore.model.generic import Bounds
from bookcore.model.resource import overwrite


def test_slots_of_many_begin_after_what_holds_its_end() -> None:
    """Hundreds are busy up to and with 10: the first slot of all of them is at 11."""
    calendar = Calendar(bounds="[]")
    for id in range(700):
        calendar.add_resource(Resource(id))
    calendar.load([BookingEvent(id, 0, 10) for id in range(700)])
    assert [(start, end, one.id) for start, end, one in islice(calendar.find_slots(1, 10, 20), 2)] == [
        (11, 12, 0), (11, 12, 1),
    ]  # fmt: skip


def test_events_that_stand_elsewhere_are_not_loaded() -> None:
    """All at once as little as one by one; they stay where they are."""
    one, other = Calendar(), Calendar()
    for calendar in (one, other):
        calendar.add_resource(Resource("r"))
    events = [one.book("r", at, at + 1, id=f"b{at}") for at in range(60)]
    with pytest.raises(DuplicateBookingError):
        other.load(events)
    assert not len(other)
    assert all(event.owns_lock for event in events)
    one.check()


def test_keys_that_were_loaded_are_remembered() -> None:
    """Of another family none are taken afterwards."""
    calendar = Calendar()
    for id in range(2):
        calendar.add_resource(Resource(id))
    calendar.load([BookingEvent(0, at, at + 1) for at in range(60)])
    with pytest.raises(KeyTypeError):
        calendar.book(1, "a", "b")


def test_keys_of_closures_are_remembered() -> None:
    """While no booking stands, and once the last is gone."""
    calendar = Calendar()
    for id in range(2):
        calendar.add_resource(Resource(id))
    closure = calendar.close(0, 1, 5)
    with pytest.raises(KeyTypeError):
        calendar.book(1, "a", "b")
    calendar.remove_booking(calendar.book(1, 1, 2))
    with pytest.raises(KeyTypeError):
        calendar.book(1, "a", "b")
    calendar.reopen(closure)
    assert calendar.book(1, "a", "b").owns_lock


def test_copy_of_a_resource_stands_for_itself() -> None:
    """With an id of its own it is unknown, not the one it was copied from."""
    calendar = Calendar()
    resource = calendar.add_resource(Resource("r"))
    twin = copy.copy(resource)
    overwrite(twin, "id", "twin")
    with pytest.raises(LookupError):
        calendar.book(twin, 1, 2)
    calendar.add_resource(twin)
    calendar.book(twin, 1, 2)
    assert calendar.is_available(resource, 1, 2)


def test_buffers_are_remembered_when_a_removal_is_undone() -> None:
    """Hours around dates cannot be kept: nobody is offered who could not be booked."""
    calendar = Calendar()
    calendar.add_resource(Resource("r", after=timedelta(hours=5)))
    for id in range(80):
        calendar.add_resource(Resource(id))
    low, high = date(2026, 5, 4), date(2026, 5, 6)
    for id in range(20):
        calendar.book(id, low, high)
    assert "r" not in calendar.find_available(low, high).ids()
    with calendar.what_if():
        calendar.remove_resource("r")
    assert "r" not in calendar.find_available(low, high).ids()
    with pytest.raises(KeyTypeError):
        calendar.book("r", low, high)


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("capacity", [1, 2])
def test_both_readings_of_a_repeated_hour_come_back_as_they_were_booked(
    bounds: Bounds, capacity: int, tmp_path: Path
) -> None:
    """They are equal to Python, and an index may hold one object for all equal keys."""
    calendar = Calendar(bounds=bounds)
    first = datetime(2026, 10, 25, 2, 30)
    for id in range(200):
        calendar.add_resource(Resource(id, capacity))
        start, end = first.replace(fold=id % 2), first.replace(hour=3, fold=id % 3 // 2)
        booked = calendar.book(id, start, end)
        for event in (booked, calendar.get(booked.id), *calendar.bookings(id), *calendar.conflicts(id, start, end)):
            assert (event.start.fold, event.end.fold) == (id % 2, id % 3 // 2)
    calendar.check()
    calendar.snapshot(tmp_path / "a.bks")
    again = Calendar.restore(tmp_path / "a.bks")
    again.check()
    assert again.digest() == calendar.digest()
    for one, two in zip(calendar.bookings(), again.bookings(), strict=True):
        assert (one.start.fold, one.end.fold) == (two.start.fold, two.end.fold)
    for event in list(calendar.bookings()):
        calendar.remove_booking(event)
    calendar.check()
    assert calendar.find_available(first, first.replace(hour=3)).count() == 200


def test_what_is_undone_leaves_the_digest_as_it_was() -> None:
    """Holds, closures, hours and labels that are put back come last in their tables, and where they were in the digest."""
    calendar = Calendar(clock=lambda: 0)
    for id in range(3):
        calendar.add_resource(Resource(id))
    holds = [calendar.hold(id, 1, 2, ttl=5) for id in range(3)]
    closures = [calendar.close(id, 10, 12, f"paint {id}") for id in range(3)]
    calendar.tag(0, "sea")
    calendar.tag(1, "lake")
    calendar.tag(1, "river")
    before = calendar.digest()
    with calendar.what_if():
        calendar.confirm(holds[0])
        calendar.move(holds[1], start=0)
        calendar.reopen(closures[1])
        calendar.untag(0, "sea")
        calendar.untag(1, "lake")
        calendar.remove_booking(holds[2])
        calendar.remove_resource(2)
        calendar.add_resource(Resource(2))
    assert calendar.digest() == before
    calendar.check()


def test_subscribers_are_notified_of_a_booking_outside_the_lock() -> None:
    """One that waits for another thread, which asks the calendar, gets its answer."""
    calendar, free = Calendar(), []
    room = calendar.add_resource(Resource("room"))

    def ask(change: object) -> None:
        thread = threading.Thread(target=lambda: free.append(calendar.find_available(5, 6).count()), daemon=True)
        thread.start()
        thread.join(10)

    calendar.subscribe(ask)
    calendar.book(room, 1, 2)
    assert free == [1]


def test_event_that_is_added_again_is_as_it_was_when_that_is_undone() -> None:
    """Its removal is undone as well, under the number that it had then."""
    calendar = Calendar()
    event = calendar.book(calendar.add_resource(Resource("room")), 1, 2, guest="Ada")
    before = calendar.digest()
    with calendar.what_if():
        calendar.remove_booking(event)
        calendar.add_booking(event)
    calendar.check()
    assert event.owns_lock
    assert calendar.get(1) is event
    assert calendar.digest() == before


def test_event_that_is_false_is_listed_itself() -> None:
    """A class of events may have a length, and that may be 0."""

    class Party(BookingEvent):
        def __len__(self) -> int:
            return 0

    calendar = Calendar(event_type=Party)
    event = calendar.book(calendar.add_resource(Resource("room")), 1, 2)
    assert all(found is event for found in (*calendar.bookings(), *calendar.bookings("room")))
    assert calendar.conflicts("room", 1, 2)[0] is event


def test_event_of_a_booking_that_was_undone_is_of_no_later_booking() -> None:
    """Its number is given out again, and its lock is not."""
    calendar = Calendar()
    room, hall = calendar.add_resource(Resource("room")), calendar.add_resource(Resource("hall"))
    with calendar.what_if():
        calendar.book(room, 1, 2)
        stale = calendar.get(1)
    event = calendar.book(room, 7, 9)
    assert event.id == stale.id == 1
    assert stale != event
    assert not stale.owns_lock
    assert stale not in calendar
    assert event == calendar.get(1)
    with calendar.what_if():
        moved = calendar.move(event, start=20, end=21)
    other = calendar.move(calendar.book(hall, 1, 2), start=5, end=6)
    assert moved != other
    again = calendar.move(event, start=30, end=31)
    assert moved != again
    assert not moved.owns_lock
    calendar.check()


def test_events_that_are_loaded_after_an_undone_load_have_locks_of_their_own() -> None:
    """As those that are booked one by one."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    with calendar.what_if():
        calendar.load([BookingEvent(room, at, at + 1) for at in range(300)])
        stale = list(calendar.bookings())
    events = [BookingEvent(room, at, at + 1) for at in range(1000, 1400)]
    calendar.load(events)
    calendar.check()
    assert [event.id for event in events] == list(range(1, 401))
    assert events == list(calendar.bookings())
    assert all(event.owns_lock for event in events)
    assert not any(event.owns_lock or event in events for event in stale)


@pytest.mark.parametrize("capacity", [1, 5])
@pytest.mark.parametrize("ids", [(3, "a", "b"), (2.0, None, None), (True, 3, "a", "b", None, 9, None, 12, "q"), ("a", 1, 2)])
def test_next_number_after_a_restore_is_that_of_the_original(tmp_path: Path, capacity: int, ids: tuple[object, ...]) -> None:
    """Whichever ids were taken; and holds are of the bookings that they were of."""
    calendar = Calendar(clock=lambda: 0)
    room = calendar.add_resource(Resource("room", capacity))
    for at, id in enumerate(ids):
        book = calendar.hold if at % 2 else calendar.book
        book(room, at, at + 1, id=id)
    calendar.snapshot(tmp_path / "file")
    restored = Calendar.restore(tmp_path / "file", types=[Resource], clock=lambda: 0)
    restored.check()
    assert restored.digest() == calendar.digest()
    assert [(e.id, e.status) for e in restored.bookings()] == [(e.id, e.status) for e in calendar.bookings()]
    assert restored.book("room", 50, 51).id == calendar.book("room", 50, 51).id


def test_ids_that_equal_numbers_stay_what_they_are_when_loaded() -> None:
    """As 1.0 does."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    calendar.load([BookingEvent("room", at, at + 1, id=at + 1.0) for at in range(300)])
    calendar.check()
    assert type(calendar.get(1).id) is float


def test_id_that_says_it_equals_a_number_is_taken() -> None:
    """As in a dict, whether it is a `Number` or not."""

    class Ticket:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            return other == 1

    calendar = Calendar()
    event = calendar.book(calendar.add_resource(Resource("room")), 1, 2)
    assert calendar.get(Ticket()) == event
    with pytest.raises(DuplicateBookingError):
        calendar.book("room", 3, 4, id=Ticket())


def test_deadlines_of_holds_do_not_pile_up() -> None:
    """Confirming a hold and undoing that leaves one deadline."""
    calendar = Calendar(clock=lambda: 0)
    hold = calendar.hold(calendar.add_resource(Resource("room")), 1, 2, ttl=5)
    for _ in range(3):
        with calendar.what_if():
            calendar.confirm(hold)
    assert hold.status == "held"
    assert len(calendar._engine.state.holds.deadlines) == 1
    calendar.check()


def test_old_event_of_a_booking_whose_event_is_kept_after_a_move_owns_nothing() -> None:
    """As where the new keys are in another zone, which a row does not hold."""
    calendar, noon = Calendar(), datetime(2026, 6, 1, 12, tzinfo=UTC)
    room = calendar.add_resource(Resource("room"))
    old = calendar.book(room, noon, noon + timedelta(hours=1))
    other = calendar.get(1)
    there = noon.astimezone(timezone(timedelta(hours=5)))
    new = calendar.move(old, start=there, end=there + timedelta(hours=2))
    assert new.owns_lock
    assert not old.owns_lock
    assert old not in calendar
    assert other not in calendar


def test_order_in_which_events_are_kept_is_not_in_the_digest() -> None:
    """What is undone puts them back in another one."""
    calendar = Calendar()
    classes = [type(name, (BookingEvent,), {}) for name in ("Visit", "Repair")]
    events = [calendar.add_booking(cls(calendar.add_resource(Resource(at)), 1, 2)) for at, cls in enumerate(classes)]
    before = calendar.digest()
    with calendar.what_if():
        calendar.remove_booking(events[0])
    assert calendar.digest() == before


def test_follower_numbers_an_event_that_is_added_again_in_a_transaction_as_the_leader_does() -> None:
    """The records are read when the event has its second number already."""
    leader, follower = Calendar(), Calendar()
    end = leader.subscribe(follower.apply)
    room = leader.add_resource(Resource("room"))
    with leader.transaction():
        event = leader.book(room, 1, 2)
        moved = leader.move(event, start=5, end=6)
        leader.remove_booking(moved)
        leader.add_booking(event)
    assert leader.digest() == follower.digest()
    end()
    assert leader.book(room, 8, 9).id == follower.book("room", 8, 9).id


def test_sets_find_events_whatever_became_of_them() -> None:
    """Loaded, removed, added again, undone."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    events = [BookingEvent("room" if at % 2 else room, at, at + 1) for at in range(300)]
    known = set(events)
    calendar.load(events)
    assert known.issuperset(events)
    assert known == set(calendar.bookings())
    assert hash(calendar.get(7)) == hash(events[6])
    event = calendar.remove_booking(events[0])
    assert event in known
    kept = {event}
    calendar.add_booking(event)
    assert event in kept
    with calendar.what_if():
        undone = calendar.book(room, 500, 501)
        kept.add(undone)
    assert undone in kept


def test_event_that_was_given_is_the_one_returned() -> None:
    """So adding what `remove_booking` returned gives the caller's event its lock again."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    event = calendar.hold(room, 1, 2)
    assert calendar.confirm(event) is event
    assert calendar.remove_booking(event) is event
    calendar.add_booking(event)
    assert event.owns_lock


def test_refused_move_names_what_is_in_the_way_beside_the_booking_moved() -> None:
    """Of a pool, the booking that is moved fills no instant with the others."""
    calendar = Calendar()
    pool = calendar.add_resource(Resource("pool", capacity=2))
    moved = calendar.book(pool, 0, 10)
    full = [calendar.book(pool, 20, 30, quantity=2)]
    calendar.book(pool, 5, 8)  # fills the pool beside the booking that is moved, and only beside that
    with pytest.raises(ConflictError) as refused:
        calendar.move(moved, start=5, end=25)
    assert list(refused.value.conflicts) == full
    assert "more bookings" not in str(refused.value)
