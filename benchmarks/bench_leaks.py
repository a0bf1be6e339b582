"""A few cycles of ``python -m benchmarks.leaks``, few times: it measures, and they stay flat."""

from __future__ import annotations

import pytest

from benchmarks import leaks
from bookcore.engine import holds

FEW = ("book, remove", "hold, expire under new ids", "add the newest remove the oldest resource", "what if, book")
"""The cycles of this run; `tests/life/test_flat_memory.py` counts what each of them all leaves behind."""


@pytest.mark.parametrize("name", FEW)
def test_flat(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second half of the cycles leaves nothing behind that the first half did not."""
    # ten thousand expired holds are remembered: more than these cycles make
    monkeypatch.setattr(holds, "REMEMBERED", 100)
    grown = leaks.growth(name, 3_000)
    assert grown.is_flat, grown
