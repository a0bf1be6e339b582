"""Copies of calendars in partitions: their states put together into one, and one state taken apart.

    partitions  ->  what makes each of them (`standing`)  ->  in one order          ->  one state
    one state   ->  what makes it                         ->  by partition          ->  a state for each, a directory

Ids and numbers of bookings and closures stay what they are; the numbers that each partition gives next are new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from bookcore.engine.engine import Engine
from bookcore.engine.state import CalendarState
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource
from bookcore.persist.codec.columns import encode_column
from bookcore.persist.journal.reading import Asked, Make, blank
from bookcore.persist.journal.records import Kind, Replay, rows_of, standing
from bookcore.persist.shared.partitioned.division import Claims, first_number, key_of
from bookcore.persist.shared.partitioned.opening import heads_of, open_part_past
from bookcore.persist.shared.partitioned.parts import DIRECTORY
from bookcore.persist.shared.partitioned.routing import partition_of
from bookcore.persist.shared.pgschema import Address

AT_ONCE = 1000
"""How many rows are applied in one record, and how many ids are written in one statement."""
_STAGES = {Kind.RESOURCE_ADDED: 0, Kind.HOURS_SET: 0, Kind.BOOKED: 1, Kind.CAPACITY_SET: 2, Kind.CLOSED: 3}
_WHERE = {Kind.RESOURCE_ADDED: 1, Kind.HOURS_SET: 1, Kind.BOOKED: 1, Kind.CAPACITY_SET: 1, Kind.CLOSED: 2}
"""Where in a row the id of its resource is."""


def read_partitions(
    make: Make[CalendarState], address: str, known: dict[str, type], timeout: float
) -> tuple[CalendarState, int]:
    """Return what all partitions have at one instant, put together, and the position of a copy.

    Raises: `JournalError`, `SnapshotError`.
    """
    positions = heads_of(address, range(Address.of(address).partitions or 0), timeout)
    directory, *states = (
        open_part_past(blank if number == DIRECTORY else make, address, number, position, known, Asked(), timeout)[0]
        for number, position in positions.items()
    )
    order = [record.id for record in directory.registry.in_order()]
    return put_together(make, states, order, address, known), max(positions.values())


def put_together(
    make: Make[CalendarState], states: Sequence[CalendarState], order: Sequence[Any], path: str, known: dict[str, type]
) -> CalendarState:
    """Return one state of several, whose resources are in this order."""
    place_of = {id: place for place, id in enumerate(order)}
    stages: list[list[Any]] = [[], [], [], []]  # resources, bookings, capacities, closures
    for state in states:
        for row in _rows(state, path, known):
            stages[_STAGES[row[0]]].append(row)
    resources, bookings, capacities, closures = stages
    bookings.sort(key=lambda row: row[2])  # by their numbers, which are different in all partitions
    resources.sort(key=lambda row: (place_of[row[1]], row[0] != Kind.RESOURCE_ADDED))
    closures.sort(key=lambda row: row[1])
    whole = _made_of(make, states[0], [*resources, *bookings, *capacities, *closures], known)
    for state in states:
        whole.remember_expired(state.holds.expired)
    last = max(whole.ledger.last, *(state.ledger.last for state in states))
    whole.number_after(last, max(state.closures.last_id for state in states))
    return whole


def take_apart(
    make: Make[CalendarState], whole: CalendarState, count: int, path: str, known: dict[str, type]
) -> list[CalendarState]:
    """Return the states of so many partitions."""
    groups: list[list[Any]] = [[] for _ in range(count)]
    for row in _rows(whole, path, known):
        groups[partition_of(row[_WHERE[row[0]]], count)].append(row)
    states = [_made_of(make, whole, rows, known) for rows in groups]
    states[0].remember_expired(whole.holds.expired)
    last = max(whole.ledger.last, whole.closures.last_id)
    for number, state in enumerate(states):
        first = first_number(number, last)
        state.number_after(first, first)
    return states


def _rows(state: CalendarState, path: str, known: dict[str, type]) -> Iterator[Any]:
    for record in standing(state, path, known):
        yield from rows_of(record)


def _made_of(make: Make[CalendarState], like: CalendarState, rows: Iterable[Any], known: dict[str, type]) -> CalendarState:
    _, state = make(like.bounds, like.event_type)
    replay, left = Replay(state, known), iter(rows)
    while chunk := list(islice(left, AT_ONCE)):
        state.gate.run(replay.apply, encode_column(chunk))
    return state


def parts_of(
    make: Make[CalendarState], address: str, whole: CalendarState, known: dict[str, type]
) -> tuple[dict[str, CalendarState], Callable[[Any], None]]:
    """Return what a copy into partitions consists of, for `bookcore.persist.shared.pgcopying.write`: states, and the ids."""
    where = Address.of(address)
    states = take_apart(make, whole, where.partitions or 0, address, known)
    order = [record.id for record in whole.registry.in_order()]
    parts = {address: _directory(whole, order)}
    parts |= {f"{address}&partition={number}": state for number, state in enumerate(states)}
    return parts, partial(_claim_all, where.whole, states)


def _directory(like: CalendarState, order: Iterable[Any]) -> CalendarState:
    state = blank(like.bounds, BookingEvent)[1]
    engine = Engine(state)
    for id in order:
        state.gate.run(engine.add_resource, Resource(id), None, None, None, None)
    return state


def _claim_all(divided: str, states: Iterable[CalendarState], connection: Any) -> None:
    """Note the ids of all bookings, in place of those of a copy that was cut off."""
    connection.execute("DELETE FROM bookcore.booking_id WHERE calendar = %s", (divided,))
    for number, state in enumerate(states):
        _claim(connection, divided, number, state)


def _claim(connection: Any, divided: str, number: int, state: CalendarState) -> None:
    """Note the ids of all bookings of a partition, which were not given by it as it is now."""
    ids = (state.ledger.id_of(seq) for seq in state.ledger.owners)
    while chunk := list(islice(ids, AT_ONCE)):
        claims = Claims()
        claims.taken.extend((number, key_of(id)) for id in chunk)
        connection.execute(*claims.command(divided, few=0))
