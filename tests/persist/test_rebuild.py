"""A restored calendar goes on as the one it was made from would have, whatever is done with either of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import BookcoreError, BookingEvent, Calendar, Resource
from bookcore.engine.registry import Registry
from bookcore.hours import Hours
from bookcore.model.resource import overwrite
from bookcore.persist.codec.columns import KeyColumn
from bookcore.persist.errors import SnapshotDamagedError
from bookcore.persist.registry import register_key_codec
from bookcore.persist.shared.checking import check
from bookcore.persist.snapshot import rebuild
from bookcore.persist.snapshot.format import VERSION, Facts, write_file
from bookcore.persist.snapshot.gather import gather
from bookcore.persist.snapshot.state import Bookings, encode_state
from bookcore.stores.memory import bulk
from bookcore.stores.record import ResourceRecord
from bookcore.stores.tree import TreeStore

START, HOUR = datetime(2024, 3, 30, 12), timedelta(hours=1)
FAMILIES: dict[str, Any] = {
    "int": int,
    "float": lambda n: n / 4,
    "text": lambda n: f"{n:04d}",
    "datetime": lambda n: START + n * HOUR,
    "UTC": lambda n: (START + n * HOUR).replace(tzinfo=UTC),
    "zone": lambda n: (START + n * HOUR).replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Paris")),
    "tuple": lambda n: (n // 5, n % 5),
}


class Alike:
    """A resource of the user's own that says it equals every other, and has no hash."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, id: str) -> None:
        self.id = id

    def __eq__(self, other: object) -> bool:
        return True


def filled(key: Any, bounds: Any, pools: bool) -> Calendar:
    """Return a calendar of twenty resources, booked in no order, with some bookings gone and one moved."""
    calendar = Calendar(bounds=bounds)
    for name in range(20):
        calendar.add_resource(Resource(name, capacity=2 if pools and name % 5 == 0 else 1))
    spans = [(name, at) for at in range(0, 40, 4) for name in range(20)]
    for name, at in sorted(spans, key=lambda span: span[0] * 7919 % 31 + span[1] * 104729 % 37):
        calendar.book(name, key(at), key(at + 2), id=f"b{at}" if name == 3 else None)
    for event in list(calendar.bookings(4))[::2]:
        calendar.remove_booking(event)
    calendar.move(next(iter(calendar.bookings(5))), start=key(50), end=key(52))
    calendar.tag(7, "sea")
    return calendar


def lived(calendar: Calendar, key: Any) -> Iterator[Any]:
    """Do a little of everything with a calendar and yield what can be seen of it."""

    def attempt(what: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return what(*arguments, **named)
        except BookcoreError as exc:
            return type(exc).__name__

    def told(event: Any) -> Any:
        return event if isinstance(event, str) else (event.id, event.resource.id, event.start, event.end)

    yield [told(event) for event in calendar.bookings()]
    yield told(attempt(calendar.book, 1, key(0), key(1)))
    yield told(attempt(calendar.book, 1, key(3), key(4)))
    yield told(attempt(calendar.book, 1, key(42), key(45)))
    yield told(attempt(calendar.book, 0, key(0), key(2)))
    yield told(attempt(calendar.book, 0, key(0), key(2)))
    first = next(iter(calendar.bookings(2)))
    yield first.status, first.owns_lock, calendar.is_available(2, first.start, first.end)
    yield told(calendar.move(first, resource=6, start=key(60), end=key(62)))
    yield calendar.is_available(2, first.start, first.end), calendar.is_available(6, key(60), key(61))
    yield told(calendar.remove_booking("b8")), attempt(calendar.get, "b8")
    try:
        with calendar.transaction():
            calendar.book(8, key(70), key(72))
            for event in list(calendar.bookings(9)):
                calendar.remove_booking(event)
            raise RuntimeError
    except RuntimeError:
        yield [told(event) for event in calendar.bookings()]
    held = calendar.hold(10, key(80), key(82))
    yield told(calendar.confirm(held))
    closure = calendar.close(11, key(1), key(3), "paint")
    yield [event.id for event in closure.overlapping], attempt(calendar.book, 11, key(2), key(3))
    calendar.reopen(closure)
    if isinstance(key(0), datetime) and key(0).tzinfo is not None:
        calendar.set_hours(12, Hours({"mon": ["08:00-09:00"]}, zone="UTC"))
        yield told(attempt(calendar.book, 12, key(90), key(91)))
        calendar.set_hours(12, None)
    extra = calendar.add_resource(Resource("new"))
    yield told(calendar.book(extra, key(1), key(9))), extra.is_available(key(9), key(11))
    yield attempt(calendar.add_resource, Resource(3))
    for low in range(0, 90, 7):
        yield calendar.find_available(key(low), key(low + 3)).ids()
        yield [resource.id for resource in calendar.find_booked(key(low), key(low + 1))]
    yield calendar.tagged("sea").ids(), len(calendar), calendar.resources.ids()


@pytest.mark.parametrize("pools", [False, True])
@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("family", FAMILIES)
def test_restored_calendar_goes_on_alike(tmp_path: Path, family: str, bounds: Any, pools: bool) -> None:
    """Both are asked and changed in the same way, and stay the same and sound; a second snapshot is the same file."""
    key = FAMILIES[family]
    calendar = filled(key, bounds, pools)
    calendar.snapshot(tmp_path / "a.bks")
    again = Calendar.restore(tmp_path / "a.bks")
    again.snapshot(tmp_path / "b.bks")
    assert (tmp_path / "a.bks").read_bytes() == (tmp_path / "b.bks").read_bytes()
    trees = Calendar.restore(tmp_path / "a.bks", store=TreeStore())
    for one, two, three in zip(lived(calendar, key), lived(again, key), lived(trees, key), strict=True):
        assert one == two == three
        again.check()


def as_format_1(calendar: Calendar, path: Path) -> Calendar:
    """Return a calendar that was written to a file of format 1, and read again."""
    state = gather(calendar._engine.state, path)
    write_file(path, Facts(rows=len(state.bookings.ids), last_sequence=state.last_sequence), encode_state(state))
    return Calendar.restore(path)


@pytest.mark.parametrize("pools", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_bookings_come_back_with_their_numbers_and_without_being_sorted(
    tmp_path: Path, family: str, pools: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of format 1, which has none, gives a calendar that answers the same."""
    calendar = filled(FAMILIES[family], "[)", pools)
    old = as_format_1(calendar, tmp_path / "1.bks")
    monkeypatch.setattr(bulk, "sort_rows", None)
    calendar.snapshot(tmp_path / "2.bks")
    again = Calendar.restore(tmp_path / "2.bks")
    assert sorted(again._engine.state.ledger.owners) == sorted(calendar._engine.state.ledger.owners)
    assert [(event._seq, event.id) for event in again.bookings()] == [(e._seq, e.id) for e in calendar.bookings()]
    assert again.digest() == old.digest() == calendar.digest()
    again.check()
    old.check()


def test_bookings_of_a_file_that_are_in_no_order_are_sorted(tmp_path: Path) -> None:
    """Those of one resource, or resource after resource: a file may come from elsewhere."""
    calendar = filled(FAMILIES["int"], "[)", False)
    state = gather(calendar._engine.state, "", numbered=True)
    rows, count = state.bookings, len(state.bookings.ids)
    for order in (range(count - 1, -1, -1), sorted(range(count), key=lambda at: (rows.resources[at], -at))):
        keys = rows.keys.values
        mixed = Bookings(
            [rows.ids[at] for at in order], [rows.kinds[at] for at in order], [rows.resources[at] for at in order],
            KeyColumn([keys[at] for at in order] + [keys[count + at] for at in order]),
            [rows.quantities[at] for at in order], [rows.fields[at] for at in order],
            [(rows.numbers or ())[at] for at in order],
        )  # fmt: skip
        moved = {at: place for place, at in enumerate(order)}
        holds = replace(state.holds, bookings=[moved[at] for at in state.holds.bookings])
        listed = [[moved.get(at, at) for at in each] for each in state.closures.overlapping]
        found = replace(state, bookings=mixed, holds=holds, closures=replace(state.closures, overlapping=listed))
        write_file(tmp_path / "a.bks", Facts(bytes(16), state.last_sequence, count, VERSION), encode_state(found))
        again = Calendar.restore(tmp_path / "a.bks")
        again.check()
        assert again.digest() == calendar.digest()


@pytest.mark.parametrize("numbered", [False, True])
def test_a_file_of_which_the_header_says_another_format_is_refused(tmp_path: Path, numbered: bool) -> None:
    """The header alone says whether bookings have numbers."""
    state = gather(filled(FAMILIES["int"], "[)", False)._engine.state, "", numbered=numbered)
    facts = Facts(bytes(16), state.last_sequence, len(state.bookings.ids), 1 if numbered else VERSION)
    write_file(tmp_path / "a.bks", facts, encode_state(state))
    with pytest.raises(SnapshotDamagedError, match="bookings"):
        Calendar.restore(tmp_path / "a.bks")


def test_ids_that_are_numbers_come_back_with_theirs(tmp_path: Path) -> None:
    """Ids that count up from one are the numbers of the bookings; ids that count up from above are not.

    That is so in a file of format 1. In one of format 2 each booking has the number that it had.
    """
    for first, numbers in ((1, range(1, 51)), (2, range(1, 51)), (500, range(1, 51))):
        calendar = Calendar()
        calendar.add_resource(Resource("a"))
        for at in range(50):
            calendar.book("a", 2 * at, 2 * at + 1, id=first + at)
        calendar.snapshot(tmp_path / "a.bks")
        kept = Calendar.restore(tmp_path / "a.bks")
        assert [event._seq for event in kept.bookings()] == [event._seq for event in calendar.bookings()]
        again = as_format_1(calendar, tmp_path / "1.bks")
        again.check()
        assert [event.id for event in again.bookings()] == list(range(first, first + 50))
        assert [event._seq for event in again.bookings()] == list(numbers)
        assert again.digest() == kept.digest() == calendar.digest()
        booked = [each.book("a", 200, 201).id for each in (again, kept, calendar)]
        assert len(set(booked)) == 1


@pytest.mark.parametrize("ids", [(1.0, 2.0, 3.0), (True, Decimal(2), 3)], ids=["floats", "mixed"])
def test_ids_that_equal_the_numbers_keep_their_types(
    place: str, ids: tuple[Any, ...]
) -> None:
    """From a snapshot as from records: else the digests of two processes differ, and a good checkpoint is called damaged."""
    with Calendar.open(place) as calendar:
        calendar.add_resource(Resource("a"))
        for at, id in enumerate(ids):
            calendar.book("a", at, at + 1, id=id)
        digest = calendar.digest()
    for _ in range(2):
        with Calendar.open(place) as calendar:
            assert [type(event.id) for event in calendar.bookings()] == [type(id) for id in ids]
            assert calendar.digest() == digest
            calendar.checkpoint()
    if place != "rooms":
        assert not check(place).faults


@pytest.mark.parametrize("value", [19.99, time(9), Decimal("NaN"), datetime(2026, 10, 25, 2, fold=1)], ids=str)
def test_digest_does_not_tell_one_object_from_several_that_are_equal(
    place: str, value: Any
) -> None:
    """A program books with one literal again and again, and each record is read as an object of its own."""
    with Calendar.open(place) as calendar:
        calendar.add_resource(Resource("a"))
        for at in range(40):
            calendar.book("a", at, at + 1, id=("visit", at), price=value)
        digest = calendar.digest()
    for _ in range(2):
        with Calendar.open(place) as calendar:
            assert calendar.digest() == digest
            calendar.checkpoint()
    if place != "rooms":
        assert not check(place).faults


def test_digest_does_not_tell_keys_that_are_one_object(tmp_path: Path) -> None:
    """The keys of many resources may be the same tuples, and are written once then."""
    digests = []
    for keys in ((lambda at, known={n: (n, "x") for n in range(30)}: known[at]), lambda at: (at, "x")):
        calendar = Calendar()
        for name in range(30):
            calendar.add_resource(Resource(name))
            for at in range(0, 28, 2):
                calendar.book(name, keys(at), keys(at + 1))
        digests.append(calendar.digest())
    assert digests[0] == digests[1]


def test_resource_is_told_by_identity_whatever_it_says_of_itself(tmp_path: Path) -> None:
    """A class that calls all its instances equal, or has no hash, mixes no bookings up."""
    register_key_codec(Alike, "alike", lambda alike: alike.id, Alike)
    calendar = Calendar()
    for name in "abc":
        calendar.add_resource(Alike(name))
        calendar.book(name, ord(name), ord(name) + 1)
    calendar.snapshot(tmp_path / "a.bks")
    again = Calendar.restore(tmp_path / "a.bks")
    again.check()
    assert [(e.resource.id, e.start) for e in again.bookings()] == [("a", 97), ("b", 98), ("c", 99)]


def test_resource_keeps_what_it_was_registered_with(tmp_path: Path) -> None:
    """What was changed on the object after it was added was not asked for, and is not when it comes back."""
    calendar = Calendar()
    resource = calendar.add_resource(Resource("a"))
    overwrite(resource, "capacity", 5)  # past what refuses it
    overwrite(resource, "before", 1)
    calendar.book("a", 1, 2)
    calendar.snapshot(tmp_path / "a.bks")
    again = Calendar.restore(tmp_path / "a.bks")
    record = again._engine.state.registry.record("a")
    assert (record.capacity, record.before, record.is_exclusive) == (1, None, True)
    assert (record.resource.capacity, record.resource.before) == (5, 1)
    assert again.is_available("a", 2, 3)
    assert not again.is_available("a", 1, 2)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000])
@pytest.mark.parametrize("before", [0, 3])
def test_many_records_at_once_are_the_same_as_one_by_one(count: int, before: int) -> None:
    """Bitmaps, kinds and numbers, on an empty catalog and after others."""

    class Flat(Resource):
        pass

    resources = [(Flat if at % 3 else Resource)(at, 1 + at % 2) for at in range(before + count)]
    slow, fast = Registry(), Registry()
    for at, resource in enumerate(resources):
        slow.add(slow.prepare(resource, None, None, None))
        if at < before:
            fast.add(fast.prepare(resource, None, None, None))
    fast.add_all([ResourceRecord(r.id, r, at, r.capacity) for at, r in enumerate(resources) if at >= before])
    for name in ("everything", "pooled"):
        assert getattr(slow, name).value() == getattr(fast, name).value()
    assert {cls: bits.value() for cls, bits in slow.classes.items()} == {
        cls: bits.value() for cls, bits in fast.classes.items()
    }
    assert slow.objects == fast.objects
    assert list(slow.by_id) == list(fast.by_id)
    assert [entry.number for entry in fast.in_order()] == list(range(before + count))
    extra = fast.prepare(Flat("extra"), None, None, None)
    fast.add(extra)
    assert fast.of_class(Flat) >> extra.number == 1
    fast.tag_all([extra.number, 0], "sea")
    assert fast.labels(extra) == ["sea"]
    assert fast.tagged("sea") == 1 << extra.number | 1


class Priced(BookingEvent):
    """Has a slot of its own."""

    __slots__ = ("price",)
    price: int


class Guest(BookingEvent):
    """Has a dict of its own."""

    name: str


@pytest.mark.parametrize("way", ["rows", "one by one", "zone", "released"])
@pytest.mark.parametrize("classes", [(Priced,), (Guest,), (Priced, Guest), (Priced, BookingEvent), (BookingEvent,)])
def test_a_class_is_looked_at_once_for_all_its_bookings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: tuple[type[Any], ...], way: str
) -> None:
    """Or a few times: its slots are the same for each booking, on every way by which bookings come back."""
    calendar = Calendar()
    calendar.add_resource(Resource("a", capacity=2 if way == "one by one" else 1))
    key = FAMILIES["zone" if way == "zone" else "int"]
    events = []
    for place in range(60):
        event = classes[place % len(classes)]("a", key(2 * place), key(2 * place + 1), id=f"b{place}")
        if isinstance(event, Priced):
            event.price = place
        elif isinstance(event, Guest):
            event.name = str(place)
        events.append(calendar.add_booking(event))
    if way == "released":
        calendar.close("a", None, None)
        for event in events:
            calendar.remove_booking(event)
    calendar.snapshot(tmp_path / "a.bks")
    looked_at: list[type] = []
    slots = rebuild._slots

    def counted(cls: type) -> Any:
        looked_at.append(cls)
        return slots(cls)

    monkeypatch.setattr(rebuild, "_slots", counted)
    found = Calendar.restore(tmp_path / "a.bks", types=[Priced, Guest])
    assert max(map(looked_at.count, looked_at), default=0) <= 3
    assert found.digest() == calendar.digest()
    if way == "released":
        (closure,) = found.closures()
        assert [(type(event), getattr(event, "price", None)) for event in closure.overlapping] == [
            (type(event), getattr(event, "price", None)) for event in events
        ]


DISTINCT: dict[str, tuple[Callable[[int], Any], bool]] = {
    "int": (int, True), "float": (float, True), "str": (lambda n: f"{n:05d}", True), "Decimal": (Decimal, True),
    "naive": (lambda n: datetime(2026, 1, 1) + timedelta(minutes=n), True),
    "UTC": (lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n), True),
    "zone": (lambda n: (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n)).astimezone(ZoneInfo("Asia/Tokyo")), False),
    "tuple": (lambda n: (n, 1), False),
}  # fmt: skip


@pytest.mark.parametrize("name", DISTINCT)
def test_keys_that_hardly_repeat_are_loaded_in_one_piece_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in no table of the file. Booking them one by one would take ten times as long."""
    key, in_one_piece = DISTINCT[name]
    calendar = Calendar()
    rooms = [calendar.add_resource(Resource(f"room {at}")) for at in range(3)]
    for at in range(0, 3000, 3):
        more: dict[str, Any] = {"guest": "Ada"} if at % 5 == 0 else {}
        calendar.book(rooms[at % 2], key(at), key(at + 2), id=f"b{at}", **more)
    calendar.snapshot(tmp_path / "a.bks")
    called: list[int] = []
    book = rebuild._book_one_by_one

    def noted(*given: Any) -> None:
        called.append(1)
        book(*given)

    monkeypatch.setattr(rebuild, "_book_one_by_one", noted)
    again = Calendar.restore(tmp_path / "a.bks")
    assert bool(called) is not in_one_piece
    assert again.digest() == calendar.digest()
    spans = ([(event.start, event.end) for event in each.bookings()] for each in (again, calendar))
    assert next(spans) == next(spans)
    again.check()
