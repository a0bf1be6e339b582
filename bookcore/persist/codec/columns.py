"""Columns of any plain values: sorted by type, repeated values told once.

    column  =  EMPTY                                                no rows
            |  node                                                 all rows of one kind
            |  MIXED  kinds  which-kind-each-row  node node ...     rows of several kinds
    node    =  family  values
            |  TABLE  size  which-entry-each-row  family  values    few values, often repeated

A *kind* is the exact type, and for datetimes the zone. Within a kind, a table is made only of values that are
the same in everything (``1`` and ``True``, ``Decimal("1.0")`` and ``Decimal("1.00")``, the two passes of one
hour are not); all rows of one entry are one object again when they are read. A million bookings on the hour
of a year have 8,760 keys.

What holds other values (tuples, lists, dicts, classes of the user) is put in tables only at the outermost
level: a table within a table could describe, in a few bytes, a value too large to look at.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from itertools import count
from operator import attrgetter
from typing import Any, NamedTuple

from bookcore.index.dictionary_column import gathered
from bookcore.persist.codec.blob import MAX_DEPTH, BlobReader, BlobWriter, Unreadable, Unwritable, width_for
from bookcore.persist.codec.containers import CONTAINERS
from bookcore.persist.codec.foreign import FOREIGN, foreign_family, foreign_kind
from bookcore.persist.codec.scalars import SCALARS, Family, by_value
from bookcore.persist.codec.times import TIMES, zone_groups
from bookcore.persist.errors import failure

__all__ = [
    "FAMILIES",
    "KeyColumn",
    "Reader",
    "Writer",
    "decode_column",
    "decode_keys",
    "decode_numbers",
    "encode_column",
    "encode_numbers",
]

FAMILIES: dict[type, Family] = {**SCALARS, **TIMES, **CONTAINERS}
_BY_CODE = {family.code: family for family in (*FAMILIES.values(), *FOREIGN)}
_EMPTY, _MIXED, _TABLE = 0xF0, 0xF1, 0xF2
_ZONED = tuple(cls for cls in TIMES if hasattr(cls, "tzinfo"))
_DATETIMES = {datetime}
_fold = attrgetter("fold")
_SAMPLE = 1 << 13
_STRIDE = 2_654_435_761  # a prime, to sample all over a column whatever its order


def encode_column(values: list[Any], cls: type | None = None) -> bytes:
    """Return *values* as bytes; *cls* is the exact type of all that are not None, if the caller knows it.

    Raises: `Unwritable` for a value of a type that is not carried, or nested more than 32 deep (or in
    itself).

    Complexity: O(n), 20 to 300 ns a value.

    >>> decode_column(encode_column([1, None, (2, "x"), 1.5]), 4)
    [1, None, (2, 'x'), 1.5]
    """
    out = Writer(len(values))
    out.size(len(values))
    table = _plain_datetimes(values) if cls is datetime and values else None  # a look less at each
    if table:
        out.tabled(FAMILIES[datetime], *table)
    else:
        out.column(values)
    return out.getvalue()


def decode_column(data: bytes, count: int) -> list[Any]:
    """Return the *count* values in *data*.

    Raises: `Unreadable`, and nothing else, whatever *data* is.

    Complexity: O(len(data)), in time and memory.
    """
    return decode_keys(data, count).values


class KeyColumn(NamedTuple):
    """A column of keys.

    ``table`` and ``entries``: when the column was read and all of it was one table, that and each row's place
    in it; ``normals`` is the table in index form, once `check_spans` has looked at the column.
    ``cls``: when it is to be written, the exact type of all values that are not None, if that is
    known. ``run``: it was read as ints that count up by one, and so are distinct.
    """

    values: list[Any]
    table: list[Any] | None = None
    entries: array[Any] | None = None
    cls: type | None = None
    run: bool = False
    normals: list[Any] | None = None


def decode_keys(data: bytes, count: int) -> KeyColumn:
    """Return the *count* values in *data*, as `decode_column` does, with the table they came from."""
    src = Reader(data)
    try:
        found = src.size()
        if found != count:
            raise Unreadable(f"a column of {found} rows where {count} should be")
        values = src.column(count)
        src.finish()
    except (Unreadable, MemoryError):
        raise
    except Exception as exc:  # every constructor has its own way to refuse a value
        raise Unreadable(f"a value that is none ({failure(exc)})") from exc
    table, entries = src.outer or (None, None)
    return KeyColumn(values, table, entries, run=src.run)


def encode_numbers(values: Sequence[int]) -> bytes:
    """Return whole numbers from 0 as bytes, in an array of the narrowest width; as a column of ints from 2**64.

    Raises: `Unwritable` for a number of more than a megabyte.

    >>> list(decode_numbers(encode_numbers([3, 1, 2]), 3, below=4))
    [3, 1, 2]
    """
    rows: Any = values if isinstance(values, list | array | bytes) else list(values)
    if rows and rows[0] < 256 and rows.count(rows[0]) == len(rows):  # all the same, most often
        return b"B" + bytes((rows[0],)) * len(rows)
    out = BlobWriter()
    most = max(rows, default=0)
    if most >> 64:
        return b"V" + encode_column(list(rows))
    code = width_for(most + 1)
    out.byte(ord(code))
    if code == "Q":
        out.numbers(code, rows)
    else:
        out.places(most + 1, rows if isinstance(rows, array) and rows.typecode == "I" else array("I", rows))
    return out.getvalue()


def decode_numbers(data: bytes, count: int, below: int | None = None) -> Sequence[int]:
    """Return the *count* numbers in *data*; `Unreadable` if there are more or fewer, or any not less than *below*.

    Without *below* they may be of any size.
    """
    src = BlobReader(data)
    code = chr(src.byte())
    if code == "V" and below is None:
        large = decode_column(data[1:], count)
        if set(map(type, large)) != {int} or min(large) < 0:
            raise Unreadable("a number that is none")
        return large
    if code not in "BHIQ":
        raise Unreadable("numbers of an unknown width")
    found: Any = bytes(src.fixed(count)) if code == "B" else src.numbers(code, count)
    src.finish()
    if count and below is not None and max(found) >= below:
        raise Unreadable(f"a number {max(found)} where all should be below {below}")
    numbers: Sequence[int] = found
    return numbers


class Writer(BlobWriter):
    """A `BlobWriter` that knows columns of plain values."""

    __slots__ = ("_budget", "_depth", "outermost")

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._depth = 0
        self.outermost = False  # all rows of the column are being written, as one family
        self._budget = (1 << 24) + 64 * rows  # a list that holds itself a thousand times must not be unfolded

    def spend(self, count: int) -> None:
        """Count nested values, before they are laid out."""
        self._budget -= count
        if self._budget < 0:
            raise Unwritable(None, "values nested in values, too many to be carried (does one hold itself?)")

    def column(self, values: list[Any]) -> None:
        """Append a column."""
        if not values:
            self.byte(_EMPTY)
            return
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unwritable(None, f"values nested more than {MAX_DEPTH} deep (does one hold itself?)")
        types = set(map(type, values))
        table = _plain_datetimes(values) if types == _DATETIMES else None
        split = None if table else _split(values, types)
        self.outermost = split is None and self._depth == 1
        if table:
            self.tabled(FAMILIES[datetime], *table)
        elif split is None:
            self._node(values)
        else:
            groups, which = split
            self.byte(_MIXED)
            self.size(len(groups))
            self.places(len(groups), which)
            for group in groups:
                self._node(group)
        self._depth -= 1

    def _node(self, values: list[Any]) -> None:
        """Append values of one kind."""
        cls = type(values[0])
        family = FAMILIES.get(cls) or foreign_family(cls, values[0])
        tables = family.same is not None and (family.scalar or self._depth == 1)
        found = _table(values, family) if tables else None
        if found:
            self.tabled(family, *found)
        else:
            self.byte(family.code)
            family.encode(self, values)

    def tabled(self, family: Family, values: list[Any], entries: array[Any]) -> None:
        """Append values of one kind as a table and the place of each row in it."""
        self.outermost = False
        self.byte(_TABLE)
        self.size(len(values))
        self.places(len(values), entries)
        self.byte(family.code)
        family.encode(self, values)


class Reader(BlobReader):
    """A `BlobReader` that knows columns of plain values."""

    __slots__ = ("_depth", "outer", "outermost", "run")

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._depth = 0
        self.outermost = False  # all rows of the column are being read, as one family
        self.run = False  # they are ints that count up by one
        self.outer: (
            tuple[list[Any], array[Any]] | tuple[()]
        ) = ()  # the table that is the whole column, if one is

    def column(self, rows: int) -> list[Any]:
        """Return a column of so many rows."""
        code = self.byte()
        if (code == _EMPTY) != (rows == 0):
            raise Unreadable("a column with no rows where some should be, or the reverse")
        if code == _EMPTY:
            return []
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"values nested more than {MAX_DEPTH} deep")
        self.outermost = code not in (_MIXED, _TABLE) and self._depth == 1
        values = self._mixed(rows) if code == _MIXED else self._node(code, rows)
        self._depth -= 1
        if code != _TABLE and not self._depth:
            self.outer = ()
        return values

    def _mixed(self, rows: int) -> list[Any]:
        kinds = self.size()
        if not 2 <= kinds <= rows:
            raise Unreadable(f"{kinds} kinds of values in {rows} rows")
        which = self.numbers(width_for(kinds), rows)
        counts = Counter(which)
        if len(counts) != kinds:
            raise Unreadable("a kind of value without a row")
        groups = [iter(self._node(self.byte(), counts[kind])) for kind in range(kinds)]
        return list(map(next, map(groups.__getitem__, which)))

    def _node(self, code: int, rows: int) -> list[Any]:
        if code != _TABLE:
            return self._family(code).decode(self, rows)
        size = self.size()
        if not 1 <= size <= rows:
            raise Unreadable(f"a table of {size} entries for {rows} rows")
        entries = self.numbers(width_for(size), rows)
        family = self._family(self.byte())
        if family.same is None or not (family.scalar or self._depth == 1):
            raise Unreadable("a table of values that are not put in tables")
        table = family.decode(self, size)
        self.outer = table, entries
        return list(map(table.__getitem__, entries))  # IndexError past the end

    def _family(self, code: int) -> Family:
        try:
            return _BY_CODE[code]
        except KeyError:
            raise Unreadable(f"values of an unknown family {code}") from None


_Split = tuple[list[list[Any]], "array[Any]"]


def _split(values: list[Any], types: set[type]) -> _Split | None:
    """Return the values of each kind and, for each row, which kind it is; None if all are of one kind."""
    if len(types) == 1:
        kinds = _finer(values)
        return None if kinds is None else _grouped(values, kinds)
    groups, which = _grouped(values, list(map(type, values)))
    finer = [_finer(group) for group in groups]
    if not any(finer):
        return groups, which
    rows = [iter(kinds or [None] * len(group)) for group, kinds in zip(groups, finer, strict=True)]
    return _grouped(values, [(at, next(rows[at])) for at in which])


def _finer(values: list[Any]) -> list[Hashable] | None:
    """Return the kinds of values of one type, or None if all are of one kind."""
    cls = type(values[0])
    if cls in _ZONED:
        return zone_groups(values)
    if cls in FAMILIES:
        return None
    family = foreign_family(cls, values[0])
    kinds = [foreign_kind(value, family) for value in values]
    return kinds if len(set(kinds)) > 1 else None


def _grouped(values: list[Any], kinds: list[Any]) -> _Split:
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    deque(map(list.append, map(groups.__getitem__, kinds), values), maxlen=0)
    numbers = dict(zip(groups, range(len(groups)), strict=True))
    return list(groups.values()), array("I", map(numbers.__getitem__, kinds))


def _table(values: list[Any], family: Family) -> tuple[list[Any], array[Any]] | None:
    """Return the distinct values and, for each row, which it is; None if a table does not pay."""
    same: Any = family.same
    if not _repeats(values, same):
        return None
    tokens = same(values)
    numbers, entries = _numbered(tokens)
    if len(numbers) == len(values):
        return None
    return list(numbers if tokens is values else _first_of(same(values), values)), entries


def _first_of(tokens: Iterable[Hashable], values: list[Any]) -> Iterable[Any]:
    """Return one value for each distinct token, in order of appearance."""
    return dict(zip(tokens, values, strict=True)).values()


def _plain_datetimes(values: list[Any]) -> tuple[list[Any], array[Any]] | None:
    """Return what `_table` does, if no datetime has a zone or a fold; looks at most of them but twice."""
    if values[0] is None or values[0].tzinfo is not None or not _repeats(values, by_value):
        return None
    numbers, entries = _numbered(values)
    if None in numbers:
        return None
    # without a zone equals no datetime with one, so that the distinct ones tell for all; fold takes another look
    if any(key.tzinfo is not None for key in numbers) or any(map(_fold, values)):
        return None
    return list(numbers), entries


def _repeats(values: list[Any], same: Callable[[list[Any]], Iterable[Hashable]]) -> bool:
    """Tell whether, as far as a sample shows, values repeat twice on average."""
    total = len(values)
    if total <= _SAMPLE:
        return 2 * len(set(same(values))) <= total
    # n draws from k values repeat about n * n / 2k times
    sample = [values[i * _STRIDE % total] for i in range(_SAMPLE)]
    return (_SAMPLE - len(set(same(sample)))) * total >= _SAMPLE * _SAMPLE


def _numbered(things: Iterable[Any]) -> tuple[dict[Any, int], array[Any]]:
    """Return the distinct things in order of appearance, numbered, and the number of each."""
    numbers: defaultdict[Any, int] = defaultdict(count().__next__)
    return numbers, array("I", gathered(numbers, tuple(things)))
