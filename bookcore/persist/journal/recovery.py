"""From a directory to a calendar: the newest snapshot that is whole, then every record after it.

    lock  ->  names  ->  snapshot  ->  files, one after the other  ->  CLEAN  ->  only now: repair, sync, go on

Nothing is changed before everything has been read and applied. Lawful after a crash, and repaired: a last file whose end is
torn, a last file that has not even a header, a new directory without its first snapshot, a newest snapshot that is damaged
while an older one and all records since are whole. Everything else is damage, and an error that names the file.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from bookcore.engine.state import CalendarState
from bookcore.model.errors import BookcoreError, SnapshotError
from bookcore.model.event import BookingEvent
from bookcore.persist.codec.blob import MissingCodec
from bookcore.persist.errors import SnapshotDamagedError, SnapshotKeyError, SnapshotTypeError, failure
from bookcore.persist.fs import FileSystem, read_all, sync_folder, words
from bookcore.persist.journal.behind import Policy
from bookcore.persist.journal.directory import (
    CLEAN,
    LOCK,
    DirectoryJournal,
    Names,
    begin_file,
    file_path,
    read_clean,
    snapshot_path,
    told_as_journal,
)
from bookcore.persist.journal.errors import (
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalVersionError,
)
from bookcore.persist.journal.frames import (
    HEADER_SIZE,
    STORE_ID_SIZE,
    VERSION,
    Frames,
    read_frames,
    read_header,
)
from bookcore.persist.journal.records import Replay
from bookcore.persist.snapshot.format import Limits
from bookcore.persist.snapshot.save_load import load_file, save

__all__ = ["Make", "recover"]

C = TypeVar("C")
Make = Callable[..., tuple[C, CalendarState]]


class _End(NamedTuple):
    """Where a directory's records end: the last file, its size up to there, and files that have no header.

    ``grown`` is the size of all records after the snapshot.
    """

    first: int
    size: int
    position: int
    is_torn: bool
    unfinished: list[int]
    grown: int


class _Progress:
    """Tells a function of the program how many bytes were read, of how many."""

    def __init__(self, told: Callable[[int, int], Any] | None, folder: str, names: Names, fs: FileSystem) -> None:
        self._told, self._folder, self._names, self._fs = told, folder, names, fs
        self._read = self._all = 0

    def begin(self, snapshot_size: int, position: int) -> None:
        """Note which snapshot was read, and find out how large the files after it are."""
        if self._told is not None:
            files = [_size(self._fs, file_path(self._folder, first)) for first in self._names.files if first > position]
            self._all = snapshot_size + sum(files)
            self.read(snapshot_size)

    def read(self, size: int) -> None:
        """Tell that so many more bytes were read."""
        if self._told is not None:
            self._read += size
            self._told(self._read, self._all)


def recover(
    make: Make[C], folder: str, known: dict[str, type], fs: FileSystem, policy: Policy, *,
    bounds: str | None, create: bool, progress: Callable[[int, int], Any] | None = None,
) -> tuple[C, CalendarState, DirectoryJournal]:  # fmt: skip
    """Return the calendar that a directory holds, its state, and the journal to go on with. The directory is locked.

    Raises: `JournalError` and `SnapshotError`, and nothing else but what *make* raises. A directory that is refused as
    damaged, foreign or in use stays as it was, but for LOCK. A repair or a beginning that fails is finished by the next
    opening. *progress* is called with the bytes that were read, and those of all, now and then; what it raises comes as
    it is.
    """
    _check_folder(fs, folder, create)
    lock = _locked(fs, folder)
    try:
        with told_as_journal(folder, "cannot be read"):
            names = Names.read(fs, folder)
        begins = _begins(fs, folder, names)
        told = _Progress(progress, folder, names, fs)
        if begins:
            calendar, state, store_id, snapshot_size = _begin(make, folder, names, fs, policy.secret, bounds, create)
            snapshots, end = [0], _End(1, HEADER_SIZE, 0, False, [], 0)
        else:
            calendar, state, snapshot, snapshot_size = _newest(make, folder, names, known, fs, policy.secret)
            told.begin(snapshot_size, snapshot[1])
            if bounds is not None and bounds != state.bounds:
                raise JournalError(folder, f"its calendar has the bounds {state.bounds!r}, not {bounds!r}")
            store_id = snapshot[0]
            end = state.gate.run(_replay, state, folder, names, known, fs, policy.secret, told, *snapshot)
            _check_clean(fs, folder, names, store_id, end.position, policy.secret)
            snapshots = [position for position in names.snapshots if position <= snapshot[1]]
        journal = DirectoryJournal(
            folder, fs, lock, store_id, policy, first=end.first, position=end.position, size=end.size,
            snapshots=snapshots, snapshot_size=snapshot_size, grown=end.grown,
            repair=None if begins else (end.is_torn, end.unfinished),
        )  # fmt: skip
    except BaseException:
        with suppress(OSError):
            fs.unlock(lock)
        raise
    return calendar, state, journal


def _check_folder(fs: FileSystem, folder: str, create: bool) -> None:
    """Make the directory if it is not there and may be made; refuse one that is not a store and not empty."""
    with told_as_journal(folder, "cannot be opened"):
        if not fs.is_folder(folder):
            if fs.exists(folder):
                raise JournalError(folder, "is not a directory; a snapshot file is read by Calendar.restore")
            if not create:
                raise JournalError(folder, "there is no such directory, and create is false")
            fs.make_folder(folder)
            sync_folder(fs, os.path.dirname(folder) or os.curdir)
            return
        names = Names.read(fs, folder)
    if names.snapshots or names.files:
        return
    if names.foreign:
        raise JournalError(folder, f"holds files of others and no calendar ({names.foreign[0]}); take an empty directory")
    if not create:
        raise JournalError(folder, "there is no calendar in it, and create is false")


def _locked(fs: FileSystem, folder: str) -> int:
    """Lock the directory and note who holds it."""
    path = os.path.join(folder, LOCK)
    try:
        lock = fs.lock(path)
    except BlockingIOError:
        pid, _, host = _read(fs, path)[:300].decode("utf-8", "replace").strip().partition(" ")
        told = pid.isascii() and pid.isdigit() and host.isprintable()
        raise JournalInUseError(folder, int(pid) if told else None, host if told else None) from None
    except OSError as exc:
        raise JournalError(folder, f"cannot be locked: {words(exc)}") from exc
    try:
        fs.truncate(lock, 0)
        fs.write(lock, memoryview(f"{fs.process()} {fs.host()}\n".encode()))
    except OSError as exc:
        with suppress(OSError):
            fs.close(lock)
        raise JournalError(folder, f"cannot be locked: {words(exc)}") from exc
    return lock


def _size(fs: FileSystem, path: str) -> int:
    """Return the size of a file. Raises: `JournalError`."""
    with told_as_journal(path, "cannot be read"):
        fd = fs.open(path)
        try:
            return fs.size(fd)
        finally:
            fs.close(fd)


def _read(fs: FileSystem, path: str) -> bytes:
    """Return the bytes of a regular file. Raises: `JournalError`."""
    most = Limits().max_bytes
    with told_as_journal(path, "cannot be read"):
        fd = fs.open(path)
        try:
            size = fs.size(fd)
            if not 0 <= size <= most:
                raise JournalError(path, "is no regular file" if size < 0 else f"{size} bytes; at most {most} are read")
            return read_all(fs, fd, size)
        finally:
            fs.close(fd)


# -- a new directory ---------------------------------------------------------------------------------


def _begins(fs: FileSystem, folder: str, names: Names) -> bool:
    """Tell whether a directory has no calendar yet, or was left by one whose making was cut off."""
    if names.snapshots:
        return False
    if names.has_clean or names.files not in ([], [1]):
        raise JournalDamagedError(folder, "all its snapshots are gone")
    if names.files and len(_read(fs, file_path(folder, 1))) > HEADER_SIZE:
        raise JournalDamagedError(folder, "its first snapshot is gone")
    return True


def _begin(
    make: Make[C], folder: str, names: Names, fs: FileSystem, secret: bytes, bounds: str | None, create: bool
) -> tuple[C, CalendarState, bytes, int]:
    """Make an empty calendar and its first files: the journal before the snapshot, as always.

    Return also the store's id and the size of the snapshot.
    """
    if not create:
        raise JournalError(folder, "there is no calendar in it, and create is false")
    calendar, state = make(bounds=bounds or "[)", event_type=BookingEvent)
    with told_as_journal(folder, "no calendar was begun"):
        store_id = bytes.fromhex(fs.token())[:STORE_ID_SIZE]
        if names.files:
            fs.unlink(file_path(folder, 1))
        begin_file(fs, folder, file_path(folder, 1), store_id, 1, secret)
    name = snapshot_path(folder, 0)
    size = save(state, name, key=secret or None, fs=fs, store_id=store_id + bytes(8))
    return calendar, state, store_id, size


# -- a directory that holds a calendar ---------------------------------------------------------------


def _newest(
    make: Make[C], folder: str, names: Names, known: dict[str, type], fs: FileSystem, secret: bytes
) -> tuple[C, CalendarState, tuple[bytes, int], int]:
    """Return the calendar in the newest snapshot that is whole, with the store's id, the snapshot's position and its size.

    A snapshot that another key sealed, or none, counts as damaged if an older one bears the seal of this one.
    """
    errors: list[SnapshotError] = []
    for position in reversed(names.snapshots):
        path = snapshot_path(folder, position)
        try:
            calendar, state, facts = load_file(make, path, known, secret or None, Limits(), fs)
            if facts.store_id[STORE_ID_SIZE:] != position.to_bytes(8, "little"):
                raise SnapshotDamagedError(path, "was renamed, or is no part of a journal")
        except (SnapshotDamagedError, SnapshotKeyError) as exc:
            errors.append(exc)
            continue
        if errors:
            logging.getLogger("bookcore").error("%s; the older %s and all records since are read", errors[0], path)
        return calendar, state, (facts.store_id[:STORE_ID_SIZE], position), _size(fs, path)
    raise errors[0]


def _replay(
    state: CalendarState, folder: str, names: Names, known: dict[str, type], fs: FileSystem, secret: bytes, told: _Progress,
    store_id: bytes, position: int,
) -> _End:  # fmt: skip
    """Apply all records after a position. The calendar's lock is held for writing."""
    replay = Replay(state, known)
    start = position
    chain = [first for first in names.files if first > position]
    if not chain or chain[0] != position + 1:
        raise JournalDamagedError(folder, f"the records from {position + 1} on are gone")
    size, end, grown = HEADER_SIZE, start + 1, 0
    for first in chain:
        path, is_last = file_path(folder, first), first == chain[-1]
        if first != position + 1:
            raise JournalDamagedError(folder, f"the records {position + 1} to {first - 1} are gone")
        data = _read(fs, path)
        if is_last and first > start + 1 and len(data) <= HEADER_SIZE and read_header(data) is None:
            return _End(end, size, position, False, [first], grown)  # its making was cut off
        frames = _frames(path, data, store_id, first, secret)
        if frames.end < len(data) and not (is_last and frames.proof is None):
            what = f"record {first + len(frames.records)} is damaged"
            proof = "" if frames.proof is None else f": a later one, at byte {frames.proof}, shows that it was written"
            if frames.proof == frames.end:
                proof = ": it bears no seal of this key, or is out of its place"
            raise JournalDamagedError(path, what + proof, offset=frames.end)
        seen = 0
        for at, length in frames.records:
            _apply(replay, path, at, data[at : at + length])
            position += 1
            if not position % _OFTEN:
                told.read(at + length - seen)
                seen = at + length
        told.read(len(data) - seen)
        end, size, grown = first, frames.end, grown + frames.end - HEADER_SIZE
    if rest := len(data) - frames.end:
        logging.getLogger("bookcore").warning(
            "%s: after record %d, %d bytes are no record; they are cut off", path, position, rest
        )
    return _End(end, size, position, rest > 0, [], grown)


_OFTEN = 1 << 12
"""After how many records progress is told."""


def _frames(path: str, data: bytes, store_id: bytes, first: int, secret: bytes) -> Frames:
    """Return the frames of a file that should be this one."""
    found = read_header(data)
    if found is None:
        raise JournalDamagedError(path, "its header is damaged", offset=0)
    version, its_store, its_first, is_sealed = found
    if version != VERSION:
        if version > VERSION:
            raise JournalVersionError(path, version, VERSION)
        raise JournalDamagedError(path, f"there is no format {version}", offset=8)
    if its_store != store_id:
        raise JournalDamagedError(path, "is a file of another calendar; each has a directory of its own")
    if its_first != first:
        raise JournalDamagedError(path, f"was renamed: it begins with record {its_first}")
    if is_sealed is not bool(secret):  # the snapshot said otherwise
        raise JournalDamagedError(path, f"was written {'with' if is_sealed else 'without'} a key, unlike the snapshot")
    return read_frames(data, store_id, first, secret)


def _apply(replay: Replay, path: str, at: int, record: bytes) -> None:
    """Apply one record; whatever goes wrong names the file."""
    try:
        replay.apply(record)
    except MissingCodec as exc:
        raise SnapshotTypeError(path, exc.reason, [exc.name]) from exc
    except MemoryError as exc:
        raise JournalError(path, "there is not enough memory to read it", offset=at) from exc
    except BookcoreError as exc:
        raise JournalDamagedError(path, f"a record that does not follow from those before: {exc}", offset=at) from exc
    except Exception as exc:  # the user's classes and keys may fail in any way on data of another's making
        raise JournalDamagedError(path, f"a record that cannot be applied ({failure(exc)})", offset=at) from exc


def _check_clean(fs: FileSystem, folder: str, names: Names, store_id: bytes, position: int, secret: bytes) -> None:
    """Raise if there were more records when the calendar was shut down than are here now."""
    if not names.has_clean:
        return
    path = os.path.join(folder, CLEAN)
    its_store, least = read_clean(path, _read(fs, path), secret)
    if its_store != store_id:
        raise JournalDamagedError(path, "is a file of another calendar; each has a directory of its own")
    if position < least:
        raise JournalDamagedError(folder, f"it had {least} records when it was shut down, {position} of them are here")
