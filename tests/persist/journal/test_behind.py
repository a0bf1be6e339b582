"""What a journal does in threads of its own: syncing a little later, and checkpoints that nobody asked for."""

from __future__ import annotations

import errno
import gc
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import Any

import pytest

from bookcore import Calendar, ConflictError, Resource, TransactionError
from bookcore.engine.recording import RecordingEngine
from bookcore.persist.journal.behind import LONGEST, Threads
from bookcore.persist.journal.directory import DirectoryJournal
from bookcore.persist.journal.errors import JournalClosedError, JournalError
from bookcore.persist.journal.opening import open_calendar
from bookcore.testing.simulated_files import SimulatedFiles


class Stopped(Threads):
    """A clock that a test sets, and threads that never run: ``works`` are what they would do."""

    def __init__(self) -> None:
        self.time = 0.0
        self.works: list[Callable[[], None]] = []

    def now(self) -> float:
        return self.time

    def start(self, work: Callable[[], None]) -> Callable[[], None]:
        self.works.append(work)
        return lambda: None


class AtOnce(Stopped):
    """Threads that have run when they are started."""

    def start(self, work: Callable[[], None]) -> Callable[[], None]:
        self.works.append(work)
        work()
        return lambda: None


class Held(Threads):
    """Real threads, which let records gather until the test says ``go``."""

    def __init__(self) -> None:
        self.paused, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.joins: list[Callable[[], None]] = []

    def now(self) -> float:
        return 0.0

    def start(self, work: Callable[[], None]) -> Callable[[], None]:
        self.joins.append(super().start(work))
        return self.joins[-1]

    def pause(self, calls: SimpleQueue[bool]) -> bool:
        self.paused.release()
        assert self.go.acquire(timeout=60)
        return True


class CutOff(AtOnce):
    """Ctrl-C comes when the first thread is started."""

    comes = True

    def start(self, work: Callable[[], None]) -> Callable[[], None]:
        if self.comes:
            self.comes = False
            raise KeyboardInterrupt
        return super().start(work)


class Refused(Threads):
    """There can be no more threads."""

    def start(self, work: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("can't start new thread")


def opened(where: SimulatedFiles | Path, threads: Threads | None = None, **options: Any) -> Calendar:
    """Open the calendar of a simulated file system, or of a directory, with these threads."""
    fs = where if isinstance(where, SimulatedFiles) else None
    folder = fs.folder if fs else where
    calendar, recorder = open_calendar(
        Calendar._maker(None, None, None, None), folder, fs=fs, threads=threads, **options  # type: ignore[arg-type]
    )
    calendar._recorder = recorder
    calendar._engine = RecordingEngine(calendar._engine.state)
    return calendar


def files_of(calendar: Calendar) -> DirectoryJournal:
    files: DirectoryJournal = calendar._recorder.files
    return files


# -- sync="batch" ------------------------------------------------------------------------------------


def test_a_call_does_not_wait_and_the_thread_syncs_for_all_that_came_meanwhile() -> None:
    """One sync for many records; the next record calls again."""
    fs, threads = SimulatedFiles(), Held()
    calendar = opened(fs, threads, sync="batch")
    room = calendar.add_resource(Resource("room"))
    before = fs.syncs
    assert threads.paused.acquire(timeout=60)
    for at in range(5):
        calendar.book(room, at, at + 1)
    assert (fs.syncs, files_of(calendar).synced, calendar.position) == (before, 0, 6)
    threads.go.release()
    while files_of(calendar).synced < 6:  # the thread is on its way
        calendar.book_all([])
    calendar.book(room, 50, 51)
    assert threads.paused.acquire(timeout=60)
    assert fs.syncs == before + 1
    threads.go.release()
    calendar.close()
    threads.joins[0]()


def test_no_more_is_lost_than_was_acknowledged_within_ten_milliseconds() -> None:
    """Although the thread never gets to run: whoever comes when a record is too old syncs it."""
    for seed in range(5):
        rng = Random(seed)
        fs, threads = SimulatedFiles(), Stopped()
        calendar = opened(fs, threads, sync="batch")
        room = calendar.add_resource(Resource("room"))
        told: list[tuple[float, int]] = [(0.0, 1)]
        for at in range(200):
            threads.time += rng.choice((0.0, 1 / 1024, 1 / 256, 1 / 128, 1 / 16))
            calendar.book(room, at, at + 1)
            told.append((threads.time, calendar.position))
            lost = [time for time, position in told if position > files_of(calendar).synced]
            assert not lost or lost[-1] - lost[0] <= LONGEST, seed
        assert opened(fs.power_cut(seed)).position >= files_of(calendar).synced
        assert 1 < fs.syncs < 200
        calendar.close()
        assert opened(fs.power_cut(seed)).position == calendar.position


def test_a_barrier_and_closing_sync_what_the_thread_has_not() -> None:
    """So do checkpoints."""
    for call in (Calendar.barrier, Calendar.close, Calendar.checkpoint):
        fs = SimulatedFiles()
        calendar = opened(fs, Stopped(), sync="batch")
        calendar.add_resource(Resource("room"))
        assert files_of(calendar).synced == 0
        call(calendar)
        assert files_of(calendar).synced == 1
        assert opened(fs.power_cut(call.__name__)).position == 1


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "Input/output error"), MemoryError(), ValueError("odd")], ids=repr)
def test_a_sync_that_fails_in_the_thread_is_told_by_the_next_command(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread ends, no sync is repeated, and questions are answered still."""
    fs, threads = SimulatedFiles(), Held()
    calendar = opened(fs, threads, sync="batch")
    room = calendar.add_resource(Resource("room"))
    syncs: list[int] = []

    def fails(fd: int) -> None:
        syncs.append(fd)
        raise failure

    monkeypatch.setattr(fs, "sync_data", fails)
    with caplog.at_level(logging.ERROR):
        threads.go.release()
        threads.joins[0]()
    assert "takes no more changes" in caplog.text
    for _ in range(2):
        with pytest.raises(JournalClosedError, match="open the directory anew"):
            calendar.book(room, 1, 2)
    with pytest.raises(JournalClosedError):
        calendar.barrier()
    assert calendar.is_available(room, 1, 2)
    assert len(syncs) == 1
    with pytest.raises(JournalClosedError):
        calendar.close()


def test_the_thread_ends_with_the_calendar(tmp_path: Path) -> None:
    """When it is closed, and when the program drops it without that."""
    for closes in (True, False):
        threads = Joined()
        calendar = opened(tmp_path / str(closes), threads, sync="batch")
        calendar.add_resource(Resource("room"))
        if closes:
            calendar.close()
        del calendar
        gc.collect()  # a calendar and its parts refer to each other
        threads.joins[0]()
        with Calendar.open(tmp_path / str(closes), sync="batch") as again:
            assert len(again.resources) == 1


class Joined(Threads):
    """Real threads, which a test can wait for."""

    def __init__(self) -> None:
        self.joins: list[Callable[[], None]] = []

    def start(self, work: Callable[[], None]) -> Callable[[], None]:
        self.joins.append(super().start(work))
        return self.joins[-1]


def test_the_thread_ends_if_the_calendar_is_dropped_while_records_gather() -> None:
    """It finds nothing to sync any more."""
    threads = Held()
    calendar = opened(SimulatedFiles(), threads, sync="batch")
    calendar.add_resource(Resource("room"))
    assert threads.paused.acquire(timeout=60)
    del calendar
    gc.collect()
    threads.go.release()
    threads.joins[0]()


def test_without_a_thread_the_directory_is_not_opened(tmp_path: Path) -> None:
    """It is unlocked again, and the error says why."""
    with pytest.raises(JournalError, match="no thread that syncs it"):
        opened(tmp_path, Refused(), sync="batch")
    with Calendar.open(tmp_path, sync="batch") as calendar:
        assert calendar.position == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_no_thread_and_needs_none(tmp_path: Path) -> None:
    """It may not write; what it closes or drops leaves the parent alone, whose thread goes on."""
    with Calendar.open(tmp_path, sync="batch") as calendar:
        room = calendar.add_resource(Resource("room"))
        child = os.fork()
        if not child:
            told = 1
            try:
                for call in (lambda: calendar.book(room, 1, 2), calendar.checkpoint, calendar.barrier):
                    with pytest.raises(JournalClosedError, match="forked"):
                        call()
                calendar.close()
                told = 0
            finally:
                os._exit(told)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        calendar.book(room, 1, 2)
    with Calendar.open(tmp_path) as again:
        assert len(again) == 1


# -- checkpoints that nobody asked for ---------------------------------------------------------------


@pytest.fixture
def _low_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DirectoryJournal, "floor", 2000)


def grow(calendar: Calendar, count: int, first: int = 0) -> None:
    """Book so many spans."""
    if not len(calendar.resources):
        calendar.add_resource(Resource("room"))
    for at in range(first, first + count):
        calendar.book("room", at, at + 1, guest="Ada")


@pytest.mark.usefixtures("_low_floor")
def test_a_checkpoint_is_written_when_the_records_outgrow_the_snapshot() -> None:
    """Again and again, at growing distances, so that writing them costs no more than writing the records."""
    fs, threads = SimulatedFiles(), AtOnce()
    calendar = opened(fs, threads)
    at: list[int] = []
    for number in range(300):
        before = len(threads.works)
        grow(calendar, 1, number)
        if len(threads.works) > before:
            at.append(number)
            assert files_of(calendar).newest == calendar.position
    assert len(at) > 3
    assert at[-1] - at[-2] > at[1] - at[0]
    assert sum(name.startswith("snap-") for name in fs.contents()) == 2
    digest = calendar.digest()
    calendar.close()
    again = opened(fs, threads)
    assert (again.digest(), again.position) == (digest, 301)
    again.check()


@pytest.mark.usefixtures("_low_floor")
def test_records_of_an_earlier_process_count() -> None:
    """A directory whose checkpoints never got written gets one with the first change."""
    fs, threads = SimulatedFiles(), Stopped()
    calendar = opened(fs, threads)
    grow(calendar, 100)
    calendar.close()
    at_once = AtOnce()
    calendar = opened(fs, at_once)
    assert at_once.works == []
    grow(calendar, 1, 100)
    assert files_of(calendar).newest == calendar.position
    grow(calendar, 1, 101)
    assert len(at_once.works) == 1


@pytest.mark.usefixtures("_low_floor")
def test_there_is_one_at_a_time() -> None:
    """Others that become due meanwhile wait for the next change after it."""
    fs, threads = SimulatedFiles(), Stopped()
    calendar = opened(fs, threads)
    grow(calendar, 200)
    assert len(threads.works) == 1
    threads.works[0]()
    assert files_of(calendar).newest == 201
    grow(calendar, 200, 200)
    assert len(threads.works) == 2


@pytest.mark.usefixtures("_low_floor")
def test_one_that_fails_is_logged_and_tried_again_later(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change that made it due stands, and so do those after it. The next one by hand tells what is wrong now."""
    fs, threads = SimulatedFiles(), AtOnce()
    calendar = opened(fs, threads)
    create = fs.create

    def full(path: str) -> int:
        if path.endswith(".tmp"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return create(path)

    monkeypatch.setattr(fs, "create", full)
    with caplog.at_level(logging.ERROR):
        grow(calendar, 100)
    assert len(calendar) == 100
    assert "no checkpoint was written" in caplog.text
    assert "No space left" in caplog.text
    assert 1 <= len(threads.works) < 5
    with pytest.raises(Exception, match="No space left"):
        calendar.checkpoint()
    monkeypatch.undo()
    assert files_of(calendar).newest == 0
    calendar.checkpoint()
    assert files_of(calendar).newest == 101


@pytest.mark.usefixtures("_low_floor")
def test_without_threads_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The change that made it due stands."""
    calendar = opened(SimulatedFiles(), Refused())
    with caplog.at_level(logging.ERROR):
        grow(calendar, 50)
    assert len(calendar) == 50
    assert "can't start new thread" in caplog.text


@pytest.mark.usefixtures("_low_floor")
def test_after_ctrl_c_another_one_is_begun() -> None:
    """A program that goes on is not without checkpoints from then on."""
    calendar = opened(SimulatedFiles(), CutOff())
    with pytest.raises(KeyboardInterrupt):
        grow(calendar, 100)
    grow(calendar, 1, 100)
    assert files_of(calendar).newest == calendar.position


@pytest.mark.usefixtures("_low_floor")
def test_one_that_comes_too_late_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Another thread has written one, or the calendar was closed. Until then it waits, and no other one is started."""
    fs, threads = SimulatedFiles(), Stopped()
    calendar = opened(fs, threads)
    grow(calendar, 100)
    with calendar._recorder._turn:
        thread = threading.Thread(target=threads.works[0])
        thread.start()
        grow(calendar, 1, 100)
        calendar.checkpoint()
        before = fs.contents()
    thread.join()
    assert fs.contents() == before
    assert len(threads.works) == 1
    grow(calendar, 200, 101)
    assert len(threads.works) == 2
    calendar.close()
    before = fs.contents()
    with caplog.at_level(logging.ERROR):
        threads.works[1]()
    assert caplog.text == ""
    assert fs.contents() == before


@pytest.mark.usefixtures("_low_floor")
def test_closing_waits_for_one_and_a_block_does_not_wait_for_itself(tmp_path: Path) -> None:
    """A thread waits for the end of the block before it can write; the block's calls are refused and do not wait for it."""
    threads = Joined()
    calendar = opened(tmp_path, threads)
    grow(calendar, 60)
    with pytest.raises(ConflictError), calendar.transaction():
        grow(calendar, 1, 60)
        for call in (calendar.checkpoint, calendar.close):
            with pytest.raises(TransactionError):
                call()
        grow(calendar, 1, 60)
    grow(calendar, 100, 60)
    calendar.close()
    before = sorted(path.name for path in tmp_path.iterdir())
    for join in threads.joins:
        join()
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    with Calendar.open(tmp_path) as again:
        assert len(again) == 160
        again.check()


@pytest.mark.usefixtures("_low_floor")
def test_many_threads_book_while_checkpoints_are_written(tmp_path: Path) -> None:
    """Nothing is lost, whatever is written behind them."""
    calendar = Calendar.open(tmp_path, sync="batch")
    for number in range(4):
        calendar.add_resource(Resource(number))

    def work(number: int) -> None:
        for at in range(100):
            calendar.book(number, at, at + 1)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(calendar) == 400
    digest = calendar.digest()
    calendar.close()
    assert len(list(tmp_path.glob("snap-*"))) == 2
    with Calendar.open(tmp_path) as again:
        assert again.digest() == digest
        again.check()


@pytest.mark.usefixtures("_low_floor")
@pytest.mark.parametrize("sync", ["always", "batch"])
def test_after_a_power_cut_at_any_call_of_one_everything_synced_is_there(sync: str) -> None:
    """Every call of the file system that a checkpoint in a thread makes is a crash point."""
    fs, lives = SimulatedFiles(), list[Calendar]()
    left: dict[tuple[Any, ...], tuple[SimulatedFiles, int, int]] = {}

    def watch() -> None:
        reached = files_of(lives[0]).synced if lives else 0
        image = fs.power_cut(fs.calls)
        left[tuple(image.contents().items())] = image, reached, fs.calls  # of equal ones the last, which has to have most

    fs.watch = watch
    lives.append(opened(fs, AtOnce() if sync == "always" else Late(), sync=sync))
    grow(lives[0], 60)
    assert len(left) > 50
    for image, reached, call in left.values():
        again = opened(image)
        assert again.position >= reached, call
        assert [event.start for event in again.bookings()] == list(range(len(again)))


class Late(Stopped):
    """The first thread, which syncs, never runs; checkpoints run at once."""

    def start(self, work: Callable[[], None]) -> Callable[[], None]:
        self.works.append(work)
        if len(self.works) > 1:
            work()
        return lambda: None
