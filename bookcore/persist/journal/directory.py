"""`DirectoryJournal`: the files of one calendar in a directory, written by one process.

    LOCK                 locked, as is the directory itself, while a calendar has it open; says which process that is
    snap-<n>.bks         a snapshot: the calendar after record n
    wal-<n>.bkj          the records from n on
    CLEAN                how many records there were when the calendar was shut down last

    append       under the calendar's lock: the frame of a record to the end of the last file
    wait         without it: until the record is on the disk, see `bookcore.persist.journal.group_commit`. With
                 ``sync="batch"`` a thread syncs, and a call waits only where a record has become too old
    rotate       a new file for the records to come; the old one is synced before, the name of the new one after
    purge        when a snapshot is on the disk: older snapshots, then the files which no snapshot needs

``wal-(n+1)`` is there before ``snap-n`` is. What a record or a name is acknowledged for is synced before. So after a power
cut the directory holds everything acknowledged; only the end of the last file, or the beginning of a new one, may be torn.
`bookcore.persist.journal.recovery` reads it.

A sync that failed is never repeated: the operating system may have dropped the bytes and report success the next time. The
journal takes no more records from then on.
"""

from __future__ import annotations

import logging
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from typing import NamedTuple
from weakref import WeakMethod
from zlib import crc32

from bookcore.engine.state import CalendarState
from bookcore.persist.errors import failure
from bookcore.persist.fs import FileSystem, sync_folder, words, write_all
from bookcore.persist.journal.behind import LONGEST, Policy, sync_behind
from bookcore.persist.journal.errors import JournalClosedError, JournalDamagedError, JournalError
from bookcore.persist.journal.frames import (
    FRAME_SIZE,
    HEADER_SIZE,
    SEAL_SIZE,
    STORE_ID_SIZE,
    frame,
    header,
    seal,
)
from bookcore.persist.journal.group_commit import GroupCommit
from bookcore.persist.shared.address import place_text
from bookcore.persist.snapshot.format import Limits, check_key
from bookcore.persist.snapshot.gather import Rows
from bookcore.persist.snapshot.save_load import save

LOCK, CLEAN = "LOCK", "CLEAN"
_CLEAN_MAGIC = b"\x89BKCL\r\n\x1a"
_CLEAN = struct.Struct("<8s8sQ")
_CHECK = struct.Struct("<I")
_TEMPORARY = "CLEAN.tmp"
_NAME = re.compile(r"(?:snap-([0-9]{20})\.bks|wal-([0-9]{20})\.bkj)", re.ASCII)
_LARGEST = (1 << 63) - 1  # number in a name; a file has 8 bytes for it
_PASSING = re.compile(r"\.bookcore-[0-9a-f]{16}\.tmp|CLEAN\.tmp|LOCK|CLEAN")


@contextmanager
def translated_os_errors(path: str, what: str) -> Iterator[None]:
    """Raise an error of the operating system as a `JournalError` that says what was not done."""
    try:
        yield
    except OSError as exc:
        raise JournalError(path, f"{what}: {words(exc)}") from exc


class Names(NamedTuple):
    """What is in a directory: the numbers of snapshots and journal files, in order, and names of other programs."""

    snapshots: list[int]
    files: list[int]
    has_clean: bool
    foreign: list[str]

    @classmethod
    def read(cls, fs: FileSystem, folder: str) -> Names:
        """Read the names in a directory. Raises: OSError."""
        names = fs.names(folder)
        matches = [match for match in map(_NAME.fullmatch, names) if match and int(match[1] or match[2]) <= _LARGEST]
        ours = {match[0] for match in matches}
        return cls(
            sorted(int(match[1]) for match in matches if match[1]),
            sorted(int(match[2]) for match in matches if match[2]),
            CLEAN in names,
            sorted(name for name in names if name not in ours and not _PASSING.fullmatch(name)),
        )


class Directory(NamedTuple):
    """A directory, and how its files are read and written. With a key, *secret*, they are sealed by it."""

    folder: str
    fs: FileSystem
    secret: bytes = b""

    @classmethod
    def of(cls, path: str | os.PathLike[str], key: bytes | None = None) -> Directory:
        """Return the directory that a program names. Raises: `JournalError` for no path, `SnapshotError` for no key."""
        folder = place_text(path)
        return cls(folder, FileSystem(), check_key(folder, key))

    def file_path(self, first: int) -> str:
        """Return the path of the journal file that begins with this record."""
        return os.path.join(self.folder, f"wal-{first:020}.bkj")

    def snapshot_path(self, position: int) -> str:
        """Return the path of the snapshot after this record."""
        return os.path.join(self.folder, f"snap-{position:020}.bks")

    def begin(self, state: CalendarState, position: int) -> tuple[bytes, int]:
        """Write the first files of a calendar after a record, the journal before the snapshot, as always.

        Returned are the id of the store, which is a new one, and the time. Raises: OSError, `SnapshotError`.
        """
        store_id, time = bytes.fromhex(self.fs.token())[:STORE_ID_SIZE], self.fs.now()
        self.begin_file(store_id, position + 1, time)
        self.save(state, store_id, position)
        return store_id, time

    def begin_file(self, store_id: bytes, first: int, time: int) -> None:
        """Make a journal file without records; it and its name are on the disk. *time* is that of the record before.

        Raises: OSError.
        """
        write_file(self.fs, self.file_path(first), header(store_id, first, time, self.secret))
        sync_folder(self.fs, self.folder)

    def save(self, state: CalendarState, store_id: bytes, position: int, rows: Rows | None = None) -> int:
        """Write the snapshot after a record, whose header has that position beside the id of the store; return its size.

        Raises: as `bookcore.persist.snapshot.save`, where *rows* are explained.
        """
        own = store_id + position.to_bytes(8, "little")
        return save(state, self.snapshot_path(position), key=self.secret or None, fs=self.fs, store_id=own, rows=rows)

    def write_clean(self, store_id: bytes, position: int) -> None:
        """Note that so many records were there when the journal was shut down. Raises: OSError."""
        data = _CLEAN.pack(_CLEAN_MAGIC, store_id, position)
        temporary = os.path.join(self.folder, _TEMPORARY)
        if self.fs.exists(temporary):
            self.fs.unlink(temporary)
        write_file(self.fs, temporary, data + _CHECK.pack(crc32(data)) + seal(self.secret, data))
        self.fs.replace(temporary, os.path.join(self.folder, CLEAN))
        sync_folder(self.fs, self.folder)


class End(NamedTuple):
    """Where the records end: the last file, its size up to there, the bytes that follow, and files without a header.

    ``grown`` is the size of all files that were read.
    """

    first: int
    size: int
    position: int
    time: int
    rest: int
    unfinished: list[int]
    grown: int = 0


class DirectoryJournal:
    """The writing end. `append` and `rotate` are called under the calendar's lock, the others without it."""

    largest = 1 << 26
    """The size in bytes after which a new file is begun."""
    most = Limits().max_bytes - HEADER_SIZE - FRAME_SIZE - SEAL_SIZE
    """The size in bytes of the largest record: no larger file is read."""
    floor = 1 << 22
    """The size in bytes that the records after the newest snapshot may have whatever its size is."""

    def __init__(
        self, where: Directory, lock: tuple[int, ...], store_id: bytes, policy: Policy, end: End, snapshots: list[int],
        snapshot_size: int, *, is_new: bool,
    ) -> None:  # fmt: skip
        """Go on at the *end* of the records, where what a crash left is removed, unless the directory *is_new*.

        *snapshot_size* is that of the newest snapshot. Raises: `JournalError`.
        """
        self.where, self.store_id = where, store_id
        self.folder, self.fs, _ = where
        self.position = self.synced = end.position
        self._sync_when, self._keep, self.threads = policy
        self._first, self._size, self._time, self._snapshots = end.first, end.size, end.time, snapshots
        self._grown, self._enough = end.grown, max(self.floor, snapshot_size)
        self._oldest = 0.0  # no record that is not synced was appended before, with `sync="batch"`
        self._calls: SimpleQueue[bool] | None = None  # to the thread that syncs, where there is one
        self._is_called = False
        self._join: Callable[[], None] | None = None  # waits for its end
        self._pid = self.fs.process()
        self._closed: str | None = None  # why no record is taken
        self._unsynced: str | None = None  # why a sync failed
        self._group = GroupCommit(policy.threads.now)
        self._lock: tuple[int, ...] | None = None  # until nothing can go wrong any more: the caller closes it then
        self._fd: int | None = None
        try:
            with translated_os_errors(self.folder, "cannot be written"):
                self._fd = self.fs.append(where.file_path(end.first))
                if not is_new:
                    self._repair(self._fd, end)
            if self._sync_when == "batch":
                self._start_thread()
        except BaseException:
            self.release()
            raise
        self._lock = lock

    def _start_thread(self) -> None:
        self._calls = SimpleQueue()
        try:
            self._join = self.threads.start(partial(sync_behind, WeakMethod(self.sync_appended), self._calls, self.threads))
        except RuntimeError as exc:
            raise JournalError(self.folder, f"there can be no thread that syncs it ({exc})") from exc

    def _repair(self, fd: int, end: End) -> None:
        """Remove what a crash left, and have on the disk what was read: a killed process may not have synced it."""
        for first in end.unfinished:
            self.fs.unlink(self.where.file_path(first))
        if end.rest:
            self.fs.truncate(fd, end.size)
        self.fs.sync(fd)
        sync_folder(self.fs, self.folder)

    # -- records -----------------------------------------------------------------------------------

    def check_open(self) -> None:
        """Raise `JournalClosedError` if no record is taken any more."""
        if self.is_forked():
            reason = f"process {self._pid} has it open, from which this one was forked; it writes, this one does not"
            raise JournalClosedError(self.folder, reason)
        reason = self._unsynced or self._closed or ""
        if reason:
            raise JournalClosedError(self.folder, f"takes no more changes: {reason}")

    def _check_place(self) -> None:
        """Raise `JournalClosedError` if another directory is in the place of the one that was opened.

        A backup, say, which another calendar may have open: what is done by names would be done there.
        """
        if self._lock is not None and not self.fs.is_at(self._lock[0], os.path.join(self.folder, LOCK)):
            self._closed = self._closed or "the directory was moved or replaced while it was open; open it anew"
            raise JournalClosedError(self.folder, f"takes no more changes: {self._closed}")

    def _file(self) -> int:
        if self._fd is None:
            raise JournalClosedError(self.folder, f"takes no more changes: {self._closed or 'it was closed'}")
        return self._fd

    def is_forked(self) -> bool:
        """Tell whether this is a process that was forked from the one which has the directory open."""
        return self.fs.process() != self._pid

    def takes_records(self) -> bool:
        """Tell whether `check_open` raises nothing."""
        return not self.is_forked() and self._unsynced is None and self._closed is None

    def append(self, record: bytes) -> None:
        """Write a record after the last one; if that fails, the file is as it was.

        Raises: `JournalClosedError`, `JournalError`.
        """
        self.check_open()
        if len(record) > self.most:
            what = f"one change of {len(record)} bytes, and at most {self.most} are read; divide it"
            raise JournalError(self.folder, what)
        if self._size > HEADER_SIZE and self._size + len(record) > self.largest:
            self.rotate()
        sequence, fd = self.position + 1, self._file()
        time = max(self._time, self.fs.now())
        data = frame(self.store_id, self._first, sequence, self.synced, time, record, self.where.secret)
        end, grown = self._size + len(data), self._grown + len(data)
        if self._calls is not None and self.synced == self.position:
            self._oldest = self.threads.now()
        self._closed = "a record was cut off while it was written; open the directory anew"
        try:
            write_all(self.fs, fd, data)
        except BaseException as exc:
            try:
                self.fs.truncate(fd, self._size)
                self._closed = None
            except OSError:
                self._closed = f"a record was written in part ({words(exc)}); open the directory anew"
            if isinstance(exc, OSError):
                raise JournalError(self.folder, f"the change was not written: {words(exc)}") from exc
            raise
        # no call comes before the end of this method, so Ctrl-C does not either
        self._size, self._grown, self._time = end, grown, time
        self.position = sequence
        self._closed = None

    def wait(self) -> None:
        """Wait until all records up to now are as safe as the policy asks for. Raises: as `sync`."""
        calls = self._calls
        if calls is None:
            if self._sync_when == "always":
                self.sync(self.position)
        elif self.synced < self.position and self.threads.now() - self._oldest > LONGEST:
            self.sync(self.position)
        elif not self._is_called:
            self._is_called = True
            calls.put(True)

    def sync_appended(self) -> bool:
        """Sync what has been appended, as the thread of ``sync="batch"`` does; False if that has failed."""
        self._is_called = False  # a thread that appends from here on calls this one again
        try:
            self.sync(self.position)
        except Exception as exc:  # whatever it is, no thread would sync any more
            self._unsynced = self._unsynced or f"the thread that syncs has ended ({failure(exc)}); open the directory anew"
            logging.getLogger("bookcore").error("%s: takes no more changes: %s", self.folder, self._unsynced)
            return False
        return True

    def sync(self, position: int) -> None:
        """Wait until the records up to *position* are on the disk.

        Raises: `JournalClosedError` when syncing them has failed, now or before.
        """
        if self.synced >= position:
            return
        if self.is_forked():  # a thread that is not in this process may have the turn to sync
            self.check_open()
        self._group.wait(self, position)

    def sync_once(self, position: int) -> None:
        """Do what `sync` does, in the thread whose turn it is."""
        if self.synced >= position:
            return
        if self._unsynced is None:
            began = 0.0 if self._calls is None else self.threads.now()
            reached, fd = self.position, self._file()
            try:
                self.fs.sync_data(fd)
                # in this order: a record that is appended between the two counts as older than it is
                self._oldest = began
                self.synced = reached
                return
            except OSError as exc:
                self._unsynced = (
                    f"the disk did not confirm a write ({words(exc)}); records after {self.synced} may be lost when this "
                    "process ends. Questions are answered still. Take a snapshot elsewhere, then open the directory anew"
                )
        raise JournalClosedError(self.folder, f"takes no more changes: {self._unsynced}")

    # -- files -------------------------------------------------------------------------------------

    def rotate(self) -> None:
        """Begin a new file, unless the present one has no record yet. Any failure closes the journal.

        Raises: `JournalClosedError`.
        """
        self.check_open()
        self._check_place()
        if self.position + 1 == self._first:
            return
        self._group.run(self, self._begin_next)

    def _begin_next(self) -> None:
        """Sync the present file, and go on in a new one. No other thread syncs."""
        self.sync_once(self.position)
        self._closed = "a new file was begun, and that was cut off; open the directory anew"
        old = self._file()
        try:
            first = self.position + 1
            self.where.begin_file(self.store_id, first, self._time)
            self._fd = self.fs.append(self.where.file_path(first))
        except OSError as exc:
            self._closed = f"no new file could be begun ({words(exc)}); open the directory anew"
            raise JournalClosedError(self.folder, f"takes no more changes: {self._closed}") from exc
        self._first, self._size, self._closed = first, HEADER_SIZE, None
        with suppress(OSError):  # it is synced
            self.fs.close(old)

    @property
    def newest(self) -> int:
        """The position of the newest snapshot."""
        return self._snapshots[-1]

    @property
    def grown(self) -> int:
        """The size in bytes of all records after the newest snapshot."""
        return self._grown

    def has_outgrown(self) -> bool:
        """Tell whether the records after the newest snapshot are larger than it is, and than ``floor``."""
        return self._grown > self._enough

    def put_off(self) -> None:
        """Let the records grow by as much again before `has_outgrown`, because no snapshot could be written now."""
        self._enough += self._grown

    def purge(self, position: int, size: int, grown: int) -> None:
        """Remove what is not needed any more, now that the snapshot of this position, and of this size, is on the disk.

        *grown* is what `grown` was at that position. Raises: `JournalError` when something cannot be removed.
        """
        if self._lock is None:  # closed meanwhile, so that the directory may be another calendar's
            return
        self._check_place()
        if position > self.newest:
            self._grown -= grown
            self._enough = max(self.floor, size)
        self._snapshots = sorted({*self._snapshots, position})[-self._keep :]
        needed = self._snapshots[0] + 1
        with translated_os_errors(self.folder, "the snapshot is written, but old files could not be removed"):
            there = Names.read(self.fs, self.folder)
            # snapshots first, and for good, so that none remains whose records are gone
            outdated = [old for old in there.snapshots if old not in self._snapshots and old < position]
            for old in outdated:
                self.fs.unlink(self.where.snapshot_path(old))
            if outdated:
                sync_folder(self.fs, self.folder)
            for first in there.files:
                if first < needed:
                    self.fs.unlink(self.where.file_path(first))

    def close(self) -> None:
        """Sync everything, note that nothing is missing, and unlock the directory. Raises: `JournalError`.

        In a forked process it only closes the descriptors. Called again it does nothing, unless it was cut off.
        """
        if self._lock is None:
            return
        try:
            if not self.is_forked() and self._closed is None:
                self.sync(self.position)
                self._check_place()
                with translated_os_errors(self.folder, "all is written, but not that it was shut down"):
                    self.where.write_clean(self.store_id, self.position)
        finally:
            self._closed = self._closed or "it was closed"
            self._end_thread()
            self.release()

    def _end_thread(self) -> None:
        """End the thread that syncs, and wait for that; a forked process has none."""
        if self._calls is not None and self._join is not None and not self.is_forked():
            self._calls.put(False)
            self._join()

    def release(self) -> None:
        """Close the descriptors, and unlock the directory, in a forked process only the first.

        If it is cut off, the directory may be locked still; called again, it is unlocked.
        """
        if self._calls is not None:
            self._calls.put(False)
        fd, self._fd = self._fd, None
        with suppress(OSError):
            if fd is not None:
                self.fs.close(fd)
        for lock in self._lock or ():
            with suppress(OSError):  # it was closed before this was cut off
                (self.fs.close if self.is_forked() else self.fs.unlock)(lock)
        self._lock = None  # not before it is unlocked

    def __del__(self) -> None:
        if getattr(self, "_lock", None) is not None:
            self.release()


def read_clean(path: str, data: bytes, secret: bytes) -> tuple[bytes, int]:
    """Return store id and position from what `write_clean` wrote. Raises: `JournalDamagedError`."""
    written, rest = data[: _CLEAN.size], data[_CLEAN.size :]
    if data[: len(_CLEAN_MAGIC)] != _CLEAN_MAGIC or rest != _CHECK.pack(crc32(written)) + seal(secret, written):
        raise JournalDamagedError(path, "is not what was written when the calendar was shut down")
    _, store_id, position = _CLEAN.unpack(written)
    return store_id, position


def write_file(fs: FileSystem, path: str, data: bytes) -> None:
    """Write a new file and sync it. Raises: OSError."""
    fd = fs.create(path)
    try:
        write_all(fs, fd, data)
        fs.sync(fd)
    finally:
        fs.close(fd)
