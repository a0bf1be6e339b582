"""Conformance tests of many changes as one: transactions, what-if, many requests at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    CalendarBrokenError,
    ConflictError,
    DuplicateBookingError,
    FieldError,
    HoldExpiredError,
    InvalidKeyError,
    InvalidQuantityError,
    InvalidSpanError,
    KeyTypeError,
    QueryError,
    Resource,
    Status,
    TransactionError,
    UnknownBookingError,
    UnknownResourceError,
    changes,
)
from bookcore.testing.contract_laws import fingerprint
from bookcore.testing.contract_life import rooms
from bookcore.testing.contract_threads import join_all, run_together
from bookcore.testing.every_change import Clock


def upheaval(calendar: Calendar, booking: BookingEvent, hold: BookingEvent, closure: Any) -> None:
    """Do a bit of everything to a calendar of `rooms`."""
    calendar.remove_booking(booking)
    calendar.book("r", 2, 20)
    calendar.confirm(hold)
    calendar.split(calendar.move(hold, start=4), 6)
    calendar.reopen(closure)
    calendar.close("r", 25, 27, "inspection")
    calendar.close_all(calendar.resources, 40, 41)
    calendar.untag("r", "x")
    calendar.tag("q", "x")
    calendar.add_resource(Resource("z"))
    calendar.book("z", 1, 2)
    calendar.load([BookingEvent("z", at, at + 1) for at in range(3, 50)])
    calendar.book_all([("z", 60, 61), ("z", 60, 62)], on_conflict="skip")
    calendar.book_any(calendar.resources, 70, 71)
    calendar.remove_resource("s")
    calendar.create_index("capacity", key=lambda resource: resource.capacity)


def fail_inside(calendar: Calendar, do: Callable[[], Any]) -> None:
    """Do something in a transaction that then fails."""
    with calendar.transaction():
        do()
        raise ZeroDivisionError


class Priced(Resource):
    """A resource with a value to index."""

    def __init__(self, id: Any, price: Any) -> None:
        super().__init__(id)
        self.price = price


class Moody:
    """A label that can be hashed until it fails."""

    fails = False

    def __hash__(self) -> int:
        if self.fails:
            raise ZeroDivisionError
        return 7

    def __eq__(self, other: object) -> bool:
        return self is other


class ChangeExam:
    """Whatever is done inside a transaction."""

    # -- all or nothing ----------------------------------------------------------------------------

    @pytest.mark.parametrize("way", ["transaction", "inner", "what_if"])
    def test_what_is_undone_leaves_no_trace(self, store: Any, way: str) -> None:
        """Every kind of change is undone, and so are the numbers of the next ids; subscribers are not called."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        calendar.add_resource(Resource("s"))
        booking, hold = calendar.book("r", 1, 5), calendar.hold("q", 1, 9, ttl=50, quantity=2)
        calendar.tag("r", "x")
        calendar.tag("s", "x")
        closure = calendar.close("q", 20, 22, "paint")
        calendar.close("s", 1, 2)
        told: list[changes.Change] = []
        calendar.subscribe(told.append)
        before = fingerprint(calendar)
        if way == "what_if":
            with calendar.what_if():
                upheaval(calendar, booking, hold, closure)
                assert fingerprint(calendar) != before
        elif way == "transaction":
            with pytest.raises(ZeroDivisionError):
                fail_inside(calendar, lambda: upheaval(calendar, booking, hold, closure))
        else:
            with calendar.transaction(), pytest.raises(ZeroDivisionError):
                fail_inside(calendar, lambda: upheaval(calendar, booking, hold, closure))
        assert fingerprint(calendar) == before
        assert told == []
        assert (booking.owns_lock, hold.status) == (True, "held")
        assert calendar.get(hold.id) == hold
        clock.now = 151
        assert hold.status == "released", "its deadline came back with it"
        assert calendar.book("q", 1, 2).id == hold.id + 1
        assert calendar.close("q", 1, 2).id == 3
        calendar.check()

    def test_undoing_asks_no_key_of_an_index(self, store: Any) -> None:
        """Indexes hold again what they held, whatever the resources and their values would say by now."""
        calendar = rooms(store)
        things = [calendar.add_resource(Priced(id, price)) for id, price in (("a", 10), ("b", 20), ("c", 20), ("d", 30))]
        index = calendar.create_index("price", key=lambda resource: resource.price)
        before = fingerprint(calendar), [index.equal(price).ids() for price in (10, 20, 30, 40)]
        held = calendar.book("r", 1, 2)
        things[2].price = 40
        with calendar.what_if():
            calendar.remove_resource("c")
            calendar.remove_booking(held)
            calendar.remove_resource("a")
            calendar.reindex("b")
            things[1].price = 5
            calendar.reindex("b")
            things[3].price = None
            calendar.reindex("d")
            calendar.add_resource(Priced("e", 15))
            calendar.add_resource(Priced("f", 1))
            calendar.remove_resource("e")
            calendar.create_index("other", key=lambda resource: resource.price)
            assert index.between(None, None).ids() == ["b", "f"]
            things[0].price = "text"
            calendar.check()
        assert calendar.get(held.id) == held
        calendar.check()
        calendar.remove_booking(held)
        assert (fingerprint(calendar), [index.equal(price).ids() for price in (10, 20, 30, 40)]) == before
        calendar.reindex("c")
        assert index.equal(40).ids() == ["c"]
        calendar.check()

    def test_what_cannot_be_undone_now_is_undone_by_rebuild(self, store: Any) -> None:
        """Until then the calendar says that it is broken, and answers nothing."""
        calendar = rooms(store)
        kept = calendar.book("q", 1, 2)
        moody = Moody()
        calendar.tag("r", moody, "x")
        calendar.add_resource(Resource("s"))

        def try_out() -> None:
            with calendar.what_if():
                calendar.remove_booking(kept)
                calendar.tag("s", "new")
                calendar.remove_resource("r")
                calendar.add_resource(Resource("t"))
                calendar.untag("s", "new")
                moody.fails = True

        with pytest.raises(TransactionError):
            try_out()
        for call in (lambda: len(calendar), lambda: calendar.book("s", 1, 2), calendar.rebuild):
            with pytest.raises(CalendarBrokenError):
                call()
        moody.fails = False
        calendar.rebuild()
        assert calendar.get(kept.id) == kept
        assert calendar.tagged(moody).ids() == ["r"]
        assert calendar.resources.ids() == ["r", "q", "s"]
        assert calendar.is_available("r", 1, 2)
        assert not calendar.is_available("q", 1, 2, 3)
        assert not calendar.tagged("new")
        assert calendar.tagged("x").ids() == ["r"]
        calendar.check()
        calendar.add_resource(Resource("t"))
        calendar.book("t", 1, 2)
        calendar.check()

    def test_an_undone_booking_was_never_made(self, store: Any) -> None:
        """The event is as it was before: without an id, or in its old place in the order."""
        calendar = rooms(store)
        fresh = [BookingEvent("q", 1, 5) for _ in range(2)]
        old, young = calendar.book("q", 1, 5), calendar.book("q", 1, 5)
        many = [BookingEvent("r", at, at + 1) for at in range(40)]
        with calendar.what_if():
            calendar.remove_booking(old)
            calendar.add_booking(old)
            calendar.add_booking(fresh[0])
            calendar.remove_booking(fresh[0])
            calendar.load([fresh[1]])
            calendar.load(many)
        assert list(calendar.bookings()) == list(calendar.bookings("q")) == [old, young]
        assert [event.id for event in (*fresh, *many)] == [None] * 42
        other = calendar.book("q", 1, 5)
        calendar.remove_booking(young)
        assert calendar.add_booking(fresh[0]).id not in (old.id, other.id)
        assert list(calendar.bookings()) == list(calendar.conflicts("q", 2, 3)) == [old, other, fresh[0]]
        calendar.load(many)
        calendar.check()

    def test_a_hold_that_runs_out_inside_a_transaction_is_gone_there_too(self, store: Any) -> None:
        """For every call that changes something; and if that is undone, it has run out all the same."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        changes_it: list[Callable[[BookingEvent], Any]] = [
            lambda hold: calendar.split(hold, 3),
            lambda hold: calendar.move(hold, end=9),
            calendar.remove_booking,
            lambda hold: calendar.get(hold.id),
        ]
        for call in changes_it:
            for kind in (calendar.transaction, calendar.what_if):
                with kind():
                    hold = calendar.hold("r", 1, 5, ttl=10)
                    clock.now += 10
                    with pytest.raises(UnknownBookingError):
                        call(hold)
                    assert calendar.close("r", 1, 5).overlapping == ()
                    calendar.reopen(calendar.closures()[-1])
                assert not hold.owns_lock
        calendar.check()

    def test_a_clock_that_fails_leaves_the_calendar_usable(self, store: Any) -> None:
        """Its exception comes out of whatever call asked it; nothing has begun, and no lock is kept."""
        times: list[Any] = [100]
        calendar = Calendar(store, clock=lambda: times[-1] if times else 1 / 0)
        calendar.add_resource(Resource("r"))
        calendar.hold("r", 1, 5, ttl=10)
        times.clear()
        for kind in (calendar.transaction, calendar.what_if):
            with pytest.raises(ZeroDivisionError), kind():
                raise AssertionError("never gets here")
        times.append(100)
        told: list[Any] = []
        calendar.subscribe(told.append)

        def book(number: int) -> None:
            calendar.book("r", 6, 7)

        run_together(1, book)
        assert len(told) == 1
        calendar.check()

    def test_an_undone_hold_does_not_end_a_later_one(self, store: Any) -> None:
        """Nor one that was undone while it ran out; the deadlines of neither mean anything any more."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        with calendar.what_if():
            number = calendar.hold("r", 1, 5, ttl=10).id
        held = calendar.hold("r", 1, 5, ttl=100)
        assert held.id == number, "an undone booking takes no number"
        clock.now = 150
        assert held.status == "held"
        with calendar.what_if():
            gone = calendar.hold("q", 1, 5, ttl=10, id="x")
            clock.now = 170
            assert gone.status == "released"
        with pytest.raises(UnknownBookingError):
            calendar.confirm("x")
        for id in ("x", 99, None):  # the same number and deadline again and again, and ids that do not compare
            with calendar.what_if():
                assert calendar.hold("q", 1, 5, until=300, id=id).status == "held"
        clock.now = 190
        with calendar.what_if():
            clock.now = 210
            assert calendar.is_available("r", 1, 5)
        assert held.status == "released"
        with pytest.raises(HoldExpiredError):
            calendar.confirm(held)
        calendar.check()

    def test_what_is_kept_is_kept_whole(self, store: Any) -> None:
        """A transaction that ends well is as if each call had been made by itself."""
        calendar = rooms(store)
        with calendar.transaction():
            calendar.book("r", 1, 2)
            with calendar.transaction():
                calendar.book("r", 3, 4)
            with calendar.what_if():
                calendar.book("r", 5, 6)
            with pytest.raises(ConflictError):
                calendar.book("r", 1, 9)
        assert [event.start for event in calendar.bookings()] == [1, 3]
        calendar.check()

    def test_what_if_answers_and_forgets(self, store: Any) -> None:
        """Cancel A, move B: does C fit?"""
        calendar = rooms(store)
        a, b = calendar.book("r", 1, 5), calendar.book("r", 6, 9)
        with calendar.what_if():
            calendar.remove_booking(a)
            calendar.move(b, start=7)
            assert calendar.is_available("r", 1, 7)
        assert not calendar.is_available("r", 1, 7)
        assert (a.owns_lock, b.owns_lock) == (True, True)

    def test_other_threads_see_none_of_it_before_it_ends(self, store: Any) -> None:
        """Two bookings in one transaction are seen together or not at all."""
        calendar = rooms(store)
        seen: set[int] = set()

        def work(number: int) -> None:
            for _ in range(30):
                if number:
                    seen.add(len(list(calendar.bookings())))
                    seen.add(2 * calendar.find_booked(1, 5).count())
                else:
                    with calendar.transaction():
                        events = calendar.book("r", 1, 5), calendar.book("r", 6, 9)
                    with calendar.transaction():
                        for event in events:
                            calendar.remove_booking(event)

        run_together(4, work)
        assert seen <= {0, 2}

    def test_what_one_booking_and_all_are_said_to_be_waits_for_the_end_as_well(self, store: Any) -> None:
        """`len`, `owns_lock`, `status` and `repr`, asked from another thread while a transaction is open."""
        calendar = rooms(store)
        stay = calendar.book("r", 1, 5)
        before = [1, True, Status.CONFIRMED, repr(calendar)]
        seen: list[Any] = []
        readers = [
            threading.Thread(target=lambda read=read: seen.append((read, read())), daemon=True)
            for read in (lambda: len(calendar), lambda: stay.owns_lock, lambda: stay.status, lambda: repr(calendar))
        ]
        with calendar.what_if():
            calendar.remove_booking(stay)
            for reader in readers:
                reader.start()
            assert (len(calendar), stay.owns_lock, stay.status) == (0, False, Status.RELEASED)
        join_all(readers)
        assert all(answer in before for _, answer in seen)
        assert len(seen) == len(before)

    # -- capacity ----------------------------------------------------------------------------------

    def test_a_capacity_is_set_and_bookings_stay(self, store: Any) -> None:
        """More fits, or less, whatever was booked before; an undone block brings the old one again."""
        calendar = Calendar(store)
        room, pool = calendar.add_resource(Resource("room")), calendar.add_resource(Resource("pool", 3))
        calendar.book(room, 1, 5, id="a")
        calendar.book(pool, 1, 5, quantity=3, id="b")
        before = fingerprint(calendar)
        with calendar.what_if():
            calendar.set_capacity(room, 2)
            calendar.book(room, 3, 8, id="c")
            calendar.set_capacity(room, 1)
            calendar.set_capacity("pool", 2)
            calendar.check()
            assert [event.id for event in calendar.bookings()] == ["a", "b", "c"]
            assert calendar.find_available(3, 4).ids() == []
            assert calendar.find_available(8, 9, quantity=2).ids() == ["pool"]
            calendar.remove_booking("a")
            assert [calendar.is_available(room, at, at + 1) for at in (1, 4)] == [True, False]
            calendar.check()
        assert fingerprint(calendar) == before
        assert (room.capacity, pool.capacity) == (1, 3)
        calendar.check()

    # -- many requests -----------------------------------------------------------------------------

    def test_book_all_books_all_or_none(self, store: Any) -> None:
        """One that conflicts, or makes no sense, undoes those before it."""
        calendar = rooms(store)
        before = fingerprint(calendar)
        bad: list[tuple[type[Exception], Any]] = [
            (ConflictError, ("r", 4, 6)),
            (InvalidSpanError, ("r", 9, 8)),
            (UnknownResourceError, {"resource": "nobody", "start": 1, "end": 2}),
            (QueryError, ("r", 1)),
            (QueryError, {"resource": "r"}),
        ]
        for error, request in bad:
            with pytest.raises(error):
                calendar.book_all([("r", 1, 5), BookingEvent("q", 1, 5), request])
            assert fingerprint(calendar) == before
        with pytest.raises(QueryError):
            calendar.book_all([], on_conflict="ignore")  # type: ignore[arg-type]
        assert calendar.book_all(iter([("r", 1, 5), ("q", 1, 5)])).refused == ()
        assert len(calendar) == 2

    def test_book_all_that_skips_reports_each_refusal(self, store: Any) -> None:
        """What was booked, and for each refusal the request and what was in the way."""
        calendar = rooms(store)
        requests = [("r", 1, 5), {"resource": "q", "start": 1, "end": 5, "quantity": 3}, BookingEvent("r", 4, 6)]
        report = calendar.book_all(requests, on_conflict="skip")
        assert [event.resource.id for event in report.booked] == ["r", "q"]
        (refusal,) = report.refused
        assert refusal.request is requests[2]
        assert refusal.conflicts == (report.booked[0],)
        assert isinstance(refusal.error, ConflictError)
        assert len(calendar) == 2

    def test_book_all_that_skips_reports_requests_refused_for_every_reason(self, store: Any) -> None:
        """A span, a key, a resource, a quantity, an id, a field, an event, something that is no request at all."""
        calendar = rooms(store)
        standing = calendar.book("r", 50, 51, id="x")
        requests: list[tuple[type[BookcoreError], Any]] = [
            (InvalidSpanError, ("r", 9, 8)),
            (InvalidSpanError, ("r", 9, 9)),
            (InvalidSpanError, BookingEvent("r", 9, 8)),
            (KeyTypeError, ("r", "a", "b")),
            (InvalidKeyError, ("r", 1, float("nan"))),
            (UnknownResourceError, ("nobody", 1, 2)),
            (UnknownResourceError, ([], 1, 2)),
            (InvalidQuantityError, {"resource": "r", "start": 1, "end": 2, "quantity": 0}),
            (DuplicateBookingError, {"resource": "r", "start": 1, "end": 2, "id": "x"}),
            (DuplicateBookingError, standing),
            (FieldError, {"resource": "r", "start": 1, "end": 2, "status": "new"}),
            (FieldError, {"resource": "r", "start": 1, "end": 2, "id": []}),
            (ConflictError, ("r", 50, 52)),
            (QueryError, ("r", 1)),
            (QueryError, {"resource": "r"}),
            (QueryError, None),
            (QueryError, {"resource": "r", "start": 1, "end": 2, 3: 4}),
            (QueryError, {"resource": "r", "start": 1, "end": 2, "if_exists": "replace"}),
        ]
        good = [("r", at, at + 1) for at in range(60, 60 + len(requests))]
        asked = [each for pair in zip((request for _, request in requests), good, strict=True) for each in pair]
        report = calendar.book_all(asked, on_conflict="skip")
        assert [event.start for event in report.booked] == [start for _, start, _ in good]
        assert [refusal.request for refusal in report.refused] == [request for _, request in requests]
        assert [type(refusal.error) for refusal in report.refused] == [error for error, _ in requests]
        assert [refusal.conflicts for refusal in report.refused if refusal.conflicts] == [(standing,)]
        assert len(calendar) == 1 + len(good)

    def test_which_refusals_book_all_skips_is_a_choice(self, store: Any) -> None:
        """A class of errors or several; for another reason all is undone, and the error says which request it was."""
        calendar = rooms(store)
        calendar.book("r", 1, 5, id="x")
        taken, reversed_, unknown = ("r", 4, 6), ("r", 9, 8), ("nobody", 1, 2)
        choices: list[Any] = [ConflictError, InvalidSpanError, (ConflictError, InvalidSpanError), (), BookcoreError]
        for skips in choices:
            for request, error in ((taken, ConflictError), (reversed_, InvalidSpanError), (unknown, UnknownResourceError)):
                before = fingerprint(calendar)
                if issubclass(error, skips):
                    with calendar.what_if():
                        report = calendar.book_all([("r", 20, 21), request], skips)
                    assert [type(refusal.error) for refusal in report.refused] == [error]
                    assert len(report.booked) == 1
                else:
                    with pytest.raises(error) as caught:
                        calendar.book_all([("r", 20, 21), request, ("r", 22, 23)], skips)
                    assert caught.value.request is request
                assert fingerprint(calendar) == before
        for bad in ("ignore", ValueError, ConflictError("r", 1, 2), (ConflictError, "skip"), None, [ConflictError], 1):
            with pytest.raises(QueryError):
                calendar.book_all([], bad)  # type: ignore[arg-type]
