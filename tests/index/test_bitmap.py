"""Bitmaps of many ordinals and of few, which are made in two ways."""

from __future__ import annotations

from functools import reduce
from operator import or_

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.index.bitmap import DENSE, from_ordinals, ordinals
from bookcore.index.chunk import marked

few_or_many = st.sampled_from([0, 40 << DENSE])
"""Below so many ordinals there are none: at most forty numbers are many among forty ordinals, and few among these."""
some = st.lists(st.integers(0, 39), max_size=40)


@given(numbers=some, least=few_or_many, more=st.integers(1, 20))
def test_a_bitmap_of_few_ordinals_and_one_of_many_hold_what_was_put_into_them(
    numbers: list[int], least: int, more: int
) -> None:
    """Also where an ordinal is there twice, and whether or not the size is a whole number of bytes."""
    numbers = [least + number for number in numbers]
    size = least + 39 + more
    right = reduce(or_, (1 << number for number in numbers), 0)
    assert from_ordinals(numbers, size) == right
    assert list(ordinals(right)) == sorted(set(numbers))
    assert marked((numbers, [1 << 7]), (size >> 3) + 1) == right | 1 << 7


@pytest.mark.parametrize("size", [8, 8 << DENSE + 1])
def test_an_ordinal_that_is_not_below_the_size_is_an_error(size: int) -> None:
    """Whichever way the bitmap is made."""
    with pytest.raises(IndexError):
        from_ordinals([1, size + 8], size)
