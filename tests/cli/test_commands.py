"""The commands as a user types them: output, exit codes, and what is said when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from bookcore import Calendar

GOOD = """resource,start,end,id
loft,2026-07-01,2026-07-05,a
loft,2026-07-05,2026-07-09,b
attic,2026-07-03,2026-07-04,c
"""
BAD = (
    GOOD
    + "attic,2026-07-03,2026-07-08,d\nattic,,2026-07-08,e\nattic,2026-07-09,2026-07-08,f\nloft,2026-07-09\n"
)
Run = Callable[..., Result]

needs_snapshots = pytest.mark.skipif(not hasattr(Calendar, "snapshot"), reason="Calendar has no snapshot yet")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """The same, with four bad rows after them."""
    file = tmp_path / "bad.csv"
    file.write_text(BAD)
    return file


def test_load_counts_bookings_and_exits_with_zero(run: Run, good: Path) -> None:
    """One sentence: how many, of what, and what the keys were taken for."""
    found = run("load", good)
    assert found.exit_code == 0
    assert found.stdout == f"3 bookings of 2 resources from {good}; starts and ends are dates\n"
    assert found.stderr == ""


def test_load_names_every_bad_row_and_counts_them_by_reason(run: Run, bad: Path) -> None:
    """Line and reason on the error output, the count on the output, exit code 0."""
    found = run("load", bad)
    assert found.exit_code == 0
    assert [line.split(": ")[:2] for line in found.stderr.splitlines()] == [
        ["line 5", "overlap"],
        ["line 6", "no start"],
        ["line 7", "end before start"],
        ["line 8", "wrong number of columns"],
    ]
    assert "4 bad rows left out:" in found.stdout
    for reason in ("overlap", "no start", "end before start", "wrong number of columns"):
        assert any(line.split()[0] == "1" and reason in line for line in found.stdout.splitlines() if line), (
            reason
        )
    assert "--open-ends" in found.stdout


def test_load_strict_stops_at_the_first_bad_row(run: Run, bad: Path, tmp_path: Path) -> None:
    """Exit code 1, one row named, nothing saved."""
    target = tmp_path / "saved.bks"
    found = run("load", bad, "--strict", "--save", target)
    assert found.exit_code == 1
    assert found.stderr.startswith("line 5: overlap: ")
    assert "line 6" not in found.stderr
    assert "stopped" in found.stderr
    assert not target.exists()


def test_load_strict_on_a_good_file_is_fine(run: Run, good: Path) -> None:
    """Strict is about bad rows only."""
    assert run("load", good, "--strict").exit_code == 0


def test_load_prints_twenty_bad_rows_unless_asked_for_all(run: Run, tmp_path: Path) -> None:
    """The rest is counted, and how to see it is said."""
    file = tmp_path / "many.csv"
    file.write_text("resource,start,end\n" + "loft,5,1\n" * 30)
    assert run("load", file).stderr.count("line ") == 20
    assert "10 more bad rows; --show-all" in run("load", file).stderr
    assert run("load", file, "--show-all").stderr.count("line ") == 30


def test_load_json_is_one_object(run: Run, bad: Path) -> None:
    """Nothing else on either output."""
    found = run("load", bad, "--json")
    facts = json.loads(found.stdout)
    assert found.stderr == ""
    assert (facts["bookings"], facts["resources"], facts["bad_rows"]) == (3, 2, 4)
    assert [row["line"] for row in facts["rows"]] == [5, 6, 7, 8]
    assert facts["reasons"]["overlap"] == 1
    assert facts["saved"] is None


@pytest.mark.parametrize(
    ("content", "says", "hint"),
    [
        (None, "there is no such file", ""),
        ("", "the file is empty", ""),
        ("room,start,end\nloft,1,2\n", "the columns are 'room', 'start', 'end'", "--resource-column NAME"),
        ("resource,start,end\nloft,1/2/2026,3/4/2026\n", "not ISO 8601", "--date-format"),
        ("resource,start\0,end\n", "zero bytes", ""),
    ],
)
def test_unreadable_file_exits_with_two_and_says_what_to_do(
    run: Run, tmp_path: Path, content: str | None, says: str, hint: str
) -> None:
    """Every command, one sentence on the error output, no traceback."""
    file = tmp_path / "table.csv"
    if content is not None:
        file.write_text(content)
    for command in (["load", file], ["available", file, "1", "2"], ["why", file, "loft", "1", "2"]):
        found = run(*command)
        assert found.exit_code == 2
        assert found.stdout == ""
        assert says in found.stderr
        assert hint in found.stderr
        assert "Traceback" not in found.stderr


def test_folder_and_wrong_usage_exit_with_two(run: Run, tmp_path: Path, good: Path) -> None:
    """As do unknown options and values."""
    for arguments in (
        ["load", tmp_path],
        ["load"],
        ["load", good, "--bounds", "()"],
        ["load", good, "--keys", "colour"],
        ["load", good, "--capacity", "0"],
        ["load", good, "--delimiter", "::"],
        ["available", good, "2026-07-01"],
        ["available", good, "2026-07-01", "2026-07-02", "--quantity", "0"],
        ["demo", "--day", "2014-01-01"],
        ["demo", "--day", "tomorrow"],
        ["demo", "--aircraft", "nobody"],
        ["fly"],
    ):
        found = run(*arguments)
        assert found.exit_code == 2, arguments
        assert found.stdout == ""
        assert "Traceback" not in found.stderr


def test_available_lists_one_to_a_line_in_a_pipe(run: Run, good: Path) -> None:
    """For other programs: ids, nothing else, in the order of the file."""
    assert run("available", good, "2026-07-04", "2026-07-05").stdout == "attic\n"
    assert run("available", good, "2026-08-01", "2026-08-05").stdout == "loft\nattic\n"
    assert run("available", good, "2026-08-01", "2026-08-05", "--first", "1").stdout == "loft\n"
    assert run("available", good, "2026-07-01", "-").stdout == ""


def test_available_tells_a_terminal_how_many(run: Run, good: Path) -> None:
    """In a sentence, with the names after it."""
    found = run("available", good, "2026-07-04", "2026-07-05", terminal=True)
    assert "resources are free" in found.stdout
    assert "attic" in found.stdout


def test_available_json_has_count_and_resources(run: Run, good: Path) -> None:
    """The count is of all, the list as long as asked for; keys are text that can be typed again."""
    facts = json.loads(run("available", good, "2026-08-01", "-", "--first", "1", "--json").stdout)
    assert facts == {
        "start": "2026-08-01", "end": None, "quantity": 1, "count": 2, "of": 2, "resources": ["loft"], "bad_rows": 0,
    }  # fmt: skip


def test_available_says_how_many_rows_were_left_out(run: Run, bad: Path) -> None:
    """On the error output, so that a pipe stays clean."""
    found = run("available", bad, "2026-07-04", "2026-07-05")
    assert found.stdout == "attic\n"
    assert "4 bad rows were left out" in found.stderr


def test_available_honours_bounds_capacity_and_quantity(run: Run, good: Path) -> None:
    """Touching conflicts with closed bounds; two units fit where there are three."""
    span = ("2026-07-04", "2026-07-05")
    assert run("available", good, *span).stdout == "attic\n"
    assert run("available", good, *span, "--bounds", "[]").stdout == ""
    span = ("2026-07-01", "2026-07-03")
    assert run("available", good, *span, "-q", "2", "--capacity", "3").stdout == "loft\nattic\n"
    assert run("available", good, *span, "-q", "3", "--capacity", "3").stdout == "attic\n"
    assert run("available", good, *span, "-q", "4", "--capacity", "3").stdout == ""


def test_negative_numbers_are_keys_not_options(run: Run, tmp_path: Path) -> None:
    """A key of -5 needs no tricks."""
    file = tmp_path / "numbers.csv"
    file.write_text("resource,start,end\nloft,-9,-5\nattic,-5,5\n")
    assert run("available", file, "-5", "0").stdout == "loft\n"
    assert run("why", file, "loft", "-20", "-8", "--json").exit_code == 0


def test_key_of_another_kind_is_refused_with_an_example(run: Run, good: Path, tmp_path: Path) -> None:
    """Which argument, what the file has, and how such a key looks."""
    found = run("available", good, "soon", "2026-07-05")
    assert found.exit_code == 2
    assert "START 'soon' is not a date like 2026-07-04 (the file has dates)" in found.stderr
    found = run("available", good, "2026-07-05", "2026-07-05")
    assert found.exit_code == 2
    assert "not a span" in found.stderr
    zoned = tmp_path / "zoned.csv"
    zoned.write_text("resource,start,end\nloft,2026-07-04T09:00Z,2026-07-04T10:00Z\n")
    found = run("available", zoned, "2026-07-05", "2026-07-06")
    assert "a date without a time; needed is one like 2026-07-04T09:30+00:00" in found.stderr


def test_date_means_midnight_where_times_have_no_zone(run: Run, tmp_path: Path) -> None:
    """There is no doubt which midnight."""
    file = tmp_path / "naive.csv"
    file.write_text("resource,start,end\nloft,2026-07-04T09:00,2026-07-04T10:00\n")
    facts = json.loads(run("available", file, "2026-07-04", "2026-07-05", "--json").stdout)
    assert (facts["start"], facts["count"]) == ("2026-07-04T00:00:00", 0)


def test_why_names_what_is_in_the_way(run: Run, good: Path) -> None:
    """In order of start; a pipe gets tabs, a terminal a table."""
    found = run("why", good, "loft", "2026-07-01", "2026-07-10")
    lines = found.stdout.splitlines()
    assert lines[0] == "loft is not available from 2026-07-01 to 2026-07-10"
    assert [line.split("\t")[:2] for line in lines[1:3]] == [["booking", "a"], ["booking", "b"]]
    shown = run("why", good, "loft", "2026-07-01", "2026-07-10", terminal=True).stdout
    assert "in the way" in shown


def test_why_says_when_nothing_is(run: Run, good: Path) -> None:
    """Available, in so many words."""
    assert "is available" in run("why", good, "loft", "2026-08-01", "2026-08-10").stdout
    facts = json.loads(run("why", good, "loft", "2026-08-01", "2026-08-10", "--json").stdout)
    assert facts["available"] is True
    assert facts["causes"] == []


def test_why_json_carries_every_cause(run: Run, good: Path) -> None:
    """Ids and spans as they can be typed again."""
    facts = json.loads(run("why", good, "loft", "2026-07-04", "-", "--json").stdout)
    assert facts["available"] is False
    assert [cause["id"] for cause in facts["causes"]] == ["a", "b"]
    assert facts["causes"][0]["end"] == "2026-07-05"


def test_why_with_too_much_asked_for_says_so(run: Run, good: Path) -> None:
    """Quantity over capacity is a cause of its own."""
    found = run("why", good, "attic", "2026-08-01", "2026-08-02", "-q", "2")
    assert "not available" in found.stdout
    assert "capacity" in found.stdout


def test_unknown_resource_proposes_near_names(run: Run, good: Path) -> None:
    """Exit code 2, and what it may have meant."""
    found = run("why", good, "atic", "2026-07-01", "2026-07-02")
    assert found.exit_code == 2
    assert "near to it: attic" in found.stderr


@needs_snapshots
def test_saved_snapshot_answers_as_the_file_did(run: Run, good: Path, tmp_path: Path) -> None:
    """From the same command line, keys read as before."""
    target = tmp_path / "saved.bks"
    assert f"saved as {target}" in run("load", good, "--save", target).stdout
    for arguments in (["2026-07-04", "2026-07-05"], ["2026-08-01", "-"]):
        assert run("available", target, *arguments).stdout == run("available", good, *arguments).stdout
    why = ["loft", "2026-07-01", "2026-07-10"]
    assert run("why", target, *why).stdout == run("why", good, *why).stdout
    renamed = target.rename(tmp_path / "other.name")
    assert run("available", renamed, "2026-07-04", "2026-07-05").stdout == "attic\n"


@needs_snapshots
def test_snapshot_given_to_load_is_counted_and_a_damaged_one_refused(run: Run, good: Path, tmp_path: Path) -> None:
    """Exit code 2 and a sentence."""
    target = tmp_path / "saved.bks"
    run("load", good, "--save", target)
    assert run("load", target).stdout == f"3 bookings of 2 resources from {target}; starts and ends are dates\n"
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(bytes(data))
    found = run("available", target, "2026-07-04", "2026-07-05")
    assert found.exit_code == 2
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("columns", [80, 120])
def test_output_fits_the_terminal(run: Run, good: Path, columns: int) -> None:
    """Tables and help, with colour: no line wider than the terminal."""
    import re

    for arguments in (
        ["--help"],
        ["load", "--help"],
        ["demo", "--help"],
        ["available", "--help"],
        ["why", "--help"],
        ["why", good, "loft", "2026-07-01", "2026-07-10"],
        ["available", good, "2026-08-01", "2026-08-10"],
    ):
        found = run(*arguments, columns=columns, terminal=True)
        assert found.exit_code == 0, arguments
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in found.stdout.splitlines()]
        assert max(map(len, lines)) <= columns, arguments


def test_help_shows_examples(run: Run) -> None:
    """Every command shows how it is used."""
    for command in ("demo", "load", "available", "why"):
        assert f"bookcore {command}" in run(command, "--help").stdout


def test_missing_extra_is_named_with_its_cure() -> None:
    """Without Typer or Rich: what to install, exit code 2, no traceback."""
    for package in ("typer", "rich"):
        program = (
            "import sys\n"
            f"sys.modules[{package!r}] = None\n"
            "sys.argv = ['bookcore', 'demo']\n"
            "from bookcore.cli import main\n"
            "main()\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert "pip install 'bookcore[cli]'" in done.stderr
        assert "Traceback" not in done.stderr


def test_importing_the_library_loads_neither_typer_nor_rich() -> None:
    """The tables and the demo's data need no extra."""
    program = (
        "import sys, bookcore, bookcore.tables, bookcore.demo.flights, bookcore.cli\n"
        "raise SystemExit(sum(name in sys.modules for name in ('typer', 'rich')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
