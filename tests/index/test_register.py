"""`IdTable`: what a dict would say, whatever the ids."""

from __future__ import annotations

from sys import hash_info
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore import BookingEvent
from bookcore.index.id_table import IdTable

IDS = st.one_of(st.integers(), st.integers(0, 200_000), st.text(max_size=3), st.tuples(st.integers(), st.text(max_size=2)))


@given(ids=st.lists(IDS, unique=True, max_size=30), gone=st.sets(st.integers(0, 29)), asked=st.lists(IDS, max_size=5))
def test_it_does_what_a_dict_does(ids: list[Any], gone: set[int], asked: list[Any]) -> None:
    """Set, get, delete, count, iterate."""
    register, model = IdTable(), {}
    for at, id in enumerate(ids):
        register[id] = model[id] = BookingEvent("room", at, at + 1)
    for at in gone:
        if at < len(ids):
            del register[ids[at]], model[ids[at]]
    assert len(register) == len(model) and bool(register) == bool(model)
    assert set(register.values()) == set(model.values())
    assert set(register) == set(model)
    for one in [*ids, *asked]:
        assert (one in register) == (one in model)
        assert register.get(one) is model.get(one)
    assert register.isdisjoint(asked) == model.keys().isdisjoint(asked)
    register.check()


@settings(max_examples=20)
@given(first=st.sampled_from([1, 5, 65_530, 65_536, 4_194_300]), count=st.integers(1, 140_000))
def test_many_at_once_fall_where_each_belongs(first: int, count: int) -> None:
    """Consecutive ids go in by slices, across the bounds of parts, and come out in order."""
    event = BookingEvent("room", 1, 2)
    register = IdTable()
    ids = list(range(first, first + count))
    register.put_all(ids, [event] * count)
    assert len(register) == count
    assert first in register and first + count - 1 in register and first + count not in register
    if first + count < 64 << 16:
        assert list(register) == ids
    register.check()


@pytest.mark.parametrize("sign", [1, -1])
def test_ids_that_are_not_their_own_hashes_are_found_again(sign: int) -> None:
    """A hash is a number modulo 2**61 - 1, or another prime."""
    register = IdTable()
    ids = sorted(sign * (hash_info.modulus - 20 + at) for at in range(40))
    register.put_all(ids, [BookingEvent("room", 1, 2)] * 40)
    assert all(id in register for id in ids)
    register.check()


def test_other_ids_at_once() -> None:
    """Ids that are not consecutive go in one by one."""
    events = [BookingEvent("room", at, at + 1) for at in range(4)]
    register = IdTable()
    ids = ["a", 7, (1, "b"), 70_000]
    register.put_all(ids, events)
    assert [register[id] for id in ids] == events
    register.check()
    register.clear()
    assert not register and list(register) == [] and "a" not in register
    register.put_all(ids, events)
    assert len(register) == 4
