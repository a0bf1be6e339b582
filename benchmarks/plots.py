"""Growth plots from a run: ``python -m benchmarks.plots [RESULTS.json] [FOLDER]``. Logarithmic axes."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["draw", "main"]

HERE = Path(__file__).parent
MARKS = {
    "bookcore": ("o", "#d62728", 2.5),
    "SQLite": ("s", "#1f77b4", 1.3),
    "SQLite, one look-up each": ("s", "#7fb2d9", 1.3),
    "DuckDB": ("^", "#bcbd22", 1.3),
    "NCLS": ("D", "#2ca02c", 1.3),
    "superintervals": ("v", "#9467bd", 1.3),
    "pyroaring": ("p", "#e377c2", 1.3),
    "sorted NumPy arrays": ("h", "#17becf", 1.3),
    "intervaltree": ("x", "#8c564b", 1.3),
    "intervaltree, one tree": ("x", "#8c564b", 1.3),
    "two sorted maps": ("+", "#7f7f7f", 1.3),
}


def _name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.partition(",")[0].lower()).strip("-") + ".png"


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Draw one picture for every growth series; return their paths. Needs matplotlib."""
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for title, lines in results["series"].items():
        memory = title.startswith("memory")
        figure, axes = pyplot.subplots(figsize=(7, 4.5), dpi=110)
        for contestant, found in lines.items():
            points = sorted(found)
            mark, colour, width = MARKS.get(contestant, (".", "#000000", 1.0))
            values = [value if memory else value / 1000 for _, value in points]
            axes.plot(
                [size for size, _ in points], values, marker=mark, color=colour, linewidth=width, label=contestant
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        by = title.partition(" by ")[2].partition(",")[0]
        axes.set_xlabel(by)
        axes.set_ylabel("bytes a booking" if memory else "microseconds a call, median")
        axes.set_title(title, fontsize=11)
        axes.grid(True, which="both", alpha=0.2)
        axes.legend(fontsize=8)
        facts = results["machine"]
        note = f"{facts['CPU']}, {facts['cores']} cores, {facts['Python']}"
        figure.text(0.01, 0.01, note, fontsize=6, color="#666666")
        figure.tight_layout(rect=(0, 0.02, 1, 1))
        path = folder / _name(title)
        figure.savefig(path)
        pyplot.close(figure)
        drawn.append(path)
    return drawn


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw from the file named, or from the newest run at 100k."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    source = Path(given[0]) if given else HERE / "results" / "100k.json"
    folder = Path(given[1]) if len(given) > 1 else HERE / "results" / "plots"
    if not source.is_file():
        print(f"{source} is not there: run python -m benchmarks.run first", file=sys.stderr)
        return 2
    for path in draw(json.loads(source.read_text()), folder):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
