"""`SequenceTable` against a dict, and how small it stays."""

from __future__ import annotations

import gc
import sys
from array import array
from collections.abc import Callable
from functools import partial
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


@pytest.mark.parametrize("left", range(8))
@pytest.mark.parametrize("first", [1, SIZE - 3])
def test_a_range_follows_what_is_left_of_keys_that_were_removed(first: int, left: int) -> None:
    """A change that is undone gives its numbers back: the next range begins before the end of what was."""
    table = SequenceTable()
    table.put_range(first, range(8))
    for key in range(first + left, first + 8):
        table.pop(key)
        table.check()
    table.put_range(first + left, [100, 200, 300])
    table.check()
    rest = [(first + at, at) for at in range(left)]
    assert [(key, table[key]) for key in table] == [*rest, *enumerate([100, 200, 300], first + left)]
    assert len(table) == left + 3


@pytest.mark.parametrize("others", [[], [3]])
@given(keys=st.lists(st.integers(0, 5 * SIZE), min_size=1, max_size=60, unique=True), shift=st.sampled_from([4, 1 << 40]))
def test_many_keys_are_put_as_one_by_one(others: list[int], keys: list[int], shift: int) -> None:
    """In any order, near to each other and far apart, beside others or alone."""
    keys = [shift + key for key in keys]
    one, many = SequenceTable(), SequenceTable()
    for key in others:
        one[key] = many[key] = 9
    for key in keys:
        one[key] = key & 255
    many.put_all(keys, [key & 255 for key in keys], max(keys))
    many.check()
    assert [(key, many[key]) for key in many] == [(key, one[key]) for key in one]
    many[max(keys) + 1] = 1
    many.pop(keys[0])
    many.check()


def lines_run(call: Callable[[], Any]) -> int:
    """Count the lines of Python that a call runs.

    The garbage collector, which may be due within the call, runs functions of Hypothesis that are no part of it.
    """
    count = 0

    def step(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return step

    before, collects = sys.gettrace(), gc.isenabled()
    gc.disable()
    sys.settrace(step)
    try:
        call()
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()
    return count


@pytest.mark.parametrize("key", [5, SIZE // 2, SIZE - 1, SIZE, SIZE + 5, 50 * SIZE - 1])
@pytest.mark.parametrize("others", [[], [0], [0, 1, SIZE]], ids=["alone", "beside the oldest", "beside others"])
def test_a_key_costs_the_same_however_many_came_before(key: int, others: list[int]) -> None:
    """Few bookings are active at a time, each is removed before the next, and no place is walked over again."""
    table = SequenceTable()
    for other in others:
        table[other] = 1
    assert lines_run(partial(table.__setitem__, key, 7)) < 20
    assert lines_run(partial(table.pop, key)) < 20


def test_what_is_put_and_removed_in_turn_leaves_nothing_behind() -> None:
    """A hundred parts later there is no more than before."""
    table = SequenceTable()
    for key in range(100 * SIZE):
        table[key] = 7
        table.pop(key)
    assert not table.parts
    assert not table.empty
