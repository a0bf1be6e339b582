"""`SequenceTable` against a dict, and how small it stays."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.index.sequence_table import SIZE, SequenceTable

KEYS = st.one_of(st.integers(0, 40), st.integers(SIZE - 3, SIZE + 3))


@given(steps=st.lists(st.tuples(st.sampled_from(["put", "pop"]), KEYS, st.integers(0, 2**32 - 2)), max_size=8))
def test_a_table_agrees_with_a_dict(steps: list[tuple[str, int, int]]) -> None:
    """Puts and removals in any order, at the border of two parts as well."""
    table, model = SequenceTable(), dict[int, int]()
    for what, key, value in steps:
        if what == "put":
            table[key] = model[key] = value
        elif key in model:
            assert table.pop(key) == model.pop(key)
        else:
            with pytest.raises(KeyError):
                table.pop(key)
        table.check()
        assert list(table) == sorted(model)
        assert len(table) == len(model)
        assert bool(table) is bool(model)
        assert [table.get(key) for key in (key, key + 1)] == [model.get(key), model.get(key + 1)]
        assert (key in table) is (key in model)


@pytest.mark.parametrize("kind", [list, tuple, bytes, lambda values: array("I", values), lambda values: array("B", values)])
@pytest.mark.parametrize("first", [1, SIZE - 2])
@pytest.mark.parametrize("count", [1, 4, 5, 8])
def test_many_values_go_under_consecutive_keys(kind: Any, first: int, count: int) -> None:
    """Whatever sequence holds them: bytes are numbers, and not the memory of others."""
    table = SequenceTable()
    table.put_range(first, kind([3 * at for at in range(count)]))
    table.check()
    assert [(key, table[key]) for key in table] == [(first + at, 3 * at) for at in range(count)]


def test_what_is_put_and_removed_in_turn_leaves_nothing_behind() -> None:
    """Two hundred thousand keys later there is no more than before."""
    table = SequenceTable()
    for key in range(200_000):
        table[key] = 7
        table.pop(key)
    assert not table.parts
    assert not table.empty
