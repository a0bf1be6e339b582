"""Wall-clock time and UTC: what a time zone's clock changes do to local times and to opening hours.

A *point* in this package is a length since 1970-01-01. A *wall* point counts what the wall clock shows; an *instant*
counts UTC. Lengths do not overflow, compare in C, and have no ``fold`` (Python compares two datetimes of one zone
by their wall-clock fields: the second 02:30 is not after the first).

A zone moves its clock at an instant T from one UTC offset to another::

    clock put forward, 01:00 UTC, +1h to +2h          clock put back, 01:00 UTC, +2h to +1h

    wall 04 |            /                            wall 04 |               /
         03 |          / <- T                              03 |      /      /
         02 |        /     02:00..03:00 is skipped         02 |    /  | <- T    02:00..03:00 is shown twice
         01 |      /                                       01 |  /
            +------------- UTC                                +---------------- UTC

``fold=0`` gives the offset before a change, ``fold=1`` the offset after it. Equal offsets mean an ordinary wall time,
``before < after`` a skipped wall time, ``before > after`` a repeated wall time.

Opening hours have two policies: ``nonexistent`` decides the meaning of an opening or closing time that the clock
skips, ``ambiguous`` the meaning of a time that the clock shows twice:

    ==============  ======================  ======================  ==================================
    nonexistent     opens                   closes
    ==============  ======================  ======================  ==================================
    ``"jump"``      at T                    at T                    as the wall clock shows (default)
    ``"later"``     later by the skip       later by the skip       02:30 is 03:30, as in RFC 5545
    ``"earlier"``   earlier by the skip     earlier by the skip     02:30 is 01:30
    ``"narrowest"`` later by the skip       earlier by the skip     the shortest possible opening
    ``"widest"``    earlier by the skip     later by the skip       the longest possible opening
    ==============  ======================  ======================  ==================================

    ==============  ======================  ======================  ==================================
    ambiguous       opens                   closes
    ==============  ======================  ======================  ==================================
    ``"both"``      each time it is shown   each time it is shown   as the wall clock shows (default)
    ``"first"``     the first time          the first time          as in RFC 5545
    ``"second"``    the second time         the second time
    ``"narrowest"`` the second time         the first time          the shortest possible opening
    ``"widest"``    the first time          the second time         the longest possible opening
    ==============  ======================  ======================  ==================================

With the defaults an instant is open exactly when the wall clock shows an open time at that instant. An opening that
lies completely in a skipped period does not happen under any policy. No policy raises an error, because one rule must
not break a search over a thousand resources.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from bookcore.model.errors import LACKING, HoursError, blaming
from bookcore.model.typecheck import is_a, plain_text

NONEXISTENT: Final = ("jump", "later", "earlier", "narrowest", "widest")
AMBIGUOUS: Final = ("both", "first", "second", "narrowest", "widest")
Piece: TypeAlias = tuple[timedelta, timedelta]

EPOCH: Final = datetime(1970, 1, 1)
EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min - EPOCH
_LAST: Final = datetime.max - EPOCH
_SECOND: Final = timedelta(seconds=1)
_UNBOUNDED: Final = timedelta(days=10_000_000)  # longer than the range of datetime


def load_zone(zone: object) -> ZoneInfo:
    """Return the zone with an IANA name; a `ZoneInfo` is returned unchanged.

    Raises: `HoursError` for an unknown name, and for a `ZoneInfo` without a name.
    Complexity: O(1) once a zone has been loaded.

    >>> load_zone("Europe/Berlin").key
    'Europe/Berlin'
    """
    if is_a(zone, ZoneInfo):
        with blaming(lambda exc: HoursError(zone, f"its name could not be read ({type(exc).__name__})")):
            name = plain_text(zone.key)
        if not name:
            raise HoursError(zone, "a zone read from a file has no name to remember it by; give an IANA name")
        return zone
    name = plain_text(zone)
    if name is None:
        raise HoursError(zone, "a zone is an IANA name such as 'Europe/Berlin', or None for naive datetimes")
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as exc:
        raise HoursError(
            zone, "no such time zone here; zones have IANA names such as 'Europe/Berlin' "
            "(where the system has no zone database, pip install 'bookcore[zones]')"
        ) from exc


def choice(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return *value* as a str. Raises: `HoursError` if *allowed* does not contain it."""
    text = plain_text(value)
    if text is None or text not in allowed:
        raise HoursError(value, f"{name} is one of {', '.join(map(repr, allowed))}")
    return text


def offsets(zone: tzinfo, wall: timedelta) -> tuple[timedelta, timedelta]:
    """Return the two UTC offsets of a wall point, before and after a clock change (equal if there is none).

    Complexity: O(log t) in the number of clock changes of the zone.

    >>> berlin = load_zone("Europe/Berlin")
    >>> skipped = datetime(2026, 3, 29, 2, 30) - EPOCH
    >>> [str(offset) for offset in offsets(berlin, skipped)]
    ['1:00:00', '2:00:00']
    """
    # a wall point outside the range of datetime has the offset of the nearest datetime
    shown = (EPOCH + min(max(wall, _FIRST), _LAST)).replace(tzinfo=zone)
    try:
        before, after = shown.utcoffset(), shown.replace(fold=1).utcoffset()
    except LACKING:
        raise
    except Exception as exc:  # of a class of the user's own
        raise HoursError(zone, f"could not be asked for its UTC offset ({type(exc).__name__}: {exc})") from exc
    if before is None or after is None:
        raise HoursError(zone, "this time zone does not know its UTC offset")
    return before, after


def change_between(zone: tzinfo, wall: timedelta, before: timedelta, after: timedelta) -> timedelta:
    """Return the instant T of the clock change around *wall*, a point with two different `offsets`.

    Complexity: O(log s) zone look-ups, where s is the number of seconds by which the clock moved.

    >>> berlin = load_zone("Europe/Berlin")
    >>> skipped = datetime(2026, 3, 29, 2, 30) - EPOCH
    >>> EPOCH_UTC + change_between(berlin, skipped, *offsets(berlin, skipped))
    datetime.datetime(2026, 3, 29, 1, 0, tzinfo=datetime.timezone.utc)
    """
    low, high = sorted((wall - before, wall - after))
    # Bisection over whole seconds, because changes fall on them: `low` has the old offset, `high` the new offset.
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
    """Return the UTC offset that is constant from day *first* to day *last* since 1970 (UTC), None if it changes.

    The function samples the offset once a day. That is enough: the shortest interval after which a zone of the database
    returned to an earlier offset is three days and 23 hours (Africa/Freetown, 1939). The result is also None outside
    the range of datetime. Complexity: O(days), O(1) for a repeated call.

    >>> berlin = load_zone("Europe/Berlin")
    >>> day = (datetime(2026, 3, 20) - EPOCH).days
    >>> str(steady_offset(berlin, day, day + 8)), steady_offset(berlin, day, day + 18)
    ('1:00:00', None)
    """
    try:
        seen = {(EPOCH_UTC + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(first, last + 1)}
    except (OverflowError, ValueError):
        return None
    return seen.pop() if len(seen) == 1 else None


def instants(
    zone: tzinfo, opens: timedelta, closes: timedelta, nonexistent: str, ambiguous: str
) -> Iterator[Piece]:
    """Yield the UTC spans of an opening that is given as wall points: one span, except near a clock change.

    Complexity: O(log t) in the number of clock changes of the zone.
    """
    since = (*_shown(zone, opens, nonexistent, ambiguous, closes), _UNBOUNDED)
    until = (-_UNBOUNDED, *_shown(zone, closes, nonexistent, ambiguous))
    for opened, shut in zip(since[::2], since[1::2], strict=False):
        for low, high in zip(until[::2], until[1::2], strict=True):
            if max(low, opened) < min(high, shut):
                yield max(low, opened), min(high, shut)


def _offsets(zone: tzinfo, wall: timedelta) -> tuple[timedelta, timedelta]:
    """Return the `offsets` of a wall point, from the cache of `steady_offset` if no clock change is near."""
    steady = steady_offset(zone, wall.days - 2, wall.days + 3)
    return offsets(zone, wall) if steady is None else (steady, steady)


def _shown(
    zone: tzinfo, wall: timedelta, nonexistent: str, ambiguous: str, closes: timedelta | None = None
) -> tuple[timedelta, ...]:
    """Return the instant that a closing time means, by the policies; with *closes*, that of the opening time before it.

    There are three for ``"both"``: the first time, the change at which the clock goes back, and the second time. There is
    none for an opening that the clock skips as a whole.
    """
    before, after = _offsets(zone, wall)
    if before == after:
        return (wall - before,)
    change = change_between(zone, wall, before, after)
    policy = nonexistent if before < after else ambiguous
    if policy == "both":
        return wall - before, change, wall - after
    if before < after:
        if closes is not None and closes <= change + after:
            return ()
        # the first skipped wall time, as a closing time, is the instant of the change under every policy
        if policy == "jump" or (closes is None and wall - before == change):
            return (change,)
    is_late = policy in ("later", "second", "widest" if closes is None else "narrowest")
    return (wall - (min if is_late else max)(before, after),)
