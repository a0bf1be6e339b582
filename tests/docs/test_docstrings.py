"""Every example in a docstring of bookcore runs."""

from __future__ import annotations

import ast
import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import bookcore
from bookcore.persist import registry

SOURCE = Path(bookcore.__file__).parent
PROMPT = re.compile(r"^\s*>>", re.MULTILINE)
FEWEST = 180
"""How many examples there are at least, in all."""


def _docstrings(path: Path) -> list[str]:
    """Return all strings that are documentation in a file, wherever they stand."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
    return [text for text in found if text]


def _module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _count(path: Path) -> int:
    """Return how many examples a file has: counted in the text, not by doctest."""
    return sum(len(PROMPT.findall(text)) for text in _docstrings(path))


WITH_EXAMPLES = {
    _module_name(path): path
    for path in sorted(SOURCE.rglob("*.py"))
    if PROMPT.search(path.read_text(encoding="utf-8"))
}
"""The modules that have lines with a prompt. Each worker collects them, and a syntax tree takes time: the tests count."""


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_every_example_of_a_module_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many as there are prompts run, and give what they show."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_by_class", dict(registry._by_class))
    monkeypatch.setattr(registry, "_by_name", dict(registry._by_name))
    result = doctest.testmod(import_module(name))
    assert result.failed == 0, capsys.readouterr().out
    assert result.attempted == _count(WITH_EXAMPLES[name]) > 0


def test_the_examples_are_still_there() -> None:
    """A run in which none was found would pass as well."""
    assert sum(map(_count, WITH_EXAMPLES.values())) >= FEWEST
