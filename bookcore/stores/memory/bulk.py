"""Many rows into intervals and occupancy at once: sort once, sweep once.

    rows         (record, start, end, number), columns in any order
    ranks        where keys repeat: the distinct ones sorted once, and from there on only their ranks, in arrays
    intervals    the rows by resource and start, in one sort of small numbers, neighbours compared once
    occupancy    the ordinals collected under each key: `OccupancyIndex.rebuild_from`

Where keys hardly repeat, the same by the keys themselves: rows collected by resource and sorted by start, starts and
ends sorted once (`OccupancyIndex.rebuild`).

Everything that compares keys comes before anything is put in place.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate, chain, repeat
from operator import attrgetter, lt
from typing import Any

from bookcore.index.column import SHARED
from bookcore.index.dictionary_column import (
    DictionaryColumn,
    dictionary_encode,
    has_overlap,
    run_lengths,
    sort_rows,
    take,
)
from bookcore.index.disjoint_intervals import DisjointIntervals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.index.posting_list import PostingList
from bookcore.stores.memory.exclusive import ExclusiveIndex
from bookcore.stores.record import ResourceRecord

__all__ = ["load", "worth_it"]

REBUILD = 4
"""A load goes in one piece when what stands already is at most this many times as much: past that, sorting all of it
anew may cost more than inserting what is new."""

_fold = attrgetter("fold")

AT_ONCE = 256
"""For how many resources schedules are made together: their bookings, which lie all over the memory, are still in the
processor's cache when each is put into its list."""


def worth_it(occupancy: OccupancyIndex, count: int) -> bool:
    """Tell whether so many bookings more are enough to sort everything anew. O(1): asked before anything is gathered."""
    return len(occupancy) <= REBUILD * count


def load(
    occupancy: OccupancyIndex,
    closed: bool,
    held: Sequence[ResourceRecord],
    records: Sequence[ResourceRecord],
    starts: Sequence[Any],
    ends: Sequence[Any],
    seqs: Sequence[int],
) -> bool:
    """Put the rows into the intervals of their records and the occupancy; False, with nothing changed, if not all fit.

    *held* are the records that have rows already, all of them exclusive. Complexity: O(k log k) for k rows in all.
    """
    if held:
        added: Any = records, starts, ends, seqs
        records, starts, ends, seqs = [], [], [], []
        for record in held:
            intervals = record.state.intervals
            if not intervals.is_bounded:
                return False
            records += [record] * len(intervals)
            starts += intervals.edges[::2]
            ends += intervals.edges[1::2]
            seqs += intervals.values
        known: Any = records, starts, ends, seqs
        records, starts, ends, seqs = (old + list(new) for old, new in zip(known, added, strict=True))
    ranked = _ranked(starts, ends)
    if ranked is None:
        return _load_any(occupancy, closed, records, starts, ends, seqs)
    return _load_ranked(occupancy, closed, records, *ranked, seqs)


def _load_ranked(
    occupancy: OccupancyIndex,
    closed: bool,
    records: Sequence[ResourceRecord],
    keys: list[Any],
    ranks: array[int],
    end_ranks: array[int],
    seqs: Sequence[int],
) -> bool:
    """Do what `load` does where keys repeat: the distinct ones, in order, and which of them each row has.

    Complexity: O(k log k), nearly all of it in C, on small whole numbers: no key is compared.
    """
    numbers, _ = _numbers(records)
    rows, owners, ranks, end_ranks = sort_rows(numbers, ranks, end_ranks, len(keys))
    counts = run_lengths(owners)
    bounds = list(accumulate(counts, initial=0))
    if has_overlap(closed, ranks, end_ranks, bounds):
        return False
    begun = bounds[:-1]
    if isinstance(records, DictionaryColumn) and numbers is records.places:
        places = take(owners, begun)
        records.set_tally(dict(zip(places, counts, strict=True)))
        firsts = take(records.table, places)
    else:
        firsts = take(records, take(rows, begun))
    # the ordinals as few objects, one after the other
    ordinals = list(chain.from_iterable(map(repeat, map(attrgetter("number"), firsts), counts)))
    bins = _bins(ranks, ordinals, keys), _bins(end_ranks, ordinals, keys)
    occupancy.rebuild_from(max(owners[-1] + 1, occupancy.size), keys, *bins)
    both = array(ranks.typecode, bytes(2 * len(rows) * ranks.itemsize))
    both[::2], both[1::2] = ranks, end_ranks
    for at in range(0, len(firsts), AT_ONCE):
        some = bounds[at : at + AT_ONCE + 1]
        low, high = some[0], some[-1]
        edges = take(keys, both[2 * low : 2 * high])
        numbered = take_numbers(seqs, rows[low:high])
        cuts = [bound - low for bound in some]
        for at_record, first, last in zip(range(at, at + len(some)), cuts, cuts[1:], strict=False):
            _fill(firsts[at_record].state, edges[2 * first : 2 * last], numbered[first:last])
    return True


def take_numbers(seqs: Sequence[int], rows: Sequence[int]) -> array[int]:
    """Return the numbers of some rows, which often are one range."""
    if isinstance(seqs, range) and seqs.step == 1:
        first = seqs.start
        return array("q", [first + row for row in rows])
    return array("q", take(seqs, rows))


def _fill(index: ExclusiveIndex, edges: tuple[Any, ...], seqs: array[int]) -> None:
    """`ExclusiveIndex.fill`, with the common case of half-open intervals in one piece first."""
    intervals = index.intervals
    if type(intervals) is DisjointIntervals and len(seqs) <= index.sizes.split:
        intervals.edges = index.edges = edges
        intervals.values = seqs
    else:
        index.fill(edges, seqs)


def _load_any(
    occupancy: OccupancyIndex,
    closed: bool,
    records: Sequence[ResourceRecord],
    starts: Sequence[Any],
    ends: Sequence[Any],
    seqs: Sequence[int],
) -> bool:
    """Do what `load` does whatever the keys are."""
    numbers = list(map(attrgetter("number"), records))
    size = max(numbers) + 1
    built: list[tuple[ResourceRecord, Sequence[Any], list[int]]] = []
    for rows in _groups(numbers, size):
        edges = _edges(closed, rows, starts, ends)
        if edges is None:
            return False
        built.append((records[rows[0]], edges, list(map(seqs.__getitem__, rows))))
    occupancy.rebuild(max(size, occupancy.size), _in_order(starts, numbers), _in_order(ends, numbers), ())
    for record, span, held in built:
        record.state.fill(span, held)
    return True


def _numbers(records: Sequence[ResourceRecord]) -> tuple[array[int], int]:
    """Return the ordinal of each row, and a number above all of them."""
    if isinstance(records, DictionaryColumn):
        places = records.places
        by_number = all(record is None or record.number == place for place, record in enumerate(records.table))
        if by_number and isinstance(places, array) and places.typecode in "BHI":
            return places, len(records.table)
    found = array("I", map(attrgetter("number"), records))
    return found, max(found) + 1


def _bins(ranks: array[int], ordinals: list[int], keys: list[Any]) -> list[PostingList]:
    """Return the ordinals of each rank, of the key that has it."""
    bins = [PostingList(key, None) for key in keys]
    deque(map(array.append, map(bins.__getitem__, ranks), ordinals), maxlen=0)
    return bins


def _groups(numbers: Sequence[int], size: int) -> list[list[int]]:
    """Return the positions of each number, in ascending order, for each number that there is."""
    groups: list[list[int]] = [[] for _ in range(size)]
    deque(map(list.append, map(groups.__getitem__, numbers), range(len(numbers))), maxlen=0)  # a loop in C
    return [group for group in groups if group]


def _in_order(keys: Sequence[Any], numbers: Sequence[int]) -> tuple[list[Any], list[int]]:
    """Return the keys in ascending order and the number of each."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return list(map(keys.__getitem__, order)), list(map(numbers.__getitem__, order))


def _ranked(starts: Sequence[Any], ends: Sequence[Any]) -> tuple[list[Any], array[int], array[int]] | None:
    """Return the distinct keys, in order, and which of them each start and each end is; None if keys hardly repeat.

    The index then holds few objects, and a question finds them in the processor's cache: half of what one about a
    random resource costs. Only keys of one type, and one whose equals look equal as well (1 and 1.0 do not).
    """
    told = _told(starts, ends)
    if told is not None:
        return told
    kinds = set(map(type, starts))
    kinds.update(map(type, ends))
    if not kinds <= SHARED or len(kinds) > 1:
        return None
    if kinds == {datetime} and any(map(_fold, chain(starts, ends))):  # both readings of a repeated hour are equal
        return None
    columns = dictionary_encode(starts, ends)
    return None if columns is None else _told(*columns)


def _told(starts: Sequence[Any], ends: Sequence[Any]) -> tuple[list[Any], array[int], array[int]] | None:
    """Return what `_ranked` does, if both columns are told by one table of distinct keys already."""
    if not isinstance(starts, DictionaryColumn) or not isinstance(ends, DictionaryColumn) or starts.table is not ends.table:
        return None
    table = starts.table
    if 2 * len(table) > len(starts) or len(set(map(type, table))) > 1 or type(table[0]) not in SHARED:
        return None
    if len(set(table)) < len(table):
        return None
    order = sorted(range(len(table)), key=table.__getitem__)
    keys, places, end_places = [table[place] for place in order], starts.places, ends.places
    if order != list(range(len(order))):
        ranks = [0] * len(table)
        for rank, place in enumerate(order):
            ranks[place] = rank
        places, end_places = list(map(ranks.__getitem__, places)), list(map(ranks.__getitem__, end_places))
    if type(keys[0]) is datetime:
        # new ones, side by side: those given lie wherever their bookings were made
        keys = [key.replace() for key in keys]
    code = _code(keys)
    return keys, array(code, places), array(code, end_places)


def _code(keys: Sequence[Any]) -> str:
    """Return the type code of an array of places among so many keys."""
    return "H" if len(keys) <= 1 << 16 else "I"


def _edges(closed: bool, rows: list[int], starts: Sequence[Any], ends: Sequence[Any]) -> list[Any] | None:
    """Put the positions of one resource's rows in order of start and return its edges, or None if two rows overlap."""
    if len(rows) > 1:
        rows.sort(key=starts.__getitem__)
    edges: list[Any] = [None] * (2 * len(rows))
    edges[::2], edges[1::2] = map(starts.__getitem__, rows), map(ends.__getitem__, rows)
    if closed:
        return edges if all(map(lt, edges[1::2], edges[2::2])) else None
    return None if any(map(lt, edges[2::2], edges[1::2])) else edges
