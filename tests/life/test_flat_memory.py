"""Calls that take each other back leave nothing behind: everything that a calendar refers to is counted."""

from __future__ import annotations

import gc
import types
from array import array
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from bookcore import BookingStore, Calendar, MemoryStore, Resource
from bookcore.engine import holds
from bookcore.index import occupancy, sequence_table
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore
from bookcore.testing.cycles import CYCLES
from bookcore.testing.every_change import Clock
from bookcore.testing.sizes import SMALL, small_store

FOREIGN = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.FrameType)

STORES: dict[str, Callable[[], BookingStore[Any]]] = {
    "memory": MemoryStore,
    "small": lambda: MemoryStore(SMALL),
    "tree": lambda: small_store(TreeStore),
    "sorted": SortedStore,
}


class _Kinds(dict[type, str]):
    """What is counted of the objects of a class: one look-up for each object, of which there are many."""

    def __missing__(self, cls: type) -> str:
        sized = (list, dict, set, tuple, bytearray)
        kinds: dict[str, tuple[type, ...]] = {"foreign": FOREIGN, "int": (int,), "array": (array,), "sized": sized}
        self[cls] = next((kind for kind, classes in kinds.items() if issubclass(cls, classes)), "other")
        return self[cls]


KINDS = _Kinds()


def size(calendar: Calendar) -> int:
    """Return the number of things that a calendar refers to, directly or not, with the lengths of its containers."""
    seen: dict[int, Any] = {}
    found: list[Any] = [calendar]
    total = 0
    while found:  # what was just found, all together
        new = {id(thing): thing for thing in found if id(thing) not in seen}
        ours = []
        for key, thing in new.items():
            kind = KINDS[type(thing)]
            if kind == "foreign":
                continue
            seen[key] = thing
            if kind == "int":
                total += thing.bit_length() // 64
                continue
            if kind == "sized":
                total += len(thing)
            elif kind == "array":
                # one part of the ledger, which is dropped when it is full and empty
                total += len(thing) // sequence_table.SIZE
            ours.append(thing)
        found = gc.get_referents(*ours)
    return total + len(seen)


@pytest.fixture
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tidied once in thousands of calls is tidied once in dozens."""
    monkeypatch.setattr(holds, "REMEMBERED", 20)
    monkeypatch.setattr(occupancy, "UNUSED", 50)


@pytest.mark.usefixtures("small_tables")
@pytest.mark.parametrize("name", CYCLES)
@pytest.mark.parametrize("store", STORES)
def test_nothing_is_left_behind(store: str, name: str) -> None:
    run = CYCLES[name](STORES[store]())
    # what is tidied in batches grows up to each of them: the first cycles are all looked at, so that the height is known
    sizes = [max(map(size, islice(run, 90)))]
    for _ in range(30):
        calendar = list(islice(run, 50 if store == "memory" else 15))[-1]
        sizes.append(size(calendar))
    calendar.check()
    assert max(sizes[21:]) <= max(sizes[:21]) * 61 // 60, sizes


@pytest.mark.parametrize("store", STORES)
def test_a_confirmed_hold_is_waited_for_no_more(store: str) -> None:
    """Its deadline is gone, so that questions read without the lock again."""
    calendar = Calendar(STORES[store](), clock=Clock(0))
    calendar.add_resource(Resource("room"))
    gate = calendar._engine.state.gate
    for end in (calendar.confirm, calendar.remove_booking):
        event = calendar.hold("room", len(calendar) * 10, len(calendar) * 10 + 5, ttl=1_000)
        assert gate.waiting
        assert gate.stamp is None
        end(event)
        assert not gate.waiting
        assert gate.stamp == gate.version
        calendar.check()
    with calendar.what_if():
        calendar.hold("room", 30, 40, ttl=5)
    assert not gate.waiting


@pytest.mark.parametrize("confirmed", [[0], [9], [3, 4, 5], [0, 2, 4, 6, 8], list(range(1, 10)), [9, 0, 8, 1]])
def test_the_other_deadlines_stay(confirmed: list[int]) -> None:
    """Whichever holds are confirmed, the others run out in time, and an undone confirmation has its deadline back."""
    clock = Clock(0)
    calendar = Calendar(clock=clock)
    calendar.add_resource(Resource("room"))
    for number in range(10):
        calendar.hold("room", number, number + 1, until=100 + number // 2, id=str(number))
    with calendar.what_if():
        for number in range(10):
            calendar.confirm(str(number))
        calendar.check()
    calendar.check()
    for number in confirmed:
        calendar.confirm(str(number))
        calendar.check()
    for clock.now in range(98, 107):
        standing = {event.id for event in calendar.bookings()}
        assert standing == {str(n) for n in range(10) if n in confirmed or clock.now < 100 + n // 2}
        calendar.check()


def churned(store: BookingStore[Any], rounds: int) -> Calendar:
    """Return a calendar in which ten resources of all kinds stand, of many that came and went."""
    calendar = Calendar(store)
    calendar.create_index("number", key=lambda resource: resource.id % 7 or None)
    for number in range(rounds):
        calendar.add_resource(Resource(number, capacity=1 + number % 3, after=number % 4 or None))
        calendar.tag(number, number % 5)
        calendar.book(number, 10, 20, quantity=1 + number % 3)
        calendar.close(number, 30, 40)
        if number >= 10:
            for event in list(calendar.bookings(number - 10)):
                calendar.remove_booking(event)
            calendar.remove_resource(number - 10)
    return calendar


@pytest.mark.parametrize("store", STORES)
def test_answers_after_new_numbers(store: str) -> None:
    """Numbers are given anew many times, and no answer tells: neither order, nor labels, indexes, closures, bookings."""
    calendar = churned(STORES[store](), 500)
    fresh = Calendar()
    fresh.create_index("number", key=lambda resource: resource.id % 7 or None)
    for number in range(490, 500):
        fresh.add_resource(Resource(number, capacity=1 + number % 3, after=number % 4 or None))
        fresh.tag(number, number % 5)
        fresh.book(number, 10, 20, quantity=1 + number % 3)
        fresh.close(number, 30, 40)
    calendar.check()
    assert calendar._engine.state.registry.size <= 2 * 10 + 64 + 2
    for start, end in (0, 10), (5, 15), (20, 30), (22, 31), (35, 36), (40, None), (None, None):
        for quantity in (1, 2):
            asked = [each.find_available(start, end, quantity=quantity).ids() for each in (calendar, fresh)]
            assert asked[0] == asked[1]
            firsts = [[each.id for each in one.find_available(start, end).first(3)] for one in (calendar, fresh)]
            assert firsts[0] == firsts[1]
    assert calendar.resources.ids() == list(range(490, 500))
    assert calendar.resources.order_by("number").ids() == fresh.resources.order_by("number").ids()
    for label in range(5):
        assert calendar.tagged(label).ids() == fresh.tagged(label).ids()
    slots = [[(a, b, resource.id) for a, b, resource in each.find_slots(4, 0, 60)] for each in (calendar, fresh)]
    assert slots[0] == slots[1]
    assert calendar.index("number").between(1, 3).ids() == fresh.index("number").between(1, 3).ids()


def test_numbers_wait_for_the_end_of_a_transaction() -> None:
    """The changes of a transaction have numbers of resources, so that undoing it puts each where it was."""
    calendar = churned(MemoryStore(SMALL), 60)
    before, order = calendar.digest(), calendar.resources.ids()
    with calendar.what_if():
        for number in range(50, 55):
            calendar.remove_booking(next(iter(calendar.bookings(number))))
            calendar.remove_resource(number)
        for number in range(1000, 1100):
            calendar.add_resource(Resource(number))
            calendar.remove_resource(number)
            calendar.add_resource(Resource(-number))
        calendar.check()
    calendar.check()
    assert calendar.resources.ids() == order
    assert calendar.digest() == before


def test_a_store_that_cannot_renumber_keeps_its_numbers() -> None:
    """The answers are the same, and only the numbers are given out once."""

    class Plain(TreeStore):
        renumber: Any = None  # no method

        def __getattribute__(self, name: str) -> Any:
            if name == "renumber":
                raise AttributeError(name)
            return super().__getattribute__(name)

    calendar = churned(Plain(), 300)
    assert calendar.resources.ids() == list(range(290, 300))
    calendar.check()


def test_slots_survive_new_numbers() -> None:
    """An iterator that was begun before numbers were given anew yields each later slot once, in order."""
    for step in (None, 5):
        calendar = churned(MemoryStore(SMALL), 40)
        slots = calendar.find_slots(4, 0, 60, step=step)
        seen = [next(slots) for _ in range(12)]
        registry = calendar._engine.state.registry
        size_before = registry.size
        for number in range(1000, 1100):
            calendar.add_resource(Resource(number, capacity=1))
            calendar.remove_resource(number)
            calendar.add_resource(Resource(-number))
        for number in range(1000, 1100):
            calendar.remove_resource(-number)
        for number in range(30, 36):
            calendar.remove_booking(next(iter(calendar.bookings(number))))
            calendar.remove_resource(number)
        calendar.add_resource(Resource(7777))
        calendar.remove_resource(7777)
        assert registry.size < size_before
        seen += slots
        keys = [(start, resource.id) for start, _, resource in seen]
        assert len(set(keys)) == len(keys)
        assert [start for start, _ in keys] == sorted(start for start, _ in keys)
        rest = {(start, resource.id) for start, _, resource in calendar.find_slots(4, 0, 60, step=step)}
        last = keys[11][0]
        assert {key for key in rest if key[0] > last} == {key for key in keys[12:] if key[0] > last}
