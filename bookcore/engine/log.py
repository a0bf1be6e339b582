"""Which changes are to be undone with the open transaction, and which subscribers have not been notified of yet.

    commit  ->  note(change)  ->  changes    the open transaction's, until it ends
                              ->  outbox     (change, the subscribers at that time), delivered outside the lock

``active`` is false while no transaction is open and nobody subscribes: then no records of changes need be made at all.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias

from bookcore.model.change import Change
from bookcore.model.errors import brief

__all__ = ["Log", "Subscription", "facts_of", "restore_facts"]


_FACTS = ("_seq", "_lock", "_home", "_id", "_resource")
"""What booking writes into an event."""

facts_of = attrgetter(*_FACTS)
"""Return what an event says of the booking that it stands for, for `restore_facts`."""


def restore_facts(event: Any, facts: tuple[Any, ...]) -> None:
    """Let an event be what it was before it was booked. O(1)."""
    for slot, value in zip(_FACTS, facts, strict=True):
        setattr(event, slot, value)


class Subscription:
    """A request to be notified of changes. ``ended``: of no more, not even of those in the outbox."""

    __slots__ = ("callback", "ended")

    def __init__(self, callback: Callable[[Change], Any]) -> None:
        self.callback = callback
        self.ended = False


_Noted: TypeAlias = tuple[Change, tuple[Subscription, ...]]


class Log:
    """The changes of one calendar on their way. Stays behind its lock, but for `deliver`."""

    __slots__ = ("_delivering", "_subscribers", "active", "changes", "handed", "outbox")

    def __init__(self) -> None:
        self.active = False
        self.changes: list[_Noted] | None = None  # a list while a transaction is open
        # Events that were booked during the transaction, one for each `Booked` among the changes, in the same order, and
        # what they said of themselves before: see `facts_of`.
        self.handed: list[tuple[Any, tuple[Any, ...]]] = []
        self.outbox: deque[_Noted] = deque()
        self._subscribers: tuple[Subscription, ...] = ()
        self._delivering = threading.Lock()

    def note(self, change: Change) -> None:
        """Take a change that has been committed. O(1)."""
        noted = change, self._subscribers  # those who subscribe later hear of later changes
        if self.changes is not None:
            self.changes.append(noted)
        elif self._subscribers:
            self.outbox.append(noted)

    def open(self) -> None:
        """Begin a transaction."""
        self.changes, self.active = [], True

    def close(self) -> None:
        """End the transaction; what is still noted of it is to be delivered."""
        self.outbox.extend(noted for noted in self.changes or () if noted[1])
        self.handed.clear()
        self.changes = None
        self.active = bool(self._subscribers)

    def subscribe(self, subscription: Subscription) -> None:
        """Notify a subscriber of every change from now on."""
        self._subscribers = (*self._subscribers, subscription)
        self.active = True

    def unsubscribe(self, subscription: Subscription) -> None:
        """Notify a subscriber of nothing more."""
        subscription.ended = True
        self._subscribers = tuple(other for other in self._subscribers if other is not subscription)
        self.active = bool(self._subscribers) or self.changes is not None

    def deliver(self) -> None:
        """Notify subscribers of the changes in the outbox, in order, each once. The lock is not held.

        A thread that finds another one delivering leaves its changes to it. A subscriber that raises ends neither the change
        nor the delivery; its exception is logged.
        """
        while self.outbox and self._delivering.acquire(blocking=False):
            try:
                while self.outbox:
                    change, subscribers = self.outbox.popleft()
                    for subscription in subscribers:
                        if subscription.ended:
                            continue
                        try:
                            subscription.callback(change)
                        except Exception as exc:
                            _report(subscription.callback, exc)
            finally:
                self._delivering.release()


def _report(subscriber: object, exc: Exception) -> None:
    """Log an exception that no caller waits for; Python prints what is logged as an error and not handled."""
    import logging

    logging.getLogger("bookcore").error("a subscriber failed: %s", brief(subscriber), exc_info=exc)
