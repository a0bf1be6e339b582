"""Arithmetic on keys, in the few places where a call takes a length. Nowhere else does bookcore add to a key."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from math import inf, nextafter
from numbers import Number
from typing import Any

from bookcore.model.arithmetic import OWN, minus, plus
from bookcore.model.errors import KeyTypeError, brief, brief_key
from bookcore.model.keys import normal
from bookcore.model.typecheck import is_a

__all__ = [
    "ahead", "back", "clear_after", "clear_before", "exactly_back", "is_movable", "is_too_far", "later", "reach", "sooner",
    "wrong_with",
]  # fmt: skip


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
        moved = low + length if type(low) in OWN and type(length) in OWN else plus(low, length)
        backwards = bool(moved < low)  # in here: an array has no truth value, nor has the NA of pandas
        whole = _is_whole(low, moved, length)
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be moved by {brief_key(length)} ({type(exc).__name__})") from exc
    if backwards:
        raise KeyTypeError(key, f"{brief_key(length)} is a negative length")
    if not whole:
        raise _lost(key, length)
    return moved


def sooner(key: Any, length: Any) -> Any:
    """Return ``key - length``, as `later` does."""
    if key is None or length is None:
        return key
    high = normal(key)
    try:
        moved = high - length if type(high) in OWN and type(length) in OWN else minus(high, length)
        forwards = bool(high < moved)
        whole = _is_whole(moved, high, length)
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be moved by {brief_key(length)} ({type(exc).__name__})") from exc
    if forwards:
        raise KeyTypeError(key, f"{brief_key(length)} is a negative length")
    if not whole:
        raise _lost(key, length)
    return moved


def wrong_with(length: Any) -> str:
    """Say why no key at all can be moved by a length: it is negative, no number, or nothing that can be added; or nothing.

    Whether a certain key can be, `later` finds out.

    >>> wrong_with(2), wrong_with(-2), wrong_with("2")
    ('', 'which is negative', 'which is no length')
    """
    if is_a(length, _NO_LENGTHS) or not _has_addition(type(length)):
        return "which is no length"
    try:
        if length != length:
            return "which is no number"
        nothing = length - length
        if nothing != nothing:
            return "which is without end"
        return "which is negative" if length < nothing else ""
    except ArithmeticError:  # a signalling NaN
        return "which is no number"
    except Exception:  # one that cannot be compared, as a month cannot
        return ""


_NO_LENGTHS = (str, bytes, bytearray, list, tuple, bool)
"""What can be added to its like, and is no length."""


def _has_addition(cls: type) -> bool:
    try:
        return hasattr(cls, "__add__") or hasattr(cls, "__radd__")
    except Exception:  # the code of the type of the type
        return False


def is_movable(key: Any, length: Any) -> bool:
    """Tell whether a key can be moved by a length, as far as there are keys."""
    for move in (later, sooner):
        try:
            move(key, length)
        except KeyTypeError as exc:
            if not is_too_far(exc):
                return False
    return True


def _is_whole(low: Any, high: Any, length: Any) -> bool:
    """Tell whether two keys, one made from the other and a length, are as far apart as the length says.

    Arithmetic drops what the type of the result cannot hold: the hours of a length added to a date, the nanoseconds
    of one added to a `datetime`, the digits past a decimal context. Then turnaround would not keep the same neighbours
    apart from both sides. A float rounds by nature; of it only what is lost entirely is noticed.
    """
    if is_a(length, (timedelta, Decimal)) or is_a(low, Decimal) or type(low) is date:
        return bool(high - low == length)
    return not is_a(length, (Number,)) or bool(low < high) or not length


def _lost(key: Any, length: Any) -> KeyTypeError:
    if is_a(key, date) and not is_a(key, datetime):
        return KeyTypeError(key, f"is a date: it cannot be moved by {brief_key(length)}, only by whole days")
    return KeyTypeError(key, f"cannot be moved by {brief_key(length)}: part of that length would be lost")


def is_too_far(exc: KeyTypeError) -> bool:
    """Tell whether a key could not be moved so far only because there are no keys there."""
    return isinstance(exc.__cause__, OverflowError)


def back(key: Any, length: Any) -> Any:
    """Return ``key - length``, or None, which is no bound, where there are no keys so far out. Raises: as `sooner`."""
    try:
        return sooner(key, length)
    except KeyTypeError as exc:
        if is_too_far(exc):
            return None
        raise


def exactly_back(key: Any, length: Any) -> Any:
    """Return ``key - length``, or None where there is no such key: none so far out, or none that would keep the length.

    Of floats ``-inf - 6.0`` is no key six earlier, nor is ``-1e300 - 6.0``. Raises: `KeyTypeError` when *key* cannot be
    subtracted from.
    """
    try:
        return sooner(key, length)
    except KeyTypeError as exc:
        if is_too_far(exc) or exc.__cause__ is None:  # only where the subtraction itself failed is there another cause
            return None
        raise


def ahead(key: Any, length: Any) -> Any:
    """Return ``key + length``, or None, which is no bound, where there are no keys so far out. Raises: as `later`."""
    try:
        return later(key, length)
    except KeyTypeError as exc:
        if is_too_far(exc):
            return None
        raise


def clear_after(key: Any, before: Any, closed: bool) -> Any:
    """Return up to where what is in use until a key blocks those that keep *before* clear; None: for ever.

    It is ``key + before``, save that a float rounds: 8.0 + 0.2 is 8.2, and 8.2 - 0.2 is less than 8.0, so that a booking at
    8.2 would come too near. *closed*: the key is in use itself, and the one returned is blocked.
    """
    found = ahead(key, before)
    if not is_a(found, float) or before is None:
        return found
    bound = nextafter(key, inf) if closed else key
    while (short := bound - sooner(found, before)) > 0:
        found = max(nextafter(found, inf), found + short)
    return nextafter(found, -inf) if closed else found


def clear_before(key: Any, after: Any, closed: bool) -> Any:
    """Return from where on what is in use from a key blocks those that keep *after* clear; see `clear_after`."""
    found = back(key, after)
    if not is_a(found, float) or after is None:
        return found
    bound = nextafter(key, -inf) if closed else key
    while (over := later(found, after) - bound) > 0:
        found = min(nextafter(found, -inf), found - over)
    return nextafter(found, inf) if closed else found


def reach(record: Any, start: Any, end: Any) -> tuple[Any, Any]:
    """Return what a booking of *record* over the span keeps occupied: the span and its turnaround.

    None, no bound, where that goes beyond all keys. Raises: `KeyTypeError`, which names the resource.
    """
    try:
        return back(start, record.before), ahead(end, record.after)
    except KeyTypeError as exc:
        raise KeyTypeError(exc.key, f"{exc.reason}, the turnaround of resource {brief(record.id)}") from exc.__cause__
