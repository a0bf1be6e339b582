"""``book`` beside SQLite's check and insert, from the first booking to the last, each in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rows import Row, faster, under
from benchmarks.timing import Stat, stat_of

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["measure"]

LONGEST = 50e6
BYTES = 250
TIMES = 3
SIZES = ((1_000, 10), (10_000, 100), (100_000, 10))


def measure(run: Run) -> None:
    """Book at three sizes in turn with SQLite, collector on; at the largest, the longest call and the memory."""
    n, m = run.size
    title = "`book`, from an empty calendar to a full one, collector on"
    smaller = [size for size in SIZES if size[0] * size[1] <= n * m and size != (n, m)]
    for resources, bookings in [*smaller, (n, m)]:
        found: dict[str, list[dict[str, float]]] = {"bookcore": [], "SQLite": []}
        for _ in range(min(TIMES, run.rounds)):
            for name, seen in found.items():
                seen.append(run.work("book", name=name, n=resources, m=bookings))
                run.say(f"  {seen[-1]}")
        text = f"`book` (check, write, index), mean of {resources * bookings:,}, {resources:,} x {bookings:,}"
        run.add(faster(title, text, _stat(found["bookcore"], "mean"), "SQLite", _stat(found["SQLite"], "mean"), 1))
    runs = found["bookcore"]
    run.add(under(title, f"longest of {n * m:,} `book`", _stat(runs, "max"), LONGEST))
    for mark in ("p50", "p99", "p99.9"):
        run.add(under(title, f"{mark} of {n * m:,} `book`", _stat(runs, mark), None))
    grown, beside = _stat(runs, "bytes").median, f"SQLite {_stat(found['SQLite'], 'bytes').median:.0f} B"
    text = "memory a booking after `book`, by growth of the process, resources included"
    reach, samples = f"under {BYTES} B", str(len(runs))
    run.add(Row(title, text, f"{grown:.0f} B", beside, "", reach, grown < BYTES, samples, {"bytes": grown}))


def _stat(runs: list[dict[str, float]], mark: str) -> Stat:
    return stat_of([one[mark] for one in runs], len(runs))
