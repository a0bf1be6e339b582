"""Code of the program that Python runs in the midst of a call, and what it may call; `docs/calling.md` says so to users."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    ConflictError,
    MemoryStore,
    RecursiveCallError,
    Resource,
    Status,
    TransactionError,
    UnknownBookingError,
)
from bookcore.stores.record import _BINDING
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore

STORES = [MemoryStore, SortedStore, TreeStore]


class Key:
    """A key whose ``<`` runs a function, once."""

    inside: Callable[[], Any] | None = None
    errors: ClassVar[list[BaseException]] = []

    def __init__(self, value: int) -> None:
        self.value = value

    def __lt__(self, other: Key) -> bool:
        call, Key.inside = Key.inside, None
        if call is not None:
            try:
                call()
            except BaseException as exc:
                Key.errors.append(exc)
        return self.value < other.value


@pytest.fixture(autouse=True)
def fresh_keys() -> Any:
    """Leave no function behind."""
    Key.inside, Key.errors = None, []
    yield
    Key.inside = None


def rooms(store: Any = MemoryStore) -> Calendar:
    """Return a calendar with a room and a pool, with some bookings."""
    calendar = Calendar(store())
    for resource in (Resource("r"), Resource("q", capacity=3)):
        calendar.add_resource(resource)
    for at in range(0, 40, 4):
        calendar.book("r", Key(at), Key(at + 2), id=f"r{at}")
        calendar.book("q", Key(at), Key(at + 3), id=f"q{at}")
    return calendar


def spans(calendar: Calendar) -> list[tuple[str, int, int]]:
    """Return the bookings, as resource, start and end."""
    return sorted((event.resource.id, event.start.value, event.end.value) for event in calendar.bookings())


OUTER: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("r", Key(2), Key(3)),
    "book in a pool": lambda c: c.book("q", Key(2), Key(3)),
    "remove": lambda c: c.remove_booking("q4"),
    "move": lambda c: c.move("r4", start=Key(2), end=Key(3)),
    "change": lambda c: c.change("q4", quantity=2),
    "close": lambda c: c.close("r", Key(2), Key(9)),
    "load": lambda c: c.load([BookingEvent("r", Key(at), Key(at + 1)) for at in range(50, 60)]),
    "set_capacity": lambda c: c.set_capacity("q", 9),
    "search": lambda c: c.find_available(Key(2), Key(3)).ids(),
    "is_available": lambda c: c.is_available("r", Key(2), Key(3)),
}
INNER: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("r", Key(90), Key(91)),
    "remove": lambda c: c.remove_booking("r8"),
    "move": lambda c: c.move("q8", start=Key(70), end=Key(75)),
    "change": lambda c: c.change("q8", quantity=2, guest="Ada"),
    "add_resource": lambda c: c.add_resource(Resource("new")),
    "close": lambda c: c.close("r", Key(70), Key(75)),
    "set_capacity": lambda c: c.set_capacity("r", 3),
    "transaction": lambda c: c.transaction().__enter__(),
    "tag": lambda c: c.tag("r", "x"),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("inner", INNER)
def test_a_command_from_the_comparison_of_a_key_is_refused(outer: str, inner: str, store: Any) -> None:
    """And changes nothing, whatever call compares."""
    calendar, undisturbed = rooms(store), rooms(store)
    Key.inside = lambda: INNER[inner](calendar)
    OUTER[outer](calendar)
    assert [type(error) for error in Key.errors] == [RecursiveCallError]
    Key.inside = None
    OUTER[outer](undisturbed)
    assert spans(calendar) == spans(undisturbed)
    assert not calendar.tagged("x")
    calendar.check()
    calendar.book("r", Key(90), Key(91))  # the calendar takes commands again


@pytest.mark.parametrize("outer", ["search", "is_available"])
def test_a_question_may_ask_another(outer: str) -> None:
    """Nothing changes meanwhile."""
    calendar = rooms()
    Key.inside = lambda: (len(calendar), calendar.is_available("q", Key(1), Key(2)))
    OUTER[outer](calendar)
    assert Key.errors == []
    calendar.check()


@pytest.mark.parametrize("how", ["hash", "key function", "clock", "strategy", "id"])
def test_other_code_in_the_midst_of_a_command(how: str) -> None:
    """A hash, a key function, the clock, a strategy, a resource's id: commands are refused."""
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            calendar.book("r", 50, 51)
        except RecursiveCallError as exc:
            errors.append(exc)

    class Label:
        def __hash__(self) -> int:
            attempt()
            return 1

    class Odd:
        @property
        def id(self) -> str:
            attempt()
            return "odd"

        def __getattr__(self, name: str) -> Any:
            attempt()
            raise AttributeError(name)

    def clock() -> int:
        if how == "clock":
            attempt()
            calendar.is_available("r", 1, 2)
        return 0

    calendar = Calendar(clock=clock)
    calendar.add_resource(Resource("r"))
    if how == "hash":
        calendar.tag("r", Label())
    elif how == "key function":
        calendar.create_index("x", key=lambda resource: attempt())
    elif how == "clock":
        calendar.hold("r", 1, 2, until=5)
        calendar.is_available("r", 1, 2)
    elif how == "strategy":

        def choose(candidates: list[Any]) -> Any:
            attempt()
            return candidates[0]

        calendar.book_any(calendar.resources, 1, 2, strategy=choose)
    else:
        odd = calendar.add_resource(Odd())
        calendar.book("r", 90, 91)  # the next booking takes the fast path
        errors.clear()
        calendar.book(odd, 1, 2)
    assert errors
    assert calendar.is_available("r", 50, 51)
    assert all(type(error) is RecursiveCallError for error in errors)
    calendar.check()


def test_finalizers_at_any_time_break_nothing() -> None:
    """Objects that book and remove when they are collected, while the collector runs as often as it can."""
    calendar = Calendar()
    for number in range(4):
        calendar.add_resource(Resource(number))
    refused = done = 0

    class Guest:
        def __init__(self, at: int) -> None:
            self.at, self.own = at, self

        def __del__(self) -> None:
            nonlocal refused, done
            try:
                calendar.book(self.at % 4, 10_000 + self.at, 10_001 + self.at)
                calendar.remove_booking(f"g{self.at}")
                done += 1
            except RecursiveCallError:
                refused += 1
            except UnknownBookingError:
                done += 1

    threshold = gc.get_threshold()
    gc.set_threshold(3)
    try:
        for at in range(1, 400):
            calendar.book(at % 4, at, at + 1, id=f"g{at}" if at % 2 else None)
            Guest(at)
            len(calendar.find_available(at, at + 1))
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert done + refused > 100
    calendar.check()
    for event in list(calendar.bookings()):
        calendar.remove_booking(event)
    assert not len(calendar)
    calendar.check()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer of the system")
def test_signal_handlers_at_any_time_break_nothing() -> None:
    """A handler that books and asks is refused in the midst of a call, and served between calls."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    served = 0

    def handle(number: int, frame: Any) -> None:
        nonlocal served
        try:
            calendar.book("r", 1_000_000 + served, 1_000_001 + served)
            served += 1
        except (RecursiveCallError, ConflictError):
            pass

    old = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for at in range(4000):
            calendar.book("r", at, at + 1)
            if at % 50 == 0:
                calendar.find_available(at, at + 1).ids()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    calendar.check()
    assert len(calendar) == 4000 + served


# -- blocks ----------------------------------------------------------------------------------------


def numbers() -> Calendar:
    """Return a calendar with a room."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    return calendar


def test_blocks_that_end_in_the_wrong_order_are_undone() -> None:
    """The outer one takes the inner one with it, and the end of the inner one says so."""
    calendar = numbers()
    kept = calendar.book("r", 0, 1)
    outer, inner = calendar.transaction(), calendar.what_if()
    outer.__enter__()
    calendar.book("r", 1, 2)
    inner.__enter__()
    calendar.book("r", 2, 3)
    with pytest.raises(TransactionError, match="before a block inside it"):
        outer.__exit__(None, None, None)
    assert list(calendar.bookings()) == [kept]
    with pytest.raises(TransactionError, match="ended already"):
        inner.__exit__(None, None, None)
    told: list[Any] = []
    calendar.subscribe(told.append)
    calendar.book("r", 1, 2)
    assert len(told) == 1
    calendar.check()


@pytest.mark.parametrize("way", ["transaction", "what_if"])
def test_a_block_that_ends_in_another_thread_is_undone(way: str) -> None:
    """The thread is told so, and the lock is free for all."""
    calendar = numbers()
    block = getattr(calendar, way)()
    block.__enter__()
    calendar.book("r", 1, 2)
    errors: list[BaseException] = []

    def end() -> None:
        try:
            block.__exit__(None, None, None)
        except TransactionError as exc:
            errors.append(exc)
        calendar.book("r", 5, 6)

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert "another thread" in str(errors[0])
    assert [event.start for event in calendar.bookings()] == [5]
    calendar.check()


def test_a_block_that_is_never_ended_is_undone_when_it_is_collected() -> None:
    """Other threads wait for that, and no longer."""
    calendar = numbers()
    block = calendar.transaction()
    block.__enter__()
    calendar.book("r", 1, 2)
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(calendar.is_available("r", 1, 2)), daemon=True)
    thread.start()
    del block
    gc.collect()
    thread.join(10)
    assert seen == [True]
    calendar.check()


def test_a_block_that_is_collected_in_the_midst_of_a_call_of_it() -> None:
    """It is undone with the one around it, not in the midst of the call, though a finalizer asks meanwhile."""
    calendar = rooms()
    outer = calendar.transaction()
    outer.__enter__()
    inner = [calendar.transaction()]
    inner[0].__enter__()

    def collect() -> None:
        inner.clear()
        gc.collect()
        calendar.is_available("r", Key(1), Key(2))

    Key.inside = collect
    assert calendar.is_available("q", Key(90), Key(91))
    assert Key.errors == []
    calendar.book("r", Key(90), Key(91))
    with pytest.raises(TransactionError, match="before a block inside it"):
        outer.__exit__(None, None, None)
    calendar.check()
    assert len(calendar) == 20


def test_a_generator_that_is_left_in_a_block() -> None:
    """Its block ends when the generator is closed, whatever was called in between."""
    calendar = numbers()

    def work() -> Any:
        with calendar.transaction():
            calendar.book("r", 1, 2)
            yield

    one = work()
    next(one)
    calendar.book("r", 3, 4)
    one.close()
    assert [event.start for event in calendar.bookings()] == []  # it was in the block, which was left by an exception
    calendar.check()


def test_an_exit_stack_that_is_moved() -> None:
    """Blocks ended by hand, in order, are like any."""
    calendar = numbers()
    with ExitStack() as stack:
        stack.enter_context(calendar.transaction())
        calendar.book("r", 1, 2)
        moved = stack.pop_all()
    calendar.book("r", 2, 3)
    moved.close()
    assert len(calendar) == 2
    calendar.check()


def test_a_block_is_entered_once() -> None:
    """Neither twice nor again."""
    calendar = numbers()
    block = calendar.transaction()
    with block, pytest.raises(TransactionError, match="entered before"):
        block.__enter__()
    with pytest.raises(TransactionError, match="entered before"):
        block.__enter__()
    with pytest.raises(TransactionError, match="not entered"):
        calendar.what_if().__exit__(None, None, None)


def test_another_task_is_refused_while_a_block_is_open() -> None:
    """Its booking would be undone with the block, after it had been acknowledged."""
    calendar = numbers()
    refused: list[str] = []

    async def other() -> None:
        for call in (lambda: calendar.book("r", 5, 6), lambda: len(calendar)):
            try:
                call()
            except TransactionError as exc:
                refused.append(str(exc))

    async def main() -> None:
        with calendar.transaction():
            calendar.book("r", 1, 2)
            await asyncio.create_task(other())
        await asyncio.create_task(other())

    asyncio.run(main())
    assert len(refused) == 2
    assert "another task" in refused[0]
    assert sorted(event.start for event in calendar.bookings()) == [1, 5]


def test_other_threads_do_not_see_what_may_be_undone() -> None:
    """`Resource.is_available`, `owns_lock` and `status` wait for the end of the block, as all questions do."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("r"))
    stay = calendar.book(room, 1, 2)
    seen: list[Any] = []
    questions = [lambda: room.is_available(1, 2), lambda: stay.owns_lock, lambda: stay.status]
    threads = [threading.Thread(target=lambda q=question: seen.append(q()), daemon=True) for question in questions]
    with calendar.what_if():
        calendar.remove_booking(stay)
        for thread in threads:
            thread.start()
        assert (room.is_available(1, 2), stay.owns_lock, stay.status) == (True, False, Status.RELEASED)
        assert seen == []
    for thread in threads:
        thread.join(10)
    assert set(seen) == {False, True, Status.CONFIRMED}


# -- telling ---------------------------------------------------------------------------------------


def test_a_call_returns_when_its_own_changes_were_delivered_and_no_later_ones() -> None:
    """However many other threads make changes meanwhile."""
    calendar = Calendar()
    for number in range(4):
        calendar.add_resource(Resource(number))
    told: dict[int, set[Any]] = {}
    by_thread: dict[int, int] = {}

    def note(change: Any) -> None:
        told.setdefault(change.event.resource.id, set()).add(change.event.start)
        by_thread[threading.get_ident()] = by_thread.get(threading.get_ident(), 0) + 1

    calendar.subscribe(note)
    late: list[Any] = []

    def work(number: int) -> None:
        for at in range(200):
            calendar.book(number, at, at + 1)
            if at not in told[number]:
                late.append((number, at))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert late == []
    assert sum(by_thread.values()) == 800
    assert not calendar._log.outbox


def test_what_a_subscriber_changes_is_delivered_after_it_has_returned() -> None:
    """In order, each once, before the outer call returns."""
    calendar = numbers()
    told: list[tuple[str, Any]] = []

    def follow(change: Any) -> None:
        told.append(("begin", change.event.start))
        if change.event.start < 3:
            calendar.book("r", change.event.start + 1, change.event.start + 2)
        told.append(("end", change.event.start))

    calendar.subscribe(follow)
    calendar.book("r", 0, 1)
    assert told == [(step, at) for at in range(4) for step in ("begin", "end")]


def test_calendars_that_mirror_each_other_do_not_wait_for_each_other() -> None:
    """Each subscriber books in the other calendar, from several threads; and asks for the status of its events."""
    left, right = Calendar(), Calendar()
    for calendar in (left, right):
        for number in range(4):
            calendar.add_resource(Resource(number))

    def mirror(into: Calendar) -> Callable[[Any], None]:
        def apply(change: Any) -> None:
            event = change.event
            assert event.status is Status.CONFIRMED
            if into.is_available(event.resource.id, event.start, event.end):
                into.book(event.resource.id, event.start, event.end)

        return apply

    left.subscribe(mirror(right))
    right.subscribe(mirror(left))

    def work(calendar: Calendar, number: int) -> None:
        for at in range(100):
            calendar.book(number, at, at + 1)

    pairs = [(left, 0), (left, 1), (right, 2), (right, 3)]
    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert len(left) == len(right) == 400


def test_a_thread_that_changes_a_binding_may_add_resources_meanwhile() -> None:
    """As in a finalizer: the lock for the bindings of resources is taken twice by one thread."""
    calendar, done = Calendar(), threading.Event()

    def add() -> None:
        with _BINDING:
            calendar.add_resource(Resource("r"))
        done.set()

    threading.Thread(target=add, daemon=True).start()
    assert done.wait(10)


def test_a_question_within_a_call_does_not_deliver_for_it() -> None:
    """What the call has to deliver is delivered when it has released the lock."""
    now = [0]
    calendar = Calendar(clock=lambda: now[0])
    for id in ("a", "b"):
        calendar.add_resource(Resource(id))
    calendar.hold("a", 1, 2, until=5)
    told: list[bool] = []

    def note(change: Any) -> None:
        asked = threading.Thread(target=calendar.is_available, args=("b", 1, 2), daemon=True)
        asked.start()
        asked.join(2)
        told.append(not asked.is_alive())

    calendar.subscribe(note)
    now[0] = 5

    def choose(candidates: list[Any]) -> Any:
        assert calendar.is_available("b", 1, 2)
        assert told == []
        return candidates[0]

    calendar.book_any(calendar.resources, 1, 2, strategy=choose)
    assert told == [True, True]  # the hold that ran out, and the booking


def test_a_block_that_is_collected_in_the_midst_of_a_command_of_it() -> None:
    """Though the command has a block of its own, which ends in order."""
    calendar = numbers()
    lost = [calendar.transaction()]
    lost[0].__enter__()
    calendar.book("r", 1, 2)

    class Label:
        def __hash__(self) -> int:
            lost.clear()
            gc.collect()
            return 1

    calendar.tag("r", Label(), "other")
    assert len(calendar) == 0
    assert not calendar.tagged("other")
    calendar.check()
