"""The protocols of resources, services, stores and clocks, for programs that implement their own.

Keys are of any ordered type ``K``, resources of any type ``R`` (``Any`` if the program does not say). A *span* is
``start, end``; None is unbounded. Every store implements `BookingStore`; the other protocols of stores are optional
capabilities, which the calendar detects by ``isinstance``. `bookcore.testing.StoreContract` has the tests that every store
must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from bookcore.stores.record import ResourceRecord

K = TypeVar("K", contravariant=True)
R = TypeVar("R", contravariant=True)

Clock = Callable[[], Any]
"""Returns the present instant, as a key of the calendar. Called only while a hold may run out."""

Row: TypeAlias = tuple[Any, Any, int, int]
"""A booking as a store keeps it: ``(start, end, seq, quantity)``. ``seq`` is its number, in the order of booking."""


@runtime_checkable
class BookableResource(Protocol[K]):
    """A bookable resource. A calendar needs only the ``id``; `Resource` has both."""

    @property
    def id(self) -> Hashable:
        """A hashable name that does not change and is unique in the calendar."""

    def is_available(self, start: K | None, end: K | None) -> bool:
        """Tell whether the resource is free over the whole span. Raises: as `Calendar.is_available`."""


@runtime_checkable
class BookingService(Protocol[K, R]):
    """A service that books resources and finds available ones, such as `Calendar`.

    Raises, in every call: `InvalidSpanError`, `KeyTypeError` for an invalid span; `UnknownResourceError` for a resource
    that is not registered. Complexity: as the calls of `Calendar`.

    >>> from bookcore import BookingService, Calendar
    >>> isinstance(Calendar(), BookingService)
    True
    """

    def add_booking(self, event: Any) -> Any:
        """Book an event, checked and locked in one step, or raise `ConflictError` and change nothing."""

    def remove_booking(self, event_or_id: Any) -> Any:
        """Release a booking, or raise `UnknownBookingError`."""

    def find_booked(self, start: K | None, end: K | None, *terms: Any) -> Any:
        """Return the resources that are not available over the whole span, as a set to combine with others."""

    def find_available(self, start: K | None, end: K | None, *terms: Any) -> Any:
        """Return the resources available over the whole span; the complement of `find_booked`."""

    def is_available(self, resource: R, start: K | None, end: K | None) -> bool:
        """Tell whether one resource is available over the whole span."""


@runtime_checkable
class BookingStore(Protocol[K]):
    """Keeps the rows of bookings and looks them up. The calendar decides what may be booked.

    *Rows.* A booking is a row ``(start, end, seq, quantity)`` of a resource. ``seq`` is its number: an int, unique in the
    calendar and greater for later bookings. The calendar itself keeps ids, fields and event objects.

    *Keys.* The calendar has checked every span: both ends belong to one comparable family, the start is before the end
    (or equal to it, with closed bounds), datetimes with a zone are in UTC. A store compares keys with ``<`` only.

    *Records.* ``record`` is the calendar's record of a resource (`bookcore.stores.record.ResourceRecord`): its ``number``,
    unique among the registered resources, and fixed but for `SupportsRenumbering`; ``id``, ``capacity``, ``before``,
    ``after``. The store may use ``record.state`` for its own data.

    *Calls.* The calendar holds its lock during every call, so a store needs no lock within one process; calls come from any
    thread, one at a time. An exception in a change is wrapped in a `StoreError`; in a question it is passed on unchanged,
    so a store should raise a `StoreError` itself. The calendar makes no call for a record before its `add_resource` or
    after its `remove_resource`. A call that raises must change nothing.

    >>> from bookcore import BookingStore, MemoryStore
    >>> isinstance(MemoryStore(), BookingStore)
    True
    """

    def bind(self, closed: bool) -> None:
        """Attach the store to one calendar. *closed*: spans contain their ends. Raises `StoreError` if already bound."""

    def add_resource(self, record: ResourceRecord) -> None:
        """Add a resource without bookings. O(1) expected."""

    def remove_resource(self, record: ResourceRecord) -> None:
        """Remove a resource, which has no bookings. O(1) expected."""

    def put(self, record: ResourceRecord, start: K | None, end: K | None, seq: int, quantity: int) -> None:
        """Add a row, without checking whether there is room. Atomic. O(log m) expected."""

    def remove(self, record: ResourceRecord, start: K | None, end: K | None, seq: int) -> None:
        """Remove the row with this number, which was put with this span. Atomic. O(log m) expected."""

    def row(self, record: ResourceRecord, seq: int) -> Row:
        """Return the row with this number, which the store has for this resource. O(log m) expected."""

    def overlapping(self, record: ResourceRecord, start: K | None, end: K | None) -> Sequence[Row]:
        """Return the rows of one resource that overlap the span, by start, then by number.

        The sequence does not change later. O(log m + answers) expected.
        """


@runtime_checkable
class SupportsAvailability(Protocol[K]):
    """A store that decides on capacity and buffers from an index, with the answers of `GenericAvailability`.

    Raises: as `BookingStore`; `KeyTypeError` where a resource's buffers cannot be added to the keys.
    """

    def is_free(self, record: ResourceRecord, start: K | None, end: K | None, quantity: int) -> bool:
        """Tell whether *quantity* more units fit over the whole span. ``1 <= quantity <= capacity``. O(log m) expected."""

    def busy(self, start: K | None, end: K | None, quantity: int) -> int:
        """Return a bitmap of the resources without room for *quantity* in the span, by record number.

        Resources whose capacity is below *quantity*, or of which a buffer cannot be added to the keys, may or may not be in
        it. Must be much faster than O(n log m) to be of use.
        """


@runtime_checkable
class SupportsLoad(Protocol[K]):
    """A store that adds many rows at once faster than one by one."""

    def load(
        self, records: Sequence[ResourceRecord], starts: Sequence[K], ends: Sequence[K], seqs: Sequence[int]
    ) -> bool:
        """Add all rows, given as columns, and return True; or change nothing and return False.

        False means that a row has no room, or that adding the rows one by one is faster. The records are exclusive, the
        quantities are 1, all keys have the same type, and no span is unbounded. O(k log k) expected for k rows.
        """


@runtime_checkable
class SupportsRepair(Protocol):
    """A store that can be mended after a change was cut off, by Ctrl-C, lack of memory, or a key that cannot be compared.

    ``begun`` is set to True by the first step of a change that changes something; the calendar sets it to False when the
    change is complete. A call of such a store that raises while ``begun`` is False has changed nothing.
    """

    begun: bool

    def repair(self, records: Sequence[ResourceRecord], keeps: Callable[[ResourceRecord, int], bool]) -> None:
        """Make everything anew from the rows of these resources, without those for whose number *keeps* is false.

        There are no other resources, and no hidden rows are left. O(m log m) expected.
        """


@runtime_checkable
class SupportsExpiry(Protocol):
    """A store that hides many rows in O(1) each, and removes them from its indexes later.

    Ten thousand holds may run out at the same instant, and from that instant on no answer may contain them.
    """

    @property
    def hidden_count(self) -> int:
        """The number of rows that are hidden and not removed yet. O(1)."""

    def hide(self, records: Sequence[ResourceRecord], seqs: Sequence[int]) -> None:
        """Hide rows from all answers. No key is compared. A hidden row that is put again is not hidden any more."""

    def vacuum(self, most: int) -> None:
        """Remove at most *most* hidden rows from the indexes. Rows whose keys cannot be compared now stay hidden."""


@runtime_checkable
class SupportsRenumbering(Protocol):
    """A store that lets the calendar give new numbers to the records, so that numbers of removed resources are used again.

    Without it numbers are given out once, and the bitmaps of all resources grow with every resource that is added.
    """

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Take note that each record gets the number that *numbers* gives for its present one, in the same order.

        The records have their new numbers after the call. A store that does not use numbers has nothing to do. No key is
        compared. O(m) at most for m bookings of all resources.
        """


@runtime_checkable
class SupportsFreeTime(Protocol):
    """A store that reads blocked spans, usage and the ends of blocked spans from its indexes."""

    def blocked_spans(
        self, record: ResourceRecord, start: Any, end: Any, quantity: int, length: Any = None
    ) -> Iterator[tuple[Any, Any]] | None:
        """Yield, in order, the spans that a booking of *quantity* may not overlap, buffers included.

        Return None where the index cannot tell: the calendar then reads the rows. Spans with a gap shorter than *length*
        between them may be yielded as one. The iterator is lazy: the caller reads it before the next change.
        """

    def usage(self, record: ResourceRecord, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]] | None:
        """Yield the steps ``(start, end, units in use)`` that cover the span, with neighbours different, or return None."""

    def ends_after(self, after: Any, meeting: bool, until: Any, within: int) -> Sequence[tuple[Any, list[int], int]]:
        """Return the next keys at which blocked spans end, each with the numbers and the bitmap of its resources.

        The keys are after *after* (*meeting*: or equal to it) and not after *until*; the resources are in the bitmap
        *within*. Keys at which no blocked span ends may be among them; an empty answer means that there are no more ends.
        """
