"""Bookings from tables: CSV files read row by row, with every bad row named by its line and its reason.

    from bookcore.tables import BadRow, read_csv

Needs no extra. `bookcore.tables.filling.fill` puts the rows into a calendar.
"""

from __future__ import annotations

from bookcore.tables.csvfile import BadRow, ColumnError, CsvTable, Reason, Row, TableError, read_csv
from bookcore.tables.formats import DateFormatError
from bookcore.tables.kinds import KeyKind, KeyReader, UnclearKeysError, UnreadableKeyError

__all__ = [
    "BadRow",
    "ColumnError",
    "CsvTable",
    "DateFormatError",
    "KeyKind",
    "KeyReader",
    "Reason",
    "Row",
    "TableError",
    "UnclearKeysError",
    "UnreadableKeyError",
    "read_csv",
]
