"""Lengths and the keys they are added to: whole, or refused, so that turnaround is the same from both sides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import (
    BookcoreError,
    Calendar,
    ConflictError,
    KeyTypeError,
    MemoryStore,
    Resource,
    ResourceError,
)
from bookcore.keys import normal
from bookcore.lengths import later, sooner
from bookcore.stores.tree import TreeStore
from bookcore.testing import ListStore

HOURS = timedelta(hours=5)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(params=[MemoryStore, TreeStore, ListStore])
def make(request: pytest.FixtureRequest) -> Callable[..., Calendar]:
    """Return a maker of calendars on one kind of store."""
    return lambda **kwargs: Calendar(request.param(), **kwargs)


@pytest.mark.parametrize("name", ["before", "after"])
@pytest.mark.parametrize(
    "length",
    [-1, -0.5, timedelta(-1), Decimal(-1), float("nan"), Decimal("sNaN"), "1", b"1", True, [1], (1,), object(), {}],
    ids=lambda length: type(length).__name__,
)
def test_turnaround_that_is_no_length_is_refused_with_the_resource(
    make: Callable[..., Calendar], name: str, length: Any
) -> None:
    """When it is added: one such resource would be in the way of every question about all."""
    calendar = make()
    calendar.add_resource(Resource("good"))
    with pytest.raises(ResourceError, match=f"'bad'.* its {name} is "):
        calendar.add_resource(Resource("bad", **{name: length}))
    with pytest.raises(ResourceError, match=f"its {name} is "):
        calendar.add_resource(Resource("bad"), **{name: length})
    assert calendar.find_available(1, 2).ids() == ["good"]


def test_turnaround_by_which_the_keys_cannot_be_moved_is_refused(make: Callable[..., Calendar]) -> None:
    """With the resource once the calendar has keys; where it has none yet, the question names the resource."""
    calendar = make()
    calendar.add_resource(Resource("good"))
    booked = calendar.book("good", 1, 2)
    with pytest.raises(ResourceError, match=r"'late'.*after is .*keys of this calendar"):
        calendar.add_resource(Resource("late", after=HOURS))
    calendar.remove_booking(booked)
    calendar.add_resource(Resource("late", after=HOURS))
    with pytest.raises(KeyTypeError, match=r"turnaround of resource 'late'"):
        calendar.find_available(1, 2).ids()
    calendar.remove_resource("late")
    calendar.book("good", datetime.max - timedelta(minutes=1), datetime.max)
    calendar.add_resource(Resource("late", after=HOURS))  # by which the last of all keys cannot be moved, but others


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("turnaround", [{"before": HOURS}, {"after": HOURS}, {"after": timedelta(days=1, hours=12)}])
def test_turnaround_of_hours_among_dates_is_refused(
    make: Callable[..., Calendar], bounds: str, turnaround: dict[str, Any]
) -> None:
    """At the first booking, which says why, and at every question; nothing changes."""
    calendar = make(bounds=bounds)
    calendar.add_resource(Resource("flat", **turnaround))
    monday, friday = date(2026, 5, 4), date(2026, 5, 8)
    with pytest.raises(KeyTypeError, match=r"is a date: .* only by whole days"):
        calendar.book("flat", monday, friday)
    with pytest.raises(KeyTypeError, match=r"is a date: .* only by whole days"):
        calendar.is_available("flat", monday, friday)
    assert len(calendar) == 0
    calendar.check()


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize(("before", "after"), [(None, timedelta(days=2)), (timedelta(days=1), timedelta(days=1))])
def test_turnaround_of_days_among_dates_holds_from_both_sides(
    make: Callable[..., Calendar], bounds: str, before: Any, after: Any
) -> None:
    """Whoever is booked first, two neighbours stand equally far apart."""

    def fits(first: int, second: int) -> bool:
        calendar = make(bounds=bounds)
        calendar.add_resource(Resource("flat", before=before, after=after))
        calendar.book("flat", date(2026, 5, first), date(2026, 5, first + 2))
        try:
            calendar.book("flat", date(2026, 5, second), date(2026, 5, second + 2))
        except ConflictError:
            return False
        return True

    apart = 4 if bounds == "[)" else 5  # the booking's own two days, then the turnaround
    for distance in range(1, 9):
        assert fits(10, 10 + distance) == fits(10 + distance, 10) == (distance >= apart)


@pytest.mark.parametrize("ask", ["next_available", "hold"])
def test_other_lengths_of_hours_are_refused_among_dates_too(make: Callable[..., Calendar], ask: str) -> None:
    """A length asked for, and how long a hold lasts by a clock that shows dates."""
    calendar = make(clock=lambda: date(2026, 5, 1))
    calendar.add_resource(Resource("flat"))
    with pytest.raises(KeyTypeError):
        if ask == "hold":
            calendar.hold("flat", 1, 2, ttl=HOURS)
        else:
            calendar.next_available("flat", date(2026, 5, 4), timedelta(days=1, hours=5))


@pytest.mark.parametrize(
    ("key", "length"),
    [
        (date(2026, 5, 4), HOURS),
        (date(2026, 5, 4), timedelta(days=2, microseconds=1)),
        (1e17, 1),
        (10**17, 0.5),
        (Decimal(10) ** 30, Decimal(1)),
        (Decimal(10) ** 27 + 1, Decimal("0.55")),
        (Decimal(10) ** 30, 1),
    ],
)
def test_length_of_which_part_would_be_lost_is_refused(key: Any, length: Any) -> None:
    """Whatever the family of keys, forwards and backwards."""
    for move in (later, sooner):
        with pytest.raises(KeyTypeError):
            move(key, length)


@pytest.mark.parametrize(
    ("key", "length"),
    [
        (5, 2), (5, 0), (5, 0.1), (5.3, 0.1), (0.1, 0.2), (Fraction(1, 3), Fraction(1, 7)), (Decimal("0.1"), Decimal("0.2")),
        (Decimal(3), 2), (date(2026, 5, 4), timedelta(days=3)), (date(2026, 5, 4), timedelta(0)), (10**30, 1),
        (datetime(2026, 5, 4), HOURS), (datetime(2026, 5, 4, tzinfo=UTC), timedelta(microseconds=1)),
        (datetime(2026, 3, 29, 1, tzinfo=BERLIN), HOURS), (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), HOURS),
    ],
)  # fmt: skip
def test_length_that_fits_is_added_and_taken_away_whole(key: Any, length: Any) -> None:
    """Also over a change of the clock, where a length is elapsed time."""
    back = later(sooner(key, length), length)
    assert back == (pytest.approx(key) if isinstance(length, float) else normal(key))
    assert not later(key, length) < sooner(key, length)


def test_lengths_of_numpy_and_pandas() -> None:
    """What their scalars can hold is kept, what they would drop is refused."""
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    day, noon = date(2026, 5, 4), pd.Timestamp(2026, 5, 4, 12)
    kept = [
        (np.datetime64("2026-05-04"), np.timedelta64(5, "h")), (np.int64(5), 2),
        (noon, HOURS), (noon, pd.Timedelta(nanoseconds=5)), (noon.as_unit("s"), pd.Timedelta(milliseconds=5)),
        (noon, np.timedelta64(5, "ns")), (noon.tz_localize("UTC"), HOURS), (datetime(2026, 5, 4), pd.Timedelta(hours=5)),
    ]  # fmt: skip
    for key, length in kept:
        assert key < later(key, length) and sooner(later(key, length), length) == key
    lost = [
        (day, pd.Timedelta(hours=5)), (day, np.timedelta64(5, "h")), (np.datetime64("2026-05-04"), HOURS),
        (datetime(2026, 5, 4), pd.Timedelta(nanoseconds=500)), (np.float32(2**25), np.float32(1)),
    ]  # fmt: skip
    for key, length in lost:
        for move in (later, sooner):
            with pytest.raises(BookcoreError):
                move(key, length)
