"""Group commit: threads that wait for the disk share a sync, and none waits for one that it does not need.

    appended   1 2 3 4 5 6 7
    synced     1 2 3               one thread has the turn, and syncs for 4 to 6: what was appended when it began
    waiting          4 5 6 7       at its end 4 to 6 go on; 7 has the turn, for itself and all that came meanwhile

No timer is needed: while a sync lasts, others gather for the next one. Waiting in line for one lock would do as well, but a
thread whose record is on the disk would wait for its place in the line, and so for the syncs of others.

Invariant: a thread that sleeps was in ``_waiting`` before it last found the turn taken, and who gives up the turn then looks
through all who wait. So somebody is awake who has the turn, or will look whether it is free.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

_AT_MOST = 0.05
"""Seconds after which a thread looks for itself: Ctrl-C may have ended the one that was woken before it took the turn."""


class Synced(Protocol):
    """What is synced."""

    synced: int
    """All records up to this one are on the disk."""

    def sync_once(self, position: int) -> None:
        """Sync all that was appended, if that has not been done for *position*, or raise. Only who has the turn calls it."""


class GroupCommit:
    """The turn to sync, and the threads that wait for the end of somebody else's."""

    __slots__ = ("_turn", "_waiting")

    def __init__(self) -> None:
        self._turn = threading.RLock()
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    def wait(self, journal: Synced, position: int) -> None:
        """Return when the records up to *position* are on the disk. Raises: as ``sync_once``."""
        sleep: threading.Lock | None = None
        while journal.synced < position and not self._have_turn(journal, position):
            if sleep is None or sleep.acquire(timeout=_AT_MOST):
                sleep = threading.Lock()
                sleep.acquire()
                self._waiting.append((position, sleep))

    def _have_turn(self, journal: Synced, position: int) -> bool:
        """Sync if the turn is free, and tell whether it was."""
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
                self._wake(journal)

    def run(self, journal: Synced, work: Callable[[], None]) -> None:
        """Call *work* when nobody syncs."""
        with self._turn:
            work()
        self._wake(journal)

    def _wake(self, journal: Synced) -> None:
        """Wake all whose records are on the disk, and one of the others, to have the turn."""
        seen = -1
        while seen != journal.synced:  # else another thread has synced, and has not seen those that are put back here
            seen, turn_is_free = journal.synced, True
            for _ in range(len(self._waiting)):
                try:
                    position, sleep = self._waiting.popleft()
                except IndexError:  # another thread wakes them
                    break
                if position <= seen or turn_is_free:
                    turn_is_free = turn_is_free and position <= seen
                    sleep.release()
                else:
                    self._waiting.append((position, sleep))
