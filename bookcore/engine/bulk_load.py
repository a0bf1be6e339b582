"""Bulk load: the events of `Calendar.load`, checked column by column and handed to the store in one piece.

    events  ->  resources, starts, ends, ids   read by C loops, a column each
            ->  entries, keys in index form    checked column by column
            ->  store.load(...)                all or nothing
            ->  _seq, _id, _home               written by C loops

Whenever anything is out of the ordinary (a None, a second type of key, a pool, an id that is taken, a span that is
not free, a store that cannot load), nothing has been changed yet, and the events go in one by one instead, in a
transaction, which finds the first that cannot be added and says why.
"""

from __future__ import annotations

import gc
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import repeat
from operator import attrgetter, eq, lt
from typing import TYPE_CHECKING, Any
from weakref import ref

from bookcore.engine.core import _adopt
from bookcore.index.column import SHARED
from bookcore.index.dictionary_column import DictionaryColumn, places_in, tabled
from bookcore.model.change import Booked
from bookcore.model.keys import UTC, KeyFamily
from bookcore.model.records import BookingEvent, Resource
from bookcore.stores.protocol import SupportsLoad
from bookcore.stores.record import ResourceRecord

if TYPE_CHECKING:
    from bookcore.calendar import Calendar

__all__ = ["add_resources", "garbage_paused", "load_events"]

FEWEST = 32
"""Below this many events the columns are not worth setting up."""

FEW = 4
"""With more than so many resources for each event, resources are looked up one by one."""


def load_events(calendar: Calendar, events: list[Any]) -> bool:
    """Add all events in one piece, or return False with nothing changed; the calendar's lock is held."""
    if len(events) < FEWEST:
        return False
    with garbage_paused():
        return _load_columns(calendar, events)


@contextmanager
def garbage_paused(*, aged: bool = False) -> Iterator[None]:
    """Keep the cyclic garbage collector from running inside the block, if it is on.

    A bulk load makes hundreds of thousands of lists and no garbage; the collector would walk all of them, and every
    booking, several times over (it took half of the time of a load of a million).

    With *aged*, what is young when the block ends counts as old, without being walked: for what makes much at once, and
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
    calendar: Calendar,
    ids: Sequence[Any],
    resources: Sequence[Any],
    capacities: Sequence[int],
    before: Iterable[Any],
    after: Iterable[Any],
) -> None:
    """Register many resources with a new calendar, given as columns that have been checked; its lock is held.

    Nobody listens to a new calendar and it has no indexes, so that there is nothing to note and nothing to ask. After an
    exception it is half filled, and of no use. O(n).
    """
    add, first = calendar._store.add_resource, calendar._catalog.size
    numbers = range(first, first + len(resources))
    entries = list(map(ResourceRecord, ids, resources, numbers, capacities, before, after))
    for entry in entries:
        entry.calendar = calendar
    calendar._catalog.add_all(entries)
    for entry in entries:
        if entry.before is not None or entry.after is not None:
            calendar._turnarounds.add(entry.number, entry.before, entry.after)
    homes = (ref(calendar),)
    for entry in entries:
        resource = entry.resource
        if type(resource) is Resource and not resource._calendars:
            # `_adopt` written out, and before the store offers what answers for the resource: one look less each
            resource._calendars = homes
            resource._entry = entry
            resource._owner = calendar
            add(entry)
        else:
            add(entry)
            _adopt(entry, calendar)


def _load_columns(calendar: Calendar, events: list[Any]) -> bool:
    """Add all events in one piece, or return False with nothing changed."""
    store = calendar._store
    if not isinstance(store, SupportsLoad):
        return False
    try:
        if not all(issubclass(cls, BookingEvent) for cls in set(map(type, events))):
            return False
        # an event that is there twice is in its own way, as the store will find
        if set(map(attrgetter("_home"), events)) != {None}:
            return False
        entries, own = _entries(calendar, events)
        if not _plain(calendar, entries):
            return False
        spans = _spans(calendar._keys, list(map(_start_of, events)), list(map(_end_of, events)))
        quantities = list(map(attrgetter("_quantity"), events))
        if spans is None or set(quantities) != {1} or set(map(type, quantities)) != {int}:  # True == 1 == 1.0
            return False
        ids = _ids(calendar, events)
        if ids is None:
            return False
        own_ids = events[0]._id is None
        if not store.load(entries, *spans, events):
            return False
    except Exception:  # nothing has changed; the long way will meet it again and say what it is
        return False
    facts = [(event._seq, event._id, event._resource) for event in events] if calendar._noting else []
    # ids that are the numbers of their bookings are one object with them
    _write(_set_seq, events, ids if own_ids else range(calendar._seq + 1, calendar._seq + 1 + len(events)))
    if own_ids:
        _write(_set_id, events, ids)
    if not own:
        _write(_set_resource, events, map(attrgetter("resource"), entries))
    _write(_set_home, events, repeat(calendar))
    calendar._events.put_all(ids, events, own_ids)
    calendar._seq += len(events)
    for number, count in entries.tally().items():
        entries.table[number].count += count
    calendar._keys.learn(spans[0][0], spans[1][0])
    if calendar._noting:
        for event, before in zip(events, facts, strict=True):
            calendar._note(partial(calendar._take_back, event, before), Booked(event))
    return True


_start_of, _end_of, _zone_of = attrgetter("_start"), attrgetter("_end"), attrgetter("tzinfo")
_slots: Any = BookingEvent  # a type checker sees in a slot what it holds, not the descriptor
_set_seq, _set_id = _slots._seq.__set__, _slots._id.__set__
_set_resource, _set_home = _slots._resource.__set__, _slots._home.__set__


def _write(setter: Callable[[Any, Any], None], events: list[Any], values: Iterable[Any]) -> None:
    """Set a slot of every event, in C."""
    deque(map(setter, events, values), maxlen=0)


def _ids(calendar: Calendar, events: list[Any]) -> list[Any] | None:
    """Return an id for each event, none of them taken, or None if the long way must find out."""
    ids: Any = list(map(attrgetter("_id"), events))
    missing = ids.count(None)
    if missing == len(ids):
        ids = list(range(calendar._seq + 1, calendar._seq + 1 + len(ids)))
    elif missing or len(set(ids)) < len(ids):
        return None
    return ids if calendar._events.isdisjoint(ids) else None


def _entries(calendar: Calendar, events: list[Any]) -> tuple[DictionaryColumn, bool]:
    """Return the record of each event's resource, by number, and whether each event holds the very object registered."""
    catalog = calendar._catalog
    resource_of = attrgetter("_resource")
    if FEW * len(events) < catalog.size:  # a table of all resources would cost more than a look at each that is asked for
        looked_up = list(map(catalog.entry, map(resource_of, events)))
        own = all(entry.resource is event._resource for entry, event in zip(looked_up, events, strict=True))
        return DictionaryColumn(catalog.entries, array("I", map(attrgetter("number"), looked_up))), own
    try:
        return DictionaryColumn(catalog.entries, places_in(catalog.objects, map(resource_of, events))), True
    except KeyError:
        pass
    found = map(catalog.entry, map(resource_of, events))
    return DictionaryColumn(catalog.entries, array("I", map(attrgetter("number"), found))), False


def _plain(calendar: Calendar, entries: DictionaryColumn) -> bool:
    """Tell whether bookings alone decide on all these resources."""
    if not (calendar._catalog.pooled.value() or calendar._standing_closures or calendar._hours):
        return True
    used = map(entries.table.__getitem__, set(entries.places))
    return all(entry.plain and not entry.guarded for entry in used)


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
    columns = tabled(starts, ends) if cls in SHARED else None
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
