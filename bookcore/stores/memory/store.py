"""`MemoryStore`: intervals for each resource to decide, one index of occupancy bitmaps to search.

    put(r, a, b)       intervals of r: one bisect decides, the edges are made anew     O(log m)
                       occupancy: a start, an end, a bit for every eighth chunk crossed
    is_free(r, a, b)   intervals of r alone                                            O(log m)
    busy(a, b)         occupancy alone, whatever the number of resources

The occupancy index holds the *blocked* spans of a resource: where not even one unit is left. For an exclusive resource these
are its bookings, which its `ExclusiveIndex` keeps; for all others their `CapacityIndex` derives them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from bookcore.index.bitmap import Bitmap, from_ordinals, ordinals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.model.errors import KeyTypeError, StoreError
from bookcore.model.lengths import reach
from bookcore.stores.generic import widened
from bookcore.stores.memory.bulk import load, worth_it
from bookcore.stores.memory.capacity import CapacityIndex
from bookcore.stores.memory.exclusive import ExclusiveIndex
from bookcore.stores.memory.tombstones import Tombstones
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord
from bookcore.stores.sizes import Sizes

__all__ = ["MemoryStore"]


class MemoryStore:
    """Bookings in memory, indexed by resource and over the axis. The default store of a `Calendar`.

    Not thread-safe by itself: it stays behind the calendar's lock. What its calls promise, and raise: `BookingStore`.

    >>> from bookcore import Calendar, MemoryStore
    >>> store = MemoryStore()
    >>> calendar = Calendar(store)
    >>> Calendar(store)
    Traceback (most recent call last):
    bookcore.errors.StoreError: MemoryStore: already serves a calendar; give each calendar a store of its own
    """

    def __init__(self, sizes: Sizes | None = None) -> None:
        self.sizes = sizes or Sizes()
        self._closed: bool | None = None
        self._occupancy = OccupancyIndex()
        self._pooled = Bitmap()  # the resources that have a `CapacityIndex`
        self._records: dict[int, ResourceRecord] = {}
        self._size = 0  # one above the highest number seen
        self._tombstones = Tombstones()

    def bind(self, closed: bool) -> None:
        """Begin to serve one calendar. Raises: `StoreError` when it serves one. O(1)."""
        if self._closed is not None:
            raise StoreError(self, "already serves a calendar; give each calendar a store of its own")
        self._closed = closed
        self._occupancy = OccupancyIndex(closed, **self.sizes.occupancy)

    def add_resource(self, record: ResourceRecord) -> None:
        """Make room for a resource. O(1)."""
        self._size = max(self._size, record.number + 1)
        self._records[record.number] = record
        if record.is_exclusive:
            record.state = ExclusiveIndex(record, self._occupancy, bool(self._closed), self.sizes)
            if type(self).put is MemoryStore.put and type(self).is_free is MemoryStore.is_free:
                record.offer(record.state)  # else a subclass wants to be asked
        else:
            record.state = CapacityIndex(record, bool(self._closed), self.sizes)
            self._pooled.add(record.number)

    def remove_resource(self, record: ResourceRecord) -> None:
        """Forget a resource, which has no bookings. O(1); O(m log m) in its hidden rows."""
        if self._tombstones:
            self._drop_hidden(record)
        record.offer(None)
        record.state = None
        del self._records[record.number]
        if not record.is_exclusive:
            self._pooled.discard(record.number)

    # -- changes -----------------------------------------------------------------------------------

    def put(self, record: ResourceRecord, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Hold a row. Raises: `StoreError` where an exclusive resource has no room. O(log m + chunks crossed).

        Hidden rows in the way of an exclusive resource are removed first. A hidden row that is put again is shown again.
        """
        tombstones = self._tombstones
        if tombstones and seq in tombstones.hidden:
            tombstones.show(record, seq)
        elif not record.is_exclusive:
            self._follow(record, *record.state.put(start, end, seq, quantity), undo=lambda: record.state.remove(seq))
        else:
            if tombstones:
                self._clear(record, start, end)
            if not record.state.insert_if_free(start, end, seq):
                raise StoreError(self, f"booking {seq} was put where there is no room")

    def remove(self, record: ResourceRecord, start: Any, end: Any, seq: int) -> None:
        """Remove a row. O(log m + chunks crossed)."""
        if record.is_exclusive:
            record.state.remove(seq)
            return
        quantity = record.state.row(seq)[3]
        undo = lambda: record.state.put(start, end, seq, quantity)  # noqa: E731
        self._follow(record, *record.state.remove(seq), undo=undo)

    def _follow(self, record: ResourceRecord, gone: Any, come: Any, *, undo: Any) -> None:
        """Bring the occupancy up to date with a change of the blocked spans of a resource with capacity."""
        number, occupancy = record.number, self._occupancy
        try:
            for start, end, previous, following in gone:
                occupancy.remove(number, start, end, previous, following)
            for start, end in come:
                occupancy.add(number, start, end)
        except BaseException:  # a comparison of the user's keys failed half way
            undo()
            self._resume(record)
            raise

    def _resume(self, record: ResourceRecord) -> None:
        """Put the blocked spans of a resource into the occupancy anew, whatever of them is there. O(m of all)."""
        self._occupancy.forget(record.number)
        for start, end in record.state.blocked():
            self._occupancy.add(record.number, start, end)

    def load(
        self, records: Sequence[ResourceRecord], starts: Sequence[Any], ends: Sequence[Any], seqs: Sequence[int]
    ) -> bool:
        """Hold all rows or none; see `bookcore.stores.memory.bulk`.

        O(k log k) for k, and the rows held before are passed once.
        """
        if len(self._tombstones) > len(seqs):
            return False
        self.vacuum(len(self._tombstones))
        if self._tombstones:
            return False
        held: list[ResourceRecord] = []
        if len(self._occupancy):
            if self._pooled.value() or not worth_it(self._occupancy, len(seqs)):
                return False  # the blocked spans of resources with capacity are in the occupancy, and in no intervals
            held = [record for record in self._records.values() if len(record.state.intervals)]
        return load(self._occupancy, bool(self._closed), held, records, starts, ends, seqs)

    # -- questions ---------------------------------------------------------------------------------

    def row(self, record: ResourceRecord, seq: int) -> Row:
        """Return the row of this number. O(log m)."""
        row: Row = record.state.row(seq)
        return row

    def overlapping(self, record: ResourceRecord, start: Any, end: Any) -> list[Row]:
        """Return the rows that overlap the span, by start, then by number. O(log m + answers)."""
        rows: list[Row] = record.state.overlapping(start, end)
        if self._tombstones:
            hidden = self._tombstones.hidden
            return [row for row in rows if row[2] not in hidden]
        return rows

    def columns(self, records: Sequence[ResourceRecord]) -> tuple[Any, ...] | None:
        """Return the rows of some resources as columns: starts, ends, numbers, None, and how many rows each resource has.

        None where that takes a look at each row: with capacity, unbounded spans, or hidden rows. O(rows), in C.
        """
        intervals = [record.state.intervals for record in records if record.is_exclusive]
        if len(intervals) < len(records) or self._tombstones or not all(each.is_bounded for each in intervals):
            return None
        edges = list(chain.from_iterable(each.edges for each in intervals))
        seqs = array("q", chain.from_iterable(each.values for each in intervals))
        return edges[::2], edges[1::2], seqs, None, list(map(len, intervals))

    def is_free(self, record: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """Tell whether *quantity* more units fit over the whole span.

        Complexity: O(log m), and with capacity as `Calendar.is_available`; with hidden rows, those that overlap besides.
        """
        if record.is_exclusive:
            free: bool = record.state.is_free(start, end)
        else:
            free = record.state.has_room(start, end, quantity)
        return free or (bool(self._tombstones) and self._is_freed(record, start, end, quantity))

    def _is_freed(self, record: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """Tell whether there is room where the indexes, which hold hidden rows, say that there is none."""
        tombstones = self._tombstones
        if record.is_exclusive:
            return all(row[2] in tombstones.hidden for row in record.state.overlapping(start, end))
        return tombstones.usage(record).has_room(*reach(record, start, end), record.capacity - quantity)

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """Return the resources without room for *quantity* in the span. For one unit the occupancy alone knows.

        Complexity: as `OccupancyIndex.busy`; for more units, as `is_free` besides for each resource with capacity that has
        one left; each resource that is busy and has hidden rows is asked as well.
        """
        bits = self._occupancy.busy(start, end)
        if quantity > 1:
            # Exclusive resources never have room; those with capacity that are not full for one unit are asked.
            pooled = self._pooled.value()
            full = [n for n in ordinals(pooled & ~bits) if not self._may_fit(n, start, end, quantity)]
            bits |= from_ordinals(full, self._size) | (((1 << self._size) - 1) & ~pooled)
        if self._tombstones:
            doubtful = bits & self._tombstones.resources(self._size)
            if quantity > 1:
                doubtful &= self._pooled.value()
            freed = [n for n in ordinals(doubtful) if self._is_freed(self._records[n], start, end, quantity)]
            bits ^= from_ordinals(freed, self._size)
        return bits

    def _may_fit(self, number: int, start: Any, end: Any, quantity: int) -> bool:
        try:
            fits: bool = self._records[number].state.has_room(start, end, quantity)
            return fits
        except KeyTypeError:  # its turnaround does not go with these keys
            return False

    # -- free time ---------------------------------------------------------------------------------

    def blocked_spans(
        self, record: ResourceRecord, start: Any, end: Any, quantity: int, length: Any = None
    ) -> Iterator[tuple[Any, Any]] | None:
        """Yield the spans that a booking of *quantity* may not overlap; None where hidden rows make the index inexact."""
        tombstones = self._tombstones
        if not record.is_exclusive:
            use = tombstones.usage(record) if tombstones else record.state.profile
            return widened(use, record, start, end, quantity, bool(self._closed))
        if tombstones and tombstones.resources(self._size) >> record.number & 1:
            return None
        spans: Iterator[tuple[Any, Any]] = record.state.intervals.spans(start, end, length)
        return spans

    def usage(self, record: ResourceRecord, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]] | None:
        """Yield the steps of usage of a resource with capacity; None where turnaround is part of what is indexed."""
        if record.is_exclusive or record.before is not None or record.after is not None:
            return None
        use = self._tombstones.usage(record) if self._tombstones else record.state.profile
        steps: Iterator[tuple[Any, Any, int]] = use.steps(start, end)
        return steps

    def ends_after(self, after: Any, meeting: bool, until: Any, within: int) -> list[tuple[Any, list[int], int]]:
        """Return the next keys at which blocked spans end, see `OccupancyIndex.ends_after`. Hidden rows are among them."""
        return self._occupancy.ends_after(after, meeting, until, within)

    # -- hidden rows -------------------------------------------------------------------------------

    @property
    def hidden_count(self) -> int:
        """How many rows are hidden and not removed yet. O(1)."""
        return len(self._tombstones)

    def hide(self, records: Sequence[ResourceRecord], seqs: Sequence[int]) -> None:
        """Answer as if these rows had been removed. O(1) each. No key is compared."""
        self._tombstones.hide(records, seqs)

    def vacuum(self, most: int) -> None:
        """Remove at most so many hidden rows from the indexes, the latest first. O(log m + chunks crossed) for each.

        A row whose keys cannot be compared now stays for a later call; every answer is right meanwhile.
        """
        tombstones = self._tombstones
        while tombstones.hidden and most > 0:
            seq = tombstones.seqs[-1]
            if seq in tombstones.hidden:
                try:
                    self._remove_hidden(tombstones.records[-1], seq)
                except Exception:
                    break
                most -= 1
            del tombstones.seqs[-1], tombstones.records[-1]
        tombstones.tidy()

    def _remove_hidden(self, record: ResourceRecord, seq: int) -> None:
        row = record.state.row(seq)
        self.remove(record, row[0], row[1], seq)
        self._tombstones.removed(record, row)

    def _clear(self, record: ResourceRecord, start: Any, end: Any) -> None:
        """If all rows that overlap the span of an exclusive resource are hidden, remove them from the indexes."""
        rows = record.state.overlapping(start, end)
        if all(row[2] in self._tombstones.hidden for row in rows):
            for row in rows:
                self._remove_hidden(record, row[2])

    def _drop_hidden(self, record: ResourceRecord) -> None:
        """Remove all hidden rows of a resource that has no others."""
        if record.is_exclusive:
            self._clear(record, None, None)
            return
        self._tombstones.emptied(record, [row[2] for row in record.state.overlapping(None, None)])
        self._follow(record, record.state.clear(), [], undo=lambda: None)

    def check(self) -> None:
        """Raise AssertionError unless every invariant holds. O(m)."""
        self._occupancy.check()
        for record in self._records.values():
            record.state.check()
        tombstones = self._tombstones
        tombstones.check(self._size)
        for record, seq in zip(tombstones.records, tombstones.seqs, strict=True):
            if seq in tombstones.hidden:
                record.state.row(seq)
        for number, usage in tombstones._usages.items():
            usage.check(self.overlapping(self._records[number], None, None))
