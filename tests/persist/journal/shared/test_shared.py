"""Calendars on one journal: one order, one winner; transactions, what-ifs, holds, subscribers, followers, closing."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections import deque
from collections.abc import Callable
from datetime import date
from functools import partial, partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import settings

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    ConflictError,
    HoldExpiredError,
    QueryError,
    RecursiveCallError,
    Resource,
    SnapshotError,
    TransactionError,
    UnknownBookingError,
    UnknownResourceError,
    changes,
    copy_calendar,
)
from bookcore.persist.errors import SnapshotDamagedError
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalTimeoutError,
    UnknownOutcomeError,
)
from bookcore.persist.shared import follower, recorder, seam, turns
from bookcore.persist.shared.seam import Place
from bookcore.testing.cutting import cut_off

Open = Callable[..., Calendar]
SHORT = 0.2


def pair(opened: Open, **options: Any) -> tuple[Calendar, Calendar]:
    """Return two calendars with a room, of which both know."""
    one, other = opened(**options), opened(**options)
    one.add_resource(Resource("room"))
    other.catch_up()
    return one, other


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


# -- one order -----------------------------------------------------------------------------------------


def test_a_command_knows_what_others_have_done(opened: Open) -> None:
    """It is refused by a booking of another calendar, and numbers go on where those of others end."""
    one, other = pair(opened)
    first = one.book("room", 1, 3)
    with pytest.raises(ConflictError) as refused:
        other.book("room", 2, 4)
    assert [event.id for event in refused.value.conflicts] == [first.id]
    assert [calendar.book("room", at, at + 1).id for at, calendar in enumerate((other, one, other, one), 10)] == [2, 3, 4, 5]
    assert [one.close("room", at, at + 1).id for at in (50, 51)] == [1, 2]
    assert other.close("room", 52, 53).id == 3
    assert other.move(1, start=7, end=8).id == 1
    assert not first.owns_lock or one.position < other.position
    one.catch_up()
    assert not first.owns_lock
    assert one.get(1).start == 7


@pytest.mark.parametrize("follow", [False, True])
def test_a_slot_for_which_many_threads_race_has_one_winner(follow: bool, opened: Open) -> None:
    """Each of six calendars in a thread of its own; all others are refused, and nothing else happens to them."""
    calendars = [opened(follow=follow, timeout=60) for _ in range(6)]
    calendars[0].add_resource(Resource("room"))
    rounds = 12
    begun = threading.Barrier(len(calendars))
    outcomes: list[list[Any]] = [[] for _ in calendars]

    def work(number: int) -> None:
        for at in range(rounds):
            begun.wait()
            try:
                outcomes[number].append(calendars[number].book("room", at, at + 1).id)
            except BookcoreError as error:
                outcomes[number].append(type(error))

    threads = [in_thread(lambda number=number: work(number)) for number in range(len(calendars))]  # type: ignore[misc]
    for thread in threads:
        thread.join(120)
    for tried in zip(*outcomes, strict=True):
        assert sorted(map(str, tried)) == sorted([str(ConflictError)] * 5 + [str(id) for id in tried if type(id) is int])
        assert sum(type(id) is int for id in tried) == 1
    for calendar in calendars:
        calendar.catch_up()
    assert len({calendar.digest() for calendar in calendars}) == 1


def test_threads_of_one_calendar_take_turns(opened: Open) -> None:
    """Bookings of many threads of two calendars are all there; questions are asked meanwhile."""
    one, other = pair(opened, timeout=60)
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for at in range(15):
                calendar = one if number % 2 else other
                calendar.book("room", 100 * number + at, 100 * number + at + 1)
                calendar.is_available("room", 1, 2)
                len(calendar)
        except BaseException as error:
            failed.append(error)

    threads = [in_thread(lambda number=number: work(number)) for number in range(6)]  # type: ignore[misc]
    for thread in threads:
        thread.join(120)
    assert not failed
    one.catch_up()
    other.catch_up()
    assert (len(one), one.position, one.digest()) == (90, 91, other.digest())


# -- blocks --------------------------------------------------------------------------------------------


def test_a_transaction_keeps_others_from_changing_anything(opened: Open) -> None:
    """Their commands say in bounded time that it does, their questions are answered; afterwards they go on."""
    one, other = opened(), opened(timeout=SHORT)
    one.add_resource(Resource("room"))
    other.catch_up()
    with one.transaction():
        one.book("room", 1, 2)
        with one.transaction():
            one.book("room", 2, 3)
        with pytest.raises(JournalTimeoutError, match="nothing was changed") as told:
            other.book("room", 5, 6)
        assert told.value.timeout <= SHORT
        with pytest.raises(JournalTimeoutError), other.transaction():
            pass
        assert other.is_available("room", 1, 2)
        assert len(other) == 0
        other.catch_up()
    assert other.lag() == 1
    other.book("room", 5, 6)
    assert [event.id for event in other.bookings()] == [1, 2, 3]
    assert other.position == 3


def test_a_transaction_sees_the_newest_state_and_is_undone_as_a_whole(opened: Open) -> None:
    """It begins with what others have done; if it is undone nothing of it is in the journal."""
    one, other = pair(opened)
    other.book("room", 1, 2)
    with pytest.raises(ConflictError), one.transaction():
        assert len(one) == 1
        one.book("room", 5, 6)
        one.book("room", 1, 2)
    other.book("room", 5, 6)
    with one.transaction():
        pass
    one.catch_up()
    other.catch_up()
    assert (one.position, one.digest()) == (3, other.digest())


def test_a_transaction_that_nobody_ends_lets_others_go_on_with_the_next_call(opened: Open) -> None:
    """As everywhere its changes are undone then."""
    one, other = opened(), opened(timeout=SHORT)
    one.add_resource(Resource("room"))
    block = one.transaction()
    block.__enter__()
    one.book("room", 1, 2)
    with pytest.raises(JournalTimeoutError):
        other.book("room", 1, 2)
    del block
    gc.collect()
    assert len(one) == 0
    other.book("room", 1, 2)
    with pytest.raises(ConflictError):
        one.book("room", 1, 2)


def test_a_transaction_ended_by_another_thread_is_undone_and_lets_others_go_on(opened: Open) -> None:
    """Its lock of the database goes with it."""
    one, other = pair(opened)
    block = one.transaction()
    block.__enter__()
    one.book("room", 1, 2)
    errors: list[Any] = []

    def end() -> None:
        try:
            block.__exit__(None, None, None)
        except TransactionError as error:
            errors.append(error)

    in_thread(end).join(20)
    assert len(errors) == 1
    other.book("room", 1, 2)
    one.book("room", 2, 3)


def test_commands_of_other_threads_wait_for_the_end_of_a_block(opened: Open) -> None:
    """Of a transaction and of a what-if, which then applies what others have done."""
    one, other = pair(opened)
    for number, way in enumerate((one.transaction, one.what_if)):
        with way():
            one.book("room", 10 * number, 10 * number + 1)
            thread = in_thread(lambda number=number: one.book("room", 10 * number + 5, 10 * number + 6))  # type: ignore[misc]
            thread.join(SHORT)
            assert thread.is_alive()
        thread.join(20)
        assert not thread.is_alive()
    other.catch_up()
    assert [event.start for event in other.bookings()] == [0, 5, 15]


def test_a_thread_does_not_wait_for_a_block_without_end(opened: Open) -> None:
    """The error says that it is a transaction of this process."""
    one, _ = pair(opened, timeout=SHORT)
    with one.what_if():
        errors: list[Any] = []

        def book() -> None:
            try:
                one.book("room", 1, 2)
            except JournalError as error:
                errors.append(error)

        threads = [in_thread(book), in_thread(book)]
        for thread in threads:
            thread.join(20)
        assert sorted(type(error).__name__ for error in errors) == ["JournalTimeoutError"] * 2
        assert all("another thread" in str(error) for error in errors)


def test_a_what_if_appends_nothing_and_keeps_nobody_from_appending(opened: Open) -> None:
    """What others do meanwhile is applied after it."""
    one, other = opened(), opened(timeout=SHORT)
    one.add_resource(Resource("room"))
    with one.what_if():
        one.book("room", 1, 2)
        with one.transaction():
            one.book("room", 2, 3)
        other.book("room", 1, 2)
        with pytest.raises(TransactionError, match="end this one"):
            one.catch_up()
        with pytest.raises(TransactionError, match="end this one"), one.fresh():
            pass
        assert [event.start for event in one.bookings()] == [1, 2]
    assert (len(one), one.position, one.lag()) == (0, 1, 1)
    with one.fresh() as fresh:
        assert fresh is one
        assert len(one) == 1


def test_a_transaction_has_what_others_have_done_already(opened: Open) -> None:
    """Nobody else appends in it, so there is nothing to catch up with."""
    one, other = pair(opened)
    other.book("room", 1, 2)
    with one.transaction():
        one.catch_up()
        assert (len(one), one.position) == (1, 2)


def test_a_transaction_does_not_wait_for_a_turn_without_end(opened: Open) -> None:
    """The error says that a thread of this process has it; nothing is begun."""
    one, _ = pair(opened, timeout=SHORT)
    errors: list[Any] = []

    def begin() -> None:
        try:
            one.transaction().__enter__()
        except JournalTimeoutError as error:
            errors.append(error)

    with one._recorder.turn:
        in_thread(begin).join(20)
    assert ["another thread of this process kept it" in str(error) for error in errors] == [True]
    assert one.book("room", 1, 2).owns_lock


def test_another_task_of_the_thread_is_refused_in_a_transaction(opened: Open) -> None:
    """It would wait for itself."""
    one, _ = pair(opened)

    async def main() -> None:
        with one.transaction():
            one.book("room", 1, 2)

            async def intrude() -> None:
                with pytest.raises(TransactionError, match="another task"):
                    one.book("room", 3, 4)

            await asyncio.create_task(intrude())
        one.book("room", 3, 4)

    asyncio.run(main())
    assert len(one) == 2


# -- calls within calls ------------------------------------------------------------------------------


def test_a_command_within_a_call_is_refused(opened: Open) -> None:
    """In key functions and strategies, of commands and of questions, also while another thread has its turn."""
    one, other = pair(opened)
    errors: list[BookcoreError] = []

    def key(resource: Any) -> int:
        for call in (lambda: one.book("room", 50, 51), one.catch_up, one.barrier):
            try:
                call()
            except BookcoreError as error:
                errors.append(error)
        return 1

    one.create_index("within", key=key)
    other.add_resource(Resource("other"))
    one.catch_up()  # the key function is called for the resource of the other calendar
    assert {type(error) for error in errors} == {RecursiveCallError, TransactionError}
    assert len(errors) == 6
    assert len(one) == 0
    assert one.index("within").equal(1).ids() == ["room", "other"]


def test_a_question_that_calls_a_command_does_not_wait_for_a_thread_that_waits_for_it(opened: Open) -> None:
    """It holds the calendar's lock, for which the thread that has the turn waits."""
    one, _ = pair(opened)
    begun = threading.Event()
    refused: list[Any] = []

    def take_turn() -> None:
        with one._recorder.turn:
            begun.set()
            with one._gate.lock:
                pass

    class Odd:
        @property
        def id(self) -> str:
            thread.start()
            begun.wait(20)
            with pytest.raises(RecursiveCallError) as error:
                one.book("room", 1, 2)
            refused.append(error.value)
            return "room"

    thread = threading.Thread(target=take_turn, daemon=True)
    with pytest.raises(UnknownResourceError):
        one.is_available(Odd(), 1, 2, quantity=2)
    thread.join(20)
    assert not thread.is_alive()
    assert len(refused) == 1


# -- subscribers ---------------------------------------------------------------------------------------


def test_subscribers_hear_the_changes_of_all_once_each_and_in_order(opened: Open) -> None:
    """Their own and those of others, in the order of the journal."""
    calendars = [opened() for _ in range(3)]
    heard: list[list[str]] = [[], [], []]
    for calendar, told in zip(calendars, heard, strict=True):
        calendar.subscribe(lambda change, told=told: told.append(type(change).__name__))  # type: ignore[misc]
    one, two, three = calendars
    one.add_resource(Resource("room"))
    two.book("room", 1, 2, id="a")
    with three.transaction():
        three.move("a", start=4, end=5)
        three.tag("room", "sea")
    with one.fresh(), one.what_if():
        one.remove_booking("a")
    one.remove_booking("a")
    for calendar in calendars:
        calendar.catch_up()
        calendar.catch_up()
    assert heard == [["ResourceAdded", "Booked", "Moved", "Tagged", "Released"]] * 3


def test_without_a_subscriber_nothing_is_kept_to_be_delivered(opened: Open) -> None:
    """Neither of this calendar nor of another one, nor of a block: the records are on the disk when they are appended."""
    one, other = pair(opened)
    one.book("room", 1, 2)
    with one.transaction():
        one.book("room", 2, 3)
    other.catch_up()
    assert [each._log.noted for each in (one, other)] == [0, 0]
    heard: list[Any] = []
    other.subscribe(heard.append)
    other.book("room", 3, 4)
    assert [type(each) for each in heard] == [changes.Booked]


def test_subscribers_may_change_calendars_and_wait_for_other_threads(opened: Open) -> None:
    """They are notified when the locks are released; what they change is heard after it."""
    one, other = pair(opened)
    heard: list[str] = []

    def hear(change: changes.Change) -> None:
        heard.append(type(change).__name__)
        if isinstance(change, changes.Booked) and change.event.start < 3:
            in_thread(lambda: other.tag("room", change.event.start)).join(20)
            start = change.event.start + 1
            one.book("room", start, start + 1)
            heard.append(f"booked {start}")

    one.subscribe(hear)
    other.book("room", 0, 1)
    one.catch_up()
    one.catch_up()
    assert heard.count("Booked") == 4
    assert heard.count("Tagged") == 3
    other.catch_up()
    assert other.digest() == one.digest()


def test_a_subscriber_that_waits_for_a_command_of_another_thread_does_not_stop_it(opened: Open) -> None:
    """A command delivers after its turn, so another thread's delivery can be waited for."""
    one, other = pair(opened)
    begun, go_on = threading.Event(), threading.Event()

    def hear(change: changes.Change) -> None:
        if isinstance(change, changes.Tagged):
            begun.set()
            go_on.wait(20)
            one.book("room", 5, 6)  # takes a turn, while the other thread waits for this delivery

    one.subscribe(hear)
    other.tag("room", "sea")
    first = in_thread(one.catch_up)
    begun.wait(20)
    second = in_thread(lambda: one.book("room", 1, 2))
    second.join(SHORT)
    go_on.set()
    first.join(20)
    second.join(20)
    assert not first.is_alive()
    assert not second.is_alive()
    assert len(one) == 2


@pytest.mark.parametrize("error", [JournalError("here", "the disk is full"), KeyboardInterrupt(), MemoryError()])
def test_a_record_that_was_not_committed_changes_nothing(
    error: BaseException, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is as it was, and the journal is unlocked."""
    one, other = pair(opened)
    event = BookingEvent("room", 5, 6)

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(type(one._recorder.journal), "append", fail)
        with pytest.raises(type(error)):
            one.add_booking(event)
        with pytest.raises(type(error)), one.transaction():
            one.book("room", 7, 8)
    assert len(one) == 0
    other.book("room", 5, 6)
    with pytest.raises(ConflictError):
        one.add_booking(event)
    one.check()
    assert one.position == 2


@pytest.mark.parametrize("error", [UnknownOutcomeError("here", "the connection broke"), KeyboardInterrupt()])
def test_a_record_that_was_committed_although_the_call_raised_comes_as_one_of_others(
    error: BaseException, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call again, with the same id, tells that it stands."""
    one, other = pair(opened)
    append = type(one._recorder.journal).append
    heard: list[str] = []
    one.subscribe(lambda change: heard.append(type(change).__name__))

    def append_and_fail(*args: Any, **options: Any) -> Any:
        append(*args, **options)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(type(one._recorder.journal), "append", append_and_fail)
        with pytest.raises(type(error)):
            one.book("room", 5, 6, id="once")
    assert "once" not in one
    assert heard == []
    again = one.book("room", 5, 6, id="once", if_exists="return")
    assert (again.owns_lock, one.position, heard) == (True, 2, ["Booked"])
    other.catch_up()
    assert other.digest() == one.digest()


def test_a_refused_call_that_is_interrupted_while_it_unlocks_lets_others_append(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calendar that was interrupted need not be called again for that."""
    one, other = pair(opened)
    other.book("room", 1, 2)
    cls = type(one._recorder.journal)
    unlock, calls = cls.unlock, []

    def interrupted(journal: Any) -> None:
        calls.append(journal)
        if len(calls) == 2:  # the first one is that of `lock`
            raise KeyboardInterrupt
        unlock(journal)

    with monkeypatch.context() as patch:
        patch.setattr(cls, "unlock", interrupted)
        with pytest.raises(KeyboardInterrupt):
            one.book("room", 1, 2)
    other.book("room", 2, 3)


def _in_transaction(calendar: Calendar, at: int) -> None:
    with calendar.transaction():
        calendar.book("room", at, at + 1, id=f"at {at}")
        calendar.tag("room", at)


def _refused(calendar: Calendar, at: int) -> None:
    try:
        calendar.book("room", 20_000 + at, 20_001 + at)
    except ConflictError:
        pass


CALLS: dict[str, Callable[[Calendar, int], Any]] = {
    "book": lambda calendar, at: calendar.book("room", at, at + 1, id=f"at {at}"),
    "refused": _refused,
    "after others": lambda calendar, at: calendar.remove_booking(f"other {at}"),
    "transaction": _in_transaction,
    "catch_up": lambda calendar, at: calendar.catch_up(),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_interrupt_at_any_place_of_a_call_leaves_one_history(name: str, opened: Open) -> None:
    """Afterwards the change is here and there, or in neither; nothing stays locked; subscribers miss nothing."""
    one, other = pair(opened, timeout=5)
    heard: list[list[Any]] = [[], []]
    for calendar, told in zip((one, other), heard, strict=True):
        calendar.subscribe(told.append)  # no function of Python: cut off, it would not be called again
    nth = 1
    step = 1 if settings().max_examples > 100 else 41
    while True:
        other.book("room", 20_000 + nth, 20_001 + nth, id=f"other {nth}")
        at = nth
        if cut_off(lambda: CALLS[name](one, at), nth) < nth:  # noqa: B023
            break
        nth += step
        gc.collect()
        if nth % 2:
            one.catch_up()
            one.book("room", 10_000 + nth, 10_001 + nth)
        other.catch_up()
        one.catch_up()
        assert one.position == other.position
        assert one.digest() == other.digest()
    assert nth > 50
    gc.collect()
    for calendar in (one, other):  # the next call delivers what a cut-off one has left
        calendar.wait_for(one.position)
        calendar.book("room", 50_000 + (calendar is one), 50_001 + (calendar is one))
        one.catch_up()
    assert [type(change) for change in heard[0]] == [type(change) for change in heard[1]]
    one.check()


def test_an_interrupt_at_the_commit_leaves_memory_as_the_records_say(opened: Open) -> None:
    """A change that is undone here comes as a record of others; it is not both undone and counted as read."""
    one, other = pair(opened)
    nth = 100
    while cut_off(lambda: one.book("room", nth, nth + 1), nth) >= nth:  # noqa: B023
        nth += 1
        other.catch_up()
        one.catch_up()
        other.wait_for(one.position)  # a server may commit what it was sent after the client was interrupted
        assert (one.position, one.digest()) == (other.position, other.digest()), nth
        one.book("room", 10_000 + nth, 10_001 + nth)  # so that each call comes to the same places
    assert nth - 100 < len(one) < 2 * (nth - 100)  # the commit was among these places


# -- holds and clocks ----------------------------------------------------------------------------------


def test_a_hold_that_ran_out_in_a_question_is_back_if_others_have_extended_it(opened: Open, world: SimpleNamespace) -> None:
    """What a question releases is provisional: subscribers hear nothing of it."""
    fast, slow = world.Clock(0), world.Clock(0)
    one, other = opened(clock=fast), opened(clock=slow)
    heard: list[str] = []
    one.subscribe(lambda change: heard.append(type(change).__name__))
    one.add_resource(Resource("room"))
    hold = one.hold("room", 1, 2, ttl=10, id="hold")
    fast.now = 15
    assert one.is_available("room", 1, 2)
    assert str(hold.status) == "released"
    other.extend("hold", ttl=30)
    one.catch_up()
    assert not one.is_available("room", 1, 2)
    assert (str(one.get("hold").status), hold.until, hold.owns_lock) == ("held", 30, True)
    other.confirm("hold")
    fast.now = 100
    one.catch_up()
    assert str(hold.status) == "confirmed"
    assert heard == ["ResourceAdded", "Booked", "Extended", "Confirmed"]
    assert one.digest() == other.digest()


def test_two_clocks_a_minute_apart_never_give_a_span_twice(opened: Open, world: SimpleNamespace) -> None:
    """Whoever comes first decides, by its clock, and the other one is refused by that."""
    ahead, behind = world.Clock(60), world.Clock(0)
    one, other = opened(clock=ahead), opened(clock=behind)
    one.add_resource(Resource("room"))
    for first, second in ((one, other), (other, one)):
        for step in range(3):
            span = 10 * step + 100 * (first is one), 10 * step + 100 * (first is one) + 5
            name = f"{first is one} {step}"
            other.hold("room", *span, until=30, id=name)
            if step == 1:
                assert one.is_available("room", *span)
            if first is one:
                one.book("room", *span)  # for this clock it has run out
                with pytest.raises((HoldExpiredError, UnknownBookingError)):
                    other.confirm(name)
                with pytest.raises(ConflictError):
                    other.book("room", *span)
            else:
                other.confirm(name)
                with pytest.raises(ConflictError):
                    one.book("room", *span)
            one.catch_up()
            other.catch_up()
            assert one.digest() == other.digest()
            assert second.get(first.bookings("room", *span).__next__().id).owns_lock


def test_a_clock_that_goes_back_does_not_keep_what_a_question_released(opened: Open, world: SimpleNamespace) -> None:
    """The command decides by the clock at that moment."""
    clock = world.Clock(0)
    one, other = pair(opened, clock=clock)
    one.hold("room", 1, 2, ttl=10, id="hold")
    clock.now = 15
    assert len(one) == 0
    clock.now = 5
    with pytest.raises(ConflictError):
        one.book("room", 1, 2)
    assert "hold" in one
    assert one.confirm("hold").owns_lock
    other.catch_up()
    assert one.digest() == other.digest()


def test_a_record_tells_what_ran_out_before_it(opened: Open, world: SimpleNamespace) -> None:
    """So does the barrier; a command that is refused does not."""
    clock = world.Clock(0)
    one, other = pair(opened, clock=clock)
    heard: list[Any] = []
    other.subscribe(lambda change: heard.append((type(change).__name__, getattr(change, "expired", None))))
    for id in ("a", "b", "c"):
        one.hold("room", ord(id), ord(id) + 1, ttl=10, id=id)
        clock.now += 10
        position = one.position
        assert len(one) == len(other) == 0
        with pytest.raises(UnknownBookingError):
            one.remove_booking("nobody")
        assert one.position == position
        if id == "a":
            one.tag("room", "sea")
        elif id == "b":
            one.barrier()
        else:
            one.close("room", ord(id), ord(id) + 1)
        assert one.position == position + 1
        other.catch_up()
        assert one.digest() == other.digest()
    assert heard.count(("Released", True)) == 3
    assert ("Released", False) not in heard


# -- freshness, followers ------------------------------------------------------------------------------


def test_position_and_lag_count_records(opened: Open) -> None:
    """What a calendar has, and what it lacks."""
    one, other = pair(opened)
    assert (one.position, one.lag(), other.position, other.lag()) == (1, 0, 1, 0)
    for at in range(3):
        one.book("room", at, at + 1)
    assert (one.position, one.lag(), other.position, other.lag()) == (4, 0, 1, 3)
    other.wait_for(3)
    assert (other.position, other.lag()) == (4, 0)


def test_what_others_append_is_waited_for(opened: Open) -> None:
    """With a follower and without one; not for ever."""
    one, other = pair(opened)
    thread = in_thread(lambda: other.wait_for(3, timeout=60))
    one.book("room", 1, 2)
    thread.join(SHORT)
    assert thread.is_alive()
    one.book("room", 2, 3)
    thread.join(20)
    assert not thread.is_alive()
    assert other.position == 3
    for timeout in (0, 0.01):
        with pytest.raises(JournalTimeoutError, match="has 3 records, and record 9 did not come"):
            other.wait_for(9, timeout)


@pytest.mark.parametrize("arguments", [(-1,), ("3",), (True,), (None,), (3, -1), (3, "1"), (3, float("nan")), (1.0,)])
def test_what_is_no_position_is_refused(arguments: tuple[Any, ...], opened: Open) -> None:
    """Nor a timeout that is none."""
    with pytest.raises(QueryError):
        opened().wait_for(*arguments)


def test_a_follower_brings_what_others_do_without_a_call(opened: Open) -> None:
    """To questions and to subscribers."""
    one, other = opened(), opened(follow=True)
    came = threading.Event()
    other.subscribe(lambda change: came.set() if isinstance(change, changes.Booked) else None)
    one.add_resource(Resource("room"))
    one.book("room", 1, 2)
    assert came.wait(20)
    assert not other.is_available("room", 1, 2)
    assert other.position == 2


def test_a_follower_waits_for_the_end_of_a_block(opened: Open) -> None:
    """In the block nothing of others is seen."""
    one, other = opened(), opened(follow=True)
    one.add_resource(Resource("room"))
    other.wait_for(1)
    with other.what_if():
        before = one._recorder.place
        one.book("room", 1, 2)
        assert one._recorder.journal.wait(before, 20)
        assert other.is_available("room", 1, 2)
    other.wait_for(2)
    assert not other.is_available("room", 1, 2)


class Ended:
    """The lock that is held until a follower is to end: after some rounds. ``rests`` is for how long it waited for that."""

    def __init__(self, rounds: int) -> None:
        self.rounds, self.rests = rounds, list[float]()

    def locked(self) -> bool:
        self.rounds -= 1
        return self.rounds >= 0

    def acquire(self, timeout: float) -> bool:
        self.rests.append(timeout)
        return False


def test_a_follower_rests_while_commands_read_and_for_longer_than_it_has_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks the database in no round in which it rests, and rests for no more than half a second."""
    works = iter((0.0, 0.01, 1.0, 3.0, 5.0, 6.0))  # the clock, before and after it has brought something, or looks in vain
    monkeypatch.setattr(follower, "monotonic", lambda: next(works))
    fresh = iter((0.25, 0.0, 0.0, 0.0, 0.0, 0.0))  # not asked for after a look in vain
    came = iter((True, True, False, False))
    asked: list[tuple[Place, int]] = []
    recorder: Any = SimpleNamespace(place=Place(7, 7), fresh_for=lambda: next(fresh), is_open=lambda: True)
    recorder.catch_up = recorder.end_lost_block = recorder.checkpoint_if_due = lambda: None
    ended: Any = Ended(7)

    def wait(place: Place, timeout: float, *, again: bool) -> bool:
        asked.append((place, ended.rounds))
        return next(came)

    follower._follow(lambda: recorder, SimpleNamespace(wait=wait), ended)
    assert ended.rests == [0.25, pytest.approx(0.09), 0.5]
    assert asked == [(Place(7, 7), left) for left in (5, 3, 1, 0)]


def test_a_follower_without_a_thread_is_an_error_that_says_how_to_do_without(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing stays open: the same call without it has a calendar."""
    opened().add_resource(Resource("room"))

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(JournalError, match=r"no thread that follows it \(can't start new thread\); .* follow=False"):
            opened(follow=True)
    assert opened().resources.ids() == ["room"]


def test_a_follower_ends_with_its_calendar(opened: Open, address: str) -> None:
    """When that is closed, and when it is collected."""
    for closes in (True, False):
        calendar = Calendar.open(address, sync="never")
        calendar.add_resource(Resource(f"room {closes}"))
        thread, there = calendar._recorder.follower._thread, weakref.ref(calendar)
        assert thread.daemon
        if closes:
            calendar.close()
        del calendar
        for _ in range(200):  # while the thread looks for news, it refers to the calendar, which is not collected then
            gc.collect()
            thread.join(0.1)
            if not thread.is_alive():
                break
        assert not thread.is_alive()
        gc.collect()
        assert there() is None


def test_a_follower_goes_on_after_an_error(
    opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once; questions are answered meanwhile."""
    one = opened()
    one.add_resource(Resource("room"))
    failing, tried = threading.Event(), threading.Event()
    failing.set()
    kind: Any = type(one._recorder.journal)
    wait: Callable[..., bool] = kind.wait

    def wait_or_fail(journal: Any, *args: Any, **options: Any) -> bool:
        if failing.is_set() and threading.current_thread().name == "bookcore follower":
            tried.set()
            raise JournalError("here", "is gone")
        return wait(journal, *args, **options)

    monkeypatch.setattr(kind, "wait", wait_or_fail)
    other = opened(follow=True)
    assert tried.wait(20)
    assert other.is_available("room", 1, 2)
    tried.clear()
    assert tried.wait(20)
    came = threading.Event()
    other.subscribe(lambda change: came.set())
    failing.clear()
    one.book("room", 1, 2)
    assert came.wait(20)
    assert [record.getMessage() for record in caplog.records] == [
        "a shared calendar does not follow, and tries again until it does: journal here: is gone"
    ]


@pytest.fixture
def machine_time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list with the time by the clock that shared calendars wait by, which goes on as the test says alone."""
    time = [1000.0]
    for module in (recorder, seam, "bookcore.persist.shared.opening"):
        where = module if isinstance(module, str) else module.__name__
        monkeypatch.setattr(f"{where}.monotonic", lambda: time[0])
    return time


def test_staleness_is_the_time_since_memory_had_all_records(opened: Open, machine_time: list[float]) -> None:
    """As each call finds that asks the database, whether it changes something or is refused; a question finds nothing."""
    one, other = opened(), opened()
    reader = opened(read_only=True)
    one.add_resource(Resource("room"))
    machine_time[0] += 5
    assert (one.staleness(), other.staleness(), reader.staleness()) == (5.0, 5.0, 5.0)
    assert (other.lag(), other.staleness()) == (1, 5.0)
    calls: list[Callable[[], Any]] = [
        other.catch_up, other.lag, lambda: other.book("room", 1, 2, id="stay"), lambda: other.book("room", 3, 4),
        lambda: other.book("room", 1, 2, id="stay", if_exists="return"), other.fresh().__enter__,
    ]  # fmt: skip
    for call in calls:
        machine_time[0] += 0.5
        assert other.staleness() >= 0.5
        call()
        assert other.staleness() == 0.0
        assert not one.find_booked(1, 2)
    machine_time[0] += 7
    with pytest.raises(ConflictError):
        one.book("room", 1, 2)
    assert one.staleness() == 0.0
    with one.transaction():
        machine_time[0] += 7
        one.book("room", 5, 6)
    assert one.staleness() == 0.0
    with pytest.raises(JournalError), reader.transaction():
        reader.add_resource(Resource("hall"))
    with reader.what_if():
        reader.add_resource(Resource("hall"))
    assert reader.staleness() == 5 + 0.5 * len(calls) + 14
    reader.catch_up()
    assert reader.staleness() == 0.0


def test_staleness_counts_from_before_memory_was_read(
    opened: Open, machine_time: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came while the answer was on its way may be missing."""
    one, other = pair(opened)
    journal: Any = type(one._recorder.journal)

    def slow(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        answer = call(*args, **options)
        machine_time[0] += 2
        return answer

    for name in ("read", "head", "lock", "append"):
        monkeypatch.setattr(journal, name, partialmethod(partial(slow, getattr(journal, name))))
    one.book("room", 1, 2)
    assert one.staleness() == 2.0
    for call in (other.catch_up, other.lag):
        call()
        assert other.staleness() == 2.0
    with pytest.raises(ConflictError):
        other.book("room", 1, 2)
    assert other.staleness() == 2.0


def test_staleness_goes_on_where_the_database_is_not_asked_any_more(opened: Open, machine_time: list[float]) -> None:
    """After closing, and in a process that was forked: memory still answers."""
    one, _ = pair(opened)
    one.close()
    machine_time[0] += 7
    assert one.staleness() == 7.0
    with pytest.raises(JournalClosedError):
        one.lag()


def test_a_follower_keeps_a_calendar_from_going_stale(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is nothing new."""
    noted, note = threading.Event(), seam.SharedJournal.note_complete

    def note_and_tell(journal: Any, time: float) -> None:
        note(journal, time)
        if threading.current_thread().name == "bookcore follower":
            noted.set()

    monkeypatch.setattr(seam.SharedJournal, "note_complete", note_and_tell)
    calendar = opened(follow=True)
    for _ in range(3):
        before = calendar._recorder.journal.complete_at
        noted.clear()
        assert noted.wait(20)
        assert calendar._recorder.journal.complete_at > before


def test_a_calendar_in_a_directory_has_nothing_to_catch_up_with(tmp_path: Any) -> None:
    """The calls mean the same there."""
    with Calendar.open(tmp_path / "store") as calendar:
        calendar.add_resource(Resource("room"))
        calendar.catch_up()
        calendar.wait_for(1)
        with calendar.fresh():
            assert (calendar.lag(), calendar.staleness(), calendar.position) == (0, 0.0, 1)
        with pytest.raises(JournalTimeoutError, match="no other process writes"):
            calendar.wait_for(2)
    with pytest.raises(JournalClosedError):  # other processes may write it by now
        calendar.staleness()
    for call in ("catch_up", "lag", "staleness"):
        with pytest.raises(QueryError, match=r"Calendar.open\(directory\)"):
            getattr(Calendar(), call)()


# -- closing, forks ------------------------------------------------------------------------------------


def test_a_closed_calendar_answers_and_refuses_changes(opened: Open) -> None:
    """So it is said of all that needs the database; closing again does nothing."""
    one, other = pair(opened)
    one.close()
    one.close()
    other.book("room", 1, 2)
    assert one.is_available("room", 1, 2)
    calls: list[Callable[[], Any]] = [
        lambda: one.book("room", 1, 2), one.catch_up, one.lag, lambda: one.wait_for(9), one.checkpoint, one.barrier,
        lambda: one.transaction().__enter__(), lambda: one.fresh().__enter__(),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(JournalClosedError):
            call()
    with one.what_if():
        one.book("room", 1, 2)
    assert len(one) == 0


def test_closing_ends_who_waits(opened: Open) -> None:
    """With the error that says so."""
    one, _ = pair(opened)
    errors: list[Any] = []

    def wait() -> None:
        try:
            one.wait_for(9, timeout=60)
        except JournalError as error:
            errors.append(error)

    thread = in_thread(wait)
    thread.join(SHORT)
    one.close()
    thread.join(20)
    assert [type(error) for error in errors] == [JournalClosedError]


def test_a_calendar_may_be_closed_by_a_subscriber_of_its_follower(opened: Open) -> None:
    """The thread does not wait for itself."""
    one, other = opened(), opened(follow=True)
    closed = threading.Event()

    def hear(change: changes.Change) -> None:
        other.close()
        closed.set()

    other.subscribe(hear)
    one.add_resource(Resource("room"))
    assert closed.wait(20)
    other._recorder.follower._thread.join(20)
    assert not other._recorder.follower._thread.is_alive()


@pytest.mark.parametrize("begins", ["with records", "with a checkpoint"])
@pytest.mark.parametrize("keys", [date, "aware", str])
def test_a_calendar_of_other_keys_than_were_asked_for_is_no_damaged_one(
    keys: Any, begins: str, opened: Open, address: str, tmp_path: Path
) -> None:
    """The error says what to leave out, of a directory as well; those that it has, or none, are taken."""
    places: list[Any] = [tmp_path / "directory"]
    for place in [address, *places]:
        with Calendar.open(place) as calendar:
            calendar.book(calendar.add_resource(Resource("room")), 1, 2)
            if begins == "with a checkpoint":
                calendar.checkpoint()
    if begins == "with a checkpoint":
        places = [tmp_path / "copy", f"sqlite:///{tmp_path}/copy.db"]
        for place in places:
            copy_calendar(address, place)
    for place in [address, *places]:
        refused = pytest.raises((JournalError, SnapshotError), match="has other keys than were asked for; leave out keys")
        with refused as told:
            Calendar.open(place, keys=keys)
        assert not isinstance(told.value, JournalDamagedError | SnapshotDamagedError)
        for right in (int, None):
            with Calendar.open(place, keys=right) as calendar:
                assert len(calendar) == 1


def test_records_of_other_keys_than_were_asked_for_are_refused_by_name(opened: Open) -> None:
    """Also when the calendar was empty at opening: another process has made it one of them."""
    one, other = opened(), opened(keys=int)
    one.add_resource(Resource("room"))
    one.book("room", "a", "b")
    for call in (other.catch_up, lambda: other.book("room", 1, 2)):
        with pytest.raises(JournalError, match=r"has other keys than were asked for.*keys=int"):
            call()
    assert len(other) == 0


def test_a_forked_process_closes_nothing(opened: Open) -> None:
    """Told in this process, of which the calendar believes that it was forked: its parent goes on."""
    one, _ = pair(opened)
    recorder, journal = one._recorder, one._recorder.journal
    recorder._pid += 1
    one.close()
    recorder._pid -= 1
    (record,) = (entry.data for entry in journal.read(journal.origin, 1))
    journal.lock(20, recorder.place, 1)
    journal._pid += 1
    with pytest.raises(JournalClosedError, match="was forked"):
        journal.append(recorder.place, [record])
    journal._pid -= 1
    journal.unlock()
    assert one.book("room", 1, 2).owns_lock


# -- what hardly happens -------------------------------------------------------------------------------


def test_a_command_that_others_have_done_is_on_the_disk_when_it_is_acknowledged(opened: Open) -> None:
    """Also by who has not appended it, once."""
    one, other = pair(opened, sync="always")
    other.book("room", 1, 2, id="stay")
    confirmed: list[int] = []
    journal = one._recorder.journal
    plain = journal.confirm
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "confirm", lambda: confirmed.append(plain() or 1))
        for _ in range(2):
            assert one.book("room", 1, 2, id="stay", if_exists="return").id == "stay"
    assert confirmed == [1]


def test_a_record_that_is_not_there_has_no_time(opened: Open) -> None:
    """Who asks for it had read that it is."""
    one, _ = pair(opened)
    with pytest.raises(JournalDamagedError, match="record 9 is gone"):
        one._recorder.journal.time_at(9)


def test_a_command_is_carried_out_once(opened: Open) -> None:
    """Not by a thread that waits no longer; one that was begun by a thread that was cut off has an unknown outcome."""
    one, _ = pair(opened)
    gate: Any = one._gate

    def asked(**state: bool) -> Any:
        command = turns._Asked(lambda: 1 / 0, False, False)
        for name, value in state.items():
            setattr(command, name, value)
        return command

    over = asked(over=True)
    gate._lead(over, 0.0)
    gate._decide_each([over])
    gate._settle([over], KeyboardInterrupt())
    assert (over.begun, over.error, [*one._recorder.waiting]) == (False, None, [])
    begun = asked(begun=True)
    gate._lead(begun, 0.0)
    assert begun.over
    assert isinstance(begun.error, UnknownOutcomeError)
    assert "was cut off" in str(begun.error)


def test_commands_that_wait_no_longer_are_not_gathered(opened: Open) -> None:
    """They are taken while others withdraw theirs."""
    one, _ = pair(opened)

    class Withdrawn(deque[Any]):
        def __len__(self) -> int:
            return 3

    first, second = (turns._Asked(lambda: None, False, False) for _ in range(2))
    one._recorder.waiting = Withdrawn([second])  # the first one was taken by a thread that was cut off
    group, gate = [first], cast(Any, one._gate)
    gate._gather(group)
    assert group == [first, second]
    one._recorder.waiting = deque()
