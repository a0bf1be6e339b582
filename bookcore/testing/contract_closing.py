"""Conformance tests of closures, opening hours and buffers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    ConflictError,
    HoursError,
    InvalidSpanError,
    KeyTypeError,
    MemoryStore,
    QueryError,
    Resource,
    UnknownClosureError,
    UnknownResourceError,
)
from bookcore.hours.opening_hours import Hours
from bookcore.testing.contract_laws import fingerprint
from bookcore.testing.contract_life import rooms
from bookcore.testing.contract_store import BOUNDS
from bookcore.testing.families import Family, families

MONDAY = datetime(2026, 5, 4)


def at(hour: int, minute: int = 0, day: int = 4) -> datetime:
    """Return a time in May 2026, of which the 4th is a Monday."""
    return datetime(2026, 5, day, hour, minute)


class ClosingExam:
    """What is closed is closed for search, booking, moving and explaining alike."""

    # -- closures ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_a_closure_bars_bookings_and_lets_standing_ones_be(self, store: Any, bounds: Any) -> None:
        """Active bookings stay and are listed by the closure, which is among the causes of a refusal until it is lifted."""
        calendar = rooms(store, bounds)
        standing, far = calendar.book("q", 1, 5), calendar.book("q", 20, 21)
        closure = calendar.close("q", 3, 9, "paint")
        assert (closure.resource.id, closure.start, closure.end, closure.reason) == ("q", 3, 9, "paint")
        assert closure.overlapping == (standing,)
        assert (standing.owns_lock, len(calendar)) == (True, 2)
        assert calendar.find_available(4, 5).ids() == ["r"]
        assert calendar.find_booked(4, 5).ids() == ["q"]
        assert not calendar.is_available("q", 8, 12)
        assert calendar.is_available("q", 10, 12, quantity=3)
        with pytest.raises(ConflictError, match="paint") as caught:
            calendar.book("q", 6, 7)
        assert (caught.value.conflicts, caught.value.causes) == ((), ("closed: paint",))
        with pytest.raises(ConflictError, match="paint"):
            calendar.move(far, start=8)
        with pytest.raises(ConflictError, match="paint"):
            calendar.hold("q", 8, 10)
        assert calendar.closures("q") == calendar.closures() == (closure,)
        calendar.reopen(closure)
        assert calendar.closures() == ()
        assert calendar.is_available("q", 6, 7, quantity=3)
        calendar.check()

    def test_overlapping_closures_are_lifted_one_by_one(self, store: Any) -> None:
        """A span that two closures cover is closed until both are removed."""
        calendar = rooms(store)
        late, early = calendar.close("r", 4, 9), calendar.close("r", 1, 6)
        assert calendar.closures("r") == (early, late)
        assert calendar.closures() == (late, early)
        calendar.reopen(early)
        assert [calendar.is_available("r", *span) for span in ((1, 4), (4, 5), (8, 9), (9, 10))] == [
            True, False, False, True,
        ]  # fmt: skip
        calendar.reopen(late)
        assert calendar.find_available(1, 9).ids() == ["r", "q"]

    def test_closures_are_kept_to_however_many_are_asked(self, store: Any) -> None:
        """A search over many resources, over few of them, for the first, and one by one."""
        calendar = Calendar(store)
        for number in range(300):
            calendar.add_resource(Resource(number, 1 + number % 2))
        calendar.load([BookingEvent(number, 0, 10) for number in range(0, 300, 3)])
        calendar.close_all(range(0, 300, 2), 5, 15)
        for start, end in ((0, 5), (5, 10), (10, 15), (15, 20)):
            shut = range(0, 300, 2) if start < 15 and end > 5 else ()
            booked = range(0, 300, 6) if start < 10 else ()  # those of the others have a second unit
            right = [number for number in range(300) if number not in shut and number not in booked]
            assert calendar.find_available(start, end).ids() == right
            assert [who.id for who in calendar.find_available(start, end).first(20)] == right[:20]
            assert len(calendar.find_available(start, end)) == len(right)
            assert calendar.find_available(start, end, range(7)).ids() == [number for number in right if number < 7]
            assert [number for number in range(300) if calendar.is_available(number, start, end)] == right
        calendar.check()

    def test_closing_many_is_one_change(self, store: Any) -> None:
        """Of a selection, or an iterable of resources or ids; an unknown one among them, and nothing is closed."""
        calendar = rooms(store)
        before = fingerprint(calendar)
        with pytest.raises(UnknownResourceError):
            calendar.close_all(["r", "nobody"], 1, 5)
        assert fingerprint(calendar) == before
        closures = calendar.close_all(calendar.resources, None, 5, "winter")
        assert [closure.resource.id for closure in closures] == ["r", "q"]
        assert not calendar.find_available(-100, 1)
        assert calendar.find_available(5, None).ids() == ["r", "q"]
        assert len(calendar.close_all(["q"], 9, 10)) == 1

    def test_closing_nobody_takes_a_span_as_well(self, store: Any) -> None:
        """A span that is none is refused, for every resource."""
        calendar = rooms(store)
        assert calendar.close_all([], 1, 5) == ()
        with pytest.raises(InvalidSpanError):
            calendar.close_all([], 5, 1)

    def test_a_closure_that_cannot_be_is_refused(self, store: Any) -> None:
        """A closure that is not in the calendar cannot be removed."""
        calendar, other = rooms(store), rooms(MemoryStore())
        closure, foreign = calendar.close("r", 1, 5), other.close("r", 1, 5)
        before = fingerprint(calendar)
        for error, args in (
            (UnknownResourceError, ("nobody", 1, 2)),
            (InvalidSpanError, ("r", 2, 1)),
            (KeyTypeError, ("r", 1, "x")),
            (QueryError, ("r", 1, 2, 3)),
        ):
            with pytest.raises(error):
                calendar.close(*args)
        for wrong in (foreign, closure.id, None):
            with pytest.raises(UnknownClosureError):
                calendar.reopen(wrong)  # type: ignore[arg-type]
        assert fingerprint(calendar) == before
        calendar.reopen(closure)
        with pytest.raises(UnknownClosureError):
            calendar.reopen(closure)

    @pytest.mark.parametrize("family", families(), ids=str)
    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_every_family_of_keys_can_be_closed_and_held(self, store: Any, family: Family, bounds: Any) -> None:
        """Closures, holds, moves and splits only compare keys."""
        calendar = rooms(store, bounds)
        key = family.key
        closure = calendar.close("r", key(3), key(6))
        assert calendar.find_available(key(5), key(9)).ids() == ["q"]
        held = calendar.hold("q", key(3), key(6), quantity=3)
        assert not calendar.find_available(key(4), key(5))
        moved = calendar.move(calendar.confirm(held), end=key(9))
        assert (moved.status, moved.end) == ("confirmed", key(9)) or family.name == "own"
        if bounds == "[)":
            calendar.split(moved, key(5))
        calendar.reopen(closure)
        assert calendar.find_available(key(4), key(5)).ids() == ["r"]
        with pytest.raises(ConflictError):
            calendar.book("q", key(4), key(5))
        assert calendar.book_any(calendar.resources, key(4), key(5)).resource.id == "r"
        calendar.check()

    # -- hours -------------------------------------------------------------------------------------

    def test_opening_hours_decide_search_and_booking_alike(self, store: Any) -> None:
        """Weekdays from nine to five for one of two; bookings from before the hours stay; None removes the hours."""
        calendar = rooms(store)
        night = calendar.book("r", at(22), at(23))
        calendar.set_hours("r", Hours({"mon-fri": "09:00-17:00"}, exceptions={"2026-05-05": "12:00-13:00"}))
        inside, across, outside = (at(10), at(12)), (at(16), at(18)), (at(10, day=5), at(11, day=5))
        assert calendar.find_available(*inside).ids() == ["r", "q"]
        for span in (across, outside):
            assert calendar.find_available(*span).ids() == ["q"]
            with pytest.raises(ConflictError, match="opening hours") as caught:
                calendar.book("r", *span)
            assert caught.value.conflicts == ()
        calendar.book("r", *inside)
        calendar.book("r", at(12, day=5), at(13, day=5))
        assert night.owns_lock
        calendar.set_hours(["r"], None)
        assert calendar.is_available("r", *across)
        calendar.check()

    def test_hours_in_a_zone_follow_its_wall_clock(self, store: Any) -> None:
        """Nine in Berlin is eight in winter and seven in summer in UTC; any zone may ask."""
        calendar = rooms(store)
        calendar.set_hours("r", Hours({"mon-sun": "09:00-17:00"}, zone="Europe/Berlin"))
        winter, summer = datetime(2026, 3, 28, 8, tzinfo=UTC), datetime(2026, 3, 29, 7, tzinfo=UTC)
        hour = timedelta(hours=1)
        for opens in (winter, summer, winter.astimezone(ZoneInfo("Asia/Tokyo"))):
            assert calendar.is_available("r", opens, opens + hour)
            assert not calendar.is_available("r", opens - hour, opens)
            assert calendar.find_available(opens - hour, opens).ids() == ["q"]
        with pytest.raises(KeyTypeError):
            calendar.is_available("r", at(9), at(10))

    def test_many_share_hours_that_are_asked_once(self, store: Any) -> None:
        """A search evaluates a rule once, however many resources share it."""
        calendar = Calendar(store)
        for number in range(200):
            calendar.add_resource(Resource(number))
        rules = [Hours({"mon-fri": f"{hour:02}:00-17:00"}) for hour in (8, 9)]
        calendar.set_hours(range(100), rules[0])
        calendar.set_hours([calendar.find([number]).first(1)[0] for number in range(100, 200)], rules[1])
        asked: list[Hours] = []
        real = Hours.holds

        def count(self: Hours, *args: Any, **how: Any) -> bool:
            asked.append(self)
            return real(self, *args, **how)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Hours, "holds", count)
            assert len(calendar.find_available(at(8), at(9))) == 100
        assert asked == rules or asked == rules[::-1]

    def test_hours_are_undone_and_told_like_any_change(self, store: Any) -> None:
        """With a transaction, by a follower, and with the resource that kept them."""
        calendar, follower = Calendar(store), Calendar(MemoryStore())
        calendar.subscribe(follower.apply)
        for name in ("r", "q"):
            calendar.add_resource(Resource(name))
        early, late = Hours({"mon": "09:00-12:00"}), Hours({"mon": "12:00-17:00"})
        stay = calendar.book("r", at(8), at(12))
        calendar.set_hours("r", early)

        def free() -> list[Any]:
            return [one.find_available(at(9), at(10)).ids() for one in (calendar, follower)]

        with calendar.what_if():
            calendar.remove_booking(stay)
            assert calendar.find_available(at(9), at(10)).ids() == ["r", "q"]
            calendar.set_hours(calendar.resources, late)
            assert calendar.find_available(at(9), at(10)).ids() == []
            calendar.remove_resource("r")
            calendar.set_hours("q", None)
        assert free() == [["q"], ["q"]]
        first, _ = calendar.split(stay, at(10))  # this booking is from before the opening hours, which begin at nine
        calendar.remove_booking(first)
        assert free() == [["r", "q"], ["r", "q"]]
        with pytest.raises(ConflictError):
            calendar.book("r", at(8), at(9))
        calendar.check()
        follower.check()

    @pytest.mark.parametrize(
        ("key", "zone", "says"),
        [
            (5, None, "need keys that are datetimes"),
            (at(9), "Europe/Berlin", "has no zone"),
            (at(9).replace(tzinfo=UTC), None, "has a zone"),
        ],
        ids=["numbers", "no zone", "a zone"],
    )
    def test_hours_that_do_not_go_with_the_keys_held_are_refused(self, store: Any, key: Any, zone: Any, says: str) -> None:
        """Else no call could book there, and no search would say why. Keys that are gone do not matter."""
        calendar = rooms(store)
        stay = calendar.book("q", key, None)
        hours = Hours({"mon-fri": "09:00-17:00"}, zone=zone)
        with pytest.raises(KeyTypeError, match=says):
            calendar.set_hours(["r", "q"], hours)
        assert calendar.find_available(key, None).ids() == ["r", "q"]
        calendar.remove_booking(stay)
        calendar.set_hours("r", hours)

    def test_closing_without_a_resource_is_refused_and_says_what_close_is_for(self, store: Any) -> None:
        """Programs close what holds files; a calendar in memory holds none, and goes on as before."""
        calendar = rooms(store)
        calls: list[tuple[tuple[Any, ...], dict[str, Any], list[str]]] = [
            ((), {}, ["resource", "start", "end"]),
            (("r",), {}, ["start", "end"]),
            (("r", 1), {}, ["end"]),
            (("r",), {"end": 5}, ["start"]),
            ((), {"start": 1, "end": 5}, ["resource"]),
            ((), {"reason": "the shop is closing"}, ["resource", "start", "end"]),
        ]
        for args, options, missing in calls:
            with pytest.raises(QueryError, match=r"Calendar.open\(directory\), and others need no closing") as refused:
                calendar.close(*args, **options)
            assert refused.value.term == missing
            assert calendar.closures() == ()
        assert calendar.close("r", None, None).reason == "closed", "None is a span without ends"

    def test_hours_that_are_none_are_refused(self, store: Any) -> None:
        """Nor is one of many resources given hours if another is unknown."""
        calendar = rooms(store)
        wrongs: list[Any] = ["09:00-17:00", {"mon": "09:00-17:00"}, 5]
        for wrong in wrongs:
            with pytest.raises(HoursError):
                calendar.set_hours("r", wrong)
        with pytest.raises(UnknownResourceError):
            calendar.set_hours(["r", "nobody"], Hours({}))
        assert calendar.is_available("r", 1, 2)

    # -- buffers -------------------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_buffers_keep_neighbours_apart_in_either_order(self, store: Any, bounds: Any) -> None:
        """The after of the earlier and the before of the later fit between two, whichever was booked first."""
        calendar = Calendar(store, bounds=bounds)
        calendar.add_resource(Resource("r", before=1, after=2))
        stay = calendar.book("r", 10, 20)
        near = 1 if bounds == "[]" else 0
        assert calendar.is_available("r", 23 + near, 25)
        assert not calendar.is_available("r", 22 + near, 25)
        assert calendar.is_available("r", 5, 7 - near)
        assert not calendar.is_available("r", 5, 8 - near)
        for span, free in (((22 + near, 25), []), ((23 + near, 25), ["r"]), ((5, 8 - near), []), ((5, 7 - near), ["r"])):
            assert calendar.find_available(*span).ids() == free
        assert calendar.conflicts("r", 5, 8) == (stay,)
        with pytest.raises(ConflictError) as caught:
            calendar.book("r", 21, 22)
        assert caught.value.conflicts == calendar.conflicts("r", 21, 22) == (stay,)
        assert [*calendar.bookings("r", 21, 22), *calendar.bookings("r", 5, 8)] == [], "buffers are no part of the booking"
        assert [used for _, _, used in calendar.occupancy("r", 21, 22)] == [0]
        moved = calendar.move(stay, start=11, end=21)
        assert moved.owns_lock
        calendar.book("r", 24 + near, 25 + near)
        calendar.check()

    @pytest.mark.parametrize("capacity", [1, 2])
    def test_buffers_of_floats_are_rounded_alike_everywhere(self, store: Any, capacity: int) -> None:
        """What is too near by the last digit of a float is in the way of booking, and named; whichever side is asked."""
        calendar = Calendar(store)
        for idle in "abcdefghi":  # of a few resources each would be asked by itself
            calendar.add_resource(Resource(idle))
        for n, (before, after, held, asked) in enumerate([
            (0.7, 0.2, (4.0, 4.3), (2.1, 3.1)), (0.2, 0.7, (2.1, 3.1), (4.0, 4.3)), (0.1, 0.2, (0.3, 0.5), (0.8, 0.9)),
        ]):  # fmt: skip
            calendar.add_resource(Resource(n, capacity, before=before, after=after))
            stay = calendar.book(n, *held, quantity=capacity)
            free = calendar.is_available(n, *asked)
            assert free is (not calendar.conflicts(n, *asked)) is bool(calendar.explain(n, *asked))
            assert free is (n in calendar.find_available(*asked).ids())
            try:
                calendar.book(n, *asked)
            except ConflictError as error:
                assert error.conflicts == (stay,)
                assert not free
            else:
                assert free

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_buffers_of_floats_agree_where_floats_lose_them(self, store: Any, bounds: Any) -> None:
        """Where the next float is further away than a buffer, a span is refused by name, or booked where search finds it."""
        lengths = [(None, 0.5), (1.0, None), (1, 2), (3.0, 1.0), (0.5, 3)]
        edges = [2.0**52, 2.0**53, 2.0**54, -(2.0**53), 1e16]
        resources = dict(enumerate(product(edges, lengths, (1, 2))))
        told = []
        for each in (store, MemoryStore()):
            calendar = Calendar(each, bounds=bounds)
            for n, (_, (before, after), capacity) in resources.items():
                calendar.add_resource(Resource(n, capacity, before=before, after=after))
            answers: list[str] = []
            for n, (edge, _, _) in resources.items():
                for start in (3, -8, 0, -6, 5, -1, 0, -3):
                    span = edge + start, edge + start + 4 + n % 3
                    found = n in calendar.find_available(*span).ids()
                    try:
                        free = calendar.is_available(n, *span)
                        calendar.book(n, *span)
                        answer = "booked"
                    except (ConflictError, KeyTypeError) as error:
                        answer = type(error).__name__
                        free = free if answer == "ConflictError" else False
                    assert found is free is (answer == "booked"), (n, span)
                    answers.append(answer)
            calendar.check()
            told.append(answers)
        assert told[0] == told[1]
        assert {"booked", "ConflictError", "KeyTypeError"} == set(told[0])

    def test_buffers_of_a_pool_take_units(self, store: Any) -> None:
        """Bookings may overlap the buffers of others while enough units are left."""
        calendar = Calendar(store)
        calendar.add_resource(Resource("pool", 2, after=timedelta(minutes=30)))
        calendar.book("pool", at(9), at(10))
        assert calendar.is_available("pool", at(10), at(11))
        assert not calendar.is_available("pool", at(10), at(11), quantity=2)
        assert calendar.is_available("pool", at(10, 30), at(11), quantity=2)
        calendar.check()

    def test_buffers_need_keys_that_can_be_added_to(self, store: Any) -> None:
        """Text cannot: `KeyTypeError`, and nothing is booked."""
        calendar = Calendar(store)
        calendar.add_resource(Resource("r", after=1))
        with pytest.raises(KeyTypeError):
            calendar.book("r", "a", "b")
        assert len(calendar) == 0
        calendar.check()

    @pytest.mark.parametrize("side", ["before", "after"])
    @pytest.mark.parametrize("capacity", [1, 2])
    def test_buffers_need_keys_that_neighbours_can_subtract_them_from(self, store: Any, side: str, capacity: int) -> None:
        """Five hours go with no date: no span that has one is available, whichever end that is; search and booking agree."""
        calendar = Calendar(store)
        lengths = {side: timedelta(hours=5)}
        calendar.add_resource(Resource("r", capacity, **lengths))
        free = calendar.add_resource(Resource("free"))
        day, next_day = date(2026, 5, 4), date(2026, 5, 5)
        for span in ((day, next_day), (None, next_day), (day, None)):
            for call in (calendar.book, calendar.is_available, calendar.conflicts, calendar.explain):
                with pytest.raises(KeyTypeError, match="only by whole days, the buffer of resource 'r'"):
                    call("r", *span)
            found = calendar.find_available(*span)
            assert list(found) == [free]
            assert "r" not in found
        assert len(calendar) == 0
        assert calendar.is_available("r", None, None)
        calendar.check()

    @pytest.mark.parametrize("first", [(0, 5), (0, 1e20), (-1e20, 5)])
    def test_a_search_of_mixed_numbers_changes_no_later_answer(self, store: Any, first: Any) -> None:
        """A buffer of 1 can be added to each int and not to each float; no answer depends on what was asked before."""
        calendar = Calendar(store)
        calendar.add_resource(Resource("r", before=1, after=1))
        for key in range(10):  # of a few resources, each is asked by itself
            calendar.add_resource(Resource(key))
        calendar.book(0, 1, 2)
        calendar.find_available(*first).ids()
        assert "r" in calendar.find_available(0, 5).ids()
        assert "r" not in calendar.find_available(0, 1e20).ids()
        assert "r" not in calendar.find_available(-1e20, 5).ids()
