"""`copy_calendar`: the calendar of one place into a new one. A place is a snapshot file, a directory or a database.

    read      the present state of the source                  ->  a calendar, its position, its digest
    write     a snapshot of it, under a name that says unfinished
                  file, directory    under another name, beside the place
                  database           in a transaction
                  PostgreSQL         with a format that says unfinished: `bookcore.persist.shared.pgcopying`
    verify    what reads back, loaded anew: as many resources and bookings, the same digest
    finish    the name of the place, the commit, or the format: one step

Cut off before the last step, there is no calendar at the place, though an empty SQLite file may stay. What is left beside
the place is removed by the next attempt, which begins anew, because all of it takes some seconds; in PostgreSQL it goes on.
The state is copied, and not the records that led to it, so the past of the copy begins at its position.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from bookcore.engine.state import CalendarState
from bookcore.model.errors import QueryError, SnapshotError, needing
from bookcore.model.timeouts import check_timeout
from bookcore.model.typecheck import plain_text
from bookcore.persist.fs import FileSystem, sync_folder
from bookcore.persist.journal import reading
from bookcore.persist.journal.copying import write_new
from bookcore.persist.journal.directory import LOCK, Directory, Names, translated_os_errors
from bookcore.persist.journal.errors import JournalDamagedError, JournalError
from bookcore.persist.journal.opening import open_calendar
from bookcore.persist.journal.recovery import SUFFIX, check_says_kind, locked
from bookcore.persist.shared.address import (
    check_divides,
    check_partition,
    is_address,
    is_divided,
    is_postgres,
    place_text,
    shown,
    without_key,
)
from bookcore.persist.shared.opening import journal_at
from bookcore.persist.shared.replaying import beginning
from bookcore.persist.snapshot.classes import StandIns, handed_in
from bookcore.persist.snapshot.digest import digest
from bookcore.persist.snapshot.format import MAGIC, Limits, check_key
from bookcore.persist.snapshot.save_load import load_bytes, load_file, save

UNFINISHED = ".unfinished-copy"
Report = Callable[[str, int, int], Any]
"""Is called with what is being done ("reading", "writing", "verifying"), how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What `copy_calendar` has copied. ``position`` is that of the copy; ``source`` and ``to`` tell no password.

    Of partitions, ``position`` is that of each. ``digest`` is that of the calendar in one piece, by which copies into
    different numbers of partitions are compared; that of a calendar in partitions is made of theirs. ``resumed`` is how many
    rows of the tables in PostgreSQL an earlier call had written, which was cut off.
    """

    source: str
    to: str
    position: int
    resources: int
    bookings: int
    digest: str
    resumed: int = 0


def copy_calendar(
    source: str | os.PathLike[str], to: str | os.PathLike[str], *, types: Iterable[type] | None = None,
    key: bytes | None = None, to_key: bytes | None = None, resource_key: Callable[[Any], Hashable] | None = None,
    timeout: float = 30.0, as_of: object = "now", progress: Report | None = None, fs: FileSystem | None = None,
) -> Copied:  # fmt: skip
    """Copy a calendar to another place, and verify the copy. Both are a snapshot file, a directory or a database.

    *to* is ``sqlite:///path`` or ``postgresql://...?calendar=name``, a path that ends in ``.bks``, or a new or empty
    directory. There must be no calendar yet. The source is only read, and may be open elsewhere: the copy has what it had at
    ``position`` of the result; what is changed later is not in it. Its numbers and positions go on from there. What led to
    it stays behind: `history` and ``as_of`` of the copy begin at its position. (`bookcore.persist.journal.copying.backup`
    copies a directory with all its records.)

    With *as_of*, a position or an instant, its state of then is copied, such as what is good of a damaged database.
    Without *types* the classes of the program are substituted, which changes nothing of what is written. *key* is the key
    of a sealed source, *to_key* seals the copy: neither is for a database. *resource_key* is as for `Calendar.open`;
    *timeout* is how many seconds a database is waited for.

    If it fails, or is cut off, there is no calendar at *to*, though an empty SQLite file may stay. Calling it again begins
    anew; in PostgreSQL it goes on with the tables, which take long, if the state is the same. (After an
    `UnknownOutcomeError` there may be the whole copy: calling it again tells, or the error.)

    Raises: `JournalError` and `SnapshotError` for a source that cannot be read or is damaged, for a *to* that holds
    something or cannot be written, for a copy that does not read back; `QueryError` for a key of a database,
    a *to* that is one partition, a *timeout* that is none, and a *progress* or a *resource_key* that is no function.
    Complexity: linear in the size of the calendar and of the records after its newest snapshot.

    >>> from tempfile import TemporaryDirectory
    >>> from bookcore import Calendar, Resource
    >>> with TemporaryDirectory() as folder, Calendar.open(f"{folder}/rooms") as calendar:
    ...     stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
    ...     copy = copy_calendar(f"{folder}/rooms", f"sqlite:///{folder}/rooms.db")
    ...     with Calendar.open(f"sqlite:///{folder}/rooms.db") as shared:
    ...         copy.bookings, shared.position, shared.digest() == calendar.digest()
    (1, 2, True)
    """
    start, target, fs = place_text(source), place_text(to), fs or FileSystem()
    if progress is not None and not callable(progress):
        raise QueryError(progress, "progress is a function of what is done, how much of it is, and how much there is")
    if resource_key is not None and not callable(resource_key):
        raise QueryError(resource_key, "resource_key is a function that returns the id of a resource")
    timeout = check_timeout(timeout, is_lasting=True)
    report: Report = progress or (lambda what, done, total: None)
    known = StandIns() if types is None else handed_in(start, types)
    reader = _Source(partial(reading.blank, key=resource_key), known, timeout, fs)
    put: Callable[[_Copy], int]
    check_partition(target, is_read=False)
    if is_divided(target):
        without_key(target, to_key)
        put = partial(_into_partitions, target, timeout)
    elif is_address(target):
        without_key(target, to_key)
        put = partial(_into_database, target, timeout)
    else:
        files = _Files(target, check_key(target, to_key), fs)
        files.check_place(None if is_address(start) else start)
        put = files.put
    if is_divided(start):
        without_key(start, key)
        if plain_text(as_of) != "now":
            # positions do not tell which order of registration the resources of all had then
            way = "leave out as_of, or add &partition=0, ... to the address, which copies that one as of a position of it"
            raise QueryError(as_of, f"a calendar in partitions is copied in its present state: {way}")
        state, position = _partitions(start).read_partitions(reader.make, start, reader.known, timeout)
    else:
        state, position = reader.read(start, key, as_of, partial(report, "reading"))
    # An empty calendar is at position 0, and a database that has lost what it began with must not be taken for one.
    copy = _Copy(reader, state, max(1, position), _Facts.of(state), report)
    before = put(copy)
    return Copied(shown(start), shown(target), copy.position, *copy.facts, before)


class _Facts(NamedTuple):
    """By what a copy is compared."""

    resources: int
    bookings: int
    digest: str

    @classmethod
    def of(cls, state: CalendarState) -> _Facts:
        """Return the facts of a calendar. Raises: `SnapshotError`."""
        return cls(len(state.registry), len(state.ledger), digest(state))


class _Source(NamedTuple):
    """How a calendar is read: what makes it, the classes by name."""

    make: reading.Make[CalendarState]
    known: dict[str, type]
    timeout: float
    fs: FileSystem

    def read(
        self, place: str, key: bytes | None, as_of: object = "now", progress: reading.Progress | None = None
    ) -> tuple[CalendarState, int]:
        """Return what is at a place, and its position: 0 for a snapshot file, which has none."""
        if is_address(place) or self.fs.is_folder(place):
            state, past = open_calendar(
                self.make, place, types=self.known, as_of=as_of, key=key, progress=progress, timeout=self.timeout, fs=self.fs
            )  # fmt: skip
            return state, past.position
        if not self.fs.exists(place):
            raise SnapshotError(place, "there is no such file or directory to copy")
        if plain_text(as_of) != "now":
            raise QueryError(as_of, "a snapshot file shows one state alone; leave out as_of")
        return load_file(self.make, place, self.known, key, Limits(), self.fs)[0], 0


@dataclass(frozen=True, slots=True)
class _Copy:
    """A calendar on its way: what is written, and by what it is verified."""

    reader: _Source
    state: CalendarState
    position: int
    facts: _Facts
    report: Report

    def verify(self, name: str, copy: CalendarState) -> None:
        """Raise `JournalDamagedError` unless what reads back is the calendar that was written."""
        facts = _Facts.of(copy)
        if facts != self.facts:
            read, written = (f"{each.bookings} bookings of {each.resources} resources" for each in (facts, self.facts))
            raise JournalDamagedError(name, f"does not read back as it was written: {read}, and {written} were written")

    def verify_bytes(self, name: str, written: CalendarState, data: bytes) -> None:
        """Do so of a snapshot, which is that of this calendar or of a part of it."""
        of_part = self if written is self.state else replace(self, facts=_Facts.of(written))
        of_part.verify(name, load_bytes(self.reader.make, name, self.reader.known, data)[1])


# -- a database --------------------------------------------------------------------------------------


def _partitions(address: str) -> Any:
    """Return what copies partitions. Raises: `JournalError`, `MissingExtraError`."""
    check_divides(address)
    with needing("psycopg", "postgres"):
        from bookcore.persist.shared.partitioned import copying
    return copying


def _into_partitions(address: str, timeout: float, copy: _Copy) -> int:
    partitions, reader = _partitions(address), copy.reader
    copy.report("writing", 0, 1)
    states, claim = partitions.parts_of(reader.make, address, copy.state, reader.known)
    return _into_postgres(states, timeout, copy, claim)


def _into_postgres(states: dict[str, CalendarState], timeout: float, copy: _Copy, *claim: Any) -> int:
    """Write calendars, by their addresses; return how many rows a copy that was cut off had written."""
    with needing("psycopg", "postgres"):
        from bookcore.persist.shared import pgcopying
    name = shown(next(iter(states)))
    copy.report("verifying", 0, 1)
    verify, move = partial(copy.verify_bytes, name), partial(copy.report, "writing")
    before: int = pgcopying.write(states, copy.position, copy.reader.known, timeout, verify, move, *claim)
    copy.report("verifying", 1, 1)
    return before


def _into_database(address: str, timeout: float, copy: _Copy) -> int:
    name = shown(address)
    copy.report("writing", 0, 1)
    if is_postgres(address):
        return _into_postgres({address: copy.state}, timeout, copy)

    def verify(data: bytes) -> None:
        copy.report("writing", 1, 1)
        copy.report("verifying", 0, 1)
        copy.verify_bytes(name, copy.state, data)
        copy.report("verifying", 1, 1)

    journal_at(address, timeout=timeout, begin=beginning(copy.state, name, copy.position, verify=verify)).close()
    return 0


# -- a file or a directory ---------------------------------------------------------------------------


class _Files:
    """A snapshot file or a directory, which is made beside its place and then put there."""

    def __init__(self, path: str, secret: bytes, fs: FileSystem) -> None:
        self.path = path.rstrip(os.sep) or path
        self.is_file = path.endswith(SUFFIX)
        self.beside = self.path + UNFINISHED
        self._asked, self._secret, self._fs = path, secret, fs
        self._has_begun = False  # what is beside the place is of this copy
        self._lock: tuple[int, ...] = ()

    def check_place(self, source: str | None = None) -> None:
        """Raise `JournalError` if there is something at the place, or its name does not say what it is to be.

        *source* is the path that is read, if it is one.
        """
        path, fs = self.path, self._fs
        apart = ""
        if source is not None:
            with translated_os_errors(source, "cannot be read"):  # the current directory may be gone
                apart = os.path.realpath(source)
        with translated_os_errors(path, "cannot be written"):
            if os.path.realpath(os.path.dirname(path) or os.curdir) == apart:
                raise JournalError(path, "is in the directory that is read; name another place")
            if not fs.exists(path):
                if not self.is_file:
                    check_says_kind(path, self._asked)
            elif self.is_file or not fs.is_folder(path):
                raise JournalError(path, "is there already; name another place, or remove it first")
            elif fs.names(path):
                names = Names.read(fs, path)
                what = "holds a calendar already" if names.snapshots or names.files else "is there and not empty"
                raise JournalError(path, f"{what}; name a new directory")

    def put(self, copy: _Copy) -> int:
        """Write, verify, and give it its name; return 0, because it begins anew.

        Raises: `JournalError`, `SnapshotError`; then nothing of it stays.
        """
        fs, path, beside = self._fs, self.path, self.beside
        try:
            with translated_os_errors(path, "cannot be written"):
                self._begin()
                copy.report("writing", 0, 1)
                if self.is_file:
                    save(copy.state, beside, key=self._secret or None, fs=fs)
                else:
                    write_new(Directory(beside, fs, self._secret), copy.state, copy.position)
                copy.report("writing", 1, 1)
                copy.report("verifying", 0, 1)
                copy.verify(path, copy.reader.read(beside, self._secret or None)[0])
                copy.report("verifying", 1, 1)
                self.check_place()
                fs.replace(beside, path)
        except BaseException:
            if self._has_begun:
                with suppress(OSError):
                    self._clear(everything=True)
            raise
        finally:
            for lock in self._lock:
                with suppress(OSError):  # nothing was written through it
                    fs.unlock(lock)
        with translated_os_errors(path, "is there and whole, but a power cut may still undo this: the folder does not sync"):
            sync_folder(fs, os.path.dirname(path) or os.curdir)
        return 0

    def _begin(self) -> None:
        """Remove what an attempt that was cut off has left; make a directory, and lock it against others that copy."""
        fs, beside = self._fs, self.beside
        if self.is_file:
            if fs.exists(beside) and (fs.is_special(beside) or not reading.read_file(fs, beside, 8).startswith(MAGIC)):
                raise self._foreign()
            self._has_begun = True
            return
        if not fs.exists(beside):
            fs.make_folder(beside)
        elif not fs.is_folder(beside) or Names.read(fs, beside).foreign:
            raise self._foreign()
        self._lock = locked(fs, beside)
        self._has_begun = True
        self._clear()

    def _foreign(self) -> JournalError:
        return JournalError(self.beside, "is there, and is no copy that was cut off; remove it, or name another place")

    def _clear(self, everything: bool = False) -> None:
        """Remove what is beside the place; all but the lock if there is more to come. Raises: OSError."""
        fs, beside = self._fs, self.beside
        if self.is_file:
            fs.unlink(beside)
            return
        for name in fs.names(beside):
            if everything or name != LOCK:
                fs.unlink(os.path.join(beside, name))
        if everything:
            fs.remove_folder(beside)
