"""The short form of a record: a plain booking, whose number is its id and whose keys are whole numbers or datetimes.

Most records are of this kind, or of the removal of such a booking, which has the first eight bytes alone, with its id. The
short form takes a third of the bytes, and is read many at a time:

    offset  size
         0     7   number of the booking (all numbers little-endian)
         7     1   which keys, and which id the resource has; 0 in the other records, which begin with the number of rows
         8     8   start: the number itself, or microseconds since the beginning of 1970
        16     8   end
        24     -   id of the resource, as text

    byte at 7   1 to 3   datetimes, datetimes in UTC, whole numbers; the id of the resource is a text
                5 to 7   the same, and the id is a whole number
                    8   a removal
                    9   several of these, such as the changes of a transaction

A record of several has their count in place of the number, then the size of each in four bytes, then the short records
themselves, in order.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import Any, NamedTuple

from bookcore.engine.state import CalendarState
from bookcore.index.dictionary_column import DictionaryColumn, dictionary_encode
from bookcore.model import change as changes
from bookcore.model.event import BookingEvent
from bookcore.persist.codec.blob import Unreadable
from bookcore.persist.errors import failure

_SHORT = struct.Struct("<Qqq")
_NUMBER = struct.Struct("<Q")
_FORM = 56  # the bit at which the form begins
_FORM_AT = _FORM // 8
_EPOCHS = {None: datetime(1970, 1, 1), UTC: datetime(1970, 1, 1, tzinfo=UTC)}
_ZONES = {1: None, 2: UTC}  # of the datetimes of a form
_OF_INTS = 3  # the form of whole numbers
_OF_NUMBERED = 4  # is added where the id of the resource is a whole number
REMOVAL = 8
"""The form of a removal."""
SEVERAL = 9
"""The form of a record that is made of others."""
_MICROSECOND = timedelta(microseconds=1)


class Columns(NamedTuple):
    """What many records of one form say, a column each. ``wheres`` has the distinct ids of resources as its table."""

    numbers: list[int]
    starts: Sequence[Any]
    ends: Sequence[Any]
    wheres: DictionaryColumn


def short_form(state: CalendarState, change: changes.Change) -> bytes | None:
    """Return the short form of the record of a plain booking, or of a removal of one; None for any other change."""
    if type(change) is changes.Released:
        id = change.event._id
        if change.expired or change.held or change.until is not None or change.ran_out is not None:
            return None
        return _NUMBER.pack(REMOVAL << _FORM | id) if type(id) is int and 0 < id < 1 << _FORM else None
    if not isinstance(change, changes.Booked) or change.held:
        return None
    event, start, end = change.event, change.event._start, change.event._end
    if change.until is not None or change.ran_out is not None:
        return None
    number, where = change.number or event._seq, state.record_of_resource(event._resource).id
    if type(event) is not BookingEvent or event._fields or event._quantity != 1 or type(event._id) is not int:
        return None
    if event._id != number or number >> _FORM or type(start) is not type(end) or type(where) not in (str, int):
        return None
    form = _OF_INTS
    if type(start) is datetime:
        zone = start.tzinfo
        if end.tzinfo is not zone or zone not in (None, UTC) or start.fold or end.fold:
            return None
        form, epoch = 1 if zone is None else 2, _EPOCHS[zone]
        start, end = (start - epoch) // _MICROSECOND, (end - epoch) // _MICROSECOND
    elif type(start) is not int:
        return None
    form += _OF_NUMBERED if type(where) is int else 0
    try:
        return _SHORT.pack(form << _FORM | number, start, end) + str(where).encode("utf-8", "surrogatepass")
    except struct.error:  # beyond 64 bits
        return None


def form_of(record: bytes) -> int:
    """Return the form of a record; 0 for one that is not short."""
    return record[_FORM_AT] if len(record) > _FORM_AT else 0


def several(records: Sequence[bytes]) -> bytes:
    """Return one record that is made of several short ones. O(n).

    >>> parts_of(several([b"booking!", b"removal."]))
    [b'booking!', b'removal.']
    """
    sizes = struct.pack(f"<{len(records)}I", *map(len, records))
    return _NUMBER.pack(SEVERAL << _FORM | len(records)) + sizes + b"".join(records)


def parts_of(record: bytes) -> list[bytes]:
    """Return the short records of which one is made. O(n). Raises: `Unreadable`."""
    count = int.from_bytes(record[:_FORM_AT], "little")
    begin = _NUMBER.size + 4 * count
    if begin > len(record):
        raise Unreadable(f"{count} changes in a record of {len(record)} bytes")
    ends = list(accumulate(struct.unpack_from(f"<{count}I", record, _NUMBER.size), initial=begin))
    parts = [record[start:end] for start, end in pairwise(ends)]
    if ends[-1] != len(record) or min(map(len, parts), default=0) < _NUMBER.size:
        raise Unreadable(f"{count} changes whose sizes are not those of a record of {len(record)} bytes")
    if not {0, SEVERAL}.isdisjoint(forms_of(parts)):
        raise Unreadable("a change among several that has no short form of its own")
    return parts


def forms_of(records: Iterable[bytes]) -> bytes:
    """Return the form of each of these short records. O(n), in C."""
    return bytes(map(itemgetter(_FORM_AT), records))


def removed_by(record: bytes) -> int:
    """Return the id of the booking that a removal removes. Raises: `Unreadable`."""
    if len(record) != _NUMBER.size:
        raise Unreadable(f"a removal of {len(record)} bytes")
    return int.from_bytes(record[:_FORM_AT], "little")


def read_short(record: bytes) -> tuple[int, Any, Any, Any]:
    """Return number, start, end and the id of the resource of a booking. Raises: `Unreadable`."""
    form = record[_FORM_AT]
    try:
        number, start, end = _SHORT.unpack_from(record)
        where = _where(record[_SHORT.size :], form)
        start, end = _keys([start, end], form)
    except (struct.error, ValueError, OverflowError) as exc:
        raise Unreadable(f"a booking whose keys or resource cannot be made ({failure(exc)})") from exc
    return number & (1 << _FORM) - 1, start, end, where


def columns_of(records: Sequence[bytes]) -> Columns | None:
    """Return what many records of bookings say; None unless all have one form. O(n), nearly all of it in C.

    Raises: as `read_short`, or ValueError or OverflowError.
    """
    size = _SHORT.size
    facts = b"".join([record[:size] for record in records])
    forms = set(facts[_FORM_AT::size])
    if len(facts) < size * len(records) or len(forms) > 1:
        return None
    words = array("q", facts)
    if sys.byteorder == "big":
        words.byteswap()
    [form] = forms
    low, high = words[1::3], words[2::3]
    encoded = dictionary_encode(low, high)
    if encoded is None:  # they hardly repeat
        starts, ends = _keys(low, form), _keys(high, form)
    else:
        table = _keys(encoded[0].table, form)
        starts, ends = (DictionaryColumn(table, column.places) for column in encoded)
    texts = [record[size:] for record in records]
    place_of = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    wheres = DictionaryColumn([_where(text, form) for text in place_of], list(map(place_of.__getitem__, texts)))
    return Columns([word & (1 << _FORM) - 1 for word in words[::3]], starts, ends, wheres)


def _where(text: bytes, form: int) -> Any:
    """Return the id of a resource. Raises: ValueError."""
    where = str(text, "utf-8", "surrogatepass")
    return int(where) if form > _OF_NUMBERED else where


def _keys(numbers: Sequence[int], form: int) -> Sequence[Any]:
    """Return the keys that these numbers stand for, in a list. Raises: `Unreadable`, OverflowError."""
    of_keys = (form - 1) % _OF_NUMBERED + 1
    if form > _OF_NUMBERED + _OF_INTS or of_keys > _OF_INTS:
        raise Unreadable(f"a booking of an unknown form {form}")
    if of_keys == _OF_INTS:
        return list(numbers)
    epoch = _EPOCHS[_ZONES[of_keys]]
    return list(map(epoch.__add__, map(_MICROSECOND.__mul__, numbers)))
