"""A fair race: the contestants take turns in one process, the cyclic collector on, as in a user's program.

One *sample* is a batch of calls timed as a whole and divided by their number; a batch is made long enough for the
clock (4 ms; 100 ms for writes) and the contestants are sampled in turn, so that a slow second of the machine falls
on all of them. Slow contestants get fewer samples (a time budget each), never fewer than one, and the table says
how many.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Contestant", "Stat", "human", "race", "stat_of"]

SAMPLE = 4e6
"""How many nanoseconds a sample is to take."""


@dataclass(frozen=True, slots=True)
class Stat:
    """Nanoseconds a call: median and minimum over the samples, and how many samples of how many calls."""

    median: float
    low: float
    samples: int
    calls: int

    def as_dict(self) -> dict[str, float]:
        """Return the facts by name."""
        return {"median_ns": self.median, "min_ns": self.low, "samples": self.samples, "calls": self.calls}


@dataclass(slots=True)
class Contestant:
    """One way to do one thing.

    ``op`` is called with each tuple of ``args`` in turn. ``undo``, where given, gets the results of a batch
    and puts everything back, untimed; such a batch never holds the same arguments twice. ``close`` is called
    after the race and takes away what was set up for it.
    """

    name: str
    op: Callable[..., Any]
    args: Sequence[tuple[Any, ...]]
    undo: Callable[[list[Any]], None] | None = None
    close: Callable[[], None] | None = None
    at: int = field(default=0)

    def batch(self, size: int) -> list[tuple[Any, ...]]:
        """Return the next *size* arguments, going round; at most all of them when they must be distinct."""
        total = len(self.args)
        if self.undo is not None:
            size = min(size, total)
        out = [self.args[(self.at + i) % total] for i in range(size)]
        self.at = (self.at + size) % total
        return out

    def sample(self, size: int) -> tuple[float, int]:
        """Run one batch; return nanoseconds a call and the number of calls."""
        op, batch, clock = self.op, self.batch(size), time.perf_counter_ns
        if self.undo is None:
            began = clock()
            for args in batch:
                op(*args)
            took = clock() - began
        else:
            began = clock()
            results = [op(*args) for args in batch]
            took = clock() - began
            self.undo(results)
        return took / len(batch), len(batch)


def stat_of(values: Sequence[float], calls: int) -> Stat:
    """Sum up samples given in nanoseconds a call."""
    return Stat(statistics.median(values), min(values), len(values), calls)


def race(
    contestants: Sequence[Contestant],
    *,
    rounds: int = 15,
    budget: float = 5.0,
) -> dict[str, Stat]:
    """Time every contestant in turn, *rounds* times, at most *budget* seconds each.

    The first call of each is a warm-up and is not counted. Returns a ``Stat`` by name, in the given order.
    """
    values: dict[str, list[float]] = {c.name: [] for c in contestants}
    calls = dict.fromkeys(values, 0)
    spent = dict.fromkeys(values, 0.0)
    sizes: dict[str, int] = {}
    for contestant in contestants:
        warm, _ = contestant.sample(1)
        if warm < SAMPLE / 20:  # a first call may be ten times a later one; look again before sizing
            warm, _ = contestant.sample(20)
        # writes in runs of 100 ms: between two of them everything is undone, which leaves the caches cold
        longer = 25 if contestant.undo is not None else 1
        sizes[contestant.name] = max(1, int(longer * SAMPLE / max(warm, 1.0)))
    for number in range(rounds):
        for contestant in contestants:
            name = contestant.name
            if number and spent[name] + spent[name] / number > budget * 1e9:
                continue
            began = time.perf_counter_ns()
            each, size = contestant.sample(sizes[name])
            spent[name] += time.perf_counter_ns() - began
            values[name].append(each)
            calls[name] += size
    for contestant in contestants:
        if contestant.close is not None:
            contestant.close()
    return {name: stat_of(found, calls[name]) for name, found in values.items()}


def human(nanoseconds: float) -> str:
    """Write a time with three digits and its unit.

    >>> human(161.2), human(4_540), human(76_000_000), human(4e9)
    ('161 ns', '4.54 us', '76.0 ms', '4.00 s')
    """
    value, unit = nanoseconds, "ns"
    for larger in ("us", "ms", "s"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {unit}"
