"""Arithmetic on keys, in the few places where a call takes a length. Nowhere else does bookcore add to a key."""

from __future__ import annotations

from typing import Any

from bookcore.errors import KeyTypeError, brief
from bookcore.keys import normal

__all__ = ["later", "reach", "sooner"]


def later(key: Any, length: Any) -> Any:
    """Return ``key + length`` as the index holds it; None (unbounded, or no length) leaves *key* as it is.

    Raises: `KeyTypeError` when the key cannot be added to, or the length is negative.

    >>> later(5, 2)
    7
    """
    if key is None or length is None:
        return key
    try:
        moved = normal(key) + length
        backwards = moved < normal(key)
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be moved by {brief(length)} ({type(exc).__name__})") from exc
    if backwards:
        raise KeyTypeError(key, f"{brief(length)} is a negative length")
    return moved


def sooner(key: Any, length: Any) -> Any:
    """Return ``key - length``, as `later` does."""
    if key is None or length is None:
        return key
    try:
        moved = normal(key) - length
        forwards = normal(key) < moved
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be moved by {brief(length)} ({type(exc).__name__})") from exc
    if forwards:
        raise KeyTypeError(key, f"{brief(length)} is a negative length")
    return moved


def reach(entry: Any, start: Any, end: Any) -> tuple[Any, Any]:
    """Return what a booking of *entry* over the span keeps occupied: the span and its turnaround."""
    return sooner(start, entry.before), later(end, entry.after)
