"""Conformance tests of what changes a booking: units, moves, splits, repeated requests, through `Calendar(store)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    ConflictError,
    DuplicateBookingError,
    InvalidQuantityError,
    InvalidSpanError,
    KeyTypeError,
    NoneAvailableError,
    QueryError,
    Resource,
    UnknownBookingError,
    UnknownResourceError,
)
from bookcore.testing.contract_laws import fingerprint
from bookcore.testing.contract_store import BOUNDS
from bookcore.testing.every_change import Clock


def rooms(store: Any, bounds: Any = "[)", clock: Clock | None = None) -> Calendar:
    """Return a calendar on a fresh store with the resource "r" and "q", which has a capacity of three."""
    calendar = Calendar(store, bounds=bounds, clock=clock)
    calendar.add_resource(Resource("r"))
    calendar.add_resource(Resource("q", capacity=3))
    return calendar


class LifeExam:
    """What a booking can become, whatever the store."""

    # -- units -------------------------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_the_peak_of_use_decides_and_not_the_number_of_bookings(self, store: Any, bounds: Any) -> None:
        """Bookings that never meet leave room that as many at one time would not."""
        calendar = rooms(store, bounds)
        for start in (1, 4, 7):
            calendar.book("q", start, start + 2)
        assert [calendar.is_available("q", 0, 9, quantity=n) for n in (1, 2, 3)] == [True, True, False]
        assert calendar.find_available(0, 9, quantity=2).ids() == ["q"]
        calendar.book("q", 1, 9, quantity=2)
        assert not calendar.is_available("q", 4, 5)
        assert calendar.is_available("q", 3.2, 3.8), "between two of one unit"
        assert calendar.find_booked(4, 5).ids() == ["q"]
        assert calendar.is_available("q", 10, 12, quantity=3)
        with pytest.raises(ConflictError) as caught:
            calendar.book("q", 2, 4, quantity=2)
        assert [event.start for event in caught.value.conflicts] == ([1, 1] if bounds == "[)" else [1, 1, 4])
        assert caught.value.quantity == 2

    def test_in_the_way_in_a_pool_is_what_is_in_use_where_too_little_is_left(self, store: Any) -> None:
        """Bookings elsewhere in the span are not listed; nor any where there is room, or too small a capacity."""
        calendar = rooms(store)
        early, wide, late = (calendar.book("q", a, b) for a, b in ((1, 4), (3, 6), (5, 9)))
        assert calendar.conflicts("q", 2, 9) == calendar.conflicts("q", 7, 9, quantity=2) == ()
        assert calendar.conflicts("q", 2, 5, quantity=2) == (early, wide)
        assert calendar.conflicts("q", 2, 9, quantity=3) == (early, wide, late)
        assert calendar.conflicts("q", 2, 9, quantity=4) == ()
        calendar.book("q", 8, 9, quantity=2)
        with pytest.raises(ConflictError) as caught:
            calendar.book("q", 7, 9)
        assert [event.start for event in caught.value.conflicts] == [5, 8]
        with pytest.raises(InvalidQuantityError):
            calendar.conflicts("q", 2, 9, quantity=0)

    def test_more_units_than_there_are_is_never_available_and_says_so(self, store: Any) -> None:
        """Quantity over capacity is no error of the question; booking it is a `ConflictError` that names the capacity."""
        calendar = rooms(store)
        assert not calendar.is_available("q", 1, 2, quantity=4)
        assert not calendar.find_available(None, None, quantity=4)
        for call in (calendar.book, calendar.hold):
            with pytest.raises(ConflictError, match="capacity is 3") as caught:
                call("q", 1, 2, quantity=4)
            assert (caught.value.conflicts, caught.value.quantity) == ((), 4)

    def test_more_units_than_python_writes_out_are_too_many_like_any(self, store: Any) -> None:
        """Python refuses to make text of an int of so many digits; the errors, which are text, do without."""
        calendar, many = rooms(store), 10**5000
        calls: list[Callable[[], Any]] = [
            lambda: calendar.book("q", 1, 2, quantity=many),
            lambda: calendar.hold("q", 1, 2, quantity=many),
            lambda: calendar.add_booking(BookingEvent("q", 1, 2, quantity=many)),
            lambda: calendar.load([BookingEvent("q", 1, 2, quantity=many)]),
        ]
        for call in calls:
            with pytest.raises(ConflictError, match=r"int of 16,610 bits> of 'q' .* capacity is 3"):
                call()
        with pytest.raises(NoneAvailableError, match="int of 16,610 bits> units") as caught:
            calendar.book_any(["q"], 1, 2, quantity=many)
        assert [one.quantity for one in caught.value.refused] == [many]
        request = {"resource": "q", "start": 1, "end": 2, "quantity": many}
        assert [one.request for one in calendar.book_all([request], "skip").refused] == [request]
        why = calendar.explain("q", 1, 2, many)
        assert [cause.kind for cause in why.causes] == ["quantity"]
        assert "int of 16,610 bits> asked for" in str(why)
        assert len(calendar) == 0

    def test_a_capacity_and_buffer_that_python_does_not_write_out_are_told(self, store: Any) -> None:
        """A resource with that many units can be booked completely, and buffers of that length are kept."""
        calendar, many = Calendar(store), 10**5000
        calendar.add_resource(Resource("pool", many))
        calendar.add_resource(Resource("slow", before=many))
        calendar.book("pool", 1, 9, quantity=many - 1)
        calendar.book("slow", 1, 2)
        with pytest.raises(ConflictError):
            calendar.book("pool", 2, 3, quantity=2)
        with pytest.raises(ConflictError, match="its capacity is <int of"):
            calendar.book("pool", 2, 3, quantity=many + 1)
        assert "takes <int of 16,610 bits> of <int of" in str(calendar.explain("pool", 2, 3, 2))
        assert "buffer of 0x31e20801036510f3" in str(calendar.explain("slow", 3, 4))
        assert len(calendar) == 2

    @pytest.mark.parametrize("quantity", [0, -1, 1.0, True, "2", None])
    def test_a_quantity_that_is_no_count_is_refused_everywhere(self, store: Any, quantity: Any) -> None:
        """`InvalidQuantityError`, and nothing is booked."""
        calendar = rooms(store)
        calls: list[Callable[[], Any]] = [
            lambda: calendar.book("q", 1, 2, quantity=quantity),
            lambda: calendar.add_booking(BookingEvent("q", 1, 2, quantity=quantity)),
            lambda: calendar.load([BookingEvent("q", 1, 2, quantity=quantity)]),
            lambda: calendar.hold("q", 1, 2, quantity=quantity),
            lambda: calendar.book_any(["q"], 1, 2, quantity=quantity),
            lambda: calendar.is_available("q", 1, 2, quantity=quantity),
            lambda: calendar.find_available(1, 2, quantity=quantity),
            lambda: calendar.gaps("q", 1, 2, quantity=quantity),
            lambda: calendar.next_available("q", 1, 2, quantity=quantity),
            lambda: calendar.explain("q", 1, 2, quantity=quantity),
        ]
        for call in calls:
            with pytest.raises(InvalidQuantityError):
                call()
        assert len(calendar) == 0

    # -- moving ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_a_move_ignores_its_own_lock_and_keeps_id_and_fields(self, store: Any, bounds: Any) -> None:
        """A booking may move to where it overlaps itself; the event from before has no lock any more."""
        calendar = rooms(store, bounds)
        old = calendar.book("r", 1, 5, id="x", guest="Ada")
        new = calendar.move(old, start=3, end=8)
        assert (new.id, new.start, new.end, new.fields["guest"]) == ("x", 3, 8, "Ada")
        assert (new.owns_lock, old.owns_lock, old in calendar, len(calendar)) == (True, False, False, 1)
        assert calendar.is_available("r", 1, 2)
        assert not calendar.is_available("r", 7, 8)
        assert calendar.get("x") == new
        with pytest.raises(UnknownBookingError):
            calendar.move(old, start=10)
        with pytest.raises(UnknownBookingError):
            calendar.remove_booking(old)
        calendar.check()

    def test_a_move_to_another_resource_is_one_step(self, store: Any) -> None:
        """The units are freed on one resource and taken on the other."""
        calendar = rooms(store)
        event = calendar.book("q", 1, 5)
        calendar.book("q", 1, 5, quantity=2)
        moved = calendar.move(event, resource="r")
        assert moved.resource.id == "r"
        assert calendar.is_available("q", 1, 5)
        assert not calendar.is_available("r", 4, 5)
        back = calendar.move(moved.id, resource="q", end=7)
        assert (back.resource.id, back.end) == ("q", 7)
        assert not calendar.is_available("q", 4, 5)
        calendar.check()

    def test_a_move_keeps_the_place_in_the_order_of_booking(self, store: Any) -> None:
        """Of two that start together, the one that was booked first comes first."""
        calendar = rooms(store)
        first, second = calendar.book("q", 5, 9, id=1), calendar.book("q", 2, 4, id=2)
        calendar.move(first, start=2, end=3)
        assert [event.id for event in calendar.bookings("q")] == [1, 2]
        assert [event.id for event in calendar.conflicts("q", 2, 3, quantity=3)] == [1, 2]
        assert second.owns_lock

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_a_refused_move_leaves_everything_as_it_was(self, store: Any, bounds: Any) -> None:
        """A refused move changes nothing, whatever the reason, and the booking is still active."""
        calendar = rooms(store, bounds)
        event, wall = calendar.book("r", 1, 5), calendar.book("r", 8, 9)
        wide = calendar.book("q", 1, 5, quantity=2)
        before = fingerprint(calendar)
        with pytest.raises(ConflictError) as caught:
            calendar.move(event, end=9)
        assert caught.value.conflicts == (wall,)
        refused: list[tuple[type[Exception], Callable[[], Any]]] = [
            (ConflictError, lambda: calendar.move(wide, resource="r", start=20, end=21)),
            (InvalidSpanError, lambda: calendar.move(event, start=6)),
            (KeyTypeError, lambda: calendar.move(event, end="late")),
            (UnknownResourceError, lambda: calendar.move(event, resource="nobody")),
            (UnknownBookingError, lambda: calendar.move("nobody", start=1)),
        ]
        for error, call in refused:
            with pytest.raises(error):
                call()
        assert fingerprint(calendar) == before
        assert event.owns_lock
        calendar.check()

    def test_a_hold_that_is_moved_or_split_is_still_held(self, store: Any) -> None:
        """A moved hold keeps its deadline."""
        clock = Clock()
        calendar = rooms(store, clock=clock)
        moved = calendar.move(calendar.hold("r", 1, 5, ttl=10), start=3, end=9)
        parts = calendar.split(moved, 6)
        assert [part.status for part in parts] == ["held", "held"]
        clock.now = 110
        assert [part.status for part in parts] == ["released", "released"]
        assert calendar.is_available("r", 1, 9)

    # -- splitting ---------------------------------------------------------------------------------

    def test_a_split_holds_the_span_throughout(self, store: Any) -> None:
        """Two bookings where one was; the first keeps the id, both keep the rest."""
        calendar = rooms(store)
        event = calendar.book("q", 1, 9, id="x", quantity=3, guest="Ada")
        first, second = calendar.split(event, 4)
        parts = [(e.start, e.end, e.quantity, e.fields["guest"]) for e in (first, second)]
        assert parts == [(1, 4, 3, "Ada"), (4, 9, 3, "Ada")]
        assert (first.id, event.owns_lock) == ("x", False)
        assert second.id != "x"
        assert [calendar.is_available("q", at, at + 1) for at in (0, 1, 3, 4, 8, 9)] == [True, *[False] * 4, True]
        calendar.check()

    def test_a_split_that_cannot_be_is_refused(self, store: Any) -> None:
        """At an end, outside, at something else, where both parts would hold the key, or buffers leave no room."""
        calendar = rooms(store)
        event = calendar.book("r", 1, 9)
        before = fingerprint(calendar)
        for at in (1, 9, 0, 20, None):
            with pytest.raises(InvalidSpanError):
                calendar.split(event, at)
        with pytest.raises(KeyTypeError):
            calendar.split(event, "noon")
        with pytest.raises(UnknownBookingError):
            calendar.split("nobody", 4)
        assert fingerprint(calendar) == before
        calendar.add_resource(Resource("turn", after=1))
        whole = calendar.book("turn", 1, 9)
        with pytest.raises(ConflictError):
            calendar.split(whole, 4)
        assert (whole.owns_lock, list(calendar.bookings("turn"))) == (True, [whole])
        days = Calendar(bounds="[]")
        days.add_resource(Resource("r"))
        with pytest.raises(InvalidSpanError):
            days.split(days.book("r", 1, 9), 4)

    # -- twice -------------------------------------------------------------------------------------

    def test_the_same_request_again_returns_the_booking_that_stands(self, store: Any) -> None:
        """Same id and content: the same booking; other content: `DuplicateBookingError`; and only if asked for."""
        calendar = rooms(store)

        def ask(**changes: Any) -> BookingEvent:
            asked = {"resource": "r", "start": 1, "end": 5, "id": "x", "guest": "Ada", "if_exists": "return", **changes}
            return calendar.book(asked.pop("resource"), asked.pop("start"), asked.pop("end"), **asked)

        first = ask()
        assert ask() == first
        others: list[dict[str, Any]] = [{"end": 6}, {"start": 2}, {"guest": "Bob"}, {"resource": "q"}, {"quantity": 2}]
        for other in [*others, {"if_exists": "raise"}]:
            with pytest.raises(DuplicateBookingError, match="'x'") as caught:
                ask(**other)
            assert caught.value.standing == first
        with pytest.raises(QueryError):
            ask(if_exists="ignore")
        calendar.remove_booking(first)
        assert ask() != first
        assert len(calendar) == 1
        hold = calendar.hold("q", 1, 5, id="h", if_exists="return")
        assert calendar.hold("q", 1, 5, id="h", if_exists="return") == hold
        assert hold.fields == {}
        with pytest.raises(DuplicateBookingError):
            calendar.hold("q", 1, 6, id="h", if_exists="return")
