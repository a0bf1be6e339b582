"""What a calendar was given can be read back: deadlines, hours, tags, closures, and a resource by its id."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    FieldError,
    MemoryStore,
    QueryError,
    Resource,
    UnknownResourceError,
)
from bookcore.hours import Hours
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore

STORES = [MemoryStore, SortedStore, TreeStore]
NINE_TO_FIVE = Hours({"mon-fri": "09:00-17:00"})


def clocked(store: Any = MemoryStore) -> tuple[Calendar, list[int]]:
    """Return a calendar with a seat and its clock."""
    now = [10]
    calendar = Calendar(store(), clock=lambda: now[0])
    calendar.add_resource(Resource("seat"))
    return calendar, now


# -- the deadline of a hold ----------------------------------------------------------------------------

WAYS: dict[str, Callable[[Calendar], tuple[BookingEvent, Any]]] = {
    "ttl": lambda c: (c.hold("seat", 20, 22, ttl=5), 15),
    "until": lambda c: (c.hold("seat", 20, 22, until=17), 17),
    "without a deadline": lambda c: (c.hold("seat", 20, 22), None),
    "booked": lambda c: (c.book("seat", 20, 22), None),
    "by a handle": lambda c: (c.get(c.hold("seat", 20, 22, ttl=5).id), 15),
    "with fields": lambda c: (c.hold("seat", 20, 22, ttl=5, guest="Ada"), 15),
    "confirmed": lambda c: (c.confirm(c.hold("seat", 20, 22, ttl=5)), None),
    "removed": lambda c: (c.remove_booking(c.hold("seat", 20, 22, ttl=5)), None),
    "moved": lambda c: (c.move(c.hold("seat", 20, 22, ttl=5), start=21), 15),
    "first part": lambda c: (c.split(c.hold("seat", 20, 22, ttl=5), 21)[0], 15),
    "second part": lambda c: (c.split(c.hold("seat", 20, 22, ttl=5), 21)[1], 15),
    "never booked": lambda c: (BookingEvent("seat", 1, 2), None),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("way", WAYS)
def test_an_event_tells_its_deadline(way: str, store: Any) -> None:
    """However the hold was made, and whatever became of it."""
    event, until = WAYS[way](clocked(store)[0])
    assert event.until == until


def test_the_event_before_a_move_has_no_deadline() -> None:
    """It owns no lock any more."""
    calendar, _ = clocked()
    before = calendar.hold("seat", 20, 22, ttl=5)
    calendar.move(before, start=21)
    assert before.until is None


def test_a_hold_that_ran_out_has_no_deadline() -> None:
    """From the instant of its deadline on, and in a copy as well."""
    calendar, now = clocked()
    hold = calendar.hold("seat", 20, 22, ttl=5)
    assert pickle.loads(pickle.dumps(BookingEvent("seat", 1, 2))).until is None  # noqa: S301
    now[0] = 14
    assert hold.until == 15
    now[0] = 15
    assert hold.until is None
    assert str(hold.status) == "released"


def test_a_deadline_in_a_zone_is_the_same_instant() -> None:
    """It is told in UTC, in which the calendar compares it."""
    nine = datetime(2026, 5, 4, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    calendar = Calendar(clock=lambda: nine)
    calendar.add_resource(Resource("seat"))
    hold = calendar.hold("seat", nine, nine + timedelta(hours=2), ttl=timedelta(minutes=15))
    assert hold.until == nine + timedelta(minutes=15)
    assert hold.until.tzinfo is UTC


def test_a_restored_hold_tells_its_deadline(tmp_path: Path) -> None:
    """And so does that of a calendar that follows."""
    calendar, now = clocked()
    follower = Calendar()
    calendar.subscribe(follower.apply)
    calendar.add_resource(Resource("chair"))
    calendar.hold("chair", 20, 22, ttl=5, id="mine")
    assert follower.get("mine").until == 15
    calendar.snapshot(tmp_path / "file")
    restored = Calendar.restore(tmp_path / "file", types=[Resource], clock=lambda: now[0])
    assert restored.get("mine").until == 15


@pytest.mark.parametrize(
    "make",
    [
        lambda c: c.book("seat", 20, 22, until=30),
        lambda c: c.book_any(c.resources, 20, 22, until=30),
        lambda c: c.book_all([{"resource": "seat", "start": 20, "end": 22, "until": 30}]),
        lambda c: c.add_booking(BookingEvent("seat", 20, 22, until=30)),
        lambda c: c.load([BookingEvent("seat", 20, 22, until=30)]),
        lambda c: BookingEvent("seat", 20, 22, until=30),
    ],
)
def test_no_field_can_be_named_until(make: Any) -> None:
    """It would be hidden by the deadline; who writes it means a hold."""
    calendar, _ = clocked()
    with pytest.raises(FieldError, match="until"):
        make(calendar)
    assert len(calendar) == 0


# -- hours, tags, closures, resources ------------------------------------------------------------------


def full() -> Calendar:
    """Return a calendar with a desk that has everything, and a door that has nothing."""
    calendar = Calendar()
    calendar.add_resource(Resource("desk"))
    calendar.add_resource(SimpleNamespace(id="door"))
    calendar.set_hours("desk", NINE_TO_FIVE)
    calendar.tag("desk", "oak", 7, ("a", 1))
    monday = datetime(2026, 5, 4)
    calendar.close("desk", monday, monday + timedelta(days=1), "later")
    calendar.close("desk", monday - timedelta(days=1), monday, "earlier")
    return calendar


def undone(calendar: Calendar) -> None:
    """Take everything from the desk in a block that is undone."""
    with calendar.what_if():
        calendar.remove_resource("desk")
        calendar.set_hours("door", NINE_TO_FIVE)
        assert calendar.hours_of("door") == NINE_TO_FIVE


def renumbered(calendar: Calendar) -> None:
    """Give the resources other numbers."""
    for number in range(200):
        calendar.add_resource(Resource(number))
    for number in range(200):
        calendar.remove_resource(number)
    calendar.add_resource(Resource("new"))


def others_changed(calendar: Calendar) -> None:
    """Give another resource the same, and take it away again."""
    calendar.tag("door", "oak")
    calendar.untag("door", "oak")
    calendar.close("door", None, None)


def given_again(calendar: Calendar) -> None:
    """Give the desk what it has."""
    calendar.tag("desk", 7)
    calendar.set_hours(["desk"], NINE_TO_FIVE)


STEPS: dict[str, Callable[[Calendar], Any]] = {
    "as given": lambda c: None,
    "an undone block": undone,
    "renumbered": renumbered,
    "rebuilt": lambda c: c.rebuild(),
    "others changed": others_changed,
    "given again": given_again,
}


@pytest.mark.parametrize("step", STEPS)
def test_what_a_resource_was_given_can_be_read(step: str) -> None:
    """By the object or its id, whatever happened meanwhile."""
    calendar = full()
    STEPS[step](calendar)
    for desk in ("desk", calendar.resource("desk")):
        assert calendar.hours_of(desk) == NINE_TO_FIVE
        assert calendar.tags_of(desk) == {"oak", 7, ("a", 1)}
        assert [closure.reason for closure in calendar.closures_of(desk)] == ["earlier", "later"]
        assert calendar.closures_of(desk) == calendar.closures(desk)
    door = calendar.resource("door")
    assert (calendar.hours_of(door), calendar.tags_of(door)) == (None, frozenset())


def test_hours_that_were_lifted_are_gone() -> None:
    """And labels taken off, closures reopened."""
    calendar = full()
    calendar.set_hours("desk", None)
    calendar.untag("desk", "oak", 7)
    for closure in calendar.closures_of("desk"):
        calendar.reopen(closure)
    assert (calendar.hours_of("desk"), calendar.closures_of("desk")) == (None, ())
    assert calendar.tags_of("desk") == {("a", 1)}


@pytest.mark.parametrize("id", ["desk", 3, (1, "a"), frozenset({1}), b"x", 2.5])
def test_a_resource_by_its_id(id: Any) -> None:
    """The registered object itself."""
    calendar = Calendar()
    thing = calendar.add_resource(SimpleNamespace(id=id))
    assert calendar.resource(id) is thing


@pytest.mark.parametrize("id", ["dsk", None, 0, [], {}, object()])
@pytest.mark.parametrize("ask", ["resource", "hours_of", "tags_of", "closures_of"])
def test_an_unknown_resource_is_named(ask: str, id: Any) -> None:
    """Also None, and what cannot be hashed."""
    with pytest.raises(UnknownResourceError):
        getattr(full(), ask)(id)


def test_a_label_that_cannot_be_hashed_any_more_is_named() -> None:
    """Its own code raises."""

    class Label:
        broken = False

        def __hash__(self) -> int:
            if Label.broken:
                raise ZeroDivisionError
            return 1

    calendar = full()
    calendar.tag("desk", Label())
    Label.broken = True
    with pytest.raises(QueryError):
        calendar.tags_of("desk")
    Label.broken = False
    assert len(calendar.tags_of("desk")) == 4
