"""Error messages and exit codes of the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from bookcore.model.errors import BookcoreError, InvalidSpanError, visible
from bookcore.persist.shared.seam import NONE_MADE
from bookcore.tables import ColumnError, DelimiterError, UnclearKeysError
from bookcore.tables.filling import sentence

BAD = 1
"""Exit code: a bad row under ``--strict``, nothing but bad rows, or output that cannot be written."""

CANNOT = 2
"""Exit code: the command cannot be executed as given."""

CLOSED_HINT = 'if the end is part of a booking:  --bounds "[]"'


def errors() -> Console:
    """Return a console for the error output; it does not wrap lines."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def stop(reason: str, hint: str = "", *, code: int = CANNOT, as_json: bool = False) -> NoReturn:
    """Print an error and a hint, and exit."""
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


@contextmanager
def user_errors(*, as_json: bool = False, may_close: bool = False) -> Iterator[None]:
    """Turn a `BookcoreError` into a printed sentence and exit code 2. Other exceptions are bugs and pass through.

    With *may_close* the hint for an empty span names ``--bounds``.
    """
    try:
        yield
    except BookcoreError as fault:
        # an argument of a call, which no command has
        reason = sentence(fault).removesuffix(", and create is false").removesuffix(NONE_MADE)
        stop(reason, _hint(fault, may_close), as_json=as_json)


def _hint(fault: BookcoreError, may_close: bool) -> str:
    """Return advice for an error, or an empty text."""
    match fault:
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
        case InvalidSpanError() if may_close and fault.start is not None and fault.start == fault.end:
            return CLOSED_HINT[0].upper() + CLOSED_HINT[1:]
    return ""
