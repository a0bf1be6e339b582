"""`MemoryStore`: an index for each resource, and an occupancy index of bitmaps for all resources.

    put(r, a, b)       index of r: one bisect decides, the edges are replaced          O(log m)
                       occupancy: a start, an end, a bit for every eighth chunk crossed
    is_free(r, a, b)   index of r only                                                 O(log m)
    busy(a, b)         occupancy only, for any number of resources

The occupancy index contains the *blocked* spans of each resource, in which no unit is left. For an exclusive resource these
are its bookings, which its `ExclusiveIndex` keeps; for other resources, the `CapacityIndex` computes them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from bookcore.index.bitmap import Bitmap, from_ordinals, ordinals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.model.errors import KeyTypeError, StoreError
from bookcore.model.keys import HIGHEST, LOWEST
from bookcore.stores.generic import fits, or_false, widened
from bookcore.stores.memory.bulk import load, worth_it
from bookcore.stores.memory.capacity import CapacityIndex
from bookcore.stores.memory.exclusive import ExclusiveIndex
from bookcore.stores.memory.tombstones import Tombstones
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord
from bookcore.stores.sizes import Sizes, check_sizes


class MemoryStore:
    """Bookings in memory, with an index for each resource and one for all. The default store of a `Calendar`.

    Not thread-safe: used under the calendar's lock. `BookingStore` documents its calls.

    >>> from bookcore import Calendar, MemoryStore
    >>> store = MemoryStore()
    >>> calendar = Calendar(store)
    >>> Calendar(store)
    Traceback (most recent call last):
    bookcore.errors.StoreError: MemoryStore: already serves a calendar; give each calendar a store of its own
    """

    def __init__(self, sizes: Sizes | None = None) -> None:
        self.sizes = check_sizes(sizes)
        self._closed: bool | None = None
        # not of a subclass that overrides these methods: they must be called
        self._offers = type(self).put is MemoryStore.put and type(self).is_free is MemoryStore.is_free
        self._occupancy = OccupancyIndex()
        self._pooled = Bitmap()  # the resources with a `CapacityIndex`
        self._records: dict[int, ResourceRecord] = {}
        self._size = 0  # one above the highest number so far
        self._tombstones = Tombstones()

    def bind(self, closed: bool) -> None:
        """Attach the store to one calendar. Raises: `StoreError` if it is attached already. O(1)."""
        if self._closed is not None:
            raise StoreError(self, "already serves a calendar; give each calendar a store of its own")
        self._closed = closed
        self._occupancy = OccupancyIndex(closed, **self.sizes.occupancy)

    def add_resource(self, record: ResourceRecord) -> None:
        """Add a resource. O(1)."""
        number = record.number
        if number >= self._size:
            self._size = number + 1
        self._records[number] = record
        if record.is_exclusive:
            index = record.state = ExclusiveIndex(record, self._occupancy, bool(self._closed), self.sizes)
            if self._offers:
                record.offer(index)
        else:
            record.state = CapacityIndex(record, bool(self._closed), self.sizes)
            self._pooled.add(number)

    def remove_resource(self, record: ResourceRecord) -> None:
        """Remove a resource, which has no bookings. O(1); with k hidden rows O(k log m)."""
        if self._tombstones:
            self._drop_hidden(record)
        record.offer(None)
        record.state = None
        del self._records[record.number]
        if not record.is_exclusive:
            self._pooled.discard(record.number)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """See `SupportsRenumbering`. O(m) for m bookings of all resources."""
        self._occupancy.renumber(numbers)
        self._pooled.renumber(numbers)
        self._tombstones.renumber()
        self._records = {numbers[number]: record for number, record in self._records.items()}
        self._size = len(numbers)
        for number, record in self._records.items():
            if record.is_exclusive:
                record.state.number = number

    # -- changes -----------------------------------------------------------------------------------

    def put(self, record: ResourceRecord, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Add a row. Raises: `StoreError` where an exclusive resource has no room. O(log m + chunks crossed).

        Hidden rows of an exclusive resource that are in the way are removed first. A hidden row that is put again is not
        hidden any more.
        """
        tombstones = self._tombstones
        if tombstones and seq in tombstones.hidden:
            tombstones.hidden.discard(seq)
        elif not record.is_exclusive:
            self.begun = True  # if a comparison fails half way, the calendar calls `repair`
            self._update(record, *record.state.put(start, end, seq, quantity))
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
        self.begun = True
        self._update(record, *record.state.remove(seq))

    def _update(self, record: ResourceRecord, removed: Any, added: Any) -> None:
        """Update the occupancy after a change of the blocked spans of a resource with capacity."""
        number, occupancy = record.number, self._occupancy
        for start, end, previous, following in removed:
            occupancy.remove(number, start, end, previous, following)
        for start, end in added:
            occupancy.add(number, start, end)

    @property
    def begun(self) -> bool:
        """Whether a change has begun, see `SupportsRepair`."""
        return self._occupancy.begun

    @begun.setter
    def begun(self, begun: bool) -> None:
        self._occupancy.begun = begun

    def repair(self, records: Sequence[ResourceRecord], keeps: Callable[[ResourceRecord, int], bool]) -> None:
        """See `SupportsRepair.repair`. O(m log m)."""
        self._tombstones = Tombstones()
        self._records = {record.number: record for record in records}
        self._pooled = Bitmap()
        starts: tuple[list[Any], list[int]] = [], []
        ends: tuple[list[Any], list[int]] = [], []
        unbounded: list[int] = []
        for record in records:
            if record.state is None or (type(record.state) is ExclusiveIndex) is not record.is_exclusive:
                self.add_resource(record)
            elif not record.is_exclusive:
                self._pooled.add(record.number)
            for start, end in record.state.repair(partial(keeps, record)):
                if start is None:
                    unbounded.append(record.number)
                for (keys, numbers), key in ((starts, start), (ends, end)):
                    if key is not None:
                        keys.append(key)
                        numbers.append(record.number)
        self._occupancy.rebuild(self._size, starts, ends, unbounded)

    def load(
        self, records: Sequence[ResourceRecord], starts: Sequence[Any], ends: Sequence[Any], seqs: Sequence[int]
    ) -> bool:
        """Add all rows or none; see `bookcore.stores.memory.bulk`. O(k log k) for k rows, old and new."""
        if len(self._tombstones) > len(seqs):
            return False
        self.vacuum(len(self._tombstones))
        if self._tombstones:
            return False
        held: list[ResourceRecord] = []
        if len(self._occupancy):
            if self._pooled.value() or not worth_it(self._occupancy, len(seqs)):
                return False  # a rebuild starts from intervals, which resources with capacity do not have
            held = [record for record in self._records.values() if len(record.state)]
        return load(self._occupancy, bool(self._closed), held, records, starts, ends, seqs)

    # -- questions ---------------------------------------------------------------------------------

    def row(self, record: ResourceRecord, seq: int) -> Row:
        """Return the row with this number. O(log m)."""
        row: Row = record.state.row(seq)
        return row

    def overlapping(self, record: ResourceRecord, start: Any, end: Any) -> list[Row]:
        """Return the rows that overlap the span, by start, then by number. O(log m + answers)."""
        rows: list[Row] = record.state.overlapping(start, end)
        if self._tombstones:
            hidden = self._tombstones.hidden
            return [row for row in rows if row[2] not in hidden]
        return rows

    def columns(self, records: Sequence[ResourceRecord]) -> tuple[list[Sequence[Any]], array[int]] | None:
        """Return the edges of each resource's rows, and the numbers of all rows.

        None where each row would have to be read: with capacity, unbounded spans, or hidden rows. O(resources), and copying
        eight bytes a row: the edges are those of the index itself, which replaces them and never changes them.
        """
        if self._pooled.value() or self._tombstones:
            return None
        edges: list[Sequence[Any]] = []
        numbers = bytearray()  # copying one number after the other takes seven times as long
        for record in records:  # in one loop, which reads each resource from memory once: the lock is held
            index = record.state
            own, values = index.edges, index.values
            if own is None:
                own, values = index.intervals.edges, index.intervals.values
            if own:
                if own[0] is LOWEST or own[-1] is HIGHEST:
                    return None
                numbers += values if type(values) is array else array("q", values)  # a list of chunked intervals
            edges.append(own)
        seqs = array("q")
        seqs.frombytes(numbers)
        return edges, seqs

    def is_free(self, record: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """Tell whether *quantity* more units fit over the whole span.

        Complexity: as `Calendar.is_available`; with k hidden and other rows in reach, O(k log k) more if some are hidden.
        """
        if record.is_exclusive:
            free: bool = record.state.is_free(start, end)
        else:
            free = record.state.has_room(start, end, quantity)
        return free or (self._tombstones.may_hide(record, self._size) and self._is_freed(record, start, end, quantity))

    def _is_freed(self, record: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """Tell whether there is room without the hidden rows, where the indexes say that there is none. Asks the rows."""
        return fits(self.overlapping, record, start, end, quantity, bool(self._closed))

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """Return a bitmap of the resources without room for *quantity* in the span.

        Complexity: as `OccupancyIndex.busy`. For more than one unit also as `is_free`, for each resource with capacity and
        a unit left; and as `is_free` for each busy resource with hidden rows.
        """
        bits = self._occupancy.busy(start, end)
        if quantity > 1:
            # Exclusive resources never have room, and may be left out; those with at least one unit left are checked.
            pooled = self._pooled.value()
            full = []
            for record in map(self._records.__getitem__, ordinals(pooled & ~bits)):
                try:
                    if not record.state.has_room(start, end, quantity):
                        full.append(record.number)
                except KeyTypeError:  # its buffers do not go with these keys
                    full.append(record.number)
            bits |= from_ordinals(full, self._size)
        if self._tombstones:
            doubtful = bits & self._tombstones.resources(self._size)
            if quantity > 1:
                doubtful &= self._pooled.value()
            records = map(self._records.__getitem__, ordinals(doubtful))
            freed = [r.number for r in records if or_false(self._is_freed, r, start, end, quantity)]
            bits ^= from_ordinals(freed, self._size)
        return bits

    # -- free time ---------------------------------------------------------------------------------

    def blocked_spans(
        self, record: ResourceRecord, start: Any, end: Any, quantity: int, length: Any = None
    ) -> Iterator[tuple[Any, Any]] | None:
        """Yield the spans that a booking of *quantity* may not overlap; None where hidden rows make the index inexact."""
        if self._tombstones.may_hide(record, self._size):
            return None
        if not record.is_exclusive:
            return widened(record.state.profile, record, start, end, quantity, bool(self._closed))
        spans: Iterator[tuple[Any, Any]] = record.state.rows().spans(start, end, length)
        return spans

    def usage(self, record: ResourceRecord, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]] | None:
        """Yield the steps of usage of a resource with capacity; None where buffers or hidden rows are in what is indexed."""
        if record.is_exclusive or record.before is not None or record.after is not None:
            return None
        if self._tombstones.may_hide(record, self._size):
            return None
        steps: Iterator[tuple[Any, Any, int]] = record.state.profile.steps(start, end)
        return steps

    def ends_after(self, after: Any, meeting: bool, until: Any, within: int) -> list[tuple[Any, list[int], int]]:
        """Return the next keys at which blocked spans or hidden rows end, see `OccupancyIndex.ends_after`."""
        return self._occupancy.ends_after(after, meeting, until, within)

    # -- hidden rows -------------------------------------------------------------------------------

    @property
    def hidden_count(self) -> int:
        """The number of rows that are hidden and not removed yet. O(1)."""
        return len(self._tombstones)

    def hide(self, records: Sequence[ResourceRecord], seqs: Sequence[int]) -> None:
        """Hide rows from all answers. O(1) each. No key is compared."""
        self._tombstones.hide(records, seqs)

    def vacuum(self, most: int) -> None:
        """Remove at most *most* hidden rows from the indexes, the latest first. O(log m + chunks crossed) for each.

        If the keys of a row cannot be compared now, it and the rows before it stay hidden until a later call.
        """
        tombstones = self._tombstones
        while tombstones.hidden and most > 0:
            seq = tombstones.seqs[-1]
            if seq in tombstones.hidden:
                try:
                    self._remove_hidden(tombstones.records[-1], seq)
                except Exception:
                    break
                self.begun = False
                most -= 1
            del tombstones.seqs[-1], tombstones.records[-1]
        tombstones.tidy()

    def _remove_hidden(self, record: ResourceRecord, seq: int) -> None:
        row = record.state.row(seq)
        self.remove(record, row[0], row[1], seq)
        self._tombstones.hidden.discard(seq)

    def _clear(self, record: ResourceRecord, start: Any, end: Any) -> None:
        """Remove the rows of an exclusive resource that overlap the span from the indexes, if all of them are hidden."""
        rows = record.state.overlapping(start, end)
        if all(row[2] in self._tombstones.hidden for row in rows):
            for row in rows:
                self._remove_hidden(record, row[2])

    def _drop_hidden(self, record: ResourceRecord) -> None:
        """Remove all rows of a resource, which are hidden."""
        if record.is_exclusive:
            self._clear(record, None, None)
            return
        self._tombstones.hidden.difference_update([row[2] for row in record.state.overlapping(None, None)])
        self._update(record, record.state.clear(), [])

    def check(self) -> None:
        """Raise AssertionError unless every invariant holds. O(m)."""
        self._occupancy.check()
        for record in self._records.values():
            record.state.check()
        tombstones = self._tombstones
        tombstones.check(self._size)
        for seq, record in tombstones.newest():
            record.state.row(seq)
