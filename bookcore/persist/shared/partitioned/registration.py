"""`Registration`: the resources of several partitions as one table, in order of registration.

    directory       a  b  c  d  e  f
    partition 0     a     c
    partition 1        b        e  f
    partition 2              d
    one after the other              a  c  b  e  f  d
    rows            0  2  1  5  3  4                     where each resource of the directory is among those

A question about all resources asks each partition for a bitmap. The bits of all, one partition after the other, are put into
order by ``rows`` in C, and select from the table: nothing is looked up for each answer.

Invariant: a table is made of what the directory and the partitions had when it was made. It is used as long as they have the
same records in the same places, which takes half a nanosecond a resource to find out; it needs no notice of changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from operator import itemgetter
from typing import Any

from bookcore.index.bitmap import selectors

LAST = 1 << 62
"""A place after all others: of a resource that the directory does not have yet."""

_BLANK = (None, None)
"""What is before all rows, and is never selected: an `itemgetter` of less than two returns no tuple."""
Column = list[Any]
"""The records of a registry by number; None where the resource was removed."""


class Registration:
    """See above. ``columns`` has the directory's records by number, then those of each partition."""

    __slots__ = ("_in_order", "_shown", "columns")

    def __init__(self, columns: Sequence[Column]) -> None:
        """O(n log n)."""
        self.columns = tuple(columns)
        directory, *others = columns
        places = {record.id: place for place, record in enumerate(directory) if record is not None}
        given = [*_BLANK, *(record for column in others for record in column)]
        present = [row for row, record in enumerate(given) if record is not None]
        rows = sorted(present, key=lambda row: places.get(given[row].id, LAST))
        records = [given[row] for row in rows]
        self._in_order = itemgetter(*range(len(_BLANK)), *rows)
        self._shown = {
            "id": [*_BLANK, *(record.id for record in records)],
            "resource": [*_BLANK, *(record.resource for record in records)],
        }

    def __len__(self) -> int:
        return len(self._shown["id"]) - len(_BLANK)

    def select(self, places: Iterable[int], shown: str) -> list[Any]:
        """Return the resources in the bitmaps of the partitions, each as its ``id`` or as its ``resource``. O(n), in C."""
        _, *others = self.columns
        parts = [selectors(bits | 1 << len(column))[:-1] for bits, column in zip(places, others, strict=True)]
        return list(compress(self._shown[shown], self._in_order(bytes(len(_BLANK)) + b"".join(parts))))
