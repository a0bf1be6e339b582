"""Calls that take each other back, to repeat millions of times: the calendar must stay as small as it was.

A cycle is a generator function. It takes a new store, makes a calendar with it, yields that, and does one cycle each time it
is asked for more.

    >>> from itertools import islice
    >>> from bookcore import MemoryStore
    >>> [len(calendar) for calendar in islice(CYCLES["book, remove"](MemoryStore()), 1000)][-1]
    6
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, time, timedelta
from itertools import count
from typing import Any, TypeAlias

from bookcore import BookingEvent, BookingStore, Calendar, Resource
from bookcore.errors import BookcoreError
from bookcore.hours import Hours

__all__ = ["CYCLES", "Cycle"]

Cycle: TypeAlias = Callable[[BookingStore[Any]], Iterator[Calendar]]

CYCLES: dict[str, Cycle] = {}

LONG = 1_000_000_000
"""Longer than any run of cycles, as a clock counts them."""


class Ticks:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def _cycle(make: Cycle) -> Cycle:
    CYCLES[make.__name__.replace("__", ", ").replace("_", " ")] = make
    return make


def _calendar(store: BookingStore[Any], clock: Callable[[], Any] | None = None, **resource: Any) -> Calendar:
    """Return a calendar with a few resources, and bookings that stay."""
    calendar = Calendar(store, clock=clock)
    for name in ("room", "hall", "attic"):
        calendar.add_resource(Resource(name, **resource))
        calendar.book(name, 0, 5)
        calendar.book(name, 90, 95, id=f"{name} stays")
    return calendar


def _pool(store: BookingStore[Any], clock: Callable[[], Any] | None = None) -> Calendar:
    return _calendar(store, clock, capacity=3)


@_cycle
def book__remove(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: an exclusive resource, ids that are numbers."""
    calendar = _calendar(store)
    while True:
        yield calendar
        calendar.remove_booking(calendar.book("room", 10, 20))


@_cycle
def book__remove_by_id(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: each booking with an id of its own."""
    calendar = _calendar(store)
    for number in count():
        yield calendar
        calendar.book("room", 10, 20, id=f"visit {number}")
        calendar.remove_booking(f"visit {number}")


@_cycle
def book__remove_at_other_keys(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: time goes on: no key comes twice."""
    calendar = _calendar(store)
    for number in count(100, 10):
        yield calendar
        calendar.remove_booking(calendar.book("room", number, number + 7))


@_cycle
def book__remove_the_oldest(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a thousand bookings stand at any time."""
    calendar = _calendar(store)
    for number in range(100, 1100):
        calendar.book("room", number, number + 1, id=-number)
    for number in count(1100):
        yield calendar
        calendar.book("room", number, number + 1, id=-number)
        calendar.remove_booking(1000 - number)


@_cycle
def book__remove_with_fields(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: events that carry more than their row."""
    calendar = _calendar(store)
    while True:
        yield calendar
        calendar.remove_booking(calendar.book("room", 10, 20, guest="Ada"))


@_cycle
def book__remove_in_a_pool(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a resource of three units."""
    calendar = _pool(store)
    while True:
        yield calendar
        calendar.remove_booking(calendar.book("room", 10, 20, quantity=2))


@_cycle
def book__remove_in_a_full_pool(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: each booking takes the last units, by an id of its own, at keys of its own."""
    calendar = _pool(store)
    for number in count(100, 10):
        yield calendar
        calendar.book("room", number, number + 7, quantity=3, id=str(number))
        calendar.remove_booking(str(number))


@_cycle
def book__remove_with_turnaround(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a resource that is cleaned before and after."""
    calendar = _calendar(store, before=1, after=2)
    while True:
        yield calendar
        calendar.remove_booking(calendar.book("room", 10, 20))


@_cycle
def book__remove_unbounded(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a booking without an end."""
    calendar = _calendar(store)
    while True:
        yield calendar
        calendar.remove_booking(calendar.book("room", 100, None))


@_cycle
def load__remove(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: `load` of ten events, and their removal."""
    calendar = _calendar(store)
    for number in count(100, 100):
        yield calendar
        events = [BookingEvent("room", key, key + 5) for key in range(number, number + 100, 10)]
        calendar.load(events)
        for event in events:
            calendar.remove_booking(event)


@_cycle
def hold__remove(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a hold with a far deadline, given back."""
    calendar = _calendar(store, Ticks())
    for number in count():
        yield calendar
        calendar.remove_booking(calendar.hold("room", 10, 20, until=LONG + number))


@_cycle
def hold__confirm__remove(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a hold with a far deadline, confirmed."""
    calendar = _calendar(store, Ticks())
    while True:
        yield calendar
        event = calendar.hold("room", 10, 20, until=LONG)
        calendar.confirm(event)
        calendar.remove_booking(event.id)


@_cycle
def hold__confirm__remove_in_a_pool(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: the same with an id of its own, while the clock goes on and another hold stands."""
    clock = Ticks()
    calendar = _pool(store, clock)
    calendar.hold("hall", 10, 20, until=2 * LONG)
    for clock.now in count():
        yield calendar
        calendar.hold("room", 10, 20, ttl=LONG, id=clock.now + LONG)
        calendar.confirm(clock.now + LONG)
        calendar.remove_booking(clock.now + LONG)


@_cycle
def hold__expire(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a hold that runs out, always under the same id."""
    clock = Ticks()
    calendar = _calendar(store, clock)
    for clock.now in count():
        yield calendar
        calendar.hold("room", 10, 20, ttl=1, id="again")
        clock.now += 1
        calendar.is_available("room", 10, 20)


@_cycle
def hold__expire_under_new_ids(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a hold that runs out and whose number is remembered for a while."""
    clock = Ticks()
    calendar = _calendar(store, clock)
    for clock.now in count():
        yield calendar
        calendar.hold("room", 10, 20, ttl=1)
        clock.now += 1
        calendar.is_available("room", 10, 20)


@_cycle
def hold__expire_in_a_pool(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: three holds that run out, heard by a subscriber."""
    clock = Ticks()
    calendar = _pool(store, clock)
    calendar.subscribe(_ignore)
    for clock.now in count(0, 2):
        yield calendar
        for _ in range(3):
            calendar.hold("room", 10, 20, ttl=1, id=f"again {_}")
        clock.now += 1
        calendar.is_available("room", 10, 20)


@_cycle
def hold__undone(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a hold in a what-if."""
    calendar = _calendar(store, Ticks())
    for number in count():
        yield calendar
        with calendar.what_if():
            calendar.confirm(calendar.hold("room", 10, 20, until=LONG + number))


@_cycle
def add_resource__remove_resource(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a new resource each time."""
    calendar = _calendar(store)
    for number in count():
        yield calendar
        calendar.add_resource(Resource(number))
        calendar.remove_resource(number)


@_cycle
def add_the_newest_remove_the_oldest_resource(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: ten resources stand at any time, each with a label, a closure, hours, an indexed value and a booking."""
    calendar = _calendar(store)
    calendar.create_index("number", key=lambda resource: resource.id if type(resource.id) is int else None)
    for number in count():
        yield calendar
        calendar.add_resource(Resource(number, capacity=1 + number % 2, after=number % 3 or None))
        calendar.tag(number, "new", number)
        calendar.close(number, 30, 40)
        calendar.book(number, 10, 20, id=f"in {number}")
        if number >= 10:
            calendar.remove_booking(f"in {number - 10}")
            calendar.remove_resource(number - 10)


@_cycle
def resources_added_and_removed_crosswise(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: two resources, of which the first one goes first."""
    calendar = _calendar(store)
    for number in count():
        yield calendar
        calendar.add_resource(Resource((number, "a")))
        calendar.add_resource(Resource((number, "b")))
        calendar.remove_resource((number, "a"))
        calendar.remove_resource((number, "b"))


@_cycle
def resources_of_new_classes(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: each resource is the only one of its class, and has turnaround and units of its own."""
    calendar = _calendar(store)
    for number in count():
        yield calendar
        kind = type(f"Kind{number}", (Resource,), {})
        calendar.add_resource(kind(number, capacity=number + 2, before=number + 1))
        calendar.remove_resource(number)


@_cycle
def one_resource_added_and_removed(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: one and the same object, in one calendar beside another."""
    calendar, other = _calendar(store), Calendar()
    resource = Resource("again")
    other.add_resource(resource)
    while True:
        yield calendar
        calendar.add_resource(resource)
        calendar.remove_resource(resource)


@_cycle
def close__reopen(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a closure."""
    calendar = _calendar(store)
    for number in count(100, 10):
        yield calendar
        calendar.reopen(calendar.close("room", number, number + 5, "painting"))


@_cycle
def close__reopen_beside_another(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a closure that overlaps another, always at the same keys."""
    calendar = _calendar(store)
    calendar.close("room", 3, 12)
    while True:
        yield calendar
        calendar.reopen(calendar.close("room", 1, 20))


@_cycle
def tag__untag(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a new label each time."""
    calendar = _calendar(store)
    for number in count():
        yield calendar
        calendar.tag("room", number)
        calendar.untag("room", number)


@_cycle
def reindex(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a value that changes each time."""
    calendar = _calendar(store)
    values = {"room": 0}
    calendar.create_index("value", key=lambda resource: values.get(resource.id))
    for values["room"] in count():
        yield calendar
        calendar.reindex("room")


@_cycle
def create_an_index_and_undo_that(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: an index that a what-if makes."""
    calendar = _calendar(store)
    while True:
        yield calendar
        with calendar.what_if():
            calendar.create_index("name", key=lambda resource: resource.id)


@_cycle
def set_hours__clear(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: new opening hours each time, read while they last."""
    calendar = Calendar(store)
    calendar.add_resource(Resource("room"))
    monday = datetime(2026, 5, 4, 9)
    for number in count():
        yield calendar
        opens = time(number % 8, number // 8 % 60)
        calendar.set_hours("room", Hours({number % 7: [(opens, time(20))]}))
        calendar.is_available("room", monday, monday + timedelta(hours=1))
        len(calendar.find_available(monday, monday + timedelta(hours=number % 7 + 1)))
        calendar.set_hours("room", None)


@_cycle
def move_there_and_back(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: to another span and back."""
    calendar = _calendar(store)
    calendar.book("room", 10, 20, id="guest")
    while True:
        yield calendar
        calendar.move("guest", start=30, end=40)
        calendar.move("guest", start=10, end=20)


@_cycle
def move_to_another_resource_and_back(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: between pools."""
    calendar = _pool(store)
    calendar.book("room", 10, 20, id="guest")
    while True:
        yield calendar
        calendar.move("guest", resource="hall")
        calendar.move("guest", resource="room")


@_cycle
def split__remove(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: both parts are removed."""
    calendar = _calendar(store)
    for number in count():
        yield calendar
        calendar.book("room", 10, 20, id=str(number))
        for part in calendar.split(str(number), 15):
            calendar.remove_booking(part)


@_cycle
def split__undone(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a split in a what-if."""
    calendar = _pool(store)
    calendar.book("room", 10, 20, id="guest")
    while True:
        yield calendar
        with calendar.what_if():
            calendar.split("guest", 15)


@_cycle
def subscribe__unsubscribe(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a subscriber that hears of one booking."""
    calendar = _calendar(store)
    while True:
        yield calendar
        unsubscribe = calendar.subscribe(_ignore)
        calendar.remove_booking(calendar.book("room", 10, 20))
        unsubscribe()


@_cycle
def transaction_committed(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a booking made and removed in one transaction."""
    calendar = _calendar(store)
    while True:
        yield calendar
        with calendar.transaction():
            event = calendar.book("room", 10, 20)
            calendar.move(event, start=20, end=30)
            calendar.remove_booking(event.id)


@_cycle
def transaction_undone(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a block that raises."""
    calendar = _pool(store)
    for number in count():
        yield calendar
        with suppress(KeyError), calendar.transaction():
            calendar.book("room", 10, 20, id=str(number))
            calendar.book("room", 10, 20)
            raise KeyError


@_cycle
def what_if(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: a resource, a closure, a label and bookings, all of them undone."""
    calendar = _calendar(store)
    for number in count():
        yield calendar
        with calendar.what_if():
            calendar.add_resource(Resource(number))
            calendar.book(number, 10, 20)
            calendar.tag(number, number)
            calendar.close(number, 30, 40)
            calendar.remove_booking("room stays")


@_cycle
def what_if__book(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: numbers that are given out again after an undone booking."""
    calendar = _calendar(store)
    while True:
        yield calendar
        with calendar.what_if():
            calendar.book("room", 10, 20)
        calendar.remove_booking(calendar.book("room", 10, 20))


@_cycle
def refused_bookings(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: on an exclusive resource, each with a new id."""
    calendar = _calendar(store)
    for number in count():
        yield calendar
        with suppress(BookcoreError):
            calendar.book("room", 3, number + 4, id=f"no {number}")


@_cycle
def refused_bookings_in_a_pool(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: more units than are left; an unknown resource; an id that is taken; a key of another family."""
    calendar = _pool(store)
    for number in count():
        yield calendar
        for resource, start, quantity, id in ("room", 3, 3, None), (number, 3, 1, 0), ("hall", 9, 1, 1), ("hall", "a", 1, 2):
            with suppress(BookcoreError):
                calendar.book(resource, start, 20, quantity=quantity, id=id)


@_cycle
def questions(store: BookingStore[Any]) -> Iterator[Calendar]:
    """Repeat: searches at keys that never come twice."""
    calendar = _pool(store)
    for number in count(100):
        yield calendar
        len(calendar.find_available(number, number + 5))
        calendar.next_available("room", number, 3)
        calendar.explain("room", number, number + 5)
        calendar.find(Resource, calendar.tagged(number)).first(3)


def _ignore(change: object) -> None:
    """Hear of a change and keep nothing."""
