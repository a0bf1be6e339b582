"""The commands about a database, ``bookcore db``: what they print, in text and JSON, and their exit codes."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from bookcore import Calendar, Resource
from bookcore.testing.servers import execute

Run = Callable[..., Result]


@pytest.fixture
def dsn(postgres: str) -> str:
    """Return the address of an empty database, as a program would be given it."""
    from urllib.parse import urlencode

    from psycopg.conninfo import conninfo_to_dict

    return f"postgresql:///?{urlencode(conninfo_to_dict(postgres))}"


def test_a_database_is_made_checked_damaged_and_repaired(run: Run, dsn: str) -> None:
    """Who makes the tables need not be who opens the calendar."""
    made = run("db", "init", f"{dsn}&calendar=berlin", "--bounds", "[]")
    assert (made.exit_code, made.stdout) == (0, "postgresql:///?calendar=berlin was made\n")
    again = run("db", "init", f"{dsn}&calendar=berlin")
    assert (again.exit_code, again.stdout) == (0, "postgresql:///?calendar=berlin was there already\n")
    assert json.loads(run("db", "init", f"{dsn}&calendar=berlin", "--json").stdout)["made"] is False
    with Calendar.open(f"{dsn}&calendar=berlin", create=False) as calendar:
        assert calendar.bounds == "[]"
        calendar.add_resource(Resource("loft"))
        calendar.book("loft", 1, 3, id="ada")
        digest = calendar.digest()
    found = run("db", "check", f"{dsn}&calendar=berlin")
    lines = ["berlin is whole: 2 records, 0 checkpoints; its tables agree", f"record 2, digest {digest}"]
    assert (found.exit_code, found.stdout.splitlines()) == (0, lines)
    execute(dsn, "UPDATE bookcore.booking SET numbers = '[1,2]', quantity = 7")
    found = run("db", "check", f"{dsn}&calendar=berlin")
    lines[0] = "berlin is damaged: 2 records, 0 checkpoints; its tables differ"
    assert (found.exit_code, found.stdout.splitlines()) == (1, [*lines, "booking\tada\tdiffers\tnumbers, quantity"])
    assert "numbers, quantity" in run("db", "check", f"{dsn}&calendar=berlin", terminal=True).stdout
    found = run("db", "check", f"{dsn}&calendar=berlin", "--json")
    facts = json.loads(found.stdout)
    assert (found.exit_code, facts["whole"], facts["position"], facts["digest"]) == (1, False, 2, digest)
    assert facts["differences"] == [{"table": "booking", "id": "ada", "what": "differs", "columns": ["numbers", "quantity"]}]
    assert run("db", "rebuild", f"{dsn}&calendar=berlin").stdout == "1 row changed\n"
    assert run("db", "rebuild", f"{dsn}&calendar=berlin").stdout == "the tables were right\n"
    assert json.loads(run("db", "rebuild", f"{dsn}&calendar=berlin", "--json").stdout) == {"changed": 0}
    execute(dsn, "UPDATE bookcore.change SET record = 'x' WHERE position = 2")
    found = run("db", "check", f"{dsn}&calendar=berlin")
    assert found.exit_code == 1
    first, good, fault = found.stdout.splitlines()
    assert first == "berlin is damaged: 1 record, 0 checkpoints; its tables were not compared"
    assert good.startswith("record 1, digest ")
    assert fault.startswith("damaged: journal postgresql:///?calendar=berlin: record 2 is damaged or gone; as_of=1 opens")
    assert run("db", "rebuild", f"{dsn}&calendar=berlin").exit_code == 2


def test_a_copy_that_was_cut_off_is_refused_by_name_and_gone_on_with(run: Run, dsn: str, tmp_path: Path) -> None:
    """The command says how much of it was there."""
    with Calendar.open(tmp_path / "rooms") as calendar:
        calendar.add_resource(Resource("loft"))
        for at in range(3):
            calendar.book("loft", at, at + 1, id=f"b{at}")
    for flag in ((), ("--json",)):
        to = f"{dsn}&calendar=berlin{len(flag)}"
        assert json.loads(run("copy", tmp_path / "rooms", to, "--json").stdout)["resumed"] == 0
        execute(dsn, "UPDATE bookcore.calendar SET format = 1000000")
        execute(dsn, "DELETE FROM bookcore.booking WHERE id = 'b2'")
        found = run("db", "check", to)
        assert (found.exit_code, found.stdout) == (2, "")
        assert "there is a copy in it that is being made, or was cut off: `bookcore copy` to it again" in found.stderr
        found = run("copy", tmp_path / "rooms", to, *flag)
        assert found.exit_code == 0
        told = "it went on with a copy that was cut off, which had 3 rows of its tables"
        assert json.loads(found.stdout)["resumed"] == 3 if flag else told in found.stdout.splitlines()
        assert run("db", "check", to).exit_code == 0
        execute(dsn, "UPDATE bookcore.calendar SET format = 3")


def test_tables_are_added_to_a_database_without(run: Run, dsn: str) -> None:
    """Then nothing is to be done."""
    assert run("db", "init", f"{dsn}&tables=no").exit_code == 0
    assert "it has no tables" in run("db", "check", dsn).stdout
    assert run("db", "upgrade", dsn).stdout == "calendar: tables of resources, bookings and closures were added\n"
    assert run("db", "upgrade", dsn).stdout == "nothing was to be done\n"
    nothing = {"from_format": 3, "format": 3, "tables_added": [], "restored": []}
    assert json.loads(run("db", "upgrade", dsn, "--json").stdout) == nothing
    assert "its tables agree" in run("db", "check", dsn).stdout
    execute(dsn, "DROP INDEX bookcore.booking_resource")
    found = run("db", "check", dsn)
    assert (found.exit_code, found.stdout.splitlines()[2:]) == (1, [
        "booking\tbooking_resource\tmissing in the schema; `bookcore db upgrade` makes it again\t",
    ])  # fmt: skip
    assert run("db", "upgrade", dsn).stdout == "booking.booking_resource was missing, and was made again\n"


@pytest.mark.parametrize("command", ["init", "upgrade", "check", "rebuild"])
def test_what_is_no_database_is_named_without_its_password(
    command: str, run: Run, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2; so for a newer schema, and without psycopg."""
    found = run("db", command, "mysql://ada:secret@host/rooms")
    assert (found.exit_code, "secret" in found.output) == (2, False)
    assert ("for PostgreSQL: name" in found.output) == (command in ("init", "rebuild"))
    found = run("db", command, "postgresql://ada:secret@127.0.0.1:1/rooms", "--json")
    assert (found.exit_code, "secret" in found.output) == (2, False)
    run("db", "init", dsn)
    execute(dsn, "UPDATE bookcore.schema SET version = 4")
    found = run("db", command, dsn)
    assert (found.exit_code, "format 4 is newer than 3" in found.output) == (2, True)
    monkeypatch.setitem(sys.modules, "bookcore.persist.shared.databases", None)
    monkeypatch.delattr("bookcore.persist.shared.databases")
    found = run("db", command, dsn)
    assert (found.exit_code, "bookcore[postgres]" in found.output) == (2, True)


def test_db_lists_its_commands(run: Run) -> None:
    """With what each does."""
    found = run("db", "--help")
    assert all(command in found.stdout for command in ("init", "upgrade", "check", "rebuild"))


def test_no_more_differences_are_printed_than_are_read(run: Run, dsn: str) -> None:
    """The number of the others, and where they are."""
    with Calendar.open(dsn) as calendar:
        loft = calendar.add_resource(Resource("loft"))
        calendar.book_all([(loft, at, at + 1) for at in range(40)])
    execute(dsn, "UPDATE bookcore.booking SET quantity = 7")
    for terminal in (False, True):
        lines = run("db", "check", dsn, terminal=terminal).stdout.splitlines()
        assert lines[-1] == "and 10 rows more; --json tells the first thousand of each table"
        assert len(lines) < 40
    assert len(json.loads(run("db", "check", dsn, "--json").stdout)["differences"]) == 40


def test_what_db_is_not_for_names_the_command_that_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a directory, whatever its name is, and of another database."""
    monkeypatch.chdir(tmp_path)
    for folder in ("rooms", "postgres"):
        Calendar.open(f"./{folder}/").close()
    Calendar.open("sqlite:///rooms.db").close()
    (tmp_path / "list.csv").write_text("room,start,end\n")
    verify = "is a directory, and db check is for databases; `bookcore verify` checks it"
    ways = {
        tmp_path / "rooms": verify, "postgres": verify, "list.csv": "is a file", "rooms.db": "load sqlite:///rooms.db`",
        "nowhere": "is no address", "sqlite:rooms.db": "write postgresql://user@host/database, sqlite:///path or dbzero",
    }  # fmt: skip
    for place, way in ways.items():
        found = run("db", "check", place)
        assert found.exit_code == 2
        assert way in found.stderr
    found = run("db", "rebuild", "sqlite:///rooms.db")
    assert (found.exit_code, "rebuild is for PostgreSQL" in found.stderr) == (2, True)
    found = run("verify", "sqlite:///rooms.db")
    assert (found.exit_code, "`bookcore db check` checks it" in found.stderr) == (2, True)


def test_a_check_of_sqlite_names_the_record_that_is_damaged(run: Run, tmp_path: Path) -> None:
    """As of PostgreSQL, but for the tables; a whole one is whole while a program has it open."""
    address = f"sqlite:///{tmp_path}/rooms.db"
    with Calendar.open(address) as calendar:
        calendar.add_resource(Resource("loft"))
        calendar.book("loft", 1, 3)
        found = run("db", "check", address)
        assert found.exit_code == 0
        whole, last = found.stdout.splitlines()
        assert whole == f"{address} is whole: 2 records, 0 checkpoints; it has no tables"
        assert last == f"record 2, digest {calendar.digest()}"
    with closing(sqlite3.connect(tmp_path / "rooms.db")) as other, other:
        other.execute("UPDATE change SET record = x'00' WHERE position = 2")
    found = run("db", "check", address, "--json")
    facts = json.loads(found.stdout)
    assert (found.exit_code, facts["whole"], facts["position"]) == (1, False, 1)
    assert "record 2 is damaged or gone" in facts["faults"][0]


def test_a_check_of_partitions_tells_the_position_of_each(run: Run, dsn: str) -> None:
    """As the calendar tells it, and its digest: those of the directory would be read as those of all."""
    place = f"{dsn}&calendar=rome&partitions=2"
    calendar: Any = Calendar.open(place, follow=False)
    with calendar:
        calendar.add_resource(Resource("loft"))
        calendar.book("loft", 1, 3)
        position, digest = calendar.position, calendar.digest()
    lines = run("db", "check", place).stdout.splitlines()
    assert lines == ["rome is whole: 3 records, 2 checkpoints; its tables agree", f"position {position}, digest {digest}"]
    facts = json.loads(run("db", "check", place, "--json").stdout)
    assert (tuple(facts["position"]), facts["digest"]) == (position, digest)


def test_questions_are_asked_of_a_calendar_in_partitions(run: Run, dsn: str) -> None:
    """As of any other one; what cannot be done with it says what can."""
    place = f"{dsn}&calendar=oslo&partitions=2"
    calendar: Any = Calendar.open(place, follow=False)
    with calendar:
        for name in "attic", "barn", "loft":
            calendar.add_resource(Resource(name))
        calendar.book("loft", 1, 3)
    assert run("available", place, "1", "2").stdout.split() == ["attic", "barn"]
    assert run("why", place, "loft", "1", "2").stdout.startswith("loft is not available from 1 to 2\n")
    assert run("load", place).stdout.startswith("1 booking of 3 resources from")
    assert "`bookcore copy`" in run("load", place, "--save", "oslo.bks").stderr
