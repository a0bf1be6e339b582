"""Many threads that commit to one directory: nothing lost, nothing twice, no overlap, while snapshots are written."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings

from bookcore import BookingEvent, Calendar, ConflictError, Resource
from bookcore.testing.contract_threads import join_all

THREADS = 16
EACH = 10_000 if settings().max_examples > 40 else 60


@pytest.fixture(autouse=True)
def _eager() -> Iterator[None]:
    """Let threads take turns every 10 microseconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("sync", ["always", "never"])
def test_threads_that_book_and_release_lose_nothing(sync: str, tmp_path: Path) -> None:
    """Half of the calls are for spans that all threads want; what was won, kept and released is there after opening anew."""
    calendar = Calendar.open(tmp_path, sync=sync)
    for room in range(4):
        calendar.add_resource(Resource(room))
    stands: list[dict[str, int]] = [{} for _ in range(THREADS)]
    failed: list[BaseException] = []

    def work(number: int) -> None:
        mine = stands[number]
        try:
            for at in range(EACH):
                name, span = f"{number} {at}", at if at % 2 else 10**6 * (number + 1) + at
                with suppress(ConflictError):
                    calendar.book(number % 4, span, span + 1, id=name)
                    mine[name] = span
                if at % 5 == 4 and mine:
                    calendar.remove_booking(gone := next(iter(mine)))
                    del mine[gone]
                if number == 0 and at % (EACH // 4) == 1:
                    calendar.checkpoint()
        except BaseException as exc:
            failed.append(exc)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    join_all(threads, 3600)
    assert failed == []
    digest, position = calendar.digest(), calendar.position
    calendar._recorder.files.release()  # as a killed process leaves it
    with Calendar.open(tmp_path) as again:
        assert (again.digest(), again.position) == (digest, position)
        right = {name: span for mine in stands for name, span in mine.items()}
        assert {event.id: event.start for event in again.bookings()} == right
        for room in range(4):
            events: list[BookingEvent] = list(again.bookings(room))
            assert all(one.end <= other.start for one, other in pairwise(events))
        again.check()
