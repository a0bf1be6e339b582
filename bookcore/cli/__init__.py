"""The command line, ``bookcore``. Needs the extra ``cli``; without it `main` says so and returns.

streams.py     outputs that take whatever is printed
faults.py      what is said when something is wrong
options.py     the options that commands share
sources.py     FILE: a path or a stream, and what may be written over
questions.py   a file as a calendar, and what is asked of it
tips.py        what may help with bad rows
show.py        tables, plain text, JSON
app.py         the commands
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit: 0 fine, 1 bad rows, 2 cannot be done; see README.md."""
    try:
        from bookcore.cli.app import run
    except ModuleNotFoundError as fault:
        if (fault.name or "").partition(".")[0] not in ("typer", "rich", "click"):
            raise
        print(
            f"bookcore: the command line needs {fault.name}, which is not installed.\n"
            "Install it with:  pip install 'bookcore[cli]'",
            file=sys.stderr,
        )
        raise SystemExit(2) from None
    raise SystemExit(run())
