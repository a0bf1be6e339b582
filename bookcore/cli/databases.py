"""The commands about a database that calendars are in: ``bookcore db``; two of them are for PostgreSQL alone."""

from __future__ import annotations

from types import ModuleType
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape

from bookcore.cli.directories import list_damage
from bookcore.cli.faults import BAD, UsageError
from bookcore.cli.options import Command, JsonOpt
from bookcore.cli.progress import progress_bar
from bookcore.cli.show import bare_table, count, print_json
from bookcore.cli.sources import check_database
from bookcore.model.errors import visible
from bookcore.persist.shared.address import is_postgres
from bookcore.persist.shared.checking import check as check_calendar
from bookcore.persist.shared.opening import postgres_databases
from bookcore.persist.shared.opening import upgrade as upgrade_database
from bookcore.tables.filling import sentence

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Make and repair PostgreSQL databases that calendars are in; check any database, and bring it up to date.",
)
LISTED = 30
"""How many rows are printed that differ."""
DsnArg = Annotated[
    str, typer.Argument(metavar="DSN", help="The address: [b]postgresql://user@host/database?calendar=name[/].")
]


def _databases(address: str, command: str) -> ModuleType:
    """Return the functions for databases. Raises: `UsageError` for another address, `MissingExtraError`."""
    check_database(address, command)
    if not is_postgres(address):
        way = "name a database as postgresql://user@host/database?calendar=name"
        raise UsageError(f"{command} is for PostgreSQL: {way}")
    return postgres_databases()


@app.command(cls=Command, epilog="Exit code: 0 done; 2 it cannot be done as asked.")
def init(
    dsn: DsnArg,
    bounds: Annotated[
        Literal["[)", "[]"] | None, typer.Option("--bounds", help="Whether the end of a booking belongs to it.")
    ] = None,
    as_json: JsonOpt = False,
) -> None:
    """Make the tables and the calendar that DSN names, unless they are there.

    The role needs the right to make tables, and programs need it no more. With [b]tables=no[/] in DSN there are no plain
    tables.

    [dim]Example:  bookcore db init "postgresql://owner@host/rooms?calendar=berlin"[/]
    """
    databases = _databases(dsn, "init")
    was_there = databases.is_there(dsn)
    name = databases.init(dsn, bounds=bounds)
    if as_json:
        print_json({"database": name, "made": not was_there})
    else:
        print(f"{visible(name)} {'was there already' if was_there else 'was made'}")


@app.command(cls=Command, epilog="Exit code: 0 done; 2 it cannot be done as asked.")
def upgrade(dsn: DsnArg, as_json: JsonOpt = False) -> None:
    """Bring a database up to this version of bookcore; in PostgreSQL also make tables and constraints that are missing.

    DSN is that of PostgreSQL, [b]sqlite:///path[/] or [b]dbzero:///path[/]. All or nothing. In PostgreSQL it is for all
    calendars of the database, or the one that DSN names. Programs of an older version are to be stopped before; commands of
    others wait until it is done.

    [dim]Example:  bookcore db upgrade postgresql://owner@host/rooms[/]
    """
    with progress_bar("Reading records") as progress:
        check_database(dsn, "upgrade")
        done = upgrade_database(dsn, progress=progress)
    if as_json:
        print_json({"from_format": done.was, "format": done.format, "tables_added": list(done.tables_added),
                    "restored": list(done.restored)})  # fmt: skip
        return
    if done.was != done.format:
        print(f"brought from format {done.was} to {done.format}")
    for name in done.tables_added:
        print(f"{visible(name)}: tables of resources, bookings and closures were added")
    for name in done.restored:
        print(f"{name} was missing, and was made again")
    if done.was == done.format and not done.tables_added and not done.restored:
        print("nothing was to be done")


@app.command(cls=Command, epilog="Exit code: 0 all agree; 1 something differs; 2 it cannot be done as asked.")
def check(dsn: DsnArg, as_json: JsonOpt = False) -> None:
    """Say whether the records of a calendar follow from each other, and its checkpoints and tables from them.

    It is only read, also while programs change it. DSN is that of PostgreSQL, [b]sqlite:///path[/] or [b]dbzero:///path[/].

    [dim]Example:  bookcore db check "postgresql://reader@host/rooms?calendar=berlin"[/]
    """
    check_database(dsn, "check")
    with progress_bar("Checking records", of_bytes=is_postgres(dsn)) as progress:
        report = check_calendar(dsn, progress=progress)
    if as_json:
        print_json(_plain(report))
    else:
        _show(report)
    if not report.is_whole:
        raise typer.Exit(BAD)


@app.command(cls=Command, epilog="Exit code: 0 done; 2 it cannot be done as asked.")
def rebuild(dsn: DsnArg, as_json: JsonOpt = False) -> None:
    """Make the plain tables of a calendar what its records say. Rows that are right are not touched.

    [dim]Example:  bookcore db rebuild "postgresql://owner@host/rooms?calendar=berlin"[/]
    """
    databases = _databases(dsn, "rebuild")
    with progress_bar("Reading records") as progress:
        changed = databases.rebuild(dsn, progress=progress)
    if as_json:
        print_json({"changed": changed})
    else:
        print(f"{count(changed, 'row')} changed" if changed else "the tables were right")


def _plain(report: Any) -> dict[str, Any]:
    facts = {"database": report.database, "calendar": report.calendar, "whole": report.is_whole, "begins": report.begins}
    facts |= {"position": report.position, "records": report.records, "digest": report.digest}
    facts |= {"checkpoints": list(report.checkpoints), "tables": report.has_tables, "compared": report.compared}
    facts |= {"faults": list(map(sentence, report.faults))}
    return facts | {"differences": [each._asdict() for each in report.differences]}


def _show(report: Any) -> None:
    """Print what was found in a calendar: the answer of ``check``."""
    console = Console(highlight=False, soft_wrap=True)
    state = "[bold green]whole[/]" if report.is_whole else "[bold red]damaged[/]"
    counts = f"{count(report.records, 'record')}, {count(len(report.checkpoints), 'checkpoint')}"
    if not report.has_tables:
        tables = "it has no tables"
    elif not report.compared:
        tables = "its tables were not compared"
    else:
        tables = "its tables differ" if report.differences else "its tables agree"
    console.print(f"[bold]{escape(visible(report.calendar))}[/] is {state}: {counts}; {tables}")
    place = f"record {report.position}" if isinstance(report.position, int) else f"position {report.position}"
    console.print(f"{place}, digest {report.digest}")
    list_damage(console, report.faults)
    listed, more = report.differences[:LISTED], len(report.differences[LISTED:])
    if listed and console.is_terminal:
        shown = bare_table("table", "id", "what", "columns")
        for table, id, what, columns in listed:
            shown.add_row(table, escape(visible(id)), what, ", ".join(columns))
        console.print(shown)
    else:
        for table, id, what, columns in listed:
            print("\t".join((table, visible(id), what, ", ".join(columns))))
    if more:
        console.print(f"and {count(more, 'row')} more; --json tells the first thousand of each table")
