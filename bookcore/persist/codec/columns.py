"""Columns of any plain values: grouped by type, with repeated values written once.

    column  =  EMPTY                                                 no rows
            |  node                                                  all rows of one kind
            |  MIXED  kinds  kind-of-each-row  node node ...         rows of several kinds
    node    =  family  values
            |  TABLE  size  entry-of-each-row  family  values        few distinct values, often repeated

The *kind* of a value is its exact type, and for datetimes also the zone. Two values of one kind share an entry of a
table only if they are equal in everything: ``Decimal("1.0")`` and ``Decimal("1.00")`` do not, nor do the two
readings of a repeated hour. All rows of an entry are read as one object. A million bookings on the hour of a year
have 8,760 distinct keys.

Values that hold other values (tuples, lists, dicts, instances of registered classes) are put in tables only in the
outermost column. With tables inside of tables, a few bytes could describe a value too large for memory.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from itertools import count
from operator import attrgetter
from types import NoneType
from typing import Any, NamedTuple, TypeAlias

from bookcore.index.dictionary_column import PART, DictionaryColumn, are_below, places_by
from bookcore.index.lanes import most_bits
from bookcore.model.errors import attempt, blaming
from bookcore.persist.codec.blob import MAX_DEPTH, BlobReader, BlobWriter, Unreadable, Unwritable, width_for
from bookcore.persist.codec.budget import Budget
from bookcore.persist.codec.containers import CONTAINERS
from bookcore.persist.codec.extension_types import EXTENSIONS, coded, extension_family, extension_kind
from bookcore.persist.codec.family import ColumnReader, ColumnWriter, Family, by_value
from bookcore.persist.codec.scalars import SCALARS
from bookcore.persist.codec.times import TIMES, zone_groups
from bookcore.persist.errors import failure

_FAMILIES: dict[type, Family] = {**SCALARS, **TIMES, **CONTAINERS}
_BY_CODE = {family.code: family for family in (*_FAMILIES.values(), *EXTENSIONS)}
_EMPTY, _MIXED, _TABLE = 0xF0, 0xF1, 0xF2
_ZONED = tuple(cls for cls in TIMES if hasattr(cls, "tzinfo"))
_fold = attrgetter("fold")
_SAMPLE_SIZE = 1 << 13
_STRIDE = 2_654_435_761  # a prime, which spreads the sample over a column in whatever order it is


class KeyColumn(NamedTuple):
    """A column of keys.

    ``values``: a list, or a `DictionaryColumn` where the column was read as one table, or will be written so.
    ``normals``: the table in index form, added when `decode_state` checks the column.
    """

    values: Any
    normals: Sequence[Any] | None = None


def encode_column(values: list[Any], *, blank: bool = False) -> bytes:
    """Return *values* as bytes; *blank*: the caller knows that all of them are None.

    Raises: `Unwritable` for a value of a type without a family, or nested more than 32 deep (or in itself).

    Complexity: O(n), 20 to 300 ns a value.

    >>> decode_column(encode_column([1, None, (2, "x"), 1.5]), 4)
    [1, None, (2, 'x'), 1.5]
    """
    out = _Writer(len(values))
    out.size(len(values))
    if blank and values:
        out.values(_FAMILIES[NoneType], values)
    else:
        out.column(values)
    return out.getvalue()


def encode_keys(keys: KeyColumn) -> bytes:
    """Return keys as bytes. As `encode_column`; if they have a table, the values themselves are not looked at."""
    column = keys.values
    if not isinstance(column, DictionaryColumn):
        return encode_column(column)
    out = _Writer(len(column))
    out.size(len(column))
    out.table(_FAMILIES[type(column.table[0])], list(column.table), column.places)
    return out.getvalue()


def decode_column(data: bytes, count: int, budget: Budget | None = None) -> list[Any]:
    """Return the *count* values in *data*, which are charged to *budget* (by default, that of *data* alone).

    Raises: `Unreadable`, and nothing else, whatever *data* is.

    Complexity: O(len(data)), in time and memory.
    """
    values: list[Any] = _decoded(data, count, budget, compared=False)
    return values


def decode_keys(data: bytes, count: int, budget: Budget | None = None) -> KeyColumn:
    """Return the *count* values in *data*, as `decode_column` does, with the table they were read from.

    Each row is going to be compared, so that what rows share is charged within tuples as well.
    """
    return KeyColumn(_decoded(data, count, budget, compared=True))


def _decoded(data: bytes, count: int, budget: Budget | None, compared: bool) -> Any:
    src = _Reader(data, budget or Budget(len(data)), compared)
    # the constructors of the types raise errors of many classes
    with blaming(lambda exc: Unreadable(f"a value that cannot be made ({failure(exc)})"), Unreadable):
        rows = src.size()
        if rows != count:
            raise Unreadable(f"a column of {rows} rows, {count} expected")
        values = src.column(count)
        src.finish()
        return values


def encode_numbers(values: Sequence[int]) -> bytes:
    """Return whole numbers from 0 as an array of the narrowest width; as a column of ints if one is 2**64 or more.

    Raises: `Unwritable` for a number of more than a megabyte.

    >>> list(decode_numbers(encode_numbers([3, 1, 2]), 3, below=4))
    [3, 1, 2]
    """
    rows: Any = values if isinstance(values, list | array | bytes) else list(values)
    if rows and rows[0] == rows[-1] < 256 and rows.count(rows[0]) == len(rows):  # the most frequent case: all are equal
        return b"B" + bytes((rows[0],)) * len(rows)
    out = BlobWriter()
    bits = most_bits(rows) if isinstance(rows, array) else max(rows, default=0).bit_length()
    if bits > 64:
        return b"V" + encode_column(list(rows))
    code = width_for(1 << bits)
    out.byte(ord(code))
    if code == "Q":
        out.numbers(code, rows)
    else:
        out.places(1 << bits, rows if isinstance(rows, array) else array("I", rows))
    return out.getvalue()


def decode_numbers(data: bytes, count: int, budget: Budget | None = None, *, below: int | None = None) -> Sequence[int]:
    """Return the *count* numbers in *data*; `Unreadable` if there are more or fewer, or one is not less than *below*.

    Without *below* they may be of any size.
    """
    src = BlobReader(data)
    code = chr(src.byte())
    if code == "V" and below is None:
        large = decode_column(data[1:], count, budget)
        if set(map(type, large)) != {int} or min(large) < 0:
            raise Unreadable("a number that is no int from 0")
        return large
    if code not in "BHIQ":
        raise Unreadable("numbers of an unknown width")
    numbers: Any = bytes(src.fixed(count)) if code == "B" else src.numbers(code, count)
    src.finish()
    if below is not None and not are_below(numbers, below):
        raise Unreadable(f"a number {max(numbers)} where all should be below {below}")
    checked: Sequence[int] = numbers
    return checked


class _Writer(ColumnWriter):
    """Writes columns of any values, and limits how deep and how far nested values are unfolded."""

    __slots__ = ("_budget", "_depth")

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._depth = 0
        self._budget = (1 << 24) + 64 * rows  # a list that holds itself many times must not be unfolded
        self.outermost = False

    def spend(self, count: int) -> None:
        self._budget -= count
        if self._budget < 0:
            raise Unwritable(None, "too many values nested in values (does one hold itself?)")

    def coded(self, value: Any) -> tuple[str, Any] | None:
        return coded(value)

    def column(self, values: list[Any]) -> None:
        if not values:
            self.byte(_EMPTY)
            return
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unwritable(None, f"values nested more than {MAX_DEPTH} deep (does one hold itself?)")
        types: set[type] = set()
        for at in range(0, len(values), PART):  # no other thread runs within
            types.update(map(type, values[at : at + PART]))
        table = table_of_naive_datetimes(values) if types == {datetime} else None
        kinds = None if table else _split(values, types)
        self.outermost = kinds is None and self._depth == 1
        if table:
            self.table(_FAMILIES[datetime], *table)
        elif kinds is None:
            self._node(values)
        else:
            groups, kind_of_each_row = kinds
            self.byte(_MIXED)
            self.size(len(groups))
            self.places(len(groups), kind_of_each_row)
            for group in groups:
                self._node(group)
        self._depth -= 1

    def _node(self, values: list[Any]) -> None:
        """Append values of one kind."""
        cls = type(values[0])
        family = _FAMILIES.get(cls) or extension_family(cls, values[0])
        table = _table(values, family) if _may_be_in_table(family, self._depth) else None
        if table:
            self.table(family, *table)
        else:
            self.values(family, values)

    def table(self, family: Family, distinct: list[Any], entries: Any) -> None:
        """Append distinct values of one kind, and for each row its place among them."""
        self.outermost = False
        self.byte(_TABLE)
        self.size(len(distinct))
        self.places(len(distinct), entries)
        self.values(family, distinct)

    def values(self, family: Family, values: list[Any]) -> None:
        """Append values of one kind."""
        self.byte(family.code)
        family.encode(self, values)


class _Reader(ColumnReader):
    """Reads columns of any values. If they are *compared*, a table that is a whole column stays one."""

    __slots__ = ("_compared", "_depth")

    def __init__(self, data: bytes, budget: Budget, compared: bool) -> None:
        super().__init__(data)
        self.budget = budget
        self._compared = compared
        self._depth = 0
        self.outermost = False

    def column(self, rows: int) -> Sequence[Any]:
        code = self.byte()
        if (code == _EMPTY) != (rows == 0):
            raise Unreadable("a column without rows where some are expected, or the reverse")
        if code == _EMPTY:
            return []
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"values nested more than {MAX_DEPTH} deep")
        self.outermost = code not in (_MIXED, _TABLE) and self._depth == 1
        values = self._mixed(rows) if code == _MIXED else self._node(code, rows)
        self._depth -= 1
        return values

    def _mixed(self, rows: int) -> list[Any]:
        kinds = self.size()
        if not 2 <= kinds <= rows:
            raise Unreadable(f"{kinds} kinds of values in {rows} rows")
        kind_of_each_row = self.numbers(width_for(kinds), rows)
        counts = Counter(kind_of_each_row)
        if len(counts) != kinds:
            raise Unreadable("a kind of value without a row")
        groups = [iter(self._node(self.byte(), counts[kind])) for kind in range(kinds)]
        return list(map(next, map(groups.__getitem__, kind_of_each_row)))

    def _node(self, code: int, rows: int) -> Sequence[Any]:
        if code != _TABLE:
            return self._decoded(self._family(code), rows)
        size = self.size()
        if not 1 <= size <= rows:
            raise Unreadable(f"a table of {size} entries for {rows} rows")
        entries = self.numbers(width_for(size), rows)
        family = self._family(self.byte())
        if not _may_be_in_table(family, self._depth):
            raise Unreadable("a table of values that are not put in tables")
        distinct = self._decoded(family, size)
        if not are_below(entries, size):
            raise Unreadable("an entry past the end of its table")
        if self._depth == 1 or self._compared:
            self.budget.charge_shared(distinct, entries)
        values = DictionaryColumn(distinct, entries)
        return values if self._compared and self._depth == 1 else list(values)

    def _decoded(self, family: Family, rows: int) -> list[Any]:
        if not family.scalar:
            self.budget.charge(rows)  # before the first of them is made
        return family.decode(self, rows)

    def _family(self, code: int) -> Family:
        try:
            return _BY_CODE[code]
        except KeyError:
            raise Unreadable(f"values of an unknown family {code}") from None


Table: TypeAlias = tuple[list[Any], "array[Any]"]
"""Distinct values, and for each row its place among them."""

_Groups: TypeAlias = tuple[list[list[Any]], "array[Any]"]  # the values of each kind, and the kind of each row


def _may_be_in_table(family: Family, depth: int) -> bool:
    return family.tokens is not None and (family.scalar or depth == 1)


def _split(values: list[Any], types: set[type]) -> _Groups | None:
    """Return the values of each kind and, for each row, its kind; None if all values are of one kind."""
    if len(types) == 1:
        kinds = _kinds_within_type(values)
        return None if kinds is None else _grouped(values, kinds)
    by_type, type_of_each_row = _grouped(values, list(map(type, values)))
    kinds_by_type = [_kinds_within_type(group) for group in by_type]
    if not any(kinds_by_type):
        return by_type, type_of_each_row
    rows = [iter(kinds or [None] * len(group)) for kinds, group in zip(kinds_by_type, by_type, strict=True)]
    return _grouped(values, [(number, next(rows[number])) for number in type_of_each_row])


def _kinds_within_type(values: list[Any]) -> list[Hashable] | None:
    """Return a token for the kind of each of these values of one type, or None if all are of one kind."""
    cls = type(values[0])
    if cls in _ZONED:
        return zone_groups(values)
    if cls in _FAMILIES:
        return None
    family = extension_family(cls, values[0])
    kinds = [extension_kind(value, family) for value in values]
    return kinds if len(set(kinds)) > 1 else None


def _grouped(values: list[Any], kinds: list[Any]) -> _Groups:
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    deque(map(list.append, map(groups.__getitem__, kinds), values), maxlen=0)
    numbers = dict(zip(groups, range(len(groups)), strict=True))
    return list(groups.values()), array("I", map(numbers.__getitem__, kinds))


def _table(values: list[Any], family: Family) -> Table | None:
    """Return the distinct values and, for each row, its place among them; None if a table would not be smaller."""
    tokens_of: Any = family.tokens
    # the hash of a datetime is code of its zone; one that raises cannot be written, which the family says
    if not attempt(lambda: _repeats(values, tokens_of), False):
        return None
    tokens = tokens_of(values)
    numbers, entries = _numbered(tokens)
    if tokens is values:
        return list(numbers), entries
    return list(dict(zip(tokens_of(values), values, strict=True)).values()), entries


def table_of_naive_datetimes(values: list[Any]) -> Table | None:
    """Return what `_table` does, in ascending order, or None if some datetime has a zone or a fold, or some value is None.

    The zone is looked up in the distinct values only: a datetime without a zone never equals one with a zone.
    The fold is looked up in every value: two datetimes without a zone are equal although their folds differ.
    In ascending order, the places of the values are in the order of the values, which a reader need not compare then.
    """
    if values[0] is None or values[0].tzinfo is not None or not _repeats(values, by_value):
        return None
    distinct: set[Any] = set()
    for at in range(0, len(values), PART):  # no other thread runs within
        part = values[at : at + PART]
        distinct.update(part)
        if None in distinct or any(map(_fold, part)):
            return None
    if any(key.tzinfo is not None for key in distinct):
        return None
    table = sorted(distinct)
    return table, places_by(dict(zip(table, range(len(table)), strict=True)), values)


def _repeats(values: list[Any], tokens: Callable[[list[Any]], Iterable[Hashable]]) -> bool:
    """Tell whether, judged by a sample, values occur twice on average."""
    total = len(values)
    if total <= _SAMPLE_SIZE:
        return 2 * len(set(tokens(values))) <= total
    # a sample of n values, out of k distinct ones, has about n * n / 2k repetitions
    sample = [values[i * _STRIDE % total] for i in range(_SAMPLE_SIZE)]
    return (_SAMPLE_SIZE - len(set(tokens(sample)))) * total >= _SAMPLE_SIZE * _SAMPLE_SIZE


def _numbered(things: Iterable[Any]) -> tuple[dict[Any, int], array[Any]]:
    """Return the distinct things in order of appearance, each with its number, and the number of each row."""
    numbers: defaultdict[Any, int] = defaultdict(count().__next__)
    return numbers, places_by(numbers, things if isinstance(things, list) else list(things))
