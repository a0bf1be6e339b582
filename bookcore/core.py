"""The state of a calendar and the few operations that change it. `Calendar` is built on this.

    command            check                         change (all or nothing)
    book, add          Keyring.admit, _room          store.claim, _events, entry.count
    remove             _standing                     store.remove, _events, entry.count
    question           Keyring.admit                 none: Answers over Catalog and store

One lock. A command holds it from its first check to its last change, a question while it reads. The one question
that does not take it is `Calendar.is_available` on its fast path: it reads ``_version`` before and after and starts
over, under the lock, if a change began in between (``_writing`` is nonzero while one is under way).

Every change goes through a method here, which also notes how to undo it (inside a transaction) and what to tell
subscribers. What is noted is one frozen record per change: the same a journal would write.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from itertools import islice
from types import SimpleNamespace
from typing import Any

from bookcore._keepers import Keepers
from bookcore.answers import Answers
from bookcore.bitmap import from_ordinals, ordinals, pick
from bookcore.catalog import Catalog, Entry
from bookcore.changes import (
    Booked,
    Change,
    Closed,
    HoursSet,
    Released,
    Reopened,
    ResourceAdded,
    ResourceRemoved,
)
from bookcore.errors import (
    BookcoreError,
    ConflictError,
    DuplicateBookingError,
    FieldError,
    KeyTypeError,
    QueryError,
    ResourceInUseError,
    StoreError,
    UnknownBookingError,
    brief,
)
from bookcore.expiry import expire, finish, watch
from bookcore.keys import Keyring, normal
from bookcore.model import BookingEvent, Closure, Resource, Status, _homes
from bookcore.policies import Decider, in_the_way
from bookcore.protocols import BookingStore, SupportsAvailability
from bookcore.register import Register
from bookcore.stores.fading import Fading
from bookcore.stores.memory import MemoryStore
from bookcore.terms import All, Available, Term

__all__ = ["Core"]

FEW = 64
"""Up to how many candidates are asked one by one (about 0.7 us each) rather than through the timeline."""

_BOUNDS = ("[)", "[]")

_ADOPTING = threading.Lock()  # two calendars may be given one resource at the same moment


class Core:
    """State and changes of one calendar; no public names of its own."""

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
        "_event_type",
        "_events",
        "_fading",
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
        "_store",
        "_subscribers",
        "_telling",
        "_undo",
        "_version",
        "_writing",
    )

    def __init__(
        self,
        store: BookingStore | None = None,
        *,
        bounds: str = "[)",
        clock: Callable[[], Any] | None = None,
        event_type: type[BookingEvent] = BookingEvent,
    ) -> None:
        if not isinstance(bounds, str) or bounds not in _BOUNDS:
            raise QueryError(bounds, "bounds are '[)' (the end is free again) or '[]' (the end is taken)")
        if clock is not None and not callable(clock):
            raise QueryError(clock, "a clock is a function that returns the present instant")
        if not (isinstance(event_type, type) and issubclass(event_type, BookingEvent)):
            raise QueryError(event_type, "event_type is BookingEvent or a subclass of it")
        store = MemoryStore() if store is None else store
        if not isinstance(store, BookingStore):
            raise StoreError(store, "has not the methods of bookcore.BookingStore")
        self._closed = closed = bounds == "[]"
        store.bind(closed)
        self._bounds = bounds
        self._clock = clock
        self._event_type = event_type
        self._lock = threading.RLock()
        self._version = 0
        self._writing = 0
        self._catalog = Catalog()
        self._by_id = self._catalog.by_id
        self._store = store
        self._index: SupportsAvailability = (
            store if isinstance(store, SupportsAvailability) else Decider(store, self._catalog, closed)
        )
        self._is_free = self._index.is_free
        self._claim = self._index.claim
        self._events = Register()
        self._seq = 0
        self._keys = Keyring(closed, self._held_keys)
        self._holds: dict[Hashable, Any] = {}  # by booking id: when it runs out, or None
        self._ran_out: dict[Hashable, Any] = {}  # the last few that ran out, so that `confirm` can say so
        self._deadlines: list[tuple[Any, int, Hashable]] = []  # (until, seq, id) in order, some of them stale
        self._passed = 0  # how many of them have passed
        self._own_store, self._own_index = store, self._index  # `_store`, `_index` but for while something fades
        self._fading = Fading(store) if isinstance(store, MemoryStore) else None
        self._closures = MemoryStore()  # closures are held like bookings of a pool that is never asked for room
        self._closures.bind(closed)
        self._standing_closures: dict[int, Closure] = {}
        self._closure_ids = 0
        self._keepers = Keepers()
        self._hours = self._keepers.by_rule  # who keeps which opening hours
        self._answers = Answers(self._catalog, self._available)
        self._undo: list[Callable[[], None]] | None = None  # a list while a transaction is open
        self._changes: list[Change] = []  # what the open transaction did
        self._subscribers: list[Callable[[Change], Any]] = []
        self._noting = False  # a transaction is open or somebody listens
        self._pending: deque[Change] = deque()  # what subscribers have not been told yet
        self._telling = threading.Lock()

    # -- locking -----------------------------------------------------------------------------------

    @contextmanager
    def _writer(self) -> Iterator[None]:
        """Hold the lock and let lock-free readers know."""
        with self._lock:
            self._writing += 1
            self._version += 1
            try:
                yield
            finally:
                self._writing -= 1
        if self._pending:
            self._tell()

    @contextmanager
    def _reader(self) -> Iterator[None]:
        """Hold the lock for a question, once the holds whose time has come are released."""
        try:
            with self._lock:
                if self._deadlines:
                    self._expire()
                yield
        finally:
            if self._pending:
                self._tell()

    # -- noting what happens -----------------------------------------------------------------------

    def _note(self, undo: Callable[[], None], change: Change) -> None:
        """Keep how to undo a change while a transaction is open, and tell of it once it has taken effect."""
        if self._undo is not None:
            self._undo.append(undo)
            self._changes.append(change)
        elif self._subscribers:
            self._pending.append(change)

    def _tell(self) -> None:
        """Give subscribers the pending changes, in order, each once, outside the lock.

        Whoever finds another thread telling leaves its changes to it. A subscriber that raises ends neither the change
        nor the telling; its exception goes to `sys.unraisablehook`, as that of a callback nobody waits for.
        """
        if self._undo is not None:
            return
        while self._pending and self._telling.acquire(blocking=False):
            try:
                while self._pending:
                    change = self._pending.popleft()
                    for subscriber in tuple(self._subscribers):
                        try:
                            subscriber(change)
                        except Exception as exc:
                            _report(subscriber, exc)
            finally:
                self._telling.release()

    # -- holds that run out ------------------------------------------------------------------------

    def _now(self) -> Any:
        """Ask the clock."""
        if self._clock is None:
            raise QueryError(None, "this needs to know the time: Calendar(clock=...)")
        return normal(self._clock())

    def _expire(self) -> None:
        """Release the holds whose time has come, if `_deadlines` says that there may be any. The lock is held."""
        expire(self)

    def _work_on(self, store: BookingStore, index: SupportsAvailability) -> None:
        """Have every question and change go to *store*, decided by *index*."""
        self._store, self._index = store, index
        self._is_free, self._claim = index.is_free, index.claim

    def _forget_keys(self) -> None:
        """Let the calendar take keys of any family once it holds none; what fades in the store is held there."""
        if not self._events and not self._standing_closures and self._store is self._own_store:
            self._keys.reset()

    # -- looking up --------------------------------------------------------------------------------

    def _held_keys(self) -> Iterator[Any]:
        finish(self)
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

    def _entry_of(self, event: BookingEvent) -> Entry:
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
        if self._deadlines:
            with self._reader():
                return event._home is self
        return event._home is self

    def _status(self, event: BookingEvent) -> Status:
        if not self._holds_lock(event):
            return Status.RELEASED
        return Status.HELD if event._id in self._holds else Status.CONFIRMED

    # -- the one predicate -------------------------------------------------------------------------

    def _room(self, entry: Entry, low: Any, high: Any, quantity: int) -> bool:
        """Tell whether a booking would be accepted now: the question behind every search, and behind `book`."""
        if quantity > entry.capacity:
            return False
        if entry.guarded:
            if entry.closures is not None and not self._closures.is_free(entry.closures, low, high, 1):
                return False
            if entry.hours is not None and not entry.hours.is_open(low, high, closed=self._closed):
                return False
        return self._is_free(entry, low, high, quantity)

    def _available(self, term: Available, within: int) -> int:
        """Return who of *within* has room, as `_room` says, for all at once."""
        low, high = self._keys.admit(term.start, term.end)
        quantity = term.quantity
        everything = self._catalog.everything.value()
        if (within is not everything and within.bit_count() <= FEW) or len(self._by_id) <= 8:
            found = 0
            for number in ordinals(within):
                entry = self._catalog.entries[number]
                if entry is not None and self._room(entry, low, high, quantity):
                    found |= 1 << number
            return found
        taken = self._index.busy(low, high, quantity)
        if self._standing_closures:
            taken |= self._closures.busy(low, high, 1)
        if self._hours:
            taken |= self._keepers.closed(low, high, self._closed)
        return within ^ (within & taken)

    # -- answering ---------------------------------------------------------------------------------

    def _count(self, term: Term) -> int:
        with self._reader():
            return self._answers.evaluate(term, self._catalog.everything.value()).bit_count()

    def _matches(self, term: Term, resource: Any) -> bool:
        with self._reader():
            try:
                entry = self._catalog.entry(resource)
            except LookupError:
                return False
            return bool(self._answers.evaluate(term, 1 << entry.number))

    def _bits(self, term: Term, n: int | None) -> int:
        """Return the matches; with *n*, at least the first *n* of them (or all there are)."""
        everything = self._catalog.everything.value()
        if n is None or n > FEW:
            return self._answers.evaluate(term, everything)
        # Cheap terms once for all; then the first few dozen candidates are asked one by one, which mostly gives enough,
        # before the whole timeline is read for the rest.
        candidates, term = self._answers.narrow(term, everything)
        if isinstance(term, All):
            return candidates
        found = asked = 0
        numbers = ordinals(candidates)
        for width in (2 * n + 8, FEW, FEW):
            window = from_ordinals(islice(numbers, width), self._catalog.size)
            found |= self._answers.evaluate(term, window)
            asked |= window
            if found.bit_count() >= n or not window:
                return found
        return found | self._answers.evaluate(term, candidates ^ asked)

    def _select(self, term: Term, order: str | Callable[[Any], Any] | None, n: int | None) -> list[Any]:
        with self._reader():
            objects = self._catalog.objects
            if order is None:
                bits = self._bits(term, n)
                return pick(bits, objects) if n is None else _pick_first(bits, objects, n)
            bits = self._answers.evaluate(term, self._catalog.everything.value())
            if isinstance(order, str):
                found: list[Any] = []
                for number in self._catalog.index(order).in_order(bits):
                    if n is not None and len(found) >= n:
                        break
                    found.append(objects[number])
                return found
            found = pick(bits, objects)
        return _sorted_by(found, order)[:n]

    def _ids(self, term: Term, order: str | Callable[[Any], Any] | None) -> list[Any]:
        with self._reader():
            return [resource.id for resource in self._select(term, order, None)]

    # -- changing ----------------------------------------------------------------------------------

    def _insert(
        self, entry: Entry, low: Any, high: Any, event: BookingEvent, id: Hashable, held: bool = False, until: Any = None
    ) -> None:
        """Book *event*, whose facts have been checked, under *id* (None: a new one), or raise and change nothing."""
        events = self._events
        try:
            standing = None if id is None else events.get(id)
        except Exception as exc:  # unhashable, or the object's own code
            raise FieldError(type(event), ["id"], "an id must be hashable") from exc
        if standing is not None:
            raise DuplicateBookingError(event, standing)
        seq = self._seq + 1
        while id is None and seq in events:
            seq += 1
        before = event._seq
        facts = (before, event._id, event._resource) if self._noting else None
        event._seq = seq
        try:
            if event._quantity > entry.capacity or (entry.guarded and not self._room(entry, low, high, event._quantity)):
                raise self._conflict(entry, low, high, event._start, event._end, event._quantity)
            if not self._claim(entry, low, high, event):
                raise self._conflict(entry, low, high, event._start, event._end, event._quantity)
        except BaseException as exc:
            event._seq = before
            if isinstance(exc, Exception):
                self._reraise(exc, event._start)
            raise
        self._seq = seq
        keys = self._keys
        if type(low) is not keys.plain or type(high) is not keys.plain:
            keys.learn(low, high)
        event._id = id = seq if id is None else id
        event._resource = entry.resource
        event._home = self  # type: ignore[assignment]
        events[id] = event
        entry.count += 1
        if held:
            self._hold(event, until)
        if self._noting:
            self._note(lambda: self._take_back(event, facts), Booked(event, held, until))

    def _take_back(self, event: BookingEvent, facts: Any) -> None:
        """Undo a booking: with the facts it had before, its place in the order among them, it was never made."""
        self._delete(event)
        event._seq, event._id, event._resource = facts

    def _hold(self, event: BookingEvent, until: Any) -> None:
        """Mark a standing booking as held, until an instant or without end."""
        self._holds[event._id] = until
        if until is not None and self._clock is not None:  # without a clock, it runs out when a change says so
            watch(self, until, event)

    def _delete(self, event: BookingEvent) -> None:
        """Release a standing booking."""
        entry = self._entry_of(event)
        low, high = event._start, event._end
        keys = self._keys
        if type(low) is not keys.plain or type(high) is not keys.plain or keys.zone is not None:
            low, high = normal(low), normal(high)
        self._store.remove(entry, low, high, event)
        del self._events[event._id]
        entry.count -= 1
        event._home = None
        held = event._id in self._holds
        until = self._holds.pop(event._id, None) if held else None
        self._forget_keys()
        if self._noting:
            self._note(lambda: self._reinsert(entry, event, held, until), Released(event))

    def _reinsert(self, entry: Entry, event: BookingEvent, held: bool, until: Any) -> None:
        """Undo a release: the same booking, in the same place in every order."""
        self._store.put(entry, normal(event._start), normal(event._end), event)
        self._keys.learn(normal(event._start), normal(event._end))
        event._home = self  # type: ignore[assignment]
        self._events[event._id] = event
        entry.count += 1
        if held:
            self._hold(event, until)

    def _check(self) -> None:
        """Raise AssertionError unless events, entries, catalog and store agree."""
        if hasattr(self._store, "check"):
            self._store.check()
        for index in self._catalog.indexes.values():
            index.check()
        self._events.check()
        seen = 0
        for entry in self._by_id.values():
            found = self._store.overlapping(entry, None, None)
            seen += len(found)
            if len(found) != entry.count or any(self._events.get(e._id) is not e for e in found):
                raise AssertionError(f"{entry!r} holds {len(found)} bookings, {entry.count} counted")
        if seen != len(self._events):
            raise AssertionError(f"{seen} bookings in the store, {len(self._events)} by id")

    def _reraise(self, exc: Exception, key: Any) -> None:
        """Raise what a comparison of the user's keys raised as an error of ours; return for errors of ours."""
        if not isinstance(exc, BookcoreError):
            raise KeyTypeError(key, f"could not be compared: {type(exc).__name__}: {exc}") from exc

    def _conflict(self, entry: Entry, low: Any, high: Any, start: Any, end: Any, quantity: int) -> ConflictError:
        """Return the error that names everything in the way."""
        causes = []
        if quantity > entry.capacity:
            causes.append(f"its capacity is {entry.capacity}")
        if entry.closures is not None:
            causes += [f"closed: {c.reason}" for c in self._closures.overlapping(entry.closures, low, high)]
        if entry.hours is not None and not entry.hours.is_open(low, high, closed=self._closed):
            causes.append("outside its opening hours")
        found = in_the_way(self._store.overlapping, entry, low, high, self._closed)
        return ConflictError(
            entry.resource, start, end, found, causes=causes, quantity=quantity, bounds=self._bounds
        )

    def _make(self, resource: Any, start: Any, end: Any, quantity: Any, fields: dict[str, Any]) -> BookingEvent:
        """Make an event of the calendar's type; what its class does not take is a `FieldError`."""
        cls = self._event_type
        try:
            event = cls(resource, start, end, quantity=quantity, **fields)
        except Exception as exc:
            raise FieldError(cls, fields, f"{type(exc).__name__}: {exc}") from exc
        if not hasattr(event, "_seq"):  # made by a dataclass's own __init__, which knows nothing of these
            event._seq = event._home = event._fields = None
        return event

    def _add_entry(self, resource: Any, capacity: int | None, before: Any, after: Any) -> Entry:
        entry = self._catalog.prepare(resource, capacity, before, after)
        entry.calendar = self
        self._catalog.add(entry)
        try:
            self._store.add_resource(entry)
            _adopt(entry, self)
        except BaseException:
            self._catalog.remove(entry)
            raise
        if self._noting:
            change = ResourceAdded(resource, entry.capacity, entry.before, entry.after)
            self._note(lambda: self._remove_entry(entry, last=True), change)
        return entry

    def _remove_entry(self, entry: Entry, last: bool = False) -> None:
        """Forget a resource without bookings, and its closures and hours; with *last*, its number as well."""
        if entry.count:
            raise ResourceInUseError(entry.resource, entry.count)
        closures = self._closures_of(entry)
        for closure in closures:
            self._reopen(entry, closure)
        hours = entry.hours
        if hours is not None:
            self._set_hours(entry, None)
        labels = self._catalog.labels(entry)
        self._store.remove_resource(entry)
        self._catalog.remove(entry)
        _abandon(entry, self)
        if last:
            self._catalog.objects.pop()
            self._catalog.entries.pop()
        if self._noting:

            def undo() -> None:
                self._catalog.restore(entry, labels)
                self._store.add_resource(entry)
                _adopt(entry, self)

            self._note(undo, ResourceRemoved(entry.resource))

    # -- closures and hours ------------------------------------------------------------------------

    def _closures_of(self, entry: Entry) -> list[Closure]:
        """Return the closures of a resource, by start, then in order of making."""
        if entry.closures is None:
            return []
        found: Any = self._closures.overlapping(entry.closures, None, None)
        return list(found)

    def _close(self, entry: Entry, low: Any, high: Any, closure: Closure) -> None:
        """Put a closure in force."""
        if entry.closures is None:
            shadow = Entry(entry.id, entry.resource, entry.number, 1)
            shadow.plain = False  # closures may overlap
            self._closures.add_resource(shadow)
        else:
            shadow = entry.closures
        self._closures.put(shadow, low, high, closure)  # type: ignore[arg-type]
        entry.closures = shadow
        entry.guarded = True
        entry.publish()
        self._standing_closures[closure.id] = closure
        self._keys.learn(low, high)
        if self._noting:
            self._note(lambda: self._reopen(entry, closure), Closed(closure))

    def _reopen(self, entry: Entry, closure: Closure) -> None:
        """Lift a standing closure."""
        low, high = normal(closure.start), normal(closure.end)
        self._closures.remove(entry.closures, low, high, closure)  # type: ignore[arg-type]
        del self._standing_closures[closure.id]
        if not self._closures.overlapping(entry.closures, None, None):
            self._closures.remove_resource(entry.closures)
            entry.closures = None
            entry.guarded = entry.hours is not None
            entry.publish()
        self._forget_keys()
        if self._noting:
            self._note(lambda: self._close(entry, low, high, closure), Reopened(closure))

    def _set_hours(self, entry: Entry, hours: Any) -> None:
        """Give a resource opening hours, or none."""
        before = entry.hours
        self._keepers.change(entry.number, before, hours)
        entry.hours = hours
        entry.guarded = hours is not None or entry.closures is not None
        entry.publish()
        if self._noting:
            self._note(lambda: self._set_hours(entry, before), HoursSet(entry.resource, hours))


def _report(subscriber: object, exc: Exception) -> None:
    """Hand an exception that nobody waits for to the interpreter's hook for such, which prints it by default."""
    facts = SimpleNamespace(
        exc_type=type(exc), exc_value=exc, exc_traceback=exc.__traceback__, err_msg="In a subscriber", object=subscriber
    )
    sys.unraisablehook(facts)


def _adopt(entry: Entry, calendar: Any) -> None:
    """Let a `Resource` know which calendar it is in; foreign objects are left alone.

    The first calendar it is added to is its owner, whose answers it holds; others find it by its id. Were it the last, two
    calendars, each under its own lock, could write to one resource.
    """
    resource = entry.resource
    if isinstance(resource, Resource):
        with _ADOPTING:
            object.__setattr__(resource, "_calendars", (*_homes(resource), calendar))
            if getattr(resource, "_owner", None) is not None:
                return
            object.__setattr__(resource, "_entry", entry)
            object.__setattr__(resource, "_owner", calendar)
        entry.publish()


def _abandon(entry: Entry, calendar: Any) -> None:
    resource = entry.resource
    if isinstance(resource, Resource):
        with _ADOPTING:
            homes = tuple(home for home in _homes(resource) if home is not calendar)
            object.__setattr__(resource, "_calendars", homes)
            if getattr(resource, "_owner", None) is calendar:
                for name in ("_entry", "_free", "_lane", "_owner"):
                    object.__setattr__(resource, name, None)


def _pick_first(bits: int, objects: list[Any], n: int) -> list[Any]:
    """Return the first *n* objects of *bits*, reading it 4,096 numbers at a time."""
    found: list[Any] = []
    base = 0
    while len(found) < n and bits:
        found += pick(bits & ((1 << 4096) - 1), objects[base : base + 4096])
        bits >>= 4096
        base += 4096
    return found[:n]


def _sorted_by(found: list[Any], key: Callable[[Any], Any]) -> list[Any]:
    """Return *found* in order of *key*, stable, those without a value last."""
    valued, missing = [], []
    for resource in found:
        try:
            value = key(resource)
            has = value is not None and bool(value == value)
        except (AttributeError, LookupError):
            has = False
        except Exception as exc:
            raise QueryError(resource, f"the key of order_by raised {type(exc).__name__}: {exc}") from exc
        if has:
            valued.append((value, resource))
        else:
            missing.append(resource)
    try:
        valued.sort(key=lambda pair: pair[0])
    except Exception as exc:
        raise QueryError(key, f"order_by got values that cannot be ordered: {brief(str(exc))}") from exc
    return [resource for _, resource in valued] + missing

