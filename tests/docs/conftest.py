"""The README, taken apart: what its examples, tables and blocks say, for tests to hold it to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, the line it starts on, and the ``##`` section it is in."""

    language: str
    text: str
    line: int
    section: str


@dataclass(frozen=True, slots=True)
class Readme:
    """The text of the README and what is asked of it."""

    text: str = field(repr=False)

    def blocks(self, language: str) -> list[Block]:
        """Return the fenced blocks of a language, in order."""
        found = []
        for match in _FENCE.finditer(self.text):
            if match[1] == language:
                before = self.text[: match.start()]
                headings = re.findall(r"^## (.*)$", before, re.MULTILINE)
                section = headings[-1] if headings else "first screen"
                found.append(Block(language, match[2], before.count("\n") + 2, section))
        return found

    def section(self, heading: str) -> str:
        """Return the text under a ``##`` heading."""
        match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", self.text, re.MULTILINE | re.DOTALL)
        if match is None:
            raise LookupError(f"README has no section {heading!r}")
        return match[1]

    def table(self, heading: str) -> list[list[str]]:
        """Return the rows of the first table under a heading, each a list of cells, without the head."""
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
            raise LookupError(f"README has no {name} command")
        return match[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def readme() -> Readme:
    """Return the README."""
    return Readme((ROOT / "README.md").read_text(encoding="utf-8"))
