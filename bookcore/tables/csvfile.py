"""Bookings in a CSV file: `read_csv` yields a `Row` for each good row and a `BadRow` for each other.

    with read_csv("bookings.csv") as table:
        for row in table:
            if isinstance(row, BadRow):
                print(row)              # line 17: end before start: ...
            else:
                calendar.book(row.resource, row.start, row.end, id=row.id)

`bookcore.tables.fill` books the rows, and adds the resources that they name. An error of the whole file (missing, not
text, without the columns) is a `TableError` from `read_csv`, before the first row. An error of one row is a `BadRow`
with the number of its line, and reading continues. Gzipped files are unpacked. The first line that has
the columns names them, and lines above it are passed over.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from bookcore.model.errors import BookcoreError, QueryError, blaming, brief, visible
from bookcore.model.typecheck import can_be_encoded, is_a, plain_text
from bookcore.tables.kinds import KeyKind, KeyReader, UnclearKeysError, UnreadableKeyError
from bookcore.tables.opening import (
    ColumnError,
    DelimiterError,
    Header,
    Source,
    TableError,
    open_source,
    position_of,
    read_header,
)

SAMPLE = 1000  # the rows that decide the kind of the keys
KINDS = tuple(kind.value for kind in KeyKind if kind is not KeyKind.OTHER)  # the values of the argument ``keys``
LINE = 1 << 24  # characters: more is no line of a table
HEADER_LINES = 20
_NAMES = 1 << 16  # characters: a longer line of names has no line break in it
_SEPARATOR = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)  # as spreadsheets write it above a table
_STATE = re.compile(r"(^|[^a-z])(status|state|cancell?ed|cancell?ation)([^a-z]|$)")
NO_VALUE = frozenset({"", "na", "n/a", "nan", "nat", "none", "null", "\\n"})  # NULL, as databases write it


Filter: TypeAlias = Mapping[str, str | Iterable[str]]
"""Values by the name of a column."""
Choice: TypeAlias = dict[str, frozenset[str]]


class Reason(StrEnum):
    """Why a row is bad; the value is printed."""

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
    """A row that was read as a booking. ``line`` is the number of its first line; ``id`` is None if it has none."""

    line: int
    resource: str
    start: Any
    end: Any
    id: str | None
    quantity: int = 1


class BadRow(NamedTuple):
    """A row that is no booking, and why. ``detail`` is a sentence with the values of the row."""

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
    zone: str | tzinfo | None = None,
    only: Filter | None = None,
    leave_out: Filter | None = None,
) -> CsvTable:
    r"""Open *source* and return an iterator over its rows, in the order of the file.

    *source* is a path, or an open file of bytes or of text. An open file is read from its current position, and left
    open; ``encoding`` does not apply to an open file of text.

    ``resource``, ``start``, ``end``, ``id`` and ``quantity`` are names of columns. The defaults are ``resource`` or
    ``resource_id``; ``id`` or ``booking_id``, if there is one; ``quantity``, if there is one (an empty cell means 1).
    Case matters only if two columns differ in nothing else. The default ``delimiter`` is the one of ``, ; tab |`` that
    finds the columns. A sample decides the default of ``keys``, see `KeyReader.for_cells`; ``date_format`` is a format
    of `datetime.strptime`. The name of a start or an end may be that of two columns with a comma between them, a date and a
    time of day: ``start="Date,From"``. Lines above the one that names the columns, such as a title, are passed over. With
    *zone* times without a zone are times of that zone; where clocks are set back, a start is the first of two times, and an
    end that differs from it the second if the first is not after the start. *only* and *leave_out* choose rows by the text
    of their cells: ``leave_out={"status": ["Canceled", "No-Show"]}``; the table counts those that it left out. With
    *open_ends* a missing start or end means unbounded instead of a bad row. ``bounds="[]"`` allows spans of one point.

    Complexity: O(1) memory besides the keys, which are shared between equal cells; a line has at most 16 million characters.
    Raises: `TableError`, `ColumnError`, `DelimiterError`, `UnclearKeysError`; `DateFormatError` for a format that cannot
    read dates or not the kind in ``keys``; `HoursError` for an unknown zone; `QueryError` for any other invalid argument.

    `fill` books the rows, and yields each of them again, unchanged or as a bad row:

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
    sort, kind = plain_text(bounds), plain_text(keys)
    if sort not in ("[)", "[]"):
        raise QueryError(bounds, "bounds are '[)' (the end is free again) or '[]' (the end is taken)")
    if keys is not None and kind not in KINDS:
        raise QueryError(keys, f"keys are one of {', '.join(KINDS)}")
    given = resource, start, end, id, quantity, delimiter, encoding, date_format
    texts = [plain_text(argument) for argument in given]  # calls no method of a subclass
    for argument, text in zip(given, texts, strict=True):
        if argument is not None and text is None:
            raise QueryError(argument, "a column, delimiter, encoding or date format is named by a str")
    *columns, delimiter, code, date_format = texts
    name, file, is_text = open_source(source)
    try:
        named = dict(zip(("resource", "start", "end", "id", "quantity"), columns, strict=True))
        return CsvTable(
            name, file, named=named, delimiter=delimiter, encoding="utf-8" if is_text or code is None else code,
            keys=None if kind is None else KeyKind(kind), date_format=date_format, zone=zone,
            only=_filter("only", only), leave_out=_filter("leave_out", leave_out),
            closed=sort == "[]", open_ends=open_ends,
        )  # fmt: skip
    except BaseException:
        file.close()
        raise


def _is_no_text(fault: ColumnError | DelimiterError) -> bool:
    """Tell whether a quarter of the characters in the names of columns are control characters, or could not be decoded."""
    names = "".join(fault.columns) if isinstance(fault, ColumnError) else ""
    return 4 * sum("\udc80" <= char <= "\udcff" or char < " " for char in names) > len(names)


class CsvTable:
    """An iterator over the rows of one CSV file. Close it, or use it in a ``with`` block, if it is not read to the end.

    ``keys`` reads further keys in the same way as those of the file; ``columns`` are their names;
    ``size`` and ``position`` are bytes, for a progress bar (``size`` is 0 if the source is no file on disk);
    ``has_ids`` is whether there is a column of ids; ``left_out`` is the number of rows that were not chosen so far;
    ``states`` are the columns whose names say that they have the status of bookings, with the values in the first rows.
    """

    def __init__(
        self, path: Path, file: io.BufferedReader, *, named: dict[str, str | None], delimiter: str | None, encoding: str,
        keys: KeyKind | None, date_format: str | None, zone: str | tzinfo | None, only: Choice, leave_out: Choice,
        closed: bool, open_ends: bool,
    ) -> None:  # fmt: skip
        self.path = path
        self._file = file
        self._closed, self._open_ends = closed, open_ends
        try:
            self.size = os.fstat(file.fileno()).st_size
        except (OSError, ValueError):  # an open file of the caller may have no descriptor
            self.size = 0
        self._encoding = encoding
        self._text = self._decoded(encoding)
        self._line = 0
        header = self._header(named, delimiter)
        self.delimiter, self.columns, self._positions, _, self._joined = header
        self.has_ids = self._positions[3] >= 0
        self.left_out = 0
        self._unseen = {(name, value) for choice in (only, leave_out) for name, values in choice.items() for value in values}
        self._choices = [
            (position_of(path, self.columns, name), name, values, wanted)
            for choice, wanted in ((only, True), (leave_out, False))
            for name, values in choice.items()
        ]
        self._reader = csv.reader(self._lines(), delimiter=self.delimiter, strict=True)
        self._sample = list(islice(self._records(), SAMPLE))
        self.states = self._find_states({*only, *leave_out})
        self.keys = self._key_reader(keys, date_format, zone)
        self._rows = map(self._row, chain(self._sample, self._records()))

    # -- the file as text ---------------------------------------------------------------------------------

    def _decoded(self, encoding: str) -> io.TextIOBase:
        stream: Any = self._file
        first_bytes = stream.peek(8)[:8192]
        if first_bytes[:2] == b"\x1f\x8b":
            stream = io.BufferedReader(gzip.GzipFile(fileobj=self._file))
            try:
                first_bytes = stream.peek(8)[:8192]
            except (OSError, EOFError) as fault:
                raise TableError(self.path, f"cannot be unpacked as gzip ({fault})") from fault
        if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            if first_bytes[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise TableError(self.path, "the file is UTF-16, not UTF-8; name its encoding, utf-16")
            if first_bytes[:4] == b"PK\x03\x04":
                raise TableError(self.path, "that is a zip file or a spreadsheet; save it as CSV first")
            if b"\0" in first_bytes:
                raise TableError(self.path, "that is no text: there are zero bytes in it; save the table as CSV first")
            encoding = "utf-8-sig"
        try:
            # undecodable bytes become lone surrogates, so that they spoil one row and not the whole file
            return io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
        except (LookupError, ValueError):  # a name that has no bytes, either
            raise TableError(self.path, f"there is no encoding {brief(encoding)}; try utf-8 or latin-1") from None

    def _header(self, named: dict[str, str | None], delimiter: str | None) -> Header:
        """Return the header in the first line that has the columns, of the first twenty that are not blank."""
        best: ColumnError | DelimiterError | None = None
        count = 0
        begun: list[str] = []  # what may go on in the next line, because a quote is open: a name, or a title
        try:
            for line in self._lines():
                self._line += 1
                texts = [text for text in (*(each + line for each in begun), line) if text.strip()]
                if not texts:
                    continue
                if delimiter is None and not count and (excel := _SEPARATOR.fullmatch(line)):
                    delimiter = excel[1]
                    continue
                count += 1
                for text in texts:
                    try:
                        return read_header(self.path, text, named, delimiter)
                    except (ColumnError, DelimiterError) as fault:
                        if best is None or len(fault.missing) < len(best.missing):
                            best = fault
                begun = [text for text in texts if text.count('"') % 2 and len(text) < _NAMES]
                if count == HEADER_LINES:
                    break
        except (UnicodeError, OSError, EOFError) as fault:
            raise TableError(self.path, f"cannot be read ({fault})") from fault
        if best is not None and _is_no_text(best):
            raise TableError(self.path, "that is no text in this encoding; save the table as CSV, or name its encoding")
        raise best or TableError(self.path, "the file is empty; its first line has to name the columns")

    def _lines(self) -> Iterator[str]:
        """Yield the lines of the file. Raises: `TableError` for one that is too long to be a line of a table."""
        read = self._text.readline
        while line := read(LINE + 1):
            if len(line) > LINE:
                raise TableError(self.path, f"a line near {self._line + 1} has more than {LINE:,} characters")
            yield line

    # -- records -------------------------------------------------------------------------------------------

    def _records(self) -> Iterator[tuple[int, list[str] | BadRow]]:
        """Yield every record with the number of its first line, without blank lines."""
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
                raise TableError(self.path, f"cannot be read as {self._encoding} near line {line} ({fault})") from None
            except (OSError, EOFError) as fault:
                raise TableError(self.path, f"reading failed near line {line} ({fault})") from fault
            self._line += reader.line_num - done
            if len(cells) > width and not any(cells[width:]):  # delimiters at the end of the line
                del cells[width:]
            if len(cells) != width:
                if not cells or (len(cells) == 1 and not cells[0].strip()):
                    continue
                yield line, BadRow(line, Reason.COLUMNS, f"{len(cells)} columns, the line of names has {width}")
                continue
            if self._choices and not self._is_chosen(cells):
                self.left_out += 1
                continue
            for day, time in self._joined:
                cells.append(f"{cells[day].strip()} {cells[time].strip()}".strip())
            yield line, cells

    def _is_chosen(self, cells: list[str]) -> bool:
        chosen = True
        for position, name, values, wanted in self._choices:
            value = cells[position].strip()
            if value in values:
                self._unseen.discard((name, value))
            if (value in values) is not wanted:
                chosen = False
        return chosen

    def unseen(self) -> list[tuple[str, str]]:
        """Return the pairs of a column and a value by which rows were to be chosen and that no row had so far."""
        return sorted(self._unseen)

    def _find_states(self, chosen: set[str]) -> dict[str, list[str]]:
        """Return the columns with the status of bookings that differ among the first rows, with their values."""
        states = {}
        for position, name in enumerate(self.columns):
            if _STATE.search(name.casefold()) and name not in chosen and position not in self._positions:
                rows = (cells for _, cells in self._sample if not isinstance(cells, BadRow))
                values = list(dict.fromkeys(cells[position].strip() for cells in rows))
                if len(values) > 1 or any("cancel" in value.casefold() for value in values):
                    states[name] = values
        return states

    def _broken(self, line: int, fault: str) -> BadRow:
        """Return the bad row for a record that cannot be split; a record of several lines suggests an open quote."""
        lost = self._line > line
        if fault.startswith("field larger"):  # csv.Error has no attributes
            limit = f"a field has more than {csv.field_size_limit():,} characters"
            if not lost:
                return BadRow(line, Reason.TOO_LONG, limit)
            fault = f"{limit}; a quote was left open, most likely"
        reached = f" (lines {line} to {self._line} are lost)" if lost else ""
        return BadRow(line, Reason.QUOTES, f"{fault}{reached}")

    def _key_reader(self, keys: KeyKind | None, date_format: str | None, zone: str | tzinfo | None) -> KeyReader:
        if keys is not None or date_format is not None:
            return KeyReader(keys, date_format=date_format, zone=zone)
        positions = self._positions[1:3]
        columns = [self.columns[position] for position in positions if position < len(self.columns)]
        rows = [(line, cells) for line, cells in self._sample if not isinstance(cells, BadRow)]
        texts = [(line, cells[position].strip()) for line, cells in rows for position in positions]
        dates = all("date" in name.casefold() for name in columns)
        try:
            return KeyReader.for_cells(
                (text for _, text in texts if text.lower() not in NO_VALUE), dates=dates, zone=zone
            )
        except UnclearKeysError as fault:
            raise fault.at(next((line for line, text in texts if text == fault.other), None)) from None

    # -- rows ----------------------------------------------------------------------------------------------

    def _row(self, record: tuple[int, list[str] | BadRow]) -> Row | BadRow:
        line, cells = record
        if isinstance(cells, BadRow):
            return cells
        at_resource, at_start, at_end, at_id, at_quantity = self._positions
        resource, left, right = cells[at_resource].strip(), cells[at_start].strip(), cells[at_end].strip()
        id = cells[at_id].strip() if at_id >= 0 else ""
        for text in (resource, id, left, right):
            if not text.isascii() and not can_be_encoded(text):
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
        if start is not None and end is not None:
            end = keys.after(start, end)
            ahead = keys.order(start, end)
        else:
            ahead = 1
        if ahead < 1:
            if ahead < 0:
                return BadRow(line, Reason.REVERSED, f"{visible(left)} to {visible(right)} of {brief(resource, 40)}")
            if not self._closed:
                between = f"{visible(left)} to {visible(right)} of {brief(resource, 40)}"
                return BadRow(line, Reason.EMPTY, f"{between} holds no time")
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
        """The number of bytes read from the file."""
        return self.size if self._file.closed else self._file.tell()

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        self._text.close()
        self._file.close()

    def __enter__(self) -> CsvTable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _filter(argument: str, named: Filter | None) -> Choice:
    """Return the values of each column as a set. Raises: `QueryError`."""
    if named is None:
        return {}
    wrong = QueryError(named, f'{argument} maps names of columns to texts, as {{"status": ["Canceled"]}} does')
    choice = {}
    with blaming(lambda exc: wrong, BookcoreError):
        for name, values in dict(named).items():
            texts = [plain_text(value) for value in ([values] if is_a(values, str) else values)]
            column = plain_text(name)
            if column is None or None in texts:
                raise wrong
            choice[column] = frozenset(text.strip() for text in texts if text is not None)  # as cells are
    return choice


def _quantity(text: str) -> int | None:
    """Return a whole number of at least 1 (also written ``2.0``, as spreadsheets do), or None."""
    whole, _, rest = text.partition(".")
    if not (whole.isascii() and whole.isdecimal() and len(whole) < 1000) or rest.strip("0"):
        return None
    return int(whole) or None
