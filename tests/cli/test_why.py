"""``why`` names every cause that a calendar knows, and the nearest free spans for what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from bookcore import Calendar, Resource
from bookcore.hours import Hours

Run = Callable[..., Result]
ZONE = timezone(timedelta(hours=2))


def at(day: int, hour: int) -> datetime:
    """Return an hour of a day in July 2026; the first is a Wednesday."""
    return datetime(2026, 7, day, hour, tzinfo=ZONE)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A snapshot with one of each: booking, hold, buffer, closure, opening hours, and two units."""
    now = at(1, 0)
    calendar = Calendar(clock=lambda: now)
    room = calendar.add_resource(Resource("room", capacity=2, after=timedelta(hours=1)))
    calendar.book(room, at(2, 9), at(2, 11), id="talk", quantity=2)
    calendar.hold(room, at(2, 14), at(2, 15), until=datetime(2100, 1, 1, tzinfo=ZONE), id="maybe", quantity=2)
    calendar.close(room, at(3, 0), at(4, 0), "painting")
    studio = calendar.add_resource(Resource("studio"))
    calendar.set_hours(studio, Hours({"wed-fri": "09:00-17:00"}, zone="UTC"))
    file = tmp_path / "saved.bks"
    calendar.snapshot(file)
    return file


def why(run: Run, *words: object) -> dict[str, Any]:
    """Return the answer as JSON has it."""
    found = run("why", *words, "--json")
    assert found.exit_code == 0, found.stderr
    facts: dict[str, Any] = json.loads(found.stdout)
    return facts


@pytest.mark.parametrize(
    ("who", "start", "end", "kind", "id", "text"),
    [
        ("room", at(2, 10), at(2, 12), "booking", "talk", "takes 2 of 2"),
        ("room", at(2, 14), at(2, 15), "hold", "maybe", "hold 'maybe'"),
        ("room", at(2, 11), at(2, 12), "buffer", "talk", "too near"),
        ("room", at(3, 9), at(3, 10), "closure", ..., "painting"),
        ("studio", at(2, 3), at(2, 4), "hours", None, "outside its opening hours"),
    ],
)
def test_cause_is_named_with_its_kind(
    run: Run, saved: Path, who: str, start: datetime, end: datetime, kind: str, id: Any, text: str
) -> None:
    """In JSON, in a pipe and on a terminal."""
    words = (saved, who, start.isoformat(), end.isoformat())
    facts = why(run, *words)
    assert facts["available"] is False
    (cause,) = facts["causes"]
    assert cause["kind"] == kind
    assert id is ... or cause["id"] == id
    assert text in cause["text"]
    assert sorted(cause) == ["end", "id", "kind", "start", "text"]
    line = run("why", *words).stdout.splitlines()[1]
    assert line.split("\t")[0] == kind
    assert kind in run("why", *words, terminal=True, columns=120).stdout


def test_causes_that_come_together_are_all_named(run: Run, saved: Path) -> None:
    """In the order of `Calendar.explain`."""
    facts = why(run, saved, "room", at(2, 8).isoformat(), at(3, 12).isoformat())
    assert [cause["kind"] for cause in facts["causes"]] == ["closure", "booking", "hold"]
    facts = why(run, saved, "room", at(3, 8).isoformat(), at(3, 12).isoformat(), "-q", "3")
    assert [cause["kind"] for cause in facts["causes"]] == ["quantity", "closure"]


def test_nearest_is_asked_for_the_quantity(run: Run, tmp_path: Path) -> None:
    """What is free for one is not for two; over the capacity there is nothing."""
    file = tmp_path / "pool.csv"
    file.write_text("resource,start,end\npool,1,5\npool,1,2\npool,8,9\n")
    words = (file, "pool", "1", "2", "--capacity", "2")
    assert why(run, *words)["nearest"] == {"before": [0, 1], "after": [2, 3]}
    assert why(run, *words, "-q", "2")["nearest"] == {"before": [0, 1], "after": [5, 6]}
    facts = why(run, *words, "-q", "3")
    assert facts["nearest"] == {"before": None, "after": None}
    assert facts["causes"][0]["kind"] == "quantity"
    assert "nearest" not in run("why", *words, "-q", "3").stdout


def test_nearest_always_has_the_same_shape(run: Run, tmp_path: Path) -> None:
    """Where nothing is in the way, where the span has no end, where keys have no lengths."""
    none = {"before": None, "after": None}
    file = tmp_path / "some.csv"
    file.write_text("resource,start,end\nloft,1,5\n")
    assert why(run, file, "loft", "8", "9")["nearest"] == none
    assert why(run, file, "loft", "2", "-")["nearest"] == none
    file.write_text("resource,start,end\nloft,b,d\n")
    assert why(run, file, "loft", "c", "e")["nearest"] == none


def test_nearest_times_are_in_the_zone_of_the_question(run: Run, tmp_path: Path) -> None:
    """Whatever zone the bookings are written in."""
    file = tmp_path / "zoned.csv"
    file.write_text("resource,start,end\nloft,2026-07-04T09:00Z,2026-07-04T10:00Z\n")
    words = (file, "loft", "2026-07-04T11:30+02:00", "2026-07-04T12:30+02:00")
    assert why(run, *words)["nearest"] == {
        "before": ["2026-07-04T10:00:00+02:00", "2026-07-04T11:00:00+02:00"],
        "after": ["2026-07-04T12:00:00+02:00", "2026-07-04T13:00:00+02:00"],
    }
    assert "nearest free after: 2026-07-04 12:00:00+02:00 to 2026-07-04 13:00:00+02:00" in run("why", *words).stdout


def test_closed_stretch_is_in_the_zone_of_the_question(run: Run, saved: Path) -> None:
    """Though the hours are kept in another."""
    (cause,) = why(run, saved, "studio", at(2, 10).isoformat(), at(2, 12).isoformat())["causes"]
    assert (cause["start"], cause["end"]) == ("2026-07-02T10:00:00+02:00", "2026-07-02T11:00:00+02:00")


def test_brackets_in_names_and_keys_are_no_markup(run: Run, tmp_path: Path) -> None:
    """On a terminal they are printed as they are."""
    file = tmp_path / "[b]rackets.csv"
    file.write_text("resource,start,end,id\n[red]a,[/x]x,[red]y,[/]\n")
    found = run("why", file, "[red]a", "[/x]x", "[red]y", terminal=True)
    assert found.exit_code == 0
    assert found.stdout.count("[/x]x") == 2
    assert "[/]" in found.stdout
    found = run("available", file, "[/w]", "[/x]x", terminal=True)
    assert "[/w]" in found.stdout and "[red]a" in found.stdout
