"""`CalendarState`: all state of a calendar, and `commit`, the only way to change it.

    a command decides    ->  a change of `bookcore.model.change`  ->  commit  ->  applied here, and nowhere else
    a transaction fails  ->  the inverse changes, backwards       ->  applied here
    another calendar     ->  its changes                          ->  `Calendar.apply`, applied here

`commit` never decides: its caller has decided. In applying a change, every step that can fail (comparing the user's keys,
calling a store) comes before the first step that changes something, so that a change is applied as a whole or not at all.

To add a kind of change: add its class and its inverse to `bookcore.model.change`, one method here, and a case each to
`Mending._undo_change`, `Engine.apply`, `bookcore.persist.journal.records` and ``bookcore log`` (`bookcore.cli.directories`).
If the tables for SQL show it, add one to `bookcore.persist.shared.projection`. A test names the places that are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn, TypeVar, TypeVarTuple
from weakref import WeakSet

from bookcore.engine.bookings_rule import Bookings
from bookcore.engine.buffers import Buffers
from bookcore.engine.closures import Closures
from bookcore.engine.gate import CHANGING, DECIDING, Block, Gate, Mark
from bookcore.engine.holds import Due, Holds
from bookcore.engine.indexes import Indexes
from bookcore.engine.ledger import Ledger
from bookcore.engine.log import Log, restore_facts
from bookcore.engine.opening_hours import OpeningHours
from bookcore.engine.registry import Registry
from bookcore.engine.rules import Rules
from bookcore.model import change as changes
from bookcore.model.change import inverse
from bookcore.model.errors import (
    LACKING,
    BookcoreError,
    ConflictError,
    KeyTypeError,
    QueryError,
    StoreError,
    TransactionError,
    brief,
)
from bookcore.model.event import BookingEvent
from bookcore.model.keys import KeyFamily, StatedKeys, is_user_defined, normal
from bookcore.model.resource import Resource, overwrite, shows_capacity
from bookcore.model.typecheck import is_a
from bookcore.stores.generic import GenericAvailability, usage_of
from bookcore.stores.protocol import (
    BookingStore,
    Row,
    SupportsAvailability,
    SupportsExpiry,
    SupportsLoad,
    SupportsRenumbering,
    SupportsRepair,
)
from bookcore.stores.record import ResourceRecord, bind, unbind
from bookcore.stores.sizes import Sizes

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_OF_STORES = changes.Booked, changes.Released, changes.Moved, changes.Changed, changes.Closed, changes.Reopened
"""Changes that begin with a call of a store, which says by ``begun`` whether it has changed something."""


class _Unheard:
    """Is in the log for bookings of others that no subscriber receives: their numbers are enough to undo them."""

    __slots__ = ("seqs",)

    def __init__(self, seqs: list[int]) -> None:
        self.seqs = seqs


class CalendarState:
    """The parts of one calendar, and `commit`."""

    __slots__ = (
        "_apply",
        "_awaited",
        "_refusals",
        "begun",
        "booking_indexes",
        "bounds",
        "buffers",
        "change",
        "closed",
        "closures",
        "counted",
        "event_type",
        "expiry",
        "gate",
        "holds",
        "home",
        "hours",
        "indexed",
        "keys",
        "ledger",
        "loading",
        "log",
        "registry",
        "repairable",
        "resizing",
        "rules",
        "shown_as",
        "sizes",
        "store",
    )

    def __init__(
        self,
        home: Any,
        store: BookingStore[Any],
        bounds: str,
        clock: Callable[[], Any] | None,
        event_type: type[BookingEvent],
        key: Callable[[Any], Hashable] | None = None,
        stated: StatedKeys | None = None,
    ) -> None:
        self.home = home  # the calendar, which `Resource.is_available` calls
        self.shown_as = home  # what errors call it: of a partition, the calendar that the program opened
        self.store = store
        self.bounds = bounds
        self.closed = closed = bounds == "[]"
        self.event_type = event_type
        self.log = Log()
        self.gate = Gate(self.log, self.tick, self.finish)
        self.change: changes.Change | None = None  # that is being applied, or was cut off
        self.counted = (0, 0)  # the last numbers of a booking and a closure before it
        self.begun = False  # whether it has changed something outside the store
        self.loading: Sequence[int] = ()  # the numbers of a load that was cut off
        # the resource whose capacity is being changed, its capacity and `crowded` before, and its rows
        self.resizing: tuple[ResourceRecord, int, bool, Sequence[Row]] | None = None
        self.repairable = store if isinstance(store, SupportsRepair) else None
        self.keys = KeyFamily(closed, self._keys_held, stated=stated)
        self.sizes: Sizes = getattr(store, "sizes", None) or Sizes()
        self.registry = Registry(self.sizes.attribute, key)
        makes = "create_booking_index(name)"
        self.booking_indexes = Indexes("index of bookings", makes, self.sizes.attribute, set)
        self.indexed: Any = None  # what they held of the booking that is being changed, or was when that was cut off
        self.holds = Holds(clock)
        self.ledger = Ledger(self.gate, self.holds, self.registry, store)
        self.buffers = Buffers(closed)
        self.closures = Closures(closed, self.sizes)
        self.hours = OpeningHours(closed)
        index: SupportsAvailability[Any] = (
            store
            if isinstance(store, SupportsAvailability)
            else GenericAvailability(store, self.registry.by_id.values, closed)
        )
        bookings = Bookings(store, index, self.ledger, closed)
        self.rules = Rules(self.registry, self.closures, self.hours, self.buffers, bookings, closed)
        self.expiry = store if isinstance(store, SupportsExpiry) else None
        self._refusals: WeakSet[ConflictError] = WeakSet()  # those that have not found yet what is in the way
        self._awaited: list[ResourceRecord] = []  # their resources, which the fast path of `Calendar.book` leaves alone
        self._apply: dict[type[changes.Change], Callable[[Any], None]] = {
            changes.Booked: self._booked,
            changes.Released: self._released,
            changes.Confirmed: self._confirmed,
            changes.Held: self._held_until,
            changes.Extended: self._held_until,
            changes.Moved: self._moved,
            changes.Changed: self._changed,
            changes.ResourceAdded: self._resource_added,
            changes.ResourceRemoved: self._resource_removed,
            changes.Closed: self._closed_for,
            changes.Reopened: self._reopened,
            changes.HoursSet: self._hours_set,
            changes.CapacitySet: self._capacity_set,
            changes.Tagged: self._tagged,
            changes.Untagged: self._untagged,
            changes.IndexCreated: self._index_created,
            changes.IndexDropped: self._index_dropped,
            changes.Reindexed: self._reindexed,
        }

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refuse copy, deepcopy and pickle: a copy would share a store, a lock and functions with the calendar."""
        way = "Calendar.restore of a snapshot makes an independent one"
        raise QueryError(self.shown_as, f"is neither copied nor pickled: {way}")

    # -- commit ------------------------------------------------------------------------------------

    def commit(self, change: changes.Change) -> None:
        """Apply a change and note it in the log. The lock is held for writing."""
        self._apply_whole(change)
        log = self.log
        if log.active:
            # no call comes between the end of the change and the one that notes it, so Ctrl-C does not either
            log.latest = change
            try:
                if log.changes is not None:
                    log.changes.append((change, log.subscribers))
                else:
                    if log.journal is not None:
                        log.pending += (change,)
                        if log.provisional:
                            return
                    log.noted += 1
                    log.due = log.noted
                    log.outbox.append((log.noted, change, log.subscribers))
            except MemoryError:
                # Assignments come first: there may be no memory for a call either, and then the next call undoes the change.
                gate = self.gate
                self.change = change
                self.begun = gate.torn = gate.waiting = True
                if log.has_noted(change) or self._take_back(change):
                    self.change = None
                    self.begun = gate.torn = False
                raise

    def _take_back(self, change: changes.Change) -> bool:
        """Undo a change that there is no memory to note. Return False if there is none for that: the next call does it."""
        counted = self.counted
        try:
            self._apply_whole(inverse(change))
            self.undo_numbers(*counted)
        except BaseException:
            self.change = change
            self.counted = counted
            self.begun = self.gate.torn = True
            return False
        return True

    def take_back_pending(self) -> None:
        """Undo what is in no record yet, the latest first, without noting that. The lock is held for writing.

        If it is cut off, the next call goes on.
        """
        log = self.log
        while log.pending:
            self._apply_whole(inverse(log.pending[-1]))
            log.pending.pop()

    def apply(self, change: changes.Change) -> None:
        """Apply a change without noting it, and without knowing what was before: for `bookcore.engine.mending`."""
        self._apply[type(change)](change)

    def _apply_whole(self, change: changes.Change, apply: Callable[[Any], None] | None = None) -> None:
        """Apply a change, by *apply* if given. If it is cut off half-way, `settle` will mend that before the next call."""
        gate, mode = self.gate, self.gate.mode
        self._settle_refusals()
        gate.mode = CHANGING
        self.change = change
        self.indexed = None
        self.counted = self.ledger.last, self.closures.last_id
        try:
            (apply or self._apply[type(change)])(change)
            self.set_whole()
        except BaseException as exc:
            if self._is_torn(change, exc):
                gate.torn = gate.waiting = True
            else:
                self.change = None
            raise
        finally:
            gate.mode = mode
        self.change = None
        self.begun = False

    def set_whole(self) -> None:
        """Note that the stores have done their part of a change."""
        if self.repairable is not None:
            self.repairable.begun = False
        self.closures.store.begun = False

    def _is_torn(self, change: changes.Change, exc: BaseException) -> bool:
        """Tell whether an exception came after the first step of a change that changes something."""
        if self._has_begun():
            return True
        if isinstance(change, _OF_STORES) and self.repairable is not None:
            return False
        return not isinstance(exc, Exception) or is_a(exc, LACKING)

    def _has_begun(self) -> bool:
        """Tell whether something has been changed since the last change was complete."""
        return self.begun or self.closures.store.begun or (self.repairable is not None and self.repairable.begun)

    def refused(
        self,
        error: ConflictError,
        record: ResourceRecord,
        look: Callable[[], tuple[Sequence[BookingEvent], Sequence[str], Sequence[str]]],
    ) -> None:
        """Have *error* find what is in the way by *look*: at once if there can be little, else when that is asked for.

        A program that only wants to know that a span is refused need not wait until a hundred thousand bookings are found.
        A refusal that still exists when something changes looks just before that, see `_settle_refusals`.
        """
        error.look_later(look, self._asked)
        if record.active_count + (record.closures.active_count if record.closures is not None else 0) <= self.sizes.few:
            with suppress(Exception):  # keys or the store failed: asking for the conflicts raises that
                error.settle()
                return
        self._refusals.add(error)
        if not record.awaited:
            self._awaited.append(record)  # first: Ctrl-C leaves no record that is awaited and not in the list
            record.awaited = True
        record.publish()  # each time, as Ctrl-C may have come before it

    def _asked(self, question: Callable[[], None]) -> None:
        self.gate.ask(False, question)

    def _settle_refusals(self) -> None:
        """Have all refusals find what is in the way now, because that is about to change.

        Raises nothing but Ctrl-C and the like, before anything has changed.
        """
        if not self._awaited:
            return
        for error in list(self._refusals):
            error.settle(last=True)
        self._refusals.clear()
        for record in self._awaited:
            record.awaited = False
            record.publish()
        self._awaited.clear()

    def _booked(self, change: changes.Booked) -> None:
        event, until = change.event, change.until
        seq: Any = event._seq
        record = self.record_of_resource(event._resource)
        low, high = normal(event._start), normal(event._end)
        position = self.holds.position(until, seq)
        places = self._event_places(event, change.indexed)
        try:
            self.store.put(record, low, high, seq, event._quantity)
        except Exception as exc:
            self.translate_error(exc, low, high)
            raise
        self.begun = True
        fast_type = self.keys.fast_type
        if type(low) is not fast_type or type(high) is not fast_type:
            self.keys.learn(low, high)
        self.ledger.put(event, record)
        self.booking_indexes.enter(seq, places)
        record.active_count += 1
        if change.held:
            self.holds.put(seq, until, position)
            self.watch()
        self.holds.forget(event._id)

    def _event_places(self, event: BookingEvent, held: Any) -> Any:
        """Ask the indexes of bookings where the values of an event belong."""
        indexes = self.booking_indexes
        if not indexes:
            return ()
        seq: Any = event._seq
        if self.indexed is None:  # else a change that was cut off is being undone
            self.indexed = indexes.values_of(seq)
        return self._as_deciding(indexes.places, seq, event, held)

    def _as_deciding(self, call: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call what runs key functions, which may ask the calendar: nothing has been changed yet."""
        mode, self.gate.mode = self.gate.mode, DECIDING
        try:
            return call(*args)
        finally:
            self.gate.mode = mode

    def _released(self, change: changes.Released, hide: bool = False) -> None:
        event = change.event
        seq: Any = event._seq
        record = self.ledger.record(seq)
        self.indexed = self.booking_indexes.values_of(seq) if change.indexed is None else change.indexed
        if (hide or change.expired) and self.expiry is not None:
            self.begun = True
            self.expiry.hide([record], [seq])
        else:
            low, high = normal(event._start), normal(event._end)
            try:
                self.store.remove(record, low, high, seq)
            except Exception as exc:
                self.translate_error(exc, low, high)
                raise
        self.begun = True
        self.ledger.pop(seq)
        self.booking_indexes.discard(seq)
        record.active_count -= 1
        if change.held:
            self._hold_no_more(seq)
        if change.expired:
            self.holds.remember(event._id, change.until)
            self.watch()
        elif change.ran_out is not None:
            self.holds.remember(event._id, change.ran_out)
        else:
            self.holds.forget(event._id)  # the fast path of `Calendar.book` does not
        self._forget_keys()

    def _confirmed(self, change: changes.Confirmed) -> None:
        self.begun = True
        self._hold_no_more(change.event._seq)

    def _hold_no_more(self, seq: Any) -> None:
        self.holds.drop(seq)
        self.holds.tidy()
        self.watch()

    def _held_until(self, change: changes.Held | changes.Extended) -> None:
        seq: Any = change.event._seq
        position = self.holds.position(change.until, seq)
        self.begun = True
        self.holds.drop(seq)
        self.holds.put(seq, change.until, position)
        self.holds.tidy()
        self.watch()

    def _changed(self, change: changes.Changed) -> None:
        before, after = change.before, change.after
        if before._quantity != after._quantity:
            self._moved(change)
            return
        seq: Any = before._seq
        record = self.ledger.record(seq)
        places = self._event_places(after, change.indexed)
        self.begun = True
        self.ledger.pop(seq)
        self.ledger.put(after, record)
        self.booking_indexes.enter(seq, places)

    def _moved(self, change: changes.Moved | changes.Changed) -> None:
        before, after = change.before, change.after
        seq: Any = before._seq
        source, target = self.ledger.record(seq), self.record_of_resource(after._resource)
        old_low, old_high = normal(before._start), normal(before._end)
        low, high = normal(after._start), normal(after._end)
        places = self._event_places(after, change.indexed)
        try:
            self.store.remove(source, old_low, old_high, seq)
            self.begun = True
            self.set_whole()
            try:
                self.store.put(target, low, high, seq, after._quantity)
            except Exception:
                if self.repairable is None or not self.repairable.begun:
                    self.store.put(source, old_low, old_high, seq, before._quantity)
                    self.set_whole()
                    self.begun = False
                raise
        except Exception as exc:
            self.translate_error(exc, low, high)
            raise
        self.keys.learn(low, high)
        self.ledger.pop(seq)
        self.ledger.put(after, target)
        self.booking_indexes.enter(seq, places)
        source.active_count -= 1
        target.active_count += 1

    def _resource_added(self, change: changes.ResourceAdded) -> None:
        number = self.registry.size if change.number is None else change.number
        record = ResourceRecord(change.id, change.resource, number, change.capacity, change.before, change.after)
        record.home = self.home
        places = self._places(record) if change.indexed is None else ()
        self.registry.add(record, places, change.indexed, change.cls)
        try:
            self.store.add_resource(record)
        except Exception as exc:
            self.registry.remove(record)
            self.begun = False
            self.translate_error(exc)
            raise
        bind(record)
        self.buffers.add(record)
        if change.labels:
            self.registry.tag(record, *change.labels)

    def _places(self, record: ResourceRecord) -> Any:
        """Ask the indexes of resources where the values of a resource belong."""
        indexes = self.registry.indexes
        places = self._as_deciding(indexes.places, record.number, record.resource) if indexes else ()
        self.begun = True
        return places

    def renumber(self) -> None:
        """Give the resources new numbers, in the same order, when numbers of removed resources are most of all.

        Numbers are in no answer, so this is no change. It is put off while a transaction is open: its changes have numbers.
        O(bookings), and as long as a call has numbers to spare, O(1).
        """
        registry, store = self.registry, self.store
        unused = registry.size - len(registry)
        # each renumbering reads all bookings: it waits for a number of removals in proportion to them
        if unused <= len(registry) + len(self.ledger) // 8 + self.sizes.spare or self.log.changes is not None:
            return
        if not isinstance(store, SupportsRenumbering):
            return
        records = registry.in_order()
        numbers = {record.number: number for number, record in enumerate(records)}
        try:
            store.renumber(numbers)
            self.ledger.owners.map_values(numbers)
            self.closures.renumber(numbers, records)
            self.hours.renumber(numbers)
            self.buffers.renumber(numbers)
            registry.renumber(numbers)
        except BaseException as exc:
            self.gate.torn = self.gate.waiting = True
            if isinstance(exc, Exception):
                self.translate_error(exc)
            raise

    def _resource_removed(self, change: changes.ResourceRemoved) -> None:
        record = self.registry.by_id[change.id]
        try:
            self.store.remove_resource(record)
        except Exception as exc:
            self.translate_error(exc)
            raise
        self.begun = True
        self.registry.remove(record)
        self.buffers.remove(record)
        unbind(record)

    def _closed_for(self, change: changes.Closed) -> None:
        closure = change.closure
        low, high = normal(closure.start), normal(closure.end)
        self.closures.put(self.record_of_resource(closure.resource), low, high, closure)
        self.keys.learn(low, high)

    def _reopened(self, change: changes.Reopened) -> None:
        closure = change.closure
        record = self.record_of_resource(closure.resource)
        self.closures.drop(record, normal(closure.start), normal(closure.end), closure)
        self._forget_keys()

    def _hours_set(self, change: changes.HoursSet) -> None:
        self.hours.set(self.record_of_resource(change.resource), change.hours)

    def _capacity_set(self, change: changes.CapacitySet) -> None:
        record, capacity = self.record_of_resource(change.resource), change.capacity
        if self.expiry is not None and self.expiry.hidden_count:
            self.vacuum()
        rows = self.store.overlapping(record, None, None)
        crowded = record.crowded
        if capacity < record.capacity and not crowded:
            crowded = not usage_of(record, rows, self.closed).has_room(None, None, capacity)
        self.resizing = record, record.capacity, record.crowded, rows
        self.begun = True
        for row in rows:
            self.store.remove(record, *row[:3])
        self.resize(record, capacity, crowded, rows)
        self.resizing = None
        if change.follows and shows_capacity(record.resource, change.before):
            with suppress(AttributeError):  # a property of the program's own, which cannot be written
                overwrite(record.resource, "capacity", capacity)

    def resize(self, record: ResourceRecord, capacity: int, crowded: bool, rows: Sequence[Row]) -> None:
        """Give a resource, which has no rows in the store now, another capacity, and put rows into the store.

        Stores learn the capacity when a resource is added, so it is removed from the store and added again.
        """
        self.store.remove_resource(record)
        record.resize(capacity, crowded)
        self.store.add_resource(record)
        for row in rows:
            self.store.put(record, *row)
        self.registry.resized(record)

    def _tagged(self, change: changes.Tagged) -> None:
        self.registry.tag(self.record_of_resource(change.resource), change.label)

    def _untagged(self, change: changes.Untagged) -> None:
        self.registry.untag(self.record_of_resource(change.resource), change.label)

    def _index_created(self, change: changes.IndexCreated) -> None:
        items: Iterable[tuple[Any, Any]]
        if change.of_bookings:
            items = ((event._seq, event) for event in self.ledger.all())
        else:
            items = ((record.number, record.resource) for record in self.registry.in_order())
        self._as_deciding(self.indexes_of(change).create, change.name, change.key, items)

    def _index_dropped(self, change: changes.IndexDropped) -> None:
        self.indexes_of(change).by_name.pop(change.name, None)

    def indexes_of(self, change: changes.IndexCreated | changes.IndexDropped) -> Indexes:
        """Return the indexes, of which a change makes or drops one."""
        return self.booking_indexes if change.of_bookings else self.registry.indexes

    def _reindexed(self, change: changes.Reindexed) -> None:
        record = self.record_of_resource(change.resource)
        if change.after:
            self.registry.put_back(record, change.after)
        else:
            self.registry.indexes.enter(record.number, self._places(record))

    def load(
        self,
        records: Any,
        starts: Sequence[Any],
        ends: Sequence[Any],
        seqs: Sequence[int],
        ids: Sequence[Hashable] | None = None,
        objects: Mapping[int, BookingEvent] | None = None,
    ) -> bool:
        """Book many rows that have been checked; if the store refuses, change nothing and return False.

        The rows count as being loaded until the caller calls `end_load` with the changes: what raises before that undoes
        all. *records* is a `DictionaryColumn` whose places are the numbers of the resources. *ids* is None if the
        ids are the numbers of the bookings. *objects* are the events to keep, by number. The result is as of a `Booked` for
        each row, committed.
        """
        store = self.store
        if not isinstance(store, SupportsLoad) or self.booking_indexes:  # these compare the bookings one by one
            return False
        self._settle_refusals()
        self.loading = seqs
        self.counted = self.ledger.last, self.closures.last_id
        try:
            if not store.load(records, starts, ends, seqs):
                self.loading = ()
                return False
            self.begun = True
            self._load_into_ledger(records, starts, ends, seqs, ids, objects)
        except BaseException as exc:
            if isinstance(exc, Exception) and self.repairable is not None and not self._has_begun():
                self.loading = ()  # a comparison failed, before anything was changed
            else:
                self.gate.torn = self.gate.waiting = True
            raise
        return True

    def end_load(self, booked: Iterable[changes.Booked] = ()) -> None:
        """Note the changes of the rows of `load`, if the log is active, and that they are loaded. O(changes)."""
        self.log.note_all(booked)
        self.loading = ()  # no call comes between these, so Ctrl-C does not either
        self.set_whole()
        self.begun = False

    def book_followed(self, rows: Sequence[tuple[ResourceRecord, Any, Any, int]]) -> int:
        """Commit a `Booked` for each row, booked in another calendar; return how many, until the store refuses one.

        The rows are plain bookings of one unit, numbered in order after all others, of one kind of key, which can always be
        compared. If the log is active, a block is open.
        """
        log, ledger = self.log, self.ledger
        noted: Any = log.changes
        subscribers, seqs = log.subscribers, list[int]()
        is_unheard = log.provisional and not subscribers  # a record of others is appended to no journal
        if self.booking_indexes or (log.active and noted is None):
            return 0
        self._settle_refusals()
        put, owners, made_of, last_closure = self.store.put, ledger.owners, ledger.made_of, self.closures.last_id
        done = 0
        try:
            if noted is not None and is_unheard:
                noted += ((_Unheard(seqs), ()),)
            for record, low, high, seq in rows:
                self.counted = ledger.last, last_closure
                self.loading = (seq,)
                try:
                    put(record, low, high, seq, 1)
                except StoreError:
                    self.loading = ()
                    break
                except LACKING:
                    raise
                except Exception:  # a buffer that does not go with the keys
                    self.gate.torn = self.gate.waiting = True
                    self.gate.settle()
                    break
                if not done:
                    self.keys.learn(low, high)
                owners[seq] = record.number
                if seq <= ledger.undone:
                    ledger.locks[seq] = ledger.next_lock()
                record.tally.active += 1  # `active_count`, written out
                ledger.last = seq
                done += 1
                if is_unheard:
                    seqs += (seq,)
                elif noted is not None:
                    noted += ((changes.Booked(made_of(record, (low, high, seq, 1)), number=seq), subscribers),)
                self.loading = ()  # no call comes between these, so Ctrl-C does not either
            self.set_whole()
        except BaseException:
            self.gate.torn = self.gate.waiting = True
            raise
        return done

    def _load_into_ledger(
        self,
        records: Any,
        starts: Sequence[Any],
        ends: Sequence[Any],
        seqs: Sequence[int],
        ids: Sequence[Hashable] | None,
        objects: Mapping[int, BookingEvent] | None,
    ) -> None:
        """Do the part of `load` that comes after that of the store."""
        ledger = self.ledger
        numbers = records.places
        again: Iterable[int]  # numbers that have been given out before
        if isinstance(seqs, range):
            last, again = seqs[-1], range(seqs[0], min(ledger.undone, seqs[-1]) + 1)
            ledger.owners.put_range(seqs[0], numbers)
        else:
            last, again = max(seqs), filter(ledger.undone.__ge__, seqs) if ledger.undone else ()
            ledger.owners.put_all(seqs, numbers, last)
        ledger.last = last
        if ids is not None:
            ledger.name_all(ids, seqs)
        ledger.objects.update(objects or {})
        for seq in again:
            if seq not in ledger.objects:
                ledger.locks[seq] = ledger.next_lock()
        for place, count in records.tally().items():
            records.table[place].tally.active += count  # `active_count`, written out: half the time
        self.keys.learn(starts[0], ends[0])

    # -- what no record of a change says -----------------------------------------------------------

    def add_resources(self, records: list[ResourceRecord]) -> None:
        """Register the resources of a new calendar, whose records have their numbers. The lock is held. O(n).

        The result is as of a `ResourceAdded` for each, committed. No change is noted: a new calendar has no subscribers and
        no indexes. An exception leaves it half filled; the caller discards it.
        """
        add, home = self.store.add_resource, self.home
        self.registry.add_all(records)
        for record in records:
            record.home = home
            add(record)
            resource = record.resource
            if type(resource) is Resource and resource._binding is None:
                object.__setattr__(resource, "_binding", record.binding)  # `bind`, written out for speed
            else:
                bind(record)
            if record.before is not None or record.after is not None:
                self.buffers.add(record)

    def tag_all(self, numbers: Sequence[int], label: Hashable) -> None:
        """Give resources of a new calendar, by number, a label. The result is as of a `Tagged` for each, committed. O(n)."""
        self.registry.tag_all(numbers, label)

    def number_after(self, booking: int | None = None, closure: int | None = None) -> None:
        """Have the next booking and the next closure get numbers after these; None leaves them as they are. O(1)."""
        if booking is not None:
            self.ledger.last = booking
        if closure is not None:
            self.closures.last_id = closure

    def undo_numbers(self, booking: int, closure: int) -> None:
        """Let the numbers after these be given out again, because the bookings and closures were undone. O(1)."""
        self.ledger.undo_numbers(booking)
        self.closures.last_id = closure

    def remember_expired(self, until: Mapping[Hashable, Any], *, alone: bool = False) -> None:
        """Remember holds that ran out in a calendar whose state is taken over: their deadlines by id. O(holds).

        *alone*: in place of those that are remembered now.
        """
        self.holds.expired = dict(until) if alone else {**self.holds.expired, **until}

    # -- undoing -----------------------------------------------------------------------------------

    def begin(self, block: Block, mark: Mark) -> None:
        """Begin a block, or one inside the open one. The lock is held for writing."""
        if self.gate.block is None:
            self._settle_refusals()
            self.log.open()
            self.gate.block = block
        block.marks.append(mark)
        mark.orphaned = False

    def mark(self, manager: Callable[[], Any] | None = None) -> Mark:
        """Return what is before a block, of which *manager* is a weak reference to what will end it."""
        log = self.log
        return Mark(len(log.changes or ()), len(log.handed), self.ledger.last, self.closures.last_id, manager)

    def undoing(self, keep: bool, command: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a command; undo all its changes if it raises, or if *keep* is false. The lock is held for writing."""
        block = self.gate.block or Block()
        mark = self.mark()
        is_kept = False
        try:
            self.begin(block, mark)
            result = command(*args)
            is_kept = keep
            return result
        finally:
            mark.orphaned = True  # until it has ended, should Ctrl-C come before `end` begins
            self.end(block, mark, is_kept)

    def end(self, block: Block, mark: Mark, kept: bool) -> None:
        """End a block and those inside it; unless *kept*, undo their changes. The lock is held for writing.

        If the end of a block inside is still to be called, both stay open until then, so that its later changes are undone
        too. The changes of the outermost block are given to the journal; if it does not take them, they are undone, and its
        error is raised. If undoing is cut off, or a change cannot be undone, the block stays orphaned. Raises:
        `TransactionError` when a change cannot be undone.
        """
        gate, log, marks = self.gate, self.log, block.marks
        mark.orphaned = True
        error: Exception | None = None
        if kept and log.journal is not None and marks[0] is mark:
            try:
                none: list[Mark] = []
                log.journal.append([noted[0] for noted in log.changes or ()])
                # Nothing comes before this that is interrupted, or needs memory: the next call keeps the changes.
                block.marks = marks = none
            except Exception as exc:
                error, kept = exc, False
        if not kept:
            if gate.torn:
                gate.settle()
            self._roll_back(mark)
        if mark in marks:  # else it was cut off as it began
            at = marks.index(mark)
            if all(inner.is_lost for inner in marks[at:]):
                del marks[at:]
        if not marks:
            log.close()
            gate.block = None
            block.close()
        if error is not None:
            raise error

    def _roll_back(self, mark: Mark) -> None:
        """Undo the changes since a mark, the latest first, without noting that. May be called again after an exception."""
        log = self.log
        noted: list[Any] = log.changes if log.changes is not None else []
        while len(noted) > mark.changes:
            change = noted[-1][0]
            seqs = change.seqs if type(change) is _Unheard else None
            if seqs == []:
                noted.pop()
                continue
            undo = inverse(change) if seqs is None else self.release_of(seqs[-1])
            try:
                self._apply_whole(undo)
            except Exception as exc:
                if not self._hides(undo):
                    raise TransactionError(f"not all could be undone; the next call goes on ({brief(exc)})") from exc
            (noted if seqs is None else seqs).pop()
            # now, because the next change to undo may refer to the same event as it was before
            if log.handed and type(change) is changes.Booked and log.handed[-1][0] is change.event:
                restore_facts(*log.handed.pop())
        while len(log.handed) > mark.handed:
            restore_facts(*log.handed.pop())
        self.undo_numbers(mark.last, mark.last_closure)

    def _hides(self, undo: changes.Change) -> bool:
        """Release a booking without comparing a key, if the store can do that and no change is half done."""
        if type(undo) is not changes.Released or self.gate.torn or self.expiry is None:
            return False
        self._apply_whole(undo, partial(self._released, hide=True))
        self.watch()
        return True

    # -- holds that run out ------------------------------------------------------------------------

    def watch(self) -> None:
        """Set ``gate.waiting``: whether holds may run out, the store has hidden rows, or there is a change to mend."""
        hidden = self.expiry is not None and self.expiry.hidden_count
        self.gate.waiting = bool(self.holds.deadlines or hidden or self.gate.torn)

    def tick(self) -> None:
        """Release the holds whose deadline has passed, and remove a few hidden rows from the store.

        Complexity: O(log holds), and O(1) for each hold. Raises: `KeyTypeError` when the clock's instant cannot be compared.
        """
        gate, holds, expiry = self.gate, self.holds, self.expiry
        if gate.torn:
            gate.settle()
        due = holds.due(holds.now(self.shown_as)) if holds.deadlines else []
        hidden = 0 if expiry is None else expiry.hidden_count
        if not due and not hidden:
            self.watch()
            return
        mode, gate.mode = gate.mode, CHANGING
        gate.stamp = None
        gate.version += 1
        try:
            if due:
                self._expire(due)
            if expiry is not None and len(due) <= self.sizes.at_once:
                expiry.vacuum(self.sizes.at_once)
                self._forget_keys()
        finally:
            gate.mode = mode
            self.watch()
            if self._has_begun():
                gate.torn = gate.waiting = True

    def _expire(self, due: list[Due]) -> None:
        """Release the holds with these deadlines. If the store cannot remove some, they stay held, and this raises."""
        error: Exception | None = None
        self.begun = True  # until the deadlines are right again
        self.holds.pass_by(len(due))
        if self.expiry is not None and not self.log.active:
            self._hide(due)
        else:
            for row in due:
                try:
                    if self.holds.is_current(row):
                        self.commit(self.release_of(row[1], expired=True))
                        self.begun = True  # `commit` sets it to False
                except Exception as exc:
                    error = error or exc
        self.holds.put_back(due)
        self.begun = self.gate.torn
        if error is not None:
            raise error

    def release_of(self, seq: int, event: BookingEvent | None = None, *, expired: bool = False, until: Any = None) -> Any:
        """Return the change that releases an active booking; *until* replaces the deadline that it has."""
        event = self.ledger.event(seq) if event is None else event
        held, deadline = seq in self.holds.until, self.holds.until.get(seq)
        until = deadline if until is None else until
        return changes.Released(event, expired, held, until, indexed=self.booking_indexes.values_of(seq))

    def removal_of(self, record: ResourceRecord) -> changes.ResourceRemoved:
        """Return the change that removes a resource."""
        registry = self.registry
        facts = record.capacity, record.before, record.after, record.number, tuple(registry.labels(record))
        return changes.ResourceRemoved(record.resource, *facts, registry.held(record), record.id, registry.class_of(record))

    def _hide(self, due: list[Due]) -> None:
        """Release holds as a `Released` for each, committed, would; note no changes and compare no keys. O(1) for each."""
        self._settle_refusals()
        ledger, holds = self.ledger, self.holds
        record_of, drop, pop, id_of, remember = ledger.record, holds.drop, ledger.pop, ledger.id_of, holds.remember
        discard = self.booking_indexes.discard
        records, seqs = [], []
        self.begun = True
        for row in due:
            if not holds.is_current(row):
                continue
            until, seq = row
            record = record_of(seq)
            # in this order, so that a hold whose expiry is cut off is active and held, or remembered as expired
            remember(id_of(seq), until)
            pop(seq)
            discard(seq)
            drop(seq)
            record.active_count -= 1
            records.append(record)
            seqs.append(seq)
        if self.expiry is not None:
            self.expiry.hide(records, seqs)

    def vacuum(self) -> None:
        """Remove all hidden rows from the store. O(log m) for each."""
        expiry, was_whole = self.expiry, not self._has_begun()
        try:
            while expiry is not None and expiry.hidden_count:
                before = expiry.hidden_count
                expiry.vacuum(self.sizes.at_once)
                if expiry.hidden_count == before:
                    return
        finally:
            self.watch()
            if was_whole and self._has_begun():
                self.gate.torn = self.gate.waiting = True

    # -- keys --------------------------------------------------------------------------------------

    def _forget_keys(self) -> None:
        """Accept keys of any family again if the calendar holds no keys. The store still holds the keys of hidden rows."""
        if not self.ledger.owners and not self.closures and not (self.expiry is not None and self.expiry.hidden_count):
            self.keys.reset()

    def _keys_held(self) -> Iterator[Any]:
        """Remove the hidden rows, and yield all keys that the calendar holds, in index form."""
        self.vacuum()
        for record in self.registry.in_order():
            for row in self.store.overlapping(record, None, None) if record.active_count else ():
                yield from (key for key in row[:2] if key is not None)
        yield from self._keys_of_closures()

    # -- looking up --------------------------------------------------------------------------------

    def record_of_resource(self, resource: Any) -> ResourceRecord:
        """Return the record of a registered object, even if the object's ``id`` has been changed. O(1), mostly."""
        try:
            if issubclass(type(resource), Resource):
                binding = resource._binding
                if binding is not None and binding.home is self.home:
                    record: ResourceRecord = binding if type(binding) is ResourceRecord else binding.record
                    return record
            candidate = self.registry.find(resource)
            if candidate is not None and candidate.resource is resource:
                return candidate
        except LACKING:
            raise
        except Exception:  # noqa: S110 - the object's own code, or its id has been changed
            pass
        return next(record for record in self.registry.by_id.values() if record.resource is resource)

    # -- errors and endings ------------------------------------------------------------------------

    def translate_error(self, exc: Exception, *keys: Any) -> None:
        """Raise a `KeyTypeError` or `StoreError` for a store's exception; return for errors of bookcore and those `LACKING`.

        If keys are compared by the user's own code, the exception is taken to come from there, else from the store.
        """
        if is_a(exc, (BookcoreError, *LACKING)):  # by its type: it may be an exception of the user's own, which lies
            return
        theirs = [key for key in keys if key is not None and is_user_defined(key)]
        if theirs or self.keys.user_defined:
            key = theirs[0] if theirs else next((key for key in keys if key is not None), None)
            raise KeyTypeError(key, f"could not be compared: {type(exc).__name__}: {exc}") from exc
        raise StoreError(self.store, f"failed: {type(exc).__name__}: {exc}") from exc

    def translate_comparison(self, exc: Exception) -> None:
        """Raise a `KeyTypeError` for an exception that may come from the user's own comparison of keys; else return."""
        key = self.keys.take_user_defined()
        if key is not None and not is_a(exc, (BookcoreError, *LACKING)):
            raise KeyTypeError(key, f"could not be compared: {type(exc).__name__}: {exc}") from exc

    def finish(self, exc: BaseException | None, due: int, waits: bool) -> None:
        """End a call, after it has released the lock: translate its error, and notify subscribers.

        *waits*: after its record is on the disk. Should that fail, they are notified still, as the change is made in memory.
        """
        try:
            if isinstance(exc, Exception):
                self.translate_comparison(exc)
            elif exc is None and due and waits and self.log.journal is not None:
                self.log.journal.wait()
        finally:  # a call that raises may have released expired holds before
            if due:
                self.log.deliver(due)

    # -- checking ----------------------------------------------------------------------------------

    def check(self) -> None:
        """Do what `check_parts` does, where no change is under way."""
        self.gate.check()
        self.check_parts()

    def check_parts(self) -> None:
        """Raise AssertionError unless all invariants hold, of each part and between the parts. The lock is held."""
        records = self.registry.by_id
        for part in (self.store, self.registry, self.ledger):
            if hasattr(part, "check"):
                part.check()
        self.booking_indexes.check(self.ledger.owners)
        self.holds.check(self.ledger.owners.__contains__)
        self.closures.check(records)
        self.hours.check(records, self.registry.size)
        self.buffers.check(records)
        seen, keys = 0, list[Any]()
        for record in records.values():
            rows = self.store.overlapping(record, None, None)
            seen += len(rows)
            keys += (key for row in rows for key in row[:2] if key is not None)
            if len(rows) != record.active_count or any(self.ledger.owners.get(row[2]) != record.number for row in rows):
                raise AssertionError(f"{record!r} has {len(rows)} bookings, {record.active_count} counted")
        if seen != len(self.ledger):
            raise AssertionError(f"{seen} bookings in the store, {len(self.ledger)} in the ledger")
        hidden = self.expiry is not None and self.expiry.hidden_count
        if (self.holds.deadlines or hidden) and not self.gate.waiting:
            raise AssertionError("holds may run out, and the fast paths are open")
        for key in (*keys, *self._keys_of_closures()):
            if not self.keys.knows(key):
                raise AssertionError(f"key {key!r} is held, and its kind is not known")

    def _keys_of_closures(self) -> Iterator[Any]:
        for closure in self.closures.by_id.values():
            yield from (normal(key) for key in (closure.start, closure.end) if key is not None)
