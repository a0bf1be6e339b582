"""Every family of keys the contract names, as a map from whole numbers to keys.

    rank      0       1       2       3      ...   a test reasons about these
    date      1 Jan   2 Jan   3 Jan   4 Jan  ...   the calendar sees these

A family is strictly rising in its rank, and may spell one point in several ways: 3, 3.0 and Fraction(3); noon in Paris
and noon UTC. Where keys can be added to, ``key(i) + length(n)`` is the point ``key(i + n)``. So an oracle can work in
whole numbers, whatever keys the calendar gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar
from zoneinfo import ZoneInfo


class OnlyLess:
    """A key with ``<`` among its own type alone: no hash, no other comparison, an error for any other type.

    ``inside``, if it is set, is called by each ``<``, so that a test can have it fail or call a calendar.
    """

    __slots__ = ("rank",)
    inside: ClassVar[Callable[[], Any] | None] = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: object) -> bool:
        if type(other) is not OnlyLess:
            raise RuntimeError(f"a key was compared with {other!r}")
        if OnlyLess.inside is not None:
            OnlyLess.inside()
        return self.rank < other.rank

    def __repr__(self) -> str:
        return f"OnlyLess({self.rank})"


@dataclass(frozen=True)
class Family:
    """One family of keys.

    ``forms`` are the ways to spell the key of a rank, each strictly rising, all equal in order. ``length(n)`` is what
    is added to a key to move it by n ranks, None where keys cannot be added to. ``between`` tells whether there are
    keys between those of two ranks; it is None where the distance to the next key is not fixed. ``days`` tells whether keys
    are whole days; with closed bounds a length counts days.
    """

    name: str
    forms: tuple[Callable[[int], Any], ...]
    length: Callable[[int], Any] | None = None
    between: bool | None = None
    days: bool = False
    _points: dict[int, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def _point(self, rank: int) -> Any:
        """Return the key of a rank, to be compared with others: one object, however often it is asked for."""
        point = self._points.get(rank)
        if point is None:
            point = self._points[rank] = _instant(self.key(rank))
        return point

    def key(self, rank: int | None, form: int = 0) -> Any:
        """Return the key of a rank in one of its spellings; None stays None. O(1).

        Raises: OverflowError, or what else the type does, for a rank beyond its keys.

        >>> family("numbers").key(3), family("numbers").key(3, form=1), family("date").key(3)
        (3, 3.0, datetime.date(2026, 1, 4))
        """
        return None if rank is None else self.forms[form % len(self.forms)](rank)

    def rank(self, key: Any, low: int = -200, high: int = 400) -> int | None:
        """Return the rank of a key, by comparing with ``<`` only; None stays None. O(log(high - low)).

        Raises: LookupError when no rank between *low* and *high* has this key.

        >>> family("date").rank(date(2026, 1, 4))
        3
        """
        if key is None:
            return None
        key = _instant(key)
        while low < high:
            middle = (low + high) // 2
            if self._point(middle) < key:
                low = middle + 1
            else:
                high = middle
        point = self._point(low)
        if key < point or point < key:
            raise LookupError(f"{key!r} is no key of {self.name}")
        return low

    def place(self, key: Any) -> int | None:
        """Return twice the rank of a key, one more for a key between that of a rank and the next; None stays None. O(1).

        Only for keys of ranks from -3,000 to 3,000.

        >>> family("float").place(3.0), family("float").place(3.5)
        (6, 7)
        """
        if key is None:
            return None
        low, high = -3000, 3000
        key = _instant(key)
        while low < high:
            middle = (low + high + 1) // 2
            if key < self._point(middle):
                high = middle - 1
            else:
                low = middle
        return 2 * low + bool(self._point(low) < key)

    def __str__(self) -> str:
        return self.name


def _instant(key: Any) -> Any:
    """Return an aware datetime in UTC: within one zone Python compares wall clocks and ignores ``fold``."""
    return key.astimezone(UTC) if isinstance(key, datetime) and key.tzinfo is not None else key


def _naive(rank: int) -> datetime:
    return datetime(2026, 3, 1) + rank * timedelta(minutes=15)


# 25 October 2026, 01:00 UTC: clocks in Berlin go back an hour. Rank 4 is 02:00 for the second time.
_START = datetime(2026, 10, 25, tzinfo=UTC)
_STEP = timedelta(minutes=15)


def _in_zone(zone: Any) -> Callable[[int], datetime]:
    return lambda rank: (_START + rank * _STEP).astimezone(zone)


def _zones() -> tuple[Any, ...]:
    fixed = timezone(timedelta(hours=5, minutes=30))
    try:
        named = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")]
    except LookupError:  # no database of zones on this machine
        named = []
    return (UTC, *named, fixed)


def _plain() -> list[Family]:
    return [
        Family("int", (int,), int, False),
        Family("float", (float,), float),
        Family("fraction", (lambda r: Fraction(r, 3),), lambda n: Fraction(n, 3)),
        Family("decimal", (lambda r: Decimal(r) / 4,), lambda n: Decimal(n) / 4),
        Family("numbers", (int, float, Fraction), int),
        Family("str", (lambda r: f"{r + 5000:05}",)),
        Family("date", (lambda r: date(2026, 1, 1) + timedelta(r),), timedelta, False, days=True),
        Family("naive", (_naive,), lambda n: n * _STEP, True),
        Family("aware", tuple(_in_zone(zone) for zone in _zones()), lambda n: n * _STEP, True),
        Family("timedelta", (lambda r: timedelta(hours=r),), lambda n: timedelta(hours=n), True),
        Family("tuple", (lambda r: (r // 3, "abc"[r % 3]),)),
        Family("nested", (lambda r: (2026, (r // 5, float(r % 5))),)),
        Family("own", (OnlyLess,)),
    ]


def _numpy() -> list[Family]:
    import numpy as np

    hour, day = np.timedelta64(1, "h"), np.timedelta64(1, "D")
    return [
        Family("np.int64", (np.int64,), np.int64, False),
        Family("np.float64", (np.float64, float, int), np.float64),
        Family("np.datetime64", (lambda r: np.datetime64("2026-03-01T00", "h") + r * hour,), lambda n: n * hour, False),
        Family("np.datetime64[D]", (lambda r: np.datetime64("2026-03-01") + r * day,), lambda n: n * day, False, days=True),
    ]


def _pandas() -> list[Family]:
    import pandas as pd

    def aware(zone: Any) -> Callable[[int], Any]:
        in_zone = _in_zone(zone)
        return lambda rank: pd.Timestamp(in_zone(rank))

    return [
        Family("pd.Timestamp", (lambda r: pd.Timestamp(_naive(r)), _naive), lambda n: n * _STEP, True),
        Family("pd.Timestamp+zone", tuple(aware(zone) for zone in _zones()), lambda n: n * _STEP, True),
        Family("pd.Timedelta", (lambda r: pd.Timedelta(hours=r),), lambda n: pd.Timedelta(hours=n), True),
    ]


def families(*, lengths: bool | None = None) -> list[Family]:
    """Return every family there is on this machine; with *lengths*, only those whose keys take lengths (True), or do not.

    NumPy's and pandas' are among them where these are installed.

    >>> [str(family) for family in families(lengths=False)]
    ['str', 'tuple', 'nested', 'own']
    """
    return [one for one in _all() if lengths is None or (one.length is not None) == lengths]


@cache
def _all() -> tuple[Family, ...]:
    found = _plain()
    if find_spec("numpy") is not None:
        found += _numpy()
    if find_spec("pandas") is not None:
        found += _pandas()
    return tuple(found)


def family(name: str) -> Family:
    """Return one family by name. Raises: LookupError.

    >>> family("str").key(7)
    '05007'
    """
    for one in families():
        if one.name == name:
            return one
    raise LookupError(f"no family {name!r}; there are {', '.join(map(str, families()))}")
