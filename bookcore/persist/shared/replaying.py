"""From a database to a calendar: the newest checkpoint that is whole, then the records after it; or all, to check them."""

from __future__ import annotations

import logging
import secrets
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bookcore.engine.state import CalendarState
from bookcore.model.errors import BookcoreError
from bookcore.model.event import BookingEvent
from bookcore.persist.errors import SnapshotDamagedError
from bookcore.persist.journal.errors import JournalDamagedError, JournalReplacedError
from bookcore.persist.journal.reading import Asked, C, Make, Progress, Record, apply, blank, check_progress
from bookcore.persist.journal.records import Replay
from bookcore.persist.shared.seam import LAST, Beginning, Checked, Place, SharedJournal, Stored, gone
from bookcore.persist.snapshot.digest import digest
from bookcore.persist.snapshot.save_load import load_bytes, save_bytes

AT_ONCE = 256
"""How many records of others are read, and applied while questions wait."""


def snapshot_id(origin: Place, place: Place) -> bytes:
    """Return what the header of a snapshot has as its store id: the mark of the journal, and its place."""
    return struct.pack("<IIQ", origin.mark, place.mark, place.position)


def load_checkpoint(
    make: Make[C], spot: str, origin: Place, known: dict[str, type], checkpoint: Stored
) -> tuple[C, CalendarState]:
    """Return the calendar of a checkpoint. *spot* and *origin* are those of the journal.

    Raises: `SnapshotDamagedError`, also if it is of another place; `SnapshotTypeError`.
    """
    name = f"{spot}, checkpoint {checkpoint.place.position}"
    calendar, state, facts = load_bytes(make, name, known, checkpoint.data)
    if facts.store_id != snapshot_id(origin, checkpoint.place):
        raise SnapshotDamagedError(name, "it is of another place")
    return calendar, state


def begin(make: Make[C], journal: SharedJournal, known: dict[str, type], most: int = LAST) -> tuple[C, CalendarState, Place]:
    """Return the calendar of the newest checkpoint up to position *most* that is whole, or an empty one, and its place.

    Raises: `JournalDamagedError` if none is whole and the journal did not begin with an empty calendar.
    """
    name, origin = journal.spot, journal.origin
    for checkpoint in journal.checkpoints(most + 1):
        try:
            calendar, state = load_checkpoint(make, name, origin, known, checkpoint)
            check_record(journal, checkpoint.place)
        except (SnapshotDamagedError, JournalDamagedError) as exc:
            logging.getLogger("bookcore").error("%s; an older one and all records since are read", exc)
        else:
            return calendar, state, checkpoint.place
    if origin.position:
        what = f"its checkpoints are damaged or gone, also that of record {origin.position}, with which it begins"
        raise JournalDamagedError(name, f"{what}; bring back a backup")
    check_record(journal, origin)
    calendar, state = make(bounds=journal.bounds, event_type=BookingEvent)
    return calendar, state, origin


def check_record(journal: Any, place: Place) -> None:
    """Raise `JournalDamagedError` unless the record is there with which one is about to begin."""
    try:
        journal.read(place, 0)
    except JournalReplacedError as exc:
        what = f"its record {place.position}, to begin with, is damaged or gone; bring back a backup"
        raise JournalDamagedError(journal.spot, what) from exc


def empty(name: str, asked: Asked, last: int = 0) -> Beginning:
    """Return what a new journal begins with whose calendar has nothing in it.

    If the calendar has an event type, or its bookings and closures are numbered after *last*, a snapshot tells that, and
    nothing else does. Then it begins at position 1: at position 0, a journal that has lost the snapshot would be taken for
    one without.
    """
    if asked.event_type in (None, BookingEvent) and not last:
        return Beginning.empty(asked.bounds)
    _, state = asked.make_new(blank)
    state.number_after(last, last)
    return beginning(state, name, 1, if_new=True)


def beginning(state: CalendarState, name: str, position: int, **more: Any) -> Beginning:
    """Return the beginning of a journal whose calendar is there already; *more* are fields of `Beginning`."""
    place = Place(position, secrets.randbits(32))
    data = save_bytes(state, name, store_id=snapshot_id(place, place))
    return Beginning(place, state.bounds, data, **more)


class Records:
    """The records of a journal after a place, up to a position.

    ``place`` is that of the last one that was taken, ``size`` the bytes of all that were.
    """

    def __init__(self, journal: SharedJournal, place: Place, most: int = LAST, progress: Progress | None = None) -> None:
        """*progress* is called with the number of records that were read, and that of all. Raises: `QueryError`."""
        check_progress(progress)
        self.place = self._start = place
        self.size = 0
        self._journal, self._most, self._progress = journal, most, progress
        self._end = 0 if progress is None else min(most, journal.head().position)

    def __iter__(self) -> Iterator[Record]:
        journal, most = self._journal, self._most
        # what comes after the last one that is wanted is not read: it may be damaged
        while (left := most - self.place.position) > 0:
            news = journal.read(self.place, min(AT_ONCE, left)) or self._last(min(AT_ONCE, left))
            if not news:
                return
            for stored in news:
                self.place = stored.place
                self.size += len(stored.data)
                yield stored.record(journal.spot)
            if self._progress is not None:
                done = self.place.position - self._start.position
                self._progress(done, max(done, self._end - self._start.position))

    def _last(self, most: int) -> Sequence[Stored]:
        """Return what has come since nothing could be read. Raises: `JournalDamagedError` if the last ones are gone."""
        journal, good = self._journal, self.place.position
        if journal.head().position <= good:
            return ()
        news = journal.read(self.place, most)
        if not news:
            raise gone(journal.spot, good)
        return news


class Inspection:
    """Whether the records of a calendar follow from each other, and its checkpoints from them.

    The records from ``begins`` to ``place`` make ``state``. ``faults`` are what is wrong. Nothing is applied that comes
    after a fault of the records: then it ``is_cut``. A checkpoint that another process removes meanwhile, because it wrote a
    later one, is no fault, and is not among ``checkpoints`` then.
    """

    def __init__(self, journal: Any, known: dict[str, type], checkpoints: Sequence[int]) -> None:
        """*journal* reads as a `SharedJournal`; *checkpoints* are the positions of its checkpoints, in order."""
        self._journal, self._known, self.checkpoints = journal, known, list(checkpoints)
        self.place, self.begins, self.records = journal.origin, journal.origin.position, 0
        self.state: CalendarState = blank(journal.bounds, BookingEvent)[1]
        self.faults: list[BookcoreError] = []
        self.is_cut = False

    def look(
        self, begin: Callable[[], tuple[CalendarState, Place]], last: int, note: Callable[[list[Record]], object]
    ) -> None:
        """Apply the records up to a position to what *begin* returns; *note* is called with those that were applied."""
        try:
            self.state, self.place = begin()
            self.begins = self.place.position
            for position in tuple(self.checkpoints):
                self._apply_up_to(min(position, last), note)
                if position == self.place.position != self.begins:
                    self._compare(position)
            self._apply_up_to(last, note)
        except (JournalDamagedError, JournalReplacedError) as exc:
            self.faults.append(exc)
            self.is_cut = True

    def checkpoint(self, position: int) -> Stored | None:
        """Return the checkpoint at a position; None if it was removed since."""
        found: Stored | None = next(self._journal.checkpoints(position + 1), None)
        if found is None or found.place.position != position:
            self.checkpoints.remove(position)
            return None
        return found

    def _compare(self, position: int) -> None:
        spot, checkpoint = self._journal.spot, self.checkpoint(position)
        if checkpoint is None:
            return
        try:
            found = load_checkpoint(blank, spot, self._journal.origin, self._known, checkpoint)[1]
            is_right = checkpoint.place == self.place and digest(found) == digest(self.state)
        except BookcoreError as exc:
            self.faults.append(exc)
            return
        if not is_right:
            what = f"checkpoint {position} is not the calendar that the records up to there make"
            self.faults.append(JournalDamagedError(spot, what))

    def _apply_up_to(self, end: int, note: Callable[[list[Record]], object]) -> None:
        replay = Replay(self.state, self._known)
        while self.place.position < end and (news := self._read(min(AT_ONCE, end - self.place.position))):
            note(self.state.gate.run(self._apply, replay, news))

    def _apply(self, replay: Replay, news: Sequence[Stored]) -> list[Record]:
        records = [stored.record(self._journal.spot) for stored in news]
        for stored, record in zip(news, records, strict=True):
            apply(replay, record)
            self.place = stored.place
            self.records += 1
        return records

    def _read(self, most: int) -> Any:
        """Return the next records, those before one that is damaged one by one. Raises: `JournalDamagedError`."""
        try:
            return self._journal.read(self.place, most)
        except JournalDamagedError:
            return self._journal.read(self.place, 1)

    def checked(self, database: str, calendar: str, **tables: Any) -> Checked:
        """Return what was found; *tables* are the fields of `Checked` about tables."""
        facts = self.begins, self.place.position, self.records, digest(self.state), tuple(self.checkpoints)
        return Checked(database, calendar, *facts, faults=tuple(self.faults), **tables)
