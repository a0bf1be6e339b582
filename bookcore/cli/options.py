"""The options that several commands share, and what was made of them on a command line."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from bookcore.cli.faults import CANNOT, stop_json
from bookcore.tables import KeyKind

__all__ = ["Bounds", "Command", "Keys", "Options"]

_NEGATIVE = re.compile(r"-\.?[0-9][0-9.eE+/-]*")


class Command(TyperCommand):
    """A command to which negative numbers may be given as they are, and which tells all its errors in JSON if asked."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, after a look at whether all that stands for an option is one."""
        as_json = "--json" in args  # parsing takes them out of the list
        try:
            if ctx.ignore_unknown_options and not ctx.resilient_parsing:
                # What is ignored is a negative number or a misspelt option. Without the numbers, nothing may be.
                ctx.ignore_unknown_options = False
                self.make_parser(ctx).parse_args(args=["0" if _NEGATIVE.fullmatch(a) else a for a in args])
                ctx.ignore_unknown_options = True
            return super().parse_args(ctx, args)
        except Exception as fault:  # of Typer's, whose class has no public name; its method has
            if not as_json or not hasattr(fault, "format_message"):
                raise
            stop_json(fault.format_message(), code=getattr(fault, "exit_code", CANNOT))


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
    str,
    typer.Argument(
        metavar="FILE", help="A CSV file (gzipped or not) or a saved snapshot; [b]-[/] is standard input."
    ),
]
StartArg = Annotated[str, typer.Argument(metavar="START", help="From when; [b]-[/] means from ever.")]
EndArg = Annotated[str, typer.Argument(metavar="END", help="Until when; [b]-[/] means for ever.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON, for programs; errors as well.")]
StrictOpt = Annotated[bool, typer.Option("--strict", help="Stop at the first bad row, with exit code 1.")]
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
QuantityColumnOpt = Annotated[
    str | None,
    typer.Option(
        "--quantity-column",
        metavar="NAME",
        help="Column of how many it takes [dim]\\[quantity, if any][/]",
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


class Options(NamedTuple):
    """How a CSV is to be read, as the command line was told; ``given`` are the flags that were, as typed."""

    resource: str | None = None
    start: str = "start"
    end: str = "end"
    id: str | None = None
    quantity_column: str | None = None
    keys: KeyKind | None = None
    date_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    bounds: str = "[)"
    open_ends: bool = False
    capacity: int = 1
    given: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, ctx: typer.Context) -> Options:
        """Return the options of a command that has been called."""
        values = {name: ctx.params[name] for name in cls._fields if name in ctx.params}
        values["keys"] = KeyKind(values["keys"]) if values["keys"] is not None else None
        values["bounds"] = str(values["bounds"])
        if values["delimiter"] in ("\\t", "tab"):
            values["delimiter"] = "\t"
        given = []
        for param in ctx.command.params:
            source = ctx.get_parameter_source(str(param.name))
            if param.name in cls._fields and source is not None and source.name == "COMMANDLINE":
                value = ctx.params[param.name]
                given.append((param.opts[0],) if value is True else (param.opts[0], str(value)))
        return cls(**values, given=tuple(given))

    def reading(self) -> dict[str, Any]:
        """Return what `read_csv` is to be told."""
        told = {name: value for name, value in self._asdict().items() if name not in ("capacity", "given")}
        told["quantity"] = told.pop("quantity_column")
        return told

    def for_csv_only(self) -> list[str]:
        """Return the flags given that say nothing about a snapshot. How START and END are written may be said of both."""
        return [words[0] for words in self.given if words[0] not in ("--keys", "--date-format")]

    def as_typed(self, file: str) -> str:
        """Return a file and the options as a shell takes them.

        >>> Options(given=(("--delimiter", ";"), ("--open-ends",))).as_typed("my rentals.csv")
        "'my rentals.csv' --delimiter ';' --open-ends"
        """
        return shlex.join([file, *(word for words in self.given for word in words)])
