"""`MemoryStore`: a schedule per resource to decide, one timeline of bitmaps to find.

    claim(r, a, b)     lane of r: one bisect decides, its edges are made anew      O(log m)
                       timeline: a start, an end, a bit for every eighth block crossed
    is_free(r, a, b)   lane of r alone                                             O(log m)
    busy(a, b)         timeline alone, whatever the number of resources

The timeline holds the *blocked* spans of a resource: where not even one unit is left. For an exclusive resource
without turnaround these are its bookings, which its `ExclusiveIndex` keeps; for all others its `CapacityIndex` derives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bookcore.index.bitmap import Bitmap, from_ordinals, ordinals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.model.errors import KeyTypeError, StoreError
from bookcore.model.records import BookingEvent
from bookcore.stores.memory.bulk import load, worth_it
from bookcore.stores.memory.capacity import CapacityIndex
from bookcore.stores.memory.exclusive import ClosedExclusiveIndex, ExclusiveIndex
from bookcore.stores.record import ResourceRecord

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

    def __init__(self) -> None:
        self._closed: bool | None = None
        self._timeline = OccupancyIndex()
        self._pools = Bitmap()  # who has a CapacityIndex
        self._pool_of: dict[int, CapacityIndex] = {}
        self._entries: dict[int, ResourceRecord] = {}
        self._size = 0  # one above the highest number seen

    def bind(self, closed: bool) -> None:
        """Begin to serve one calendar. Raises: `StoreError` when it serves one. O(1)."""
        if self._closed is not None:
            raise StoreError(self, "already serves a calendar; give each calendar a store of its own")
        self._closed = closed
        self._timeline = OccupancyIndex(closed)

    def add_resource(self, entry: ResourceRecord) -> None:
        """Make room for a resource. O(1)."""
        self._size = max(self._size, entry.number + 1)
        self._entries[entry.number] = entry
        if entry.plain:
            entry.state = (ClosedExclusiveIndex if self._closed else ExclusiveIndex)(entry.number, self._timeline)
            if type(self).claim is MemoryStore.claim and type(self).is_free is MemoryStore.is_free:
                entry.offer(entry.state)  # else a subclass wants to be asked
        else:
            entry.state = self._pool_of[entry.number] = CapacityIndex(entry, bool(self._closed))
            self._pools.add(entry.number)

    def remove_resource(self, entry: ResourceRecord) -> None:
        """Forget a resource, which has no bookings. O(1)."""
        entry.state = None
        entry.offer(None)
        del self._entries[entry.number]
        if self._pool_of.pop(entry.number, None) is not None:
            self._pools.discard(entry.number)

    def is_free(self, entry: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """Tell whether *quantity* more units fit over the whole span. O(log m); see `Calendar.is_available` for pools."""
        if entry.plain:
            free: bool = entry.state.is_free(start, end)
            return free
        pool: CapacityIndex = entry.state
        return pool.has_room(start, end, quantity)

    def claim(self, entry: ResourceRecord, start: Any, end: Any, event: BookingEvent) -> bool:
        """Hold the booking if there is room. O(log m + blocks crossed)."""
        if entry.plain:
            done: bool = entry.state.claim(start, end, event)
            return done
        pool: CapacityIndex = entry.state
        if not pool.has_room(start, end, event._quantity):
            return False
        self._put_in_pool(entry, pool, start, end, event)
        return True

    def put(self, entry: ResourceRecord, start: Any, end: Any, event: BookingEvent) -> None:
        """Hold the booking. Raises: `StoreError` where an exclusive resource has no room. O(log m + blocks crossed)."""
        if not entry.plain:
            self._put_in_pool(entry, entry.state, start, end, event)
        elif not entry.state.claim(start, end, event):
            raise StoreError(self, f"{event!r} was put where there is no room")

    def _put_in_pool(self, entry: ResourceRecord, pool: CapacityIndex, start: Any, end: Any, event: BookingEvent) -> None:
        gone, come = pool.put(start, end, event)
        try:
            self._apply(entry.number, gone, come)
        except BaseException:  # a comparison of the user's keys failed half way
            pool.remove(start, end, event)
            self._resume(entry.number, pool)
            raise

    def remove(self, entry: ResourceRecord, start: Any, end: Any, event: BookingEvent) -> None:
        """Let go of a booking. O(log m + blocks crossed)."""
        if entry.plain:
            entry.state.remove(start, end)
            return
        pool: CapacityIndex = entry.state
        gone, come = pool.remove(start, end, event)
        try:
            self._apply(entry.number, gone, come)
        except BaseException:
            pool.put(start, end, event)
            self._resume(entry.number, pool)
            raise

    def _apply(
        self, number: int, gone: list[tuple[Any, Any, Any, Any]], come: list[tuple[Any, Any]]
    ) -> None:
        """Follow a change of a pool's blocked spans on the timeline."""
        for start, end, previous, following in gone:
            self._timeline.remove(number, start, end, previous, following)
        for start, end in come:
            self._timeline.add(number, start, end)

    def _resume(self, number: int, pool: CapacityIndex) -> None:
        """Put on the timeline what a pool's blocked spans are, whatever of them is there. O(m of all)."""
        self._timeline.forget(number)
        for start, end in pool.blocked():
            self._timeline.add(number, start, end)

    def overlapping(self, entry: ResourceRecord, start: Any, end: Any) -> list[BookingEvent]:
        """Return the bookings that overlap the span, by start, then in order of booking. O(log m + answers)."""
        found: list[BookingEvent] = entry.state.overlapping(start, end)
        return found

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """Return who has no room for *quantity* in the span. For one unit the timeline alone knows.

        Complexity: as `OccupancyIndex.busy`; for more units, as `is_free` besides for each pool that has one left.
        """
        bits = self._timeline.busy(start, end)
        if quantity > 1:
            # Exclusive resources never have room; pools that are not full for one unit are asked.
            candidates = self._pools.value() & ~bits
            full = [n for n in ordinals(candidates) if not _may(self._pool_of[n], start, end, quantity)]
            bits |= from_ordinals(full, self._size) | (((1 << self._size) - 1) & ~self._pools.value())
        return bits

    def load(
        self, entries: Sequence[ResourceRecord], starts: Sequence[Any], ends: Sequence[Any], events: Sequence[BookingEvent]
    ) -> bool:
        """Hold all bookings or none; see `bookcore.stores.memory.bulk`. O(k log k) for k, and those that stand are passed once."""
        standing: list[ResourceRecord] = []
        if len(self._timeline):
            if self._pool_of or not worth_it(self._timeline, len(events)):
                return False  # the blocked spans of pools are on the timeline, and in no schedule
            standing = [entry for entry in self._entries.values() if entry.state.parts()[0].events]
        return load(self._timeline, bool(self._closed), standing, entries, starts, ends, events)

    def check(self) -> None:
        """Raise AssertionError unless every invariant holds. O(m)."""
        self._timeline.check()
        for entry in self._entries.values():
            if entry.plain:
                entry.state.check()
        for pool in self._pool_of.values():
            pool.check()


def _may(pool: CapacityIndex, start: Any, end: Any, quantity: int) -> bool:
    try:
        return pool.has_room(start, end, quantity)
    except KeyTypeError:  # its turnaround does not go with these keys
        return False
