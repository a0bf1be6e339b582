"""Weeks that look alike are resolved once, and rules are asked together: the answers are those of each by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import Calendar, KeyTypeError, Resource
from bookcore.engine.opening_hours import OpeningHours
from bookcore.hours import Hours
from bookcore.hours.weeks import Weeks
from bookcore.index.bitmap import ordinals
from bookcore.stores.record import ResourceRecord

HOUR = timedelta(hours=1)
WEEKLY = {"mon-fri": "09:30-17:00", "sat": ["00:00-02:30", "22:00-26:00"], "sun": "01:30-24:00"}

CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29)),
    ("Europe/Berlin", datetime(2026, 10, 25)),
    ("Africa/Freetown", datetime(1939, 9, 1)),  # back at the offset it had left after four days
    ("America/Boa_Vista", datetime(2000, 10, 12)),  # after a week
    ("Europe/Vienna", datetime(1945, 4, 7)),  # after ten days
    ("Asia/Gaza", datetime(2040, 10, 24)),
    ("Pacific/Apia", datetime(2011, 12, 30)),  # a day that did not happen
    ("Pacific/Kwajalein", datetime(1993, 8, 21)),
    ("Australia/Lord_Howe", datetime(2026, 4, 5)),  # by half an hour
    ("Africa/Casablanca", datetime(2026, 2, 15)),
]


def shows_open(wall: datetime) -> bool:
    """Tell whether the clock on the wall shows an open time of `WEEKLY`, read off by hand."""
    day, hour = wall.weekday(), wall.hour + wall.minute / 60
    if day < 5:
        return 9.5 <= hour < 17
    if day == 5:
        return hour < 2.5 or hour >= 22
    return hour < 2 or hour >= 1.5


@pytest.mark.parametrize(("zone", "near"), CHANGES)
def test_an_instant_is_open_when_the_wall_clock_says_so(zone: str, near: datetime) -> None:
    """Every half hour of ten weeks around a change, whichever week is asked about first."""
    if zone not in available_timezones():
        pytest.skip(f"{zone} is not in this zone database")
    start = near.replace(tzinfo=UTC) - timedelta(weeks=5)
    instants = [start + step * HOUR / 2 for step in range(2 * 24 * 70)]
    for order in (1, -1):
        hours = Hours(WEEKLY, zone=zone)
        for instant in instants[::order]:
            wall = instant.astimezone(ZoneInfo(zone))
            assert hours.is_open(instant, instant + timedelta(minutes=1)) == shows_open(wall), wall


def test_a_year_is_resolved_once_for_each_offset() -> None:
    """The weeks of a year share two tables, save those near a change of the clock or an exception."""
    hours = Hours(WEEKLY, zone="Europe/Berlin", exceptions={"2026-07-01": None})
    for week in range(53):
        hours.is_open(start := datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(weeks=week), start + HOUR)
    assert len(hours._weeks._ordinary) == 2
    assert len({id(found) for found in hours._weeks.kept.values()}) <= 12


RULES = [
    Hours(WEEKLY),
    Hours({"daily": "00:00-24:00"}),
    Hours({"daily": "00:00-24:00"}, exceptions={"2026-05-06": None}),
    Hours({"mon": "22:00-30:00", "tue": "06:00-12:00"}, exceptions={"2026-05-05": "09:00-10:00"}),
    Hours({}),
    Hours({"mon-fri": "09:00-17:00"}, exceptions={"2026-05-09": "00:00-48:00"}),
]


@given(
    start=st.integers(-100, 300),
    length=st.integers(1, 400),
    closed=st.booleans(),
    kept=st.lists(st.integers(-1, 5), max_size=12),
)
def test_rules_asked_together_answer_as_each_by_itself(start: int, length: int, closed: bool, kept: list[int]) -> None:
    """Also again, and after somebody's hours have changed."""
    low = datetime(2026, 5, 4) + start * HOUR / 2
    high = low + (length - closed) * HOUR / 2
    keepers = OpeningHours(closed)
    records = [ResourceRecord(number, object(), number, 1) for number in range(7)]
    now: dict[int, Any] = {}
    for number, rule in enumerate(kept * 2):
        number %= 7
        after = None if rule < 0 else RULES[rule]
        keepers.set(records[number], after)
        now[number] = after
        expected = [n for n, hours in sorted(now.items()) if hours and not hours.is_open(low, high, closed=closed)]
        for _ in range(2):
            assert list(ordinals(keepers.blocked(low, high, 1))) == expected
    assert set(keepers.by_rule) == {hours for hours in now.values() if hours}


@given(start=st.none() | st.integers(-100, 300), length=st.none() | st.integers(1, 400))
def test_unbounded_spans_are_open_only_where_it_never_closes(start: int | None, length: int | None) -> None:
    """Together as each by itself."""
    low = None if start is None else datetime(2026, 5, 4) + start * HOUR
    high = None if length is None else (low or datetime(2026, 5, 4)) + length * HOUR
    keepers = OpeningHours(closed=False)
    for number, hours in enumerate(RULES):
        keepers.set(ResourceRecord(number, object(), number, 1), hours)
    expected = [number for number, hours in enumerate(RULES) if not hours.is_open(low, high)]
    assert list(ordinals(keepers.blocked(low, high, 1))) == expected


def test_search_among_rules_with_and_without_a_zone_offers_whom_booking_accepts() -> None:
    """No key is right for both: those whose hours do not go with it are left out, and fail for nobody else."""
    calendar = Calendar()
    for number in range(100):
        calendar.add_resource(Resource(number))
    calendar.set_hours(range(50), Hours(WEEKLY, zone="Europe/Berlin"))
    calendar.set_hours(range(50, 100), Hours(WEEKLY))
    monday = datetime(2026, 5, 4, 10), datetime(2026, 5, 4, 11)
    zoned = tuple(key.replace(tzinfo=UTC) for key in monday)
    assert calendar.find_available(*monday).ids() == list(range(50, 100))
    assert calendar.find_available(*zoned).ids() == list(range(50))
    assert [who.id for _, _, who in islice(calendar.find_slots(timedelta(hours=1), *monday), 2)] == [50, 51]
    with pytest.raises(KeyTypeError, match="these opening hours"):
        calendar.book(0, *monday)
    with pytest.raises(KeyTypeError, match="these opening hours"):
        calendar.is_available(0, *monday)
    assert calendar.book_any(calendar.resources, *monday).resource.id == 50


def test_a_length_that_opening_hours_never_hold_is_not_looked_for() -> None:
    """Thousands of years of weeks are not walked to find nothing."""
    calendar = Calendar()
    for number in range(300):
        calendar.add_resource(Resource(number))
    hours = Hours({"mon-fri": "09:00-15:00"})
    calendar.set_hours(range(300), hours)
    ages = datetime(2, 1, 1), datetime(9998, 1, 1)
    long = timedelta(hours=30)
    assert list(calendar.find_slots(long, *ages)) == []
    assert list(calendar.gaps(0, *ages, at_least=long)) == []
    assert calendar.next_available(0, ages[0], long) is None
    assert len(hours._weeks.kept) < 10


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_openings_that_are_too_short_are_left_out(zone: str | None) -> None:
    """Also those of the weeks around an exception, and parts of an opening that goes on past midnight."""
    nights = Hours({"mon-sun": "20:00-30:00"}, zone=zone, exceptions={date(2026, 5, 6): "00:00-24:00"})
    tz = ZoneInfo(zone) if zone else None
    window = datetime(2026, 4, 1, tzinfo=tz), datetime(2026, 6, 1, tzinfo=tz)
    every: list[Any] = list(nights.open_spans(*window))
    for least in (5, 10, 11, 20, 24, 34, 35):
        length = timedelta(hours=least)
        assert list(nights.open_spans(*window, at_least=length)) == [s for s in every if s[1] - s[0] >= length]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "Pacific/Apia"])
@pytest.mark.parametrize("hours", [9, 24, 55])
def test_the_search_for_an_opening_ends_though_none_is_long_enough(
    zone: str | None, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 40 years: thousands of years are not walked where clock changes might make an opening longer."""
    tz = ZoneInfo(zone) if zone else None
    rule = Hours({"mon-fri": "09:00-17:00"}, zone=zone)
    visited: list[int] = []
    resolved = Weeks._resolved

    def counted(weeks: Weeks, week: int) -> Any:
        visited.append(week)
        return resolved(weeks, week)

    monkeypatch.setattr(Weeks, "_resolved", counted)
    assert rule.next_open(datetime(2026, 5, 1, tzinfo=tz), at_least=timedelta(hours=hours)) is None
    assert len(visited) <= 40 * 53 + 2
