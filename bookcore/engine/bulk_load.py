"""Bulk load: the events of `Calendar.load`, checked column by column and handed to the store in one piece.

    events  ->  resources, starts, ends, ids   read by C loops, a column each
            ->  records, keys in index form    checked column by column
            ->  CalendarState.load             all or nothing
            ->  numbers, ids, locks            written into the events by C loops

Whenever anything is out of the ordinary (a None, a second type of key, a resource with capacity, an id that is taken, a span
that is not free, a store that cannot load), nothing has been changed yet, and the events are booked one by one instead, in a
transaction, which finds the first that cannot be added and says why.
"""

from __future__ import annotations

import gc
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import repeat
from operator import attrgetter, eq, lt
from typing import Any

from bookcore.engine.log import facts_of
from bookcore.engine.state import CalendarState
from bookcore.index.column import SHARED
from bookcore.index.dictionary_column import DictionaryColumn, dictionary_encode, places_in
from bookcore.model.change import Booked
from bookcore.model.event import BookingEvent
from bookcore.model.keys import UTC, KeyFamily
from bookcore.model.resource import Resource
from bookcore.stores.protocol import SupportsLoad
from bookcore.stores.record import ResourceRecord, bind

__all__ = ["add_resources", "garbage_paused", "load_events"]

FEW = 4
"""With more than so many resources for each event, resources are looked up one by one."""


def load_events(state: CalendarState, events: list[Any]) -> bool:
    """Add all events in one piece, or return False with nothing changed; the calendar's lock is held."""
    if len(events) < state.sizes.fewest:
        return False
    with garbage_paused():
        return _load_columns(state, events)


@contextmanager
def garbage_paused(*, aged: bool = False) -> Iterator[None]:
    """Keep the cyclic garbage collector from running inside the block, if it is on.

    A bulk load makes hundreds of thousands of arrays and no garbage; the collector would walk all of them, and every
    event, several times over.

    With *aged*, what is young when the block ends counts as old, without being walked: for calls that make much at once, and
    seldom. Garbage that was young waits for a full collection then. Not where something is frozen: by the program, which
    is to stay so, or by Python 3.12 as it starts.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        if aged and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # into the oldest generation
    finally:
        gc.enable()


def add_resources(
    state: CalendarState,
    ids: Sequence[Any],
    resources: Sequence[Any],
    capacities: Sequence[int],
    before: Iterable[Any],
    after: Iterable[Any],
) -> None:
    """Register many resources with a new calendar, given as columns that have been checked; its lock is held.

    What `CalendarState.commit` does with `ResourceAdded` for each, at once: nobody listens to a new calendar and it has no
    indexes. After an exception it is half filled, and of no use. O(n).
    """
    add, first, home = state.store.add_resource, state.registry.size, state.home
    numbers = range(first, first + len(resources))
    records = list(map(ResourceRecord, ids, resources, numbers, capacities, before, after))
    state.registry.add_all(records)
    for record in records:
        record.home = home
        resource = record.resource
        if type(resource) is Resource and resource._binding is None:
            resource._binding = record  # what `bind` does
            add(record)
        else:
            add(record)
            bind(record)
        if record.before is not None or record.after is not None:
            state.buffers.add(record.number, record.before, record.after)


def _load_columns(state: CalendarState, events: list[Any]) -> bool:
    """Add all events in one piece, or return False with nothing changed."""
    if not isinstance(state.store, SupportsLoad):
        return False
    ledger = state.ledger
    try:
        classes = set(map(type, events))
        if not all(issubclass(cls, BookingEvent) for cls in classes):
            return False
        # an event that is there twice is in its own way, as the store will find
        if set(map(_home_of, events)) != {None} and any(event._home and event._home.owns(event) for event in events):
            return False
        records, own = _records(state, events)
        if not _are_exclusive(state, records):
            return False
        starts, ends = list(map(_start_of, events)), list(map(_end_of, events))
        spans = _spans(state.keys, starts, ends)
        if spans is None:
            return False
        quantities = set(map(attrgetter("_quantity"), events))
        if quantities != {1} or set(map(type, quantities)) != {int}:
            return False
        ids = _ids(state, events)
        if ids is None:
            return False
        seqs = range(ledger.last + 1, ledger.last + 1 + len(events))
        numbered = type(ids) is range or (list(ids) == list(seqs) and set(map(type, ids)) == {int})
        if ledger.named and not ledger.numbers.isdisjoint(seqs):
            return False
        # the events that say more than their rows are kept
        kept = {}
        if classes != {BookingEvent} or any(map(attrgetter("_fields"), events)):
            kept = {
                seq: event
                for seq, event in zip(seqs, events, strict=True)
                if type(event) is not BookingEvent or event._fields
            }
        if not state.load(records, *spans, seqs, None if numbered else ids, kept):
            return False
    except Exception:  # nothing has changed; the long way will meet it again and say what it is
        return False
    log = state.log
    if log.changes is not None:
        log.handed += zip(events, map(facts_of, events), strict=True)
    _write(_set_seq, events, seqs)
    if numbered:
        _write(_set_id, events, seqs)
    _write(_set_lock, events, map(ledger.locks.get, seqs, seqs) if ledger.locks else seqs)
    for event in kept.values():
        event._lock = None
    if not own:
        _write(_set_resource, events, map(attrgetter("resource"), records))
    _write(_set_home, events, repeat(ledger))
    if log.active:
        for event in events:
            log.note(Booked(event, number=event._seq))
    return True


_start_of, _end_of, _zone_of, _home_of = map(attrgetter, ("_start", "_end", "tzinfo", "_home"))
_slots: Any = BookingEvent  # a type checker sees in a slot what it holds, not the descriptor
_set_seq, _set_id, _set_lock = _slots._seq.__set__, _slots._id.__set__, _slots._lock.__set__
_set_resource, _set_home = _slots._resource.__set__, _slots._home.__set__


def _write(setter: Callable[[Any, Any], None], events: list[Any], values: Iterable[Any]) -> None:
    """Set a slot of every event, in C."""
    deque(map(setter, events, values), maxlen=0)


def _ids(state: CalendarState, events: list[Any]) -> Sequence[Any] | None:
    """Return an id for each event, none of them taken, or None if the long way must find out."""
    ledger = state.ledger
    ids: Any = list(map(attrgetter("_id"), events))
    missing = ids.count(None)
    if missing == len(ids):
        return range(ledger.last + 1, ledger.last + 1 + len(ids))
    if missing or len(set(ids)) < len(ids):
        return None
    if any(type(id) is not str for id in ids) and any(ledger.number_of(id) is not None for id in ids):
        return None
    return ids if not ledger.named or ledger.numbers.isdisjoint(ids) else None


def _records(state: CalendarState, events: list[Any]) -> tuple[DictionaryColumn, bool]:
    """Return the record of each event's resource, by number, and whether each event holds the very object registered."""
    registry = state.registry
    resource_of = attrgetter("_resource")
    if FEW * len(events) < registry.size:  # a table of all resources would cost more than a look at each that is asked for
        looked_up = list(map(registry.record, map(resource_of, events)))
        own = all(record.resource is event._resource for record, event in zip(looked_up, events, strict=True))
        return DictionaryColumn(registry.by_number, array("I", map(attrgetter("number"), looked_up))), own
    try:
        return DictionaryColumn(registry.by_number, places_in(registry.objects, map(resource_of, events))), True
    except KeyError:
        pass
    found = map(registry.record, map(resource_of, events))
    return DictionaryColumn(registry.by_number, array("I", map(attrgetter("number"), found))), False


def _are_exclusive(state: CalendarState, records: DictionaryColumn) -> bool:
    """Tell whether bookings alone decide on all these resources."""
    if not (state.registry.pooled.value() or state.closures or state.hours):
        return True
    used = map(records.table.__getitem__, set(records.places))
    return all(record.is_exclusive and not record.rules for record in used)


def _spans(keys: KeyFamily, starts: Sequence[Any], ends: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]] | None:
    """Return both columns if they hold keys of one simple kind, all spans in order; None if not sure.

    Where keys repeat, as places in one table of the distinct ones.
    """
    types = set(map(type, starts)) | set(map(type, ends))
    if len(types) != 1:
        return None
    (cls,) = types
    if issubclass(cls, tuple) or (issubclass(cls, datetime) and cls is not datetime):
        return None
    columns = dictionary_encode(starts, ends) if cls in SHARED else None
    if cls is datetime and not (columns and set(map(_zone_of, columns[0].table)) == {None}):  # no zoned one equals these
        zones = set(map(_zone_of, starts)) | set(map(_zone_of, ends))
        if zones not in ({None}, {UTC}):
            return None
    keys.admit(starts[0], ends[0])  # is this kind at home here? One key speaks for all of its kind
    low, high = (starts, ends) if columns is None else (column.places for column in columns)  # in the same order
    if keys.closed:
        right = not any(map(lt, high, low)) and all(map(eq, starts, starts)) and all(map(eq, ends, ends))
    else:
        right = all(map(lt, low, high))  # which no NaN passes
    if not right:
        return None
    return (starts, ends) if columns is None else (columns[0], columns[1])
