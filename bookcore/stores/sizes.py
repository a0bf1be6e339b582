"""How large the pieces of a calendar's structures are: an argument of a store, so that tests can make them small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Sizes"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a store's structures, and of those of the calendar that it serves. None: the structure's own default."""

    occupancy: Mapping[str, int] = field(default_factory=dict)
    """Arguments of `OccupancyIndex`."""
    profile: Mapping[str, int] = field(default_factory=dict)
    """Arguments of `UsageProfile`."""
    split: int = 128
    """How many disjoint intervals one piece holds before it is cut in two."""
    fan: int | None = None
    """How many chunks one bound of a `GapSummary` covers."""
    overlapping: int | None = None
    """How many intervals a chunk of an `AugmentedIntervalList` holds."""
    attribute: int | None = None
    """How many values a chunk of an `AttributeIndex` holds."""
    spacing: int = 1 << 40
    """How far apart the ranks of new edges are in a `TreeStore`."""
    few: int = 64
    """Up to how many candidates are asked one by one rather than through the occupancy of all resources."""
    at_once: int = 128
    """How many hidden rows one call removes from the store: about a millisecond."""
    fewest: int = 32
    """From how many events on `Calendar.load` hands them on as columns."""
