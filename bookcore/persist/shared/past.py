"""States of the past of a shared calendar, and what happened between them, from the records of its database.

Records stay for ever, so all of the past is there from the origin of the journal on. They tell no times yet: a moment is
named by its position.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from bookcore.model.errors import QueryError
from bookcore.persist.journal.errors import JournalPositionError
from bookcore.persist.journal.past import Entry, History, PastRecorder, entries_of
from bookcore.persist.journal.reading import Asked, C, Make, Moment, Progress, replay
from bookcore.persist.shared.replaying import Records, begin
from bookcore.persist.shared.seam import LAST, SharedJournal


def open_past(
    make: Make[C], reopen: Callable[[], SharedJournal], known: dict[str, type], moment: Moment, asked: Asked,
    progress: Progress | None = None,
) -> tuple[C, PastRecorder]:  # fmt: skip
    """Return the calendar as it stood at a moment, and its journal, which is to be given to its log.

    *reopen* opens the journal; it is closed when all has been read. *progress* is called with numbers of records.
    Raises: `JournalPositionError` for a position that is not there, `QueryError` for an instant.
    """

    def read(make: Make[Any], **asked: Any) -> History:
        with closing(reopen()) as journal:
            return read_history(make, journal, known, **asked)

    with closing(reopen()) as journal:
        name, most = journal.name, _position(journal, moment)
        if most < (first := journal.origin.position):
            raise JournalPositionError(name, moment.given, f"what is kept begins after record {first}")
        calendar, state, place = begin(make, journal, known, most)
        asked.check(name, state)
        records = Records(journal, place, most, progress)
        state.gate.run(replay, state, known, records)
    reached = records.place.position
    if reached < most < LAST:
        raise JournalPositionError(name, moment.given, f"the last record is {reached}; that is yet to come")
    past = PastRecorder(name, reached, read)
    state.log.attach(past)
    return calendar, past


def read_history(
    make: Make[Any], journal: SharedJournal, known: dict[str, type], *, until: Moment | None = None,
    since: Moment | None = None, wanted: Callable[[Entry], bool], progress: Progress | None = None,
) -> History:  # fmt: skip
    """Return the entries that are *wanted*, after the position *since* and up to *until*.

    Raises: `JournalError`, `SnapshotError`; `QueryError` for an instant.
    Complexity: linear in the number of all records; of those after the newest checkpoint before *since*, if that is given.
    """
    most = LAST if until is None else _position(journal, until)
    start = 0 if since is None else _position(journal, since)
    _, state, place = begin(make, journal, known, max(start, journal.origin.position))
    found = entries_of(state, known, Records(journal, place, most, progress), since, wanted)
    return History.of(found, place.position, None)


def _position(journal: SharedJournal, moment: Moment) -> int:
    if moment.is_instant:
        raise QueryError(moment.given, f"the records of {journal.name} tell no times; name a position")
    return min(moment.position, LAST)
