"""From a calendar to the state that a snapshot carries. Only copying rows needs the calendar's lock."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain, compress, repeat
from operator import attrgetter, is_not, itemgetter, rshift
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

from bookcore.engine.gate import question
from bookcore.engine.state import CalendarState
from bookcore.index.bitmap import ordinals
from bookcore.index.dictionary_column import PART, DictionaryColumn, places_in, take, taker
from bookcore.model.change import ResourceAdded
from bookcore.model.closure import Closure
from bookcore.model.errors import SnapshotError, brief
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource
from bookcore.model.typecheck import plain_text
from bookcore.persist.codec.blob import Unwritable
from bookcore.persist.codec.columns import KeyColumn, table_of_naive_datetimes
from bookcore.persist.errors import SnapshotTypeError
from bookcore.persist.registry import codec_for
from bookcore.persist.snapshot.classes import CODEC, OWN, ClassNames
from bookcore.persist.snapshot.state import Bookings, Closures, Expired, Holds, Resources, Rules, State, Tags
from bookcore.stores.generic import usage_of
from bookcore.stores.memory.store import MemoryStore
from bookcore.stores.record import ResourceRecord

_MISSING = object()
_PLACE = Struct("I")


class Rows(NamedTuple):
    """Copies of all that `gather` needs from a calendar, at one moment."""

    records: list[ResourceRecord]
    """Of all resources, in order of registration."""
    edges: Sequence[Sequence[Any]]
    """Start, end, start ... of the bookings of each resource."""
    seqs: Sequence[int]
    """The numbers of all bookings, in that order."""
    quantities: list[int] | None
    """None: all are 1."""
    ids: dict[int, Any]
    """The ids of bookings that are not their numbers, by number."""
    objects: dict[int, BookingEvent]
    """The events that say more than their rows, or say it otherwise, by number."""
    until: list[tuple[int, Any]]
    """The held bookings, by number, and when each hold expires."""
    expired: list[tuple[Any, Any]]
    """The ids of the holds that expired last, and when each did."""
    closures: list[Closure]
    active: dict[int, int]
    """The numbers of those bookings that closures list and that are active, by the ``id()`` of the event."""
    tags: list[tuple[Any, int]]
    """The labels, and the resources of each as a bitmap of their numbers."""
    rules: list[tuple[Any, int]]
    """The opening hours, and the resources of each as a bitmap of their numbers."""
    last: int
    """The last number that was given to a booking."""
    last_closure: int
    fast_type: type | None
    """The exact type of all keys as the index holds them; None if there is no such type."""
    crowded: list[int]
    """The places of the resources whose bookings use more units than there are."""


@question
def read(calendar: CalendarState, path: object) -> Rows:
    """Return copies of all that `gather` needs from a calendar, under its lock."""
    if calendar.log.changes is not None:
        raise SnapshotError(path, "a transaction is open, and may yet be undone")
    registry, ledger, holds = calendar.registry, calendar.ledger, calendar.holds
    records = registry.in_order()
    edges, seqs, quantities = _copied(calendar.store, records)
    ids: dict[Any, Any] = {}
    for part in ledger.ids.parts:  # in C, a part at a time
        ids.update(part)
    objects = dict(sorted(ledger.objects.items()))  # classes are numbered in this order; undoing puts events back last
    until = sorted(holds.until.items(), key=itemgetter(0))  # undoing puts them back last
    expired = list(holds.expired.items())
    closures = sorted(calendar.closures.by_id.values(), key=attrgetter("id"))
    listed = [event for closure in closures for event in closure.overlapping if ledger.owns(event)]
    active: dict[int, Any] = {id(event): event._seq for event in listed}
    tags = [(label, bits.value()) for label, bits in registry.tags.items()]
    rules = [(hours, bits.value()) for hours, bits in calendar.hours.by_rule.items()]
    crowded = []
    if registry.pooled.value():  # no other resource can be crowded
        crowded = [place for place, record in enumerate(records) if record.crowded and _is_crowded(calendar, record)]
    last, last_closure, fast_type = ledger.last, calendar.closures.last_id, calendar.keys.fast_type
    return Rows(
        records, edges, seqs, quantities, ids, objects, until, expired, closures, active, tags, rules,
        last, last_closure, fast_type, crowded,
    )  # fmt: skip


def gather(calendar: CalendarState, path: object, rows: Rows | None = None, *, numbered: bool = False) -> State:
    """Return everything a snapshot of a calendar carries; *rows* are what `read` has returned before.

    Bookings are in order of booking. With *numbered* they are resource after resource, by start, with their numbers: then
    nothing has to be sorted, neither here nor where the calendar is rebuilt.

    Raises: `SnapshotTypeError` for a resource or booking of a class that cannot be carried.

    Complexity: O(everything). The calendar's lock is held while rows are copied, about 0.04 us each.
    """
    classes = ClassNames(path)
    copies = read(calendar, path) if rows is None else rows
    records, until, closures, tags = copies.records, copies.until, copies.closures, copies.tags
    state = State(
        crowded=copies.crowded, bounds=calendar.bounds, last_sequence=copies.last, last_closure=copies.last_closure
    )
    place_of = {record.number: place for place, record in enumerate(records)} if tags or copies.rules else {}

    def members(bits: int) -> list[int]:
        return [place_of[number] for number in ordinals(bits)]

    state.event_type = classes.place(calendar.event_type)
    state.resources = _resources(records, classes, path, calendar.registry.key)
    rules = sorted(copies.rules, key=itemgetter(1))  # no resource has two
    state.tags = Tags([label for label, _ in tags], [members(bits) for _, bits in tags])
    state.rules = Rules([hours.to_plain() for hours, _ in rules], [members(bits) for _, bits in rules])
    seqs, state.bookings = _bookings(copies, classes, numbered)
    place_by_seq = {seq: place for place, seq in enumerate(seqs)} if until or closures else {}
    state.holds = Holds([place_by_seq[seq] for seq, _ in until], [deadline for _, deadline in until])
    state.expired = Expired([id for id, _ in copies.expired], [deadline for _, deadline in copies.expired])
    state.closures, released = _closures(closures, records, copies.active, place_by_seq)
    state.released = _released(released, records, classes)
    state.classes = classes.names()
    return state


def _is_crowded(calendar: CalendarState, record: ResourceRecord) -> bool:
    """Tell whether bookings use more units than the resource has. The lock is held."""
    usage = usage_of(record, calendar.store.overlapping(record, None, None), calendar.closed)
    return not usage.has_room(None, None, record.capacity)


_Gone = list[tuple[BookingEvent, Resource]]


def _closures(
    closures: list[Closure], records: list[ResourceRecord], active: dict[int, Any], place_by_seq: dict[int, int]
) -> tuple[Closures, _Gone]:
    """Return the closures, and the bookings they list that are active no more."""
    released: _Gone = []
    if not closures:
        return Closures(), released
    places: dict[int, int] = {}

    def place_of(event: BookingEvent, closure: Closure) -> int:
        seq = active.get(id(event))
        if seq is not None:
            return place_by_seq[seq]
        place = places.get(id(event))
        if place is None:
            place = places[id(event)] = len(place_by_seq) + len(released)
            released.append((event, closure.resource))
        return place

    keys = [closure.start for closure in closures] + [closure.end for closure in closures]
    columns = Closures(
        [closure.id for closure in closures],
        places_in([record.resource for record in records], map(attrgetter("resource"), closures)),
        KeyColumn(keys),
        [closure.reason for closure in closures],
        [[place_of(event, closure) for event in closure.overlapping] for closure in closures],
    )
    return columns, released


def _released(released: _Gone, records: list[ResourceRecord], classes: ClassNames) -> Bookings:
    events = [event for event, _ in released]
    return Bookings(
        [event._id for event in events],
        [classes.place(type(event)) for event in events],
        places_in([record.resource for record in records], [resource for _, resource in released]) if released else [],
        KeyColumn([event._start for event in events] + [event._end for event in events]),
        [event._quantity for event in events],
        [by_text(event.fields) for event in events],
    )


_Registered: TypeAlias = ResourceRecord | ResourceAdded
"""A resource, and what the calendar read of it when it was registered."""

_FACTS = "id", "capacity", "before", "after"
"""What the calendar read of a resource when it was registered."""


def _resources(
    records: list[ResourceRecord], classes: ClassNames, path: object, key: Callable[[Any], Any] | None
) -> Resources:
    kinds: list[int] = []
    attributes: list[Any] = []
    # loops of Python take no longer than loops in C here, and other threads may run in between
    ids, capacities = [record.id for record in records], [record.capacity for record in records]
    before, after = [record.before for record in records], [record.after for record in records]
    for each in {type(record.resource) for record in records}:
        _check_carried(each, path)
    for record in records:
        cls, attributes_found = _description(record, path, key)
        kinds.append(classes.place(cls))
        attributes.append(attributes_found)
    return Resources(ids, kinds, capacities, before, after, attributes)


def _is_as_registered(facts: _Registered) -> bool:
    """Tell whether a `Resource` has, in the slots that its properties read, what the calendar read of it."""
    resource = facts.resource
    return (
        resource._bookcore_id is facts.id
        and resource._bookcore_capacity is facts.capacity
        and resource._bookcore_before is facts.before
        and resource._bookcore_after is facts.after
    )


def describe(facts: _Registered, path: object, key: Callable[[Any], Any] | None) -> tuple[Any, Any]:
    """Return the class of a resource, or `CODEC`, and what *facts* do not say of it: attributes, or the resource itself.

    Raises: `SnapshotTypeError` for a resource that cannot be carried.
    """
    _check_carried(type(facts.resource), path)
    return _description(facts, path, key)


def _description(facts: _Registered, path: object, key: Callable[[Any], Any] | None) -> tuple[Any, Any]:
    resource = facts.resource
    cls: Any = type(resource)
    if cls is Resource and _is_as_registered(facts):
        return cls, None
    if isinstance(resource, Resource):
        return cls, _attributes(resource, facts)
    if (resource.id if key is None else key(resource)) != facts.id:
        name = type(resource).__qualname__
        reason = f"{brief(resource)} was given the id {brief(facts.id)}, which its codec does not carry"
        raise SnapshotTypeError(path, reason, [name])
    return CODEC, resource


def _check_carried(cls: type, path: object) -> None:
    """Raise unless instances of *cls* can be made again from their attributes, or by a key codec."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    if not issubclass(cls, Resource):
        if codec_for(cls) is not None:
            return
        reason = (
            f"resources of {name} cannot be carried: make it a subclass of bookcore.Resource, "
            "or say how with register_key_codec(cls, name, encode, decode)"
        )
        raise SnapshotTypeError(path, reason, [cls.__qualname__])
    try:
        object.__new__(cls)
    except TypeError as exc:
        raise SnapshotTypeError(path, f"resources of {name} cannot be carried ({exc})", [cls.__qualname__]) from exc


def _attributes(resource: Resource, record: _Registered) -> dict[str, Any] | None:
    """Return what of a resource's attributes its record does not say."""
    attributes: Any = object.__getstate__(resource)
    in_dict, in_slots = attributes if type(attributes) is tuple else (attributes, None)
    attributes = {**(in_dict or {}), **(in_slots or {})}
    for name in OWN:
        attributes.pop(name, None)
    for name in _FACTS:
        if attributes.get(name, _MISSING) is getattr(record, name):
            del attributes[name]
    return by_text(attributes)


def by_text(values: Mapping[Any, Any]) -> dict[str, Any] | None:
    """Return fields or attributes under plain texts, which members of enumerations and NumPy's texts are not; None if empty.

    Raises: `Unwritable` for a name that is no text. O(values).
    """
    if set(map(type, values)) <= {str}:
        return dict(values) or None
    texts = {name: plain_text(name) for name in values}
    for name, text in texts.items():
        if text is None:
            raise Unwritable(name, "a name of a field or an attribute that is no text")
    return {texts[name]: value for name, value in values.items()}  # type: ignore[misc]  # none of the texts is None


def _copied(store: Any, records: list[ResourceRecord]) -> tuple[Sequence[Sequence[Any]], Sequence[int], list[int] | None]:
    """Return a copy of all rows: edges, numbers and quantities of `Rows`. The lock is held."""
    if isinstance(store, MemoryStore):
        columns = store.columns(records)
        if columns is not None:
            return *columns, None
    rows_of = [store.overlapping(record, None, None) if record.active_count else () for record in records]
    rows = list(chain.from_iterable(rows_of))
    numbers, quantities = (list(map(itemgetter(at), rows)) for at in (2, 3))
    return [[key for row in own for key in row[:2]] for own in rows_of], numbers, quantities


def _in_order(seqs: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the places of numbers, which are distinct and positive, in ascending order of the numbers; and these in order.

    O(n), mostly. A part at a time, so that other threads may run in between.
    """
    count, last = len(seqs), max(seqs, default=0)
    parts = [range(at, min(at + PART, count)) for at in range(0, count, PART)]
    order: list[int] = []
    if last > 4 * count:  # most numbers are of bookings that are gone
        shift = max(0, last.bit_length() - (count // PART).bit_length())
        groups: list[list[int]] = [[] for _ in range((last >> shift) + 1)]
        for part in parts:
            numbers = map(rshift, seqs[part.start : part.stop], repeat(shift))
            deque(map(list.append, map(groups.__getitem__, numbers), part), maxlen=0)  # a loop in C
        for group in groups:
            group.sort(key=seqs.__getitem__)
            order += group
        return order, list(take(seqs, order))
    place_of: list[Any] = [None] * (last + 1)
    for part in parts:
        deque(map(place_of.__setitem__, seqs[part.start : part.stop], part), maxlen=0)
    found: list[int] = []
    for at in range(0, last + 1, PART):
        places = place_of[at : at + PART]
        here = list(map(partial(is_not, None), places))
        order += compress(places, here)
        found += compress(range(at, at + PART), here)
    return order, found


def _bookings(copies: Rows, classes: ClassNames, numbered: bool) -> tuple[Sequence[int], Bookings]:
    """Return the numbers of the bookings, and a row for each; see `gather`."""
    ids, objects, seqs, quantities = copies.ids, copies.objects, copies.seqs, copies.quantities
    count = len(seqs)
    places, edges = array("I"), list[Any]()
    for place, own in enumerate(copies.edges):  # no loop in C, within which no other thread runs
        places.frombytes(_PLACE.pack(place) * (len(own) >> 1))
        edges += own
    keys = _key_table(edges) if numbered and not objects and copies.fast_type is datetime else None
    starts, ends = (edges[::2], edges[1::2]) if keys is None else ([], [])
    if not numbered:
        order, seqs = _in_order(seqs)
        in_order = taker(order)
        starts, ends, places = list(in_order(starts)), list(in_order(ends)), array("I", in_order(places))
        quantities = None if quantities is None else list(in_order(quantities))
    kinds: Sequence[int] = _same(classes.place(BookingEvent) if count > len(objects) else 0, count)
    fields: list[Any] = [None] * count
    if objects:  # events that say more than their rows, or say it otherwise
        place_of = {seq: place for place, seq in enumerate(seqs)}
        kinds = list(kinds)
        for seq, event in objects.items():
            place = place_of[seq]
            kinds[place] = classes.place(type(event))
            fields[place] = by_text(event.fields)
            starts[place], ends[place] = event._start, event._end
    named: Any = seqs
    if numbered and ids:
        named = [None if type(id) is int and id == seq else id for seq, id in zip(seqs, map(ids.get, seqs), strict=True)]
    elif numbered:
        named = [None] * count
    elif ids:
        named = list(map(ids.get, seqs, seqs))
    return seqs, Bookings(
        named,
        kinds,
        places,
        KeyColumn(starts + ends) if keys is None else keys,
        _same(1, count) if quantities is None else quantities,
        fields,
        seqs if numbered else None,
        bare=not objects,
        nameless=numbered and not ids,
    )


def _key_table(edges: list[Any]) -> KeyColumn | None:
    """Return starts and ends by a table of the distinct ones, if they repeat and have no zone; else None. O(edges)."""
    table = table_of_naive_datetimes(edges) if edges else None
    if table is None:
        return None
    distinct, entries = table
    return KeyColumn(DictionaryColumn(distinct, entries[::2] + entries[1::2]))


def _same(number: int, count: int) -> Sequence[int]:
    """Return so many times a number, as bytes if it fits: an eighth of the memory, which has to be had first."""
    return (bytes((number,)) if number < 256 else array("I", (number,))) * count
