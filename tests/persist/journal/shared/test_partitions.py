"""Calendars in partitions: the same answers as an undivided calendar, from several orders of changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import settings

from bookcore import BookcoreError, BookingEvent, Calendar, Closure, Resource, no

ROOMS = "abcdefgh"
STEPS = settings().max_examples * 2


class Ids:
    """The ids of one calendar by those of the other one: numbers differ."""

    def __init__(self) -> None:
        self.other: dict[Any, Any] = {}

    def __call__(self, id: Any) -> Any:
        return self.other.get(id, id)

    def learn(self, twin: Any, ours: Any) -> None:
        """Note that two events, or lists of them, are the same booking."""
        for one, two in zip(twin, ours, strict=True) if isinstance(twin, (list, tuple)) else [(twin, ours)]:
            if isinstance(one, BookingEvent):
                self.other[one.id] = two.id


def _backwards(room: Any) -> int:
    return -ord(room.id)


def known_as(ids: dict[Any, Any], id: Any) -> Any:
    """Return what the undivided calendar calls a booking."""
    return ids.get(id, id)


def same(id: Any) -> Any:
    """Return an id as it is: the undivided calendar's own."""
    return id


Step = Callable[[Any, Callable[[Any], Any]], Any]


class Chance:
    """Steps drawn at random, each for a calendar and its ids."""

    def __init__(self, seed: object) -> None:
        self.draw = random.Random(str(seed))
        self.now = self.named = 0

    def clock(self) -> int:
        return self.now

    def step(self, active: list[Any]) -> Step:
        """Return the next step. *active* are the ids of bookings."""
        draw = self.draw
        room, other, start = draw.choice(ROOMS), draw.choice(ROOMS), draw.randrange(60)
        end = start + draw.randrange(1, 12)
        one = draw.choice(active) if active and draw.random() < 0.95 else "nobody"
        self.named += 1
        named = f"n{self.named}" if draw.random() < 0.3 else draw.choice([None, None, one if type(one) is str else (7, 1.5)])
        until, label, hour = self.now + draw.randrange(1, 9), draw.choice(["sea", "sun"]), draw.randrange(100)
        strategy = draw.choice(["first", "best_fit", "least_used", lambda rooms: rooms[-1]])
        how = draw.choice(["raise", "return"])
        steps: list[Step] = [
            lambda c, ids: c.book(room, start, end, id=named, if_exists=how),
            lambda c, ids: c.book(room, start, end, id=named, quantity=1 + hour % 2, guest=hour),
            lambda c, ids: c.hold(room, start, end, id=named, until=until),
            lambda c, ids: c.hold(room, start, end, id=named, until=until),
            lambda c, ids: c.confirm(ids(one)),
            lambda c, ids: c.extend(ids(one), until=until + 5),
            lambda c, ids: c.move(ids(one), start=start, end=end),
            lambda c, ids: c.move(ids(one), resource=room),
            lambda c, ids: c.move(c.get(ids(one)), resource=room, start=start, end=end),
            lambda c, ids: c.change(ids(one), quantity=1 + hour % 3, note=hour),
            lambda c, ids: c.split(ids(one), start),
            lambda c, ids: c.remove_booking(ids(one)),
            lambda c, ids: c.close(room, start, end, "paint").reason,
            lambda c, ids: len(c.close_all([room, other], start, end)),
            lambda c, ids: c.reopen(_closure(c, hour)),
            lambda c, ids: c.set_capacity(room, 1 + hour % 3),
            lambda c, ids: c.tag(room, label),
            lambda c, ids: c.untag(room, label),
            lambda c, ids: c.add_resource(Resource(room, 1 + hour % 2)).id,
            lambda c, ids: c.add_resource(Resource(other, after=1), if_exists=how).id,
            lambda c, ids: c.remove_resource(room).id,
            lambda c, ids: c.book_any(list(ROOMS), start, end, strategy=strategy, id=named),
            lambda c, ids: c.book_any(c.tagged(label), start, end, strategy=strategy, if_exists=how, id=named),
            lambda c, ids: _loaded(c, room, other, 70 + hour),
            lambda c, ids: c.book_all([(room, start, end), (other, start, end), (room, start, end)], "skip").booked,
            lambda c, ids: c.book_all([(room, start, end), {"resource": other, "start": end, "end": end + 1, "id": named}])
            .booked,
            lambda c, ids: _block(c, ids, (room, other, start, end, one)),
            lambda c, ids: _block(c, ids, (room, other, start, end, one), (room, other)),
            lambda c, ids: _nested(c, room, other, start, end),
            lambda c, ids: _trial(c, ids, room, start, end, one),
        ]  # fmt: skip
        return draw.choice(steps)


def _loaded(calendar: Any, room: str, other: str, start: int) -> list[BookingEvent]:
    events = [BookingEvent((room, other)[at % 2], start + at, start + at + 1) for at in range(4)]
    assert calendar.load(events) == len(events)
    return events


def _closure(calendar: Any, at: int) -> Any:
    closures = sorted(calendar.closures(), key=lambda each: (each.resource.id, each.start, each.end))
    return closures[at % len(closures)] if closures else Closure(Resource("none"), 1, 2, "", 1, ())


def _block(calendar: Any, ids: Any, facts: tuple[Any, ...], named: tuple[Any, ...] = ()) -> Any:
    room, other, start, end, one = facts
    with calendar.transaction(*(named if not isinstance(calendar, Calendar) else ())):
        made = [calendar.book(room, start, end), calendar.hold(other, end, end + 2)]
        if not named:
            calendar.remove_booking(ids(one))
        return made


def _nested(calendar: Any, room: str, other: str, start: int, end: int) -> Any:
    with calendar.transaction():
        made = [calendar.book(room, start, end)]
        try:
            with calendar.transaction():
                calendar.book(other, start, end)
                calendar.book(room, start, end)
        except BookcoreError:
            pass
        return [*made, calendar.book(other, start, end)]


def _trial(calendar: Any, ids: Any, room: str, start: int, end: int, one: Any) -> Any:
    with calendar.what_if():
        calendar.book(room, start, end)
        calendar.move(ids(one), resource=room, start=end, end=end + 1)
        return calendar.is_available(room, start, end), len(calendar.find_available(start, end))


def told(call: Callable[[], Any]) -> Any:
    """Return what a call answers, or the class of its error."""
    try:
        return call()
    except BookcoreError as error:
        return type(error)


def plainly(result: Any, ids: dict[Any, Any]) -> Any:
    """Return the outcome of a step in plain values."""
    if isinstance(result, BookingEvent):
        return result.resource.id, result.start, result.end, ids.get(result.id, result.id), result.quantity, result.until
    if isinstance(result, (list, tuple)):
        return [plainly(each, ids) for each in result]
    return result


def answers(calendar: Any, ids: Callable[[Any], Any], chance: Chance) -> Any:
    """Return what a calendar answers to many questions; *ids* makes the ids of the other calendar of its own."""

    def bookings(found: Any) -> list[Any]:
        return [
            (one.resource.id, one.start, one.end, ids(one.id), one.quantity, str(one.status), one.until, {**one.fields})
            for one in found
        ]

    low = chance.named % 50
    high = low + 3
    free, sea, sun = calendar.find_available(low, high), calendar.tagged("sea"), calendar.tagged("sun")
    closures = [(each.resource.id, each.start, each.end, each.reason) for each in calendar.closures()]
    rooms = [each.id for each in calendar.resources]
    return {
        "free": (free.ids(), len(free), free.count(), bool(free), [each.id for each in free.first(3)], str(free.first())),
        "in": [room in free for room in ROOMS],
        "sets": [
            each.ids()
            for each in (free & sea, free | sun, sea - free, sea ^ sun, ~free, ["a", "c"] - free, free & ["c", "b", "x"])
        ],
        "terms": [
            calendar.find(Resource, [sea, "c", no(sun)], no([free, "a"])).ids(),
            calendar.find(room for room in "hga").ids(),
            calendar.find_booked(low, high, [sea, [sun, "d"]]).ids(),
            calendar.find_available(low, high, no(sea), quantity=2).ids(),
        ],
        "ordered": [
            calendar.resources.order_by("units").ids(),
            [each.id for each in free.order_by(_backwards).first(2)],
            calendar.index("units").between(2, None).ids(),
            (calendar.index("units").one_of([1, 3]) & free).ids(),
        ],
        "guests": sorted(bookings(calendar.booking_index("units").between(2, None)), key=repr),
        "resources": rooms,
        "bookings": sorted(bookings(calendar.bookings()), key=repr),
        "starts": [event.start for event in calendar.bookings(None, low, None)],
        "closures": sorted(closures),
        "slots": [(a, b, each.id) for a, b, each in calendar.find_slots(2, low, low + 6)],
        "grid": [(a, b, each.id) for a, b, each in calendar.find_slots(2, low, low + 6, step=1)],
        "len": len(calendar),
        "each": [
            (
                bookings(calendar.bookings(room)), calendar.is_available(room, low, high), sorted(calendar.tags_of(room)),
                list(calendar.gaps(room, low, low + 30)), calendar.free_busy(room, low, low + 9), calendar.resource(room).id,
                calendar.next_available(room, low, 2), calendar.nearest(room, low, high), len(calendar.closures_of(room)),
                list(calendar.occupancy(room, low, low + 9)), len(calendar.explain(room, low, high).causes),
                [ids(event.id) for event in calendar.conflicts(room, low, high)],
            )
            for room in rooms
        ],
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_a_random_history_gives_the_same_answers_as_an_undivided_calendar(seed: int, parted: Callable[..., Any]) -> None:
    """Dealt to two calendars in partitions: each step has the same outcome, each question the same answer."""
    chance = Chance(seed)
    twin: Any = Calendar(clock=chance.clock)
    dealt = [parted(clock=chance.clock) for _ in range(2)]
    ids = Ids()
    for calendar in (twin, *dealt):
        calendar.create_index("units", key=lambda room: room.capacity)
        calendar.create_booking_index("units", key=lambda event: event.quantity)
    for room in ROOMS[:5]:
        twin.add_resource(Resource(room))
        dealt[0].add_resource(Resource(room))
    for number in range(STEPS):
        chance.now += chance.draw.random() < 0.1
        step = chance.step([event.id for event in twin.bookings()])
        expected = told(partial(step, twin, same))
        found = told(partial(step, dealt[number % 2], ids))
        ids.learn(expected, found)
        plain = {ours: theirs for theirs, ours in ids.other.items()}
        assert plainly(found, plain) == plainly(expected, {}), number
        for calendar in dealt:
            calendar.catch_up()
        for calendar in dealt[number % 2 :] if number % 8 else dealt:
            ours, theirs = answers(calendar, partial(known_as, plain), chance), answers(twin, same, chance)
            for name, answer in theirs.items():
                assert ours[name] == answer, (number, name)
    assert dealt[0].digest() == dealt[1].digest()
    assert dealt[0].position == dealt[1].position
