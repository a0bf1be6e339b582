"""A column of small numbers as one integer, so that one operation of C computes with all rows.

    rows      5    3    0
    lanes     5 | 3 << 64 | 0 << 128      64 bits for each row, the first row lowest

A shift, a sum or a mask of such an integer takes a few nanoseconds a row. A loop over Python's numbers takes ten times as
long, also one that runs in C. A lane may hold several *fields*, side by side.

Invariant: no field is wider than its place in the lane, so that nothing is carried into the next field.
"""

from __future__ import annotations

import sys
from array import array
from operator import lt

BITS = 61
"""The most bits that all fields of a lane may have together, see `sorted_lanes`."""

ROWS = 1 << 12
"""How many rows are compared together: they are then in the processor's cache, and need no new memory."""

_BYTES = 8
_BIG_ENDIAN = sys.byteorder == "big"


def lanes_of(column: array[int]) -> int:
    """Return a column of unsigned numbers as lanes. O(n).

    >>> lanes_of(array("H", [5, 3])) == 5 | 3 << 64
    True
    """
    return _from_array(_spread(column))


def ones(count: int) -> int:
    """Return a 1 in each of so many lanes. O(n)."""
    return int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")


def field(lanes: int, count: int, shift: int, bits: int, code: str) -> array[int]:
    """Return the field of so many bits that begins at bit *shift* of each lane, as an array of this type code. O(n).

    >>> field(0x15 | 0x23 << 64, 2, 4, 4, "H")
    array('H', [1, 2])
    """
    one = ones(count)
    wide = _to_array(code, lanes >> shift & (one << bits) - one, count)
    return wide[:: _BYTES // wide.itemsize]


def widened(column: array[int], added: int = 0) -> array[int]:
    """Return a column of unsigned numbers as an array "q", with a number from 0 added to each. O(n).

    >>> widened(array("H", [5, 3]), 2)
    array('q', [7, 5])
    """
    return _to_array("q", lanes_of(column) + added * ones(len(column)), len(column))


def count_below(low: array[int], high: array[int]) -> int:
    """Return in how many rows the number of *low* is below that of *high*. O(n).

    The columns are of one type code, of unsigned numbers, which are lanes as they are here. The top bit of each lower number
    is set and the other taken from it: the bit is gone where the result would be below 0 without it.

    >>> count_below(array("H", [5, 3, 1]), array("H", [6, 3, 0]))
    1
    """
    found, tops = 0, array(low.typecode, [1 << 8 * low.itemsize - 1]) * min(len(low), ROWS)
    for at in range(0, len(low), ROWS):
        rows, others = low[at : at + ROWS], high[at : at + ROWS]
        one, other, top = (int.from_bytes(column, sys.byteorder) for column in (rows, others, tops[: len(rows)]))
        if (one | other) & top:  # a number needs that bit itself
            found += sum(map(lt, rows, others))
        else:
            found += len(rows) - ((one | top) - other & top).bit_count()
    return found


def most_bits(column: array[int]) -> int:
    """Return how many bits the highest of some unsigned numbers has. O(n).

    >>> most_bits(array("H", [5, 3]))
    3
    """
    union = 0
    for at in range(0, len(column), ROWS):
        union |= int.from_bytes(column[at : at + ROWS], sys.byteorder)
    rows = array(column.typecode, union.to_bytes(column.itemsize * min(len(column), ROWS), sys.byteorder))
    return max(rows, default=0).bit_length()


def sorted_lanes(lanes: int, count: int) -> int:
    """Return lanes of at most `BITS` bits in ascending order. O(n log n).

    They are sorted as floats, which Python sorts faster than integers. That is exact, because nothing is computed with
    them: finite floats above 0 are in the same order as their bits, read as integers.

        bit     63      62     61     60 ... 0
                0       1      0      the fields
                sign    the exponent, and the fraction of 52 bits

    Bit 62 keeps the floats from being denormal, which some programs have the processor take for 0; bit 61 keeps them from
    being infinite or NaN.

    >>> sorted_lanes(5 | 3 << 64, 2) == 3 | 5 << 64
    True
    """
    mark = ones(count) << BITS + 1
    return _from_array(array("d", sorted(_to_array("d", lanes | mark, count)))) ^ mark


def _spread(column: array[int]) -> array[int]:
    wide = array(column.typecode, bytes(_BYTES * len(column)))
    wide[:: _BYTES // column.itemsize] = column
    return wide


def _from_array(wide: array[int] | array[float]) -> int:
    if _BIG_ENDIAN:
        wide.byteswap()
    return int.from_bytes(wide, "little")


def _to_array(code: str, lanes: int, count: int) -> array[int]:
    wide = array(code, lanes.to_bytes(_BYTES * count, "little"))
    if _BIG_ENDIAN:
        wide.byteswap()
    return wide
