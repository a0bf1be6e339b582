"""Lengths and the keys they are added to: whole, or refused, so that buffers are the same from both sides."""

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

from bookcore import (
    BookcoreError,
    Calendar,
    ConflictError,
    KeyTypeError,
    MemoryStore,
    Resource,
    ResourceError,
)
from bookcore.model.keys import normal
from bookcore.model.lengths import later, sooner
from bookcore.stores.tree import TreeStore
from bookcore.testing import ListStore

HOURS = timedelta(hours=5)
NO_LENGTHS: list[Any] = [
    -1, -0.5, timedelta(-1), Decimal(-1), float("nan"), float("inf"), Decimal("sNaN"), "1", b"", True, [], (), object(), {},
]  # fmt: skip
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(params=[MemoryStore, TreeStore, ListStore])
def make(request: pytest.FixtureRequest) -> Callable[..., Calendar]:
    """Return a maker of calendars on one kind of store."""
    return lambda **kwargs: Calendar(request.param(), **kwargs)


@pytest.mark.parametrize("name", ["before", "after"])
@pytest.mark.parametrize(
    "length",
    NO_LENGTHS,
    ids=lambda length: type(length).__name__,
)
def test_a_buffer_that_is_no_length_is_refused_with_the_resource(
    make: Callable[..., Calendar], name: str, length: Any
) -> None:
    """When it is added: one such resource would be in the way of every question about all."""
    calendar = make()
    calendar.add_resource(Resource("good"))
    with pytest.raises(ResourceError, match=f"'bad'.* its {name} is "):
        calendar.add_resource(Resource("bad", **{name: length}))
    with pytest.raises(ResourceError, match=f"its {name} is "):
        calendar.add_resource(Resource("bad"), **{name: length})
    assert calendar.find_available(1, 2).ids() == ["good"]


def test_a_buffer_by_which_the_keys_cannot_be_moved_is_refused(make: Callable[..., Calendar]) -> None:
    """With the resource once the calendar has keys; where it has none yet, the booking names the resource."""
    calendar = make()
    calendar.add_resource(Resource("good"))
    booked = calendar.book("good", 1, 2)
    with pytest.raises(ResourceError, match=r"'late'.*after is .*keys of this calendar"):
        calendar.add_resource(Resource("late", after=HOURS))
    calendar.remove_booking(booked)
    calendar.add_resource(Resource("late", after=HOURS))
    with pytest.raises(KeyTypeError, match=r"buffer of resource 'late'"):
        calendar.book("late", 1, 2)
    assert calendar.find_available(1, 2).ids() == ["good"]
    calendar.remove_resource("late")
    calendar.book("good", datetime.max - timedelta(minutes=1), datetime.max)
    calendar.add_resource(Resource("late", after=HOURS))  # by which the last of all keys cannot be moved, but others


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("buffer", [{"before": HOURS}, {"after": HOURS}, {"after": timedelta(days=1, hours=12)}])
def test_a_buffer_of_hours_among_dates_is_refused(
    make: Callable[..., Calendar], bounds: Any, buffer: dict[str, Any]
) -> None:
    """At the first booking, which says why, and at every question; nothing changes."""
    calendar = make(bounds=bounds)
    calendar.add_resource(Resource("flat", **buffer))
    monday, friday = date(2026, 5, 4), date(2026, 5, 8)
    with pytest.raises(KeyTypeError, match=r"is a date: .* only by whole days"):
        calendar.book("flat", monday, friday)
    with pytest.raises(KeyTypeError, match=r"is a date: .* only by whole days"):
        calendar.is_available("flat", monday, friday)
    assert len(calendar) == 0
    calendar.check()


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize(("before", "after"), [(None, timedelta(days=2)), (timedelta(days=1), timedelta(days=1))])
def test_a_buffer_of_days_among_dates_holds_from_both_sides(
    make: Callable[..., Calendar], bounds: Any, before: Any, after: Any
) -> None:
    """Whoever is booked first, two neighbours stand equally far apart."""

    def fits(first: int, second: int) -> bool:
        calendar = make(bounds=bounds)
        calendar.add_resource(Resource("flat", before=before, after=after))
        calendar.book("flat", date(2026, 5, first), date(2026, 5, first + 2))
        try:
            calendar.book("flat", date(2026, 5, second), date(2026, 5, second + 2))
        except ConflictError:
            return False
        return True

    apart = 4 if bounds == "[)" else 5  # the booking's own two days, then the buffer
    for distance in range(1, 9):
        assert fits(10, 10 + distance) == fits(10 + distance, 10) == (distance >= apart)


@pytest.mark.parametrize("ask", ["next_available", "hold"])
def test_other_lengths_of_hours_are_refused_among_dates_too(make: Callable[..., Calendar], ask: str) -> None:
    """A length asked for, and how long a hold lasts by a clock that shows dates."""
    calendar = make(clock=lambda: date(2026, 5, 1))
    calendar.add_resource(Resource("flat"))
    with pytest.raises(KeyTypeError):
        if ask == "hold":
            calendar.hold("flat", 1, 2, ttl=HOURS)
        else:
            calendar.next_available("flat", date(2026, 5, 4), timedelta(days=1, hours=5))


@pytest.mark.parametrize(
    ("key", "length"),
    [
        (date(2026, 5, 4), HOURS),
        (date(2026, 5, 4), timedelta(days=2, microseconds=1)),
        (1e17, 1),
        (10**17, 0.5),
        (Decimal(10) ** 30, Decimal(1)),
        (Decimal(10) ** 27 + 1, Decimal("0.55")),
        (Decimal(10) ** 30, 1),
    ],
)
def test_length_of_which_part_would_be_lost_is_refused(key: Any, length: Any) -> None:
    """Whatever the family of keys, forwards and backwards."""
    for move in (later, sooner):
        with pytest.raises(KeyTypeError):
            move(key, length)


@pytest.mark.parametrize(
    ("key", "length"),
    [
        (5, 2), (5, 0), (5, 0.1), (5.3, 0.1), (0.1, 0.2), (Fraction(1, 3), Fraction(1, 7)), (Decimal("0.1"), Decimal("0.2")),
        (Decimal(3), 2), (date(2026, 5, 4), timedelta(days=3)), (date(2026, 5, 4), timedelta(0)), (10**30, 1),
        (datetime(2026, 5, 4), HOURS), (datetime(2026, 5, 4, tzinfo=UTC), timedelta(microseconds=1)),
        (datetime(2026, 3, 29, 1, tzinfo=BERLIN), HOURS), (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), HOURS),
    ],
)  # fmt: skip
def test_length_that_fits_is_added_and_taken_away_whole(key: Any, length: Any) -> None:
    """Also over a change of the clock, where a length is elapsed time."""
    back = later(sooner(key, length), length)
    assert back == (pytest.approx(key) if isinstance(length, float) else normal(key))
    assert not later(key, length) < sooner(key, length)


def test_lengths_of_numpy_and_pandas() -> None:
    """What their scalars can hold is kept, what they would drop is refused."""
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    day, noon = date(2026, 5, 4), pd.Timestamp(2026, 5, 4, 12)
    kept = [
        (np.datetime64("2026-05-04"), np.timedelta64(5, "h")), (np.int64(5), 2), (np.float32(2**25), np.float32(1)),
        (noon, HOURS), (noon, pd.Timedelta(nanoseconds=5)), (noon.as_unit("s"), pd.Timedelta(milliseconds=5)),
        (noon, np.timedelta64(5, "ns")), (noon.tz_localize("UTC"), HOURS), (datetime(2026, 5, 4), pd.Timedelta(hours=5)),
        (datetime(2026, 5, 4), pd.Timedelta(nanoseconds=500)),  # what a Timestamp without nanoseconds is held as
    ]  # fmt: skip
    for key, length in kept:
        assert normal(key) < later(key, length) and sooner(later(key, length), length) == key
    lost = [
        (day, pd.Timedelta(hours=5)), (day, np.timedelta64(5, "h")), (np.datetime64("2026-05-04"), HOURS),
        (np.float64(2**54), np.float32(1)),
    ]  # fmt: skip
    for key, length in lost:
        for move in (later, sooner):
            with pytest.raises(BookcoreError):
                move(key, length)


@pytest.mark.parametrize("capacity", [1, 2])
def test_lengths_of_python_go_with_days_and_hours_of_numpy(make: Callable[..., Calendar], capacity: int) -> None:
    """NumPy makes a date of a day and a length of Python, and a datetime of an hour, which cannot be compared."""
    np = pytest.importorskip("numpy")
    start, end, hour = np.datetime64("2026-01-01"), np.datetime64("2026-01-01T10", "h"), np.timedelta64(1, "h")
    answers = []
    for length in (timedelta(days=1), np.timedelta64(1, "D")):
        calendar = make()
        calendar.add_resource(Resource("r", capacity, before=length, after=length))
        answers.append([calendar.is_available("r", start, end), list(calendar.gaps("r", start, end))])
        calendar.book("r", start, end, quantity=capacity)
        answers[-1] += [
            calendar.is_available("r", end, end + 50 * hour),
            list(calendar.gaps("r", end, end + 90 * hour, at_least=length)),
            calendar.find_available(end + 48 * hour, end + 72 * hour).ids(), calendar.next_available("r", start, length),
        ]  # fmt: skip
        calendar.check()
    assert answers[0] == answers[1]
    assert answers[0][3:5] == [[(end + 48 * hour, end + 90 * hour)], ["r"]]


@pytest.mark.parametrize("name", ["array", "series", "NA"])
def test_what_cannot_say_whether_it_is_longer_is_refused(make: Callable[..., Calendar], name: str) -> None:
    """An array, a series, a missing value: compared, they give no yes or no; an error of ours, and nothing changes."""
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    length = {"array": np.array([1, 2]), "series": pd.Series([1, 2]), "NA": pd.NA}[name]
    calendar = make(clock=lambda: 100)
    calendar.add_resource(Resource("r"))
    calendar.book("r", 20, 30)
    with pytest.raises(KeyTypeError):
        calendar.hold("r", 1, 2, ttl=length)
    for side in ("before", "after"):
        with pytest.raises(ResourceError):
            calendar.add_resource(Resource("x", **{side: length}))
        with pytest.raises(ResourceError):
            calendar.add_resource(Resource("x"), **{side: length})
    assert (len(calendar), calendar.resources.ids()) == (1, ["r"])


@pytest.mark.parametrize("others", [1, 12])
@pytest.mark.parametrize("quantity", [1, 2])
def test_nobody_else_suffers_from_a_buffer_that_does_not_go_with_the_keys(
    make: Callable[..., Calendar], others: int, quantity: int
) -> None:
    """Booking refuses it, so no search offers it: one by one or all at once, for one unit or more."""
    calendar = make()
    calendar.add_resource(Resource("late", capacity=2, after=HOURS))
    for number in range(others):
        calendar.add_resource(Resource(number, capacity=2))
    span = date(2026, 5, 4), date(2026, 5, 5)
    with pytest.raises(KeyTypeError):
        calendar.book("late", *span, quantity=quantity)
    free = calendar.find_available(*span, quantity=quantity)
    assert free.ids() == list(range(others)) and free.first(1)[0].id == 0
    assert len(calendar.find_available(None, None, quantity=quantity)) == others + 1  # no key, nothing to be moved
    slots = calendar.find_slots(timedelta(days=1), span[0], date(2026, 5, 6), quantity=quantity)
    assert {who.id for _, _, who in slots} == set(range(others))
    assert calendar.book_any(calendar.resources, *span, quantity=quantity).resource.id == 0
    with calendar.what_if():
        calendar.remove_resource("late")
        assert "late" not in calendar.find_available(*span).ids()
    calendar.remove_resource("late")
    calendar.add_resource(Resource("late", after=timedelta(days=1)))
    assert "late" in calendar.find_available(*span).ids()


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("capacity", [1, 3])
@given(data=st.data())
def test_buffers_of_floats_keep_all_questions_of_one_mind(
    make: Callable[..., Calendar], bounds: Any, capacity: int, data: st.DataObject
) -> None:
    """8.0 + 0.2 is 8.2, and 8.2 - 0.2 is less than 8.0; whatever finding time offers, booking accepts."""
    calendar = make(bounds=bounds)
    lengths = st.floats(0.001, 3) | st.sampled_from([0.0, 0.1, 0.2, 0.3])
    calendar.add_resource(Resource("r", capacity, before=data.draw(lengths), after=data.draw(lengths)))
    keys = st.floats(-10, 10) | st.integers(-100, 100).map(lambda tenth: tenth / 10)
    for _ in range(3):
        start, end = sorted((data.draw(keys), data.draw(keys)))
        if start < end:
            with suppress(ConflictError):
                calendar.book("r", start, end, quantity=capacity)
    for start, end in calendar.gaps("r", -20.0, 20.0, quantity=capacity):
        if start < end:
            assert calendar.is_available("r", start, end, capacity)
            assert "r" in calendar.find_available(start, end, quantity=capacity).ids()
            assert not calendar.explain("r", start, end, capacity).causes


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("others", [0, 12])
@given(data=st.data())
def test_a_buffer_that_reaches_beyond_all_keys_is_without_end(
    make: Callable[..., Calendar], bounds: Any, others: int, data: st.DataObject
) -> None:
    """At either end of the calendar search, booking and finding time agree, and nothing raises."""
    hour = timedelta(hours=1)
    calendar = make(bounds=bounds)
    sizes = st.integers(0, 40).map(lambda size: size * hour)
    capacity = data.draw(st.sampled_from([1, 2]))
    calendar.add_resource(Resource("r", capacity, before=data.draw(sizes), after=data.draw(sizes)))
    for number in range(others):
        calendar.add_resource(Resource(number))
    early = sizes.map(lambda size: datetime.min + 3 * size)
    late = sizes.map(lambda size: datetime.max - 3 * size)
    near = data.draw(st.sampled_from([early, late]))
    for _ in range(4):
        start, end = sorted((data.draw(near), data.draw(near)))
        if not start < end:
            continue
        free = calendar.is_available("r", start, end)
        assert free == ("r" in calendar.find_available(start, end).ids())
        assert free == (not calendar.explain("r", start, end).causes)
        assert free == ((start, end) in list(calendar.gaps("r", start, end)))
        try:
            calendar.book("r", start, end)
        except ConflictError as refused:
            assert not free and refused.conflicts
        else:
            assert free
    calendar.check()


@pytest.mark.parametrize("shape", [(), (1,), (2, 2)])
@pytest.mark.parametrize("kind", ["int64", "timedelta64[h]", "object"])
def test_an_array_is_no_length(make: Callable[..., Calendar], shape: tuple[int, ...], kind: str) -> None:
    """It can be added to a key, and changed after it was given."""
    numpy = pytest.importorskip("numpy")
    length = numpy.full(shape, 1, dtype=kind)
    calendar = make()
    with pytest.raises(ResourceError, match="its before is "):
        calendar.add_resource(Resource("room"), before=length)
    with pytest.raises(ResourceError, match="its after is "):
        calendar.add_resource(Resource("room", after=length))
    calendar.add_resource(Resource("room"))
    calendar.book("room", 5, 6)
    for call in (
        lambda: calendar.next_available("room", 1, length),
        lambda: list(calendar.gaps("room", 1, 9, at_least=length)),
        lambda: list(calendar.find_slots(length, 1, 9)),
    ):
        with pytest.raises(KeyTypeError):
            call()
    assert len(calendar) == 1
