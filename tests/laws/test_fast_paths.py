"""The fast paths of `Calendar.is_available` and `Calendar.book`: they are taken, and say what the general paths say."""

from __future__ import annotations

from bisect import bisect_left
from collections import namedtuple
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import BookcoreError, BookingEvent, Calendar, DuplicateBookingError, MemoryStore, Resource
from bookcore.engine.engine import Engine
from bookcore.engine.rules import Rules
from bookcore.index.sequence_table import SIZE, SequenceTable
from bookcore.testing import SMALL, Family, any_family, rank_spans

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["book"] * 6 + ["remove", "close", "reopen", "hold", "tick", "tag"]),
        st.integers(0, 5),
        rank_spans("[]", 0, 30),
        st.integers(0, 99),
    ),
    max_size=40,
)
"""What is done, to which resource (there is no fifth), over which span of ranks, and a number to choose with."""

PLACES: tuple[Callable[[int], Any], ...] = (
    Resource,
    Resource,
    lambda number: Resource(number, capacity=2),
    lambda number: SimpleNamespace(id=number),
    Resource,
)


class General:
    """A calendar whose questions and bookings all go the general way."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        calendar._beside_rows = True  # `book` hands everything to the engine

    def is_available(self, *asked: Any) -> bool:
        """Ask where no reader may do without the lock."""
        self.calendar._gate.stamp = None
        return self.calendar.is_available(*asked)

    def book(self, *asked: Any, **named: Any) -> BookingEvent:
        """Book past the fast path."""
        return self.calendar.book(*asked, **named)


def outcome(call: Callable[..., Any], *asked: Any, **named: Any) -> Any:
    """Return what a call returns or raises, as something that compares equal between calendars."""
    try:
        found = call(*asked, **named)
    except BookcoreError as error:
        return type(error).__name__, str(error)
    if isinstance(found, BookingEvent):
        return (
            type(found), found.id, found.resource.id, found.start, found.end, found.quantity,
            dict(found.fields), found.status, found.owns_lock, found._seq, found._lock,
        )  # fmt: skip
    return found


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@given(family=any_family(), steps=STEPS, data=st.data())
def test_fast_and_general_paths_agree(bounds: Any, family: Family, steps: Any, data: st.DataObject) -> None:
    """One history twice: the same answers, events and refusals, and the same digest at the end."""
    now = [0]
    quick, slow = (Calendar(MemoryStore(SMALL), bounds=bounds, clock=lambda: now[0]) for _ in range(2))
    general = General(slow)
    places = [[make(number) for number, make in enumerate(PLACES)] for _ in range(2)]
    for calendar, own in zip((quick, slow), places, strict=True):
        for place in own:
            calendar.add_resource(place)
    for step, (what, number, (low, high), pick) in enumerate(steps):
        start, end = family.key(low, step), family.key(high, step + 1)
        named = [own[number] if pick % 3 and number < len(own) else number for own in places]
        if what == "book":
            asked = outcome(quick.is_available, named[0], start, end)
            assert outcome(general.is_available, named[1], start, end) == asked
            id = (None, f"b{pick % 8}", f"b{step}", pick % 8)[pick % 4]
            booked = outcome(general.book, named[1], start, end, id=id)
            assert outcome(quick.book, named[0], start, end, id=id) == booked
        elif what == "tick":
            now[0] += pick % 4
        else:
            done = []
            for calendar, place in zip((quick, slow), named, strict=True):
                events, closures = list(calendar.bookings()), calendar.closures()
                if what == "remove" and events:
                    done.append(outcome(calendar.remove_booking, events[pick % len(events)]))
                elif what == "close":
                    done.append(outcome(lambda c, *span: c.close(*span).id, calendar, place, start, end))
                elif what == "reopen" and closures:
                    done.append(outcome(calendar.reopen, closures[pick % len(closures)]))
                elif what == "hold":
                    done.append(outcome(lambda c, *span: c.hold(*span, ttl=3), calendar, place, start, end))
                elif what == "tag":
                    done.append(outcome(calendar.tag, place, "sea"))
            assert len(set(map(repr, done))) <= 1
        for place, other in zip(*places, strict=True):
            asked = outcome(quick.is_available, place, start, end)
            assert outcome(general.is_available, other, start, end) == asked
    places = [[place for place in own if isinstance(place, Resource)] for own in places]
    assert [outcome(lambda e: e, event) for event in quick.bookings()] == [
        outcome(lambda e: e, event) for event in slow.bookings()
    ]
    for calendar in (quick, slow):
        for event in [event for event in calendar.bookings() if event.resource.id == 3]:
            calendar.remove_booking(event)  # a digest writes no objects of other libraries
        for closure in calendar.closures(3):
            calendar.reopen(closure)
        calendar.remove_resource(3)
        calendar.check()
    if family.name != "own":  # nor keys of a class that nobody has said how to write
        assert quick.digest() == slow.digest()


Named = namedtuple("Named", ["id", "floor"])


class Plain:
    """An object of another library."""

    def __init__(self, id: Any) -> None:
        self.id = id


HOUR = timedelta(hours=1)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ASKED: dict[str, tuple[Any, bool, Any, Any]] = {
    "a resource": (Resource("r"), False, 1, 1),
    "an int": (Resource(7), True, 1, 1),
    "a text": (Resource("r"), True, 1, 1),
    "another hashable id": (Resource(frozenset({1})), True, 1, 1),
    "an object of another library": (Plain("r"), False, 1, 1),
    "a named tuple": (Named("r", 3), False, 1, 1),
    "the id of an object of another library": (Plain("r"), True, 1, 1),
    "keys of text": (Resource("r"), False, "a", None),
    "keys of floats": (Resource("r"), False, 1.5, 0.5),
    "times in UTC": (Resource("r"), False, NOON, HOUR),
    "times without a zone": (Resource("r"), False, NOON.replace(tzinfo=None), HOUR),
}
"""A resource, whether it is named by its id, a first key and a step."""


def key(first: Any, step: Any, at: int) -> Any:
    """Return one of a few keys in order."""
    return first + at * step if step is not None else first + "abcdefgh"[at]


def counted(patch: pytest.MonkeyPatch, counts: dict[str, int]) -> None:
    """Count the calls of the general paths."""
    for owner, name in ((Engine, "book"), (Rules, "allows")):
        right = getattr(owner, name)

        def call(self: Any, *args: Any, right: Any = right, name: str = name) -> Any:
            counts[name] += 1
            return right(self, *args)

        patch.setattr(owner, name, call)


@pytest.mark.parametrize("id", [None, "talk"])
@pytest.mark.parametrize("name", ASKED)
def test_the_fast_path_is_taken(name: str, id: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a resource is named, and whatever its keys are: neither the engine nor the rules are asked."""
    resource, by_id, first, step = ASKED[name]
    calendar = Calendar()
    calendar.add_resource(Resource("other"))
    calendar.add_resource(resource)
    asked = resource.id if by_id else resource
    keys = [key(first, step, at) for at in range(8)]
    calendar.book(asked, keys[0], keys[1])
    counts = {"book": 0, "allows": 0}
    counted(monkeypatch, counts)
    booked = calendar.book(asked, keys[2], keys[4], id=id)
    assert booked.resource is resource and booked.owns_lock
    assert booked.id == (2 if id is None else id) and calendar.get(booked.id) == booked and booked in calendar
    assert [calendar.is_available(asked, keys[at], keys[at + 1]) for at in range(6)] == [
        False, True, False, False, True, True,
    ]  # fmt: skip
    assert calendar.is_available("other", keys[2], keys[4]) and calendar.book("other", keys[2], keys[4])
    assert counts == {"book": 0, "allows": 0}
    calendar.check()


SLOW: dict[str, Callable[[Calendar], Any]] = {
    "a closure": lambda calendar: calendar.close("r", 90, 91),
    "a hold that may run out": lambda calendar: calendar.hold("other", 90, 91, until=5),
    "a subscriber": lambda calendar: calendar.subscribe(lambda change: None),
}


@pytest.mark.parametrize("id", ["talk", 7, (1, "a"), frozenset({2}), type("Text", (str,), {})("talk")])
def test_an_id_that_is_taken_or_no_text_is_left_to_the_engine(id: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a text that no booking has, and no expired hold had, is taken at once."""
    now = [0]
    calendar = Calendar(clock=lambda: now[0])
    calendar.add_resource(Resource("r"))
    hold = calendar.hold("r", 1, 2, id="gone", ttl=1)
    now[0] = 9
    assert len(calendar) == 0
    counts = {"book": 0, "allows": 0}
    counted(monkeypatch, counts)
    calendar.book("r", 3, 4, id=id)
    assert counts["book"] == 1  # the expired hold is remembered
    with pytest.raises(DuplicateBookingError):
        calendar.book("r", 5, 6, id=id)
    assert calendar.book("r", 5, 6, id="gone").owns_lock and not hold.owns_lock
    calendar.check()


@pytest.mark.parametrize("name", SLOW)
def test_the_fast_path_of_a_booking_is_left_where_it_does_not_decide(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count above counts what it says: with another rule, a deadline or a subscriber the engine is asked."""
    calendar = Calendar(clock=lambda: 0)
    calendar.add_resource(Resource("r"))
    calendar.add_resource(Resource("other"))
    SLOW[name](calendar)
    counts = {"book": 0, "allows": 0}
    counted(monkeypatch, counts)
    calendar.book("r", 1, 2)
    assert counts["book"] == 1 and counts["allows"] >= 1


def test_times_of_another_zone_are_left_to_the_general_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are turned into UTC there; the answers are those for the same instants."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    calendar.book("r", NOON, NOON + HOUR)
    counts = {"book": 0, "allows": 0}
    counted(monkeypatch, counts)
    here = NOON.astimezone(ZoneInfo("Europe/Berlin"))
    assert not calendar.is_available("r", here, here + HOUR) and calendar.is_available("r", here + HOUR, here + 2 * HOUR)
    assert counts["allows"] == 2
    assert calendar.book("r", here + HOUR, here + 2 * HOUR).start.tzinfo is here.tzinfo
    assert counts["book"] == 1


@pytest.mark.parametrize("change", ["book", "remove_booking"])
def test_answer_from_before_a_change_is_not_given_after_it(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast path has read the bookings when the change comes, so it compares the stamp again and asks anew."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    calendar.book("r", 1, 2)
    if change == "remove_booking":
        calendar.book("r", 5, 8, id="x")
    changes = {"book": partial(calendar.book, "r", 5, 8), "remove_booking": partial(calendar.remove_booking, "x")}

    def interrupted(edges: Any, key: Any) -> int:
        monkeypatch.undo()
        changes[change]()
        return bisect_left(edges, key)

    monkeypatch.setattr("bookcore.calendar.bisect_left", interrupted)
    assert calendar.is_available("r", 6, 7) is (change == "remove_booking")
    assert len(calendar) == (2 if change == "book" else 1)


@pytest.mark.parametrize(
    ("first", "last", "broken"),
    [(Decimal(1), Decimal(2), Decimal("NaN")), (Decimal(1), Decimal(2), Decimal("sNaN")), (1.0, 2.0, float("nan"))],
    ids=["a decimal NaN", "a signalling NaN", "a NaN"],
)
@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_key_that_is_no_point_is_refused_by_both_paths(first: Any, last: Any, broken: Any, bounds: Any) -> None:
    """`<` of two decimals raises for a NaN, also where the keys of the calendar are decimals."""
    quick, slow = (Calendar(bounds=bounds) for _ in range(2))
    for calendar in (quick, slow):
        calendar.book(calendar.add_resource(Resource("r")), first, last)
    general = General(slow)
    for span in ((broken, last), (first, broken), (broken, broken)):
        for right, ours in ((general.is_available, quick.is_available), (general.book, quick.book)):
            kind, text = outcome(right, "r", *span)
            assert kind == "InvalidKeyError"
            assert outcome(ours, "r", *span) == (kind, text)
    assert len(quick) == len(slow) == 1


@pytest.mark.parametrize("kept", [1, 2, 300, 3_000], ids=lambda kept: f"every {kept}. is kept")
def test_bookings_by_the_thousand_are_kept_where_the_general_path_keeps_them(kept: int) -> None:
    """The fast path appends to the table of the ledger by itself, across the borders of the parts of the table."""
    quick, slow = Calendar(), Calendar()
    for calendar in (quick, slow):
        calendar.add_resource(Resource("r"))
        book = General(calendar).book if calendar is slow else calendar.book
        for at in range(2_500):
            booking = book("r", at, at + 1)
            if at % kept:
                calendar.remove_booking(booking.id)
        calendar.check()
    held = [{key: table[key] for key in table} for table in (quick._ledger.owners, slow._ledger.owners)]
    assert held[0] == held[1]
    assert list(held[0]) == [at + 1 for at in range(0, 2_500, kept)]


def test_bookings_by_the_thousand_are_appended_to_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The general way into the table is taken once for each part, which it begins."""
    begun, right = list[int](), SequenceTable.__setitem__

    def put(table: SequenceTable, key: int, value: int) -> None:
        begun.append(key)
        right(table, key, value)

    monkeypatch.setattr(SequenceTable, "__setitem__", put)
    calendar = Calendar()
    for name in range(SIZE):
        calendar.add_resource(Resource(name))
    for at in range(3 * SIZE):
        calendar.book(at % SIZE, at, at + 1)
    assert begun == [1, SIZE, 2 * SIZE, 3 * SIZE]


def test_ids_that_do_not_equal_themselves_are_kept() -> None:
    """A NaN is found again by the very object, and `check` has nothing to say against it."""
    calendar = Calendar()
    room, id = calendar.add_resource(Resource("r")), Decimal("NaN")
    booking = calendar.book(room, 1, 2, id=id)
    calendar.check()
    assert calendar.get(id) == booking
    calendar.remove_booking(id)
    calendar.check()
    assert not len(calendar)
