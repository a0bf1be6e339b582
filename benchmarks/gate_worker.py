"""One side of the speed gate: a process that measures one version of bookcore, a slice at a time, on command.

``benchmarks.gate`` starts this file as a script, with the version to be measured on ``PYTHONPATH``. It therefore
imports nothing of ``benchmarks``, and of bookcore the public names only, so that the same file measures versions whose
internals differ. It reads one command a line (the name of an operation) and answers each with a line of JSON. The
cyclic collector runs as Python starts with it.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bookcore

HOURS_A_YEAR = 365 * 24
ORIGIN = datetime(2026, 1, 1)
#: how many calls a slice makes; a slice of ``book`` and ``load`` is a share of all bookings
CALLS = {
    "is_available": 5_000,
    "is_available, foreign object": 5_000,
    "count": 100,
    "list": 20,
    "first(10)": 200,
    "remove": 200,
    "remove + add + count": 50,
}

#: time on the processor, which leaves out whatever else the machine does; the wall clock where the former is too coarse
clock = time.process_time if time.get_clock_info("process_time").resolution < 1e-6 else time.perf_counter


class Room:
    """A resource of the user's own class: a foreign object, which the calendar takes by its ``id``."""

    def __init__(self, id: int) -> None:
        self.id = id


def resident_bytes() -> int:
    """Return the memory of this process; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


class Side:
    """Data and calendars of one process; every method named in ``operations`` measures one slice."""

    def __init__(self, resources: int, bookings: int, slices: int, seed: int) -> None:
        self.rng = random.Random(seed)
        self.resources, self.slices, self.next_slice = resources, slices, 0
        rows = []
        for number in range(resources):
            points = sorted(self.rng.sample(range(HOURS_A_YEAR), 2 * bookings))
            for start, end in zip(points[::2], points[1::2], strict=True):
                rows.append((number, self.key(start), self.key(min(end, start + self.rng.randint(1, 96)))))
        self.rng.shuffle(rows)
        self.rows = rows
        gc.collect()
        self.before = resident_bytes()
        self.calendar = bookcore.Calendar()
        self.known = [self.calendar.add_resource(bookcore.Resource(number)) for number in range(resources)]
        self.booked: list[Any] = []
        self.foreign_calendar: Any = None
        self.rooms: list[Any] = []

    @staticmethod
    def key(hour: int, minute: int = 0) -> datetime:
        """Turn hours since the origin into a new ``datetime``, as from a file."""
        return ORIGIN + timedelta(hours=hour, minutes=minute)

    def windows(self, count: int) -> list[tuple[datetime, datetime]]:
        """Return week-long spans to ask about."""
        starts = [self.rng.randrange(HOURS_A_YEAR - 168) for _ in range(count)]
        return [(self.key(start, 7), self.key(start + 168, 3)) for start in starts]

    def share(self) -> list[tuple[int, datetime, datetime]]:
        """Return the next slice of the rows."""
        size = -(-len(self.rows) // self.slices)
        found = self.rows[self.next_slice * size : (self.next_slice + 1) * size]
        self.next_slice += 1
        return found

    def book(self) -> tuple[float, int]:
        """Book the next share of the rows."""
        rows, book, known = self.share(), self.calendar.book, self.known
        began = clock()
        for number, start, end in rows:
            book(known[number], start, end)
        return clock() - began, len(rows)

    def memory(self) -> tuple[float, int]:
        """Return the bytes that resources and bookings have added to the process; ask after the last ``book``."""
        gc.collect()
        grown = resident_bytes() - self.before
        self.booked = self.rng.sample(list(self.calendar.bookings()), min(2_000, len(self.rows)))
        return float(grown), len(self.rows)

    def load(self) -> tuple[float, int]:
        """Load all rows into a calendar of their own, the making of their events included."""
        calendar, event = bookcore.Calendar(), bookcore.BookingEvent
        known = [calendar.add_resource(bookcore.Resource(number)) for number in range(self.resources)]
        began = clock()
        calendar.load(event(known[number], start, end) for number, start, end in self.rows)
        return clock() - began, len(self.rows)

    def timed(self, call: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> tuple[float, int]:
        """Time one call for each tuple of arguments."""
        began = clock()
        for given in arguments:
            call(*given)
        return clock() - began, len(arguments)

    def questions(self, resources: list[Any], count: int) -> list[tuple[Any, ...]]:
        """Return questions about one resource each."""
        return [(resources[self.rng.randrange(len(resources))], *span) for span in self.windows(count)]

    def is_available(self) -> tuple[float, int]:
        """Ask about ``Resource`` objects."""
        return self.timed(self.calendar.is_available, self.questions(self.known, CALLS["is_available"]))

    def is_available_foreign(self) -> tuple[float, int]:
        """Ask about objects of the user's own class, in a calendar that holds the same bookings for them."""
        if self.foreign_calendar is None:
            self.foreign_calendar = bookcore.Calendar()
            self.rooms = [self.foreign_calendar.add_resource(Room(number)) for number in range(self.resources)]
            event, rooms = bookcore.BookingEvent, self.rooms
            self.foreign_calendar.load(event(rooms[number], start, end) for number, start, end in self.rows)
        asked = self.questions(self.rooms, CALLS["is_available, foreign object"])
        return self.timed(self.foreign_calendar.is_available, asked)

    def count(self) -> tuple[float, int]:
        """Count the available resources."""
        find = self.calendar.find_available
        return self.timed(lambda start, end: len(find(start, end)), self.windows(CALLS["count"]))

    def listing(self) -> tuple[float, int]:
        """List the available resources."""
        find = self.calendar.find_available
        return self.timed(lambda start, end: list(find(start, end)), self.windows(CALLS["list"]))

    def first(self) -> tuple[float, int]:
        """List the first ten available resources."""
        find = self.calendar.find_available
        return self.timed(lambda start, end: find(start, end).first(10), self.windows(CALLS["first(10)"]))

    def chosen(self, operation: str) -> list[int]:
        """Return the positions in ``booked`` that a slice of *operation* uses, each once."""
        return self.rng.sample(range(len(self.booked)), min(CALLS[operation], len(self.booked)))

    def remove(self) -> tuple[float, int]:
        """Remove bookings; they are booked again outside the time."""
        positions = self.chosen("remove")
        taken = [self.booked[position] for position in positions]
        result = self.timed(self.calendar.remove_booking, [(booking,) for booking in taken])
        for position, booking in zip(positions, taken, strict=True):
            self.booked[position] = self.calendar.book(booking.resource, booking.start, booking.end)
        return result

    def churn(self) -> tuple[float, int]:
        """Remove a booking, add it again, count: no write may leave its work to the next question."""
        calendar, event = self.calendar, bookcore.BookingEvent

        def turn(position: int, start: datetime, end: datetime) -> None:
            old = self.booked[position]
            calendar.remove_booking(old)
            self.booked[position] = calendar.add_booking(event(old.resource, old.start, old.end))
            len(calendar.find_available(start, end))

        positions = self.chosen("remove + add + count")
        spans = self.windows(len(positions))
        return self.timed(turn, [(position, *span) for position, span in zip(positions, spans, strict=True)])

    def operations(self) -> dict[str, Callable[[], tuple[float, int]]]:
        """Return the measuring methods by the name of their command."""
        return {
            "book": self.book,
            "memory a booking": self.memory,
            "load": self.load,
            "is_available": self.is_available,
            "is_available, foreign object": self.is_available_foreign,
            "count": self.count,
            "list": self.listing,
            "first(10)": self.first,
            "remove": self.remove,
            "remove + add + count": self.churn,
        }


def serve(side: Side, commands: Iterator[str]) -> None:
    """Answer each command with ``[seconds or bytes, calls]``."""
    operations = side.operations()
    print(json.dumps({"ready": bookcore.__file__}), flush=True)
    for line in commands:
        print(json.dumps(operations[line.strip()]()), flush=True)


if __name__ == "__main__":
    serve(Side(**json.loads(sys.argv[1])), iter(sys.stdin.readline, ""))
