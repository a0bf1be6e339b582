"""What runs under the lock, and what does not: subscribers and key functions find the calendar free."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    InvalidQuantityError,
    KeyTypeError,
    Resource,
    ResourceError,
)
from bookcore.engine.log import Log


def others_can_ask(calendar: Calendar) -> bool:
    """Tell whether another thread gets an answer now."""
    asked = threading.Thread(target=len, args=(calendar,), daemon=True)
    asked.start()
    asked.join(2)
    return not asked.is_alive()


@pytest.mark.parametrize("read", [list, len, lambda found: found.ids(), lambda found: found.first(1)])
def test_subscriber_is_told_outside_the_lock_by_whatever_question(read: Callable[[Any], Any]) -> None:
    """Of a hold that the question finds to have run out."""
    now = [0]
    calendar = Calendar(clock=lambda: now[0])
    calendar.add_resource(Resource("r"))
    calendar.hold("r", 1, 2, until=5)
    free: list[bool] = []
    calendar.subscribe(lambda change: free.append(others_can_ask(calendar)))
    now[0] = 5
    read(calendar.resources)
    assert free == [True]


def test_key_function_runs_outside_the_lock() -> None:
    """Whether the resources are asked for or their ids."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    free: list[bool] = []

    def key(resource: Any) -> int:
        free.append(others_can_ask(calendar))
        return 0

    found = calendar.resources.order_by(key)
    assert list(found) and found.ids() == ["r"]
    assert free == [True, True]


def test_waiting_list_does_not_come_between_finding_and_booking() -> None:
    """`book_any` finds, chooses and books in one step: who is told of the slot it frees is told afterwards."""
    now = [0]
    calendar = Calendar(clock=lambda: now[0])
    for id in ("a", "b"):
        calendar.add_resource(Resource(id))
    calendar.hold("a", 1, 2, until=5)

    def wait(change: Any) -> None:
        if calendar.is_available("a", 1, 2):
            calendar.book("a", 1, 2, id="waited")

    calendar.subscribe(wait)
    now[0] = 5
    booked = calendar.book_any(calendar.resources.order_by(lambda resource: resource.id), 1, 2)
    assert booked.resource.id == "a"
    assert "waited" not in calendar


def test_nobody_looks_into_a_transaction() -> None:
    """Readers without the lock are kept out, and subscribers told of nothing, until it ends."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    told: list[Any] = []
    calendar.subscribe(told.append)
    with calendar.transaction():
        assert calendar._gate.block
        calendar.book("r", 1, 2)
        len(calendar), list(calendar.find_available(1, 2))
        assert told == []
    assert len(told) == 1
    with calendar.what_if():
        assert calendar._gate.block
    assert not calendar._gate.block


@pytest.mark.parametrize("now", [float("nan"), pd.NaT])
def test_clock_that_tells_no_instant_releases_no_hold(now: Any) -> None:
    """It is before no deadline, and so seems to be past them all."""
    told: list[Any] = [0 if isinstance(now, float) else pd.Timestamp(0)]
    calendar = Calendar(clock=lambda: told[0])
    calendar.add_resource(Resource("r"))
    hold = calendar.hold("r", 1, 2, until=5 if isinstance(now, float) else pd.Timestamp(5))
    told.append(told[0])
    told[0] = now
    with pytest.raises(KeyTypeError, match="clock"):
        calendar.is_available("r", 1, 2)
    told[0] = told[1]
    assert hold.status == "held"


def test_request_to_hold_again_finds_what_was_confirmed() -> None:
    """Though its deadline is past by now."""
    now = [0]
    calendar = Calendar(clock=lambda: now[0])
    calendar.add_resource(Resource("r"))
    hold = calendar.hold("r", 1, 2, until=5, id="x")
    calendar.confirm(hold)
    now[0] = 6
    assert calendar.hold("r", 1, 2, until=5, id="x", if_exists="return") == hold


@pytest.mark.parametrize("quantity", [True, 1.0])
@pytest.mark.parametrize("count", [3, 60])
def test_load_takes_no_quantity_that_only_equals_one(quantity: Any, count: int) -> None:
    """However many there are."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    with pytest.raises(InvalidQuantityError):
        calendar.load([BookingEvent("r", at, at + 1, quantity=quantity) for at in range(count)])
    assert not len(calendar)


@pytest.mark.parametrize("first", [(1.0, 2.0), (1e20, 2e20)])
def test_length_that_goes_with_some_keys_of_a_type_only(first: tuple[float, float]) -> None:
    """A float of 1e20 has no room for one more: what was asked before does not matter."""
    calendar = Calendar()
    calendar.add_resource(Resource(0, after=1.0))
    for id in range(1, 80):
        calendar.add_resource(Resource(id))
    for at in range(10):
        calendar.book(1 + at, 50.0, 60.0)
    len(calendar.find_available(*first))
    for low, high in ((1.0, 2.0), (1e20, 2e20)):
        offered = 0 in calendar.find_available(low, high).ids()
        with calendar.what_if():
            try:
                calendar.book(0, low, high)
                booked = True
            except KeyTypeError:
                booked = False
        assert offered is booked is (low == 1.0)


def test_follower_with_resources_of_its_own_can_be_saved(tmp_path: Path) -> None:
    """A closure that it follows is on its own resource, and over its own bookings."""
    source, follower = Calendar(), Calendar()
    source.add_resource(Resource("r"))
    own = follower.add_resource(Resource("r"))
    source.subscribe(follower.apply)
    source.book("r", 1, 3, id="stay")
    source.close("r", 2, 5, "paint")
    (closure,) = follower.closures()
    assert closure.resource is own
    assert closure.overlapping == (follower.get("stay"),)
    follower.snapshot(tmp_path / "a.bks")
    (back,) = Calendar.restore(tmp_path / "a.bks").closures()
    assert (back.start, back.end, back.reason, [event.id for event in back.overlapping]) == (2, 5, "paint", ["stay"])


def test_resource_in_several_calendars_keeps_none_of_them() -> None:
    """One that is made once and added to calendar after calendar, as in tests, does not hold on to them."""
    room = Resource("room")
    gone = []
    for _ in range(5):
        calendar = Calendar()
        calendar.add_resource(room)
        calendar.book(room, 1, 2)
        gone.append(weakref.ref(calendar))
    gc.collect()
    assert [reference() is None for reference in gone] == [True, True, True, True, False]
    assert room.is_available(1, 2) is False  # it is in one calendar now
    del calendar
    gc.collect()
    assert gone[-1]() is None
    with pytest.raises(ResourceError, match="in no calendar"):
        room.is_available(1, 2)
    calendar, other = Calendar(), Calendar()
    calendar.add_resource(room)
    other.add_resource(room)
    with pytest.raises(ResourceError, match="in 2 calendars"):
        room.is_available(1, 2)
    other.remove_resource(room)
    assert room.is_available(2, 3)


def test_transaction_interrupted_as_it_begins_is_not_left_open() -> None:
    """Ctrl-C comes at calls: at none of them has the transaction begun already."""

    class Interrupting(list[Any]):
        def __len__(self) -> int:
            raise KeyboardInterrupt

    calendar = Calendar()
    log, gate = calendar._log, calendar._gate
    log.handed = Interrupting()
    with pytest.raises(KeyboardInterrupt), calendar.transaction():
        pass
    log.handed = []
    assert log.changes is None and not gate.block
    calendar.check()


@pytest.mark.parametrize("interrupted", ["open", "close"])
def test_transaction_interrupted_where_it_begins_or_ends_counts_as_ended(interrupted: str, monkeypatch: Any) -> None:
    """Ctrl-C comes as the log is told of it."""

    def interrupt(log: Log) -> None:
        raise KeyboardInterrupt

    calendar = Calendar()
    monkeypatch.setattr(Log, interrupted, interrupt)
    with pytest.raises(KeyboardInterrupt), calendar.transaction():
        pass
    monkeypatch.undo()
    gc.collect()
    assert len(calendar) == 0
    assert not calendar._gate.block
    calendar.check()


def test_reader_sets_right_what_an_interrupted_change_left() -> None:
    """Readers take the lock once more; then they need not again."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    calendar.book("r", 1, 2)
    assert calendar._gate.stamp == calendar._gate.version
    calendar._gate.stamp = None
    calendar.check()
    assert calendar.is_available("r", 2, 3)
    assert calendar._gate.stamp == calendar._gate.version
