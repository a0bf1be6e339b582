"""A shared calendar that is only read: it follows and answers, takes no lock and no changes; also on a standby."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, ConflictError, QueryError, Resource
from bookcore.persist.journal.errors import JournalClosedError, JournalError, JournalReadOnlyError
from bookcore.testing.servers import PostgresServer

Open = Callable[..., Calendar]


def test_it_follows_and_answers_as_the_others_do(opened: Open, world: Any) -> None:
    """After every kind of change it has the same state, and its subscribers have heard of all."""
    clock = world.Clock(0)
    writer, reader = opened(clock=clock), opened(clock=clock, read_only=True)
    told: dict[Calendar, list[str]] = {writer: [], reader: []}
    for calendar, heard in told.items():
        calendar.subscribe(lambda change, heard=heard: heard.append(type(change).__name__))  # type: ignore[misc]
    for step in world.history(writer, clock, int):
        writer.barrier()
        assert reader.lag() == writer.position - reader.position
        with reader.fresh():
            assert (reader.position, reader.digest()) == (writer.position, writer.digest()), step
    assert told[reader] == told[writer]
    assert reader.history("named")[-1].position == writer.history("named")[-1].position


@pytest.fixture
def reader(opened: Open) -> Calendar:
    """Return a calendar that is only read, with a booking, a hold and a closure."""
    writer = opened(clock=lambda: 0)
    room = writer.add_resource(Resource("room"))
    writer.book(room, 1, 2, id="stay")
    writer.hold(room, 3, 4, until=5, id="hold")
    writer.close(room, 8, 9)
    return opened(read_only=True, clock=lambda: 0)


CHANGES: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("room", 5, 6),
    "add_booking": lambda c: c.add_booking(BookingEvent("room", 5, 6)),
    "book_any": lambda c: c.book_any(["room"], 5, 6),
    "book_all": lambda c: c.book_all([("room", 5, 6)]),
    "load": lambda c: c.load([BookingEvent("room", 5, 6)]),
    "hold": lambda c: c.hold("room", 5, 6, until=9),
    "confirm": lambda c: c.confirm("hold"),
    "extend": lambda c: c.extend("hold", until=9),
    "move": lambda c: c.move("stay", start=5, end=6),
    "change": lambda c: c.change("stay", note=1),
    "remove_booking": lambda c: c.remove_booking("stay"),
    "add_resource": lambda c: c.add_resource(Resource("hall")),
    "set_capacity": lambda c: c.set_capacity("room", 2),
    "tag": lambda c: c.tag("room", "sun"),
    "close": lambda c: c.close("room", 5, 6),
    "reopen": lambda c: c.reopen(c.closures()[0]),
    "checkpoint": lambda c: c.checkpoint(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_takes_no_changes(name: str, reader: Calendar, opened: Open) -> None:
    """The error says how it would; nothing is changed, here and in the database. So in a transaction, at its end."""
    before = reader.position, reader.digest()
    with pytest.raises(JournalReadOnlyError, match="only read here; open it without read_only"):
        CHANGES[name](reader)
    if name != "checkpoint":
        with pytest.raises(JournalReadOnlyError), reader.transaction():
            CHANGES[name](reader)
    assert (reader.position, reader.digest()) == before
    assert opened(clock=lambda: 0).position == before[0]


def test_trials_and_indexes_are_its_own(reader: Calendar) -> None:
    """As those of every calendar; what cannot be is refused as everywhere."""
    with reader.what_if():
        reader.move("stay", start=5, end=6)
        assert reader.is_available("room", 1, 2)
    assert not reader.is_available("room", 1, 2)
    assert reader.create_index("seats", key=lambda resource: resource.capacity).equal(1).ids() == ["room"]
    with pytest.raises((ConflictError, JournalReadOnlyError)):
        reader.book("room", 1, 2)
    reader.barrier()


def test_its_holds_run_out_by_its_clock_and_leave_no_record(opened: Open) -> None:
    """A question releases them for itself; who may write records it."""
    now = [0]
    writer, reader = opened(clock=lambda: now[0]), opened(clock=lambda: now[0], read_only=True)
    writer.hold(writer.add_resource(Resource("room")), 1, 2, until=5)
    reader.catch_up()
    assert not reader.is_available("room", 1, 2)
    now[0] = 7
    assert reader.is_available("room", 1, 2)
    reader.close()
    assert writer.lag() == 0
    with pytest.raises(JournalClosedError):
        reader.catch_up()


def test_where_there_is_nothing_it_makes_nothing_and_what_cannot_be_followed_is_refused(address: str, tmp_path: Any) -> None:
    """A calendar that is not there, a directory, dbzero, a state of the past."""
    with pytest.raises(JournalError, match="there is no"):
        Calendar.open(address, read_only=True)
    with pytest.raises(QueryError, match="as_of='now' reads its present state"):
        Calendar.open(tmp_path / "rooms", read_only=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(QueryError, match="one process at a time"):
        Calendar.open(f"dbzero:///{tmp_path}/rooms", read_only=True)
    with pytest.raises(QueryError, match="read_only follows, and as_of and salvage show one state"):
        Calendar.open(address, read_only=True, as_of="now")
    with pytest.raises(QueryError, match="read_only is True or False"):
        Calendar.open(address, read_only=1)  # type: ignore[call-overload]


def test_a_standby_is_followed(own_postgres: PostgresServer) -> None:
    """By its thread, though nobody is notified there; and after it was promoted, when others may write."""
    with Calendar.open(own_postgres.dsn()) as writer:
        writer.add_resource(Resource("room"))
        standby = own_postgres.standby()
        heard: list[Any] = []
        with Calendar.open(standby.dsn(), read_only=True) as reader:
            reader.subscribe(lambda change: heard.append(type(change).__name__))
            for at in range(5):
                writer.book("room", at, at + 1)
                reader.wait_for(writer.position)
                assert not reader.is_available("room", at, at + 1)
            assert (reader.digest(), reader.lag(), heard) == (writer.digest(), 0, ["Booked"] * 5)
            assert "LISTEN" not in (standby.folder / "log").read_text(encoding="utf-8")
            with pytest.raises(JournalReadOnlyError):
                reader.book("room", 7, 8)
            own_postgres.kill()
            standby.promote()
            with Calendar.open(standby.dsn()) as other:
                other.book("room", 7, 8)
                reader.wait_for(other.position)
                assert reader.digest() == other.digest()


def test_partitions_are_followed_on_a_standby(own_postgres: PostgresServer) -> None:
    """As a whole calendar is."""
    with Calendar.open(f"{own_postgres.dsn()}&partitions=2") as writer:
        for room in range(4):
            writer.add_resource(Resource(room))
        standby = own_postgres.standby()
        with Calendar.open(f"{standby.dsn()}&partitions=2", read_only=True) as reader:
            for room in range(4):
                writer.book(room, 1, 2)
            reader.wait_for(writer.position)
            assert (len(reader), reader.lag(), reader.find_available(1, 2).ids()) == (4, 0, [])
            with pytest.raises(JournalReadOnlyError):
                reader.book(0, 5, 6)
