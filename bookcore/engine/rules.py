"""The rules: the one list of reasons why a span is not available.

    rule             decides by                                 file
    units            more units than the resource has           here
    closures         `Calendar.close`                           closures.py
    opening hours    `Calendar.set_hours`                       opening_hours.py
    buffers          lengths that no such key can have          buffers.py
    bookings         bookings, holds, buffers; the last         bookings_rule.py

Each rule answers four questions, and one property test proves that the four answers agree:

    allows(record, low, high, quantity)       one span of one resource       `book`, `is_available`
    blocked(low, high, quantity)              all resources, as a bitmap     `find_available`
    spans(record, low, high, quantity)        the blocked spans              `gaps`, `find_slots`, best fit
    causes(record, low, high, quantity, ...)  the reasons, for people        `ConflictError`, `explain`

To add a rule: write it in a file of its own, let it say which records it concerns (by `ResourceRecord.set_rule`, which also
disables their fast paths), and name it in `Rules`. Nothing else has to know it. A rule that concerns no resource is false
(``__bool__``): then bulk loads and searches of slots are as fast as without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Protocol, TypeAlias

from bookcore.engine.bookings_rule import Bookings
from bookcore.engine.buffers import Buffers
from bookcore.engine.closures import Closures
from bookcore.engine.opening_hours import OpeningHours, beside
from bookcore.engine.registry import Registry
from bookcore.index.span_algebra import Place, as_keys, as_places, complement, following, in_order, preceding
from bookcore.model.errors import KeyTypeError, brief
from bookcore.model.explanation import Cause, CauseKind
from bookcore.stores.record import ResourceRecord

Span: TypeAlias = tuple[Any, Any]


class Rule(Protocol):
    """A reason why a span is not available. Spans are in index form; the calendar's lock is held."""

    def allows(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """Tell whether a booking of *quantity* units over the span is allowed."""

    def blocked(self, low: Any, high: Any, quantity: int) -> int:
        """Return a bitmap of the resources for which `allows` returns False or raises `KeyTypeError`."""

    def spans(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Iterator[Span]:
        """Yield, in order of start, the spans that no booking of *quantity* units may overlap.

        The spans may overlap each other and extend beyond the window. The iterator reads live indexes: the caller reads it
        while it holds the lock.
        """

    def causes(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, start: Any, end: Any
    ) -> Iterator[Cause]:
        """Yield the causes of a refusal, none where `allows` is True; *start* and *end* are as the caller gave them."""


class Units:
    """More units are asked for than the resource has: no span is ever available."""

    __slots__ = ("_registry",)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def allows(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """See `Rule`. O(1)."""
        return quantity <= record.capacity

    def blocked(self, low: Any, high: Any, quantity: int) -> int:
        """See `Rule`. For more than one unit, O(resources with capacity or buffers)."""
        return self._registry.smaller_than(quantity) if quantity > 1 else 0

    def spans(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Iterator[Span]:
        """See `Rule`: the whole window."""
        return iter(() if quantity <= record.capacity else ((low, high),))

    def causes(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, start: Any, end: Any
    ) -> Iterator[Cause]:
        """See `Rule`."""
        if quantity > record.capacity:
            capacity = brief(record.capacity)
            text = f"{brief(quantity)} asked for, and its capacity is {capacity}"
            yield Cause(CauseKind.QUANTITY, record.capacity, start, end, text, f"its capacity is {capacity}")


class Rules:
    """All rules of one calendar. Not thread-safe: used under the calendar's lock."""

    __slots__ = ("_closed", "bookings", "buffers", "closures", "every", "hours", "units")

    def __init__(
        self,
        registry: Registry,
        closures: Closures,
        hours: OpeningHours,
        buffers: Buffers,
        bookings: Bookings,
        closed: bool,
    ) -> None:
        self._closed = closed
        self.units, self.closures, self.hours = Units(registry), closures, hours
        self.buffers, self.bookings = buffers, bookings
        self.every: tuple[Rule, ...] = (self.units, closures, hours, buffers, bookings)

    def allows(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """Tell whether all rules allow a booking now. `book` and every search decide by this.

        Raises: `KeyTypeError` where buffers or hours do not support the keys.
        """
        if quantity > record.capacity:
            return False
        for rule in record.rules:
            if not rule.allows(record, low, high, quantity):
                return False
        return self.bookings.allows(record, low, high, quantity)

    def allows_or_false(self, record: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """Answer as `allows`, with False where a booking would raise `KeyTypeError`."""
        try:
            return self.allows(record, low, high, quantity)
        except KeyTypeError:
            return False

    def allows_beside(self, record: ResourceRecord, low: Any, high: Any, quantity: int, ignored: int) -> bool:
        """Answer as `allows`, but without the booking with number *ignored*."""
        if quantity > record.capacity or not all(rule.allows(record, low, high, quantity) for rule in record.rules):
            return False
        return self.bookings.allows_beside(record, low, high, quantity, ignored)

    def blocked(self, low: Any, high: Any, quantity: int) -> int:
        """Return a bitmap of the resources for which `allows_or_false` is False."""
        blocked = 0
        for rule in self.every:
            blocked |= rule.blocked(low, high, quantity)
        return blocked

    def causes(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, start: Any, end: Any
    ) -> Iterator[Cause]:
        """Yield every cause why a span is not available, in the order of the rules."""
        for rule in self.every:
            yield from rule.causes(record, low, high, quantity, start, end)

    def are_idle(self) -> bool:
        """Tell whether no rule but those of units and of bookings concerns a resource. O(rules)."""
        return not any(rule for rule in self.every if rule is not self.units and rule is not self.bookings)

    def know_ends(self) -> bool:
        """Tell whether free spans begin only at ends of bookings and closures, or at openings, which indexes have in order.

        False if another rule, which may end a blocked span elsewhere, concerns a resource (is true). O(rules).
        """
        indexed = self.units, self.closures, self.hours, self.buffers, self.bookings
        return not any(rule for rule in self.every if rule not in indexed)

    # -- free time ---------------------------------------------------------------------------------
    #
    # Half-open spans of keys; with closed bounds, half-open spans of places (`bookcore.index.span_algebra`).

    def blocked_spans(
        self, record: ResourceRecord, low: Any, high: Any, quantity: int, length: Any = None
    ) -> Iterator[Span]:
        """Yield, in order of start, the spans that no booking of *quantity* may overlap, except for opening hours.

        Opening hours have no first and no last closed span; `free` applies them afterwards. Requires
        ``quantity <= record.capacity``. Complexity: O(log m + spans) where the store keeps an index, else O(k log k) for k
        bookings in the window. With *length* and many bookings in a `MemoryStore`, as `GapSummary.first` for each gap.
        """
        rules = [rule for rule in record.rules if rule is not self.hours and rule is not self.buffers]
        bookings = self.bookings.spans(record, low, high, quantity, length)
        streams = [bookings, *(rule.spans(record, low, high, quantity) for rule in rules)]
        if self._closed:
            streams = [as_places(stream) for stream in streams]
        return streams[0] if len(streams) == 1 else in_order(*streams)

    def free(self, spans: Iterable[Span], hours: Any, low: Any, high: Any, length: Any = None) -> Iterator[Span]:
        """Yield, in order, the maximal free spans of keys: the window without the blocked spans, within opening hours.

        Openings shorter than *length* may be left out.
        An end of the window is yielded as the same object. With closed bounds the free spans are closed, see `as_keys`.
        """
        at_least = length if isinstance(length, timedelta) else None
        if not self._closed:
            for start, end in complement(spans, low, high):
                if hours is None:
                    yield start, end
                else:
                    yield from hours.open_spans(start, end, at_least=at_least)
            return
        first = None if low is None else Place(low, False)
        last = None if high is None else Place(high, True)
        for start, end in as_keys(complement(spans, first, last)):
            if hours is None:
                yield start, end
            else:
                yield from _open_closed(hours, start, end, at_least)


def _open_closed(hours: Any, low: Any, high: Any, at_least: timedelta | None) -> Iterator[Span]:
    """Yield the open spans within ``[low, high]``, where openings contain their ends."""
    # the window is widened by one key on each side, to include an opening that ends at `low` or begins at `high`
    window = beside(preceding, low), beside(following, high)
    for opens, closes in hours.open_spans(*window, at_least=at_least):
        start = low if low is not None and (opens is None or not low < opens) else opens
        end = high if high is not None and (closes is None or not closes < high) else closes
        if start is None or end is None or not end < start:
            yield start, end
