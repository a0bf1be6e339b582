"""A calendar in a directory, beside SQLite with a write-ahead log that is synced at each commit.

Each job runs in a process of its own. Both write into the same folder, in turns, so that both meet the same disk.
"""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bookcore import BookingEvent, Calendar, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["checkpoints", "commits", "reopen", "replay"]

ROOT = Path(__file__).resolve().parents[1]


def _seconds(work: Callable[[int], None], threads: int) -> float:
    """Return how long it takes until all threads have done their part."""
    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    began = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return time.perf_counter() - began


def _ours(folder: str, threads: int, each: int) -> float:
    with Calendar.open(folder) as calendar:
        for number in range(threads):
            calendar.add_resource(Resource(number))

        def work(number: int) -> None:
            for at in range(each):
                calendar.book(number, 10 * at, 10 * at + 5)

        return _seconds(work, threads)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=600)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    return connection


def _sqlite(folder: str, threads: int, each: int) -> float:
    path = Path(folder) / "sqlite.db"
    with closing(_connect(path)) as first:
        first.execute("create table booking (id integer primary key, resource integer, low integer, high integer)")
        first.execute("create index by_resource on booking (resource, low)")

    def work(number: int) -> None:
        with closing(_connect(path)) as own:
            for at in range(each):
                own.execute("begin immediate")
                span = (number, 10 * at + 5, 10 * at)
                if own.execute("select 1 from booking where resource = ? and low < ? and high > ?", span).fetchone() is None:
                    own.execute("insert into booking (resource, low, high) values (?, ?, ?)", (number, 10 * at, 10 * at + 5))
                own.execute("commit")

    return _seconds(work, threads)


def commits(*, threads: int, total: int, times: int) -> dict[str, Any]:
    """Time commits that wait for the disk, in nanoseconds each, ours and SQLite's in turns."""
    each, out = max(1, total // threads), {"bookcore": list[float](), "SQLite": list[float]()}
    for _ in range(times):
        for name, run in (("bookcore", _ours), ("SQLite", _sqlite)):
            with tempfile.TemporaryDirectory() as folder:
                out[name].append(run(folder, threads, each) / (each * threads) * 1e9)
    return out


def _filled(calendar: Any, n: int, m: int) -> None:
    """Load so many bookings on the hours of the year, and one more resource."""
    resources = [calendar.add_resource(Resource(number)) for number in range(n)]
    calendar.load([BookingEvent(each, 24 * at + 9, 24 * at + 12) for each in resources for at in range(m)])
    calendar.add_resource(Resource("desk"))


def _gaps(call: Callable[[], Any], book: Callable[[int], Any]) -> tuple[float, float]:
    """Call something in a thread, and book meanwhile; return how long that takes, and the longest booking."""
    thread = threading.Thread(target=call)
    longest, at, began = 0.0, 0, time.perf_counter()
    thread.start()
    while thread.is_alive():
        before = time.perf_counter()
        book(at)
        longest = max(longest, time.perf_counter() - before)
        at += 1
    return time.perf_counter() - began, longest


def checkpoints(*, n: int, m: int) -> dict[str, float]:
    """Time a checkpoint, and the longest pause of a thread that books meanwhile; SQLite's backup and a pickle beside it."""
    out, clock = dict[str, float](), time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        with Calendar.open(Path(folder) / "ours", sync="never") as calendar:
            _filled(calendar, n, m)
            began = clock()
            calendar.checkpoint()
            out["checkpoint"] = clock() - began
            calendar.book("desk", -2, -1)
            out["beside a writer"], out["pause"] = _gaps(
                calendar.checkpoint, lambda at: calendar.book("desk", 2 * at, 2 * at + 1)
            )
        out["open"] = _opening(Path(folder) / "ours")
        rows = [(number, 24 * at + 9, 24 * at + 12) for number in range(n) for at in range(m)]
        began = clock()
        (Path(folder) / "rows.pickle").write_bytes(pickle.dumps(rows, 5))
        out["pickle"] = clock() - began
        began = clock()
        pickle.loads((Path(folder) / "rows.pickle").read_bytes())  # noqa: S301 - our own
        out["unpickle"] = clock() - began
        with closing(_connect(Path(folder) / "sqlite.db")) as database, closing(_connect(Path(folder) / "copy.db")) as copy:
            database.execute("create table booking (id integer primary key, resource integer, low integer, high integer)")
            database.execute("begin")
            database.executemany("insert into booking (resource, low, high) values (?, ?, ?)", rows)
            database.execute("commit")
            began = clock()
            database.backup(copy)
            out["backup"] = clock() - began
    return out


def _opening(folder: Path) -> float:
    """Return the seconds that opening takes in a new process."""
    code = f"from benchmarks import durable; print(durable.reopen(folder={str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout.splitlines()[-1])


def reopen(*, folder: str) -> float:
    """Return the seconds that opening takes."""
    began = time.perf_counter()
    calendar: Calendar[Any, Any, Any] = Calendar.open(folder)
    took = time.perf_counter() - began
    calendar.close()
    return took


def replay(*, records: int) -> dict[str, float]:
    """Return the seconds in which so many records are replayed: bookings alone, and with a removal after every tenth."""
    out = dict[str, float]()
    # not above, so that `reopen` loads the modules that opening needs
    from bookcore.persist.journal.directory import DirectoryJournal

    DirectoryJournal.floor = 1 << 40  # no checkpoint by itself
    for name, every in (("bookings", 0), ("mixed", 10)):
        with tempfile.TemporaryDirectory() as folder:
            with Calendar.open(folder, sync="never") as calendar:
                rooms = [calendar.add_resource(Resource(number)) for number in range(1 + records // 1000)]
                while calendar.position < records:
                    at, number = divmod(calendar.position, len(rooms))
                    event = calendar.book(rooms[number], 24 * at + 9, 24 * at + 12)
                    if every and not calendar.position % every:
                        calendar.remove_booking(event)
            out[name] = _opening(Path(folder))
    return out
