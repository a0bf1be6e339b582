"""Sums and differences of keys and lengths that raise OverflowError when the type cannot hold the result.

Python's own numbers grow, and its dates raise OverflowError. NumPy's have a fixed width and wrap around:
``int8(100) + int8(100)`` is -56, a "later" key that is less than the earlier one; its instants may become NaT, and are
added in a unit that may have no room for them. pandas raises errors of its own. The functions here raise OverflowError for
all of them, and nothing warns.

    own types      int, float, datetime ...     the plain sum: two looks at types and no more
    NumPy numbers  int8, float32 ...            the sum of the equal numbers of Python
    other types    NumPy times, pandas, own     the sum, if it is on the right side of the key; of a datetime and a length
                                                in nanoseconds a `Timestamp` of pandas; of a NumPy time and a length of
                                                Python a NumPy time, where NumPy makes a date or a datetime
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

from bookcore.model.errors import attempt
from bookcore.model.numpy_scalars import grain, numpy_time, python_number
from bookcore.model.pandas_scalars import in_nanoseconds, python_time

OWN = frozenset({int, float, date, datetime, timedelta, Decimal, Fraction})
"""Types that never wrap around. Callers on hot paths add two values of such types themselves."""


def plus(key: Any, length: Any) -> Any:
    """Return ``key + length``. Raises: OverflowError when the type has no such key; what ``+`` of the types raises.

    >>> plus(5, 2)
    7
    """
    return key + length if type(key) in OWN and type(length) in OWN else _moved(add, key, length)


def minus(key: Any, length: Any) -> Any:
    """Return ``key - length``, a key. Raises: as `plus`.

    >>> minus(7, 2)
    5
    """
    return key - length if type(key) in OWN and type(length) in OWN else _moved(sub, key, length)


def difference(later: Any, earlier: Any) -> Any:
    """Return ``later - earlier``, a length, of two keys in order. Raises: as `plus`.

    >>> difference(7, 5)
    2
    """
    if type(later) in OWN and type(earlier) in OWN:
        return later - earlier
    later, earlier = python_number(later), python_number(earlier)
    with _quiet(later, earlier):
        length = _tried(sub, later, earlier)
        beyond = _is_negative(length) or bool(length != length)
    if beyond:
        raise OverflowError(f"the difference is beyond what {type(length).__name__} can hold")
    return length


def doubled(length: Any) -> Any:
    """Return twice a length, or None if its type cannot hold that. Of None, which is no length, return None.

    >>> doubled(3), doubled(None), doubled(timedelta.max)
    (6, None, None)
    """
    try:
        return None if length is None else plus(length, length)
    except OverflowError:
        return None


def _moved(operation: Callable[[Any, Any], Any], key: Any, length: Any) -> Any:
    """Return the key that `add` or `sub` makes of a key and a length; raise OverflowError if it wrapped around."""
    key, length = python_number(key), python_number(length)
    if type(key) is datetime:
        key = in_nanoseconds(key, length)
    key_grain, length_grain = grain(key), grain(length)
    if key_grain is not None and length_grain is not None and not key_grain.shares_unit(length_grain):
        raise OverflowError("the unit of the sum has no room for one of the two")
    with _quiet(key, length):
        moved = _tried(operation, key, length)
        beyond = _is_beyond(*((key, moved) if operation is add else (moved, key)), length)
    if beyond:
        raise OverflowError(f"the key is beyond what {type(moved).__name__} can hold")
    moved = python_time(moved)
    return moved if key_grain is None else numpy_time(moved)


def _is_beyond(low: Any, high: Any, length: Any) -> bool:
    """Tell whether arithmetic wrapped around. One key was made of the other and the length so that ``low <= high``."""
    if high < low:
        return _is_negative(length) is False  # a negative length is another mistake, which callers find
    return bool(low < high and _is_negative(length)) or bool(low != low or high != high)


def _is_negative(length: Any) -> bool | None:
    """Tell whether a length is less than zero; None if it cannot be compared, as a length in months cannot."""
    return attempt(lambda: bool(length < length - length), None)


def _tried(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Return what an operation gives, and raise OverflowError in place of the errors with which pandas means it."""
    try:
        return operation(left, right)
    except Exception as exc:
        if type(exc).__name__.startswith("OutOfBounds"):
            raise OverflowError(str(exc)) from exc
        raise


def _quiet(left: Any, right: Any) -> AbstractContextManager[Any]:
    """Keep NumPy from warning of overflows, which are found here. If a value is NumPy's, NumPy is loaded already."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not (hasattr(type(left), "dtype") or hasattr(type(right), "dtype")):
        return nullcontext()
    quiet: AbstractContextManager[Any] = numpy.errstate(over="ignore", invalid="ignore")
    return quiet
