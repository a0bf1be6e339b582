"""The year in a calendar: what is refused, what is answered, and that SQLite says the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

from bookcore.demo.aircraft import Airbus, Aircraft, Boeing, Helicopter, Jet, Propeller
from bookcore.demo.flights import Rotation
from bookcore.demo.questions import DAY, HOUR, Search, blocked_by, compare, free_on, heat, timings
from bookcore.demo.tour import AIRLINES, AIRPORT, DEFAULT_DAY, KM, SEATS
from bookcore.demo.world import Sqlite, World


def test_exactly_the_130_impossible_overlaps_are_refused(world: World, rotations: list[Rotation]) -> None:
    """The refused rows are those that a plain loop over earlier rows finds, each with the one in its way."""
    standing: dict[tuple[str, date], list[Rotation]] = defaultdict(list)
    expected = []
    for row in rotations:
        day = row.start.date()
        days = [(row.tail, day + n * DAY) for n in (-1, 0, 1)]  # no flight is as long as a day
        nearby = [other for where in days for other in standing.get(where, ())]
        rivals = [other for other in nearby if other.start < row.end and row.start < other.end]
        if rivals:
            expected.append((row.id, rivals[0].id))
        else:
            standing[row.tail, day].append(row)
    assert max(row.end - row.start for row in rotations) < DAY
    assert [(rotation.id, flight.id) for rotation, flight in world.refused] == expected
    assert len(expected) == 130
    assert len(world.calendar) == 327_933


def test_aircraft_are_of_the_class_that_fits(world: World) -> None:
    """Classes nest, and what the register does not know is a plain aircraft."""
    counts = Counter(type(plane) for plane in world.fleet.values())
    assert (counts[Boeing], counts[Airbus], counts[Propeller], counts[Helicopter]) == (1627, 736, 32, 5)
    assert counts[Aircraft] == 721
    assert world.calendar.find(Jet).count() == 4037 - 721 - 32 - 5


def in_use(world: World, rotations: list[Rotation], low: datetime, high: datetime) -> set[str]:
    """Who has a booked flight that overlaps the span, by looking at all of them."""
    refused = {rotation.id for rotation, _ in world.refused}
    return {row.tail for row in rotations if row.start < high and low < row.end and row.id not in refused}


def test_free_aircraft_are_those_without_a_flight(world: World, rotations: list[Rotation]) -> None:
    """Free on a day, by the plain definition."""
    flying = in_use(world, rotations, DEFAULT_DAY, DEFAULT_DAY + DAY)
    assert set(free_on(world, DEFAULT_DAY).ids()) == set(world.fleet) - flying


def test_place_is_where_the_last_flight_ended(world: World, rotations: list[Rotation]) -> None:
    """Flights still in the air at midnight do not count."""
    refused = {rotation.id for rotation, _ in world.refused}
    last: dict[str, Rotation] = {}
    for row in rotations:
        if row.end <= DEFAULT_DAY and row.id not in refused:
            last[row.tail] = max(row, last.get(row.tail, row), key=lambda row: row.end)
    assert {tail: plane.at for tail, plane in world.fleet.items() if plane.at} == {
        tail: row.dest for tail, row in last.items()
    }


def test_composed_question_finds_what_a_loop_finds(world: World, rotations: list[Rotation]) -> None:
    """Ten are found, and they are the first ten of a scan over all aircraft."""
    near = world.year.near(AIRPORT, KM)
    flown: dict[str, set[str]] = defaultdict(set)
    for row in rotations:
        flown[row.tail].add(world.year.airlines[row.flight[:2]])
    flying = in_use(world, rotations, DEFAULT_DAY, DEFAULT_DAY + DAY)
    expected = [
        tail
        for tail, plane in world.fleet.items()
        if isinstance(plane, Airbus)
        and SEATS[0] <= (plane.seats or 0) <= SEATS[1]
        and plane.at in near
        and flown[tail] & set(AIRLINES)
        and tail not in flying
    ]
    found = Search(Airbus, SEATS, near, AIRLINES).ask(world, DEFAULT_DAY)
    assert found.ids() == expected
    assert [plane.id for plane in found.first(10)] == expected[:10]
    assert len(expected) > 10


def test_blockers_come_by_start(world: World) -> None:
    """Every flight of the day that is in the way, in order of departure."""
    flights = blocked_by(world, "N192JB", DEFAULT_DAY)
    assert [flight.number for flight in flights] == ["B61407", "B61816", "B62702", "B61307", "B61734"]
    assert [flight.start for flight in flights] == sorted(flight.start for flight in flights)


def test_heat_counts_aircraft_in_use_each_hour(world: World, rotations: list[Rotation]) -> None:
    """168 counts, three of them counted by hand."""
    monday = datetime(2013, 7, 22, tzinfo=UTC)
    counts = heat(world, monday)
    assert len(counts) == 168
    for hour in (0, 70, 167):
        low = monday + hour * HOUR
        assert counts[hour] == len(in_use(world, rotations, low, low + HOUR))


def test_sqlite_gives_the_same_answers(world: World, sqlite: Sqlite) -> None:
    """Every timed question, on every day it is asked about, and the number of refusals."""
    search = Search(Airbus, SEATS, world.year.near(AIRPORT, KM), AIRLINES)
    found = timings(world, sqlite, DEFAULT_DAY, search, asked=4)
    assert [timing.question for timing in found if not timing.same] == []
    assert len(found) == 8
    assert sqlite.refused == 130


def test_compare_notices_one_wrong_answer() -> None:
    """An answer that differs in one case of many is not the same."""
    assert compare("?", lambda n: n, lambda n: n, range(9)).same
    assert not compare("?", lambda n: n, lambda n: n if n != 7 else 0, range(9)).same


def test_clock_is_the_worlds_own(world: World) -> None:
    """The demo's present moves only when the demo moves it."""
    before = world.now
    world.now = before + timedelta(hours=1)
    try:
        clock = world.calendar._engine.state.holds.clock
        assert clock is not None
        assert clock() == before + timedelta(hours=1)
    finally:
        world.now = before
