"""`DbzeroJournal`: a directory of dbzero, where one calendar at a time keeps its records.

    NAME.LOCK      the process that has the calendar open
    NAME-1.db0     two prefixes of dbzero with the same content: one object, with the bounds, the place of the origin,
    NAME-2.db0     all records (each after its mark, 4 bytes, and its time, 8), the last checkpoints (position, mark, parts)

Times are microseconds since 1970, by the clock of this machine. Records of format 1 have none: the first ``untimed`` ones.

dbzero writes parts of a file in place, and cannot open a file whose writer was killed while it wrote. So there are two
copies, which are written one after the other: at any instant one of them is whole and has every acknowledged record. A copy
that cannot be opened is put aside and made anew.

    append    copy 1: stage, commit      copy 2: stage, commit      acknowledged
              killed: 2 is whole         killed: 1 is whole

dbzero has one directory and one `dbzero.atomic` for all threads of a process, so all journals of a process take turns.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import dbzero

from bookcore.persist.fs import FileSystem, words
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalVersionError,
    UnknownOutcomeError,
)
from bookcore.persist.journal.recovery import locked_file
from bookcore.persist.shared.seam import (
    NONE_MADE,
    Beginning,
    Place,
    SharedJournal,
    Stored,
    after,
    records_after,
)

VERSION = 2
MARK, TIME = 4, 8
UNKNOWN = -1
"""The time of the beginning of a calendar of format 1."""
PART = 1 << 24
"""The size in bytes of the parts of a snapshot."""
AT_ONCE = 1000
"""How many records are copied in one commit."""

_turn = threading.RLock()


@dbzero.memo(singleton=True, id="bookcore.journal")
class _Copy:
    """The one object of a prefix, which refers to all others: dbzero deletes objects without a reference."""

    def __init__(self, prefix: str, bounds: str, origin: Place, begun: int, untimed: int) -> None:
        dbzero.set_prefix(self, prefix)
        self.version = VERSION
        self.bounds = bounds
        self.begun, self.untimed = begun, untimed
        self.position, self.mark = origin
        self.records: list[bytes] = []
        self.checkpoints: list[tuple[int, int, list[bytes]]] = []


class DbzeroJournal(SharedJournal):
    """See `bookcore.persist.shared.seam.SharedJournal`. There is no other process, so it never waits.

    A program has to close it. The garbage collector cannot, because it may run in the midst of a call of dbzero.
    """

    most = 60_000_000
    """The size in bytes of the largest record; dbzero takes 64 MiB in one piece."""
    format = VERSION
    _given = False  # a journal gave dbzero its directory; the last one that is closed takes it back

    def __init__(self, path: str, prefix: str, *, begin: Beginning | None, upgrade: bool = False) -> None:
        """Open the two copies, or make them if it may *begin*; with *upgrade* bring older ones to this format.

        Raises: `JournalError`.
        """
        self.name = self.spot = f"{path}, prefix {prefix}"
        self._prefixes = f"{prefix}-1", f"{prefix}-2"
        self._fs, self._lock = FileSystem(), -1
        self._upgrades, self.was_format = upgrade, VERSION
        self._pid = os.getpid()
        self._ended = threading.Event()
        self._copies: tuple[Any, ...] = ()
        self._equal = False  # both copies have all records, committed
        self._failed = ""
        self._kept = 0  # the number of records before a change whose outcome is unknown
        with self._translated("cannot be opened"):
            self._path = os.path.abspath(path)  # the current directory may be gone
        create = begin is not None
        self._check_path(create)
        try:
            if create:
                with self._translated("cannot be made"):
                    os.makedirs(self._path, exist_ok=True)
            try:
                self._lock = locked_file(self._fs, self._path, f"{prefix}.LOCK")
            except JournalInUseError as exc:
                raise JournalInUseError(self.name, exc.pid, exc.host, exc.here) from None
            with _turn, self._translated("cannot be opened"):
                if _enter(self._path, self.name):
                    DbzeroJournal._given = True
                self._open(begin or Beginning.empty(), create)
                first = self._equalized()
                self.bounds, self.origin = first.bounds, _origin(first)
        except BaseException:
            self.close()
            raise

    # -- opening -----------------------------------------------------------------------------------

    def _file(self, prefix: str) -> str:
        return os.path.join(self._path, f"{prefix}.db0")

    def _check_path(self, create: bool) -> None:
        if os.path.exists(self._path) and not os.path.isdir(self._path):
            raise JournalError(self.name, "is not a directory, as dbzero needs it")
        if not create and not any(map(os.path.exists, map(self._file, self._prefixes))):
            raise JournalError(self.name, f"there is no calendar in it{NONE_MADE}")

    def _open(self, begin: Beginning, create: bool) -> None:
        """Open the copies. One that cannot be opened is put aside, and one that is missing is made from the other."""
        there: dict[str, Any] = {}
        damaged: dict[str, Exception] = {}
        for prefix in self._prefixes:
            if os.path.exists(self._file(prefix)):
                try:
                    there[prefix] = self._open_prefix(prefix)
                except (RuntimeError, SystemError) as exc:
                    damaged[prefix] = exc
        found = [copy for copy in there.values() if copy is not None]
        for copy in found:
            if copy.version > VERSION or (copy.version < VERSION and not self._upgrades):
                raise JournalVersionError(self.name, copy.version, VERSION)
        if not begin.if_new and (found or damaged):
            raise JournalError(self.name, "holds a calendar already; name another prefix")
        if not found and (damaged or not create):
            reason = "; ".join(map(_words, damaged.values())) or f"there is no calendar in it{NONE_MADE}"
            raise (JournalDamagedError if damaged else JournalError)(self.name, f"neither copy can be opened: {reason}")
        bounds, origin, times = begin.bounds, begin.place, (self._fs.now(), 0)
        if found:
            self._upgrade(there)
            bounds, origin, times = found[0].bounds, _origin(found[0]), (found[0].begun, found[0].untimed)
        copies = []
        for prefix in self._prefixes:
            if prefix in damaged:
                _close(prefix)
                os.replace(self._file(prefix), f"{self._file(prefix)}.damaged")
            copy = there.get(prefix) or self._open_prefix(prefix)
            if copy is None:
                with dbzero.atomic():
                    copy = _Copy(prefix, bounds, origin, *times)
                    if begin.snapshot and not found:
                        copy.checkpoints.append((*origin, _parts(begin.snapshot)))
                        begin.verify(_whole(copy.checkpoints[0][2]))
                dbzero.commit(prefix)
            copies.append(copy)
        self._copies = tuple(copies)

    def _upgrade(self, there: dict[str, Any]) -> None:
        """Bring copies of format 1 to the present format. If an upgrade was cut off after the first copy, bring the second.

        Writing may have been cut off as well: then one copy lacks the last record, which has no time either.
        """
        old = {prefix: copy for prefix, copy in there.items() if copy is not None and copy.version < VERSION}
        if not old:
            return
        self.was_format = 1
        known = [copy for copy in there.values() if copy is not None and copy.version == VERSION]
        untimed = known[0].untimed if known else max(len(copy.records) for copy in old.values())
        for prefix, copy in old.items():
            with dbzero.atomic():
                copy.version, copy.begun, copy.untimed = VERSION, UNKNOWN, untimed
            dbzero.commit(prefix)

    def _open_prefix(self, prefix: str) -> Any:
        """Open a prefix, and return its copy, or None if it has none. The default prefix of the program is kept."""
        with suppress(RuntimeError):
            before = dbzero.get_current_prefix().name
            mode = "rw" if before in {each.name for each in dbzero.get_mutable_prefixes()} else "r"
            try:
                return self._open_new_default(prefix)
            finally:
                dbzero.open(before, mode)
        return self._open_new_default(prefix)

    def _open_new_default(self, prefix: str) -> Any:
        dbzero.open(prefix, "rw", autocommit=False)
        return dbzero.fetch(_Copy, prefix=prefix) if dbzero.exists(_Copy, prefix=prefix) else None

    # -- both copies -------------------------------------------------------------------------------

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Raise what dbzero or the system raises as an error of ours; *what* was not done."""
        try:
            yield
        except (RuntimeError, SystemError) as exc:
            raise JournalError(self.name, f"{what}: {_words(exc)}") from exc
        except OSError as exc:
            raise JournalError(self.name, f"{what}: {words(exc)}") from exc

    @contextmanager
    def reading(self, what: str = "cannot be read") -> Iterator[Any]:
        """Yield one of the copies, after making both equal."""
        if os.getpid() != self._pid:
            raise JournalClosedError.in_fork(self.name, self._pid)
        with _turn, self._translated(what):
            if not self._copies:
                raise JournalClosedError.after_close(self.name)
            yield self._equalized()

    def _equalized(self) -> Any:
        """Return a copy. If writing was cut off, commit the copy written first, and bring the other up to it."""
        if self._equal or self._failed:
            return self._copies[0]
        (good, good_prefix), (behind, prefix) = sorted(
            zip(self._copies, self._prefixes, strict=True), key=lambda each: _reach(each[0]), reverse=True
        )
        there = len(behind.records)
        if _origin(behind) != _origin(good) or (there and behind.records[there - 1] != good.records[there - 1]):
            raise JournalDamagedError(self.name, "its two copies tell of different calendars; move one of them away")
        dbzero.commit(good_prefix)
        for at in range(there, len(good.records), AT_ONCE):
            with dbzero.atomic():
                for record in good.records[at : at + AT_ONCE]:
                    behind.records.append(record)
            dbzero.commit(prefix)
        if [each[0] for each in good.checkpoints] != [each[0] for each in behind.checkpoints]:
            with dbzero.atomic():
                while len(behind.checkpoints):
                    behind.checkpoints.pop()
                for position, mark, parts in good.checkpoints:
                    behind.checkpoints.append((position, mark, list(parts)))
        dbzero.commit(prefix)
        self._equal = True
        return good

    def _change(self, change: Any) -> None:
        """Change both copies in the same way, one after the other. Once the first has committed, the change is kept."""
        dbzero.commit(self._prefixes[0])  # of nothing: it is refused within a `dbzero.atomic` of the program
        count = len(self._copies[0].records)
        self._equal = False
        for number, (copy, prefix) in enumerate(zip(self._copies, self._prefixes, strict=True)):
            try:
                with dbzero.atomic():
                    change(copy)
            except RuntimeError as exc:
                if number:
                    self._fail(exc, count)
                self._equal = True  # as before the change
                raise
            try:
                dbzero.commit(prefix)
            except RuntimeError as exc:
                self._fail(exc, count)
        self._equal = True

    def _check_takes_changes(self) -> None:
        if self._failed:
            raise JournalClosedError(self.name, f"takes no more changes, because one failed ({self._failed})")

    def _fail(self, exc: Exception, count: int) -> None:
        """Accept no more changes, and hide the records of which it is unknown whether the files have them."""
        self._failed, self._kept = _words(exc), count
        raise UnknownOutcomeError.of_change(self.name, self._failed, "open the calendar anew, and ") from exc

    # -- reading -----------------------------------------------------------------------------------

    def read(self, place: Place, most: int) -> Sequence[Stored]:
        with self.reading() as copy:
            begin, end = place.position - copy.position, self._count(copy)
            if not 0 <= begin <= end:
                return records_after(self.name, place, [])
            items = copy.records[begin : end if most < 0 else min(end, begin + most)]
            rows: list[Any] = [(*_place(copy, begin), b"", None)]
            untimed = copy.untimed - begin
            for at, item in enumerate(items, 1):
                start, time = (MARK, None) if at <= untimed else (MARK + TIME, _time(item))
                rows.append((place.position + at, _number(item), bytes(item[start:]), time))
        return records_after(self.name, place, rows)

    def head(self) -> Place:
        with self.reading() as copy:
            return _place(copy, self._count(copy))

    def _count(self, copy: Any) -> int:
        """Return the number of records that a copy certainly has."""
        return self._kept if self._failed else len(copy.records)

    def time_row(self, position: int) -> tuple[int | None] | None:
        with self.reading() as copy:
            number = position - copy.position
            return (_time_of(copy, number),) if 0 <= number <= self._count(copy) else None

    def now(self) -> int:
        return self._fs.now()

    def wait(self, place: Place, timeout: float, *, again: bool = False) -> bool:
        """See `SharedJournal.wait`. A new record can only come from a call that was cut off."""
        if not self.lag(place):
            self._ended.wait(timeout)
        return not self._ended.is_set() and self.lag(place) > 0

    def wake(self) -> None:
        self._ended.set()

    # -- appending ---------------------------------------------------------------------------------

    def lock(self, timeout: float, place: Place, most: int) -> Sequence[Stored]:
        """See `SharedJournal.lock`. It was locked when it was opened."""
        with self.reading("the change was not made"):
            self._check_takes_changes()
        return self.read(place, most)

    def append(self, place: Place, records: Sequence[bytes], *, locked: bool = True) -> Place:
        with self.reading("the change was not made") as copy:
            time = max(self.now(), _time_of(copy, len(copy.records)) or 0).to_bytes(TIME, "little")
            items = []
            for record in records:
                place = after(place, record)
                items.append(place.mark.to_bytes(MARK, "little") + time + record)

            def write(copy: Any) -> None:
                for item in items:
                    copy.records.append(item)

            self._change(write)
        return place

    def confirm(self) -> None:
        """See `SharedJournal.confirm`. What can be read is in both copies."""

    def unlock(self) -> None:
        """See `SharedJournal.unlock`."""

    # -- checkpoints, the end ----------------------------------------------------------------------

    def checkpoint(self, place: Place, snapshot: bytes, keep: int) -> None:
        parts = _parts(snapshot)

        def write(copy: Any) -> None:
            if not any(position == place.position for position, _, _ in copy.checkpoints):
                copy.checkpoints.append((*place, parts))
            oldest = int(len(copy.checkpoints) > 0 and copy.checkpoints[0][0] == copy.position > 0)  # a copy begins with it
            while len(copy.checkpoints) > max(keep, 1 + oldest):
                copy.checkpoints.pop(oldest)

        with self.reading("no checkpoint was written"):
            self._check_takes_changes()
            self._change(write)

    def newest(self, below: int) -> tuple[int, int, bytes] | None:
        with self.reading() as copy:
            for position, mark, parts in reversed(list(copy.checkpoints)):
                if position < below:
                    return position, mark, _whole(parts)
        return None

    def sizes(self) -> tuple[int, int]:
        with self.reading() as copy:
            newest = copy.checkpoints[-1] if len(copy.checkpoints) else (copy.position, copy.mark, ())
            records = copy.records[newest[0] - copy.position : len(copy.records)]
            return sum(map(len, records)), sum(map(len, newest[2]))

    def barrier(self) -> None:
        """See `SharedJournal.barrier`. Each commit of dbzero waits for the disk."""

    def close(self) -> None:
        """See `SharedJournal.close`. The one copy is closed, and on the disk, before the other."""
        self._ended.set()
        if os.getpid() != self._pid:  # dbzero's threads are not in this process
            return
        with _turn:
            self._copies = ()
            lock, self._lock = self._lock, -1
            if lock < 0:  # the prefixes are those of another calendar
                return
            for prefix in self._prefixes:
                if _is_open(prefix):
                    _close(prefix)
                    with suppress(OSError):
                        _sync(self._file(prefix))
            with suppress(RuntimeError):
                if DbzeroJournal._given and not list(dbzero.get_mutable_prefixes()):
                    DbzeroJournal._given = False
                    dbzero.close()
            with suppress(OSError):
                self._fs.unlock(lock)


def _enter(path: str, name: str) -> bool:
    """Set the directory of dbzero; tell whether it had none. Raises: `JournalError` if it has another one."""
    try:
        dbzero.init(path, autocommit=False)
    except RuntimeError as exc:
        if "already initialized" not in str(exc):
            raise
        if not _has_open(path):
            reason = "this process has dbzero open with another directory, or with no prefix yet; it takes one directory"
            raise JournalError(name, reason) from exc
        return False
    return True


def _has_open(path: str) -> bool:
    """Tell whether this process has a file of dbzero open in a directory. dbzero itself does not tell which one it has."""
    here = os.path.realpath(path)
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            folder, file = os.path.split(os.readlink(f"/proc/self/fd/{number}"))
            if folder == here and file.endswith((".db0", ".db0.lock")):
                return True
    return False


def _is_open(prefix: str) -> bool:
    with suppress(RuntimeError):
        return prefix in {each.name for each in dbzero.get_mutable_prefixes()}
    return False


def _close(prefix: str) -> None:
    with suppress(RuntimeError, SystemError):
        dbzero.close(prefix)


def _sync(path: str) -> None:
    """Wait until a file is on the disk: dbzero writes when it closes one, and does not wait."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _words(exc: Exception) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__


def _number(item: bytes) -> int:
    return int.from_bytes(item[:MARK], "little")


def _time(item: bytes) -> int:
    return int.from_bytes(item[MARK : MARK + TIME], "little")


def _time_of(copy: Any, number: int) -> int | None:
    """Return the time of the record with a number in this copy, from 1; that of the beginning for 0."""
    if not number:
        return None if copy.begun == UNKNOWN else int(copy.begun)
    return None if number <= copy.untimed else _time(copy.records[number - 1])


def _origin(copy: Any) -> Place:
    return Place(copy.position, copy.mark)


def _reach(copy: Any) -> tuple[int, int]:
    """Return how complete a copy is: the number of its records, and the position of its last checkpoint."""
    return len(copy.records), copy.checkpoints[-1][0] if len(copy.checkpoints) else -1


def _place(copy: Any, number: int) -> Place:
    """Return the place of the record with a number in this copy, from 1; that of the origin for 0."""
    return Place(copy.position + number, _number(copy.records[number - 1])) if number else _origin(copy)


def _parts(snapshot: bytes) -> list[bytes]:
    return [snapshot[at : at + PART] for at in range(0, len(snapshot), PART)]


def _whole(parts: Any) -> bytes:
    return b"".join(map(bytes, parts))
