"""``--save`` writes over nothing but a snapshot, and says so before anything long is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]


def test_own_csv_is_never_written_over(run: Run, good: Path, tmp_path: Path) -> None:
    """Under its own name, another spelling of it, or a link."""
    before = good.read_bytes()
    link = tmp_path / "link.csv"
    link.symlink_to(good)
    for target in (good, tmp_path / "." / "good.csv", link, os.path.relpath(good)):
        found = run("load", good, "--save", target)
        assert found.exit_code == 2
        assert "that is the file that is read" in found.stderr
        assert found.stdout == ""
        assert good.read_bytes() == before


def test_another_file_stays_and_a_snapshot_is_replaced(run: Run, good: Path, tmp_path: Path) -> None:
    """Whatever the name says: the first bytes decide."""
    other = tmp_path / "precious.bks"
    other.write_text("my thesis")
    found = run("load", good, "--save", other)
    assert found.exit_code == 2
    assert "no snapshot" in found.stderr
    assert other.read_text() == "my thesis"
    target = tmp_path / "saved.anything"
    for _ in range(2):
        assert run("load", good, "--save", target).exit_code == 0
    assert run("available", target, "2026-07-04", "2026-07-05").stdout == "attic\n"


@pytest.mark.parametrize(
    ("target", "says"),
    [("", "--save needs the name"), ("-", "not written to the output"), (".", "folder"), ("no/such.bks", "no folder no")],
)
def test_target_that_cannot_be_one_is_refused_before_reading(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, says: str
) -> None:
    """The file to read is not even looked at."""
    monkeypatch.chdir(tmp_path)
    found = run("load", "missing.csv", "--save", target)
    assert found.exit_code == 2
    assert says in found.stderr
    assert "no such file" not in found.stderr


def test_nothing_loaded_is_exit_code_one_and_saves_nothing(run: Run, tmp_path: Path) -> None:
    """For every command; with no rows at all, nothing has gone wrong."""
    file, target = tmp_path / "bad.csv", tmp_path / "saved.bks"
    file.write_text("resource,start,end\nloft,5,1\n")
    found = run("load", file, "--save", target)
    assert found.exit_code == 1
    assert "not one row of" in found.stderr and "nothing was saved" in found.stderr
    assert not target.exists()
    for words in (["available", file, "1", "2"], ["why", file, "loft", "1", "2"]):
        found = run(*words)
        assert (found.exit_code, found.stdout) == (1, "")
        assert f"bookcore load {file}" in found.stderr
    file.write_text("resource,start,end\n")
    assert run("load", file).exit_code == 0
    assert "starts and ends" not in run("load", file).stdout
