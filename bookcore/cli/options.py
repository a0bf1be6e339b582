"""The command-line options that several commands share: argument types, and `Options` for reading a CSV."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import typer
from typer.core import TyperCommand

from bookcore.cli.faults import CANNOT, UsageError, stop, stop_json
from bookcore.model.errors import BookcoreError
from bookcore.tables import KeyKind, KeyReader

_NEGATIVE = re.compile(r"-\.?[0-9][0-9.eE+/-]*")


class Command(TyperCommand):
    """A command that accepts negative numbers as arguments, and prints errors as sentences, under ``--json`` as JSON."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; an unknown option that is not a negative number is an error."""
        as_json = "--json" in args  # parsing empties the list
        try:
            if ctx.ignore_unknown_options and not ctx.resilient_parsing:
                # With ignore_unknown_options Typer accepts negative numbers and misspelt options alike. This first, strict
                # pass replaces the numbers by 0, so that it refuses exactly the misspelt options.
                ctx.ignore_unknown_options = False
                self.make_parser(ctx).parse_args(args=["0" if _NEGATIVE.fullmatch(a) else a for a in args])
                ctx.ignore_unknown_options = True
            return super().parse_args(ctx, args)
        except Exception as fault:  # the class of Typer's usage errors is not public, its method is
            if not as_json or not hasattr(fault, "format_message"):
                raise
            stop_json(fault.format_message(), code=getattr(fault, "exit_code", CANNOT))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a `BookcoreError` ends it with a sentence. Other exceptions are bugs and pass through."""
        try:
            return super().invoke(ctx)
        except BookcoreError as fault:
            stop(fault, as_json=ctx.params.get("as_json", False))


FileArg = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A CSV file (gzipped or not), a calendar file (.ics), a snapshot, a directory or the address of a database "
        "(sqlite:///path, postgresql://...); [b]-[/] is standard input.",
    ),
]
StartArg = Annotated[str, typer.Argument(metavar="START", help="From when; [b]-[/] means from ever.")]
EndArg = Annotated[str, typer.Argument(metavar="END", help="Until when; [b]-[/] means for ever.")]
QuantityOpt = Annotated[
    int, typer.Option("--quantity", "-q", metavar="N", min=1, help="Units needed at one time.")
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON, for programs; errors as well.")]
DirArg = Annotated[str, typer.Argument(metavar="DIR", help="The directory of a calendar, as Calendar.open keeps it.")]
ToArg = Annotated[str, typer.Argument(metavar="TO", help="A new directory.")]
PlaceArg = Annotated[str, typer.Argument(metavar="FROM", help="A snapshot, a directory or the address of a database.")]
NewPlaceArg = Annotated[
    str,
    typer.Argument(
        metavar="TO", help="A snapshot (a path that ends in .bks), a directory, sqlite:///path or postgresql://..., new."
    ),
]
KeptArg = Annotated[
    str, typer.Argument(metavar="PLACE", help="The directory of a calendar, or the address of a database.")
]
KeyOpt = Annotated[
    str | None, typer.Option("--key-file", metavar="FILE", help="The file with the key of a sealed directory or snapshot.")
]
StrictOpt = Annotated[bool, typer.Option("--strict", help="Stop at the first bad row, with exit code 1.")]


def _csv(flag: str, text: str, **settings: Any) -> Any:
    return typer.Option(flag, help=text, rich_help_panel="How to read the CSV", **settings)


class Options(NamedTuple):
    """How to read a CSV: one command-line option for each field, except ``given``, the flags as they were typed."""

    resource: Annotated[
        str | None, _csv("--resource-column", "Column of the resource [dim]\\[resource][/]", metavar="NAME")
    ] = None
    start: Annotated[str, _csv("--start-column", "Column of the start", metavar="NAME")] = "start"
    end: Annotated[str, _csv("--end-column", "Column of the end", metavar="NAME")] = "end"
    id: Annotated[
        str | None, _csv("--id-column", "Column of the booking's id [dim]\\[id, if any][/]", metavar="NAME")
    ] = None
    quantity_column: Annotated[
        str | None,
        _csv("--quantity-column", "Column of how many it takes [dim]\\[quantity, if any][/]", metavar="NAME"),
    ] = None
    keys: Annotated[
        Literal["int", "float", "date", "datetime", "zoned", "text"] | None,
        _csv("--keys", "What starts and ends are; found by looking if not given. [b]zoned[/]: times with a zone."),
    ] = None
    date_format: Annotated[
        str | None, _csv("--date-format", "If not ISO 8601, such as '%d/%m/%Y %H:%M'.", metavar="FMT")
    ] = None
    delimiter: Annotated[
        str | None, _csv("--delimiter", "Found by looking if not given.", metavar="CHAR")
    ] = None
    encoding: Annotated[str, _csv("--encoding", "Of the text.", metavar="NAME")] = "utf-8"
    bounds: Annotated[
        Literal["[)", "[]"], _csv("--bounds", "[b]\\[][/]: the end is taken too, as in whole-day rentals.")
    ] = "[)"
    open_ends: Annotated[bool, _csv("--open-ends", "An empty start or end means for ever.")] = False
    zone: Annotated[
        str | None, _csv("--zone", "The zone of times that name none, such as Europe/Berlin.", metavar="NAME")
    ] = None
    until: Annotated[
        str | None, _csv("--until", "Where the series of a calendar file (.ics) end.", metavar="DATE")
    ] = None
    only: Annotated[
        list[str] | None,
        _csv("--only", "Only rows with this value; several times: any of them.", metavar="COLUMN=VALUE"),
    ] = None
    leave_out: Annotated[
        list[str] | None,
        _csv("--except", "No rows with this value, such as status=Canceled.", metavar="COLUMN=VALUE"),
    ] = None
    capacity: Annotated[int, _csv("--capacity", "How many fit at one time.", metavar="N", min=1)] = 1
    given: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, ctx: typer.Context) -> Options:
        """Return the options in the context of a command."""
        values = {name: ctx.params[name] for name in cls._fields if name in ctx.params}
        if values["delimiter"] in ("\\t", "tab"):
            values["delimiter"] = "\t"
        given = []
        for param in ctx.command.params:
            source = ctx.get_parameter_source(str(param.name))
            if param.name in cls._fields and source is not None and source.name == "COMMANDLINE":
                value = ctx.params[param.name]
                values_ = value if isinstance(value, list | tuple) else [value]
                given += [(param.opts[0],) if each is True else (param.opts[0], str(each)) for each in values_]
        return cls(**values, given=tuple(given))

    @property
    def key_reader(self) -> KeyReader | None:
        """The reader for the keys that the options name; None if they name neither a kind nor a date format."""
        if self.keys is None and self.date_format is None:
            return None
        kind = None if self.keys is None else KeyKind(self.keys)
        return KeyReader(kind, date_format=self.date_format, zone=self.zone)

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for `read_csv`. Raises: `UsageError`."""
        if self.until is not None:
            raise UsageError("--until says where the series of a calendar file (.ics) end; this is a table")
        arguments = {name: value for name, value in self._asdict().items() if name not in ("capacity", "given", "until")}
        arguments["quantity"] = arguments.pop("quantity_column")
        for name, flag in (("only", "--only"), ("leave_out", "--except")):
            chosen: dict[str, list[str]] = {}
            for typed in arguments[name] or ():
                column, equals, value = typed.partition("=")
                if not equals or not column.strip():
                    raise UsageError(f"{flag} {typed!r}: that is COLUMN=VALUE, such as status=Canceled")
                chosen.setdefault(column.strip(), []).append(value.strip())
            arguments[name] = chosen
        return arguments

    def check_for(self, place: str, *flags: str) -> None:
        """Raise `UsageError` if others than these flags were given for a *place* that is no table."""
        wrong = [words[0] for words in self.given if words[0] not in flags]
        if wrong:
            verb = "says" if len(wrong) == 1 else "say"
            raise UsageError(f"{place}; {', '.join(wrong)} {verb} how to read a CSV, and cannot be given with it")

    def as_typed(self, file: str) -> str:
        """Return a file and the given options, quoted for a shell.

        >>> Options(given=(("--delimiter", ";"), ("--open-ends",))).as_typed("my rentals.csv")
        "'my rentals.csv' --delimiter ';' --open-ends"
        """
        return shlex.join([file, *(word for words in self.given for word in words)])


def reads_csv(command: Callable[..., None]) -> Callable[..., None]:
    """Return *command* with a command-line option for each field of `Options`; its parameter ``options`` receives them."""

    @wraps(command)
    def wrapper(ctx: typer.Context, **values: Any) -> None:
        own = {name: value for name, value in values.items() if name not in Options._fields}
        command(**own, options=Options.of(ctx))

    hints = get_type_hints(command, include_extras=True) | get_type_hints(Options, include_extras=True)
    parameters = [inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for name, parameter in inspect.signature(command).parameters.items():
        if name != "options":
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name]))
    for name in Options._fields[:-1]:
        default = Options._field_defaults[name]
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[name])
        )
    vars(wrapper)["__signature__"] = inspect.Signature(parameters)
    return wrapper
