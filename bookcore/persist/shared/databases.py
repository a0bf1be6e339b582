"""The databases that calendars are in: making them, bringing them up to a newer schema, checking and repairing them.

A check sees the database at one instant, while others write it; `bookcore.persist.shared.pgreplay` has what is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from bookcore.engine.state import CalendarState
from bookcore.persist.journal.errors import JournalDamagedError, JournalError, other_bounds
from bookcore.persist.journal.reading import Asked, Progress
from bookcore.persist.shared.address import place_text
from bookcore.persist.shared.partitioned.division import agree, first_number, is_divided, whole_faults
from bookcore.persist.shared.partitioned.merging import digest_of
from bookcore.persist.shared.pgconnection import SESSION, options_of
from bookcore.persist.shared.pgerrors import error_of
from bookcore.persist.shared.pgreplay import LACKS, Difference, Replayed, write_tables
from bookcore.persist.shared.pgschema import (
    UNFINISHED,
    VERSION,
    Address,
    add_tables,
    calendars_there,
    check_version,
    lacking_parts,
    make_schema,
    version_of,
)
from bookcore.persist.shared.postgres import PostgresJournal
from bookcore.persist.shared.replaying import empty
from bookcore.persist.shared.seam import Checked, Upgraded

TIMEOUT = 10.0
"""For how many seconds a server is waited for that does not answer, or is gone; not for what takes the server long."""


def init(address: str, *, bounds: str | None = None) -> str:
    """Make the schema, the tables and the calendar that an address names, unless they are there; return its name.

    A program whose user may not make tables opens the calendar after that. Raises: `JournalError`, `QueryError`.
    """
    address = place_text(address)
    where, asked = Address.of(address), Asked.of(bounds)
    places = {address: 0 if where.partition is None else first_number(where.partition)}
    if where.is_directory:
        places |= {f"{address}&partition={number}": first_number(number) for number in range(where.partitions or 0)}
    for place, last in places.items():
        begin = empty(where.name, asked, last)
        with closing(PostgresJournal(place, timeout=TIMEOUT, begin=begin)) as journal:
            if bounds not in (None, journal.bounds):
                raise other_bounds(where.name, journal.bounds, bounds)
    return where.name


def is_there(address: str) -> bool:
    """Tell whether the calendar that an address names is there. Raises: `JournalError`."""
    where = Address.of(address)
    with _connected(where, "cannot be read") as connection:
        ask = "SELECT 1 FROM bookcore.calendar WHERE name = %s AND format <> %s"
        return bool(version_of(connection)) and connection.execute(ask, (where.row, UNFINISHED)).fetchone() is not None


def upgrade(address: str, *, progress: Progress | None = None) -> Upgraded:
    """Bring a database to the schema of this version, and give its calendars tables if they have none.

    Constraints and indexes that tables have lost, as `check` tells, are made again.
    All calendars, or the one that the address names; with ``tables=no`` none. All or nothing: commands of others wait
    meanwhile. Raises: `JournalError`, `JournalVersionError` for a newer schema, `MissingExtensionError`, `RefereeError`.
    Complexity: linear in the records.
    """
    where = Address.of(address)
    with _connected(where, "was not brought up to date") as connection, connection.transaction():
        was = _check_there(connection, where)
        made = make_schema(connection, where.name, upgrade=True)
        restored = tuple(map(".".join, made)) if was == VERSION else ()
        calendars = _calendars(connection, where, None if where.calendar is None else _meant(connection, where))
        lacking = [name for name, tables in calendars if not tables and is_divided(connection, name) is None]
        if where.tables is False or not lacking:
            return Upgraded(was, VERSION, (), restored)
        add_tables(connection, where.name)
        for name in lacking:
            connection.execute("UPDATE bookcore.calendar SET tables = true WHERE name = %s", (name,))
            write_tables(connection, where.name, name, progress)
        return Upgraded(was, VERSION, tuple(lacking), restored)


def rebuild(address: str, *, progress: Progress | None = None) -> int:
    """Make the tables of a calendar what its records say, and return how many rows were changed.

    Rows that are right stay, so that rows of other tables may refer to them. Commands of others wait meanwhile.
    Raises: `JournalError`, also where a row that has to go is referred to; `JournalDamagedError` for the records;
    `RefereeError` if the records themselves have bookings that overlap. Complexity: linear in the records.
    """
    where = Address.of(address)
    with _connected(where, "its tables were not rebuilt") as connection, connection.transaction():
        check_version(where.name, _check_there(connection, where))
        changed = 0
        for name, tables in _calendars(connection, where, _meant(connection, where)):
            if not tables:
                raise JournalError(where.name, "its calendar has no tables; `bookcore db upgrade` adds them")
            changed += write_tables(connection, where.name, name, progress)
        return changed


def check(address: str, *, progress: Progress | None = None) -> Checked:
    """See `bookcore.persist.shared.checking.check`, which takes every address."""
    where = Address.of(address)
    with _connected(where, "cannot be read") as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        check_version(where.name, _check_there(connection, where))
        parts = [Difference(*part, LACKS) for part in lacking_parts(connection)]
        checked: list[Checked] = []
        states: list[CalendarState] = []
        names = [*([where.row] if where.is_directory else ()), *_meant(connection, where)]
        for name, tables in _calendars(connection, where, names):
            replayed = Replayed(connection, where.name, name, progress, tables)
            found = replayed.found
            compared = tables and not found.is_cut
            differences = (*(() if checked else parts), *(replayed.differences() if compared else ()))
            states.append(found.state)
            checked.append(found.checked(where.name, name, has_tables=tables, compared=compared, differences=differences))
        return checked[0] if len(checked) == 1 else _together(checked, whole_faults(connection, where, states))


def _together(checked: list[Checked], faults: list[JournalDamagedError]) -> Checked:
    """Return what was found in the directory and the partitions of a calendar."""
    whole, *parts = checked
    return whole._replace(
        records=sum(each.records for each in checked),
        position=tuple(part.position for part in parts),  # type: ignore[misc]  # each is a number
        digest=digest_of(enumerate(part.digest for part in parts)),
        checkpoints=tuple(position for each in checked for position in each.checkpoints),
        has_tables=all(part.has_tables for part in parts),
        faults=(*(fault for each in checked for fault in each.faults), *faults),
        differences=tuple(difference for each in checked for difference in each.differences),
        compared=all(part.compared for part in parts),
    )


def _meant(connection: Any, where: Address) -> list[str]:
    """Return the name of the calendar that an address means, or those of its partitions. Raises: as `agree`."""
    agree(connection, where, create=False)
    if not where.is_directory:
        return [where.row]
    return [f"{where.whole}/{number}" for number in range(where.partitions or 0)]


@contextmanager
def _connected(where: Address, what: str) -> Iterator[Any]:
    """Give a connection, which waits as long as the server works; what that raises is raised as an error of ours."""
    try:
        with psycopg.connect(**options_of(where.server, TIMEOUT)) as connection:
            connection.execute(SESSION)
            yield connection
    except psycopg.Error as exc:
        raise error_of(exc, where.name, what, 0) from exc


def _check_there(connection: Any, where: Address) -> int:
    """Return the version of the schema. Raises: `JournalError` if there is none."""
    version = version_of(connection)
    if not version:
        raise JournalError(where.name, "there is no calendar in it; `bookcore db init` makes one")
    return version


def _calendars(connection: Any, where: Address, names: list[str] | None) -> list[tuple[str, bool]]:
    """Return the names of calendars, and whether they have tables: of these, in this order, or of all.

    Raises: `JournalError` for one that is not there, or not wholly.
    """
    ask = "SELECT name, tables, format FROM bookcore.calendar WHERE "
    ask += "format <> %(unfinished)s" if names is None else "name = ANY(%(names)s)"
    given = {"names": names, "unfinished": UNFINISHED}
    calendars: dict[str, bool] = {}
    for name, tables, version in connection.execute(f"{ask} ORDER BY name", given).fetchall():
        check_version(where.name, version)
        calendars[name] = tables
    for name in names or ():
        if name not in calendars:
            raise JournalError(where.name, f"there is no calendar {name!r} in it; {calendars_there(connection)}")
    return [(name, calendars[name]) for name in (calendars if names is None else names)]
