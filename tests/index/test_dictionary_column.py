"""Dictionary-encoded columns, and what is done with them: sorting rows, against `sorted`, and the like."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, groupby, pairwise
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.index import dictionary_column
from bookcore.index.dictionary_column import (
    DictionaryColumn,
    are_below,
    dictionary_encode,
    has_overlap,
    is_ascending,
    places_in,
    run_bounds,
    sort_rows,
    take,
)
from bookcore.index.lanes import sorted_lanes

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

TOP = (1 << 32) - 1


def check_sorted(owners: list[int], ranks: list[int], ends: list[int], code: str, rank_count: int) -> None:
    """Fail unless `sort_rows` gives all rows by owner, then rank, with what is theirs."""
    found = sort_rows(array("I", owners), array(code, ranks), array(code, ends), rank_count)
    rows, *columns = map(list, found)
    assert [*zip(*columns[:2], rows, strict=True)] == sorted(zip(owners, ranks, range(len(owners)), strict=True))
    assert columns == [[column[row] for row in rows] for column in (owners, ranks, ends)]
    assert [column.typecode for column in found[1:]] == ["I", code, code]


def test_columns_that_are_in_order_are_not_sorted_again() -> None:
    """They are what is returned, and the rows are numbered from 0."""
    columns = array("I", [0, 0, 2, 2]), array("H", [1, 4, 0, 0]), array("H", [3, 5, 0, 1])
    rows, *found = sort_rows(*columns, 6)
    assert list(rows) == [0, 1, 2, 3]
    assert all(one is given for one, given in zip(found, columns, strict=True))


@pytest.mark.parametrize(("rank_count", "packed"), [(1 << 28, True), ((1 << 28) + 1, False)])
def test_rows_are_sorted_as_one_number_each_if_that_has_61_bits(
    rank_count: int, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1 for the row, 32 for the owner, and 28 for the rank; with one bit more they are sorted by a key."""
    sorting = Mock(side_effect=sorted_lanes)
    monkeypatch.setattr(dictionary_column, "sorted_lanes", sorting)
    check_sorted([TOP, 0], [0, rank_count - 1], [1, rank_count - 1], "I", rank_count)
    check_sorted([TOP, TOP], [rank_count - 1, 0], [rank_count - 1, 1], "I", rank_count)
    assert sorting.call_count == (2 if packed else 0)


def numbers(most: int) -> Any:
    """Return numbers up to *most*, the edges of bytes among them."""
    near = [n for n in (0, 1, 254, 255, 256, 65535, 65536, (1 << 24) - 1, 1 << 24, most - 1, most) if 0 <= n <= most]
    return st.one_of(st.sampled_from(near), st.integers(0, most))


@pytest.mark.parametrize("code", ["H", "I"])
@pytest.mark.parametrize("most", [0, 1, 255, 256, 65_535, 65_536, 1 << 24, 125 << 24, 126 << 24, TOP])
@settings(max_examples=MOST // 2)
@given(data=st.data())
def test_rows_are_sorted_as_sorted_does(code: str, most: int, data: st.DataObject) -> None:
    """Whatever the width of the numbers, the highest included."""
    highest = min(most, 65_535 if code == "H" else TOP)
    row = st.tuples(numbers(most), numbers(highest), numbers(highest))
    owners, ranks, ends = map(list, zip(*data.draw(st.lists(row, min_size=1, max_size=300)), strict=True))
    check_sorted(owners, ranks, ends, code, max(*ranks, *ends) + 1)
    check_sorted(owners, ranks, ends, code, highest + 1)


@pytest.mark.parametrize(
    ("owners", "keys"),
    [
        *((owners, 8_760) for owners in (1, 63, 64, 65, 1_000, 65_537, 300_007)),
        *((owners, keys) for keys in (2, 65_536, 70_000) for owners in (1, 64, 300_007)),
    ],
)
def test_many_rows_are_sorted_as_sorted_does(owners: int, keys: int) -> None:
    """Whether there are more rows than owners or fewer, and whether ranks take two bytes or more."""
    count = 70_000
    whose = [row * 7_919 % owners for row in range(count)]
    ranks, ends = ([row * prime % keys for row in range(count)] for prime in (104_729, 1_299_709))
    check_sorted(whose, ranks, ends, "H" if keys <= 65_536 else "I", keys)


@given(st.lists(st.sampled_from([0, 1, 2, 255, 256, 65_536, (1 << 31) - 1]), min_size=1, max_size=40), st.sampled_from("IQ"))
def test_runs_are_what_groupby_finds(numbers: list[int], code: str) -> None:
    """Where each begins and the last ends, with numbers that differ in any of their bytes."""
    lengths = [len(list(same)) for _, same in groupby(numbers)]
    assert run_bounds(array(code, numbers)) == list(accumulate(lengths, initial=0))


@given(st.sampled_from("BHI"), st.lists(st.sampled_from([0, 1, 2, 127, 128, 255]), max_size=9), st.data())
def test_numbers_below_a_limit_and_in_order_are_told(code: str, numbers: list[int], data: st.DataObject) -> None:
    """In arrays of each width and in bytes, with limits that are among the numbers and past the highest of that width."""
    limit = data.draw(st.sampled_from([0, 1, 128, 255, 256, 65_535, 65_536, 1 << 32, 1 << 40]))
    right = all(number < limit for number in numbers)
    assert are_below(array(code, numbers), limit) == are_below(bytes(numbers), limit) == right
    assert is_ascending(array(code, numbers)) == (sorted(numbers) == numbers)


@given(st.lists(st.lists(st.tuples(numbers(1 << 16), numbers(3)), min_size=1, max_size=5), min_size=1, max_size=9))
def test_overlap_is_told_of_neighbours_of_one_owner_alone(owned: list[list[tuple[int, int]]]) -> None:
    """Touching overlaps where the end belongs to the span, and not where it does not; the highest ranks as well."""
    shift = (1 << 31) - (1 << 16) - 4 if len(owned) % 2 else 0
    spans = [sorted((shift + start, shift + start + length) for start, length in one) for one in owned]
    bounds = list(accumulate(map(len, spans), initial=0))
    starts, ends = (array("I", [span[side] for one in spans for span in one]) for side in (0, 1))
    pairs = [pair for one in spans for pair in pairwise(one)]
    assert has_overlap(False, starts, ends, bounds) == any(later[0] < earlier[1] for earlier, later in pairs)
    assert has_overlap(True, starts, ends, bounds) == any(later[0] <= earlier[1] for earlier, later in pairs)


@given(st.lists(st.integers(0, 9), max_size=60), st.lists(st.integers(0, 9), max_size=60))
def test_columns_are_encoded_unless_values_hardly_repeat(first: list[int], second: list[int]) -> None:
    """One table, in order, for all columns; at most half of a column's length on the average."""
    distinct = sorted({*first, *second})
    found = dictionary_encode(first, second)
    if len(distinct) > (len(first) + len(second)) // 4:
        assert found is None
    else:
        assert found is not None and list(map(list, found)) == [first, second]
        assert found[0].table is found[1].table and found[0].table == distinct


def test_values_that_do_not_suit_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked about a part at a time: a list among numbers has no hash."""
    monkeypatch.setattr(dictionary_column, "_ENCODED", 4)
    asked: list[Any] = []

    def suits(part: Sequence[Any]) -> bool:
        asked.extend(part)
        return set(map(type, part)) == {int}

    numbers: list[Any] = [7, 8, 7, 8] * 3
    assert dictionary_encode(numbers, numbers, suits=suits) is not None and asked == numbers * 2
    assert dictionary_encode(numbers, [*numbers, []], suits=suits) is None


def test_an_encoded_column_reads_like_a_list() -> None:
    """Items, slices, length, iteration and how many there are of each."""
    column = DictionaryColumn("bac", array("B", [0, 1, 0, 0, 2]))
    assert list(column) == ["b", "a", "b", "b", "c"] and len(column) == 5
    assert column[1] == "a" and list(column[3:]) == ["b", "c"]
    assert column.tally() == {0: 3, 1: 1, 2: 1}


@given(values=st.lists(st.integers(), min_size=1), data=st.data())
def test_take_is_one_lookup_for_each_place(values: list[int], data: st.DataObject) -> None:
    """Of none, of one and of many; from a sequence and from a mapping."""
    places = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=5))
    assert take(values, places) == tuple(values[place] for place in places)
    assert take(dict(enumerate(values)), places) == tuple(values[place] for place in places)


def test_a_value_that_is_not_equal_to_itself_is_not_encoded() -> None:
    """No table can find a NaN again that is another object each time that it is read."""
    assert dictionary_encode(array("d", [1.0] * 20 + [float("nan")]), array("d", [1.0] * 20)) is None


@pytest.mark.parametrize("places", [[0, 3], [-1, 0]])
def test_check_finds_a_place_beyond_the_table(places: list[int]) -> None:
    """On either side; and a tally that is not that of the places."""
    DictionaryColumn("abc", [0, 2]).check()
    with pytest.raises(AssertionError, match="place"):
        DictionaryColumn("abc", places).check()
    column = DictionaryColumn("abc", [0, 2])
    column.set_tally({0: 1, 1: 1})
    with pytest.raises(AssertionError, match="tally"):
        column.check()


class Equal:
    """Equal to all of its kind, and hashed alike."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)

    def __hash__(self) -> int:
        return 1


@pytest.mark.parametrize("kind", [object, Equal])
def test_places_are_found_by_identity_and_not_where_something_is_gone(kind: Any) -> None:
    """Equal things are told apart; None, and what is not there, is refused."""
    table = [kind(), None, kind(), None, kind()]
    assert list(places_in(table, [table[4], table[0], table[4]])) == [4, 0, 4]
    assert list(places_in(table, [])) == []
    for stranger in (kind(), None):
        with pytest.raises(KeyError):
            places_in(table, [table[0], stranger])
