"""Threads of one process that wait for their turn at a database share a commit: decided in one order, committed once."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import settings

from bookcore import (
    AsyncCalendar,
    BookcoreError,
    Calendar,
    ConflictError,
    Resource,
    SnapshotError,
    UnknownBookingError,
    changes,
)
from bookcore.persist.journal.errors import JournalError, JournalTimeoutError, UnknownOutcomeError
from bookcore.persist.shared import turns
from bookcore.testing.every_change import Clock
from bookcore.testing.parallel import Waiting

Open = Callable[..., Calendar]
LONG = 30.0
ROUNDS = settings().max_examples // 2


class Asked:
    """Commands of a calendar, each in a thread of its own, that wait while the test has the turn."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.waiting = calendar._recorder.waiting = Waiting()
        self.answers: dict[int, Any] = {}
        self.threads: list[threading.Thread] = []

    def ask(self, call: Callable[[], Any]) -> None:
        """Call in a thread, and return when its command waits."""
        number = len(self.threads)

        def work() -> None:
            try:
                self.answers[number] = call()
            except BaseException as error:
                self.answers[number] = error

        self.threads.append(threading.Thread(target=work, daemon=True))
        self.threads[-1].start()
        assert self.waiting.told.acquire(timeout=LONG)

    def ended(self) -> list[Any]:
        """Return what came of the calls, in the order in which they were asked."""
        for thread in self.threads:
            thread.join(LONG)
            assert not thread.is_alive()
        assert not self.waiting
        return [self.answers[number] for number in range(len(self.threads))]


@contextmanager
def gathered(calendar: Calendar) -> Iterator[Asked]:
    """Give what asks; at the end the turn is free, and whoever has it first carries out all that wait."""
    asked = Asked(calendar)
    with calendar._recorder.turn:
        yield asked


@contextmanager
def appending(calendar: Calendar, change: Callable[..., Any] | None = None) -> Iterator[list[int]]:
    """Give a list of how many records each append had. *change* is called in place of it, with the plain one."""
    journal, sizes = calendar._recorder.journal, []
    plain = journal.append

    def append(place: Any, records: Sequence[bytes], **how: Any) -> Any:
        sizes.append(len(records))
        return plain(place, records, **how) if change is None else change(plain, place, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "append", append)
        yield sizes


def booker(calendar: Calendar, at: int, **options: Any) -> Callable[[], Any]:
    return lambda: calendar.book("room", at, at + 1, **options)


def pair(opened: Open, **options: Any) -> tuple[Calendar, Calendar]:
    one, other = opened(timeout=LONG, **options), opened(timeout=LONG)
    one.add_resource(Resource("room"))
    other.catch_up()
    return one, other


def test_commands_that_wait_share_a_commit_and_have_a_record_each(opened: Open) -> None:
    """Each returns its own booking; others read one record for each, and the same state."""
    one, other = pair(opened)
    other.book("room", 100, 101)
    heard: list[int] = []
    one.subscribe(lambda change: heard.append(change.event.start) if isinstance(change, changes.Booked) else None)
    with appending(one) as sizes:
        with gathered(one) as asked:
            for at in range(8):
                asked.ask(booker(one, at))
        assert sorted(event.start for event in asked.ended()) == list(range(8))
    assert sizes == [8]
    assert (one.position, heard[0], sorted(heard[1:])) == (10, 100, list(range(8)))
    assert [len(list(one.history(event))) for event in one.bookings()] == [1] * 9
    other.catch_up()
    assert (other.position, other.digest()) == (10, one.digest())


def test_a_change_that_is_too_large_is_refused_alone(opened: Open) -> None:
    """The others of its group share their commit all the same."""
    one, _ = pair(opened)
    with appending(one) as sizes, pytest.MonkeyPatch.context() as patch:
        patch.setattr(one._recorder.journal, "most", 1000)
        with gathered(one) as asked:
            for at, id in enumerate(("a", "b" * 2000, "c")):
                asked.ask(booker(one, at, id=id))
        first, large, last = asked.ended()
    assert (first.id, last.id, sizes) == ("a", "c", [2])
    assert isinstance(large, JournalError)
    assert "divide it" in str(large)
    assert one.is_available("room", 1, 2)


def test_a_call_returns_when_subscribers_have_heard_of_its_change(opened: Open) -> None:
    """Also if another thread has carried it out."""
    one, _ = pair(opened)
    heard: set[int] = set()
    one.subscribe(lambda change: heard.add(change.event.start) if isinstance(change, changes.Booked) else None)

    def book(at: int) -> bool:
        one.book("room", at, at + 1)
        return at in heard

    with gathered(one) as asked:
        for at in range(8):
            asked.ask(lambda at=at: book(at))  # type: ignore[misc]
    assert asked.ended() == [True] * 8


def test_a_group_has_a_largest_size(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond it come next."""
    monkeypatch.setattr(turns, "TOGETHER", 3)
    one, _ = pair(opened)
    with appending(one) as sizes:
        with gathered(one) as asked:
            for at in range(8):
                asked.ask(booker(one, at))
        asked.ended()
    assert sum(sizes) == 8
    assert max(sizes) == 3


def test_a_command_that_is_refused_leaves_the_others_of_its_group(opened: Open) -> None:
    """One of two for the same span; what cannot be written; what is not there. Numbers have no gap."""
    one, other = pair(opened)
    with appending(one) as sizes:
        with gathered(one) as asked:
            for at in (1, 1, 3):
                asked.ask(booker(one, at))
            asked.ask(lambda: one.book("room", 5, 6, note=object()))
            asked.ask(lambda: one.remove_booking("none"))
            asked.ask(booker(one, 7))
        answers = asked.ended()
    assert sizes == [3]
    assert sorted(type(answer).__name__ for answer in answers[:2]) == ["BookingEvent", "ConflictError"]
    assert isinstance(answers[3], SnapshotError)
    assert isinstance(answers[4], UnknownBookingError)
    assert sorted(event.id for event in one.bookings()) == [1, 2, 3]
    other.catch_up()
    assert other.digest() == one.digest()
    one.check()


def test_a_group_without_a_change_is_confirmed(opened: Open) -> None:
    """As one command is: the bookings that they find were committed by another process."""
    one, other = pair(opened)
    other.book("room", 1, 2, id="stay")
    confirmed: list[int] = []
    journal = one._recorder.journal
    plain = journal.confirm
    with pytest.MonkeyPatch.context() as patch, appending(one) as sizes:
        patch.setattr(journal, "confirm", lambda: confirmed.append(plain() or 1))
        with gathered(one) as asked:
            for _ in range(3):
                asked.ask(booker(one, 1, id="stay", if_exists="return"))
        assert [event.id for event in asked.ended()] == ["stay"] * 3
    assert (sizes, confirmed) == ([], [1])


def test_a_commit_that_fails_leaves_none_of_its_group_in_memory(opened: Open) -> None:
    """Each is decided anew, alone, and is told its own error."""
    one, other = pair(opened)
    one.book("room", 100, 101)

    def full(*_: Any) -> Any:
        assert not one._recorder.together or len(one) == 4
        raise JournalError("rooms", "the disk is full")

    with appending(one, full) as sizes:
        with gathered(one) as asked:
            for at in (1, 1, 3, 5):
                asked.ask(booker(one, at))
        answers = asked.ended()
    assert [str(answer) for answer in answers] == ["journal rooms: the disk is full"] * 4
    assert len({id(answer) for answer in answers}) == 4
    assert sorted(sizes) == [1, 1, 1, 1, 3]
    assert (len(one), one.position) == (1, 2)
    one.check()
    one.book("room", 1, 2)
    other.catch_up()
    assert other.digest() == one.digest()


def test_a_change_that_cannot_be_taken_fails_alone(opened: Open) -> None:
    """Those that were committed with it are decided anew, and no refusal stands that rests on what was undone."""
    one, other = pair(opened)
    culprit = "wrong"

    def judge(plain: Any, place: Any, records: Sequence[bytes]) -> Any:
        if any(culprit.encode() in record for record in records):
            one._recorder.unlock()
            raise JournalError("rooms", "the referee refuses it")
        return plain(place, records)

    with appending(one, judge) as sizes:
        with gathered(one) as asked:
            asked.ask(booker(one, 7, id=culprit))
            for at in (1, 1, 3):
                asked.ask(booker(one, at))
        answers = asked.ended()
    assert "the referee refuses it" in str(answers[0])
    assert sorted(type(answer).__name__ for answer in answers[1:3]) == ["BookingEvent", "ConflictError"]
    assert answers[3].start == 3
    assert sizes[0] == 3
    assert sorted(sizes[1:]) == [1, 1, 1]
    other.catch_up()
    assert (len(other), other.digest()) == (2, one.digest())


@pytest.mark.parametrize("stands", [True, False])
def test_where_nobody_knows_each_with_a_change_is_told_so(stands: bool, opened: Open) -> None:
    """One that the others had refused has changed nothing, and is decided anew. Repeating with the same id settles it."""
    one, other = pair(opened)

    def break_off(plain: Any, place: Any, records: Sequence[bytes]) -> Any:
        if len(records) == 1:
            return plain(place, records)
        if stands:
            plain(place, records)
        one._recorder.unlock()
        raise UnknownOutcomeError.of_change("rooms", "cut off")

    with appending(one, break_off) as sizes:
        with gathered(one) as asked:
            for at, name in ((1, "a"), (3, "b"), (5, "c"), (1, "d")):
                asked.ask(booker(one, at, id=name))
        answers = asked.ended()
    unknown = [answer for answer in answers if isinstance(answer, UnknownOutcomeError)]
    assert len(unknown) == 3
    assert len({id(error) for error in unknown}) == 3
    [last] = [answer for answer in answers if not isinstance(answer, UnknownOutcomeError)]
    assert sizes[0] == 3
    assert isinstance(last, ConflictError) is stands
    for at, name in ((3, "b"), (5, "c")):
        assert one.book("room", at, at + 1, id=name, if_exists="return").id == name
    assert sorted(event.start for event in one.bookings()) == [1, 3, 5]
    other.catch_up()
    assert other.digest() == one.digest()
    one.check()


def test_a_thread_that_is_interrupted_leaves_no_other_without_an_answer(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the interruption; those whose commands have a record may have to repeat them, the others go on."""
    one, other = pair(opened)
    for nth in range(1, 6):
        taken: list[int] = []
        plain = one._recorder.take_down

        def take_down(found: Any, *, nth: int = nth, taken: list[int] = taken, plain: Any = plain) -> bool:
            taken.append(1)
            if len(taken) == nth:
                raise KeyboardInterrupt
            done: bool = plain(found)
            return done

        with monkeypatch.context() as patch:
            patch.setattr(one._recorder, "take_down", take_down)
            with gathered(one) as asked:
                for at in range(5):
                    asked.ask(booker(one, 10 * nth + at))
            answers = asked.ended()
        kinds = sorted(type(answer).__name__ for answer in answers)
        told = max(0, nth - 2)  # those before it, but for the thread itself
        assert kinds == ["BookingEvent"] * (4 - told) + ["KeyboardInterrupt"] + ["UnknownOutcomeError"] * told
        assert all(event.owns_lock for event in answers if not isinstance(event, BaseException))
        one.check()
        other.catch_up()
        assert other.digest() == one.digest()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_comes_after_the_commit_takes_no_answer_away(error: type[BaseException], opened: Open) -> None:
    """The thread that is cut off there has its exception; what was committed is not decided anew."""
    one, other = pair(opened)
    plain = one._recorder.append

    def append(found: Any) -> None:
        plain(found)
        if len(found) > 1:
            raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one._recorder, "append", append)
        with gathered(one) as asked:
            for at in range(4):
                asked.ask(booker(one, at))
        answers = asked.ended()
    kinds = sorted(type(answer).__name__ for answer in answers)
    assert kinds == ["BookingEvent"] * 3 + (["KeyboardInterrupt"] if error is KeyboardInterrupt else ["BookingEvent"])
    other.catch_up()
    assert (other.position, len(other)) == (5, 4)


def test_a_command_that_waited_too_long_is_not_carried_out_later(opened: Open) -> None:
    """It is withdrawn; one that waits for longer is carried out."""
    one, _ = pair(opened)
    with gathered(one) as asked:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(one._recorder, "_timeout", 0.1)
            asked.ask(booker(one, 1))
        asked.ask(booker(one, 3))
        asked.threads[0].join(LONG)
        assert isinstance(asked.answers[0], JournalTimeoutError)
        assert len(one._recorder.waiting) == 1
    assert asked.ended()[1].start == 3
    assert len(one) == 1


def test_transactions_and_what_changes_more_than_a_calendar_share_no_commit(opened: Open) -> None:
    """They take the turn of their own, and are in the one order with the others."""
    one, other = pair(opened)

    def both(at: int) -> int:
        with one.transaction():
            one.book("room", at, at + 1)
            one.book("room", at + 1, at + 2)
        return 2

    with appending(one) as sizes:
        with gathered(one) as asked:
            for number in range(6):
                if number % 3 == 2:
                    asked.threads.append(threading.Thread(target=lambda at=10 * number: both(at), daemon=True))
                    asked.answers[number] = 2
                    asked.threads[-1].start()
                else:
                    asked.ask(booker(one, 10 * number))
            asked.ask(one.barrier)
        asked.ended()
    assert sizes.count(1) >= 2
    assert sum(sizes) == 6
    assert len(one) == 8
    other.catch_up()
    assert other.digest() == one.digest()


def test_context_variables_are_those_of_the_thread_that_called(opened: Open) -> None:
    """Also if another one carries its command out: here a key function of an index reads one."""
    one, _ = pair(opened)
    who: ContextVar[int] = ContextVar("who", default=-1)
    one.create_booking_index("who", key=lambda event: who.get())

    def book(at: int) -> int:
        who.set(at)
        return int(one.book("room", at, at + 1).start)

    with gathered(one) as asked:
        for at in range(5):
            asked.ask(lambda at=at: book(at))  # type: ignore[misc]
    assert asked.ended() == list(range(5))
    assert [[event.start for event in one.booking_index("who").equal(at)] for at in range(5)] == [[at] for at in range(5)]


def test_tasks_that_are_cancelled_lose_their_answers_alone(opened: Open) -> None:
    """Their commands are carried out, as those of the tasks that go on, in one commit."""
    one, other = pair(opened)
    with appending(one) as sizes:

        async def main() -> list[Any]:
            calendar: Any = AsyncCalendar(one, threads=6)
            with gathered(one) as asked:
                tasks = [asyncio.create_task(calendar.book("room", at, at + 1)) for at in range(6)]
                for _ in tasks:
                    assert await asyncio.to_thread(asked.waiting.told.acquire, True, LONG)
                for task in tasks[::2]:
                    task.cancel()
                await asyncio.sleep(0)
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            await calendar.aclose()
            return answers

        answers = asyncio.run(main())
    assert [type(answer).__name__ for answer in answers] == ["CancelledError", "BookingEvent"] * 3
    assert sizes == [6]
    assert len(one) == 6
    other.catch_up()
    assert other.digest() == one.digest()


def test_groups_of_any_commands_are_as_their_records_one_after_the_other(opened: Open) -> None:
    """Bookings, holds that run out, moves, closures, in random groups: who reads the records has the same state."""
    rng, clock = random.Random(7), Clock(0)
    one, other = opened(timeout=LONG, clock=clock), opened(timeout=LONG, clock=clock)
    for room in ("room", "flat", "boat"):
        one.add_resource(Resource(room), capacity=1 + (room == "boat"))
    largest = 0
    for step in range(ROUNDS):
        if rng.random() < 0.3:
            clock.now += 2
        calls: list[Callable[[], Any]] = []
        for number in range(6):
            room, at = rng.choice(["room", "flat", "boat"]), rng.randrange(40)
            there = rng.choice([event.id for event in one.bookings()] or ["none"])
            ways: list[Callable[..., Any]] = [
                lambda room=room, at=at: one.book(room, at, at + 2),
                lambda room=room, at=at: one.hold(room, at, at + 2, ttl=3),
                lambda there=there: one.confirm(there),
                lambda there=there, at=at: one.move(there, start=at, end=at + 1),
                lambda there=there: one.remove_booking(there),
                lambda there=there: one.change(there, note="x"),
                lambda room=room, at=at: one.book_all([(room, at, at + 1), (room, at + 1, at + 2)]),
                lambda room=room, at=at: one.close(room, at, at + 1),
                lambda room=room, at=at: one.tag(room, f"tag {at}"),
                lambda step=step, number=number: one.add_resource(Resource(f"new {step} {number}")),
            ]  # fmt: skip
            calls.append(rng.choice(ways))
        with appending(one) as sizes:
            with gathered(one) as asked:
                for call in calls:
                    asked.ask(call)
            answers = asked.ended()
        assert not [answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, BookcoreError)]
        largest = max([largest, *sizes])
        one.barrier()
        other.catch_up()
        assert other.position == one.position
        assert other.digest() == one.digest(), step
        one.check()
    assert largest > 2
