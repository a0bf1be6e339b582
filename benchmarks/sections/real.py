"""The real sets: the same questions and writes on flights, bike trips, a timetable, a genome."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from benchmarks import real
from benchmarks.data import Dataset, windows
from benchmarks.ours import Ours
from benchmarks.peers import MissingError, _module
from benchmarks.rows import faster
from benchmarks.sections.queries import LABELS
from benchmarks.timing import Contestant
from bookcore import Resource

if TYPE_CHECKING:
    from benchmarks.context import Run

__all__ = ["Genome", "measure"]

OPERATIONS = ("count", "list", "is_available", "book")
NAMES = ("SQLite", "intervaltree")


def measure(run: Run) -> None:
    """Ours beside SQLite and intervaltree; the genome overlaps by nature and is asked about capacity."""
    for name in real.REAL:
        try:
            data = real.load(name, limit={"ci": 2_000, "1k": 20_000}.get(run.scale))
            if name == "genome_chr1":
                _genome(run, data)
            else:
                _disjoint(run, data)
        except MissingError as why:
            run.results.skip(f"real data: {name}", why)
        gc.unfreeze()
        gc.collect()


def _disjoint(run: Run, data: Dataset) -> None:
    world = run.world(data, [name for name in NAMES if name in run.names])
    title = f"Real data: {data.name}, {len(data):,} bookings on {data.resources:,} resources"
    for name in OPERATIONS:
        found = run.race(f"{name} on {data.name}", world.race_at(name))
        for peer in NAMES:
            if peer in found:
                row = faster(title, LABELS[name], found["bookcore"], peer, found[peer], None)
                run.add(row)


class Genome:
    """Overlapping intervals on few tracks: each a resource with room for all of them, beside a tree each."""

    def __init__(self, data: Dataset) -> None:
        self.data, self.ours = data, Ours()
        self.ours.register(data, lambda ordinal: Resource(ordinal, capacity=1_000_000))
        self.ours.calendar.load(self.ours.events(data, data.rows))
        module = _module("intervaltree")
        rows: list[list[Any]] = [[] for _ in range(data.resources)]
        for number, (ordinal, start, end) in enumerate(data.rows):
            rows[ordinal].append(module.Interval(start, end, number))
        self.trees = [module.IntervalTree(found) for found in rows]
        self.singles = [(i % data.resources, *span) for i, span in enumerate(windows(data, 200))]

    def overlaps(self, ordinal: int, start: int, end: int) -> list[Any]:
        """Every booking that overlaps."""
        return list(self.ours.calendar.bookings(self.ours.resource(ordinal), start, end))

    def peak(self, ordinal: int, start: int, end: int) -> bool:
        """Whether a thousand more fit: decided by the peak of concurrent use."""
        return self.ours.calendar.is_available(self.ours.resource(ordinal), start, end, quantity=999_900)

    def check(self) -> None:
        """Compare the overlapping bookings with the trees', by their number."""
        for ordinal, start, end in self.singles[:50]:
            if len(self.overlaps(ordinal, start, end)) != len(self.trees[ordinal].overlap(start, end)):
                raise AssertionError(f"track {ordinal} over [{start}, {end}) differs from intervaltree")

    def entries(self) -> list[Contestant]:
        """Overlapping bookings: ours, and the tree's."""
        tree = Contestant("intervaltree", lambda ordinal, a, b: self.trees[ordinal].overlap(a, b), self.singles)
        return [Contestant("bookcore", self.overlaps, self.singles), tree]


def _genome(run: Run, data: Dataset) -> None:
    run.say("loading genome tracks")
    genome = Genome(data)
    genome.check()
    gc.collect()
    gc.freeze()
    title = f"Real data: {data.name}, {len(data):,} overlapping intervals on {data.resources} tracks"
    found = run.race("overlapping bookings", genome.entries())
    text = "every booking that overlaps 10,000 bases"
    run.add(faster(title, text, found["bookcore"], "intervaltree", found["intervaltree"], None))
    tree = genome.entries()[1]
    peak = run.race("peak", [Contestant("bookcore", genome.peak, genome.singles), tree])
    text = "`is_available(quantity=...)` by the peak"
    run.add(faster(title, text, peak["bookcore"], "intervaltree", peak["intervaltree"], None))
