"""Reading iCalendar text: what becomes of durations, periods, exclusions and moved occurrences."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.errors import BookcoreError, CalendarFileError, HoursError
from bookcore.integrations.ical import IcsEvent, read_ics, zones


def ics(*events: str) -> str:
    """Return a calendar of events with one UID."""
    bodies = [f"BEGIN:VEVENT\nUID:1\n{event}\nEND:VEVENT" for event in events]
    return "\n".join(["BEGIN:VCALENDAR", *bodies, "END:VCALENDAR"])


def read(*events: str) -> list[IcsEvent]:
    """Return the events of a calendar of them."""
    return read_ics(ics(*events))


def utc(event: IcsEvent) -> list[tuple[str, str]]:
    """Return the event's spans as days and times in UTC."""
    return [
        (f"{start.astimezone(UTC):%d %H:%M}", f"{end.astimezone(UTC):%d %H:%M}")
        for start, end in event.spans(limit=9)
        if isinstance(start, datetime) and isinstance(end, datetime)
    ]


def test_event_without_end_lasts_its_day_or_no_time() -> None:
    """RFC 5545, 3.6.1: a date is one day, an instant is an instant."""
    (day,) = read("DTSTART;VALUE=DATE:20260504")
    assert list(day.spans()) == [(date(2026, 5, 4), date(2026, 5, 5))]
    assert read("DTSTART:20260504T090000") == []
    (moment,) = read_ics(ics("DTSTART:20260504T090000"), busy_only=False)
    assert list(moment.spans()) == [(datetime(2026, 5, 4, 9), datetime(2026, 5, 4, 9))]


def test_duration_in_days_is_nominal_and_in_hours_exact() -> None:
    """RFC 5545, 3.3.6, as Berlin's clock goes forward: a day may have 23 hours, eight hours are eight."""
    (days,) = read("DTSTART;TZID=Europe/Berlin:20260327T120000\nDURATION:P1D\nRRULE:FREQ=DAILY;COUNT=3")
    assert utc(days) == [("27 11:00", "28 11:00"), ("28 11:00", "29 10:00"), ("29 10:00", "30 10:00")]
    (hours,) = read("DTSTART;TZID=Europe/Berlin:20260327T220000\nDURATION:PT8H\nRRULE:FREQ=DAILY;COUNT=3")
    assert utc(hours) == [("27 21:00", "28 05:00"), ("28 21:00", "29 05:00"), ("29 20:00", "30 04:00")]


def test_moved_occurrence_leaves_its_place_and_the_latest_move_counts() -> None:
    """RECURRENCE-ID takes one occurrence out and puts another in; of two moves the higher SEQUENCE holds."""
    events = read(
        "DTSTART:20260504T090000Z\nDTEND:20260504T100000Z\nRRULE:FREQ=DAILY;COUNT=3",
        "DTSTART:20260505T150000Z\nDTEND:20260505T160000Z\nRECURRENCE-ID:20260505T090000Z\nSEQUENCE:2",
        "DTSTART:20260505T120000Z\nDTEND:20260505T130000Z\nRECURRENCE-ID;TZID=Europe/Berlin:20260505T110000\nSEQUENCE:1",
    )
    assert [pair for event in events for pair in utc(event)] == [
        ("04 09:00", "04 10:00"), ("06 09:00", "06 10:00"), ("05 15:00", "05 16:00"),
    ]


def test_further_dates_and_periods_are_included_and_excluded_ones_left_out() -> None:
    """RDATE as times and as periods with an end or a length, EXDATE over several lines."""
    (event,) = read(
        "DTSTART:20260504T090000Z\nDTEND:20260504T100000Z\nRRULE:FREQ=DAILY;COUNT=3\nRDATE:20260510T090000Z\n"
        "RDATE;VALUE=PERIOD:20260511T090000Z/20260511T120000Z,20260512T090000Z/PT5H\n"
        "EXDATE:20260505T090000Z\nEXDATE:20260506T090000Z,20260510T090000Z"
    )
    assert utc(event) == [("04 09:00", "04 10:00"), ("11 09:00", "11 12:00"), ("12 09:00", "12 14:00")]


def test_slips_that_have_one_meaning_are_read() -> None:
    """White space before the first line, and a period of bare dates, which are midnights."""
    text = ics("DTSTART:20260504T090000Z\nDTEND:20260504T100000Z\nRDATE;VALUE=PERIOD:20260506/20260507")
    (event,) = read_ics("  \n " + text)
    assert utc(event) == [("04 09:00", "04 10:00"), ("06 00:00", "07 00:00")]


@pytest.mark.parametrize(
    "event",
    [
        "SUMMARY:when?",
        "DTSTART:20260504T090000Z\nEXRULE:FREQ=DAILY",
        "DTSTART:20260504T090000Z\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY",
        "DTSTART:20260504T090000Z\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260504T090000Z",
        "DTSTART:20261332",
    ],
)
def test_event_without_one_meaning_is_refused(event: str) -> None:
    """No start, rules that exclude, two rules, a range of moves, a date that is none."""
    with pytest.raises(HoursError):
        read(event)


@given(st.text(max_size=60) | st.binary(max_size=60) | st.none() | st.integers())
def test_any_text_raises_only_our_errors(text: Any) -> None:
    """Whatever the file holds, either it has events or a BookcoreError says why not."""
    with suppress(BookcoreError):
        assert all(isinstance(event, IcsEvent) for event in read_ics(text))


def test_missing_icalendar_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without icalendar a file is read, but the names that Windows has for zones are not known: the error says so."""
    monkeypatch.setitem(sys.modules, "icalendar.timezone.windows_to_olson", None)
    zones._windows.cache_clear()
    assert len(read("DTSTART;TZID=Europe/Berlin:20260504T090000\nDURATION:PT1H")) == 1
    with pytest.raises(CalendarFileError, match=r"bookcore\[ical\]"):
        read("DTSTART;TZID=W. Europe Standard Time:20260504T090000\nDURATION:PT1H")


def test_a_calendar_is_read_from_its_path_as_from_its_text(tmp_path: Path) -> None:
    """A `Path` is a file; a text that is the name of one gets told so."""
    text = ics("DTSTART:20260504T090000Z\nSUMMARY:Übung")
    path = tmp_path / "one.ics"
    path.write_text(text, encoding="utf-8")
    assert read_ics(path) == read_ics(text) == read_ics(text.encode())
    with pytest.raises(HoursError, match=r"pathlib\.Path"):
        read_ics(str(path))
    with pytest.raises(HoursError, match="cannot be read: No such file"):
        read_ics(tmp_path / "none.ics")
    with path.open("rb") as file:
        for thing in (None, 5, file):
            with pytest.raises(HoursError, match="a text, or"):
                read_ics(thing)  # type: ignore[arg-type]
