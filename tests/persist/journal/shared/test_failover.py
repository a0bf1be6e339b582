"""A primary of PostgreSQL and its standby: the one is killed, or cut off, and the other takes over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bookcore import Calendar, ConflictError, Resource, copy_calendar
from bookcore.persist.journal.errors import JournalError, JournalReplacedError, UnknownOutcomeError
from bookcore.persist.shared.partitioned.routing import partition_of
from bookcore.testing.servers import PostgresServer

pytest.importorskip("psycopg", reason="psycopg, of the extra postgres, is not installed")

ROUNDS = 5 if settings().max_examples > 1000 else 1
WORKERS = 4
Pair = tuple[PostgresServer, PostgresServer]
Open = Callable[..., Calendar]


@pytest.fixture
def pair(own_postgres: PostgresServer) -> Pair:
    """Return a primary and its synchronous standby, for one test that ends them as it likes."""
    return own_postgres, own_postgres.standby()


@pytest.fixture
def opened(pair: Pair) -> Iterator[Open]:
    """Return a function that opens one more calendar, closed at the end if its server is there still."""
    calendars: list[Calendar] = []

    def open_one(address: str, **options: Any) -> Calendar:
        calendars.append(Calendar.open(address, **{"follow": False, "timeout": 2, **options}))
        return calendars[-1]

    yield open_one
    for calendar in calendars:
        calendar.check()
        calendar.close()


def of(server: PostgresServer) -> str:
    """Return the address of a calendar on one of the two."""
    return f"{server.dsn()}&calendar=berlin"


def both(pair: Pair) -> str:
    """Return its address on the one that takes changes."""
    folders = ",".join(str(server.folder) for server in pair)
    return f"postgresql://postgres@/postgres?host={folders}&target_session_attrs=read-write&connect_timeout=2&calendar=berlin"


class Worker:
    """Books one slot after the other, in a thread, with a calendar of its own; repeats what was not acknowledged."""

    def __init__(self, number: int, address: str) -> None:
        self.number, self.calendar = number, Calendar.open(address, timeout=5, follow=number % 2 == 0)
        self.acknowledged: list[str] = []
        self.unknown = self.failed = 0
        self.error: BaseException | None = None
        self._enough, self._more, self._ends = 0, threading.Condition(), threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"worker {number}")
        self._thread.start()

    def _work(self) -> None:
        try:
            for number in count():
                if self._ends.is_set():
                    return
                self._book(f"{self.number}-{number}", number)
                with self._more:
                    self.acknowledged.append(f"{self.number}-{number}")
                    self._more.notify()
        except BaseException as error:
            with self._more:
                self.error = error
                self._more.notify()

    def _book(self, id: str, at: int) -> None:
        """Book, until it is acknowledged."""
        while True:
            try:
                self._booked(id, at)
                return
            except UnknownOutcomeError:
                self.unknown += 1
            except (JournalReplacedError, ConflictError):
                raise
            except JournalError:
                self.failed += 1

    def _booked(self, id: str, at: int) -> None:
        booking = self.calendar.book(f"room {self.number}", at, at + 1, id=id, if_exists="return")
        assert booking.id == id

    def wait_for(self, number: int) -> None:
        """Return when that many more have been acknowledged."""
        with self._more:
            enough = len(self.acknowledged) + number
            assert self._more.wait_for(lambda: self.error or len(self.acknowledged) >= enough, timeout=60)
        if self.error:
            raise self.error

    def end(self) -> None:
        self._ends.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def catch_up(calendar: Calendar) -> None:
    """Bring a calendar up to the present; the first call may find that its connection for reading is broken."""
    try:
        calendar.catch_up()
    except JournalReplacedError:
        raise
    except JournalError:
        calendar.catch_up()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_synchronous_standby_that_takes_over_has_all_that_was_acknowledged(pair: Pair, number: int) -> None:
    """The primary is killed under load. What was unknown is settled by the same call again, and is there once."""
    primary, standby = pair
    with ExitStack() as stack:
        calendar = stack.enter_context(Calendar.open(both(pair), follow=False))
        for room in range(WORKERS):
            calendar.add_resource(Resource(f"room {room}"))
        workers = [Worker(room, both(pair)) for room in range(WORKERS)]
        for worker in workers:
            stack.callback(worker.calendar.close)
        for worker in workers:
            stack.callback(worker.end)
        for worker in workers:
            worker.wait_for(20 + 10 * number)
        primary.kill()
        standby.promote()
        for worker in workers:
            worker.wait_for(20)
        for worker in workers:
            worker.end()
        acknowledged = {id for worker in workers for id in worker.acknowledged}
        with Calendar.open(of(standby), follow=False) as newcomer:
            assert {event.id for event in newcomer.bookings()} == acknowledged
            assert newcomer.position == len(acknowledged) + WORKERS
            newcomer.check()
            for worker in workers:
                catch_up(worker.calendar)
                assert worker.calendar.digest() == newcomer.digest()
    print([(len(worker.acknowledged), worker.unknown, worker.failed) for worker in workers])  # noqa: T201


class PairWorker(Worker):
    """Books in two partitions at once."""

    def _booked(self, id: str, at: int) -> None:
        first, second = (in_partition(self.number, part) for part in range(2))
        calendar: Any = self.calendar
        with calendar.transaction(first, second):
            for room in (first, second):
                calendar.book(room, at, at + 1, id=f"{id} {room}", if_exists="return")


def in_partition(number: int, part: int) -> str:
    """Return a room of a worker that is in a partition, of two."""
    names = (f"room {number} {at}" for at in count())
    return next(name for name in names if partition_of(name, 2) == part)


def test_a_transaction_over_partitions_is_whole_or_absent_on_the_new_primary(pair: Pair) -> None:
    """All that was acknowledged is there, in both; what was unknown is settled by the same transaction again."""
    primary, standby = pair
    divided = f"{both(pair)}&partitions=2"
    with ExitStack() as stack:
        calendar: Any = stack.enter_context(Calendar.open(divided, follow=False))
        rooms = [in_partition(number, part) for number in range(2) for part in range(2)]
        for room in rooms:
            calendar.add_resource(Resource(room))
        workers = [PairWorker(number, divided) for number in range(2)]
        for worker in workers:
            stack.callback(worker.calendar.close)
        for worker in workers:
            stack.callback(worker.end)
        for worker in workers:
            worker.wait_for(10)
        primary.kill()
        standby.promote()
        between: Any = stack.enter_context(Calendar.open(f"{of(standby)}&partitions=2", as_of="now", clock=None))
        halves = [{event.id.rpartition(" room ")[0] for event in part.calendar.bookings()} for part in between.parts]
        for worker in workers:
            worker.wait_for(10)
        for worker in workers:
            worker.end()
        assert halves[0]
        assert halves[0] == halves[1]
        acknowledged = {id for worker in workers for id in worker.acknowledged}
        newcomer: Any = stack.enter_context(Calendar.open(f"{of(standby)}&partitions=2", follow=False))
        expected = {f"{id} {in_partition(int(id[0]), part)}" for id in acknowledged for part in range(2)}
        assert {event.id for event in newcomer.bookings()} == expected
        newcomer.check()


def cut_off(server: PostgresServer) -> None:
    """Have a standby hear nothing more from its primary, and return when it does not."""
    server.execute("ALTER SYSTEM SET primary_conninfo = ''")
    server.execute("SELECT pg_reload_conf()")
    server.execute("""DO $$ BEGIN
        WHILE EXISTS (SELECT 1 FROM pg_stat_wal_receiver) LOOP
            PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot();
        END LOOP; END $$""")


def test_a_primary_without_its_standby_acknowledges_nothing(
    pair: Pair, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it when the call is repeated there: the commit was cancelled, which PostgreSQL calls a success.

    When the standby is back, the same call is acknowledged; when that was made a primary, never.
    """
    monkeypatch.setattr("bookcore.persist.shared.pgconnection.LEAST_SILENCE", 0.5)
    primary, standby = pair
    old, third = (opened(of(primary), timeout=0.5) for _ in range(2))
    old.add_resource(Resource("room"))
    standby.run("pg_ctl", "stop", "--wait", "--silent", "--mode=immediate")
    with pytest.raises(UnknownOutcomeError, match="it is unknown whether the change was committed"):
        old.book("room", 0, 1, id="before")
    assert "before" not in old
    standby.start()
    for calendar in (old, third):
        booking = calendar.book("room", 0, 1, id="before", if_exists="return")
        assert (booking.id, calendar.position) == ("before", 2)
    standby.promote()
    new = opened(of(standby))
    assert "before" in new
    for _ in range(2):
        with pytest.raises(UnknownOutcomeError):
            old.book("room", 1, 2, id="split", if_exists="return")
    other = opened(of(primary), timeout=0.5)  # which was not told of any failure
    assert "split" in other
    with pytest.raises(UnknownOutcomeError):
        other.book("room", 1, 2, id="split", if_exists="return")
    with pytest.raises(UnknownOutcomeError), other.transaction():
        other.book("room", 1, 2, id="split", if_exists="return")
    with pytest.raises(UnknownOutcomeError):
        other.barrier()
    with pytest.raises(ConflictError):  # a refusal is final anywhere
        other.book("room", 0, 1)
    new.book("room", 1, 2, id="elsewhere")
    for calendar in (old, other):
        assert not calendar.is_available("room", 1, 2)


@pytest.mark.parametrize("breaks", [False, True])
def test_a_copy_whose_last_commit_does_not_come_to_the_standby_is_in_doubt(
    breaks: bool, pair: Pair, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the connection broke at that commit, and another one finds the copy there."""
    from bookcore.persist.shared import pgconnection, pgcopying
    from bookcore.persist.shared.pgschema import UNFINISHED, VERSION

    primary, standby = pair
    Calendar().snapshot(tmp_path / "empty.bks")
    monkeypatch.setattr(pgconnection, "LEAST_SILENCE", 0.5)
    plain = pgcopying._finish

    def finish(connection: Any, *rest: Any) -> None:
        standby.run("pg_ctl", "stop", "--wait", "--silent", "--mode=immediate")
        if breaks:  # when the server has committed it
            unfinished = pgcopying._marks(connection, ["berlin"], UNFINISHED)
            connection.execute(pgcopying._SET, (VERSION, ["berlin"]))
            monkeypatch.setattr(pgcopying, "_marks", lambda *asked: unfinished if asked[0] is connection else marks(*asked))
            primary.execute(f"SELECT pg_terminate_backend({connection.info.backend_pid}, 20000)")
        plain(connection, *rest)

    marks = pgcopying._marks
    monkeypatch.setattr(pgcopying, "_finish", finish)
    what = "the connection broke while the copy was made" if breaks else "may be lost with its server .*; `barrier` of the"
    with pytest.raises(UnknownOutcomeError, match=what):
        copy_calendar(tmp_path / "empty.bks", of(primary), timeout=0.5)
    copy = opened(of(primary), timeout=0.5)
    with pytest.raises(UnknownOutcomeError):
        copy.barrier()
    standby.start()
    copy.barrier()


def test_a_barrier_waits_for_the_standby_where_commits_do_not(
    pair: Pair, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises until the standby has what was committed before."""
    monkeypatch.setattr("bookcore.persist.shared.pgconnection.LEAST_SILENCE", 0.5)
    primary, standby = pair
    one = opened(of(primary), timeout=0.5, sync="never")
    standby.run("pg_ctl", "stop", "--wait", "--silent", "--mode=immediate")
    one.add_resource(Resource("room"))
    with pytest.raises(UnknownOutcomeError, match=r"may be lost with its server .*; call barrier again"):
        one.barrier()
    standby.start()
    one.barrier()


def despite_broken_connections(call: Callable[[], Any]) -> Any:
    """Call something, again where it found that its connection for writing, or then that for reading, is broken."""
    for _ in range(2):
        try:
            return call()
        except JournalReplacedError:
            raise
        except JournalError:
            pass
    return call()


def test_who_is_ahead_of_the_new_primary_notices_and_reloads(
    pair: Pair, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """A standby that was not synchronous lacks the last records: at once, and also when others are in their places."""
    primary, standby = pair
    calls: list[Callable[[Calendar], Any]] = [
        lambda c: c.book("room", 2, 3, id=3, if_exists="return"),
        lambda c: c.transaction().__enter__(),
        lambda c: c.wait_for(99),
        lambda c: c.catch_up(),
        lambda c: c.checkpoint(),
        lambda c: c.lag(),
    ]
    commands = calls[:3]
    calendars = [opened(both(pair)) for _ in calls]
    one = calendars[0]
    one.add_resource(Resource("room"))
    one.book("room", 0, 1)
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
    primary.execute("SELECT pg_reload_conf()")
    cut_off(standby)
    one.book("room", 1, 2)
    one.book("room", 2, 3)
    for calendar in calendars:
        calendar.catch_up()
    digest = one.digest()
    follower, reads = opened(both(pair), follow=True), opened(of(standby), read_only=True)
    assert not reads._recorder.journal.has_other_history(one._recorder.place)  # it may be behind, as far as that is known
    late = f"{both(pair)}-late"  # a calendar that the new primary does not have at all
    alone = opened(late)
    alone.add_resource(Resource("room"))
    changed = threading.Event()
    follower.subscribe(lambda change: changed.set())
    amidst = opened(both(pair))
    block = amidst.transaction()
    block.__enter__()
    amidst.book("room", 3, 4)
    primary.kill()
    standby.promote()
    with pytest.raises(UnknownOutcomeError):  # as the connection broke
        block.__exit__(None, None, None)
    assert (amidst.position, amidst.digest()) == (4, digest)
    assert reads._recorder.journal.has_other_history(one._recorder.place)
    newcomer = opened(both(pair))
    assert newcomer.position == 2
    assert changed.wait(60)
    assert (follower.position, follower.digest()) == (2, newcomer.digest())
    for at, (calendar, call) in enumerate(zip(calendars, calls, strict=True), 10):
        assert (calendar.position, calendar.digest()) == (4, digest)
        if call in commands:
            with pytest.raises(JournalReplacedError, match="the calendar has been reloaded") as caught:
                despite_broken_connections(partial(call, calendar))
            assert caught.value.reloaded
        else:
            despite_broken_connections(partial(call, calendar))
        calendar.catch_up()
        assert calendar.digest() == newcomer.digest()
        calendar.check()
        despite_broken_connections(partial(calendar.book, "room", at, at + 1))
        newcomer.catch_up()
    follower.wait_for(newcomer.position, 60)
    again = opened(both(pair))
    for calendar in (*calendars, follower, amidst):
        despite_broken_connections(calendar.catch_up)
        assert (calendar.position, calendar.digest()) == (again.position, again.digest())
    told = [record for record in caplog.records if "has another history than memory" in record.message]
    assert len(told) == len(calendars) + 2
    assert told[0].args[1:] == (2, 0)  # type: ignore[index]
    with pytest.raises(JournalError, match="no calendar 'berlin-late'"):
        opened(late, create=False)
    for _ in range(2):
        for call in calls:
            for _ in range(3):
                with pytest.raises(JournalError) as refused:
                    call(alone)
            assert type(refused.value) is JournalReplacedError, call
            assert not refused.value.reloaded
        opened(late)


@pytest.mark.parametrize("follow", [False, True])
def test_partitions_that_are_ahead_of_the_new_primary_reload_each(pair: Pair, opened: Open, follow: bool) -> None:
    """A command of one raises once for that; one of several at most once for each, and then takes all."""
    primary, standby = pair
    divided = f"{both(pair)}&partitions=2"
    rooms = [in_partition(number, part) for number in range(2) for part in range(2)]
    calendars: list[Any] = [opened(divided, follow=follow) for _ in range(3)]
    one, other, third = calendars
    for room in rooms:
        one.add_resource(Resource(room))
    one.book(rooms[0], 0, 1, id="early")
    one.book(rooms[2], 0, 1, id="released")
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
    primary.execute("SELECT pg_reload_conf()")
    cut_off(standby)
    one.remove_booking("released")
    late = next(name for name in map("late {}".format, count()) if partition_of(name, 2) == 1)
    one.add_resource(Resource(late))
    with one.transaction():
        for room in (*rooms, late):
            one.book(room, 5, 6, id=f"lost {room}")
    for calendar in calendars:
        calendar.catch_up()
    early = one.get("early")
    primary.kill()
    standby.promote()
    newcomer: Any = opened(divided)
    newcomer.book(rooms[1], 5, 7, id="theirs")

    def in_the_end(call: Callable[[], Any]) -> int:
        """Call until it succeeds; return how many reloads it told of."""
        told = 0
        for _ in range(12):
            try:
                call()
            except JournalReplacedError as error:
                assert error.reloaded
                told += 1
            except JournalError:  # a broken connection
                pass
            else:
                return told
        raise AssertionError("it does not go on")

    assert in_the_end(lambda: one.book(rooms[0], 8, 9, id="mine")) == 1 or follow
    with pytest.raises(ConflictError):
        despite_broken_connections(lambda: newcomer.book(rooms[0], 8, 9))

    def block() -> None:
        with other.transaction():
            for room in rooms:
                other.book(room, 10, 11, id=f"again {room}")

    assert in_the_end(block) <= 3
    for calendar in (*calendars, newcomer):
        in_the_end(calendar.catch_up)
    for calendar in (*calendars, newcomer):
        assert calendar.digest() == newcomer.digest()
        assert calendar.resources.ids() == rooms
        assert {event.id for event in calendar.bookings()} == {
            "early", "released", "theirs", "mine", *(f"again {room}" for room in rooms)
        }  # fmt: skip
        calendar.check()
    assert early.owns_lock
    again: Any = opened(divided)
    assert again.digest() == newcomer.digest()
    in_the_end(lambda: one.add_resource(Resource(late), if_exists="return"))
    third.catch_up()
    assert third.resources.ids() == [*rooms, late]
