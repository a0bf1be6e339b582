"""`Slots`: the iterator of `find_slots`: slots of all resources by start, without searching all resources first.

    at *start*   the resources that are available, as one bitmap           as `find_available`
    later        a gap begins only where a blocked span ends, and the      ends of bookings, ends of closures,
                 indexes have these ends in order                          openings: one stream each, merged

Each end is a candidate for the start of a gap of its resource, and `Rules.allows` decides. The ends of bookings and
closures are read from the occupancy indexes, chunk by chunk; equal opening hours are read once. If the store has no such
index, if it does not apply (more than one unit), or if there are few resources, each resource is searched for its next gap,
and a heap keeps these in order.

The lock is not held between two slots. Candidates that were read ahead may be outdated, so each is checked again before it
is yielded, and after a change of the calendar the candidates are read again. The only state kept is the last start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from heapq import heapify, heappop, heappush
from typing import Any, TypeAlias

from bookcore.engine.gate import inspection, question
from bookcore.engine.opening_hours import is_shorter, suits
from bookcore.index.bitmap import from_ordinals, ordinals, pick
from bookcore.index.span_algebra import fits, following, in_order
from bookcore.model.term import All, And, Available, Term
from bookcore.model.window import Window
from bookcore.query.planner import Planner
from bookcore.stores.protocol import SupportsFreeTime
from bookcore.stores.record import ResourceRecord

__all__ = ["Slots"]

Event: TypeAlias = tuple[Any, list[int], int]
"""A key at which gaps may begin, and their resources: some as a list of numbers, others as a bitmap."""

MANY = 256
"""Up to this number of resources, each is searched for its next gap (some 5 us); with more, events are read."""


class Slots(Iterator[tuple[Any, Any, Any]]):
    """An iterator of ``(start, end, resource)``. ``low`` and ``high`` bound the search; ``window`` tells its answers."""

    __slots__ = ("_answers", "_planner", "_state", "gate", "high", "length", "low", "quantity", "step", "term", "window")

    def __init__(self, planner: Planner, term: Term, length: Any, window: Window, quantity: int, step: Any) -> None:
        self._planner, self._state, self.gate, self.term = planner, planner.state, planner.gate, term
        self.length, self.window, self.low, self.high = length, window, window.low, window.high
        self.quantity, self.step = quantity, step
        self._answers = self._all() if step is None else self._on_grid()

    def __next__(self) -> tuple[Any, Any, Any]:
        return next(self._answers)

    def _on_grid(self) -> Iterator[tuple[Any, Any, Any]]:
        start = self.low
        while True:
            until = fits(start, self.length, self.high)
            if until is None:
                return
            yield from self._at(start, until, None)
            upcoming = fits(start, self.step, self.high)
            if upcoming is None or not _is_after(upcoming, start):  # a step lost in rounding
                return
            start = upcoming

    def _all(self) -> Iterator[tuple[Any, Any, Any]]:
        until = fits(self.low, self.length, self.high)
        if until is None:
            return
        yield from self._at(self.low, until, None)
        after, more = self.low, True
        while more:
            version, more = self._state.gate.version, False
            for start, numbers, bits in self._candidates(after):
                until = fits(start, self.length, self.high)
                if until is None:
                    return
                if bits or len(numbers) > self._state.sizes.few:
                    yield from self._at(start, until, bits | from_ordinals(numbers, max(numbers, default=0) + 1))
                else:
                    yield from self._among(start, until, numbers)
                if version != self._state.gate.version:  # there may be new candidates
                    after, more = start, True
                    break

    def _candidates(self, after: Any) -> Iterator[Event]:
        within = self._within_all()
        if within.bit_count() <= MANY or self.quantity > 1 or not self._reads_ends():
            return self._by_resource(within, after)
        return self._by_event(after)

    def _reads_ends(self) -> bool:
        """Tell whether the store can yield all ends. With hidden rows it cannot, for resources with capacity."""
        state = self._state
        return isinstance(state.store, SupportsFreeTime) and not (state.expiry is not None and state.expiry.hidden_count)

    @inspection
    def _within_all(self) -> int:
        """Return a bitmap of all resources that match the terms, and support the keys and length."""
        return self._within(self._state.registry.everything.value())

    def _within(self, bits: int) -> int:
        """Return a bitmap of the resources in *bits* that match the terms, and support the keys and length. Lock held."""
        if self._state.hours or self._state.buffers:
            buffers, hours = self._state.buffers, self._state.hours
            bits &= ~buffers.incompatible(self.low, self.high)
            bits &= ~hours.incompatible(self.low, self.high, self.length)
        return bits if isinstance(self.term, All) else self._planner.evaluate(self.term, bits)

    def _at(self, start: Any, until: Any, bits: int | None) -> Iterator[tuple[Any, Any, Any]]:
        """Yield the slots of a span, for the resources in *bits* (None: all); after a change, each is checked again."""
        room = Available(start, until, self.quantity)
        asked = room if isinstance(self.term, All) else And((self.term, room))
        available, version = self._available(asked, bits)
        told = self.window.tell(start, until)
        for record in available:
            if self._is_still(record, asked, version):
                yield *told, record.resource

    @question
    def _available(self, asked: Term, bits: int | None) -> tuple[list[Any], int]:
        """Return the records of the resources in *bits* (None: all) that match, and the calendar's version."""
        registry = self._state.registry
        bits = registry.everything.value() if bits is None else bits
        return pick(self._planner.evaluate(asked, bits), registry.by_number), self.gate.version

    @question
    def _is_still(self, record: ResourceRecord, asked: Term, version: int) -> bool:
        """Tell whether a resource that matched at *version* still does."""
        return version == self.gate.version or (self._state.registry.has(record) and self._matches(record, asked))

    def _matches(self, record: ResourceRecord, asked: Term) -> bool:
        return bool(self._planner.evaluate(asked, 1 << record.number))

    def _among(self, start: Any, until: Any, numbers: list[int]) -> Iterator[tuple[Any, Any, Any]]:
        """Do what `_at` does, for a few resources: checking each by itself is cheaper than a bitmap of all."""
        told = self.window.tell(start, until)
        for record in self._records(numbers):
            if record is not None and self._fits(record, start, until):
                yield *told, record.resource

    @inspection
    def _records(self, numbers: list[int]) -> list[ResourceRecord | None]:
        """Return the records with these numbers, in order."""
        by_number = self._state.registry.by_number
        return [by_number[number] for number in sorted(set(numbers))]

    @question
    def _fits(self, record: ResourceRecord, start: Any, until: Any) -> bool:
        """Tell whether a resource is still registered, available over a span, and matches the terms."""
        state = self._state
        if not state.registry.has(record) or not state.rules.allows_or_false(record, start, until, self.quantity):
            return False
        return isinstance(self.term, All) or self._matches(record, self.term)

    # -- resource by resource ----------------------------------------------------------------------

    def _by_resource(self, within: int, after: Any) -> Iterator[Event]:
        """Yield the starts of gaps after a key, with their resources, by searching each resource for its next gap."""
        heap = []
        for number in ordinals(within):
            begins = self._next_gap(number, after)
            if begins is not None:
                heap.append(_Candidate(begins, number))
        heapify(heap)
        while heap:
            first = heappop(heap)
            start, numbers = first.start, [first.number]
            while heap and not start < heap[0].start:
                numbers.append(heappop(heap).number)
            yield start, numbers, 0
            for number in numbers:
                begins = self._next_gap(number, start)
                if begins is not None:
                    heappush(heap, _Candidate(begins, number))

    @question
    def _next_gap(self, number: int, after: Any) -> Any:
        """Return the start of the next gap of a resource after a key that is long enough, or None."""
        state = self._state
        record = state.registry.by_number[number]
        if record is None or self.quantity > record.capacity:
            return None
        spans = state.rules.blocked_spans(record, after, self.high, self.quantity)
        for start, end in state.rules.free(spans, record.hours, after, self.high, self.length):
            if _is_after(start, after) and fits(start, self.length, end) is not None:
                return start
        return None

    # -- event by event ----------------------------------------------------------------------------

    def _by_event(self, after: Any) -> Iterator[Event]:
        """Yield the ends of blocked spans and the starts of openings after a key, with their resources."""
        state = self._state
        rules = self._hours()
        store: Any = state.store
        streams = [self._ends(ends_after, after) for ends_after in (store.ends_after, state.closures.ends_after)]
        streams += [self._openings(rule, after) for rule in rules if not is_shorter(rule, self.length)]
        current: Any = None  # events of equal keys are joined
        numbers: list[int] = []
        bits = 0
        for key, few, many in in_order(*streams):
            if current is not None and current < key:
                yield current, numbers, bits
                current = None
            if current is None:
                current, numbers, bits = key, few, many
            else:
                numbers, bits = numbers + few, bits | many
        if current is not None:
            yield current, numbers, bits

    @inspection
    def _hours(self) -> list[Any]:
        """Return the opening hours in use that support the keys."""
        return [hours for hours in self._state.hours.by_rule if suits(hours, self.low, self.high)]

    def _ends(self, ends_after: Callable[..., Any], after: Any) -> Iterator[Event]:
        """Yield each key after the end of a span of an occupancy index, where gaps may begin, with the resources."""
        closed = self._state.closed
        at, meeting = after, closed  # with closed bounds, a gap after a span that ends at `at` begins after `at`
        while True:
            events = self._next_ends(ends_after, at, meeting)
            if not events:
                return
            begun, met = at, meeting
            for key, numbers, bits in events:
                at, meeting = key, False
                if numbers or bits:
                    yield _next_key(key) if closed else key, numbers, bits
            if not met and not _is_after(at, begun):
                return

    @question
    def _next_ends(self, ends_after: Callable[..., Any], at: Any, meeting: bool) -> list[Any]:
        """Return the next ends of spans that an index knows, for the resources that match."""
        within = self._within(self._state.registry.everything.value())
        events: list[Any] = ends_after(at, meeting, self.high, within)
        return events

    def _openings(self, hours: Any, after: Any) -> Iterator[Event]:
        """Yield the start of each opening after a key, with the resources that have these hours."""
        # with closed bounds an opening that begins at the end of the window has room for a slot of a single key
        high = _next_key(self.high) if self._state.closed else self.high
        at_least = self.length if isinstance(self.length, timedelta) else None
        for opens, _ in hours.open_spans(after, high, at_least=at_least):
            if after < opens:
                bits = self._keeping(hours)
                if bits:
                    yield opens, [], bits

    @inspection
    def _keeping(self, hours: Any) -> int:
        """Return a bitmap of the resources with these opening hours that match."""
        resources = self._state.hours.by_rule.get(hours)
        return 0 if resources is None else self._within(resources.value())


def _is_after(key: Any, other: Any) -> bool:
    """Tell whether a key is a step forward from another, and not back as well: so says a `<` that is always true.

    A search that goes on from a key which is none would never end.
    """
    return bool(other < key) and not key < other


def _next_key(key: Any) -> Any:
    try:
        return following(key)
    except LookupError:
        return key


class _Candidate:
    """The start of a gap and the number of its resource; ordered by start, then by number."""

    __slots__ = ("number", "start")

    def __init__(self, start: Any, number: int) -> None:
        self.start, self.number = start, number

    def __lt__(self, other: _Candidate) -> bool:
        if self.start < other.start:
            return True
        return not other.start < self.start and self.number < other.number
