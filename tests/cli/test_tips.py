"""Advice fits the file: nothing is proposed that could not read it, or that is in force already."""

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


@pytest.mark.parametrize(
    ("rows", "options", "tip"),
    [
        ("a,4/7/2026,5/7/2026\n", ["--keys", "date"], "--date-format '%d/%m/%Y'\n"),
        ("a,4/7/2026 9:30,5/7/2026 9:30\n", ["--keys", "datetime"], "--date-format '%d/%m/%Y %H:%M'\n"),
        ("a,2026-07-04,2026-07-05\n", ["--keys", "datetime"], "if they are dates:  --keys date\n"),
        ("a,2026-07-04,2026-07-05\n", ["--date-format", "%d/%m/%Y"], "leave --date-format out\n"),
        ("a,1.5,2.5\n", ["--keys", "int"], "if they are numbers:  --keys float\n"),
        ("a,2026-07-04T09:00,2026-07-05T09:00\n", ["--keys", "zoned"], "--keys datetime\n"),
    ],
)
def test_tip_reads_the_file(run: Run, tmp_path: Path, rows: str, options: list[str], tip: str) -> None:
    """What it proposes, given instead, loads every row."""
    found = load(run, tmp_path, rows, *options)
    assert found.exit_code == 1
    assert tip in found.stdout
    words = tip.rsplit("  ", maxsplit=1)[-1].strip().partition(" ")
    again = [] if "leave" in tip else [words[0], words[2].strip("'")]
    assert load(run, tmp_path, rows, *again).exit_code == 0


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ("a,1,2\na,1_000,2_000\n", []),
        ("a,1_000,2_000\n", ["--keys", "int"]),
        ("a,2026-07-04,2026-07-05\na,4/7/2026,5/7/2026\n", []),
        ("a,2026-07-04,2026-07-05\na,soon,later\n", []),
        ("a,soon,later\n", ["--date-format", "%d/%m/%Y"]),
        ("a,2026-07-04T09:00,2026-07-05T09:00\n", ["--keys", "zoned"]),
    ],
)
def test_tip_that_cannot_help_is_not_given(run: Run, tmp_path: Path, rows: str, options: list[str]) -> None:
    """No format for numbers, none beside what was read, not what is in force."""
    found = load(run, tmp_path, rows, *options)
    assert "bad row" in found.stdout
    assert "--date-format" not in found.stdout
    assert "--keys zoned" not in found.stdout


def test_mixed_zones_propose_the_other_kind(run: Run, tmp_path: Path) -> None:
    """That which is not in force."""
    with_, without = "a,2026-07-04T09:00Z,2026-07-05T09:00Z\n", "a,2026-07-06T09:00,2026-07-07T09:00\n"
    found = load(run, tmp_path, with_ + without)
    assert "--keys datetime" in found.stdout and "--keys zoned" not in found.stdout
    found = load(run, tmp_path, without + with_)
    assert "--keys zoned" in found.stdout and "--keys datetime" not in found.stdout


@pytest.mark.parametrize("form", ["", "  ", "today", "%%", "%Q", "%d/%-m/%Y", "%d/%m/%", "%d %d"])
def test_date_format_that_reads_nothing_is_refused_beforehand(run: Run, tmp_path: Path, form: str) -> None:
    """Once, not row by row; for a snapshot as well."""
    found = load(run, tmp_path, "a,1,2\n" * 3, "--date-format", form)
    assert (found.exit_code, found.stdout) == (2, "")
    assert f"the date format {form!r} " in found.stderr
    assert "line " not in found.stderr


def test_a_format_for_keys_of_another_kind_is_refused_without_another_format(run: Run, tmp_path: Path) -> None:
    """None could help: the two arguments clash."""
    found = load(run, tmp_path, "a,1,2\n", "--keys", "text", "--date-format", "%d.%m.%Y")
    assert found.exit_code == 2
    assert found.stderr.endswith("reads dates, and the keys are said to be text; leave one of the two out\n")


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
