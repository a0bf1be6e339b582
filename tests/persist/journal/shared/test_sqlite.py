"""The SQLite file: checkpoints, and what is refused by name."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, ConflictError, QueryError, Resource, copy_calendar
from bookcore.persist.errors import SnapshotDamagedError, SnapshotTypeError
from bookcore.persist.history import read_log
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalReplacedError,
    JournalTimeoutError,
    JournalVersionError,
)
from bookcore.persist.journal.records import Replay
from bookcore.persist.shared import recorder, seam, sqlite
from bookcore.persist.shared.checking import check
from bookcore.persist.shared.seam import after

Open = Callable[..., Calendar]


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Return the address of a file that is not there yet."""
    return f"sqlite:///{tmp_path}/rooms.db"


def booked(opened: Open, count: int = 3, **options: Any) -> Calendar:
    """Return a calendar with a room and so many bookings."""
    calendar = opened(**options)
    room = calendar.add_resource(Resource("room"))
    for at in range(count):
        calendar.book(room, at, at + 1)
    return calendar


def ask(path: Path, statement: str, *values: Any) -> list[Any]:
    """Execute a statement as another program does."""
    with closing(sqlite3.connect(path / "rooms.db")) as connection, connection:
        return connection.execute(statement, values).fetchall()


# -- checkpoints -----------------------------------------------------------------------------------------


def test_a_newcomer_begins_at_the_newest_checkpoint(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It applies only the records after it; older records stay, and as many checkpoints as asked for."""
    applied: list[int] = []
    apply = Replay.apply

    def count(replay: Replay, record: bytes) -> None:
        applied.append(1)
        apply(replay, record)

    monkeypatch.setattr(Replay, "apply", count)
    for keep in (1, 2, 3):
        calendar = opened(keep=keep)
        calendar.add_resource(Resource(f"room {keep}"))
        for at in range(4):
            calendar.book(f"room {keep}", at, at + 1)
            calendar.checkpoint()
            calendar.checkpoint()
        calendar.book(f"room {keep}", 9, 10)
        applied.clear()
        again = opened()
        assert len(applied) == 1
        assert again.digest() == calendar.digest()
        assert ask(tmp_path, "SELECT count(*) FROM checkpoint") == [(keep,)]
    assert ask(tmp_path, "SELECT count(*) FROM change") == [(1 + calendar.position,)]


def test_any_number_of_checkpoints_may_be_kept(opened: Open, tmp_path: Path) -> None:
    """Also one that the database does not count to."""
    calendar = opened(keep=10**400)
    calendar.add_resource(Resource("room"))
    for at in range(4):
        calendar.book("room", at, at + 1)
        calendar.checkpoint()
    assert ask(tmp_path, "SELECT count(*) FROM checkpoint") == [(4,)]


@pytest.mark.parametrize("follow", [False, True])
def test_records_that_outgrow_the_checkpoint_bring_a_new_one(
    follow: bool, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written by whoever has appended, and not by those who only read."""
    monkeypatch.setattr(seam, "LEAST", 2000)
    monkeypatch.setattr(recorder, "ASKING", 0)
    written: list[tuple[str, int]] = []
    came = threading.Event()
    checkpoint = sqlite.SqliteJournal.checkpoint

    def note(journal: Any, place: Any, *args: Any) -> None:
        checkpoint(journal, place, *args)
        written.append((threading.current_thread().name, place.position))
        came.set()

    monkeypatch.setattr(sqlite.SqliteJournal, "checkpoint", note)
    one, other = opened(follow=follow), opened(follow=follow)
    one.add_resource(Resource("room"))
    other.wait_for(1)
    one.load([BookingEvent("room", at, at + 1, note="x" * 20) for at in range(300)])
    assert came.wait(20)
    other.catch_up()
    assert written == [("bookcore follower" if follow else threading.current_thread().name, 2)]
    assert opened().digest() == other.digest()


def test_a_checkpoint_that_fails_does_not_fail_the_command(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and tried again after the next record."""
    monkeypatch.setattr(seam, "LEAST", 0)
    monkeypatch.setattr(recorder, "ASKING", 0)

    def fail(*_: Any) -> None:
        raise JournalError("here", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite.SqliteJournal, "checkpoint", fail)
        one = booked(opened, 1)
    told = [record.getMessage() for record in caplog.records]
    assert told == ["no checkpoint was written: journal here: the disk is full"] * 2
    one.book("room", 5, 6)
    assert ask(tmp_path, "SELECT position FROM checkpoint") == [(3,)]


def test_a_damaged_checkpoint_is_passed_over(opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The one before it and all records since are read, or all records."""
    calendar = booked(opened)
    calendar.checkpoint()
    calendar.book("room", 10, 11)
    calendar.checkpoint()
    calendar.book("room", 12, 13)
    for count in (1, 2):
        ask(tmp_path, "UPDATE checkpoint SET snapshot = ? WHERE position = ?", b"x" * 99, calendar.position - 1)
        if count == 2:
            ask(tmp_path, "UPDATE checkpoint SET snapshot = zeroblob(10)")
        caplog.clear()
        assert opened().digest() == calendar.digest()
        assert [record.levelno for record in caplog.records] == [logging.ERROR] * count


@pytest.mark.parametrize("statement", ["snapshot = 5", "mark = -1", "mark = 1 << 40", "mark = 'text'", "position = -1"])
def test_a_checkpoint_that_nobody_wrote_is_passed_over(
    statement: str, opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite reads anything out of a damaged file; what is no bytes, no mark or no position is a damaged checkpoint."""
    calendar = booked(opened)
    calendar.checkpoint()
    ask(tmp_path, f"UPDATE checkpoint SET {statement}")  # noqa: S608
    assert opened().digest() == calendar.digest()
    assert "an older one and all records since are read" in caplog.text
    found = check(f"sqlite:///{tmp_path}/rooms.db")
    assert found.digest == calendar.digest()
    assert statement == "position = -1" or [type(fault) for fault in found.faults] == [SnapshotDamagedError]


def test_a_checkpoint_of_another_place_is_passed_over(
    opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole as it is, it would be followed by the wrong records."""
    calendar = booked(opened)
    calendar.checkpoint()
    calendar.book("room", 10, 11)
    ask(tmp_path, "UPDATE checkpoint SET position = 2")
    assert opened().digest() == calendar.digest()
    assert "is of another place" in caplog.text


def test_a_checkpoint_by_itself_leaves_out_what_a_question_released(opened: Open, world: SimpleNamespace) -> None:
    """That is provisional: a calendar with another clock has the hold still. One that was asked for records it."""
    clock = world.Clock(0)
    one = booked(opened, 0, clock=clock)
    one.hold("room", 1, 2, ttl=10)
    clock.now = 50
    assert len(one) == 0
    one._recorder._checkpoint()
    assert len(one) == 0
    assert len(opened(clock=world.Clock(0))) == 1
    assert (len(one), one.position) == (0, 2)
    one.checkpoint()
    assert (len(one), one.position) == (0, 3)
    assert len(opened(clock=world.Clock(0))) == 0
    assert len(opened(clock=clock)) == 0


# -- what is refused -----------------------------------------------------------------------------------


def _text(path: Path) -> None:
    path.write_text("dear diary, " * 100)


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE letter (text)")
    connection.close()


def _named(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 99")
    connection.close()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_text, "no SQLite file"),
        (_foreign, "a database of another program"),
        (_named, "a database of another program"),
        (Path.mkdir, "is a directory"),
    ],
)
def test_what_is_no_calendar_is_refused_and_left_alone(make: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    """With the reason; not a byte of it changes."""
    path = tmp_path / "rooms.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    for create in (True, False):
        with pytest.raises(JournalError, match=reason):
            Calendar.open(f"sqlite:///{path}", create=create)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert [each.name for each in tmp_path.iterdir()] == ["rooms.db"]


ADDRESSES = {
    "sqlite://rooms.db": "sqlite:///path",
    "sqlite:///": "sqlite:///path",
    "sqlite:///:memory:": "sqlite:///path",
    "sqlite:///rooms.db?mode=ro": "nothing after it",
    "mysql://host/rooms": "no journal of the kind 'mysql'",
    "http://host/rooms": "no journal of the kind 'http'",
    "sqlite:///no/such/folder/rooms.db": "there is no directory",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_none_is_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to write; nothing is made."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JournalError, match=ADDRESSES[address]):
        Calendar.open(address)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "#1.db", "é.db", os.fsdecode(b"\xff.db")])
def test_the_path_is_taken_as_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the current directory, or from the root; only a question mark cannot be in it."""
    monkeypatch.chdir(tmp_path)
    if "?" in name:
        with pytest.raises(JournalError):
            Calendar.open(f"sqlite:///{name}")
        return
    with Calendar.open(f"sqlite:///{name}") as one, Calendar.open(f"sqlite:///{tmp_path}/{name}") as other:
        one.add_resource(Resource("room"))
        other.wait_for(1)
        assert (tmp_path / name).is_file()


@pytest.mark.parametrize(
    "arguments", [{"follow": 1}, {"follow": None}, {"timeout": 0}, {"timeout": "1"}, {"timeout": float("inf")},
                  {"timeout": float("nan")}, {"timeout": True}, {"sync": "batch"}, {"bounds": "()"}, {"keep": 0}],
    ids=repr,
)  # fmt: skip
def test_an_invalid_argument_is_refused_before_anything_is_made(arguments: dict[str, Any], tmp_path: Path) -> None:
    """As for a directory."""
    with pytest.raises(QueryError):
        Calendar.open(f"sqlite:///{tmp_path}/rooms.db", **arguments)
    assert not list(tmp_path.iterdir())


def test_create_false_makes_nothing(tmp_path: Path) -> None:
    """Neither a file nor tables."""
    address = f"sqlite:///{tmp_path}/rooms.db"
    with pytest.raises(JournalError, match="there is no such file"):
        Calendar.open(address, create=False)
    assert not list(tmp_path.iterdir())
    (tmp_path / "rooms.db").touch()
    with pytest.raises(JournalError, match="there is no calendar in it"):
        Calendar.open(address, create=False)
    Calendar.open(address).close()
    Calendar.open(address, create=False).close()


def test_a_calendar_made_while_the_file_is_looked_at_is_one(tmp_path: Path) -> None:
    """Its tables without its mark would be those of another program."""
    made: list[str] = []

    def make(statement: str) -> None:
        if len(made) == 1:  # before the second statement
            Calendar.open(f"sqlite:///{tmp_path}/rooms.db").close()
        made.append(statement)

    with Calendar.open(f"sqlite:///{tmp_path}/other.db") as calendar:
        journal: Any = calendar._recorder.journal
        with closing(sqlite3.connect(tmp_path / "rooms.db")) as connection:
            connection.set_trace_callback(make)
            assert journal._is_made(connection, True)
    assert len(made) == 3


def test_a_calendar_made_before_the_lock_is_had_is_opened(
    opened: Open, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may make the file between looking at it and locking it."""
    plain, others = sqlite._retrying, list[Calendar]()

    def patiently(connection: Any, statement: str, until: float) -> Any:
        if statement == "BEGIN IMMEDIATE" and not others:
            monkeypatch.setattr(sqlite, "_retrying", plain)
            others.append(booked(opened))
        return plain(connection, statement, until)

    monkeypatch.setattr(sqlite, "_retrying", patiently)
    one = opened()
    assert (one.position, one.digest()) == (4, others[0].digest())


def test_the_log_of_sqlite_is_overwritten_before_it_is_large(opened: Open, tmp_path: Path) -> None:
    """A commit that makes a file longer takes the disk more time than one that does not."""
    one, other = opened(sync="never"), opened(sync="never")
    room = one.add_resource(Resource("room"))
    for at in range(2 * sqlite.LOGGED):
        (one if at % 2 else other).book(room.id, at, at + 1)
    page = 24 + 4096
    assert (tmp_path / "rooms.db-wal").stat().st_size < 1.1 * sqlite.LOGGED * page
    assert one.position == 2 * sqlite.LOGGED + 1


def test_a_journal_whose_making_was_cut_off_at_once_has_nothing_to_give_back() -> None:
    """The collector may close it all the same."""
    sqlite.SqliteJournal.__new__(sqlite.SqliteJournal).__del__()


def test_a_newer_format_is_refused(opened: Open, tmp_path: Path) -> None:
    """With both numbers."""
    opened()
    for version, error in ((9, JournalVersionError), (0, JournalDamagedError)):
        ask(tmp_path, f"PRAGMA user_version = {version}")
        with pytest.raises(error) as refused:
            opened()
        if isinstance(refused.value, JournalVersionError):
            assert (refused.value.found, refused.value.known) == (9, 2)
    ask(tmp_path, "PRAGMA user_version = 2")


def test_records_of_format_1_tell_no_times(
    opened: Open, address: str, tmp_path: Path, brought_up: Callable[..., None]
) -> None:
    """Those after the upgrade do. A program of the older version that goes on is refused by SQLite."""
    booked(opened, 1).close()
    ask(tmp_path, "ALTER TABLE change DROP COLUMN time")
    ask(tmp_path, "PRAGMA user_version = 1")
    brought_up(address, 1, 2)
    with pytest.raises(sqlite3.OperationalError, match="4 columns but 3 values"):
        ask(tmp_path, "INSERT INTO change VALUES (4, 0, x'00')")


def test_a_class_that_is_not_handed_in_is_named(opened: Open, world: SimpleNamespace) -> None:
    """To a newcomer, and to a calendar that is open: it stays at the record before."""
    one, other = opened(), opened(types=[world.Flat])
    one.add_resource(Resource("room"))
    one.add_booking(world.Stay("room", 1, 2))
    one.book("room", 5, 6)
    with pytest.raises(SnapshotTypeError, match=r"record 2: .*pass types=\[Stay\]"):
        opened(types=[])
    for call in (other.catch_up, lambda: other.book("room", 8, 9)):
        with pytest.raises(SnapshotTypeError, match=r"record 2: .*pass types=\[Stay\]"):
            call()
        assert (other.position, len(other.resources)) == (0, 0)  # those of one reading are applied together
    one.book("room", 8, 9)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE change SET record = zeroblob(40) WHERE position = 3",
        "UPDATE change SET mark = mark + 1 WHERE position = 3",
        "UPDATE change SET record = 'text' WHERE position = 3",
        "DELETE FROM change WHERE position = 3",
        "UPDATE change SET record = (SELECT record FROM change WHERE position = 2) WHERE position = 3",
        "UPDATE change SET time = 'noon' WHERE position = 3",
    ],
)
def test_a_record_that_was_changed_is_noticed(statement: str, opened: Open, tmp_path: Path) -> None:
    """By a newcomer, and by who follows; who has read it goes on."""
    one, other = opened(), opened()
    one.add_resource(Resource("room"))
    other.catch_up()
    for at in range(3):
        one.book("room", at, at + 1)
    ask(tmp_path, statement)
    for call in (opened, other.catch_up, lambda: other.book("room", 8, 9)):
        with pytest.raises(JournalDamagedError, match="record 3 is damaged or gone"):
            call()
    assert (other.position, len(other)) == (1, 0)
    one.book("room", 9, 10)


def test_records_that_do_not_follow_are_noticed(opened: Open, tmp_path: Path) -> None:
    """A record with right marks that no calendar could have written here."""
    one, other = booked(opened, 1), opened()
    record = ask(tmp_path, "SELECT record FROM change WHERE position = 2")[0][0]
    place = after(one._recorder.place, record)
    ask(tmp_path, "INSERT INTO change VALUES (?, ?, ?, NULL)", *place, record)
    for call in (one.catch_up, other.catch_up, opened):
        with pytest.raises(JournalDamagedError, match=r"record 3: a record that (does not follow|cannot be applied)"):
            call()
    assert len(one) == 1
    ask(tmp_path, "DELETE FROM change WHERE position = 3")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM calendar", "UPDATE calendar SET bounds = '()'", "UPDATE calendar SET origin = 'zero'",
        "UPDATE change SET time = 'noon'", "DELETE FROM change",
    ],
)  # fmt: skip
def test_what_no_calendar_has_written_is_damage(statement: str, opened: Open, tmp_path: Path) -> None:
    """In whatever row and column, since SQLite takes any value in each; a calendar that is open reads only what is new."""
    address, one = f"sqlite:///{tmp_path}/rooms.db", booked(opened)
    ask(tmp_path, statement)
    calls: list[Callable[[], Any]] = [
        lambda: Calendar.open(address, as_of=datetime.now(UTC)), lambda: read_log(address),
        lambda: read_log(address, since=datetime(2020, 1, 1, tzinfo=UTC)),
    ]  # fmt: skip
    if "DELETE FROM change" in statement:
        calls += [one.lag, lambda: one.wait_for(9), one.catch_up, lambda: copy_calendar(address, tmp_path / "copy.bks")]
    else:
        calls += [opened, lambda: copy_calendar(address, tmp_path / "copy.bks")]
        assert one.book("room", 8, 9).owns_lock
    for call in calls:
        with pytest.raises((JournalDamagedError, JournalReplacedError)):
            call()


@pytest.mark.parametrize("way", ["older", "another", "gone", "-wal", "-shm"])
def test_a_file_that_was_replaced_is_noticed(way: str, opened: Open, tmp_path: Path) -> None:
    """A calendar that has read more, or something else, does not go on; nor with a file that nobody else can see.

    The log, ``-wal``, and its index are removed by another process that ends, where a program has read the file while a
    calendar of it was open, as by a copy: then the system gives up the locks that SQLite has.
    """
    one = booked(opened, 1)
    path = tmp_path / "rooms.db"
    if way == "older":
        one.barrier()
        shutil.copy(path, tmp_path / "old.db")
        one.book("room", 8, 9)
        os.replace(tmp_path / "old.db", path)
    elif way == "another":
        with Calendar.open(f"sqlite:///{tmp_path}/another.db") as another:
            for at in range(4):
                another.add_resource(Resource(at))
        os.replace(tmp_path / "another.db", path)
    else:
        os.unlink(f"{path}{way.removeprefix('gone')}")
    for call in (one.catch_up, lambda: one.book("room", 20, 21), one.lag, one.checkpoint):
        with pytest.raises(JournalReplacedError, match="open the calendar anew"):
            call()
    assert one.is_available("room", 20, 21)


def test_a_file_that_is_away_for_a_while_is_caught_up_with(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions go on from memory, which says how stale it is; afterwards it is fresh again."""
    one, other, passed = booked(opened), opened(follow=True), 0.0
    for module in (recorder, seam):
        monkeypatch.setattr(module, "monotonic", lambda: time.monotonic() + passed)
    there = [tmp_path / f"rooms.db{more}" for more in ("", "-wal", "-shm")]
    away = [path.rename(path.with_name(f"away-{path.name}")) for path in there]
    for calendar in (one, other):
        with pytest.raises(JournalReplacedError):
            calendar.lag()
    before = one.staleness(), other.staleness()
    passed = 5.0
    assert not other.is_available("room", 0, 1)
    assert min(one.staleness() - before[0], other.staleness() - before[1]) >= 5.0
    for path, back in zip(away, there, strict=True):
        path.rename(back)
    begun = time.monotonic() + passed
    one.book("room", 8, 9)
    other.catch_up()
    assert min(calendar._recorder.journal.complete_at for calendar in (one, other)) > begun


def test_records_that_were_taken_back_are_noticed(opened: Open, tmp_path: Path) -> None:
    """As by a standby that lacks the last ones; also when others have come in their place."""
    one, other = booked(opened, 3), opened()
    ask(tmp_path, "DELETE FROM change WHERE position > 2")
    newcomer = opened()
    for _ in range(3):
        for calendar in (one, other):
            for call in (calendar.catch_up, calendar.lag, lambda calendar=calendar: calendar.book("room", 20, 21)):
                with pytest.raises(JournalReplacedError, match="is not the one that was read before"):
                    call()
        newcomer.book("room", 50 + newcomer.position, 51 + newcomer.position)


def test_a_checkpoint_of_records_that_were_taken_back_is_not_written(opened: Open, tmp_path: Path) -> None:
    """It would stand in the file before its records come, and whoever opens it would find none after it."""
    one, digest = booked(opened, 1), ""
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup, closing(sqlite3.connect(tmp_path / "rooms.db")) as file:
        file.backup(backup)
        digest = one.digest()
        one.book("room", 8, 9)
        backup.backup(file)  # as sqlite3's own .restore does, into the file that calendars have open
    with pytest.raises(JournalReplacedError, match="open the calendar anew"):
        one.checkpoint()
    assert (opened().position, opened().digest()) == (2, digest)


def test_a_barrier_syncs_the_file_that_a_link_leads_to(opened: Open, tmp_path: Path) -> None:
    """SQLite keeps the records that are not in the file yet beside that one, and not beside the link."""
    booked(opened, 1)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.db"
    link.symlink_to(tmp_path / "rooms.db")
    with Calendar.open(f"sqlite:///{link}", sync="never", follow=False) as calendar:
        calendar.book("room", 8, 9)
        calendar.barrier()


def test_a_command_that_waits_for_the_lock_while_the_calendar_is_closed_is_told_that(opened: Open, tmp_path: Path) -> None:
    """And not what SQLite says of its connection."""
    one, answers = booked(opened, 1, timeout=30.0), list[Any]()
    other = sqlite3.connect(tmp_path / "rooms.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waits = threading.Event()

    def sleep(pause: float) -> None:
        waits.set()
        time.sleep(pause)

    def command() -> None:
        try:
            answers.append(one.book("room", 8, 9))
        except BaseException as exc:
            answers.append(exc)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bookcore.persist.shared.sqlite.sleep", sleep)
        thread = threading.Thread(target=command, daemon=True)
        thread.start()
        assert waits.wait(30.0)
        one.close()
        thread.join(30.0)
    other.close()
    (error,) = answers
    assert isinstance(error, JournalClosedError)
    assert "the calendar was closed" in str(error)


def test_a_command_whose_connection_is_closed_by_another_thread_is_told_that(opened: Open) -> None:
    """Wherever it is: SQLite does not even tell whether a transaction is open there."""
    journal: Any = booked(opened, 1)._recorder.journal
    place = journal.head()
    journal.lock(1.0, place, 1)
    journal._ended = True
    journal._writer.close()
    with pytest.raises(JournalClosedError, match="the calendar was closed"):
        journal.append(place, [b"record"])
    journal.unlock()


def test_a_file_that_is_locked_by_another_program_is_told_in_time(opened: Open, tmp_path: Path) -> None:
    """To a command and a checkpoint; questions are answered, and who opens it reads."""
    one = booked(opened, 1, timeout=0.05)
    other = sqlite3.connect(tmp_path / "rooms.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for call in (lambda: one.book("room", 8, 9), one.checkpoint):
        with pytest.raises(JournalTimeoutError, match="another process kept it locked"):
            call()
    one.catch_up()
    assert not one.is_available("room", 0, 1)
    assert not opened(timeout=0.05).is_available("room", 0, 1)
    other.execute("ROLLBACK")
    other.close()
    one.book("room", 8, 9)


def test_a_full_disk_is_told_and_nothing_changes(opened: Open, tmp_path: Path) -> None:
    """When there is room again, the next command goes on."""
    one, other = booked(opened, 1), opened()
    writer = one._recorder.journal._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    digest = one.digest()
    for call in (
        lambda: one.book("room", 8, 9, note="x" * 100_000),
        lambda: one.add_resource(Resource("y" * 50_000)),
    ):
        with pytest.raises(JournalError, match="the disk is full"):
            call()
        assert one.digest() == digest
    writer.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    one.book("room", 8, 9, note="x" * 100_000)
    other.catch_up()
    assert other.digest() == one.digest()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SQLITE_READONLY_DIRECTORY", "may not be written"),
        ("SQLITE_IOERR_WRITE", "something"),
        ("SQLITE_CORRUPT_INDEX", "bring back a backup"),
        ("SQLITE_BUSY_SNAPSHOT", "kept it locked"),
    ],
)
def test_errors_of_the_database_are_told_as_what_they_are(
    name: str, reason: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever SQLite says is a `JournalError`, and the change is undone."""
    one = booked(opened, 1)
    error = sqlite3.OperationalError("something")
    error.sqlite_errorname = name

    class Failing:
        in_transaction = True

        def execute(self, *_: Any) -> Any:
            raise error

        def close(self) -> None:
            pass

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_retrying", lambda *_: None)
        writer = one._recorder.journal._writer
        one._recorder.journal._writer = Failing()
        with pytest.raises(JournalError, match=reason) as told:
            one.book("room", 8, 9)
        one._recorder.journal._writer = writer
    for twin in (copy.copy(told.value), pickle.loads(pickle.dumps(told.value))):  # noqa: S301
        assert (type(twin), str(twin), vars(twin)) == (type(told.value), str(told.value), vars(told.value))
    assert len(one) == 1
    one.book("room", 8, 9)


def test_no_path_is_refused() -> None:
    """As for a directory."""
    with pytest.raises(JournalError, match="not a path"):
        Calendar.open("sqlite:///a\0b")
    for address in ("sqlite:///", "sqlite:///  ", "sqlite://"):
        with pytest.raises(JournalError, match=r"the address of a file is sqlite:///path"):
            Calendar.open(address)


def test_a_file_that_takes_no_wal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network disk: SQLite would be without the memory that its processes share."""
    plain = sqlite3.connect
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda address, **options: plain(f"{address}&nolock=1", **options))
        with pytest.raises(JournalError, match="cannot be shared: its journal mode stays 'delete'"):
            Calendar.open(f"sqlite:///{tmp_path}/rooms.db")
    Calendar.open(f"sqlite:///{tmp_path}/rooms.db").close()


@pytest.mark.parametrize("sync", ["always", "never"])
def test_a_barrier_waits_for_the_disk_where_commits_did_not(
    sync: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they did there is nothing to wait for."""
    synced: list[int] = []
    with Calendar.open(f"sqlite:///{tmp_path}/rooms.db", follow=False, sync=sync) as calendar:
        calendar.add_resource(Resource("room"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", synced.append)
            calendar.barrier()
    assert bool(synced) is (sync == "never")


class Watched:
    """Stands for the connection that writes: notes each use during which another thread may close it, or use it."""

    def __init__(self, connection: sqlite3.Connection, lock: Any, found: list[str]) -> None:
        self.connection, self.lock, self.found = connection, lock, found

    def __getattr__(self, name: str) -> Any:
        with ThreadPoolExecutor(1) as other:
            if other.submit(self.lock.acquire, blocking=False).result():
                other.submit(self.lock.release).result()
                self.found.append(name)
        return getattr(self.connection, name)


def test_the_connection_that_writes_is_used_by_one_thread_at_a_time(opened: Open) -> None:
    """Python would not survive that one thread closes it while another executes a statement on it."""
    one = booked(opened, 1)
    journal, found = one._recorder.journal, list[str]()
    journal._writer = Watched(journal._writer, journal._writing, found)
    one.book("room", 8, 9)
    with one.transaction():
        one.book("room", 10, 11)
    with pytest.raises(ConflictError):
        one.book("room", 8, 9)
    assert isinstance(journal._writer, Watched)
    one.close()
    assert not found
