"""Conformance tests of holds: a hold is active until its deadline, and from that instant on no answer contains it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    ConflictError,
    HoldExpiredError,
    KeyTypeError,
    QueryError,
    Resource,
    UnknownBookingError,
)
from bookcore.testing.contract_life import rooms
from bookcore.testing.contract_store import BOUNDS
from bookcore.testing.every_change import Clock


class HoldExam:
    """What is held for a while, whatever the store."""

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_a_hold_frees_its_span_everywhere_the_instant_it_runs_out(self, store: Any, bounds: Any) -> None:
        """No answer contains an expired hold, and no call is needed to remove it."""
        clock = Clock()
        calendar = rooms(store, bounds, clock)
        asked: list[Callable[[], Any]] = [
            lambda: calendar.is_available("r", 2, 3),
            lambda: calendar.find_available(2, 3).ids() == ["r", "q"],
            lambda: calendar.find_booked(2, 3).ids() == [],
            lambda: "r" in calendar.find_available(2, 3),
            lambda: calendar.conflicts("r", 2, 3) == (),
            lambda: list(calendar.bookings()) == [],
            lambda: len(calendar) == 0,
            lambda: hold not in calendar,
            lambda: hold.id not in calendar,
            lambda: not hold.owns_lock,
            lambda: hold.status == "released",
            lambda: list(calendar.gaps("r", 1, 5)) == [(1, 5)],
            lambda: calendar.next_available("r", 1, 2) == (1, 3),
            lambda: calendar.nearest("r", 2, 3) == ((2, 3), (2, 3)),
            lambda: bool(calendar.explain("r", 2, 3)),
            lambda: [str(state) for _, _, state in calendar.free_busy("r", 2, 3)] == ["free"],
            lambda: list(calendar.occupancy("r", 2, 3)) == [(2, 3, 0)],
            lambda: next(calendar.find_slots(1, 2, 5, ["r"]))[0] == 2,
            lambda: calendar.remove_resource("r").id == "r",
        ]
        for ask in asked:
            hold = calendar.hold("r", 1, 5, ttl=10)
            assert (hold.status, hold.owns_lock, calendar.is_available("r", 2, 3)) == ("held", True, False)
            clock.now += 9
            assert hold.status == "held"
            clock.now += 1
            assert ask()
        calendar.check()

    @pytest.mark.parametrize(("bounds", "buffer"), [("[)", 1), ("[]", None)])
    def test_many_holds_of_a_pool_that_run_out_at_once_are_gone(
        self, store: Any, bounds: Any, buffer: int | None
    ) -> None:
        """From that instant each answer is that of a calendar without these holds, whichever question is asked first."""
        clock = Clock()
        calendar, other = Calendar(store, bounds=bounds, clock=clock), Calendar(bounds=bounds)
        for each in (calendar, other):
            each.add_resource(Resource("q", capacity=8, after=buffer))
            each.add_resource(Resource("r"))
        questions: list[Callable[[Calendar], Any]] = [
            lambda c: [c.is_available("q", at, at + 3, quantity=n) for at in range(0, 40, 2) for n in (1, 4, 7)],
            lambda c: [c.find_available(at, at + 2, quantity=n).ids() for at in range(0, 40, 5) for n in (1, 5)],
            lambda c: [c.find_booked(at, at + 2).ids() for at in range(0, 40, 5)],
            lambda c: [[e.start for e in c.conflicts("q", at, at + 2)] for at in range(0, 40, 5)],
            lambda c: [(e.start, e.end) for e in c.bookings("q")],
            lambda c: [list(c.gaps("q", 0, 40, quantity=n)) for n in (1, 5, 8)],
            lambda c: list(c.occupancy("q", 0, 40)),
            lambda c: c.free_busy("q", 0, 40),
            lambda c: [c.next_available("q", at, 4, quantity=n) for at in range(0, 40, 5) for n in (1, 6, 8)],
            lambda c: [c.nearest("q", at, at + 4, quantity=n) for at in range(0, 40, 5) for n in (1, 6, 8)],
            lambda c: [(a, b) for a, b, _ in c.find_slots(3, 0, 40, ["q"], quantity=7)],
            lambda c: [bool(c.explain("q", at, at + 4, quantity=6)) for at in range(0, 40, 5)],
            len,
        ]
        for turn, first in enumerate(questions):
            for at in range(1, 36, 2):
                with suppress(ConflictError):
                    for each in (calendar, other):
                        each.book("q", at, at + 2 + (at + turn) % 9, quantity=1 + at % 3)
            for at in range(36):
                with suppress(ConflictError):
                    calendar.hold("q", at, at + 1 + (5 * at + turn) % 7, quantity=1 + at % 2, until=clock.now + 1)
            assert len(calendar) > len(other)
            clock.now += 1
            assert first(calendar) == first(other)
            calendar.check()
            for ask in questions:
                assert ask(calendar) == ask(other)
            for start in range(0, 36, 3):  # both calendars accept and refuse the same bookings
                done = []
                for each in (calendar, other):
                    try:
                        done.append(each.book("q", start, start + 4, quantity=3).start)
                    except ConflictError:
                        done.append(None)
                assert done[0] == done[1]
            for each in (calendar, other):
                for event in list(each.bookings("q")):
                    each.remove_booking(event)
            calendar.check()

    def test_every_way_of_booking_looks_at_the_clock_first(self, store: Any) -> None:
        """The span of an expired hold can be booked."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        ways: list[Callable[[], BookingEvent]] = [
            lambda: calendar.book("r", 1, 5),
            lambda: calendar.add_booking(BookingEvent("r", 1, 5)),
            lambda: calendar.hold("r", 1, 5),
            lambda: calendar.book_all([("r", 1, 5)]).booked[0],
            lambda: calendar.book_any(["r"], 1, 5),
            lambda: calendar.move(calendar.book("q", 1, 5), resource="r"),
            lambda: calendar.get(calendar.load([BookingEvent("r", 1, 5, id=1)])),
        ]
        for book in ways:
            calendar.hold("r", 1, 5, ttl=1)
            clock.now += 1
            calendar.remove_booking(book())
        calendar.check()

    def test_a_hold_that_was_confirmed_in_time_stays(self, store: Any) -> None:
        """`confirm` returns the booking; to confirm it again changes nothing."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        hold = calendar.hold("r", 1, 5, until=110)
        assert calendar.confirm(hold) == hold
        assert calendar.confirm(hold.id) == hold
        clock.now = 1000
        assert hold.status == "confirmed"
        assert not calendar.is_available("r", 2, 3)

    def test_confirming_too_late_says_when_the_hold_ran_out(self, store: Any) -> None:
        """`HoldExpiredError` with the facts; a hold that was removed is unknown instead."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        late, gone = calendar.hold("r", 1, 5, until=105), calendar.hold("q", 1, 5, until=105)
        calendar.remove_booking(gone)
        clock.now = 107
        for wrong in (late, late.id):
            with pytest.raises(HoldExpiredError) as caught:
                calendar.confirm(wrong)
            assert (caught.value.until, caught.value.now) == (105, 107)
        unknowns: list[Any] = [gone, gone.id, "nobody", [], None]
        for unknown in unknowns:
            with pytest.raises(UnknownBookingError):
                calendar.confirm(unknown)

    def test_an_expired_hold_whose_id_is_booked_and_undone_is_expired_still(self, store: Any) -> None:
        """Whatever became of the booking with its id in the block that was undone."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        hold = calendar.hold("r", 1, 5, until=105, id="x")
        number = calendar.hold("q", 1, 5, until=105, id=9)
        clock.now = 107
        assert not len(calendar)

        def run_out() -> None:
            calendar.hold("r", 1, 5, until=clock.now + 1, id="x")
            clock.now += 1
            assert not len(calendar)

        tried: list[Callable[[], Any]] = [
            lambda: calendar.book("r", 1, 5, id="x"),
            lambda: calendar.remove_booking(calendar.book("r", 1, 5, id="x")),
            lambda: calendar.split(calendar.book("r", 1, 5, id="x"), 3),
            lambda: calendar.load([BookingEvent("r", at, at + 1, id="x" * (at + 1)) for at in range(60)]),
            lambda: calendar.load([BookingEvent("r", at, at + 1) for at in range(60)]),
            lambda: [calendar.book("r", at, at + 1) for at in range(9)],
            run_out,
        ]
        for attempt in tried:
            with calendar.what_if():
                attempt()
            for late in (hold, "x", number, 9):
                with pytest.raises(HoldExpiredError) as caught:
                    calendar.confirm(late)
                assert caught.value.until == 105
            calendar.check()

    @pytest.mark.parametrize("count", [1, 60])
    def test_a_booking_makes_its_id_forget_an_expired_hold(self, store: Any, count: int) -> None:
        """However it was booked: once it is released, its id is that of no booking."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        for id in ("x", 6):
            calendar.hold("r", 1, 5, until=clock.now + 5, id=id)
            clock.now += 7
            assert not len(calendar)
        assert 6 in [calendar.book("q", at, at + 1).id for at in range(6)]
        calendar.load([BookingEvent("r", at, at + 1, id="x" * (at + 1)) for at in range(count)])
        for event in list(calendar.bookings()):
            calendar.remove_booking(event)
        for unknown in ("x", 6):
            with pytest.raises(UnknownBookingError):
                calendar.confirm(unknown)

    def test_a_released_hold_does_not_take_its_successor_along(self, store: Any) -> None:
        """The deadline of a hold means nothing to a later booking of the same id."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        calendar.remove_booking(calendar.hold("r", 1, 5, ttl=10, id="x"))
        calendar.remove_booking(calendar.book("r", 1, 5, id="x"))
        later = calendar.hold("r", 1, 5, ttl=50, id="x")
        clock.now = 120
        assert later.status == "held"

    def test_a_hold_whose_deadline_cannot_be_compared_with_others_is_refused(self, store: Any) -> None:
        """Before anything has changed."""
        calendar = Calendar(store, clock=lambda: (1,))
        calendar.add_resource(Resource("r"))
        calendar.hold("r", 1, 2, until=(2, "a"))
        with pytest.raises(KeyTypeError, match="other deadlines"):
            calendar.hold("r", 5, 6, until=(2, 7))
        assert (len(calendar), calendar.is_available("r", 5, 6)) == (1, True)
        calendar.hold("r", 5, 6, until=(2, "b"))

    def test_a_hold_that_cannot_be_is_refused(self, store: Any) -> None:
        """Taken, past, two deadlines, or a deadline without a clock: nothing is held."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        wall = calendar.book("r", 1, 5)
        with pytest.raises(ConflictError) as caught:
            calendar.hold("r", 4, 6, ttl=10)
        assert caught.value.conflicts == (wall,)
        with pytest.raises(HoldExpiredError):
            calendar.hold("r", 6, 7, until=100)
        with pytest.raises(QueryError):
            calendar.hold("r", 6, 7, until=110, ttl=10)
        for wrong in ("soon", -1):
            with pytest.raises(KeyTypeError):
                calendar.hold("r", 6, 7, ttl=wrong)
        assert list(calendar.bookings()) == [wall]
        timeless = Calendar()
        timeless.add_resource(Resource("r"))
        with pytest.raises(QueryError):
            timeless.hold("r", 1, 5, ttl=10)
        assert timeless.hold("r", 1, 5).status == "held"

    def test_an_instant_nested_too_deeply_is_refused(self, store: Any) -> None:
        """A tuple in a tuple, too often to be looked into, is no key and no instant."""
        calendar = rooms(store, clock=Clock())
        deep: Any = 1
        for _ in range(100_000):
            deep = (deep,)
        calls: list[Callable[[], Any]] = [
            lambda: calendar.hold("r", 1, 2, until=deep),
            lambda: calendar.hold("r", 1, 2, ttl=deep),
            lambda: calendar.book("r", deep, None),
            lambda: calendar.is_available("r", None, deep),
        ]
        for call in calls:
            with pytest.raises(KeyTypeError):
                call()
        assert len(calendar) == 0
