"""pandas' times among keys and lengths: Python's where nothing is lost, as they are where they count nanoseconds.

    Timestamp("2026-05-04 09:00")               datetime(2026, 5, 4, 9)
    Timedelta(hours=2)                          timedelta(hours=2)
    Timestamp("2026-05-04 09:00:00.000000001")  as it is; it compares with datetimes exactly
    Timestamp of the year 20000                 as it is: beyond the years of datetime

They are subclasses of Python's, but one comparison of them takes as long as eight of Python's, and a key is compared all
its life; and keys of two types keep a calendar from its fast paths. pandas is never imported here: where a value is
pandas', it is loaded already.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

_date, _time, _combine = datetime.date, datetime.timetz, datetime.combine


def _is_pandas(value: Any, name: str) -> bool:
    pandas: Any = sys.modules.get("pandas")
    return pandas is not None and type(value) is getattr(pandas, name, None)  # None while pandas is being imported


def is_timestamp(value: Any) -> bool:
    """Tell whether a value is a `Timestamp` of pandas, and of no subclass."""
    return type(value) is not datetime and _is_pandas(value, "Timestamp")


def in_nanoseconds(key: datetime, length: Any) -> Any:
    """Return a datetime as a `Timestamp`, if a length is to be added to it that only a `Timestamp` can take; else as it is.

    A `Timestamp` without nanoseconds is held as a datetime, and is still to be moved by nanoseconds.
    """
    pandas: Any = sys.modules.get("pandas")
    if pandas is None or type(length) is timedelta:
        return key
    if _is_pandas(length, "Timedelta"):
        return pandas.Timestamp(key) if length.nanoseconds else key
    return pandas.Timestamp(key) if getattr(getattr(length, "dtype", None), "kind", "") == "m" else key


def nanoseconds(length: Any) -> int:
    """Return the nanoseconds of a `Timedelta` after its last whole microsecond; 0 for all else.

    >>> nanoseconds(timedelta(hours=2))
    0
    """
    return int(length.nanoseconds) if type(length) is not timedelta and _is_pandas(length, "Timedelta") else 0


def python_time(value: Any) -> Any:
    """Return a `Timestamp` as the equal `datetime`, a `Timedelta` as the equal `timedelta`, if there is one; else *value*.

    >>> python_time(9), python_time(timedelta(hours=2))
    (9, datetime.timedelta(seconds=7200))
    """
    try:
        if _is_pandas(value, "Timestamp"):
            # what it inherits from datetime, read past its own code: a fifth of the time that `to_pydatetime` takes. Of a
            # year that datetime does not have it inherits another one.
            day = _date(value)
            return value if value.nanosecond or day.year != value.year else _combine(day, _time(value))
        if _is_pandas(value, "Timedelta"):
            return value if value.nanoseconds else value.to_pytimedelta()
    except (ValueError, OverflowError):  # beyond the years of datetime, or the days of timedelta
        pass
    return value
