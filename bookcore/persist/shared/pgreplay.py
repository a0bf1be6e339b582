"""`Replayed`: the records of one calendar of PostgreSQL, applied anew, and what the tables should be by them.

    records  ->  one calendar, from the first record on               its digest that of each checkpoint?
             ->  temporary tables, by the statements of an append     equal to the tables? what differs is written

A calendar whose first records are not kept, because it was copied from elsewhere, begins with its oldest checkpoint. That
does not tell which bookings there were before, the place of a resource among all records, the number of a booking, since
when a resource is exclusive: these are not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import psycopg

from bookcore.engine.state import CalendarState
from bookcore.persist.errors import SnapshotDamagedError
from bookcore.persist.journal.errors import JournalDamagedError
from bookcore.persist.journal.reading import Progress, Record, blank, check_progress
from bookcore.persist.journal.records import rows_of, standing
from bookcore.persist.shared.pgerrors import refusal_of
from bookcore.persist.shared.projection import (
    BY_KEYS,
    COLUMNS,
    commands_of,
    groups_of,
    listed,
    prepare,
    written,
)
from bookcore.persist.shared.replaying import Inspection, check_record, load_checkpoint
from bookcore.persist.shared.seam import LAST, Place, Stored, records_after
from bookcore.persist.snapshot.classes import StandIns

MOST = 1000
"""How many rows of a table that differ are reported."""
_UNKNOWN = frozenset({"position", "place", "number", "exclusive"})
"""The columns of which a calendar that begins with a checkpoint does not know what they are to be."""


LACKS = "missing in the schema; `bookcore db upgrade` makes it again"
"""What a `Difference` says of a constraint or an index."""


class Difference(NamedTuple):
    """A row of a table that is not what the records say: ``missing``, ``extra``, or with the columns that differ.

    Or a constraint or an index that a table has lost, by its name: `LACKS`.
    """

    table: str
    id: str
    what: str
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.table} {self.id}: {self.what}{' in ' if self.columns else ''}{', '.join(self.columns)}"


class Replayed:
    """The records of one calendar as a transaction sees them, and temporary tables: what the tables should be by them."""

    def __init__(self, connection: Any, database: str, name: str, progress: Progress | None, tables: bool) -> None:
        check_progress(progress)
        self._connection, self.spot, self._name, self._tables = connection, database, name, tables
        ask = "SELECT bounds, origin, position, mark FROM bookcore.calendar WHERE name = %s"
        self.bounds, origin, *head = self._ask(ask)[0]
        self.origin, self._head = Place(0, origin), Place(*head)
        self._progress, self._done = progress, 0
        self._total = self._ask("SELECT coalesce(sum(length(record)), 0) FROM bookcore.change WHERE calendar = %s")[0][0]
        ask = "SELECT position FROM bookcore.checkpoint WHERE calendar = %s ORDER BY position"
        self._known = StandIns()
        self.found = Inspection(self, self._known, [position for (position,) in self._ask(ask)])
        if tables:
            self._make_tables()
        self.found.look(self._begin, LAST, self._take)
        connection.execute(BY_KEYS.format("on"))
        if not self.found.is_cut and self.found.place != self._head:
            what = f"its last record is {self.found.place.position}, and its head says {self._head.position}"
            self.found.is_cut = True
            self.found.faults.append(JournalDamagedError(database, what))

    def _ask(self, command: str, *values: Any) -> list[Any]:
        rows: list[Any] = self._connection.execute(command, (self._name, *values)).fetchall()
        return rows

    def _make_tables(self) -> None:
        for table in reversed(COLUMNS):
            self._connection.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")
        for table in COLUMNS:
            like = f"CREATE TEMP TABLE {table} (LIKE bookcore.{table}, PRIMARY KEY (calendar, id)) ON COMMIT DROP"
            self._connection.execute(like)
        self._connection.execute("CREATE INDEX ON pg_temp.booking (calendar, resource) WHERE active")
        self._connection.execute("DEALLOCATE ALL")
        self._connection.execute(prepare("pg_temp"))

    # -- records -----------------------------------------------------------------------------------

    def read(self, place: Place, most: int) -> Sequence[Stored]:
        """See `SharedJournal.read`."""
        ask = """SELECT position, mark, CASE WHEN position > %s THEN record END, NULL FROM bookcore.change
                 WHERE calendar = %s AND position >= %s ORDER BY position LIMIT %s"""
        values = place.position, self._name, place.position, most + 1
        return records_after(self.spot, place, self._connection.execute(ask, values).fetchall())

    def checkpoints(self, below: int = LAST) -> Iterator[Stored]:
        """See `SharedJournal.checkpoints`."""
        ask = """SELECT position, mark, snapshot FROM bookcore.checkpoint WHERE calendar = %s AND position < %s
                 ORDER BY position DESC LIMIT 1"""
        while found := self._ask(ask, below):
            ((below, mark, snapshot),) = found
            yield Stored(Place(below, mark), snapshot)

    def _begin(self) -> tuple[CalendarState, Place]:
        """Begin with the first record, or with the oldest checkpoint that is whole and after which all records are there."""
        found = self.found
        ask = "SELECT position, mark FROM bookcore.change WHERE calendar = %s ORDER BY position LIMIT 1"
        first = [Place(*row) for row in self._ask(ask)]
        if first == [self.origin]:
            return found.state, self.origin
        for position in found.checkpoints:
            if first and position >= first[0].position:
                checkpoint: Any = found.checkpoint(position)  # it is there: all is of one instant
                try:
                    state = load_checkpoint(blank, self.spot, self.origin, self._known, checkpoint)[1]
                    check_record(self, checkpoint.place)
                except (SnapshotDamagedError, JournalDamagedError) as exc:
                    found.faults.append(exc)
                    continue
                self._write((position, rows_of(record)) for record in standing(state, self.spot, self._known))
                return state, checkpoint.place
        what = "its first records are gone, and there is no checkpoint before the others that is whole; bring back a backup"
        raise JournalDamagedError(self.spot, what)

    def _take(self, records: Sequence[Record]) -> None:
        self._write((record.position, rows_of(record.data)) for record in records)
        self._done += sum(len(record.data) for record in records)
        if self._progress is not None:
            self._progress(self._done, self._total)

    def _write(self, records: Iterable[tuple[int, list[Any]]]) -> None:
        """Write the rows of records into the temporary tables."""
        if self._tables:
            for command, values in commands_of(groups_of(records, self.bounds), self._name, "pg_temp"):
                self._connection.execute(command, values)

    # -- tables ------------------------------------------------------------------------------------

    def _differing(self, table: str) -> str:
        """Return a query of the rows that differ: id, whether they are missing or extra, and the columns that differ."""
        columns = [column for column in COLUMNS[table] if not (self.found.begins and column in _UNKNOWN)]
        differ = ", ".join(f"CASE WHEN e.{column} IS DISTINCT FROM t.{column} THEN '{column}' END" for column in columns)
        known = "AND (e.id IS NOT NULL OR t.active)" if self.found.begins else ""
        return f"""
            SELECT coalesce(e.id, t.id) AS id, t.id IS NULL AS missing, e.id IS NULL AS extra,
                   array_remove(ARRAY[{differ}], NULL) AS columns
            FROM pg_temp.{table} e FULL JOIN (SELECT * FROM bookcore.{table} WHERE calendar = %(name)s) t ON e.id = t.id
            WHERE ({listed(columns, "e.")}) IS DISTINCT FROM ({listed(columns, "t.")}) {known}"""

    def differences(self) -> Iterator[Difference]:
        """Yield the rows of the tables that are not what the records say."""
        for table in COLUMNS:
            ask = f"{self._differing(table)} ORDER BY 1 LIMIT {MOST}"
            for id, missing, extra, columns in self._connection.execute(ask, {"name": self._name}).fetchall():
                what = "missing" if missing else "extra" if extra else "differs"
                yield Difference(table, str(id), what, () if missing or extra else tuple(columns))

    def write_differences(self) -> int:
        """Make the tables what the records say; return how many rows were changed."""
        execute, name, count = self._connection.execute, {"name": self._name}, 0
        for table, columns in COLUMNS.items():
            execute(f"CREATE TEMP TABLE differing_{table} ON COMMIT DROP AS {self._differing(table)}", name)
            there = f"calendar = %(name)s AND id IN (SELECT id FROM differing_{table}"
            # nothing that goes away is to refuse what comes
            execute(f"UPDATE bookcore.{table} SET active = false WHERE {there})", name)
            taken = listed(columns, "EXCLUDED.")
            insert = (
                f"INSERT INTO bookcore.{table} (calendar, id, {listed(columns)}) SELECT calendar, id, {listed(columns)} "
                f"FROM pg_temp.{table} WHERE {there} WHERE NOT extra) "
                f"ON CONFLICT (calendar, id) DO UPDATE SET ({listed(columns)}) = ROW({taken})"
            )
            rows = f"(SELECT count(*) FROM differing_{table} WHERE NOT extra)"
            count += execute(written(insert, rows), name).fetchone()[0]
        for table in reversed(COLUMNS):
            there = f"calendar = %(name)s AND id IN (SELECT id FROM differing_{table} WHERE extra)"
            count += execute(f"DELETE FROM bookcore.{table} WHERE {there}", name).rowcount
            execute(f"DROP TABLE differing_{table}")
        return count


def write_tables(connection: Any, database: str, name: str, progress: Progress | None = None) -> int:
    """Make the tables of a calendar what its records say, in a transaction of the caller; return how many rows changed.

    Raises: `JournalDamagedError`, `RefereeError`, and what psycopg raises.
    """
    connection.execute("SELECT 1 FROM bookcore.calendar WHERE name = %s FOR NO KEY UPDATE", (name,))
    replayed = Replayed(connection, database, name, progress, True)
    for fault in replayed.found.faults:
        raise fault
    resources = [id for (id,) in connection.execute("SELECT id FROM pg_temp.resource").fetchall()]
    try:
        changed = replayed.write_differences()
        connection.execute("DEALLOCATE ALL")
        return changed
    except psycopg.errors.IntegrityError as exc:
        refusal = refusal_of(exc, database, name, resources)
        if refusal is None:
            raise
        raise refusal from exc
