"""Every example of the documentation runs, as it is written there."""

from __future__ import annotations

import code
import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from bookcore.persist import registry

EXAMPLES = {
    "README.md": 36,
    "CONTRIBUTING.md": 0,
    "tests/README.md": 0,
    "docs/architecture.md": 0,
    "docs/cli.md": 6,
    "docs/complexity.md": 0,
    "docs/calendar-files.md": 30,
    "docs/calling.md": 12,
    "docs/durability.md": 14,
    "docs/errors.md": 12,
    "docs/glossary.md": 0,
    "docs/recipes.md": 231,
    "docs/shared.md": 45,
    "docs/stores.md": 17,
}
"""How many examples each page has. Change it with the page: a prompt that lost its shape would not be run any more."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples write files where they are run, and register codecs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_by_class", dict(registry._by_class))
    monkeypatch.setattr(registry, "_by_name", dict(registry._by_name))


def _sessions(page: Any) -> list[Any]:
    """Return the Python blocks of a page that have prompts."""
    return [block for block in page.blocks("python") if block.text.startswith(">>> ")]


def test_every_page_is_counted(pages: Any) -> None:
    """A new page has its number of examples here, even if it is 0."""
    assert set(EXAMPLES) == set(pages)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_gives_what_the_page_shows(
    name: str, pages: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blocks under one heading are one session, read from the top; nothing comes from another heading."""
    ran = failed = 0
    for heading, blocks in groupby(_sessions(pages[name]), key=lambda block: block.heading):
        names: dict[str, Any] = {"__name__": "page"}
        for block in blocks:
            test = doctest.DocTestParser().get_doctest(block.text, names, heading, name, block.line - 1)
            result = doctest.DocTestRunner().run(test, clear_globs=False)
            names.update(test.globs)
            ran, failed = ran + result.attempted, failed + result.failed
    assert failed == 0, capsys.readouterr().out
    assert ran == EXAMPLES[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_prompt_is_an_example(name: str, pages: Any) -> None:
    """A line that looks like a prompt is one, inside a block that runs."""
    inside = sum(block.text.count("\n>>> ") + block.text.startswith(">>> ") for block in _sessions(pages[name]))
    assert inside == EXAMPLES[name]
    assert len(re.findall(r"^[ >`]*>>", pages[name].text, re.MULTILINE)) == EXAMPLES[name]


def test_only_the_first_example_has_no_prompts(pages: Any) -> None:
    """Every other Python block runs as a session; that one runs in the two tests below."""
    others = [b for page in pages.values() for b in page.blocks("python") if not b.text.startswith(">>> ")]
    assert others == pages["README.md"].blocks("python")[:1]


def _first_example(readme: Any) -> tuple[str, str]:
    """Return the first example of the README, and what the README says that it prints."""
    example, printed = readme.blocks()[readme.blocks().index(readme.blocks("python")[0]) :][:2]
    assert printed.language == "text"
    return example.text, printed.text


def test_first_example_prints_what_the_readme_shows(readme: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a whole program."""
    example, printed = _first_example(readme)
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 - our own text
    assert capsys.readouterr().out == printed


def test_first_example_can_be_pasted_into_an_interpreter(readme: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Line by line, as a prompt reads it: no prompt of its own, and an empty line after each indented part."""
    example, printed = _first_example(readme)
    console = code.InteractiveConsole({"__name__": "readme"})
    assert not any([console.push(line) for line in example.splitlines()][-1:]), "the last statement is not complete"
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = iter(shown.out.splitlines())
    assert [line for line in printed.splitlines() if line not in lines] == []


def test_installing_is_explained_before_the_first_example(readme: Any) -> None:
    """A reader who pastes the example has the package by then."""
    assert readme.text.index("pip install") < readme.text.index("```python")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a directory cannot be opened on Windows")
def test_what_a_killed_process_booked_is_there(readme: Any, tmp_path: Path) -> None:
    """The two lines of the README, run as they are."""
    block = next(each for each in readme.blocks("sh") if "os.kill" in each.text)
    booking, asking = [shlex.split(line) for line in block.text.splitlines()]
    assert booking[:2] == asking[:2] == ["python3", "-c"]
    killed = subprocess.run([sys.executable, *booking[1:]], cwd=tmp_path, check=False)
    assert killed.returncode == -9
    asked = subprocess.run([sys.executable, *asking[1:]], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert f"prints the booking, `{asked.stdout.strip()}`" in readme.text


def _commands(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield each command of a console block with what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield shlex.split(command), output


def test_every_command_prints_what_the_page_shows(
    pages: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The commands are run on the table above them, as from a pipe."""
    pytest.importorskip("typer", reason="the command line is not installed (extra: cli)")
    from bookcore.cli import main

    monkeypatch.setenv("COLUMNS", "100")
    (table,) = pages["docs/cli.md"].blocks("csv")
    (tmp_path / "bookings.csv").write_text(table.text, encoding="utf-8")
    (console,) = pages["docs/cli.md"].blocks("console")
    ran = 0
    for words, output in _commands(console.text):
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
