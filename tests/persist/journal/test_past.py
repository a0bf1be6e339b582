"""States of the past, and what happened: read beside the calendar that goes on, and equal to what it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, ConflictError, QueryError, Resource, changes
from bookcore.persist.errors import SnapshotTypeError
from bookcore.persist.fs import FileSystem
from bookcore.persist.history import read_log
from bookcore.persist.journal.directory import Directory
from bookcore.persist.journal.errors import (
    JournalDamagedError,
    JournalError,
    JournalPositionError,
    JournalReadOnlyError,
)
from bookcore.persist.journal.reading import Moment, Reader, read_file, reread, time_of

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.usefixtures("ticks")
FAMILIES = ("int", "Decimal", "str", "datetime", "zone", "tuple")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_state_of_the_past_is_as_it_was(name: str, world: SimpleNamespace, tmp_path: Path) -> None:
    """By position and by time while the calendar goes on, and by position after it; nothing on the disk changes."""
    key = world.families[name]
    clock = world.Clock(key(0))
    states: dict[int, tuple[str, int]] = {}
    calendar = Calendar.open(tmp_path, types=world.TYPES, clock=clock, keep=3)
    for number, _ in enumerate(world.history(calendar, clock, key)):
        calendar.barrier()  # with what a question released
        if number in (9, 14):
            calendar.checkpoint()
        states[calendar.position] = calendar.digest(), calendar._recorder.files._time
    for is_open in (True, False):
        before = contents(tmp_path)
        for position, (digest, time) in states.items():
            for as_of in (position, time_of(time), time_of(time) + SECOND / 2) if is_open else (position,):
                past = Calendar.open(tmp_path, types=world.TYPES, as_of=as_of)
                assert (past.position, past.digest()) == (position, digest)
                past.check()
        now = Calendar.open(tmp_path, types=world.TYPES, as_of="now")
        assert (now.position, now.digest()) == (position, digest)
        assert contents(tmp_path) == before
        if is_open:
            calendar.close()


def store(folder: Path, **options: Any) -> Calendar:
    """Return an open calendar: a room at one second, bookings at two to five, and a checkpoint after the third."""
    calendar = Calendar.open(folder, **options)
    room = calendar.add_resource(Resource("room"))
    for at in range(4):
        if at == 2:
            calendar.checkpoint()
        calendar.book(room, at, at + 1, id=f"b{at}")
    return calendar


CHANGES: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("room", 50, 51),
    "add_booking": lambda c: c.add_booking(BookingEvent("room", 50, 51)),
    "remove_booking": lambda c: c.remove_booking("b0"),
    "hold": lambda c: c.hold("room", 50, 51),
    "move": lambda c: c.move("b0", start=50, end=51),
    "change": lambda c: c.change("b0", guest="Ada"),
    "load": lambda c: c.load([BookingEvent("room", at, at + 1) for at in range(100, 140)]),
    "book_all": lambda c: c.book_all([("room", 60, 61)]),
    "add_resource": lambda c: c.add_resource(Resource("new")),
    "tag": lambda c: c.tag("room", "sea"),
    "close": lambda c: c.close("room", 70, 71),
    "set_capacity": lambda c: c.set_capacity("room", 3),
    "apply": lambda c: c.apply(changes.Tagged(Resource("room"), "sea")),
    "checkpoint": lambda c: c.checkpoint(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_calendar_of_the_past_refuses_changes_by_name(name: str, tmp_path: Path) -> None:
    """It stays as it was, and answers still."""
    store(tmp_path).close()
    before = contents(tmp_path)
    with Calendar.open(tmp_path, as_of=3) as past:
        digest = past.digest()
        with pytest.raises(JournalReadOnlyError, match=r"after record 3.*without as_of"):
            CHANGES[name](past)
        assert past.digest() == digest
        past.check()
        with pytest.raises(ConflictError):
            past.book("room", 0, 1)
    assert contents(tmp_path) == before


def test_a_calendar_of_the_past_answers_what_would_have_been(tmp_path: Path) -> None:
    """A what-if is taken back, and indexes are of the program: neither is a change that lasts."""
    store(tmp_path).close()
    past = Calendar.open(tmp_path, as_of=3)
    with past.what_if():
        past.remove_booking("b0")
        past.book("room", 0, 1)
    assert [event.id for event in past.bookings()] == ["b0", "b1"]
    past.create_index("id", key=lambda resource: resource.id)
    past.reindex("room")
    assert past.index("id").equal("room").ids() == ["room"]
    past.barrier()
    past.wait_for(3)
    with pytest.raises(JournalReadOnlyError, match="after record 3"):
        past.wait_for(4)
    past.close()
    past.close()
    assert not past.is_available("room", 0, 1)


@pytest.mark.parametrize("way", [{"as_of": 3}, {"as_of": "now"}, {"salvage": True}])
def test_a_calendar_that_is_only_read_does_not_pretend_to_know_what_came_later(tmp_path: Path, way: dict[str, Any]) -> None:
    """It keeps no connection to its place: "nothing is new" would be false."""
    with store(tmp_path), Calendar.open(tmp_path, **way) as past:
        for ask in past.catch_up, past.lag, past.staleness, past.fresh().__enter__:
            with pytest.raises(JournalReadOnlyError, match=r"as_of|salvage"):
                ask()
        past.check()


def test_a_state_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    """One before the oldest snapshot, by position or time, and one that is yet to come."""
    with store(tmp_path, keep=1):
        pass
    for as_of in (0, 2, BEGIN, BEGIN + 3 * SECOND):
        with pytest.raises(JournalPositionError, match=r"begins after record 3, at 2026-07-01 00:00:04") as caught:
            Calendar.open(tmp_path, as_of=as_of)
        assert caught.value.asked == as_of
    for as_of in (6, 1 << 70, BEGIN + timedelta(days=1), datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(JournalPositionError, match=r"the last record is 5; that is yet to come"):
            Calendar.open(tmp_path, as_of=as_of)
    for as_of in (3, BEGIN + 4 * SECOND):
        assert Calendar.open(tmp_path, as_of=as_of).position == 3


def test_an_instant_is_found_though_the_clock_was_set_back(tmp_path: Path, ticks: list[int]) -> None:
    """The times of records do not go back, and the last one is there although the clock says that it is yet to come."""
    with store(tmp_path):
        pass
    ticks[0] -= 1000
    assert Calendar.open(tmp_path, as_of=BEGIN + 6 * SECOND).position == 5
    assert Calendar.open(tmp_path, as_of=BEGIN + 5 * SECOND).position == 4
    with pytest.raises(JournalPositionError, match="yet to come"):
        Calendar.open(tmp_path, as_of=BEGIN + 7 * SECOND)


@pytest.mark.parametrize("as_of", [-1, True, 2.0, "2", "yesterday", datetime(2026, 7, 1), BEGIN.date(), object()])
def test_what_is_no_moment_is_refused(as_of: Any, tmp_path: Path) -> None:
    """A naive datetime might mean any instant of a day."""
    store(tmp_path).close()
    with pytest.raises(QueryError, match="time zone"):
        Calendar.open(tmp_path, as_of=as_of)


class Silent(tzinfo):
    """A zone that knows its offset at no time."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None

    dst = utcoffset

    def tzname(self, dt: datetime | None) -> str | None:
        return None


class Broken(Silent):
    """A zone whose code raises."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        raise ZeroDivisionError


class Liar(str):
    """A text that claims to be a datetime."""

    __class__ = datetime  # type: ignore[assignment]


@pytest.mark.parametrize(
    "as_of",
    [datetime(2026, 7, 1, tzinfo=Silent()), datetime(2026, 7, 1, tzinfo=Broken()), Liar("then")],
    ids=["silent", "broken", "liar"],
)
def test_a_moment_whose_own_code_fails_is_refused(as_of: Any, tmp_path: Path) -> None:
    """By an error of ours that names it."""
    store(tmp_path).close()
    with pytest.raises(QueryError) as refused:
        Calendar.open(tmp_path, as_of=as_of)
    assert refused.value.term is as_of


def test_a_calendar_of_the_past_takes_no_clock_and_other_bounds_are_refused(tmp_path: Path) -> None:
    """Its holds stand as they stood then."""
    store(tmp_path).close()
    with pytest.raises(QueryError, match="no clock"):
        Calendar.open(tmp_path, as_of=3, clock=lambda: 0)
    with pytest.raises(JournalError, match="bounds"):
        Calendar.open(tmp_path, as_of=3, bounds="[]")


def test_nothing_is_made_where_there_is_nothing(tmp_path: Path) -> None:
    """Neither a directory nor a file."""
    with pytest.raises(JournalError, match="cannot be read"):
        Calendar.open(tmp_path / "new", as_of=0)
    with pytest.raises(JournalError, match="there is no calendar in it"):
        Calendar.open(tmp_path, as_of=0)
    assert list(tmp_path.iterdir()) == []
    store(tmp_path).close()
    for path in tmp_path.glob("snap-*"):
        path.unlink()
    with pytest.raises(JournalDamagedError, match="snapshots are gone"):
        Calendar.open(tmp_path, as_of=0)


def test_damage_is_told_and_an_older_snapshot_taken_instead(tmp_path: Path) -> None:
    """As when a calendar is opened; damage after the moment that is asked for does not matter."""
    store(tmp_path).close()
    newest, last = max(tmp_path.glob("snap-*")), max(tmp_path.glob("wal-*"))
    newest.write_bytes(b"")
    assert len(Calendar.open(tmp_path, as_of=4)) == 3
    last.write_bytes(b"")
    assert len(Calendar.open(tmp_path, as_of=3)) == 2
    with pytest.raises(JournalDamagedError):
        Calendar.open(tmp_path, as_of=4)


# -- history -----------------------------------------------------------------------------------------


def told(history: Any) -> list[tuple[int, str]]:
    return [(entry.position, type(entry.change).__name__) for entry in history]


def test_what_happened_is_told_in_order(tmp_path: Path) -> None:
    """Of a booking, of a resource, and of whatever has an id; with position and time, and where it begins."""
    with Calendar.open(tmp_path) as calendar:
        room, hall = calendar.add_resource(Resource("room")), calendar.add_resource(Resource("hall"), id=7)
        stay = calendar.book(room, 1, 2, id="stay")
        with calendar.transaction():
            calendar.tag(hall, "sea")
            moved = calendar.move("stay", resource=hall)
            calendar.change("stay", guest="Ada")
        closure = calendar.close(room, 8, 9)
        calendar.reopen(closure)
        calendar.remove_booking("stay")
        calendar.remove_resource(hall)
        booking = [(3, "Booked"), (4, "Moved"), (4, "Changed"), (7, "Released")]
        for what in (stay, moved, "stay"):
            assert told(calendar.history(what)) == booking
        ofhall = [(2, "ResourceAdded"), (4, "Tagged"), (4, "Moved"), (4, "Changed"), (7, "Released"), (8, "ResourceRemoved")]
        assert told(calendar.history(7)) == ofhall
        of_room = [(1, "ResourceAdded"), (3, "Booked"), (4, "Moved"), (5, "Closed"), (6, "Reopened")]
        assert told(calendar.history(room)) == told(calendar.history("room")) == of_room
        assert told(calendar.history("nobody")) == []
        found = calendar.history(stay)
        assert (found.begins, found.since) == (0, BEGIN + SECOND)
        assert [entry.time for entry in found] == [BEGIN + n * SECOND for n in (4, 5, 5, 8)]
        assert [entry.resources for entry in found] == [("room",), ("room", 7), (7,), (7,)]
        calendar.checkpoint()
        calendar.book("room", 1, 2, id="stay")
        past = Calendar.open(tmp_path, as_of=4)
        assert told(past.history("stay")) == booking[:3]
        assert told(calendar.history("stay")) == [*booking, (9, "Booked")]
        calendar._recorder.files._keep = 1
        calendar.checkpoint()
        calendar.remove_booking("stay")
        found = calendar.history("stay")
        assert (told(found), found.begins, found.since) == ([(10, "Released")], 9, BEGIN + 10 * SECOND)


def test_a_booking_and_a_resource_of_one_id_are_told_apart(tmp_path: Path) -> None:
    """The objects say which is meant; the id alone means both."""
    with Calendar.open(tmp_path) as calendar:
        room = calendar.add_resource(Resource("x"))
        other = calendar.add_resource(Resource("y"))
        stay = calendar.book(other, 1, 2, id="x")
        assert told(calendar.history(stay)) == [(3, "Booked")]
        assert told(calendar.history(room)) == [(1, "ResourceAdded")]
        assert told(calendar.history("x")) == [(1, "ResourceAdded"), (3, "Booked")]


def test_what_has_no_id_has_no_history(tmp_path: Path) -> None:
    """It is not taken for what happened to no booking, as the adding of a resource has."""
    with Calendar.open(tmp_path) as calendar:
        room = calendar.add_resource(Resource("room"))
        for what in (None, BookingEvent(room, 1, 2)):
            with pytest.raises(QueryError, match="a booking that was made"):
                calendar.history(what)


def test_an_id_whose_own_code_raises_has_no_entries(tmp_path: Path) -> None:
    """As any other call takes it for an id that is not there."""

    class Unequal:
        def __eq__(self, other: object) -> bool:
            raise ZeroDivisionError

        __hash__ = object.__hash__

    class Unnamed:
        @property
        def id(self) -> int:
            raise ZeroDivisionError

    with Calendar.open(tmp_path / "rooms") as calendar:
        calendar.book(calendar.add_resource(Resource("a")), 1, 2)
        for what in (Unequal(), Unnamed(), Decimal("sNaN")):
            assert not calendar.history(what)


def test_an_id_that_cannot_be_compared_with_one_id_is_compared_with_the_others(tmp_path: Path) -> None:
    """So that no entry is missing, of a booking whose own id is another."""

    class Number:
        def __eq__(self, other: object) -> bool:
            if isinstance(other, str):
                raise TypeError
            return other == 1

        __hash__ = object.__hash__

    with Calendar.open(tmp_path / "rooms") as calendar:
        calendar.book(calendar.add_resource(Resource(1)), 1, 2, id="stay")
        calendar.move("stay", resource=calendar.add_resource(Resource("other")))
        assert [entry.position for entry in calendar.history(Number())] == [1, 2, 4]


def test_a_calendar_without_a_journal_has_no_history() -> None:
    """As it has no position."""
    with pytest.raises(QueryError, match=r"Calendar.open\(directory\)"):
        Calendar().history("room")


@pytest.mark.parametrize("name", FAMILIES)
def test_the_log_needs_no_class_of_the_program(name: str, world: SimpleNamespace, tmp_path: Path) -> None:
    """What a calendar tells its subscribers is what its log says, change by change."""
    key = world.families[name]
    clock = world.Clock(key(0))
    heard: list[str] = []
    with Calendar.open(tmp_path, types=world.TYPES, clock=clock) as calendar:
        calendar.subscribe(lambda change: heard.append(type(change).__name__))
        steps = list(world.history(calendar, clock, key))
        assert len(steps) > 20
        position = calendar.position
    log = read_log(tmp_path)
    assert [type(entry.change).__name__ for entry in log] == heard
    assert {entry.position for entry in log} == set(range(1, position + 1))
    added = [entry.change for entry in log if isinstance(entry.change, changes.ResourceAdded)]
    flats = [change.resource for change in added if change.id == 7]
    assert [(type(flat).__qualname__, flat.rooms) for flat in flats] == [("Flat", 3)]
    for since in (10, time_of(Reader(Directory.of(tmp_path)).time_at(0)) + 11 * SECOND):
        assert told(read_log(tmp_path, since=since)) == told(entry for entry in log if entry.position > 10)
    named = read_log(tmp_path, since=BEGIN - SECOND, wanted=lambda entry: entry.booking == "named")
    assert told(named) == told(entry for entry in log if entry.booking == "named")


def test_the_log_begins_with_the_snapshot_before(tmp_path: Path) -> None:
    """Only what is after it is read, so that a long journal costs no more than is asked for."""
    store(tmp_path).close()
    seen: list[tuple[int, int]] = []
    log = read_log(tmp_path, since=4, progress=lambda done, total: seen.append((done, total)))
    assert told(log) == [(5, "Booked")]
    assert log.begins == 3
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    assert read_log(tmp_path, since=1).begins == 0


def test_the_log_names_a_value_that_only_the_program_can_read(world: SimpleNamespace, tmp_path: Path) -> None:
    """A class that writes itself is known to the program that registered it."""
    from bookcore.persist import registry

    with Calendar.open(tmp_path) as calendar:
        calendar.add_resource(world.Boat("boat"))
    registry._by_name.clear()
    with pytest.raises(SnapshotTypeError, match="Boat"):
        read_log(tmp_path)


# -- while another writes ----------------------------------------------------------------------------


def test_files_that_go_meanwhile_are_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint removes what is just being read; the next attempt reads what is there then."""
    calendar = store(tmp_path, keep=1)
    opened = FileSystem.open
    rounds: list[str] = []

    def open_(self: FileSystem, path: str) -> int:
        if "wal-" in path and len(rounds) < 3 and not rounds.count(path):
            rounds.append(path)
            calendar.book("room", 100 + len(rounds), 101 + len(rounds))
            calendar.checkpoint()
        return opened(self, path)

    monkeypatch.setattr(FileSystem, "open", open_)
    with pytest.raises(JournalPositionError):
        Calendar.open(tmp_path, as_of=4)
    assert Calendar.open(tmp_path, as_of=calendar.position).digest() == calendar.digest()
    assert len(rounds) == 3
    calendar.close()


def test_what_always_fails_is_told_in_the_end(tmp_path: Path) -> None:
    """After a number of attempts, or at once if nothing has come or gone."""
    store(tmp_path).close()
    tried: list[int] = []

    def fail(reader: Reader) -> None:
        tried.append(1)
        raise JournalError(reader.folder, "no")

    where = Directory.of(tmp_path)
    with pytest.raises(JournalError):
        reread(where, None, fail)
    assert len(tried) == 1

    def change(reader: Reader) -> bool:
        tried.append(1)
        (tmp_path / f"note-{len(tried)}").touch()
        return False

    assert reread(where, None, change, lambda whole: whole) is False
    assert len(tried) == 11


def test_moments_order_records() -> None:
    """A position looks at no time, and an instant at no position; the earliest instant of all has one before it."""
    assert Moment.of(3).includes(3, 10**18)
    assert not Moment.of(3).includes(4, 0)
    assert Moment.of(BEGIN).earlier().time == Moment.of(BEGIN).time - 1
    assert Moment.of(3).earlier() == Moment.of(3)
    assert time_of(1 << 64) == datetime.max.replace(tzinfo=UTC)
    assert read_file(FileSystem(), os.__file__, 3) == Path(os.__file__).read_bytes()[:3]
