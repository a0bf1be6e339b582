"""Columns of NumPy scalars, pandas Timestamps and Timedeltas, and instances of classes with a registered codec.

NumPy and pandas are imported when a value of theirs is met: the user who has one has the package.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bookcore.persist.codec.blob import MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.scalars import Family, by_identity, read_text, write_text
from bookcore.persist.codec.times import read_zone, write_zone
from bookcore.persist.errors import failure
from bookcore.persist.registry import codec_for, codec_named

if TYPE_CHECKING:
    from bookcore.persist.codec.columns import Reader, Writer

__all__ = ["FOREIGN", "foreign_family", "foreign_kind"]

_DTYPE = re.compile(r"\|[bui]1|<[iu][248]|<f[248]|<c(8|16)|<[mM]8(\[[0-9]*[a-zA-Z]+\])?")


def foreign_family(cls: type, value: object) -> Family:
    """Return the family of a type that is not among the plain ones, or raise `Unwritable`."""
    if codec_for(cls) is not None:
        return _OWN
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if pandas is not None and cls is getattr(pandas, "Timestamp", None):
        return _STAMPS
    if pandas is not None and cls is getattr(pandas, "Timedelta", None):
        return _DELTAS
    if numpy is not None and cls.__module__ == "numpy" and issubclass(cls, numpy.generic):
        if cls in (numpy.str_, numpy.bytes_):
            return _NUMPY_TEXT if cls is numpy.str_ else _NUMPY_BYTES
        if _DTYPE.fullmatch(_dtype_name(value)):
            return _NUMPY
    raise Unwritable(
        value,
        f"{cls.__module__}.{cls.__qualname__} is no plain value; "
        "register_key_codec(cls, name, encode, decode) says how to carry it",
    )


def foreign_kind(value: Any, family: Family) -> Any:
    """Return what besides the type must be the same in one column of *family*."""
    if family is _NUMPY:
        return _dtype_name(value)
    if family is _STAMPS:
        return value.unit, id(value.tzinfo)
    if family is _DELTAS:
        return value.unit
    return None


def _dtype_name(value: Any) -> str:
    """Return the little-endian name of a NumPy scalar's type, or "" if that would give back another type."""
    dtype = value.dtype.newbyteorder("<")
    return str(dtype.str) if sys.modules["numpy"].dtype(dtype.str).type is type(value) else ""


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as exc:
        raise MissingCodec(name, f"it holds values of {name}, which is not installed") from exc


def _write_numpy(out: Writer, values: list[Any]) -> None:
    name = _dtype_name(values[0])
    out.raw(name.encode())
    out.raw(_package("numpy").array(values, dtype=name).tobytes())


def _read_numpy(src: Reader, count: int) -> list[Any]:
    name = str(src.raw(), "ascii")
    if not _DTYPE.fullmatch(name):
        raise Unreadable("a NumPy type that is not carried")
    found = list(_package("numpy").frombuffer(bytes(src.raw()), dtype=name))
    if len(found) != count:
        raise Unreadable(f"{len(found)} values where {count} should be")
    return found


def _write_numpy_text(out: Writer, values: list[Any]) -> None:
    write_text(out, list(map(str.__str__, values)))  # NumPy's own str() drops NULs at the end


def _read_numpy_text(src: Reader, count: int) -> list[Any]:
    return list(map(_package("numpy").str_, read_text(src, count)))


def _write_numpy_bytes(out: Writer, values: list[Any]) -> None:
    out.pieces([bytes.__getitem__(value, slice(None)) for value in values])


def _read_numpy_bytes(src: Reader, count: int) -> list[Any]:
    return list(map(_package("numpy").bytes_, src.pieces(count)))


def _write_stamps(out: Writer, values: list[Any]) -> None:
    first = values[0]
    out.raw(first.unit.encode())
    write_zone(out, first.tzinfo)
    numpy = _package("numpy")
    out.raw(numpy.array([value.asm8 for value in values], dtype=f"<M8[{first.unit}]").tobytes())
    if any(value.fold and value.tzinfo is None for value in values):
        raise Unwritable(first, "a pandas Timestamp with a fold and no zone cannot be carried")


def _read_stamps(src: Reader, count: int) -> list[Any]:
    unit = str(src.raw(), "ascii")
    if unit not in ("s", "ms", "us", "ns"):
        raise Unreadable("a pandas Timestamp in an unknown unit")
    zone = read_zone(src)
    stamp = _package("pandas").Timestamp
    points = list(_package("numpy").frombuffer(bytes(src.raw()), dtype=f"<M8[{unit}]"))
    if len(points) != count:
        raise Unreadable(f"{len(points)} Timestamps where {count} should be")
    found = list(map(stamp, points))
    if any(type(value) is not stamp for value in found):
        raise Unreadable("a Timestamp that is none")
    if zone is None:
        return found
    return [value.tz_localize("UTC").tz_convert(zone) for value in found]


def _write_deltas(out: Writer, values: list[Any]) -> None:
    unit = values[0].unit
    out.raw(unit.encode())
    out.raw(_package("numpy").array([value.asm8 for value in values], dtype=f"<m8[{unit}]").tobytes())


def _read_deltas(src: Reader, count: int) -> list[Any]:
    unit = str(src.raw(), "ascii")
    if unit not in ("s", "ms", "us", "ns"):
        raise Unreadable("a pandas Timedelta in an unknown unit")
    delta = _package("pandas").Timedelta
    found = list(map(delta, _package("numpy").frombuffer(bytes(src.raw()), dtype=f"<m8[{unit}]")))
    if len(found) != count:
        raise Unreadable(f"{len(found)} Timedeltas where {count} should be")
    if any(type(value) is not delta for value in found):
        raise Unreadable("a Timedelta that is none")
    return found


def _write_own(out: Writer, values: list[Any]) -> None:
    codec = codec_for(type(values[0]))
    if codec is None:  # unregistering is not offered
        raise Unwritable(values[0], "its key codec is gone")
    out.raw(codec.name.encode())
    try:
        plain = list(map(codec.encode, values))
    except Exception as exc:
        raise Unwritable(
            values[0], f"the encode of key codec {codec.name!r} failed ({failure(exc)})"
        ) from exc
    out.spend(len(plain))
    out.column(plain)


def _read_own(src: Reader, count: int) -> list[Any]:
    name = str(src.raw(), "utf-8")
    codec = codec_named(name)
    if codec is None:
        raise MissingCodec(
            name, f"it holds values of key codec {name!r}; register_key_codec(...) it before restoring"
        )
    plain = src.column(count)
    try:
        found = list(map(codec.decode, plain))
    except Exception as exc:
        raise Unreadable(f"the decode of key codec {name!r} failed ({failure(exc)})") from exc
    if any(type(value) is not codec.cls for value in found):
        raise Unreadable(
            f"the decode of key codec {name!r} returned something else than {codec.cls.__qualname__}"
        )
    return found


_NUMPY = Family(30, _write_numpy, _read_numpy, by_identity)
_NUMPY_TEXT = Family(31, _write_numpy_text, _read_numpy_text, by_identity)
_NUMPY_BYTES = Family(32, _write_numpy_bytes, _read_numpy_bytes, by_identity)
_STAMPS = Family(33, _write_stamps, _read_stamps, by_identity)
_OWN = Family(34, _write_own, _read_own, by_identity, scalar=False)
_DELTAS = Family(35, _write_deltas, _read_deltas, by_identity)

FOREIGN = (_NUMPY, _NUMPY_TEXT, _NUMPY_BYTES, _STAMPS, _OWN, _DELTAS)
