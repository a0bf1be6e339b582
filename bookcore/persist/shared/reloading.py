"""A shared calendar takes over another history of itself, as after a failover to a standby that lacked the last records.

    records   1  2  3  4a 5a          that memory has followed: 4a and 5a are lost
              1  2  3  4b             that the database has now

    load      the calendar of the database, from its checkpoint and records, beside memory and without its lock
    commit    what memory has and that calendar has not is taken back, then what it lacks is made:
              closures, hours, bookings, labels, resources   |   resources, capacities, labels, hours, bookings, closures

All of it is one block under the lock: changes like any others, which subscribers receive when it has ended, and which are
undone if it is cut off. What both have is not touched, so objects of the program stay what they are. A calendar takes new
resources at the end of the order of registration; so from the first one on that has another place there, all are removed and
added, with their bookings. No key of the program is compared by ``<`` that a record would not compare.

Invariant: after every change the bookings, closures and resources of memory are some that one of the two calendars has, and
from the first addition on bookings are a part of those that the database has, so none is in the way of another.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from itertools import islice
from types import NoneType
from typing import Any, TypeAlias

from bookcore.engine.state import CalendarState
from bookcore.index.bitmap import pick
from bookcore.model import change as changes
from bookcore.model.change import inverse
from bookcore.model.closure import Closure
from bookcore.model.errors import LACKING
from bookcore.model.event import BookingEvent
from bookcore.persist.codec.columns import encode_column
from bookcore.persist.codec.family import apart
from bookcore.persist.errors import failure
from bookcore.persist.journal.errors import JournalReplacedError
from bookcore.persist.journal.reading import blank, replay
from bookcore.persist.shared.replaying import Records, begin
from bookcore.persist.shared.seam import Place
from bookcore.persist.snapshot.gather import by_text, describe
from bookcore.persist.snapshot.rebuild import ROOMY
from bookcore.stores.record import ResourceRecord, unbind

_Compared: TypeAlias = tuple[Any, Any, Any]
"""What is compared: under which name, and what each of the two calendars says of it."""
_AT_ONCE = 1000
"""How many are written at once to be compared."""
_PLAIN = frozenset({int, str, date, NoneType})
"""Types of keys that are equal in everything if they are equal."""


def reload(recorder: Any, place: Place, error: JournalReplacedError) -> None:
    """Make memory what the database says, if it has another history than that which led to *place*; else raise *error*.

    Does nothing if memory has moved on, or the history changes again while it is loaded: the caller asks the database again.

    No lock but the turn is held. Raises: `JournalError`, `SnapshotError`; and changes nothing then.
    Complexity: as opening the calendar; the lock is held while the two are compared, O(everything), most of it in C.
    """
    journal, state = recorder.journal, recorder.state
    with recorder.loading:  # a command and the follower find it at the same time
        if recorder.place is not place:  # nor one that is equal: memory may have been there, and further, and back
            return
        if not journal.has_other_history(place):
            raise error
        _, fresh, start = begin(partial(blank, key=state.registry.key), journal, recorder.known)
        records = Records(journal, start)
        try:
            fresh.gate.run(replay, fresh, recorder.known, records)
        except JournalReplacedError:  # its history has changed again, which the caller finds
            return
        try:
            counts = state.gate.follow(recorder.take_over, records.place, records.size, fresh)
        except LACKING:
            raise
        except Exception as exc:  # the code of the program's keys, classes and indexes may fail in any way
            what = f"it has another history than memory, which could not be taken over ({failure(exc)})"
            raise JournalReplacedError(journal.spot, f"{what}; open the calendar anew") from exc
    logging.getLogger("bookcore").warning(
        "%s has another history than memory, as after a failover to a standby that lacked the last records: "
        "%d changes were taken back, and %d came",
        journal.spot, *counts,
    )  # fmt: skip


def take_over(state: CalendarState, fresh: CalendarState) -> tuple[int, int]:
    """Make a calendar equal to another one; return how many changes took back what it had, and how many came.

    *fresh* must not be used after that: its objects belong to the calendar. A block is open, whose end undoes all if it is
    cut off. Raises: whatever commits raise.
    """
    difference = _Difference(state, fresh)
    # numbers that are given again are no locks of earlier events
    state.undo_numbers(state.ledger.last, state.closures.last_id)
    back = _committed(state, difference.taken_back())
    came = _committed(state, difference.coming())
    state.undo_numbers(fresh.ledger.last, fresh.closures.last_id)
    return back, came


def _committed(state: CalendarState, these: Iterable[changes.Change]) -> int:
    """Commit changes, each before the next one is made; return how many there were."""
    count = 0
    for change in these:
        state.commit(change)
        count += 1
    return count


class _Difference:
    """What each of two calendars has and the other has not, and the changes that make the first one like the second."""

    def __init__(self, state: CalendarState, fresh: CalendarState) -> None:
        self._state, self._fresh = state, fresh
        here, there = state.registry.by_id, fresh.registry.in_order()
        both = [record for record in there if record.id in here]
        facts = [(each.id, self._registration(here[each.id]), self._registration(each)) for each in both]
        self._alike = {record.id for record in both} - _differing(facts)
        last, kept = -1, 0
        for record in there:
            if record.id not in self._alike or here[record.id].number < last:
                break
            last, kept = here[record.id].number, kept + 1
        self._kept, self._added = there[:kept], there[kept:]  # records of the fresh calendar
        self._stays = {record.id for record in self._kept}
        self._same = self._same_bookings([record for record in both if record.id in self._alike])  # numbers of bookings
        moved = {seq for seq in self._same if fresh.ledger.record(seq).id not in self._stays} if self._added else set[int]()
        self._untouched = self._same - moved  # those whose resources are not added anew
        self._same_closures = set(filter(self._is_same_closure, state.closures.by_id))
        owns = fresh.ledger.owns  # asked now: bookings that come will be those of the first calendar
        closures = fresh.closures.by_id.items()
        self._listed: dict[int, list[Any]] = {  # what closures list: numbers of bookings, and events that are released
            number: [event._seq if owns(event) else event for event in closure.overlapping] for number, closure in closures
        }
        self._removed: dict[Hashable, changes.ResourceRemoved] = {}  # by id, of resources that are alike
        self._released: dict[int, changes.Released] = {}  # by number, of bookings that are the same

    # -- comparing ---------------------------------------------------------------------------------

    def _registration(self, record: ResourceRecord) -> tuple[Any, ...]:
        """Return what nothing changes of a resource but to remove it and to add it anew."""
        cls, attributes = describe(record, "memory", self._state.registry.key)
        return id(cls), record.id, record.before, record.after, attributes

    def _same_bookings(self, records: Iterable[ResourceRecord]) -> set[int]:
        """Return the numbers of the bookings that are the same in both, on resources that are alike."""
        state, fresh, same = self._state, self._fresh, set[int]()
        parts = [(each.ledger.objects, each.ledger.ids, each.holds.until) for each in (state, fresh)]
        special = {seq for kept, ids, until in parts for known in (kept, ids, until) for seq in known}  # no mere rows

        def doubtful() -> Iterator[_Compared]:
            for record in records:
                known = {row[2]: row for row in state.store.overlapping(state.registry.by_id[record.id], None, None)}
                for row in fresh.store.overlapping(record, None, None):
                    seq = row[2]
                    mine = known.get(seq)
                    if mine is None:
                        continue
                    same.add(seq)
                    if seq in special or mine != row or not (_is_exact(mine[0], row[0]) and _is_exact(mine[1], row[1])):
                        yield seq, _booking(state, seq), _booking(fresh, seq)

        return same.difference(_differing(doubtful()))

    def _is_same_closure(self, number: int) -> bool:
        """Tell whether a closure is the same in both, and lists bookings that are not touched, or gone in both."""
        here, there = self._state.closures.by_id[number], self._fresh.closures.by_id.get(number)
        if there is None:
            return False
        facts = _closure(self._state, here), _closure(self._fresh, there)
        active = {event._seq for event in here.overlapping if self._state.ledger.owns(event)}
        return facts[0][0] in self._stays and active <= self._untouched and not _differing([(number, *facts)])

    # -- what the other calendar has not -----------------------------------------------------------

    def taken_back(self) -> Iterator[changes.Change]:
        """Yield the changes that take it back; each is made of what is there when those before have been committed."""
        state, fresh = self._state, self._fresh
        records = state.registry.in_order()
        for number, closure in sorted(state.closures.by_id.items()):
            if number not in self._same_closures:
                yield changes.Reopened(closure)
        for record in records:
            stays = record.id in self._stays and fresh.registry.by_id[record.id].hours == record.hours
            if record.hours is not None and not stays:
                yield changes.HoursSet(record.resource, None, record.hours)
        for seq in sorted(set(state.ledger.owners) - self._untouched, reverse=True):
            release = state.release_of(seq)
            if seq in self._same:
                self._released[seq] = release
            yield release
        for label, id in self._labels_without(state, fresh):
            yield changes.Untagged(state.registry.by_id[id].resource, label)
        for record in reversed(records):
            if record.id not in self._stays:
                removed = state.removal_of(record)
                if record.id in self._alike:
                    self._removed[record.id] = removed
                yield removed

    def _labels_without(self, state: CalendarState, other: CalendarState) -> list[tuple[Hashable, Hashable]]:
        """Return the labels that resources which stay have in *state* alone, each with the id of one, in order."""
        there = set(self._labels(other))
        return [pair for pair in self._labels(state) if pair not in there]

    def _labels(self, state: CalendarState) -> list[tuple[Hashable, Hashable]]:
        numbers: list[Any] = state.registry.by_number
        every = ((label, pick(bits.value(), numbers)) for label, bits in state.registry.tags.items())
        return [(label, record.id) for label, records in every for record in records if record.id in self._stays]

    # -- what the other calendar has besides -------------------------------------------------------

    def coming(self) -> Iterator[changes.Change]:
        """Yield the changes that make it; each is made of what is there when those before have been committed."""
        state, fresh = self._state, self._fresh
        here = state.registry.by_id
        booked = sorted(set(fresh.ledger.owners) - self._untouched)
        filled = {fresh.ledger.record(seq).id for seq in booked}
        for record in self._added:
            yield self._addition(record)
        crowded: list[ResourceRecord] = []  # they get their capacity when they have their bookings
        for record in fresh.registry.in_order():
            mine, capacity = here[record.id], record.capacity
            if record.crowded and record.id in filled:
                crowded.append(record)
                capacity = ROOMY
            if capacity != mine.capacity:
                yield changes.CapacitySet(mine.resource, capacity, mine.capacity)
        for label, id in self._labels_without(fresh, state):
            yield changes.Tagged(here[id].resource, label)
        for record in fresh.registry.in_order():
            if record.hours is not None and here[record.id].hours is None:
                yield changes.HoursSet(here[record.id].resource, record.hours)
        for seq in booked:
            yield self._booking(seq)
        for record in crowded:
            yield changes.CapacitySet(here[record.id].resource, record.capacity, ROOMY)
        for number, closure in sorted(fresh.closures.by_id.items()):
            if number not in self._same_closures:
                yield changes.Closed(self._closure(closure))

    def _addition(self, record: ResourceRecord) -> changes.Change:
        """Return the change that adds a resource: the program's own object, if it is one that was removed just now."""
        number, labels = self._state.registry.size, tuple(self._fresh.registry.labels(record))
        removed = self._removed.get(record.id)
        if removed is not None:
            again: Any = inverse(removed)
            added: changes.Change = replace(again, number=number, labels=labels)
            return added
        unbind(record)
        facts = record.capacity, record.before, record.after, number, labels
        return changes.ResourceAdded(record.resource, *facts, id=record.id)

    def _booking(self, seq: int) -> changes.Change:
        """Return the change that books what has this number; as the event that was released just now, if it is the same."""
        if seq in self._released:
            again: Any = inverse(self._released[seq])
            booked: changes.Change = replace(again, number=seq)
            return booked
        ledger, fresh, until = self._state.ledger, self._fresh.ledger, self._fresh.holds.until
        event: Any = fresh.event(seq)
        self._state.keys.admit(event._start, event._end)
        event._lock = None if seq in fresh.objects else ledger.lock_of_new(seq)
        event._resource = self._state.registry.by_id[fresh.record(seq).id].resource
        event._home = ledger
        return changes.Booked(event, seq in until, until.get(seq), seq)

    def _closure(self, closure: Closure) -> Closure:
        """Return a closure of the other calendar with objects of this one."""
        state, listed = self._state, list[BookingEvent]()
        resource = state.registry.by_id[self._fresh.record_of_resource(closure.resource).id].resource
        for event in self._listed[closure.id]:
            if type(event) is int:
                listed.append(state.ledger.event(event))
            else:
                event._resource, event._seq, event._home = resource, 0, None
                listed.append(event)
        state.keys.admit(closure.start, closure.end)
        return replace(closure, resource=resource, overlapping=tuple(listed))


def _facts(event: BookingEvent) -> tuple[Any, ...]:
    return id(type(event)), event._id, event._start, event._end, event._quantity, by_text(event.fields)


def _booking(state: CalendarState, seq: int) -> tuple[Any, ...]:
    """Return all that a calendar says of a booking but its number and its resource."""
    until = state.holds.until
    return *_facts(state.ledger.event(seq)), seq in until, until.get(seq)


def _closure(state: CalendarState, closure: Closure) -> tuple[Any, ...]:
    """Return all that a calendar says of a closure, the id of its resource first."""
    listed = [event._seq if state.ledger.owns(event) else _facts(event) for event in closure.overlapping]
    return state.record_of_resource(closure.resource).id, closure.start, closure.end, closure.reason, listed


def _is_exact(here: Any, there: Any) -> bool:
    """Tell whether two keys that are equal are so in type and representation, as far as that can be told at once. O(1)."""
    cls = type(here)
    if cls is datetime and type(there) is datetime:
        return bool(here.fold == there.fold) and here.tzinfo is there.tzinfo
    return cls is type(there) and cls in _PLAIN


def _differing(compared: Iterable[_Compared]) -> set[Any]:
    """Return the names of those that differ in a value, a type or a representation. O(n + differing x log n)."""
    left, numbers = iter(compared), set[Any]()
    while chunk := list(islice(left, _AT_ONCE)):
        numbers |= _differing_of(chunk)
    return numbers


def _differing_of(compared: list[_Compared]) -> set[Any]:
    names, ones, others = map(list, zip(*compared, strict=True))
    with apart():
        if encode_column(ones) == encode_column(others):
            return set()
    if len(names) == 1:
        return set(names)
    half = len(names) // 2
    return _differing_of(compared[:half]) | _differing_of(compared[half:])
