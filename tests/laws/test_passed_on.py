"""A lack of memory or of stack in the caller's own objects is passed on as it is; all else is an error of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bookcore import BookcoreError, BookingEvent, Calendar, FieldError, Resource, no
from bookcore.hours import Hours


class Raising:
    """An iterable that raises in its midst."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def __iter__(self) -> Iterator[Any]:
        yield "room"
        raise self.error

    def __call__(self, *_: Any) -> Any:
        raise self.error


def event_class(error: type[Exception]) -> Any:
    """Return a class of events that cannot be made."""

    class Event(BookingEvent):
        def __init__(self, *args: Any, **fields: Any) -> None:
            raise error

    return Event


CALLS: dict[str, Callable[[Calendar, Any], Any]] = {
    "load": lambda calendar, raising: calendar.load(raising),
    "book_all": lambda calendar, raising: calendar.book_all(raising),
    "book_all, a request": lambda calendar, raising: calendar.book_all([raising]),
    "common_gaps": lambda calendar, raising: calendar.common_gaps(raising, 0, 9),
    "one_of": lambda calendar, raising: calendar.index("id").one_of(raising),
    "find": lambda calendar, raising: calendar.find(raising),
    "no": lambda calendar, raising: calendar.find(no(raising)),
    "find_slots": lambda calendar, raising: calendar.find_slots(1, 0, 9, raising),
    "close_all": lambda calendar, raising: calendar.close_all(raising, 0, 9),
    "set_hours": lambda calendar, raising: calendar.set_hours(raising, None),
    "book_any": lambda calendar, raising: calendar.book_any(raising, 0, 9),
    "a strategy": lambda calendar, raising: calendar.book_any(["room"], 0, 9, strategy=raising),
    "order_by": lambda calendar, raising: calendar.resources.order_by(raising).ids(),
    "create_index": lambda calendar, raising: calendar.create_index("new", key=raising),
    "an event": lambda _, raising: Calendar(event_type=event_class(raising.error)),
    "hours": lambda _, raising: Hours({"mon": raising}),
}


@pytest.mark.parametrize("error", [MemoryError, RecursionError, ZeroDivisionError, ValueError])
@pytest.mark.parametrize("name", CALLS)
def test_what_the_callers_objects_lack_is_passed_on(name: str, error: type[Exception]) -> None:
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    calendar.create_index("id", key=lambda resource: resource.id)
    before = calendar.digest()
    with pytest.raises(error if error in (MemoryError, RecursionError) else BookcoreError) as caught:
        made = CALLS[name](calendar, Raising(error))
        made.add_resource(Resource("room"))
        made.book("room", 1, 2)
    assert isinstance(caught.value, error if error in (MemoryError, RecursionError) else BookcoreError)
    assert calendar.digest() == before
    calendar.check()


class Id:
    """An id that cannot be compared, with the hash of the number of a booking."""

    fails = True

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if Id.fails:
            raise ZeroDivisionError("no equality")
        return False


BOOKS: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda calendar: calendar.book("room", 5, 6),
    "book an object": lambda calendar: calendar.book(calendar.resources.first(1)[0], 5, 6),
    "with a field": lambda calendar: calendar.book("room", 5, 6, note="x"),
    "hold": lambda calendar: calendar.hold("room", 5, 6),
    "add_booking": lambda calendar: calendar.add_booking(BookingEvent("room", 5, 6)),
    "book_any": lambda calendar: calendar.book_any(["room"], 5, 6),
    "book_all": lambda calendar: calendar.book_all([("room", 5, 6)]),
    "load": lambda calendar: calendar.load([BookingEvent("room", 5, 6)]),
    "split": lambda calendar: calendar.split(1, 2),
    "of the same hash": lambda calendar: calendar.book("room", 5, 6, id=3),
}


@pytest.mark.parametrize("name", BOOKS)
def test_an_id_that_cannot_be_compared_is_the_fault_of_ids(name: str) -> None:
    """Whatever call gives out the number that has its hash; the store is not blamed."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    calendar.book("room", 1, 3)
    other = calendar.book("room", 3, 4, id=Id(3))
    Id.fails = True
    with pytest.raises(FieldError, match="no equality"):
        BOOKS[name](calendar)
    assert [event.start for event in calendar.bookings()] == [1, 3]
    Id.fails = False
    BOOKS[name](calendar)
    assert other.owns_lock
    calendar.check()
