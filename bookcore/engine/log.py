"""The changes of open transactions, which may be undone, and the changes that are still to be delivered to subscribers.

    commit  ->  changes    while a block or a command may have to undo them
            ->  outbox     (change, the subscribers at that time), delivered without the lock

``active`` is false while nothing can be undone and there are neither subscribers nor a journal: then no changes need be
noted. With a journal every command is a block (`bookcore.engine.recording`), and the changes of the outermost block are one
record: it is appended before the lock is released, and the call waits for it after that, before subscribers are notified.

A call returns when subscribers have been notified of all changes up to its own, in order. ``noted`` counts the changes put
into the outbox, ``delivered`` those that subscribers have received. A call waits until ``delivered`` reaches what ``noted``
was when it released the lock, or delivers these changes itself; later calls deliver their own.

    noted       1  2  3 | 4  5          3 when this call ended, 5 now
    delivered   1  2                    it delivers 3 and returns

A subscriber may call any calendar. What it changes there is delivered after it has returned, by the same thread, so a thread
that delivers never waits for another one that does. A subscriber that waits for the call of another thread, which waits for
the subscriber, would wait for ever; so a call waits for no longer than `SUBSCRIBER_TIMEOUT` for one call of a subscriber.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Protocol, TypeAlias, TypeVar, TypeVarTuple
from weakref import ref

from bookcore.model.change import Change
from bookcore.model.errors import brief

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

SUBSCRIBER_TIMEOUT = 60.0
"""Seconds for which a thread waits for one call of a subscriber by another thread, which may wait for this very thread."""

_FACTS = ("_seq", "_lock", "_home", "_id", "_resource")
"""The slots of an event that a booking writes."""

facts_of = attrgetter(*_FACTS)
"""Return the values of these slots, for `restore_facts`."""


def restore_facts(event: Any, facts: tuple[Any, ...]) -> None:
    """Give an event the values back that it had before it was booked. O(1)."""
    for slot, value in zip(_FACTS, facts, strict=True):
        setattr(event, slot, value)


class Journal(Protocol):
    """What keeps the changes of a calendar longer than its process does."""

    def append(self, changes: Sequence[Change]) -> None:
        """Keep the changes of one command or block, or raise and keep none. The calendar's lock is held."""

    def wait(self) -> None:
        """Return when all that was appended is as safe as was asked for. The calendar's lock is not held."""


class Subscription:
    """A callback to be called with changes. Once it has ``ended``, it does not get those in the outbox either."""

    __slots__ = ("callback", "ended")

    def __init__(self, callback: Callable[[Change], Any]) -> None:
        self.callback = callback
        self.ended = False


class _Thread(threading.local):
    """What one thread is doing. It is not state of a calendar: deliveries of all calendars must not wait for each other."""

    def __init__(self) -> None:
        self.delivering = False
        self.blocks: list[ref[Any]] = []  # the open blocks that it owns, see `bookcore.engine.gate.Block`
        self.due: deque[tuple[Log, int]] = deque()  # what it has to deliver, by log
        self.rebuilds: Any = None  # what runs `bookcore.engine.mending.Mending.rebuild`, if it does

    def is_in_block(self) -> bool:
        """Tell whether it owns a block of a calendar that is not lost."""
        blocks = [each() for each in tuple(self.blocks)]
        return not all(block is None or block.is_lost for block in blocks)


this_thread = _Thread()

_Noted: TypeAlias = tuple[Change, tuple[Subscription, ...]]
_Waiting: TypeAlias = tuple[int, Change, tuple[Subscription, ...]]


class Log:
    """The noted changes and the subscribers of one calendar. Used under the calendar's lock, except for `deliver`."""

    __slots__ = (
        "_left",
        "_place",
        "_turn",
        "active",
        "changes",
        "delivered",
        "due",
        "handed",
        "journal",
        "latest",
        "noted",
        "outbox",
        "pending",
        "provisional",
        "subscribers",
    )

    def __init__(self) -> None:
        self.active = False
        self.changes: list[_Noted] | None = None  # a list while changes may have to be undone
        # The events booked since then, in the order of the changes, each with its facts before it was booked (`facts_of`).
        self.handed: list[tuple[Any, tuple[Any, ...]]] = []
        self.outbox: deque[_Waiting] = deque()  # each with its number
        self.noted = self.delivered = 0
        self.latest: Change | None = None  # the last change that a commit has noted
        self.due = 0  # the number of the last change that the present call has to deliver, or 0
        self.subscribers: tuple[Subscription, ...] = ()
        self.journal: Journal | None = None
        # Changes outside of any block, which are in no record yet and will be part of the next one: a question may release
        # expired holds, and is not refused because of the journal.
        self.pending: list[Change] = []
        # True where other processes write the journal as well: then what is pending is undone before their records are
        # applied, and subscribers do not receive it before it is in a record; and a record that was appended is as safe as
        # was asked for, so that no call waits for it.
        self.provisional = False
        self._turn = threading.RLock()  # held by the thread that delivers
        self._place = 0  # how many subscribers have been called with the first change of the outbox
        self._left = 0  # the last change whose thread waits no longer, so that the one that delivers delivers it too

    def has_noted(self, change: Change) -> bool:
        """Tell whether the last change was noted as a whole, after an exception; if not, it is not noted at all. O(1)."""
        if self.changes is not None:
            return bool(self.changes) and self.changes[-1][0] is change
        if self.outbox and self.outbox[-1][1] is change:
            return True
        if self.provisional and self.pending and self.pending[-1] is change:
            return True
        self.forget(change)
        return False

    def forget(self, change: Change | None) -> None:
        """Take the last change back that is to be in a record, if it is this one. O(1)."""
        if self.pending and self.pending[-1] is change:
            self.pending.pop()

    def note_all(self, changes: Iterable[Change]) -> None:
        """Note many committed changes, all or none, as the last thing that it does. O(changes)."""
        subscribers = self.subscribers
        noted = [(change, subscribers) for change in changes]
        if self.changes is not None:
            self.changes += noted  # no call comes after this, so Ctrl-C does not either
        elif subscribers:
            self._put(noted)

    def _put(self, noted: list[_Noted], *, ends: bool = False) -> None:
        """Put changes into the outbox; with *ends*, keep none any more, in the same instant."""
        waiting = [(number, *each) for number, each in enumerate(noted, self.noted + 1)]
        if waiting:
            self.noted += len(waiting)
            self.due = self.noted
        if ends:
            self.changes = None  # no call comes between this and the next one, so Ctrl-C does not either
        try:
            self.outbox += waiting  # no call, see `note_all`
        except MemoryError:  # the next call tries again
            if ends:
                self.changes = noted
            raise

    def attach(self, journal: Journal, *, provisional: bool = False) -> None:
        """Give every change from now on to a journal; a new calendar only."""
        self.journal, self.active, self.provisional = journal, True, provisional

    def open(self) -> None:
        """Begin to keep changes, so that they can be undone."""
        self.changes, self.active = [], True

    def close(self) -> None:
        """Keep no changes any more, and move the remaining ones to the outbox. If it is cut off, it may be called again."""
        self.handed.clear()
        self.active = bool(self.subscribers) or self.journal is not None
        kept = self.changes or []
        heard = [noted for noted in kept if noted[1]]
        # With a journal the last one, so that the call waits for its record also if no subscriber receives it; but a
        # journal that other processes write as well has appended all, as safely as was asked for, under the lock.
        waits = self.journal is not None and not self.provisional
        self._put(heard or (kept[-1:] if waits else []), ends=True)

    def subscribe(self, subscription: Subscription) -> None:
        """Notify a subscriber of every change from now on."""
        self.subscribers = (*self.subscribers, subscription)
        self.active = True

    def unsubscribe(self, subscription: Subscription) -> None:
        """Notify a subscriber no longer."""
        subscription.ended = True
        self.subscribers = tuple(active for active in self.subscribers if active is not subscription)
        self.active = bool(self.subscribers) or self.changes is not None or self.journal is not None

    def deliver(self, until: int) -> None:
        """Notify subscribers of the changes up to number *until*, or, where this thread must not wait, do so later."""
        if self.delivered < until:
            this_thread.due.append((self, until))
            deliver_all()

    def _deliver(self, until: int, wait: bool) -> bool:
        """Notify subscribers of the changes up to number *until*, in order, each once. The lock is not held.

        Returns False if another thread is doing that, unless this one is to *wait* for it. An exception of a subscriber is
        logged and affects neither the change nor other deliveries. Ctrl-C in a subscriber leaves the rest to the next call.
        """
        outbox, turn = self.outbox, self._turn
        try:
            if not turn.acquire(blocking=False):
                if not wait:
                    return False
                if not self._wait_for_turn(until):
                    return True
            while outbox and outbox[0][0] <= max(until, self._left):
                number, change, subscribers = outbox[0]
                while self._place < len(subscribers):
                    subscription = subscribers[self._place]
                    self._place += 1  # no more than once: one that always exits would stop the others
                    if not subscription.ended:
                        try:
                            subscription.callback(change)
                        except Exception as exc:
                            _report("a subscriber failed: %s", brief(subscription.callback), exc=exc)
                # no call comes between these, so Ctrl-C does not either
                self.delivered, self._place = number, 0
                outbox.popleft()
            self.delivered = max(self.delivered, until)
            return True
        except BaseException:
            self.remind()
            raise
        finally:
            try:
                turn.release()  # the first call here, so that Ctrl-C cannot leave it held
            except RuntimeError:  # it was not acquired
                pass

    def _wait_for_turn(self, until: int) -> bool:
        """Wait until no other thread delivers, but no longer than `SUBSCRIBER_TIMEOUT` for one call of a subscriber.

        Returns False if that is over. The other thread then delivers the changes up to number *until* as well, once the
        subscriber has returned; which it may not do before the present call does.
        """
        at = self.delivered, self._place
        while not self._turn.acquire(timeout=SUBSCRIBER_TIMEOUT):
            before, at = at, (self.delivered, self._place)
            if at != before or not self._place:
                continue
            try:
                subscription = self.outbox[0][2][self._place - 1]
            except IndexError:  # it has just returned
                continue
            self._left = max(self._left, until)
            self.remind()
            _report(
                "a subscriber has not returned for %g s, and may be waiting for a call that waits for it: %s; the call now "
                "returns before its changes have been delivered",
                SUBSCRIBER_TIMEOUT, brief(subscription.callback),
            )  # fmt: skip
            return False
        return True

    def remind(self) -> None:
        """Leave the delivery of what is in the outbox to the next call of the calendar, in any thread.

        The lock is not held: where another thread notes changes meanwhile, they are due as well.
        """
        seen = -1
        while seen != self.noted:
            seen = self.due = self.noted

    def leave_threads(self) -> None:
        """Go on without the other threads, in the child of a fork: the next call delivers what they have not."""
        if self._turn.acquire(blocking=False):
            self._turn.release()
        else:
            self._turn = threading.RLock()
            self.delivered = self.noted - len(self.outbox)
        if self.outbox:
            self.remind()


def deliver_all() -> None:
    """Deliver what this thread has to, unless it is in a subscriber: then it does so afterwards.

    In an open block of a calendar it does not wait for another thread that delivers, whose subscriber may be waiting for the
    end of the block: it delivers after the block.
    """
    thread = this_thread
    if thread.delivering:
        return
    later: list[tuple[Log, int]] = []  # first, because it may need memory
    thread.delivering = True
    try:
        while thread.due:
            log, until = thread.due.popleft()
            if not log._deliver(until, wait=not thread.is_in_block()):
                later.append((log, until))
    finally:
        thread.delivering = False  # before the calls below, after which Ctrl-C would leave it set for ever
        while thread.due:  # a subscriber was interrupted
            thread.due.popleft()[0].remind()
        thread.due.extend(later)


def deliver_after(call: Callable[[*Ts], T], *args: *Ts) -> T:
    """Call something, and notify subscribers after it: they may wait for other threads, which may wait for its end."""
    thread = this_thread
    delivering = thread.delivering
    thread.delivering = True
    try:
        return call(*args)
    finally:
        thread.delivering = delivering
        deliver_all()


def _report(message: str, *facts: object, exc: Exception | None = None) -> None:
    """Log an error of a subscriber. Without a logging configuration, Python prints errors to stderr."""
    import logging

    logging.getLogger("bookcore").error(message, *facts, exc_info=exc)
