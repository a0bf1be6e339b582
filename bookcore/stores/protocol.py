"""What bookcore asks of a resource, of a service, of a store and of a clock.

Third parties write against this page. Keys are any ordered type ``K``, resources any type ``R`` (``Any`` where a program
does not care). A *span* is
``start, end``; None is unbounded. What every store must do is `BookingStore`, six methods; what only some can do
better is a protocol of its own, asked for by ``isinstance``. The exam a store must
pass is `bookcore.testing.StoreContract`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from bookcore.model.records import BookingEvent
from bookcore.stores.record import ResourceRecord

__all__ = [
    "BookableResource",
    "BookingService",
    "BookingStore",
    "Clock",
    "SupportsAvailability",
    "SupportsLoad",
]

K = TypeVar("K", contravariant=True)
R = TypeVar("R", contravariant=True)

Clock = Callable[[], Any]
"""Returns the present instant, in keys of the calendar. Asked only where a hold may run out."""


@runtime_checkable
class BookableResource(Protocol[K]):
    """What the engine asks of a resource. A calendar takes anything with an ``id``; `Resource` has both."""

    @property
    def id(self) -> Hashable:
        """A stable, hashable name, one per resource and calendar."""

    def is_available(self, start: K | None, end: K | None) -> bool:
        """Tell whether the resource is free over the whole span. Raises: as `Calendar.is_available`."""


@runtime_checkable
class BookingService(Protocol[K, R]):
    """What answers "what is booked, what is free, may I have it?". `Calendar` is one.

    Raises, in every call: `InvalidSpanError`, `KeyTypeError` for a span that is none; `UnknownResourceError` for a resource
    that is not there. Complexity: as of the `Calendar`'s.

    >>> from bookcore import BookingService, Calendar
    >>> isinstance(Calendar(), BookingService)
    True
    """

    def add_booking(self, event: Any) -> Any:
        """Check and lock in one step, or raise `ConflictError` and change nothing."""

    def remove_booking(self, event_or_id: Any) -> Any:
        """Unlock, or raise `UnknownBookingError`."""

    def find_booked(self, start: K | None, end: K | None, *terms: Any) -> Any:
        """Return the resources booked in the span, as a set to combine with others."""

    def find_available(self, start: K | None, end: K | None, *terms: Any) -> Any:
        """Return the resources available over the whole span; the complement of `find_booked`."""

    def is_available(self, resource: R, start: K | None, end: K | None) -> bool:
        """Tell whether one resource is available over the whole span."""


@runtime_checkable
class BookingStore(Protocol[K]):
    """Where bookings live. The calendar decides; a store remembers and looks up.

    *Keys.* The calendar has checked every span: both ends belong to one comparable family, start comes before end
    (or meets it, with closed bounds), datetimes with a zone are in UTC. A store compares keys with ``<`` only, and
    holds ``start`` and ``end`` as given, which may differ in zone from the event's own.

    *Entries.* ``entry`` is the calendar's record of a resource (`bookcore.stores.record.ResourceRecord`): its ``number``, unique
    among the resources there are, ``id``, ``capacity``, ``before``, ``after``. ``entry.state`` is the store's to use.

    *Calls.* The calendar holds its lock around every call, so a store needs none of its own within one process; calls come
    from any thread, one at a time. What a backend raises in a change reaches the caller as a `StoreError`, in a question
    as it is: let a store raise a `StoreError` of its own.
    Events are passed by reference and returned as the same objects. No call is made for an entry before its
    `add_resource` or after its `remove_resource`. A call that raises must have changed nothing.

    >>> from bookcore import BookingStore, MemoryStore
    >>> isinstance(MemoryStore(), BookingStore)
    True
    """

    def bind(self, closed: bool) -> None:
        """Begin to serve one calendar; ``closed`` says whether ends belong to spans. Raises `StoreError` if bound."""

    def add_resource(self, entry: ResourceRecord) -> None:
        """Make room for a resource without bookings. O(1) expected."""

    def remove_resource(self, entry: ResourceRecord) -> None:
        """Forget a resource, which has no bookings. O(1) expected."""

    def put(self, entry: ResourceRecord, start: K | None, end: K | None, event: BookingEvent) -> None:
        """Hold the booking, without asking whether there is room. Atomic. O(log m) expected."""

    def remove(self, entry: ResourceRecord, start: K | None, end: K | None, event: BookingEvent) -> None:
        """Let go of a booking put before with just these arguments. Atomic. O(log m) expected."""

    def overlapping(self, entry: ResourceRecord, start: K | None, end: K | None) -> Sequence[BookingEvent]:
        """Return the bookings of one resource that overlap the span, by start, then by ``event._seq``.

        A new sequence each time, or one that never changes. O(log m + answers) expected.
        """


@runtime_checkable
class SupportsAvailability(Protocol[K]):
    """A store that decides on capacity and buffers itself, from an index. Answers equal the generic ones'.

    Raises: as said in `BookingStore`; `KeyTypeError` where a resource's turnaround cannot be added to the keys.
    """

    def is_free(self, entry: ResourceRecord, start: K | None, end: K | None, quantity: int) -> bool:
        """Tell whether *quantity* more units fit over the whole span. ``1 <= quantity <= capacity``. O(log m) expected."""

    def claim(self, entry: ResourceRecord, start: K | None, end: K | None, event: BookingEvent) -> bool:
        """`is_free` and `put` in one step: True if the booking is held now, False if nothing changed. Atomic.

        O(log m) expected.
        """

    def busy(self, start: K | None, end: K | None, quantity: int) -> int:
        """Return, as a bitmap of entry numbers, the resources without room for *quantity* in the span.

        Of resources whose capacity is below *quantity*, or whose turnaround does not go with the keys, it may say either.
        Far less than O(n log m) expected, or it is no gain.
        """


@runtime_checkable
class SupportsLoad(Protocol[K]):
    """A store that takes many bookings at once faster than one by one."""

    def load(
        self, entries: Sequence[ResourceRecord], starts: Sequence[K], ends: Sequence[K], events: Sequence[BookingEvent]
    ) -> bool:
        """Hold all bookings, given as columns, and return True, or change nothing and return False.

        False when one finds no room, or when the store would rather have them one by one. Entries are ``plain``,
        quantities 1, all keys of one type and neither end unbounded. O(k log k) expected for k bookings.
        """
