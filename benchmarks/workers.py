"""Jobs that need a process of their own: ``python -m benchmarks.workers JOB '{"n": 1000, "m": 10}'``.

Each prints what it found as JSON. Single writes, bulk loading, memory and snapshots are judged here with nothing else in
the process, and with the cyclic collector as Python starts with it. The harness's rows hold integers and keys only, which
the collector stops tracking: what it scans is the contestant's.
"""

from __future__ import annotations

import gc
import json
import resource as system
import subprocess
import sys
import tempfile
import time
from array import array
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import durable, shared
from benchmarks.data import Dataset, make, windows
from benchmarks.gate_worker import resident_bytes
from benchmarks.ours import Ours
from benchmarks.peers import peer
from bookcore import BookingEvent, Calendar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JOBS", "book", "load", "memory", "restore", "snapshot"]


def book(*, name: str, n: int, m: int) -> dict[str, float]:
    """Book every row one by one into an empty calendar (or table), timing each; nanoseconds, and bytes a booking.

    The mean is time on the processor, which leaves out whatever else the machine did meanwhile; single calls are timed by
    the wall clock, as a waiting user would. Bytes are the growth of the process, resources included, keys not.
    """
    data = make(n, m, spare=False)
    ours = name == "bookcore"
    rows = list(data.keyed(data.rows)) if ours else list(data.rows)
    took = array("q", bytes(8 * len(rows)))
    gc.collect()
    before = resident_bytes()
    held: Any = Ours() if ours else peer(name)
    if ours:
        held.register(data)
    else:
        held.create(data)
    call, resources = held.book, held.resources if ours else range(n)
    clock = time.perf_counter_ns
    collections = gc.get_stats()[2]["collections"]
    began = time.process_time_ns()
    for number, (ordinal, start, end) in enumerate(rows):
        t0 = clock()
        call(resources[ordinal], start, end)
        took[number] = clock() - t0
    mean = (time.process_time_ns() - began) / len(rows)
    grown = resident_bytes() - before
    steps = sorted(took)
    last = len(steps) - 1
    return {
        "bookings": len(rows),
        "mean": mean,
        "p50": steps[last // 2],
        "p99": steps[last * 99 // 100],
        "p99.9": steps[last * 999 // 1000],
        "max": steps[last],
        "full collections": gc.get_stats()[2]["collections"] - collections,
        "bytes": grown / len(rows),
    }


def memory(*, name: str, n: int, m: int) -> dict[str, float]:
    """Bytes a booking by which the process grows in a bulk load. Resources and keys are made first and not counted."""
    data = make(n, m, spare=False)
    if name == "bookcore":
        held: Any = Ours()
        held.register(data)
        rows = list(data.keyed(data.rows))
        resources = held.resources

        def fill() -> None:
            held.calendar.load(BookingEvent(resources[ordinal], start, end) for ordinal, start, end in rows)

    else:
        held = peer(name)
        if hasattr(held, "only"):
            held.only = data.resources
        keyed = _SameKeys(data)

        def fill() -> None:
            held.load(keyed)

    gc.collect()
    before = resident_bytes()
    fill()
    gc.collect()
    return {"bytes": (resident_bytes() - before) / len(data), "bookings": len(data)}


class _SameKeys:
    """A data set whose keys exist already, so that a peer that keeps them is not charged for making them."""

    def __init__(self, data: Dataset) -> None:
        self.resources, self.rows, self.spare = data.resources, data.rows, data.spare
        points = {*data.rows.start, *data.rows.end}
        self.key = {point: data.key(point) for point in points}.__getitem__

    def __len__(self) -> int:
        return len(self.rows)


def load(*, n: int, m: int, loop: bool) -> dict[str, Any]:
    """Time ``load`` and a loop of ``book`` on equal calendars; nanoseconds a booking, and the peak memory."""
    data = make(n, m, spare=False)
    rows = list(data.keyed(data.rows))
    clock = time.perf_counter_ns

    def fresh() -> Ours:
        held = Ours()
        held.register(data)
        gc.collect()
        return held

    ours = fresh()
    resources = ours.resources
    began = clock()
    ours.calendar.load(BookingEvent(resources[ordinal], start, end) for ordinal, start, end in rows)
    out: dict[str, Any] = {"bookings": len(data), "make and load": (clock() - began) / len(rows)}
    a, b = ours.window(windows(data, 1)[0])
    began = clock()
    free = ours.count_available(a, b)
    out["first count"] = clock() - began
    out["peak bytes"] = system.getrusage(system.RUSAGE_SELF).ru_maxrss * 1024
    if not loop:
        return out
    del ours, resources
    ours = fresh()
    book, resources = ours.book, ours.resources
    began = clock()
    for ordinal, start, end in rows:
        book(resources[ordinal], start, end)
    out["loop of book"] = (clock() - began) / len(rows)
    if ours.count_available(a, b) != free or len(ours.calendar) != len(rows):
        raise AssertionError("load and book gave different calendars")
    return out


def snapshot(*, n: int, m: int, times: int) -> dict[str, Any]:
    """Time ``snapshot`` and ``restore``; the restored calendar must answer as the first.

    It is restored twice: in a new process, as in a program that starts, and in this process, beside the calendar that the
    file was made of.
    """
    data = make(n, m, spare=False)
    ours = Ours()
    ours.load(data)
    gc.collect()
    clock = time.perf_counter_ns
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
            job = json.dumps({"path": str(path), "spans": texts})
            command = [sys.executable, "-m", "benchmarks.workers", "restore", job]
            fresh = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603
            out["restore"].append(fresh["restore"])
            out["restore and ask"].append(fresh["restore and ask"])
            began = clock()
            again: Calendar[Any, Any, Any] = Calendar.restore(path)
            out["beside"].append(clock() - began)
            for answers, count in (
                (fresh["answers"], fresh["bookings"]),
                ([len(again.find_available(*span)) for span in spans], len(again)),
            ):
                if answers != right or count != len(data):
                    raise AssertionError("the restored calendar answers differently")
            del again
            gc.collect()  # a calendar holds a cycle, which must not be collected within the next measurement
    return out


def restore(*, path: str, spans: list[tuple[str, str]]) -> dict[str, Any]:
    """Time ``restore`` of a file in a new process, and count the available resources in some spans."""
    asked: Any = [tuple(map(datetime.fromisoformat, span)) for span in spans]
    clock = time.perf_counter_ns
    began = clock()
    again: Calendar[Any, Any, Any] = Calendar.restore(path)
    out: dict[str, Any] = {"restore": clock() - began}
    len(again.find_available(*asked[0]))
    out["restore and ask"] = clock() - began
    out["answers"] = [len(again.find_available(*span)) for span in asked]
    out["bookings"] = len(again)
    return out


JOBS: dict[str, Callable[..., Any]] = {
    "book": book, "load": load, "memory": memory, "restore": restore, "snapshot": snapshot,
    "commits": durable.commits, "checkpoints": durable.checkpoints, "replay": durable.replay,
    "shared commits": shared.commits, "shared threads": shared.threads,
    "shared visible": shared.visible, "shared questions": shared.questions,
}  # fmt: skip


def main() -> None:
    """Run the job that the command line names."""
    print(json.dumps(JOBS[sys.argv[1]](**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
