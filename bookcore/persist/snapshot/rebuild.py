"""From a `State` to a new calendar, through the one door by which every calendar changes.

Objects are made without calling code of their classes: an instance that was once made by its constructor comes back as
it was. Most bookings are rows and become no objects at all. The calendar's store decides that no two bookings are in
each other's way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime, time
from operator import is_not
from types import MemberDescriptorType
from typing import Any, TypeAlias

from bookcore.engine.bulk_load import are_numbers, spans_of
from bookcore.engine.engine import Engine
from bookcore.engine.state import CalendarState
from bookcore.hours.opening_hours import Hours
from bookcore.index.dictionary_column import DictionaryColumn
from bookcore.model.change import CapacitySet, Closed, Held, HoursSet
from bookcore.model.closure import Closure
from bookcore.model.event import BookingEvent
from bookcore.model.keys import OWN_KEYS, is_one_kind, normal
from bookcore.model.resource import Resource
from bookcore.persist.codec.blob import Unreadable
from bookcore.persist.codec.columns import KeyColumn
from bookcore.persist.snapshot.classes import CODEC, OWN, resolve
from bookcore.persist.snapshot.state import Bookings, State
from bookcore.stores.record import ResourceRecord

_Maker: TypeAlias = Callable[[int], BookingEvent]
"""Makes the booking of a row."""

_FACTS = {*BookingEvent.__slots__, "resource", "start", "end", "id", "quantity", "__class__", "__dict__"}
"""What of a booking its fields cannot say."""

ROOMY = 1 << 62
"""A capacity with room for all bookings."""


def classes_in(state: State, known: dict[str, type], path: object) -> dict[str, type]:
    """Return the classes a state needs, by name, from those *known*.

    Raises: `SnapshotTypeError` that names the classes which are missing, or have not the needed base.
    """
    names = state.classes
    of_events = {
        names[state.event_type],
        *(names[kind] for kind in _distinct(state.bookings.kinds) | _distinct(state.released.kinds)),
    }
    of_resources = {names[kind] for kind in _distinct(state.resources.kinds)} - {CODEC}
    return {**resolve(path, of_events, known, BookingEvent), **resolve(path, of_resources, known, Resource)}


def _distinct(kinds: Sequence[int]) -> set[int]:
    """Return the distinct numbers; mostly there is one. O(n)."""
    return {kinds[0]} if kinds and kinds.count(kinds[0]) == len(kinds) else set(kinds)


def rebuild(calendar: CalendarState, state: State, classes: dict[str, type]) -> None:
    """Bring a new, empty calendar into the given state.

    Raises: `Unreadable` for data that no calendar is made of, and whatever the calendar's own commands raise.

    Complexity: O(everything), O(m log m) for the bookings of one resource.
    """
    calendar.gate.run(_fill, calendar, state, classes)


def _fill(calendar: CalendarState, state: State, classes: dict[str, type]) -> None:
    """Do what `rebuild` does, with the lock held for writing."""
    resources = _resources(state, classes, calendar.registry.id_of)
    facts = state.resources
    numbers = range(len(resources))
    records = map(ResourceRecord, facts.ids, resources, numbers, facts.capacities, facts.before, facts.after)
    calendar.add_resources(list(records))
    for label, members in zip(state.tags.labels, state.tags.members, strict=True):
        if members:
            calendar.tag_all(members, label)
    for place in state.crowded:  # until its bookings are there
        calendar.commit(CapacitySet(resources[place], ROOMY, facts.capacities[place]))
    seqs = _numbers(state)
    booking = _booking_maker(state, state.bookings, resources, classes)
    if not _load_in_one_piece(calendar, state, seqs, booking, classes):
        _book_one_by_one(calendar, state, seqs, booking)
    for place in state.crowded:
        calendar.commit(CapacitySet(resources[place], facts.capacities[place], ROOMY))
    ledger = calendar.ledger
    calendar.number_after(booking=max(ledger.last, state.last_sequence))
    # Not before the bookings are active: they may be active where it was closed later, and holds may have run out
    # by now.
    for place, until in zip(state.holds.bookings, state.holds.until, strict=True):
        calendar.commit(Held(ledger.event(seqs[place]), normal(until)))
    for rule, keepers in zip(state.rules.hours, state.rules.members, strict=True):
        hours = Hours.from_plain(rule)
        calendar.keys.check_datetimes(hours.zone is not None)
        for place in keepers:
            calendar.commit(HoursSet(resources[place], hours))
    calendar.remember_expired(dict(zip(state.expired.ids, state.expired.until, strict=True)))
    _close(calendar, state, seqs, resources, classes)


def _numbers(state: State) -> Sequence[int]:
    """Return the number of each booking.

    Those of a file of format 1 are made: the id wherever that can be, so that few ids need be kept beside them.

    No number is above the last that was given out, so that the next booking gets the one that it would have had. Where the
    ids leave too few for the bookings after them, they count up by one: each number is at most the one the booking had.
    """
    rows = state.bookings
    if rows.numbers is not None:
        return rows.numbers
    seqs: list[int] = []
    for by_id in (True, False):
        last, seqs = 0, []
        for id in rows.ids:
            last = id if by_id and type(id) is int and last < id <= state.last_sequence else last + 1
            seqs.append(last)
        if last <= state.last_sequence:
            break
    return seqs


def _close(
    calendar: CalendarState, state: State, seqs: Sequence[int], resources: list[Any], classes: dict[str, type]
) -> None:
    rows = state.closures
    count = len(rows.ids)
    keys = rows.keys.values
    facts = zip(rows.ids, rows.resources, keys[:count], keys[count:], rows.reasons, rows.overlapping, strict=True)
    released = list(map(_booking_maker(state, state.released, resources, classes), range(len(state.released.ids))))
    for event in released:
        event._seq = 0  # cannot be changed
    for id, place, start, end, reason, overlapping in facts:
        calendar.keys.admit(start, end)
        listed = tuple(calendar.ledger.event(seqs[at]) if at < len(seqs) else released[at - len(seqs)] for at in overlapping)
        calendar.commit(Closed(Closure(resources[place], start, end, reason, id, listed)))
    calendar.number_after(closure=state.last_closure)


def _resources(state: State, classes: dict[str, type], id_of: Callable[[Any], Any]) -> list[Any]:
    rows = state.resources
    makers = {kind: maker(classes[name]) for kind, name in enumerate(state.classes) if name in classes}
    columns = rows.ids, rows.capacities, rows.before, rows.after
    made: list[Any] = []
    for id, capacity, before, after, kind, attributes in zip(*columns, rows.kinds, rows.attributes, strict=True):
        if kind in makers:
            made.append(makers[kind](id, capacity, before, after, attributes))
        elif id_of(attributes) == id:
            made.append(attributes)  # made by its key codec
        else:
            raise Unreadable("a resource comes back with another id; resource_key is the function that made its id")
    return made


def _slots(cls: type) -> dict[str, Callable[[Any, Any], None]]:
    """Return functions that write the slots of a class, by name, without running its code."""
    return {
        name: slot.__set__
        for base in reversed(cls.__mro__)
        for name, slot in vars(base).items()
        if type(slot) is MemberDescriptorType
    }


def maker(cls: type) -> Callable[..., Any]:
    """Return a function that makes an instance of a subclass of `Resource`, past all code of the class."""
    new, plain = object.__new__, cls is Resource
    slots = _slots(cls)
    blank = {each.name: each.default for each in fields(Resource) if each.name in OWN}

    def make(id: Any, capacity: int, before: Any, after: Any, attributes: Any) -> Any:
        if plain and attributes is None:
            return Resource(id, capacity, before=before, after=after)
        values = {**blank, "id": id, "capacity": capacity, "before": before, "after": after}
        if attributes is not None:
            if type(attributes) is not dict or set(map(type, attributes)) - {str} or OWN & attributes.keys():
                raise Unreadable("attributes of a resource that are none")
            values.update(attributes)
        made: Any = new(cls)
        for name, put in slots.items():
            if name in values:
                put(made, values.pop(name))
        if values:
            try:
                made.__dict__.update(values)
            except AttributeError:
                raise Unreadable(f"{cls.__qualname__} has no place for the attributes {sorted(values)}") from None
        return made

    return make


def _booking_maker(state: State, rows: Bookings, resources: list[Any], classes: dict[str, type]) -> _Maker:
    """Return a function that makes the booking of a row."""
    count, keys = len(rows.ids), rows.keys.values
    makers = {kind: event_maker(classes[state.classes[kind]]) for kind in _distinct(rows.kinds)}

    def make(at: int) -> BookingEvent:
        event: BookingEvent = makers[rows.kinds[at]](
            resources[rows.resources[at]], keys[at], keys[count + at], rows.ids[at], rows.quantities[at], rows.fields[at]
        )
        return event

    return make


def event_maker(cls: type) -> Callable[..., Any]:
    """Return a function that makes a booking of a class, past all code of the class.

    `bookcore.model.event` would ask its ``__new__``.
    """
    new, initialize = object.__new__, BookingEvent.__init__
    plain, slots = cls is BookingEvent, _slots(cls)

    def make(resource: Any, start: Any, end: Any, id: Any, quantity: int, fields: dict[str, Any] | None) -> Any:
        event: Any = new(cls)
        initialize(event, resource, start, end, id=id, quantity=quantity)
        if fields and plain:
            event._fields = dict(fields)
        elif fields:
            loose: dict[str, Any] = {}
            others = getattr(event, "__dict__", loose)
            for name, value in fields.items():
                if name in _FACTS:  # a keyword that is no field of the class, or a forged file
                    loose[name] = value
                elif name in slots:
                    slots[name](event, value)
                else:  # past the setters of the class
                    others[name] = value
            event._fields = loose or None
        return event

    return make


def _kept(
    calendar: CalendarState, state: State, seqs: Sequence[int], booking: _Maker, classes: dict[str, type]
) -> dict[int, BookingEvent]:
    """Return the events that the ledger has to keep, by number: they carry more than their rows, or other keys."""
    rows, keys = state.bookings, state.bookings.keys
    own = {kind for kind in _distinct(rows.kinds) if classes[state.classes[kind]] is not BookingEvent}
    # keys with a zone come back in it, and the index holds them in UTC
    # without a table, keys hardly repeat, and `_spans` takes only keys that are their own index form
    as_given = keys.normals is None or not any(map(is_not, keys.normals, keys.values.table))
    if as_given and not own and rows.bare:
        return {}
    events: dict[int, BookingEvent] = {}
    for at, (seq, kind, more) in enumerate(zip(seqs, rows.kinds, rows.fields, strict=True)):
        if not as_given or more or kind in own:
            event = events[seq] = booking(at)
            event._seq, event._home = seq, calendar.ledger
    return events


def _load_in_one_piece(
    calendar: CalendarState, state: State, seqs: Sequence[int], booking: _Maker, classes: dict[str, type]
) -> bool:
    """Book all rows at once, or return False with nothing changed.

    Does what `Calendar.load` does, without the checks that are not needed: the calendar is new, the ids are distinct, the
    columns are there. Only distinct keys are brought into index form, so keys with a zone are as fast as keys without.
    """
    rows = state.bookings
    count = len(rows.ids)
    if not count or rows.quantities.count(1) != count:
        return False
    by_place = calendar.registry.in_order()
    if calendar.registry.pooled.value() and not all(by_place[place].is_exclusive for place in set(rows.resources)):
        return False
    spans = _spans(calendar, rows.keys, count)
    if spans is None:
        return False
    records = DictionaryColumn(by_place, rows.resources)
    events = _kept(calendar, state, seqs, booking, classes)
    loaded = calendar.load(records, *spans, seqs, None if are_numbers(rows.ids, seqs) else rows.ids, events)
    calendar.end_load()
    return loaded


def _spans(calendar: CalendarState, column: KeyColumn, count: int) -> tuple[Sequence[Any], Sequence[Any]] | None:
    """Return starts and ends in index form, or None if they are not of one simple kind."""
    keys = column.normals
    if keys is None:  # the keys hardly repeat
        kinds = set(map(type, column.values))
        # an index may hold one object for equal keys, and two times are equal whose folds differ
        folded = bool(kinds & {datetime, time}) and any(getattr(key, "fold", 0) for key in column.values)
        plain = kinds <= OWN_KEYS and not folded
        return spans_of(calendar.keys, column.values[:count], column.values[count:]) if plain else None
    if type(keys[0]) is tuple or not is_one_kind(keys, set(map(type, keys))):
        return None
    calendar.keys.point(keys[0])  # all keys are of one kind, so one is checked
    places = column.values.places
    return DictionaryColumn(keys, places[:count]), DictionaryColumn(keys, places[count:])


def _book_one_by_one(calendar: CalendarState, state: State, seqs: Sequence[int], booking: _Maker) -> None:
    """Book all rows as `Calendar.add_booking` does, which finds the first that cannot be, and says why."""
    engine = Engine(calendar)
    for seq, at in sorted(zip(seqs, range(len(state.bookings.ids)), strict=True)):
        event = booking(at)
        calendar.number_after(booking=seq - 1)
        engine.add_booking(event)
