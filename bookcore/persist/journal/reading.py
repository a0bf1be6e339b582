"""`Reader`: what a directory holds, read without its lock, and without changing anything in it.

    names  ->  CLEAN  ->  a snapshot  ->  files, one after the other  ->  frames  ->  records  ->  `apply`

Each fault is an error that names the file and the offset, and ``on_error`` is called with it. When a calendar is opened,
that is `refuse`, which raises the error. Verifying and salvaging collect the errors, and go on with every record that can be
read. A last file whose end is torn, and a last file without even a header, are what a crash leaves, and no fault.

Another process may write the directory meanwhile. Records that it appends are read or not. If it removes old files, the
reading fails, and `reread` does it again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from typing import Any, Generic, NamedTuple, TypeVar

from bookcore.engine.bulk_load import garbage_paused
from bookcore.engine.mending import Mending
from bookcore.engine.state import CalendarState
from bookcore.model.errors import BookcoreError, QueryError, SnapshotError, StoreError, blaming
from bookcore.model.event import BookingEvent
from bookcore.model.numpy_scalars import python_int
from bookcore.model.typecheck import is_a, plain_text
from bookcore.persist.codec.blob import MissingCodec
from bookcore.persist.errors import (
    SnapshotDamagedError,
    SnapshotKeyError,
    SnapshotTypeError,
    failure,
    other_keys,
)
from bookcore.persist.fs import FileSystem, read_all
from bookcore.persist.journal.directory import CLEAN, Directory, End, Names, read_clean, translated_os_errors
from bookcore.persist.journal.errors import (
    JournalDamagedError,
    JournalError,
    JournalVersionError,
    other_bounds,
)
from bookcore.persist.journal.frames import (
    HEADER_SIZE,
    STORE_ID_SIZE,
    VERSION,
    Header,
    frames_after,
    read_frames,
    read_header,
)
from bookcore.persist.journal.records import FEWEST, Replay
from bookcore.persist.snapshot import format as snapshot_format
from bookcore.persist.snapshot.format import Limits
from bookcore.persist.snapshot.save_load import load_file
from bookcore.stores.memory.store import MemoryStore

C = TypeVar("C")
T = TypeVar("T")
Make = Callable[..., tuple[C, CalendarState]]
Progress = Callable[[int, int], Any]
"""Is called now and then with the number of bytes that have been read, and of all that will be."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FOR_EVER = 1 << 64  # above every position, and after every time, in a file
_ATTEMPTS = 10
_RECORDS_PER_REPORT = 1 << 10  # how often progress is reported
_AT_ONCE = 1 << 18  # at most so many short records are applied at once


class Record(NamedTuple):
    """A record, and where it is: at which byte of a file, or in a database.

    ``time`` is None for a record that an older bookcore wrote into a database, without its time.
    """

    position: int
    time: int | None
    place: str
    at: int | None
    data: bytes

    @property
    def path(self) -> str:
        """The name of the file in errors; of a record in a database, where it is."""
        return self.place if self.at is not None else f"{self.place}, record {self.position}"


_record: Callable[[tuple[int, int | None, str, int | None, bytes]], Record] = partial(tuple.__new__, Record)
"""Makes a record of its fields in half the time of calling the class."""


class Loaded(NamedTuple, Generic[C]):
    """The calendar of a snapshot, and the errors of those that were tried before it."""

    calendar: C
    state: CalendarState
    store_id: bytes
    position: int
    damaged: list[SnapshotError]


class Moment(NamedTuple):
    """A state of the past: after the last record up to a position and up to a time."""

    position: int = _FOR_EVER
    time: int = _FOR_EVER
    given: object = None

    @classmethod
    def of(cls, given: object) -> Moment:
        """Return the moment that a program names by a position, an instant, or ``"now"``. Raises: `QueryError`."""
        position = python_int(given)
        if position is not None and position >= 0:
            return cls(position=min(position, _FOR_EVER - 1), given=position)
        if is_a(given, datetime):
            with blaming(lambda exc: QueryError(given, f"this instant cannot be told in UTC ({type(exc).__name__})")):
                if given.utcoffset() is not None:
                    return cls(time=int((given - _EPOCH) // _MICROSECOND), given=given)
        if plain_text(given) == "now":
            return cls(given=given)
        raise QueryError(given, "a position is a number from 0, an instant is a datetime with a time zone; or it is 'now'")

    @property
    def is_instant(self) -> bool:
        """Whether it was named by an instant, which only records with times can answer."""
        return self.time != _FOR_EVER

    def earlier(self) -> Moment:
        """Return the moment of all records that were made before this instant; for a position itself."""
        return self if self.time == _FOR_EVER else self._replace(time=self.time - 1)

    def is_after(self, position: int, time: int) -> bool:
        """Tell whether this is a later position than the last one, or a later instant than the last one."""
        return position < self.position < _FOR_EVER or time < self.time < _FOR_EVER

    def includes(self, position: int, time: int | None) -> bool:
        """Tell whether a record of this position and time had been made then."""
        return position <= self.position and (time is None or time <= self.time)


def time_of(time: int) -> datetime:
    """Return the time of a record as a datetime in UTC.

    >>> time_of(1_000_000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return _EPOCH + min(time * _MICROSECOND, datetime.max.replace(tzinfo=UTC) - _EPOCH)


def check_progress(progress: object) -> None:
    """Raise `QueryError` unless *progress* is None or can be called."""
    if progress is not None and not callable(progress):
        raise QueryError(progress, "progress is a function of how much was read, and of how much there is")


def refuse(error: BookcoreError) -> None:
    """Raise an error that was found in a directory."""
    raise error


def blank(
    bounds: str, event_type: type[BookingEvent], key: Callable[[Any], Hashable] | None = None
) -> tuple[CalendarState, CalendarState]:
    """Make an empty calendar without a `Calendar`: its state takes that place. *key* makes the ids of resources."""
    state = CalendarState(None, MemoryStore(), bounds, None, event_type, key)
    state.store.bind(state.closed)
    Mending(state)
    return state, state


class Reader:
    """Reads one directory. ``on_error`` is called with each error; if it returns, reading goes on with what can be read."""

    def __init__(self, where: Directory, progress: Progress | None = None) -> None:
        """Read the names. Raises: `JournalError`, `QueryError`."""
        check_progress(progress)
        self.where = where
        self.folder, self.fs, self.secret = where
        self.on_error: Callable[[BookcoreError], Any] = refuse
        self.end = End(1, HEADER_SIZE, 0, 0, 0, [])
        """Where the records end, once all of them have been read."""
        self.least = 0
        """How many records there were when the calendar was shut down, once that has been read."""
        with translated_os_errors(self.folder, "cannot be read"):
            self.names = Names.read(self.fs, self.folder)
        self._progress, self._done, self._total = progress, 0, 0
        if progress is not None:
            self._total = sum(map(self.size, map(where.snapshot_path, self.names.snapshots))) + self._size_after(-1)

    def check_there(self) -> None:
        """Raise `JournalError` if there is no calendar in the directory, or no snapshot to begin with."""
        self.check_there_at_all()
        if not self.names.snapshots:
            raise JournalDamagedError(self.folder, "all its snapshots are gone")

    def check_there_at_all(self) -> None:
        """Raise `JournalError` if no file of a calendar is in the directory."""
        if not (self.names.snapshots or self.names.files or self.names.has_clean):
            raise JournalError(self.folder, "there is no calendar in it")

    def has_changed(self) -> bool:
        """Tell whether there are other files now than when the names were read. Raises: `JournalError`."""
        with translated_os_errors(self.folder, "cannot be read"):
            return Names.read(self.fs, self.folder) != self.names

    def size(self, path: str) -> int:
        """Return the size of a file; 0 if it cannot be read, which is reported when it is read."""
        try:
            fd = self.fs.open(path)
            try:
                return max(0, self.fs.size(fd))
            finally:
                self.fs.close(fd)
        except OSError:
            return 0

    def _size_after(self, position: int) -> int:
        """Return the size of the files with the records after a position."""
        return sum(self.size(self.where.file_path(first)) for first in self.names.files if first > position)

    def advance(self, size: int) -> None:
        """Report that so many bytes more have been read."""
        self._done += size
        self.report(0)

    def report(self, within: int) -> None:
        """Report progress: *within* bytes of the present file have been read."""
        if self._progress is not None:
            self._progress(min(self._done + within, self._total), self._total)

    # -- snapshots ---------------------------------------------------------------------------------

    def load(self, make: Make[C], known: dict[str, type], order: Iterable[int]) -> Loaded[C]:
        """Return the calendar of the first of these snapshots that is whole, and sealed by the key if there is one.

        Raises: the first `SnapshotDamagedError` or `SnapshotKeyError` if none is; any other error of a snapshot at once.
        """
        damaged: list[SnapshotError] = []
        for position in order:
            path = self.where.snapshot_path(position)
            try:
                calendar, state, facts = load_file(make, path, known, self.secret or None, Limits(), self.fs)
                store_id = self.store_of(position, facts.store_id)
            except (SnapshotDamagedError, SnapshotKeyError) as exc:
                damaged.append(exc)
            else:
                if self._progress is not None:
                    self._total = self.size(path) + self._size_after(position)
                    self.advance(self.size(path))
                return Loaded(calendar, state, store_id, position, damaged)
        raise damaged[0]

    def store_in(self, position: int) -> bytes:
        """Return the id of the store in a snapshot, after comparing its checksum. Raises: `SnapshotError`."""
        facts, _ = snapshot_format.read_file(self.where.snapshot_path(position), self.secret or None, Limits(), self.fs)
        return self.store_of(position, facts.store_id)

    def store_of(self, position: int, snapshot_id: bytes) -> bytes:
        """Return the id of the store in a snapshot. Raises: `SnapshotDamagedError` if it has none."""
        if snapshot_id[STORE_ID_SIZE:] != position.to_bytes(8, "little"):
            raise SnapshotDamagedError(self.where.snapshot_path(position), "was renamed, or is no part of a journal")
        return snapshot_id[:STORE_ID_SIZE]

    def store_of_files(self) -> bytes:
        """Return the id of the store in the first header that is whole; no bytes if none is."""
        heads = filter(None, map(self._header_in, self.names.files))
        return next((head.store_id for head in heads), b"")

    def _header_in(self, first: int) -> Header | None:
        """Return the header of a file; None if it cannot be read, or is none."""
        with suppress(JournalError):
            return read_header(read_file(self.fs, self.where.file_path(first), HEADER_SIZE))
        return None

    def before(self, moment: Moment) -> list[int]:
        """Return the snapshots from which the state at a moment can be reached, newest first."""
        return [each for each in reversed(self.names.snapshots) if moment.includes(each, self.time_at(each))]

    def time_at(self, position: int) -> int:
        """Return the time of the last record before a snapshot; a time after all others if it is not known."""
        head = self._header_in(position + 1)
        return _FOR_EVER if head is None else head.time

    # -- records -----------------------------------------------------------------------------------

    def records(self, store_id: bytes, start: int) -> Iterator[Record]:
        """Yield the records after a position, in order. Then ``end`` is where they end, and CLEAN has been read."""
        self.least = least = self._least(store_id)  # before the files: they may be shut down meanwhile
        position, time, size, unfinished = start, 0, HEADER_SIZE, list[int]()
        chain = [first for first in self.names.files if first > start]
        if not chain:
            self.on_error(JournalDamagedError(self.folder, f"the records from {start + 1} on are gone"))
        is_reported, last, rest, grown = False, start + 1, 0, 0
        for first in chain:
            path, is_last = self.where.file_path(first), first == chain[-1]
            if first != position + 1 and not is_reported:
                self.on_error(JournalDamagedError(self.folder, f"the records {position + 1} to {first - 1} are gone"))
            try:
                data = read_file(self.fs, path)
            except JournalError as exc:
                self.on_error(exc)
                is_reported = True
                continue
            if is_last and first > start + 1 and len(data) <= HEADER_SIZE and read_header(data) is None:
                unfinished.append(first)  # the process ended before the file was complete
                break
            head = self._header(path, data, store_id, first)
            is_reported = head is None
            its_first, time = (first, time) if head is None else (head.first, head.time)
            frames = read_frames(data, store_id, its_first, self.secret)
            records, rest = frames.records, len(data) - frames.end
            if rest and not (is_last and frames.proof is None):
                what = f"record {its_first + len(records)} is damaged"
                proof = "" if frames.proof is None else f": a later one, at byte {frames.proof}, shows that it was written"
                if frames.proof == frames.end:
                    proof = ": it bears no seal of this key, or is out of its place"
                self.on_error(JournalDamagedError(path, what + proof, offset=frames.end))
                is_reported = True
                records = records + frames_after(data, frames, store_id, its_first, self.secret)
            for number, (at, length, sequence, _, written) in enumerate(records):
                if not number % _RECORDS_PER_REPORT:
                    self.report(at)
                yield _record((sequence, written, path, at, data[at : at + length]))
            if records:
                position, time = records[-1].sequence, records[-1].time
            last, size = first, frames.end
            self.advance(len(data))
            grown += len(data)
        self.end = End(last, size, position, time, rest, unfinished, grown)
        if position < least:
            what = f"it had {least} records when it was shut down, {position} of them are here"
            self.on_error(JournalDamagedError(self.folder, what))

    def _header(self, path: str, data: bytes, store_id: bytes, first: int) -> Header | None:
        """Return the header of a file, or None after reporting a fault of it."""
        head = read_header(data)
        if head is None:
            self.on_error(JournalDamagedError(path, "its header is damaged", offset=0))
        elif head.version > VERSION:
            self.on_error(JournalVersionError(path, head.version, VERSION))
        elif head.version != VERSION:
            self.on_error(JournalDamagedError(path, f"there is no format {head.version}", offset=8))
        elif head.store_id != store_id:
            self.on_error(JournalDamagedError(path, "is a file of another calendar; each has a directory of its own"))
        elif head.first != first:
            self.on_error(JournalDamagedError(path, f"was renamed: it begins with record {head.first}"))
        elif head.is_sealed is not bool(self.secret):
            how = "with a key" if head.is_sealed else "without a key"
            self.on_error(JournalDamagedError(path, f"was written {how}, unlike the snapshot"))
        else:
            return head
        return None

    def _least(self, store_id: bytes) -> int:
        """Return a number of records that the calendar had at least when it was shut down."""
        if not self.names.has_clean:
            return 0
        path = os.path.join(self.folder, CLEAN)
        try:
            its_store, least = read_clean(path, read_file(self.fs, path), self.secret)
        except JournalError as exc:
            self.on_error(exc)
            return 0
        if store_id and its_store != store_id:
            self.on_error(JournalDamagedError(path, "is a file of another calendar; each has a directory of its own"))
            return 0
        return least


def read_file(fs: FileSystem, path: str, most: int | None = None) -> bytes:
    """Return the bytes of a regular file, or the first *most* of them. Raises: `JournalError`."""
    limit = Limits().max_bytes
    with translated_os_errors(path, "cannot be read"):
        fd = fs.open(path)
        try:
            size = fs.size(fd)
            if size < 0:
                raise JournalError(path, "is no regular file")
            if (wanted := size if most is None else min(size, most)) > limit:
                raise JournalError(path, f"{wanted} bytes; at most {limit} are read")
            return read_all(fs, fd, wanted)
        finally:
            fs.close(fd)


def apply(replay: Replay, record: Record) -> None:
    """Apply a record. Every error names the file."""
    at = record.at
    try:
        replay.apply(record.data)
    except MissingCodec as exc:
        raise SnapshotTypeError(record.path, exc.reason, [exc.name]) from exc
    except MemoryError as exc:
        raise _too_large(record) from exc
    except BookcoreError as exc:
        if (reason := other_keys(exc)) is not None:
            raise JournalError(record.path, reason, offset=at) from exc
        raise JournalDamagedError(record.path, f"a record that does not follow from those before: {exc}", offset=at) from exc
    except Exception as exc:  # the user's classes and keys may fail in any way on data of another's making
        raise JournalDamagedError(record.path, f"a record that cannot be applied ({failure(exc)})", offset=at) from exc


def _too_large(record: Record) -> JournalError:
    return JournalError(record.path, "there is not enough memory to read it", offset=record.at)


class Asked(NamedTuple):
    """What a program asks of the calendar at a place. None means what the calendar has; of a new calendar, the default."""

    bounds: str | None = None
    event_type: type[BookingEvent] | None = None

    @classmethod
    def of(cls, bounds: object, event_type: type[BookingEvent] | None = None) -> Asked:
        """Return what a program asks for. Raises: `QueryError` for invalid bounds."""
        given = plain_text(bounds)
        if bounds is not None and given not in ("[)", "[]"):
            raise QueryError(bounds, "bounds are '[)', '[]', or None for those that the calendar has")
        return cls(given, event_type)

    def make_new(self, make: Make[C]) -> tuple[C, CalendarState]:
        """Make the empty calendar of a new place."""
        return make(bounds=self.bounds or "[)", event_type=self.event_type or BookingEvent)

    def check(self, name: str, state: CalendarState) -> None:
        """Raise `JournalError` if the calendar at this place has other bounds, or another event type, than was asked for."""
        bounds, event_type = self
        if bounds is not None and bounds != state.bounds:
            raise other_bounds(name, state.bounds, bounds)
        if event_type is not None and event_type is not state.event_type:
            has, not_this = (each.__qualname__ for each in (state.event_type, event_type))
            raise JournalError(name, f"its calendar has the event type {has}, not {not_this}; leave event_type out")


def replay(state: CalendarState, known: dict[str, type], records: Iterable[Record]) -> None:
    """Apply records of a calendar that is being opened. The lock is held for writing. Raises: as `apply`."""
    with garbage_paused(aged=True):
        apply_all(Replay(state, known), records)


def apply_all(replay: Replay, records: Iterable[Record]) -> None:
    """Apply records, runs of short ones at once. The calendar's lock is held for writing. Raises: as `apply`."""
    run, wholes = list[bytes](), list[Record]()  # short records, and for each the record that contains it
    for record in records:
        try:
            parts = replay.loadable(record.data)
        except MemoryError as exc:
            raise _too_large(record) from exc
        run += parts
        wholes += repeat(record, len(parts))
        if parts and len(run) < _AT_ONCE:
            continue
        _apply_run(replay, run, wholes)
        if not parts:
            apply(replay, record)
        run.clear()
        wholes.clear()
    _apply_run(replay, run, wholes)


def _apply_run(replay: Replay, run: Sequence[bytes], wholes: Sequence[Record]) -> None:
    """Apply short records, all at once if that can be done; if not, one by one, which finds the first that is wrong."""
    try:
        left = replay.load(run) if len(run) >= FEWEST else range(len(run))
    except MemoryError as exc:
        raise _too_large(wholes[0]) from exc
    for at in left:
        apply(replay, wholes[at]._replace(data=run[at]))


def reread(
    where: Directory, progress: Progress | None, read: Callable[[Reader], T], is_whole: Callable[[T], bool] = lambda _: True
) -> T:
    """Return what *read* returns for a reader. If it fails, and files were added or removed meanwhile, call it again."""
    attempt = 0
    while True:
        attempt += 1
        reader = Reader(where, progress)
        is_last = attempt == _ATTEMPTS
        try:
            result = read(reader)
        except (SnapshotError, StoreError):
            if is_last or not reader.has_changed():
                raise
        else:
            if is_whole(result) or is_last or not reader.has_changed():
                return result
