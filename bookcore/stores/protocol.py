"""What bookcore asks of a resource, of a service, of a store and of a clock.

Third parties write against this page. Keys are any ordered type ``K``, resources any type ``R`` (``Any`` where a program
does not care). A *span* is ``start, end``; None is unbounded. What every store must do is `BookingStore`; what only some
can do better is a protocol of its own, which the calendar asks for by ``isinstance``. The exam that a store must pass is
`bookcore.testing.StoreContract`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from bookcore.stores.record import ResourceRecord

__all__ = [
    "BookableResource",
    "BookingService",
    "BookingStore",
    "Clock",
    "Row",
    "SupportsAvailability",
    "SupportsExpiry",
    "SupportsFreeTime",
    "SupportsLoad",
]

K = TypeVar("K", contravariant=True)
R = TypeVar("R", contravariant=True)

Clock = Callable[[], Any]
"""Returns the present instant, in keys of the calendar. Asked only where a hold may run out."""

Row: TypeAlias = tuple[Any, Any, int, int]
"""A booking as a store holds it: ``(start, end, seq, quantity)``. ``seq`` is its number in the order of booking."""


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
    """Where bookings are indexed. The calendar decides; a store remembers rows and looks them up.

    *Rows.* A booking is ``(start, end, seq, quantity)`` on a resource. ``seq`` is an int, greater for later bookings, and
    unique in the calendar. Ids, fields and event objects are the calendar's affair.

    *Keys.* The calendar has checked every span: both ends belong to one comparable family, start comes before end
    (or meets it, with closed bounds), datetimes with a zone are in UTC. A store compares keys with ``<`` only.

    *Records.* ``record`` is the calendar's record of a resource (`bookcore.stores.record.ResourceRecord`): its ``number``,
    unique among the resources there are, ``id``, ``capacity``, ``before``, ``after``. ``record.state`` is the store's
    to use.

    *Calls.* The calendar holds its lock around every call, so a store needs none of its own within one process; calls come
    from any thread, one at a time. What a backend raises in a change reaches the caller as a `StoreError`, in a question
    as it is: let a store raise a `StoreError` of its own. No call is made for a record before its `add_resource` or after
    its `remove_resource`. A call that raises must have changed nothing.

    >>> from bookcore import BookingStore, MemoryStore
    >>> isinstance(MemoryStore(), BookingStore)
    True
    """

    def bind(self, closed: bool) -> None:
        """Begin to serve one calendar; ``closed`` says whether ends belong to spans. Raises `StoreError` if bound."""

    def add_resource(self, record: ResourceRecord) -> None:
        """Make room for a resource without bookings. O(1) expected."""

    def remove_resource(self, record: ResourceRecord) -> None:
        """Forget a resource, which has no bookings. O(1) expected."""

    def put(self, record: ResourceRecord, start: K | None, end: K | None, seq: int, quantity: int) -> None:
        """Hold a row, without asking whether there is room. Atomic. O(log m) expected."""

    def remove(self, record: ResourceRecord, start: K | None, end: K | None, seq: int) -> None:
        """Remove the row of this number, which was put with this span. Atomic. O(log m) expected."""

    def row(self, record: ResourceRecord, seq: int) -> Row:
        """Return the row of this number, which the store holds for this resource. O(log m) expected."""

    def overlapping(self, record: ResourceRecord, start: K | None, end: K | None) -> Sequence[Row]:
        """Return the rows of one resource that overlap the span, by start, then by number.

        A new sequence each time, or one that never changes. O(log m + answers) expected.
        """


@runtime_checkable
class SupportsAvailability(Protocol[K]):
    """A store that decides on capacity and buffers itself, from an index. Answers equal the generic ones'.

    Raises: as said in `BookingStore`; `KeyTypeError` where a resource's turnaround cannot be added to the keys.
    """

    def is_free(self, record: ResourceRecord, start: K | None, end: K | None, quantity: int) -> bool:
        """Tell whether *quantity* more units fit over the whole span. ``1 <= quantity <= capacity``. O(log m) expected."""

    def busy(self, start: K | None, end: K | None, quantity: int) -> int:
        """Return, as a bitmap of record numbers, the resources without room for *quantity* in the span.

        Of resources whose capacity is below *quantity*, or whose turnaround does not go with the keys, it may say either.
        Far less than O(n log m) expected, or it is no gain.
        """


@runtime_checkable
class SupportsLoad(Protocol[K]):
    """A store that takes many rows at once faster than one by one."""

    def load(
        self, records: Sequence[ResourceRecord], starts: Sequence[K], ends: Sequence[K], seqs: Sequence[int]
    ) -> bool:
        """Hold all rows, given as columns, and return True, or change nothing and return False.

        False when one of them finds no room, or when the store would rather have them one by one. Records are exclusive,
        quantities 1, all keys of one type and neither end unbounded. O(k log k) expected for k rows.
        """


@runtime_checkable
class SupportsExpiry(Protocol):
    """A store that hides many rows at once in O(1) each, and removes them from its indexes little by little.

    Ten thousand holds may run out at one instant, and no answer may show them from that instant on.
    """

    @property
    def hidden_count(self) -> int:
        """How many rows are hidden and not removed yet. O(1)."""

    def hide(self, records: Sequence[ResourceRecord], seqs: Sequence[int]) -> None:
        """Answer as if these rows had been removed. No key is compared. A hidden row that is put again is shown again."""

    def vacuum(self, most: int) -> None:
        """Remove at most so many hidden rows from the indexes. Rows whose keys cannot be compared now stay hidden."""


@runtime_checkable
class SupportsFreeTime(Protocol):
    """A store that reads free time, usage and ends of bookings out of its indexes."""

    def blocked_spans(
        self, record: ResourceRecord, start: Any, end: Any, quantity: int, length: Any = None
    ) -> Iterator[tuple[Any, Any]] | None:
        """Yield, in order, the spans that a booking of *quantity* may not overlap, turnaround included; or None: ask rows.

        Spans between which *length* does not fit may be yielded as one. Lazy: to be read while nothing changes.
        """

    def usage(self, record: ResourceRecord, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]] | None:
        """Yield the steps ``(start, end, units in use)`` that tile the span, neighbours different; or None: ask rows."""

    def ends_after(self, after: Any, meeting: bool, until: Any, within: int) -> Sequence[tuple[Any, list[int], int]]:
        """Return the next keys at which blocked spans end, each with the numbers and the bitmap of the resources concerned.

        After *after* (*meeting*: or at it) and not after *until*, of resources in the bitmap *within*. It may hold keys at
        which no blocked span ends; no keys at all means that there are none left.
        """
