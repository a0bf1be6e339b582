"""`SortedStore`: the founding design in its simplest correct form. A newcomer reads this store first.

    starts   1 a    3 b    8 c            every booking by its start and by its end,
    ends     2 a    7 b    9 c            for each resource and for all resources together

    booked in [4, 9)?
        start before 9      a b c
        end after 4           b c
        both                  b c         the bookings that overlap; their resources are booked
        all others                        the other resources are available

The intersection is of *bookings*, not of resources. A resource with the bookings [1, 2) and [9, 10) has a booking that
starts before 6 and another that ends after 4, but it is free in [4, 6): neither booking is in both sets. (Intersecting
resources is the mistake that this design invites.)

Each set is read from one end of a sorted list to the span, so a question takes O(m). `MemoryStore` answers the same
questions in O(log m), and from bitmaps.

Invariants: the starts and ends of all resources, and those of each resource, contain the same bookings as ``_rows``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sortedcontainers import SortedList

from bookcore.index.bitmap import from_ordinals
from bookcore.model.errors import StoreError
from bookcore.stores.generic import fits, or_false
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord

_LAST = float("inf")  # sorts after the number of every booking


class _Edge:
    """One end of a booking, ordered by key, then by number. ``side``: -1 for an unbounded start, 1 for an unbounded end."""

    __slots__ = ("key", "seq", "side")

    def __init__(self, key: Any, seq: float, side: int = 0) -> None:
        self.key, self.seq, self.side = key, seq, side

    def __lt__(self, other: _Edge) -> bool:
        if self.side != other.side or self.side:
            return (self.side, self.seq) < (other.side, other.seq)
        if self.key < other.key:
            return True
        return not other.key < self.key and self.seq < other.seq


class _Ends:
    """The bookings of one resource, or of all, in order of start and in order of end."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: Any = SortedList()
        self.ends: Any = SortedList()

    def overlapping(self, start: Any, end: Any, closed: bool) -> set[int]:
        """Return the numbers of the bookings that start before the end of a span and end after its start. O(m)."""
        # with closed bounds a booking that starts at the end, or ends at the start, overlaps as well
        started = self.starts if end is None else self.starts.irange(None, _Edge(end, _LAST if closed else -1))
        unended = self.ends if start is None else self.ends.irange(_Edge(start, -1 if closed else _LAST), None)
        return {edge.seq for edge in started} & {edge.seq for edge in unended}


class SortedStore:
    """Bookings in sorted lists (package `sortedcontainers`), by start and by end.

    To read and learn from, and for a few thousand bookings. Not thread-safe: used under the calendar's lock.

    >>> from bookcore import Calendar, Resource
    >>> calendar = Calendar(SortedStore())
    >>> room = calendar.add_resource(Resource("room"))
    >>> _ = calendar.book(room, 1, 2), calendar.book(room, 9, 10)
    >>> calendar.is_available(room, 4, 6), calendar.find_booked(1, 3).ids()
    (True, ['room'])
    """

    def __init__(self) -> None:
        self._closed: bool | None = None
        self._all = _Ends()
        self._own: dict[int, _Ends] = {}  # by number of the resource
        self._rows: dict[int, tuple[ResourceRecord, Row]] = {}  # by number of the booking
        self._shared: dict[int, ResourceRecord] = {}  # resources with a capacity above 1, or with buffers
        self.begun = False

    def bind(self, closed: bool) -> None:
        """Attach the store to one calendar. Raises: `StoreError` if it is attached already. O(1)."""
        if self._closed is not None:
            raise StoreError(self, "already serves a calendar; give each calendar a store of its own")
        self._closed = closed

    def add_resource(self, record: ResourceRecord) -> None:
        """Add a resource. O(1)."""
        self._own[record.number] = _Ends()
        if not record.is_exclusive:
            self._shared[record.number] = record

    def remove_resource(self, record: ResourceRecord) -> None:
        """Remove a resource, which has no bookings. O(1)."""
        del self._own[record.number]
        self._shared.pop(record.number, None)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """See `SupportsRenumbering`. O(n)."""
        self._own = {numbers[number]: ends for number, ends in self._own.items()}
        self._shared = {numbers[number]: record for number, record in self._shared.items()}

    def put(self, record: ResourceRecord, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Add a row. O(log m) expected."""
        first, last = _Edge(start, seq, -(start is None)), _Edge(end, seq, int(end is None))
        self.begun = True  # if a comparison fails, the calendar calls `repair`
        for edges, edge in self._places(record, first, last):
            edges.add(edge)
        self._rows[seq] = record, (start, end, seq, quantity)

    def remove(self, record: ResourceRecord, start: Any, end: Any, seq: int) -> None:
        """Remove a row. Raises: `StoreError` when there is no such row over this span. O(log m)."""
        if seq not in self._rows:
            raise StoreError(self, f"booking {seq} is not held")
        first, last = _Edge(start, seq, -(start is None)), _Edge(end, seq, int(end is None))
        positions = [(edges, edges.bisect_left(edge)) for edges, edge in self._places(record, first, last)]
        if any(at == len(edges) or edges[at].seq != seq for edges, at in positions):
            raise StoreError(self, f"booking {seq} is not held over this span")
        self.begun = True
        for edges, at in positions:
            del edges[at]
        del self._rows[seq]

    def repair(self, records: Sequence[ResourceRecord], keeps: Callable[[ResourceRecord, int], bool]) -> None:
        """See `SupportsRepair.repair`. O(m log m)."""
        fresh = type(self)()
        fresh._closed = self._closed
        for record in records:
            fresh.add_resource(record)
        for record, row in self._rows.values():
            if keeps(record, row[2]):
                fresh.put(record, *row)
        # only now, because a comparison may have failed
        self._all, self._own, self._rows, self._shared = fresh._all, fresh._own, fresh._rows, fresh._shared

    def _places(self, record: ResourceRecord, first: _Edge, last: _Edge) -> Iterator[tuple[Any, _Edge]]:
        for ends in (self._all, self._own[record.number]):
            yield ends.starts, first
            yield ends.ends, last

    def row(self, record: ResourceRecord, seq: int) -> Row:
        """Return the row with this number. O(1)."""
        return self._rows[seq][1]

    def overlapping(self, record: ResourceRecord, start: Any, end: Any) -> list[Row]:
        """Return the rows that overlap the span, by start, then by number. O(m) for m bookings of the resource."""
        ends = self._own[record.number]
        seqs = ends.overlapping(start, end, bool(self._closed))
        return [self._rows[edge.seq][1] for edge in ends.starts if edge.seq in seqs]

    def is_free(self, record: ResourceRecord, start: Any, end: Any, quantity: int) -> bool:
        """Tell whether *quantity* more units fit over the whole span. O(m)."""
        return fits(self.overlapping, record, start, end, quantity, bool(self._closed))

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """Return a bitmap of the resources without room for *quantity* in the span. O(m) for m bookings of all resources."""
        booked = self._all.overlapping(start, end, bool(self._closed))
        full = {record.number for record, _ in map(self._rows.__getitem__, booked) if record.is_exclusive}
        span = start, end, quantity
        full |= {number for number, record in self._shared.items() if not or_false(self.is_free, record, *span)}
        return from_ordinals(full, max(full, default=0) + 1)

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m log m)."""
        seqs_of: dict[int, list[int]] = {number: [] for number in self._own}
        for seq, (record, _) in self._rows.items():
            seqs_of[record.number].append(seq)
        for ends, seqs in ((self._all, list(self._rows)), *((self._own[number], seqs_of[number]) for number in seqs_of)):
            for edges in (ends.starts, ends.ends):
                if any(not edge < following for edge, following in pairwise(edges)):
                    raise AssertionError("the ends of bookings are out of order")
                if sorted(edge.seq for edge in edges) != sorted(seqs):
                    raise AssertionError("the lists hold other bookings than the rows")
