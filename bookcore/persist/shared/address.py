"""What the address of a database says, as text: which database it is, which partitions, and how errors tell it.

scheme://user:password@server/path?option=value&...
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from bookcore.model.errors import QueryError, SnapshotError, masked
from bookcore.model.typecheck import plain_text
from bookcore.persist.journal.errors import JournalError
from bookcore.persist.snapshot.format import path_text

WAYS = "postgresql://user@host/database, sqlite:///path or dbzero:///path"
"""What the address of a database looks like."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.]*):(?=//)", re.ASCII | re.IGNORECASE)
_SHOWN = frozenset({"calendar", "partitions", "partition", "prefix"})
"""The options that errors tell: those which say which calendar of a database is meant, and no secret."""


def place_text(where: object) -> str:
    """Return as text where a calendar is: a directory, or an address. Raises: `JournalError` for what is neither."""
    text = plain_text(where)
    if text is not None and not text.strip():
        raise JournalError(repr(text), f"an address is empty: write {WAYS}, or the path of a directory")
    try:
        return path_text(where)
    except SnapshotError as exc:
        raise JournalError(exc.path, f"{exc.reason}: write {WAYS}, or the path of a directory") from None


def is_address(text: str) -> bool:
    """Tell whether a text is the address of a database and not a path.

    >>> is_address("sqlite:///rooms.db"), is_address("rooms"), is_address("C:/rooms")
    (True, False, False)
    """
    return _ADDRESS.match(text) is not None


def is_postgres(address: str) -> bool:
    """Tell whether a text is the address of a PostgreSQL database."""
    return is_address(address) and apart(address)[0] in ("postgresql", "postgres")


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


def shown(address: str) -> str:
    """Return an address as errors tell it, without a password; a path as it is.

    >>> shown("postgresql://ada:secret@host/rooms?password=secret&calendar=berlin")
    'postgresql://host/rooms?calendar=berlin'
    """
    if not is_address(address):
        return str(masked(address))
    scheme, where, asked = apart(str(masked(address)))
    server, slash, path = where.partition("/")
    options = [each for each in asked.split("&") if each.partition("=")[0] in _SHOWN]
    return f"{scheme}://{server.rpartition('@')[2]}{slash}{path}{'?' if options else ''}{'&'.join(options)}"


def without_key(address: str, key: bytes | None) -> None:
    """Raise `QueryError` if a key is given for a database."""
    if key is not None:
        raise QueryError(shown(address), "is a database, which is not sealed by a key; that is for a directory")


def _says(address: str, option: str) -> bool:
    return is_address(address) and option in dict(parse_qsl(apart(address)[2], keep_blank_values=True))


def apart(address: str) -> tuple[str, str, str]:
    """Return what is before ``://`` in an address, in small letters, the server and the path, and what is after ``?``."""
    scheme, _, rest = address.partition("://")
    where, _, asked = rest.partition("?")
    return scheme.lower(), where, asked
