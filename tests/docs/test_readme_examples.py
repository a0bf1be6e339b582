"""Every example of the README runs, as it stands there."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from bookcore.persist import registry

EXAMPLES = 168
"""How many there are. Change it with the README: a prompt that lost its shape would be no example any more."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples write files where they are run, and register codecs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_by_class", dict(registry._by_class))
    monkeypatch.setattr(registry, "_by_name", dict(registry._by_name))


def test_every_python_example_gives_what_the_readme_shows(
    readme: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blocks of one section are one session, read from the top; nothing comes from another section."""
    ran = failed = 0
    for section, blocks in groupby(readme.blocks("python"), key=lambda block: block.section):
        names: dict[str, Any] = {"__name__": "readme"}
        for block in blocks:
            test = doctest.DocTestParser().get_doctest(block.text, names, section, "README.md", block.line - 1)
            result = doctest.DocTestRunner().run(test, clear_globs=False)
            names.update(test.globs)
            ran, failed = ran + result.attempted, failed + result.failed
    assert failed == 0, capsys.readouterr().out
    assert ran == EXAMPLES


def test_every_prompt_in_the_readme_is_an_example(readme: Any) -> None:
    """A line that looks like a prompt is one, inside a block that runs; and every block has one."""
    inside = sum(block.text.count("\n>>> ") + block.text.startswith(">>> ") for block in readme.blocks("python"))
    assert inside == EXAMPLES
    assert len(re.findall(r"^[ >`]*>>", readme.text, re.MULTILINE)) == EXAMPLES
    assert all(block.text.startswith(">>> ") for block in readme.blocks("python"))


def _sessions(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield each command of a console block with what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield shlex.split(command), output


def test_every_command_prints_what_the_readme_shows(
    readme: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The commands are run on the table above them, as from a pipe."""
    pytest.importorskip("typer", reason="the command line is not installed (extra: cli)")
    from bookcore.cli import main

    monkeypatch.setenv("COLUMNS", "100")
    (table,) = readme.blocks("csv")
    (tmp_path / "bookings.csv").write_text(table.text, encoding="utf-8")
    (console,) = readme.blocks("console")
    ran = 0
    for words, output in _sessions(console.text):
        monkeypatch.setattr("sys.argv", words)
        assert words[0] == "bookcore"
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 0
        printed = capfd.readouterr()
        lines = [line.rstrip() for line in (printed.err + printed.out).splitlines()]
        assert lines == output.splitlines()
        ran += 1
    assert ran == 3
