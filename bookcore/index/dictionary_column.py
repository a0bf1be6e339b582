"""Dictionary-encoded columns: a table of the distinct values, and for each row the place of its value in the table.

    column   b a b b c     ->     table  b a c     places  0 1 0 0 2

A million keys on the hours of one year have 8,760 distinct values. With those sorted once, the place of a value is its
rank, and everything that must be sorted or compared after that is a small whole number, which loops in C handle fast.

Invariant, which `DictionaryColumn.check` proves: every place is an index of the table. Neither the table nor the places
change once a column is made.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, compress, count, islice, repeat
from operator import add, attrgetter, eq, itemgetter, le, mul
from typing import Any

from bookcore.index.column import SHARED
from bookcore.index.lanes import BITS, ROWS, count_below, field, lanes_of, sorted_lanes

_fold = attrgetter("fold")

_AT_ONCE = 1 << 16
"""How many values `places_in` looks up together."""

PART = 1 << 14
"""How many values at random places in memory one call in C reads: that takes it a few milliseconds at most."""

_ENCODED = 1 << 11
"""How many values `dictionary_encode` looks up together: they are then in the processor's cache."""


class DictionaryColumn(Sequence[Any]):
    """A sequence of values that are stored as places in a table.

    >>> column = DictionaryColumn("bac", [0, 1, 0, 0, 2])
    >>> list(column), column[4], column.tally()
    (['b', 'a', 'b', 'b', 'c'], 'c', Counter({0: 3, 1: 1, 2: 1}))
    """

    __slots__ = ("_tally", "places", "table")

    def __init__(self, table: Sequence[Any], places: Sequence[int]) -> None:
        self.table = table
        self.places = places
        self._tally: dict[int, int] | None = None

    def tally(self) -> dict[int, int]:
        """Return the number of rows of each place that has any. O(n) at the first call, then O(1)."""
        if self._tally is None:
            self._tally = Counter(self.places)
        return self._tally

    def set_tally(self, tally: dict[int, int]) -> None:
        """Set what `tally` returns, where the caller has computed it already."""
        self._tally = tally

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return DictionaryColumn(self.table, self.places[at])
        return self.table[self.places[at]]

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Any]:
        return map(self.table.__getitem__, self.places)

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds. O(n)."""
        if self.places and not 0 <= min(self.places) <= max(self.places) < len(self.table):
            raise AssertionError("a place is not in the table")
        if self._tally is not None and self._tally != Counter(self.places):
            raise AssertionError("the tally is not that of the places")


def dictionary_encode(
    *columns: Sequence[Any], suits: Callable[[Sequence[Any]], bool] | None = None
) -> list[DictionaryColumn] | None:
    """Return the columns encoded by one table of their distinct values in ascending order.

    None if there are more distinct values than half the average length of a column: then encoding does not pay. The
    values have to be of one type, hashable, and comparable by ``<``. *suits* is asked of some values at a time before they
    are looked up, when reading them costs least; None if it is ever False.

    Complexity: O(n + d log d) for d distinct values.

    >>> [start, end] = dictionary_encode([3, 1, 3, 1, 3, 1], [3, 3, 3, 3, 3, 3])
    >>> start.table, list(start.places), list(end.places)
    ([1, 3], [1, 0, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1])
    """
    most = sum(map(len, columns)) // 4
    number_of: defaultdict[Any, int] = defaultdict(count().__next__)  # by order of appearance
    numbered: list[list[int]] = []
    for column in columns:
        numbers: list[int] = []
        for at in range(0, len(column), _ENCODED):
            part = column[at : at + _ENCODED]
            if suits is not None and not suits(part):
                return None
            numbers += take(number_of, part)
            if len(number_of) > most:
                return None
        numbered.append(numbers)
    table = sorted(number_of)
    if not all(map(eq, table, table)):
        return None
    rank_of = [0] * len(table)
    for rank, value in enumerate(table):
        rank_of[number_of[value]] = rank
    code = code_for(len(table))
    return [DictionaryColumn(table, array(code, map(rank_of.__getitem__, numbers))) for numbers in numbered]


def encode_keys(starts: Sequence[Any], ends: Sequence[Any]) -> list[DictionaryColumn] | None:
    """Return two columns of keys in index form, not empty, as `dictionary_encode` does.

    None as well unless all are of one type of which equal values are interchangeable, as 1 and 1.0 are not.
    """
    cls = type(starts[0])

    def suits(part: Sequence[Any]) -> bool:  # equal datetimes that differ in ``fold`` may not share a place
        return set(map(type, part)) == {cls} and not (cls is datetime and any(map(_fold, part)))

    return dictionary_encode(starts, ends, suits=suits) if cls in SHARED else None


def code_for(size: int) -> str:
    """Return the type code of an array of positions in a table of this size."""
    return "H" if size <= 1 << 16 else "I"


def places_in(table: Sequence[Any], values: Iterable[Any]) -> array[int]:
    """Return the place in a table of each value, by identity. A None in the table is a place without a value.

    Raises: `KeyError` for a value that is not in the table, and for None. O(table + values).
    """
    by_identity = all(map(_has_identity_hash, {*map(type, table)} - {type(None)}))
    place_of: dict[Any, int]
    if by_identity:  # a dict finds such values by identity without making a number of each by `id`
        place_of = dict(zip(table, range(len(table)), strict=True))
        place_of.pop(None, None)
    else:
        place_of = dict(zip(map(id, table), range(len(table)), strict=True))
        place_of.pop(id(None), None)
    places: list[int] = []
    types: set[type] = set()
    values = iter(values)
    while part := list(islice(values, _AT_ONCE)):
        if not by_identity:
            places += map(place_of.__getitem__, map(id, part))
            continue
        types.update(map(type, part))
        if not all(map(_has_identity_hash, types)):  # find out that a value is unknown without running code of its class
            raise KeyError(part[0])
        places += take(place_of, part)
    return array("I", places)


def _has_identity_hash(cls: Any) -> bool:
    """Tell whether a dict looks up instances of a class by identity, without running code of the class."""
    return cls.__hash__ is object.__hash__ and cls.__eq__ is object.__eq__


def take(values: Any, places: Sequence[Any]) -> tuple[Any, ...]:
    """Return ``values[place]`` for each place, in few calls.

    Values that were made one by one lie all over the memory. In so short a loop of C the processor fetches the next before
    it has the last: for a million values in random order this took half the time of mapping ``values.__getitem__``.

    >>> take("abc", [2, 0, 2])
    ('c', 'a', 'c')
    """
    return taker(places)(values)


def places_by(place_of: Any, values: Sequence[Any]) -> array[int]:
    """Return what a mapping has for each value, `PART` values at a time. O(n).

    >>> places_by({"a": 0, "b": 1}, "ba")
    array('I', [1, 0])
    """
    places = array("I")
    for at in range(0, len(values), PART):
        places += array("I", take(place_of, values[at : at + PART]))
    return places


def taker(places: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that does what `take` does, for several columns in turn. O(n).

    It takes `PART` values at a time: no other thread runs while one call in C is at work.
    """
    if len(places) > PART:
        takers = [taker(places[at : at + PART]) for at in range(0, len(places), PART)]
        return lambda values: tuple(chain.from_iterable(each(values) for each in takers))
    return itemgetter(*places) if len(places) > 1 else lambda values: tuple([values[place] for place in places])


def sort_rows(
    owners: array[int], ranks: array[int], end_ranks: array[int], rank_count: int
) -> tuple[array[int], array[int], array[int], array[int]]:
    """Return the numbers of the rows by owner, then by rank; and the owner, the rank and the end rank of each, so ordered.

    All ranks are below *rank_count*. Rows of equal owner and rank keep their order. Columns that are in order already, as
    those of a table often are, are returned as they are. Complexity: O(n log n).

    >>> rows, *columns = sort_rows(array("I", [1, 0, 0]), array("I", [3, 7, 5]), array("I", [4, 8, 6]), 9)
    >>> list(rows), list(map(list, columns))
    ([2, 1, 0], [[0, 0, 1], [5, 7, 3], [6, 8, 4]])
    """
    if is_ascending(owners):
        keys = list(map(add, map(mul, owners, repeat(rank_count)), ranks))
        if all(map(le, keys, islice(keys, 1, None))):
            return array("I", range(len(keys))), owners, ranks, end_ranks
    count = len(owners)
    row_bits, rank_bits, owner_bits = (most.bit_length() for most in (count - 1, rank_count - 1, max(owners)))
    if row_bits + rank_bits + owner_bits > BITS:
        keys = list(map(add, map(mul, owners, repeat(rank_count)), ranks))
        rows = array("I", sorted(range(count), key=keys.__getitem__))
        owners, ranks = (array(column.typecode, take(column, rows)) for column in (owners, ranks))
    else:
        lanes = (lanes_of(owners) << rank_bits | lanes_of(ranks)) << row_bits | lanes_of(array("I", range(count)))
        in_order = sorted_lanes(lanes, count)
        rows = field(in_order, count, 0, row_bits, "I")
        ranks = field(in_order, count, row_bits, rank_bits, ranks.typecode)
        owners = field(in_order, count, row_bits + rank_bits, owner_bits, owners.typecode)
    return rows, owners, ranks, array(end_ranks.typecode, take(end_ranks, rows))


def is_ascending(numbers: array[int]) -> bool:
    """Tell whether no number is below the one before it. O(n), in C.

    >>> is_ascending(array("H", [2, 2, 5]))
    True
    """
    return count_below(numbers[1:], numbers[:-1]) == 0


def are_below(numbers: array[int] | bytes, limit: int) -> bool:
    """Tell whether all of some unsigned numbers are below a limit. O(n), in C.

    >>> are_below(array("H", [2, 0, 5]), 6), are_below(bytes(3), 0)
    (True, False)
    """
    if isinstance(numbers, bytes):
        return not numbers.translate(None, bytes(range(min(limit, 256))))
    if limit >> 8 * numbers.itemsize:
        return True
    return count_below(numbers, array(numbers.typecode, [limit]) * len(numbers)) == len(numbers)


def run_bounds(numbers: array[int]) -> list[int]:
    """Return the position at which each run of equal numbers begins, and their end; there is a number. O(n), in C.

    >>> run_bounds(array("H", [7, 7, 7, 2, 5, 5]))
    [0, 3, 4, 6]
    """
    bounds = [0]
    for at in range(0, len(numbers), ROWS):
        part = numbers[at : at + ROWS + 1]
        lanes = int.from_bytes(part, "little")
        changes = (lanes ^ lanes >> 8 * part.itemsize).to_bytes(len(part) * part.itemsize, "little")
        bounds += compress(range(at + 1, at + len(part)), array(part.typecode, changes))
    return [*bounds, len(numbers)]


def are_spans(closed: bool, starts: array[int], ends: array[int]) -> bool:
    """Tell whether each start is before its end; with *closed*, whether none is after it. O(n), in C.

    >>> are_spans(False, array("H", [1, 5]), array("H", [2, 5])), are_spans(True, array("H", [1, 5]), array("H", [2, 5]))
    (False, True)
    """
    return count_below(ends, starts) == 0 if closed else count_below(starts, ends) == len(starts)


def has_overlap(closed: bool, ranks: array[int], end_ranks: array[int], bounds: Sequence[int]) -> bool:
    """Tell whether any row overlaps the next row of its owner. Rows are in the order of `sort_rows`. O(n), in C.

    The rows of owner number k in that order are ``bounds[k] .. bounds[k + 1] - 1``. *closed*: touching is overlapping.

    >>> has_overlap(False, array("I", [5, 7, 3]), array("I", [7, 8, 4]), [0, 2, 3])
    False
    >>> has_overlap(True, array("I", [5, 7, 3]), array("I", [7, 8, 4]), [0, 2, 3])
    True
    """
    firsts, lasts = bounds[1:-1], [bound - 1 for bound in bounds[1:-1]]
    # the last row of each owner but the last owner is followed by a row of another owner
    of_others = array(ranks.typecode, take(ranks, firsts)), array(ranks.typecode, take(end_ranks, lasts))
    return _count_overlaps(closed, ranks[1:], end_ranks[:-1]) > _count_overlaps(closed, *of_others)


def _count_overlaps(closed: bool, starts: array[int], ends: array[int]) -> int:
    """Return how many of the spans that end at *ends* reach the start beside that end."""
    return len(starts) - count_below(ends, starts) if closed else count_below(starts, ends)
