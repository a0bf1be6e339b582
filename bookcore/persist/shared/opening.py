"""`open_shared`: a calendar from the address of a database."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime, timedelta
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from bookcore.model.errors import MissingExtraError, QueryError, masked
from bookcore.persist.journal.errors import JournalError
from bookcore.persist.journal.past import PastRecorder
from bookcore.persist.journal.reading import Asked, C, Make, Moment, Progress, replay
from bookcore.persist.shared.follower import Follower
from bookcore.persist.shared.past import open_past
from bookcore.persist.shared.recorder import SharedRecorder
from bookcore.persist.shared.replaying import Records, begin, empty
from bookcore.persist.shared.seam import Beginning, SharedJournal, Upgraded
from bookcore.persist.shared.sqlite import SqliteJournal
from bookcore.persist.shared.turns import SharedGate
from bookcore.persist.snapshot.format import path_text

_ADDRESS = re.compile(r"([a-z][a-z0-9+.]*):(?=//)", re.ASCII | re.IGNORECASE)


class Divided(NamedTuple):
    """What a calendar in partitions is made of besides: *adopt* makes a calendar and its journal one, and returns it.

    *key* makes the ids of resources, *numbers* are the partitions to hold, None for all.
    """

    make_directory: Make[Any]
    adopt: Callable[[Any, Any], Any]
    key: Callable[[Any], Hashable] | None
    numbers: Any
    has_store: bool


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
    asked: Asked,
    create: bool,
    sync: bool,
    keep: int,
    follow: bool,
    timeout: float,
    read_only: bool,
) -> tuple[C, SharedRecorder]:
    """See `Calendar.open`. *make* is as for `bookcore.persist.snapshot.load`."""
    if read_only and address.lower().startswith("dbzero:"):
        raise QueryError(shown(address), "is for one process at a time, so that there is nobody to follow")
    create = create and not read_only
    start = empty(shown(address), asked) if create else None
    journal = journal_at(address, bounds=asked.bounds, create=create, sync=sync, timeout=timeout, begin=start)
    return open_on(make, journal, known, asked=asked, keep=keep, follow=follow, timeout=timeout, read_only=read_only)


def open_on(
    make: Make[C], journal: SharedJournal, known: dict[str, type], *, asked: Asked, keep: int, follow: bool, timeout: float,
    read_only: bool,
) -> tuple[C, SharedRecorder]:  # fmt: skip
    """Return the calendar of a journal, which is closed if that fails."""
    try:
        calendar, state, place = begin(make, journal, known)
        asked.check(journal.name, state)
        records = Records(journal, place)
        state.gate.run(replay, state, known, records)
        recorder = SharedRecorder(state, journal, known, records.place, patience=timeout, keep=keep, read_only=read_only)
        recorder.grown = records.size
        state.log.attach(recorder, provisional=True)
        if state.holds.clock is not None:
            state.holds.clock = partial(_instant, state.holds.clock, journal)
        state.gate.__class__ = SharedGate
        if follow:
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


def open_shared_past(
    make: Make[C], address: str, known: dict[str, type], moment: Moment, *,
    asked: Asked, timeout: float, progress: Progress | None,
) -> tuple[C, PastRecorder]:  # fmt: skip
    """See `Calendar.open`: a calendar that shows the past, or the present, and takes no changes."""
    reopen = partial(journal_at, address, bounds=asked.bounds, create=False, timeout=timeout)
    return open_past(make, reopen, known, moment, asked, progress)


def is_divided(address: str) -> bool:
    """Tell whether an address is that of a calendar in partitions, and not of one of them.

    >>> is_divided("postgresql://host/rooms?calendar=berlin&partitions=8"), is_divided("postgresql://host/rooms")
    (True, False)
    """
    return _says(address, "partitions") and not _says(address, "partition")


def check_divides(address: str) -> None:
    """Raise `JournalError` if an address with partitions is of a database that has none."""
    if not is_postgres(address):
        what = "partitions are for PostgreSQL: a file has one writer at a time, into whatever it is divided"
        raise JournalError(shown(address), what)


def check_partition(address: str, is_read: bool) -> None:
    """Raise `QueryError` if an address names one partition, unless that is only read."""
    if _says(address, "partition") and not is_read:
        way = "leave partition=... out; to hold it alone, give Calendar.open partitions=[...], and to read it, as_of"
        raise QueryError(shown(address), f"one partition is part of a whole: {way}")


def _says(address: str, option: str) -> bool:
    return is_address(address) and option in dict(parse_qsl(_apart(address)[2], keep_blank_values=True))


def _apart(address: str) -> tuple[str, str, str]:
    """Return what is before ``://`` in an address, the server and the path, and what is after the question mark."""
    scheme, _, rest = address.partition("://")
    where, _, asked = rest.partition("?")
    return scheme, where, asked


def without_key(address: str, key: bytes | None) -> None:
    """Raise `QueryError` if a key is given for a database."""
    if key is not None:
        raise QueryError(shown(address), "is a database, which is not sealed by a key; that is for a directory")


def shown(address: str) -> str:
    """Return an address as errors tell it, without a password; a path as it is.

    >>> shown("postgresql://ada:secret@host/rooms?password=secret&calendar=berlin")
    'postgresql://host/rooms?calendar=berlin'
    """
    if not is_address(address):
        return str(masked(address))
    scheme, where, asked = _apart(str(masked(address)))
    server, slash, path = where.partition("/")
    names = [each for each in asked.split("&") if each.startswith(("calendar=", "partition", "prefix="))]
    return f"{scheme}://{server.rpartition('@')[2]}{slash}{path}{'?' if names else ''}{'&'.join(names)}"


def journal_at(
    address: str, *, bounds: str | None = None, create: bool, sync: bool = True, timeout: float = 10.0,
    begin: Beginning | None = None, upgrade: bool = False,
) -> SharedJournal:  # fmt: skip
    """Return the journal at an address, or make it. *begin*: it has to be new, and begins with this.

    *upgrade*: an older one is brought to the format of this version, which its ``was_format`` tells; not for PostgreSQL.
    Raises: `JournalError`; `MissingExtraError` where what it needs is not installed.
    """
    options: dict[str, Any] = {"bounds": bounds, "create": create, "sync": sync, "timeout": timeout, "begin": begin}
    if is_postgres(address):
        try:
            from bookcore.persist.shared.postgres import PostgresJournal
        except ImportError as exc:
            raise MissingExtraError("psycopg", "postgres") from exc
        return PostgresJournal(address, **options)
    scheme, where, asked = _apart(address)
    path = where[1:]
    if scheme.lower() == "dbzero":
        if not where.startswith("/") or not path:
            what = "the address of a directory is dbzero:///path?prefix=name, or dbzero:////path from the root"
            raise JournalError(shown(address), what)
        prefix = _prefix(address, asked)
        try:
            from bookcore.persist.shared.dbzero import DbzeroJournal
        except ImportError as exc:
            raise MissingExtraError("dbzero", "dbzero") from exc
        return DbzeroJournal(path, prefix, bounds=bounds, create=create, begin=begin, upgrade=upgrade)
    if scheme.lower() != "sqlite":
        what = "take sqlite:///path, postgresql://host/database, dbzero:///path?prefix=name, or a directory"
        raise JournalError(shown(address), f"there is no journal of the kind {scheme!r}; {what}")
    if not where.startswith("/") or not path or path == ":memory:" or asked:
        what = "the address of a file is sqlite:///path, or sqlite:////path from the root, and nothing after it"
        if asked:
            what += f", but here is ?{asked.partition('=')[0]}"
        raise JournalError(shown(address), what)
    return SqliteJournal(path, **options, upgrade=upgrade)


def upgrade(address: str, *, types: Iterable[type] | None = None, progress: Progress | None = None) -> Upgraded:
    """Bring a database of an older bookcore to the format of this one; in PostgreSQL also give calendars their tables.

    Stop the programs of the older version before. All or nothing. *types* and *progress* are for PostgreSQL, see
    `bookcore.persist.shared.databases.upgrade`. Raises: `JournalError`, `JournalVersionError` for a newer one.
    """
    address = path_text(address)
    if is_postgres(address):
        done: Upgraded = postgres_databases().upgrade(address, types=types, progress=progress)
        return done
    journal: Any = journal_at(address, create=False, upgrade=True)
    journal.close()
    return Upgraded(journal.was_format, journal.format)


def postgres_databases() -> ModuleType:
    """Return the module for PostgreSQL databases. Raises: `MissingExtraError` where psycopg is not installed."""
    try:
        from bookcore.persist.shared import databases
    except ImportError as exc:
        raise MissingExtraError("psycopg", "postgres") from exc
    return databases


def is_postgres(address: str) -> bool:
    """Tell whether a text is the address of a PostgreSQL database."""
    return is_address(address) and _apart(address)[0].lower() in ("postgresql", "postgres")


def _prefix(address: str, asked: str) -> str:
    """Return the name of a prefix of dbzero, which is also that of files."""
    name, _, prefix = (asked or "prefix=calendar").partition("=")
    if name != "prefix" or not re.fullmatch(r"[\w.-]{1,100}", prefix):
        what = "after the path comes ?prefix=name and nothing else; a name has letters, digits, _ . and -"
        raise JournalError(shown(address), what)
    return prefix
