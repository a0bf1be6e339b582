"""What a database records about calendars in partitions: the number of partitions, and the ids of bookings.

    bookcore.partitioned    calendar, partitions         one row for each divided calendar
    bookcore.booking_id     calendar, id, partition      the ids that programs gave to active bookings

The tables are made with the first divided calendar. Every user of the schema may read ``partitioned``, because
each opening reads it: so a user who was granted the older tables alone can still open a calendar that is not divided.

Partitions do not know of each other's bookings; the primary key of ``booking_id``, written in each record's transaction,
keeps an id from being given twice. The numbers that partitions give as ids are different ones (`first_number`), so they need
no row.

A transaction takes locks before it writes ids, so that no transaction waits for a row of another one, and no two wait for
each other:

    few ids     a shared advisory lock of the calendar, then one for each id, in ascending order
    many        the advisory lock of the calendar, exclusively: a server has room for some thousand locks only
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from bookcore.engine.state import CalendarState
from bookcore.model.errors import DuplicateBookingError
from bookcore.persist.journal.errors import JournalDamagedError, JournalError
from bookcore.persist.journal.records import Kind
from bookcore.persist.shared.partitioned.routing import canonical, partition_of
from bookcore.persist.shared.pgschema import MAKING, MOST_PARTITIONS, Address, add_parts
from bookcore.persist.shared.projection import written

RANGE = 10**12
"""How many numbers each partition has for its bookings; those below are for ids of programs."""
EPOCH = RANGE * MOST_PARTITIONS
"""How many numbers all partitions have. A copy begins after those of the one before, in whatever number of partitions."""
FEW = 64
"""For how many ids there is a lock for each. A server has 64 for each connection that it lets in, unless told otherwise."""
_LONGEST = 64
"""The longest key of an id in bytes; longer ones are replaced by a digest."""

_TABLES = """
CREATE TABLE bookcore.partitioned (calendar text, partitions int NOT NULL);
GRANT SELECT ON bookcore.partitioned TO PUBLIC;
CREATE TABLE bookcore.booking_id (calendar text, id bytea, partition int NOT NULL);
"""
_DIVIDED = """
SELECT calendar, partitions FROM bookcore.partitioned WHERE calendar = %(name)s
OR (starts_with(%(name)s, calendar || '/') AND substr(%(name)s, length(calendar) + 2) ~ '^[0-9]+$')
"""
_NAMED = "SELECT FROM bookcore.calendar WHERE name = %s"
_NAMESAKE = """
SELECT name FROM bookcore.calendar WHERE name = %(name)s
OR (starts_with(name, %(name)s || '/') AND substr(name, length(%(name)s) + 2) ~ '^[0-9]+$') ORDER BY name LIMIT 1
"""
_LOCK_ALL = "SELECT pg_advisory_xact_lock(%(all_ids)s);"
_LOCK_EACH = """
SELECT pg_advisory_xact_lock_shared(%(all_ids)s);
SELECT pg_advisory_xact_lock(n) FROM (SELECT unnest(%(id_locks)s::bigint[]) AS n ORDER BY 1) AS locks;
"""
_FREE_IDS = """
DELETE FROM bookcore.booking_id b USING unnest(%(freed_in)s::int[], %(freed)s::bytea[]) AS f (partition, id)
    WHERE b.calendar = %(divided)s AND b.id = f.id AND b.partition = f.partition;
"""
_TAKE_IDS = written("""
INSERT INTO bookcore.booking_id SELECT %(divided)s, id, partition
    FROM unnest(%(taken_in)s::int[], %(taken)s::bytea[]) AS t (partition, id)
""", "cardinality(%(taken)s::bytea[])")  # fmt: skip
_WRITE_IDS = f"{_FREE_IDS}{_TAKE_IDS};"


def first_number(partition: int, after: int = 0) -> int:
    """Return the number after which a partition numbers its bookings and closures: they differ from those of all others.

    *after* is the last number that was given before the calendar was divided so.
    """
    return RANGE * (partition + 1) + (EPOCH * (after // EPOCH + 1) if after > RANGE else 0)


def owner_of(number: int) -> int:
    """Return the partition to which a number belongs; -1 for a number that a program may use as an id."""
    return (number - 1) % EPOCH // RANGE - 1


def agree(connection: Any, where: Address, create: bool) -> None:
    """Raise `JournalError` unless an address gives the number of partitions that its calendar has.

    With *create*, note the number for a new calendar, in a transaction of the caller.
    """
    division = _division(connection, where.row)
    if create and division is None:
        _check_name(connection, where)
    if where.partitions is None:
        if division is not None:
            whole, partitions = division
            way = f"say calendar={whole}&partitions={partitions} in the address, and &partition=0, ... to read one alone"
            raise JournalError(where.name, f"its calendar {whole!r} is divided into {partitions} partitions; {way}")
        return
    name = where.whole
    if division is None and create and where.is_directory:
        _divide(connection, where, name)
        division = _division(connection, name)
    if division is None:
        if connection.execute(_NAMED, (name,)).fetchone() is not None:
            way = "leave partitions out of the address; `bookcore copy` takes it into some under another name"
            raise JournalError(where.name, f"its calendar {name!r} is not divided: {way}")
        raise JournalError(where.name, f"there is no calendar {name!r} in partitions in it, and create is false")
    if division != (name, where.partitions):
        what = f"its calendar {division[0]!r} is divided into {division[1]} partitions, not {where.partitions}"
        raise JournalError(where.name, f"{what}; `bookcore copy` takes it to another number of them, under another name")
    if where.partition is not None and where.partition >= where.partitions:
        raise JournalError(where.name, f"there is no partition {where.partition}: they are 0 to {where.partitions - 1}")
    first = connection.execute(_NAMESAKE, {"name": name}).fetchone() if create and where.is_directory else None
    if first not in (None, (name,)):  # the directory is made before the parts, and comes before them by name
        what = f"its calendar {name!r} has a part {first[0]!r} and no directory, so that it is not whole"
        raise JournalError(where.name, f"{what}; take another name, and see what the part has by as_of")


def _check_name(connection: Any, where: Address) -> None:
    """Raise `JournalError` for a name like that of a partition, unless there is a calendar of that very name."""
    whole, _, number = (where.calendar or "").rpartition("/")
    is_one = whole and number.isascii() and number.isdigit()
    if is_one and connection.execute(_NAMED, (where.calendar,)).fetchone() is None:
        what = f"a name does not end in /{number}: that is a partition of {whole!r}, if it has some"
        raise JournalError(where.name, what)


def is_divided(connection: Any, name: str) -> int | None:
    """Return the number of partitions of the calendar of this name; None if it is not divided, or is a partition."""
    division = _division(connection, name)
    return division[1] if division is not None and division[0] == name else None


def _division(connection: Any, name: str) -> tuple[str, int] | None:
    """Return the divided calendar to which a name belongs, and its number of partitions; None for any other calendar."""
    if connection.execute("SELECT to_regclass('bookcore.partitioned')").fetchone()[0] is None:
        return None
    division: tuple[str, int] | None = connection.execute(_DIVIDED, {"name": name}).fetchone()
    return division


def _divide(connection: Any, where: Address, name: str) -> None:
    """Note a new division. Raises: `JournalError` if there are calendars with names that it needs."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING,))
    if connection.execute("SELECT to_regclass('bookcore.partitioned')").fetchone()[0] is None:
        connection.execute(_TABLES)
        add_parts(connection, where.name)
    elif _division(connection, name) is not None:  # another process has noted it meanwhile
        return
    namesake = connection.execute(_NAMESAKE, {"name": name}).fetchone()
    if namesake is not None:
        way = "`bookcore copy` takes it into partitions under another name"
        raise JournalError(where.name, f"holds a calendar {namesake[0]!r} already, which is not divided; {way}")
    connection.execute("INSERT INTO bookcore.partitioned VALUES (%s, %s)", (name, where.partitions))


def misplaced(directory: CalendarState, parts: Mapping[int, CalendarState], count: int) -> Iterator[str]:
    """Tell which resources of *count* partitions, of which these are some, are not where they belong. O(resources)."""
    for number, state in parts.items():
        for id in state.registry.by_id:
            if partition_of(id, count) != number:
                yield f"resource {id!r} is in partition {number}, and belongs into another one"
    listed = {id for id in directory.registry.by_id if partition_of(id, count) in parts}
    resources = {id for state in parts.values() for id in state.registry.by_id}
    yield from (f"the directory lacks resource {id!r}" for id in resources - listed)
    yield from (f"the directory has a resource {id!r} that is in no partition" for id in listed - resources)


def whole_faults(connection: Any, where: Address, states: Sequence[CalendarState]) -> list[JournalDamagedError]:
    """Return the contradictions between the directory and the partitions, as errors. O(resources + bookings)."""
    directory, *parts = states
    faults = list(misplaced(directory, dict(enumerate(parts)), len(parts)))
    ask = "SELECT partition, id FROM bookcore.booking_id WHERE calendar = %s"
    noted = set(connection.execute(ask, (where.whole,)).fetchall())
    for number, state in enumerate(parts):
        for seq in state.ledger.owners:
            id = state.ledger.id_of(seq)
            pair = number, key_of(id)
            if pair not in noted and not (type(id) is int and owner_of(id) == number):
                faults.append(f"the id {id!r} of a booking in partition {number} is not noted")
            noted.discard(pair)
    faults += [f"an id is noted for partition {number}, and no booking there has it" for number, _ in noted]
    return [JournalDamagedError(where.name, fault) for fault in faults]


def noted_in(connection: Any, calendar: str, keys: Iterable[bytes]) -> dict[bytes, int]:
    """Return which keys of ids are noted for a divided calendar, each with its partition."""
    ask = "SELECT id, partition FROM bookcore.booking_id WHERE calendar = %s AND id = ANY(%s)"
    return dict(connection.execute(ask, (calendar, list(keys))).fetchall())


# -- the ids of bookings -----------------------------------------------------------------------------


@dataclass(slots=True)
class Claims:
    """The ids of bookings that records take and free: ``freed`` and ``taken`` are pairs of a partition and the key of an id.

    ``ids`` has the ids that are taken, by key.
    """

    freed: list[tuple[int, bytes]] = field(default_factory=list)
    taken: list[tuple[int, bytes]] = field(default_factory=list)
    ids: dict[bytes, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.freed or self.taken)

    def add(self, others: Claims) -> None:
        """Add the ids that other records take and free."""
        self.freed.extend(others.freed)
        self.taken.extend(others.taken)
        self.ids.update(others.ids)

    def command(self, calendar: str, few: int = FEW) -> tuple[str, dict[str, Any]]:
        """Return the statements that write them for a divided calendar, and their values; see `FEW`."""
        keys = {key for _, key in (*self.freed, *self.taken)}
        freed_in, freed = _columns(self.freed)
        taken_in, taken = _columns(self.taken)
        values: dict[str, Any] = {"divided": calendar, "all_ids": _lock_of(calendar, b"")}  # no id has this key
        values |= {"freed_in": freed_in, "freed": freed, "taken_in": taken_in, "taken": taken}
        if len(keys) > few:
            return _LOCK_ALL + _WRITE_IDS, values
        return _LOCK_EACH + _WRITE_IDS, values | {"id_locks": [_lock_of(calendar, key) for key in keys]}

    def refusal(self, exc: Any) -> DuplicateBookingError | None:
        """Return the error for an id that the primary key has refused; None if another constraint has."""
        if exc.diag.table_name != "booking_id" or exc.diag.schema_name != "bookcore":
            return None
        detail = exc.diag.message_detail or ""
        id = next((id for key, id in self.ids.items() if f"\\x{key.hex()})" in detail), None)
        return DuplicateBookingError(id, None, "in another partition")


def claims_of(rows: Iterable[Any], partition: int) -> Claims:
    """Return the ids that the rows of a record take and free. O(rows)."""
    claims = Claims()
    after: dict[bytes, bool] = {}
    for row in rows:
        match row:
            case (Kind.BOOKED, _, number, _, _, _, _, id, *_) if id != number:
                key = key_of(id)
                after[key], claims.ids[key] = True, id
            case (Kind.RELEASED, id, *_):  # also a number: a booking may have got it as its id when it came from elsewhere
                after[key_of(id)] = False
    claims.freed.extend((partition, key) for key in after)
    claims.taken.extend((partition, key) for key, is_active in after.items() if is_active)
    return claims


def key_of(id: Any) -> bytes:
    """Return the key of an id in the table: equal for equal ids. O(length)."""
    key = canonical(id)
    return key if len(key) <= _LONGEST else b"d" + blake2b(key, digest_size=32).digest()


def _columns(pairs: list[tuple[int, bytes]]) -> tuple[list[int], list[bytes]]:
    return [partition for partition, _ in pairs], [key for _, key in pairs]


def _lock_of(calendar: str, key: bytes) -> int:
    digest = blake2b(key, digest_size=8, key=calendar.encode()[:64]).digest()
    return int.from_bytes(digest, "big", signed=True)
