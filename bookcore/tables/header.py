"""The first line of a table: which character parts it, and where the five columns stand that matter."""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

from bookcore.model.errors import brief
from bookcore.tables.errors import ColumnError, DelimiterError, TableError

__all__ = ["Head", "read_head"]

DELIMITERS = (",", ";", "\t", "|")
ALIASES = {"resource": ("resource", "resource_id"), "id": ("id", "booking_id")}
OPTIONAL = ("id", "quantity")  # taken if they are there; must be, if they were named


class Head(NamedTuple):
    """The first line, parted: the columns, where the five stand (-1: nowhere), and which of them are missing."""

    mark: str
    columns: tuple[str, ...]
    places: tuple[int, ...]
    missing: tuple[str, ...]

    def worth(self) -> tuple[int, int]:
        """Return what is lowest for the likeliest delimiter."""
        return len(self.missing), -len(self.columns)


def read_head(path: object, line: str, named: dict[str, str | None], delimiter: str | None) -> Head:
    """Return what the first line says; *named* are the columns wanted, as resource, start, end, id and quantity.

    Raises: `ColumnError`, `DelimiterError`, `TableError`.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise TableError(path, f"a delimiter is one character, got {brief(delimiter)}")
    # most columns found wins; if nothing is, the split that yields most names is the likeliest
    marks = DELIMITERS if delimiter is None else (delimiter,)
    best = min((_split(path, line, named, mark) for mark in marks), key=Head.worth)
    if best.missing and delimiter is not None:
        likely = min((_split(path, line, named, mark) for mark in DELIMITERS), key=Head.worth)
        if likely.worth() < best.worth():
            raise DelimiterError(path, delimiter, likely.mark)
    for place in best.places:
        name = best.columns[place]
        if place >= 0 and best.columns.count(name) > 1:
            raise TableError(path, f"there are {best.columns.count(name)} columns named {brief(name)}")
    if best.missing:
        wanted = tuple(named[what] or what for what in best.missing)
        raise ColumnError(path, wanted, best.missing, best.columns)
    return best


def _split(path: object, line: str, named: dict[str, str | None], mark: str) -> Head:
    """Return the first line as *mark* parts it."""
    try:
        columns = tuple(name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=mark)))
    except (csv.Error, StopIteration, TypeError, ValueError) as fault:
        raise TableError(path, f"the first line cannot be read ({fault})") from None
    places, missing = [], []
    for what, name in named.items():
        place = _place(columns, (name,) if name is not None else ALIASES.get(what, (what,)))
        places.append(place)
        if place < 0 and not (what in OPTIONAL and name is None):
            missing.append(what)
    return Head(mark, columns, tuple(places), tuple(missing))


def _place(columns: tuple[str, ...], names: tuple[str, ...]) -> int:
    """Return where the first of *names* stands, or -1; only if none does, capitals do not matter."""
    for name in names:
        if name in columns:
            return columns.index(name)
    folded = [column.casefold() for column in columns]
    for name in names:
        if folded.count(name.casefold()) == 1:
            return folded.index(name.casefold())
    return -1
