"""A column against a list of pairs: changed entry by entry or built at once, uniform or not, it gives the same answers."""

from __future__ import annotations

import gc
from array import array

from hypothesis import given
from hypothesis import strategies as st

from bookcore.index.bitmap import ordinals
from bookcore.index.column import Column, Ordinals

PAIRS = st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any)
KEYS = st.integers(-1, 30)
WAYS = st.sampled_from(["sorted", "lists", "entries", "at once"])
Pair = tuple[int, int]


def pairs_of(sizes: list[int]) -> list[Pair]:
    """Return so many ordinals at each even key."""
    return [(2 * at, 100 * at + more) for at, size in enumerate(sizes) for more in range(size)]


def filled(pairs: list[Pair], way: str) -> Column:
    """Return a column of sorted pairs, built at once, key by key, or entry by entry."""
    if way == "sorted":
        return Column([key for key, _ in pairs], [number for _, number in pairs])
    column = Column()
    shuffled = sorted(pairs, key=lambda pair: pair[1] * 37 % 101)
    if way == "lists":
        keys = sorted({-5, 99, *(key for key, _ in pairs)})  # two of them without an entry
        column.fill_lists(keys, [array("I", [number for own, number in pairs if own == key]) for key in keys])
    elif way == "at once":
        column.insert_all([item for pair in shuffled for item in pair])
    else:
        for key, number in shuffled:
            column.insert(column.place_for(key), key, number)
    return column


def listed(found: Ordinals) -> list[int]:
    """Return the ordinals of an answer, in order."""
    numbers, bitmaps = found
    return sorted([*numbers, *(number for bits in bitmaps for number in ordinals(bits))])


def holds(column: Column, pairs: list[Pair]) -> None:
    """Check a column, and that it holds just these pairs."""
    column.check()
    assert sorted(zip(column.keys, column.numbers, strict=True)) == sorted(pairs)
    assert len(column) == len(pairs)
    assert listed(column.every()) == sorted(number for _, number in pairs)


def answers(column: Column, pairs: list[Pair], low: int, high: int) -> None:
    """Check what a column answers about two keys."""
    for inclusive in (False, True):
        found = column.before(high, inclusive), column.after(low, inclusive), column.between(low, high, inclusive)
        right = [
            [n for key, n in pairs if key < high or (inclusive and key == high)],
            [n for key, n in pairs if key > low or (inclusive and key == low)],
            [n for key, n in pairs if low < key < high or (inclusive and low <= key <= high)],
        ]
        assert [listed(each) for each in found] == [sorted(each) for each in right]


@given(PAIRS, WAYS, KEYS, KEYS, st.data())
def test_a_column_answers_as_its_pairs_do_while_entries_go(
    sizes: list[int], way: str, low: int, high: int, data: st.DataObject
) -> None:
    """However it was built, and whichever entries are removed from it."""
    pairs = pairs_of(sizes)
    column = filled(pairs, way)
    low, high = min(low, high), max(low, high)
    while pairs:
        holds(column, pairs)
        answers(column, pairs, low, high)
        key, number = pairs.pop(data.draw(st.integers(0, len(pairs) - 1)))
        column.delete(column.find(key, number))
    holds(column, [])


@given(PAIRS, WAYS, st.booleans())
def test_a_column_is_cut_with_entries_on_both_sides_and_joined_again(sizes: list[int], way: str, holds_low: bool) -> None:
    """At a key near its middle; where all keys are equal there is none."""
    pairs = pairs_of(sizes)
    column = filled(pairs, way)
    head = column.middle(holds_low)
    if head is None:
        assert len({key for key, _ in pairs}) == 1
        return
    left = [pair for pair in pairs if pair[0] < head or (pair[0] == head and not holds_low)]
    right = [pair for pair in pairs if pair not in left]
    assert left
    assert right
    other = column.cut(len(left))
    holds(column, left)
    holds(other, right)
    column.join(other)
    holds(column, pairs)


@given(st.integers(1, 20), st.integers(0, 30), st.integers(-1, 1), st.booleans(), st.data())
def test_a_uniform_column_answers_from_its_bitmap_until_another_key_comes(
    size: int, more: int, side: int, together: bool, data: st.DataObject
) -> None:
    """Ordinals of its own key are added to the bitmap; with another key it is a column like others."""
    pairs = [(10, number) for number in range(size)]
    column = filled(pairs, "sorted")
    column.make_uniform()
    new = [(10, size + at) for at in range(more)] + [(10 + side, 99)]
    if together:
        column.insert_all([item for pair in new for item in pair])
    else:
        for key, number in new:
            column.insert(column.place_for(key), key, number)
    pairs += new
    assert (column.bits is not None) is (side == 0)
    holds(column, pairs)
    answers(column, pairs, 9, 10)
    answers(column, pairs, 10, 11)
    gone = data.draw(st.permutations(pairs))
    for key, number in gone:
        column.delete(column.find(key, number))
        pairs.remove((key, number))
        holds(column, pairs)


def test_an_ordinal_is_found_whose_bytes_also_lie_across_two_others() -> None:
    """The search goes by bytes: 1 after 256 is, in memory, a 65,536 between the two."""
    numbers = [256, 1, 65_536, 1 << 24, 257]
    column = Column([5] * 5, numbers)
    assert [column.find(5, number) for number in numbers] == [0, 1, 2, 3, 4]


def test_a_column_that_many_entries_were_put_into_costs_the_garbage_collector_nothing() -> None:
    """A full collection does not walk through its keys: not where it was filled at once, nor after it was cut and joined."""
    column = Column([3, 5, 7], [0, 1, 2])
    column.delete(column.find(5, 1))
    column.insert_all([4, 8, 5, 9, 6, 10])
    other = column.cut(2)
    columns = [column, other, filled(pairs_of([2, 3]), "lists"), Column([1, 2], [3, 4])]
    columns[-1].join(Column([3], [5]))
    gc.collect()
    assert [gc.is_tracked(each.keys) for each in columns] == [False] * 4
