"""`set_capacity`: every answer is that of a resource that had this capacity from the start, and bookings stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    BookingStore,
    Calendar,
    ConflictError,
    InvalidQuantityError,
    MemoryStore,
    Resource,
    UnknownResourceError,
    changes,
)
from bookcore.stores.sizes import Sizes
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore
from bookcore.testing.liststore import ListStore

STORES: dict[str, Callable[[], BookingStore[Any]]] = {
    "memory": MemoryStore,
    "small memory": lambda: MemoryStore(Sizes(split=4, overlapping=4)),
    "sorted": SortedStore,
    "tree": TreeStore,
    "list": ListStore,
}
every_store = pytest.mark.parametrize("store", STORES)


def answers(calendar: Calendar) -> list[Any]:
    """Return what a calendar says of its resources."""
    found: list[Any] = [(each.id, each.resource.id, each.start, each.end, each.quantity) for each in calendar.bookings()]
    for at in range(-1, 22, 2):
        for quantity in (1, 2, 3):
            found.append(calendar.find_available(at, at + 3, quantity=quantity).ids())
            for id in calendar.resources.ids():
                found.append(calendar.is_available(id, at, at + 3, quantity))
                found.append([event.id for event in calendar.conflicts(id, at, at + 3, quantity)])
    for id in calendar.resources.ids():
        found += [list(calendar.gaps(id, 0, 30)), list(calendar.occupancy(id, 0, 30)), calendar.free_busy(id, 0, 30)]
    return found


ROWS = [("r", 1, 4, 1), ("r", 4, 6, 1), ("r", 9, 10, 1), ("pool", 1, 5, 2), ("pool", 3, 8, 1), ("pool", 9, 12, 3),
        ("van", 1, 3, 1), ("van", 8, 12, 1)]  # fmt: skip


def made(store: str, bounds: Any = "[)", **capacities: int) -> Calendar:
    """Return a calendar of three resources, with the bookings that there is room for."""
    calendar = Calendar(STORES[store](), bounds=bounds)
    calendar.add_resource(Resource("r", capacities.get("r", 1)))
    calendar.add_resource(Resource("pool", capacities.get("pool", 3)))
    calendar.add_resource(Resource("van", capacities.get("van", 1), before=1, after=2))
    return calendar


def fill(calendar: Calendar) -> Calendar:
    """Book what there is room for."""
    for at, (id, start, end, quantity) in enumerate(ROWS):
        if calendar.is_available(id, start, end, quantity):
            calendar.book(id, start, end, quantity=quantity, id=f"b{at}")
    return calendar


@every_store
@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize(("id", "capacity"), [("r", 2), ("r", 5), ("pool", 4), ("pool", 9), ("van", 2), ("van", 3)])
def test_a_greater_capacity_has_room_for_more(store: str, bounds: Any, id: str, capacity: int) -> None:
    """The answers are those of a resource that was made with it; setting the old one again brings the old answers."""
    calendar, right = fill(made(store, bounds)), fill(made(store, bounds, **{id: capacity}))
    before, own = answers(calendar), calendar.find([id]).first(1)[0]
    old = own.capacity
    calendar.set_capacity(id, capacity)
    calendar.check()
    assert own.capacity == capacity
    for event in list(right.bookings()):
        if event.id not in calendar:
            right.remove_booking(event)
    assert answers(calendar) == answers(right)
    calendar.book(id, 20, 21, quantity=capacity, id="all")
    with pytest.raises(ConflictError):
        calendar.book(id, 20, 21)
    calendar.remove_booking("all")
    calendar.set_capacity(own, old)
    calendar.check()
    assert answers(calendar) == before and own.capacity == old


@every_store
@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_bookings_stay_where_they_use_more_than_there_is(store: str, bounds: Any) -> None:
    """Nothing more fits there; as they are released, there is room again, as in a resource that never had more."""
    calendar = fill(made(store, bounds, r=4, van=3))
    for start in (2, 9):
        calendar.book("r", start, start + 3, quantity=2, id=f"big {start}")
    events = list(calendar.bookings())
    for id in ("r", "pool", "van"):
        calendar.set_capacity(id, 1)
        calendar.check()
    assert list(calendar.bookings()) == events and all(event.owns_lock for event in events)
    assert calendar.find_available(2, 3).ids() == [] and not calendar.is_available("r", 2, 3)
    assert calendar.find_available(20, 21).ids() == ["r", "pool", "van"]
    assert {event.id for event in calendar.conflicts("r", 1, 3)} >= {"big 2"}
    with pytest.raises(ConflictError):
        calendar.move("big 2", start=3)  # it is in the way of others still
    with pytest.raises(ConflictError):
        calendar.move("big 2", start=20, end=22)  # it needs two units
    calendar.check()
    for event in events:
        calendar.remove_booking(event)
        calendar.check()
    fresh = made(store, bounds, pool=1)
    for one in (calendar, fresh):
        one.book("r", 1, 4, id="x")
        one.book("pool", 1, 4, id="y")
        assert not one.is_available("r", 2, 3)
    assert answers(calendar) == answers(fresh)
    calendar.set_capacity("r", 2)
    calendar.set_capacity("r", 1)
    calendar.check()
    assert answers(calendar) == answers(fresh)


@pytest.mark.parametrize("own", [1, 3, 5])
def test_the_capacity_of_an_object_is_as_before_once_the_change_is_undone(own: int) -> None:
    """Also of one that had another capacity than in the calendar, and by accident the one that it was given there."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room", capacity=own), capacity=3)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), calendar.transaction():
            for capacity in (1, 5, 2):
                calendar.set_capacity(room, capacity)
            raise ZeroDivisionError
        assert room.capacity == own
        with calendar.what_if():
            calendar.set_capacity(room, 5)
        assert room.capacity == own
    other = Calendar()
    other.add_resource(room, capacity=3)
    calendar.set_capacity(room, 5)
    with other.what_if():
        other.set_capacity(room, 5)
    assert room.capacity == (5 if own == 3 else own)
    calendar.check()


class Detached:
    """A resource of another library, of which an attribute can be read no more."""

    id = "room"

    @property
    def capacity(self) -> int:
        raise ZeroDivisionError


@every_store
def test_an_object_that_is_no_resource_of_ours_is_not_asked_for_its_capacity(store: str) -> None:
    """It would not follow anyway."""
    calendar = Calendar(STORES[store]())
    room = calendar.add_resource(Detached(), capacity=2)
    calendar.set_capacity(room, 3)
    with calendar.what_if():
        calendar.set_capacity(room, 4)
    assert calendar.book(room, 1, 2, quantity=3).owns_lock
    calendar.check()


@every_store
def test_it_is_a_change_like_any_other(store: str) -> None:
    """It is heard, followed, and undone with what was booked meanwhile."""
    calendar, follower, heard = made(store), Calendar(), list[Any]()
    for resource in calendar.resources:
        follower.add_resource(Resource(resource.id, resource.capacity, before=resource.before, after=resource.after))
    calendar.subscribe(follower.apply)
    calendar.subscribe(heard.append)
    fill(calendar)
    pool = calendar.find(["pool"]).first(1)[0]
    before = answers(calendar)
    with calendar.what_if():
        calendar.set_capacity("pool", 9)
        calendar.book("pool", 1, 5, quantity=6)
        calendar.set_capacity("pool", 2)
        calendar.remove_booking("b3")
        assert pool.capacity == 2
        calendar.check()
    calendar.check()
    assert answers(calendar) == before and pool.capacity == 3
    assert not any(isinstance(change, changes.CapacitySet) for change in heard)
    calendar.set_capacity(pool, 5)
    calendar.set_capacity(pool, 5)  # which it is
    assert heard[-1] == changes.CapacitySet(pool, 5, 3) and len(heard) == 1 + sum(1 for _ in calendar.bookings())
    calendar.set_capacity("r", 4)
    calendar.book("r", 1, 9, quantity=3)
    calendar.set_capacity("r", 1)
    assert answers(follower) == answers(calendar) and follower.digest() == calendar.digest()
    follower.check()


@every_store
@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_a_snapshot_carries_bookings_that_exceed_the_capacity(store: str, bounds: Any, tmp_path: Path) -> None:
    """And restores them with it; bookings that overlap in any other file are refused as before."""
    calendar = fill(made(store, bounds, r=4, van=3))
    calendar.book("r", 2, 5, quantity=2)
    for id in ("r", "pool", "van"):
        calendar.set_capacity(id, 1)
    calendar.snapshot(tmp_path / "a.bks")
    again = Calendar.restore(tmp_path / "a.bks", types=[Resource], store=STORES[store]())
    again.check()
    assert answers(again) == answers(calendar)
    assert again.digest() == calendar.digest()
    assert [resource.capacity for resource in again.resources] == [1, 1, 1]
    for event in list(calendar.bookings()):
        for one in (calendar, again):
            one.remove_booking(event.id)
            one.check()
        assert again.digest() == calendar.digest()


@every_store
@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_a_capacity_that_is_raised_may_be_too_small_still(store: str, bounds: Any, tmp_path: Path) -> None:
    """Then the bookings still use more than there is: for moves and for snapshots."""
    calendar = made(store, bounds, r=4)
    big, small = calendar.book("r", 1, 9, quantity=3), calendar.book("r", 5, 12)
    calendar.set_capacity("r", 1)
    calendar.set_capacity("r", 2)
    calendar.check()
    calendar.snapshot(tmp_path / "a.bks")
    again = Calendar.restore(tmp_path / "a.bks", types=[Resource], store=STORES[store]())
    assert again.digest() == calendar.digest() and answers(again) == answers(calendar)
    for one in (calendar, again):
        with pytest.raises(ConflictError):
            one.move(small.id, start=6)  # it is in the way of the other still
        one.remove_booking(big.id)
        assert one.move(small.id, start=6).start == 6
        one.check()


@every_store
def test_a_block_that_has_changed_a_capacity_brings_back_what_it_removed(store: str) -> None:
    """Also bookings that need more than there was before."""
    calendar = made(store, r=3)
    first, second = calendar.book("r", 1, 5), calendar.book("r", 2, 6)
    calendar.set_capacity("r", 1)
    before = answers(calendar)
    for capacity in (2, 5):
        with calendar.what_if():
            calendar.remove_booking(second)
            calendar.set_capacity("r", capacity)
            calendar.remove_booking(first)
            calendar.set_capacity("r", 1)
            calendar.book("r", 1, 9)
            calendar.check()
        calendar.check()
        assert answers(calendar) == before


@every_store
def test_holds_that_run_out_make_room(store: str) -> None:
    """Also those that have run out when the capacity is set."""
    now = [0]
    calendar = Calendar(STORES[store](), clock=lambda: now[0])
    calendar.add_resource(Resource("r", 3))
    for at in range(3):
        calendar.hold("r", 1, 5, until=5 + at, id=at)
    now[0] = 5
    calendar.set_capacity("r", 1)
    calendar.check()
    assert len(calendar) == 2 and not calendar.is_available("r", 1, 2)
    now[0] = 9
    assert calendar.is_available("r", 1, 2)
    calendar.set_capacity("r", 2)
    calendar.check()
    assert calendar.is_available("r", 1, 2, 2) and len(calendar) == 0


def test_what_is_no_capacity_changes_nothing() -> None:
    """Nor does an unknown resource."""
    calendar = fill(made("memory"))
    before = calendar.digest()
    refused: list[tuple[type[BookcoreError], Any, Any]] = [
        (InvalidQuantityError, "r", bad) for bad in (0, -1, True, 1.5, "2", None)
    ]
    refused += [(UnknownResourceError, "nobody", 2), (UnknownResourceError, Resource("r"), 2)]
    for error, id, capacity in refused:
        with pytest.raises(error):
            calendar.set_capacity(id, capacity)
        assert calendar.digest() == before
    calendar.check()


def test_other_rules_and_calendars_are_as_they_were() -> None:
    """Closures, tags and indexes stay, and so does the capacity in another calendar."""
    calendar, other = Calendar(), Calendar()
    room = calendar.add_resource(Resource("r"))
    other.add_resource(room)
    other.book(room, 1, 5)
    calendar.close(room, 7, 8)
    calendar.tag(room, "sea")
    index = calendar.create_index("id", key=lambda resource: resource.id)
    calendar.set_capacity(room, 3)
    assert (room.capacity, other.is_available(room, 1, 2), calendar.is_available(room, 7, 8)) == (3, False, False)
    assert calendar.tagged("sea").ids() == index.equal("r").ids() == ["r"]
    assert calendar.load([BookingEvent("r", at, at + 1) for at in range(20, 60)]) == 40
    calendar.check()
    other.check()


def test_a_capacity_that_a_class_computes_is_left_to_it() -> None:
    """It cannot be written; the calendar goes by its own."""

    class Pool(Resource):
        @property
        def capacity(self) -> int:  # type: ignore[override]
            return 3

    calendar = Calendar()
    pool = calendar.add_resource(Pool("pool"))
    calendar.set_capacity(pool, 5)
    calendar.book(pool, 1, 2, quantity=5)
    calendar.check()
    assert pool.capacity == 3
