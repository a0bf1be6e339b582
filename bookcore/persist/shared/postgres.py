"""`PostgresJournal`: a PostgreSQL database that the processes of many machines share.

What it has is in `bookcore.persist.shared.pgschema`. The tables for programs that speak SQL are written in the transaction
of the record, unless the calendar was made without.

A process that appends locks the row of its calendar; that is the order. One exchange with the server locks it and reads its
head and the new records, one writes and commits. An append in the hope that nothing is new is one exchange, which fails if
the head has moved or is locked. A commit notifies the channel ``bookcore`` of the calendar and the position, so no process
polls, but on a standby, which sends no notifications.

The time of a record is that of the server's clock when it was written, before its commit; never before that of the last one.

When a connection breaks, the next call makes a new one, and reads on from the place that memory has. If it broke while a
change was committed, it is not known whether it was: `UnknownOutcomeError`; the next call reads it if it was.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from time import monotonic, time
from typing import Any, NamedTuple

import psycopg

from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalReplacedError,
    UnknownOutcomeError,
)
from bookcore.persist.journal.records import rows_of
from bookcore.persist.shared import pgconnection
from bookcore.persist.shared.partitioned.division import Claims, agree, claims_of
from bookcore.persist.shared.pgconnection import LONGEST, connected, doubts_of, has_said, is_usable
from bookcore.persist.shared.pgerrors import error_of, refusal_of
from bookcore.persist.shared.pgschema import (
    UNFINISHED,
    VERSION,
    Address,
    add_tables,
    calendars_there,
    check_version,
    make_schema,
    version_of,
)
from bookcore.persist.shared.projection import BY_KEYS, Group, commands_of, groups_of, prepare, written
from bookcore.persist.shared.seam import (
    FORKED,
    NONE_MADE,
    Beginning,
    Place,
    SharedJournal,
    Stored,
    after,
    check_snapshot,
    records_after,
)

_IN_PLACE = f"""(name) DO UPDATE SET (format, bounds, origin, position, mark, tables) = ROW(
    EXCLUDED.format, EXCLUDED.bounds, EXCLUDED.origin, EXCLUDED.position, EXCLUDED.mark, EXCLUDED.tables)
WHERE calendar.format = {UNFINISHED}
"""
"""Has a copy take the place of one that was cut off."""
SLOWEST = 1_000_000
"""How many bytes a second a server takes at least: it says nothing while it stores what was sent."""
LISTENING = 0.25
"""How many seconds a thread listens before it looks whether the calendar was closed."""
ASKING, POLLING = 0.5, 0.02
"""After how many seconds a thread that waits asks the server, should a notification be lost; a standby sends none."""
# The server refuses a prepared statement for ever once the types of what it returns are others, as of columns that an
# administrator has altered. So these statements say the types.
_READ = """
    SELECT position::bigint, mark::bigint, CASE WHEN position > {position} THEN record::bytea END,
        (extract(epoch FROM time) * 1000000)::bigint
    FROM bookcore.change WHERE calendar = {name} AND position >= {position} ORDER BY change.position LIMIT {most}
"""
_READ_ALONE = _READ.format(name="%(name)s", position="%(position)s::bigint", most="%(most)s::bigint")
_PREPARED = """
PREPARE bookcore_lock (text) AS
    SELECT position::bigint, mark::bigint, extract(epoch FROM clock_timestamp())::float8, tables::boolean
    FROM bookcore.calendar WHERE name = $1 FOR NO KEY UPDATE;
PREPARE bookcore_read (text, bigint, bigint) AS {read};
PREPARE bookcore_append (text, bigint, bigint, bigint[], bytea[], boolean) AS
    WITH head AS (SELECT FROM bookcore.calendar WHERE name = $1 AND position = $2 AND mark = $3 AND tables = $6
                  FOR NO KEY UPDATE SKIP LOCKED),
    written AS (INSERT INTO bookcore.change
                SELECT $1, $2 + number, mark, record, (SELECT greatest(clock_timestamp(), (
                    SELECT time FROM bookcore.change WHERE calendar = $1 AND position = $2)))
                FROM unnest($4, $5) WITH ORDINALITY AS given (mark, record, number)
                WHERE EXISTS (SELECT FROM head) RETURNING 1),
    moved AS (UPDATE bookcore.calendar SET position = $2 + cardinality($4), mark = $4[cardinality($4)]
              WHERE name = $1 AND EXISTS (SELECT FROM head) RETURNING 1)
    SELECT 1 / count(*), pg_notify('bookcore', $2 + cardinality($4) || ' ' || $1) FROM moved
    WHERE (SELECT count(*) FROM written) = cardinality($4);
SET lock_timeout = %(wait)s
""".format(read=_READ.format(name="$1", position="$2", most="$3"))  # noqa: S608 - our own text
_LOCK = """
BEGIN; SET LOCAL lock_timeout = %(wait)s; EXECUTE bookcore_lock(%(name)s);
EXECUTE bookcore_read(%(name)s, %(position)s, %(most)s)
"""
_APPEND = "EXECUTE bookcore_append(%(name)s, %(position)s, %(mark)s, ARRAY[{}], ARRAY[{}]::bytea[], %(tables)s);"
"""Writes records and moves the head, if it is at a place and the lock is free; else fails, by dividing by zero.

So it does where a trigger of another program keeps a row from being written, of which the server says nothing.
"""
_COMMIT = "COMMIT"
"""What ends a transaction that has begun with a lock."""
MOST_HOPED = 20_000
"""How many bytes of records are sent at most that may have to be sent again."""
_CHECKPOINT = """
BEGIN;
INSERT INTO bookcore.checkpoint SELECT calendar, position, mark, %(snapshot)s FROM bookcore.change
    WHERE calendar = %(name)s AND position = %(position)s AND mark = %(mark)s ON CONFLICT DO NOTHING;
SELECT 1 / count(*) FROM bookcore.checkpoint WHERE calendar = %(name)s AND position = %(position)s;
DELETE FROM bookcore.checkpoint WHERE calendar = %(name)s AND position NOT IN
    (SELECT position FROM bookcore.checkpoint WHERE calendar = %(name)s ORDER BY position DESC LIMIT %(keep)s)
    AND position > (SELECT min(position) FROM bookcore.change WHERE calendar = %(name)s);
COMMIT
"""
_SIZES = """
WITH newest AS (SELECT position, length(snapshot) AS size FROM bookcore.checkpoint WHERE calendar = %(name)s
                ORDER BY position DESC LIMIT 1)
SELECT coalesce(sum(length(record)), 0), coalesce((SELECT size FROM newest), 0)
FROM bookcore.change WHERE calendar = %(name)s AND position > coalesce((SELECT position FROM newest), 0)
"""


class _Writing(NamedTuple):
    """Statements that write records, and their values; ``size`` is that of the records in bytes.

    ``groups`` are what they write into the tables for SQL, ``claims`` what the records do to the ids of bookings.
    """

    statements: str = ""
    values: Mapping[str, Any] = {}
    size: int = 0
    groups: Sequence[Group] = ()
    claims: Claims = Claims()


class PostgresJournal(SharedJournal):
    """See `bookcore.persist.shared.seam.SharedJournal`."""

    most = 400_000_000
    """The size in bytes of the largest record or snapshot; a value takes a thousand million, and is sent as text."""

    def __init__(
        self, address: str, *, timeout: float, sync: bool = True, begin: Beginning | None = None, opened_by: Any = None,
        part_of: str | None = None,
    ) -> None:  # fmt: skip
        """Connect, and make the tables and the calendar's row if it may *begin* and they are not there.

        Raises: `JournalError`.

        *opened_by* is a connection of another journal, used for this alone. *part_of*: it is a partition of a calendar
        that the program opened by another address, which errors tell.
        """
        self._where = where = Address.of(address)
        self.row = where.row
        """The name of its row among the calendars of the database."""
        self.name, self._address, self._wants_tables = part_of or where.name, where.server, where.tables
        self.spot = f"{part_of}, partition {where.partition}" if part_of else where.name
        self._is_made = self._tables = False
        self._beside: PostgresJournal | None = None
        self.idle: list[Any] = []
        """Connections for joint transactions that are not in use, see `bookcore.persist.shared.partitioned.joint`."""
        self.joint: Any = None
        """The `bookcore.persist.shared.partitioned.joint.Joint` in which it writes, or None."""
        self._sync, self._timeout = sync, timeout
        self._pid = os.getpid()
        self.machine_clock, self.skew = time, 0.0
        self._ended = False  # not an `Event`: Ctrl-C amidst its `set` would leave the lock of it held
        self._reading, self._listening = threading.Lock(), threading.RLock()
        self._connections: dict[str, Any] = {}
        self._head: Place | None = None  # the place of the last record, as far as it is locked
        create, begin = begin is not None, begin or Beginning.empty()
        try:
            way = ", or open it with create=False if the calendar is there" if create and begin.if_new else ""
            with self.translated("cannot be opened", way=way):
                connection = opened_by or self._connected("writer")
                self.bounds, self.origin = self._begin(connection, create, begin)
        except BaseException:
            self.close()
            raise

    # -- connections, errors -----------------------------------------------------------------------

    def read_beside(self, other: PostgresJournal) -> None:
        """Read through the connections of another journal of the same database from now on."""
        self._beside, self._reading = other, other._reading

    def _connected(self, use: str) -> Any:
        """Return the connection of a use; a new one if there is none, or if it is broken."""
        self._check_open()
        if self._beside is not None and use != "writer":
            return self._beside._connected(use)
        connection = self._connections.get(use)
        if connection is not None and not connection.closed:
            if is_usable(connection, within=use == "writer"):
                return connection
            connection.close()
        self._connections[use] = connection = self.connect(use)
        return connection

    def _check_open(self) -> None:
        if os.getpid() != self._pid:
            raise JournalClosedError.in_fork(self.name, self._pid)
        if self._ended:
            raise JournalClosedError.after_close(self.name)

    def connect(self, use: str) -> Any:
        """Return a new connection for a use. Raises: psycopg.Error."""
        connection = connected(self._address, self._timeout)
        try:
            if not self._sync:
                connection.execute("SET synchronous_commit = off")
            connection.execute(BY_KEYS.format("off"))  # plans are kept, and may be made while the tables are small
            if use == "writer" and self._is_made:
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _listener(self) -> Iterator[Any]:
        """Give the connection that is notified of commits, to the thread that has it alone. It is closed after any error.

        It listens only while one waits: each notification costs the server a process that wakes, and where commits come one
        after the other, no process waits.
        """
        listener = self._connected("listener")
        try:
            yield listener
        except BaseException:
            listener.close()  # or it would be notified of each commit while nothing is waited for
            raise

    @contextmanager
    def translated(self, what: str, timeout: float | None = None, way: str = "") -> Iterator[None]:
        """Raise what the database raises as an error of ours; *what* was not done, *way* is as for `error_of`."""
        try:
            yield
        except psycopg.Error as exc:
            if self._ended:
                raise JournalClosedError.after_close(self.name) from exc
            timeout = self._timeout if timeout is None else timeout
            raise error_of(exc, self.name, what, timeout, way, self.staleness()) from exc

    def _begin(self, connection: Any, create: bool, begin: Beginning) -> tuple[str, Place]:
        """Make what is not there; return the bounds, and the origin."""
        begun = self.machine_clock()
        self._compare_clocks(begun, connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()[0])
        version = version_of(connection)
        if version:
            check_version(self.name, version)
        with connection.transaction():
            if not version:
                if not create:
                    raise JournalError(self.name, f"there is no calendar in it{NONE_MADE}")
                make_schema(connection, self.name)
            agree(connection, self._where, create)
            if create:
                self._make_calendar(connection, begin)
        ask = """SELECT format, bounds, tables,
                     (SELECT coalesce(min(position), 0)::bigint FROM bookcore.change WHERE calendar = name), origin::bigint
                 FROM bookcore.calendar WHERE name = %s"""
        row = connection.execute(ask, (self.row,)).fetchone()
        if row is None:
            there = calendars_there(connection)
            raise JournalError(self.name, f"there is no calendar {self.row!r} in it ({there}){NONE_MADE}")
        version, bounds, tables, *first = row
        check_version(self.name, version)
        if self._wants_tables not in (None, tables) and not self._where.is_directory:
            way = "`bookcore db upgrade` adds them" if self._wants_tables else "leave tables=no out of the address"
            raise JournalError(self.name, f"its calendar has {'' if tables else 'no '}tables: {way}")
        self._is_made, self._tables = True, tables
        if "writer" in self._connections:
            self._prepare(connection)
        return bounds, Place(*first)

    def _prepare(self, connection: Any) -> None:
        """Prepare what writes; a transaction waits for other locks as long as for that of the calendar."""
        connection.execute(_PREPARED, {"wait": _milliseconds(self._timeout)})
        self._prepare_tables(connection)

    def _prepare_tables(self, connection: Any) -> None:
        """Prepare what writes the tables, if there are some and that is not done."""
        if self._tables and not connection.prepared:
            connection.execute(prepare("bookcore"))
            connection.prepared = True

    def _make_calendar(self, connection: Any, begin: Beginning) -> None:
        """Make the calendar's row in a transaction of the caller, unless it is there."""
        origin, bounds = begin.place, begin.bounds
        tables = self._where.keeps_tables
        made = "INSERT INTO bookcore.calendar VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT "
        made += "DO NOTHING" if begin.if_new else _IN_PLACE
        if not connection.execute(made, (self.row, VERSION, bounds, origin.mark, *origin, tables)).rowcount:
            if not begin.if_new:
                raise JournalError(self.name, f"holds a calendar {self.row!r} already; name another one")
            return
        first = written("INSERT INTO bookcore.change VALUES (%s, %s, %s, '', clock_timestamp())")
        connection.execute(first, (self.row, *origin))
        if tables:
            add_tables(connection, self.name)
        if begin.snapshot:
            check_snapshot(self.name, begin.snapshot, self.most)
            command = written("INSERT INTO bookcore.checkpoint VALUES (%s, %s, %s, %s)")
            with connection.with_more_time(len(begin.snapshot) / SLOWEST):
                connection.execute(command, (self.row, *origin, begin.snapshot))
            ask = "SELECT snapshot FROM bookcore.checkpoint WHERE calendar = %s"
            begin.verify(connection.execute(ask, (self.row,)).fetchone()[0])

    # -- reading -----------------------------------------------------------------------------------

    @contextmanager
    def reading(self, what: str = "cannot be read") -> Iterator[Any]:
        """Give the connection for reading. One that was found broken is made anew by the next call."""
        with self._reading, self.translated(what):
            yield self._connected("reader")

    def read(self, place: Place, most: int) -> Sequence[Stored]:
        with self.reading() as reader:
            return records_after(self.spot, place, reader.ask(_READ_ALONE, self._asked(place, most)))

    def _asked(self, place: Place, most: int) -> dict[str, Any]:
        """Return the values for `_READ`; it begins with the record at the place."""
        return {"name": self.row, "position": place.position, "most": None if most < 0 else most + 1}

    def head(self) -> Place:
        heads = self.heads([self.row])
        if not heads:
            raise self._gone()
        return heads[self.row]

    def heads(self, names: list[str]) -> dict[str, Place]:
        """Return the places of the last records of several calendars, at one instant."""
        ask = "SELECT position::bigint, mark::bigint, name::text FROM bookcore.calendar WHERE name = ANY(%s)"
        with self.reading() as reader:
            return {name: Place(*place) for *place, name in reader.ask(ask, (names,))}

    def has_other_history(self, place: Place) -> bool:
        """See `SharedJournal.has_other_history`. A standby that lacks a record may only be behind."""
        ask = """SELECT bounds, origin::bigint,
                     (SELECT coalesce(min(position), 0)::bigint FROM bookcore.change WHERE calendar = name),
                     (SELECT mark::bigint FROM bookcore.change WHERE calendar = name AND position = %s), pg_is_in_recovery()
                 FROM bookcore.calendar WHERE name = %s"""
        with self.reading() as reader:
            row = reader.execute(ask, (place.position, self.row)).fetchone()
        if row is None:
            return False
        bounds, origin, first, mark, follows = row
        is_same = (bounds, first, origin) == (self.bounds, *self.origin)
        return is_same and mark != place.mark and not (mark is None and follows)

    def _gone(self) -> JournalReplacedError:
        return JournalReplacedError(self.name, f"there is no calendar {self.row!r} any more")

    def time_row(self, position: int) -> Any:
        ask = """SELECT (extract(epoch FROM time) * 1000000)::bigint FROM bookcore.change
                 WHERE calendar = %s AND position = %s"""
        with self.reading() as reader:
            return reader.execute(ask, (self.row, position)).fetchone()

    def now(self) -> int:
        return round((self.machine_clock() + self.skew) * 1_000_000)

    def wait(self, place: Place, timeout: float, *, again: bool = False) -> bool:
        row, known = self.row, place.position
        return self.wait_until(
            lambda: self.lag(place) > 0, lambda name, position: name == row and position > known, timeout, again
        )

    def wait_until(
        self, has_come: Callable[[], bool], is_news: Callable[[str, int], bool], timeout: float, again: bool = False
    ) -> bool:
        """Wait until something has come, and tell whether it has. *again* is as for `wait`.

        *is_news* tells whether a record is that, by the name of its calendar and its position.
        """
        until = monotonic() + timeout
        try:
            if not self._listening.acquire(timeout=max(0.0, timeout)):
                return has_come()
            listener_before = self._connections.get("listener")
            if (listener_before is None or not listener_before.listens) and has_come():
                return True
            with self.translated("cannot be read"), self._listener() as listener:
                if not listener.listens and not listener.execute("SELECT pg_is_in_recovery()").fetchone()[0]:
                    listener.execute("LISTEN bookcore")  # the log of a standby would have that, as refused
                    listener.listens = True
                came = self._listened(listener, has_come, is_news, until)
                if listener.listens and (came or not again):
                    listener.execute("UNLISTEN bookcore")
                    listener.listens = False
                return came
        finally:
            try:
                self._listening.release()  # the first call here, so that Ctrl-C cannot leave it held
            except RuntimeError:  # it was not acquired
                pass

    def _listened(
        self, listener: Any, has_come: Callable[[], bool], is_news: Callable[[str, int], bool], until: float
    ) -> bool:
        """Listen until something has come or the time is over, and tell whether it has."""
        while not has_come():
            look = monotonic() + (ASKING if listener.listens else POLLING)
            while (left := min(look, until) - monotonic()) > 0:
                for told in listener.notifies(timeout=min(left, LISTENING), stop_after=1):
                    position, _, name = told.payload.partition(" ")
                    if not position.isdecimal():  # of an older bookcore, which tells nothing more
                        look = 0.0
                    elif is_news(name, int(position)):
                        return True
                if self._ended:
                    return False
            if until <= monotonic():
                return False
        return True

    def wake(self) -> None:
        self._ended = True

    # -- appending ---------------------------------------------------------------------------------

    def _writing(self) -> Any:
        """Return the connection that has been locked. Raises: `JournalClosedError`, also if another thread closed it."""
        if os.getpid() != self._pid:
            raise JournalClosedError.in_fork(self.name, self._pid)
        writer = self._connections.get("writer") if self.joint is None else self.joint.connection
        if writer is None:
            raise JournalClosedError.after_close(self.name)
        return writer

    def lock(self, timeout: float, place: Place, most: int) -> Sequence[Stored]:
        self.unlock()  # of a block whose beginning was cut off
        asked = self._asked(place, most) | {"wait": _milliseconds(timeout)}
        with self.translated("the change was not made", timeout):
            writer, begun = self._connected("writer") if self.joint is None else self._writing(), self.machine_clock()
            with writer.with_more_time(pgconnection.CANCELLING):  # so that the server itself says that the lock was taken
                cursor = writer.execute(_LOCK, asked)
            row = cursor.set_result(-2).fetchone()
            rows = cursor.set_result(-1).fetchall()
            if row is not None:
                self._tables = row[3]  # they may have been added meanwhile
                self._prepare_tables(writer)
        if row is None:
            raise self._gone()
        self._head = Place(*row[:2])
        self._compare_clocks(begun, row[2])
        return records_after(self.spot, place, rows)

    def _compare_clocks(self, begun: float, there: float) -> None:
        """Note how far the server's clock is ahead, as far as asking it took no longer than that."""
        self.skew = there - min(max(there, begun), self.machine_clock())

    def can_hope(self) -> bool:
        """See `SharedJournal.can_hope`: a server that has ended the connection has said so by now. Not for partitions."""
        writer = self._connections.get("writer")
        if writer is None or writer.closed or self.joint is not None or self._where.partition is not None:
            return False
        return is_usable(writer, within=False) and not has_said(writer)

    def append(self, place: Place, records: Sequence[bytes], *, locked: bool = True) -> Place:
        if locked and self._head is None:
            raise JournalError(self.name, "its lock was lost, so nothing was changed; call again")
        if locked and self._head != place:  # all records after memory's were read when it was locked
            last = place.position
            what = f"its last record is {last}, and its head is that of another one"
            raise JournalDamagedError(self.spot, f"{what}; `bookcore copy --as-of {last}` copies what the records say")
        size = sum(map(len, records))
        if not locked and size > MOST_HOPED:
            raise JournalError(self.name, "the record is too large to be sent twice")
        values: dict[str, Any] = {"name": self.row, **place._asdict(), "tables": self._tables}
        first, marks, written = place.position + 1, [], []
        for number, record in enumerate(records):
            place = after(place, record)
            values |= {f"mark{number}": place.mark, f"record{number}": record}
            marks.append(f"%(mark{number})s")
            written.append(f"%(record{number})s")
        rows = list(map(rows_of, records)) if self._tables or self._where.partition is not None else []
        groups = list(groups_of(enumerate(rows, first), self.bounds)) if self._tables else []
        claims = Claims() if self._where.partition is None else claims_of(chain(*rows), self._where.partition)
        command, more = self._write_tables(groups, locked)
        command = _APPEND.format(", ".join(marks), ", ".join(written)) + command
        writing = _Writing(command, values | more, size, groups, claims)
        if locked:
            self._end(writing)
        else:
            self._commit(self._writing(), writing, locked=False)
        return place

    def _write_tables(self, groups: list[Group], locked: bool) -> tuple[str, dict[str, Any]]:
        """Write groups into the tables, if they are many; return a command, and its values, that writes the last ones.

        Raises: `JournalError` for many, unless *locked*.
        """
        commands = iter(commands_of(groups, self.row))
        last = next(commands, ("", {}))
        try:
            with self.translated("the change was not made"), self._judged(groups):
                for following in commands:
                    if not locked:
                        raise JournalError(self.name, "its tables take more than one command")
                    self._writing().execute(*last)
                    last = following
        except BaseException:
            self.unlock()
            raise
        return last

    def confirm(self) -> None:
        """See `SharedJournal.confirm`: locking a row has to be committed as well."""
        self._end(_Writing())

    def _end(self, writing: _Writing) -> None:
        """Write and commit; or write, and have a joint transaction go on."""
        joint, writer = self.joint, self._writing()
        self._head = None
        if joint is None:
            self._commit(writer, writing)
            return
        joint.claims.add(writing.claims)
        if writing.statements:
            self._execute(writer, writing)
        joint.go_on()

    def commit_joint(self, writer: Any, claims: Claims) -> None:
        """Commit a joint transaction. Raises: as `append`."""
        self._commit(writer, _Writing(claims=claims))

    def _execute(self, writer: Any, writing: _Writing, *, locked: bool = True) -> None:
        """Write in the transaction in which the calendar is locked, or if not *locked*, in one of its own."""
        known = psycopg.pq.TransactionStatus
        if writer.pgconn.transaction_status != (known.INTRANS if locked else known.IDLE):
            raise JournalError(self.name, "its lock was lost, so nothing was changed; call again")
        statements, values, size, groups, claims = writing
        with self.translated("the change was not made"), self._judged(groups, claims), writer.with_more_time(size / SLOWEST):
            writer.execute(statements, values)

    def _commit(self, writer: Any, writing: _Writing, *, locked: bool = True) -> None:
        """Write, also the ids of bookings, and commit; unless *locked*, in a transaction of its own. Raises: as `append`."""
        if locked:
            claims, values = writing.claims.command(self._where.whole) if writing.claims else ("", {})
            writing = writing._replace(statements=claims + writing.statements + _COMMIT, values={**writing.values, **values})
        try:
            with doubts_of(writer) as doubts:
                self._execute(writer, writing, locked=locked)
        except JournalError as exc:
            cut_before = isinstance(exc.__cause__, psycopg.errors.IdleInTransactionSessionTimeout)  # it has read no COMMIT
            if cut_before or not (writer.closed and isinstance(exc.__cause__, psycopg.Error)):
                self.unlock()
                raise
            doubts.append(" ".join(str(exc.__cause__).split()))
        except BaseException:
            self.unlock()
            raise
        if doubts:
            raise UnknownOutcomeError.of_change(self.name, doubts[0])

    @contextmanager
    def _judged(self, groups: Sequence[Group], claims: Claims | None = None) -> Iterator[None]:
        """Raise `RefereeError` for what the constraints of the tables refuse, and the error for an id that is taken."""
        try:
            yield
        except psycopg.errors.IntegrityError as exc:
            resources = {row["resource"] for group in groups for row in group.rows if "resource" in row}
            refusal = (claims and claims.refusal(exc)) or refusal_of(exc, self.name, self.row, resources)
            if refusal is not None:
                raise refusal from exc
            raise

    def unlock(self) -> None:
        self._head, writer = None, self._connections.get("writer")
        if self.joint is not None:
            self.joint.unlocked(self)
            return
        if writer is None or os.getpid() != self._pid or writer.closed:
            return
        with suppress(psycopg.Error):
            if not is_usable(writer, within=True):
                writer.close()
            elif not is_usable(writer, within=False):
                writer.execute("ROLLBACK")

    # -- checkpoints, the end ----------------------------------------------------------------------

    def checkpoint(self, place: Place, snapshot: bytes, keep: int) -> None:
        check_snapshot(self.name, snapshot, self.most)
        self.read(place, 0)
        values = {"name": self.row, "position": place.position, "mark": place.mark, "snapshot": snapshot, "keep": keep}
        with self.reading("no checkpoint was written") as reader:
            try:
                with reader.with_more_time(len(snapshot) / SLOWEST):
                    reader.execute(_CHECKPOINT, values)
            except BaseException:
                reader.close()
                raise

    def newest(self, below: int) -> Any:
        ask = """SELECT position::bigint, mark::bigint, snapshot::bytea FROM bookcore.checkpoint
                 WHERE calendar = %s AND position < %s ORDER BY checkpoint.position DESC LIMIT 1"""
        with self.reading() as reader:
            return next(iter(reader.ask(ask, (self.row, below))), None)

    def sizes(self) -> Any:
        with self.reading() as reader:
            return reader.execute(_SIZES, {"name": self.row}).fetchone()

    def barrier(self) -> None:
        """See `SharedJournal.barrier`: a commit that waits for the disk has all before it there as well.

        It waits only if it has written something, such as a lock; this one waits for no other.
        """
        if not self._sync:
            lock = "SELECT FROM bookcore.calendar WHERE name = %s FOR KEY SHARE"
            with self.reading("may not be on the disk") as reader, doubts_of(reader) as doubts:
                reader.execute(f"BEGIN; SET LOCAL synchronous_commit = on; {lock}; COMMIT", (self.row,))
            if doubts:
                what = f"what it has may be lost with its server ({doubts[0]}); call barrier again"
                raise UnknownOutcomeError(self.name, what)

    def close(self) -> None:
        self._ended = True
        connections, self._connections = [*self._connections.values(), *self.idle], {}
        self.idle.clear()
        if os.getpid() != self._pid:
            FORKED.extend(connections)
            return
        for connection in connections:
            with suppress(psycopg.Error):
                connection.close()

    def __del__(self) -> None:
        if hasattr(self, "_connections"):
            self.close()


def _milliseconds(seconds: float) -> int:
    """Return a time limit as the server takes it."""
    return min(max(1, round(seconds * 1000)), 1000 * LONGEST)
