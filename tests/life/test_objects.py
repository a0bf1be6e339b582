"""Objects as resources: the one that is registered is meant, or another one is refused; ids of one's own."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import (
    BookingEvent,
    BookingStore,
    Calendar,
    DuplicateResourceError,
    MemoryStore,
    QueryError,
    Resource,
    ResourceError,
    SnapshotError,
    UnknownResourceError,
    changes,
    no,
)
from bookcore.persist.registry import register_key_codec
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore


class Row:
    """A row as Django has them: equal to another object of the same row."""

    def __init__(self, pk: Any) -> None:
        self.pk = self.id = pk

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.pk == self.pk

    def __hash__(self) -> int:
        return hash(self.pk)


class Flat(Row):
    """A flat."""


class Car(Row):
    """A car."""


class Room(Resource):
    """A room."""


class Desk(Resource):
    """A desk."""


@dataclass
class Boat:
    """Equal by value, and not hashable."""

    id: int
    name: str = "boat"


Named = namedtuple("Named", ["id", "floor"])
OTHERS: dict[str, tuple[Any, Any]] = {
    "rows of two tables": (Flat(1), Car(1)),
    "resources of two classes": (Room(1), Desk(1)),
    "a resource and a row": (Room(1), Car(1)),
    "a row and a resource": (Flat(1), Desk(1)),
    "named tuples": (Named(1, 3), Named(1, 4)),
    "dataclasses": (Boat(1), Boat(1, "ship")),
    "a namespace": (Flat(1), SimpleNamespace(id=1)),
    "another object of the same class": (Room(1), Room(1)),
}
"""A registered object, and another one with its id that is not equal to it."""

CALLS: dict[str, Callable[[Calendar, Any], Any]] = {
    "is_available": lambda c, r: c.is_available(r, 1, 2),
    "is_available for two": lambda c, r: c.is_available(r, 1, 2, 2),
    "book": lambda c, r: c.book(r, 1, 2),
    "book named": lambda c, r: c.book(r, 1, 2, id="x"),
    "hold": lambda c, r: c.hold(r, 1, 2),
    "add_booking": lambda c, r: c.add_booking(BookingEvent(r, 1, 2)),
    "load": lambda c, r: c.load([BookingEvent(r, 1, 2)]),
    "load many": lambda c, r: c.load([BookingEvent(r, at, at + 1) for at in range(20, 60)]),
    "book_all": lambda c, r: c.book_all([(r, 1, 2)]),
    "move": lambda c, r: c.move("held", resource=r),
    "conflicts": lambda c, r: c.conflicts(r, 1, 2),
    "bookings": lambda c, r: c.bookings(r),
    "explain": lambda c, r: c.explain(r, 1, 2),
    "free_busy": lambda c, r: c.free_busy(r, 1, 2),
    "occupancy": lambda c, r: c.occupancy(r, 1, 2),
    "gaps": lambda c, r: c.gaps(r, 1, 2),
    "next_available": lambda c, r: c.next_available(r, 1, 2),
    "nearest": lambda c, r: c.nearest(r, 1, 2),
    "common_gaps": lambda c, r: c.common_gaps([r], 1, 2),
    "close": lambda c, r: c.close(r, 1, 2),
    "close_all": lambda c, r: c.close_all([r], 1, 2),
    "close_all of one": lambda c, r: c.close_all(r, 1, 2),
    "closures": lambda c, r: c.closures(r),
    "set_hours": lambda c, r: c.set_hours(r, None),
    "tag": lambda c, r: c.tag(r, "sea"),
    "untag": lambda c, r: c.untag(r, "lake"),
    "reindex": lambda c, r: c.reindex(r),
    "remove_resource": lambda c, r: c.remove_resource(r),
    "apply": lambda c, r: c.apply(changes.Tagged(r, "sea")),
}


def of(resource: Any, store: Callable[[], BookingStore[Any]] = MemoryStore) -> Calendar:
    """Return a calendar with a resource, and another one that is booked."""
    calendar = Calendar(store())
    calendar.tag(calendar.add_resource(resource, capacity=2), "lake")
    calendar.book(calendar.add_resource(Resource("other")), 1, 2, id="held")
    return calendar


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("what", OTHERS)
def test_another_object_with_the_id_is_refused(what: str, call: str) -> None:
    """By every call, with both objects named, and nothing changes."""
    registered, other = OTHERS[what]
    if call == "apply" and type(registered) is type(other):
        return  # of a leader with objects of its own
    calendar = of(registered)
    CALLS["tag"](calendar, registered)
    before = [(event.resource, event.start) for event in calendar.bookings()], calendar.tagged("sea").ids()
    with pytest.raises(UnknownResourceError, match=r"its id is that of .*add_resource\(..., id=...\)") as caught:
        CALLS[call](calendar, other)
    assert caught.value.resource is other and caught.value.standing is registered
    assert ([(event.resource, event.start) for event in calendar.bookings()], calendar.tagged("sea").ids()) == before
    assert calendar.closures() == ()
    calendar.check()


@pytest.mark.parametrize("store", [MemoryStore, SortedStore, TreeStore])
@pytest.mark.parametrize("what", OTHERS)
def test_another_object_with_the_id_is_in_no_selection(what: str, store: Callable[[], BookingStore[Any]]) -> None:
    """Nor is it named by a term."""
    registered, other = OTHERS[what]
    calendar = of(registered, store)
    assert registered in calendar.resources and 1 in calendar.resources
    assert other not in calendar.resources
    assert calendar.find([other]).ids() == calendar.find(iter([other])).ids() == []
    assert calendar.find([registered]).ids() == calendar.find([1]).ids() == [1]
    assert calendar.find([other, "other", registered]).ids() == [1, "other"]
    assert calendar.find(no([other])).ids() == (calendar.resources - [other]).ids() == [1, "other"]
    with pytest.raises(QueryError):
        calendar.book_any(calendar.resources, 1, 2, strategy=lambda candidates: other)


EQUALS: dict[str, tuple[Any, Any]] = {
    "a row read again": (Flat(1), Flat(1)),
    "a named tuple": (Named(1, 3), Named(1, 3)),
    "a dataclass": (Boat(1), Boat(1)),
    "a namespace": (SimpleNamespace(id=1), SimpleNamespace(id=1)),
    "the id": (Flat(1), 1),
    "an id that is equal": (Flat(1), 1.0),
    "the object itself": (Room(1), None),
}


@pytest.mark.parametrize("call", [name for name in CALLS if name != "reindex"])
@pytest.mark.parametrize("what", EQUALS)
def test_an_equal_object_stands_for_the_registered_one(what: str, call: str) -> None:
    """The answers and bookings are those of the registered object."""
    registered, equal = EQUALS[what]
    calendar = of(registered)
    CALLS[call](calendar, registered if equal is None else equal)
    assert all(event.resource is registered or event.resource.id == "other" for event in calendar.bookings())
    calendar.check()


def flats_and_cars(kind: str, store: Callable[[], BookingStore[Any]] = MemoryStore) -> tuple[Calendar, Any, Any, Any, Any]:
    """Return a calendar with a flat and a car of equal ids, both, and their ids in the calendar."""
    flat, car = (Room(1), Desk(1)) if kind == "given, resources" else (Flat(1), Car(1))
    if kind.startswith("given"):
        calendar = Calendar(store())
        calendar.add_resource(flat)
        calendar.add_resource(car, id="car 1")
        return calendar, flat, car, 1, "car 1"
    calendar = Calendar(store(), key=lambda row: (type(row).__name__, row.pk))
    return calendar, calendar.add_resource(flat), calendar.add_resource(car), ("Flat", 1), ("Car", 1)


@pytest.mark.parametrize("store", [MemoryStore, SortedStore, TreeStore])
@pytest.mark.parametrize("kind", ["key", "given", "given, resources"])
def test_objects_with_equal_ids_are_in_one_calendar(kind: str, store: Callable[[], BookingStore[Any]]) -> None:
    """Each call takes the object or the id that it has in the calendar."""
    calendar, flat, car, flat_id, car_id = flats_and_cars(kind, store)
    assert calendar.resources.ids() == [flat_id, car_id]
    stay, trip = calendar.book(flat, 1, 5), calendar.book(car, 3, 9)
    assert (stay.resource, trip.resource) == (flat, car)
    for thing in (car, car_id):
        assert [calendar.is_available(thing, at, at + 1) for at in (1, 4, 9)] == [True, False, True]
        assert list(calendar.bookings(thing)) == [trip]
        assert thing in calendar.find_available(1, 3) and thing not in calendar.find_available(3, 5)
        assert calendar.find([thing]).first(2) == [car]
        calendar.tag(thing, "seen")
        assert calendar.tagged("seen").ids() == [car_id]
        closure = calendar.close(thing, 20, 21)
        assert closure.resource is car and not calendar.is_available(car, 20, 21) and calendar.is_available(flat, 20, 21)
        calendar.reopen(closure)
        assert calendar.book_any([thing, flat_id], 1, 2).resource is car
        calendar.remove_booking(next(calendar.bookings(thing)))
        assert calendar.load([BookingEvent(thing, at, at + 1) for at in range(50, 80)]) == 30
        assert {event.resource for event in calendar.bookings(None, 50, 80)} == {car}
        for event in list(calendar.bookings(None, 50, 80)):
            calendar.remove_booking(event)
        assert list(calendar.common_gaps([thing, flat], 0, 12)) == [(0, 1), (9, 12)]
        assert calendar.move(trip.id, resource=flat_id, start=6).resource is flat
        trip = calendar.move(trip.id, resource=thing, start=3)
        assert trip.resource is car
        calendar.check()
    with calendar.what_if():
        calendar.remove_booking(trip)
        assert calendar.remove_resource(car_id) is car
        assert car not in calendar.resources and flat in calendar.resources
        calendar.check()
    assert calendar.is_available(car, 1, 2) and not calendar.is_available(car_id, 3, 4)
    calendar.check()
    calendar.remove_booking(trip)
    assert calendar.remove_resource(car) is car
    with pytest.raises(UnknownResourceError):
        calendar.book(car, 1, 2)
    calendar.add_resource(car, id="again")
    assert calendar.book(car, 1, 2).resource is car
    calendar.check()


@pytest.mark.parametrize("kind", ["key", "given", "given, resources"])
def test_a_follower_has_the_ids_of_its_leader(kind: str) -> None:
    """Also a follower without a key, which gets the objects of the leader and their ids."""
    leader, flat, car, _, car_id = flats_and_cars(kind)
    leader.remove_resource(car)
    leader.remove_resource(flat)
    follower = Calendar()
    leader.subscribe(follower.apply)
    leader.add_resource(flat)
    leader.add_resource(car, id=None if kind == "key" else car_id)
    trip = leader.book(car, 3, 9, id="trip")
    leader.tag(car, "fast")
    leader.close(car, 20, 21)
    leader.move(trip, end=8)
    assert follower.resources.ids() == leader.resources.ids() == [flats_and_cars(kind)[3], car_id]
    assert [event.resource for event in follower.bookings()] == [car]
    assert follower.tagged("fast").ids() == [car_id]
    assert not follower.is_available(car, 20, 21) and follower.is_available(flat, 20, 21)
    leader.remove_booking("trip")
    leader.remove_resource(car)
    assert follower.resources.ids() == leader.resources.ids()
    for calendar in (leader, follower):
        calendar.check()


def test_a_follower_with_objects_of_its_own_finds_them_by_id_and_class() -> None:
    """As one that was restored from a snapshot; another class is refused."""
    leader, follower = Calendar(), Calendar()
    rooms = [leader.add_resource(Room(number)) for number in range(3)]
    own = [follower.add_resource(cls(number)) for number, cls in enumerate((Room, Room, Desk))]
    strayed: list[Exception] = []

    def follow(change: changes.Change) -> None:
        try:
            follower.apply(change)
        except UnknownResourceError as exc:
            strayed.append(exc)

    leader.subscribe(follow)
    leader.book(rooms[0], 1, 2)
    leader.tag(rooms[1], "sea")
    leader.close(rooms[1], 4, 5)
    assert strayed == []
    assert next(follower.bookings()).resource is own[0]
    assert follower.tagged("sea").first(1) == [own[1]] and follower.closures()[0].resource is own[1]
    leader.book(rooms[2], 1, 2)
    assert len(strayed) == 1 and len(follower) == 1
    follower.check()


def test_ids_of_ones_own_are_in_a_snapshot(tmp_path: Path) -> None:
    """The objects are found by them, and the calendar may have its key again."""
    calendar, _, car, _, car_id = flats_and_cars("given, resources")
    calendar.book(car, 3, 9)
    calendar.tag(car, "fast")
    calendar.snapshot(tmp_path / "a.bks")
    again = Calendar.restore(tmp_path / "a.bks", types=[Room, Desk], resource_key=lambda row: (type(row).__name__, row.id))
    assert again.digest() == calendar.digest()
    room, desk = again.resources
    assert (type(room), type(desk), room.id, desk.id) == (Room, Desk, 1, 1)
    assert again.is_available(room, 3, 9) and not again.is_available(desk, 3, 9) and not again.is_available(car_id, 3, 9)
    assert again.find_available(3, 9).ids() == [1]
    with pytest.raises(UnknownResourceError):
        again.book(car, 20, 21)
    again.add_resource(Room(1), id="other")
    again.add_resource(Room(2))
    assert again.resources.ids() == [1, "car 1", "other", ("Room", 2)]
    again.check()


@pytest.mark.parametrize("kind", ["key", "given", "given, resources"])
def test_one_object_is_registered_once(kind: str) -> None:
    """Not with two ids, and not with the id of another one."""
    calendar, flat, car, flat_id, car_id = flats_and_cars(kind)
    for thing, id in ((flat, None), (flat, "b"), (car, "b"), (car, car_id), (Flat(2), car_id), (Resource("x"), flat_id)):
        with pytest.raises(DuplicateResourceError) as caught:
            calendar.add_resource(thing, id=id)
        assert caught.value.resource is thing and caught.value.id in (flat_id, car_id)
    assert calendar.resources.ids() == [flat_id, car_id]
    calendar.check()


@pytest.mark.parametrize("store", [MemoryStore, TreeStore])
def test_sizes_that_are_none_are_refused(store: Any) -> None:
    """When the store is made, whatever their truth value is or raises."""
    for sizes in (5, "x", object(), NotImplemented, dict, {}, 0, type("Odd", (), {"__bool__": lambda _: 1 / 0})()):
        with pytest.raises(QueryError, match="Sizes"):
            store(sizes)
    assert store(None).sizes == store().sizes


def test_an_event_with_a_quantity_that_cannot_be_compared_tells_it() -> None:
    """It is refused when it is booked, and not when it is looked at."""
    odd: Any = type("Odd", (), {"__ne__": lambda *_: 1 / 0, "__repr__": lambda _: "odd"})()
    assert repr(BookingEvent("room", 1, 2, quantity=odd)) == "BookingEvent('room', 1, 2, id=None, quantity=odd)"
    assert repr(BookingEvent("room", 1, 2)) == "BookingEvent('room', 1, 2, id=None)"


def test_what_makes_no_id_is_refused() -> None:
    """A key that raises, or returns None or what cannot be hashed; what is no key; an id that cannot be hashed."""
    keys: list[Any] = [lambda row: row.nothing, lambda row: None, lambda row: [row.id], lambda row: 1 // 0]
    for key in keys:
        calendar = Calendar(key=key)
        with pytest.raises(ResourceError):
            calendar.add_resource(Flat(1))
        assert len(calendar.resources) == 0
        with pytest.raises(UnknownResourceError):
            calendar.book(Flat(1), 1, 2)
        assert calendar.add_resource(Flat(1), id="given").id == 1
    with pytest.raises(ResourceError):
        Calendar().add_resource(Flat(1), id=[])  # type: ignore[arg-type]
    with pytest.raises(QueryError):
        Calendar(key="pk")  # type: ignore[arg-type]


def test_objects_without_an_id_need_a_key_only() -> None:
    """Also those that cannot be hashed."""
    calendar = Calendar(key=lambda row: row.pk)
    loft, barn = (calendar.add_resource(SimpleNamespace(pk=pk)) for pk in ("loft", "barn"))
    assert calendar.book(loft, 1, 2).resource is loft
    assert calendar.book(SimpleNamespace(pk="barn"), 1, 2).resource is barn
    assert calendar.book("barn", 3, 4).resource is barn
    assert calendar.find([barn]).ids() == calendar.find(["barn"]).ids() == calendar.find([SimpleNamespace(pk="barn")]).ids()
    for stranger in (SimpleNamespace(pk="mill"), SimpleNamespace(pk="barn", floor=3), SimpleNamespace()):
        with pytest.raises(UnknownResourceError):
            calendar.book(stranger, 1, 2)
        assert stranger not in calendar.resources
    calendar.check()


@dataclass(frozen=True)
class Van:
    """A row of another library that a codec writes."""

    id: int


def test_a_snapshot_of_other_objects_needs_the_key_that_made_their_ids(tmp_path: Path) -> None:
    """An id that nothing in the file makes is refused as the file is written, and not as it is read."""
    register_key_codec(Van, "test_objects.Van", lambda van: van.id, Van)
    calendar = Calendar(key=lambda van: f"van {van.id}")
    calendar.book(calendar.add_resource(Van(1)), 3, 9)
    calendar.snapshot(tmp_path / "a.bks")
    again = Calendar.restore(tmp_path / "a.bks", resource_key=lambda van: f"van {van.id}")
    assert not again.is_available(Van(1), 3, 4) and again.digest() == calendar.digest()
    with pytest.raises(SnapshotError, match="resource_key"):
        Calendar.restore(tmp_path / "a.bks")
    calendar.add_resource(Van(2), id="lorry")
    with pytest.raises(SnapshotError, match="was given the id 'lorry'"):
        calendar.snapshot(tmp_path / "b.bks")
    assert not (tmp_path / "b.bks").exists()


def test_several_resources_whose_own_code_raises_or_of_another_calendar_are_refused() -> None:
    """An object may raise anything when it is asked whether it is one resource; each call says the same of a selection."""

    class Odd(list[Any]):
        """Raises where resources have an id."""

        @property
        def id(self) -> Any:
            raise ValueError("mine")

    calendar, other = Calendar(), Calendar()
    for each in (calendar, other):
        each.add_resource(Resource("room"))
    calls: list[Callable[[Any], Any]] = [
        lambda given: calendar.set_hours(given, None),
        lambda given: calendar.close_all(given, 1, 2),
        lambda given: list(calendar.common_gaps(given, 1, 2)),
    ]
    for call in calls:
        with pytest.raises((UnknownResourceError, QueryError), match=r"is not in this calendar|is no iterable of resources"):
            call(Odd())
        with pytest.raises(QueryError, match="belongs to another calendar"):
            call(other.resources)
