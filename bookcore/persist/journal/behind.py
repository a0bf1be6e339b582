"""What a journal does behind its callers' backs, each in a thread that ends with the process.

    sync="batch"     a record is appended  ->  a few milliseconds later everything appended since is synced
    checkpoint       the records outgrow the snapshot  ->  a new one is written, see `bookcore.persist.journal.opening`

Neither keeps a calendar alive that the program has dropped, nor outlives a fork: the child may not write anyway.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple
from weakref import WeakMethod

LONGEST = 0.010
"""With ``sync="batch"``: the age in seconds of a record that is on no disk yet, from which on calls wait for the sync."""

_PAUSE = 0.005
"""How long the thread lets records gather."""


class Threads:
    """The clock and the threads of the system, as an object which a test can replace."""

    def now(self) -> float:
        """Return the time in seconds, from any beginning."""
        return time.monotonic()

    def start(self, work: Callable[[], None]) -> Callable[[], None]:
        """Run *work* in a thread that ends with the process; return a function that waits for its end.

        Raises: RuntimeError when there can be no more threads.
        """
        thread = threading.Thread(target=work, name="bookcore journal", daemon=True)
        thread.start()
        return thread.join

    def pause(self, calls: SimpleQueue[bool]) -> bool:
        """Wait a few milliseconds, or until there is a call; return False if that is the last one."""
        try:
            return calls.get(timeout=_PAUSE)
        except Empty:
            return True


class Policy(NamedTuple):
    """How a directory is written: when it is synced, how many snapshots stay, and what runs behind."""

    sync: str = "always"
    keep: int = 2
    threads: Threads = Threads()


def sync_behind(sync: WeakMethod[Callable[[], bool]], calls: SimpleQueue[bool], threads: Threads) -> None:
    """Sync a journal a few milliseconds after each call, until one is False, the journal is gone, or *sync* returns False.

    A `SimpleQueue` may be written to from a finalizer, which other locks may not be.
    """
    while calls.get() and threads.pause(calls):
        there = sync()
        if there is None or not there():
            return
        del there  # nothing is held while it waits
