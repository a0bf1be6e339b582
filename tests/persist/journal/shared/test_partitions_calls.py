"""Calls of a calendar in partitions: what goes where, what is refused, and by which words."""

from __future__ import annotations

import copy
import gc
import inspect
import pydoc
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    ConflictError,
    DuplicateBookingError,
    DuplicateResourceError,
    HoldExpiredError,
    QueryError,
    Resource,
    ResourceError,
    SnapshotError,
    TransactionError,
    UnknownBookingError,
    UnknownClosureError,
    UnknownResourceError,
    changes,
    copy_calendar,
    no,
)
from bookcore.persist.history import read_log
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalPositionError,
    JournalReadOnlyError,
    JournalReplacedError,
    JournalTimeoutError,
    PartitionNotHeldError,
    UnknownOutcomeError,
)
from bookcore.persist.journal.records import Kind
from bookcore.persist.shared import databases, recorder
from bookcore.persist.shared.partitioned import calendar as facade
from bookcore.persist.shared.partitioned import choosing, division
from bookcore.persist.shared.partitioned.calendar import PartitionedCalendar
from bookcore.persist.shared.partitioned.division import FEW, RANGE, claims_of
from bookcore.persist.shared.partitioned.joint import Joint
from bookcore.persist.shared.partitioned.merging import Ahead
from bookcore.persist.shared.partitioned.routing import partition_of
from bookcore.persist.shared.partitioned.selection import Found
from bookcore.persist.shared.pgconnection import connected
from bookcore.persist.shared.pgschema import Address
from bookcore.persist.shared.reloading import reload
from bookcore.testing.servers import PostgresServer

ROOMS = "abcdefgh"
WRITTEN_DOWN = [523, 385, 959, 114, 337, 878, 990, 966, 333, 964, 714, 70, 712, 179]


@pytest.fixture
def rooms(parted: Callable[..., Any]) -> Any:
    """Return a calendar with eight rooms in four partitions."""
    calendar = parted()
    with calendar.transaction():
        for room in ROOMS:
            calendar.add_resource(Resource(room))
    return calendar


def apart(calendar: Any) -> tuple[str, str]:
    """Return two rooms in different partitions, that with the lower number first."""
    first = min(ROOMS, key=calendar.partition_of)
    return first, max(ROOMS, key=calendar.partition_of)


# -- where a resource is -----------------------------------------------------------------------------


class Word(str, Enum):
    """A text with another class."""

    A = "a"


class Number(IntEnum):
    """A number with another class."""

    ONE = 1


EQUAL = [
    [1, 1.0, True, Decimal(1), Fraction(2, 2), Number.ONE],
    ["a", Word.A],
    [0.5, Fraction(1, 2), Decimal("0.50")],
    [(1, "a"), (1.0, Word.A)],
    [frozenset([1, 2]), frozenset([2.0, 1])],
    [datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))],
]


@pytest.mark.parametrize("ids", EQUAL, ids=str)
def test_equal_ids_are_in_one_partition(ids: list[Any]) -> None:
    """They are the id of one resource."""
    assert len({partition_of(id, 997) for id in ids}) == 1
    assert len(set(ids)) == 1


def test_the_partition_of_an_id_never_changes() -> None:
    """It is the same in each process, each Python and each version of bookcore: these were written down."""
    assert partition_of(float("inf"), 997) == partition_of(Decimal("Infinity"), 997) != partition_of("inf", 997)
    ids: list[Any] = ["", "room", "flat 7", "\udc80", b"room", 0, -1, 4711, 1 << 70, 1.5, ("a", 1), ("a", ("1",))]
    ids += [date(2026, 5, 1), None]
    assert [partition_of(id, 997) for id in ids] == WRITTEN_DOWN


def test_ids_spread_evenly() -> None:
    """None of eight partitions has 15% more or fewer than its share of 10,000 names in a row."""
    counts = [0] * 8
    for number in range(10_000):
        counts[partition_of(f"room {number}", 8)] += 1
    assert max(counts) < 1437
    assert min(counts) > 1062


# -- the calls ---------------------------------------------------------------------------------------


def test_every_call_of_a_calendar_is_there_or_refused_with_the_way_out(rooms: Any) -> None:
    """Also for `dir`; there are no calls that only pretend to be there."""
    public = {name for name in dir(Calendar) if not name.startswith("_")}
    assert public - set(dir(rooms)) == facade.REFUSED.keys()
    for name in facade.REFUSED:
        with pytest.raises(QueryError, match=f"has no {name}, because it is in partitions: "):
            getattr(rooms, name)
    with pytest.raises(AttributeError, match="nonsense"):
        rooms.nonsense  # noqa: B018


def test_calls_have_the_signatures_and_the_help_of_a_calendar() -> None:
    """But for a transaction, which takes resources."""

    def parameters(owner: type, name: str) -> list[Any]:
        signature = inspect.signature(getattr(owner, name))
        return [(each.name, each.kind, each.default) for each in signature.parameters.values()]

    names = {name for name in dir(Calendar) if not name.startswith("_") and callable(getattr(Calendar, name))}
    for name in names - facade.REFUSED.keys():
        assert f"`Calendar.{name}`" in (inspect.getdoc(getattr(PartitionedCalendar, name)) or ""), name
        if name != "transaction":
            assert parameters(PartitionedCalendar, name) == parameters(Calendar, name), name
    assert " is_available(" in pydoc.plain(pydoc.render_doc(PartitionedCalendar))


def test_every_call_about_one_resource_or_booking_goes_to_its_partition(rooms: Any) -> None:
    """With each of its arguments: it answers as that partition, and as a calendar which is not divided."""
    one = Calendar()
    for room in ROOMS:
        one.add_resource(Resource(room))

    def history(calendar: Any, room: Any) -> Iterator[Any]:
        calendar.set_capacity(room, 3)
        calendar.tag(room, "sea", "old")
        calendar.untag(room, "old")
        yield calendar.tags_of(room)
        calendar.set_hours([room], None)
        yield calendar.hours_of(room)
        calendar.close(room, 20, 22)
        yield [(closure.start, closure.end) for closure in calendar.closures_of(room)]
        calendar.book(room, 1, 4, id=f"{room}1", quantity=2, name="Ada")
        calendar.hold(room, 2, 6, id=f"{room}2", until=None)
        calendar.change(f"{room}1", quantity=1, name="Bob", remove=())
        yield dict(calendar.get(f"{room}1").fields)
        calendar.extend(f"{room}2", until=None)
        calendar.confirm(f"{room}2")
        yield [part.start for part in calendar.split(f"{room}2", 4)]
        calendar.reindex(room)
        yield calendar.is_available(room, 1, 4, 2), calendar.is_available(end=4, start=1, resource=room, quantity=3)
        yield [event.id for event in calendar.conflicts(room, 1, 3, 3)]
        yield str(calendar.explain(room, 1, 3, 3)), calendar.free_busy(room, 0, 9)
        yield list(calendar.occupancy(room, 0, 9)), list(calendar.gaps(room, 0, 30, at_least=2, quantity=3))
        yield calendar.next_available(room, 1, 2, quantity=3), calendar.nearest(room, 1, 3, quantity=3)
        calendar.remove_booking(event_or_id=f"{room}1")
        yield len(calendar)

    for room in apart(rooms):
        assert list(history(rooms, room)) == list(history(one, room))


def test_numbers_that_partitions_give_differ(rooms: Any) -> None:
    """Closures too; and numbers that others may give are refused as ids."""
    ids = [rooms.book(room, 1, 2).id for room in ROOMS]
    closures = [rooms.close(room, 5, 6).id for room in ROOMS]
    assert len(set(ids)) == len(set(closures)) == len(ROOMS)
    assert [id // RANGE - 1 for id in ids] == [rooms.partition_of(room) for room in ROOMS]
    low, high = apart(rooms)
    with pytest.raises(QueryError, match=r"numbers above 1000000000000 are given by the calendar: take a text"):
        rooms.book(low, 3, 4, id=max(ids) + 10)
    assert rooms.book(low, 3, 4, id=4711).id == 4711
    released = rooms.remove_booking(max(ids))
    assert rooms.add_booking(released).id == max(ids)
    assert rooms.move(released, resource=low, start=20, end=21).id == max(ids)
    with pytest.raises(DuplicateBookingError):
        rooms.book(high, 7, 8, id=max(ids))


def test_an_id_is_given_once_in_all_partitions(rooms: Any, parted: Callable[..., Any]) -> None:
    """Also by a process that has not heard of it, or does not hold the partition; and again when it is free."""
    low, high = apart(rooms)
    rooms.book(low, 1, 2, id="talk")
    other = parted()
    with pytest.raises(DuplicateBookingError, match="'talk' exists already: in another partition") as caught:
        other.book(high, 1, 2, id="talk")
    assert caught.value.standing == other.get("talk")
    rooms.move("talk", start=2, end=3)
    with pytest.raises(DuplicateBookingError):  # memory of the other one is behind
        other.hold(high, 1, 2, id="talk", until=None)
    one = parted(partitions=[rooms.partition_of(high)])
    with pytest.raises(DuplicateBookingError, match="in another partition") as caught:
        one.book(high, 1, 2, id="talk")
    assert caught.value.standing is None
    assert one.is_available(high, 1, 2)
    with pytest.raises(DuplicateBookingError), rooms.transaction():
        rooms.book(high, 5, 6)
        rooms.parts[-1].calendar.book(high, 8, 9, id="talk")  # past the look into memory: the database refuses it
    assert len(rooms) == 1
    rooms.remove_booking("talk")
    assert one.book(high, 1, 2, id="talk").id == "talk"
    assert other.move("talk", resource=low).resource.id == low
    rooms.catch_up()
    assert rooms.get("talk").resource.id == low
    with pytest.raises(UnknownBookingError), rooms.transaction():
        rooms.remove_booking("nobody")


def test_a_load_is_refused_an_id_of_another_partition_at_once(rooms: Any, parted: Callable[..., Any]) -> None:
    """Also in a what-if, of which the database never hears, and in a transaction, which goes on without it."""
    low, high = apart(rooms)
    rooms.book(low, 1, 2, id="talk")
    for kind in "what_if", "transaction":
        with getattr(rooms, kind)():
            with pytest.raises(DuplicateBookingError, match="'talk' exists already: in another partition"):
                rooms.load([BookingEvent(high, 1, 2), BookingEvent(high, 3, 4, id="talk")])
            assert rooms.load([BookingEvent(high, 5, 6, id=kind)]) == 1
    assert sorted(str(event.id) for event in rooms.bookings()) == ["talk", "transaction"]
    other = parted()
    rooms.remove_booking("talk")
    assert other.load([BookingEvent(high, 1, 2, id="talk")]) == 1  # memory of the other one was behind


def test_what_another_process_removed_is_made_anew_in_the_directory_too(
    rooms: Any, parted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that is behind has the resource, or the booking with an id, when the call begins."""
    low, high = apart(rooms)
    other, third = parted(), parted(partitions=[rooms.partition_of(low)])
    for calendar in other, third:
        rooms.remove_resource(low)
        assert calendar.add_resource(Resource(low), if_exists="return").id == low
        rooms.catch_up()
        rooms.check()
        assert rooms.in_order(ROOMS)[-1] == low
    with rooms.transaction(low):  # which knows: nobody else adds or removes it
        assert rooms.add_resource(Resource(low), if_exists="return") is rooms.resource(low)
    rooms.book(low, 1, 2, id="talk")
    other.catch_up()
    rooms.remove_booking("talk")
    monkeypatch.setattr(other, "catch_up", bool)  # it was removed after that
    assert other.book_any(other.find(Resource), 1, 2, id="talk", if_exists="return").id == "talk"
    monkeypatch.undo()
    with pytest.raises(DuplicateBookingError):
        other.book_any([high], 1, 2, id="talk")


def test_settings_of_a_role_or_an_address_make_no_difference(divided: str, parted: Callable[..., Any]) -> None:
    """Neither to what is written, nor to what is understood of an error, nor to the clock."""
    settings = {
        "bytea_output": "escape", "standard_conforming_strings": "off", "extra_float_digits": "-15",
        "default_transaction_isolation": "serializable",
    }  # fmt: skip
    options = "%20".join(f"-c%20{setting}%3D{value}" for setting, value in settings.items())
    odd = f"{divided}&client_encoding=LATIN1&options={options}"
    id = "\u65e5\\x41"
    calendar: Any = Calendar.open(odd, follow=False)
    low, high = apart(calendar)
    with calendar.transaction():
        for room in low, high, id:
            calendar.add_resource(Resource(room))
    assert all(abs(part.recorder.journal.skew) < 60 for part in calendar.parts)
    calendar.book(low, 1, 2, id=id, name=id)
    for other in parted(), Calendar.open(odd, follow=False, partitions=[calendar.partition_of(high)]):
        with pytest.raises(DuplicateBookingError) as caught:
            other.book(high, 1, 2, id=id)
        assert caught.value.booking == id
        other.close()
    calendar.close()
    assert databases.check(divided).faults == databases.check(odd).faults == ()


def test_many_ids_take_one_lock_and_wait_for_those_that_take_one_each(
    rooms: Any, divided: str, postgres_server: PostgresServer
) -> None:
    """A server has room for some thousand locks, whatever is booked at once; and an id is given once all the same."""
    name = str(Address.of(divided).calendar)

    def claims(first: int, count: int) -> Any:
        return claims_of([(Kind.BOOKED, "a", 0, 0, 0, 0, 0, f"id {first + number}") for number in range(count)], 0)

    def locks(connection: Any) -> int:
        ask = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        return int(connection.execute(ask).fetchone()[0])

    with closing(connected(postgres_server.dsn(), 10)) as one, closing(connected(postgres_server.dsn(), 10)) as two:
        two.execute("SET lock_timeout = '10ms'")
        for count, expected in ((1, 2), (FEW, FEW + 1), (FEW + 1, 1), (20_000, 1)):
            one.execute("BEGIN")
            one.execute(*claims(0, count).command(name))
            assert locks(one) == expected
            two.execute("BEGIN")
            two.execute(*claims(0, 3).command("another calendar"))
            if count <= FEW:
                two.execute(*claims(30_000, 3).command(name))
            with pytest.raises(psycopg.errors.LockNotAvailable):
                two.execute(*claims(0 if count <= FEW else 30_000, 1).command(name))
            two.execute("ROLLBACK")
            one.execute("ROLLBACK")
    low, high = apart(rooms)
    many = [BookingEvent(room, 10 * at, 10 * at + 1, id=f"{room}{at}") for at in range(20) for room in ROOMS]
    assert rooms.load(many) == len(many)
    with pytest.raises(DuplicateBookingError, match="in another partition"):
        ids = [low + "3", *(f"more {at}" for at in range(FEW))]
        calendar = rooms.parts[rooms.partition_of(high)].calendar  # past the look into memory: the database refuses it
        calendar.load(BookingEvent(high, 1000 + at, 1001 + at, id=id) for at, id in enumerate(ids))


def test_a_hold_that_ran_out_gives_its_id_back(parted: Callable[..., Any]) -> None:
    """No record says so yet; the call that needs the id writes one."""
    now = 0
    calendar = parted(clock=lambda: now)
    for room in ROOMS:
        calendar.add_resource(Resource(room))
    low, high = apart(calendar)
    calendar.hold(low, 1, 2, id="seat", until=5)
    now = 6
    assert calendar.is_available(low, 1, 2)
    assert calendar.book(high, 1, 2, id="seat").resource.id == high


def test_a_resource_is_registered_once(rooms: Any, parted: Callable[..., Any]) -> None:
    """By its id, and as an object; and its place in the order is the same for all."""
    with pytest.raises(DuplicateResourceError):
        rooms.add_resource(Resource("a"))
    room = rooms.resource("a")
    with pytest.raises(DuplicateResourceError):
        rooms.add_resource(room, id=next(id for id in range(99) if partition_of(id, 4) != rooms.partition_of("a")))
    assert rooms.add_resource(Resource("a"), if_exists="return") is room
    assert parted().add_resource(Resource("a"), if_exists="return").id == "a"
    with pytest.raises(QueryError):
        rooms.add_resource(Resource("z"), if_exists="maybe")
    with pytest.raises(ResourceError):
        rooms.add_resource(object())
    with pytest.raises(ResourceError):
        rooms.add_resource(Resource, id=[])
    renamed = rooms.add_resource(Resource("own"), id="zz")
    assert rooms.book(renamed, 1, 2) in rooms
    assert not rooms.is_available("zz", 1, 2)
    rooms.remove_resource("c")
    rooms.add_resource(Resource("c"))
    assert parted().resources.ids() == rooms.resources.ids() == [*"abdefgh", "zz", "c"]
    with pytest.raises(UnknownResourceError):
        rooms.remove_resource("nobody")


def test_a_resource_that_another_process_has_registered_meanwhile_is_in_the_directory_once(
    rooms: Any, parted: Callable[..., Any]
) -> None:
    """Memory is behind until the transaction has begun, which finds both registrations."""
    other = parted()
    added = rooms.add_resource(Resource("new"))
    assert other.add_resource(Resource("new"), if_exists="return").id == added.id
    assert other.resources.ids() == rooms.resources.ids() == [*ROOMS, "new"]


def test_a_hold_that_ran_out_is_told_from_an_id_that_never_was(parted: Callable[..., Any]) -> None:
    """Whatever partition it was in."""
    clock = [0]
    calendar = parted(clock=lambda: clock[0])
    for room in ROOMS:
        calendar.add_resource(Resource(room))
    low, high = apart(calendar)
    gone = [calendar.hold(room, 1, 2, id=f"in {room}", until=5) for room in (low, high)]
    clock[0] = 6
    for given in (*gone, *(hold.id for hold in gone)):
        with pytest.raises(HoldExpiredError):
            calendar.confirm(given)
    never: list[Any] = ["nobody", []]
    for given in never:
        with pytest.raises(UnknownBookingError) as caught:
            calendar.confirm(given)
        assert not isinstance(caught.value, HoldExpiredError)


def test_book_all_takes_what_a_calendar_takes(rooms: Any) -> None:
    """Events, rows that are none, and ids that stand in another partition; a mistake undoes all that was booked before."""
    low, high = apart(rooms)
    rooms.book(low, 1, 2, id="talk")
    done = rooms.book_all([BookingEvent(high, 1, 2, id="event"), 7, (low, 1, 2)], on_conflict="skip")
    assert [event.id for event in done.booked] == ["event"]
    assert [refusal.request for refusal in done.refused] == [7, (low, 1, 2)]
    for wrong in (7, {"resource": high, "start": 5, "end": 6, "id": "talk"}):
        with pytest.raises((QueryError, DuplicateBookingError)) as caught:
            rooms.book_all([(high, 3, 4), wrong])
        assert caught.value.request == wrong
    one = Calendar()
    elsewhere = one.book(one.add_resource(Resource(low)), 1, 2, id=RANGE * 9)
    for taken in (done.booked[0], elsewhere):
        with pytest.raises(DuplicateBookingError):
            rooms.add_booking(taken)
    assert len(rooms) == 2


def test_book_any_gives_the_booking_that_stands_under_its_id(rooms: Any, parted: Callable[..., Any]) -> None:
    """Wherever it is, also in a block; and a program may choose as it likes."""
    low, high = apart(rooms)
    stands = rooms.book(high, 1, 2, id="talk")
    with rooms.what_if():
        parted().book(low, 30, 31)  # is caught up with after the block
        assert rooms.book_any([low], 1, 2, id="talk", if_exists="return") == stands
        assert rooms.book_any([low, high], 5, 6).resource.id == min(low, high)  # it was registered first
    with pytest.raises(DuplicateBookingError):
        rooms.book_any([low], 1, 2, id="talk")
    assert rooms.book_any([low, high], 8, 9, strategy=lambda found: found[-1]).resource.id == max(low, high)


@pytest.mark.parametrize("kind", ["what_if", "transaction"])
def test_a_block_of_all_partitions_is_entered_once(kind: str, rooms: Any, parted: Callable[..., Any]) -> None:
    """Entered again it changes nothing: what is booked afterwards is in the database."""
    block = getattr(rooms, kind)()
    with block, pytest.raises(TransactionError, match="entered before"), block:
        pass
    with pytest.raises(TransactionError, match="entered before"), block:
        pass
    for each in apart(rooms):
        rooms.book(each, 1, 2)
    assert len(rooms) == len(parted()) == 2


def test_wrong_arguments_are_refused_by_the_names_of_the_call(rooms: Any) -> None:
    """Not by those of the functions that pass a call on."""
    with pytest.raises(TypeError, match=r"^missing a required argument: 'resource'$"):
        rooms.is_available()
    with pytest.raises(TypeError, match=r"^got an unexpected keyword argument 'name'$"):
        rooms.barrier(name="close")


def test_one_resource_may_be_given_where_several_may(rooms: Any) -> None:
    """To close it, or for its hours; one that is not there is named."""
    low, high = apart(rooms)
    (closure,) = rooms.close_all(high, 5, 6)
    rooms.set_hours(rooms.resource(high), None)
    rooms.close(low, 1, 2)
    assert rooms.closures(high) == (closure,)
    assert len(rooms.closures()) == 2
    with pytest.raises(UnknownResourceError, match="nobody"):
        rooms.close_all("nobody", 1, 2)
    with pytest.raises(UnknownResourceError, match="nobody"):
        rooms.set_hours("nobody", None)
    with pytest.raises(UnknownClosureError):
        rooms.reopen(7)
    rooms.reopen(closure)
    assert rooms.closures(high) == ()
    flat = rooms.add_resource(Resource(("flat", 7)))
    for given in (flat, flat.id):  # its id is no row of resources
        (closure,) = rooms.close_all(given, 5, 6)
        assert closure.resource is flat
        rooms.reopen(closure)


def test_a_calendar_in_partitions_tells_of_itself(divided: str) -> None:
    """It is true though it is empty, as every calendar is; bounds and the type of events are those it was made with."""

    class Talk(BookingEvent):
        pass

    with Calendar.open(divided, bounds="[]", event_type=Talk, follow=False) as calendar:
        assert (bool(calendar), len(calendar), calendar.bounds, calendar.event_type) == (True, 0, "[]", Talk)
        calendar.create_index("floor", key=lambda room: 1)
        calendar.create_booking_index("guest")
        calendar.add_resource(Resource("room"))
        event = calendar.book("room", 1, 2, guest="Ada")
        assert repr(calendar.index("floor")) == "<PartitionedIndex 'floor'>"
        assert repr(calendar.booking_index("guest")) == "<PartitionedIndex 'guest'>"
        assert list(calendar.booking_index("guest").one_of(["Ada", "Bob"])) == [event]
        assert list(calendar.booking_index("guest").one_of(["Bob"])) == []


class _Lacking:
    """A resource whose id cannot be told at first, for lack of memory."""

    has_failed = False

    @property
    def id(self) -> str:
        if self.has_failed:
            return "a"
        self.has_failed = True
        raise MemoryError


def test_a_lack_of_memory_says_nothing_about_a_resource(rooms: Any) -> None:
    """It is told as what it is, and no partition is asked that the resource may not be in."""
    with pytest.raises(MemoryError):
        rooms.is_available(_Lacking(), 1, 2)


def test_a_slot_that_is_taken_meanwhile_is_left_out(rooms: Any) -> None:
    """So is one of a resource that is gone: the next slot of each partition was found before."""
    low, high = apart(rooms)
    slots = rooms.find_slots(5, 0, 5, [low, high])
    *_, first = next(slots)
    other = high if first.id == low else low
    rooms.book(other, 0, 5)
    assert list(slots) == []
    slots = rooms.find_slots(5, 10, 15, [low, high])
    *_, first = next(slots)
    other = high if first.id == low else low
    for booking in list(rooms.bookings(other)):
        rooms.remove_booking(booking)
    rooms.remove_resource(other)
    assert list(slots) == []


def test_what_is_given_wrong_is_refused_as_by_a_calendar(rooms: Any, parted: Callable[..., Any]) -> None:
    """With the errors of the calls."""
    low, high = apart(rooms)
    refused: list[Callable[[], Any]] = [
        lambda: rooms.find("a"), lambda: rooms.find(Calendar().resources), lambda: rooms.resources & 7,
        lambda: rooms.resources.first(-1), lambda: rooms.resources[0], lambda: rooms.resources.order_by(7),
        lambda: rooms.load([7]), lambda: rooms.book_all(7), lambda: rooms.book_any("a", 1, 2),
        lambda: rooms.book_any(["a"], 1, 2, strategy="dearest"), lambda: rooms.add_booking(7), lambda: rooms.close("a"),
        lambda: rooms.book_any(list("ab"), 1, 2, strategy=lambda found: "h"), lambda: rooms.subscribe(7),
        lambda: rooms.common_gaps([low, high], 1, 9), lambda: rooms.common_gaps("ab", 1, 9), lambda: rooms.wait_for(3),
        lambda: rooms.wait_for((1, 2)), lambda: rooms.close_all(parted_selection(), 1, 2), lambda: rooms.tagged([]),
        lambda: rooms.find([parted(partitions=[0]).resources, rooms.resources]), lambda: rooms.book(low, 1, 2, id=[]),
    ]  # fmt: skip

    def parted_selection() -> Any:
        return Calendar().resources

    for call in refused:
        with pytest.raises((QueryError, TypeError)):
            call()
    nested: list[Any] = []
    nested.append(nested)
    with pytest.raises(QueryError, match="contains itself"):
        rooms.find(nested)
    assert list(rooms.common_gaps([low], 1, 9)) == [(1, 9)]
    assert rooms.close_all([], 1, 2) == ()
    rooms.set_hours([], None)
    assert rooms.load([]) == 0
    assert not rooms.book_all([]).booked


# -- transactions ------------------------------------------------------------------------------------


def test_a_transaction_of_named_resources_leaves_other_partitions_alone(rooms: Any, parted: Callable[..., Any]) -> None:
    """Other processes write these meanwhile; a call in the block that would change one of them is refused."""
    low, high = apart(rooms)
    other = parted(timeout=0.3)
    with rooms.transaction(low):
        rooms.book(low, 1, 2)
        other.book(high, 1, 2)
        with pytest.raises(JournalTimeoutError):
            other.book(low, 5, 6)
        with pytest.raises(TransactionError, match=rf"not about partition {rooms.partition_of(high)}: name its resources"):
            rooms.book(high, 3, 4)
        with pytest.raises(TransactionError, match="not about the directory"):
            rooms.add_resource(Resource("new"))
        with rooms.transaction(low):  # within each other
            rooms.book(low, 2, 3, id="talk")
    with rooms.what_if():
        other.book(low, 30, 31)  # is caught up with after the block
        with pytest.raises(DuplicateBookingError, match="in another partition"):
            rooms.book(high, 5, 6, id="talk")
    with rooms.transaction():
        rooms.add_resource(Resource("new"))
        with pytest.raises(JournalTimeoutError):
            other.book(high, 5, 6)
    assert [len(rooms), rooms.resources.ids()[-1]] == [4, "new"]


@pytest.mark.parametrize("stands", [False, True])
def test_a_commit_of_unknown_outcome_is_undone_in_all_partitions(
    rooms: Any, parted: Callable[..., Any], stands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks at the commit of three records; whether it stands, the next call finds out."""
    import psycopg

    low, high = apart(rooms)
    plain = psycopg.Connection.execute

    def execute(connection: Any, query: Any, *args: Any, **options: Any) -> Any:
        if "COMMIT" in str(query):
            if stands:
                plain(connection, query, *args, **options)
            connection.pgconn.finish()
            raise psycopg.OperationalError("the line is dead")
        return plain(connection, query, *args, **options)

    before = rooms.position
    heard: list[Any] = []
    rooms.subscribe(heard.append)
    with pytest.raises(UnknownOutcomeError), rooms.transaction(low, high):
        first = rooms.book(low, 1, 2, id="one")
        rooms.book(high, 1, 2, id="two")
        monkeypatch.setattr(psycopg.Connection, "execute", execute)
    monkeypatch.undo()
    assert (rooms.position, len(rooms), heard, first.owns_lock) == (before, 0, [], False)
    rooms.check()
    rooms.catch_up()
    assert len(rooms) == len(parted()) == (2 if stands else 0)
    assert len(heard) == len(rooms)
    rooms.book(low, 5, 6)
    for id, room in (("one", low), ("two", high)):
        assert rooms.book(room, 1, 2, id=id, if_exists="return").id == id
    assert len(rooms) == 3


def test_a_transaction_of_a_resource_that_is_not_there_names_it(rooms: Any, parted: Callable[..., Any]) -> None:
    """Memory may be behind, and then it is brought up to date; nothing is locked for a name that is misspelt."""
    for given in ("nobody", Resource("nobody"), ["a"]):
        with pytest.raises(UnknownResourceError) as caught:
            rooms.transaction("a", given)
        assert caught.value.resource == given
    other = parted()
    rooms.add_resource(Resource("new"))
    with other.transaction("new"):
        other.book("new", 1, 2)
    with rooms.transaction("new"), pytest.raises(UnknownResourceError, match="nobody"):
        rooms.transaction("nobody")


def test_a_record_that_cannot_be_written_undoes_the_transaction_in_all_partitions(rooms: Any) -> None:
    """Also in those whose blocks had not ended when that was found."""
    low, high = apart(rooms)
    for bad, good in ((low, high), (high, low)):
        with pytest.raises(SnapshotError), rooms.transaction(low, high) as block:
            rooms.book(good, 1, 2)
            rooms.book(bad, 1, 2, what=object())
        assert (block, len(rooms)) == (None, 0)
    rooms.book(high, 1, 2)
    rooms.book(low, 1, 2)


def test_a_transaction_that_is_forgotten_keeps_nobody_waiting(rooms: Any, parted: Callable[..., Any]) -> None:
    """The next call of its process undoes it, and the database is told."""
    low, high = apart(rooms)

    def forget() -> None:
        block = rooms.transaction(low, high)
        block.__enter__()
        rooms.book(low, 1, 2)
        rooms.book(high, 1, 2)

    forget()
    gc.collect()
    rooms.book(low, 3, 4)
    assert parted(timeout=1).book(high, 1, 2).start == 1
    rooms.catch_up()
    assert len(rooms) == 2


def test_a_transaction_that_is_ended_twice_is_told(rooms: Any) -> None:
    """As that of a calendar in one piece, also where an exception was on its way."""
    low, high = apart(rooms)
    block = rooms.transaction(low, high)
    block.__enter__()
    rooms.book(high, 1, 2)
    block.__exit__(ValueError, ValueError("on its way"), None)
    with pytest.raises(TransactionError, match="has ended already"):
        block.__exit__(ValueError, ValueError("on its way"), None)
    assert len(rooms) == 0
    assert rooms.book(high, 1, 2) in rooms


def test_a_transaction_waits_no_longer_for_another_thread_than_for_the_database(rooms: Any) -> None:
    """The turns that it has by then are given back."""
    low, high = apart(rooms)
    parts = {room: rooms.parts[rooms.partition_of(room)] for room in (low, high)}
    has_turn, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with parts[high].recorder.turn:
            has_turn.set()
            may_end.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_turn.wait(20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Joint, "begin", lambda joint: pytest.fail("it has not all turns"))
        patch.setattr(parts[low].recorder, "_timeout", 0.01)
        with pytest.raises(JournalTimeoutError, match="another thread of this process kept it"):
            rooms.transaction(low, high).__enter__()
        assert rooms.book(low, 1, 2) in rooms
    may_end.set()
    thread.join(20)
    with rooms.transaction(low, high):
        rooms.book(high, 1, 2)
    assert len(rooms) == 2


def test_a_joint_transaction_ends_a_connection_that_is_amidst_a_command(postgres_server: PostgresServer) -> None:
    """As after Ctrl-C. A journal that another thread has taken out by then is left once, and the connection is kept once."""
    with closing(connected(postgres_server.dsn(), 10)) as connection:
        idle: list[Any] = []
        journals = [SimpleNamespace(), SimpleNamespace()]
        joint = Joint(journals, idle)
        joint.connection = connection
        for journal in journals:
            journal.joint = joint
        connection.pgconn.send_query(b"SELECT 1")
        for journal in (journals[0], *journals):
            joint.leave(journal)
            assert (journal.joint, idle) == (None, [] if journal is journals[0] else [connection])
        assert connection.closed
        again = Joint([SimpleNamespace(connect=lambda use: f"a new {use}")], idle)
        again.begin()
        assert (again.connection, idle) == ("a new writer", [])


def test_threads_with_transactions_in_opposite_orders_all_come_to_an_end(rooms: Any) -> None:
    """Together with threads that change one partition."""
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            order = list(ROOMS[:4])[:: 1 if number % 2 else -1]
            for at in range(6):
                if number < 3:
                    with rooms.transaction(*order):
                        for room in order:
                            rooms.book(room, 100 * number + at, 100 * number + at + 1)
                else:
                    for room in order:
                        rooms.book(room, 100 * number + at, 100 * number + at + 1)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert len(rooms) == 5 * 6 * 4


# -- some partitions ---------------------------------------------------------------------------------


def test_processes_that_hold_some_partitions_answer_together_as_one_that_holds_all(
    rooms: Any, parted: Callable[..., Any]
) -> None:
    """Counts add up, lists are put into the order of registration, which each of them knows of all resources."""
    low, high = apart(rooms)
    rooms.book(low, 1, 2, id="low")
    rooms.book(high, 1, 2, id="high")
    some, rest = parted(partitions=[0, 3]), parted(partitions=(2, 1, 1))
    assert (some.held, rest.held, rooms.held) == ((0, 3), (1, 2), (0, 1, 2, 3))
    found = [each.find_available(1, 2) for each in (some, rest)]
    assert sum(map(len, found)) == len(rooms.find_available(1, 2)) == 6
    assert some.in_order([*found[1].ids(), *found[0].ids()]) == rooms.find_available(1, 2).ids()
    assert some.position[1] is None
    some.wait_for(rooms.position)
    rooms.wait_for(some.position)
    mine = next(room for room in ROOMS if some.partition_of(room) in (0, 3))
    others = next(room for room in ROOMS if some.partition_of(room) in (1, 2))
    some.book(mine, 7, 8)
    with pytest.raises(PartitionNotHeldError, match=rf"'{others}' is in partition \d, and this .* holds 0, 3") as caught:
        some.book(others, 7, 8)
    assert caught.value.partitions == (rooms.partition_of(others),)
    for call in (some.get, some.remove_booking, some.confirm):
        with pytest.raises(PartitionNotHeldError, match=r"it may be in one of the partitions 1, 2.*partitions=\[1, 2\]"):
            call("nobody")
    calls: list[Callable[[], Any]] = [
        lambda: some.add_resource(Resource(next(str(n) for n in range(99) if partition_of(str(n), 4) == 1))),
        lambda: some.transaction(others), lambda: some.book_all([(others, 1, 2)]), lambda: some.close_all([others], 1, 2),
        lambda: some.move(next(some.bookings(mine)), resource=others), lambda: some.load([BookingEvent(others, 1, 2)]),
        lambda: some.resource(others), lambda: some.bookings(others), lambda: some.history(others),
    ]  # fmt: skip
    for refused in calls:
        with pytest.raises(PartitionNotHeldError):
            refused()
    event = rooms.book(others, 20, 21)
    with pytest.raises(PartitionNotHeldError) as caught:  # an event tells in which one it is
        some.remove_booking(event)
    assert caught.value.partitions == (rooms.partition_of(others),)
    assert "of which it holds 0, 3" in repr(some)


def test_a_calendar_that_holds_some_partitions_says_what_it_cannot_know(rooms: Any, parted: Callable[..., Any]) -> None:
    """Of a booking by its id: whether it is in another partition, after it was released in this one, or has run out."""
    low, high = apart(rooms)
    now = 100
    rooms.close()
    rooms = parted(clock=lambda: now)
    some = parted(partitions=[rooms.partition_of(low)], clock=lambda: now)
    rooms.hold(low, 1, 2, ttl=5, id="held")
    now += 10
    rooms.hold(high, 1, 2, ttl=5, id="held")
    rooms.book(high, 3, 4, id="far")
    some.catch_up()
    for call in (some.get, some.confirm, some.remove_booking, some.change, some.history):
        for id in "far", "held" if call != some.history else "nobody":
            with pytest.raises(PartitionNotHeldError):
                call(id)
    assert rooms.confirm("held").resource.id == high
    for id in "one", "two", "three", "four":  # wherever a resource of this id would be
        rooms.book(low, 3, 4, id=id)
        rooms.remove_booking(id)
        some.catch_up()
        assert [type(entry.change) for entry in some.history(id)] == [changes.Booked, changes.Released]


# -- opening -----------------------------------------------------------------------------------------


def test_the_database_knows_how_many_partitions_there_are(
    rooms: Any, divided: str, postgres_address: str, tmp_path: Path
) -> None:
    """Another number is refused, none as well, and so is one partition to write."""
    name = divided.partition("calendar=")[2].partition("&")[0]
    with pytest.raises(JournalError, match=rf"its calendar '{name}' is divided into 4 partitions, not 8; `bookcore copy`"):
        Calendar.open(divided.replace("partitions=4", "partitions=8"))
    with pytest.raises(JournalError, match=rf"say calendar={name}&partitions=4 in the address, and &partition=0, \.\.\."):
        read_log(divided.replace("&partitions=4", ""))
    with pytest.raises(JournalError, match=r"name one by &partition=0, \.\.\."):
        read_log(divided)
    assert read_log(f"{divided}&partition=0")[-1].position == rooms.position[0]
    with pytest.raises(JournalError, match=rf"say calendar={name}&partitions=4 in the address"):
        Calendar.open(divided.replace("&partitions=4", ""))
    with pytest.raises(JournalError, match="say calendar"):
        Calendar.open(divided.replace("&partitions=4", "/2"))
    with pytest.raises(QueryError, match=r"one partition is part of a whole: leave partition=\.\.\. out"):
        Calendar.open(f"{divided}&partition=2")
    assert Calendar.open(f"{divided}&partition=2", as_of="now").position == rooms.position[2]
    with pytest.raises(JournalError, match="there is no partition 4: they are 0 to 3"):
        Calendar.open(f"{divided}&partition=4", as_of="now")
    joint = "&" if "?" in postgres_address else "?"
    for asked in ("partitions=1", "partitions=x", "partitions=1001"):
        with pytest.raises(JournalError, match="it is a number from 2 to 1000"):
            Calendar.open(f"{postgres_address}{joint}calendar=other-{name}&{asked}")
    with pytest.raises(JournalError, match="of how many"):
        Calendar.open(f"{postgres_address}{joint}calendar=other-{name}&partition=1", as_of="now")
    with pytest.raises(JournalError, match=r"there is no calendar .* in partitions in it, and create is false"):
        Calendar.open(f"{postgres_address}{joint}calendar=other-{name}&partitions=2", create=False)
    with Calendar.open(f"{postgres_address}{joint}calendar=whole-{name}"):
        pass
    for call in (lambda at: copy_calendar(at, tmp_path / "c"), lambda at: Calendar.open(at, create=False), databases.check):
        with pytest.raises(JournalError, match=r"its calendar 'whole-.*' is not divided: leave partitions out of"):
            call(f"{postgres_address}{joint}calendar=whole-{name}&partitions=2")
    with pytest.raises(JournalError, match=r"holds a calendar 'whole-.*' already, which is not divided; `bookcore copy`"):
        Calendar.open(f"{postgres_address}{joint}calendar=whole-{name}&partitions=2")


@pytest.mark.parametrize(("asked", "told"), [
    ("calendar=a&calendar=b", "calendar=a and calendar=b: say it once"),
    ("calendar=a&partitions=2&partitions=3", "partitions=2 and partitions=3: say it once"),
    ("tables=no&calendar=a&tables=no", "tables=no and tables=no: say it once"),
    ("calendar=a#x", "write %23 for #"),
    ("calendar=", "calendar= names none: give a name, or leave it out"),
    ("calendar=&partitions=2", "calendar= names none: give a name, or leave it out"),
])  # fmt: skip
def test_an_address_that_says_two_things_or_nothing_is_refused(postgres_address: str, asked: str, told: str) -> None:
    """Nothing of it is left out in silence."""
    with pytest.raises(JournalError, match=re.escape(told)):
        Calendar.open(f"{postgres_address}{'&' if '?' in postgres_address else '?'}{asked}")


def test_a_division_that_another_process_notes_meanwhile_is_taken(
    rooms: Any, divided: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not there when this one looked first."""
    looks: list[Any] = []
    plain = division._division

    def late(*args: Any) -> Any:
        looks.append(args)
        return plain(*args) if len(looks) > 1 else None

    monkeypatch.setattr(division, "_division", late)
    with Calendar.open(divided, follow=False) as calendar:
        assert calendar.resources.ids() == rooms.resources.ids()


def test_an_option_may_be_written_in_percent_signs(rooms: Any, divided: str) -> None:
    """The directory is not taken for a calendar in one piece then."""
    with Calendar.open(divided.replace("partitions", "partition%73"), follow=False) as calendar:
        assert calendar.position == rooms.position


def test_no_calendar_is_made_under_the_name_of_a_partition(divided: str, admin: Any) -> None:
    """It would be in the way of a calendar in partitions; one that is there already is opened."""
    name = str(Address.of(divided).calendar)
    for place in (f"{name}/0", f"{name}/12&partitions=2"):
        with pytest.raises(JournalError, match=r"a name does not end in /\d+: that is a partition of 'divided-[^/]*'"):
            Calendar.open(divided.replace(f"{name}&partitions=4", place))
    assert admin.execute("SELECT name FROM bookcore.calendar WHERE starts_with(name, %s)", (name,)).fetchall() == []
    for place in (f"{name}/x", f"{name}-0"):
        Calendar.open(divided.replace(f"{name}&partitions=4", place)).close()


def test_partitions_are_for_postgresql(tmp_path: Any, divided: str, postgres_address: str) -> None:
    """And the numbers of those to hold are checked."""
    with pytest.raises(JournalError, match="partitions are for PostgreSQL: a file has one writer at a time"):
        Calendar.open(f"sqlite:///{tmp_path}/rooms.db?partitions=8")
    for place in (tmp_path / "rooms", f"sqlite:///{tmp_path}/rooms.db", postgres_address):
        with pytest.raises(QueryError, match="partitions are of a calendar"):
            Calendar.open(place, partitions=[1])
    for numbers in ([], [4], "12", 3, [None], [-1]):
        with pytest.raises(QueryError, match="partitions are the numbers of those to hold, of 0 to 3"):
            Calendar.open(divided, partitions=numbers)  # type: ignore[arg-type]
    from bookcore import MemoryStore

    with pytest.raises(QueryError, match="each partition makes a store of its own"):
        Calendar.open(divided, store=MemoryStore())
    for as_of in (None, "now"):
        with pytest.raises(QueryError, match="is in partitions, which has no progress; that is for a directory"):
            Calendar.open(divided, as_of=as_of, progress=print)
    with pytest.raises(QueryError, match="is a database, which has no progress; that is for a directory"):
        Calendar.open(postgres_address, progress=print)


def test_the_past_and_the_present_are_read_without_a_connection_that_stays(rooms: Any, divided: str) -> None:
    """As of now, or of a position, which is a tuple; it takes no changes but those that a what-if takes back."""
    low, high = apart(rooms)
    before = rooms.position
    with rooms.transaction(low, high):
        stays = rooms.book(low, 1, 2), rooms.book(high, 1, 2)
    now, then = Calendar.open(divided, as_of="now"), Calendar.open(divided, as_of=before)
    assert (len(now), len(then), now.position, then.position) == (2, 0, rooms.position, before)
    assert now.digest() == rooms.digest()
    assert now.resources.ids() == then.resources.ids() == list(ROOMS)
    with pytest.raises(JournalReadOnlyError):
        now.book(low, 5, 6)
    with pytest.raises(JournalReadOnlyError):
        now.catch_up()
    now.wait_for(rooms.position, 0)
    with pytest.raises(JournalReadOnlyError):
        then.wait_for(rooms.position, 0)
    with pytest.raises(QueryError, match=r"as_of is 'now' here, or a position: a tuple of 4 numbers"):
        Calendar.open(divided, as_of=3)
    with pytest.raises(JournalReadOnlyError), now.transaction():
        now.move(stays[0].id, resource=high, start=5, end=6)
    with now.what_if():
        assert now.move(stays[0].id, resource=high, start=5, end=6).resource.id == high
        now.add_resource(Resource("new"))
    assert (len(now), now.get(stays[0].id).resource.id, "new" in now.resources.ids()) == (2, low, False)
    with pytest.raises(JournalReadOnlyError):
        now.add_resource(Resource("new"))
    for what in (stays[0], stays[1].id, low):
        assert type(list(rooms.history(what))[-1].change) is changes.Booked
    rooms.remove_booking(stays[1])
    assert len(list(rooms.history(stays[1].id))) == 2
    now.close()


def test_a_calendar_that_is_only_read_follows_and_changes_nothing(rooms: Any, divided: str) -> None:
    """Neither in a call nor in a transaction of several partitions; the database has no lock of it after that."""
    low, high = apart(rooms)
    with Calendar.open(divided, read_only=True, follow=False) as reader:
        rooms.book(low, 1, 2)
        with reader.fresh():
            assert (len(reader), reader.position) == (1, rooms.position)
        with pytest.raises(JournalReadOnlyError):
            reader.book(high, 1, 2)
        with pytest.raises(JournalReadOnlyError), reader.transaction():
            reader.book(high, 1, 2)
            reader.book(low, 5, 6)
        rooms.book(high, 1, 2)
        assert len(reader) == 1


# -- news --------------------------------------------------------------------------------------------


def test_a_follower_brings_the_changes_of_all_partitions_once_each(rooms: Any, parted: Callable[..., Any]) -> None:
    """By one thread and one connection that listens."""
    before = threading.active_count()
    other = parted(follow=True)
    assert threading.active_count() == before + 1
    heard: list[Any] = []
    came = threading.Semaphore(0)

    def hear(change: Any) -> None:
        heard.append(change)
        came.release()

    end = other.subscribe(hear)
    for room in ROOMS:
        rooms.book(room, 1, 2)
    for _ in ROOMS:
        assert came.acquire(timeout=20)
    other.wait_for(rooms.position)
    assert sorted(change.event.resource.id for change in heard) == list(ROOMS)
    end()
    rooms.book("a", 5, 6)
    other.wait_for(rooms.position, timeout=20)
    assert len(heard) == len(ROOMS)
    other.close()
    other.close()
    with pytest.raises(JournalClosedError):
        other.book("a", 7, 8)
    with pytest.raises(JournalClosedError):
        other.catch_up()


def test_an_index_is_told_to_a_subscriber_once(rooms: Any) -> None:
    """It is one index, and not one for each partition; what follows is told of each."""
    low, high = apart(rooms)
    heard: list[Any] = []
    end = rooms.subscribe(heard.append)
    rooms.create_index("floor", key=lambda room: 1)
    rooms.create_booking_index("guest")
    assert [(type(change), change.name) for change in heard] == [
        (changes.IndexCreated, "floor"), (changes.IndexCreated, "guest"),
    ]  # fmt: skip
    for room in (low, high):
        rooms.book(room, 1, 2)
    assert [type(change) for change in heard[2:]] == [changes.Booked, changes.Booked]
    end()
    rooms.book(high, 5, 6)
    assert len(heard) == 4


def test_an_index_that_fails_in_one_partition_is_in_none(rooms: Any, divided: str) -> None:
    """Its name is free as before, and nobody is told of it: of resources and of bookings, also where they are only read."""
    low, high = apart(rooms)
    rooms.book(high, 1, 2, id="last")
    for options in ({}, {"read_only": True, "follow": False}, {"as_of": "now"}):
        with Calendar.open(divided, **options) as calendar:
            heard: list[Any] = []
            calendar.subscribe(heard.append)
            for create in (calendar.create_index, calendar.create_booking_index):
                with pytest.raises(QueryError, match="ZeroDivisionError"):
                    create("floor", key=lambda item: 1 // (item.id not in (high, "last")))
                assert not heard
                assert create("floor", key=lambda item: 1).name == "floor"
                assert type(heard.pop()) is changes.IndexCreated
            assert len(calendar.index("floor").equal(1)) == len(ROOMS)
            assert [event.id for event in calendar.booking_index("floor").equal(1)] == ["last"]
    with rooms.transaction(low):
        rooms.create_index("within", key=lambda room: 1)
        rooms.book(low, 1, 2)
    assert len(rooms.index("within").equal(1)) == len(ROOMS)


def test_lag_and_fresh_are_about_all_partitions(rooms: Any, parted: Callable[..., Any]) -> None:
    """A position that is yet to come is waited for no longer than was asked."""
    other = parted()
    with rooms.transaction():
        for room in ROOMS:
            rooms.book(room, 1, 2)
    assert other.lag() == len({rooms.partition_of(room) for room in ROOMS}) > 1
    with other.fresh():
        assert (other.lag(), len(other), other.digest()) == (0, 8, rooms.digest())
    with pytest.raises(JournalTimeoutError):
        other.wait_for(tuple(number + 1 for number in other.position), timeout=0.01)
    rooms.barrier()
    rooms.checkpoint()
    rooms.rebuild()
    assert parted().digest() == rooms.digest()


def test_staleness_is_that_of_the_stalest_partition(
    rooms: Any, parted: Callable[..., Any], divided: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command keeps its own partition fresh; a follower, and what catches up, all of them."""
    now = monotonic()
    for module in ("seam", "recorder", "opening", "partitioned.opening"):
        monkeypatch.setattr(f"bookcore.persist.shared.{module}.monotonic", lambda: now)
    other = parted()
    now += 5.0
    rooms.book("a", 1, 2)
    other.book("a", 3, 4)
    by_number = {part.number: part.recorder.staleness() for part in other.parts}
    assert by_number == {number: 0.0 if number == rooms.partition_of("a") else 5.0 for number in range(4)}
    assert other.staleness() == 5.0
    rooms.book("a", 5, 6)
    other.catch_up()
    assert other.staleness() == 0.0
    now += 5.0
    assert not other.news.journal.wait(other.news.place, 0.0, again=True)  # as the follower does
    assert other.staleness() == 0.0
    with pytest.raises(JournalReadOnlyError):
        Calendar.open(divided, as_of="now").staleness()


def test_book_any_chooses_again_when_another_process_was_faster(
    rooms: Any, parted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It locks no other partition, so what it chose may be taken by then."""
    other = parted()
    plain = choosing.chosen
    taken: list[Any] = []

    def chosen(*args: Any) -> Any:
        found = plain(*args)
        assert found is not None
        if not taken:
            taken.append(other.book(found.record.id, 1, 2))
        return found

    monkeypatch.setattr(facade, "chosen", chosen)
    assert rooms.book_any(list("abc"), 1, 2).resource.id == "b"
    assert taken[0].resource.id == "a"
    part = rooms.parts[rooms.partition_of("a")]
    monkeypatch.setattr(facade, "chosen", lambda *args: Found(part.state.registry.record("a"), part))
    with pytest.raises(ConflictError):  # and not for ever
        rooms.book_any(list("abc"), 1, 2)


class _Less:
    """A key that knows nothing but ``<``: two that are neither before nor after each other are not ``==``."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __lt__(self, other: _Less) -> bool:
        return self.value < other.value


def test_ids_that_cannot_be_looked_up_are_told_as_not_read(rooms: Any, admin: Any) -> None:
    """The calendar is open: the error does not say that it could not be opened."""
    admin.execute("ALTER TABLE bookcore.booking_id RENAME TO away")
    try:
        with pytest.raises(JournalError, match=r"cannot be read: .*bookcore"):
            rooms._noted(["visit"])
    finally:
        admin.execute("ALTER TABLE bookcore.away RENAME TO booking_id")


def test_errors_name_the_calendar_that_was_opened(rooms: Any, divided: str, parted: Callable[..., Any], admin: Any) -> None:
    """And not the partition that raised them; one about a record says in which partition that is."""
    low, _ = apart(rooms)
    number = rooms.partition_of(low)
    rooms.book(low, 1, 2, id="stay")
    unclocked = parted(clock=None)
    unclocked.hold(low, 5, 6, id="seat", until=None)
    timed: list[Callable[[], Any]] = [
        lambda: unclocked.hold(low, 3, 4, ttl=5), lambda: unclocked.extend("seat", ttl=5), lambda: copy.copy(unclocked),
    ]  # fmt: skip
    for call in timed:
        with pytest.raises(QueryError) as asked:
            call()
        assert asked.value.term is unclocked
    with closing(parted(read_only=True, clock=None)) as reader:
        refused: list[Callable[[], Any]] = [
            lambda: reader.book(low, 7, 8), lambda: reader.remove_booking("stay"),
            lambda: reader.add_resource(Resource("z")),
        ]  # fmt: skip
        for call in refused:
            with pytest.raises(JournalReadOnlyError) as told:
                call()
            assert told.value.path == rooms.name
    with pytest.raises(SnapshotError) as unwritten:
        rooms.book(low, 7, 8, guest=object())
    assert unwritten.value.path == rooms.name
    spot = f"{rooms.name}, partition {number}"
    with pytest.raises(JournalTimeoutError) as late:
        rooms.wait_for([99 if at == number else None for at in range(4)], timeout=0.01)
    assert late.value.path == spot
    with pytest.raises(JournalPositionError) as ahead:
        Calendar.open(divided, as_of=tuple(99 if at == number else 1 for at in range(4)))
    assert ahead.value.path == spot
    row = f"{Address.of(divided).whole}/{number}"
    admin.execute("UPDATE bookcore.change SET record = '' WHERE calendar = %s AND position = 2", (row,))
    with pytest.raises(JournalDamagedError, match="record 2 is damaged or gone") as damaged:
        parted(clock=None)
    assert damaged.value.path == spot
    rooms.close()
    with pytest.raises(JournalClosedError) as closed:
        rooms.book(low, 7, 8)
    assert closed.value.path == rooms.name


def test_the_first_of_any_number_are_those_of_all_however_they_are_spread(parted: Callable[..., Any]) -> None:
    """Whether each partition has some of them, or one has nearly all, and whether all resources match or one in forty."""
    calendar, names = parted(), [f"room {at}" for at in range(40)]
    with calendar.transaction():
        for name in names:
            calendar.add_resource(Resource(name))
    in_one = [name for name in names if calendar.partition_of(name) == 2]
    for free in (names, in_one, [*in_one, "room 0", "room 1"], names[-1:], []):
        with calendar.transaction():
            taken = [calendar.book(name, 1, 2) for name in names if name not in free]
        found, expected = calendar.find_available(1, 2), [name for name in names if name in free]
        assert found.ids() == [room.id for room in found] == expected
        assert [[room.id for room in found.first(n)] for n in range(42)] == [expected[:n] for n in range(42)]
        assert [name in found for name in names] == [name in free for name in names]
        assert [calendar.resource(name) in found for name in names] == [name in free for name in names]
        with calendar.transaction():
            for event in taken:
                calendar.remove_booking(event)
    assert object() not in found
    assert "nobody" not in found


def test_the_order_of_all_resources_is_found_out_once(parted: Callable[..., Any]) -> None:
    """And again when one has come or gone: also in another process, by a transaction that is undone, and in a what-if."""
    calendar, other = parted(), parted()
    for room in "abc":
        calendar.add_resource(Resource(room))
    assert calendar.resources.ids() == list("abc")
    before = calendar.registration
    calendar.book("a", 1, 2)
    assert calendar.find_available(1, 2).ids() == list("bc")
    assert calendar.registration is before
    with calendar.what_if():
        calendar.remove_resource("b")
        calendar.add_resource(Resource("b"))
        assert calendar.resources.ids() == list("acb")
    assert calendar.resources.ids() == list("abc")
    other.catch_up()
    assert other.resources.ids() == list("abc")
    calendar.remove_resource("c")
    kept = calendar.add_resource(Resource("c"))
    assert calendar.resources.ids() == list("abc")
    assert list(calendar.resources)[2] is kept
    other.catch_up()
    assert [room.id for room in other.resources] == list("abc")


def test_slots_that_begin_at_one_time_are_in_order_of_registration_whatever_their_keys_are() -> None:
    """They are compared by ``<`` alone."""
    heads = [Ahead(_Less(start), place) for start, place in ((1, 2), (1, 1), (0, 9))]
    assert [head.place for head in sorted(heads)] == [9, 1, 2]


def test_a_transaction_that_finds_another_history_waits_for_no_subscriber_while_it_has_the_turns(
    rooms: Any, divided: str, lose: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that books would wait for these, until its time is over."""
    (room, _), booked = apart(rooms), list[Any]()
    number = rooms.partition_of(room)
    delivers, goes_on = threading.Event(), threading.Event()

    def reloaded(*given: Any) -> None:
        goes_on.set()
        reload(*given)

    def book(change: Any) -> None:
        if not delivers.is_set():
            delivers.set()
            assert goes_on.wait(30)
            booked.append(calendar.book(room, 20, 21))

    calendar: Any
    with Calendar.open(divided, follow=False, timeout=10) as calendar, ThreadPoolExecutor() as pool:
        position = calendar.position[number]
        calendar.subscribe(book)
        first = pool.submit(calendar.book, room, 1, 2)
        assert delivers.wait(30)
        lose(f"{divided}&partition={number}", position)
        monkeypatch.setattr(recorder, "reload", reloaded)
        with pytest.raises(JournalReplacedError, match="has been reloaded"):
            calendar.transaction(room).__enter__()
        first.result(30)
        assert booked[0].owns_lock


# -- a calendar that holds some of its partitions ------------------------------------------------------


def test_a_choice_among_resources_of_which_some_are_not_held_is_refused_by_name(
    rooms: Any, parted: Callable[..., Any]
) -> None:
    """Whichever way they are listed: that one is available is not known here. What nobody has is no reason."""
    one, other = apart(rooms)
    held = parted(partitions=[rooms.partition_of(one)])
    for listed in ([one, other], {other}, (other, "nobody"), iter([other]), [[one, other]], [rooms.resource(other)]):
        with pytest.raises(PartitionNotHeldError, match=f"'?{other}'?.* is in partition") as caught:
            held.book_any(listed, 1, 2)
        assert caught.value.partitions == (rooms.partition_of(other),)
    for at, listed in enumerate(((one, "nobody"), [one, no([other])], held.resources, [held.find([one]), Resource])):
        assert held.partition_of(held.book_any(listed, at, at + 1).resource) in held.held


def test_an_id_that_is_made_of_other_ids_is_none_of_these(rooms: Any, parted: Callable[..., Any]) -> None:
    """A resource that is held can be chosen, though one of the parts of its id is that of another which is not."""
    one, other = apart(rooms)
    pair = next((number, other) for number in range(100) if rooms.partition_of((number, other)) == rooms.partition_of(one))
    rooms.add_resource(Resource(pair))
    held = parted(partitions=[rooms.partition_of(one)])
    assert held.book_any([pair], 1, 2).resource.id == pair
    with pytest.raises(PartitionNotHeldError):
        held.book_any([(one, other)], 1, 2)  # that is no id


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_request_whose_id_is_taken_in_another_partition_is_left_out(
    is_whole: bool, rooms: Any, parted: Callable[..., Any]
) -> None:
    """The database alone knows of it, and refuses the commit; what is left is booked."""
    one, other = apart(rooms)
    calendar = parted() if is_whole else parted(partitions=[rooms.partition_of(one)])
    for number in range(3):
        rooms.book(other, number, number + 1, id=f"taken {number}")
    requests = [{"resource": one, "start": at, "end": at + 1, "id": f"taken {at}"} for at in range(3)]
    report = calendar.book_all([*requests, (one, 1, 2), BookingEvent(one, 2, 3, id="new")], on_conflict="skip")
    assert [refusal.request for refusal in report.refused] == requests
    assert {type(refusal.error) for refusal in report.refused} == {DuplicateBookingError}
    assert [event.start for event in report.booked] == [1, 2] and len(list(calendar.bookings(one))) == 2
    rooms.book(other, 10, 11, id="late")
    late = {"resource": one, "start": 20, "end": 21, "id": "late"}
    with pytest.raises(DuplicateBookingError, match="'late' exists already") as caught:
        calendar.book_all([(one, 30, 31), late])
    assert caught.value.request == late and len(list(calendar.bookings(one))) == 2
    with pytest.raises(DuplicateBookingError), calendar.transaction(one):  # the end of the block commits
        assert not calendar.book_all([{**late, "id": "later"}, (one, 30, 31)], on_conflict="skip").refused
        rooms.book(other, 12, 13, id="later")
    assert len(list(calendar.bookings(one))) == 2
