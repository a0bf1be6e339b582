"""Finding time with opening hours, with closed bounds and other keys, with what is no question, and while things change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import Calendar, InvalidSpanError, KeyTypeError, MemoryStore, Resource
from bookcore.hours import Hours
from bookcore.hours.weeks import Weeks
from bookcore.stores.tree import TreeStore
from bookcore.testing import Hostile, ListStore, families

STORES = (MemoryStore, TreeStore, ListStore)
HOUR = timedelta(hours=1)
OPEN = Hours({"mon-fri": ["08:00-12:00", "14:00-18:00"], "sat": "22:00-26:00"})
MONDAY = datetime(2026, 5, 4)
BERLIN = Hours({"mon-fri": "08:00-17:00", "sun": "00:00-06:00"}, zone="Europe/Berlin")
UTC_FRIDAY = datetime(2026, 10, 23, tzinfo=UTC)  # on the Sunday clocks go back in Berlin

spans = st.lists(st.tuples(st.integers(0, 80), st.integers(1, 12), st.booleans()), max_size=8)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(("hours", "zero"), [(OPEN, MONDAY), (BERLIN, UTC_FRIDAY)], ids=["naive", "Berlin"])
@given(spans=spans, start=st.integers(0, 40), width=st.integers(1, 48), length=st.integers(1, 6))
def test_hours_and_bookings_together_leave_what_can_be_booked(
    store: Any, hours: Hours, zero: datetime, spans: Any, start: int, width: int, length: int
) -> None:
    """On a grid of hours: gaps, the next and the nearest span, slots and explanations say what `is_available` says."""
    calendar = Calendar(store())
    rooms = [calendar.add_resource(Resource(name)) for name in "ab"]
    calendar.set_hours([rooms[0]], hours)
    for begin, wide, closure in spans:
        a, b = zero + begin * HOUR, zero + (begin + wide) * HOUR
        if closure:
            calendar.close("a", a, b)
        elif calendar.is_available("a", a, b):
            calendar.book("a", a, b)
    end = start + width

    def fine(low: int, high: int, room: str = "a") -> bool:
        return bool(calendar.is_available(room, zero + low * HOUR, zero + high * HOUR))

    cells = [h for h in range(start, end) if fine(h, h + 1)]
    expected: list[list[int]] = []
    for h in cells:
        if expected and expected[-1][1] == h and fine(expected[-1][0], h + 1):
            expected[-1][1] = h + 1
        else:
            expected.append([h, h + 1])
    window = zero + start * HOUR, zero + end * HOUR
    gaps = [(zero + a * HOUR, zero + b * HOUR) for a, b in expected]
    assert list(calendar.gaps("a", *window)) == gaps
    assert [(a, b) for a, b, state in calendar.free_busy("a", *window) if state == "free"] == gaps
    assert all(calendar.explain("a", *gap) for gap in gaps)
    assert bool(calendar.explain("a", *window)) is fine(start, end)
    after = next(((h, h + length) for h in range(start, start + 400) if fine(h, h + length)), None)
    before = next(((h, h + length) for h in range(start, start - 400, -1) if fine(h, h + length)), None)

    def keys(found: Any) -> Any:
        return found and (zero + found[0] * HOUR, zero + found[1] * HOUR)

    assert calendar.next_available("a", window[0], length * HOUR) == keys(after)
    assert calendar.nearest("a", window[0], window[0] + length * HOUR) == (keys(before), keys(after))
    slots = sorted(
        [(a, a + length * HOUR, "a") for a, b in gaps if b - a >= length * HOUR]
        + ([(window[0], window[0] + length * HOUR, "b")] if length <= width else [])
    )
    assert [(a, b, room.id) for a, b, room in calendar.find_slots(length * HOUR, *window)] == slots


def test_closed_bounds_find_time_to_the_next_key() -> None:
    """Days from one after what is taken to one before; with opening hours, datetimes to the microsecond."""
    calendar = Calendar(bounds="[]")
    room = calendar.add_resource(Resource("room"))
    calendar.book(room, date(2026, 5, 1), date(2026, 5, 3))
    calendar.book(room, date(2026, 5, 5), date(2026, 5, 8))
    found = list(calendar.gaps(room, date(2026, 5, 1), date(2026, 5, 10)))
    assert found == [(date(2026, 5, 4), date(2026, 5, 4)), (date(2026, 5, 9), date(2026, 5, 10))]
    other = Calendar(bounds="[]")
    room = other.add_resource(Resource("room"))
    other.set_hours([room], OPEN)
    other.book(room, MONDAY + 9 * HOUR, MONDAY + 10 * HOUR)
    tick = timedelta.resolution
    first, second, third = other.gaps(room, MONDAY, MONDAY + 18 * HOUR)
    assert first == (MONDAY + 8 * HOUR, MONDAY + 9 * HOUR - tick)
    assert second == (MONDAY + 10 * HOUR + tick, MONDAY + 12 * HOUR)
    assert third == (MONDAY + 14 * HOUR, MONDAY + 18 * HOUR)
    for gap in (first, second, third):
        other.book(room, *gap)


def test_keys_without_neighbours_cannot_bound_closed_gaps() -> None:
    """Between [1, 3] and [5, 8] lies no largest closed span of fractions, and `gaps` says so; untouched time is fine."""
    calendar = Calendar(bounds="[]")
    room = calendar.add_resource(Resource("room"))
    calendar.book(room, Fraction(1), Fraction(3))
    assert list(calendar.gaps(room, Fraction(4), Fraction(5))) == [(Fraction(4), Fraction(5))]
    with pytest.raises(KeyTypeError, match="next key"):
        list(calendar.gaps(room, Fraction(2), Fraction(5)))


@pytest.mark.parametrize("family", families(), ids=str)
def test_gaps_speak_every_family_of_keys(family: Any) -> None:
    """Whatever the keys; and lengths where they can be added to, else a `KeyTypeError`."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    key = family.key
    calendar.book(room, key(2), key(4, 1))
    calendar.book(room, key(7, 1), key(9))
    found = [(family.rank(a), family.rank(b)) for a, b in calendar.gaps(room, key(0), None)]
    assert found == [(0, 2), (4, 7), (9, None)]
    if family.length is None:
        asks: tuple[Any, ...] = (
            lambda: calendar.next_available(room, key(3), 1),
            lambda: calendar.gaps(room, key(0), key(9), at_least=1),
            lambda: calendar.find_slots(1, key(0), key(9)),
        )
        for ask in asks:
            with pytest.raises(KeyTypeError):
                ask()
        return
    earliest: Any = calendar.next_available(room, key(3), family.length(3))
    a, b = earliest
    assert (family.rank(a), family.rank(b)) == (4, 7)
    assert [family.rank(s) for s, _, _ in calendar.find_slots(family.length(2), key(0), key(20))] == [0, 4, 9]


@pytest.mark.parametrize("bad", [Hostile("__add__"), "two", None, float("nan"), -1, 0, [1]])
def test_what_is_no_length_is_refused(bad: Any) -> None:
    """An error of ours at the call, whatever is given for a length."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    calendar.book(room, 2, 3)
    with pytest.raises((KeyTypeError, InvalidSpanError)):
        calendar.next_available(room, 1, bad)
    with pytest.raises((KeyTypeError, InvalidSpanError)):
        calendar.find_slots(bad, 1, 9)


def test_slots_are_asked_again_when_their_turn_comes() -> None:
    """What was booked after the search began is not offered; a gap read before stays as it was."""
    calendar = Calendar()
    rooms = [calendar.add_resource(Resource(number)) for number in range(300)]
    for room in rooms:
        calendar.book(room, 1, 5)
    slots = calendar.find_slots(2, 1, 20)
    gaps = calendar.gaps(1, 0, 20)
    assert next(slots) == (5, 7, rooms[0])
    calendar.book(1, 6, 9)
    calendar.remove_resource(calendar.add_resource(Resource("other")))
    assert next(slots) == (5, 7, rooms[2])
    assert list(gaps) == [(0, 1), (5, 20)]
    rest = list(slots)
    assert len(rest) == 298
    assert rest[-1] == (9, 11, rooms[1])


@pytest.mark.parametrize("bookings", [0, 3])
def test_the_nearest_single_key_is_found_close_by(monkeypatch: pytest.MonkeyPatch, bookings: int) -> None:
    """A span of one key has no length to look back by; for it too a few openings are read, not those of all time."""
    read = 0
    walk = Weeks.open_points

    def counted(self: Weeks, *window: Any) -> Iterator[tuple[timedelta, timedelta]]:
        nonlocal read
        for span in walk(self, *window):
            read += 1
            yield span

    monkeypatch.setattr(Weeks, "open_points", counted)
    calendar = Calendar(bounds="[]")
    room = calendar.add_resource(Resource("room"))
    calendar.set_hours(room, Hours({"mon-fri": "09:00-12:00, 13:00-17:00"}))
    noon = MONDAY + 12 * HOUR
    for hours in range(bookings):
        calendar.book(room, noon - (hours + 1) * HOUR, noon - hours * HOUR - timedelta.resolution)
    lunch = MONDAY + timedelta(hours=12, minutes=30)
    assert calendar.nearest(room, lunch, lunch) == ((noon, noon), (MONDAY + 13 * HOUR, MONDAY + 13 * HOUR))
    assert read < 100


@pytest.mark.parametrize("family", families(lengths=True), ids=str)
def test_the_nearest_single_key_is_found_in_every_family_of_keys(family: Any) -> None:
    """On both sides of what is taken; where keys have no neighbours that is a `KeyTypeError`."""
    calendar = Calendar(bounds="[]")
    room = calendar.add_resource(Resource("room"))
    key = family.key
    calendar.book(room, key(2), key(4))
    calendar.book(room, key(6), key(8))
    if family.name in ("fraction", "decimal"):
        with pytest.raises(KeyTypeError, match=r"(next|previous) key"):
            calendar.nearest(room, key(7), key(7))
        return
    nearest: tuple[Any, Any] = calendar.nearest(room, key(7), key(7))
    before, after = nearest
    assert before[0] == before[1] and after[0] == after[1]
    assert key(4) < before[0] < key(6) and key(8) < after[0] and not key(9) < after[0]


def test_a_span_longer_than_its_type_can_say_has_no_nearest() -> None:
    """2**63 nanoseconds are further than NumPy's lengths reach: an error that says so, unless the span itself is free."""
    np = pytest.importorskip("numpy", reason="NumPy is not installed")
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    low, high = np.datetime64(-(2**62), "ns"), np.datetime64(2**62, "ns")
    assert calendar.nearest(room, low, high) == ((low, high), (low, high))
    booked = calendar.book(room, low, high)
    with pytest.raises(KeyTypeError, match="further"):
        calendar.nearest(room, low, high)
    calendar.remove_booking(booked)
    calendar.book(room, np.int8(-100), np.int8(110))  # whole numbers have no end
    assert calendar.nearest(room, np.int8(-100), np.int8(110)) == ((-310, -100), (110, 320))


def test_looking_back_stops_where_lengths_end() -> None:
    """A length that cannot be doubled any more is no error: the search then goes back for ever."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room"))
    length = timedelta.max // 5 * 3
    calendar.book(room, timedelta.min, length)
    assert calendar.nearest(room, timedelta(0), length) == (None, None)


class Counted:
    """A whole number that counts how often it is compared."""

    count = 0

    def __init__(self, n: int) -> None:
        self.n = n

    def __lt__(self, other: Any) -> bool:
        Counted.count += 1
        return bool(self.n < other.n)

    def __add__(self, length: int) -> Counted:
        return Counted(self.n + length)


def test_gaps_and_next_available_do_not_read_what_is_elsewhere() -> None:
    """Comparisons grow by a handful when a resource has a hundred times the bookings."""
    costs = []
    for size in (100, 1_000, 10_000):
        calendar = Calendar()
        room = calendar.add_resource(Resource("room"))
        for n in range(size):
            calendar.book(room, Counted(10 * n), Counted(10 * n + 5))
        Counted.count = 0
        middle = 5 * size
        found = list(calendar.gaps(room, Counted(middle), Counted(middle + 20)))
        assert [(a.n - middle, b.n - middle) for a, b in found] == [(5, 10), (15, 20)]
        first: Any = calendar.next_available(room, Counted(middle), 3)
        begin, _ = first
        assert begin.n == middle + 5
        costs.append(Counted.count)
    assert costs[2] - costs[0] <= 12 * 7  # a few bisects, each seven steps deeper


def test_the_first_slot_is_found_without_asking_every_resource() -> None:
    """None is free right away; the earliest is found from where things end, not from all resources one by one."""
    costs = []
    for size in (500, 5_000):
        calendar = Calendar()
        for number in range(size):
            calendar.book(calendar.add_resource(Resource(number)), Counted(0), Counted(10 + number))
        Counted.count = 0
        start, _, room = next(calendar.find_slots(3, Counted(0), Counted(10 * size)))
        assert (start.n, room.id) == (10, 0)
        costs.append(Counted.count)
    assert costs[1] < 5_000
    assert costs[1] < 4 * costs[0]
