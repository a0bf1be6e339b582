"""Every structure of ``python -m benchmarks.structures``, with few entries: both sides give the same answers."""

from __future__ import annotations

import pytest

from benchmarks import structures


@pytest.mark.parametrize("name", structures.STRUCTURES)
def test_same_answers(name: str) -> None:
    """Each answer is compared before anything is timed."""
    assert all(nanoseconds > 0 for nanoseconds in structures.gain(name, 500, rounds=1))
