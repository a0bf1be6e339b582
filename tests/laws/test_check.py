"""`Calendar.check` proves what it says: each fault that is put into a calendar is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from bookcore import Calendar, Resource
from bookcore.hours import Hours

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
    calendar.close("q", NOW, NOW + timedelta(hours=1))
    calendar.set_hours(["r"], Hours({"mon-sun": "09:00-12:00"}))
    calendar.check()
    return calendar


FAULTS: dict[str, Callable[[Any], Any]] = {
    "a hold of nobody": lambda c: c._holds.update(nobody=None),
    "no deadline": lambda c: c._deadlines.pop(),
    "deadlines out of order": lambda c: c._deadlines.reverse(),
    "a closure the index lost": lambda c: c._closures.remove(
        c._by_id["q"].closures, NOW, NOW + timedelta(hours=1), next(iter(c._standing_closures.values()))
    ),
    "a closure without a number": lambda c: c._standing_closures.clear(),
    "not guarded, though closed": lambda c: setattr(c._by_id["q"], "guarded", False),
    "guarded by nothing": lambda c: setattr(c.add_resource(Resource("s"))._entry, "guarded", True),
    "hours that nobody keeps": lambda c: setattr(c._by_id["r"], "hours", None),
    "a booking that stands nowhere": lambda c: setattr(c.get("stay 1"), "_home", None),
    "a booking without an id": lambda c: c._events.pop("stay 1"),
    "somebody writes for ever": lambda c: setattr(c, "_writing", 1),
    "readers take it to stand still, though holds may run out": lambda c: setattr(c, "_still", c._version),
    "no kind of key": lambda c: c._keys.reset(),
    "a booking too few": lambda c: setattr(c._by_id["r"], "count", 2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(fault: str) -> None:
    """Whatever it is that does not agree."""
    calendar = some()
    FAULTS[fault](calendar)
    with pytest.raises(AssertionError):
        calendar.check()
