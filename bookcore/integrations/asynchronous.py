"""`AsyncCalendar`: a calendar for programs on asyncio.

    await calendar.book(...)     ->  a thread of a pool  ->  Calendar.book, which waits for the journal
    calendar.is_available(...)   ->  the thread of the loop, from memory

A command of a calendar with a journal returns when its change is on the disk. Awaited, it does so in a thread, and the loop
goes on. Commands that wait at the same time are in threads of their own, so they share syncs as those of any threads do.

Invariant: every public name of `Calendar` is here, either awaited or passed on; the tests compare the two classes.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from bookcore.calendar import Calendar
from bookcore.model.errors import QueryError
from bookcore.model.generic import Bounds, E, Generic, K, R
from bookcore.model.numpy_scalars import python_int
from bookcore.model.typecheck import is_a, is_async, plain_text
from bookcore.persist.shared.address import is_divided, shown
from bookcore.query.selection import Selection

if TYPE_CHECKING:
    from bookcore.persist.journal.copying import Salvaged

_ASYNC = "is async, and is called in a thread without a loop: give a plain function, in which nothing is awaited"
_WITH = "write a function with `with calendar.{}(): ...` in it, and await calendar.run(function)"
_IN_RUN = {
    "fresh": "await calendar.catch_up(), then ask",
    "transaction": _WITH.format("transaction"),
    "what_if": _WITH.format("what_if"),
}
"""The blocks of `Calendar`, and what is done in place of them."""

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    call: Callable[Concatenate[Calendar[R, K, E], P], T],
) -> Callable[Concatenate[AsyncCalendar[R, K, E], P], Coroutine[Any, Any, T]]:
    """Make a method of `Calendar` one that is awaited."""

    @wraps(call)
    async def awaited(self: AsyncCalendar[R, K, E], /, *args: P.args, **options: P.kwargs) -> T:
        return await self._in_thread(partial(call, self.calendar, *args, **options))

    return awaited


def _at_once(
    call: Callable[Concatenate[Calendar[R, K, E], P], T],
) -> Callable[Concatenate[AsyncCalendar[R, K, E], P], T]:
    """Pass a method of `Calendar` on."""

    @wraps(call)
    def passed(self: AsyncCalendar[R, K, E], /, *args: P.args, **options: P.kwargs) -> T:
        return call(self.calendar, *args, **options)

    return passed


def _called(call: Callable[[], T]) -> T:
    """Call, and raise a `StopIteration` as coroutines do: on Python 3.11 no future takes one, and its task would not end."""
    try:
        return call()
    except StopIteration as exc:
        raise RuntimeError("a function of the program raised StopIteration") from exc


def _close_again(opening: Future[Calendar[Any, Any, Any]]) -> None:
    """Close a calendar that was opened for a task that has ended."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class AsyncCalendar(Generic[R, K, E]):
    """A calendar whose commands are awaited and whose questions are answered at once.

    ``calendar`` is the calendar, which other threads may use meanwhile. ``threads`` is how many commands may wait for the
    journal at the same time; further ones wait for a thread. The methods are those of `Calendar`, with the same arguments,
    answers and errors: those that change something, or that read or write files, are awaited. Commands that are awaited
    together happen in some order, each as a whole.

    A transaction belongs to one thread, so it is no block of a coroutine: `run` calls a function of yours in a thread, and
    there ``with calendar.transaction()`` is as ever. `Calendar.what_if`, `Calendar.transaction` and `Calendar.fresh` are
    therefore not here.
    Subscribers are called in the thread of the command; ``loop.call_soon_threadsafe`` leads back to the loop.

    If an awaiting task is cancelled before a thread was free, nothing happens; after that, the command is carried out, and
    only its answer is lost. A question waits like any other thread, and the loop with it: while another thread loads or
    copies very many bookings, and until a transaction of another thread ends. Keep these short, have them not wait for the
    loop, or ask with `run`.

    Raises: `QueryError` for anything that is no calendar, and for a number of threads below 1.

    >>> import asyncio
    >>> from bookcore import AsyncCalendar, Calendar, Resource
    >>> async def main():
    ...     async with AsyncCalendar(Calendar()) as calendar:
    ...         await calendar.add_resource(Resource("room"))
    ...         stays = await asyncio.gather(*[calendar.book("room", day, day + 1) for day in range(3)])
    ...         return len(stays), calendar.is_available("room", 2, 4)
    >>> asyncio.run(main())
    (3, False)
    """

    __slots__ = ("_closes", "_ended", "_pool", "calendar")

    calendar: Calendar[R, K, E]
    """The calendar itself. A call of its commands blocks the loop until the journal has the change."""

    def __init__(self, calendar: Calendar[R, K, E], *, threads: int = 32) -> None:
        if not is_a(calendar, Calendar):
            raise QueryError(calendar, "is no Calendar")
        workers = python_int(threads) or 0
        if workers < 1:
            raise QueryError(threads, "threads is how many commands may wait at the same time, at least 1")
        self.calendar = calendar
        self._closes = self._ended = False
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="bookcore")

    @classmethod
    async def open(cls, *args: Any, threads: int = 32, **options: Any) -> AsyncCalendar[Any, Any, Any]:
        """Open a calendar as `Calendar.open` does, with its arguments, in a thread.

        If the awaiting task is cancelled meanwhile, the calendar is closed as soon as it is open.

        Raises: as `Calendar.open`; `QueryError` for a calendar in partitions.

        >>> import asyncio
        >>> from tempfile import TemporaryDirectory
        >>> from bookcore import AsyncCalendar, Resource
        >>> async def main(folder):
        ...     async with await AsyncCalendar.open(folder) as calendar:
        ...         await calendar.add_resource(Resource("room"))
        ...         return calendar.position
        >>> with TemporaryDirectory() as folder:
        ...     asyncio.run(main(folder))
        1
        """
        place = plain_text(options.get("directory", args[0] if args else None))
        if place is not None and is_divided(place):
            way = "`Calendar.open` it, and call it in threads by asyncio.to_thread"
            raise QueryError(shown(place), f"is in partitions, and AsyncCalendar is for a calendar in one piece: {way}")
        pool = ThreadPoolExecutor(1, thread_name_prefix="bookcore")
        call: Callable[[], Calendar[Any, Any, Any]] = partial(Calendar.open, *args, **options)
        opening: Future[Calendar[Any, Any, Any]] = pool.submit(copy_context().run, _called, call)
        pool.shutdown(wait=False)
        try:
            opened: AsyncCalendar[Any, Any, Any] = AsyncCalendar(await asyncio.wrap_future(opening), threads=threads)
        except BaseException:
            opening.add_done_callback(_close_again)  # at once if it is open already
            raise
        finally:
            del opening  # breaks the reference cycle of this frame and the exception's traceback
        opened._closes = True
        return opened

    async def run(self, function: Callable[Concatenate[Calendar[R, K, E], P], T], *args: P.args, **options: P.kwargs) -> T:
        """Call a function with the calendar, and these arguments, in a thread, and return its answer.

        Raises: `QueryError` for an async function, which would not run in that thread; what the function raises, but for a
        `StopIteration`, of which a RuntimeError is made as everywhere in coroutines.

        >>> import asyncio
        >>> from bookcore import AsyncCalendar, Calendar, Resource
        >>> def both(calendar, start, end):
        ...     with calendar.transaction():
        ...         return calendar.book("room", start, end), calendar.book("crew", start, end)
        >>> async def main():
        ...     async with AsyncCalendar(Calendar()) as calendar:
        ...         await calendar.add_resource(Resource("room"))
        ...         await calendar.add_resource(Resource("crew"))
        ...         return len(await calendar.run(both, 9, 12))
        >>> asyncio.run(main())
        2
        """
        if is_async(function):
            raise QueryError(function, _ASYNC)
        answer = await self._in_thread(partial(function, self.calendar, *args, **options))
        if inspect.iscoroutine(answer):
            answer.close()
            raise QueryError(function, _ASYNC)
        return answer

    async def _in_thread(self, call: Callable[[], T]) -> T:
        if self._ended:
            raise QueryError(self, "takes no commands after aclose; make another one")
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(copy_context().run, _called, call))

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            way = f": a block of it belongs to one thread; {_IN_RUN[name]}" if name in _IN_RUN else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{way}")

    async def aclose(self) -> None:
        """Wait for the commands under way, then close the calendar if `open` opened it. May be called again.

        Afterwards a command raises `QueryError`. A task that is cancelled here waits no longer, and the calendar is closed
        still. Raises: as `Calendar.close`.
        """
        self._ended = True
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self._end))

    def _end(self) -> None:
        self._pool.shutdown()
        if self._closes:
            self.calendar.close()

    # -- as `Calendar` has them ----------------------------------------------------------------------------

    add_booking = _awaited(Calendar.add_booking)
    add_resource = _awaited(Calendar.add_resource)
    apply = _awaited(Calendar.apply)
    barrier = _awaited(Calendar.barrier)
    book = _awaited(Calendar.book)
    book_all = _awaited(Calendar.book_all)
    book_any = _awaited(Calendar.book_any)
    catch_up = _awaited(Calendar.catch_up)
    change = _awaited(Calendar.change)
    check = _awaited(Calendar.check)
    checkpoint = _awaited(Calendar.checkpoint)
    close = _awaited(Calendar.close)
    close_all = _awaited(Calendar.close_all)
    confirm = _awaited(Calendar.confirm)
    create_booking_index = _awaited(Calendar.create_booking_index)
    create_index = _awaited(Calendar.create_index)
    digest = _awaited(Calendar.digest)
    extend = _awaited(Calendar.extend)
    history = _awaited(Calendar.history)
    hold = _awaited(Calendar.hold)
    lag = _awaited(Calendar.lag)
    load = _awaited(Calendar.load)
    move = _awaited(Calendar.move)
    rebuild = _awaited(Calendar.rebuild)
    reindex = _awaited(Calendar.reindex)
    remove_booking = _awaited(Calendar.remove_booking)
    remove_resource = _awaited(Calendar.remove_resource)
    reopen = _awaited(Calendar.reopen)
    set_capacity = _awaited(Calendar.set_capacity)
    set_hours = _awaited(Calendar.set_hours)
    snapshot = _awaited(Calendar.snapshot)
    split = _awaited(Calendar.split)
    tag = _awaited(Calendar.tag)
    untag = _awaited(Calendar.untag)
    wait_for = _awaited(Calendar.wait_for)

    booking_index = _at_once(Calendar.booking_index)
    bookings = _at_once(Calendar.bookings)
    closures = _at_once(Calendar.closures)
    closures_of = _at_once(Calendar.closures_of)
    common_gaps = _at_once(Calendar.common_gaps)
    conflicts = _at_once(Calendar.conflicts)
    explain = _at_once(Calendar.explain)
    find = _at_once(Calendar.find)
    find_available = _at_once(Calendar.find_available)
    find_booked = _at_once(Calendar.find_booked)
    find_slots = _at_once(Calendar.find_slots)
    free_busy = _at_once(Calendar.free_busy)
    gaps = _at_once(Calendar.gaps)
    get = _at_once(Calendar.get)
    hours_of = _at_once(Calendar.hours_of)
    index = _at_once(Calendar.index)
    is_available = _at_once(Calendar.is_available)
    nearest = _at_once(Calendar.nearest)
    next_available = _at_once(Calendar.next_available)
    occupancy = _at_once(Calendar.occupancy)
    resource = _at_once(Calendar.resource)
    staleness = _at_once(Calendar.staleness)
    subscribe = _at_once(Calendar.subscribe)
    tagged = _at_once(Calendar.tagged)
    tags_of = _at_once(Calendar.tags_of)
    __contains__ = _at_once(Calendar.__contains__)
    __len__ = _at_once(Calendar.__len__)
    __bool__ = _at_once(Calendar.__bool__)

    @property
    def bounds(self) -> Bounds:
        """See `Calendar.bounds`."""
        return self.calendar.bounds

    @property
    def event_type(self) -> type[E]:
        """See `Calendar.event_type`."""
        return self.calendar.event_type

    @property
    def position(self) -> int:
        """See `Calendar.position`."""
        return self.calendar.position

    @property
    def salvaged(self) -> Salvaged | None:
        """See `Calendar.salvaged`."""
        return self.calendar.salvaged

    @property
    def resources(self) -> Selection[R]:
        """See `Calendar.resources`."""
        return self.calendar.resources

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncCalendar({self.calendar!r})"
