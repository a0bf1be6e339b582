"""The one predicate, and every question that is answered through it. `Core` adds what changes a calendar.

    is_available, book      _room         one resource, by whatever may be in the way
    find_available, find    _bits         a bitmap: the timeline for all, or `_room` for each of a few
        len, list, first    _count, _select, _ids
        in                  _matches

A search for the first few asks candidates one by one until it has enough, which mostly is long before reading the
timeline would have begun to pay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from bookcore.engine.base import Base
from bookcore.index.bitmap import first_ordinals, from_ordinals, ordinals, pick
from bookcore.model.errors import KeyTypeError
from bookcore.model.term import All, Available, Not, Term
from bookcore.model.typecheck import is_a
from bookcore.query.planner import pick_first, sorted_by
from bookcore.stores.record import ResourceRecord

__all__ = ["Asking"]

FEW = 64
"""Up to how many candidates are asked one by one (about 0.4 us each) rather than through the timeline."""


class Asking(Base):
    """What is asked of one calendar; no public names of its own."""

    __slots__ = ()

    # -- the one predicate -------------------------------------------------------------------------

    def _room(self, entry: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """Tell whether a booking would be accepted now: the question behind every search, and behind `book`."""
        if quantity > entry.capacity:
            return False
        if entry.guarded:
            if entry.closures is not None and not self._closures.is_free(entry.closures, low, high, 1):
                return False
            if entry.hours is not None and not entry.hours.is_open(low, high, closed=self._closed):
                return False
        return self._is_free(entry, low, high, quantity)

    def _may(self, entry: ResourceRecord, low: Any, high: Any, quantity: int) -> bool:
        """Tell what `_room` does; no where a booking would raise, as turnaround or hours do not go with the keys."""
        try:
            return self._room(entry, low, high, quantity)
        except KeyTypeError:
            return False

    def _unfit(self, low: Any, high: Any, length: Any = None) -> int:
        """Return, as a bitmap, who cannot be booked at all: whose turnaround or hours do not go with keys or length."""
        return self._turnarounds.unfit(low, high) | self._keepers.unfit(low, high, length)

    def _available(self, term: Available, within: int) -> int:
        """Return who of *within* has room, as `_room` says, for all at once."""
        low, high = self._keys.admit(term.start, term.end)
        quantity = term.quantity
        everything = self._catalog.everything.value()
        if (within is not everything and within.bit_count() <= FEW) or len(self._by_id) <= 8:
            return from_ordinals(self._filtered(ordinals(within), low, high, quantity), self._catalog.size)
        taken = self._index.busy(low, high, quantity)
        if self._standing_closures:
            taken |= self._closures.busy(low, high, 1)
        if self._hours:
            taken |= self._keepers.closed(low, high, self._closed)
        if self._turnarounds:
            taken |= self._turnarounds.unfit(low, high)
        return within ^ (within & taken)

    def _filtered(self, numbers: Iterable[int], low: Any, high: Any, quantity: int, wanted: bool = True) -> Iterator[int]:
        """Yield those of *numbers* who have room (*wanted* false: who have none), each asked for itself."""
        entries = self._catalog.entries
        past = quantity == 1 and self._store is self._own_store  # a lane still holds what fades
        for number in numbers:
            entry = entries[number]
            if entry is not None:
                lane = entry.free if past and not entry.guarded else None  # `_room` for what only bookings decide
                if bool(self._may(entry, low, high, quantity) if lane is None else lane.is_free(low, high)) is wanted:
                    yield number

    # -- answering ---------------------------------------------------------------------------------

    def _count(self, term: Term) -> int:
        with self._reader():
            return self._answers.evaluate(term, self._catalog.everything.value()).bit_count()

    def _matches(self, term: Term, resource: Any) -> bool:
        with self._reader():
            try:
                entry = self._catalog.entry(resource)
            except LookupError:
                return False
            return bool(self._answers.evaluate(term, 1 << entry.number))

    def _bits(self, term: Term, n: int | None) -> int:
        """Return the matches; with *n*, at least the first *n* of them (or all there are)."""
        everything = self._catalog.everything.value()
        if n is None or n > FEW:
            return self._answers.evaluate(term, everything)
        # Cheap terms once for all; then the first few dozen candidates are asked one by one, which mostly gives enough,
        # before the whole timeline is read for the rest.
        candidates, term = self._answers.narrow(term, everything)
        if isinstance(term, All):
            return candidates
        numbers = first_ordinals(candidates)
        plain = term.term if isinstance(term, Not) else term
        found = asked = 0
        if isinstance(plain, Available):  # the commonest question: not one is asked more than needed
            low, high = self._keys.admit(plain.start, plain.end)
            few = islice(numbers, 2 * (n + FEW))
            first = list(islice(self._filtered(few, low, high, plain.quantity, plain is term), n))
            found = from_ordinals(first, first[-1] + 1) if first else 0
            if len(first) == n or (unasked := next(numbers, None)) is None:
                return found
            return found | self._answers.evaluate(term, candidates >> unasked << unasked)
        for width in (2 * n + 8, FEW, FEW):
            some = list(islice(numbers, width))
            window = from_ordinals(some, some[-1] + 1) if some else 0
            found |= self._answers.evaluate(term, window)
            asked |= window
            if found.bit_count() >= n or not window:
                return found
        return found | self._answers.evaluate(term, candidates ^ asked)

    def _select(self, term: Term, order: str | Callable[[Any], Any] | None, n: int | None, things: Any = None) -> list[Any]:
        """Return the resources that match, all or the first *n*, in order; or what stands for them in *things*."""
        with self._reader():
            objects = self._catalog.objects
            shown = objects if things is None else things
            if order is None:
                bits = self._bits(term, n)
                return pick(bits, shown) if n is None else pick_first(bits, shown, n)
            bits = self._answers.evaluate(term, self._catalog.everything.value())
            if is_a(order, str):
                numbers = self._catalog.index(order).in_order(bits)
                return [shown[number] for number in (numbers if n is None else islice(numbers, n))]
            found = pick(bits, objects)
            picked = found if things is None else pick(bits, shown)
        return sorted_by(found, order, picked)[:n]  # type: ignore[arg-type]  # a function, if no text

    def _ids(self, term: Term, order: str | Callable[[Any], Any] | None) -> list[Any]:
        # as registered: what a resource's own code says of its id by now is not asked
        return [entry.id for entry in self._select(term, order, None, self._catalog.entries)]
