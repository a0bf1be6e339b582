"""Copies written into PostgreSQL, of a calendar or of all parts of a divided one: a call goes on with one that was cut off.

    begin     rows of the calendars, first records, checkpoints, which are read back and verified     one transaction
    write     the tables for programs that speak SQL, some thousand rows at a time                    one for each
    finish    the format of the calendars, when the rows have been counted                            one transaction

What takes long is the tables: their constraints check each row. Until the end, the format is `UNFINISHED`, so that nothing
opens what is there. The calendar alone decides in which order rows come, and each is active from then on, so the number of
active rows tells which one is next.

A call that finds an unfinished copy goes on with it if its checkpoints are what is to be written. If they are not, because
the source has changed, what was written is removed, and the call begins anew; resources stay in the tables, not active: for
each that is removed, the server would look through all bookings for one that refers to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg

from bookcore.engine.state import CalendarState
from bookcore.model.errors import SnapshotError
from bookcore.persist.journal.errors import JournalDamagedError, JournalError, UnknownOutcomeError
from bookcore.persist.journal.reading import Progress
from bookcore.persist.journal.records import rows_of, standing
from bookcore.persist.shared.address import shown
from bookcore.persist.shared.partitioned.division import agree
from bookcore.persist.shared.pgconnection import connected, doubts_of
from bookcore.persist.shared.pgerrors import error_of
from bookcore.persist.shared.pgschema import UNFINISHED, VERSION, Address, has_tables, version_of
from bookcore.persist.shared.postgres import PostgresJournal
from bookcore.persist.shared.projection import NEW_ROWS, Group, commands_of, groups_of, prepare
from bookcore.persist.shared.replaying import beginning

Verify = Callable[[CalendarState, bytes], object]
"""Raises `JournalDamagedError` or `SnapshotError` unless a snapshot is that of a calendar."""

_MADE_BY = 0x424B4350
"""What the advisory lock of a copy is made of, besides the name of the calendar."""
_SET = "UPDATE bookcore.calendar SET format = %s WHERE name = ANY(%s)"
_FORGET = "DELETE FROM bookcore.checkpoint WHERE calendar = ANY(%s)"
"""What keeps an unfinished copy from being gone on with."""
_ACTIVE = "SELECT " + ", ".join(
    f"(SELECT count(*) FROM bookcore.{table} WHERE calendar = %(row)s AND active)"
    for table in ("resource", "booking", "closure")
)
_SOME = "SELECT calendar, id FROM bookcore.{} WHERE calendar = ANY(%s){} LIMIT 20000"
_CLEAR = (
    f"DELETE FROM bookcore.booking WHERE (calendar, id) IN ({_SOME.format('booking', '')})",
    f"DELETE FROM bookcore.closure WHERE (calendar, id) IN ({_SOME.format('closure', '')})",
    f"UPDATE bookcore.resource SET active = false WHERE (calendar, id) IN ({_SOME.format('resource', ' AND active')})",
)
"""What removes some rows of a copy that is not gone on with: not all at once, because the server says nothing meanwhile."""


def write(
    states: Mapping[str, CalendarState], position: int, known: dict[str, type], timeout: float, verify: Verify,
    progress: Progress, claim: Callable[[Any], object] = bool,
) -> int:  # fmt: skip
    """Write calendars, by their addresses, of which the first is that of the whole; return how many rows were there already.

    All are there at the end, or none is. *progress* is called with the number of rows in the tables, and that of all.
    *claim* is called with the connection in the transaction in which all begin.

    Raises: `JournalError`, also if there is a calendar of that name; what *verify* raises; `UnknownOutcomeError` where the
    connection broke at the last commit, or a standby did not get that in time.
    """
    parts = {Address.of(address): state for address, state in states.items()}
    where, rows = next(iter(parts)), [part.row for part in parts]
    try:
        with connected(where.server, timeout) as connection:
            ask = "SELECT pg_try_advisory_lock(hashtextextended(%s, %s))"
            if not connection.execute(ask, (where.whole, _MADE_BY)).fetchone()[0]:
                raise JournalError(where.name, "another copy to this place is being made; wait for its end, or name another")
            unfinished = _unfinished(connection, rows)
            if unfinished:
                agree(connection, where, create=False)
                if not _is_there(connection, parts, position, verify):
                    _clear(connection, unfinished)
                    unfinished = []
            if not unfinished:
                _begin(connection, states, rows, position, timeout, verify, claim)
            try:
                before = _write_tables(connection, parts, position, known, progress)
            except (psycopg.IntegrityError, JournalDamagedError):  # there are other rows: the next call is not to go on
                connection.execute(_FORGET, (rows,))
                raise
            _finish(connection, where, rows, timeout)
            return before
    except psycopg.Error as exc:
        raise error_of(exc, where.name, "cannot be written", timeout) from exc


def _marks(connection: Any, rows: list[str], version: int, lock: str = "") -> list[Any]:
    """Return the names of those calendars that have a format, and the marks that tell them from others of their names."""
    ask = "SELECT name, origin FROM bookcore.calendar WHERE name = ANY(%s) AND format = %s ORDER BY name" + lock
    marks: list[Any] = connection.execute(ask, (rows, version)).fetchall()
    return marks


def _unfinished(connection: Any, rows: list[str]) -> list[str]:
    """Return the names of those calendars of which there is an unfinished copy."""
    return [name for name, _ in _marks(connection, rows, UNFINISHED)] if version_of(connection) == VERSION else []


def _is_there(connection: Any, parts: Mapping[Address, CalendarState], position: int, verify: Verify) -> bool:
    """Tell whether the unfinished copy that is there is one of these states."""
    ask = """SELECT c.position, c.tables, k.snapshot FROM bookcore.calendar c JOIN bookcore.checkpoint k ON calendar = name
             WHERE name = %s AND format = %s"""
    with suppress(JournalDamagedError, SnapshotError):  # also of a source that had classes which this one has not
        for part, state in parts.items():
            row = connection.ask(ask, (part.row, UNFINISHED))
            if [each[:2] for each in row] != [(position, part.keeps_tables)]:
                return False
            verify(state, row[0][2])
        return True
    return False


def _clear(connection: Any, unfinished: list[str]) -> None:
    """Remove what there is of an unfinished copy. O(rows)."""
    connection.execute(_FORGET, (unfinished,))
    for command in _CLEAR if has_tables(connection) else ():
        while connection.execute(command, (unfinished,)).rowcount:
            pass
    connection.execute("DELETE FROM bookcore.change WHERE calendar = ANY(%s)", (unfinished,))


def _begin(
    connection: Any, states: Mapping[str, CalendarState], rows: list[str], position: int, timeout: float, verify: Verify,
    claim: Callable[[Any], object],
) -> None:  # fmt: skip
    """Make the calendars, without the rows of their tables, as unfinished ones. All or nothing."""
    with connection.transaction():
        for address, state in states.items():
            begin = beginning(state, shown(address), position, verify=partial(verify, state))
            PostgresJournal(address, timeout=timeout, begin=begin, opened_by=connection).close()
        claim(connection)
        connection.execute(_SET, (UNFINISHED, rows))


def _write_tables(
    connection: Any, parts: Mapping[Address, CalendarState], position: int, known: dict[str, type], progress: Progress
) -> int:
    """Write the rows that the tables lack; return how many they had. Raises: `JournalDamagedError` if others come of it."""
    with_tables = {part: state for part, state in parts.items() if part.keeps_tables}
    if not with_tables:
        progress(1, 1)
        return 0
    there = {part: sum(_active(connection, part)) for part in with_tables}
    wanted = {
        part: (len(state.registry), len(state.ledger), len(state.closures.by_id)) for part, state in with_tables.items()
    }
    done = before = sum(there.values())
    total = sum(map(sum, wanted.values()))

    def note(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, total)

    note(0)
    connection.execute(prepare("bookcore"))
    for part, state in with_tables.items():
        records = ((position, rows_of(record)) for record in standing(state, part.name, known))
        for command in commands_of(_left(groups_of(records, state.bounds), there[part], note), part.row):
            connection.execute(*command)
        if (counts := _active(connection, part)) != wanted[part]:
            what = f"its tables have {counts} resources, bookings and closures, where {wanted[part]} were written"
            raise JournalDamagedError(part.name, f"{what}: leave them to bookcore, and copy again, which begins anew")
    return before


def _finish(connection: Any, where: Address, rows: list[str], timeout: float) -> None:
    """Make calendars of what was unfinished. Raises: `UnknownOutcomeError`, psycopg.Error."""
    marks = _marks(connection, rows, UNFINISHED)
    try:
        with doubts_of(connection) as doubts:
            connection.execute(_SET, (VERSION, rows))
    except psycopg.Error as exc:
        if not connection.closed:
            raise
        with suppress(psycopg.Error), connected(where.server, timeout) as again, doubts_of(again) as doubts:
            # the commit of a lock waits for a standby as well
            if _marks(again, rows, VERSION, " FOR NO KEY UPDATE") == marks and not doubts:
                return
        what = "the connection broke while the copy was made; if it is there, it is whole: copy again, which tells"
        raise UnknownOutcomeError(where.name, what) from exc
    if doubts:
        what = f"the copy is there and whole, and may be lost with its server ({doubts[0]})"
        raise UnknownOutcomeError(where.name, f"{what}; `barrier` of the calendar returns when the standby has it")


def _active(connection: Any, part: Address) -> tuple[int, ...]:
    """Return how many resources, bookings and closures of a calendar are active in the tables."""
    counts: tuple[int, ...] = connection.execute(_ACTIVE, {"row": part.row}).fetchone()
    return counts


def _left(groups: Iterable[Group], there: int, note: Callable[[int], object]) -> Iterator[Group]:
    """Yield what is left of groups when so many rows that make a row active have been written; *note* those that follow."""
    for statement, rows in groups:
        if statement in NEW_ROWS:
            rest = rows[there:]
            there -= len(rows) - len(rest)
            note(len(rest))
        else:  # the same again changes nothing
            rest = [] if there else rows
        if rest:
            yield Group(statement, rest)
