"""Writing calendar files: what is written reads back the same, here and by other programs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import BookingEvent, Calendar, Resource
from bookcore.errors import BookcoreError, CalendarFileError
from bookcore.integrations.ical import read_ics, write_ics

STAMP = datetime(2026, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
NINE = datetime(2026, 5, 4, 9)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def calendar_of(key: Callable[[datetime], Any]) -> Calendar:
    """Return a calendar with a booking, a hold and a closure, its keys made of naive datetimes."""
    calendar = Calendar(clock=lambda: 0)
    room = calendar.add_resource(Resource("Große; Halle, 1\\2"))
    calendar.book(room, key(NINE), key(NINE + 2 * DAY), id="talk", summary="Vortrag,\nmit; Pause " * 9)
    calendar.hold(room, key(NINE + 3 * DAY), key(NINE + 4 * DAY), until=1)
    calendar.close(room, key(NINE + 5 * DAY), key(NINE + 7 * DAY), "painting")
    return calendar


KEYS: dict[str, Callable[[datetime], Any]] = {
    "days": lambda moment: moment.date(),
    "floating": lambda moment: moment,
    "utc": lambda moment: moment.replace(tzinfo=UTC),
    "zone": lambda moment: moment.replace(tzinfo=BERLIN),
    "offset": lambda moment: moment.replace(tzinfo=timezone(timedelta(hours=5, minutes=30))),
}


@pytest.mark.parametrize("kind", KEYS)
def test_what_is_written_reads_back_the_same(kind: str, tmp_path: Path) -> None:
    """Spans, summaries, places and states, of bookings, holds and closures."""
    calendar, path = calendar_of(KEYS[kind]), tmp_path / "out.ics"
    assert write_ics(calendar, path, stamp=STAMP) == 3
    written: list[Any] = [*calendar.bookings(), *calendar.closures()]
    found = read_ics(path)
    assert [(event.start, event.end) for event in found] == [(each.start, each.end) for each in written]
    assert [list(event.spans()) for event in found] == [[(each.start, each.end)] for each in written]
    assert [event.status for event in found] == ["CONFIRMED", "TENTATIVE", "CONFIRMED"]
    assert [event.summary for event in found] == ["Vortrag,\nmit; Pause " * 9, "Große; Halle, 1\\2", "painting"]
    assert {event.location for event in found} == {"Große; Halle, 1\\2"}
    assert found.bad == ()
    assert write_ics(calendar.bookings(), path, stamp=STAMP) == 2
    assert len(read_ics(path)) == 2


def test_file_follows_the_rules_of_its_lines(tmp_path: Path) -> None:
    """RFC 5545, 3.1: CR LF, at most 75 bytes a line, no character cut; 3.6.1: UID and DTSTAMP, each UID once."""
    path = tmp_path / "out.ics"
    write_ics(calendar_of(KEYS["zone"]), path, stamp=STAMP)
    data = path.read_bytes()
    lines = data.split(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r\n") == len(lines) - 1
    assert max(map(len, lines)) <= 75
    for line in lines:
        line.decode()
    assert data.count(b"DTSTAMP:20260101T000000Z") == 3
    uids = re.findall(rb"UID:(.*)\r", data)
    assert len(set(uids)) == 3
    write_ics(calendar_of(KEYS["zone"]), path, stamp=STAMP)
    assert path.read_bytes() == data


def test_ids_with_one_text_get_two_uids(tmp_path: Path) -> None:
    """A number and its text are two ids: without two UIDs one booking would be a version of the other."""
    calendar, path = Calendar(), tmp_path / "out.ics"
    room = calendar.add_resource(Resource("room"))
    for place, name in enumerate([7, "7", "7-2", (7,)]):
        calendar.book(room, NINE + place * HOUR, NINE + (place + 1) * HOUR, id=name)
    write_ics(calendar, path)
    assert len(read_ics(path)) == 4


@pytest.mark.parametrize("kind", ["days", "floating", "zone"])
def test_zone_makes_instants_of_what_has_none(kind: str, tmp_path: Path) -> None:
    """The same instants that the zone gives when a file is read."""
    calendar, plain, located = calendar_of(KEYS[kind]), tmp_path / "plain.ics", tmp_path / "located.ics"
    write_ics(calendar, plain)
    write_ics(calendar, located, zone="Europe/Berlin")
    both = [[span for event in read_ics(path, zone="Europe/Berlin") for span in event.spans()] for path in (plain, located)]
    assert both[0] == both[1]
    assert b"VALUE=DATE" not in located.read_bytes()


@pytest.mark.parametrize("kind", ["utc", "zone", "offset"])
def test_free_busy_time_reads_back_as_busy_spans(kind: str, tmp_path: Path) -> None:
    """RFC 5545, 3.6.4: a VFREEBUSY has periods in UTC; free ones are left out."""
    calendar, path = calendar_of(KEYS[kind]), tmp_path / "busy.ics"
    (room,) = calendar.resources
    window = KEYS[kind](NINE + DAY), KEYS[kind](NINE + 6 * DAY)
    assert write_ics(calendar, path, free_busy=(room, *window)) == 1
    expected = [(start, end) for start, end, state in calendar.free_busy(room, *window) if state != "free"]
    assert [span for event in read_ics(path) for span in event.spans()] == expected
    assert [event.summary for event in read_ics(path)] == ["BUSY", "BUSY-TENTATIVE", "BUSY-UNAVAILABLE"]


def test_free_busy_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    """It is in UTC, so days and floating times need a zone, and with one they are written."""
    path = tmp_path / "busy.ics"
    for kind in ("days", "floating"):
        calendar = calendar_of(KEYS[kind])
        (room,) = calendar.resources
        window = room, KEYS[kind](NINE), KEYS[kind](NINE + 9 * DAY)
        with pytest.raises(CalendarFileError, match="zone="):
            write_ics(calendar, path, free_busy=window)
        assert not path.exists()
        write_ics(calendar, path, free_busy=window, zone=BERLIN)
        assert len(read_ics(path)) == 3
        path.unlink()


def test_last_day_of_inclusive_bounds_belongs_to_the_event(tmp_path: Path) -> None:
    """RFC 5545, 3.8.2.2: DTEND is the first point after the event; of times there is no next one."""
    calendar, path = Calendar(bounds="[]"), tmp_path / "out.ics"
    room = calendar.add_resource(Resource("room"))
    calendar.book(room, date(2026, 5, 4), date(2026, 5, 5))
    write_ics(calendar, path)
    assert [list(event.spans()) for event in read_ics(path)] == [[(date(2026, 5, 4), date(2026, 5, 6))]]
    write_ics(list(calendar.bookings()), path, bounds="[]")
    assert read_ics(path)[0].end == date(2026, 5, 6)
    with pytest.raises(CalendarFileError, match="no next time"):
        write_ics([BookingEvent("room", NINE, NINE + HOUR)], path, bounds="[]")


def test_booking_that_is_released_is_cancelled(tmp_path: Path) -> None:
    """So that a file can tell of it, as RFC 5546 has it."""
    calendar, path = calendar_of(KEYS["utc"]), tmp_path / "out.ics"
    event = calendar.remove_booking("talk")
    write_ics([event], path)
    assert read_ics(path) == []
    assert [event.status for event in read_ics(path, busy_only=False)] == ["CANCELLED"]


@pytest.mark.parametrize(
    "span",
    [(1, 2), ("a", "b"), (None, NINE), (NINE, None), (NINE, NINE.replace(microsecond=1)), (9.5, 10.5),
     (datetime(1, 1, 1, tzinfo=timezone(HOUR)), NINE.replace(tzinfo=UTC))],
)
def test_key_that_a_file_cannot_have_is_refused_and_nothing_is_changed(span: tuple[Any, Any], tmp_path: Path) -> None:
    """By name, and the file that was there stays."""
    path = tmp_path / "out.ics"
    path.write_text("as it was")
    with pytest.raises(CalendarFileError):
        write_ics([BookingEvent("room", NINE, NINE + HOUR), BookingEvent("room", *span)], path)
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("start", "end", "zone"),
    [
        (datetime(2026, 3, 29, 2, 15), datetime(2026, 3, 29, 3, 10), "Europe/Berlin"),  # 01:15 to 01:10 in UTC
        (datetime(2026, 3, 29, 2), datetime(2026, 3, 29, 3), "Europe/Berlin"),
        (datetime(2026, 3, 8, 2, 30), datetime(2026, 3, 8, 3, 15), "America/New_York"),
        (datetime(2026, 10, 4, 2), datetime(2026, 10, 4, 2, 30), "Australia/Lord_Howe"),
        (date(2011, 12, 30), date(2011, 12, 31), "Pacific/Apia"),
        (datetime(2011, 12, 30, 9), datetime(2011, 12, 31, 8), "Pacific/Apia"),
    ],
)
def test_span_that_the_clock_leaves_out_is_refused(start: Any, end: Any, zone: str, tmp_path: Path) -> None:
    """It would be written without a length, or with its end before its start, and would not read back."""
    calendar, path = Calendar[Any](), tmp_path / "out.ics"
    room = calendar.add_resource(Resource("room"))
    calendar.book(room, start, end)
    with pytest.raises(CalendarFileError, match="no time passes"):
        write_ics(calendar, path, zone=zone)
    with pytest.raises(CalendarFileError, match="no time passes"):
        write_ics(calendar, path, zone=zone, free_busy=(room, start - 2 * DAY, end + 2 * DAY))
    assert not path.exists()
    assert write_ics(calendar, path) == 1
    assert write_ics(calendar, path, zone="Asia/Kolkata") == 1
    assert len(read_ics(path)) == 1


class BrokenZone(tzinfo):
    """A zone whose code raises."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        raise ZeroDivisionError

    dst = tzname = utcoffset  # type: ignore[assignment]


class Unlisted:
    """What cannot be iterated, though it says that it can."""

    def __iter__(self) -> Any:
        raise ZeroDivisionError


def test_code_of_the_caller_that_raises_is_named(tmp_path: Path) -> None:
    """That of a zone, and of what should be iterable; nothing is written."""
    path, event = tmp_path / "out.ics", BookingEvent("room", NINE, NINE.replace(hour=10, tzinfo=BrokenZone()))
    with pytest.raises(CalendarFileError, match=r"by the code of its zone \(ZeroDivisionError\)"):
        write_ics([event], path)
    with pytest.raises(CalendarFileError, match=r"by the code of its zone \(ZeroDivisionError\)"):
        write_ics([], path, stamp=event.end)
    with pytest.raises(CalendarFileError, match="an iterable of bookings"):
        write_ics(Unlisted(), path)
    assert not path.exists()


class Described:
    """An iterable that counts how often its text was asked for, which for many bookings takes long."""

    def __init__(self) -> None:
        self.count = 0

    def __iter__(self) -> Any:
        return iter([BookingEvent("room", NINE, NINE.replace(hour=10))])

    def __repr__(self) -> str:
        self.count += 1
        return "described"


def test_what_is_written_is_described_only_where_it_is_refused(tmp_path: Path) -> None:
    source = Described()
    assert write_ics(source, tmp_path / "out.ics") == 1
    assert source.count == 0


def test_source_or_place_that_is_none_is_refused(tmp_path: Path) -> None:
    """Each is one of our errors, and leaves no file behind."""
    calendar = calendar_of(KEYS["utc"])
    for source, path in (
        (5, tmp_path / "a"), ("talk", tmp_path / "a"), ([5], tmp_path / "a"), (calendar, tmp_path / "no" / "a"),
        (calendar, tmp_path), (calendar, "a\0b"), (calendar, None),
    ):  # fmt: skip
        with pytest.raises(CalendarFileError):
            write_ics(source, path)  # type: ignore[arg-type]
    for arguments in ({"zone": "Mars"}, {"bounds": "()"}, {"stamp": NINE}, {"stamp": 5}, {"free_busy": "room"}):
        with pytest.raises(BookcoreError):
            write_ics(calendar, tmp_path / "a", **arguments)
    with pytest.raises(CalendarFileError):
        write_ics([], tmp_path / "a", free_busy=("room", NINE, NINE + HOUR))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "summary"),
    [({}, "room"), ({"summary": None}, "room"), ({"summary": ""}, ""), ({"summary": 0}, "0"), ({"summary": "None"}, "None"),
     ({"note": None}, "room")],
)
def test_booking_without_a_summary_is_called_like_its_resource(fields: dict[str, Any], summary: str, tmp_path: Path) -> None:
    """None is no summary, and not the text of it."""
    calendar, path = Calendar(), tmp_path / "out.ics"
    calendar.book(calendar.add_resource(Resource("room")), NINE, NINE + HOUR, **fields)
    write_ics(calendar, path)
    assert read_ics(path)[0].summary == summary


@given(st.text(max_size=200), st.text(max_size=20))
def test_any_text_reads_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, summary: str, name: str) -> None:
    """But for line ends and control characters, which a file cannot have."""
    path = tmp_path_factory.getbasetemp() / "text.ics"
    write_ics([BookingEvent(name, NINE, NINE + HOUR, summary=summary)], path)
    (event,) = read_ics(path, busy_only=False)
    plain = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "\ufffd", summary.replace("\r\n", "\n").replace("\r", "\n"))
    plain = plain.encode("utf-8", "replace").decode()
    assert event.summary == plain


def test_icalendar_takes_what_is_written(tmp_path: Path) -> None:
    """Another reader finds the same events, and no error."""
    icalendar = pytest.importorskip("icalendar", reason="icalendar (extra: ical) is not installed")
    path = tmp_path / "out.ics"
    for kind, key in KEYS.items():
        calendar = calendar_of(key)
        write_ics(calendar, path)
        parsed = icalendar.Calendar.from_ical(path.read_bytes())
        events = parsed.walk("VEVENT")
        written: list[Any] = [*calendar.bookings(), *calendar.closures()]
        assert [(event.start, event.end) for event in events] == [(each.start, each.end) for each in written], kind
        assert [str(event["SUMMARY"]) for event in events] == [event.summary for event in read_ics(path)]
        assert not any(component.errors for component in parsed.walk())
    calendar = calendar_of(KEYS["utc"])
    (room,) = calendar.resources
    write_ics(calendar, path, free_busy=(room, KEYS["utc"](NINE), KEYS["utc"](NINE + 9 * DAY)))
    (busy,) = icalendar.Calendar.from_ical(path.read_bytes()).walk("VFREEBUSY")
    assert len(busy["FREEBUSY"]) == 3


def test_recurring_ical_events_takes_what_is_written(tmp_path: Path) -> None:
    """And so does the library that expands recurring events."""
    peer = pytest.importorskip("recurring_ical_events", reason="recurring-ical-events (group: test) is not installed")
    icalendar = pytest.importorskip("icalendar", reason="icalendar (extra: ical) is not installed")
    path = tmp_path / "out.ics"
    for key in KEYS.values():
        calendar = calendar_of(key)
        write_ics(calendar, path)
        found = peer.of(icalendar.Calendar.from_ical(path.read_bytes())).between((2026, 1, 1), (2027, 1, 1))
        written: list[Any] = [*calendar.bookings(), *calendar.closures()]
        assert sorted((event.start, event.end) for event in found) == [(each.start, each.end) for each in written]
