"""The attribute index and the bitmaps under it, against plain dictionaries and sets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import KeyTypeError, QueryError
from bookcore.attributes import MISSING, AttributeIndex
from bookcore.bitmap import Bitmap, first_ordinals, from_ordinals, ordinals, pick
from bookcore.testing import small_sizes
from bookcore.testing.families import OnlyLess

STEPS = st.lists(st.tuples(st.integers(0, 40), st.none() | st.integers(0, 9)), max_size=120)
ENDS = st.none() | st.integers(-1, 10)


@pytest.mark.parametrize("limit", [2, 4, 1024])
@given(steps=STEPS, ranges=st.lists(st.tuples(ENDS, ENDS), max_size=5), chosen=st.sets(st.integers(0, 40)))
def test_an_index_agrees_with_a_dictionary(limit: int, steps: Any, ranges: Any, chosen: set[int]) -> None:
    """Values come, change and go; ranges, single values and the order follow."""
    with small_sizes(LIMIT=limit):
        index = AttributeIndex("value", lambda resource: resource)
        held: dict[int, int] = {}
        for number, value in steps:
            index.discard(number)
            held.pop(number, None)
            if value is not None:
                index.put(number, value)
                held[number] = value
            index.check()
        for low, high in ranges:
            right = {n for n, v in held.items() if (low is None or low <= v) and (high is None or v <= high)}
            assert set(ordinals(index.between(low, high))) == right
        for value in range(-1, 11):
            assert set(ordinals(index.one_of([value]))) == {n for n, v in held.items() if v == value}
        assert set(ordinals(index.one_of([1, 1, None, 99, 3]))) == {n for n, v in held.items() if v in (1, 3)}
        for numbers in (chosen, set(range(41))):
            in_order = sorted(numbers, key=lambda n: (n not in held, held.get(n, 0), n))
            assert list(index.in_order(from_ordinals(numbers, 41))) == in_order


def test_values_are_compared_with_less_than_alone() -> None:
    """Equal values are those of which neither is less; they need no hash."""
    with small_sizes():
        index = AttributeIndex("value", OnlyLess)
        for number in range(30):
            index.put(number, OnlyLess(number % 7))
        assert list(ordinals(index.between(OnlyLess(2), OnlyLess(3)))) == [n for n in range(30) if n % 7 in (2, 3)]
        assert list(ordinals(index.one_of([OnlyLess(6)]))) == [6, 13, 20, 27]
        assert list(index.in_order((1 << 30) - 1)) == sorted(range(30), key=lambda n: (n % 7, n))


@pytest.mark.parametrize("missing", [None, float("nan"), AttributeError, KeyError, IndexError])
def test_a_resource_without_a_value_is_missing(missing: Any) -> None:
    """None, NaN, and a key that raises AttributeError or a lookup error."""

    def key(resource: Any) -> Any:
        if isinstance(missing, type):
            raise missing
        return missing

    assert AttributeIndex("value", key).value_of(object()) is MISSING


def test_a_key_that_fails_and_values_without_an_order_are_refused() -> None:
    """Both are errors of ours, and name the index."""
    index = AttributeIndex("value", lambda resource: 1 // resource)
    with pytest.raises(QueryError, match="value"):
        index.value_of(0)
    index.put(0, 5)
    with pytest.raises(KeyTypeError, match="value"):
        index.admit("text")
    with pytest.raises(KeyTypeError):
        index.between("a", "b")
    with pytest.raises(KeyTypeError):
        index.one_of([object()])


@given(numbers=st.sets(st.integers(0, 300)), more=st.sets(st.integers(0, 300)), steps=st.lists(st.integers(0, 300)))
def test_a_bitmap_is_a_set_of_small_numbers(numbers: set[int], more: set[int], steps: list[int]) -> None:
    """Made at once or number by number; `int` operators are those of sets."""
    bits = from_ordinals(numbers, 301)
    assert set(ordinals(bits)) == numbers
    assert list(ordinals(bits)) == list(first_ordinals(bits)) == sorted(numbers)
    assert list(first_ordinals(bits << 4090)) == [4090 + number for number in sorted(numbers)]
    assert list(ordinals(bits & from_ordinals(more, 301))) == sorted(numbers & more)
    assert pick(bits, range(301)) == sorted(numbers)
    bitmap, right = Bitmap(), set[int]()
    for number in steps:
        if number in right:
            bitmap.discard(number)
            right.discard(number)
        else:
            bitmap.add(number)
            right.add(number)
        assert (number in bitmap) is (number in right)
    assert list(ordinals(bitmap.value())) == sorted(right)
    assert bitmap.value() == bitmap.value()
