"""Memory stays flat: each cycle of calls that cancel out, 3,000,000 times at ``--scale 100k``, fewer times as a test."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import data, leaks
from bookcore.engine import holds
from bookcore.testing.cycles import CYCLES

FEW = {"book, remove", "hold, expire under new ids", "add the newest remove the oldest resource", "what if, book"}
"""The cycles of the small run; `tests/life/test_flat_memory.py` counts what each of them leaves behind."""


@pytest.mark.parametrize("name", CYCLES)
def test_flat(fast: Any, scale: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second half of the cycles leaves nothing behind that the first half did not."""
    n, m = data.SCALES[scale]
    if scale == "ci" and name not in FEW:
        pytest.skip("only with --scale")
    if scale == "ci":  # ten thousand expired holds are remembered: more than these cycles make
        monkeypatch.setattr(holds, "REMEMBERED", 100)
    cycles = 3_000 if scale == "ci" else 3 * n * m
    grown = fast.pedantic(leaks.growth, args=(name, cycles), rounds=1)
    fast.extra_info["growth"] = grown._asdict()
    assert grown.is_flat, grown
