"""Opening a table: its bytes, the delimiter, and the line that names the columns.

An error of the table as a whole is a `TableError`. An error of one row is a `BadRow`, and no exception.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import IO, Any, NamedTuple

from bookcore.model.errors import LACKING, BookcoreError, blaming, brief, is_like_address, masked, visible
from bookcore.model.typecheck import plain_text

Source = str | os.PathLike[str] | IO[bytes] | IO[str]
"""The source of a table: a path, or an open file of bytes or of text."""

_UTF8_LENGTH = 4  # the maximal bytes of a character in UTF-8
DELIMITERS = (",", ";", "\t", "|")
ALIASES = {"resource": ("resource", "resource_id"), "id": ("id", "booking_id")}
OPTIONAL = ("id", "quantity")  # required only if the caller names the column


class TableError(BookcoreError):
    """A file that cannot be read as a table. Attributes: ``path``, ``reason``."""

    def __init__(self, path: object, reason: str) -> None:
        self.path, self.reason = masked(path), reason
        super().__init__(f"{visible(self.path)}: {reason}")


class ColumnError(TableError):
    """The file lacks a required column.

    Attributes: ``missing`` (names), ``roles`` (the role of each: resource, start, end, id, quantity; ``only``
    for a column by which rows are chosen), ``columns`` (those in the file).
    """

    def __init__(
        self, path: object, missing: tuple[str, ...], roles: tuple[str, ...], columns: tuple[str, ...]
    ) -> None:
        self.missing, self.roles, self.columns = missing, roles, columns
        present = ", ".join(brief(name, 40) for name in columns[:30])
        more = f" and {len(columns) - 30} more" if len(columns) > 30 else ""
        names = ", ".join(map(brief, missing))
        super().__init__(path, f"there is no column {names}; the columns are {present}{more}")


class DelimiterError(TableError):
    """Another delimiter finds more of the columns.

    Attributes: ``delimiter``, ``likely``; ``missing``, the roles that the other one does not find either.
    """

    def __init__(self, path: object, delimiter: str, likely: str, missing: tuple[str, ...] = ()) -> None:
        self.delimiter, self.likely, self.missing = delimiter, likely, missing
        super().__init__(
            path, f"the delimiter {brief(delimiter)} seems to be wrong: the line of names is parted by {brief(likely)}"
        )


class _CallersFile(io.RawIOBase):
    """The bytes of a file that the caller will close; a text file is encoded in UTF-8."""

    def __init__(self, file: Any, is_text: bool) -> None:
        self.file, self.is_text = file, is_text
        self.count = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.count

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)

    def _read(self, size: int) -> bytes:
        """Return at most so many bytes of the file. Raises: OSError in place of what its own code raises."""
        with blaming(lambda exc: OSError(f"its read raised {type(exc).__name__}"), OSError):
            read = self.file.read(max(1, size // _UTF8_LENGTH) if self.is_text else size)
        if self.is_text and type(read) is str:
            try:
                data = read.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError:
                data = read.encode("utf-8", "surrogatepass")
        elif not self.is_text and (read is None or type(read) in (bytes, bytearray)):
            data = bytes(read or b"")  # None: a non-blocking file without data
        else:
            raise OSError(f"its read gave {brief(read)}")
        if len(data) > size:
            raise OSError("its read gave more than was asked for")
        return data


def open_source(source: Source) -> tuple[Path, io.BufferedReader, bool]:
    """Return the name of a source, its bytes, and whether the source is a text file.

    Raises: `TableError`, for an empty source as well.
    """
    file: io.BufferedReader
    try:
        if isinstance(source, str | os.PathLike):
            name, text = Path(source), False
            file = open(source, "rb")  # noqa: SIM115 - the table closes it
        elif callable(getattr(source, "read", None)):
            called = getattr(source, "name", "an open file")
            name = Path(plain_text(called) or brief(called))
            text = isinstance(source.read(0), str)
            file = io.BufferedReader(_CallersFile(source, text))
        else:
            raise TableError(source, f"a table is read from a path or an open file, got {brief(source)}")
    except FileNotFoundError:
        if is_like_address(plain_text(source) or ""):
            raise TableError(source, "that is a database and no table; Calendar.open opens it by its address") from None
        raise TableError(source, "there is no such file; look at the name and the folder") from None
    except IsADirectoryError:
        raise TableError(source, "that is a folder; name a file in it") from None
    except (OSError, ValueError, TypeError) as fault:
        raise TableError(source, f"cannot be opened ({getattr(fault, 'strerror', None) or fault})") from fault
    except (BookcoreError, *LACKING):
        raise
    except Exception as fault:  # the object's own code
        raise TableError(brief(source), f"cannot be opened ({type(fault).__name__})") from fault
    try:
        empty = not file.peek(1)
    except (OSError, ValueError) as fault:
        file.close()
        raise TableError(name, f"cannot be read ({getattr(fault, 'strerror', None) or fault})") from fault
    if empty:
        file.close()
        raise TableError(name, "the file is empty; its first line has to name the columns")
    return name, file, text


class Header(NamedTuple):
    """The line of names, split: all columns, the positions of the five roles (-1: absent), and the missing roles.

    ``joined`` are the positions of columns that are read as one, a date and a time of day: ``positions`` has them as columns
    that follow the others.
    """

    delimiter: str
    columns: tuple[str, ...]
    positions: tuple[int, ...]
    missing: tuple[str, ...]
    joined: tuple[tuple[int, int], ...] = ()

    def rank(self) -> tuple[int, int]:
        """Return a rank, lowest for the likeliest delimiter: few missing roles, then many columns."""
        return len(self.missing), -len(self.columns)


def read_header(path: object, line: str, named: dict[str, str | None], delimiter: str | None) -> Header:
    """Return the header in a line; *named* maps resource, start, end, id and quantity to column names or None.

    Raises: `ColumnError`, `DelimiterError`, `TableError`.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise TableError(path, f"a delimiter is one character, got {brief(delimiter)}")

    def best_of(delimiters: tuple[str, ...]) -> Header:
        return min((_split(path, line, named, each) for each in delimiters), key=Header.rank)

    best = best_of(DELIMITERS if delimiter is None else (delimiter,))
    if best.missing and delimiter is not None and (likely := best_of(DELIMITERS)).rank() < best.rank():
        raise DelimiterError(path, delimiter, likely.delimiter, likely.missing)
    for position in [*best.positions, *(each for pair in best.joined for each in pair)]:
        if not 0 <= position < len(best.columns):
            continue
        name = best.columns[position]
        if best.columns.count(name) > 1:
            raise TableError(path, f"there are {best.columns.count(name)} columns named {brief(name)}")
    if best.missing:
        names = tuple(named[role] or role for role in best.missing)
        raise ColumnError(path, names, best.missing, best.columns)
    return best


def _split(path: object, line: str, named: dict[str, str | None], delimiter: str) -> Header:
    """Return the header that *delimiter* makes of a line."""
    try:
        columns = tuple(name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=delimiter)))
    except (csv.Error, StopIteration, TypeError, ValueError) as fault:
        raise TableError(path, f"the line of names cannot be read ({fault})") from None
    while len(columns) > 1 and not columns[-1]:  # a delimiter at the end of each line
        columns = columns[:-1]
    positions, missing = [], []
    joined: list[tuple[int, int]] = []
    for role, name in named.items():
        position = _position(columns, (name,) if name is not None else ALIASES.get(role, (role,)))
        if position < 0 and name is not None and role in ("start", "end") and name.count(",") == 1:
            day, time = (_position(columns, (part.strip(),)) for part in name.split(","))
            if day >= 0 and time >= 0:
                position = len(columns) + len(joined)
                joined.append((day, time))
        positions.append(position)
        if position < 0 and not (role in OPTIONAL and name is None):
            missing.append(role)
    return Header(delimiter, columns, tuple(positions), tuple(missing), tuple(joined))


def position_of(path: object, columns: tuple[str, ...], name: str) -> int:
    """Return the position of a column. Raises: `ColumnError`."""
    position = _position(columns, (name,))
    if position < 0:
        raise ColumnError(path, (name,), ("only",), columns)
    return position


def _position(columns: tuple[str, ...], names: tuple[str, ...]) -> int:
    """Return the position of the first of *names*, or -1; the search ignores case if there is no exact match."""
    for name in names:
        if name in columns:
            return columns.index(name)
    folded = [column.casefold() for column in columns]
    for name in names:
        if folded.count(name.casefold()) == 1:
            return folded.index(name.casefold())
    return -1
