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
decide, or for a resource with capacity its usage, see `bookcore.stores.memory.live_usage`.

Invariant: every hidden row is in the store, under its record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from operator import attrgetter

from bookcore.index.bitmap import from_ordinals
from bookcore.stores.memory.live_usage import LiveUsage
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord

_number = attrgetter("number")


class Tombstones:
    """The hidden rows of one store, the newest last. Not thread-safe: used under the calendar's lock."""

    __slots__ = ("_at_most", "_by_record", "_doubtful", "_usages", "hidden", "records", "seqs")

    def __init__(self) -> None:
        # Lists and a set of numbers, not an object for each row: ten thousand objects would start the garbage collector.
        self.hidden: set[int] = set()
        self.seqs: list[int] = []  # the numbers in order; some rows may not be hidden any more
        self.records: list[ResourceRecord] = []  # the record of each row; see `newest`
        self._doubtful: int | None = None  # a bitmap of the resources with hidden rows; some may have none any more
        self._at_most = 0  # the number of hidden rows when the bitmap was made
        self._by_record: dict[int, list[int]] | None = None  # the hidden rows of each resource with capacity
        self._usages: dict[int, LiveUsage] = {}  # by number of the resource

    def __len__(self) -> int:
        return len(self.hidden)

    def hide(self, records: Sequence[ResourceRecord], seqs: Sequence[int]) -> None:
        """Hide rows. O(1) each. No key is compared."""
        self.hidden.update(seqs)
        self.seqs += seqs
        self.records += records
        self._doubtful = self._by_record = None
        self._usages.clear()

    def newest(self) -> list[tuple[int, ResourceRecord]]:
        """Return the hidden rows, each with its record. O(k).

        A row that was hidden, put again and hidden again is noted twice: perhaps under a record that was undone meanwhile.
        """
        newest = dict(zip(self.seqs, self.records, strict=True))
        return [(seq, record) for seq, record in newest.items() if seq in self.hidden]

    def show(self, record: ResourceRecord, seq: int) -> None:
        """Make a hidden row visible again. O(1)."""
        self.hidden.discard(seq)
        self._usages.pop(record.number, None)

    def removed(self, record: ResourceRecord, row: Row) -> None:
        """Note that the store has removed a hidden row from its indexes. O(1); for a resource with capacity O(log k)."""
        self.hidden.discard(row[2])
        usage = self._usages.pop(record.number, None)
        if usage is not None:
            usage.without(row)
            self._usages[record.number] = usage  # only if `without` did not raise: otherwise it is computed anew

    def emptied(self, record: ResourceRecord, seqs: Sequence[int]) -> None:
        """Note that the store has removed all rows of a resource. O(rows)."""
        self.hidden.difference_update(seqs)
        self._usages.pop(record.number, None)

    def renumber(self) -> None:
        """Forget all numbers of resources, which are about to change. O(k)."""
        hidden = self.newest()
        self.seqs, self.records = [seq for seq, _ in hidden], [record for _, record in hidden]
        self._doubtful = self._by_record = None
        self._usages.clear()

    def tidy(self) -> None:
        """Drop the data of rows that are not hidden any more, when there are many. O(1)."""
        if not self.hidden:
            self.seqs.clear()
            self.records.clear()
            self._by_record = None
            self._usages.clear()
        if 2 * len(self.hidden) < self._at_most:
            self._doubtful = None

    def resources(self, size: int) -> int:
        """Return a bitmap of the resources with hidden rows; some of them may have none any more. O(1), mostly."""
        if self._doubtful is None:
            self._doubtful = from_ordinals(list(map(_number, self.records)), size)
            self._at_most = len(self.hidden)
        return self._doubtful

    def usage(self, record: ResourceRecord) -> LiveUsage:
        """Return the live usage of a resource with capacity. O(1)."""
        usage = self._usages.get(record.number)
        if usage is None:
            usage = LiveUsage(record.state, self.hidden, partial(self._hidden_of, record))
            self._usages[record.number] = usage
        return usage

    def _hidden_of(self, record: ResourceRecord) -> list[int]:
        """Return the hidden rows of a resource with capacity. O(k); the first call groups all hidden rows by resource."""
        if self._by_record is None:
            self._by_record = defaultdict(list)
            for seq, owner in self.newest():
                if not owner.is_exclusive:
                    self._by_record[owner.number].append(seq)
        return [seq for seq in self._by_record[record.number] if seq in self.hidden]

    def check(self, size: int) -> None:
        """Raise AssertionError unless the invariants hold. O(k)."""
        if not self.hidden <= set(self.seqs) or len(self.seqs) != len(self.records):
            raise AssertionError("a hidden row of which nothing is known")
        resources = self.resources(size)
        for _, record in self.newest():
            if not resources >> record.number & 1:
                raise AssertionError(f"{record!r} is not known to have hidden rows")
