"""A table's bytes, from wherever they come: a path, or a file that someone else has opened."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, Any

from bookcore.model.errors import brief
from bookcore.tables.errors import TableError

__all__ = ["Source", "open_source"]

Source = str | os.PathLike[str] | IO[bytes] | IO[str]
"""What `read_csv` takes: a path, or an open file of bytes or of text."""

_WIDEST = 4  # bytes of one character in UTF-8


class _Lent(io.RawIOBase):
    """The bytes of a file that its owner will close; of a text file, its text in UTF-8."""

    def __init__(self, file: Any, is_text: bool) -> None:
        self.file, self.is_text = file, is_text
        self.given = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.given

    def readinto(self, buffer: Any) -> int:
        if self.is_text:
            data = _bytes(self.file.read(max(1, len(buffer) // _WIDEST)))
        else:
            data = self.file.read(len(buffer)) or b""  # None: nothing there yet
        buffer[: len(data)] = data
        self.given += len(data)
        return len(data)


def _bytes(text: str) -> bytes:
    """Return *text* in UTF-8; what its own decoding let through as it was comes out as it was."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def open_source(source: Source) -> tuple[Path, io.BufferedReader, bool]:
    """Return the name, the bytes, and whether they were text; at least one byte is there.

    Raises: `TableError`.
    """
    file: io.BufferedReader
    try:
        if isinstance(source, str | os.PathLike):
            name, text = Path(source), False
            file = open(source, "rb")  # noqa: SIM115 - handed to the table, which closes it
        elif callable(getattr(source, "read", None)):
            name = Path(str(getattr(source, "name", "an open file")))
            text = isinstance(source.read(0), str)
            file = io.BufferedReader(_Lent(source, text))
        else:
            raise TableError(source, f"a table is read from a path or an open file, got {brief(source)}")
    except FileNotFoundError:
        raise TableError(source, "there is no such file; look at the name and the folder") from None
    except IsADirectoryError:
        raise TableError(source, "that is a folder; name a file in it") from None
    except (OSError, ValueError, TypeError) as fault:
        raise TableError(source, f"cannot be opened ({getattr(fault, 'strerror', None) or fault})") from fault
    try:
        empty = not file.peek(1)
    except (OSError, ValueError) as fault:
        file.close()
        raise TableError(name, f"cannot be read ({getattr(fault, 'strerror', None) or fault})") from fault
    if empty:
        file.close()
        raise TableError(name, "the file is empty; its first line has to name the columns")
    return name, file, text
