"""Bookings in a CSV file, one row each: `read_csv` yields a `Row` for a good one, a `BadRow` for any other.

    with read_csv("bookings.csv") as table:
        for row in table:
            if isinstance(row, BadRow):
                print(row)              # line 17: end before start: ...
            else:
                calendar.book(row.resource, row.start, row.end, id=row.id)

What is wrong with the file as a whole (not there, no such columns, not text) is a `TableError` from
`read_csv`, before the first row. What is wrong with one row is a `BadRow` with the number of its line, and
reading goes on. Gzipped files are read as they are. The first line names the columns; only four of them
matter.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from bookcore.errors import BookcoreError, brief
from bookcore.tables.kinds import KeyKind, KeyReader, UnreadableKeyError

__all__ = ["BadRow", "ColumnError", "CsvTable", "Reason", "Row", "TableError", "read_csv"]

SAMPLE = 1000  # rows that decide what kind the keys are
NO_VALUE = frozenset({"", "na", "n/a", "nan", "nat", "none", "null", "\\n"})  # what databases write for NULL
DELIMITERS = (",", ";", "\t", "|")
ALIASES = {"resource": ("resource", "resource_id"), "id": ("id", "booking_id")}


class Reason(StrEnum):
    """Why a row was not taken; the value is what is printed and counted by."""

    NO_RESOURCE = "no resource"
    NO_START = "no start"
    NO_END = "no end"
    NO_SPAN = "no start and no end"
    UNREADABLE = "unreadable time"
    MIXED_ZONES = "mixed zones"
    REVERSED = "end before start"
    EMPTY = "empty span"
    COLUMNS = "wrong number of columns"
    NOT_TEXT = "not in the file's encoding"
    QUOTES = "broken quotes"
    DUPLICATE = "duplicate id"
    OVERLAP = "overlap"
    REFUSED = "refused"


class Row(NamedTuple):
    """A row that reads as a booking. ``line`` is where it starts in the file; ``id`` None: it has none."""

    line: int
    resource: str
    start: Any
    end: Any
    id: str | None


class BadRow(NamedTuple):
    """A row that does not, and why. ``detail`` is a sentence with the values in it."""

    line: int
    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}: {self.detail}"


class TableError(BookcoreError):
    """A file that cannot be read as a table at all. Attributes: ``path``, ``reason``."""

    def __init__(self, path: object, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class ColumnError(TableError):
    """A column asked for is not in the file.

    Attributes: ``missing`` (names), ``roles`` (what each is wanted as: resource, start, end, id), ``columns``
    (those there are).
    """

    def __init__(
        self, path: object, missing: tuple[str, ...], roles: tuple[str, ...], columns: tuple[str, ...]
    ) -> None:
        self.missing, self.roles, self.columns = missing, roles, columns
        there = ", ".join(brief(name, 40) for name in columns[:30])
        more = f" and {len(columns) - 30} more" if len(columns) > 30 else ""
        names = ", ".join(map(brief, missing))
        super().__init__(path, f"there is no column {names}; the columns are {there}{more}")


def read_csv(
    path: str | os.PathLike[str],
    *,
    resource: str | None = None,
    start: str = "start",
    end: str = "end",
    id: str | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    keys: KeyKind | str | None = None,
    date_format: str | None = None,
    bounds: str = "[)",
    open_ends: bool = False,
) -> CsvTable:
    """Open *path* and return an iterator over its rows, in the order of the file.

    ``resource``, ``start``, ``end`` and ``id`` name the columns; unnamed, ``resource`` or ``resource_id`` is
    taken, and ``id`` or ``booking_id`` if there is one. ``delimiter`` None: the first of ``, ; tab |`` under
    which the columns are found. ``keys`` None: decided by a sample, see `KeyReader.for_cells`. With
    *open_ends* a missing start or end means unbounded instead of a bad row. ``bounds="[]"`` lets a span have
    one point.

    Complexity: O(1) memory besides the keys, which are shared between equal cells; about 1.5 us a row.
    Raises: `TableError`, `ColumnError`, `UnclearKeysError`.
    """
    file = _open(path)
    try:
        return CsvTable(
            Path(path),
            file,
            named={"resource": resource, "start": start, "end": end, "id": id},
            delimiter=delimiter,
            encoding=encoding,
            keys=KeyKind(keys) if keys is not None else None,
            date_format=date_format,
            closed=bounds == "[]",
            open_ends=open_ends,
        )
    except BaseException:
        file.close()
        raise


def _open(path: str | os.PathLike[str]) -> BinaryIO:
    """Open *path*, a file with something in it."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - handed to the table, which closes it
    except FileNotFoundError:
        raise TableError(path, "there is no such file; look at the name and the folder") from None
    except IsADirectoryError:
        raise TableError(path, "that is a folder; name a file in it") from None
    except (OSError, ValueError) as fault:
        raise TableError(path, f"cannot be opened ({getattr(fault, 'strerror', None) or fault})") from fault
    if not file.peek(1):
        file.close()
        raise TableError(path, "the file is empty; its first line has to name the columns")
    return file


class CsvTable:
    """The rows of one CSV file, once, in order. Close it, or use it in a ``with``, if not read to the end.

    ``keys`` reads further keys as those of the file are read; ``columns`` are the names in the first line;
    ``size`` and ``position`` are bytes of the file, for a progress bar.
    """

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        *,
        named: dict[str, str | None],
        delimiter: str | None,
        encoding: str,
        keys: KeyKind | None,
        date_format: str | None,
        closed: bool,
        open_ends: bool,
    ) -> None:
        self.path = path
        self._file = file
        self._closed, self._open_ends = closed, open_ends
        self.size = os.fstat(file.fileno()).st_size
        self._encoding = encoding
        self._text = self._decoded(encoding)
        first = self._first_line()
        self.delimiter, self.columns, self._places = self._header(first, named, delimiter)
        self._reader = csv.reader(self._text, delimiter=self.delimiter, strict=True)
        self._line = 1 + first.count("\n", 0, len(first.rstrip("\r\n")))
        self._before = self._line
        self._sample: list[tuple[int, list[str] | BadRow]] = []
        for record in self._records():
            self._sample.append(record)
            if len(self._sample) == SAMPLE:
                break
        self.keys = self._key_reader(keys, date_format)
        self._rows = map(self._row, chain(self._sample, self._records()))

    # -- the file as text ---------------------------------------------------------------------------------

    def _decoded(self, encoding: str) -> io.TextIOBase:
        head = self._file.peek(8)[:8192]  # type: ignore[attr-defined]
        stream: Any = self._file
        if head[:2] == b"\x1f\x8b":
            stream = io.BufferedReader(gzip.GzipFile(fileobj=self._file))
            try:
                head = stream.peek(8)[:8192]
            except (OSError, EOFError) as fault:
                raise TableError(self.path, f"cannot be unpacked as gzip ({fault})") from fault
        if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise TableError(self.path, "the file is UTF-16, not UTF-8; name its encoding, utf-16")
            if head[:4] == b"PK\x03\x04":
                raise TableError(self.path, "that is a zip file or a spreadsheet; save it as CSV first")
            if b"\0" in head:
                raise TableError(
                    self.path, "that is no text: there are zero bytes in it; save the table as CSV first"
                )
            encoding = "utf-8-sig"
        try:
            # undecodable bytes become lone surrogates: one bad name costs one row, with its line number
            return io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
        except LookupError:
            raise TableError(
                self.path, f"there is no encoding {brief(encoding)}; try utf-8 or latin-1"
            ) from None

    def _first_line(self) -> str:
        try:
            for line in self._text:
                if line.strip():
                    if line.count('"') % 2:  # a quoted name that goes over several lines
                        line += next(iter(self._text), "")
                    return str(line)
        except (UnicodeError, OSError, EOFError) as fault:
            raise TableError(self.path, f"cannot be read ({fault})") from fault
        raise TableError(self.path, "the file is empty; its first line has to name the columns")

    def _header(
        self, line: str, named: dict[str, str | None], delimiter: str | None
    ) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
        """Return the delimiter, the columns, and where the four stand (-1: there are no ids)."""
        if delimiter is not None and len(delimiter) != 1:
            raise TableError(self.path, f"a delimiter is one character, got {brief(delimiter)}")
        tried: list[tuple[int, str, tuple[str, ...], list[int], list[str]]] = []
        for mark in DELIMITERS if delimiter is None else (delimiter,):
            try:
                columns = tuple(name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=mark)))
            except (csv.Error, StopIteration, TypeError, ValueError) as fault:
                raise TableError(self.path, f"the first line cannot be read ({fault})") from None
            places, missing = [], []
            for what, name in named.items():
                names = (name,) if name is not None else ALIASES[what]
                found = next((n for n in names if n in columns), None)
                places.append(columns.index(found) if found is not None else -1)
                if found is None and not (what == "id" and name is None):
                    missing.append(what)
                if found is not None and columns.count(found) > 1:
                    raise TableError(
                        self.path, f"there are {columns.count(found)} columns named {brief(found)}"
                    )
            tried.append((len(missing), mark, columns, places, missing))
        # most columns found wins; if nothing is, the split that yields most names is the likeliest
        _, mark, columns, places, missing = min(tried, key=lambda t: (t[0], -len(t[2])))
        if missing:
            wanted = tuple(named[what] or what for what in missing)
            raise ColumnError(self.path, wanted, tuple(missing), columns)
        return mark, columns, tuple(places)

    # -- records: lines joined and split -------------------------------------------------------------------

    def _records(self) -> Iterator[tuple[int, list[str] | BadRow]]:
        """Yield every record with the line it starts at; blank lines are passed over."""
        reader = self._reader
        width = len(self.columns)
        while True:
            line = self._line + 1
            done = reader.line_num
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as fault:
                self._line += reader.line_num - done
                reached = f" (lines {line} to {self._line} are lost)" if self._line > line else ""
                yield line, BadRow(line, Reason.QUOTES, f"{fault}{reached}")
                continue
            except UnicodeError as fault:
                raise TableError(
                    self.path, f"cannot be read as {self._encoding} near line {line} ({fault})"
                ) from None
            except (OSError, EOFError) as fault:
                raise TableError(self.path, f"reading failed near line {line} ({fault})") from fault
            self._line += reader.line_num - done
            if len(cells) != width:
                if not cells or (len(cells) == 1 and not cells[0].strip()):
                    continue
                detail = f"{len(cells)} columns, the first line has {width}"
                yield line, BadRow(line, Reason.COLUMNS, detail)
                continue
            yield line, cells

    def _key_reader(self, keys: KeyKind | None, date_format: str | None) -> KeyReader:
        if keys is not None or date_format is not None:
            return KeyReader(keys or KeyKind.TIME, date_format=date_format)
        places = self._places[1:3]
        return KeyReader.for_cells(
            cell
            for _, cells in self._sample
            if not isinstance(cells, BadRow)
            for cell in (cells[place].strip() for place in places)
            if cell.lower() not in NO_VALUE
        )

    # -- rows: cells that mean something --------------------------------------------------------------------

    def _row(self, record: tuple[int, list[str] | BadRow]) -> Row | BadRow:
        line, cells = record
        if isinstance(cells, BadRow):
            return cells
        at_resource, at_start, at_end, at_id = self._places
        resource, left, right = cells[at_resource].strip(), cells[at_start].strip(), cells[at_end].strip()
        id = cells[at_id].strip() if at_id >= 0 else ""
        for text in (resource, id, left, right):
            if not text.isascii() and not _encodes(text):
                shown = text.encode("utf-8", "surrogateescape")
                return BadRow(line, Reason.NOT_TEXT, f"{shown!r} is not {self._encoding}")
        if not resource:
            return BadRow(line, Reason.NO_RESOURCE, "the resource is missing")
        keys = self.keys
        no_left = left == "" or (left.lower() in NO_VALUE and keys.kind is not KeyKind.TEXT)
        no_right = right == "" or (right.lower() in NO_VALUE and keys.kind is not KeyKind.TEXT)
        if (no_left or no_right) and not self._open_ends:
            reason = Reason.NO_SPAN if no_left and no_right else Reason.NO_START if no_left else Reason.NO_END
            return BadRow(line, reason, f"a booking of {brief(resource, 40)}")
        try:
            start = None if no_left else keys(left)
            end = None if no_right else keys(right)
        except UnreadableKeyError as fault:
            side = "start" if fault.text == left else "end"
            return BadRow(line, Reason.MIXED_ZONES if fault.mixed else Reason.UNREADABLE, f"{side} {fault}")
        if start is not None and end is not None and not start < end:
            if end < start:
                return BadRow(line, Reason.REVERSED, f"{left} to {right} of {brief(resource, 40)}")
            if not self._closed:
                return BadRow(line, Reason.EMPTY, f"{left} to {right} of {brief(resource, 40)} holds no time")
        return Row(line, resource, start, end, id or None)

    def __iter__(self) -> Iterator[Row | BadRow]:
        return self

    def __next__(self) -> Row | BadRow:
        return next(self._rows)

    @property
    def position(self) -> int:
        """How many bytes of the file have been read."""
        return self.size if self._file.closed else self._file.tell()

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        self._text.close()
        self._file.close()

    def __enter__(self) -> CsvTable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _encodes(text: str) -> bool:
    """Tell whether *text* has no lone surrogates, which stand for bytes that could not be decoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
