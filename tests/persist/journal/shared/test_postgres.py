"""The PostgreSQL database: names, refusals, a server that is gone, connections that break, clocks of other machines."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    ConflictError,
    HoldExpiredError,
    MissingExtraError,
    QueryError,
    Resource,
)
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalTimeoutError,
    JournalVersionError,
    UnknownOutcomeError,
)
from bookcore.persist.shared import follower, recorder, seam
from bookcore.testing.contract_threads import run_together
from bookcore.testing.servers import PostgresServer, execute

Open = Callable[..., Calendar]


@pytest.fixture
def address(postgres_server: PostgresServer, name: str) -> str:
    """Return the address of that calendar."""
    return f"{postgres_server.dsn()}&calendar={name.replace(' ', '%20')}"


@pytest.fixture(autouse=True)
def slow_machines_hope_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command hopes that nothing is new however long ago the one before it was."""
    monkeypatch.setattr("bookcore.persist.shared.recorder.HOPING", 3600.0)


def booked(opened: Open, number: int = 2, **options: Any) -> Calendar:
    calendar = opened(**options)
    room = calendar.add_resource(Resource("room"))
    for at in range(number):
        calendar.book(room, at, at + 1)
    return calendar


def test_calendars_of_one_database_are_told_apart_by_name(postgres_server: PostgresServer) -> None:
    """Each has its own order; without a name there is one as well."""
    database = postgres_server.dsn()
    addresses = [f"{database}&calendar=berlin", f"{database}&calendar=paris&connect_timeout=9", database]
    calendars = [Calendar.open(address) for address in addresses]
    for number, calendar in enumerate(calendars, 1):
        for id in range(number):
            calendar.add_resource(Resource(id))
    assert [calendar.position for calendar in calendars] == [1, 2, 3]
    for calendar in calendars:
        calendar.close()
    for number, address in enumerate(addresses, 1):
        with Calendar.open(address, create=False) as again:
            assert len(again.resources) == number


def test_what_says_of_records_and_tables_that_there_are_more_is_damage(postgres: str) -> None:
    """A call that waits for records is not kept waiting by a head; a number of the schema that is gone is no TypeError."""
    from psycopg.conninfo import conninfo_to_dict

    address = "postgresql:///?" + urlencode(conninfo_to_dict(postgres))
    with Calendar.open(address, follow=False) as calendar:
        calendar.add_resource(Resource("room"))
        execute(postgres, "UPDATE bookcore.calendar SET position = 8")
        with pytest.raises(JournalDamagedError, match="its last record is 1, and its head is that of another one"):
            calendar.book("room", 8, 9)
        with pytest.raises(JournalDamagedError, match="its last record is 1, and its head says more"):
            calendar.wait_for(4, 60)
    execute(postgres, "DELETE FROM bookcore.schema")
    for create in False, True:
        with pytest.raises(JournalError):
            Calendar.open(address, create=create)


def test_options_for_the_server_come_to_it_as_they_are(postgres_server: PostgresServer) -> None:
    """Blanks and plus signs as well, as libpq reads them."""
    database = postgres_server.dsn()
    asked = "&options=-c%20work_mem%3D5MB%20-c%20application_name%3Da+b&calendar=c+d"
    with Calendar.open(database + asked) as calendar:
        ask = "SELECT current_setting('work_mem'), current_setting('application_name')"
        assert calendar._recorder.journal._connections["writer"].execute(ask).fetchone() == ("5MB", "a+b")
    with Calendar.open(f"{database}&calendar=c%2Bd", create=False):
        pass


def test_the_server_is_told_when_to_give_a_machine_up_that_is_gone(postgres_server: PostgresServer) -> None:
    """As soon as the client would give up the server, unless the address says otherwise; it may have the lock."""
    address = f"{postgres_server.dsn()}&calendar=gone&options=-c%20tcp_keepalives_idle%3D40%20-c%20tcp_user_timeout%3D0"
    ask = "SELECT name, source FROM pg_settings WHERE name LIKE 'tcp%%' ORDER BY name"  # of a socket the values are all 0
    with Calendar.open(address) as calendar:
        found = dict(calendar._recorder.journal._connections["writer"].execute(ask).fetchall())
    assert found == {
        "tcp_keepalives_count": "session", "tcp_keepalives_idle": "client", "tcp_keepalives_interval": "session",
        "tcp_user_timeout": "client",
    }  # fmt: skip


def test_a_transaction_that_takes_longer_than_the_address_allows_raises(opened: Open, address: str) -> None:
    """Others can append meanwhile; nothing of it is there afterwards."""
    other = booked(opened)
    limit = "&options=-c%20idle_in_transaction_session_timeout%3D100"
    with Calendar.open(address + limit, follow=False) as one:
        with pytest.raises(JournalError, match=r"not made: .*idle-in-transaction timeout") as refused, one.transaction():
            one.book("room", 8, 9)
            other.book("room", 9, 10)  # waits until the server has ended the connection of the other one
        assert not isinstance(refused.value, UnknownOutcomeError)
        one.catch_up()
        assert (one.position, one.digest()) == (4, other.digest())
        assert one.book("room", 8, 9).owns_lock
    other.catch_up()


def test_the_isolation_that_a_database_is_set_to_refuses_nothing(address: str) -> None:
    """A stricter one would refuse to lock a row that was changed while the lock was waited for."""
    calendars = [Calendar.open(f"{address}&options=-c%20default_transaction_isolation%3Dserializable") for _ in range(3)]
    calendars[0].add_resource(Resource("room"))

    def work(number: int) -> None:
        for at in range(15):
            calendars[number].book("room", 100 * number + at, 100 * number + at + 1)

    run_together(len(calendars), work)
    for calendar in calendars:
        calendar.catch_up()
        assert len(calendar) == 45
        calendar.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda address: address.replace("/postgres?", "/nowhere?"), 'database "nowhere" does not exist; .* or make it'),
        (lambda address: address.replace("postgres@", "nobody:secret@"), 'role "nobody" does not exist; .* or make it'),
        (lambda address: "postgresql://postgres:secret@127.0.0.1:1/postgres", "refused.*; no server answers there"),
        (lambda address: "postgresql:///rooms?host=/nowhere", "No such file.*; no server answers there: start it"),
        (lambda address: address + "&calender=1", 'invalid .*"calender"; those of bookcore are calendar, partitions'),
        (lambda address: "postgresql://postgres:x/secret@127.0.0.1:1/postgres", "write %23 for #"),
        (lambda address: "postgresql://postgres:x#secret@127.0.0.1:1/postgres", "write %23 for #"),
        (lambda address: "postgresql://postgres:1/secret@127.0.0.1:1/postgres", "write %23 for #"),
        (lambda address: "postgresql://postgres:1?secret@127.0.0.1:1/postgres", "write %23 for #"),
        (lambda address: "postgresql://postgres:x@secret@127.0.0.1:1/postgres", "write %23 for #"),
        (lambda address: "postgresql://postgres:[secret@127.0.0.1:1/postgres", "write %23 for #"),
        (lambda address: "postgresql://postgres:%zzsecret@127.0.0.1:1/postgres", "write %25 for %"),
        (lambda address: "postgresql://postgres:%FCsecret@127.0.0.1:1/postgres", "not everything in it is UTF-8; write"),
        (lambda address: "postgresql://postgres:secret\udcfc@127.0.0.1:1/postgres", "a character that no server reads"),
        (lambda address: "postgresql://postgres:secret@127.0.0.1:1/postgres?calendar=%FC", "not everything in it is UTF-8"),
        (lambda address: "postgresql://postgres:secret@[::1]:five/rooms", "the port in it is no number"),
        (lambda address: "postgresql://postgres:secret@127.0.0.1:99999/postgres", "no port 99999: it is .* from 1 to 65535"),
    ],
)
def test_what_cannot_be_reached_says_why(change: Callable[[str], str], reason: str, address: str) -> None:
    """In bounded time; no password is in the error."""
    with pytest.raises(JournalError, match=reason) as refused:
        Calendar.open(change(address), timeout=5)
    assert "secret" not in str(refused.value)
    assert "secret" not in str(vars(refused.value))


def test_a_wrong_password_is_refused_and_not_told(postgres_server: PostgresServer, address: str, admin: Any) -> None:
    """The right one opens the calendar."""
    rules = postgres_server.data / "pg_hba.conf"
    rules.write_text(f"local all locked scram-sha-256\n{rules.read_text()}")
    admin.execute("CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'secret'")
    admin.execute("SELECT pg_reload_conf()")
    wrong, right = (address.replace("postgres@", f"locked:{word}@") for word in ("hushed", "secret"))
    Calendar.open(right, timeout=5).close()
    with pytest.raises(JournalError, match=r"password authentication failed.*; put user and password") as refused:
        Calendar.open(wrong, timeout=5)
    assert "hushed" not in f"{refused.value} {vars(refused.value)}"


def test_create_false_makes_nothing(address: str, admin: Any, name: str) -> None:
    """The error names the calendar, and a few of those that there are."""
    Calendar.open(address.replace(name.replace(" ", "%20"), "another")).close()  # the tables are there
    (first,) = admin.execute("SELECT min(name) FROM bookcore.calendar").fetchone()  # other tests make some too
    for options in ({"create": False}, {"as_of": "now"}, {"read_only": True}):
        with pytest.raises(JournalError, match=rf"there is no calendar '{name}' in it \(there are '{re.escape(first)}'"):
            Calendar.open(address, **options)
    assert admin.execute("SELECT count(*) FROM bookcore.calendar WHERE name = %s", (name,)).fetchone() == (0,)


def test_bounds_and_format_are_those_of_the_first(opened: Open, admin: Any, name: str) -> None:
    """Others are refused."""
    opened(bounds="[]")
    with pytest.raises(JournalError, match=r"has the bounds '\[\]', not '\[\)'; leave bounds out"):
        opened(bounds="[)")
    admin.execute("UPDATE bookcore.calendar SET format = 9 WHERE name = %s", (name,))
    with pytest.raises(JournalVersionError):
        opened()


def test_a_privilege_that_lacks_is_named(opened: Open, admin: Any, address: str) -> None:
    """Who may only read the tables may open the calendar, and not change it."""
    booked(opened)
    admin.execute("DROP OWNED BY reader; DROP ROLE reader") if admin.execute(
        "SELECT 1 FROM pg_roles WHERE rolname = 'reader'"
    ).fetchone() else None
    admin.execute("CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA bookcore TO reader")
    mine = address.replace("postgres@", "reader@")
    with pytest.raises(JournalError, match=r"lacks a privilege \(.*\); have the database.s owner grant it"):
        Calendar.open(mine)
    admin.execute("GRANT SELECT ON ALL TABLES IN SCHEMA bookcore TO reader")
    with pytest.raises(JournalError, match="owner grant it, or open it with create=False if the calendar is there"):
        Calendar.open(mine)
    with Calendar.open(mine, create=False) as reader:
        assert len(reader) == 2
        with pytest.raises(JournalError, match=r"lacks a privilege \(.*\); have the database.s owner grant it"):
            reader.book("room", 8, 9)
        assert len(reader) == 2


def test_without_psycopg_the_extra_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every extra."""
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "bookcore.persist.shared.postgres", raising=False)
    with pytest.raises(MissingExtraError, match=r"bookcore\[postgres\]"):
        Calendar.open(address)


def test_an_older_psycopg_is_refused_with_the_extra(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked of the server: a method that every command calls came with 3.3."""
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", SimpleNamespace(Cursor=object))
    for module in ("postgres", "pgconnection"):
        monkeypatch.delitem(sys.modules, f"bookcore.persist.shared.{module}", raising=False)
    with pytest.raises(MissingExtraError, match=r"psycopg 3\.3 is not installed: pip install 'bookcore\[postgres\]'"):
        Calendar.open(address)


def test_a_checkpoint_is_where_a_newcomer_begins(opened: Open, admin: Any, name: str) -> None:
    """As many as asked for stay; a damaged one is passed over."""
    one = booked(opened, keep=2)
    for at in range(10, 13):
        one.checkpoint()
        one.book("room", at, at + 1)
    found = admin.execute("SELECT position FROM bookcore.checkpoint WHERE calendar = %s ORDER BY 1", (name,)).fetchall()
    assert found == [(4,), (5,)]
    assert opened().digest() == one.digest()
    admin.execute("UPDATE bookcore.checkpoint SET snapshot = 'x' WHERE calendar = %s AND position = 5", (name,))
    assert opened().digest() == one.digest()


def test_a_damaged_record_is_noticed(opened: Open, admin: Any, name: str) -> None:
    """Whoever opens the calendar is told which one."""
    booked(opened, 4)
    admin.execute("UPDATE bookcore.change SET record = 'x' WHERE calendar = %s AND position = 4", (name,))
    with pytest.raises(JournalDamagedError, match="record 4 is damaged"):
        opened()


def test_a_lock_of_another_program_is_told_in_time(opened: Open, admin: Any, name: str) -> None:
    """Questions are answered meanwhile, and reading is as well."""
    one = booked(opened, timeout=2.1)
    with admin.transaction():
        admin.execute("SELECT 1 FROM bookcore.calendar WHERE name = %s FOR UPDATE", (name,))
        with pytest.raises(JournalTimeoutError, match="kept it locked"):
            one.book("room", 8, 9)
        one.catch_up()
        assert one.is_available("room", 8, 9)
    one.book("room", 8, 9)


def test_a_statement_that_was_cancelled_is_not_told_as_locked(opened: Open) -> None:
    """By a limit that the role has, say."""
    one = booked(opened)
    journal: Any = one._recorder.journal
    journal._connections["reader"].execute("SET statement_timeout = 1")
    told = pytest.raises(JournalTimeoutError, match="the server took too long for it, and it was cancelled")
    with told, journal.reading() as reader:
        reader.execute("SELECT pg_sleep(30)")


def test_a_large_snapshot_is_written_however_long_the_server_is_silent(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets a second for each megabyte, here for each 10,000 bytes, beside the timeout.

    Reading needs none, because the server sends all the while.
    """
    from bookcore.persist.shared import pgconnection, postgres

    monkeypatch.setattr(pgconnection, "LEAST_SILENCE", 0.2)
    monkeypatch.setattr(pgconnection, "CANCELLING", 0.2)
    monkeypatch.setattr(postgres, "SLOWEST", 10_000)
    monkeypatch.setattr(postgres, "_CHECKPOINT", postgres._CHECKPOINT.replace("BEGIN;", "BEGIN; SELECT pg_sleep(0.6);"))
    one = booked(opened, timeout=0.2)
    with pytest.raises(JournalTimeoutError, match="the server took too long for it"):
        one.checkpoint()
    one.book("room", 8, 9, note=random.Random(7).randbytes(20_000))
    one.checkpoint()


def _break(admin: Any) -> None:
    """Break all connections but this one."""
    others = "pid <> pg_backend_pid() AND usename IS NOT NULL"
    admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")  # noqa: S608


def test_broken_connections_are_made_anew(opened: Open, admin: Any) -> None:
    """One call may raise, and changes nothing; the next one goes on, without a gap and without a repeat."""
    one, other = booked(opened), opened(follow=True)
    came = threading.Event()
    heard: list[Any] = []
    other.subscribe(heard.append)
    other.subscribe(lambda change: came.set())
    for at in range(10, 14):
        _break(admin)
        came.clear()
        done = False
        while not done:  # the first attempt finds that the connection is broken
            one._recorder._hopes_until = 0.0  # as after a pause
            try:
                one.book("room", at, at + 1, id=f"at {at}", if_exists="return")
                done = True
            except JournalError as error:
                assert "the connection was lost; repeat the call" in str(error)
                assert f"at {at}" not in one
        assert came.wait(30)
    other.wait_for(one.position)
    assert (one.position, len(heard), other.digest()) == (7, 4, one.digest())


@pytest.mark.parametrize("hopes", [True, False])
@pytest.mark.parametrize("stands", [True, False])
def test_a_connection_that_breaks_in_the_commit_leaves_the_outcome_unknown(
    stands: bool, hopes: bool, opened: Open, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is not in memory; repeating the call with the same id settles it."""
    from bookcore.persist.shared import postgres, projection

    one, other = booked(opened), opened()
    assert one._recorder.may_hope()
    one._recorder._hopes_until *= hopes
    breaking = f"{'COMMIT;' * stands} SELECT pg_terminate_backend(pg_backend_pid())"
    with monkeypatch.context() as patch:
        if hopes:
            plain = projection.commands_of
            patch.setattr(postgres, "commands_of", lambda *of: [(text + breaking, values) for text, values in plain(*of)])
        else:
            patch.setattr(postgres, "_COMMIT", breaking)
        with pytest.raises(UnknownOutcomeError, match=r"it is unknown whether the change was committed .* with the same id"):
            one.book("room", 8, 9, id="once")
    assert "once" not in one
    other.catch_up()
    assert ("once" in other) is stands
    booking = one.book("room", 8, 9, id="once", if_exists="return")
    assert booking.owns_lock
    assert one.position == 4
    other.catch_up()
    assert other.digest() == one.digest()


def test_a_time_limit_may_be_longer_than_systems_take(opened: Open) -> None:
    """A year, for one who never wants to give up."""
    assert booked(opened, timeout=3.2e7).book("room", 8, 9).owns_lock


@contextmanager
def exchanges(calendar: Calendar) -> Iterator[list[str]]:
    """Give a list of what is sent to the server by who writes."""
    writer, sent = calendar._recorder.journal._connections["writer"], []

    def noting(plain: Callable[..., Any]) -> Callable[..., Any]:
        def execute(query: str, *arguments: Any, **options: Any) -> Any:
            sent.append(query)
            return plain(query, *arguments, **options)

        return execute

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "ask"):
            patch.setattr(writer, name, noting(getattr(writer, name)))
        yield sent


def test_who_is_alone_commits_in_one_exchange(opened: Open) -> None:
    """A process whose last command found nothing new; not one that others came before, nor one that asks the clock."""
    one, other = booked(opened), opened()
    calls: list[tuple[Callable[[Calendar], Any], int]] = [
        (lambda calendar: calendar.book("room", 10, 11, id="a", note="x"), 1),
        (lambda calendar: calendar.book_all([("room", 12, 13), ("room", 14, 15)]), 1),
        (lambda calendar: calendar.move("a", start=20, end=21), 1),
        (lambda calendar: calendar.change("a", note="y"), 1),
        (lambda calendar: calendar.add_booking(BookingEvent("room", 16, 17)), 1),
        (lambda calendar: calendar.remove_booking("a"), 1),
        (lambda calendar: calendar.tag("room", "sea"), 2),
        (lambda calendar: calendar.book("room", 30, 31), 1),
        (lambda calendar: calendar.book("room", 40, 41, note="x" * 30_000), 2),
    ]
    for call, count in calls:
        with exchanges(one) as sent:
            call(one)
        assert len(sent) == count, sent
    other.book("room", 50, 51)
    with exchanges(one) as sent:
        assert one.book("room", 52, 53).owns_lock
    assert [query.split()[0] for query in sent] == ["EXECUTE", "BEGIN;", "EXECUTE"], sent
    other.catch_up()
    assert other.digest() == one.digest()
    one.check()


def test_a_notification_that_names_no_record_is_not_taken_for_one(opened: Open, admin: Any) -> None:
    """An older bookcore sends such; who waits looks then, and goes on waiting."""
    one, other = booked(opened), opened()
    for _ in range(2):
        with pytest.raises(JournalTimeoutError):
            other.wait_for(one.position + 1, 0.2)
        admin.execute("NOTIFY bookcore")  # it is read in the next round


def test_what_takes_two_commands_for_the_tables_takes_two_exchanges(
    opened: Open, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So no row is lost, whatever a command has to write."""
    from bookcore.persist.shared import databases, postgres, projection

    one = booked(opened)
    plain = projection.groups_of
    monkeypatch.setattr(postgres, "groups_of", lambda *given: (
        projection.Group(group.statement, [row]) for group in plain(*given) for row in group.rows
    ))  # fmt: skip
    both = [("room", 12, 13), ("room", 14, 15)]
    with exchanges(one) as sent:
        one.book_all(both)
    assert len(sent) == 1
    monkeypatch.setattr(projection, "MOST", 1)
    assert one._recorder.may_hope()
    with exchanges(one) as sent:
        one.book_all([(room, start + 10, end + 10) for room, start, end in both])
    assert [query.split()[0] for query in sent] == ["BEGIN;", "EXECUTE", "EXECUTE"], sent
    monkeypatch.undo()
    assert databases.check(address).is_whole


def test_what_is_decided_in_hope_is_decided_anew_if_others_came_before(opened: Open) -> None:
    """So what they have booked is not booked twice, and what they have given back is not refused."""
    one, other = booked(opened), opened()
    taken = other.book("room", 5, 6)
    assert one._recorder.may_hope()
    with pytest.raises(ConflictError) as refused:
        one.book("room", 5, 6)
    assert [event.id for event in refused.value.conflicts] == [taken.id]
    one.book("room", 7, 8)
    other.remove_booking(taken.id)
    assert one._recorder.may_hope()
    assert one.book("room", 5, 6).id == 5
    other.catch_up()
    assert other.digest() == one.digest()


def test_who_hopes_waits_for_nobody_while_it_holds_the_lock_of_the_calendar(opened: Open) -> None:
    """Questions go on while a command waits for the transaction of another process."""
    one, other = booked(opened, timeout=30), opened()
    waits = threading.Event()
    plain = one._recorder.journal.lock

    def lock(*given: Any) -> Any:
        waits.set()
        return plain(*given)

    one._recorder.journal.lock = lock
    with other.transaction():
        other.book("room", 5, 6)
        assert one._recorder.may_hope()
        thread = threading.Thread(target=lambda: one.book("room", 7, 8), daemon=True)
        thread.start()
        assert waits.wait(30)
        assert len(one) == 2
    thread.join(30)
    assert len(one) == 4
    other.catch_up()
    assert other.digest() == one.digest()


def test_a_server_that_is_gone_for_a_while_is_caught_up_with(
    postgres_server: PostgresServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions go on from memory, which says how stale it is; commands raise in bounded time, and say that as well.

    Afterwards everything is as if nothing had been.
    """
    one, other = booked(opened, timeout=3, sync="always"), opened(follow=True, timeout=3)
    other.wait_for(3)
    came, passed = threading.Event(), 0.0
    other.subscribe(lambda change: came.set())
    for module in (recorder, seam):
        monkeypatch.setattr(module, "monotonic", lambda: monotonic() + passed)
    postgres_server.kill()
    try:
        for call in (lambda: one.book("room", 8, 9), one.catch_up, one.lag, lambda: one.wait_for(9), other.checkpoint):
            with pytest.raises(JournalError):
                call()
        before = one.staleness(), other.staleness()
        passed = 5.0
        assert not one.is_available("room", 0, 1)
        assert one.find_available(8, 9).ids() == ["room"]
        assert len(other) == 2
        assert min(one.staleness() - before[0], other.staleness() - before[1]) >= 5.0
        for calendar in (one, other):
            with pytest.raises(JournalError, match="no server answers there") as caught:
                calendar.lag()
            assert float(re.findall(r"; memory had all records (\S+) seconds ago", str(caught.value))[0]) >= 5.0
    finally:
        postgres_server.start()
    begun = monotonic() + passed
    one.book("room", 8, 9)
    assert came.wait(30)
    assert other.digest() == one.digest()
    other.catch_up()  # the follower notes a little later that this was all
    assert min(calendar._recorder.journal.complete_at for calendar in (one, other)) > begun


def test_who_waits_for_a_record_does_not_wait_for_who_listens(opened: Open) -> None:
    """The follower listens for longer than a caller may want to wait."""
    one = booked(opened)
    listens, ended = threading.Event(), threading.Event()

    def listen() -> None:
        with one._recorder.journal._listening:
            listens.set()
            ended.wait(30)

    listener = threading.Thread(target=listen)
    listener.start()
    listens.wait(30)
    with pytest.raises(JournalTimeoutError, match=r"did not come within 0\.05 seconds"):
        one.wait_for(99, timeout=0.05)
    assert listener.is_alive()
    ended.set()
    listener.join()


def test_a_connection_is_notified_only_while_it_waits(opened: Open) -> None:
    """Each notification costs the server a process that wakes; where there is something new, nothing is waited for."""
    one, other = booked(opened), opened()
    journal, place = one._recorder.journal, one._recorder.place
    other.book("room", 5, 6)
    assert journal.wait(place, 30)
    assert "listener" not in journal._connections
    one.catch_up()
    thread = threading.Thread(target=one.wait_for, args=(one.position + 1, 30))
    thread.start()
    other.book("room", 7, 8)
    thread.join()
    assert not journal.wait(one._recorder.place, 0.05)
    assert not journal._connections["listener"].execute("SELECT pg_listening_channels()").fetchall()
    answers = iter([False, False])
    with pytest.raises(StopIteration):  # as Ctrl-C would come
        journal.wait_until(lambda: next(answers), lambda name, position: False, 30)
    assert journal._connections["listener"].closed


def test_a_follower_that_has_nothing_to_do_asks_twice_a_second(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays notified from one wait of half a second to the next, each of which asks for the head, and nothing else."""
    import psycopg

    one, other = booked(opened), opened()
    journal, asked = one._recorder.journal, list[str]()

    def note(cursor: Any, query: Any, *args: Any, execute: Any = psycopg.Cursor.execute, **options: Any) -> Any:
        asked.append(query)
        return execute(cursor, query, *args, **options)

    def waits(**options: Any) -> tuple[bool, list[str]]:
        asked.clear()
        came = journal.wait(one._recorder.place, 0.05, **options)
        return came, [re.sub(r"SELECT position.*", "head", each) for each in asked]

    assert not journal.wait(one._recorder.place, 0.05, again=True)
    monkeypatch.setattr(psycopg.Cursor, "execute", note)
    assert [waits(again=True) for _ in range(3)] == [(False, ["head"])] * 3
    other.book("room", 5, 6)  # no wait is under way
    assert waits(again=True) == (True, ["head", "UNLISTEN bookcore"])
    one.catch_up()
    start = ["head", "SELECT pg_is_in_recovery()", "LISTEN bookcore", "head"]
    assert waits(again=True) == (False, start)
    assert waits() == (False, ["head", "UNLISTEN bookcore"])  # as `wait_for` does, which does not go on
    assert waits() == (False, [*start, "UNLISTEN bookcore"])
    assert follower.LOOKING == 0.5


def test_a_wait_that_goes_on_is_notified_of_what_comes(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a question to the server, and when another connection has to take the place of one that is lost."""
    one, other = booked(opened), opened()
    journal, place = one._recorder.journal, one._recorder.place
    assert not journal.wait(place, 0.05, again=True)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "lag", lambda place: 0)  # no look sees it
        thread = threading.Thread(target=lambda: other.book("room", 5, 6))
        thread.start()
        assert journal.wait(place, 30, again=True)
    thread.join()
    one.catch_up()
    place = one._recorder.place
    assert not journal.wait(place, 0.05, again=True)
    journal._connections["listener"].close()
    other.book("room", 7, 8)
    assert journal.wait(place, 30, again=True)


def test_what_is_asked_is_not_compiled_first(opened: Open) -> None:
    """By the JIT of the server, which takes tens of milliseconds, for a scan of a small table that has no key."""
    calendar = booked(opened)
    calendar.lag()
    reader = calendar._recorder.journal._connections["reader"]
    plan = reader.execute("EXPLAIN ANALYZE SELECT max(version) FROM bookcore.schema")
    assert not [line for (line,) in plan if "JIT" in line]


def test_what_is_prepared_is_planned_once(opened: Open) -> None:
    """And not each time, where the costs of a table whose sizes are not known yet make that seem cheaper."""
    one, other = booked(opened), opened()
    for at in range(10, 20):
        one.book("room", at, at + 1)
        other.catch_up()
    for calendar, use, named in ((one, "writer", "bookcore_%"), (other, "reader", "%")):
        connection = calendar._recorder.journal._connections[use]
        ask = """SELECT name, generic_plans, custom_plans FROM pg_prepared_statements
                 WHERE name LIKE %s AND generic_plans + custom_plans > 9"""
        found = connection.execute(ask, (named,)).fetchall()
        assert found and not [name for name, _, custom in found if custom], found


def test_news_of_which_one_hears_before_it_can_be_read_are_no_damage(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a connection with a server that is ahead of the one that is read."""
    one, other = booked(opened), opened()
    position, wait, early = one.position + 1, one._recorder.journal.wait, list[bool]()

    def told(*asked: Any) -> bool:
        if not early:
            early.append(True)
            return True
        other.book("room", 7, 8)
        return bool(wait(*asked))

    monkeypatch.setattr(one._recorder.journal, "wait", told)
    one.wait_for(position, 30)
    assert (one.position, early) == (position, [True])


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """Stop all processes of a server for a while, as a machine does that hangs: its sockets stay open."""
    processes = server.processes()
    try:
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("when", ["before", "commit", "hope"])
def test_a_server_that_hangs_is_not_waited_for(
    when: str, postgres_server: PostgresServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call raises in bounded time, and says whether its outcome is known; afterwards all is as if nothing had been."""
    from bookcore.persist.shared import pgconnection, postgres

    monkeypatch.setattr(pgconnection, "LEAST_SILENCE", 0.5)
    monkeypatch.setattr(pgconnection, "CANCELLING", 0.2)
    one = booked(opened, timeout=0.5)
    with ExitStack() as stack, monkeypatch.context() as patch:
        if when != "hope":  # as after a pause
            one._recorder._hopes_until = 0.0
        if when != "commit":
            stack.enter_context(frozen(postgres_server))
        else:
            commit = postgres.PostgresJournal._commit
            patch.setattr(postgres.PostgresJournal, "_commit", lambda *values, **how: (
                stack.enter_context(frozen(postgres_server)), commit(*values, **how),
            ))  # fmt: skip
        with pytest.raises(JournalError, match=r"did not answer within 0\.[57] seconds") as caught:
            one.book("room", 8, 9, id="once")
        assert isinstance(caught.value, UnknownOutcomeError) is (when != "before")
        assert "once" not in one
    again = opened(timeout=20)
    for calendar in (again, opened(timeout=20)):
        assert calendar.book("room", 8, 9, id="once", if_exists="return").id == "once"
        assert calendar.position == 4


def test_a_server_that_hangs_keeps_no_call_for_ever(
    postgres_server: PostgresServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that asks the server raises; a question does not ask, and closing needs no answer."""
    from bookcore.persist.shared import pgconnection

    monkeypatch.setattr(pgconnection, "LEAST_SILENCE", 0.5)
    monkeypatch.setattr(pgconnection, "CANCELLING", 0.2)
    one, undone, closed = booked(opened, timeout=0.5), opened(timeout=0.5), opened(timeout=0.5, follow=True)
    one.catch_up()
    with ExitStack() as stack:
        with pytest.raises(ZeroDivisionError), undone.transaction():
            undone.book("room", 8, 9)
            stack.enter_context(frozen(postgres_server))
            raise ZeroDivisionError  # what it rolls back gets no answer
        assert len(undone) == 2
        for call in (one.lag, one.catch_up, lambda: one.wait_for(99)):
            with pytest.raises(JournalError):
                call()
        assert not one.is_available("room", 0, 1)
        assert one.find_available(8, 9).ids() == ["room"]
        closed.close()
    again = opened(timeout=20)
    again.book("room", 8, 9)
    assert again.position == 4


def test_questions_are_answered_while_a_commit_gets_no_answer(
    postgres_server: PostgresServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for the end of the command, which comes in bounded time."""
    from bookcore.persist.shared import pgconnection, postgres

    monkeypatch.setattr(pgconnection, "LEAST_SILENCE", 0.5)
    monkeypatch.setattr(pgconnection, "CANCELLING", 0.2)
    one = booked(opened, timeout=0.5)
    commit, hangs = postgres.PostgresJournal._commit, threading.Event()
    answers: list[bool] = []

    def ask() -> None:
        hangs.wait(30)
        answers.append(one.is_available("room", 8, 9))

    with ExitStack() as stack, monkeypatch.context() as patch:

        def commit_frozen(*values: Any, **how: Any) -> None:
            stack.enter_context(frozen(postgres_server))
            hangs.set()
            commit(*values, **how)

        patch.setattr(postgres.PostgresJournal, "_commit", commit_frozen)
        asker = threading.Thread(target=ask)
        asker.start()
        with pytest.raises(UnknownOutcomeError):
            one.book("room", 8, 9, id="once")
        asker.join(30)
        assert answers == [True]


@pytest.fixture
def full(postgres_server: PostgresServer, admin: Any) -> Iterator[str]:
    """Return the name of a tablespace of 2 MB, which holds the records of few calendars."""
    place = postgres_server.folder / "small"
    place.mkdir(exist_ok=True)
    try:
        mount: list[Any] = ["/bin/mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "small", place]
        done = subprocess.run(mount, check=False, capture_output=True)
    except OSError as error:
        pytest.skip(str(error))
    if done.returncode:
        pytest.skip(f"no small disk can be made here: {done.stderr.decode().strip()}")
    try:
        os.chown(place, postgres_server.account["user"], postgres_server.account["group"])
        admin.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        yield "small"
        admin.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["/bin/umount", place], check=True)


def test_a_full_disk_of_the_server_changes_nothing(postgres_server: PostgresServer, full: str) -> None:
    """The call says so; when there is room again, the same call is taken."""
    import psycopg

    address = postgres_server.new_database()
    with Calendar.open(address) as one, psycopg.connect(address, autocommit=True) as admin:
        fill_up(one, admin, full)
        with Calendar.open(address) as other:
            assert other.digest() == one.digest()


def fill_up(one: Calendar, admin: Any, full: str) -> None:
    one.add_resource(Resource("room"))
    admin.execute(f"ALTER TABLE bookcore.change SET TABLESPACE {full}")
    found = one.position, one.digest()
    with pytest.raises(JournalError, match="the disk of the server is full; make room there"):
        one.book("room", 8, 9, id="large", note=random.Random(7).randbytes(4 << 20))
    assert (one.position, one.digest()) == found
    one.book("room", 8, 9, id="small")
    admin.execute("ALTER TABLE bookcore.change SET TABLESPACE pg_default")
    one.book("room", 9, 10, id="large", note=random.Random(7).randbytes(4 << 20))


def test_holds_run_out_by_the_clock_of_the_database(opened: Open, world: SimpleNamespace) -> None:
    """Two machines whose clocks are a minute apart: a hold runs out once, for both, and no span is given twice."""
    start = datetime(2026, 5, 1, 12, tzinfo=UTC)
    right, ahead = world.Clock(start), world.Clock(start + timedelta(minutes=1))
    one, other = opened(clock=right), opened(clock=ahead)
    journal: Any = other._recorder.journal
    right_time = journal.machine_clock
    journal.machine_clock = lambda: right_time() + 60
    one.add_resource(Resource("room"))
    one.hold("room", 1, 2, until=start + timedelta(seconds=30), id="hold")
    with pytest.raises(ConflictError):
        other.book("room", 1, 2)  # its own clock says that the hold has run out
    assert not other.is_available("room", 1, 2)
    assert abs(journal.skew + 60) < 5
    right.now += timedelta(seconds=40)
    ahead.now += timedelta(seconds=40)
    other.book("room", 1, 2)
    with pytest.raises(HoldExpiredError):
        one.confirm("hold")
    assert one.digest() == other.digest()
    hold = other.hold("room", 5, 6, ttl=timedelta(seconds=30))
    assert abs(hold.until - right.now - timedelta(seconds=30)) < timedelta(seconds=5)


def test_who_opens_holds_without_a_clock_is_not_told_the_password(address: str, divided: str) -> None:
    """Neither of a calendar in one piece nor of one in partitions."""
    for place in (address, divided):
        with Calendar.open(place, clock=lambda: 0, follow=False) as calendar:
            calendar.hold(calendar.add_resource(Resource("room")), 1, 2, ttl=9)
        told = f"{place}&password=secret"
        with pytest.raises(QueryError, match="has a hold with a deadline: give clock=") as caught:
            Calendar.open(told, follow=False)
        assert "secret" not in f"{caught.value} {caught.value.term}"
        Calendar.open(told, follow=False, clock=None).close()


# -- what hardly happens -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["_WATCH", "_PREPARED"])
def test_a_connection_that_cannot_be_set_up_is_closed(name: str, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has room for some hundred; the next call makes a new one."""
    from bookcore.persist.shared import pgconnection, postgres

    one = booked(opened)
    _close_all(one)
    made: list[Any] = []
    connect = pgconnection.Connection.connect

    def noted(*args: Any, **options: Any) -> Any:
        made.append(connect(*args, **options))
        return made[-1]

    with monkeypatch.context() as patch:
        patch.setattr(pgconnection.Connection, "connect", noted)
        patch.setattr(pgconnection if name == "_WATCH" else postgres, name, "SELECT 1 / 0")
        with pytest.raises(JournalError, match="the server did not write all"):
            one.book("room", 8, 9)
    assert [connection.closed for connection in made] == [True]
    assert one.book("room", 8, 9).owns_lock


def _close_all(calendar: Calendar) -> None:
    for connection in calendar._recorder.journal._connections.values():
        connection.close()


def test_a_connection_that_was_cut_off_amidst_a_command_is_not_used_again(opened: Open) -> None:
    """As by Ctrl-C: its answer would be taken for that of the next command."""
    one, other = booked(opened), opened()
    other.catch_up()
    journal: Any = one._recorder.journal
    for use, call in (("reader", one.catch_up), ("writer", journal.unlock)):
        connection = journal._connections[use]
        connection.pgconn.send_query(b"SELECT pg_sleep(0)")
        call()
        assert connection.closed
    assert one.book("room", 8, 9).owns_lock
    other.catch_up()
    assert other.digest() == one.digest()


def test_a_lock_that_was_lost_changes_nothing(opened: Open) -> None:
    """Of another place than memory has; of a connection that was rolled back; of one that another thread has closed."""
    one = booked(opened)
    journal, place = one._recorder.journal, one._recorder.place
    (record,) = (entry.data for entry in journal.read(journal.origin, 1))
    ways: list[tuple[Callable[[], Any], type[JournalError], str]] = [
        (journal.unlock, JournalError, "its lock was lost"),
        (lambda: journal._connections["writer"].execute("ROLLBACK"), JournalError, "its lock was lost"),
        (journal.close, JournalClosedError, "was closed"),
    ]
    for lose, error, told in ways:
        journal.lock(5.0, place, 1)
        lose()
        with pytest.raises(JournalError, match=told) as refused:
            journal.append(place, [record])
        assert type(refused.value) is error
        journal.unlock()
    again = opened()
    assert (again.position, again.digest()) == (place.position, one.digest())


def test_reading_while_the_calendar_is_closed_is_told_as_that(opened: Open) -> None:
    """And not as a server that is gone."""
    journal: Any = booked(opened)._recorder.journal
    with pytest.raises(JournalClosedError, match="was closed"), journal.reading() as reader:
        journal.close()
        reader.execute("SELECT 1")


def test_a_forked_process_leaves_the_connections_to_its_parent(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told in this process, of which the journal believes that it was forked."""
    from bookcore.persist.shared import postgres

    left: list[Any] = []
    monkeypatch.setattr(postgres, "FORKED", left)
    one = booked(opened)
    journal, place = one._recorder.journal, one._recorder.place
    (record,) = (entry.data for entry in journal.read(journal.origin, 1))
    journal.lock(5.0, place, 1)
    journal._pid += 1
    calls: list[Callable[[], Any]] = [
        one.catch_up, lambda: journal.append(place, [record]), lambda: one.book("room", 8, 9),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(JournalClosedError, match="was forked"):
            call()
    connections = [*journal._connections.values()]
    journal.close()
    assert left == connections
    assert not any(connection.closed for connection in connections)
    for connection in connections:
        connection.close()


def test_a_connection_whose_number_is_too_high_to_be_asked_has_said_something() -> None:
    """So its calendar takes the lock first, as after a pause."""
    from bookcore.persist.shared.pgconnection import has_said

    assert has_said(SimpleNamespace(fileno=lambda: 1 << 20))


def test_a_connection_that_another_thread_has_closed_has_said_something() -> None:
    """So its command takes the lock, and finds that the calendar was closed."""
    from bookcore.persist.shared.pgconnection import has_said

    read, write = os.pipe()
    assert not has_said(SimpleNamespace(fileno=lambda: read))
    for descriptor in (read, write):
        os.close(descriptor)
    assert has_said(SimpleNamespace(fileno=lambda: read))


def test_a_barrier_has_all_before_it_on_the_disk(opened: Open, admin: Any) -> None:
    """Where commits do not wait for the disk, the server writes what they did when it comes to it."""
    one = booked(opened, sync="never")
    for at in range(10, 15):
        one.book("room", at, at + 1)
        ((written,),) = admin.execute("SELECT pg_current_wal_insert_lsn()").fetchall()
        one.barrier()
        assert admin.execute("SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn", (written,)).fetchone() == (True,)


def test_a_barrier_needs_nothing_where_each_commit_waits_for_the_disk(opened: Open) -> None:
    """And makes it so where it does not."""
    for sync in ("always", "never"):
        one = booked(opened, 0, sync=sync) if sync == "always" else opened(sync=sync)
        one.barrier()
        assert opened().digest() == one.digest()
