"""States of the past, and what happened between them.

    open_past       the newest snapshot before a moment, and the records up to it: a calendar that takes no changes
    read_history    the oldest snapshot, and then what each record changes

The lock of the directory is not taken: another calendar may have it open, and go on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from bookcore.engine.state import CalendarState
from bookcore.model import change as changes
from bookcore.model.change import Change
from bookcore.model.errors import QueryError, attempt
from bookcore.model.event import BookingEvent
from bookcore.model.typecheck import is_a
from bookcore.persist.journal.directory import Directory
from bookcore.persist.journal.errors import JournalPositionError, JournalReadOnlyError
from bookcore.persist.journal.reading import (
    Asked,
    C,
    Make,
    Moment,
    Progress,
    Reader,
    Record,
    apply,
    replay,
    reread,
    time_of,
)
from bookcore.persist.journal.records import UNRECORDED, Replay


class PastRecorder:
    """The journal of a calendar that shows the past: it takes no record."""

    __slots__ = ("_read", "name", "position")

    def __init__(self, name: str, position: int, read: Callable[..., History]) -> None:
        """*read* is `read_history` of the place."""
        self.name, self.position, self._read = name, position, read

    def append(self, noted: Sequence[Change]) -> None:
        """Refuse changes, but for those of indexes, which are in no record. Raises: `JournalReadOnlyError`."""
        if not all(isinstance(change, UNRECORDED) for change in noted):
            self.refuse()

    def refuse(self) -> None:
        """Raise `JournalReadOnlyError`: what is shown does not grow, and what others do is not known."""
        shown = f"is shown as it was after record {self.position}"
        reason = f"{shown}: it takes no changes and learns of none; open it without as_of"
        raise JournalReadOnlyError(self.name, reason)

    def checkpoint(self) -> None:
        """Raise `JournalReadOnlyError`."""
        self.refuse()

    catch_up = lag = staleness = checkpoint

    def wait(self) -> None:
        """Do nothing: all that there is was read from the disk."""

    barrier = close = wait

    def wait_for(self, position: int, timeout: float | None) -> None:
        """Raise `JournalReadOnlyError` for a position that is not shown."""
        if position > self.position:
            self.refuse()

    def history(self, make: Make[Any], what: object, id: object) -> History:
        """See `Calendar.history`."""
        return self._read(make, until=Moment(self.position), wanted=about(what, id))


def open_past(
    make: Make[C], where: Directory, known: dict[str, type], moment: Moment, asked: Asked,
    progress: Progress | None = None,
) -> tuple[C, PastRecorder]:  # fmt: skip
    """Return the calendar in its state at a moment, and its journal, which is to be given to its log.

    Raises: `JournalPositionError` for a moment that is not there; otherwise as `recover`.
    """

    def read(reader: Reader) -> tuple[C, PastRecorder]:
        reader.check_there()
        order = reader.before(moment)
        if not order:
            first = reader.names.snapshots[0]
            reason = f"what is kept begins after record {first}, at {time_of(reader.time_at(first))}"
            raise JournalPositionError(where.folder, moment.given, reason)
        calendar, state, store_id, position, _ = reader.load(make, known, order)
        asked.check(where.folder, state)
        reached = [position]
        state.gate.run(replay, state, known, _until(moment, reader, store_id, reached))
        last = max(where.fs.now(), reader.end.time) if reader.end.position == reached[0] else moment.time
        if moment.is_after(reached[0], last):
            raise JournalPositionError(where.folder, moment.given, f"the last record is {reached[0]}; that is yet to come")
        past = PastRecorder(where.folder, reached[0], partial(read_history, where=where, known=known))
        state.log.attach(past)
        return calendar, past

    return reread(where, progress, read)


def _until(moment: Moment, reader: Reader, store_id: bytes, reached: list[int]) -> Iterator[Record]:
    """Yield the records after a position, and note that of each, up to a moment; no file is read that has none of them."""
    if reached[0] == moment.position:
        return
    for record in reader.records(store_id, reached[0]):
        if not moment.includes(record.position, record.time):
            return
        reached[0] = record.position
        yield record
        if record.position == moment.position:
            return


# -- what happened -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, the position and the time of its record, and what it is about.

    ``resources`` are the ids of its resources: two if a booking moved from one to another. ``booking`` is the id of its
    booking, or None. ``time`` is None for a record in a database that an older bookcore wrote.
    """

    position: int
    time: datetime | None
    change: Change
    resources: tuple[Hashable, ...]
    booking: Hashable


def about(what: object, id: object) -> Callable[[Entry], bool]:
    """Return a function that tells whether an entry is about a booking or a resource, or whichever has this id.

    Raises: `QueryError` for None, and for a booking that was never made. Neither has an id, as entries about no booking have
    none.
    """
    if id is None:
        raise QueryError(what, "a history is that of a resource, of a booking that was made, or of what has its id")
    is_booking = is_a(what, BookingEvent)
    is_resource = not is_booking and id is not what

    def has_it(other: object) -> bool:  # an id's own comparison may raise, of some of the others
        return other is id or attempt(lambda: bool(other == id), False)

    def is_about(entry: Entry) -> bool:
        return (not is_resource and has_it(entry.booking)) or (not is_booking and any(map(has_it, entry.resources)))

    return is_about


class History(tuple[Entry, ...]):
    """What happened, in order. It begins after the record ``begins``, which was made at ``since``, if its time is known."""

    begins: int
    since: datetime | None

    @classmethod
    def of(cls, entries: Sequence[Entry], begins: int, since: datetime | None) -> History:
        """Return a history of these entries."""
        made = cls(entries)
        made.begins, made.since = begins, since
        return made


class _Taken:
    """A journal that keeps the changes of the last record."""

    def __init__(self) -> None:
        self.changes: Sequence[Change] = ()

    def append(self, noted: Sequence[Change]) -> None:
        """Keep the changes."""
        self.changes = noted

    def wait(self) -> None:
        """Do nothing."""


def entries_of(
    state: CalendarState, known: dict[str, type], records: Iterable[Record], since: Moment | None,
    wanted: Callable[[Entry], bool],
) -> list[Entry]:  # fmt: skip
    """Apply records to a calendar, and return the entries that are *wanted* of those after the moment *since*."""
    taken, ids, found = _Taken(), _Ids(state), list[Entry]()
    state.log.attach(taken)
    applied = Replay(state, known)
    for record in records:
        state.gate.run(state.undoing, True, apply, applied, record)
        entries = ids.entries(record, taken.changes)
        if since is None or not since.includes(record.position, record.time):
            found += filter(wanted, entries)
    return found


def read_history(
    make: Make[Any], where: Directory, known: dict[str, type], *, until: Moment | None = None,
    since: Moment | None = None, wanted: Callable[[Entry], bool], progress: Progress | None = None,
) -> History:  # fmt: skip
    """Return the entries that are *wanted*, after the moment *since* and up to *until*.

    Raises: as `recover`.
    Complexity: linear in the size of the oldest snapshot and of all records that are kept; of those after the newest
    snapshot before *since*, if that is given.
    """

    def read(reader: Reader) -> History:
        reader.check_there()
        order = (reader.before(since) if since is not None else []) or reader.names.snapshots
        loaded = reader.load(make, known, order)
        records = _until(until or Moment(), reader, loaded.store_id, [loaded.position])
        entries = entries_of(loaded.state, known, records, since, wanted)
        return History.of(entries, loaded.position, time_of(reader.time_at(loaded.position)))

    return reread(where, progress, read)


class _Ids:
    """The ids under which resources were registered, also of those that were removed since."""

    def __init__(self, state: CalendarState) -> None:
        self._by_object = {id(record.resource): (record.id, record.resource) for record in state.registry.by_id.values()}

    def entries(self, record: Record, noted: Sequence[Change]) -> list[Entry]:
        """Return an entry for each change of a record."""
        entries, time = [], None if record.time is None else time_of(record.time)
        for change in noted:
            if isinstance(change, changes.ResourceAdded):
                self._by_object[id(change.resource)] = change.id, change.resource
            entries.append(Entry(record.position, time, change, *self._of(change)))
        return entries

    def _of(self, change: Any) -> tuple[tuple[Hashable, ...], Hashable]:
        """Return the ids of the resources and of the booking that a change is about."""
        match change:
            case changes.Moved(before, after) | changes.Changed(before, after):
                resources = [before._resource, after._resource]
                booking = after._id
            case changes.Closed(closure) | changes.Reopened(closure):
                resources, booking = [closure.resource], None
            case _ if hasattr(change, "event"):
                resources, booking = [change.event._resource], change.event._id
            case _:
                resources, booking = [change.resource], None
        return tuple(dict.fromkeys(self._by_object[id(resource)][0] for resource in resources)), booking
