"""Assignments that would have no effect: to what a calendar has read of a resource or an event."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bookcore import AssignmentError, Calendar, Resource


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


KINDS: dict[str, Callable[[], Resource]] = {
    "a resource": lambda: Resource("r"),
    "a resource with turnaround": lambda: Resource("r", 3, before=1, after=2),
    "a subclass": lambda: Flat("r"),
    "a dataclass": lambda: Car("r"),
    "a dataclass with slots": lambda: Desk("r"),
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
