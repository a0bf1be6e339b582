"""Columns as one integer, against loops over their numbers."""

from __future__ import annotations

from array import array
from sys import byteorder
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.index import lanes
from bookcore.index.lanes import BITS, count_below, field, lanes_of, most_bits, ones, sorted_lanes, widened
from bookcore.testing.cutting import instructions


@given(st.sampled_from("BHI"), st.lists(st.integers(0, 255), max_size=20))
def test_a_column_comes_back_from_its_lanes(code: str, numbers: list[int]) -> None:
    """Row by row, whatever the width of the array."""
    column = array(code, numbers)
    assert lanes_of(column) == sum(number << 64 * row for row, number in enumerate(numbers))
    assert field(lanes_of(column), len(column), 0, 8, code) == column
    assert ones(len(numbers)) == sum(1 << 64 * row for row in range(len(numbers)))


@given(st.sampled_from("BHIQ"), st.lists(st.integers(0, 255), max_size=20), st.sampled_from([0, 1, 255, 1 << 40]))
def test_a_widened_column_has_eight_bytes_a_row(code: str, numbers: list[int], added: int) -> None:
    """Each number is there, with what is added to it."""
    assert widened(array(code, numbers), added) == array("q", [number + added for number in numbers])


@given(st.sampled_from("BHI"), st.data())
def test_numbers_below_others_are_counted(code: str, data: st.DataObject) -> None:
    """The highest ones as well, which leave no bit free, and where the last part has few rows."""
    bits = 8 * array(code).itemsize
    numbers = st.sampled_from([0, 1, 2, (1 << bits - 1) - 1, 1 << bits - 1, (1 << bits) - 1])
    rows = data.draw(st.lists(st.tuples(numbers, numbers), max_size=12))
    rows = rows * data.draw(st.sampled_from([1, lanes.ROWS // 7]))
    low, high = (array(code, [row[side] for row in rows]) for side in (0, 1))
    assert count_below(low, high) == sum(one < other for one, other in rows)


@given(st.sampled_from("BHIQq"), st.lists(st.integers(0, 127), max_size=12), st.data())
def test_as_many_bits_as_the_highest_number_has(code: str, numbers: list[int], data: st.DataObject) -> None:
    """Wherever it is, with none and with more rows than are read together."""
    highest = (1 << 8 * array(code).itemsize - code.islower()) - 1
    more = data.draw(st.lists(st.integers(0, highest), max_size=2))
    numbers = numbers * data.draw(st.sampled_from([1, lanes.ROWS // 7])) + more
    assert most_bits(array(code, numbers)) == max(numbers, default=0).bit_length()


@pytest.mark.parametrize("count", [0, 3, 3 * lanes.ROWS])
def test_bits_are_measured_without_a_step_for_each_row(count: int) -> None:
    """Nor for each row that could be read together: what a calendar of few bookings holds is measured many times."""
    column = array("I", range(count))
    assert sum(each.times for each in instructions(lambda: most_bits(column))) < 200


@given(st.lists(st.tuples(st.integers(0, (1 << 29) - 1), st.integers(0, (1 << 32) - 1)), max_size=30))
def test_lanes_are_sorted_by_their_upper_field_first(rows: list[tuple[int, int]]) -> None:
    """With the highest and the lowest numbers, of which the floats would be denormal, 0 or infinite."""
    rows = [*rows, (0, 0), (0, 1), ((1 << 29) - 1, (1 << 32) - 1), ((1 << 29) - 1, 0)]
    upper, lower = (lanes_of(array("I", column)) for column in zip(*rows, strict=True))
    found = sorted_lanes(upper << 32 | lower, len(rows))
    columns = field(found, len(rows), 32, BITS - 32, "I"), field(found, len(rows), 0, 32, "I")
    assert list(zip(*columns, strict=True)) == sorted(rows)


@pytest.mark.parametrize("is_big", [False, True])
def test_the_order_of_bytes_in_memory_makes_no_difference(is_big: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of a machine with the other order is swapped on its way in, and on its way out."""
    monkeypatch.setattr(lanes, "_BIG_ENDIAN", is_big)
    column: Any = array("Q", [7, 0x01020304])
    given = array("Q", column)
    if is_big != (byteorder == "big"):
        given.byteswap()
    assert lanes._from_array(given) == 7 | 0x01020304 << 64
    found = lanes._to_array("Q", 7 | 0x01020304 << 64, 2)
    if is_big != (byteorder == "big"):
        found.byteswap()
    assert found == column
