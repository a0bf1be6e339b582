"""`SharedGate`: the gate of a shared calendar, whose commands take the lock of the database first.

    the turn of the process       one command at a time
    the end of a block            of another thread, whose commands need no turn
    the lock of the database      nobody else appends
    the lock of the calendar      apply what is new, decide, append and commit

In this order, so that nobody who holds a lock waits for one before it; the first three together have a time limit.
Subscribers are called when all have been released.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

from bookcore.engine.gate import Gate
from bookcore.engine.log import deliver_all, this_thread

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class SharedGate(Gate):
    """See `Gate`. The log has a `SharedRecorder` as its journal."""

    __slots__ = ()

    @property
    def _recorder(self) -> Any:
        return self.log.journal

    def run(self, command: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a command when nobody else appends, on the newest state. Raises: as `Gate.run`; `JournalError`."""
        if self.is_within():
            return super().run(command, *args)
        return self._in_turn(lambda until: self._locked(until, False, lambda: command(*args)))

    def begin(self, command: Callable[[], None], keep: bool) -> None:
        """Begin a block; one that may be kept keeps others from appending until it ends. Raises: as `run`."""
        if self.is_within() or not (keep or self._recorder.is_open()):
            super().run(command)
        elif keep:
            self._in_turn(lambda until: self._locked(until, True, command))
        else:
            self._in_turn(lambda until: self.follow(command))

    def follow(self, command: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a command that appends nothing, without a turn. Raises: as `Gate.run`."""
        return super().run(command, *args)

    def is_within(self) -> bool:
        """Tell whether the caller is in a block of its own, or in another call of this calendar.

        Raises: `TransactionError` for another task of the same thread.
        """
        with self.lock:
            block = self.block
            if self.mode or self.depth:
                return True
            return block is not None and self.is_inside(block) and self.block is block

    def _in_turn(self, call: Callable[[float], T]) -> T:
        """Call something, with the time until which it may wait, in the turn of this thread.

        Subscribers are notified after it, because they may wait for other threads.
        """
        recorder, thread, delivering = self._recorder, this_thread, this_thread.delivering
        recorder.check_open()
        thread.delivering = True
        try:
            until = recorder.patient_until()
            turn = recorder.turn
            try:
                if not turn.acquire(timeout=recorder.left(until)):
                    raise recorder.overdue("another thread of this process")
                self._wait_for_blocks(until)
                return call(until)
            finally:
                try:
                    turn.release()  # the first call here, so that Ctrl-C cannot leave it held
                except RuntimeError:  # it was not acquired
                    pass
        finally:
            thread.delivering = delivering
            deliver_all()
            recorder.checkpoint_if_due()

    def _wait_for_blocks(self, until: float) -> None:
        """Return when no other thread has an open block. None is begun then, because that takes a turn."""
        recorder = self._recorder
        while True:
            with self.lock:
                block = self.block
                if block is None or self.is_inside(block):  # inside: nobody would have ended it, and it was undone
                    return
            if not recorder.left(until):
                raise recorder.overdue("a transaction of another thread")
            block.wait()

    def _locked(self, until: float, keeps: bool, command: Callable[[], T]) -> T:
        """Call a command while nobody else appends. *keeps*: until the end of the block that it begins."""
        recorder = self._recorder
        kept = False
        try:
            news = recorder.lock(until)
            result = super().run(self._decide, news, keeps, command)
            kept = keeps
            return result
        finally:
            if not kept:
                try:
                    recorder.unlock()
                except BaseException:  # Ctrl-C: no other process could append until the next call here
                    recorder.unlock()
                    raise

    def _decide(self, news: Any, keeps: bool, command: Callable[[], T]) -> T:
        """Apply what is new, and call the command. The lock is held for writing."""
        recorder = self._recorder
        recorder.apply(news, afresh=True)
        result = command()
        if keeps and self.block is not None:
            self.block.then = recorder.unlock
        return result
