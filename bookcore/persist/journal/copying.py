"""`backup` and `salvage`: a directory into a new one. The old one is only read, and not locked.

    backup     every snapshot and every record, byte for byte; a directory that is damaged is refused
    salvage    the calendar, from all that can be read of a damaged directory, as one snapshot
    open_salvaged    the same calendar in memory

The new one is made as every directory is, records before snapshots: what is cut off is refused when it is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from bookcore.engine.state import CalendarState
from bookcore.model import change as changes
from bookcore.model.errors import BookcoreError, SnapshotError
from bookcore.model.event import BookingEvent
from bookcore.model.keys import normal
from bookcore.persist.errors import SnapshotKeyError, SnapshotTypeError
from bookcore.persist.fs import FileSystem, sync_folder, sync_parent
from bookcore.persist.journal.directory import Directory, translated_os_errors, write_file
from bookcore.persist.journal.errors import JournalDamagedError, JournalError, JournalReadOnlyError
from bookcore.persist.journal.past import PastRecorder, read_history
from bookcore.persist.journal.reading import (
    Asked,
    C,
    Loaded,
    Make,
    Progress,
    Reader,
    Record,
    apply,
    blank,
    read_file,
    reread,
)
from bookcore.persist.journal.records import Replay
from bookcore.persist.journal.verify import Verified, verify
from bookcore.persist.snapshot.classes import StandIns
from bookcore.persist.snapshot.format import path_text


@contextmanager
def _new(folder: str, fs: FileSystem, source: str) -> Iterator[None]:
    """Make a directory, or take an empty one; if it cannot be finished, nothing of it stays. Raises: `JournalError`."""
    there = os.path.realpath(folder)
    if os.path.realpath(source) in (there, os.path.dirname(there)):
        raise JournalError(folder, "is in the directory that is read; name another")
    with translated_os_errors(folder, "cannot be made"):
        is_made = not fs.exists(folder)
        if is_made:
            fs.make_folder(folder)
        elif not fs.is_folder(folder) or fs.names(folder):
            raise JournalError(folder, "is there and not empty; name a new directory")
    try:
        with translated_os_errors(folder, "cannot be written"):
            sync_parent(fs, folder)
            yield
    except BaseException:
        with suppress(OSError):
            _empty(fs, folder)
            if is_made:
                fs.remove_folder(folder)
        raise


def _empty(fs: FileSystem, folder: str) -> None:
    """Remove all files of a directory. Raises: OSError."""
    for name in fs.names(folder):
        fs.unlink(os.path.join(folder, name))


def backup(
    directory: str | os.PathLike[str], to: str | os.PathLike[str], *, key: bytes | None = None,
    progress: Progress | None = None,
) -> Verified:  # fmt: skip
    """Copy a directory into a new one, and verify the copy. A calendar may have the directory open, and go on.

    The copy has every snapshot, and every record that had been written when the last file was read. It is a directory that
    was shut down: what is lost of it later is noticed. After a failure there is nothing at *to*.

    Raises: `JournalError` and `SnapshotError`, as `Calendar.open` for a directory that is damaged, for which `salvage` is;
    and for a *to* that is not new or empty, or cannot be written.
    Complexity: linear in the size of the directory.

    >>> from tempfile import TemporaryDirectory
    >>> from bookcore import Calendar, Resource
    >>> with TemporaryDirectory() as folder, Calendar.open(f"{folder}/rooms") as calendar:
    ...     stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
    ...     copy = backup(f"{folder}/rooms", f"{folder}/copy")
    ...     copy.position, Calendar.open(f"{folder}/copy").digest() == calendar.digest()
    (2, True)
    """
    where = Directory.of(directory, key)
    target = path_text(to)
    Reader(where).check_there()
    with _new(target, where.fs, where.folder):
        position = reread(where, progress, lambda reader: _copy(reader, Directory(target, where.fs, where.secret)))
        report = verify(target, key=key)
        if report.damage or report.position != position:
            raise JournalDamagedError(target, f"does not read back as it was written: {report.damage[:1]}")
    return report


def _copy(reader: Reader, target: Directory) -> int:
    """Copy all snapshots and the records after the oldest; return the position."""
    fs, snapshots = reader.fs, reader.names.snapshots
    reader.check_there()
    _empty(fs, target.folder)  # of what an attempt before has copied
    store_id = reader.store_in(snapshots[0])
    for _ in reader.records(store_id, snapshots[0]):  # raises where anything is damaged
        pass
    end = reader.end
    for first in reader.names.files:
        if snapshots[0] < first <= end.first:
            data = read_file(fs, reader.where.file_path(first), end.size if first == end.first else None)
            write_file(fs, target.file_path(first), data)
    for position in snapshots:
        data = read_file(fs, reader.where.snapshot_path(position))
        write_file(fs, target.snapshot_path(position), data)
        reader.advance(len(data))
    sync_folder(fs, target.folder)
    target.write_clean(store_id, end.position)
    return end.position


# -- salvage -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What `salvage` has put into a new directory, or `Calendar.open` into memory (``to`` is None then), and what was lost.

    The calendar begins with the snapshot ``start`` (None: with nothing) and ``applied`` records after it; ``position`` is
    the number of the last one. ``damage`` is what could not be read, ``missing`` are pairs of the first and the last number
    of records that are gone, ``skipped`` says of each record that was read and does not follow why, by its number.
    """

    directory: str
    to: str | None
    start: int | None
    applied: int
    position: int
    damage: tuple[BookcoreError, ...]
    missing: tuple[tuple[int, int], ...]
    skipped: dict[int, BookcoreError]

    @property
    def is_complete(self) -> bool:
        """Whether nothing was lost."""
        return not (self.damage or self.missing or self.skipped)


def salvage(
    directory: str | os.PathLike[str], to: str | os.PathLike[str], *, bounds: str = "[)", key: bytes | None = None,
    progress: Progress | None = None,
) -> Salvaged:  # fmt: skip
    """Put what can still be read of a damaged directory into a new one, and return what was lost. Nothing is repaired.

    It begins with the newest snapshot that is whole, or with nothing; *bounds* are those of the calendar then. A record that
    does not follow from those before it, because others are gone, is left out as a whole, as is one whose bookings find
    their place taken. It needs no class of the program. The new directory holds one snapshot, and is another calendar's: no
    file of the old one fits in.

    Raises: `JournalError` and `SnapshotError` for a directory that cannot be read at all, a value of a key codec that is not
    registered, a *to* that is not new or empty, or one that cannot be written; `QueryError` for *bounds* that are none.
    Complexity: linear in the size of the directory, where it is whole; more where it is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> from bookcore import Calendar, Resource
    >>> with TemporaryDirectory() as folder:
    ...     with Calendar.open(f"{folder}/rooms") as calendar:
    ...         stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
    ...     found = salvage(f"{folder}/rooms", f"{folder}/saved")
    ...     found.is_complete, found.applied, len(Calendar.open(f"{folder}/saved"))
    (True, 2, 1)
    """
    where = Directory.of(directory, key)
    target = path_text(to)
    asked = Asked.of(bounds)
    Reader(where).check_there_at_all()
    with _new(target, where.fs, where.folder):
        _, state, salvaged = _read_all(blank, where, StandIns(), target, asked, progress)
        write_new(Directory(target, where.fs, where.secret), state, salvaged.position)
    return salvaged


class SalvagedRecorder(PastRecorder):
    """The journal of a calendar that has what could be read of a damaged directory: it takes no record."""

    __slots__ = ("salvaged",)

    def __init__(self, where: Directory, salvaged: Salvaged, known: dict[str, type]) -> None:
        super().__init__(where.folder, salvaged.position, partial(read_history, where=where, known=known))
        self.salvaged = salvaged

    def refuse(self) -> None:
        """Raise `JournalReadOnlyError`."""
        reason = "is opened with salvage=True, and takes no changes; `bookcore salvage` puts it into a new directory"
        raise JournalReadOnlyError(self.salvaged.directory, reason)


def open_salvaged(
    make: Make[C], where: Directory, known: dict[str, type], asked: Asked, progress: Progress | None = None
) -> tuple[C, SalvagedRecorder]:
    """Return the calendar from all that can be read, and its journal, which has a `Salvaged` of it. Only reads.

    Raises: as `salvage`; `JournalError` for another calendar than is *asked* for.
    """
    Reader(where).check_there_at_all()
    calendar, state, salvaged = _read_all(make, where, known, None, asked, progress)
    asked.check(where.folder, state)
    recorder = SalvagedRecorder(where, salvaged, known)
    state.log.attach(recorder)
    return calendar, recorder


def _read_all(
    make: Make[C], where: Directory, known: dict[str, type], to: str | None, asked: Asked, progress: Progress | None
) -> tuple[C, CalendarState, Salvaged]:
    """Apply every record that can be read and follows; once more if files have come or gone meanwhile."""
    read = partial(_read_once, make, known=known, to=to, asked=asked)
    return reread(where, progress, read, lambda found: found[2].is_complete)


def _read_once(
    make: Make[C], reader: Reader, known: dict[str, type], to: str | None, asked: Asked
) -> tuple[C, CalendarState, Salvaged]:
    damage: list[BookcoreError] = []
    reader.on_error = damage.append
    loaded = _newest(make, reader, known, damage)
    start = 0 if loaded is None else loaded.position
    calendar, state = asked.make_new(make) if loaded is None else (loaded.calendar, loaded.state)
    store_id = reader.store_of_files() if loaded is None else loaded.store_id
    missing: list[tuple[int, int]] = []
    skipped: dict[int, BookcoreError] = {}
    applied, replay, reached = 0, Replay(state, known), start
    checked = _Checked(state)
    state.log.attach(checked)
    for record in reader.records(store_id, start):
        if record.position <= reached:
            continue  # the copy of one that was read
        if record.position > reached + 1:
            missing.append((reached + 1, record.position - 1))
        reached = record.position
        checked.record = record if missing or skipped else None
        try:
            state.gate.run(state.undoing, True, apply, replay, record)
            applied += 1
        except SnapshotTypeError:
            raise
        except JournalDamagedError as exc:
            skipped[reached] = exc
    if (least := reader.least) > reached:
        missing.append((reached + 1, least))
        reached = least
    state.log.journal, state.log.active = None, False
    begun = None if loaded is None else start
    salvaged = Salvaged(reader.folder, to, begun, applied, reached, tuple(damage), tuple(missing), skipped)
    return calendar, state, salvaged


def _newest(make: Make[C], reader: Reader, known: dict[str, type], damage: list[BookcoreError]) -> Loaded[C] | None:
    """Return the newest snapshot that is whole, if there is one."""
    for position in reversed(reader.names.snapshots):
        try:
            return reader.load(make, known, [position])
        except (SnapshotTypeError, SnapshotKeyError):
            raise
        except SnapshotError as exc:
            damage.append(exc)
    return None


class _Checked:
    """A journal that refuses bookings for which there is no room: the records that made room may be gone."""

    def __init__(self, state: CalendarState) -> None:
        self._state = state
        self.record: Record | None = None  # that is being applied, once others have been lost

    def append(self, noted: Sequence[changes.Change]) -> None:
        """Raise `JournalDamagedError` if a booking has taken what is not there."""
        if self.record is None:
            return
        for change in noted:
            match change:
                case changes.Booked(event) | changes.Moved(_, event) | changes.Changed(_, event) if not self._fits(event):
                    reason = f"a record that does not follow from those before: there is no room for {event!r}"
                    raise JournalDamagedError(self.record.path, reason, offset=self.record.at)

    def _fits(self, event: BookingEvent) -> bool:
        """Tell whether a resource has no more bookings than it has room for, where this one is."""
        state = self._state
        seq = state.ledger.number_of(event._id)
        if seq is None:  # released in the same record
            return True
        record = state.ledger.record(seq)
        if record.is_exclusive:  # the store has refused a second one
            return True
        return state.rules.bookings.allows(record, normal(event._start), normal(event._end), 0)

    def wait(self) -> None:
        """Do nothing."""


def write_new(where: Directory, state: CalendarState, position: int) -> None:
    """Write a calendar into an empty directory, as its snapshot after a record; it is one that was shut down."""
    store_id, _ = where.begin(state, position)
    where.write_clean(store_id, position)
