"""Conformance tests of each call of a calendar, through `Calendar(store)`: each row of the contract's table, each error."""

from __future__ import annotations

import copy
import pickle
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest

from bookcore import (
    BookableResource,
    BookcoreError,
    BookingEvent,
    BookingService,
    Calendar,
    ConflictError,
    DuplicateBookingError,
    DuplicateResourceError,
    FieldError,
    InvalidQuantityError,
    InvalidSpanError,
    KeyTypeError,
    QueryError,
    Resource,
    ResourceError,
    ResourceInUseError,
    StoreError,
    UnknownBookingError,
    UnknownResourceError,
)
from bookcore.model.resource import overwrite
from bookcore.testing.contract_store import BOUNDS
from bookcore.testing.strategies import Hostile


def room(store: Any, bounds: Any = "[)", **facts: Any) -> tuple[Calendar, Resource]:
    """Return a calendar on a fresh store, and one resource in it."""
    calendar = Calendar(store, bounds=bounds)
    return calendar, calendar.add_resource(Resource("room", **facts))


def starts(events: Any) -> list[Any]:
    """Return the starts of some bookings."""
    return [event.start for event in events]


@dataclass(eq=False)
class Stay(BookingEvent):
    """A booking with a field of its own."""

    guest: str = "nobody"


class CalendarExam:
    """What `Calendar` promises, whatever the store."""

    # -- resources ---------------------------------------------------------------------------------

    def test_a_resource_is_registered_and_returned(self, store: Any) -> None:
        """`add_resource` gives back the object it was given, which then knows its calendar."""
        calendar = Calendar(store)
        flat = Resource("flat")
        assert calendar.add_resource(flat) is flat
        assert list(calendar.resources) == [flat]
        assert flat.is_available(1, 2)
        assert isinstance(flat, BookableResource)
        assert isinstance(calendar, BookingService)

    def test_the_same_id_twice_is_refused(self, store: Any) -> None:
        """One resource an id; the error names the one given."""
        calendar, first = room(store)
        second = Resource("room")
        with pytest.raises(DuplicateResourceError) as caught:
            calendar.add_resource(second)
        assert caught.value.resource is second
        assert list(calendar.resources) == [first]

    def test_a_resource_with_bookings_cannot_be_removed(self, store: Any) -> None:
        """`remove_resource` refuses while there are active bookings, and otherwise forgets the resource completely."""
        calendar, flat = room(store)
        stay = calendar.book(flat, 1, 5)
        with pytest.raises(ResourceInUseError) as caught:
            calendar.remove_resource(flat)
        assert (caught.value.resource, caught.value.count) == (flat, 1)
        calendar.remove_booking(stay)
        assert calendar.remove_resource("room") is flat
        assert not calendar.resources
        with pytest.raises(UnknownResourceError):
            calendar.is_available(flat, 1, 2)
        with pytest.raises(BookcoreError):
            flat.is_available(1, 2)
        assert calendar.add_resource(flat) is flat

    def test_objects_that_only_have_an_id_are_resources_too(self, store: Any) -> None:
        """A namedtuple, or any object with a hashable id, can be booked and found."""
        Row = namedtuple("Row", "id name")
        calendar = Calendar(store)
        row = calendar.add_resource(Row(7, "seven"))
        odd = calendar.add_resource(type("Odd", (), {"id": ("a", 1)})())
        calendar.book(row, 1, 5)
        calendar.book(("a", 1), 1, 5)
        assert list(calendar.find_booked(2, 3)) == [row, odd]
        assert not calendar.is_available(7, 2, 3)
        assert calendar.get(1).resource is row

    def test_a_thing_without_a_usable_id_is_refused(self, store: Any) -> None:
        """No id, None, or one that cannot be hashed or compared: `ResourceError`."""
        calendar, _ = room(store)
        bad: Any
        for bad in (None, [], Hostile("__hash__")):
            with pytest.raises(ResourceError):
                calendar.add_resource(type("Thing", (), {"id": bad})())
        for thing in (object(), 5, "text", Hostile("__getattr__")):
            with pytest.raises(ResourceError):
                calendar.add_resource(thing)
        assert len(calendar.resources) == 1

    @pytest.mark.parametrize("capacity", [0, -1, 1.0, True, "2"])
    def test_a_capacity_that_is_no_count_is_refused(self, store: Any, capacity: Any) -> None:
        """A capacity is an int of at least one."""
        calendar = Calendar(store)
        with pytest.raises(InvalidQuantityError):
            calendar.add_resource(Resource("flat", capacity))
        assert not calendar.resources

    # -- booking -----------------------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_booking_holds_the_span_behind_the_calendar_too(self, store: Any, bounds: Any) -> None:
        """`book` makes an event that owns its lock, and the store holds just that event."""
        calendar, flat = room(store, bounds)
        stay = calendar.book(flat, 3, 7, id="x", guest="Ada")
        assert (stay.resource, stay.start, stay.end, stay.id, stay.fields["guest"]) == (flat, 3, 7, "x", "Ada")
        assert stay.owns_lock
        assert stay.status == "confirmed"
        assert calendar.get("x") is stay  # an event with fields is kept itself
        assert stay in calendar
        assert "x" in calendar
        assert len(calendar) == 1
        record = calendar._engine.state.registry.record(flat)
        assert [row[:2] for row in store.overlapping(record, 4, 5)] == [(3, 7)]
        calendar.remove_booking(stay)
        assert list(store.overlapping(record, None, None)) == []
        assert not stay.owns_lock
        assert stay.status == "released"
        assert stay not in calendar

    def test_a_taken_span_is_refused_with_everything_in_the_way(self, store: Any) -> None:
        """`ConflictError` carries resource, span and every booking in the way, in order; nothing has changed."""
        calendar, flat = room(store)
        late = calendar.book(flat, 6, 8)
        early = calendar.book(flat, 1, 3)
        calendar.book(flat, 20, 30)
        with pytest.raises(ConflictError) as caught:
            calendar.book("room", 2, 10, id="mine")
        error = caught.value
        assert error.resource is flat
        assert (error.start, error.end) == (2, 10)
        assert error.conflicts == (early, late)
        assert error.http_hint == 409
        assert len(calendar) == 3
        assert "mine" not in calendar
        assert calendar.is_available(flat, 3, 6)

    def test_an_event_of_the_callers_own_is_locked(self, store: Any) -> None:
        """`add_booking` takes an event, its resource given as object or id, and returns it."""
        calendar, flat = room(store)
        by_id = BookingEvent("room", 1, 2)
        assert calendar.add_booking(by_id) is by_id
        assert by_id.resource is flat
        stay = Stay(flat, 2, 3, guest="Ada")
        assert calendar.add_booking(stay).guest == "Ada"  # type: ignore[attr-defined]  # a field without a class
        assert starts(calendar.bookings()) == [1, 2]

    def test_a_booked_event_cannot_be_changed(self, store: Any) -> None:
        """Resource, start, end, id and quantity of a booked event are settled, then and later."""
        calendar, flat = room(store)
        stay = calendar.book(flat, 1, 5)
        for name in ("resource", "start", "end", "id", "quantity"):
            with pytest.raises(AttributeError):
                setattr(stay, name, 99)
        calendar.remove_booking(stay)
        assert calendar.is_available(flat, 1, 5)

    def test_changing_the_callers_resource_does_not_reach_the_calendar(self, store: Any) -> None:
        """The id and the capacity of a resource are read once, when it is added."""
        calendar, flat = room(store)
        calendar.book(flat, 1, 5)
        overwrite(flat, "capacity", 99)  # past what refuses it
        with pytest.raises(ConflictError):
            calendar.book("room", 1, 5)

    def test_a_copy_of_a_booking_owns_no_lock(self, store: Any) -> None:
        """Copies carry the facts, not the lock."""
        calendar, flat = room(store)
        stay = calendar.book(flat, 1, 5, guest="Ada")
        for twin in (copy.copy(stay), pickle.loads(pickle.dumps(BookingEvent("room", 1, 5, id=1, guest="Ada")))):  # noqa: S301
            assert (twin.start, twin.end, twin.id, twin.fields["guest"], twin.owns_lock) == (1, 5, 1, "Ada", False)
            assert twin not in calendar
            with pytest.raises(UnknownBookingError):
                calendar.remove_booking(twin)
        assert stay.owns_lock

    def test_ids_are_made_up_where_none_is_given_and_never_collide(self, store: Any) -> None:
        """An id that the calendar makes differs from the ids of all active bookings."""
        calendar, flat = room(store)
        calendar.book(flat, 0, 1, id=2)
        made = [calendar.book(flat, at, at + 1).id for at in range(1, 5)]
        assert len({2, *made}) == 5
        assert all(calendar.get(id).start == at for at, id in enumerate(made, 1))

    def test_the_same_id_or_event_again_is_refused(self, store: Any) -> None:
        """`DuplicateBookingError` names the event and the active booking with its id; the span does not matter."""
        calendar, flat = room(store)
        stay = calendar.book(flat, 1, 5, id="x")
        for start, end in ((10, 20), (1, 5)):
            with pytest.raises(DuplicateBookingError, match="'x'") as caught:
                calendar.book(flat, start, end, id="x")
            refused: Any = caught.value.booking
            assert (caught.value.standing, refused.id, refused.start) == (stay, "x", start)
        with pytest.raises(DuplicateBookingError):
            calendar.add_booking(stay)
        assert len(calendar) == 1

    def test_a_released_event_can_be_booked_again(self, store: Any) -> None:
        """After `remove_booking` the same event may come back, and comes last in order of booking."""
        calendar, flat = room(store, capacity=2)
        first = calendar.book(flat, 1, 5)
        second = calendar.book(flat, 1, 5)
        calendar.remove_booking(first)
        calendar.add_booking(first)
        assert list(calendar.bookings()) == [second, first]
        assert first.owns_lock

    def test_releasing_what_does_not_stand_is_refused(self, store: Any) -> None:
        """`UnknownBookingError` for unknown ids, released events, other calendars' events and non-ids."""
        calendar, flat = room(store)
        other = Calendar()
        other.add_resource(Resource("room"))
        foreign = other.book("room", 1, 5)
        stay = calendar.book(flat, 1, 5)
        assert foreign.id == stay.id
        calendar.book(flat, 7, 8)
        wrong: Any
        for wrong in (foreign, "nobody", [], None, 3.5, BookingEvent(flat, 1, 5)):
            with pytest.raises(UnknownBookingError):
                calendar.remove_booking(wrong)
            assert wrong not in calendar
        calendar.remove_booking(stay.id)
        with pytest.raises(UnknownBookingError):
            calendar.remove_booking(stay)
        with pytest.raises(UnknownBookingError):
            calendar.get(stay.id)
        assert len(calendar) == 1
        assert foreign.owns_lock

    def test_an_event_booked_elsewhere_is_refused(self, store: Any) -> None:
        """One event holds one lock, in one calendar."""
        calendar, _ = room(store)
        other = Calendar()
        other.add_resource(Resource("room"))
        with pytest.raises(DuplicateBookingError):
            calendar.add_booking(other.book("room", 1, 5))
        assert len(calendar) == 0

    def test_one_store_serves_one_calendar(self, store: Any) -> None:
        """A second calendar on the same store is refused; so is the class of it."""
        Calendar(store)
        with pytest.raises(StoreError):
            Calendar(store)
        cls: Any = type(store)
        with pytest.raises(StoreError, match="is a class"):
            Calendar(cls)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_closed_bounds_take_spans_without_length_and_half_open_ones_do_not(self, store: Any, bounds: Any) -> None:
        """``[3, 3)`` holds no point; ``[3, 3]`` holds one."""
        calendar, flat = room(store, bounds)
        if bounds == "[)":
            with pytest.raises(InvalidSpanError):
                calendar.book(flat, 3, 3)
            return
        point = calendar.book(flat, 3, 3)
        assert calendar.conflicts(flat, 3, 3) == (point,)
        assert not calendar.is_available(flat, 1, 3)
        assert calendar.is_available(flat, 4, 4)

    # -- looking up --------------------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_bookings_come_by_start_and_then_in_order_of_booking(self, store: Any, bounds: Any) -> None:
        """Over all resources as over one."""
        calendar = Calendar(store, bounds=bounds)
        for id in range(3):
            calendar.add_resource(Resource(id, capacity=2))
        spans = [(1, 5, 9), (0, 5, 6), (2, None, 2), (1, 5, 7), (0, 1, 3), (2, 8, None), (0, 5, 8)]
        events = [calendar.book(*span) for span in spans]
        assert list(calendar.bookings()) == [events[at] for at in (2, 4, 0, 1, 3, 6, 5)]
        assert list(calendar.bookings(0)) == [events[at] for at in (4, 1, 6)]
        assert list(calendar.bookings(None, 6.5, 7.5)) == [events[at] for at in (0, 3, 6)]
        assert list(calendar.bookings(1, 8, None)) == [events[0]]

    def test_an_iterator_over_bookings_stands_for_one_moment(self, store: Any) -> None:
        """Changes that are made during an iteration do not appear in it."""
        calendar, flat = room(store)
        events = [calendar.book(flat, at, at + 1) for at in range(10)]
        walk = iter(calendar.bookings())
        assert next(walk) == events[0]
        for event in events:
            calendar.remove_booking(event)
        assert list(walk) == events[1:]

    def test_a_booking_holds_the_registered_resource(self, store: Any) -> None:
        """Whichever way it was named: by the object, by its id, or by something that is equal to it."""

        class Proxy:
            def __init__(self, wrapped: Any) -> None:
                self.wrapped = wrapped

            def __getattr__(self, name: str) -> Any:
                return getattr(self.wrapped, name)

            def __eq__(self, other: object) -> bool:
                return bool(self.wrapped == other)

            __hash__ = None  # type: ignore[assignment]

        calendar = Calendar(store)
        room = calendar.add_resource(Resource("room"))
        made = [calendar.book(named, at, at + 1) for at, named in enumerate((room, "room", Proxy(room)))]
        made.append(calendar.add_booking(BookingEvent(Proxy(room), 5, 6)))
        calendar.load(BookingEvent(Proxy(room), at, at + 1) for at in range(10, 60))
        assert all(event.resource is room for event in (*made, *calendar.bookings()))

    # -- bulk load ---------------------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_load_takes_any_iterable_and_answers_as_if_booked_one_by_one(self, store: Any, bounds: Any) -> None:
        """A generator will do; order of booking is the order given."""
        calendar = Calendar(store, bounds=bounds)
        resources = [calendar.add_resource(Resource(id)) for id in range(5)]
        events = [BookingEvent(at % 5, at * 7 % 100 * 10, at * 7 % 100 * 10 + 4) for at in range(100)]
        assert calendar.load(event for event in events) == 100
        assert len(calendar) == 100
        assert all(event.owns_lock and event.resource is resources[at % 5] for at, event in enumerate(events))
        assert len({event.id for event in events}) == 100
        assert starts(calendar.bookings()) == sorted(starts(events))
        calendar.check()
        assert calendar.load([]) == 0
        more = [BookingEvent(at % 5, at * 10 + 5, at * 10 + 8) for at in range(40, 60)]
        calendar.load(more)
        assert not calendar.is_available(0, 405, 408)
        calendar.check()

    @pytest.mark.parametrize("size", [3, 60])
    @pytest.mark.parametrize("at_once", [True, False])
    def test_ids_that_are_numbers_use_up_none_of_them(self, store: Any, size: int, at_once: bool) -> None:
        """However bookings that have ids come, the next one without gets the same: the first that none has."""
        calendar, flat = room(store)
        events = [BookingEvent(flat, at * 10, at * 10 + 5, id=at * 2 + 2) for at in range(size)]
        if at_once:
            calendar.load(events)
        else:
            for event in events:
                calendar.add_booking(event)
        assert calendar.book(flat, 10_000, 10_001).id == (5 if size == 3 else 61)
        calendar.check()

    @pytest.mark.parametrize("bounds", BOUNDS)
    @pytest.mark.parametrize("size", [3, 60])
    @pytest.mark.parametrize("wrong", ["taken", "each other", "unknown", "reversed", "stranger", "same id", "same event"])
    def test_a_refused_load_leaves_everything_as_it_was(self, store: Any, bounds: Any, size: int, wrong: str) -> None:
        """All or nothing, and the events handed in are free to be changed and loaded again."""
        calendar, flat = room(store, bounds)
        calendar.book(flat, 10_000, 10_010, id="stands")
        events = [BookingEvent(flat, at * 10, at * 10 + 5) for at in range(size)]
        last: dict[str, tuple[BookingEvent, type[BookcoreError]]] = {
            "taken": (BookingEvent(flat, 10_005, 10_020), ConflictError),
            "each other": (BookingEvent(flat, 11, 14), ConflictError),
            "unknown": (BookingEvent("nobody", 50_000, 50_001), UnknownResourceError),
            "reversed": (BookingEvent(flat, 50_001, 50_000), InvalidSpanError),
            "stranger": (BookingEvent(flat, "a", "b"), KeyTypeError),
            "same id": (BookingEvent(flat, 50_000, 50_001, id="stands"), DuplicateBookingError),
            "same event": (events[0], DuplicateBookingError),
        }
        bad, error = last[wrong]
        with pytest.raises(error):
            calendar.load([*events, bad])
        assert [event.id for event in calendar.bookings()] == ["stands"]
        assert calendar.is_available(flat, 0, 10_000 - 1)
        assert not any(event.owns_lock for event in events)
        calendar.check()
        assert all(event.id is None for event in events)
        events[0].end = 7
        assert calendar.load(events) == size
        calendar.check()

    @pytest.mark.parametrize("bad", [None, 5, [object()], [None], "ab"])
    def test_a_load_of_anything_but_events_is_refused(self, store: Any, bad: Any) -> None:
        """`QueryError`, and nothing changes."""
        calendar, _ = room(store)
        with pytest.raises(QueryError):
            calendar.load(bad)
        assert len(calendar) == 0

    # -- odds and ends -----------------------------------------------------------------------------

    def test_fields_that_would_be_hidden_are_refused(self, store: Any) -> None:
        """A field called ``status`` could never be read."""
        calendar, flat = room(store)
        with pytest.raises(FieldError, match="status") as caught:
            calendar.book(flat, 1, 2, guest="Ada", status="paid")
        assert (caught.value.fields, len(calendar)) == (("status",), 0)

    def test_fields_an_event_class_does_not_take_are_refused(self, store: Any) -> None:
        """`FieldError` from the calendar's own event class; nothing is booked."""
        calendar = Calendar(store, event_type=Stay)
        calendar.add_resource(Resource("room"))
        assert calendar.book("room", 1, 2, guest="Ada").guest == "Ada"
        with pytest.raises(FieldError):
            calendar.book("room", 3, 4, price=5)
        with pytest.raises(FieldError):
            calendar.book("room", 3, 4, id=[])  # type: ignore[arg-type]
        assert len(calendar) == 1

    @pytest.mark.parametrize("bounds", ["(]", None, "[", 3])
    def test_bounds_that_are_none_are_refused(self, store: Any, bounds: Any) -> None:
        """Bounds are "[)" or "[]"."""
        with pytest.raises(QueryError):
            Calendar(store, bounds=bounds)

    def test_an_empty_calendar_is_still_true(self, store: Any) -> None:
        """``len`` counts bookings; a calendar without any is still a calendar."""
        calendar = Calendar(store)
        assert len(calendar) == 0
        assert calendar
