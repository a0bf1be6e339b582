"""The commands of ``bookcore`` and their options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

import bookcore
from bookcore.cli.questions import Loaded, Options, find_free, find_reasons, load_file
from bookcore.cli.show import BadRows, show_free, show_loaded, show_reasons
from bookcore.cli.streams import guarded, visible
from bookcore.errors import BookcoreError
from bookcore.tables import ColumnError, KeyKind, UnclearKeysError

__all__ = ["app", "run"]

app = typer.Typer(
    name="bookcore",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Bounds(StrEnum):
    """Whether the end of a booking is free again."""

    HALF_OPEN = "[)"
    CLOSED = "[]"


class Keys(StrEnum):
    """What the starts and ends of a file are."""

    INT = "int"
    FLOAT = "float"
    DATE = "date"
    TIME = "datetime"
    ZONED = "zoned"
    TEXT = "text"


_CSV = "How to read the CSV"
FileArg = Annotated[
    Path, typer.Argument(metavar="FILE", help="A CSV file (gzipped or not) or a saved snapshot.")
]
StartArg = Annotated[str, typer.Argument(metavar="START", help="From when; [b]-[/] means from ever.")]
EndArg = Annotated[str, typer.Argument(metavar="END", help="Until when; [b]-[/] means for ever.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ResourceOpt = Annotated[
    str | None,
    typer.Option(
        "--resource-column",
        metavar="NAME",
        help="Column of the resource [dim]\\[resource][/]",
        rich_help_panel=_CSV,
    ),
]
StartOpt = Annotated[
    str, typer.Option("--start-column", metavar="NAME", help="Column of the start", rich_help_panel=_CSV)
]
EndOpt = Annotated[
    str, typer.Option("--end-column", metavar="NAME", help="Column of the end", rich_help_panel=_CSV)
]
IdOpt = Annotated[
    str | None,
    typer.Option(
        "--id-column",
        metavar="NAME",
        help="Column of the booking's id [dim]\\[id, if any][/]",
        rich_help_panel=_CSV,
    ),
]
KeysOpt = Annotated[
    Keys | None,
    typer.Option(
        "--keys",
        help="What starts and ends are; found by looking if not given. [b]zoned[/]: times with a zone.",
        rich_help_panel=_CSV,
    ),
]
FormatOpt = Annotated[
    str | None,
    typer.Option(
        "--date-format",
        metavar="FMT",
        help="If not ISO 8601, such as '%d/%m/%Y %H:%M'.",
        rich_help_panel=_CSV,
    ),
]
DelimiterOpt = Annotated[
    str | None,
    typer.Option("--delimiter", metavar="CHAR", help="Found by looking if not given.", rich_help_panel=_CSV),
]
EncodingOpt = Annotated[
    str, typer.Option("--encoding", metavar="NAME", help="Of the text.", rich_help_panel=_CSV)
]
BoundsOpt = Annotated[
    Bounds,
    typer.Option(
        "--bounds", help="[b]\\[][/]: the end is taken too, as in whole-day rentals.", rich_help_panel=_CSV
    ),
]
OpenOpt = Annotated[
    bool, typer.Option("--open-ends", help="An empty start or end means for ever.", rich_help_panel=_CSV)
]
CapacityOpt = Annotated[
    int,
    typer.Option("--capacity", metavar="N", min=1, help="How many fit at one time.", rich_help_panel=_CSV),
]


def run() -> int:
    """Run the command line on the process's arguments; return the exit code."""

    def program() -> int:
        try:
            app(prog_name="bookcore")
        except SystemExit as exit_:
            return exit_.code if isinstance(exit_.code, int) else 2 if exit_.code else 0
        return 0

    return guarded(program)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bookcore {bookcore.__version__}")
        raise typer.Exit


@app.callback(
    help="What is booked, what is free, and may I have it? For a year of real flights, or for your own CSV."
)
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Take what may be given without a command."""


def errors() -> Console:
    """Return the error output, where lines are left as long as they are."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def stop(reason: str, hint: str = "") -> NoReturn:
    """Say what is wrong and what to do about it, and exit with 2."""
    console = errors()
    console.print(f"[bold red]bookcore:[/] {escape(visible(reason))}")
    if hint:
        console.print(escape(visible(hint)))
    raise typer.Exit(2)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn an error of ours into a sentence and exit code 2; all others are bugs and show as such."""
    try:
        yield
    except ColumnError as fault:
        stop(str(fault), f"Say which it is:  {' '.join(f'--{role}-column NAME' for role in fault.roles)}")
    except UnclearKeysError as fault:
        stop(str(fault), "For example:  --date-format '%d/%m/%Y %H:%M'   or:  --keys text")
    except BookcoreError as fault:
        stop(str(fault))


@app.command()
def demo(
    day: Annotated[
        str, typer.Option("--day", metavar="DATE", help="The day asked about, in 2013.")
    ] = "2013-07-24",
    aircraft: Annotated[
        str | None,
        typer.Option("--aircraft", metavar="TAIL", help="Whose day to show. [dim]\\[the busiest][/]"),
    ] = None,
) -> None:
    """Book, question and show a year of real flights.

    Every question is asked of SQLite as well, timed, and the answers compared. Takes about 15 seconds.

    [dim]Examples:[/]

    [dim]bookcore demo
    bookcore demo --day 2013-12-24 --aircraft N713TW[/]
    """
    with user_errors():
        try:
            when = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            stop(f"--day {day!r} is not a date like 2013-07-24")
        if when.year != 2013:
            stop(f"--day {day}: the data is of 2013; take a day of that year")
        from bookcore.demo.flights import read_flights
        from bookcore.demo.tour import Tour

        year = read_flights()
        tails = [plane.tail for plane in year.aircraft]
        if aircraft is not None and aircraft not in tails:
            close = get_close_matches(aircraft.upper(), tails, 5, 0.5)
            stop(
                f"there is no aircraft {aircraft!r} in the data",
                f"Near to it: {', '.join(close)}" if close else "",
            )
        if not Tour(Console(highlight=False), day=when, aircraft=aircraft).run(year):
            raise typer.Exit(1)


@app.command()
def load(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="The bookings, one a line, gzipped or not.")
    ],
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE.bks", help="Write a snapshot, to start from.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first bad row, with exit code 1.")
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--show-all", help="Print every bad row, not just the first 20.")
    ] = False,
    as_json: JsonOpt = False,
    resource: ResourceOpt = None,
    start: StartOpt = "start",
    end: EndOpt = "end",
    id: IdOpt = None,
    keys: KeysOpt = None,
    date_format: FormatOpt = None,
    delimiter: DelimiterOpt = None,
    encoding: EncodingOpt = "utf-8",
    bounds: BoundsOpt = Bounds.HALF_OPEN,
    open_ends: OpenOpt = False,
    capacity: CapacityOpt = 1,
) -> None:
    r"""Book every row of a CSV, and name the rows that cannot be booked.

    The first line names the columns. Of two rows that overlap, the later one is refused.

    [dim]Examples:[/]

    [dim]bookcore load bookings.csv
    bookcore load rentals.csv --resource-column car --bounds "\[]"
    bookcore load trips.csv --date-format "%d/%m/%Y %H:%M" --strict --save trips.bks[/]
    """
    options = _options(
        resource, start, end, id, keys, date_format, delimiter, encoding, bounds, open_ends, capacity
    )
    with user_errors():
        console = errors()
        bad = BadRows(console, limit=None if show_all else 20, quiet=as_json)
        found = load_file(file, options, console, on_bad=bad, strict=strict, snapshots=False)
        if strict and bad.count:
            if as_json:
                typer.echo(json.dumps(bad.as_json()))
            console.print("[bold]stopped at the first bad row (--strict); nothing was saved[/]")
            raise typer.Exit(1)
        if save is not None:
            found.calendar.snapshot(save)
        show_loaded(found, bad, save, as_json=as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def available(
    file: FileArg,
    start_: StartArg,
    end_: EndArg,
    quantity: Annotated[
        int, typer.Option("--quantity", "-q", metavar="N", min=1, help="Units needed at one time.")
    ] = 1,
    first: Annotated[
        int | None, typer.Option("--first", "-n", metavar="N", min=0, help="No more than so many.")
    ] = None,
    as_json: JsonOpt = False,
    resource: ResourceOpt = None,
    start: StartOpt = "start",
    end: EndOpt = "end",
    id: IdOpt = None,
    keys: KeysOpt = None,
    date_format: FormatOpt = None,
    delimiter: DelimiterOpt = None,
    encoding: EncodingOpt = "utf-8",
    bounds: BoundsOpt = Bounds.HALF_OPEN,
    open_ends: OpenOpt = False,
    capacity: CapacityOpt = 1,
) -> None:
    """List who is free over the whole of START to END.

    In the order of the file; one to a line when the output goes into a pipe.

    [dim]Examples:[/]

    [dim]bookcore available bookings.csv 2026-07-04 2026-07-11
    bookcore available trips.bks 2026-07-04T09:00Z 2026-07-04T17:00Z --first 10[/]
    """
    options = _options(
        resource, start, end, id, keys, date_format, delimiter, encoding, bounds, open_ends, capacity
    )
    with user_errors():
        found = _load(file, options)
        show_free(find_free(found, start_, end_, quantity, first), as_json=as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def why(
    file: FileArg,
    who: Annotated[str, typer.Argument(metavar="RESOURCE", help="Which resource.")],
    start_: StartArg,
    end_: EndArg,
    quantity: Annotated[
        int, typer.Option("--quantity", "-q", metavar="N", min=1, help="Units needed at one time.")
    ] = 1,
    as_json: JsonOpt = False,
    resource: ResourceOpt = None,
    start: StartOpt = "start",
    end: EndOpt = "end",
    id: IdOpt = None,
    keys: KeysOpt = None,
    date_format: FormatOpt = None,
    delimiter: DelimiterOpt = None,
    encoding: EncodingOpt = "utf-8",
    bounds: BoundsOpt = Bounds.HALF_OPEN,
    open_ends: OpenOpt = False,
    capacity: CapacityOpt = 1,
) -> None:
    """Say what stands in the way of RESOURCE from START to END.

    [dim]Examples:[/]

    [dim]bookcore why bookings.csv loft 2026-07-04 2026-07-11
    bookcore why trips.bks bike473 2026-07-04T09:00Z - --json[/]
    """
    options = _options(
        resource, start, end, id, keys, date_format, delimiter, encoding, bounds, open_ends, capacity
    )
    with user_errors():
        found = _load(file, options)
        show_reasons(find_reasons(found, who, start_, end_, quantity), as_json=as_json)


def _options(
    resource: str | None,
    start: str,
    end: str,
    id: str | None,
    keys: Keys | None,
    date_format: str | None,
    delimiter: str | None,
    encoding: str,
    bounds: Bounds,
    open_ends: bool,
    capacity: int,
) -> Options:
    if delimiter in ("\\t", "tab"):
        delimiter = "\t"
    kind = KeyKind(keys.value) if keys is not None else None
    return Options(
        resource, start, end, id, kind, date_format, delimiter, encoding, bounds.value, open_ends, capacity
    )


def _load(file: Path, options: Options) -> Loaded:
    """Load quietly, for a question; only say how many rows had to be left out."""
    console = errors()
    bad = BadRows(console, quiet=True)
    found = load_file(file, options, console, on_bad=bad)
    if bad.count:
        rows = "1 bad row was" if bad.count == 1 else f"{bad.count:,} bad rows were"
        console.print(f"[yellow]{rows} left out; 'bookcore load {escape(str(file))}' says which and why[/]")
    return found
