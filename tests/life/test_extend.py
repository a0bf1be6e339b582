"""`Calendar.extend`: a hold gets a later deadline, as a change of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    HoldExpiredError,
    KeyTypeError,
    MemoryStore,
    QueryError,
    Resource,
    UnknownBookingError,
    changes,
)
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore

STORES = [MemoryStore, SortedStore, TreeStore]


def clocked(store: Any = MemoryStore) -> tuple[Calendar, list[int]]:
    """Return a calendar with a seat and three chairs, held until 15 at 10 o'clock, and its clock."""
    now = [10]
    calendar = Calendar(store(), clock=lambda: now[0])
    calendar.add_resource(Resource("seat"))
    calendar.add_resource(Resource("chairs", capacity=3))
    calendar.hold("seat", 20, 22, ttl=5, id="mine")
    calendar.hold("chairs", 20, 22, ttl=5, id="two", quantity=2, guest="Ada")
    return calendar, now


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("deadline", "until"),
    [({"until": 18}, 18), ({"ttl": 8}, 18), ({"until": None}, None), ({"until": 16}, 16), ({"ttl": 500}, 510)],
)
@pytest.mark.parametrize("name", ["mine", "two"])
def test_a_hold_stands_until_its_new_deadline(store: Any, deadline: Any, until: int | None, name: str) -> None:
    """Not a tick longer, and not released at the old one."""
    calendar, now = clocked(store)
    before = calendar.get(name)
    after = calendar.extend(name, **deadline)
    assert (after.until, before.until, after == before, after.owns_lock) == (until, until, True, True)
    calendar.check()
    now[0] = 15
    assert name in calendar
    assert len(calendar) == 1
    now[0] = 1000 if until is None else until - 1
    assert calendar.get(name).status == "held"
    calendar.check()
    now[0] = 1001 if until is None else until
    assert (name in calendar) is (until is None)
    calendar.check()


def test_a_deadline_that_is_equal_changes_nothing() -> None:
    """No record is told."""
    calendar, _ = clocked()
    told: list[changes.Change] = []
    calendar.subscribe(told.append)
    assert calendar.extend("mine", until=15).until == 15
    assert calendar.extend("mine", ttl=5).until == 15
    calendar.extend("mine", until=None)
    calendar.extend("mine", until=None)
    assert [(type(change), change.until, change.before) for change in told] == [(changes.Extended, None, 15)]  # type: ignore[attr-defined]


def _moved(calendar: Calendar) -> BookingEvent:
    """Move a hold, and return the event from before."""
    before = calendar.get("mine")
    calendar.move(before, start=21)
    return before


REFUSED: dict[str, tuple[Callable[[Calendar], Any], type[BookcoreError], str]] = {
    "earlier": (lambda c: c.extend("mine", until=12), QueryError, "lies before"),
    "a shorter length": (lambda c: c.extend("mine", ttl=1), QueryError, "lies before"),
    "in the past": (lambda c: c.extend("mine", until=3), QueryError, "lies before"),
    "neither": (lambda c: c.extend("mine"), QueryError, "either"),
    "both": (lambda c: c.extend("mine", ttl=9, until=20), QueryError, "either"),
    "both, one None": (lambda c: c.extend("mine", ttl=9, until=None), QueryError, "either"),
    "confirmed": (lambda c: c.extend(c.confirm("mine"), ttl=9), QueryError, "confirmed"),
    "booked": (lambda c: c.extend(c.book("seat", 1, 2), until=None), QueryError, "confirmed"),
    "from never": (lambda c: c.extend(c.hold("seat", 1, 2), ttl=9), QueryError, "no deadline"),
    "unknown": (lambda c: c.extend("nobody", ttl=9), UnknownBookingError, "nobody"),
    "not booked": (lambda c: c.extend(BookingEvent("seat", 1, 2), ttl=9), UnknownBookingError, "not booked"),
    "moved": (lambda c: c.extend(_moved(c), ttl=9), UnknownBookingError, "moved"),
    "another kind": (lambda c: c.extend("mine", until="late"), KeyTypeError, "late"),
    "no length": (lambda c: c.extend("mine", ttl="long"), KeyTypeError, "long"),
    "NaN": (lambda c: c.extend("mine", until=float("nan")), KeyTypeError, "nan|NaN"),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("how", REFUSED)
def test_what_is_no_extension_is_refused(how: str, store: Any) -> None:
    """And the hold keeps its deadline."""
    calendar, _ = clocked(store)
    call, error, word = REFUSED[how]
    with pytest.raises(error, match=word):
        call(calendar)
    if how != "confirmed":
        assert calendar.get("mine").until == 15
    calendar.check()


@pytest.mark.parametrize("by", ["id", "event", "handle"])
def test_a_hold_that_ran_out_is_named(by: str) -> None:
    """However it is given; the error tells the old deadline."""
    calendar, now = clocked()
    hold = {"id": "two", "event": calendar.get("two"), "handle": calendar.get("mine")}[by]
    now[0] = 15
    with pytest.raises(HoldExpiredError) as caught:
        calendar.extend(hold, ttl=50)
    assert (caught.value.until, caught.value.now) == (15, 15)
    assert len(calendar) == 0


def test_without_a_clock_only_the_deadline_can_be_lifted(tmp_path: Path) -> None:
    """The calendar does not know the time."""
    calendar, _ = clocked()
    calendar.snapshot(tmp_path / "file")
    blind = Calendar.restore(tmp_path / "file", types=[Resource], clock=None)
    with pytest.raises(QueryError, match="clock"):
        blind.extend("mine", ttl=9)
    assert blind.extend("mine", until=None).until is None


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("kind", ["transaction", "what_if"])
def test_an_undone_extension_leaves_the_old_deadline(store: Any, kind: str) -> None:
    """Also several of them, and one that lifted the deadline."""
    calendar, now = clocked(store)
    before = calendar.digest()
    try:
        with getattr(calendar, kind)():
            calendar.extend("mine", until=18)
            calendar.extend("mine", until=30)
            calendar.extend("two", until=None)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert (calendar.get("mine").until, calendar.get("two").until, calendar.digest()) == (15, 15, before)
    calendar.check()
    now[0] = 15
    assert len(calendar) == 0
    calendar.check()


@pytest.mark.parametrize("until", [18, None])
def test_a_follower_and_a_snapshot_know_the_new_deadline(until: int | None, tmp_path: Path) -> None:
    """And the follower releases the hold when the leader does."""
    calendar, now = clocked()
    follower = Calendar()
    calendar.snapshot(tmp_path / "before")
    follower = Calendar.restore(tmp_path / "before", types=[Resource], clock=None)
    calendar.subscribe(follower.apply)
    calendar.extend("mine", until=until)
    assert follower.get("mine").until == until
    assert follower.digest() == calendar.digest()
    calendar.snapshot(tmp_path / "after")
    assert Calendar.restore(tmp_path / "after", types=[Resource], clock=lambda: 11).get("mine").until == until
    now[0] = 40
    assert (len(follower), len(calendar)) == (2, until is None)  # the leader notices when it is asked
    assert len(follower) == (until is None)


def test_a_follower_in_which_the_hold_is_confirmed_says_so() -> None:
    """It does not follow any more."""
    calendar, follower = Calendar(clock=lambda: 10), Calendar()
    calendar.subscribe(follower.apply)
    told: list[Any] = []
    calendar.subscribe(told.append)
    hold = calendar.hold(calendar.add_resource(Resource("seat")), 20, 22, ttl=5)
    follower.confirm(hold.id)
    calendar.extend(hold, ttl=9)
    with pytest.raises(BookcoreError, match="confirmed"):
        follower.apply(told[-1])


def test_heartbeats_use_no_more_memory() -> None:
    """Old deadlines are given up."""
    calendar, now = clocked()
    for beat in range(11, 500):
        now[0] = beat
        calendar.extend("mine", ttl=5)
        calendar.extend("two", ttl=5) if "two" in calendar else None
        calendar.check()
    assert len(calendar._engine.state.holds.deadlines) < 20


def test_deadlines_in_several_zones_are_compared_as_instants() -> None:
    """Nine in Berlin comes before nine in London."""
    berlin, london = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London")
    now = datetime(2026, 5, 4, 6, tzinfo=UTC)
    calendar = Calendar(clock=lambda: now)
    calendar.add_resource(Resource("seat"))
    calendar.hold("seat", now, now + timedelta(hours=9), until=datetime(2026, 5, 4, 9, tzinfo=london), id="mine")
    with pytest.raises(QueryError):
        calendar.extend("mine", until=datetime(2026, 5, 4, 9, tzinfo=berlin))
    late = datetime(2026, 5, 4, 11, tzinfo=berlin)
    assert calendar.extend("mine", until=late).until == late
