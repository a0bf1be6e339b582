"""Conformance tests of the changes that subscribers get, and of calendars that follow another by applying them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    Closure,
    ConflictError,
    InvalidKeyError,
    KeyTypeError,
    MemoryStore,
    Resource,
    TransactionError,
    changes,
)
from bookcore.engine import log
from bookcore.testing.contract_changes import upheaval
from bookcore.testing.contract_laws import fingerprint
from bookcore.testing.contract_life import rooms
from bookcore.testing.contract_threads import join_all
from bookcore.testing.every_change import Clock

Told = list[changes.Change]


def _refused(calendar: Calendar) -> None:
    with pytest.raises(ConflictError):
        calendar.book("q", 0, 9, quantity=4)


def _refused_at_the_end(calendar: Calendar) -> None:
    with pytest.raises(ConflictError), calendar.transaction():
        calendar.book("q", 0, 9, quantity=4)


class TellingExam:
    """What `subscribe` and `apply` promise, whatever the store."""

    def test_each_change_is_told_once_in_order_after_it_took_effect(self, store: Any) -> None:
        """One frozen record for each change; in a transaction when it has ended; none for a change that was undone."""
        calendar = rooms(store)
        told: list[Any] = []
        stop = calendar.subscribe(lambda change: told.append((type(change).__name__, len(calendar))))
        event = calendar.book("r", 1, 5)
        calendar.move(event, end=4)
        calendar.confirm(calendar.hold("q", 1, 2))
        with calendar.transaction():
            calendar.book_any(calendar.resources, 1, 2)
            with calendar.what_if():
                calendar.remove_booking(event.id)
            calendar.close("r", 8, 9)
            assert len(told) == 4
        assert told == [
            ("Booked", 1), ("Moved", 1), ("Booked", 2), ("Confirmed", 2), ("Booked", 3), ("Closed", 3),
        ]  # fmt: skip
        stop()
        calendar.book("r", 20, 21)
        assert len(told) == 6

    def test_a_subscription_begins_and_ends_by_itself(self, store: Any) -> None:
        """Inside a transaction it begins with the next change; the same callback twice is two of them."""
        calendar = rooms(store)
        told: Told = []
        with calendar.transaction():
            calendar.book("r", 1, 2)
            stop = calendar.subscribe(told.append)
            again = calendar.subscribe(told.append)
            calendar.book("r", 3, 4)
        assert [change.event.start for change in told if isinstance(change, changes.Booked)] == [3, 3]
        stop()
        stop()
        calendar.book("r", 5, 6)
        assert len(told) == 3
        with calendar.transaction():
            calendar.book("r", 7, 8)
            again()
        assert len(told) == 3

    @pytest.mark.parametrize(
        "ask",
        [
            lambda calendar: list(calendar.gaps("r", 0, 9)),
            lambda calendar: calendar.explain("r", 0, 9),
            lambda calendar: calendar.free_busy("r", 0, 9),
            lambda calendar: list(calendar.occupancy("r", 0, 9)),
            lambda calendar: calendar.next_available("r", 0, 1),
            lambda calendar: calendar.nearest("r", 0, 9),
            lambda calendar: list(calendar.common_gaps(["r", "q"], 0, 9)),
            lambda calendar: next(calendar.find_slots(1, 0, 9)),
            lambda calendar: calendar.is_available("r", 0, 9),
            _refused,
            _refused_at_the_end,
        ],
    )
    def test_whoever_finds_that_a_hold_ran_out_tells(self, store: Any, ask: Callable[[Calendar], Any]) -> None:
        """At once, whatever the question; a call that is refused as well."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        told: Told = []
        hold = calendar.hold("r", 1, 5, until=110)
        calendar.subscribe(told.append)
        clock.now = 110
        ask(calendar)
        assert told == [changes.Released(hold, expired=True, held=True, until=110)]

    def test_a_refused_load_tells_nothing_and_takes_no_numbers(self, store: Any) -> None:
        """In one piece or one by one, alone or in a transaction that goes on: a follower stays the same calendar."""
        calendar, follower = Calendar(store), Calendar(MemoryStore())
        calendar.subscribe(follower.apply)
        calendar.add_resource(Resource("r"))
        for count in (2, 100):
            events = [BookingEvent("r", at, at + 1) for at in (*range(count), 0)]
            with pytest.raises(ConflictError):
                calendar.load(events)
            with calendar.transaction():
                with pytest.raises(ConflictError):
                    calendar.load(events)
                calendar.tag("r", f"after {count}")
            assert [(event.id, event.owns_lock) for event in events] == [(None, False)] * (count + 1)
            assert fingerprint(calendar) == fingerprint(follower)
            assert len(follower) == 0
        assert calendar.book("r", 1, 2).id == 1

    def test_a_failing_subscriber_neither_undoes_nor_hides(self, store: Any, caplog: Any) -> None:
        """The change stays, the next subscriber is called, and the failure is logged."""
        calendar = rooms(store)
        told: Told = []

        def fail(change: changes.Change) -> None:
            raise ZeroDivisionError

        calendar.subscribe(fail)
        calendar.subscribe(told.append)
        calendar.book("r", 1, 5)
        with calendar.transaction():
            calendar.book("r", 5, 6)
            calendar.book("r", 6, 7)
        failed = [one for one in caplog.records if one.name == "bookcore" and one.exc_info[0] is ZeroDivisionError]
        assert (len(told), len(failed), calendar.is_available("r", 1, 2)) == (3, 3, False)

    def test_a_subscriber_may_wait_for_another_thread(self, store: Any, caplog: Any, monkeypatch: Any) -> None:
        """The other one does not wait for the subscriber for ever: that is logged, and its change delivered later."""
        monkeypatch.setattr(log, "SUBSCRIBER_TIMEOUT", 0.01)
        calendar = rooms(store)
        told: list[Any] = []

        def wait(change: Any) -> None:
            told.append(change.event.start)
            if len(told) == 1:
                other = threading.Thread(target=calendar.book, args=("r", 5, 6), daemon=True)
                other.start()
                join_all([other], 10)
                told.append(len(calendar))

        calendar.subscribe(wait)
        calendar.book("r", 1, 2)
        assert told == [1, 2, 5]
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "may_wait_for_another_thread.<locals>" in caplog.text
        calendar.book("r", 7, 8)
        assert told == [1, 2, 5, 7]

    def test_a_follower_that_applies_every_change_is_the_same_calendar(self, store: Any) -> None:
        """From its first resource on, with every kind of change."""
        clock = Clock()
        calendar, follower = Calendar(store, clock=clock), Calendar(MemoryStore())
        calendar.subscribe(follower.apply)
        for name in ("r", "q", "s"):
            calendar.add_resource(Resource(name, 3 if name == "q" else 1))
        hold, stay = calendar.hold("r", 1, 5, ttl=10), calendar.hold("q", 1, 9, ttl=10, quantity=2)
        upheaval(calendar, hold, stay, calendar.close("q", 20, 22))
        late = calendar.hold("q", 3, 4, ttl=10)
        standing = calendar.book("r", 100, 110)
        calendar.close("r", 101, 109)
        calendar.split(standing, 105)  # both parts are in a span that is closed by now
        clock.now = 111
        assert not late.owns_lock
        assert follower.digest() == calendar.digest()
        for at, many in product(range(0, 120, 3), (1, 2)):
            free = [one.find_available(at, at + 3, quantity=many).ids() for one in (calendar, follower)]
            assert free[0] == free[1]
        follower.check()
        with pytest.raises(TransactionError):
            follower.apply("Booked")  # type: ignore[arg-type]

    def test_a_change_without_the_record_it_tells_of_is_refused(self, store: Any) -> None:
        """A change is made of anything; what cannot be applied is no change, and nothing happens."""
        calendar = rooms(store)
        event = calendar.book("r", 1, 5)
        calendar.close("r", 10, 12)
        unmade = BookingEvent.__new__(BookingEvent)
        before = fingerprint(calendar)
        for kind in (changes.Booked, changes.Confirmed, changes.Released, changes.Closed, changes.Reopened):
            for record in (None, 1, "r", unmade, changes.Booked, Closure("r", 1, 2, "", None)):  # type: ignore[arg-type]
                with pytest.raises(TransactionError, match="lacks the record"):
                    calendar.apply(kind(record))  # type: ignore[arg-type]
        for pair in ((None, None), (event, None), (None, event), (event, unmade)):
            with pytest.raises(TransactionError, match="lacks the record"):
                calendar.apply(changes.Moved(*pair))
        assert fingerprint(calendar) == before

    def test_a_deadline_of_another_calendar_must_go_with_those_here(self, store: Any) -> None:
        """Also where no clock compares them: a snapshot of this calendar is restored with one."""
        follower = rooms(store)

        def hold(until: Any, at: int = 5) -> None:
            follower.apply(changes.Booked(BookingEvent("r", at, at + 1, id=at), held=True, until=until))

        for until in (float("nan"), Decimal("nan"), {1}, 1j):
            with pytest.raises((KeyTypeError, InvalidKeyError)):
                hold(until)
        hold(5, at=7)
        before = fingerprint(follower)
        others: list[Any] = ["5", (5,), datetime(2026, 1, 1), date(2026, 1, 1), timedelta(5), float("nan")]
        for until in others:
            with pytest.raises((KeyTypeError, InvalidKeyError)):
                hold(until)
        assert fingerprint(follower) == before
        follower.check()
        follower.confirm(7)
        hold(datetime(2026, 1, 1))

    def test_a_refused_booking_of_another_calendar_takes_no_number(self, store: Any) -> None:
        """The next booking gets the number that it would have had."""
        leader, follower = rooms(MemoryStore()), rooms(store)
        follower.book("r", 1, 5)
        events = [leader.book("r", at, at + 1) for at in range(7)]
        with pytest.raises(ConflictError):
            follower.apply(changes.Booked(events[3]))
        assert follower.book("r", 5, 6).id == 2
        follower.apply(changes.Booked(events[6]))
        assert follower.book("r", 8, 9).id == leader.book("r", 8, 9).id == 8

    def test_a_move_to_a_resource_told_by_its_id_is_followed(self, store: Any) -> None:
        """As with a booking, whose event may have the id for its resource too."""
        calendar = rooms(store)
        event = calendar.book("r", 1, 5)
        calendar.apply(changes.Moved(event, BookingEvent("q", 2, 6)))
        assert [(one.resource.id, one.start, one.id) for one in calendar.bookings()] == [("q", 2, event.id)]
