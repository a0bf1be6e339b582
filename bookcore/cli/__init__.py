"""The command line, ``bookcore``. Needs the extra ``cli``; without it `main` prints how to install it."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit: 0 done, 1 bad rows, 2 cannot be executed as given."""
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
