"""NumPy's scalars among keys and lengths: numbers become Python's, times mix where no comparison would wrap around.

    int64(9), float32(0.5), bool_(True)     9, 0.5, True: NumPy rounds one side of `int64 < float` and `float64 < int`
    datetime64, timedelta64                 as they are; each has a grain

NumPy compares and adds two times in the finer one of their units, in 64 bits, and wraps around without a word: the day
2300-01-01 is taken for one in 1715 where it meets nanoseconds. The *grain* of a time tells which units can express it.
Two times may be compared just if each can be expressed in the finer one of their units.

NumPy is never imported here: where a value is NumPy's, it is loaded already.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

_DAY = 86400
_SECONDS = {"Y": 366 * _DAY, "M": 31 * _DAY, "W": 7 * _DAY, "D": _DAY, "h": 3600, "m": 60, "s": 1}
_UNITS = {unit: seconds * 10**18 for unit, seconds in _SECONDS.items()}
_UNITS |= {unit: 1000**power for power, unit in enumerate(("as", "fs", "ps", "ns", "us", "ms"))}
"""The units of NumPy's times, and the most attoseconds that one can last."""

_PLACES = {unit: place for place, unit in enumerate(sorted(_UNITS, key=lambda unit: -_UNITS[unit]))}
_TOO_LONG = sorted(unit * 2**63 for unit in _UNITS.values())
"""For each unit, finest first, the shortest time that 64 bits have no room for."""


class Grain(NamedTuple):
    """In which units a time of NumPy can be expressed: all from its own to the finest that has room for it, by their places.

    ``letter`` is ``M`` for an instant and ``m`` for a length. A time that its own unit has no room for in 64 bits, such as a
    large number of 25 s, has a ``finest`` that is coarser than ``unit``, and mixes with none.

    ``has_months``: the unit is as long as the calendar has it. ``is_coarse``: months are no whole number of such units.
    """

    letter: str
    unit: int
    finest: int
    has_months: bool
    is_coarse: bool

    def mixes(self, other: Grain) -> bool:
        """Tell whether two instants, or two lengths, can be compared. NumPy would round a month to weeks, or to 25 s."""
        rounded = (self.has_months and other.is_coarse) or (self.is_coarse and other.has_months)
        return self.letter == other.letter and not rounded and self.shares_unit(other)

    def is_finer_than_nanoseconds(self) -> bool:
        """Tell whether the unit is one that only NumPy has."""
        return self.unit > _PLACES["ns"]

    def shares_unit(self, other: Grain) -> bool:
        """Tell whether each of two times can be expressed in the finer of their units."""
        return max(self.unit, other.unit) <= min(self.finest, other.finest)


def _is_numpy(value: Any, name: str) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and issubclass(type(value), getattr(numpy, name))


def is_array(value: Any) -> bool:
    """Tell whether a value is an array of NumPy, whose elements may change."""
    return _is_numpy(value, "ndarray")


def python_number(value: Any) -> Any:
    """Return a number of NumPy as the equal number of Python; all else as it is.

    Raises: ValueError for NumPy's scalars that have no place on an axis: complex numbers, records, times without a unit,
    and numbers with more digits than a float has.

    >>> python_number(9), python_number("a")
    (9, 'a')
    """
    if not _is_numpy(value, "generic"):
        return value
    letter = value.dtype.kind
    if letter in "iu":
        return int(value)
    if letter == "b":
        return bool(value)
    if letter == "f":
        number = float(value)
        if type(value)(number) != value and value == value:
            raise ValueError("has more digits than a float can hold")
        return number
    if letter in "cV":
        raise ValueError(f"{type(value).__name__} values have no order from low to high")
    if letter in "mM" and value.dtype.str.endswith("8"):
        raise ValueError("has no unit")
    return value


def python_int(value: Any) -> int | None:
    """Return an int, or the equal one for an integer of NumPy or of a subclass of int; None for all else, and truth values.

    >>> python_int(9), python_int(True), python_int(9.0)
    (9, None, None)
    """
    if type(value) is int:
        return value
    if issubclass(type(value), int):
        return None if type(value) is bool else int.__index__(value)
    return int(value) if _is_numpy(value, "integer") and value.dtype.kind in "iu" else None


def unit_of(value: Any) -> str | None:
    """Return the unit of a `datetime64` or `timedelta64`, such as ``"D"``; None for several units at a time and all else.

    >>> unit_of(9) is None
    True
    """
    if not _is_numpy(value, "generic") or value.dtype.kind not in "mM":
        return None
    unit, multiple = sys.modules["numpy"].datetime_data(value.dtype)
    return str(unit) if multiple == 1 else None


def grain(value: Any) -> Grain | None:
    """Return the grain of a `datetime64` or `timedelta64`, None for all else.

    >>> grain(9) is None
    True
    """
    if not _is_numpy(value, "generic") or value.dtype.kind not in "mM":
        return None
    unit, multiple = sys.modules["numpy"].datetime_data(value.dtype)
    if unit not in _UNITS:
        return None
    lasts = abs(int(value.view("i8"))) * multiple * _UNITS[unit]
    finest = len(_UNITS) - 1 - bisect_right(_TOO_LONG, lasts)
    has_months = unit in "YM"
    return Grain(value.dtype.kind, _PLACES[unit], finest, has_months, not has_months and (multiple > 1 or unit == "W"))


def numpy_time(value: Any) -> Any:
    """Return a date, datetime or timedelta that NumPy made of a time of its own as such a time again; all else as it is.

    NumPy adds a length of Python to a day as Python does, and a date cannot be compared with hours. NumPy is loaded.
    """
    numpy: Any = sys.modules["numpy"]
    if type(value) in (date, datetime):
        return numpy.datetime64(value)
    return numpy.timedelta64(value) if type(value) is timedelta else value
