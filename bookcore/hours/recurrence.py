"""Recurring spans: a first span, a rule, and what it means on the clock on the wall.

The rule is walked in wall-clock time and each occurrence put on the axis by itself, so a meeting at 09:00
stays at 09:00 when the clock changes::

    rule        every Sunday 02:30                 Europe/Berlin
    wall        22 Mar 02:30    29 Mar 02:30    5 Apr 02:30
    axis (UTC)  01:30           01:30 (*)       00:30

(*) 02:30 does not exist on 29 March. As RFC 5545 has it (3.3.5), it is read with the offset from before the
change: 03:30 on the wall, 01:30 UTC. A time that the clock shows twice is its first showing. Both can be had
otherwise.

python-dateutil does the counting of days; it is imported when `recurring` is called, not before.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from heapq import merge
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from bookcore.hours.recurrence_axis import Axis, axis_of
from bookcore.hours.wall_clock import EPOCH, choice
from bookcore.model.errors import HoursError, InvalidSpanError, KeyTypeError, MissingExtraError

if TYPE_CHECKING:
    from dateutil.rrule import rrule, rruleset

    Rule: TypeAlias = str | rrule | rruleset | None

__all__ = ["recurring"]

NONEXISTENT: Final = ("later", "jump", "skip")
AMBIGUOUS: Final = ("first", "second")
KEEP: Final = ("elapsed", "wall")

# what RFC 5545 allows as numbers, from 1 or 0 up; negative ones too, where counting from the end makes sense
_RANGES: Final = {
    "BYSECOND": range(61),
    "BYMINUTE": range(60),
    "BYHOUR": range(24),
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": (*range(-31, 0), *range(1, 32)),
    "BYYEARDAY": (*range(-366, 0), *range(1, 367)),
    "BYWEEKNO": (*range(-53, 0), *range(1, 54)),
    "BYSETPOS": (*range(-366, 0), *range(1, 367)),
}
_PARTS: Final = frozenset(_RANGES) | {"FREQ", "UNTIL", "COUNT", "INTERVAL", "WKST", "BYDAY"}
_NUMBER: Final = re.compile(r"[+-]?\d{1,3}", re.ASCII)
_VALUE: Final = re.compile(r"[A-Z0-9,+-]+", re.ASCII)
_POSITIVE: Final = re.compile(r"0*[1-9]\d{0,8}", re.ASCII)
_UNTIL: Final = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)

K = TypeVar("K", bound=date)


def recurring(
    start: K,
    end: K,
    rule: Rule,
    *,
    zone: str | tzinfo | None = None,
    exclude: Iterable[date] = (),
    include: Iterable[date | tuple[date, date]] = (),
    until: date | None = None,
    limit: int | None = None,
    keep: str = "elapsed",
    nonexistent: str = "later",
    ambiguous: str = "first",
) -> Iterator[tuple[K, K]]:
    """Yield the spans that a recurrence rule makes of a first span, in order, as plain ``(start, end)`` pairs.

    - ``start``, ``end``: the first span: two dates (all-day, the end excluded as ever), two naive or two
      aware datetimes. It is the first of those yielded, as in RFC 5545, also where the rule would not produce
      it.
    - ``rule``: an RFC 5545 rule (``"FREQ=WEEKLY;BYDAY=MO;COUNT=10"``, with or without ``RRULE:``), or
      dateutil's `rrule` (which is restarted at *start*) or `rruleset` (taken as it is: its naive times are
      wall-clock times), or None for the first span alone. A rule without end is walked lazily, for ever.
    - ``zone``: whose wall clock the rule follows: an IANA name or a `tzinfo`. Left out, that of *start*; with
      naive datetimes, the keys are the wall clock. What comes out is in this zone, its ``fold`` set where it
      matters.
    - ``exclude``: starts left out (EXDATE); a date leaves out all that start on it. ``include``: further
      starts, or ``(start, end)`` pairs with a length of their own (RDATE). Both are read before anything is
      yielded. Naive datetimes are wall-clock times.
    - ``until``: the last start there may be, itself included, all of its day if it is a date. ``limit``: how
      many pairs to yield at most. The rule's own UNTIL and COUNT are about what the rule produces, excluded
      or not; among naive datetimes an UNTIL in UTC is read as a wall-clock time.
    - ``keep``: what an occurrence has in common with the first. ``"elapsed"``: the time that passes, as RFC
      5545 has it for a DTEND. ``"wall"``: the times on the wall, so that a night shift ends at 06:00 also
      when it lasts an hour more.
    - ``nonexistent``: where the clock skips a start: ``"later"`` by as much as it skips (RFC 5545),
      ``"jump"`` to the instant of the change, ``"skip"`` the occurrence. ``ambiguous``: the ``"first"`` (RFC
      5545) or ``"second"`` showing of a time that the clock shows twice.

    Starts are distinct: where two wall-clock times come to be one instant, it is yielded once. Rules finer
    than a day also count on the wall; for every sixty minutes, whatever the clock does, give ``zone="UTC"``.

    A rule that is well-formed and matches nothing more (30 February) is walked to the year 9999 before it
    ends, which takes dateutil seconds; ``limit`` and ``until`` cannot shorten that.

    Raises, when called: `MissingExtraError` without python-dateutil, `HoursError` for a rule or argument that
    cannot be read, `KeyTypeError` for keys that are no dates or do not go together, `InvalidSpanError`
    (reversed).
    Complexity: as dateutil walks; O(include + exclude) before the first.

    >>> from zoneinfo import ZoneInfo
    >>> first = datetime(2026, 3, 22, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    >>> for start, end in recurring(first, first + timedelta(hours=1), "FREQ=WEEKLY;COUNT=2"):
    ...     print(start, end.astimezone(UTC), sep=" to ")
    2026-03-22 09:00:00+01:00 to 2026-03-22 09:00:00+00:00
    2026-03-29 09:00:00+02:00 to 2026-03-29 08:00:00+00:00
    """
    choice("keep", keep, KEEP)
    choice("nonexistent", nonexistent, NONEXISTENT)
    choice("ambiguous", ambiguous, AMBIGUOUS)
    _check_limit(limit)
    axis = axis_of(start, zone, nonexistent, ambiguous)
    first, last = axis.instant(start), axis.instant(end)
    if isinstance(start, datetime) and (start.utcoffset() is None) != (end.utcoffset() is None):  # type: ignore[attr-defined]
        raise KeyTypeError(end, "goes with a start that has a zone only if it has one as well")
    if last < first:
        raise InvalidSpanError(start, end, "the end lies before the start")
    length, wall_length = last - first, axis.wall(end) - axis.wall(start)
    own = _included(include, axis)
    left_out, dates_out = _excluded(exclude, axis)
    stop = None if until is None else axis.latest(until)
    starts = _starts(rule, axis)

    def end_of(begin: timedelta) -> timedelta:
        if (given := own.get(begin)) is not None:
            return given
        if keep == "wall":
            ended, _ = axis.place(axis.shown(begin) + wall_length)
            if ended is not None and ended >= begin:
                return ended
        return begin + length

    def walk() -> Iterator[tuple[Any, Any]]:
        previous: timedelta | None = None
        for begin in merge(starts, sorted(own)):
            if stop is not None and begin > stop:
                return
            if begin == previous:
                continue
            previous = begin
            try:
                if begin in left_out or (dates_out and axis.shown(begin).days in dates_out):
                    continue
                pair = axis.key(begin), axis.key(end_of(begin))
            except OverflowError:  # past the year 9999, where no key has a name
                return
            yield pair

    return walk() if limit is None else islice(walk(), limit)


def _check_limit(limit: object) -> None:
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise HoursError(limit, "a limit is a whole number of spans, or None")


def _in_order(moments: Iterable[datetime], axis: Axis) -> Iterator[timedelta]:
    """Yield the instants of what a rule produced, in order.

    Wall-clock order is the order of instants, save that a skipped time moved later may pass its followers
    (02:30 becomes 03:30, after 03:00): those wait until the rule has come so far.
    """
    waiting: deque[timedelta] = deque()
    for moment in moments:
        if moment.tzinfo is not None:
            instant: timedelta | None = axis.instant(moment)
            moved = False
        else:
            instant, moved = axis.place(moment - EPOCH)
        if moved and instant is not None:
            waiting.append(instant)
        elif instant is not None:
            while waiting and waiting[0] <= instant:
                yield waiting.popleft()
            yield instant
    yield from waiting


def _included(include: Iterable[Any], axis: Axis) -> dict[timedelta, timedelta | None]:
    """Return the further starts, with the ends of those that have their own."""
    found: dict[timedelta, timedelta | None] = {}
    for item in _listed(include, "include"):
        if not isinstance(item, tuple):
            found.setdefault(axis.instant(item), None)
        elif len(item) == 2:
            begin, ended = axis.instant(item[0]), axis.instant(item[1])
            if ended < begin:
                raise InvalidSpanError(item[0], item[1], "the end lies before the start")
            found[begin] = ended
        else:
            raise HoursError(item, "include takes starts and (start, end) pairs")
    return found


def _excluded(exclude: Iterable[Any], axis: Axis) -> tuple[set[timedelta], set[int]]:
    """Return the starts left out, and the days (since 1970) on which all are."""
    instants: set[timedelta] = set()
    days: set[int] = set()
    for item in _listed(exclude, "exclude"):
        if not axis.days and isinstance(item, date) and not isinstance(item, datetime):
            days.add((datetime.combine(item, time()) - EPOCH).days)
        else:
            instants.add(axis.instant(item))
    return instants, days


def _listed(items: Any, name: str) -> list[Any]:
    if isinstance(items, str | bytes) or not isinstance(items, Iterable):
        raise HoursError(items, f"{name} takes an iterable of dates or datetimes")
    return list(items)


def _starts(rule: Any, axis: Axis) -> Iterator[timedelta]:
    """Return the instants of the first span's start and of what the rule produces, in order."""
    first = EPOCH + axis.first[0]
    if rule is None:
        return iter((axis.first[1],))
    try:
        from dateutil.rrule import rrule, rruleset, rrulestr
    except ImportError as exc:
        raise MissingExtraError("python-dateutil", "recurrence") from exc
    if isinstance(rule, rruleset):
        return _in_order(_walked(rule, iter(rule), timedelta(0)), axis)
    try:
        if isinstance(rule, str):
            text, until = _read(rule)
            made = rrulestr(text, dtstart=first)
        elif isinstance(rule, rrule):
            until = getattr(rule, "_until", None)  # dateutil has no public name for it
            made = rule.replace(dtstart=first, until=None)
        else:
            raise HoursError(rule, "a rule is text such as 'FREQ=WEEKLY', dateutil's rrule or rruleset, or None")
    except HoursError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as exc:
        raise HoursError(rule, f"not a recurrence rule: {exc}") from exc
    produced = _in_order(_walked(rule, iter(made), timedelta(microseconds=first.microsecond)), axis)
    if until is not None:
        last = _bound(until, axis)
        produced = takewhile(lambda begin: begin <= last, produced)
    return merge((axis.first[1],), produced)


def _walked(rule: Any, made: Iterator[datetime], rest: timedelta) -> Iterator[datetime]:
    """Yield what dateutil yields, which drops the start's microseconds; its errors come out as ours."""
    while True:
        try:
            moment = next(made) + rest
        except StopIteration:
            return
        except (ValueError, TypeError, AttributeError, OverflowError) as exc:
            raise HoursError(rule, f"this recurrence rule cannot be walked: {exc}") from exc
        yield moment


def _read(rule: str) -> tuple[str, date | None]:
    """Return a rule's text without its UNTIL, and that as a date, a naive or an aware datetime.

    dateutil takes the first day of the week from the process where RFC 5545 says Monday, loops on an interval
    of nought, and compares an UNTIL by the wall clock: so these are settled here.
    """
    text = rule.strip()
    if text[:6].upper() == "RRULE:":
        text = text[6:]
    parts = {"WKST": "MO"}
    seen: set[str] = set()
    for part in filter(None, text.upper().split(";")):
        name, _, value = (each.strip() for each in part.partition("="))
        if name not in _PARTS or not _VALUE.fullmatch(value):
            raise HoursError(rule, f"{part!r} is no part of a recurrence rule (RFC 5545, 3.3.10)")
        if name in seen:
            raise HoursError(rule, f"{name} is there twice")
        if name in ("INTERVAL", "COUNT") and not _POSITIVE.fullmatch(value):
            raise HoursError(rule, f"{name} is a whole number of at least 1")
        for number in value.split(",") if name in _RANGES else ():
            if not _NUMBER.fullmatch(number) or int(number) not in _RANGES[name]:
                raise HoursError(rule, f"{name}={number} is out of range (RFC 5545, 3.3.10)")
        seen.add(name)
        parts[name] = value
    if "FREQ" not in seen:
        raise HoursError(rule, "a recurrence rule says how often: FREQ=DAILY, WEEKLY, MONTHLY, YEARLY, ...")
    if "BYSETPOS" in seen and not any(name.startswith("BY") for name in seen - {"BYSETPOS"}):
        raise HoursError(rule, "BYSETPOS picks among what other BY... parts give, and there is none")
    until = parts.pop("UNTIL", None)
    return ";".join(f"{name}={value}" for name, value in parts.items()), _read_until(rule, until) if until else None


def _read_until(rule: str, value: str) -> date:
    match = _UNTIL.fullmatch(value)
    try:
        if match is None:
            raise ValueError("not a date or a time")
        day = datetime.strptime(match[1], "%Y%m%d")
        if match[2] is None:
            return day.date()
        moment = day.combine(day, datetime.strptime(match[2], "%H%M%S").time())
    except ValueError as exc:
        raise HoursError(rule, f"UNTIL={value}: {exc}; write 20261231, 20261231T120000 or 20261231T120000Z") from exc
    return moment.replace(tzinfo=UTC) if match[3] else moment


def _bound(until: date, axis: Axis) -> timedelta:
    """Return the last instant a rule's own UNTIL allows, taken as it can be meant where it is of another kind."""
    if isinstance(until, datetime):
        if axis.days:
            until = until.date()
        elif axis.zone is None:
            until = until.replace(tzinfo=None)
    return axis.latest(until)
