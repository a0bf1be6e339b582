"""Small structures for tests: every index cuts and joins itself after a few entries instead of thousands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bookcore.stores.sizes import Sizes

__all__ = ["SMALL", "small_sizes"]

SMALL = Sizes(
    occupancy={"smallest": 8, "leaf": 4, "often": 2, "tail": 2, "stride": 2, "near": 1},
    profile={"most": 8, "fewest": 3},
    split=4,
    fan=2,
    overlapping=4,
    attribute=4,
    spacing=8,
    few=2,
    at_once=1,
    fewest=2,
)
"""Sizes for a store under test, as ``MemoryStore(SMALL)``."""


def small_sizes(**changes: Any) -> Sizes:
    """Return `SMALL`, but for some sizes. Raises: TypeError for a size that there is none of.

    >>> small_sizes(split=2).split
    2
    """
    return replace(SMALL, **changes)
