"""Small structures for tests: every index cuts and joins itself after a few entries instead of thousands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

__all__ = ["SIZES", "small_sizes"]

SIZES: dict[str, int] = {
    "bookcore.index.occupancy:OccupancyIndex.SMALLEST": 8,
    "bookcore.index.occupancy:OccupancyIndex.LEAF": 4,
    "bookcore.index.occupancy:OccupancyIndex.OFTEN": 2,
    "bookcore.index.occupancy:OccupancyIndex.TAIL": 2,
    "bookcore.index.occupancy:OccupancyIndex.STRIDE": 2,
    "bookcore.index.occupancy:OccupancyIndex.NEAR": 1,
    "bookcore.index.disjoint_intervals:SPLIT": 4,
    "bookcore.index.gap_summary:GapSummary.FAN": 2,
    "bookcore.index.augmented_intervals:AugmentedIntervalList.SPLIT": 4,
    "bookcore.stores.tree:SPACING": 8,
    "bookcore.index.attribute_index:AttributeIndex.LIMIT": 4,
    "bookcore.query.planner:FEW": 2,
    "bookcore.engine.state:AT_ONCE": 1,
    "bookcore.engine.bulk_load:FEWEST": 2,
    "bookcore.index.usage_profile:UsageProfile.MOST": 8,
    "bookcore.index.usage_profile:UsageProfile.FEWEST": 3,
}
"""Where the sizes stand, as ``module:name``, and what `small_sizes` sets them to."""


@contextmanager
def small_sizes(**changes: int) -> Iterator[None]:
    """Lower every size in `SIZES` inside the block; *changes* names others by their last part.

    Structures made before keep what they were made with. Not for several threads: the sizes are the modules' own.

    Raises: LookupError when a size of `SIZES` is gone.

    >>> from bookcore.index import disjoint_intervals as schedule
    >>> with small_sizes(SPLIT=2):
    ...     schedule.SPLIT
    2
    """
    before: list[tuple[Any, str, int]] = []
    try:
        for path, size in SIZES.items():
            module, _, name = path.partition(":")
            owner: Any = import_module(module)
            *parents, last = name.split(".")
            for parent in parents:
                owner = getattr(owner, parent)
            if not hasattr(owner, last):
                raise LookupError(f"{path} is gone; bring bookcore.testing.SIZES up to date")
            before.append((owner, last, getattr(owner, last)))
            setattr(owner, last, changes.get(last, size))
        yield
    finally:
        for owner, last, size in reversed(before):
            setattr(owner, last, size)
