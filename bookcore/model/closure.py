"""`Closure`: a span in which a resource cannot be booked, whatever its bookings are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bookcore.model.event import BookingEvent


@dataclass(frozen=True, slots=True, eq=False)
class Closure:
    """A span in which a resource cannot be booked, whatever its bookings are. Made by `Calendar.close`.

    ``overlapping`` are the bookings that were active in the span when it was closed: they stay active, and the caller
    decides what becomes of them.
    """

    resource: Any
    start: Any
    end: Any
    reason: str
    id: int
    overlapping: tuple[BookingEvent, ...] = field(default=(), repr=False)
