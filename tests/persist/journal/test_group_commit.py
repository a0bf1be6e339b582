"""Threads that wait for the disk share a sync, and none waits for one that it does not need."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from bookcore.persist.journal import group_commit
from bookcore.persist.journal.group_commit import GroupCommit
from bookcore.testing.parallel import Waiting

LONG = 30.0


class Disk:
    """A journal whose syncs end when the test says so. ``syncs`` has what each was for."""

    def __init__(self) -> None:
        self.synced = self.appended = 0
        self.syncs: list[tuple[int, int]] = []
        self.begun, self.may_end = threading.Semaphore(0), threading.Semaphore(0)
        self.fails = False
        self.threads: list[threading.Thread] = []
        self.time = 0.0
        self.group = GroupCommit(lambda: self.time)
        self.group._waiting = self.waiting = Waiting()
        self.done: dict[int, Any] = {}
        self.all_done = threading.Semaphore(0)

    def sync_once(self, position: int) -> None:
        if self.fails:
            raise OSError("failed before")
        if self.synced >= position:
            return
        reached = self.appended
        self.syncs.append((position, reached))
        self.begun.release()
        assert self.may_end.acquire(timeout=LONG)
        if self.fails:
            raise OSError("failed now")
        self.synced = reached

    def commit(self, *, waits: bool = True) -> None:
        """Append a record, and wait for it in a thread; return when that is among those who wait, or syncs."""
        self.appended += 1
        position = self.appended

        def work() -> None:
            try:
                self.group.wait(self, position)
                self.done[position] = True
            except OSError as exc:
                self.done[position] = str(exc)
            self.all_done.release()

        thread = threading.Thread(target=work, daemon=True)
        self.threads.append(thread)
        thread.start()
        assert (self.waiting.told if waits else self.begun).acquire(timeout=LONG)

    def ended(self, count: int) -> dict[int, Any]:
        """Wait for so many threads, and return what came of them."""
        for _ in range(count):
            assert self.all_done.acquire(timeout=LONG)
        return self.done


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    monkeypatch.setattr(group_commit, "_AT_MOST", LONG)  # nobody has to look for itself
    made = Disk()
    yield made
    made.fails = True
    made.may_end.release(100)
    for thread in made.threads:
        thread.join(LONG)
        assert not thread.is_alive()


def test_who_waits_is_woken_by_the_sync_of_its_record_and_not_later(disk: Disk) -> None:
    """Three wait while one syncs; one of them syncs for all three, and goes on while the next one syncs."""
    disk.commit(waits=False)
    for _ in range(3):
        disk.commit()
    disk.may_end.release()
    assert disk.begun.acquire(timeout=LONG)  # of one of the three
    assert disk.ended(1) == {1: True}
    disk.commit()
    disk.may_end.release()
    assert disk.begun.acquire(timeout=LONG)  # of the last, which does not end
    assert disk.ended(3) == {1: True, 2: True, 3: True, 4: True}
    disk.may_end.release()
    assert disk.ended(1)[5]
    assert [reached for _, reached in disk.syncs] == [1, 4, 5]
    disk.group.wait(disk, 5)  # is there already


def test_all_who_wait_hear_that_a_sync_failed(disk: Disk) -> None:
    """It is not repeated."""
    disk.commit(waits=False)
    for _ in range(3):
        disk.commit()
    disk.fails = True
    disk.may_end.release()
    assert sorted(disk.ended(4).values()) == ["failed before"] * 3 + ["failed now"]
    assert len(disk.syncs) == 1


def test_work_is_done_when_nobody_syncs_and_wakes_who_waited_for_it(disk: Disk) -> None:
    """A new file is begun so: what was appended to the old one is synced before."""

    def work() -> None:
        disk.commit()
        disk.may_end.release()
        disk.sync_once(disk.appended)

    disk.group.run(disk, work)
    assert disk.ended(1) == {1: True}


def test_a_thread_looks_for_itself_if_it_is_not_woken(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C may have ended the one that should have taken the turn."""
    monkeypatch.setattr(group_commit, "_AT_MOST", 0.001)
    monkeypatch.setattr(GroupCommit, "_wake_next", lambda *_: None)
    disk.commit(waits=False)
    disk.commit()
    disk.may_end.release(2)
    assert disk.ended(2) == {1: True, 2: True}


def test_ctrl_c_gives_the_turn_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes next has it."""
    disk = Disk()
    disk.appended = 2
    disk.begun.release()

    def interrupted(position: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync_once", interrupted)
        with pytest.raises(KeyboardInterrupt):
            disk.group.wait(disk, 1)
    disk.may_end.release()
    thread = threading.Thread(target=disk.group.wait, args=(disk, 2))
    thread.start()
    thread.join(LONG)
    assert disk.synced == 2


def sleepers(count: int) -> list[tuple[int, threading.Lock]]:
    """Return threads that sleep, as the group has them: the first waits for record 1, and so on."""
    made = [(number, threading.Lock()) for number in range(1, count + 1)]
    for _, lock in made:
        lock.acquire()
    return made


def called(made: list[tuple[int, threading.Lock]]) -> list[int]:
    return [number for number, lock in made if not lock.locked()]


def test_each_is_called_by_the_one_before_and_the_last_calls_who_syncs_next() -> None:
    """Until then nobody takes the turn, though it is free."""
    disk, made = Disk(), sleepers(4)
    disk.appended = 2
    disk.may_end.release()
    disk.group._waiting.extend(made)
    disk.group.wait(disk, 1)
    assert called(made) == [1]
    assert not disk.group._have_turn(disk, 4, False)
    disk.group._wake_next(disk)
    assert called(made) == [1, 2]
    disk.group._wake_next(disk)
    assert called(made) == [1, 2, 3]
    disk.appended = 4
    disk.may_end.release()
    assert disk.group._have_turn(disk, 4, False)
    assert [reached for _, reached in disk.syncs] == [2, 4]


def test_who_took_long_to_run_calls_all_that_are_left() -> None:
    """Other threads compute, and each would have to wait for these."""
    disk, made = Disk(), sleepers(4)
    disk.synced = 3
    disk.group._waiting.extend(made)
    disk.time = 0.001
    disk.group._wake_next(disk)
    assert called(made) == [1]
    disk.time += 0.01
    disk.group._wake_next(disk)
    assert called(made) == [1, 2, 3, 4]


def test_a_long_sync_is_no_reason_to_call_all() -> None:
    """The time is counted from its end."""
    disk, made = Disk(), sleepers(2)
    disk.group._waiting.extend(made)

    def slow(position: int) -> None:
        disk.time += 1.0
        disk.synced = 2

    disk.sync_once = slow  # type: ignore[method-assign]
    disk.group.wait(disk, 2)
    assert called(made) == [1]


def test_two_threads_that_call_others_do_not_call_them_twice() -> None:
    """The second finds that the first has taken one."""

    class Emptied(deque[Any]):
        def __iter__(self) -> Iterator[Any]:
            there = list(super().__iter__())
            self.popleft()
            return iter(there)

    for count, synced in ((2, 2), (3, 0)):  # their records are on the disk; none is, and one of them is to sync
        disk, made = Disk(), sleepers(count)
        disk.synced = synced
        disk.group._waiting = Emptied(made)
        disk.group._wake_next(disk)
        assert called(made) == [count]


def test_whoever_comes_while_the_last_one_finds_nobody_is_called() -> None:
    """It found that others were being called, and nobody would be any more."""
    disk, made = Disk(), sleepers(1)

    class Late(deque[Any]):
        def __iter__(self) -> Iterator[Any]:
            there = list(super().__iter__())
            if not there:
                self.extend(made)
            return iter(there)

    disk.group._waiting = Late()
    disk.group._wake_next(disk)
    assert called(made) == [1]


def test_who_leaves_calls_the_next_also_if_it_did_not_hear_that_it_was_called() -> None:
    """It had just looked for itself."""
    disk, made = Disk(), sleepers(2)
    disk.group._is_waking = True

    class Called(deque[Any]):
        def append(self, each: Any) -> None:
            each[1].release()
            disk.synced = 2

    disk.group._waiting = Called(made)
    disk.group.wait(disk, 1)
    assert called(made) == [1]


def test_many_threads_lose_no_wake_up() -> None:
    """Sixteen threads, with turns of 10 microseconds; no sync takes any time."""
    interval = sys.getswitchinterval()
    disk, lock = Disk(), threading.Lock()
    disk.may_end.release(10**6)

    def work() -> None:
        for _ in range(200):
            with lock:
                disk.appended += 1
                position = disk.appended
            disk.group.wait(disk, position)
            assert disk.synced >= position

    threads = [threading.Thread(target=work) for _ in range(16)]
    try:
        sys.setswitchinterval(1e-5)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
    finally:
        sys.setswitchinterval(interval)
    assert disk.synced == 3200
