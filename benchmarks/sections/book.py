"""``book`` beside SQLite's check and insert, from the first booking to the last, each in a process of its own."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.rows import Row, faster
from benchmarks.timing import human, stat_of

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
    for resources, bookings in [size for size in SIZES if size[0] * size[1] < n * m] + [(n, m)]:
        found: dict[str, list[dict[str, float]]] = {"bookcore": [], "SQLite": []}
        for _ in range(TIMES):
            for name, seen in found.items():
                seen.append(run.work("book", name=name, n=resources, m=bookings))
                run.say(f"  {seen[-1]}")
        ours, theirs = ([one["mean"] for one in seen] for seen in found.values())
        text = f"`book` (check, write, index), mean of {resources * bookings:,}, {resources:,} x {bookings:,}"
        run.add(faster(title, text, stat_of(ours, TIMES), "SQLite", stat_of(theirs, TIMES), 1))
    runs = found["bookcore"]
    longest = statistics.median(one["max"] for one in runs)
    processor = statistics.median(one["max on the processor"] for one in runs)
    shown = f"{human(longest)}; on the processor {human(processor)}"
    reach, raw = f"under {human(LONGEST)}", {"runs": runs}
    text = f"longest of {n * m:,} `book`"
    run.add(Row(title, text, shown, "", "", reach, longest < LONGEST, str(TIMES), raw))
    for mark in ("p50", "p99", "p99.9"):
        value = statistics.median(one[mark] for one in runs)
        run.add(Row(title, f"{mark} of {n * m:,} `book`", human(value), "", "", "", None, str(TIMES)))
    grown = statistics.median(one["bytes"] for one in runs)
    beside = f"SQLite {statistics.median(one['bytes'] for one in found['SQLite']):.0f} B"
    text = "memory a booking after `book`, by growth of the process, resources included"
    run.add(Row(title, text, f"{grown:.0f} B", beside, "", f"under {BYTES} B", grown < BYTES, str(TIMES)))
