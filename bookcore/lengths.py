"""Arithmetic on keys, in the few places where a call takes a length. Nowhere else does bookcore add to a key."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from numbers import Number
from typing import Any

from bookcore.errors import KeyTypeError, brief
from bookcore.keys import normal

__all__ = ["is_movable", "later", "reach", "sooner", "wrong_with"]


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


def wrong_with(length: Any) -> str:
    """Say why no key at all can be moved by a length: it is negative, no number, or nothing that can be added; or nothing.

    Whether a certain key can be, `later` finds out.

    >>> wrong_with(2), wrong_with(-2), wrong_with("2")
    ('', 'which is negative', 'which is no length')
    """
    if isinstance(length, str | bytes | bytearray | list | tuple | bool) or not (
        hasattr(type(length), "__add__") or hasattr(type(length), "__radd__")
    ):
        return "which is no length"
    try:
        if length != length:
            return "which is no number"
        return "which is negative" if length < length - length else ""
    except ArithmeticError:  # a signalling NaN
        return "which is no number"
    except Exception:  # one that cannot be compared, as a month cannot
        return ""


def is_movable(key: Any, length: Any) -> bool:
    """Tell whether a key can be moved by a length, in the one direction or the other: it may lie at the end of time."""
    for move in (later, sooner):
        try:
            move(key, length)
        except KeyTypeError:
            continue
        return True
    return False


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
    """Return what a booking of *entry* over the span keeps occupied: the span and its turnaround.

    Raises: `KeyTypeError`, which names the resource.
    """
    try:
        return sooner(start, entry.before), later(end, entry.after)
    except KeyTypeError as exc:
        raise KeyTypeError(exc.key, f"{exc.reason}, the turnaround of resource {brief(entry.id)}") from exc.__cause__
