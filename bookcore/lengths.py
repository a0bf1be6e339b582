"""Arithmetic on keys, in the few places where a call takes a length. Nowhere else does bookcore add to a key."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from numbers import Number
from typing import Any

from bookcore.errors import KeyTypeError, brief
from bookcore.keys import normal

__all__ = ["later", "reach", "sooner"]


def later(key: Any, length: Any) -> Any:
    """Return ``key + length`` as the index holds it; None (unbounded, or no length) leaves *key* as it is.

    Raises: `KeyTypeError` when the key cannot be added to, the length is negative, or part of it would be lost: a date and
    five hours is the same date.

    >>> later(5, 2)
    7
    """
    if key is None or length is None:
        return key
    low = normal(key)
    try:
        moved = low + length
        backwards = moved < low
        whole = _is_whole(low, moved, length)
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be moved by {brief(length)} ({type(exc).__name__})") from exc
    if backwards:
        raise KeyTypeError(key, f"{brief(length)} is a negative length")
    if not whole:
        raise _lost(key, length)
    return moved


def sooner(key: Any, length: Any) -> Any:
    """Return ``key - length``, as `later` does."""
    if key is None or length is None:
        return key
    high = normal(key)
    try:
        moved = high - length
        forwards = high < moved
        whole = _is_whole(moved, high, length)
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be moved by {brief(length)} ({type(exc).__name__})") from exc
    if forwards:
        raise KeyTypeError(key, f"{brief(length)} is a negative length")
    if not whole:
        raise _lost(key, length)
    return moved


def _is_whole(low: Any, high: Any, length: Any) -> bool:
    """Tell whether two keys, one made from the other and a length, are as far apart as the length says.

    Arithmetic drops what the type of the result cannot hold: the hours of a length added to a date, the nanoseconds
    of one added to a `datetime`, the digits past a decimal context. Then turnaround would not keep the same neighbours
    apart from both sides. A float rounds by nature; of it only what is lost entirely is noticed.
    """
    if isinstance(length, timedelta | Decimal) or isinstance(low, Decimal) or type(low) is date:
        return bool(high - low == length)
    return not isinstance(length, Number) or bool(low < high) or not length


def _lost(key: Any, length: Any) -> KeyTypeError:
    if isinstance(key, date) and not isinstance(key, datetime):
        return KeyTypeError(key, f"is a date: it cannot be moved by {brief(length)}, only by whole days")
    return KeyTypeError(key, f"cannot be moved by {brief(length)}: part of that length would be lost")


def reach(entry: Any, start: Any, end: Any) -> tuple[Any, Any]:
    """Return what a booking of *entry* over the span keeps occupied: the span and its turnaround."""
    return sooner(start, entry.before), later(end, entry.after)
