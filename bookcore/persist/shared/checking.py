"""`check`: whether the records in a database follow from each other, and its checkpoints from them. It is only read.

PostgreSQL sees all of it at one instant, and compares its tables as well: `bookcore.persist.shared.databases`. Elsewhere a
check ends with what was the last record when it began.
"""

from __future__ import annotations

from contextlib import closing

from bookcore.engine.state import CalendarState
from bookcore.persist.journal.reading import Progress, blank, check_progress
from bookcore.persist.shared.address import is_postgres, place_text, shown
from bookcore.persist.shared.opening import journal_at, postgres_databases
from bookcore.persist.shared.replaying import Inspection, begin
from bookcore.persist.shared.seam import Checked, Place
from bookcore.persist.snapshot.classes import StandIns


def check(address: str, *, progress: Progress | None = None) -> Checked:
    """Tell whether the records of a calendar follow from each other, and its checkpoints and tables from them.

    It needs no class of the program. *progress* is called with how much was read, and of how much: in bytes of PostgreSQL,
    elsewhere in records.

    Raises: `JournalError` for a database that cannot be read, `SnapshotTypeError` for a key whose codec is not registered.
    Complexity: linear in the records, in time; in memory as the calendar.

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
    known = StandIns()
    with closing(journal_at(address)) as journal:
        head, begins = journal.head().position, journal.origin.position
        found = Inspection(journal, known, [stored.place.position for stored in journal.checkpoints()][::-1])

        def start() -> tuple[CalendarState, Place]:  # with an empty calendar, or with a checkpoint
            return begin(blank, journal, known, begins)[1:]

        def note(_: object) -> None:
            if progress is not None:
                progress(found.place.position - begins, head - begins)

        found.look(start, head, note)
    name = shown(address)
    return found.checked(name, name)
