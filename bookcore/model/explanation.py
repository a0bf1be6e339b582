"""`Explanation`: why a span is or is not available, as values with a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bookcore.model.errors import brief, visible


class State(StrEnum):
    """The state of a part of a span in `Calendar.free_busy`. Compares equal to its name in lower case.

    Where several states apply, ``busy`` comes first, then ``held``, then ``closed``.
    """

    FREE = "free"
    """One unit can be booked."""
    BUSY = "busy"
    """Confirmed bookings, with their buffers, leave no unit."""
    HELD = "held"
    """Bookings leave no unit, but would if the holds ran out."""
    CLOSED = "closed"
    """There is a closure, or the opening hours are closed; bookings leave a unit."""


class CauseKind(StrEnum):
    """The kind of a cause. Compares equal to its name in lower case: ``cause.kind == "hold"``."""

    QUANTITY = "quantity"
    """More units are requested than the resource has, so that no span is ever available."""
    CLOSURE = "closure"
    HOURS = "hours"
    """Outside the opening hours."""
    BOOKING = "booking"
    HOLD = "hold"
    BUFFER = "buffer"
    """A booking or hold that does not overlap the span, but is too near to it."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a span is not available.

    ``what`` is the booking, the `Closure`, the opening hours, or for ``quantity`` the capacity. ``start`` and ``end`` are
    its span (None: unbounded), for ``hours`` the first closed stretch of the requested span.
    """

    kind: CauseKind
    what: Any
    start: Any
    end: Any
    text: str = field(compare=False)
    short: str = field(default="", compare=False, repr=False)
    """A shorter text, for the message of a `ConflictError`."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer of `Calendar.explain`. It is true when the span is available; its ``str`` is a text for people.

    Attributes: ``resource``, ``start``, ``end`` and ``quantity`` of the request; ``causes``: first ``quantity``, then
    closures, hours, and bookings with holds, each by start. There are no causes exactly when the span is available.

    >>> str(Explanation("room", 9, 12, 1))
    "'room' is available in [9, 12)"
    """

    resource: Any
    start: Any
    end: Any
    quantity: int
    causes: tuple[Cause, ...] = ()
    bounds: str = "[)"

    @property
    def available(self) -> bool:
        """Whether `book` would have accepted the span."""
        return not self.causes

    def __bool__(self) -> bool:
        return not self.causes

    def __str__(self) -> str:
        many = f"{brief(self.quantity)} of " if self.quantity != 1 else ""
        name = brief(getattr(self.resource, "id", self.resource))
        where = span_text(self.start, self.end, self.bounds)
        if not self.causes:
            return f"{many}{name} is available in {where}"
        return "\n  ".join([f"{many}{name} is not available in {where}:", *(cause.text for cause in self.causes)])


def span_text(start: Any, end: Any, bounds: str) -> str:
    """Return a span as a text for people, see `key_text`."""
    return f"{bounds[0]}{key_text(start)}, {key_text(end)}{bounds[1]}"


def key_text(key: Any) -> str:
    """Return a key or a length as a text for people: its ``str``, or "unbounded" for None."""
    return "unbounded" if key is None else visible(key)
