"""Which module may import which, read from the source; and what `import bookcore` loads.

    model < index, hours < stores < engine < query < persist < calendar < edges

A module imports modules of rooms further left, or of its own room. An import under ``if TYPE_CHECKING`` counts, and so does
one inside a function.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import bookcore

PACKAGE = Path(bookcore.__file__).parent

ROOMS: list[set[str]] = [
    {"model"},
    {"index", "hours"},
    {"stores"},
    {"engine"},
    {"query"},
    {"persist"},
    {"calendar"},
    {"tables", "integrations", "testing", "cli", "demo"}
    | {"errors", "protocols", "changes", "recurrence", "__init__", "__main__"},
]
"""The rooms from left to right; each may import those before it, and itself. Two in one set do not import each other."""

OPTIONAL = {"typer", "rich", "dateutil", "icalendar", "numpy", "pandas", "hypothesis", "pytest", "matplotlib", "duckdb"}
OPTIONAL |= {"dbzero", "psycopg", "typing_extensions"}
EXTRA_OF = {  # where an optional package may be imported at all
    "cli": {"typer", "rich"},
    "demo": {"rich"},
    "tables": set[str](),
    "integrations": {"icalendar"},
    "hours": {"dateutil"},
    "testing": {"hypothesis", "pytest", "numpy", "pandas", "psycopg"},
    "persist": {"dbzero", "numpy", "pandas", "psycopg"},
}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the dotted name below the package, and the file, of every module of it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts), path


FILES = dict(modules())


def tree_of(name: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(FILES[name].read_text(encoding="utf-8"))


@cache  # computed by the tests, and not where they are collected: each worker does that
def imports(name: str) -> frozenset[str]:
    """Return the dotted names of all modules that are imported anywhere in the source of one."""
    found: set[str] = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            module = node.module or ""
            if (PACKAGE.parent / Path(*module.split("."))).is_dir():  # a folder: what is taken may be a module of it
                found |= {f"{module}.{alias.name}" for alias in node.names}
            else:
                found.add(module)
    return frozenset(found)


def ours(names: frozenset[str]) -> set[str]:
    """Return those of our own modules among the names, as dotted names below the package."""
    below = {name.removeprefix("bookcore.") for name in names if name.startswith("bookcore.")}
    return {name if name in FILES else name.rpartition(".")[0] or "__init__" for name in below}


@cache
def graph() -> dict[str, set[str]]:
    """Return which modules of the package each module imports."""
    return {name: ours(imports(name)) - {name} for name in FILES}


def room_of(name: str) -> str:
    """Return the room of a module: the first part of its dotted name."""
    return name.split(".", maxsplit=1)[0]


def place_of(name: str) -> int:
    """Return how far to the right the room of a module is."""
    return next(place for place, rooms in enumerate(ROOMS) if room_of(name) in rooms)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other."""
    reached: dict[str, set[str]] = {}
    for start, others in graph.items():
        seen: set[str] = set()
        waiting = list(others)
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += graph.get(node, ())
        reached[start] = seen
    groups = {tuple(sorted(b for b in graph if b in reached[a] and a in reached[b])) for a in graph}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def test_every_module_is_in_a_room() -> None:
    """A new module is given its room; one that is gone leaves the table."""
    assert {room_of(name) for name in FILES} == set.union(*ROOMS)


def test_at_most_eight_modules_lie_in_the_root() -> None:
    """Everything else is in a room whose name says what it holds."""
    assert sum("." not in name and not (PACKAGE / name).is_dir() for name in FILES if name != "__init__") <= 8


def test_a_module_imports_only_what_its_room_may() -> None:
    """Rooms further left, and its own; of the rooms furthest right, any."""
    inner = {name: others for name, others in graph().items() if place_of(name) < len(ROOMS) - 1}
    imported = [(name, other) for name, others in inner.items() for other in others if room_of(other) != room_of(name)]
    assert not [(name, other) for name, other in imported if place_of(other) >= place_of(name)]


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports for types and imports inside functions counted."""
    assert circles(graph()) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    """The same for the rooms as wholes, the package itself left out."""
    rooms: dict[str, set[str]] = {}
    for name, others in graph().items():
        if name != "__init__":
            rooms.setdefault(room_of(name), set()).update({room_of(o) for o in others} - {room_of(name), "__init__"})
    assert circles(rooms) == []


def test_the_calendar_is_one_class_with_few_attributes() -> None:
    """No mixins (`Generic` is for type checkers), under 16 attributes, and no dict for more."""
    assert [cls.__name__ for cls in bookcore.Calendar.__mro__] == ["Calendar", "Generic", "object"]
    assert len([name for cls in bookcore.Calendar.__mro__ for name in getattr(cls, "__slots__", ())]) < 16
    assert not hasattr(bookcore.Calendar(), "__dict__")


def test_a_resource_has_one_slot_for_the_engine() -> None:
    """Everything else that a calendar knows of it is in the record, to which the slot refers."""
    own = {"id", "capacity", "before", "after"}
    slots = {name for cls in bookcore.Resource.__mro__ for name in getattr(cls, "__slots__", ())}
    assert slots - own - {"__weakref__", "__dict__"} == {"_binding"}


STATE = {
    "ledger": {"put", "pop", "name_all", "undo_numbers", "repair"},
    "holds": {"put", "drop", "tidy", "pass_by", "put_back", "repair", "remember", "forget"},
    "closures": {"put", "drop", "repair", "renumber"},
    "registry": {"add", "add_all", "remove", "resized", "renumber", "tag", "tag_all", "untag", "repair", "put_back"},
    "hours": {"set", "repair", "renumber"},
    "buffers": {"add", "remove", "repair", "renumber"},
    "booking_indexes": {"create", "enter", "discard", "repair"},
    "store": {"put", "remove", "add_resource", "remove_resource", "load", "renumber"},
}
"""The parts of `CalendarState` that hold the state of a calendar, each with its methods that change it."""

DOORS = {"engine.state", "engine.mending"}
"""Where they are called: where a change is applied, and where one that was cut off is taken back."""


def changes_of_state(tree: ast.AST) -> Iterator[str]:
    """Yield the places at which a part of the state is changed: a call that changes it, or an assignment to what it owns."""
    for node in ast.walk(tree):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        target: Any = node.func if called else node  # type: ignore[attr-defined]
        if not called and not isinstance(getattr(target, "ctx", None), ast.Store | ast.Del):
            continue
        while isinstance(target, ast.Subscript):
            target = target.value
        if isinstance(target, ast.Attribute):
            part = target.value.attr if isinstance(target.value, ast.Attribute) else getattr(target.value, "id", "")
            if part not in STATE or (part, target.attr) == ("holds", "clock"):  # which clock there is, is not state
                continue
            if target.attr in STATE[part] if called else hasattr(part_of_state(part), target.attr):
                yield f"{target.lineno}: {ast.unparse(target)}"


@cache
def part_of_state(name: str) -> Any:
    """Return a part of the state of a calendar."""
    return getattr(bookcore.Calendar()._engine.state, name)


def test_state_changes_in_one_file_and_in_the_fast_path() -> None:
    """Other modules hand a change, or rows, to `CalendarState`; `Calendar.book` books by itself, and nothing else does."""
    assert all(hasattr(part_of_state(part), name) for part, names in STATE.items() for name in names)
    found = {}
    for name in FILES:
        tree = tree_of(name)
        if name == "calendar":
            (cls,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Calendar")
            (book,) = (node for node in cls.body if isinstance(node, ast.FunctionDef) and node.name == "book")
            assert list(changes_of_state(book))
            cls.body.remove(book)
        own = " self.store." if name == "engine.closures" else " of no name"  # the closures have a store of their own
        found[name] = [place for place in changes_of_state(tree) if own not in place]
    doors = {name for name, places in found.items() if places and room_of(name) != "testing"}
    assert doors == DOORS, {name: found[name] for name in doors - DOORS}


def kinds_matched(module: str, function: str) -> set[str]:
    """Return the names of the kinds of change that the cases of a function name."""
    (found,) = (node for node in ast.walk(tree_of(module)) if isinstance(node, ast.FunctionDef) and node.name == function)
    patterns = (node.cls for node in ast.walk(found) if isinstance(node, ast.MatchClass))
    return {ast.unparse(cls).removeprefix("changes.") for cls in patterns}


def test_every_kind_of_change_is_known_wherever_one_has_to_be() -> None:
    """A new kind fails here until it has an inverse, application, undoing, record, description and public name."""
    change, records = import_module("bookcore.model.change"), import_module("bookcore.persist.journal.records")
    kinds = {cls.__name__ for cls in change.Change.__subclasses__()}
    assert len(kinds) > 15
    assert {cls.__name__ for cls in change._INVERSE} == kinds
    assert {cls.__name__ for cls in bookcore.Calendar()._engine.state._apply} == kinds
    assert kinds_matched("engine.mending", "_undo_change") == kinds
    assert kinds_matched("engine.engine", "apply") == kinds
    unrecorded = {cls.__name__ for cls in records.UNRECORDED}
    assert kinds_matched("persist.journal.records", "_row") | unrecorded == kinds
    assert kinds_matched("cli.directories", "_described") | unrecorded == kinds
    assert set(import_module("bookcore.changes").__all__) - {"Change"} == kinds


def test_the_oracle_calls_nothing_of_what_it_judges() -> None:
    """Its parts import each other, and not another line of bookcore."""
    parts = {name for name in FILES if name.startswith("testing.oracle")}
    assert len(parts) == 3
    for name in parts:
        assert ours(imports(name)) <= parts


def test_an_optional_package_is_imported_only_where_its_extra_is_used() -> None:
    """Everything but sortedcontainers and intervaltree is an extra, and stays in the files it unlocks."""
    everywhere = {*sys.stdlib_module_names, "bookcore", "sortedcontainers", "intervaltree", "annotationlib"}  # since 3.14
    misplaced: dict[str, set[str]] = {}
    for name in FILES:
        allowed = everywhere | EXTRA_OF.get(room_of(name), set())
        if name == "model.generic":  # for type checkers, which have it themselves
            allowed |= {"typing_extensions"}
        misplaced[name] = {module.split(".")[0] for module in imports(name)} - allowed
    assert not {name: foreign for name, foreign in misplaced.items() if foreign}


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
    assert len(loaded - {name for name in loaded if name.startswith("bookcore")}) < 70


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
    for name in FILES:
        stars = [node for node in ast.walk(tree_of(name)) if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
        assert not stars, name


def names_in_recipes() -> set[tuple[str, str]]:
    """Return the pairs of a module and a name of it that the documentation imports, the conformance suite left out."""
    found = set()
    for page in [PACKAGE.parent / "README.md", *(PACKAGE.parent / "docs").glob("*.md")]:
        text = page.read_text(encoding="utf-8") if page.exists() else ""  # the tests may lie beside no checkout
        for module, names in re.findall(r"^>>> from (bookcore[\w.]*) import (.*)$", text, re.MULTILINE):
            found |= {(module, name.split(" as ")[0].strip()) for name in names.split(",")}
    return {(module, name) for module, name in found if module != "bookcore.testing"}


LATER = {("bookcore.hours", "Hours"), ("bookcore.recurrence", "recurring"), ("bookcore.stores.sorted", "SortedStore"),
         ("bookcore.stores.tree", "TreeStore"), ("bookcore.tables", "fill"), ("bookcore.tables", "read_csv")}  # fmt: skip


@pytest.mark.parametrize(("module", "name"), sorted(LATER | names_in_recipes()))
def test_what_the_recipes_use_can_be_imported_from_the_package(module: str, name: str) -> None:
    """One object under both names, and nobody has to know in which module it lies."""
    assert name in bookcore.__all__
    assert name in dir(bookcore)
    assert getattr(bookcore, name) is getattr(import_module(module), name)


def test_a_name_is_loaded_when_it_is_used_and_not_before() -> None:
    """The other names of the package stay as cheap as they were."""
    assert "bookcore.hours" not in loaded_by("from bookcore import Calendar")
    loaded = loaded_by("from bookcore import Hours; assert Hours is __import__('bookcore').Hours")
    assert "bookcore.hours" in loaded
    assert "intervaltree" not in loaded


@pytest.mark.parametrize("name", ["Hour", "hours_", "treestore", "Calender", "Tree_Store", "_LATER_"])
def test_a_misspelled_name_is_an_attribute_error(name: str) -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match=f"^module 'bookcore' has no attribute '{name}'$"):
        getattr(bookcore, name)
