"""Recurrence rules: what RFC 5545 says (3.3.10), against dateutil where that is right, and by example where it is not."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.errors import HoursError
from bookcore.hours.rrule import read_rule
from bookcore.hours.wall_clock import EPOCH
from bookcore.recurrence import recurring

MOST = settings().max_examples  # as the profile says, see tests/conftest.py
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def produced(rule: str, first: datetime, count: int) -> list[str]:
    """Return the first starts that a rule produces."""
    return [f"{EPOCH + wall:%Y-%m-%d %H:%M}" for wall in islice(read_rule(rule).walls(first), count)]


def days(rule: str, first: datetime, count: int) -> list[str]:
    """Return the first days that a rule produces."""
    return [start[2:10] for start in produced(rule, first, count)]


def steps_of(function: Callable[[], Any]) -> int:
    """Return how many calls of functions a call takes."""
    count = 0

    def see(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    ("rule", "first", "expected"),
    [
        # 3.3.10: "Each BYDAY value can also be preceded by" a number: those without one mean all of them
        ("FREQ=MONTHLY;BYDAY=MO,2TU", datetime(2025, 1, 6), ["25-01-06", "25-01-13", "25-01-14", "25-01-20", "25-01-27"]),
        ("FREQ=MONTHLY;BYDAY=-1FR,MO", datetime(2026, 5, 25), ["26-05-25", "26-05-29", "26-06-01"]),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=1SU,-1SU,WE", datetime(2026, 3, 1), ["26-03-01", "26-03-04", "26-03-11", "26-03-18"]),
        ("FREQ=YEARLY;BYDAY=1MO,-1SU,53TH", datetime(2026, 1, 1), ["26-01-05", "26-12-27", "26-12-31"]),
        ("FREQ=MONTHLY;BYDAY=TH,2FR;BYMONTHDAY=13,14", datetime(2026, 1, 1), ["26-02-13", "26-03-13", "26-05-14"]),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=SA,1SU;BYSETPOS=1", datetime(2026, 1, 1), ["26-01-03", "26-03-01", "26-05-02"]),
        # 3.3.10: "Information, not contained in the rule, necessary to determine the various recurrence instance start
        # time and dates are derived from the Start Time (DTSTART)": the weekday of a week
        ("FREQ=YEARLY;BYWEEKNO=20", datetime(2026, 5, 11), ["26-05-11", "27-05-17", "28-05-15"]),
        ("FREQ=YEARLY;BYWEEKNO=1", datetime(2025, 1, 2), ["25-01-02", "26-01-01", "27-01-07"]),
        ("FREQ=YEARLY;BYWEEKNO=53", datetime(2020, 12, 30), ["20-12-30", "26-12-30", "32-12-29"]),
        ("FREQ=YEARLY;BYWEEKNO=-1", datetime(2026, 1, 4), ["27-01-03", "28-01-02", "28-12-31"]),
        ("FREQ=YEARLY;BYWEEKNO=10,11", datetime(2026, 3, 3), ["26-03-03", "26-03-10", "27-03-09"]),
        ("FREQ=YEARLY;BYWEEKNO=18;BYMONTH=5", datetime(2026, 4, 27), ["27-05-03", "28-05-01"]),
        # 3.3.10, BYSETPOS: the n-th of all that one week gives, also in the week in which the series begins
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", datetime(2026, 5, 6), ["26-05-06", "26-05-13"]),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1", datetime(2026, 5, 6), ["26-05-11", "26-05-18"]),
        ("FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=-1", datetime(2026, 5, 9), ["26-05-15", "26-05-22"]),
        ("FREQ=WEEKLY;BYDAY=SU,MO;BYSETPOS=1;WKST=SU", datetime(2026, 5, 4), ["26-05-10", "26-05-17"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU;BYSETPOS=2", datetime(2026, 5, 4), ["26-05-05", "26-05-19"]),
        ("FREQ=WEEKLY;BYDAY=TH,FR;BYSETPOS=1,2", datetime(2026, 12, 31), ["26-12-31", "27-01-01", "27-01-07"]),
    ],
)  # fmt: skip
def test_rule_gives_what_the_rfc_says(rule: str, first: datetime, expected: list[str]) -> None:
    """Each of them is one of a kind that dateutil gives wrong."""
    assert days(rule, first, len(expected)) == expected


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=DAILY;BYHOUR=9,10,11",
        "FREQ=DAILY;BYMINUTE=0,30",
        "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0",
        "FREQ=DAILY;BYSECOND=60",
        "FREQ=DAILY;BYHOUR=0,23;UNTIL=20270101T000000Z",
    ],
)
def test_times_of_day_are_ignored_for_whole_days(rule: str) -> None:
    """3.3.10: BYSECOND, BYMINUTE and BYHOUR "MUST be ignored" where DTSTART is a date."""
    found = list(recurring(date(2026, 5, 4), date(2026, 5, 5), rule, limit=3))
    assert found == [(date(2026, 5, day), date(2026, 5, day + 1)) for day in (4, 5, 6)]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20210701T220000Z", 2),  # midnight in Berlin
        ("20210702T000000Z", 2),
        ("20210702T040000Z", 2),  # midnight in New York
        ("20210702T110000Z", 2),
        ("20210701T120000Z", 2),  # midnight in Auckland
        ("20210701", 1),
        ("20210702", 2),
        ("20210702T000000", 2),
        ("20210701T235959Z", 1),
        ("20210702T215959Z", 2),  # the last second of a day in Berlin
        ("20210702T035959Z", 1),  # and in New York
        ("20210701T235959", 1),
    ],
)
def test_until_of_whole_days_means_a_local_day(until: str, last: int) -> None:
    """3.3.10: UNTIL has the type of DTSTART; else the nearest midnight, or last second of a day, is meant."""
    found = list(recurring(date(2021, 6, 30), date(2021, 7, 1), f"FREQ=DAILY;UNTIL={until}"))
    assert found[-1][0] == date(2021, 7, last)


def test_until_at_the_end_of_time_is_no_bound() -> None:
    """99991231T235959Z is what many programs write for "for ever"."""
    for until in ("99991231", "99991231T235959Z", "99991231T235959", "99991231T000000Z"):
        assert len(list(recurring(date(2026, 5, 4), date(2026, 5, 5), f"FREQ=DAILY;UNTIL={until}", limit=9))) == 9


def test_leap_second_is_the_second_before_it() -> None:
    """3.3.12: who has no leap seconds should read the second 60 as 59."""
    (first, second) = produced("FREQ=DAILY;BYSECOND=60;BYHOUR=1,2;BYMINUTE=59", datetime(2026, 5, 4), 2)
    assert (first, second) == ("2026-05-04 01:59", "2026-05-04 02:59")
    assert read_rule("FREQ=DAILY;UNTIL=20261231T235960Z").until == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=DAILY;BYYEARDAY=1",
        "FREQ=MONTHLY;BYYEARDAY=1",
        "FREQ=MONTHLY;BYWEEKNO=1",
        "FREQ=WEEKLY;BYWEEKNO=1",
        "FREQ=WEEKLY;BYDAY=2MO",
        "FREQ=DAILY;BYDAY=-1FR",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=YEARLY;BYDAY=54MO",
        "FREQ=DAILY;BYEASTER=0",
        "FREQ=WEEKLY;WKST=XX",
    ],
)
def test_combination_that_the_rfc_forbids_is_refused(rule: str) -> None:
    """3.3.10, "MUST NOT": dateutil passes over some of it in silence."""
    with pytest.raises(HoursError) as caught:
        read_rule(rule)
    assert caught.value.value == rule


@pytest.mark.parametrize("freq", ["HOURLY", "MINUTELY", "SECONDLY"])
def test_whole_days_every_hour_are_refused(freq: str) -> None:
    """A date has no time of day that could be counted."""
    with pytest.raises(HoursError, match="needs a time of day"):
        recurring(date(2026, 5, 4), date(2026, 5, 5), f"FREQ={freq}")


NEVER = [
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
    "FREQ=DAILY;BYHOUR=9;BYSETPOS=2",
    "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=3",
    "FREQ=MONTHLY;BYDAY=6MO",
    "FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1",
    "FREQ=YEARLY;BYWEEKNO=30;BYMONTH=1",
    "FREQ=HOURLY;INTERVAL=2;BYHOUR=1",
    "FREQ=HOURLY;INTERVAL=168;BYDAY=TU",
    "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5",
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31",
    "FREQ=SECONDLY;INTERVAL=9;BYMONTH=5;BYHOUR=3,1;BYSECOND=1,4;BYMINUTE=59",
    "FREQ=SECONDLY;INTERVAL=604800;BYDAY=TU",
]


@pytest.mark.parametrize("rule", NEVER)
def test_rule_that_never_matches_ends_early(rule: str) -> None:
    """It gives the first span alone, in so few calls that it costs some milliseconds and not seconds."""
    first = datetime(2026, 5, 4)
    found: list[Any] = []
    assert steps_of(lambda: found.extend(recurring(first, first + HOUR, rule))) < 250_000
    assert found == [(first, first + HOUR)]


def test_rule_that_may_match_in_ages_is_given_up_by_name() -> None:
    """It is neither walked for ever nor called empty: the error says how far it was followed."""
    rule = read_rule("FREQ=SECONDLY;INTERVAL=86413;BYMONTH=2;BYMONTHDAY=29;BYHOUR=3;BYMINUTE=7;BYSECOND=59")

    def walk() -> None:
        with pytest.raises(HoursError, match="no occurrence was found up to"):
            next(rule.walls(datetime(2026, 5, 4)))

    assert steps_of(walk) < 1_000_000


def test_rare_match_is_found() -> None:
    """A 29 February that is a Monday comes every 28 years, but not across 1900 or 2100."""
    mondays = days("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", datetime(2026, 5, 4), 3)
    assert mondays == ["44-02-29", "72-02-29", "12-02-29"]
    assert days("FREQ=YEARLY;INTERVAL=100;BYMONTH=2;BYMONTHDAY=29", datetime(2000, 2, 29), 3) == ["00-02-29"] * 3


@st.composite
def rules(draw: st.DrawFn) -> tuple[str, datetime]:
    """Draw a rule that dateutil reads as RFC 5545 says, and a first start."""
    rng = random.Random(draw(st.integers(0, 2**32)))

    def some(numbers: Any, most: int) -> str:
        return ",".join(map(str, rng.sample(list(numbers), rng.randint(1, most))))

    freq = rng.choice(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"])
    parts = [f"FREQ={freq}", f"WKST={rng.choice(DAYS)}", f"INTERVAL={rng.choice([1, 1, 2, 3, 5, 7])}"]
    if rng.random() < 0.3:
        parts.append("BYMONTH=" + some(range(1, 13), 3))
    if freq != "WEEKLY" and rng.random() < 0.3:
        parts.append("BYMONTHDAY=" + some([*range(-31, 0), *range(1, 32)], 3))
    by_week = freq == "YEARLY" and rng.random() < 0.2
    if by_week:
        parts.append("BYWEEKNO=" + some([*range(-53, 0), *range(1, 54)], 3))
    if freq in ("YEARLY", "HOURLY", "MINUTELY") and rng.random() < 0.15:
        parts.append("BYYEARDAY=" + some([*range(-366, 0), *range(1, 367)], 9))
    if by_week or rng.random() < 0.4:
        numbered = freq in ("YEARLY", "MONTHLY") and not by_week and rng.random() < 0.5
        chosen = rng.sample(DAYS, rng.randint(1, 3))
        parts.append("BYDAY=" + ",".join(f"{rng.choice([-2, -1, 1, 2, 5])}{day}" if numbered else day for day in chosen))
    if rng.random() < 0.3:
        parts.append("BYHOUR=" + some(range(24), 3))
    if rng.random() < 0.3:
        parts.append("BYMINUTE=" + some(range(60), 3))
    if freq != "WEEKLY" and rng.random() < 0.2 and any(part.startswith("BY") for part in parts):
        parts.append("BYSETPOS=" + some([-3, -2, -1, 1, 2, 3], 2))
    first = datetime(1999, 1, 1) + timedelta(minutes=rng.randrange(30 * 365 * 1440))
    return ";".join(parts), first


@settings(max_examples=MOST * 3, deadline=None)
@given(rules())
def test_where_dateutil_is_right_both_give_the_same(drawn: tuple[str, datetime]) -> None:
    """An implementation of its own must agree with the one that it replaced, kinds of the first test left out."""
    rrule = pytest.importorskip("dateutil.rrule", reason="python-dateutil is not installed")
    rule, first = drawn
    stop = first + 1500 * DAY
    ours: list[str] = []
    for wall in read_rule(rule).walls(first):
        if EPOCH + wall > stop or len(ours) == 12:
            break
        ours.append(f"{EPOCH + wall:%Y-%m-%d %H:%M}")
    # no more than ours, because dateutil walks a rule without a further match to its end, which may take minutes
    theirs = [f"{start:%Y-%m-%d %H:%M}" for start in islice(rrule.rrulestr(rule, dtstart=first), len(ours))] if ours else []
    assert ours == theirs
