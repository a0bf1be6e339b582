"""The queries of the demo: answered by the calendar and by SQLite, timed and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from bookcore.demo.world import Aircraft, Sqlite, World, to_minute
from bookcore.model.term import no
from bookcore.query.selection import Selection

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Timing(NamedTuple):
    """One query of both systems: the median seconds of each, and whether the answers are equal (``same``)."""

    question: str
    ours: float
    theirs: float
    same: bool

    @property
    def ratio(self) -> float:
        """The time of SQLite divided by the time of bookcore."""
        return self.theirs / self.ours


def compare(
    question: str, ours: Callable[[Any], Any], theirs: Callable[[Any], Any], cases: Sequence[Any]
) -> Timing:
    """Ask both systems the same query for every case, in turn, and compare every answer."""
    if len(cases) > 1:  # warm up: SQLite compiles its statement
        ours(cases[0])
        theirs(cases[0])
    our_seconds, their_seconds = [], []
    same = True
    for case in cases:
        began = perf_counter()
        our_answer = ours(case)
        between = perf_counter()
        their_answer = theirs(case)
        our_seconds.append(between - began)
        their_seconds.append(perf_counter() - between)
        same = same and our_answer == their_answer
    return Timing(question, median(our_seconds), median(their_seconds), same)


class Search(NamedTuple):
    """The composed query: aircraft of a kind, a size, some airlines, and some airports of the last landing."""

    kind: type[Aircraft]
    seats: tuple[int, int]
    places: list[str]
    airlines: tuple[str, ...]

    def ask(self, world: World, day: datetime) -> Selection:
        """Return the matching aircraft that are free all day, as a selection."""
        calendar = world.calendar
        return calendar.find(
            self.kind,
            calendar.index("seats").between(*self.seats),
            calendar.index("at").one_of(self.places),
            [calendar.tagged(name) for name in self.airlines],
            no(calendar.find_booked(day, day + DAY)),
        )

    def ask_sqlite(self, sqlite: Sqlite, day: datetime, n: int) -> list[str]:
        """Return the first *n* tail numbers of the same query in SQLite."""
        places, airlines = (",".join("?" * len(names)) for names in (self.places, self.airlines))
        return sqlite.column(
            f"""
            SELECT a.tail FROM aircraft a
            WHERE a.kind = ? AND a.seats BETWEEN ? AND ? AND a.at IN ({places})
              AND EXISTS (SELECT 1 FROM label l WHERE l.aircraft = a.n AND l.name IN ({airlines}))
              AND NOT EXISTS (SELECT 1 FROM booking b WHERE b.aircraft = a.n AND b."end" > ? AND b.start < ?)
            ORDER BY a.n LIMIT ?
            """,  # noqa: S608 - question marks only
            self.kind.__name__,
            *self.seats,
            *self.places,
            *self.airlines,
            to_minute(day),
            to_minute(day + DAY),
            n,
        )


def free_on(world: World, day: datetime, *terms: Any) -> Selection:
    """Return the aircraft with no flight on that day (UTC)."""
    return world.calendar.find_available(day, day + DAY, *terms)


def blocked_by(world: World, tail: str, day: datetime) -> tuple[Any, ...]:
    """Return the flights that prevent a booking of an aircraft for the whole day."""
    return world.calendar.conflicts(tail, day, day + DAY)


def heat(world: World, monday: datetime) -> list[int]:
    """Return the number of aircraft in use in each hour of a week."""
    booked = world.calendar.find_booked
    return [len(booked(monday + n * HOUR, monday + (n + 1) * HOUR)) for n in range(7 * 24)]


_BUSY = 'EXISTS (SELECT 1 FROM booking b WHERE b.aircraft = a.n AND b."end" > ? AND b.start < ?)'
_COUNT_BUSY = f"SELECT COUNT(*) FROM aircraft a WHERE {_BUSY}"  # noqa: S608
_COUNT_FREE = f"SELECT COUNT(*) FROM aircraft a WHERE NOT {_BUSY}"  # noqa: S608
_LIST_FREE = f"SELECT tail FROM aircraft a WHERE NOT {_BUSY} ORDER BY n"  # noqa: S608


def timings(world: World, sqlite: Sqlite, day: datetime, search: Search, *, asked: int = 24) -> list[Timing]:
    """Ask both systems every query, on *asked* days of the year, and return the timings."""
    first = day.replace(month=1, day=1)
    days = [first + (360 // asked * n + 2) * DAY for n in range(asked)]
    calendar, column, number = world.calendar, sqlite.column, sqlite.number
    tails = list(world.fleet)
    pairs = [(tails[37 * n % len(tails)], days[n % len(days)]) for n in range(20 * asked)]

    def span(moment: datetime, length: timedelta = DAY) -> tuple[int, int]:
        return to_minute(moment), to_minute(moment + length)

    def one_free(case: tuple[str, datetime]) -> bool:
        return calendar.is_available(case[0], case[1], case[1] + DAY)

    def one_free_sqlite(case: tuple[str, datetime]) -> bool:
        low, high = span(case[1])
        asked = 'SELECT 1 FROM booking WHERE aircraft = ? AND "end" > ? AND start < ? LIMIT 1'
        return not column(asked, number[case[0]], low, high)

    def blockers_sqlite(case: tuple[str, datetime]) -> list[int]:
        asked = 'SELECT id FROM booking WHERE aircraft = ? AND "end" > ? AND start < ? ORDER BY start, id'
        return column(asked, number[case[0]], *span(case[1]))

    def heat_sqlite(monday: datetime) -> list[int]:
        hours = (span(monday + n * HOUR, HOUR) for n in range(7 * 24))
        return [column(_COUNT_BUSY, *hour)[0] for hour in hours]

    rows = len(calendar) + len(world.refused)
    loaded = world.seconds / rows, sqlite.seconds / rows, len(world.refused) == sqlite.refused
    return [
        compare("How many aircraft are free that day?", lambda when: len(free_on(world, when)),
                lambda when: column(_COUNT_FREE, *span(when))[0], days),
        compare("Which ones? (the whole list)", lambda when: free_on(world, when).ids(),
                lambda when: column(_LIST_FREE, *span(when)), days),
        compare("The first ten of them", lambda when: [plane.id for plane in free_on(world, when).first(10)],
                lambda when: column(f"{_LIST_FREE} LIMIT 10", *span(when)), days),
        compare("The composed question above", lambda when: [plane.id for plane in search.ask(world, when).first(10)],
                lambda when: search.ask_sqlite(sqlite, when, 10), days),
        compare("Is this one free that day?", one_free, one_free_sqlite, pairs),
        compare("Who is in its way?", lambda pair: [flight.id for flight in blocked_by(world, *pair)],
                blockers_sqlite, pairs),
        compare("The heat map (168 counts)", lambda monday: heat(world, monday), heat_sqlite,
                [day - day.weekday() * DAY]),
        Timing("Check and book one flight", *loaded),
    ]  # fmt: skip
