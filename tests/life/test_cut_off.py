"""A change that is cut off half-way: by Ctrl-C, lack of memory, too deep a recursion, or an exception of a signal handler.

Python runs signal handlers as a function begins, after a call of a function in C, and at the end of a loop's body. The tests
raise an exception at the n-th of the first two kinds of places of a call, as a profile function can, for some n, or with
BOOKCORE_EXAMPLES=many for every n. Afterwards the calendar is as it was before the call, or as it is after it, all
invariants hold, and the lock is free.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from io import StringIO
from itertools import count
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    BookingStore,
    Calendar,
    MemoryStore,
    Resource,
    TransactionError,
    changes,
)
from bookcore.stores.sizes import Sizes
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore
from bookcore.testing.contract_threads import join_all
from bookcore.testing.cutting import cut_off
from bookcore.testing.liststore import ListStore
from bookcore.testing.sizes import SMALL

DEEP = os.environ.get("BOOKCORE_EXAMPLES") == "many"

STORES: dict[str, Callable[[], BookingStore[Any]]] = {
    "memory": MemoryStore,
    "small memory": lambda: MemoryStore(Sizes(split=4, overlapping=4)),
    "sorted": SortedStore,
    "tree": TreeStore,
    "list": ListStore,
}


class TimeoutOfHandlerError(Exception):
    """What a signal handler raises."""


ERRORS: list[type[BaseException]] = [KeyboardInterrupt, MemoryError, RecursionError, TimeoutOfHandlerError]


def make(store: Callable[[], BookingStore[Any]]) -> tuple[Calendar, list[int]]:
    """Return a calendar with a room, a pool with buffers, a hold that has run out, a closure; and its clock."""
    now = [0]
    calendar = Calendar(store(), clock=partial(now.__getitem__, 0))
    for resource in (Resource("r"), Resource("pool", capacity=3), Resource("van", before=1, after=2), Resource("old")):
        calendar.add_resource(resource)
    for at in range(0, 18, 6):
        calendar.book("r", at, at + 2, id=f"r{at}")
        calendar.book("pool", at, at + 4, id=f"p{at}", quantity=2)
        calendar.book("pool", at + 3, at + 5, id=f"q{at}")
        calendar.book("van", at, at + 2, id=f"v{at}", guest="Ada")
    calendar.hold("r", 90, 91, id="held", until=50)
    calendar.hold("pool", 90, 91, id="gone", until=1)
    calendar.close("old", 5, 9, "paint")
    calendar.close("pool", 80, 81)
    calendar.tag("r", "sea")
    calendar.create_index("id", key=lambda resource: resource.id)
    return calendar, now


def make_indexed(store: Callable[[], BookingStore[Any]]) -> tuple[Calendar, list[int]]:
    """Return the same with indexes over bookings."""
    calendar, now = make(store)
    calendar.create_booking_index("guest", key=lambda event: str(event.guest))
    calendar.create_booking_index("start", key=lambda event: (event.quantity, event.start))
    return calendar, now


def undone(calendar: Calendar) -> None:
    """Change several things in a block that is undone."""
    with calendar.what_if():
        calendar.book("r", 3, 4)
        calendar.remove_booking("p0")
        calendar.move("r6", start=3, end=5, resource="van") if calendar.is_available("van", 3, 5) else None
        calendar.tag("pool", "sea")
        calendar.close("r", 70, 71)


def kept(calendar: Calendar) -> None:
    """Change several things in a block that is kept."""
    with calendar.transaction():
        calendar.book("r", 3, 4)
        calendar.remove_booking("p0")
        with calendar.what_if():
            calendar.remove_booking("p6")
        calendar.untag("r", "sea")


def failed(calendar: Calendar) -> None:
    """Fail in a block."""
    try:
        with calendar.transaction():
            calendar.book("r", 3, 4)
            calendar.book("pool", 1, 2, quantity=4)
    except BookcoreError:
        pass


COMMANDS: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("r", 3, 4),
    "book named": lambda c: c.book("r", 3, 4, id="x", guest="Bo"),
    "book in a pool": lambda c: c.book("pool", 2, 5, quantity=1) if c.is_available("pool", 2, 5) else c.book("pool", 70, 71),
    "book with buffers": lambda c: c.book("van", 100, 101),
    "book without end": lambda c: c.book("r", 100, None),
    "remove": lambda c: c.remove_booking("r6"),
    "remove from a pool": lambda c: c.remove_booking("p6"),
    "remove with buffers": lambda c: c.remove_booking("v6"),
    "move": lambda c: c.move("r6", start=3, end=5),
    "change fields": lambda c: c.change("r6", guest="Bo"),
    "change a quantity": lambda c: c.change("p6", quantity=1, guest="Bo"),
    "move within a pool": lambda c: c.move("q6", start=70, end=75),
    "move elsewhere": lambda c: c.move("r6", resource="old", start=20, end=21),
    "split": lambda c: c.split("p6", 8),
    "load": lambda c: c.load([BookingEvent("old", at, at + 1) for at in range(20, 32)]),
    "load named": lambda c: c.load([BookingEvent("old", at, at + 1, id=f"n{at}", guest=at) for at in range(20, 32)]),
    "book_all": lambda c: c.book_all([("r", 3, 4), {"resource": "pool", "start": 70, "end": 71, "quantity": 3}]),
    "book_any": lambda c: c.book_any(c.resources, 100, 101),
    "hold": lambda c: c.hold("r", 3, 4, until=60),
    "confirm": lambda c: c.confirm("held"),
    "extend": lambda c: c.extend("held", until=70),
    "close": lambda c: c.close("old", 1, 7),
    "reopen": lambda c: c.reopen(c.closures()[0]),
    "set_hours": lambda c: c.set_hours("old", None),
    "set_capacity": lambda c: c.set_capacity("r", 3),
    "set_capacity to less than is in use": lambda c: c.set_capacity("pool", 1),
    "set_capacity with buffers": lambda c: c.set_capacity("van", 2),
    "add_resource": lambda c: c.add_resource(Resource("new", capacity=2, after=1)),
    "remove_resource": lambda c: c.remove_resource("old"),
    "tag": lambda c: c.tag("pool", "a", "b"),
    "untag": lambda c: c.untag("r", "sea"),
    "add_booking": lambda c: c.add_booking(BookingEvent("r", 3, 4)),
    "apply": lambda c: c.apply(changes.Released(c.get("r6"))),
    "create_index": lambda c: c.create_index("capacity", key=lambda resource: resource.capacity),
    "create_booking_index": lambda c: c.create_booking_index("resource", key=lambda event: event.resource.id),
    "reindex": lambda c: c.reindex("r"),
    "undone block": undone,
    "kept block": kept,
    "failed block": failed,
    "question": lambda c: (len(c.find_available(1, 2)), c.find_booked(1, 90).ids(), c.is_available("pool", 1, 2)),
    "slots": lambda c: list(c.find_slots(2, 0, 30)),
}
SLOW = {
    "book", "set_capacity", "set_capacity to less than is in use", "remove from a pool", "move", "change a quantity", "load",
    "undone block", "question",
}  # fmt: skip
"""Commands that are tried with every error and on every store."""


def cut_everywhere(
    store: Callable[[], BookingStore[Any]],
    act: Callable[[Calendar], Any],
    error: type[BaseException],
    most: int,
    make: Callable[[Callable[[], BookingStore[Any]]], tuple[Calendar, list[int]]] = make,
) -> None:
    """Cut the call off at *most* places, which change from run to run, or at all of them."""
    count = cut_off(partial(act, make(store)[0]), 1 << 60, error)
    nths = list(range(1, count + 1))
    if not DEEP and count > most:
        nths = sorted(random.sample(nths, most))
    before, after = make(store)[0].digest(), set[str]()
    for nth in nths:
        calendar, now = make(store)
        now[0] = 1  # one hold runs out
        cut_off(partial(act, calendar), nth, error)
        gate = calendar._gate
        assert (gate.mode, gate.depth) == (0, 0), nth
        assert not gate.lock._is_owned(), nth  # type: ignore[attr-defined]
        now[0] = 0
        calendar.check()
        for name, index in calendar._engine.state.booking_indexes.by_name.items():
            right = [event for event in calendar.bookings() if name == "start" or "guest" in event.fields]
            values = [index.values[calendar._ledger.find(event)] for event in right]
            assert values == [index.value_of(event) for event in right], nth
        now[0] = 1
        len(calendar)  # the hold runs out now, if it has not
        assert gate.block is None, nth
        after.add(calendar.digest())
        assert len(after - {before}) <= 2, nth  # the hold that runs out first is a change of its own
        calendar.book("pool", 200, 201)
        calendar.check()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # cut off as a generator is discarded
@pytest.mark.parametrize("command", COMMANDS)
def test_a_call_that_is_cut_off_anywhere_leaves_the_old_or_the_new(command: str) -> None:
    """With the default store, and Ctrl-C."""
    cut_everywhere(MemoryStore, COMMANDS[command], KeyboardInterrupt, 40)


INDEXED = ["book named", "book in a pool", "remove from a pool", "move", "split", "change fields", "change a quantity"]
INDEXED += ["load", "hold", "confirm", "create_booking_index", "undone block", "kept block", "apply", "question"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("store", ["memory", "tree"])
@pytest.mark.parametrize("command", INDEXED)
def test_with_indexes_over_bookings(command: str, store: str) -> None:
    """They have each booking with its value, or without it."""
    cut_everywhere(STORES[store], COMMANDS[command], KeyboardInterrupt, 20, make_indexed)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("store", list(STORES)[1:])
@pytest.mark.parametrize("command", sorted(SLOW))
def test_whatever_the_store(command: str, store: str) -> None:
    """Also one that cannot be repaired, each of whose calls changes all or nothing."""
    cut_everywhere(STORES[store], COMMANDS[command], KeyboardInterrupt, 20)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", ERRORS[1:])
@pytest.mark.parametrize("command", ["book", "confirm", "remove from a pool", "move", "extend", "undone block"])
def test_whatever_the_exception(command: str, error: type[BaseException]) -> None:
    """Also one that a handler raises, which need not be a `BaseException` only."""
    cut_everywhere(MemoryStore, COMMANDS[command], error, 20)


@pytest.mark.parametrize("command", ["book", "extend", "move", "kept block", "undone block", "failed block"])
def test_a_delivery_that_is_cut_off_leaves_others_to_be_delivered(command: str) -> None:
    """At every place of `book`, and some of the others; the same thread then delivers, of this calendar and of others."""
    calendar, _ = make(MemoryStore)
    calendar.subscribe(lambda change: None)
    nths = list(range(1, cut_off(partial(COMMANDS[command], calendar), 1 << 60) + 1))
    for nth in nths if DEEP or command == "book" else random.sample(nths, 20):
        calendar, _ = make(MemoryStore)
        calendar.subscribe(lambda change: None)
        cut_off(partial(COMMANDS[command], calendar), nth)
        told: list[Any] = []
        for other in (calendar, make(MemoryStore)[0]):
            other.subscribe(told.append)
            other.book("pool", 200, 201, id="last")
        assert [change.event.id for change in told if type(change) is changes.Booked].count("last") == 2, nth


@pytest.mark.parametrize("id", [None, "x"])
@pytest.mark.parametrize("many", [0, 3, 1024])
def test_the_fast_path_of_a_booking_is_cut_off(id: str | None, many: int) -> None:
    """At every place: it stands whole or not at all, also where a part of the ledger or of the occupancy index is new."""
    for nth in count(1):
        calendar = Calendar()
        room = calendar.add_resource(Resource("r"))
        calendar.load(BookingEvent("r", 2 * at, 2 * at + 1, id=f"b{at}") for at in range(many))
        end = 2 * many
        places = cut_off(lambda: calendar.book(room, end + 4, end + 6, id=id), nth)  # noqa: B023 - called at once
        calendar.check()
        stands = not calendar.is_available(room, end + 4, end + 6)
        assert len(calendar) == many + stands
        assert [event.id for event in calendar.bookings(room, end, None)] == [id or many + 1] * stands
        assert ((id or many + 1) in calendar) is stands
        again = calendar.book(room, end + 8, end + 9, id=None if stands else id)
        assert again.owns_lock and calendar.get(again.id) == again
        calendar.check()
        if places < nth:
            break
    assert nth > 12


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("within", [False, True], ids=["alone", "in a block"])
def test_a_load_of_which_somebody_hears_is_cut_off(within: bool) -> None:
    """At every place: subscribers hear of all bookings or of none, and of none that is not there."""

    def load(calendar: Calendar) -> None:
        with calendar.transaction() if within else nullcontext():
            calendar.load([BookingEvent("r", at, at + 1) for at in range(3)])

    for nth in count(1):
        calendar, heard = Calendar(store=MemoryStore(SMALL)), list[Any]()
        calendar.add_resource(Resource("r"))
        calendar.subscribe(heard.append)
        with suppress(TransactionError):
            places = cut_off(partial(load, calendar), nth)
        calendar.check()
        assert len(calendar) in (0, 3)
        calendar.book("r", 100, 101, id="last")
        assert [change.event.id for change in heard] == [event.id for event in calendar.bookings()], nth
        if places < nth:
            break
    assert nth > 100


def test_no_handler_of_logging_keeps_its_lock() -> None:
    """It would keep it for the tests that follow, whose threads would wait for ever when they log."""
    logger, handler, places = logging.getLogger("bookcore.cut"), logging.StreamHandler(StringIO()), 0
    logger.addHandler(handler)
    try:
        for nth in count(1):
            places = cut_off(partial(logger.warning, "a record"), nth)
            if places < nth:
                break
            other = threading.Thread(target=logger.warning, args=("another",), daemon=True)
            other.start()
            join_all([other], 10)
    finally:
        logger.removeHandler(handler)
    assert places > 3


@pytest.mark.parametrize("in_block", [False, True])
@pytest.mark.parametrize("removed", ["first", "last"])
def test_a_resource_whose_removal_is_cut_off_anywhere_is_there_or_not(removed: str, in_block: bool) -> None:
    """At every place: for the mending to remove it once more, it has to be found, whatever tables have lost it."""
    nth, was_cut_off = 0, True
    while was_cut_off:
        nth += 1
        calendar = Calendar()
        for name in ("first", "second", "last"):
            calendar.add_resource(Resource(name, capacity=2))
            calendar.tag(name, name, "all")

        def remove() -> None:
            with calendar.transaction() if in_block else nullcontext():  # noqa: B023
                calendar.remove_resource(removed)  # noqa: B023

        was_cut_off = cut_off(remove, nth) >= nth
        calendar.check()
        left = [name for name in ("first", "second", "last") if name != removed]
        assert calendar.resources.ids() in (["first", "second", "last"], left), nth
        assert calendar.tagged("all").ids() == calendar.resources.ids(), nth
        calendar.add_resource(Resource("new"))
        calendar.check()
    assert nth > 30


def test_the_places_of_a_call_do_not_depend_on_when_the_garbage_collector_runs() -> None:
    """It calls functions that others registered with it, and finalizers."""
    places: set[int] = set()
    thresholds = gc.get_threshold()

    def collected(phase: str, info: dict[str, int]) -> None:
        abs(len(phase))

    gc.callbacks.append(collected)
    try:
        for threshold in (7, 50, 100_000):
            gc.set_threshold(threshold)
            places.add(cut_off(lambda: [[number] for number in range(1_000)], 1 << 60))
            assert gc.get_threshold()[0] == threshold
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(collected)
    assert len(places) == 1
