"""Search and booking agree to the last digit where keys or buffers are floats, which round.

    after 0.2, booked [8.2, 9.0)     8.0 + 0.2 is 8.2, and 8.2 - 0.2 is 7.999999999999999: may [7.0, 8.0) be booked?

The spans that are asked for end and begin at, and a few floats beside, the places where a buffer begins or ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import product
from math import inf, nextafter
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bookcore import Calendar, ConflictError, KeyTypeError, MemoryStore, Resource
from bookcore.model.lengths import _last_end
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore
from bookcore.testing import ListStore

STORES = (MemoryStore, SortedStore, TreeStore, ListStore)
OTHERS = 8
"""Resources beside the one in question: for fewer, a search asks each by itself, and not the index of all."""

TENTHS = st.integers(-120, 120).map(lambda n: n / 10)
QUARTERS = st.integers(-48, 48).map(lambda n: n / 4)
KEYS = TENTHS | QUARTERS | st.floats(-16, 16) | st.integers(-16, 16) | st.floats(-1e9, 1e9)
LENGTHS = (
    st.none() | st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 1.0, 1.5, 8.0, 0.0, 1, 2, Fraction(1, 4), Fraction(1, 3)])
    | st.floats(1e-3, 20)
)  # fmt: skip


def neighbours(keys: Iterable[float], steps: int) -> list[float]:
    """Return these floats, and so many before and after each."""
    found = set(keys)
    for key in list(found):
        for direction in (-inf, inf):
            beside = key
            for _ in range(steps):
                found.add(beside := nextafter(beside, direction))
    return sorted(found)


def edges_of(calendar: Calendar, before: Any, after: Any) -> Iterator[float]:
    """Yield where free time begins and ends beside the bookings, up to rounding, in whichever order buffers are added."""
    one, other = float(before or 0), float(after or 0)
    for event in calendar.bookings("r"):
        yield from (event.start - one - other, event.start - other - one)
        yield from (event.end + one + other, event.end + other + one)


def is_booked(calendar: Calendar, start: Any, end: Any, quantity: int) -> bool:
    """Tell whether booking accepts a span; nothing remains."""
    with calendar.what_if():
        try:
            calendar.book("r", start, end, quantity=quantity)
        except (ConflictError, KeyTypeError):
            return False
        return True


def check_span(calendar: Calendar, start: Any, end: Any, quantity: int) -> bool:
    """Return whether booking accepts a span, after every question about it has given the same answer."""
    free = is_booked(calendar, start, end, quantity)
    span = start, end
    assert ("r" in calendar.find_available(*span, quantity=quantity).ids()) is free
    if quantity == 1:
        assert ("r" in calendar.find_booked(*span).ids()) is not free
    try:
        assert calendar.is_available("r", *span, quantity) is free
        assert (not calendar.explain("r", *span, quantity).causes) is free
        assert (list(calendar.gaps("r", *span, quantity=quantity)) == [span]) is free
        assert (calendar.nearest("r", *span, quantity=quantity) == (span, span)) is free
    except KeyTypeError:
        assert not free
    with calendar.what_if():
        found = calendar.book_any(calendar.resources, *span, quantity=quantity, strategy=lambda rooms: rooms[-1])
        assert bool(found.resource.id == "r") is free
    return free


def check_offers(calendar: Calendar, quantity: int) -> list[Any]:
    """Return the free time that questions offer, after booking has accepted all of it."""
    gaps = list(calendar.gaps("r", -40.0, 40.0, quantity=quantity))
    slots = [(start, end) for start, end, room in calendar.find_slots(1.5, -40.0, 40.0, quantity=quantity) if room.id == "r"]
    following = calendar.next_available("r", -40.0, 1.5, quantity=quantity)
    near = [
        span
        for event in list(calendar.bookings("r"))
        for span in calendar.nearest("r", event.start, event.end, quantity=quantity)
    ]
    for span in (*gaps, *slots, following, *near):
        if span is not None:
            assert is_booked(calendar, *span, quantity), span
    return [gaps, slots, following, near]


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize("capacity", [1, 2])
@settings(max_examples=settings().max_examples // 4)
@given(
    before=LENGTHS, after=LENGTHS, among=st.integers(0, 10**6),
    spans=st.lists(st.tuples(KEYS, st.floats(0.1, 4) | st.sampled_from([0.5, 1.0, 1])), max_size=4),
)  # fmt: skip
@example(before=None, after=0.2, spans=[(8.2, 0.8)], among=0)
@example(before=None, after=1.0, spans=[(8.5, 0.5)], among=0)
@example(before=None, after=0.5, spans=[(0.5, 8.0)], among=0)
@example(before=0.1, after=0.2, spans=[(-4.7, 0.8), (3.2, 1)], among=0)
def test_every_question_and_booking_agree_about_floats_beside_the_edges(
    bounds: Any, capacity: int, before: Any, after: Any, spans: list[Any], among: int
) -> None:
    """On each store, and all stores alike; a booking may also stay where it is."""
    assume(bounds == "[)" or Fraction not in {type(before), type(after)})  # gaps would end one key before a fraction
    told = []
    for make in STORES:
        calendar = Calendar(make(), bounds=bounds)
        for number in range(OTHERS):
            calendar.add_resource(Resource(number, capacity))
        calendar.add_resource(Resource("r", capacity, before=before, after=after))
        for start, length in spans:
            with suppress(ConflictError, KeyTypeError):
                calendar.book("r", start, start + length, quantity=capacity)
        answers: list[Any] = []
        for quantity in range(1, capacity + 1):
            answers += check_offers(calendar, quantity)
            edges = neighbours(edges_of(calendar, before, after), 3)
            asked = [span for span in product(edges, edges) if span[0] < span[1]]
            asked += [each for edge in edges for each in ((edge - 0.5, edge), (edge, edge + 0.5))]
            for start, end in asked[among % 7 :: max(1, len(asked) // 6)]:
                answers.append(check_span(calendar, start, end, quantity))
        for event in list(calendar.bookings("r")):
            calendar.move(event, start=event.start)
        calendar.check()
        told.append(answers)
    assert all(answers == told[0] for answers in told)


@pytest.mark.parametrize("make", STORES)
@pytest.mark.parametrize("others", [OTHERS, 300])
def test_slots_begin_where_gaps_do_among_any_number_of_resources(make: Any, others: int) -> None:
    """Of many, the ends of bookings are read from the index, which tells where booking accepts a start at all."""
    calendar = Calendar(make())
    for number in range(others):
        calendar.add_resource(Resource(number, before=1.0))
        calendar.book(number, -10.0, -8.5)
    asked = -9.0, 0.0
    assert list(calendar.gaps(0, *asked)) == [(-7.5, 0.0)]
    assert {(start, end) for start, end, _ in calendar.find_slots(1.0, *asked)} == {(-7.5, -6.5)}
    assert len(calendar.find_available(nextafter(-7.5, -inf), 0.0)) == others
    calendar.book(0, nextafter(-7.5, -inf), 0.0)


@pytest.mark.parametrize("make", STORES)
@pytest.mark.parametrize("key", [Fraction(1, 3), 2**53 + 1, Fraction(1, 4)])
@pytest.mark.parametrize("buffers", [{"before": 0.25}, {"after": 12.5}, {"before": 1, "after": 0.5}])
def test_a_key_that_no_float_equals_has_no_buffer_that_is_a_float(make: Any, key: Any, buffers: Any) -> None:
    """The sum would be rounded, and not as the key is compared. Other fractions are booked where search finds them."""
    calendar = Calendar(make())
    for number in range(OTHERS):
        calendar.add_resource(Resource(number))
    calendar.add_resource(Resource("r", **buffers))
    for span in ((key, key + 20), (key - 20, key)):
        free = check_span(calendar, *span, 1)
        assert free is (key == float(key))
        if not free:
            with pytest.raises(KeyTypeError, match="'r'"):
                calendar.book("r", *span)
    calendar.check()


@pytest.mark.parametrize("make", STORES)
@pytest.mark.parametrize("capacity", [1, 2])
def test_what_decimals_block_is_the_same_in_every_context(make: Any, capacity: int) -> None:
    """A booking that was made with many digits can be removed with few; what is asked with few is refused by name."""
    calendar = Calendar(make())
    for number in range(OTHERS):
        calendar.add_resource(Resource(number))
    calendar.add_resource(Resource("r", capacity, before=Decimal("0.5"), after=Decimal(12340)))
    booked = calendar.book("r", Decimal("1234.5678"), Decimal("2345.6789"), quantity=capacity)
    exact = Decimal("14685.6789") + Decimal("0.5")
    with localcontext() as context:
        context.prec = 6
        assert not check_span(calendar, Decimal(14686), Decimal(14687), 1)
        assert check_span(calendar, Decimal(14687), Decimal(14688), 1)
        with pytest.raises(KeyTypeError, match="'r'"):
            calendar.book("r", exact, exact + 1000)
        moved = calendar.move(booked, start=Decimal("1234.5"), end=Decimal("2345.5"))
        calendar.remove_booking(moved)
    calendar.check()
    assert check_span(calendar, Decimal("1234.5678"), Decimal("2345.6789"), capacity)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("length", [0.0, 0.5, 1, Fraction(1, 3)])
@pytest.mark.parametrize("key", [inf, -inf, 1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 0.0])
def test_beside_the_last_floats_there_is_a_first_start_and_a_last_end(key: float, length: Any, closed: bool) -> None:
    """Beyond infinity there is no float; a buffer of 0.0 moves nothing."""
    end, start = _last_end(key, length, closed), -_last_end(-key, length, closed)
    if key in (inf, -inf):
        assert (end, start) == (key, key)
    elif closed:
        assert end + length >= key > nextafter(end, -inf) + length
        assert start - length <= key < nextafter(start, inf) - length
    else:
        assert end + length <= key < nextafter(end, inf) + length
        assert start - length >= key > nextafter(start, -inf) - length
