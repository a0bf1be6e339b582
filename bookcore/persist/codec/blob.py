"""The pieces of bytes that every column is made of, and readers which check the bounds of each piece.

    byte      1 byte
    size      8 bytes
    numbers   an array of machine integers or floats, little-endian, of a width that both sides know
    raw       a size, then that many bytes
    pieces    an array of lengths, then raw: all strings of bytes, joined

The reader of a column knows how many rows to expect, and every row takes at least one byte of the file.
Reading therefore takes memory in proportion to the length of the file, whatever numbers the file contains.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

_SIZE = struct.Struct("<Q")
_BIG_ENDIAN = sys.byteorder == "big"
MAX_DEPTH = 32  # how deep values may be nested in values


class Unwritable(Exception):  # noqa: N818 - the name describes the value
    """The value cannot be written. Attributes: ``value``, ``reason``. Internal: `save` adds the file's name."""

    def __init__(self, value: object, reason: str) -> None:
        self.value, self.reason = value, reason
        super().__init__(reason)


class Unreadable(Exception):  # noqa: N818 - the name describes the bytes
    """No writer of this package made these bytes. Attribute: ``reason``. Internal: `load` adds the file's name."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return self.reason  # callers put the section and the column in front of it


class MissingCodec(Unreadable):
    """The values are of a class or package which this process does not have. Attribute: ``name``."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(reason)


def width_for(count: int) -> str:
    """Return the type code of the narrowest array that holds 0 to *count* - 1.

    >>> width_for(256), width_for(257), width_for(1 << 32), width_for((1 << 32) + 1)
    ('B', 'H', 'I', 'Q')
    """
    return "B" if count <= 1 << 8 else "H" if count <= 1 << 16 else "I" if count <= 1 << 32 else "Q"


def cut(joined: Any, lengths: Iterable[int]) -> list[Any]:
    """Cut a text or a string of bytes into parts of these *lengths*; `Unreadable` unless they add up to it.

    >>> cut("abcdef", [1, 0, 5])
    ['a', '', 'bcdef']
    """
    ends = list(accumulate(lengths, initial=0))
    if ends[-1] != len(joined):
        raise Unreadable(f"lengths that add up to {ends[-1]}, for {len(joined)} bytes or characters")
    return list(map(joined.__getitem__, map(slice, ends, ends[1:])))


class BlobWriter:
    """Collects the pieces of one column; they are joined once, by `getvalue`."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def byte(self, value: int) -> None:
        """Append one byte."""
        self.parts.append(bytes((value,)))

    def size(self, value: int) -> None:
        """Append a length or a count."""
        self.parts.append(_SIZE.pack(value))

    def raw(self, data: bytes) -> None:
        """Append *data* after its length."""
        self.parts += (_SIZE.pack(len(data)), data)

    def fixed(self, data: bytes) -> None:
        """Append *data* without its length, which the reader knows."""
        self.parts.append(data)

    def numbers(self, code: str, values: Iterable[Any]) -> None:
        """Append an array of type *code*; OverflowError, and nothing appended, if a value does not fit."""
        numbers = values if isinstance(values, array) and values.typecode == code else array(code, values)
        if _BIG_ENDIAN:
            numbers = array(code, numbers)
            numbers.byteswap()
        self.parts.append(numbers.tobytes())

    def places(self, count: int, values: array[Any]) -> None:
        """Append an array of whole numbers below *count*, in the narrowest width that holds them."""
        code = width_for(count)
        narrow = array(code)
        if narrow.itemsize < values.itemsize and not _BIG_ENDIAN:
            narrow.frombytes(memoryview(values).cast("B"))
            # slicing out the low bytes is ten times faster than making another array of the numbers
            self.parts.append(narrow[:: values.itemsize // narrow.itemsize].tobytes())
        else:
            self.numbers(code, values)

    def lengths(self, values: Sequence[Any]) -> None:
        """Append the length of each value; `Unwritable` if one has 4 Gi bytes or characters, or more."""
        try:
            self.numbers("I", map(len, values))
        except OverflowError:
            raise Unwritable(None, "a single value of 4 GiB or more cannot be written") from None

    def pieces(self, values: list[bytes]) -> None:
        """Append strings of bytes: first their lengths, then all of them joined."""
        self.lengths(values)
        self.raw(b"".join(values))

    def getvalue(self) -> bytes:
        """Return everything appended so far."""
        return b"".join(self.parts)


class BlobReader:
    """Reads what a `BlobWriter` wrote; each method raises `Unreadable` where the bytes end too early."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def fixed(self, length: int) -> memoryview:
        """Return the next *length* bytes."""
        start, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise Unreadable(f"{length} bytes expected, {len(self._data) - start} are left")
        return self._data[start : self._at]

    def byte(self) -> int:
        """Return the next byte."""
        return self.fixed(1)[0]

    def size(self) -> int:
        """Return a length or a count."""
        value: int = _SIZE.unpack(self.fixed(8))[0]
        return value

    def raw(self) -> memoryview:
        """Return bytes that follow their length."""
        return self.fixed(self.size())

    def numbers(self, code: str, count: int) -> array[Any]:
        """Return an array of *count* numbers."""
        numbers = array(code)
        numbers.frombytes(self.fixed(count * numbers.itemsize))
        if _BIG_ENDIAN:
            numbers.byteswap()
        return numbers

    def pieces(self, count: int) -> list[bytes]:
        """Return *count* strings of bytes."""
        lengths = self.numbers("I", count)
        return cut(bytes(self.raw()), lengths)

    def finish(self) -> None:
        """Raise `Unreadable` if any bytes are left."""
        if self._at != len(self._data):
            raise Unreadable(f"{len(self._data) - self._at} bytes too many")
