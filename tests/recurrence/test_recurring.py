"""Recurring spans: on dates, on naive datetimes, and on the wall clocks of real zones."""

from __future__ import annotations

import calendar
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.errors import (
    BookcoreError,
    HoursError,
    InvalidKeyError,
    InvalidSpanError,
    KeyTypeError,
)
from bookcore.recurrence import recurring

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
BERLIN, NEW_YORK, LORD_HOWE = (ZoneInfo(key) for key in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe"))
MONDAY = datetime(2026, 5, 4, 9)


def starts(spans: Any) -> list[Any]:
    """Return the starts of spans."""
    return [start for start, _ in spans]


def test_meeting_keeps_its_time_of_day_across_a_clock_change() -> None:
    """Nine o'clock in New York is nine o'clock before and after, an hour apart on the axis, an hour long."""
    first = datetime(2026, 2, 27, 9, tzinfo=NEW_YORK)
    spans = list(recurring(first, first + HOUR, "FREQ=WEEKLY;COUNT=3"))
    assert [start.replace(tzinfo=None) for start, _ in spans] == [datetime(2026, 2, 27, 9) + n * WEEK for n in range(3)]
    assert [start.astimezone(UTC).hour for start, _ in spans] == [14, 14, 13]
    assert all(end.astimezone(UTC) - start.astimezone(UTC) == HOUR for start, end in spans)


def test_naive_times_in_a_named_zone_are_its_wall_clock() -> None:
    """A naive first span and zone= give what the aware one gives."""
    named = list(recurring(MONDAY, MONDAY + HOUR, "FREQ=DAILY;COUNT=4", zone="Europe/Berlin"))
    aware = MONDAY.replace(tzinfo=BERLIN)
    assert named == list(recurring(aware, aware + HOUR, "FREQ=DAILY;COUNT=4"))
    assert named[0][0].tzinfo is BERLIN


def test_rule_follows_the_zone_given_and_not_that_of_the_key() -> None:
    """Given in UTC, followed in Berlin: 08:00 UTC in winter, 07:00 in summer."""
    first = datetime(2026, 3, 27, 8, tzinfo=UTC)
    spans = recurring(first, first + HOUR, "FREQ=DAILY;COUNT=3", zone=BERLIN)
    assert [start.astimezone(UTC).hour for start, _ in spans] == [8, 8, 7]


@pytest.mark.parametrize(
    ("nonexistent", "expected"),
    [
        ("later", ["01:30", "01:30", "00:30"]),
        ("jump", ["01:30", "01:00", "00:30"]),
        ("skip", ["01:30", "00:30", "00:30"]),
    ],
)
def test_skipped_start_follows_the_policy(nonexistent: str, expected: list[str]) -> None:
    """02:30 in Berlin on 29 March 2026: read with the old offset, put at the change, or left out."""
    first = datetime(2026, 3, 28, 2, 30, tzinfo=BERLIN)
    spans = recurring(first, first + HOUR, "FREQ=DAILY", nonexistent=nonexistent, limit=3)
    assert [f"{start.astimezone(UTC):%H:%M}" for start, _ in spans] == expected


@pytest.mark.parametrize(("ambiguous", "hour", "fold"), [("first", 0, 0), ("second", 1, 1)])
def test_repeated_start_follows_the_policy(ambiguous: str, hour: int, fold: int) -> None:
    """02:30 in Berlin on 25 October 2026 comes twice; the fold of what comes out says which it is."""
    first = datetime(2026, 10, 24, 2, 30, tzinfo=BERLIN)
    _, (start, end) = recurring(first, first + HOUR, "FREQ=DAILY;COUNT=2", ambiguous=ambiguous)
    assert start.astimezone(UTC) == datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
    assert start.fold == fold
    assert end.astimezone(UTC) - start.astimezone(UTC) == HOUR


def test_first_span_stands_as_it_was_given() -> None:
    """A first start at the second showing of its time is not moved to the first one."""
    first = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)
    end = datetime(2026, 10, 25, 3, 30, tzinfo=BERLIN)
    ((start, ended),) = recurring(first, end, None)
    assert (start.astimezone(UTC), ended.astimezone(UTC)) == (first.astimezone(UTC), end.astimezone(UTC))


def test_night_shift_keeps_its_length_or_its_end() -> None:
    """22:00-06:00 over the night of a change lasts eight hours, or ends at six."""
    first, end = datetime(2026, 10, 23, 22, tzinfo=BERLIN), datetime(2026, 10, 24, 6, tzinfo=BERLIN)

    def ends(keep: str) -> list[int]:
        return [end.hour for _, end in recurring(first, end, "FREQ=DAILY;COUNT=3", keep=keep)]

    assert ends("elapsed") == [6, 5, 6]
    assert ends("wall") == [6, 6, 6]


def test_half_hours_over_a_change_come_in_order_and_once() -> None:
    """Where skipped times moved later fall on those that follow, each instant is yielded once, in order."""
    first = datetime(2026, 3, 29, 1, tzinfo=BERLIN)
    spans = starts(recurring(first, first + timedelta(minutes=20), "FREQ=MINUTELY;INTERVAL=20;COUNT=13"))
    instants = [start.astimezone(UTC) for start in spans]
    assert instants == [datetime(2026, 3, 29, tzinfo=UTC) + timedelta(minutes=20) * n for n in range(10)]


@settings(max_examples=MOST * 5)
@given(
    zone=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca",
         "Asia/Tehran", "Pacific/Apia", "America/Sao_Paulo", "Antarctica/Troll", "UTC"]
    ),
    first=st.datetimes(datetime(1960, 1, 1), datetime(2035, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),
    step=st.sampled_from([("DAILY", DAY), ("WEEKLY", WEEK), ("HOURLY", HOUR), ("MINUTELY", timedelta(minutes=1))]),
    interval=st.integers(1, 50),
    count=st.integers(1, 60),
    length=st.timedeltas(timedelta(0), 3 * DAY),
)
def test_wall_clock_rule_agrees_with_pythons_own_reading(
    zone: str, first: datetime, step: tuple[str, timedelta], interval: int, count: int, length: timedelta
) -> None:
    """Python's fold 0 reads times as RFC 5545 does: stepping on the wall and reading gives the same instants."""
    info = ZoneInfo(zone)
    aware = first.replace(tzinfo=info)
    end = (aware.astimezone(UTC) + length).astimezone(info)
    walls = [first + n * interval * step[1] for n in range(count)]
    expected = sorted({wall.replace(tzinfo=info).astimezone(UTC) for wall in walls})
    found = list(recurring(aware, end, f"FREQ={step[0]};INTERVAL={interval};COUNT={count}"))
    assert [start.astimezone(UTC) for start, _ in found] == expected
    assert [end.astimezone(UTC) - start.astimezone(UTC) for start, end in found] == [length] * len(expected)


def test_whole_days_recur_as_dates() -> None:
    """Dates go in, dates come out, the length in days stays."""
    spans = list(recurring(date(2026, 5, 4), date(2026, 5, 6), "FREQ=MONTHLY;BYDAY=1MO", limit=3))
    assert spans == [(date(2026, month, day), date(2026, month, day + 2)) for month, day in [(5, 4), (6, 1), (7, 6)]]
    assert all(type(key) is date for span in spans for key in span)


@pytest.mark.parametrize(
    ("first", "end", "nonexistent", "found"),
    [
        ("2026-03-28T02:30", "2026-03-28T06:00", "later", "03:30-06:00"),
        ("2026-03-28T02:30", "2026-03-28T06:00", "jump", "03:00-06:00"),
        ("2026-03-28T02:00", "2026-03-29T02:00", "later", "03:00-02:00"),
        ("2026-03-28T02:45", "2026-03-28T03:00", "later", "03:45-04:00"),  # which would end before it begins
        ("2026-03-28T01:30", "2026-03-28T02:30", "later", "01:30-03:30"),
        ("2026-03-29T02:30", "2026-03-29T06:00", "later", "03:30-06:00"),  # the first span itself
    ],
)
def test_end_on_the_wall_clock_is_that_of_the_first_although_its_start_was_skipped(
    first: str, end: str, nonexistent: str, found: str
) -> None:
    """A shift to 06:00 ends then, also on the day on which it can only begin later."""
    begin, ended = (datetime.fromisoformat(text).replace(tzinfo=BERLIN) for text in (first, end))
    days = list(recurring(begin, ended, "FREQ=DAILY;COUNT=3", keep="wall", nonexistent=nonexistent))
    (short,) = (span for span in days if span[0].day == 29)
    assert f"{short[0]:%H:%M}-{short[1]:%H:%M}" == found
    assert all(f"{end:%H:%M}" == f"{ended:%H:%M}" for _, end in days[-1:])


def test_first_span_is_yielded_though_the_rule_would_not_produce_it() -> None:
    """As in RFC 5545, a Monday start is there beside the Tuesdays; COUNT counts what the rule produces."""
    found = starts(recurring(MONDAY, MONDAY + HOUR, "FREQ=WEEKLY;BYDAY=TU;COUNT=2"))
    assert found == [MONDAY, MONDAY + DAY, MONDAY + 8 * DAY]


def test_rule_without_end_is_walked_lazily() -> None:
    """The first thousand of for ever come at once, and the walk ends with the calendar rather than with an error."""
    assert len(list(islice(recurring(MONDAY, MONDAY + HOUR, "FREQ=DAILY"), 1000))) == 1000
    late = datetime(9998, 6, 1, tzinfo=LORD_HOWE)
    assert len(list(recurring(late, late + HOUR, "FREQ=YEARLY"))) == 2


@pytest.mark.parametrize(
    ("until", "days"),
    [
        ("20260506T070000Z", 3),  # 09:00 in Berlin
        ("20260506T065959Z", 2),
        ("20260506T090000", 3),
        ("20260506T085959", 2),
        ("20260506", 3),
        ("20260101", 1),
    ],
)
def test_until_in_the_rule_is_inclusive_and_knows_its_zone(until: str, days: int) -> None:
    """An UNTIL in UTC is an instant, a local one a wall-clock time, a date all of its day; the first span stands."""
    first = MONDAY.replace(tzinfo=BERLIN)
    assert len(list(recurring(first, first + HOUR, f"FREQ=DAILY;UNTIL={until}"))) == days


@pytest.mark.parametrize(
    ("until", "days"),
    [
        (datetime(2026, 5, 6, 7, tzinfo=UTC), 3),
        (datetime(2026, 5, 6, 6, 59, tzinfo=UTC), 2),
        (datetime(2026, 5, 6, 9), 3),
        (date(2026, 5, 6), 3),
        (date(2026, 5, 5), 2),
        (date(2026, 5, 3), 0),
    ],
)
def test_until_as_an_argument_bounds_everything(until: date, days: int) -> None:
    """The bound of the call holds for the first span and for further starts too."""
    first = MONDAY.replace(tzinfo=BERLIN)
    further = [first + 30 * DAY]
    assert len(list(recurring(first, first + HOUR, "FREQ=DAILY", include=further, until=until))) == days


def test_exclusions_are_read_in_every_form() -> None:
    """A wall-clock time, an instant of any zone, and a whole date each leave out what they name, and no more."""
    first = MONDAY.replace(tzinfo=BERLIN)
    left = [MONDAY + DAY, datetime(2026, 5, 6, 7, tzinfo=UTC), date(2026, 5, 7), datetime(2026, 5, 8, 10)]
    found = starts(recurring(first, first + HOUR, "FREQ=DAILY;COUNT=6", exclude=left))
    assert [start.day for start in found] == [4, 8, 9]


def test_further_starts_join_in_order_with_their_own_length_if_they_have_one() -> None:
    """Starts and pairs are merged into the rule's, a start that is there already is not doubled."""
    later = MONDAY + 12 * HOUR
    further: list[Any] = [(later, later + 3 * HOUR), MONDAY, MONDAY - DAY]
    found = list(recurring(MONDAY, MONDAY + HOUR, "FREQ=DAILY;COUNT=2", include=further))
    assert found == [
        (MONDAY - DAY, MONDAY - DAY + HOUR),
        (MONDAY, MONDAY + HOUR),
        (later, later + 3 * HOUR),
        (MONDAY + DAY, MONDAY + DAY + HOUR),
    ]


def test_week_begins_on_monday_whatever_the_process_thinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of WKST in RFC 5545, 3.3.10, with the week of the process set to Sunday."""
    first = datetime(1997, 8, 5, 9)
    monkeypatch.setattr(calendar, "firstweekday", lambda: 6)
    rule = "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU"
    assert [start.day for start in starts(recurring(first, first, rule))] == [5, 10, 19, 24]
    assert [start.day for start in starts(recurring(first, first, rule + ";WKST=SU"))] == [5, 17, 19, 31]


def test_microseconds_of_the_first_start_are_kept() -> None:
    """They are dropped by dateutil; here every occurrence has them."""
    first = MONDAY.replace(microsecond=123456)
    assert starts(recurring(first, first + HOUR, "FREQ=DAILY;COUNT=3")) == [first + n * DAY for n in range(3)]


def test_dateutil_rules_are_taken_as_text_is() -> None:
    """An rrule is restarted at the first span, its UNTIL as it was; an rruleset stays as it is."""
    pytest.importorskip("dateutil", reason="python-dateutil is not installed")
    from dateutil.rrule import DAILY, rrule, rruleset

    first = MONDAY.replace(tzinfo=BERLIN)
    counted = rrule(DAILY, count=3, dtstart=datetime(1999, 1, 1, 23))
    assert list(recurring(first, first + HOUR, counted)) == list(recurring(first, first + HOUR, "FREQ=DAILY;COUNT=3"))
    aware = rrule(DAILY, until=datetime(2026, 5, 6, 7, tzinfo=UTC), dtstart=datetime(2026, 1, 1, tzinfo=UTC))
    assert len(list(recurring(first, first + HOUR, aware))) == 3
    local = rrule(DAILY, until=datetime(2026, 5, 6, 8, 59), dtstart=datetime(2026, 1, 1))
    assert len(list(recurring(first, first + HOUR, local))) == 2
    several = rruleset()
    several.rrule(rrule(DAILY, count=3, dtstart=MONDAY + DAY))
    several.rdate(MONDAY + 20 * DAY)
    several.exdate(MONDAY + 2 * DAY)
    assert [start.day for start in starts(recurring(first, first + HOUR, several))] == [5, 7, 24]
    instants = rruleset()
    instants.rdate(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    ((start, _),) = recurring(first, first + HOUR, instants)
    assert (start.hour, start.minute, start.fold) == (2, 30, 1)


def test_zone_may_be_any_tzinfo() -> None:
    """A fixed offset, dateutil's zones and UTC all serve as the wall clock."""
    pytest.importorskip("dateutil", reason="python-dateutil is not installed")
    from dateutil import tz

    for zone in (UTC, timezone(5.5 * HOUR), tz.gettz("Europe/Berlin")):
        assert isinstance(zone, tzinfo)
        first = datetime(2026, 3, 28, 2, 30, tzinfo=zone)
        found = starts(recurring(first, first + HOUR, "FREQ=DAILY;COUNT=3"))
        assert [start.astimezone(UTC) for start in found] == [
            (first.replace(tzinfo=None) + n * DAY).replace(tzinfo=zone).astimezone(UTC) for n in range(3)
        ]


def test_zone_that_hangs_a_fixed_offset_on_each_datetime_is_read_by_its_name() -> None:
    """What pytz does (an offset with .zone beside it) must not freeze the clock."""

    class Frozen(tzinfo):
        zone = "Europe/Berlin"

        def utcoffset(self, moment: datetime | None) -> timedelta:
            return HOUR

        def dst(self, moment: datetime | None) -> None:
            return None

        def tzname(self, moment: datetime | None) -> str:
            return "CET"

    first = datetime(2026, 3, 28, 9, tzinfo=Frozen())
    assert [start.astimezone(UTC).hour for start in starts(recurring(first, first, "FREQ=DAILY;COUNT=2"))] == [8, 7]


def test_pandas_timestamps_are_datetimes() -> None:
    """They count as the datetimes they are; NaT is refused."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    first = pandas.Timestamp(MONDAY)
    assert starts(recurring(first, first + HOUR, "FREQ=DAILY;COUNT=2")) == [MONDAY, MONDAY + DAY]
    with pytest.raises(InvalidKeyError):
        recurring(pandas.NaT, first, None)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "every monday",
        "FREQ",
        "FREQ=",
        "FREQ=FORTNIGHTLY",
        "BYDAY=MO",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=" + "9" * 5000,
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;UNTIL=20261332",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;UNTIL=20260101T250000",
        "FREQ=DAILY;RSCALE=CHINESE",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=YEARLY;BYMONTH=0",
        "FREQ=DAILY;BYSETPOS=2",
        "FREQ=DAILY;BYSETPOS=0",
        "FREQ=YEARLY;BYMONTH=x",
        "RRULE:FREQ=DAILY\nRRULE:FREQ=DAILY",
        "DTSTART:20260101\nRRULE:FREQ=DAILY",
        5,
        b"FREQ=DAILY",
        ["FREQ=DAILY"],
        {"FREQ": "DAILY"},
        date(2026, 1, 1),
    ],
)
def test_rule_that_cannot_be_read_is_refused_at_the_call(rule: Any) -> None:
    """Each is an HoursError with the rule in it, raised before anything is walked."""
    with pytest.raises(HoursError) as caught:
        recurring(MONDAY, MONDAY + HOUR, rule)
    assert caught.value.value == rule


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"zone": "Europe/Atlantis"}, HoursError),
        ({"zone": 5}, HoursError),
        ({"keep": "both"}, HoursError),
        ({"nonexistent": "earlier"}, HoursError),
        ({"ambiguous": None}, HoursError),
        ({"limit": -1}, HoursError),
        ({"limit": 2.0}, HoursError),
        ({"limit": True}, HoursError),
        ({"exclude": MONDAY}, HoursError),
        ({"exclude": "20260504"}, HoursError),
        ({"exclude": [5]}, KeyTypeError),
        ({"exclude": [MONDAY.replace(tzinfo=UTC)]}, KeyTypeError),
        ({"include": [date(2026, 5, 4)]}, KeyTypeError),
        ({"include": [(MONDAY,)]}, HoursError),
        ({"include": [(MONDAY, MONDAY - HOUR)]}, InvalidSpanError),
        ({"until": "2026"}, KeyTypeError),
        ({"until": MONDAY.replace(tzinfo=UTC)}, KeyTypeError),
    ],
)
def test_argument_that_cannot_be_read_is_refused_at_the_call(arguments: dict[str, Any], error: type[Exception]) -> None:
    """Each is one of our errors, raised before anything is walked."""
    with pytest.raises(error):
        recurring(MONDAY, MONDAY + HOUR, "FREQ=DAILY", **arguments)


@pytest.mark.parametrize(
    ("start", "end"),
    [(1, 2), ("a", "b"), (None, MONDAY), (MONDAY, None), (MONDAY, date(2026, 5, 5)), (date(2026, 5, 4), MONDAY),
     (MONDAY, MONDAY.replace(tzinfo=UTC)), (MONDAY.replace(tzinfo=UTC), MONDAY + HOUR), (MONDAY.time(), MONDAY.time())],
)
def test_keys_that_do_not_go_together_are_refused(start: Any, end: Any) -> None:
    """Recurrence needs two dates, two naive or two aware datetimes."""
    for zone in (None, "Europe/Berlin") if isinstance(start, datetime) else (None,):
        with pytest.raises(KeyTypeError):
            recurring(start, end, "FREQ=DAILY", zone=zone)


def test_reversed_span_and_whole_days_with_a_zone_are_refused() -> None:
    """A span ends after it starts, and a whole day has no zone."""
    with pytest.raises(InvalidSpanError):
        recurring(MONDAY, MONDAY - HOUR, "FREQ=DAILY")
    with pytest.raises(HoursError):
        recurring(date(2026, 5, 4), date(2026, 5, 5), "FREQ=DAILY", zone="Europe/Berlin")


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4)
LISTS = st.lists(st.integers() | st.none() | st.tuples(st.text(max_size=2)), max_size=3)
THINGS: st.SearchStrategy[Any] = ATOMS | LISTS
NAMES = ["start", "end", "rule", "zone", "exclude", "include", "until", "limit", "keep"]


@given(THINGS, THINGS, st.sampled_from(NAMES))
def test_any_object_as_an_argument_raises_only_our_errors(thing: Any, other: Any, name: str) -> None:
    """Whatever is handed in, either it is walked or a BookcoreError says why not."""
    arguments: dict[str, Any] = {"start": MONDAY, "end": MONDAY + HOUR, "rule": "FREQ=DAILY;COUNT=2", name: thing}
    with suppress(BookcoreError):
        list(islice(recurring(**arguments), 3))
    with suppress(BookcoreError):
        recurring(thing, other, "FREQ=DAILY")


PARTS = [
    "FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "INTERVAL=3", "COUNT=2", "BYDAY=1MO", "BYDAY=MO,-1FR", "BYMONTH=13",
    "BYMONTHDAY=1", "BYSETPOS=1", "BYYEARDAY=400", "BYHOUR=25", "BYHOUR=8,10", "BYMINUTE=61", "WKST=XX",
    "UNTIL=20270101", "BYEASTER=0", "=", ";;", "FREQ=DAILY=3",
]


@settings(max_examples=MOST * 5)
@given(st.lists(st.sampled_from(PARTS), max_size=5).map(";".join))
def test_rules_of_random_parts_raise_only_our_errors(rule: str) -> None:
    """Read or refused, and if read, what comes is in order; nothing else comes out."""
    with suppress(BookcoreError):
        found = starts(recurring(MONDAY, MONDAY + HOUR, rule, until=MONDAY + 400 * DAY, limit=5))
        assert all(one < two for one, two in pairwise(found))


def test_rules_need_no_dateutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-dateutil a rule is expanded all the same."""
    monkeypatch.setitem(sys.modules, "dateutil.rrule", None)
    assert len(list(recurring(MONDAY, MONDAY + HOUR, "FREQ=DAILY;COUNT=3"))) == 3


def test_importing_the_module_does_not_import_dateutil() -> None:
    """It is not needed; whoever gives one of its rules has loaded it."""
    code = "import sys, bookcore.recurrence; sys.exit(any(name.startswith('dateutil') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_part_of_a_length_is_wall_clock_time() -> None:
    """P1DT2H (RFC 5545, 3.3.6): a day of the clock and two hours, over the night of a change."""
    first, days = datetime(2026, 3, 27, 23, tzinfo=BERLIN), [DAY, 2 * DAY]
    for day in days:
        end = (first + day).astimezone(UTC) + 2 * HOUR
        spans = recurring(first, end, "FREQ=DAILY;COUNT=4", keep=day)
        for start, ended in spans:
            nominal = datetime.combine(start.date() + day, start.time(), BERLIN)
            assert ended.astimezone(UTC) == nominal.astimezone(UTC) + 2 * HOUR
    with pytest.raises(HoursError):
        recurring(first, first, None, keep=-DAY)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(1, 1, 1, tzinfo=timezone(9 * HOUR)), datetime(1, 1, 1, 1, tzinfo=timezone(9 * HOUR))),
        (datetime(9999, 12, 31, 22, tzinfo=timezone(-5 * HOUR)), datetime(9999, 12, 31, 23, tzinfo=timezone(-5 * HOUR))),
    ],
)
def test_first_span_outside_of_all_years_is_refused(start: datetime, end: datetime) -> None:
    """It would vanish, because no datetime in UTC can tell it."""
    with pytest.raises(KeyTypeError):
        recurring(start, end, None)
