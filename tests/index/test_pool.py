"""Pools and their shelves against cells counted one by one: room by the peak, blocked spans, turnaround."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore import BookingEvent
from bookcore.index.augmented_intervals import AugmentedIntervalList
from bookcore.index.bitmap import ordinals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.stores.memory.capacity import CapacityIndex
from bookcore.stores.memory.live_usage import LiveUsage
from bookcore.stores.record import ResourceRecord
from bookcore.testing import Oracle, Refused, Thing, rank_spans, small_sizes
from bookcore.testing.families import OnlyLess

MOST = settings().max_examples
STEPS = st.lists(
    st.tuples(st.booleans(), rank_spans("[)", 0, 30), st.integers(1, 4), st.integers(0, 99)),
    max_size=40,
)


def pool_and_oracle(closed: bool, capacity: int, before: int, after: int) -> tuple[CapacityIndex, Oracle]:
    """Return an empty pool and the oracle of it."""
    entry = ResourceRecord(0, None, 0, capacity, before or None, after or None)
    oracle = Oracle("[]" if closed else "[)")
    oracle.add_resource(Thing(0, (), capacity, before, after))
    return CapacityIndex(entry, closed), oracle


@pytest.mark.parametrize("closed", [False, True])
@given(
    steps=STEPS,
    capacity=st.integers(1, 4),
    before=st.sampled_from([0, 0, 1, 4]),
    after=st.sampled_from([0, 0, 2]),
    asked=st.lists(rank_spans("[)", -3, 34), min_size=1, max_size=6),
)
@settings(max_examples=MOST * 2)
def test_a_pool_has_room_where_the_peak_leaves_some(
    closed: bool, steps: Any, capacity: int, before: int, after: int, asked: Any
) -> None:
    """Room, order and what is put on the timeline follow every change, and go back with every undoing."""
    with small_sizes():
        pool, oracle = pool_and_oracle(closed, capacity, before, after)
        line = OccupancyIndex(closed)
        held: list[BookingEvent] = []
        for turn, (take, span, quantity, pick) in enumerate(steps, 1):
            if take and held:
                event = held.pop(pick % len(held))
                gone, come = pool.remove(event.start, event.end, event)
                oracle.remove_booking(event.id)
            else:
                event = BookingEvent(None, *span, id=turn, quantity=quantity)
                event._seq = turn
                try:
                    oracle.book(0, *span, id=turn, quantity=quantity)
                except Refused:
                    assert quantity > capacity or not pool.has_room(span[0], span[1], quantity)
                    continue
                assert pool.has_room(span[0], span[1], quantity)
                gone, come = pool.put(span[0], span[1], event)
                held.append(event)
            for start, end, previous, following in gone:
                line.remove(0, start, end, previous, following)
            for start, end in come:
                line.add(0, start, end)
            pool.check()
            line.check()
            for low, high in (*asked, span):
                for units in range(1, capacity + 1):
                    assert pool.has_room(low, high, units) is oracle.is_available(0, low, high, units)
                assert [event.id for event in pool.overlapping(low, high)] == oracle.bookings(0, low, high)
                # the timeline knows of one unit, for spans as they are asked: turnaround is in what it holds
                assert bool(list(ordinals(line.busy(low, high)))) is not oracle.is_available(0, low, high, 1)


@pytest.mark.parametrize("closed", [False, True])
@given(
    steps=STEPS,
    capacity=st.integers(1, 4),
    turnaround=st.sampled_from([(None, None), (1, 2), (None, 1)]),
    chosen=st.lists(st.booleans(), min_size=40, max_size=40),
    asked=st.lists(rank_spans("[)", -3, 34), min_size=1, max_size=6),
)
@settings(max_examples=MOST * 2)
def test_what_faded_in_a_pool_is_not_counted(
    closed: bool, steps: Any, capacity: int, turnaround: Any, chosen: Any, asked: Any
) -> None:
    """A net answers as a pool would in which only what stands was ever put, though it holds more than its capacity."""
    key: Any = (lambda rank: rank) if turnaround != (None, None) else OnlyLess
    with small_sizes():
        whole, stands = (CapacityIndex(ResourceRecord(0, None, 0, capacity, *turnaround), closed) for _ in range(2))
        gone = []
        for turn, ((_, (start, end), quantity, _), fades) in enumerate(zip(steps, chosen, strict=False), 1):
            event = BookingEvent(None, start, end, id=turn, quantity=min(quantity, capacity))
            event._start, event._end = row = None if start is None else key(start), None if end is None else key(end)
            event._seq = turn
            if not stands.has_room(*row, event.quantity):
                continue
            whole.put(*row, event)
            if fades:
                gone.append(event)
            else:
                stands.put(*row, event)
        whole.check()
        net = LiveUsage(whole, set(map(id, gone)), lambda: gone)
        for turn, (low, high) in enumerate(asked):
            if turn % 2 and gone:
                event = gone.pop()
                net.gone.discard(id(event))
                whole.remove(event._start, event._end, event)
                net.without(event)
            net.check(stands.overlapping(None, None))
            low, high = None if low is None else key(low), None if high is None else key(high)
            for limit in range(capacity):
                assert net.has_room(low, high, limit) is stands.profile.has_room(low, high, limit)
                assert ranks(net.over(low, high, limit)) == ranks(stands.profile.over(low, high, limit))
            assert ranks(net.steps(low, high)) == ranks(stands.profile.steps(low, high))


def ranks(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows with the ranks of the keys in them, which can be compared."""
    return [tuple(item.rank if isinstance(item, OnlyLess) else item for item in row) for row in rows]


def test_a_change_of_a_chain_of_blocked_spans_looks_at_its_neighbours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turnaround joins what many bookings block; one more, or one less, widens the stretches beside it and no others."""
    widened = 0

    def counted(key: Any, length: Any, closed: bool) -> Any:
        nonlocal widened
        widened += 1
        return key if key is None or length is None else key + length

    monkeypatch.setattr("bookcore.stores.memory.capacity.clear_after", counted)
    pool = CapacityIndex(ResourceRecord(0, None, 0, 1, 5, 7), False)
    events = [BookingEvent(None, 50 * n, 50 * n + 30) for n in range(400)]
    for turn, event in enumerate(events, 1):
        event._seq = turn
        pool.put(event.start, event.end, event)
    assert pool.blocked() == [(-12, 399 * 50 + 42)]
    widened = 0
    for event in (events[200], events[0], events[399]):
        pool.remove(event.start, event.end, event)
        pool.put(event.start, event.end, event)
    assert widened < 60
    pool.check()


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("split", [2, 3, 8])
@given(data=st.data())
def test_a_shelf_keeps_overlapping_bookings_by_start_and_turn(closed: bool, split: int, data: st.DataObject) -> None:
    """Equal starts in order of booking, whenever they were put, through cutting and emptying of parts."""
    with small_sizes(SPLIT=split):
        shelf = AugmentedIntervalList(closed)
        held: list[tuple[Any, Any, BookingEvent]] = []
        turns = data.draw(st.permutations(range(1, 25)))
        for turn in turns:
            low, high = data.draw(rank_spans("[)", 0, 12))
            event = BookingEvent(None, low, high)
            event._seq = turn
            start, end = (None if rank is None else OnlyLess(rank) for rank in (low, high))
            shelf.put(start, end, event)
            held.append((low, high, event))
            if data.draw(st.integers(0, 2)) == 0:
                low, high, event = held.pop(data.draw(st.integers(0, len(held) - 1)))
                shelf.remove(None if low is None else OnlyLess(low), event)
            shelf.check()
            assert sum(len(part.starts) for part in shelf.parts) == len(held)
            assert all(len(part.starts) <= split for part in shelf.parts)
            in_order = sorted(held, key=lambda row: (-1 if row[0] is None else row[0], row[2]._seq))
            touch = 0 if closed else 1
            for one, two in ((None, None), data.draw(rank_spans("[)", -1, 13))):
                right = [
                    event
                    for low, high, event in in_order
                    if (one is None or high is None or one + touch <= high)
                    and (two is None or low is None or low + touch <= two)
                ]
                keys = [None if rank is None else OnlyLess(rank) for rank in (one, two)]
                assert shelf.overlapping(*keys) == right
