"""Questions and single writes at one size, all contestants on the same data in the same process."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from benchmarks.data import make, windows
from benchmarks.peers import MissingError
from benchmarks.rows import faster, shown, under
from benchmarks.timing import Contestant, Stat
from benchmarks.world import OPERATIONS, World
from bookcore import BookingEvent, ConflictError

if TYPE_CHECKING:
    from benchmarks.context import Run
    from benchmarks.ours import Ours

__all__ = ["LABELS", "TARGETS", "measure"]

LABELS = {
    "count": "`len(find_available)`",
    "list": "`list(find_available)`",
    "first": "`find_available(...).first(10)`",
    "is_available": "`is_available`",
    "is_available, warm": "`is_available`, 200 resources again and again",
    "book": "`book` into the full calendar",
    "remove": "`remove_booking`",
}

#: operation -> peer -> how many times faster ours is to be
TARGETS: dict[str, dict[str, float | None]] = {
    "count": {"SQLite": 200, "NCLS": 1, "pyroaring": None, "sorted NumPy arrays": None},
    "list": {"SQLite": 15, "superintervals": 1, "pyroaring": None, "sorted NumPy arrays": None},
    "is_available": {"SQLite": 4, "intervaltree": 15},
    "is_available, warm": {"SQLite": None, "intervaltree": None},
    "book": {"SQLite": 1, "intervaltree": 3},
    "remove": {"SQLite": None, "intervaltree": None},
}


def measure(run: Run) -> None:
    """Race all contestants at every operation; judge those that have a target."""
    n, m = run.size
    world = run.world(make(n, m), tree=n * m <= 100_000)
    title = f"Questions and single writes, {world.data.name}, {world.data.week // 24}-day windows"
    ours = world["bookcore"]
    by_operation: dict[str, dict[str, Stat]] = {}
    for name in OPERATIONS:
        found = run.race(name, world.race_at(name))
        by_operation[name] = run.measured[name, n, m] = found
        if name == "first":
            run.add(under(title, LABELS[name], found["bookcore"], 100e3))
        for peer, times in TARGETS.get(name, {}).items():
            if peer in found:
                run.add(faster(title, LABELS[name], found["bookcore"], peer, found[peer], times))
    stat = run.race("remove, add, then count", [churn(ours, world)])["bookcore"]
    operation = "`remove_booking`, `add_booking`, then `len(find_available)`"
    run.add(under(title, operation, stat, 1e6))
    refused = run.race("book that is refused", [refusal(ours, world)])["bookcore"]
    run.add(under(title, "`book` of a span that is taken (`ConflictError`)", refused, None))
    names = [one.name for one in world.contestants]
    head = ["median (min)", *(LABELS[name] for name in OPERATIONS)]
    table = [[name, *(_cell(by_operation[op].get(name)) for op in OPERATIONS)] for name in names]
    run.results.tables[f"All contestants, {world.data.name}"] = [head, *table]
    del world, ours
    gc.unfreeze()
    gc.collect()


def _cell(stat: Stat | None) -> str:
    return "" if stat is None else shown(stat)


def churn(ours: Ours, world: World) -> Contestant:
    """Take a booking out and put it back, then count: what a write leaves for the next reader to do."""
    calendar = ours.calendar
    spans = [ours.window(span) for span in windows(world.data, 61, seed=23)]
    spares = list(world.data.keyed(world.data.spare))[:500]
    if not spares:
        raise MissingError(f"{world.data.name} holds nothing back to book")
    booked = [calendar.book(ours.resource(ordinal), start, end) for ordinal, start, end in spares]

    def turn(number: int, start: Any, end: Any) -> int:
        old = booked[number]
        calendar.remove_booking(old)
        booked[number] = new = BookingEvent(old.resource, old.start, old.end)
        calendar.add_booking(new)
        return len(calendar.find_available(start, end))

    args = [(number, *spans[number % len(spans)]) for number in range(len(booked))]

    def clear() -> None:
        for left in booked:
            calendar.remove_booking(left)

    return Contestant("bookcore", turn, args, close=clear)


def refusal(ours: Ours, world: World) -> Contestant:
    """Book a span that is taken: the check, the error, the list of what is in the way."""
    book = ours.calendar.book
    rows = world.data.rows.take(range(min(5000, len(world.data.rows))))
    args = [(ours.resource(ordinal), start, end) for ordinal, start, end in world.data.keyed(rows)]

    def attempt(resource: Any, start: Any, end: Any) -> None:
        try:
            book(resource, start, end)
        except ConflictError:
            return
        raise AssertionError("a taken span was booked")

    return Contestant("bookcore", attempt, args)
