"""Families of tuples, lists, dicts and sets of plain values.

    by lengths     the length of each value, then one column of all their elements     any containers
    by position    the width, then one column for each position                        tuples of one length,
                                                                                       dicts with the same names

Containers are nested by columns, not by rows: the lists of a million bookings are one column of lengths and one
column of elements. Most columns of tuples and dicts are written by position, so that each inner column holds
values of one type.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, islice
from typing import Any, TypeAlias

from bookcore.model.errors import attempt
from bookcore.persist.codec.blob import MAX_DEPTH, Unreadable
from bookcore.persist.codec.family import ColumnReader, ColumnWriter, Family, by_identity

Coded: TypeAlias = Callable[[Any], tuple[str, Any] | None]
"""See `ColumnWriter.coded`."""

_BY_LENGTHS, _BY_POSITION = range(2)
_MAX_WIDTH = 32  # more positions than these are written by lengths


def _write_lengths(out: ColumnWriter, values: list[Any]) -> None:
    out.spend(sum(map(len, values)))
    out.lengths(values)


def _write_elements(out: ColumnWriter, values: list[Any]) -> None:
    _write_lengths(out, values)
    out.column(list(chain.from_iterable(values)))


def _write_sets(out: ColumnWriter, values: list[Any]) -> None:
    """Write the elements of sets in an order that is the same in every process; that of hashes is not."""
    _write_elements(out, [_in_order(value, out.coded) for value in values])


def _in_order(value: Any, coded: Coded = lambda _: None) -> Any:
    """Return the elements of a set in order: elements of one plain type in their own, others by `_place`."""
    if len(value) < 2:
        return value
    kinds = set(map(type, value))
    if len(kinds) == 1 and kinds <= _PLAIN:
        return sorted(value)
    return sorted(value, key=lambda element: _place(element, coded))


_PLAIN = {int, str, bytes}


def _place(element: Any, coded: Coded = lambda _: None, depth: int = 0) -> tuple[Any, ...]:
    """Return what orders the elements of a set: the type and the value, or after these what an element says of itself.

    Of an element with a key codec that is what the codec makes of it: what such an element says of itself may be where it
    is in the memory of this process.
    """
    cls: Any = type(element)
    if cls in _PLAIN:
        return False, cls.__name__, element
    if depth > MAX_DEPTH:  # deeper nesting is refused
        return True, ""
    if cls in (tuple, list, set, frozenset):
        places = [_place(each, coded, depth + 1) for each in element]
        return False, cls.__name__, places if cls in (tuple, list) else sorted(places)
    if cls is dict:
        return False, cls.__name__, [_place(each, coded, depth + 1) for item in element.items() for each in item]
    if (plain := coded(element)) is not None:
        return True, plain[0], _place(plain[1], coded, depth + 1)
    return True, attempt(lambda: f"{cls.__name__} {element!r}", "")  # two classes may have one name


def _elements_reader(make: Callable[[Any], Any], *, hashed: bool = False) -> Callable[[ColumnReader, int], list[Any]]:
    """Return a function that reads what `_write_elements` wrote, and makes each value by *make*."""

    def read(src: ColumnReader, count: int) -> list[Any]:
        lengths = src.numbers("I", count).tolist()
        column = src.column(sum(lengths))
        if hashed:
            src.budget.charge_hashes_of_each(column, lengths)
        elements = iter(column)
        values = [make(islice(elements, length)) for length in lengths]
        if list(map(len, values)) != lengths:
            raise Unreadable("a set with the same element twice")
        return values

    return read


def _read_width(src: ColumnReader, form: int) -> int:
    width = src.byte()
    if form != _BY_POSITION or not 1 <= width <= _MAX_WIDTH:
        raise Unreadable("tuples or dicts in an unknown form")
    return width


def _write_tuples(out: ColumnWriter, values: list[tuple[Any, ...]]) -> None:
    width = len(values[0])
    if 1 <= width <= _MAX_WIDTH and set(map(len, values)) == {width}:
        out.byte(_BY_POSITION)
        out.byte(width)
        out.spend(width * len(values))
        for column in zip(*values, strict=True):
            out.column(list(column))
    else:
        out.byte(_BY_LENGTHS)
        _write_elements(out, values)


_read_tuples_by_lengths = _elements_reader(tuple)


def _read_tuples(src: ColumnReader, count: int) -> list[tuple[Any, ...]]:
    form = src.byte()
    if form == _BY_LENGTHS:
        return _read_tuples_by_lengths(src, count)
    return list(zip(*[src.column(count) for _ in range(_read_width(src, form))], strict=True))


def _write_dicts(out: ColumnWriter, values: list[dict[Any, Any]]) -> None:
    names = tuple(values[0])
    same_names = 1 <= len(names) <= _MAX_WIDTH and all(map(names.__eq__, map(tuple, values)))
    # equal names may be of several types (1 and True), and are written once only if all are texts
    if same_names and set(map(type, chain.from_iterable(values))) == {str}:
        out.byte(_BY_POSITION)
        out.byte(len(names))
        out.spend(len(names) * len(values))
        out.column(list(names))
        for name in names:
            out.column([value[name] for value in values])
    else:
        out.byte(_BY_LENGTHS)
        _write_lengths(out, values)
        out.column(list(chain.from_iterable(values)))
        out.column(list(chain.from_iterable(map(dict.values, values))))


def _read_dicts(src: ColumnReader, count: int) -> list[dict[Any, Any]]:
    form = src.byte()
    if form == _BY_LENGTHS:
        lengths = src.numbers("I", count).tolist()
        total = sum(lengths)
        keys = src.column(total)
        src.budget.charge_hashes_of_each(keys, lengths)
        items = iter(list(zip(keys, src.column(total), strict=True)))
        values = [dict(islice(items, length)) for length in lengths]
        if list(map(len, values)) != lengths:
            raise Unreadable("a dict with the same key twice")
        return values
    names = src.column(_read_width(src, form))
    if len(set(names)) != len(names):
        raise Unreadable("a dict with the same key twice")
    columns = [src.column(count) for _ in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


CONTAINERS: dict[type, Family] = {
    tuple: Family(20, _write_tuples, _read_tuples, by_identity, scalar=False),
    list: Family(21, _write_elements, _elements_reader(list), by_identity, scalar=False),
    dict: Family(22, _write_dicts, _read_dicts, by_identity, scalar=False),
    set: Family(23, _write_sets, _elements_reader(set, hashed=True), by_identity, scalar=False),
    frozenset: Family(24, _write_sets, _elements_reader(frozenset, hashed=True), by_identity, scalar=False),
}
