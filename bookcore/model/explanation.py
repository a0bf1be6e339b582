"""Why a span is, or is not, to be had: records that carry the facts and write their own sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bookcore.model.errors import brief

__all__ = ["Cause", "CauseKind", "Explanation", "State"]


class State(StrEnum):
    """What `Calendar.free_busy` says of a stretch of time. Compares equal to its name in lower case."""

    FREE = "free"
    """One unit can be booked."""
    BUSY = "busy"
    """No unit is left, by confirmed bookings and their turnaround."""
    HELD = "held"
    """No unit is left, but would be if holds ran out."""
    CLOSED = "closed"
    """A closure, or outside the opening hours, and not busy or held besides."""

class CauseKind(StrEnum):
    """What kind of thing is in the way. Compares equal to its name in lower case: ``cause.kind == "hold"``."""

    QUANTITY = "quantity"
    """More units are asked for than the resource has: no span is ever available."""
    CLOSURE = "closure"
    HOURS = "hours"
    """Outside the opening hours."""
    BOOKING = "booking"
    HOLD = "hold"
    TURNAROUND = "turnaround"
    """A booking or hold that leaves the span itself alone but is too near to it."""

@dataclass(frozen=True, slots=True)
class Cause:
    """One thing in the way.

    ``what`` is the booking, the `Closure`, the opening hours, or for ``quantity`` the capacity; ``start`` and
    ``end`` are its span (None: unbounded), for ``hours`` the first stretch of the span asked about that is not open.
    """

    kind: CauseKind
    what: Any
    start: Any
    end: Any
    text: str = field(compare=False)
    short: str = field(default="", compare=False, repr=False)
    """The same in a few words, for the sentence of a `ConflictError`."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `Calendar.explain` found; true when the span is available. ``str()`` of it can be read by people.

    Attributes: ``resource``, ``start``, ``end``, ``quantity`` as asked; ``causes``, everything in the way: first
    ``quantity``, then closures, hours, and bookings with holds, each by start. Empty precisely when available.

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
    """Return a span as people read it: keys by their ``str``, None as "any time"."""
    return f"{bounds[0]}{key_text(start)}, {key_text(end)}{bounds[1]}"


def key_text(key: Any) -> str:
    """Return a key, or a length, as people read it."""
    if key is None:
        return "unbounded"
    try:
        return str(key)
    except Exception:  # a hostile __str__ must not hide the answer
        return brief(key)
