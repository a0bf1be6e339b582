"""Group commit: threads that wait for the disk share a sync, and none waits for one that it does not need.

    appended   1 2 3 4 5 6 7
    synced     1 2 3               one thread has the turn, and syncs for 4 to 6: what was appended when it began
    waiting          4 5 6 7       at its end the thread of 4 is woken, which wakes that of 5, and so on; that of 7 syncs

While a sync lasts, other threads append records for the next one. At its end, all threads whose records are on the disk
could be woken at once. But Python runs one thread at a time, and a thread that wakes while another one runs is switched to
for nothing: a quarter of the processor's time with 32 threads. So each woken thread wakes the next one as soon as it runs.
The next sync begins when no such thread is left: those that were woken first have then appended their next records, and
share this sync. If it took a thread long until it ran, because threads that do not commit are running, it wakes all that
are left.

Threads could also wait for one lock, in order. But then a thread whose record is on the disk would wait for the threads
before it, and so for their syncs.

Invariant: a thread that sleeps was in ``_waiting`` before it last found the turn taken, or other threads being woken. The
thread that gives up the turn, and each woken thread, looks through ``_waiting`` after that. The thread that finds none
left to wake clears ``_is_waking``, and looks through ``_waiting`` once more.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

_AT_MOST = 0.05
"""Seconds after which a thread looks for itself: Ctrl-C may have ended the thread that should have woken it."""

_LONG = 0.002
"""Seconds from waking a thread until it runs, above which it wakes all that are left."""


class Synced(Protocol):
    """What is synced."""

    synced: int
    """All records up to this one are on the disk."""

    def sync_once(self, position: int) -> None:
        """Sync all that was appended, if that has not been done for *position*, or raise.

        The thread that has the turn calls it, and no other.
        """


_Sleeper: TypeAlias = tuple[int, threading.Lock]  # what it waits for, and the lock on which it sleeps


class GroupCommit:
    """The turn to sync, and the threads that wait for the end of another one's. *now* is a clock in seconds."""

    __slots__ = ("_is_waking", "_now", "_turn", "_waiting", "_woken_at")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._turn = threading.RLock()
        self._waiting: deque[_Sleeper] = deque()
        self._is_waking = False  # threads whose records are on the disk are being woken; none takes the turn meanwhile
        self._woken_at = 0.0  # when a thread was woken last

    def wait(self, journal: Synced, position: int) -> None:
        """Return when the records up to *position* are on the disk. Raises: as ``sync_once``."""
        if journal.synced >= position:
            return
        mine: _Sleeper | None = None
        is_late = False
        try:
            while journal.synced < position and not self._have_turn(journal, position, is_late):
                if mine is None:
                    mine = position, threading.Lock()
                    mine[1].acquire()
                    self._waiting.append(mine)
                elif mine[1].acquire(timeout=_AT_MOST):
                    mine = None
                else:
                    is_late = True
        finally:
            if mine is not None:
                self._withdraw(mine)
            self._wake_next(journal)

    def _have_turn(self, journal: Synced, position: int, is_late: bool) -> bool:
        """Sync if the turn is free, and tell whether it was. If *is_late*, do not wait for others to be woken."""
        if self._is_waking and not is_late:
            return False
        try:
            if not self._turn.acquire(blocking=False):
                return False
            journal.sync_once(position)
            return True
        finally:
            try:
                self._turn.release()  # the first call here, so that Ctrl-C cannot leave it taken
            except RuntimeError:  # it was not free
                pass
            else:
                self._is_waking, self._woken_at = True, self._now()

    def run(self, journal: Synced, work: Callable[[], None]) -> None:
        """Call *work* when no thread syncs."""
        with self._turn:
            work()
        self._wake_next(journal)

    def _wake_next(self, journal: Synced) -> None:
        """Wake the next thread whose record is on the disk; if there is none, one of the others, to take the turn."""
        before, self._woken_at = self._woken_at, self._now()
        is_long = self._woken_at - before > _LONG
        for each in tuple(self._waiting):
            if each[0] <= journal.synced and self._withdraw(each) and not is_long:
                return
        self._is_waking = False
        # A thread that begins to wait from here on finds the turn free; one that began before is found below.
        for each in tuple(self._waiting):
            if self._withdraw(each):
                return

    def _withdraw(self, sleeper: _Sleeper) -> bool:
        """Take a thread out of those that wait, and wake it; False if another thread has done so."""
        try:
            self._waiting.remove(sleeper)
        except ValueError:
            return False
        sleeper[1].release()
        return True
