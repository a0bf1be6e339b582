"""Numbers of seconds that a call waits at most: any that mean something, and an error of ours for all else."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from bookcore import Calendar, QueryError, Resource, copy_calendar
from bookcore.persist.journal.errors import JournalTimeoutError


class Patience(IntEnum):
    """Seconds with names."""

    SHORT = 1


class OddFloat(float):
    """A number whose methods raise."""

    def __add__(self, other: object) -> Any:
        raise ZeroDivisionError

    __float__ = __lt__ = __gt__ = __radd__ = __eq__ = __add__  # type: ignore[assignment]
    __hash__ = float.__hash__


GOOD = [1, 0.5, 10**10, 10**400, 1e300, Patience.SHORT, OddFloat(2.5)]
BAD = [-1, -(10**400), float("nan"), float("-inf"), True, False, "1", b"1", "", Decimal(1), Fraction(1, 2), 1j, [], object()]


@pytest.mark.parametrize("timeout", GOOD, ids=lambda value: type(value).__name__)
def test_a_number_of_seconds_of_any_size_is_waited_at_most(timeout: Any, tmp_path: Path) -> None:
    """In opening, in waiting, in a command that finds the lock free, and in copying."""
    address = f"sqlite:///{tmp_path}/rooms.db"
    with Calendar.open(address, timeout=timeout) as one, Calendar.open(address, timeout=timeout, follow=False) as other:
        one.book(one.add_resource(Resource("room")), 1, 2)
        other.wait_for(one.position, timeout)
        with other.transaction():
            other.book("room", 2, 3)
        one.wait_for(other.position, float("inf"))
        assert len(one) == 2
    assert copy_calendar(address, tmp_path / "rooms", timeout=timeout).bookings == 2


@pytest.mark.parametrize("timeout", BAD, ids=lambda value: "object" if type(value) is object else repr(value))
def test_what_is_no_number_of_seconds_is_refused_by_name(timeout: Any, tmp_path: Path) -> None:
    """Before anything is made, by a calendar in memory as well."""
    place = tmp_path / "new"
    with Calendar.open(f"sqlite:///{tmp_path}/rooms.db") as calendar:
        for call in (
            lambda: Calendar.open(f"sqlite:///{place}", timeout=timeout),
            lambda: Calendar.open(place, timeout=timeout),
            lambda: copy_calendar(f"sqlite:///{tmp_path}/rooms.db", place, timeout=timeout),
            lambda: calendar.wait_for(0, timeout),
            lambda: Calendar().wait_for(0, timeout),
        ):
            with pytest.raises(QueryError, match="is a number of seconds") as refused:
                call()
            assert refused.value.term is timeout
    assert not place.exists()


def test_numbers_of_numpy_are_numbers_of_seconds(tmp_path: Path) -> None:
    """Whole or not, and not those that are truth values or lengths."""
    np = pytest.importorskip("numpy", reason="NumPy is not installed")
    address = f"sqlite:///{tmp_path}/rooms.db"
    for timeout in (np.int64(1), np.uint8(1), np.float32(0.5), np.float64(0.5)):
        with Calendar.open(address, timeout=timeout) as calendar:
            calendar.wait_for(0, timeout)
    for timeout in (np.float64("nan"), np.int8(-1), np.bool_(True), np.timedelta64(1, "s"), np.array([1])):
        with pytest.raises(QueryError):
            Calendar.open(address, timeout=timeout)


def test_a_position_of_any_size_is_waited_for(tmp_path: Path) -> None:
    """One that Python does not write in digits never comes, and the error says so."""
    told = r"record <int of .* bits> did not come within 0 seconds"
    with Calendar.open(f"sqlite:///{tmp_path}/rooms.db") as calendar, pytest.raises(JournalTimeoutError, match=told):
        calendar.wait_for(10**5000, 0)
