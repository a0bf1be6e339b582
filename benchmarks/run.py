"""One command for everything: ``python -m benchmarks.run [--scale 100k] [--only queries] [--readme]``.

Runs bookcore and the peers on the same data, in turns, after comparing their answers; prints the tables, and writes them as
JSON and Markdown. Progress goes to standard error. A section that cannot run says why, and the others go on.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.context import Run
from benchmarks.data import SCALES
from benchmarks.peers import PEERS, MissingError
from benchmarks.rows import Results
from benchmarks.sections import SECTIONS, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "put_into"]

HERE = Path(__file__).parent
START, END = "<!-- results -->", "<!-- end of results -->"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description="Measure bookcore and its peers."
    )
    sizes = ", ".join(f"{name} = {n:,} x {m}" for name, (n, m) in SCALES.items())
    parser.add_argument(
        "--scale", choices=SCALES, default="100k", help=f"resources x bookings on each: {sizes}"
    )
    parser.add_argument("--only", default="", help=f"sections, by comma: {', '.join(SECTIONS)}")
    parser.add_argument("--peers", default="", help=f"peers, by comma: {', '.join(PEERS)}; 'none' for none")
    parser.add_argument("--rounds", type=int, default=15, help="samples of each contestant (default 15)")
    parser.add_argument("--budget", type=float, default=5.0, help="seconds a contestant may take at one race")
    parser.add_argument(
        "--out", type=Path, help="where to write FILE.json and FILE.md (default: benchmarks/results)"
    )
    parser.add_argument(
        "--readme", action="store_true", help="write the one table of benchmarks/README.md anew"
    )
    return parser


def _command(options: argparse.Namespace) -> str:
    # the options that decide the figures, and --readme, so that the page names the command that rewrites it
    parts = [f"python -m benchmarks.run --scale {options.scale}"]
    parts += [f"--{name} '{value}'" for name in ("only", "peers") if (value := getattr(options, name))]
    return " ".join([*parts, "--readme"] if options.readme else parts)


def put_into(page: Path, text: str) -> None:
    """Replace the text between the two marks of *page*; ``ValueError`` if it has no marks."""
    head, start, rest = page.read_text().partition(START)
    _, end, tail = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{page} has no {START} ... {END}")
    page.write_text(f"{head}{start}\n{text}\n{end}{tail}")


def _write(results: Results, out: Path, page: Path | None) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(results.as_json() + "\n")
    out.with_suffix(".md").write_text(results.as_markdown() + "\n")
    if page is not None:
        put_into(page, results.as_page())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sections asked for; exit status 1 if any of them failed."""
    options = _parser().parse_args(arguments)
    sections = [name.strip() for name in options.only.split(",") if name.strip()] or list(SECTIONS)
    unknown = [name for name in sections if name not in SECTIONS]
    if unknown:
        print(f"unknown section {unknown[0]!r}; known: {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    names = (
        list(PEERS)
        if not options.peers
        else [n.strip() for n in options.peers.split(",") if n.strip() in PEERS]
    )
    results = Results(_command(options), options.scale)
    run = Run(options.scale, results, tuple(names), options.rounds, options.budget)
    out = options.out or HERE / "results" / options.scale
    failed = False
    for name in sections:
        run.section = name
        run.say("begin")
        try:
            measure(name)(run)
        except MissingError as why:
            results.skip(name, why)
        except Exception as error:  # one section's failure must not cost the minutes of the others
            failed = True
            logging.getLogger(__name__).exception("section %s failed", name)
            results.skip(name, f"FAILED, {type(error).__name__}: {error}")
        results.took = time.monotonic() - run.began
        _write(results, out, HERE / "README.md" if options.readme else None)  # now, lest a later section cost the earlier
    print(results.as_markdown())
    print(f"written to {out.with_suffix('.json')} and {out.with_suffix('.md')}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
