"""Error messages and exit codes of the command line."""

from __future__ import annotations

import json
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from bookcore.model.errors import BookcoreError, visible
from bookcore.persist.shared.seam import NONE_MADE
from bookcore.tables import ColumnError, DelimiterError, UnclearKeysError
from bookcore.tables.filling import sentence

BAD = 1
"""Exit code: a bad row under ``--strict``, nothing but bad rows, or output that cannot be written."""

CANNOT = 2
"""Exit code: the command cannot be executed as given."""

CLOSED_HINT = 'if the end is part of a booking:  --bounds "[]"'


class UsageError(BookcoreError):
    """An argument that is invalid or does not fit the file. Attributes: ``reason``; ``hint``, ``code`` (of the exit)."""

    def __init__(self, reason: str, hint: str = "", code: int = CANNOT) -> None:
        self.reason, self.hint, self.code = reason, hint, code
        super().__init__(reason)


def errors() -> Console:
    """Return a console for the error output; it does not wrap lines."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def stop(fault: BookcoreError, *, as_json: bool) -> NoReturn:
    """Print an error as a sentence, and a hint, and exit."""
    # an argument of a call, which no command has
    reason = sentence(fault).removesuffix(", and create is false").removesuffix(NONE_MADE)
    hint, code = _hint(fault), fault.code if isinstance(fault, UsageError) else CANNOT
    if as_json:
        stop_json(reason, hint, code)
    console = errors()
    console.print(f"[bold red]bookcore:[/] {escape(visible(reason))}")
    if hint:
        console.print(escape(visible(hint)))
    raise typer.Exit(code)


def stop_json(reason: str, hint: str = "", code: int = CANNOT) -> NoReturn:
    """Print an error and a hint as one line of JSON on the error output, and exit."""
    typer.echo(json.dumps({"error": reason, "hint": hint or None, "exit_code": code}), err=True)
    raise typer.Exit(code)


def _hint(fault: BookcoreError) -> str:
    """Return advice for an error, or an empty text."""
    match fault:
        case UsageError():
            return fault.hint
        case ColumnError() if fault.roles != ("only",):
            return f"Say which it is:  {' '.join(f'--{role}-column NAME' for role in fault.roles)}"
        case DelimiterError():
            likely = "tab" if fault.likely == "\t" else f"'{fault.likely}'"
            return f"Leave --delimiter out, or:  --delimiter {likely}"
        case UnclearKeysError(is_number=True):
            return "As text:  --keys text"
        case UnclearKeysError():
            named = [f"--date-format '{form}'" for form in fault.formats]
            if not named:
                named = ["--date-format with a format of Python's strptime, as '%d/%m/%Y %H:%M' reads 28/07/2026 09:30"]
            return f"Say which:  {'   or:  '.join([*named, *['--keys text'] * fault.may_be_text])}"
    return ""
