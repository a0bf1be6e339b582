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
    """Return all strings that are documentation in a file, wherever they stand; none where nothing looks like an example."""
    source = path.read_text(encoding="utf-8")
    if not PROMPT.search(source):  # each worker collects, and a syntax tree takes time
        return []
    tree = ast.parse(source)
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
    return [text for text in found if text]


def _module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


WITH_EXAMPLES = {
    _module_name(path): count
    for path in sorted(SOURCE.rglob("*.py"))
    if (count := sum(len(PROMPT.findall(text)) for text in _docstrings(path)))
}
"""The modules that have lines with a prompt, and how many: counted in the text, not by doctest."""


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
    assert result.attempted == WITH_EXAMPLES[name]


def test_the_examples_are_still_there() -> None:
    """A run in which none was found would pass as well."""
    assert sum(WITH_EXAMPLES.values()) >= FEWEST
