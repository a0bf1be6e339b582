"""Columns of dates and times, each with its zone and its fold.

A datetime is written as its ten bytes of fields, fold in the top bit of the month: the form Python itself
uses for its own pickles, and makes datetimes of five times faster than any arithmetic. Python looks at none
of the fields but the month then, so that they are checked here, a column at a time.

All datetimes of one column have one zone; `zone_groups` sorts them. A zone is a fixed offset (`timezone`,
with its name if it has one) or a `ZoneInfo` with a key; it comes back as the zone of that key on the machine
that reads.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Hashable, Iterable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import repeat
from operator import attrgetter, itemgetter
from pickle import PicklingError
from typing import Any
from zoneinfo import ZoneInfo

from bookcore.persist.codec.blob import BlobReader, BlobWriter, MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.scalars import Family, by_identity, by_value

__all__ = ["TIMES", "read_zone", "write_zone", "zone_groups"]

_STATE = struct.Struct("10s")
_MICROSECOND = timedelta(microseconds=1)
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_NAIVE, _OFFSET, _NAMED_OFFSET, _REGION = range(4)
_arguments: Any = getattr(timezone, "__getinitargs__")  # noqa: B009 - what pickles of it are made of; not in the types
_fold, _zone, _first = attrgetter("fold"), attrgetter("tzinfo"), itemgetter(0)


def zone_groups(values: list[Any]) -> list[Hashable] | None:
    """Return for each datetime or time which zone it has, or None if all have the same.

    Two equal offsets are one zone; two `ZoneInfo` objects are two, even with one key: Python compares their
    times otherwise.
    """
    zones: list[Any] = list(map(_zone, values))
    kinds: list[Hashable] = list(map(id, zones))
    if len(set(kinds)) == 1:
        return None
    if set(map(type, zones)) == {timezone}:  # parsed from text, each has an object of its own
        kinds = list(map(_arguments, zones))
    else:
        kinds = [_arguments(zone) if type(zone) is timezone else id(zone) for zone in zones]
    return kinds if len(set(kinds)) > 1 else None


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
    elif type(zone) is ZoneInfo and _is_known_by_key(zone):
        out.byte(_REGION)
        out.raw(zone.key.encode())
    else:
        raise Unwritable(
            zone, f"a time zone of {type(zone).__name__} cannot be carried; use timezone or ZoneInfo(key)"
        )


def _is_known_by_key(zone: ZoneInfo) -> bool:
    """Tell whether the key of a zone says which it is: not if it was read out of a file, whatever key it was given."""
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
        raise Unreadable("a time zone whose name is none")
    try:
        return ZoneInfo(key)
    except (LookupError, OSError, ValueError) as exc:
        raise MissingCodec(key, f"time zone {key!r} is not known here (pip install tzdata)") from exc


def _write_datetimes(out: BlobWriter, values: list[datetime]) -> None:
    write_zone(out, values[0].tzinfo)
    # protocol 4: the oldest that carries fold
    facts: Any = map(datetime.__reduce_ex__, values, repeat(4))
    out.fixed(b"".join([arguments[0] for _, arguments in facts]))


def _read_datetimes(src: BlobReader, count: int) -> list[datetime]:
    zone = read_zone(src)
    data = bytes(src.fixed(_STATE.size * count))
    _check_fields(data)
    states = map(_first, _STATE.iter_unpack(data))
    make: Any = datetime  # the types say nothing of this form
    return list(map(make, states)) if zone is None else list(map(make, states, repeat(zone)))


def _check_fields(data: bytes) -> None:
    """Refuse ten-byte forms of datetimes that are none."""
    century, year, month, day, hour, minute, second, high, middle, low = (data[i::10] for i in range(10))
    if (
        max(hour) > 23
        or max(minute) > 59
        or max(second) > 59
        or max(zip(high, middle, low, strict=True)) > (0x0F, 0x42, 0x3F)
    ):
        raise Unreadable("a time of day that is none")
    for days in set(zip(century, year, month, day, strict=True)):
        date(days[0] << 8 | days[1], days[2] & 0x7F, days[3])  # ValueError unless there is such a day


def _same_datetimes(values: list[datetime]) -> Iterable[Hashable]:
    # two passes of one hour are equal, and not the same
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
    return [
        time(hour, minute, second, micro, zone, fold=fold) for hour, minute, second, micro, fold in fields
    ]


def _write_timedeltas(out: BlobWriter, values: list[timedelta]) -> None:
    out.numbers("i", map(attrgetter("days"), values))
    out.numbers("i", map(attrgetter("seconds"), values))
    out.numbers("i", map(attrgetter("microseconds"), values))


def _read_timedeltas(src: BlobReader, count: int) -> list[timedelta]:
    return list(map(timedelta, *(src.numbers("i", count) for _ in range(3))))


TIMES: dict[type, Family] = {
    date: Family(11, _write_dates, _read_dates, by_value),
    datetime: Family(12, _write_datetimes, _read_datetimes, _same_datetimes),
    time: Family(13, _write_times, _read_times, by_identity),
    timedelta: Family(14, _write_timedeltas, _read_timedeltas, by_value),
}
