"""One flat tuple of bytes, as a pickle that cannot do anything else.

A section of a snapshot is a protocol-5 pickle of one tuple of `bytes`. Twelve opcodes are enough to say that,
and none of them can name a class, call anything, or refer back. What is read is first walked, opcode by
opcode, without running it:

    PROTO 5   [FRAME n]   MARK   (BYTES data [MEMOIZE])...   TUPLE [MEMOIZE]   STOP

Why a walk and not only an unpickler that refuses every global: EXT opcodes find their object without asking
it; a length prefix makes room for bytes that are not there before it finds out; and a few hundred KB of
nested tuples overflow the C stack when they are thrown away.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, NoReturn

__all__ = ["MAX_COLUMNS", "FlatError", "dumps", "loads"]

MAX_COLUMNS = (
    11  # at most three opcodes a column (FRAME, BYTES, MEMOIZE) and six more stay within MAX_OPCODES
)
MAX_OPCODES = 40

PROTO, FRAME, STOP, MEMOIZE, MARK = 0x80, 0x95, 0x2E, 0x94, 0x28
SHORT_BINBYTES, BINBYTES, BINBYTES8 = 0x43, 0x42, 0x8E
TUPLE, TUPLE1, TUPLE2, TUPLE3 = 0x74, 0x85, 0x86, 0x87

_LENGTH_SIZE = {SHORT_BINBYTES: 1, BINBYTES: 4, BINBYTES8: 8}
_TUPLE_SIZE = {TUPLE1: 1, TUPLE2: 2, TUPLE3: 3}


class FlatError(Exception):
    """Not a pickle of one flat tuple of bytes. Attributes: ``offset``, ``reason``. Internal: callers wrap it."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset, self.reason = offset, reason
        super().__init__(f"{reason} at {offset}")


class _Reader(pickle.Unpickler):
    """An unpickler that knows no class, no extension and no persistent object."""

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"a snapshot names no class, this one names {module_name}.{global_name}")

    def persistent_load(self, pid: object) -> NoReturn:
        raise pickle.UnpicklingError("a snapshot holds no persistent ids")


def dumps(columns: tuple[bytes, ...]) -> bytes:
    """Return the pickle of *columns*.

    Each column is to be an object of its own and at least two bytes long: the pickler writes the second
    appearance of an object as a reference (Python shares all one-byte strings), and references are not among
    the twelve opcodes. ValueError otherwise.

    >>> loads(dumps((b"abc", b"defg")))
    (b'abc', b'defg')
    """
    data = pickle.dumps(columns, 5)
    try:
        _walk(memoryview(data))
    except FlatError as exc:
        raise ValueError(f"not one flat tuple of bytes: {exc}") from exc
    return data


def loads(data: bytes | memoryview) -> tuple[bytes, ...]:
    """Return the tuple in *data*; `FlatError` if it is anything but one flat tuple of bytes.

    Complexity: O(len(data)) time; memory is the size of the tuple. The walk is O(number of opcodes), at most
    40.
    """
    count = _walk(memoryview(data))
    try:
        columns: Any = _Reader(io.BytesIO(data)).load()
    except MemoryError:
        raise
    except (
        Exception
    ) as exc:  # the walk lets nothing through that could fail; if it ever does, it is refused too
        raise FlatError(0, f"does not unpickle ({type(exc).__name__}: {exc})") from exc
    if (
        type(columns) is not tuple
        or len(columns) != count
        or any(type(column) is not bytes for column in columns)
    ):
        raise FlatError(0, "not a tuple of bytes")
    return columns


def _walk(data: memoryview) -> int:
    """Check the opcodes of *data* without running them and return the number of columns."""
    end = len(data)
    if end < 2 or data[0] != PROTO or data[1] != 5:
        raise FlatError(0, "not a pickle of protocol 5")
    at, seen, columns, marked, closed, memo_ok = 2, 1, 0, False, False, False
    while at < end:
        here, code = at, data[at]
        at += 1
        seen += 1
        if seen > MAX_OPCODES:
            raise FlatError(here, f"more than {MAX_OPCODES} opcodes")
        if code in _LENGTH_SIZE:
            width = _LENGTH_SIZE[code]
            length = int.from_bytes(data[at : at + width], "little")
            at += width
            if closed or length > end - at:
                raise FlatError(here, f"bytes of length {length} where {max(end - at, 0)} are left")
            at += length
            columns += 1
            memo_ok = True
        elif code == MEMOIZE:
            if not memo_ok:
                raise FlatError(here, "nothing to memoize")
            memo_ok = False
        elif code == FRAME:
            length = int.from_bytes(data[at : at + 8], "little")
            at += 8
            if length > end - at:
                raise FlatError(here, f"a frame of {length} bytes where {max(end - at, 0)} are left")
        elif code == MARK:
            if marked or columns or closed:
                raise FlatError(here, "a nested tuple")
            marked = True
        elif code == TUPLE or code in _TUPLE_SIZE:
            if closed or marked != (code == TUPLE) or columns != _TUPLE_SIZE.get(code, columns):
                raise FlatError(here, "a tuple that does not hold all columns")
            closed = memo_ok = True
        elif code == STOP:
            if not closed or at != end:
                raise FlatError(here, "more after the end" if closed else "an end before the tuple is whole")
            return columns
        else:
            raise FlatError(here, f"opcode 0x{code:02x} is not one of those a snapshot is made of")
    raise FlatError(end, "no end")
