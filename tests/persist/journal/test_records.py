"""A record is the changes of one command: applied to another calendar it makes the same state."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import Calendar, Resource, changes
from bookcore.persist.codec.blob import MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.columns import encode_column
from bookcore.persist.errors import SnapshotTypeError
from bookcore.persist.journal.records import Encoder, Replay
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
                follower = Follower(leader, world.TYPES, Calendar.restore(tmp_path / "snapshot", types=world.TYPES))
            if step >= begin:
                follower.catch_up()
                assert follower.calendar.digest() == leader.digest(), (begin, what)
        follower.calendar.check()


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
