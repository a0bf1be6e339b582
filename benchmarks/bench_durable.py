"""A calendar in a directory, each measurement once."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import durable
from benchmarks.data import SCALES


@pytest.mark.parametrize("threads", [1, 32])
def test_commits(fast: Any, threads: int) -> None:
    """Commits that wait for the disk, beside SQLite."""
    found = fast.pedantic(
        durable.commits, kwargs={"threads": threads, "total": 64 if fast.disabled else 3200, "times": 1}, rounds=1
    )
    assert found["bookcore"][0] > 0 < found["SQLite"][0]
    fast.extra_info["nanoseconds"] = found


def test_checkpoints(fast: Any, scale: str) -> None:
    """A checkpoint beside a thread that books, and opening it."""
    n, m = SCALES.get(scale, (50, 4))
    found = fast.pedantic(durable.checkpoints, kwargs={"n": n, "m": m}, rounds=1)
    assert {"checkpoint", "pause", "open", "backup", "pickle"} <= found.keys()
    fast.extra_info["seconds"] = found


def test_replay(fast: Any, scale: str) -> None:
    """Records that are applied again."""
    n, m = SCALES.get(scale, (50, 4))
    found = fast.pedantic(durable.replay, kwargs={"records": min(n * m, 200_000)}, rounds=1)
    assert min(found.values()) > 0
    fast.extra_info["seconds"] = found
