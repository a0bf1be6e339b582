"""Whole numbers as arguments: those of NumPy and of subclasses of int count exactly; all else is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any, cast

import pytest

from bookcore import (
    AsyncCalendar,
    BookcoreError,
    BookingEvent,
    Calendar,
    InvalidQuantityError,
    Resource,
    recurring,
)
from bookcore.hours import Hours

np = pytest.importorskip("numpy", reason="NumPy is not installed")


class Size(IntEnum):
    """Sizes of groups."""

    TWO = 2


@dataclass(eq=False)
class Trip(BookingEvent):
    """A class of the program's own."""

    guide: str = ""


def town() -> Calendar:
    """Return a calendar with a van of three seats and a car, and two bookings."""
    calendar = Calendar(clock=lambda: 0)
    calendar.add_resource(Resource("van", 3))
    calendar.add_resource(Resource("car"))
    calendar.book("van", 1, 2, id="trip")
    calendar.book("van", 3, 4, id="tour", quantity=2)
    return calendar


def loaded(calendar: Calendar, number: Any, cls: Any = BookingEvent) -> Any:
    """Load a lot of bookings of so many units; return one of them."""
    calendar.load([cls("van", 10 * k, 10 * k + 1, quantity=number) for k in range(1, 99)])
    return calendar.get(3)


BOOKED: dict[str, Callable[[Calendar, Any], Any]] = {
    "book": lambda c, n: c.book("van", 5, 9, quantity=n),
    "book with fields": lambda c, n: c.book("van", 5, 9, quantity=n, guest="Ada"),
    "hold": lambda c, n: c.hold("van", 5, 9, quantity=n, ttl=5),
    "book_any": lambda c, n: c.book_any(["van"], 5, 9, quantity=n),
    "book_all": lambda c, n: c.book_all([{"resource": "van", "start": 5, "end": 9, "quantity": n}]).booked[0],
    "add_booking": lambda c, n: c.add_booking(BookingEvent("van", 5, 9, quantity=n)),
    "add_booking of a class": lambda c, n: c.add_booking(Trip("van", 5, 9, quantity=n)),
    "load": loaded,
    "load of a class": lambda c, n: loaded(c, n, Trip),
    "change": lambda c, n: c.change("trip", quantity=n),
}
ASKED: dict[str, Callable[[Calendar, Any], Any]] = {
    "is_available": lambda c, n: (c.is_available("van", 3, 4, n), c.is_available("van", 5, 6, n)),
    "conflicts": lambda c, n: c.conflicts("van", 1, 9, n),
    "explain": lambda c, n: str(c.explain("van", 3, 4, n)),
    "find_available": lambda c, n: c.find_available(3, 4, quantity=n).ids(),
    "gaps": lambda c, n: list(c.gaps("van", 0, 9, quantity=n)),
    "next_available": lambda c, n: c.next_available("van", 3, 1, quantity=n),
    "nearest": lambda c, n: c.nearest("van", 3, 4, quantity=n),
    "find_slots": lambda c, n: list(c.find_slots(1, 0, 9, quantity=n)),
    "common_gaps": lambda c, n: list(c.common_gaps(["van", "car"], 0, 9, quorum=n)),
    "first": lambda c, n: c.resources.first(n),
    "set_capacity": lambda c, n: (cast(Any, c).set_capacity("car", n), c.digest()),
    "add_resource": lambda c, n: (c.add_resource(Resource("bus"), capacity=n), c.digest()),
    "hours": lambda c, n: repr(Hours({n: "09:00-17:00"})),
    "recurring": lambda c, n: list(recurring(datetime(2026, 5, 4), datetime(2026, 5, 5), "FREQ=DAILY", limit=n)),
}


@pytest.mark.parametrize("number", [np.int64(2), np.uint8(2), np.int32(2), Size.TWO], ids=repr)
@pytest.mark.parametrize("call", BOOKED)
def test_a_booking_takes_so_many_units(call: str, number: Any) -> None:
    """And says so in an int of Python, wherever it is carried."""
    calendar, follower, plain = town(), town(), town()
    calendar.subscribe(follower.apply)
    event = BOOKED[call](calendar, number)
    BOOKED[call](plain, 2)
    assert (type(event.quantity), event.quantity) == (int, 2)
    assert calendar.digest() == follower.digest() == plain.digest()
    calendar.check()


@pytest.mark.parametrize("number", [np.int64(2), np.uint8(2), Size.TWO], ids=repr)
@pytest.mark.parametrize("call", ASKED)
def test_a_question_is_answered_as_for_an_int(call: str, number: Any) -> None:
    """The same answer."""
    if call == "first":
        assert len(town().resources.first(number)) == 2
    else:
        assert str(ASKED[call](town(), number)) == str(ASKED[call](town(), 2))


NO_NUMBERS: list[Any] = [
    True, np.True_, 2.0, np.float64(2), np.timedelta64(2, "D"), np.datetime64("2026"), np.array([2]), np.array(2),
    Decimal(2), "2", 0, np.int64(0), np.int64(-1), timedelta(2),
]  # fmt: skip


@pytest.mark.parametrize("number", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("call", [*BOOKED, *ASKED])
def test_what_is_no_whole_number_is_refused_by_name(call: str, number: Any) -> None:
    """Nothing changes."""
    if call in ("first", "hours", "recurring") and type(number) in (int, np.int64) and number == 0:
        return  # none, and Monday
    if call == "hours" and isinstance(number, np.ndarray):
        return  # cannot be in a dict
    calendar = town()
    before = calendar.digest()
    error = InvalidQuantityError if call not in ("common_gaps", "first", "hours", "recurring") else BookcoreError
    with pytest.raises(error):
        {**BOOKED, **ASKED}[call](calendar, number)
    assert calendar.digest() == before


@pytest.mark.parametrize("other", [True, np.int64(1)])
def test_one_that_hides_among_ones_is_seen(other: Any) -> None:
    """A set of ones takes True and NumPy's 1 for the same."""
    calendar = town()
    events = [Trip("car", 10 * k, 10 * k + 1) for k in range(1, 99)]
    events[50] = Trip("car", 510, 511, quantity=other)
    if other is True:
        with pytest.raises(InvalidQuantityError):
            calendar.load(events)
    else:
        calendar.load(events)
        assert {type(event.quantity) for event in calendar.bookings()} == {int}


def test_a_resource_of_so_many_units_is_carried(tmp_path: Path) -> None:
    """Through a snapshot and a directory."""
    calendar = Calendar()
    calendar.add_resource(Resource("van", np.int64(3)))
    calendar.book("van", 1, 2, quantity=np.int64(2))
    calendar.snapshot(tmp_path / "s")
    restored = Calendar.restore(tmp_path / "s", types=[Resource])
    assert (restored.is_available("van", 1, 2), restored.is_available("van", 1, 2, 2)) == (True, False)
    with Calendar.open(tmp_path / "kept", keep=np.int64(1)) as kept:
        kept.add_resource(Resource("van", np.int64(3)))
        kept.book("van", 1, 2, quantity=np.int64(2))
    with Calendar.open(tmp_path / "kept", as_of=np.int64(2)) as kept:
        assert (kept.is_available("van", 1, 2), kept.is_available("van", 1, 2, 2)) == (True, False)


def test_arguments_of_a_directory_and_of_threads(tmp_path: Path) -> None:
    """Are whole numbers, too."""
    AsyncCalendar(Calendar(), threads=np.int64(2))
    for threads in (True, 2.0, np.float64(2), 0):
        with pytest.raises(BookcoreError, match="threads"):
            AsyncCalendar(Calendar(), threads=threads)  # type: ignore[arg-type]
    for keep in (True, 2.0, np.float64(2), 0, np.int64(0)):
        with pytest.raises(BookcoreError, match="keep"):
            Calendar.open(tmp_path / "new", keep=keep)  # type: ignore[arg-type]
    with Calendar.open(tmp_path / "new") as calendar:
        calendar.wait_for(np.int64(0))
        with pytest.raises(BookcoreError, match="position"):
            calendar.wait_for(np.float64(0))
