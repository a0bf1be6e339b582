"""What the tests of the journal share: classes of a program's own, and a history with every kind of change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import BookingEvent, Calendar, ConflictError, Resource
from bookcore.hours import Hours
from bookcore.persist import registry
from bookcore.persist.registry import register_key_codec

START = datetime(2026, 3, 28, 12)
FAMILIES: dict[str, Callable[[int], Any]] = {
    "int": int,
    "Decimal": lambda n: Decimal(n) / 4,
    "str": lambda n: f"{n:04d}",
    "datetime": lambda n: START + n * timedelta(hours=1),
    "zone": lambda n: (START + n * timedelta(hours=1)).replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Paris")),
    "tuple": lambda n: (n // 5, n % 5),
}


class Flat(Resource):
    """A resource of a program's own, with attributes."""

    def __init__(self, id: Any, rooms: int, **options: Any) -> None:
        super().__init__(id, **options)
        self.rooms = rooms


class Stay(BookingEvent):
    """A booking of a program's own."""


class Boat:
    """A resource that is no `Resource`."""

    def __init__(self, id: str) -> None:
        self.id = id


TYPES = [Flat, Stay]


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a registry of its own, which knows boats."""
    monkeypatch.setattr(registry, "_by_class", {})
    monkeypatch.setattr(registry, "_by_name", {})
    register_key_codec(Boat, "Boat", lambda boat: boat.id, Boat)


@pytest.fixture
def world() -> SimpleNamespace:
    """Return what this file defines, which test files cannot import."""
    return SimpleNamespace(Boat=Boat, Clock=Clock, Flat=Flat, Stay=Stay, TYPES=TYPES, families=FAMILIES, history=history)


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: Any) -> None:
        self.now = now

    def __call__(self) -> Any:
        return self.now


def history(calendar: Calendar, clock: Clock, key: Callable[[int], Any]) -> Iterator[str]:
    """Change a calendar in every way there is; yield the name of each step, after it."""
    turnaround = key(1) - key(0) if hasattr(key(0), "__sub__") else None
    calendar.add_resource(Resource("room", after=turnaround))
    yield "add a resource with turnaround"
    calendar.add_resource(Flat(7, 3, capacity=4))
    yield "add one of a class of the program's own"
    calendar.add_resource(Boat("boat"), capacity=2)
    yield "add one that is no Resource"
    calendar.add_resource(Flat("own", 2), id="other")
    yield "add one under another id"
    calendar.book("room", key(2), key(4))
    yield "book"
    calendar.book(7, key(2), key(4), id="named", quantity=2, guest="Ada", tags=["a", "b"])
    yield "book with an id, a quantity and fields"
    calendar.add_booking(Stay("boat", key(1), key(9), guest="Bob"))
    yield "add a booking of a class of the program's own"
    calendar.add_booking(BookingEvent("other", None, key(3)))
    yield "add an unbounded booking"
    calendar.hold(7, key(10), key(12), id="hold", until=key(60))
    calendar.hold(7, key(10), key(12), id="endless")
    calendar.hold("boat", key(20), key(22), id="soon", until=key(51))
    yield "hold"
    calendar.extend("hold", until=key(61))
    calendar.extend("hold", until=None)
    yield "extend a hold"
    calendar.confirm("hold")
    yield "confirm"
    calendar.move("named", start=key(5), end=key(6))
    yield "move"
    calendar.move("named", resource="boat", start=key(30), end=key(31))
    yield "move to another resource"
    calendar.change("named", quantity=1, guest="Bea", nights=2)
    calendar.change(calendar.book("other", key(90), key(91)), guest="Cy")
    yield "change fields and quantity"
    calendar.split(calendar.book("room", key(70), key(78), id="long", guest="Eve"), key(74)) if turnaround is None else None
    calendar.split(calendar.book("other", key(70), key(78), id="wide", guest="Eve"), key(74))
    yield "split"
    clock.now = key(51)
    len(calendar)
    yield "let a hold run out in a question"
    calendar.hold("boat", key(20), key(22), id="soon", until=key(52))
    yield "hold under the id of one that ran out"
    clock.now = key(52)
    len(calendar)
    calendar.tag(7, "sea", "sauna", 3)
    calendar.untag(7, "sauna")
    yield "tag"
    closure = calendar.close(7, key(9), key(11), "painting")
    other = calendar.close("boat", key(40), None)
    yield "close"
    calendar.remove_booking("endless")
    yield "release a booking that a closure lists"
    calendar.reopen(other)
    yield "reopen"
    assert closure in calendar.closures()
    calendar.set_capacity(7, 9)
    calendar.set_capacity("boat", 1)
    yield "set a capacity"
    if isinstance(key(0), datetime):
        zone = None if key(0).tzinfo is None else "Europe/Paris"
        calendar.set_hours([7, "boat"], Hours({"mon-fri": "09:00-17:00"}, zone=zone))
        calendar.set_hours("boat", None)
        yield "set opening hours"
    calendar.load([BookingEvent("other", key(at), key(at + 1)) for at in range(100, 140)])
    yield "load"
    calendar.remove_booking(1)
    calendar.book("room", key(2), key(3))
    yield "remove and book again"
    with calendar.transaction():
        event = calendar.add_booking(BookingEvent("other", key(200), key(201)))
        calendar.remove_booking(event)
        calendar.add_booking(event)
        passing = calendar.add_resource(Resource("passing"))
        calendar.tag(passing, "brief")
        calendar.close(passing, key(1), key(2))
        calendar.remove_booking(calendar.book(passing, key(3), key(4)))
        calendar.remove_resource(passing)
        calendar.add_resource(passing, id="again")
    yield "a transaction that takes back some of what it did"
    try:
        with calendar.transaction():
            calendar.book("room", key(300), key(301))
            calendar.book("room", key(300), key(301))
    except ConflictError:
        pass
    with calendar.what_if():
        calendar.remove_booking("hold")
    yield "blocks that are undone"
    calendar.remove_resource("again")
    yield "remove a resource"
    calendar.book_all([(7, key(400), key(401)), ("other", key(400), key(401)), ("nobody", 1, 2)], on_conflict="skip")
    yield "book many"
    calendar.book("room", key(500), key(501))
    yield "book once more"
