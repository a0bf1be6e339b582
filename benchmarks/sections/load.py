"""Bulk loading against booking one by one, in a process of its own, with and without the cyclic collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rows import faster, under
from benchmarks.timing import Stat

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["measure"]


def measure(run: Run) -> None:
    """Judge ``load`` including the making of its events, since ``book`` makes them as well."""
    n, m = run.size
    title = f"Bulk load, {n:,} x {m:,}, shuffled, each in a process of its own"
    loop = n * m <= 1_000_000
    for collector in ("on", "off") if loop else ("on",):
        found = run.work("load", n=n, m=m, collector=collector, loop=loop)
        run.say(f"  {found}")
        stats = {name: Stat(value, value, 1, found["bookings"]) for name, value in found.items()}
        text = f"making events and `load`, a booking, collector {collector}"
        if loop:
            times = 4 if collector == "on" else None
            slow = stats["loop of book"]
            run.add(faster(title, text, stats["make and load"], "loop of `book`", slow, times))
            ready = f"`load` of events made before, a booking, collector {collector}"
            run.add(faster(title, ready, stats["load"], "loop of `book`", slow, None))
        else:
            run.add(under(title, text, stats["make and load"], None))
        if collector == "on":
            peak = f"peak {found['peak bytes'] / 2**30:.2f} GiB"
            first = "first `len(find_available)` after `load`"
            run.add(under(title, first, stats["first count"], None, note=peak))
