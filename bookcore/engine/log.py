"""The changes of the open transaction, which may be undone, and the changes that are still to be delivered to subscribers.

    commit  ->  note(change)  ->  changes    of the open transaction, until it ends
                              ->  outbox     (change, the subscribers at that time), delivered without the lock

``active`` is false while no transaction is open and there are no subscribers: then no changes need be noted.
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
"""The slots of an event that a booking writes."""

facts_of = attrgetter(*_FACTS)
"""Return the values of these slots, for `restore_facts`."""


def restore_facts(event: Any, facts: tuple[Any, ...]) -> None:
    """Give an event the values back that it had before it was booked. O(1)."""
    for slot, value in zip(_FACTS, facts, strict=True):
        setattr(event, slot, value)


class Subscription:
    """A callback to be called with changes. Once it has ``ended``, it does not get those in the outbox either."""

    __slots__ = ("callback", "ended")

    def __init__(self, callback: Callable[[Change], Any]) -> None:
        self.callback = callback
        self.ended = False


_Noted: TypeAlias = tuple[Change, tuple[Subscription, ...]]


class Log:
    """The noted changes and the subscribers of one calendar. Used under the calendar's lock, except for `deliver`."""

    __slots__ = ("_delivering", "_subscribers", "active", "changes", "handed", "outbox")

    def __init__(self) -> None:
        self.active = False
        self.changes: list[_Noted] | None = None  # a list while a transaction is open
        # The events booked during the transaction, one for each `Booked` among the changes, in the same order, each with
        # its facts before it was booked (`facts_of`).
        self.handed: list[tuple[Any, tuple[Any, ...]]] = []
        self.outbox: deque[_Noted] = deque()
        self._subscribers: tuple[Subscription, ...] = ()
        self._delivering = threading.Lock()

    def note(self, change: Change) -> None:
        """Note a committed change. O(1)."""
        noted = change, self._subscribers  # a later subscriber gets only later changes
        if self.changes is not None:
            self.changes.append(noted)
        elif self._subscribers:
            self.outbox.append(noted)

    def open(self) -> None:
        """Begin a transaction."""
        self.changes, self.active = [], True

    def close(self) -> None:
        """End the transaction, and move its remaining changes to the outbox."""
        self.outbox.extend(noted for noted in self.changes or () if noted[1])
        self.handed.clear()
        self.changes = None
        self.active = bool(self._subscribers)

    def subscribe(self, subscription: Subscription) -> None:
        """Notify a subscriber of every change from now on."""
        self._subscribers = (*self._subscribers, subscription)
        self.active = True

    def unsubscribe(self, subscription: Subscription) -> None:
        """Notify a subscriber no longer."""
        subscription.ended = True
        self._subscribers = tuple(active for active in self._subscribers if active is not subscription)
        self.active = bool(self._subscribers) or self.changes is not None

    def deliver(self) -> None:
        """Notify subscribers of the changes in the outbox, in order, each once. The lock is not held.

        Only one thread delivers at a time; it also delivers the changes of the others. An exception of a subscriber is
        logged and affects neither the change nor other deliveries.
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
    """Log a subscriber's exception as an error. Without a logging configuration, Python prints errors to stderr."""
    import logging

    logging.getLogger("bookcore").error("a subscriber failed: %s", brief(subscriber), exc_info=exc)
