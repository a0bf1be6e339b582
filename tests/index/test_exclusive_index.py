"""What the store holds of a resource whose bookings never overlap, and when a resource must not be bound to it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, ConflictError, MemoryStore, Resource
from bookcore.index.disjoint_intervals import ChunkedIntervals
from bookcore.stores.memory.exclusive import ExclusiveIndex
from bookcore.testing import SMALL


@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_a_resource_in_two_calendars_is_decided_by_each_of_them(bounds: Any) -> None:
    """The first calendar's bookings never answer for the second, whichever wrote last."""
    one, two = Calendar(bounds=bounds), Calendar(bounds=bounds)
    room = Resource("room")
    one.add_resource(room)
    two.add_resource(room)
    here, there = one.book(room, 1, 3), two.book(room, 5, 7)
    for _ in range(2):
        assert [one.is_available(room, 1, 3), one.is_available(room, 5, 7)] == [False, True]
        assert [two.is_available(room, 1, 3), two.is_available(room, 5, 7)] == [True, False]
        one.remove_booking(here)
        two.remove_booking(there)
        assert one.is_available(room, 1, 7) and two.is_available(room, 1, 7)
        here, there = one.book(room, 1, 3), two.book(room, 5, 7)
    one.remove_booking(here)
    one.remove_resource(room)
    assert two.is_available(room, 1, 3) and not two.is_available(room, 5, 7)
    three = Calendar(bounds=bounds)
    three.add_resource(room)  # bound to the second calendar alone by now
    two.book(room, 11, 12)
    assert three.is_available(room, 5, 12)
    three.book(room, 8, 9)
    assert two.is_available(room, 8, 9) and not three.is_available(room, 8, 9)
    for calendar in (one, two, three):
        calendar.check()


class OwnEqual:
    """A key whose ``==`` raises for anything but such a key, as many a hand-written one does."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: OwnEqual) -> bool:
        return self.rank < other.rank

    def __eq__(self, other: Any) -> bool:
        return bool(self.rank == other.rank)

    def __hash__(self) -> int:
        return hash(self.rank)


@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_a_check_asks_no_key_whether_it_equals_an_unbounded_edge(bounds: Any) -> None:
    """The only booking may be unbounded on both sides: that is seen without a call of the keys' own ``==``."""
    calendar = Calendar(bounds=bounds)
    calendar.add_resource(Resource("room"))
    calendar.book("room", OwnEqual(1), OwnEqual(2))
    calendar.check()
    calendar.rebuild()
    assert not calendar.is_available("room", OwnEqual(1), OwnEqual(2))


@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_a_resource_with_another_rule_is_not_bound_to_its_index(bounds: Any) -> None:
    """While it is closed the bookings alone do not decide; when it is open again they do, those made meanwhile too."""
    calendar = Calendar(bounds=bounds)
    room = calendar.add_resource(Resource("room"))
    calendar.book(room, 1, 3)
    record = calendar._engine.state.registry.record(room)
    index = record.state
    assert type(index) is ExclusiveIndex and index.home is calendar
    assert room._binding is record.binding is record.fast_index is index
    closure = calendar.close(room, 5, 7, "paint")
    binding: Any = record.binding
    assert room._binding is binding is record and record.edges is None and index.home is None
    assert not calendar.is_available(room, 5, 6)
    with pytest.raises(ConflictError):
        calendar.book(room, 5, 6)
    calendar.book(room, 9, 11)
    calendar.reopen(closure)
    calendar.check()
    assert room._binding is record.binding is index and index.home is calendar
    assert calendar.is_available(room, 5, 6) and not calendar.is_available(room, 10, 12)


@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_the_index_of_a_resource_is_chunked_and_made_one_piece_again(bounds: Any) -> None:
    """Every answer and the count hold while the bookings outgrow one piece, and while they are removed."""
    calendar = Calendar(MemoryStore(SMALL), bounds=bounds)
    room = calendar.add_resource(Resource("room"))
    events = [calendar.add_booking(BookingEvent(room, at, at + 2)) for at in range(0, 90, 3)]
    calendar.check()
    index = room._binding
    assert type(index.intervals) is ChunkedIntervals and len(index.intervals.chunks) > 5
    assert [calendar.is_available(room, at, at + 1) for at in range(3)] == [
        False, False, bounds == "[)"
    ]  # fmt: skip
    assert all(one.start < two.start for one, two in pairwise(calendar.bookings(room)))
    for left, event in zip(range(len(events) - 1, -1, -1), events, strict=True):
        calendar.remove_booking(event)
        calendar.check()
        assert len(calendar) == left == index.active == len(index)
        assert calendar.is_available(room, event.start, event.start + 1)
    assert type(index.intervals) is not ChunkedIntervals
