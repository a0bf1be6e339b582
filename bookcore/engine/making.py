"""Events that are about to be booked: made of what a caller asks for, or handed in by the caller and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bookcore.model.errors import FieldError, QueryError, brief, brief_key
from bookcore.model.event import BookingEvent
from bookcore.model.keys import normal
from bookcore.model.typecheck import is_a

__all__ = ["check_event", "make_event", "plain_event"]

_MISSING: Any = object()
_new = BookingEvent.__new__


def plain_event(resource: Any, start: Any, end: Any, quantity: int) -> BookingEvent:
    """Return an unbooked event without fields: ``BookingEvent(...)``, at two thirds of its cost. O(1)."""
    event = _new(BookingEvent)
    event._start = start
    event._end = end
    event._quantity = quantity
    event._resource = resource
    event._fields = event._seq = event._id = event._lock = event._home = None
    return event


def make_event(
    cls: type[BookingEvent], resource: Any, start: Any, end: Any, quantity: Any, fields: Mapping[str, Any]
) -> BookingEvent:
    """Return an unbooked event of a class. What its class does not take, or changes, is a `FieldError`."""
    try:
        event = cls(resource, start, end, quantity=quantity, **fields)
    except FieldError:
        raise
    except Exception as exc:
        raise FieldError(cls, fields, f"{type(exc).__name__}: {exc}") from exc
    if cls is BookingEvent:  # which keeps what it is given
        return event
    if not is_a(event, cls):
        raise FieldError(cls, fields, f"its __new__ makes {brief(event)}")
    _complete(event)
    if event._seq is not None:
        raise FieldError(cls, fields, f"its __new__ returns {brief(event)}, which has been booked")
    # what has been checked, and is locked, is what was asked for: an event that says otherwise would lie
    for name, given in (("start", start), ("end", end), ("quantity", quantity)):
        if not _is_still(getattr(event, f"_{name}", _MISSING), given):
            has = getattr(event, name, "nothing")
            raise FieldError(cls, [name], f"asked for {name} {brief_key(given)}, its class makes it {brief_key(has)}")
    return event


def check_event(event: Any) -> None:
    """Raise `QueryError` unless an object handed in is a whole event."""
    if not issubclass(type(event), BookingEvent):  # not isinstance: an object may say what it is not
        raise QueryError(event, "is no BookingEvent")
    _complete(event)
    for slot in ("_start", "_end", "_resource", "_quantity", "_id"):
        try:
            getattr(event, slot)
        except AttributeError as exc:
            raise QueryError(event, f"lacks a field ({exc})") from None


def _complete(event: BookingEvent) -> None:
    """Set what an event made by a dataclass's own ``__init__`` lacks: that knows nothing of these slots."""
    if not hasattr(event, "_seq"):
        event._seq = event._lock = event._home = event._fields = None


def _is_still(has: Any, given: Any) -> bool:
    """Tell whether an event has what it was given: the same, or its equal of the same type, as in another time zone."""
    if has is given:
        return True
    try:
        return type(has) is type(given) and bool(normal(has) == normal(given))
    except Exception:  # the user's own code
        return False
