"""The commands of ``bookcore``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

import bookcore
from bookcore.cli import databases
from bookcore.cli.directories import (
    about_resource,
    moment,
    read_key,
    show_copied,
    show_history,
    show_salvaged,
    show_verified,
    why_nothing,
)
from bookcore.cli.faults import BAD, UsageError, errors, stop_json
from bookcore.cli.options import (
    Command,
    DirArg,
    EndArg,
    FileArg,
    JsonOpt,
    KeptArg,
    KeyOpt,
    NewPlaceArg,
    Options,
    PlaceArg,
    QuantityOpt,
    StartArg,
    StrictOpt,
    ToArg,
    reads_csv,
)
from bookcore.cli.progress import progress_bar, step_bars
from bookcore.cli.questions import Loaded, find_free, find_reasons, load_file
from bookcore.cli.show import BadRows, print_json, show_free, show_loaded, show_reasons
from bookcore.cli.sources import check_directory, check_holder, check_target
from bookcore.cli.streams import guarded
from bookcore.model.errors import visible
from bookcore.persist.copying import copy_calendar
from bookcore.persist.history import read_log
from bookcore.persist.journal import copying
from bookcore.persist.journal import verify as journal_verify
from bookcore.persist.shared.address import is_address, shown

app = typer.Typer(
    name="bookcore",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(databases.app, name="db")
_CODES = (
    "Exit code: 0 done; 1 a bad row under --strict, or nothing but bad rows, or the output cannot be written; "
    "2 it cannot be done as asked."
)
_NEGATIVE = {"ignore_unknown_options": True}  # START and END may be -5; `Command` refuses other options


def run() -> int:
    """Run the command line with the arguments of the process; return the exit code."""

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
    """Handle the options without a command."""


@app.command(cls=Command, epilog="Exit code: 0, or 1 if an answer differed from SQLite's.")
def demo(
    day: Annotated[
        str, typer.Option("--day", metavar="DATE", help="The day of the queries, in 2013.")
    ] = "2013-07-24",
    aircraft: Annotated[
        str | None,
        typer.Option("--aircraft", metavar="TAIL", help="The aircraft to show. [dim]\\[the busiest][/]"),
    ] = None,
) -> None:
    """Book, query and show a year of real flights.

    SQLite answers every query as well; the answers are timed and compared. Takes about 15 seconds.

    [dim]Examples:[/]

    [dim]bookcore demo
    bookcore demo --day 2013-12-24 --aircraft N713TW[/]
    """
    try:
        when = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"--day {day!r} is not a date like 2013-07-24") from None
    if when.year != 2013:
        raise UsageError(f"--day {day}: the data is of 2013; take a day of that year")
    from bookcore.demo.flights import read_flights
    from bookcore.demo.tour import Tour

    year = read_flights()
    tails = [plane.tail for plane in year.aircraft]
    if aircraft is not None and aircraft not in tails:
        close = get_close_matches(aircraft.upper(), tails, 5, 0.5)
        near = f"Near to it: {', '.join(close)}" if close else ""
        raise UsageError(f"there is no aircraft {aircraft!r} in the data", near)
    if not Tour(Console(highlight=False), day=when, aircraft=aircraft).run(year):
        raise typer.Exit(1)


@app.command(cls=Command, epilog=_CODES)
@reads_csv
def load(
    file: FileArg,
    save: Annotated[
        str | None,
        typer.Option(
            "--save",
            metavar="FILE.bks",
            help="Write a snapshot for later commands: a new file, or an existing snapshot.",
        ),
    ] = None,
    strict: StrictOpt = False,
    show_all: Annotated[
        bool, typer.Option("--show-all", help="Print every bad row, not just the first 20.")
    ] = False,
    key_file: KeyOpt = None,
    as_json: JsonOpt = False,
    *,
    options: Options,
) -> None:
    r"""Book every row of a CSV, and list the rows that cannot be booked; or count what is in a calendar that is kept.

    Lines above the one that names the columns are passed over. Of two rows that overlap, the later one is refused.

    [dim]Examples:[/]

    [dim]bookcore load bookings.csv
    bookcore load rentals.csv --resource-column car --bounds "\[]"
    bookcore load trips.csv --date-format "%d/%m/%Y %H:%M" --strict --save trips.bks[/]
    """
    target = check_target(save, file) if save is not None else None
    console = errors()
    bad = BadRows(console, limit=None if show_all else 20, quiet=as_json)
    loaded = load_file(file, options, console, on_bad=bad, strict=strict, key=read_key(key_file))
    if strict and bad.count:
        if as_json:
            print_json(bad.as_json())
            stop_json("stopped at the first bad row (--strict); nothing was saved", code=BAD)
        console.print("[bold]stopped at the first bad row (--strict); nothing was saved[/]")
        raise typer.Exit(BAD)
    nothing = bad.count > 0 and not len(loaded.calendar)
    if target is not None and not nothing:
        loaded.calendar.snapshot(target)
    show_loaded(loaded, options, bad, None if nothing else target, as_json=as_json)
    if nothing:
        unsaved = "; nothing was saved" if target is not None else ""
        raise UsageError(f"not one row of {loaded.source.name} could be booked{unsaved}", code=BAD)


@app.command(cls=Command, epilog=_CODES, context_settings=_NEGATIVE)
@reads_csv
def available(
    file: FileArg,
    start_: StartArg,
    end_: EndArg,
    quantity: QuantityOpt = 1,
    first: Annotated[
        int | None, typer.Option("--first", "-n", metavar="N", min=0, help="No more than so many.")
    ] = None,
    strict: StrictOpt = False,
    key_file: KeyOpt = None,
    as_json: JsonOpt = False,
    *,
    options: Options,
) -> None:
    """List the resources that are free from START to END.

    In the order of the file; one to a line when the output goes into a pipe.

    [dim]Examples:[/]

    [dim]bookcore available bookings.csv 2026-07-04 2026-07-11
    bookcore available trips.bks 2026-07-04T09:00Z 2026-07-04T17:00Z --first 10[/]
    """
    loaded, bad_rows = _load(file, options, key_file, strict=strict, as_json=as_json)
    show_free(find_free(loaded, start_, end_, quantity, first), bad_rows, as_json=as_json)


@app.command(cls=Command, epilog=_CODES, context_settings=_NEGATIVE)
@reads_csv
def why(
    file: FileArg,
    name: Annotated[str, typer.Argument(metavar="RESOURCE", help="The id of the resource.")],
    start_: StartArg,
    end_: EndArg,
    quantity: QuantityOpt = 1,
    strict: StrictOpt = False,
    key_file: KeyOpt = None,
    as_json: JsonOpt = False,
    *,
    options: Options,
) -> None:
    """List what prevents a booking of RESOURCE from START to END.

    [dim]Examples:[/]

    [dim]bookcore why bookings.csv loft 2026-07-04 2026-07-11
    bookcore why trips.bks bike473 2026-07-04T09:00Z - --json[/]
    """
    loaded, bad_rows = _load(file, options, key_file, strict=strict, as_json=as_json)
    show_reasons(find_reasons(loaded, name, start_, end_, quantity), bad_rows, as_json=as_json)


@app.command(cls=Command, epilog="Exit code: 0 whole; 1 damaged; 2 it cannot be done as asked.")
def verify(directory: DirArg, key_file: KeyOpt = None, as_json: JsonOpt = False) -> None:
    """Say whether a directory is whole, how far it goes, and what is damaged where.

    It is only read, also while a program has it open.

    [dim]Example:  bookcore verify rooms[/]
    """
    check_directory(directory, "verify")
    with progress_bar(f"Verifying {shown(directory)}") as progress:
        found = journal_verify.verify(directory, key=read_key(key_file), progress=progress)
    show_verified(found, as_json=as_json)
    if not found.is_whole:
        raise typer.Exit(BAD)


@app.command(cls=Command, epilog="Exit code: 0 done; 2 it cannot be done as asked.")
def log(
    directory: KeptArg,
    resource: Annotated[
        str | None, typer.Option("--resource", metavar="ID", help="Only what is about this resource.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="After this record, or from this time on, such as 2026-07-04T09:00Z."),
    ] = None,
    key_file: KeyOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """List the changes in a directory or a database, the newest last, as far back as they are kept.

    [dim]Examples:[/]

    [dim]bookcore log rooms --resource loft
    bookcore log rooms --since 2026-07-04T09:00Z --json
    bookcore log sqlite:///rooms.db --since 120[/]
    """
    with progress_bar(f"Reading {shown(directory)}", of_bytes=not is_address(directory)) as progress:
        when, wanted = moment(since), about_resource(resource)
        history = read_log(directory, since=when, wanted=wanted, key=read_key(key_file), progress=progress)
    show_history(history, as_json=as_json)
    if not history and not as_json:
        errors().print(escape(visible(why_nothing(history, resource, since))))


@app.command(cls=Command, epilog="Exit code: 0 done, and the copy is whole; 2 it cannot be done as asked.")
def backup(directory: DirArg, to: ToArg, key_file: KeyOpt = None, as_json: JsonOpt = False) -> None:
    """Copy a directory into a new one, also while a program has it open, and verify the copy.

    [dim]Example:  bookcore backup rooms rooms-monday[/]
    """
    _check_directories(directory, to, "backup")
    with progress_bar(f"Copying {shown(directory)}") as progress:
        found = copying.backup(directory, to, key=read_key(key_file), progress=progress)
    show_verified(found, as_json=as_json)


@app.command(cls=Command, epilog="Exit code: 0 done, and the copy is verified; 2 it cannot be done as asked.")
def copy(
    source: PlaceArg,
    to: NewPlaceArg,
    key_file: KeyOpt = None,
    to_key_file: Annotated[
        str | None, typer.Option("--to-key-file", metavar="FILE", help="The file with the key that is to seal the copy.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="WHEN", help="The state after this record, or at this time.")
    ] = None,
    as_json: JsonOpt = False,
) -> None:
    """Copy a calendar to another place, and verify the copy: as many bookings, the same digest.

    The copy has what FROM has now; the records that led to it stay behind. If it is cut off, the same command begins anew,
    or goes on with the tables for SQL in PostgreSQL.

    [dim]Examples:[/]

    [dim]bookcore copy rooms sqlite:///rooms.db
    bookcore copy sqlite:///rooms.db "postgresql://ada@host/bookings?calendar=rooms"[/]
    """
    if "-" in (source, to):
        raise UsageError("a calendar is copied from a place to a place, not by way of standard input or output")
    check_holder(source)
    key, to_key = read_key(key_file), read_key(to_key_file, "--to-key-file")
    names = {"reading": f"Reading {shown(source)}", "writing": f"Writing {shown(to)}", "verifying": "Verifying"}
    with step_bars(names) as progress:
        when = "now" if as_of is None else moment(as_of, "--as-of")
        copied = copy_calendar(source, to, key=key, to_key=to_key, as_of=when, progress=progress)
    with_backup = os.path.isdir(source) and os.path.isdir(to)
    show_copied(copied, with_backup=with_backup, as_json=as_json)


@app.command(cls=Command, epilog="Exit code: 0 nothing was lost; 1 something was; 2 it cannot be done as asked.")
def salvage(directory: DirArg, to: ToArg, key_file: KeyOpt = None, as_json: JsonOpt = False) -> None:
    """Put what can still be read of a damaged directory into a new one, and say what was lost.

    The damaged directory stays as it is.

    [dim]Example:  bookcore salvage rooms rooms-saved[/]
    """
    _check_directories(directory, to, "salvage")
    with progress_bar(f"Reading {shown(directory)}") as progress:
        found = copying.salvage(directory, to, key=read_key(key_file), progress=progress)
    show_salvaged(found, as_json=as_json)
    if not found.is_complete:
        raise typer.Exit(BAD)


def _check_directories(directory: str, to: str, command: str) -> None:
    """Raise `UsageError` unless a directory is to be copied into a directory."""
    check_directory(directory, command)
    if is_address(to):
        raise UsageError(f"{shown(to)} is a database, and {command} makes a directory; `bookcore copy` copies to a database")


def _load(file: str, options: Options, key_file: str | None, *, strict: bool, as_json: bool) -> tuple[Loaded, int]:
    """Load a file for a query; print (except under --json) and return the number of bad rows."""
    console = errors()
    bad = BadRows(console, quiet=True)
    loaded = load_file(file, options, console, on_bad=bad, strict=strict, key=read_key(key_file))
    if not bad.count:
        return loaded, 0
    if strict:
        if as_json:
            stop_json(str(bad.kept[0]), "stopped at the first bad row (--strict)", BAD)
        bad.print(bad.kept[0])
        console.print("[bold]stopped at the first bad row (--strict)[/]")
        raise typer.Exit(BAD)
    again = f"which and why:  bookcore load {options.as_typed(file)}"
    if not len(loaded.calendar):
        raise UsageError(f"not one row of {loaded.source.name} could be booked", again, BAD)
    if not as_json:
        rows = "1 bad row was" if bad.count == 1 else f"{bad.count:,} bad rows were"
        console.print(f"[yellow]{rows} left out; {escape(visible(again))}[/]")
    return loaded, bad.count
