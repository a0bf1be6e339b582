"""The whole of a calendar as plain columns, and these as the sections of a snapshot.

    section     a row is        columns
    calendar    the calendar    bounds, names of classes, class that book() makes, last booking and closure number
    resources   a resource      id, class, capacity, before, after, attributes
    tags        a label         label, who has it
    rules       opening hours   the rule as plain values, who keeps it
    bookings    a booking       id, class, resource, start and end, quantity, fields
    holds       a held booking  which, until when
    expired     a hold          id, when it ran out: the last few, so that confirming one can say so
    closures    a closure       id, resource, start and end, reason, bookings that stood there
    released    a booking       as bookings: those that stood there and were released or moved since (if there are any)

Rows stand in order: resources in order of registration, bookings in order of booking. Resources, bookings and
classes are known by their place. A section's first column says which section it is and how many rows it has.
A file whose sections, counts or places do not fit is refused, as is one with an id twice or a span that is
none. Whether bookings overlap is not looked at here: the calendar that is built from the state does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bookcore.persist.codec.blob import Unreadable
from bookcore.persist.codec.columns import (
    KeyColumn,
    decode_column,
    decode_keys,
    decode_numbers,
    encode_column,
    encode_numbers,
)
from bookcore.persist.snapshot.checks import (
    check_all,
    check_closure_ids,
    check_distinct,
    check_fields,
    check_ids,
    check_lengths,
    check_members,
    check_positive,
    check_spans,
    checked_facts,
)

__all__ = [
    "Bookings",
    "Closures",
    "Expired",
    "Holds",
    "Resources",
    "Rules",
    "State",
    "Tags",
    "decode_state",
    "encode_state",
]

Section = tuple[bytes, ...]
_HEAD = struct.Struct("<Q12s")
_NAMES = "calendar", "resources", "tags", "rules", "bookings", "holds", "expired", "closures", "released"


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
    """A row for each set of opening hours, as `Hours.to_plain` tells it."""

    hours: list[Any] = field(default_factory=list)
    members: list[list[int]] = field(default_factory=list)  # places in State.resources


@dataclass(slots=True)
class Bookings:
    """A row for each booking, in order of booking."""

    ids: list[Any] = field(default_factory=list)
    kinds: Sequence[int] = ()  # places in State.classes
    resources: Sequence[int] = ()  # places in State.resources
    keys: KeyColumn = field(default_factory=lambda: KeyColumn([]))  # all starts, then all ends
    quantities: Sequence[int] = ()
    fields: list[Any] = field(default_factory=list)  # a dict, or None for none
    counted: bool = False  # the ids were read as ints that count up by one
    bare: bool = False  # no booking that was read has fields


@dataclass(slots=True)
class Holds:
    """A row for each booking that is only held."""

    bookings: Sequence[int] = ()  # places in State.bookings
    until: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Expired:
    """A row for each of the last holds that ran out."""

    ids: list[Any] = field(default_factory=list)
    until: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Closures:
    """A row for each closure, in order of closing."""

    ids: list[Any] = field(default_factory=list)
    resources: Sequence[int] = ()
    keys: KeyColumn = field(default_factory=lambda: KeyColumn([]))  # all starts, then all ends
    reasons: list[Any] = field(default_factory=list)
    overlapping: list[list[int]] = field(
        default_factory=list
    )  # places in State.bookings, and on in State.released


@dataclass(slots=True)
class State:
    """Everything a snapshot carries."""

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


def encode_state(state: State) -> list[Section]:
    """Return the sections that hold *state*.

    Raises: `Unwritable` for a value that cannot be carried.

    Complexity: O(everything); for a million bookings with integer ids and keys on the hour about 0.3 s.
    """
    who, what = state.resources, state.bookings
    closed = state.closures
    values, numbers = encode_column, encode_numbers
    facts = (state.bounds, state.classes, state.event_type, state.last_sequence, state.last_closure)
    sections = [
        _section("calendar", 1, values([facts])),
        _section(
            "resources", len(who.ids), values(who.ids), numbers(who.kinds), numbers(who.capacities),
            values(who.before), values(who.after), values(who.attributes),
        ),
        _section("tags", len(state.tags.labels), values(state.tags.labels), values(state.tags.members)),
        _section("rules", len(state.rules.hours), values(state.rules.hours), values(state.rules.members)),
        _section(
            "bookings", len(what.ids), values(what.ids), numbers(what.kinds), numbers(what.resources),
            values(what.keys.values, what.keys.cls), numbers(what.quantities), values(what.fields),
        ),
        _section("holds", len(state.holds.until), numbers(state.holds.bookings), values(state.holds.until)),
        _section("expired", len(state.expired.ids), values(state.expired.ids), values(state.expired.until)),
        _section(
            "closures", len(closed.ids), values(closed.ids), numbers(closed.resources), values(closed.keys.values),
            values(closed.reasons),
            values(closed.overlapping),
        ),
    ]  # fmt: skip
    gone = state.released
    if gone.ids:
        columns = (
            numbers(gone.kinds),
            numbers(gone.resources),
            values(gone.keys.values),
            numbers(gone.quantities),
        )
        sections.append(_section("released", len(gone.ids), values(gone.ids), *columns, values(gone.fields)))
    return sections


def decode_state(sections: Sequence[Section]) -> State:
    """Return the state that *sections* hold.

    Raises: `Unreadable`, and nothing else, for sections that `encode_state` has not made.

    Complexity: O(everything), in time and memory.
    """
    take = _Sections(sections).take
    state = State()
    _, (facts,) = take("calendar", decode_column)
    state.bounds, state.classes, state.event_type, state.last_sequence, state.last_closure = checked_facts(
        facts
    )
    kind = _places(len(state.classes))

    count, columns = take(
        "resources", decode_column, kind, decode_numbers, decode_column, decode_column, decode_column
    )  # fmt: skip
    state.resources = Resources(*columns)
    check_ids(state.resources.ids)
    check_positive(state.resources.capacities)
    check_lengths(state.resources.before)
    check_lengths(state.resources.after)
    resource = _places(count)

    _, columns = take("tags", decode_column, decode_column)
    state.tags = Tags(*columns)
    check_distinct(state.tags.labels)  # None is a label as well
    check_members(state.tags.members, count)

    _, columns = take("rules", decode_column, decode_column)
    state.rules = Rules(*columns)
    check_all(state.rules.hours, dict)
    check_members(state.rules.members, count)

    closed = state.bounds == "[]"
    bookings, (ids, *columns) = take(
        "bookings", decode_keys, kind, resource, _keys, decode_numbers, decode_column
    )
    state.bookings = what = Bookings(ids.values, *columns)
    what.counted = ids.consecutive
    if not ids.consecutive:
        check_ids(what.ids)
    what.keys = check_spans(what.keys, closed)
    check_positive(what.quantities)
    what.bare = not check_fields(what.fields)

    _, columns = take("holds", _places(bookings), decode_column)
    state.holds = Holds(*columns)
    check_ids(state.holds.bookings)

    _, columns = take("expired", decode_column, decode_column)
    state.expired = Expired(*columns)
    check_ids(state.expired.ids)

    _, columns = take("closures", decode_column, resource, _keys, decode_column, decode_column)
    state.closures = Closures(*columns)
    check_closure_ids(state.closures.ids, state.last_closure)
    check_all(state.closures.reasons, str)
    state.closures.keys = check_spans(state.closures.keys, closed)
    if len(sections) > len(_NAMES) - 1:
        gone, columns = take("released", decode_column, kind, resource, _keys, decode_numbers, decode_column)
        state.released = Bookings(*columns)
        check_spans(state.released.keys, closed)
        check_positive(state.released.quantities)
        check_fields(state.released.fields)
        bookings += gone
    check_members(state.closures.overlapping, bookings)
    return state


def _section(name: str, rows: int, *columns: bytes) -> Section:
    return (_HEAD.pack(rows, name.encode()), *columns)


def _places(below: int) -> Callable[[bytes, int], Any]:
    """Return a decoder of numbers that are places among so many things."""
    return partial(decode_numbers, below=below)


def _keys(data: bytes, rows: int) -> KeyColumn:
    return decode_keys(data, 2 * rows)


class _Sections:
    """Hands out the sections in order."""

    def __init__(self, sections: Sequence[Section]) -> None:
        if not len(_NAMES) - 1 <= len(sections) <= len(_NAMES):
            raise Unreadable(f"{len(sections)} sections where {len(_NAMES) - 1} should be")
        self._sections = dict(zip(_NAMES, sections, strict=False))  # the last is not always there

    def take(self, name: str, *decoders: Callable[[bytes, int], Any]) -> tuple[int, list[Any]]:
        """Return the number of rows and the decoded columns of a section."""
        section = self._sections[name]
        head = section[0] if section else b""
        if len(head) != _HEAD.size or head[8:].rstrip(b"\0") != name.encode():
            raise Unreadable(f"section {name} is not where it should be")
        if len(section) != 1 + len(decoders):
            raise Unreadable(f"section {name}: {len(section) - 1} columns where {len(decoders)} should be")
        rows = int.from_bytes(head[:8], "little")
        if rows > sum(map(len, section)):
            raise Unreadable(f"section {name}: {rows} rows in fewer bytes")
        if name == "calendar" and rows != 1:
            raise Unreadable("section calendar: more or less than one row")
        columns = []
        for number, (decode, column) in enumerate(zip(decoders, section[1:], strict=True), 1):
            try:
                columns.append(decode(column, rows))
            except Unreadable as exc:
                exc.reason = f"section {name}, column {number}: {exc.reason}"
                raise
        return rows, columns
