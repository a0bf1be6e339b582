"""The data of the demo, in a calendar and in an SQLite database that answers the same queries."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from time import perf_counter
from typing import Any, NamedTuple

from bookcore.calendar import Calendar
from bookcore.demo.flights import EPOCH, AircraftFacts, Flights, Rotation
from bookcore.model.errors import ConflictError
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource

BATCH = 2048  # rows between two updates of the progress bar
_MINUTE = timedelta(minutes=1)


class Aircraft(Resource):
    """An aircraft; its id is its tail number. The register determines its subclass.

    ``at`` is the airport of its last landing before the day of the demo, or None.
    """

    def __init__(self, facts: AircraftFacts) -> None:
        super().__init__(facts.tail)
        self.maker = facts.manufacturer
        self.model = facts.model
        self.year = facts.year
        self.seats = facts.seats
        self.at: str | None = None


class Jet(Aircraft):
    """An aircraft with turbofans or turbojets."""


class Airbus(Jet):
    """Made by Airbus."""


class Boeing(Jet):
    """Made by Boeing."""


class Bombardier(Jet):
    """Made by Bombardier, or by its predecessor Canadair."""


class Embraer(Jet):
    """Made by Embraer."""


class McDonnellDouglas(Jet):
    """Made by McDonnell Douglas."""


class Propeller(Aircraft):
    """An aircraft with propellers."""


class Helicopter(Aircraft):
    """An aircraft with a rotor."""


KINDS = (Boeing, Airbus, Bombardier, Embraer, McDonnellDouglas, Propeller, Helicopter)
_MAKERS: dict[str, type[Jet]] = {
    "AIRBUS": Airbus,
    "BOEING": Boeing,
    "BOMBARDIER": Bombardier,
    "CANADAIR": Bombardier,
    "EMBRAER": Embraer,
    "MCDONNELL": McDonnellDouglas,
}


def make_aircraft(facts: AircraftFacts) -> Aircraft:
    """Return the aircraft that *facts* describe, as an instance of its subclass.

    >>> facts = AircraftFacts("N1", 1999, "Fixed wing", "AIRBUS", "A320-232", 2, 200, "Turbo-fan")
    >>> type(make_aircraft(facts)).__name__
    'Airbus'
    """
    if facts.type is None:
        return Aircraft(facts)
    if facts.type == "Rotorcraft":
        return Helicopter(facts)
    if facts.engine in ("Turbo-fan", "Turbo-jet"):
        first = (facts.manufacturer or "").split(" ")[0]
        return _MAKERS.get(first, Jet)(facts)
    return Propeller(facts)


class Crew(Resource):
    """The crew of an aircraft."""


class Flight(BookingEvent):
    """The booking of an aircraft for one flight, from gate to gate."""

    __slots__ = ("dest", "number", "origin")
    number: str
    origin: str
    dest: str

    @classmethod
    def of(cls, aircraft: Any, rotation: Rotation) -> Flight:
        """Return the booking of *aircraft* for the actual times of one flight."""
        flight = cls(aircraft, rotation.start, rotation.end, id=rotation.id)
        flight.number, flight.origin, flight.dest = rotation.flight, rotation.origin, rotation.dest
        return flight

    @property
    def route(self) -> str:
        """The airports of departure and arrival."""
        return f"{self.origin}-{self.dest}"


class Refusal(NamedTuple):
    """A flight that could not be booked, and the conflicting booking."""

    rotation: Rotation
    conflict: Flight


class World:
    """All aircraft and their flights in one calendar; ``now`` is the time of its clock."""

    def __init__(self, year: Flights) -> None:
        self.year = year
        self.now = EPOCH
        self.calendar = Calendar(clock=lambda: self.now)
        self.refused: list[Refusal] = []
        self.seconds = 0.0
        self.fleet: dict[str, Aircraft] = {}
        for facts in year.aircraft:
            self.fleet[facts.tail] = self.calendar.add_resource(make_aircraft(facts))

    def book(self, rows: Iterable[Rotation]) -> Iterator[int]:
        """Book *rows* one by one, refuse a flight that overlaps an earlier one, and yield the size of each batch.

        ``seconds`` is the time of checks, bookings and refusals, without the construction of the events.
        """
        fleet, add = self.fleet, self.calendar.add_booking
        for batch in _batches(rows):
            flights = [(row, Flight.of(fleet[row.tail], row)) for row in batch]
            began = perf_counter()
            for row, flight in flights:
                try:
                    add(flight)
                except ConflictError as fault:
                    self.refused.append(Refusal(row, fault.conflicts[0]))
            self.seconds += perf_counter() - began
            yield len(batch)

    def label(self, rows: Iterable[Rotation]) -> None:
        """Tag every aircraft with the airlines of its flights."""
        names = self.year.airlines
        for tail, code in sorted({(row.tail, row.flight[:2]) for row in rows}):
            self.calendar.tag(self.fleet[tail], names.get(code, code))

    def place(self, moment: datetime) -> None:
        """Set ``at`` to the airport of the last landing before *moment*, and index aircraft by ``at`` and seats."""
        for flight in self.calendar.bookings(None, None, moment):
            if flight.end <= moment:
                flight.resource.at = flight.fields["dest"]
        self.calendar.create_index("at", key=lambda plane: plane.at)
        self.calendar.create_index("seats", key=lambda plane: plane.seats)


def _batches(rows: Iterable[Rotation]) -> Iterator[list[Rotation]]:
    rest = iter(rows)
    return iter(lambda: list(islice(rest, BATCH)), [])


class Sqlite:
    """The same rows in SQLite, in memory, with an index on resource, end and start.

    Times are stored as whole minutes, the fastest representation in SQLite.
    """

    def __init__(self, world: World) -> None:
        self.seconds = 0.0
        self.refused = 0
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.executescript(
            """
            CREATE TABLE aircraft (n INTEGER PRIMARY KEY, tail TEXT UNIQUE, kind TEXT, seats INTEGER,
                                   at TEXT);
            CREATE TABLE label (aircraft INTEGER, name TEXT, PRIMARY KEY (aircraft, name)) WITHOUT ROWID;
            CREATE TABLE booking (id INTEGER PRIMARY KEY, aircraft INTEGER NOT NULL, start INTEGER NOT NULL,
                                  "end" INTEGER NOT NULL, flight TEXT, origin TEXT, dest TEXT);
            CREATE INDEX booking_span ON booking (aircraft, "end", start);
            CREATE INDEX aircraft_at ON aircraft (at);
            CREATE INDEX aircraft_kind ON aircraft (kind, seats);
            """
        )
        self.number = {tail: n for n, tail in enumerate(world.fleet)}
        fleet = [(self.number[tail], tail, type(p).__name__, p.seats) for tail, p in world.fleet.items()]
        self.db.executemany("INSERT INTO aircraft VALUES (?, ?, ?, ?, NULL)", fleet)

    def book(self, rows: Iterable[Rotation]) -> Iterator[int]:
        """Check and insert row by row in one transaction, and yield the size of each batch, as `World.book`."""
        insert = """
            INSERT INTO booking SELECT ?, ?, ?, ?, ?, ?, ?
            WHERE NOT EXISTS (SELECT 1 FROM booking WHERE aircraft = ? AND "end" > ? AND start < ?)
            """
        number, run = self.number, self.db.execute
        run("BEGIN")
        for batch in _batches(rows):
            values = [  # prepared before the time starts, as the events of `World.book`
                (r.id, n, low, high, r.flight, r.origin, r.dest, n, low, high)
                for r in batch
                for n, low, high in [(number[r.tail], to_minute(r.start), to_minute(r.end))]
            ]
            began = perf_counter()
            for row in values:
                self.refused += not run(insert, row).rowcount
            self.seconds += perf_counter() - began
            yield len(batch)
        run("COMMIT")

    def describe(self, world: World) -> None:
        """Copy tags and airports from the calendar, and analyze the tables."""
        for tail, plane in world.fleet.items():
            self.db.execute("UPDATE aircraft SET at = ? WHERE n = ?", (plane.at, self.number[tail]))
        for name in world.year.airlines.values():
            rows = [(self.number[tail], name) for tail in world.calendar.tagged(name).ids()]
            self.db.executemany("INSERT INTO label VALUES (?, ?)", rows)
        self.db.execute("ANALYZE")

    def close(self) -> None:
        """Close the database."""
        self.db.close()

    def column(self, sql: str, *values: Any) -> list[Any]:
        """Return the first column of the result."""
        return [row[0] for row in self.db.execute(sql, values)]


def to_minute(moment: datetime) -> int:
    """Return a time as stored in SQLite: minutes since `EPOCH`."""
    return (moment - EPOCH) // _MINUTE
