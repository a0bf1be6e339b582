"""Bookings from tables: CSV files read row by row, with every bad row named by its line and its reason.

    from bookcore.tables import BadRow, fill, read_csv

Needs no extra. `read_csv` shows how its rows become bookings, which is what `fill` does.
"""

from __future__ import annotations

from bookcore.tables.csvfile import BadRow, CsvTable, Reason, Row, read_csv
from bookcore.tables.errors import ColumnError, DelimiterError, TableError
from bookcore.tables.filling import fill
from bookcore.tables.formats import DateFormatError
from bookcore.tables.kinds import KeyKind, KeyReader, UnclearKeysError, UnreadableKeyError

__all__ = [
    "BadRow",
    "ColumnError",
    "CsvTable",
    "DateFormatError",
    "DelimiterError",
    "KeyKind",
    "KeyReader",
    "Reason",
    "Row",
    "TableError",
    "UnclearKeysError",
    "UnreadableKeyError",
    "fill",
    "read_csv",
]
