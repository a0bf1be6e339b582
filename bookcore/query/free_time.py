"""Free time of resources: gaps, the next and the nearest free span, common gaps, slots.

`book` accepts every answer, because the same rules decide (`Rules.blocked_spans` agrees with `Rules.allows`). For all
calls:

- *Lengths* are values that can be added to the keys: 2 for whole numbers, a `timedelta` for datetimes. Keys without
  lengths (str, tuples) raise `KeyTypeError`. A length of datetimes is elapsed time, also across clock changes. With
  ``bounds="[]"`` a length of dates counts days: three days are Monday to Wednesday, one day is a single date. For other
  keys it is the distance from the start to the end. ``step`` is always the distance from one start to the next.
- *Datetimes with a zone* are returned in the zone of the start of the question; of its end, if it has no start; and if it
  has no bound at all, of the resource's first booking, closure or opening hours. An end of an answer that is an end of the
  question is the object that the caller gave, if that is in this zone (`bookcore.model.window`).
- *Closed bounds.* With ``bounds="[]"`` a free span begins one key after a booking and ends one key before the next, so
  that ``[1, 3]`` and ``[5, 8]`` leave ``[4, 4]``; one key is a microsecond for datetimes, a day for dates. Where such an
  end is needed, keys without neighbours (str, `Fraction`, `Decimal`) raise `KeyTypeError`.
- *Consistency.* A call reads the calendar under its lock, and its iterator yields the answers of that moment. Only the
  iterator of `find_slots` reads the calendar again before each answer. Spans within opening hours may go on without end, so
  they are computed while they are iterated, from what the call has read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from bookcore.engine.gate import question
from bookcore.engine.opening_hours import is_shorter
from bookcore.engine.requests import members
from bookcore.index.span_algebra import Place, as_keys, as_places, complement, fits, following
from bookcore.index.span_algebra import quorum as quorum_of
from bookcore.index.usage_profile import UsageProfile
from bookcore.model.errors import InvalidSpanError, KeyTypeError, QueryError, blaming, brief_key
from bookcore.model.keys import normal
from bookcore.model.lengths import day_of, ends_apart, exactly_back, is_too_far, later, wrong_with
from bookcore.model.numpy_scalars import python_int
from bookcore.model.resource import check_quantity
from bookcore.model.term import All, And, as_term
from bookcore.model.window import Window
from bookcore.query import listing
from bookcore.query.best_fit import distance, windows_back
from bookcore.query.explain import joined
from bookcore.query.planner import Planner
from bookcore.query.slots import Slots
from bookcore.stores.protocol import SupportsFreeTime
from bookcore.stores.record import ResourceRecord

Span = tuple[Any, Any]
T = TypeVar("T")

FAR = timedelta(weeks=40 * 53)
"""How far back opening hours are searched if nothing else is in the way: in 40 years every date falls on every weekday."""


class FreeTime:
    """Questions about free time in one calendar."""

    __slots__ = ("_indexed", "_planner", "_state", "gate")

    def __init__(self, planner: Planner) -> None:
        self._planner, self._state, self.gate = planner, planner.state, planner.gate
        store = self._state.store
        self._indexed = store if isinstance(store, SupportsFreeTime) else None

    # -- one resource ------------------------------------------------------------------------------

    @question
    def occupancy(self, resource: Any, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]:
        """See `Calendar.occupancy`."""
        record, low, high = self._asked(resource, start, end)
        usage = self._indexed.usage(record, low, high) if self._indexed is not None else None
        if usage is None:
            profile = UsageProfile(self._state.closed)
            rows = self._state.store.overlapping(record, low, high)
            if columns := list(zip(*rows, strict=True)):
                starts, ends, _, quantities = map(list, columns)
                profile.add_columns(starts, ends, quantities)
            usage = profile.steps(low, high)
        steps = list(_tiles(usage, low, high) if self._state.closed else usage)
        return listing.window(self._state, [record], start, end, low, high).all_in_asked_zone(steps)

    @question
    def gaps(self, resource: Any, start: Any, end: Any, at_least: Any, quantity: int) -> Iterator[tuple[Any, Any]]:
        """See `Calendar.gaps`."""
        record, low, high = self._asked(resource, start, end)
        quantity = check_quantity(quantity)
        at_least = self._apart(high if low is None else low, at_least)
        if quantity > record.capacity or is_shorter(record.hours, at_least):
            return iter(())
        spans = list(self._state.rules.blocked_spans(record, low, high, quantity, at_least))
        gaps = self._state.rules.free(spans, record.hours, low, high, at_least)
        window = listing.window(self._state, [record], start, end, low, high)
        return self._answers(window.all_in_asked_zone(_long_enough(gaps, at_least)), record.hours is not None)

    @question
    def next_available(self, resource: Any, after: Any, length: Any, quantity: int) -> tuple[Any, Any] | None:
        """See `Calendar.next_available`."""
        record, low, _ = self._asked(resource, after, None)
        if low is None:
            raise KeyTypeError(None, "there is no earliest span in time without a beginning; say after when")
        quantity = check_quantity(quantity)
        length = self._apart(low, length, empty=False)
        span = self._first_fit(record, low, length, quantity)
        return None if span is None else Window(after, None, low, None).in_asked_zone(*span)

    @question
    def nearest(
        self, resource: Any, start: Any, end: Any, quantity: int
    ) -> tuple[tuple[Any, Any] | None, tuple[Any, Any] | None]:
        """See `Calendar.nearest`."""
        record, low, high = self._asked(resource, start, end)
        if low is None or high is None:
            raise InvalidSpanError(start, end, "a span without bound has no length to look for")
        quantity = check_quantity(quantity)
        window = Window(start, end, low, high)
        try:
            length = self._length(low, distance(low, high))
        except OverflowError as exc:
            if not self._state.rules.allows(record, low, high, quantity):
                raise KeyTypeError(end, f"is further from {brief_key(start)} than a length of such keys can be") from exc
            return window.in_asked_zone(low, high), window.in_asked_zone(low, high)
        if self._state.rules.allows(record, low, high, quantity):
            return window.in_asked_zone(low, high), window.in_asked_zone(low, high)
        near = self._last_fit(record, low, high, length, quantity), self._first_fit(record, low, length, quantity)
        before, after = (None if span is None else window.in_asked_zone(*span) for span in near)
        return before, after

    # -- several -----------------------------------------------------------------------------------

    def common_gaps(
        self, resources: Iterable[Any], start: Any, end: Any, *, at_least: Any = None, quorum: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """See `Calendar.common_gaps`."""
        least = None if quorum is None else python_int(quorum) or 0
        if least is not None and least < 1:
            raise QueryError(quorum, "a quorum is how many must be free, an int of at least 1")
        return self._common_gaps(members(resources, self._state.home), start, end, at_least, least)

    @question
    def _common_gaps(
        self, members: Iterable[Any], start: Any, end: Any, at_least: Any, quorum: int | None
    ) -> Iterator[tuple[Any, Any]]:
        low, high = self._state.keys.admit(start, end)
        at_least = self._apart(high if low is None else low, at_least)
        records = {record.number: record for record in map(self._state.registry.record, members)}
        window = listing.window(self._state, records.values(), start, end, low, high)
        streams = []
        for record in records.values():
            spans = list(self._state.rules.blocked_spans(record, low, high, 1, at_least))
            streams.append(self._state.rules.free(spans, record.hours, low, high))
        needed = len(streams) if quorum is None else quorum
        gaps: Iterator[Span]
        if not needed:
            gaps = iter([(window.low, window.high)])
        elif self._state.closed:
            gaps = as_keys(quorum_of([as_places(stream) for stream in streams], needed))
        else:
            gaps = quorum_of(streams, needed)
        hours = any(record.hours is not None for record in records.values())
        return self._answers(window.all_in_asked_zone(_long_enough(gaps, at_least)), hours)

    def _answers(self, spans: Iterator[Span], hours: bool) -> Iterator[Span]:
        """Return spans of a question, computed now; if opening hours go on without end, computed as they are iterated."""
        return self._later(spans) if hours else iter(list(spans))

    def _later(self, answers: Iterator[T]) -> Iterator[T]:
        try:
            yield from answers
        except Exception as exc:  # of keys that are compared after the question
            self._state.translate_comparison(exc)
            raise

    def find_slots(
        self, length: Any, start: Any, end: Any, *terms: Any, step: Any = None, quantity: int = 1
    ) -> Iterator[tuple[Any, Any, Any]]:
        """See `Calendar.find_slots`."""
        quantity = check_quantity(quantity)
        parts = [as_term(term, self._state.home) for term in terms]
        term = All() if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))
        length, step, window = self._window(length, start, end, step)
        return self._later(Slots(self._planner, term, length, window, quantity, step).answers())

    @question
    def _window(self, length: Any, start: Any, end: Any, step: Any) -> tuple[Any, Any, Window]:
        """Check what `find_slots` is asked; return length and step in index form, and the window."""
        low, high = self._state.keys.admit(start, end)
        if low is None or high is None:
            raise InvalidSpanError(start, end, "find_slots needs to know from when and until when")
        length = self._apart(low, length, empty=False)
        if step is not None:
            step = self._length(low, step, empty=False, always=True)
        return length, step, Window(start, end, low, high)

    # -- helpers -----------------------------------------------------------------------------------

    def _asked(self, resource: Any, start: Any, end: Any) -> tuple[ResourceRecord, Any, Any]:
        """Return the record and the span, in index form, that a question is about. The lock is held."""
        return self._state.registry.record(resource), *self._state.keys.admit(start, end)

    def _apart(self, key: Any, length: Any, *, empty: bool = True) -> Any:
        """Return how far apart the ends of a span of *length* are, see `ends_apart`; raise as `_length`."""
        key = self._state.keys.sample() if key is None else key
        counts_days = self._state.closed and day_of(key, length) is not None
        return ends_apart(key, self._length(key, length, empty=empty, always=counts_days), self._state.closed)

    def _length(self, key: Any, length: Any, *, empty: bool = True, always: bool = False) -> Any:
        """Return *length*, a number of NumPy as one of Python; raise unless it can be added to *key* (None: to those held).

        With ``empty=False`` it must not be missing or zero. With closed bounds a length of zero is accepted, because a span
        of one key has that length; unless *always*.
        """
        if length is None and empty:
            return None
        if length is None:
            raise KeyTypeError(None, "a length is needed")
        key = self._state.keys.sample() if key is None else key
        if key is None:
            if wrong := wrong_with(length):
                raise KeyTypeError(length, f"is a length {wrong}")
            return length
        try:
            until = later(key, length)
        except KeyTypeError as exc:
            if is_too_far(exc):
                return normal(length)  # a valid length, too long for any span
            raise
        self._state.keys.point(until)
        with blaming(
            lambda exc: KeyTypeError(key, f"cannot be moved by {brief_key(length)} ({type(exc).__name__})")
        ):
            positive = bool(key < until)
        if not positive and not empty and (always or not self._state.closed):
            raise InvalidSpanError(key, until, f"{brief_key(length)} is a length of nothing")
        return normal(length)

    def _first_fit(self, record: ResourceRecord, low: Any, length: Any, quantity: int) -> Span | None:
        """Return the earliest free span of a length that starts at *low* or later, or None. The lock is held."""
        until = fits(low, length, None)
        if until is None or quantity > record.capacity:
            return None
        if self._state.rules.allows(record, low, until, quantity):
            return low, until
        hours = record.hours
        if is_shorter(hours, length):
            return None
        spans = self._state.rules.blocked_spans(record, low, None, quantity, length)
        for start, end in complement(spans, Place(low, False) if self._state.closed else low, None):
            try:
                key = start if not self._state.closed else following(start.key) if start.after else start.key
            except LookupError:
                return None
            if low < key:
                low = key
            until = fits(low, length, None)
            if until is None:
                return None
            if hours is not None and not hours.is_open(low, until, closed=self._state.closed):
                opening = hours.next_open(low, at_least=length)
                if opening is None:
                    return None
                low = opening[0]  # no opening before it is long enough, whatever gap comes next
            until = fits(low, length, end)
            if until is not None:
                return low, until
        return None

    def _last_fit(self, record: ResourceRecord, low: Any, high: Any, length: Any, quantity: int) -> Span | None:
        """Return the latest free span of a length that ends by *high*, or None; ``[low, high)`` is not free. Lock held."""
        hours = record.hours
        if quantity > record.capacity or is_shorter(hours, length):
            return None
        top = high
        for left, reached in windows_back(low, high):
            spans = list(self._state.rules.blocked_spans(record, left, top, quantity, length))
            gaps = list(self._state.rules.free(spans, hours, left, top))
            for start, end in reversed(gaps):
                begin = exactly_back(end, length)
                if begin is not None and (start is None or not begin < start):
                    return begin, end
            if left is None or (hours is not None and not spans and isinstance(reached, timedelta) and not reached < FAR):
                return None
            # a gap at the left end of the window may continue to the left
            top = gaps[0][1] if gaps and not left < gaps[0][0] else left
        return None


def _tiles(steps: Iterable[tuple[Any, Any, int]], low: Any, high: Any) -> Iterator[tuple[Any, Any, int]]:
    """Yield the steps of a profile of closed spans so that they do not share a key, which belongs to the higher of two."""
    begins, used = None if low is None else Place(low, False), None
    tiles: list[tuple[Any, Any, int]] = []
    for start, _, now in steps:
        if used is not None:
            border = Place(start, now < used)
            tiles.append((begins, border, used))
            begins = border
        used = now
    tiles.append((begins, None if high is None else Place(high, True), used or 0))
    # where a tile in between holds no key, its neighbours may be equal
    return joined(
        (*span, now)
        for begins, ends, now in tiles
        if begins is None or ends is None or begins < ends
        for span in as_keys([(begins, ends)])
    )


def _long_enough(spans: Iterator[Span], length: Any) -> Iterator[Span]:
    for start, end in spans:
        if length is None or start is None or end is None:
            yield start, end
            continue
        until = fits(start, length, None, True)
        if until is not None and not end < until:
            yield start, end
