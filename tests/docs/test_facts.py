"""What the documentation says about the code is so: names, files, tables, commands, links."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

import bookcore
import bookcore.persist.errors
import bookcore.persist.journal.errors
from bookcore import BookcoreError, BookingStore, SnapshotError, SupportsAvailability, SupportsLoad
from bookcore.model import change as changes

PACKAGE = Path(bookcore.__file__).parent
RULE = "model < index, hours < stores < engine < query < persist < calendar < edges"
EDGES = {"tables", "integrations", "testing", "demo", "cli"}


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


def test_the_readme_is_short(readme: Any) -> None:
    """About ten kilobytes: whatever is longer goes to a page of its own."""
    assert len(readme.text.encode()) < 10_500


def test_every_dotted_name_exists(pages: Any) -> None:
    """A name that begins with bookcore can be imported."""
    text = "\n".join(page.text for page in pages.values())
    names = {name for name in re.findall(r"\bbookcore(?:\.\w+)+", text) if not name.endswith(".md")}
    assert len(names) > 20
    for name in names:
        resolve(name)


def test_every_link_leads_somewhere(pages: Any, root: Path) -> None:
    """Links within the project point at files that are there, and at headings that are there."""
    checked = 0
    for page in pages.values():
        for target in re.findall(r"\]\(([^)]+)\)", page.text):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            file = (page.path.parent / path).resolve() if path else page.path
            if not file.exists():  # from the wheel, the package lies elsewhere
                file = PACKAGE.parent / file.relative_to(root)
            assert file.exists(), f"{page.name} links to {target}"
            if anchor:
                assert anchor in pages[file.relative_to(root).as_posix()].anchors(), f"{page.name} links to {target}"
            checked += 1
    assert checked > 50


def test_the_readme_links_every_page(pages: Any, readme: Any) -> None:
    """No page of the documentation can only be found by listing the folder."""
    linked = set(re.findall(r"\]\(([^)#]+)\)", readme.section("More")))
    assert {name for name in pages if name.startswith("docs/")} | {"CONTRIBUTING.md"} <= linked


def test_every_file_named_is_there(pages: Any, root: Path) -> None:
    """A path in backticks is a file or folder of the project, or of the package."""
    checked, missing = 0, []
    for page in pages.values():
        places = (root, PACKAGE, PACKAGE.parent, page.path.parent)
        for name in code_in(page.prose()):
            if name[0] != "." and re.fullmatch(r"[\w.]+(/[\w.]+)*(/|\.py|\.toml|\.md)", name):
                checked += 1
                if not any((place / name).exists() for place in places):
                    missing.append((page.name, name))
    assert missing == []
    assert checked > 60


def test_every_module_to_be_run_is_there(pages: Any, root: Path) -> None:
    """What is typed after ``python -m`` is a package that is installed, or a file of the project."""
    text = "\n".join(page.text for page in pages.values())
    names = set(re.findall(r"python\s-m\s(benchmarks[\w.]+|bookcore[\w.]*)", text))
    assert names
    for name in names:
        path = name.replace(".", "/")
        assert any((folder / f"{path}.py").exists() or (folder / path).is_dir() for folder in (root, PACKAGE.parent)), name


def modules_in_map(page: Any) -> list[str]:
    """Return the files that the map names, as paths within the package, in its order."""
    (block,) = (block for block in page.blocks("text") if block.text.startswith("bookcore/\n"))
    folders: list[str] = []
    listed: list[str] = []
    for line in block.text.splitlines()[1:]:
        match = re.fullmatch(r"( +)(\w+\.py|\w+/)(?: +(\S.*))?", line)
        assert match, f"not a line of a map: {line!r}"
        del folders[len(match[1]) // 2 - 1 :]
        if match[2].endswith("/"):
            folders.append(match[2])
        else:
            assert match[3], f"{line!r} says nothing about its file"
            listed.append("".join(folders) + match[2])
    return listed


def test_map_names_every_module_and_no_other(pages: Any) -> None:
    """One line for each module, each under its folder."""
    there = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    listed = modules_in_map(pages["docs/architecture.md"])
    assert sorted(listed) == sorted(name for name in there if not name.endswith("__.py"))


def test_map_has_the_rooms_in_their_order(pages: Any) -> None:
    """From left to right as in the rule, what lies in the root first, and the edges last."""
    listed = modules_in_map(pages["docs/architecture.md"])
    rooms = [room for room, _ in groupby(name.split("/")[0] if "/" in name else "" for name in listed)]
    ordered = [room.strip() for part in RULE.split("<") for room in part.split(",")]
    assert rooms[: -len(EDGES)] == ["", *(room for room in ordered if room not in {"calendar", "edges"})]
    assert set(rooms[-len(EDGES) :]) == EDGES


def test_the_rule_of_the_rooms_is_the_same_everywhere(pages: Any, root: Path) -> None:
    """In the page, in the guide for contributors, in the picture, and in the test that holds it."""
    held_by = ast.get_docstring(ast.parse((root / "tests" / "test_architecture.py").read_text(encoding="utf-8")))
    assert RULE in str(held_by)
    assert RULE in pages["CONTRIBUTING.md"].text
    assert RULE in pages["docs/architecture.md"].text
    picture = pages["docs/architecture.md"].blocks("mermaid")[0].text
    ordered = [room.strip() for part in RULE.split("<") for room in part.split(",")]
    assert re.findall(r"^  (\w+)\[", picture, re.MULTILINE) == ordered
    arrows = re.findall(r"^  (\w+) --> (\w+)$", picture, re.MULTILINE)
    assert len(arrows) >= len(ordered) - 1
    assert all(ordered.index(source) > ordered.index(target) for source, target in arrows)


def test_owners_of_state_are_classes_of_those_files(pages: Any) -> None:
    """Every collaborator of the engine is where the table says."""
    rows = [row for row in pages["docs/architecture.md"].table("The owners of state") if row[0].startswith("`")]
    assert len(rows) == 11
    for name, file, owns in rows:
        module = import_module("bookcore." + code_in(file)[0].removesuffix(".py").replace("/", "."))
        assert inspect.isclass(getattr(module, code_in(name)[0])), name
        assert owns


def signatures(cls: type) -> set[str]:
    """Return the methods of a protocol as ``name(argument, argument)``."""
    methods = {name: value for name, value in vars(cls).items() if inspect.isfunction(value) and name[0] != "_"}
    return {f"{name}({', '.join(list(inspect.signature(m).parameters)[1:])})" for name, m in methods.items()}


def test_rules_have_the_four_questions_of_the_page(pages: Any) -> None:
    """Names and arguments are those of the protocol ``Rule``."""
    section = pages["docs/architecture.md"].section("Three ideas")
    rows = re.findall(r"^\| `(\w+\([^)]*\))` \|", section, re.MULTILINE)
    assert len(rows) == 4
    assert set(rows) == signatures(resolve("bookcore.engine.rules.Rule"))


def test_store_protocol_is_the_table_of_the_page(pages: Any) -> None:
    """Names and arguments are those of `BookingStore`."""
    rows = pages["docs/stores.md"].table("The protocol")
    assert {code_in(row[0])[0] for row in rows} == signatures(BookingStore)


def test_stores_table_tells_what_each_store_can(pages: Any) -> None:
    """The capabilities are those that the protocols find."""
    rows = pages["docs/stores.md"].table("")
    assert len(rows) == 4
    for row in rows:
        store = resolve(code_in(row[0])[0])()
        assert isinstance(store, BookingStore)
        assert row[2] == ("yes" if isinstance(store, SupportsAvailability) else "no")
        assert row[3] == ("yes" if isinstance(store, SupportsLoad) else "no")


def attributes_of(cls: type) -> set[str]:
    """Return the names that the constructor of an error mentions, its attributes among them, and its properties."""
    constructor = next(vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base))
    return {*constructor.__code__.co_names, *(name for name, value in vars(cls).items() if isinstance(value, property))}


def test_errors_table_tells_every_error_as_it_is(pages: Any) -> None:
    """Names, builtin bases, hints and attributes are those of the classes."""
    rows = {code_in(row[0])[0]: row for row in pages["docs/errors.md"].table("Table of errors")}
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
        assert set(code_in(attributes)) <= attributes_of(cls), name


def test_snapshot_errors_table_tells_every_kind(pages: Any) -> None:
    """Each is a `SnapshotError`, with the attributes that the table names."""
    rows = {code_in(row[0])[0]: row for row in pages["docs/errors.md"].table("Kinds of snapshot errors")}
    kinds = {name for name in bookcore.persist.errors.__all__ if name[0].isupper()}
    assert set(rows) == kinds
    for name, (_, when, attributes) in rows.items():
        cls = getattr(bookcore.persist.errors, name)
        assert issubclass(cls, SnapshotError)
        assert when
        assert set(code_in(attributes)) <= attributes_of(cls), name


def test_journal_errors_table_tells_every_kind(pages: Any) -> None:
    """Each is a `JournalError`, with the attributes that the table names."""
    rows = {code_in(row[0])[0]: row for row in pages["docs/durability.md"].table("When something is wrong")}
    assert set(rows) == set(bookcore.persist.journal.errors.__all__)
    for name, (_, remedy, attributes) in rows.items():
        cls = getattr(bookcore.persist.journal.errors, name)
        assert issubclass(cls, bookcore.persist.journal.errors.JournalError)
        assert remedy
        assert set(code_in(attributes)) <= attributes_of(cls), name


@pytest.mark.parametrize(
    ("cls", "named"),
    [
        (changes.Moved, {"was_indexed", "indexed"}),
        (changes.Changed, {"Moved"}),
        (changes.IndexCreated, {"key", "of_bookings"}),
        (changes.IndexDropped, {"IndexCreated"}),
    ],
)
def test_changes_explain_their_fields(cls: type, named: set[str]) -> None:
    """`help` shows the docstring of a class, and not that of the private base that declares its fields."""
    assert named <= set(re.findall(r"`(\w+)`", cls.__doc__ or ""))


OPERATORS = {"&": "and", "|": "or", "-": "sub", "^": "xor", "~": "invert", "in": "contains"}


def test_complexity_table_names_calls_that_exist(pages: Any) -> None:
    """Every call in the first column is one of a calendar, an index, a selection, or an operator of one."""
    asked = 0
    for calls, cost in pages["docs/complexity.md"].table(""):
        assert cost
        for call in code_in(calls.replace("\\|", "|")):
            name = re.sub(r"\(.*\)", "", re.sub(r"^(len|list)\((find\w+)\(.*", r"\2", call))
            last = OPERATORS.get(name) or name.rpartition(".")[2]
            owners = (bookcore.Calendar, bookcore.IndexView, bookcore.Selection, bookcore.BookingEvent)
            assert any(hasattr(o, last) or hasattr(o, f"__{last}__") for o in owners), call
            asked += 1
    assert asked > 50


def test_glossary_is_in_alphabetical_order(pages: Any) -> None:
    """Each table by itself, and no word without a meaning."""
    tables = 0
    for section in pages["docs/glossary.md"].text.split("\n## ")[1:]:
        rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", section, re.MULTILINE)[1:]
        words = [word.lower() for word, _ in rows if not word.startswith("---")]
        assert words == sorted(words)
        tables += 1
    assert tables == 4


def test_extras_table_is_what_the_package_offers(readme: Any, root: Path) -> None:
    """Every extra has its line, and brings what it says."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rows = {code_in(row[0])[0]: row[2] for row in readme.table("Install")}
    extras = project["optional-dependencies"]
    assert list(rows) == list(extras)
    for name, needs in extras.items():
        if name != "all":
            assert rows[name].split(", ") == sorted(
                (re.split(r"[><=]", need)[0] for need in needs), key=rows[name].split(", ").index
            )
    (everything,) = extras["all"]
    assert everything == f"bookcore[{','.join(name for name in extras if name != 'all')}]"


def test_the_readme_names_the_dependencies_and_the_pythons(readme: Any, root: Path) -> None:
    """What is installed beside the package, and on which interpreters it runs, are those of pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[><=]", need)[0] for need in project["dependencies"]}
    assert set(code_in(readme.section("Install").split("```")[2].split("Everything else")[0])) == needed
    pythons = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert f"Python {pythons[0]} to {pythons[-1]}" in readme.text
    assert project["requires-python"] == f">={pythons[0]}"


def test_speed_table_is_that_of_the_benchmarks(readme: Any, root: Path) -> None:
    """Every figure of the README is in the results of the last whole run, in the row of the same call and peer."""
    page = root / "benchmarks" / "README.md"
    if not page.exists():
        pytest.skip("the benchmarks are not there")
    measured = set()
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [re.sub(r" \(.*", "", cell.strip()) if at > 1 else cell.strip() for at, cell in enumerate(line.split("|"))]
        if len(cells) > 5:
            measured.add(tuple(cells[1:5]))
    rows = readme.table("How fast")
    assert len(rows) == 5
    for call, ours, peer, ratio in rows:
        assert (call, ours, f"SQLite {peer}", ratio) in measured, call


def test_there_are_seven_laws(readme: Any) -> None:
    """As many as the conformance suite and the machine speak of."""
    assert re.findall(r"^(\d)\. \*", readme.section("Laws"), re.MULTILINE) == list("1234567")


@pytest.mark.parametrize("name", ["demo", "test"])
def test_command_is_one_line_that_sets_itself_up(readme: Any, name: str) -> None:
    """It makes its own environment, with a pip that knows dependency groups, and runs in it."""
    (line,) = readme.command(name).splitlines()
    assert line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install -q -U pip && ")
    assert all(part.startswith(("python3 -m venv", ".venv/bin/")) for part in line.split(" && "))


def test_named_groups_exist(pages: Any, root: Path) -> None:
    """The dependency groups that the commands ask for are there."""
    groups = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    asked = re.findall(r"--group (\w+)", "".join(page.text for page in pages.values()))
    assert len(asked) >= 2
    assert set(asked) <= set(groups)


def test_commands_of_the_command_line_are_those_there_are(pages: Any) -> None:
    """Each has its row, and no other."""
    pytest.importorskip("typer", reason="the command line is not installed (extra: cli)")
    app = import_module("bookcore.cli.app").app
    there = {info.name or info.callback.__name__ for info in app.registered_commands}
    there |= {group.name for group in app.registered_groups}
    rows = pages["docs/cli.md"].table("")
    assert {code_in(row[0])[0].split()[1] for row in rows} == there


def test_every_folder_of_tests_is_explained(pages: Any, root: Path) -> None:
    """tests/README.md says of each folder what goes there, and of no other."""
    rows = re.findall(r"^\| (`[^|]*`) \|", pages["tests/README.md"].text, re.MULTILINE)
    named = {name for row in rows for name in code_in(row)}
    there = {f"{path.name}/" for path in (root / "tests").iterdir() if path.is_dir() and path.name[0].isalpha()}
    assert named == there
