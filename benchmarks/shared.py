"""Calendars that processes share, beside SQL by hand in the same database.

    measurement ---- "go" ---> client 1 ... client n     each a process with a connection, or a calendar, of its own
                <-- seconds --                           the time of each of its commits

Both tables and records are in one database, and both are synced at each commit, so that both meet the same disk.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers import MissingError, _module
from bookcore import BookingEvent, Calendar, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["CLIENTS", "commits", "questions", "threads", "visible"]

ROOT = Path(__file__).resolve().parents[1]
ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
YEAR = 8760
TOGETHER = 1, 20, 100
"""How many bookings a commit has."""


# -- the databases --------------------------------------------------------------------------------


class Tables:
    """What is written by hand: a table of resources and one of bookings, in which no two of a resource overlap."""

    COUNTS: tuple[str, ...]
    CHECK: str
    connection: Any

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def run(self, statement: str, arguments: Sequence[Any] = ()) -> Any:
        """Execute a statement."""
        raise NotImplementedError

    def create(self, n: int, rows: Sequence[tuple[int, datetime, datetime]]) -> None:
        """Make both tables, with so many resources and these bookings."""
        raise NotImplementedError

    def book(self, resource: int, start: datetime, end: datetime) -> bool:
        """Book, in a transaction of its own; tell whether that was possible."""
        raise NotImplementedError

    def book_together(self, spans: Sequence[tuple[int, datetime, datetime]]) -> None:
        """Book all of them in one transaction."""
        raise NotImplementedError

    def key(self, at: datetime) -> Any:
        """Return a point in time as the table has it."""
        return at

    def count(self, statement: str, start: datetime, end: datetime) -> int:
        """Count the free resources."""
        found: int = self.run(statement, (self.key(start), self.key(end))).fetchone()[0]
        return found

    def is_available(self, resource: int, start: datetime, end: datetime) -> bool:
        """Ask for one resource."""
        return self.run(self.CHECK, (resource, self.key(start), self.key(end))).fetchone() is None


class Postgres(Tables):
    """The exclusion constraint decides, and `ON CONFLICT` says what it decided."""

    COUNTS = (
        """SELECT count(*) FROM resource r
        WHERE NOT EXISTS (SELECT 1 FROM booking b WHERE b.resource = r.id AND b.during && tstzrange(%s, %s))""",
        "SELECT (SELECT count(*) FROM resource) - count(DISTINCT resource) FROM booking WHERE during && tstzrange(%s, %s)",
    )
    # psycopg sends a small int as a smallint: without the cast the index on integers does not serve it
    CHECK = "SELECT 1 FROM booking WHERE resource = %s::integer AND during && tstzrange(%s, %s) LIMIT 1"
    INSERT = "INSERT INTO booking (resource, during) VALUES (%s, tstzrange(%s, %s)) ON CONFLICT DO NOTHING RETURNING id"

    def __init__(self, address: str) -> None:
        import psycopg

        self.connection = psycopg.connect(address.partition("&calendar=")[0], autocommit=True)
        self.run = self.connection.execute  # type: ignore[method-assign]

    def create(self, n: int, rows: Sequence[tuple[int, datetime, datetime]]) -> None:
        self.run("CREATE EXTENSION IF NOT EXISTS btree_gist")
        self.run("CREATE TABLE resource (id integer PRIMARY KEY)")
        self.run("INSERT INTO resource SELECT generate_series(0, %s)", (n - 1,))
        self.run("CREATE TABLE booking (id bigserial PRIMARY KEY, resource integer NOT NULL, during tstzrange NOT NULL)")
        with self.connection.cursor() as cursor, cursor.copy("COPY booking (resource, during) FROM STDIN") as copy:
            for resource, start, end in rows:
                copy.write_row((resource, f"[{start.isoformat()},{end.isoformat()})"))
        self.run("ALTER TABLE booking ADD EXCLUDE USING gist (resource WITH =, during WITH &&)")
        self.run("CREATE INDEX ON booking USING gist (during)")
        self.run("VACUUM ANALYZE")

    def book(self, resource: int, start: datetime, end: datetime) -> bool:
        return self.run(self.INSERT, (resource, start, end)).fetchone() is not None

    def book_together(self, spans: Sequence[tuple[int, datetime, datetime]]) -> None:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.executemany(self.INSERT, spans)


class SQLite(Tables):
    """A transaction that takes the write lock first, looks, and inserts."""

    COUNTS = (
        """SELECT count(*) FROM resource r
        WHERE NOT EXISTS (SELECT 1 FROM booking b WHERE b.resource = r.id AND b.high > ? AND b.low < ?)""",
        "SELECT (SELECT count(*) FROM resource) - count(DISTINCT resource) FROM booking WHERE high > ? AND low < ?",
    )
    CHECK = "SELECT 1 FROM booking WHERE resource = ? AND high > ? AND low < ? LIMIT 1"

    def __init__(self, address: str) -> None:
        path = f"{address.removeprefix('sqlite:///')}-tables"
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=600)
        self.connection.execute("PRAGMA journal_mode = wal")
        self.connection.execute("PRAGMA synchronous = full")
        self.run = self.connection.execute  # type: ignore[method-assign]

    def key(self, at: datetime) -> int:
        return int((at - ORIGIN).total_seconds())

    def create(self, n: int, rows: Sequence[tuple[int, datetime, datetime]]) -> None:
        self.run("BEGIN")
        self.run("CREATE TABLE resource (id integer PRIMARY KEY)")
        self.connection.executemany("INSERT INTO resource VALUES (?)", ((number,) for number in range(n)))
        self.run("CREATE TABLE booking (id integer PRIMARY KEY, resource integer, low integer, high integer)")
        self.connection.executemany(
            "INSERT INTO booking (resource, low, high) VALUES (?, ?, ?)",
            ((resource, self.key(start), self.key(end)) for resource, start, end in rows),
        )
        self.run("CREATE INDEX by_resource ON booking (resource, high, low)")
        self.run("CREATE INDEX by_time ON booking (low, high, resource)")
        self.run("COMMIT")
        self.run("ANALYZE")

    def _insert(self, resource: int, start: datetime, end: datetime) -> bool:
        free = self.is_available(resource, start, end)
        if free:
            span = (resource, self.key(start), self.key(end))
            self.run("INSERT INTO booking (resource, low, high) VALUES (?, ?, ?)", span)
        return free

    def book(self, resource: int, start: datetime, end: datetime) -> bool:
        self.run("BEGIN IMMEDIATE")
        free = self._insert(resource, start, end)
        self.run("COMMIT")
        return free

    def book_together(self, spans: Sequence[tuple[int, datetime, datetime]]) -> None:
        self.run("BEGIN IMMEDIATE")
        for span in spans:
            self._insert(*span)
        self.run("COMMIT")


TABLES: dict[str, Callable[[str], Tables]] = {"SQLite": SQLite, "PostgreSQL": Postgres}


@contextmanager
def _place(kind: str) -> Iterator[str]:
    """Give the address of a new calendar: in a file, or on a server that is started for it."""
    if kind == "SQLite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/shared.db"
        return
    _module("psycopg")
    from bookcore.testing.servers import (  # which loads Hypothesis, as no client should
        NoServerError,
        start_postgres,
    )

    try:
        server = start_postgres()
    except NoServerError as error:
        raise MissingError(str(error)) from error
    try:
        yield f"{server.new_database()}&calendar=benchmark"
    finally:
        server.stop()


def _rows(n: int, m: int) -> list[tuple[int, datetime, datetime]]:
    """Return m bookings of an hour to four days for each resource, within a year, shuffled."""
    rng, rows = random.Random(99), []
    for resource in range(n):
        points = sorted(rng.sample(range(YEAR), 2 * m))
        for low, high in zip(points[::2], points[1::2], strict=True):
            rows.append((resource, ORIGIN + low * HOUR, ORIGIN + min(high, low + rng.randint(1, 96)) * HOUR))
    rng.shuffle(rows)
    return rows


def _fill(calendar: Any, n: int, rows: Sequence[tuple[int, datetime, datetime]]) -> None:
    with calendar.transaction():
        resources = [calendar.add_resource(Resource(number)) for number in range(n)]
        calendar.load(BookingEvent(resources[number], start, end) for number, start, end in rows)


def _both(kind: str, address: str, n: int, m: int) -> None:
    """Put the same into a calendar and into tables."""
    rows = _rows(n, m)
    with Calendar.open(address, follow=False) as calendar:
        _fill(calendar, n, rows)
        calendar.checkpoint()
    with closing(TABLES[kind](address)) as tables:
        tables.create(n, rows)


# -- processes ------------------------------------------------------------------------------------


def _client(**options: Any) -> subprocess.Popen[str]:
    """Start a process of `CLIENTS`, which says when it is ready."""
    return subprocess.Popen(  # noqa: S603 - our own module, our own arguments
        [sys.executable, "-m", "benchmarks.shared", json.dumps(options)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def _answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"a client ended with {process.wait()}")
    return json.loads(line)


def _say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _ready() -> None:
    print('"ready"', flush=True)
    sys.stdin.readline()


def _spans(number: int, each: int, n: int) -> list[tuple[int, datetime, datetime]]:
    """Return what a client books after so many others: spans after the year, which no other client asks for."""
    rng = random.Random(number)
    first = ORIGIN + (YEAR + 2 * number) * HOUR
    return [(rng.randrange(n), first + 2 * at * HOUR, first + (2 * at + 1) * HOUR) for at in range(each)]


def _timed(call: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[float]:
    """Return the seconds of each call."""
    out, clock = [], time.perf_counter
    for each in arguments:
        began = clock()
        call(*each)
        out.append(clock() - began)
    return out


def write(*, kind: str, address: str, ours: bool, number: int, each: int, n: int, together: int) -> list[float]:
    """Book *each* spans, one a commit or so many *together*; return the seconds of each commit."""
    spans = _spans(number, each, n)
    parts = [(spans[at : at + together],) for at in range(0, each, together)]
    if not ours:
        with closing(TABLES[kind](address)) as tables:
            _ready()
            return _timed(tables.book_together, parts) if together > 1 else _timed(tables.book, spans)

    def book_together(part: Sequence[tuple[int, datetime, datetime]]) -> None:
        with calendar.transaction():
            for span in part:
                calendar.book(*span)

    with Calendar.open(address, timeout=600) as calendar:
        _ready()
        return _timed(book_together, parts) if together > 1 else _timed(calendar.book, spans)


def hear(*, address: str, count: int) -> None:
    """Print the time at which each change is there: one clock for all processes of a machine."""
    with Calendar.open(address) as calendar:
        heard: list[float] = []
        calendar.subscribe(lambda _: heard.append(time.monotonic()))
        position = calendar.position
        _ready()
        for at in range(1, count + 1):
            calendar.wait_for(position + at, timeout=60)
            print(heard[at - 1], flush=True)


def openings(*, address: str) -> float:
    """Return the seconds of an opening."""
    began = time.perf_counter()
    with Calendar.open(address, follow=False):
        return time.perf_counter() - began


CLIENTS: dict[str, Callable[..., Any]] = {"write": write, "hear": hear, "openings": openings}


# -- measurements ---------------------------------------------------------------------------------


def commits(*, kind: str, n: int, m: int, clients: Sequence[int], total: int) -> dict[str, Any]:
    """Time commits of so many processes at once, ours and by hand in turns.

    Returns for each number of clients, and of bookings a commit: nanoseconds of a median commit, and bookings a second.
    """
    out: dict[str, Any] = {}
    with _place(kind) as address:
        _both(kind, address, n, m)
        number = 0
        for count in clients:
            for together in TOGETHER:
                for ours in (True, False):
                    each = max(1, total * (4 if together > 1 else 1) // count // together) * together
                    options = {"kind": kind, "address": address, "ours": ours, "each": each, "n": n, "together": together}
                    starts = range(number, number := number + count * each, each)
                    running = [_client(job="write", number=start, **options) for start in starts]
                    for process in running:
                        _answer(process)
                    began = time.perf_counter()
                    for process in running:
                        _say(process)
                    took = [seconds for process in running for seconds in _answer(process)]
                    whole = time.perf_counter() - began
                    for process in running:
                        process.communicate()
                    found = _found(took, each * count / whole)
                    out.setdefault(f"{count} of {together}", {})["ours" if ours else "hand"] = found
    return out


def _found(took: Sequence[float], rate: float) -> dict[str, float]:
    return {"median": statistics.median(took) * 1e9, "min": min(took) * 1e9, "calls": len(took), "rate": rate}


def threads(*, kind: str, n: int, m: int, clients: Sequence[int], total: int) -> dict[str, Any]:
    """Time commits of so many threads of one process: ours with one calendar, by hand with a connection each; in turns.

    Returns for each number of threads what `commits` does, one booking a commit.
    """
    out: dict[str, Any] = {}
    with _place(kind) as address:
        _both(kind, address, n, m)
        number = 0
        with Calendar.open(address, timeout=600) as calendar:
            for count in clients:
                for ours in (True, False):
                    took: list[float] = []
                    each, start = max(1, total // count), threading.Barrier(count + 1)

                    def work(spans: Any, ours: bool = ours, took: Any = took, start: Any = start) -> None:
                        if ours:
                            start.wait()
                            took += _timed(calendar.book, spans)
                        else:
                            with closing(TABLES[kind](address)) as tables:
                                start.wait()
                                took += _timed(tables.book, spans)

                    parts = [_spans((number := number + each) - each, each, n) for _ in range(count)]
                    running = [threading.Thread(target=work, args=(part,)) for part in parts]
                    for thread in running:
                        thread.start()
                    start.wait()
                    began = time.perf_counter()
                    for thread in running:
                        thread.join()
                    rate = each * count / (time.perf_counter() - began)
                    out.setdefault(str(count), {})["ours" if ours else "hand"] = _found(took, rate)
    return out


def visible(*, kind: str, n: int, m: int, count: int) -> list[float]:
    """Return the nanoseconds from the call of `book` in one process until another one has the booking."""
    with _place(kind) as address:
        with Calendar.open(address, follow=False) as calendar:
            _fill(calendar, n, _rows(n, m))
            calendar.checkpoint()
        with Calendar.open(address, follow=False) as calendar:
            process = _client(job="hear", address=address, count=count)
            _answer(process)
            _say(process)
            out = []
            for span in _spans(0, count, n):
                began = time.monotonic()
                calendar.book(*span)
                out.append((_answer(process) - began) * 1e9)
            process.communicate()
    return out


def _median(call: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> dict[str, float]:
    took = [seconds * 1e9 for seconds in _timed(call, arguments)]
    return {"median": statistics.median(took), "min": min(took), "calls": len(took)}


def questions(*, kind: str, n: int, m: int, times: int) -> dict[str, dict[str, float]]:
    """Time questions to a follower, to a calendar in memory, by SQL and by a query for each resource; and openings."""
    out: dict[str, Any] = {}
    rng = random.Random(5)
    with _place(kind) as address:
        _both(kind, address, n, m)
        took = []
        for _ in range(3):
            process = _client(job="openings", address=address)
            took.append(_answer(process) * 1e9)
            process.communicate()
        out["open"] = {"median": statistics.median(took), "min": min(took), "calls": 3}
        memory: Calendar[Any, Any, Any] = Calendar()
        _fill(memory, n, _rows(n, m))
        begins = [ORIGIN + rng.randrange(YEAR - 168) * HOUR for _ in range(times)]
        weeks = [(begin, begin + 168 * HOUR) for begin in begins]
        singles = [(rng.randrange(n), *week) for week in weeks for _ in range(50)]
        with Calendar.open(address) as follower, closing(TABLES[kind](address)) as tables:

            def loop(start: datetime, end: datetime) -> int:
                return sum(tables.is_available(resource, start, end) for resource in range(n))

            for start, end in weeks[:2]:
                counts = {len(memory.find_available(start, end)), len(follower.find_available(start, end)), loop(start, end)}
                counts |= {tables.count(statement, start, end) for statement in tables.COUNTS}
                if len(counts) != 1:
                    raise AssertionError(f"the answers differ over {start} to {end}: {counts}")
            for name, calendar in (("memory", memory), ("follower", follower)):
                out[f"{name}, count"] = _median(lambda *span, asked=calendar: len(asked.find_available(*span)), weeks)
                out[f"{name}, is_available"] = _median(calendar.is_available, singles)
            ways = [_median(lambda *span, how=how: tables.count(how, *span), weeks[:10]) for how in tables.COUNTS]
            out["SQL, count"] = min(ways, key=lambda stat: stat["median"])
            out["SQL, is_available"] = _median(tables.is_available, singles[:1000])
            out["a query each, count"] = _median(loop, weeks[:1])
    return out


def main() -> None:
    """Be the client that the command line describes."""
    options = json.loads(sys.argv[1])
    found = CLIENTS[options.pop("job")](**options)
    if found is not None:
        print(json.dumps(found), flush=True)
    sys.stdin.read()  # others may still be timed, and the end of a process with a million bookings takes processor time


if __name__ == "__main__":
    main()
