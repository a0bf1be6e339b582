"""A record is the changes of one command: applied to another calendar it makes the same state."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from bookcore import BookingEvent, Calendar, ConflictError, Resource, changes
from bookcore.persist.codec.blob import MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.columns import encode_column
from bookcore.persist.errors import SnapshotTypeError
from bookcore.persist.journal import reading
from bookcore.persist.journal.errors import JournalDamagedError
from bookcore.persist.journal.reading import Record, replay
from bookcore.persist.journal.records import Encoder, Replay, rows_of, standing
from bookcore.persist.journal.short import SEVERAL, form_of, parts_of, several
from bookcore.persist.snapshot.classes import handed_in

FAMILIES = ("int", "Decimal", "str", "datetime", "zone", "tuple")


class Follower:
    """A calendar that is made from the records of another one. Set ``after`` to begin with a snapshot."""

    def __init__(self, leader: Calendar, types: list[type], start: Calendar, clock: Any = None) -> None:
        known = handed_in("here", types)
        self.leader, self.calendar = leader, start
        self.noted: list[changes.Change] = []
        self.seen: set[type] = set()
        leader.subscribe(self.noted.append)
        self.encoder = Encoder(leader._engine.state, "here", known)
        self.replay = Replay(start._engine.state, known)

    def catch_up(self) -> bytes:
        """Apply what was noted since, as one record."""
        record = self.encoder.encode(self.noted)
        self.seen |= set(map(type, self.noted))
        self.noted.clear()
        if record:
            self.calendar._gate.run(self.replay.apply, record)
        return record


@pytest.mark.parametrize("name", FAMILIES)
def test_records_of_every_kind_of_change_make_the_same_calendar(name: str, world: SimpleNamespace) -> None:
    """After every step the two calendars have one digest, and both pass their check."""
    key = world.families[name]
    clock = world.Clock(key(0))
    leader = Calendar(clock=clock)
    follower = Follower(leader, world.TYPES, Calendar())
    for step in world.history(leader, clock, key):
        follower.catch_up()
        assert follower.calendar.digest() == leader.digest(), step
        follower.calendar.check()
    kinds = {kind for kind in vars(changes).values() if isinstance(kind, type) and issubclass(kind, changes.Change)}
    unset: set[type] = {changes.HoursSet} if "datetime" not in name and name != "zone" else set()
    unset |= {changes.Held, changes.IndexDropped}  # subscribers hear nothing of them
    unset |= {changes.IndexCreated, changes.Reindexed}  # indexes are in no record
    assert follower.seen >= kinds - {changes.Change} - unset


@pytest.mark.parametrize("name", FAMILIES)
def test_records_continue_a_calendar_restored_from_a_snapshot(name: str, world: SimpleNamespace, tmp_path: Path) -> None:
    """A restored calendar numbers its bookings anew; the records refer to them by id, from any step on."""
    key = world.families[name]
    clock = world.Clock(key(0))
    total = len(list(world.history(Calendar(clock=clock), clock, key)))
    for begin in random.Random(name).sample(range(total), 6):
        clock = world.Clock(key(0))
        leader = Calendar(clock=clock)
        for step, what in enumerate(world.history(leader, clock, key)):
            if step == begin:
                leader.snapshot(tmp_path / "snapshot")
                copy = Calendar.restore(tmp_path / "snapshot", types=world.TYPES, clock=None)
                follower = Follower(leader, world.TYPES, copy)
            if step >= begin:
                follower.catch_up()
                assert follower.calendar.digest() == leader.digest(), (begin, what)
        follower.calendar.check()


@pytest.mark.parametrize("capacity", [1, 2])
def test_what_stands_is_told_though_more_is_booked_than_there_is_room_for(capacity: int) -> None:
    """The capacity was made less after the bookings."""
    calendar, again = Calendar(), Calendar()
    room = calendar.add_resource(Resource("room", 3))
    for low in (1, 2, 3):
        calendar.book(room, low, 5)
    calendar.set_capacity(room, capacity)
    known = handed_in("here", [Resource])
    replay = Replay(again._engine.state, known)
    for record in standing(calendar._engine.state, "here", known):
        again._gate.run(replay.apply, record)
    again.check()
    assert again.digest() == calendar.digest()
    assert not again.is_available("room", 4, 6)


def test_changes_of_indexes_are_in_no_record() -> None:
    """An index is a function of the program: a command that only changes indexes has nothing to record."""
    calendar = Calendar()
    follower = Follower(calendar, [], Calendar())
    room = calendar.add_resource(Resource("room"))
    assert follower.catch_up()
    calendar.create_index("capacity", key=lambda resource: resource.capacity)
    calendar.reindex(room)
    assert len(follower.noted) == 2
    assert follower.catch_up() == b""


@pytest.mark.parametrize("value", [object(), {1, object()}, lambda: None, type("Mine", (), {})(), (1, [object()])])
def test_a_value_that_no_file_can_hold_is_refused(value: Any) -> None:
    """The record is not made, and the value is named."""
    calendar = Calendar()
    follower = Follower(calendar, [], Calendar())
    calendar.book(calendar.add_resource(Resource("room")), 1, 2, fields={"guest": value})
    with pytest.raises(Unwritable):
        follower.catch_up()


def test_two_classes_of_one_name_are_refused(world: SimpleNamespace) -> None:
    """A class which has the name of one that was handed in would come back as that one."""
    calendar = Calendar()
    follower = Follower(calendar, world.TYPES, Calendar())
    calendar.add_resource(type("Flat", (Resource,), {"__qualname__": world.Flat.__qualname__})("flat"))
    with pytest.raises(SnapshotTypeError, match="two classes have the name Flat"):
        follower.catch_up()


@pytest.mark.parametrize("cls", ["Flat", "Stay"])
def test_a_class_that_is_not_handed_in_is_named(cls: str, world: SimpleNamespace) -> None:
    """No class is imported because a record names it."""
    calendar = Calendar()
    follower = Follower(calendar, [], Calendar())
    if cls == "Flat":
        calendar.add_resource(world.Flat("flat", 3))
    else:
        calendar.add_booking(world.Stay(calendar.add_resource(Resource("room")), 1, 2))
    with pytest.raises(MissingCodec, match=rf"pass types=\[{cls}\]"):
        follower.catch_up()


ROOM = (0, "room", 1, None, None, (), ":Resource", None)
FACTS = (":BookingEvent", "a", 1, 2, 1, None)
BOOKED = (2, "room", 1, False, None, None, *FACTS)
FORGED: list[Any] = [
    [],
    [1],
    [()],
    [(99, 1)],
    [(-1, 1)],
    [(True, "room")],
    [("booked", "room")],
    [ROOM[:-1]],
    [(*ROOM, 1)],
    [ROOM, ROOM],
    [(0, None, *ROOM[2:])],
    [(0, "room", 0, *ROOM[3:])],
    [(0, "room", 1, None, None, "ab", ":Resource", None)],
    [(0, "room", 1, None, None, (), "os.system", None)],
    [(0, "room", 1, None, None, (), ":BookingEvent", None)],
    [(0, "room", 1, None, None, (), ":Resource", {"_binding": 1})],
    [(1, "nobody")],
    [BOOKED],
    [ROOM, BOOKED, BOOKED],
    [ROOM, BOOKED, (1, "room")],
    [ROOM, BOOKED, (2, "room", 2, *BOOKED[3:])],
    [ROOM, (2, "room", 0, *BOOKED[3:])],
    [ROOM, (2, "room", "1", *BOOKED[3:])],
    [ROOM, (*BOOKED[:6], ":Resource", *BOOKED[7:])],
    [ROOM, (*BOOKED[:7], None, *BOOKED[8:])],
    [ROOM, (*BOOKED[:8], 2, 1, 1, None)],
    [ROOM, (*BOOKED[:8], 1, "x", 1, None)],
    [ROOM, (*BOOKED[:8], 1, 2, 0, None)],
    [ROOM, (*BOOKED[:8], 1, 2, 1, {1: 2})],
    [(3, "a", False, False, None, None)],
    [ROOM, BOOKED, (3, "a", False, True, None, None)],
    [ROOM, BOOKED, (4, "a", None)],
    [(5, "a", None)],
    [(6, "a", "room", *FACTS)],
    [(7, 1, "room", 1, 2, "closed", [])],
    [ROOM, (7, 0, "room", 1, 2, "closed", [])],
    [ROOM, (7, 1, "room", 1, 2, "closed", [(1,)])],
    [(8, 1)],
    [(9, "room", None)],
    [ROOM, (9, "room", {"format": 1})],
    [ROOM, (10, "room", 3, 2)],
    [ROOM, (10, "room", "3", 1)],
    [(11, "room", "sea")],
    [(12, "room", "sea")],
]


@pytest.mark.parametrize("rows", FORGED, ids=repr)
def test_a_forged_record_raises(rows: list[Any]) -> None:
    """Whatever a record holds, it is applied or refused; `directory` adds the name of the file."""
    calendar = Calendar()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of many classes; opening a directory makes them one
        calendar._gate.run(Replay(calendar._engine.state, handed_in("here", [])).apply, encode_column(rows))
    assert not isinstance(caught.value, AssertionError | StopIteration)
    assert isinstance(caught.value, Unreadable) or "bookcore" in type(caught.value).__module__


# -- the short form of a plain booking ---------------------------------------------------------------

NOON = datetime(2026, 3, 29, 12, 30, 15, 123_456)
LATER = timedelta(hours=1)
SHORT: dict[str, tuple[Any, Any, Any]] = {
    "ints": ("room", 3, 7), "negative": ("room", -3, 7), "64 bits": ("room", -1 << 63, (1 << 63) - 1), "number": (7, 3, 7),
    "negative id": (-(1 << 70), 3, 7), "odd id": ("a\n\0\ud800b", 3, 7), "empty id": ("", 3, 7),
    "naive": ("room", NOON, NOON + LATER), "UTC": (8, NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=UTC) + LATER),
    "first and last": ("room", datetime.min, datetime.max), "long id": ("x" * 1000, 1, 2),
}  # fmt: skip
LONG: dict[str, tuple[Any, Any, Any]] = {
    "65 bits": ("room", 0, 1 << 63), "texts": ("room", "a", "b"), "dates": ("room", date(2026, 1, 1), date(2026, 1, 2)),
    "unbounded": ("room", None, 3), "to the end": ("room", 3, None), "tuple id": (("a", 1), 3, 7), "bool id": (True, 3, 7),
    "another zone": ("room", NOON.replace(tzinfo=timezone(LATER)), NOON.replace(tzinfo=timezone(LATER)) + LATER),
    "fold": ("room", NOON, (NOON + LATER).replace(fold=1)), "floats": ("room", 1.5, 2.5), "mixed": ("room", 1, 2.5),
    "two zones": ("room", NOON.replace(tzinfo=UTC), (NOON + 2 * LATER).replace(tzinfo=timezone(LATER))),
}  # fmt: skip


@pytest.mark.parametrize("name", [*SHORT, *LONG])
def test_a_plain_booking_has_a_short_record_where_its_keys_allow_it(name: str) -> None:
    """It is applied as any other, and what comes back is of the same types."""
    where, start, end = {**SHORT, **LONG}[name]
    leader, start_of = Calendar(), Calendar()
    follower = Follower(leader, [], start_of)
    leader.add_resource(Resource(where))
    follower.catch_up()
    leader.book(where, start, end)
    record = follower.catch_up()
    assert bool(form_of(record)) is (name in SHORT)
    assert start_of.digest() == leader.digest()
    found = start_of.get(1)
    assert (found.resource.id, found.start, found.end) == (where, start, end)
    assert (type(found.start), getattr(found.start, "tzinfo", 0)) == (type(start), getattr(start, "tzinfo", 0))
    start_of.check()


def test_a_booking_that_says_more_has_a_long_record() -> None:
    """An id or a class of its own, fields, units, a hold."""
    leader, start_of = Calendar(clock=lambda: 0), Calendar()
    follower = Follower(leader, [Odd], start_of)
    leader.add_resource(Resource("room", capacity=99))
    follower.catch_up()
    for call in (
        lambda: leader.book("room", 1, 2, id="named"), lambda: leader.book("room", 1, 2, id=99),
        lambda: leader.book("room", 1, 2, guest="Ada"), lambda: leader.book("room", 5, 6, quantity=2),
        lambda: leader.hold("room", 1, 2), lambda: leader.hold("room", 1, 2, until=9),
        lambda: leader.add_booking(Odd("room", 1, 2)), lambda: leader.book("room", 1, 2, id="named again"),
        lambda: leader.add_booking(BookingEvent("room", 1, 2, id=1 << 60)),
        lambda: leader.book_all([("room", 1, 2), {"resource": "room", "start": 1, "end": 2, "guest": "Ada"}]),
    ):  # fmt: skip
        call()
        assert not form_of(follower.catch_up())
        assert start_of.digest() == leader.digest()


def test_several_plain_changes_have_one_record_of_short_ones() -> None:
    """Those of a transaction and of `book_all`, removals among them, whatever the ids of the resources and the keys."""
    leader, start_of = Calendar(clock=lambda: 0), Calendar()
    follower = Follower(leader, [], start_of)
    for where in ("room", "a\n\0\ud800b", 7):
        leader.add_resource(Resource(where, capacity=99))
    follower.catch_up()

    def booked_and_removed() -> None:
        with leader.transaction():
            for at in range(20):
                leader.book("a\n\0\ud800b", at, at + 1)
            leader.remove_booking(2)
            leader.book(7, -1 << 63, 5)

    for call, count in (
        (lambda: leader.book_all([("room", 1, 2), (7, 1, 2)]), 2), (booked_and_removed, 22),
        (lambda: leader.load([BookingEvent("room", at, at + 1) for at in range(30)]), 30),
    ):  # fmt: skip
        call()
        record = follower.catch_up()
        assert form_of(record) == SEVERAL
        assert len(parts_of(record)) == count
        assert rows_of(record) == [row for part in parts_of(record) for row in rows_of(part)]
        assert start_of.digest() == leader.digest()
        start_of.check()
    with leader.transaction():
        leader.book("room", 1, 2)
        leader.tag("room", "sea")
    assert not form_of(follower.catch_up())


class Odd(BookingEvent):
    """A booking of a program's own."""


def records_of(leader: Calendar, follower: Follower, count: int) -> list[Record]:
    """Book so many spans, with others in between; return a record of each."""
    leader.add_resource(Resource("room"))
    leader.add_resource(Resource(2, capacity=2))
    found = [follower.encoder.encode([each]) for each in follower.noted]
    follower.noted.clear()
    for at in range(count):
        leader.book("room", at, at + 1)
        if at == count // 2:
            leader.tag("room", "sea")
        if at > count - 4:  # with a capacity: booked one by one
            leader.book(2, at, at + 2)
        found += [follower.encoder.encode([each]) for each in follower.noted]
        follower.noted.clear()
    return [Record(n, n, "here", 100 * n, data) for n, data in enumerate(found, 1)]


@pytest.mark.parametrize("at_once", [300, 1 << 18])
def test_plain_bookings_are_applied_many_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of them, each as far as it goes; the result is that of applying one after the other."""
    monkeypatch.setattr(reading, "_AT_ONCE", at_once)
    loaded = loads(monkeypatch)
    leader, other = Calendar(), Calendar()
    records = records_of(leader, Follower(leader, [], Calendar()), 1500)
    other._gate.run(replay, other._engine.state, handed_in("here", []), iter(records))
    assert other.digest() == leader.digest()
    other.check()
    assert any(count > 0 for count in loaded)
    other.book("room", 9000, 9001)
    assert other.get(leader._engine.state.ledger.last + 1).start == 9000


def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which each call of `Replay.load` adds the number of its records, less those to be applied later."""
    counts: list[int] = []
    load = Replay.load

    def counted(self: Replay, records: list[bytes]) -> Sequence[int]:
        left = load(self, records)
        counts.append(len(records) - len(left) or -len(records))
        return left

    monkeypatch.setattr(Replay, "load", counted)
    return counts


KINDS: dict[str, Callable[[int], Any]] = {
    "ints": int, "naive": lambda n: NOON + n * LATER, "UTC": lambda n: NOON.replace(tzinfo=UTC) + n * LATER,
}  # fmt: skip


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("shared", [False, True], ids=["keys that hardly repeat", "keys that repeat"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_at_once_is_what_is_applied_one_by_one(
    kind: str, shared: bool, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One digest, keys of the same types and zones, and the fast path was taken."""
    key = KINDS[kind]
    bounds: Literal["[]", "[)"] = "[]" if closed else "[)"
    leader = Calendar(bounds=bounds)
    follower = Follower(leader, [], Calendar(bounds=bounds))
    rooms = [leader.add_resource(Resource(name)) for name in (1, 2, 1 << 70, -4, 5, 6)]
    rng = random.Random(kind)
    records = [encoded(follower)]
    for number in range(600):
        room, at = (rooms[number % 6], number // 6) if shared else (rooms[0], number)
        low = 3 * at if shared else 7 * at + rng.randrange(3)
        leader.book(room, key(low), key(low + rng.choice([0, 1, 2] if closed else [1, 2])))
        records.append(encoded(follower))
    runs = loads(monkeypatch)
    copy = Calendar(bounds=bounds)
    known = handed_in("here", [])
    copy._gate.run(replay, copy._engine.state, known, (Record(n, n, "here", n, data) for n, data in enumerate(records)))
    assert runs == [600]
    one_by_one = Calendar(bounds=bounds)
    for data in records:
        one_by_one._gate.run(Replay(one_by_one._engine.state, known).apply, data)
    for found in (copy, one_by_one):
        found.check()
        assert found.digest() == leader.digest()
    zones = {(type(event.start), getattr(event.end, "tzinfo", 0)) for event in copy.bookings()}
    assert zones == {(type(key(0)), getattr(key(0), "tzinfo", 0))}


def encoded(follower: Follower) -> bytes:
    """Return the record of what was noted since."""
    record = follower.encoder.encode(follower.noted)
    follower.noted.clear()
    return record


@pytest.mark.parametrize("what", ["pooled", "two forms", "a number that is an id", "an expired id", "numbers left out"])
def test_runs_that_are_not_as_usual_are_applied_all_the_same(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a capacity has a say, forms differ, or numbers are ids of other bookings."""
    leader = Calendar()
    follower = Follower(leader, [], Calendar())
    rooms = [leader.add_resource(Resource("a", 1 + (what == "pooled"))), leader.add_resource(Resource(9))]
    records = [encoded(follower)]
    if what == "numbers left out":
        leader.book(rooms[0], -5, -4, id=40)
        records.append(encoded(follower))
    for at in range(300):
        leader.book(rooms[at % 2 if what == "two forms" else 0], at, at + 1)
        records.append(encoded(follower))
    copy, runs = Calendar(), loads(monkeypatch)
    state = copy._engine.state
    if what == "an expired id":
        state.holds.remember(7, 1)
    if what == "a number that is an id":  # which no calendar gives
        copy.book(copy.add_resource(Resource("b")), 1, 2, id=30)
        state.ledger.last = 0
    given = (Record(n, n, "here", n, data) for n, data in enumerate(records))
    if what == "a number that is an id":
        with pytest.raises(JournalDamagedError, match="the id of another one"):
            copy._gate.run(replay, state, handed_in("here", []), given)
        return
    copy._gate.run(replay, state, handed_in("here", []), given)
    copy.check()
    assert runs == [300 if what in ("numbers left out", "pooled") else -300]
    assert not state.holds.expired
    assert copy.digest() == leader.digest()


def replayed(start: list[bytes], records: list[bytes], closed: bool) -> Calendar:
    """Return a calendar to which the first records were applied one by one, and then the others as a directory's."""
    calendar = Calendar(bounds="[]" if closed else "[)")
    known = handed_in("here", [])
    for data in start:
        calendar._gate.run(Replay(calendar._engine.state, known).apply, data)
    given = (Record(n, n, "here", 100 * n, data) for n, data in enumerate(records))
    calendar._gate.run(replay, calendar._engine.state, known, given)
    return calendar


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("shared", [False, True], ids=["keys that hardly repeat", "keys that repeat"])
def test_removals_among_bookings_make_what_applying_one_by_one_makes(
    shared: bool, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans are free again and booked anew; what was there before is removed as well; and all but that is done at once."""
    runs = loads(monkeypatch)
    for seed in range(8):
        rng = random.Random(f"{seed} {shared} {closed}")
        leader = Calendar(bounds="[]" if closed else "[)")
        follower = Follower(leader, [], Calendar())
        rooms = [leader.add_resource(Resource(f"room {n}")) for n in range(5)]
        old = [leader.book(room, -10 * n - 5, -10 * n) for room in rooms for n in range(1, 5)]
        start, records = [follower.encoder.encode([change]) for change in follower.noted], list[bytes]()
        follower.noted.clear()
        if seed % 2:
            leader.book(rooms[0], -1000, -999, id=70)  # a number that is left out
            start.append(encoded(follower))
        made: list[BookingEvent] = []
        while len(records) < 400:
            low = rng.randrange(40) * 10 if shared else rng.randrange(10**6)
            with suppress(ConflictError):
                length = rng.choice([0, 9, 10, 25] if closed else [1, 9, 10, 25])
                made.append(leader.book(rng.choice(rooms), low, low + length))
                records.append(encoded(follower))
            if made and rng.random() < 0.3:
                leader.remove_booking(made.pop(rng.randrange(max(0, len(made) - 9), len(made))))
                records.append(encoded(follower))
            if old and rng.random() < 0.03:
                leader.remove_booking(old.pop())
                records.append(encoded(follower))
        assert all(map(form_of, records))
        runs.clear()
        copy = replayed(start, records, closed)
        copy.check()
        assert copy.digest() == leader.digest(), seed
        assert runs[0] > 350, seed
        assert copy._engine.state.ledger.last == leader._engine.state.ledger.last


def test_a_run_that_ends_with_nothing_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that it books it removes; the next booking has the next number. What only removes is applied one by one."""
    runs = loads(monkeypatch)
    leader = Calendar()
    follower = Follower(leader, [], Calendar())
    leader.add_resource(Resource("room"))
    start, records = [encoded(follower)], list[bytes]()
    for at in range(300):
        leader.book("room", at % 9, at % 9 + 2)
        records.append(encoded(follower))
        leader.remove_booking(at + 1)
        records.append(encoded(follower))
    copy = replayed(start, records, False)
    assert (len(copy), runs) == (0, [600])
    assert copy.book("room", 1, 2).id == 301
    copy.check()


def booked(number: int, low: int, high: int) -> bytes:
    """Return the record of a plain booking of the room."""
    return struct.pack("<Qqq", 3 << 56 | number, low, high) + b"room"


def gone(id: int) -> bytes:
    """Return the record of a removal."""
    return struct.pack("<Q", 8 << 56 | id)


def run_of(*last: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the records of a room that has one booking, 1; and those of 400 more, 2 to 401, and of what follows."""
    leader = Calendar()
    follower = Follower(leader, [], Calendar())
    leader.add_resource(Resource("room"))
    return [encoded(follower), booked(1, -5, -4)], [*(booked(n, 10 * n, 10 * n + 5) for n in range(2, 402)), *last]


IMPOSSIBLE: dict[str, tuple[int, list[bytes]]] = {
    "removed twice": (1, [gone(5), gone(5)]),
    "removed before it is made": (0, [gone(402), booked(402, 5000, 5001)]),
    "never there": (0, [gone(999_999)]),
    "an old one is removed twice": (1, [gone(1), gone(1)]),
    "too long": (0, [gone(5) + b"x"]),
    "in the place of one that is removed later": (0, [booked(402, 20, 21), gone(2)]),
    "comes and goes in the place of one that stays": (0, [booked(402, 31, 32), gone(402)]),
    "comes and goes in the place of an old one": (0, [booked(402, -5, -4), gone(402)]),
    "in the place of an old one that is removed later": (0, [booked(402, -5, -4), gone(1)]),
    "two come and go in one place": (1, [booked(402, 9000, 9005), booked(403, 9001, 9002), gone(402), gone(403)]),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_a_run_with_an_impossible_removal_names_the_record(what: str) -> None:
    """Also where nothing is left of it at the end of the run."""
    place, last = IMPOSSIBLE[what]
    start, records = run_of(*last)
    with pytest.raises(JournalDamagedError, match=f"at byte {100 * (400 + place)}:"):
        replayed(start, records, False)


@pytest.mark.parametrize(
    ("last", "left"),
    [
        ([gone(1), booked(402, -5, -4)], 401),
        ([gone(1), booked(402, -5, -4), gone(402)], 400),
        ([each for n in range(402, 902) for each in (booked(n, 9000, 9005), gone(n))], 401),
    ],
)
def test_what_is_lawful_and_not_certain_is_applied_one_by_one(
    last: list[bytes], left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the place of what was there before the run, or very often in one place."""
    runs = loads(monkeypatch)
    start, records = run_of(*last)
    calendar = replayed(start, records, False)
    calendar.check()
    assert (len(calendar), runs) == (left, [-len(records)])


def test_a_run_of_removals_is_applied_one_by_one() -> None:
    """No booking is to be loaded; a hold is not removed by the record of a plain removal."""
    start, records = run_of()
    calendar = replayed([*start, *records], [gone(n) for n in range(1, 402)], False)
    assert len(calendar) == 0
    calendar = replayed(start[:1], [], False)
    calendar.hold("room", 1, 2)
    with pytest.raises(JournalDamagedError, match="was held"):
        calendar._gate.run(replay, calendar._engine.state, {}, [Record(1, 1, "here", 1, gone(1))])


@pytest.mark.parametrize("what", ["overlap", "number", "resource", "form", "keys"])
def test_a_run_that_cannot_be_applied_names_the_record(what: str) -> None:
    """The first one that does not follow from those before, wherever it is."""
    leader, other = Calendar(), Calendar()
    records = records_of(leader, Follower(leader, [], Calendar()), 600)
    bad, state = 412, other._engine.state
    data = bytearray(records[bad].data)
    assert form_of(bytes(data))
    if what == "overlap":
        data[8:16] = records[bad - 1].data[8:16]
    elif what == "number":
        data[0] ^= 0x80
        data[1] = 0
    elif what == "resource":
        data[24:] = b"nobody"
    elif what == "form":
        data[7] = 200
    else:
        data[7], data[14] = 1, 0x7F  # a datetime after all others
    records[bad] = records[bad]._replace(data=bytes(data))
    with pytest.raises(Exception, match=f"at byte {100 * (bad + 1)}:"):
        other._gate.run(replay, state, handed_in("here", []), iter(records))


def test_a_record_with_a_key_that_is_no_point_is_damaged() -> None:
    """As one with any other span that cannot be."""
    leader, other = Calendar(), Calendar()
    leader.add_resource(Resource("room"))
    other.add_resource(Resource("room"))
    follower = Follower(leader, [], Calendar())
    leader.hold("room", 1.5, 2.5)
    (row,) = rows_of(follower.encoder.encode(follower.noted))
    data = encode_column([tuple(float("nan") if value == 1.5 else value for value in row)])
    with pytest.raises(JournalDamagedError, match="nan is not a point"):
        other._gate.run(replay, other._engine.state, handed_in("here", []), [Record(1, 1, "here", 1, data)])


ZEROS = bytes(7)


@pytest.mark.parametrize("rest", [b"\1", b"\3", b"\4" + bytes(17), b"\7" + bytes(16) + b"x", b"\3" + bytes(16) + b"\xff"])
def test_short_records_that_no_encoder_made_are_unreadable(rest: bytes) -> None:
    """Too short, an unknown form, an id that is no number, a text that is none."""
    calendar = Calendar()
    with pytest.raises(Unreadable):
        calendar._gate.run(Replay(calendar._engine.state, {}).apply, ZEROS + rest)


GOOD = several([booked(1, 2, 3), gone(1)])
NOT_SEVERAL: dict[str, bytes] = {
    "more than there is room for": GOOD[:7] + b"\x09" + bytes(4), "no number of them": ZEROS + b"\x09",
    "a count beyond the end": b"\xff" * 7 + GOOD[7:], "cut off": GOOD[:-1], "too long": GOOD + b"x",
    "sizes of others": GOOD[:8] + struct.pack("<2I", 30, 6) + GOOD[16:],
    "a part of another form": several([booked(1, 2, 3), encode_column([ZEROS])]), "one within another": several([GOOD]),
    "a part of an unknown form": several([booked(1, 2, 3), ZEROS + b"\x0a" + bytes(17)]),
}


@pytest.mark.parametrize("what", NOT_SEVERAL)
def test_a_record_of_several_that_no_encoder_made_is_damaged(what: str) -> None:
    """Whether it is applied or its rows are asked for."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    with pytest.raises(Unreadable):
        rows_of(NOT_SEVERAL[what])
    with pytest.raises(JournalDamagedError, match="at byte 100"):
        calendar._gate.run(replay, calendar._engine.state, {}, [Record(1, 1, "here", 100, NOT_SEVERAL[what])])
