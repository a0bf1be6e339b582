"""Servers that let nobody in, that are no PostgreSQL, or have lost the tables: each error says what to do."""

from __future__ import annotations

import socket
import threading

import pytest

from bookcore import Calendar, Resource
from bookcore.persist.journal.errors import JournalError
from bookcore.testing.servers import PostgresServer, execute

pytest.importorskip("psycopg", reason="psycopg, of the extra postgres, is not installed")


@pytest.mark.parametrize(
    ("forbid", "way"),
    [
        ("ALTER ROLE {role} NOLOGIN", "not permitted to log in; take another user, or have the administrator"),
        ("ALTER ROLE {role} CONNECTION LIMIT 0", "too many connections .*; close programs that are connected"),
        ("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC", "permission denied .*; have the database's owner grant it"),
        ("ALTER DATABASE {database} ALLOW_CONNECTIONS false", "not currently accepting connections; repeat the call when"),
        (None, "pg_hba.conf rejects .*; have the administrator of the server let this user in"),
    ],
)
def test_a_user_who_is_not_let_in_hears_what_to_do(
    forbid: str | None, way: str, plain_user: tuple[str, str], postgres_server: PostgresServer
) -> None:
    """Whatever keeps him out: when a calendar is opened, and when one that is open needs a new connection."""
    owner, mine = plain_user
    role, database = (mine.partition("//")[2].partition("?")[0]).split("@/")
    rules = postgres_server.data / "pg_hba.conf"
    there = rules.read_text()
    Calendar.open(owner).close()
    execute(owner, f"GRANT USAGE ON SCHEMA bookcore TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA bookcore TO {role}")
    with Calendar.open(mine, create=False, follow=False) as calendar:
        if forbid is None:
            rules.write_text(f"local all {role} reject\n{there}")
            postgres_server.execute("SELECT pg_reload_conf()")
        else:
            postgres_server.execute(forbid.format(role=role, database=database))
        postgres_server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'")
        with pytest.raises(JournalError, match="the connection was lost; repeat the call"):
            calendar.lag()
        for call in (calendar.lag, lambda: Calendar.open(mine, create=False)):
            with pytest.raises(JournalError, match=way):
                call()
    rules.write_text(there)
    postgres_server.execute("SELECT pg_reload_conf()")


def test_what_is_no_postgresql_is_told_as_that() -> None:
    """A web server, say, on that port."""
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            connection, _ = web.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        threading.Thread(target=answer).start()
        with pytest.raises(JournalError, match="no PostgreSQL answers there; put the host and the port"):
            Calendar.open(f"postgresql://127.0.0.1:{web.getsockname()[1]}/rooms?gssencmode=disable")


def test_tables_that_are_gone_are_missed(postgres_server: PostgresServer) -> None:
    """As after a restore of half a database, while a calendar is open."""
    address = postgres_server.new_database()
    with Calendar.open(address, follow=False) as calendar:
        room = calendar.add_resource(Resource("room"))
        execute(address, "DROP SCHEMA bookcore CASCADE")
        for call in (calendar.lag, lambda: calendar.book(room, 1, 2)):
            with pytest.raises(JournalError, match="a table of bookcore is gone; bring back a backup of the database"):
                call()
        assert len(calendar) == 0
