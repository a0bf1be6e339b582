"""The contents of a calendar as plain columns, and these columns as the sections of a snapshot.

    section     a row is          columns
    calendar    the calendar      bounds, class names, class that book() makes, last booking number, last closure number
    resources   a resource        id, class, capacity, buffer before, buffer after, attributes
    tags        a label           label, resources
    rules       opening hours     the hours as plain values, resources
    bookings    a booking         id, class, resource, start and end, quantity, fields, number
    holds       a held booking    booking, time when the hold expires
    expired     an expired hold   id, time when it expired: the last few, so that confirming one raises the right error
    closures    a closure         id, resource, start and end, reason, bookings that were active when it was made
    released    a booking         as bookings: those which closures list and which were released or moved since
    crowded     a resource        resource: those whose bookings use more units than its capacity, which was set later

Resources are in order of registration. Bookings are in the order of their resources, and of their starts on each. The
number of a booking counts up in order of booking; it is its id as well where that is None. In format 1 bookings have no
numbers, and are in order of booking. A resource, a booking or a class is written as its place: the number of its row, or
of its name. The first column of a section has the section's name and number of rows. The sections *released* and *crowded*
are written only if one of them, or a later one, has rows.

A file is refused if its sections, rows or places do not fit together, if an id is there twice, or if a span ends
before it starts. Whether bookings overlap, or deadlines of holds cannot be compared, is not checked here, but by the
calendar that is built from the state. Deadlines of expired holds are only told, and need not be comparable.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from functools import partial
from itertools import chain, count, filterfalse, islice, repeat
from operator import attrgetter, eq, is_, is_not, lt
from typing import Any

from bookcore.engine.buffers import token_of
from bookcore.index.column import SHARED
from bookcore.index.dictionary_column import DictionaryColumn, are_spans
from bookcore.index.id_table import count_up
from bookcore.model.errors import blaming
from bookcore.model.keys import AS_THEY_ARE, OWN_KEYS, normal
from bookcore.model.lengths import wrong_with
from bookcore.persist.codec.blob import Unreadable, Unwritable
from bookcore.persist.codec.budget import Budget
from bookcore.persist.codec.columns import (
    KeyColumn,
    decode_column,
    decode_keys,
    decode_numbers,
    encode_column,
    encode_keys,
    encode_numbers,
)
from bookcore.persist.errors import failure

_IN_ORDER = OWN_KEYS | {tuple, type(None)}

Section = tuple[bytes, ...]
Decoder = Callable[[bytes, int, Budget], Any]
_zone = attrgetter("tzinfo")
_HEAD = struct.Struct("<Q12s")
_NAMES = "calendar", "resources", "tags", "rules", "bookings", "holds", "expired", "closures", "released", "crowded"
_REQUIRED = len(_NAMES) - 2  # all but the last two
_LAST_NUMBER = 1 << 62
"""The highest number of a booking or closure in a file. As many again are left for the calendar that is restored."""
_SPARSE = 16
"""Numbers of which fewer than one in so many is there are looked up in a set, and not in a row of bytes."""


@dataclass(slots=True)
class Resources:
    """A row for each resource, in order of registration."""

    ids: list[Any] = field(default_factory=list)
    kinds: Sequence[int] = ()  # places in State.classes
    capacities: Sequence[int] = ()
    before: list[Any] = field(default_factory=list)
    after: list[Any] = field(default_factory=list)
    attributes: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Tags:
    """A row for each label."""

    labels: list[Any] = field(default_factory=list)
    members: list[list[int]] = field(default_factory=list)  # places in State.resources


@dataclass(slots=True)
class Rules:
    """A row for each set of opening hours."""

    hours: list[Any] = field(default_factory=list)  # what `Hours.to_plain` returned
    members: list[list[int]] = field(default_factory=list)  # places in State.resources


@dataclass(slots=True)
class Bookings:
    """A row for each booking, in order of booking unless they are numbered."""

    ids: Sequence[Any] = field(default_factory=list)  # to be written with numbers: None where the id is the number
    kinds: Sequence[int] = ()  # places in State.classes
    resources: Sequence[int] = ()  # places in State.resources
    keys: KeyColumn = field(default_factory=lambda: KeyColumn([]))  # all starts, then all ends
    quantities: Sequence[int] = ()
    fields: list[Any] = field(default_factory=list)  # a dict, or None for a booking without fields
    numbers: Sequence[int] | None = None  # in order of booking
    bare: bool = False  # it is known that none of the bookings has fields
    nameless: bool = False  # to be written: it is known that all ids are None


@dataclass(slots=True)
class Holds:
    """A row for each booking that is held and not confirmed."""

    bookings: Sequence[int] = ()  # places in State.bookings
    until: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Expired:
    """A row for each of the holds that expired last."""

    ids: list[Any] = field(default_factory=list)
    until: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Closures:
    """A row for each closure, in order of closing."""

    ids: list[Any] = field(default_factory=list)
    resources: Sequence[int] = ()
    keys: KeyColumn = field(default_factory=lambda: KeyColumn([]))  # all starts, then all ends
    reasons: list[Any] = field(default_factory=list)
    # places in State.bookings; those past its end are places in State.released
    overlapping: list[list[int]] = field(default_factory=list)


@dataclass(slots=True)
class State:
    """Everything in a snapshot."""

    bounds: str = "[)"
    classes: list[str] = field(default_factory=list)
    event_type: int = 0  # place in classes
    last_sequence: int = 0
    last_closure: int = 0
    resources: Resources = field(default_factory=Resources)
    tags: Tags = field(default_factory=Tags)
    rules: Rules = field(default_factory=Rules)
    bookings: Bookings = field(default_factory=Bookings)
    holds: Holds = field(default_factory=Holds)
    expired: Expired = field(default_factory=Expired)
    closures: Closures = field(default_factory=Closures)
    released: Bookings = field(default_factory=Bookings)
    crowded: Sequence[int] = ()  # places in State.resources


def encode_state(state: State) -> list[Section]:
    """Return the sections that hold *state*.

    Raises: `Unwritable` for a value that cannot be written.

    Complexity: O(everything).
    """
    values, numbers = encode_column, encode_numbers
    if max(state.last_sequence, state.last_closure) > _LAST_NUMBER:
        raise Unwritable(max(state.last_sequence, state.last_closure), "numbers of bookings and closures end at 2**62")
    facts = (state.bounds, state.classes, state.event_type, state.last_sequence, state.last_closure)
    sections = [
        (_head("calendar", 1), values([facts])),
        _section("resources", state.resources, values, numbers, numbers, values, values, values),
        _section("tags", state.tags, values, values),
        _section("rules", state.rules, values, values),
        _bookings_section("bookings", state.bookings),
        _section("holds", state.holds, numbers, values),
        _section("expired", state.expired, values, values),
        _section("closures", state.closures, values, numbers, encode_keys, values, values),
    ]
    if state.released.ids or state.crowded:
        sections.append(_bookings_section("released", state.released))
    if state.crowded:
        sections.append((_head("crowded", len(state.crowded)), numbers(state.crowded)))
    return sections


def _bookings_section(name: str, rows: Bookings) -> Section:
    ids, more = partial(encode_column, blank=rows.nameless), partial(encode_column, blank=rows.bare)
    numbers = () if rows.numbers is None else (encode_numbers,)
    return _section(name, rows, ids, encode_numbers, encode_numbers, encode_keys, encode_numbers, more, *numbers)


def _section(name: str, rows: Any, *encoders: Callable[[Any], bytes]) -> Section:
    """Return the section of *rows*, whose fields are the columns, in order; the first tells how many rows there are."""
    columns = [getattr(rows, each.name) for each in fields(rows)]
    encoded = [encode(column) for encode, column in zip(encoders, columns, strict=False)]
    return _head(name, len(columns[0])), *encoded


def _head(name: str, rows: int) -> bytes:
    return _HEAD.pack(rows, name.encode())


def decode_state(sections: Sequence[Section], ratio: int = 1, *, numbered: bool = False) -> State:
    """Return the state that *sections* hold. *numbered*: their format is 2, where bookings have numbers.

    All columns are charged to one `Budget`, of *ratio* values for each byte of the sections.

    Raises: `Unreadable`, and nothing else, for sections that `encode_state` has not made.

    Complexity: O(everything), in time and memory.
    """
    if not _REQUIRED <= len(sections) <= len(_NAMES):
        raise Unreadable(f"{len(sections)} sections, {_REQUIRED} to {len(_NAMES)} expected")
    by_name = dict(zip(_NAMES, sections, strict=False))
    budget = Budget(sum(map(len, chain.from_iterable(sections))), ratio)
    read = partial(_read_section, by_name, budget)
    values, numbers = decode_column, decode_numbers

    (facts,) = read("calendar", values)
    state = State(*_checked_facts(facts))
    kind = _places(len(state.classes))
    closed = state.bounds == "[]"

    resources = state.resources = Resources(*read("resources", values, kind, numbers, values, values, values))
    _check_ids(resources.ids, budget)
    _check_capacities(resources.capacities, budget)
    _check_positive(resources.capacities)
    _check_lengths(resources.before, budget)
    _check_lengths(resources.after, budget)
    resource = _places(len(resources.ids))

    state.tags = Tags(*read("tags", values, values))
    _check_distinct(state.tags.labels, budget)  # None is allowed as a label, unlike as an id
    state.rules = Rules(*read("rules", values, values))
    _check_all(state.rules.hours, dict)
    for members in (state.tags.members, state.rules.members):
        _check_members(members, len(resources.ids))
        budget.charge_bitmaps(map(max, filter(None, members)))

    booking_columns = values, kind, resource, _decode_spans, numbers, values
    columns = read("bookings", *booking_columns, *((numbers,) if numbered else ()))
    bookings = state.bookings = _checked_bookings(closed, budget, *columns)
    if numbered:
        _name_by_number(bookings, state.last_sequence)
    if bookings.ids is not bookings.numbers:
        _check_ids(bookings.ids, budget)

    state.holds = Holds(*read("holds", _places(len(bookings.ids)), values))
    _check_ids(state.holds.bookings, budget)

    state.expired = Expired(*read("expired", values, values))
    _check_ids(state.expired.ids, budget)

    closures = state.closures = Closures(*read("closures", values, resource, _decode_spans, values, values))
    _check_closure_ids(closures.ids, state.last_closure, budget)
    _check_all(closures.reasons, str)
    closures.keys = _check_spans(closures.keys, closed, budget)

    if "released" in by_name:
        state.released = _checked_bookings(closed, budget, *read("released", *booking_columns))
    _check_members(closures.overlapping, len(bookings.ids) + len(state.released.ids))
    if "crowded" in by_name:
        (state.crowded,) = read("crowded", resource)
        _check_ids(state.crowded, budget)
    return state


def _checked_bookings(closed: bool, budget: Budget, *columns: Any) -> Bookings:
    """Return bookings of these columns, all of them checked but the ids."""
    rows = Bookings(*columns)
    rows.keys = _check_spans(rows.keys, closed, budget)
    _check_positive(rows.quantities)
    rows.bare = not _check_fields(rows.fields)
    return rows


def _places(below: int) -> Decoder:
    """Return a decoder of numbers that are places among *below* rows."""
    return partial(decode_numbers, below=below)


def _decode_spans(data: bytes, rows: int, budget: Budget) -> KeyColumn:
    return decode_keys(data, 2 * rows, budget)


def _read_section(by_name: dict[str, Section], budget: Budget, name: str, *decoders: Decoder) -> list[Any]:
    """Return the decoded columns of a section."""
    section = by_name[name]
    head = section[0] if section else b""
    if len(head) != _HEAD.size or head[8:].rstrip(b"\0") != name.encode():
        raise Unreadable(f"section {name} is not in its place")
    if len(section) != 1 + len(decoders):
        raise Unreadable(f"section {name}: {len(section) - 1} columns, {len(decoders)} expected")
    rows = int.from_bytes(head[:8], "little")
    if rows > sum(map(len, section)):
        raise Unreadable(f"section {name}: {rows} rows in fewer bytes")
    if name == "calendar" and rows != 1:
        raise Unreadable(f"section calendar: {rows} rows, 1 expected")
    columns = []
    for number, (decode, column) in enumerate(zip(decoders, section[1:], strict=True), 1):
        try:
            columns.append(decode(column, rows, budget))
        except Unreadable as exc:
            exc.reason = f"section {name}, column {number}: {exc.reason}"
            raise
    return columns


# -- checks ------------------------------------------------------------------------------------------------
#
# A file may have been forged, so that nothing is assumed about its values. Each check looks at a whole column and
# raises `Unreadable`, and no other error, although keys and ids may be of the user's classes, whose code may raise
# any error.


def _checked_facts(facts: Any) -> tuple[str, list[str], int, int, int]:
    """Return bounds, class names, event type, last booking and last closure number from the row of the calendar."""
    (row,) = facts
    if type(row) is not tuple or tuple(map(type, row)) != (str, list, int, int, int):
        raise Unreadable("the row of the calendar has values of wrong types")
    bounds, classes, event_type, last_sequence, last_closure = row
    if bounds not in ("[)", "[]"):
        raise Unreadable(f"bounds {bounds[:8]!r}")
    if set(map(type, classes)) - {str} or len(set(classes)) != len(classes):
        raise Unreadable("class names that are no texts, or a class name twice")
    if not 0 <= event_type < len(classes) or not all(0 <= last <= _LAST_NUMBER for last in (last_sequence, last_closure)):
        raise Unreadable("an event type that is not in the file, or a number out of range")
    return bounds, classes, event_type, last_sequence, last_closure


def _check_ids(ids: Sequence[Any], budget: Budget) -> None:
    """Raise if an id is None, has no hash, or is there twice."""
    if None in _check_distinct(ids, budget):
        raise Unreadable("an id that is None")


def _name_by_number(rows: Bookings, last: int) -> None:
    """Give each booking without an id its number for one. Raises if a number is there twice, or was not given out."""
    numbers: Any = rows.numbers
    if numbers and count_up(numbers):  # then they are distinct, and most quickly read from a range
        rows.numbers = numbers = range(numbers[0], numbers[-1] + 1)
    if not _are_given(numbers, last):
        raise Unreadable("a booking with a number that is there twice, or that the calendar has not given")
    if rows.ids.count(None) == len(numbers):
        rows.ids = numbers
    else:
        rows.ids = [number if id is None else id for id, number in zip(rows.ids, numbers, strict=True)]


def _are_given(numbers: Sequence[int], last: int) -> bool:
    """Tell whether numbers from 0 are distinct, and all of them from 1 to *last*. O(n)."""
    if isinstance(numbers, range):
        return not numbers or 1 <= numbers[0] <= numbers[-1] <= last
    if last > _SPARSE * len(numbers):
        # the highest is looked at first: numbers up to `last` are no more than three of one hash
        return max(numbers, default=0) <= last and 0 not in numbers and len(set(numbers)) == len(numbers)
    met = bytearray(last + 1)  # in the processor's cache, where a set of them is not
    try:
        for number in numbers:
            met[number] = 1
    except IndexError:
        return False
    return not met[0] and met.count(1) == len(numbers)


def _check_distinct(ids: Sequence[Any], budget: Budget) -> set[Any]:
    """Raise if an id has no hash or is there twice; return the set of the ids."""
    with blaming(lambda exc: Unreadable(f"an id that cannot be hashed ({type(exc).__name__})"), Unreadable):
        budget.charge_hashes(ids)
        distinct = set(ids)
    if len(distinct) != len(ids):
        raise Unreadable("an id twice")
    return distinct


def _check_all(values: list[Any], cls: type) -> None:
    """Raise unless all values are of exactly *cls*."""
    if set(map(type, values)) - {cls}:
        raise Unreadable(f"a value that is no {cls.__name__}")


def _check_closure_ids(ids: list[Any], last_closure: int, budget: Budget) -> None:
    """Raise if an id is not one of those the calendar has given to closures, or is there twice."""
    if set(map(type, ids)) - {int} or (ids and not 0 < min(ids) <= max(ids) <= last_closure):
        raise Unreadable("a closure with an id that the calendar has not given")
    _check_ids(ids, budget)


def _check_positive(values: Sequence[int]) -> None:
    """Raise if a capacity or quantity is zero."""
    if 0 in values:
        raise Unreadable("a capacity or quantity of 0")


def _check_capacities(values: Sequence[int], budget: Budget) -> None:
    """Charge what a calendar keeps for each distinct capacity."""
    budget.charge_hashes(values)
    budget.charge_bitmaps(dict(zip(values, count(), strict=False)).values())


def _check_lengths(values: Sequence[Any], budget: Budget) -> None:
    """Raise if keys cannot be moved by one of these buffers. Charge what a calendar keeps for each distinct one."""
    lengths = list(filterfalse(partial(is_, None), values))
    if any(map(wrong_with, lengths)):
        raise Unreadable("a buffer that is no length")
    _charge_hashes(lengths, budget)
    if lengths:
        budget.charge_bitmaps({token_of(value): place for place, value in enumerate(values) if value is not None}.values())


def _check_members(members: list[Any], below: int) -> None:
    """Raise unless each row is a list of distinct places, all of them less than *below*."""
    _check_all(members, list)
    places = list(chain.from_iterable(members))
    if set(map(type, places)) - {int} or (places and not 0 <= min(places) <= max(places) < below):
        raise Unreadable("a place of a row that does not exist")
    if any(len(set(row)) != len(row) for row in members):
        raise Unreadable("a place twice in one list")


def _check_fields(fields: list[Any]) -> bool:
    """Raise unless each row is None, or a dict with texts for keys; return whether any row is a dict."""
    if not any(map(is_not, fields, repeat(None))):
        return False
    types = set(map(type, fields))
    if types - {dict, type(None)}:
        raise Unreadable("fields that are neither None nor a dict")
    if dict in types and set(map(type, chain.from_iterable(filter(None, fields)))) - {str}:
        raise Unreadable("fields whose names are no texts")
    return True


def _check_spans(keys: KeyColumn, closed: bool, budget: Budget) -> KeyColumn:
    """Raise if a key is not a point on the axis, or if a start does not come before its end.

    The keys are all starts, then all ends; with *closed* bounds a start may equal its end. Returned are the keys,
    with the index form of their table if they have one. Keys are compared in index form, since Python compares two
    datetimes of one zone by their wall clocks, which jump when the clocks change.
    """
    column = keys.values
    half, table = len(column) // 2, column.table if isinstance(column, DictionaryColumn) else None
    with blaming(lambda exc: Unreadable(f"keys that cannot be compared ({failure(exc)})"), Unreadable):
        points = column if table is None else table
        if not all(map(eq, points, points)):
            raise Unreadable("a key that does not equal itself (NaN)")
        types = set(map(type, points))
        _charge_hashes(points, budget)
        normals = points
        if not types - {type(None)} <= AS_THEY_ARE and (table is not None or _need_index_form(points, types)):
            normals = list(map(normal, points))
        starts: Any
        ends: Any
        if table is None:
            starts, ends = islice(normals, half), islice(normals, half, None)
        else:
            keys = KeyColumn(column, normals)
            starts, ends = column.places[:half], column.places[half:]
            if not (len(types) == 1 and types <= SHARED.keys() and all(map(lt, normals, islice(normals, 1, None)))):
                starts, ends = map(normals.__getitem__, starts), map(normals.__getitem__, ends)
        if type(None) in types:
            pairs = [pair for pair in zip(starts, ends, strict=True) if pair[0] is not None and pair[1] is not None]
            starts, ends = [start for start, _ in pairs], [end for _, end in pairs]
        if isinstance(starts, array):  # places, which are in the order of the keys
            in_order = are_spans(closed, starts, ends)
        else:
            in_order = not any(map(lt, ends, starts)) if closed else all(map(lt, starts, ends))
    if not in_order:
        raise Unreadable("a span that ends before it starts")
    return keys


def _charge_hashes(points: Sequence[Any], budget: Budget) -> None:
    """Charge the hashes of keys or lengths; those that have none are in no set or dict."""
    try:
        budget.charge_hashes(points)
    except (Unreadable, MemoryError):
        raise
    except Exception:  # noqa: S110 - they need no hash
        pass


def _need_index_form(points: Iterable[Any], types: set[type]) -> bool:
    """Tell whether these keys may be in another order than their index forms, or not comparable where those are.

    They are in the same order if Python's own types compare them, and every datetime, also in a tuple, has no zone or a
    fixed offset, whose wall clock never runs backwards.
    """
    if not types <= _IN_ORDER:
        return True
    tuples = [point for point in points if isinstance(point, tuple)] if types != {datetime} else []
    if types != {datetime}:
        points = [point for point in points if isinstance(point, datetime)]
    zones = set(map(type, map(_zone, points)))
    if not zones <= {type(None), timezone}:
        return True
    elements = list(chain.from_iterable(tuples))
    return bool(elements) and _need_index_form(elements, set(map(type, elements)))
