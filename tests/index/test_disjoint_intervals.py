"""Disjoint intervals against a plain list: in one piece and in chunks, half-open and closed, with every answer they give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.index.disjoint_intervals import ChunkedIntervals, make_intervals
from bookcore.testing import SMALL, rank_spans
from bookcore.testing.families import OnlyLess

STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "put", "take"]), rank_spans("[]", 0, 60), st.integers(0, 99)),
    max_size=60,
)
SHORT_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "take"]),
        st.builds(lambda low, length: (low, low + length), st.integers(0, 200), st.integers(0, 4)),
        st.integers(0, 99),
    ),
    max_size=120,
)


def key(rank: int | None) -> Any:
    """Return a key that knows ``<`` alone."""
    return None if rank is None else OnlyLess(rank)


def rank(edge: Any) -> int | None:
    """Return the rank of a key, and None for an edge that stands for "unbounded"."""
    return edge.rank if isinstance(edge, OnlyLess) else None


def ranked(intervals: Any) -> list[tuple[Any, ...]]:
    """Return intervals, or spans, with the ranks of their keys, which can be compared."""
    return [(rank(start), rank(end), *value) for start, end, *value in intervals]


def overlaps(one: Any, two: Any, closed: bool) -> bool:
    """Tell whether two spans of whole numbers share a point."""
    touch = 0 if closed else 1
    return all(
        low is None or high is None or low + touch <= high for low, high in ((one[0], two[1]), (two[0], one[1]))
    )


def emptied(closed: bool, split: int) -> ChunkedIntervals:
    """Return chunked intervals whose last interval has gone."""
    flat: Any = make_intervals(closed)
    flat.put(flat.gap(OnlyLess(1), OnlyLess(2)), OnlyLess(1), OnlyLess(2), 1)
    kept = ChunkedIntervals(closed, flat.edges, flat.values, split, SMALL.fan)
    kept.take(kept.find(1))
    return kept


def walk(closed: bool, chunked: bool, split: int, steps: Any) -> None:
    """Follow the steps on intervals and on a list, and compare everything after each."""
    kept: Any = emptied(closed, split) if chunked else make_intervals(closed)
    held: list[tuple[Any, Any, int]] = []
    for value, (what, span, pick) in enumerate(steps, 10):
        if not closed and span[0] == span[1] and span[0] is not None:
            continue
        keys = key(span[0]), key(span[1])
        if what == "put":
            free = not any(overlaps(span, other, closed) for other in held)
            place = kept.gap(*keys)
            assert free is (place is not None)
            if free:
                kept.put(place, *keys, value)
                held.append((*span, value))
        elif held:
            start, end, value = held.pop(pick % len(held))
            starts = sorted(s for s, _, _ in held if s is not None)
            place = kept.find(value)
            assert tuple(map(rank, kept.span(place))) == (start, end)
            before, after = kept.around(place)
            low = [s for s in starts if start is not None and s < start]
            high = [s for s in starts if start is None or s > start]
            assert rank(before) == max(low, default=None)
            assert rank(after) == min(high, default=None)
            kept.take(place)
        kept.check()
        in_order = sorted(held, key=lambda row: -1 if row[0] is None else row[0])
        assert len(kept) == len(held)
        assert list(kept.values) == [value for _, _, value in in_order]
        assert ranked(kept.overlapping(None, None)) == in_order
        for window in ((span[0], span[1]), (pick, pick + 3), (None, pick), (pick, None)):
            right = [row for row in in_order if overlaps(window, row, closed)]
            ends = key(window[0]), key(window[1])
            assert ranked(kept.overlapping(*ends)) == right
            assert ranked(kept.spans(*ends)) == [row[:2] for row in right]
            assert (kept.gap(*ends) is None) is bool(right)
        if not chunked and len(kept) > split:
            kept, chunked = ChunkedIntervals(closed, kept.edges, kept.values, split, SMALL.fan), True


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
@given(steps=STEPS)
def test_intervals_agree_with_a_list(closed: bool, chunked: bool, steps: Any) -> None:
    """Spans of any length, bounded or not."""
    walk(closed, chunked, 2, steps)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("split", [2, 4, 7])
@given(steps=SHORT_STEPS)
def test_intervals_of_many_chunks_agree_with_a_list(closed: bool, split: int, steps: Any) -> None:
    """Short spans, so that many are held and chunks are cut, emptied and dropped."""
    walk(closed, False, split, steps)


def test_chunks_are_cut_when_full_and_dropped_when_empty() -> None:
    """Chunked intervals hold chunks of at most `split`, and none that is empty."""
    kept: Any = emptied(False, 4)
    for at in range(100):
        start, end = OnlyLess(at), OnlyLess(at + 1)
        kept.put(kept.gap(start, end), start, end, at)
        assert kept.gap(start, end) is None
    assert len(kept.chunks) > 20
    assert all(len(chunk.values) <= 4 for chunk in kept.chunks)
    for at in range(10, 90):
        kept.take(kept.find(at))
    kept.check()
    assert len(kept.chunks) < 10
    assert kept.values == [*range(10), *range(90, 100)]


@pytest.mark.parametrize("closed", [False, True])
@given(steps=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 60), st.integers(1, 9)), max_size=80))
def test_a_place_that_was_found_is_that_of_a_search(closed: bool, steps: list[tuple[int, int, int]]) -> None:
    """For the objects that were asked for before, whatever was put and taken since."""
    intervals: Any = ChunkedIntervals(closed, (), (), split=4)
    spans = [(OnlyLess(low), OnlyLess(low + length)) for _, low, length in steps]
    for number, (what, low, _) in enumerate(steps):
        span = spans[number]
        place = intervals.gap(*span)
        if place is not None and what < 3:
            intervals.put(place, *span, number)
        elif what == 3 and len(intervals):
            intervals.take(intervals.find(sorted(intervals.values)[low % len(intervals)]))
        for asked in (span, spans[max(number - 1, 0)]):
            found = intervals.gap(*asked)
            intervals.fitting = None
            assert found == intervals.gap(*asked) == intervals.gap(*asked)
        intervals.check()
