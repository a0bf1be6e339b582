"""Snapshots and directories with holds that run out, where no clock is given."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bookcore import Calendar, QueryError, Resource
from bookcore.stores.tree import TreeStore

MOMENT = datetime(2026, 5, 4, 9, tzinfo=UTC)
HELD: dict[str, Callable[[Calendar], Any]] = {
    "one": lambda c: c.hold("r", 1, 2, until=MOMENT, id="x"),
    "two": lambda c: [c.hold("r", at, at + 1, until=MOMENT, id=name) for at, name in enumerate("xy")],
    "among bookings": lambda c: [c.book("r", 5, 6), c.hold("r", 1, 2, until=MOMENT, id="x", guest="Ada"), c.book("r", 7, 8)],
    "of several units": lambda c: c.hold("van", 1, 2, until=MOMENT, id="x", quantity=3),
    "extended": lambda c: c.extend(c.hold("r", 1, 2, until=MOMENT, id="x"), until=MOMENT.replace(hour=20)),
    "beside one without": lambda c: [c.hold("r", 3, 4), c.hold("r", 1, 2, until=MOMENT, id="x")],
}
KEPT: dict[str, Callable[[Calendar], Any]] = {
    "nothing": lambda c: None,
    "a booking": lambda c: c.book("r", 1, 2),
    "a hold without a deadline": lambda c: c.hold("r", 1, 2),
    "a confirmed hold": lambda c: c.confirm(c.hold("r", 1, 2, until=MOMENT)),
    "a hold that was removed": lambda c: c.remove_booking(c.hold("r", 1, 2, until=MOMENT)),
    "a hold whose deadline was lifted": lambda c: c.extend(c.hold("r", 1, 2, until=MOMENT), until=None),
}


def clock() -> datetime:
    """Tell the time before all deadlines."""
    return MOMENT.replace(hour=0)


def filled(calendar: Calendar, fill: Callable[[Calendar], Any]) -> Calendar:
    """Return the calendar with two resources and what is booked there."""
    calendar.add_resource(Resource("r"))
    calendar.add_resource(Resource("van", 9))
    fill(calendar)
    return calendar


@pytest.mark.parametrize("how", HELD)
def test_deadlines_are_not_restored_without_a_clock(how: str, tmp_path: Path) -> None:
    """They would never pass, in silence; None says that this is meant, and a clock lets them pass."""
    path = tmp_path / "s"
    filled(Calendar(clock=clock), HELD[how]).snapshot(path)
    with pytest.raises(QueryError, match=r"deadline.*clock=None") as caught:
        Calendar.restore(path, types=[Resource])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - ours
    with pytest.raises(QueryError, match="deadline"):
        Calendar.restore(path, types=[Resource], store=TreeStore())
    assert str(Calendar.restore(path, types=[Resource], clock=None).get("x").status) == "held"
    assert "x" not in Calendar.restore(path, types=[Resource], clock=lambda: MOMENT.replace(hour=23))


@pytest.mark.parametrize("how", HELD)
def test_a_directory_with_deadlines_is_not_opened_without_a_clock(how: str, tmp_path: Path) -> None:
    """From its records and from its snapshot; it is unlocked again."""
    folder = tmp_path / "d"
    with Calendar.open(folder, clock=clock) as calendar:
        filled(calendar, HELD[how])
    for _ in range(2):
        with pytest.raises(QueryError, match=r"deadline.*clock=None"):
            Calendar.open(folder, types=[Resource])
        with Calendar.open(folder, types=[Resource], clock=None) as calendar:
            assert str(calendar.get("x").status) == "held"
            calendar.checkpoint()
    with Calendar.open(folder, types=[Resource], clock=lambda: MOMENT.replace(hour=23)) as calendar:
        assert "x" not in calendar


@pytest.mark.parametrize("how", KEPT)
def test_without_deadlines_no_clock_is_needed(how: str, tmp_path: Path) -> None:
    """Nor asked for."""
    path, folder = tmp_path / "s", tmp_path / "d"
    filled(Calendar(clock=clock), KEPT[how]).snapshot(path)
    Calendar.restore(path, types=[Resource]).check()
    with Calendar.open(folder, clock=clock) as calendar:
        filled(calendar, KEPT[how])
    Calendar.open(folder, types=[Resource]).close()


def test_a_hold_for_a_length_without_a_clock_says_where_one_is_given(tmp_path: Path) -> None:
    """Both to a calendar in memory and to one that is opened."""
    with Calendar.open(tmp_path / "rooms") as kept:
        for calendar in (Calendar(), kept):
            calendar.add_resource(Resource("r"))
            with pytest.raises(QueryError, match=r"make or open it with clock=\.\.\., a function that tells it"):
                calendar.hold("r", 1, 2, ttl=timedelta(hours=1))
            assert len(calendar) == 0
