"""Which module may import which, as a table, read from the source; and what `import bookcore` loads.

    facts        errors, keys, model ...             know facts and each other
    index        bitmap, timeline, schedule ...      know nothing of calendars
    stores       memory, tree ...                    facts and index, never the calendar
    questions    terms, selection, answers
    calendar     core, life, finding, calendar       the one place where state changes
    edges        persist, tables, cli, demo ...      use the calendar; nothing within uses them

An import inside a function counts as well; one under ``if TYPE_CHECKING`` does not.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bookcore

PACKAGE = Path(bookcore.__file__).parent

LAYERS: dict[str, set[str]] = {
    "facts": {
        "errors", "_kinds", "keys", "lengths", "model", "protocols", "changes", "terms", "entry", "catalog", "explanation",
    },
    "index": {
        "bitmap", "attributes", "column", "bins", "uniform", "block", "_blocks", "timeline", "_timeline_check",
        "schedule", "register", "profile",
        "_segments", "_levels", "_sums", "gaps", "tabled", "widest",
    },
    "time": {"_wallclock", "_hours_rules", "_openings", "_weeks", "_recurrence_axis", "hours", "recurrence"},
    "policies": {"policies"},
    "stores": {"stores"},
    "questions": {"selection", "answers"},
    "calendar": {
        "_base", "_asking", "_check", "core", "expiry", "_keepers", "_turnarounds", "transactions", "closing", "requests",
        "life", "loading", "_free", "_fit", "_slots", "explaining", "finding", "selecting", "booking", "calendar",
    },
    "edges": {"persist", "tables", "integrations", "testing", "cli", "demo", "__init__", "__main__"},
}  # fmt: skip
"""Each module or folder at the top of the package, in the layer it belongs to."""

MAY: dict[str, set[str]] = {
    "facts": {"index"},  # catalog keeps bitmaps and attribute indexes
    "index": {"facts"},
    "time": {"facts"},
    "policies": {"facts", "index"},
    "stores": {"facts", "index"},
    "questions": {"facts", "index"},
    "calendar": {"facts", "index", "time", "policies", "stores", "questions"},
    "edges": {"facts", "index", "time", "policies", "stores", "questions", "calendar"},
}
"""Which other layers a layer may import; its own it may always."""

INDEX_MAY = {"errors", "_kinds", "keys", "model"}
"""The only facts that the index knows; not what a resource is called, nor what a question is."""

EXCEPTIONS = {("calendar", "persist.snapshot")}
"""Imports against the table: `Calendar.snapshot` and `restore` load the file format when they are called."""

OPTIONAL = {"typer", "rich", "dateutil", "icalendar", "numpy", "pandas", "hypothesis", "pytest", "matplotlib", "duckdb"}
EXTRA_OF = {  # where an optional package may be imported at all
    "cli": {"typer", "rich"},
    "demo": {"rich"},
    "tables": set[str](),
    "integrations": {"icalendar", "dateutil"},
    "recurrence": {"dateutil"},
    "_recurrence_axis": {"dateutil"},
    "testing": {"hypothesis", "pytest", "numpy", "pandas"},
    "persist": {"numpy", "pandas"},
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield the dotted name below the package, and the syntax tree, of every module of it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> set[str]:
    """Return the dotted names of the modules that are imported when the code runs."""
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            module = node.module or ""
            if (PACKAGE.parent / Path(*module.split("."))).is_dir():  # a folder: what is taken may be a module of it
                found |= {f"{module}.{alias.name}" for alias in node.names}
            else:
                found.add(module)
    return found


def ours(names: set[str]) -> set[str]:
    """Return those of our own modules among the names, as dotted names below the package."""
    below = {name.removeprefix("bookcore.") for name in names if name.startswith("bookcore.")}
    return {name if name in KNOWN else name.rpartition(".")[0] or "__init__" for name in below}


ALL = list(modules())
KNOWN = {name for name, _ in ALL}


def layer_of(name: str) -> str:
    """Return the layer of a module."""
    top = name.split(".", maxsplit=1)[0]
    return next(layer for layer, members in LAYERS.items() if top in members)


def test_every_module_is_in_the_table() -> None:
    """A new module must be given its layer; one that is gone must leave the table."""
    assert {name.split(".")[0] for name, _ in ALL} == set.union(*LAYERS.values())


@pytest.mark.parametrize(("name", "tree"), ALL, ids=[name for name, _ in ALL])
def test_a_module_imports_only_what_its_layer_may(name: str, tree: ast.Module) -> None:
    """The table above, and nothing else."""
    layer = layer_of(name)
    for other in ours(imports(tree)):
        if (name, other) in EXCEPTIONS:
            continue
        allowed = layer_of(other) == layer or layer_of(other) in MAY[layer]
        assert allowed, f"{name} ({layer}) imports {other} ({layer_of(other)})"


def test_the_index_knows_nothing_of_calendars() -> None:
    """Bitmaps, timelines and schedules know errors, keys and bookings, and each other."""
    for name, tree in ALL:
        if layer_of(name) == "index":
            assert {top.split(".")[0] for top in ours(imports(tree))} <= LAYERS["index"] | INDEX_MAY, name


def test_stores_never_import_the_calendar() -> None:
    """Not even for types: a store is written against `bookcore.protocols`."""
    for name, tree in ALL:
        if name.startswith("stores"):
            text = ast.unparse(tree)
            for module in LAYERS["calendar"] | LAYERS["questions"]:
                assert f"bookcore.{module}" not in text, name


def test_the_oracle_calls_nothing_of_what_it_judges() -> None:
    """Its parts import each other, and not another line of bookcore."""
    parts = {name: tree for name, tree in ALL if name.startswith("testing.oracle")}
    assert len(parts) == 3
    for tree in parts.values():
        assert ours(imports(tree)) <= set(parts)


@pytest.mark.parametrize(("name", "tree"), ALL, ids=[name for name, _ in ALL])
def test_an_optional_package_is_imported_only_where_its_extra_is_used(name: str, tree: ast.Module) -> None:
    """Everything but sortedcontainers and intervaltree is an extra, and stays in the files it unlocks."""
    foreign = {module.split(".")[0] for module in imports(tree)} - {"bookcore", "__future__"}
    foreign -= set(sys.stdlib_module_names)
    allowed = {"sortedcontainers", "intervaltree"} | EXTRA_OF.get(name.split(".", maxsplit=1)[0], set())
    assert foreign <= allowed, f"{name} imports {foreign - allowed}"


def loaded_by(code: str) -> set[str]:
    """Return the modules that are loaded after some code has run in a fresh interpreter."""
    run = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=PACKAGE.parent,
    )  # fmt: skip
    return set(run.stdout.split())


def test_importing_the_package_loads_nothing_optional() -> None:
    """No extra, no file format, no time zones, no tree store: what is not used is not loaded."""
    loaded = loaded_by("import bookcore") - loaded_by("")
    tops = {name.split(".")[0] for name in loaded}
    assert not tops & OPTIONAL
    assert not tops & {"intervaltree", "sqlite3", "asyncio", "multiprocessing", "zoneinfo", "unittest", "csv", "logging"}
    inner = {name.removeprefix("bookcore.").split(".")[0] for name in loaded if name.startswith("bookcore.")}
    assert not inner & {"testing", "persist", "tables", "integrations", "cli", "demo", "recurrence", "hours"}
    assert len(loaded) < 120


def test_importing_the_package_costs_little_beside_the_interpreter() -> None:
    """Counted, not timed: of modules not its own, two thirds of what the standard library's `asyncio` loads."""
    plain = loaded_by("")
    foreign = {name for name in loaded_by("import bookcore") - plain if name.split(".")[0] != "bookcore"}
    assert len(foreign) < len(loaded_by("import asyncio") - plain) * 2 / 3


def test_importing_the_package_starts_no_thread() -> None:
    """Nor does making a calendar."""
    code = "import threading, bookcore; bookcore.Calendar(); assert threading.active_count() == 1"
    assert "bookcore" in loaded_by(code)


def test_public_names_are_those_of_the_list() -> None:
    """``__all__`` of the package is sorted, complete and real."""
    assert sorted(bookcore.__all__) == sorted(set(bookcore.__all__))
    assert all(hasattr(bookcore, name) for name in bookcore.__all__)
    for name, tree in ALL:
        stars = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
        assert not stars, name
