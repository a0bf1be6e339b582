"""How many seconds a call waits at most: numbers that every way of waiting takes."""

from __future__ import annotations

from math import inf
from typing import Final

from bookcore.model.errors import QueryError
from bookcore.model.numpy_scalars import python_int, python_number
from bookcore.model.typecheck import is_a

LONGEST: Final = 2_000_000.0
"""23 days. SQLite counts 2**31 milliseconds, a lock of Windows 2**32; larger numbers of seconds mean this one."""


def check_timeout(timeout: object, *, is_lasting: bool = False) -> float:
    """Return a number of seconds, at most `LONGEST`: an int, a float, or one of NumPy, from 0 up to infinity.

    *is_lasting*: it is for all that a calendar waits for, so that neither 0 nor infinity was meant.

    >>> check_timeout(2), check_timeout(10**400), check_timeout(inf)
    (2.0, 2000000.0, 2000000.0)

    Raises: `QueryError` for all else.
    """
    try:
        number = python_number(timeout)
    except ValueError:  # more digits than a float has
        number = None
    whole: float | None = python_int(number)
    if whole is None and is_a(number, float):
        whole = float.__add__(0.0, number)  # calls no method of a subclass
    if whole is None or not (0 < whole < inf if is_lasting else whole >= 0):
        raise QueryError(timeout, f"timeout is a number of seconds, {'above 0 and finite' if is_lasting else 'from 0'}")
    return float(min(whole, LONGEST))
