"""Small structures for tests: every index splits and merges its chunks after a few entries instead of hundreds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bookcore import BookingStore
from bookcore.stores.sizes import Sizes

SMALL = Sizes(
    occupancy={"smallest": 8, "tail": 2, "stride": 2, "waiting_limit": 5, "worth": 0},
    profile={"most": 8, "fewest": 3},
    split=4,
    fan=2,
    overlapping=4,
    attribute=4,
    spacing=8,
    few=2,
    at_once=1,
    spare=0,
    fewest=2,
)
"""Sizes for a store under test, as ``MemoryStore(SMALL)``."""


def small_store(make: Callable[[], BookingStore[Any]], sizes: Sizes = SMALL) -> BookingStore[Any]:
    """Return a new store with these sizes, of which a calendar also takes the sizes of its own structures.

    >>> from bookcore import MemoryStore
    >>> small_store(MemoryStore).sizes.split
    4
    """
    store: Any = make()
    with suppress(AttributeError):
        store.sizes = sizes
    return store  # type: ignore[no-any-return]


def small_sizes(**changes: Any) -> Sizes:
    """Return `SMALL` with some sizes replaced. Raises: TypeError for the name of no size.

    >>> small_sizes(split=2).split
    2
    """
    return replace(SMALL, **changes)
