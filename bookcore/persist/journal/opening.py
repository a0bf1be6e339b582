"""`open_calendar`: a calendar from a directory, and `Recorder`, which gives its changes to the journal.

command  ->  block  ->  Recorder.append  ->  Encoder  ->  DirectoryJournal.append        under the lock
Recorder.wait                 ->  DirectoryJournal.wait          after it
                              ->  Recorder.checkpoint            in a thread, when the records outgrow the snapshot
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from bookcore.engine.state import CalendarState
from bookcore.model.change import Change
from bookcore.model.errors import QueryError, TransactionError, is_like_address, needing
from bookcore.model.event import BookingEvent
from bookcore.model.numpy_scalars import python_int
from bookcore.model.timeouts import check_timeout
from bookcore.model.typecheck import plain_text
from bookcore.persist.errors import failure
from bookcore.persist.fs import FileSystem
from bookcore.persist.journal.behind import Policy, Threads
from bookcore.persist.journal.copying import open_salvaged
from bookcore.persist.journal.directory import Directory, DirectoryJournal, translated_os_errors
from bookcore.persist.journal.errors import JournalClosedError, JournalError, JournalTimeoutError
from bookcore.persist.journal.past import History, about, open_past, read_history
from bookcore.persist.journal.reading import Asked, C, Make, Moment, Progress, check_progress
from bookcore.persist.journal.records import Encoder
from bookcore.persist.journal.recovery import check_kind, check_says_kind, recover
from bookcore.persist.shared import past
from bookcore.persist.shared.address import (
    WAYS,
    check_divides,
    check_partition,
    is_address,
    is_divided,
    place_text,
    shown,
    without_key,
)
from bookcore.persist.shared.opening import Divided, Sharing, journal_at, open_shared
from bookcore.persist.snapshot.classes import handed_in
from bookcore.persist.snapshot.format import check_key
from bookcore.persist.snapshot.gather import read
from bookcore.persist.snapshot.save_load import translated_write_errors

_SYNCS = "always", "batch", "never"


class Recorder:
    """The journal of one calendar, as its log sees it."""

    __slots__ = ("_encoder", "_is_writing", "_known", "_state", "_turn", "files")

    def __init__(self, state: CalendarState, files: DirectoryJournal, known: dict[str, type]) -> None:
        self._state, self.files, self._known = state, files, known
        self._encoder = Encoder(state, files.folder, known)
        self._turn = threading.RLock()  # held by the thread that writes a checkpoint, or closes the journal
        self._is_writing = False  # a thread was started for a checkpoint, and has not ended

    @property
    def name(self) -> str:
        """The directory."""
        return self.files.folder

    @property
    def position(self) -> int:
        """See `Calendar.position`."""
        return self.files.position

    def history(self, make: Make[Any], what: object, id: object) -> History:
        """See `Calendar.history`."""
        files = self.files
        return read_history(make, files.where, self._known, until=Moment(files.position), wanted=about(what, id))

    def append(self, changes: Sequence[Change]) -> None:
        """Append one record: what is pending, then these changes. The lock is held.

        Raises: `JournalError`; `SnapshotError` for a class or a value that cannot be written.
        """
        log = self._state.log
        with translated_write_errors(self.files.folder):
            record = self._encoder.encode([*log.pending, *changes])
        if record:
            pending, log.pending = log.pending, []
            try:
                self.files.append(record)  # from its end on nothing can be raised before the changes are kept
            except BaseException:
                log.pending = pending
                raise

    def wait(self) -> None:
        """Wait until all that was appended is as safe as was asked for. Has a checkpoint written where one is due."""
        files = self.files
        files.wait()
        if files.has_outgrown() and not self._is_writing:
            self._is_writing = True
            try:
                files.threads.start(self._checkpoint_behind)
            except RuntimeError as exc:
                self._give_up(exc)
            except BaseException:  # Ctrl-C must not leave it without checkpoints for good
                self._is_writing = False
                raise

    def catch_up(self) -> None:
        """See `Calendar.catch_up`: no other process writes a directory."""

    def lag(self) -> int:
        """See `Calendar.lag`."""
        return 0

    def staleness(self) -> float:
        """See `Calendar.staleness`. Raises: `JournalClosedError` after `close`, because others may write it since."""
        self.files.check_open()
        return 0.0

    def wait_for(self, position: int, timeout: float | None) -> None:
        """See `Calendar.wait_for`."""
        if self.position < position:
            raise JournalTimeoutError(self.files.folder, f"has {self.position} records, and no other process writes it", 0.0)

    def barrier(self) -> None:
        """See `Calendar.barrier`."""
        self._state.gate.run(self.append, ())
        self.files.sync(self.files.position)

    def checkpoint(self) -> None:
        """See `Calendar.checkpoint`."""
        if self.files.is_forked():  # it must not wait for the turn of a thread that it has not
            self.files.check_open()
        self._state.gate.run(self._refuse_in_block, "checkpoint")  # for its end another thread may wait, which has the turn
        with self._turn:
            self._checkpoint()

    def _checkpoint(self) -> None:
        """Do what `checkpoint` does. It is this thread's turn."""
        standing = self._state.gate.run(self._stand)
        if standing is None:
            return
        position, grown, rows = standing
        files = self.files
        files.purge(position, files.where.save(self._state, files.store_id, position, rows), grown)

    def _checkpoint_behind(self) -> None:
        """Write a checkpoint for which no call waits. Whatever goes wrong is logged, and the journal goes on."""
        try:
            with self._turn:
                if self.files.has_outgrown():  # else another thread has written one meanwhile
                    self._checkpoint()
            self._is_writing = False
        except Exception as exc:
            self._give_up(exc)

    def _give_up(self, exc: Exception) -> None:
        """Log why no checkpoint was written, and try again when the records have grown by as much.

        A journal that was closed meanwhile tells that to the next command.
        """
        if not isinstance(exc, JournalClosedError):
            logging.getLogger("bookcore").error("%s: no checkpoint was written: %s", self.files.folder, failure(exc))
        self.files.put_off()
        self._is_writing = False

    def _stand(self) -> tuple[int, int, Any] | None:
        """Return position, size of the records and the rows that a snapshot shows; None if there is one already.

        The lock is held.
        """
        files = self.files
        files.check_open()
        self._refuse_in_block("checkpoint")
        self.append(())
        if files.position == files.newest:
            return None
        rows = read(self._state, files.folder)
        files.rotate()
        return files.position, files.grown, rows

    def close(self) -> None:
        """See `Calendar.close`."""
        self._state.gate.run(self._refuse_in_block, "close")
        if self.files.is_forked():
            self.files.close()
            return
        with self._turn:
            self._state.gate.run(self._close)

    def _close(self) -> None:
        self._refuse_in_block("close")
        try:
            if self._state.log.pending and self.files.takes_records():
                self.append(())
        finally:
            self.files.close()

    def _refuse_in_block(self, call: str) -> None:
        if self._state.log.changes is not None:
            raise TransactionError(f"a transaction is open, and may yet be undone; end it before {call}")


def open_calendar(
    make: Make[C],
    directory: str | os.PathLike[str],
    *,
    types: Iterable[type] | dict[str, type] = (),
    event_type: type[BookingEvent] | None = None,
    bounds: str | None = None,
    create: bool = True,
    sync: str = "always",
    keep: int = 2,
    salvage: bool = False,
    as_of: object = None,
    key: bytes | None = None,
    progress: Progress | None = None,
    follow: bool = True,
    timeout: float = 10.0,
    read_only: bool = False,
    divided: Divided | None = None,
    fs: FileSystem | None = None,
    threads: Threads | None = None,
) -> tuple[C, Any]:
    """See `Calendar.open`. *make* is as for `bookcore.persist.snapshot.load`.

    With *divided*, a calendar in partitions may be opened; it is returned whole, and None for its journal.
    """
    folder = place_text(directory)
    known = handed_in(folder, types, *([] if event_type in (None, BookingEvent) else [event_type]))
    asked = Asked.of(bounds, event_type)
    if plain_text(sync) not in _SYNCS:
        raise QueryError(sync, "sync is 'always' (each change waits for the disk), 'batch' (10 ms may be lost) or 'never'")
    flags = {"create": create, "salvage": salvage, "follow": follow, "read_only": read_only}
    for name, flag in flags.items():
        if type(flag) is not bool:
            raise QueryError(flag, f"{name} is True or False")
    if salvage and as_of is not None:
        raise QueryError(as_of, "a directory that is salvaged shows its last state alone; leave out as_of")
    limit = min(python_int(keep) or 0, sys.maxsize)  # a database counts in 64 bits
    if limit < 1:
        raise QueryError(keep, "keep is how many snapshots are kept, at least 1")
    check_progress(progress)
    if read_only and (as_of is not None or salvage):
        raise QueryError(read_only, "read_only follows, and as_of and salvage show one state; leave read_only out")
    timeout = check_timeout(timeout, is_lasting=True)
    secret = check_key(folder, key)
    if is_address(folder):
        if sync == "batch":
            raise QueryError(sync, "a database syncs each change or ('never') none")
        without_key(folder, key)
        if salvage:
            way = "as_of opens the state before a damaged record, whose number is in the error that opening raises"
            raise QueryError(shown(folder), f"is a database, and that is for a directory; {way}")
        check_partition(folder, is_read=read_only or as_of is not None)
        whole = divided if is_divided(folder) else None
        if progress is not None and (as_of is None or whole is not None):
            what = "is a database" if whole is None else "is in partitions"
            raise QueryError(shown(folder), f"{what}, which has no progress; that is for a directory")
        how = Sharing(create and not read_only, sync == "always", limit, follow, timeout, read_only)
        if whole is not None:
            return _open_divided(make, folder, known, whole, as_of, asked, how), None
        if divided is not None and divided.numbers is not None:
            raise QueryError(divided.numbers, "partitions are of a calendar with partitions=... in its address")
        if as_of is not None:
            reopen = partial(journal_at, folder, timeout=timeout)
            return past.open_past(make, reopen, known, Moment.of(as_of), asked, progress)
        return open_shared(make, folder, known, asked, how)
    if is_like_address(folder):
        raise JournalError(folder, f"is no address as it is read here: write {WAYS}; ./ before it if it is a directory")
    if read_only:
        raise QueryError(folder, "is a directory, which cannot be followed; as_of='now' reads its present state")
    if divided is not None and divided.numbers is not None:
        raise QueryError(divided.numbers, "partitions are of a calendar in PostgreSQL, and this is a directory")
    fs = fs or FileSystem()
    with translated_os_errors(folder, "cannot be opened"):
        named, folder = folder, fs.absolute(folder)
        check_kind(fs, folder)
        if create and as_of is None and not salvage and not fs.exists(folder):
            check_says_kind(named.rstrip(os.sep) or named, named)
    where = Directory(folder, fs, secret)
    if as_of is not None:
        return open_past(make, where, known, Moment.of(as_of), asked, progress)
    if salvage:
        return open_salvaged(make, where, known, asked, progress)
    policy = Policy(sync, limit, threads or Threads())
    calendar, state, files = recover(make, where, known, policy, asked=asked, create=create, progress=progress)
    try:
        recorder = Recorder(state, files, known)
        state.log.attach(recorder)
        return calendar, recorder
    except BaseException:  # a traceback that is kept would keep the directory locked
        files.release()
        raise


def _open_divided(
    make: Make[Any], address: str, known: dict[str, type], divided: Divided, as_of: Any, asked: Asked, how: Sharing
) -> Any:
    """Return the calendar in partitions of an address, see `Calendar.open`.

    Raises: `QueryError`, `JournalError`; `MissingExtraError` where psycopg is not installed.
    """
    check_divides(address)
    if divided.has_store:
        raise QueryError(shown(address), "each partition makes a store of its own; leave out store")
    with needing("psycopg", "postgres"):
        from bookcore.persist.shared.partitioned import opening
    if as_of is not None:
        return opening.open_partitioned_past(make, address, known, divided, as_of, asked, how.timeout)
    return opening.open_partitioned(make, address, known, divided, asked, how)
