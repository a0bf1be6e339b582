"""The demo's data: a year of flights, read from a file in the package. Needs no extra.

    year = read_flights()
    year.aircraft   4,037 records: tail number and the facts in the register
    year.airports   the names and positions of airports
    year.rows()     328,063 flights in the order of the source: aircraft, from, to, actual and scheduled

All times are aware `datetime` objects in UTC, in whole minutes; equal times are one shared object, which saves memory.

The file is JSON, packed by xz: ``title``, ``source``, ``licence``; ``tables``, lists of rows; ``numbers``, a list for each
column of the flights. The columns of `DIFFERENCES` hold the difference to the flight before, which compresses better.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import accumulate
from math import asin, cos, radians, sin, sqrt
from typing import Any, NamedTuple

from bookcore.model.errors import BookcoreError

EPOCH = datetime(2013, 1, 1, tzinfo=UTC)
PATH = files("bookcore.demo").joinpath("flights.json.xz")
DIFFERENCES = "id", "start"
_EARTH_KM = 6371.0


class DemoDataError(BookcoreError):
    """The demo's data file is missing or damaged. Attributes: ``path``, ``reason``."""

    http_hint = 500

    def __init__(self, path: object, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}; install bookcore again to get the file back")


class AircraftFacts(NamedTuple):
    """One aircraft in the register of the US Federal Aviation Administration; unknown facts are None."""

    tail: str
    year: int | None
    type: str | None
    manufacturer: str | None
    model: str | None
    engines: int | None
    seats: int | None
    engine: str | None


class Airport(NamedTuple):
    """An airport and its position in degrees."""

    code: str
    name: str
    latitude: float
    longitude: float

    def km_to(self, other: Airport) -> float:
        """Return the great-circle distance in kilometres. O(1)."""
        a, b = radians(self.latitude), radians(other.latitude)
        east = radians(other.longitude - self.longitude)
        return 2 * _EARTH_KM * asin(sqrt(sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(east / 2) ** 2))


class Rotation(NamedTuple):
    """One flight of one aircraft: its actual and scheduled times at the gates, in UTC."""

    id: int
    tail: str
    flight: str
    origin: str
    dest: str
    start: datetime
    end: datetime
    sched_start: datetime
    sched_end: datetime


class Flights:
    """The year: ``aircraft``, ``airports`` and ``airlines`` by code, flights in the order of the source."""

    __slots__ = ("_columns", "_numbers", "_routes", "_tails", "aircraft", "airlines", "airports")

    def __init__(self, tables: Mapping[str, Any], columns: Mapping[str, Sequence[int]]) -> None:
        self.aircraft: list[AircraftFacts] = [AircraftFacts(*row) for row in tables["aircraft"]]
        self.airports: dict[str, Airport] = {row[0]: Airport(*row) for row in tables["airports"]}
        self.airlines: dict[str, str] = dict(tables["airlines"])
        self._tails: list[str] = [plane.tail for plane in self.aircraft]
        self._numbers: list[str] = tables["flights"]
        self._routes: list[tuple[str, str]] = [(origin, dest) for origin, dest in tables["routes"]]
        self._columns = columns
        wanted = {"id", "tail", "flight", "route", "start", "start_late", "planned", "end_late"}
        if set(self._columns) != wanted or len({len(column) for column in self._columns.values()}) != 1:
            raise ValueError("the columns are not those of the flights")
        for name, known in (("tail", self._tails), ("flight", self._numbers), ("route", self._routes)):
            column = self._columns[name]
            if column and not 0 <= min(column) <= max(column) < len(known):
                raise ValueError(f"a {name} that is in no table")

    def __len__(self) -> int:
        """Return the number of flights. O(1)."""
        return len(self._columns["id"])

    def rows(self) -> Iterator[Rotation]:
        """Iterate all flights in the order of the source.

        Complexity: O(n); about 0.6 s for the year, mostly for the distinct times.
        """
        column = self._columns
        start: Sequence[int] = column["start"]
        sched_start = [a - b for a, b in zip(start, column["start_late"], strict=True)]
        sched_end = [a + b for a, b in zip(sched_start, column["planned"], strict=True)]
        end = [a + b for a, b in zip(sched_end, column["end_late"], strict=True)]
        minute = timedelta(minutes=1)
        time = {m: EPOCH + m * minute for m in {*start, *end, *sched_start, *sched_end}}.__getitem__
        routes = [self._routes[route] for route in column["route"]]
        tails = map(self._tails.__getitem__, column["tail"])
        numbers = map(self._numbers.__getitem__, column["flight"])
        airports = [route[0] for route in routes], [route[1] for route in routes]
        times = (map(time, minutes) for minutes in (start, end, sched_start, sched_end))
        return map(Rotation, column["id"], tails, numbers, *airports, *times)

    def near(self, code: str, km: float) -> list[str]:
        """Return the airports of the data within *km* kilometres of *code*, nearest first, *code* included.

        Four airports in the Caribbean have no position in the source, and are never near.
        """
        here = self.airports[code]
        away = sorted((here.km_to(there), there.code) for there in self.airports.values())
        return [other for distance, other in away if distance <= km]


def read_flights(data: bytes | None = None) -> Flights:
    """Return the year of flights in the package, or in *data*.

    Complexity: O(n); about 0.3 s.
    Raises: `DemoDataError` if the file is missing or damaged.

    >>> year = read_flights()
    >>> len(year.aircraft), len(year)
    (4037, 328063)
    >>> year.near("JFK", 40)
    ['JFK', 'LGA', 'EWR']
    """
    if data is None:
        try:
            data = PATH.read_bytes()
        except OSError as fault:
            raise DemoDataError(PATH, f"cannot be read ({fault.strerror})") from fault
    try:
        content = json.loads(lzma.decompress(data))
    except (lzma.LZMAError, ValueError) as fault:
        raise DemoDataError(PATH, f"cannot be unpacked ({fault})") from fault
    try:
        columns = content["numbers"] | {name: list(accumulate(content["numbers"][name])) for name in DIFFERENCES}
        return Flights(content["tables"], columns)
    except (LookupError, TypeError, ValueError) as fault:
        raise DemoDataError(PATH, f"holds something else than flights ({fault})") from fault
