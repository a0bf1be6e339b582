"""Bookings in a CSV file, one row each: `read_csv` yields a `Row` for a good one, a `BadRow` for any other.

    with read_csv("bookings.csv") as table:
        for row in table:
            if isinstance(row, BadRow):
                print(row)              # line 17: end before start: ...
            else:
                calendar.book(row.resource, row.start, row.end, id=row.id)

`bookcore.tables.fill` does the booking, with resources added as they are named. What is wrong with the file as
a whole (not there, no such columns, not text) is a `TableError` from `read_csv`, before the first row. What is wrong
with one row is a `BadRow` with the number of its line, and reading goes on. Gzipped files are read as they are. The
first line names the columns; only five of them matter.
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
from typing import Any, NamedTuple

from bookcore.model.errors import QueryError, brief
from bookcore.tables.errors import TableError
from bookcore.tables.header import read_head
from bookcore.tables.kinds import KeyKind, KeyReader, UnreadableKeyError
from bookcore.tables.opening import Source, open_source

__all__ = ["BadRow", "CsvTable", "Reason", "Row", "read_csv"]

SAMPLE = 1000  # rows that decide what kind the keys are
KINDS = tuple(kind.value for kind in KeyKind if kind is not KeyKind.OTHER)  # what ``keys`` may say
NO_VALUE = frozenset({"", "na", "n/a", "nan", "nat", "none", "null", "\\n"})  # what databases write for NULL


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
    TOO_LONG = "field too long"
    QUANTITY = "no quantity"
    TOO_MANY = "more than there are"
    DUPLICATE = "duplicate id"
    OVERLAP = "overlap"
    REFUSED = "refused"


class Row(NamedTuple):
    """A row that reads as a booking of ``quantity`` units. ``line`` is where it starts; ``id`` None: it has none."""

    line: int
    resource: str
    start: Any
    end: Any
    id: str | None
    quantity: int = 1


class BadRow(NamedTuple):
    """A row that does not, and why. ``detail`` is a sentence with the values in it."""

    line: int
    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}: {self.detail}"


def read_csv(
    source: Source,
    *,
    resource: str | None = None,
    start: str = "start",
    end: str = "end",
    id: str | None = None,
    quantity: str | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    keys: KeyKind | str | None = None,
    date_format: str | None = None,
    bounds: str = "[)",
    open_ends: bool = False,
) -> CsvTable:
    r"""Open *source* and return an iterator over its rows, in the order of the file.

    *source* is a path, or an open file of bytes or of text: that is read from where it stands, once, and left open;
    ``encoding`` says nothing about one of text.

    ``resource``, ``start``, ``end``, ``id`` and ``quantity`` name the columns; unnamed, ``resource`` or
    ``resource_id`` is taken, ``id`` or ``booking_id`` if there is one, and ``quantity`` if there is one: an empty cell
    of it is 1. Capitals matter only where a name would be two columns' without. ``delimiter`` None: the first of
    ``, ; tab |`` under which the columns are found. ``keys`` None: decided by a sample, see `KeyReader.for_cells`;
    ``date_format`` is one of `datetime.strptime`. With *open_ends* a missing start or end means unbounded instead of a
    bad row. ``bounds="[]"`` lets a span have one point.

    Complexity: O(1) memory besides the keys, which are shared between equal cells; about 1.5 us a row.
    Raises: `TableError`, `ColumnError`, `DelimiterError`, `UnclearKeysError`; `DateFormatError` for a format that can
    read nothing, or not what ``keys`` says; `QueryError` for an argument that is none.

    The rows become bookings through `fill`, which yields each again, as it is or as a bad row:

    >>> import io
    >>> from bookcore import Calendar
    >>> from bookcore.tables import BadRow, fill, read_csv
    >>> file = io.StringIO("resource,start,end,id\nloft,1,5,ada\nloft,4,6,ben\nbarn,x,6,cy\n")
    >>> calendar = Calendar()
    >>> with read_csv(file) as table:
    ...     for row in fill(calendar, table):
    ...         if isinstance(row, BadRow):
    ...             print(row)
    line 3: overlap: 'loft' 4 to 6 is taken by 'ada' (1 to 5)
    line 4: unreadable time: start 'x' is not a whole number like 42
    >>> list(calendar.bookings("loft"))
    [BookingEvent('loft', 1, 5, id='ada')]
    """
    if bounds not in ("[)", "[]"):
        raise QueryError(bounds, "bounds are '[)' (the end is free again) or '[]' (the end is taken)")
    if keys is not None and keys not in KINDS:
        raise QueryError(keys, f"keys are one of {', '.join(KINDS)}")
    for told in (resource, start, end, id, quantity, delimiter, encoding, date_format):
        if told is not None and not isinstance(told, str):
            raise QueryError(told, "a column, delimiter, encoding or date format is named by a str")
    name, file, is_text = open_source(source)
    try:
        return CsvTable(
            name,
            file,
            named={"resource": resource, "start": start, "end": end, "id": id, "quantity": quantity},
            delimiter=delimiter,
            encoding="utf-8" if is_text else encoding,
            keys=KeyKind(keys) if keys is not None else None,
            date_format=date_format,
            closed=bounds == "[]",
            open_ends=open_ends,
        )
    except BaseException:
        file.close()
        raise


class CsvTable:
    """The rows of one CSV file, once, in order. Close it, or use it in a ``with``, if not read to the end.

    ``keys`` reads further keys as those of the file are read; ``columns`` are the names in the first line;
    ``size`` and ``position`` are bytes of the file, for a progress bar; the size of what is no file on disk is 0.
    ``has_ids`` tells whether there is a column of ids.
    """

    def __init__(
        self,
        path: Path,
        file: io.BufferedReader,
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
        try:
            self.size = os.fstat(file.fileno()).st_size
        except (OSError, ValueError):  # a file that someone else opened need not be one of the system's
            self.size = 0
        self._encoding = encoding
        self._text = self._decoded(encoding)
        first = self._first_line()
        head = read_head(self.path, first, named, delimiter)
        self.delimiter, self.columns, self._places = head.mark, head.columns, head.places
        self.has_ids = self._places[3] >= 0
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
        head = self._file.peek(8)[:8192]
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
                yield line, self._broken(line, str(fault))
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

    def _broken(self, line: int, fault: str) -> BadRow:
        """Return the bad row for a record that cannot be parted; several lines hint at a quote left open."""
        lost = self._line > line
        if fault.startswith("field larger"):  # the csv module's errors carry nothing but their text
            limit = f"a field has more than {csv.field_size_limit():,} characters"
            if not lost:
                return BadRow(line, Reason.TOO_LONG, limit)
            fault = f"{limit}; a quote was left open, most likely"
        reached = f" (lines {line} to {self._line} are lost)" if lost else ""
        return BadRow(line, Reason.QUOTES, f"{fault}{reached}")

    def _key_reader(self, keys: KeyKind | None, date_format: str | None) -> KeyReader:
        if keys is not None or date_format is not None:
            return KeyReader(keys, date_format=date_format)
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
        at_resource, at_start, at_end, at_id, at_quantity = self._places
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
        if at_quantity < 0 or (many := cells[at_quantity].strip()).lower() in NO_VALUE:
            return Row(line, resource, start, end, id or None)
        quantity = _quantity(many)
        if quantity is None:
            return BadRow(line, Reason.QUANTITY, f"{brief(many, 40)} is not a whole number of at least 1")
        return Row(line, resource, start, end, id or None, quantity)

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


def _quantity(text: str) -> int | None:
    """Return a whole number of at least 1 (as spreadsheets write it, ``2.0`` is one), or None."""
    whole, _, rest = text.partition(".")
    if not (whole.isascii() and whole.isdecimal() and len(whole) < 1000) or rest.strip("0"):
        return None
    return int(whole) or None


def _encodes(text: str) -> bool:
    """Tell whether *text* has no lone surrogates, which stand for bytes that could not be decoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
