"""Calendar files on the command line: their events are the bookings of a resource called like the file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]

HEAD = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n"


def event(uid: str, *lines: str) -> str:
    """Return an event of some lines."""
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{uid}", *lines, "END:VEVENT", ""])


def file(tmp_path: Path, *events: str, name: str = "team.ics") -> Path:
    """Write a calendar file."""
    path = tmp_path / name
    path.write_text(HEAD + "".join(events) + "END:VCALENDAR\n")
    return path


TALK = event("talk", "DTSTART:20260704T090000Z", "DTEND:20260704T100000Z")
DAY = event("fair", "DTSTART;VALUE=DATE:20260706", "DTEND;VALUE=DATE:20260708")
WEEKLY = event("weekly", "DTSTART:20260706T090000Z", "DTEND:20260706T100000Z", "RRULE:FREQ=WEEKLY")
TWICE = WEEKLY.replace("WEEKLY\n", "WEEKLY;COUNT=2\n")


@pytest.mark.parametrize("name", ["team.ics", "team.ICS", "team.txt", "team"])
def test_a_calendar_file_is_known_by_its_name_or_its_first_line(run: Run, tmp_path: Path, name: str) -> None:
    """And every command reads it."""
    path = file(tmp_path, TALK, TWICE, name=name)
    loaded = json.loads(run("load", path, "--json").stdout)
    assert (loaded["bookings"], loaded["resources"], loaded["keys"]) == (3, 1, "times with a zone")
    assert run("available", path, "2026-07-04T08:00Z", "2026-07-04T09:00Z").stdout == "team\n"
    why = json.loads(run("why", path, "team", "2026-07-13T09:30Z", "2026-07-13T11:00Z", "--json").stdout)
    assert [cause["id"] for cause in why["causes"]] == ["weekly 2026-07-13T09:00:00+00:00"]


def test_what_is_loaded_can_be_saved_and_asked(run: Run, tmp_path: Path) -> None:
    """As that of a table can."""
    saved = tmp_path / "team.bks"
    assert run("load", file(tmp_path, TALK), "--save", saved).exit_code == 0
    assert run("available", saved, "2026-07-04T08:00Z", "2026-07-04T09:30Z").stdout == ""


def test_a_series_without_end_asks_until_when(run: Run, tmp_path: Path) -> None:
    """The option that it names loads the file."""
    refused = run("load", file(tmp_path, WEEKLY))
    assert refused.exit_code == 2 and "--until 2027-12-31" in refused.stderr
    loaded = json.loads(run("load", file(tmp_path, WEEKLY), "--until", "2026-07-20", "--json").stdout)
    assert loaded["bookings"] == 3  # the last day counts
    assert run("load", file(tmp_path, WEEKLY), "--until", "soon").exit_code == 2
    assert json.loads(run("load", file(tmp_path, DAY), "--until", "2026-01-01", "--json").stdout)["bookings"] == 1


def test_days_beside_times_ask_for_a_zone(run: Run, tmp_path: Path) -> None:
    """In which they are instants."""
    path = file(tmp_path, TALK, DAY)
    refused = run("load", path)
    assert refused.exit_code == 2 and "--zone" in refused.stderr and "whole days" in refused.stderr
    assert json.loads(run("load", path, "--zone", "Europe/Berlin", "--json").stdout)["bookings"] == 2
    assert json.loads(run("load", file(tmp_path, DAY), "--json").stdout)["keys"] == "dates"
    assert run("load", path, "--zone", "Europe/Berln").exit_code == 2


def test_events_that_overlap_are_bad_rows_unless_there_is_room(run: Run, tmp_path: Path) -> None:
    """The later one in the file is refused; cancelled ones are not read."""
    other = TALK.replace("talk", "call")
    gone = TALK.replace("talk", "gone").replace("UID:gone", "UID:gone\nSTATUS:CANCELLED")
    found = json.loads(run("load", file(tmp_path, TALK, other, gone), "--json").stdout)
    assert (found["bookings"], found["bad_rows"], list(found["reasons"])) == (1, 1, ["overlap"])
    assert json.loads(run("load", file(tmp_path, TALK, other, gone), "--capacity", "2", "--json").stdout)["bookings"] == 2


def test_a_part_that_cannot_be_read_is_a_bad_row(run: Run, tmp_path: Path) -> None:
    """With its line; the others are booked, or none with --strict."""
    bad = event("bad", "DTSTART:20260704T250000Z", "DTEND:20260704T100000Z")
    path = file(tmp_path, bad, TALK)
    found = json.loads(run("load", path, "--json").stdout)
    assert (found["bookings"], found["bad_rows"]) == (1, 1)
    assert found["rows"][0]["line"] > 3 and found["rows"][0]["reason"] == "unreadable time"
    assert run("load", path, "--strict").exit_code == 1


@pytest.mark.parametrize("content", ["", "BEGIN:VCARD\nEND:VCARD\n", "resource,start,end\na,1,2\n", HEAD])
def test_a_file_that_is_no_calendar_is_refused(run: Run, tmp_path: Path, content: str) -> None:
    """By name, and never as an empty calendar; one that is cut off is told so."""
    path = tmp_path / "team.ics"
    path.write_text(content)
    found = run("load", path)
    assert found.exit_code in (1, 2)
    assert "team.ics" in found.stdout + found.stderr


@pytest.mark.parametrize("words", [["--delimiter", ";"], ["--start-column", "x"], ["--bounds", "[]"], ["--only", "a=b"]])
def test_options_of_tables_are_refused(run: Run, tmp_path: Path, words: list[str]) -> None:
    """And those of calendar files for tables."""
    found = run("load", file(tmp_path, TALK), *words)
    assert found.exit_code == 2 and words[0] in found.stderr
    table = tmp_path / "rows.csv"
    table.write_text("resource,start,end\na,1,2\n")
    assert "--until" in run("load", table, "--until", "2026-07-20").stderr


def test_standard_input_may_be_a_calendar(run: Run, tmp_path: Path) -> None:
    """Known by its first line."""
    found = run("load", "-", "--json", stdin=(HEAD + TALK + "END:VCALENDAR\n").encode())
    assert json.loads(found.stdout)["bookings"] == 1


@pytest.mark.parametrize(
    ("start", "end", "answer"),
    [
        ("2026-07-06T00:00", "2026-07-06T01:00", ""),
        ("2026-07-08T00:00", "2026-07-08T01:00", "team\n"),
        ("2026-07-04T11:00", "2026-07-04T12:00", ""),  # 9:00 in UTC
        ("2026-07-04T12:00", "2026-07-04T13:00", "team\n"),
        ("2026-07-07T22:00Z", "2026-07-07T23:00Z", "team\n"),  # midnight in Berlin
        ("2026-07-07T21:00Z", "2026-07-08T00:00", ""),
        ("-", "2026-07-04T11:00", "team\n"),
    ],
)
def test_times_of_a_question_are_of_the_zone_of_the_call(
    run: Run, tmp_path: Path, start: str, end: str, answer: str
) -> None:
    """As they are for a table: the file is read in that zone, and so are START and END."""
    path = file(tmp_path, TALK, DAY)
    result = run("available", path, start, end, "--zone", "Europe/Berlin")
    assert (result.exit_code, result.stdout) == (0, answer)
    why = run("why", path, "team", start, end, "--zone", "Europe/Berlin", "--json")
    assert why.exit_code == 0
    assert json.loads(why.stdout)["available"] is bool(answer)


@pytest.mark.parametrize(
    ("lines", "bookings"),
    [
        (["RRULE:FREQ=WEEKLY;COUNT=5"], 5),
        (["RRULE:FREQ=WEEKLY; COUNT=5"], 5),
        (["RRULE:FREQ=WEEKLY;UNTIL=20260803T090000Z"], 5),
        (["RRULE:UNTIL=20260803;FREQ=WEEKLY"], 5),
        (["RRULE:FREQ=WEEKLY;COUNT=2", "RDATE:20270706T090000Z"], 3),
        (["RRULE:FREQ=WEEKLY"], 2),
    ],
)
def test_until_ends_no_series_that_has_an_end(run: Run, tmp_path: Path, lines: list[str], bookings: int) -> None:
    """Occurrences of others would be left out in silence."""
    path = file(tmp_path, event("course", "DTSTART:20260706T090000Z", "DTEND:20260706T100000Z", *lines))
    loaded = json.loads(run("load", path, "--until", "2026-07-15", "--json").stdout)
    assert loaded["bookings"] == bookings


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY;INTERVAL=86399;BYMONTH=2;BYMONTHDAY=29;BYHOUR=4;BYSECOND=7;COUNT=2",
        "FREQ=SECONDLY;INTERVAL=86399;BYMONTH=2;BYMONTHDAY=29;BYHOUR=4;BYSECOND=7;UNTIL=99991231T000000Z",
    ],
)
def test_rule_that_is_given_up_is_a_bad_row_of_its_event(run: Run, tmp_path: Path, rule: str) -> None:
    """And the other events are read."""
    hopeless = event("hopeless", "DTSTART:20260504T090000Z", "DURATION:PT1H", f"RRULE:{rule}")
    for events in ([hopeless, TALK], [TALK, hopeless]):
        result = run("load", file(tmp_path, *events), "--json")
        assert result.exit_code == 0
        loaded = json.loads(result.stdout)
        assert (loaded["bookings"], loaded["bad_rows"]) == (1, 1)  # the talk
        assert "hopeless" in str(loaded["rows"])
        assert "given up" in str(loaded["rows"])


@pytest.mark.parametrize("name", ["team.ics.gz", "team.ics", "team.gz", "team"])
def test_packed_calendar_file_is_a_calendar_file(run: Run, tmp_path: Path, name: str) -> None:
    """As a packed table is a table, also from standard input; a damaged archive is refused by name."""
    packed = gzip.compress(file(tmp_path, TALK, TWICE).read_bytes())
    path = tmp_path / name
    path.write_bytes(packed)
    assert json.loads(run("load", path, "--json").stdout)["bookings"] == 3
    assert json.loads(run("load", "-", "--json", stdin=packed).stdout)["bookings"] == 3
    path.write_bytes(packed[:-12])
    damaged = run("load", path)
    assert damaged.exit_code == 2 and "cannot be read" in damaged.stderr, damaged.stderr
    path.write_bytes(gzip.compress(b"resource,start,end\na,1,2\n"))
    if name != "team.ics":
        assert json.loads(run("load", path, "--json").stdout)["bookings"] == 1


def test_progress_is_shown_while_a_calendar_file_is_read(run: Run, tmp_path: Path) -> None:
    """On a terminal alone; what is read is the same."""
    path = file(tmp_path, TALK, TWICE)
    packed = tmp_path / "packed.ics.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for source in (path, packed):
        shown = run("load", source, terminal=True)
        assert shown.exit_code == 0
        assert "Reading" in shown.stderr and "Booking its occurrences" in shown.stderr
        assert run("load", source).stderr == ""
    assert run("load", "-", terminal=True, stdin=packed.read_bytes()).exit_code == 0
