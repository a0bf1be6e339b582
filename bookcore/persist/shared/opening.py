"""`open_shared`: a calendar from the address of a database."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from types import ModuleType
from typing import Any, NamedTuple

from bookcore.model.errors import QueryError, needing
from bookcore.persist.journal.errors import JournalError
from bookcore.persist.journal.reading import Asked, C, Make, Progress, replay
from bookcore.persist.shared.address import apart, is_postgres, place_text, shown
from bookcore.persist.shared.follower import Follower
from bookcore.persist.shared.recorder import SharedRecorder
from bookcore.persist.shared.replaying import Records, begin, empty
from bookcore.persist.shared.seam import Beginning, SharedJournal, Upgraded
from bookcore.persist.shared.sqlite import SqliteJournal
from bookcore.persist.shared.turns import SharedGate


class Divided(NamedTuple):
    """What a calendar in partitions is made of besides: *adopt* makes a calendar and its journal one, and returns it.

    *key* makes the ids of resources, *numbers* are the partitions to hold, None for all.
    """

    make_directory: Make[Any]
    adopt: Callable[[Any, Any], Any]
    key: Callable[[Any], Hashable] | None
    numbers: Any
    has_store: bool


class Sharing(NamedTuple):
    """How a shared calendar is opened, see `Calendar.open`; *sync* tells whether commits wait for the disk."""

    create: bool
    sync: bool
    keep: int
    follow: bool
    timeout: float
    read_only: bool


def open_shared(make: Make[C], address: str, known: dict[str, type], asked: Asked, how: Sharing) -> tuple[C, SharedRecorder]:
    """See `Calendar.open`. *make* is as for `bookcore.persist.snapshot.load`."""
    if how.read_only and apart(address)[0] == "dbzero":
        raise QueryError(shown(address), "is for one process at a time, so that there is no other to follow")
    start = empty(shown(address), asked) if how.create else None
    journal = journal_at(address, sync=how.sync, timeout=how.timeout, begin=start)
    return open_on(make, journal, known, asked, how)


def open_on(
    make: Make[C], journal: SharedJournal, known: dict[str, type], asked: Asked, how: Sharing
) -> tuple[C, SharedRecorder]:
    """Return the calendar of a journal, which is closed if that fails."""
    try:
        calendar, state, place = begin(make, journal, known)
        asked.check(journal.name, state)
        records = Records(journal, place)
        journal.note_complete(monotonic())
        state.gate.run(replay, state, known, records)
        recorder = SharedRecorder(
            state, journal, known, records.place,
            timeout=how.timeout, keep=how.keep, read_only=how.read_only, grown=records.size,
        )  # fmt: skip
        state.log.attach(recorder, provisional=True)
        if state.holds.clock is not None:
            state.holds.clock = partial(_instant, state.holds.clock, journal)
        state.gate.__class__ = SharedGate
        if how.follow:
            recorder.follower = Follower(recorder, journal.name)
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


def journal_at(
    address: str, *, sync: bool = True, timeout: float = 10.0, begin: Beginning | None = None, upgrade: bool = False
) -> SharedJournal:
    """Return the journal at an address; or make it, with what it begins with. Without *begin* it has to be there.

    *upgrade*: an older one is brought to the format of this version, which its ``was_format`` tells; not for PostgreSQL.
    Raises: `JournalError`; `MissingExtraError` where what it needs is not installed.
    """
    if is_postgres(address):
        with needing("psycopg", "postgres"):
            from bookcore.persist.shared.postgres import PostgresJournal
        return PostgresJournal(address, sync=sync, timeout=timeout, begin=begin)
    scheme, where, asked = apart(address)
    path = where[1:]
    if scheme == "dbzero":
        if not where.startswith("/") or not path.strip():
            what = "the address of a directory is dbzero:///path?prefix=name, or dbzero:////path from the root"
            raise JournalError(shown(address), what)
        prefix = _prefix(address, asked)
        with needing("dbzero", "dbzero"):
            from bookcore.persist.shared.dbzero import DbzeroJournal
        return DbzeroJournal(path, prefix, begin=begin, upgrade=upgrade)
    if scheme != "sqlite":
        what = "take sqlite:///path, postgresql://host/database, dbzero:///path?prefix=name, or a directory"
        raise JournalError(shown(address), f"there is no journal of the kind {scheme!r}; {what}")
    if not where.startswith("/") or not path.strip() or path == ":memory:" or asked:
        what = "the address of a file is sqlite:///path, or sqlite:////path from the root, and nothing after it"
        if asked:
            what += f", but here is ?{asked.partition('=')[0]}"
        raise JournalError(shown(address), what)
    return SqliteJournal(path, sync=sync, timeout=timeout, begin=begin, upgrade=upgrade)


def upgrade(address: str, *, progress: Progress | None = None) -> Upgraded:
    """Bring a database of an older bookcore to the format of this one; in PostgreSQL also give calendars their tables.

    Stop the programs of the older version before. All or nothing. *progress* is for PostgreSQL, see
    `bookcore.persist.shared.databases.upgrade`. Raises: `JournalError`, `JournalVersionError` for a newer one.
    """
    address = place_text(address)
    if is_postgres(address):
        done: Upgraded = postgres_databases().upgrade(address, progress=progress)
        return done
    journal: Any = journal_at(address, upgrade=True)
    journal.close()
    return Upgraded(journal.was_format, journal.format)


def postgres_databases() -> ModuleType:
    """Return the module for PostgreSQL databases. Raises: `MissingExtraError` where psycopg is not installed."""
    with needing("psycopg", "postgres"):
        from bookcore.persist.shared import databases
    return databases


def _prefix(address: str, asked: str) -> str:
    """Return the name of a prefix of dbzero, which is also that of files."""
    name, _, prefix = (asked or "prefix=calendar").partition("=")
    if name != "prefix" or not re.fullmatch(r"[\w.-]{1,100}", prefix):
        what = "after the path comes ?prefix=name and nothing else; a name has letters, digits, _ . and -"
        raise JournalError(shown(address), what)
    return prefix
