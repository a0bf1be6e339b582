"""Sets of ordinals as integers.

    ordinal   7 6 5 4 3 2 1 0
    bits      0 0 1 0 1 1 0 0   ==  {2, 3, 5}  ==  0b101100

An *ordinal* is a small number that identifies an item; a set of items is a Python ``int`` in which the bits of their
ordinals are set. Union, intersection and difference of such ints run in C at the speed of memory, and ``int.bit_count``
counts. But changing one bit of an ``int`` copies it, so a set that is written to is a `Bitmap`: a ``bytearray``, in which
a bit is set in constant time, and the int made from it, which is cached until the next write.

Invariant, which `Bitmap.check` proves: the cached int, if there is one, equals the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import compress
from typing import TypeVar

T = TypeVar("T")

_NOT_EMPTY = re.compile(rb"[^\0]")
_OFFSETS = [tuple(offset for offset in range(8) if byte >> offset & 1) for byte in range(256)]
MASKS = tuple(1 << bit for bit in range(8))
"""The bits of a byte, lowest first."""
DENSE = 4
"""Of a set with more than one in so many powers of two of all ordinals, each is first written as a byte of its own."""
_SELECTORS = bytes.maketrans(b"01", b"\0\1")


class Bitmap:
    """A set of ordinals that is cheap to change, and whose int is cached.

    >>> bitmap = Bitmap()
    >>> bitmap.add(5), bitmap.add(2), bitmap.discard(5)
    (None, None, None)
    >>> bin(bitmap.value()), 2 in bitmap
    ('0b100', True)
    """

    __slots__ = ("cached", "data")

    def __init__(self, bits: int = 0) -> None:
        self.data = bytearray(bits.to_bytes((bits.bit_length() + 7) >> 3, "little"))
        self.cached: int | None = None

    def lengthen(self, byte: int) -> None:
        """Make room for a byte, and an eighth more, so that a series of new ordinals does not copy the bytes each time."""
        self.data.extend(bytes(byte + 1 - len(self.data) + (len(self.data) >> 3)))

    def add(self, ordinal: int) -> None:
        """Add an ordinal to the set. O(1) amortised."""
        at = ordinal >> 3
        if at >= len(self.data):
            self.lengthen(at)
        self.data[at] |= MASKS[ordinal & 7]
        self.cached = None

    def toggle(self, ordinal: int) -> None:
        """Remove an ordinal from the set if it is there, else add it. O(1) amortised."""
        at = ordinal >> 3
        if at >= len(self.data):
            self.lengthen(at)
        self.data[at] ^= MASKS[ordinal & 7]
        self.cached = None

    def discard(self, ordinal: int) -> None:
        """Remove an ordinal from the set if it is there. O(1)."""
        at = ordinal >> 3
        if at < len(self.data):
            self.data[at] &= ~MASKS[ordinal & 7]
            self.cached = None

    def include(self, bits: int) -> None:
        """Add all ordinals of a set. O(n / 8)."""
        self.data, self.cached = Bitmap(self.value() | bits).data, None

    def __contains__(self, ordinal: int) -> bool:
        at = ordinal >> 3
        return at < len(self.data) and bool(self.data[at] >> (ordinal & 7) & 1)

    def value(self) -> int:
        """Return the set as an int. O(1) if the set has not changed since the last call, else O(n / 8)."""
        cached = self.cached
        if cached is None:
            cached = self.cached = int.from_bytes(self.data, "little")
        return cached

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it. O(n / 8 + number of ordinals)."""
        bits = from_ordinals([numbers[ordinal] for ordinal in ordinals(self.value())], len(numbers))
        self.data, self.cached = Bitmap(bits).data, None

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds. O(n / 8)."""
        if self.cached is not None and self.cached != int.from_bytes(self.data, "little"):
            raise AssertionError("the cached int is not that of the bytes")


def from_ordinals(numbers: Collection[int], size: int) -> int:
    """Return the bitmap of some ordinals, all below *size*. O(size / 8 + number of ordinals).

    >>> bin(from_ordinals([2, 3, 5], 8))
    '0b101100'
    """
    if len(numbers) << DENSE > size:
        row = bytearray((size | 7) + 1)
        for ordinal in numbers:
            row[ordinal] = 1
        bits = int.from_bytes(row, "little")
        for shift in (7, 14, 28):  # the bits of 2, 4, then 8 bytes come together in the first of them
            bits |= bits >> shift
        return int.from_bytes(bits.to_bytes(len(row), "little")[::8], "little")
    data = bytearray((size >> 3) + 1)
    masks = MASKS  # a look-up takes two thirds of the time of a shift
    for ordinal in numbers:
        data[ordinal >> 3] |= masks[ordinal & 7]
    return int.from_bytes(data, "little")


def pick(bits: int, items: Sequence[T]) -> list[T]:
    """Return the items whose indexes are in *bits*, in order. O(highest set bit / 8 + answers, or highest set bit).

    >>> pick(0b101, ["a", "b", "c"])
    ['a', 'c']
    """
    if bits.bit_count() << 5 < bits.bit_length():
        return [items[ordinal] for ordinal in ordinals(bits)]
    return list(compress(items, selectors(bits)))


def selectors(bits: int) -> bytes:
    r"""Return a byte of 0 or 1 for each bit, the lowest first, for `itertools.compress`. O(highest set bit), in C.

    >>> selectors(0b1011)
    b'\x01\x01\x00\x01'
    """
    return bin(bits)[:1:-1].encode().translate(_SELECTORS)  # bin() writes the highest bit first


def ordinals(bits: int) -> Iterator[int]:
    """Yield the ordinals in *bits* in ascending order. O(highest set bit / 8, in C, + number of set bits).

    >>> list(ordinals(0b101100))
    [2, 3, 5]
    """
    data = bits.to_bytes((bits.bit_length() + 7) >> 3, "little")
    for match in _NOT_EMPTY.finditer(data):
        base = match.start() << 3
        for offset in _OFFSETS[match.group()[0]]:
            yield base + offset


def first_ordinals(bits: int) -> Iterator[int]:
    """Yield the ordinals in *bits* in ascending order, for callers that stop early. As `ordinals`, up to the last one taken.

    >>> next(first_ordinals(1 << 5000 | 1 << 6000))
    5000
    """
    base, width = 0, 4096
    while bits:
        for number in ordinals(bits & ((1 << width) - 1)):
            yield base + number
        bits >>= width
        base += width
        width *= 2  # so that an ordinal at the very end is found in few steps as well
