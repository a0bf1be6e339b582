"""The commands on every kind of place: a snapshot, a directory, a database; and copying from one to the other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from typer.testing import Result

from bookcore import BookingEvent, Calendar, Resource

Run = Callable[..., Result]
KINDS = "snapshot", "directory", "sqlite", "postgresql"


class Flat(Resource):
    """A class that the command line has not."""


class Stay(BookingEvent):
    """One of bookings."""


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    """A directory with two resources and three bookings of a program's own classes."""
    with Calendar.open(tmp_path / "rooms", types=[Flat, Stay]) as calendar:
        loft = calendar.add_resource(Flat("loft"))
        calendar.add_resource(Resource("barn"))
        calendar.add_booking(Stay(loft, date(2026, 7, 4), date(2026, 7, 11), id="ada"))
        calendar.book(loft, date(2026, 7, 20), date(2026, 7, 22), id="ben")
        calendar.move("ben", start=date(2026, 7, 21), end=date(2026, 7, 23))
        calendar.book("barn", date(2026, 7, 1), date(2026, 7, 2), id="cy")
    return tmp_path / "rooms"


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, run: Run, rooms: Path, tmp_path: Path) -> str:
    """A copy of it in each kind of place."""
    names = {"snapshot": f"{tmp_path}/rooms.bks", "directory": f"{tmp_path}/copy", "sqlite": f"sqlite:///{tmp_path}/rooms.db"}
    to = names.get(request.param)
    if to is None:
        address = request.getfixturevalue("postgres_address")
        to = f"{address}{'&' if '?' in address else '?'}calendar=cli-{os.getpid()}-{tmp_path.name}"
    found = run("copy", rooms, to)
    assert found.exit_code == 0, found.stderr
    assert "holds 3 bookings of 2 resources, as after record 6; it was read back and is the same" in found.stdout
    assert "the records that led to it were not" in found.stdout
    assert ("bookcore backup" in found.stdout) == (request.param == "directory")
    return str(to)


def test_questions_are_answered_from_any_place(run: Run, place: str, rooms: Path) -> None:
    """As from the directory that was copied; nothing is changed, and no class of the program is needed."""
    for words in (
        ("available", "2026-07-05", "2026-07-06"),
        ("available", "2026-07-05", "2026-07-06", "--json"),
        ("why", "loft", "2026-07-05", "2026-07-06"),
        ("why", "loft", "2026-07-21", "2026-07-24", "--json"),
    ):
        found = run(words[0], place, *words[1:])
        assert (found.exit_code, found.stderr) == (0, "")
        assert found.stdout == run(words[0], rooms, *words[1:]).stdout
    assert run("available", place, "2026-07-05", "2026-07-06").stdout == "barn\n"
    found = run("load", place)
    assert found.stdout.startswith("3 bookings of 2 resources from ")
    assert found.stdout.endswith("; starts and ends are dates\n")
    facts = json.loads(run("load", place, "--json").stdout)
    assert (facts["bookings"], facts["resources"], facts["bad_rows"]) == (3, 2, 0)
    with_options = run("available", place, "2026-07-05", "2026-07-06", "--delimiter", ";")
    assert with_options.exit_code == 2
    assert "--delimiter says how to read a CSV" in with_options.stderr


def test_what_is_in_a_place_can_be_saved_as_a_snapshot(run: Run, place: str, tmp_path: Path) -> None:
    """As what is in a table can."""
    found = run("load", place, "--save", tmp_path / "saved.bks")
    assert found.exit_code == 0, found.stderr
    assert run("available", tmp_path / "saved.bks", "2026-07-05", "2026-07-06").stdout == "barn\n"


def test_a_log_begins_with_the_copy(run: Run, place: str) -> None:
    """A snapshot has none; records have their times everywhere."""
    if place.endswith(".bks"):
        found = run("log", place)
        assert found.exit_code == 2
        assert "a snapshot tells no history" in found.stderr
        return
    assert run("log", place).stdout == ""
    with Calendar.open(place, types=[Flat, Stay]) as calendar:
        calendar.book("barn", date(2026, 7, 5), date(2026, 7, 6), id="dee")
        calendar.remove_booking("ada")
    lines = [line.split("\t") for line in run("log", place).stdout.splitlines()]
    assert [(line[0], *line[2:]) for line in lines] == [
        ("7", "booked", "dee: barn 2026-07-05 to 2026-07-06"), ("8", "released", "ada: loft 2026-07-04 to 2026-07-11"),
    ]  # fmt: skip
    assert all(line[1].startswith("20") for line in lines)
    assert [line.split("\t")[0] for line in run("log", place, "--since", "7").stdout.splitlines()] == ["8"]
    assert [line.split("\t")[0] for line in run("log", place, "--resource", "barn").stdout.splitlines()] == ["7"]
    facts = json.loads(run("log", place, "--json").stdout)
    assert (facts["begins"], len(facts["entries"])) == (6, 2)
    assert facts["since"] < facts["entries"][0]["time"] <= facts["entries"][1]["time"]
    assert "times are UTC" in run("log", place, terminal=True, columns=200).stdout
    for since, positions in ((facts["since"], "78"), (facts["entries"][1]["time"], "8"), ("2999-01-01T00:00Z", "")):
        assert [line[0] for line in run("log", place, "--since", since).stdout.splitlines()] == list(positions)


def test_a_copy_is_told_as_json_and_never_made_twice(run: Run, place: str, rooms: Path, tmp_path: Path) -> None:
    """Exit code 2, and a sentence with the name of the place."""
    found = run("copy", rooms, place)
    assert found.exit_code == 2
    assert "already" in found.stderr
    facts = json.loads(run("copy", place, tmp_path / "again", "--json").stdout)
    assert (facts["bookings"], facts["resources"], facts["to"]) == (3, 2, str(tmp_path / "again"))
    assert facts["digest"] == Calendar.open(rooms, types=[Flat, Stay]).digest()
    found = run("copy", place, tmp_path / "again", "--json")
    assert (found.exit_code, json.loads(found.stderr)["exit_code"]) == (2, 2)


def test_what_cannot_be_copied_or_asked_is_refused(run: Run, rooms: Path, tmp_path: Path) -> None:
    """With 2 and a sentence; a password is never printed."""
    copied = run("copy", rooms, f"sqlite:///{tmp_path}/rooms.db")
    assert copied.exit_code == 0
    bad = "postgresql://ada:secret@127.0.0.1:1/rooms?password=secret"
    for words, reason in (
        (("copy", rooms, "-"), "not by way of standard input or output"),
        (("copy", "-", tmp_path / "x"), "not by way of standard input or output"),
        (("copy", tmp_path / "none", tmp_path / "x"), "there is no such file"),
        (("copy", rooms, tmp_path / "x.sqlite"), "a SQLite file is sqlite:///"),
        (("copy", rooms, bad), "postgresql://127.0.0.1:1/rooms"),
        (("copy", bad, tmp_path / "x"), "postgresql://127.0.0.1:1/rooms"),
        (("copy", rooms, "mysql://ada:secret@host/rooms"), "there is no journal of the kind 'mysql'"),
        (("copy", rooms, tmp_path / "x", "--key-file", tmp_path / "none"), "--key-file"),
        (("copy", rooms, tmp_path / "x", "--to-key-file", tmp_path / "none"), "--to-key-file"),
        (("load", tmp_path / "rooms.db"), f"write sqlite:///{tmp_path}/rooms.db"),
        (("load", f"sqlite:///{tmp_path}/none.db"), "there is no such file"),
        (("load", bad), "postgresql://127.0.0.1:1/rooms"),
        (("available", "mysql://ada:secret@host/rooms", "1", "2"), "there is no journal of the kind 'mysql'"),
        (("load", tmp_path / "x.csv", "--save", bad), "`bookcore copy FILE.bks ADDRESS`"),
        (("verify", rooms, "--key-file", bad), "--key-file postgresql://***@127.0.0.1:1/rooms"),
        (("copy", rooms, bad.replace("://", ":/")), "postgresql:/***@127.0.0.1:1/rooms"),
        (("log", bad.replace("://", "//")), "postgresql//***@127.0.0.1:1/rooms"),
        (("log", "mongo:///rooms"), "there is no journal of the kind 'mongo'"),
    ):
        pytest.importorskip("psycopg")
        found = run(*words)
        assert found.exit_code == 2, (words, found.stdout, found.stderr)
        assert reason in found.stderr, words
        assert "secret" not in found.stderr, words
        assert "Traceback" not in found.stderr


def test_sealed_places_are_asked_and_copied_with_their_keys(run: Run, tmp_path: Path, good: Path) -> None:
    """From files, where nobody else sees them."""
    (tmp_path / "key").write_bytes(b"secret")
    (tmp_path / "other").write_bytes(b"other")
    with Calendar.open(tmp_path / "rooms", key=b"secret") as calendar:
        calendar.add_resource(Resource("loft"))
    keys = ("--key-file", tmp_path / "key")
    assert run("available", tmp_path / "rooms", "1", "2").exit_code == 2
    assert run("available", tmp_path / "rooms", "1", "2", *keys).stdout == "loft\n"
    found = run("copy", tmp_path / "rooms", tmp_path / "rooms.bks", *keys, "--to-key-file", tmp_path / "other")
    assert found.exit_code == 0, found.stderr
    assert run("why", tmp_path / "rooms.bks", "loft", "1", "2").exit_code == 2
    found = run("why", tmp_path / "rooms.bks", "loft", "1", "2", "--key-file", tmp_path / "other")
    assert "is available" in found.stdout
    assert run("load", tmp_path / "rooms.bks", "--key-file", tmp_path / "other").exit_code == 0
    found = run("load", good, *keys)
    assert found.exit_code == 2
    assert "is not sealed by a key" in found.stderr


def test_a_calendar_in_use_is_asked_and_copied(run: Run, tmp_path: Path) -> None:
    """Without waiting, also while another process has begun a transaction."""
    address = f"sqlite:///{tmp_path}/rooms.db"
    with Calendar.open(address) as calendar:
        calendar.add_resource(Resource("loft"))
        with calendar.transaction():
            calendar.book("loft", 1, 2)
            assert run("available", address, "1", "2").stdout == "loft\n"
            assert run("copy", address, tmp_path / "copy").exit_code == 0
        assert run("available", address, "1", "2").stdout == ""


def test_progress_is_shown_on_a_terminal(run: Run, rooms: Path, tmp_path: Path) -> None:
    """A bar for each step, which is gone at the end."""
    found = run("copy", rooms, tmp_path / "rooms.bks", terminal=True)
    assert found.exit_code == 0
    assert "Reading" in found.stderr
    assert "Writing" in found.stderr
    assert "Verifying" in found.stderr


@pytest.mark.parametrize("command", ["verify", "backup", "salvage"])
def test_a_command_for_directories_says_what_another_place_is(
    run: Run, rooms: Path, tmp_path: Path, good: Path, command: str
) -> None:
    """With the command that is for it; nothing is made."""
    address, snapshot = f"sqlite:///{tmp_path}/rooms.db", tmp_path / "rooms.bks"
    assert run("copy", rooms, address).exit_code == run("copy", rooms, snapshot).exit_code == 0
    for place, kind, way in (
        (address, "a database", "`bookcore db check` checks it"),
        ("postgresql://ada:secret@host/rooms", "a database", "`bookcore db check` checks it"),
        (snapshot, "a snapshot", "`bookcore load` reads and checks it"),
        (tmp_path / "rooms.db", "a SQLite file", f"`bookcore load {address}` reads it"),
        (good, "a file", "`bookcore load` reads tables and snapshots"),
    ):
        found = run(command, place, *[tmp_path / "new"] * (command != "verify"))
        assert found.exit_code == 2
        assert f"is {kind}, and {command} is for directories; " in found.stderr
        assert way in found.stderr
        assert "secret" not in found.stderr
    assert not (tmp_path / "new").exists()
    if command != "verify":
        found = run(command, rooms, address)
        assert (found.exit_code, "`bookcore copy` copies to a database" in found.stderr) == (2, True)


def test_a_table_is_not_copied_and_its_way_is_named(run: Run, rooms: Path, tmp_path: Path, good: Path) -> None:
    """Nor is the file of a database by its path."""
    found = run("copy", good, tmp_path / "new")
    assert found.exit_code == 2
    assert "is neither a snapshot nor a directory" in found.stderr
    assert "`bookcore load --save` makes a snapshot" in found.stderr
    assert run("copy", rooms, f"sqlite:///{tmp_path}/rooms.db").exit_code == 0
    found = run("copy", tmp_path / "rooms.db", tmp_path / "new")
    assert (found.exit_code, f"write sqlite:///{tmp_path}/rooms.db" in found.stderr) == (2, True)
    assert not (tmp_path / "new").exists()


def test_no_command_speaks_of_an_argument_that_it_has_not(run: Run, tmp_path: Path) -> None:
    """`create` is one of `Calendar.open`."""
    for words in (("load", f"sqlite:///{tmp_path}/no.db"), ("log", f"sqlite:///{tmp_path}/no.db"), ("load", tmp_path)):
        found = run(*words)
        assert found.exit_code == 2
        assert "there is no" in found.stderr
        assert "create" not in found.stderr


def test_a_log_without_lines_says_why(run: Run, rooms: Path, tmp_path: Path) -> None:
    """On the error output, and not where a program reads JSON."""
    assert run("copy", rooms, tmp_path / "copy").exit_code == 0
    for words, said in (
        ((rooms, "--resource", "nope"), "no changes of a resource 'nope' are in the records that are kept"),
        ((rooms, "--since", "999"), "no changes after record 999 are in the records that are kept"),
        ((rooms, "--since", "2999-01-01T00:00Z"), "no changes from 2999-01-01T00:00Z on are in the records that are kept"),
        ((tmp_path / "copy",), "no changes are kept: the records begin after record 6"),
    ):
        found = run("log", *words)
        assert (found.exit_code, found.stdout, found.stderr) == (0, "", said + "\n")
        assert run("log", *words, "--json").stderr == ""
    assert run("log", rooms).stderr == ""


def test_a_calendar_is_copied_as_it_stood(run: Run, rooms: Path, tmp_path: Path) -> None:
    """After a record, of which there has to be one."""
    assert json.loads(run("copy", rooms, tmp_path / "x.bks", "--as-of", "1", "--json").stdout)["position"] == 1
    assert "--as-of 'never' is neither a position" in run("copy", rooms, tmp_path / "y.bks", "--as-of", "never").stderr
    assert "leave out as_of" in run("copy", tmp_path / "x.bks", tmp_path / "y.bks", "--as-of", "1").stderr


@pytest.mark.parametrize("command", ["verify", "backup", "salvage"])
def test_no_bar_shows_the_password_of_a_misspelt_address(run: Run, tmp_path: Path, command: str) -> None:
    """Which is taken for a directory that is not there."""
    found = run(command, "postgresql:/ada:hunter2@host/rooms", *[tmp_path / "new"] * (command != "verify"), terminal=True)
    assert found.exit_code == 2
    assert "hunter2" not in found.output
