"""Wall clocks and instants: what a zone's clock changes do to a local time.

Points, here and in `hours` and `recurrence`, are lengths since 1970-01-01: a *wall* point counts what the
clock on the wall shows, an *instant* what has passed in UTC. As lengths they never run out of range, compare
in C, and know no ``fold`` (Python compares two times of one zone by their faces: the second 02:30 is not
after the first).

A zone moves its clock at an instant T from one UTC offset to another::

    clock put forward, 01:00 UTC, +1h to +2h          clock put back, 01:00 UTC, +2h to +1h

    wall 04 |            /                            wall 04 |               /
         03 |          / <- T                              03 |      /      /
         02 |        /     02:00..03:00 is skipped         02 |    /  | <- T    02:00..03:00 is shown twice
         01 |      /                                       01 |  /
            +------------- UTC                                +---------------- UTC

``fold`` tells the sides of a change apart: fold 0 gives the offset before it, fold 1 the offset after it.
Equal offsets mean an ordinary time, ``before < after`` a skipped one, ``before > after`` a repeated one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from bookcore.model.errors import HoursError
from bookcore.model.typecheck import is_a, plain_text

__all__ = ["EPOCH", "EPOCH_UTC", "change_between", "choice", "load_zone", "offsets", "steady_offset"]

EPOCH: Final = datetime(1970, 1, 1)
EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min - EPOCH
_LAST: Final = datetime.max - EPOCH
_SECOND: Final = timedelta(seconds=1)


def load_zone(zone: object) -> ZoneInfo:
    """Return the zone of an IANA name, or the `ZoneInfo` given.

    A name that is no zone here, and a `ZoneInfo` that has no name, raise `HoursError`.
    Complexity: O(1) once a zone has been loaded.

    >>> load_zone("Europe/Berlin").key
    'Europe/Berlin'
    """
    if is_a(zone, ZoneInfo):
        if not zone.key:
            raise HoursError(zone, "a zone read from a file has no name to remember it by; give an IANA name")
        return zone
    name = plain_text(zone)
    if name is None:
        raise HoursError(zone, "a zone is an IANA name such as 'Europe/Berlin', or None for naive datetimes")
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as exc:  # no such key, a path outside the database, a folder of it
        raise HoursError(
            zone, "no such time zone here; zones have IANA names such as 'Europe/Berlin' "
            "(where the system has no zone database, pip install 'bookcore[zones]')"
        ) from exc


def choice(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return *value* if it is one of *allowed*, else raise `HoursError` naming them."""
    text = plain_text(value)
    if text is None or text not in allowed:
        raise HoursError(value, f"{name} is one of {', '.join(map(repr, allowed))}")
    return text


def offsets(zone: tzinfo, wall: timedelta) -> tuple[timedelta, timedelta]:
    """Return the UTC offsets of a wall point as the clock has it before and after a change (see above).

    Complexity: O(log t) in the changes the zone has seen.

    >>> berlin = load_zone("Europe/Berlin")
    >>> skipped = datetime(2026, 3, 29, 2, 30) - EPOCH
    >>> [str(offset) for offset in offsets(berlin, skipped)]
    ['1:00:00', '2:00:00']
    """
    # 24:00 of the last day that a datetime can name has the offset of the moment before
    shown = (EPOCH + min(max(wall, _FIRST), _LAST)).replace(tzinfo=zone)
    before, after = shown.utcoffset(), shown.replace(fold=1).utcoffset()
    if before is None or after is None:
        raise HoursError(zone, "this time zone does not know its UTC offset")
    return before, after


def change_between(zone: tzinfo, wall: timedelta, before: timedelta, after: timedelta) -> timedelta:
    """Return the instant T at which the clock changed around *wall*, whose two `offsets` differ.

    Complexity: O(log s) look-ups, s the seconds by which the clock moved.

    >>> berlin = load_zone("Europe/Berlin")
    >>> skipped = datetime(2026, 3, 29, 2, 30) - EPOCH
    >>> EPOCH_UTC + change_between(berlin, skipped, *offsets(berlin, skipped))
    datetime.datetime(2026, 3, 29, 1, 0, tzinfo=datetime.timezone.utc)
    """
    one, two = wall - before, wall - after
    low, high = (one, two) if one < two else (two, one)
    # changes fall on whole seconds, so search those: at `low` the old offset stands, at `high` the new one
    low -= timedelta(microseconds=low.microseconds)
    if high.microseconds:
        high += _SECOND - timedelta(microseconds=high.microseconds)
    while high - low > _SECOND:
        middle = low + (high - low) // (2 * _SECOND) * _SECOND
        if (EPOCH_UTC + middle).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=4096)
def steady_offset(zone: tzinfo, first: int, last: int) -> timedelta | None:
    """Return the UTC offset that a zone keeps from day *first* to day *last* since 1970 (in UTC), None if it changes.

    The clock is looked at once a day: the shortest time after which any zone of the database was back at the offset it
    had left is three days and 23 hours (Africa/Freetown, 1939). None also where datetimes end.
    Complexity: O(days), O(1) when asked again.

    >>> berlin = load_zone("Europe/Berlin")
    >>> day = (datetime(2026, 3, 20) - EPOCH).days
    >>> str(steady_offset(berlin, day, day + 8)), steady_offset(berlin, day, day + 18)
    ('1:00:00', None)
    """
    try:
        found = {(EPOCH_UTC + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(first, last + 1)}
    except (OverflowError, ValueError):
        return None
    return found.pop() if len(found) == 1 else None
