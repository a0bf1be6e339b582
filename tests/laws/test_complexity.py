"""Complexity without a clock: comparisons of keys, and visits to schedules, counted at three sizes.

A claim of O(log m) is that ten times as many bookings cost a constant more; of "never one by one", that ten times as
many resources cost none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import log2
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, Resource
from bookcore.engine.engine import Engine
from bookcore.index.bitmap import first_ordinals, ordinals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.stores.memory import MemoryStore
from bookcore.stores.protocol import Row

SIZES = (1_000, 5_000, 25_000)

ADMITTING = 8
"""How often a span of keys of the user's own is compared before it is admitted: with itself, and with one that is held."""

TAIL = OccupancyIndex.TAIL


class Counted:
    """A whole number that counts how often it is compared, and counts nothing else."""

    __slots__ = ("value",)
    count = 0

    def __init__(self, value: int) -> None:
        self.value = value

    def __lt__(self, other: Counted) -> bool:
        Counted.count += 1
        return self.value < other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        Counted.count += 1
        return isinstance(other, Counted) and self.value == other.value


class CountingStore(MemoryStore):
    """The default store, counting how often one resource is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.visits = 0

    def is_free(self, record: Any, start: Any, end: Any, quantity: int) -> bool:
        """Count, and ask."""
        self.visits += 1
        return super().is_free(record, start, end, quantity)

    def overlapping(self, record: Any, start: Any, end: Any) -> list[Row]:
        """Count, and look up."""
        self.visits += 1
        return super().overlapping(record, start, end)


Crowd = tuple[Calendar, CountingStore]


def comparisons(call: Callable[..., Any], *args: Any, **options: Any) -> int:
    """Return how many comparisons of keys a call makes."""
    before = Counted.count
    call(*args, **options)
    return Counted.count - before


def count_three(calendar: Calendar) -> int:
    """Count who of three resources is free."""
    return len(calendar.find_available(Counted(50), Counted(60), [0, 1, 2]))


def one_resource(bookings: int, bounds: Any) -> Calendar:
    """Return a calendar with one resource and so many bookings, a gap after each."""
    calendar = Calendar(bounds=bounds)
    calendar.add_resource(Resource("flat"))
    events = [BookingEvent("flat", Counted(10 * at), Counted(10 * at + 5)) for at in range(bookings)]
    calendar.load(events)
    return calendar


def many_resources(resources: int, bookings: int = 10) -> Crowd:
    """Return a calendar with so many resources, each with some bookings over one year of 8,760 hours."""
    store = CountingStore()
    calendar = Calendar(store)
    for id in range(resources):
        calendar.add_resource(Resource(id))
    keys = [Counted(hour) for hour in range(8_800)]
    step = 8_760 // bookings
    events = []
    for id in range(resources):
        for at in range(bookings):
            low = at * step + id * 37 % (step - 20)
            events.append(BookingEvent(id, keys[low], keys[low + 8 + id % 10]))
    calendar.load(events)
    store.visits = 0
    return calendar, store


@pytest.fixture(scope="module")
def five_thousand() -> Crowd:
    """Five thousand resources, made once; a test leaves them as they were."""
    return many_resources(5_000)


@pytest.fixture
def crowd(five_thousand: Crowd) -> Crowd:
    """Five thousand resources, none of which has been visited."""
    five_thousand[1].visits = 0
    return five_thousand


@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_asking_and_booking_one_resource_take_logarithmic_time(bounds: Any) -> None:
    """`is_available`, `book` and `remove_booking` on 1,000, 5,000 and 25,000 bookings: a few bisects, at any size."""
    costs = []
    for size in SIZES:
        calendar = one_resource(size, bounds)
        spots = [10 * (size * part // 7) for part in range(1, 7)]
        asked = max(comparisons(calendar.is_available, "flat", Counted(s + 6), Counted(s + 8)) for s in spots)
        taken = max(comparisons(calendar.is_available, "flat", Counted(s + 2), Counted(s + 8)) for s in spots)
        booked = max(comparisons(calendar.book, "flat", Counted(s + 6), Counted(s + 8), id=s) for s in spots)
        removed = max(comparisons(calendar.remove_booking, s) for s in spots)
        conflicts = max(comparisons(calendar.conflicts, "flat", Counted(s), Counted(s + 22)) for s in spots)
        costs.append((asked, taken, booked, removed, conflicts))
        # bisects: one in the schedule; in the timeline one for each end, among the chunks and then in the chunk
        assert asked <= log2(size) + 6 + ADMITTING
        assert taken <= log2(size) + 6 + ADMITTING
        assert booked <= 3 * log2(size) + 12 + ADMITTING
        assert removed <= 3 * log2(size) + 12
        assert conflicts <= 2 * log2(size) + 10 + ADMITTING
    # five times the bookings add a constant: the fifth part of the size, in bits, for each bisect
    for small, large in ((costs[0], costs[1]), (costs[1], costs[2])):
        for before, after in zip(small, large, strict=True):
            assert after <= before + 4 * log2(5)


def test_bookings_that_overlap_take_logarithmic_time_in_a_pool() -> None:
    """A pool of capacity 500 answers and books by bisects too, however many bookings it holds."""
    costs = []
    for size in (80, 800, 8_000):
        calendar = Calendar()
        calendar.add_resource(Resource("pool", 500))
        for at in range(size):
            calendar.book("pool", Counted(7 * at), Counted(7 * at + 1_000))
        spots = [7 * (size * part // 7) for part in range(1, 7)]
        asked = max(
            comparisons(calendar.is_available, "pool", Counted(s), Counted(s + 60), quantity=20)
            for s in spots
        )
        booked = max(
            comparisons(calendar.book, "pool", Counted(s + 1), Counted(s + 60), quantity=20) for s in spots
        )
        costs.append((asked, booked))
        assert asked <= 6 * log2(size) + 20
    for before, after in pairwise(costs):
        assert after[0] <= before[0] + 6 * log2(10)
    # a change may look at one part of the shelf (512 bookings) for its latest end, never at all of them
    assert costs[2][1] <= costs[1][1] + 1_200


def test_finding_does_not_depend_on_the_number_of_resources(crowd: Crowd) -> None:
    """Neither comparisons nor visits to schedules grow when a hundred times as many resources are asked about."""
    found = []
    for calendar, store in (many_resources(50), many_resources(500), crowd):
        costs = []
        for low in (100, 4_000, 8_000):
            start, end = Counted(low), Counted(low + 168)
            for selection in (calendar.find_available(start, end), calendar.find_booked(start, end)):
                costs += [comparisons(partial(read, selection)) for read in (len, list)]
                before = store.visits
                # whether there is one at all may be asked of the first few, one by one, but never of all
                assert comparisons(partial(bool, selection)) <= 256 * (log2(10) + 6)
                assert store.visits - before <= 256
        visits = store.visits
        assert comparisons(count_three, calendar) < 60
        assert store.visits - visits <= 3
        found.append(max(costs))
    # the timeline has more blocks when it holds more spans: a logarithm, in a bisect for either end
    assert found[2] <= found[0] + 6 * log2(100)
    # and the leaf that either end of the window falls into is compared one by one: starts as well as ends, at worst
    assert found[2] < 4 * TAIL + 100


def test_counting_and_listing_visit_no_schedule(crowd: Crowd) -> None:
    """`len(find_available)` and `list(find_available)` over 5,000 resources ask none of them by itself."""
    calendar, store = crowd
    free = calendar.find_available(Counted(4_000), Counted(4_168))
    booked = calendar.find_booked(Counted(4_000), Counted(4_168))
    assert 0 < len(free) < 5_000
    assert len(list(free)) + len(list(booked)) == 5_000
    assert free.count() == len(free.ids())
    assert len(~free) == len(booked)
    assert len(calendar.find(Resource, free)) == len(free)
    assert store.visits == 0
    # nor past the store, by the indexes that their records offer
    assert max(comparisons(partial(read, one)) for one in (free, booked) for read in (len, list)) < 4 * TAIL + 100


def test_the_first_ten_cost_about_ten(crowd: Crowd) -> None:
    """`first(10)` where most are free asks hardly more than ten resources, whatever their number."""
    for calendar, store in (many_resources(100), crowd):
        free = calendar.find_available(Counted(4_000), Counted(4_008))
        assert len(free.first(10)) == 10
        assert store.visits <= 14
        assert comparisons(free.first, 10) <= 14 * (log2(20) + 2)


def test_the_first_ten_read_as_much_of_a_bitmap_however_many_resources_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 15,000 resources, most of them free, no more is read than of 5,000."""
    read: list[int] = []

    def counted(bits: int) -> Any:
        read[-1] += bits.bit_length()
        return ordinals(bits)

    monkeypatch.setattr("bookcore.index.bitmap.ordinals", counted)
    monkeypatch.setattr("bookcore.query.planner.ordinals", counted)
    for size in (5_000, 15_000):
        calendar = Calendar()
        for number in range(size):
            calendar.add_resource(Resource(number))
        calendar.load([BookingEvent(number, 0, 5) for number in range(0, size, 3)])
        read.append(0)
        free = calendar.find_available(1, 2)
        assert [resource.id for resource in free.first(10)] == [number for number in range(16) if number % 3][:10]
    assert read[0] == read[1] < 5_000


def test_the_first_ten_are_all_that_is_taken_apart_where_the_free_ones_come_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where those that are asked one by one are booked, all are searched, and of the matches ten are taken out."""
    taken: list[int] = []

    def counted(bits: int) -> Any:
        for number in first_ordinals(bits):
            taken.append(number)
            yield number

    monkeypatch.setattr("bookcore.query.planner.first_ordinals", counted)
    calendar = Calendar()
    for number in range(5_000):
        calendar.add_resource(Resource(number))
    calendar.load([BookingEvent(number, 0, 5) for number in range(1_000)])
    free, late = calendar.find_available(1, 2), calendar.find_available(8, 9)
    for found in (free, free - ~late):
        taken.clear()
        assert [resource.id for resource in found.first(10)] == list(range(1_000, 1_010))
        assert len(taken) < 200


def test_a_write_is_not_paid_for_at_the_next_question(crowd: Crowd) -> None:
    """After `remove_booking` and `add_booking`, counting who is free compares no more keys than before them."""
    calendar, _ = crowd
    start, end = Counted(4_000), Counted(4_168)
    free = calendar.find_available(start, end)
    len(free)
    rested = comparisons(len, free)
    event = next(calendar.bookings(2_500))
    calendar.remove_booking(event)
    calendar.add_booking(event)
    assert comparisons(len, free) <= rested + 10


def test_loading_compares_about_as_often_as_booking_one_by_one() -> None:
    """Bulk load sorts each axis once, and each resource: O(k log k), whatever the order, at each size."""
    for size in (400, 4_000):
        rows = [(at % 50, 10 * (at * 7919 % size), 5) for at in range(size)]
        loop, bulk = Calendar(), Calendar()
        for id in range(50):
            loop.add_resource(Resource(id))
            bulk.add_resource(Resource(id))
        events = [BookingEvent(id, Counted(low), Counted(low + length)) for id, low, length in rows]
        one_by_one = 0
        for id, low, length in rows:
            one_by_one += comparisons(loop.book, id, Counted(low), Counted(low + length))
        at_once = comparisons(bulk.load, events)
        assert 2 * at_once < 3 * one_by_one
        assert at_once <= size * (4 * log2(size) + 20)


class NeverWalked(dict[Any, Any]):
    """A dict that is looked up in, and not walked through."""

    def values(self) -> Any:
        """Refuse."""
        raise AssertionError("walked through")


class NeverIterated(list[Any]):
    """A list that is looked up in, and not walked through."""

    def __iter__(self) -> Any:
        raise AssertionError("walked through")


@pytest.mark.parametrize("named", [False, True])
def test_a_small_load_looks_at_none_but_its_own_resources(named: bool) -> None:
    """A few dozen bookings in a calendar of many resources cost what they are, not what the calendar is."""
    store = MemoryStore()
    calendar = Calendar(store)
    resources = [calendar.add_resource(Resource(number)) for number in range(1_000)]
    calendar.load(BookingEvent(resource, 0, 1) for resource in resources)
    store._records = NeverWalked(store._records)
    registry = calendar._engine.state.registry
    registry.objects, registry.by_number = NeverIterated(registry.objects), NeverIterated(registry.by_number)
    calendar.load([BookingEvent(resource.id if named else resource, 2, 3) for resource in resources[:64]])
    assert len(calendar) == 1_064 and not resources[63].is_available(2, 3) and resources[64].is_available(2, 3)


@pytest.mark.parametrize("named", ["object", "id", "foreign"])
def test_a_plain_booking_takes_the_short_way_however_it_is_named(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the object, by its id, or an object of another library: straight to its index, past rules and store."""
    calendar = Calendar()
    thing: Any = SimpleNamespace(id="r") if named == "foreign" else Resource("r")
    calendar.add_resource(thing)
    calendar.book("r", 0, 1)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the long way")

    monkeypatch.setattr(Engine, "book", refuse)
    monkeypatch.setattr(MemoryStore, "put", refuse)
    event = calendar.book("r" if named == "id" else thing, 1, 2)
    assert event.resource is thing and not calendar.is_available("r", 1, 2)
