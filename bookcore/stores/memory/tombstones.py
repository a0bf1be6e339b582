"""A `MemoryStore` seen without the bookings that have let go and are still in its indexes: they *fade*.

Ten thousand holds may run out at one instant, and from that instant no answer may know of them; but to take one
out of both indexes costs as much as to book it. So they fade first, which costs a note each, and are taken out
little by little later::

    schedule of r       [ 1, 3 )   [ 4, 7 )   [ 8, 9 )      what lies there
    faded of r                     [ 4, 7 )                 what of it has let go
    overlapping(2, 9)   [ 1, 3 )              [ 8, 9 )      what is answered
    is_free(4, 6)       taken in the schedule, and all that overlaps has faded: free
    claim(4, 6)         takes [ 4, 7 ) out, then asks the schedule
    busy(4, 6)          who is busy on the timeline, save those with something faded whom `is_free` says are free

So the indexes hold a little too much, never too little, and what is too much is told by identity: what they say is
free is free, and where they say taken the bookings themselves are looked at. Of a pool, what they use is looked at:
`bookcore.stores.memory.live_usage` takes what faded off the use that is summed up there.

Invariant: everything noted is in the store, under its entry and the span of its event.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from bookcore.index.bitmap import from_ordinals, ordinals
from bookcore.index.usage_profile import UsageProfile
from bookcore.model.keys import normal
from bookcore.model.lengths import reach
from bookcore.model.records import BookingEvent
from bookcore.stores.memory.capacity import CapacityIndex
from bookcore.stores.memory.exclusive import ExclusiveIndex
from bookcore.stores.memory.live_usage import LiveUsage
from bookcore.stores.memory.store import MemoryStore
from bookcore.stores.record import ResourceRecord

__all__ = ["Tombstones", "exact_state"]

_number = attrgetter("number")


class Tombstones:
    """What stands in the place of a `MemoryStore` for as long as something fades in it.

    Answers as the store would if all that faded had been removed. Not thread-safe: it stays behind the calendar's lock.
    """

    __slots__ = ("_doubtful", "_entries", "_events", "_gone", "_most", "_nets", "_pooled", "store")

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        # Two lists and a set of numbers rather than records: ten thousand of those would wake the garbage collector.
        self._gone: set[int] = set()  # what has faded, by identity, which nothing in the lists can lose
        self._events: list[BookingEvent] = []  # the same in order; some may have been taken out since
        self._entries: list[ResourceRecord] = []  # whose they are
        self._doubtful: int | None = None  # with whom something faded, as a bitmap; some may be of the past
        self._most = 0  # how much had faded when it was made
        self._pooled: dict[int, list[BookingEvent]] | None = None  # what faded in which pool, made when it is asked for
        self._nets: dict[int, LiveUsage] = {}  # by pool, made when they are asked for

    def __len__(self) -> int:
        return len(self._gone)

    @property
    def _timeline(self) -> Any:
        # for who reads ahead on it and asks about each answer; it holds a little too much
        return self.store._timeline

    # -- fading ------------------------------------------------------------------------------------

    def fade(self, entries: Sequence[ResourceRecord], events: Sequence[BookingEvent]) -> None:
        """Let bookings be seen no more. O(1) each. No key is compared."""
        if not events:
            return
        self._gone.update(map(id, events))
        self._events += events
        self._entries += entries
        self._doubtful = self._pooled = None
        self._nets.clear()

    def sweep(self, most: int) -> int:
        """Take out at most so many that faded, the latest first; return how many. O(log m + blocks crossed) for each.

        One whose keys cannot be compared now stays for a later call; every answer is right meanwhile.
        """
        done = 0
        gone, events, entries = self._gone, self._events, self._entries
        while gone and done < most:
            event = events[-1]
            if id(event) in gone:
                try:
                    self._take(entries[-1], event)
                except Exception:
                    break
                done += 1
            del events[-1], entries[-1]
        if not gone:
            events.clear()
            entries.clear()
            self._pooled = None
            self._nets.clear()
        if 2 * len(gone) < self._most:
            self._doubtful = None
        return done

    def _who(self) -> int:
        """Return with whom something faded, as a bitmap; some may be of the past, less than half. O(1), mostly."""
        if self._doubtful is None:
            self._doubtful = from_ordinals(map(_number, self._entries), self.store._size)
            self._most = len(self._gone)
        return self._doubtful

    def doubts(self, entry: ResourceRecord) -> bool:
        """Tell whether something of a resource may have faded. O(n / 64), mostly."""
        return bool(self._who() >> entry.number & 1)

    def net(self, entry: ResourceRecord) -> LiveUsage:
        """Return what knows how much of a pool is in use. O(1)."""
        net = self._nets.get(entry.number)
        if net is None:
            net = self._nets[entry.number] = LiveUsage(entry.state, self._gone, partial(self._in_pool, entry))
        return net

    def _in_pool(self, entry: ResourceRecord) -> list[BookingEvent]:
        """Return what faded in a pool, in any order. O(k); the first to ask pays for a look at all that faded."""
        if self._pooled is None:
            self._pooled = defaultdict(list)
            for owner, event in zip(self._entries, self._events, strict=True):
                if not owner.plain:
                    self._pooled[owner.number].append(event)
        # what faded, was put again and faded again is there twice
        return list({id(event): event for event in self._pooled[entry.number] if id(event) in self._gone}.values())

    def _take(self, entry: ResourceRecord, event: BookingEvent) -> None:
        self.store.remove(entry, normal(event._start), normal(event._end), event)
        self._gone.discard(id(event))
        net = self._nets.pop(entry.number, None)
        if net is not None:
            net.without(event)
            self._nets[entry.number] = net  # only now: where its keys could not be compared, it is to be made anew

    def _clear(self, entry: ResourceRecord, start: Any, end: Any) -> bool:
        """If all that overlaps the span of an exclusive resource has faded, take it out and return True."""
        found = self.store.overlapping(entry, start, end)
        gone = self._gone
        if not all(id(event) in gone for event in found):
            return False
        for event in found:
            self._take(entry, event)
        return True

    # -- the store's own calls ---------------------------------------------------------------------

    def bind(self, closed: bool) -> None:
        """See `MemoryStore.bind`."""
        self.store.bind(closed)

    def add_resource(self, entry: ResourceRecord) -> None:
        """See `MemoryStore.add_resource`."""
        self.store.add_resource(entry)

    def remove_resource(self, entry: ResourceRecord) -> None:
        """See `MemoryStore.remove_resource`. O(m log m) in what faded; of a pool, O(m + blocked spans)."""
        if entry.plain:
            self._clear(entry, None, None)
        else:
            self._empty(entry.number, entry.state)
        self.store.remove_resource(entry)

    def _empty(self, number: int, pool: CapacityIndex) -> None:
        """Take out at once all that faded in a pool where nothing else is left."""
        self._gone.difference_update(map(id, pool.overlapping(None, None)))
        self._nets.pop(number, None)
        try:
            self.store._apply(number, pool.clear(), [])
        except Exception:  # a comparison of the user's keys failed
            self.store._resume(number, pool)

    def is_free(self, entry: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """See `MemoryStore.is_free`. O(log m + what overlaps, up to the first that stands); of a pool, see `LiveUsage`."""
        return self.store.is_free(entry, start, end, quantity) or self._frees(entry, start, end, quantity)

    def _frees(self, entry: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """Tell whether there is room where the store says that there is none."""
        gone = self._gone
        if entry.plain:
            return all(id(event) in gone for event in self.store.overlapping(entry, start, end))
        return self.net(entry).has_room(*reach(entry, start, end), entry.capacity - quantity)

    def claim(self, entry: ResourceRecord, start: Any, end: Any, event: BookingEvent) -> bool:
        """See `MemoryStore.claim`. Where only what faded is in the way, O(log m + blocks crossed) for each of it.

        A pool holds more than its capacity then, until what faded has been taken out.
        """
        if self.store.claim(entry, start, end, event):
            return True
        if entry.plain:
            return self._clear(entry, start, end) and self.store.claim(entry, start, end, event)
        if not self._frees(entry, start, end, event._quantity):
            return False
        self.store.put(entry, start, end, event)
        return True

    def put(self, entry: ResourceRecord, start: Any, end: Any, event: BookingEvent) -> None:
        """See `MemoryStore.put`. What faded and is put again stands again."""
        if id(event) in self._gone:
            self._gone.discard(id(event))
            self._nets.pop(entry.number, None)
            return
        if entry.plain:
            self._clear(entry, start, end)
        self.store.put(entry, start, end, event)

    def remove(self, entry: ResourceRecord, start: Any, end: Any, event: BookingEvent) -> None:
        """See `MemoryStore.remove`."""
        self.store.remove(entry, start, end, event)

    def overlapping(self, entry: ResourceRecord, start: Any, end: Any) -> list[BookingEvent]:
        """See `MemoryStore.overlapping`."""
        gone = self._gone
        return [event for event in self.store.overlapping(entry, start, end) if id(event) not in gone]

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """See `MemoryStore.busy`. Each who is said to be busy and with whom something faded is asked again."""
        bits = self.store.busy(start, end, quantity)
        doubtful = bits & self._who()
        if quantity > 1:
            doubtful &= self.store._pools.value()  # exclusive resources never have room for two
        entries = self.store._entries
        free = [number for number in ordinals(doubtful) if self._frees(entries[number], start, end, quantity)]
        return bits ^ from_ordinals(free, self.store._size)

    def check(self) -> None:
        """Raise AssertionError unless the store's invariants hold, and those above. O(m)."""
        self.store.check()
        left = set(self._gone)
        held: dict[int, set[int]] = {}
        for entry, event in zip(self._entries, self._events, strict=True):
            if id(event) in left:
                left.discard(id(event))
                if entry.number not in held:
                    held[entry.number] = set(map(id, self.store.overlapping(entry, None, None)))
                if id(event) not in held[entry.number]:
                    raise AssertionError(f"{event!r} faded and is not in the store")
                if not self._who() >> entry.number & 1:
                    raise AssertionError(f"{entry!r} is not known to hold what faded")
        if left:
            raise AssertionError("something faded of which nothing is known")
        for number, net in self._nets.items():
            net.check(self.overlapping(self.store._entries[number], None, None))


def exact_state(store: Any, entry: ResourceRecord) -> ExclusiveIndex | UsageProfile | LiveUsage | None:
    """Return what knows when a resource is free: its bookings, or what it uses of a pool. O(1).

    None where the store keeps no such thing, or where it holds what has faded: then the store must be asked.
    """
    state = entry.state
    if isinstance(state, CapacityIndex):
        return store.net(entry) if isinstance(store, Tombstones) else state.profile
    if not isinstance(state, ExclusiveIndex) or (isinstance(store, Tombstones) and store.doubts(entry)):
        return None
    return state
