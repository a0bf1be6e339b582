"""VAVAILABILITY (RFC 7953): what a file says is not available, and what a calendar writes of its hours and closures."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import Calendar, Resource
from bookcore.errors import BookcoreError, CalendarFileError
from bookcore.hours import Hours
from bookcore.integrations.ical import read_ics, write_ics

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def available(*lines: str, start: str = "DTSTART:20260504T090000Z", end: str = "DTEND:20260504T170000Z") -> list[str]:
    return ["BEGIN:AVAILABLE", start, end, *lines, "END:AVAILABLE"]


def file(*components: list[str]) -> str:
    inner = [line for lines in components for line in ["BEGIN:VAVAILABILITY", *lines, "END:VAVAILABILITY"]]
    return "\n".join(["BEGIN:VCALENDAR", *inner, "END:VCALENDAR"])


def told(text: str, days: int = 1, first: datetime = MONDAY, **options: Any) -> list[tuple[str, str, str]]:
    """Return what is not available from a day on, as days, hours and the first letters of its kind."""
    spans = read_ics(text, **options).unavailable(first, first + days * DAY)
    return [(f"{low:%d.%H%M}", f"{high:%d.%H%M}", kind) for low, high, kind in spans]


U, B, T = "BUSY-UNAVAILABLE", "BUSY", "BUSY-TENTATIVE"
DAILY = ["RRULE:FREQ=DAILY"]
CASES: dict[str, tuple[str, int, list[tuple[str, str, str]]]] = {
    # 3.1: all that is not AVAILABLE is busy, of BUSYTYPE, which is BUSY-UNAVAILABLE unless it is said
    "one part": (file(available()), 1, [("04.0000", "04.0900", U), ("04.1700", "05.0000", U)]),
    "its type": (file(["BUSYTYPE:BUSY-TENTATIVE", *available()]), 1, [("04.0000", "04.0900", T), ("04.1700", "05.0000", T)]),
    "a type that is not known": (file(["BUSYTYPE:X-AWAY"]), 1, [("04.0000", "05.0000", U)]),
    "no part": (file([]), 2, [("04.0000", "06.0000", U)]),
    "none": ("BEGIN:VCALENDAR\nEND:VCALENDAR", 1, []),
    # its span: nothing is said of what is outside of it, and what is available ends with it
    "from on": (file(["DTSTART:20260504T120000Z"]), 2, [("04.1200", "06.0000", U)]),
    "between": (file(["DTSTART:20260504T120000Z", "DURATION:PT3H"]), 2, [("04.1200", "04.1500", U)]),
    "parts beyond its span": (
        file(["DTSTART:20260504T080000Z", "DTEND:20260504T120000Z", *available()]), 2, [("04.0800", "04.0900", U)],
    ),
    # recurrence is that of events
    "daily": (file(available(*DAILY)), 2, [("04.0000", "04.0900", U), ("04.1700", "05.0900", U), ("05.1700", "06.0000", U)]),
    "a day less": (
        file(available(*DAILY, "EXDATE:20260505T090000Z")), 3,
        [("04.0000", "04.0900", U), ("04.1700", "06.0900", U), ("06.1700", "07.0000", U)],
    ),
    "a day more": (
        file(available("RDATE:20260506T090000Z")), 3,
        [("04.0000", "04.0900", U), ("04.1700", "06.0900", U), ("06.1700", "07.0000", U)],
    ),
    "another time once": (
        file([
            *available("UID:a", *DAILY),
            *available("UID:a", "RECURRENCE-ID:20260505T090000Z", start="DTSTART:20260505T110000Z", end="DURATION:PT1H"),
        ]), 2, [("04.0000", "04.0900", U), ("04.1700", "05.1100", U), ("05.1200", "06.0000", U)],
    ),
    "parts that touch and overlap": (
        file([*available(), *available(start="DTSTART:20260504T160000Z", end="DTEND:20260504T180000Z"),
              *available(start="DTSTART:20260504T180000Z", end="DTEND:20260504T190000Z")]), 1,
        [("04.0000", "04.0900", U), ("04.1900", "05.0000", U)],
    ),
    # priority: 1 stands above 9, and 0 (none) below all
    "a holiday above": (
        file(["PRIORITY:5", *available(*DAILY)],
             ["PRIORITY:1", "BUSYTYPE:BUSY", "DTSTART:20260504T120000Z", "DTEND:20260505T120000Z"]), 2,
        [("04.0000", "04.0900", U), ("04.1200", "05.1200", B), ("05.1700", "06.0000", U)],
    ),
    "a duty above": (
        file(["PRIORITY:9"], ["PRIORITY:8", "DTSTART:20260504T090000Z", "DTEND:20260504T120000Z",
                             *available(end="DTEND:20260504T100000Z")]), 1,
        [("04.0000", "04.0900", U), ("04.1000", "05.0000", U)],
    ),
    "none is the lowest": (
        file(["PRIORITY:9", "BUSYTYPE:BUSY", "DTSTART:20260504T120000Z", "DTEND:20260504T130000Z"], available()), 1,
        [("04.0000", "04.0900", U), ("04.1200", "04.1300", B), ("04.1700", "05.0000", U)],
    ),
    "equal ones by their type": (
        file(["BUSYTYPE:BUSY-TENTATIVE", "DTSTART:20260504T000000Z", "DTEND:20260504T030000Z"],
             ["DTSTART:20260504T020000Z", "DTEND:20260504T050000Z"],
             ["BUSYTYPE:BUSY", "DTSTART:20260504T010000Z", "DTEND:20260504T040000Z"]), 1,
        [("04.0000", "04.0100", T), ("04.0100", "04.0400", B), ("04.0400", "04.0500", U)],
    ),
    "the newest version": (
        file(["UID:v", "SEQUENCE:2", *available()], ["UID:v", "SEQUENCE:1"]), 1,
        [("04.0000", "04.0900", U), ("04.1700", "05.0000", U)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_available_is_told(name: str) -> None:
    text, days, expected = CASES[name]
    assert told(text, days) == expected


def test_hours_follow_the_clock_of_their_zone() -> None:
    """A rule of Berlin over the night in which its clock is set forward: an hour less of the night is closed."""
    zone = "TZID=Europe/Berlin"
    part = available(*DAILY, start=f"DTSTART;{zone}:20260327T090000", end=f"DTEND;{zone}:20260327T170000")
    first = datetime(2026, 3, 28, tzinfo=BERLIN)
    spans = list(read_ics(file(part)).unavailable(first, datetime(2026, 3, 30, tzinfo=BERLIN)))
    assert [(low.hour, high.hour) for low, high, _ in spans] == [(0, 9), (17, 9), (17, 0)]
    assert [high.astimezone(UTC) - low.astimezone(UTC) for low, high, _ in spans] == [9 * HOUR, 15 * HOUR, 7 * HOUR]


def test_times_without_a_zone_need_one() -> None:
    """Dates and floating times are no instants, unless the zone is said."""
    floating = file(available(start="DTSTART:20260504T090000", end="DTEND:20260504T170000"))
    days = file(["DTSTART;VALUE=DATE:20260504", "DTEND;VALUE=DATE:20260505"])
    for text in (floating, days):
        with pytest.raises(CalendarFileError, match="zone="):
            read_ics(text)
        assert len(read_ics(text, on_bad="skip").bad) == 1
    assert told(floating, 1, zone="Europe/Berlin") == [("04.0000", "04.0700", U), ("04.1500", "05.0000", U)]
    assert told(days, 2, zone="Europe/Berlin") == [("04.0000", "04.2200", U)]


@pytest.mark.parametrize(
    "lines",
    [
        ["DTEND:20260504T120000Z"], ["DTSTART:20260504T120000Z", "DTEND:20260504T110000Z"], ["PRIORITY:10"], ["PRIORITY:x"],
        ["BEGIN:AVAILABLE", "END:AVAILABLE"], ["BEGIN:AVAILABLE", "DTSTART:20260504T120000Z", "END:AVAILABLE"],
        available("RRULE:FREQ=SOMETIMES"), available("DTSTART:20260504T100000Z"), ["DTSTART;TZID=Mars:20260504T120000"],
        available("RRULE FREQ=DAILY"), ["BUSYTYPE"], ["DTSTART;TZID=Europe/Berlin:00010101T000000"],
        ["DTSTART:20260504T120000Z", "DTEND;TZID=America/New_York:99991231T230000"],
    ],
)  # fmt: skip
def test_component_that_cannot_be_read_is_refused_as_a_whole(lines: list[str]) -> None:
    """By line, or left out and listed, with nothing half read; events beside it are read."""
    event = ["BEGIN:VEVENT", "UID:e", "DTSTART:20260504T120000Z", "DURATION:PT1H", "END:VEVENT"]
    text = file(lines).replace("END:VCALENDAR", "\n".join([*event, "END:VCALENDAR"]))
    with pytest.raises(CalendarFileError):
        read_ics(text)
    found = read_ics(text, on_bad="skip")
    assert [one.uid for one in found] == ["e"]
    assert found.bad and all(fault.line for fault in found.bad)
    assert found.availability == () and list(found.unavailable(MONDAY, MONDAY + DAY)) == []


@pytest.mark.parametrize("method", ["", "PUBLISH", "REQUEST", "ADD"])
def test_replaced_occurrence_is_excluded_whatever_the_method(method: str) -> None:
    text, _, unavailable = CASES["another time once"]
    text = text.replace("BEGIN:VCALENDAR", f"BEGIN:VCALENDAR\nMETHOD:{method}")
    main, replaced = read_ics(text).availability[0].available
    assert [len(event.exclude) for event in (main, replaced)] == [1, 0]
    assert [event.method for event in (main, replaced)] == [method, method]
    assert told(text, 2) == unavailable


def test_alarm_of_what_is_available_is_not_read() -> None:
    """An alarm that cannot be read is no reason to refuse what it belongs to."""
    events = read_ics(file(available("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:rubbish", "END:VALARM")), on_bad="skip")
    assert not events.bad
    assert [(len(said.available), said.available[0].line) for said in events.availability] == [(1, 3)]


def test_question_that_makes_no_sense_is_refused() -> None:
    found = read_ics(file([]))
    for start, end in ((MONDAY, MONDAY.replace(tzinfo=None)), (MONDAY, 5), (MONDAY.date(), MONDAY), (MONDAY + DAY, MONDAY)):
        with pytest.raises(BookcoreError):
            list(found.unavailable(start, end))  # type: ignore[arg-type]
    assert list(found.unavailable(MONDAY, MONDAY)) == []


OPENING = st.tuples(st.integers(0, 22), st.integers(1, 8)).map(lambda at: f"{at[0]:02}:00-{at[0] + at[1]:02}:30")
RULE = st.dictionaries(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), OPENING, max_size=7)
SPAN = st.tuples(st.integers(0, 8 * 48), st.integers(1, 100))


@given(RULE, st.dictionaries(st.integers(0, 7), st.none() | OPENING, max_size=3), st.lists(SPAN, max_size=5), st.booleans())
def test_what_is_written_reads_back_as_what_is_closed(
    tmp_path_factory: pytest.TempPathFactory, rule: Any, exceptions: Any, closures: list[tuple[int, int]], has_hours: bool
) -> None:
    """Hours with exceptions and closures, over the night in which the clock of Berlin is set back."""
    first = datetime(2026, 10, 21, tzinfo=BERLIN)
    calendar = Calendar[Any]()
    room = calendar.add_resource(Resource("Große; Halle"))
    if has_hours:
        dates = {f"2026-10-{21 + day}": each for day, each in exceptions.items()}
        calendar.set_hours(room, Hours(rule, zone="Europe/Berlin", exceptions=dates))
    begun = first.astimezone(UTC)
    for at, length in closures:
        calendar.close(room, begun + at * HOUR / 2, begun + (at + length) * HOUR / 2, "away")
    window = begun, begun + 8 * DAY
    path = tmp_path_factory.getbasetemp() / "available.ics"
    assert write_ics(calendar, path, availability=(room, *window)) == 1
    expected: list[Any] = []
    for low, high, state in calendar.free_busy(room, *window):
        if state == "closed":
            if expected and expected[-1][1] == low:
                expected[-1] = expected[-1][0], high
            else:
                expected.append((low, high))
    found = read_ics(path)
    assert found == []
    assert list(found.unavailable(*window)) == [(low, high, U) for low, high in expected]
    assert list(found.unavailable(begun - DAY, begun)) == []
    again = Calendar[Any]()  # as closures it is the same
    again.add_resource(Resource("room"))
    for low, high, _ in found.unavailable(*window):
        again.close("room", low, high)
    assert [(each.start, each.end) for each in again.closures()] == expected


def test_availability_is_written_whatever_the_keys_and_refused_where_it_cannot_be(tmp_path: Path) -> None:
    """Unbounded closures end with the span; naive times need a zone; bounds that include the end have no form."""
    path = tmp_path / "out.ics"
    calendar = Calendar[Any]()
    room = calendar.add_resource(Resource("room"))
    calendar.close(room, None, MONDAY + 2 * HOUR)
    calendar.close(room, MONDAY + 9 * HOUR, None)
    write_ics(calendar, path, availability=(room, MONDAY, MONDAY + DAY))
    assert told(path.read_text()) == [("04.0000", "04.0200", U), ("04.0900", "05.0000", U)]
    assert write_ics(calendar, path, availability=(room, MONDAY, MONDAY + DAY), free_busy=(room, MONDAY, MONDAY + DAY)) == 2
    for start, end in ((None, MONDAY), (MONDAY, None), (MONDAY + DAY, MONDAY), (MONDAY, MONDAY)):
        with pytest.raises(BookcoreError):
            write_ics(calendar, path, availability=(room, start, end))
    naive = Calendar[Any]()
    naive.set_hours(naive.add_resource(Resource("room")), Hours({"mon": "09:00-17:00"}))
    asked = "room", MONDAY.replace(tzinfo=None), MONDAY.replace(tzinfo=None) + DAY
    with pytest.raises(CalendarFileError, match="zone="):
        write_ics(naive, path, availability=asked)
    write_ics(naive, path, availability=asked, zone="Europe/Berlin")
    assert told(path.read_text()) == [("04.0000", "04.0700", U), ("04.1500", "04.2200", U)]
    with pytest.raises(BookcoreError):
        write_ics(naive, path, availability=("nobody", *asked[1:]))
    shut = Calendar(bounds="[]")
    shut.add_resource(Resource("room"))
    with pytest.raises(CalendarFileError, match="does not belong"):
        write_ics(shut, path, availability=("room", MONDAY, MONDAY + DAY))


def test_icalendar_takes_the_availability_that_is_written(tmp_path: Path) -> None:
    """Each component with its UID, and no error."""
    icalendar = pytest.importorskip("icalendar", reason="icalendar (extra: ical) is not installed")
    path = tmp_path / "out.ics"
    calendar = Calendar[Any]()
    room = calendar.add_resource(Resource("room"))
    calendar.set_hours(room, Hours({"mon-fri": "09:00-17:00"}, zone="Europe/Berlin"))
    write_ics(calendar, path, availability=(room, MONDAY, MONDAY + 7 * DAY), stamp=MONDAY)
    parsed = icalendar.Calendar.from_ical(path.read_bytes())
    (said,) = parsed.walk("VAVAILABILITY")
    parts = parsed.walk("AVAILABLE")
    assert (said["DTSTART"].dt, said["DTEND"].dt) == (MONDAY, MONDAY + 7 * DAY)
    assert [part["DTSTART"].dt for part in parts] == [MONDAY + n * DAY + 7 * HOUR for n in range(5)]
    assert not any(component.errors for component in parsed.walk())
    assert len(set(re.findall(rb"UID:(.*)\r", path.read_bytes()))) == 6
