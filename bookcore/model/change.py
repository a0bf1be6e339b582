"""What happened to a calendar, as frozen records: one for each change, in order.

A subscriber gets them after they took effect; one that calls `Calendar.apply` with each on a fresh calendar rebuilds the
same calendar. A journal would write the same records.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from bookcore.model.records import BookingEvent, Closure

__all__ = [
    "Booked",
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


@dataclass(frozen=True, slots=True)
class Change:
    """Base of all changes."""


@dataclass(frozen=True, slots=True)
class ResourceAdded(Change):
    """A resource was registered, with the capacity and turnaround it is held to."""

    resource: Any
    capacity: int = 1
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class ResourceRemoved(Change):
    """A resource was forgotten."""

    resource: Any


@dataclass(frozen=True, slots=True)
class Booked(Change):
    """A booking took its lock. ``until`` is given for a hold that runs out; ``held`` for any hold."""

    event: BookingEvent
    held: bool = False
    until: Any = None


@dataclass(frozen=True, slots=True)
class Confirmed(Change):
    """A hold became a booking."""

    event: BookingEvent


@dataclass(frozen=True, slots=True)
class Released(Change):
    """A booking gave up its lock; ``expired`` if it was a hold that ran out."""

    event: BookingEvent
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Moved(Change):
    """A booking changed its span or its resource and kept its id."""

    before: BookingEvent
    after: BookingEvent


@dataclass(frozen=True, slots=True)
class Closed(Change):
    """A resource was closed for a span."""

    closure: Closure


@dataclass(frozen=True, slots=True)
class Reopened(Change):
    """A closure was lifted."""

    closure: Closure


@dataclass(frozen=True, slots=True)
class HoursSet(Change):
    """A resource got opening hours, or lost them (None)."""

    resource: Any
    hours: Any


@dataclass(frozen=True, slots=True)
class Tagged(Change):
    """A resource got a label."""

    resource: Any
    label: Hashable


@dataclass(frozen=True, slots=True)
class Untagged(Change):
    """A resource lost a label."""

    resource: Any
    label: Hashable
