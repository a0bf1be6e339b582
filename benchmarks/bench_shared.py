"""Calendars that processes share, each measurement once."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import shared
from benchmarks.data import SCALES
from benchmarks.peers import MissingError


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name each database that can be had."""
    if request.param == "PostgreSQL":
        pytest.importorskip("psycopg")
    return str(request.param)


def _run(fast: Any, job: Any, **options: Any) -> Any:
    try:
        return fast.pedantic(job, kwargs=options, rounds=1)
    except MissingError as why:
        pytest.skip(str(why))


def test_commits(fast: Any, scale: str, kind: str) -> None:
    """Commits of several processes at once, beside SQL by hand."""
    n, m = SCALES.get(scale, (50, 4))
    clients = [2] if fast.disabled else [1, 4, 16]
    found = _run(fast, shared.commits, kind=kind, n=n, m=m, clients=clients, total=40 if fast.disabled else 1600)
    assert all(min(each["ours"]["rate"], each["hand"]["rate"]) > 0 for each in found.values())
    fast.extra_info["nanoseconds"] = found


def test_threads(fast: Any, scale: str, kind: str) -> None:
    """Commits of threads that share a calendar, beside SQL by hand."""
    n, m = SCALES.get(scale, (50, 4))
    counts = [2] if fast.disabled else [1, 4, 16]
    found = _run(fast, shared.threads, kind=kind, n=n, m=m, counts=counts, total=40 if fast.disabled else 1600)
    assert all(min(each["ours"]["rate"], each["hand"]["rate"]) > 0 for each in found.values())
    fast.extra_info["nanoseconds"] = found


def test_visible(fast: Any, scale: str, kind: str) -> None:
    """How soon another process has a booking."""
    n, m = SCALES.get(scale, (50, 4))
    found = _run(fast, shared.visible, kind=kind, n=n, m=m, count=5 if fast.disabled else 200)
    assert min(found) > 0
    fast.extra_info["nanoseconds"] = found


def test_questions(fast: Any, scale: str, kind: str) -> None:
    """Questions to a follower, in memory, by SQL; whose answers are compared first."""
    n, m = SCALES.get(scale, (50, 4))
    found = _run(fast, shared.questions, kind=kind, n=n, m=m, times=4)
    assert {"open", "follower, count", "SQL, count", "a query each, count"} <= found.keys()
    fast.extra_info["nanoseconds"] = found
