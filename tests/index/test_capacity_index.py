"""Resources whose bookings may overlap, against cells counted one by one: room by the peak, blocked spans, buffers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.index.bitmap import ordinals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.stores import generic
from bookcore.stores.memory.capacity import CapacityIndex
from bookcore.stores.memory.store import MemoryStore
from bookcore.stores.record import ResourceRecord
from bookcore.stores.sizes import Sizes
from bookcore.testing import SMALL, Oracle, Refused, Thing, rank_spans
from bookcore.testing.families import OnlyLess

MOST = settings().max_examples
STEPS = st.lists(
    st.tuples(st.booleans(), rank_spans("[)", 0, 30), st.integers(1, 4), st.integers(0, 99)),
    max_size=40,
)


def index_and_oracle(closed: bool, capacity: int, before: int, after: int) -> tuple[CapacityIndex, Oracle]:
    """Return an empty index and the oracle of it."""
    record = ResourceRecord(0, None, 0, capacity, before or None, after or None)
    oracle = Oracle("[]" if closed else "[)")
    oracle.add_resource(Thing(0, (), capacity, before, after))
    return CapacityIndex(record, closed, SMALL), oracle


@pytest.mark.parametrize("closed", [False, True])
@given(
    steps=STEPS,
    capacity=st.integers(1, 4),
    before=st.sampled_from([0, 0, 1, 4]),
    after=st.sampled_from([0, 0, 2]),
    asked=st.lists(rank_spans("[)", -3, 34), min_size=1, max_size=6),
)
@settings(max_examples=MOST * 2)
def test_there_is_room_where_the_peak_leaves_some(
    closed: bool, steps: Any, capacity: int, before: int, after: int, asked: Any
) -> None:
    """Room, order and what is put into the occupancy index follow every change, and go back with every undoing."""
    index, oracle = index_and_oracle(closed, capacity, before, after)
    line = OccupancyIndex(closed, **SMALL.occupancy)
    held: list[tuple[Any, Any, int, int]] = []
    for turn, (take, span, quantity, pick) in enumerate(steps, 1):
        if take and held:
            row = held.pop(pick % len(held))
            assert index.row(row[2]) == row
            gone, come = index.remove(row[2])
            oracle.remove_booking(row[2])
        else:
            try:
                oracle.book(0, *span, id=turn, quantity=quantity)
            except Refused:
                assert quantity > capacity or not index.has_room(span[0], span[1], quantity)
                continue
            assert index.has_room(span[0], span[1], quantity)
            gone, come = index.put(span[0], span[1], turn, quantity)
            held.append((*span, turn, quantity))
        for start, end, previous, following in gone:
            line.remove(0, start, end, previous, following)
        for start, end in come:
            line.add(0, start, end)
        index.check()
        line.check()
        for low, high in (*asked, span):
            for units in range(1, capacity + 1):
                assert index.has_room(low, high, units) is oracle.is_available(0, low, high, units)
            found = index.overlapping(low, high)
            assert [row[2] for row in found] == oracle.bookings(0, low, high)
            assert set(found) <= set(held)
            # the occupancy index knows of one unit, for spans as they are asked: buffers are in what it holds
            assert bool(list(ordinals(line.busy(low, high)))) is not oracle.is_available(0, low, high, 1)


@pytest.mark.parametrize("closed", [False, True])
@given(
    steps=STEPS,
    capacity=st.integers(1, 4),
    buffer=st.sampled_from([(None, None), (1, 2), (None, 1)]),
    chosen=st.lists(st.booleans(), min_size=40, max_size=40),
    asked=st.lists(rank_spans("[)", -3, 34), min_size=1, max_size=6),
)
@settings(max_examples=MOST * 2)
def test_hidden_rows_are_not_counted(
    closed: bool, steps: Any, capacity: int, buffer: Any, chosen: Any, asked: Any
) -> None:
    """A store that hides some rows answers as one that has only the others, though more are held than fit."""
    key: Any = (lambda rank: rank) if buffer != (None, None) else OnlyLess
    whole, active = MemoryStore(SMALL), MemoryStore(SMALL)
    records = [ResourceRecord(0, None, 0, capacity, *buffer) for _ in range(2)]
    for store, record in zip((whole, active), records, strict=True):
        store.bind(closed)
        store.add_resource(record)
    for turn, ((_, (start, end), quantity, _), hides) in enumerate(zip(steps, chosen, strict=False), 1):
        quantity = min(quantity, capacity)
        span = None if start is None else key(start), None if end is None else key(end)
        if not active.is_free(records[1], *span, quantity):
            continue
        whole.put(records[0], *span, turn, quantity)
        if hides:
            whole.hide([records[0]], [turn])
        else:
            active.put(records[1], *span, turn, quantity)
    for low, high in asked:
        whole.vacuum(1)
        whole.check()
        span = None if low is None else key(low), None if high is None else key(high)
        for quantity in range(1, capacity + 1):
            free = [store.is_free(record, *span, quantity) for store, record in zip((whole, active), records, strict=True)]
            assert free[0] == free[1]
            assert whole.busy(*span, quantity) & 1 == active.busy(*span, quantity) & 1
            spans = [_blocked(*pair, *span, quantity, closed) for pair in zip((whole, active), records, strict=True)]
            assert spans[0] == spans[1]


def _blocked(store: MemoryStore, record: ResourceRecord, low: Any, high: Any, quantity: int, closed: bool) -> list[Any]:
    """Return the blocked spans in ranks: from the index, or from the rows where the index is inexact."""
    found = store.blocked_spans(record, low, high, quantity)
    if found is None:
        found = generic.blocked_spans(store.overlapping, record, low, high, quantity, closed)
    return ranks(found)


def ranks(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows with the ranks of the keys in them, which can be compared."""
    return [tuple(item.rank if isinstance(item, OnlyLess) else item for item in row) for row in rows]


def test_a_change_of_a_chain_of_blocked_spans_looks_at_its_neighbours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers join what many bookings block; one more, or one less, widens the stretches beside it and no others."""
    widened = 0

    def counted(key: Any, length: Any, closed: bool) -> Any:
        nonlocal widened
        widened += 1
        return key if key is None or length is None else key + length

    monkeypatch.setattr("bookcore.stores.memory.capacity.clear_after", counted)
    index = CapacityIndex(ResourceRecord(0, None, 0, 1, 5, 7), False, Sizes())
    rows = [(50 * n, 50 * n + 30, n + 1) for n in range(400)]
    for row in rows:
        index.put(*row, 1)
    assert index.blocked() == [(-12, 399 * 50 + 42)]
    widened = 0
    for row in (rows[200], rows[0], rows[399]):
        index.remove(row[2])
        index.put(*row, 1)
    assert 0 < widened < 60
    index.check()
