"""`every_change`: a history with every kind of change there is, one step after the other, for keys of any family.

A step is a function of the calendar, and takes nothing along from the step before: between two steps the calendar may be
closed and opened anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeAlias

from bookcore import BookingEvent, Calendar, ConflictError, Resource
from bookcore.hours import Hours
from bookcore.persist.registry import register_key_codec

Step: TypeAlias = Callable[[Calendar], Any]


class Flat(Resource):
    """A resource of a program's own, with attributes."""

    def __init__(self, id: Any, rooms: int, **options: Any) -> None:
        super().__init__(id, **options)
        self.rooms = rooms


class Stay(BookingEvent):
    """A booking of a program's own."""


class Boat:
    """A resource that is no `Resource`; see `register_boats`."""

    def __init__(self, id: str) -> None:
        self.id = id


TYPES: list[type] = [Flat, Stay]
"""What has to be handed in to open a calendar with such a history."""


def register_boats() -> None:
    """Say how a `Boat` is written. O(1)."""
    register_key_codec(Boat, "bookcore.testing.Boat", lambda boat: boat.id, Boat)


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: Any = 100) -> None:
        self.now = now

    def __call__(self) -> Any:
        """Return the present instant."""
        return self.now


def every_change(clock: Clock, key: Callable[[int], Any]) -> Iterator[tuple[str, Step]]:
    """Yield the name of each step and what is done in it. *key* makes a key of a rank, *clock* is that of the calendar.

    >>> clock = Clock(0)
    >>> calendar = Calendar(clock=clock)
    >>> for name, step in every_change(clock, int):
    ...     _ = step(calendar)
    >>> name, len(calendar)
    ('book once more', 52)
    """
    buffer = key(1) - key(0) if hasattr(key(0), "__sub__") else None

    def hold(calendar: Calendar) -> None:
        calendar.hold(7, key(10), key(12), id="hold", until=key(60))
        calendar.hold(7, key(10), key(12), id="endless")
        calendar.hold("boat", key(20), key(22), id="soon", until=key(51))

    def change(calendar: Calendar) -> None:
        calendar.change("named", quantity=1, guest="Bea", nights=2)
        calendar.change(calendar.book("other", key(90), key(91)), guest="Cy")

    def split(calendar: Calendar) -> None:
        if buffer is None:  # the parts would be too near to each other
            calendar.split(calendar.book("room", key(70), key(78), id="long", guest="Eve"), key(74))
        calendar.split(calendar.book("other", key(70), key(78), id="wide", guest="Eve"), key(74))

    def set_capacities(calendar: Calendar) -> None:
        calendar.set_capacity(7, 9)
        calendar.set_capacity("boat", 1)

    def set_hours(calendar: Calendar) -> None:
        zone = None if key(0).tzinfo is None else "Europe/Paris"
        calendar.set_hours([7, "boat"], Hours({"mon-fri": "09:00-17:00"}, zone=zone))
        calendar.set_hours("boat", None)

    def take_back(calendar: Calendar) -> None:
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

    def undo(calendar: Calendar) -> None:
        with suppress(ConflictError), calendar.transaction():
            calendar.book("room", key(300), key(301))
            calendar.book("room", key(300), key(301))
        with calendar.what_if():
            calendar.remove_booking("hold")

    def book_many(calendar: Calendar) -> None:
        asked = [(7, key(400), key(401)), ("other", key(400), key(401)), ("nobody", 1, 2)]
        calendar.book_all(asked, on_conflict="skip")

    def until(now: int) -> Step:
        def wait(calendar: Calendar) -> int:
            clock.now = key(now)
            return len(calendar)

        return wait

    yield "add a resource with buffers", lambda c: c.add_resource(Resource("room", after=buffer))
    yield "add one of a class of the program's own", lambda c: c.add_resource(Flat(7, 3, capacity=4))
    yield "add one that is no Resource", lambda c: c.add_resource(Boat("boat"), capacity=2)
    yield "add one under another id", lambda c: c.add_resource(Flat("own", 2), id="other")
    yield "book", lambda c: c.book("room", key(2), key(4))
    named = "book with an id, a quantity and fields"
    yield named, lambda c: c.book(7, key(2), key(4), id="named", quantity=2, guest="Ada", tags=["a", "b"])
    stay = "add a booking of a class of the program's own"
    yield stay, lambda c: c.add_booking(Stay("boat", key(1), key(9), guest="Bob"))
    yield "add an unbounded booking", lambda c: c.add_booking(BookingEvent("other", None, key(3)))
    yield "hold", hold
    yield "extend a hold", lambda c: c.extend("hold", until=key(61))
    yield "let a hold have no deadline", lambda c: c.extend("hold", until=None)
    yield "confirm", lambda c: c.confirm("hold")
    yield "move", lambda c: c.move("named", start=key(5), end=key(6))
    yield "move to another resource", lambda c: c.move("named", resource="boat", start=key(30), end=key(31))
    yield "change fields and quantity", change
    yield "split", split
    yield "let a hold run out in a question", until(51)
    again = "hold under the id of one that ran out"
    yield again, lambda c: c.hold("boat", key(20), key(22), id="soon", until=key(52))
    yield "let this run out as well", until(52)
    yield "tag", lambda c: c.tag(7, "sea", "sauna", 3)
    yield "untag", lambda c: c.untag(7, "sauna")
    yield "close", lambda c: c.close(7, key(9), key(11), "painting")
    yield "close without end", lambda c: c.close("boat", key(40), None)
    yield "release a booking that a closure lists", lambda c: c.remove_booking("endless")
    yield "reopen", lambda c: c.reopen(c.closures_of("boat")[0])
    yield "set a capacity", set_capacities
    if isinstance(key(0), datetime):
        yield "set opening hours", set_hours
    yield "load", lambda c: c.load([BookingEvent("other", key(at), key(at + 1)) for at in range(100, 140)])
    yield "remove", lambda c: c.remove_booking(next(c.bookings("room", key(2), key(3))))
    yield "book again", lambda c: c.book("room", key(2), key(3))
    yield "a transaction that takes back some of what it did", take_back
    yield "blocks that are undone", undo
    yield "remove a resource", lambda c: c.remove_resource("again")
    yield "book many", book_many
    yield "book once more", lambda c: c.book("room", key(500), key(501))
