"""Sections as pickles: one flat tuple of bytes, and a reader that knows nothing else.

A section of a snapshot is a protocol-5 pickle of one tuple of `bytes`. Such a pickle needs only twelve opcodes, none
of which names a class, calls a function, or refers to an earlier object:

    PROTO 5   [FRAME n]   MARK   (BYTES data [MEMOIZE])...   TUPLE [MEMOIZE]   STOP

It is read here and not by an unpickler, of which none is safe. One that refuses every global still looks up the objects of
EXT opcodes; a forged length makes it allocate memory for bytes that are not there; and deallocating a few hundred KB of
nested tuples overflows the C stack.
"""

from __future__ import annotations

import pickle

MAX_OPCODES = 40
MAX_COLUMNS = 11  # a column takes at most three opcodes (FRAME, BYTES, MEMOIZE), and the tuple takes six

PROTO, FRAME, STOP, MEMOIZE, MARK = 0x80, 0x95, 0x2E, 0x94, 0x28
SHORT_BINBYTES, BINBYTES, BINBYTES8 = 0x43, 0x42, 0x8E
TUPLE, TUPLE1, TUPLE2, TUPLE3 = 0x74, 0x85, 0x86, 0x87

_LENGTH_SIZE = {SHORT_BINBYTES: 1, BINBYTES: 4, BINBYTES8: 8}
_TUPLE_SIZE = {TUPLE1: 1, TUPLE2: 2, TUPLE3: 3}


class FlatError(Exception):
    """The data is not a pickle of one flat tuple of bytes. Attributes: ``offset``, ``reason``. Internal."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset, self.reason = offset, reason
        super().__init__(f"{reason} at {offset}")


def dumps(columns: tuple[bytes, ...]) -> bytes:
    """Return the pickle of *columns*.

    The columns must be distinct objects of at least two bytes: the pickler writes an object that it meets again as a
    reference, which is not among the twelve opcodes, and Python has only one object for each one-byte string.

    Raises: `ValueError` if they are not.

    >>> loads(dumps((b"abc", b"defg")))
    (b'abc', b'defg')
    """
    data = pickle.dumps(columns, 5)
    try:
        _columns(memoryview(data))
    except FlatError as exc:
        raise ValueError(f"not one flat tuple of bytes: {exc}") from exc
    return data


def loads(data: bytes | memoryview) -> tuple[bytes, ...]:
    """Return the tuple in *data*; `FlatError` if it is anything but one flat tuple of bytes.

    Complexity: O(len(data)) time; memory is the size of the tuple. At most 40 opcodes are read, and nothing is run.
    """
    return tuple(map(bytes, _columns(memoryview(data))))


def _columns(data: memoryview) -> list[memoryview]:
    """Return where the columns are in *data*. Raises: `FlatError` unless the opcodes are those of a flat tuple."""
    columns: list[memoryview] = []
    end = len(data)
    if end < 2 or data[0] != PROTO or data[1] != 5:
        raise FlatError(0, "not a pickle of protocol 5")
    at, opcodes = 2, 1
    marked = closed = memo_ok = False  # a MARK was met, the tuple is complete, a MEMOIZE may follow
    while at < end:
        here, code = at, data[at]
        at += 1
        opcodes += 1
        if opcodes > MAX_OPCODES:
            raise FlatError(here, f"more than {MAX_OPCODES} opcodes")
        if code in _LENGTH_SIZE:
            width = _LENGTH_SIZE[code]
            length = int.from_bytes(data[at : at + width], "little")
            at += width
            if closed or length > end - at:
                raise FlatError(here, f"{length} bytes expected, {max(end - at, 0)} are left")
            columns.append(data[at : at + length])
            at += length
            memo_ok = True
        elif code == MEMOIZE:
            if not memo_ok:
                raise FlatError(here, "nothing to memoize")
            memo_ok = False
        elif code == FRAME:
            length = int.from_bytes(data[at : at + 8], "little")
            at += 8
            if length > end - at:
                raise FlatError(here, f"a frame of {length} bytes, {max(end - at, 0)} are left")
        elif code == MARK:
            if marked or columns or closed:
                raise FlatError(here, "a nested tuple")
            marked = True
        elif code == TUPLE or code in _TUPLE_SIZE:
            if closed or marked != (code == TUPLE) or len(columns) != _TUPLE_SIZE.get(code, len(columns)):
                raise FlatError(here, "a tuple that does not hold all columns")
            closed = memo_ok = True
        elif code == STOP:
            if not closed or at != end:
                raise FlatError(here, "data after the end" if closed else "an end before the tuple's")
            return columns
        else:
            raise FlatError(here, f"opcode 0x{code:02x} is not allowed in a snapshot")
    raise FlatError(end, "no end")
