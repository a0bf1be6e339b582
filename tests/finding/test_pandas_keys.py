"""Times of pandas as keys: held as Python's where nothing is lost, exact to the nanosecond where they count them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    ConflictError,
    InvalidSpanError,
    KeyTypeError,
    MemoryStore,
    Resource,
)
from bookcore.hours import Hours
from bookcore.model.arithmetic import minus, plus
from bookcore.model.keys import normal
from bookcore.model.pandas_scalars import python_time
from bookcore.testing import ListStore

pd = pytest.importorskip("pandas", reason="pandas is not installed")
np = pytest.importorskip("numpy", reason="NumPy is not installed")

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 5, 4, 12)
NANO = pd.Timedelta(1, "ns")
DAY = timedelta(days=1)
FIRST, LAST = pd.Timestamp.min, pd.Timestamp.max
OFFICE = Hours({"mon-fri": "09:00-17:00"})


@pytest.mark.parametrize(
    ("key", "held"),
    [
        (pd.Timestamp(NOON), NOON),
        (pd.Timestamp(NOON).as_unit("s"), NOON),
        (pd.Timestamp(NOON).as_unit("ns"), NOON),
        (pd.Timestamp(NOON, tz=UTC), NOON.replace(tzinfo=UTC)),
        (pd.Timestamp(NOON, tz=BERLIN), NOON.replace(hour=10, tzinfo=UTC)),
        (pd.Timestamp(datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        (pd.Timedelta(hours=2), timedelta(hours=2)),
        (pd.Timedelta(-1, "us"), timedelta(microseconds=-1)),
        ((pd.Timestamp(NOON), "a"), (NOON, "a")),
    ],
)
def test_times_without_nanoseconds_are_held_as_pythons(key: Any, held: Any) -> None:
    """Of the same type, so that the fast paths take them."""
    found = normal(key)
    assert found == held
    assert type(found) is type(held)
    if isinstance(found, datetime):
        assert found.tzinfo is held.tzinfo


@pytest.mark.parametrize(
    "key",
    [
        pd.Timestamp(NOON) + NANO,
        (pd.Timestamp(NOON, tz=BERLIN) + NANO).tz_convert(UTC),
        pd.Timestamp(np.datetime64("20000-01-01", "s")),
        NANO,
        pd.Timedelta(np.timedelta64(10**15, "s")),
    ],
)
def test_times_that_pythons_cannot_hold_are_kept(key: Any) -> None:
    """Nanoseconds, and what lies beyond the years of datetime."""
    assert type(normal(key)) is type(key)
    assert normal(key) == key


@pytest.mark.parametrize("make", [MemoryStore, ListStore])
def test_a_calendar_is_as_fast_for_them_as_for_datetimes(make: Any) -> None:
    """The kinds of its keys stay one plain type, booked one by one or loaded; events carry what was given."""
    calendar = Calendar(make())
    calendar.add_resource(Resource("room"))
    hour = pd.Timedelta(hours=1)
    start = pd.Timestamp(NOON)
    event = calendar.book("room", start, start + hour)
    calendar.load(BookingEvent("room", start + n * hour, start + (n + 1) * hour) for n in range(2, 40))
    assert event.start is start
    keys = calendar._engine.state.keys
    assert keys.fast_type is datetime
    record = calendar._engine.state.registry.record("room")
    rows = calendar._engine.state.store.overlapping(record, None, None)
    assert {type(key) for row in rows for key in row[:2]} == {datetime}
    assert not calendar.is_available("room", NOON, NOON + timedelta(minutes=1))
    assert calendar.is_available("room", start + hour, NOON + timedelta(hours=2))
    calendar.check()


def test_nanoseconds_decide() -> None:
    """Between bookings that a nanosecond parts, beside datetimes, and in what is found."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    noon = pd.Timestamp(NOON)
    calendar.book("room", noon, noon + NANO)
    calendar.book("room", noon + NANO, NOON + timedelta(hours=1))
    with pytest.raises(ConflictError):
        calendar.book("room", NOON, noon + NANO)
    assert calendar.next_available("room", noon, 5 * NANO) == (
        NOON + timedelta(hours=1),
        pd.Timestamp(NOON) + pd.Timedelta(hours=1) + 5 * NANO,
    )
    calendar.add_resource(Resource("turn", after=NANO))
    calendar.book("turn", NOON, NOON + timedelta(hours=1))
    assert not calendar.is_available("turn", NOON + timedelta(hours=1), NOON + timedelta(hours=2))
    assert calendar.is_available("turn", noon + pd.Timedelta(hours=1) + NANO, NOON + timedelta(hours=2))
    calendar.check()


@pytest.mark.parametrize("length", [NANO, pd.Timedelta(hours=1) + NANO, np.timedelta64(1, "ns"), np.timedelta64(7, "h")])
def test_a_datetime_is_moved_by_nanoseconds_exactly(length: Any) -> None:
    """As the timestamp that it may have been; there and back it is the datetime again."""
    moved = plus(NOON, length)
    assert moved == pd.Timestamp(NOON) + length
    assert minus(moved, length) == NOON
    assert type(minus(moved, length)) is datetime


@pytest.mark.parametrize("zone", [None, UTC, BERLIN])
def test_a_question_with_timestamps_is_answered_with_timestamps(zone: Any) -> None:
    """In its zone; a question with datetimes is answered with these."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    start, hour = pd.Timestamp(NOON, tz=zone), timedelta(hours=1)
    calendar.book("room", start + hour, start + 2 * hour)
    for gap in calendar.gaps("room", start, start + 9 * hour):
        assert {type(key) for key in gap} == {pd.Timestamp}
        assert {str(key.tzinfo) for key in gap} == {str(zone)}
    plain = start.to_pydatetime()
    assert {type(key) for gap in calendar.gaps("room", plain, plain + 9 * hour) for key in gap} == {datetime}


@pytest.mark.parametrize("zone", [None, UTC, BERLIN, ZoneInfo("Australia/Lord_Howe")])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_what_is_held_is_what_pandas_makes_of_it(unit: str, zone: Any) -> None:
    """At random times, in and out of the years of datetime, with the fold of each."""
    for seed in range(500):
        seconds = random.Random(seed).randrange(-10**11, 4 * 10**11) if unit != "ns" else seed * 10**7 - 10**9
        stamp = pd.Timestamp(np.datetime64(seconds, "s").astype(f"datetime64[{unit}]"))
        if zone is not None and 1700 < stamp.year < 2200:
            stamp = stamp.tz_localize("UTC").tz_convert(zone)
        held = python_time(stamp)
        if 1 <= stamp.year <= 9999:
            expected = stamp.to_pydatetime()
            facts = type(expected), expected, expected.fold, expected.tzinfo
            assert (type(held), held, held.fold, held.tzinfo) == facts, seed
        else:
            assert held is stamp, seed


@pytest.mark.parametrize(
    "hours",
    [OFFICE, Hours({"daily": "00:00-24:00"}), Hours({"mon-fri": "09:00-17:00"}, zone=BERLIN)],
    ids=["naive", "always", "Berlin"],
)
def test_hours_answer_for_the_first_and_the_last_timestamp(hours: Hours) -> None:
    """Beside the ends of datetime and None, though no length in nanoseconds lies between them."""
    always = bool(hours.is_open(datetime(2026, 5, 2, tzinfo=hours.zone), datetime(2026, 5, 3, tzinfo=hours.zone)))
    zone = None if hours.zone is None else UTC
    ends: list[Any] = [None, *(end.replace(tzinfo=zone) for end in (datetime.min, FIRST, NOON, LAST, datetime.max)), None]
    for bounds in ("[)", "[]"):
        calendar = Calendar(bounds=bounds)
        calendar.add_resource(Resource("room"))
        calendar.set_hours("room", hours)
        for low, high in combinations(ends, 2):
            assert hours.is_open(low, high) is always
            assert (next(hours.closed_spans(low, high), None) is None) is always
            assert calendar.is_available("room", low, high) is always
            assert calendar.explain("room", low, high).available is always
            assert bool(calendar.find_available(low, high)) is always
            if low is not None and low < ends[-3]:
                assert calendar.next_available("room", low, timedelta(hours=1)) is not None


def test_nanoseconds_decide_about_opening_hours() -> None:
    """At each edge of an opening, for spans, for their lengths, and for the order of the two ends."""
    nine, five = pd.Timestamp(2026, 5, 4, 9), pd.Timestamp(2026, 5, 4, 17)
    steps = [-1001, -1000, -999, -1, 0, 1, 999, 1000, 1001]
    for before, after in product(steps, steps):
        start, end = nine + before * NANO, five + after * NANO
        assert OFFICE.is_open(start, end) is (before >= 0 and after <= 0)
        assert OFFICE.is_open(end, end) is (after < 0)
        assert OFFICE.is_open(start, start) is (before >= 0)
        assert OFFICE.is_open(end, end, closed=True) is (after <= 0)
        assert [*OFFICE.open_spans(start, start), *OFFICE.closed_spans(start, start)] == []
        inside = max(start, nine), min(end, five)
        for more in steps:
            length = inside[1] - inside[0] + more * NANO
            assert list(OFFICE.open_spans(start, end, at_least=length)) == ([inside] if more <= 0 else [])
            left = OFFICE.next_open(start, at_least=five - inside[0] + more * NANO)
            assert left == ((inside[0], five) if more <= 0 else (nine + DAY, five + DAY) if more <= before else None)
    with pytest.raises(InvalidSpanError):
        OFFICE.is_open(nine + 2 * NANO, nine + NANO)


def test_hours_know_nothing_beyond_the_years_of_datetime() -> None:
    """A timestamp of the year 20000 has no place among their weeks: it is refused by name, and nothing is found there."""
    far = pd.Timestamp(np.datetime64("20000-01-01", "s"))
    for ask in (lambda: OFFICE.is_open(far, None), lambda: OFFICE.is_open(NOON, far), lambda: OFFICE.next_open(far)):
        with pytest.raises(KeyTypeError, match=r"20000-01-01.*beyond the years of datetime"):
            ask()
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    calendar.set_hours("room", OFFICE)
    with pytest.raises(KeyTypeError, match="20000-01-01"):
        calendar.book("room", far, far + timedelta(hours=1))
    assert not calendar.find_available(far, far + timedelta(hours=1))
    calendar.check()
