"""Closures, resources, errors and records beside what the conformance suite says of the life of a booking."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    Calendar,
    CalendarBrokenError,
    ConflictError,
    MemoryStore,
    NoneAvailableError,
    QueryError,
    RecursiveCallError,
    Resource,
    TransactionError,
    changes,
)
from bookcore.changes import Change
from bookcore.model.errors import brief
from bookcore.model.resource import overwrite
from bookcore.stores.tree import TreeStore
from bookcore.testing import ListStore


@pytest.fixture(params=[MemoryStore, TreeStore, ListStore])
def make(request: pytest.FixtureRequest) -> Callable[..., Calendar]:
    """Return a maker of calendars on one kind of store."""
    return lambda **kwargs: Calendar(request.param(), **kwargs)


def test_lifting_one_closure_reads_no_other(make: Callable[..., Calendar], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, they are counted, not listed."""
    calendar = make()
    calendar.add_resource(Resource("r"))
    closures = [calendar.close("r", at, at + 1) for at in range(20)]
    with monkeypatch.context() as patched:
        patched.setattr(MemoryStore, "overlapping", lambda *_: pytest.fail("listed"))
        for closure in closures[1:]:
            calendar.reopen(closure)
    assert calendar.closures("r") == (closures[0],)
    assert not calendar.is_available("r", 0, 1)
    calendar.reopen(closures[0])
    assert calendar.is_available("r", 0, 1)
    calendar.check()


@pytest.mark.parametrize("id", ["other", 5, None, [], float("nan")], ids=repr)
@pytest.mark.parametrize("command", ["split", "reopen", "move", "remove_booking", "confirm"])
def test_a_resource_whose_id_was_changed_is_found_by_its_bookings_and_closures(command: str, id: Any) -> None:
    """The calendar knows it by the id under which it was registered, also when the new one cannot be hashed."""

    class Changing:
        id: Any = "room"

    calendar = Calendar()
    room = calendar.add_resource(Changing())
    stay, closure = calendar.book(room, 1, 9), calendar.close(room, 20, 30)
    overwrite(room, "id", id)  # past what refuses it
    commands: dict[str, Callable[[], Any]] = {
        "split": lambda: calendar.split(stay, 4),
        "reopen": lambda: calendar.reopen(closure),
        "move": lambda: calendar.move(stay, start=2),
        "remove_booking": lambda: calendar.remove_booking(stay),
        "confirm": lambda: calendar.confirm(stay),
    }
    commands[command]()
    calendar.check()
    booked = {"split": [(1, 4), (4, 9)], "move": [(2, 9)], "remove_booking": []}.get(command, [(1, 9)])
    assert [(event.start, event.end) for event in calendar.bookings()] == booked
    assert calendar.is_available("room", 20, 30) is (command == "reopen")


def test_errors_travel_with_their_facts() -> None:
    """Through pickle, copy and deepcopy, as to another process."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    stay = calendar.book("room", 1, 9)
    found: list[BookcoreError] = [RecursiveCallError("why"), CalendarBrokenError("why"), TransactionError("why")]
    calls: list[Callable[[], Any]] = [
        lambda: calendar.book("room", 2, 3),
        lambda: calendar.book("barn", 2, 3),
        lambda: calendar.book("room", 3, 2),
        lambda: calendar.book("room", 30, 31, quantity=0),
        lambda: calendar.book("room", "a", "b"),
        lambda: calendar.get("x"),
        lambda: calendar.index("x"),
        lambda: calendar.book_any(calendar.resources, 1, 2),
        lambda: calendar.remove_resource("room"),
        lambda: calendar.book("room", 40, 41, id=stay.id),
        lambda: calendar.find("text"),
    ]
    for call in calls:
        with pytest.raises(BookcoreError) as caught:
            call()
        found.append(caught.value)
    failed = ConflictError("room", 1, 2)
    failed.look_later(lambda: 1 // 0, lambda question: question())  # type: ignore[arg-type, return-value]
    other = Calendar()
    found += [QueryError(facts, "why") for facts in (lambda: 5, calendar, other.resources, threading.Lock())]
    found += [failed, OwnConflictError("room"), NoneAvailableError(1, 2, 1, 1, [failed])]
    found[0].add_note("a note")
    found[3].add_note("another")
    for error in found:
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - ours
            assert type(again) is type(error)
            assert str(again) == str(error)
            names = [name for name in vars(error) if not name.startswith("_") or name == "__notes__"]
            assert all(_looks_like(getattr(again, name), getattr(error, name)) for name in names)


class OwnConflictError(ConflictError):
    """An error of the program."""

    def __init__(self, room: str) -> None:
        super().__init__(room, 1, 2)


def _looks_like(copied: object, fact: object) -> bool:
    """Tell whether a fact of a copy is that of the error, or its short form."""
    return str(copied) in (str(fact), brief(fact))


def test_subscribers_can_name_every_record_that_they_get() -> None:
    """A log that tells records by their classes must not have to import from the inside."""
    told: list[Change] = []
    calendar = Calendar(clock=lambda: 0)
    room = calendar.add_resource(Resource("room"))
    calendar.subscribe(told.append)
    calendar.create_index("name", key=lambda resource: resource.id)
    calendar.create_booking_index("guest")
    calendar.reindex(room)
    calendar.hold(room, 1, 5, id="x", ttl=3)
    calendar.extend("x", ttl=9)
    calendar.split("x", 3)
    calendar.confirm("x")
    assert {type(change).__name__ for change in told} >= {"IndexCreated", "Reindexed", "Booked", "Extended", "Confirmed"}
    assert all(getattr(changes, type(change).__name__) is type(change) for change in told)
    assert set(changes.__all__) == {cls.__name__ for cls in Change.__subclasses__()} | {"Change"}
