"""Group commit: threads that wait for the disk share a sync, and none waits for one that it does not need.

    appended   1 2 3 4 5 6 7
    synced     1 2 3               one thread has the turn, and syncs for 4 to 6: what was appended when it began
    waiting          4 5 6 7       at its end 4 is called, who calls 5, who calls 6, who calls 7, to sync for all that came

While a sync lasts, others gather for the next one. At its end all whose records are on the disk could be called at once. But
of the threads of Python one runs at a time, and threads that wake to find that it is not their time cost as much as their
commits. So each that is called calls the next one as soon as it runs. The next sync begins when there is none left to call:
those that were called first have then appended their next records, which share this sync. A thread that took long until it
ran, because others compute, calls all that are left.

Waiting in line for one lock would do as well, but a thread whose record is on the disk would wait for its place in the line,
and so for the syncs of others.

Invariant: a thread that sleeps was in ``_waiting`` before it last found the turn taken, or others being called. Who gives up
the turn, or is called, looks through all who wait after that. Who finds none left to call says so, and looks once more.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

_AT_MOST = 0.05
"""Seconds after which a thread looks for itself: Ctrl-C may have ended the one that should have called it."""

_LONG = 0.002
"""Seconds that a thread may take until it runs, above which it calls all that are left."""


class Synced(Protocol):
    """What is synced."""

    synced: int
    """All records up to this one are on the disk."""

    def sync_once(self, position: int) -> None:
        """Sync all that was appended, if that has not been done for *position*, or raise. Only who has the turn calls it."""


_Sleeper: TypeAlias = tuple[int, threading.Lock]  # what it waits for, and the lock on which it sleeps


class GroupCommit:
    """The turn to sync, and the threads that wait for the end of somebody else's. *now* is a clock in seconds."""

    __slots__ = ("_called", "_is_calling", "_now", "_turn", "_waiting")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._turn = threading.RLock()
        self._waiting: deque[_Sleeper] = deque()
        self._is_calling = False  # those whose records are on the disk are being called; nobody takes the turn meanwhile
        self._called = 0.0  # when somebody was called last

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
            self._call_next(journal)

    def _have_turn(self, journal: Synced, position: int, is_late: bool) -> bool:
        """Sync if the turn is free, and tell whether it was. Who *is_late* does not wait until others have been called."""
        if self._is_calling and not is_late:
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
                self._is_calling, self._called = True, self._now()

    def run(self, journal: Synced, work: Callable[[], None]) -> None:
        """Call *work* when nobody syncs."""
        with self._turn:
            work()
        self._call_next(journal)

    def _call_next(self, journal: Synced) -> None:
        """Call the next thread whose record is on the disk; if there is none, one of the others, to have the turn."""
        before, self._called = self._called, self._now()
        is_long = self._called - before > _LONG
        for each in tuple(self._waiting):
            if each[0] <= journal.synced and self._withdraw(each) and not is_long:
                return
        self._is_calling = False  # who begins to wait after this finds the turn free; who did so before is seen below
        for each in tuple(self._waiting):
            if self._withdraw(each):
                return

    def _withdraw(self, sleeper: _Sleeper) -> bool:
        """Take a thread out of those who wait, and wake it; False if somebody else has done so."""
        try:
            self._waiting.remove(sleeper)
        except ValueError:
            return False
        sleeper[1].release()
        return True
