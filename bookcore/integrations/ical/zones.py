"""The zones of a calendar file: IANA names, its own VTIMEZONEs, and the names that Windows and vendors use.

A VTIMEZONE is a `FileZone`. Where it shows the same clock as an IANA zone, over the years that the file uses and the
thirty after them, that zone is taken: it is faster, and snapshots know it. The names of Windows, and the zones that are
compared, come from a table of icalendar; without icalendar, such names are refused and such zones stay `FileZone`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from heapq import merge
from itertools import takewhile
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from bookcore.hours.rrule import RecurrenceRule, read_moment, read_rule
from bookcore.hours.wall_clock import EPOCH, EPOCH_UTC, load_zone
from bookcore.integrations.ical.lines import Component, Line, one_of
from bookcore.integrations.ical.values import moments, offset
from bookcore.model.errors import BookcoreError, HoursError, MissingExtraError, needing

_FIXED: Final = re.compile(r"(?:UTC|GMT)?([+-]\d\d?):?(\d\d)?", re.ASCII | re.IGNORECASE)
_SHOWN: Final = re.compile(r"(?:\((?:UTC|GMT)\s*([+-]\d\d:\d\d|)\)\s*)?(.+)", re.ASCII)
_SEASONS: Final = tuple(datetime(2025, month, 15) for month in range(1, 13))
_MOST: Final = 40_000
"""The changes of a zone that are read: four a year, up to the year 9999."""
_YEARS: Final = 30
_STEP: Final = timedelta(days=3)  # no zone returns to an earlier offset in less, see `steady_offset`
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Observance:
    """A STANDARD or DAYLIGHT: when the clock changes, from which offset to which. ``starts`` are wall points."""

    before: timedelta
    after: timedelta
    starts: tuple[timedelta, ...]
    rule: str | None

    def changes(self) -> Iterator[tuple[timedelta, timedelta, timedelta]]:
        """Yield the instants of its changes, with the offsets before and after, in order."""
        walls = iter(self.starts)
        if self.rule is not None:
            rule = read_rule(self.rule)
            walls = merge(walls, _until(rule, rule.walls(EPOCH + self.starts[0]), self.before))
        for wall in walls:
            yield wall - self.before, self.before, self.after


def _until(rule: RecurrenceRule, walls: Iterator[timedelta], before: timedelta) -> Iterator[timedelta]:
    """Yield the walls up to UNTIL, which is in UTC, or local (as some files have it)."""
    until = rule.until
    last = timedelta.max
    if isinstance(until, datetime):
        last = until - EPOCH_UTC + before if until.tzinfo is not None else until - EPOCH
    elif until is not None:
        last = timedelta(days=until.toordinal() - EPOCH.toordinal() + 1)
    return takewhile(lambda wall: wall <= last, walls)


class FileZone(tzinfo):
    """The zone of a VTIMEZONE, with `fold`: a time in a gap has the offset before it (RFC 5545, 3.3.5).

    Changes are found when they are needed. Zones with the same changes are equal. Complexity: O(log changes) a look-up,
    O(changes) for the first one of a later year.
    """

    def __init__(self, name: str, observances: tuple[_Observance, ...]) -> None:
        self.name, self.observances = name, observances
        self._coming = merge(*(observance.changes() for observance in observances))
        self._changes: list[timedelta] = []  # instants
        self._offsets = [min(observances, key=lambda each: each.starts[0] - each.before).before]
        # from which wall points on a change holds, for fold 0 and 1
        self._walls: tuple[list[timedelta], list[timedelta]] = ([], [])

    def __reduce__(self) -> tuple[Any, ...]:
        return FileZone, (self.name, self.observances)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileZone) and self.observances == other.observances

    def __hash__(self) -> int:
        return hash(self.observances)

    def __repr__(self) -> str:
        return f"FileZone({self.name!r})"

    def _read_to(self, instant: timedelta) -> None:
        """Find the changes up to an instant, and two more."""
        beyond = 0
        while beyond < 2 and (len(self._changes) < 2 or self._changes[-2] <= instant):
            change = next(self._coming, None)
            if change is None:
                return
            if len(self._changes) >= _MOST:
                raise HoursError(self.name, f"a time zone that changes its clock more than {_MOST:,} times")
            at, _, after = change
            if self._changes and at <= self._changes[-1]:  # two observances that begin together: the later one holds
                at = self._changes.pop()
                self._offsets.pop()
                for walls in self._walls:
                    walls.pop()
            before = self._offsets[-1]
            self._changes.append(at)
            self._offsets.append(after)
            self._walls[0].append(at + max(before, after))
            self._walls[1].append(at + min(before, after))
            beyond += at > instant

    def _offset_at(self, instant: timedelta) -> tuple[int, timedelta]:
        self._read_to(instant)
        place = bisect_right(self._changes, instant)
        return place, self._offsets[place]

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Return the offset of a wall-clock time."""
        if moment is None:
            return None
        wall = moment.replace(tzinfo=None) - EPOCH
        self._read_to(wall + timedelta(days=1))
        return self._offsets[bisect_right(self._walls[moment.fold], wall)]

    def dst(self, moment: datetime | None) -> timedelta | None:
        """Return None: a VTIMEZONE has offsets, and does not say which part of them is daylight saving."""
        return None

    def tzname(self, moment: datetime | None) -> str:
        """Return the TZID."""
        return self.name

    def fromutc(self, moment: datetime) -> datetime:
        """Return the wall-clock time of a datetime in UTC."""
        instant = moment.replace(tzinfo=None) - EPOCH
        place, offset = self._offset_at(instant)
        again = place > 0 and instant - self._changes[place - 1] < self._offsets[place - 1] - offset
        return (moment + offset).replace(fold=int(again))

    def changes_between(self, first: timedelta, last: timedelta) -> list[timedelta]:
        """Return the instants of the changes between two instants."""
        self._read_to(last)
        return self._changes[bisect_right(self._changes, first) : bisect_right(self._changes, last)]


class FileZones:
    """The zones that the times of some calendars may name. ``default`` is the caller's, for names that are unknown.

    ``outer`` are the zones of the whole file, for a calendar in it that lacks a VTIMEZONE.
    """

    def __init__(self, calendars: Iterable[Component], default: tzinfo | None, outer: FileZones | None = None) -> None:
        self.default = default
        self._components: ChainMap[str, Component] = ChainMap({}, {} if outer is None else outer._components)
        self._years: dict[str, tuple[int, int]] = {}
        self._found: dict[str, tzinfo] = {}
        for calendar in calendars:
            self._look_at(calendar)

    def _look_at(self, component: Component) -> None:
        """Remember the VTIMEZONEs, and the first and last year in which each zone is used."""
        if component.name == "VTIMEZONE":
            for line in component.properties.get("TZID", ()):
                self._components.maps[0].setdefault(_plain(line.value), component)
            return
        for lines in component.properties.values():
            for line in lines:
                if (name := line.parameters.get("TZID")) is not None and line.value[:4].isdigit():
                    year = int(line.value[:4])
                    first, last = self._years.get(_plain(name), (year, year))
                    self._years[_plain(name)] = min(first, year), max(last, year)
        for part in component.parts:
            self._look_at(part)

    def __call__(self, tzid: str) -> tzinfo:
        """Return the zone of a TZID. Raises: `HoursError` for one that is not known."""
        name = _plain(tzid)
        if (zone := self._found.get(name)) is None:
            zone = self._found[name] = self._find(name)
        return zone

    def _find(self, name: str) -> tzinfo:
        if (zone := _iana(name)) is not None:
            return zone
        if (component := self._components.get(name)) is not None:
            first, last = self._years.get(name, (1970, 1970))
            return _known(_file_zone(name, component), first, last, tuple(_guesses(name, component, self.default)))
        parts = name.split("/")  # as in /freeassociation.sourceforge.net/Tzfile/America/Chicago
        for place in range(1, len(parts)):
            if (zone := _iana("/".join(parts[place:]))) is not None:
                return zone
        if (fixed := _FIXED.fullmatch(name)) is not None:
            hours, minutes = int(fixed[1]), int(fixed[2] or 0)
            if abs(hours) < 24 and minutes < 60:
                return timezone(timedelta(hours=hours, minutes=-minutes if fixed[1][0] == "-" else minutes))
        missing = ""
        try:
            if (windows := _windows_zone(name)) is not None:
                return windows
        except MissingExtraError as exc:
            missing = f" (names of Windows: {exc})"
        if self.default is not None:
            return self.default
        raise HoursError(
            name, "no time zone: no IANA name, and no VTIMEZONE of the file has it; "
            f"zone=... says what such times, and floating ones, mean{missing}"
        )  # fmt: skip


def _plain(tzid: str) -> str:
    return tzid.replace("\\", "").strip().strip("/\"'").removeprefix("tzone://Microsoft/")


def _iana(name: str) -> ZoneInfo | None:
    """Return the zone of an IANA name, of whatever case "UTC" is written in."""
    if name.upper() in ("UTC", "GMT", "Z"):
        name = "UTC"
    try:
        return load_zone(name) if name else None
    except HoursError:
        return None


@lru_cache(maxsize=1)
def _windows() -> Mapping[str, str]:
    with needing("icalendar", "ical"):
        from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
    return WINDOWS_TO_OLSON


def _windows_zone(name: str) -> ZoneInfo | None:
    """Return the zone of a name that Windows, Outlook or Exchange has for it, None if it is not certain.

    Windows writes "W. Europe Standard Time"; Exchange and Outlook also "(UTC+01:00) Amsterdam, Berlin, Bern, Rome", or
    "(UTC-05:00) Eastern Time (US & Canada)". Cities name zones of IANA: those that are known have to show the same clock,
    and the standard offset in front.

    Raises: `MissingExtraError`.
    """
    table = _windows()
    match = _SHOWN.fullmatch(name)
    if match is None:
        return None
    said, shown = match[1], match[2]
    if said is None and (zone := _iana(table.get(re.sub(r" \d+$", "", name), ""))) is not None:
        return zone
    places = [each.strip() for each in re.split("[,;]", shown)]
    american = re.sub(r" Time \(.*\)$", " Standard Time", shown)
    names = [_iana(table.get(american, ""))] if american != shown else [_iana(_cities().get(place, "")) for place in places]
    zones = [zone for zone in names if zone is not None]
    if not zones or (said is None and len(zones) < 2):
        return None
    clocks = {tuple(each.replace(tzinfo=zone).utcoffset() for each in _SEASONS) for zone in zones}
    if len(clocks) > 1:
        return None
    standard = min(each.replace(tzinfo=zones[0]).utcoffset() or timedelta() for each in _SEASONS)
    return zones[0] if said is None or standard == offset(said or "+00:00") else None


@lru_cache(maxsize=1)
def _cities() -> Mapping[str, str]:
    """Return the IANA names by city. Names of one city in two regions are links of one zone, or no city."""
    return {name.rpartition("/")[2].replace("_", " "): name for name in sorted(available_timezones()) if "/" in name}


def _guesses(name: str, component: Component, default: tzinfo | None) -> Iterator[str]:
    """Yield IANA names that a VTIMEZONE probably means, the likeliest first: what it says, the zone of the caller, any."""
    yield from (line.value for line in component.properties.get("X-LIC-LOCATION", ()))
    parts = name.split("/")
    yield from ("/".join(parts[place:]) for place in range(1, len(parts)))
    table: Mapping[str, str] = {}
    with suppress(MissingExtraError):
        table = _windows()
    if name in table:
        yield table[name]
    if isinstance(default, ZoneInfo) and default.key is not None:
        yield default.key
    yield from table.values()


@lru_cache(maxsize=256)
def _known(zone: FileZone, first: int, last: int, guesses: tuple[str, ...]) -> tzinfo:
    """Return an IANA zone that shows the same clock as a zone of a file in some years and the thirty after, or that zone."""
    if first < 1800 or last > 2200:  # clocks that no zone of IANA shows, or that would take long to compare
        return zone
    low = datetime(first - 1, 1, 1) - EPOCH
    high = datetime(last + _YEARS, 1, 1) - EPOCH
    changes = zone.changes_between(low, high)
    coarse = [low, high, *(each for change in changes for each in (change - _SECOND, change))]
    for guess in guesses:
        other = _iana(guess)
        if other is None or not _agree(zone, other, coarse):
            continue
        if _agree(zone, other, [low + _STEP * n for n in range((high - low) // _STEP)]):
            return other
    return zone


def _agree(zone: FileZone, named: ZoneInfo, instants: list[timedelta]) -> bool:
    return all(
        zone._offset_at(instant)[1] == (EPOCH_UTC + instant).astimezone(named).utcoffset() for instant in instants
    )


def _file_zone(name: str, component: Component) -> FileZone:
    """Return the zone of a VTIMEZONE. Raises: `HoursError`."""
    if component.broken or any(part.broken for part in component.parts):
        raise HoursError(name, f"the VTIMEZONE of line {component.line} has lines that cannot be read")
    observances = tuple(_observance(part) for part in component.parts if part.name in ("STANDARD", "DAYLIGHT"))
    if not observances:
        raise HoursError(name, f"the VTIMEZONE of line {component.line} has neither STANDARD nor DAYLIGHT")
    return FileZone(name, observances)


def _observance(part: Component) -> _Observance:
    line: Line | None = None
    try:
        values = {}
        for needed in ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO"):
            line = one_of(part, needed)
            if line is None:
                raise HoursError(needed, f"the {part.name} of line {part.line} has none")
            values[needed] = line.value
        before, after = offset(values["TZOFFSETFROM"]), offset(values["TZOFFSETTO"])
        starts = {_wall(read_moment(values["DTSTART"]))}
        for line in part.properties.get("RDATE", ()):
            starts |= {_wall(each) for each in moments(line, _no_zone)}
        line = one_of(part, "RRULE")
        if line is not None:
            rule = read_rule(line.value)
            times = (rule.by.get(name, ()) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
            if rule.freq not in ("YEARLY", "MONTHLY") or max(map(len, times)) > 1:
                raise ValueError("a clock changes by a rule of days in a year")
        return _Observance(before, after, tuple(sorted(starts)), None if line is None else line.value)
    except (ValueError, OverflowError) as exc:
        if isinstance(exc, BookcoreError) and line is None:
            raise
        number, value = (line.number, line.value) if line is not None else (part.line, part.name)
        raise HoursError(value, f"line {number}, of a VTIMEZONE: {getattr(exc, 'reason', exc)}") from exc


def _wall(value: object) -> timedelta:
    """Return what the clock shows at a change: the times of a VTIMEZONE are local ones (3.6.5), whatever ends them."""
    if not isinstance(value, date):
        raise ValueError("not a date or a time")
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day) - EPOCH
    return value.replace(tzinfo=None) - EPOCH


def _no_zone(tzid: str) -> tzinfo:
    raise ValueError("the times of a VTIMEZONE are local ones")
