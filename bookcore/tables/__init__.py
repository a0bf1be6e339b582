"""Bookings from CSV files, read row by row; every bad row is reported with its line and its reason.

    from bookcore.tables import BadRow, fill, read_csv

`read_csv` reads the rows, `fill` books them. Needs no extra.
"""

from __future__ import annotations

from bookcore.tables.csvfile import BadRow, CsvTable, Reason, Row, read_csv
from bookcore.tables.filling import fill
from bookcore.tables.kinds import DateFormatError, KeyKind, KeyReader, UnclearKeysError, UnreadableKeyError
from bookcore.tables.opening import ColumnError, DelimiterError, TableError

__all__ = [
    "BadRow", "ColumnError", "CsvTable", "DateFormatError", "DelimiterError", "KeyKind", "KeyReader", "Reason", "Row",
    "TableError", "UnclearKeysError", "UnreadableKeyError", "fill", "read_csv",
]  # fmt: skip
