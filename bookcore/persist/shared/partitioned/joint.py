"""`JointTransaction`: a block of several calendars whose records are committed together, in one transaction of the database.

    enter     head 1 locked, block 1 begins     head 2 locked, block 2 begins     ...     ascending, on one connection
    exit      block 1 ends: its record is written
                  block 2 ends: its record is written
                      ...
                          the ids of bookings are written, COMMIT

The blocks end inside each other: the journal that writes the record of one has the next one end before it returns. So if
the commit is refused, the record of none of them is taken, and each undoes its changes in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any
from weakref import ref

import psycopg

from bookcore.engine.log import deliver_after, deliver_all, this_thread
from bookcore.engine.transaction import Transaction
from bookcore.model.errors import TransactionError
from bookcore.persist.shared.partitioned.division import Claims
from bookcore.persist.shared.partitioned.parts import Part
from bookcore.persist.shared.turns import SharedGate

_Status = psycopg.pq.TransactionStatus


class Joint:
    """One transaction of the database, for the journals of several calendars; they look at it while it is theirs."""

    def __init__(self, journals: Sequence[Any], idle: list[Any]) -> None:
        """*idle* has connections that are not in use, and gets this one back.

        No other thread may be amidst an append of these journals.
        """
        self._journals, self._idle = list(journals), idle
        self.connection: Any = None
        self.claims = Claims()
        self.stage = "beginning"  # then "open", then "ending"
        self._has_written = False
        self._then: Callable[[], None] = self.commit

    def begin(self) -> None:
        """Take a connection. Raises: psycopg.Error."""
        while self._idle and self.connection is None:
            connection = self._idle.pop()
            if not connection.closed and connection.info.transaction_status == _Status.IDLE:
                self.connection = connection
        if self.connection is None:
            self.connection = self._journals[-1].connect("writer")

    def end_with(self, then: Callable[[], None]) -> None:
        """Have *then* called whenever a record was written; it calls `commit` at last."""
        self.stage, self._then = "ending", then

    def go_on(self) -> None:
        """Note that something was written, and have the next block end, or the transaction be committed."""
        self._has_written = True
        self._then()

    def commit(self) -> None:
        """Commit, if something was written. Raises: as `SharedJournal.append`."""
        if self._has_written:
            self._has_written = False
            self._journals[0].commit_joint(self.connection, self.claims)

    def roll_back(self) -> None:
        """End the transaction, if it is not committed."""
        connection = self.connection
        if connection is None or connection.closed:
            return
        with suppress(psycopg.Error):
            if connection.info.transaction_status in (_Status.INTRANS, _Status.INERROR):
                connection.execute("ROLLBACK")
            elif connection.info.transaction_status != _Status.IDLE:  # Ctrl-C came amidst a command
                connection.close()

    def unlocked(self, journal: Any) -> None:
        """Let a journal write on its own again if its block has ended, and not if it has yet to begin."""
        if self.stage != "beginning":
            self.leave(journal)

    def leave(self, journal: Any) -> None:
        """Let a journal write on its own again."""
        if self.stage == "open":  # its block is undone alone: the ends of the others will not be called
            self.roll_back()
        journal.joint = None
        if journal in self._journals:
            self._journals.remove(journal)
        if not self._journals and self.connection is not None:
            self.roll_back()
            self._idle.append(self.connection)
            self.connection = None

    def abandon(self) -> None:
        """Commit nothing, and let all journals write on their own again."""
        self.stage = "ending"
        self.roll_back()
        for journal in list(self._journals):
            self.leave(journal)


class JointTransaction(AbstractContextManager[None]):
    """A block of changes in several calendars that are kept or undone together. It is entered once."""

    def __init__(self, parts: Collection[Part], idle: list[Any] | None, thread: Any, outer: Any, keep: bool = True) -> None:
        """*thread* is where the calendar keeps the open block of this thread, *outer* is that block, or None.

        Without *idle* there is no transaction of the database for all: the changes are in no record, or (without *keep*)
        are undone at the end.
        """
        self._parts, self._idle, self._thread, self._outer, self._keep = sorted(parts), idle, thread, outer, keep
        self.numbers = frozenset(part.number for part in parts)
        self._joint: Joint | None = None
        self._begun: list[Transaction] = []
        self._ending: Iterator[Transaction] = iter(())

    def __enter__(self) -> None:
        if self._begun:
            raise TransactionError("this block was entered before; call Calendar.transaction() for each")
        deliver_after(self._begin)  # a subscriber may wait for the turns that are held meanwhile

    def _begin(self) -> None:
        with ExitStack() as turns:
            try:
                gate = self._parts[0].state.gate
                # the past has no database to write
                if self._idle is not None and isinstance(gate, SharedGate) and not gate.is_within():
                    self._join(turns, self._idle)
                for part in self._parts:
                    block = Transaction(part.state, self._keep)
                    block.__enter__()
                    self._begun.append(block)
                if self._joint is not None:
                    self._joint.stage = "open"
            except BaseException as exc:
                self._give_up(exc)
                raise
        if self._outer is None:
            self._thread.block = ref(self)

    def _join(self, turns: ExitStack, idle: list[Any]) -> None:
        """Make one transaction of the database for all, while no other thread appends. Raises: `JournalError`.

        *turns* gives the turns back, which are held until all blocks have begun: other threads wait for the blocks then.
        """
        recorders = [part.recorder for part in self._parts]
        until = recorders[0].patient_until()
        for recorder in recorders:
            recorder.check_open()
            turns.callback(_give_back, recorder)  # first, so that Ctrl-C cannot leave the turn held
            if not recorder.turn.acquire(timeout=recorder.left(until)):
                raise recorder.overdue("another thread of this process")
            recorder.state.gate.wait_for_blocks(until)
        journals = [recorder.journal for recorder in recorders]
        self._joint = joint = Joint(journals, idle)
        with journals[0].translated("the change was not made"):
            joint.begin()
        for journal in journals:
            journal.joint = joint

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        if exc is not None:
            self._give_up(exc)
            return
        thread, delivering = this_thread, this_thread.delivering
        thread.delivering = True  # subscribers are called when no lock is held
        try:
            self._ending = iter(self._begun)
            if self._joint is not None:
                self._joint.end_with(self._end_rest)
            self._end_rest()
        except BaseException as failed:
            if self._joint is not None:
                self._joint.abandon()
            for block in self._ending:  # a record before theirs was not taken
                block.__exit__(type(failed), failed, failed.__traceback__)
            raise
        finally:
            if self._joint is not None:
                self._joint.abandon()
            thread.delivering = delivering
            self._forget()
            deliver_all()

    def _end_rest(self) -> None:
        """End the blocks that have not ended, and commit. A block that has a record calls this before it has ended."""
        for block in self._ending:
            block.__exit__(None, None, None)
        if self._joint is not None:
            self._joint.commit()

    def _give_up(self, exc: BaseException) -> None:
        """Undo all."""
        try:
            if self._joint is not None:
                self._joint.abandon()
        finally:
            self._forget()
            errors: list[TransactionError] = []
            for block in reversed(self._begun):
                try:
                    block.__exit__(type(exc), exc, exc.__traceback__)
                except TransactionError as error:
                    errors.append(error)
        if errors:
            raise errors[0]

    def _forget(self) -> None:
        if self._outer is None:
            self._thread.block = None


def _give_back(recorder: Any) -> None:
    try:
        recorder.turn.release()
    except RuntimeError:  # it was not acquired
        return
    recorder.state.gate.wake_next()
