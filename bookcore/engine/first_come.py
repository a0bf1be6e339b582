"""First come, first served: which of many events fit, decided before any of them is booked. For `Calendar.book_all`.

Sorting the events of each resource by start tells whether any two of them overlap. Where none do, and there are
no bookings yet, and no id comes twice, all fit, in any order. Only on the other, *doubtful* resources they are looked at one
by one::

    edges of a resource   1 3 4 7      the spans of the events that fit, [1, 3) and [4, 7)
    asked for   [3, 4)                 two edges lie before its end, and the last of them not after its start: it fits
                [6, 9)                 four edges lie before its end, and the last of them after its start: refused
                [5, 6)                 three edges lie before its end, so it ends within a booking: refused

The events that fit are then loaded at once (`bookcore.engine.bulk_load`), and each of the others gets its error.

Invariant: an event fits exactly if `Calendar.book` would book it at its turn. Where the spans and ids alone do not decide
that, nothing is decided here, and the caller books the events one by one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter, lt
from typing import Any, NamedTuple

from bookcore.engine.bulk_load import columns_of
from bookcore.engine.state import CalendarState
from bookcore.index.dictionary_column import DictionaryColumn, take


class Late(NamedTuple):
    """An event that does not fit: its position, how many before it fit, and whether it is its id that is taken."""

    position: int
    earlier: int
    is_duplicate: bool


def find_late(state: CalendarState, events: list[Any]) -> list[Late] | None:
    """Return the events that do not fit, in order; None if that cannot be decided here. Changes nothing. The lock is held.

    Raises: what looking at the events raises. Complexity: O(k log k) for k events, and as `Calendar.is_available` for each
    on a resource that has bookings.
    """
    columns = columns_of(state, events)
    if columns is None or len(set(map(id, events))) < len(events):
        return None
    ids = list(map(attrgetter("_id"), events))
    if not set(map(type, ids)) <= {str, type(None)}:  # numbers that the calendar gives are ids as well
        return None
    ledger, allows, closed = state.ledger, state.rules.bookings.allows, state.closed
    numbers, table = columns.records.places, columns.records.table
    starts, ends = columns.spans
    lows, highs = (keys.places if isinstance(keys, DictionaryColumn) else keys for keys in (starts, ends))
    places_of: defaultdict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(numbers):
        places_of[number].append(place)
    unsure = {numbers[place] for place in _shared(state, ids)}
    unsure.update(
        number
        for number, places in places_of.items()
        if number not in unsure and (table[number].active_count or _overlap(places, lows, highs, closed))
    )
    bisect = bisect_right if closed else bisect_left
    edges_of: dict[int, list[Any]] = {number: [] for number in unsure}
    named: set[str] = set()
    late: list[Late] = []
    for place in sorted(place for number in unsure for place in places_of[number]):
        number, low, high, name = numbers[place], lows[place], highs[place], ids[place]
        edges = edges_of[number]
        at = bisect(edges, high)
        is_named = name is not None and (name in named or ledger.number_of(name) is not None)
        if (
            is_named
            or at & 1
            or (at and (not edges[at - 1] < low if closed else low < edges[at - 1]))
            or (table[number].active_count and not allows(table[number], starts[place], ends[place], 1))
        ):
            late.append(Late(place, place - len(late), is_named))
            continue
        edges[at:at] = low, high
        named.add(name)
    return late


def _overlap(places: list[int], lows: Sequence[Any], highs: Sequence[Any], closed: bool) -> bool:
    """Tell whether any two spans at some places overlap. O(k log k)."""
    if len(places) == 1:
        return False
    order = sorted(places, key=lows.__getitem__)
    later, ends = take(lows, order[1:]), take(highs, order[:-1])
    return not all(map(lt, ends, later)) if closed else any(map(lt, later, ends))


def _shared(state: CalendarState, ids: list[str | None]) -> Iterable[int]:
    """Return the places of ids that come twice, or that bookings have. O(n)."""
    distinct = set(ids) - {None}
    if len(distinct) == len(ids) - ids.count(None) and state.ledger.numbers.isdisjoint(distinct):
        return ()
    counts = Counter(ids)
    return (
        place
        for place, name in enumerate(ids)
        if name is not None and (counts[name] > 1 or state.ledger.number_of(name) is not None)
    )
