"""Bulk loading against booking one by one, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rows import faster, under
from benchmarks.timing import Stat, stat_of

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["measure"]

TIMES = 3


def measure(run: Run) -> None:
    """Judge ``load`` including the making of its events, since ``book`` makes them as well."""
    n, m = run.size
    title = f"Bulk load, {n:,} x {m:,}, shuffled"
    loop = n * m <= 1_000_000
    found = [run.work("load", n=n, m=m, loop=loop) for _ in range(min(TIMES, run.rounds) if loop else 1)]
    run.say(f"  {found}")

    def stat(name: str) -> Stat:
        return stat_of([one[name] for one in found], len(found))

    text = "`load`, the making of its events included, a booking"
    if loop:
        run.add(faster(title, text, stat("make and load"), "loop of `book`", stat("loop of book"), 6))
    else:
        run.add(under(title, text, stat("make and load"), None))
    peak = f"peak {max(one['peak bytes'] for one in found) / 2**30:.2f} GiB"
    run.add(under(title, "first `len(find_available)` after `load`", stat("first count"), None, note=peak))
