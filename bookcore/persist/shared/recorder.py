"""`SharedRecorder`: the journal of one shared calendar, as its log, its gate and its follower see it."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from time import monotonic
from typing import Any, TypeVar, TypeVarTuple

from bookcore.engine.log import deliver_after
from bookcore.engine.state import CalendarState
from bookcore.model.change import Change
from bookcore.model.errors import SnapshotError, TransactionError, brief
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalReadOnlyError,
    JournalReplacedError,
    JournalTimeoutError,
)
from bookcore.persist.journal.past import History, about
from bookcore.persist.journal.reading import Make, Moment, apply_all
from bookcore.persist.journal.records import UNRECORDED, Encoder, Replay
from bookcore.persist.shared.past import read_history
from bookcore.persist.shared.reloading import reload, take_over
from bookcore.persist.shared.replaying import AT_ONCE, snapshot_id
from bookcore.persist.shared.seam import Place, SharedJournal, Stored, after, something_came
from bookcore.persist.shared.turns import SharedGate
from bookcore.persist.snapshot.gather import read
from bookcore.persist.snapshot.save_load import save_bytes, translated_write_errors

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

FRESH = 0.5, 0.01
"""For how many seconds the follower need not look: while a command waits for the lock, and after it has read what is new."""
HOPING = 1.0
"""For how many seconds after a command that found nothing new the next one hopes to find nothing either."""
ASKING = 1 << 20
"""After how many bytes of records the database is asked whether a checkpoint is due: it adds up all since the last one."""


class SharedRecorder:
    """What a shared calendar does with its journal. ``place`` is that of the last record that memory has.

    One that is *read_only* takes no lock, and decides on what memory has: what it decides is not to stand.
    """

    def __init__(
        self, state: CalendarState, journal: SharedJournal, known: dict[str, type], place: Place, *,
        timeout: float, keep: int, read_only: bool = False, grown: int = 0,
    ) -> None:  # fmt: skip
        """*grown* is how many bytes of records were read after the snapshot with which memory began."""
        self.state, self.journal, self.place, self.known = state, journal, place, known
        self.turn = threading.RLock()
        self.waiting: deque[Any] = deque()  # the commands of threads that wait for their turn, see `SharedGate`
        self.has_taken = False  # the records of the last group were appended
        self.hoping = False  # the command is decided without the lock of the database, see `SharedGate`
        self._hopes_until = 0.0  # the time until which that is likely: others had appended nothing when it was tried
        self.together: list[bytes] | None = None  # the records of a group of commands, while it is decided
        self.follower: Any = None
        self.loading = threading.RLock()  # held by the thread that takes over another history
        self._histories = 1  # how many histories memory has followed
        self._encoder, self._replay = Encoder(state, journal.name, known), Replay(state, known)
        self._timeout, self._keep, self._read_only = timeout, keep, read_only
        self._fresh_until = 0.0  # the time until which the follower need not look
        self._locking_at = -inf  # the time when the database was last asked for its lock
        self._locked_to: Place | None = None  # that of the last record that it had then
        self._certain = 0  # the position of the last record that is known not to be lost, as far as was asked for
        self._applied: tuple[int, Place] | None = None  # where records of others lead that are applied, and in which history
        self._pid = os.getpid()
        self._closed = False
        self.swelling = False  # a record was appended since the database was asked whether a checkpoint is due
        self.grown = grown  # the bytes of all records that were read and appended since then, or at opening

    @property
    def name(self) -> str:
        """The address, without a password."""
        return self.journal.name

    @property
    def position(self) -> int:
        """The position of the last record that memory has."""
        return self.place.position

    @property
    def _gate(self) -> SharedGate:
        return self.state.gate  # type: ignore[return-value]  # the calendar is shared

    # -- for the log -------------------------------------------------------------------------------

    def append(self, changes: Sequence[Change]) -> None:
        """Append one record: what is pending, then these changes; or those of a group of commands, which were taken down.

        The calendar's lock is held, and that of the database as well, unless the command is decided without it (``hoping``).

        Raises: `JournalError`; `SnapshotError` for a class or a value that cannot be written.
        """
        log = self.state.log
        if self._applied is not None:  # they are records already
            self._histories, self.place = self._applied
            return
        if self._read_only:
            if not all(isinstance(change, UNRECORDED) for change in changes):
                self._refuse()
            return
        records = self.together
        if records is None:
            record = self._encoded([*log.pending, *changes])
            records = [record] if record else []
        if self.hoping and not records:
            raise JournalError(self.name, "nothing is appended that would tell whether others have")
        if not records:  # a call that finds what it asks for, such as a repeated one, acknowledges what others have done
            if self.position > self._certain:
                self.journal.confirm()
                self._certain = self.position
            return
        noted: Any = [(change, log.subscribers) for change in log.pending]
        of_block: Any = log.changes
        grown = self.grown + sum(map(len, records))
        none: list[Change] = []
        begun = monotonic()
        place = self.journal.append(self.place, records, locked=not self.hoping)
        # No call comes between the commit and the end of this method. If Ctrl-C comes before, or there is not enough memory,
        # the changes are undone here, and read as a record of others.
        of_block[:0] = noted
        self.place = place
        self.has_taken = True
        self._certain = place.position
        self.journal.complete_at = begun
        self.swelling = True
        self.grown = grown
        log.pending = none

    def take_down(self, changes: Sequence[Change]) -> bool:
        """Keep the record of one command of a group until all are appended, and tell whether there is one.

        Raises: `SnapshotError`; `JournalError` for a record that is too large.
        """
        record = self._encoded(changes)
        if record and self.together is not None:
            self.together.append(record)
        return bool(record)

    def _encoded(self, changes: Sequence[Change]) -> bytes:
        journal = self.journal
        with translated_write_errors(journal.name):
            record = self._encoder.encode(changes)
        if len(record) > journal.most:
            what = f"one change of {len(record)} bytes, and at most {journal.most} are taken; divide it"
            raise JournalError(journal.name, what)
        return record

    def wait(self) -> None:
        """Have all on the disk already, as far as was asked for."""

    def _refuse(self) -> None:
        raise JournalReadOnlyError(self.journal.name, "is only read here; open it without read_only to change the calendar")

    # -- for the gate ------------------------------------------------------------------------------

    def is_open(self) -> bool:
        """Tell whether `check_open` raises nothing."""
        return not self._closed and os.getpid() == self._pid

    def check_open(self) -> None:
        """Raise `JournalClosedError` if the calendar was closed, or in a forked process."""
        if os.getpid() != self._pid:
            raise JournalClosedError.in_fork(self.journal.name, self._pid)
        if self._closed:
            raise JournalClosedError.after_close(self.journal.name)

    def patient_until(self) -> float:
        """Return the time until which a call that begins now may wait."""
        return monotonic() + self._timeout

    def left(self, until: float) -> float:
        """Return how many seconds are left, at least 0."""
        return max(0.0, until - monotonic())

    def overdue(self, holder: str) -> JournalTimeoutError:
        """Return the error that names the thread or transaction that was waited for."""
        return JournalTimeoutError.kept_locked(self.journal.name, holder, self._timeout)

    def lock(self, until: float) -> Sequence[Stored]:
        """Keep others from appending, and return what they have appended. Raises: `JournalError`.

        A command that finds another history in the database is not decided: its caller has asked for it in the lost one.
        """
        if self._read_only:
            return ()
        histories = self._histories
        while True:
            place = self.place
            try:
                return self._locked(until)
            except JournalReplacedError as exc:
                self.journal.unlock()
                reload(self, place, exc)
                if self._histories != histories:  # else memory has only moved on
                    raise JournalReplacedError.after_reload(self.journal.spot, "nothing was changed; call again") from exc

    def _locked(self, until: float) -> Sequence[Stored]:
        journal = self.journal
        self._locking_at = monotonic()
        self._fresh_until = self._locking_at + FRESH[0]
        news = self._lock_after(self.place, until, AT_ONCE)
        self._fresh_until = monotonic() + FRESH[1]
        self._hopes_until = 0.0 if news else monotonic() + HOPING
        if len(news) < AT_ONCE:
            return news
        journal.unlock()  # there is much to apply: others may append meanwhile
        self.catch_up()
        self._locking_at = monotonic()
        return self._lock_after(self.place, until, -1)

    def _lock_after(self, place: Place, until: float, most: int) -> Sequence[Stored]:
        news = self.journal.lock(self.left(until), place, most)
        self._locked_to = news[-1].place if news else place
        return news

    def may_hope(self) -> bool:
        """Tell whether the next record may be appended in one exchange with the database, and that is likely to succeed.

        Not while holds may run out, by the clock of the database, which `lock` asks for; and not after a pause, in which the
        database may have gone: where nothing was sent but the lock was asked for, the outcome is known.
        """
        return self.left(self._hopes_until) > 0 and not self.state.gate.waiting and self.journal.can_hope()

    def note_hope(self, fulfilled: bool) -> None:
        """Note whether a record was appended without the lock, in a place that no other process took."""
        now = monotonic()
        self._hopes_until = now + HOPING if fulfilled else 0.0
        if fulfilled:
            self._fresh_until = now + FRESH[1]

    def fresh_for(self) -> float:
        """Return for how many more seconds the follower need not look, because a command has read what was new."""
        return self.left(self._fresh_until)

    def unlock(self) -> None:
        """Let others append, if they may not yet."""
        self.journal.unlock()

    def apply(self, news: Sequence[Stored], *, afresh: bool = False) -> None:
        """Apply records of others, all or none. The calendar's lock is held for writing; memory may have some of them.

        *afresh*: also without news undo the expiries that are provisional, because a command is about to be decided.
        Raises: `JournalDamagedError`, `SnapshotTypeError`; `JournalReplacedError` for records of another history, and if
        memory has some that the database, which is locked, has not.
        """
        state, place = self.state, self.place
        news = [stored for stored in news if stored.place.position > place.position]
        is_locked = afresh and not (self.hoping or self._read_only)
        if after(place, news[0].data) != news[0].place if news else is_locked and place != self._locked_to:
            what = "memory has followed another history since the records of the database were read, as around a failover"
            raise JournalReplacedError(self.journal.spot, f"{what}; nothing was changed; call again", reloaded=True)
        if news or afresh:
            state.take_back_pending()
        if news:
            records = [stored.record(self.journal.spot) for stored in news]
            self._arrive(self._histories, news[-1].place, apply_all, self._replay, records)
            self.grown += sum(len(stored.data) for stored in news)
        if afresh and not self.hoping:  # these were all, because the database is locked
            self.journal.note_complete(self._locking_at)

    def _arrive(self, history: int, place: Place, command: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a command that makes memory what records up to *place* of a history say; undo it if it raises."""
        self.state.renumber()  # which is put off in a block
        self._applied = history, place
        try:
            return self.state.undoing(True, command, *args)
        finally:
            self._applied = None

    def take_over(self, place: Place, grown: int, fresh: CalendarState) -> tuple[int, int]:
        """Make memory what *fresh* is, the calendar at a place of the history that the database has; see `reload`.

        The calendar's lock is held for writing. Returns how many changes were taken back, and how many came.
        """
        state = self.state
        state.take_back_pending()
        self.grown, self._certain, self._hopes_until = grown, 0, 0.0  # first: no record of another history is certain
        counts = self._arrive(self._histories + 1, place, take_over, state, fresh)
        state.remember_expired(fresh.holds.expired, alone=True)
        return counts

    # -- for the calendar --------------------------------------------------------------------------

    def catch_up(self) -> None:
        """See `Calendar.catch_up`."""
        self.check_open()
        if self._gate.is_within():
            block = self._gate.block
            if block is not None and block.then is not None:  # a transaction: no other process appends
                return
            raise TransactionError("what others have done is applied between calls and blocks; end this one before catch_up")
        self._reloading(self._catch_up)

    def _catch_up(self) -> None:
        while True:
            begun, news = monotonic(), self.journal.read(self.place, AT_ONCE)
            if news:
                self._gate.follow(self.apply, news)
            if len(news) < AT_ONCE:  # that was all; what has come meanwhile came after this call
                self.journal.note_complete(begun)
                return

    def _reloading(self, call: Callable[[], T]) -> T:
        """Call something that asks the database; if that has another history, take it over, and call again."""
        while True:
            place = self.place
            try:
                return call()
            except JournalReplacedError as exc:
                if self._gate.is_within():
                    raise
                deliver_after(reload, self, place, exc)

    def lag(self) -> int:
        """See `Calendar.lag`."""
        self.check_open()
        return self._reloading(lambda: self.journal.lag(self.place))

    def staleness(self) -> float:
        """See `Calendar.staleness`. After `close` and in a forked process as well: memory still answers."""
        return self.journal.staleness()

    def wait_for(self, position: int, timeout: float | None) -> None:
        """See `Calendar.wait_for`."""
        self.check_open()
        timeout = self._timeout if timeout is None else timeout
        until = monotonic() + timeout
        histories = self._histories
        while True:
            place = self.place  # first: it is set after the number of its history
            if self._histories != histories:
                way = f"record {brief(position)} of it may be another one than was waited for"
                raise JournalReplacedError.after_reload(self.journal.spot, way)
            if place.position >= position:
                return
            if not something_came(partial(self.journal.wait, place, self.left(until))):
                self.check_open()
                what = f"has {self.position} records, and record {brief(position)} did not come within {timeout:g} seconds"
                raise JournalTimeoutError(self.journal.spot, what, timeout)
            self.catch_up()
            if self.place == place and self.lag():  # else it was told too early, as by a server that is ahead
                self.catch_up()
                if self.place == place:
                    what = f"its last record is {place.position}, and its head says more"
                    raise JournalDamagedError(self.journal.spot, what)

    def barrier(self) -> None:
        """See `Calendar.barrier`."""
        if self._read_only:
            self.check_open()
            return
        self._gate.run(self._record_pending)
        self.journal.barrier()

    def _record_pending(self) -> None:
        """Release the holds that have run out, for a record of its own if there are some."""
        state = self.state
        if state.gate.waiting:
            state.tick()
        state.undoing(True, tuple)

    def history(self, make: Make[Any], what: object, id: object) -> History:
        """See `Calendar.history`."""
        self.check_open()
        return read_history(make, self.journal, self.known, until=Moment(self.position), wanted=about(what, id))

    def checkpoint(self) -> None:
        """See `Calendar.checkpoint`."""
        self.check_open()
        if self._read_only:
            self._refuse()
        if self._gate.is_within():
            raise TransactionError("a transaction is open, and may yet be undone; end it before checkpoint")
        self.record_what_is_pending()
        self._reloading(self._checkpoint)

    def record_what_is_pending(self) -> None:
        """Append a record of the holds that questions have found to have run out, if there are some."""
        if self.state.log.pending and not self._read_only:
            self._gate.run(self._record_pending)

    def _checkpoint(self) -> None:
        """Write a snapshot of what the records say."""
        place, rows = self._gate.follow(self._stand)
        name, journal = self.journal.name, self.journal
        data = save_bytes(self.state, name, store_id=snapshot_id(journal.origin, place), rows=rows)
        journal.checkpoint(place, data, self._keep)

    def _stand(self) -> tuple[Place, Any]:
        """Return the place and the rows that a snapshot shows. The lock is held."""
        self.state.take_back_pending()
        return self.place, read(self.state, self.journal.name)

    def checkpoint_if_due(self, *, closing: bool = False) -> None:
        """Write a checkpoint if the records have outgrown the last one, in the follower's thread if there is one.

        *closing*: in any thread; many processes that each end too soon would never write one. What goes wrong is logged.
        """
        if self._read_only or not self.swelling or self.grown < ASKING:
            return
        if not (closing or self.follower is None or self.follower.is_here()) or self._gate.is_within():
            return
        self.swelling, self.grown = False, 0
        try:
            if self.journal.outgrown():
                self._checkpoint()
        except (JournalError, SnapshotError) as exc:
            logging.getLogger("bookcore").warning("no checkpoint was written: %s", exc)

    def end_lost_block(self) -> None:
        """Undo a transaction that is lost, because until then no other process can append."""
        self._gate.is_within()

    def close(self) -> None:
        """See `Calendar.close`."""
        if self._gate.is_within():
            raise TransactionError("a transaction is open, and may yet be undone; end it before close")
        if os.getpid() != self._pid:
            return
        try:
            if not self._closed:
                self.record_what_is_pending()
                self.checkpoint_if_due(closing=True)
        finally:  # also called again, should it have been cut off
            self._gate.follow(self._close)
            if self.follower is not None:
                self.follower.join()
            self.journal.close()

    def _close(self) -> None:
        self._closed = True
        self.journal.wake()
