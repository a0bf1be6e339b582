"""The life of a booking, part by part; each is skipped with the reason while something is missing."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import real
from benchmarks.bench_queries import drive
from benchmarks.context import Run
from benchmarks.peers import MissingError
from benchmarks.rows import Results
from benchmarks.sections import life


@pytest.mark.parametrize("part", life.PARTS)
def test_part(fast: Any, scale: str, part: str) -> None:
    """One part of the life section, measured its own way; its rows are kept with the benchmark."""
    run = Run(scale, Results("pytest", scale), rounds=1 if fast.disabled else 7, section="life")
    try:
        fast.pedantic(life.PARTS[part], args=(run,), rounds=1)
    except (MissingError, real.AbsentError) as why:
        pytest.skip(str(why))
    assert run.results.rows or run.results.tables
    fast.extra_info["rows"] = [f"{row.operation}: {row.ours}, {row.reach}" for row in run.results.rows]


@pytest.mark.parametrize("what", ["is_available", "book"])
def test_pool(fast: Any, scale: str, what: str) -> None:
    """A pool of 500: room for twenty over a week, by the peak."""
    try:
        pool = life.Pool(2_000 if scale == "ci" else 100_000)
    except MissingError as why:
        pytest.skip(str(why))
    pool.check(3)
    ask, take = pool.entries()
    fast.group = f"pool: {what}"
    drive(fast, ask if what == "is_available" else take, most=20)
