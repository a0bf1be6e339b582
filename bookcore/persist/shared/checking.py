"""`check`: whether the records in a database follow from each other, and its checkpoints from them. It is only read.

    records      one calendar, from the first record on      no gap, and each mark the checksum of all records before it
    checkpoints  compared with it where it comes by          whole, and of the same digest

PostgreSQL sees all of it at one instant, and compares its tables as well: `bookcore.persist.shared.databases`. Elsewhere a
check ends with what was the last record when it began.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from bookcore.engine.state import CalendarState
from bookcore.model.errors import BookcoreError
from bookcore.model.event import BookingEvent
from bookcore.persist.journal.errors import JournalDamagedError, JournalReplacedError
from bookcore.persist.journal.reading import Progress, Record, apply, blank, check_progress
from bookcore.persist.journal.records import Replay
from bookcore.persist.shared.address import is_postgres, place_text, shown
from bookcore.persist.shared.opening import journal_at, postgres_databases
from bookcore.persist.shared.replaying import AT_ONCE, begin, checkpoint_faults
from bookcore.persist.shared.seam import Checked, SharedJournal, Stored
from bookcore.persist.snapshot.classes import StandIns
from bookcore.persist.snapshot.digest import digest


def check(address: str, *, progress: Progress | None = None) -> Checked:
    """Tell whether the records of a calendar follow from each other, and its checkpoints and tables from them.

    It needs no class of the program. *progress* is called with how much was read, and of how much: in bytes of PostgreSQL,
    elsewhere in records.

    Raises: `JournalError` for a database that cannot be read, `SnapshotTypeError` for a key whose codec is not registered.
    Complexity: linear in the records, in time; in memory as the calendar and its checkpoints.

    >>> from tempfile import TemporaryDirectory
    >>> from bookcore import Calendar, Resource
    >>> with TemporaryDirectory() as folder:
    ...     address = f"sqlite:///{folder}/rooms.db"
    ...     with Calendar.open(address) as calendar:
    ...         stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
    ...         digest = calendar.digest()
    ...     found = check(address)
    ...     found.is_whole, found.position, found.digest == digest
    (True, 2, True)
    """
    address = place_text(address)
    if is_postgres(address):
        checked: Checked = postgres_databases().check(address, progress=progress)
        return checked
    check_progress(progress)
    with closing(journal_at(address)) as journal:
        look = _Look(journal, progress)
        look.look()
    name = shown(address)
    positions = tuple(place.position for place, _, _ in look.checkpoints)
    told = digest(look.state)
    faults = tuple(look.faults)
    return Checked(
        name, name, look.begins, look.place.position, look.records, told, positions, False, faults, (), compared=False
    )


class _Look:
    """One look at a journal."""

    def __init__(self, journal: SharedJournal, progress: Progress | None) -> None:
        self._journal, self._known, self._progress = journal, StandIns(), progress
        self._head = journal.head()
        self.checkpoints = list(journal.checkpoints())[::-1]
        self.place, self.begins, self.records = journal.origin, journal.origin.position, 0
        self.state: CalendarState = blank(journal.bounds, BookingEvent)[1]
        self.faults: list[BookcoreError] = []

    def look(self) -> None:
        """Apply all records up to the last one there was; a fault of them ends it."""
        try:
            # the journal begins with an empty calendar, or with a checkpoint
            _, self.state, self.place = begin(blank, self._journal, self._known, self.begins)
            for checkpoint in self.checkpoints:
                self._apply_up_to(min(checkpoint.place.position, self._head.position))
                if self.begins < checkpoint.place.position <= self._head.position:
                    journal, known = self._journal, self._known
                    self.faults += checkpoint_faults(journal.spot, journal.origin, known, checkpoint, self.place, self.state)
            self._apply_up_to(self._head.position)
        except (JournalDamagedError, JournalReplacedError) as exc:
            self.faults.append(exc)

    def _apply_up_to(self, end: int) -> None:
        applied = Replay(self.state, self._known)
        while self.place.position < end and (news := self._read(min(AT_ONCE, end - self.place.position))):
            self.state.gate.run(self._apply, applied, news)
            if self._progress is not None:
                self._progress(self.place.position - self.begins, self._head.position - self.begins)

    def _apply(self, applied: Replay, news: Sequence[Stored]) -> None:
        for place, data, _ in news:
            apply(applied, Record(place.position, None, self._journal.spot, None, data))
            self.place = place
            self.records += 1

    def _read(self, most: int) -> Sequence[Stored]:
        """Return the next records, those before one that is damaged one by one. Raises: `JournalDamagedError`."""
        try:
            return self._journal.read(self.place, most)
        except JournalDamagedError:
            return self._journal.read(self.place, 1)
