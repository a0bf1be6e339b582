"""`IdTable`: what a dict would say, whatever the ids."""

from __future__ import annotations

from sys import hash_info
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.index.id_table import IdTable

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

IDS = st.one_of(st.integers(), st.integers(0, 200_000), st.text(max_size=3), st.tuples(st.integers(), st.text(max_size=2)))


@given(ids=st.lists(IDS, unique=True, max_size=30), gone=st.sets(st.integers(0, 29)), asked=st.lists(IDS, max_size=5))
def test_it_does_what_a_dict_does(ids: list[Any], gone: set[int], asked: list[Any]) -> None:
    """Set, get, delete, count, iterate."""
    table, model = IdTable[object](), dict[Any, object]()
    for id in ids:
        table[id] = model[id] = object()
    for at in gone:
        if at < len(ids):
            del table[ids[at]], model[ids[at]]
    assert len(table) == len(model) and bool(table) == bool(model)
    assert set(table) == set(model)
    for one in [*ids, *asked]:
        assert (one in table) == (one in model)
        assert table.get(one) is model.get(one)
        assert table.part_of(one).get(one) is model.get(one)
    assert table.isdisjoint(asked) == model.keys().isdisjoint(asked)
    table.check()


@settings(max_examples=MOST // 2)
@given(first=st.sampled_from([1, 5, 65_530, 65_536, 4_194_300]), count=st.integers(1, 140_000))
def test_many_at_once_fall_where_each_belongs(first: int, count: int) -> None:
    """Consecutive ids go in by slices, across the bounds of parts, and come out in order."""
    value = object()
    table = IdTable[object]()
    ids = list(range(first, first + count))
    table.put_all(ids, [value] * count)
    assert len(table) == count
    assert first in table and first + count - 1 in table and first + count not in table
    if first + count < 64 << 16:
        assert list(table) == ids
    table.check()


@pytest.mark.parametrize("sign", [1, -1])
def test_ids_that_are_not_their_own_hashes_are_found_again(sign: int) -> None:
    """A hash is a number modulo 2**61 - 1, or another prime."""
    table = IdTable[object]()
    ids = sorted(sign * (hash_info.modulus - 20 + at) for at in range(40))
    table.put_all(ids, [object()] * 40)
    assert all(id in table for id in ids)
    table.check()


def test_other_ids_at_once() -> None:
    """Ids that are not consecutive go in one by one."""
    values = [object() for at in range(4)]
    table = IdTable[object]()
    ids = ["a", 7, (1, "b"), 70_000]
    table.put_all(ids, values)
    assert [table[id] for id in ids] == values
    table.check()
    for id in ids:
        del table[id]
    assert not table and list(table) == [] and "a" not in table
    table.put_all(ids, values)
    assert len(table) == 4


def test_check_finds_an_id_in_a_part_that_is_not_its_own() -> None:
    """The parts are public, so a caller may have put an id into the wrong one."""
    table = IdTable[object]()
    table[70_000] = object()
    table.check()
    table.parts[0][70_001] = object()
    with pytest.raises(AssertionError, match="an id is in a part"):
        table.check()
