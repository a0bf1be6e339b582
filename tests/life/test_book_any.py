"""What `book_any` chooses, against the plainest statement of it: ask `is_available` about every span there is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore import Calendar, ConflictError, MemoryStore, Resource
from bookcore.hours import Hours
from bookcore.stores.tree import TreeStore
from bookcore.testing import ListStore, small_store

LOW, HIGH = -12, 30  # all that happens lies well inside

ends = st.one_of(st.none(), st.integers(0, 14), st.integers(0, 14))
deeds = st.tuples(st.sampled_from(["book", "book", "hold", "close"]), st.integers(0, 4), ends, ends, st.integers(1, 2))
lengths = st.sampled_from([None, None, 1, 2])


def gap_size(calendar: Calendar, id: int, start: Any, end: Any, quantity: int) -> tuple[int, int]:
    """Return on how many sides the gap around a span has no end, and its length on the others."""
    unbounded = length = 0
    if start is not None:
        if calendar.is_available(id, None, end, quantity):
            unbounded += 1
        else:
            length += max(n for n in range(start - LOW) if calendar.is_available(id, start - n, end, quantity))
    if end is not None:
        if calendar.is_available(id, start, None, quantity):
            unbounded += 1
        else:
            length += max(n for n in range(HIGH - end) if calendar.is_available(id, start, end + n, quantity))
    return unbounded, length


@pytest.mark.parametrize("store", [MemoryStore, TreeStore, ListStore])
@pytest.mark.parametrize("bounds", ["[)", "[]"])
@given(
    rooms=st.lists(st.tuples(st.integers(1, 2), lengths, lengths), min_size=2, max_size=5),
    done=st.lists(deeds, max_size=16),
    span=st.tuples(st.none() | st.integers(0, 15), st.none() | st.integers(0, 15)),
    quantity=st.sampled_from([1, 1, 2]),
)
def test_the_best_fit_has_the_smallest_gap(
    store: Any, bounds: Any, rooms: Any, done: Any, span: Any, quantity: int
) -> None:
    """No candidate has a smaller one, and none before it one as small."""
    calendar = Calendar(small_store(store), bounds=bounds, clock=lambda: 0)
    for number, (capacity, before, after) in enumerate(rooms):
        calendar.add_resource(Resource(number, capacity, before=before, after=after))
    for what, number, a, b, units in done:
        if a is not None and b is not None and not a < b:
            continue
        with suppress(ConflictError):
            if what == "close":
                calendar.close(number % len(rooms), a, b)
            else:
                (calendar.book if what == "book" else calendar.hold)(number % len(rooms), a, b, quantity=units)
    start, end = span
    if start is not None and end is not None and (end < start or (end == start and bounds == "[)")):
        return
    candidates = calendar.find_available(start, end, quantity=quantity).ids()
    if not candidates:
        return
    expected = min(candidates, key=lambda id: gap_size(calendar, id, start, end, quantity))
    used = {id: len(list(calendar.bookings(id))) for id in candidates}
    strategies: tuple[tuple[Any, Any], ...] = (
        ("best_fit", expected),
        ("first", candidates[0]),
        ("least_used", min(candidates, key=used.__getitem__)),
        (lambda found: found[-1], candidates[-1]),
    )
    for strategy, right in strategies:
        with calendar.what_if():
            chosen = calendar.book_any(calendar.resources, start, end, strategy=strategy, quantity=quantity)
            assert chosen.resource.id == right
    calendar.check()


KEYS: dict[str, Callable[[int], Any]] = {
    "int": int,
    "float": float,
    "fraction": lambda n: Fraction(n, 7),
    "decimal": Decimal,
    "date": lambda n: date(2026, 1, 1) + timedelta(n),
    "naive": lambda n: datetime(2026, 1, 1) + timedelta(hours=n),
    "aware": lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n),
}


@pytest.mark.parametrize("name", sorted(KEYS))
@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("back", [1, 5, 1000, 20_000])
def test_the_gap_is_found_however_far_back_it_begins(name: str, bounds: Any, back: int) -> None:
    """With any keys that can be subtracted, a span of one key among them."""
    key = KEYS[name]
    calendar = Calendar(bounds=bounds)
    for id in range(3):
        calendar.add_resource(Resource(id))
    calendar.book(0, key(-back - 10), key(-back))
    calendar.book(1, key(-back - 9), key(-back + 1 - (back == 1)))
    calendar.book(1, key(-back - 50), key(-back - 40))
    for id in (0, 1):
        calendar.book(id, key(30), key(31))
    end = key(2 if bounds == "[]" else 3)
    best = 1 if back > 1 else 0  # which of the two begins later, the first of equals
    assert calendar.book_any(calendar.resources, key(2), end, strategy="best_fit").resource.id == best


def test_gaps_are_as_long_as_the_time_that_passes() -> None:
    """At a change of clocks an hour of the wall clock is none, or two."""
    berlin = ZoneInfo("Europe/Berlin")

    def at(hour: int, minute: int = 0, fold: int = 0) -> datetime:
        return datetime(2026, 3, 29, hour, minute, tzinfo=berlin, fold=fold)

    calendar = Calendar()
    for id in ("spring", "plain"):
        calendar.add_resource(Resource(id))
    for id, opens, closes in (("plain", at(5), at(8)), ("spring", at(1, 30), at(5, 30))):  # three hours each
        calendar.set_hours(id, Hours({"sun": f"{opens:%H:%M}-{closes:%H:%M}"}, zone="Europe/Berlin"))
    calendar.book("spring", at(1, 30), at(1, 45))
    assert calendar.book_any(["plain", "spring"], at(5, 5), at(5, 20), strategy="best_fit").resource.id == "spring"


def test_hours_that_never_close_have_no_ends() -> None:
    """Save where an exception closes them."""
    calendar = Calendar()
    always = {"mon-sun": "00:00-24:00"}
    for id, hours in (
        ("always", Hours(always)),
        ("until", Hours(always, exceptions={"2026-06-01": None})),
        ("between", Hours(always, exceptions={"2026-06-01": None, "2020-01-01": None})),
        ("daily", Hours({"mon-sun": "09:00-17:00"})),
    ):
        calendar.add_resource(Resource(id))
        calendar.set_hours(id, hours)
    noon = datetime(2026, 5, 4, 12)
    order = [
        calendar.book_any(calendar.resources, noon, noon + timedelta(hours=1), strategy="best_fit").resource.id
        for _ in range(4)
    ]
    assert order == ["daily", "between", "until", "always"]


def test_the_gap_of_one_resource_with_many_bookings_is_found() -> None:
    """In one with a hundred thousand bookings as in one with two."""
    calendar = Calendar()
    for id in ("busy", "calm"):
        calendar.add_resource(Resource(id))
    for at in range(0, 20_000, 2):
        calendar.book("busy", at, at + 1)
    calendar.book("calm", 9_990, 9_999)
    calendar.book("calm", 10_002, 10_003)
    assert calendar.book_any(["calm", "busy"], 9_999, 10_000, strategy="best_fit").resource.id == "busy"


@pytest.mark.parametrize("name", ["int8", "datetime64"])
def test_a_gap_longer_than_its_type_can_say_is_a_long_one(name: str) -> None:
    """NumPy's differences wrap around: 190 of int8 is -66, and is still more than 30."""
    np = pytest.importorskip("numpy", reason="NumPy is not installed")
    unit = 1 if name == "int8" else 8 * 10**16  # of nanoseconds there are 9.2 x 10**18 on each side
    make: Callable[[int], Any] = np.int8 if name == "int8" else lambda n: np.datetime64(n * unit, "ns")
    for long, short in (("a", "b"), ("b", "a")):
        calendar = Calendar()
        for id in ("a", "b"):
            calendar.add_resource(Resource(id))
        for id, start, end in ((long, -100, -90), (long, 100, 110), (short, -10, 0), (short, 30, 40)):
            calendar.book(id, make(start), make(end))
        for start, end in ((5, 10), (2, 28)):
            with calendar.what_if():
                chosen = calendar.book_any(["a", "b"], make(start), make(end), strategy="best_fit")
                assert chosen.resource.id == short
