"""The hidden rows of a `MemoryStore`: rows that are still in its indexes, and in no answer.

Ten thousand holds may run out at the same instant, and from that instant on no answer may contain them. To remove a row from
both indexes costs as much as to book it, so the rows are first hidden, which is cheap, and removed later, a few at a time:

    intervals of r      [ 1, 3 )   [ 4, 7 )   [ 8, 9 )      the rows in the index
    hidden of r                    [ 4, 7 )
    overlapping(2, 9)   [ 1, 3 )              [ 8, 9 )      the answer
    is_free(4, 6)       not free by the intervals, but all rows that overlap are hidden: free
    put [4, 6)          removes [ 4, 7 ), then inserts
    busy(4, 6)          the busy resources by the occupancy index, without those with hidden rows for which `is_free` is True

The indexes may contain too many rows, never too few. If they say that a span is free, it is; otherwise the rows themselves
decide, as in a store without an index (`bookcore.stores.generic`), and so they do where free time is asked for.

Invariant: every hidden row is in the store, under its record.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from bookcore.index.bitmap import from_ordinals
from bookcore.stores.record import ResourceRecord

_number = attrgetter("number")


class Tombstones:
    """The hidden rows of one store, the newest last. Not thread-safe: used under the calendar's lock."""

    __slots__ = ("_at_most", "_doubtful", "hidden", "records", "seqs")

    def __init__(self) -> None:
        # Lists and a set of numbers, not an object for each row: ten thousand objects would start the garbage collector.
        self.hidden: set[int] = set()
        self.seqs: list[int] = []  # the numbers in order; some rows may not be hidden any more
        self.records: list[ResourceRecord] = []  # the record of each row; see `newest`
        self._doubtful: int | None = None  # a bitmap of the resources with hidden rows; some may have none any more
        self._at_most = 0  # the number of hidden rows when the bitmap was made

    def __len__(self) -> int:
        return len(self.hidden)

    def hide(self, records: Sequence[ResourceRecord], seqs: Sequence[int]) -> None:
        """Hide rows. O(1) each. No key is compared."""
        self.hidden.update(seqs)
        self.seqs += seqs
        self.records += records
        self._doubtful = None

    def newest(self) -> list[tuple[int, ResourceRecord]]:
        """Return the hidden rows, each with its record. O(k).

        A row that was hidden, put again and hidden again is noted twice: perhaps under a record that was undone meanwhile.
        """
        newest = dict(zip(self.seqs, self.records, strict=True))
        return [(seq, record) for seq, record in newest.items() if seq in self.hidden]

    def renumber(self) -> None:
        """Forget all numbers of resources, which are about to change. O(k)."""
        hidden = self.newest()
        self.seqs, self.records = [seq for seq, _ in hidden], [record for _, record in hidden]
        self._doubtful = None

    def tidy(self) -> None:
        """Drop the data of rows that are not hidden any more, when there are many. O(1)."""
        if not self.hidden:
            self.seqs.clear()
            self.records.clear()
        if 2 * len(self.hidden) < self._at_most:
            self._doubtful = None

    def resources(self, size: int) -> int:
        """Return a bitmap of the resources with hidden rows; some of them may have none any more. O(1), mostly."""
        if self._doubtful is None:
            self._doubtful = from_ordinals(list(map(_number, self.records)), size)
            self._at_most = len(self.hidden)
        return self._doubtful

    def may_hide(self, record: ResourceRecord, size: int) -> bool:
        """Tell whether a resource has hidden rows, or had some until lately. Complexity: as `resources`."""
        return bool(self.hidden) and bool(self.resources(size) >> record.number & 1)

    def check(self, size: int) -> None:
        """Raise AssertionError unless the invariants hold. O(k)."""
        if not self.hidden <= set(self.seqs) or len(self.seqs) != len(self.records):
            raise AssertionError("a hidden row of which nothing is known")
        resources = self.resources(size)
        for _, record in self.newest():
            if not resources >> record.number & 1:
                raise AssertionError(f"{record!r} is not known to have hidden rows")
