"""`Calendar.change`: a booking gets other fields or another quantity, in one step that is one change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    ConflictError,
    FieldError,
    InvalidQuantityError,
    MemoryStore,
    QueryError,
    Resource,
    UnknownBookingError,
    changes,
)
from bookcore.hours import Hours
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore
from bookcore.testing.liststore import ListStore

STORES = [MemoryStore, SortedStore, TreeStore, ListStore]


@dataclass(eq=False)
class Stay(BookingEvent):
    """A booking with fields of its own, one of which follows from another."""

    guest: str = field(kw_only=True)
    nights: int = field(default=1, kw_only=True)
    price: int = field(init=False)

    def __post_init__(self) -> None:
        if self.nights < 1:
            raise ValueError("a stay has a night")
        self.price = 90 * self.nights


class Visit(BookingEvent):
    """A booking whose constructor takes one field."""

    def __init__(self, resource: Any, start: Any, end: Any, *, host: str = "", **options: Any) -> None:
        super().__init__(resource, start, end, **options)
        self.host = host.title()


def some(store: Any = MemoryStore, **options: Any) -> Calendar:
    """Return a calendar with a room, a van of nine seats and a boat with buffers, all with bookings."""
    calendar = Calendar(store(), **options)
    calendar.add_resource(Resource("room"))
    calendar.add_resource(Resource("van", capacity=9))
    calendar.add_resource(Resource("boat", capacity=4, before=1, after=2))
    return calendar


def filled(store: Any = MemoryStore) -> Calendar:
    """Return the calendar of `some` with bookings."""
    calendar = some(store, clock=lambda: 0)
    calendar.book("room", 9, 12, id="talk", speaker="Ada")
    calendar.book("room", 14, 15, id="plain")
    calendar.book("van", 1, 6, id="trip", quantity=2)
    calendar.book("van", 4, 8, id="tour", quantity=4)
    calendar.book("boat", 1, 6, id="sail", quantity=2)
    calendar.hold("boat", 7, 9, id="row", quantity=1, until=50)
    return calendar


ACCEPTED: dict[str, tuple[str, dict[str, Any], dict[str, Any], int]] = {
    "a field": ("talk", {"speaker": "Bob"}, {"speaker": "Bob"}, 1),
    "a new field": ("talk", {"paid": True}, {"speaker": "Ada", "paid": True}, 1),
    "a first field": ("plain", {"guest": "Eve"}, {"guest": "Eve"}, 1),
    "a field to None": ("talk", {"speaker": None}, {"speaker": None}, 1),
    "more units": ("trip", {"quantity": 5}, {}, 5),
    "fewer units": ("tour", {"quantity": 1}, {}, 1),
    "as many units": ("trip", {"quantity": 2}, {}, 2),
    "both": ("trip", {"quantity": 3, "guest": "Eve"}, {"guest": "Eve"}, 3),
    "more units with buffers": ("sail", {"quantity": 3}, {}, 3),
    "a hold": ("row", {"quantity": 2, "guest": "Eve"}, {"guest": "Eve"}, 2),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("how", ACCEPTED)
def test_a_change_keeps_all_that_is_not_given(how: str, store: Any) -> None:
    """Id, span, resource, order, deadline; it has a new lock."""
    calendar = filled(store)
    name, given, fields, quantity = ACCEPTED[how]
    before = calendar.get(name)
    status, until, order = before.status, before.until, [event.id for event in calendar.bookings()]
    told: list[Any] = []
    calendar.subscribe(told.append)
    after = calendar.change(before, **given)
    assert (after.id, after.start, after.end, after.resource) == (name, before.start, before.end, before.resource)
    assert (dict(after.fields), after.quantity, after.status, after.until) == (fields, quantity, status, until)
    assert (before.owns_lock, after.owns_lock, before == after, calendar.get(name) == after) == (False, True, False, True)
    assert [event.id for event in calendar.bookings()] == order
    assert [(type(change), change.before, change.after) for change in told] == [(changes.Changed, before, after)]
    calendar.check()


@pytest.mark.parametrize("store", STORES)
def test_units_that_are_given_back_can_be_booked(store: Any) -> None:
    """And those that were taken cannot."""
    calendar = filled(store)
    assert not calendar.is_available("van", 4, 6, 4)
    calendar.change("tour", quantity=3)
    assert calendar.is_available("van", 4, 6, 4)
    calendar.change("trip", quantity=6)
    assert not calendar.is_available("van", 4, 6)
    assert calendar.is_available("van", 6, 8, 6)
    calendar.check()


REFUSED: dict[str, tuple[Callable[[Calendar], Any], type[BookcoreError], str]] = {
    "no room": (lambda c: c.change("trip", quantity=6), ConflictError, "tour"),
    "above capacity": (lambda c: c.change("trip", quantity=10), ConflictError, "capacity"),
    "exclusive": (lambda c: c.change("talk", quantity=2), ConflictError, "capacity"),
    "in the buffer": (lambda c: c.change("row", quantity=3), ConflictError, "sail"),
    "zero": (lambda c: c.change("trip", quantity=0), InvalidQuantityError, "0"),
    "negative": (lambda c: c.change("trip", quantity=-2), InvalidQuantityError, "-2"),
    "a part": (lambda c: c.change("trip", quantity=1.5), InvalidQuantityError, "1.5"),  # type: ignore[arg-type]
    "None": (lambda c: c.change("trip", quantity=None), InvalidQuantityError, "None"),  # type: ignore[arg-type]
    "start": (lambda c: c.change("trip", start=2), FieldError, "start.*move"),
    "end and more": (lambda c: c.change("trip", end=2, guest="x"), FieldError, "end.*move"),
    "resource": (lambda c: c.change("trip", resource="room"), FieldError, "resource.*move"),
    "id": (lambda c: c.change("trip", id="other"), FieldError, "id"),
    "until": (lambda c: c.change("row", until=80), FieldError, "until"),
    "status": (lambda c: c.change("trip", status="held"), FieldError, "status"),
    "nothing": (lambda c: c.change("trip"), QueryError, "nothing"),
    "unknown": (lambda c: c.change("nobody", guest="x"), UnknownBookingError, "nobody"),
    "not booked": (lambda c: c.change(BookingEvent("room", 1, 2), guest="x"), UnknownBookingError, "not booked"),
    "changed before": (lambda c: [c.change(e, guest="x") for e in [c.get("trip")] * 2], UnknownBookingError, "moved"),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("how", REFUSED)
def test_a_change_that_is_refused_changes_nothing(how: str, store: Any) -> None:
    """And is named."""
    calendar = filled(store)
    call, error, word = REFUSED[how]
    before = calendar.digest()
    with pytest.raises(error, match=word), calendar.transaction():
        call(calendar)
    assert calendar.digest() == before
    calendar.check()


def test_a_conflict_tells_what_is_in_the_way_but_the_booking_itself() -> None:
    """As that of a move."""
    calendar = filled()
    with pytest.raises(ConflictError) as caught:
        calendar.change("trip", quantity=6)
    assert ([event.id for event in caught.value.conflicts], caught.value.quantity) == (["tour"], 6)


def test_what_was_closed_later_stops_only_more_units() -> None:
    """A booking that stands may be described otherwise, and give units back."""
    calendar = some()
    monday = datetime(2026, 5, 4, 9)
    calendar.book("van", monday, monday.replace(hour=12), id="trip", quantity=3)
    calendar.close("van", monday, None, "sold")
    calendar.change("trip", guest="Eve")
    calendar.change("trip", quantity=2)
    with pytest.raises(ConflictError, match="sold"):
        calendar.change("trip", quantity=3)
    calendar.reopen(calendar.closures_of("van")[0])
    calendar.set_hours("van", Hours({"sun": "09:00-17:00"}))
    calendar.change("trip", guest="Bob")
    with pytest.raises(ConflictError):
        calendar.change("trip", quantity=3)
    assert calendar.get("trip").quantity == 2


# -- classes of the program ----------------------------------------------------------------------------


def test_the_class_checks_the_fields_and_computes_what_follows() -> None:
    """As when it was booked."""
    calendar = some(event_type=Stay)
    stay = calendar.book("room", 1, 3, guest="Ada", nights=2)
    after: Any = calendar.change(stay, nights=3)
    assert (type(after), after.guest, after.nights, after.price) == (Stay, "Ada", 3, 270)
    assert calendar.get(stay.id) is after
    for wrong in ({"gest": "Eve"}, {"nights": 0}, {"price": 1}):
        with pytest.raises(FieldError, match=next(iter(wrong))):
            calendar.change(after, **wrong)
    assert calendar.get(stay.id) is after


def test_what_the_program_has_set_on_an_event_stays() -> None:
    """It is a field like the others."""
    calendar = some(event_type=Stay)
    stay: Any = Stay("room", 1, 3, guest="Ada")
    stay.note = "late"
    calendar.add_booking(stay)
    after: Any = calendar.change(stay, guest="Bob")
    assert (after.note, after.guest) == ("late", "Bob")


def test_a_constructor_that_takes_more_gets_more() -> None:
    """And its own fields pass through it."""
    calendar = some()
    calendar.add_booking(Visit("room", 1, 3, host="ada", id="v", door=3))
    after: Any = calendar.change("v", host="bob", floor=2)
    assert (type(after), dict(after.fields)) == (Visit, {"host": "Bob", "door": 3, "floor": 2})


def test_an_event_that_was_handed_in_stays_as_it_was() -> None:
    """The changed booking is another object."""
    calendar = some()
    event = calendar.add_booking(BookingEvent("van", 1, 3, guest="Ada", id="v"))
    after = calendar.change(event, quantity=2, guest="Bob")
    assert (event.quantity, dict(event.fields)) == (1, {"guest": "Ada"})
    assert (after.quantity, dict(after.fields)) == (2, {"guest": "Bob"})
    assert calendar.get("v") is after


class Nested(BookingEvent):
    """Keeps all that it is given in one field."""

    def __init__(self, resource: Any, start: Any, end: Any, *, quantity: int = 1, **more: Any) -> None:
        super().__init__(resource, start, end, quantity=quantity)
        self.more = more


class Priced(BookingEvent):
    """Has a field that follows from two arguments, of which it keeps one."""

    def __init__(self, resource: Any, start: Any, end: Any, *, guest: str = "", rate: int = 1, quantity: int = 1) -> None:
        super().__init__(resource, start, end, quantity=quantity)
        self.guest, self.label = guest, f"{guest} pays {rate}"


class Renaming(BookingEvent):
    """Keeps an argument under another name."""

    def __init__(self, resource: Any, start: Any, end: Any, *, who: str = "", quantity: int = 1, **more: Any) -> None:
        super().__init__(resource, start, end, quantity=quantity, **more)
        self.guest = who


class Popping(BookingEvent):
    """Takes an argument out of those that it passes on."""

    def __init__(self, resource: Any, start: Any, end: Any, **more: Any) -> None:
        self.guest = more.pop("guest", "").title()
        super().__init__(resource, start, end, **more)


class Fixed(BookingEvent):
    """Sets a field itself, whatever it is given."""

    guide = "Eve"

    def __init__(self, resource: Any, start: Any, end: Any, **more: Any) -> None:
        super().__init__(resource, start, end, **more)
        self.paid = False


LOST: dict[str, tuple[Any, dict[str, Any], dict[str, Any], str]] = {
    "a keyword that is nested": (Nested, {"note": 1}, {"note": 5}, "note.*no field of that name"),
    "a new keyword that is nested": (Nested, {"note": 1}, {"door": 5}, "door.*no field of that name"),
    "what it is nested in": (Nested, {"note": 1}, {"more": {"note": 5}}, "more.*keeps"),
    "what it is nested in, with more": (Nested, {}, {"more": 5}, "more.*keeps"),
    "an argument that is not kept": (Priced, {"guest": "Ada", "rate": 7}, {"guest": "Bob"}, "label.*arguments"),
    "an argument under another name": (Renaming, {"who": "Ada", "note": 1}, {"who": "Bob"}, "guest.*arguments"),
    "its other name": (Renaming, {"who": "Ada"}, {"guest": "Bob"}, "guest.*keeps ''"),
    "what the class sets": (Fixed, {}, {"paid": True}, "paid.*keeps False"),
    "what the class has": (Fixed, {}, {"guide": "Joe"}, "guide.*attribute"),
}


@pytest.mark.parametrize("how", LOST)
def test_what_the_class_would_not_keep_is_refused(how: str) -> None:
    """The constructor takes other arguments than the event has fields, so that a change cannot say what it is to be."""
    cls, booked, given, told = LOST[how]
    calendar = some(event_type=cls)
    event = calendar.book("van", 1, 3, **booked)
    before = dict(event.fields)
    with pytest.raises(FieldError, match=told):
        calendar.change(event, **given)
    assert (calendar.get(event.id) is event, dict(event.fields)) == (True, before)
    after = calendar.change(event, quantity=2)
    assert (dict(after.fields), after.quantity) == (before, 2)
    calendar.check()


@pytest.mark.parametrize("name", ["paid", "guide"])
def test_what_the_class_would_not_keep_is_not_booked_either(name: str) -> None:
    """Nobody could read it."""
    calendar = some(event_type=Fixed)
    for given in ({name: "Joe"}, {"fields": {name: "Joe"}}):
        with pytest.raises(FieldError, match=name):
            calendar.book("room", 1, 3, **given)
    assert len(calendar) == 0
    calendar.book("room", 1, 3, paid=False)


def test_what_the_class_makes_of_its_arguments_is_changed_by_them() -> None:
    """If it makes the same of its own fields again."""
    calendar = some(event_type=Popping)
    event = calendar.book("van", 1, 3, guest="ada", note=1)
    after = calendar.change(event, guest="bob")
    assert dict(after.fields) == {"guest": "Bob", "note": 1}
    assert dict(calendar.change(after, note=2).fields) == {"guest": "Bob", "note": 2}
    renamed: Any = Renaming("van", 1, 3, who="Ada")
    other = calendar.change(calendar.add_booking(renamed), note=1)
    assert dict(other.fields) == {"guest": "Ada", "note": 1}


def test_what_was_set_on_an_event_after_it_was_made_stays() -> None:
    """Though its class sets something else at first; a change of what that follows from computes it anew."""
    calendar = some()
    event: Any = Fixed("van", 1, 3, note=1)
    event.paid = True
    calendar.add_booking(event)
    assert dict(calendar.change(event, note=2).fields) == {"note": 2, "paid": True}
    stay: Any = Stay("room", 1, 3, guest="Ada", nights=2)
    stay.price = 50
    calendar.add_booking(stay)
    assert calendar.change(stay, guest="Bob").fields["price"] == 50
    with pytest.raises(FieldError, match="price"):
        calendar.change(calendar.get(stay.id), nights=3)


# -- fields that go ------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", STORES)
def test_a_field_is_removed(store: Any, tmp_path: Path) -> None:
    """Undone and redone, followed, found no more in an index, in a snapshot and a journal."""
    leader, follower = some(store), some()
    leader.subscribe(follower.apply)
    index = leader.create_booking_index("guest")
    event = leader.book("van", 1, 3, id="v", guest="Ada", note=1)
    digest = leader.digest()
    with leader.what_if():
        assert dict(leader.change("v", remove=["guest"]).fields) == {"note": 1}
        assert list(index.equal("Ada")) == []
    assert (leader.digest(), event.owns_lock, list(index.equal("Ada"))) == (digest, True, [event])
    after = leader.change("v", remove=("guest",), quantity=2, door=3)
    assert (dict(after.fields), after.quantity) == ({"note": 1, "door": 3}, 2)
    assert dict(leader.change("v", remove={"note", "door"}).fields) == {}
    assert follower.digest() == leader.digest()
    leader.check()
    with Calendar.open(tmp_path / "kept") as kept:
        kept.add_resource(Resource("van"))
        kept.book("van", 1, 3, id="v", guest="Ada", note=1)
        kept.change("v", remove=["guest"])
        digest = kept.digest()
    with Calendar.open(tmp_path / "kept") as kept:
        assert (kept.digest(), dict(kept.get("v").fields)) == (digest, {"note": 1})


REMOVALS: dict[str, tuple[Any, dict[str, Any], dict[str, Any], type[BookcoreError], str]] = {
    "no such field": (BookingEvent, {"guest": "Ada"}, {"remove": ["gest"]}, FieldError, "did you mean guest"),
    "no field at all": (BookingEvent, {}, {"remove": ["guest"]}, FieldError, "no such field"),
    "what every event has": (BookingEvent, {"guest": "Ada"}, {"remove": ["start"]}, FieldError, "no such field"),
    "given as well": (BookingEvent, {"guest": "Ada"}, {"remove": ["guest"], "guest": "Bob"}, FieldError, "given and"),
    "a text": (BookingEvent, {"a": 1, "b": 2}, {"remove": "ab"}, QueryError, "iterable of names"),
    "no names": (BookingEvent, {"a": 1}, {"remove": [1]}, QueryError, "iterable of names"),
    "no iterable": (BookingEvent, {"a": 1}, {"remove": 1}, QueryError, "iterable of names"),
    "nothing": (BookingEvent, {"a": 1}, {"remove": []}, QueryError, "nothing was given"),
    "declared": (Stay, {"guest": "Ada"}, {"remove": ["guest"]}, FieldError, "declared by its class"),
    "computed": (Stay, {"guest": "Ada"}, {"remove": ["price"]}, FieldError, "sets it anew"),
    "set by the class": (Fixed, {}, {"remove": ["paid"]}, FieldError, "sets it anew"),
}


@pytest.mark.parametrize("how", REMOVALS)
def test_a_field_that_cannot_be_removed_is_named(how: str) -> None:
    """And nothing changes."""
    cls, booked, given, error, told = REMOVALS[how]
    calendar = some(event_type=cls)
    event = calendar.book("van", 1, 3, **booked)
    with pytest.raises(error, match=told):
        calendar.change(event, **given)
    assert event.owns_lock
    calendar.check()


def test_fields_besides_those_of_the_class_are_removed() -> None:
    """Those that its constructor passes on, and those that were set on the event."""
    calendar = some()
    visit: Any = Visit("room", 1, 3, host="ada", door=3)
    visit.note = "late"
    calendar.add_booking(visit)
    assert dict(calendar.change(visit, remove=["door", "note"]).fields) == {"host": "Ada"}


def test_a_field_called_remove_is_given_in_fields() -> None:
    """By name it would be taken for the argument."""
    calendar = some()
    with pytest.raises(FieldError, match=r"remove.*Calendar\.change.*fields="):
        calendar.book("room", 1, 3, remove=True)
    event = calendar.book("room", 1, 3, fields={"remove": True}, removed=False)
    assert dict(calendar.change(event, fields={"remove": 5}).fields) == {"remove": 5, "removed": False}


# -- undone, followed, saved ---------------------------------------------------------------------------


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("kind", ["transaction", "what_if"])
def test_an_undone_change_leaves_the_booking_as_it_was(kind: str, store: Any) -> None:
    """Also several, with moves between them."""
    calendar = filled(store)
    before, trip, digest = list(calendar.bookings()), calendar.get("trip"), calendar.digest()
    try:
        with getattr(calendar, kind)():
            calendar.change("trip", quantity=5)
            calendar.change("trip", guest="Eve")
            calendar.move("trip", start=2)
            calendar.change("trip", quantity=1, guest="Bob")
            calendar.change("talk", speaker="Bob")
            calendar.change("row", guest="x")
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert (list(calendar.bookings()), trip.owns_lock, calendar.digest()) == (before, True, digest)
    assert calendar.get("row").until == 50
    calendar.check()


@pytest.mark.parametrize("how", ACCEPTED)
def test_a_follower_and_a_snapshot_have_the_change(how: str, tmp_path: Path) -> None:
    """Equal digests."""
    calendar, follower = some(clock=lambda: 0), Calendar()
    calendar = filled()
    calendar.snapshot(tmp_path / "before")
    follower = Calendar.restore(tmp_path / "before", types=[Resource], clock=None)
    calendar.subscribe(follower.apply)
    name, given, _, _ = ACCEPTED[how]
    calendar.change(name, **given)
    assert follower.digest() == calendar.digest()
    follower.check()
    calendar.snapshot(tmp_path / "after")
    restored = Calendar.restore(tmp_path / "after", types=[Resource], clock=lambda: 0)
    assert restored.digest() == calendar.digest()


def test_a_follower_takes_a_change_where_it_was_closed_later() -> None:
    """And refuses one that has no room there."""
    leader, follower = Calendar(), Calendar()
    told: list[Any] = []
    leader.subscribe(follower.apply)
    van = leader.add_resource(SimpleNamespace(id="van"), capacity=3)
    trip = leader.book(van, 1, 3)
    leader.subscribe(told.append)
    follower.close("van", 1, 9)
    leader.change(trip, quantity=2)
    assert follower.get(trip.id).quantity == 2
    follower.book("van", 10, 12, quantity=2, id="other")
    with pytest.raises(BookcoreError):
        follower.apply(changes.Changed(told[0].after, BookingEvent("van", 1, 3, id=trip.id, quantity=9)))
    follower.check()


@pytest.mark.parametrize("keys", [(None, 3), (1, None), (None, None)])
def test_bookings_without_an_end_are_changed(keys: Any) -> None:
    """Their units and their fields."""
    calendar = some()
    calendar.book("van", *keys, id="v", quantity=2)
    calendar.change("v", quantity=9, guest="Ada")
    with pytest.raises(ConflictError):
        calendar.change("v", quantity=10)
    assert not calendar.is_available("van", 1, 2)
    calendar.check()


def test_closed_bounds_and_zero_lengths() -> None:
    """The end belongs to the span."""
    calendar = some(bounds="[]")
    calendar.book("van", 3, 3, id="v", quantity=4)
    calendar.book("van", 1, 3, id="w", quantity=4)
    assert calendar.change("v", quantity=5).quantity == 5
    with pytest.raises(ConflictError):
        calendar.change("w", quantity=5)
    calendar.check()
