"""What a database has to do so that calendars can be shared by it: keep records in one order, and tell what is new.

Nothing else of bookcore knows which database it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from math import inf
from time import monotonic
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from bookcore.model.errors import BookcoreError
from bookcore.persist.journal.errors import JournalDamagedError, JournalError, JournalReplacedError
from bookcore.persist.journal.reading import Record

LAST = (1 << 62) - 1
"""A position after all others."""
LEAST = 1 << 22
"""How many bytes of records there are before a checkpoint is due, at least."""
_TIMES = int, type(None)
"""The types of the time of a record. SQLite takes any value in any column."""
NONE_MADE = ", and an opening that only reads, or says create=False, makes none"
"""The end of the reason why a journal that is not there cannot be opened."""
FORKED: list[object] = []
"""Connections of the process from which this one was forked. They must not be closed here."""


class Place(NamedTuple):
    """The place of a record in the order: its number, and a checksum over all records up to it."""

    position: int
    mark: int


class Stored(NamedTuple):
    """A record, or a snapshot, and its place; of a record also when it was written, in microseconds since 1970 in UTC.

    ``time`` is None for a record that was written before the database kept times.
    """

    place: Place
    data: bytes
    time: int | None = None

    def record(self, spot: str) -> Record:
        """Return it as a record that can be applied; errors about it name the *spot*."""
        return Record(self.place.position, self.time, spot, None, self.data)


class Beginning(NamedTuple):
    """What a new journal begins with: an empty calendar, or one that was elsewhere before or has an event type.

    In one transaction the journal makes its tables, with ``place`` as its origin, writes the ``snapshot``, if there is one,
    as the checkpoint there, and calls ``verify`` with it as it reads back. That checkpoint is never dropped. Where there is
    a calendar already, the journal raises a `JournalError`, and changes nothing; but with ``if_new`` it opens that one.
    """

    place: Place
    bounds: str
    snapshot: bytes = b""
    verify: Callable[[bytes], object] = bool
    if_new: bool = False

    @classmethod
    def empty(cls, bounds: str | None = None) -> Beginning:
        """Return the beginning of an empty calendar, by default with an exclusive end. Its mark tells it from all others."""
        return cls(Place(0, secrets.randbits(32)), bounds or "[)", if_new=True)


class Checked(NamedTuple):
    """What `bookcore.persist.shared.checking.check` has found in one calendar.

    ``database`` is what errors call it.

    ``position`` is that of the last record which follows from those before; of a calendar in partitions it is a tuple, and
    ``digest`` is that of them, as the calendar tells it. ``records`` is how many were applied, and
    ``begins`` where they begin. ``faults`` are errors of records and checkpoints, ``differences`` those of the tables, the
    first thousand of each table, and constraints that these have lost; ``has_tables`` tells whether there are some,
    ``compared`` whether they were compared: not where records are damaged, because those that follow cannot be applied. Each
    difference is a `bookcore.persist.shared.pgreplay.Difference`.
    """

    database: str
    calendar: str
    begins: int
    position: int | tuple[int, ...]
    records: int
    digest: str
    checkpoints: tuple[int, ...]
    has_tables: bool = False
    faults: tuple[BookcoreError, ...] = ()
    differences: tuple[Any, ...] = ()
    compared: bool = False

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.faults and not self.differences


class Upgraded(NamedTuple):
    """What an upgrade has done: the format that the database had, the one that it has, and which calendars got tables.

    ``restored`` are the constraints and indexes that tables had lost, each as its table, a point and its name.
    """

    was: int
    format: int
    tables_added: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()


def check_snapshot(name: str, snapshot: bytes, most: int) -> None:
    """Raise `JournalError` for a snapshot of more than *most* bytes."""
    if len(snapshot) > most:
        way = "keep the calendar in a directory, or divide it into partitions of PostgreSQL"
        raise JournalError(name, f"a snapshot of {len(snapshot)} bytes, and at most {most} are taken; {way}")


def after(place: Place, record: bytes) -> Place:
    """Return the place of the record that follows.

    >>> after(Place(0, 7), b"record")
    Place(position=1, mark=2251403049)
    """
    return Place(place.position + 1, crc32(record, place.mark))


def gone(name: str, good: int) -> JournalDamagedError:
    """Return the error for the record that follows the last one that is good, by its position."""
    way = f"as_of={good} opens the state before it, and `bookcore copy --as-of {good}` copies that"
    return JournalDamagedError(name, f"record {good + 1} is damaged or gone; {way}")


def records_after(name: str, place: Place, rows: Sequence[tuple[int, int, bytes, int | None]]) -> list[Stored]:
    """Return the records of *rows*, of which the first is the one at *place*, and each next one its successor.

    A row is position, mark, record and time.

    Raises: `JournalReplacedError` if the first is not at this place, `JournalDamagedError` if they do not follow.
    """
    if not rows or rows[0][:2] != place:
        what = f"its record {place.position} is not the one that was read before; open the calendar anew"
        raise JournalReplacedError(name, what)
    records: list[Stored] = []
    for position, mark, record, time in rows[1:]:
        follows = place.position + 1 == position and type(record) is bytes and crc32(record, place.mark) == mark  # `after`
        if not follows or type(time) not in _TIMES:
            raise gone(name, place.position)
        place = Place(position, mark)
        records.append(Stored(place, record, time))
    return records


def something_came(wait: Callable[[], bool]) -> bool:
    """Call what calls `SharedJournal.wait`; another history is news as well, and reading tells which."""
    try:
        return wait()
    except JournalReplacedError:
        return True


class SharedJournal(Protocol):
    """A journal that many processes append to: what each has to do, and what is so of those that do not say otherwise.

    `lock`, `append` and `unlock` are called by one thread at a time; all other methods by any. Each waits for the database
    for a bounded time, and raises a `JournalError`; in a forked process each raises `JournalClosedError`.
    """

    name: str
    """The address that the program opened, as errors tell it; without a password."""
    spot: str
    """What errors about records call it: ``name``, and of a calendar in partitions, in which of these the record is."""
    bounds: str
    origin: Place
    """Where it begins: with an empty calendar at position 0, or with a checkpoint at a later one, see `Beginning`."""
    most: int
    """The size in bytes of the largest record that is taken."""
    skew: float = 0.0
    """How many seconds the clock of the database is ahead of that of this machine, as was found when it was last locked."""
    complete_at: float = -inf
    """The latest time, by the monotonic clock, at which memory is known to have had all records."""

    def note_complete(self, time: float) -> None:
        """Note that memory had all records that there were at a time."""
        self.complete_at = max(self.complete_at, time)  # another thread may have found that of a later time

    def staleness(self) -> float:
        """See `Calendar.staleness`; infinite before memory has read all."""
        return monotonic() - self.complete_at

    def read(self, place: Place, most: int) -> Sequence[Stored]:
        """Return the records after a place, in order, at most so many; all if that is negative.

        Raises: `JournalReplacedError` if there is no record at this place, `JournalDamagedError` if they do not follow.
        """

    def has_other_history(self, place: Place) -> bool:
        """Tell whether it is the calendar that was opened, and its records lead no more to *place*.

        So it is after a failover to a standby that lacked the last records. A file is never another one by itself.
        """
        return False

    def head(self) -> Place:
        """Return the place of the last record."""

    def time_at(self, position: int) -> int | None:
        """Return when the record at a position was written, or the journal begun; None if that is not known.

        Microseconds since 1970 in UTC, by the clock of the database. No record is before the one that precedes it, also
        where that clock was set back; those of which nothing is known come before all others.
        Raises: `JournalDamagedError` if it is not there.
        """
        row = self.time_row(position)
        if row is None or type(row[0]) not in _TIMES:
            raise JournalDamagedError(self.spot, f"record {position} is {'gone' if row is None else 'damaged'}")
        return row[0]

    def time_row(self, position: int) -> Sequence[int | None] | None:
        """Return the time of the record at a position in a row; None if there is no such record."""

    def now(self) -> int:
        """Return the time by the clock of the database, as `time_at` does."""

    def lag(self, place: Place) -> int:
        """Return how many records there are after *place*, which is that of the last record that memory has, or had.

        Raises: `JournalReplacedError` if there is none at it (any more).
        """
        begun, head = monotonic(), self.head()
        if head == place:
            self.note_complete(begun)
        elif head.position <= place.position:
            self.read(place, 0)  # raises, unless it has come since the head was read
        return max(0, head.position - place.position)

    def wait(self, place: Place, timeout: float, *, again: bool = False) -> bool:
        """Wait until there is a record after *place*, and tell whether one came in time; `wake` ends all waiting.

        *again*: the caller will wait again at once if none comes, so it may stay notified until then. Raises: as `lag`.
        """

    def wake(self) -> None:
        """End all waiting, now and later: the calendar is being closed."""

    def lock(self, timeout: float, place: Place, most: int) -> Sequence[Stored]:
        """Keep others from appending until `append`, `confirm` or `unlock`, also if this raises; return what `read` does.

        Raises: `JournalTimeoutError`; as `read`.
        """

    def can_hope(self) -> bool:
        """Tell whether to append without `lock` saves something, and the database can be reached as far as is known."""
        return False

    def append(self, place: Place, records: Sequence[bytes], *, locked: bool = True) -> Place:
        """Append records after the last one, whose place is given, commit once, and unlock. Returns the place of the last.

        Unless *locked*, `lock` has not been called: it raises if the place is not that of the last one, or, without waiting,
        if another process holds the lock.

        If it raises, none of them is there; unless that is an `UnknownOutcomeError`. The last call is the commit.
        """

    def confirm(self) -> None:
        """Do for the records that `lock` found what `append` does for its own before it returns, and unlock.

        Others, or this process before its connection broke, may have been cut off in the midst of that: such a record can
        be read, and may be lost yet. Raises: `UnknownOutcomeError`.
        """

    def unlock(self) -> None:
        """Let others append, if they may not yet."""

    def checkpoint(self, place: Place, snapshot: bytes, keep: int) -> None:
        """Keep a snapshot of the calendar at a place, and of older ones *keep* - 1, and that at the origin."""

    def checkpoints(self, below: int = LAST) -> Iterator[Stored]:
        """Yield the snapshots before a position, the newest first, one at a time.

        Of a row that no calendar has written, such as those that SQLite finds in a damaged file, the snapshot is empty.
        """
        while (row := self.newest(below)) is not None:
            below, mark, snapshot = row
            is_sound = below >= 0 and type(mark) is int and 0 <= mark < 1 << 32 and type(snapshot) is bytes
            yield Stored(Place(below, mark), snapshot if is_sound else b"")

    def newest(self, below: int) -> tuple[int, int, bytes] | None:
        """Return position, mark and bytes of the newest snapshot before a position, or None."""

    def outgrown(self) -> bool:
        """Tell whether the records after the newest snapshot are more bytes than it is, so that a new one is due."""
        records, snapshot = self.sizes()
        return records > max(LEAST, snapshot)

    def sizes(self) -> tuple[int, int]:
        """Return how many bytes the records after the newest snapshot have, and that snapshot. O(records after it)."""

    def barrier(self) -> None:
        """Return when all that was committed is on the disk."""

    def close(self) -> None:
        """Give back what the journal holds. Called again it does nothing."""
