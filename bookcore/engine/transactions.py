"""Many changes as one: `transaction` and `what_if`.

Every change of state in `bookcore.engine.core` notes how to undo itself while a transaction is open. That is all a transaction
is: the lock, held throughout, and a list to go back through.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bookcore.engine.core import Core
from bookcore.model.change import Released
from bookcore.model.errors import BookcoreError, TransactionError, brief

__all__ = ["Transactions"]


class Transactions(Core):
    """The calls that make many changes one. A mixin of `Calendar`."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything done inside one change: undone whole on an exception, invisible to other threads until it ends.

        The calendar's lock is held for the whole block, so others wait; keep it short. Nested blocks are undone alone.
        Subscribers are told when the outermost block has ended, and of nothing that was undone. What cannot be undone, as
        when a key's own code fails, does not keep the rest from being undone.

        Raises: `TransactionError`, or the calendar's own error, when something could not be undone.

        Complexity: one note a change; undoing costs what doing did.

        >>> from bookcore import Calendar, ConflictError, Resource
        >>> calendar = Calendar()
        >>> _ = calendar.add_resource(Resource("room")), calendar.add_resource(Resource("crew"))
        >>> shift = calendar.book("crew", 9, 12)
        >>> try:
        ...     with calendar.transaction():
        ...         both = calendar.book("room", 11, 14), calendar.book("crew", 11, 14)
        ... except ConflictError as refusal:
        ...     refusal.resource.id, calendar.is_available("room", 11, 14)
        ('crew', True)
        """
        yield from self._transact(keep=True)

    @contextmanager
    def what_if(self) -> Iterator[None]:
        """Try things out: as `transaction`, but always undone at the end. "Cancel A, move B: does C fit?".

        Raises, Complexity: as `transaction`.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> with calendar.what_if():
        ...     gone = calendar.remove_booking(stay)
        ...     calendar.is_available("room", 11, 14)
        True
        >>> calendar.is_available("room", 11, 14), stay.owns_lock
        (False, True)
        """
        yield from self._transact(keep=False)

    def _transact(self, keep: bool) -> Iterator[None]:
        try:
            with self._lock:
                self._expire_if_due()  # first: if the clock fails, nothing has begun
                outermost = self._undo is None
                mark, told = len(self._undo or ()), len(self._changes)
                seq, closures = self._seq, self._closure_ids
                kept = False
                try:
                    if outermost:  # no call in here, at which Python could interrupt it half done
                        self._undo, self._noting = [], True
                        self._still = None  # readers without the lock must not look in
                        self._writing += 1
                        self._version += 1
                    yield
                    kept = keep
                finally:
                    try:
                        if not kept:
                            self._roll_back(mark, told)
                            self._seq, self._closure_ids = seq, closures
                    finally:
                        if outermost:
                            self._pending.extend(told for told in self._changes if told[1])
                            self._changes, self._undo = [], None
                            self._noting = bool(self._subscribers)
                            self._writing -= 1
        finally:
            if self._pending:  # inside another transaction, that one tells
                self._tell()

    def _roll_back(self, mark: int, told: int) -> None:
        """Undo what was noted since, the latest first. Undoing is not noted itself.

        What cannot be undone does not keep the rest from being undone; the first error is raised at the end.
        """
        undo = self._undo or []
        noting, self._noting = self._noting, False
        self._undo = None
        done = self._changes[told:]
        ran_out = [change.event._id for change, _ in done if isinstance(change, Released) and change.expired]
        failed: BaseException | None = None
        while len(undo) > mark:
            try:
                undo.pop()()
            except BaseException as exc:
                failed = exc if failed is None else failed
        self._undo, self._noting = undo, noting
        del self._changes[told:]
        for id in ran_out:  # it has not, and perhaps it never was
            self._ran_out.pop(id, None)
        if failed is None:
            return
        if isinstance(failed, Exception) and not isinstance(failed, BookcoreError):
            raise TransactionError(f"not all could be undone, the rest is: {brief(failed)}") from failed
        raise failed

    def _expire_if_due(self) -> None:
        if self._deadlines:
            self._expire()
