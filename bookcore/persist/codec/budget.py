"""How much a file may describe for its size: one budget of values, which every column of the file is charged to.

A value with bytes of its own in the file is free: the size of the file limits how many there are. What costs is that of
which a few bytes can describe much:

    a container (tuple, list, dict, set) or an instance of a registered class     1
    a list, dict or set that several rows of a table share, for each row          the values in it: readers copy it
    another value that several rows share, for each row                           a 16th of that: readers compare it
    n values of one hash in one set or dict                                       n * n / 32: all of them are compared
    a bitmap over rows, as the calendar makes for a label                         1 for each 512 bytes up to its last row

`columns` charges the first three for every column, so that the readers of columns need not. A value is about
250 bytes of memory, or a microsecond.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from itertools import compress
from operator import eq, not_
from sys import getsizeof
from typing import Any

from bookcore.persist.codec.blob import Unreadable

_FREE = 1 << 16
_SHARE = 4  # comparing takes a 16th of the time of copying
_BYTES = 6  # 64 bytes of one value count as one more
_CONTAINERS = frozenset((tuple, list, dict, set, frozenset))
_COPIED = frozenset((list, dict, set))
_SIZED = frozenset((str, bytes, int, Decimal, Fraction))
_UNGUESSABLE = frozenset((type(None), bool, str, bytes, date, datetime, time))  # no input can have many of one hash


class Budget:
    """The number of values that a file of *size* bytes may describe: 65,536, and *ratio* for each byte.

    >>> Budget(1000, 1).limit
    66536
    """

    __slots__ = ("left", "limit")

    def __init__(self, size: int, ratio: int = 1) -> None:
        self.left = self.limit = _FREE + ratio * size

    def charge(self, count: int) -> None:
        """Take *count* values off. Raises: `Unreadable` if there are not so many left."""
        self.left -= count
        if self.left < 0:
            raise Unreadable(
                f"it describes more than {self.limit} values that have no bytes of their own, too many for its size; if you "
                "trust it, pass limits=Limits(max_ratio=...), of bookcore.persist.snapshot, to Calendar.restore"
            )

    def charge_shared(self, distinct: Sequence[Any], places: Sequence[int]) -> None:
        """Charge a table of values of one type: for each row the value at its place."""
        kind = type(distinct[0])
        if kind in _SIZED and kind is not Fraction and max(map(getsizeof, distinct)) >> _BYTES + _SHARE == 0:
            return  # mostly
        weights = _weights(distinct)
        if kind not in _COPIED:
            weights = [weight >> _SHARE for weight in weights]
        if any(weights):
            self.charge(sum(map(weights.__getitem__, places)))

    def charge_bitmaps(self, lasts: Iterable[int]) -> None:
        """Charge bitmaps over rows, given the last row in each."""
        self.charge(sum(last >> 12 for last in lasts))

    def charge_hashes(self, values: Sequence[Any]) -> None:
        """Charge values that are going to be in one set or dict. Raises also what their own code raises.

        A value is compared with all others of its hash, until one is equal. Those that equal the first of their hash cost
        one comparison each, which C does.
        """
        if not _may_collide(values):
            return
        hashes = list(map(hash, values))
        one_of = dict(zip(hashes, values, strict=True))
        if len(one_of) == len(hashes):
            return
        shared = set(compress(hashes, map(not_, map(eq, values, map(one_of.__getitem__, hashes)))))
        if not shared:
            return
        different: defaultdict[int, list[Any]] = defaultdict(list)
        for value, number in zip(values, hashes, strict=True):
            if number in shared:
                others = different[number]
                if others:
                    self.charge(len(others) * _weight(value) >> _SHARE)
                if value not in others:
                    others.append(value)

    def charge_hashes_of_each(self, values: Sequence[Any], lengths: Iterable[int]) -> None:
        """Charge sets or dicts of these *lengths*, which are going to hold *values* in turn."""
        if _may_collide(values):
            start = 0
            for length in lengths:
                if length > 1:
                    self.charge_hashes(values[start : start + length])
                start += length


def _may_collide(values: Sequence[Any]) -> bool:
    """Tell whether more than a few of these values, which differ, may have one hash."""
    types = set(map(type, values))
    if types == {int}:  # of 64 bits, at most 17 have one hash
        return bool(max(values) >> 64 or min(values) < -1 << 63)
    return not types <= _UNGUESSABLE


def _weights(values: Sequence[Any]) -> list[int]:
    """Return for each value how many values are in it, itself included. O(values in them)."""
    types = set(map(type, values))
    if types & _CONTAINERS:
        return list(map(_weight, values))
    if types & _SIZED:
        return [1 + _size(value) for value in values]
    return [1] * len(values)


def _weight(value: Any) -> int:
    if type(value) is dict:
        return 1 + sum(_weights([*value, *value.values()]))
    if type(value) in _CONTAINERS:
        return 1 + sum(_weights(list(value)))
    return 1 + _size(value)


def _size(value: Any) -> int:
    if type(value) is Fraction:  # comparing two of them multiplies their parts
        return (value.numerator.bit_length() + value.denominator.bit_length() >> 9) ** 2
    return getsizeof(value) >> _BYTES if type(value) in _SIZED else 0
