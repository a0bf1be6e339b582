"""What `Calendar.book_all` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bookcore.model.event import BookingEvent
from bookcore.model.generic import E, Generic


@dataclass(frozen=True, slots=True, eq=False)
class Refusal:
    """A request that `Calendar.book_all` could not book, and why: ``error`` is what `Calendar.book` raises for it."""

    request: Any
    error: Any

    @property
    def conflicts(self) -> tuple[BookingEvent, ...]:
        """The bookings in the way; none where the request was refused for another reason."""
        events: tuple[BookingEvent, ...] = getattr(self.error, "conflicts", ())
        return events


@dataclass(frozen=True, slots=True, eq=False)
class Report(Generic[E]):
    """The result of `Calendar.book_all`: the events that were booked, and a `Refusal` for each request that was not."""

    booked: tuple[E, ...]
    refused: tuple[Refusal, ...]
