"""The state of a calendar, its lock, and what is told of changes.

One lock. A command holds it from its first check to its last change, a question while it reads. The one question
that does not take it is `Calendar.is_available` on its fast path: it reads ``_still`` before and after and starts
over, under the lock, if that is None or another by then:

    _writing    0     1     2     1     0           how many changes are under way, one inside the other
    _version    7     8     9     9     9           how many have begun
    _still      7    None  None  None   9           the version; None in a change, and while holds may run out

All three are set without a call, since Python may interrupt a program (Ctrl-C) at every call and at no other place
here. ``_still`` may stay None for longer: the next reader, who then takes the lock, sets it.

What is noted of a change is how to undo it (inside a transaction) and one frozen record for subscribers: the same a
journal would write.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from bookcore.engine.buffers import BufferIndex
from bookcore.engine.holds import expire, finish
from bookcore.engine.opening_hours import OpeningHoursIndex
from bookcore.engine.registry import Registry
from bookcore.index.id_table import IdTable
from bookcore.model.change import (
    Change,
)
from bookcore.model.errors import (
    BookcoreError,
    KeyTypeError,
    QueryError,
    StoreError,
    UnknownBookingError,
    brief,
)
from bookcore.model.keys import KeyFamily, normal
from bookcore.model.records import BookingEvent, Closure, Status
from bookcore.model.typecheck import is_a, plain_text
from bookcore.query.planner import Answers
from bookcore.stores.generic import GenericAvailability
from bookcore.stores.memory.store import MemoryStore
from bookcore.stores.memory.tombstones import Tombstones
from bookcore.stores.protocol import BookingStore, SupportsAvailability
from bookcore.stores.record import ResourceRecord

if TYPE_CHECKING:
    from bookcore.engine.core import Core

__all__ = ["Base", "Subscription"]

_BOUNDS = ("[)", "[]")


class Subscription:
    """One request to be told of changes. ``ended``: it is to be told no more, not even of what waits."""

    __slots__ = ("callback", "ended")

    def __init__(self, callback: Callable[[Change], Any]) -> None:
        self.callback = callback
        self.ended = False


_Told: TypeAlias = tuple[Change, tuple[Subscription, ...]]


class Reading:
    """The lock of a calendar, held while something is asked of it. Without state of its own: one serves all threads.

    Not a generator under `contextmanager`, which costs a question 0.6 us more.
    """

    __slots__ = ("_calendar",)

    def __init__(self, calendar: Base) -> None:
        self._calendar = calendar

    def __enter__(self) -> None:
        calendar = self._calendar
        calendar._lock.acquire()
        calendar._depth += 1
        if calendar._deadlines:
            try:
                calendar._expire()
            except BaseException as exc:
                self.__exit__(type(exc), exc, None)
                raise

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        calendar = self._calendar
        calendar._depth -= 1
        calendar._lock.release()
        try:
            if isinstance(exc, Exception):
                calendar._blame(exc)
        finally:  # a call that is refused may have found that holds ran out
            if calendar._pending:
                calendar._tell()


class Writing(Reading):
    """The same while something is changed: who reads without the lock is told, by ``_still``."""

    __slots__ = ()

    def __enter__(self) -> None:
        calendar = self._calendar
        calendar._lock.acquire()
        calendar._depth += 1
        calendar._still = None
        calendar._writing += 1
        calendar._version += 1

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        self._calendar._writing -= 1
        super().__exit__(kind, exc, trace)


class Base:
    """State of one calendar, its lock, and what is told of changes; no public names of its own."""

    __slots__ = (  # past thirty attributes Python no longer reads them out of a shared layout
        "_answers",
        "_bounds",
        "_by_id",
        "_catalog",
        "_changes",
        "_claim",
        "_clock",
        "_closed",
        "_closure_ids",
        "_closures",
        "_deadlines",
        "_depth",
        "_event_type",
        "_events",
        "_fading",
        "_for_reading",
        "_for_writing",
        "_holds",
        "_hours",
        "_index",
        "_is_free",
        "_keepers",
        "_keys",
        "_lock",
        "_noting",
        "_own_index",
        "_own_store",
        "_passed",
        "_pending",
        "_ran_out",
        "_seq",
        "_standing_closures",
        "_still",
        "_store",
        "_subscribers",
        "_telling",
        "_turnarounds",
        "_undo",
        "_version",
        "_writing",
    )

    def __init__(
        self,
        store: BookingStore[Any] | None = None,
        *,
        bounds: str = "[)",
        clock: Callable[[], Any] | None = None,
        event_type: type[BookingEvent] = BookingEvent,
    ) -> None:
        sort = plain_text(bounds)
        if sort not in _BOUNDS:
            raise QueryError(bounds, "bounds are '[)' (the end is free again) or '[]' (the end is taken)")
        if clock is not None and not callable(clock):
            raise QueryError(clock, "a clock is a function that returns the present instant")
        if not (is_a(event_type, type) and issubclass(event_type, BookingEvent)):
            raise QueryError(event_type, "event_type is BookingEvent or a subclass of it")
        store = MemoryStore() if store is None else store
        if is_a(store, type):
            raise StoreError(store, f"is a class, not a store: {store.__name__}()")
        if not _is_store(store):
            raise StoreError(store, "has not the methods of bookcore.BookingStore")
        self._closed = closed = sort == "[]"
        try:
            store.bind(closed)
        except (BookcoreError, MemoryError):
            raise
        except Exception as exc:
            raise StoreError(store, f"failed: {type(exc).__name__}: {exc}") from exc
        self._bounds = sort
        self._clock = clock
        self._event_type = event_type
        self._lock = threading.RLock()
        self._depth = 0  # how many `Reading` and `Writing` hold the lock, one inside the other
        self._for_reading, self._for_writing = Reading(self), Writing(self)
        self._version = self._writing = 0
        self._still: int | None = 0
        self._catalog = Registry()
        self._by_id = self._catalog.by_id
        self._store = store
        self._index: SupportsAvailability[Any] = (
            store if isinstance(store, SupportsAvailability) else GenericAvailability(store, self._catalog, closed)
        )
        self._is_free = self._index.is_free
        self._claim = self._index.claim
        self._events = IdTable()
        self._seq = 0
        self._keys = KeyFamily(closed, self._held_keys)
        self._holds: dict[Hashable, Any] = {}  # by booking id: when it runs out, or None
        self._ran_out: dict[Hashable, Any] = {}  # the last few that ran out, so that `confirm` can say so
        self._deadlines: list[tuple[Any, int, Hashable]] = []  # (until, seq, id) in order, some of them stale
        self._passed = 0  # how many of them have passed
        self._own_store, self._own_index = store, self._index  # `_store`, `_index` but for while something fades
        self._fading = Tombstones(store) if isinstance(store, MemoryStore) else None
        self._closures = MemoryStore()  # closures are held like bookings of a pool that is never asked for room
        self._closures.bind(closed)
        self._standing_closures: dict[int, Closure] = {}
        self._closure_ids = 0
        self._keepers = OpeningHoursIndex()
        self._turnarounds = BufferIndex()
        self._hours = self._keepers.by_rule  # who keeps which opening hours
        self._answers = Answers(self._catalog, cast("Core", self)._available)
        self._undo: list[Callable[[], None]] | None = None  # a list while a transaction is open
        self._changes: list[_Told] = []  # what the open transaction did
        self._subscribers: tuple[Subscription, ...] = ()
        self._noting = False  # a transaction is open or somebody listens
        self._pending: deque[_Told] = deque()  # what subscribers have not been told yet
        self._telling = threading.Lock()

    # -- locking -----------------------------------------------------------------------------------

    def _writer(self) -> Writing:
        """Hold the lock and let lock-free readers know: for a ``with``."""
        return self._for_writing

    def _reader(self) -> Reading:
        """Hold the lock for a question, once the holds whose time has come are released: for a ``with``."""
        return self._for_reading

    def _blame(self, exc: Exception) -> None:
        """Raise what may come of a comparison by the user's own code as an error of ours; return for all else."""
        if self._keys.foreign and not isinstance(exc, BookcoreError):
            key = self._keys.sample()
            raise KeyTypeError(key, f"could not be compared: {type(exc).__name__}: {exc}") from exc

    # -- noting what happens -----------------------------------------------------------------------

    def _note(self, undo: Callable[[], None], change: Change) -> None:
        """Keep how to undo a change while a transaction is open, and tell of it once it has taken effect."""
        told = change, self._subscribers  # who listens now; who comes later hears of later changes
        if self._undo is not None:
            self._undo.append(undo)
            self._changes.append(told)
        elif self._subscribers:
            self._pending.append(told)

    def _tell(self) -> None:
        """Give subscribers the pending changes, in order, each once, outside the lock.

        Whoever finds another thread telling leaves its changes to it. A subscriber that raises ends neither the change
        nor the telling; its exception is logged.
        """
        if self._undo is not None or self._depth:  # the lock is held: whoever gives it up last tells
            return
        while self._pending and self._telling.acquire(blocking=False):
            try:
                while self._pending:
                    change, listening = self._pending.popleft()
                    for subscription in listening:
                        if subscription.ended:
                            continue
                        try:
                            subscription.callback(change)
                        except Exception as exc:
                            _report(subscription.callback, exc)
            finally:
                self._telling.release()

    # -- holds that run out ------------------------------------------------------------------------

    def _now(self) -> Any:
        """Ask the clock."""
        if self._clock is None:
            raise QueryError(self, "it cannot know the time: Calendar(clock=...) takes a function that tells it")
        now = self._clock()
        try:
            none = bool(now != now)
        except Exception as exc:
            raise KeyTypeError(now, f"the clock's instant cannot be compared ({type(exc).__name__})") from exc
        if none:  # a NaN or NaT is before no deadline: every hold would run out
            raise KeyTypeError(now, "the clock tells no instant")
        return normal(now)

    def _expire(self) -> None:
        """Release the holds whose time has come, if `_deadlines` says that there may be any. The lock is held."""
        expire(cast("Core", self))

    def _work_on(self, store: BookingStore[Any], index: SupportsAvailability[Any]) -> None:
        """Have every question and change go to *store*, decided by *index*."""
        self._store, self._index = store, index
        self._is_free, self._claim = index.is_free, index.claim

    def _forget_keys(self) -> None:
        """Let the calendar take keys of any family once it holds none; what fades in the store is held there."""
        if not self._events and not self._standing_closures and self._store is self._own_store:
            self._keys.reset()

    # -- looking up --------------------------------------------------------------------------------

    def _held_keys(self) -> Iterator[Any]:
        finish(cast("Core", self))
        for event in self._events.values():
            for key in (event._start, event._end):
                if key is not None:
                    yield normal(key)
        for closure in self._standing_closures.values():
            for key in (closure.start, closure.end):
                if key is not None:
                    yield normal(key)

    def _standing(self, event_or_id: Any) -> BookingEvent:
        """Return the booking meant, which stands in this calendar, or raise `UnknownBookingError`."""
        try:
            if isinstance(event_or_id, BookingEvent):
                found = self._events.get(event_or_id._id)
                if found is not event_or_id:
                    why = "it is not booked in this calendar"
                    if found is not None:
                        why += "; another booking has its id (was it moved, or booked again?)"
                    raise UnknownBookingError(event_or_id, why)
            else:
                found = self._events.get(event_or_id)
        except BookcoreError:
            raise
        except Exception:  # unhashable, or the object's own code
            found = None
        if found is None:
            raise UnknownBookingError(event_or_id)
        return found

    def _entry_of(self, event: BookingEvent) -> ResourceRecord:
        """Return the record of a standing booking's resource."""
        resource = event._resource
        try:
            entry = getattr(resource, "_entry", None)
            if entry is not None and entry.calendar is self:
                return entry  # type: ignore[no-any-return]
            entry = self._by_id[resource.id]
            if entry.resource is resource:
                return entry
        except Exception:  # noqa: S110 - the object's own code, or its id is another by now
            pass
        return next(entry for entry in self._by_id.values() if entry.resource is resource)

    def _holds_lock(self, event: BookingEvent) -> bool:
        with self._reader():
            return event._home is self

    def _status(self, event: BookingEvent) -> Status:
        with self._reader():
            if event._home is not self:
                return Status.RELEASED
            return Status.HELD if event._id in self._holds else Status.CONFIRMED


def _is_store(value: Any) -> bool:
    """Tell whether *value* has the methods of a store, which a wrapper may have from what it wraps."""
    try:
        return isinstance(value, BookingStore)
    except Exception:  # the object's own code
        return False


def _report(subscriber: object, exc: Exception) -> None:
    """Log an exception that nobody waits for; Python prints what is logged as an error and not handled."""
    import logging

    logging.getLogger("bookcore").error("a subscriber failed: %s", brief(subscriber), exc_info=exc)
