"""What the README says about the code is so: names, files, tables, commands, links."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import bookcore
from bookcore import BookcoreError, BookingStore, SupportsAvailability, SupportsLoad

PACKAGE = Path(bookcore.__file__).parent


def resolve(dotted: str) -> Any:
    """Return what a dotted name stands for: a module, or something in one."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return found
    raise LookupError(dotted)


def code_in(cell: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def test_every_dotted_name_exists(readme: Any) -> None:
    """A name in the README that begins with bookcore can be imported."""
    names = {name for name in re.findall(r"\bbookcore(?:\.\w+)+", readme.text) if not name.endswith(".md")}
    assert len(names) > 10
    for name in names:
        resolve(name)


def test_every_link_leads_to_a_file(readme: Any, root: Path) -> None:
    """Links within the project point at files that are there."""
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", readme.text) if "://" not in target]
    assert targets
    # from the wheel, the package lies elsewhere
    roots = [root, Path(bookcore.__file__).parent.parent]
    assert [target for target in targets if not any((one / target).is_file() for one in roots)] == []


def modules_in_map(readme: Any) -> list[str]:
    """Return the files that the map names, as paths within the package, in its order."""
    (block,) = readme.blocks("text")
    folder, listed = "", []
    for line in block.text.splitlines():
        match = re.fullmatch(r"( *)(\w+\.py|\w+/)(?: +(\S.*))?", line)
        assert match, f"not a line of a map: {line!r}"
        if match[2].endswith("/"):
            folder = match[2]
        else:
            assert match[3], f"{line!r} says nothing about its file"
            listed.append((folder if len(match[1]) > 2 else "") + match[2])
    return listed


def test_map_names_every_module_and_no_other(readme: Any) -> None:
    """One line for each module, each under its folder."""
    there = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    assert sorted(modules_in_map(readme)) == sorted(name for name in there if not name.endswith("__.py"))


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of bookcore that importing a file imports: not in functions, not for types alone."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "bookcore":
            module = str(node.module)
            folder = PACKAGE.parent / module.replace(".", "/")
            for alias in node.names:  # a module of the package, or a name in it
                yield f"{module}.{alias.name}" if (folder / f"{alias.name}.py").exists() else module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("bookcore"))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)


def test_modules_import_only_what_stands_above_them(readme: Any) -> None:
    """The map's order is the order of knowledge. A package stands where its last module does."""
    known: set[str] = set()
    wrong = []
    listed = modules_in_map(readme)
    for at, name in enumerate(listed):
        wrong += [(name, found) for found in imports_of(PACKAGE / name) if found not in known]
        known.add("bookcore." + name.removesuffix(".py").replace("/", "."))
        folder = name.rpartition("/")[0]
        if folder and not any(later.startswith(f"{folder}/") for later in listed[at + 1 :]):
            known.add(f"bookcore.{folder}")
        if name == "calendar.py":  # what the package exports is all there now
            known.add("bookcore")
    assert wrong == [], "each of these imports something that stands below it, or is missing, in the map"


def test_errors_table_tells_every_error_as_it_is(readme: Any) -> None:
    """Names, builtin bases, hints and attributes are those of the classes."""
    rows = {code_in(row[0])[0]: row for row in readme.table("Errors")}
    exported = {name for name in bookcore.errors.__all__ if name != "BookcoreError"}
    assert set(rows) == exported
    for name, (_, bases, hint, when, attributes) in rows.items():
        cls = getattr(bookcore, name)
        assert issubclass(cls, BookcoreError)
        assert when
        assert int(hint) == cls.http_hint, name
        named = {base.__name__ for base in cls.__bases__ if not base.__name__.startswith("_")}
        hidden = {b.__name__ for base in cls.__bases__ if base.__name__.startswith("_") for b in base.__bases__}
        assert set(code_in(bases)) == (named | hidden) - {"BookcoreError"}, name
        assert set(code_in(attributes)) <= set(cls.__init__.__code__.co_names), name


def test_stores_table_tells_what_each_store_can(readme: Any) -> None:
    """The capabilities are those the protocols find."""
    rows = readme.table("Stores and what they can do")
    assert len(rows) == 3
    for row in rows:
        store = resolve(code_in(row[0])[0])()
        assert isinstance(store, BookingStore)
        assert row[2] == ("yes" if isinstance(store, SupportsAvailability) else "no")
        assert row[3] == ("yes" if isinstance(store, SupportsLoad) else "no")


def test_extras_table_is_what_the_package_offers(readme: Any, root: Path) -> None:
    """Every extra has its line, and brings what it says."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rows = {code_in(row[0])[0]: row[2] for row in readme.table("Try it")}
    extras = project["optional-dependencies"]
    assert list(rows) == list(extras)
    for name, needs in extras.items():
        if name != "all":
            assert rows[name].split(", ") == sorted(
                (re.split(r"[><=]", need)[0] for need in needs), key=rows[name].split(", ").index
            )
    (everything,) = extras["all"]
    assert everything == f"bookcore[{','.join(name for name in extras if name != 'all')}]"


@pytest.mark.parametrize("name", ["demo", "test"])
def test_command_is_one_line_that_sets_itself_up(readme: Any, name: str) -> None:
    """It makes its own environment, with a pip that knows dependency groups, and runs in it."""
    (line,) = readme.command(name).splitlines()
    assert line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install -q -U pip && ")
    assert all(part.startswith(("python3 -m venv", ".venv/bin/")) for part in line.split(" && "))


def test_named_groups_exist(readme: Any, root: Path) -> None:
    """The dependency groups that the commands ask for are there."""
    groups = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    asked = re.findall(r"--group (\w+)", readme.text)
    assert asked
    assert set(asked) <= set(groups)


def test_every_folder_of_tests_is_explained(root: Path) -> None:
    """tests/README.md says of each folder what goes there, and of no other."""
    text = (root / "tests" / "README.md").read_text(encoding="utf-8")
    named = {name for row in re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE) for name in code_in(row)}
    there = {f"{path.name}/" for path in (root / "tests").iterdir() if path.is_dir() and path.name[0].isalpha()}
    assert named == there
