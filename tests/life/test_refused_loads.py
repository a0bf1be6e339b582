"""A load that is refused costs about as much as one that succeeds, and is refused for the same reason as one by one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from bookcore import BookcoreError, BookingEvent, Calendar, MemoryStore, Resource
from bookcore.testing.sizes import SMALL

MANY = 400


class Counting(MemoryStore):
    """Counts the rows that are put one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.puts = 0

    def put(self, *row: Any) -> None:
        """Count, and put."""
        self.puts += 1
        super().put(*row)


def events(count: int = MANY) -> list[BookingEvent]:
    return [BookingEvent(number % 7, 10 * number, 10 * number + 9) for number in range(count)]


def calendar_with(store: MemoryStore, bounds: Any = "[)") -> Calendar:
    calendar = Calendar(store, bounds=bounds)
    for number in range(8):
        calendar.add_resource(Resource(number))
    calendar.book(7, 0, 5)
    calendar.book(6, -20, -10, id="known")
    return calendar


BAD: dict[str, Callable[[list[BookingEvent]], Any]] = {
    "taken by the calendar": lambda before: BookingEvent(7, 4, 8),
    "taken by another of the load": lambda before: BookingEvent(3, 35, 100),
    "taken by the first of the load": lambda before: BookingEvent(0, 8, 9),
    "taken by many": lambda before: BookingEvent(1, None, None),
    "of an unknown resource": lambda before: BookingEvent("no", 4, 8),
    "reversed": lambda before: BookingEvent(2, 8, 4),
    "with a key of another family": lambda before: BookingEvent(2, "a", "b"),
    "with NaN": lambda before: BookingEvent(2, 1.0, float("nan")),
    "given twice": lambda before: before[3],
    "no event": lambda before: "event",
}


def refusal(calendar: Calendar, load: list[Any], one_by_one: bool = False) -> tuple[Any, ...]:
    """Return what is said of a refused load."""
    with pytest.raises(BookcoreError) as caught:
        if one_by_one:
            with calendar.transaction():
                for event in load:
                    calendar.add_booking(event)
        else:
            calendar.load(load)
    return type(caught.value), str(caught.value), getattr(caught.value, "conflicts", None)


@pytest.mark.parametrize("why", BAD)
def test_the_last_event_is_refused(why: str) -> None:
    store = Counting()
    calendar = calendar_with(store)
    before, digest = store.puts, calendar.digest()
    load: list[Any] = events()
    load.append(BAD[why](load))
    found = refusal(calendar, load)
    assert store.puts - before <= (70 if why == "taken by many" else 3)
    assert calendar.digest() == digest
    assert all(event._home is None and event._id is None for event in load[:-1])
    expected = refusal(calendar, load, one_by_one=True)
    assert found[:2] == expected[:2]
    assert found[2] == expected[2]
    calendar.check()


@pytest.mark.parametrize("why", ["twice in the load", "taken by the calendar", "equal, of another type"])
def test_the_last_id_is_refused(why: str) -> None:
    store = Counting()
    calendar = calendar_with(store)
    before = store.puts
    load = [BookingEvent(event.resource, event.start, event.end, id=f"id {at}") for at, event in enumerate(events())]
    id = {"twice in the load": "id 5", "taken by the calendar": "known", "equal, of another type": 1}[why]
    load.append(BookingEvent(7, 500, 600, id=id))
    found = refusal(calendar, load)
    assert store.puts - before <= 3
    assert found == refusal(calendar, load, one_by_one=True)


@pytest.mark.parametrize("seed", range(30))
def test_the_same_event_is_refused_as_one_by_one(seed: int) -> None:
    """Random loads, of which some events are in each other's way, in any order, with both kinds of bounds."""
    draw = random.Random(seed)
    bounds = draw.choice(["[)", "[]"])
    calendar = calendar_with(MemoryStore(SMALL), bounds)
    load = []
    for _ in range(draw.choice([5, 40, 80])):
        start = draw.randrange(2000)
        load.append(BookingEvent(draw.randrange(8), start, start + draw.randrange(1, 30)))
        if draw.random() < 0.02:
            load[-1] = BookingEvent(draw.randrange(8), None, start)
    try:
        assert calendar.load(load) == len(load)
    except BookcoreError as exc:
        found = type(exc), str(exc), getattr(exc, "conflicts", None)
        assert found == refusal(calendar, load, one_by_one=True)
    calendar.check()
