"""The longest single write among a million, and where the cyclic collector comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rows import Row
from benchmarks.timing import human

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["measure"]

LIMIT = 20e6
COLLECTORS = ("off", "freeze", "on")


def measure(run: Run) -> None:
    """Book as many as the run has, shuffled, one by one; then remove a fifth."""
    n, m = run.size
    while n * m > 1_000_000:
        n //= 10
    title = f"Pauses: {n * m:,} bookings one by one, each timed, then a fifth of them removed"
    marks = ("p50", "p99", "p99.9", "max", "max on the processor")
    table = [["collector", "call", *marks, "full collections", "longest of them"]]
    for collector in COLLECTORS:
        found = run.work("pauses", n=n, m=m, collector=collector)
        run.say(f"  {found}")
        for what, call in (("writes", "`book`"), ("removals", "`remove_booking`")):
            each = found[what]
            table.append([collector, call, *(human(each[mark]) for mark in marks)])
            table[-1] += [str(found["full collections"]), human(found["longest collection"])]
            run.add(
                Row(
                    title,
                    f"longest {call}, collector {collector}",
                    f"{human(each['max'])}; on the processor {human(each['max on the processor'])}",
                    "",
                    "",
                    f"under {human(LIMIT)}",
                    each["max"] < LIMIT,
                    "1",
                    each,
                )
            )
    run.results.tables[title] = table
