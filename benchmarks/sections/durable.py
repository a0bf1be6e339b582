"""A calendar in a directory: commits that wait for the disk, checkpoints, opening and replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rows import faster, under
from benchmarks.timing import stat_of

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["measure"]

TITLE = "A calendar in a directory"


def measure(run: Run) -> None:
    """Measure all of it."""
    n, m = run.size
    for threads, times in ((1, 0.8), (32, 4)):
        total = 64 if run.scale == "ci" else min(n * m, 2_000 if threads == 1 else 6_400)
        found = run.work("commits", threads=threads, total=total, times=min(3, run.rounds))
        ours, theirs = (stat_of(found[name], total) for name in ("bookcore", "SQLite"))
        what = f"a commit on the disk, {threads} thread{'s' if threads > 1 else ''}"
        run.add(faster(TITLE, what, ours, "SQLite, WAL, synchronous=FULL", theirs, times))
    took = {name: stat_of([seconds * 1e9], 1) for name, seconds in run.work("checkpoints", n=n, m=m).items()}
    count = f"{n * m:,} bookings"
    run.add(faster(TITLE, f"`checkpoint` of {count}", took["checkpoint"], "SQLite backup", took["backup"], None))
    run.add(faster(TITLE, f"`checkpoint` of {count}", took["checkpoint"], "pickle of the rows", took["pickle"], None))
    run.add(under(TITLE, "longest pause of a thread that books meanwhile", took["pause"], 80e6))
    run.add(under(TITLE, f"`open` with {count}", took["open"], 1.5e9))
    run.add(faster(TITLE, f"`open` with {count}", took["open"], "unpickling the rows", took["unpickle"], None))
    records = min(n * m, 200_000)
    for name, seconds in run.work("replay", records=records).items():
        stat = stat_of([seconds * 1e9 / records], records)
        run.add(under(TITLE, f"replay of a record, {records:,} {name}", stat, 5_000 if name == "bookings" else None))
