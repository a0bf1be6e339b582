"""Shapes of data that break engines, each relative to the same number of shuffled bookings."""

from __future__ import annotations

import gc
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.data import SHAPES, Dataset, make, shape, windows
from benchmarks.ours import Ours
from benchmarks.rows import Row
from benchmarks.timing import Contestant, human, race

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.context import Run

__all__ = ["measure"]

LIMIT = 10.0
MEASURES = ("book", "longest book", "load", "count", "list", "is_available", "remove")


def measure_one(data: Dataset, *, rounds: int) -> dict[str, float]:
    """Book a whole shape in its order, ask, remove a tenth; nanoseconds a call."""
    out: dict[str, float] = {}
    events: list[Any] = []
    loops: list[float] = []
    worst: list[tuple[int, int]] = []
    clock = time.perf_counter_ns
    for _ in range(2):
        ours = Ours()
        ours.register(data)
        rows = [(ours.resources[ordinal], start, end) for ordinal, start, end in data.keyed(data.rows)]
        book = ours.calendar.book
        events, longest, slowest = [], 0, 0
        began = before = clock()
        for row in rows:
            events.append(book(*row))
            now = clock()
            if now - before > longest:
                longest, slowest = now - before, len(events)
            before = now
        loops.append((clock() - began) / len(rows))
        worst.append((longest, slowest))
    out["book"], (out["longest book"], out["longest is number"]) = min(loops), min(worst)
    bulk = Ours()
    bulk.register(data)
    made = list(bulk.events(data, data.rows))
    began = clock()
    bulk.calendar.load(made)
    out["load"] = (clock() - began) / len(made)
    spans = [ours.window(span) for span in windows(data, 31)]
    for start, end in spans[:2]:
        if ours.ordinals(ours.list_available(start, end)) != bulk.ordinals(bulk.list_available(start, end)):
            raise AssertionError(f"{data.name}: booked and loaded calendars differ")
    del bulk, made
    singles = [(row[0], *spans[number % len(spans)]) for number, row in enumerate(rows[:5000])]
    entries = [
        Contestant("count", ours.count_available, spans),
        Contestant("list", ours.list_available, spans),
        Contestant("is_available", ours.is_available, singles),
    ]
    for name, stat in race(entries, rounds=rounds, budget=2.0).items():
        out[name] = stat.median
    remove, tenth = ours.remove, events[: max(1, len(events) // 10)]
    began = clock()
    for event in tenth:
        remove(event)
    out["remove"] = (clock() - began) / len(tenth)
    return out


def measure(run: Run) -> None:
    """Every shape beside the shuffled one; no measure may be ten times worse."""
    n, m = run.size
    n = max(100, min(n // 5, 100_000))
    base = n * m
    title = f"Shapes of about {base:,} bookings, relative to shuffled"
    table = [["shape", *(f"{name}" for name in MEASURES)]]
    plain: dict[str, float] = {}
    builders: dict[str, Callable[[], Dataset]] = {name: partial(shape, name, n, m) for name in SHAPES}
    # as many resources as bookings: to be compared with as many resources, or the answers differ in length
    builders["shuffled, one booking each"] = lambda: make(base, 1, spare=False)
    order = ["shuffled, one booking each", *SHAPES]
    alone: dict[str, float] = {}
    for name in order:
        run.say(name)
        found = measure_one(builders[name](), rounds=run.rounds)
        gc.collect()
        if name == "shuffled, one booking each":
            alone = found
        if name == "shuffled":
            plain = found
        against = alone if name in ("all starts equal", "shuffled, one booking each") else plain
        cells = []
        for what in MEASURES:
            ratio = found[what] / against[what]
            cells.append(f"{human(found[what])}" + ("" if against is found else f" ({ratio:.2f}x)"))
        table.append([name, *cells])
        run.say("  " + ", ".join(f"{what} {cell}" for what, cell in zip(MEASURES, cells, strict=True)))
        if against is not found:
            # the longest single write is judged by its limit (see pauses): as a ratio it is noise
            ratios = {what: found[what] / against[what] for what in MEASURES if what != "longest book"}
            worst = max(ratios, key=ratios.__getitem__)
            raw = {"ratios": ratios, "found": found}
            row = Row(
                title,
                name,
                f"worst at {worst}: {human(found[worst])}",
                f"shuffled {human(against[worst])}",
                f"{ratios[worst]:.2f}",
                f"under {LIMIT:g} times shuffled",
                ratios[worst] < LIMIT,
                "",
                raw,
            )
            run.add(row)
    run.results.tables[title + ", in full"] = table
