"""`verify`: whether a directory is whole, how far it goes, and what is damaged where. It is only read, and not locked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

from bookcore.engine.state import CalendarState
from bookcore.model.errors import BookcoreError, SnapshotError
from bookcore.persist.errors import SnapshotKeyError, SnapshotTypeError
from bookcore.persist.journal.directory import Directory
from bookcore.persist.journal.errors import JournalDamagedError
from bookcore.persist.journal.reading import Progress, Reader, apply, blank, reread, time_of
from bookcore.persist.journal.records import Replay
from bookcore.persist.snapshot.classes import StandIns


@dataclass(frozen=True, slots=True)
class Verified:
    """What is in a directory.

    ``snapshots`` and ``files`` are the numbers in their names, ``records`` is how many records can be read. From a snapshot
    that is whole, all records up to ``position`` can be read and applied; the last of them was made at ``time``. Both are
    None if no snapshot is whole. The oldest state that `as_of` can show is ``begins``. ``damage`` are errors with path,
    offset and reason; ``notes`` is what is lawful.
    """

    directory: str
    snapshots: tuple[int, ...]
    files: tuple[int, ...]
    records: int
    begins: int | None
    position: int | None
    time: datetime | None
    damage: tuple[BookcoreError, ...]
    notes: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage


def verify(directory: str | os.PathLike[str], *, key: bytes | None = None, progress: Progress | None = None) -> Verified:
    """Return what is in a directory, and what is damaged. Nothing is changed, and a calendar may have it open.

    Checksums are compared, and every record is applied to the oldest and to the newest snapshot that are whole, with
    stand-ins for the classes of the program. A note says where a value cannot be looked into, because its key codec is not
    registered here.

    Raises: `JournalError` for a directory that cannot be read or has no calendar; `SnapshotKeyError` where the key is that
    of no snapshot.
    Complexity: linear in the size of the directory.

    >>> from tempfile import TemporaryDirectory
    >>> from bookcore import Calendar, Resource
    >>> with TemporaryDirectory() as folder:
    ...     with Calendar.open(folder) as calendar:
    ...         stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
    ...     found = verify(folder)
    ...     found.is_whole, found.position, found.records
    (True, 2, 2)
    """
    where = Directory.of(directory, key)
    return reread(where, progress, lambda reader: _Look(reader).look(), lambda found: found.is_whole)


class _Look:
    """One look at a directory."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        reader.on_error = self.report
        self.damage: dict[str, BookcoreError] = {}  # each once, though records are read from two snapshots on
        self.notes: dict[str, None] = {}

    def report(self, error: BookcoreError) -> None:
        self.damage.setdefault(str(error), error)

    def look(self) -> Verified:
        reader = self.reader
        names = reader.names
        try:
            reader.check_there()
        except JournalDamagedError as exc:
            self.report(exc)
        stores = self._stores()
        store_id = stores[max(stores)] if stores else reader.store_of_files()
        whole = [position for position in stores if stores[position] == store_id]
        for store in stores.keys() - whole:
            self.report(JournalDamagedError(reader.where.snapshot_path(store), "is a snapshot of another calendar"))
        starts = list(dict.fromkeys(whole[-1:] + whole[:1]))  # as an opening does, then all that is kept
        walks = [self._walk(store_id, start) for start in starts]
        if walks:
            records = walks[-1][0]
        else:
            records = sum(1 for _ in reader.records(store_id, names.files[0] - 1 if names.files else 0))
        self._note()
        begins, position, time = (starts[-1], *walks[0][1:]) if walks else (None, None, None)
        return Verified(
            reader.folder, tuple(names.snapshots), tuple(names.files), records, begins, position,
            None if time is None else time_of(time), tuple(self.damage.values()), tuple(self.notes),
        )  # fmt: skip

    def _stores(self) -> dict[int, bytes]:
        """Return the store of each snapshot whose checksum is right, in order."""
        reader, ids, errors = self.reader, dict[int, bytes](), list[SnapshotError]()
        for position in reader.names.snapshots:
            try:
                ids[position] = reader.store_in(position)
            except SnapshotError as exc:
                errors.append(exc)
        if errors and not ids and all(isinstance(exc, SnapshotKeyError) for exc in errors):
            raise errors[0]
        for error in errors:
            self.report(error)
        return ids

    def _walk(self, store_id: bytes, start: int) -> tuple[int, int, int | None]:
        """Apply all records to a snapshot; return how many can be read, and position and time of the last that follows."""
        try:
            state: CalendarState | None = self.reader.load(blank, StandIns(), [start]).state
        except SnapshotTypeError as exc:
            self._unread(exc)
            state = None
        except SnapshotError as exc:
            self.report(exc)
            state = None
        if state is None:
            return self._apply(None, store_id, start)
        return state.gate.run(self._apply, Replay(state, StandIns()), store_id, start)

    def _apply(self, applied: Replay | None, store_id: bytes, start: int) -> tuple[int, int, int | None]:
        count, reached, follows = 0, start, True
        time: int | None = self.reader.time_at(start)
        for record in self.reader.records(store_id, start):
            count += 1
            follows = follows and record.position == reached + 1
            if not follows:
                continue
            try:
                if applied is not None:
                    apply(applied, record)
            except SnapshotTypeError as exc:
                self._unread(exc)
                applied = None
            except JournalDamagedError as exc:
                self.report(exc)
                follows = False
                continue
            reached, time = record.position, record.time
        return count, reached, time

    def _unread(self, exc: SnapshotTypeError) -> None:
        self.notes[f"not looked into, for want of the program that wrote it: {exc}"] = None

    def _note(self) -> None:
        """Note what is lawful."""
        reader, end = self.reader, self.reader.end
        if end.rest and not self.damage:
            text = f"{reader.where.file_path(end.first)}: after record {end.position}, {end.rest} bytes are no record"
            self.notes[f"{text}; a write was cut off, or is under way"] = None
        for first in end.unfinished:
            self.notes[f"{reader.where.file_path(first)}: has no header yet; its making was cut off, or is under way"] = None
        if not reader.names.has_clean:
            self.notes["it was never shut down"] = None
        if reader.names.foreign:
            self.notes[f"files of others: {', '.join(reader.names.foreign)}"] = None
