"""Connections with a PostgreSQL server: made, given up when the server says nothing, and looked at before they are used."""

from __future__ import annotations

import select
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import psycopg

from bookcore.model.errors import MissingExtraError

if not hasattr(psycopg.Cursor, "set_result"):
    raise MissingExtraError("psycopg 3.3", "postgres")

LEAST_SILENCE = 2.0
CANCELLING = 1.0
"""How many seconds cancelling may take, and its answer as well, until the connection is given up."""
LONGEST = 32_767
"""How many seconds the system and the server are set to wait at most; systems take no more."""
SESSION = """
SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET bytea_output = hex; SET extra_float_digits = 1;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED;
"""
"""Sets what is relied on here, and what the address, the role or the database may have set otherwise."""
_WATCH = """
SELECT set_config(name, wanted, false) FROM pg_settings JOIN (VALUES
    ('tcp_user_timeout', %(milliseconds)s), ('tcp_keepalives_idle', %(seconds)s),
    ('tcp_keepalives_interval', '1'), ('tcp_keepalives_count', '3')) AS asked (name, wanted)
USING (name) WHERE source = 'default'
"""
"""Has the server notice in time that this machine is gone, which may have the lock. What others have set stays."""
_PLANS = "SET jit = off; SET plan_cache_mode = force_generic_plan;"
"""Has the server compile no plan, and plan a prepared statement once. A reader looks rows up by keys (`projection.BY_KEYS`),
which rates any scan so high that the server would compile even that of a small table; to compile it takes longer than the
scan. By the same rates, or while it does not know how large a table is, the server would plan a statement each time."""


class Connection(psycopg.Connection[Any]):
    """A connection that cancels a statement when the server has said nothing for ``silence_limit`` seconds.

    The server's own ``statement_timeout`` is not for a commit, which waits for a standby as long as there is none.
    """

    silence_limit = LEAST_SILENCE
    prepared = False  # the statements that write the tables
    listens = False  # it is notified of commits

    def ask(self, question: str, values: Any) -> list[Any]:
        """Return the rows that answer a question; in binary, in which bytes are half as long. Its plan is kept.

        Raises: psycopg.Error.
        """
        return psycopg.Cursor(self).execute(question, values, prepare=True, binary=True).fetchall()

    @contextmanager
    def with_more_time(self, more: float) -> Iterator[None]:
        """Be patient for so many more seconds, because the server has something to wait for, or much to do."""
        self.silence_limit += more
        try:
            yield
        finally:
            self.silence_limit -= more

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """See `psycopg.Connection.wait`."""
        return super().wait(self._bounded(gen), *args, **options)

    def _bounded(self, gen: Any) -> Generator[Any, Any, Any]:
        """Yield what *gen* yields. A wait for the server says every tenth of a second that nothing came."""
        until, given_up, ready = monotonic() + self.silence_limit, False, None
        while True:
            try:
                wanted = gen.send(ready)
            except StopIteration as end:
                return end.value
            ready = yield wanted
            if ready:
                until = monotonic() + self.silence_limit
            elif monotonic() >= until:
                if given_up:
                    self.close()
                    raise psycopg.OperationalError(f"the server did not answer within {self.silence_limit:.3g} seconds")
                with suppress(psycopg.Error):
                    self.cancel_safe(timeout=CANCELLING)
                until, given_up = monotonic() + CANCELLING, True


def options_of(server: str, timeout: float) -> dict[str, Any]:
    """Return the options of a connection: those in an address, and those by which a server that is gone is noticed in time.

    Raises: psycopg.Error.
    """
    seconds = _watched(timeout)
    return {
        "autocommit": True, "cursor_factory": psycopg.ClientCursor, "connect_timeout": seconds,
        "tcp_user_timeout": 1000 * seconds, "keepalives_idle": seconds, "keepalives_interval": 1, "keepalives_count": 3,
        **psycopg.conninfo.conninfo_to_dict(server),
    }  # fmt: skip


def connected(server: str, timeout: float) -> Any:
    """Return a new connection to a server, which is given up if it says nothing for *timeout* seconds.

    Raises: psycopg.Error.
    """
    silence_limit = max(LEAST_SILENCE, timeout)
    seconds = _watched(silence_limit)
    connection = Connection.connect(**options_of(server, silence_limit))
    connection.silence_limit = silence_limit
    try:
        connection.execute(SESSION + _PLANS + _WATCH, {"seconds": str(seconds), "milliseconds": str(1000 * seconds)})
    except BaseException:
        connection.close()
        raise
    return connection


def _watched(seconds: float) -> int:
    """Return after how many seconds a silent server is to be noticed."""
    return min(max(2, round(seconds)), LONGEST)


@contextmanager
def doubts_of(connection: Any) -> Iterator[list[str]]:
    """Give a list, and note in it why commits are not certain.

    One that was cancelled while it waited for a standby is a success with a warning.
    """
    doubts: list[str] = []

    def note(notice: Any) -> None:
        if notice.sqlstate == "01000":
            doubts.append(notice.message_primary)

    connection.add_notice_handler(note)
    try:
        yield doubts
    finally:
        connection.remove_notice_handler(note)


def is_usable(connection: Any, within: bool) -> bool:
    """Tell whether a connection waits for a command: Ctrl-C may have come amidst one. *within*: of a transaction."""
    status, known = connection.pgconn.transaction_status, psycopg.pq.TransactionStatus
    return status == known.IDLE or (within and status in (known.INTRANS, known.INERROR))


def has_said(connection: Any) -> bool:
    """Tell whether the server has sent something without a request, such as that it ends; True where that is not known."""
    try:
        return bool(select.select([connection.fileno()], [], [], 0)[0])
    except (ValueError, OSError, psycopg.Error):  # its number is too high for that, or another thread has closed it
        return True
