"""The records that subscribers receive, under the module name that programs import."""

from bookcore.model.change import (
    Booked,
    CapacitySet,
    Change,
    Closed,
    Confirmed,
    HoursSet,
    Moved,
    Released,
    Reopened,
    ResourceAdded,
    ResourceRemoved,
    Tagged,
    Untagged,
)

__all__ = [
    "Booked",
    "CapacitySet",
    "Change",
    "Closed",
    "Confirmed",
    "HoursSet",
    "Moved",
    "Released",
    "Reopened",
    "ResourceAdded",
    "ResourceRemoved",
    "Tagged",
    "Untagged",
]
