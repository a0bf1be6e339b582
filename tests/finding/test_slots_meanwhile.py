"""`find_slots` holds no lock between two steps: whatever other threads do there, it tells of the resources that stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from bookcore import BookingStore, Calendar, MemoryStore, Resource
from bookcore.engine.gate import Gate
from bookcore.hours import Hours
from bookcore.query import slots
from bookcore.testing import ListStore
from bookcore.testing.sizes import SMALL

MONDAY = datetime(2026, 5, 4)
STANDING = 9
STORES: dict[str, Callable[[], BookingStore[Any]]] = {"small": lambda: MemoryStore(SMALL), "list": ListStore}


def hour(number: float) -> datetime:
    """Return an instant of the week."""
    return MONDAY + timedelta(hours=number)


class Before:
    """Calls *meanwhile* before a call of a gate, the *at*-th one from now on: what another thread may do there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 0
        self.meanwhile: Callable[[], Any] = lambda: None
        ask = Gate.ask

        def asked(gate: Gate, *args: Any, **options: Any) -> Any:
            if not gate.depth and not gate.mode:
                self.at -= 1
                if not self.at:
                    self.meanwhile()
            return ask(gate, *args, **options)

        monkeypatch.setattr(Gate, "ask", asked)

    def listed(self, at: int, meanwhile: Callable[[], Any], answers: Iterator[Any]) -> list[tuple[Any, Any]]:
        """Return the starts and ids of slots, between whose steps something happens once."""
        self.at, self.meanwhile = at, meanwhile
        found = [(start, resource.id) for start, _, resource in answers]
        self.at = min(self.at, 0)
        return found


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Before:
    """Give what happens meanwhile."""
    return Before(monkeypatch)


@pytest.fixture(params=["each resource", "the ends", "a grid"])
def step(request: Any, monkeypatch: pytest.MonkeyPatch) -> timedelta | None:
    """Have `find_slots` search each resource, or read the ends in the indexes; or give it a step."""
    if request.param == "the ends":
        monkeypatch.setattr(slots, "MANY", 2)
    return timedelta(hours=3) if request.param == "a grid" else None


def made(store: BookingStore[Any], sort: str) -> Calendar:
    """Return a calendar of a dozen resources, after as many that are never free."""
    calendar = Calendar(store, bounds="[]" if sort == "closed bounds" else "[)")
    for number in range(STANDING):
        calendar.add_resource(Resource(("old", number)))
        calendar.book(("old", number), None, None, id=("old", number))
        calendar.add_resource(Resource(number, capacity=1 + (sort == "units")))
        calendar.tag(number, "standing")
        if sort == "hours":
            calendar.book(number, hour(7), hour(9 + number % 4))
            calendar.set_hours(number, Hours({"mon-sun": "08:00-20:00" if number % 3 else "09:00-17:00"}))
            calendar.close(number, hour(14), hour(15 + number % 2))
        else:
            calendar.book(number, hour(0), hour(5 + (number // 2 if sort != "equal ends" else 0)))
            calendar.book(number, hour(13 + number % 3), hour(20))
    return calendar


def remove_the_old(calendar: Calendar) -> None:
    """Remove the resources that are never free, so that the others get new numbers."""
    size = calendar._engine.state.registry.size
    for number in range(STANDING):
        calendar.remove_booking(("old", number))
        calendar.remove_resource(("old", number))
    for number in count(1000):  # some more that come and go
        calendar.add_resource(Resource(number))
        calendar.book(number, None, None, id=("more", number))
        if calendar._engine.state.registry.size < size or number > 1100:
            return
        calendar.remove_booking(("more", number))
        calendar.remove_resource(number)


def undo_the_removal(calendar: Calendar) -> None:
    """Remove some resources and take that back, which gives them other records."""
    with calendar.what_if():
        for number in (1, 4, 8):
            for event in list(calendar.bookings(number)):
                calendar.remove_booking(event)
            calendar.remove_resource(number)


def remove_some(calendar: Calendar) -> None:
    """Remove the last resources, and add others under their numbers, which are never free."""
    for number in (3, 7, 8):
        for event in list(calendar.bookings(number)):
            calendar.remove_booking(event)
        calendar.remove_resource(number)
    calendar.add_resource(Resource("new"))
    calendar.book("new", None, None)


SORTS = ["ends", "equal ends", "units", "hours", "closed bounds"]


def asked(calendar: Calendar, step: Any) -> Iterator[Any]:
    """Return the slots of two hours on Monday; for a step also a term is asked."""
    return calendar.find_slots(
        timedelta(hours=2), hour(4), hour(23), *[calendar.tagged("standing")] * bool(step), step=step
    )


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("meanwhile", [remove_the_old, undo_the_removal])
def test_the_slots_of_those_that_stand_are_the_same(
    before: Before, store: str, sort: str, step: Any, meanwhile: Callable[[Calendar], None]
) -> None:
    """New numbers, and removals that were undone, are seen in no answer, whenever they come."""
    calendar = made(STORES[store](), sort)
    version = calendar._gate.version
    right = before.listed(0, lambda: None, asked(calendar, step))
    for at in count(1, 7):
        calendar = made(STORES[store](), sort)
        assert before.listed(at, lambda: meanwhile(calendar), asked(calendar, step)) == right, at  # noqa: B023
        if calendar._gate.version == version:
            break  # the last step was before
    assert at > 5


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("store", STORES)
def test_the_slots_of_those_that_were_removed_end(before: Before, store: str, sort: str, step: Any) -> None:
    """The others' slots are listed all the same, and who got their numbers has none."""
    right = before.listed(0, lambda: None, asked(made(STORES[store](), sort), step))
    for at in count(1, 7):
        calendar = made(STORES[store](), sort)
        found = before.listed(at, lambda: remove_some(calendar), asked(calendar, step))  # noqa: B023
        gone = (3, 7, 8)
        assert [slot for slot in found if slot[1] not in gone] == [slot for slot in right if slot[1] not in gone], at
        assert set(found) <= set(right)
        if found == right:
            break
    assert at > 5


def test_slots_that_begin_together_come_before_the_next_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each resource is searched once for the first gap, and again only when the slots of its start have been yielded."""
    calendar = made(MemoryStore(), "equal ends")
    searched: list[int] = []
    next_gap = slots.Slots._next_gap

    def search(self: slots.Slots, record: Any, after: Any) -> Any:
        searched.append(record.resource.id)
        if len(searched) > STANDING:
            raise RecursionError
        return next_gap(self, record, after)

    monkeypatch.setattr(slots.Slots, "_next_gap", search)
    answers = calendar.find_slots(timedelta(hours=2), hour(4), hour(23), calendar.tagged("standing"))
    assert [next(answers)[2].id for _ in range(STANDING)] == searched == list(range(STANDING))
    with pytest.raises(RecursionError):
        next(answers)
