"""The documentation, taken apart: the examples, tables and blocks of each page, so that tests can check them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, the line it starts on, and the heading (``##`` or ``###``) above it."""

    language: str
    text: str
    line: int
    heading: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the documentation, and how its parts are found."""

    name: str
    text: str = field(repr=False)

    @property
    def path(self) -> Path:
        """Return where the page is."""
        return ROOT / self.name

    def blocks(self, language: str | None = None) -> list[Block]:
        """Return the fenced blocks of a language, or all of them, in order."""
        found = []
        for match in _FENCE.finditer(self.text):
            if language is None or match[1] == language:
                before = self.text[: match.start()]
                headings = re.findall(r"^###? (.*)$", before, re.MULTILINE)
                found.append(Block(match[1], match[2], before.count("\n") + 2, headings[-1] if headings else ""))
        return found

    def prose(self) -> str:
        """Return the text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    def anchors(self) -> set[str]:
        """Return what a link to a heading of this page may name, as GitHub makes it."""
        headings = re.findall(r"^#+ (.*)$", self.prose(), re.MULTILINE)
        return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}

    def section(self, heading: str) -> str:
        """Return the text under a ``##`` heading, or up to the first one for an empty name."""
        start = rf"^## {re.escape(heading)}\n" if heading else r"\A"
        match = re.search(rf"{start}(.*?)(?=^## |\Z)", self.text, re.MULTILINE | re.DOTALL)
        if match is None:
            raise LookupError(f"{self.name} has no section {heading!r}")
        return match[1]

    def table(self, heading: str) -> list[list[str]]:
        """Return the rows of the first table under a ``##`` heading, each a list of cells, without the head."""
        lines = self.section(heading).split("\n")
        first = next(at for at, line in enumerate(lines) if line.startswith("| ---"))
        rows = []
        for line in lines[first + 1 :]:
            if not line.startswith("|"):
                break
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        return rows

    def command(self, name: str) -> str:
        """Return the command under the comment ``<!-- NAME command -->``."""
        match = re.search(rf"^<!-- {name} command -->\n```sh\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)
        if match is None:
            raise LookupError(f"{self.name} has no {name} command")
        return match[1]


def _names() -> Iterator[str]:
    yield from ("README.md", "CONTRIBUTING.md", "tests/README.md")
    yield from sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def pages() -> dict[str, Page]:
    """Return every page of the documentation by its name."""
    return {name: Page(name, (ROOT / name).read_text(encoding="utf-8")) for name in _names()}


@pytest.fixture(scope="session")
def readme(pages: dict[str, Page]) -> Page:
    """Return the README."""
    return pages["README.md"]
