"""The life of a booking: held, confirmed, moved, split; and every change told to who wants to know.

`Life` is the half of `Calendar` that changes what stands, with `transactions`, `closing` and `requests`. Everything goes
through the one predicate (`Core._room`) and the same few changes of state in `bookcore.engine.core`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bookcore.engine.base import Subscription
from bookcore.engine.closing import Closing
from bookcore.engine.requests import Requests
from bookcore.model import change as changes
from bookcore.model.errors import (
    BookcoreError,
    HoldExpiredError,
    InvalidSpanError,
    KeyTypeError,
    QueryError,
    TransactionError,
    UnknownClosureError,
    brief,
    brief_key,
)
from bookcore.model.keys import normal
from bookcore.model.lengths import later
from bookcore.model.records import BookingEvent, Closure
from bookcore.model.term import check_quantity
from bookcore.model.typecheck import is_a, plain_text
from bookcore.stores.record import ResourceRecord

__all__ = ["Life"]

_UNSET: Any = object()


class Life(Requests, Closing):
    """Holds, moves, changes; and what it inherits. A mixin of `Calendar`."""

    # -- holds -------------------------------------------------------------------------------------

    def hold(
        self,
        resource: Any,
        start: Any,
        end: Any,
        *,
        ttl: Any = None,
        until: Any = None,
        id: Hashable = None,
        quantity: int = 1,
        if_exists: str = "raise",
        **fields: Any,
    ) -> BookingEvent:
        """Book for the time being: like `book`, but the booking is *held* until it is confirmed.

        With ``until`` (an instant of the calendar's clock) or ``ttl`` (a length added to the clock's instant now) the hold
        runs out: the moment the clock reaches it, the span is free again everywhere. With neither it stands until
        confirmed or removed. Asking again with ``if_exists="return"`` is as in `book`: what stands is returned as it is,
        with the deadline it has.

        Raises: as `book`; `HoldExpiredError` when ``until`` is past; `QueryError` when both are given, or either and the
        calendar has no clock; `KeyTypeError` when the clock's instant cannot be added to or compared with.
        Complexity: as `book`, and O(log holds).

        >>> from bookcore import Calendar, Resource
        >>> now = 10
        >>> calendar = Calendar(clock=lambda: now)
        >>> hold = calendar.hold(calendar.add_resource(Resource("seat")), 20, 22, ttl=5)
        >>> now = 15
        >>> str(hold.status), calendar.is_available("seat", 20, 22)
        ('released', True)
        """
        if ttl is not None and until is not None:
            raise QueryError(ttl, "a hold takes ttl (a length) or until (an instant), not both")
        with self._writer():
            self._expire_if_due()
            past = False
            if ttl is not None or until is not None:
                now = self._now()
                until = later(now, ttl) if ttl is not None else normal(until)
                try:
                    past = not now < until
                except Exception as exc:
                    raise KeyTypeError(until, f"cannot be compared with the clock's {brief_key(now)}") from exc
                if past and plain_text(if_exists) != "return":  # what stands is returned, whatever the deadline
                    raise HoldExpiredError(id, until, now)
            entry = self._catalog.entry(resource)
            low, high = self._keys.admit(start, end)
            check_quantity(quantity)
            calendar: Any = self
            standing: BookingEvent | None = calendar._same(if_exists, id, entry, low, high, quantity, fields)
            if standing is not None:
                return standing
            if past:
                raise HoldExpiredError(id, until, now)
            event = self._make(entry.resource, start, end, quantity, fields)
            self._insert(entry, low, high, event, id, held=True, until=until)
            return event

    def confirm(self, event_or_id: Any) -> BookingEvent:
        """Turn a hold into a booking that stands; return it. A booking that is confirmed already stays so.

        Raises: `HoldExpiredError` when it ran out (at least the last 10,000 are remembered), `UnknownBookingError`.
        Complexity: O(1).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> hold = calendar.hold(calendar.add_resource(Resource("seat")), 20, 22)
        >>> str(hold.status), str(calendar.confirm(hold).status)
        ('held', 'confirmed')
        """
        with self._writer():
            until = None
            if is_a(event_or_id, BookingEvent):
                stands_here = getattr(event_or_id, "_home", None) is self
                until = self._holds.get(event_or_id._id) if stands_here else None
            elif _hashable(event_or_id):
                until = self._holds.get(event_or_id)
            self._expire_if_due()
            try:
                event = self._standing(event_or_id)
            except BookcoreError:
                ran_out = until if until is not None else self._ran_out.get(_id_of(event_or_id))
                if ran_out is not None:
                    raise HoldExpiredError(event_or_id, ran_out, self._now()) from None
                raise
            if event._id in self._holds:
                deadline = self._holds.pop(event._id)
                if self._noting:
                    self._note(lambda: self._hold(event, deadline), changes.Confirmed(event))
            return event

    # -- moving ------------------------------------------------------------------------------------

    def move(
        self, event_or_id: Any, *, start: Any = _UNSET, end: Any = _UNSET, resource: Any = _UNSET
    ) -> BookingEvent:
        """Give a booking another span, another resource or both; return the new event, which keeps the id.

        Atomic, and the booking's own lock is not in its way. What is not given stays. The old event owns no lock any more.

        Raises: `ConflictError`, with everything exactly as before; otherwise as `book` and `remove_booking`.
        Complexity: as `remove_booking` and `book` together.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> visit = calendar.book(calendar.add_resource(Resource("desk")), 9, 12, id="visit", guest="Ada")
        >>> calendar.move(visit, start=10, end=13), visit.owns_lock
        (BookingEvent('desk', 10, 13, id='visit', guest='Ada'), False)
        """
        with self._writer():
            self._expire_if_due()
            old = self._standing(event_or_id)
            source = self._entry_of(old)
            target = source if resource is _UNSET else self._catalog.entry(resource)
            new = old._with(
                resource=target.resource,
                start=old._start if start is _UNSET else start,
                end=old._end if end is _UNSET else end,
            )
            low, high = self._keys.admit(new._start, new._end)
            self._replace(old, source, new, target, low, high, check=True)
            return new

    def _replace(
        self, old: BookingEvent, source: ResourceRecord, new: BookingEvent, target: ResourceRecord, low: Any, high: Any, check: bool
    ) -> None:
        """Put *new* in the place of *old*; with *check*, only if there is room, else everything stays and it raises."""
        new._seq = old._seq
        old_low, old_high = normal(old._start), normal(old._end)
        try:
            self._store.remove(source, old_low, old_high, old)
        except Exception as exc:
            new._seq = None
            self._reraise(exc, old_low, old_high)
            raise
        try:
            if not check:
                self._store.put(target, low, high, new)
            elif not self._room(target, low, high, new._quantity) or not self._claim(target, low, high, new):
                raise self._conflict(target, low, high, new._start, new._end, new._quantity)
        except BaseException as exc:
            new._seq = None
            self._store.put(source, old_low, old_high, old)
            if isinstance(exc, Exception):
                self._reraise(exc, low, high)
            raise
        source.count -= 1
        target.count += 1
        old._home = None
        new._id, new._resource, new._home = old._id, target.resource, self  # type: ignore[assignment]
        self._events[new._id] = new
        self._keys.learn(low, high)
        if self._noting:
            self._note(
                lambda: self._replace(new, target, old, source, old_low, old_high, check=False), changes.Moved(old, new)
            )

    def split(self, event_or_id: Any, at: Any) -> tuple[BookingEvent, BookingEvent]:
        """Cut a booking in two at a key inside it; return both. The first keeps the id, the second gets a new one.

        Atomic; the lock is never given up in between. What has been closed since does not matter, but each part needs
        its turnaround: where that leaves no room for both, it is a `ConflictError`. With closed bounds the two would
        share the key *at*, so there it is an `InvalidSpanError`; so is a key that does not lie strictly inside.

        Raises: `ConflictError` and `InvalidSpanError`, as said; `UnknownBookingError`, `KeyTypeError`.
        Complexity: as `remove_booking` and two times `book`.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> visit = calendar.book(calendar.add_resource(Resource("desk")), 9, 12, id="visit")
        >>> first, second = calendar.split("visit", 11)
        >>> first, (second.start, second.end), visit.owns_lock
        (BookingEvent('desk', 9, 11, id='visit'), (11, 12), False)
        """
        if self._closed:
            raise InvalidSpanError(at, at, "with bounds '[]' both parts would hold the key they are split at")
        with self.transaction():
            event = self._standing(event_or_id)
            entry = self._entry_of(event)
            point = None if at is None else self._keys.point(at)
            low, high = normal(event._start), normal(event._end)
            if point is None or (low is not None and not low < point) or (high is not None and not point < high):
                raise InvalidSpanError(event._start, event._end, f"{brief_key(at)} does not lie strictly inside")
            first, second = event._with(end=at), event._with(start=at)
            second._id = None
            held, until = event._id in self._holds, self._holds.get(event._id)
            with _unguarded(entry):  # what stands may stand where it was closed later: splitting is not booking
                self._delete(event)
                self._insert(entry, low, point, first, event._id, held=held, until=until)
                self._insert(entry, point, high, second, None, held=held, until=until)
            return first, second

    # -- changes -----------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[changes.Change], Any]) -> Callable[[], None]:
        """Have *callback* called with every change from now on; return a function that ends it.

        Changes are frozen records (`bookcore.changes`), given in order, each once, after it took effect and outside the
        lock; those of a transaction when it has ended. A callback that raises neither undoes nor hides the change: its
        exception is logged as an error, by the logger ``bookcore``.

        Raises: `QueryError` when *callback* is no function.
        Complexity: O(subscribers); each is one call more a change.

        >>> from bookcore import Calendar, Resource
        >>> calendar, seen = Calendar(), []
        >>> end = calendar.subscribe(seen.append)
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> end()
        >>> seen[1]
        Booked(event=BookingEvent('room', 9, 12, id=1), held=False, until=None)
        """
        if not callable(callback):
            raise QueryError(callback, "a subscriber is a function of one change")
        subscription = Subscription(callback)
        with self._lock:
            self._subscribers = (*self._subscribers, subscription)
            self._noting = True

        def unsubscribe() -> None:
            with self._lock:
                subscription.ended = True
                self._subscribers = tuple(one for one in self._subscribers if one is not subscription)
                self._noting = bool(self._subscribers) or self._undo is not None

        return unsubscribe

    def apply(self, change: changes.Change) -> None:
        """Do to this calendar what a change from another says, so that it follows the other.

        Give the follower no clock: its holds then run out when the other's do, because a change says so. Resources that
        the other adds are added here as the same objects, and are in two calendars then; bookings and closures are copies.

        Raises: as the call that made the change; `TransactionError` for what is no change, and for a closure that stands
        here already.
        Complexity: as that call.

        >>> from bookcore import Calendar, Resource
        >>> leader, follower = Calendar(), Calendar()
        >>> end = leader.subscribe(follower.apply)
        >>> stay = leader.book(leader.add_resource(Resource("room")), 9, 12, id="stay")
        >>> follower.is_available("room", 11, 13), "stay" in follower, stay in follower
        (False, True, False)
        """
        calendar: Any = self
        if not is_a(change, changes.Change):
            raise TransactionError(f"{brief(change)} is no change")
        if not _is_whole(change):
            raise TransactionError(f"{brief(change)} lacks the record it tells of")
        match change:
            case changes.ResourceAdded(resource, capacity, before, after):
                calendar.add_resource(resource, capacity=capacity, before=before, after=after)
            case changes.ResourceRemoved(resource):
                calendar.remove_resource(resource)
            case changes.Booked(event, held, until):
                self._apply_booked(event, held, until)
            case changes.Confirmed(event):
                self.confirm(event._id)
            case changes.Released(event):
                calendar.remove_booking(event._id)
            case changes.Moved(before, after):
                self.move(before._id, start=after._start, end=after._end, resource=_resource_id(after))
            case changes.Closed(closure):
                with self._writer():
                    if closure.id in self._standing_closures:
                        raise TransactionError(f"closure {closure.id} stands here already: {brief(closure)}")
                    entry = self._catalog.entry(closure.resource)
                    low, high = self._keys.admit(closure.start, closure.end)
                    self._closure_ids = max(self._closure_ids, closure.id)
                    here = tuple(self._events.get(event._id) or event for event in closure.overlapping)
                    self._close(entry, low, high, replace(closure, resource=entry.resource, overlapping=here))
            case changes.Reopened(closure):
                with self._writer():
                    standing = self._standing_closures.get(closure.id)
                    if standing is None:
                        raise UnknownClosureError(closure)
                    self._reopen(self._catalog.entry(standing.resource), standing)
            case changes.HoursSet(resource, hours):
                self.set_hours(resource, hours)
            case changes.Tagged(resource, label):
                calendar.tag(resource, label)
            case changes.Untagged(resource, label):
                calendar.untag(resource, label)
            case _:
                raise TransactionError(f"{brief(change)} is no change")

    def _apply_booked(self, event: BookingEvent, held: bool, until: Any) -> None:
        copy = event._with(resource=_resource_id(event))
        with self._writer():
            calendar: Any = self
            low, high, entry = calendar._examine(copy)
            self._seq = max(self._seq, (event._seq or 1) - 1)
            with _unguarded(entry):  # the half of a booking that was split may stand where it was closed later
                self._insert(entry, low, high, copy, event._id, held=held, until=until)


@contextmanager
def _unguarded(entry: ResourceRecord) -> Iterator[None]:
    """Let bookings of a resource stand where closures or hours would not have them, inside the block."""
    entry.guarded = False
    try:
        yield
    finally:
        entry.guarded = entry.hours is not None or entry.closures is not None


_RECORDS: dict[type, tuple[str, ...]] = {
    changes.Booked: ("event",),
    changes.Confirmed: ("event",),
    changes.Released: ("event",),
    changes.Moved: ("before", "after"),
    changes.Closed: ("closure",),
    changes.Reopened: ("closure",),
}
"""In which fields a change carries a booking or a closure."""


def _is_whole(change: Any) -> bool:
    """Tell whether a change carries the bookings and closures it tells of; a class can be called with anything."""
    closes = type(change) in (changes.Closed, changes.Reopened)
    for name in _RECORDS.get(type(change), ()):
        record = getattr(change, name, None)
        if closes:
            if not is_a(record, Closure) or type(record.id) is not int:
                return False
        elif not is_a(record, BookingEvent) or not all(hasattr(record, fact) for fact in _FACTS):
            return False
    return True


_FACTS = ("_resource", "_start", "_end", "_id", "_quantity")


def _resource_id(event: BookingEvent) -> Any:
    return getattr(event._resource, "id", event._resource)


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except Exception:
        return False
    return True


def _id_of(event_or_id: Any) -> Any:
    id = getattr(event_or_id, "_id", None) if is_a(event_or_id, BookingEvent) else event_or_id
    return id if _hashable(id) else None
