"""Sums and differences of keys and lengths that say when they are beyond what their type can hold.

Python's own numbers grow and its dates raise OverflowError. NumPy's keys have a fixed width and wrap around instead, the
numbers among them with a warning: ``int8(100) + int8(100)`` is -56, a "later" key that lies before the earlier one; its
instants may come out as NaT. pandas has errors of its own. Here all of them raise OverflowError, and nothing warns.

    own      int, float, datetime ...     the sum as it is: one look at the types, and no more
    others   NumPy, pandas, the user's    the sum if it lies on the right side of the key
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from operator import add, sub
from typing import Any

__all__ = ["OWN", "difference", "doubled", "minus", "plus"]

OWN = frozenset({int, float, date, datetime, timedelta, Decimal, Fraction})
"""Types that never wrap around. Where every call counts, two of them are added on the spot."""


def plus(key: Any, length: Any) -> Any:
    """Return ``key + length``. Raises: OverflowError when there is no such key; whatever the types raise.

    >>> plus(5, 2)
    7
    """
    return key + length if type(key) in OWN and type(length) in OWN else _moved(add, key, length)


def minus(key: Any, length: Any) -> Any:
    """Return ``key - length``, a key. Raises: as `plus`."""
    return key - length if type(key) in OWN and type(length) in OWN else _moved(sub, key, length)


def difference(later: Any, earlier: Any) -> Any:
    """Return ``later - earlier``, a length, of two keys in order. Raises: as `plus`.

    >>> difference(7, 5)
    2
    """
    if type(later) in OWN and type(earlier) in OWN:
        return later - earlier
    with _quiet(later, earlier):
        length = _tried(sub, later, earlier)
        beyond = _is_negative(length) or bool(length != length)
    if beyond:
        raise OverflowError(f"the difference is beyond what {type(length).__name__} can hold")
    return length


def doubled(length: Any) -> Any:
    """Return twice a length, or None, which is none, where that is beyond what its type can hold; None stays None."""
    try:
        return None if length is None else plus(length, length)
    except OverflowError:
        return None


def _moved(operation: Callable[[Any, Any], Any], key: Any, length: Any) -> Any:
    with _quiet(key, length):
        moved = _tried(operation, key, length)
        beyond = _is_beyond(*((key, moved) if operation is add else (moved, key)), length)
    if beyond:
        raise OverflowError(f"the key is beyond what {type(moved).__name__} can hold")
    return moved


def _is_beyond(low: Any, high: Any, length: Any) -> bool:
    """Tell whether two keys, one made from the other and a length, show that it wrapped around on the way."""
    if high < low:
        return _is_negative(length) is False  # a negative length is another mistake, and not made here
    return bool(low < high and _is_negative(length)) or bool(low != low or high != high)


def _is_negative(length: Any) -> bool | None:
    """Tell whether a length is less than none, or None where it cannot say so, as a month cannot."""
    try:
        return bool(length < length - length)
    except Exception:
        return None


def _tried(operation: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    try:
        return operation(one, other)
    except Exception as exc:
        if type(exc).__name__.startswith("OutOfBounds"):  # pandas' own way to say OverflowError
            raise OverflowError(str(exc)) from exc
        raise


def _quiet(one: Any, other: Any) -> AbstractContextManager[Any]:
    """Keep NumPy from warning of what is found out here anyway. It is loaded, if one of the two is of it."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not (hasattr(type(one), "dtype") or hasattr(type(other), "dtype")):
        return nullcontext()
    quiet: AbstractContextManager[Any] = numpy.errstate(over="ignore", invalid="ignore")
    return quiet
