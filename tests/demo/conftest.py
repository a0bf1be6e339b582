"""The year is read once and booked once for all tests of the demo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bookcore.demo.flights import Flights, Rotation, read_flights
from bookcore.demo.tour import DEFAULT_DAY
from bookcore.demo.world import Sqlite, World


@pytest.fixture(scope="session")
def year() -> Flights:
    """The data in the package."""
    return read_flights()


@pytest.fixture(scope="session")
def rotations(year: Flights) -> list[Rotation]:
    """All its rows."""
    return list(year.rows())


@pytest.fixture(scope="session")
def world(year: Flights, rotations: list[Rotation]) -> World:
    """The whole year, booked."""
    found = World(year)
    for _ in found.book(rotations):
        pass
    found.label(rotations)
    found.place(DEFAULT_DAY)
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
