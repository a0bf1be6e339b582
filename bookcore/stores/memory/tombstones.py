"""The rows that a `MemoryStore` still holds in its indexes and hides from every answer.

Ten thousand holds may run out at one instant, and from that instant no answer may show them; but to remove one from both
indexes costs as much as to book it. So they are hidden first, which costs a note each, and removed little by little later:

    intervals of r      [ 1, 3 )   [ 4, 7 )   [ 8, 9 )      what the index holds
    hidden of r                    [ 4, 7 )
    overlapping(2, 9)   [ 1, 3 )              [ 8, 9 )      what is answered
    is_free(4, 6)       taken in the intervals, and all rows that overlap are hidden: free
    put [4, 6)          removes [ 4, 7 ), then inserts
    busy(4, 6)          the busy resources by the occupancy index, less those with hidden rows that `is_free` says are free

The indexes hold a little too much, never too little: what they say is free is free, and where they say taken the rows
themselves are looked at. Of a resource with capacity the usage is looked at, see `bookcore.stores.memory.live_usage`.

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

__all__ = ["Tombstones"]

_number = attrgetter("number")


class Tombstones:
    """The hidden rows of one store, the newest last. Not thread-safe: it stays behind the calendar's lock."""

    __slots__ = ("_at_most", "_by_record", "_doubtful", "_usages", "hidden", "records", "seqs")

    def __init__(self) -> None:
        # Two lists and a set of numbers rather than objects: ten thousand of those would start the garbage collector.
        self.hidden: set[int] = set()
        self.seqs: list[int] = []  # the same in order; some may have been removed since
        self.records: list[ResourceRecord] = []  # the record of each
        self._doubtful: int | None = None  # the resources with hidden rows, as a bitmap; some of them may have none any more
        self._at_most = 0  # how many rows were hidden when it was made
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

    def show(self, record: ResourceRecord, seq: int) -> None:
        """Show a hidden row again. O(1)."""
        self.hidden.discard(seq)
        self._usages.pop(record.number, None)

    def removed(self, record: ResourceRecord, row: Row) -> None:
        """Follow the store, which has removed a hidden row from its indexes. O(1); of a resource with capacity O(log k)."""
        self.hidden.discard(row[2])
        usage = self._usages.pop(record.number, None)
        if usage is not None:
            usage.without(row)
            self._usages[record.number] = usage  # only now: where its keys could not be compared, it is made anew

    def emptied(self, record: ResourceRecord, seqs: Sequence[int]) -> None:
        """Follow the store, which has removed all rows of a resource at once. O(rows)."""
        self.hidden.difference_update(seqs)
        self._usages.pop(record.number, None)

    def tidy(self) -> None:
        """Forget what is known of rows that are not hidden any more. O(1), or O(n / 8) once in so many rows."""
        if not self.hidden:
            self.seqs.clear()
            self.records.clear()
            self._by_record = None
            self._usages.clear()
        if 2 * len(self.hidden) < self._at_most:
            self._doubtful = None

    def resources(self, size: int) -> int:
        """Return the resources with hidden rows, as a bitmap; less than half of them may have none any more.

        O(1), mostly.
        """
        if self._doubtful is None:
            self._doubtful = from_ordinals(map(_number, self.records), size)
            self._at_most = len(self.hidden)
        return self._doubtful

    def usage(self, record: ResourceRecord) -> LiveUsage:
        """Return what knows how much of a resource with capacity is in use. O(1)."""
        usage = self._usages.get(record.number)
        if usage is None:
            usage = LiveUsage(record.state, self.hidden, partial(self._hidden_of, record))
            self._usages[record.number] = usage
        return usage

    def _hidden_of(self, record: ResourceRecord) -> list[int]:
        """Return the hidden rows of a resource with capacity. O(k); the first to ask pays for a look at all hidden rows."""
        if self._by_record is None:
            self._by_record = defaultdict(list)
            for owner, seq in zip(self.records, self.seqs, strict=True):
                if not owner.is_exclusive:
                    self._by_record[owner.number].append(seq)
        # a row that was hidden, put again and hidden again is there twice
        return [seq for seq in dict.fromkeys(self._by_record[record.number]) if seq in self.hidden]

    def check(self, size: int) -> None:
        """Raise AssertionError unless the notes agree with each other. O(k)."""
        if not self.hidden <= set(self.seqs) or len(self.seqs) != len(self.records):
            raise AssertionError("a hidden row of which nothing is known")
        resources = self.resources(size)
        for record, seq in zip(self.records, self.seqs, strict=True):
            if seq in self.hidden and not resources >> record.number & 1:
                raise AssertionError(f"{record!r} is not known to have hidden rows")
