"""`Slots`, the search of `find_slots`: slots of all resources by start, without searching all resources first.

    at *start*   the resources that are available, as one bitmap           as `find_available`
    later        a gap begins only where a blocked span ends, and the      ends of bookings, ends of closures,
                 indexes have these ends in order                          openings: one stream each, merged

Each end is a candidate for the start of a gap of its resource, and `Rules.allows` decides. The ends of bookings and
closures are read from the occupancy indexes, chunk by chunk; equal opening hours are read once. If the store has no such
index, if it does not apply (more than one unit), or if there are few resources, each resource is a stream of its own, which
searches for its next gap when it is asked for it.

The lock is not held between two slots. Candidates that were read ahead may be outdated, so each is checked again before it
is yielded, and after a change of the calendar the candidates are read again. The only state kept is the last start. A
number means a resource only as long as the lock is held: candidates are records, or a bitmap with the table of its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import chain
from operator import attrgetter
from typing import Any, TypeAlias

from bookcore.engine.gate import inspection, question
from bookcore.engine.opening_hours import is_shorter, suits
from bookcore.index.bitmap import from_ordinals, pick
from bookcore.index.span_algebra import fits, following, together
from bookcore.model.term import All, And, Available, Term
from bookcore.model.window import Window
from bookcore.query.planner import Planner
from bookcore.stores.protocol import SupportsFreeTime
from bookcore.stores.record import ResourceRecord

Many: TypeAlias = tuple[list[ResourceRecord | None], int]
"""Resources as a bitmap, with the table of records by number that it refers to; see `Slots._bits`."""

Event: TypeAlias = tuple[Any, list[ResourceRecord], list[Many]]
"""A key at which gaps may begin, and their resources: some as records, others as bitmaps."""

MANY = 256
"""Up to this number of resources, each is searched for its next gap (some 5 us); with more, events are read."""


class Slots:
    """A search for slots between ``low`` and ``high``. ``window`` converts its answers to the zone of the question."""

    __slots__ = ("_planner", "_state", "gate", "high", "length", "low", "quantity", "step", "term", "window")

    def __init__(self, planner: Planner, term: Term, length: Any, window: Window, quantity: int, step: Any) -> None:
        self._planner, self._state, self.gate, self.term = planner, planner.state, planner.gate, term
        self.length, self.window, self.low, self.high = length, window, window.low, window.high
        self.quantity, self.step = quantity, step

    def answers(self) -> Iterator[tuple[Any, Any, Any]]:
        """Yield ``(start, end, resource)``, in order of start."""
        return self._all() if self.step is None else self._on_grid()

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
            for start, records, many in self._candidates(after):
                until = fits(start, self.length, self.high)
                if until is None:
                    return
                yield from self._at(start, until, (records, many))
                if version != self._state.gate.version:  # there may be new candidates
                    after, more = start, True
                    break

    def _candidates(self, after: Any) -> Iterator[Event]:
        """Yield the keys after a key at which gaps may begin, in order, each with its resources."""
        single = self._one_by_one()
        if single is not None:
            streams = [self._gap_starts(record, after) for record in single]
        else:
            store: Any = self._state.store
            streams = [self._ends(ends_after, after) for ends_after in (store.ends_after, self._state.closures.ends_after)]
            streams += [self._openings(hours, after) for hours in self._hours() if not is_shorter(hours, self.length)]
        for events in together(*streams):
            starts, records, many = zip(*events, strict=True)
            yield starts[0], [*chain(*records)], [*chain(*many)]

    @inspection
    def _one_by_one(self) -> list[Any] | None:
        """Return the records of the resources to be searched one by one, or None where the ends of spans are to be read."""
        registry = self._state.registry
        bits = self._within(registry.everything.value())
        if self.quantity == 1 and self._reads_ends() and bits.bit_count() > MANY:
            return None
        return pick(bits, registry.by_number)

    def _reads_ends(self) -> bool:
        """Tell whether the store and the rules can yield all ends. With hidden rows it cannot, for resources with capacity.

        Where buffers are added to floats, the ends of blocked spans are not those of gaps, see `clear_after`.
        """
        state = self._state
        if not state.rules.know_ends():
            return False
        if state.buffers and (state.keys.knows(0.0) or state.buffers.may_round(self.low)):
            return False
        return isinstance(state.store, SupportsFreeTime) and not (state.expiry is not None and state.expiry.hidden_count)

    def _within(self, bits: int) -> int:
        """Return a bitmap of the resources in *bits* that match the terms, and support the keys and length. Lock held."""
        if self._state.hours or self._state.buffers:
            buffers, hours = self._state.buffers, self._state.hours
            bits &= ~buffers.blocked(self.low, self.high, self.quantity)
            bits &= ~hours.incompatible(self.low, self.high, self.length)
        return bits if isinstance(self.term, All) else self._planner.evaluate(self.term, bits)

    def _at(
        self, start: Any, until: Any, among: tuple[list[ResourceRecord], list[Many]] | None
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Yield the slots of a span, for some resources (None: all); after a change, each is checked again."""
        available, version = self._available(start, until, among)
        if not available:
            return
        ends = self.window.in_asked_zone(start, until)
        for record in available:
            if self.gate.stamp == version or self._is_still(record, start, until, version):
                yield *ends, record.resource

    def _matches(self, start: Any, until: Any, bits: int) -> int:
        """Return a bitmap of the resources in *bits* that match the terms, and are available. The lock is held."""
        room = Available(start, until, self.quantity)
        return self._planner.evaluate(room if isinstance(self.term, All) else And((self.term, room)), bits)

    @question
    def _available(
        self, start: Any, until: Any, among: tuple[list[ResourceRecord], list[Many]] | None
    ) -> tuple[list[Any], int]:
        """Return the records of some resources (None: all) that match, by registration, and the calendar's version."""
        registry, allows = self._state.registry, self._state.rules.allows_or_false
        if among is not None and not among[1] and len(among[0]) <= self._state.sizes.few:
            # checking each by itself is cheaper than a bitmap of all
            present = {record for record in map(registry.current, among[0]) if record is not None}
            fitting = [record for record in present if allows(record, start, until, self.quantity)]
            if not isinstance(self.term, All):
                fitting = [record for record in fitting if self._planner.evaluate(self.term, 1 << record.number)]
            return sorted(fitting, key=attrgetter("number")), self.gate.version
        bits = registry.everything.value() if among is None else self._bits(*among)
        return pick(self._matches(start, until, bits), registry.by_number), self.gate.version

    def _bits(self, records: list[ResourceRecord], many: list[Many]) -> int:
        """Return a bitmap of those resources of an `Event` that are still registered. The lock is held.

        A table of records is replaced when the resources get new numbers, so an old one still tells what its numbers meant.
        """
        registry = self._state.registry
        found, records = 0, records[:]
        for by_number, bits in many:
            bits &= (1 << len(by_number)) - 1
            if by_number is registry.by_number:
                found |= bits & registry.everything.value()
            else:
                records += (record for record in pick(bits, by_number) if record is not None)
        return found | from_ordinals([record.number for record in map(registry.current, records) if record], registry.size)

    @question
    def _is_still(self, record: ResourceRecord, start: Any, until: Any, version: int) -> bool:
        """Tell whether a resource that matched at *version* still does."""
        if version == self.gate.version:
            return True
        current = self._state.registry.current(record)
        return current is not None and bool(self._matches(start, until, 1 << current.number))

    # -- resource by resource ----------------------------------------------------------------------

    def _gap_starts(self, record: ResourceRecord, after: Any) -> Iterator[Event]:
        """Yield the starts of the gaps of a resource after a key, each searched when it is asked for."""
        while (after := self._next_gap(record, after)) is not None:
            yield after, [record], []

    @question
    def _next_gap(self, record: ResourceRecord, after: Any) -> Any:
        """Return the start of the next gap of a resource after a key that is long enough, or None."""
        state = self._state
        current = state.registry.current(record)
        if current is None or self.quantity > current.capacity:
            return None
        spans = state.rules.blocked_spans(current, after, self.high, self.quantity, self.length)
        for start, end in state.rules.free(spans, current.hours, after, self.high, self.length):
            if _is_after(start, after) and fits(start, self.length, end) is not None:
                return start
        return None

    # -- event by event ----------------------------------------------------------------------------

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
            for key, records, many in events:
                at, meeting = key, False
                if records or many:
                    yield _next_key(key) if closed else key, records, many
            if not met and not _is_after(at, begun):
                return

    @question
    def _next_ends(self, ends_after: Callable[..., Any], at: Any, meeting: bool) -> list[Event]:
        """Return the next ends of spans that an index knows, for the resources that match."""
        registry = self._state.registry
        by_number: list[Any] = registry.by_number
        events = ends_after(at, meeting, self.high, self._within(registry.everything.value()))
        return [
            (key, [by_number[number] for number in numbers], [(by_number, bits)] if bits else [])
            for key, numbers, bits in events
        ]

    def _openings(self, hours: Any, after: Any) -> Iterator[Event]:
        """Yield the start of each opening after a key, with the resources that have these hours."""
        # with closed bounds an opening that begins at the end of the window has room for a slot of a single key
        high = _next_key(self.high) if self._state.closed else self.high
        at_least = self.length if isinstance(self.length, timedelta) else None
        for opens, _ in hours.open_spans(after, high, at_least=at_least):
            if after < opens:
                many = self._keeping(hours)
                if many:
                    yield opens, [], many

    @inspection
    def _keeping(self, hours: Any) -> list[Many]:
        """Return the resources with these opening hours that match."""
        resources = self._state.hours.by_rule.get(hours)
        bits = 0 if resources is None else self._within(resources.value())
        return [(self._state.registry.by_number, bits)] if bits else []

def _is_after(key: Any, before: Any) -> bool:
    """Tell whether a key is a step forward from another, and not back as well: so says a `<` that is always true.

    A search that goes on from a key which is none would never end.
    """
    return bool(before < key) and not key < before


def _next_key(key: Any) -> Any:
    try:
        return following(key)
    except LookupError:
        return key
