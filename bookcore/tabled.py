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
from itertools import repeat
from operator import add, mul
from typing import Any

__all__ = ["Tabled", "arranged", "places_in"]

_SWAP = sys.byteorder == "big"


class Tabled(Sequence[Any]):
    """A sequence of things out of a table, which is not written out. Neither the table nor the places may change."""

    __slots__ = ("_tally", "places", "table")

    def __init__(self, table: Sequence[Any], places: Sequence[int]) -> None:
        self.table = table
        self.places = places
        self._tally: Counter[int] | None = None

    def tally(self, in_order: Iterable[int] | None = None) -> Counter[int]:
        """Return how many rows there are of each place that has any. O(n) once.

        Who has the places in ascending order hands them in: counting these, neighbour by neighbour, takes half the time.
        """
        if self._tally is None:
            self._tally = Counter(self.places if in_order is None else in_order)
        return self._tally

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return Tabled(self.table, self.places[at])
        return self.table[self.places[at]]

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Any]:
        return map(self.table.__getitem__, self.places)


def places_in(table: Sequence[Any], things: Sequence[Any]) -> array[int]:
    """Return the place in a table of each of some things, by identity. None in the table stands for what is gone.

    Raises: `KeyError` for a thing that is not in the table, and for None. O(table + things).
    """
    known: dict[Any, int]
    if all(map(_by_identity, {*map(type, table), *map(type, things)} - {type(None)})):
        known = dict(zip(table, range(len(table)), strict=True))  # found by identity already, with no number made for each
        known.pop(None, None)
        return array("I", map(known.__getitem__, things))
    known = dict(zip(map(id, table), range(len(table)), strict=True))
    known.pop(id(None), None)
    return array("I", map(known.__getitem__, map(id, things)))


def _by_identity(cls: Any) -> bool:
    """Tell whether instances of a class are equal only to themselves, which a dict finds out without calling their code."""
    return cls.__hash__ is object.__hash__ and cls.__eq__ is object.__eq__


def arranged(
    owners: array[int], ranks: array[int], most: tuple[int, int]
) -> tuple[array[int], array[int], array[int]]:
    """Return the rows by owner, then by rank, then as they stand; and the owner and the rank of each, in that order.

    Owners and ranks are arrays of unsigned numbers, of at most so many; so are the three that are returned. O(n log n).
    """
    count = len(owners)
    low = 1 if most[0] >> 12 else 0  # how many bytes of an owner are sorted by; the others say into which bin it goes
    # each row becomes one number: its own, the least significant, its rank and what is left of its owner
    columns = array("I", range(count)), ranks, array("I", owners)
    widths = (count.bit_length() + 7) >> 3, (most[1].bit_length() + 7) >> 3, low
    if sum(widths) > 7 or most[0] >> 24:
        return _arranged_slowly(owners, ranks, most[1] + 1)
    packed, at = bytearray(8 * count), 0
    for column, width in zip(columns, widths, strict=True):
        data, step = _bytes(column), column.itemsize
        for byte in range(width):
            packed[at::8] = data[byte::step]
            at += 1
    # Sorting floats takes C half the time of sorting ints as large. Read as bits, positive floats are in the order of the
    # ints; with a 1 for the highest byte none is so small that a processor may take it for zero. Nothing is computed.
    packed[7::8] = bytes((1,)) * count
    highest = bytearray(2 * count)
    highest[::2], highest[1::2] = data[low::4], data[low + 1 :: 4]
    bins = [array("d") for _ in range((most[0] >> 8 * low) + 1)]
    # short lists of neighbours, made when they are sorted: all of them at once would be in no cache
    deque(map(array.append, map(bins.__getitem__, _array("H", highest)), _array("d", packed)), maxlen=0)
    sizes = list(map(len, bins))
    data = b"".join([_bytes(array("d", sorted(bins.pop()))) for _ in sizes][::-1])
    high = _array("H", b"".join([place.to_bytes(2, "little") * size for place, size in enumerate(sizes)]))
    rows, in_order = bytearray(4 * count), bytearray(ranks.itemsize * count)
    at = 0
    for out, width in zip((rows, in_order), widths, strict=False):
        step = len(out) // count
        for byte in range(width):
            out[byte::step] = data[at::8]
            at += 1
    if low:
        grouped, highest = bytearray(4 * count), bytearray(_bytes(high))
        grouped[::4], grouped[1::4], grouped[2::4] = data[at::8], highest[::2], highest[1::2]
        high = _array("I", grouped)
    return _array("I", rows), high, _array(ranks.typecode, in_order)


def _arranged_slowly(
    owners: array[int], ranks: array[int], above: int
) -> tuple[array[int], array[int], array[int]]:
    """`arranged` for numbers of any size."""
    keys = list(map(add, map(mul, owners, repeat(above)), ranks))
    rows = array("Q", sorted(range(len(keys)), key=keys.__getitem__))
    grouped = array(owners.typecode, map(owners.__getitem__, rows))
    return rows, grouped, array(ranks.typecode, map(ranks.__getitem__, rows))


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
