"""What other threads and tasks may do while a block is open or a subscriber is called, and who is told of what."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    CalendarBrokenError,
    RecursiveCallError,
    Resource,
    TransactionError,
)
from bookcore.engine.log import Log, this_thread
from bookcore.testing.cutting import cut_off


def numbers() -> Calendar:
    """Return a calendar with a room."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    return calendar


def start(call: Callable[[], Any]) -> threading.Thread:
    """Call something in another thread."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def noting(starts: list[int]) -> Callable[[Any], None]:
    """Return a subscriber that notes where bookings start."""
    return lambda change: starts.append(change.event.start)


# -- subscribing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["transaction", "what_if"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_who_subscribes_in_another_thread_is_told_of_no_half_block(way: str, depth: int) -> None:
    """Subscribing waits for the end of the block, as every call does."""
    calendar = numbers()
    seen: list[int] = []
    with getattr(calendar, way)():
        for at in range(depth):
            calendar.book("r", at, at + 1)
        thread = start(lambda: calendar.subscribe(noting(seen)))
        thread.join(0.2)
        calendar.book("r", 8, 9)
    thread.join(10)
    assert not thread.is_alive()
    assert seen == []
    calendar.book("r", 9, 10)
    assert seen == [9]


def test_a_subscription_can_be_ended_at_any_time() -> None:
    """Within a block of another thread, and from a subscriber: it gets nothing more."""
    calendar = numbers()
    seen: list[int] = []
    ends: list[Callable[[], None]] = []

    def first(change: Any) -> None:
        ends[1]()
        seen.append(change.event.start)

    ends.append(calendar.subscribe(first))
    ends.append(calendar.subscribe(noting(seen)))
    calendar.book("r", 1, 2)
    assert seen == [1]
    with calendar.transaction():
        calendar.book("r", 2, 3)
        thread = start(ends[0])
        thread.join(10)
        assert not thread.is_alive()
    assert seen == [1]
    ends[0]()
    assert not calendar._log.active


FROM_ANOTHER_TASK: dict[str, Callable[[Calendar], Any]] = {
    "subscribe": lambda c: c.subscribe(print),
    "rebuild": lambda c: c.rebuild(),
    "check": lambda c: c.check(),
    "digest": lambda c: c.digest(),
    "transaction": lambda c: c.transaction().__enter__(),
    "selection": lambda c: c.resources.ids(),
    "owns_lock": lambda c: c.get("one").owns_lock,
}


@pytest.mark.parametrize("call", FROM_ANOTHER_TASK)
def test_every_call_of_another_task_is_refused_while_a_block_is_open(call: str) -> None:
    """And leaves no trace in the block."""
    calendar = numbers()
    refused: list[bool] = []

    async def other() -> None:
        try:
            FROM_ANOTHER_TASK[call](calendar)
        except TransactionError:
            refused.append(calendar._gate.torn)

    async def main() -> None:
        with calendar.transaction():
            calendar.book("r", 1, 2, id="one")
            await asyncio.create_task(other())
            calendar.book("r", 2, 3)

    asyncio.run(main())
    assert refused == [False]
    assert not calendar._log.active
    assert len(calendar) == 2
    calendar.check()


# -- building anew ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["strategy", "clock", "key function", "id", "hash", "question"])
@pytest.mark.parametrize("call", [Calendar.rebuild, lambda c: c.subscribe(print)])
def test_a_call_that_is_refused_within_another_leaves_no_trace(where: str, call: Callable[[Calendar], Any]) -> None:
    """`Calendar.rebuild` does not mark the calendar as torn before it is let in."""
    states: list[Any] = []

    def attempt(*args: Any) -> Any:
        gate = calendar._gate
        before = gate.torn, gate.waiting, calendar._log.active, calendar._mending._broken
        with suppress(RecursiveCallError):
            call(calendar)
            return args[0][0] if args else 0  # it was not refused, and so may change what it says
        states.append((before, (gate.torn, gate.waiting, calendar._log.active, calendar._mending._broken)))
        return args[0][0] if args else 0

    class Odd:
        @property
        def id(self) -> str:
            attempt()
            return "odd"

        def __hash__(self) -> int:
            attempt()
            return 1

    calendar = Calendar(clock=attempt if where == "clock" else None)
    calendar.add_resource(Resource("r"))
    if where == "clock":
        calendar.hold("r", 1, 2, until=5)
    elif where == "strategy":
        calendar.book_any(calendar.resources, 1, 2, strategy=attempt)
    elif where == "key function":
        calendar.create_index("x", key=lambda resource: attempt())
    elif where == "id":
        odd = calendar.add_resource(Odd())
        calendar.book("r", 1, 2)
        states.clear()
        calendar.book(odd, 3, 4)
    elif where == "hash":
        calendar.tag("r", Odd())
    else:
        odd = calendar.add_resource(Odd())
        states.clear()
        calendar.is_available(odd, 3, 4)
    assert all(before == after for before, after in states)
    assert states or call is not Calendar.rebuild or where in ("id", "question")
    calendar.check()


def test_a_broken_calendar_stays_broken_when_rebuilding_is_refused() -> None:
    """The reason is kept, and `rebuild` helps as soon as it is let in."""
    calendar = numbers()
    mending, gate = calendar._mending, calendar._gate

    async def other() -> None:
        with pytest.raises(TransactionError):
            calendar.rebuild()

    async def main() -> None:
        with calendar.transaction():
            mending._broken = "for a reason"
            gate.torn = gate.waiting = True
            await asyncio.create_task(other())
            with pytest.raises(CalendarBrokenError, match="for a reason"):
                calendar.book("r", 1, 2)
            calendar.rebuild()
            calendar.book("r", 1, 2)

    asyncio.run(main())
    assert len(calendar) == 1
    calendar.check()


# -- delivering ------------------------------------------------------------------------------------

ASK: dict[str, Callable[[Calendar], Any]] = {
    "is_available": lambda c: c.is_available("r", 1, 2),
    "len": len,
    "book": lambda c: c.book("r", 90, 91),
    "resources": lambda c: c.resources.ids(),
    "subscribe": lambda c: c.subscribe(print),
}


@pytest.mark.parametrize("way", ["transaction", "what_if"])
@pytest.mark.parametrize("ask", ASK)
def test_a_thread_in_a_block_never_waits_for_one_that_delivers(ask: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if that begins to deliver in the last moment: its subscriber may be waiting for the end of the block."""
    left, right = numbers(), numbers()
    begun, told = threading.Event(), []
    deliver: Any = Log._deliver

    def follow(change: Any) -> None:
        told.append(change.event.start)
        if change.event.start == 11:
            begun.set()
            ASK[ask](left)

    def late(log: Log, *args: Any, **options: Any) -> Any:
        if log is right._log and threading.current_thread() is one and not begun.is_set():
            start(lambda: right.book("r", 11, 12))
            begun.wait(10)
        return deliver(log, *args, **options)

    def work() -> None:
        with getattr(left, way)():
            left.book("r", 50, 51)
            right.book("r", 5, 6)

    right.subscribe(follow)
    monkeypatch.setattr(Log, "_deliver", late)
    one = threading.Thread(target=work, daemon=True)
    one.start()
    one.join(10)
    assert not one.is_alive()
    assert sorted(told) == [5, 11]
    left.check()


def test_a_thread_in_a_block_delivers_at_once_if_nobody_else_does() -> None:
    """Only where it would have to wait does it deliver after the block."""
    left, right = numbers(), numbers()
    told: list[Any] = []
    right.subscribe(told.append)
    with left.transaction():
        right.book("r", 1, 2)
        assert len(told) == 1


class StopError(BaseException):
    """What a signal handler raises, as Ctrl-C does."""


@pytest.mark.parametrize("then", ["book", "len", "resources", "is_available in a pool", "transaction"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, StopError])
def test_other_subscribers_are_told_though_one_was_interrupted(error: type[BaseException], then: str) -> None:
    """By the next call at the latest: all of the changes, each once, in order."""
    calendar, follower = numbers(), Calendar()
    calendar.add_resource(Resource("q", capacity=2))
    for resource in calendar.resources:
        follower.add_resource(Resource(resource.id, capacity=resource.capacity))
    first: list[int] = []
    last: list[int] = []

    def interrupted(change: Any) -> None:
        first.append(change.event.start)
        if first == [1]:
            raise error

    calendar.subscribe(interrupted)
    calendar.subscribe(follower.apply)
    calendar.subscribe(noting(last))
    with pytest.raises(error):
        calendar.book_all([("r", 1, 2), ("r", 3, 4), ("q", 5, 6)])
    match then:
        case "book":
            calendar.book("r", 7, 8)
        case "len":
            len(calendar)
        case "resources":
            calendar.resources.ids()
        case "is_available in a pool":
            calendar.is_available("q", 1, 2)
        case _:
            with calendar.transaction():
                pass
    assert first == last == sorted(event.start for event in calendar.bookings())
    assert follower.digest() == calendar.digest()
    assert not calendar._log.outbox


def test_every_subscriber_may_be_interrupted() -> None:
    """One after the other, by the same change: each is called once."""
    calendar = numbers()
    told: list[int] = []

    def make(number: int) -> Callable[[Any], None]:
        def interrupted(change: Any) -> None:
            told.append(number)
            raise StopError

        return interrupted

    for number in range(5):
        calendar.subscribe(make(number))
    with pytest.raises(StopError):
        calendar.book("r", 1, 2)
    for _ in range(4):
        with pytest.raises(StopError):
            len(calendar)
    assert len(calendar) == 1
    assert told == [0, 1, 2, 3, 4]


def test_what_was_interrupted_in_another_thread_is_delivered_too() -> None:
    """By whichever thread calls next."""
    calendar = numbers()
    told: list[int] = []

    def interrupted(change: Any) -> None:
        if change.event.start == 1:
            raise SystemExit

    calendar.subscribe(interrupted)
    calendar.subscribe(noting(told))

    def book() -> None:
        with suppress(SystemExit):
            calendar.book("r", 1, 2)

    start(book).join(10)
    calendar.book("r", 3, 4)
    assert told == [1, 3]


DEEDS: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("r", 1, 2),
    "book_all": lambda c: c.book_all([("r", 1, 2), ("r", 3, 4)]),
    "load": lambda c: c.load([BookingEvent("r", 1, 2), BookingEvent("r", 3, 4)]),
    "remove": lambda c: c.remove_booking("old"),
    "tag": lambda c: c.tag("r", "x", "y"),
}


def nested(calendar: Calendar) -> None:
    """Change something in blocks."""
    with calendar.transaction():
        calendar.book("r", 1, 2)
        with calendar.what_if():
            calendar.book("r", 3, 4)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # cut off as an object is discarded
@pytest.mark.parametrize("deed", [*DEEDS, "nested"])
def test_every_subscriber_is_told_once_of_every_change_wherever_the_call_was_cut_off(deed: str) -> None:
    """By the next call at the latest, whose own changes come after it. They are functions in C, which run as a whole."""
    act = DEEDS.get(deed, nested)
    nth, most = 0, 1
    while nth < most:
        nth += 1 if os.environ.get("BOOKCORE_EXAMPLES") == "many" else 7
        calendar = numbers()
        calendar.book("r", 90, 91, id="old")
        told: list[list[Any]] = [[], [], []]
        for each in told:
            calendar.subscribe(each.append)
        most = max(most, cut_off(partial(act, calendar), nth))
        calendar.book("r", 50, 51)
        calendar.check()
        assert told[0] == told[1] == told[2], nth
        follower = numbers()
        follower.book("r", 90, 91, id="old")
        for change in told[0]:
            follower.apply(change)
        assert follower.digest() == calendar.digest(), nth


# -- owners of blocks ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 100])
@pytest.mark.parametrize("way", ["transaction", "what_if"])
def test_calendars_that_are_dropped_within_blocks_leave_nothing(way: str, count: int) -> None:
    """Their threads forget the blocks as well."""
    for _ in range(count):
        calendar = numbers()
        block = getattr(calendar, way)()
        block.__enter__()
        calendar.book("r", 1, 2)
        del calendar, block
    gc.collect()
    assert len(this_thread.blocks) == 0


@pytest.mark.parametrize("way", ["transaction", "what_if"])
@pytest.mark.parametrize("call", ["book", "len", "is_available"])
def test_a_thread_does_not_come_into_the_block_of_one_that_has_ended(call: str, way: str) -> None:
    """Though the system gives it the same number."""
    calendar = numbers()
    block = [getattr(calendar, way)()]

    def open_it() -> None:
        block[0].__enter__()
        calendar.book("r", 1, 2)

    start(open_it).join(10)
    seen: list[Any] = []

    def ask() -> None:
        if call == "book":
            calendar.book("r", 5, 6)
        seen.append(len(calendar) if call != "is_available" else calendar.is_available("r", 1, 2))

    threads = [start(ask)]
    threads[0].join(0.2)
    assert seen == []
    block.clear()
    gc.collect()
    threads[0].join(10)
    assert seen == [{"book": 1, "len": 0, "is_available": True}[call]]
    assert len(calendar) == (call == "book")
    calendar.check()


def test_changes_that_are_noted_while_another_thread_leaves_its_own_to_the_next_call_are_due() -> None:
    """It has not the lock."""

    class Growing(Log):
        noted = property(lambda self: seen.pop(0) if seen[1:] else seen[0], lambda self, number: None)

    seen = [5, 5, 9]
    log = Growing()
    log.remind()
    assert (log.due, seen) == (9, [9])
