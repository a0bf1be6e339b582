"""Jobs that need a process of their own: ``python -m benchmarks.workers JOB '{"n": 1000, "m": 10}'``.

Each prints what it found as JSON. Memory, pauses of the collector, bulk loading and snapshots are judged here with
nothing else in the process. The harness's own rows are frozen out of the collector's sight, so that what it scans is
the engine's.
"""

from __future__ import annotations

import gc
import json
import resource as system
import subprocess
import sys
import tempfile
import time
import tracemalloc
from array import array
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.data import Dataset, hot, make, shape, windows
from benchmarks.ours import Ours
from benchmarks.peers import peer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JOBS", "load", "memory", "pauses", "restore", "snapshot"]


def _rss() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def _settle() -> None:
    gc.collect()
    gc.freeze()


def _set(collector: str) -> None:
    if collector == "off":
        gc.disable()
    else:
        gc.enable()


def memory(*, who: str, n: int, m: int, how: str, one: bool = False) -> dict[str, float]:
    """Bytes a booking takes. Keys and resources are made first and not counted; bookings, ids and index are.

    ``how``: "tracemalloc" counts what Python allocates, "rss" what the process grows by. ``way`` of ours:
    "load" takes all events at once, "book" one by one. *one* puts everything on a single resource.
    """
    data = hot(n * m) if one else make(n, m, spare=False)
    way, _, name = who.rpartition(":")
    if name == "bookcore":
        ours = Ours()
        ours.register(data)
        rows = [(ours.resources[i], start, end) for i, start, end in data.keyed(data.rows)]
        event = ours.bookcore.BookingEvent

        def fill() -> None:
            if way == "book":
                book = ours.calendar.book
                for row in rows:
                    book(*row)
            else:
                ours.calendar.load(event(*row) for row in rows)

        held: Any = ours
    else:
        held = peer(name)
        if hasattr(held, "only"):
            held.only = data.resources
        keyed = _SameKeys(data)

        def fill() -> None:
            held.load(keyed)

    _settle()
    if how == "tracemalloc":
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        fill()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    else:
        before = _rss()
        fill()
        gc.collect()
        grown = _rss() - before
    return {"bytes": grown / len(data), "bookings": len(data)}


class _SameKeys:
    """A data set whose keys exist already, so that a peer that keeps them is not charged for making them."""

    def __init__(self, data: Dataset) -> None:
        self.resources, self.rows, self.spare = data.resources, data.rows, data.spare
        points = {*data.rows.start, *data.rows.end}
        self.key = {point: data.key(point) for point in points}.__getitem__

    def __len__(self) -> int:
        return len(self.rows)


def load(*, n: int, m: int, collector: str = "on", loop: bool = True) -> dict[str, Any]:
    """Time ``load`` and a loop of ``book`` on equal calendars; nanoseconds a booking, and the peak memory."""
    data = make(n, m, spare=False)
    out: dict[str, Any] = {"bookings": len(data)}
    ours = Ours()
    ours.register(data)
    rows = [(ours.resources[who], start, end) for who, start, end in data.keyed(data.rows)]
    event, clock = ours.bookcore.BookingEvent, time.perf_counter_ns
    _settle()
    _set(collector)
    began = clock()
    ours.calendar.load(event(*row) for row in rows)
    out["make and load"] = (clock() - began) / len(rows)
    a, b = ours.window(windows(data, 1)[0])
    began = clock()
    free = ours.count_available(a, b)
    out["first count"] = clock() - began
    began = clock()
    ours.count_available(a, b)
    out["second count"] = clock() - began
    out["peak bytes"] = system.getrusage(system.RUSAGE_SELF).ru_maxrss * 1024
    if not loop:
        return out

    def fresh() -> tuple[Ours, list[tuple[Any, Any, Any]]]:
        one = Ours()
        one.register(data)
        same = [(one.resources[data.rows.who[i]], row[1], row[2]) for i, row in enumerate(rows)]
        gc.enable()
        _settle()
        _set(collector)
        return one, same

    del ours
    second, same = fresh()
    events = [event(*row) for row in same]
    began = clock()
    second.calendar.load(events)
    out["load"] = (clock() - began) / len(same)
    del second, events, same
    third, same = fresh()
    book = third.calendar.book
    began = clock()
    for row in same:
        book(*row)
    out["loop of book"] = (clock() - began) / len(same)
    if third.count_available(a, b) != free or len(third.calendar) != len(same):
        raise AssertionError("load and book gave different calendars")
    out["full collections"] = gc.get_stats()[2]["collections"]
    return out


def pauses(*, n: int, m: int, collector: str, name: str = "", store: str = "memory") -> dict[str, Any]:
    """Book every row one by one, timing each; then remove every fifth, timing each.

    ``collector``: "on" as Python starts with it, "off", or "freeze": on, and ``gc.freeze()`` after every
    50,000 writes, untimed, as a server would between two requests. Wall time counts whatever else the
    machine did; the time of this thread on its processor does not, so both are given.
    """
    data = shape(name, n, m) if name else make(n, m, spare=False)
    ours = Ours(store)
    ours.register(data)
    rows = [(ours.resources[who], start, end) for who, start, end in data.keyed(data.rows)]
    collections: list[int] = []
    began_at = [0]

    def watch(phase: str, info: dict[str, int]) -> None:
        if info["generation"] == 2:
            if phase == "start":
                began_at[0] = time.perf_counter_ns()
            else:
                collections.append(time.perf_counter_ns() - began_at[0])

    _settle()
    _set(collector)
    gc.callbacks.append(watch)
    freeze = collector == "freeze"
    events: list[Any] = [None] * len(rows)
    book, remove = ours.calendar.book, ours.calendar.remove_booking
    wrote = _each(book, rows, events, freeze)
    gone = [events[i] for i in range(0, len(rows), 5)]
    removed = _each(remove, [(event,) for event in gone], [None] * len(gone), freeze)
    gc.callbacks.remove(watch)
    return {
        "writes": wrote,
        "removals": removed,
        "full collections": len(collections),
        "longest collection": max(collections, default=0),
    }


def _each(
    call: Callable[..., Any], rows: list[tuple[Any, ...]], results: list[Any], freeze: bool
) -> dict[str, Any]:
    """Call once per row, keep the results, and sum up how long each call took, in nanoseconds."""
    wall, cpu = array("q", bytes(8 * len(rows))), array("q", bytes(8 * len(rows)))
    clock, thread = time.perf_counter_ns, time.thread_time_ns
    for number, row in enumerate(rows):
        c0 = thread()
        t0 = clock()
        made = call(*row)
        t1 = clock()
        c1 = thread()
        wall[number], cpu[number] = t1 - t0, c1 - c0
        results[number] = made
        if freeze and number % 50_000 == 49_999:
            gc.freeze()
    longest = sorted(range(len(rows)), key=wall.__getitem__, reverse=True)[:5]
    steps = sorted(wall)
    last = len(steps) - 1
    return {
        "count": len(rows),
        "mean": sum(wall) / len(rows),
        "p50": steps[last // 2],
        "p99": steps[last * 99 // 100],
        "p99.9": steps[last * 999 // 1000],
        "max": steps[last],
        "max on the processor": max(cpu),
        "longest at": [[i, wall[i], cpu[i]] for i in longest],
    }


def snapshot(*, n: int, m: int, collector: str = "on", times: int = 5) -> dict[str, Any]:
    """Time ``snapshot`` and ``restore``; the restored calendar must answer as the first.

    Restored is twice over: in a new process, as a program does that starts, and in this one, beside the calendar that the
    file was made of, in a memory that making it has left in pieces.
    """
    data = make(n, m, spare=False)
    ours = Ours()
    ours.load(data)
    _settle()
    _set(collector)
    clock, calendar = time.perf_counter_ns, ours.bookcore.Calendar
    spans = [ours.window(span) for span in windows(data, 5)]
    right = [ours.count_available(*span) for span in spans]
    texts = [(start.isoformat(), end.isoformat()) for start, end in spans]
    out: dict[str, Any] = {"bookings": len(data), "snapshot": [], "restore": [], "restore and ask": [], "beside": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(times):
            path = Path(folder) / f"{number}.bks"
            began = clock()
            ours.calendar.snapshot(path)
            out["snapshot"].append(clock() - began)
            out["size"] = path.stat().st_size
            job = json.dumps({"path": str(path), "spans": texts, "collector": collector})
            command = [sys.executable, "-m", "benchmarks.workers", "restore", job]
            fresh = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603
            out["restore"].append(fresh["restore"])
            out["restore and ask"].append(fresh["restore and ask"])
            began = clock()
            again = calendar.restore(path)
            out["beside"].append(clock() - began)
            for answers, count in (
                (fresh["answers"], fresh["bookings"]),
                ([len(again.find_available(*span)) for span in spans], len(again)),
            ):
                if answers != right or count != len(data):
                    raise AssertionError("the restored calendar answers differently")
            del again
            gc.collect()  # what goes has a cycle, and is not to be collected in the next one's time
    return out


def restore(*, path: str, spans: list[tuple[str, str]], collector: str = "on") -> dict[str, Any]:
    """Time ``restore`` of a file in a process that has done nothing else, and tell how many are free in some spans."""
    calendar = Ours().bookcore.Calendar
    asked = [tuple(map(datetime.fromisoformat, span)) for span in spans]
    _set(collector)
    clock = time.perf_counter_ns
    began = clock()
    again = calendar.restore(path)
    out: dict[str, Any] = {"restore": clock() - began}
    len(again.find_available(*asked[0]))
    out["restore and ask"] = clock() - began
    out["answers"] = [len(again.find_available(*span)) for span in asked]
    out["bookings"] = len(again)
    return out


JOBS: dict[str, Callable[..., Any]] = {
    "load": load, "memory": memory, "pauses": pauses, "restore": restore, "snapshot": snapshot,
}  # fmt: skip


def main() -> None:
    """Run the job that the command line names."""
    print(json.dumps(JOBS[sys.argv[1]](**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
