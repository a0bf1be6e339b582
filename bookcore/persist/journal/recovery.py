"""From a directory to a calendar: the newest snapshot that is whole, then every record after it.

    lock  ->  names  ->  snapshot  ->  files, one after the other  ->  CLEAN  ->  only now: repair, sync, go on

Nothing is changed before everything has been read and applied. Lawful after a crash, and repaired: a last file whose end is
torn, a last file that has not even a header, a new directory without its first snapshot, a newest snapshot that is damaged
while an older one and all records since are whole. Everything else is damage, and an error that names the file.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from typing import NoReturn

from bookcore.engine.state import CalendarState
from bookcore.model.errors import SnapshotError
from bookcore.persist.fs import FileSystem, sync_parent, words
from bookcore.persist.journal.behind import Policy
from bookcore.persist.journal.directory import (
    LOCK,
    Directory,
    DirectoryJournal,
    End,
    Names,
    translated_os_errors,
)
from bookcore.persist.journal.errors import JournalDamagedError, JournalError, JournalInUseError
from bookcore.persist.journal.frames import HEADER_SIZE
from bookcore.persist.journal.reading import Asked, C, Make, Progress, Reader, read_file, replay

SUFFIX = ".bks"
"""How the name of a snapshot file ends."""
_OF_FILES = frozenset({SUFFIX, ".db", ".db3", ".sqlite", ".sqlite3"})
_SQLITE = b"SQLite format 3\0"
_LIKE_AN_ADDRESS = re.compile(r"[a-z][a-z0-9+.]+:", re.ASCII | re.IGNORECASE)


def recover(
    make: Make[C], where: Directory, known: dict[str, type], policy: Policy, *,
    asked: Asked, create: bool, progress: Progress | None = None,
) -> tuple[C, CalendarState, DirectoryJournal]:  # fmt: skip
    """Return the calendar that a directory holds, its state, and the journal to go on with. The directory is locked.

    Raises: `JournalError` and `SnapshotError`, and nothing else but what *make* raises. A directory that is refused as
    damaged, foreign or in use stays as it was, but for LOCK. A repair or a beginning that fails is finished by the next
    opening.
    """
    folder, fs, _ = where
    _check_folder(fs, folder, create)
    lock = locked(fs, folder)
    journal: DirectoryJournal | None = None
    try:
        reader = Reader(where, progress)
        begins = _begins(reader)
        if begins:
            calendar, state, store_id, time = _begin(make, reader, asked, create)
            position, snapshots, end = 0, [0], End(1, HEADER_SIZE, 0, time, 0, [])
        else:
            calendar, state, store_id, position, damaged = reader.load(make, known, reversed(reader.names.snapshots))
            asked.check(folder, state)
            state.gate.run(replay, state, known, reader.records(store_id, position))
            snapshots, end = [each for each in reader.names.snapshots if each <= position], reader.end
            _log(reader, position, damaged)
        journal = DirectoryJournal(
            where, lock, store_id, policy, end, snapshots, reader.size(where.snapshot_path(position)), is_new=begins
        )
        return calendar, state, journal
    except BaseException:
        if journal is not None:  # pragma: no cover - Ctrl-C came here; tests of that trace, and coverage does not see them
            journal.release()
        else:
            _unlock(fs, *lock)
        raise


def _unlock(fs: FileSystem, *locks: int | None) -> None:
    for each in locks:
        if each is not None:
            with suppress(OSError):
                fs.unlock(each)


def _check_folder(fs: FileSystem, folder: str, create: bool) -> None:
    """Make the directory if it is not there and may be made; refuse one that is not a store and not empty."""
    with translated_os_errors(folder, "cannot be opened"):
        if not fs.is_folder(folder):
            check_kind(fs, folder)
            if not create:
                raise JournalError(folder, "there is no such directory, and create is false")
            fs.make_folder(folder)
            sync_parent(fs, folder)
            return
        names = Names.read(fs, folder)
    if names.snapshots or names.files:
        return
    if names.foreign:
        raise JournalError(folder, f"holds files of others and no calendar ({names.foreign[0]}); take an empty directory")
    if not create:
        raise JournalError(folder, "there is no calendar in it, and create is false")


def check_kind(fs: FileSystem, path: str) -> None:
    """Raise `JournalError` if the path leads to something other than a directory. Raises: OSError."""
    if not fs.exists(path) or fs.is_folder(path):
        return
    if not fs.is_special(path) and read_file(fs, path, len(_SQLITE)) == _SQLITE:
        raise JournalError(path, f"is not a directory but a SQLite file: write sqlite:///{path}")
    raise JournalError(path, "is not a directory; a snapshot file is read by Calendar.restore")


def check_says_kind(path: str, asked: str) -> None:
    """Raise `JournalError` if a new directory would have a name like that of a file or a database."""
    if path == asked and (os.path.splitext(path)[1].lower() in _OF_FILES or _LIKE_AN_ADDRESS.match(path)):
        what = f"a snapshot file ends in {SUFFIX}, a directory in {os.sep} or is there already, a SQLite file is sqlite:///path"
        raise JournalError(path, f"does not say what it is to be: {what}")


def locked(fs: FileSystem, folder: str) -> tuple[int, ...]:
    """Lock a directory, and its file LOCK. Returns the descriptors, of LOCK the first, for `FileSystem.unlock`.

    The lock of the directory keeps others out also when LOCK has been removed. That of LOCK does so for earlier
    versions, and where directories cannot be locked.
    """
    own: int | None = None
    lock: int | None = None
    try:  # no context manager: Ctrl-C at the end of its block would leave the file locked for ever
        own = fs.lock_folder(folder)
        lock = locked_file(fs, folder, LOCK)
        return (lock,) if own is None else (lock, own)
    except BaseException as exc:
        _unlock(fs, lock, own)
        if isinstance(exc, OSError):
            _refuse(exc, fs, folder, LOCK)
        raise


def _in_use(fs: FileSystem, folder: str, name: str) -> JournalInUseError:
    """Return the error that names the process which holds a lock, if the file LOCK names it."""
    try:
        text = read_file(fs, os.path.join(folder, name), 300)
    except JournalError:  # LOCK has been removed
        text = b""
    pid, _, host = text.decode("utf-8", "replace").strip().partition(" ")
    is_readable = pid.isascii() and pid.isdigit() and host.isprintable()
    if not is_readable:
        return JournalInUseError(folder, None, None)
    return JournalInUseError(folder, int(pid), host, here=(int(pid), host) == (fs.process(), fs.host()))


def locked_file(fs: FileSystem, folder: str, name: str) -> int:
    """Lock a file of a directory, and note this process in it. Returns its descriptor, for `FileSystem.unlock`."""
    lock: int | None = None
    try:
        lock = fs.lock(os.path.join(folder, name))
        fs.truncate(lock, 0)
        fs.write(lock, memoryview(f"{fs.process()} {fs.host()}\n".encode()))
        return lock
    except BaseException as exc:
        _unlock(fs, lock)
        if isinstance(exc, OSError):
            _refuse(exc, fs, folder, name)
        raise


def _refuse(fault: OSError, fs: FileSystem, folder: str, name: str) -> NoReturn:
    """Raise a `JournalError` for a lock that could not be taken. The file of this name says which process holds it."""
    if isinstance(fault, BlockingIOError):
        raise _in_use(fs, folder, name) from None
    raise JournalError(folder, f"cannot be locked: {words(fault)}") from fault


# -- a new directory ---------------------------------------------------------------------------------


def _begins(reader: Reader) -> bool:
    """Tell whether a directory has no calendar yet; the making of one may have been cut off."""
    names = reader.names
    if not names.snapshots and (names.has_clean or names.files not in ([], [1])):
        reader.check_there()
    if not names.snapshots and names.files and len(read_file(reader.fs, reader.where.file_path(1))) > HEADER_SIZE:
        raise JournalDamagedError(reader.folder, "its first snapshot is gone")
    return not names.snapshots


def _begin(make: Make[C], reader: Reader, asked: Asked, create: bool) -> tuple[C, CalendarState, bytes, int]:
    """Make an empty calendar and its first files; return also the id of the store, and the time."""
    if not create:
        raise JournalError(reader.folder, "there is no calendar in it, and create is false")
    calendar, state = asked.make_new(make)
    with translated_os_errors(reader.folder, "no calendar was begun"):
        if reader.names.files:
            reader.fs.unlink(reader.where.file_path(1))
        return calendar, state, *reader.where.begin(state, 0)


# -- a directory that holds a calendar ---------------------------------------------------------------


def _log(reader: Reader, position: int, damaged: list[SnapshotError]) -> None:
    """Log a fault that a crash may leave, and that was repaired."""
    log, end = logging.getLogger("bookcore"), reader.end
    if damaged:
        path = reader.where.snapshot_path(position)
        log.error("%s; the older %s and all records since are read", damaged[0], path)
    if end.rest:
        text = "%s: after record %d, %d bytes are no record; they are cut off"
        log.warning(text, reader.where.file_path(end.first), end.position, end.rest)
