"""`Transaction`: the context manager of a block, for `Calendar.transaction` and `Calendar.what_if`.

    with calendar.transaction():        enter   begins a block, whose changes are kept in the log
        calendar.book(...)                      a call like any other
                                        exit    keeps the changes, or applies their inverses, the latest first

A block ends in its order, thread and task: if it does not (an `ExitStack` used wrongly, two generators, a callback in
another thread), its changes are undone, with those of the blocks inside it, and its end raises. A block that is never ended
is undone when Python collects its context manager, or at the end of the block around it, which raises.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from weakref import ref

from bookcore.engine.gate import CHANGING, IDLE, Block, Mark
from bookcore.engine.log import deliver_all
from bookcore.engine.state import CalendarState
from bookcore.model.errors import RecursiveCallError, TransactionError


class Transaction(AbstractContextManager[None]):
    """A block of changes that are kept or undone together. It is entered once."""

    def __init__(self, state: CalendarState, keep: bool) -> None:
        self._state, self._keep = state, keep
        self._block: Block | None = None
        self._mark: Mark | None = None

    def __enter__(self) -> None:
        if self._mark is not None:
            raise TransactionError("this block was entered before; call Calendar.transaction() for each")
        self._state.gate.begin(self._begin, self._keep)

    def _begin(self) -> None:
        if self._state.gate.waiting:
            self._state.tick()  # before the block begins, because the clock may raise
        self._state.renumber()
        self._block, self._mark = self._state.gate.block or Block(), self._state.mark(ref(self))
        self._state.begin(self._block, self._mark)

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        state, block, mark = self._state, self._block, self._mark
        gate, due, is_kept = state.gate, 0, False
        if mark is None:
            raise TransactionError("this block was not entered")
        error: TransactionError | None = None
        try:
            with gate.lock:
                if gate.mode or gate.depth:
                    mark.orphaned = True
                    raise RecursiveCallError(
                        "a transaction was ended while a call of the same calendar was running; it will be undone"
                    )
                if block is None or gate.block is not block or mark not in block.marks:
                    raise TransactionError("this block has ended already, alone or with one around it")
                gate.version += 1  # first, because it may need memory
                gate.mode = CHANGING
                gate.stamp = None
                try:
                    mark.orphaned = True  # until it has ended: this may be cut off at any call
                    first = next(around for around in block.marks if around.is_lost)
                    if not block.is_owned():
                        error = TransactionError("this block was ended by another thread or task, and was undone")
                    elif first is not mark:
                        error = TransactionError(
                            "the block around this one has ended already or was forgotten; both were undone"
                        )
                    elif block.marks[-1] is not mark:
                        error = TransactionError("this block was ended before a block inside it; both were undone")
                    keeps = self._keep and exc is None and error is None
                    state.end(block, first, keeps)
                    is_kept = keeps
                finally:
                    gate.mode = IDLE
                    due, state.log.due = state.log.due, 0
                    if gate.block is None and not gate.waiting:
                        gate.stamp = gate.version
        finally:
            self._block = None
            state.finish(None, due, is_kept)
            deliver_all()  # also of other calendars, which were called in the block
        if error is not None and exc is None:  # else that exception goes on, and the block is undone, as the program expects
            raise error
