"""Calendar files as people have them: each kind of fault or slip with several inputs, and what the RFC says of it.

Paragraphs are those of RFC 5545, where no other RFC is named.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore import Calendar, Resource
from bookcore.errors import CalendarFileError, HoursError
from bookcore.hours.rrule import read_rule
from bookcore.integrations.ical import FileZone, IcsEvent, read_ics
from bookcore.recurrence import recurring

HOUR = timedelta(hours=1)
SPAN = "DTSTART:20260504T090000Z\nDTEND:20260504T100000Z"
DAILY = f"UID:w\n{SPAN}\nRRULE:FREQ=DAILY;COUNT=3"
BERLIN = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""
NOWHERE = BERLIN.replace("+0200", "+0217").replace("+0100", "+0117")  # a clock that no zone of IANA has


def ics(*events: str, before: str = "") -> str:
    """Return a calendar of events."""
    bodies = [f"BEGIN:VEVENT\n{event}\nEND:VEVENT" for event in events]
    return "\n".join(filter(None, ["BEGIN:VCALENDAR", before, *bodies, "END:VCALENDAR"])) + "\n"


def told(key: date) -> str:
    """Return a key: a date as 05-04, a floating time as 05-04 09:00, an instant as 05-04 09:00Z."""
    if not isinstance(key, datetime):
        return f"{key:%m-%d}"
    return f"{key.astimezone(UTC):%m-%d %H:%MZ}" if key.tzinfo is not None else f"{key:%m-%d %H:%M}"


def starts(events: Iterable[IcsEvent]) -> list[str]:
    """Return the starts of all spans, sorted."""
    return sorted(told(start) for event in events for start, _ in islice(event.spans(), 50))


def spans(events: Iterable[IcsEvent]) -> list[str]:
    """Return all spans, sorted."""
    return sorted(f"{told(start)}/{told(end)}" for event in events for start, end in islice(event.spans(), 50))


WHOLE = ics(f"UID:1\n{SPAN}")
ONE = ["05-04 09:00Z"]


# -- cut and foreign files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (WHOLE.replace("END:VCALENDAR\n", ""), ONE),
        (WHOLE.replace("END:VCALENDAR\n", "BEGIN:VEVENT\nUID:2\nDTSTART:20260505"), ONE),
        (WHOLE.replace("END:VCALENDAR\n", f"BEGIN:VEVENT\nUID:2\n{SPAN}\nBEGIN:VALARM\n"), ONE),
        (WHOLE.replace("END:VEVENT\n", ""), []),
        (ics(f"UID:1\n{SPAN}\nBEGIN:VALARM\nTRIGGER:-PT5M"), ONE),  # the alarm alone is cut
        (WHOLE.replace("BEGIN:VEVENT", "BEGIN:VEVENT\nUID:2\nDTSTART:20260505\nBEGIN:VEVENT"), ONE),
        (WHOLE.replace("END:VCALENDAR", "BEGIN:VTODO\nUID:2\nEND:VCALENDAR"), ONE),
        ("BEGIN:VCALENDAR", []),
        ("BEGIN:VEVENT\nUID:1\nDTSTART:20260504", []),
        (WHOLE + "BEGIN:VCALENDAR\nBEGIN:VEVENT", ONE),
        (WHOLE.replace("BEGIN:VEVENT\n", f"BEGIN:VEVENT\nBEGIN:VEVENT\nUID:2\n{SPAN}\nEND:VEVENT\n", 1)[:-26], ONE),
    ],
)  # fmt: skip
def test_cut_file_is_refused_or_its_whole_events_are_read(text: str, kept: list[str]) -> None:
    """3.6: a component has an END; a file that lacks one was cut, and is not an empty calendar."""
    with pytest.raises(CalendarFileError, match="there is no END") as caught:
        read_ics(text)
    assert caught.value.line is not None
    events = read_ics(text, on_bad="skip")
    assert starts(events) == kept
    assert [error.reason for error in events.bad][:1] == [caught.value.reason]


def zipped() -> bytes:
    """Return a zip archive of a calendar."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("team.ics", WHOLE)
    return file.getvalue()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "empty"),
        (b"", "empty"),
        (" \r\n\t\n", "empty"),
        ("\ufeff", "empty"),
        (zipped(), "zip archive"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        ("BEGIN:VCARD\nFN:Ada\nEND:VCARD\n", "vCard"),
        ("<!DOCTYPE html><html></html>", "web page"),
        ('<?xml version="1.0"?><icalendar/>', "web page or XML"),
        ("Subject,Start Date\nTalk,2026-05-04", "no iCalendar"),
        ("BEGIN", "no iCalendar"),
        ("\xff\xfeB".encode("latin-1"), "utf-16"),
        (WHOLE.encode("utf-16")[:-1], "utf-16"),
    ],
)
def test_foreign_file_is_refused_by_name_also_with_skip(source: str | bytes, reason: str) -> None:
    """What is no calendar has no events that could be left out."""
    for on_bad in ("raise", "skip"):
        with pytest.raises(CalendarFileError, match=reason):
            read_ics(source, on_bad=on_bad)


@pytest.mark.parametrize(
    "source",
    [
        WHOLE.replace("\n", "\r\n"),
        WHOLE.replace("\n", "\r"),
        WHOLE.replace("\n", "\r\r\n"),
        WHOLE.replace("\n", "\r") + "\n",
        WHOLE.replace("\n", "\r")[:-1] + "\r\n",
        WHOLE.replace("\n", "\r") + "\n\n",
        "\n\n" + WHOLE.replace("\n", "\r"),
        WHOLE.replace("\n", "\r", 3),
        WHOLE.replace("\n", "\r").encode("utf-16") + "\n".encode("utf-16-le"),
        WHOLE.replace("\n", "\n\n"),
        "\ufeff" + WHOLE,
        "\n\n  " + WHOLE + "\n\0\x1a",
        WHOLE.encode("utf-16"),
        WHOLE.encode("utf-16-le"),
        WHOLE.encode("utf-16-be"),
        WHOLE.replace("\n", "\r").encode("utf-16"),
        WHOLE.encode("utf-8-sig"),
        WHOLE.lower().replace("dtstart:20260504t090000z", "dtstart:20260504T090000Z"),
        WHOLE.replace("DTSTART:", "DTST\n ART:").replace("DTEND:", "DTEND\n\t:"),
        WHOLE.replace("UID:1", "UID:1\nDESCRIPTION:a\x0bb\u2028c\x85d"),
        WHOLE.replace("UID:", "UID :"),
    ],
    ids=range(21),
)
def test_encodings_and_line_ends_are_recognised(source: str | bytes, tmp_path: Path) -> None:
    """3.1: lines end with CR LF and are folded; other ends, BOMs and UTF-16 are certain, and read as they are meant."""
    assert starts(read_ics(source)) == ONE
    path = tmp_path / "team.ics"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    assert starts(read_ics(path)) == ONE


def test_character_folded_between_its_bytes_is_whole() -> None:
    """3.1: folding may split a character of several bytes."""
    data = WHOLE.replace("UID:1", "UID:1\nSUMMARY:Übung").encode()
    place = data.index("Ü".encode()) + 1
    (event,) = read_ics(data[:place] + b"\r\n " + data[place:])
    assert event.summary == "Übung"


def test_bytes_that_are_not_utf_8_are_refused_by_line() -> None:
    """A file in Latin-1 cannot be told from others; the error names the way out, and it works."""
    data = WHOLE.replace("UID:1", "UID:1\nSUMMARY:Übung").encode("latin-1")
    with pytest.raises(CalendarFileError, match="not UTF-8") as caught:
        read_ics(data)
    assert caught.value.line == 4
    assert read_ics(data.decode("latin-1"))[0].summary == "Übung"
    assert starts(read_ics(data, on_bad="skip")) == ONE


# -- what takes time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "busy"),
    [
        ("STATUS:CANCELLED", False),
        ("STATUS:Cancelled ", False),
        ("STATUS:TENTATIVE", True),
        ("STATUS:CONFIRMED", True),
        ("TRANSP:TRANSPARENT", False),
        ("transp:transparent", False),
        ("TRANSP:OPAQUE", True),
        ("X-MICROSOFT-CDO-BUSYSTATUS:FREE", False),
        ("X-MICROSOFT-CDO-BUSYSTATUS:OOF", True),
        ("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", True),
        ("TRANSP:OPAQUE\nX-MICROSOFT-CDO-BUSYSTATUS:FREE", False),
        ("STATUS:CONFIRMED\nTRANSP:TRANSPARENT", False),
    ],
)
def test_only_what_takes_time_is_given_unless_all_is_asked_for(facts: str, busy: bool) -> None:
    """3.8.1.11 (STATUS), 3.8.2.7 (TRANSP), [MS-OXCICAL] 2.1.3.1.1.20.17."""
    text = ics(f"UID:1\n{SPAN}\n{facts}")
    assert starts(read_ics(text)) == (ONE if busy else [])
    (event,) = read_ics(text, busy_only=False)
    assert event.takes_time is busy


@pytest.mark.parametrize(
    ("method", "busy"),
    [("PUBLISH", True), ("REQUEST", True), ("CANCEL", False), ("REPLY", False), ("COUNTER", False),
     ("DECLINECOUNTER", False), ("REFRESH", False), ("cancel", False)],
)
def test_method_says_whether_it_is_an_event_or_a_message_about_one(method: str, busy: bool) -> None:
    """RFC 5546, 1.4: an answer, a proposal or a question is not the event."""
    text = ics(f"UID:1\n{SPAN}", before=f"METHOD:{method}")
    assert starts(read_ics(text)) == (ONE if busy else [])
    (event,) = read_ics(text, busy_only=False)
    assert event.method == method.upper()
    answered = ics(f"UID:1\nSEQUENCE:9\n{SPAN.replace('T09', 'T08')}", before=f"METHOD:{method}")
    if method in ("REPLY", "COUNTER"):
        assert starts(read_ics(WHOLE + answered)) == ONE


@pytest.mark.parametrize(
    "called_off",
    [
        f"UID:w\nRECURRENCE-ID:20260505T090000Z\n{SPAN.replace('0504', '0505')}\nSTATUS:CANCELLED",
        "UID:w\nRECURRENCE-ID:20260505T090000Z\nSTATUS:CANCELLED",
        f"UID:w\nRECURRENCE-ID:20260505T090000Z\n{SPAN.replace('0504', '0505')}\nTRANSP:TRANSPARENT",
        f"UID:w\nRECURRENCE-ID;TZID=Europe/Berlin:20260505T110000\n{SPAN.replace('0504', '0505')}\nSTATUS:CANCELLED",
        f"UID:w\nRECURRENCE-ID;VALUE=DATE:20260505\n{SPAN.replace('0504', '0505')}\nSTATUS:CANCELLED",
        "UID:w\nRECURRENCE-ID:20260505T090000Z\nDTSTART:20260505T090000Z\nX-MICROSOFT-CDO-BUSYSTATUS:FREE",
    ],
)
def test_occurrence_that_is_called_off_leaves_its_series(called_off: str) -> None:
    """3.8.4.4: it replaces the occurrence that it names."""
    assert starts(read_ics(ics(DAILY, called_off))) == ["05-04 09:00Z", "05-06 09:00Z"]
    assert starts(read_ics(ics(called_off, DAILY))) == ["05-04 09:00Z", "05-06 09:00Z"]


def test_series_that_is_called_off_takes_its_older_changes_along() -> None:
    """RFC 5546, 3.2.5: a CANCEL without RECURRENCE-ID calls off all; a change that is newer stands."""
    moved = "UID:w\nRECURRENCE-ID:20260505T090000Z\nDTSTART:20260505T150000Z\nDURATION:PT1H"
    assert starts(read_ics(ics(DAILY + "\nSTATUS:CANCELLED\nSEQUENCE:1", moved))) == []
    assert starts(read_ics(ics(DAILY + "\nSTATUS:CANCELLED", moved + "\nSEQUENCE:2"))) == ["05-05 15:00Z"]
    cancel = ics("UID:w\nSEQUENCE:1\nDTSTAMP:20260101T000000Z", before="METHOD:CANCEL")
    assert starts(read_ics(ics(DAILY) + cancel)) == []
    assert [event.status for event in read_ics(ics(DAILY) + cancel, busy_only=False)] == ["CANCELLED"]


# -- versions -------------------------------------------------------------------------------------------


def at(hour: int, facts: str) -> str:
    """Return an event of one UID at an hour."""
    return f"UID:1\nDTSTART:20260504T{hour:02}0000Z\nDURATION:PT1H\n{facts}"


@pytest.mark.parametrize(
    ("versions", "hour"),
    [
        ([at(9, "SEQUENCE:1"), at(11, "SEQUENCE:2")], 11),
        ([at(11, "SEQUENCE:2"), at(9, "SEQUENCE:1")], 11),
        ([at(9, ""), at(11, "SEQUENCE:1")], 11),
        ([at(9, "SEQUENCE:10"), at(11, "SEQUENCE:9")], 9),
        ([at(9, "DTSTAMP:20260102T000000Z"), at(11, "DTSTAMP:20260101T000000Z")], 9),
        ([at(9, "DTSTAMP:20260101T000000Z"), at(11, "DTSTAMP:20260102T000000Z")], 11),
        ([at(9, "SEQUENCE:2\nDTSTAMP:20260101T000000Z"), at(11, "SEQUENCE:1\nDTSTAMP:20260301T000000Z")], 9),
        ([at(11, "STATUS:TENTATIVE"), at(11, "")], 11),  # nothing says which is newer, and the times are equal: one event
        ([at(9, "SEQUENCE:1"), at(10, "SEQUENCE:3"), at(11, "SEQUENCE:2")], 10),
        ([at(9, "SEQUENCE:1"), at(11, "SEQUENCE:2"), at(12, "SEQUENCE:2\nDTSTAMP:20250101T000000Z")], 12),
    ],
)
def test_newest_version_of_an_event_stands(versions: list[str], hour: int) -> None:
    """RFC 5546, 2.1.5: the higher SEQUENCE, and for equal ones the later DTSTAMP."""
    assert starts(read_ics(ics(*versions))) == [f"05-04 {hour:02}:00Z"]
    assert starts(read_ics("".join(map(ics, versions)))) == [f"05-04 {hour:02}:00Z"]


@pytest.mark.parametrize(
    ("versions", "hours"),
    [
        ([at(9, ""), at(11, "")], [9, 11]),
        ([at(11, ""), at(9, "")], [9, 11]),
        ([at(9, "SEQUENCE:2"), at(10, "SEQUENCE:1"), at(11, "SEQUENCE:2")], [9, 11]),
        ([at(9, "DTSTAMP:20260101T000000Z"), at(11, "DTSTAMP:20260101T000000Z")], [9, 11]),
        ([at(9, ""), at(10, ""), at(11, ""), at(10, "")], [9, 10, 11]),
        ([at(9, ""), at(9, "RRULE:FREQ=DAILY;COUNT=1")], [9, 9]),
        ([at(9, ""), at(11, "STATUS:CANCELLED")], [9]),
        ([at(9, ""), at(9, "STATUS:CANCELLED")], []),
        ([at(9, ""), at(11, ""), "UID:1\nSTATUS:CANCELLED"], []),
    ],
)
def test_versions_that_nothing_puts_in_order_all_stand(versions: list[str], hours: list[int]) -> None:
    """Some programs give one UID to many events, and one DTSTAMP to all: none of them vanishes."""
    for text in (ics(*versions), "".join(map(ics, versions))):
        assert starts(read_ics(text)) == [f"05-04 {hour:02}:00Z" for hour in hours]


def test_replaced_occurrence_leaves_all_events_of_its_uid() -> None:
    """It is named by its UID, and each of them may be meant; two replacements as new as each other both stand."""
    other = DAILY.replace("T09", "T11").replace("T10", "T12")
    moved = "UID:w\nRECURRENCE-ID:20260505T{}0000Z\nDTSTART:20260505T{}0000Z\nDURATION:PT1H"
    assert starts(read_ics(ics(DAILY, other, moved.format("09", "15"), moved.format("09", "16")))) == [
        "05-04 09:00Z", "05-04 11:00Z", "05-05 11:00Z", "05-05 15:00Z", "05-05 16:00Z", "05-06 09:00Z", "05-06 11:00Z",
    ]  # fmt: skip
    assert starts(read_ics(ics(DAILY, other, moved.format("11", "15"), moved.format("11", "15")))) == [
        "05-04 09:00Z", "05-04 11:00Z", "05-05 09:00Z", "05-05 15:00Z", "05-06 09:00Z", "05-06 11:00Z",
    ]  # fmt: skip


def test_newest_version_of_an_occurrence_stands() -> None:
    """The same for one occurrence, however each version names it."""
    names = "RECURRENCE-ID:20260505T090000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20260505T110000"
    for one, other in (names, names[::-1]):
        first = f"UID:w\n{one}\nDTSTART:20260505T120000Z\nDURATION:PT1H\nSEQUENCE:1"
        second = f"UID:w\n{other}\nDTSTART:20260505T150000Z\nDURATION:PT1H\nSEQUENCE:2"
        for order in ((DAILY, first, second), (second, DAILY, first)):
            assert starts(read_ics(ics(*order))) == ["05-04 09:00Z", "05-05 15:00Z", "05-06 09:00Z"]


def test_events_without_uid_are_no_versions_of_each_other() -> None:
    """3.8.4.7: a UID names an event; where there is none, each stands for itself."""
    assert starts(read_ics(ics(SPAN, SPAN.replace("0504", "0505")))) == ["05-04 09:00Z", "05-05 09:00Z"]


# -- single occurrences ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "RECURRENCE-ID;TZID=W. Europe Standard Time:20210409T000000",
        "RECURRENCE-ID;TZID=Asia/Tokyo:20210409T000000",
        "RECURRENCE-ID;VALUE=DATE:20210409",
        "RECURRENCE-ID:20210409",
        "RECURRENCE-ID:20210409T000000",
        "RECURRENCE-ID:20210408T220000Z",  # midnight in Berlin
        "RECURRENCE-ID:20210409T040000Z",  # and in New York
        "RECURRENCE-ID:20210409T000000Z",
        "RECURRENCE-ID:20210408T150000Z",  # in Tokyo
        "RECURRENCE-ID;TZID=America/New_York:20210409T000000",
    ],
)
def test_occurrence_of_whole_days_is_named_by_a_date_or_a_local_midnight(name: str) -> None:
    """3.8.4.4: its value has the type of DTSTART; programs write a midnight, and mean the day."""
    pytest.importorskip("icalendar", reason="icalendar (extra: ical) is not installed")
    days = "UID:1\nDTSTART;VALUE=DATE:20210407\nRRULE:FREQ=DAILY;COUNT=4"
    moved = f"UID:1\n{name}\nDTSTART;VALUE=DATE:20210412"
    assert starts(read_ics(ics(days, moved))) == ["04-07", "04-08", "04-10", "04-12"]
    excluded = name.replace("RECURRENCE-ID", "EXDATE")
    assert starts(read_ics(ics(f"{days}\n{excluded}"))) == ["04-07", "04-08", "04-10"]


def test_zone_of_the_call_says_which_midnight_is_meant() -> None:
    """Midnight in Auckland is noon in UTC, or earlier: without the zone it is nearer to the day before."""
    days = "UID:1\nDTSTART;VALUE=DATE:20210107\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20210108T110000Z"
    kept = [event.spans() for event in read_ics(ics(days), zone="Pacific/Auckland")]
    assert [start.day for spans in kept for start, _ in spans] == [7, 8, 10]


@pytest.mark.parametrize(
    "name",
    [
        "RECURRENCE-ID:20260505T070000Z",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260505T090000",
        "RECURRENCE-ID;TZID=America/New_York:20260505T030000",
        "RECURRENCE-ID:20260505T090000",  # a floating time, on the clock of the series
        "RECURRENCE-ID;VALUE=DATE:20260505",
        "RECURRENCE-ID;TZID=Asia/Kolkata:20260505T123000",
    ],
)
def test_occurrence_of_a_timed_series_is_named_by_its_instant(name: str) -> None:
    """3.8.4.4: an instant of another zone is the same occurrence; a rule in what replaces it has no meaning."""
    timed = "UID:1\nDTSTART;TZID=Europe/Berlin:20260504T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3"
    for rule in ("", "\nRRULE:FREQ=DAILY;COUNT=3", "\nRDATE:20260601T090000Z", "\nRRULE:FREQ=WEEKLY"):
        moved = f"UID:1\n{name}\nDTSTART;TZID=Europe/Berlin:20260505T150000\nDURATION:PT1H{rule}"
        assert starts(read_ics(ics(timed, moved))) == ["05-04 07:00Z", "05-05 13:00Z", "05-06 07:00Z"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("TZID=Europe/Berlin:20261025T023000", {"ambiguous": "second"}),
        ("VALUE=DATE-TIME:20261025T003000Z", {"ambiguous": "second"}),
        ("TZID=America/New_York:20261024T203000", {"ambiguous": "second"}),
        ("VALUE=DATE-TIME:20261025T023000", {"ambiguous": "second"}),
        ("VALUE=DATE:20261025", {"ambiguous": "second"}),
        ("TZID=Europe/Berlin:20260329T023000", {"nonexistent": "jump"}),
        ("VALUE=DATE-TIME:20260329T013000Z", {"nonexistent": "jump"}),
        ("TZID=Europe/Berlin:20260329T033000", {"nonexistent": "jump"}),
        ("VALUE=DATE-TIME:20260329T023000", {"nonexistent": "jump"}),
        ("TZID=Europe/Berlin:20261025T023000", {}),
        ("TZID=Europe/Berlin:20260329T023000", {}),
    ],
)
def test_occurrence_at_a_clock_change_is_named_alike_whatever_the_policy(name: str, changes: dict[str, Any]) -> None:
    """A name says which occurrence is meant, as the RFC reads it (3.3.5), and not when it takes place."""
    day = datetime.strptime(name.rpartition(":")[2][:8], "%Y%m%d")
    first = day - timedelta(days=1) if "T20" not in name else day
    timed = f"UID:1\nDTSTART;TZID=Europe/Berlin:{first:%Y%m%d}T023000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3"
    for text in (
        ics(f"{timed}\nEXDATE;{name}"),
        ics(timed, f"UID:1\nRECURRENCE-ID;{name}\nSTATUS:CANCELLED"),
    ):
        (event,) = read_ics(text)
        assert [start.day for start, _ in event.spans(**changes)] == [first.day, first.day + 2]


def test_times_of_rdate_follow_the_policies_as_those_of_a_rule_do() -> None:
    """Unless they are given in UTC, and so are one instant."""
    event = "UID:1\nDTSTART;TZID=Europe/Berlin:20261024T023000\nDURATION:PT1H\nRDATE;TZID=Europe/Berlin:20261025T023000"
    (read,) = read_ics(ics(f"{event}\nRDATE:20261025T000000Z"))
    assert [told(start) for start, _ in read.spans()] == ["10-24 00:30Z", "10-25 00:00Z", "10-25 00:30Z"]
    assert [told(start) for start, _ in read.spans(ambiguous="second")] == ["10-24 00:30Z", "10-25 00:00Z", "10-25 01:30Z"]


@pytest.mark.parametrize(
    ("start", "rdate", "expected"),
    [
        ("DTSTART:20260504T090000Z", "20260506", ["05-04 09:00Z", "05-06 09:00Z"]),
        ("DTSTART:20260504T090000", "20260506", ["05-04 09:00", "05-06 09:00"]),
        ("DTSTART;TZID=Europe/Berlin:20260504T090000", "20260506", ["05-04 07:00Z", "05-06 07:00Z"]),
        ("DTSTART;TZID=Europe/Berlin:20261024T090000", "20261025", ["10-24 07:00Z", "10-25 08:00Z"]),
        ("DTSTART:20260504T090000", "20260506,20260507", ["05-04 09:00", "05-06 09:00", "05-07 09:00"]),
        ("DTSTART;TZID=Europe/Berlin:20260504T090000", "20260504", ["05-04 07:00Z"]),
    ],
)
def test_date_of_rdate_is_the_occurrence_of_that_day(start: str, rdate: str, expected: list[str]) -> None:
    """A date names a day; its occurrence begins when those of the series do, and not at midnight."""
    assert starts(read_ics(ics(f"UID:1\n{start}\nDURATION:PT1H\nRDATE;VALUE=DATE:{rdate}"))) == expected


def test_occurrence_of_a_floating_series_is_named_by_its_wall_clock() -> None:
    """A zone beside the name of a floating time is that of who wrote it."""
    floating = "UID:1\nDTSTART:20260504T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2"
    for name in ("RECURRENCE-ID:20260505T090000", "RECURRENCE-ID;TZID=Europe/Berlin:20260505T090000"):
        moved = f"UID:1\n{name}\nDTSTART:20260505T150000\nDURATION:PT1H"
        assert starts(read_ics(ics(floating, moved))) == ["05-04 09:00", "05-05 15:00"]
    moved = "UID:1\nRECURRENCE-ID:20260505T070000Z\nDTSTART:20260505T150000\nDURATION:PT1H"
    assert starts(read_ics(ics(floating, moved), zone="Europe/Berlin")) == ["05-04 07:00Z", "05-05 13:00Z"]


# -- zones ----------------------------------------------------------------------------------------------

GAP = "UID:1\nDTSTART;TZID={name}:20260322T023000\nDTEND;TZID={name}:20260322T033000\nRRULE:FREQ=WEEKLY;COUNT=3"
FOLD = "UID:1\nDTSTART;TZID={name}:20261018T023000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=3"


@pytest.mark.parametrize("name", ["Customized Time Zone", "1", "/x.org/Custom/1", "Zone, with \\; signs", "Ünïcode"])
def test_zone_of_a_file_that_equals_one_of_iana_becomes_that_one(name: str) -> None:
    """3.3.5: a time in a gap has the offset before it, one that comes twice means its first; and it can be snapshot."""
    pytest.importorskip("icalendar", reason="icalendar (extra: ical) is not installed")
    zone = BERLIN.format(name=name)
    quoted = f'"{name}"' if ";" in name else name
    (event,) = read_ics(ics(GAP.format(name=quoted), before=zone))
    assert isinstance(event.start, datetime)
    assert isinstance(event.start.tzinfo, ZoneInfo)
    assert spans([event]) == ["03-22 01:30Z/03-22 02:30Z", "03-29 01:30Z/03-29 02:30Z", "04-05 00:30Z/04-05 01:30Z"]
    (event,) = read_ics(ics(FOLD.format(name=quoted), before=zone))
    assert starts([event]) == ["10-18 00:30Z", "10-25 00:30Z", "11-01 01:30Z"]


@pytest.mark.parametrize("key", ["Europe/Berlin", "Europe/Rome", "Europe/Oslo"])
def test_zone_of_a_file_becomes_the_given_one_of_those_that_are_equal(key: str) -> None:
    """Unless it says another one itself."""
    text = ics("UID:1\nDTSTART;TZID=Own:20260504T090000\nDURATION:PT1H", before=BERLIN.format(name="Own"))
    (event,) = read_ics(text, zone=key)
    assert isinstance(event.start, datetime)
    assert event.start.tzinfo is ZoneInfo(key)
    (event,) = read_ics(text.replace("\nTZID:Own", "\nTZID:Own\nX-LIC-LOCATION:Europe/Madrid"), zone=key)
    assert isinstance(event.start, datetime)
    assert event.start.tzinfo is ZoneInfo("Europe/Madrid")
    (event,) = read_ics(text, zone="America/New_York")
    assert isinstance(event.start, datetime)
    assert event.start.utcoffset() == timedelta(hours=2)


def test_times_of_a_zone_of_a_file_can_be_snapshot(tmp_path: Path) -> None:
    """Because it is a zone of IANA, that the file names in its own way."""
    pytest.importorskip("icalendar", reason="icalendar (extra: ical) is not installed")
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    for event in read_ics(ics(GAP.format(name="Mine"), before=BERLIN.format(name="Mine"))):
        calendar.book_all((room, start, end) for start, end in event.spans())
    calendar.snapshot(tmp_path / "file")
    assert Calendar.restore(tmp_path / "file").digest() == calendar.digest()


def test_zone_of_a_file_that_no_other_equals_is_right_by_itself() -> None:
    """The same in a gap and a fold; its policies have their effect; it is a value."""
    (event,) = read_ics(ics(GAP.format(name="N"), before=NOWHERE.format(name="N")))
    begin = event.start
    assert isinstance(begin, datetime)
    zone = begin.tzinfo
    assert isinstance(zone, FileZone)
    assert starts([event]) == ["03-22 01:13Z", "03-29 01:13Z", "04-05 00:13Z"]
    assert [told(start) for start, _ in event.spans(nonexistent="jump")][1] == "03-29 00:43Z"
    assert len(list(event.spans(nonexistent="skip"))) == 2
    (event,) = read_ics(ics(FOLD.format(name="N"), before=NOWHERE.format(name="N")))
    assert starts([event]) == ["10-18 00:13Z", "10-25 00:13Z", "11-01 01:13Z"]
    assert [told(start) for start, _ in event.spans(ambiguous="second")][1] == "10-25 01:13Z"
    for copy in (pickle.loads(pickle.dumps(zone)), deepcopy(zone)):  # noqa: S301
        assert copy == zone
        assert hash(copy) == hash(zone)
        assert begin.replace(tzinfo=copy).astimezone(UTC) == begin.astimezone(UTC)


@pytest.mark.parametrize("year", ["0001", "1604", "2201", "9026"])
def test_zone_of_a_file_is_not_compared_over_thousands_of_years(year: str) -> None:
    """A file with one slip in a year is read as fast as another, by the rules of its own zone."""
    text = ics(f"UID:1\nDTSTART;TZID=Mine:{year}0704T120000\nDURATION:PT1H", before=BERLIN.format(name="Mine"))
    (event,) = read_ics(text)
    assert isinstance(event.start, datetime)
    assert isinstance(event.start.tzinfo, FileZone)
    assert event.start.utcoffset() == 2 * HOUR  # before all changes, the offset from which the first one changes


def test_zone_of_a_file_shows_the_same_clock_as_the_zone_of_iana() -> None:
    """Every hour around the changes of some years, in both directions, fold included."""
    (event,) = read_ics(ics(GAP.format(name="N"), before=NOWHERE.format(name="N")))
    assert isinstance(event.start, datetime)
    zone, berlin = event.start.tzinfo, ZoneInfo("Europe/Berlin")
    for year in (1999, 2026, 2051):
        for month in (3, 10):
            for hour in range(14 * 24):
                moment = datetime(year, month, 18, tzinfo=UTC) + hour * HOUR
                ours, theirs = moment.astimezone(zone), moment.astimezone(berlin)
                assert ours.utcoffset() - theirs.utcoffset() == timedelta(minutes=17)  # type: ignore[operator]
                if hour % 24 not in (1,):
                    assert ours.fold == theirs.fold
                assert ours.astimezone(UTC) == moment


@pytest.mark.parametrize(
    ("name", "utc"),
    [
        ("W. Europe Standard Time", "07:00"),
        ("Eastern Standard Time", "13:00"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "07:00"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "13:00"),
        ("(GMT+10:00) Canberra, Melbourne, Sydney", "23:00"),
        ("(UTC) Dublin, Edinburgh, Lisbon, London", "08:00"),
        ("Amsterdam, Belgrade, Berlin, Brussels", "07:00"),
        ("W. Europe Standard Time 1", "07:00"),
        ("tzone://Microsoft/Utc", "09:00"),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Berlin", "07:00"),
        ("/softwarestudio.org/Olson_20011030_5/America/Chicago", "14:00"),
        ("utc", "09:00"),
        ("GMT+0200", "07:00"),
        ("UTC-03:30", "12:30"),
    ],
)
def test_names_of_windows_exchange_and_vendors_are_known(name: str, utc: str) -> None:
    """3.2.19 allows any name; these are certain."""
    pytest.importorskip("icalendar", reason="icalendar (extra: ical) is not installed")
    (event,) = read_ics(ics(f'UID:1\nDTSTART;TZID="{name}":20260504T090000\nDURATION:PT1H'))
    assert isinstance(event.start, datetime)
    assert f"{event.start.astimezone(UTC):%H:%M}" == utc


@pytest.mark.parametrize(
    "name",
    ["Nowhere/Land", "Europe/Germany", "Custom", "(UTC+02:00) Berlin", "(GMT -03:00)", "America", "../etc",
     "(UTC+01:00) X, Y"],
)
def test_unknown_zone_is_refused_by_name_unless_the_call_says_one(name: str) -> None:
    """3.2.19: a TZID names a VTIMEZONE of the file; who has none, and no known name, has said nothing."""
    text = ics(f"UID:1\nDTSTART;TZID={name}:20260504T090000\nDURATION:PT1H")
    with pytest.raises(CalendarFileError) as caught:
        read_ics(text)
    assert name in caught.value.reason
    assert (caught.value.uid, caught.value.line) == ("1", 4)
    assert starts(read_ics(text, zone="Europe/Berlin")) == ["05-04 07:00Z"]


@pytest.mark.parametrize(
    "broken",
    [
        BERLIN.replace("+0200", "two hours"),
        BERLIN.replace("DTSTART:1601", "DTSTART:16"),
        BERLIN.replace("FREQ=YEARLY", "FREQ=SECONDLY"),
        BERLIN.replace("BYMONTH=3", "BYMONTH=13"),
        BERLIN.replace("TZOFFSETTO", "X-OFFSET"),
        "BEGIN:VTIMEZONE\nTZID:{name}\nEND:VTIMEZONE",
    ],
)
def test_zone_that_cannot_be_read_is_an_error_of_the_event_that_needs_it(broken: str) -> None:
    """It names the event, and what is wrong with the zone; who does not use the zone is not concerned."""
    text = ics(GAP.format(name="Mine"), f"UID:2\n{SPAN}", before=broken.format(name="Mine"))
    with pytest.raises(CalendarFileError) as caught:
        read_ics(text)
    assert caught.value.uid == "1"
    assert starts(read_ics(text, on_bad="skip")) == ONE


@pytest.mark.parametrize("name", ["N", "Mine"])
def test_times_of_a_zone_are_local_ones_whatever_ends_them(name: str) -> None:
    """3.6.5: those of STANDARD and DAYLIGHT are local; some programs write a Z behind them."""
    for zone in (BERLIN, NOWHERE):
        local = zone.format(name=name)
        ended = local.replace("T030000", "T030000Z").replace("T020000", "T020000Z")
        dated = local.replace("RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "RDATE:20260329T020000")
        dated = dated.replace("RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "RDATE:20261025T030000")
        both = dated, dated.replace("RDATE:20260329T020000", "RDATE:20260329T020000Z")
        for one, other in ((local, ended), both):
            for hour in range(12):
                event = f"UID:1\nDTSTART;TZID={name}:20260329T{hour:02}1500\nDURATION:PT1H"
                assert spans(read_ics(ics(event, before=one))) == spans(read_ics(ics(event, before=other)))


def test_zones_of_two_files_are_not_mixed() -> None:
    """3.2.19: a TZID belongs to its calendar, also where another one has the same."""
    names = [read_ics(ics(GAP.format(name="Custom"), before=zone.format(name="Custom"))) for zone in (BERLIN, NOWHERE)]
    assert starts(names[0])[0] == "03-22 01:30Z"
    assert starts(names[1])[0] == "03-22 01:13Z"
    both = ics(GAP.format(name="C"), before=BERLIN.format(name="C"))
    both += ics(GAP.format(name="C").replace("UID:1", "UID:2"), before=NOWHERE.format(name="C"))
    assert starts(read_ics(both))[:2] == ["03-22 01:13Z", "03-22 01:30Z"]


# -- whole days, floating and timed events --------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "zone", "expected"),
    [
        ("DTSTART;VALUE=DATE:20260506", "Europe/Berlin", ["05-05 22:00Z/05-06 22:00Z"]),
        ("DTSTART;VALUE=DATE:20260329", "Europe/Berlin", ["03-28 23:00Z/03-29 22:00Z"]),  # 23 hours
        ("DTSTART;VALUE=DATE:20261025", "Europe/Berlin", ["10-24 22:00Z/10-25 23:00Z"]),  # 25 hours
        ("DTSTART:20260507T080000\nDURATION:PT1H", "Europe/Berlin", ["05-07 06:00Z/05-07 07:00Z"]),
        ("DTSTART:20260507T080000Z\nDURATION:PT1H", "Europe/Berlin", ["05-07 08:00Z/05-07 09:00Z"]),
        ("DTSTART;VALUE=DATE:20260506", timezone(timedelta(hours=-5)), ["05-06 05:00Z/05-07 05:00Z"]),
        ("DTSTART;VALUE=DATE:20260328\nRRULE:FREQ=DAILY;COUNT=3;BYHOUR=9\nEXDATE;VALUE=DATE:20260329", "Europe/Berlin",
         ["03-27 23:00Z/03-28 23:00Z", "03-29 22:00Z/03-30 22:00Z"]),
        ("DTSTART;VALUE=DATE:20260701\nRRULE:FREQ=DAILY;UNTIL=20260702T220000Z\nRDATE;VALUE=DATE:20260710", "Europe/Berlin",
         ["06-30 22:00Z/07-01 22:00Z", "07-01 22:00Z/07-02 22:00Z", "07-02 22:00Z/07-03 22:00Z",
          "07-09 22:00Z/07-10 22:00Z"]),
        ("DTSTART:20260328T023000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20260330T003000Z", "Europe/Berlin",
         ["03-28 01:30Z/03-28 02:30Z", "03-29 01:30Z/03-29 02:30Z", "03-30 00:30Z/03-30 01:30Z"]),
        ("DTSTART;VALUE=DATE:20111229\nRRULE:FREQ=DAILY;COUNT=3", "Pacific/Apia",  # which had no 30 December 2011
         ["12-29 10:00Z/12-30 10:00Z", "12-30 10:00Z/12-31 10:00Z"]),
    ],
)  # fmt: skip
def test_zone_makes_instants_of_days_and_floating_times(event: str, zone: Any, expected: list[str]) -> None:
    """3.3.4, 3.3.5: a date and a floating time mean that of whoever looks: the zone of the call."""
    assert spans(read_ics(ics(f"UID:1\n{event}"), zone=zone)) == expected


@pytest.mark.parametrize(
    ("event", "zone", "expected"),
    [
        ("DTSTART;VALUE=DATE:20111230", "Pacific/Apia", []),
        ("DTSTART;VALUE=DATE:20111230\nRRULE:FREQ=DAILY;COUNT=3", "Pacific/Apia",
         ["12-30 10:00Z/12-31 10:00Z", "12-31 10:00Z/01-01 10:00Z"]),
        ("DTSTART;VALUE=DATE:20111230\nRRULE:FREQ=WEEKLY;COUNT=2", "Pacific/Apia", ["01-05 10:00Z/01-06 10:00Z"]),
        ("DTSTART;VALUE=DATE:20111229\nDTEND;VALUE=DATE:20111231", "Pacific/Apia", ["12-29 10:00Z/12-30 10:00Z"]),
        ("DTSTART;VALUE=DATE:20111230\nDTEND;VALUE=DATE:20120101", "Pacific/Apia", ["12-30 10:00Z/12-31 10:00Z"]),
        ("DTSTART;VALUE=DATE:19930821", "Pacific/Kwajalein", []),
        # days whose midnight is skipped, and those after them, begin and end where the clock does
        ("DTSTART;VALUE=DATE:20181104", "America/Sao_Paulo", ["11-04 03:00Z/11-05 02:00Z"]),
        ("DTSTART;VALUE=DATE:20181103\nRRULE:FREQ=DAILY;COUNT=3", "America/Sao_Paulo",
         ["11-03 03:00Z/11-04 03:00Z", "11-04 03:00Z/11-05 02:00Z", "11-05 02:00Z/11-06 02:00Z"]),
        ("DTSTART;VALUE=DATE:20260327\nRRULE:FREQ=DAILY;COUNT=4", "Asia/Beirut",
         ["03-26 22:00Z/03-27 22:00Z", "03-27 22:00Z/03-28 22:00Z", "03-28 22:00Z/03-29 21:00Z",
          "03-29 21:00Z/03-30 21:00Z"]),
        ("DTSTART:20111230T120000\nDURATION:PT1H", "Pacific/Apia", ["12-30 22:00Z/12-30 23:00Z"]),
    ],
)  # fmt: skip
def test_days_of_a_zone_are_neither_longer_nor_others(event: str, zone: str, expected: list[str]) -> None:
    """A day that a zone skipped takes no time, and not that of the next one; days do not overlap."""
    assert spans(read_ics(ics(f"UID:1\n{event}"), zone=zone)) == sorted(expected)


@pytest.mark.parametrize(
    "event",
    [
        "DTSTART;TZID=Europe/Berlin:20261025T021500\nDURATION:PT1H",
        "DTSTART;TZID=Europe/Berlin:20261025T021500\nDTEND:20261025T011500Z",
        "DTSTART;TZID=Europe/Berlin:20261025T021500\nDURATION:PT1H\nDTEND:20261025T011500Z",
        "DTSTART;TZID=Europe/Berlin:20261024T021500\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2",
        "DTSTART:20261025T021500\nDURATION:PT1H",
        "DTSTART;TZID=Europe/Berlin:20261024T090000\nDURATION:P1D\nRDATE;VALUE=PERIOD;TZID=Europe/Berlin:20261025T021500/PT1H",
    ],
)
def test_hour_after_which_the_clock_shows_the_same_takes_time(event: str) -> None:
    """From a quarter past two to a quarter past two, when clocks are set back: to Python, these are equal."""
    assert "10-25 00:15Z/10-25 01:15Z" in spans(read_ics(ics(f"UID:1\n{event}"), zone="Europe/Berlin"))


def test_one_calendar_holds_all_events_of_a_file() -> None:
    """All keys are instants, so they can be compared."""
    text = ics(f"UID:1\n{SPAN}", "UID:2\nDTSTART;VALUE=DATE:20260506", "UID:3\nDTSTART:20260507T080000\nDURATION:PT1H")
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    for event in read_ics(text, zone="Europe/Berlin"):
        calendar.book_all((room, start, end) for start, end in event.spans())
    assert len(calendar) == 3


# -- bad parts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        ("UID:bad\nDTSTART:20260505T\nDTEND:20260505T100000Z", 4),
        ("UID:bad\nDTSTART:20261305", 4),
        ("UID:bad\nDTSTART:20260504T250000", 4),
        ("UID:bad\nSUMMARY:when?", 2),
        ("UID:bad\nDTSTART:20260504\nRRULE:FREQ=OFTEN", 5),
        ("UID:bad\nDTSTART:20260504\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", 6),
        ("UID:bad\nDTSTART:20260504\nEXRULE:FREQ=DAILY", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nDURATION:an hour", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nDURATION:PT", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nRDATE:20260505T090000Z,soon", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nEXDATE:20260505T090000Z/PT1H", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nSEQUENCE:one", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nSEQUENCE:1.0", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nSEQUENCE:" + "9" * 5000, 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nRECURRENCE-ID;TZID=Asia/Tokyo:00010101T000000", 5),
        ("UID:bad\nDTSTART;TZID=America/New_York:20260504T090000\nRECURRENCE-ID:00010101T000000Z", 5),
        ("UID:bad\nDTSTART;VALUE=DATE:20260504\nRECURRENCE-ID;TZID=America/New_York:99991231T233000", 5),
        ("UID:bad\nDTSTART:20260504T240000", 4),
        ("UID:bad\nDTSTART:20260231T090000", 4),
        ("UID:bad\nDTSTART:20260504T096100", 4),
        ("UID:bad\nDTSTART:00000504T090000", 4),
        ("UID:bad\nDTSTART:20260504T090000Z\nRRULE:FREQ=DAILY;UNTIL=20261399", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260504T090000Z", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nDTSTART:20260505T090000Z", 5),
        ("UID:bad\nDTSTART:20260504T090000Z\nDTEND:20260504T100000Z\nDURATION:PT3H", 6),
    ],
)
def test_bad_event_is_named_and_the_others_are_read(bad: str, line: int) -> None:
    """The error has the UID and the line, and survives pickling; with ``skip`` it is in the list."""
    text = ics(bad, f"UID:1\n{SPAN}")
    with pytest.raises(CalendarFileError) as caught:
        read_ics(text)
    assert (caught.value.uid, caught.value.line) == ("bad", line)
    for of_python in ("must be in", "invalid literal", "out of range", "Exceeds the limit", "unconverted"):
        assert of_python not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301
    events = read_ics(text, on_bad="skip")
    assert starts(events) == ONE
    assert [str(error) for error in events.bad] == [str(caught.value)]


@pytest.mark.parametrize(
    "line",
    [
        "BEGIN:VALARM\nTRIGGER:soon\nEND:VALARM",
        "BEGIN:VALARM\nTRIGGER;VALUE=DATE-TIME:20261332T000000Z\nEND:VALARM",
        "BEGIN:VALARM\nTRIGGER:-PT5M\nDURATION:x\nEND:VALARM",
        "BEGIN:VALARM\nno line\nEND:VALARM",
        "a line without a colon",
        "END:VTODO",
    ],
)
def test_bad_line_or_alarm_is_named_and_its_event_is_read(line: str) -> None:
    """What says nothing of times does not take an event away."""
    text = ics(f"UID:1\n{SPAN}\n{line}")
    with pytest.raises(CalendarFileError) as caught:
        read_ics(text)
    assert caught.value.line is not None
    events = read_ics(text, on_bad="skip")
    assert starts(events) == ONE
    assert len(events.bad) == 1


@pytest.mark.parametrize(
    "line",
    [
        'DTEND;TZID="W. Europe Standard Time:20260504T100000"',
        "DTSTART;TZID:20260504T090000",
        "RRULE",
        "EXDATE 20260504T090000Z",
        "RECURRENCE-ID;X:20260504T090000Z",
        "STATUS=CANCELLED",
        "X-MICROSOFT-CDO-BUSYSTATUS=FREE",
    ],
)
def test_line_of_a_time_that_is_broken_takes_its_event_along(line: str) -> None:
    """What the event is without it is not known: one error, and no event that ends or repeats otherwise."""
    text = ics(f"UID:bad\nDTSTART:20260504T080000Z\nDURATION:PT1H\n{line}", f"UID:1\n{SPAN}")
    with pytest.raises(CalendarFileError) as caught:
        read_ics(text)
    assert (caught.value.uid, caught.value.line) == ("bad", 6)
    events = read_ics(text, on_bad="skip")
    assert starts(events) == ONE
    assert [error.line for error in events.bad] == [6]


@pytest.mark.parametrize("line", ["SUMMARY=talk", "DESCRIPTION", "X-ALT-DESC;FMTTYPE=text/html", "LOCATION \\n here"])
def test_broken_line_of_a_text_is_listed_and_not_raised(line: str) -> None:
    """Its name says that it is no time; whoever wants to know finds it in the list."""
    events = read_ics(ics(f"UID:1\n{SPAN}\n{line}"))
    assert starts(events) == ONE
    assert [error.value for error in events.bad] == [line]


# -- lengths --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        "DTSTART:20260504T080000Z",
        "DTSTART:20260504T080000Z\nDTEND:20260504T080000Z",
        "DTSTART:20260504T080000Z\nDURATION:PT0S",
        "DTSTART;TZID=Europe/Berlin:20260504T080000\nDTEND:20260504T060000Z",
        "DTSTART:20260504T080000\nRRULE:FREQ=DAILY;COUNT=3",
        "DTSTART;VALUE=DATE:20260504\nDTEND;VALUE=DATE:20260504",
    ],
)
def test_event_without_length_takes_no_time(event: str) -> None:
    """3.6.1: a DTSTART alone "ends on the same calendar date and time of day"."""
    assert starts(read_ics(ics(f"UID:0\n{event}", f"UID:1\n{SPAN}"))) == ONE
    assert len(read_ics(ics(f"UID:0\n{event}"), busy_only=False)) == 1


def test_periods_of_an_event_without_length_take_time() -> None:
    """3.8.5.2: a period has a length of its own."""
    event = "UID:0\nDTSTART:20260504T080000Z\nRDATE;VALUE=PERIOD:20260505T080000Z/PT1H,20260506T080000Z/20260506T080000Z"
    assert spans(read_ics(ics(event))) == ["05-05 08:00Z/05-05 09:00Z"]


@pytest.mark.parametrize(
    "event",
    [
        "DTSTART:20260504T080000Z\nDTEND:20260504T070000Z",
        "DTSTART;VALUE=DATE:20260504\nDTEND;VALUE=DATE:20260503",
        "DTSTART:20260504T080000Z\nDURATION:-PT1H",
        "DTSTART;VALUE=DATE:99991231",
        "DTSTART:99991231T235959\nDURATION:PT1H",
        "DTSTART;TZID=America/New_York:99991231T235959\nDURATION:PT1H",
        "DTSTART;VALUE=DATE:20260504\nDURATION:PT5H",
        "DTSTART;VALUE=DATE:20260504\nDTEND:20260505T000000Z",
        "DTSTART:20260504T080000Z\nRDATE;VALUE=PERIOD:20260505T080000Z/20260505T070000Z",
    ],
)
def test_length_that_is_none_is_refused_by_name(event: str) -> None:
    """3.8.2.2: an end is later than its start; nothing vanishes."""
    text = ics(f"UID:0\n{event}", f"UID:1\n{SPAN}")
    with pytest.raises(CalendarFileError) as caught:
        read_ics(text)
    assert caught.value.uid == "0"
    events = read_ics(text, on_bad="skip")
    assert starts(events) == ONE
    assert len(events.bad) == 1


def test_leap_second_is_the_second_before_it() -> None:
    """3.3.12: who has no leap seconds should read the second 60 as 59."""
    assert spans(read_ics(ics("UID:1\nDTSTART:20261231T235900Z\nDTEND:20261231T235960Z"))) == ["12-31 23:59Z/12-31 23:59Z"]
    (event,) = read_ics(ics("UID:1\nDTSTART:20261231T235960\nDURATION:PT1M"))
    assert event.start == datetime(2026, 12, 31, 23, 59, 59)


def test_days_are_wall_clock_time_and_hours_are_not() -> None:
    """3.3.6: P1D is a day of the clock, PT24H are 24 hours."""
    for length, end in (("P1D", "10:00"), ("PT24H", "11:00"), ("P1DT0H", "10:00"), ("P1DT1H", "11:00")):
        event = f"UID:1\nDTSTART;TZID=Europe/Berlin:20260327T120000\nDURATION:{length}\nRRULE:FREQ=DAILY;COUNT=2"
        *_, (_, ended) = read_ics(ics(event))[0].spans()
        assert isinstance(ended, datetime)
        assert f"{ended.astimezone(UTC):%H:%M}" == end


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a calendar with some parts cut out, doubled or replaced."""
    data = ics(
        GAP.format(name="N"), f"{DAILY}\nEXDATE:20260505T090000Z\nRDATE;VALUE=PERIOD:20260510T090000Z/PT1H",
        "UID:w\nRECURRENCE-ID:20260506T090000Z\nDTSTART:20260506T150000Z\nDURATION:P1D\nSTATUS:TENTATIVE",
        before="METHOD:PUBLISH\n" + NOWHERE.format(name="N"),
    ).encode()  # fmt: skip
    for _ in range(draw(st.integers(1, 4))):
        one, other = sorted(draw(st.tuples(st.integers(0, len(data)), st.integers(0, len(data)))))
        other = min(other, one + draw(st.integers(0, 40)))
        put = draw(st.sampled_from([b"", data[one:other] * 2, *b"\n|:|0|9|-|\xff|BEGIN:|T|;".split(b"|")]))
        data = data[:one] + put + data[other:]
    return data


@settings(max_examples=settings().max_examples * 5)
@given(damaged(), st.sampled_from([None, "Europe/Berlin"]))
def test_damaged_file_is_read_or_refused_by_an_error_of_ours(data: bytes, zone: str | None) -> None:
    """With ``skip``, what is read is in order and has a length; an empty list of bad parts means that nothing was raised."""
    try:
        events = read_ics(data, on_bad="skip", zone=zone)
    except CalendarFileError:
        with pytest.raises(CalendarFileError):
            read_ics(data, zone=zone)
        return
    for event in events:
        found = list(islice(event.spans(), 5))
        instants = [_instant(start) for start, _ in found]
        assert instants == sorted(instants)
        assert all(_instant(start) < _instant(end) for start, end in found)
    try:
        assert read_ics(data, zone=zone) == events
    except CalendarFileError as error:
        assert str(error) in map(str, events.bad)


def _instant(key: date) -> date:
    return key.astimezone(UTC) if isinstance(key, datetime) and key.tzinfo is not None else key


def test_day_that_no_instant_can_tell_is_refused_by_name() -> None:
    """The first of January of the year 1 begins before all time in UTC, in Tokyo; nothing vanishes."""
    for event in ("DTSTART;VALUE=DATE:00010101", "DTSTART:00010101T000000\nDURATION:PT1H"):
        with pytest.raises(CalendarFileError) as caught:
            read_ics(ics(f"UID:0\n{event}"), zone="Asia/Tokyo")
        assert caught.value.uid == "0"
        assert len(read_ics(ics(f"UID:0\n{event}"))) == 1


# -- bounds of time and memory --------------------------------------------------------------------------


class Endless(BytesIO):
    """A file that counts the most that is read at once."""

    most = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, or a part of the long one."""
        assert size is not None
        assert size > 0
        self.most = max(self.most, size)
        return super().readline(size)


def test_long_line_is_read_in_parts_and_not_kept(tmp_path: Path) -> None:
    """A picture within an event is passed over; a list of dates that is as long is refused by name."""
    long = 3 << 20
    path = tmp_path / "long.ics"
    path.write_text(ics(f"UID:1\n{SPAN}\nATTACH;ENCODING=BASE64:{'A' * long}"))
    assert starts(read_ics(path)) == ONE
    path.write_text(ics(f"UID:1\n{SPAN}\nATTACH:\n {'A' * 70}" + f"\n {'A' * 70}" * (long // 70)))
    assert starts(read_ics(path)) == ONE
    path.write_text(ics(f"UID:1\n{SPAN}\nEXDATE:{'20260504T090000Z,' * (long // 17)}20260504T090000Z"))
    with pytest.raises(CalendarFileError, match="longer than"):
        read_ics(path)
    path.write_text("BEGIN:VCALENDAR" + "x" * long)
    with pytest.raises(CalendarFileError):
        read_ics(path)
    file = Endless(ics(f"UID:1\n{SPAN}\nATTACH:{'A' * long}").encode())
    assert max(len(line) for _, line in series_lines(file)) <= (1 << 20) + 2
    assert file.most <= (1 << 20) + 2


def series_lines(file: BytesIO) -> list[tuple[int, bytes]]:
    """Return the physical lines as the reader sees them."""
    from bookcore.integrations.ical import lines

    return list(lines._physical_lines(file, 0))


def test_many_components_within_each_other_are_refused() -> None:
    """No file needs them, and no stack should grow with them."""
    with pytest.raises(CalendarFileError, match="more than 20"):
        read_ics("BEGIN:VCALENDAR\n" + "BEGIN:X\n" * 100_000)


def test_invalid_arguments_are_refused() -> None:
    """Before the file is looked at."""
    for arguments in ({"on_bad": "ignore"}, {"zone": "Mars/Olympus"}, {"zone": 5}):
        with pytest.raises(HoursError):
            read_ics("", **arguments)


def test_rule_of_a_file_is_the_rule_of_the_library() -> None:
    """Both are read by one reader: what one gives the other gives."""
    rule = "FREQ=MONTHLY;BYDAY=MO,2TU;COUNT=9"
    first = datetime(2025, 1, 6, 9, tzinfo=UTC)
    (event,) = read_ics(ics(f"UID:1\nDTSTART:20250106T090000Z\nDURATION:PT1H\nRRULE:{rule}"))
    assert list(event.spans()) == list(recurring(first, first + HOUR, rule))
    assert read_rule(rule).numbered == {(2, 1)}


@pytest.mark.parametrize(
    ("names", "stands"),
    [
        (["RECURRENCE-ID:20260505T070000Z", "RECURRENCE-ID:20260505T090000"], 1),
        (["RECURRENCE-ID:20260505T090000", "RECURRENCE-ID:20260505T070000Z"], 1),
        (["RECURRENCE-ID:20260505T090000", "RECURRENCE-ID;TZID=Europe/Berlin:20260505T090000"], 1),
        (["RECURRENCE-ID;TZID=America/New_York:20260505T030000", "RECURRENCE-ID:20260505T090000"], 1),
        (["RECURRENCE-ID:20260505T090000", "RECURRENCE-ID:20260505T070000Z", "RECURRENCE-ID:20260505T090000"], 2),
        (["RECURRENCE-ID;VALUE=DATE:20260505", "RECURRENCE-ID:20260505T070000Z"], 1),
        (["RECURRENCE-ID:20260505T070000Z", "RECURRENCE-ID;VALUE=DATE:20260505"], 1),
        (["RECURRENCE-ID;TZID=Asia/Tokyo:20260505T160000", "RECURRENCE-ID:20260505"], 1),
        (["RECURRENCE-ID:20260505", "RECURRENCE-ID:20260505T090000"], 1),
        (["RECURRENCE-ID:20260505", "RECURRENCE-ID;VALUE=DATE:20260505", "RECURRENCE-ID:20260505T090000"], 2),
    ],
)
def test_versions_of_an_occurrence_may_name_it_in_different_ways(names: list[str], stands: int) -> None:
    """A floating name is the time on the clock of the series; only the newest version takes time (RFC 5546, 2.1.5)."""
    series = "UID:1\nDTSTART;TZID=Europe/Berlin:20260504T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3"
    moved = [
        f"UID:1\nSEQUENCE:{n}\n{name}\nDTSTART:2026060{n + 1}T070000Z\nDURATION:PT1H" for n, name in enumerate(names)
    ]
    for order in (moved, moved[::-1]):
        main, *others = read_ics(ics(series, *order))
        assert [start.day for start, _ in main.spans()] == [4, 6]
        assert [event.start for event in others] == [datetime(2026, 6, stands + 1, 7, tzinfo=UTC)]
    assert len(read_ics(ics(series, *moved, f"UID:1\nSEQUENCE:9\n{names[0]}\nSTATUS:CANCELLED"))) == 1
