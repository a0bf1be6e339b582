"""Families of plain scalars: None, bool, int, float, str, bytes, Decimal, Fraction, UUID.

Many rows are written and read at a time, in C where the type allows it. The values that are read are equal to those
written, of the same type, and of the same representation: ``-0.0``, ``Decimal("1.00")`` and lone surrogates in a
text do not change.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from operator import attrgetter, eq
from typing import Any
from uuid import UUID

from bookcore.persist.codec.blob import BlobReader, BlobWriter, Unreadable, Unwritable, cut
from bookcore.persist.codec.family import ColumnReader, ColumnWriter, Family, by_identity, by_value

_SIGNED, _UNSIGNED, _LARGE, _CONSECUTIVE = range(4)  # forms of a column of ints
_LINES, _LENGTHS = range(2)  # forms of a column of texts
_INT64_END = 1 << 63
MAX_INT_BYTES = 1 << 20
MAX_FRACTION_BYTES = 1 << 13  # making a fraction takes time in the square of its digits


def _write_none(out: BlobWriter, values: list[None]) -> None:
    out.fixed(bytes(len(values)))  # a byte each, because every row must take at least a byte of the file


def _read_none(src: BlobReader, count: int) -> list[None]:
    if any(src.fixed(count)):
        raise Unreadable("None with a value")
    return [None] * count


def _write_bools(out: BlobWriter, values: list[bool]) -> None:
    out.fixed(bytes(values))


def _read_bools(src: BlobReader, count: int) -> list[bool]:
    data = bytes(src.fixed(count))
    if not set(data) <= {0, 1}:
        raise Unreadable("a bool that is neither 0 nor 1")
    return list(map((False, True).__getitem__, data))


def _write_ints(out: ColumnWriter, values: list[int]) -> None:
    # Consecutive ints are written as their first only where the section says how many rows there are: everywhere
    # else every row must take at least a byte.
    if out.outermost and _are_consecutive(values):
        out.byte(_CONSECUTIVE)
        out.numbers("q", values[:1])
        return
    # "Q" first: making this array takes a third of the time of making the other
    for form, code in ((_UNSIGNED, "Q"), (_SIGNED, "q")):
        try:
            numbers = array(code, values)
        except OverflowError:
            continue
        out.byte(form)
        out.numbers(code, numbers)
        return
    out.byte(_LARGE)
    out.pieces([_int_to_bytes(value, MAX_INT_BYTES) for value in values])


def _are_consecutive(values: list[int]) -> bool:
    """Tell whether each int is one more than the last, and all of them fit 64 bits."""
    first, last = values[0], values[-1]
    if last - first != len(values) - 1 or not -_INT64_END <= first <= last < _INT64_END:
        return False
    return all(map(eq, values, range(first, last + 1)))


def _read_ints(src: ColumnReader, count: int) -> list[int]:
    form = src.byte()
    if form in (_SIGNED, _UNSIGNED):
        return src.numbers("q" if form == _SIGNED else "Q", count).tolist()
    if form == _CONSECUTIVE and src.outermost:
        (first,) = src.numbers("q", 1)
        return list(range(first, first + count))
    if form != _LARGE:
        raise Unreadable("ints in an unknown form")
    return list(map(_int_from_bytes, src.pieces(count)))


def _int_to_bytes(value: int, limit: int) -> bytes:
    bits = value.bit_length()
    length = bits // 8 + 1
    if length > limit:
        raise Unwritable(bits, f"an int of {bits} bits is too large to be written")
    return value.to_bytes(length, "little", signed=True)


def _int_from_bytes(data: bytes) -> int:
    if not 0 < len(data) <= MAX_INT_BYTES:
        raise Unreadable(f"an int of {len(data)} bytes")
    return int.from_bytes(data, "little", signed=True)


def _write_floats(out: BlobWriter, values: list[float]) -> None:
    out.numbers("d", values)


def _read_floats(src: BlobReader, count: int) -> list[float]:
    return src.numbers("d", count).tolist()


def write_text(out: BlobWriter, values: list[str]) -> None:
    """Write texts: joined by line breaks if none of them contains one, else joined after their lengths."""
    lines = "\n".join(values)
    if lines.count("\n") == len(values) - 1:
        out.byte(_LINES)
        out.raw(lines.encode("utf-8", "surrogatepass"))
    else:
        out.byte(_LENGTHS)
        out.lengths(values)
        out.raw("".join(values).encode("utf-8", "surrogatepass"))


def read_text(src: BlobReader, count: int) -> list[str]:
    """Return *count* texts."""
    form = src.byte()
    if form == _LENGTHS:
        lengths = src.numbers("I", count)
        return cut(str(src.raw(), "utf-8", "surrogatepass"), lengths)
    if form != _LINES:
        raise Unreadable("texts in an unknown form")
    texts = str(src.raw(), "utf-8", "surrogatepass").split("\n")
    if len(texts) != count:
        raise Unreadable(f"{len(texts)} texts, {count} expected")
    return texts


def _write_decimals(out: BlobWriter, values: list[Decimal]) -> None:
    write_text(out, list(map(str, values)))


def _read_decimals(src: BlobReader, count: int) -> list[Decimal]:
    return list(map(Decimal, read_text(src, count)))


def _decimal_tokens(values: list[Decimal]) -> Iterable[Hashable]:
    # a NaN equals nothing, so that two ids may be two NaNs, which must not become one object
    return by_identity(values) if any(map(Decimal.is_nan, values)) else map(str, values)


def _write_fractions(out: BlobWriter, values: list[Fraction]) -> None:
    out.pieces([_int_to_bytes(value.numerator, MAX_FRACTION_BYTES) for value in values])
    out.pieces([_int_to_bytes(value.denominator, MAX_FRACTION_BYTES) for value in values])


def _read_fractions(src: BlobReader, count: int) -> list[Fraction]:
    columns = src.pieces(count), src.pieces(count)
    if any(len(data) > MAX_FRACTION_BYTES for column in columns for data in column):
        raise Unreadable("a fraction of too many digits")
    numerators, denominators = (map(_int_from_bytes, column) for column in columns)
    return list(map(Fraction, numerators, denominators))


def _write_uuids(out: BlobWriter, values: list[UUID]) -> None:
    out.fixed(b"".join([value.bytes for value in values]))


def _read_uuids(src: BlobReader, count: int) -> list[UUID]:
    data = bytes(src.fixed(16 * count))
    uuids: list[Any] = [UUID.__new__(UUID) for _ in range(count)]
    # what unpickling a UUID calls takes a third of the time of its constructor
    for at, value in enumerate(uuids):
        value.__setstate__({"int": int.from_bytes(data[16 * at : 16 * at + 16], "big")})
    return uuids


SCALARS: dict[type, Family] = {
    type(None): Family(2, _write_none, _read_none),
    bool: Family(3, _write_bools, _read_bools),
    int: Family(4, _write_ints, _read_ints, by_value),
    float: Family(5, _write_floats, _read_floats, by_identity),
    str: Family(6, write_text, read_text, by_value),
    bytes: Family(7, BlobWriter.pieces, BlobReader.pieces, by_value),
    Decimal: Family(8, _write_decimals, _read_decimals, _decimal_tokens),
    Fraction: Family(9, _write_fractions, _read_fractions, partial(map, Fraction.as_integer_ratio)),
    UUID: Family(10, _write_uuids, _read_uuids, partial(map, attrgetter("int"))),
}
