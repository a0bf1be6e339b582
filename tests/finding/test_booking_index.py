"""Indexes over bookings: the bookings of a guest, whatever happens to them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    ConflictError,
    IndexNameError,
    KeyTypeError,
    MemoryStore,
    QueryError,
    RecursiveCallError,
    Resource,
)
from bookcore.stores.sizes import Sizes
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore
from bookcore.testing.liststore import ListStore

STORES: dict[str, Callable[[], Any]] = {
    "memory": MemoryStore,
    "small memory": lambda: MemoryStore(Sizes(attribute=4)),
    "sorted": SortedStore,
    "tree": TreeStore,
    "list": ListStore,
}
GUESTS = ["Ada", "Bob", "Eve", None]


def some(store: Any = MemoryStore, **options: Any) -> Calendar:
    """Return a calendar with a room and a van, and an index over guests."""
    calendar = Calendar(store(), **options)
    calendar.add_resource(Resource("room"))
    calendar.add_resource(Resource("van", capacity=9))
    calendar.create_booking_index("guest")
    return calendar


def starts(calendar: Calendar, guest: Any) -> list[Any]:
    """Return the starts of the bookings of a guest."""
    return [event.start for event in calendar.booking_index("guest").equal(guest)]


def is_right(calendar: Calendar) -> None:
    """Compare the index with a walk over all bookings, in order."""
    calendar.check()
    everything = list(calendar.bookings())
    guests = calendar.booking_index("guest")
    for guest in ("Ada", "Bob", "Eve", "Zoe"):
        mine = [event for event in everything if event.fields.get("guest") == guest]
        assert list(guests.equal(guest)) == mine, guest
    named = [event for event in everything if event.fields.get("guest") is not None]
    assert list(guests.between(None, None)) == named
    assert list(guests.between("F", "B")) == []
    assert list(guests.between("B", "F")) == [event for event in named if "B" <= event.fields["guest"] <= "F"]
    assert list(guests.one_of(["Ada", "Eve", "Ada", None])) == [e for e in named if e.fields["guest"] in ("Ada", "Eve")]


def stir(calendar: Calendar, dice: random.Random, now: list[int]) -> None:
    """Make one change of some kind, which may be refused."""
    at, guest = dice.randrange(60), dice.choice(GUESTS)
    fields: dict[str, Any] = {} if guest is None else {"guest": guest}
    ids = [event.id for event in calendar.bookings()] or ["nobody"]
    one, resource = dice.choice(ids), dice.choice(["room", "van"])
    deeds: list[Callable[[], Any]] = [
        lambda: calendar.book(resource, at, at + 2, **fields),
        lambda: calendar.book(resource, at, at + 2),
        lambda: calendar.book(resource, at, None, **fields),
        lambda: calendar.hold(resource, at, at + 2, ttl=dice.randrange(1, 4), **fields),
        lambda: calendar.hold(resource, at, at + 1, **fields),
        lambda: calendar.confirm(one),
        lambda: calendar.remove_booking(one),
        lambda: calendar.remove_booking(one),
        lambda: calendar.move(one, start=at, end=at + 3, resource=resource),
        lambda: calendar.change(one, guest=guest),
        lambda: calendar.change(one, quantity=dice.randrange(1, 4)),
        lambda: calendar.split(one, at),
        lambda: calendar.load([BookingEvent("van", at + k, at + k + 1, guest=dice.choice(GUESTS)) for k in range(3)]),
        lambda: calendar.book_all([("room", at, at + 1), {"resource": "van", "start": at, "end": at + 1, **fields}]),
        lambda: calendar.add_booking(BookingEvent(resource, at, at + 1, **fields)),
        lambda: now.__setitem__(0, now[0] + 1),
        calendar.rebuild,
    ]
    try:
        dice.choice(deeds)()
    except BookcoreError:
        pass


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("store", STORES)
def test_an_index_agrees_with_a_walk_over_all_bookings(store: str, seed: int) -> None:
    """After every step of a random history, blocks that are undone and followers among them."""
    dice, now = random.Random(seed), [0]
    calendar, follower = some(STORES[store], clock=lambda: now[0]), Calendar(STORES[store]())
    for resource in calendar.resources:
        follower.add_resource(Resource(resource.id, resource.capacity))
    follower.create_booking_index("guest")
    calendar.subscribe(follower.apply)
    for step in range(60):
        if step % 7 == 3:
            before = list(calendar.booking_index("guest").between(None, None))
            then = now[0]
            with calendar.what_if():
                for _ in range(4):
                    stir(calendar, dice, now)
                    is_right(calendar)
            if now[0] == then:
                assert list(calendar.booking_index("guest").between(None, None)) == before
        else:
            stir(calendar, dice, now)
        is_right(calendar)
    is_right(follower)
    assert [e.id for e in follower.bookings()] == [e.id for e in calendar.bookings()]


@pytest.mark.parametrize("store", STORES)
def test_one_made_later_has_what_stands(store: str) -> None:
    """Also what was booked by the fast path, and loaded; and what comes by it afterwards."""
    calendar = Calendar(STORES[store]())
    calendar.add_resource(Resource("room"))
    for at in range(20):
        calendar.book("room", at, at + 1)
    calendar.load([BookingEvent("room", at, at + 1, guest=GUESTS[at % 3]) for at in range(20, 50)])
    calendar.create_booking_index("guest")
    even = calendar.create_booking_index("even", key=lambda event: event.start % 2)
    for at in range(50, 60):
        calendar.book("room", at, at + 1)
    is_right(calendar)
    assert [event.start for event in even.equal(0)] == list(range(0, 60, 2))


def test_without_an_index_the_fast_path_is_taken_and_with_one_it_is_not() -> None:
    """An index that is undone is in nobody's way."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    calendar.book(room, 0, 1)
    calls: list[Any] = []
    engine: Any = type(calendar._engine)
    book = engine._book_new

    def counted(*args: Any) -> Any:
        calls.append(args)
        return book(*args)

    try:
        engine._book_new = counted
        calendar.book(room, 1, 2)
        assert not calls
        with calendar.what_if():
            calendar.create_booking_index("guest")
        calendar.book(room, 2, 3)
        assert not calls
        calendar.create_booking_index("guest")
        calendar.book(room, 3, 4)
        assert len(calls) == 1
    finally:
        engine._book_new = book
    is_right(calendar)


def test_answers_are_by_start_then_in_order_of_booking() -> None:
    """Unbounded starts first."""
    calendar = some()
    for id, keys in enumerate([(5, 6), (3, 9), (5, 8), (None, 2), (3, 4), (None, 1)], 1):
        calendar.book("van", *keys, guest="Ada", id=f"b{id}")
    calendar.change("b3", guest="Ada", note=1)
    assert [event.id for event in calendar.booking_index("guest").equal("Ada")] == ["b4", "b6", "b2", "b5", "b1", "b3"]


def test_only_few_comparisons_are_made() -> None:
    """A look-up does not walk over all bookings."""

    class Name:
        count = 0

        def __init__(self, text: str) -> None:
            self.text = text

        def __lt__(self, other: Name) -> bool:
            Name.count += 1
            return self.text < other.text

    calendar = some()
    for at in range(4000):
        calendar.book("room", at, at + 1, guest=Name(f"{at % 1000:04}"))
    Name.count = 0
    assert len(list(calendar.booking_index("guest").equal(Name("0500")))) == 4
    assert Name.count < 100
    Name.count = 0
    calendar.remove_booking(7)
    assert Name.count < 100


# -- refused -------------------------------------------------------------------------------------------

WRONG = BookingEvent("van", 1, 2, guest=3)
REFUSED: dict[str, tuple[Callable[[Calendar], Any], type[BookcoreError]]] = {
    "a name that is taken": (lambda c: c.create_booking_index("guest"), IndexNameError),
    "no text": (lambda c: c.create_booking_index(3), QueryError),  # type: ignore[arg-type]
    "no function": (lambda c: c.create_booking_index("x", key="guest"), QueryError),  # type: ignore[arg-type]
    "no field: start": (lambda c: c.create_booking_index("start"), QueryError),
    "no field: quantity": (lambda c: c.create_booking_index("quantity"), QueryError),
    "no field: status": (lambda c: c.create_booking_index("status"), QueryError),
    "no field: until": (lambda c: c.create_booking_index("until"), QueryError),
    "values without order": (lambda c: c.create_booking_index("r", key=lambda e: e.resource), KeyTypeError),
    "a function that raises": (lambda c: c.create_booking_index("r", key=lambda e: 1 // 0), QueryError),
    "an unknown index": (lambda c: c.booking_index("gest"), IndexNameError),
    "not an index of resources": (lambda c: c.index("guest"), IndexNameError),
    "another kind asked for": (lambda c: c.booking_index("guest").equal(3), KeyTypeError),
    "a range of another kind": (lambda c: c.booking_index("guest").between(3, None), KeyTypeError),
    "NaN as a bound": (lambda c: c.booking_index("guest").between(float("nan"), None), QueryError),
    "no values": (lambda c: c.booking_index("guest").one_of(3), QueryError),  # type: ignore[arg-type]
    "booked with another kind": (lambda c: c.book("van", 1, 2, guest=3), KeyTypeError),
    "held with another kind": (lambda c: c.hold("van", 1, 2, guest=3), KeyTypeError),
    "changed to another kind": (lambda c: c.change("a", guest=3), KeyTypeError),
    "loaded with another kind": (lambda c: c.load([BookingEvent("van", 1, 2), WRONG]), KeyTypeError),
    "all with another kind": (lambda c: c.book_all([("van", 1, 2), WRONG]), KeyTypeError),
    "no room": (lambda c: c.book("room", 1, 2, guest="Bob"), ConflictError),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("how", REFUSED)
def test_what_cannot_be_indexed_is_refused_and_changes_nothing(how: str, store: str) -> None:
    """By the call that would have to index it."""
    calendar = some(STORES[store])
    calendar.book("room", 1, 2, guest="Ada", id="a")
    calendar.book("van", 1, 2, guest="Bob", id="b")
    digest = calendar.digest()
    call, error = REFUSED[how]
    with pytest.raises(error):
        call(calendar)
    assert calendar.digest() == digest
    is_right(calendar)


@pytest.mark.parametrize("deed", ["book", "move", "change", "hold", "split"])
def test_a_key_function_that_raises_refuses_the_call(deed: str) -> None:
    """And an undo does not call it at all."""
    calendar = some()
    broken = [False]

    def key(event: BookingEvent) -> Any:
        if broken[0]:
            raise ZeroDivisionError
        return event.quantity

    units = calendar.create_booking_index("units", key=key)
    calendar.book("van", 1, 5, id="v", guest="Ada", quantity=2)
    with pytest.raises(ZeroDivisionError), calendar.transaction():
        calendar.move("v", start=2)
        calendar.change("v", guest="Bob", quantity=3)
        calendar.remove_booking("v")
        broken[0] = True
        raise ZeroDivisionError
    assert [event.id for event in units.equal(2)] == ["v"]
    deeds: dict[str, Callable[[], Any]] = {
        "book": lambda: calendar.book("room", 1, 2),
        "move": lambda: calendar.move("v", start=2),
        "change": lambda: calendar.change("v", quantity=4),
        "hold": lambda: calendar.hold("room", 1, 2),
        "split": lambda: calendar.split("v", 3),
    }
    digest = calendar.digest()
    with pytest.raises(QueryError, match="units"):
        deeds[deed]()
    broken[0] = False
    assert calendar.digest() == digest
    is_right(calendar)


def test_a_key_function_may_ask_and_not_change() -> None:
    """It runs under the lock, before the change."""
    calendar = some()
    seen: list[Any] = []

    def key(event: BookingEvent) -> Any:
        seen.append(len(calendar))
        try:
            calendar.book("room", 1, 2)
        except RecursiveCallError as exc:
            seen.append(exc)
        return event.start

    calendar.create_booking_index("k", key=key)
    calendar.book("van", 3, 4)
    assert (seen[0], type(seen[1]), len(calendar)) == (0, RecursiveCallError, 1)
    calendar.check()


# -- values --------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Stay(BookingEvent):
    """A booking with a field of its own."""

    guest: str = field(kw_only=True)


def test_fields_of_a_class_and_of_objects() -> None:
    """Moments in two zones are instants; None and NaN are no value."""
    calendar = some(event_type=Stay)
    calendar.book("room", 1, 2, guest="Ada")
    assert starts(calendar, "Ada") == [1]
    plain = Calendar()
    van = plain.add_resource(SimpleNamespace(id="van", owner="Zoe"))
    owners = plain.create_booking_index("owner", key=lambda event: event.resource.owner)
    due = plain.create_booking_index("due")
    nine = datetime(2026, 5, 4, 9, tzinfo=timezone(timedelta(hours=2)))
    plain.book(van, 1, 2, due=nine)
    plain.book(van, 2, 3, due=None)
    plain.book(van, 3, 4, due=float("nan"))
    assert len(list(owners.equal("Zoe"))) == 3
    assert [event.start for event in due.equal(nine.astimezone(UTC))] == [1]
    assert list(due.equal(None)) == []
    plain.check()


def test_a_value_that_changed_in_place_can_be_removed() -> None:
    """The index does not lose its order over it."""
    calendar = some()
    lists: list[list[int]] = [[n] for n in range(9)]
    for at, guest in enumerate(lists):
        calendar.book("room", at, at + 1, guest=guest)
    for guest in lists:
        guest[0] = -guest[0] * 3 % 7
    for id in range(1, 10):
        calendar.remove_booking(id)
    calendar.check()


def test_an_index_is_no_part_of_a_snapshot(tmp_path: Path) -> None:
    """Its key is a function; it is made anew."""
    calendar = some()
    calendar.book("room", 1, 2, guest="Ada")
    assert calendar.digest() == Calendar.restore(_saved(calendar, tmp_path), types=[Resource]).digest()
    restored = Calendar.restore(tmp_path / "file", types=[Resource])
    with pytest.raises(IndexNameError, match="none yet"):
        restored.booking_index("guest")
    restored.create_booking_index("guest")
    is_right(restored)


def _saved(calendar: Calendar, folder: Path) -> Path:
    calendar.snapshot(folder / "file")
    return folder / "file"


def test_a_view_of_an_index_that_was_undone_says_so() -> None:
    """And the name is free again."""
    calendar = Calendar()
    with calendar.what_if():
        view = calendar.create_booking_index("guest")
    with pytest.raises(IndexNameError):
        view.equal("Ada")
    calendar.create_booking_index("guest")
    assert list(view.equal("Ada")) == []


def test_a_follower_makes_the_index_too() -> None:
    """As it makes those over resources."""
    calendar, follower = Calendar(), Calendar()
    calendar.subscribe(follower.apply)
    calendar.add_resource(Resource("van", capacity=9))
    calendar.create_booking_index("guest")
    calendar.create_booking_index("units", key=lambda event: event.quantity)
    calendar.book("van", 1, 2, guest="Ada", quantity=3)
    calendar.change(1, guest="Bob", quantity=2)
    assert [event.id for event in follower.booking_index("units").equal(2)] == [1]
    is_right(follower)


@pytest.mark.parametrize("fault", ["lost", "too many", "value", "set"])
def test_check_finds_a_fault(fault: str) -> None:
    """Of each structure."""
    calendar = some()
    for at in range(5):
        calendar.book("room", at, at + 1, guest="Ada")
    index = calendar._engine.state.booking_indexes.by_name["guest"]
    faults: dict[str, Callable[[], Any]] = {
        "lost": lambda: index.discard(2),
        "too many": lambda: index.put(99, "Bob"),
        "value": lambda: index.values.update({2: "Bob"}),
        "set": lambda: index.chunks[0].bits.discard(2),
    }
    calendar.check()
    faults[fault]()
    with pytest.raises(AssertionError):
        calendar.check()


def test_memory_stays_flat() -> None:
    """Numbers of bookings grow for ever; what is kept of them does not."""
    calendar = some()
    for _ in range(3000):
        calendar.remove_booking(calendar.book("room", 1, 2, guest="Ada"))
    index = calendar._engine.state.booking_indexes.by_name["guest"]
    assert (len(index.values), index.chunks, index.heads) == (0, [], [])


class Fragile:
    """A value whose ``<`` fails when it has been called often enough, once."""

    fuse = 1_000_000

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: Fragile) -> bool:
        Fragile.fuse -= 1
        if Fragile.fuse == -1:
            raise ZeroDivisionError
        return self.rank < other.rank


def _block(calendar: Calendar) -> None:
    with calendar.what_if():
        calendar.remove_booking("v2")
        calendar.change("v4", guest=Fragile(1))
        calendar.move("v3", start=50, end=51)
        calendar.book("van", 60, 61, guest=Fragile(3))


DEEDS: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("van", 40, 41, guest=Fragile(3)),
    "hold": lambda c: c.hold("room", 40, 41, guest=Fragile(3)),
    "remove": lambda c: c.remove_booking("v3"),
    "move": lambda c: c.move("v3", resource="van", start=40, end=41),
    "change": lambda c: c.change("v3", guest=Fragile(5)),
    "change a quantity": lambda c: c.change("w3", quantity=2),
    "split": lambda c: c.split("w3", 8),
    "load": lambda c: c.load([BookingEvent("van", at, at + 1, guest=Fragile(at)) for at in range(3)]),
    "block": _block,
    "look up": lambda c: list(c.booking_index("guest").one_of([Fragile(2), Fragile(4)])),
    "create": lambda c: c.create_booking_index("again", key=lambda event: event.guest),
}


@pytest.mark.parametrize("store", ["small memory", "tree"])
@pytest.mark.parametrize("deed", DEEDS)
def test_a_comparison_of_values_that_fails_anywhere_changes_nothing(deed: str, store: str) -> None:
    """At every comparison: an error of ours and all is as before, or the call did not need it."""

    def fresh() -> Calendar:
        calendar = some(STORES[store])
        for at in range(8):
            calendar.book("room", 4 * at, 4 * at + 2, id=f"v{at}", guest=Fragile(at % 5))
            calendar.book("van", 2 * at, 2 * at + 4, id=f"w{at}", guest=Fragile(at % 3))
        return calendar

    def facts(calendar: Calendar) -> Any:
        guests = calendar.booking_index("guest")
        ranked = [[event.id for event in guests.equal(Fragile(rank))] for rank in range(6)]
        return [(e.id, e.start, e.quantity, e.fields["guest"].rank) for e in calendar.bookings()], ranked

    calendar = fresh()
    before = facts(calendar)
    for fuse in range(500):
        Fragile.fuse = fuse
        raised = False
        try:
            DEEDS[deed](calendar)
        except BookcoreError:
            raised = True
        failed = Fragile.fuse < 0
        Fragile.fuse = 1_000_000
        assert failed or not raised
        calendar.check()
        if raised or deed in ("block", "look up"):
            assert facts(calendar) == before, fuse
        if not failed:
            break
        if not raised:
            calendar = fresh()
    assert not failed


@pytest.mark.parametrize("text", ["Ada", "", b"Ada", "A", type("Name", (str,), {})("Ada"), b""])
def test_one_of_takes_no_text_for_its_letters(text: Any) -> None:
    """Of an index over bookings or over resources: it would answer for each letter, and find nothing."""
    calendar = Calendar()
    calendar.book(calendar.add_resource(Resource("Ada")), 1, 2, guest="Ada")
    for index in (calendar.create_booking_index("guest"), calendar.create_index("name", key=lambda resource: resource.id)):
        with pytest.raises(QueryError, match="one text"):
            index.one_of(text)
        assert len(list(index.one_of(["Ada"]))) == 1
