"""How many examples Hypothesis draws: as BOOKCORE_EXAMPLES says, few, the usual number (the default), or many; a database.

Few and the usual number are the same ones in every run, so that a run can be repeated; many are new ones each time. A test
that needs more or fewer than others asks for a multiple or a part of ``settings().max_examples``.

The database is that of the address BOOKCORE_TEST_POSTGRES. Where that is a version, such as 18, each server is of that
version, which has to be installed; where it is not set, of the first installation that is found.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings

from bookcore.stores.memory.store import MemoryStore
from bookcore.testing.servers import NoServerError, PostgresServer, execute, installation, start_postgres

# `too_slow` and deadlines measure the machine, and the conformance suite needs a fixture for each function.
CALM = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
SAME = settings(
    deadline=None,
    derandomize=True,
    stateful_step_count=40,
    suppress_health_check=CALM,
    phases=set(Phase) - {Phase.explain},  # explaining a failure takes minutes where shrinking takes seconds
)
PROFILES = {
    "few": settings(SAME, max_examples=10),
    "usual": settings(SAME, max_examples=40),
    "many": settings(
        deadline=None, max_examples=2000, stateful_step_count=80, suppress_health_check=CALM, print_blob=True
    ),
}

asked = os.environ.get("BOOKCORE_EXAMPLES") or "usual"
if asked not in PROFILES:
    raise pytest.UsageError(f"BOOKCORE_EXAMPLES={asked}: it is one of {', '.join(PROFILES)}")
settings.register_profile("bookcore", PROFILES[asked])
settings.load_profile("bookcore")


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Start one worker more than there are processors: tests wait for the disk, for servers and for other processes."""
    count = yield
    return count if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") else count + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let a worker without tests take some that another has before it.

    Blocks of tests are as different as their folders. With fixed ones the last worker went on alone for a minute and more,
    and the tests that wait for servers ran beside each other instead of beside those that compute.
    """
    if config.getvalue("dist") != "load":  # what -n stands for
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_collection() -> None:
    """Collect no garbage while tests are collected: what is made stays."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Freeze the tests: a full run of the garbage collector would walk a million objects of pytest, in half a second.

    Refuse names of tests that differ from worker to worker: with them no worker would run a test.
    """
    for item in session.items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: the address in it is another one in each process: parametrize with ids")
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture
def thawed() -> Iterator[None]:
    """Freeze nothing, for a test of what is done where nothing is frozen."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """Leave the collector on: a test that cuts calls off at any place may do so just before it is switched on again."""
    yield
    gc.enable()


class CountingStore(MemoryStore):
    """Counts the rows that are put one by one, and those that are loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.put_count = self.load_count = 0

    def put(self, *row: Any) -> None:
        """Count, and put."""
        self.put_count += 1
        super().put(*row)

    def load(self, records: Any, *columns: Any) -> bool:
        """Count, and load."""
        self.load_count += len(records)
        return super().load(records, *columns)


@pytest.fixture
def counting() -> type[CountingStore]:
    """Return a class of stores that says whether rows were put one by one, or loaded."""
    return CountingStore


asked_postgres = os.environ.get("BOOKCORE_TEST_POSTGRES", "")


def _start() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server, and stop it at the end. Skips where none can be had, but fails for one asked for."""
    pytest.importorskip("psycopg", reason="psycopg, of the extra postgres, is not installed")
    programs = installation(asked_postgres) if asked_postgres.isdecimal() else None
    try:
        server = start_postgres(programs)
    except NoServerError as error:
        pytest.skip(str(error))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for this process of the tests."""
    yield from _start()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for one test, which may kill it or promote its standby."""
    yield from _start()


@pytest.fixture
def postgres_address(request: pytest.FixtureRequest) -> str:
    """Return the address of a database: the one that is given, or that of a server which is started for the tests."""
    given = "" if asked_postgres.isdecimal() else asked_postgres
    return given or str(request.getfixturevalue("postgres_server").dsn())


@pytest.fixture
def postgres(postgres_address: str) -> Iterator[str]:
    """Make an empty database in PostgreSQL for one test, and return its address."""
    from psycopg.conninfo import make_conninfo

    name = f"test_{uuid4().hex}"
    execute(postgres_address, f"CREATE DATABASE {name}")
    yield make_conninfo(postgres_address, dbname=name)
    execute(postgres_address, f"DROP DATABASE {name} WITH (FORCE)")
