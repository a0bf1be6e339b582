"""`Calendar`: what is booked, what is free, and may I have it? The whole public interface, on one page.

Each method says what a call means, raises and costs, and hands it on. Two of them have a fast path of their own, marked
as such; both give the general path's answers, which tests hold.

    commands     `bookcore.engine.engine`      decide, and commit through `bookcore.engine.state`
    questions    `bookcore.query`              read that state
    files        `bookcore.persist`
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Self

from bookcore.engine.engine import UNSET, Engine
from bookcore.engine.state import CalendarState
from bookcore.model.change import Change
from bookcore.model.closure import Closure
from bookcore.model.errors import BookcoreError, QueryError, StoreError
from bookcore.model.event import BookingEvent
from bookcore.model.explanation import Explanation, State
from bookcore.model.report import Report
from bookcore.model.term import All, And, Available, Not, Tagged, Term, as_term, check_quantity
from bookcore.model.typecheck import is_a, plain_text
from bookcore.query import listing
from bookcore.query.choice import Choice, Strategy
from bookcore.query.explain import explain, free_busy
from bookcore.query.free_time import FreeTime
from bookcore.query.planner import Planner
from bookcore.query.selection import IndexView, Selection
from bookcore.stores.memory.store import MemoryStore
from bookcore.stores.protocol import BookingStore

__all__ = ["Calendar"]

ONE = 1
RAISE = "raise"
_new = BookingEvent.__new__


class Calendar:
    """The bookings of any number of resources, exactly, in memory, safe to share between threads.

    ``store`` holds the bookings (default: a fresh `MemoryStore`). With ``bounds="[)"`` a span ends just before its
    ``end``, so that touching bookings fit; with ``"[]"`` the end is part of it (whole-day rentals), touching bookings
    conflict and a span may have no length. ``clock`` returns the present instant, for holds: while one may run out, calls
    that read or change bookings ask it, and what it raises comes as it is. ``event_type`` is the class `book` makes.

    Raises: `QueryError` for bounds, a clock or an event type that are none; `StoreError` for a store that is none, or
    serves another calendar. From then on, in any call: `KeyTypeError` when keys, or the clock's instant, cannot be
    compared; in changes: `StoreError` when the store fails.

    >>> from bookcore import Calendar, Resource
    >>> calendar = Calendar()
    >>> room = calendar.add_resource(Resource("room"))
    >>> stay = calendar.book(room, 9, 12)
    >>> calendar.is_available(room, 11, 13), calendar.is_available(room, 12, 13)
    (False, True)

    Wherever a resource is asked for, the object or its id will do. None as start or end means unbounded. Whatever a
    call refuses, nothing has changed. Complexity is given with m bookings on a resource and n resources.
    """

    __slots__ = (
        "__weakref__",
        "_by_id",
        "_engine",
        "_free_time",
        "_gate",
        "_keys",
        "_ledger",
        "_log",
        "_makes_rows",
        "_owners",
        "_planner",
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
        if sort not in ("[)", "[]"):
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
        try:
            store.bind(sort == "[]")
        except (BookcoreError, MemoryError):
            raise
        except Exception as exc:
            raise StoreError(store, f"failed: {type(exc).__name__}: {exc}") from exc
        state = CalendarState(self, store, sort, clock, event_type)
        self._engine = Engine(state)
        self._planner = Planner(state)
        self._free_time = FreeTime(self._planner)
        # what the two fast paths read
        self._gate, self._keys, self._ledger, self._log = state.gate, state.keys, state.ledger, state.log
        self._by_id, self._owners = state.registry.by_id, state.ledger.owners.parts
        self._makes_rows = event_type is BookingEvent

    # -- resources --------------------------------------------------------------------------------------

    def add_resource(
        self, resource: Any, *, capacity: int | None = None, before: Any = None, after: Any = None
    ) -> Any:
        """Register a resource and return it. Anything with a hashable ``id`` will do.

        ``capacity``, ``before`` and ``after`` are for objects that are no `Resource` (or override what one says). Its
        value for every index is asked for now, under the calendar's lock.

        Raises: `DuplicateResourceError`; `ResourceError` (no usable id, or turnaround that is no length of the keys here),
        `InvalidQuantityError` (capacity); `QueryError`, `KeyTypeError` when an index has no place for it.
        Complexity: O(1), and O(log n) for each index.

        >>> from types import SimpleNamespace
        >>> calendar = Calendar()
        >>> van = calendar.add_resource(SimpleNamespace(id="van", wheels=4), capacity=9)
        >>> calendar.is_available("van", 1, 2, quantity=9), calendar.resources.first(1)[0] is van
        (True, True)
        """
        return self._engine.add_resource(resource, capacity, before, after)

    def remove_resource(self, resource: Any) -> Any:
        """Forget a resource, its tags, closures and hours, and return it.

        Raises: `ResourceInUseError` while bookings stand, `UnknownResourceError`.
        Complexity: O(number of labels), O(log n) for each index, and as `reopen` for each of its closures.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> calendar.remove_resource("room")
        Traceback (most recent call last):
        bookcore.errors.ResourceInUseError: resource 'room' still has a booking; remove or move it first
        """
        return self._engine.remove_resource(resource)

    @property
    def resources(self) -> Selection:
        """All resources, in order of registration."""
        return Selection(self._planner, All())

    # -- one question about one resource ----------------------------------------------------------------

    def is_available(self, resource: Any, start: Any, end: Any, quantity: int = 1) -> bool:
        """Tell whether `book` would accept the span now, for so many units.

        Raises: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`, `InvalidQuantityError`.
        Complexity: O(log m); with capacity or turnaround, O(log m + changes of use within the span).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> bikes = calendar.add_resource(Resource("bikes", capacity=3))
        >>> tour = calendar.book(bikes, 1, 5, quantity=2)
        >>> calendar.is_available(bikes, 4, 6), calendar.is_available("bikes", 4, 6, quantity=2)
        (True, False)
        """
        # The fast path: no lock, and the edges of a resource's bookings read through its binding. Anything unusual, be
        # it a change that began in between, is left to the general path below, which also words every refusal.
        gate = self._gate
        stamp = gate.stamp
        if stamp is not None and quantity is ONE:
            try:
                kind = type(resource)
                binding = None if kind is str or kind is int else getattr(resource, "_binding", None)
                if binding is None or binding.home is not self:
                    id = resource if kind is str or kind is int else getattr(resource, "id", resource)
                    binding = self._by_id[id].binding
                edges = binding.edges
                keys = self._keys
                fast_type = keys.plain
                if (
                    edges is not None
                    and type(start) is fast_type
                    and type(end) is fast_type
                    and start < end
                    # where keys have no zone, the first edge refuses to be compared with one that has
                    and ((zone := keys.zone) is None or (start.tzinfo is zone and end.tzinfo is zone))
                ):
                    if edges:  # `DisjointIntervals.is_free`
                        at = bisect_left(edges, end)
                        answer = not at or (not at & 1 and not start < edges[at - 1])
                    else:
                        answer = bool(keys.admit(start, end))
                    if stamp == gate.stamp:
                        return answer
            except Exception:  # noqa: S110 - the general path meets it again and says what it is
                pass
        state = self._engine.state
        with gate.read:
            record = state.registry.record(resource)
            low, high = self._keys.admit(start, end)
            if not gate.writers and not gate.waiting:
                gate.stamp = gate.version  # the next question need not come this way
            return state.rules.allows(record, low, high, check_quantity(quantity))

    def conflicts(self, resource: Any, start: Any, end: Any, quantity: int = 1) -> tuple[BookingEvent, ...]:
        """Return every booking in the way of another one, by start, then in order of booking.

        Where the resource has turnaround, bookings that are only too near are in the way as well. Of a pool, those that are
        in use where less than *quantity* is left: none if there is room throughout, or if there never are so many units.
        (`bookings` names all that overlap.)

        Raises: as `is_available`.
        Complexity: O(log m + answers); of a pool O(m), and O(k log k) for k bookings that overlap.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room", after=1))
        >>> _ = calendar.book(room, 9, 12, id="daily"), calendar.book(room, 14, 15, id="call")
        >>> [event.id for event in calendar.conflicts(room, 11, 14)]
        ['daily', 'call']
        """
        return listing.conflicts(self._engine.state, resource, start, end, quantity)

    def bookings(self, resource: Any = None, start: Any = None, end: Any = None) -> Iterator[BookingEvent]:
        """Iterate the bookings that overlap the span, of one resource or of all, by start, then in order of booking.

        Raises, when called: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`.
        Complexity: O(log m + answers) for one resource; for all, O(answers x log answers) and what `find_booked` costs.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> north, south = calendar.add_resource(Resource("north")), calendar.add_resource(Resource("south"))
        >>> _ = calendar.book(north, 9, 12, id="x"), calendar.book(south, 8, 9, id="y"), calendar.book(north, 14, 15)
        >>> [event.id for event in calendar.bookings(start=8, end=12)], [event.id for event in calendar.bookings(south)]
        (['y', 'x'], ['y'])
        """
        return listing.bookings(self._engine.state, resource, start, end)

    def get(self, booking_id: Hashable) -> BookingEvent:
        """Return the booking of that id. Raises: `UnknownBookingError`. O(1).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> talk = calendar.book(calendar.add_resource(Resource("room")), 9, 12, id="talk")
        >>> calendar.get("talk") == talk
        True
        """
        return listing.get(self._engine.state, booking_id)

    def __contains__(self, event: object) -> bool:
        """Tell whether this very event, or a booking of this id, stands in the calendar. O(1)."""
        return listing.contains(self._engine.state, event)

    def __len__(self) -> int:
        """Return the number of bookings. O(1)."""
        with self._gate.read:
            return len(self._ledger)

    def __bool__(self) -> bool:
        """Return True: a calendar is one, with bookings or without."""
        return True

    def explain(self, resource: Any, start: Any, end: Any, quantity: int = 1) -> Explanation:
        """Return why the span is not to be had: every cause, or none precisely when `book` would accept it.

        Of bookings, those count that are in use where too little room is left.

        Raises: as `is_available`.
        Complexity: O(log m + bookings in the span); as `is_available` when it is available.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room", after=1))
        >>> _ = calendar.book(room, 9, 12, id="daily"), calendar.book(room, 14, 15, id="call")
        >>> why = calendar.explain(room, 11, 14)
        >>> bool(why), [(str(cause.kind), cause.what.id) for cause in why.causes]
        (False, [('booking', 'daily'), ('turnaround', 'call')])
        >>> print(why)
        'room' is not available in [11, 14):
          booking 'daily' [9, 12)
          booking 'call' [14, 15) is too near: turnaround of 1 after
        """
        return explain(self._engine.state, resource, start, end, quantity)

    def free_busy(self, resource: Any, start: Any, end: Any) -> tuple[tuple[Any, Any, State], ...]:
        """Return ``(start, end, state)`` for every stretch of the span: ``free``, ``busy``, ``held`` or ``closed``.

        They tile the span exactly. ``free`` are the gaps for one unit; see `State` for what goes before what.

        Raises: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`; `InvalidSpanError` also for an unbounded span of
        a resource with opening hours.
        Complexity: O(log m + k log k) for k bookings, closures and openings in the span.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12)
        >>> [(a, b, str(state)) for a, b, state in calendar.free_busy(room, 8, 13)]
        [(8, 9, 'free'), (9, 12, 'busy'), (12, 13, 'free')]
        """
        return free_busy(self._engine.state, resource, start, end)

    def occupancy(self, resource: Any, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]:
        """Yield the steps ``(start, end, used)`` of how many units bookings and holds use; together they tile the span.

        Turnaround is not part of a booking and does not count. Neighbouring steps differ. With closed bounds steps meet
        in a shared key, which belongs to the highest of them.

        Raises, when called: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`.
        Complexity: O(log m + steps) for a resource with capacity in a `MemoryStore`, else O(k log k) for k bookings.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> van = calendar.add_resource(Resource("van", capacity=9))
        >>> _ = calendar.book(van, 1, 4, quantity=2), calendar.book(van, 3, 6, quantity=5)
        >>> list(calendar.occupancy(van, 0, 6))
        [(0, 1, 0), (1, 3, 2), (3, 4, 7), (4, 6, 5)]
        """
        return self._free_time.occupancy(resource, start, end)

    # -- booking ----------------------------------------------------------------------------------------

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
        # The fast path: the lock taken without a call, one bisect, no record of the change. What it cannot decide, and every
        # refusal, is the engine's, which is called without the lock: subscribers are notified after it has been given up.
        gate, ledger = self._gate, self._ledger
        gate.lock.acquire()
        gate.stamp = None
        gate.writers += 1
        gate.version += 1
        try:
            seq = ledger.last + 1
            keys = self._keys
            fast_type = keys.plain
            if (
                id is None
                and quantity is ONE
                and if_exists is RAISE
                and not fields
                and not gate.waiting
                and not self._log.active
                and self._makes_rows
                and type(start) is fast_type
                and type(end) is fast_type
                and (fast_type is not datetime or (start.tzinfo is keys.zone and end.tzinfo is keys.zone))
                and not (ledger.named and seq in ledger.numbers)
                and seq > ledger.undone
            ):
                try:
                    kind = type(resource)
                    binding: Any = None if kind is str or kind is int else getattr(resource, "_binding", None)
                    if binding is None or binding.home is not self:
                        id_ = resource if kind is str or kind is int else getattr(resource, "id", resource)
                        binding = self._by_id[id_].binding
                    by_edges = start < end and binding.edges is not None
                except Exception:  # not registered, the object's own code, or a NaN among decimals
                    by_edges = False
                if by_edges:
                    try:
                        inserted = binding.insert_if_free(start, end, seq)
                    except Exception as exc:
                        self._engine.state.translate_error(exc, start, end)
                        raise
                    if inserted:
                        record = binding.record
                        ledger.last = seq
                        part = self._owners.get(seq >> 16)
                        if part is not None and len(part) == seq & 0xFFFF:
                            part.append(record.number)
                        else:
                            ledger.owners[seq] = record.number
                        binding.active += 1
                        event = _new(BookingEvent)
                        event._resource = record.resource
                        event._start = start
                        event._end = end
                        event._id = event._seq = event._lock = seq
                        event._quantity = 1
                        event._fields = None
                        event._home = ledger
                        return event
        finally:
            gate.writers -= 1
            if not gate.writers and not gate.waiting:
                gate.stamp = gate.version
            gate.lock.release()
            if self._log.outbox:
                gate.finish(None)
        return self._engine.book(resource, start, end, id, quantity, if_exists, fields)

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
        return self._engine.add_booking(event)

    def remove_booking(self, event_or_id: Any) -> BookingEvent:
        """Release a booking's lock and forget it; return it.

        Raises: `UnknownBookingError` when it does not stand in this calendar.
        Complexity: O(log m), and one bit for every eighth block of the timeline that the span crosses.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> talk = calendar.book(calendar.add_resource(Resource("room")), 9, 12, id="talk")
        >>> calendar.remove_booking("talk") == talk, talk.owns_lock, calendar.is_available("room", 9, 12)
        (True, False, True)
        """
        return self._engine.remove_booking(event_or_id)

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
        return self._engine.load(events)

    def book_any(
        self,
        selection: Any,
        start: Any,
        end: Any,
        *,
        strategy: Strategy = "first",
        id: Hashable = None,
        quantity: int = 1,
        if_exists: str = RAISE,
        **fields: Any,
    ) -> BookingEvent:
        """Book one of these resources, whichever is available: find, choose and lock in one step. Return the booking.

        *selection* is a `Selection` or any term that `find` takes. The candidates are those of it that have room for
        *quantity*, in order of registration or as the selection is ordered. ``strategy`` says which one is taken,
        among equals the first:

        - ``"first"``: the first.
        - ``"best_fit"``: the one whose gap around the span is the smallest, so that large gaps stay whole. The gap is
          the longest span around the one asked for that could be booked for *quantity* units: in a pool, as long as
          so many are left. Its length is taken from what ends before to what begins after. A gap unbounded on one side
          is larger than any bounded one; one unbounded on both is the largest.
        - ``"least_used"``: the one with the fewest bookings and holds, whenever and however large.
        - a function: called with the list of the candidates, it returns one of them (or its id). It runs under the
          calendar's lock: let it be quick, and wait for no other thread. It may ask the calendar anything. Should it
          raise, or return something else, nothing has changed.

        The other arguments are those of `book`. With ``if_exists="return"`` a booking that stands under this id with
        the same span, quantity and fields is returned, on whichever resource it is.

        Raises: `NoneAvailableError` when none is available; `QueryError` for a selection or strategy that is none, and
        for a function that raises (its exception is the cause) or picks no candidate; `KeyTypeError` for
        ``"best_fit"`` with keys that cannot be subtracted; otherwise as `book`.
        Complexity: ``"first"``: as ``find_available(...).first(1)`` and `book`. The others: as reading
        `find_available`, and for each candidate O(1), or for ``"best_fit"`` O(log m) for each doubling of the span
        that the gap before it holds.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> a, b, c = (calendar.add_resource(Resource(name)) for name in "abc")
        >>> _ = calendar.book(a, 9, 12, id="x"), calendar.book(b, 8, 9), calendar.book(b, 11, 15)
        >>> [calendar.book_any([a, b, c], 9, 11, id=how, strategy=how).resource.id for how in ("best_fit", "first")]
        ['b', 'c']
        >>> calendar.book_any([b], 10, 11)
        Traceback (most recent call last):
        bookcore.errors.NoneAvailableError: no resource of 1 is available in [10, 11): 'b' (booking 'best_fit' [9, 11))
        """
        choice = Choice(self._planner, selection, strategy, self._engine.conflict)
        return self._engine.book_any(choice, start, end, id, quantity, if_exists, fields)

    def book_all(self, requests: Iterable[Any], on_conflict: str = "raise") -> Report:
        """Book many: all of them, or with ``on_conflict="skip"`` all that can be, as one change. Return a report.

        A request is a `BookingEvent`, a mapping of what `book` takes, or a tuple ``(resource, start, end)``.
        ``report.booked`` are the events, ``report.refused`` a record for each refusal: the request and what was in the way.

        Raises: with ``"raise"`` what the first refusal raised, and nothing is booked; anything that is no conflict is
        raised either way: as `book`, and `QueryError` for what is no request, no iterable of them, or no ``on_conflict``.
        Complexity: as `book` for each.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> wanted = [(room, 9, 12), (room, 11, 13), {"resource": room, "start": 12, "end": 14, "guest": "Ada"}]
        >>> report = calendar.book_all(wanted, on_conflict="skip")
        >>> [event.id for event in report.booked], report.refused[0].request[1:], report.refused[0].conflicts[0].id
        ([1, 2], (11, 13), 1)
        """
        return self._engine.book_all(requests, on_conflict, self.book)

    # -- holds, moves -----------------------------------------------------------------------------------

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
        if_exists: str = RAISE,
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
        return self._engine.hold(resource, start, end, ttl, until, id, quantity, if_exists, fields)

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
        return self._engine.confirm(event_or_id)

    def move(
        self, event_or_id: Any, *, start: Any = UNSET, end: Any = UNSET, resource: Any = UNSET
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
        return self._engine.move(event_or_id, start, end, resource)

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
        return self._engine.split(event_or_id, at)

    # -- finding resources ------------------------------------------------------------------------------

    def find_available(self, start: Any, end: Any, *terms: Any, quantity: int = 1) -> Selection:
        """Return the resources for which `book` would succeed, among those that match all terms.

        Raises: `InvalidSpanError`, `KeyTypeError`, `InvalidQuantityError`; `QueryError` as `find`.
        Complexity: nothing until it is read; see `Selection` and `OccupancyIndex.busy`.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name)) for name in ("barn", "cabin", "loft")]
        >>> stay = calendar.book("cabin", 9, 12)
        >>> calendar.find_available(11, 14).ids(), calendar.find_available(11, 14, ["cabin", "loft"]).ids()
        (['barn', 'loft'], ['loft'])
        """
        return self._find(self._span_term(start, end, quantity), terms)

    def find_booked(self, start: Any, end: Any, *terms: Any) -> Selection:
        """Return the resources for which `book` would fail, among those that match all terms.

        Raises, Complexity: as `find_available`.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name)) for name in ("barn", "cabin", "loft")]
        >>> stay = calendar.book("cabin", 9, 12)
        >>> booked = calendar.find_booked(11, 14)
        >>> booked.ids(), set(~booked) == set(calendar.find_available(11, 14))
        (['cabin'], True)
        """
        return self._find(Not(self._span_term(start, end, 1)), terms)

    def find(self, *terms: Any) -> Selection:
        """Return the resources that match all terms.

        A term is a class (its instances, and those of subclasses and virtual subclasses), a `Selection`, an iterable
        of resources or ids, a list of terms (any of them), or ``no(term)``. In a list a resource or an id, which may be
        a tuple, is a term as well. A protocol that can be asked only about objects is asked about each resource.

        Raises: `QueryError` for anything else; on reading, for a class that cannot be asked.
        Complexity: O(ids given); see `Selection` for reading it.

        >>> from bookcore import Calendar, Resource, no
        >>> class Flat(Resource): pass
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(one) for one in (Flat("barn"), Flat("loft"), Flat("mill"), Resource("car"))]
        >>> calendar.tag("mill", "sauna")
        >>> calendar.find(Flat, no(calendar.tagged("sauna"))).ids(), calendar.find(["car", calendar.tagged("sauna")]).ids()
        (['barn', 'loft'], ['mill', 'car'])
        """
        return self._find(None, terms)

    def _span_term(self, start: Any, end: Any, quantity: Any) -> Available:
        if not self._keys.is_plain(start, end):  # a question is made without the lock, if it can be
            with self._gate.lock:
                self._keys.admit(start, end)
        return Available(start, end, check_quantity(quantity))

    def _find(self, first: Term | None, terms: tuple[Any, ...]) -> Selection:
        parts = [] if first is None else [first]
        parts += [as_term(term, self) for term in terms]
        if len(parts) == 1:
            return Selection(self._planner, parts[0])
        return Selection(self._planner, And(tuple(parts)) if parts else All())

    # -- tags and indexes -------------------------------------------------------------------------------

    def tag(self, resource: Any, *labels: Hashable) -> None:
        """Put labels on a resource, all or none. Labels it has already stay. O(1).

        Raises: `UnknownResourceError`, `QueryError` for what cannot be hashed and compared.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> cabin = calendar.add_resource(Resource("cabin"))
        >>> calendar.tag(cabin, "lake", "sauna")
        >>> cabin in calendar.tagged("lake"), cabin in calendar.tagged("sea")
        (True, False)
        """
        self._engine.tag(resource, labels, True)

    def untag(self, resource: Any, *labels: Hashable) -> None:
        """Take labels off a resource, all or none. Labels it has not are ignored. Raises: as `tag`.

        Complexity: O(1), and a pass through n bits for each label that comes off.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> cabin = calendar.add_resource(Resource("cabin"))
        >>> calendar.tag(cabin, "lake", "sauna")
        >>> calendar.untag("cabin", "lake", "sea")
        >>> cabin in calendar.tagged("lake"), cabin in calendar.tagged("sauna")
        (False, True)
        """
        self._engine.tag(resource, labels, False)

    def tagged(self, label: Hashable) -> Selection:
        """Return the resources that carry the label; none where nobody ever carried it.

        Raises: `QueryError` for what cannot be hashed; on reading, for what cannot be compared with labels.
        Complexity: nothing until it is read; see `Selection`.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> calendar.tag(calendar.add_resource(Resource("cabin")), "lake")
        >>> calendar.tagged("lake").ids(), calendar.tagged("lak").ids()
        (['cabin'], [])
        """
        try:
            hash(label)
        except Exception as exc:
            raise QueryError(label, "a label must be hashable") from exc
        return Selection(self._planner, Tagged(label))

    def create_index(self, name: str, *, key: Callable[[Any], Any]) -> IndexView:
        """Keep the resources in order of ``key(resource)``, to select by and to order by; return the index.

        *key* is asked once for each resource, now, when one is added and at `reindex`, under the calendar's lock. A
        resource for which it raises AttributeError or a lookup error, or gives None, NaN or a tuple with NaN in it, has no
        value: it is in no range and sorts last. Indexes are not part of a snapshot.

        Raises: `IndexNameError` when the name is taken, `KeyTypeError` when values cannot be ordered, `QueryError` for a
        name or a key that is none, and when *key* raises anything else.
        Complexity: O(n log n).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name, seats)) for name, seats in (("van", 9), ("bus", 50), ("car", 5))]
        >>> seats = calendar.create_index("seats", key=lambda vehicle: vehicle.capacity)
        >>> seats.between(8, None).order_by("seats").ids()
        ['van', 'bus']
        """
        return IndexView(self._planner, self._engine.create_index(name, key))

    def index(self, name: str) -> IndexView:
        """Return an index, to be asked for ``between``, ``equal`` or ``one_of``. Raises: `IndexNameError`. O(1).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> van = calendar.add_resource(Resource("van", 9))
        >>> seats = calendar.create_index("seats", key=lambda vehicle: vehicle.capacity)
        >>> calendar.index("seats").equal(9).ids()
        ['van']
        """
        with self._gate.lock:
            self._engine.state.registry.index(name)
        return IndexView(self._planner, name)

    def reindex(self, resource: Any) -> None:
        """Ask every index's key again for a resource whose attributes have changed; all indexes follow, or none.

        Undone with the transaction that it is in, as every change: the indexes then hold what they held.

        Raises: `KeyTypeError` when a value cannot be ordered among the others, `QueryError` when a key raises,
        `UnknownResourceError`.
        Complexity: O(log n) for each index.

        >>> from types import SimpleNamespace
        >>> from bookcore import Calendar
        >>> calendar = Calendar()
        >>> loft = calendar.add_resource(SimpleNamespace(id="loft", price=90))
        >>> cheap = calendar.create_index("price", key=lambda flat: flat.price).between(0, 80)
        >>> loft.price = 70
        >>> before = cheap.ids()
        >>> calendar.reindex(loft)
        >>> before, cheap.ids()
        ([], ['loft'])
        """
        self._engine.reindex(resource)

    # -- finding time -----------------------------------------------------------------------------------

    def gaps(
        self, resource: Any, start: Any, end: Any, *, at_least: Any = None, quantity: int = 1
    ) -> Iterator[tuple[Any, Any]]:
        """Yield the maximal free ``(start, end)`` spans within the span, in order: `book` accepts each whole.

        Free is meant for *quantity* units, with turnaround, closures and opening hours. ``at_least`` leaves out shorter
        ones. A None in an answer is unbounded.

        Raises, when called: as `is_available`; `KeyTypeError` for a length that keys cannot be moved by, or a negative one.
        Complexity: O(log m + bookings in the span); opening hours are walked as the iterator is. With ``at_least``, for
        whole numbers, dates and datetimes in a `MemoryStore`: O(log m) for each answer of an exclusive resource.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12), calendar.book(room, 13, 15)
        >>> list(calendar.gaps(room, 8, 18)), list(calendar.gaps(room, 8, 18, at_least=2))
        ([(8, 9), (12, 13), (15, 18)], [(15, 18)])
        """
        return self._free_time.gaps(resource, start, end, at_least=at_least, quantity=quantity)

    def next_available(
        self, resource: Any, after: Any, length: Any, *, quantity: int = 1
    ) -> tuple[Any, Any] | None:
        """Return the earliest ``(start, end)`` of this length, at *after* or later, that `book` accepts, or None.

        None also when opening hours never hold the length: they are followed 40 years past the last thing in the way.

        Raises: `KeyTypeError` when *after* is None or cannot be added to, `InvalidSpanError` for a length of nothing.
        Complexity: O(log m + openings too short) for an exclusive resource in a `MemoryStore`, with keys that are whole
        numbers, dates or datetimes; for others, and for pools, O(log m + bookings passed over).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12), calendar.book(room, 13, 15)
        >>> calendar.next_available(room, 10, 1), calendar.next_available(room, 10, 2)
        ((12, 13), (15, 17))
        """
        return self._free_time.next_available(resource, after, length, quantity=quantity)

    def nearest(
        self, resource: Any, start: Any, end: Any, *, quantity: int = 1
    ) -> tuple[tuple[Any, Any] | None, tuple[Any, Any] | None]:
        """Return the closest free spans of the same length: the latest that starts no later, the earliest no earlier.

        Each is ``(start, end)``, or None where there is none. They may overlap the span asked about; a span that is
        free is its own nearest, on both sides.

        Raises: `KeyTypeError` for keys that cannot be subtracted, or lie further apart than a length of their type can
        say (NumPy's), unless the span is free; `InvalidSpanError` for a span without bound.
        Complexity: as `next_available`, on both sides; backwards up to twice as much.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12), calendar.book(room, 13, 15)
        >>> calendar.nearest(room, 11, 13)
        ((7, 9), (15, 17))
        """
        return self._free_time.nearest(resource, start, end, quantity=quantity)

    def common_gaps(
        self, resources: Iterable[Any], start: Any, end: Any, *, at_least: Any = None, quorum: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """Yield the maximal spans in which all the resources are free, or with *quorum* at least so many of them.

        At least so many, and the same ones throughout: each answer can be booked whole on *quorum* of them. So answers
        may overlap where one leaves as another comes; they are in order of start, and of end. A resource named twice
        counts once.

        Raises: as `gaps`; `QueryError` when *resources* are no iterable of resources or ids, or *quorum* is not an int of
        at least 1.
        Complexity: O(n + their bookings in the span), times log n.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> ann, bob, cho = (calendar.add_resource(Resource(name)) for name in ("ann", "bob", "cho"))
        >>> _ = calendar.book(ann, 9, 12), calendar.book(bob, 11, 14), calendar.book(cho, 16, 17)
        >>> list(calendar.common_gaps([ann, bob, cho], 8, 18))
        [(8, 9), (14, 16), (17, 18)]
        >>> list(calendar.common_gaps([ann, bob, cho], 8, 18, quorum=2, at_least=3))
        [(8, 11), (12, 16), (14, 18)]
        """
        return self._free_time.common_gaps(resources, start, end, at_least=at_least, quorum=quorum)

    def find_slots(
        self, length: Any, start: Any, end: Any, *terms: Any, step: Any = None, quantity: int = 1
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Yield ``(start, end, resource)`` that `book` accepts, earliest first, lazily; ties in order of registration.

        Of the resources that match all *terms*, within the span. Without ``step``: one for each gap that is long
        enough, at its beginning. With it: all those that start at *start*, *start* + ``step``, and so on.

        The calendar may change between two answers. Each is free at the moment it is handed out; time that became free
        behind the last answer is not gone back for.

        Raises: `InvalidSpanError` unless the span is bounded; `KeyTypeError`, `InvalidQuantityError`, `QueryError`.
        Complexity: for one unit in a `MemoryStore`, as `find_available` at *start*, then O(log m) for each booking
        that ends before the answer. For other stores or more units, the resources are asked one by one before
        the first answer after *start*. With ``step``, as `find_available` for each step.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> ann, bob = (calendar.add_resource(Resource(name)) for name in ("ann", "bob"))
        >>> _ = calendar.book(ann, 9, 12), calendar.book(bob, 8, 10)
        >>> [(a, b, who.id) for a, b, who in calendar.find_slots(2, 9, 15)]
        [(10, 12, 'bob'), (12, 14, 'ann')]
        """
        return self._free_time.find_slots(length, start, end, *terms, step=step, quantity=quantity)

    # -- closures and opening hours ---------------------------------------------------------------------

    def close(self, resource: Any, start: Any, end: Any, reason: str = "closed") -> Closure:
        """Close a resource for a span: nothing can be booked there any more. Return the closure, for `reopen`.

        Bookings that stand there already stay, and are listed in ``closure.overlapping``. Closures may overlap each other.

        Raises: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`; `QueryError` when the reason is no text.
        Complexity: O(log m + bookings overlapped).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> closure = calendar.close("room", 8, 10, "painting")
        >>> calendar.is_available("room", 8, 9), closure.overlapping == (stay,), stay.owns_lock
        (False, True, True)
        """
        return self._engine.close(resource, start, end, reason)

    def close_all(self, resources: Any, start: Any, end: Any, reason: str = "closed") -> tuple[Closure, ...]:
        """Close many resources (a selection, or an iterable of resources or ids) for a span, as one change.

        Returns the closures, in the order of the resources. One resource will do as well.

        Raises: as `close`, and nothing is closed; `QueryError` for a selection of another calendar, and for what cannot be
        iterated.
        Complexity: as `close` for each.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> barn, cabin = calendar.add_resource(Resource("barn")), calendar.add_resource(Resource("cabin"))
        >>> [closure.resource.id for closure in calendar.close_all(calendar.resources, 24, 27, "holidays")]
        ['barn', 'cabin']
        """
        return self._engine.close_all(resources, start, end, reason)

    def reopen(self, closure: Closure) -> None:
        """Lift a closure: the very object that `close` returned, or `closures` does.

        Raises: `UnknownClosureError` when it does not stand in this calendar.
        Complexity: O(log m), and a pass through the other closures of the resource.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> closure = calendar.close(calendar.add_resource(Resource("room")), 8, 10)
        >>> calendar.reopen(closure)
        >>> calendar.is_available("room", 8, 10), calendar.closures()
        (True, ())
        """
        self._engine.reopen(closure)

    def closures(self, resource: Any = None) -> tuple[Closure, ...]:
        """Return the closures of a resource, by start, then in order of making; or all of them in order of making.

        Raises: `UnknownResourceError`.
        Complexity: O(answers) for one resource, O(answers x log answers) for all.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.close(room, 20, 22, "fair"), calendar.close(room, 8, 10, "painting")
        >>> [closure.reason for closure in calendar.closures(room)], [closure.reason for closure in calendar.closures()]
        (['painting', 'fair'], ['fair', 'painting'])
        """
        return listing.closures(self._engine.state, resource)

    def set_hours(self, resources: Any, hours: Any) -> None:
        """Let resources be booked only within opening hours (`bookcore.hours.Hours`); None lifts them.

        *resources* is one resource, a selection, or an iterable of resources or ids. Bookings that stand stay. However many
        resources share a rule, a search evaluates it once.

        Raises: `HoursError` when *hours* are none; `KeyTypeError` when the calendar holds keys that do not go with them, as
        whole numbers, or times without a zone where the hours have one (keys that come later, `book` refuses);
        `UnknownResourceError`; `QueryError` as `close_all`.
        Complexity: O(1) for each resource, and a pass through n bits for one that had hours before.

        >>> from datetime import datetime
        >>> from bookcore import Calendar, Resource
        >>> from bookcore.hours import Hours
        >>> calendar = Calendar()
        >>> desk = calendar.add_resource(Resource("desk"))
        >>> calendar.set_hours(desk, Hours({"mon-fri": "09:00-17:00"}))
        >>> monday = datetime(2026, 5, 4)
        >>> [calendar.is_available(desk, monday.replace(hour=h), monday.replace(hour=h + 1)) for h in (8, 9, 16, 17)]
        [False, True, True, False]
        """
        self._engine.set_hours(resources, hours)

    # -- changes ----------------------------------------------------------------------------------------

    def transaction(self) -> AbstractContextManager[None]:
        """Make everything done inside one change: undone whole on an exception, invisible to other threads until it ends.

        The calendar's lock is held for the whole block, so others wait; keep it short. Nested blocks are undone alone.
        Subscribers are told when the outermost block has ended, and of nothing that was undone. What cannot be undone, as
        when a key's own code fails, does not keep the rest from being undone.

        Raises: `TransactionError`, or the calendar's own error, when something could not be undone.

        Complexity: one note a change; undoing costs what doing did.

        >>> from bookcore import Calendar, ConflictError, Resource
        >>> calendar = Calendar()
        >>> _ = calendar.add_resource(Resource("room")), calendar.add_resource(Resource("crew"))
        >>> shift = calendar.book("crew", 9, 12)
        >>> try:
        ...     with calendar.transaction():
        ...         both = calendar.book("room", 11, 14), calendar.book("crew", 11, 14)
        ... except ConflictError as refusal:
        ...     refusal.resource.id, calendar.is_available("room", 11, 14)
        ('crew', True)
        """
        return self._engine.state.transaction(keep=True)

    def what_if(self) -> AbstractContextManager[None]:
        """Try things out: as `transaction`, but always undone at the end. "Cancel A, move B: does C fit?".

        Raises, Complexity: as `transaction`.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> with calendar.what_if():
        ...     gone = calendar.remove_booking(stay)
        ...     calendar.is_available("room", 11, 14)
        True
        >>> calendar.is_available("room", 11, 14), stay.owns_lock
        (False, True)
        """
        return self._engine.state.transaction(keep=False)

    def subscribe(self, callback: Callable[[Change], Any]) -> Callable[[], None]:
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
        return self._engine.subscribe(callback)

    def apply(self, change: Change) -> None:
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
        self._engine.apply(change)

    # -- snapshots --------------------------------------------------------------------------------------

    def snapshot(self, path: str | os.PathLike[str], *, key: bytes | None = None) -> int:
        """Write everything to one file, in the place of what stands there; return its size in bytes.

        Atomic: after any failure the old file stands. See `bookcore.persist.snapshot.save` for what is carried: resources,
        tags, bookings, holds, closures, hours; not indexes, clock and subscribers, which are functions. The bookings that
        ``closure.overlapping`` lists are carried also if they were released or moved since. With *key* the file
        is sealed, so that only its owner can make one that `restore` takes.

        Raises: `SnapshotError`, also for a class or a value that cannot be written.
        Complexity: O(everything).

        >>> from tempfile import TemporaryDirectory
        >>> from bookcore import Calendar
        >>> with TemporaryDirectory() as folder:
        ...     size = Calendar(bounds="[]").snapshot(f"{folder}/sealed", key=b"secret")
        ...     size > 0, Calendar.restore(f"{folder}/sealed", key=b"secret").bounds
        (True, '[]')
        """
        from bookcore.persist.snapshot.save_load import save

        return save(self._engine.state, path, key=key)

    @classmethod
    def restore(
        cls,
        path: str | os.PathLike[str],
        *,
        types: Iterable[type] = (),
        key: bytes | None = None,
        store: BookingStore[Any] | None = None,
        clock: Callable[[], Any] | None = None,
    ) -> Self:
        """Return a new calendar with what `snapshot` wrote: every answer, order and key as it was.

        *types* are the classes of the resources and bookings in the file; none is ever imported by a name in it.
        ``store`` and ``clock`` are those of the new calendar.

        Raises: `SnapshotError` for a file that is damaged, hostile, of a newer format, sealed with another key, or of a
        class not handed in.
        Complexity: O(everything).

        >>> from tempfile import TemporaryDirectory
        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> with TemporaryDirectory() as folder:
        ...     size = calendar.snapshot(f"{folder}/today")
        ...     Calendar.restore(f"{folder}/today", types=[Resource]).get(1)
        BookingEvent('room', 9, 12, id=1)
        """
        from bookcore.persist.snapshot.save_load import load

        def make(bounds: str, event_type: type[BookingEvent]) -> tuple[Self, CalendarState]:
            calendar = cls(store, bounds=bounds, clock=clock, event_type=event_type)
            return calendar, calendar._engine.state

        return load(make, path, types=types, key=key)

    def digest(self) -> str:
        """Return a hash of everything that decides answers: equal for calendars with equal answers.

        Of resources and their tags, bookings and their fields, holds, closures and opening hours, as a snapshot carries
        them; not of indexes, clock and subscribers, which are functions. A calendar that follows another by its
        changes, and one that is restored from its snapshot, have the same digest.

        Raises: `SnapshotError` for a class or a value that cannot be written.
        Complexity: O(everything).

        >>> from bookcore import Calendar, Resource
        >>> one, other = Calendar(), Calendar()
        >>> end = one.subscribe(other.apply)
        >>> stay = one.book(one.add_resource(Resource("room")), 9, 12)
        >>> one.digest() == other.digest(), one.digest() == Calendar().digest()
        (True, False)
        """
        from bookcore.persist.snapshot.digest import digest

        return digest(self._engine.state)

    # -- the rest ---------------------------------------------------------------------------------------

    @property
    def bounds(self) -> str:
        """``"[)"`` or ``"[]"``."""
        return self._engine.state.bounds

    def check(self) -> None:
        """Raise AssertionError unless every invariant of every structure holds. O(everything); for tests."""
        self._engine.state.check()

    def __repr__(self) -> str:
        state = self._engine.state
        with self._gate.lock:  # and no look at the clock, which might fail
            resources, bookings = len(state.registry), len(self._ledger)
        return (
            f"<Calendar of {resources} resources and {bookings} bookings, bounds {state.bounds!r}, "
            f"in a {type(state.store).__name__}>"
        )


def _is_store(value: Any) -> bool:
    """Tell whether *value* has the methods of a store, which a wrapper may have from what it wraps."""
    try:
        return isinstance(value, BookingStore)
    except Exception:  # the object's own code
        return False
