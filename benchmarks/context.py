"""What the sections of a run share: the scale, the peers, the results, progress on standard error."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import workers
from benchmarks.data import SCALES, Dataset
from benchmarks.peers import PEERS, MissingError
from benchmarks.rows import Results, Row, shown
from benchmarks.timing import Contestant, Stat, race
from benchmarks.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Run"]

ROOT = Path(__file__).resolve().parents[1]


@dataclass(slots=True)
class Run:
    """One run of the benchmarks."""

    scale: str
    results: Results
    names: Sequence[str] = tuple(PEERS)
    rounds: int = 15
    budget: float = 5.0
    apart: bool = True
    began: float = field(default_factory=time.monotonic)
    section: str = ""
    #: (operation, resources, bookings each) -> contestant -> stat; growth reuses what queries measured
    measured: dict[tuple[str, int, int], dict[str, Stat]] = field(default_factory=dict)

    @property
    def judged(self) -> bool:
        """Whether this is the size that the targets are set for; at others ratios are shown, not judged."""
        return self.scale == "100k"

    def add(self, row: Row) -> None:
        """Keep a row, unjudged at another size than the targets'."""
        if row.met is not None and not self.judged:
            row = replace(row, met=None, reach=f"({row.reach} at 100k)", short=not row.met)
        self.results.rows.append(row)

    @property
    def size(self) -> tuple[int, int]:
        """Resources, and bookings on each."""
        return SCALES[self.scale]

    def say(self, what: str) -> None:
        """Show what is being done, with the time since the start."""
        seconds = int(time.monotonic() - self.began)
        print(f"[{seconds // 60:3d}:{seconds % 60:02d}] {self.section}: {what}", file=sys.stderr, flush=True)

    def world(self, data: Dataset, names: Iterable[str] | None = None, *, tree: bool = False) -> World:
        """Load every contestant, and compare their answers.

        All that is loaded is then frozen: no user's process holds the objects of ten contestants for the collector to scan.
        """
        world = World(data, self.names if names is None else names, tree=tree, say=self.say)
        for name, why in world.missing.items():
            self.results.skip(f"{name} ({data.name})", why)
        self.say("comparing all answers")
        self.say(f"{world.agree():,} answers agree")
        gc.collect()
        gc.freeze()
        return world

    def race(self, what: str, contestants: Sequence[Contestant]) -> dict[str, Stat]:
        """Race them, and say how it went."""
        self.say(f"timing {what}")
        found = race(contestants, rounds=self.rounds, budget=self.budget)
        self.say("  " + ", ".join(f"{name} {shown(stat)}" for name, stat in found.items()))
        return found

    def work(self, job: str, **options: Any) -> Any:
        """Run a job of ``benchmarks.workers`` in a process of its own, or unless ``apart`` in this one; return its report.

        Memory, single writes and the collector can only be judged in a process that holds nothing else.
        """
        if not self.apart:
            return workers.JOBS[job](**options)
        self.say(f"in its own process: {job} {options}")
        done = subprocess.run(  # noqa: S603 - our own module, our own arguments
            [sys.executable, "-m", "benchmarks.workers", job, json.dumps(options)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"
            raise MissingError(last.removeprefix("benchmarks.peers.MissingError: "))
        return json.loads(done.stdout.splitlines()[-1])
