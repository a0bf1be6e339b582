"""`Calendar`: the whole public interface, in one file.

Each method documents a call, its errors and its complexity, and forwards the call. `Calendar.is_available` and
`Calendar.book` also have a fast path; tests prove that it gives the same answers as the general path.

    commands     `bookcore.engine.engine`      decide, then commit a change to `bookcore.engine.state`
    questions    `bookcore.query`              read that state
    files        `bookcore.persist`            write and read snapshots
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Self, overload

from bookcore.engine.engine import UNSET, Engine
from bookcore.engine.gate import CHANGING, IDLE
from bookcore.engine.making import check_event_type
from bookcore.engine.mending import Mending
from bookcore.engine.recording import RecordingEngine
from bookcore.engine.requests import listed, parsed, skipped
from bookcore.engine.state import CalendarState
from bookcore.engine.transaction import Transaction
from bookcore.model.change import Change
from bookcore.model.closure import Closure
from bookcore.model.errors import BookcoreError, QueryError, StoreError, attempt, blaming, masked
from bookcore.model.event import BookingEvent
from bookcore.model.explanation import Explanation, State
from bookcore.model.generic import Bounds, E, Generic, Id, IfExists, K, R, Registers, T
from bookcore.model.keys import StatedKeys
from bookcore.model.numpy_scalars import python_int
from bookcore.model.report import Report
from bookcore.model.resource import Resource, check_quantity
from bookcore.model.term import All, And, Available, Tagged, Term, as_term, opposite
from bookcore.model.timeouts import check_timeout
from bookcore.model.typecheck import is_a, is_async, plain_text
from bookcore.query import listing
from bookcore.query.booking_view import BookingIndexView
from bookcore.query.choice import Choice, Strategy
from bookcore.query.explain import explain, free_busy
from bookcore.query.free_time import FreeTime
from bookcore.query.planner import Planner
from bookcore.query.selection import IndexView, Selection
from bookcore.stores.memory.store import MemoryStore
from bookcore.stores.protocol import BookingStore

if TYPE_CHECKING:
    from bookcore.hours.opening_hours import Hours
    from bookcore.persist.journal.copying import Salvaged
    from bookcore.persist.journal.past import History
    from bookcore.persist.shared.partitioned.calendar import PartitionedCalendar
    from bookcore.persist.snapshot.format import Limits  # loaded when a snapshot is read or written

ONE = 1
RAISE: Final = "raise"
_new = BookingEvent.__new__


class Calendar(Generic[R, K, E]):
    """The bookings of any number of resources, in memory. A calendar may be shared between threads.

    ``store`` keeps the bookings (default: a new `MemoryStore`). With ``bounds="[)"`` a span ends just before its
    ``end``, so that touching bookings do not conflict; with ``"[]"`` the end is part of the span (whole-day rentals):
    touching bookings conflict, and the start and end of a span may be equal. ``clock`` is a function that returns the
    present instant, for holds: while a hold may run out, every call that reads or changes bookings calls it, and passes
    on unchanged what it raises. ``event_type`` is the class of the events that `book` makes. ``key`` is a function that
    returns the id of a resource, for objects whose ``id`` is not unique: ``key=lambda row: (type(row).__name__, row.pk)``;
    it is called for objects, and ids as arguments stay what they are. ``keys`` states which keys the
    calendar takes: a type, such as ``datetime``, ``date``, ``int`` or ``float`` (which has whole numbers among it), or
    ``"aware"`` or ``"naive"`` for datetimes with and without a zone. If it is None, the first key decides, again whenever
    the calendar is empty.

    Raises: `QueryError` for invalid bounds, clock, event type, key or keys; `StoreError` for an object that is
    no store, or a store that belongs to another calendar. Any later call raises `KeyTypeError` when keys, or the clock's
    instant, cannot be compared; a call that changes something raises `StoreError` when the store fails.

    >>> from bookcore import BookingEvent, Calendar, Resource  # for all examples here
    >>> calendar = Calendar()
    >>> room = calendar.add_resource(Resource("room"))
    >>> stay = calendar.book(room, 9, 12)
    >>> calendar.is_available(room, 11, 13), calendar.is_available(room, 12, 13)
    (False, True)

    A calendar is neither copied nor pickled (`QueryError`): `restore` of a `snapshot` makes an independent one.
    ``Calendar[Flat, date, Stay]`` tells type checkers the classes of resources, keys and bookings, and no more.

    A resource argument is the registered object, an object equal to it, or its id; another object that has this id is
    refused (`UnknownResourceError`). None as start or end means unbounded. Bookings and closures keep the keys that they
    were given; computed keys are in the zone of the question (see `bookcore.query.free_time`). A call that raises changes
    nothing. In the complexities, m is the number of bookings of the resource, n the number of resources.
    """

    __slots__ = (
        "__weakref__",
        "_beside_rows",
        "_by_id",
        "_engine",
        "_free_time",
        "_gate",
        "_keys",
        "_ledger",
        "_log",
        "_mending",
        "_owners",
        "_planner",
        "_recorder",
    )

    def __init__(
        self,
        store: BookingStore[Any] | None = None,
        *,
        bounds: Bounds = "[)",
        clock: Callable[[], Any] | None = None,
        event_type: type[E] = BookingEvent,  # type: ignore[assignment]  # without it, E is BookingEvent
        key: Callable[[Any], Hashable] | None = None,
        keys: Any = None,
    ) -> None:
        sort = plain_text(bounds)
        if sort not in ("[)", "[]"):
            raise QueryError(bounds, "bounds are '[)' (the end is free again) or '[]' (the end is taken)")
        if clock is not None and (not callable(clock) or is_async(clock)):
            raise QueryError(clock, "a clock is a function, not async, that returns the present instant")
        check_event_type(event_type)
        if key is not None and not callable(key):
            raise QueryError(key, "key is a function that returns the id of a resource")
        try:
            stated = None if keys is None else StatedKeys(keys)
        except ValueError as exc:
            raise QueryError(keys, str(exc)) from None
        store = MemoryStore() if store is None else store
        if is_a(store, type):
            raise StoreError(store, f"is a class, not a store: {store.__name__}()")
        if not attempt(lambda: isinstance(store, BookingStore), False):  # a wrapper may get its methods from another object
            raise StoreError(store, "has not the methods of bookcore.BookingStore")
        try:
            store.bind(sort == "[]")
        except (BookcoreError, MemoryError):
            raise
        except Exception as exc:
            raise StoreError(store, f"failed: {type(exc).__name__}: {exc}") from exc
        state = CalendarState(self, store, sort, clock, event_type, key, stated)
        self._engine = Engine(state)
        self._recorder: Any = None  # what `open` gives it
        self._mending = Mending(state)
        self._planner = Planner(state)
        self._free_time = FreeTime(self._planner)
        # The two fast paths read these.
        self._gate, self._keys, self._ledger, self._log = state.gate, state.keys, state.ledger, state.log
        self._by_id, self._owners = state.registry.by_id, state.ledger.owners.parts
        # true where a booking is more than its row: events of the program's own class, or while there are indexes over them
        self._beside_rows: Any = state.booking_indexes.by_name if event_type is BookingEvent else True

    if TYPE_CHECKING:

        def _takes(self, resource: R) -> None:
            """Tell a type checker of which types `add_resource` takes resources."""

    # -- resources --------------------------------------------------------------------------------------

    def add_resource(
        self: Registers[T],
        resource: T,
        *,
        capacity: int | None = None,
        before: Any = None,
        after: Any = None,
        id: Hashable = None,
        if_exists: IfExists = RAISE,
    ) -> T:
        """Register a resource and return it. Any object with a hashable ``id`` can be a resource.

        ``id`` gives the resource another id in this calendar than its own, or than the calendar's ``key`` makes; calls then
        take that id or the object itself, and no other object that is equal to it. ``capacity``, ``before`` and ``after``
        replace the values of a `Resource`, and give an object of another class these values. If such an object has a
        ``capacity`` above 1 itself, it may mean seats: it is refused unless ``capacity`` is given. So is one whose own
        ``before`` or ``after`` is a length, unless that is given; 0 means no buffer, for keys of every type. The key
        function of every index is called with the resource, under the calendar's lock.

        With ``if_exists="return"``, a resource of the same class that is registered with this id already is returned as it
        is, whatever the other arguments are. So each of several processes can make sure that the resource is there.

        Raises: `DuplicateResourceError` when the id or the object is registered already; `QueryError` when ``if_exists`` is
        neither ``"raise"`` nor ``"return"``; `ResourceError` when the id is None
        or not hashable, when the calendar's ``key`` raises, or when keys in the calendar cannot be moved by a buffer;
        `InvalidQuantityError` for the capacity; `QueryError` when a key function raises, `KeyTypeError` when
        its value cannot be ordered.
        Complexity: O(1), and O(log n) for each index.

        >>> from types import SimpleNamespace
        >>> calendar = Calendar()
        >>> van = calendar.add_resource(SimpleNamespace(id="van", wheels=4), capacity=9)
        >>> calendar.is_available("van", 1, 2, quantity=9), calendar.resources.first() is van
        (True, True)
        >>> calendar.add_resource(SimpleNamespace(id="van"), if_exists="return") is van
        True
        """
        added: T = self._gate.run(self._engine.add_resource, resource, capacity, before, after, id, if_exists)
        return added

    def remove_resource(self, resource: R | Id) -> R:
        """Remove a resource with its tags, closures and opening hours, and return it.

        Raises: `ResourceInUseError` while the resource has active bookings; `UnknownResourceError`.
        Complexity: O(number of labels), O(log n) for each index, and as `reopen` for each of its closures.

        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> calendar.remove_resource("room")
        Traceback (most recent call last):
        bookcore.errors.ResourceInUseError: resource 'room' still has a booking; remove or move it first
        """
        removed: R = self._gate.run(self._engine.remove_resource, resource)
        return removed

    @property
    def resources(self) -> Selection[R]:
        """All resources, in order of registration."""
        return Selection(self._planner, All())

    def resource(self, id: Hashable) -> R:
        """Return the registered resource with this id; a registered resource itself. Raises: `UnknownResourceError`. O(1).

        >>> calendar = Calendar()
        >>> van = calendar.add_resource(Resource("van"))
        >>> calendar.resource("van") is van
        True
        """
        registered: R = listing.resource(self._engine.state, id)
        return registered

    # -- one question about one resource ----------------------------------------------------------------

    def is_available(self, resource: R | Id, start: K | None, end: K | None, quantity: int = 1) -> bool:
        """Tell whether `book` would now accept the span for *quantity* units.

        Raises: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`, `InvalidQuantityError`.
        Complexity: O(log m); with a capacity or buffers, O(log m + changes of usage within the span).

        >>> calendar = Calendar()
        >>> bikes = calendar.add_resource(Resource("bikes", capacity=3))
        >>> tour = calendar.book(bikes, 1, 5, quantity=2)
        >>> calendar.is_available(bikes, 4, 6), calendar.is_available("bikes", 4, 6, quantity=2)
        (True, False)
        """
        # The fast path takes no lock and reads the edges of the resource's bookings through its binding. If a change began
        # meanwhile, or an argument is unusual or invalid, the general path below answers or raises.
        gate = self._gate
        stamp = gate.stamp
        if stamp is not None and quantity is ONE:
            try:
                kind = type(resource)
                if kind is Resource:
                    binding: Any = resource._binding  # type: ignore[union-attr]
                elif kind is str or kind is int:
                    binding = self._by_id[resource].binding
                else:
                    binding = getattr(resource, "_binding", None)
                if binding is None or binding.home is not self:
                    id = getattr(resource, "id", resource)
                    record = self._by_id[id]
                    binding = record.binding if record.resource is resource or id is resource else None
                edges = binding.edges
                keys = self._keys
                fast_type = keys.fast_type
                if (
                    edges is not None
                    and type(start) is fast_type
                    and type(end) is fast_type
                    and start < end  # type: ignore[operator]
                    # where the keys in `edges` have no zone, comparing them with a key that has one raises
                    and ((zone := keys.zone) is None or (start.tzinfo is zone and end.tzinfo is zone))  # type: ignore[union-attr]
                ):
                    if edges:  # `DisjointIntervals.is_free`
                        at = bisect_left(edges, end)
                        answer = not at or (not at & 1 and not start < edges[at - 1])
                    else:
                        answer = bool(keys.admit(start, end))
                    if stamp == gate.stamp:
                        return answer
            except Exception:  # noqa: S110 - the general path meets the same error and translates it
                pass
        return gate.ask(True, self._is_available, resource, start, end, quantity)

    def _is_available(self, resource: R | Id, start: K | None, end: K | None, quantity: int) -> bool:
        gate, state = self._gate, self._engine.state
        record = state.registry.record(resource)
        low, high = self._keys.admit(start, end)
        if gate.block is None and not gate.mode and not gate.waiting:
            gate.stamp = gate.version  # lets the next question take the fast path
        return state.rules.allows(record, low, high, check_quantity(quantity))

    def conflicts(self, resource: R | Id, start: K | None, end: K | None, quantity: int = 1) -> tuple[E, ...]:
        """Return the bookings that prevent a booking of the span, by start, then in order of booking.

        If the resource has buffers, bookings that are too near to the span are returned as well. For a resource with a
        capacity, these are the bookings that use units where fewer than *quantity* are left: none if enough units are left
        everywhere, and none if *quantity* exceeds the capacity. (`bookings` returns all bookings that overlap a span.)

        Raises: as `is_available`.
        Complexity: O(log m + answers); with a capacity O(m), and O(k log k) for k bookings that overlap.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room", after=1))
        >>> _ = calendar.book(room, 9, 12, id="daily"), calendar.book(room, 14, 15, id="call")
        >>> [event.id for event in calendar.conflicts(room, 11, 14)]
        ['daily', 'call']
        """
        return listing.conflicts(self._engine.state, resource, start, end, quantity)  # type: ignore[return-value]

    def bookings(self, resource: R | Id | None = None, start: K | None = None, end: K | None = None) -> Iterator[E]:
        """Iterate over the bookings that overlap the span, of one resource or of all, by start, then in order of booking.

        Raises, when called: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`.
        Complexity: O(log m + answers) for one resource; for all, O(answers x log answers) and what `find_booked` costs.

        >>> calendar = Calendar()
        >>> north, south = calendar.add_resource(Resource("north")), calendar.add_resource(Resource("south"))
        >>> _ = calendar.book(north, 9, 12, id="x"), calendar.book(south, 8, 9, id="y"), calendar.book(north, 14, 15)
        >>> [event.id for event in calendar.bookings(start=8, end=12)], [event.id for event in calendar.bookings(south)]
        (['y', 'x'], ['y'])
        """
        return listing.bookings(self._engine.state, resource, start, end)  # type: ignore[return-value]

    def get(self, booking_id: Hashable) -> E:
        """Return the active booking with this id; of an event, the booking if it is active. O(1).

        Raises: `UnknownBookingError`; for an event also if its booking was moved or changed since, as every call does.

        >>> calendar = Calendar()
        >>> talk = calendar.book(calendar.add_resource(Resource("room")), 9, 12, id="talk")
        >>> calendar.get("talk") == calendar.get(talk) == talk
        True
        """
        return listing.get(self._engine.state, booking_id)  # type: ignore[return-value]

    def __contains__(self, event: object) -> bool:
        """Tell whether an event, or the booking with an id, is active in this calendar. O(1)."""
        return listing.contains(self._engine.state, event)

    def __len__(self) -> int:
        """Return how many bookings are active, holds included. O(1)."""
        return self._gate.ask(True, len, self._ledger)

    def __bool__(self) -> bool:
        """Return True, also for a calendar without bookings."""
        return True

    def explain(self, resource: R | Id, start: K | None, end: K | None, quantity: int = 1) -> Explanation:
        """Return every cause why `book` would refuse the span; there is no cause exactly when `book` would accept it.

        The bookings among the causes are those that `conflicts` returns.

        Raises: as `is_available`.
        Complexity: O(log m + bookings in the span); as `is_available` when it is available.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room", after=1))
        >>> _ = calendar.book(room, 9, 12, id="daily"), calendar.book(room, 14, 15, id="call")
        >>> why = calendar.explain(room, 11, 14)
        >>> bool(why), [(str(cause.kind), cause.what.id) for cause in why.causes]
        (False, [('booking', 'daily'), ('buffer', 'call')])
        >>> print(why)
        'room' is not available in [11, 14):
          booking 'daily' [9, 12)
          booking 'call' [14, 15) is too near: buffer of 1 after
        """
        return explain(self._engine.state, resource, start, end, quantity)

    @overload
    def free_busy(
        self, resource: R | Id, start: K, end: K
    ) -> tuple[tuple[K, K, State], ...]: ...

    @overload
    def free_busy(
        self, resource: R | Id, start: K | None, end: K | None
    ) -> tuple[tuple[K | None, K | None, State], ...]: ...

    def free_busy(self, resource: R | Id, start: K | None, end: K | None) -> tuple[tuple[K | None, K | None, State], ...]:
        """Divide the span into parts ``(start, end, state)``; a state is ``free``, ``busy``, ``held`` or ``closed``.

        The parts cover the span without overlapping, in order. The ``free`` parts are the gaps for one unit. Where
        several states apply, `State` says which of them is given.

        Raises: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`; `InvalidSpanError` also for an unbounded span of
        a resource with opening hours.
        Complexity: O(log m + k log k) for k bookings, closures and openings in the span.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12)
        >>> [(a, b, str(state)) for a, b, state in calendar.free_busy(room, 8, 13)]
        [(8, 9, 'free'), (9, 12, 'busy'), (12, 13, 'free')]
        """
        return free_busy(self._engine.state, resource, start, end)

    @overload
    def occupancy(
        self, resource: R | Id, start: K, end: K
    ) -> Iterator[tuple[K, K, int]]: ...

    @overload
    def occupancy(
        self, resource: R | Id, start: K | None, end: K | None
    ) -> Iterator[tuple[K | None, K | None, int]]: ...

    def occupancy(self, resource: R | Id, start: K | None, end: K | None) -> Iterator[tuple[K | None, K | None, int]]:
        """Yield steps ``(start, end, used)``: how many units bookings and holds use. The steps cover the span, in order.

        Buffers do not count as usage. Neighbouring steps differ in ``used``. With closed bounds a step begins one key
        after the one before, as the parts of `free_busy` do.

        Raises, when called: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`.
        Complexity: O(log m + steps) for a resource with capacity in a `MemoryStore`, else O(k log k) for k bookings.

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
        /,
        resource: R | Id,
        start: K | None,
        end: K | None,
        *,
        id: Hashable = None,
        quantity: int = 1,
        if_exists: IfExists = RAISE,
        **fields: Any,
    ) -> E:
        """Book a resource: make an event and add it, checked and locked in one step.

        ``id`` names the booking (None: the calendar gives it a number), ``quantity`` is the number of units that it takes,
        ``fields`` are passed to the event's class. `BookingEvent` takes any, but for names of arguments of booking calls and
        names like them, such as ``ttl`` or ``quantty``; ``fields={"ttl": ...}`` gives a field of such a name. With
        ``if_exists="return"``, a call that asks for an active booking, with the same id and the same content, returns that
        booking; so a request can safely be sent twice. A hold is not what was asked for, and is refused: `confirm` it.

        Raises: `ConflictError`, which names all that is in the way, when the span is not available; `InvalidSpanError`,
        `KeyTypeError`, `UnknownResourceError`, `DuplicateBookingError`, `InvalidQuantityError`, `FieldError`; `QueryError`
        when ``if_exists`` is neither ``"raise"`` nor ``"return"``.
        Complexity: O(log m), and one bit for every eighth chunk of the `OccupancyIndex` that the span crosses.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> talk = calendar.book(room, 9, 12, id="talk", speaker="Ada")
        >>> talk.owns_lock, talk.speaker, calendar.is_available(room, 11, 13)
        (True, 'Ada', False)
        >>> calendar.book(room, 9, 12, id="talk", speaker="Ada", if_exists="return") is talk
        True
        """
        # The fast path needs no call to take the lock, one bisect, and no record of the change. All other cases, and every
        # refusal, go to the engine.
        gate, ledger, keys = self._gate, self._ledger, self._keys
        fast_type = keys.fast_type
        with gate.lock:  # not a call of `acquire`, after which Ctrl-C would leave the lock held
            if (
                (id is None or type(id) is str)
                and quantity is ONE
                and if_exists is RAISE
                and not fields
                and not (gate.waiting or gate.mode or gate.depth or self._log.active)
                and not self._beside_rows
                and type(start) is fast_type
                and type(end) is fast_type
                and (fast_type is not datetime or (start.tzinfo is keys.zone and end.tzinfo is keys.zone))  # type: ignore[union-attr]
            ):
                gate.mode = CHANGING  # before the object's own code is run
                index: Any = None
                seq = ledger.last + 1
                try:
                    try:
                        kind = type(resource)
                        if kind is Resource:
                            binding: Any = resource._binding  # type: ignore[union-attr]
                        elif kind is str or kind is int:
                            binding = self._by_id[resource].binding
                        else:
                            binding = getattr(resource, "_binding", None)
                        if binding is None or binding.home is not self:
                            id_ = getattr(resource, "id", resource)
                            known = self._by_id[id_]
                            binding = known.binding if known.resource is resource or id_ is resource else None
                        if (
                            start < end  # type: ignore[operator]
                            and binding.edges is not None
                            and seq > ledger.undone
                            and not (ledger.named and (seq in ledger.numbers or (id is not None and id in ledger.numbers)))
                            and (id is None or not self._engine.state.holds.expired)
                        ):
                            index = binding
                    except Exception:  # noqa: S110 - not registered, the object's own code, or a NaN among decimals
                        pass
                    if index is not None:
                        gate.stamp = None
                        gate.version += 1
                        if index.insert_if_free(start, end, seq):
                            if id is not None:  # before the owner: without an owner, mending forgets an id
                                ledger.numbers[id] = seq
                                ledger.ids[seq] = id
                                ledger.named += 1
                            part = self._owners.get(seq >> 10)
                            if part is not None and len(part) == seq & 0x3FF:
                                part.append(index.number)
                            else:
                                ledger.owners[seq] = index.number
                            index.active += 1
                            event = _new(BookingEvent)
                            event._resource = resource if kind is Resource else index.record.resource
                            event._start = start
                            event._end = end
                            event._seq = event._lock = seq
                            event._id = seq if id is None else id
                            event._quantity = 1
                            event._fields = None
                            event._home = ledger
                            ledger.last = seq
                            index.occupancy.begun = False
                            return event  # type: ignore[return-value]
                except BaseException as exc:
                    if index is not None and index.occupancy.begun:
                        gate.torn = gate.waiting = True
                    elif isinstance(exc, Exception):
                        self._engine.state.translate_error(exc, start, end)
                    raise
                finally:
                    gate.mode = IDLE
                    if not gate.waiting:
                        gate.stamp = gate.version
        return gate.run(self._engine.book, resource, start, end, id, quantity, if_exists, fields)  # type: ignore[return-value]

    def add_booking(self, event: E) -> E:  # type: ignore[misc]  # in a place where E is not covariant
        """Book an event that the caller made, and return it. Its ``resource`` may be an id.

        Raises: as `book`; `DuplicateBookingError` also when this event is active already; `QueryError` for an object that
        is no `BookingEvent`.
        Complexity: as `book`.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> event = calendar.add_booking(BookingEvent("room", 9, 12, guest="Ada"))
        >>> event.resource is room, event.id, event.owns_lock
        (True, 1, True)
        """
        return self._gate.run(self._engine.add_booking, event)  # type: ignore[return-value]

    def remove_booking(self, event_or_id: Hashable) -> E:
        """Release a booking and return it; its span is available again.

        Raises: `UnknownBookingError` when the booking is not active in this calendar: a `HoldExpiredError`, if it is a hold
        that ran out. So do the other calls that change a booking.
        Complexity: O(log m), and one bit for every eighth chunk of the `OccupancyIndex` that the span crosses.

        >>> calendar = Calendar()
        >>> talk = calendar.book(calendar.add_resource(Resource("room")), 9, 12, id="talk")
        >>> calendar.remove_booking("talk") == talk, talk.owns_lock, calendar.is_available("room", 9, 12)
        (True, False, True)
        """
        return self._gate.run(self._engine.remove_booking, event_or_id)  # type: ignore[return-value]

    def load(self, events: Iterable[E]) -> int:
        """Add many events, all or none, three to four times as fast as one by one; return their number.

        Python's cyclic garbage collector is paused during the call, also while a generator makes the events. To make a
        million events before the call costs half a second of garbage collection.

        Raises: as `add_booking`, for the first event that cannot be added; `QueryError` when *events* is no iterable.
        Complexity: O(k log k) for k events; repeated keys need few comparisons.

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
        return self._gate.run(self._engine.load, listed(events))

    def book_any(
        self,
        /,
        selection: Any,
        start: K | None,
        end: K | None,
        *,
        strategy: Strategy[R] = "first",
        id: Hashable = None,
        quantity: int = 1,
        if_exists: IfExists = RAISE,
        **fields: Any,
    ) -> E:
        """Book an available resource out of several: find, choose and lock in one step. Return the booking.

        *selection* is a `Selection` or any term that `find` takes. The candidates are its resources that are available
        for *quantity* units, in the order of the selection (by default in order of registration). ``strategy`` decides
        which candidate is booked; among equal candidates it is the first:

        - ``"first"``: the first candidate.
        - ``"best_fit"``: the candidate with the smallest gap around the span, so that large gaps stay whole. The gap is
          the longest span around the requested span that could be booked for *quantity* units. Its length is the distance
          between the end of the blocked span before it and the start of the blocked span after it. A gap unbounded on one
          side is larger than any bounded gap; a gap unbounded on both sides is the largest.
        - ``"least_used"``: the candidate with the fewest bookings and holds, regardless of their spans and quantities.
        - a function: it is called with the list of the candidates and returns one of them (or its id). It runs under the
          calendar's lock, so it should be quick and must not wait for another thread. It may ask the calendar, and not
          change it.

        The other arguments are those of `book`. With ``if_exists="return"``, an active booking with this id and the same
        span, quantity and fields is returned, whatever its resource.

        Raises: `NoneAvailableError` when no resource is available; `QueryError` for an invalid selection or strategy, and
        for a function that raises (its exception is the cause) or returns no candidate; `KeyTypeError` for
        ``"best_fit"`` with keys that cannot be subtracted; otherwise as `book`.
        Complexity: ``"first"``: as ``find_available(...).first(1)`` and `book`. Other strategies: as reading
        `find_available`, and for each candidate O(1), or for ``"best_fit"`` O(log m) for each doubling of the span
        that fits into the gap before it.

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
        return self._gate.run(self._engine.book_any, choice, start, end, id, quantity, if_exists, fields)  # type: ignore[return-value]

    def book_all(
        self,
        requests: Iterable[Any],
        on_conflict: Literal["raise", "skip"] | type[BookcoreError] | tuple[type[BookcoreError], ...] = "raise",
    ) -> Report[E]:
        """Book many requests as one change, and return a report.

        A request is a `BookingEvent`, a mapping of the arguments of `book`, or a tuple ``(resource, start, end)``. With
        ``on_conflict="raise"`` all requests are booked or none. With ``"skip"`` those that `book` refuses, for whatever
        reason, are left out; with a class of errors or a tuple of classes, such as ``ConflictError``, those that it refuses
        with one of these. ``report.booked`` has the events, ``report.refused`` each request left out with its error.

        Raises: the error of the first request that is refused and not left out, with the request as its ``request``;
        `QueryError` for an invalid request, when *requests* is no iterable, or for an invalid ``on_conflict``. Errors that
        are not about a request are raised always: `StoreError`, `TransactionError`, `CalendarBrokenError`.
        Complexity: as `book` for each.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> wanted = [(room, 9, 12), (room, 11, 13), {"resource": room, "start": 12, "end": 14}, (room, 9, 8)]
        >>> report = calendar.book_all(wanted, on_conflict="skip")
        >>> [event.id for event in report.booked], report.refused[0].request[1:], report.refused[0].conflicts[0].id
        ([1, 2], (11, 13), 1)
        >>> [type(refusal.error).__name__ for refusal in report.refused]
        ['ConflictError', 'InvalidSpanError']
        """
        return self._gate.run(self._engine.book_all, parsed(requests), skipped(on_conflict))  # type: ignore[arg-type]

    # -- holds, moves -----------------------------------------------------------------------------------

    def hold(
        self,
        /,
        resource: R | Id,
        start: K | None,
        end: K | None,
        *,
        ttl: Any = None,
        until: Any = None,
        id: Hashable = None,
        quantity: int = 1,
        if_exists: IfExists = RAISE,
        **fields: Any,
    ) -> E:
        """Book provisionally: like `book`, but the booking is *held* until it is confirmed.

        ``until`` (an instant of the calendar's clock) or ``ttl`` (a length, added to the clock's present instant) sets a
        deadline: when the clock reaches it, the hold is released and the span is available again. Without a deadline the
        booking stays held until it is confirmed or removed. ``if_exists="return"`` is as in `book`, and takes a hold: what
        is active is returned unchanged, with the deadline that it has, or confirmed meanwhile.

        Raises: as `book`; `HoldExpiredError` when ``until`` has passed; `QueryError` when both ``until`` and ``ttl`` are
        given, or one of them in a calendar without a clock; `KeyTypeError` when ``ttl`` cannot be added to the clock's
        instant, or the deadline cannot be compared with it.
        Complexity: as `book`, and O(log holds).

        >>> now = 10
        >>> calendar = Calendar(clock=lambda: now)
        >>> hold = calendar.hold(calendar.add_resource(Resource("seat")), 20, 22, ttl=5)
        >>> now = 15
        >>> str(hold.status), calendar.is_available("seat", 20, 22)
        ('released', True)
        """
        return self._gate.run(self._engine.hold, resource, start, end, ttl, until, id, quantity, if_exists, fields)  # type: ignore[return-value]

    def confirm(self, event_or_id: Hashable) -> E:
        """Turn a hold into a confirmed booking, and return it. A confirmed booking stays confirmed.

        Raises: `HoldExpiredError` when the hold ran out (at least the last 10,000 are remembered); `UnknownBookingError`.
        Complexity: O(1).

        >>> calendar = Calendar()
        >>> hold = calendar.hold(calendar.add_resource(Resource("seat")), 20, 22)
        >>> str(hold.status), str(calendar.confirm(hold).status)
        ('held', 'confirmed')
        """
        return self._gate.run(self._engine.confirm, event_or_id)  # type: ignore[return-value]

    def extend(self, event_or_id: Hashable, *, ttl: Any = None, until: Any = UNSET) -> E:
        """Give a hold a later deadline, and return it; `BookingEvent.until` tells the deadline.

        ``until`` is the new deadline, or None for a hold without one; ``ttl`` is a length that is added to the clock's
        present instant. A deadline that is equal to the present one changes nothing.

        Raises: `HoldExpiredError` when the hold ran out, `UnknownBookingError`; `QueryError` for a confirmed booking, a
        deadline before the present one, without ``ttl`` and ``until`` or with both, and in a calendar without a clock;
        `KeyTypeError` as `hold`.
        Complexity: O(log holds).

        >>> now = 10
        >>> calendar = Calendar(clock=lambda: now)
        >>> hold = calendar.hold(calendar.add_resource(Resource("seat")), 20, 22, ttl=5)
        >>> before = hold.until
        >>> before, calendar.extend(hold, until=18).until, calendar.extend(hold, ttl=30).until
        (15, 18, 40)
        """
        return self._gate.run(self._engine.extend, event_or_id, ttl, until)  # type: ignore[return-value]

    def move(
        self, event_or_id: Hashable, *, start: K | None = UNSET, end: K | None = UNSET, resource: R | Id = UNSET
    ) -> E:
        """Give a booking another span, another resource or both; return the new event, which keeps the id.

        The move is atomic, and the booking does not conflict with itself. Arguments that are not given stay as they are.
        The old event owns no lock any more.

        Raises: `ConflictError`; otherwise as `book` and `remove_booking`.
        Complexity: as `remove_booking` and `book` together.

        >>> calendar = Calendar()
        >>> visit = calendar.book(calendar.add_resource(Resource("desk")), 9, 12, id="visit", guest="Ada")
        >>> calendar.move(visit, start=10, end=13), visit.owns_lock
        (BookingEvent('desk', 10, 13, id='visit', guest='Ada'), False)
        """
        return self._gate.run(self._engine.move, event_or_id, start, end, resource)  # type: ignore[return-value]

    def change(
        self, /, event_or_id: Hashable, *, quantity: int = UNSET, remove: Iterable[str] = (), **fields: Any
    ) -> E:
        """Give a booking another quantity, other fields or both; return the new event, which keeps the id.

        The change is atomic. Fields that are not given stay as they are, and those that ``remove`` names are gone. The
        event's class makes the new event, and so checks the fields, as in `book`; a field that its constructor would not
        keep under its name is refused, and so is removing one that the class declares. More units are checked as a move is:
        the booking does not conflict with itself. Where the quantity stays or becomes less, nothing can be in the way. The
        old event owns no lock any more; a hold stays a hold with its deadline.

        Raises: `ConflictError`, `UnknownBookingError`, `InvalidQuantityError`; `FieldError` for what the class does not
        take, and for ``start``, ``end``, ``resource`` (see `move`) and ``id``; `QueryError` when nothing is given to change.
        Complexity: O(1) for fields; for the quantity, as `remove_booking` and `book` together.

        >>> calendar = Calendar()
        >>> trip = calendar.book(calendar.add_resource(Resource("van", 9)), 9, 12, id="trip", quantity=2, guest="Ada")
        >>> calendar.change("trip", quantity=5, paid=True), trip.owns_lock
        (BookingEvent('van', 9, 12, id='trip', quantity=5, guest='Ada', paid=True), False)
        >>> calendar.change("trip", remove=["paid"])
        BookingEvent('van', 9, 12, id='trip', quantity=5, guest='Ada')
        """
        return self._gate.run(self._engine.change, event_or_id, quantity, remove, fields)  # type: ignore[return-value]

    def split(self, event_or_id: Hashable, at: K) -> tuple[E, E]:
        """Split a booking in two at a key inside its span; return both. The first keeps the id, the second gets a new id.

        The split is atomic. Closures and opening hours set after the booking do not prevent it, but each part needs its
        buffers.

        Raises: `ConflictError` when the buffers leave no room for both parts; `InvalidSpanError` when *at* is not
        strictly inside the span, and in a calendar with closed bounds, where both parts would contain *at*;
        `UnknownBookingError`, `KeyTypeError`.
        Complexity: as `remove_booking` and two times `book`.

        >>> calendar = Calendar()
        >>> visit = calendar.book(calendar.add_resource(Resource("desk")), 9, 12, id="visit")
        >>> first, second = calendar.split("visit", 11)
        >>> first, (second.start, second.end), visit.owns_lock
        (BookingEvent('desk', 9, 11, id='visit'), (11, 12), False)
        """
        return self._gate.run(self._engine.split, event_or_id, at)  # type: ignore[return-value]

    # -- finding resources ------------------------------------------------------------------------------

    def find_available(self, start: K | None, end: K | None, *terms: Any, quantity: int = 1) -> Selection[R]:
        """Return the resources for which `book` would succeed, among those that match all terms.

        Raises: `InvalidSpanError`, `KeyTypeError`, `InvalidQuantityError`; `QueryError` as `find`.
        Complexity: O(1) until the selection is read; see `Selection` and `OccupancyIndex.busy`.

        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name)) for name in ("barn", "cabin", "loft")]
        >>> stay = calendar.book("cabin", 9, 12)
        >>> calendar.find_available(11, 14).ids(), calendar.find_available(11, 14, ["cabin", "loft"]).ids()
        (['barn', 'loft'], ['loft'])
        """
        return self._find(self._span_term(start, end, quantity), terms)

    def find_booked(self, start: K | None, end: K | None, *terms: Any) -> Selection[R]:
        """Return the resources for which `book` would fail for one unit, among those that match all terms.

        Raises, Complexity: as `find_available`.

        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name)) for name in ("barn", "cabin", "loft")]
        >>> stay = calendar.book("cabin", 9, 12)
        >>> booked = calendar.find_booked(11, 14)
        >>> booked.ids(), set(~booked) == set(calendar.find_available(11, 14))
        (['cabin'], True)
        """
        return self._find(opposite(self._span_term(start, end, 1)), terms)

    def find(self, *terms: Any) -> Selection[R]:
        """Return the resources that match all terms.

        A term is a class (it matches its instances, and those of subclasses and virtual subclasses), a `Selection`, an
        iterable of resources or ids, a list of terms (it matches where any of them does), or ``no(term)``. In a list a
        resource or an id, which may be a tuple, is a term as well; a tuple of resources is refused there, but not a list. A
        runtime protocol with attributes supports only `isinstance`, so each resource is checked against it.

        Raises: `QueryError` for anything else, bookings and closures too; when the selection is read, for a class that does
        not support `issubclass`.
        Complexity: O(ids given); see `Selection` for reading it.

        >>> from bookcore import Calendar, Resource, no
        >>> class Flat(Resource): pass
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(new) for new in (Flat("barn"), Flat("loft"), Flat("mill"), Resource("car"))]
        >>> calendar.tag("mill", "sauna")
        >>> calendar.find(Flat, no(calendar.tagged("sauna"))).ids(), calendar.find(["car", calendar.tagged("sauna")]).ids()
        (['barn', 'loft'], ['mill', 'car'])
        """
        return self._find(None, terms)

    def _span_term(self, start: K | None, end: K | None, quantity: Any) -> Available:
        if not self._keys.needs_no_check(start, end):  # so most searches are built without the lock
            self._gate.ask(False, self._keys.admit, start, end)
        return Available(start, end, check_quantity(quantity))

    def _find(self, first: Term | None, terms: tuple[Any, ...]) -> Selection[R]:
        parts = [] if first is None else [first]
        parts += [as_term(term, self) for term in terms]
        if len(parts) == 1:
            return Selection(self._planner, parts[0])
        return Selection(self._planner, And(tuple(parts)) if parts else All())

    # -- tags and indexes -------------------------------------------------------------------------------

    def tag(self, resource: R | Id, *labels: Hashable) -> None:
        """Put labels on a resource, all or none. Labels that it has already are ignored. O(1) for each label.

        Raises: `UnknownResourceError`; `QueryError` for a label that cannot be hashed, or compared with other labels.

        >>> calendar = Calendar()
        >>> cabin = calendar.add_resource(Resource("cabin"))
        >>> calendar.tag(cabin, "lake", "sauna")
        >>> cabin in calendar.tagged("lake"), cabin in calendar.tagged("sea")
        (True, False)
        """
        self._gate.run(self._engine.tag, resource, labels, True)

    def untag(self, resource: R | Id, *labels: Hashable) -> None:
        """Take labels off a resource, all or none. Labels that it does not have are ignored. Raises: as `tag`.

        Complexity: O(n / 8) for each label that is taken off, O(1) for others.

        >>> calendar = Calendar()
        >>> cabin = calendar.add_resource(Resource("cabin"))
        >>> calendar.tag(cabin, "lake", "sauna")
        >>> calendar.untag("cabin", "lake", "sea")
        >>> cabin in calendar.tagged("lake"), cabin in calendar.tagged("sauna")
        (False, True)
        """
        self._gate.run(self._engine.tag, resource, labels, False)

    def tags_of(self, resource: R | Id) -> frozenset[Hashable]:
        """Return the labels of a resource.

        Raises: `UnknownResourceError`; `QueryError` when a label cannot be hashed any more.
        Complexity: O(labels in the calendar).

        >>> calendar = Calendar()
        >>> cabin = calendar.add_resource(Resource("cabin"))
        >>> calendar.tag(cabin, "lake", "sauna")
        >>> sorted(calendar.tags_of("cabin"))
        ['lake', 'sauna']
        """
        return listing.tags_of(self._engine.state, resource)

    def tagged(self, label: Hashable) -> Selection[R]:
        """Return the resources that have the label; an unknown label gives an empty selection.

        Raises: `QueryError` for a label that cannot be hashed; when the selection is read, for a label that cannot be
        compared with others.
        Complexity: O(1) until the selection is read; see `Selection`.

        >>> calendar = Calendar()
        >>> calendar.tag(calendar.add_resource(Resource("cabin")), "lake")
        >>> calendar.tagged("lake").ids(), calendar.tagged("lak").ids()
        (['cabin'], [])
        """
        with blaming(lambda exc: QueryError(label, "a label must be hashable")):
            hash(label)
        return Selection(self._planner, Tagged(label))

    def create_index(self, name: str, *, key: Callable[[R], Any]) -> IndexView[R]:
        """Keep the resources in order of ``key(resource)``, to select by and to order by; return the index.

        *key* is called under the calendar's lock: now, once for each resource; later, for each resource that is added or
        reindexed. A resource has no value if *key* raises AttributeError or LookupError for it, or returns None, NaN
        or a tuple that contains NaN: it is in no range and sorts last. Values are ordered as keys are, exactly: a
        ``float32`` by the value that it has. Indexes are not part of a snapshot.

        Raises: `IndexNameError` when the name is taken; `KeyTypeError` when values cannot be ordered; `QueryError` for an
        invalid name or key function, and when *key* raises another exception.
        Complexity: O(n log n).

        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name, seats)) for name, seats in (("van", 9), ("bus", 50), ("car", 5))]
        >>> seats = calendar.create_index("seats", key=lambda vehicle: vehicle.capacity)
        >>> seats.between(8, None).order_by("seats").ids()
        ['van', 'bus']
        """
        return IndexView(self._planner, self._gate.run(self._engine.create_index, name, key))

    def index(self, name: str) -> IndexView[R]:
        """Return the index called *name*; see `IndexView` for its selections. Raises: `IndexNameError`. O(1).

        >>> calendar = Calendar()
        >>> van = calendar.add_resource(Resource("van", 9))
        >>> seats = calendar.create_index("seats", key=lambda vehicle: vehicle.capacity)
        >>> calendar.index("seats").equal(9).ids()
        ['van']
        """
        self._gate.ask(False, self._engine.state.registry.indexes.index, name)
        return IndexView(self._planner, name)

    def reindex(self, resource: R | Id) -> None:
        """Update all indexes, or none, after the attributes of a resource have changed.

        Every index calls its key function again. If the surrounding transaction is undone, so is the update.

        Raises: `KeyTypeError` when a value cannot be ordered among the others; `QueryError` when a key function raises;
        `UnknownResourceError`.
        Complexity: O(log n) for each index.

        >>> from types import SimpleNamespace
        >>> calendar = Calendar()
        >>> loft = calendar.add_resource(SimpleNamespace(id="loft", price=90))
        >>> cheap = calendar.create_index("price", key=lambda flat: flat.price).between(0, 80)
        >>> loft.price = 70
        >>> before = cheap.ids()
        >>> calendar.reindex(loft)
        >>> before, cheap.ids()
        ([], ['loft'])
        """
        self._gate.run(self._engine.reindex, resource)

    def create_booking_index(self, name: str, key: Callable[[Any], Any] | None = None) -> BookingIndexView:
        """Keep the active bookings in order of ``key(event)``, to look them up by; return the index.

        Without *key*, the values are those of the field called *name*, which has to be a field of the calendar's
        ``event_type`` where that is a dataclass, or of a booking. *key* is called under the calendar's lock: now, once
        for each booking; later, for each booking that is made, moved or changed. A booking has no value, and is in no
        answer, if *key* raises AttributeError or LookupError for it, or returns None, NaN or a tuple that contains NaN. What
        *key* reads should change by `move` and `change` alone: an assignment to an attribute of an event is not noticed.
        Values are ordered as keys are, exactly. Indexes are not part of a snapshot. While there is such an index, `load`
        books one by one.

        Raises: `IndexNameError` when the name is taken; `KeyTypeError` when values cannot be ordered; `QueryError` for an
        invalid name or key function, a name that is no field, and when *key* raises another exception.
        Later, a call that books, moves or changes raises the last two for its booking, and changes nothing.
        Complexity: O(b log b) for b bookings; each later change O(log b) for each index.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12, guest="Ada"), calendar.book(room, 12, 13), calendar.book(room, 5, 6, guest="Ada")
        >>> [(event.start, event.end) for event in calendar.create_booking_index("guest").equal("Ada")]
        [(5, 6), (9, 12)]
        """
        name = self._gate.run(self._engine.create_booking_index, name, key)
        return BookingIndexView(self._engine.state, name)

    def booking_index(self, name: str) -> BookingIndexView:
        """Return the index over bookings called *name*; see `BookingIndexView`. Raises: `IndexNameError`. O(1).

        >>> calendar = Calendar()
        >>> van = calendar.book(calendar.add_resource(Resource("van", 9)), 1, 4, quantity=5)
        >>> units = calendar.create_booking_index("units", key=lambda event: event.quantity)
        >>> list(calendar.booking_index("units").between(4, None)) == [van]
        True
        """
        self._gate.ask(False, self._engine.state.booking_indexes.index, name)
        return BookingIndexView(self._engine.state, name)

    # -- finding time -----------------------------------------------------------------------------------

    @overload
    def gaps(
        self, resource: R | Id, start: K, end: K, *, at_least: Any = None, quantity: int = 1
    ) -> Iterator[tuple[K, K]]: ...

    @overload
    def gaps(
        self, resource: R | Id, start: K | None, end: K | None, *, at_least: Any = None, quantity: int = 1
    ) -> Iterator[tuple[K | None, K | None]]: ...

    def gaps(
        self, resource: R | Id, start: K | None, end: K | None, *, at_least: Any = None, quantity: int = 1
    ) -> Iterator[tuple[K | None, K | None]]:
        """Yield the maximal free spans ``(start, end)`` within the span, in order; `book` accepts each as a whole.

        A span is free when *quantity* units can be booked over it, with buffers, closures and opening hours taken into
        account. ``at_least`` leaves out shorter spans; with ``bounds="[]"`` and dates it counts days. None as start or end
        of an answer means unbounded.

        Raises, when called: as `is_available`; `KeyTypeError` for a length that is negative or cannot be added to keys.
        Complexity: O(log m + bookings in the span); opening hours are computed during the iteration. With ``at_least``, for
        whole numbers, dates and datetimes in a `MemoryStore`: O(log m) for each answer of an exclusive resource.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12), calendar.book(room, 13, 15)
        >>> list(calendar.gaps(room, 8, 18)), list(calendar.gaps(room, 8, 18, at_least=2))
        ([(8, 9), (12, 13), (15, 18)], [(15, 18)])
        """
        return self._free_time.gaps(resource, start, end, at_least, quantity)

    def next_available(
        self, resource: R | Id, after: K, length: Any, *, quantity: int = 1
    ) -> tuple[K, K] | None:
        """Return the earliest span ``(start, end)`` of this length, at *after* or later, that `book` accepts, or None.

        With ``bounds="[]"`` a length of dates counts days: ``timedelta(3)`` is Monday to Wednesday.
        None is also returned when no opening is long enough: the search ends 40 years after the last booking or closure.

        Raises: `KeyTypeError` when *after* is None or the length cannot be added to it; `InvalidSpanError` for a length of
        zero.
        Complexity: O(log m + openings too short) for an exclusive resource in a `MemoryStore`, with keys that are whole
        numbers, dates or datetimes; otherwise O(log m + bookings passed over).

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12), calendar.book(room, 13, 15)
        >>> calendar.next_available(room, 10, 1), calendar.next_available(room, 10, 2)
        ((12, 13), (15, 17))
        """
        return self._free_time.next_available(resource, after, length, quantity)

    def nearest(
        self, resource: R | Id, start: K | None, end: K | None, *, quantity: int = 1
    ) -> tuple[tuple[K, K] | None, tuple[K, K] | None]:
        """Return two free spans as long as the span: the latest that starts no later, the earliest that starts no earlier.

        Each is ``(start, end)``, or None if there is no such span. They may overlap the span in question; if that span is
        free itself, both answers are equal to it.

        Raises, unless the span is free: `KeyTypeError` for keys that cannot be subtracted, or whose difference their type
        of length cannot express (NumPy's). `InvalidSpanError` for an unbounded span.
        Complexity: as `next_available` for each; up to twice as much for the earlier one.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12), calendar.book(room, 13, 15)
        >>> calendar.nearest(room, 11, 13)
        ((7, 9), (15, 17))
        """
        return self._free_time.nearest(resource, start, end, quantity)

    @overload
    def common_gaps(
        self, resources: Iterable[R | Id], start: K, end: K, *, at_least: Any = None, quorum: int | None = None
    ) -> Iterator[tuple[K, K]]: ...

    @overload
    def common_gaps(
        self, resources: Iterable[R | Id], start: K | None, end: K | None, *, at_least: Any = None, quorum: int | None = None
    ) -> Iterator[tuple[K | None, K | None]]: ...

    def common_gaps(
        self, resources: Iterable[R | Id], start: K | None, end: K | None, *, at_least: Any = None, quorum: int | None = None
    ) -> Iterator[tuple[K | None, K | None]]:
        """Yield the maximal spans in which all the resources are free, or with *quorum* at least that many of them.

        The same *quorum* resources are free from the start of an answer to its end, so each of them can be booked for the
        whole answer. Answers may overlap, where other resources make up the quorum; they are in order of start and of end.
        A resource that is given twice counts once.

        Raises: as `gaps`; `QueryError` when *resources* is no iterable of resources or ids, or *quorum* is not an int of
        at least 1.
        Complexity: O((n + bookings in the span) log n) for n resources given.

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
        self, length: Any, start: K | None, end: K | None, *terms: Any, step: Any = None, quantity: int = 1
    ) -> Iterator[tuple[K, K, R]]:
        """Yield slots ``(start, end, resource)`` of a length that `book` accepts, lazily, by start, then by registration.

        The slots lie within the span; their resources match all *terms*. Without ``step`` there is a slot at the start of
        each gap that is long enough. With ``step`` there are all slots that start at *start*, *start* + ``step``, and so on.
        With ``bounds="[]"`` a length of dates counts days.

        The calendar may change between two slots. Each slot is free when it is yielded; time before the last slot that has
        become free is not searched again.

        Raises: `InvalidSpanError` unless the span is bounded; `KeyTypeError`, `InvalidQuantityError`, `QueryError`.
        Complexity: for one unit in a `MemoryStore`, as `find_available` at *start*, then O(log m) for each booking
        that ends before the slot. For other stores or more units, the gaps of every resource are searched before
        the first slot after *start*. With ``step``, as `find_available` for each step.

        >>> calendar = Calendar()
        >>> ann, bob = (calendar.add_resource(Resource(name)) for name in ("ann", "bob"))
        >>> _ = calendar.book(ann, 9, 12), calendar.book(bob, 8, 10)
        >>> [(a, b, resource.id) for a, b, resource in calendar.find_slots(2, 9, 15)]
        [(10, 12, 'bob'), (12, 14, 'ann')]
        """
        return self._free_time.find_slots(length, start, end, *terms, step=step, quantity=quantity)

    # -- closures and opening hours ---------------------------------------------------------------------

    @overload
    def close(self) -> None: ...

    @overload
    def close(self, resource: R | Id, start: K | None, end: K | None, reason: str = "closed") -> Closure: ...

    def close(
        self, resource: R | Id = UNSET, start: K | None = UNSET, end: K | None = UNSET, reason: str = "closed"
    ) -> Closure | None:
        """Close a resource for a span, so that `book` refuses it. Return the closure, for `reopen`.

        Active bookings stay; those that overlap the span are listed in ``closure.overlapping``. Closures may overlap.

        Without arguments, close a calendar that `open` returned: write what is left to be written, and unlock its directory,
        as the end of a ``with`` block does. It answers questions still, and refuses changes (`JournalClosedError`). Closed
        again it does nothing. Another calendar is in memory and needs no closing: ``close()`` is refused.

        Raises: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`; `QueryError` when the reason is no string, or
        unless resource, start and end are all given; without arguments `JournalError` when the rest cannot be written (the
        directory is unlocked all the same), `TransactionError` in a transaction.
        Complexity: O(log m + bookings that overlap the span); of a calendar O(1), and one sync.

        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> closure = calendar.close("room", 8, 10, "painting")
        >>> calendar.is_available("room", 8, 9), closure.overlapping == (stay,), stay.owns_lock
        (False, True, True)
        """
        if self._recorder is not None and resource is UNSET and start is UNSET and end is UNSET:
            self._recorder.close()
            return None
        return self._gate.run(self._engine.close, resource, start, end, reason)

    def close_all(
        self, resources: R | Id | Iterable[R | Id], start: K | None, end: K | None, reason: str = "closed"
    ) -> tuple[Closure, ...]:
        """Close one or many resources for a span, as one change; return the closures, in the order of the resources.

        *resources* is one resource, a selection, or an iterable of resources or ids.

        Raises: as `close`; `QueryError` for a selection of another calendar, and when the iteration fails.
        Complexity: as `close` for each.

        >>> calendar = Calendar()
        >>> barn, cabin = calendar.add_resource(Resource("barn")), calendar.add_resource(Resource("cabin"))
        >>> [closure.resource.id for closure in calendar.close_all(calendar.resources, 24, 27, "holidays")]
        ['barn', 'cabin']
        """
        return self._gate.run(self._engine.close_all, resources, start, end, reason)

    def reopen(self, closure: Closure) -> None:
        """Lift a closure, given as the object that `close` or `closures` returned.

        Raises: `UnknownClosureError` when the closure is not active in this calendar.
        Complexity: O(log m + closures of the resource); O(n / 8) for the last closure of a resource.

        >>> calendar = Calendar()
        >>> closure = calendar.close(calendar.add_resource(Resource("room")), 8, 10)
        >>> calendar.reopen(closure)
        >>> calendar.is_available("room", 8, 10), calendar.closures()
        (True, ())
        """
        self._gate.run(self._engine.reopen, closure)

    def closures(self, resource: R | Id | None = None) -> tuple[Closure, ...]:
        """Return the closures of a resource by start, then in the order they were made; or all closures in that order.

        Raises: `UnknownResourceError`.
        Complexity: O(answers) for one resource, O(answers x log answers) for all.

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.close(room, 20, 22, "fair"), calendar.close(room, 8, 10, "painting")
        >>> [closure.reason for closure in calendar.closures(room)], [closure.reason for closure in calendar.closures()]
        (['painting', 'fair'], ['fair', 'painting'])
        """
        return listing.closures(self._engine.state, resource)

    def closures_of(self, resource: R | Id) -> tuple[Closure, ...]:
        """Return the closures of one resource by start, then in the order they were made.

        Raises: `UnknownResourceError`, also for None, with which `closures` returns those of all resources.
        Complexity: O(answers).

        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.close(room, 20, 22, "fair"), calendar.close(room, 8, 10, "painting")
        >>> [closure.reason for closure in calendar.closures_of(room)]
        ['painting', 'fair']
        """
        return listing.closures_of(self._engine.state, resource)

    def hours_of(self, resource: R | Id) -> Hours | None:
        """Return the opening hours of a resource (`bookcore.hours.Hours`), or None if it has none.

        Raises: `UnknownResourceError`. O(1).

        >>> from bookcore.hours import Hours
        >>> calendar, hours = Calendar(), Hours({"mon-fri": "09:00-17:00"})
        >>> desk = calendar.add_resource(Resource("desk"))
        >>> calendar.set_hours(desk, hours)
        >>> calendar.hours_of("desk") == hours
        True
        """
        hours: Hours | None = listing.hours_of(self._engine.state, resource)
        return hours

    def set_hours(self, resources: R | Id | Iterable[R | Id], hours: Hours | None) -> None:
        """Let resources be booked only within opening hours (`bookcore.hours.Hours`); None lifts the restriction.

        *resources* is one resource, a selection, or an iterable of resources or ids. Active bookings stay. A search
        evaluates equal hours once, however many resources have them.

        Raises: `HoursError` when *hours* is neither `Hours` nor None; `KeyTypeError` when the calendar holds keys that the
        hours do not support, or was made for such (``keys=``), such as whole numbers, or times without a zone where the
        hours have one (for later keys, `book` raises it); `UnknownResourceError`; `QueryError` as `close_all`.
        Complexity: O(1) for each resource, O(n / 8) for a resource that had hours before.

        >>> from datetime import datetime
        >>> from bookcore.hours import Hours
        >>> calendar = Calendar()
        >>> desk = calendar.add_resource(Resource("desk"))
        >>> calendar.set_hours(desk, Hours({"mon-fri": "09:00-17:00"}))
        >>> monday = datetime(2026, 5, 4)
        >>> [calendar.is_available(desk, monday.replace(hour=h), monday.replace(hour=h + 1)) for h in (8, 9, 16, 17)]
        [False, True, True, False]
        """
        self._gate.run(self._engine.set_hours, resources, hours)

    def set_capacity(self, resource: R | Id, capacity: int) -> None:
        """Give a resource another capacity. Active bookings stay, also where they use more units than there are then.

        The ``capacity`` of a `Resource` follows, if it was the one that the calendar went by.

        Raises: `UnknownResourceError`; `InvalidQuantityError` unless the capacity is an int of at least 1.
        Complexity: as `remove_booking` and `book` for each booking of the resource.

        >>> calendar = Calendar()
        >>> bikes = calendar.add_resource(Resource("bikes", capacity=3))
        >>> tour = calendar.book(bikes, 9, 12, quantity=3)
        >>> calendar.set_capacity(bikes, 5)
        >>> calendar.is_available(bikes, 9, 12, quantity=2), bikes.capacity
        (True, 5)
        """
        self._gate.run(self._engine.set_capacity, resource, capacity)

    # -- changes ----------------------------------------------------------------------------------------

    def transaction(self) -> AbstractContextManager[None]:
        """Run a block as one change: an exception undoes the whole block, and other threads do not see it half done.

        Calls of other threads wait for the end of the block, and those of other tasks of the same thread are refused: keep
        it short, and do not ``await`` in it. A block ends in its order, in the thread and task that began it. An
        exception in a nested block undoes only that block, if it is caught outside it. Subscribers are notified when the
        outermost block has ended, and not of changes that were undone. If a change cannot be undone, for example because a
        key's comparison fails, all other changes are undone nevertheless.

        Raises: `TransactionError` when a change could not be undone, and when the block, or one inside it, was not ended as
        it should be: then it is undone, see ``docs/calling.md``.

        Complexity: O(1) for each change; undoing a change costs as much as the change.

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
        return Transaction(self._engine.state, keep=True)

    def what_if(self) -> AbstractContextManager[None]:
        """Try changes out: as `transaction`, but the block is always undone at its end ("if A is cancelled, does B fit?").

        Raises, Complexity: as `transaction`.

        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> with calendar.what_if():
        ...     removed = calendar.remove_booking(stay)
        ...     calendar.is_available("room", 11, 14)
        True
        >>> calendar.is_available("room", 11, 14), stay.owns_lock
        (False, True)
        """
        return Transaction(self._engine.state, keep=False)

    def subscribe(self, callback: Callable[[Change], Any]) -> Callable[[], None]:
        """Call *callback* with every change from now on; return a function that ends the subscription.

        Changes are frozen records (`bookcore.changes`). Each is delivered once, in order, after it took effect and without
        the lock; the changes of a transaction are delivered after its end. If a callback raises, the change stays and the
        other subscribers are notified; the logger ``bookcore`` logs the exception as an error. After Ctrl-C in a callback,
        they are notified by the next call. The returned function may be called at any time.

        Raises: `QueryError` when *callback* is not callable, or async.
        Complexity: O(subscribers); each change then costs one call for each subscriber.

        >>> calendar, seen = Calendar(), []
        >>> end = calendar.subscribe(seen.append)
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> end()
        >>> seen[1]
        Booked(event=BookingEvent('room', 9, 12, id=1), held=False, until=None)
        """
        return self._engine.subscribe(callback)

    def apply(self, change: Change) -> None:
        """Apply a change of another calendar (the leader) to this one (the follower).

        Give the follower no clock: the leader's changes say when a hold runs out. A resource that the leader adds is the
        same object in both calendars; bookings and closures are copied.

        Raises: as the call that made the change; `TransactionError` for an object that is no change, and for a closure
        that is active here already.
        Complexity: as that call.

        >>> leader, follower = Calendar(), Calendar()
        >>> end = leader.subscribe(follower.apply)
        >>> stay = leader.book(leader.add_resource(Resource("room")), 9, 12, id="stay")
        >>> follower.is_available("room", 11, 13), "stay" in follower, stay in follower
        (False, True, False)
        """
        self._gate.run(self._engine.apply, change)

    # -- snapshots --------------------------------------------------------------------------------------

    def snapshot(
        self, path: str | os.PathLike[str], *, key: bytes | None = None, limits: Limits | None = None
    ) -> int:
        """Write the calendar to a file, which replaces an existing file, and return its size in bytes.

        The replacement is atomic: after a failure the old file is unchanged. The file contains resources, tags, bookings,
        holds, closures and hours; not indexes, clock and subscribers, because these are functions. It also contains the
        bookings in ``closure.overlapping`` that were released or moved later. With *key* the file is sealed: `restore`
        with this key accepts only files sealed with it. See `bookcore.persist.snapshot.save`, also for *limits*.

        Raises: `SnapshotError`, also for a class or a value that cannot be written.
        Complexity: linear in the size of the calendar.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     size = Calendar(bounds="[]").snapshot(f"{folder}/sealed", key=b"secret")
        ...     size > 0, Calendar.restore(f"{folder}/sealed", key=b"secret").bounds
        (True, '[]')
        """
        from bookcore.persist.snapshot.save_load import save

        return save(self._engine.state, path, key=key, limits=limits)

    @classmethod
    def restore(
        cls,
        path: str | os.PathLike[str],
        *,
        types: Iterable[type] = (),
        key: bytes | None = None,
        limits: Limits | None = None,
        store: BookingStore[Any] | None = None,
        clock: Callable[[], Any] | None = UNSET,
        resource_key: Callable[[Any], Hashable] | None = None,
        keys: Any = None,
    ) -> Self:
        """Return a new calendar from a file that `snapshot` wrote; it gives the same answers in the same order.

        *types* are the classes of the resources and bookings in the file; no class is imported because the file names it.
        *limits* say how large the file may be, and how much it may describe for its size: by default 1 GiB, and as much as
        any but a very unusual calendar needs. ``store``, ``clock`` and ``keys`` are those of the new calendar, and
        ``resource_key`` is its ``key``: the file does not say which keys the old one was made for, only which it had. If
        there are holds with deadlines, give a clock, or ``clock=None``: then they last until they are confirmed or removed.

        Raises: `SnapshotError` for a file that is damaged, malicious, of a newer format, sealed with another key, beyond
        *limits*, or that needs a class missing in *types*; `QueryError` for holds with deadlines where no clock is given.
        Complexity: linear in the size of the file.

        >>> from tempfile import TemporaryDirectory
        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> with TemporaryDirectory() as folder:
        ...     size = calendar.snapshot(f"{folder}/today")
        ...     Calendar.restore(f"{folder}/today", types=[Resource]).get(1)
        BookingEvent('room', 9, 12, id=1)
        """
        from bookcore.persist.snapshot.save_load import load

        make = cls._maker(store, clock, resource_key, keys)
        calendar = load(make, path, types=types, key=key, limits=limits)
        if clock is UNSET:
            calendar._engine.state.holds.check_clock(path)
        return calendar

    @classmethod
    def _maker(
        cls, store: Any, clock: Any, resource_key: Any, keys: Any, event_type: Any = None
    ) -> Callable[..., tuple[Self, CalendarState]]:
        """Return a function that makes an empty calendar for what a file holds, and returns its state as well."""
        clock = None if clock is UNSET else clock
        given: Any = BookingEvent if event_type is None else event_type
        cls(clock=clock, event_type=given, key=resource_key, keys=keys)  # refuses what is invalid before anything is read

        def make(bounds: Bounds, event_type: type[Any]) -> tuple[Self, CalendarState]:
            calendar = cls(store, bounds=bounds, clock=clock, event_type=event_type, key=resource_key, keys=keys)
            return calendar, calendar._engine.state

        return make

    @overload
    @classmethod
    def open(
        cls, directory: str | os.PathLike[str], *, types: Iterable[type] = (), event_type: type[E] | None = None,
        clock: Callable[[], Any] | None = ..., bounds: str | None = None, create: bool = True, sync: str = "always",
        keep: int = 2, salvage: bool = False, as_of: int | datetime | tuple[int | None, ...] | Literal["now"] | None = None,
        key: bytes | None = None, store: BookingStore[Any] | None = None,
        resource_key: Callable[[Any], Hashable] | None = None, keys: Any = None,
        progress: Callable[[int, int], Any] | None = None, follow: bool = True, timeout: float = 10.0,
        read_only: bool = False, partitions: None = None,
    ) -> Self: ...  # fmt: skip

    @overload
    @classmethod
    def open(
        cls, directory: str, *, types: Iterable[type] = (), event_type: type[E] | None = None,
        clock: Callable[[], Any] | None = ..., bounds: str | None = None, create: bool = True, sync: str = "always",
        keep: int = 2, as_of: tuple[int | None, ...] | Literal["now"] | None = None,
        resource_key: Callable[[Any], Hashable] | None = None, keys: Any = None, follow: bool = True, timeout: float = 10.0,
        read_only: bool = False, partitions: Sequence[int],
    ) -> PartitionedCalendar: ...  # fmt: skip

    @classmethod
    def open(
        cls, directory: str | os.PathLike[str], *, types: Iterable[type] = (), event_type: type[E] | None = None,
        clock: Callable[[], Any] | None = UNSET, bounds: str | None = None, create: bool = True, sync: str = "always",
        keep: int = 2, salvage: bool = False, as_of: int | datetime | tuple[int | None, ...] | Literal["now"] | None = None,
        key: bytes | None = None, store: BookingStore[Any] | None = None,
        resource_key: Callable[[Any], Hashable] | None = None, keys: Any = None,
        progress: Callable[[int, int], Any] | None = None, follow: bool = True, timeout: float = 10.0,
        read_only: bool = False, partitions: Sequence[int] | None = None,
    ) -> Self | PartitionedCalendar:  # fmt: skip
        """Return the calendar that a directory holds, or a new one there; every change is in it when its call returns.

        With ``sync="always"`` a call that changes something waits until the disk has it, so that it outlives the process and
        a power cut; threads that wait share one sync. With ``"batch"`` a thread syncs every few milliseconds, and a power
        cut takes at most what was changed within 10 ms. With ``"never"`` a change outlives the process alone. ``keep`` is
        the number of snapshots that stay when `checkpoint` writes one; one is written by itself, in a thread, when the
        records have become larger than the snapshot. ``bounds`` are those of a new calendar; None takes what it has.
        So is ``event_type`` the class of its events, which is one of the *types* then; in a database such a calendar begins
        with a record, at position 1.

        With *key* (1 to 64 bytes) every file is sealed: it can be read without the key, and not changed. A directory
        is opened with the key that it was made with, or without one. *progress* is called while the directory is read, with
        the number of bytes that were, and that of all bytes. The other arguments are as for `restore`. Indexes, clock and
        subscribers are not kept, nor attributes that were assigned to a resource after it was added, before the next
        `checkpoint` that has something to write.

        One calendar at a time has a directory open. A process that is forked from this one may ask, and not change. A call
        whose record cannot be written raises, and changes nothing. If the disk does not confirm a write, the call raises
        `JournalClosedError`: its change is in memory, and may or may not be there after the next opening; no further
        change is accepted, and questions are answered still.

        ``sqlite:///path`` and ``postgresql://host/database?calendar=name`` in place of a directory open a calendar that many
        processes share, see ``docs/shared.md``. A thread brings what others do, unless *follow* is False; *timeout* is how
        many seconds a call waits for them. Both mean nothing for a directory, which no other process writes; *key* is for a
        directory alone, and *progress* for one, or for *as_of* of a database that is not divided, with numbers of records.
        ``dbzero:///path?prefix=name`` is for one process at a time. With ``&partitions=8`` a calendar in PostgreSQL is
        divided, and what is returned has the calls of `Calendar`, but is none: *partitions* are the numbers of those that
        it holds, all of them if that is None. A type checker does not read the address: to it the answer is a
        ``PartitionedCalendar`` exactly if *partitions* are given, as ``range(8)`` for all.

        *as_of* is a position, an instant with its time zone, or ``"now"``: the state after the last record up to there.
        `keep` says how far back that goes in a directory. In a database all records stay; those that an older bookcore wrote
        have no times, and are found by their positions alone. The calendar takes no changes, but for those that
        a `what_if` takes back, and has no clock; the place is only read, and may be open elsewhere.

        With *read_only* a calendar in a database follows it, answers, and takes no changes but those that a `what_if` takes
        back: on a standby of PostgreSQL, say, which it asks some 50 times a second. Its holds run out by its clock.

        With *salvage* a damaged directory is opened too, with all that can be read of it; `salvaged` says what was lost.
        It takes no changes either, and nothing is repaired: ``bookcore salvage`` puts it into a new directory.

        Raises: `JournalError` (a `StoreError`), each of its kinds for one thing to do; `SnapshotError` for the snapshots
        in the directory, for a class or value that cannot be written, and for a key that is not that of the directory;
        `QueryError` for an invalid argument. A directory that is refused stays as it was, but for its file LOCK.
        One that is not there yet is made, unless its name is like that of a file or a database: ``"rooms.db/"`` says which.
        Complexity: linear in the size of the newest snapshot and of the records after it.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with Calendar.open(folder) as calendar:
        ...         stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        ...     with Calendar.open(folder) as calendar:
        ...         calendar.is_available("room", 11, 13), calendar.position
        (False, 2)
        """
        from bookcore.persist.journal.opening import open_calendar
        from bookcore.persist.shared.opening import Divided

        is_read_only = as_of is not None or salvage
        if is_read_only and clock is not UNSET and clock is not None:
            raise QueryError(clock, "a calendar that is only read has no clock: its holds are as they were")
        make = cls._maker(store, clock, resource_key, keys, event_type)

        def adopt(calendar: Any, recorder: Any) -> Any:
            if not is_read_only and clock is UNSET:
                try:
                    calendar._engine.state.holds.check_clock(masked(directory))
                except BaseException:
                    recorder.close()
                    raise
            calendar._recorder = recorder
            calendar._engine = RecordingEngine(calendar._engine.state)
            return calendar

        divided = Divided(cls._maker(None, None, None, None), adopt, resource_key, partitions, store is not None)
        calendar, recorder = open_calendar(
            make, directory, types=types, event_type=event_type, bounds=bounds, create=create, sync=sync, keep=keep,
            salvage=salvage, as_of=as_of, key=key, progress=progress, follow=follow, timeout=timeout,
            read_only=read_only, divided=divided,
        )  # fmt: skip
        opened: Self | PartitionedCalendar = calendar if recorder is None else adopt(calendar, recorder)
        return opened

    def _journal(self) -> Any:
        if self._recorder is None:
            raise QueryError(self, "has no journal; Calendar.open(directory) returns a calendar that has one")
        return self._recorder

    @property
    def position(self) -> int:
        """The number of records in the journal: one for each command or transaction that changed something. O(1).

        Raises: `QueryError` for a calendar that was not opened by `open`; so do `checkpoint` and `barrier`.
        """
        position: int = self._journal().position
        return position

    @property
    def salvaged(self) -> Salvaged | None:
        """What was lost, if this calendar was opened with ``salvage=True``; else None. ``is_complete``: nothing was. O(1).

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with Calendar.open(folder) as calendar:
        ...         stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        ...     with Calendar.open(folder, salvage=True) as calendar:
        ...         calendar.salvaged.is_complete, len(calendar)
        (True, 1)
        """
        salvaged: Salvaged | None = getattr(self._recorder, "salvaged", None)
        return salvaged

    def checkpoint(self) -> None:
        """Write a snapshot into the directory, and remove older snapshots and records that are not needed any more.

        The next `open` reads this snapshot and only the records after it. The calendar's lock is held while rows are
        copied; changes that are made while the file is written are in the records after it. Nothing is done if there is a
        snapshot of this `position`.

        Raises: `JournalError`, `SnapshotError`; `TransactionError` in a transaction.
        Complexity: linear in the size of the calendar.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, Calendar.open(folder) as calendar:
        ...     room = calendar.add_resource(Resource("room"))
        ...     calendar.checkpoint()
        """
        self._journal().checkpoint()

    def barrier(self) -> None:
        """Wait until every change up to now is on the disk, whatever ``sync`` was at opening. One sync at most.

        Raises: `JournalError`.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, Calendar.open(folder, sync="never") as calendar:
        ...     room = calendar.add_resource(Resource("room"))
        ...     calendar.barrier()
        """
        self._journal().barrier()

    def catch_up(self) -> None:
        """Apply what other processes have done to a shared calendar, so that the following questions know all up to now.

        Every command does this first, and a follower thread all the time unless the calendar was opened with
        ``follow=False``. A calendar in a directory has nothing to catch up with. Where a PostgreSQL database has another
        history than memory, as after a failover, memory becomes what the database says.

        Raises: `JournalError`, for a calendar that is only read (``as_of``, ``salvage``) a `JournalReadOnlyError`;
        `TransactionError` in a `what_if`. In a transaction no other thread or process changes anything.
        Complexity: as the commands that the new records tell of.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     address = f"sqlite:///{folder}/rooms.db"
        ...     with Calendar.open(address) as one, Calendar.open(address, follow=False) as other:
        ...         room = one.add_resource(Resource("room"))
        ...         before = len(other.resources), other.lag()
        ...         other.catch_up()
        ...         before, len(other.resources), other.lag()
        ((0, 1), 1, 0)
        """
        self._journal().catch_up()

    def lag(self) -> int:
        """Return how many records the journal has that this calendar does not have yet. It asks the database.

        Raises: `JournalError`, for a calendar that is only read (``as_of``, ``salvage``) a `JournalReadOnlyError`.
        """
        lag: int = self._journal().lag()
        return lag

    def staleness(self) -> float:
        """Return for how many seconds answers may have missed changes of other processes. O(1), without the database.

        It is the time since this calendar is known to have had every record of the journal: since a command, a `catch_up`,
        a `lag` of 0 or the follower's last look has asked the database. While the database cannot be reached it grows, and
        `lag` raises. After `close` it grows as well. It is 0.0 for a directory, which no other process writes.

        It is measured by the monotonic clock of the process, which on some systems stands still while the machine sleeps.

        Raises: `JournalReadOnlyError` for a calendar that is only read (``as_of``, ``salvage``), `JournalClosedError` for a
        directory that was closed; `QueryError` for a calendar that was not opened by `open`.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with Calendar.open(f"sqlite:///{folder}/rooms.db", follow=False) as calendar:
        ...         before = calendar.staleness()
        ...         0.0 <= before <= calendar.staleness() < 60
        True
        """
        staleness: float = self._journal().staleness()
        return staleness

    def wait_for(self, position: int, timeout: float | None = None) -> None:
        """Return when this calendar has the record with this number, which another process may still have to append.

        So a process that learns of a booking, and of the ``position`` after it, can make sure that its answers count it.
        *timeout* is a number of seconds, of which 2,000,000 count at most; None waits as long as a command would.

        Raises: `JournalTimeoutError` when it does not come in time; `JournalReplacedError` when the calendar is reloaded
        meanwhile; `JournalError`; `QueryError` for an invalid argument.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     address = f"sqlite:///{folder}/rooms.db"
        ...     with Calendar.open(address) as one, Calendar.open(address) as other:
        ...         room = one.add_resource(Resource("room"))
        ...         other.wait_for(one.position)
        ...         len(other.resources)
        1
        """
        number = python_int(position)
        if number is None or number < 0:
            raise QueryError(position, "a position is a whole number from 0")
        seconds = None if timeout is None else check_timeout(timeout)
        self._journal().wait_for(number, seconds)

    @contextmanager
    def fresh(self) -> Iterator[Self]:
        """Ask questions in a block that knows all that other processes had done when it began: `catch_up`, then the block.

        Raises: as `catch_up`.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     address = f"sqlite:///{folder}/rooms.db"
        ...     with Calendar.open(address) as one, Calendar.open(address, follow=False) as other:
        ...         room = one.add_resource(Resource("room"))
        ...         with other.fresh():
        ...             other.is_available("room", 9, 12)
        True
        """
        self.catch_up()
        yield self

    def history(self, booking_or_resource: Any) -> History:
        """Return what happened to a booking or a resource, in order: entries with position, time and change.

        Takes an event, a resource, or an id, also of one that is gone; what happened to bookings on a resource has happened
        to the resource. Entries are read from the records that are kept (see ``keep`` of `open`): ``begins`` of the result
        is the position after which they begin, and ``since`` its time. Objects in the changes are those of a copy of the
        calendar. Holds that a question released are in the history with the next record. In a database no record is ever
        removed; the time of those that an older bookcore wrote is None.

        Raises: `QueryError` for a calendar without a journal, for None and for a booking that was never made; `JournalError`
        and `SnapshotError` when the directory cannot be read.
        Complexity: linear in the size of the oldest snapshot and all records since.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, Calendar.open(folder) as calendar:
        ...     stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        ...     moved = calendar.move(stay, start=10, end=13)
        ...     [(entry.position, type(entry.change).__name__) for entry in calendar.history(stay)]
        [(2, 'Booked'), (3, 'Moved')]
        """
        what: Any = booking_or_resource
        id = attempt(lambda: self._id_of(what), what)
        history: History = self._journal().history(self._maker(None, None, None, None), what, id)
        return history

    def __enter__(self) -> Self:
        self._journal()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def digest(self) -> str:
        """Return a hash of the resources, tags, bookings, fields, holds, closures and opening hours.

        Calendars that give equal answers have equal digests: for example a calendar, its follower (see `apply`), and a
        calendar restored from its snapshot. Indexes, clock and subscribers are left out, because these are functions.

        Raises: `SnapshotError` for a class or a value that cannot be written.
        Complexity: linear in the size of the calendar.

        >>> leader, follower = Calendar(), Calendar()
        >>> end = leader.subscribe(follower.apply)
        >>> stay = leader.book(leader.add_resource(Resource("room")), 9, 12)
        >>> leader.digest() == follower.digest(), leader.digest() == Calendar().digest()
        (True, False)
        """
        from bookcore.persist.snapshot.digest import digest

        return digest(self._engine.state)

    # -- the rest ---------------------------------------------------------------------------------------

    @property
    def bounds(self) -> Bounds:
        """``"[)"`` or ``"[]"``."""
        return self._engine.state.bounds  # type: ignore[return-value]

    @property
    def event_type(self) -> type[E]:
        """The class of the events that `book` makes."""
        return self._engine.state.event_type  # type: ignore[return-value]

    def check(self) -> None:
        """Raise AssertionError unless every invariant of every structure holds. For tests; reads the whole calendar."""
        self._gate.ask(False, self._engine.state.check)

    def rebuild(self) -> None:
        """Build all indexes anew from the bookings themselves, and check them, after a `CalendarBrokenError`.

        Raises: `CalendarBrokenError` when the bookings themselves are damaged; then restore a snapshot.
        Complexity: O(m log m) for m bookings.

        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("loft")), 3, 7)
        >>> calendar.rebuild()
        >>> calendar.is_available("loft", 5, 9)
        False
        """
        self._mending.rebuild()

    def _id_of(self, resource: Any) -> Any:
        """Return the id of an object in this calendar, for terms."""
        return self._engine.state.registry.id_of(resource)

    def _has_members(self, value: Any) -> bool:
        """Tell whether a tuple or frozenset that is no id has nothing but resources or their ids, for terms."""
        registry = self._engine.state.registry
        return registry.with_id(value) is None and bool(value) and all(registry.find(each) is not None for each in value)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        self._engine.state.__reduce_ex__(protocol)

    def __repr__(self) -> str:
        state = self._engine.state
        try:
            resources, bookings = self._gate.ask(False, lambda: (len(state.registry), len(self._ledger)))
            what = f"of {resources} resources and {bookings} bookings"
        except BookcoreError as exc:
            what = f"that does not answer now ({type(exc).__name__})"
        place = "" if self._recorder is None else f", kept in {self._recorder.name}"
        return f"<Calendar {what}, bounds {state.bounds!r}, in a {type(state.store).__name__}{place}>"
