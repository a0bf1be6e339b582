"""Computed keys are told in the zone of the question: both ends of an answer in one zone, and the instants unchanged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import Calendar, MemoryStore, Resource
from bookcore.hours import Hours
from bookcore.model.keys import normal
from bookcore.testing import ListStore

HOUR = timedelta(hours=1)
DAWN = datetime(2026, 10, 25, tzinfo=UTC)  # an hour later clocks go back in Berlin
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
ZONES = [BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC"), timezone(timedelta(hours=5, minutes=30)), UTC]
STORES = [MemoryStore, ListStore]


def at(hour: float, zone: tzinfo) -> datetime:
    """Return an instant, so many hours after the start of the day, in a zone."""
    return (DAWN + hour * HOUR).astimezone(zone)


def hours_after(key: datetime, *hours: float) -> list[datetime]:
    """Return instants some hours after another, in its zone."""
    return [(key.astimezone(UTC) + hour * HOUR).astimezone(key.tzinfo) for hour in hours]


def filled(store: Any, bounds: Any, zone: tzinfo = NEW_YORK) -> Calendar:
    """Return a calendar with a room, a pool, a room with hours and many more, booked in a zone."""
    calendar = Calendar(store, bounds=bounds)
    calendar.add_resource(Resource("room"))
    calendar.add_resource(Resource("pool", 3, before=HOUR / 4))
    calendar.add_resource(Resource("desk"))
    calendar.set_hours("desk", Hours({"daily": "00:30-02:45"}, zone="Europe/Berlin"))
    for low, high in ((1, 2), (3, 4), (4.5, 6), (12, 13)):
        calendar.book("room", at(low, zone), at(high, zone))
        calendar.book("pool", at(low, zone), at(high + 2, zone))
    calendar.hold("room", at(9, zone), at(10, zone))
    calendar.close("room", at(7, zone), at(8, zone), "paint")
    return calendar


Ask = Callable[[Calendar, Any, Any], Any]
QUESTIONS: dict[str, Ask] = {
    "gaps": lambda c, a, b: [*c.gaps("room", a, b), *c.gaps("pool", a, b, quantity=2)],
    "long gaps": lambda c, a, b: list(c.gaps("room", a, b, at_least=HOUR)),
    "gaps in hours": lambda c, a, b: list(c.gaps("desk", a, b)),
    "common_gaps": lambda c, a, b: list(c.common_gaps(["room", "pool"], a, b)),
    "a quorum": lambda c, a, b: list(c.common_gaps(["desk", "room"], a, b, quorum=1)),
    "of none": lambda c, a, b: list(c.common_gaps([], a, b)),
    "free_busy": lambda c, a, b: [*c.free_busy("room", a, b), *c.free_busy("pool", a, b), *c.free_busy("desk", a, b)],
    "occupancy": lambda c, a, b: [*c.occupancy("room", a, b), *c.occupancy("pool", a, b)],
    "find_slots": lambda c, a, b: list(c.find_slots(HOUR, a, b)),
    "many": lambda c, a, b: list(c.find_slots(2 * HOUR, a, b, quantity=2)),
    "a grid": lambda c, a, b: list(c.find_slots(HOUR, a, b, step=HOUR / 2)),
    "next_available": lambda c, a, b: [c.next_available(id, a, HOUR / 2) for id in ("room", "pool", "desk")],
    "far": lambda c, a, b: [c.next_available("room", a, 9 * HOUR)],
    "nearest": lambda c, a, b: list(c.nearest("room", a, b)),
    "nearest in hours": lambda c, a, b: list(c.nearest("desk", *hours_after(a, 2, 3))),
    "nearest, free": lambda c, a, b: list(c.nearest("room", *hours_after(a, 20, 21))),
    "explain": lambda c, a, b: [(w.start, w.end) for w in c.explain("desk", a, b).causes],
}


def keys_of(answers: Any) -> list[list[Any]]:
    """Return the ends of each answer."""
    return [[answer[0], answer[1]] for answer in answers]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("make", STORES)
def test_answers_are_in_the_zone_of_the_question(make: Any, bounds: Any, question: str) -> None:
    """In that of its start, if its end is in another one; the instants are those of the same question asked in UTC."""
    calendar = filled(make(), bounds)
    ask = QUESTIONS[question]
    expected = keys_of(ask(calendar, at(0, UTC), at(14, UTC)))
    assert expected
    assert {key.tzinfo for pair in expected for key in pair} == {UTC}
    for zone in ZONES:
        for other in (zone, NEW_YORK, UTC):
            start, end = at(0, zone), at(14, other)
            answers = keys_of(ask(calendar, start, end))
            assert [[key.astimezone(UTC) for key in pair] for pair in answers] == expected
            assert {key.tzinfo for pair in answers for key in pair} == {zone}
            assert all(key is start for pair in answers for key in pair if normal(key) == normal(start))


@pytest.mark.parametrize("question", ["gaps", "long gaps", "common_gaps", "of none", "occupancy"])
@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("make", STORES)
@pytest.mark.parametrize("zone", ZONES)
def test_answers_of_a_question_without_bounds_are_in_the_zone_of_a_booking(
    make: Any, bounds: Any, question: str, zone: tzinfo
) -> None:
    """With one bound they are in that one's zone."""
    calendar = filled(make(), bounds, zone)
    calendar.set_hours("desk", None)
    answers = keys_of(QUESTIONS[question](calendar, None, None))
    told = {key.tzinfo for pair in answers for key in pair if key is not None}
    assert told == ({zone} if question != "of none" else set())
    for other in (BERLIN, UTC):
        for span in ((at(0, other), None), (None, at(14, other))):
            answers = keys_of(QUESTIONS[question](calendar, *span))
            assert {key.tzinfo for pair in answers for key in pair if key is not None} == {other}


@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_answers_without_bookings_are_in_the_zone_of_a_closure_or_of_the_hours(bounds: Any) -> None:
    """In this order; free_busy is as gaps."""
    calendar = Calendar(bounds=bounds)
    calendar.add_resource(Resource("room"))
    calendar.set_hours("room", Hours({"daily": "10:00-11:00"}, zone="Europe/Berlin", exceptions={"2026-12-24": None}))
    calendar.add_resource(Resource("shut"))
    calendar.close("shut", at(1, NEW_YORK), at(2, NEW_YORK))
    gaps = list(islice(calendar.gaps("room", None, None), 3))
    assert {key.tzinfo for pair in gaps for key in pair if key is not None} == {BERLIN}
    for answers in (list(calendar.gaps("shut", None, None)), calendar.free_busy("shut", None, None)):
        assert {key.tzinfo for pair in keys_of(answers) for key in pair if key is not None} == {NEW_YORK}


@pytest.mark.parametrize("zone", ZONES)
def test_keys_inside_tuples_are_told_in_the_zone_of_the_tuple_asked_with(zone: tzinfo) -> None:
    """Element by element, as they are compared."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    calendar.book("room", (at(1, NEW_YORK), "a"), (at(2, NEW_YORK), "b"))
    calendar.book("room", (at(5, UTC), "a"), (at(6, UTC), "b", 7))
    start, end = (at(0, zone), ""), (at(9, BERLIN), "")
    gaps = list(calendar.gaps("room", start, end))
    assert [[key[0].tzinfo for key in pair] for pair in gaps] == [[zone, zone]] * 3
    assert [[key[1:] for key in pair] for pair in gaps] == [[("",), ("a",)], [("b",), ("a",)], [("b", 7), ("",)]]
    assert gaps[0][0] is start
    assert [normal(a)[0] for a, _ in gaps] == [at(0, UTC), at(2, UTC), at(6, UTC)]


class Odd(tzinfo):
    """A zone that fails for some instants."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        """Return an hour."""
        return HOUR

    def dst(self, when: datetime | None) -> timedelta:
        """Return nothing."""
        return timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        """Return a name."""
        return "odd"

    def fromutc(self, when: datetime) -> datetime:
        """Fail."""
        raise LookupError(when)


def test_answers_that_have_no_place_in_the_zone_are_in_utc() -> None:
    """Both ends: beyond the years of datetime, or where the zone's own code fails."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    last = datetime.max.replace(tzinfo=UTC)
    calendar.book("room", at(1, BERLIN), at(2, BERLIN))
    calendar.book("room", at(5, BERLIN), last)
    odd = DAWN.replace(tzinfo=Odd())
    gaps = list(calendar.gaps("room", odd, None))
    assert [key and key.tzinfo for key in gaps[0]] == [UTC, UTC]
    assert list(calendar.gaps("room", at(6, BERLIN), None)) == [(last, None)]
    assert list(calendar.occupancy("room", at(3, BERLIN), None))[1:] == [(at(5, UTC), last, 1), (last, None, 0)]


def test_datetimes_without_a_zone_are_left_alone() -> None:
    """Nor are other keys changed: the ends of a question are the objects that were given."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    start, end = (datetime(2026, 5, 4, hour) for hour in (8, 18))
    calendar.book("room", start + HOUR, start + 2 * HOUR)
    first, second = calendar.gaps("room", start, end)
    assert first[0] is start
    assert second[1] is end
    assert first[1].tzinfo is second[0].tzinfo is None


def test_what_was_given_comes_back_as_given() -> None:
    """Bookings, closures and refusals carry the keys of the caller, whatever zone a question is in."""
    calendar = filled(MemoryStore(), "[)")
    for event in calendar.bookings("room", at(0, BERLIN), at(9, UTC)):
        assert event.start.tzinfo is event.end.tzinfo is NEW_YORK
    (conflict, *_) = calendar.conflicts("room", at(1, UTC), at(2, UTC))
    (closure,) = calendar.closures("room")
    assert {conflict.start.tzinfo, closure.start.tzinfo, closure.end.tzinfo} == {NEW_YORK}
    for strategy in ("first", "best_fit", "least_used"):
        start, end = at(14, BERLIN), at(15, BERLIN)
        event = calendar.book_any(calendar.resources, start, end, strategy=strategy)
        assert event.start is start
        assert event.end is end
        calendar.remove_booking(event)
