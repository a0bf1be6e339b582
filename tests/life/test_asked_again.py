"""Requests that are sent twice, with the id of a booking that stands."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import (
    AsyncCalendar,
    Calendar,
    DuplicateBookingError,
    DuplicateResourceError,
    QueryError,
    Resource,
    UnknownBookingError,
)
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


def test_an_event_is_looked_up_like_its_id() -> None:
    """As in every other call that takes a booking: by what it is, or not at all once it was moved."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    stay = calendar.book("r", 1, 3, id="stay")
    assert calendar.get(stay) == calendar.get("stay") == stay
    moved = calendar.move(stay, start=2, end=4)
    with pytest.raises(UnknownBookingError, match="was it moved"):
        calendar.get(stay)
    with pytest.raises(UnknownBookingError, match="not booked in this calendar"):
        Calendar().get(moved)
    for wrong in "other", ["stay"]:
        with pytest.raises(UnknownBookingError):
            calendar.get(wrong)  # type: ignore[arg-type]
    assert calendar.get(moved) == moved


# -- resources that are there ------------------------------------------------------------------------


class Room(Resource):
    """A resource of its own class."""


def test_a_resource_that_is_there_is_returned_as_it_is() -> None:
    """Whatever else is said of it."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("r", 3), if_exists="return")
    told: list[Any] = []
    calendar.subscribe(told.append)
    assert calendar.add_resource(room, if_exists="return") is room
    assert calendar.add_resource(Resource("r"), capacity=9, after=1, if_exists="return") is room
    assert calendar.add_resource(Resource("x"), id="r", if_exists="return") is room
    assert (room.capacity, len(calendar.resources), told) == (3, 1, [])
    row = calendar.add_resource(SimpleNamespace(id="row"), id="another", if_exists="return")
    assert calendar.add_resource(SimpleNamespace(id="row"), id="another", if_exists="return") is row
    calendar.check()


def test_a_resource_of_another_class_is_not_returned() -> None:
    """Nor one that is there under another id; the error names the ways."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("r"))
    with pytest.raises(DuplicateResourceError, match="it is a Resource, not a Room") as caught:
        calendar.add_resource(Room("r"), if_exists="return")
    assert (caught.value.id, caught.value.reason) == ("r", "it is a Resource, not a Room")
    with pytest.raises(DuplicateResourceError, match="id 'r' is in this calendar"):
        calendar.add_resource(room, id="other", if_exists="return")
    with pytest.raises(DuplicateResourceError) as caught:
        calendar.add_resource(Resource("r"))
    assert str(caught.value) == (
        "a resource with id 'r' is in this calendar already; add_resource(..., if_exists='return') or "
        "calendar.resource('r') returns it, add_resource(..., id=...) gives another id"
    )
    for wrong in "ignore", None, True:
        with pytest.raises(QueryError, match="if_exists is 'raise' or 'return'"):
            calendar.add_resource(Resource("new"), if_exists=wrong)  # type: ignore[arg-type]
    assert len(calendar.resources) == 1


@pytest.mark.parametrize("kind", ["directory", "sqlite"])
def test_a_resource_that_is_there_makes_no_record(kind: str, tmp_path: Path) -> None:
    """Also where another calendar has added it, of which this one has not heard yet."""
    if kind == "directory":
        with Calendar.open(tmp_path / "rooms") as calendar:
            for _ in range(2):
                calendar.add_resource(Resource("r"), if_exists="return")
            assert calendar.position == 1
        return
    address = f"sqlite:///{tmp_path}/rooms.db"
    with Calendar.open(address, follow=False) as one, Calendar.open(address, follow=False) as other:
        one.add_resource(Resource("r", 5), if_exists="return")
        assert other.add_resource(Resource("r"), if_exists="return").capacity == 5
        assert other.position == one.position == 1


def test_it_may_be_awaited() -> None:
    """By many at once."""

    async def main() -> int:
        async with AsyncCalendar(Calendar()) as calendar:
            found = await asyncio.gather(*[calendar.add_resource(Resource("r"), if_exists="return") for _ in range(20)])
            return len({id(each) for each in found})

    assert asyncio.run(main()) == 1
