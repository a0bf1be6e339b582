"""Saying so: what a resource is busy with, and why a span is not to be had.

Both come from the same rule as every other answer (`Core._room`, turned around in `bookcore.query.blocked_spans`): an explanation is
empty precisely when the span is available. What `bookcore.query.free_time` says of datetimes, bounds and one state holds here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bookcore.engine.core import Core
from bookcore.index.span_algebra import Place, as_keys, as_places, complement, in_order, intersection
from bookcore.index.usage_profile import UsageProfile
from bookcore.model.errors import InvalidSpanError, brief
from bookcore.model.explanation import Cause, CauseKind, Explanation, State, key_text, span_text
from bookcore.model.keys import normal
from bookcore.model.lengths import clear_after, clear_before, reach
from bookcore.model.term import check_quantity
from bookcore.query.blocked_spans import booked, closed, free
from bookcore.stores.generic import blocking_bookings, near, overlaps
from bookcore.stores.record import ResourceRecord

__all__ = ["Explaining"]

Span = tuple[Any, Any]


class Explaining(Core):
    """The calls that say so. A mixin of `Calendar`."""

    __slots__ = ()

    def free_busy(self, resource: Any, start: Any, end: Any) -> tuple[tuple[Any, Any, State], ...]:
        """Return ``(start, end, state)`` for every stretch of the span: ``free``, ``busy``, ``held`` or ``closed``.

        They tile the span exactly. ``free`` are the gaps for one unit; see `State` for what goes before what.

        Raises: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`; `InvalidSpanError` also for an unbounded span of
        a resource with opening hours.
        Complexity: O(log m + k log k) for k bookings, closures and openings in the span.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12)
        >>> [(a, b, str(state)) for a, b, state in calendar.free_busy(room, 8, 13)]
        [(8, 9, 'free'), (9, 12, 'busy'), (12, 13, 'free')]
        """
        with self._reader():
            entry, low, high = self._asked(resource, start, end)
            hours = entry.hours
            if hours is not None and (low is None or high is None):
                raise InvalidSpanError(start, end, "opening hours go on without end; ask about a bounded span")
            taken = list(booked(self._store, entry, low, high, 1, self._closed))
            firm = self._firm(entry, low, high) if self._holds else taken
            shut = list(closed(entry, low, high, self._closed))
        first, last = (Place(low, False) if low is not None else None, Place(high, True) if high is not None else None)
        if not self._closed:
            first, last = low, high
        layers = [(list(complement(firm, first, last)), State.BUSY)]
        if firm is not taken:
            layers.append((list(complement(taken, first, last)), State.HELD))
        left = list(complement(in_order(taken, shut), first, last))
        if shut:
            layers.append((left, State.CLOSED))
        if hours is not None:
            spans: Iterable[Span] = free(in_order(taken, shut), hours, low, high, self._closed)
            left = list(as_places(spans)) if self._closed else list(spans)
            layers.append((left, State.CLOSED))
        tiles = [_labelled(left, State.FREE, self._closed)]
        before = [(first, last)]
        for after, state in layers:
            gone = intersection(before, complement(after, first, last))
            tiles.append(_labelled(gone, state, self._closed))
            before = after
        return tuple(
            (start if a is low else a, end if b is high else b, state) for a, b, state in _joined(in_order(*tiles))
        )

    def explain(self, resource: Any, start: Any, end: Any, quantity: int = 1) -> Explanation:
        """Return why the span is not to be had: every cause, or none precisely when `book` would accept it.

        Of bookings, those count that are in use where too little room is left.

        Raises: as `is_available`.
        Complexity: O(log m + bookings in the span); as `is_available` when it is available.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room", after=1))
        >>> _ = calendar.book(room, 9, 12, id="daily"), calendar.book(room, 14, 15, id="call")
        >>> why = calendar.explain(room, 11, 14)
        >>> bool(why), [(str(cause.kind), cause.what.id) for cause in why.causes]
        (False, [('booking', 'daily'), ('turnaround', 'call')])
        >>> print(why)
        'room' is not available in [11, 14):
          booking 'daily' [9, 12)
          booking 'call' [14, 15) is too near: turnaround of 1 after
        """
        with self._reader():
            entry, low, high = self._asked(resource, start, end)
            check_quantity(quantity)
            causes: list[Cause] = []
            if not self._room(entry, low, high, quantity):
                causes = list(self._causes(entry, low, high, start, end, quantity))
        return Explanation(entry.resource, start, end, quantity, tuple(causes), self._bounds)

    # -- how -----------------------------------------------------------------------------------------

    def _asked(self, resource: Any, start: Any, end: Any) -> tuple[ResourceRecord, Any, Any]:
        """Return the record and the span that a question is about. A `_reader` holds the lock."""
        entry = self._catalog.entry(resource)
        return entry, *self._keys.admit(start, end)

    def _firm(self, entry: ResourceRecord, low: Any, high: Any) -> list[Span]:
        """Return where no unit would be left without the holds."""
        found = near(self._store.overlapping, entry, low, high, self._closed)
        use = UsageProfile(self._closed)
        use.add_all(
            (*reach(entry, normal(e.start), normal(e.end)), e.quantity) for e in found if e.id not in self._holds
        )
        first, last = reach(entry, low, high)
        runs = [
            (
                low if a is first else clear_before(a, entry.after, self._closed),
                high if b is last else clear_after(b, entry.before, self._closed),
            )
            for a, b in use.over(first, last, entry.capacity - 1)
        ]
        return list(as_places(runs)) if self._closed else runs

    def _causes(
        self, entry: ResourceRecord, low: Any, high: Any, start: Any, end: Any, quantity: int
    ) -> Iterator[Cause]:
        """Yield what is in the way of a span that is not available."""
        if quantity > entry.capacity:
            text = f"{brief(quantity)} asked for, and its capacity is {brief(entry.capacity)}"
            yield Cause(CauseKind.QUANTITY, entry.capacity, start, end, text)
        if entry.closures is not None:
            for closure in self._closures.overlapping(entry.closures, low, high):
                c: Any = closure
                text = f"closed {span_text(c.start, c.end, self._bounds)}: {key_text(c.reason)}"
                yield Cause(CauseKind.CLOSURE, c, c.start, c.end, text)
        hours = entry.hours
        if hours is not None and not hours.is_open(low, high, closed=self._closed):
            a, b = next(hours.closed_spans(low, high), (low, high))
            a, b = (start if a is low else a), (end if b is high else b)
            yield Cause(CauseKind.HOURS, hours, a, b, f"outside its opening hours {span_text(a, b, '[)')}")
        for event in blocking_bookings(self._store.overlapping, entry, low, high, self._closed, quantity):
            text = f"booking {brief(event.id, 40)} {span_text(event.start, event.end, self._bounds)}"
            kind = CauseKind.BOOKING
            if event.id in self._holds:
                kind, text = CauseKind.HOLD, text.replace("booking", "hold", 1)
            if entry.capacity > 1:
                text += f" takes {brief(event.quantity)} of {brief(entry.capacity)}"
            if not overlaps(low, high, normal(event.start), normal(event.end), self._closed):
                kind = CauseKind.TURNAROUND
                needs = ((entry.before, "before"), (entry.after, "after"))
                told = [f"{key_text(length)} {side}" for length, side in needs if length is not None]
                text += f" is too near: turnaround of {' and '.join(told)}"
            yield Cause(kind, event, event.start, event.end, text)


def _labelled(spans: Iterable[Span], state: State, is_closed: bool) -> Iterator[Any]:
    for a, b in as_keys(spans) if is_closed else spans:
        yield a, b, state


def _joined(tiles: Iterator[Any]) -> Iterator[Any]:
    """Yield tiles with neighbours of one state made one."""
    held = None
    for a, b, state in tiles:
        if held is not None and held[2] is state:
            held = (held[0], b, state)
            continue
        if held is not None:
            yield held
        held = (a, b, state)
    if held is not None:
        yield held
