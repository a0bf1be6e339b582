"""What the tests of shared calendars share: an address of a new journal, and calendars that are closed at the end.

Tests that take ``address`` or ``opened`` run on each database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bookcore import Calendar
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
