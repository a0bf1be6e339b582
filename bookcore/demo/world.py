"""The year as a calendar, and the same rows as an SQLite database, to be asked the same questions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, NamedTuple

from bookcore.calendar import Calendar
from bookcore.demo.aircraft import Aircraft, Flight, make_aircraft
from bookcore.demo.flights import EPOCH, Flights, Rotation
from bookcore.model.errors import ConflictError

__all__ = ["Refusal", "Sqlite", "World", "to_minute"]

STEP = 2048  # rows between two reports of progress
_MINUTE = timedelta(minutes=1)


class Refusal(NamedTuple):
    """A flight that could not be booked, and the one that stands in its way."""

    rotation: Rotation
    standing: Flight


class World:
    """All aircraft and their flights in one calendar; ``now`` is what it takes for the present."""

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
        """Book *rows* one by one, refusing what overlaps an earlier one; yield how many, batch by batch.

        What is timed (`seconds`) is check and booking, and the refusals; the events are made ready outside the clock.
        """
        fleet, add = self.fleet, self.calendar.add_booking
        for some in _batches(rows):
            ready = [(row, Flight.of(fleet[row.tail], row)) for row in some]
            begun = perf_counter()
            for row, flight in ready:
                try:
                    add(flight)
                except ConflictError as fault:
                    self.refused.append(Refusal(row, fault.conflicts[0]))
            self.seconds += perf_counter() - begun
            yield len(some)

    def label(self, rows: Iterable[Rotation]) -> None:
        """Tag every aircraft with the airlines that flew it."""
        seen = {(row.tail, row.flight[:2]) for row in rows}
        names = self.year.airlines
        for tail, code in sorted(seen):
            self.calendar.tag(self.fleet[tail], names.get(code, code))

    def place(self, moment: datetime) -> None:
        """Note where every aircraft was last seen before *moment*, and index by that and by seats."""
        for flight in self.calendar.bookings(None, None, moment):
            if flight.end <= moment:
                flight.resource.at = flight.dest
        self.calendar.create_index("at", key=lambda plane: plane.at)
        self.calendar.create_index("seats", key=lambda plane: plane.seats)


def _batches(rows: Iterable[Rotation]) -> Iterator[list[Rotation]]:
    batch: list[Rotation] = []
    for row in rows:
        batch.append(row)
        if len(batch) == STEP:
            yield batch
            batch = []
    yield batch


class Sqlite:
    """The same rows in SQLite, in memory, with the index a user would make: resource, end, start.

    Times are whole minutes, the shortest form there is; a text or a timestamp would be slower.
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
        self.db.executemany(
            "INSERT INTO aircraft VALUES (?, ?, ?, ?, NULL)",
            [
                (n, tail, type(plane).__name__, plane.seats)
                for n, (tail, plane) in enumerate(world.fleet.items())
            ],
        )

    def book(self, rows: Iterable[Rotation]) -> Iterator[int]:
        """Check and insert row by row in one transaction, as `World.book` does; yield how many are done."""
        insert = """
            INSERT INTO booking SELECT ?, ?, ?, ?, ?, ?, ?
            WHERE NOT EXISTS (SELECT 1 FROM booking WHERE aircraft = ? AND "end" > ? AND start < ?)
            """
        number, run = self.number, self.db.execute
        run("BEGIN")
        for some in _batches(rows):
            # made ready outside the clock, as the events are: SQLite is timed for its own work only
            ready = [
                (r.id, n, low, high, r.flight, r.origin, r.dest, n, low, high)
                for r in some
                for n, low, high in [(number[r.tail], to_minute(r.start), to_minute(r.end))]
            ]
            begun = perf_counter()
            for row in ready:
                self.refused += not run(insert, row).rowcount
            self.seconds += perf_counter() - begun
            yield len(some)
        run("COMMIT")

    def describe(self, world: World) -> None:
        """Copy tags and places from the calendar, and let SQLite look at its tables."""
        for tail, plane in world.fleet.items():
            self.db.execute("UPDATE aircraft SET at = ? WHERE n = ?", (plane.at, self.number[tail]))
        for name in world.year.airlines.values():
            rows = [(self.number[tail], name) for tail in world.calendar.tagged(name).ids()]
            self.db.executemany("INSERT INTO label VALUES (?, ?)", rows)
        self.db.execute("ANALYZE")

    def close(self) -> None:
        """Let go of the database."""
        self.db.close()

    def column(self, sql: str, *values: Any) -> list[Any]:
        """Return the first column of the answer."""
        return [row[0] for row in self.db.execute(sql, values)]


def to_minute(moment: datetime) -> int:
    """Return a time as SQLite has it: minutes since `EPOCH`."""
    return (moment - EPOCH) // _MINUTE
