"""The few operations that change a calendar. `Calendar` is built on this.

    command            check                         change (all or nothing)
    book, add          KeyFamily.admit, _room          store.claim, _events, entry.count
    remove             _standing                     store.remove, _events, entry.count

Every change goes through a method here, under the lock (`bookcore.engine.base`), and notes how to undo it and what to tell.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from functools import partial
from typing import Any
from weakref import ref

from bookcore.engine.holds import place_of
from bookcore.model.change import (
    Booked,
    Closed,
    HoursSet,
    Released,
    Reopened,
    ResourceAdded,
    ResourceRemoved,
)
from bookcore.model.errors import (
    BookcoreError,
    ConflictError,
    DuplicateBookingError,
    FieldError,
    KeyTypeError,
    ResourceError,
    ResourceInUseError,
    StoreError,
    brief,
    brief_key,
)
from bookcore.model.explanation import key_text
from bookcore.model.keys import is_foreign, normal
from bookcore.model.lengths import is_movable
from bookcore.model.records import BookingEvent, Closure, Resource, _homes
from bookcore.model.typecheck import is_a
from bookcore.query.availability import Asking
from bookcore.stores.generic import blocking_bookings
from bookcore.stores.record import ResourceRecord

__all__ = ["Core"]

_MISSING: Any = object()
_ADOPTING = threading.Lock()  # two calendars may be given one resource at the same moment


class Core(Asking):
    """Questions and changes of one calendar; no public names of its own."""

    __slots__ = ()

    # -- changing ----------------------------------------------------------------------------------

    def _insert(
        self, entry: ResourceRecord, low: Any, high: Any, event: BookingEvent, id: Hashable, held: bool = False, until: Any = None
    ) -> None:
        """Book *event*, whose facts have been checked, under *id* (None: a new one), or raise and change nothing."""
        events = self._events
        try:
            standing = None if id is None else events.get(id)
        except Exception as exc:  # unhashable, or the object's own code
            raise FieldError(type(event), ["id"], "an id must be hashable") from exc
        if standing is not None:
            event._id = id
            raise DuplicateBookingError(event, standing)
        seq = self._seq + 1
        while id is None and seq in events:
            seq += 1
        place = place_of(self, until, seq) if until is not None and self._clock is not None else None
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
                self._reraise(exc, low, high)
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
            self._hold(event, until, place)
        if self._noting:
            self._note(lambda: self._take_back(event, facts), Booked(event, held, until))

    def _take_back(self, event: BookingEvent, facts: Any) -> None:
        """Undo a booking: with the facts it had before, its place in the order among them, it was never made."""
        self._delete(event)
        event._seq, event._id, event._resource = facts

    def _hold(self, event: BookingEvent, until: Any, place: int | None = None) -> None:
        """Mark a standing booking as held, until an instant or without end; *place*: see `place_of`, if it is known.

        O(log holds), and a move of memory where later ones are watched.
        """
        if until is not None and self._clock is not None:  # without a clock, it runs out when a change says so
            seq = event._seq or 0
            self._deadlines.insert(place_of(self, until, seq) if place is None else place, (until, seq, event._id))
        self._holds[event._id] = until

    def _delete(self, event: BookingEvent) -> None:
        """Release a standing booking."""
        entry = self._entry_of(event)
        low, high = event._start, event._end
        keys = self._keys
        if type(low) is not keys.plain or type(high) is not keys.plain or keys.zone is not None:
            low, high = normal(low), normal(high)
        try:
            self._store.remove(entry, low, high, event)
        except Exception as exc:
            self._reraise(exc, low, high)
            raise
        del self._events[event._id]
        entry.count -= 1
        event._home = None
        held = event._id in self._holds
        until = self._holds.pop(event._id, None) if held else None
        self._forget_keys()
        if self._noting:
            self._note(lambda: self._reinsert(entry, event, held, until), Released(event))

    def _reinsert(self, entry: ResourceRecord, event: BookingEvent, held: bool, until: Any) -> None:
        """Undo a release: the same booking, in the same place in every order."""
        self._store.put(entry, normal(event._start), normal(event._end), event)
        self._keys.learn(normal(event._start), normal(event._end))
        event._home = self  # type: ignore[assignment]
        self._events[event._id] = event
        entry.count += 1
        if held:
            self._hold(event, until)

    def _reraise(self, exc: Exception, *keys: Any) -> None:
        """Raise what a store raised as an error of ours; return for errors of ours, and for lack of memory.

        Where the user's own code compares keys it is taken to have failed; else it can only have been the store.
        """
        if isinstance(exc, BookcoreError | MemoryError):
            return
        theirs = [key for key in keys if key is not None and is_foreign(key)]
        if theirs or self._keys.foreign:
            key = theirs[0] if theirs else next((key for key in keys if key is not None), None)
            raise KeyTypeError(key, f"could not be compared: {type(exc).__name__}: {exc}") from exc
        raise StoreError(self._own_store, f"failed: {type(exc).__name__}: {exc}") from exc

    def _conflict(self, entry: ResourceRecord, low: Any, high: Any, start: Any, end: Any, quantity: int) -> ConflictError:
        """Return the error that names everything in the way."""
        causes = []
        if quantity > entry.capacity:
            causes.append(f"its capacity is {brief(entry.capacity)}")
        if entry.closures is not None:
            causes += [f"closed: {key_text(c.reason)}" for c in self._closures.overlapping(entry.closures, low, high)]
        if entry.hours is not None and not entry.hours.is_open(low, high, closed=self._closed):
            causes.append("outside its opening hours")
        found = blocking_bookings(self._store.overlapping, entry, low, high, self._closed, quantity)
        return ConflictError(
            entry.resource, start, end, found, causes=causes, quantity=quantity, bounds=self._bounds
        )

    def _make(self, resource: Any, start: Any, end: Any, quantity: Any, fields: dict[str, Any]) -> BookingEvent:
        """Make an event of the calendar's type. What its class does not take, or changes, is a `FieldError`."""
        cls = self._event_type
        try:
            event = cls(resource, start, end, quantity=quantity, **fields)
        except FieldError:
            raise
        except Exception as exc:
            raise FieldError(cls, fields, f"{type(exc).__name__}: {exc}") from exc
        if cls is BookingEvent:  # which keeps what it is given
            return event
        if not is_a(event, cls):
            raise FieldError(cls, fields, f"its __new__ makes {brief(event)}")
        if not hasattr(event, "_seq"):  # made by a dataclass's own __init__, which knows nothing of these
            event._seq = event._home = event._fields = None
        if event._seq is not None:
            raise FieldError(cls, fields, f"its __new__ returns {brief(event)}, which has been booked")
        # what has been checked, and is locked, is what was asked for: an event that says otherwise would lie
        for name, given in (("start", start), ("end", end), ("quantity", quantity)):
            if not _is_still(getattr(event, f"_{name}", _MISSING), given):
                has = getattr(event, name, "nothing")
                raise FieldError(cls, [name], f"asked for {name} {brief_key(given)}, its class makes it {brief_key(has)}")
        return event

    def _add_entry(self, resource: Any, capacity: int | None, before: Any, after: Any) -> ResourceRecord:
        entry = self._catalog.prepare(resource, capacity, before, after)
        self._check_turnaround(entry)
        entry.calendar = self
        self._catalog.add(entry)
        try:
            self._store.add_resource(entry)
            _adopt(entry, self)
        except BaseException as exc:
            self._catalog.remove(entry)
            if isinstance(exc, Exception):
                self._reraise(exc)
            raise
        self._turnarounds.add(entry.number, entry.before, entry.after)
        if self._noting:
            change = ResourceAdded(resource, entry.capacity, entry.before, entry.after)
            self._note(lambda: self._remove_entry(entry, last=True), change)
        return entry

    def _check_turnaround(self, entry: ResourceRecord) -> None:
        """Raise `ResourceError` unless the keys that the calendar holds can be moved by the lengths of a new resource."""
        for name in ("before", "after"):
            length = getattr(entry, name)
            if length is not None and not self._keys.suit(partial(is_movable, length=length)):
                reason = f"its {name} is {brief_key(length)}, by which the keys of this calendar cannot be moved"
                raise ResourceError(entry.resource, reason)

    def _remove_entry(self, entry: ResourceRecord, last: bool = False) -> None:
        """Forget a resource without bookings, and its closures and hours; with *last*, its number as well."""
        if entry.count:
            raise ResourceInUseError(entry.resource, entry.count)
        closures = self._closures_of(entry)
        for closure in closures:
            self._reopen(entry, closure)
        hours = entry.hours
        if hours is not None:
            self._set_hours(entry, None)
        try:
            self._store.remove_resource(entry)
        except Exception as exc:
            self._reraise(exc)
            raise
        removed = self._catalog.remove(entry)
        self._turnarounds.remove(entry.number, entry.before, entry.after)
        _abandon(entry, self)
        if last:
            self._catalog.forget_last(entry)
        if self._noting:

            def undo() -> None:
                try:
                    self._catalog.restore(entry, removed)
                finally:
                    self._turnarounds.add(entry.number, entry.before, entry.after)
                    self._store.add_resource(entry)
                    _adopt(entry, self)

            self._note(undo, ResourceRemoved(entry.resource))

    # -- closures and hours ------------------------------------------------------------------------

    def _closures_of(self, entry: ResourceRecord) -> list[Closure]:
        """Return the closures of a resource, by start, then in order of making."""
        if entry.closures is None:
            return []
        found: Any = self._closures.overlapping(entry.closures, None, None)
        return list(found)

    def _close(self, entry: ResourceRecord, low: Any, high: Any, closure: Closure) -> None:
        """Put a closure in force."""
        if entry.closures is None:
            shadow = ResourceRecord(entry.id, entry.resource, entry.number, 1)
            shadow.plain = False  # closures may overlap
            self._closures.add_resource(shadow)
        else:
            shadow = entry.closures
        self._closures.put(shadow, low, high, closure)  # type: ignore[arg-type]
        shadow.count += 1
        entry.closures = shadow
        entry.guarded = True
        entry.publish()
        self._standing_closures[closure.id] = closure
        self._keys.learn(low, high)
        if self._noting:
            self._note(lambda: self._reopen(entry, closure), Closed(closure))

    def _reopen(self, entry: ResourceRecord, closure: Closure) -> None:
        """Lift a standing closure."""
        low, high = normal(closure.start), normal(closure.end)
        self._closures.remove(entry.closures, low, high, closure)  # type: ignore[arg-type]
        del self._standing_closures[closure.id]
        entry.closures.count -= 1
        if not entry.closures.count:
            self._closures.remove_resource(entry.closures)
            entry.closures = None
            entry.guarded = entry.hours is not None
            entry.publish()
        self._forget_keys()
        if self._noting:
            self._note(lambda: self._close(entry, low, high, closure), Reopened(closure))

    def _set_hours(self, entry: ResourceRecord, hours: Any) -> None:
        """Give a resource opening hours, or none."""
        before = entry.hours
        self._keepers.change(entry.number, before, hours)
        entry.hours = hours
        entry.guarded = hours is not None or entry.closures is not None
        entry.publish()
        if self._noting:
            self._note(lambda: self._set_hours(entry, before), HoursSet(entry.resource, hours))


def _is_still(has: Any, given: Any) -> bool:
    """Tell whether an event has what it was given: the same, or its equal of the same type, as in another time zone."""
    if has is given:
        return True
    try:
        return type(has) is type(given) and bool(normal(has) == normal(given))
    except Exception:  # the user's own code
        return False


def _adopt(entry: ResourceRecord, calendar: Any) -> None:
    """Let a `Resource` know which calendar it is in; foreign objects are left alone.

    The first calendar it is added to is its owner, whose answers it holds; others find it by its id. Were it the last, two
    calendars, each under its own lock, could write to one resource.
    """
    resource = entry.resource
    if is_a(resource, Resource):
        with _ADOPTING:
            object.__setattr__(resource, "_calendars", tuple(map(ref, (*_homes(resource), calendar))))
            if getattr(resource, "_owner", None) is not None:
                return
            object.__setattr__(resource, "_entry", entry)
            object.__setattr__(resource, "_owner", calendar)
        entry.publish()


def _abandon(entry: ResourceRecord, calendar: Any) -> None:
    resource = entry.resource
    if is_a(resource, Resource):
        with _ADOPTING:
            homes = tuple(home for home in _homes(resource) if home is not calendar)
            object.__setattr__(resource, "_calendars", tuple(map(ref, homes)))
            if getattr(resource, "_owner", None) is calendar:
                for name in ("_entry", "_free", "_lane", "_owner"):
                    object.__setattr__(resource, name, None)
