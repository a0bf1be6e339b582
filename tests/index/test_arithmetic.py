"""Sums and differences at the ends of what a type can hold: OverflowError from all, and no warning from any."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.model.arithmetic import difference, doubled, minus, plus


def edges() -> Iterator[Any]:
    """Yield a type of fixed width, with its first key, its last, and what makes a length."""
    np = pytest.importorskip("numpy", reason="NumPy is not installed")
    yield np.datetime64(-(2**63) + 1, "ns"), np.datetime64(2**63 - 1, "ns"), lambda n: np.timedelta64(n, "ns")
    yield np.timedelta64(-(2**63) + 1, "ns"), np.timedelta64(2**63 - 1, "ns"), lambda n: np.timedelta64(n, "ns")


def test_beyond_the_last_key_there_is_none() -> None:
    """NumPy's instants and lengths go up to their ends, and there raise instead of wrapping around."""
    for first, last, length in edges():
        for n in (1, 60, 127):
            assert plus(last - length(n), length(n)) == last
            assert minus(first + length(n), length(n)) == first
            assert difference(last, last - length(n)) == length(n)
            for near in {0, n - 1}:
                with pytest.raises(OverflowError):
                    plus(last - length(near), length(n))
                with pytest.raises(OverflowError):
                    minus(first + length(near), length(n))


@given(st.integers(-128, 127), st.integers(-128, 127))
def test_int8_adds_as_whole_numbers_do(one: int, other: int) -> None:
    """Of all pairs the true sum or difference, also where int8 has no room for it; and with an int on either side."""
    np = pytest.importorskip("numpy", reason="NumPy is not installed")
    for key, length in ((np.int8(one), np.int8(other)), (one, np.int8(other)), (np.int8(one), other)):
        assert (plus(key, length), minus(key, length)) == (one + other, one - other)
        if other <= one:
            assert difference(key, length) == one - other


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_two_units_are_added_exactly_or_not_at_all(unit: str) -> None:
    """NumPy adds in the finer unit and wraps around where it has no room for one of the two: a tick past 9999 was 1816."""
    np = pytest.importorskip("numpy", reason="NumPy is not installed")
    tick = np.timedelta64(1, unit)
    for day in ("1969-12-31", "2026-05-04", "2262-04-10", "2262-04-12", "9999-12-31"):
        key = np.datetime64(day)
        if unit == "ns" and day > "2262-04-11":
            for move in (plus, minus):
                with pytest.raises(OverflowError):
                    move(key, tick)
        else:
            assert minus(plus(key, tick), tick) == key == plus(minus(key, tick), tick)


def test_twice_a_length_is_a_length_or_none() -> None:
    """None stays None, and so does what no type holds."""
    np = pytest.importorskip("numpy", reason="NumPy is not installed")
    assert (doubled(3), doubled(None), doubled(timedelta.max)) == (6, None, None)
    assert (doubled(np.int8(63)), doubled(np.int8(64)), doubled(np.uint8(128))) == (126, 128, 256)
    assert doubled(np.timedelta64(2**62, "ns")) is None


def test_pandas_overflows_like_all_others() -> None:
    """Whatever its own errors are called."""
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    first, last, day = pd.Timestamp.min, pd.Timestamp.max, timedelta(days=1)
    assert plus(first, day) - day == first
    for compute, one, other in (
        (plus, last, day), (minus, first, day), (difference, last, first), (plus, pd.Timedelta.max, pd.Timedelta.max),
    ):  # fmt: skip
        with pytest.raises(OverflowError):
            compute(one, other)


def test_types_of_python_are_added_as_they_are() -> None:
    """Also where a float rounds, and where a date raises by itself."""
    inf = float("inf")
    assert (plus(inf, 1.0), minus(-inf, 1.0), plus(1e300, 1.0), plus(2**70, 1)) == (inf, -inf, 1e300, 2**70 + 1)
    assert difference(datetime.max, datetime.min) == datetime.max - datetime.min
    for compute, key in product((plus, minus), (date.max, datetime.max)):
        with pytest.raises(OverflowError):
            compute(key, timedelta.max if compute is plus else timedelta.min)


class Month:
    """A length that can be added, and neither compared nor subtracted."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __radd__(self, key: int) -> int:
        return key + 30 * self.count


def test_a_length_that_cannot_be_compared_is_taken_at_its_word() -> None:
    """Whether it is negative is for those to say who know what it is for."""
    assert plus(5, Month(1)) == 35
    assert plus(5, Month(-1)) == -25
    with pytest.raises(TypeError):
        minus(5, Month(1))
