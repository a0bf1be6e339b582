"""Calls that seem to ask for one thing and mean another: each is refused by a name, or done."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bookcore import Calendar, QueryError, Resource, ResourceError, SnapshotError, UnknownResourceError
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
