"""Calls that seem to ask for one thing and mean another: each is refused by a name, or done."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    FieldError,
    QueryError,
    Resource,
    ResourceError,
    SnapshotError,
    UnknownResourceError,
)
from bookcore.hours import Hours

Row = namedtuple("Row", "id capacity")


def town() -> tuple[Calendar, list[Resource]]:
    """Return a calendar of four resources, one of which has a tuple as its id."""
    calendar = Calendar()
    things = [calendar.add_resource(Resource(id)) for id in ("a", "b", 3, ("c", 4))]
    calendar.tag("a", "sea")
    return calendar, things


NESTED: dict[str, Callable[[Calendar, list[Resource]], Any]] = {
    "beside a term": lambda c, t: c.find([c.tagged("sea"), (t[0], t[1])]),
    "alone in a list": lambda c, t: c.find([(t[0], t[1])]),
    "in a tuple": lambda c, t: c.find(((t[0], t[1]), (t[2],))),
    "of ids": lambda c, t: c.find([c.tagged("sea"), ("a", "b")]),
    "a frozenset in a tuple": lambda c, t: c.find((frozenset(t[:2]),)),
    "under no": lambda c, t: c.find_available(1, 2, [[("a", 3)]]),
    "in book_any": lambda c, t: c.book_any([c.tagged("sea"), (t[1],)], 1, 2),
}


@pytest.mark.parametrize("how", NESTED)
def test_a_tuple_of_resources_in_a_list_is_refused(how: str) -> None:
    """It was taken for an id, and matched nothing."""
    with pytest.raises(QueryError, match="list of their own"):
        NESTED[how](*town())


def test_a_tuple_that_is_an_id_is_one() -> None:
    """Or might be one, of which there is no resource."""
    calendar, things = town()
    assert calendar.find([calendar.tagged("sea"), ("c", 4)]).ids() == ["a", ("c", 4)]
    assert calendar.find([calendar.tagged("sea"), ("c", 5)]).ids() == ["a"]
    assert calendar.find([("c", 4)]).ids() == [("c", 4)]
    assert calendar.find((things[0], things[1])).ids() == ["a", "b"]
    assert calendar.find([calendar.tagged("sea"), things[1:3]]).ids() == ["a", "b", 3]


ROWS = {
    "a row": Row("x", 5),
    "a namespace": SimpleNamespace(id="x", capacity=2),
    "an integer of NumPy": Row("x", np.int64(30)),
    "a class": type("Room", (), {"id": "x", "capacity": 30})(),
    "a property": type("Room", (), {"id": "x", "capacity": property(lambda self: 8)})(),
    "a huge one": SimpleNamespace(id="x", capacity=10**9),
}


@pytest.mark.parametrize("how", ROWS)
def test_a_capacity_that_a_foreign_object_has_is_not_passed_over(how: str) -> None:
    """It may be the number of units or of seats: who adds it says which."""
    calendar = Calendar()
    with pytest.raises(ResourceError, match=r"capacity=.* or 1"):
        calendar.add_resource(ROWS[how])
    assert not len(calendar.resources)
    calendar.add_resource(ROWS[how], capacity=1)
    assert not calendar.is_available("x", 1, 2, quantity=2)
    calendar.remove_resource("x")
    calendar.add_resource(ROWS[how], capacity=2)
    assert calendar.is_available("x", 1, 2, quantity=2)


@pytest.mark.parametrize("capacity", [1, None, "many", 2.5, True, np.int64(1), [3]])
def test_a_capacity_that_says_nothing_else_needs_no_word(capacity: Any) -> None:
    """One unit is what the object gets."""
    assert Calendar().add_resource(SimpleNamespace(id="x", capacity=capacity)).id == "x"


@pytest.mark.parametrize("fields", [{}, None, SimpleNamespace])
def test_a_change_of_no_fields_is_refused(fields: Any) -> None:
    """As one without arguments; a change to the same values is one."""
    calendar = Calendar()
    calendar.book(calendar.add_resource(Resource("r")), 1, 2, id="x", guest="Ada")
    if fields is SimpleNamespace:
        assert calendar.change("x", fields={"guest": "Ada"}).fields == {"guest": "Ada"}
        return
    before = calendar.get("x")
    with pytest.raises(QueryError, match="nothing"):
        calendar.change("x", fields=fields)
    assert calendar.get("x") is before


def test_a_registered_resource_is_found_by_itself() -> None:
    """As by every other call; another object with its id is not."""
    calendar, things = town()
    for thing in things:
        assert calendar.resource(thing) is calendar.resource(thing.id) is thing
    row = calendar.add_resource(Row("x", 1), id=("rows", 1))
    assert calendar.resource(row) is calendar.resource(("rows", 1)) is row
    with pytest.raises(UnknownResourceError, match="its id is that of"):
        calendar.resource(Resource("a"))
    with pytest.raises(UnknownResourceError, match="not in this calendar"):
        calendar.resource("nobody")


@pytest.mark.parametrize("key", [lambda row: row.id, str, repr])
@pytest.mark.parametrize("call", ["snapshot", "restore"])
def test_a_function_for_ids_is_not_taken_for_a_secret(call: str, key: Any, tmp_path: Path) -> None:
    """The error names the argument that takes it."""
    Calendar().snapshot(tmp_path / "s")
    call_it: Any = Calendar.restore if call == "restore" else Calendar().snapshot
    with pytest.raises(SnapshotError, match="resource_key"):
        call_it(tmp_path / "s", key=key)


@pytest.mark.parametrize(
    ("keys", "zone"), [("aware", None), ("naive", "Europe/Berlin"), (int, None), (int, "UTC"), (str, None), (float, None)]
)
def test_hours_that_no_stated_key_suits_are_not_restored(keys: Any, zone: Any, tmp_path: Path) -> None:
    """As `set_hours` refuses them."""
    calendar = Calendar()
    calendar.set_hours(calendar.add_resource(Resource("r")), Hours({"mon-fri": "09:00-17:00"}, zone=zone))
    calendar.snapshot(tmp_path / "s")
    with pytest.raises(SnapshotError, match="hours need datetimes"):
        Calendar.restore(tmp_path / "s", types=[Resource], keys=keys)
    Calendar.restore(tmp_path / "s", types=[Resource]).check()


LENGTHS: dict[str, Any] = {
    "before": SimpleNamespace(id="x", before=2),
    "after": SimpleNamespace(id="x", after=timedelta(hours=1)),
    "both": SimpleNamespace(id="x", before=1.5, after=3),
    "an integer of NumPy": SimpleNamespace(id="x", before=np.int64(2)),
    "a class": type("Room", (), {"id": "x", "after": 1})(),
    "a property": type("Room", (), {"id": "x", "before": property(lambda self: timedelta(minutes=5))})(),
}


@pytest.mark.parametrize("how", LENGTHS)
def test_a_buffer_that_a_foreign_object_has_is_not_passed_over(how: str) -> None:
    """It may be a buffer or a thing of another kind: who adds it says which. The length 0 says that there is none."""
    row = LENGTHS[how]
    calendar = Calendar()
    with pytest.raises(ResourceError, match=r"(before|after)=.*=0 for none"):
        calendar.add_resource(row)
    assert not len(calendar.resources)
    own = {name: getattr(row, name) for name in ("before", "after") if hasattr(row, name)}
    follower = Calendar()
    calendar.subscribe(follower.apply)
    calendar.add_resource(row, **dict.fromkeys(own, 0))  # type: ignore[arg-type]
    monday = datetime(2026, 5, 4)
    for hour in range(3):  # an int moves no datetime, and there is none
        calendar.book("x", monday.replace(hour=hour), monday.replace(hour=hour + 1))
    assert (len(follower), follower.resource("x")) == (3, row)
    calendar, key = Calendar(), (monday if isinstance(next(iter(own.values())), timedelta) else 0)
    calendar.add_resource(row, **own)
    end = key + 9 * next(iter(own.values()))
    calendar.book("x", key, end)
    assert not calendar.is_available("x", end, 2 * (end - key) + end)


@pytest.mark.parametrize(
    "value", [None, 0, timedelta(0), 0.0, "yesterday", True, date(2026, 1, 1), datetime(2026, 1, 1), print, [], object(), -1]
)
def test_what_is_no_buffer_is_the_objects_own(value: Any) -> None:
    """Whatever it is."""
    calendar = Calendar()
    calendar.add_resource(SimpleNamespace(id="x", before=value, after=value))
    calendar.book("x", "a", "b")
    calendar.book("x", "b", "c")
    calendar.check()


@pytest.mark.parametrize("nothing", [0, timedelta(0), 0.0, np.timedelta64(0, "s")])
@pytest.mark.parametrize("keys", [(1, 2, 3), (1.5, 2.5, 3.5), ("a", "b", "c"), tuple(date(2026, 1, n) for n in (1, 2, 3))])
def test_a_buffer_of_zero_is_none(keys: Any, nothing: Any) -> None:
    """For keys of every type; followers and snapshots have none either."""
    calendar, follower = Calendar(), Calendar()
    calendar.subscribe(follower.apply)
    calendar.add_resource(Resource("x", before=nothing, after=nothing))
    calendar.book("x", keys[0], keys[1])
    assert calendar.is_available("x", keys[1], keys[2])
    calendar.book("x", keys[1], keys[2])
    assert calendar.digest() == follower.digest()
    calendar.check()


@dataclass(eq=False)
class Stay(BookingEvent):
    """A booking that declares its fields."""

    guest: str = field(default="", kw_only=True)
    paid: bool = field(default=False, kw_only=True)
    nights: int = field(default=0, init=False)


class Visit(BookingEvent):
    """A booking whose fields nobody can know."""

    def __init__(self, resource: Any, start: Any, end: Any, *, guest: str = "", quantity: int = 1) -> None:
        super().__init__(resource, start, end, quantity=quantity)
        self.visitor = guest


class Tour(Stay):
    """Inherits its constructor."""


@pytest.mark.parametrize("cls", [Stay, Tour])
@pytest.mark.parametrize(
    ("name", "meant"), [("gest", "guest"), ("payed", "paid"), ("night", "nights"), ("colour", "there are")]
)
def test_an_index_over_a_field_that_no_booking_can_have_is_refused(cls: Any, name: str, meant: str) -> None:
    """By the name that may have been meant."""
    calendar: Calendar[Any, Any, Any] = Calendar(event_type=cls)
    calendar.book(calendar.add_resource(Resource("x")), 1, 2, guest="Ada")
    with pytest.raises(QueryError, match=rf"{name}.*is no field of {cls.__name__}.*{meant}"):
        calendar.create_booking_index(name)
    calendar.create_booking_index(name, key=lambda event: event.guest)
    for known in ("guest", "paid", "nights"):
        calendar.create_booking_index(known)
    calendar.check()


def test_an_index_over_a_field_that_a_booking_may_have_is_made() -> None:
    """Where the class does not say which there are, or one has been set."""
    for cls in (BookingEvent, Visit):
        Calendar(event_type=cls).create_booking_index("gest")
    calendar = Calendar(event_type=Stay)
    calendar.add_resource(Resource("x"))
    stay: Any = Stay("x", 1, 2, guest="Ada")
    stay.door = 5
    calendar.add_booking(stay)
    assert list(calendar.create_booking_index("door").equal(5)) == [stay]


class Computed(property):
    """Keeps its value in the object, as that of Werkzeug does."""

    def __get__(self, owner: Any, cls: Any = None) -> Any:
        return owner.__dict__.setdefault("kept", self.fget(owner)) if owner is not None else self  # type: ignore[misc]


class Mixin:
    """Brings a computed attribute."""

    @cached_property
    def loud(self) -> str:
        """The guest in capitals."""
        return str(self.guest.upper())  # type: ignore[attr-defined]


class Party(Mixin, BookingEvent):
    """Has computed attributes."""

    def __init__(self, resource: Any, start: Any, end: Any, *, guest: str = "", **more: Any) -> None:
        super().__init__(resource, start, end, **more)
        self.guest = guest

    @cached_property
    def initial(self) -> str:
        """The first letter."""
        return self.guest[0]

    @Computed
    def kept(self) -> str:
        """Keeps its value."""
        return self.guest * 2


@dataclass(eq=False)
class Feast(Party):
    """A dataclass that has them."""

    guest: str = field(default="", kw_only=True)


@pytest.mark.parametrize("cls", [Party, Feast])
def test_what_is_computed_is_no_field(cls: Any, tmp_path: Path) -> None:
    """Though an object keeps its value: a change computes it anew, and files do not carry it."""
    calendar, follower = Calendar(event_type=cls), Calendar(event_type=cls)
    calendar.subscribe(follower.apply)
    calendar.add_resource(Resource("x", 3))
    party: Any = calendar.book("x", 1, 2, guest="ada")
    digest = calendar.digest()
    assert (party.loud, party.initial, party.kept) == ("ADA", "a", "adaada")
    assert dict(party.fields) == {"guest": "ada"}
    assert "ADA" not in repr(party)
    assert calendar.digest() == follower.digest() == digest
    calendar.snapshot(tmp_path / "s")
    restored = Calendar.restore(tmp_path / "s", types=[Resource, cls])
    assert dict(restored.get(party.id).fields) == {"guest": "ada"}
    after: Any = calendar.change(party, guest="bob")
    assert (after.loud, after.initial, after.kept, dict(after.fields)) == ("BOB", "b", "bobbob", {"guest": "bob"})
    moved: Any = calendar.move(after, start=0)
    assert (moved.loud, dict(moved.fields)) == ("BOB", {"guest": "bob"})


def test_an_abbreviation_of_an_argument_is_not_taken_for_a_field() -> None:
    """One unit would be taken, whatever was asked for."""
    calendar = Calendar()
    calendar.add_resource(Resource("x", 9))
    for given in ({"qty": 3}, {"Qty": 3}):
        with pytest.raises(FieldError, match="did you mean quantity"):
            calendar.book("x", 1, 2, **given)  # type: ignore[arg-type]
    assert calendar.book("x", 1, 2, fields={"qty": 3}).fields == {"qty": 3}


class Awaited:
    """An object whose calls are async."""

    async def __call__(self, *given: Any) -> Any:
        """Do nothing."""

    async def heard(self, change: Any) -> None:
        """Do nothing."""


async def heard(*given: Any) -> Any:
    """Do nothing."""


@pytest.mark.parametrize(
    "function", [heard, Awaited(), Awaited().heard, partial(heard, 1)], ids=["function", "object", "method", "partial"]
)
def test_an_async_function_is_refused_where_nobody_would_await_it(function: Any) -> None:
    """It would be called, and do nothing."""
    calendar = Calendar()
    with pytest.raises(QueryError, match=r"async.*queue"):
        calendar.subscribe(function)
    with pytest.raises(QueryError, match="clock"):
        Calendar(clock=function)
    calendar.subscribe(lambda change: None)()


PROPERTY = type("Shed", (), {"id": property(lambda self: 1)})


@pytest.mark.parametrize("cls", [Resource, type("Flat", (Resource,), {}), PROPERTY, Row])
def test_a_class_is_no_resource(cls: Any) -> None:
    """Its id would be the descriptor of the ids of its objects. A class with an id of its own may be one."""
    calendar = Calendar()
    with pytest.raises(ResourceError, match="is a class"):
        calendar.add_resource(cls)
    assert not len(calendar.resources)
    lobby = calendar.add_resource(type("Lobby", (), {"id": "lobby"}))
    assert calendar.resource("lobby") is lobby
