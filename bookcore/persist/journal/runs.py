"""A run of short records, applied at once: the result is that of applying one after the other.

    record    1  2  3  4  5  6  7
              +a +b -a +c -x +d -b        + a booking, - a removal; x was there before the run
    loaded             +c    +d           what is there at the end, in one call of the store
    later                 -x              removals of what was there before: nothing booked here was in its place

Bookings that come and go within the run are never in the store. That they could be there is checked here: of two bookings of
one resource whose spans overlap, one was removed before the other was made. Whatever is not certain, or not lawful, is left
to applying the records one by one, which finds the first that is wrong.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import compress
from operator import ge, gt, lt
from typing import Any

from bookcore.engine.state import CalendarState
from bookcore.index.dictionary_column import DictionaryColumn
from bookcore.model.errors import LACKING
from bookcore.persist.journal.short import REMOVAL, Columns, columns_of, forms_of, removed_by
from bookcore.stores.record import ResourceRecord

_COMPARED = 64
"""With how many others, on the average, a booking is compared at most whose span was free again in between."""


def load_run(state: CalendarState, records: Sequence[bytes]) -> list[int] | None:
    """Apply short records; return the places of those that have to be applied after it. None if nothing was done.

    The calendar's lock is held for writing, and its log is not active. O(n log n) for all its bookings, old and new.
    """
    try:
        forms = forms_of(records)
        is_mixed = REMOVAL in forms
        born = [at for at, form in enumerate(forms) if form != REMOVAL] if is_mixed else range(len(records))
        found = columns_of([records[at] for at in born] if is_mixed else records) if born else None
        if found is None or not _are_new(state, found):
            return None
        owners = [state.registry.by_id[where] for where in found.wheres.table]
        if not all(record.is_exclusive for record in owners) or not _in_order(found, state.closed):
            return None
        state.keys.admit(found.starts[0], found.ends[0])  # one span speaks for all, which are of one type and zone
        died, later = dict[int, int](), list[int]()
        if is_mixed:
            ends = _ends(state, found, {at: records[at] for at, form in enumerate(forms) if form == REMOVAL}, born)
            if ends is None or not _could_be(state, found, owners, born, ends[0]):
                return None
            died, later = ends
        rest = found if not died else _without(found, died)
        if rest.numbers and not _load(state, rest, owners):
            return None
    except LACKING:
        raise
    except Exception:  # applied one by one, the first record that is wrong raises its error
        return None
    state.end_load()
    state.ledger.last = found.numbers[-1]
    return later


def _load(state: CalendarState, found: Columns, owners: list[ResourceRecord]) -> bool:
    seqs: Any = range(found.numbers[0], found.numbers[-1] + 1)
    if len(seqs) > len(found.numbers):  # some are ids of other bookings, or of bookings that are gone
        seqs = found.numbers
    numbers = [record.number for record in owners]
    places = array("I", map(numbers.__getitem__, found.wheres.places))
    return state.load(DictionaryColumn(state.registry.by_number, places), found.starts, found.ends, seqs)


def _are_new(state: CalendarState, found: Columns) -> bool:
    """Tell whether the numbers rise, come after all others, and are no ids of other bookings, here or expired."""
    numbers, ledger = found.numbers, state.ledger
    return (
        ledger.last < numbers[0] and all(map(lt, numbers, numbers[1:]))
        and not (ledger.named and not ledger.numbers.isdisjoint(numbers))
        and state.holds.expired.keys().isdisjoint(numbers)
    )  # fmt: skip


def _in_order(found: Columns, closed: bool) -> bool:
    """Tell whether no booking ends before it starts. O(n), in C."""
    low, high = _ranks(found)
    return not any(map(lt, high, low)) if closed else all(map(lt, low, high))


def _ranks(found: Columns) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return starts and ends, or what is in the same order."""
    low, high = found.starts, found.ends
    if isinstance(low, DictionaryColumn) and isinstance(high, DictionaryColumn):
        return low.places, high.places
    return low, high


def _ends(
    state: CalendarState, found: Columns, removals: dict[int, bytes], born: Sequence[int]
) -> tuple[dict[int, int], list[int]] | None:
    """Return which of the bookings are removed by which record, and the records that remove others, which are there.

    None if a record removes none.
    """
    row_of = dict(zip(found.numbers, range(len(born)), strict=True))
    died: dict[int, int] = {}
    others: dict[int, int] = {}
    for at, record in removals.items():
        id = removed_by(record)
        row = row_of.get(id)
        if row is not None and row not in died and born[row] < at:
            died[row] = at
            continue
        seq = state.ledger.number_of(id)
        if row is not None or seq is None or seq in state.holds.until or seq in others:
            return None
        others[seq] = at
    return died, list(others.values())


def _could_be(
    state: CalendarState, found: Columns, owners: list[ResourceRecord], born: Sequence[int], died: dict[int, int]
) -> bool:
    """Tell whether the bookings that are removed again could be there. O(n log n) for the rows of their resources."""
    wheres = found.wheres.places
    if any(state.store.overlapping(owners[wheres[row]], found.starts[row], found.ends[row]) for row in died):
        return False
    concerned = {wheres[row] for row in died}
    low, high = _ranks(found)
    never = born[-1] + max(died.values(), default=0) + 1
    rows: defaultdict[int, list[tuple[Any, Any, int, int]]] = defaultdict(list)  # start, end, made by and removed by which
    for row, where in enumerate(wheres):
        if where in concerned:
            rows[where].append((low[row], high[row], born[row], died.get(row, never)))
    left = _COMPARED * len(born)
    reaches: Callable[[Any, Any], bool] = ge if state.closed else gt
    for each in rows.values():
        each.sort()
        near: list[tuple[Any, Any, int, int]] = []
        for one in each:
            start, _, made, removed = one
            near = [other for other in near if reaches(other[1], start)]
            left -= len(near)
            if left < 0 or any(made < other[3] and other[2] < removed for other in near):
                return False
            near.append(one)
    return True


def _without(found: Columns, died: dict[int, int]) -> Columns:
    """Return the rows that are not removed."""
    stays = bytearray(b"\1") * len(found.numbers)
    for row in died:
        stays[row] = 0
    numbers, starts, ends, wheres = found

    def kept(column: Any) -> Any:
        if isinstance(column, DictionaryColumn):
            return DictionaryColumn(column.table, list(compress(column.places, stays)))
        return list(compress(column, stays))

    return Columns(kept(numbers), kept(starts), kept(ends), kept(wheres))
