"""Scale, collection and shared worlds for the ``bench_*`` files.

``pytest benchmarks --benchmark-disable`` runs every benchmark, and every section of a run, once on a tiny calendar, as a
test; ``--benchmark-only`` runs the benchmarks at full size (``--scale 1k``, ``100k``, ``1m``, or
``BOOKCORE_BENCH_SCALE``; 100k if neither is given). Under pytest-xdist pytest-benchmark measures nothing, so the tiny
calendar is used there, too.
"""

from __future__ import annotations

import os
import sys
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:  # under importlib mode nothing else puts the checkout on the path
    sys.path.insert(0, ROOT)

data = import_module("benchmarks.data")
worlds = import_module("benchmarks.world")

if TYPE_CHECKING:
    from benchmarks.world import World


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--scale``."""
    parser.addoption(
        "--scale", default=None, choices=sorted(data.SCALES), help="size of the benchmarks' calendars"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Collect ``bench_*.py``, unless the project's own ``python_files`` does so already."""
    if not fnmatch(file_path.name, "bench_*.py"):
        return None
    patterns = parent.config.getini("python_files")
    if parent.session.isinitpath(file_path) or any(fnmatch(file_path.name, one) for one in patterns):
        return None  # pytest takes it by itself
    return pytest.Module.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> str:
    """Name the scale in force."""
    given = request.config.getoption("--scale") or os.environ.get("BOOKCORE_BENCH_SCALE")
    if given:
        if given not in data.SCALES:
            raise pytest.UsageError(f"unknown scale {given!r}; known: {', '.join(data.SCALES)}")
        return str(given)
    disabled = request.config.getoption("benchmark_disable", default=False)
    return "ci" if disabled or hasattr(request.config, "workerinput") else "100k"


@pytest.fixture(scope="session")
def world(scale: str) -> World:
    """All contestants loaded on the plain year, answers compared."""
    n, m = data.SCALES[scale]
    world: World = worlds.World(data.make(n, m), tree=n * m <= 100_000)
    world.agree()
    return world


@pytest.fixture
def fast(benchmark: Any, scale: str) -> Any:
    """Return ``benchmark``, with the scale kept beside its figures."""
    benchmark.extra_info["scale"] = scale
    return benchmark
