"""The year is read once and booked once for all tests of the demo, and frozen: no collection needs to walk it.

It stays until the last test of a worker, and would make each full collection of later tests take a half second.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from bookcore.demo.flights import Flights, Rotation, read_flights
from bookcore.demo.questions import DAY
from bookcore.demo.tour import DEFAULT_DAY
from bookcore.demo.world import Sqlite, World


@pytest.fixture(scope="session")
def year() -> Flights:
    """The data in the package."""
    return read_flights()


@pytest.fixture(scope="session")
def week(year: Flights) -> Flights:
    """The flights of the week of the default day, and a few days before it: enough for every part."""
    rows = [n for n, row in enumerate(year.rows()) if -5 * DAY < row.start - DEFAULT_DAY < 4 * DAY]
    columns = year._columns
    tables = {
        "aircraft": year.aircraft,
        "flights": year._numbers,
        "routes": year._routes,
        "airports": list(year.airports.values()),
        "airlines": list(year.airlines.items()),
    }
    return Flights(tables, {name: [column[n] for n in rows] for name, column in columns.items()})


@pytest.fixture(scope="session")
def rotations(year: Flights) -> list[Rotation]:
    """All its rows."""
    rows = list(year.rows())
    gc.freeze()
    return rows


@pytest.fixture(scope="session")
def world(year: Flights, rotations: list[Rotation]) -> World:
    """The whole year, booked."""
    found = World(year)
    gc.disable()  # a third of a million bookings stay, and a collection walks them all
    for _ in found.book(rotations):
        pass
    gc.enable()
    found.label(rotations)
    found.place(DEFAULT_DAY)
    gc.freeze()
    return found


@pytest.fixture(scope="session")
def sqlite(world: World, rotations: list[Rotation]) -> Iterator[Sqlite]:
    """The whole year in SQLite."""
    found = Sqlite(world)
    for _ in found.book(rotations):
        pass
    found.describe(world)
    yield found
    found.close()
