"""Assignments that would have no effect: to what a calendar has read of a resource or an event."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from bookcore import AssignmentError, BookingEvent, Calendar, ConflictError, Resource, changes


class Flat(Resource):
    """A flat with a price."""

    def __init__(self, id: Any, price: int = 0) -> None:
        super().__init__(id, 2)
        self.price = price


@dataclass(eq=False)
class Car(Resource):
    """A dataclass."""

    seats: int = 5


@dataclass(eq=False, slots=True)
class Desk(Resource):
    """A dataclass with slots."""

    floor: int = 1


@dataclass(eq=False)
class Hall(Resource):
    """A dataclass that gives what the calendar reads another default."""

    id: str = "r"
    capacity: int = 30
    before: int = 0
    after: int | None = None


class Annex(Hall):
    """A subclass of such a class."""


KINDS: dict[str, Callable[[], Resource]] = {
    "a resource": lambda: Resource("r"),
    "a resource with buffers": lambda: Resource("r", 3, before=1, after=2),
    "a subclass": lambda: Flat("r"),
    "a dataclass": lambda: Car("r"),
    "a dataclass with slots": lambda: Desk("r"),
    "a dataclass with other defaults": Hall,
    "a subclass of it": Annex,
}


@pytest.mark.parametrize("name", ["id", "capacity", "before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_calendar_has_read_cannot_be_assigned_to(kind: str, name: str) -> None:
    """Nor deleted; before it is in a calendar and afterwards, it can be."""
    resource = KINDS[kind]()
    setattr(resource, name, getattr(resource, name))
    calendars = [Calendar(), Calendar()]
    for calendar in calendars:
        calendar.add_resource(resource)
        value = getattr(resource, name)
        for change, given in ((setattr, (20,)), (delattr, ())):
            with pytest.raises(AssignmentError, match=f"{name} of .* cannot be changed") as caught:
                change(resource, name, *given)
            assert caught.value.owner is resource
            assert caught.value.attribute == name
            assert ("set_capacity" in str(caught.value)) is (name == "capacity")
            assert getattr(resource, name) == value
    for calendar in calendars:
        calendar.remove_resource(resource)
    setattr(resource, name, 20)
    assert getattr(resource, name) == 20


@pytest.mark.parametrize("kind", KINDS)
def test_other_attributes_are_the_programs_own(kind: str) -> None:
    """And so are those of a copy, which is in no calendar."""
    resource = KINDS[kind]()
    Calendar().add_resource(resource)
    for name in ("price", "seats", "floor"):
        if hasattr(resource, name):
            setattr(resource, name, 7)
            assert getattr(resource, name) == 7
    for twin in (copy.copy(resource), copy.deepcopy(resource), pickle.loads(pickle.dumps(resource))):  # noqa: S301 - ours
        twin.capacity = 20
        assert (twin.capacity, twin.id) == (20, "r")


@pytest.mark.parametrize("name", ["resource", "start", "end", "id", "quantity"])
def test_what_is_booked_cannot_be_assigned_to(name: str) -> None:
    """The error is one of ours, and an AttributeError, and travels with its facts."""
    calendar = Calendar()
    stay = calendar.book(calendar.add_resource(Resource("r")), 1, 2)
    with pytest.raises(AssignmentError, match=r"Calendar.move") as caught:
        setattr(stay, name, 5)
    assert isinstance(caught.value, AttributeError)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - ours
    assert (str(again), again.attribute, again.reason) == (str(caught.value), name, caught.value.reason)
    assert (caught.value.owner, stay.start, stay.end) == (stay, 1, 2)


@dataclass(eq=False)
class Stay(BookingEvent):
    """A dataclass."""

    guest: str = field(default="", kw_only=True)
    paid: bool = field(default=False, kw_only=True)


@dataclass(eq=False, slots=True)
class Slotted(BookingEvent):
    """A dataclass with slots."""

    guest: str = field(default="", kw_only=True)
    paid: bool = field(default=False, kw_only=True)


class Visit(BookingEvent):
    """A class with a constructor of its own."""

    def __init__(self, resource: Any, start: Any, end: Any, *, guest: str = "", **options: Any) -> None:
        super().__init__(resource, start, end, **options)
        self.guest = guest
        self.paid = False


class Tour(Visit):
    """A subclass of a subclass."""

    guide = "Eve"


class Strict(BookingEvent):
    """A class that makes its objects itself, and does not call ours."""

    guest: str
    paid: bool

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Make it."""
        return object.__new__(cls)

    def __init__(self, resource: Any, start: Any, end: Any, *, guest: str = "", **options: Any) -> None:
        self.guest, self.paid = guest, False
        super().__init__(resource, start, end, **options)


EVENTS: list[Any] = [Stay, Slotted, Visit, Tour, Strict]
WAYS: dict[str, Callable[[Calendar, Any], Any]] = {
    "book": lambda c, cls: c.book("r", 1, 2, guest="Ada"),
    "hold": lambda c, cls: c.hold("r", 1, 2, guest="Ada"),
    "add_booking": lambda c, cls: c.add_booking(cls("r", 1, 2, guest="Ada")),
    "book_all": lambda c, cls: c.book_all([cls("r", 1, 2, guest="Ada")]).booked[0],
    "load": lambda c, cls: [c.load([cls("r", k, k + 1, guest="Ada") for k in range(99)]), c.get(2)][1],
    "move": lambda c, cls: c.move(c.book("r", 5, 6, guest="Ada"), start=1, end=2),
    "change": lambda c, cls: c.change(c.book("r", 1, 2), guest="Ada"),
    "split": lambda c, cls: c.split(c.book("r", 1, 9, guest="Ada"), 2)[0],
    "released": lambda c, cls: c.remove_booking(c.book("r", 1, 2, guest="Ada")),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cls", EVENTS)
def test_fields_of_what_is_booked_cannot_be_assigned_to(cls: Any, way: str) -> None:
    """Nor deleted, nor made: indexes, subscribers and followers would not notice."""
    calendar, follower = Calendar(event_type=cls), Calendar(event_type=cls)
    calendar.add_resource(follower.add_resource(Resource("r")))
    calendar.subscribe(lambda change: None if isinstance(change, changes.ResourceAdded) else follower.apply(change))
    by_guest = calendar.create_booking_index("guest", key=lambda event: event.guest)
    event = WAYS[way](calendar, cls)
    for name in ("guest", "paid", "note"):
        with pytest.raises(AssignmentError, match=rf"{name} of .* cannot be changed.*Calendar\.change") as caught:
            setattr(event, name, "Bob")
        assert (caught.value.owner, caught.value.attribute) == (event, name)
        with pytest.raises(AssignmentError):
            delattr(event, name)
    assert (event.guest, event.paid) == ("Ada", False)
    assert list(by_guest.equal("Ada")) == list(calendar.bookings())
    assert calendar.digest() == follower.digest()


@pytest.mark.parametrize("cls", EVENTS)
def test_fields_of_what_is_not_booked_are_the_programs_own(cls: Any) -> None:
    """Before it is booked, after that was refused or undone, and in a copy; private attributes always."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    event = cls("r", 1, 2, guest="Ada")
    event.guest = "Bob"
    wall = calendar.book("r", 1, 2)
    with pytest.raises(ConflictError):
        calendar.add_booking(event)
    event.guest = "Eve"
    calendar.remove_booking(wall)
    with calendar.what_if():
        calendar.add_booking(event)
    event.guest = "Fay"
    calendar.add_booking(event)
    copied, pickled = copy.copy(event), pickle.loads(pickle.dumps(event))  # noqa: S301 - ours
    for twin in (copied, pickled):
        twin.guest = "Joe"
        assert twin.guest == "Joe"
    assert event.guest == "Fay"
    if cls is not Slotted:
        event._seen = True
        del event._seen


def test_a_class_that_assigns_itself_decides_itself() -> None:
    """It has said what an assignment does."""

    class Loose(BookingEvent):
        note = ""

        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

    calendar = Calendar(event_type=Loose)
    calendar.add_resource(Resource("r"))
    stay = calendar.book("r", 1, 2)
    stay.note = "late"
    assert stay.note == "late"
    with pytest.raises(AssignmentError):
        stay.start = 0


def test_a_subclass_of_the_same_name_has_private_names_of_its_own() -> None:
    """Python puts the name of the class before them, which is then that of ours."""

    class Resource(Flat):
        def __init__(self, id: Any) -> None:
            super().__init__(id)
            self.__id = self.__capacity = self.__before = "mine"

        def mine(self) -> str:
            return self.__id + self.__capacity + self.__before

    resource = Resource("r")
    calendar = Calendar()
    calendar.add_resource(resource)
    calendar.set_capacity(resource, 5)
    assert (resource.id, resource.capacity, resource.before, resource.mine()) == ("r", 5, None, "mine" * 3)
