"""Columns told by a table: arranging rows, against `sorted`."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import tabled
from bookcore.tabled import Tabled, arranged, places_in

TOP = (1 << 32) - 1


def expected(owners: list[int], ranks: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Return the rows by owner, then rank, then as they stand, and both in that order."""
    rows = sorted(range(len(owners)), key=lambda row: (owners[row], ranks[row], row))
    return rows, [owners[row] for row in rows], [ranks[row] for row in rows]


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
    rows = data.draw(st.lists(st.tuples(numbers(most), numbers(highest)), min_size=1, max_size=300))
    owners, ranks = [owner for owner, _ in rows], [rank for _, rank in rows]
    found = arranged(array("I", owners), array(code, ranks), (max(owners), max(ranks)))
    assert tuple(map(list, found)) == expected(owners, ranks)
    found = arranged(array("I", owners), array(code, ranks), (most, highest))
    assert tuple(map(list, found)) == expected(owners, ranks)


def test_many_rows_are_arranged_as_sorted_does() -> None:
    """So many that their own numbers take three bytes."""
    count = 70_000
    owners = [row * 7_919 % 1_000 for row in range(count)]
    ranks = [row * 104_729 % 8_760 for row in range(count)]
    found = arranged(array("I", owners), array("H", ranks), (999, 8_759))
    assert tuple(map(list, found)) == expected(owners, ranks)


def test_a_tabled_column_reads_like_a_list() -> None:
    """Items, slices, length, iteration and how many there are of each."""
    column = Tabled("bac", array("B", [0, 1, 0, 0, 2]))
    assert list(column) == ["b", "a", "b", "b", "c"] and len(column) == 5
    assert column[1] == "a" and list(column[3:]) == ["b", "c"]
    assert column.tally() == {0: 3, 1: 1, 2: 1}


def test_a_machine_of_the_other_order_of_bytes_gets_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays are turned around on the way in and on the way out, and nowhere else."""
    column = array("I", [1, 258, 1 << 24])
    plain = tabled._bytes(column)
    monkeypatch.setattr(tabled, "_SWAP", not tabled._SWAP)
    turned = tabled._bytes(column)
    assert turned == b"".join(plain[at : at + 4][::-1] for at in (0, 4, 8))
    assert tabled._array("I", turned) == column and column == array("I", [1, 258, 1 << 24])


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
