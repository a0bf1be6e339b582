"""What opening hours answer: spans, ends without bound, keys of the wrong kind, exceptions, limits of the calendar."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.errors import BookcoreError, InvalidKeyError, InvalidSpanError, KeyTypeError
from bookcore.hours import Hours
from bookcore.hours import weeks as _weeks

MONDAY = datetime(2026, 5, 4)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OFFICE = Hours({"mon-fri": "09:00-17:00"})
ALWAYS = Hours({"daily": "00:00-24:00"})
NEVER = Hours({})


def test_span_inside_an_opening_is_open_and_one_that_leaves_it_is_not() -> None:
    """Both ends count, the close itself does not belong to the opening."""
    nine, five = MONDAY + 9 * HOUR, MONDAY + 17 * HOUR
    assert OFFICE.is_open(nine, five)
    assert not OFFICE.is_open(nine - timedelta.resolution, five)
    assert not OFFICE.is_open(nine, five + timedelta.resolution)
    assert not OFFICE.is_open(nine, five + DAY)
    assert not OFFICE.is_open(MONDAY, MONDAY + HOUR)
    assert not OFFICE.is_open(MONDAY - DAY, MONDAY + 30 * DAY)


def test_empty_span_asks_about_its_instant() -> None:
    """The opening instant is open, the closing one is closed."""
    assert OFFICE.is_open(MONDAY + 9 * HOUR, MONDAY + 9 * HOUR)
    assert not OFFICE.is_open(MONDAY + 17 * HOUR, MONDAY + 17 * HOUR)


def test_calendar_with_closed_bounds_counts_the_closing_instant_as_open() -> None:
    """With ends included, 17:00 belongs to 09:00-17:00, also where a week of the index ends just there."""
    nine, five = MONDAY + 9 * HOUR, MONDAY + 17 * HOUR
    assert OFFICE.is_open(nine, five, closed=True)
    assert OFFICE.is_open(five, five, closed=True)
    assert not OFFICE.is_open(five, five + timedelta.resolution, closed=True)
    assert not OFFICE.is_open(nine - timedelta.resolution, nine, closed=True)
    thursday = datetime(2026, 5, 7)
    evening = Hours({"wed": "20:00-24:00"})
    assert evening.is_open(thursday, thursday, closed=True)
    assert not evening.is_open(thursday, thursday)
    assert not Hours({"tue": "20:00-24:00"}).is_open(thursday, thursday, closed=True)


def test_openings_that_touch_are_one() -> None:
    """Until midnight and from midnight is through midnight, in any week and across the index's own borders."""
    hours = Hours({"mon,wed": "09:00-24:00", "tue,thu": "00:00-12:00"})
    for day in range(0, 70, 7):
        for first in (MONDAY, MONDAY + 2 * DAY):
            start = first + (day * DAY) + 9 * HOUR
            assert hours.is_open(start, start + 27 * HOUR)
            assert not hours.is_open(start, start + 28 * HOUR)


def test_opening_past_midnight_belongs_to_the_day_it_starts_on() -> None:
    """A Friday night runs into a closed Saturday; Friday's own exception ends it."""
    friday = datetime(2026, 5, 8)
    bar = Hours({"fri": "22:00-26:00"}, exceptions={"2026-05-09": None})
    assert bar.is_open(friday + 22 * HOUR, friday + 26 * HOUR)
    assert not bar.is_open(friday + 26 * HOUR, friday + 26 * HOUR)
    shut = Hours({"fri": "22:00-26:00"}, exceptions={"2026-05-08": None})
    assert list(shut.open_spans(friday, friday + 3 * DAY)) == []


def test_exception_replaces_the_rule_of_its_date_only() -> None:
    """Short hours, no hours and extra hours each hold on their day, the week's rule on all others."""
    hours = Hours(
        {"mon-fri": "09:00-17:00"},
        exceptions={"2026-05-05": "13:00-14:00", date(2026, 5, 6): None, "2026-05-09": "10:00-12:00"},
    )
    assert [(a.day, a.hour, b.hour) for a, b in hours.open_spans(MONDAY, MONDAY + 7 * DAY) if a and b] == [
        (4, 9, 17), (5, 13, 14), (7, 9, 17), (8, 9, 17), (9, 10, 12),
    ]


def test_unbounded_end_is_open_only_where_nothing_ever_closes() -> None:
    """Round the clock is open for ever; round the clock with one closed day is open for ever on either side of it."""
    for start, end in [(None, None), (None, MONDAY), (MONDAY, None)]:
        assert ALWAYS.is_open(start, end)
        assert Hours({"daily": "00:00-24:00"}, zone="Europe/Berlin").is_open(
            start and start.replace(tzinfo=UTC), end and end.replace(tzinfo=UTC)
        )
        assert not OFFICE.is_open(start, end)
        assert not NEVER.is_open(start, end)
        assert not Hours({"wed-thu": "00:00-24:00"}).is_open(start, end)
    mostly = Hours({"daily": "00:00-24:00"}, exceptions={"2026-05-04": None})
    assert mostly.is_open(None, MONDAY)
    assert not mostly.is_open(None, MONDAY + HOUR)
    assert mostly.is_open(MONDAY + DAY, None)
    assert not mostly.is_open(None, None)
    assert list(mostly.open_spans(None, None)) == [(None, MONDAY), (MONDAY + DAY, None)]
    assert list(mostly.closed_spans(None, None)) == [(MONDAY, MONDAY + DAY)]


def test_unbounded_window_is_walked_lazily() -> None:
    """The first spans of a window without end come at once, and the closed time before all openings is unbounded."""
    assert [a for a, _ in islice(OFFICE.open_spans(MONDAY, None), 3)] == [
        MONDAY + day * DAY + 9 * HOUR for day in range(3)
    ]
    # time begins on a Monday, and all of it that is closed before the first opening is one span
    first = datetime.min + 9 * HOUR
    assert list(islice(OFFICE.open_spans(None, None), 2)) == [(first, first + 8 * HOUR), (first + DAY, first + 32 * HOUR)]
    assert next(OFFICE.closed_spans(None, None)) == (None, first)
    last = Hours({"fri": "20:00-24:00"}, zone="UTC").closed_spans(datetime(9999, 12, 31, 23, tzinfo=UTC), None)
    assert [end for _, end in last] == [None]
    assert list(ALWAYS.open_spans(None, None)) == [(None, None)]
    assert list(ALWAYS.closed_spans(None, None)) == []
    assert list(NEVER.closed_spans(None, None)) == [(None, None)]


def test_hours_at_the_ends_of_the_calendar_answer() -> None:
    """The first and the last instants that Python can name are like any others."""
    for zone in (None, "Pacific/Kiritimati", "Pacific/Niue", "Europe/Berlin"):
        tz = None if zone is None else UTC
        low, high = datetime.min.replace(tzinfo=tz), datetime.max.replace(tzinfo=tz)
        always = Hours({"daily": "00:00-24:00"}, zone=zone, exceptions={date.min: None, date.max: None})
        assert always.is_open(low + 3 * DAY, high - 3 * DAY)
        assert not always.is_open(low, high)
        hours = Hours({"daily": "12:00-24:00"}, zone=zone)
        for start, end in [(low, low + 5 * DAY), (high - 5 * DAY, high), (high, high), (low, low)]:
            spans = list(hours.open_spans(start, end))
            assert all(hours.is_open(a, b) for a, b in spans)
        assert hours.next_open(high) in (None, (high, high))
        assert isinstance(list(hours.open_spans(high - DAY, None))[-1][1], datetime)


def test_windows_own_ends_come_back_as_given_and_others_in_the_same_zone() -> None:
    """Nothing of the caller's is converted, and what the rule adds is in the zone that was asked in."""
    berlin = ZoneInfo("Europe/Berlin")
    start, end = datetime(2026, 5, 4, 12, tzinfo=berlin), datetime(2026, 5, 5, 12, tzinfo=berlin)
    (first, second) = Hours({"mon-fri": "09:00-17:00"}, zone="Europe/Berlin").open_spans(start, end)
    assert first[0] is start
    assert second[1] is end
    assert first[1] == datetime(2026, 5, 4, 15, tzinfo=UTC)
    assert first[1] is not None
    assert second[0] is not None
    assert first[1].tzinfo is second[0].tzinfo is berlin


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
def test_answers_are_in_the_zone_asked_in(zone: str) -> None:
    """Both ends of each, whatever the zone of the hours, over a change of the clock."""
    hours = Hours({"daily": "00:30-02:30"}, zone="Europe/Berlin")
    here, there = ZoneInfo(zone), timezone(timedelta(hours=-3))
    start, end = (datetime(2026, 10, day, 12, tzinfo=UTC) for day in (23, 28))
    for call in (hours.open_spans, hours.closed_spans):
        plain = list(call(start, end))
        assert len(plain) > 4
        for low, high in ((here, here), (here, there), (there, here)):
            spans: list[Any] = list(call(start.astimezone(low), end.astimezone(high)))
            assert [tuple(key.astimezone(UTC) for key in span) for span in spans] == plain
            assert {key.tzinfo for span in spans for key in span} == {low}
        endless: Any = next(call(start.astimezone(here), None))
        assert {key.tzinfo for key in endless} == {here}
    once = Hours({}, zone="Europe/Berlin", exceptions={"2026-10-25": "00:30-02:30"})
    before: Any = list(once.open_spans(None, end.astimezone(here)))
    assert {key.tzinfo for span in before for key in span} == {here}
    opening: Any = hours.next_open(start.astimezone(here))
    assert {key.tzinfo for key in opening} == {here}


def test_keys_of_any_zone_are_the_same_instant() -> None:
    """A key in another zone or at a fixed offset asks the same question."""
    hours = Hours({"mon": "09:00-17:00"}, zone="Asia/Tokyo")
    nine = datetime(2026, 5, 4, 9, tzinfo=ZoneInfo("Asia/Tokyo"))
    for tz in (UTC, ZoneInfo("America/New_York"), timezone(timedelta(hours=-11))):
        assert hours.is_open(nine.astimezone(tz), nine.astimezone(tz) + HOUR)
        assert not hours.is_open(nine.astimezone(tz) - HOUR, nine.astimezone(tz))


AWARE = MONDAY.replace(tzinfo=UTC)


@pytest.mark.parametrize("key", [5, 5.0, "2026-05-04", date(2026, 5, 4), (2026, 5), MONDAY.time(), object()])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_key_that_is_no_datetime_is_refused(key: Any, zone: str | None) -> None:
    """Opening hours need times of day, and say so, on every method and either side."""
    hours = Hours({"daily": "00:00-24:00"}, zone=zone)
    good = MONDAY if zone is None else AWARE
    for ask in (
        lambda: hours.is_open(key, good),
        lambda: hours.is_open(good, key),
        lambda: hours.is_open(None, key),
        lambda: hours.open_spans(key, None),
        lambda: hours.closed_spans(None, key),
        lambda: hours.next_open(key),
    ):
        with pytest.raises(KeyTypeError, match="datetime"):
            ask()


def test_naive_key_at_a_zoned_rule_and_the_reverse_are_refused() -> None:
    """The sentence names the rule's zone, or the lack of it."""
    zoned = Hours({"daily": "00:00-24:00"}, zone="Europe/Berlin")
    with pytest.raises(KeyTypeError, match="Europe/Berlin"):
        zoned.is_open(MONDAY, MONDAY + HOUR)
    with pytest.raises(KeyTypeError, match="zone="):
        ALWAYS.is_open(AWARE, AWARE + HOUR)
    with pytest.raises(KeyTypeError):
        zoned.is_open(AWARE, MONDAY)


@pytest.mark.parametrize("ask", ["is_open", "open_spans", "closed_spans"])
def test_reversed_window_is_refused(ask: str) -> None:
    """The end lies before the start, and the call itself says so."""
    with pytest.raises(InvalidSpanError):
        getattr(OFFICE, ask)(MONDAY + HOUR, MONDAY)


def test_empty_window_has_no_spans() -> None:
    """Nothing fits between an instant and itself, whether it is open or not."""
    for at in (MONDAY, MONDAY + 10 * HOUR):
        assert list(OFFICE.open_spans(at, at)) == []
        assert list(OFFICE.closed_spans(at, at)) == []


def test_pandas_timestamps_are_datetimes_and_nat_is_not_a_point() -> None:
    """A Timestamp asks like the datetime it is, NaT is refused as a NaN is."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    start = pandas.Timestamp(MONDAY) + 9 * HOUR
    assert OFFICE.is_open(start, start + HOUR)
    assert not OFFICE.is_open(start - pandas.Timedelta(1, "ns"), start + HOUR)
    with pytest.raises(InvalidKeyError):
        OFFICE.is_open(pandas.NaT, start)
    with pytest.raises(InvalidKeyError):
        OFFICE.is_open(start, pandas.NaT)


MOMENTS = st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC))
THINGS = MOMENTS | st.integers() | st.text(max_size=3) | st.dates() | st.times() | st.floats() | st.timedeltas()


@given(THINGS, MOMENTS)
def test_any_object_as_a_key_raises_only_our_errors(key: Any, other: Any) -> None:
    """Whatever is asked, either there is an answer or a BookcoreError."""
    for hours in (OFFICE, Hours({"mon": "09:00-17:00"}, zone="Asia/Tehran")):
        for start, end in ((key, other), (other, key), (key, key)):
            for ask in (hours.is_open, hours.open_spans, hours.closed_spans):
                with suppress(BookcoreError):
                    ask(start, end)
        with suppress(BookcoreError):
            hours.next_open(key)


def test_next_open_gives_the_first_span_that_is_long_enough() -> None:
    """From inside an opening what is left of it counts; too short ones are passed over; none is None."""
    hours = Hours({"mon": "09:00-10:00", "wed": "09:00-12:00"})
    assert hours.next_open(MONDAY + 9.5 * HOUR) == (MONDAY + 9.5 * HOUR, MONDAY + 10 * HOUR)
    assert hours.next_open(MONDAY, at_least=2 * HOUR) == (MONDAY + 2 * DAY + 9 * HOUR, MONDAY + 2 * DAY + 12 * HOUR)
    assert hours.next_open(MONDAY, at_least=4 * HOUR) is None
    assert NEVER.next_open(MONDAY) is None
    assert ALWAYS.next_open(MONDAY, at_least=10_000 * DAY) == (MONDAY, None)
    once = Hours({}, exceptions={"2090-01-01": "09:00-10:00"})
    assert once.next_open(MONDAY) == (datetime(2090, 1, 1, 9), datetime(2090, 1, 1, 10))
    with pytest.raises(KeyTypeError):
        hours.next_open(MONDAY, at_least=3)  # type: ignore[arg-type]


@given(
    st.dictionaries(st.integers(0, 6), st.sampled_from(["00:00-24:00", "09:00-12:00, 20:00-30:00", "00:00-01:00"])),
    st.datetimes(datetime(2020, 1, 1), datetime(2020, 2, 1)),
    st.timedeltas(timedelta(0), timedelta(days=20)),
)
def test_naive_hours_are_those_of_a_clock_that_never_changes(
    weekly: dict[int, str], at: datetime, length: timedelta
) -> None:
    """Without a zone all answers are those in UTC, with the zone taken off."""
    naive, utc = Hours(weekly), Hours(weekly, zone="UTC")
    start, end = at.replace(tzinfo=UTC), (at + length).replace(tzinfo=UTC)
    for closed in (False, True):
        assert naive.is_open(at, at + length, closed=closed) == utc.is_open(start, end, closed=closed)
    stripped = [(a.replace(tzinfo=None), b.replace(tzinfo=None)) for a, b in utc.open_spans(start, end) if a and b]
    assert list(naive.open_spans(at, at + length)) == stripped


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue", "UTC"])
def test_lone_exception_holds_on_any_day_of_any_week(zone: str) -> None:
    """One date of long hours, or one closed date of round-the-clock hours, wherever it falls in the index's weeks."""
    info = ZoneInfo(zone)
    for day in (date(2026, 5, 4) + n * DAY for n in range(14)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=info)
        window = midnight - 20 * DAY, midnight + 20 * DAY
        once = Hours({}, zone=zone, exceptions={day: "20:00-44:00"})
        assert list(once.open_spans(*window)) == [(midnight + 20 * HOUR, midnight + 44 * HOUR)]
        but_one = Hours({"daily": "00:00-24:00"}, zone=zone, exceptions={day: None})
        assert list(but_one.closed_spans(*window)) == [(midnight, midnight + DAY)]


def test_longest_bounds_every_opening() -> None:
    """Exact without a zone, also where exceptions join days; generous with one; None when there is no bound."""
    assert NEVER.longest == timedelta(0)
    assert ALWAYS.longest is None
    assert OFFICE.longest == 8 * HOUR
    assert Hours({"sat-mon": "00:00-24:00"}).longest == 3 * DAY
    joined = Hours({"sat-mon": "00:00-24:00"}, exceptions={"2026-05-05": "00:00-06:00", "2020-01-01": "00:00-01:00"})
    assert joined.longest == 3 * DAY + 6 * HOUR
    assert joined.is_open(MONDAY - 2 * DAY, MONDAY + DAY + 6 * HOUR)
    month = {date(2026, 5, 1) + n * DAY: "00:00-24:00" for n in range(31)}
    assert Hours({"mon": "09:00-17:00"}, exceptions=month).longest == 31 * DAY
    berlin = Hours({"sun": "00:00-24:00"}, zone="Europe/Berlin").longest
    assert berlin is not None
    assert berlin >= 25 * HOUR


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_memory_of_weeks_stays_bounded_and_answers_do_not_change(zone: str | None) -> None:
    """Asking about more weeks than are remembered changes neither the answers nor the bound."""
    hours = Hours({"mon": "09:00-17:00"}, zone=zone)
    nine = datetime(2000, 1, 3, 9, tzinfo=ZoneInfo(zone) if zone else None)
    for week in range(_weeks._KEPT_WEEKS + 50):
        assert hours.is_open(nine + 7 * week * DAY, nine + 7 * week * DAY + HOUR)
    assert len(hours._weeks.kept) <= _weeks._KEPT_WEEKS
    assert hours.is_open(nine, nine + HOUR)


def test_century_of_round_the_clock_hours_costs_its_exceptions_not_its_weeks() -> None:
    """Only weeks near an exception are resolved, however long the span."""
    hours = Hours({"daily": "00:00-24:00"}, zone="Europe/Berlin", exceptions={"2050-01-01": None})
    start, end = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    assert not hours.is_open(start, end)
    assert hours.is_open(end, end.replace(year=9000))
    assert len(hours._weeks.kept) < 10


def test_threads_that_share_hours_all_get_the_answers() -> None:
    """Eight threads over more weeks than are remembered see no wrong answer and no error."""
    hours = Hours({"mon": "09:00-17:00"}, zone="Europe/Berlin")
    nine = datetime(2000, 1, 3, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    wrong: list[object] = []

    done: list[int] = []

    def ask(first: int) -> None:
        for week in range(first, first + 700):
            start = nine + 7 * week * DAY
            if not hours.is_open(start, start + HOUR) or hours.is_open(start - HOUR, start):
                wrong.append(start)
        done.append(first)  # not reached by a thread that raised

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask, args=(number * 90,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert len(done) == 8
