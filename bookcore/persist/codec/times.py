"""Families of dates, datetimes, times and timedeltas, with their zone and fold.

A datetime is written as the ten bytes of Python's own pickles: its fields, with the fold in the top bit of the
month. Python makes a datetime from these bytes five times faster than any arithmetic does. Of the fields it checks
only the month, so that the other fields are checked here, a column at a time.

All datetimes of a column have one zone; `zone_groups` tells a caller how to divide them. A zone is a fixed offset
(`timezone`, with its name if it has one) or a `ZoneInfo` with a key. A `ZoneInfo` is read as the zone which has this
key on the machine that reads.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Hashable, Iterable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import chain, repeat
from operator import attrgetter
from pickle import PicklingError
from typing import Any
from zoneinfo import ZoneInfo

from bookcore.persist.codec.blob import BlobReader, BlobWriter, MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.family import Family, by_identity, by_value

_STATE = struct.Struct("10s")
_MICROSECOND = timedelta(microseconds=1)
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_NAIVE, _OFFSET, _NAMED_OFFSET, _REGION = range(4)
# the offset and name of a fixed zone, as its pickles have them; typeshed does not know this method
_arguments: Any = getattr(timezone, "__getinitargs__")  # noqa: B009
_fold, _zone = attrgetter("fold"), attrgetter("tzinfo")


def zone_groups(values: list[Any]) -> list[Hashable] | None:
    """Return a token for the zone of each datetime or time, or None if all have the same zone.

    Equal offsets are the same zone, also as two objects: datetimes parsed from text have one object each. Two
    `ZoneInfo` objects are two zones, even with the same key: Python compares datetimes of one object by their wall
    clocks, and datetimes of two objects by UTC.
    """
    zones: list[Any] = list(map(_zone, values))
    if len(set(map(id, zones))) == 1:
        return None
    groups = list(map(zone_token, zones))
    return groups if len(set(groups)) > 1 else None


def zone_token(zone: tzinfo | None) -> Hashable:
    """Return what is equal for one zone, see `zone_groups`."""
    token: Hashable = _arguments(zone) if type(zone) is timezone else id(zone)
    return token


def write_zone(out: BlobWriter, zone: tzinfo | None) -> None:
    """Write a zone."""
    if zone is None:
        out.byte(_NAIVE)
    elif type(zone) is timezone:
        offset, *name = _arguments(zone)
        out.byte(_NAMED_OFFSET if name else _OFFSET)
        out.numbers("q", [offset // _MICROSECOND])
        if name:
            out.raw(name[0].encode("utf-8", "surrogatepass"))
    elif type(zone) is ZoneInfo and _is_identified_by_key(zone):
        out.byte(_REGION)
        out.raw(zone.key.encode())
    else:
        raise Unwritable(zone, f"a time zone of {type(zone).__name__} cannot be written; use timezone or ZoneInfo(key)")


def _is_identified_by_key(zone: ZoneInfo) -> bool:
    """Tell whether `ZoneInfo` makes this zone from its key; a zone read by `ZoneInfo.from_file` may have any key."""
    try:
        zone.__reduce__()
    except PicklingError:
        return False
    return _ZONE_KEY.fullmatch(zone.key) is not None


def read_zone(src: BlobReader) -> tzinfo | None:
    """Return a zone."""
    form = src.byte()
    if form == _NAIVE:
        return None
    if form in (_OFFSET, _NAMED_OFFSET):
        offset = timedelta(microseconds=src.numbers("q", 1)[0])
        if form == _OFFSET:
            return timezone(offset)
        return timezone(offset, str(src.raw(), "utf-8", "surrogatepass"))
    if form != _REGION:
        raise Unreadable("a time zone in an unknown form")
    key = str(src.raw(), "ascii")
    if len(key) > 255 or not _ZONE_KEY.fullmatch(key):
        raise Unreadable("a time zone with an impossible name")
    try:
        return ZoneInfo(key)
    except (LookupError, OSError, ValueError) as exc:
        raise MissingCodec(key, f"time zone {key!r} is not known here (pip install tzdata)") from exc


def _write_datetimes(out: BlobWriter, values: list[datetime]) -> None:
    write_zone(out, values[0].tzinfo)
    # protocol 4 is the oldest which includes the fold
    pickled: Any = map(datetime.__reduce_ex__, values, repeat(4))
    out.fixed(b"".join([arguments[0] for _, arguments in pickled]))


def _read_datetimes(src: BlobReader, count: int) -> list[datetime]:
    zone = read_zone(src)
    data = bytes(src.fixed(_STATE.size * count))
    _check_fields(data)
    states = chain.from_iterable(_STATE.iter_unpack(data))
    make: Any = datetime  # typeshed does not know this form of the constructor
    return list(map(make, states)) if zone is None else list(map(make, states, repeat(zone)))


def _check_fields(data: bytes) -> None:
    """Raise `Unreadable` or `ValueError` unless each ten bytes are the fields of a datetime."""
    century, year, month, day, hour, minute, second, high, middle, low = (data[i::10] for i in range(10))
    if (
        max(hour) > 23
        or max(minute) > 59
        or max(second) > 59
        or max(zip(high, middle, low, strict=True)) > (0x0F, 0x42, 0x3F)
    ):
        raise Unreadable("a time of day that does not exist")
    for days in set(zip(century, year, month, day, strict=True)):
        date(days[0] << 8 | days[1], days[2] & 0x7F, days[3])  # ValueError if there is no such day


def _datetime_tokens(values: list[datetime]) -> Iterable[Hashable]:
    # the two readings of a repeated hour are equal, and differ in their fold
    return by_identity(values) if any(map(_fold, values)) else by_value(values)


def _write_dates(out: BlobWriter, values: list[date]) -> None:
    out.numbers("I", map(date.toordinal, values))


def _read_dates(src: BlobReader, count: int) -> list[date]:
    return list(map(date.fromordinal, src.numbers("I", count)))


def _write_times(out: BlobWriter, values: list[time]) -> None:
    write_zone(out, values[0].tzinfo)
    for name in ("hour", "minute", "second", "fold"):
        out.numbers("B", map(attrgetter(name), values))
    out.numbers("I", map(attrgetter("microsecond"), values))


def _read_times(src: BlobReader, count: int) -> list[time]:
    zone = read_zone(src)
    hours, minutes, seconds, folds = (src.numbers("B", count) for _ in range(4))
    fields = zip(hours, minutes, seconds, src.numbers("I", count), folds, strict=True)
    return [time(hour, minute, second, micro, zone, fold=fold) for hour, minute, second, micro, fold in fields]


def _write_timedeltas(out: BlobWriter, values: list[timedelta]) -> None:
    out.numbers("i", map(attrgetter("days"), values))
    out.numbers("i", map(attrgetter("seconds"), values))
    out.numbers("i", map(attrgetter("microseconds"), values))


def _read_timedeltas(src: BlobReader, count: int) -> list[timedelta]:
    return list(map(timedelta, *(src.numbers("i", count) for _ in range(3))))


TIMES: dict[type, Family] = {
    date: Family(11, _write_dates, _read_dates, by_value),
    datetime: Family(12, _write_datetimes, _read_datetimes, _datetime_tokens),
    time: Family(13, _write_times, _read_times, by_identity),
    timedelta: Family(14, _write_timedeltas, _read_timedeltas, by_value),
}
