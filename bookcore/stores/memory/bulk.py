"""Loading many rows into the indexes at once: all rows are sorted once, and the indexes are rebuilt.

    rows         (record, start, end, number), as columns in any order
    ranks        if keys repeat: the distinct keys are sorted once; then only their ranks are used, in arrays
    intervals    the rows are sorted by resource and start, as small numbers, and neighbours compared once
    occupancy    the ordinals are collected under each key: `OccupancyIndex.rebuild_from`

If keys hardly repeat, the keys themselves are used: the rows of each resource are sorted by start, and all starts and all
ends are sorted once (`OccupancyIndex.rebuild`). Of few rows the occupancy index makes no chunks yet: they wait there for the
first question (`OccupancyIndex.replace`).

All comparisons of keys come before the first change.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter, lt, sub
from typing import Any

from bookcore.index.column import SHARED
from bookcore.index.dictionary_column import (
    DictionaryColumn,
    code_for,
    encode_keys,
    has_overlap,
    is_ascending,
    run_bounds,
    sort_rows,
    take,
)
from bookcore.index.lanes import widened
from bookcore.index.occupancy import OccupancyIndex
from bookcore.model.keys import HIGHEST, LOWEST
from bookcore.stores.record import ResourceRecord

REBUILD = 4
"""A load rebuilds the indexes if they contain at most this many times as many rows already: with more, sorting all rows may
cost more than inserting the new ones."""

AT_ONCE = 256
"""The number of resources whose intervals are made together: their keys, which are scattered in memory, are then still in
the processor's cache."""


def worth_it(occupancy: OccupancyIndex, count: int) -> bool:
    """Tell whether *count* new rows are enough to rebuild the indexes. O(1)."""
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
    """Add the rows to the intervals and the occupancy; if a row does not fit, change nothing and return False.

    *held* are the records that have rows already; all records are exclusive. O(k log k) for k rows, old and new.
    """
    if held:
        added: Any = records, starts, ends, seqs
        records, starts, ends, seqs = [], [], [], []
        for record in held:
            rows = record.state.rows()
            edges, values = rows.edges, rows.values
            if edges[0] is LOWEST or edges[-1] is HIGHEST:
                return False
            records += [record] * len(values)
            starts += edges[::2]
            ends += edges[1::2]
            seqs += values
        known: Any = records, starts, ends, seqs
        records, starts, ends, seqs = (old + list(new) for old, new in zip(known, added, strict=True))
        starts, ends = encode_keys(starts, ends) or (starts, ends)
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
    """Do what `load` does if keys repeat: *keys* are the distinct keys in order, the ranks are positions among them.

    Complexity: O(k log k), nearly all of it in C, on small whole numbers: no key is compared.
    """
    numbers = _numbers(records)
    owners = numbers
    rows: Sequence[int] = range(len(numbers))
    bounds = run_bounds(owners) if is_ascending(owners) else None
    # where each start comes after the end before it, the rows of a resource are in order
    if bounds is None or has_overlap(closed, ranks, end_ranks, bounds):
        rows, owners, ranks, end_ranks = sort_rows(owners, ranks, end_ranks, len(keys))
        bounds = run_bounds(owners)
        if has_overlap(closed, ranks, end_ranks, bounds):
            return False
    begun = bounds[:-1]
    if isinstance(records, DictionaryColumn) and numbers is records.places:
        places = take(owners, begun)
        records.set_tally(dict(zip(places, map(sub, bounds[1:], begun), strict=True)))
        firsts = take(records.table, places)
    else:
        firsts = take(records, take(rows, begun))
    size = max(owners[-1] + 1, occupancy.size)
    if len(rows) < occupancy.waiting_limit:
        occupancy.replace(size, owners, take(keys, ranks), take(keys, end_ranks), keys)
    else:
        occupancy.rebuild_from(size, keys, *(_bins(column, owners, len(keys)) for column in (ranks, end_ranks)))
    both = array(ranks.typecode, bytes(2 * len(rows) * ranks.itemsize))
    both[::2], both[1::2] = ranks, end_ranks
    for at in range(0, len(firsts), AT_ONCE):
        batch = bounds[at : at + AT_ONCE + 1]
        low, high = batch[0], batch[-1]
        edges = take(keys, both[2 * low : 2 * high])
        numbered = take_numbers(seqs, rows[low:high])
        cuts = [bound - low for bound in batch]
        for record, first, last in zip(firsts[at : at + AT_ONCE], cuts[:-1], cuts[1:], strict=True):
            index = record.state
            own, values = edges[2 * first : 2 * last], numbered[first:last]
            if index.edges is not None and last - first <= index.sizes.split:
                index.edges, index.values = own, values  # `ExclusiveIndex.fill`, written out for what is not chunked
            else:
                index.fill(own, values)
    return True


def take_numbers(seqs: Sequence[int], rows: Sequence[int]) -> array[int]:
    """Return the numbers at some positions; *seqs* is often a range, or *rows*, which is faster."""
    if isinstance(rows, range):
        numbers = seqs[rows.start : rows.stop]
        return widened(numbers) if isinstance(numbers, array) else array("q", iter(numbers))
    if isinstance(seqs, range) and seqs.step == 1 and isinstance(rows, array):
        return widened(rows, seqs.start)
    return array("q", take(seqs, rows))


def _load_any(
    occupancy: OccupancyIndex,
    closed: bool,
    records: Sequence[ResourceRecord],
    starts: Sequence[Any],
    ends: Sequence[Any],
    seqs: Sequence[int],
) -> bool:
    """Do what `load` does, for any keys."""
    numbers = list(map(attrgetter("number"), records))
    size = max(numbers) + 1
    built: list[tuple[ResourceRecord, Sequence[Any], list[int]]] = []
    for rows in _groups(numbers, size):
        edges = _edges(closed, rows, starts, ends)
        if edges is None:
            return False
        built.append((records[rows[0]], edges, list(map(seqs.__getitem__, rows))))
    occupancy.replace(max(size, occupancy.size), numbers, starts, ends)
    for record, span, held in built:
        record.state.fill(span, held)
    return True


def _numbers(records: Sequence[ResourceRecord]) -> array[int]:
    """Return the resource number of each row."""
    if isinstance(records, DictionaryColumn):
        places = records.places
        by_number = all(record is None or record.number == place for place, record in enumerate(records.table))
        if by_number and isinstance(places, array) and places.typecode in "BHI":
            return places
    return array("I", map(attrgetter("number"), records))


def _bins(ranks: array[int], ordinals: array[int], count: int) -> list[array[int]]:
    """Return an array of ordinals for each of so many keys."""
    bins = [array("I") for _ in range(count)]
    for rank, ordinal in zip(ranks, ordinals, strict=True):
        bins[rank].append(ordinal)
    return bins


def _groups(numbers: Sequence[int], size: int) -> list[list[int]]:
    """Return a list of the positions of each number that occurs, in ascending order."""
    groups: list[list[int]] = [[] for _ in range(size)]
    deque(map(list.append, map(groups.__getitem__, numbers), range(len(numbers))), maxlen=0)  # a loop in C
    return [group for group in groups if group]


def _ranked(starts: Sequence[Any], ends: Sequence[Any]) -> tuple[list[Any], array[int], array[int]] | None:
    """Return the distinct keys in order, and the ranks of the starts and the ends; None if keys hardly repeat.

    The index then has few key objects, which are in the processor's cache: this halves the cost of a question about a random
    resource. It is done only for columns that are dictionary-encoded with the same table, of keys of one type whose equal
    values are interchangeable (1 and 1.0 are not). The caller of the store has encoded its columns where that pays.
    """
    if not isinstance(starts, DictionaryColumn) or not isinstance(ends, DictionaryColumn) or starts.table is not ends.table:
        return None
    table = starts.table
    if 2 * len(table) > len(starts) or len(set(map(type, table))) > 1 or type(table[0]) not in SHARED:
        return None
    if len(set(table)) < len(table):
        return None
    order = sorted(range(len(table)), key=table.__getitem__)
    keys: list[Any] = [table[place] for place in order]
    places: Iterable[int] = starts.places
    end_places: Iterable[int] = ends.places
    if order != list(range(len(order))):
        ranks = [0] * len(table)
        for rank, place in enumerate(order):
            ranks[place] = rank
        places, end_places = [ranks[place] for place in places], [ranks[place] for place in end_places]
    if type(keys[0]) is datetime:
        # new objects lie side by side in memory, which the given keys do not
        keys = [key.replace() for key in keys]
    code = code_for(len(keys))
    low, high = (at if isinstance(at, array) and at.typecode == code else array(code, at) for at in (places, end_places))
    return keys, low, high


def _edges(closed: bool, rows: list[int], starts: Sequence[Any], ends: Sequence[Any]) -> list[Any] | None:
    """Sort the positions of one resource's rows by start and return its edges, or None if two rows overlap."""
    if len(rows) > 1:
        rows.sort(key=starts.__getitem__)
    edges: list[Any] = [None] * (2 * len(rows))
    edges[::2], edges[1::2] = map(starts.__getitem__, rows), map(ends.__getitem__, rows)
    if closed:
        return edges if all(map(lt, edges[1::2], edges[2::2])) else None
    return None if any(map(lt, edges[2::2], edges[1::2])) else edges
