"""The sizes of chunks in a calendar's structures: an argument of a store, so that tests can make them small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bookcore.index.attribute_index import AttributeIndex
from bookcore.index.augmented_intervals import AugmentedIntervalList
from bookcore.index.disjoint_intervals import SPLIT
from bookcore.index.gap_summary import GapSummary
from bookcore.model.errors import QueryError
from bookcore.model.typecheck import is_a


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes in the structures of a store and of its calendar."""

    occupancy: Mapping[str, int] = field(default_factory=dict)
    """Arguments of `OccupancyIndex`."""
    profile: Mapping[str, int] = field(default_factory=dict)
    """Arguments of `UsageProfile`."""
    split: int = SPLIT
    """The most disjoint intervals in a chunk."""
    fan: int = GapSummary.FAN
    """The number of chunks that one bound of a `GapSummary` covers."""
    overlapping: int = AugmentedIntervalList.SPLIT
    """The number of intervals in a chunk of an `AugmentedIntervalList`."""
    attribute: int = AttributeIndex.LIMIT
    """The number of values in a chunk of an `AttributeIndex`."""
    spacing: int = 1 << 40
    """The distance between the ranks of new edges in a `TreeStore`."""
    few: int = 64
    """The most candidates that are checked one by one, rather than through the occupancy of all resources."""
    at_once: int = 128
    """The most hidden rows that one call removes from the store, which takes about a millisecond."""
    spare: int = 64
    """The most numbers of removed resources, on top of the number of the others, that a calendar leaves unused."""
    fewest: int = 32
    """The fewest events that `Calendar.load` passes to the store as columns."""


def check_sizes(sizes: object) -> Sizes:
    """Return the sizes that a store was given, the usual ones for None. Raises: `QueryError`."""
    if sizes is None:
        return Sizes()
    if not is_a(sizes, Sizes):
        raise QueryError(sizes, "sizes are Sizes(...) of bookcore.stores.sizes, or None")
    return sizes
