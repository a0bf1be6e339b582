"""From rules on the wall to spans of time: what opening hours mean around a change of the clock.

``nonexistent`` says what an opening or closing time means that the clock skips,
``ambiguous`` what one means that it shows twice (T is the instant of the change):

    ==============  ======================  ======================  ==================================
    nonexistent     opens                   closes
    ==============  ======================  ======================  ==================================
    ``"jump"``      at T                    at T                    as the wall clock has it (default)
    ``"later"``     later by the skip       later by the skip       02:30 is 03:30, as in RFC 5545
    ``"earlier"``   earlier by the skip     earlier by the skip     02:30 is 01:30
    ``"narrowest"`` later by the skip       earlier by the skip     never beside the wall clock's rule
    ``"widest"``    earlier by the skip     later by the skip       all that could be meant
    ==============  ======================  ======================  ==================================

    ==============  ======================  ======================  ==================================
    ambiguous       opens                   closes
    ==============  ======================  ======================  ==================================
    ``"both"``      each time it is shown   each time it is shown   as the wall clock has it (default)
    ``"first"``     the first time          the first time          as in RFC 5545
    ``"second"``    the second time         the second time
    ``"narrowest"`` the second time         the first time          never beside the wall clock's rule
    ``"widest"``    the first time          the second time         all that could be meant
    ==============  ======================  ======================  ==================================

With the defaults an instant is open exactly when the wall clock, read at that instant, shows an open time:
nobody is told "open" when the sign on the door says closed. An opening that lies in a skipped stretch whole
does not happen, whatever the policy. There is no policy that raises: one rule must not break a search over a
thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta, tzinfo
from typing import Final, TypeAlias

from bookcore.hours.rules import Day
from bookcore.hours.wall_clock import change_between, offsets, steady_offset

__all__ = ["AMBIGUOUS", "NONEXISTENT", "Piece", "instants", "longest_run", "merged", "runs"]

NONEXISTENT: Final = ("jump", "later", "earlier", "narrowest", "widest")
AMBIGUOUS: Final = ("both", "first", "second", "narrowest", "widest")

Piece: TypeAlias = tuple[timedelta, timedelta]

# beyond every instant that a datetime can name
_EVER: Final = timedelta(days=10_000_000)


def runs(week: tuple[Day, ...], by_day: Mapping[int, Day], first: int, last: int) -> list[Piece]:
    """Return the openings of the days ``first`` to ``last`` (since 1970, last excluded), merged."""
    found: list[Piece] = []
    for number in range(first, last):
        midnight = timedelta(days=number)
        for opens, closes in by_day.get(number, week[(number + 3) % 7]):  # 1970 began on a Thursday
            found.append((midnight + timedelta(seconds=opens), midnight + timedelta(seconds=closes)))
    return merged(found)


def longest_run(week: tuple[Day, ...], by_day: Mapping[int, Day]) -> timedelta:
    """Return the longest opening on the wall of a rule that closes every week. Complexity: O(exceptions)."""
    found = runs(week, {}, -7, 14)
    days = sorted(by_day)
    first = 0
    for index, day in enumerate(days):
        # exceptions may chain with what is near; without them no opening reaches over nine days
        if index + 1 == len(days) or days[index + 1] - day > 20:
            found += runs(week, by_day, days[first] - 10, day + 11)
            first = index + 1
    return max((closes - opens for opens, closes in found), default=timedelta(0))


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces in order, those that overlap or touch as one."""
    merged: list[Piece] = []
    for opens, closes in sorted(pieces):
        if merged and opens <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], closes)
        else:
            merged.append((opens, closes))
    return merged


def instants(
    zone: tzinfo, opens: timedelta, closes: timedelta, nonexistent: str, ambiguous: str
) -> Iterator[Piece]:
    """Yield when, in UTC, an opening on the wall takes place: once, save around a change of the clock.

    Complexity: O(log t) in the changes the zone has seen.
    """
    for low, high in _since(zone, opens, closes, nonexistent, ambiguous):
        for since, until in _until(zone, closes, nonexistent, ambiguous):
            if max(low, since) < min(high, until):
                yield max(low, since), min(high, until)


def _offsets(zone: tzinfo, wall: timedelta) -> tuple[timedelta, timedelta]:
    """Return the `offsets` of a wall point, which on most days are those of all rules of the zone."""
    steady = steady_offset(zone, wall.days - 2, wall.days + 3)
    return offsets(zone, wall) if steady is None else (steady, steady)


def _since(
    zone: tzinfo, opens: timedelta, closes: timedelta, nonexistent: str, ambiguous: str
) -> tuple[Piece, ...]:
    """Return the instants at which the clock has reached the opening time, by the policies."""
    before, after = _offsets(zone, opens)
    if before == after:
        return ((opens - before, _EVER),)
    change = change_between(zone, opens, before, after)
    if before < after:
        if closes <= change + after:
            return ()  # skipped whole
        if nonexistent == "jump":
            return ((change, _EVER),)
        return ((opens - (before if nonexistent in ("later", "narrowest") else after), _EVER),)
    if ambiguous == "both":
        return (opens - before, change), (opens - after, _EVER)
    return ((opens - (before if ambiguous in ("first", "widest") else after), _EVER),)


def _until(zone: tzinfo, closes: timedelta, nonexistent: str, ambiguous: str) -> tuple[Piece, ...]:
    """Return the instants at which the clock has not reached the closing time, by the policies."""
    before, after = _offsets(zone, closes)
    if before == after:
        return ((-_EVER, closes - before),)
    change = change_between(zone, closes, before, after)
    if before < after:
        # the first skipped time is no trouble to close at: it is the very instant of the change
        if nonexistent == "jump" or closes - before == change:
            return ((-_EVER, change),)
        return ((-_EVER, closes - (before if nonexistent in ("later", "widest") else after)),)
    if ambiguous == "both":
        return (-_EVER, closes - before), (change, closes - after)
    return ((-_EVER, closes - (before if ambiguous in ("first", "narrowest") else after)),)
