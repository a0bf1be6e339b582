"""Small structures for tests: every index cuts and joins itself after a few entries instead of thousands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

__all__ = ["SIZES", "small_sizes"]

SIZES: dict[str, int] = {
    "bookcore._blocks:SMALLEST": 8,
    "bookcore.timeline:LEAF": 4,
    "bookcore.column:LEAF": 4,
    "bookcore._blocks:OFTEN": 2,
    "bookcore.bins:OFTEN": 2,
    "bookcore.timeline:TAIL": 2,
    "bookcore.block:TAIL": 2,
    "bookcore._timeline_check:TAIL": 2,
    "bookcore.schedule:SPLIT": 4,
    "bookcore._blocks:STRIDE": 2,
    "bookcore._timeline_check:STRIDE": 2,
    "bookcore.timeline:NEAR": 1,
    "bookcore.widest:FAN": 2,
    "bookcore.stores.shelf:SPLIT": 4,
    "bookcore.stores.tree:SPACING": 8,
    "bookcore.attributes:LIMIT": 4,
    "bookcore._asking:FEW": 2,
    "bookcore.expiry:AT_ONCE": 1,
    "bookcore.loading:FEWEST": 2,
    "bookcore.profile:Profile.most": 8,
    "bookcore.profile:Profile.fewest": 3,
}
"""Where the sizes stand, as ``module:name``, and what `small_sizes` sets them to."""


@contextmanager
def small_sizes(**changes: int) -> Iterator[None]:
    """Lower every size in `SIZES` inside the block; *changes* names others by their last part.

    Structures made before keep what they were made with. Not for several threads: the sizes are the modules' own.

    Raises: LookupError when a size of `SIZES` is gone.

    >>> from bookcore import schedule
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
