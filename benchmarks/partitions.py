"""Calendars in partitions beside an undivided one: ``python -m benchmarks.partitions``.

Processes book in resources of their own, which are in all partitions, as fast as they can; each commit is synced. Both
calendars are in one database, and are measured in turn. A search is asked in one process of calendars with as many
bookings. The server is started for this, on this machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

from bookcore import BookingEvent, Calendar, Resource
from bookcore.testing.servers import start_postgres

PROCESSES, SECONDS, ROUNDS = 4, 2.0, 3
RESOURCES, BOOKINGS = 8_000, 80_000

WORKER = """
import sys
from time import perf_counter
from bookcore import Calendar
address, number, together = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
calendar = Calendar.open(address, timeout=60)
rooms = [f"w{number}-{at}" for at in range(16)]
print("ready", flush=True)
for line in sys.stdin:
    start, seconds = line.split()
    at, begun, done = int(start), perf_counter(), 0
    while perf_counter() - begun < float(seconds):
        room = rooms[done // together % 16]
        if together == 1:
            calendar.book(room, at, at + 1)
        else:
            calendar.book_all([(room, at + each, at + each + 1) for each in range(together)])
        at, done = at + together, done + together
    print(done / (perf_counter() - begun), flush=True)
"""


def writes(addresses: dict[str, str], together: int) -> dict[str, float]:
    """Return how many bookings a second all processes make, the median of the rounds."""
    found: dict[str, list[float]] = {name: [] for name in addresses}
    workers: dict[str, list[Any]] = {
        name: [
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", WORKER, address, str(number), str(together)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for number in range(PROCESSES)
        ]
        for name, address in addresses.items()
    }  # fmt: skip
    for worker in (each for some in workers.values() for each in some):
        assert worker.stdout.readline() == "ready\n"
    for turn in range(ROUNDS):
        for name, some in workers.items():
            for worker in some:
                worker.stdin.write(f"{turn * 10**6 + together * 10**8} {SECONDS}\n")
                worker.stdin.flush()
            found[name].append(sum(float(worker.stdout.readline()) for worker in some))
    for worker in (each for some in workers.values() for each in some):
        worker.stdin.close()
        worker.wait(60)
    return {name: statistics.median(each) for name, each in found.items()}


def questions(calendars: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return how many microseconds of the processor each question takes in each calendar, the median of many."""
    asked: dict[str, Callable[[Any], Any]] = {
        "is_available": lambda calendar: calendar.is_available("r5", 5, 6),
        "len(find_available)": lambda calendar: len(calendar.find_available(500, 510)),
        "find_available.first(10)": lambda calendar: calendar.find_available(500, 510).first(10),
        "find_available.ids()": lambda calendar: calendar.find_available(500, 510).ids(),
    }
    times: dict[str, dict[str, list[float]]] = {what: {name: [] for name in calendars} for what in asked}
    for what, ask in asked.items():
        for _ in range(30):
            for name, calendar in calendars.items():
                begun = process_time()
                for _ in range(20):
                    ask(calendar)
                times[what][name].append((process_time() - begun) / 20 * 1e6)
    return {what: {name: statistics.median(each) for name, each in of.items()} for what, of in times.items()}


def main() -> None:
    """Measure, and print one line for each."""
    server = start_postgres()
    try:
        base = server.dsn() + ("&" if "?" in server.dsn() else "?")
        addresses = {"undivided": f"{base}calendar=one", "8 partitions": f"{base}calendar=eight&partitions=8"}
        calendars: dict[str, Any] = {name: Calendar.open(each, follow=False) for name, each in addresses.items()}
        for name, calendar in calendars.items():
            begun = perf_counter()
            with calendar.transaction():
                for number in range(RESOURCES):
                    calendar.add_resource(Resource(f"r{number}"))
                for number in range(PROCESSES * 16):
                    calendar.add_resource(Resource(f"w{number // 16}-{number % 16}"))
            rows = ((number % RESOURCES, number // RESOURCES * 100 + number * 7 % 90) for number in range(BOOKINGS))
            calendar.load([BookingEvent(f"r{at}", start, start + 10) for at, start in rows])
            print(f"{name}: {RESOURCES} resources and {BOOKINGS} bookings in {perf_counter() - begun:.1f} s", flush=True)
        for what, of in questions(calendars).items():
            print(what, {name: f"{time:.1f} us" for name, time in of.items()}, flush=True)
        for calendar in calendars.values():
            calendar.checkpoint()
            calendar.close()
        for together in (1, 20):
            rates = writes(addresses, together)
            print(f"{PROCESSES} processes, {together} a commit:", {name: f"{rate:.0f}/s" for name, rate in rates.items()})
        begun = perf_counter()
        for name, address in {**addresses, "2 of 8 partitions": addresses["8 partitions"]}.items():
            begun = perf_counter()
            some: dict[str, Any] = {"partitions": [0, 1]} if name.startswith("2") else {}
            Calendar.open(address, follow=False, **some).close()
            print(f"open {name}: {perf_counter() - begun:.2f} s")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
