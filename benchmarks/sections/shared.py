"""Calendars that processes share: commits, questions, how soon others see a change, opening."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.rows import at_most, faster, under
from benchmarks.timing import Stat, stat_of

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["measure"]

TITLE = "Calendars that processes share"


def _stat(found: dict[str, Any]) -> Stat:
    return Stat(found["median"], found["min"], found["calls"], found["calls"])


def _many(count: str, what: str, plural: str) -> str:
    return f"{count} {what}{plural if count != '1' else ''}"


def _add_commits(run: Run, what: str, found: Any, limit: float | None) -> None:
    rates = f"{what}; {found['ours']['rate']:,.0f} bookings/s, by hand {found['hand']['rate']:,.0f}"
    run.add(at_most(TITLE, rates, _stat(found["ours"]), "by hand", _stat(found["hand"]), limit))


def measure(run: Run) -> None:
    """Measure both databases."""
    n, m = run.size
    clients, total, count, times = ([2], 40, 5, 4) if run.scale == "ci" else ([1, 4, 16], 1600, 200, 40)
    for kind in ("SQLite", "PostgreSQL"):
        took = run.work("shared commits", kind=kind, n=n, m=m, clients=clients, total=total)
        for name, found in took.items():
            many, _, together = name.split(" ")
            size = f" of {together} bookings" if together != "1" else ""
            what = f"{kind}: a commit{size}, {_many(many, 'process', 'es')}"
            _add_commits(run, what, found, 2 if name == "1 of 1" else None)
        for many, found in run.work("shared threads", kind=kind, n=n, m=m, clients=clients, total=total).items():
            _add_commits(run, f"{kind}: a commit, {_many(many, 'thread', 's')} of one process", found, None)
        seen = run.work("shared visible", kind=kind, n=n, m=m, count=count)
        run.add(under(TITLE, f"{kind}: a booking is seen in another process", stat_of(seen, len(seen)), 20e6))
        took = run.work("shared questions", kind=kind, n=n, m=m, times=times)
        found = {name: _stat(each) for name, each in took.items()}
        counted = f"{kind}: `len(find_available)` in a follower"
        run.add(faster(TITLE, counted, found["follower, count"], f"SQL of {kind}", found["SQL, count"], 50))
        loop = found["a query each, count"]
        run.add(faster(TITLE, counted, found["follower, count"], "a query for each resource", loop, 1000))
        run.add(at_most(TITLE, counted, found["follower, count"], "a calendar in memory", found["memory, count"], None))
        one = f"{kind}: `is_available` in a follower"
        run.add(at_most(TITLE, one, found["follower, is_available"], "in memory", found["memory, is_available"], 1.2))
        run.add(faster(TITLE, one, found["follower, is_available"], f"SQL of {kind}", found["SQL, is_available"], None))
        run.add(under(TITLE, f"{kind}: `open` with {n * m:,} bookings", found["open"], 5e9))
