"""A calendar whose database has another history takes that over: everything it answers is as in one that is opened anew.

The database loses its last records here, as one that is a standby without them; a real one is in ``test_failover.py``.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from bookcore import BookingEvent, Calendar, Resource, TransactionError
from bookcore.engine.state import CalendarState
from bookcore.persist.journal.errors import JournalError, JournalReplacedError
from bookcore.persist.journal.reading import blank
from bookcore.persist.shared import recorder, reloading, replaying
from bookcore.persist.shared.reloading import reload, take_over
from bookcore.persist.shared.replaying import begin
from bookcore.persist.snapshot.classes import handed_in
from bookcore.persist.snapshot.save_load import load_bytes, save_bytes
from bookcore.testing.cutting import cut_off
from bookcore.testing.every_change import Clock, every_change
from bookcore.testing.servers import PostgresServer

Open = Callable[..., Calendar]
Lose = Callable[[str, int], None]
PAIRS = settings().max_examples // 4
STRIDE = 40_000 // settings().max_examples
FAMILIES = ("int", "Decimal", "str", "datetime", "zone", "tuple")


# -- from any state to any other, in memory --------------------------------------------------------


class Life:
    """A calendar that lives through a history with every kind of change."""

    def __init__(self, key: Callable[[int], Any], steps: int = 0) -> None:
        self.clock = Clock(key(0))
        self.calendar = Calendar(clock=self.clock)
        self.steps = [step for _, step in every_change(self.clock, key)]
        self.live(0, steps)

    def live(self, start: int, end: int | None = None) -> None:
        """Do some of the steps."""
        for step in self.steps[start:end]:
            step(self.calendar)
        len(self.calendar)  # holds run out


def copied(world: SimpleNamespace, calendar: Calendar) -> CalendarState:
    """Return a state that is equal to that of a calendar, with objects of its own, as reading a database makes it."""
    known = handed_in("copy", world.TYPES, Resource, BookingEvent)
    data = save_bytes(calendar._engine.state, "copy", store_id=bytes(16))
    _, state, _ = load_bytes(blank, "copy", known, data)
    return state


def taken_over(calendar: Calendar, fresh: CalendarState, *, keep: bool = True) -> None:
    """Make a calendar what a state is, as `SharedRecorder.take_over` does; or undo that at once."""
    state = calendar._engine.state
    state.gate.run(state.undoing, keep, take_over, state, fresh)


@pytest.mark.parametrize("family", FAMILIES)
def test_any_state_becomes_any_other_and_goes_on_as_it(family: str, world: SimpleNamespace) -> None:
    """With the numbers that it gives next, and its indexes; undone at once, all is as before."""
    key, draw = world.families[family], random.Random(family)
    length = len(Life(key).steps)
    for _ in range(PAIRS):
        steps = draw.randrange(length + 1), draw.randrange(length + 1)
        one, other = (Life(key, number) for number in steps)
        calendar = one.calendar
        calendar.create_index("rooms", key=lambda resource: getattr(resource, "rooms", 0))
        calendar.create_booking_index("units", key=lambda event: event.quantity)
        before = calendar.digest()
        taken_over(calendar, copied(world, other.calendar), keep=False)
        calendar.check()
        assert calendar.digest() == before, steps
        one.clock.now = other.clock.now  # or a hold runs out at once
        taken_over(calendar, copied(world, other.calendar))
        calendar.check()
        assert calendar.digest() == other.calendar.digest(), steps
        assert list(map(number_of, calendar.bookings())) == list(map(number_of, other.calendar.bookings()))
        assert calendar.index("rooms").equal(3).ids() == [7] * (7 in other.calendar.resources.ids())
        twos = {event.id for event in calendar.bookings() if event.quantity == 2}
        assert {event.id for event in calendar.booking_index("units").equal(2)} == twos
        for each in one, other:
            each.live(steps[1])
        assert calendar.digest() == other.calendar.digest(), steps


def number_of(event: Any) -> tuple[Any, int]:
    """Return the id of a booking and its number in the order of booking."""
    return event.id, event._seq


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("steps", [(21, 16), (33, 26), (9, 32)])
def test_one_that_is_cut_off_leaves_the_one_state_or_the_other(
    steps: tuple[int, int], error: type[BaseException], world: SimpleNamespace
) -> None:
    """At any place; and it can be done again."""
    draw, other = random.Random(steps[0]), Life(int, steps[1])
    nth, came_to = 0, 0
    while came_to >= nth:
        nth += 1 + draw.randrange(STRIDE)
        one = Life(int, steps[0])
        one.clock.now = other.clock.now
        calendar, fresh = one.calendar, copied(world, other.calendar)
        allowed = [calendar.digest(), other.calendar.digest()]
        came_to = cut_off(partial(taken_over, calendar, fresh), nth, error)
        calendar.digest()  # mends what is torn
        calendar.check()
        assert calendar.digest() in allowed, nth
        if calendar.digest() == allowed[0]:
            taken_over(calendar, copied(world, other.calendar))
            calendar.check()
        assert calendar.digest() == allowed[1], nth


# -- on PostgreSQL ---------------------------------------------------------------------------------


@pytest.fixture
def address(postgres_server: PostgresServer, name: str) -> str:
    """Return the address of that calendar."""
    return f"{postgres_server.dsn()}&calendar={name.replace(' ', '%20')}"


def booked(opened: Open, number: int = 2, **options: Any) -> Calendar:
    """Return a calendar with a room and so many bookings of it, a record each."""
    calendar = opened(**options)
    calendar.add_resource(Resource("room"))
    for at in range(number):
        calendar.book("room", at, at + 1)
    return calendar


def replaced(call: Callable[[], Any]) -> JournalReplacedError:
    """Return the error of a call that found another history, after which the calendar has been reloaded."""
    with pytest.raises(JournalReplacedError, match=r"has another history .* the calendar has been reloaded: ") as caught:
        call()
    assert caught.value.reloaded
    return caught.value


def test_a_command_that_finds_another_history_raises_once_and_the_next_goes_on(
    opened: Open, lose: Lose, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Objects of the program stay what they are, and subscribers hear what became untrue, and what came."""
    one, heard = booked(opened), list[tuple[str, Any]]()
    hall, kept, gone = one.add_resource(Resource("hall")), one.get(1), one.get(2)
    lost = one.book(hall, 5, 6)
    one.subscribe(lambda change: heard.append((type(change).__name__, getattr(change, "event", lost).id)))
    lose(address, 2)
    newcomer = opened()
    newcomer.add_resource(Resource("hall"))
    newcomer.book("hall", 5, 7, id="theirs")
    assert hall.is_available(6, 7)
    assert "nothing was changed; call again" in str(replaced(lambda: one.book("room", 8, 9)))
    assert (one.position, one.digest()) == (4, newcomer.digest())
    assert heard == [("Released", lost.id), ("Released", gone.id), ("Booked", "theirs")]
    assert [event.owns_lock for event in (kept, gone, lost)] == [True, False, False]
    assert list(one.resources)[1] is hall
    assert not hall.is_available(6, 7)
    assert one.book("room", 8, 9).id == newcomer.book("hall", 8, 9).id - 1
    assert (one.position, newcomer.position) == (5, 6)
    (told,) = [record.message for record in caplog.records if "another history" in record.message]
    assert told.endswith("2 changes were taken back, and 1 came")


@pytest.mark.parametrize("others", [False, True], ids=["shorter", "with others in their place"])
def test_each_call_that_asks_the_database_reloads(others: bool, opened: Open, lose: Lose, address: str) -> None:
    """Commands raise, because they were called in a history that is gone; so does who waits for a record of it."""
    goes_on: list[Callable[[Calendar], Any]] = [
        lambda c: c.catch_up(),
        lambda c: c.fresh().__enter__(),
        lambda c: c.lag(),
        lambda c: c.checkpoint(),
    ]
    raises: list[Callable[[Calendar], Any]] = [
        lambda c: c.book("room", 2, 3, id=3, if_exists="return"),
        lambda c: c.book_any(["room"], 7, 8),
        lambda c: c.transaction().__enter__(),
        lambda c: c.barrier(),
        lambda c: c.wait_for(c.position + 1),
    ]
    booked(opened, 4)
    calendars = [opened() for _ in (*goes_on, *raises)]
    lose(address, 3)
    newcomer = opened()
    for at in range(2 * others):
        newcomer.book("room", 20 + at, 21 + at)
    for calendar, call in zip(calendars, (*goes_on, *raises), strict=True):
        if call in goes_on:
            call(calendar)
            calendar.catch_up()  # `lag` and `fresh` need not apply what has come
        else:
            replaced(lambda: call(calendar))  # noqa: B023
        calendar.check()
        assert (calendar.position, calendar.digest()) == (newcomer.position, newcomer.digest())
        calendar.book("room", newcomer.position + 50, newcomer.position + 51)
        newcomer.catch_up()


def test_a_follower_reloads_and_says_so(
    opened: Open, lose: Lose, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One that only reads as well; both hear of it, and what waits for a record meanwhile is told."""
    booked(opened, 4)
    heard = [threading.Event(), threading.Event()]
    follower, reader = opened(follow=True), opened(follow=True, read_only=True)
    for calendar, told in zip((follower, reader), heard, strict=True):
        calendar.subscribe(lambda change, told=told: told.set())  # type: ignore[misc]
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(follower.wait_for, 9, 60)
        lose(address, 3)
        newcomer = opened()
        assert all(told.wait(30) for told in heard)
        with pytest.raises(JournalReplacedError, match="record 9 of it may be another one than was waited for"):
            waits.result(30)
    for calendar in follower, reader:
        assert (calendar.position, calendar.digest()) == (3, newcomer.digest())
    newcomer.book("room", 20, 21)
    follower.wait_for(4, 30)
    reader.wait_for(4, 30)
    assert follower.digest() == reader.digest() == newcomer.digest()
    told_of = [record.message for record in caplog.records if "another history" in record.message]
    assert len(told_of) == 2
    assert all("2 changes were taken back, and 0 came" in each for each in told_of)


def test_a_what_if_stays_in_the_history_in_which_it_began(opened: Open, lose: Lose, address: str) -> None:
    """The next call after it reloads."""
    one = booked(opened, 4)
    block = one.what_if()
    block.__enter__()
    one.book("room", 30, 31)
    lose(address, 3)
    with pytest.raises(TransactionError):
        one.catch_up()
    with pytest.raises(JournalReplacedError, match="open the calendar anew"):
        one.lag()
    assert len(one) == 5
    block.__exit__(None, None, None)
    assert len(one) == 4
    one.catch_up()
    assert (one.position, len(one)) == (3, 2)


def test_a_reload_that_is_cut_off_is_done_by_the_next_call(opened: Open, lose: Lose, address: str) -> None:
    """At any place: memory and its position are of the one history, or of the other."""
    one = booked(opened, 4)
    calendars = [opened() for _ in range(12)]
    old = one.position, one.digest()
    lose(address, 3)
    newcomer = opened()
    newcomer.book("room", 20, 21)
    new = newcomer.position, newcomer.digest()
    places = cut_off(one.catch_up, 1 << 30)
    for number, calendar in enumerate(calendars):
        cut_off(calendar.catch_up, 1 + number * places // len(calendars))
        assert (calendar.position, calendar.digest()) in (old, new), number
        calendar.check()
        with suppress(JournalError):  # its connection was in the midst of something
            calendar.catch_up()
        calendar.catch_up()
        assert (calendar.position, calendar.digest()) == new, number
        calendar.check()


@pytest.mark.parametrize("is_reloaded", [False, True])
def test_records_that_are_read_while_others_take_their_places_are_not_applied(
    is_reloaded: bool, opened: Open, lose: Lose, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lost history ends between two parts of what is read, or another thread has brought the new one by then."""
    one, other, reads = booked(opened, 1), opened(), list[int]()
    for at in range(5):
        other.book("room", 10 + at, 11 + at)

    def read(*given: Any, **options: Any) -> Any:
        found = plain(*given, **options)
        reads.append(len(found))
        if len(reads) == 1:
            lose(address, 3)
            opened().book("room", 20, 21)
            if is_reloaded:
                one.catch_up()
        return found

    journal = one._recorder.journal
    plain = journal.read
    monkeypatch.setattr(journal, "read", read)
    monkeypatch.setattr(recorder, "AT_ONCE", 3)
    one.catch_up()
    assert reads[0] == 3
    assert (one.position, one.digest()) == (4, opened().digest())


@pytest.mark.parametrize("others", [False, True], ids=["shorter", "with others in their place"])
@pytest.mark.parametrize("id", ["new", "lost"])
def test_a_command_that_has_locked_when_memory_follows_the_lost_history_may_be_called_again(
    id: str, others: bool, opened: Open, lose: Lose, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is not damaged; and what is lost is not acknowledged."""
    booked(opened, 1)
    other, one = opened(), opened()
    other.book("room", 5, 6, id="lost")
    lost = one._recorder.journal.read(one._recorder.place, -1)
    lose(address, 2)
    if others:
        opened().book("room", 20, 21)

    def lock(*given: Any) -> Any:
        news = plain(*given)
        monkeypatch.undo()
        one._recorder.state.gate.follow(one._recorder.apply, lost)
        return news

    plain = one._recorder.journal.lock
    monkeypatch.setattr(one._recorder.journal, "lock", lock)
    at = {"new": 8, "lost": 5}[id]
    book = partial(one.book, "room", at, at + 1, id=id, if_exists="return")
    with pytest.raises(JournalReplacedError, match=r"memory has followed another .* nothing was changed; call again"):
        book()
    assert one.position == 3
    replaced(book)
    assert book().start == at
    assert one.position == 3 + others


@pytest.mark.parametrize("asks", ["a command", "a call that goes on"])
def test_a_history_that_changes_again_while_it_is_loaded_is_loaded_again(
    asks: str, opened: Open, lose: Lose, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing says that the calendar is to be opened anew."""
    one = booked(opened, 4)
    lose(address, 3)
    for at in 20, 21:
        opened().book("room", at, at + 1)

    def begun(*given: Any) -> Any:
        monkeypatch.undo()
        monkeypatch.setattr(replaying, "AT_ONCE", 4)
        _, _, place = found = begin(*given)
        journal = one._recorder.journal
        plain = journal.read

        def read(*asked: Any) -> Any:
            news = plain(*asked)
            monkeypatch.undo()
            lose(address, 3)
            return news

        assert place.position == 0
        monkeypatch.setattr(journal, "read", read)
        return found

    monkeypatch.setattr(reloading, "begin", begun)
    if asks == "a command":
        replaced(lambda: one.book("room", 30, 31))
    else:
        one.catch_up()
    assert (one.position, one.digest()) == (3, opened().digest())


def test_a_command_goes_on_when_memory_has_only_moved_on(
    opened: Open, lose: Lose, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The follower brought a record of the lost history meanwhile, so the calendar has not been reloaded yet."""
    booked(opened, 1)
    other, one, reloads = opened(), opened(), list[int]()
    other.book("room", 5, 6)
    one.catch_up()
    other.book("room", 6, 7)
    lost = one._recorder.journal.read(one._recorder.place, -1)
    lose(address, 2)

    def reloaded(*given: Any) -> None:
        if not reloads:
            one._recorder.state.gate.follow(one._recorder.apply, lost)
        reloads.append(one.position)
        reload(*given)

    monkeypatch.setattr(recorder, "reload", reloaded)
    replaced(lambda: one.book("room", 8, 9))
    assert reloads == [4, 4]
    assert one.position == 2


def test_who_waits_does_not_hear_of_a_reload_that_failed(
    opened: Open, lose: Lose, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread tries to take the history over while a thread waits, and an index refuses it."""
    one, tried = booked(opened, 4), list[Exception]()

    def key(event: Any) -> int:
        if event.start == 20:
            raise RuntimeError("no twenty")
        return int(event.start)

    def catch_up() -> None:
        monkeypatch.undo()
        one.catch_up()
        lose(address, 3)
        opened().book("room", 20, 21)
        with pytest.raises(JournalReplacedError, match="could not be taken over") as caught:
            one.catch_up()
        tried.append(caught.value)

    one.create_booking_index("start", key=key)
    monkeypatch.setattr(one._recorder, "catch_up", catch_up)
    monkeypatch.setattr(one._recorder.journal, "wait", lambda *given: True)
    with pytest.raises(JournalReplacedError, match="could not be taken over") as caught:
        one.wait_for(9, 60)
    assert tried
    assert not caught.value.reloaded


def test_memory_that_went_on_and_was_taken_back_to_where_a_call_began_is_asked_again(
    opened: Open, lose: Lose, address: str
) -> None:
    """The call has read of a record in between, such as one of which it writes a checkpoint."""
    one, other, calls = booked(opened, 1), opened(), list[Any]()

    def call() -> int:
        if not calls:
            other.book("room", 5, 6)
            one.catch_up()
        calls.append(one._recorder.place)
        if len(calls) == 1:
            lose(address, 2)
            one.catch_up()
        return len(one._recorder.journal.read(calls[-1], 0))

    assert one._recorder._reloading(call) == 0
    assert [place.position for place in calls] == [3, 2]


def test_subscribers_are_notified_when_a_command_need_not_wait_for_the_reload(
    opened: Open, lose: Lose, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command has the turn while it waits; a subscriber that books would wait for that, until its time is over."""
    one, booked_there = booked(opened, 4, timeout=10), list[BookingEvent]()
    loads, waits = threading.Event(), threading.Event()

    def begun(*given: Any) -> Any:
        loads.set()
        assert waits.wait(30)
        return begin(*given)

    def reloaded(*given: Any) -> None:
        waits.set()
        reload(*given)

    def book(change: Any) -> None:
        if not booked_there:
            booked_there.append(change.event)
            booked_there.append(one.book("room", 20, 21))

    one.subscribe(book)
    lose(address, 3)
    monkeypatch.setattr(reloading, "begin", begun)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(one.catch_up)
        assert loads.wait(30)
        monkeypatch.setattr(recorder, "reload", reloaded)
        replaced(lambda: one.book("room", 30, 31))
        first.result(30)
    assert booked_there[1].owns_lock
    one.check()


def test_another_calendar_of_the_same_name_is_not_taken_over(
    opened: Open, admin: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It began elsewhere: each call refuses it by name, and memory stays as it is."""
    one = booked(opened)
    digest = one.digest()
    for table in "booking", "resource", "checkpoint", "change", "calendar":
        column = "name" if table == "calendar" else "calendar"
        admin.execute(f"DELETE FROM bookcore.{table} WHERE {column} = %s", (name,))  # noqa: S608
    for number in 0, 9:  # where it has more records, `lag` tells how many
        if number:
            booked(opened, number)
        calls: list[Callable[[], Any]] = [
            one.catch_up, one.checkpoint, partial(one.book, "room", 8, 9), partial(one.wait_for, 99), one.barrier,
        ]  # fmt: skip
        for call in calls if number else [*calls, one.lag]:
            with pytest.raises(JournalReplacedError, match=r"no calendar .* any more|open the calendar anew") as caught:
                call()
            assert not caught.value.reloaded
            assert one.digest() == digest
    assert not any("another history" in record.message for record in caplog.records)


def test_a_history_that_an_index_refuses_changes_nothing(opened: Open, lose: Lose, address: str) -> None:
    """The error says why; when the index takes it, it is taken over."""
    one, refuses = booked(opened, 4), [True]

    def key(event: Any) -> int:
        if refuses[0] and event.start == 20:
            raise RuntimeError("no twenty")
        return int(event.start)

    one.create_booking_index("start", key=key)
    digest = one.digest()
    lose(address, 3)
    newcomer = opened()
    newcomer.book("room", 20, 21)
    for call in (one.catch_up, lambda: one.book("room", 8, 9)):
        with pytest.raises(JournalReplacedError, match=r"could not be taken over .*no twenty.*open the calendar anew"):
            call()
        one.check()
        assert (one.position, one.digest()) == (5, digest)
    refuses[0] = False
    one.catch_up()
    assert (one.position, one.digest()) == (4, newcomer.digest())
    assert [event.start for event in one.booking_index("start").between(None, None)] == [0, 1, 20]
