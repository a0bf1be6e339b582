"""The active bookings: their numbers, ids and resources. The ledger is the `Home` of their events.

    owners    number 1 -> resource 0    2 -> resource 7    3 -> 0     every active booking
    numbers   id "visit" -> 3              ids   3 -> "visit"         bookings whose id is not their number
    objects   3 -> the event itself                                   bookings whose event carries more than the row
    locks     1 -> -4                                                 bookings that were moved: their lock

A booking is a *row* in the store: start, end, number, quantity. An event is made from the row on demand; it is a value, and
equal to every other event of the same lock. So a million bookings are no objects for Python's garbage collector to visit.
The event itself is kept only if it carries more than its row: it is of a subclass, has fields, was given by the caller, or
has its keys in another zone.

Invariants: ``ids`` and ``numbers`` are inverse to each other. The numbers in ``ids``, ``objects`` and ``locks`` are in
``owners``. A kept event has ``_lock`` None, and its own number as its key. ``last`` is the greatest number given out. No
two bookings ever have the same lock, even if a booking is undone and its number is given out again: a number up to
``undone`` is not used as a lock any more.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import repeat, starmap
from typing import Any

from bookcore.engine.gate import Gate, question
from bookcore.engine.holds import Holds
from bookcore.engine.registry import Registry
from bookcore.index.id_table import IdTable
from bookcore.index.sequence_table import SequenceTable
from bookcore.model.errors import LACKING, BookcoreError, UnknownBookingError
from bookcore.model.event import BookingEvent, Status
from bookcore.stores.protocol import BookingStore, Row
from bookcore.stores.record import ResourceRecord

_new = BookingEvent.__new__


class Ledger:
    """The active bookings of one calendar. Used under the calendar's lock, which `holds_lock`, `status` and `until` take."""

    __slots__ = (
        "_holds", "_registry", "_store", "gate", "ids", "last", "last_lock", "locks", "named", "numbers", "objects",
        "owners", "undone",
    )  # fmt: skip

    def __init__(self, gate: Gate, holds: Holds, registry: Registry, store: BookingStore[Any]) -> None:
        self.gate, self._holds, self._registry, self._store = gate, holds, registry, store
        self.owners = SequenceTable()  # numbers of resources by numbers of bookings
        self.numbers = IdTable[int]()
        self.ids = IdTable[Hashable]()
        self.named = 0  # how many bookings have an id that is not their number
        self.objects: dict[int, BookingEvent] = {}
        self.locks: dict[int, int] = {}
        self.last = 0
        self.undone = 0
        self.last_lock = 0

    def __len__(self) -> int:
        return len(self.owners)

    def __bool__(self) -> bool:
        return bool(self.owners)

    # -- `Home`: called by events ------------------------------------------------------------------

    @question
    def holds_lock(self, event: BookingEvent) -> bool:
        """Tell whether the event holds its span on its resource now. O(1)."""
        return self.owns(event)

    @question
    def status(self, event: BookingEvent) -> Status:
        """Return the event's status now. O(1)."""
        if not self.owns(event):
            return Status.RELEASED
        return Status.HELD if event._seq in self._holds.until else Status.CONFIRMED

    @question
    def until(self, event: BookingEvent) -> Any:
        """Return the deadline of the event if it is held until a deadline now, else None. O(1)."""
        return self._holds.until.get(event._seq) if self.owns(event) else None  # type: ignore[arg-type]

    def owns(self, event: BookingEvent) -> bool:
        """Tell whether the event has the present lock of an active booking. O(1)."""
        seq, lock = event._seq, event._lock
        if seq is None or event._home is not self or self.owners.get(seq) is None:
            return False
        if lock is None:
            return self.objects.get(seq) is event
        return self.locks.get(seq, seq) == lock and seq not in self.objects

    # -- looking up --------------------------------------------------------------------------------

    def record(self, seq: int) -> ResourceRecord:
        """Return the record of the resource of an active booking. O(1). Raises: KeyError when it is not active."""
        record: Any = self._registry.by_number[self.owners[seq]]
        return record  # type: ignore[no-any-return]

    def number_of(self, id: Hashable) -> int | None:
        """Return the number of the active booking with this id, or None. O(1). Raises: what the id's own code raises."""
        number = hash(id)  # an id that equals an int has the same hash as the int; the hash of a booking's number is itself
        if self.named:
            seq = self.numbers.get(id)
            if seq is not None:
                return seq
        if number < 0 or number not in self.owners or (self.named and number in self.ids):
            return None
        return number if number == id else None

    def find(self, event_or_id: Any) -> int:
        """Return the number of an active booking, given as an event or an id. O(1). Raises: `UnknownBookingError`."""
        try:
            if issubclass(type(event_or_id), BookingEvent):
                if event_or_id._home is self and self.owns(event_or_id):
                    number: int = event_or_id._seq
                    return number
                why = "it is not booked in this calendar"
                if self.number_of(event_or_id._id) is not None:
                    why += "; another booking has its id (was it moved, or booked again?)"
                raise UnknownBookingError(event_or_id, why)
            seq = self.number_of(event_or_id)
        except (BookcoreError, *LACKING):
            raise
        except Exception:  # unhashable, or the object's own code
            seq = None
        if seq is None:
            raise UnknownBookingError(event_or_id)
        return seq

    def id_of(self, seq: int) -> Hashable:
        """Return the id of an active booking. O(1)."""
        id = self.ids.get(seq) if self.named else None
        return seq if id is None else id

    def is_held(self, seq: int) -> bool:
        """Tell whether an active booking is held. O(1)."""
        return seq in self._holds.until

    def event(self, seq: int) -> BookingEvent:
        """Return the event of an active booking: the kept one, or one made from its row. As `BookingStore.row`."""
        event = self.objects.get(seq)
        if event is not None:
            return event
        record = self.record(seq)
        return self.made_of(record, self._store.row(record, seq))

    def events(self, record: ResourceRecord, rows: Iterable[Row]) -> list[BookingEvent]:
        """Return the events of rows of one resource. O(rows)."""
        return self.events_of(zip(repeat(record), rows, strict=False))

    def events_of(self, pairs: Iterable[tuple[ResourceRecord, Row]]) -> list[BookingEvent]:
        """Return the events of rows, each given with the record of its resource. O(rows)."""
        objects, made_of = self.objects, self.made_of
        if not objects:
            return list(starmap(made_of, pairs))
        return [objects[row[2]] if row[2] in objects else made_of(record, row) for record, row in pairs]

    def made_of(self, record: ResourceRecord, row: Row) -> BookingEvent:
        """Return an event made from a row. O(1)."""
        event = _new(BookingEvent)
        event._start, event._end, seq, event._quantity = row
        event._resource = record.resource
        event._id = self.id_of(seq) if self.named else seq
        event._fields = None
        event._seq = seq
        event._lock = self.locks.get(seq, seq) if self.locks else seq
        event._home = self
        return event

    def all(self) -> Iterator[BookingEvent]:
        """Yield the events of all active bookings, in any order. O(bookings x log m)."""
        return map(self.event, self.owners)

    # -- changing ----------------------------------------------------------------------------------

    def next_number(self, least: int = 0, *, is_id: bool) -> int:
        """Return the number of the next booking, at least *least*. O(1), mostly.

        *is_id*: it is the id of the booking as well, so that it is none that another active booking has as its id.
        """
        seq = self.last + 1
        if seq < least:
            seq = least
        while is_id and self.named and seq in self.numbers:
            seq += 1
        return seq

    def next_lock(self) -> int:
        """Return a lock that no booking has had. It is negative, because numbers of bookings are positive. O(1)."""
        self.last_lock += 1
        return -self.last_lock

    def lock_of_new(self, seq: int) -> int:
        """Return the lock of a new booking: its number, unless a booking that was undone may have had that lock. O(1)."""
        return seq if seq > self.undone else self.next_lock()

    def undo_numbers(self, last: int) -> None:
        """Let the numbers after *last* be given out again, because their bookings were undone. O(1)."""
        self.undone = max(self.undone, self.last)
        self.last = last

    def put(self, event: BookingEvent, record: ResourceRecord) -> None:
        """Add an active booking; its event has its number, id and lock. O(1)."""
        seq: Any = event._seq
        id, lock = event._id, event._lock
        self.owners[seq] = record.number
        if id is not seq and (type(id) is not int or id != seq):
            self.numbers[id] = seq
            self.ids[seq] = id
            self.named += 1
        if lock is None:
            self.objects[seq] = event
        elif lock != seq:
            self.locks[seq] = lock
        if seq > self.last:
            self.last = seq
        if lock is not None and -lock > self.last_lock:
            self.last_lock = -lock

    def pop(self, seq: int) -> None:
        """Remove a booking. O(1)."""
        self.owners.pop(seq)
        if self.named and seq in self.ids:
            del self.numbers[self.ids.pop(seq)]
            self.named -= 1
        if self.objects:
            self.objects.pop(seq, None)
        if self.locks:
            self.locks.pop(seq, None)

    def repair(self) -> None:
        """Forget what is known of bookings that are not in ``owners``, after a change was cut off. O(bookings)."""
        known: Any
        self.owners.repair()
        for known in (self.objects, self.locks, self.ids):
            for number in [number for number in known if number not in self.owners]:
                del known[number]
        ids = [(id, self.numbers[id]) for id in self.numbers]
        for id, number in ids:
            if number not in self.ids:
                del self.numbers[id]
        for number in self.ids:
            id = self.ids[number]
            if self.numbers.get(id) != number:
                self.numbers[id] = number  # type: ignore[assignment]
        self.named = len(self.ids)
        self.last = max(self.last, max(self.owners, default=0))

    def name_all(self, ids: Sequence[Hashable], seqs: Sequence[int]) -> None:
        """Give many new bookings ids that are not their numbers. O(bookings)."""
        self.numbers.put_all(ids, seqs)
        self.ids.put_all(seqs, ids)
        self.named += len(seqs)

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(bookings)."""
        for table in (self.owners, self.numbers, self.ids):
            table.check()
        mirrored = {seq: id for id in self.numbers for seq in (self.numbers[id],)}
        kept = [(self.ids.get(seq), id) for seq, id in mirrored.items()]
        if len(mirrored) != self.named or any(one is not id and one != id for one, id in kept):  # NaN is an id
            raise AssertionError("ids and numbers differ")
        known: Any
        for known in (self.ids, self.objects, self.locks):
            if any(seq not in self.owners for seq in known):
                raise AssertionError("something is known of a booking that is not active")
        for seq, event in self.objects.items():
            id = self.id_of(seq)
            named = event._id is id or event._id == id
            if event._seq != seq or event._lock is not None or event._home is not self or not named:
                raise AssertionError(f"{event!r} is kept as booking {seq}")
        if any(seq > self.last for seq in self.owners):
            raise AssertionError("a booking has a number that has not been given out")
