"""Booking: the one command that most programs live on, and what goes with it.

    book           check the span, make an event ---.
    add_booking    check the event -----------------+--> Core._insert --> store.claim
    load           many at once, see `loading`
    remove_booking                                       Core._delete --> store.remove

`Booking` is a part of `Calendar`. The commonest booking goes a shorter way, written out where it is asked for: a call
more would cost as much as the check itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, cast

from bookcore.engine.bulk_load import garbage_paused, load_events
from bookcore.engine.holds import finish
from bookcore.engine.transactions import Transactions
from bookcore.model.errors import BookcoreError, DuplicateBookingError, QueryError
from bookcore.model.keys import normal
from bookcore.model.records import BookingEvent
from bookcore.model.term import check_quantity
from bookcore.model.typecheck import plain_text

if TYPE_CHECKING:
    from bookcore.calendar import Calendar

__all__ = ["Booking"]

ONE = 1
RAISE = "raise"
_new = BookingEvent.__new__


class Booking(Transactions):
    """Bookings made, added, loaded and released. A mixin of `Calendar`."""

    # -- booking -----------------------------------------------------------------------------------

    def book(
        self,
        resource: Any,
        start: Any,
        end: Any,
        *,
        id: Hashable = None,
        quantity: int = 1,
        if_exists: str = RAISE,
        **fields: Any,
    ) -> BookingEvent:
        """Make an event and add it: check and lock in one step.

        ``id`` names the booking (None: the calendar makes a number), ``quantity`` is how many units it takes,
        ``fields`` go to the event's class. With ``if_exists="return"`` asking again for a booking that stands, of the same
        id and the same content, returns it: so a request can be repeated.

        Raises: `ConflictError` when the span is taken, naming every booking in the way; `InvalidSpanError`,
        `KeyTypeError`, `UnknownResourceError`, `DuplicateBookingError`, `InvalidQuantityError`, `FieldError`; `QueryError`
        when ``if_exists`` is neither ``"raise"`` nor ``"return"``.
        Complexity: O(log m), and one bit for every eighth block of the timeline that the span crosses.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> talk = calendar.book(room, 9, 12, id="talk", speaker="Ada")
        >>> talk.owns_lock, talk.speaker, calendar.is_available(room, 11, 13)
        (True, 'Ada', False)
        >>> calendar.book(room, 9, 12, id="talk", speaker="Ada", if_exists="return") is talk
        True
        """
        self._lock.acquire()
        self._still = None  # not `with self._writer()`, which costs as much as the check itself
        self._writing += 1
        self._version += 1
        try:
            if self._deadlines:
                self._expire()
            keys = self._keys
            # The commonest booking, with `_insert` and `BookingEvent` written out. A lane that is not guarded decides by
            # bookings alone, here, and by nothing that fades, since no deadline is left.
            entry = lane = None
            try:
                kind = type(resource)
                if kind is not str and kind is not int and resource._owner is self:
                    lane = resource._lane
                    entry = resource._entry if lane is None else None
            except Exception:  # no `Resource`, or the object's own code
                entry = lane = None
            if lane is not None:
                owner = lane.holder  # the very object registered, whatever passed for it
            else:
                if entry is None:
                    entry = self._catalog.entry(resource)
                lane, owner = None if entry.guarded else entry.free, entry.resource
            if (
                lane is not None
                and id is None
                and quantity is ONE
                and if_exists is RAISE
                and not fields
                and not self._noting
                and not self._deadlines
                and self._event_type is BookingEvent
                and keys.is_plain(start, end)
                and (seq := self._seq + 1) not in (part := self._events.parts[seq >> 16 & 63])
            ):
                event = _new(BookingEvent)
                event._start = start
                event._end = end
                event._resource = owner
                event._quantity = 1
                event._seq = seq
                try:
                    fits = lane.claim(start, end, event)
                except Exception as exc:
                    self._reraise(exc, start, end)
                    raise
                if not fits:
                    raise self._conflict(entry or owner._entry, start, end, start, end, 1)
                self._seq = event._id = seq
                event._fields = None
                event._home = self  # type: ignore[assignment]
                part[seq] = event
                lane.standing += 1
                return event
            if entry is None:
                entry = owner._entry
            low, high = keys.admit(start, end)
            if quantity is not ONE:
                check_quantity(quantity)
            if if_exists is not RAISE and (standing := self._same(if_exists, id, entry, low, high, quantity, fields)):
                return standing
            if fields or self._event_type is not BookingEvent:
                event = self._make(entry.resource, start, end, quantity, fields)
            else:
                event = _new(BookingEvent)  # past __init__: a third of its cost is keyword arguments
                event._start = start
                event._end = end
                event._quantity = quantity
                event._resource = entry.resource
                event._fields = event._seq = event._id = event._home = None
            self._insert(entry, low, high, event, id)
            return event
        finally:
            self._writing -= 1
            if not self._writing and not self._deadlines:
                self._still = self._version
            self._lock.release()
            if self._pending:
                self._tell()

    def _same(
        self, if_exists: Any, id: Any, entry: Any, low: Any, high: Any, quantity: int, fields: dict[str, Any]
    ) -> BookingEvent | None:
        """Return the booking that stands under *id* if it is just this one; None if there is none; else raise."""
        how = if_exists if if_exists is RAISE else plain_text(if_exists)
        if how not in (RAISE, "return"):
            raise QueryError(if_exists, "if_exists is 'raise' or 'return'")
        try:
            standing = self._events.get(id) if id is not None else None
        except Exception:  # unhashable, or the object's own code
            standing = None
        if standing is None or how == RAISE:
            return None
        try:
            same = (
                self._entry_of(standing) is entry
                and _alike(normal(standing._start), low)
                and _alike(normal(standing._end), high)
                and standing._quantity == quantity
                and dict(standing.fields)
                == dict(self._make(entry.resource, standing._start, standing._end, quantity, fields).fields)
            )
        except BookcoreError:
            raise
        except Exception:  # a field that cannot say whether it is the same
            same = False
        if not same:
            raise DuplicateBookingError(id, standing)
        return standing

    def add_booking(self, event: BookingEvent) -> BookingEvent:
        """Check and lock an event made by the caller; return it. Its ``resource`` may be given as an id.

        Raises: as `book`; `DuplicateBookingError` also when this very event stands already; `QueryError` for what is no
        `BookingEvent`.
        Complexity: as `book`.

        >>> from bookcore import BookingEvent, Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> event = calendar.add_booking(BookingEvent("room", 9, 12, guest="Ada"))
        >>> event.resource is room, event.id, event.owns_lock
        (True, 1, True)
        """
        self._lock.acquire()
        self._still = None
        self._writing += 1
        self._version += 1
        try:
            if self._deadlines:
                self._expire()
            low, high, entry = self._examine(event)
            self._insert(entry, low, high, event, event._id)
            return event
        finally:
            self._writing -= 1
            if not self._writing and not self._deadlines:
                self._still = self._version
            self._lock.release()
            if self._pending:
                self._tell()

    def _examine(self, event: Any) -> tuple[Any, Any, Any]:
        """Return the span in index form and the entry of an event that is to be added, or raise."""
        if not issubclass(type(event), BookingEvent):  # not isinstance: an object may say what it is not
            raise QueryError(event, "is no BookingEvent")
        try:
            home = event._home
        except AttributeError:  # made by a dataclass's own __init__, which knows nothing of these
            home = event._seq = event._home = event._fields = None
        if home is not None:
            raise DuplicateBookingError(event, event)
        try:
            start, end, resource = event._start, event._end, event._resource
            quantity, _ = event._quantity, event._id
        except AttributeError as exc:
            raise QueryError(event, f"lacks a field ({exc})") from None
        try:
            entry = resource._entry
            if entry.calendar is not self:
                entry = self._catalog.entry(resource)
        except Exception:
            entry = self._catalog.entry(resource)
        low, high = self._keys.admit(start, end)
        if quantity is not ONE:
            check_quantity(quantity)
        return low, high, entry

    def remove_booking(self, event_or_id: Any) -> BookingEvent:
        """Release a booking's lock and forget it; return it.

        Raises: `UnknownBookingError` when it does not stand in this calendar.
        Complexity: O(log m), and one bit for every eighth block of the timeline that the span crosses.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> talk = calendar.book(calendar.add_resource(Resource("room")), 9, 12, id="talk")
        >>> calendar.remove_booking("talk") is talk, talk.owns_lock, calendar.is_available("room", 9, 12)
        (True, False, True)
        """
        self._lock.acquire()
        self._still = None
        self._writing += 1
        self._version += 1
        try:
            if self._deadlines:
                self._expire()
            event = self._standing(event_or_id)
            self._delete(event)
            return event
        except Exception as exc:
            self._blame(exc)
            raise
        finally:
            self._writing -= 1
            if not self._writing and not self._deadlines:
                self._still = self._version
            self._lock.release()
            if self._pending:
                self._tell()

    def load(self, events: Iterable[BookingEvent]) -> int:
        """Add many events at once, all or none, three to four times as fast as one by one; return how many.

        Python's cyclic garbage collector is paused meanwhile, also while a generator makes the events: a million that are
        made beforehand take it half a second.

        Raises: as `add_booking`, for the first event in the order given that cannot be added; `QueryError` when *events*
        cannot be iterated.
        Complexity: O(k log k) for k events, with few comparisons where keys repeat.

        >>> from bookcore import BookingEvent, Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> calendar.load(BookingEvent("room", hour, hour + 1) for hour in range(9, 12))
        3
        >>> calendar.load([BookingEvent("room", 20, 21), BookingEvent("room", 11, 13)])
        Traceback (most recent call last):
        bookcore.errors.ConflictError: 'room' is not available in [11, 13): booking 3 [11, 12)
        >>> len(calendar)
        3
        """
        try:
            with garbage_paused():
                rows = list(events)
        except Exception as exc:
            raise QueryError(events, f"load takes an iterable of events ({type(exc).__name__}: {exc})") from exc
        with self._writer():
            if self._deadlines:
                self._expire()
            finish(self, len(rows))
            if load_events(cast("Calendar", self), rows):
                return len(rows)
        with self.transaction():  # one by one: the first that cannot be added says why, and the others are taken back
            for event in rows:
                low, high, entry = self._examine(event)
                self._insert(entry, low, high, event, event._id)
        return len(rows)


def _alike(one: Any, other: Any) -> bool:
    """Tell whether two keys, or Nones, are the same point."""
    if one is None or other is None:
        return one is other
    return not one < other and not other < one
