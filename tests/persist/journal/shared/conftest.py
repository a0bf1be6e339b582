"""What the tests of shared calendars share: an address of a new journal, and calendars that are closed at the end.

Tests that take ``address`` or ``opened`` run on each database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bookcore import Calendar
from bookcore.persist.history import read_log
from bookcore.persist.journal.errors import JournalPositionError, JournalVersionError
from bookcore.persist.shared.opening import upgrade
from bookcore.testing.servers import PostgresServer

_numbers = count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a journal that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/rooms.db"
    given = request.getfixturevalue("postgres_address")
    return f"{given}{'&' if '?' in given else '?'}calendar=test-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def three_families(request: pytest.FixtureRequest) -> None:
    """Let a database have three families of keys: a record is bytes to it, and a directory has those of all families."""
    given = getattr(request.node, "callspec", None)
    if given is not None and str(given.params.get("keys", "int")) not in ("int", "aware", "own"):
        pytest.skip("the records of this family are tried in a directory")


@pytest.fixture
def divided(postgres_address: str) -> str:
    """Return the address of a calendar in four partitions that is not there yet."""
    joint = "&" if "?" in postgres_address else "?"
    return f"{postgres_address}{joint}calendar=divided-{os.getpid()}-{next(_numbers)}&partitions=4"


@pytest.fixture
def parted(divided: str, world: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens one more calendar there, without a follower and without syncs."""
    calendars: list[Any] = []

    def open_one(**options: Any) -> Any:
        settings = {"types": world.TYPES, "follow": False, "sync": "never", **options}
        calendars.append(Calendar.open(divided, **settings))
        return calendars[-1]

    yield open_one
    for calendar in calendars:
        if calendar.news.is_open():
            calendar.catch_up()
            calendar.check()
            calendar.close()


@pytest.fixture
def name() -> str:
    """Return the name of a calendar that is not there yet."""
    return f"calendar {next(_numbers)}"


@pytest.fixture
def admin(postgres_server: PostgresServer) -> Iterator[Any]:
    """Return a connection as another program has it."""
    import psycopg

    with psycopg.connect(postgres_server.dsn(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def lose() -> Callable[[str, int], None]:
    """Return a function that has a calendar in PostgreSQL lose its records after a position, as a failover may do."""

    def lost(address: str, position: int) -> None:
        from bookcore.persist.shared.databases import rebuild
        from bookcore.persist.shared.pgschema import Address
        from bookcore.testing.servers import execute

        where = Address.of(address)
        of_it = f"calendar = '{where.row}' AND position"
        for table in "change", "checkpoint":
            execute(where.server, f"DELETE FROM bookcore.{table} WHERE {of_it} > {position}")  # noqa: S608
        head = f"SELECT position, mark FROM bookcore.change WHERE {of_it} = {position}"  # noqa: S608
        execute(where.server, f"UPDATE bookcore.calendar SET (position, mark) = ({head}) WHERE name = '{where.row}'")  # noqa: S608
        rebuild(address)  # the tables lack them as well

    return lost


@pytest.fixture
def plain_user(postgres_server: PostgresServer) -> Iterator[tuple[str, str]]:
    """Return the address of an empty database for its owner, and for a user who may make a schema there and no extension."""
    database = postgres_server.new_database().rpartition("?")[0].rpartition("/")[2]
    role = f"plain_{database}"
    postgres_server.execute(f"CREATE ROLE {role} LOGIN")
    owner = postgres_server.dsn(database)
    yield owner, owner.replace("postgres@", f"{role}@")
    postgres_server.execute(f"DROP DATABASE {database} WITH (FORCE)")
    postgres_server.execute(f"DROP ROLE {role}")


@pytest.fixture
def opened(address: str, world: Any) -> Iterator[Callable[..., Calendar]]:
    """Return a function that opens one more calendar on the journal, without a follower and without syncs."""
    calendars: list[Calendar] = []

    def open_one(**options: Any) -> Calendar:
        settings = {"types": world.TYPES, "follow": False, "sync": "never", **options}
        calendars.append(Calendar.open(address, **settings))
        return calendars[-1]

    yield open_one
    for calendar in calendars:
        calendar.check()
        calendar.close()


@pytest.fixture
def brought_up() -> Callable[..., None]:
    """Return a function that brings a place of an older format, with two records, up to this one, and looks at its past."""

    def look(address: str, was: int, now: int) -> None:
        for call in (Calendar.open, read_log, lambda at: Calendar.open(at, as_of=1)):
            with pytest.raises(JournalVersionError, match=f"format {was} is older than {now}; `bookcore db upgrade`"):
                call(address)
        assert upgrade(address)[:2] == (was, now)
        assert upgrade(address) == (now, now, (), ())
        with Calendar.open(address, follow=False) as calendar:
            calendar.book("room", 100, 101, id="late")
            digest = calendar.digest()
        history = read_log(address)
        assert [entry.position for entry in history] == [1, 2, 3]
        assert [entry.time for entry in history][:2] == [None, None]
        assert history.since is None
        (made,) = [entry.time for entry in history][2:]
        assert made is not None
        untold = "its records up to 2 are of an older bookcore and tell no times; name a position"
        for instant in (made - timedelta(microseconds=1), datetime(1960, 1, 1, tzinfo=UTC)):
            with pytest.raises(JournalPositionError, match=untold) as caught:
                Calendar.open(address, as_of=instant)
            assert caught.value.asked == instant
        with pytest.raises(JournalPositionError, match=untold):
            read_log(address, since=made)  # record 2 may have been made at the same instant
        there = Calendar.open(address, as_of=made)
        assert (there.position, there.digest()) == (3, digest)
        assert len(Calendar.open(address, as_of=2)) == 1
        assert [entry.position for entry in read_log(address, since=made + timedelta(microseconds=1))] == []

    return look
