"""Memory a booking after a bulk load, each contestant in a process of its own; keys and resources are not counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers import PEERS, MissingError
from benchmarks.rows import Row

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["LIMIT", "measure"]

LIMIT = 250


def measure(run: Run) -> None:
    """Load at the run's size, then beside the peers, at 10,000 resources at the most."""
    n, m = run.size
    title = "Memory a booking, by growth of the process"
    found = run.work("memory", name="bookcore", n=n, m=m)["bytes"]
    text = f"memory a booking after `load` of {n:,} x {m:,}, resources not included"
    run.add(Row(title, text, f"{found:.0f} B", "", "", f"under {LIMIT} B", found < LIMIT, "1", {"bytes": found}))
    n = min(n, 10_000)
    table = [["contestant", f"bytes a booking, {n:,} x {m:,}"]]
    for name in ("bookcore", *PEERS):
        if name != "bookcore" and (name not in run.names or name == "SQLite, one look-up each"):
            continue  # the same tables as SQLite
        try:
            found = run.work("memory", name=name, n=n, m=m)["bytes"]
        except MissingError as why:
            run.results.skip(f"memory of {name}", why)
            continue
        table.append([name, f"{found:.0f}"])
    run.results.tables[title] = table
