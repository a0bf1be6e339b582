"""Requests that are sent twice, with the id of a booking that stands."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from bookcore import Calendar, DuplicateBookingError, Resource
from bookcore.testing.liststore import ListStore

Ask = Callable[[Calendar], Any]


def rooms(store: Any = None) -> Calendar:
    """Return a calendar with a clock and some holds."""
    calendar = Calendar(store, clock=lambda: 0)
    calendar.add_resource(Resource("r"))
    calendar.add_resource(Resource("van", 9))
    calendar.hold("r", 1, 5, id="timed", until=9)
    calendar.hold("r", 6, 8, id="untimed", guest="Ada")
    calendar.hold("van", 1, 5, id="pooled", quantity=4, until=9)
    calendar.hold("r", None, 0, id="unbounded", until=9)
    return calendar


BOOKED: dict[str, tuple[str, Ask]] = {
    "book": ("timed", lambda c: c.book("r", 1, 5, id="timed", if_exists="return")),
    "book without a deadline": ("untimed", lambda c: c.book("r", 6, 8, id="untimed", guest="Ada", if_exists="return")),
    "book several units": ("pooled", lambda c: c.book("van", 1, 5, id="pooled", quantity=4, if_exists="return")),
    "book without a start": ("unbounded", lambda c: c.book("r", None, 0, id="unbounded", if_exists="return")),
    "book_any": ("timed", lambda c: c.book_any(["van", "r"], 1, 5, id="timed", if_exists="return")),
    "book_any another": ("pooled", lambda c: c.book_any(["r"], 1, 5, id="pooled", quantity=4, if_exists="return")),
    "book_all": ("timed", lambda c: c.book_all(
        [{"resource": "r", "start": 1, "end": 5, "id": "timed", "if_exists": "return"}]
    )),
}  # fmt: skip


@pytest.mark.parametrize("store", [None, ListStore])
@pytest.mark.parametrize("how", BOOKED)
def test_a_hold_is_not_returned_to_who_books(how: str, store: Any) -> None:
    """It would run out; the error says that it is a hold and what to do; confirmed, it is returned."""
    calendar = rooms(store and store())
    name, ask = BOOKED[how]
    before = calendar.digest()
    with pytest.raises(DuplicateBookingError, match=f"'{name}'.*a hold.*confirm") as caught:
        ask(calendar)
    standing: Any = caught.value.standing
    assert (standing.id, calendar.digest()) == (name, before)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - ours
    assert (str(again), again.reason) == (str(caught.value), caught.value.reason)
    calendar.confirm(name)
    answer = ask(calendar)
    assert getattr(answer, "booked", (answer,)) == (calendar.get(name),)


def test_a_hold_is_returned_to_who_holds() -> None:
    """Unchanged; and what was confirmed meanwhile, too, because it is more than was asked for."""
    calendar = rooms()
    hold = calendar.get("timed")
    assert calendar.hold("r", 1, 5, until=20, id="timed", if_exists="return") == hold
    assert hold.until == 9
    calendar.confirm(hold)
    assert calendar.hold("r", 1, 5, until=20, id="timed", if_exists="return") == hold
    assert hold.status == "confirmed"


@pytest.mark.parametrize("asked", [{"end": 6}, {"guest": "Bob"}, {"quantity": 1, "guest": "Bob"}, {"start": 2}])
def test_another_content_says_so(asked: dict[str, Any]) -> None:
    """Also where the booking is a hold: it could not be confirmed into what was asked for."""
    calendar = rooms()
    with pytest.raises(DuplicateBookingError, match="are others"):
        calendar.book("r", asked.pop("start", 1), asked.pop("end", 5), id="timed", if_exists="return", **asked)
