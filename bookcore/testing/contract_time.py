"""Conformance tests of free time: `book` accepts every span that is offered, and `explain` has a cause for every other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from typing import Any

import pytest

from bookcore import Calendar, InvalidSpanError, KeyTypeError, QueryError, Resource, UnknownResourceError
from bookcore.hours.opening_hours import Hours
from bookcore.testing.contract_store import BOUNDS


def day(store: Any, bounds: Any = "[)") -> Calendar:
    """Return a calendar with a room, a resource with three units and a room with buffers, each with a few bookings."""
    calendar = Calendar(store, bounds=bounds)
    calendar.add_resource(Resource("room"))
    calendar.add_resource(Resource("pool", 3))
    calendar.add_resource(Resource("turn", after=1))
    for start, end in ((9, 12), (13, 15)):
        calendar.book("room", start, end, id=f"room at {start}")
    calendar.book("pool", 8, 11, quantity=2)
    calendar.book("pool", 10, 14)
    calendar.book("turn", 9, 11, id="turn")
    calendar.close("room", 17, 18, "paint")
    calendar.hold("turn", 14, 15, id="held")
    return calendar


class TimeExam:
    """Free time, from every side."""

    # -- gaps --------------------------------------------------------------------------------------

    def test_gaps_are_the_maximal_free_spans(self, store: Any) -> None:
        """Around bookings, holds, closures and buffers; for so many units; of a length or more."""
        calendar = day(store)
        gaps = calendar.gaps
        assert list(gaps("room", 8, 20)) == [(8, 9), (12, 13), (15, 17), (18, 20)]
        assert list(gaps("room", 8, 20, at_least=2)) == [(15, 17), (18, 20)]
        assert list(gaps("room", None, 10)) == [(None, 9)]
        assert list(gaps("room", 16, None)) == [(16, 17), (18, None)]
        assert list(gaps("pool", 7, 16)) == [(7, 10), (11, 16)]
        assert list(gaps("pool", 7, 16, quantity=2)) == [(7, 8), (11, 16)]
        assert list(gaps("pool", 7, 16, quantity=3)) == [(7, 8), (14, 16)]
        assert list(gaps("pool", 7, 16, quantity=4)) == []
        assert list(gaps("turn", 5, 20)) == [(5, 8), (12, 13), (16, 20)]

    def test_gaps_with_closed_bounds_begin_one_key_on(self, store: Any) -> None:
        """``[9, 12]`` and ``[14, 15]`` leave ``[13, 13]``."""
        calendar = Calendar(store, bounds="[]")
        calendar.add_resource(Resource("room"))
        calendar.book("room", 9, 12)
        calendar.book("room", 14, 15)
        assert list(calendar.gaps("room", 8, 20)) == [(8, 8), (13, 13), (16, 20)]
        assert calendar.next_available("room", 9, 0) == (13, 13)
        assert calendar.next_available("room", 9, 1) == (16, 17)
        assert calendar.nearest("room", 10, 11) == ((7, 8), (16, 17))

    def test_lengths_of_whole_days_count_days_with_closed_bounds(self, store: Any) -> None:
        """A single free day is a gap of one day, and a hire of three days ends on the third, in every call."""
        calendar = Calendar(store, bounds="[]")
        car = calendar.add_resource(Resource("car"))
        one, three = timedelta(days=1), timedelta(days=3)
        for first, last in ((4, 5), (7, 8), (11, 11)):  # the 6th is free, and the 9th and 10th, and from the 12th on
            calendar.book(car, date(2026, 5, first), date(2026, 5, last))
        window = date(2026, 5, 4), date(2026, 5, 20)

        def days(spans: Any) -> list[Any]:
            return [(span[0].day, span[1].day) for span in spans]

        assert days(calendar.gaps(car, *window, at_least=one)) == [(6, 6), (9, 10), (12, 20)]
        assert days(calendar.gaps(car, *window, at_least=2 * one)) == [(9, 10), (12, 20)]
        assert days(calendar.gaps(car, *window, at_least=three)) == [(12, 20)]
        assert days(calendar.common_gaps([car], *window, at_least=2 * one)) == [(9, 10), (12, 20)]
        found = [calendar.next_available(car, window[0], length) for length in (one, 2 * one, three)]
        assert days(found) == [(6, 6), (9, 10), (12, 14)]
        assert days(calendar.nearest(car, date(2026, 5, 7), date(2026, 5, 8))) == [(2, 3), (9, 10)]
        assert days(calendar.find_slots(2 * one, *window)) == [(9, 10), (12, 13)]
        assert days(calendar.find_slots(one, *window, step=three)) == [(10, 10), (13, 13), (16, 16), (19, 19)]
        assert days(calendar.find_slots(three, date(2026, 5, 12), date(2026, 5, 14))) == [(12, 14)]
        for length in (timedelta(0), -one):
            with pytest.raises((InvalidSpanError, KeyTypeError)):
                calendar.next_available(car, window[0], length)
        assert days(calendar.gaps(car, *window, at_least=timedelta(0))) == [(6, 6), (9, 10), (12, 20)]

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_occupancy_free_busy_and_gaps_agree_on_what_a_step_is(self, store: Any, bounds: Any) -> None:
        """The window is cut at the same keys, and no key is in two steps."""
        calendar = Calendar(store, bounds=bounds)
        calendar.add_resource(Resource("room"))
        calendar.add_resource(Resource("pool", 2))
        step = 1 if bounds == "[]" else 0
        for id, start, end in (("room", 3, 5), ("room", 6, 7), ("room", 10, 12), ("pool", 3, 5), ("pool", 5, 7)):
            calendar.book(id, start, end)
        used = [(a, b, "busy" if used else "free") for a, b, used in calendar.occupancy("room", 0, 15)]
        assert used == [(a, b, str(state)) for a, b, state in calendar.free_busy("room", 0, 15)]
        assert [(a, b) for a, b, state in used if state == "free"] == list(calendar.gaps("room", 0, 15))
        steps = list(calendar.occupancy("pool", 0, 9))
        if step:
            assert steps == [(0, 2, 0), (3, 4, 1), (5, 5, 2), (6, 7, 1), (8, 9, 0)]
        else:
            assert steps == [(0, 3, 0), (3, 7, 1), (7, 9, 0)]
        assert next(calendar.occupancy("pool", None, None)) == (None, 3 - step, 0)
        assert list(calendar.occupancy("pool", 5, 5 + 1 - step)) == [(5, 5 + 1 - step, 1 + step)]

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_gaps_and_what_is_taken_tile_the_window(self, store: Any, bounds: Any) -> None:
        """Every span of whole numbers is in a gap, or cannot be booked; each gap can be booked whole."""
        calendar = day(store, bounds)
        step = 0 if bounds == "[]" else 1
        for id in ("room", "pool", "turn"):
            for quantity in (1, 2, 3):
                found = list(calendar.gaps(id, 5, 20, quantity=quantity))
                for low in range(5, 20 + 1 - step):
                    inside = any(a <= low and low + step <= b for a, b in found)
                    assert inside is calendar.is_available(id, low, low + step, quantity)
                for a, b in found:
                    with calendar.what_if():
                        assert calendar.book(id, a, b, quantity=quantity).owns_lock

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_a_long_gap_is_found_among_many_short_ones(self, store: Any, bounds: Any) -> None:
        """Hundreds of bookings with little between them, before and after some are removed and others made."""
        calendar = Calendar(store, bounds=bounds)
        calendar.add_resource(Resource("room"))
        begin = datetime(2026, 1, 1)
        starts = [begin + timedelta(hours=3 * at) for at in range(600)]
        made = [calendar.book("room", start, start + timedelta(hours=2)) for start in starts]
        self.compare_gaps(calendar, begin)
        for at in (100, 300, 301, 500):  # longer gaps, far apart
            calendar.remove_booking(made[at])
        self.compare_gaps(calendar, begin)
        start = starts[300] + timedelta(hours=1)
        calendar.book("room", start, start + timedelta(hours=1))
        self.compare_gaps(calendar, begin)

    def compare_gaps(self, calendar: Calendar, begin: datetime) -> None:
        """Hold gaps of some length against those of all gaps that are so long, and what is next and nearest against them."""
        last = begin + timedelta(hours=1801)
        lengths = [timedelta(hours=hours) for hours in (1, 2, 4, 7, 9)]
        for low in (begin, begin + timedelta(hours=500)):
            every, later = list(calendar.gaps("room", low, last)), list(calendar.gaps("room", low, None))
            for length in lengths:
                long = [gap for gap in every if gap[1] - gap[0] >= length]
                assert list(calendar.gaps("room", low, last, at_least=length)) == long
                assert list(calendar.common_gaps(["room"], low, last, at_least=length)) == long
                after = [a for a, b in later if b is None or b - a >= length]
                assert calendar.next_available("room", low, length) == (after[0], after[0] + length)
        earlier = list(calendar.gaps("room", None, last))
        for length in lengths:
            before = [b for a, b in earlier if a is None or b - a >= length]
            if not calendar.is_available("room", last - length, last):
                assert calendar.nearest("room", last - length, last)[0] == (before[-1] - length, before[-1])

    # -- the next, the nearest ---------------------------------------------------------------------

    def test_the_next_available_is_the_earliest_that_fits(self, store: Any) -> None:
        """At the key or later; for so many units; None where there is none."""
        calendar = day(store)
        assert calendar.next_available("room", 10, 1) == (12, 13)
        assert calendar.next_available("room", 10, 2) == (15, 17)
        assert calendar.next_available("room", 10, 3) == (18, 21)
        assert calendar.next_available("room", 5, 2) == (5, 7)
        assert calendar.next_available("pool", 8, 2, quantity=3) == (14, 16)
        assert calendar.next_available("pool", 8, 2, quantity=4) is None
        assert calendar.next_available("turn", 9, 1) == (12, 13)
        calendar.close("room", 16, None)
        assert calendar.next_available("room", 14, 2) is None

    def test_the_nearest_are_the_closest_before_and_after(self, store: Any) -> None:
        """Of the same length; a free span is its own nearest."""
        calendar = day(store)
        assert calendar.nearest("room", 11, 13) == ((7, 9), (15, 17))
        assert calendar.nearest("room", 15, 17) == ((15, 17), (15, 17))
        assert calendar.nearest("pool", 9, 10, quantity=3) == ((7, 8), (14, 15))
        calendar.close("room", None, 9)
        assert calendar.nearest("room", 10, 12) == (None, (15, 17))

    # -- where the axis ends -----------------------------------------------------------------------

    @pytest.mark.parametrize("type_name", ["int8", "uint8", "int64", "uint64"])
    def test_numbers_of_fixed_width_are_whole_numbers(self, store: Any, type_name: str) -> None:
        """Beyond the last of NumPy's type lie more: nothing wraps around, and what is offered can be booked."""
        np = pytest.importorskip("numpy", reason="NumPy is not installed")
        number = getattr(np, type_name)
        last = int(np.iinfo(number).max)
        calendar = Calendar(store)
        calendar.add_resource(Resource("room"))
        booked = calendar.book("room", number(last - 100), number(last - 50))
        assert (booked.start, booked.end, type(booked.start)) == (last - 100, last - 50, number)
        assert calendar.next_available("room", number(last - 80), number(60)) == (last - 50, last + 10)
        around = (last - 160, last - 100), (last - 50, last + 10)
        assert calendar.nearest("room", number(last - 60), number(last)) == around
        starts = calendar.find_slots(number(60), number(last - 100), last + 100, step=number(100))
        assert [slot[0] for slot in starts] == [last]
        assert calendar.is_available("room", last - 50, last + 10)
        assert not calendar.is_available("room", last - 51, 1e300)
        calendar.check()

    def test_instants_of_fixed_width_end_where_their_type_does(self, store: Any) -> None:
        """Beyond NumPy's last instant lies none: nothing is offered that would wrap around, and searches end."""
        np = pytest.importorskip("numpy", reason="NumPy is not installed")
        first, last = (np.datetime64(edge, "ns") for edge in (-(2**63) + 1, 2**63 - 1))

        def length(count: int) -> Any:
            return np.timedelta64(count, "ns")

        calendar = Calendar(store)
        calendar.add_resource(Resource("room"))
        calendar.book("room", last - length(100), last - length(50))
        assert calendar.next_available("room", last - length(80), length(50)) == (last - length(50), last)
        assert calendar.next_available("room", last - length(80), length(60)) is None
        assert list(calendar.find_slots(length(60), last - length(100), last)) == []
        stepped = islice(calendar.find_slots(length(1), last - length(120), last, step=length(100)), 9)
        assert [slot[0] for slot in stepped] == [last - length(120), last - length(20)]
        before, after = (last - length(120), last - length(100)), (last - length(50), last - length(30))
        assert calendar.nearest("room", last - length(60), last - length(40)) == (before, after)
        before = last - length(100) - length(60), last - length(100)
        assert calendar.nearest("room", last - length(60), last) == (before, None)
        calendar.add_resource(Resource("early"))
        calendar.book("early", first + length(20), first + length(40))
        after = first + length(40), first + length(70)
        assert calendar.nearest("early", first + length(10), first + length(40)) == (None, after)
        assert calendar.nearest("early", first + length(30), first + length(60)) == (None, after)

    def test_nothing_follows_infinity(self, store: Any) -> None:
        """To an infinite float nothing can be added: no span is offered behind one, or before."""
        inf = float("inf")
        calendar = Calendar(store)
        for id, start, end in (("late", 0.0, inf), ("early", -inf, 0.0), ("all", -inf, inf), ("huge", -1e300, 1e300)):
            calendar.add_resource(Resource(id))
            calendar.book(id, start, end)
        assert calendar.nearest("late", -5.0, 1.0) == ((-6.0, 0.0), None)
        assert calendar.nearest("early", -5.0, 1.0) == (None, (0.0, 6.0))
        for id in ("all", "huge"):  # of 1e300 as well a float knows no such near neighbour
            assert calendar.next_available(id, -5.0, 1.0) is None
            assert calendar.nearest(id, -5.0, 1.0) == (None, None)
            assert calendar.nearest(id, 0.0, inf)[0] in (None, (-inf, -1e300))
        assert [(a, b, who.id) for a, b, who in calendar.find_slots(1.0, -5.0, inf)] == [
            (-5.0, -4.0, "late"), (0.0, 1.0, "early"),
        ]  # fmt: skip
        assert list(calendar.gaps("huge", None, 0.0, at_least=5.0)) == [(None, -1e300)]
        starts = [slot[0] for slot in islice(calendar.find_slots(1.0, 0.0, inf, ["early"], step=1e308), 9)]
        assert starts == [0.0]

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_nothing_follows_infinity_behind_many(self, store: Any, bounds: Any) -> None:
        """Nor where the search has passed over a long row of bookings, nor with closed bounds."""
        calendar = Calendar(store, bounds=bounds)
        calendar.add_resource(Resource("room"))
        calendar.add_resource(Resource("edge"))
        for at in range(600):
            calendar.book("room", 2.0 * at, 2.0 * at + 1)
        calendar.book("room", 1200.0, float("inf"))
        assert calendar.next_available("room", 0.0, 6.0) is None
        largest = 1.7976931348623157e308  # infinity is the next float, and the only one left on either side
        calendar.book("edge", -largest, largest)
        assert calendar.next_available("edge", 0.0, 6.0) is None
        assert calendar.nearest("edge", 0.0, 6.0) == (None, None)

    # -- several resources -------------------------------------------------------------------------

    def test_slots_come_earliest_first_across_resources(self, store: Any) -> None:
        """Ties in order of registration; on a grid with ``step``; among those that match; lazily."""
        calendar = day(store)
        slots = calendar.find_slots

        def named(found: Any) -> list[Any]:
            return [(a, b, who.id) for a, b, who in found]

        assert named(slots(2, 9, 18)) == [(11, 13, "pool"), (15, 17, "room"), (16, 18, "turn")]
        assert named(slots(1, 12, 14, ["room", "turn"])) == [(12, 13, "room"), (12, 13, "turn")]
        assert named(slots(1, 12, 14, ["room", "pool"], step=1)) == [(12, 13, "room"), (12, 13, "pool"), (13, 14, "pool")]
        assert named(slots(2, 9, 16, quantity=3)) == [(14, 16, "pool")]
        lazy = slots(1, 12, 20, ["room"])
        assert next(lazy)[:2] == (12, 13)
        calendar.book("room", 15, 17)
        assert named(lazy) == [(18, 19, "room")]

    def test_common_gaps_are_free_on_all_or_on_a_quorum(self, store: Any) -> None:
        """The spans in which all of several resources are free, or at least a quorum of them."""
        calendar = day(store)
        everyone = ["room", "pool", "turn"]
        assert list(calendar.common_gaps(everyone, 5, 20)) == [(5, 8), (12, 13), (16, 17), (18, 20)]
        assert list(calendar.common_gaps(everyone, 5, 20, at_least=2)) == [(5, 8), (18, 20)]
        assert list(calendar.common_gaps(everyone, 7, 14, quorum=2)) == [(7, 9), (12, 13)]
        assert list(calendar.common_gaps(calendar.resources, 7, 14, quorum=1)) == [(7, 10), (11, 14)]
        assert list(calendar.common_gaps(everyone, 7, 14, quorum=4)) == []

    # -- saying so ---------------------------------------------------------------------------------

    def test_free_busy_tiles_the_span_and_says_why(self, store: Any) -> None:
        """Free, busy, held or closed; neighbours differ."""
        calendar = day(store)

        def tiles(id: str) -> list[Any]:
            return [(a, b, str(state)) for a, b, state in calendar.free_busy(id, 8, 20)]

        assert tiles("room") == [
            (8, 9, "free"), (9, 12, "busy"), (12, 13, "free"), (13, 15, "busy"),
            (15, 17, "free"), (17, 18, "closed"), (18, 20, "free"),
        ]  # fmt: skip
        assert tiles("turn") == [(8, 12, "busy"), (12, 13, "free"), (13, 16, "held"), (16, 20, "free")]
        assert tiles("pool") == [(8, 10, "free"), (10, 11, "busy"), (11, 20, "free")]
        for id in ("room", "turn", "pool"):
            assert all(one[1] == two[0] and one[2] != two[2] for one, two in pairwise(calendar.free_busy(id, 0, 30)))

    def test_occupancy_tells_how_many_units_are_used_when(self, store: Any) -> None:
        """Steps that tile the span, without buffers."""
        calendar = day(store)
        assert list(calendar.occupancy("pool", 7, 16)) == [(7, 8, 0), (8, 10, 2), (10, 11, 3), (11, 14, 1), (14, 16, 0)]
        assert list(calendar.occupancy("turn", None, 12)) == [(None, 9, 0), (9, 11, 1), (11, 12, 0)]

    def test_explain_names_every_cause_and_none_when_available(self, store: Any) -> None:
        """Bookings, holds, closures, buffers, quantity; empty precisely when `book` would accept the span."""
        calendar = day(store)

        def causes(id: str, start: Any, end: Any, quantity: int = 1) -> list[Any]:
            why = calendar.explain(id, start, end, quantity)
            assert why.available is bool(why) is (why.causes == ())
            assert why.available is calendar.is_available(id, start, end, quantity)
            assert len(str(why).splitlines()) == 1 + len(why.causes)
            return [(str(cause.kind), getattr(cause.what, "id", cause.what)) for cause in why.causes]

        assert causes("room", 15, 17) == []
        assert causes("room", 11, 14) == [("booking", "room at 9"), ("booking", "room at 13")]
        assert causes("room", 16, 19) == [("closure", 1)]
        assert causes("turn", 11, 14) == [("buffer", "turn"), ("buffer", "held")]
        assert causes("turn", 14, 15) == [("hold", "held")]
        assert causes("pool", 11, 14, 4) == [("quantity", 3)]
        assert len(causes("pool", 8, 14, 3)) == 2
        assert len(causes("pool", 11, 14, 3)) == 1

    # -- with hours --------------------------------------------------------------------------------

    def test_opening_hours_bound_what_is_offered(self, store: Any) -> None:
        """Every call that finds time keeps to them, without end where the question has none."""
        calendar = Calendar(store)
        calendar.add_resource(Resource("shop"))
        calendar.set_hours("shop", Hours({"mon-fri": "09:00-17:00"}))

        def at(day: int, hour: int) -> datetime:
            return datetime(2026, 5, day, hour)

        hour = timedelta(hours=1)
        calendar.book("shop", at(4, 10), at(4, 12))
        assert list(calendar.gaps("shop", at(4, 0), at(5, 10))) == [
            (at(4, 9), at(4, 10)), (at(4, 12), at(4, 17)), (at(5, 9), at(5, 10)),
        ]  # fmt: skip
        assert list(islice(calendar.gaps("shop", at(8, 16), None), 2)) == [(at(8, 16), at(8, 17)), (at(11, 9), at(11, 17))]
        assert calendar.next_available("shop", at(4, 13), 5 * hour) == (at(5, 9), at(5, 14))
        assert calendar.next_available("shop", at(4, 13), 9 * hour) is None
        assert calendar.nearest("shop", at(4, 9), at(4, 18)) == (None, None), "it is never open for nine hours"
        assert calendar.nearest("shop", at(5, 8), at(5, 10)) == ((at(4, 15), at(4, 17)), (at(5, 9), at(5, 11)))
        assert [slot[:2] for slot in calendar.find_slots(6 * hour, at(4, 0), at(6, 0))] == [(at(5, 9), at(5, 15))]
        assert [str(state) for _, _, state in calendar.free_busy("shop", at(4, 8), at(4, 18))] == [
            "closed", "free", "busy", "free", "closed",
        ]  # fmt: skip
        (cause,) = calendar.explain("shop", at(4, 16), at(4, 18)).causes
        assert (cause.kind, cause.start, cause.end) == ("hours", at(4, 17), at(4, 18))
        with pytest.raises(InvalidSpanError):
            calendar.free_busy("shop", at(4, 8), None)

    # -- what must be refused ----------------------------------------------------------------------

    def test_what_cannot_be_asked_is_refused(self, store: Any) -> None:
        """Unknown resources, spans that are none, lengths of nothing, quorums of nobody."""
        calendar = day(store)
        calls: list[tuple[type[Exception], Callable[[], Any]]] = [
            (UnknownResourceError, lambda: calendar.gaps("nobody", 1, 2)),
            (UnknownResourceError, lambda: calendar.common_gaps(["room", "nobody"], 1, 2)),
            (UnknownResourceError, lambda: calendar.explain("nobody", 1, 2)),
            (InvalidSpanError, lambda: calendar.occupancy("room", 2, 1)),
            (InvalidSpanError, lambda: calendar.free_busy("room", 2, 1)),
            (InvalidSpanError, lambda: calendar.next_available("room", 1, 0)),
            (InvalidSpanError, lambda: calendar.nearest("room", None, 1)),
            (InvalidSpanError, lambda: calendar.find_slots(1, 1, None)),
            (InvalidSpanError, lambda: calendar.find_slots(1, 1, 5, step=0)),
            (KeyTypeError, lambda: calendar.next_available("room", None, 1)),
            (KeyTypeError, lambda: calendar.next_available("room", 1, "long")),
            (KeyTypeError, lambda: calendar.gaps("room", "a", "b")),
        ]
        nobody: list[Any] = [0, True, 1.0]
        calls += [(QueryError, partial(calendar.common_gaps, ["room"], 1, 2, quorum=quorum)) for quorum in nobody]
        nothing: list[Any] = [5, "room", calendar.resource("room")]
        calls += [(QueryError, partial(calendar.common_gaps, resources, 1, 2)) for resources in nothing]
        for error, call in calls:
            with pytest.raises(error):
                call()

    def test_keys_without_lengths_say_so(self, store: Any) -> None:
        """Text can be booked and has gaps; what needs a length is a `KeyTypeError`."""
        calendar = Calendar(store)
        calendar.add_resource(Resource("room"))
        calendar.book("room", "c", "f")
        assert list(calendar.gaps("room", "a", "z")) == [("a", "c"), ("f", "z")]
        assert not calendar.explain("room", "a", "d").available
        calls: list[Callable[[], Any]] = [
            lambda: calendar.next_available("room", "a", 1),
            lambda: calendar.nearest("room", "a", "d"),
            lambda: calendar.find_slots(1, "a", "z"),
            lambda: calendar.gaps("room", "a", "z", at_least=1),
            lambda: calendar.common_gaps(["room"], "a", "z", at_least=1),
        ]
        for call in calls:
            with pytest.raises(KeyTypeError):
                call()
