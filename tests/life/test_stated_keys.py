"""`Calendar(keys=...)`: which keys a calendar takes is stated, not decided by the first one that comes."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import Any

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    Hours,
    KeyTypeError,
    MemoryStore,
    QueryError,
    Resource,
    SnapshotError,
)
from bookcore.testing import ListStore

NAIVE, AWARE, DAY = datetime(2026, 5, 4, 12), datetime(2026, 5, 4, 12, tzinfo=UTC), date(2026, 5, 4)
HOUR, ONE_DAY = timedelta(hours=1), timedelta(days=1)

TAKEN: list[tuple[Any, Any, Any]] = [
    ("aware", AWARE, HOUR), ("naive", NAIVE, HOUR), (datetime, NAIVE, HOUR), (datetime, AWARE, HOUR), (date, DAY, ONE_DAY),
    (int, 5, 1), (float, 5.5, 1), (float, 5, 1), (Fraction, Fraction(1, 3), 1), (Decimal, Decimal(5), 1),
    (timedelta, HOUR, HOUR), (Real, 5, 1), (Real, Fraction(1, 3), 1), (object, 5, 1),
]  # fmt: skip
REFUSED: list[tuple[Any, Any, Any]] = [
    ("aware", NAIVE, HOUR), ("naive", AWARE, HOUR), ("aware", DAY, ONE_DAY), ("naive", 5, 1), (datetime, DAY, ONE_DAY),
    (date, NAIVE, HOUR), (date, AWARE, HOUR), (int, 5.5, 1), (int, NAIVE, HOUR), (float, Fraction(1, 3), 1),
    (float, Decimal(5), 1), (timedelta, 5, 1), (Real, Decimal(5), 1), (tuple, 5, 1),
]  # fmt: skip


def made(keys: Any, make: Callable[[], Any] = MemoryStore) -> Calendar:
    """Return a calendar with one room."""
    calendar = Calendar(make(), keys=keys)
    calendar.add_resource(Resource("room"))
    return calendar


@pytest.mark.parametrize("make", [MemoryStore, ListStore])
@pytest.mark.parametrize(("keys", "key", "length"), TAKEN)
def test_stated_keys_are_taken(keys: Any, key: Any, length: Any, make: Any) -> None:
    """From the first on, and after the calendar was empty again."""
    calendar = made(keys, make)
    for _ in range(2):
        event = calendar.book("room", key, key + length)
        assert not calendar.is_available("room", key, None)
        calendar.remove_booking(event)


@pytest.mark.parametrize("make", [MemoryStore, ListStore])
@pytest.mark.parametrize(("keys", "key", "length"), REFUSED)
def test_other_keys_are_refused_by_every_call(keys: Any, key: Any, length: Any, make: Any) -> None:
    """In an empty calendar too; the error names the statement, and nothing has changed."""
    calendar = made(keys, make)
    end = key + length
    calls: list[Callable[[], Any]] = [
        lambda: calendar.book("room", key, end),
        lambda: calendar.book("room", None, end),
        lambda: calendar.hold("room", key, None),
        lambda: calendar.load([BookingEvent("room", key, end)] * 3),
        lambda: calendar.close("room", key, end),
        lambda: calendar.is_available("room", key, end),
        lambda: calendar.find_available(key, end),
        lambda: calendar.book_any(["room"], key, end),
        lambda: calendar.gaps("room", key, None),
        lambda: calendar.next_available("room", key, length),
        lambda: list(calendar.bookings(start=key)),
    ]
    for call in calls:
        with pytest.raises(KeyTypeError, match="is no key of this calendar, which was made with keys=") as caught:
            call()
        assert copy(caught.value).reason == caught.value.reason
    assert (len(calendar), calendar.closures()) == (0, ())
    calendar.check()


@pytest.mark.parametrize("keys", ["Aware", "utc", "", 5, [], (int, float), datetime.now, complex, set, dict, frozenset])
def test_what_states_no_keys_is_refused(keys: Any) -> None:
    """Text that is no such word, objects, types without an order."""
    with pytest.raises(QueryError):
        Calendar(keys=keys)


@pytest.mark.parametrize(
    ("first", "second", "way_out"),
    [
        (NAIVE, AWARE, "keys='aware'"), (AWARE, NAIVE, "keys='naive'"), (DAY, NAIVE, "keys='naive'"),
        (NAIVE, DAY, "keys=date"), (5, "a", "keys=str"), ("a", 5, "keys=int"),
    ],
)  # fmt: skip
def test_an_error_says_that_the_first_key_decides_and_the_way_out(first: Any, second: Any, way_out: str) -> None:
    """Where nothing was stated."""
    calendar = made(None)
    calendar.book("room", first, None)
    with pytest.raises(KeyTypeError, match=f"the first key decides which it takes, or Calendar.{way_out}"):
        calendar.is_available("room", second, None)


def test_types_of_numpy_and_pandas_stand_for_those_that_hold_their_keys() -> None:
    """Whole numbers, floats, datetimes; NumPy's own times are their own."""
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    for keys, key in (
        (np.int64, np.int8(5)), (np.int64, 5), (int, np.int64(5)), (np.float64, np.float32(0.5)), (np.float64, 5),
        (pd.Timestamp, NAIVE), (datetime, pd.Timestamp(NAIVE)), (np.datetime64, np.datetime64("2026-05-04")),
    ):  # fmt: skip
        assert made(keys).book("room", key, None).owns_lock
    for keys, key in ((np.int64, 0.5), (np.datetime64, NAIVE), (pd.Timestamp, DAY), ("aware", pd.Timestamp(NAIVE))):
        with pytest.raises(KeyTypeError):
            made(keys).book("room", key, None)


@pytest.mark.parametrize("keys", ["naive", int, date])
def test_a_restored_calendar_takes_the_keys_that_are_stated(tmp_path: Path, keys: Any) -> None:
    """A file with other keys is refused; without a statement the first key decides."""
    calendar = made("aware")
    calendar.snapshot(tmp_path / "empty")
    calendar.book("room", AWARE, AWARE + HOUR)
    calendar.snapshot(tmp_path / "full")
    with pytest.raises((KeyTypeError, SnapshotError)):
        Calendar.restore(tmp_path / "full", types=[Resource], keys=keys)
    full = Calendar.restore(tmp_path / "full", types=[Resource], keys="aware")
    assert not full.is_available("room", AWARE, None)
    empty = Calendar.restore(tmp_path / "empty", types=[Resource], keys="aware")
    with pytest.raises(KeyTypeError):
        empty.book("room", NAIVE, None)


class Instant(datetime):
    """A subclass of datetime, as pendulum and others have one."""


LOCAL, ZONED = Hours({"mon": "09:00-17:00"}), Hours({"mon": "09:00-17:00"}, zone="UTC")


@pytest.mark.parametrize(("keys", "hours"), [
    ("aware", LOCAL), ("naive", ZONED), (date, LOCAL), (date, ZONED), (int, LOCAL), (float, ZONED), (str, LOCAL),
    (tuple, ZONED), (timedelta, LOCAL), (Real, ZONED),
])  # fmt: skip
def test_hours_that_no_stated_key_suits_are_refused(keys: Any, hours: Hours) -> None:
    """At once: with them every later question about the resource would be refused, and none could be booked."""
    calendar, leader = made(keys), made(None)
    told: list[Any] = []
    leader.subscribe(told.append)
    leader.set_hours("room", hours)
    calls: list[Callable[[], Any]] = [lambda: calendar.set_hours("room", hours), lambda: calendar.apply(told[0])]
    for call in calls:
        with pytest.raises(KeyTypeError, match="the calendar was made with keys="):
            call()
    assert calendar.hours_of("room") is None
    calendar.set_hours("room", None)


@pytest.mark.parametrize(("keys", "hours"), [
    ("aware", ZONED), ("naive", LOCAL), (datetime, LOCAL), (datetime, ZONED), (object, LOCAL), (Instant, ZONED),
    (Instant, LOCAL), (None, ZONED),
])  # fmt: skip
def test_hours_that_stated_keys_may_suit_are_taken(keys: Any, hours: Hours) -> None:
    calendar = made(keys)
    calendar.set_hours("room", hours)
    assert calendar.hours_of("room") == hours
