"""What PostgreSQL raises, as errors of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import inf
from typing import Any

from bookcore.model.errors import brief
from bookcore.persist.journal.errors import JournalError, JournalTimeoutError, RefereeError

_REASONS = {
    "53100": "the disk of the server is full; make room there, and repeat the call",
    "42P01": "a table of bookcore is gone; bring back a backup of the database",
    "42P10": "a table of bookcore has lost its key; `bookcore db upgrade` makes it again",
    "22012": "the server did not write all that was sent; have the triggers dropped that keep rows out of bookcore's tables",
    "25006": "the server takes no changes (a standby, or default_transaction_read_only is on); name the primary, "
             "target_session_attrs=read-write or read_only=True",
}
_WAYS = {
    r"[Cc]onnection refused|No such file or directory|resolve host|timeout expired|timed out|no route to host":
        "no server answers there: start it, or put the host and the port in the address right",
    "password authentication failed|no password supplied|authentication failed":
        "put user and password in the address right, or in PGUSER, PGPASSWORD or ~/.pgpass",
    'role "[^"]*" does not exist': "put the user in the address right, or make it (CREATE ROLE)",
    'database "[^"]*" does not exist': "put the database in the address right, or make it (CREATE DATABASE)",
    r"pg_hba\.conf": "have the administrator of the server let this user in from this machine",
    "not permitted to log in": "take another user, or have the administrator of the server allow it (ALTER ROLE ... LOGIN)",
    "permission denied for database": "have the database's owner grant it (GRANT CONNECT)",
    "too many (connections|clients)|connection slots": "close programs that are connected, or have the limit raised",
    "not currently accepting connections|database system is ": "repeat the call when it accepts connections",
    "invalid response to SSL": "no PostgreSQL answers there; put the host and the port in the address right",
    "terminating connection|server closed the connection|connection (is )?(lost|bad)|did not answer":
        "the connection was lost; repeat the call, which makes a new one",
    'column "[^"]*".* does not exist': "the tables of bookcore were altered; take that back, or bring back a backup",
    "rules are not supported|INSERT or UPDATE rules|RETURNING on": "have the rules dropped on the tables of bookcore",
    "invalid URI query parameter": "those of bookcore are calendar, partitions, partition and tables",
}  # fmt: skip
"""What to do about what libpq says, which has no code for it. In other languages the reason alone is shown."""


def error_of(exc: Any, name: str, what: str, timeout: float, way: str = "", staleness: float = inf) -> JournalError:
    """Return the error for one of psycopg: *what* was not done to the database of this name.

    *way* is what else may be done where a privilege lacks, *staleness* is what `Calendar.staleness` tells.
    """
    lines = str(exc).strip().splitlines() or [type(exc).__name__]
    if exc.sqlstate == "55P03":
        return JournalTimeoutError.kept_locked(name, f"{what}: another process", timeout)
    if exc.sqlstate == "57014":  # by us, by a statement_timeout, or by an administrator of the server
        reason = f"{what}: the server took too long for it, and it was cancelled ({lines[0]})"
        return JournalTimeoutError(name, f"{reason}; nothing was changed; call again", timeout)
    if exc.sqlstate == "42501":
        reason = f"{what}: the user lacks a privilege ({lines[0]}); have the database's owner grant it{way}"
        return JournalError(name, reason)
    message = " ".join(" ".join(lines).split())
    if exc.sqlstate is None and re.search("percent-encoded|%00", message):  # it would tell a password
        message = "a percent-encoded character in it is none; in user and password write %25 for %"
    ways = [f"; {way}" for pattern, way in _WAYS.items() if re.search(pattern, message)]
    reason = _REASONS.get(exc.sqlstate) or message + "".join(ways[:1])
    if exc.sqlstate is None and staleness < inf:  # the server did not say anything, and questions go on
        reason += f"; memory had all records {staleness:.1f} seconds ago"
    return JournalError(name, f"{what}: {reason}")


def refusal_of(exc: Any, name: str, calendar: str, resources: Iterable[str]) -> RefereeError | None:
    """Return the error for what the constraints of the tables have refused; *resources* are those that it may be of.

    None if it is the constraint of another program.
    """
    detail = exc.diag.message_detail or ""
    if exc.sqlstate == "23502" and exc.diag.schema_name == "bookcore" and exc.diag.column_name == "active":
        row = detail.partition(f"({calendar}, ")[2].partition(", ")[0]
        return RefereeError(name, calendar, f"{exc.diag.table_name} {brief(row)} is active already")
    for resource in resources:
        spans = re.findall(rf"=\(-?\d+, {re.escape(f'{calendar}, {resource}, ')}([\[(].*?[\])])\)", detail)
        if len(spans) == 2:  # the new one, and the one that is there
            new, active = spans
            why = f"{brief(resource)} is booked in {active}, so not in {new}"
            return RefereeError(name, calendar, why, resource, new, active)
    return None
