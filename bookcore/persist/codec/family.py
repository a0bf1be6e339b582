"""What a family of values is: how the values of one type are written and read, many rows at a time.

    family.py  <  scalars, times, containers, extension_types  <  columns.py

The modules in the middle define the families, and `columns` chooses among them. A family whose values hold other
values (a list, say) writes these as a column again. It does so through `ColumnWriter` and `ColumnReader`, which
are abstract here and implemented by `columns`, so that no family imports the module which lists all families.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from bookcore.persist.codec.blob import BlobReader, BlobWriter
from bookcore.persist.codec.budget import Budget


class Family(NamedTuple):
    """How the values of one type are written and read.

    ``tokens`` returns a hashable token for each value of a list. Two tokens are equal only if the two values are
    equal in everything: value, type and representation. Such values may share one entry of a table, and come back
    as one object. None means that values of this family are not put in tables.
    ``scalar`` says that the values hold no other values.
    """

    code: int
    encode: Callable[[Any, list[Any]], None]
    decode: Callable[[Any, int], list[Any]]
    tokens: Callable[[list[Any]], Iterable[Hashable]] | None = None
    scalar: bool = True


def by_value(values: list[Any]) -> Iterable[Hashable]:
    """Return the values as tokens: right for types whose equal values are equal in everything."""
    return values


def by_identity(values: list[Any]) -> Iterable[Hashable]:
    """Return ids as tokens: for types without a hash, or whose equal values may differ (``0.0`` and ``-0.0``)."""
    return range(len(values)) if _APART.get() else map(id, values)


@contextmanager
def apart() -> Iterator[None]:
    """Write the same bytes in a block whether equal values are one object or several: `by_identity` finds none twice."""
    token = _APART.set(True)
    try:
        yield
    finally:
        _APART.reset(token)


_APART: ContextVar[bool] = ContextVar("bookcore.apart", default=False)


class ColumnWriter(BlobWriter, ABC):
    """A `BlobWriter` that also writes columns of any values."""

    __slots__ = ("outermost",)

    outermost: bool
    """All rows of the outermost column are being written, as values of one family."""

    @abstractmethod
    def column(self, values: list[Any]) -> None:
        """Append a column of *values* of any types."""

    @abstractmethod
    def spend(self, count: int) -> None:
        """Take *count* nested values off the number that may still be written, before they are laid out."""

    @abstractmethod
    def coded(self, value: Any) -> tuple[str, Any] | None:
        """Return the name of the key codec of a value, and the plain values it makes of it; None if it has none."""


class ColumnReader(BlobReader, ABC):
    """A `BlobReader` that also reads columns of any values."""

    __slots__ = ("budget", "outermost")

    budget: Budget
    """What the file may still describe."""
    outermost: bool
    """All rows of the outermost column are being read, as values of one family."""

    @abstractmethod
    def column(self, rows: int) -> Sequence[Any]:
        """Return the values of a column of *rows* rows."""
