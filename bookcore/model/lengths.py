"""Keys moved by lengths: the only arithmetic on keys, for calls that take a length and for buffers around spans.

    before=0.2     booked [7.0, 8.0)       occupies [6.8, 8.0)
                   asked for [8.2, 9.0)    occupies [7.999999999999999, 9.0), which overlaps
                   the first start         8.200000000000001, from clear_after(8.0, 0.2)

What a booking occupies is `reach`: its span and the buffers, as Python adds them. Two bookings keep their buffers if what
they occupy does not overlap. That is the one definition, for booking and for every search. A search that knows what is
occupied asks the other way round, from which start and until which end a booking is clear of it (`clear_after`,
`clear_before`). Floats round, so that the key and the buffer added may be no such float, and the first one is looked for.

They differ in what they do where there is no such key:

    later, sooner        raise where the type has no such key, or where part of the length would be lost
    ahead, back          the same, but None (no bound) where the type has no keys so far out; decimals without a context
    exactly_back         None in both cases

How far apart the two ends of a span of some length are, `ends_apart` tells:

    "[)"                 the length                      12:00 to 15:00 lasts three hours
    "[]", datetimes      the length                      12:00 to 15:00 lasts three hours, and its end belongs to it
    "[]", whole days     the length without one day      Monday to Wednesday lasts three days
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Context, Decimal, localcontext
from math import inf, isinf, nextafter, ulp
from numbers import Number
from typing import Any

from bookcore.model.arithmetic import OWN, minus, plus
from bookcore.model.errors import LACKING, KeyTypeError, attempt, brief, brief_key
from bookcore.model.keys import normal
from bookcore.model.numpy_scalars import is_array, python_number, unit_of
from bookcore.model.typecheck import is_a

_DIGITS = 10_000
"""The digits of a sum of decimals. More are no key of anyone's, and would only cost time and memory."""


def later(key: Any, length: Any) -> Any:
    """Return ``key + length`` in the form in which indexes hold keys. If either is None, return *key* as it is.

    Raises: `KeyTypeError` when the two cannot be added, the sum is no move along the axis (of texts it is a longer text),
    the length is negative, or part of the length would be lost: a date plus five hours is the same date.

    >>> later(5, 2)
    7
    """
    return key if key is None or length is None else _moved(key, length, True)


def sooner(key: Any, length: Any) -> Any:
    """Return ``key - length``. None, form and errors: as `later`.

    >>> sooner(5, 2), sooner(None, 2)
    (3, None)
    """
    return key if key is None or length is None else _moved(key, length, False)


def _moved(key: Any, length: Any, forward: bool, exactly: bool = False) -> Any:
    """Return a key that is moved by a length; with *exactly*, the same in every decimal context. Raises: as `later`."""
    held = normal(key)
    if exactly and (type(held) is Decimal or type(length) is Decimal):
        with localcontext(Context(prec=_DIGITS)):
            return _moved(held, length, forward)
    try:  # the comparisons too: an array has no truth value, nor has the NA of pandas
        if type(held) in OWN and type(length) in OWN:
            moved = held + length if forward else held - length
        elif forward:
            _nothing(length)  # raises for what cannot be taken from itself: it is no distance
            moved = plus(held, length)
        else:
            moved = minus(held, length)
        low, high = (held, moved) if forward else (moved, held)
        is_negative = bool(high < low)
        is_whole = _is_whole(low, high, length)
    except LACKING:
        raise
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be moved by {brief_key(length)} ({type(exc).__name__})") from exc
    if is_negative:
        raise KeyTypeError(key, f"{brief_key(length)} is a negative length")
    if not is_whole:
        raise _lost(key, length)
    return moved


def ends_apart(key: Any, length: Any, closed: bool) -> Any:
    """Return how far apart the ends of a span of a length are: with closed bounds, whole days count as a person counts them.

    Whole days are dates, and times of NumPy in days moved by a length in days or weeks. Where they are counted, a length of
    zero stays zero: the length of nothing.

    >>> ends_apart(date(2026, 5, 4), timedelta(days=3), True), ends_apart(4, 3, True)
    (datetime.timedelta(days=2), 3)
    """
    day = day_of(key, length) if closed else None
    return length if day is None or not length else length - day


def day_of(key: Any, length: Any) -> Any:
    """Return the length of a day if a key is a whole day and a length counts such; else None."""
    if is_a(key, date) and not is_a(key, datetime):
        return timedelta(days=1)
    if unit_of(key) == "D" and unit_of(length) in ("D", "W"):
        return type(length)(1, "D")
    return None


def wrong_with(length: Any) -> str:
    """Return why no key at all can be moved by a length, as the end of a sentence; "" if there is no reason.

    A length is refused if it is negative, infinite, not a number, or nothing that can be added. Whether one certain key can
    be moved by it, only `later` finds out.

    >>> wrong_with(2), wrong_with(-2), wrong_with("2")
    ('', 'which is negative', 'which is no length')
    """
    try:
        if length != length:
            return "which is no number"
        cls = type(length)
        nothing = _nothing(length) if hasattr(cls, "__add__") or hasattr(cls, "__radd__") else None
    except ArithmeticError:  # a signalling NaN
        return "which is no number"
    except LACKING:
        raise
    except Exception:
        nothing = None
    if nothing is None:
        return "which is no length"
    if attempt(lambda: bool(nothing != nothing), False):
        return "which is without end"
    # a length in months, for one, cannot be compared
    return "which is negative" if attempt(lambda: bool(length < nothing), False) else ""


def is_nothing(length: Any) -> bool:
    """Tell whether a length is zero, by which every key stays where it is.

    >>> is_nothing(timedelta(0)), is_nothing(0.5), is_nothing(None)
    (True, False, False)
    """
    return length is not None and attempt(lambda: bool(length == _nothing(length)), False)


def _nothing(length: Any) -> Any:
    """Return a length minus itself. Raises: TypeError for what is no length: texts, lists, booleans, arrays."""
    if is_array(length):
        raise TypeError("an array is no length: it may change")
    length = python_number(length)
    if is_a(length, bool):
        raise TypeError("a truth value is no length")
    return length - length


def obstacle(key: Any, length: Any) -> KeyTypeError | None:
    """Return the error why a key cannot be moved by a length both ways; None also where the type has no keys so far out.

    A key that no float equals is not moved by a float: its sums are rounded, and lie at other places than the key does.
    """
    for move in (later, sooner):
        try:
            moved = move(key, length)
        except KeyTypeError as exc:
            if not is_too_far(exc):
                return exc
        else:
            if is_a(moved, float) and attempt(lambda: bool(float(key) != key), False):
                reason = f"cannot be moved by {brief_key(length)}: the sum is a float, and no float equals the key"
                return KeyTypeError(key, reason)
    return None


def is_movable(key: Any, length: Any) -> bool:
    """Tell whether a key can be moved by a length both ways; True also where the type has no keys so far out."""
    return obstacle(key, length) is None


def _is_whole(low: Any, high: Any, length: Any) -> bool:
    """Tell whether two keys, one of them made of the other and a length, are as far apart as the length.

    Arithmetic drops what the type of the result cannot hold: the hours of a length added to a date, the nanoseconds of a
    length added to a `datetime`, the digits beyond a decimal context. A buffer would then keep neighbours apart on one side
    and not on the other. Floats round by nature; for these only a length that is lost entirely counts.
    """
    if is_a(length, (timedelta, Decimal)) or is_a(low, Decimal) or type(low) is date:
        return bool(high - low == length)
    return not is_a(length, (Number,)) or bool(low < high) or not length


def _lost(key: Any, length: Any) -> KeyTypeError:
    if is_a(key, date) and not is_a(key, datetime):
        return KeyTypeError(key, f"is a date: it cannot be moved by {brief_key(length)}, only by whole days")
    return KeyTypeError(key, f"cannot be moved by {brief_key(length)}: part of that length would be lost")


def is_too_far(exc: KeyTypeError) -> bool:
    """Tell whether `later` or `sooner` raised this because the type has no keys so far out, and for no other reason."""
    return isinstance(exc.__cause__, OverflowError)


def back(key: Any, length: Any) -> Any:
    """Return ``key - length``, or None, no bound, where the type has no keys so far out. Raises otherwise as `sooner`."""
    return _moved_or_none(key, length, False)


def exactly_back(key: Any, length: Any) -> Any:
    """Return ``key - length``, or None where the type has no key that is earlier by exactly the length.

    For floats, neither ``-inf - 6.0`` nor ``-1e300 - 6.0`` is a key six earlier. Raises: `KeyTypeError` when the length
    cannot be subtracted from the key.
    """
    try:
        return sooner(key, length)
    except KeyTypeError as exc:
        if is_too_far(exc) or exc.__cause__ is None:  # there is another cause only if the subtraction itself failed
            return None
        raise


def ahead(key: Any, length: Any) -> Any:
    """Return ``key + length``, or None, no bound, where the type has no keys so far out. Raises otherwise as `later`."""
    return _moved_or_none(key, length, True)


def _moved_or_none(key: Any, length: Any, forward: bool) -> Any:
    try:
        return key if key is None or length is None else _moved(key, length, forward, True)
    except KeyTypeError as exc:
        if is_too_far(exc):
            return None
        raise


def clear_after(key: Any, before: Any, closed: bool, exactly: bool = True) -> Any:
    """Return the first start at which a span that keeps *before* clear may begin, after use that ends at a key.

    None if there is no such start. It is ``key + before``, except that floats round: it is the first float from which
    ``start - before``, as `reach` computes it, is not less than the key. With *closed*, the key itself is in use, and the
    answer is the last start that is blocked.

    Without *exactly*, a sum that needs no rounding is the answer: a gap before 8.5 that keeps 1.0 clear ends at 7.5, though
    7.500000000000001 + 1.0 is 8.5 as well.
    """
    moved = ahead(key, before)
    if before is None or not is_a(moved, float) or not (exactly or closed or _rounds(key, before, moved)):
        return moved
    return 0.0 - _last_end(-key, before, closed)  # and not -0.0


def clear_before(key: Any, after: Any, closed: bool, exactly: bool = True) -> Any:
    """Return the last end at which a span that keeps *after* clear may end, before use that begins at a key.

    None, rounding, *exactly* and *closed*: as `clear_after`, mirrored.
    """
    moved = back(key, after)
    if after is None or not is_a(moved, float) or not (exactly or closed or _rounds(key, after, moved)):
        return moved
    return _last_end(key, after, closed)


def _last_end(key: Any, after: Any, closed: bool) -> float:
    """Return the last float from which ``end + after`` is not beyond a key, or with *closed* the first from which it is."""
    after = python_number(after)
    bound = float(key)
    if isinf(bound):  # there is no next float
        return bound
    while not (bound < key if closed else bound <= key):
        bound = nextafter(bound, -inf)
    if isinf(bound):  # the key is the first float of all
        return nextafter(bound, inf)
    end: float = bound - after + ulp(bound) / 2  # a sum that is so far beyond is rounded to the bound
    while end + after > bound:
        end = nextafter(end, -inf)
    while (following := nextafter(end, inf)) + after <= bound:
        end = following
    return following if closed else end


def _rounds(key: Any, length: Any, moved: float) -> bool:
    """Tell whether a key and another float are not exactly as far apart as a length.

    One of the two differences is exact: that of floats of which neither is more than twice the other.
    """
    length, apart = python_number(length), abs(key - moved)
    return bool(apart != length) or bool((moved + length if moved < key else moved - length) != key)


def reach(record: Any, start: Any, end: Any) -> tuple[Any, Any]:
    """Return the span that a booking of a resource occupies: its own span and the resource's buffers on both sides.

    An end is None, no bound, where the type has no keys so far out. Raises: `KeyTypeError`, which names the resource.
    """
    try:
        return back(start, record.before), ahead(end, record.after)
    except KeyTypeError as exc:
        raise KeyTypeError(exc.key, f"{exc.reason}, the buffer of resource {brief(record.id)}") from exc.__cause__
