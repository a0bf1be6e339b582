"""Columns of tuples, lists, dicts and sets of plain values: lengths, and one column of all they hold.

Containers nest by columns, not by rows: the lists of a million bookings are one column of lengths and one of
elements. Tuples of one length and dicts of one set of names, which is what most columns hold, are written as
one column a position, so that each is of one type.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from bookcore.persist.codec.blob import Unreadable
from bookcore.persist.codec.scalars import Family, by_identity

if TYPE_CHECKING:
    from bookcore.persist.codec.columns import Reader, Writer

__all__ = ["CONTAINERS"]

_BY_LENGTHS, _BY_POSITION = 0, 1
_MOST_POSITIONS = 32


def _write_lengths(out: Writer, values: list[Any]) -> None:
    lengths = list(map(len, values))
    out.spend(sum(lengths))
    out.numbers("I", lengths)


def _read_lengths(src: Reader, count: int) -> tuple[list[int], int]:
    lengths = src.numbers("I", count).tolist()
    return lengths, sum(lengths)


def _write_sequences(out: Writer, values: list[Any]) -> None:
    _write_lengths(out, values)
    out.column(list(chain.from_iterable(values)))


def _sequences(make: Callable[[Any], Any]) -> Callable[[Reader, int], list[Any]]:
    def read(src: Reader, count: int) -> list[Any]:
        lengths, total = _read_lengths(src, count)
        elements = iter(src.column(total))
        return [make(islice(elements, length)) for length in lengths]

    return read


def _write_tuples(out: Writer, values: list[tuple[Any, ...]]) -> None:
    width = len(values[0])
    if 1 <= width <= _MOST_POSITIONS and set(map(len, values)) == {width}:
        out.byte(_BY_POSITION)
        out.byte(width)
        out.spend(width * len(values))
        for column in zip(*values, strict=True):
            out.column(list(column))
    else:
        out.byte(_BY_LENGTHS)
        _write_sequences(out, values)


_read_uneven_tuples = _sequences(tuple)


def _read_tuples(src: Reader, count: int) -> list[tuple[Any, ...]]:
    form = src.byte()
    if form == _BY_LENGTHS:
        return _read_uneven_tuples(src, count)
    width = src.byte()
    if form != _BY_POSITION or not 1 <= width <= _MOST_POSITIONS:
        raise Unreadable("tuples in an unknown form")
    return list(zip(*[src.column(count) for _ in range(width)], strict=True))


def _write_dicts(out: Writer, values: list[dict[Any, Any]]) -> None:
    names = tuple(values[0])
    alike = 1 <= len(names) <= _MOST_POSITIONS and all(map(names.__eq__, map(tuple, values)))
    if alike and set(map(type, chain.from_iterable(values))) == {str}:
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


def _read_dicts(src: Reader, count: int) -> list[dict[Any, Any]]:
    form = src.byte()
    if form == _BY_LENGTHS:
        lengths, total = _read_lengths(src, count)
        items = iter(list(zip(src.column(total), src.column(total), strict=True)))
        found = [dict(islice(items, length)) for length in lengths]
        if list(map(len, found)) != lengths:
            raise Unreadable("a dict with one key twice")
        return found
    width = src.byte()
    if form != _BY_POSITION or not 1 <= width <= _MOST_POSITIONS:
        raise Unreadable("dicts in an unknown form")
    names = src.column(width)
    if len(set(names)) != width:
        raise Unreadable("a dict with one key twice")
    columns = [src.column(count) for _ in range(width)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _sets(make: Callable[[Any], Any]) -> Callable[[Reader, int], list[Any]]:
    read_sequences = _sequences(tuple)

    def read(src: Reader, count: int) -> list[Any]:
        rows = read_sequences(src, count)
        found = list(map(make, rows))
        if list(map(len, found)) != list(map(len, rows)):
            raise Unreadable("a set with one element twice")
        return found

    return read


CONTAINERS: dict[type, Family] = {
    tuple: Family(20, _write_tuples, _read_tuples, by_identity, scalar=False),
    list: Family(21, _write_sequences, _sequences(list), by_identity, scalar=False),
    dict: Family(22, _write_dicts, _read_dicts, by_identity, scalar=False),
    set: Family(23, _write_sequences, _sets(set), by_identity, scalar=False),
    frozenset: Family(24, _write_sequences, _sets(frozenset), by_identity, scalar=False),
}
