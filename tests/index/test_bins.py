"""Columns in bins against columns in leaves: the same entries, the same answers, cut and changed alike."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bookcore.index.column import Column
from bookcore.index.posting_column import PostingColumn, grouped, well_binned
from bookcore.testing import small_sizes

SIZES = st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any)
KEYS = st.integers(-1, 30)


def both(sizes: list[int], holds_low: bool) -> tuple[PostingColumn, Column]:
    """Return the same entries in either form: so many ordinals at each even key."""
    pairs = [(2 * at, 100 * at + more) for at, size in enumerate(sizes) for more in range(size)]
    keys, numbers = [key for key, _ in pairs], [number for _, number in pairs]
    leaves = Column(holds_low)
    leaves.fill(keys, numbers)
    return PostingColumn(holds_low, grouped(keys, numbers)), leaves


def same(one: Any, other: Any) -> None:
    """Hold two columns to be sound and to hold the same."""
    one.check()
    other.check()
    assert one.count == other.count
    assert sorted(zip(*one.flat(), strict=True)) == sorted(zip(*other.flat(), strict=True))
    assert sorted(one.numbers()) == sorted(other.numbers())


@given(sizes=SIZES, holds_low=st.booleans(), low=KEYS, high=KEYS, sides=st.tuples(st.booleans(), st.booleans()))
def test_both_forms_give_the_same_answers(
    sizes: list[int], holds_low: bool, low: int, high: int, sides: tuple[bool, bool]
) -> None:
    """Before, after, between, from a key on, and as bits."""
    with small_sizes():
        bins, leaves = both(sizes, holds_low)
        same(bins, leaves)
        for inclusive in (False, True):
            assert sorted(bins.before(low, inclusive)) == sorted(leaves.before(low, inclusive))
            assert sorted(bins.after(low, inclusive)) == sorted(leaves.after(low, inclusive))
        if low < high:
            assert sorted(bins.between(low, high, *sides)) == sorted(leaves.between(low, high, *sides))
        found = [pair for pairs in bins.pairs_from(low) for pair in pairs]
        assert found == sorted(found)
        assert {pair for pair in found if pair[0] >= low} == {
            pair for pairs in leaves.pairs_from(low) for pair in pairs if pair[0] >= low
        }
        bits = bytearray(200), bytearray(200)
        bins.toggle(bits[0])
        leaves.toggle(bits[1])
        assert bits[0] == bits[1]


@given(sizes=SIZES, holds_low=st.booleans(), cut=KEYS, new=st.lists(st.tuples(KEYS, st.integers(0, 9)), max_size=9))
def test_both_forms_are_cut_and_changed_alike(
    sizes: list[int], holds_low: bool, cut: int, new: list[tuple[int, int]]
) -> None:
    """Entries come and go; a cut leaves what lies left of it and hands out the rest."""
    with small_sizes():
        bins, leaves = both(sizes, holds_low)
        for at, (key, gone) in enumerate(new):
            number = 5_000 + at
            place = bins.leaf_of(key)
            fresh = bins.insert(place, key, number)
            assert (fresh is not None) is (place % 2 == 1)
            leaves.insert(leaves.leaf_of(key), key, number)
            keys, numbers = leaves.flat()
            key, number = keys[gone % len(keys)], numbers[gone % len(keys)]
            empty = bins.delete(bins.leaf_of(key), bins.find(bins.leaf_of(key), key, number), number)
            assert (empty is not None) is (keys.count(key) == 1)
            place = leaves.leaf_of(key)
            leaves.delete(place, leaves.find(place, key, number), number)
            same(bins, leaves)
        if bins.count:
            middle = bins.middle()
            assert (middle is None) is (len(set(leaves.flat()[0])) == 1)
        for one, other in zip(bins.cut(bins.right_of(cut)), leaves.cut(leaves.right_of(cut)), strict=True):
            same(one, other)
            assert len(set(one.keys)) == len(one.keys)


def test_only_keys_that_repeat_and_can_be_looked_up_are_put_in_bins() -> None:
    """So many ordinals to a key, of one type whose equals may stand for each other."""
    with small_sizes(OFTEN=4):
        assert well_binned([1] * 4 + [2] * 4)
        assert not well_binned([1] * 4 + [2] * 3)
        assert not well_binned([1.0] * 8)
        assert not well_binned([True] * 4 + [2] * 4)
