"""Intervals that may overlap, against a plain list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.index.augmented_intervals import AugmentedIntervalList
from bookcore.testing import rank_spans
from bookcore.testing.families import OnlyLess


@pytest.mark.parametrize("split", [2, 3, 8])
@given(closed=st.booleans(), data=st.data())
def test_overlapping_intervals_are_kept_by_start_and_number(split: int, closed: bool, data: st.DataObject) -> None:
    """Equal starts in order of number, whenever they were put, through cutting and emptying of chunks."""
    intervals = AugmentedIntervalList(closed, split)
    held: list[tuple[Any, Any, int]] = []
    for value in data.draw(st.permutations(range(1, 25))):
        low, high = data.draw(rank_spans("[)", 0, 12))
        start, end = (None if rank is None else OnlyLess(rank) for rank in (low, high))
        intervals.put(start, end, value)
        held.append((low, high, value))
        if data.draw(st.integers(0, 2)) == 0:
            low, high, value = held.pop(data.draw(st.integers(0, len(held) - 1)))
            intervals.remove(value)
        intervals.check()
        assert len(intervals) == sum(len(chunk.starts) for chunk in intervals.chunks) == len(held)
        assert all(len(chunk.starts) <= split for chunk in intervals.chunks)
        in_order = sorted(held, key=lambda row: (-1 if row[0] is None else row[0], row[2]))
        touch = 0 if closed else 1
        for one, two in ((None, None), data.draw(rank_spans("[)", -1, 13))):
            right = [
                (low, high, value)
                for low, high, value in in_order
                if (one is None or high is None or one + touch <= high)
                and (two is None or low is None or low + touch <= two)
            ]
            keys = [None if rank is None else OnlyLess(rank) for rank in (one, two)]
            found = intervals.overlapping(*keys)
            assert [
                (None if low is None else low.rank, None if high is None else high.rank, value)
                for low, high, value in found
            ] == right
