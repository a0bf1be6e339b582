"""Recurring spans: a first span and a recurrence rule, expanded in wall-clock time.

The rule produces *wall* points; each of them is converted to an *instant* separately (both are lengths since 1970, see
`wall_clock`). A meeting at 09:00 therefore stays at 09:00 when the clock changes::

    rule           every Sunday 02:30                 Europe/Berlin
    wall           22 Mar 02:30    29 Mar 02:30    5 Apr 02:30
    instant (UTC)  01:30           01:30 (*)       00:30

(*) 02:30 does not exist on 29 March. RFC 5545 (3.3.5) reads it with the offset before the change: 03:30 on the wall
clock, 01:30 UTC. A time that the clock shows twice means its first occurrence. Arguments choose other policies.

`bookcore.hours.rrule` reads and expands the rules.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import wraps
from heapq import merge
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from bookcore.hours.rrule import read_rule
from bookcore.hours.wall_clock import EPOCH, EPOCH_UTC, change_between, choice, load_zone, offsets
from bookcore.model.errors import (
    LACKING,
    BookcoreError,
    HoursError,
    InvalidKeyError,
    InvalidSpanError,
    KeyTypeError,
    blaming,
)
from bookcore.model.numpy_scalars import python_int
from bookcore.model.typecheck import is_a, plain_text

if TYPE_CHECKING:
    from dateutil.rrule import rrule, rruleset

    Rule: TypeAlias = str | rrule | rruleset | None

NONEXISTENT: Final = ("later", "jump", "skip")
AMBIGUOUS: Final = ("first", "second")
KEEP: Final = ("elapsed", "wall")

_UNSET: Final = timedelta.max
_DAY: Final = timedelta(days=1)

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
    keep: str | timedelta = "elapsed",
    nonexistent: str = "later",
    ambiguous: str = "first",
) -> Iterator[tuple[K, K]]:
    """Yield the spans of a recurrence rule in order, as ``(start, end)`` pairs.

    - ``start``, ``end``: the first span: two dates (whole days, end excluded), two naive or two aware datetimes. It
      is always yielded first, as in RFC 5545, even if the rule does not produce it.
    - ``rule``: an RFC 5545 rule (``"FREQ=WEEKLY;BYDAY=MO;COUNT=10"``, with or without ``RRULE:``), an `rrule` of
      dateutil (its text, restarted at *start*), an `rruleset` of dateutil (used unchanged: its naive times are wall-clock
      times), or None for the first span alone. A rule without an end is expanded lazily, without an end.
    - ``zone``: the zone of the wall clock that the rule follows, an IANA name or a `tzinfo`; by default the zone of
      *start*. Naive datetimes without a zone are wall-clock times themselves. The yielded keys are in this zone, with
      ``fold`` set.
    - ``exclude``: excluded starts (EXDATE); a date excludes all starts on that date. ``include``: further starts, or
      ``(start, end)`` pairs (RDATE). Both are read before the first span is yielded, so they must end. Naive datetimes
      are wall-clock times.
    - ``until``: the last possible start, included; a date means the end of that day. ``limit``: the maximal number
      of pairs. UNTIL and COUNT in the rule apply before exclusion; COUNT counts what the rule produces, so not a start that
      it does not; with naive datetimes an UNTIL in UTC is read as a wall-clock time.
    - ``keep``: what every occurrence has in common with the first. ``"elapsed"``: the length in UTC, as RFC 5545
      defines it for DTEND. ``"wall"``: the wall-clock times, so that a night shift ends at 06:00 also when it lasts
      an hour more. A `timedelta`: that part of the length in wall-clock time, the rest in UTC (P1DT2H of RFC 5545). An
      occurrence all of which the clock skips, such as a day that a zone left out, is left out.
    - ``nonexistent``: the policy for a start that the clock skips: ``"later"`` by the length of the skip (RFC 5545),
      ``"jump"`` to the instant of the change, ``"skip"`` the occurrence. ``ambiguous``: the ``"first"`` (RFC 5545) or
      ``"second"`` occurrence of a time that the clock shows twice.

    Starts are distinct: two wall-clock times that mean one instant are yielded once. Hourly and finer rules count in
    wall-clock time as well; ``zone="UTC"`` makes every hour last sixty minutes.

    Of whole days the rule's hours, minutes and seconds are ignored, and an UNTIL in UTC means the local day whose
    midnight, or last second, it most likely is. A rule without further matches (30 February) ends.

    Raises, at the call: `HoursError` for a rule or argument that cannot be read, `KeyTypeError` for keys that are no dates
    or of different types, `InvalidSpanError` (reversed). While it is iterated: as `RecurrenceRule.walls`.
    Complexity: O(include + exclude) before the first pair; then as `RecurrenceRule.walls`.

    >>> from zoneinfo import ZoneInfo
    >>> first = datetime(2026, 3, 22, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    >>> for start, end in recurring(first, first + timedelta(hours=1), "FREQ=WEEKLY;COUNT=2"):
    ...     print(start, end.astimezone(UTC), sep=" to ")
    2026-03-22 09:00:00+01:00 to 2026-03-22 09:00:00+00:00
    2026-03-29 09:00:00+02:00 to 2026-03-29 08:00:00+00:00
    """
    nominal: timedelta | None = None
    if is_a(keep, timedelta):
        nominal = timedelta.__add__(timedelta(0), keep)  # calls no method of a subclass
        if nominal < timedelta(0):
            raise HoursError(keep, "a part of a length is not less than nothing")
    else:
        choice("keep", keep, KEEP)
    choice("nonexistent", nonexistent, NONEXISTENT)
    choice("ambiguous", ambiguous, AMBIGUOUS)
    count = None if limit is None else python_int(limit)
    if limit is not None and (count is None or count < 0):
        raise HoursError(limit, "a limit is a whole number of spans, or None")
    axis = axis_of(start, zone, nonexistent, ambiguous)
    first, last = axis.instant(start), axis.instant(end)
    if axis.has_zone(start) is not axis.has_zone(end):
        raise KeyTypeError(end, "goes with a start that has a zone only if it has one as well")
    if last < first:
        raise InvalidSpanError(start, end, "the end lies before the start")
    length, rest = last - first, timedelta(0)
    if nominal is None:  # the part of the length in wall-clock time; the other one is the rest
        nominal = axis.wall(end) - axis.wall(start) if keep == "wall" else timedelta(0)
    try:
        axis.key(first), axis.key(last)
        nominal_end, _ = axis.to_instant(axis.wall(start) + nominal)
        if nominal_end is not None and (is_a(keep, timedelta) or keep != "wall"):
            rest = last - nominal_end
    except OverflowError as exc:
        raise KeyTypeError(start, "lies before the year 1, or its end after the year 9999, in UTC") from exc
    except (BookcoreError, *LACKING):
        raise
    except Exception as exc:
        raise HoursError(axis.zone, f"the code of this zone raised {type(exc).__name__}") from exc
    included = _included(include, axis)
    excluded, excluded_days = _excluded(exclude, axis)
    stop = None if until is None else axis.latest(until)
    # what the clock would have shown at starts that it skipped, by their instants
    skipped: dict[timedelta, timedelta] = {axis.first[1]: axis.first[0]}
    starts = _starts(rule, axis, skipped)

    def end_of(begin: timedelta, shown: timedelta | None) -> timedelta:
        if (explicit := included.get(begin)) is not None:
            return explicit
        if nominal:
            same_wall, _ = axis.to_instant((axis.to_wall(begin) if shown is None else shown) + nominal)
            if same_wall is not None and same_wall + rest >= begin:
                return same_wall + rest
        return begin + length

    def pairs() -> Iterator[tuple[Any, Any]]:
        previous: timedelta | None = None
        for begin in merge(starts, sorted(included)):
            if stop is not None and begin > stop:
                return
            if begin == previous:
                continue
            shown = skipped.pop(begin, None)
            try:
                if begin in excluded or (excluded_days and axis.to_wall(begin).days in excluded_days):
                    continue
                ended = end_of(begin, shown)
                if ended == begin and nominal and included.get(begin) is None:  # the zone skips all of it
                    continue
                previous = begin
                pair = axis.key(begin), axis.key(ended)
            except OverflowError:  # after the year 9999
                return
            except (BookcoreError, *LACKING):
                raise
            except Exception as exc:
                raise HoursError(axis.zone, f"the code of this zone raised {type(exc).__name__}") from exc
            yield pair

    return pairs() if count is None else islice(pairs(), min(count, sys.maxsize))


def _in_order(points: Iterable[Any], axis: Axis, skipped: dict[timedelta, timedelta]) -> Iterator[timedelta]:
    """Yield the instants of the wall points, or aware datetimes, that a rule produced, in order; note *skipped* points.

    Wall-clock order is the order of instants, with one exception: a skipped time that is moved later may pass its
    successors (02:30 becomes 03:30, after 03:00). Moved instants wait in a queue until the rule has reached them.
    """
    waiting: deque[timedelta] = deque()
    for point in points:
        instant, moved = axis.to_instant(point) if isinstance(point, timedelta) else (axis.instant(point), False)
        if moved and instant is not None:
            skipped.setdefault(instant, point)
            waiting.append(instant)
        elif instant is not None:
            skipped.pop(instant, None)  # it is shown as well
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
    with blaming(lambda exc: HoursError(items, f"{name} could not be iterated ({type(exc).__name__})"), BookcoreError):
        yield from items


def _starts(rule: Any, axis: Axis, skipped: dict[timedelta, timedelta]) -> Iterator[timedelta]:
    """Return the instants of the first start and of all starts that the rule produces, in order."""
    first = EPOCH + axis.first[0]
    if rule is None:
        return iter((axis.first[1],))
    # a program that has an object of dateutil has loaded that module
    dateutil: Any = sys.modules.get("dateutil.rrule")
    if dateutil is not None and is_a(rule, dateutil.rruleset):
        return _in_order(_points(rule), axis, skipped)
    until = None
    if (text := plain_text(rule)) is None:
        if dateutil is None or not is_a(rule, dateutil.rrule):
            raise HoursError(rule, "a rule is text such as 'FREQ=WEEKLY', dateutil's rrule or rruleset, or None")
        with blaming(lambda exc: HoursError(rule, f"not a recurrence rule: {exc}"), BookcoreError):
            until = getattr(rule, "_until", None)  # dateutil has no public attribute for it
            text = str(rule.replace(until=None)).rpartition("\n")[2]
    read = read_rule(text)
    walls = (wall for wall in read.walls(first, whole_days=axis.days) if wall != axis.first[0])  # which comes anyway
    produced = _in_order(walls, axis, skipped)
    if (until := until or read.until) is not None:
        last = _bound(until, axis)
        produced = takewhile(lambda begin: begin <= last, produced)
    return merge((axis.first[1],), produced)


def _points(rule: Iterable[datetime]) -> Iterator[Any]:
    """Yield the starts of dateutil's rruleset, naive ones as wall points; its errors become `HoursError`."""
    with blaming(lambda exc: HoursError(rule, f"this recurrence rule cannot be walked: {exc}"), BookcoreError):
        for moment in rule:
            yield moment if moment.tzinfo is not None else moment - EPOCH


def _bound(until: date, axis: Axis) -> timedelta:
    """Return the last instant that UNTIL allows; a datetime of another kind than the keys is converted."""
    if is_a(until, datetime):
        if axis.days:
            until = last_day(until)
        elif axis.zone is None:
            until = until.replace(tzinfo=None)
    return axis.latest(until)


def nearest_day(moment: datetime) -> date:
    """Return the day whose midnight, somewhere on Earth, an instant in UTC is: the nearest one. Else its own date.

    >>> nearest_day(datetime(2021, 7, 1, 22, tzinfo=UTC)), nearest_day(datetime(2021, 7, 2, 4, tzinfo=UTC))
    (datetime.date(2021, 7, 2), datetime.date(2021, 7, 2))
    """
    if moment.tzinfo is not UTC:  # said in the wall-clock time of somewhere
        return moment.date()
    return moment.date() + timedelta(days=moment.hour >= 12 and moment.date() < date.max)


def last_day(until: datetime) -> date:
    """Return the last day that a bound in UTC allows for whole days: a midnight, or the last second of a day.

    >>> last_day(datetime(2021, 7, 1, 22, tzinfo=UTC)), last_day(datetime(2021, 7, 1, 21, 59, 59, tzinfo=UTC))
    (datetime.date(2021, 7, 2), datetime.date(2021, 7, 1))
    """
    if until.tzinfo is UTC and until.second == 59 and until.minute % 15 == 14:
        if until.date() == date.max:
            return date.max
        return nearest_day(until + timedelta(seconds=1)) - _DAY
    return nearest_day(until)


def _of_key(read: Callable[[Any, Any], T]) -> Callable[[Any, Any], T]:
    """Have a method of `Axis` raise `KeyTypeError` for what the code of a key, or of its zone, raises."""

    @wraps(read)
    def reading(axis: Any, key: Any) -> T:
        reason = "could not be read as a time"
        with blaming(lambda exc: KeyTypeError(key, f"{reason} ({type(exc).__name__}: {exc})"), BookcoreError):
            return read(axis, key)

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
                    raise KeyTypeError(key, "cannot be converted to the zone of the rule") from exc
        # a subclass, such as pandas.Timestamp, would subtract in nanoseconds
        fields = key.year, key.month, key.day, key.hour, key.minute, key.second, key.microsecond
        return datetime(*fields) - EPOCH

    def to_instant(self, wall: timedelta) -> tuple[timedelta | None, bool]:
        """Return the instant of a wall point, None if the policy skips it, and whether it is one that the clock skips.

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
            return change_between(self.zone, wall, before, after), True
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
        with blaming(lambda exc: HoursError(zone, f"could not be asked for its name ({type(exc).__name__})")):
            name = plain_text(getattr(zone, "zone", None))
        known: Any = zone if name is None else load_zone(name)
        axis = Axis(False, known, nonexistent, ambiguous)
    return replace(axis, first=(axis.wall(start), axis.instant(start)))
