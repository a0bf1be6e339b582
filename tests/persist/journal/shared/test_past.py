"""The past of a shared calendar: as it stood after a record, what happened to a booking, the log of all."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import Calendar, QueryError, Resource, copy_calendar
from bookcore.persist.errors import SnapshotTypeError
from bookcore.persist.history import read_log
from bookcore.persist.journal.errors import (
    JournalDamagedError,
    JournalError,
    JournalPositionError,
    JournalReadOnlyError,
)
from bookcore.persist.journal.reading import Moment
from bookcore.persist.shared import past
from bookcore.persist.shared.seam import Place
from bookcore.testing.servers import PostgresServer

Open = Callable[..., Calendar]
BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
pytestmark = pytest.mark.usefixtures("ticks")


def lived(opened: Open, world: Any) -> tuple[Calendar, dict[int, str]]:
    """Return a calendar with every kind of change, in the midst of which a checkpoint was written; and its states."""
    clock = world.Clock(0)
    calendar = opened(clock=clock, keep=1)
    states = {0: calendar.digest()}
    for number, _ in enumerate(world.history(calendar, clock, int)):
        calendar.barrier()  # holds that a question found to have run out are in a record
        states[calendar.position] = calendar.digest()
        if number == 12:
            calendar.checkpoint()
    return calendar, states


def test_every_state_of_the_past_can_be_opened(opened: Open, address: str, world: Any) -> None:
    """By its position, before and after the only checkpoint that stays, while the calendar is open."""
    calendar, states = lived(opened, world)
    assert len(states) > 20
    for position, digest in states.items():
        past = Calendar.open(address, as_of=position, types=world.TYPES)
        assert (past.position, past.digest()) == (position, digest)
        past.check()
    now = Calendar.open(address, as_of="now", types=world.TYPES)
    assert (now.position, now.digest()) == (calendar.position, calendar.digest())
    with pytest.raises(JournalReadOnlyError):
        now.add_resource(Resource("late"))
    now.close()


def test_a_state_that_is_not_there_is_refused(opened: Open, address: str) -> None:
    """One that is yet to come, and one before the calendar was begun."""
    opened().add_resource(Resource("room"))
    begun = read_log(address).since
    assert begun is not None
    for late in (2, 1 << 70, begun + timedelta(days=9), datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(JournalPositionError, match="the last record is 1; that is yet to come"):
            Calendar.open(address, as_of=late)
    for early in (begun - MOMENT, datetime(1, 1, 1, tzinfo=UTC)):
        with pytest.raises(JournalPositionError, match=f"what is kept begins after record 0, at {re.escape(str(begun))}"):
            Calendar.open(address, as_of=early)
    assert Calendar.open(address, as_of=begun).position == 0
    with pytest.raises(QueryError, match="or it is 'now'"):
        Calendar.open(address, as_of="yesterday")  # type: ignore[call-overload]
    with pytest.raises(QueryError, match="is not sealed by a key"):
        Calendar.open(address, as_of=1, key=b"secret")
    with pytest.raises(JournalError, match=r"has the bounds '\[\)', not '\[\]'"):
        Calendar.open(address, as_of=1, bounds="[]")
    with pytest.raises(JournalError, match="that only reads, or says create=False"):
        Calendar.open(address.replace("rooms.db", "other.db").replace("calendar=", "calendar=other-"), as_of="now")


def test_every_instant_of_the_past_can_be_opened(opened: Open, address: str, world: Any) -> None:
    """The state of an instant is that after the last record up to then; what is told since then begins with its records."""
    calendar, states = lived(opened, world)
    log = read_log(address)
    times = {0: log.since} | {entry.position: entry.time for entry in log}
    assert list(times) == list(range(calendar.position + 1))
    assert sorted(filter(None, times.values())) == list(times.values())
    for time in times.values():
        assert time is not None
        last = max(each for each, its_time in times.items() if its_time == time)
        past = Calendar.open(address, as_of=time, types=world.TYPES)
        assert (past.position, past.digest()) == (last, states.get(last, past.digest()))
        assert Calendar.open(address, as_of=time + MOMENT / 2, types=world.TYPES).position == last
        first = min(each for each, its_time in times.items() if its_time == time)
        if first:
            assert Calendar.open(address, as_of=time - MOMENT, types=world.TYPES).position == first - 1
            assert [entry.position for entry in log if entry.position >= first] == [
                entry.position for entry in read_log(address, since=time)
            ]
    assert len(read_log(address, since=BEGIN - timedelta(days=999))) == len(log)


@pytest.mark.parametrize("records", [0, 1, 1000, 1 << 20])
def test_an_instant_is_found_with_a_question_for_each_doubling_of_the_records(records: int) -> None:
    """And one more, for the record that was found; whichever it is."""
    second, start = timedelta(seconds=1), 5
    for wanted in (0, records // 3, records):
        asked: list[int] = []

        def time_at(position: int, asked: list[int] = asked) -> int:
            asked.append(position)
            return (position - start) * 1_000_000

        journal: Any = SimpleNamespace(
            name="rooms", origin=Place(start, 0), head=lambda: Place(start + records, 0), time_at=time_at
        )
        instant = datetime(1970, 1, 1, tzinfo=UTC) + wanted * second
        assert past._position(journal, Moment.of(instant)) == start + wanted
        assert len(asked) <= (records + 1).bit_length() + 1


def test_times_do_not_go_back_with_the_clock(opened: Open, address: str, ticks: list[int], request: Any) -> None:
    """They stand still until the clock has come there again; the last record is there though it is yet to come."""
    calendar = opened()
    room = calendar.add_resource(Resource("room"))
    ticks[0] -= 1000
    if address.startswith("postgresql"):
        admin = request.getfixturevalue("admin")
        name = address.rpartition("calendar=")[2]
        admin.execute("UPDATE bookcore.change SET time = time + interval '1 day' WHERE calendar = %s", (name,))
    calendar.book(room, 1, 2)
    calendar.book(room, 2, 3)
    first, *later = (entry.time for entry in read_log(address))
    assert first is not None
    assert later == [first, first]
    assert Calendar.open(address, as_of=first).position == 3
    with pytest.raises(JournalPositionError, match="the last record is 3; that is yet to come"):
        Calendar.open(address, as_of=first + MOMENT)


def test_the_time_of_a_record_in_postgresql_is_that_of_the_server(
    opened: Open, address: str, ticks: list[int], request: Any
) -> None:
    """Whatever the clock of the machine says; other programs read it as an instant."""
    if not address.startswith("postgresql"):
        pytest.skip("the clock of SQLite is that of the machine")
    admin = request.getfixturevalue("admin")
    ((before,),) = admin.execute("SELECT clock_timestamp()").fetchall()
    calendar = opened()
    calendar._recorder.journal.machine_clock = lambda: 1_000_000.0
    calendar.book(calendar.add_resource(Resource("room")), 1, 2, id="stay")
    ((after,),) = admin.execute("SELECT clock_timestamp()").fetchall()
    history = calendar.history("stay")
    assert history.since is not None
    (made,) = [entry.time for entry in history]
    assert made is not None
    assert before <= history.since < made <= after
    ask = "SELECT time FROM bookcore.change WHERE calendar = %s AND position = 2"
    assert admin.execute(ask, (address.rpartition("calendar=")[2],)).fetchall() == [(made,)]


def test_a_history_is_that_of_a_directory(opened: Open, tmp_path: Any, world: Any) -> None:
    """Of each booking and each resource: the same changes, by the same records, each with its time."""
    calendar, _ = lived(opened, world)
    clock = world.Clock(0)
    with Calendar.open(tmp_path / "twin", clock=clock, types=world.TYPES) as twin:
        for _ in world.history(twin, clock, int):
            twin.barrier()
        ids = {event.id for event in twin.bookings()} | {resource.id for resource in twin.resources}
        assert len(ids) > 20
        for id in ids:
            found = calendar.history(id)
            assert found.begins == 0
            assert found.since is not None
            told = [(entry.position, type(entry.change), entry.resources, entry.booking) for entry in found]
            assert told == [(e.position, type(e.change), e.resources, e.booking) for e in twin.history(id)]
            times = [entry.time for entry in found if entry.time is not None]
            assert [found.since, *times] == sorted([found.since, *times])
            assert len(times) == len(found)


def test_a_history_goes_up_to_what_the_calendar_has(opened: Open, address: str) -> None:
    """One of the past, and one that does not follow, know no more than that."""
    one, other = opened(), opened()
    one.add_resource(Resource("room"))
    one.book("room", 1, 2, id="stay")
    other.catch_up()
    one.move("stay", start=3, end=4)
    kinds = {len(calendar.history("stay")) for calendar in (other, Calendar.open(address, as_of=2))}
    assert kinds == {1}
    assert [type(entry.change).__name__ for entry in one.history("stay")] == ["Booked", "Moved"]


def test_a_calendar_that_is_only_read_does_not_pretend_to_know_what_came_later(opened: Open, address: str) -> None:
    """It keeps no connection: "nothing is new" would be false."""
    one = opened()
    past = Calendar.open(address, as_of="now")
    one.add_resource(Resource("room"))
    for ask in past.catch_up, past.lag, past.staleness, past.fresh().__enter__:
        with pytest.raises(JournalReadOnlyError, match=r"after record 0.*open it without as_of"):
            ask()


def test_a_log_tells_what_happened_to_who_has_not_the_program(opened: Open, address: str, world: Any) -> None:
    """All of it, or what came after a position; records are read from the newest checkpoint before that on."""
    calendar, states = lived(opened, world)
    seen: list[tuple[int, int]] = []
    log = read_log(address, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (calendar.position, calendar.position)
    assert (log.begins, log[0].position, log[-1].position) == (0, 1, calendar.position)
    last = calendar.position - 1
    later = read_log(address, since=last)
    assert 0 < later.begins <= last
    assert {entry.position for entry in later} == {calendar.position}
    assert len(read_log(address, wanted=lambda entry: entry.booking == "named")) > 1
    with pytest.raises(QueryError):
        read_log(address, since="yesterday")
    assert len(states) > 20


def test_a_value_of_the_program_is_told_by_its_codec(opened: Open, address: str, world: Any) -> None:
    """What cannot be stood in for is refused by name."""
    from bookcore.persist import registry

    calendar, _ = lived(opened, world)
    names, classes = dict(registry._by_name), dict(registry._by_class)
    registry._by_name.clear()
    with pytest.raises(SnapshotTypeError, match="Boat"):
        read_log(address)
    registry._by_name.update(names)
    registry._by_class.update(classes)
    calendar.close()


def test_progress_of_a_database_is_told_in_records(opened: Open, address: str) -> None:
    """Up to the state that is asked for."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    for at in range(600):
        calendar.book("room", at, at + 1)
    seen: list[tuple[int, int]] = []
    past = Calendar.open(address, as_of=550, progress=lambda done, total: seen.append((done, total)))
    assert len(past) == 549
    assert seen == [(256, 550), (512, 550), (550, 550)] or seen == [(256, 550), (512, 550)]


def test_a_standby_that_takes_no_changes_is_read(own_postgres: PostgresServer, tmp_path: Any) -> None:
    """As it stands there, also by the command line; a program that would change it is told so."""
    standby = own_postgres.standby()
    with Calendar.open(own_postgres.dsn()) as calendar:
        calendar.add_resource(Resource("room"))
        calendar.book("room", 1, 2)
        own_postgres.execute("SET synchronous_commit = remote_apply; SELECT pg_logical_emit_message(true, 'bookcore', '')")
        for at in ("now", 2):
            there = Calendar.open(standby.dsn(), as_of=at)
            assert (there.position, there.digest()) == (2, calendar.digest())
        assert len(read_log(standby.dsn())) == 2
        assert copy_calendar(standby.dsn(), tmp_path / "copy").digest == calendar.digest()
        with pytest.raises(JournalError, match="takes no changes"):
            Calendar.open(standby.dsn())


def test_what_stood_before_a_damaged_record_can_be_read_and_copied(
    address: str, opened: Open, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The error says how, on each database; what is damaged is read by nobody who does not ask for it."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    for at in range(3):
        calendar.book("room", at, at + 1)
    if address.startswith("sqlite"):
        with closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute("UPDATE change SET record = zeroblob(40) WHERE position = 3")
    else:
        damage = "UPDATE bookcore.change SET record = 'x' WHERE position = 3 AND calendar = %s"
        request.getfixturevalue("admin").execute(damage, (address.partition("calendar=")[2],))
    with pytest.raises(JournalDamagedError, match=r"record 3 is .* gone; as_of=2 opens .* `bookcore copy --as-of 2`"):
        Calendar.open(address)
    past = Calendar.open(address, as_of=2)
    assert (past.position, len(past)) == (2, 1)
    with pytest.raises(JournalDamagedError, match="record 3"):
        copy_calendar(address, tmp_path / "saved.bks")
    assert copy_calendar(address, tmp_path / "saved.bks", as_of=2).bookings == 1
    with pytest.raises(QueryError, match="leave out as_of"):
        copy_calendar(tmp_path / "saved.bks", tmp_path / "again.bks", as_of=2)
    with pytest.raises(QueryError, match="as_of opens the state before a damaged record"):
        Calendar.open(address, salvage=True)
