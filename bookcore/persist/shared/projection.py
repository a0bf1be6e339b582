"""How a record changes the tables of resources, bookings and closures, which programs read by SQL.

    record  ->  rows (`rows_of`)  ->  groups: a statement, and JSON for many rows of it  ->  resource, booking, closure

No row is ever deleted, so that tables of other programs may refer to every row: what has been removed is not ``active``. If
an id is used again, its row is written anew; a row that is active already is refused.

A booking is ``exclusive`` as long as its resource is: it takes one booking at a time, and no two overlap. The exclusion
constraints of the table hold that for exclusive, active bookings; they share no code with the calendar. When the capacity of
a resource is set to 1, it is exclusive only if its bookings do not overlap by then.

Invariants: applied in the order of the records, statements give the same rows whenever they are run, in the tables or
in temporary ones. Within a record they are applied in its order, in which every state is lawful; only rows of which the
order does not matter share a statement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from bookcore.persist.journal.records import Kind
from bookcore.persist.shared.sqltext import RANGES, as_json, as_text, id_text, range_of
from bookcore.persist.snapshot.classes import CODEC

AT_ONCE = 5000
"""How many rows share a statement at most."""
MOST = 1 << 20
"""How many characters of rows go to the server at once, if one group is not more."""

_SPAN = (*RANGES, "span")
COLUMNS = {
    "resource": (
        "class", "capacity", "before", "after", "labels", "hours", "fields", "exclusive", "active", "position", "place",
    ),
    "booking": (
        "number", "resource", "class", *_SPAN, "quantity", "held", "until", "fields", "exclusive", "active",
    ),
    "closure": ("resource", *_SPAN, "reason", "active"),
}  # fmt: skip
"""The columns of the tables besides ``calendar`` and ``id``, which are the key."""


class Group(NamedTuple):
    """Rows that one statement writes."""

    statement: str
    rows: list[dict[str, Any]]


def listed(columns: Iterable[str], of: str = "") -> str:
    """Return columns as SQL lists them, each after *of*, such as the name of their table and a point."""
    return ", ".join(f"{of}{column}" for column in columns)


def written(insert: str, rows: str = "1") -> str:
    """Return a statement that inserts so many rows and returns their number, or else fails, by dividing by zero.

    A trigger of another program may suppress a row, and then the server reports no error.
    """
    return f"WITH written AS ({insert} RETURNING 1) SELECT count(*), 1 / (count(*) = {rows})::int FROM written"


def _upsert(table: str, values: dict[str, str]) -> str:
    """Return a statement that writes whole rows; *values* are the columns that are not taken from the JSON as they are.

    If the row is there and active, another booking has its id: the statement writes a forbidden value, so that it fails.
    """
    columns = COLUMNS[table]
    taken = listed(columns, "EXCLUDED.").replace("EXCLUDED.active", f"CASE WHEN NOT {table}.active THEN true END")
    given = ", ".join(values.get(column, f"r.{column}") for column in columns)
    insert = f"""
        INSERT INTO {{to}}.{table} (calendar, id, {listed(columns)})
        SELECT $1, r.id, {given} FROM json_populate_recordset(NULL::bookcore.{table}, $2) r
        ON CONFLICT (calendar, id) DO UPDATE SET ({listed(columns)}) = ROW({taken})"""
    return written(insert, "json_array_length($2)")


def _update(table: str, values: str) -> str:
    """Return a statement that changes one row."""
    return f"""
        WITH r AS MATERIALIZED (SELECT * FROM json_populate_recordset(NULL::bookcore.{table}, $2))
        UPDATE {{to}}.{table} t SET {values} WHERE t.calendar = $1 AND t.id = (SELECT id FROM r)"""


def _set(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} = (SELECT {column} FROM r)" for column in columns)


_EXCLUSIVE = "(SELECT o.exclusive FROM {to}.resource o WHERE o.calendar = $1 AND o.id = "
_MEETS = " OR ".join(f"b.{column} && lag(b.{column}) OVER (ORDER BY b.{column})" for column in RANGES)

# A plan is kept, and may be made while a table is small. So rows are found by values and not by joins: for these there is
# but one index, whatever the planner thinks of the sizes.
_STATEMENTS = {
    "added": _upsert("resource", {
        "labels": "ARRAY(SELECT unnest(r.labels) ORDER BY 1)", "exclusive": "r.capacity = 1", "active": "true",
    }),
    "removed": _update("resource", "active = false"),
    "hours": _update("resource", _set(["hours"])),
    "tagged": _update("resource", "labels = ARRAY(SELECT DISTINCT unnest(t.labels || r.labels) FROM r ORDER BY 1)"),
    "untagged": _update("resource", "labels = array_remove(t.labels, (SELECT labels[1] FROM r))"),
    "capacity": f"""
        WITH r AS MATERIALIZED (SELECT * FROM json_populate_recordset(NULL::bookcore.resource, $2)),
        changed AS (
            UPDATE {{to}}.resource t SET {_set(["capacity"])}, exclusive = (SELECT capacity = 1 FROM r) AND NOT EXISTS (
                SELECT FROM (SELECT {_MEETS} AS meets FROM {{to}}.booking b
                             WHERE b.calendar = $1 AND b.resource = t.id AND b.active) neighbours WHERE meets)
            WHERE t.calendar = $1 AND t.id = (SELECT id FROM r) RETURNING t.exclusive)
        UPDATE {{to}}.booking b SET exclusive = (SELECT exclusive FROM changed)
        WHERE b.calendar = $1 AND b.resource = (SELECT id FROM r) AND b.active""",
    "booked": _upsert("booking", {"exclusive": f"{_EXCLUSIVE} r.resource)", "active": "true"}),
    "released": _update("booking", "active = false"),
    "held": _update("booking", _set(["held", "until"])),
    "moved": _update(
        "booking",
        f"{_set(['resource', 'class', *_SPAN, 'quantity', 'fields'])}, exclusive = {_EXCLUSIVE} (SELECT resource FROM r))",
    ),
    "changed": _update("booking", _set(["class", "quantity", "fields"])),
    "closed": _upsert("closure", {"active": "true"}),
    "reopened": _update("closure", "active = false"),
}  # fmt: skip

_ENDS = {"removed": "resource", "released": "booking", "reopened": "closure"}
"""The statements after which a row is not active, by name; many rows have one that is planned when it is executed."""
NEW_ROWS = frozenset({"added", "booked", "closed"})
"""The statements after which a row is active that was not."""
_TOGETHER = NEW_ROWS | _ENDS.keys()
"""Statements of which neighbours may be one: their order does not matter, and none writes a row twice."""


BY_KEYS = "SET enable_seqscan = {0}; SET enable_bitmapscan = {0};"
"""Has a connection look rows up by their keys (off), or as the planner likes (on)."""


def prepare(to: str) -> str:
    """Return commands that prepare the statements on a connection, for the tables of a schema.

    The connection looks rows up by their keys from then on.
    """
    return BY_KEYS.format("off") + ";".join(
        f"PREPARE bookcore_{name} (text, json) AS {statement.format(to=to)}" for name, statement in _STATEMENTS.items()
    )


def groups_of(records: Iterable[tuple[int, Iterable[Any]]], bounds: str) -> Iterator[Group]:
    """Yield the groups of records, each given as its position and its rows, in order. O(rows).

    *bounds* are those of the calendar.
    """
    closed = bounds == "[]"
    placed = ((position, place, row) for position, rows in records for place, row in enumerate(rows))
    pairs = (_statement_for(row, position, place, closed) for position, place, row in placed)
    for statement, neighbours in groupby(pairs, itemgetter(0)):
        written = (row for _, row in neighbours)
        while group := list(islice(written, AT_ONCE if statement in _TOGETHER else 1)):
            yield Group(statement, group)


def commands_of(groups: Iterable[Group], calendar: str, to: str = "bookcore") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield commands that write groups, each with its parameters; a command has about `MOST` characters at most.

    *to* is the schema that was given to `prepare`.
    """
    commands: list[str] = []
    values: dict[str, Any] = {"name": calendar}
    size = 0
    for number, group in enumerate(groups):
        rows = json.dumps(group.rows, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if size and size + len(rows) > MOST:
            yield "".join(commands), values
            commands, values, size = [], {"name": calendar}, 0
        if len(group.rows) > 1 and group.statement in _ENDS:
            table = _ENDS[group.statement]
            ids = f"SELECT id FROM json_populate_recordset(NULL::bookcore.{table}, %(rows{number})s)"
            commands.append(f"UPDATE {to}.{table} SET active = false WHERE calendar = %(name)s AND id = ANY(ARRAY({ids}));")
        else:
            commands.append(f"EXECUTE bookcore_{group.statement}(%(name)s, %(rows{number})s);")
        values[f"rows{number}"] = rows
        size += len(rows)
    if commands:
        yield "".join(commands), values


def _statement_for(row: Any, position: int, place: int, closed: bool) -> tuple[str, dict[str, Any]]:
    """Return the statement for a row of a record, and the row for it."""
    match row:
        case (Kind.BOOKED, where, number, held, until, _, *facts):
            columns = _event(facts, closed) | {"number": number, "held": held, "until": as_json(until)}
            return "booked", columns | {"resource": id_text(where)}
        case (Kind.RELEASED, id, *_):
            return "released", {"id": id_text(id)}
        case (Kind.CONFIRMED, id, _):
            return "held", {"id": id_text(id), "held": False}
        case (Kind.HELD | Kind.EXTENDED, id, until):
            return "held", {"id": id_text(id), "held": True, "until": as_json(until)}
        case (Kind.MOVED, _, where, *facts):
            return "moved", _event(facts, closed) | {"resource": id_text(where)}
        case (Kind.CHANGED, _, *facts):
            return "changed", _event(facts, closed)
        case (Kind.CLOSED, id, where, start, end, reason, _):
            span = range_of(start, end, closed)
            return "closed", {"id": id, "resource": id_text(where), "reason": as_text(reason)} | span
        case (Kind.REOPENED, id):
            return "reopened", {"id": id}
        case (Kind.RESOURCE_ADDED, id, capacity, before, after, labels, name, attributes):
            if name == CODEC:
                name, attributes = type(attributes).__qualname__, None
            columns = {"id": id_text(id), "class": _class(name), "fields": as_json(attributes)}
            columns |= {"capacity": _number(capacity), "before": as_json(before), "after": as_json(after)}
            columns |= {"labels": list(map(id_text, labels))}
            return "added", columns | {"position": position, "place": place}
        case (Kind.RESOURCE_REMOVED, id):
            return "removed", {"id": id_text(id)}
        case (Kind.HOURS_SET, id, hours):
            return "hours", {"id": id_text(id), "hours": as_json(hours)}
        case (Kind.CAPACITY_SET, id, capacity, _):
            return "capacity", {"id": id_text(id), "capacity": _number(capacity)}
        case (Kind.TAGGED | Kind.UNTAGGED, id, label):
            return "tagged" if row[0] == Kind.TAGGED else "untagged", {"id": id_text(id), "labels": [id_text(label)]}
    raise TypeError(f"a change of kind {row[0]} is not known to the tables")


def _event(facts: list[Any], closed: bool) -> dict[str, Any]:
    """Return the columns of a booking in a row of a record."""
    name, id, start, end, quantity, fields = facts
    columns = {"id": id_text(id), "class": _class(name or "BookingEvent"), "quantity": _number(quantity)}
    return columns | {"fields": as_json(fields)} | range_of(start, end, closed)


def _class(name: str) -> str:
    return as_text(name.removeprefix(":"))


def _number(units: int) -> Any:
    """Return a number of units for a numeric column; a number too long for Python to write counts as infinite."""
    number = as_json(units)
    return number if type(number) is int else "Infinity"
