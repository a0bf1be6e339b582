"""Requests that leave something open: which of these resources, or as many of these bookings as can be had.

- `book_any`: one booking, on whichever resource fits: find, choose, book, as one step under the lock.
- `book_all`: many bookings, all of them or those that can be had, as one change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeAlias

from bookcore.engine.transactions import Transactions
from bookcore.index.bitmap import ordinals
from bookcore.model.errors import (
    BookcoreError,
    ConflictError,
    DuplicateBookingError,
    NoneAvailableError,
    QueryError,
)
from bookcore.model.records import BookingEvent, Refusal, Report
from bookcore.model.term import And, Available, Term, as_term, check_quantity
from bookcore.model.typecheck import is_a, plain_text
from bookcore.query.best_fit import tightest
from bookcore.query.selection import Selection
from bookcore.stores.record import ResourceRecord

__all__ = ["Requests", "Strategy"]

Strategy: TypeAlias = str | Callable[[list[Any]], Any]
"""``"first"``, ``"best_fit"``, ``"least_used"``, or a function from the candidates to one of them."""

STRATEGIES = ("first", "best_fit", "least_used")

SHOWN = 3
"""For how many of the resources a `NoneAvailableError` says what was in the way."""


class Requests(Transactions):
    """The calls that leave something open. A mixin of `Calendar`."""

    def book_any(
        self,
        selection: Any,
        start: Any,
        end: Any,
        *,
        strategy: Strategy = "first",
        id: Hashable = None,
        quantity: int = 1,
        if_exists: str = "raise",
        **fields: Any,
    ) -> BookingEvent:
        """Book one of these resources, whichever is available: find, choose and lock in one step. Return the booking.

        *selection* is a `Selection` or any term that `find` takes. The candidates are those of it that have room for
        *quantity*, in order of registration or as the selection is ordered. ``strategy`` says which one is taken,
        among equals the first:

        - ``"first"``: the first.
        - ``"best_fit"``: the one whose gap around the span is the smallest, so that large gaps stay whole. The gap is
          the longest span around the one asked for that could be booked for *quantity* units: in a pool, as long as
          so many are left. Its length is taken from what ends before to what begins after. A gap unbounded on one side
          is larger than any bounded one; one unbounded on both is the largest.
        - ``"least_used"``: the one with the fewest bookings and holds, whenever and however large.
        - a function: called with the list of the candidates, it returns one of them (or its id). It runs under the
          calendar's lock: let it be quick, and wait for no other thread. It may ask the calendar anything. Should it
          raise, or return something else, nothing has changed.

        The other arguments are those of `book`. With ``if_exists="return"`` a booking that stands under this id with
        the same span, quantity and fields is returned, on whichever resource it is.

        Raises: `NoneAvailableError` when none is available; `QueryError` for a selection or strategy that is none, and
        for a function that raises (its exception is the cause) or picks no candidate; `KeyTypeError` for
        ``"best_fit"`` with keys that cannot be subtracted; otherwise as `book`.
        Complexity: ``"first"``: as ``find_available(...).first(1)`` and `book`. The others: as reading
        `find_available`, and for each candidate O(1), or for ``"best_fit"`` O(log m) for each doubling of the span
        that the gap before it holds.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> a, b, c = (calendar.add_resource(Resource(name)) for name in "abc")
        >>> _ = calendar.book(a, 9, 12, id="x"), calendar.book(b, 8, 9), calendar.book(b, 11, 15)
        >>> [calendar.book_any([a, b, c], 9, 11, id=how, strategy=how).resource.id for how in ("best_fit", "first")]
        ['b', 'c']
        >>> calendar.book_any([b], 10, 11)
        Traceback (most recent call last):
        bookcore.errors.NoneAvailableError: no resource of 1 is available in [10, 11): 'b' (booking 'best_fit' [9, 11))
        """
        own = callable(strategy)
        name = plain_text(strategy)
        if not own and name not in STRATEGIES:
            raise QueryError(strategy, f"a strategy is one of {', '.join(STRATEGIES)}, or a function of the candidates")
        term = as_term(selection, self)
        order = selection._order if is_a(selection, Selection) else None
        # a function may change the calendar before it fails; only a transaction takes that back
        with self.transaction() if own else self._writer():
            self._expire_if_due()
            low, high = self._keys.admit(start, end)
            check_quantity(quantity)
            standing = self._named(id, low, high, quantity, if_exists, fields)
            if standing is not None:
                return standing
            room = And((term, Available(start, end, quantity)))
            if own:
                entry = self._picked(strategy, self._ordered(room, order))
                low, high = self._keys.admit(start, end)  # which it may have changed the family of
            elif name == "first":
                entry = self._first(room, order)
            elif name == "best_fit":
                entry = tightest(self, self._ordered(room, order), low, high, quantity)
            else:
                entry = min(self._ordered(room, order), key=lambda entry: entry.count, default=None)
            if entry is None:
                raise self._none_available(term, low, high, start, end, quantity)
            event = self._make(entry.resource, start, end, quantity, fields)
            self._insert(entry, low, high, event, id)
            return event

    def _named(
        self, id: Any, low: Any, high: Any, quantity: int, if_exists: Any, fields: dict[str, Any]
    ) -> BookingEvent | None:
        """Return the booking that stands under *id*, if that is what is wanted; raise if it is in the way."""
        try:
            standing = None if id is None else self._events.get(id)
        except Exception:  # unhashable, or the object's own code: `_insert` says so
            standing = None
        calendar: Any = self
        entry = None if standing is None else self._entry_of(standing)
        same: BookingEvent | None = calendar._same(if_exists, id, entry, low, high, quantity, fields)
        if same is None and standing is not None:
            raise DuplicateBookingError(id, standing)
        return same

    def _first(self, question: Term, order: Any) -> ResourceRecord | None:
        """Return who comes first of those that match."""
        if order is not None:
            return next(iter(self._ordered(question, order, 1)), None)
        bits = self._bits(question, 1)
        return self._catalog.entries[(bits & -bits).bit_length() - 1] if bits else None

    def _ordered(self, question: Term, order: Any, n: int | None = None) -> list[ResourceRecord]:
        """Return those that match (with *n*, the first few), in their order."""
        if order is not None:
            return [self._catalog.entry(resource) for resource in self._select(question, order, n)]
        entries: list[Any] = self._catalog.entries
        return [entries[number] for number in ordinals(self._bits(question, n))]

    def _picked(self, strategy: Any, entries: list[ResourceRecord]) -> ResourceRecord | None:
        """Return the candidate that the caller's own function picks; without candidates it is not asked."""
        if not entries:
            return None
        try:
            chosen = strategy([entry.resource for entry in entries])
        except BookcoreError:
            raise
        except Exception as exc:
            raise QueryError(strategy, f"the strategy raised {type(exc).__name__}") from exc
        try:
            entry = self._catalog.entry(chosen)
        except BookcoreError as exc:
            raise QueryError(chosen, "was returned by the strategy and is none of the candidates") from exc
        if entry not in entries:
            raise QueryError(chosen, "was returned by the strategy and is none of the candidates")
        return entry

    def _none_available(
        self, term: Term, low: Any, high: Any, start: Any, end: Any, quantity: int
    ) -> NoneAvailableError:
        """Return the error that says how many were asked about, and for the first few what is in the way."""
        matched = self._answers.evaluate(term, self._catalog.everything.value())
        refused: list[ConflictError] = []
        for number in ordinals(matched):
            if len(refused) == SHOWN:
                break
            entry: Any = self._catalog.entries[number]
            refused.append(self._conflict(entry, low, high, start, end, quantity))
        return NoneAvailableError(start, end, quantity, matched.bit_count(), refused, bounds=self._bounds)

    def book_all(self, requests: Iterable[Any], on_conflict: str = "raise") -> Report:
        """Book many: all of them, or with ``on_conflict="skip"`` all that can be, as one change. Return a report.

        A request is a `BookingEvent`, a mapping of what `book` takes, or a tuple ``(resource, start, end)``.
        ``report.booked`` are the events, ``report.refused`` a record for each refusal: the request and what was in the way.

        Raises: with ``"raise"`` what the first refusal raised, and nothing is booked; anything that is no conflict is
        raised either way: as `book`, and `QueryError` for what is no request, no iterable of them, or no ``on_conflict``.
        Complexity: as `book` for each.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> wanted = [(room, 9, 12), (room, 11, 13), {"resource": room, "start": 12, "end": 14, "guest": "Ada"}]
        >>> report = calendar.book_all(wanted, on_conflict="skip")
        >>> [event.id for event in report.booked], report.refused[0].request[1:], report.refused[0].conflicts[0].id
        ([1, 2], (11, 13), 1)
        """
        how = plain_text(on_conflict)
        if how not in ("raise", "skip"):
            raise QueryError(on_conflict, "on_conflict is 'raise' or 'skip'")
        try:
            asked = list(requests)
        except Exception as exc:
            raise QueryError(requests, f"book_all takes an iterable of requests ({type(exc).__name__}: {exc})") from exc
        booked: list[BookingEvent] = []
        refused: list[Refusal] = []
        with self.transaction():
            for request in asked:
                try:
                    booked.append(self._book_request(request))
                except ConflictError as exc:
                    if how == "raise":
                        raise
                    refused.append(Refusal(request, exc))
        return Report(tuple(booked), tuple(refused))

    def _book_request(self, request: Any) -> BookingEvent:
        calendar: Any = self
        if is_a(request, BookingEvent):
            event: BookingEvent = calendar.add_booking(request)
            return event
        try:
            if is_a(request, (Mapping,)):
                named = dict(request)
                booked: BookingEvent = calendar.book(
                    named.pop("resource"), named.pop("start"), named.pop("end"), **named
                )
                return booked
            resource, start, end = request
        except BookcoreError:
            raise
        except Exception as exc:
            raise QueryError(request, "is no request: give an event, (resource, start, end) or a mapping") from exc
        made: BookingEvent = calendar.book(resource, start, end)
        return made
