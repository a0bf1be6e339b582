"""Recurring spans: a first span and a recurrence rule, expanded in wall-clock time.

The rule produces *wall* points; each of them is converted to an *instant* separately (both are lengths since 1970, see
`wall_clock`). A meeting at 09:00 therefore stays at 09:00 when the clock changes::

    rule           every Sunday 02:30                 Europe/Berlin
    wall           22 Mar 02:30    29 Mar 02:30    5 Apr 02:30
    instant (UTC)  01:30           01:30 (*)       00:30

(*) 02:30 does not exist on 29 March. RFC 5545 (3.3.5) reads it with the offset before the change: 03:30 on the wall
clock, 01:30 UTC. A time that the clock shows twice means its first occurrence. Arguments choose other policies.

python-dateutil expands the rules; it is imported by the first call of `recurring` that has a rule.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import wraps
from heapq import merge
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from bookcore.hours.wall_clock import EPOCH, EPOCH_UTC, change_between, choice, load_zone, offsets
from bookcore.model.errors import (
    LACKING,
    BookcoreError,
    HoursError,
    InvalidKeyError,
    InvalidSpanError,
    KeyTypeError,
    MissingExtraError,
)
from bookcore.model.typecheck import is_a, plain_text

if TYPE_CHECKING:
    from dateutil.rrule import rrule, rruleset

    Rule: TypeAlias = str | rrule | rruleset | None

__all__ = ["recurring"]

NONEXISTENT: Final = ("later", "jump", "skip")
AMBIGUOUS: Final = ("first", "second")
KEEP: Final = ("elapsed", "wall")

# the numbers that RFC 5545 allows; negative numbers count from the end
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
_UNSET: Final = timedelta.max
_UNTIL: Final = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)

K = TypeVar("K", bound=date)
T = TypeVar("T")


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
    """Yield the spans of a recurrence rule in order, as ``(start, end)`` pairs.

    - ``start``, ``end``: the first span: two dates (whole days, end excluded), two naive or two aware datetimes. It
      is always yielded first, as in RFC 5545, even if the rule does not produce it.
    - ``rule``: an RFC 5545 rule (``"FREQ=WEEKLY;BYDAY=MO;COUNT=10"``, with or without ``RRULE:``), an `rrule` of
      dateutil (restarted at *start*), an `rruleset` of dateutil (used unchanged: its naive times are wall-clock
      times), or None for the first span alone. A rule without an end is expanded lazily, without an end.
    - ``zone``: the zone of the wall clock that the rule follows, an IANA name or a `tzinfo`; by default the zone of
      *start*. Naive datetimes without a zone are wall-clock times themselves. The yielded keys are in this zone, with
      ``fold`` set.
    - ``exclude``: excluded starts (EXDATE); a date excludes all starts on that date. ``include``: further starts, or
      ``(start, end)`` pairs (RDATE). Both are read before the first span is yielded, so they must end. Naive datetimes
      are wall-clock times.
    - ``until``: the last possible start, included; a date means the end of that day. ``limit``: the maximal number
      of pairs. UNTIL and COUNT in the rule apply before exclusion; with naive datetimes an UNTIL in UTC is read as a
      wall-clock time.
    - ``keep``: what every occurrence has in common with the first. ``"elapsed"``: the length in UTC, as RFC 5545
      defines it for DTEND. ``"wall"``: the wall-clock times, so that a night shift ends at 06:00 also when it lasts
      an hour more.
    - ``nonexistent``: the policy for a start that the clock skips: ``"later"`` by the length of the skip (RFC 5545),
      ``"jump"`` to the instant of the change, ``"skip"`` the occurrence. ``ambiguous``: the ``"first"`` (RFC 5545) or
      ``"second"`` occurrence of a time that the clock shows twice.

    Starts are distinct: two wall-clock times that mean one instant are yielded once. Hourly and finer rules count in
    wall-clock time as well; ``zone="UTC"`` makes every hour last sixty minutes.

    A valid rule without further matches (30 February) is expanded to the year 9999, which takes dateutil seconds;
    ``limit`` and ``until`` do not shorten that.

    Raises, at the call: `MissingExtraError` without python-dateutil, `HoursError` for a rule or argument that cannot be
    read, `KeyTypeError` for keys that are no dates or of different types, `InvalidSpanError` (reversed).
    Complexity: that of dateutil; O(include + exclude) before the first pair.

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
    if limit is not None and (not is_a(limit, int) or is_a(limit, bool) or int.__index__(limit) < 0):
        raise HoursError(limit, "a limit is a whole number of spans, or None")
    axis = axis_of(start, zone, nonexistent, ambiguous)
    first, last = axis.instant(start), axis.instant(end)
    if axis.has_zone(start) is not axis.has_zone(end):
        raise KeyTypeError(end, "goes with a start that has a zone only if it has one as well")
    if last < first:
        raise InvalidSpanError(start, end, "the end lies before the start")
    length, wall_length = last - first, axis.wall(end) - axis.wall(start)
    included = _included(include, axis)
    excluded, excluded_days = _excluded(exclude, axis)
    stop = None if until is None else axis.latest(until)
    starts = _starts(rule, axis)

    def end_of(begin: timedelta) -> timedelta:
        if (explicit := included.get(begin)) is not None:
            return explicit
        if keep == "wall":
            same_wall, _ = axis.to_instant(axis.to_wall(begin) + wall_length)
            if same_wall is not None and same_wall >= begin:
                return same_wall
        return begin + length

    def pairs() -> Iterator[tuple[Any, Any]]:
        previous: timedelta | None = None
        for begin in merge(starts, sorted(included)):
            if stop is not None and begin > stop:
                return
            if begin == previous:
                continue
            previous = begin
            try:
                if begin in excluded or (excluded_days and axis.to_wall(begin).days in excluded_days):
                    continue
                pair = axis.key(begin), axis.key(end_of(begin))
            except OverflowError:  # after the year 9999
                return
            except (BookcoreError, *LACKING):
                raise
            except Exception as exc:
                raise HoursError(axis.zone, f"the code of this zone raised {type(exc).__name__}") from exc
            yield pair

    return pairs() if limit is None else islice(pairs(), min(int.__index__(limit), sys.maxsize))


def _in_order(moments: Iterable[datetime], axis: Axis) -> Iterator[timedelta]:
    """Yield the instants of the datetimes that a rule produced, in order.

    Wall-clock order is the order of instants, with one exception: a skipped time that is moved later may pass its
    successors (02:30 becomes 03:30, after 03:00). Moved instants wait in a queue until the rule has reached them.
    """
    waiting: deque[timedelta] = deque()
    for moment in moments:
        if moment.tzinfo is not None:
            instant: timedelta | None = axis.instant(moment)
            moved = False
        else:
            instant, moved = axis.to_instant(moment - EPOCH)
        if moved and instant is not None:
            waiting.append(instant)
        elif instant is not None:
            while waiting and waiting[0] <= instant:
                yield waiting.popleft()
            yield instant
    yield from waiting


def _included(include: Iterable[Any], axis: Axis) -> dict[timedelta, timedelta | None]:
    """Return the included starts, each with its explicit end or None."""
    ends: dict[timedelta, timedelta | None] = {}
    for item in _listed(include, "include"):
        if not is_a(item, tuple):
            ends.setdefault(axis.instant(item), None)
        elif tuple.__len__(item) == 2:
            start, end = tuple.__iter__(item)
            begin, ended = axis.instant(start), axis.instant(end)
            if ended < begin:
                raise InvalidSpanError(start, end, "the end lies before the start")
            ends[begin] = ended
        else:
            raise HoursError(item, "include takes starts and (start, end) pairs")
    return ends


def _excluded(exclude: Iterable[Any], axis: Axis) -> tuple[set[timedelta], set[int]]:
    """Return the excluded starts, and the days (since 1970) whose starts are all excluded."""
    instants: set[timedelta] = set()
    days: set[int] = set()
    for item in _listed(exclude, "exclude"):
        if not axis.days and is_a(item, date) and not is_a(item, datetime):
            days.add(date.toordinal(item) - EPOCH.toordinal())
        else:
            instants.add(axis.instant(item))
    return instants, days


def _listed(items: Any, name: str) -> Iterator[Any]:
    """Yield the items one by one, so that an iterable without end ends at its first item that is no date."""
    if is_a(items, (str, bytes)) or not is_a(items, (Iterable,)):
        raise HoursError(items, f"{name} takes an iterable of dates or datetimes")
    try:
        yield from items
    except (BookcoreError, *LACKING):
        raise
    except Exception as exc:
        raise HoursError(items, f"{name} could not be iterated ({type(exc).__name__})") from exc


def _starts(rule: Any, axis: Axis) -> Iterator[timedelta]:
    """Return the instants of the first start and of all starts that the rule produces, in order."""
    first = EPOCH + axis.first[0]
    if rule is None:
        return iter((axis.first[1],))
    try:
        from dateutil.rrule import rrule, rruleset, rrulestr
    except ImportError as exc:
        raise MissingExtraError("python-dateutil", "recurrence") from exc
    if is_a(rule, rruleset):
        return _in_order(_translated(rule, timedelta(0)), axis)
    try:
        if (given := plain_text(rule)) is not None:
            text, until = _read(given)
            expanded = rrulestr(text, dtstart=first)
        elif is_a(rule, rrule):
            until = getattr(rule, "_until", None)  # dateutil has no public attribute for it
            expanded = rule.replace(dtstart=first, until=None)
        else:
            raise HoursError(rule, "a rule is text such as 'FREQ=WEEKLY', dateutil's rrule or rruleset, or None")
    except (HoursError, *LACKING):
        raise
    except Exception as exc:  # of dateutil, or of a subclass of its rules
        raise HoursError(rule, f"not a recurrence rule: {exc}") from exc
    produced = _in_order(_translated(expanded, timedelta(microseconds=first.microsecond), rule), axis)
    if until is not None:
        last = _bound(until, axis)
        produced = takewhile(lambda begin: begin <= last, produced)
    return merge((axis.first[1],), produced)


def _translated(expanded: Iterable[datetime], microseconds: timedelta, rule: Any = None) -> Iterator[datetime]:
    """Yield the datetimes of dateutil with the microseconds it drops; its errors become `HoursError` about the rule."""
    try:
        for moment in expanded:
            yield moment + microseconds
    except (BookcoreError, *LACKING):
        raise
    except Exception as exc:
        raise HoursError(expanded if rule is None else rule, f"this recurrence rule cannot be walked: {exc}") from exc


def _read(rule: str) -> tuple[str, date | None]:
    """Return the text of a rule without its UNTIL, and UNTIL as a date, a naive or an aware datetime.

    This function sets WKST, checks INTERVAL and removes UNTIL, because dateutil takes the first day of the week from the
    locale (RFC 5545: Monday), loops forever on an interval of zero, and compares UNTIL in wall-clock time.
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
    """Return the last instant that UNTIL allows; a datetime of another kind than the keys is converted."""
    if is_a(until, datetime):
        if axis.days:
            until = until.date()
        elif axis.zone is None:
            until = until.replace(tzinfo=None)
    return axis.latest(until)


def _of_key(read: Callable[[Any, Any], T]) -> Callable[[Any, Any], T]:
    """Have a method of `Axis` raise `KeyTypeError` for what the code of a key, or of its zone, raises."""

    @wraps(read)
    def reading(axis: Any, key: Any) -> T:
        try:
            return read(axis, key)
        except (BookcoreError, *LACKING):
            raise
        except Exception as exc:
            raise KeyTypeError(key, f"could not be read as a time ({type(exc).__name__}: {exc})") from exc

    return reading


@dataclass(frozen=True, slots=True)
class Axis:
    """The type of the keys, and the conversion between keys, wall points and instants.

    ``days``: the keys are dates. ``zone``: the zone of aware keys; None for naive datetimes and dates, where wall points
    are instants. ``first``: wall point and instant of the first start; that instant has priority over the policies.
    """

    days: bool
    zone: tzinfo | None
    nonexistent: str
    ambiguous: str
    first: tuple[timedelta, timedelta] = (_UNSET, _UNSET)

    @_of_key
    def instant(self, key: Any) -> timedelta:
        """Return the instant of a key. A naive datetime is wall-clock time; a skipped time is moved later.

        Raises: `KeyTypeError` for a key of another type than the first start, `InvalidKeyError` for NaT.
        """
        wall = self.wall(key)
        if self.zone is None:
            return wall
        if key.utcoffset() is not None:
            instant: timedelta = key - EPOCH_UTC
            return instant
        converted, _ = self.to_instant(wall)
        return wall - offsets(self.zone, wall)[0] if converted is None else converted

    @_of_key
    def wall(self, key: Any) -> timedelta:
        """Return the wall point of a key. Raises: as `instant`."""
        if not is_a(key, date):
            raise KeyTypeError(key, "recurring spans need keys that are dates or datetimes")
        if key != key:  # pandas.NaT is a datetime, and not equal to itself
            raise InvalidKeyError(key, key, None)
        if self.days:
            if is_a(key, datetime):
                raise KeyTypeError(key, "is a datetime, and the first span is one of dates")
            return timedelta(days=key.toordinal() - EPOCH.toordinal())
        if not is_a(key, datetime):
            raise KeyTypeError(key, "is a date, and the first span is one of datetimes")
        if key.utcoffset() is not None:
            if self.zone is None:
                raise KeyTypeError(key, "has a zone, and the first span has none; give it one with zone='...'")
            if key.tzinfo is not self.zone:
                try:
                    key = key.astimezone(self.zone)
                except OverflowError as exc:
                    raise KeyTypeError(key, "cannot be told in the zone of the rule") from exc
        # a subclass, such as pandas.Timestamp, would subtract in nanoseconds
        fields = key.year, key.month, key.day, key.hour, key.minute, key.second, key.microsecond
        return datetime(*fields) - EPOCH

    def to_instant(self, wall: timedelta) -> tuple[timedelta | None, bool]:
        """Return the instant of a wall point, None if the policy skips it, and whether it was moved later.

        Complexity: O(log t) in the number of clock changes of the zone.
        """
        if wall == self.first[0]:
            return self.first[1], False
        if self.zone is None:
            return wall, False
        before, after = offsets(self.zone, wall)
        if before >= after:
            return wall - (before if self.ambiguous == "first" else after), False
        if self.nonexistent == "later":
            return wall - before, True
        if self.nonexistent == "jump":
            return change_between(self.zone, wall, before, after), False
        return None, False

    def to_wall(self, instant: timedelta) -> timedelta:
        """Return the wall point of an instant. Raises: OverflowError outside the range of datetime."""
        if self.zone is None:
            return instant
        return (EPOCH_UTC + instant).astimezone(self.zone).replace(tzinfo=None) - EPOCH

    def key(self, instant: timedelta) -> date:
        """Return the key of an instant. Raises: OverflowError outside the range of datetime."""
        if self.zone is not None:
            return (EPOCH_UTC + instant).astimezone(self.zone)
        return (EPOCH + instant).date() if self.days else EPOCH + instant

    @_of_key
    def has_zone(self, key: Any) -> bool:
        """Tell whether a key is a datetime with a zone."""
        return is_a(key, datetime) and key.utcoffset() is not None

    @_of_key
    def latest(self, until: Any) -> timedelta:
        """Return the last instant that a bound includes; a date includes the whole day."""
        if self.days or not is_a(until, date) or is_a(until, datetime):
            return self.instant(until)
        midnight = datetime.combine(until, time()) - EPOCH + timedelta(days=1)
        offset = timedelta(0) if self.zone is None else offsets(self.zone, midnight)[1]
        return midnight - offset - timedelta.resolution


def axis_of(start: Any, zone: str | tzinfo | None, nonexistent: str, ambiguous: str) -> Axis:
    """Return the axis for the first start and the zone argument. Raises: `HoursError`, `KeyTypeError`."""
    if is_a(start, date) and not is_a(start, datetime):
        if zone is not None:
            raise HoursError(zone, "a span of whole dates has no zone; give datetimes, or leave it out")
        axis = Axis(True, None, nonexistent, ambiguous)
    else:
        if zone is None and is_a(start, datetime):
            zone = vars(datetime)["tzinfo"].__get__(start)  # calls no method of a subclass
        if zone is not None and not is_a(zone, (tzinfo,)):
            zone = load_zone(zone)
        # a tzinfo of pytz has a fixed offset, and the name of the zone in the attribute `zone`
        try:
            name = plain_text(getattr(zone, "zone", None))
        except LACKING:
            raise
        except Exception as exc:  # of a class of the user's own
            raise HoursError(zone, f"could not be asked for its name ({type(exc).__name__})") from exc
        known: Any = zone if name is None else load_zone(name)
        axis = Axis(False, known, nonexistent, ambiguous)
    return replace(axis, first=(axis.wall(start), axis.instant(start)))
