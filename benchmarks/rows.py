"""What a run found: rows beside their targets, wider tables, growth series; as JSON and as Markdown."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.timing import Stat, human

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Results", "Row", "at_most", "faster", "machine", "shown", "under"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    ``met`` tells whether the target is met; it is None where there is none, or where it is set for another size than was
    measured. ``short``: in the latter case, what was measured does not reach it.
    """

    section: str
    operation: str
    ours: str
    peer: str
    ratio: str
    reach: str
    met: bool | None
    samples: str
    raw: dict[str, Any] = field(default_factory=dict)
    short: bool = False


def shown(stat: Stat) -> str:
    """Write a stat as ``median (min)``."""
    return f"{human(stat.median)} ({human(stat.low)})"


def times_as(ratio: float) -> str:
    """Write a ratio with three digits.

    >>> times_as(0.52), times_as(97.31), times_as(1234.5)
    ('0.52', '97.3', '1,234')
    """
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def faster(section: str, operation: str, ours: Stat, peer: str, theirs: Stat, times: float | None) -> Row:
    """Ours against a peer's: the ratio of medians, and the ratio asked for."""
    ratio = theirs.median / ours.median
    reach = "" if times is None else f"{times:g}x {peer}"
    return Row(
        section,
        operation,
        shown(ours),
        f"{peer} {shown(theirs)}",
        times_as(ratio) + "x",
        reach,
        None if times is None else ratio >= times,
        f"{ours.samples} / {theirs.samples}",
        {"ours": ours.as_dict(), "peer": peer, "theirs": theirs.as_dict(), "ratio": ratio, "times": times},
    )


def under(section: str, operation: str, ours: Stat, limit_ns: float | None, *, note: str = "") -> Row:
    """Ours against a fixed time."""
    reach = "" if limit_ns is None else f"under {human(limit_ns)}"
    met = None if limit_ns is None else ours.median < limit_ns
    raw = {"ours": ours.as_dict(), "limit_ns": limit_ns}
    return Row(section, operation, shown(ours), note, "", reach, met, str(ours.samples), raw)


def at_most(section: str, operation: str, ours: Stat, base: str, against: Stat, times: float | None) -> Row:
    """Ours against something else of ours: how many times as long, and how many are allowed."""
    ratio = ours.median / against.median
    return Row(
        section,
        operation,
        shown(ours),
        f"{base} {shown(against)}",
        times_as(ratio),
        "" if times is None else f"under {times:g} times {base}",
        None if times is None else ratio < times,
        f"{ours.samples} / {against.samples}",
        {
            "ours": ours.as_dict(),
            "base": base,
            "against": against.as_dict(),
            "ratio": ratio,
            "at_most": times,
        },
    )


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _load() -> str:
    try:
        return f"{os.getloadavg()[0]:.1f}"
    except (AttributeError, OSError):
        return "unknown"


def machine() -> dict[str, str]:
    """Describe the machine and the versions of everything that took part."""
    facts = {
        "CPU": _cpu(),
        "cores": str(os.cpu_count()),
        "load average at the start": _load(),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite3.sqlite_version,
    }
    for package in ("duckdb", "ncls", "superintervals", "pyroaring", "intervaltree", "sortedcontainers", "numpy"):
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    return facts


@dataclass(slots=True)
class Results:
    """Everything one run found."""

    command: str
    scale: str
    machine: dict[str, str] = field(default_factory=machine)
    rows: list[Row] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    series: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    took: float = 0.0

    def point(self, operation: str, contestant: str, size: float, value: float) -> None:
        """Add a point to a growth series."""
        self.series.setdefault(operation, {}).setdefault(contestant, []).append((size, value))

    def skip(self, what: str, why: object) -> None:
        """Note what was not measured, and why; print it, too."""
        line = f"{what}: {why}"
        if line not in self.skipped:
            self.skipped.append(line)
            print(f"skipped {line}", file=sys.stderr)

    def as_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(asdict(self), indent=1)

    def as_markdown(self) -> str:
        """Return every table as Markdown."""
        parts = [self._facts(), ""]
        for section in dict.fromkeys(row.section for row in self.rows):
            parts += [f"#### {section}", "", _table(_body(row for row in self.rows if row.section == section)), ""]
        for title, table in self.tables.items():
            parts += [f"#### {title}", "", _table(table), ""]
        if self.skipped:
            parts += ["#### Not measured", "", *(f"- {line}" for line in self.skipped), ""]
        return "\n".join(parts)

    def as_page(self) -> str:
        """Return what the README shows: one table, a line for each target that is missed, and for what was not measured."""
        rows = [row for row in self.rows if row.reach or row.ratio]
        short = [row for row in rows if row.met is False or row.short]
        missed = [f"- {row.operation}: {row.ratio or row.ours}, to reach: {row.reach}" for row in short]
        parts = [self._facts(), "", _table(_body(rows)), ""]
        if all(row.met is None for row in rows):
            parts += ["No target is judged: they are set for 100,000 x 10, and this run has another size.", ""]
            parts += ["**Not reached at this size:**", "", *missed, ""] if missed else []
        else:
            parts += ["**Missed:**", "", *missed, ""] if missed else ["No target is missed.", ""]
        if self.skipped:
            parts += ["**Not measured:**", "", *(f"- {line}" for line in self.skipped), ""]
        return "\n".join(parts)

    def _facts(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        return f"`{self.command}`, {self.took:.0f} s. {facts}."


def _body(rows: Iterable[Row]) -> list[list[str]]:
    met = {True: "yes", False: "**no**", None: ""}
    head = ["operation", "bookcore: median (min)", "beside: median (min)", "ratio", "to reach", "met?", "samples"]
    return [head, *([r.operation, r.ours, r.peer, r.ratio, r.reach, met[r.met], r.samples] for r in rows)]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in body)])
