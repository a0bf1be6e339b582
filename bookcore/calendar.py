"""`Calendar`: what is booked, what is free, and may I have it?

Every public call is here or in the mixins it inherits; state and changes are in `bookcore.engine.core`.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from typing import Any, Self

from bookcore.engine.booking import Booking
from bookcore.engine.check import check_calendar
from bookcore.engine.life import Life
from bookcore.index.bitmap import ordinals
from bookcore.model.errors import UnknownBookingError
from bookcore.model.keys import normal
from bookcore.model.records import BookingEvent
from bookcore.model.term import All, check_quantity
from bookcore.query.catalogue import Selecting
from bookcore.query.free_time import Finding
from bookcore.query.selection import Selection
from bookcore.stores.generic import blocking_bookings
from bookcore.stores.protocol import BookingStore

__all__ = ["Calendar"]

ONE = 1


class Calendar(Booking, Finding, Life, Selecting):
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

    # -- resources ---------------------------------------------------------------------------------

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
        with self._writer():
            return self._add_entry(resource, capacity, before, after).resource

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
        with self._writer(), self.transaction():  # it lifts closures and hours first: all or nothing
            entry = self._catalog.entry(resource)
            self._remove_entry(entry)
            return entry.resource

    @property
    def resources(self) -> Selection:
        """All resources, in order of registration."""
        return Selection(self, All())

    # -- asking ------------------------------------------------------------------------------------

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
        # Optimistic: no lock (0.2 us), no call but the one that decides. Anything unusual, be it a change that began in
        # between, is left to the long way below, which also words every refusal.
        still = self._still
        if still is not None and quantity is ONE:
            try:
                kind = type(resource)
                if kind is not str and kind is not int and resource._owner is self:
                    free = resource._free
                else:
                    # `getattr` asks a str for an id in 50 ns
                    entry = self._by_id[resource if kind is str or kind is int else getattr(resource, "id", resource)]
                    lane = None if entry.guarded else entry.free
                    if lane is None:
                        free = None
                    else:  # as the resource has it, which is quicker; a foreign object holds none
                        free = lane.answer if (holder := lane.holder) is None else holder._free
                keys = self._keys
                plain = keys.plain
                if (
                    free is not None
                    and type(start) is plain
                    and type(end) is plain
                    and start < end
                    # a zone among keys that have none is refused by the first it is compared with, of which there is one
                    and ((zone := keys.zone) is None or (start.tzinfo is zone and end.tzinfo is zone))
                ):
                    if free and type(free) is tuple:  # the edges of its lane: `DisjointIntervals.is_free`, written out
                        at = bisect_left(free, end)
                        answer = not at or (not at & 1 and not start < free[at - 1])
                    else:
                        answer = bool(keys.admit(start, end)) and (not free or free.is_free(start, end))
                    if still is self._still:
                        return answer
            except Exception:  # noqa: S110 - the long way meets it again and says what it is
                pass
        with self._reader():
            entry = self._catalog.entry(resource)
            low, high = self._keys.admit(start, end)
            if not self._writing and not self._deadlines:
                self._still = self._version  # the next one need not come this way
            return self._room(entry, low, high, check_quantity(quantity))

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
        with self._reader():
            entry = self._catalog.entry(resource)
            low, high = self._keys.admit(start, end)
            check_quantity(quantity)
            return tuple(blocking_bookings(self._store.overlapping, entry, low, high, self._closed, quantity))

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
        with self._reader():
            low, high = self._keys.admit(start, end)
            if resource is not None:
                return iter(tuple(self._store.overlapping(self._catalog.entry(resource), low, high)))
            found: list[BookingEvent] = []
            for number in ordinals(self._with_bookings(low, high)):
                entry = self._catalog.entries[number]
                if entry is not None:
                    found += self._store.overlapping(entry, low, high)
        # Two stable sorts rather than one of pairs: keys are only ever asked for `<`, and never about None.
        found.sort(key=lambda event: event._seq or 0)
        opened = [event for event in found if event._start is None]
        bounded = [event for event in found if event._start is not None]
        try:
            bounded.sort(key=lambda event: normal(event._start))
        except Exception as exc:
            self._blame(exc)
            raise
        return iter(opened + bounded)

    def _with_bookings(self, low: Any, high: Any) -> int:
        """Return, as a bitmap, resources that may have bookings in the span, and surely all that have."""
        if low is None and high is None:
            return self._catalog.everything.value()
        return self._index.busy(low, high, 1) | self._catalog.pooled.value()

    def get(self, booking_id: Hashable) -> BookingEvent:
        """Return the booking of that id. Raises: `UnknownBookingError`. O(1).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> talk = calendar.book(calendar.add_resource(Resource("room")), 9, 12, id="talk")
        >>> calendar.get("talk") is talk
        True
        """
        with self._reader():
            try:
                return self._events[booking_id]
            except Exception:  # not there, unhashable, or the object's own code
                raise UnknownBookingError(booking_id) from None

    def __contains__(self, event: object) -> bool:
        """Tell whether this very event, or a booking of this id, stands in the calendar. O(1)."""
        with self._reader():
            try:
                self._standing(event)
            except UnknownBookingError:
                return False
            return True

    def __len__(self) -> int:
        """Return the number of bookings. O(1)."""
        with self._reader():
            return len(self._events)

    def __bool__(self) -> bool:
        """Return True: a calendar is one, with bookings or without."""
        return True

    # -- snapshots ---------------------------------------------------------------------------------

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

        return save(self, path, key=key)

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

        return load(partial(cls, store, clock=clock), path, types=types, key=key)

    # -- the rest ----------------------------------------------------------------------------------

    @property
    def bounds(self) -> str:
        """``"[)"`` or ``"[]"``."""
        return self._bounds

    def check(self) -> None:
        """Raise AssertionError unless every invariant of every structure holds. O(everything); for tests."""
        with self._lock:
            check_calendar(self)

    def __repr__(self) -> str:
        with self._lock:  # and no look at the clock, which might fail
            resources, bookings = len(self._by_id), len(self._events)
        return (
            f"<Calendar of {resources} resources and {bookings} bookings, bounds {self._bounds!r}, "
            f"in a {type(self._own_store).__name__}>"
        )
