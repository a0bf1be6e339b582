"""Options are taken, refused, repeated and told from negative numbers as they should be."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]

NUMBERS = "resource,start,end\nloft,-9,-5\nattic,-5,5\nshed,-1.5e1,-.5\n"


@pytest.mark.parametrize(
    "words",
    [["--qantity", "2", "-5", "0"], ["-5", "0", "--qantity", "2"], ["-5", "0", "--qantity=2"], ["-", "-5", "-x"]],
)
def test_misspelt_option_is_named_with_the_near_one(run: Run, tmp_path: Path, words: list[str]) -> None:
    """Though numbers that begin like an option are none."""
    file = tmp_path / "numbers.csv"
    file.write_text(NUMBERS)
    found = run("available", file, *words)
    assert (found.exit_code, found.stdout) == (2, "")
    if "-x" in words:
        assert "No such option: -x" in found.stderr
    else:
        assert "No such option: --qantity" in found.stderr
        assert "--quantity" in found.stderr


def test_negative_numbers_and_dashes_are_ends_wherever_they_stand(run: Run, tmp_path: Path) -> None:
    """Before, among and after options; after two dashes, anything is."""
    file = tmp_path / "numbers.csv"
    file.write_text(NUMBERS)
    for words in (
        [file, "-4", "-3", "-n", "2"],
        ["-n", "2", file, "-4", "-3"],
        [file, "-4.", "--first", "2", "-3e0"],
        ["--first", "2", "--", file, "-4", "-3"],
    ):
        assert run("available", *words).stdout == "loft\n", words
    assert run("available", file, "-", "-2e1").stdout == "loft\nattic\nshed\n"
    assert run("available", file, "-.5", "-").stdout == "loft\nshed\n"
    assert run("available", file, "-5", "-4", "-n", "-1").exit_code == 2


def test_strict_stops_a_question_at_the_first_bad_row(run: Run, tmp_path: Path) -> None:
    """With exit code 1, the row, and no answer."""
    file = tmp_path / "bad.csv"
    file.write_text("resource,start,end\nloft,1,5\nloft,9,3\nloft,x,3\n")
    for words in (["available", file, "6", "7"], ["why", file, "loft", "6", "7"]):
        assert run(*words).exit_code == 0
        found = run(*words, "--strict")
        assert (found.exit_code, found.stdout) == (1, "")
        assert found.stderr.splitlines() == [
            "line 3: end before start: 9 to 3 of 'loft'", "stopped at the first bad row (--strict)",
        ]  # fmt: skip
        assert "first bad row" in run(*words, "--strict", "--json").stderr


@pytest.mark.parametrize(
    "option",
    [
        ["--capacity", "1"], ["--bounds", "[)"], ["--delimiter", ","], ["--open-ends"], ["--encoding", "utf-8"],
        ["--resource-column", "x"], ["--start-column", "start"], ["--end-column", "x"], ["--id-column", "x"],
    ],
)  # fmt: skip
def test_option_that_says_nothing_about_a_snapshot_is_refused(
    run: Run, good: Path, tmp_path: Path, option: list[str]
) -> None:
    """Even where it says what would have been so anyway."""
    saved = tmp_path / "saved.bks"
    run("load", good, "--save", saved)
    for words in (["available", saved], ["why", saved, "loft"]):
        found = run(*words, "2026-07-04", "2026-07-05", *option)
        assert (found.exit_code, found.stdout) == (2, "")
        assert f"is a snapshot; {option[0]} says how to read a CSV" in found.stderr
    found = run("available", saved, "1", "2", "--keys", "int")
    assert found.exit_code == 2
    assert "has dates; --keys says whole numbers" in found.stderr
    assert run("available", saved, "04.07.2026", "05.07.2026", "--date-format", "%d.%m.%Y").stdout == "attic\n"


def test_hint_about_rows_left_out_can_be_run_as_it_stands(run: Run, tmp_path: Path) -> None:
    """With every option that says how to read the file, and only those, in quotes where a shell needs them."""
    file = tmp_path / "my rentals.csv"
    file.write_text("car;from;end\na;1/7/2026;3/7/2026\na;2/7/2026;4/7/2026\nb;;5/7/2026\n")
    reading = ["--resource-column", "car", "--start-column", "from", "--delimiter", ";", "--date-format", "%d/%m/%Y"]
    reading += ["--bounds", "[]", "--open-ends", "--capacity", "1"]
    found = run("available", file, "1/8/2026", "2/8/2026", "-n", "1", *reading)
    assert found.exit_code == 0
    said = found.stderr.strip().partition("which and why:  ")[2]
    command, *again = shlex.split(said)
    assert command == "bookcore"
    assert sorted(again) == sorted(["load", str(file), *reading])
    assert "line 3: overlap" in run(*again).stderr


def test_empty_file_name_is_told_as_such(run: Run) -> None:
    """And not as the folder one happens to be in."""
    for words in (["load", ""], ["available", "", "1", "2"], ["why", "", "loft", "1", "2"]):
        found = run(*words)
        assert found.exit_code == 2
        assert "FILE is empty" in found.stderr


def test_exit_codes_are_in_the_help(run: Run) -> None:
    """Of every command."""
    for command in ("demo", "load", "available", "why"):
        assert "Exit code" in run(command, "--help").stdout
