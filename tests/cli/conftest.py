"""A command line to run, inside the tests or as a process of its own, and a file to run it on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import bookcore

GOOD = """resource,start,end,id
loft,2026-07-01,2026-07-05,a
loft,2026-07-05,2026-07-09,b
attic,2026-07-03,2026-07-04,c
"""
Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]


@cache
def _command(app: Any) -> Any:
    """Return the command line of an app: made from the signatures of all commands, and not changed by a run."""
    return pytest.importorskip("typer.main").get_command(app)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Run a command line in a terminal of a given width (not a terminal, in fact: output is captured)."""
    testing = pytest.importorskip("typer.testing", reason="the command line is not installed (extra: cli)")
    from bookcore.cli.app import app

    monkeypatch.setattr(testing, "_get_command", _command, raising=False)  # `invoke` makes it anew for each line
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    pytest.importorskip("typer.rich_utils")  # reads FORCE_COLOR when it is imported, and never again

    def call(*arguments: object, columns: int = 100, terminal: bool = False, stdin: bytes | None = None) -> object:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.delenv("NO_COLOR", raising=False)
        if terminal:
            monkeypatch.setenv("FORCE_COLOR", "1")
        else:
            monkeypatch.delenv("FORCE_COLOR", raising=False)
        words = [str(argument) for argument in arguments]
        return testing.CliRunner().invoke(app, words, prog_name="bookcore", input=stdin)

    return call


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a line of shell in which ``$bookcore`` is the command, as bytes, with the environment changed as asked."""

    def call(line: str, stdin: bytes | None = None, **environment: str) -> subprocess.CompletedProcess[bytes]:
        if not Path("/bin/bash").exists():
            pytest.skip("no bash")
        where = str(Path(bookcore.__file__).parents[1])  # the same package as the tests have
        paths = os.pathsep.join(filter(None, (where, os.environ.get("PYTHONPATH"))))
        ours = {"bookcore": f"{sys.executable} -m bookcore.cli", "COLUMNS": "100", "PYTHONPATH": paths}
        env = os.environ | ours | environment
        return subprocess.run(
            ["/bin/bash", "-c", line], input=stdin, capture_output=True, env=env, cwd=tmp_path, timeout=120, check=False
        )

    return call


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Three bookings of two resources."""
    file = tmp_path / "good.csv"
    file.write_text(GOOD)
    return file
