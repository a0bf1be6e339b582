"""One record of a journal: the changes of one command or transaction, as bytes, and how they are applied again.

    changes  ->  Encoder.encode  ->  one column of rows, in the codec of snapshots  ->  bytes
    bytes    ->  Replay.apply    ->  changes with the calendar's own objects        ->  `CalendarState.commit`

A row is a tuple: the number of the kind of change, then plain facts. Bookings, resources and closures are written by their
ids; a class is written by its name and looked up among those handed in. The record of a resource carries its attributes as
they were when the command ended.

A record of plain bookings, or of their removals, has a short form, see `bookcore.persist.journal.short`; runs of these are
applied at once.

Applying a record decides nothing again: no rule is asked, no clock is read. The numbers of bookings and closures are those
of the record, so that the calendar which replayed it goes on as the one that wrote it.

The changes of indexes are in no record, because an index is a function of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any

from bookcore.engine.state import CalendarState
from bookcore.hours.opening_hours import Hours
from bookcore.index.attribute_index import is_nan
from bookcore.model import change as changes
from bookcore.model.closure import Closure
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource
from bookcore.persist.codec.blob import MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.budget import Budget
from bookcore.persist.codec.columns import decode_column, encode_column
from bookcore.persist.journal.runs import load_rows, load_run
from bookcore.persist.journal.short import (
    REMOVAL,
    SEVERAL,
    form_of,
    parts_of,
    read_short,
    removed_by,
    several,
    short_form,
)
from bookcore.persist.snapshot.classes import CODEC, ClassNames, class_of
from bookcore.persist.snapshot.gather import by_text, describe
from bookcore.persist.snapshot.rebuild import ROOMY, event_maker, maker
from bookcore.stores.record import ResourceRecord

UNRECORDED = changes.IndexCreated, changes.IndexDropped, changes.Reindexed
"""The changes that are in no record."""

FEWEST = 8
"""How many bookings in a row are applied at once, at least."""
_SIZE = 8  # bytes of the number of rows, with which a column begins

_AT_ONCE = 1000  # changes in a record of `standing`


class Kind:
    """The numbers of the kinds of change, with which rows begin."""

    (
        RESOURCE_ADDED, RESOURCE_REMOVED, BOOKED, RELEASED, CONFIRMED, HELD, MOVED, CLOSED, REOPENED, HOURS_SET,
        CAPACITY_SET, TAGGED, UNTAGGED, EXTENDED, CHANGED,
    ) = range(15)  # fmt: skip


class Encoder:
    """Encodes the changes of one calendar. *path* is named in errors, *known* are the classes handed in, by name."""

    def __init__(self, state: CalendarState, path: str, known: dict[str, type]) -> None:
        self._state, self._path = state, path
        self._classes = ClassNames(path)
        for cls in known.values():  # another class of the same name would come back as this one
            self._classes.place(cls)

    def encode(self, noted: Iterable[changes.Change]) -> bytes:
        """Return the record of these changes, in this order; empty if none of them belongs into a record.

        Raises: `Unwritable` for a value and `SnapshotTypeError` for a class that cannot be written.
        Complexity: O(changes).
        """
        noted = list(noted)
        shorts: list[bytes] = []
        for change in noted:
            if (short := short_form(self._state, change)) is None:
                break
            shorts.append(short)
        if shorts and len(shorts) == len(noted):
            return shorts[0] if len(shorts) == 1 else several(shorts)
        rows: list[tuple[Any, ...]] = []
        # Backwards, because the calendar knows the ids of resources as they are after the last change.
        removed: dict[int, Any] = {}
        for change in reversed(noted):
            if isinstance(change, changes.ResourceRemoved):
                removed[id(change.resource)] = change.id
            row = self._row(change, removed)
            if row is not None:
                rows.append(row)
            if isinstance(change, changes.ResourceAdded):
                removed.pop(id(change.resource), None)
        rows.reverse()
        return encode_column(rows) if rows else b""

    def _row(self, change: changes.Change, removed: dict[int, Any]) -> tuple[Any, ...] | None:
        def id_of(resource: Any) -> Any:
            if id(resource) in removed:
                return removed[id(resource)]
            return self._state.record_of_resource(resource).id

        name = self._classes.name
        match change:
            case changes.Booked(event, held, until):
                number, where = change.number or event._seq, id_of(event._resource)
                return Kind.BOOKED, where, number, held, until, change.ran_out, *self._facts(event)
            case changes.Released(event, expired, held, until):
                return Kind.RELEASED, event._id, expired, held, until, change.ran_out
            case changes.Confirmed(event, until):
                return Kind.CONFIRMED, event._id, until
            case changes.Held(event, until):
                return Kind.HELD, event._id, until
            case changes.Extended(event, until):
                return Kind.EXTENDED, event._id, until
            case changes.Changed(before, after):
                return Kind.CHANGED, before._id, *self._facts(after)
            case changes.Moved(before, after):
                return Kind.MOVED, before._id, id_of(after._resource), *self._facts(after)
            case changes.Closed(closure):
                overlapping = [self._facts(event) for event in closure.overlapping]
                span = closure.start, closure.end
                return Kind.CLOSED, closure.id, id_of(closure.resource), *span, closure.reason, overlapping
            case changes.Reopened(closure):
                return Kind.REOPENED, closure.id
            case changes.HoursSet(resource, hours):
                return Kind.HOURS_SET, id_of(resource), None if hours is None else hours.to_plain()
            case changes.CapacitySet(resource, capacity, before):
                return Kind.CAPACITY_SET, id_of(resource), capacity, before
            case changes.Tagged(resource, label):
                return Kind.TAGGED, id_of(resource), _findable(label)
            case changes.Untagged(resource, label):
                return Kind.UNTAGGED, id_of(resource), label
            case changes.ResourceAdded():
                cls, attributes = describe(change, self._path, self._state.registry.key)
                facts = _findable(change.id), change.capacity, change.before, change.after
                return Kind.RESOURCE_ADDED, *facts, change.labels, name(cls), attributes
            case changes.ResourceRemoved():
                return Kind.RESOURCE_REMOVED, change.id
        if isinstance(change, UNRECORDED):
            return None
        raise TypeError(f"{type(change).__name__} is no change that a record can hold")

    def _facts(self, event: BookingEvent) -> tuple[Any, ...]:
        """Return what a record says of an event, besides its resource and number."""
        facts = _findable(event._id), event._start, event._end, event._quantity
        return self._classes.name(type(event)), *facts, by_text(event.fields)


def _findable(id: Any) -> Any:
    """Return an id or a label. Raises: `Unwritable` for a NaN, or a tuple with one: later records would name it in vain."""
    if type(id) not in (int, str) and is_nan(id):
        raise Unwritable(id, "an id or a label that is no number equals nothing, and would not be found again")
    return id


def standing(state: CalendarState, path: str, known: dict[str, type]) -> Iterator[bytes]:
    """Yield records of which an equal calendar would come, many changes in each. O(everything).

    No other thread changes the calendar meanwhile. Raises: as `Encoder.encode`.
    """
    encoder, every = Encoder(state, path, known), _changes_to(state)
    while chunk := list(islice(every, _AT_ONCE)):
        yield encoder.encode(chunk)


def _changes_to(state: CalendarState) -> Iterator[changes.Change]:
    """Yield changes that make of an empty calendar one that is equal to this one."""
    registry, ledger, holds = state.registry, state.ledger, state.holds
    records = registry.in_order()
    for record in records:
        labels = tuple(registry.labels(record))
        capacity = ROOMY if record.crowded else record.capacity  # until its bookings are there
        facts = capacity, record.before, record.after, record.number, labels
        yield changes.ResourceAdded(record.resource, *facts, id=record.id)
        if record.hours is not None:
            yield changes.HoursSet(record.resource, record.hours)
    for seq in sorted(ledger.owners):
        yield changes.Booked(ledger.event(seq), seq in holds.until, holds.until.get(seq), seq)
    for record in records:
        if record.crowded:
            yield changes.CapacitySet(record.resource, record.capacity, ROOMY)
    for _, closure in sorted(state.closures.by_id.items()):
        yield changes.Closed(closure)


def rows_of(record: bytes) -> list[Any]:
    """Return the rows of a record, the short form written out; what they are is not checked. O(rows).

    Raises: `Unreadable` for bytes that no `Encoder` made, `MissingCodec` for a key whose codec is not registered.
    """
    form = form_of(record)
    if not form:
        return _rows(record)
    if form == SEVERAL:
        return [row for part in parts_of(record) for row in rows_of(part)]
    if form == REMOVAL:
        return [(Kind.RELEASED, removed_by(record), False, False, None, None)]
    number, start, end, where = read_short(record)
    return [(Kind.BOOKED, where, number, False, None, None, *_plain_facts(number, start, end))]


def _rows(record: bytes) -> list[Any]:
    count = int.from_bytes(record[:_SIZE], "little")
    if not 0 < count <= len(record):
        raise Unreadable(f"{count} changes in a record of {len(record)} bytes")
    return decode_column(record, count, Budget(len(record), 1))


def _kind_of(row: object) -> int:
    return row[0] if type(row) is tuple and row and type(row[0]) is int else -1


def _plain_facts(number: int, start: Any, end: Any) -> tuple[Any, ...]:
    """Return what a record of the short form says of an event; its class is not named."""
    return None, number, start, end, 1, None


class Replay:
    """Applies records to one calendar. *known* are the classes handed in, by name."""

    def __init__(self, state: CalendarState, known: dict[str, type]) -> None:
        self._state, self._known = state, known
        self._makers: dict[str, Callable[..., Any]] = {}
        self._event_makers: dict[Any, Callable[..., Any]] = {None: event_maker(BookingEvent)}  # for the short form
        methods: list[Any] = [  # in the order of the numbers
            self._resource_added, self._resource_removed, self._booked, self._released, self._confirmed, self._held,
            self._moved, self._closed, self._reopened, self._hours_set, self._capacity_set, self._tagged, self._untagged,
            self._extended, self._changed,
        ]  # fmt: skip
        # with how many facts each takes
        self._apply = [(method, method.__func__.__code__.co_argcount - 1) for method in methods]

    def apply(self, record: bytes) -> None:
        """Apply a record. The calendar's lock is held for writing; an exception leaves the calendar half changed.

        Raises: `Unreadable` for bytes that no `Encoder` made, `MissingCodec` for a class that was not handed in, and
        whatever the calendar and the code of the user's classes raise for a record that does not fit the calendar.
        Complexity: as the commands that the record tells of.
        """
        form = form_of(record)
        if form == SEVERAL:
            for can_load, neighbours in groupby(parts_of(record), self._can_load):
                parts = list(neighbours)
                for at in self.load(parts) if can_load and len(parts) >= FEWEST else range(len(parts)):
                    self.apply(parts[at])
            return
        if form == REMOVAL:
            self._released(removed_by(record), False, False, None, None)
            return
        if form:
            number, start, end, where = read_short(record)
            self._booked(where, number, False, None, None, *_plain_facts(number, start, end))
            return
        for kind, group in groupby(_rows(record), _kind_of):
            rows = list(group)
            done = load_rows(self._state, rows) if kind == Kind.BOOKED and len(rows) >= FEWEST else 0
            for row in rows[done:]:
                self._apply_row(kind, row)

    def _apply_row(self, kind: int, row: tuple[Any, ...]) -> None:
        if not 0 <= kind < len(self._apply):
            raise Unreadable("a row that is no change")
        apply, count = self._apply[kind]
        if len(row) - 1 != count:
            raise Unreadable(f"{len(row) - 1} facts of a change of kind {kind}, {count} expected")
        apply(*row[1:])

    def _can_load(self, record: bytes) -> bool:
        """Tell whether `load` takes a short record: no removal that subscribers receive."""
        return not (self._state.log.active and form_of(record) == REMOVAL)

    def loadable(self, record: bytes) -> list[bytes]:
        """Return the short records for `load` of which a record is made; none if it has other changes as well."""
        form = form_of(record)
        if form != SEVERAL:
            return [record] if form and self._can_load(record) else []
        try:
            parts = parts_of(record)
        except Unreadable:
            return []
        return parts if all(map(self._can_load, parts)) else []

    def load(self, records: Sequence[bytes]) -> Sequence[int]:
        """Apply short records at once; return the places of those that are left, see `load_run`."""
        return load_run(self._state, records)

    # -- looking up --------------------------------------------------------------------------------

    def _record(self, id: Any) -> ResourceRecord:
        record = self._state.registry.by_id.get(id)
        if record is None:
            raise Unreadable("a resource that is not registered")
        return record

    def _number(self, id: Any) -> int:
        seq = self._state.ledger.number_of(id)
        if seq is None:
            raise Unreadable("a booking that is not active")
        return seq

    def _class(self, name: Any, base: type) -> type:
        cls = class_of(name, self._known, base) if type(name) is str else None
        if cls is None:
            raise MissingCodec(str(name), f"it holds objects of {name}; pass types=[{name}]")
        if not issubclass(cls, base):
            raise MissingCodec(name, f"{name} should be a subclass of {base.__name__}")
        return cls

    def _event(self, resource: Any, name: Any, id: Any, start: Any, end: Any, quantity: Any, fields: Any) -> BookingEvent:
        if type(quantity) is not int or quantity < 1 or not (fields is None or type(fields) is dict):
            raise Unreadable("a booking whose quantity or fields are none")
        if fields is not None and set(map(type, fields)) - {str}:
            raise Unreadable("fields whose names are no texts")
        if id is None:
            raise Unreadable("a booking without an id")
        if name not in self._event_makers:
            self._event_makers[name] = event_maker(self._class(name, BookingEvent))
        event: BookingEvent = self._event_makers[name](resource, start, end, id, quantity, fields)
        return event

    def _is_row(self, event: BookingEvent) -> bool:
        """Check the keys of an event; tell whether it says no more than its row, so that the ledger need not keep it."""
        low, high = self._state.keys.admit(event._start, event._end)
        return type(event) is BookingEvent and not event._fields and low is event._start and high is event._end

    # -- a method for each kind of change ----------------------------------------------------------

    def _resource_added(
        self, id: Any, capacity: Any, before: Any, after: Any, labels: Any, name: Any, attributes: Any
    ) -> None:
        state = self._state
        given = id is not None and type(capacity) is int and capacity > 0 and type(labels) is tuple
        if not given or id in state.registry.by_id:
            raise Unreadable("a resource that cannot be registered")
        resource: Any
        if name == CODEC:
            resource = attributes  # made by its key codec
            if state.registry.id_of(resource) != id:
                raise Unreadable("a resource comes back with another id than it was registered with")
        else:
            if name not in self._makers:
                self._makers[name] = maker(self._class(name, Resource))
            resource = self._makers[name](id, capacity, before, after, attributes)
        state.renumber()
        state.commit(changes.ResourceAdded(resource, capacity, before, after, None, labels, id=id))

    def _resource_removed(self, id: Any) -> None:
        state, record = self._state, self._record(id)
        if record.active_count or record.closures is not None:
            raise Unreadable("a resource is removed that has bookings or closures")
        state.commit(state.removal_of(record))

    def _booked(
        self, where: Any, number: Any, held: Any, until: Any, ran_out: Any,
        name: Any, id: Any, start: Any, end: Any, quantity: Any, fields: Any,
    ) -> None:  # fmt: skip
        ledger = self._state.ledger
        if type(number) is not int or number <= ledger.last or type(held) is not bool:
            raise Unreadable("a booking with a number that was given out before")
        if ledger.number_of(id) is not None:
            raise Unreadable("a booking with the id of another one")
        event = self._event(self._record(where).resource, name, id, start, end, quantity, fields)
        event._lock = ledger.lock_of_new(number) if self._is_row(event) else None
        event._seq, event._home = number, ledger
        self._state.commit(changes.Booked(event, held, until, number, ran_out))

    def _released(self, id: Any, expired: Any, held: Any, until: Any, ran_out: Any) -> None:
        seq = self._number(id)
        if type(expired) is not bool or held is not (seq in self._state.holds.until):
            raise Unreadable("a booking was held, or was not, and is here")
        self._state.commit(changes.Released(self._state.ledger.event(seq), expired, held, until, ran_out))

    def _confirmed(self, id: Any, until: Any) -> None:
        seq = self._number(id)
        if seq not in self._state.holds.until:
            raise Unreadable("a hold is confirmed that is none")
        self._state.commit(changes.Confirmed(self._state.ledger.event(seq), until))

    def _held(self, id: Any, until: Any) -> None:
        self._state.commit(changes.Held(self._state.ledger.event(self._number(id)), until))

    def _moved(self, id: Any, where: Any, name: Any, same: Any, start: Any, end: Any, quantity: Any, fields: Any) -> None:
        self._state.commit(changes.Moved(*self._replaced(id, self._record(where), name, same, start, end, quantity, fields)))

    def _changed(self, id: Any, name: Any, same: Any, start: Any, end: Any, quantity: Any, fields: Any) -> None:
        record = self._state.ledger.record(self._number(id))
        self._state.commit(changes.Changed(*self._replaced(id, record, name, same, start, end, quantity, fields)))

    def _replaced(
        self, id: Any, record: ResourceRecord, name: Any, same: Any, *rest: Any
    ) -> tuple[BookingEvent, BookingEvent]:
        """Return the event of an active booking, and the one in its place, which has the same id."""
        ledger, seq = self._state.ledger, self._number(id)
        if same != id:
            raise Unreadable("a booking that changes its id")
        before = ledger.event(seq)
        after = self._event(record.resource, name, before._id, *rest)
        after._lock = ledger.next_lock() if self._is_row(after) else None
        after._seq, after._home = seq, ledger
        return before, after

    def _extended(self, id: Any, until: Any) -> None:
        seq = self._number(id)
        if seq not in self._state.holds.until:
            raise Unreadable("the deadline of a hold that is none")
        self._state.commit(changes.Extended(self._state.ledger.event(seq), until, self._state.holds.until[seq]))

    def _closed(self, id: Any, where: Any, start: Any, end: Any, reason: Any, overlapping: Any) -> None:
        state, resource = self._state, self._record(where).resource
        if type(id) is not int or id < 1 or id in state.closures.by_id or type(reason) is not str:
            raise Unreadable("a closure with an id that another one has")
        if type(overlapping) is not list or {(type(facts), len(facts)) for facts in overlapping} - {(tuple, _EVENT_FACTS)}:
            raise Unreadable("a closure with bookings that are none")
        state.keys.admit(start, end)
        listed = tuple(self._listed(resource, *facts) for facts in overlapping)
        state.commit(changes.Closed(Closure(resource, start, end, reason, id, listed)))

    def _listed(self, resource: Any, name: Any, id: Any, *rest: Any) -> BookingEvent:
        """Return the active booking with an id, or if there is none, a record of it that owns no lock."""
        seq = None if id is None else self._state.ledger.number_of(id)
        if seq is not None:
            return self._state.ledger.event(seq)
        event = self._event(resource, name, id, *rest)
        event._seq = 0  # cannot be changed
        return event

    def _reopened(self, id: Any) -> None:
        closure = self._state.closures.by_id.get(id)
        if closure is None:
            raise Unreadable("a closure that does not stand")
        self._state.commit(changes.Reopened(closure))

    def _hours_set(self, where: Any, plain: Any) -> None:
        record = self._record(where)
        hours = None if plain is None else Hours.from_plain(plain)
        self._state.commit(changes.HoursSet(record.resource, hours, record.hours))

    def _capacity_set(self, where: Any, capacity: Any, before: Any) -> None:
        record = self._record(where)
        if type(capacity) is not int or capacity < 1 or before != record.capacity:
            raise Unreadable("a capacity that does not follow from the one before")
        self._state.commit(changes.CapacitySet(record.resource, capacity, record.capacity))

    def _tagged(self, where: Any, label: Any) -> None:
        self._state.commit(changes.Tagged(self._record(where).resource, label))

    def _untagged(self, where: Any, label: Any) -> None:
        self._state.commit(changes.Untagged(self._record(where).resource, label))


_EVENT_FACTS = 6
"""How many facts a record says of an event, see `Encoder._facts`."""
