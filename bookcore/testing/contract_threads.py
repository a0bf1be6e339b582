"""Conformance tests with threads: one lock, under which a span is checked and written, and no answer from half a change.

Threads are switched every few bytecodes, so that a race that exists shows. Nothing here sleeps, and
no answer depends on a clock: it only ends the wait for threads that hang.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest

from bookcore import (
    BookingEvent,
    Calendar,
    ConflictError,
    DuplicateBookingError,
    Resource,
    UnknownBookingError,
)

THREAD_TIMEOUT = 120.0
"""How many seconds threads may take in all, also on a busy machine."""


@contextmanager
def _eager_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def join_all(threads: Iterable[threading.Thread], timeout: float = THREAD_TIMEOUT) -> None:
    """Wait for daemon threads; raise AssertionError, with the line where each one is, if they take longer in all."""
    until = monotonic() + timeout
    stuck = []
    for thread in threads:
        thread.join(max(until - monotonic(), 0))
        if thread.is_alive():
            frame = sys._current_frames().get(thread.ident or 0)
            stuck.append("".join(traceback.format_stack(frame, 3)) if frame else "a thread that has just ended")
    if stuck:
        raise AssertionError(f"{len(stuck)} threads did not end within {timeout:g} s:\n" + "\n".join(sorted(set(stuck))))


def run_together(count: int, work: Callable[[int], None], timeout: float = THREAD_TIMEOUT) -> None:
    """Run *work* in so many threads that start at one moment; raise the first error that escaped one.

    Raises AssertionError as well when they do not end, as where a store waits for a lock that another thread keeps.
    """
    gate = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            gate.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    with _eager_switching():
        threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
        for thread in threads:
            thread.start()
        join_all(threads, timeout)
    if errors:
        raise errors[0]


class ThreadExam:
    """A calendar is safe to share."""

    @pytest.mark.parametrize("way", ["book", "add", "load"])
    def test_a_hundred_threads_want_one_slot_and_one_wins(self, store: Any, way: str) -> None:
        """All other threads get a `ConflictError` that names the booking."""
        calendar = Calendar(store)
        flat = calendar.add_resource(Resource("flat"))
        won: list[str] = []
        told: list[str] = []

        def want(number: int) -> None:
            try:
                if way == "book":
                    calendar.book(flat, 10, 20, id=f"no {number}")
                elif way == "add":
                    calendar.add_booking(BookingEvent(flat, 10, 20, id=f"no {number}"))
                else:
                    late = BookingEvent(flat, 30 + number, 31 + number)
                    calendar.load([BookingEvent(flat, 10, 20, id=f"no {number}"), late])
                won.append(f"no {number}")
            except ConflictError as refused:
                told.append(refused.conflicts[-1].id)

        run_together(100, want)
        assert len(won) == 1
        assert told == won * 99
        assert [event.id for event in calendar.bookings(flat, 10, 20)] == won
        assert len(calendar) == (2 if way == "load" else 1)
        calendar.check()

    def test_threads_that_fill_a_pool_never_go_over_its_capacity(self, store: Any) -> None:
        """Forty want one of seven units."""
        calendar = Calendar(store)
        pool = calendar.add_resource(Resource("pool", capacity=7))
        won: list[int] = []

        def want(number: int) -> None:
            try:
                calendar.book(pool, number % 3, 10 + number % 3)
                won.append(number)
            except ConflictError:
                pass

        run_together(40, want)
        assert len(won) == len(calendar) == 7
        assert not calendar.is_available(pool, 5, 6)
        calendar.check()

    def test_made_ids_are_unique_and_equal_ids_collide(self, store: Any) -> None:
        """No two bookings share an id, made or given."""
        calendar = Calendar(store)
        for id in range(20):
            calendar.add_resource(Resource(id))
        twice: list[int] = []

        def want(number: int) -> None:
            for at in range(5):
                calendar.book(number, at, at + 1)
            try:
                calendar.book(number, 100, 101, id="one")
            except DuplicateBookingError:
                twice.append(number)

        run_together(20, want)
        assert len(calendar) == len({event.id for event in calendar.bookings()}) == 101
        assert len(twice) == 19
        calendar.check()

    def test_one_of_many_releases_a_booking(self, store: Any) -> None:
        """A booking is released once."""
        calendar = Calendar(store)
        flat = calendar.add_resource(Resource("flat"))
        stay = calendar.book(flat, 1, 5)
        released: list[int] = []

        def release(number: int) -> None:
            try:
                calendar.remove_booking(stay)
                released.append(number)
            except UnknownBookingError:
                pass

        run_together(30, release)
        assert len(released) == 1
        assert len(calendar) == 0
        calendar.check()

    def test_readers_never_see_half_a_write(self, store: Any) -> None:
        """A load is seen whole or not at all, and what no thread changes is always seen."""
        calendar = Calendar(store)
        flat = calendar.add_resource(Resource("flat"))
        others = [calendar.add_resource(Resource(id)) for id in range(20)]
        stop = threading.Event()
        wrong: list[Any] = []

        def work(number: int) -> None:
            if number:
                while not stop.is_set():
                    free = list(calendar.find_available(1, 9))
                    held = list(calendar.bookings(flat))
                    if len([event for event in held if event.start >= 100]) % 2:
                        wrong.append(("half a load", held))
                    if len([event for event in held if event.start < 100]) > 1:
                        wrong.append(("two bookings of one span", held))
                    if len(free) not in (20, 21):
                        wrong.append(("resources lost", len(free)))
                    if calendar.is_available(flat, None, 0) is not True:
                        wrong.append("booked where nothing ever was")
                    if calendar.conflicts(flat, None, 0):
                        wrong.append("a conflict where nothing ever was")
                return
            try:
                for at in range(300):
                    stay = calendar.book(flat, 1 + at % 4, 5 + at % 4)
                    if at % 10 == 0:
                        calendar.load([BookingEvent(flat, 100 + at, 101 + at), BookingEvent(flat, 102 + at, 103 + at)])
                    calendar.remove_booking(stay)
            finally:
                stop.set()

        run_together(4, work)
        assert wrong == []
        assert list(calendar.find_available(1, 9)) == [flat, *others]
        calendar.check()

    def test_iterating_while_others_write_gives_one_consistent_state(self, store: Any) -> None:
        """Each iteration over a selection or over all bookings shows one state: nothing is missing or comes twice."""
        calendar = Calendar(store)
        resources = [calendar.add_resource(Resource(id)) for id in range(60)]
        stop = threading.Event()
        seen: list[bool] = []

        def work(number: int) -> None:
            if number:
                while not stop.is_set():
                    free = [resource.id for resource in calendar.find_available(1, 5)]
                    walk = [event.resource.id for event in calendar.bookings()]
                    # resources are booked in ascending order and then released in ascending order
                    seen.append(free == sorted(set(free)) and _is_run(free, 60) and _is_run(sorted(walk), 60))
                return
            try:
                for _ in range(4):
                    events = [calendar.book(resource, 1, 5) for resource in resources]
                    for event in events:
                        calendar.remove_booking(event)
            finally:
                stop.set()

        run_together(3, work)
        assert all(seen)
        calendar.check()

    def test_a_key_function_may_ask_the_calendar(self, store: Any) -> None:
        """User code that is called back may call in again: the lock lets its own thread through."""
        calendar = Calendar(store)
        for id in range(5):
            calendar.add_resource(Resource(id))
        calendar.book(3, 1, 5)
        order = calendar.resources.order_by(lambda resource: calendar.is_available(resource, 1, 5))
        assert order.ids() == [3, 0, 1, 2, 4]
        calendar.create_index("free", key=lambda resource: calendar.is_available(resource, 1, 5))
        assert calendar.index("free").equal(False).ids() == [3]


def _is_run(ids: list[int], size: int) -> bool:
    """Tell whether *ids* begin at zero, or end at the last, without a gap."""
    return not ids or (ids == list(range(ids[0], ids[-1] + 1)) and (ids[0] == 0 or ids[-1] == size - 1))
