"""The lock of a calendar: which threads may call it from where, and how questions read without the lock.

There is one lock. A command holds it from its first check to its last change, a question holds it while it reads. Python
may run other code of the program at nearly every step: comparisons of keys, key functions, finalizers, signal handlers. What
such code may call is a matter of ``mode`` and ``depth``:

    mode       meaning                                            a question            a command
    IDLE       nothing, or only questions (``depth`` > 0)         is answered           is refused while a question is asked
    DECIDING   a command looks whether it may change something    is answered           is refused
    CHANGING   a change is being applied                          is refused            is refused

A refused call raises `RecursiveCallError` and changes nothing. Other threads wait.

A transaction does not hold the lock. It is a *block* with an owner, which is a thread and, in asyncio, a task. Between the
calls in the block the lock is free, but calls of other threads wait for its end, and another task of the same thread is
refused, because it would wait for itself. So a block that is never ended cannot keep the lock for ever: it ends as well when
Python collects it.

Only the fast path of `Calendar.is_available` does not take the lock: it reads ``stamp`` before and after, and if that is
None or has changed, the general path answers under the lock (a seqlock):

    changing    no     yes     no        a change in progress, or an open block
    version     7       8      8         number of changes that have begun
    stamp       7      None    8         the version; None during a change or block, and while ``waiting``

All three are set without a call, because Python may interrupt a program (Ctrl-C) at every call and nowhere else in this
code. ``stamp`` may stay None for longer than necessary: the next question then takes the lock and sets it.

When a process forks, the child has only the thread that forked. What other threads were in the midst of counts as cut off in
the child: their calls, and their blocks, whose ends will not be called (`Gate.leave_threads`).

While ``waiting`` is true there is work to do before the next call: holds may run out, the store has hidden rows, or a change
was cut off half-way. Then a question calls ``tick`` first, as all commands do, and no fast path is taken.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, TypeVarTuple
from weakref import WeakSet, ref

from bookcore.engine.log import Log, this_thread
from bookcore.model.errors import RecursiveCallError, TransactionError

IDLE, DECIDING, CHANGING = 0, 1, 2

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_RECHECK_AFTER = 1.0
"""Seconds after which a thread that waits for a block looks again, should the message of its end have been lost."""


def _task() -> Any:
    """Return the task of asyncio that runs this, or None."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            return asyncio.current_task()
        except RuntimeError:  # no loop is running
            pass
    return None


class Mark:
    """The state when a block began: how many changes and handed events the log had, the last booking and closure.

    ``orphaned`` is true until the block has begun, and from the beginning of its end, which may be cut off; it is written
    without a call, before which Ctrl-C might come. *manager* is a weak reference to the context manager, if it has one: a
    finalizer of ours would be code, and Ctrl-C may come before its first line. Two marks may have equal numbers, so they are
    compared by identity.
    """

    __slots__ = ("_manager", "changes", "handed", "last", "last_closure", "orphaned")

    def __init__(
        self, changes: int, handed: int, last: int, last_closure: int, manager: Callable[[], Any] | None = None
    ) -> None:
        self.changes, self.handed, self.last, self.last_closure = changes, handed, last, last_closure
        self.orphaned, self._manager = True, manager

    @property
    def is_lost(self) -> bool:
        """Whether the end of the block will not be called, or has begun."""
        return self.orphaned or (self._manager is not None and self._manager() is None)


class Block:
    """An open transaction or what-if, with the blocks inside it.

    ``marks`` are those of the nested blocks, outermost first. A block within which another one was not ended is undone at
    its end, which raises. When all of them are lost, the next call undoes them all.

        marks       outer  inner        a program forgets the inner one, or a call in it is cut off
        orphaned    no     yes          the end of the outer one undoes both and raises
        orphaned    yes    no           so does the end of the inner one
        orphaned    yes    yes          the block is lost
    """

    __slots__ = ("__weakref__", "_open_here", "_over", "_task", "marks", "then")

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.then: Callable[[], None] | None = None  # what is done at its end, however it comes
        self._task = _task()
        # The list says which thread this is: the system gives the number of a thread that has ended to another one.
        self._open_here = this_thread.blocks
        self._open_here.append(ref(self, self._open_here.remove))
        self._over = threading.Lock()
        self._over.acquire()

    def close(self) -> None:
        """Let the threads that wait go on. Any thread may call this."""
        if self.then is not None:
            self.then()
        mine = ref(self)
        if mine in self._open_here:
            self._open_here.remove(mine)
        if self._over.locked():
            self._over.release()

    @property
    def is_lost(self) -> bool:
        """Whether all blocks are lost, so that the next call undoes them. O(nested blocks)."""
        return all(mark.is_lost for mark in self.marks)

    def is_owned(self) -> bool:
        """Tell whether the caller opened the block."""
        return this_thread.blocks is self._open_here and _task() is self._task

    def is_mine(self) -> bool:
        """Tell whether the caller is in the block. Raises: `TransactionError` for another task of the same thread."""
        if this_thread.blocks is not self._open_here:
            return False
        if _task() is not self._task:
            raise TransactionError(
                "another task of this thread has an open transaction; end it before the next await, or guard it by a lock"
            )
        return True

    def leave_threads(self) -> None:
        """Note that the block is lost, in the child of a fork, unless this thread owns it. O(nested blocks)."""
        if this_thread.blocks is not self._open_here:
            for mark in self.marks:
                mark.orphaned = True

    def wait(self) -> None:
        """Wait for the end of the block, and not much longer. The lock of the calendar is not held."""
        if self._over.acquire(timeout=_RECHECK_AFTER):
            self._over.release()


def question(function: Callable[[Any, *Ts], T], ticks: bool = True) -> Callable[[Any, *Ts], T]:
    """Have a function or method, whose first argument has a ``gate``, run by `Gate.ask`."""

    @wraps(function)
    def asked(owner: Any, /, *args: *Ts) -> T:
        gate: Gate = owner.gate
        return gate.ask(ticks, function, owner, *args)

    return asked


def inspection(function: Callable[[Any, *Ts], T]) -> Callable[[Any, *Ts], T]:
    """Do what `question` does, without looking whether holds have run out: the clock is not called."""
    return question(function, ticks=False)


_gates: WeakSet[Gate] = WeakSet()
"""The gates of this process, for forks alone: a child has to know whose locks other threads held."""


class Gate:
    """The lock, its counters, and the open block. `ask` is for questions, `run` for commands.

    ``tick`` is called with the lock held, if ``waiting``; ``settle``, if ``torn``; ``undo`` with a block that is lost.
    ``finish`` is called after the lock has been released, with the exception that ended the call, or None, the number of its
    last change, or 0, and whether the call waits for the journal, as commands do.
    """

    __slots__ = (
        "__weakref__", "block", "depth", "finish", "lock", "log", "mode", "settle", "stamp", "tick", "torn", "undo",
        "version", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        log: Log,
        tick: Callable[[], None],
        finish: Callable[[BaseException | None, int, bool], None],
    ) -> None:
        self.log, self.tick, self.finish = log, tick, finish
        self.settle: Callable[[], None]  # these two are set by `bookcore.engine.mending`
        self.undo: Callable[[Block], None]
        self.lock = threading.RLock()
        self.mode = IDLE
        self.depth = 0  # number of nested questions
        self.block: Block | None = None
        self.version = 0
        self.stamp: int | None = 0
        self.waiting = False
        self.torn = False  # a change was cut off, or the calendar is broken; then `waiting` is true as well
        _gates.add(self)

    def is_inside(self, block: Block) -> bool:
        """Tell whether the caller, which holds the lock, need not wait for a block. A lost one is undone first."""
        if self.mode or self.depth:  # a call within another one of this thread
            return True
        if block.is_lost:
            self.undo(block)
            return self.block is not block
        return block.is_mine()

    def ask(self, ticks: bool, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a function that asks something, with the lock held. *ticks*: holds may run out first.

        Questions may be nested. Raises: `RecursiveCallError` in the midst of a change by this thread.
        """
        error: BaseException | None = None
        due = 0
        try:
            while True:
                with self.lock:  # as in `run`
                    block = self.block
                    if block is None or self.is_inside(block):
                        if self.mode == CHANGING:
                            raise RecursiveCallError("a question was asked in the midst of a change of the same calendar")
                        depth = self.depth
                        self.depth = depth + 1
                        try:
                            if self.waiting and not depth and self.mode == IDLE:
                                if ticks:
                                    self.tick()
                                elif self.torn:
                                    self.settle()
                            return function(*args)
                        finally:
                            self.depth = depth
                            if not (depth or self.mode):  # else the outer call delivers, which still has the lock
                                due, self.log.due = self.log.due, 0
                block.wait()
        except BaseException as exc:
            error = exc
            raise
        finally:
            try:
                if error is not None or due:
                    self.finish(error, due, False)
            finally:
                error = None  # breaks the reference cycle of this frame and the exception's traceback

    def run(self, command: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a command with the lock held for writing; ``stamp`` tells that to the questions that read without the lock.

        A context manager of our own would not do: Ctrl-C may come before the first line of its ``__exit__``, and the lock
        would stay held. The lock itself is released without a call that Python may interrupt.

        Raises: `RecursiveCallError` when this thread is already in a call of this calendar.
        """
        error: BaseException | None = None
        due = 0
        try:
            while True:
                with self.lock:
                    block = self.block
                    if block is None or self.is_inside(block):
                        if self.mode or self.depth:
                            raise RecursiveCallError("a command was called within another call of the same calendar")
                        self.version += 1  # first, because it may need memory
                        self.mode = DECIDING
                        self.stamp = None
                        try:
                            if self.torn:
                                self.settle()
                            return command(*args)
                        finally:
                            self.mode = IDLE
                            due, self.log.due = self.log.due, 0
                            if self.block is None and not self.waiting:
                                self.stamp = self.version
                block.wait()
        except BaseException as exc:
            error = exc
            raise
        finally:
            try:
                if error is not None or due:
                    self.finish(error, due, True)
            finally:
                error = None

    def begin(self, command: Callable[[], None], keep: bool) -> None:
        """Call a command that begins a block, which is to be kept or undone at its end. Raises: as `run`."""
        self.run(command)

    def leave_threads(self) -> None:
        """Go on without the other threads, in the child of a fork: what they were in the midst of was cut off. O(blocks)."""
        if self.lock.acquire(blocking=False):  # it was free, or this thread had it, and goes on in its call
            self.lock.release()
        else:
            self.lock = threading.RLock()
            if self.mode:
                self.torn = self.waiting = True
            self.mode, self.depth = IDLE, 0
        if self.block is not None:
            self.block.leave_threads()
        self.stamp = None
        self.log.leave_threads()

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold; the lock is held, and no change is under way. O(1)."""
        if self.mode:
            raise AssertionError("a change is said to be under way, and none is")
        if self.stamp is not None and (self.waiting or self.block is not None or self.stamp != self.version):
            raise AssertionError("the stamp is wrong for readers without the lock")


def _leave_threads() -> None:
    """Let all calendars go on in the child of a fork."""
    for gate in list(_gates):
        gate.leave_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_threads)
