"""`AsyncCalendar`: the loop goes on while commands wait for the disk, and the commands are those of `Calendar`."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest

from bookcore import AsyncCalendar, Calendar, ConflictError, QueryError, Resource
from bookcore.persist.fs import FileSystem
from bookcore.persist.journal.errors import JournalClosedError, JournalError

SYNC = FileSystem.sync_data


async def opened(folder: Path, **options: Any) -> AsyncCalendar[Any, Any, Any]:
    calendar: AsyncCalendar[Any, Any, Any] = await AsyncCalendar.open(folder / "rooms", **options)
    await calendar.add_resource(Resource("room"))
    return calendar


def test_it_has_every_public_name_of_a_calendar() -> None:
    names = {name for name in dir(Calendar) if not name.startswith("_")}
    others = {name for name in dir(AsyncCalendar) if not name.startswith("_")}
    assert names - others == {"transaction", "what_if", "fresh", "restore"}
    assert others - names == {"aclose", "calendar", "run"}


def test_what_is_awaited_and_what_is_not() -> None:
    questions = {
        "booking_index", "bookings", "bounds", "calendar", "closures", "closures_of", "common_gaps", "conflicts",
        "event_type", "explain", "find", "find_available", "find_booked", "find_slots", "free_busy", "gaps", "get",
        "hours_of", "index", "is_available", "nearest", "next_available", "occupancy", "position", "resource", "resources",
        "salvaged", "staleness", "subscribe", "tagged", "tags_of",
    }  # fmt: skip
    found = {name for name in dir(AsyncCalendar) if not name.startswith("_")}
    assert {name for name in found if not iscoroutinefunction(getattr(AsyncCalendar, name))} == questions


def test_the_loop_answers_while_a_command_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, goes_on = threading.Event(), threading.Event()

    def slow(fs: FileSystem, fd: int) -> None:
        waits.set()
        assert goes_on.wait(60)
        SYNC(fs, fd)

    async def main() -> None:
        async with await opened(tmp_path) as calendar:
            monkeypatch.setattr(FileSystem, "sync_data", slow)
            booking = asyncio.create_task(calendar.book("room", 9, 12))
            await asyncio.to_thread(waits.wait, 60)
            assert not booking.done()
            assert not calendar.is_available("room", 11, 13)  # answered by the loop's thread, while the disk is waited for
            assert [event.start for event in calendar.bookings()] == [9]
            goes_on.set()
            assert (await booking).end == 12

    asyncio.run(main())


def test_commands_that_wait_together_share_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    waits, goes_on = threading.Event(), threading.Event()

    def counted(fs: FileSystem, fd: int) -> None:
        syncs.append(fd)
        waits.set()
        assert goes_on.wait(60)
        SYNC(fs, fd)

    async def main() -> None:
        async with await opened(tmp_path, threads=8) as calendar:
            monkeypatch.setattr(FileSystem, "sync_data", counted)
            written = asyncio.gather(*[calendar.book("room", day, day + 1) for day in range(8)])
            await asyncio.to_thread(waits.wait, 60)
            while calendar.position < 9:  # the others have written their records and wait
                await asyncio.sleep(0)
            goes_on.set()
            assert len(await written) == 8
            assert len(syncs) == 2

    asyncio.run(main())


def test_many_requests_for_few_slots_are_booked_once_each(tmp_path: Path) -> None:
    async def main() -> None:
        async with await opened(tmp_path) as calendar:
            requests = [calendar.book("room", n % 50, n % 50 + 1) for n in range(500)]
            answers = await asyncio.gather(*requests, return_exceptions=True)
            assert sum(isinstance(answer, ConflictError) for answer in answers) == 450
            booked = [answer for answer in answers if not isinstance(answer, BaseException)]
            assert sorted(event.start for event in booked) == list(range(50))
            digest, position = await calendar.digest(), calendar.position
        with Calendar.open(tmp_path / "rooms") as again:
            assert (again.digest(), again.position) == (digest, position)

    asyncio.run(main())


def test_a_transaction_is_run_in_one_thread(tmp_path: Path) -> None:
    def both(calendar: Calendar[Any, Any, Any], *starts: int) -> int:
        with calendar.transaction():
            return len([calendar.book("room", start, start + 2) for start in starts])

    async def main() -> None:
        async with await opened(tmp_path) as calendar:
            with pytest.raises(ConflictError):
                await calendar.run(both, 9, 10)
            assert len(calendar) == 0
            assert bool(calendar) is bool(calendar.calendar)
            assert await calendar.run(both, 9, 11) == 2
            assert calendar.position == 2
            assert calendar.get(2) in calendar

    asyncio.run(main())


def test_a_command_that_was_cancelled_before_a_thread_was_free_does_nothing(tmp_path: Path) -> None:
    inside, goes_on = threading.Event(), threading.Event()

    def block(calendar: Calendar[Any, Any, Any]) -> None:
        inside.set()
        assert goes_on.wait(60)

    async def main() -> None:
        async with await opened(tmp_path, threads=1) as calendar:
            first = asyncio.create_task(calendar.run(block))
            await asyncio.to_thread(inside.wait, 60)
            second = asyncio.create_task(calendar.book("room", 9, 12))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            goes_on.set()
            await first
            await calendar.tag("room", "quiet")  # the one thread has come to the end of what was given to it
            assert len(calendar) == 0

    asyncio.run(main())


def test_context_variables_reach_the_command() -> None:
    user: ContextVar[str] = ContextVar("user")

    async def main() -> None:
        async with AsyncCalendar(Calendar[Any, Any, Any]()) as calendar:
            user.set("Ada")
            assert await calendar.run(lambda _: user.get()) == "Ada"

    asyncio.run(main())


def test_it_closes_what_it_opened_and_nothing_else(tmp_path: Path) -> None:
    async def main() -> None:
        mine = await opened(tmp_path)
        await mine.aclose()
        await mine.aclose()
        with pytest.raises(JournalClosedError):
            mine.calendar.book("room", 9, 12)
        with pytest.raises(QueryError, match="after aclose"):
            await mine.book("room", 9, 12)
        with Calendar.open(tmp_path / "rooms") as calendar:
            async with AsyncCalendar(calendar) as again:
                await again.book("room", 9, 12)
            assert calendar.book("room", 12, 13).id == 2
            assert repr(again) == f"AsyncCalendar({calendar!r})"

    asyncio.run(main())


def test_a_cancelled_end_closes_the_calendar_still(tmp_path: Path) -> None:
    """Once the commands under way have ended."""
    inside, goes_on = threading.Event(), threading.Event()

    def block(_: Any) -> None:
        inside.set()
        assert goes_on.wait(60)

    async def main() -> None:
        calendar = await opened(tmp_path)
        first = asyncio.create_task(calendar.run(block))
        await asyncio.to_thread(inside.wait, 60)
        end = asyncio.create_task(calendar.aclose())
        while not calendar._ended:
            await asyncio.sleep(0)
        end.cancel()
        with pytest.raises(asyncio.CancelledError):
            await end
        goes_on.set()
        await first
        await calendar.aclose()

    asyncio.run(main())
    Calendar.open(tmp_path / "rooms").close()


def test_a_calendar_whose_opening_was_cancelled_is_closed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is open by then or not; else its directory would stay locked."""
    open_now, is_open, goes_on = Calendar.open, threading.Event(), threading.Event()
    calendars: list[Calendar[Any, Any, Any]] = []

    def slow(*args: Any, **options: Any) -> Any:
        calendars.append(open_now(*args, **options))
        is_open.set()
        assert goes_on.wait(60)
        return calendars[-1]

    async def main(before: bool) -> None:
        is_open.clear()
        goes_on.clear()
        opening = asyncio.create_task(AsyncCalendar.open(tmp_path / "rooms"))
        await asyncio.to_thread(is_open.wait, 60)
        if not before:
            goes_on.set()
            for thread in [each for each in threading.enumerate() if each.name == "bookcore_0"]:
                thread.join(60)  # not awaited: the task has not been told yet that the calendar is open
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        goes_on.set()

    monkeypatch.setattr(Calendar, "open", slow)
    for before in (True, False):
        asyncio.run(main(before))
        for thread in [each for each in threading.enumerate() if each.name == "bookcore_0"]:
            thread.join(60)
        with pytest.raises(JournalClosedError):
            calendars[-1].add_resource(Resource("room"))
        open_now(tmp_path / "rooms").close()


def test_a_function_that_raises_stop_iteration_does_not_keep_its_task_waiting() -> None:
    async def main() -> None:
        async with AsyncCalendar(Calendar[Any, Any, Any]()) as calendar:
            await calendar.add_resource(Resource("room"))
            await calendar.book("room", 9, 12)
            with pytest.raises(RuntimeError, match="StopIteration"):
                await asyncio.wait_for(calendar.run(lambda it: next(it.gaps("room", 9, 12))), 60)

    asyncio.run(main())


def test_an_opening_in_which_stop_iteration_is_raised_does_not_keep_its_task_waiting(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise StopIteration

    async def main() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.wait_for(AsyncCalendar.open(tmp_path / "rooms", as_of="now", progress=stop), 60)

    Calendar.open(tmp_path / "rooms").close()
    asyncio.run(main())


def test_the_error_of_an_opening_is_freed_with_all_that_it_refers_to_without_the_garbage_collector(tmp_path: Path) -> None:
    """Its traceback refers to the frame that raised it, which has a part of a calendar; that must not refer to the error."""

    async def main() -> weakref.ref[JournalError]:
        try:
            await AsyncCalendar.open(tmp_path / "rooms", create=False)
        except JournalError as exc:
            return weakref.ref(exc)
        raise AssertionError("there is no calendar")

    gc.disable()
    try:
        error = asyncio.run(main())
        for thread in [each for each in threading.enumerate() if each.name == "bookcore_0"]:
            thread.join(60)
        assert error() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "make",
    [
        lambda: AsyncCalendar(None),  # type: ignore[arg-type]
        lambda: AsyncCalendar(AsyncCalendar(Calendar())),  # type: ignore[arg-type]
        lambda: AsyncCalendar(Calendar, threads=4),  # type: ignore[arg-type]
        lambda: AsyncCalendar(Calendar(), threads=0),
        lambda: AsyncCalendar(Calendar(), threads=True),
        lambda: AsyncCalendar(Calendar(), threads=2.0),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_calendar_or_no_number_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(QueryError):
        make()


def test_errors_are_those_of_the_calendar() -> None:
    async def main() -> None:
        async with AsyncCalendar(Calendar[Any, Any, Any]()) as calendar:
            with pytest.raises(QueryError, match="has no journal"):
                await calendar.checkpoint()
            with pytest.raises(QueryError, match="has no journal"):
                assert calendar.position
            with pytest.raises(QueryError, match="has no journal"):
                calendar.staleness()

    asyncio.run(main())


@pytest.mark.parametrize("call", ["book", "hold", "book_any", "change"])
def test_a_field_may_be_called_self(call: str) -> None:
    calendar: Calendar[Any, Any, Any] = Calendar(clock=lambda: 0)
    room = calendar.add_resource(Resource("room"))
    if call == "book":
        event = calendar.book("room", 9, 12, self="Ada")
    elif call == "hold":
        event = calendar.hold("room", 9, 12, ttl=5, self="Ada")
    elif call == "book_any":
        event = calendar.book_any([room], 9, 12, self="Ada")
    else:
        event = calendar.change(calendar.book("room", 9, 12), self="Ada")
    assert event.fields["self"] == "Ada"


def test_an_async_function_is_not_run() -> None:
    """It would give a coroutine that nobody awaits, and do nothing."""

    async def book(calendar: Any) -> Any:
        return calendar.book("r", 1, 2)

    async def main() -> None:
        async with AsyncCalendar(Calendar()) as calendar:
            await calendar.add_resource(Resource("r"))
            functions: list[Callable[[Any], Any]] = [book, partial(book), lambda _: book(None)]
            for function in functions:
                with pytest.raises(QueryError, match=r"is async.*give a plain function"):
                    await calendar.run(function)
            assert len(calendar) == 0

    asyncio.run(main())


def test_blocks_name_what_is_done_in_place_of_them() -> None:
    """They belong to one thread."""

    async def main() -> None:
        async with AsyncCalendar(Calendar()) as awaited:
            calendar: Any = awaited
            for name in "transaction", "what_if":
                with pytest.raises(AttributeError, match=rf"with calendar\.{name}\(\).*await calendar\.run\(function\)"):
                    getattr(calendar, name)()
            with pytest.raises(AttributeError, match="catch_up"):
                calendar.fresh()
            with pytest.raises(AttributeError, match=r"^'AsyncCalendar' object has no attribute 'boook'$"):
                calendar.boook()
            assert not hasattr(calendar, "transaction")

    asyncio.run(main())


def test_a_calendar_in_partitions_is_refused_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no partner here; opened, it would be made, and nobody would close it."""
    monkeypatch.setattr(Calendar, "open", lambda *args, **options: pytest.fail("it was opened"))
    place = "postgresql://ada:secret@host/rooms?calendar=berlin&partitions=4"
    for opening in (partial(AsyncCalendar.open, place), partial(AsyncCalendar.open, directory=place)):
        with pytest.raises(QueryError, match="is in partitions, and AsyncCalendar is for a calendar in one piece") as caught:
            asyncio.run(opening())
        assert "secret" not in str(caught.value)


def test_a_calendar_that_cannot_be_awaited_is_closed_again(tmp_path: Path) -> None:
    """Its directory can be opened at once."""
    with pytest.raises(QueryError, match="threads is how many"):
        asyncio.run(AsyncCalendar.open(tmp_path / "rooms", threads=0))
    with Calendar.open(tmp_path / "rooms", create=False):
        pass
