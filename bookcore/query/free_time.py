"""Finding time: which spans are free, and which comes next.

Whatever is offered here, `book` accepts: each answer comes from the same predicate that `book` asks (`Core._room`),
turned around in `bookcore.query.blocked_spans`. Four things hold for all of these calls:

- *Lengths* are whatever can be added to the keys: 2 for whole numbers, a `timedelta` for datetimes. Keys that cannot be
  added to (str, tuples) are a `KeyTypeError`. A length of datetimes is elapsed time, whatever clocks do.
- *Datetimes with a zone* come back in UTC, save where an answer's end is the very end that was asked with: that comes
  back as given.
- *Closed bounds.* With ``bounds="[]"`` free time begins one key after what is taken and ends one key before, so
  that ``[1, 3]`` and ``[5, 8]`` leave ``[4, 4]``: for datetimes a microsecond, for dates a day. Keys without
  neighbours (str, `Fraction`, `Decimal`) are a `KeyTypeError`, where such an end is needed.
- *One state.* A call reads the calendar once, under its lock; what an iterator yields later is as it was then. Only
  `find_slots` asks anew before each answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from numbers import Number
from typing import Any

from bookcore.engine.opening_hours import is_shorter
from bookcore.index.span_algebra import Place, as_keys, as_places, complement, fits, following
from bookcore.index.span_algebra import quorum as quorum_of
from bookcore.index.usage_profile import UsageProfile
from bookcore.model.arithmetic import difference, doubled, minus
from bookcore.model.errors import BookcoreError, InvalidSpanError, KeyTypeError, QueryError, brief_key
from bookcore.model.keys import normal
from bookcore.model.lengths import exactly_back, is_too_far, later
from bookcore.model.term import All, And, as_term, check_quantity
from bookcore.model.typecheck import is_a
from bookcore.query.blocked_spans import blocked, free
from bookcore.query.explain import Explaining
from bookcore.query.slots import Slots
from bookcore.stores.memory.live_usage import LiveUsage
from bookcore.stores.memory.tombstones import exact_state
from bookcore.stores.record import ResourceRecord

__all__ = ["Finding"]

Span = tuple[Any, Any]

FAR = timedelta(weeks=40 * 53)
"""As far back as opening hours are followed where nothing else is in the way: every date falls on every weekday."""

DOUBLINGS = 40


class Finding(Explaining):
    """The calls that find time. A mixin of `Calendar`."""

    # -- one resource ------------------------------------------------------------------------------

    def occupancy(self, resource: Any, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]:
        """Yield the steps ``(start, end, used)`` of how many units bookings and holds use; together they tile the span.

        Turnaround is not part of a booking and does not count. Neighbouring steps differ. With closed bounds steps meet
        in a shared key, which belongs to the highest of them.

        Raises, when called: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`.
        Complexity: O(log m + steps) for a resource with capacity in a `MemoryStore`, else O(k log k) for k bookings.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> van = calendar.add_resource(Resource("van", capacity=9))
        >>> _ = calendar.book(van, 1, 4, quantity=2), calendar.book(van, 3, 6, quantity=5)
        >>> list(calendar.occupancy(van, 0, 6))
        [(0, 1, 0), (1, 3, 2), (3, 4, 7), (4, 6, 5)]
        """
        with self._reader():
            entry, low, high = self._asked(resource, start, end)
            kept = exact_state(self._store, entry)
            if isinstance(kept, UsageProfile | LiveUsage) and entry.before is None and entry.after is None:
                steps = list(kept.steps(low, high))
            else:
                use = UsageProfile(self._closed)
                found = self._store.overlapping(entry, low, high)
                use.add_all((normal(e.start), normal(e.end), e.quantity) for e in found)
                steps = list(use.steps(low, high))
        return ((start if a is low else a, end if b is high else b, used) for a, b, used in steps)

    def gaps(
        self, resource: Any, start: Any, end: Any, *, at_least: Any = None, quantity: int = 1
    ) -> Iterator[tuple[Any, Any]]:
        """Yield the maximal free ``(start, end)`` spans within the span, in order: `book` accepts each whole.

        Free is meant for *quantity* units, with turnaround, closures and opening hours. ``at_least`` leaves out shorter
        ones. A None in an answer is unbounded.

        Raises, when called: as `is_available`; `KeyTypeError` for a length that keys cannot be moved by, or a negative one.
        Complexity: O(log m + bookings in the span); opening hours are walked as the iterator is. With ``at_least``, for
        whole numbers, dates and datetimes in a `MemoryStore`: O(log m) for each answer of an exclusive resource.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12), calendar.book(room, 13, 15)
        >>> list(calendar.gaps(room, 8, 18)), list(calendar.gaps(room, 8, 18, at_least=2))
        ([(8, 9), (12, 13), (15, 18)], [(15, 18)])
        """
        with self._reader():
            entry, low, high = self._asked(resource, start, end)
            check_quantity(quantity)
            self._check_length(high if low is None else low, at_least)
            if quantity > entry.capacity or is_shorter(entry.hours, at_least):
                return iter(())
            spans = list(blocked(self._store, entry, low, high, quantity, self._closed, at_least))
            hours = entry.hours
        found = free(spans, hours, low, high, self._closed)
        return _given(_long_enough(found, at_least), low, high, start, end)

    def next_available(
        self, resource: Any, after: Any, length: Any, *, quantity: int = 1
    ) -> tuple[Any, Any] | None:
        """Return the earliest ``(start, end)`` of this length, at *after* or later, that `book` accepts, or None.

        None also when opening hours never hold the length: they are followed 40 years past the last thing in the way.

        Raises: `KeyTypeError` when *after* is None or cannot be added to, `InvalidSpanError` for a length of nothing.
        Complexity: O(log m + openings too short) for an exclusive resource in a `MemoryStore`, with keys that are whole
        numbers, dates or datetimes; for others, and for pools, O(log m + bookings passed over).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12), calendar.book(room, 13, 15)
        >>> calendar.next_available(room, 10, 1), calendar.next_available(room, 10, 2)
        ((12, 13), (15, 17))
        """
        with self._reader():
            entry, low, _ = self._asked(resource, after, None)
            if low is None:
                raise KeyTypeError(None, "there is no earliest span in time without a beginning; say after when")
            check_quantity(quantity)
            self._check_length(low, length, empty=False)
            found = self._first_fit(entry, low, length, quantity)
        if found is None:
            return None
        return (after if found[0] is low else found[0]), found[1]

    def nearest(
        self, resource: Any, start: Any, end: Any, *, quantity: int = 1
    ) -> tuple[tuple[Any, Any] | None, tuple[Any, Any] | None]:
        """Return the closest free spans of the same length: the latest that starts no later, the earliest no earlier.

        Each is ``(start, end)``, or None where there is none. They may overlap the span asked about; a span that is
        free is its own nearest, on both sides.

        Raises: `KeyTypeError` for keys that cannot be subtracted, or lie further apart than a length of their type can
        say (NumPy's), unless the span is free; `InvalidSpanError` for a span without bound.
        Complexity: as `next_available`, on both sides; backwards up to twice as much.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.book(room, 9, 12), calendar.book(room, 13, 15)
        >>> calendar.nearest(room, 11, 13)
        ((7, 9), (15, 17))
        """
        with self._reader():
            entry, low, high = self._asked(resource, start, end)
            if low is None or high is None:
                raise InvalidSpanError(start, end, "a span without bound has no length to look for")
            check_quantity(quantity)
            try:
                length = difference(high, low)
            except OverflowError as exc:
                if self._room(entry, low, high, quantity):
                    return (start, end), (start, end)
                raise KeyTypeError(end, f"is further from {brief_key(start)} than a length of such keys can be") from exc
            except Exception as exc:
                raise KeyTypeError(end, f"keys like it have no lengths ({type(exc).__name__})") from exc
            self._check_length(low, length)
            if self._room(entry, low, high, quantity):
                return (start, end), (start, end)
            return self._last_fit(entry, low, high, length, quantity), self._first_fit(entry, low, length, quantity)

    # -- several -----------------------------------------------------------------------------------

    def common_gaps(
        self, resources: Iterable[Any], start: Any, end: Any, *, at_least: Any = None, quorum: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """Yield the maximal spans in which all the resources are free, or with *quorum* at least so many of them.

        At least so many, and the same ones throughout: each answer can be booked whole on *quorum* of them. So answers
        may overlap where one leaves as another comes; they are in order of start, and of end. A resource named twice
        counts once.

        Raises: as `gaps`; `QueryError` when *resources* are no iterable of resources or ids, or *quorum* is not an int of
        at least 1.
        Complexity: O(n + their bookings in the span), times log n.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> ann, bob, cho = (calendar.add_resource(Resource(name)) for name in ("ann", "bob", "cho"))
        >>> _ = calendar.book(ann, 9, 12), calendar.book(bob, 11, 14), calendar.book(cho, 16, 17)
        >>> list(calendar.common_gaps([ann, bob, cho], 8, 18))
        [(8, 9), (14, 16), (17, 18)]
        >>> list(calendar.common_gaps([ann, bob, cho], 8, 18, quorum=2, at_least=3))
        [(8, 11), (12, 16), (14, 18)]
        """
        if quorum is not None and (type(quorum) is not int or quorum < 1):
            raise QueryError(quorum, "a quorum is how many must be free, an int of at least 1")
        members = _members(resources)
        with self._reader():
            low, high = self._keys.admit(start, end)
            self._check_length(high if low is None else low, at_least)
            entries = {entry.number: entry for entry in map(self._catalog.entry, members)}
            streams = []
            for entry in entries.values():
                spans = list(blocked(self._store, entry, low, high, 1, self._closed, at_least))
                streams.append(free(spans, entry.hours, low, high, self._closed))
        needed = len(streams) if quorum is None else quorum
        found: Iterator[Span]
        if not needed:
            found = iter([(low, high)])
        elif self._closed:
            found = as_keys(quorum_of([as_places(stream) for stream in streams], needed))
        else:
            found = quorum_of(streams, needed)
        return _given(_long_enough(found, at_least), low, high, start, end)

    def find_slots(
        self, length: Any, start: Any, end: Any, *terms: Any, step: Any = None, quantity: int = 1
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Yield ``(start, end, resource)`` that `book` accepts, earliest first, lazily; ties in order of registration.

        Of the resources that match all *terms*, within the span. Without ``step``: one for each gap that is long
        enough, at its beginning. With it: all those that start at *start*, *start* + ``step``, and so on.

        The calendar may change between two answers. Each is free at the moment it is handed out; time that became free
        behind the last answer is not gone back for.

        Raises: `InvalidSpanError` unless the span is bounded; `KeyTypeError`, `InvalidQuantityError`, `QueryError`.
        Complexity: for one unit in a `MemoryStore`, as `find_available` at *start*, then O(log m) for each booking
        that ends before the answer. For other stores or more units, the resources are asked one by one before
        the first answer after *start*. With ``step``, as `find_available` for each step.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> ann, bob = (calendar.add_resource(Resource(name)) for name in ("ann", "bob"))
        >>> _ = calendar.book(ann, 9, 12), calendar.book(bob, 8, 10)
        >>> [(a, b, who.id) for a, b, who in calendar.find_slots(2, 9, 15)]
        [(10, 12, 'bob'), (12, 14, 'ann')]
        """
        check_quantity(quantity)
        parts = [as_term(term, self) for term in terms]
        term = All() if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))
        with self._reader():
            low, high = self._keys.admit(start, end)
            if low is None or high is None:
                raise InvalidSpanError(start, end, "find_slots needs to know from when and until when")
            self._check_length(low, length, empty=False)
            if step is not None:
                self._check_length(low, step, empty=False, always=True)
        return Slots(self, term, length, low, high, quantity, step, start)

    # -- how ---------------------------------------------------------------------------------------

    def _check_length(self, key: Any, length: Any, *, empty: bool = True, always: bool = False) -> None:
        """Raise unless *length* is one that can be added to *key*; with ``empty=False`` a length of nothing is none.

        With closed bounds a span of nothing but one key has a length of nothing, unless *always*.
        """
        if length is None and empty:
            return
        if length is None:
            raise KeyTypeError(None, "a length is needed")
        if key is None:
            return
        try:
            until = later(key, length)
        except KeyTypeError as exc:
            if is_too_far(exc):
                return  # too long for any span, but a length
            raise
        except Exception as exc:
            raise KeyTypeError(key, f"cannot be moved by {brief_key(length)} ({type(exc).__name__})") from exc
        self._keys.point(until)
        try:
            further = bool(key < until)
        except Exception as exc:
            raise KeyTypeError(key, f"cannot be moved by {brief_key(length)} ({type(exc).__name__})") from exc
        if not further and not empty and (always or not self._closed):
            raise InvalidSpanError(key, until, f"{brief_key(length)} is a length of nothing")

    def _first_fit(self, entry: ResourceRecord, low: Any, length: Any, quantity: int) -> Span | None:
        """Return the earliest span of a length from a key on. The lock is held."""
        until = fits(low, length, None)
        if until is None or quantity > entry.capacity:
            return None
        if self._room(entry, low, until, quantity):
            return low, until
        hours = entry.hours
        if is_shorter(hours, length):
            return None
        spans = blocked(self._store, entry, low, None, quantity, self._closed, length)
        for start, end in complement(spans, Place(low, False) if self._closed else low, None):
            try:
                key = start if not self._closed else following(start.key) if start.after else start.key
            except LookupError:
                return None
            if low < key:
                low = key
            until = fits(low, length, None)
            if until is None:
                return None
            if hours is not None and not hours.is_open(low, until, closed=self._closed):
                opening = hours.next_open(low, at_least=length)
                if opening is None:
                    return None
                low = opening[0]  # wherever later gaps begin, nothing is open long enough before
            until = fits(low, length, end)
            if until is not None:
                return low, until
        return None

    def _last_fit(self, entry: ResourceRecord, low: Any, high: Any, length: Any, quantity: int) -> Span | None:
        """Return the latest span of a length that ends by *high*; ``[low, high)`` is not free. The lock is held."""
        hours = entry.hours
        if quantity > entry.capacity or is_shorter(hours, length):
            return None
        # Look at windows that reach back twice as far each time, until one has it; the last reaches back for ever.
        left, top, step = low, high, length if low < high else _stride(low)
        for reach_back in range(DOUBLINGS, -1, -1):
            further = exactly_back(left, step) if reach_back and step is not None else None
            left = None if further is None or not further < left else further
            spans = list(blocked(self._store, entry, left, top, quantity, self._closed, length))
            found = list(free(spans, hours, left, top, self._closed))
            for start, end in reversed(found):
                begin = exactly_back(end, length)
                if begin is not None and (start is None or not begin < start):
                    return begin, end
            if left is None or (hours is not None and not spans and isinstance(step, timedelta) and not step < FAR):
                return None
            # what is free at the very left may go on further left
            top = found[0][1] if found and not left < found[0][0] else left
            step = doubled(step)
        return None


def _stride(key: Any) -> Any:
    """Return how far to look back at first from a key for a span of nothing but one: its own length leads nowhere.

    A day where keys are times, since opening hours are told by days; else 1, or from one key to the next; None: for ever.
    """
    if isinstance(key, date | timedelta):
        return timedelta(days=1)
    if isinstance(key, Number):
        return 1
    try:
        return minus(following(key), key)
    except Exception:  # after the last key, or keys without neighbours
        return None


def _members(resources: Any) -> list[Any]:
    """Return the resources or ids in an iterable of them."""
    if is_a(resources, (Iterable,)) and not is_a(resources, (str, bytes)):
        try:
            return list(resources)
        except BookcoreError:
            raise
        except Exception as exc:
            raise QueryError(resources, f"could not be iterated: {type(exc).__name__}: {exc}") from exc
    raise QueryError(resources, "is no iterable of resources or ids")


def _long_enough(spans: Iterator[Span], length: Any) -> Iterator[Span]:
    for start, end in spans:
        if length is None or start is None or end is None:
            yield start, end
            continue
        until = fits(start, length, None, True)
        if until is not None and not end < until:
            yield start, end


def _given(spans: Iterator[Span], low: Any, high: Any, start: Any, end: Any) -> Iterator[Span]:
    """Yield spans with the ends of the window as the caller gave them."""
    for a, b in spans:
        yield start if a is low else a, end if b is high else b
