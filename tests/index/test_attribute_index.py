"""The attribute index and the bitmaps under it, against plain dictionaries and sets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import KeyTypeError, QueryError
from bookcore.index.attribute_index import MISSING, AttributeIndex
from bookcore.index.bitmap import Bitmap, first_ordinals, from_ordinals, ordinals, pick
from bookcore.testing.families import OnlyLess


class Touchy:
    """A number that can be compared with ``<`` until patience is lost."""

    fails = False
    patience = 1 << 60

    def __init__(self, number: int) -> None:
        self.number = number

    def __lt__(self, other: Touchy) -> bool:
        Touchy.patience -= 1
        if self.fails or Touchy.patience < 0:
            raise ZeroDivisionError
        return self.number < other.number


STEPS = st.lists(st.tuples(st.integers(0, 40), st.none() | st.integers(0, 9)), max_size=120)
ENDS = st.none() | st.integers(-1, 10)


@pytest.mark.parametrize("limit", [2, 4, 1024])
@given(steps=STEPS, ranges=st.lists(st.tuples(ENDS, ENDS), max_size=5), chosen=st.sets(st.integers(0, 40)))
def test_an_index_agrees_with_a_dictionary(limit: int, steps: Any, ranges: Any, chosen: set[int]) -> None:
    """Values come, change and go; ranges, single values and the order follow."""
    index = AttributeIndex("value", lambda resource: resource, limit=limit)
    held: dict[int, int] = {}
    for number, value in steps:
        index.discard(number)
        held.pop(number, None)
        if value is not None:
            index.put(number, value)
            held[number] = value
        index.check()
        assert {n: v for n, v in index.values.items() if v is not MISSING} == held
    for low, high in ranges:
        right = {n for n, v in held.items() if (low is None or low <= v) and (high is None or v <= high)}
        assert set(ordinals(index.between(low, high))) == right
    for value in range(-1, 11):
        assert set(ordinals(index.one_of([value]))) == {n for n, v in held.items() if v == value}
    assert set(ordinals(index.one_of([1, 1, None, 99, 3]))) == {n for n, v in held.items() if v in (1, 3)}
    for numbers in (chosen, set(range(41))):
        in_order = sorted(numbers, key=lambda n: (n not in held, held.get(n, 0), n))
        assert list(index.in_order(from_ordinals(numbers, 41))) == in_order


@pytest.mark.parametrize("limit", [2, 4, 1024])
@given(steps=STEPS)
def test_what_was_held_is_put_back_without_comparing(limit: int, steps: Any) -> None:
    """Backwards through any history, each step leaves the order that was there before, though values fail by now."""
    index = AttributeIndex("value", Touchy, limit=limit)
    everything = (1 << 41) - 1
    trail = []
    for number, value in steps:
        before = list(index.in_order(everything)), dict(index.values)
        known, held = number in index.values, index.held(number)
        entered = MISSING if value is None else Touchy(value)
        index.enter(number, entered, index.place(number, entered))
        index.check()
        trail.append((number, known, held, before))
    Touchy.fails = True
    try:
        for number, known, held, before in reversed(trail):
            if known:
                index.put_back(number, held)
            else:
                index.discard(number)
            assert (list(index.in_order(everything)), index.values) == before
    finally:
        Touchy.fails = False
    index.check()
    assert index.values == {}
    assert index.chunks == index.heads == []


@pytest.mark.parametrize("limit", [2, 1024])
@pytest.mark.parametrize("new", [True, False], ids=["new", "changed"])
def test_a_comparison_that_fails_leaves_an_index_as_it_was(limit: int, new: bool) -> None:
    """At whichever comparison it fails: either the value is in, or the error is ours and nothing has changed."""
    index = AttributeIndex("value", Touchy, limit=limit)
    for number in range(20):
        index.put(number, Touchy(number * 7 % 5))
    before = list(index.in_order((1 << 21) - 1)), dict(index.values)
    number, value = 20 if new else 4, Touchy(2)
    refused = 0
    for patience in range(100):
        Touchy.patience = patience
        try:
            place = index.place(number, value)
        except KeyTypeError:
            refused += 1
        else:
            index.enter(number, value, place)
            break
        finally:
            Touchy.patience = 1 << 60
        assert (list(index.in_order((1 << 21) - 1)), index.values) == before
        index.check()
    assert refused > 3
    assert list(ordinals(index.one_of([Touchy(2)]))) == sorted({1, 6, 11, 16, number})
    index.check()


def test_a_value_that_has_changed_is_found_all_the_same() -> None:
    """A list is a poor value, as it can change in its place; taking it out again works nevertheless."""
    index = AttributeIndex("value", list, limit=2)
    values = [[number] for number in range(20)]
    for number, value in enumerate(values):
        index.put(number, value)
    for value in values[::3]:
        value[0] = -value[0] * 100
    values[1].clear()
    values[5][0] = "text"  # type: ignore[call-overload]
    for number in range(20):
        index.discard(number)
    assert index.chunks == []
    index.check()


def test_values_are_compared_with_less_than_alone() -> None:
    """Equal values are those of which neither is less; they need no hash."""
    index = AttributeIndex("value", OnlyLess, limit=4)
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
        index.place(1, "text")
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


def _swap_entries(index: AttributeIndex) -> None:
    chunk = index.chunks[1]
    chunk.values.reverse()
    chunk.ordinals.reverse()


def _lose_a_value(index: AttributeIndex) -> None:
    del index.values[5]


def _lose_a_bit(index: AttributeIndex) -> None:
    index.chunks[1].bits.discard(index.chunks[1].ordinals[0])


def _change_a_head(index: AttributeIndex) -> None:
    index.heads[1] = index.heads[0]


def _leave_an_empty_chunk(index: AttributeIndex) -> None:
    index.chunks.append(type(index.chunks[0])([], []))
    index.heads.append(99)


def _fill_a_chunk(index: AttributeIndex) -> None:
    index.limit = 1


@pytest.mark.parametrize(
    "damage", [_swap_entries, _lose_a_value, _lose_a_bit, _change_a_head, _leave_an_empty_chunk, _fill_a_chunk]
)
def test_check_finds_damage(damage: Any) -> None:
    """Each invariant, broken by hand, is missed by no check."""
    index = AttributeIndex("value", lambda resource: resource, limit=4)
    for number in range(20):
        index.put(number, number * 7 % 20)
    index.check()
    damage(index)
    with pytest.raises(AssertionError):
        index.check()


def test_taking_out_raises_nothing() -> None:
    """Though every comparison fails, `discard`, `held` and `enter` of a place already found do their work."""
    index = AttributeIndex("value", Touchy, limit=4)
    for number in range(20):
        index.put(number, Touchy(number * 7 % 5))
    value = Touchy(3)
    place = index.place(20, value)
    Touchy.fails = True
    try:
        index.enter(20, value, place)
        for number in range(21):
            index.held(number)
            index.discard(number)
    finally:
        Touchy.fails = False
    assert index.chunks == [] and index.values == {}


def test_check_of_a_bitmap_finds_an_int_that_is_not_that_of_the_bytes() -> None:
    """As after a change of the bytes past `add` and `discard`."""
    bitmap = Bitmap()
    bitmap.add(0)
    bitmap.add(2)
    bitmap.check()
    assert bitmap.value() == 5
    bitmap.check()
    bitmap.data[0] = 4
    with pytest.raises(AssertionError):
        bitmap.check()


def test_an_index_that_was_made_anew_knows_its_own_values() -> None:
    """The family of its values is told from them, when a new value is put in and when the last is gone."""
    index = AttributeIndex("value", lambda resource: resource)
    for number in range(5):
        index.put(number, number)
    index.repair(lambda number: number != 4)
    index.renumber({number: number for number in range(4)})
    index.discard(3)
    with pytest.raises(KeyTypeError):
        index.put(3, "a text")
    for number in range(3):
        index.discard(number)
    index.put(3, "a text")
    with pytest.raises(KeyTypeError):
        index.put(4, 4)
    index.check()
