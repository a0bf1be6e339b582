"""Opening hours where the clock changes: real zones, against an oracle that reads the wall clock minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bookcore.hours import Hours

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

# zone, the UTC instant of a real change of its clock, and what is odd about it
CHANGES = [
    ("Europe/Berlin", "2026-03-29T01:00", "an hour skipped"),
    ("Europe/Berlin", "2026-10-25T01:00", "an hour repeated"),
    ("America/New_York", "2026-03-08T07:00", "an hour skipped"),
    ("America/New_York", "2026-11-01T06:00", "an hour repeated"),
    ("Australia/Lord_Howe", "2026-10-03T15:30", "half an hour skipped"),
    ("Australia/Lord_Howe", "2026-04-04T15:00", "half an hour repeated"),
    ("America/St_Johns", "2006-04-02T03:31", "an hour skipped at one minute past midnight"),
    ("America/St_Johns", "2006-10-29T02:31", "an hour repeated across midnight: a day that begins twice"),
    ("America/St_Johns", "1988-04-03T03:31", "two hours skipped"),
    ("Africa/Casablanca", "2024-03-10T02:00", "an hour repeated for Ramadan, negative summer time"),
    ("Africa/Casablanca", "2024-04-14T02:00", "an hour skipped after Ramadan"),
    ("Asia/Tehran", "2021-03-21T20:30", "midnight skipped"),
    ("Asia/Tehran", "2021-09-21T19:30", "the last hour of a day repeated"),
    ("Asia/Tehran", "1977-10-20T19:30", "half an hour repeated"),
    ("Pacific/Apia", "2011-12-30T10:00", "a whole Friday skipped"),
    ("Pacific/Kwajalein", "1993-08-21T12:00", "a whole Saturday skipped"),
    ("America/Sao_Paulo", "2018-11-04T03:00", "midnight skipped"),
    ("America/Sao_Paulo", "2019-02-17T02:00", "the hour before midnight repeated"),
    ("Asia/Pyongyang", "2018-05-04T15:00", "half an hour skipped before midnight"),
    ("Antarctica/Troll", "2026-03-29T01:00", "two hours skipped"),
    ("Antarctica/Troll", "2026-10-25T01:00", "two hours repeated"),
    ("Europe/Lisbon", "1992-09-27T01:00", "no change on the wall: the zone changes, the offset does not"),
]
IDS = [f"{zone}-{instant[:10]}" for zone, instant, _ in CHANGES]
changes = pytest.mark.parametrize(("zone", "instant"), [c[:2] for c in CHANGES], ids=IDS)

# edges at, just before, just after and inside what the zones above skip and repeat
RULES = [
    {"daily": "09:00-17:00"},
    {"daily": "00:00-24:00"},
    {"daily": "02:30-05:00"},
    {"daily": "00:30-02:15"},
    {"daily": "02:10-02:20"},
    {"daily": "01:45-02:00, 03:00-03:15"},
    {"daily": "23:15-24:20, 00:45-01:30"},
    {"daily": "22:00-26:30"},
    {"mon": "00:00-24:00", "wed-fri": "00:00-24:00", "sat": "00:00-00:30, 12:00-36:00"},
    {"sun": "01:00-03:00", "thu": "23:50-24:00", "fri": "00:00-00:10"},
]


def wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clock on the wall shows at an instant."""
    return instant.astimezone(zone).replace(tzinfo=None)


@lru_cache
def walk(zone: str, start: datetime, minutes: int) -> list[tuple[datetime, datetime]]:
    """Return each minute from *start* on, with what the clock on the wall shows."""
    info = ZoneInfo(zone)
    return [(at, wall(at, info)) for at in (start + MINUTE * step for step in range(minutes))]


def openings(hours: Hours, day: date) -> list[tuple[datetime, datetime]]:
    """Return the day's openings on the wall, looked up in the plainest way."""
    midnight = datetime.combine(day, time())
    rule = dict(hours.exceptions).get(day, hours.week[day.weekday()])
    return [(midnight + timedelta(seconds=o), midnight + timedelta(seconds=c)) for o, c in rule]


def spans_by_minutes(hours: Hours, zone: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Walk the window minute by minute and ask the wall clock."""
    day = (start - 4 * DAY).date()
    rules = [pair for step in range((end - start).days + 9) for pair in openings(hours, day + step * DAY)]
    spans: list[tuple[datetime, datetime]] = []
    for at, shown in walk(zone, start, (end - start) // MINUTE):
        if any(o <= shown < c for o, c in rules):
            if spans and spans[-1][1] == at:
                spans[-1] = spans[-1][0], at + MINUTE
            else:
                spans.append((at, at + MINUTE))
    return spans


@changes
def test_default_policy_at_a_change_is_the_wall_clock(zone: str, instant: str) -> None:
    """With the defaults, open spans are exactly the minutes at which the wall clock shows an open time."""
    change = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    start, end = change - timedelta(hours=30), change + timedelta(hours=30)
    for rule in RULES:
        hours = Hours(rule, zone=zone)
        expected = spans_by_minutes(hours, zone, start, end)
        assert list(hours.open_spans(start, end)) == expected, rule


@changes
def test_table_of_changes_is_real(zone: str, instant: str) -> None:
    """Each row names the very minute at which that zone's clock was moved, or its zone changed."""
    change = datetime.fromisoformat(instant).replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    before = (change.astimezone(UTC) - MINUTE).astimezone(ZoneInfo(zone))
    assert (change.utcoffset(), change.tzname()) != (before.utcoffset(), before.tzname())


def edge(at: datetime, zone: str, change: datetime, skipped: str, repeated: str) -> datetime:
    """Return the instant that a wall time near *change* means, found by walking."""
    near = walk(zone, change - timedelta(hours=30), 60 * 60)
    found = [instant for instant, shown in near if shown == at]
    if found:
        return found[0] if repeated == "first" else found[-1]
    # skipped: the first minute after it stands at the change
    after, shown = next((instant, shown) for instant, shown in near if shown > at)
    would_be = wall(after - MINUTE, ZoneInfo(zone)) + MINUTE
    return {"jump": after, "later": after + (at - would_be), "earlier": after - (shown - at)}[skipped]


@pytest.mark.parametrize("nonexistent", ["jump", "later", "earlier", "narrowest", "widest"])
@pytest.mark.parametrize("ambiguous", ["first", "second", "narrowest", "widest"])
@pytest.mark.parametrize(("zone", "instant"), [c[:2] for c in CHANGES if "whole" not in c[2] and "no ch" not in c[2]])
def test_other_policies_move_the_edges_they_name(zone: str, instant: str, nonexistent: str, ambiguous: str) -> None:
    """One opening with an edge at a change starts and ends where the policy's words put it."""
    skipped = {"narrowest": ("later", "earlier"), "widest": ("earlier", "later")}
    repeated = {"narrowest": ("second", "first"), "widest": ("first", "second")}
    opening_skip, closing_skip = skipped.get(nonexistent, (nonexistent, nonexistent))
    opening_fold, closing_fold = repeated.get(ambiguous, (ambiguous, ambiguous))
    info = ZoneInfo(zone)
    change = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    moved = wall(change, info)
    low, high = sorted((moved, wall(change - MINUTE, info) + MINUTE))
    inside = low + (high - low) / 2
    for opens, closes in [
        (inside, high + timedelta(hours=2)),
        (low - timedelta(hours=2), inside),
        (low, high + timedelta(hours=1)),
        (low - timedelta(hours=1), high + timedelta(hours=1)),
    ]:
        day = datetime.combine(opens.date(), time())
        rule = [(_clock(opens - day), _clock(closes - day))]
        hours = Hours({}, zone=zone, exceptions={day.date(): rule}, nonexistent=nonexistent, ambiguous=ambiguous)
        since = edge(opens, zone, change, opening_skip, opening_fold)
        until = edge(closes, zone, change, closing_skip, closing_fold)
        expected = [(since, until)] if since < until else []
        assert list(hours.open_spans(change - 2 * DAY, change + 2 * DAY)) == expected, (opens, closes)


def _clock(length: timedelta) -> str:
    hours, minutes = divmod(length // MINUTE, 60)
    return f"{hours:02}:{minutes:02}"


@changes
def test_narrowest_lies_within_the_wall_clock_and_widest_around_it(zone: str, instant: str) -> None:
    """Narrowest never opens beside the default, widest never misses any of it."""
    change = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    start, end = change - timedelta(hours=30), change + timedelta(hours=30)
    for rule in RULES:
        narrow = Hours(rule, zone=zone, nonexistent="narrowest", ambiguous="narrowest")
        wide = Hours(rule, zone=zone, nonexistent="widest", ambiguous="widest")
        plain = Hours(rule, zone=zone)
        for opens, closes in narrow.open_spans(start, end):
            assert plain.is_open(opens, closes), rule
        for opens, closes in plain.open_spans(start, end):
            assert wide.is_open(opens, closes), rule


def test_day_that_was_skipped_whole_has_no_opening_under_any_policy() -> None:
    """Samoa had no Friday 30 December 2011, so Friday's hours did not happen, later or earlier."""
    start, end = datetime(2011, 12, 27, tzinfo=UTC), datetime(2012, 1, 3, tzinfo=UTC)
    for nonexistent in ("jump", "later", "earlier", "narrowest", "widest"):
        hours = Hours({"fri": "09:00-17:00"}, zone="Pacific/Apia", nonexistent=nonexistent)
        assert list(hours.open_spans(start, end)) == [], nonexistent


def test_opening_at_a_repeated_time_has_the_documented_meanings() -> None:
    """Berlin, 25 October 2026: 02:30-05:00, where 02:30 comes at 00:30 UTC and again at 01:30 UTC."""
    window = datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)

    def spans(ambiguous: str) -> list[tuple[str, str]]:
        hours = Hours({"sun": "02:30-05:00"}, zone="Europe/Berlin", ambiguous=ambiguous)
        return [(f"{a:%H:%M}", f"{b:%H:%M}") for a, b in hours.open_spans(*window) if a and b]

    assert spans("both") == [("00:30", "01:00"), ("01:30", "04:00")]
    assert spans("first") == spans("widest") == [("00:30", "04:00")]
    assert spans("second") == spans("narrowest") == [("01:30", "04:00")]


def test_opening_at_a_skipped_time_has_the_documented_meanings() -> None:
    """Berlin, 29 March 2026: 02:30-05:00, where the clock goes from 02:00 to 03:00 at 01:00 UTC."""
    window = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)

    def spans(nonexistent: str) -> list[tuple[str, str]]:
        hours = Hours({"sun": "02:30-05:00"}, zone="Europe/Berlin", nonexistent=nonexistent)
        return [(f"{a:%H:%M}", f"{b:%H:%M}") for a, b in hours.open_spans(*window) if a and b]

    assert spans("jump") == [("01:00", "03:00")]
    assert spans("later") == spans("narrowest") == [("01:30", "03:00")]
    assert spans("earlier") == spans("widest") == [("00:30", "03:00")]


def test_closing_at_the_first_skipped_time_is_at_the_change_under_any_policy() -> None:
    """02:00 is never shown, but what closes then closes at that very instant; what opens then is moved."""
    window = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    for nonexistent in ("jump", "later", "earlier", "narrowest", "widest"):
        hours = Hours({"sun": "01:00-02:00"}, zone="Europe/Berlin", nonexistent=nonexistent)
        assert list(hours.open_spans(*window)) == [(window[0], change)], nonexistent


def test_keys_with_a_fold_are_told_apart() -> None:
    """The first 02:15 of the night is open and the second closed, though Python calls them equal."""
    berlin = ZoneInfo("Europe/Berlin")
    hours = Hours({"sun": "00:00-02:30"}, zone="Europe/Berlin", ambiguous="first")
    first = datetime(2026, 10, 25, 2, 15, tzinfo=berlin)
    second, later = first.replace(fold=1), first.replace(minute=45, fold=1)
    assert first == second
    assert hours.is_open(first, first.replace(minute=25))
    assert not hours.is_open(second, later)
    assert not hours.is_open(first, later)


MINUTES = st.integers(0, 24 * 60)


@st.composite
def days(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Draw a day's openings: up to three, in order, disjoint or touching, the last perhaps past midnight."""
    marks = sorted(draw(st.lists(MINUTES, max_size=6, unique=True)))
    night = draw(st.booleans())
    pairs = list(zip(marks[::2], marks[1::2], strict=False))
    if pairs and night:
        opens, closes = pairs.pop()
        pairs.append((opens, closes + draw(st.integers(0, 12 * 60))))
    return [(_clock(o * MINUTE), _clock(c * MINUTE)) for o, c in pairs if o < 24 * 60]


@settings(max_examples=MOST * 5)
@given(
    change=st.sampled_from(CHANGES),
    weekly=st.dictionaries(st.integers(0, 6), days(), max_size=7),
    exceptions=st.dictionaries(st.integers(-2, 2), st.none() | days(), max_size=3),
    before=st.integers(-20, 20 * 60),
    length=st.integers(0, 40 * 60),
)
@example(CHANGES[4], {6: [("02:15", "02:20")]}, {}, 100, 300)
def test_any_rule_around_any_change_agrees_with_the_oracle(
    change: tuple[str, str, str],
    weekly: dict[int, list[tuple[str, str]]],
    exceptions: dict[int, list[tuple[str, str]] | None],
    before: int,
    length: int,
) -> None:
    """Random rules, exceptions and windows near a change: spans, their complement and is_open are the minute walk's."""
    zone, instant, _ = change
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    hours = Hours(
        weekly,
        zone=zone,
        exceptions={wall(at, ZoneInfo(zone)).date() + DAY * near: rule for near, rule in exceptions.items()},
    )
    start = at - before * MINUTE
    end = start + length * MINUTE
    expected = spans_by_minutes(hours, zone, start, end)
    assert list(hours.open_spans(start, end)) == expected
    tiles = sorted([*hours.open_spans(start, end), *hours.closed_spans(start, end)])
    assert [a for a, _ in tiles] + [end] * bool(tiles) == [start] * bool(tiles) + [b for _, b in tiles]
    if length:
        assert hours.is_open(start, end) == (expected == [(start, end)])
    for opens, closes in expected:
        assert hours.is_open(opens, closes)
        assert opens == start or not hours.is_open(opens - MINUTE, closes)
        assert closes == end or not hours.is_open(opens, closes + MINUTE)
