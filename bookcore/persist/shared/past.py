"""States of the past of a shared calendar, and what happened between them, from the records of its database.

Records stay for ever, so all of the past is there from the origin of the journal on. An instant is found by bisecting the
times of records, which never go back. Records of an older bookcore tell none: they come before all others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from contextlib import closing
from typing import Any

from bookcore.persist.journal.errors import JournalPositionError
from bookcore.persist.journal.past import Entry, History, PastRecorder, entries_of
from bookcore.persist.journal.reading import Asked, C, Make, Moment, Progress, replay, time_of
from bookcore.persist.shared.replaying import Records, begin
from bookcore.persist.shared.seam import LAST, SharedJournal


def open_past(
    make: Make[C], reopen: Callable[[], SharedJournal], known: dict[str, type], moment: Moment, asked: Asked,
    progress: Progress | None = None,
) -> tuple[C, PastRecorder]:  # fmt: skip
    """Return the calendar in its state at a moment, and its journal, which is to be given to its log.

    *reopen* opens the journal; it is closed when all has been read. *progress* is called with numbers of records.
    Raises: `JournalPositionError` for a moment that is not there, or of which records do not tell.
    """

    def read(make: Make[Any], **asked: Any) -> History:
        with closing(reopen()) as journal:
            return read_history(make, journal, known, **asked)

    with closing(reopen()) as journal:
        name, spot, most = journal.name, journal.spot, _position(journal, moment)
        if most < (first := journal.origin.position):
            begun = journal.time_at(first)
            at = "" if begun is None else f", at {time_of(begun)}"
            raise JournalPositionError(spot, moment.given, f"what is kept begins after record {first}{at}")
        calendar, state, place = begin(make, journal, known, most)
        asked.check(name, state)
        records = Records(journal, place, most, progress)
        state.gate.run(replay, state, known, records)
        reached, last = records.place.position, 0
        if moment.is_instant:
            last = max(journal.now(), journal.time_at(journal.head().position) or 0)
    if moment.is_after(reached, last):
        raise JournalPositionError(spot, moment.given, f"the last record is {reached}; that is yet to come")
    past = PastRecorder(spot, reached, read)
    state.log.attach(past)
    return calendar, past


def read_history(
    make: Make[Any], journal: SharedJournal, known: dict[str, type], *, until: Moment | None = None,
    since: Moment | None = None, wanted: Callable[[Entry], bool], progress: Progress | None = None,
) -> History:  # fmt: skip
    """Return the entries that are *wanted*, after the moment *since* and up to *until*.

    Raises: `JournalError`, `SnapshotError`; `JournalPositionError` for an instant of which records do not tell.
    Complexity: linear in the number of all records; of those after the newest checkpoint before *since*, if that is given.
    """
    most = LAST if until is None else _position(journal, until)
    start = 0 if since is None else _position(journal, since)
    _, state, place = begin(make, journal, known, max(start, journal.origin.position))
    begun = journal.time_at(place.position)
    entries = entries_of(state, known, Records(journal, place, most, progress), Moment(start), wanted)
    return History.of(entries, place.position, None if begun is None else time_of(begun))


def _position(journal: SharedJournal, moment: Moment) -> int:
    """Return the position of the last record up to a moment; the one before the origin if all are later.

    Raises: `JournalPositionError` for an instant if the last record that may be of it tells no time.
    Complexity: a question to the database for each doubling of the number of records.
    """
    if not moment.is_instant:
        return min(moment.position, LAST)
    first = journal.origin.position

    def time(position: int) -> int:
        instant = journal.time_at(position)
        return moment.time if instant is None else instant

    reached = first - 1 + bisect_right(range(first, journal.head().position + 1), moment.time, key=time)
    if reached >= first and journal.time_at(reached) is None:
        reason = f"its records up to {reached} are of an older bookcore and tell no times; name a position"
        raise JournalPositionError(journal.spot, moment.given, reason)
    return reached
