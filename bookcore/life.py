"""The life of a booking: held, confirmed, moved, split; closed hours around it; many changes as one.

`Life` is the half of `Calendar` that changes what stands. Everything goes through the one predicate (`Core._room`) and the
same few changes of state in `bookcore.core`, which also note how to undo themselves: that is all a transaction is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bookcore import changes
from bookcore.catalog import Entry
from bookcore.core import Core
from bookcore.errors import (
    BookcoreError,
    ConflictError,
    HoldExpiredError,
    HoursError,
    InvalidSpanError,
    KeyTypeError,
    QueryError,
    TransactionError,
    UnknownClosureError,
    brief,
)
from bookcore.keys import normal
from bookcore.lengths import later
from bookcore.model import BookingEvent, Closure, Refusal, Report
from bookcore.selection import Selection
from bookcore.terms import check_quantity

__all__ = ["Life"]

_UNSET: Any = object()


class Life(Core):
    """Holds, moves, closures, hours, transactions, changes."""

    # -- many changes as one -----------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything done inside one change: undone whole on an exception, invisible to other threads until it ends.

        The calendar's lock is held for the whole block, so others wait; keep it short. Nested blocks are undone alone.
        Subscribers are told when the outermost block has ended, and of nothing that was undone.

        Complexity: one note a change; undoing costs what doing did.
        """
        yield from self._transact(keep=True)

    @contextmanager
    def what_if(self) -> Iterator[None]:
        """Try things out: as `transaction`, but always undone at the end. "Cancel A, move B: does C fit?"."""
        yield from self._transact(keep=False)

    def _transact(self, keep: bool) -> Iterator[None]:
        self._lock.acquire()
        outermost = self._undo is None
        if outermost:
            self._undo, self._noting = [], True
            self._expire_if_due()
            self._writing += 1  # readers without the lock must not look in
            self._version += 1
        undo, done = self._undo or [], self._changes
        mark, told, seq, closures = len(undo), len(done), self._seq, self._closure_ids
        kept = False
        try:
            yield
            kept = keep
        finally:
            try:
                if not kept:
                    self._roll_back(mark, told)
                    self._seq, self._closure_ids = seq, closures
            finally:
                if outermost:
                    if self._subscribers:
                        self._pending.extend(self._changes)
                    self._changes, self._undo = [], None
                    self._noting = bool(self._subscribers)
                    self._writing -= 1
                self._lock.release()
                if outermost and self._pending:
                    self._tell()

    def _roll_back(self, mark: int, told: int) -> None:
        """Undo what was noted since, the latest first. Undoing is not noted itself."""
        undo = self._undo or []
        noting, self._noting = self._noting, False
        self._undo = None
        try:
            while len(undo) > mark:
                undo.pop()()
        finally:
            self._undo, self._noting = undo, noting
            del self._changes[told:]

    def _expire_if_due(self) -> None:
        if self._deadlines:
            self._expire()

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
        **fields: Any,
    ) -> BookingEvent:
        """Book for the time being: like `book`, but the booking is *held* until it is confirmed.

        With ``until`` (an instant of the calendar's clock) or ``ttl`` (a length added to the clock's instant now) the hold
        runs out: the moment the clock reaches it, the span is free again everywhere. With neither it stands until
        confirmed or removed.

        Raises: as `book`; `HoldExpiredError` when ``until`` is past; `QueryError` when both are given, or either and the
        calendar has no clock; `KeyTypeError` when the clock's instant cannot be added to or compared with.
        Complexity: as `book`, and O(log holds).
        """
        if ttl is not None and until is not None:
            raise QueryError(ttl, "a hold takes ttl (a length) or until (an instant), not both")
        with self._writer():
            self._expire_if_due()
            if ttl is not None or until is not None:
                now = self._now()
                until = later(now, ttl) if ttl is not None else normal(until)
                try:
                    past = not now < until
                except Exception as exc:
                    raise KeyTypeError(until, f"cannot be compared with the clock's {brief(now)}") from exc
                if past:
                    raise HoldExpiredError(id, until, now)
            entry = self._catalog.entry(resource)
            low, high = self._keys.admit(start, end)
            event = self._make(entry.resource, start, end, check_quantity(quantity), fields)
            self._insert(entry, low, high, event, id, held=True, until=until)
            return event

    def confirm(self, event_or_id: Any) -> BookingEvent:
        """Turn a hold into a booking that stands; return it. A booking that is confirmed already stays so.

        Raises: `HoldExpiredError` when it ran out, `UnknownBookingError`.
        """
        with self._writer():
            until = None
            if isinstance(event_or_id, BookingEvent):
                until = self._holds.get(event_or_id._id) if event_or_id._home is self else None
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
        self, old: BookingEvent, source: Entry, new: BookingEvent, target: Entry, low: Any, high: Any, check: bool
    ) -> None:
        """Put *new* in the place of *old*; with *check*, only if there is room, else everything stays and it raises."""
        new._seq = old._seq
        old_low, old_high = normal(old._start), normal(old._end)
        self._store.remove(source, old_low, old_high, old)
        try:
            if not check:
                self._store.put(target, low, high, new)
            elif not self._room(target, low, high, new._quantity) or not self._claim(target, low, high, new):
                raise self._conflict(target, low, high, new._start, new._end, new._quantity)
        except BaseException as exc:
            new._seq = None
            self._store.put(source, old_low, old_high, old)
            if isinstance(exc, Exception):
                self._reraise(exc, new._start)
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

        Atomic; the lock is never given up in between. With closed bounds the two would share the key *at*, so there it is
        an `InvalidSpanError`; so is a key that does not lie strictly inside.
        """
        if self._closed:
            raise InvalidSpanError(at, at, "with bounds '[]' both parts would hold the key they are split at")
        with self.transaction():
            event = self._standing(event_or_id)
            entry = self._entry_of(event)
            point, low, high = self._keys.point(at), normal(event._start), normal(event._end)
            if point is None or (low is not None and not low < point) or (high is not None and not point < high):
                raise InvalidSpanError(event._start, event._end, f"{brief(at)} does not lie strictly inside")
            first, second = event._with(end=at), event._with(start=at)
            second._id = None
            held, until = event._id in self._holds, self._holds.get(event._id)
            hours, closures, entry.guarded = entry.hours, entry.closures, False
            try:  # what stands may stand where new bookings could not (a closure came later): splitting is not booking
                self._delete(event)
                self._insert(entry, low, point, first, event._id, held=held, until=until)
                self._insert(entry, point, high, second, None, held=held, until=until)
            finally:
                entry.guarded = hours is not None or closures is not None
            return first, second

    # -- many bookings -----------------------------------------------------------------------------

    def book_all(self, requests: Iterable[Any], on_conflict: str = "raise") -> Report:
        """Book many: all of them, or with ``on_conflict="skip"`` all that can be, as one change. Return a report.

        A request is a `BookingEvent`, a mapping of what `book` takes, or a tuple ``(resource, start, end)``.
        ``report.booked`` are the events, ``report.refused`` a record for each refusal: the request and what was in the way.

        Raises: with ``"raise"`` what the first refusal raised, and nothing is booked; anything that is no conflict is
        raised either way.
        """
        if not isinstance(on_conflict, str) or on_conflict not in ("raise", "skip"):
            raise QueryError(on_conflict, "on_conflict is 'raise' or 'skip'")
        try:
            asked = list(requests)
        except Exception as exc:
            raise QueryError(requests, f"book_all takes an iterable of requests ({type(exc).__name__}: {exc})") from exc
        booked: list[BookingEvent] = []
        refused: list[Refusal] = []
        with self.transaction():
            for request in asked:
                try:
                    booked.append(self._book_request(request))
                except ConflictError as exc:
                    if on_conflict == "raise":
                        raise
                    refused.append(Refusal(request, exc))
        return Report(tuple(booked), tuple(refused))

    def _book_request(self, request: Any) -> BookingEvent:
        calendar: Any = self
        if isinstance(request, BookingEvent):
            event: BookingEvent = calendar.add_booking(request)
            return event
        try:
            if isinstance(request, Mapping):
                named = dict(request)
                booked: BookingEvent = calendar.book(
                    named.pop("resource"), named.pop("start"), named.pop("end"), **named
                )
                return booked
            resource, start, end = request
        except BookcoreError:
            raise
        except Exception as exc:
            raise QueryError(request, "is no request: give an event, (resource, start, end) or a mapping") from exc
        made: BookingEvent = calendar.book(resource, start, end)
        return made

    # -- closures ----------------------------------------------------------------------------------

    def close(self, resource: Any, start: Any, end: Any, reason: str = "closed") -> Closure:
        """Close a resource for a span: nothing can be booked there any more. Return the closure, for `reopen`.

        Bookings that stand there already stay, and are listed in ``closure.overlapping``. Closures may overlap each other.

        Raises: as `is_available`; `QueryError` when the reason is no text.
        Complexity: O(log m + bookings overlapped).
        """
        if not isinstance(reason, str):
            raise QueryError(reason, "the reason of a closure is a text")
        with self._writer():
            self._expire_if_due()
            entry = self._catalog.entry(resource)
            low, high = self._keys.admit(start, end)
            standing = tuple(self._store.overlapping(entry, low, high))
            self._closure_ids += 1
            closure = Closure(entry.resource, start, end, reason, self._closure_ids, standing)
            self._close(entry, low, high, closure)
            return closure

    def close_all(self, resources: Any, start: Any, end: Any, reason: str = "closed") -> tuple[Closure, ...]:
        """Close many resources (a selection, or an iterable of resources or ids) for a span, as one change."""
        with self.transaction():
            return tuple(self.close(entry.resource, start, end, reason) for entry in self._each(resources))

    def reopen(self, closure: Closure) -> None:
        """Lift a closure. Raises: `UnknownClosureError` when it does not stand in this calendar."""
        with self._writer():
            known = isinstance(closure, Closure) and self._standing_closures.get(closure.id) is closure
            if not known:
                raise UnknownClosureError(closure)
            self._reopen(self._catalog.entry(closure.resource), closure)

    def closures(self, resource: Any = None) -> tuple[Closure, ...]:
        """Return the closures of a resource, by start, or all of them in order of making."""
        with self._lock:
            if resource is None:
                return tuple(self._standing_closures.values())
            return tuple(self._closures_of(self._catalog.entry(resource)))

    def _each(self, resources: Any) -> list[Entry]:
        """Return the entries of a resource, an id, a selection or an iterable of resources or ids; the lock is held."""
        try:
            return [self._catalog.entry(resources)]
        except BookcoreError:
            if isinstance(resources, str | bytes) or not isinstance(resources, Iterable):
                raise
        if isinstance(resources, Selection) and resources._calendar is not self:
            raise QueryError(resources, "belongs to another calendar")
        try:
            found = list(resources)
        except BookcoreError:
            raise
        except Exception as exc:
            raise QueryError(resources, f"could not be iterated ({type(exc).__name__})") from exc
        return [self._catalog.entry(resource) for resource in found]

    # -- opening hours -----------------------------------------------------------------------------

    def set_hours(self, resources: Any, hours: Any) -> None:
        """Let resources be booked only within opening hours (`bookcore.hours.Hours`); None lifts them.

        *resources* is one resource, a selection, or an iterable of resources or ids. Bookings that stand stay. However many
        resources share a rule, a search evaluates it once.

        Raises: `HoursError` when *hours* are none; `UnknownResourceError`.
        """
        if hours is not None:
            from bookcore.hours import Hours

            if not isinstance(hours, Hours):
                raise HoursError(hours, "is no bookcore.hours.Hours")
        with self.transaction():
            for entry in self._each(resources):
                self._set_hours(entry, hours)

    # -- changes -----------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[changes.Change], Any]) -> Callable[[], None]:
        """Have *callback* called with every change from now on; return a function that ends it.

        Changes are frozen records (`bookcore.changes`), given in order, each once, after it took effect and outside the
        lock; those of a transaction when it has ended. A callback that raises neither undoes nor hides the change: its
        exception goes to `sys.unraisablehook`.
        """
        if not callable(callback):
            raise QueryError(callback, "a subscriber is a function of one change")
        with self._lock:
            self._subscribers.append(callback)
            self._noting = True

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)
                self._noting = bool(self._subscribers) or self._undo is not None

        return unsubscribe

    def apply(self, change: changes.Change) -> None:
        """Do to this calendar what a change from another says, so that it follows the other.

        Give the follower no clock: its holds then run out when the other's do, because a change says so.

        Raises: as the call that made the change; `TransactionError` for what is no change.
        """
        calendar: Any = self
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
                self.move(before._id, start=after._start, end=after._end, resource=after._resource.id)
            case changes.Closed(closure):
                with self._writer():
                    entry = self._catalog.entry(closure.resource)
                    low, high = self._keys.admit(closure.start, closure.end)
                    self._closure_ids = max(self._closure_ids, closure.id)
                    self._close(entry, low, high, closure)
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
        copy = event._with(resource=getattr(event._resource, "id", event._resource))
        with self._writer():
            calendar: Any = self
            low, high, entry = calendar._examine(copy)
            self._seq = max(self._seq, (event._seq or 1) - 1)
            self._insert(entry, low, high, copy, event._id, held=held, until=until)


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except Exception:
        return False
    return True


def _id_of(event_or_id: Any) -> Any:
    id = event_or_id._id if isinstance(event_or_id, BookingEvent) else event_or_id
    return id if _hashable(id) else None
