"""Bulk load: the events of `Calendar.load`, checked column by column and passed to the store in one call.

    events  ->  resources, starts, ends, ids   read by C loops, a column each
            ->  records, keys in index form    checked column by column
            ->  CalendarState.load             all or nothing
            ->  numbers, ids, locks            written into the events by C loops

In an unusual or invalid case (a None, a second type of key, a resource with capacity, an id that is taken, a span that is
not free, a store that cannot load) nothing is changed here. The caller then books the events one by one in a transaction,
which raises the error of the first event that cannot be added.
"""

from __future__ import annotations

import gc
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, repeat
from operator import attrgetter, eq, is_, itemgetter, lt
from typing import Any, NamedTuple

from bookcore.engine.log import facts_of
from bookcore.engine.state import CalendarState
from bookcore.index.dictionary_column import DictionaryColumn, are_spans, encode_keys, places_in
from bookcore.model.change import Booked
from bookcore.model.event import PUT, BookingEvent
from bookcore.model.keys import OWN_KEYS, KeyFamily, is_one_kind, normal
from bookcore.model.span import overlaps
from bookcore.stores.protocol import SupportsLoad
from bookcore.stores.record import ResourceRecord

_MANY = 10_000
"""So many objects that the collector follows, made in a block, are visited in less than a millisecond."""

FEW = 4
"""If there are more than this many resources for each event, the resources of the events are looked up one by one."""


@contextmanager
def garbage_paused(*, aged: bool = False) -> Iterator[None]:
    """Pause the cyclic garbage collector for the block, if it is enabled.

    A bulk load makes hundreds of thousands of arrays and no garbage; the collector would visit all of them, and every
    event, several times.

    With *aged*, all young objects are moved to the oldest generation at the end of the block, without being visited, if the
    block has made many. Young garbage then waits for a full collection. Objects are moved by freezing and unfreezing, so not
    if other objects are frozen: the program wants those to stay frozen (or Python 3.12 froze them as it started). Python
    walks all frozen objects to count them.
    """
    if not gc.isenabled():
        yield
        return
    try:
        gc.disable()
        yield
        if aged and gc.get_count()[0] > _MANY and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # moves them to the oldest generation
    finally:
        gc.enable()


@garbage_paused()
def load_events(state: CalendarState, events: list[Any]) -> bool:
    """Add all events at once, or change nothing and return False. The calendar's lock is held."""
    if len(events) < state.sizes.fewest or not isinstance(state.store, SupportsLoad):
        return False
    ledger = state.ledger
    try:
        columns = columns_of(state, events)
        if columns is None:
            return False
        classes, records, own, given, spans = columns
        ids = _ids(state, events)
        if ids is None or not state.holds.expired.keys().isdisjoint(ids):  # booked one by one, they are forgotten
            return False
        seqs = range(ledger.last + 1, ledger.last + 1 + len(events))
        numbered = are_numbers(ids, seqs)
        # the ledger keeps the events that carry more than their rows
        objects = {}
        if given:
            objects = dict(zip(seqs, events, strict=True))
        elif classes != {BookingEvent} or [event._fields for event in events].count(None) < len(events):
            objects = {
                seq: event
                for seq, event in zip(seqs, events, strict=True)
                if type(event) is not BookingEvent or event._fields
            }
        if not state.load(records, *spans, seqs, None if numbered else ids, objects):
            return False
    except Exception:  # booking one by one meets the same error and translates it
        if state.gate.torn:
            state.gate.settle()
        return False
    try:
        log = state.log
        if log.changes is not None:
            log.handed += zip(events, map(facts_of, events), strict=True)
        locks = map(ledger.locks.get, seqs, seqs) if ledger.locks else seqs
        if classes == {BookingEvent}:
            for event, seq, id, lock in zip(events, seqs, seqs if numbered else ids, locks, strict=True):
                event._seq, event._id, event._lock, event._home = seq, id, lock, ledger
        else:
            _write("_seq", events, seqs)
            _write("_id", events, seqs if numbered else ids)
            _write("_lock", events, locks)
            _write("_home", events, repeat(ledger))
        for event in objects.values():
            event._lock = None
        if not own:
            _write("_resource", events, map(attrgetter("resource"), records))
        state.end_load([Booked(event, number=event._seq) for event in events] if log.active else ())
    except BaseException:
        state.gate.torn = state.gate.waiting = True  # `state.loading` names what to undo
        raise
    return True


class Columns(NamedTuple):
    """The classes of some events, the record of the resource of each, and their spans in index form.

    ``own``: every event refers to the registered resource itself. ``given``: a key was given in another form.
    """

    classes: set[type]
    records: DictionaryColumn
    own: bool
    given: bool
    spans: tuple[Sequence[Any], Sequence[Any]]


def columns_of(state: CalendarState, events: list[Any]) -> Columns | None:
    """Return what is needed of events to load them; None unless each is a new one of one unit of an exclusive resource.

    Raises: what looking at the events raises. Nothing is changed.
    """
    classes = set(map(type, events))
    if not all(issubclass(cls, BookingEvent) for cls in classes):
        return None
    # a slot that is read in a loop of Python takes less time than an `attrgetter` in one of C
    # an event that is given twice conflicts with itself: the store refuses it
    homes = [event._home for event in events]
    if homes.count(None) < len(homes) and any(event._home and event._home.owns(event) for event in events):
        return None
    quantities = [event._quantity for event in events]
    if quantities.count(1) < len(quantities) or set(map(type, quantities)) != {int}:
        return None
    records, own = _records(state, [event._resource for event in events])
    if not _are_exclusive(state, records):
        return None
    given = [event._start for event in events], [event._end for event in events]
    spans, as_given = None, True
    if type(given[0][0]) in OWN_KEYS:
        spans = spans_of(state.keys, *given)
    if spans is None:  # in a zone that is not UTC, or of NumPy or pandas
        held = list(map(normal, given[0])), list(map(normal, given[1]))
        spans, as_given = spans_of(state.keys, *held), all(map(is_, chain(*given), chain(*held)))
    return None if spans is None else Columns(classes, records, own, not as_given, spans)


_low_of = itemgetter(0)
_zone_of = attrgetter("tzinfo")


def _write(slot: str, events: list[Any], values: Iterable[Any]) -> None:
    """Set a slot of every event, in C, past all code of its class."""
    deque(map(PUT[slot], events, values), maxlen=0)


def _ids(state: CalendarState, events: list[Any]) -> Sequence[Any] | None:
    """Return an id for each event, none of them taken; or None if the events must be booked one by one."""
    ledger = state.ledger
    ids: Any = [event._id for event in events]
    missing = ids.count(None)
    if missing == len(ids):
        ids = range(ledger.last + 1, ledger.last + 1 + len(ids))
    else:
        if missing or len(set(ids)) < len(ids):
            return None
        if any(type(id) is not str for id in ids) and any(ledger.number_of(id) is not None for id in ids):
            return None
    return ids if not ledger.named or ledger.numbers.isdisjoint(ids) else None


def are_numbers(ids: Sequence[Any], seqs: Sequence[int]) -> bool:
    """Tell whether ids are the numbers of their bookings, so that none is kept. 1.0 and NumPy's 1 are other ids. O(n)."""
    return ids is seqs or type(ids) is range or (list(ids) == list(seqs) and set(map(type, ids)) == {int})


def _records(state: CalendarState, resources: list[Any]) -> tuple[DictionaryColumn, bool]:
    """Return the record of each event's resource, and whether every event refers to the registered object itself."""
    registry = state.registry
    if FEW * len(resources) >= registry.size:  # else a table of all resources costs more than looking up those of the events
        try:
            return DictionaryColumn(registry.by_number, places_in(registry.objects, resources)), True
        except KeyError:
            pass
    found = list(map(registry.record, resources))
    own = all(map(is_, map(attrgetter("resource"), found), resources))
    return DictionaryColumn(registry.by_number, array("I", map(attrgetter("number"), found))), own


def _are_exclusive(state: CalendarState, records: DictionaryColumn) -> bool:
    """Tell whether bookings are the only rule for all these resources, and they are exclusive."""
    if not state.registry.pooled.value() and state.rules.are_idle():
        return True
    used = map(records.table.__getitem__, set(records.places))
    return all(record.is_exclusive and not record.rules for record in used)


def spans_of(keys: KeyFamily, starts: Sequence[Any], ends: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]] | None:
    """Return both columns if all keys are of one simple type and every start comes before its end, else None.

    Where keys repeat, the columns are dictionary-encoded with one table of the distinct keys.
    """
    cls = type(starts[0])
    columns = encode_keys(starts, ends)
    if columns is None:
        types = set(map(type, starts)) | set(map(type, ends))
        if not is_one_kind(chain(starts, ends), types) or issubclass(cls, tuple):
            return None
        if issubclass(cls, datetime) and cls is not datetime:
            return None
    # if the table's keys have no zone, none of the columns' does: a key with a zone equals none without
    if cls is datetime and not (columns and set(map(_zone_of, columns[0].table)) == {None}):
        zones = set(map(_zone_of, starts)) | set(map(_zone_of, ends))
        if zones not in ({None}, {UTC}):
            return None
    keys.admit(starts[0], ends[0])  # one span is enough to check whether the calendar takes keys of this type
    if columns is not None:  # places are in the order of the keys
        low, high = columns
        places: Any = low.places, high.places  # arrays
        return (low, high) if are_spans(keys.closed, *places) else None
    if keys.closed:
        valid = not any(map(lt, ends, starts)) and all(map(eq, starts, starts)) and all(map(eq, ends, ends))
    else:
        valid = all(map(lt, starts, ends))  # also excludes NaN
    return (starts, ends) if valid else None


def suspects(
    state: CalendarState, events: list[Any], examine: Callable[[Any], tuple[Any, Any, ResourceRecord]]
) -> list[tuple[int, Any]]:
    """Return the first event that looks as if it is refused, after those that it is refused for, with their positions.

    To book all events before it, only to take all of them back, costs ten times as much as to load them. Where rules other
    than one booking at a time have a say, nothing is looked for. The lock is held. O(k log k) for k events.
    """
    rows_of: dict[int, list[tuple[Any, Any, int]]] = {}  # by number of the resource: start, end and position, by start
    position_of: dict[Any, int] = {}
    first, closed = events[0], state.closed
    for position, event in enumerate(events):
        earlier = {0}  # it determines which keys the calendar takes
        try:
            low, high, record = examine(event)
            is_named = event._id is not None
            if not record.is_exclusive or record.rules or event._quantity != 1 or is_named is (first._id is None):
                return []
            if is_named:
                earlier.add(position_of.setdefault(event._id, position))
            rows = rows_of.setdefault(record.number, [])
            place = 0 if low is None else bisect_left(rows, low, 1 if rows and rows[0][0] is None else 0, key=_low_of)
            near = any(overlaps(low, high, *row[:2], closed) for row in rows[max(place - 1, 0) : place + 1])
            if near:
                earlier.update(row[2] for row in rows if overlaps(low, high, *row[:2], closed))
            is_alike = type(event._start) is type(first._start) and type(event._end) is type(first._end)
            is_taken = near or (is_named and state.ledger.number_of(event._id) is not None)
            is_suspect = is_taken or not is_alike or not earlier <= {0, position}
            if is_suspect or not state.rules.bookings.allows(record, low, high, 1):
                break
            rows.insert(place, (low, high, position))
        except Exception:  # booking the event meets the same error, and translates it
            break
    else:
        return []
    return [(each, events[each]) for each in sorted(earlier | {position})]
