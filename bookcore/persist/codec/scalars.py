"""Columns of one plain type each: None, bool, int, float, str, bytes, Decimal, Fraction, UUID.

A `Family` says how the values of exactly one type are written and read, n rows at a time, at the speed of C
where the type allows. What comes back is equal, of the same type, and of the same representation: ``-0.0``,
``Decimal("1.00")`` and lone surrogates in a text stay what they were.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import accumulate
from operator import attrgetter, eq
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from bookcore.persist.codec.blob import BlobReader, BlobWriter, Unreadable, Unwritable

if TYPE_CHECKING:
    from bookcore.persist.codec.columns import Reader, Writer

__all__ = ["SCALARS", "Family", "by_identity", "by_value", "read_text", "write_text"]

_SMALL, _NATURAL, _BIG, _RUN = range(4)
_EDGE = 1 << 63
MAX_INT_BYTES = 1 << 20
MAX_RATIO_BYTES = 1 << 13  # making a fraction takes time in the square of this


class Family(NamedTuple):
    """How the values of one type are written and read.

    ``same`` gives one hashable for each value of a list, equal for two values only if these are one and the
    same, type, representation and all: they may then share one entry of a table, and one object when they are
    read. None: no tables. ``scalar``: values of the family hold no values that have families themselves.
    """

    code: int
    encode: Callable[[Any, list[Any]], None]
    decode: Callable[[Any, int], list[Any]]
    same: Callable[[list[Any]], Iterable[Hashable]] | None = None
    scalar: bool = True


def by_value(values: list[Any]) -> Iterable[Hashable]:
    """For types whose equal values are the same in everything."""
    return values


def by_identity(values: list[Any]) -> Iterable[Hashable]:
    """For types whose equal values may differ (``0.0`` and ``-0.0``), or that have no hash."""
    return map(id, values)


def _write_none(out: BlobWriter, values: list[None]) -> None:
    out.fixed(bytes(len(values)))  # a byte each, so that a row always is a byte of the file


def _read_none(src: BlobReader, count: int) -> list[None]:
    if any(src.fixed(count)):
        raise Unreadable("None with a value")
    return [None] * count


def _write_bools(out: BlobWriter, values: list[bool]) -> None:
    out.fixed(bytes(values))


def _read_bools(src: BlobReader, count: int) -> list[bool]:
    found = bytes(src.fixed(count))
    if not set(found) <= {0, 1}:
        raise Unreadable("a bool that is neither")
    return list(map((False, True).__getitem__, found))


def _write_ints(out: Writer, values: list[int]) -> None:
    # a run only where the section says how many rows there are: elsewhere a row must be a byte
    if out.outermost and _is_run(values):
        out.byte(_RUN)
        out.numbers("q", values[:1])
        return
    for form, code in ((_NATURAL, "Q"), (_SMALL, "q")):  # making the first takes a third of the time
        try:
            found = array(code, values)
        except OverflowError:
            continue
        out.byte(form)
        out.numbers(code, found)
        return
    out.byte(_BIG)
    out.pieces([_int_bytes(value, MAX_INT_BYTES) for value in values])


def _is_run(values: list[int]) -> bool:
    first, last = values[0], values[-1]
    if last - first != len(values) - 1 or not -_EDGE <= first <= last < _EDGE:
        return False
    return all(map(eq, values, range(first, last + 1)))


def _read_ints(src: Reader, count: int) -> list[int]:
    form = src.byte()
    if form in (_SMALL, _NATURAL):
        return src.numbers("q" if form == _SMALL else "Q", count).tolist()
    if form == _RUN and src.outermost:
        (first,) = src.numbers("q", 1)
        src.run = True
        return list(range(first, first + count))
    if form != _BIG:
        raise Unreadable("ints in an unknown form")
    return list(map(_int_from, src.pieces(count)))


def _int_bytes(value: int, limit: int) -> bytes:
    length = value.bit_length() // 8 + 1
    if length > limit:
        raise Unwritable(
            value.bit_length(), f"an int of {value.bit_length()} bits is too large to be carried"
        )
    return value.to_bytes(length, "little", signed=True)


def _int_from(data: bytes) -> int:
    if not 0 < len(data) <= MAX_INT_BYTES:
        raise Unreadable(f"an int of {len(data)} bytes")
    return int.from_bytes(data, "little", signed=True)


def _write_floats(out: BlobWriter, values: list[float]) -> None:
    out.numbers("d", array("d", values))


def _read_floats(src: BlobReader, count: int) -> list[float]:
    return src.numbers("d", count).tolist()


def write_text(out: BlobWriter, values: list[str]) -> None:
    """Write texts: one to a line if none of them has a line break, else with their lengths."""
    lines = "\n".join(values)
    if lines.count("\n") == len(values) - 1:
        out.byte(0)
        out.raw(lines.encode("utf-8", "surrogatepass"))
        return
    out.byte(1)
    if any(len(value) >> 32 for value in values):
        raise Unwritable(None, "a single text of 4 GiB or more")
    out.numbers("I", map(len, values))
    out.raw("".join(values).encode("utf-8", "surrogatepass"))


def read_text(src: BlobReader, count: int) -> list[str]:
    """Return *count* texts."""
    form = src.byte()
    if form == 0:
        found = str(src.raw(), "utf-8", "surrogatepass").split("\n")
        if len(found) != count:
            raise Unreadable(f"{len(found)} texts where {count} should be")
        return found
    if form != 1:
        raise Unreadable("texts in an unknown form")
    ends = list(accumulate(src.numbers("I", count), initial=0))
    text = str(src.raw(), "utf-8", "surrogatepass")
    if ends[-1] != len(text):
        raise Unreadable(f"texts of {ends[-1]} characters in all, {len(text)} are there")
    return list(map(text.__getitem__, map(slice, ends, ends[1:])))


def _write_bytes(out: BlobWriter, values: list[bytes]) -> None:
    out.pieces(values)


def _read_bytes(src: BlobReader, count: int) -> list[bytes]:
    return src.pieces(count)


def _write_decimals(out: BlobWriter, values: list[Decimal]) -> None:
    write_text(out, list(map(str, values)))


def _read_decimals(src: BlobReader, count: int) -> list[Decimal]:
    return list(map(Decimal, read_text(src, count)))


def _same_decimals(values: list[Decimal]) -> Iterable[Hashable]:
    # what is no number equals nothing, and two of them may be two ids
    return by_identity(values) if any(map(Decimal.is_nan, values)) else map(str, values)


def _write_fractions(out: BlobWriter, values: list[Fraction]) -> None:
    out.pieces([_int_bytes(value.numerator, MAX_RATIO_BYTES) for value in values])
    out.pieces([_int_bytes(value.denominator, MAX_RATIO_BYTES) for value in values])


def _read_fractions(src: BlobReader, count: int) -> list[Fraction]:
    parts = src.pieces(count), src.pieces(count)
    if any(len(part) > MAX_RATIO_BYTES for column in parts for part in column):
        raise Unreadable("a fraction of too many digits")
    above, below = (map(_int_from, column) for column in parts)
    return list(map(Fraction, above, below))


def _write_uuids(out: BlobWriter, values: list[UUID]) -> None:
    out.fixed(b"".join([value.bytes for value in values]))


def _read_uuids(src: BlobReader, count: int) -> list[UUID]:
    data = bytes(src.fixed(16 * count))
    found = [UUID.__new__(UUID) for _ in range(count)]
    for at, value in enumerate(
        found
    ):  # as its own pickles do it, in a third of the time its constructor takes
        value.__setstate__({"int": int.from_bytes(data[16 * at : 16 * at + 16], "big")})  # type: ignore[attr-defined]
    return found


SCALARS: dict[type, Family] = {
    type(None): Family(2, _write_none, _read_none),
    bool: Family(3, _write_bools, _read_bools),
    int: Family(4, _write_ints, _read_ints, by_value),
    float: Family(5, _write_floats, _read_floats, by_identity),
    str: Family(6, write_text, read_text, by_value),
    bytes: Family(7, _write_bytes, _read_bytes, by_value),
    Decimal: Family(8, _write_decimals, _read_decimals, _same_decimals),
    Fraction: Family(9, _write_fractions, _read_fractions, partial(map, Fraction.as_integer_ratio)),
    UUID: Family(10, _write_uuids, _read_uuids, partial(map, attrgetter("int"))),
}
