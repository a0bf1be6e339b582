"""Calls about a hold that ran out: each says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, HoldExpiredError, Resource, UnknownBookingError
from bookcore.testing.liststore import ListStore

CALLS: dict[str, Callable[[Calendar, Any], Any]] = {
    "confirm": lambda c, x: c.confirm(x),
    "extend": lambda c, x: c.extend(x, until=99),
    "lift": lambda c, x: c.extend(x, until=None),
    "remove": lambda c, x: c.remove_booking(x),
    "move": lambda c, x: c.move(x, start=3, end=4),
    "move to": lambda c, x: c.move(x, resource="q"),
    "change": lambda c, x: c.change(x, guest="Ada"),
    "change the quantity": lambda c, x: c.change(x, quantity=2),
    "split": lambda c, x: c.split(x, 2),
}


def held(store: Any = None) -> tuple[Calendar, BookingEvent, list[int]]:
    """Return a calendar with a hold, the hold, and the time."""
    now = [0]
    calendar = Calendar(store, clock=lambda: now[0])
    calendar.add_resource(Resource("r", 3))
    calendar.add_resource(Resource("q", 3))
    return calendar, calendar.hold("r", 1, 5, until=10, id="x"), now


@pytest.mark.parametrize("by", ["event", "id"])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("store", [None, ListStore])
@pytest.mark.parametrize("how", CALLS)
def test_a_hold_that_ran_out_is_told(how: str, store: Any, before: bool, by: str) -> None:
    """By an error with the deadline, which is an `UnknownBookingError`; also when this call is the first after it."""
    calendar, hold, now = held(store and store())
    now[0] = 12
    if before:
        assert calendar.is_available("r", 1, 5, quantity=3)
    with pytest.raises(UnknownBookingError, match="'x' ran out at 10; it is 12 now") as caught:
        CALLS[how](calendar, hold if by == "event" else "x")
    error: Any = caught.value
    assert (type(error), error.until, error.now, error.http_hint) == (HoldExpiredError, 10, 12, 410)
    calendar.check()


@pytest.mark.parametrize("how", CALLS)
def test_what_never_was_a_hold_here_is_unknown(how: str) -> None:
    """Though it has the id of one; a hold that was removed is unknown, too."""
    calendar, hold, now = held()
    _, stranger, _ = held()
    now[0] = 12
    assert "x" not in calendar
    for unknown in (stranger, BookingEvent("r", 1, 5, id="x"), "y"):
        with pytest.raises(UnknownBookingError) as caught:
            CALLS[how](calendar, unknown)
        assert type(caught.value) is UnknownBookingError
    calendar, hold, now = held()
    calendar.remove_booking(hold)
    now[0] = 12
    with pytest.raises(UnknownBookingError) as caught:
        CALLS[how](calendar, hold)
    assert type(caught.value) is UnknownBookingError


def test_a_follower_without_a_clock_tells_the_deadline_alone() -> None:
    """It does not know the time."""
    now = [0]
    follower = Calendar()
    leader = Calendar(clock=lambda: now[0])
    leader.subscribe(follower.apply)
    leader.add_resource(Resource("s"))
    leader.hold("s", 1, 5, until=10, id="y")
    now[0] = 12
    assert "y" not in leader
    with pytest.raises(HoldExpiredError, match=r"'y' ran out at 10$"):
        follower.confirm("y")
