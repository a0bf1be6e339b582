"""`SqliteJournal`: a SQLite file that the processes of one machine share.

    calendar      one row: the bounds, and the mark of the origin
    change        position, mark, record, time; the first row is the origin, without a record: 0, or where a copy begins
    checkpoint    position, mark, snapshot

The file is in WAL mode, so that reading waits for no writer. An append begins with ``BEGIN IMMEDIATE``; the lock of SQLite
makes the order. With ``sync="always"`` a commit is on the disk when it returns (``synchronous=FULL``).

Times are microseconds since 1970, by the clock of this machine. A file of format 1 had none; an upgrade adds the column, and
the records that were there have NULL in it.

There are two connections: the writer belongs to the thread that has called `lock`, the reader has a lock of its own. A third
one writes a checkpoint.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from time import monotonic, sleep
from typing import Any, get_args
from urllib.parse import quote

from bookcore.model.generic import Bounds
from bookcore.persist.fs import FileSystem, sync_folder, words
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalReplacedError,
    JournalTimeoutError,
    JournalVersionError,
)
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

VERSION = 2
APPLICATION = 0x424B434A  # "BKCJ"
NOTICING = 0.01
"""How many seconds pass at most until a process that waits looks again: SQLite notifies no process of a commit."""
LOGGED = 250
"""At how many pages a commit has SQLite move its log, the WAL, into the file. Then the log is written from its beginning
again: a disk syncs what is overwritten sooner than a file that grows."""
PAUSES = 0.0005, 0.01
"""The first and the longest pause, in seconds, of a thread that waits for the lock."""

_TABLES = (
    "CREATE TABLE calendar (bounds TEXT NOT NULL, origin INTEGER NOT NULL)",
    "CREATE TABLE change (position INTEGER PRIMARY KEY, mark INTEGER NOT NULL, record BLOB NOT NULL, time INTEGER)",
    "CREATE TABLE checkpoint (position INTEGER PRIMARY KEY, mark INTEGER NOT NULL, snapshot BLOB NOT NULL)",
)
_READ = """
SELECT position, mark, CASE WHEN position > ? THEN record END, time FROM change
WHERE position >= ? ORDER BY position LIMIT ?
"""
_APPEND = """
INSERT INTO change VALUES (?, ?, ?, max(?, coalesce((SELECT time FROM change WHERE position = ?), 0)))
"""
_UNWAITING = "PRAGMA busy_timeout = 0"
"""Has a connection not wait for others, see `_retrying`."""
_SIZES = """
WITH newest AS (SELECT position, length(snapshot) AS size FROM checkpoint ORDER BY position DESC LIMIT 1)
SELECT coalesce(sum(length(record)), 0), coalesce((SELECT size FROM newest), 0)
FROM change WHERE position > coalesce((SELECT position FROM newest), 0)
"""
_CHECKPOINT = """
INSERT OR IGNORE INTO checkpoint SELECT position, mark, :snapshot FROM change WHERE position = :position AND mark = :mark
"""
_DROP = """
DELETE FROM checkpoint WHERE position NOT IN (SELECT position FROM checkpoint ORDER BY position DESC LIMIT ?)
                         AND position > (SELECT min(position) FROM change)
"""
_ORIGIN = "SELECT bounds, (SELECT coalesce(min(position), 0) FROM change), origin FROM calendar"

_REASONS = {
    "SQLITE_NOTADB": "it is no SQLite file; take another path",
    "SQLITE_READONLY": "the file or its directory may not be written; have its owner allow it",
    "SQLITE_FULL": "the disk is full; make room there, and repeat the call",
}
"""What to do about what SQLite says, by how its name begins."""


class SqliteJournal(SharedJournal):
    """See `bookcore.persist.shared.seam.SharedJournal`."""

    most = 900_000_000
    """The size in bytes of the largest record or snapshot; SQLite takes a thousand million in a row."""
    format = VERSION

    def __init__(self, path: str, *, sync: bool, timeout: float, begin: Beginning | None, upgrade: bool = False) -> None:
        """Open the file, or make it if it may *begin*; with *upgrade* bring an older one to this format.

        Raises: `JournalError`.
        """
        self.name = self.spot = path
        self._fs, self._upgrades, self.was_format = FileSystem(), upgrade, VERSION
        self._sync, self._timeout = sync, timeout
        self._pid = os.getpid()
        self._ended = False  # not an `Event`: Ctrl-C within its `set` could leave the event locked
        # Python does not survive that a connection is closed while another thread executes a statement on it. So each has a
        # lock, which its statements and its closing take. A signal handler that closes may interrupt a statement: an RLock.
        self._reading, self._writing = threading.RLock(), threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        with self._translated("cannot be opened"):
            self._path = os.path.abspath(path)  # the current directory may be gone
        create = begin is not None
        self._check_path(create)
        try:
            with self._translated("cannot be opened"):
                self._writer = self._connect(create)
                self._begin(self._writer, create, begin or Beginning.empty())
                self._reader = self._connect()
                path = os.path.realpath(self._path)  # where SQLite has its files
                self._log, self._index = f"{path}-wal", f"{path}-shm"
                self._files = self._files_there()
                self.bounds, self.origin = self._read_origin(self._writer)
        except BaseException:
            self.close()
            raise

    # -- opening -----------------------------------------------------------------------------------

    def _check_path(self, create: bool) -> None:
        folder = os.path.dirname(self._path)
        if os.path.isdir(self._path):
            raise JournalError(self.name, "is a directory; Calendar.open(directory) opens it without sqlite:///")
        if not os.path.isdir(folder):
            raise JournalError(self.name, f"there is no directory {folder}; put the path right, or make it")
        if not create and not os.path.exists(self._path):
            raise JournalError(self.name, f"there is no such file{NONE_MADE}")

    def _connect(self, create: bool = False) -> sqlite3.Connection:
        address = f"file:{quote(os.fsencode(self._path))}?mode={'rwc' if create else 'rw'}"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=self._timeout)
        try:
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._sync else 'NORMAL'}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {LOGGED}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin(self, connection: sqlite3.Connection, create: bool, begin: Beginning) -> None:
        """Make the tables unless they are there; refuse a database of another program before changing anything."""
        until = monotonic() + self._timeout
        is_made = self._is_made(connection, create)
        connection.execute(_UNWAITING)
        (mode,) = _retrying(connection.execute, "PRAGMA journal_mode = WAL", until).fetchone()
        if mode != "wal":
            raise JournalError(self.name, f"cannot be shared: its journal mode stays {mode!r} (is it on a network disk?)")
        if is_made and begin.if_new and self._format(connection) == VERSION:  # a reader waits for no writer
            return
        _retrying(connection.execute, "BEGIN IMMEDIATE", until)
        try:
            if not self._is_made(connection, create):  # perhaps another process has made them meanwhile
                self._make(connection, begin)
            elif (version := self._format(connection)) < VERSION:
                self.was_format = version
                connection.execute("ALTER TABLE change ADD COLUMN time INTEGER")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            elif not begin.if_new:
                raise JournalError(self.name, "holds a calendar already; name another file")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _make(self, connection: sqlite3.Connection, begin: Beginning) -> None:
        """Make the tables, and write the beginning of the journal. The transaction is open."""
        for table in _TABLES:
            connection.execute(table)
        connection.execute("INSERT INTO calendar VALUES (?, ?)", (begin.bounds, begin.place.mark))
        connection.execute("INSERT INTO change VALUES (?, ?, ?, ?)", (*begin.place, b"", self.now()))
        if begin.snapshot:
            check_snapshot(self.name, begin.snapshot, self.most)
            connection.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (*begin.place, begin.snapshot))
            begin.verify(connection.execute("SELECT snapshot FROM checkpoint").fetchone()[0])
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")

    def _is_made(self, connection: sqlite3.Connection, create: bool) -> bool:
        """Tell whether the file has a calendar; refuse the database of another program.

        Another process may make the calendar between these statements: what it has by then is read from first to last.
        """
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        version = self._format(connection)
        if application == APPLICATION:
            if version < 1:
                raise JournalDamagedError(self.name, f"there is no format {version}")
            if version > VERSION or (version < VERSION and not self._upgrades):
                raise JournalVersionError(self.name, version, VERSION)
            return True
        if application or tables:
            raise JournalError(self.name, "is a database of another program; take a file of its own")
        if not create:
            raise JournalError(self.name, f"there is no calendar in it{NONE_MADE}")
        return False

    def _read_origin(self, connection: sqlite3.Connection) -> tuple[str, Place]:
        """Return the bounds, and the origin, both checked: SQLite takes any value in any column."""
        row = connection.execute(_ORIGIN).fetchone()
        if row is None or row[0] not in get_args(Bounds) or not all(type(number) is int for number in row[1:]):
            raise JournalDamagedError(self.name, "its table calendar is damaged or empty; bring back a backup")
        return row[0], Place(*row[1:])

    def _format(self, connection: sqlite3.Connection) -> int:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])

    # -- errors ------------------------------------------------------------------------------------

    @contextmanager
    def _translated(self, what: str, timeout: float | None = None) -> Iterator[None]:
        """Translate errors of SQLite and the operating system into `JournalError`; *what* says what was not done."""
        try:
            yield
        except sqlite3.Error as exc:
            if self._ended:
                raise JournalClosedError.after_close(self.name) from exc
            raise self._error(exc, what, self._timeout if timeout is None else timeout) from exc
        except OSError as exc:
            raise JournalError(self.name, f"{what}: {words(exc)}") from exc

    def _error(self, exc: sqlite3.Error, what: str, timeout: float) -> JournalError:
        name = getattr(exc, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return JournalTimeoutError.kept_locked(self.name, f"{what}: another process", timeout)
        if name.startswith("SQLITE_CORRUPT"):
            return JournalDamagedError(self.name, f"{what}: {exc}; copy the file, then bring back a backup")
        reasons = [reason for start, reason in _REASONS.items() if name.startswith(start)]
        return JournalError(self.name, f"{what}: {reasons[0] if reasons else exc}")

    def _files_there(self) -> list[tuple[int, int]]:
        """Return device and number of the file, and of its log and the log's index, which exist while it is open."""
        stats = map(os.stat, (self._path, self._log, self._index))
        return [(stat.st_dev, stat.st_ino) for stat in stats]

    def _check_process(self) -> None:
        """Raise in a forked process, where a lock that another thread held stays locked for ever."""
        if os.getpid() != self._pid:
            raise JournalClosedError.in_fork(self.name, self._pid)

    def _check_file(self) -> None:
        """Raise unless the path still leads to the files that were opened; SQLite does not notice a replaced file.

        A process that opens the file without its log, or with another log, would write another order of changes.
        """
        self._check_process()
        with suppress(OSError):
            if self._files_there() == self._files:
                return
        what = "the file, or its -wal or -shm, was removed or replaced while it was open; open the calendar anew"
        raise JournalReplacedError(self.name, what)

    # -- reading -----------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for reading."""
        self._check_file()
        with self._reading, self._translated("cannot be read"):
            if self._reader is None:
                raise JournalClosedError.after_close(self.name)
            yield self._reader

    def read(self, place: Place, most: int) -> Sequence[Stored]:
        with self.reading() as reader:
            return self._news(reader, place, most)

    def _news(self, connection: sqlite3.Connection, place: Place, most: int) -> Sequence[Stored]:
        rows = connection.execute(_READ, (place.position, place.position, most if most < 0 else most + 1)).fetchall()
        return records_after(self.name, place, rows)

    def head(self) -> Place:
        with self.reading() as reader:
            row = reader.execute("SELECT position, mark FROM change ORDER BY position DESC LIMIT 1").fetchone()
        if row is None:
            raise JournalReplacedError(self.name, "its records are gone; bring back a backup, and open the calendar anew")
        return Place(*row)

    def time_row(self, position: int) -> Any:
        with self.reading() as reader:
            return reader.execute("SELECT time FROM change WHERE position = ?", (position,)).fetchone()

    def now(self) -> int:
        return self._fs.now()

    def wait(self, place: Place, timeout: float, *, again: bool = False) -> bool:
        until = monotonic() + timeout
        while not self.lag(place):
            left = until - monotonic()
            if left <= 0 or self._ended:
                return False
            sleep(min(NOTICING, left))
        return True

    def wake(self) -> None:
        self._ended = True

    # -- appending ---------------------------------------------------------------------------------

    def _execute(self, statement: str) -> sqlite3.Cursor:
        """Execute a statement on the writer. Raises: sqlite3.Error, `JournalClosedError`."""
        with self._writing:
            if self._writer is None:
                raise JournalClosedError.after_close(self.name)
            return self._writer.execute(statement)

    def _locked(self) -> sqlite3.Connection:
        """Return the writer, which holds the database's lock. Its own lock is held meanwhile, so that `close` waits."""
        if self._writer is None:
            raise JournalClosedError.after_close(self.name)
        if not self._writer.in_transaction:
            raise JournalError(self.name, "its lock was lost, so nothing was changed; call again")
        return self._writer

    def lock(self, timeout: float, place: Place, most: int) -> Sequence[Stored]:
        self._check_file()
        self.unlock()  # ends the transaction of a block that was cut off at its beginning
        with self._translated("the change was not made", timeout):
            _retrying(self._execute, "BEGIN IMMEDIATE", monotonic() + timeout)
        with self._writing, self._translated("cannot be read"):
            return self._news(self._locked(), place, most)

    def append(self, place: Place, records: Sequence[bytes], *, locked: bool = True) -> Place:
        self._check_process()
        try:
            with self._writing, self._translated("the change was not made"):
                writer, now, rows = self._locked(), self.now(), []
                for record in records:
                    before, place = place.position, after(place, record)
                    rows.append((*place, record, now, before))
                writer.executemany(_APPEND, rows)
                writer.execute("COMMIT")
        except BaseException:
            self.unlock()
            raise
        return place

    def confirm(self) -> None:
        self._check_process()
        try:
            with self._writing, self._translated("the change may not be on the disk"):
                writer = self._locked()
                if self._sync:
                    writer.execute("UPDATE calendar SET origin = origin")  # an empty commit would not wait for the disk
                    writer.execute("COMMIT")
        finally:
            self.unlock()

    def unlock(self) -> None:
        if os.getpid() == self._pid:
            with self._writing, suppress(sqlite3.Error):
                if self._writer is not None and self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    # -- checkpoints, the end ----------------------------------------------------------------------

    def checkpoint(self, place: Place, snapshot: bytes, keep: int) -> None:
        check_snapshot(self.name, snapshot, self.most)
        self.read(place, 0)
        with self._translated("no checkpoint was written"), closing(self._connect()) as connection:
            connection.execute(_UNWAITING)
            _retrying(connection.execute, "BEGIN IMMEDIATE", monotonic() + self._timeout)
            connection.execute(_CHECKPOINT, {**place._asdict(), "snapshot": snapshot})
            connection.execute(_DROP, (keep,))
            connection.execute("COMMIT")

    def newest(self, below: int) -> Any:
        ask = "SELECT position, mark, snapshot FROM checkpoint WHERE position < ? ORDER BY position DESC LIMIT 1"
        with self.reading() as reader:
            return reader.execute(ask, (below,)).fetchone()

    def sizes(self) -> Any:
        with self.reading() as reader:
            return reader.execute(_SIZES).fetchone()

    def barrier(self) -> None:
        """See `SharedJournal.barrier`: what was committed is in this file, or SQLite has synced it before it left there.

        A checkpoint of SQLite is not enough: while a reader sees an earlier state, it syncs nothing.
        """
        if self._sync:
            return
        self._check_file()
        with self._translated("may not be on the disk"):
            fd = os.open(self._log, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            sync_folder(self._fs, os.path.dirname(self._log))

    def close(self) -> None:
        self._ended = True
        if os.getpid() != self._pid:
            FORKED.extend(each for each in (self._writer, self._reader) if each is not None)
            self._writer = self._reader = None
            return
        with self._reading, self._writing:
            for connection in (self._writer, self._reader):
                if connection is not None:
                    with suppress(sqlite3.Error):
                        connection.close()  # before it is forgotten: this may be cut off, and called again
            self._writer = self._reader = None

    def __del__(self) -> None:
        if hasattr(self, "_reader"):
            self.close()


def _retrying(execute: Callable[[str], sqlite3.Cursor], statement: str, until: float) -> sqlite3.Cursor:
    """Execute a statement, again and again while another process holds a lock. Raises: sqlite3.Error when the time is over.

    SQLite itself would pause for a tenth of a second after a few attempts, so its own waiting is switched off.
    """
    pause, longest = PAUSES
    while True:
        try:
            return execute(statement)
        except sqlite3.OperationalError as exc:
            if not exc.sqlite_errorname.startswith("SQLITE_BUSY") or monotonic() >= until:
                raise
        sleep(pause)
        pause = min(2 * pause, longest)


