"""Calendars that processes share, each measurement once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import shared
from benchmarks.data import SCALES
from benchmarks.peers import MissingError


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def measured(request: pytest.FixtureRequest, fast: Any, scale: str) -> Callable[..., Any]:
    """Return a function that returns what a measurement finds in a database, which is kept; for each that can be had."""
    if request.param == "PostgreSQL":
        pytest.importorskip("psycopg")
    n, m = SCALES.get(scale, (50, 4))

    def measure(job: Callable[..., Any], **options: Any) -> Any:
        try:
            found = fast.pedantic(job, kwargs={"kind": request.param, "n": n, "m": m, **options}, rounds=1)
        except MissingError as why:
            pytest.skip(str(why))
        fast.extra_info["nanoseconds"] = found
        return found

    return measure


@pytest.mark.parametrize("job", [shared.commits, shared.threads], ids=["processes", "threads"])
def test_commits(measured: Callable[..., Any], fast: Any, job: Callable[..., Any]) -> None:
    """Commits of several at once, each a process, or a thread that shares a calendar; beside SQL by hand."""
    found = measured(job, clients=[2] if fast.disabled else [1, 4, 16], total=40 if fast.disabled else 1600)
    assert all(min(each["ours"]["rate"], each["hand"]["rate"]) > 0 for each in found.values())


def test_visible(measured: Callable[..., Any], fast: Any) -> None:
    """How soon another process has a booking."""
    assert min(measured(shared.visible, count=5 if fast.disabled else 200)) > 0


def test_questions(measured: Callable[..., Any]) -> None:
    """Questions to a follower, in memory, by SQL; whose answers are compared first."""
    found = measured(shared.questions, times=4)
    assert {"open", "follower, count", "SQL, count", "a query each, count"} <= found.keys()
