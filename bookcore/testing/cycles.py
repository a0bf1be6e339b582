"""Calls that take each other back, to repeat millions of times: the calendar must stay as small as it was.

A cycle makes a calendar with a new store, and does one step each time it is asked for more.

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
from bookcore.testing.every_change import Clock

Cycle: TypeAlias = Callable[[BookingStore[Any]], Iterator[Calendar]]
Step: TypeAlias = Callable[[Calendar, int], None]
"""One step on a calendar; they are numbered from 0."""

CYCLES: dict[str, Cycle] = {}

LONG = 1_000_000_000
"""More steps than any run has. Before each step, the clock is set to three times its number."""


def _cycle(
    prepare: Callable[[Calendar], object] | None = None, *, booked: bool = True, **resource: Any
) -> Callable[[Step], Step]:
    """Add a step to `CYCLES`, on a calendar of three resources of this kind, with bookings that stay if *booked*."""

    def add(step: Step) -> Step:
        def cycle(store: BookingStore[Any]) -> Iterator[Calendar]:
            clock = Clock(0)
            calendar = Calendar(store, clock=clock)
            for name in ("room", "hall", "attic"):
                calendar.add_resource(Resource(name, **resource))
                if booked:
                    calendar.book(name, 0, 5)
                    calendar.book(name, 90, 95, id=f"{name} stays")
            if prepare is not None:
                prepare(calendar)
            for number in count():
                yield calendar
                clock.now = 3 * number
                step(calendar, number)

        CYCLES[step.__name__.replace("__", ", ").replace("_", " ")] = cycle
        return step

    return add


@_cycle()
def book__remove(calendar: Calendar, number: int) -> None:
    """Repeat: an exclusive resource, ids that are numbers."""
    calendar.remove_booking(calendar.book("room", 10, 20))


@_cycle()
def book__remove_by_id(calendar: Calendar, number: int) -> None:
    """Repeat: each booking with an id of its own."""
    calendar.book("room", 10, 20, id=f"visit {number}")
    calendar.remove_booking(f"visit {number}")


@_cycle()
def book__remove_at_other_keys(calendar: Calendar, number: int) -> None:
    """Repeat: time goes on: no key comes twice."""
    calendar.remove_booking(calendar.book("room", 100 + 10 * number, 107 + 10 * number))


@_cycle(lambda calendar: [calendar.book("room", 100 + n, 101 + n, id=-n) for n in range(1000)])
def book__remove_the_oldest(calendar: Calendar, number: int) -> None:
    """Repeat: a thousand bookings are active at any time."""
    calendar.book("room", 1100 + number, 1101 + number, id=-1000 - number)
    calendar.remove_booking(-number)


@_cycle()
def book__remove_with_fields(calendar: Calendar, number: int) -> None:
    """Repeat: events that carry more than their row."""
    calendar.remove_booking(calendar.book("room", 10, 20, guest="Ada"))


@_cycle(capacity=3)
def book__remove_in_a_pool(calendar: Calendar, number: int) -> None:
    """Repeat: a resource of three units."""
    calendar.remove_booking(calendar.book("room", 10, 20, quantity=2))


@_cycle(capacity=3)
def book__remove_in_a_full_pool(calendar: Calendar, number: int) -> None:
    """Repeat: each booking takes all units, by an id of its own, at keys of its own."""
    calendar.book("room", 100 + 10 * number, 107 + 10 * number, quantity=3, id=str(number))
    calendar.remove_booking(str(number))


@_cycle(before=1, after=2)
def book__remove_with_buffers(calendar: Calendar, number: int) -> None:
    """Repeat: a resource that is cleaned before and after."""
    calendar.remove_booking(calendar.book("room", 10, 20))


@_cycle()
def book__remove_unbounded(calendar: Calendar, number: int) -> None:
    """Repeat: a booking without an end."""
    calendar.remove_booking(calendar.book("room", 100, None))


@_cycle()
def load__remove(calendar: Calendar, number: int) -> None:
    """Repeat: `load` of ten events, and their removal."""
    start = 100 * (number + 1)
    events = [BookingEvent("room", key, key + 5) for key in range(start, start + 100, 10)]
    calendar.load(events)
    for event in events:
        calendar.remove_booking(event)


@_cycle()
def hold__remove(calendar: Calendar, number: int) -> None:
    """Repeat: a hold with a far deadline, given back."""
    calendar.remove_booking(calendar.hold("room", 10, 20, until=4 * LONG + number))


@_cycle()
def hold__confirm__remove(calendar: Calendar, number: int) -> None:
    """Repeat: a hold with a far deadline, confirmed."""
    event = calendar.hold("room", 10, 20, until=4 * LONG)
    calendar.confirm(event)
    calendar.remove_booking(event.id)


@_cycle(lambda calendar: calendar.hold("hall", 10, 20, until=8 * LONG), capacity=3)
def hold__confirm__remove_in_a_pool(calendar: Calendar, number: int) -> None:
    """Repeat: the same with an id of its own, while another hold is active."""
    calendar.hold("room", 10, 20, ttl=LONG, id=LONG + number)
    calendar.confirm(LONG + number)
    calendar.remove_booking(LONG + number)


@_cycle()
def hold__expire(calendar: Calendar, number: int) -> None:
    """Repeat: a hold that runs out before the next step, always under the same id."""
    calendar.is_available("room", 10, 20)
    calendar.hold("room", 10, 20, ttl=1, id="again")


@_cycle()
def hold__expire_under_new_ids(calendar: Calendar, number: int) -> None:
    """Repeat: a hold that runs out and whose number is remembered for a while."""
    calendar.is_available("room", 10, 20)
    calendar.hold("room", 10, 20, ttl=1)


@_cycle(lambda calendar: calendar.subscribe(_ignore), capacity=3)
def hold__expire_in_a_pool(calendar: Calendar, number: int) -> None:
    """Repeat: three holds that run out, of which a subscriber is notified."""
    calendar.is_available("room", 10, 20)
    for unit in range(3):
        calendar.hold("room", 10, 20, ttl=1, id=f"again {unit}")


@_cycle()
def hold__undone(calendar: Calendar, number: int) -> None:
    """Repeat: a hold in a what-if."""
    with calendar.what_if():
        calendar.confirm(calendar.hold("room", 10, 20, until=4 * LONG + number))


@_cycle()
def add_resource__remove_resource(calendar: Calendar, number: int) -> None:
    """Repeat: a new resource each time."""
    calendar.add_resource(Resource(number))
    calendar.remove_resource(number)


@_cycle(lambda calendar: calendar.create_index("buffer", key=lambda resource: resource.after))
def add_the_newest_remove_the_oldest_resource(calendar: Calendar, number: int) -> None:
    """Repeat: ten more resources at any time, each with a label, a closure, an indexed value and a booking."""
    calendar.add_resource(Resource(number, capacity=1 + number % 2, after=number % 3 or None))
    calendar.tag(number, "new", number)
    calendar.close(number, 30, 40)
    calendar.book(number, 10, 20, id=f"in {number}")
    if number >= 10:
        calendar.remove_booking(f"in {number - 10}")
        calendar.remove_resource(number - 10)


def _newest_and_oldest(calendar: Calendar, number: int) -> None:
    """Add a resource with a booking and a label, and remove the one that was added ten steps before."""
    calendar.add_resource(Resource(number, capacity=1 + number % 2))
    calendar.tag(number, "new")
    calendar.book(number, 10, 20, id=f"in {number}")
    if number >= 10:
        calendar.remove_booking(f"in {number - 10}")
        calendar.remove_resource(number - 10)


@_cycle()
def resources_of_a_follower(calendar: Calendar, number: int) -> None:
    """Repeat: another calendar adds the newest resource and removes the oldest, and this one follows."""
    leader = Calendar()
    if number >= 10:
        leader.add_resource(Resource(number - 10))
        leader.book(number - 10, 10, 20, id=f"in {number - 10}")
    unsubscribe = leader.subscribe(calendar.apply)
    _newest_and_oldest(leader, number)
    unsubscribe()


@_cycle()
def resources_in_transactions(calendar: Calendar, number: int) -> None:
    """Repeat: resources come and go in transactions only."""
    with calendar.transaction():
        _newest_and_oldest(calendar, number)


@_cycle()
def resources_in_nested_transactions(calendar: Calendar, number: int) -> None:
    """Repeat: the same in a block within a block, after one that is undone."""
    with calendar.transaction():
        with calendar.what_if():
            calendar.add_resource(Resource("tried out"))
        with calendar.transaction():
            _newest_and_oldest(calendar, number)


@_cycle()
def resources_of_a_follower_in_transactions(calendar: Calendar, number: int) -> None:
    """Repeat: this calendar follows another one in its own transactions."""
    with calendar.transaction():
        resources_of_a_follower(calendar, number)


@_cycle()
def resources_added_and_removed_crosswise(calendar: Calendar, number: int) -> None:
    """Repeat: two resources, of which the first one goes first."""
    for name in "ab":
        calendar.add_resource(Resource((number, name)))
    for name in "ab":
        calendar.remove_resource((number, name))


@_cycle()
def resources_of_new_classes(calendar: Calendar, number: int) -> None:
    """Repeat: each resource is the only one of its class, and has buffers and units of its own."""
    kind = type(f"Kind{number}", (Resource,), {})
    calendar.add_resource(kind(number, capacity=number + 2, before=number + 1))
    calendar.remove_resource(number)


@_cycle()
def one_resource_added_and_removed(calendar: Calendar, number: int) -> None:
    """Repeat: one and the same object, in other calendars beside this one."""
    (hall,) = calendar.find(["hall"])
    other = Calendar()
    other.add_resource(hall)
    other.remove_resource(hall)


@_cycle()
def close__reopen(calendar: Calendar, number: int) -> None:
    """Repeat: a closure at keys of its own."""
    calendar.reopen(calendar.close("room", 100 + 10 * number, 105 + 10 * number, "painting"))


@_cycle(lambda calendar: calendar.close("room", 3, 12))
def close__reopen_beside_another(calendar: Calendar, number: int) -> None:
    """Repeat: a closure that overlaps another, always at the same keys."""
    calendar.reopen(calendar.close("room", 1, 20))


@_cycle()
def tag__untag(calendar: Calendar, number: int) -> None:
    """Repeat: a new label each time."""
    calendar.tag("room", number)
    calendar.untag("room", number)


def _count_up(calendar: Calendar) -> None:
    values = count()
    calendar.create_index("value", key=lambda resource: next(values))


@_cycle(_count_up)
def reindex(calendar: Calendar, number: int) -> None:
    """Repeat: a value that changes each time."""
    calendar.reindex("room")


@_cycle()
def create_an_index_and_undo_that(calendar: Calendar, number: int) -> None:
    """Repeat: an index that a what-if makes."""
    with calendar.what_if():
        calendar.create_index("name", key=lambda resource: resource.id)


@_cycle(booked=False)
def set_hours__clear(calendar: Calendar, number: int) -> None:
    """Repeat: new opening hours each time, read while they last."""
    opens, monday = time(number % 8, number // 8 % 60), datetime(2026, 5, 4, 9)
    calendar.set_hours("room", Hours({number % 7: [(opens, time(20))]}))
    calendar.is_available("room", monday, monday + timedelta(hours=1))
    len(calendar.find_available(monday, monday + timedelta(hours=number % 7 + 1)))
    calendar.set_hours("room", None)


@_cycle()
def move_there_and_back(calendar: Calendar, number: int) -> None:
    """Repeat: to another span and back."""
    calendar.move("room stays", start=30, end=40)
    calendar.move("room stays", start=90, end=95)


@_cycle(capacity=3)
def move_to_another_resource_and_back(calendar: Calendar, number: int) -> None:
    """Repeat: between pools."""
    calendar.move("room stays", resource="hall")
    calendar.move("room stays", resource="room")


@_cycle()
def split__remove(calendar: Calendar, number: int) -> None:
    """Repeat: both parts are removed."""
    calendar.book("room", 10, 20, id=str(number))
    for part in calendar.split(str(number), 15):
        calendar.remove_booking(part)


@_cycle(capacity=3)
def split__undone(calendar: Calendar, number: int) -> None:
    """Repeat: a split in a what-if."""
    with calendar.what_if():
        calendar.split("room stays", 92)


@_cycle()
def subscribe__unsubscribe(calendar: Calendar, number: int) -> None:
    """Repeat: a subscriber that is notified of one booking."""
    unsubscribe = calendar.subscribe(_ignore)
    calendar.remove_booking(calendar.book("room", 10, 20))
    unsubscribe()


@_cycle()
def transaction_committed(calendar: Calendar, number: int) -> None:
    """Repeat: a booking made, moved and removed in one transaction."""
    with calendar.transaction():
        event = calendar.book("room", 10, 20)
        calendar.move(event, start=20, end=30)
        calendar.remove_booking(event.id)


@_cycle(capacity=3)
def transaction_undone(calendar: Calendar, number: int) -> None:
    """Repeat: a block that raises."""
    with suppress(KeyError), calendar.transaction():
        calendar.book("room", 10, 20, id=str(number))
        calendar.book("room", 10, 20)
        raise KeyError


@_cycle()
def what_if(calendar: Calendar, number: int) -> None:
    """Repeat: a resource, a closure, a label and bookings, all of them undone."""
    with calendar.what_if():
        calendar.add_resource(Resource(number))
        calendar.book(number, 10, 20)
        calendar.tag(number, number)
        calendar.close(number, 30, 40)
        calendar.remove_booking("room stays")


@_cycle()
def what_if__book(calendar: Calendar, number: int) -> None:
    """Repeat: numbers that are given out again after an undone booking."""
    with calendar.what_if():
        calendar.book("room", 10, 20)
    calendar.remove_booking(calendar.book("room", 10, 20))


@_cycle()
def refused_bookings(calendar: Calendar, number: int) -> None:
    """Repeat: on an exclusive resource, each with a new id."""
    with suppress(BookcoreError):
        calendar.book("room", 3, number + 4, id=f"no {number}")


@_cycle(capacity=3)
def refused_bookings_in_a_pool(calendar: Calendar, number: int) -> None:
    """Repeat: more units than are left; an unknown resource; an id that is taken; a key of another family."""
    for resource, start, quantity, id in ("room", 3, 3, None), (number, 3, 1, 0), ("hall", 9, 1, 1), ("hall", "a", 1, 2):
        with suppress(BookcoreError):
            calendar.book(resource, start, 20, quantity=quantity, id=id)


@_cycle(capacity=3)
def questions(calendar: Calendar, number: int) -> None:
    """Repeat: searches at keys that never come twice."""
    start = 100 + number
    len(calendar.find_available(start, start + 5))
    calendar.next_available("room", start, 3)
    calendar.explain("room", start, start + 5)
    calendar.find(Resource, calendar.tagged(number)).first(3)


def _ignore(change: object) -> None:
    """Do nothing."""
