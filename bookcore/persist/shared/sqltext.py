"""How values of a calendar are written in SQL: ids as text, spans as ranges, and what programs add to them as JSON.

    id        "flat 7" -> flat 7      4711 -> 4711      "4711" -> "4711" in quotes      (2, "b") -> [2,"b"]
    span      two keys -> a range in the column of their family, `RANGES`; None, which is unbounded, has no bound in it
    others    JSON; what JSON has no form for is text

Invariants: different ids have different texts. The range of a span has exactly its keys, and of two spans that overlap the
ranges overlap. Keys of one calendar that no range can have exactly (a third, a class of the program's own) have none, and
neither have keys that are too long for an index.

The keys of the column ``keys`` are bytes whose order is that of the keys: a text is its UTF-8; a number is its sign, the
place of its first digit, and its digits, those of a negative number complemented; a tuple is its elements, one after the
other, each with an end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from math import isfinite
from typing import Any
from uuid import UUID

from bookcore.model.errors import LACKING
from bookcore.model.keys import normal
from bookcore.model.typecheck import can_be_encoded
from bookcore.persist.codec.columns import encode_column
from bookcore.persist.errors import failure

RANGES = {
    "during": "tstzrange",
    "during_local": "tsrange",
    "dates": "daterange",
    "numbers": "numrange",
    "keys": "bookcore.keyrange",
}
"""The columns of a span, and their types: aware datetimes, naive ones, dates, numbers, and bytes for texts and tuples."""

_OTHERS = re.compile(r'["\[{]|-?[0-9]+\Z|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z')
"""Texts that could be taken for other ids."""
_LONGEST_ID = 800
"""The longest text of an id in bytes; a digest replaces longer ones, which no index of PostgreSQL would take."""
_LONGEST_KEY = 500
_MOST_DIGITS, _MOST_BITS = 900, 2990
_FARTHEST = 3000
"""How many places after or before the point a number may have."""
_EPOCH, _LOCAL_EPOCH = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


# -- ids, and what is added ------------------------------------------------------------------------


def id_text(id: Any) -> str:
    """Return the text by which SQL knows an id of a resource or a booking, or a label.

    A text is itself, a whole number its digits, and a UUID as it is printed. A text that could be taken for something else
    is in quotes: digits, a UUID, what begins with a quote, a bracket or a brace. Longer ids than 800 bytes are a digest.
    O(length).

    >>> print(id_text("flat 7"), id_text(4711), id_text("4711"), id_text((2, "b")))
    flat 7 4711 "4711" [2,"b"]
    """
    kind = type(id)
    if kind is int:
        text = str(id) if id.bit_length() <= _MOST_BITS else _tagged("int", hex(id))
    elif kind is str:
        text = id
        if _OTHERS.match(id) or not _can_be_text(id):
            text = json.dumps(id)
    elif kind is UUID:
        text = str(id)
    elif kind is tuple:
        text = f"[{','.join(_element(each) for each in id)}]"
    elif kind is frozenset:
        text = _tagged("frozenset", sorted(map(id_text, id)))
    elif kind in _TOLD_EXACTLY:
        text = _tagged(kind.__name__, as_json(id))
    elif type(held := normal(id)) is not kind:  # a number or a time of NumPy or pandas
        text = id_text(held)
    else:
        text = _tagged(kind.__qualname__, encode_column([id]).hex())
    if len(text) > _LONGEST_ID // 4 and len(text.encode()) > _LONGEST_ID:
        text = _tagged("digest", blake2b(text.encode(), digest_size=32).hexdigest())
    return text


_TOLD_EXACTLY = frozenset({type(None), bool, float, Decimal, Fraction, bytes, date, datetime, time, timedelta})
"""Types of which different values have different forms in JSON; aware datetimes are written with their offset."""


def _element(id: Any) -> str:
    return json.dumps(id) if type(id) is str else id_text(id)


def _tagged(kind: str, value: Any) -> str:
    return json.dumps({kind: value}, allow_nan=False)


def _can_be_text(text: str) -> bool:
    """Tell whether a text of PostgreSQL can have all its characters: no NUL, no half of a surrogate pair."""
    return "\0" not in text and can_be_encoded(text)


def as_text(text: str) -> str:
    """Return a text that PostgreSQL takes: the text itself, or as JSON has it if it holds NUL or half a surrogate pair."""
    return text if _can_be_text(text) else json.dumps(text)


def as_json(value: Any) -> Any:
    """Return what `json.dumps` is to write for a value. O(size).

    What JSON has no form for is text: exact numbers with a point, dates, times, lengths; of other objects the class's name.

    >>> print(as_json({"price": Decimal("12.50"), "from": date(2026, 5, 1), "sizes": (1, 2)}))
    {'price': '12.50', 'from': '2026-05-01', 'sizes': [1, 2]}
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return as_text(value)
    if kind is int:
        return value if value.bit_length() <= _MOST_BITS else hex(value)
    if kind is float:
        return value if isfinite(value) else repr(value)
    if kind in (Decimal, Fraction, timedelta, UUID):
        return str(value)
    if kind in (date, datetime, time):
        return value.isoformat()
    if kind in (bytes, bytearray):
        return value.hex()
    if kind in (tuple, list):
        return list(map(as_json, value))
    if kind in (set, frozenset):
        return sorted(map(as_json, value), key=json.dumps)
    if kind is dict:
        name_of = as_text if set(map(type, value)) <= {str} else id_text  # a text differs from a number where there are both
        return {name_of(name): as_json(each) for name, each in value.items()}
    try:
        held = normal(value)  # numbers and times of NumPy and pandas
    except LACKING:
        raise
    except Exception as exc:
        return failure(exc)
    return as_json(held) if type(held) is not kind else as_text(kind.__qualname__)


# -- spans -----------------------------------------------------------------------------------------


def range_of(start: Any, end: Any, closed: bool) -> dict[str, Any]:
    r"""Return the columns of a span, by name: its range as PostgreSQL reads it; for keys that SQL has not, also JSON.

    A span without any bound is in all families of keys, because it overlaps every other one. O(length).

    >>> range_of(9, None, False), range_of("a", "b", True)
    ({'numbers': '[9,)'}, {'keys': '["\\\\x61","\\\\x62"]', 'span': ['a', 'b']})
    """
    if start is None and end is None:
        return dict.fromkeys(RANGES, "(,)")
    low, high = _bound(start), _bound(end)
    if low is _NONE or high is _NONE or (low and high and low[0] != high[0]):
        return {"span": [as_json(start), as_json(end)]}
    (column, first), (_, last) = low or (high[0], ""), high or (low[0], "")
    columns: dict[str, Any] = {column: f"{'[' if low else '('}{first},{last}{']' if closed and high else ')'}"}
    if column == "keys":
        columns["span"] = [as_json(start), as_json(end)]
    return columns


_NONE: Any = ()
"""The bound of a key that no range can have."""


def _bound(key: Any) -> Any:
    """Return the column of a key and its text there; None for no key, `_NONE` for a key without either."""
    if key is None:
        return None
    key = normal(key)
    kind = type(key)
    if kind is datetime:
        return ("during_local" if key.utcoffset() is None else "during"), f'"{key.isoformat()}"'
    if kind is date:
        return "dates", key.isoformat()
    if kind in _NUMBERS:
        number = _NUMBERS[kind](key)
        return _NONE if number is None else ("numbers", str(number))
    data = _ordered(key) if kind in (str, bytes) else _element_bytes(key)
    if data is None or len(data) > _LONGEST_KEY:
        return _NONE
    return "keys", f'"\\\\x{data.hex()}"'


def _exact(number: Decimal) -> Decimal | None:
    """Return a number that PostgreSQL's numeric can have, or None."""
    if not number.is_finite():
        return number
    _, digits, exponent = number.as_tuple()
    is_near = len(digits) <= _MOST_DIGITS and exponent >= -_FARTHEST and number.adjusted() <= _FARTHEST  # type: ignore[operator]
    return number if is_near else None


def _of_fraction(number: Fraction) -> Decimal | None:
    """Return a fraction whose digits end, or None."""
    rest, places = number.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    if rest != 1 or places > _FARTHEST:
        return None
    digits = number.numerator * 10**places // number.denominator
    return None if digits.bit_length() > _MOST_BITS else _exact(Decimal(f"{digits}e-{places}"))


_NUMBERS: dict[type, Callable[[Any], Decimal | None]] = {
    int: lambda number: Decimal(number) if number.bit_length() <= _MOST_BITS else None,
    float: lambda number: _exact(Decimal(number)),
    Decimal: _exact,
    Fraction: _of_fraction,
}


def _ordered(key: str | bytes) -> bytes:
    return key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key


def _element_bytes(key: Any) -> bytes | None:
    """Return the bytes of a key in the order of such keys, of which none is the beginning of another; None: it has none."""
    kind = type(key)
    if kind in (str, bytes):
        return _ordered(key).replace(b"\0", b"\0\xff") + b"\0"
    if kind is datetime:
        return _number_bytes(Decimal((key - (_LOCAL_EPOCH if key.utcoffset() is None else _EPOCH)) // _MICROSECOND))
    if kind is date:
        return _number_bytes(Decimal(key.toordinal()))
    if kind is timedelta:
        return _number_bytes(Decimal(key // _MICROSECOND))
    if kind is time and key.tzinfo is None:
        return _number_bytes(Decimal((datetime.combine(date(1970, 1, 1), key) - _LOCAL_EPOCH) // _MICROSECOND))
    if kind in _NUMBERS:
        number = _NUMBERS[kind](key)
        return None if number is None else _number_bytes(number)
    if kind in (tuple, list):
        parts = [_element_bytes(each) for each in key]
        return None if None in parts else b"".join(b"\1" + part for part in parts if part is not None) + b"\0"
    return None


def _number_bytes(number: Decimal) -> bytes:
    """Return the bytes of a number in the order of numbers."""
    if number.is_zero():
        return b"\x80"
    if number.is_infinite():
        return b"\xff" if number > 0 else b"\x01"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    size = (number.adjusted() + (1 << 31)).to_bytes(4, "big") + digits.encode() + b"\0"
    return b"\xc0" + size if number > 0 else b"\x40" + bytes(255 - byte for byte in size)
