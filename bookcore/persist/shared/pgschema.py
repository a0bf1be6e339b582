"""The schema of bookcore in a PostgreSQL database: its address, its number, and the statements that make it.

    schema        version                    one row: the number of the schema, `VERSION`
    calendar      one row for each calendar: bounds, its head, which is the place of its last record, whether it keeps tables
    change        calendar, position, mark, record, time
    checkpoint    calendar, position, mark, snapshot

    resource, booking, closure               tables of what the records say, see `bookcore.persist.shared.projection`

A database of schema 1 has neither ``schema`` nor the three tables. One of schema 2 has slower constraints, and no times.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import psycopg

from bookcore.model.typecheck import can_be_encoded
from bookcore.persist.journal.errors import JournalError, JournalVersionError, MissingExtensionError
from bookcore.persist.shared.address import place_text, shown
from bookcore.persist.shared.sqltext import RANGES

VERSION = 3
UNFINISHED = 1_000_000
"""The format of a calendar while it is copied here (`bookcore.persist.shared.pgcopying`): newer than any, to older ones."""
MOST_PARTITIONS = 1000
MAKING = 0x424B434A
"""The advisory lock under which tables are made."""

_SCHEMA = f"""
CREATE TABLE bookcore.schema (version int NOT NULL);
INSERT INTO bookcore.schema VALUES ({VERSION});
CREATE TABLE bookcore.calendar (name text, format int NOT NULL, bounds text NOT NULL,
    origin bigint NOT NULL, position bigint NOT NULL, mark bigint NOT NULL, tables boolean NOT NULL DEFAULT false);
CREATE TABLE bookcore.change (calendar text, position bigint, mark bigint NOT NULL, record bytea NOT NULL, time timestamptz);
CREATE TABLE bookcore.checkpoint (calendar text, position bigint, mark bigint NOT NULL, snapshot bytea NOT NULL);
"""
_FROM_1 = """
CREATE TABLE bookcore.schema (version int NOT NULL);
INSERT INTO bookcore.schema VALUES (1);
ALTER TABLE bookcore.calendar ADD COLUMN tables boolean NOT NULL DEFAULT false;
"""
_SPAN = "".join(f"{column} {kind}, " for column, kind in RANGES.items()) + "span jsonb"
_REFEREES = {
    f"booking_{column}_excl": "EXCLUDE USING gist (hashtextextended(resource, hashtextextended(calendar, 0)) WITH =, "
    f"calendar WITH =, resource WITH =, {column} WITH &&) WHERE (exclusive AND active AND {column} IS NOT NULL)"
    for column in RANGES
}
"""The exclusion constraints, by name. The hash decides nothing: without it, a row costs twice as much."""
_FROM_2 = f"""
ALTER TABLE bookcore.change ADD COLUMN time timestamptz;
ALTER TABLE IF EXISTS bookcore.booking {", ".join(f"DROP CONSTRAINT IF EXISTS {name}" for name in _REFEREES)};
UPDATE bookcore.schema SET version = {VERSION};
UPDATE bookcore.calendar SET format = {VERSION};
"""
_TABLES = f"""
CREATE TYPE bookcore.keyrange AS RANGE (subtype = bytea);
CREATE TABLE bookcore.resource (calendar text, id text, class text NOT NULL,
    capacity numeric NOT NULL, before jsonb, after jsonb, labels text[] NOT NULL, hours jsonb, fields jsonb,
    exclusive boolean NOT NULL, active boolean, position bigint NOT NULL, place int NOT NULL);
CREATE TABLE bookcore.booking (calendar text, id text, number bigint NOT NULL, resource text NOT NULL, class text NOT NULL,
    {_SPAN}, quantity numeric NOT NULL, held boolean NOT NULL, until jsonb, fields jsonb,
    exclusive boolean NOT NULL, active boolean);
CREATE TABLE bookcore.closure (calendar text, id bigint, resource text NOT NULL,
    {_SPAN}, reason text NOT NULL, active boolean);
"""
_CONSTRAINTS = {
    ("calendar", "calendar_pkey"): "PRIMARY KEY (name)",
    ("change", "change_pkey"): "PRIMARY KEY (calendar, position)",
    ("change", "change_calendar_fkey"): "FOREIGN KEY (calendar) REFERENCES bookcore.calendar",
    ("checkpoint", "checkpoint_pkey"): "PRIMARY KEY (calendar, position)",
    ("checkpoint", "checkpoint_calendar_fkey"): "FOREIGN KEY (calendar) REFERENCES bookcore.calendar",
    ("resource", "resource_pkey"): "PRIMARY KEY (calendar, id)",
    ("resource", "resource_calendar_fkey"): "FOREIGN KEY (calendar) REFERENCES bookcore.calendar",
    ("booking", "booking_pkey"): "PRIMARY KEY (calendar, id)",
    ("booking", "booking_calendar_resource_fkey"): "FOREIGN KEY (calendar, resource) REFERENCES bookcore.resource",
    **{("booking", name): what for name, what in _REFEREES.items()},
    ("closure", "closure_pkey"): "PRIMARY KEY (calendar, id)",
    ("closure", "closure_calendar_resource_fkey"): "FOREIGN KEY (calendar, resource) REFERENCES bookcore.resource",
    ("partitioned", "partitioned_pkey"): "PRIMARY KEY (calendar)",
    ("booking_id", "booking_id_pkey"): "PRIMARY KEY (calendar, id)",
}
_PARTS = {
    **{(table, name): f"ALTER TABLE bookcore.{table} DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT {name} {what}"
       for (table, name), what in _CONSTRAINTS.items()},
    **{(table, "active"): f"ALTER TABLE bookcore.{table} ALTER active SET NOT NULL"
       for table in ("resource", "booking", "closure")},
    ("booking", "booking_resource"): """DROP INDEX IF EXISTS bookcore.booking_resource;
        CREATE INDEX booking_resource ON bookcore.booking (calendar, resource) WHERE active""",
}  # fmt: skip
"""What each table has besides its columns, by table and name: constraints, and an index. The statements that make it.

They do so also where one of that name is there which is not valid, as after ``NOT VALID`` or a build that was cut off.
"""
_PARTS_THERE = """
SELECT relname, conname FROM pg_constraint JOIN pg_class t ON t.oid = conrelid
    WHERE t.relnamespace = 'bookcore'::regnamespace AND convalidated
UNION SELECT t.relname, i.relname FROM pg_index JOIN pg_class t ON t.oid = indrelid JOIN pg_class i ON i.oid = indexrelid
    WHERE t.relnamespace = 'bookcore'::regnamespace AND indisvalid
UNION SELECT relname, CASE WHEN attnotnull THEN attname END FROM pg_attribute JOIN pg_class t ON t.oid = attrelid
    WHERE t.relnamespace = 'bookcore'::regnamespace AND relkind = 'r'
"""
"""The same of what there is; each table is there once more, without a name."""

_ESCAPES = "in user and password write %23 for #, %25 for %, %2F for /, %3A for :, %3F for ? and %40 for @"


class Address(NamedTuple):
    """The parts of an address: its form in errors, the address of the server, the name of the calendar, and ``?tables=``.

    ``partitions`` is the number of partitions of the calendar, ``partition`` the number of the one that is meant: see
    `bookcore.persist.shared.partitioned`.
    """

    name: str
    server: str
    calendar: str | None
    tables: bool | None
    partitions: int | None = None
    partition: int | None = None

    @property
    def whole(self) -> str:
        """The name of the calendar; of a partition, that of the calendar which is divided."""
        return self.calendar or "calendar"

    @property
    def row(self) -> str:
        """The name of the calendar, or of its partition, among the calendars of the database."""
        return self.whole if self.partition is None else f"{self.whole}/{self.partition}"

    @property
    def keeps_tables(self) -> bool:
        """Whether a calendar that is made there has tables for programs that speak SQL."""
        return self.tables is not False and not self.is_directory

    @property
    def is_directory(self) -> bool:
        """Whether the calendar of this name is the directory of a divided one."""
        return self.partitions is not None and self.partition is None

    @classmethod
    def of(cls, text: str) -> Address:
        """Return the parts of an address. Raises: `JournalError` for a contradiction, a missing name, or no text at all."""
        text = place_text(text)
        if not can_be_encoded(text):
            raise JournalError(text, f"it has a character that no server reads; {_ESCAPES}")
        try:
            parts = urlsplit(text)
        except ValueError as exc:
            raise JournalError(text, f"its host cannot be read; {_ESCAPES}") from exc
        try:
            unquote(text, errors="strict").encode()
        except UnicodeError:  # the error could contain a password
            raise JournalError(shown(text), "not everything in it is UTF-8; write %C3%BC, and not %FC, for ü") from None
        options = parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True)  # libpq reads a plus as a plus
        given = [option for option in options if option[0] in ("calendar", "tables", "partitions", "partition")]
        ours = dict(given)
        rest = urlencode([option for option in options if option[0] not in ours], quote_via=quote)
        name = shown(text)
        hosts = parts.netloc[parts.netloc.find("@") + 1 :]
        _check_server(name, hosts, parts.path, parts.fragment or (not parts.path and "@" in parts.query))
        for option in ours:
            each = [f"{option}={value}" for name_given, value in given if name_given == option]
            if len(each) > 1:
                raise JournalError(name, f"{' and '.join(each)}: say it once")
        if ours.get("calendar") == "":
            raise JournalError(name, "calendar= names none: give a name, or leave it out")
        if ours.get("tables", "yes") not in ("yes", "no"):
            raise JournalError(name, f"tables={ours['tables']}: it is tables=yes or tables=no")
        tables = ours["tables"] == "yes" if "tables" in ours else None
        partitions = _number(name, ours, "partitions", 2, MOST_PARTITIONS)
        partition = _number(name, ours, "partition", 0, MOST_PARTITIONS - 1)
        if partition is not None and partitions is None:
            raise JournalError(name, f"partition={partition}: of how many? Say partitions=... as well")
        # `urlunsplit` leaves the slashes out where no server is named, and libpq wants them
        server = f"{parts.scheme}://{parts.netloc}{parts.path}{'?' if rest else ''}{rest}"
        return cls(name, server, ours.get("calendar"), tables, partitions, partition)


def _check_server(name: str, hosts: str, path: str, is_cut: object) -> None:
    """Raise `JournalError` unless hosts and ports can be read: libpq's error could show part of a password as a port."""
    if is_cut or "@" in path or "@" in hosts:
        raise JournalError(name, f"where its server ends cannot be told; {_ESCAPES}")
    for host in hosts.split(","):
        match = re.fullmatch(r"(?:\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]*))?", host, re.ASCII)
        if match is None:
            raise JournalError(name, f"the port in it is no number; {_ESCAPES}")
        if match[1] and not 1 <= int(match[1][:9]) <= 65535:
            raise JournalError(name, f"there is no port {match[1][:9]}: it is a number from 1 to 65535")


def _number(name: str, given: dict[str, str], option: str, least: int, most: int) -> int | None:
    """Return the number in an option of an address, or None without the option. Raises: `JournalError` for no number."""
    if option not in given:
        return None
    number = int(given[option]) if re.fullmatch("[0-9]{1,4}", given[option], re.ASCII) else -1
    if not least <= number <= most:
        raise JournalError(name, f"{option}={given[option]}: it is a number from {least} to {most}")
    return number


def version_of(connection: Any) -> int:
    """Return the number of the schema of a database; 0 if there is none."""
    tables = connection.execute("SELECT to_regclass('bookcore.calendar'), to_regclass('bookcore.schema')").fetchone()
    if tables[0] is None:
        return 0
    if tables[1] is None:
        return 1
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM bookcore.schema").fetchone()[0])


def calendars_there(connection: Any) -> str:
    """Return the names of some calendars in the database, as text for an error."""
    ask = "SELECT name FROM bookcore.calendar WHERE format <> %s ORDER BY name LIMIT 6"
    names = [repr(name) for (name,) in connection.execute(ask, (UNFINISHED,)).fetchall()]
    return f"there are {', '.join(names[:5])}{' and others' if names[5:] else ''}" if names else "there are none"


def check_version(name: str, version: int) -> None:
    """Raise `JournalVersionError` unless a schema, or a calendar, is one that this version of bookcore knows."""
    if version == UNFINISHED:
        way = "`bookcore copy` to it again goes on with it; or name another calendar"
        raise JournalError(name, f"there is a copy in it that is being made, or was cut off: {way}")
    if version != VERSION:
        raise JournalVersionError(name, version, VERSION)


def make_schema(connection: Any, name: str, *, upgrade: bool = False) -> list[tuple[str, str]]:
    """Make the tables of records in a transaction of the caller, unless they are there; with *upgrade* bring old ones up.

    With *upgrade* also make what any table lacks, and return that as `lacking_parts` does.
    Raises: `JournalVersionError` for another schema, and as `add_parts`.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING,))
    version = version_of(connection)
    if not version:
        # if another user has made the schema, this user may lack the privilege to make one
        if connection.execute("SELECT to_regnamespace('bookcore')").fetchone()[0] is None:
            connection.execute("CREATE SCHEMA bookcore")
        connection.execute(_SCHEMA)
    elif upgrade and version < VERSION:
        connection.execute(f"{_FROM_1 if version == 1 else ''}{_FROM_2}")
    else:
        check_version(name, version)
    return [] if version and not upgrade else add_parts(connection, name)


def has_tables(connection: Any) -> bool:
    """Tell whether there are tables of resources, bookings and closures."""
    return connection.execute("SELECT to_regclass('bookcore.booking')").fetchone()[0] is not None


def add_tables(connection: Any, name: str) -> None:
    """Make the tables of resources, bookings and closures in a transaction of the caller, unless they are there.

    Raises: as `add_parts`.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING,))
    if not has_tables(connection):
        connection.execute(_TABLES)
        add_parts(connection, name)


def lacking_parts(connection: Any) -> list[tuple[str, str]]:
    """Return the constraints and indexes that the tables lack, each as its table and its name."""
    there = set(connection.execute(_PARTS_THERE).fetchall())
    tables = {table for table, _ in there}
    return [(table, part) for table, part in _PARTS if table in tables and (table, part) not in there]


def add_parts(connection: Any, name: str) -> list[tuple[str, str]]:
    """Make the constraints and indexes that the tables lack, in a transaction of the caller; return what they lacked.

    Raises: `MissingExtensionError`; `JournalError` for rows which a constraint forbids.
    """
    lacking = lacking_parts(connection)
    if any(part in _REFEREES for _, part in lacking):
        _make_extension(connection, name)
    for part in lacking:
        try:
            connection.execute(_PARTS[part])
        except psycopg.errors.IntegrityError as exc:
            detail = exc.diag.message_detail or exc.diag.message_primary
            what = f"{'.'.join(part)} cannot be made, because there are rows that it forbids ({detail})"
            raise JournalError(name, f"{what}; put these right, as by `bookcore db rebuild`, and call again") from exc
    return lacking


def _make_extension(connection: Any, name: str) -> None:
    """Make the extension that the exclusion constraints need, unless it is there. Raises: `MissingExtensionError`."""
    if connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'btree_gist'").fetchone() is None:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        except psycopg.Error as exc:
            raise MissingExtensionError(name, "btree_gist", str(exc.diag.message_primary or exc)) from exc
