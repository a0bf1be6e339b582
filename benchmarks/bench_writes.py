"""Loading, booking one by one, memory, snapshots. In a dry run the workers run in this process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from benchmarks import workers
from benchmarks.context import ROOT
from benchmarks.data import SCALES
from benchmarks.ours import library
from benchmarks.peers import PEERS, MissingError


def run(benchmark: Any, job: str, **options: Any) -> Any:
    """Run a worker's job: in its own process when measured, in this one in a dry run."""
    try:
        library()
    except MissingError as why:
        pytest.skip(str(why))
    if benchmark.disabled:
        try:
            return benchmark.pedantic(workers.JOBS[job], kwargs=options, rounds=1)
        except MissingError as why:
            pytest.skip(str(why))

    def apart() -> Any:
        line = [sys.executable, "-m", "benchmarks.workers", job, json.dumps(options)]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own
        return json.loads(done.stdout.splitlines()[-1])

    found = benchmark.pedantic(apart, rounds=1)
    benchmark.extra_info["found"] = found
    return found


def size(scale: str) -> dict[str, int]:
    """Resources and bookings on each."""
    n, m = SCALES[scale]
    return {"n": n, "m": m}


def test_load_against_loop(fast: Any, scale: str) -> None:
    """``load`` and a loop of ``book`` give the same calendar; how long a booking takes either way."""
    found = run(fast, "load", **size(scale))
    assert found["bookings"] == SCALES[scale][0] * SCALES[scale][1]


@pytest.mark.parametrize("name", ["bookcore", "SQLite"])
def test_book_one_by_one(fast: Any, scale: str, name: str) -> None:
    """Every booking made by itself: the mean, the longest, the bytes."""
    found = run(fast, "book", **size(scale), name=name)
    assert found["max"] >= found["p50"] > 0


@pytest.mark.parametrize("name", ["bookcore", *PEERS])
def test_memory(fast: Any, scale: str, name: str) -> None:
    """Bytes a booking after a bulk load, keys not counted."""
    found = run(fast, "memory", **size(scale), name=name)
    assert found["bookings"] == SCALES[scale][0] * SCALES[scale][1]


def test_snapshot_and_restore(fast: Any, scale: str) -> None:
    """A calendar written and read back answers as before."""
    try:
        calendar = library().Calendar
    except MissingError as why:
        pytest.skip(str(why))
    if not hasattr(calendar, "snapshot"):
        pytest.skip("Calendar has no snapshot yet")
    found = run(fast, "snapshot", **size(scale), times=1 if fast.disabled else 3)
    assert found["size"] > 0
