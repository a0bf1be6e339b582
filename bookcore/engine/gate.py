"""The lock of a calendar, and how questions read without it.

There is one lock. A command holds it from its first check to its last change, a question holds it while it reads. Only the
fast path of `Calendar.is_available` does not take it: it reads ``stamp`` before and after, and if that is None or has
changed, the general path answers under the lock (a seqlock):

    writers     0     1     2     1     0           number of changes in progress, one nested in the other
    version     7     8     9     9     9           number of changes that have begun
    stamp       7    None  None  None   9           the version; None during a change, and while holds may run out

All three are set without a call, because Python may interrupt a program (Ctrl-C) at every call and nowhere else in this
code. ``stamp`` may stay None for longer than necessary: the next question then takes the lock and sets it.

While ``waiting`` is true, holds may run out or the store has hidden rows. Then a question calls ``tick`` first, as the
commands that read bookings do, and no fast path is taken.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

__all__ = ["Gate"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Reading:
    """Holds the lock for a question. It has no state, so one object serves all threads.

    It is not a generator under `contextmanager`, which would cost every question 0.6 us more. Unlike `Gate.run` it is not
    safe from Ctrl-C: an interruption as ``__exit__`` begins leaves the lock held.
    """

    __slots__ = ("_gate",)

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        gate = self._gate
        gate.lock.acquire()
        gate.depth += 1
        if gate.waiting:
            try:
                gate.tick()
            except BaseException as exc:
                self.__exit__(type(exc), exc, None)
                raise

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        gate = self._gate
        gate.depth -= 1
        gate.lock.release()
        gate.finish(exc)


class Gate:
    """The lock and its counters. ``with gate.read:`` and ``gate.run`` hold the lock; both may be nested.

    ``tick`` is called with the lock held, if ``waiting``. ``finish`` is called after the lock has been released, with the
    exception that ended the block, or None.
    """

    __slots__ = ("depth", "finish", "lock", "read", "stamp", "tick", "version", "waiting", "writers")

    def __init__(self, tick: Callable[[], None], finish: Callable[[BaseException | None], None]) -> None:
        self.tick, self.finish = tick, finish
        self.lock = threading.RLock()
        self.depth = 0  # number of nested blocks that hold the lock
        self.version = self.writers = 0
        self.stamp: int | None = 0
        self.waiting = False
        self.read = _Reading(self)

    def run(self, command: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a command with the lock held for writing; ``stamp`` tells that to the questions that read without the lock.

        A context manager of our own would not do: Ctrl-C may come before the first line of its ``__exit__``, and the lock
        would stay held. The lock itself is released without a call that Python may interrupt.
        """
        error: BaseException | None = None
        try:
            with self.lock:
                self.depth += 1
                self.stamp = None
                self.writers += 1
                self.version += 1
                try:
                    return command(*args)
                finally:
                    self.writers -= 1
                    self.depth -= 1
                    if not self.writers and not self.waiting:
                        self.stamp = self.version
        except BaseException as exc:
            error = exc
            raise
        finally:
            try:
                self.finish(error)
            finally:
                error = None  # breaks the reference cycle of this frame and the exception's traceback

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold; the lock is held, and no change is under way. O(1)."""
        if self.writers:
            raise AssertionError("a change is said to be under way, and none is")
        if self.stamp is not None and (self.waiting or self.stamp != self.version):
            raise AssertionError("readers without the lock are told wrongly whether something changes")
