"""The lock of a calendar, and how questions read without it.

One lock. A command holds it from its first check to its last change, a question while it reads. The one question that
does not take it is `Calendar.is_available` on its fast path: it reads ``stamp`` before and after, and asks again under
the lock if that is None or another by then (a seqlock):

    writers     0     1     2     1     0           how many changes are under way, one inside the other
    version     7     8     9     9     9           how many have begun
    stamp       7    None  None  None   9           the version; None in a change, and while holds may run out

All three are set without a call, since Python may interrupt a program (Ctrl-C) at every call and at no other place
here. ``stamp`` may stay None for longer: the next reader, who then takes the lock, sets it.

While ``waiting`` is true, holds may run out or expired rows are still in the indexes: a question calls ``tick`` first,
as the commands do that read bookings, and nobody takes a fast path.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Gate"]

T = TypeVar("T")


class _Reading:
    """The lock, held while something is asked. Without state of its own: one object serves all threads.

    Not a generator under `contextmanager`, which costs a question 0.6 us more.
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


class _Writing:
    """The lock, held while something is changed: those who read without it see that by ``stamp``."""

    __slots__ = ("_gate",)

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        gate = self._gate
        gate.lock.acquire()
        gate.depth += 1
        gate.stamp = None
        gate.writers += 1
        gate.version += 1

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        gate = self._gate
        gate.writers -= 1
        gate.depth -= 1
        if not gate.writers and not gate.waiting:
            gate.stamp = gate.version
        gate.lock.release()
        gate.finish(exc)


class Gate:
    """The lock and what goes with it. ``with gate.read:`` and ``with gate.write:`` hold it; both may be nested.

    ``tick`` is called with the lock held, if ``waiting``; ``finish`` after it has been given up, with the exception
    that ended the block or None.
    """

    __slots__ = ("depth", "finish", "lock", "read", "stamp", "tick", "version", "waiting", "write", "writers")

    def __init__(self, tick: Callable[[], None], finish: Callable[[BaseException | None], None]) -> None:
        self.tick, self.finish = tick, finish
        self.lock = threading.RLock()
        self.depth = 0  # how many blocks hold the lock, one inside the other
        self.version = self.writers = 0
        self.stamp: int | None = 0
        self.waiting = False
        self.read, self.write = _Reading(self), _Writing(self)

    def run(self, command: Callable[..., T], *args: Any) -> T:
        """Call a command with the lock held for writing, as ``with gate.write:`` does, safe from Ctrl-C.

        ``__exit__`` above is a function of Python, which an interruption may keep from running at all. Here the lock is
        given up by the statement itself.
        """
        self.lock.acquire()
        self.depth += 1
        self.stamp = None
        self.writers += 1
        self.version += 1
        error: BaseException | None = None
        try:
            return command(*args)
        except BaseException as exc:
            error = exc
            raise
        finally:
            self.writers -= 1
            self.depth -= 1
            if not self.writers and not self.waiting:
                self.stamp = self.version
            self.lock.release()
            try:
                self.finish(error)
            finally:
                error = None  # it refers to this frame

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold; the lock is held, and no change is under way. O(1)."""
        if self.writers:
            raise AssertionError("a change is said to be under way, and none is")
        if self.stamp is not None and (self.waiting or self.stamp != self.version):
            raise AssertionError("readers without the lock are told wrongly whether something changes")
