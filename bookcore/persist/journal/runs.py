"""A run of plain bookings, applied at once: the result is that of applying one after the other.

They are short records, or the rows of a longer one, such as that of a transaction. If they are many, the store loads them;
else they are put into it in one loop, which makes no record of a change unless a subscriber receives it. In an opening,
removals may be among them:

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
from datetime import UTC, datetime
from itertools import compress, repeat
from operator import attrgetter, ge, gt, lt
from typing import Any

from bookcore.engine.bulk_load import spans_of
from bookcore.engine.state import CalendarState
from bookcore.index.column import SHARED
from bookcore.index.dictionary_column import DictionaryColumn
from bookcore.model.change import Booked
from bookcore.model.errors import LACKING
from bookcore.model.event import BookingEvent
from bookcore.persist.journal.short import REMOVAL, Columns, columns_of, forms_of, removed_by
from bookcore.persist.snapshot.classes import name_of
from bookcore.stores.record import ResourceRecord

_PLAIN = name_of(BookingEvent)
_zone_of, _fold_of = map(attrgetter, ("tzinfo", "fold"))
_COMPARED = 64
"""With how many others, on the average, a booking is compared at most whose span was free again in between."""


def load_run(state: CalendarState, records: Sequence[bytes]) -> Sequence[int]:
    """Apply short records at once; return the places of those that have to be applied after that, one by one.

    The calendar's lock is held for writing. If its log is active, none of the records is a removal: changes are noted in
    their order. O(n log n) for all its bookings, old and new, or O(log m) for each new one.
    """
    everything = range(len(records))
    try:
        forms = forms_of(records)
        if REMOVAL in forms:
            later = _load_mixed(state, records, forms)
            return everything if later is None else later
        columns = columns_of(records)
        owners = None if columns is None else _owners(state, columns)
        return everything if columns is None or owners is None else everything[_load(state, columns, owners) :]
    except LACKING:
        raise
    except Exception:
        _settle(state)
        return everything


def load_rows(state: CalendarState, rows: Sequence[tuple[Any, ...]]) -> int:
    """Apply rows of a longer record at once, and return how many; none unless all are plain bookings.

    A row is what `bookcore.persist.journal.records.Encoder` makes of a `Booked`.
    """
    try:
        _, wheres, numbers, helds, untils, ran_outs, names, ids, starts, ends, quantities, fields = zip(*rows, strict=True)
        if numbers != ids or any(helds) or set(names) != {_PLAIN} or set(quantities) != {1}:
            return 0
        if {*map(type, numbers), *map(type, ids), *map(type, quantities)} != {int} or set(map(type, helds)) != {bool}:
            return 0
        if {*map(type, untils), *map(type, ran_outs), *map(type, fields)} != {type(None)}:
            return 0
        keys = starts + ends
        if not set(map(type, keys)) <= SHARED.keys() or (type(keys[0]) is datetime and not _are_plain(keys)):
            return 0
        spans = spans_of(state.keys, starts, ends)
        if spans is None:
            return 0
        place_of = {where: place for place, where in enumerate(dict.fromkeys(wheres))}
        columns = Columns(list(numbers), *spans, DictionaryColumn(list(place_of), list(map(place_of.__getitem__, wheres))))
        owners = _owners(state, columns)
        return 0 if owners is None else _load(state, columns, owners)
    except LACKING:
        raise
    except Exception:
        _settle(state)
        return 0


def _are_plain(keys: Sequence[datetime]) -> bool:
    """Tell whether these are held as they are given."""
    zones = set(map(id, map(_zone_of, keys)))
    return zones <= {id(None), id(UTC)} and not any(map(_fold_of, keys))


def _settle(state: CalendarState) -> None:
    """Go on after an exception: applied one by one, the first record that is wrong raises its error."""
    if state.gate.torn:
        state.gate.settle()


def _owners(state: CalendarState, columns: Columns) -> list[ResourceRecord] | None:
    """Return the records of the resources of bookings; None unless they can be applied at once."""
    if not _are_new(state, columns) or not _in_order(columns, state.closed):
        return None
    state.keys.admit(columns.starts[0], columns.ends[0])  # one span speaks for all, which are of one type and zone
    return [state.registry.by_id[where] for where in columns.wheres.table]


def _load(state: CalendarState, columns: Columns, owners: list[ResourceRecord]) -> int:
    """Apply bookings, and return how many were, from the first on."""
    if all(record.is_exclusive for record in owners) and _load_into_store(state, columns, owners):
        return len(columns.numbers)
    records = map(owners.__getitem__, columns.wheres.places)
    return state.book_followed(list(zip(records, columns.starts, columns.ends, columns.numbers, strict=True)))


def _load_into_store(state: CalendarState, columns: Columns, owners: list[ResourceRecord]) -> bool:
    """Have the store load bookings; tell whether it did, or if it refused them, nothing."""
    seqs: Any = range(columns.numbers[0], columns.numbers[-1] + 1)
    if len(seqs) > len(columns.numbers):  # some are ids of other bookings, or of bookings that are gone
        seqs = columns.numbers
    numbers = [record.number for record in owners]
    places = array("I", map(numbers.__getitem__, columns.wheres.places))
    if not state.load(DictionaryColumn(state.registry.by_number, places), columns.starts, columns.ends, seqs):
        return False
    try:
        booked: list[Booked] = []
        if state.log.active:
            records = map(owners.__getitem__, columns.wheres.places)
            rows = zip(columns.starts, columns.ends, columns.numbers, repeat(1))
            booked = [Booked(event, number=event._seq) for event in map(state.ledger.made_of, records, rows)]
        state.end_load(booked)
    except BaseException:
        state.gate.torn = state.gate.waiting = True  # `state.loading` names what to undo
        raise
    return True


def _load_mixed(state: CalendarState, records: Sequence[bytes], forms: bytes) -> list[int] | None:
    """Apply bookings and removals; return the places of the removals that have to be applied after it. None: did nothing."""
    born = [at for at, form in enumerate(forms) if form != REMOVAL]
    columns = columns_of([records[at] for at in born]) if born else None
    owners = None if columns is None else _owners(state, columns)
    if columns is None or owners is None or not all(record.is_exclusive for record in owners):
        return None
    ends = _ends(state, columns, {at: records[at] for at, form in enumerate(forms) if form == REMOVAL}, born)
    if ends is None or not _could_be(state, columns, owners, born, ends[0]):
        return None
    died, later = ends
    rest = _without(columns, died) if died else columns
    if rest.numbers and not _load_into_store(state, rest, owners):
        return None
    state.number_after(booking=columns.numbers[-1])
    return later


def _are_new(state: CalendarState, columns: Columns) -> bool:
    """Tell whether the numbers rise, come after all others, and are no ids of other bookings, here or expired."""
    numbers, ledger = columns.numbers, state.ledger
    return (
        ledger.last < numbers[0] and all(map(lt, numbers, numbers[1:]))
        and not (ledger.named and not ledger.numbers.isdisjoint(numbers))
        and state.holds.expired.keys().isdisjoint(numbers)
    )  # fmt: skip


def _in_order(columns: Columns, closed: bool) -> bool:
    """Tell whether no booking ends before it starts. O(n), in C."""
    low, high = _ranks(columns)
    return not any(map(lt, high, low)) if closed else all(map(lt, low, high))


def _ranks(columns: Columns) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return starts and ends, or what is in the same order."""
    low, high = columns.starts, columns.ends
    if isinstance(low, DictionaryColumn) and isinstance(high, DictionaryColumn):
        return low.places, high.places
    return low, high


def _ends(
    state: CalendarState, columns: Columns, removals: dict[int, bytes], born: Sequence[int]
) -> tuple[dict[int, int], list[int]] | None:
    """Return which of the bookings are removed by which record, and the records that remove others, which are there.

    None if a record removes none.
    """
    row_of = dict(zip(columns.numbers, range(len(born)), strict=True))
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
    state: CalendarState, columns: Columns, owners: list[ResourceRecord], born: Sequence[int], died: dict[int, int]
) -> bool:
    """Tell whether the bookings that are removed again could be there. O(n log n) for the rows of their resources."""
    wheres = columns.wheres.places
    if any(state.store.overlapping(owners[wheres[row]], columns.starts[row], columns.ends[row]) for row in died):
        return False
    concerned = {wheres[row] for row in died}
    low, high = _ranks(columns)
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


def _without(columns: Columns, died: dict[int, int]) -> Columns:
    """Return the rows that are not removed."""
    stays = bytearray(b"\1") * len(columns.numbers)
    for row in died:
        stays[row] = 0
    numbers, starts, ends, wheres = columns

    def kept(column: Any) -> Any:
        if isinstance(column, DictionaryColumn):
            return DictionaryColumn(column.table, list(compress(column.places, stays)))
        return list(compress(column, stays))

    return Columns(kept(numbers), kept(starts), kept(ends), kept(wheres))
