"""Memory a booking, each contestant in a process of its own; keys and resources are not counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers import MissingError
from benchmarks.rows import Row

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["LIMIT", "measure"]

LIMIT = 300
SIZES = (1_000, 10_000, 100_000, 1_000_000)
OTHERS = (
    "SQLite",
    "intervaltree",
    "intervaltree, one tree",
    "two sorted maps",
    "NCLS",
    "superintervals",
    "DuckDB",
)


def measure(run: Run) -> None:
    """Load and book at the run's size both ways of counting, then grow, then the peers."""
    n, m = run.size
    title = f"Memory, {n:,} x {m:,}, bytes a booking, keys not counted"
    for way in ("load", "book"):
        for how in ("tracemalloc", "rss"):
            found = run.work("memory", who=f"{way}:bookcore", n=n, m=m, how=how)["bytes"]
            judged = how == "tracemalloc"
            run.add(
                Row(
                    title,
                    f"after {'`load`' if way == 'load' else 'a loop of `book`'}, by {how}",
                    f"{found:.0f} B",
                    "",
                    "",
                    f"under {LIMIT} B" if judged else "",
                    found < LIMIT if judged else None,
                    "1",
                    {"bytes": found, "how": how},
                )
            )
            run.say(f"  {found:.0f} bytes")
    _grow(run, n, m)
    table = [["peer", f"bytes a booking by growth of the process, {min(n, 10_000):,} x {m:,}"]]
    for name in OTHERS:
        if name not in run.names:
            continue
        try:
            found = run.work("memory", who=name, n=min(n, 10_000), m=m, how="rss")["bytes"]
        except MissingError as why:
            run.results.skip(f"memory of {name}", why)
            continue
        table.append([name, f"{found:.0f}"])
    ours = run.work("memory", who="book:bookcore", n=min(n, 10_000), m=m, how="rss")["bytes"]
    run.results.tables["Memory of the peers"] = [*table, ["bookcore, loop of `book`", f"{ours:.0f}"]]


def _grow(run: Run, n: int, m: int) -> None:
    for size in [size for size in SIZES if size <= n]:
        for name, who in (
            ("bookcore", "load:bookcore"),
            ("SQLite", "SQLite"),
            ("intervaltree", "intervaltree"),
        ):
            if name != "bookcore" and (
                name not in run.names or size > 100_000 or (name, size) == ("intervaltree", n)
            ):
                continue
            found = run.work("memory", who=who, n=size, m=m, how="rss")["bytes"]
            run.results.point(f"memory by resources, {m} bookings on each", name, size, found)
