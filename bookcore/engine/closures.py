"""Closures: spans in which a resource cannot be booked. One of the rules that `bookcore.engine.rules` lists.

    closure 1   room   |------)             each closure is a row of a store: start, end, id of the closure
    closure 2   room       |------)         closures may overlap
    closed      room   |----------)

Closures have a `MemoryStore` of their own, which indexes them like the bookings of a resource with capacity. Its records
have the numbers of the resources, so that one bitmap says which resources are closed in a span.

Invariants: ``by_id`` and the store hold the same closures; if a resource has no closures, its record's ``closures`` is None
and this rule is not among the record's ``rules``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bookcore.model.closure import Closure
from bookcore.model.explanation import Cause, CauseKind, key_text, span_text
from bookcore.model.keys import normal
from bookcore.stores.memory.store import MemoryStore
from bookcore.stores.record import ResourceRecord
from bookcore.stores.sizes import Sizes


class Closures:
    """The closures of one calendar. Not thread-safe: used under the calendar's lock."""

    __slots__ = ("_bounds", "by_id", "last_id", "sizes", "store")

    def __init__(self, closed: bool, sizes: Sizes | None = None) -> None:
        self._bounds = "[]" if closed else "[)"
        self.sizes = sizes
        self.store = MemoryStore(sizes)
        self.store.bind(closed)
        self.by_id: dict[int, Closure] = {}
        self.last_id = 0

    def __bool__(self) -> bool:
        return bool(self.by_id)

    # -- changing ----------------------------------------------------------------------------------

    def put(self, record: ResourceRecord, low: Any, high: Any, closure: Closure) -> None:
        """Add a closure. O(log m)."""
        own = record.closures
        if own is None:
            own = ResourceRecord(record.id, record.resource, record.number, 1)
            own.is_exclusive = False  # closures may overlap
            self.store.begun = True
            self.store.add_resource(own)
            self.store.begun = False
        try:
            self.store.put(own, low, high, closure.id, 1)
        except BaseException:
            if record.closures is None:
                self.store.remove_resource(own)
            raise
        self.by_id[closure.id] = closure
        own.active_count += 1
        self.last_id = max(self.last_id, closure.id)
        if record.closures is None:
            record.closures = own
            record.set_rule(self, True)

    def drop(self, record: ResourceRecord, low: Any, high: Any, closure: Closure) -> None:
        """Remove a closure. O(log m); O(n / 8) for the last closure of a resource."""
        own = record.closures
        self.store.remove(own, low, high, closure.id)
        own.active_count -= 1
        del self.by_id[closure.id]
        if not own.active_count:
            self.store.remove_resource(own)
            record.closures = None
            record.set_rule(self, False)

    def repair(self, records: Iterable[ResourceRecord], record_of: Callable[[Any], ResourceRecord]) -> None:
        """Index the closures in ``by_id`` anew, after a change was cut off. O(closures x log m + records)."""
        self.store = MemoryStore(self.sizes)
        self.store.bind(self._bounds == "[]")
        for record in records:
            record.closures = None
            record.set_rule(self, False)
        for closure in list(self.by_id.values()):
            self.put(record_of(closure.resource), normal(closure.start), normal(closure.end), closure)

    def renumber(self, numbers: Mapping[int, int], records: Iterable[ResourceRecord]) -> None:
        """Replace the number of each resource by the one that *numbers* gives for it. O(closures + n)."""
        self.store.renumber(numbers)
        for record in records:
            if record.closures is not None:
                record.closures.number = numbers[record.closures.number]

    # -- looking up --------------------------------------------------------------------------------

    def of(self, record: ResourceRecord, low: Any = None, high: Any = None) -> list[Closure]:
        """Return the closures of a resource that overlap a span, by start, then by id. O(log m + answers)."""
        if record.closures is None:
            return []
        return [self.by_id[row[2]] for row in self.store.overlapping(record.closures, low, high)]

    def ends_after(self, after: Any, meeting: bool, until: Any, within: int) -> Any:
        """Return the next keys at which closed spans end, see `SupportsFreeTime.ends_after`."""
        return self.store.ends_after(after, meeting, until, within)

    # -- the rule ----------------------------------------------------------------------------------

    def allows(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """Tell whether no closure overlaps the span. O(log m)."""
        return record.closures is None or self.store.is_free(record.closures, low, high, 1)

    def blocked(self, low: Any, high: Any, quantity: int) -> int:
        """Return a bitmap of the resources with a closure that overlaps the span. Complexity: as `OccupancyIndex.busy`."""
        return self.store.busy(low, high, 1) if self.by_id else 0

    def spans(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Iterator[tuple[Any, Any]]:
        """Yield, in order, the closed spans that overlap a window. O(log m + spans)."""
        if record.closures is None:
            return iter(())
        runs: Iterator[tuple[Any, Any]] = record.closures.state.profile.over(low, high, 0)
        return runs

    def causes(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, start: Any, end: Any
    ) -> Iterator[Cause]:
        """Yield the closures that overlap the span, by start."""
        for closure in self.of(record, low, high):
            reason = key_text(closure.reason)
            text = f"closed {span_text(closure.start, closure.end, self._bounds)}: {reason}"
            yield Cause(CauseKind.CLOSURE, closure, closure.start, closure.end, text, f"closed: {reason}")

    def check(self, records: dict[Any, ResourceRecord]) -> None:
        """Raise AssertionError unless the invariants hold. O(closures + n)."""
        self.store.check()
        indexed: list[int] = []
        for record in records.values():
            rows = [] if record.closures is None else self.store.overlapping(record.closures, None, None)
            indexed += [row[2] for row in rows]
            if (self in record.rules) is not (record.closures is not None):
                raise AssertionError(f"{record!r} has closures or the rule, and not both")
            if record.closures is not None and not len(rows) == record.closures.active_count > 0:
                raise AssertionError(f"{record.closures.active_count} closures counted of {record!r}")
        if sorted(indexed) != sorted(self.by_id):
            raise AssertionError(f"closures {sorted(self.by_id)} by id, {sorted(indexed)} in the index")
