"""What is known of the gaps of a long schedule, against looking at each of them; and how little is looked at."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import BookingEvent, Calendar, KeyTypeError, Resource
from bookcore.index.disjoint_intervals import ChunkedIntervals
from bookcore.index.gap_summary import GapSummary

DAY = timedelta(days=1)
KINDS: list[Any] = [int, date.fromordinal, lambda rank: datetime.min + rank * timedelta(microseconds=1)]
UNITS: list[Any] = [1, DAY, timedelta(microseconds=1)]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "take"]), st.integers(1, 99), st.integers(0, 2), st.integers(0, 9)
    ),
    max_size=60,
)


def fits_behind(kept: ChunkedIntervals, at: int, length: Any, step: Any) -> bool:
    """Look whether a length fits into a gap of a part, or behind it."""
    edges = list(kept.chunks[at].edges)
    if at + 1 == len(kept.chunks):
        return True
    edges.append(kept.chunks[at + 1].edges[0])
    margin = 2 * step if kept.closed else 0 * step
    return any(start - end - margin >= length for end, start in zip(edges[1::2], edges[2::2], strict=True))


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("kind", range(3))
@given(steps=STEPS, split=st.integers(2, 4), fan=st.integers(2, 3))
def test_no_chunk_is_passed_over_that_holds_the_length(closed: bool, kind: int, steps: Any, split: int, fan: int) -> None:
    """After each change, whatever is passed over is too narrow; and what is not first learnt is learnt by looking."""
    key, unit = KINDS[kind], UNITS[kind]
    kept = ChunkedIntervals(closed, (), [], split, fan)
    held: list[int] = []
    for value, (what, rank, more, length) in enumerate(steps):
        start, end = key(rank), key(rank + more + (not closed))
        if what == "put":
            place = kept.gap(start, end)
            if place is not None:
                kept.put(place, start, end, value)
                held.append(value)
        elif held:
            kept.take(kept.find(held.pop(rank % len(held))))
        asked = length * unit
        for at in range(len(kept.chunks)):
            found = kept.gaps.first(at, asked)
            kept.check()
            assert not any(fits_behind(kept, one, asked, unit) for one in range(at, found) if one)
            assert found == at or found == len(kept.chunks) - 1 or not found or fits_behind(kept, found, asked, unit)


@pytest.mark.parametrize("make", [Fraction, float, lambda rank: (rank,)])
def test_keys_that_are_not_measured_are_walked(make: Any) -> None:
    """No part is passed over where gaps are of a kind whose arithmetic is not exact, or of none."""
    kept = ChunkedIntervals(False, (), [], 4, 2)
    for at in range(0, 100, 2):
        place = kept.gap(make(at), make(at + 1))
        assert place is not None
        kept.put(place, make(at), make(at + 1), at)
    kept.check()
    assert set(kept.gaps.bounds) == {None}
    assert kept.gaps.first(3, 99) == 3


def looked_at(size: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Count bounds, caps and spans that `next_available` looks at, past so many bookings with no room but at the end."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    calendar.load(BookingEvent(room, 3 * at, 3 * at + 2) for at in range(size))
    calls = 0
    count_bound, count_measured = GapSummary._bound, GapSummary._measure

    def bound(self: Any, level: int, at: int) -> Any:
        nonlocal calls
        calls += 1
        return count_bound(self, level, at)

    def measured(self: Any, at: int) -> Any:
        nonlocal calls
        calls += 96
        return count_measured(self, at)

    with monkeypatch.context() as patched:
        patched.setattr(GapSummary, "_bound", bound)
        patched.setattr(GapSummary, "_measure", measured)
        assert calendar.next_available(room, 0, 2) == (3 * size - 1, 3 * size + 1)
        first, calls = calls, 0
        assert calendar.next_available(room, 0, 2) == (3 * size - 1, 3 * size + 1)
        again, calls = calls, 0
        calendar.remove_booking(calendar.conflicts(room, 3 * (size // 2), 3 * (size // 2) + 1)[0])
        calendar.book(room, 3 * (size // 2), 3 * (size // 2) + 2)
        assert calendar.next_available(room, 0, 2) == (3 * size - 1, 3 * size + 1)
        changed = calls
        assert list(calendar.gaps(room, 0, 3 * size, at_least=2)) == []
    assert first <= 3 * size // 96 + 200  # each bound once, to put together what lies above
    assert changed <= again + 96 * 3 + 200
    return again


def test_looking_for_time_past_many_bookings_grows_with_the_logarithm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen times as many bookings: a level more, of up to `FAN` caps on the way up and on the way down."""
    counts = [looked_at(size, monkeypatch) for size in (2_000, 32_000, 512_000)]
    assert all(count <= 2 * GapSummary.FAN * level for level, count in enumerate(counts, 2))


def test_keys_of_another_kind_may_come_into_a_part_that_was_measured() -> None:
    """A bound stays true when gaps get shorter, whatever shortens them."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    for at in range(600):
        calendar.book(room, 10 * at, 10 * at + 4)
    calendar.check()
    calendar.book(room, 3005.5, 3006)
    calendar.check()
    assert calendar.next_available(room, 0, 7) == (5994, 6001)


def test_hours_between_dates_are_refused() -> None:
    """Dates are moved by whole days only, so a gap of thirty hours is none that can be booked."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    calendar.load(BookingEvent(room, day, day + DAY) for day in (date(2000, 1, 1) + 2 * at * DAY for at in range(100)))
    with pytest.raises(KeyTypeError, match="whole days"):
        list(calendar.gaps(room, None, None, at_least=timedelta(hours=30)))


class Edges:
    """A chunk of spans of whole numbers."""

    def __init__(self, *edges: int) -> None:
        self.edges = edges


def summary(count: int = 20) -> GapSummary:
    """Return the summary of chunks whose gaps are 1, 2 and 3 in turn, with all caps computed."""
    chunks = [Edges(10 * at, 10 * at + 3, 10 * at + 4, 10 * at + 10 - at % 3 - 1) for at in range(count)]
    gaps = GapSummary(chunks, False, fan=2)
    assert gaps.first(0, 3) in (0, 2)
    assert gaps.first(1, 99) == count - 1
    gaps.check()
    return gaps


def _lower_a_bound(gaps: GapSummary) -> None:
    gaps.bounds[5] -= 1


def _bound_the_last(gaps: GapSummary) -> None:
    gaps.bounds[-1] = 99


def _lose_a_bound(gaps: GapSummary) -> None:
    del gaps.bounds[5]


def _raise_a_cap(gaps: GapSummary) -> None:
    gaps.caps[0][2] += 1


def _forget_below_a_cap(gaps: GapSummary) -> None:
    gaps.bounds[5] = None


def _add_caps(gaps: GapSummary) -> None:
    gaps.caps[0] += [None] * 20


@pytest.mark.parametrize(
    "damage", [_lower_a_bound, _bound_the_last, _lose_a_bound, _raise_a_cap, _forget_below_a_cap, _add_caps]
)
def test_check_finds_damage(damage: Any) -> None:
    """Each invariant, broken by hand, is missed by no check."""
    gaps = summary()
    damage(gaps)
    with pytest.raises(AssertionError):
        gaps.check()
