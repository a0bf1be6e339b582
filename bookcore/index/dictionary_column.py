"""Columns of many rows and few things: a table of the things, and the place of each row's in it.

    column   b a b b c     ->     table  b a c     places  0 1 0 0 2

A million bookings on the hour of a year have 8,760 keys. Put in order once, these give each row a rank, and everything
that must be sorted or told apart after that is a small whole number, which the loops of C are fast at.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat
from operator import add, itemgetter, mul
from typing import Any

__all__ = ["DictionaryColumn", "arranged", "gathered", "overlap", "places_in", "runs", "tabled"]

_SWAP = sys.byteorder == "big"

_AT_ONCE = 1 << 16
"""How many things `places_in` looks at together."""

_SAMPLE = 16
"""Which part of all rows `tabled` takes the distinct values from, at first."""

_LOW = 6
"""By how many bits of an owner `arranged` sorts; the others say into which bin a row goes."""


class DictionaryColumn(Sequence[Any]):
    """A sequence of things out of a table, which is not written out. Neither the table nor the places may change."""

    __slots__ = ("_tally", "places", "table")

    def __init__(self, table: Sequence[Any], places: Sequence[int]) -> None:
        self.table = table
        self.places = places
        self._tally: dict[int, int] | None = None

    def tally(self) -> dict[int, int]:
        """Return how many rows there are of each place that has any. O(n) once."""
        if self._tally is None:
            self._tally = Counter(self.places)
        return self._tally

    def counted(self, tally: dict[int, int]) -> None:
        """Take what `tally` is to return from somebody who has found it out on the way."""
        self._tally = tally

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return DictionaryColumn(self.table, self.places[at])
        return self.table[self.places[at]]

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Any]:
        return map(self.table.__getitem__, self.places)


def tabled(*columns: Sequence[Any]) -> list[DictionaryColumn] | None:
    """Return columns as places in one table of their distinct values, in order; None if these are more than half.

    The values are of one type, hashable, and in order. Complexity: O(n + d log d) for d distinct ones.
    """
    most = sum(map(len, columns)) // 4
    # All values there are, as a rule, occur early on: then the others need not be looked at twice. If one does not, its
    # place is asked for in vain, mostly early on as well.
    for share in (_SAMPLE, 1):
        distinct: set[Any] = set()
        for column in columns:
            distinct.update(islice(column, len(column) // share))
            if len(distinct) > most:
                return None
        table = sorted(distinct)
        rank_of = dict(zip(table, range(len(table)), strict=True))
        try:
            return [DictionaryColumn(table, gathered(rank_of, column)) for column in columns]
        except KeyError:
            continue
    return None  # values that are not equal to themselves


def places_in(table: Sequence[Any], things: Iterable[Any]) -> array[int]:
    """Return the place in a table of each of some things, by identity. None in the table stands for what is gone.

    Raises: `KeyError` for a thing that is not in the table, and for None. O(table + things).
    """
    plain = all(map(_by_identity, {*map(type, table)} - {type(None)}))
    known: dict[Any, int]
    if plain:
        known = dict(zip(table, range(len(table)), strict=True))  # found by identity already, with no number made for each
        known.pop(None, None)
    else:
        known = dict(zip(map(id, table), range(len(table)), strict=True))
        known.pop(id(None), None)
    found: list[int] = []
    kinds: set[type] = set()
    things = iter(things)
    while part := list(islice(things, _AT_ONCE)):
        if not plain:
            found += map(known.__getitem__, map(id, part))
            continue
        kinds.update(map(type, part))
        if not all(map(_by_identity, kinds)):  # no code of a stranger's class is run to find that it is one
            raise KeyError(part[0])
        found += gathered(known, part)
    return array("I", found)


def gathered(things: Any, places: Sequence[Any]) -> tuple[Any, ...]:
    """Return ``things[place]`` for each place, in one call.

    Things made one by one lie all over the memory. In so short a loop of C the processor asks for the next before it has
    the last: for a million bookings in order of resource that took half the time of mapping ``things.__getitem__``.
    """
    return itemgetter(*places)(things) if len(places) > 1 else tuple(things[place] for place in places)


def _by_identity(cls: Any) -> bool:
    """Tell whether instances of a class are equal only to themselves, which a dict finds out without calling their code."""
    return cls.__hash__ is object.__hash__ and cls.__eq__ is object.__eq__


def arranged(
    owners: array[int], ranks: array[int], end_ranks: array[int], most: tuple[int, int]
) -> tuple[array[int], array[int], array[int], array[int]]:
    """Return the rows by owner, then by rank; and the owner, the rank and the end rank of each, in that order.

    Arrays of unsigned numbers: owners and ranks of at most so many. Complexity: O(n log n).
    """
    count = len(owners)
    # each row becomes one number: its own, the least significant, its end rank, its rank, and what is left of its owner
    width, step = (count.bit_length() + 7) >> 3, (most[1].bit_length() + 7) >> 3
    carried = width + 2 * step < 8  # is there room for the ends, or are they looked up afterwards?
    if width + step > 7 or most[0] >> _LOW > count:  # more bins than rows: or too few rows for any of this
        return _arranged_slowly(owners, ranks, end_ranks, most[1] + 1)
    columns = [(array("I", range(count)), width), (end_ranks, step), (ranks, step)]
    if not carried:
        del columns[1]
    packed, at = bytearray(8 * count), 0
    for column, size in columns:
        data, item = _bytes(column), column.itemsize
        for byte in range(size):
            packed[at::8] = data[byte::item]
            at += 1
    # Sorting floats takes C half the time of sorting ints as large. Read as bits, positive floats are in the order of the
    # ints; with 1 to 64 for the highest byte none is so small that a processor may take it for zero, and none infinite.
    # Nothing is computed.
    data = _bytes(array("I", owners))
    packed[7::8] = data[::4].translate(_UP)
    all_of = int.from_bytes(data, "little")
    high = _array("I", ((all_of >> _LOW) & _each(0xFFFFFFFF >> _LOW, count)).to_bytes(4 * count, "little"))
    bins = [array("d") for _ in range((most[0] >> _LOW) + 1)]
    # short lists of neighbours, made when they are sorted: all of them at once would be in no cache
    deque(map(array.append, map(bins.__getitem__, high), _array("d", packed)), maxlen=0)
    sizes = list(map(len, bins))
    data = b"".join([_bytes(array("d", sorted(bins.pop()))) for _ in sizes][::-1])
    low = bytearray(4 * count)
    low[::4] = data[7::8].translate(_DOWN)
    places = b"".join([(place << _LOW).to_bytes(4, "little") * size for place, size in enumerate(sizes)])
    grouped = int.from_bytes(low, "little") | int.from_bytes(places, "little")
    out, at = [], 0
    for column, size in columns:
        item = column.itemsize
        spread = bytearray(item * count)
        for byte in range(size):
            spread[byte::item] = data[at::8]
            at += 1
        out.append(_array(column.typecode, spread))
    if not carried:
        out.insert(1, array(end_ranks.typecode, list(map(end_ranks.__getitem__, out[0]))))
    return out[0], _array("I", grouped.to_bytes(4 * count, "little")), out[2], out[1]


_UP = bytes((byte & (1 << _LOW) - 1) + 1 for byte in range(256))
_DOWN = bytes(max(0, byte - 1) for byte in range(256))


def _arranged_slowly(
    owners: array[int], ranks: array[int], end_ranks: array[int], above: int
) -> tuple[array[int], array[int], array[int], array[int]]:
    """`arranged` for numbers of any size."""
    keys = list(map(add, map(mul, owners, repeat(above)), ranks))
    rows = array("Q", sorted(range(len(keys)), key=keys.__getitem__))

    def in_order(column: array[int]) -> array[int]:
        return array(column.typecode, gathered(column, rows))

    return rows, in_order(owners), in_order(ranks), in_order(end_ranks)


def runs(numbers: array[int]) -> list[int]:
    """Return how often in turn each number stands in an array of unsigned ones below 2**31. O(n), in few steps.

    >>> runs(array("I", [7, 7, 7, 2, 5, 5]))
    [3, 1, 2]
    """
    count = len(numbers)
    if not count:
        return []
    lanes = _lanes(numbers)
    # a lane that differs from the next is not 0, and carries into its highest bit when all below that is added
    carried = (lanes ^ lanes >> 32) + _each(0x7FFFFFFF, count)
    differs = _highest(carried, count)[: count - 1]
    return [len(same) + 1 for same in differs.split(b"\x80")]


def overlap(closed: bool, ranks: array[int], end_ranks: array[int], bounds: Sequence[int]) -> bool:
    """Tell whether any row overlaps the next of its owner, rows being by owner and rank; *bounds*: where owners begin.

    All ranks are below 2**31. Complexity: O(n), in few steps.
    """
    count = len(ranks)
    # the next one's start, and a highest bit that is borrowed from unless that is large enough
    room = (_lanes(ranks) >> 32) + _each(0x80000000, count) - _lanes(end_ranks) - (_each(1, count) if closed else 0)
    apart = _highest(room, count)
    last = gathered(apart, [bound - 1 for bound in bounds[1:]])  # the next of these is another owner's, or no row
    return apart.count(0) > last.count(0)


def _lanes(numbers: array[int]) -> int:
    """Return unsigned numbers below 2**32 side by side in one, 32 bits each, the first the lowest."""
    data, step = _bytes(numbers), numbers.itemsize
    if step == 4:
        return int.from_bytes(data, "little")
    spread = bytearray(4 * len(numbers))
    for byte in range(min(step, 4)):
        spread[byte::4] = data[byte::step]
    return int.from_bytes(spread, "little")


def _each(number: int, count: int) -> int:
    """Return the same number so many times, as `_lanes` has it."""
    return int.from_bytes(number.to_bytes(4, "little") * count, "little")


def _highest(lanes: int, count: int) -> bytes:
    """Return the highest bit of each lane: 128 or 0."""
    return (lanes & _each(0x80000000, count)).to_bytes(4 * count, "little")[3::4]


def _array(code: str, data: bytes | bytearray) -> array[Any]:
    """Return the array whose bytes are *data*, the lowest of each number first."""
    found = array(code)
    found.frombytes(data)
    if _SWAP:
        found.byteswap()
    return found


def _bytes(column: array[Any]) -> bytes:
    """Return the bytes of an array, the lowest of each number first."""
    if _SWAP:
        column = column[:]
        column.byteswap()
    return column.tobytes()
