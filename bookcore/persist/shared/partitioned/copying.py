"""Copies of calendars in partitions: their states put together into one, and one state taken apart.

    partitions  ->  what makes each of them (`standing`)  ->  in one order          ->  one state
    one state   ->  what makes it                         ->  by partition          ->  a state for each, a directory

Ids and numbers of bookings and closures stay what they are; the numbers that each partition gives next are new ones. All
partitions are written in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import psycopg

from bookcore.engine.engine import Engine
from bookcore.engine.state import CalendarState
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource
from bookcore.persist.codec.columns import encode_column
from bookcore.persist.journal.errors import UnknownOutcomeError
from bookcore.persist.journal.reading import Asked, Make, blank
from bookcore.persist.journal.records import Kind, Replay, rows_of, standing
from bookcore.persist.shared.partitioned.division import Claims, first_number, key_of
from bookcore.persist.shared.partitioned.opening import heads_of, open_part_past
from bookcore.persist.shared.partitioned.parts import DIRECTORY
from bookcore.persist.shared.partitioned.routing import partition_of
from bookcore.persist.shared.pgconnection import connected
from bookcore.persist.shared.pgerrors import error_of
from bookcore.persist.shared.pgschema import Address
from bookcore.persist.shared.postgres import PostgresJournal
from bookcore.persist.shared.replaying import beginning
from bookcore.persist.snapshot.save_load import load_bytes

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
    found: list[list[Any]] = [[], [], [], []]  # resources, bookings, capacities, closures
    for state in states:
        for row in _rows(state, path, known):
            found[_STAGES[row[0]]].append(row)
    resources, bookings, capacities, closures = found
    bookings.sort(key=lambda row: row[2])  # by their numbers, which are different in all partitions
    resources.sort(key=lambda row: (place_of[row[1]], row[0] != Kind.RESOURCE_ADDED))
    closures.sort(key=lambda row: row[1])
    whole = _made_of(make, states[0], [*resources, *bookings, *capacities, *closures], known)
    for state in states:
        whole.holds.expired.update(state.holds.expired)
    whole.ledger.last = max(whole.ledger.last, *(state.ledger.last for state in states))
    whole.closures.last_id = max(state.closures.last_id for state in states)
    return whole


def take_apart(
    make: Make[CalendarState], whole: CalendarState, count: int, path: str, known: dict[str, type]
) -> list[CalendarState]:
    """Return the states of so many partitions."""
    groups: list[list[Any]] = [[] for _ in range(count)]
    for row in _rows(whole, path, known):
        groups[partition_of(row[_WHERE[row[0]]], count)].append(row)
    states = [_made_of(make, whole, rows, known) for rows in groups]
    states[0].holds.expired.update(whole.holds.expired)
    last = max(whole.ledger.last, whole.closures.last_id)
    for number, state in enumerate(states):
        state.ledger.last = state.closures.last_id = first_number(number, last)
    return states


def _rows(state: CalendarState, path: str, known: dict[str, type]) -> Iterator[Any]:
    for record in standing(state, path, known):
        yield from rows_of(record)


def _made_of(make: Make[CalendarState], like: CalendarState, rows: Iterable[Any], known: dict[str, type]) -> CalendarState:
    _, state = make(like.bounds, like.event_type)
    replay, left = Replay(state, known), iter(rows)
    while some := list(islice(left, AT_ONCE)):
        state.gate.run(replay.apply, encode_column(some))
    return state


def write_partitions(
    make: Make[CalendarState], address: str, whole: CalendarState, position: int, known: dict[str, type], timeout: float,
    verify: Callable[[CalendarState, CalendarState], None],
) -> None:  # fmt: skip
    """Write a calendar into partitions, all or nothing.

    *verify* is called with what was written of each and what reads back, before the commit.

    Raises: `JournalError`, also if there is a calendar of that name.
    """
    where = Address.of(address)
    states = take_apart(make, whole, where.partitions or 0, address, known)
    order = [record.id for record in whole.registry.in_order()]
    is_written = False
    try:
        with connected(where.server, timeout) as connection, connection.transaction():
            write = partial(_write, connection, make, known, position, timeout, verify)
            write(address, _directory(whole, order))
            for number, state in enumerate(states):
                write(f"{address}&partition={number}", state)
                _claim(connection, where.whole, number, state)
            is_written = True
    except psycopg.Error as exc:
        if is_written and connection.closed:
            what = "the connection broke while the copy was made; if it is there, it is whole: copy again, which tells"
            raise UnknownOutcomeError(where.name, what) from exc
        raise error_of(exc, where.name, "cannot be written", timeout) from exc


def _directory(like: CalendarState, order: Iterable[Any]) -> CalendarState:
    state = blank(like.bounds, BookingEvent)[1]
    engine = Engine(state)
    for id in order:
        state.gate.run(engine.add_resource, Resource(id), None, None, None, None)
    return state


def _write(
    connection: Any, make: Make[CalendarState], known: dict[str, type], position: int, timeout: float,
    verify: Callable[[CalendarState, CalendarState], None], place: str, state: CalendarState,
) -> None:  # fmt: skip
    """Write one of the calendars, in the transaction of the caller."""
    name = Address.of(place).name

    def read_back(found: bytes) -> None:
        verify(state, load_bytes(make, name, known, found)[1])

    records = partial(standing, state, name, known)
    begin = beginning(state, name, position, verify=read_back, records=records)
    PostgresJournal(place, timeout=timeout, begin=begin, opened_by=connection).close()


def _claim(connection: Any, divided: str, number: int, state: CalendarState) -> None:
    """Note the ids of all bookings of a partition, which were not given by it as it is now."""
    ids = (state.ledger.id_of(seq) for seq in state.ledger.owners)
    while some := list(islice(ids, AT_ONCE)):
        claims = Claims()
        claims.taken.extend((number, key_of(id)) for id in some)
        connection.execute(*claims.command(divided, few=0))
