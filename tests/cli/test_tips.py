"""What cannot be read is refused beforehand, with advice that fits the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]


def load(run: Run, tmp_path: Path, rows: str, *options: str) -> Result:
    """Load a file of these rows."""
    file = tmp_path / "rows.csv"
    file.write_text("resource,start,end\n" + rows)
    return run("load", file, *options)


@pytest.mark.parametrize("form", ["", "  ", "today", "%%", "%Q", "%d/%-m/%Y", "%d/%m/%", "%d %d"])
def test_date_format_that_reads_nothing_is_refused_beforehand(run: Run, tmp_path: Path, form: str) -> None:
    """Once, not row by row; for a snapshot as well."""
    found = load(run, tmp_path, "a,1,2\n" * 3, "--date-format", form)
    assert (found.exit_code, found.stdout) == (2, "")
    assert f"the date format {form!r} " in found.stderr
    assert "line " not in found.stderr


def test_delimiter_that_seems_wrong_is_told_so(run: Run, tmp_path: Path) -> None:
    """Rather than asking for the names of columns."""
    found = load(run, tmp_path, "a,1,2\n", "--delimiter", ";")
    assert found.exit_code == 2
    assert "the delimiter ';' seems to be wrong" in found.stderr
    assert "--delimiter ','" in found.stderr
    assert "-column" not in found.stderr


def test_decimal_commas_are_unclear(run: Run, tmp_path: Path) -> None:
    """Never silently text; as text if asked for."""
    file = tmp_path / "eu.csv"
    file.write_text("resource;start;end\na;9,5;10,5\n")
    found = run("load", file)
    assert found.exit_code == 2
    assert "'9,5'" in found.stderr and "comma" in found.stderr
    assert "--keys text" in found.stderr and "--date-format" not in found.stderr
    assert run("load", file, "--keys", "text").exit_code in (0, 1)


def test_blank_ids_never_collide_with_ids(run: Run, tmp_path: Path) -> None:
    """Not even with those that look like what a row without one is called."""
    file = tmp_path / "ids.csv"
    file.write_text("resource,start,end,id\na,1,2,line 3\na,2,3,\na,3,4,line 5\na,4,5,\na,5,6,line 3\n")
    found = run("load", file)
    assert found.stdout.startswith("4 bookings")
    assert found.stderr == "line 6: duplicate id: 'line 3' is booked already: 'a' 1 to 2\n"
