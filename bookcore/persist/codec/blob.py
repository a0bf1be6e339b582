"""Columns as bytes: the few shapes everything in a section is made of, with their bounds checked.

    size      8 bytes
    numbers   one array of machine integers, of a width both sides know, little-endian
    raw       a size, then so many bytes

Whoever reads says how many rows it expects, and every row stands for at least one byte of the file: the
memory that reading takes is bounded by the length of the file, not by a number written in it.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

__all__ = ["BlobReader", "BlobWriter", "MissingCodec", "Unreadable", "Unwritable", "width_for"]

_SIZE = struct.Struct("<Q")
_SWAP = sys.byteorder == "big"
MAX_DEPTH = 32  # of values within values


class Unwritable(Exception):  # noqa: N818 - it says what the value is
    """A value that cannot be carried. Attributes: ``value``, ``reason``. Internal: `save` says which file."""

    def __init__(self, value: object, reason: str) -> None:
        self.value, self.reason = value, reason
        super().__init__(reason)


class Unreadable(Exception):  # noqa: N818 - it says what the bytes are
    """Bytes that no writer of ours made. Attribute: ``reason``. Internal: `load` says which file."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return self.reason  # to which the place is added on the way up


class MissingCodec(Unreadable):
    """The file holds values of a class or package that is not here. Attribute: ``name``."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(reason)


def width_for(count: int) -> str:
    """Return the type code of the narrowest array that holds 0 to *count* - 1.

    >>> width_for(256), width_for(257), width_for(1 << 32), width_for((1 << 32) + 1)
    ('B', 'H', 'I', 'Q')
    """
    return "B" if count <= 1 << 8 else "H" if count <= 1 << 16 else "I" if count <= 1 << 32 else "Q"


class BlobWriter:
    """Collects the pieces of one column; nothing is copied before `getvalue`."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def byte(self, value: int) -> None:
        """Append one byte."""
        self.parts.append(bytes((value,)))

    def size(self, value: int) -> None:
        """Append a length or count."""
        self.parts.append(_SIZE.pack(value))

    def raw(self, data: bytes) -> None:
        """Append *data* after its length."""
        self.parts += (_SIZE.pack(len(data)), data)

    def fixed(self, data: bytes) -> None:
        """Append *data*, whose length the reader knows."""
        self.parts.append(data)

    def numbers(self, code: str, values: Iterable[Any]) -> None:
        """Append an array of type *code*; OverflowError, and nothing appended, if a value does not fit."""
        found = values if isinstance(values, array) and values.typecode == code else array(code, values)
        if _SWAP:
            found = array(code, found)
            found.byteswap()
        self.parts.append(found.tobytes())

    def places(self, count: int, values: array[Any]) -> None:
        """Append an array "I" of numbers below *count*, in the narrowest width for that."""
        code = width_for(count)
        if code in "BH" and values.typecode == "I" and not _SWAP:
            data = values.tobytes()  # taking every fourth byte is fifteen times faster than another array
            if code == "B":
                self.parts.append(data[::4])
            else:
                half = bytearray(2 * len(values))
                half[::2], half[1::2] = data[::4], data[1::4]
                self.parts.append(bytes(half))
        else:
            self.numbers(code, values)

    def pieces(self, values: list[Any]) -> None:
        """Append strings of bytes: their lengths, then all of them in one piece."""
        if any(len(value) >> 32 for value in values):
            raise Unwritable(None, "a single value of 4 GiB or more")
        self.numbers("I", map(len, values))
        self.raw(b"".join(values))

    def getvalue(self) -> bytes:
        """Return everything appended so far."""
        return b"".join(self.parts)


class BlobReader:
    """Reads what a `BlobWriter` wrote; `Unreadable` for whatever is not there."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def fixed(self, length: int) -> memoryview:
        """Return the next *length* bytes."""
        start, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise Unreadable(f"{length} bytes wanted, {len(self._data) - start} are left")
        return self._data[start : self._at]

    def byte(self) -> int:
        """Return the next byte."""
        return self.fixed(1)[0]

    def size(self) -> int:
        """Return a length or count."""
        value: int = _SIZE.unpack(self.fixed(8))[0]
        return value

    def raw(self) -> memoryview:
        """Return bytes that follow their length."""
        return self.fixed(self.size())

    def numbers(self, code: str, count: int) -> array[Any]:
        """Return an array of *count* numbers."""
        found = array(code)
        found.frombytes(self.fixed(count * found.itemsize))
        if _SWAP:
            found.byteswap()
        return found

    def pieces(self, count: int) -> list[bytes]:
        """Return *count* strings of bytes."""
        ends = list(accumulate(self.numbers("I", count), initial=0))
        data = bytes(self.raw())
        if ends[-1] != len(data):
            raise Unreadable(f"pieces of {ends[-1]} bytes in all, {len(data)} are there")
        return list(map(data.__getitem__, map(slice, ends, ends[1:])))

    def finish(self) -> None:
        """Refuse what is left unread."""
        if self._at != len(self._data):
            raise Unreadable(f"{len(self._data) - self._at} bytes too many")
