"""`SharedGate`: the gate of a shared calendar, whose commands take the lock of the database first.

    the turn of the process       one thread at a time
    the end of a block            of another thread, whose commands need no turn
    the lock of the database      no other process appends
    the lock of the calendar      apply what is new, decide, append and commit

They are taken in this order, so that no thread that holds one of them waits for an earlier one. The first three together
have a time limit. Subscribers are called when all have been released.

Threads that wait share a commit. The thread that has the turn carries out the commands of all that wait by then, one after
the other, in one block; each has a record of its own, and the records are appended together:

    commands   A B C D E F
    A's turn   A                  B, C and D come while it commits
    B's turn     B C D            decided in this order, committed once; E and F come meanwhile
    E's turn           E F

A process whose last command found no new records decides the next command without the lock of the database. The statement
that appends then takes the lock, and appends only if the head is the last record that memory has: one exchange in place of
two. If the head is another record, or if the command is refused, the command is undone and decided again with the lock. So
there are two rounds at most, and no command starves. A thread waits for others only before it takes the calendar's lock.

A command that is refused changes nothing, and the others of its group go on. If the database does not take the records of a
group, the whole group is undone, and each command is decided anew, alone, by its own thread: so no answer depends on a
change that was undone. If it is not known whether the database has taken them, commands that have a record raise
`UnknownOutcomeError`, and the others are decided anew.

Invariant: a thread that sleeps was in ``waiting`` before it last found the turn taken, and a thread that gives up the turn
wakes the first that waits. If a thread gets the turn while its own command is begun and has no answer, the thread that
carried it out was cut off.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from copy import copy
from typing import Any, TypeVar, TypeVarTuple

from bookcore.engine.gate import Gate
from bookcore.engine.log import deliver_after
from bookcore.engine.recording import RecordingEngine
from bookcore.model.errors import BookcoreError
from bookcore.persist.journal.errors import UnknownOutcomeError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TOGETHER = 100
"""How many commands share a commit at most; for as long as they are decided and written, questions may have to wait."""
HOPED: frozenset[Any] = frozenset({
    RecordingEngine.book, RecordingEngine.book_all, RecordingEngine.add_booking, RecordingEngine.remove_booking,
    RecordingEngine.move, RecordingEngine.change,
})  # fmt: skip
"""Commands that ask no clock, and change so little that they may be decided twice."""
_AT_MOST = 0.05
"""Seconds after which a thread looks for itself: Ctrl-C may have ended the one that was woken."""
_CUT_OFF = "the thread that committed it together with its own was cut off"


class _Asked:
    """A command of a thread, until it has an answer. *alone*: it shares no commit, because it is more than a command.

    *hopes*: it may be decided without the lock of the database first, and again with it if that does not succeed.
    ``begun`` is true while it is decided, ``recorded`` when its changes are in a record, ``over`` when there is an answer.
    """

    __slots__ = ("alone", "begun", "call", "context", "due", "error", "hopes", "over", "recorded", "result", "sleep")

    def __init__(self, call: Callable[[], Any], alone: bool, hopes: bool) -> None:
        self.call, self.alone, self.hopes, self.context = call, alone, hopes, copy_context()
        self.begun = self.recorded = self.over = False
        self.result: Any = None
        self.error: Exception | None = None
        self.due = 0  # the number of the last change of its group, of which subscribers have to be notified
        self.sleep: threading.Lock | None = None

    def answer(self, tell: Callable[[Exception], None]) -> Any:
        """Return the result, or raise the error; *tell* is called with it first, and may raise another one."""
        error, self.error = self.error, None
        try:
            if error is not None:
                tell(error)
                raise error
            return self.result
        finally:
            del error  # breaks the reference cycle of this frame and the exception's traceback

    def wake(self) -> None:
        if self.sleep is not None:
            with suppress(RuntimeError):  # the thread was woken before
                self.sleep.release()

    def end(self, error: Exception | None = None) -> None:
        self.error = error
        self.over = True
        self.wake()


class SharedGate(Gate):
    """See `Gate`. The log has a `SharedRecorder` as its journal."""

    __slots__ = ()

    @property
    def _recorder(self) -> Any:
        return self.log.journal

    def run(self, command: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a command when no other process appends, on the newest state. Raises: as `Gate.run`; `JournalError`.

        Another thread of the process may do that for this one, with its context variables.
        """
        if self.is_within():
            return super().run(command, *args)
        is_plain = isinstance(getattr(command, "__self__", None), RecordingEngine)
        hopes = getattr(command, "__func__", None) in HOPED
        asked = _Asked(lambda: command(*args), not is_plain, hopes)
        self._outside(lambda until: self._carry_out(asked, until))
        answer: T = asked.answer(lambda error: self.finish(error, 0, True))
        return answer

    def begin(self, command: Callable[[], None], keep: bool) -> None:
        """Begin a block; one that may be kept keeps others from appending until it ends. Raises: as `run`."""
        if self.is_within() or not (keep or self._recorder.is_open()):
            super().run(command)
        elif keep:
            self._outside(lambda until: self._in_turn(until, lambda: self._locked(until, command)))
        else:
            self._outside(lambda until: self._in_turn(until, lambda: self.follow(command)))

    def follow(self, command: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a command that appends nothing, without a turn. Raises: as `Gate.run`."""
        return super().run(command, *args)

    def is_within(self) -> bool:
        """Tell whether the caller's thread has an open block, or is in another call, of this calendar.

        Raises: `TransactionError` for another task of the same thread.
        """
        with self.lock:
            block = self.block
            if self.mode or self.depth:
                return True
            return block is not None and self.is_inside(block) and self.block is block

    def _outside(self, call: Callable[[float], T]) -> T:
        """Call a function with the time until which it may wait, and notify subscribers afterwards."""
        recorder = self._recorder
        recorder.check_open()
        try:
            return deliver_after(call, recorder.patient_until())
        finally:
            recorder.checkpoint_if_due()

    def _in_turn(self, until: float, call: Callable[[], T], *, wait: bool = True) -> T | None:
        """Call a function while this thread has the turn. Without *wait*, return None at once if another thread has it."""
        recorder = self._recorder
        turn = recorder.turn
        try:
            if not (turn.acquire(timeout=recorder.left(until)) if wait else turn.acquire(blocking=False)):
                if wait:
                    raise recorder.overdue("another thread of this process")
                return None
            return call()
        finally:
            try:
                turn.release()  # the first call here, so that Ctrl-C cannot leave it held
            except RuntimeError:  # it was not acquired
                pass
            else:
                self.wake_next()

    def wake_next(self) -> None:
        """Wake the thread whose command waits first: the turn was given up."""
        with suppress(IndexError):  # none waits
            self._recorder.waiting[0].wake()

    def wait_for_blocks(self, until: float) -> None:
        """Return when no other thread has an open block. None can be begun then, because that takes the turn."""
        recorder = self._recorder
        while True:
            with self.lock:
                block = self.block
                if block is None or self.is_inside(block):  # inside: its end would not have been called, and it was undone
                    return
            if not recorder.left(until):
                raise recorder.overdue("a transaction of another thread")
            block.wait()

    # -- commands ------------------------------------------------------------------------------------------

    def _carry_out(self, asked: _Asked, until: float) -> None:
        """Return when a command of this thread has an answer, from this thread or from another one that had the turn."""
        recorder = self._recorder
        waiting = recorder.waiting
        waiting.append(asked)
        try:
            while not asked.over:
                self._in_turn(until, lambda: self._lead(asked, until), wait=False)
                if asked.over:
                    break
                if asked.sleep is None:
                    sleep = threading.Lock()
                    sleep.acquire()
                    asked.sleep = sleep  # and look once more, because only a command that has one is woken
                    continue
                left = recorder.left(until)
                if not asked.sleep.acquire(timeout=min(_AT_MOST, left or _AT_MOST)) and not left:
                    with suppress(ValueError):  # another thread carries it out, and has a time limit too
                        waiting.remove(asked)
                        raise recorder.overdue("another thread of this process")
        finally:
            asked.over = True
            if waiting:
                with suppress(ValueError):  # another thread has carried it out
                    waiting.remove(asked)
        if asked.due:
            self.log.deliver(asked.due)

    def _lead(self, asked: _Asked, until: float) -> None:
        """Carry out the command of this thread, which has the turn, and those that wait."""
        if asked.over:
            return
        recorder = self._recorder
        if asked.begun:
            asked.end(UnknownOutcomeError.of_change(recorder.name, _CUT_OFF))
            return
        self.wait_for_blocks(until)
        if asked.hopes and len(recorder.waiting) == 1 and recorder.may_hope() and self._hope(asked):
            return
        group = [asked]
        recorder.has_taken = False
        try:
            news = recorder.lock(until)
            self._gather(group)
            if len(group) == 1:
                asked.result = super().run(self._decide, news, asked.call)
            else:
                super().run(self._decide_all, news, group)
            for each in group:
                each.end(each.error)
        except BaseException as exc:
            if len(group) == 1:
                raise
            self._settle(group, exc)
            if not isinstance(exc, Exception):
                raise
        finally:
            self._unlock()

    def _hope(self, asked: _Asked) -> bool:
        """Carry out a command without the lock of the database; tell whether it is final.

        It is not if another record came between, or if the command was refused, which newer records may change. Then it is
        decided anew.
        """
        recorder = self._recorder
        recorder.hoping = counts = True
        try:
            asked.result = super().run(self._decide, (), asked.call)
        except UnknownOutcomeError:
            raise
        except BookcoreError:  # after other errors it is not known whether the change is committed
            counts = False
        finally:
            recorder.hoping = False
        recorder.note_hope(counts)
        asked.over = counts
        return counts

    def _gather(self, group: list[_Asked]) -> None:
        """Add all waiting commands to the group, unless its first one is to be alone."""
        waiting = self._recorder.waiting
        with suppress(ValueError):  # it was taken from there by a thread that was cut off before it had begun with it
            waiting.remove(group[0])
        with suppress(IndexError):  # the thread of one has stopped waiting
            for _ in range(0 if group[0].alone else min(len(waiting), TOGETHER - 1)):
                command = waiting.popleft()
                (waiting if command.alone else group).append(command)

    def _settle(self, group: list[_Asked], exc: BaseException) -> None:
        """Give each command of a group an answer after an exception, or have its own thread decide it anew.

        Not one whose record was appended, or may have been: there is no other exception than ours that says it was not.
        """
        has_taken = self._recorder.has_taken
        doubt = UnknownOutcomeError.of_change(self._recorder.name, _CUT_OFF)
        if isinstance(exc, UnknownOutcomeError):
            doubt = exc
        for each in group:
            if each.over:  # its thread waits no longer
                continue
            if has_taken or (each.recorded and (doubt is exc or not isinstance(exc, BookcoreError))):
                each.end(each.error if has_taken else copy(doubt))
                continue
            each.error = each.result = None
            each.alone, each.hopes, each.begun, each.recorded = True, False, False, False
            self._recorder.waiting.append(each)
            each.wake()

    def _decide(self, news: Any, call: Callable[[], T]) -> T:
        """Apply the new records, and call the command. The lock is held for writing."""
        self._recorder.apply(news, afresh=True)
        return call()

    def _decide_all(self, news: Any, group: list[_Asked]) -> None:
        """Apply the new records, and decide the commands in one block, whose end appends their records."""
        recorder = self._recorder
        recorder.apply(news, afresh=True)
        recorder.together = []
        try:
            recorder.state.undoing(True, self._decide_each, group)
        finally:
            recorder.together = None
        for each in group:
            each.due = self.log.due

    def _decide_each(self, group: list[_Asked]) -> None:
        state = self._recorder.state
        for each in group:
            if each.over:  # its thread waits no longer
                continue
            each.begun = True
            try:
                each.context.run(state.undoing, True, self._decide_one, each)
            except Exception as exc:
                each.error = exc

    def _decide_one(self, asked: _Asked) -> None:
        before = len(self.log.changes or ())
        asked.result = asked.call()
        asked.recorded = self._recorder.take_down([change for change, _ in (self.log.changes or ())[before:]])

    # -- the lock of the database --------------------------------------------------------------------------

    def _locked(self, until: float, command: Callable[[], None]) -> None:
        """Call a command that begins a block, until whose end no other process appends."""
        recorder = self._recorder
        is_kept = False
        try:
            self.wait_for_blocks(until)
            super().run(self._decide_and_keep, recorder.lock(until), command)
            is_kept = True
        finally:
            if not is_kept:
                self._unlock()

    def _decide_and_keep(self, news: Any, command: Callable[[], None]) -> None:
        self._decide(news, command)
        block: Any = self.block  # which the command has begun
        block.then = self._recorder.unlock

    def _unlock(self) -> None:
        recorder = self._recorder
        try:
            recorder.unlock()
        except BaseException:  # Ctrl-C: no other process could append until the next call here
            recorder.unlock()
            raise
