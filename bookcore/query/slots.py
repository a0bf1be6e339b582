"""`Slots`: the answers of `find_slots`, earliest first over all resources, without asking all of them first.

    start        one bitmap: who is free right away                          as `find_available`
    after that   a gap can only begin where something ends, so the events    ends of bookings, ends of closures,
                 to look at lie in order already                             openings: one stream each, merged

Where something ends at ``t`` for a resource, its gap, if there is one, begins at ``t``: just before it is taken. So
each event is one candidate, and whether it has room is asked of `Rules.allows` like everything else. The ends of bookings
and closures are read from the timelines, block by block; openings are the same for all who share
them. Where there is no timeline to read (another store), or it does not know (more than one unit), or only few
resources are asked about, each resource is asked for its next gap, and a heap keeps them in order.

Nothing is locked while an answer is out. What was read ahead may be stale, so each candidate is asked again when its
turn comes; after a change it is read anew. The one state kept is how far along the axis the search is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, TypeAlias

from bookcore.engine.opening_hours import is_shorter, suits
from bookcore.index.bitmap import from_ordinals, ordinals
from bookcore.index.span_algebra import fits, following, in_order
from bookcore.model.term import All, And, Available, Term
from bookcore.query.planner import Planner
from bookcore.stores.protocol import SupportsFreeTime
from bookcore.stores.record import ResourceRecord

__all__ = ["Slots"]

Event: TypeAlias = tuple[Any, list[int], int]
"""Where a gap may begin, and for whom: a few by number, many as a bitmap."""

MANY = 256
"""From how many resources on events are read rather than each resource asked, which costs some 5 us."""


class Slots(Iterator[tuple[Any, Any, Any]]):
    """An iterator of ``(start, end, resource)``. ``low`` and ``high`` bound the search, ``given`` is *low* as asked."""

    __slots__ = ("_answers", "_planner", "_state", "given", "high", "length", "low", "quantity", "step", "term")

    def __init__(
        self, planner: Planner, term: Term, length: Any, low: Any, high: Any, quantity: int, step: Any, given: Any
    ) -> None:
        self._planner, self._state, self.term = planner, planner.state, term
        self.length, self.low, self.high = length, low, high
        self.quantity, self.step, self.given = quantity, step, given
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
            if upcoming is None or not start < upcoming:  # a step that leads nowhere leads there for ever
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
                if version != self._state.gate.version:  # what was read ahead may not be all there is
                    after, more = start, True
                    break

    def _candidates(self, after: Any) -> Iterator[Event]:
        with self._state.gate.lock:
            within = self._within(self._state.registry.everything.value())
        if within.bit_count() <= MANY or self.quantity > 1 or not self._reads_ends():
            return self._by_resource(within, after)
        return self._by_event(after)

    def _reads_ends(self) -> bool:
        """Tell whether the store can tell all ends: of resources with capacity it cannot while it hides rows."""
        state = self._state
        return isinstance(state.store, SupportsFreeTime) and not (state.expiry is not None and state.expiry.hidden_count)

    def _within(self, bits: int) -> int:
        """Return which of *bits* match the terms now, and can be booked at all. The lock is held."""
        if self._state.hours or self._state.buffers:
            buffers, hours = self._state.buffers, self._state.hours
            bits &= ~buffers.incompatible(self.low, self.high)
            bits &= ~hours.incompatible(self.low, self.high, self.length)
        return bits if isinstance(self.term, All) else self._planner.evaluate(self.term, bits)

    def _at(self, start: Any, until: Any, bits: int | None) -> Iterator[tuple[Any, Any, Any]]:
        """Yield who, of *bits* (None: of all), has room over the span, each asked again if the calendar changed."""
        state = self._state
        room = Available(start, until, self.quantity)
        question = room if isinstance(self.term, All) else And((self.term, room))
        with state.gate.read:
            bits = state.registry.everything.value() if bits is None else bits
            found = self._planner.evaluate(question, bits)
            version = state.gate.version
        if not found:
            return
        shown = self.given if start is self.low else start
        for number in ordinals(found):
            with state.gate.read:
                record = state.registry.by_number[number]
                if record is None or (version != state.gate.version and not self._still(record, question)):
                    continue
                resource = record.resource
            yield shown, until, resource

    def _still(self, record: ResourceRecord, question: Term) -> bool:
        return bool(self._planner.evaluate(question, 1 << record.number))

    def _among(self, start: Any, until: Any, numbers: list[int]) -> Iterator[tuple[Any, Any, Any]]:
        """As `_at`, of a few: each is asked by itself, which is cheaper than a bitmap."""
        state = self._state
        for number in sorted(set(numbers)):
            with state.gate.read:
                record = state.registry.by_number[number]
                if record is None or not state.rules.allows_or_false(record, start, until, self.quantity):
                    continue
                if not isinstance(self.term, All) and not self._still(record, self.term):
                    continue
                resource = record.resource
            yield start, until, resource

    # -- resource by resource ----------------------------------------------------------------------

    def _by_resource(self, within: int, after: Any) -> Iterator[Event]:
        """Yield where gaps begin after a key, and whose, by asking each resource for its next."""
        heap = []
        for number in ordinals(within):
            begins = self._next_gap(number, after)
            if begins is not None:
                heap.append(_Candidate(begins, number))
        heapify(heap)
        while heap:
            start = heap[0].start
            numbers = []
            while heap and not start < heap[0].start:
                numbers.append(heappop(heap).number)
            yield start, numbers, 0
            for number in numbers:
                begins = self._next_gap(number, start)
                if begins is not None:
                    heappush(heap, _Candidate(begins, number))

    def _next_gap(self, number: int, after: Any) -> Any:
        """Return where the next gap of a resource that is long enough begins after a key, or None."""
        state = self._state
        with state.gate.read:
            record = state.registry.by_number[number]
            if record is None or self.quantity > record.capacity:
                return None
            spans = state.rules.blocked_spans(record, after, self.high, self.quantity)
            for start, end in state.rules.free(spans, record.hours, after, self.high):
                if after < start and fits(start, self.length, end) is not None:
                    return start
        return None

    # -- event by event ----------------------------------------------------------------------------

    def _by_event(self, after: Any) -> Iterator[Event]:
        """Yield where something ends or opens after a key, and for whom."""
        state = self._state
        with state.gate.lock:
            rules = [rule for rule in state.hours.by_rule if suits(rule, self.low, self.high)]
        store: Any = state.store
        streams = [self._ends(ends_after, after) for ends_after in (store.ends_after, state.closures.ends_after)]
        streams += [self._openings(rule, after) for rule in rules if not is_shorter(rule, self.length)]
        held: Any = None
        numbers: list[int] = []
        bits = 0
        for key, few, many in in_order(*streams):
            if held is not None and held < key:
                yield held, numbers, bits
                held = None
            if held is None:
                held, numbers, bits = key, few, many
            else:
                numbers, bits = numbers + few, bits | many
        if held is not None:
            yield held, numbers, bits

    def _ends(self, ends_after: Callable[..., Any], after: Any) -> Iterator[Event]:
        """Yield each key at which spans of a timeline end, as the key where a gap could begin, and whose they are."""
        state = self._state
        at, meeting = after, state.closed  # [.., at] leaves a gap that begins after `at`
        while True:
            with state.gate.read:
                within = self._within(state.registry.everything.value())
                events = ends_after(at, meeting, self.high, within)
            if not events:
                return
            for key, numbers, bits in events:
                at, meeting = key, False
                if numbers or bits:
                    yield _next_key(key) if state.closed else key, numbers, bits

    def _openings(self, hours: Any, after: Any) -> Iterator[Event]:
        """Yield each opening after a key, and who keeps these hours."""
        state = self._state
        # with closed bounds an opening at the very end is one as well, for a slot without length
        high = _next_key(self.high) if state.closed else self.high
        for opens, _ in hours.open_spans(after, high):
            if after < opens:
                with state.gate.lock:
                    keepers = state.hours.by_rule.get(hours)
                    bits = 0 if keepers is None else self._within(keepers.value())
                if bits:
                    yield opens, [], bits


def _next_key(key: Any) -> Any:
    try:
        return following(key)
    except LookupError:
        return key


class _Candidate:
    """A gap's beginning and whose, in a heap by beginning, then by order of registration."""

    __slots__ = ("number", "start")

    def __init__(self, start: Any, number: int) -> None:
        self.start, self.number = start, number

    def __lt__(self, other: _Candidate) -> bool:
        if self.start < other.start:
            return True
        return not other.start < self.start and self.number < other.number
