"""Every shape of data, written and asked; and the real sets."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import real
from benchmarks.bench_queries import drive
from benchmarks.data import SCALES, SHAPES, shape
from benchmarks.ours import library
from benchmarks.peers import MissingError
from benchmarks.sections.real import Genome
from benchmarks.sections.shapes import MEASURES, measure_one
from benchmarks.world import World


def limit(scale: str) -> int | None:
    """How many rows of a real set to take."""
    return {"ci": 2_000, "1k": 20_000}.get(scale)


@pytest.mark.parametrize("name", SHAPES)
def test_shape(fast: Any, scale: str, name: str) -> None:
    """Book a whole shape, ask it, remove a tenth."""
    try:
        library()
    except MissingError as why:
        pytest.skip(str(why))
    n, m = SCALES[scale]
    data = shape(name, n if scale == "ci" else max(100, n // 5), m)
    fast.group = "shapes"
    found = fast.pedantic(measure_one, args=(data,), kwargs={"rounds": 1 if fast.disabled else 5}, rounds=1)
    assert set(found) >= set(MEASURES)
    fast.extra_info["nanoseconds"] = found


@pytest.mark.parametrize("operation", ["count", "list", "is_available", "book"])
@pytest.mark.parametrize("contestant", ["bookcore", "SQLite", "intervaltree"])
@pytest.mark.parametrize("name", ["flights", "bikeshare", "timetable"])
def test_real_set(fast: Any, real_world: Any, name: str, contestant: str, operation: str) -> None:
    """The real sets: all answers agree, then each contestant is timed."""
    world = real_world(name)
    fast.group = f"{operation} on {name}"
    try:
        one = world[contestant]
    except MissingError as why:
        pytest.skip(str(why))
    if operation not in one.does:
        pytest.skip(f"{contestant} does not do {operation}")
    (entry,) = world.race_at(operation, [contestant])
    drive(fast, entry)


@pytest.fixture(scope="module")
def real_world(scale: str) -> Any:
    """Make worlds of real sets, once each; skip, saying why, where a set is not here."""
    worlds: dict[str, World | str] = {}

    def build(name: str) -> World:
        if name not in worlds:
            try:
                world = World(real.load(name, limit=limit(scale)), ["SQLite", "intervaltree"])
                world.agree()
                worlds[name] = world
            except real.AbsentError as why:
                worlds[name] = str(why)
        found = worlds[name]
        if isinstance(found, str):
            pytest.skip(found)
        return found

    return build


@pytest.mark.parametrize("contestant", ["bookcore", "intervaltree"])
def test_genome_overlaps(fast: Any, scale: str, contestant: str) -> None:
    """Overlapping intervals on few tracks: a resource with capacity beside a tree."""
    fast.group = "genome: every booking that overlaps"
    try:
        genome = Genome(real.load("genome_chr1", limit=limit(scale)))
    except (real.AbsentError, MissingError) as why:
        pytest.skip(str(why))
    genome.check()
    entries = {entry.name: entry for entry in genome.entries()}
    drive(fast, entries[contestant])
