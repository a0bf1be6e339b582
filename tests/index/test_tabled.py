"""Columns told by a table: arranging rows, against `sorted`."""

from __future__ import annotations

from array import array
from itertools import accumulate, groupby, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bookcore.index.dictionary_column as module
from bookcore.index.dictionary_column import DictionaryColumn, arranged, overlap, places_in, runs, tabled

TOP = (1 << 32) - 1


def check_arranged(owners: list[int], ranks: list[int], ends: list[int], code: str, most: tuple[int, int]) -> None:
    """Fail unless `arranged` gives all rows by owner, then rank, with what is theirs."""
    found = arranged(array("I", owners), array(code, ranks), array(code, ends), most)
    rows, *columns = map(list, found)
    assert sorted(rows) == list(range(len(owners)))
    assert columns == [[column[row] for row in rows] for column in (owners, ranks, ends)]
    assert sorted(zip(owners, ranks, strict=True)) == list(zip(*columns[:2], strict=True))


def numbers(most: int) -> Any:
    """Return numbers up to *most*, the edges of bytes among them."""
    near = [n for n in (0, 1, 254, 255, 256, 65535, 65536, (1 << 24) - 1, 1 << 24, most - 1, most) if 0 <= n <= most]
    return st.one_of(st.sampled_from(near), st.integers(0, most))


@pytest.mark.parametrize("code", ["H", "I"])
@pytest.mark.parametrize("most", [0, 1, 255, 256, 65_535, 65_536, 1 << 24, 125 << 24, 126 << 24, TOP])
@given(data=st.data())
def test_rows_are_arranged_as_sorted_does(code: str, most: int, data: st.DataObject) -> None:
    """Whatever the width of the numbers, the highest included."""
    highest = min(most, 65_535 if code == "H" else TOP)
    row = st.tuples(numbers(most), numbers(highest), numbers(highest))
    owners, ranks, ends = map(list, zip(*data.draw(st.lists(row, min_size=1, max_size=300)), strict=True))
    check_arranged(owners, ranks, ends, code, (max(owners), max(*ranks, *ends)))
    check_arranged(owners, ranks, ends, code, (most, highest))


@pytest.mark.parametrize("owners", [1, 63, 64, 65, 1_000, 65_537, 300_007])
@pytest.mark.parametrize("keys", [2, 8_760, 65_536, 70_000])
def test_many_rows_are_arranged_as_sorted_does(owners: int, keys: int) -> None:
    """So many that their own numbers take three bytes; with 70,000 keys the ends are looked up afterwards."""
    count = 70_000
    whose = [row * 7_919 % owners for row in range(count)]
    ranks, ends = ([row * prime % keys for row in range(count)] for prime in (104_729, 1_299_709))
    check_arranged(whose, ranks, ends, "H" if keys <= 65_536 else "I", (owners - 1, keys - 1))


@given(st.lists(st.sampled_from([0, 1, 2, 255, 256, 65_536, (1 << 31) - 1]), max_size=40), st.sampled_from("IQ"))
def test_runs_are_what_groupby_finds(numbers: list[int], code: str) -> None:
    """How often each stands in turn, the largest numbers included."""
    assert runs(array(code, numbers)) == [len(list(same)) for _, same in groupby(numbers)]


@given(st.lists(st.lists(st.tuples(numbers(1 << 16), numbers(3)), min_size=1, max_size=5), min_size=1, max_size=9))
def test_overlap_is_told_of_neighbours_of_one_owner_alone(owned: list[list[tuple[int, int]]]) -> None:
    """Touching overlaps where the end belongs to the span, and not where it does not; the highest ranks as well."""
    shift = (1 << 31) - (1 << 16) - 4 if len(owned) % 2 else 0
    spans = [sorted((shift + start, shift + start + length) for start, length in one) for one in owned]
    bounds = list(accumulate(map(len, spans), initial=0))
    starts, ends = (array("I", [span[side] for one in spans for span in one]) for side in (0, 1))
    pairs = [pair for one in spans for pair in pairwise(one)]
    assert overlap(False, starts, ends, bounds) == any(later[0] < earlier[1] for earlier, later in pairs)
    assert overlap(True, starts, ends, bounds) == any(later[0] <= earlier[1] for earlier, later in pairs)


@given(st.lists(st.integers(0, 9), max_size=60), st.lists(st.integers(0, 9), max_size=60))
def test_columns_are_tabled_unless_values_hardly_repeat(first: list[int], second: list[int]) -> None:
    """One table, in order, for all columns; at most half of a column's length on the average."""
    distinct = sorted({*first, *second})
    found = tabled(first, second)
    if len(distinct) > (len(first) + len(second)) // 4:
        assert found is None
    else:
        assert found is not None and list(map(list, found)) == [first, second]
        assert found[0].table is found[1].table and found[0].table == distinct


def test_a_tabled_column_reads_like_a_list() -> None:
    """Items, slices, length, iteration and how many there are of each."""
    column = DictionaryColumn("bac", array("B", [0, 1, 0, 0, 2]))
    assert list(column) == ["b", "a", "b", "b", "c"] and len(column) == 5
    assert column[1] == "a" and list(column[3:]) == ["b", "c"]
    assert column.tally() == {0: 3, 1: 1, 2: 1}


def test_a_machine_of_the_other_order_of_bytes_gets_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays are turned around on the way in and on the way out, and nowhere else."""
    column = array("I", [1, 258, 1 << 24])
    plain = module._bytes(column)
    monkeypatch.setattr(module, "_SWAP", not module._SWAP)
    turned = module._bytes(column)
    assert turned == b"".join(plain[at : at + 4][::-1] for at in (0, 4, 8))
    assert module._array("I", turned) == column and column == array("I", [1, 258, 1 << 24])


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
