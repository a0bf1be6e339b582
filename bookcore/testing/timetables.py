"""Opening hours for random histories: each as `Hours`, and as a plain rule for the oracle.

The plain rule reads the wall clock of the zone at the instant of a rank and looks into the table. Everything in the
tables begins and ends on a quarter of an hour, as the ranks of datetimes do, so each stretch between two ranks is open
throughout or not at all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from bookcore.hours.opening_hours import Hours
from bookcore.testing.families import Family
from bookcore.testing.oracle import Rule

Table: TypeAlias = dict[int, list[tuple[int, int]]]
"""By weekday (0 is Monday), from which minute to which."""


def _daily(*openings: tuple[int, int]) -> Table:
    return {day: list(openings) for day in range(7)}


ALWAYS = _daily((0, 1440))
TABLES: tuple[Table, ...] = (
    ALWAYS,
    {},
    _daily((60, 1200)),
    _daily((0, 180), (240, 600), (615, 1440)),  # open over midnight
    {6: [(90, 1320)], 0: [(0, 300)]},
    {6: [(150, 165), (180, 705)], 0: [(360, 1440)]},
)


@cache
def timetables(family: Family) -> list[tuple[Hours, Rule]]:
    """Return opening hours for the keys of a family; none where keys are not datetimes.

    For datetimes with a zone some are on the clock of Berlin and of Lord Howe Island, which change it by an hour and by half
    of one just where the ranks begin.
    """
    first = family.key(0)
    if not isinstance(first, datetime):
        return []
    zones: list[Any] = [None]
    if first.tzinfo is not None:
        try:
            zones = [ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]
        except LookupError:  # no database of zones on this machine
            return []
    second = (first if first.tzinfo is None else first.astimezone(zones[0])).date() + timedelta(1)
    plans = [(table, exceptions) for table in TABLES[::2] for exceptions in ({}, {second: [(120, 300)]})]
    plans += [(table, {}) for table in TABLES[1::2]]
    return [_made(family, *plan, zones[at % len(zones)]) for at, plan in enumerate(plans)]


def _made(family: Family, table: Table, exceptions: dict[date, list[tuple[int, int]]], zone: Any) -> tuple[Hours, Rule]:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    hours = Hours(
        {names[day]: [_text(*opening) for opening in openings] for day, openings in table.items()},
        zone=None if zone is None else zone.key,
        exceptions={day: [_text(*opening) for opening in openings] for day, openings in exceptions.items()},
    )

    @lru_cache(None)
    def opens(rank: int) -> bool:
        wall = family.key(rank)
        if zone is not None:
            wall = wall.astimezone(UTC).astimezone(zone)
        minute = wall.hour * 60 + wall.minute
        openings = exceptions.get(wall.date(), table.get(wall.weekday(), []))
        return any(start <= minute < end for start, end in openings)

    return hours, Rule(f"{sorted(table)} {zone}", opens, always=table is ALWAYS)


def _text(start: int, end: int) -> str:
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
