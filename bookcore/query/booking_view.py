"""`BookingIndexView`: what an index over bookings answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bookcore.engine.gate import question
from bookcore.engine.state import CalendarState
from bookcore.model.event import BookingEvent
from bookcore.query.listing import by_start
from bookcore.query.selection import listed_values


class BookingIndexView:
    """One index over the bookings of a calendar, to look them up by their values.

    Each call answers at once, for the calendar as it is now; it yields events by start, then in order of booking.

    Raises, when called: `KeyTypeError` for a value that cannot be compared with those of the index; `IndexNameError` when
    the index does not exist any more, because the transaction that made it was undone.
    Complexity: O(log b + k log b) for k answers of b bookings.

    >>> from bookcore import Calendar, Resource
    >>> calendar = Calendar()
    >>> room = calendar.add_resource(Resource("room"))
    >>> _ = [calendar.book(room, at, at + 1, guest=guest) for at, guest in ((9, "Ada"), (7, "Bob"), (5, "Eve"), (3, "Ada"))]
    >>> guests = calendar.create_booking_index("guest")
    >>> [event.start for event in guests.equal("Ada")], [event.start for event in guests.one_of(["Ada", "Eve"])]
    ([3, 9], [3, 5, 9])
    >>> [event.guest for event in guests.between("B", None)]
    ['Eve', 'Bob']
    """

    __slots__ = ("_state", "name")

    def __init__(self, state: CalendarState, name: str) -> None:
        self._state, self.name = state, name

    def between(self, low: Any, high: Any) -> Iterator[BookingEvent]:
        """Iterate over the bookings with ``low <= value <= high``; None means no limit on that side.

        There are none where *low* is above *high*.

        Raises, when called: `QueryError` for a NaN; otherwise see the class.
        """
        return _between(self._state, self.name, low, high)

    def equal(self, value: Any) -> Iterator[BookingEvent]:
        """Iterate over the bookings with this value. None and NaN match nothing, because they are not indexed."""
        return _one_of(self._state, self.name, (value,))

    def one_of(self, values: Iterable[Any]) -> Iterator[BookingEvent]:
        """Iterate over the bookings whose value is in *values*, each once; None and NaN match nothing.

        Raises: `QueryError` when *values* cannot be iterated, or is one text. Complexity: as `equal` for each value.
        """
        return _one_of(self._state, self.name, listed_values(values))

    def __repr__(self) -> str:
        return f"<BookingIndexView {self.name!r}>"


@question
def _between(state: CalendarState, name: str, low: Any, high: Any) -> Iterator[BookingEvent]:
    return _events(state, state.booking_indexes.index(name).ordinals_between(low, high))


@question
def _one_of(state: CalendarState, name: str, values: tuple[Any, ...]) -> Iterator[BookingEvent]:
    index = state.booking_indexes.index(name)
    seqs = {seq for value in values if index.has_order(value) for seq in index.ordinals_between(value, value)}
    return _events(state, seqs)


def _events(state: CalendarState, seqs: Iterable[int]) -> Iterator[BookingEvent]:
    return by_start(state, [(record := state.ledger.record(seq), state.store.row(record, seq)) for seq in seqs])
