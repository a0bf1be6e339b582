"""Schedules against a plain list: flat, long, half-open and closed, with every answer they give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore import BookingEvent
from bookcore.index import disjoint_intervals as schedule
from bookcore.index.disjoint_intervals import ChunkedIntervals, make_intervals
from bookcore.testing import rank_spans, small_sizes
from bookcore.testing.families import OnlyLess

MOST = settings().max_examples
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "claim", "claim", "take", "take back"]), rank_spans("[]", 0, 60), st.integers(0, 99)
    ),
    max_size=60,
)
SHORT_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "claim", "claim", "take"]),
        st.builds(lambda low, length: (low, low + length), st.integers(0, 200), st.integers(0, 4)),
        st.integers(0, 99),
    ),
    max_size=120,
)


def key(rank: int | None) -> Any:
    """Return a key that knows ``<`` alone."""
    return None if rank is None else OnlyLess(rank)


def overlaps(one: Any, two: Any, closed: bool) -> bool:
    """Tell whether two spans of whole numbers share a point."""
    touch = 0 if closed else 1
    return all(
        low is None or high is None or low + touch <= high for low, high in ((one[0], two[1]), (two[0], one[1]))
    )


def emptied(closed: bool) -> ChunkedIntervals:
    """Return a long schedule whose last booking has gone."""
    flat = make_intervals(closed)
    flat.claim(OnlyLess(1), OnlyLess(2), BookingEvent(None, 1, 2))
    kept = ChunkedIntervals(closed, flat.edges, flat.events)
    kept.take(kept.find(OnlyLess(1), OnlyLess(2)))
    return kept


def walk(closed: bool, long: bool, steps: Any) -> None:
    """Follow the steps on a schedule and on a list, and compare everything after each."""
    kept: Any = make_intervals(closed)
    if long:
        kept = emptied(closed)
    held: list[tuple[tuple[Any, Any], BookingEvent]] = []
    for what, span, pick in steps:
        if not closed and span[0] == span[1] and span[0] is not None:
            continue
        keys = key(span[0]), key(span[1])
        free = not any(overlaps(span, other, closed) for other, _ in held)
        if what == "claim":
            event = BookingEvent(None, *span)
            assert kept.is_free(*keys) is free
            assert kept.claim(*keys, event) is free
            if free:
                held.append((span, event))
        elif held:
            (start, end), event = held.pop(pick % len(held))
            starts = sorted(s for (s, _), _ in held if s is not None)
            if what == "take":
                place = kept.find(key(start), key(end))
                before, after = kept.around(place)
                low = [s for s in starts if start is not None and s < start]
                high = [s for s in starts if start is None or s > start]
                assert (None if before is None else before.rank) == max(low, default=None)
                assert (None if after is None else after.rank) == min(high, default=None)
                kept.take(place)
            else:
                kept.take_back(event)
        kept.check()
        in_order = [event for _, event in sorted(held, key=lambda row: -1 if row[0][0] is None else row[0][0])]
        assert kept.overlapping(None, None) == kept.events == in_order
        for low_, high_ in ((span[0], span[1]), (pick, pick + 3), (None, pick), (pick, None)):
            right = [e for e in in_order if overlaps((low_, high_), (e.start, e.end), closed)]
            assert kept.overlapping(key(low_), key(high_)) == right
            assert kept.is_free(key(low_), key(high_)) is (not right)
        if not long and len(kept.events) > schedule.SPLIT:
            kept, long = ChunkedIntervals(closed, kept.edges, kept.events), True


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("long", [False, True])
@given(steps=STEPS)
def test_schedule_agrees_with_a_list(closed: bool, long: bool, steps: Any) -> None:
    """Spans of any length, bounded or not."""
    with small_sizes(SPLIT=2):
        walk(closed, long, steps)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("split", [2, 4, 7])
@given(steps=SHORT_STEPS)
def test_a_schedule_of_many_parts_agrees_with_a_list(closed: bool, split: int, steps: Any) -> None:
    """Short spans, so that many stand and parts are cut, emptied and dropped."""
    with small_sizes(SPLIT=split):
        walk(closed, False, steps)


def test_parts_are_cut_when_full_and_dropped_when_empty() -> None:
    """A long schedule holds parts of at most `SPLIT`, and none that is empty."""
    with small_sizes(SPLIT=4):
        kept = emptied(False)
        events = [BookingEvent(None, OnlyLess(at), OnlyLess(at + 1)) for at in range(100)]
        for event in events:
            assert kept.claim(event.start, event.end, event)
        assert len(kept.parts) > 20
        assert all(len(part.events) <= 4 for part in kept.parts)
        for event in events[10:90]:
            kept.take(kept.find(event.start, event.end))
        kept.check()
        assert len(kept.parts) < 10
        assert kept.events == events[:10] + events[90:]
