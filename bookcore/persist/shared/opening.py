"""`open_shared`: a calendar from the address of a database."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bookcore.engine.state import CalendarState
from bookcore.model.errors import MissingExtraError, SnapshotError
from bookcore.model.event import BookingEvent
from bookcore.persist.errors import SnapshotDamagedError
from bookcore.persist.journal.errors import JournalError
from bookcore.persist.journal.reading import C, Make
from bookcore.persist.journal.records import Replay
from bookcore.persist.shared.follower import Follower
from bookcore.persist.shared.recorder import AT_ONCE, SharedRecorder, replay_all, snapshot_id
from bookcore.persist.shared.seam import Place, SharedJournal
from bookcore.persist.shared.sqlite import SqliteJournal
from bookcore.persist.shared.turns import SharedGate
from bookcore.persist.snapshot.save_load import load_bytes

__all__ = ["is_address", "open_shared"]

_ADDRESS = re.compile(r"([a-z][a-z0-9+.]*):(?=//)", re.ASCII | re.IGNORECASE)


def is_address(text: str) -> bool:
    """Tell whether a text is the address of a database and not a path.

    >>> is_address("sqlite:///rooms.db"), is_address("rooms"), is_address("C:/rooms")
    (True, False, False)
    """
    return _ADDRESS.match(text) is not None


def open_shared(
    make: Make[C],
    address: str,
    known: dict[str, type],
    *,
    bounds: str | None,
    create: bool,
    sync: bool,
    keep: int,
    follow: bool,
    timeout: float,
) -> tuple[C, SharedRecorder]:
    """See `Calendar.open`. *make* is as for `bookcore.persist.snapshot.load`."""
    journal = _journal(address, bounds=bounds, create=create, sync=sync, timeout=timeout)
    try:
        calendar, state, place = _begin(make, journal, known)
        place = state.gate.run(_replay, state, journal, known, place)
        recorder = SharedRecorder(state, journal, known, place, patience=timeout, keep=keep)
        state.log.attach(recorder, provisional=True)
        if state.holds.clock is not None:
            state.holds.clock = partial(_instant, state.holds.clock, journal)
        state.gate.__class__ = SharedGate
        if follow:
            recorder.follower = Follower(recorder)
    except BaseException:
        journal.close()
        raise
    return calendar, recorder


def _instant(clock: Callable[[], Any], journal: SharedJournal) -> Any:
    """Return the instant of the clock, as the clock of the database would tell it: that one decides when holds run out."""
    now, skew = clock(), journal.skew
    if not skew:
        return now
    if isinstance(now, datetime):
        return now + timedelta(seconds=skew)
    return now + skew if type(now) is float else now


def _journal(address: str, **options: Any) -> SharedJournal:
    scheme, _, rest = address.partition("://")
    if scheme.lower() in ("postgresql", "postgres"):
        try:
            from bookcore.persist.shared.postgres import PostgresJournal
        except ImportError as exc:
            raise MissingExtraError("psycopg", "postgres") from exc
        return PostgresJournal(address, **options)
    if scheme.lower() != "sqlite":
        what = "take sqlite:///path, postgresql://host/database, or a directory"
        raise JournalError(address, f"there is no journal of the kind {scheme!r}; {what}")
    path, _, asked = rest[1:].partition("?")
    if not rest.startswith("/") or not path or path == ":memory:" or asked:
        what = "the address of a file is sqlite:///path, or sqlite:////path from the root, and nothing after it"
        raise JournalError(address, what)
    return SqliteJournal(path, **options)


def _begin(make: Make[C], journal: SharedJournal, known: dict[str, type]) -> tuple[C, CalendarState, Place]:
    """Return the calendar of the newest snapshot that is whole, or an empty one, and its place."""
    name, origin = journal.name, journal.origin
    for place, data in journal.checkpoints():
        try:
            calendar, state, facts = load_bytes(make, f"{name}, checkpoint {place.position}", known, data)
            if facts.store_id == snapshot_id(origin, place):
                return calendar, state, place
            error: SnapshotError = SnapshotDamagedError(name, f"checkpoint {place.position} is of another place")
        except SnapshotDamagedError as exc:
            error = exc
        logging.getLogger("bookcore").error("%s; an older one and all records since are read", error)
    calendar, state = make(bounds=journal.bounds, event_type=BookingEvent)
    return calendar, state, origin


def _replay(state: CalendarState, journal: SharedJournal, known: dict[str, type], place: Place) -> Place:
    """Apply all records after a place, and return the last place. The calendar's lock is held for writing."""
    replay = Replay(state, known)
    while entries := journal.read(place, AT_ONCE):
        replay_all(replay, journal.name, entries)
        place = entries[-1].place
    return place
