"""`Calendar.check` proves what it says: each fault that is put into a calendar is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from bookcore import Calendar, MemoryStore, Resource
from bookcore.hours import Hours
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore

NOW = datetime(2026, 5, 4)


def some() -> Any:
    """Return a calendar with a bit of everything."""
    calendar = Calendar(clock=lambda: NOW)
    for id in ("r", "q"):
        calendar.add_resource(Resource(id))
    for day in range(3):
        span = NOW + timedelta(days=day, hours=9), NOW + timedelta(days=day, hours=10)
        calendar.book("r", *span, id=f"stay {day}")
        calendar.hold("q", *span, id=f"hold {day}", until=NOW + timedelta(days=day + 1))
    calendar.book("q", NOW + timedelta(days=9), NOW + timedelta(days=10), id="with fields", guest="Ada")
    calendar.close("q", NOW, NOW + timedelta(hours=1))
    calendar.set_hours(["r"], Hours({"mon-sun": "09:00-12:00"}))
    calendar.check()
    return calendar


def record(calendar: Any, id: Any) -> Any:
    """Return the calendar's record of a resource."""
    return calendar._engine.state.registry.by_id[id]


def ledger(calendar: Any) -> Any:
    """Return what knows which bookings are active."""
    return calendar._engine.state.ledger


def holds(calendar: Any) -> Any:
    """Return what knows which bookings are held."""
    return calendar._engine.state.holds


def lose_closure(calendar: Any) -> None:
    """Remove the row of the closure from the index of closures."""
    (closure,) = calendar.closures()
    closures = calendar._engine.state.closures
    closures.store.remove(record(calendar, "q").closures, closure.start, closure.end, closure.id)


def add_rule(calendar: Any, name: str) -> None:
    """Let a rule be asked about a resource that gives it no reason."""
    calendar.add_resource(Resource("s"))
    record(calendar, "s").rules = (getattr(calendar._engine.state.rules, name),)


@pytest.mark.parametrize("store", [MemoryStore, SortedStore, TreeStore])
def test_keys_that_cannot_be_written_are_checked(store: Any) -> None:
    """Python refuses to write an int of so many digits, and a check has to tell a fault from that."""
    far = 10**5_000
    calendar = Calendar(store())
    for number in range(64):
        room = calendar.add_resource(Resource(far + number, capacity=1 + number % 2))
        for span in range(3):
            calendar.book(room, far + span, far + span + 1)
    calendar.check()
    calendar._engine.state.store.remove(record(calendar, far), far, far + 1, 1)
    with pytest.raises(AssertionError):
        calendar.check()


FAULTS: dict[str, Callable[[Any], Any]] = {
    "a hold of no booking": lambda c: holds(c).until.update({99: None}),
    "no deadline": lambda c: holds(c).deadlines.pop(),
    "deadlines out of order": lambda c: holds(c).deadlines.reverse(),
    "a closure the index lost": lose_closure,
    "a closure without a number": lambda c: c._engine.state.closures.by_id.clear(),
    "the rule is not asked, though closed": lambda c: setattr(record(c, "q"), "rules", ()),
    "the rule of closures is asked, and none is closed": lambda c: add_rule(c, "closures"),
    "the rule of hours is asked, and there are none": lambda c: add_rule(c, "hours"),
    "hours that no resource has": lambda c: setattr(record(c, "r"), "hours", None),
    "an event kept that is booked nowhere": lambda c: setattr(c.get("with fields"), "_home", None),
    "an event kept under another number": lambda c: setattr(c.get("with fields"), "_seq", 99),
    "a booking without an id": lambda c: ledger(c).numbers.pop("stay 1"),
    "an id of no booking": lambda c: (ledger(c).numbers.__setitem__("gone", 99), ledger(c).ids.__setitem__(99, "gone")),
    "a lock of no booking": lambda c: ledger(c).locks.update({99: -1}),
    "a number that was not given out": lambda c: setattr(ledger(c), "last", 1),
    "a booking that the ledger lost": lambda c: ledger(c).pop(ledger(c).number_of("stay 1")),
    "a booking that the store lost": lambda c: record(c, "r").state.remove(ledger(c).number_of("stay 1")),
    "a change that never ends": lambda c: setattr(c._gate, "mode", 1),
    "readers may read without the lock, though holds may run out": lambda c: setattr(c._gate, "stamp", c._gate.version),
    "commands may take the fast path, though holds may run out": lambda c: setattr(c._gate, "waiting", False),
    "no kind of key": lambda c: c._keys.reset(),
    "a booking too few": lambda c: setattr(record(c, "r"), "active_count", 2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(fault: str) -> None:
    """Whatever it is that does not agree."""
    calendar = some()
    FAULTS[fault](calendar)
    with pytest.raises(AssertionError):
        calendar.check()
