"""What must not grow: the first ten with the resources, one resource's availability with its bookings."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.bench_queries import drive
from benchmarks.data import SCALES, hot, make
from benchmarks.ours import Ours
from benchmarks.peers import MissingError
from benchmarks.world import operation


def sizes(scale: str, most: int) -> tuple[int, ...]:
    """Three sizes, a tenth, a third and all of *most*; tiny ones in a dry run."""
    return (50, 100, 200) if scale == "ci" else (most // 100, most // 10, most)


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("name", ["count", "first", "book"])
def test_growth_with_resources(fast: Any, scale: str, name: str, step: int) -> None:
    """The same question of more and more resources."""
    n, m = SCALES[scale]
    data = make(sizes(scale, n)[step], m)
    fast.group = f"growth of {name} with resources"
    _drive(fast, data, name)


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("name", ["is_available", "book"])
def test_growth_on_one_resource(fast: Any, scale: str, name: str, step: int) -> None:
    """The same question of a resource with more and more bookings."""
    n, m = SCALES[scale]
    data = hot(sizes(scale, min(n * m, 1_000_000))[step])
    fast.group = f"growth of {name} with bookings on one resource"
    _drive(fast, data, name)


def _drive(benchmark: Any, data: Any, name: str) -> None:
    try:
        ours = Ours()
    except MissingError as why:
        pytest.skip(str(why))
    ours.load(data)
    benchmark.extra_info["data"] = f"{len(data):,} bookings on {data.resources:,} resources"
    drive(benchmark, operation(name, ours, data))
