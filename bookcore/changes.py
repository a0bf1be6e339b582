"""The records that subscribers receive, under the module name that programs import."""

from bookcore.model.change import (
    Booked,
    CapacitySet,
    Change,
    Changed,
    Closed,
    Confirmed,
    Extended,
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
    "Changed",
    "Closed",
    "Confirmed",
    "Extended",
    "HoursSet",
    "Moved",
    "Released",
    "Reopened",
    "ResourceAdded",
    "ResourceRemoved",
    "Tagged",
    "Untagged",
]
