"""Families of types from outside the standard library: NumPy, pandas, and classes with a registered key codec.

NumPy and pandas are imported only when a column of their values is read or written.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any

from bookcore.model.errors import blaming
from bookcore.persist.codec.blob import MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.family import ColumnReader, ColumnWriter, Family, by_identity
from bookcore.persist.codec.scalars import read_text, write_text
from bookcore.persist.codec.times import read_zone, write_zone, zone_token
from bookcore.persist.errors import failure
from bookcore.persist.registry import KeyCodec, codec_for, codec_named

_DTYPE = re.compile(r"\|[bui]1|<[iu][248]|<f[248]|<c(8|16)|<[mM]8(\[[0-9]*[a-zA-Z]+\])?")
_UNITS = "s", "ms", "us", "ns"


def extension_family(cls: type, value: object) -> Family:
    """Return the family of *cls*, a type outside the standard library; `Unwritable` if it has none."""
    if codec_for(cls) is not None:
        return _REGISTERED
    # a package of which there is a value has been imported
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if pandas is not None and cls is getattr(pandas, "Timestamp", None):
        return _TIMESTAMPS
    if pandas is not None and cls is getattr(pandas, "Timedelta", None):
        return _TIMEDELTAS
    if numpy is not None and cls.__module__ == "numpy" and issubclass(cls, numpy.generic):
        if cls in (numpy.str_, numpy.bytes_):
            return _NUMPY_TEXT if cls is numpy.str_ else _NUMPY_BYTES
        if _DTYPE.fullmatch(_dtype_name(value)):
            return _NUMPY
    raise Unwritable(
        value,
        f"{cls.__module__}.{cls.__qualname__} is not a plain value; "
        "register_key_codec(cls, name, encode, decode) lets snapshots hold it",
    )


def extension_kind(value: Any, family: Family) -> Any:
    """Return what, besides the type, all values of one column of *family* have in common."""
    if family is _NUMPY:
        return _dtype_name(value)
    if family is _TIMESTAMPS:
        return value.unit, zone_token(value.tzinfo)
    if family is _TIMEDELTAS:
        return value.unit
    return None


def _dtype_name(value: Any) -> str:
    """Return the little-endian name of a NumPy scalar's type, or "" if that name means another type."""
    dtype = value.dtype.newbyteorder("<")
    return str(dtype.str) if sys.modules["numpy"].dtype(dtype.str).type is type(value) else ""


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as exc:
        raise MissingCodec(name, f"it holds values of {name}, which is not installed") from exc


def _write_array(out: ColumnWriter, values: list[Any], dtype: str) -> None:
    out.raw(_package("numpy").array(values, dtype=dtype).tobytes())


def _read_array(src: ColumnReader, count: int, dtype: str) -> list[Any]:
    scalars = list(_package("numpy").frombuffer(bytes(src.raw()), dtype=dtype))
    if len(scalars) != count:
        raise Unreadable(f"{len(scalars)} values of {dtype}, {count} expected")
    return scalars


def _write_numpy(out: ColumnWriter, values: list[Any]) -> None:
    name = _dtype_name(values[0])
    out.raw(name.encode())
    _write_array(out, values, name)


def _read_numpy(src: ColumnReader, count: int) -> list[Any]:
    name = str(src.raw(), "ascii")
    if not _DTYPE.fullmatch(name):
        raise Unreadable("a NumPy type that snapshots do not hold")
    return _read_array(src, count, name)


def _write_numpy_text(out: ColumnWriter, values: list[Any]) -> None:
    write_text(out, list(map(str.__str__, values)))  # NumPy's own str() drops NULs at the end


def _read_numpy_text(src: ColumnReader, count: int) -> list[Any]:
    return list(map(_package("numpy").str_, read_text(src, count)))


def _write_numpy_bytes(out: ColumnWriter, values: list[Any]) -> None:
    out.pieces([bytes.__getitem__(value, slice(None)) for value in values])


def _read_numpy_bytes(src: ColumnReader, count: int) -> list[Any]:
    return list(map(_package("numpy").bytes_, src.pieces(count)))


def _read_unit(src: ColumnReader) -> str:
    unit = str(src.raw(), "ascii")
    if unit not in _UNITS:
        raise Unreadable("a pandas Timestamp or Timedelta in an unknown unit")
    return unit


def _read_pandas(src: ColumnReader, count: int, cls: Any, dtype: str) -> list[Any]:
    values = list(map(cls, _read_array(src, count, dtype)))
    if any(type(value) is not cls for value in values):
        raise Unreadable(f"a {cls.__name__} that is NaT")
    return values


def _write_timestamps(out: ColumnWriter, values: list[Any]) -> None:
    first = values[0]
    if any(value.fold and value.tzinfo is None for value in values):
        raise Unwritable(first, "a pandas Timestamp with a fold and no zone cannot be written")
    out.raw(first.unit.encode())
    write_zone(out, first.tzinfo)
    _write_array(out, [value.asm8 for value in values], f"<M8[{first.unit}]")


def _read_timestamps(src: ColumnReader, count: int) -> list[Any]:
    unit = _read_unit(src)
    zone = read_zone(src)
    values = _read_pandas(src, count, _package("pandas").Timestamp, f"<M8[{unit}]")
    return values if zone is None else [value.tz_localize("UTC").tz_convert(zone) for value in values]


def _write_timedeltas(out: ColumnWriter, values: list[Any]) -> None:
    unit = values[0].unit
    out.raw(unit.encode())
    _write_array(out, [value.asm8 for value in values], f"<m8[{unit}]")


def _read_timedeltas(src: ColumnReader, count: int) -> list[Any]:
    unit = _read_unit(src)
    return _read_pandas(src, count, _package("pandas").Timedelta, f"<m8[{unit}]")


def coded(value: Any) -> tuple[str, Any] | None:
    """Return the name of the key codec of a value, and the plain values it makes of it; None if it has none."""
    codec = codec_for(type(value))
    return None if codec is None else (codec.name, *_encoded(codec, [value]))


def _encoded(codec: KeyCodec, values: list[Any]) -> list[Any]:
    what = f"the encode of key codec {codec.name!r} failed"
    with blaming(lambda exc: Unwritable(values[0], f"{what} ({failure(exc)})")):
        return list(map(codec.encode, values))


def _write_registered(out: ColumnWriter, values: list[Any]) -> None:
    codec: Any = codec_for(type(values[0]))  # there is one, and none is ever removed
    out.raw(codec.name.encode())
    plain = _encoded(codec, values)
    out.spend(len(plain))
    out.column(plain)


def _read_registered(src: ColumnReader, count: int) -> list[Any]:
    name = str(src.raw(), "utf-8")
    codec = codec_named(name)
    if codec is None:
        raise MissingCodec(name, f"it holds values of key codec {name!r}; register_key_codec(...) it before restoring")
    plain = src.column(count)
    with blaming(lambda exc: Unreadable(f"the decode of key codec {name!r} failed ({failure(exc)})")):
        values = list(map(codec.decode, plain))
    if any(type(value) is not codec.cls for value in values):
        raise Unreadable(f"the decode of key codec {name!r} returned an object that is no {codec.cls.__qualname__}")
    return values


_NUMPY = Family(30, _write_numpy, _read_numpy, by_identity)
_NUMPY_TEXT = Family(31, _write_numpy_text, _read_numpy_text, by_identity)
_NUMPY_BYTES = Family(32, _write_numpy_bytes, _read_numpy_bytes, by_identity)
_TIMESTAMPS = Family(33, _write_timestamps, _read_timestamps, by_identity)
_REGISTERED = Family(34, _write_registered, _read_registered, by_identity, scalar=False)
_TIMEDELTAS = Family(35, _write_timedeltas, _read_timedeltas, by_identity)

EXTENSIONS = _NUMPY, _NUMPY_TEXT, _NUMPY_BYTES, _TIMESTAMPS, _REGISTERED, _TIMEDELTAS
