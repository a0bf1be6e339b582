"""A calendar written to a file, and read back in a new process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rows import under
from benchmarks.timing import stat_of

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["measure"]


def measure(run: Run) -> None:
    """Write and read everything five times."""
    n, m = run.size
    found = run.work("snapshot", n=n, m=m, times=min(5, run.rounds))
    title = f"Snapshot of {found['bookings']:,} bookings, {found['size'] / 1e6:.1f} MB"
    for name, limit in (("snapshot", 0.6e9), ("restore", 1e9)):
        stat = stat_of(found[name], len(found[name]))
        run.add(under(title, f"`{name}` of {found['bookings']:,}", stat, limit))
    asked = stat_of(found["restore and ask"], len(found["restore and ask"]))
    run.add(under(title, "`restore` in a new process, and the first count", asked, 1e9))
    beside = stat_of(found["beside"], len(found["beside"]))
    run.add(under(title, "`restore` in the process that holds the first calendar", beside, None))
