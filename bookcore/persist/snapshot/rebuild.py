"""From a `State` to a new calendar, through the calendar's own commands.

Objects are made without calling code of their classes: an instance that was once made by its constructor
comes back as it was. The calendar then takes them as it takes any: it is what decides that no two bookings
are in each other's way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from itertools import islice, repeat
from operator import is_not
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

from bookcore.engine.bulk_load import add_resources
from bookcore.hours.opening_hours import Hours
from bookcore.index.dictionary_column import DictionaryColumn
from bookcore.model.records import BookingEvent, Closure, Resource
from bookcore.persist.codec.blob import Unreadable
from bookcore.persist.snapshot.classes import CODEC, OWN, resolve
from bookcore.persist.snapshot.state import State
from bookcore.stores.protocol import SupportsLoad

if TYPE_CHECKING:
    from bookcore.calendar import Calendar

__all__ = ["classes_in", "rebuild"]

_FACTS = {*BookingEvent.__slots__, "resource", "start", "end", "id", "quantity", "__class__", "__dict__"}
"""What of a booking its fields cannot say."""


def classes_in(state: State, known: dict[str, type], path: object) -> dict[str, type]:
    """Return the classes a state needs, by name, from those *known*.

    Raises: `SnapshotTypeError` that names those which are missing, or are not what they are needed for.
    """
    names = state.classes
    of_events = {
        names[state.event_type],
        *(names[kind] for kind in {*state.bookings.kinds, *state.released.kinds}),
    }
    of_resources = {names[kind] for kind in set(state.resources.kinds)} - {CODEC}
    return {**resolve(path, of_events, known, BookingEvent), **resolve(path, of_resources, known, Resource)}


def rebuild(calendar: Calendar, state: State, classes: dict[str, type]) -> None:
    """Bring a new, empty calendar into the given state.

    Raises: `Unreadable` for data that no calendar is made of, and whatever the calendar's own commands raise.

    Complexity: O(everything), O(m log m) for the bookings of one resource.
    """
    resources = _resources(state, classes)
    facts = state.resources
    catalog = calendar._catalog
    with calendar._writer():
        add_resources(calendar, facts.ids, resources, facts.capacities, facts.before, facts.after)
        for label, members in zip(state.tags.labels, state.tags.members, strict=True):
            if members:
                catalog.tag_all(members, label)
    events = _events(state, resources, classes, calendar)
    if not _load_in_one_piece(calendar, state, events):
        for event in events:
            event._seq = event._home = None
        calendar.load(events)  # which finds the first that cannot be, and says why
    calendar._seq = max(calendar._seq, state.last_sequence)
    # Not before the bookings stand: they may stand where it was closed later, and holds may have run out by now.
    with calendar._writer():
        for place, until in zip(state.holds.bookings, state.holds.until, strict=True):
            calendar._hold(events[place], until)
        for rule, keepers in zip(state.rules.hours, state.rules.members, strict=True):
            hours = Hours.from_plain(rule)
            for place in keepers:
                calendar._set_hours(catalog.entry(resources[place]), hours)
        calendar._ran_out.update(zip(state.expired.ids, state.expired.until, strict=True))
        _close(calendar, state, resources, events, classes)


def _close(
    calendar: Calendar,
    state: State,
    resources: list[Any],
    events: list[BookingEvent],
    classes: dict[str, type],
) -> None:
    rows = state.closures
    count = len(rows.ids)
    keys = rows.keys.values
    facts = zip(
        rows.ids, rows.resources, keys[:count], keys[count:], rows.reasons, rows.overlapping, strict=True
    )
    events = events + _released(state, resources, classes) if state.released.ids else events
    for id, place, start, end, reason, overlapping in facts:
        entry = calendar._catalog.entry(resources[place])
        low, high = calendar._keys.admit(start, end)
        stood = tuple(events[at] for at in overlapping)
        calendar._close(entry, low, high, Closure(entry.resource, start, end, reason, id, stood))
    calendar._closure_ids = state.last_closure


def _resources(state: State, classes: dict[str, type]) -> list[Any]:
    rows = state.resources
    makers = {kind: _maker(classes[name]) for kind, name in enumerate(state.classes) if name in classes}
    columns = rows.ids, rows.capacities, rows.before, rows.after
    if {classes.get(state.classes[kind]) for kind in set(rows.kinds)} == {Resource} and not any(
        map(is_not, rows.attributes, repeat(None))
    ):
        return [
            Resource(id, capacity, before=before, after=after)
            for id, capacity, before, after in zip(*columns, strict=True)
        ]
    made: list[Any] = []
    for id, capacity, before, after, kind, attributes in zip(
        *columns, rows.kinds, rows.attributes, strict=True
    ):
        if kind in makers:
            made.append(makers[kind](id, capacity, before, after, attributes))
        elif getattr(attributes, "id", None) == id:
            made.append(attributes)  # made by its key codec
        else:
            raise Unreadable("a resource comes back with another id")
    return made


def _maker(cls: type) -> Callable[..., Any]:
    """Return a function that makes an instance of a subclass of `Resource`, past all code of the class."""
    new, plain = object.__new__, cls is Resource
    slots: dict[str, Callable[[Any, Any], None]] = {}
    for base in reversed(cls.__mro__):
        slots.update(
            {n: slot.__set__ for n, slot in vars(base).items() if type(slot) is MemberDescriptorType}
        )
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
                raise Unreadable(
                    f"{cls.__qualname__} has no place for the attributes {sorted(values)}"
                ) from None
        return made

    return make


def _events(
    state: State, resources: list[Any], classes: dict[str, type], home: Calendar
) -> list[BookingEvent]:
    """Return the bookings, numbered and said to be at home already, which most often they are a moment later."""
    rows = state.bookings
    count = len(rows.ids)
    keys = rows.keys.values
    # ids that are the numbers of their bookings, as most are, are one object with them
    numbers = rows.ids if rows.counted and count and rows.ids[0] == 1 else range(1, count + 1)
    facts = zip(
        map(resources.__getitem__, rows.resources), islice(keys, count), islice(keys, count, None), rows.ids,
        rows.quantities, rows.fields, numbers,
        strict=True,
    )  # fmt: skip
    found = {kind: classes[state.classes[kind]] for kind in set(rows.kinds)}
    made: list[Any] = []
    # A loop that stores eight slots takes half the time of eight passes that store one in C, or of a constructor.
    new, put = object.__new__, made.append
    if (
        set(found.values()) == {BookingEvent}
        and numbers is rows.ids
        and rows.bare
        and rows.quantities.count(1) == count
    ):  # as most are
        plain = zip(
            map(resources.__getitem__, rows.resources), islice(keys, count), islice(keys, count, None), numbers,
            strict=True,
        )  # fmt: skip
        for resource, start, end, number in plain:
            event: Any = new(BookingEvent)
            event._resource = resource
            event._start = start
            event._end = end
            event._id = event._seq = number
            event._quantity = 1
            event._fields = None
            event._home = home
            put(event)
        return made
    if set(found.values()) == {BookingEvent}:
        for resource, start, end, id, quantity, loose, number in facts:
            event = new(BookingEvent)
            event._resource = resource
            event._start = start
            event._end = end
            event._id = id
            event._quantity = quantity
            event._fields = loose
            event._seq = number
            event._home = home
            put(event)
        return made
    for kind, (resource, start, end, id, quantity, loose, number) in zip(rows.kinds, facts, strict=True):
        event = _event(found[kind], resource, start, end, id, quantity, loose or {})
        event._seq = number
        event._home = home
        made.append(event)
    return made


def _released(state: State, resources: list[Any], classes: dict[str, type]) -> list[BookingEvent]:
    """Return bookings that stood once, as records that own no lock."""
    rows = state.released
    count, keys = len(rows.ids), rows.keys.values
    made = []
    for kind, place, start, end, id, quantity, loose in zip(
        rows.kinds,
        rows.resources,
        keys[:count],
        keys[count:],
        rows.ids,
        rows.quantities,
        rows.fields,
        strict=True,
    ):
        event = _event(classes[state.classes[kind]], resources[place], start, end, id, quantity, loose or {})
        event._seq = 0  # cannot be changed
        made.append(event)
    return made


def _event(
    cls: type, resource: Any, start: Any, end: Any, id: Any, quantity: int, fields: dict[str, Any]
) -> Any:
    """Make a booking of any class, past all code of the class: `bookcore.model.records` would ask its ``__new__``."""
    event: Any = object.__new__(cls)
    BookingEvent.__init__(event, resource, start, end, id=id, quantity=quantity)
    loose = {}
    for name, value in fields.items():
        if name in _FACTS:  # came in as a loose keyword, or out of a forged file
            loose[name] = value
            continue
        try:
            object.__setattr__(event, name, value)
        except AttributeError:  # neither a slot nor a place for others
            loose[name] = value
    event._fields = loose or None
    return event


def _load_in_one_piece(calendar: Calendar, state: State, events: list[BookingEvent]) -> bool:
    """Book all events at once, or return False with nothing changed.

    Does what `Calendar.load` does, less what is known already: the calendar is new, the ids are distinct, the columns are
    at hand. And because the distinct keys are, so are their index forms, which makes one zone as fast as none.
    """
    rows, store = state.bookings, calendar._store
    keys, places = rows.keys.normals, rows.keys.entries
    if not isinstance(store, SupportsLoad) or not events or rows.quantities.count(1) != len(events):
        return False
    if keys is None or places is None or len(set(map(type, keys))) > 1 or type(keys[0]) is tuple:
        return False
    by_place = calendar._catalog.in_order()
    if calendar._catalog.pooled.value() and not all(by_place[place].plain for place in set(rows.resources)):
        return False
    calendar._keys.point(keys[0])  # one key speaks for all of its kind
    count = len(events)
    starts, ends = DictionaryColumn(keys, places[:count]), DictionaryColumn(keys, places[count:])
    entries = DictionaryColumn(by_place, rows.resources)
    # First the register: the garbage collector comes by when all this is done, and reaches the bookings by what was made
    # first. By the register that is in the order in which they lie in memory, by schedules it is not (twice the time).
    calendar._events.put_all(rows.ids, events, rows.counted)
    if not store.load(entries, starts, ends, events):
        calendar._events.clear()
        return False
    calendar._seq = count
    for place, number in entries.tally().items():
        by_place[place].count = number
    calendar._keys.learn(keys[0])
    return True
