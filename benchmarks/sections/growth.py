"""How answers grow: with the number of resources, and with the bookings on one resource."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from benchmarks.data import hot, make
from benchmarks.rows import at_most, under
from benchmarks.sections.queries import LABELS
from benchmarks.timing import Stat, human
from benchmarks.world import operation

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["measure"]

OPERATIONS = ("count", "list", "first", "is_available", "book")
SIZES = (1_000, 10_000, 100_000, 1_000_000)
#: the slow ones stop where one answer takes a second
LIMITS = {"intervaltree, one tree": 100_000, "two sorted maps": 1_000_000, "intervaltree": 100_000}


def measure(run: Run) -> None:
    """Grow the resources to the run's number, then the bookings on one resource to as many in all."""
    n, m = run.size
    _resources(run, _up_to(n), m)
    _hot(run, _up_to(min(n * m, 1_000_000)))


def _up_to(most: int) -> list[int]:
    return [*([size for size in SIZES if size < most] or [most // 4]), most]


def _resources(run: Run, sizes: list[int], m: int) -> None:
    firsts: list[Stat] = []
    for n in sizes:
        if ("count", n, m) not in run.measured:
            names = [name for name in run.names if n * m <= LIMITS.get(name, n * m)]
            world = run.world(make(n, m), names)
            for name in OPERATIONS:
                run.measured[name, n, m] = run.race(f"{name} at {n:,}", world.race_at(name))
            del world
            gc.unfreeze()
            gc.collect()
        for name in OPERATIONS:
            for contestant, stat in run.measured[name, n, m].items():
                run.results.point(f"{name} by resources, {m} bookings on each", contestant, n, stat.median)
        firsts.append(run.measured["first", n, m]["bookcore"])
    title = f"Growth with resources, {m} bookings on each"
    text = f"`first(10)`, {sizes[-1]:,} resources against {sizes[0]:,}"
    run.add(at_most(title, text, firsts[-1], f"at {sizes[0]:,}", firsts[0], 2))
    table = [["bookcore, median", *(f"{n:,}" for n in sizes)]]
    for name in OPERATIONS:
        stats = [run.measured[name, n, m].get("bookcore") for n in sizes]
        table.append([LABELS[name], *("" if stat is None else human(stat.median) for stat in stats)])
    run.results.tables[title] = table


def _hot(run: Run, sizes: list[int]) -> None:
    found: dict[str, dict[int, Stat]] = {"is_available": {}, "book": {}}
    for size in sizes:
        names = [
            name
            for name in ("SQLite", "intervaltree")
            if name in run.names and size <= LIMITS.get(name, size)
        ]
        world = run.world(hot(size), names)
        for name, by_size in found.items():
            entries = [operation(name, one, world.data) for one in world.contestants]
            stats = run.race(f"{name} with {size:,} bookings on one resource", entries)
            for contestant, stat in stats.items():
                run.results.point(f"{name} by bookings on one resource", contestant, size, stat.median)
            by_size[size] = stats["bookcore"]
        del world
        gc.unfreeze()
        gc.collect()
    title = "Growth with bookings on one resource"
    table = [["bookcore, median", *(f"{size:,}" for size in sizes)]]
    for name, by_size in found.items():
        table.append([LABELS[name], *(human(by_size[size].median) for size in sizes)])
    run.results.tables[title] = table
    text = f"`is_available` with {sizes[-1]:,} bookings on one resource"
    run.add(under(title, text, found["is_available"][sizes[-1]], 3e3))
