"""`read_log`: what happened in a calendar, wherever its records are."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing

from bookcore.model.errors import QueryError
from bookcore.persist.journal import past
from bookcore.persist.journal.directory import Directory
from bookcore.persist.journal.errors import JournalError
from bookcore.persist.journal.past import Entry, History
from bookcore.persist.journal.reading import Moment, Progress, blank
from bookcore.persist.shared.address import is_address, is_divided, place_text, shown, without_key
from bookcore.persist.shared.opening import journal_at
from bookcore.persist.shared.past import read_history
from bookcore.persist.snapshot.classes import StandIns


def read_log(
    where: str | os.PathLike[str], *, since: object = None, wanted: Callable[[Entry], bool] = lambda _: True,
    key: bytes | None = None, progress: Progress | None = None,
) -> History:  # fmt: skip
    """Return what happened in a directory or a database, without the program that wrote it.

    Its classes are substituted. *since* is a position, of which only later records are read, or an instant, before which
    none is. *progress* is called with the number of bytes that were read (of records, in a database), and that of all. It is
    only read, and may be open elsewhere.

    Raises: `JournalError` and `SnapshotError` for what cannot be read, `JournalPositionError` for an instant of which the
    records do not tell; `QueryError` for a *since* that is neither, and for a *wanted* or a *progress* that is no function.
    Complexity: linear in the size of all that is kept, or of what came after the newest snapshot before *since*.

    >>> from tempfile import TemporaryDirectory
    >>> from bookcore import Calendar, Resource
    >>> with TemporaryDirectory() as folder:
    ...     with Calendar.open(folder) as calendar:
    ...         stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12, id="stay")
    ...     [(each.position, type(each.change).__name__, each.resources, each.booking) for each in read_log(folder)]
    [(1, 'ResourceAdded', ('room',), None), (2, 'Booked', ('room',), 'stay')]
    """
    if not callable(wanted):
        raise QueryError(wanted, "wanted is a function of an entry that tells whether it is returned")
    moment = None if since is None else Moment.of(since).earlier()
    address = place_text(where)
    if not is_address(address):
        if os.path.isfile(address):
            raise JournalError(address, "is a file: a snapshot tells no history, a directory or a database does")
        there = Directory.of(where, key)
        return past.read_history(blank, there, StandIns(), since=moment, wanted=wanted, progress=progress)
    without_key(address, key)
    if is_divided(address):
        way = "name one by &partition=0, ..., of which this is the history"
        raise JournalError(shown(address), f"each partition has an order of its own: {way}")
    with closing(journal_at(address)) as journal:
        return read_history(blank, journal, StandIns(), since=moment, wanted=wanted, progress=progress)
