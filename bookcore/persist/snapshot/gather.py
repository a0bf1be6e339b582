"""From a calendar to its `State`: references are copied under the calendar's lock, all else is done outside it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, islice
from operator import attrgetter, is_, lt
from typing import TYPE_CHECKING, Any

from bookcore.index.bitmap import ordinals
from bookcore.index.dictionary_column import places_in
from bookcore.model.errors import SnapshotError
from bookcore.model.records import BookingEvent, Closure, Resource
from bookcore.persist.codec.blob import Unwritable
from bookcore.persist.codec.columns import KeyColumn
from bookcore.persist.errors import SnapshotTypeError
from bookcore.persist.registry import codec_for
from bookcore.persist.snapshot.classes import CODEC, OWN, ClassNames
from bookcore.persist.snapshot.state import Bookings, Closures, Expired, Holds, Resources, Rules, State, Tags

if TYPE_CHECKING:
    from bookcore.calendar import Calendar
    from bookcore.stores.record import ResourceRecord

__all__ = ["gather"]

_MISSING = object()


def gather(calendar: Calendar, path: object) -> State:
    """Return everything a snapshot of *calendar* carries.

    Raises: `SnapshotTypeError` for a resource or booking of a class that cannot be carried.

    Complexity: O(everything). The calendar's lock is held for about 10 ns a booking and 50 ns a resource.
    """
    classes = ClassNames(path)
    with calendar._reader():
        if calendar._undo is not None:
            raise SnapshotError(path, "a transaction is open, and may yet be undone")
        entries = calendar._catalog.in_order()
        ids = list(calendar._events)
        events = list(calendar._events.values())
        holds = list(calendar._holds.items())
        expired = list(calendar._ran_out.items())
        closures = list(calendar._standing_closures.values())
        tags = [(label, bits.value()) for label, bits in calendar._catalog.tags.items()]
        rules = [(hours, bits.value()) for hours, bits in calendar._hours.items()]
        plain = calendar._keys.plain
        state = State(bounds=calendar.bounds, last_sequence=calendar._seq, last_closure=calendar._closure_ids)
    order = list(map(attrgetter("_seq"), events))
    if not all(map(lt, order, islice(order, 1, None))):
        events.sort(key=attrgetter("_seq"))
        ids = [event._id for event in events]
    del order  # so that what comes next finds room where it was
    place_of = {entry.number: place for place, entry in enumerate(entries)} if tags or rules else {}

    def members(bits: int) -> list[int]:
        return [place_of[number] for number in ordinals(bits)]

    state.event_type = classes.place(calendar._event_type)
    state.resources = _resources(entries, classes, path)
    state.tags = Tags([label for label, _ in tags], [members(bits) for _, bits in tags])
    state.rules = Rules(
        [hours.to_plain() for hours, _ in rules],
        [members(bits) for _, bits in rules],
    )
    state.bookings = _bookings(ids, events, entries, plain, classes)
    place_by_id = {id: place for place, id in enumerate(ids)} if holds or closures else {}
    state.holds = Holds([place_by_id[id] for id, _ in holds], [until for _, until in holds])
    state.expired = Expired([id for id, _ in expired], [until for _, until in expired])
    state.closures, gone = _closures(closures, entries, events, place_by_id)
    state.released = _released(gone, entries, classes)
    state.classes = classes.names()
    return state


_Gone = list[tuple[BookingEvent, Resource]]


def _closures(
    closures: list[Closure], entries: list[ResourceRecord], events: list[BookingEvent], place_by_id: dict[Any, int]
) -> tuple[Closures, _Gone]:
    """Return the closures, and the bookings they list that stand no more."""
    gone: _Gone = []
    if not closures:
        return Closures(), gone
    listed = any(closure.overlapping for closure in closures)
    places = {id(event): place for place, event in enumerate(events)} if listed else {}

    def place_of(event: BookingEvent, closure: Closure) -> int:
        place = places.get(id(event))
        if place is None and event._home is not None:  # a booking of the calendar that this one follows
            place = place_by_id.get(event._id)
        if place is None:
            place = places[id(event)] = len(events) + len(gone)
            gone.append((event, closure.resource))
        return place

    keys = [closure.start for closure in closures] + [closure.end for closure in closures]
    found = Closures(
        [closure.id for closure in closures],
        places_in([entry.resource for entry in entries], map(attrgetter("resource"), closures)),
        KeyColumn(keys),
        [closure.reason for closure in closures],
        [[place_of(event, closure) for event in closure.overlapping] for closure in closures],
    )
    return found, gone


def _released(gone: _Gone, entries: list[ResourceRecord], classes: ClassNames) -> Bookings:
    events = [event for event, _ in gone]
    return Bookings(
        [event._id for event in events],
        [classes.place(type(event)) for event in events],
        places_in([entry.resource for entry in entries], [resource for _, resource in gone]) if gone else [],
        KeyColumn([event._start for event in events] + [event._end for event in events]),
        [event._quantity for event in events],
        [dict(event.fields) or None for event in events],
    )


_FACTS = "id", "capacity", "before", "after"
"""What the calendar read of a resource when it was registered."""


def _resources(entries: list[ResourceRecord], classes: ClassNames, path: object) -> Resources:
    kinds: list[int] = []
    attributes: list[Any] = []
    ids, capacities, before, after = columns = [list(map(attrgetter(name), entries)) for name in _FACTS]
    resources = [entry.resource for entry in entries]
    types = set(map(type, resources))
    for each in types:
        _check_carried(each, path)
    if types == {Resource} and all(
        all(map(is_, map(attrgetter(name), resources), column)) for name, column in zip(_FACTS, columns, strict=True)
    ):  # most often, and told a column at a time
        kinds, attributes = [classes.place(Resource)] * len(ids), [None] * len(ids)
        return Resources(ids, kinds, capacities, before, after, attributes)
    for entry in entries:
        resource = entry.resource
        cls: Any = type(resource)
        if cls is Resource and _as_registered(resource, entry):
            attributes.append(None)
        elif isinstance(resource, Resource):
            attributes.append(_attributes(resource, entry))
        else:
            cls = CODEC
            attributes.append(resource)
        kinds.append(classes.place(cls))
    return Resources(ids, kinds, capacities, before, after, attributes)


def _as_registered(resource: Resource, entry: ResourceRecord) -> bool:
    return (
        resource.id is entry.id
        and resource.capacity is entry.capacity
        and resource.before is entry.before
        and resource.after is entry.after
    )


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
        raise SnapshotTypeError(
            path, f"resources of {name} cannot be carried ({exc})", [cls.__qualname__]
        ) from exc


def _attributes(resource: Resource, entry: ResourceRecord) -> dict[str, Any] | None:
    """Return what of a resource's attributes its entry does not say."""
    found: Any = object.__getstate__(resource)
    in_dict, in_slots = found if type(found) is tuple else (found, None)
    found = {**(in_dict or {}), **(in_slots or {})}
    for name in OWN:
        found.pop(name, None)
    get = found.get
    for name, value in (
        ("id", entry.id), ("capacity", entry.capacity), ("before", entry.before), ("after", entry.after),
    ):  # fmt: skip
        if get(name, _MISSING) is value:
            del found[name]
    for name in found:
        if type(name) is not str:
            raise Unwritable(name, "a name of an attribute that is no text")
    return found or None


def _bookings(
    ids: list[Any], events: list[BookingEvent], entries: list[ResourceRecord], plain: type | None, classes: ClassNames
) -> Bookings:
    count = len(events)
    types = set(map(type, events))
    places = {cls: classes.place(cls) for cls in types}
    if types <= {BookingEvent}:
        fields: list[Any] = list(map(attrgetter("_fields"), events))
    else:
        fields = [dict(event.fields) or None for event in events]
    # A pass for each column, in order of booking: events and keys mostly lie in memory in the order they were made in,
    # and any other order waits for each of them (three times as long).
    keys = list(chain(map(attrgetter("_start"), events), map(attrgetter("_end"), events)))
    exclusive = all(entry.capacity == 1 for entry in entries)
    return Bookings(
        ids,
        [places[type(event)] for event in events] if len(types) > 1 else _same(max(places.values(), default=0), count),
        places_in([entry.resource for entry in entries], map(attrgetter("_resource"), events)),
        KeyColumn(keys, cls=plain),
        _same(1, count) if exclusive else [event._quantity for event in events],
        fields,
    )


def _same(number: int, count: int) -> Sequence[int]:
    """Return so many times a number, as bytes if it fits: an eighth of the memory, which has to be had first."""
    return (bytes((number,)) if number < 256 else array("I", (number,))) * count
