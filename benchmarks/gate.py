"""The speed gate: this version of bookcore beside an earlier commit. ``python -m benchmarks.gate [COMMIT]``.

    round 1    base  |book 1|......|book 2|......|  ...  |count|.......|
               now   |......|book 1|......|book 2|  ...  |.....|.count.|

In each round a process of either version is started, on the same data, and the two take turns, a slice of an operation
at a time, in random order: a slow second of the machine falls on both. A round gives one ratio for each operation, time
of this version / time of the base. Rounds are independent of each other (other data, another layout of memory), so what
is judged is the median of their ratios, with a 95% confidence interval from the order of the ratios (a sign test; no
distribution is assumed). An operation fails the gate where the median is above the tolerance **and** the whole interval is
above 1. The exit status is 1 then, 2 where the gate could not run, 0 otherwise.

Only the public API is used (see ``gate_worker.py``), so the internals of the two versions may differ. The collector is on.
Time is time on the processor.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.timing import human

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["GateError", "Verdict", "interval", "judge", "main", "measure_pair"]

ROOT = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).resolve().with_name("gate_worker.py")
SLICES = 15
#: operation -> slices in a round; ``book`` first, since it fills the calendar that the others ask
PLAN = {
    "book": SLICES,
    "memory a booking": 1,
    "is_available": SLICES,
    "is_available, foreign object": SLICES,
    "count": SLICES,
    "list": SLICES,
    "first(10)": SLICES,
    "remove": SLICES,
    "remove + add + count": SLICES,
    "load": 3,
}
#: operations whose slices are parts of one whole, and are added up; of the others the median slice counts
WHOLES = {"book", "memory a booking"}


class GateError(Exception):
    """The gate cannot run; the message says why, and what to do."""


def git(*arguments: str) -> str:
    """Run git in the checkout and return what it prints."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError as exc:
        raise GateError("git is not installed; the gate needs it to check out the base commit") from exc
    if done.returncode:
        raise GateError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def default_base() -> str:
    """Return the commit before the work at hand: HEAD while bookcore/ has uncommitted changes, else HEAD~1."""
    return "HEAD" if git("status", "--porcelain", "--", "bookcore") else "HEAD~1"


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Check *commit* out into a temporary worktree, and remove it afterwards."""
    try:
        commit = git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    except GateError as exc:
        raise GateError(f"{commit!r} is not a commit of this repository; name one, as HEAD~1 or a hash") from exc
    folder = Path(tempfile.mkdtemp(prefix="bookcore-gate-"))
    tree = folder / f"base-{folder.name}"  # git names a worktree after its last part: it has to be unique
    try:
        git("worktree", "add", "--detach", str(tree), commit)
        yield tree
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        git("worktree", "prune")


class Process:
    """A running ``gate_worker.py`` that measures the version in *tree*."""

    def __init__(self, tree: Path, options: dict[str, int]) -> None:
        command = [sys.executable, "-P", str(WORKER), json.dumps(options)]
        self.tree = tree
        self.process = subprocess.Popen(  # noqa: S603 - our own file
            command, cwd=tree, env=environment(tree), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ready(self) -> None:
        """Wait until the data is made; refuse to measure another copy of bookcore than the one in *tree*."""
        found = Path(self.answer()["ready"]).resolve()
        if not found.is_relative_to(self.tree.resolve()):
            raise GateError(f"bookcore was imported from {found}, not from {self.tree}")

    def slice(self, operation: str) -> tuple[float, int]:
        """Measure one slice; return seconds (or bytes) and the number of calls."""
        assert self.process.stdin is not None
        self.process.stdin.write(operation + "\n")
        self.process.stdin.flush()
        value, calls = self.answer()
        return value, calls

    def answer(self) -> Any:
        """Read one line of the worker's; an error there is printed by itself on standard error."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise GateError(f"the process that measures {self.tree} ended; its error is above")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def environment(tree: Path) -> dict[str, str]:
    """Return the environment of a worker: *tree* is where it finds bookcore.

    Neither side reads compiled files, which only one of them may have: a process that compiles its modules has free memory
    left afterwards, and then seems to need 2% less for its bookings.
    """
    return {**os.environ, "PYTHONPATH": str(tree), "PYTHONPYCACHEPREFIX": os.devnull, "PYTHONDONTWRITEBYTECODE": "1"}


def cost(operation: str, slices: Sequence[tuple[float, int]]) -> float:
    """Sum up the slices of a round: seconds (or bytes) a call."""
    if operation in WHOLES:
        return sum(value for value, _ in slices) / sum(calls for _, calls in slices)
    return statistics.median(value / calls for value, calls in slices)


def measure_pair(
    trees: Sequence[Path], size: tuple[int, int], rng: random.Random
) -> dict[str, tuple[float, ...]]:
    """Run one round; return operation -> the cost for each of *trees*, in their order."""
    options = {"resources": size[0], "bookings": size[1], "slices": SLICES, "seed": rng.randrange(2**31)}
    numbers = list(range(len(trees)))
    rng.shuffle(numbers)
    pair: dict[int, Process] = {}
    found: dict[str, tuple[float, ...]] = {}
    try:
        for number in numbers:
            pair[number] = Process(trees[number], options)
        for process in pair.values():
            process.ready()
        for operation, count in PLAN.items():
            slices: dict[int, list[tuple[float, int]]] = {number: [] for number in numbers}
            for _ in range(count):
                rng.shuffle(numbers)
                for number in numbers:
                    slices[number].append(pair[number].slice(operation))
            found[operation] = tuple(cost(operation, slices[number]) for number in range(len(trees)))
    finally:
        for process in pair.values():
            process.close()
    return found


def interval(ratios: Sequence[float]) -> tuple[float, float] | None:
    """Return a confidence interval of the median of at least 95% from the sorted ratios; None below six ratios.

    It leaves out as many ratios at either end as a fair coin allows.

    >>> interval([0.9, 1.0, 1.1, 1.2, 1.3, 9.0])
    (0.9, 9.0)
    >>> interval([0.1, 0.9, 1.0, 1.0, 1.1, 1.1, 1.2, 1.3, 9.0])
    (0.9, 1.3)
    >>> interval([1.0, 1.1]) is None
    True
    """
    values, left_out, tail = sorted(ratios), -1, 0.0
    while True:
        tail += math.comb(len(values), left_out + 1) / 2 ** len(values)
        if tail > 0.025:
            break
        left_out += 1
    return None if left_out < 0 else (values[left_out], values[-1 - left_out])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rounds say about one operation."""

    ratio: float
    spread: tuple[float, float] | None
    word: str

    @property
    def failed(self) -> bool:
        """Whether the gate is closed by it."""
        return self.word == "SLOWER"


def judge(ratios: Sequence[float], tolerance: float) -> Verdict:
    """Judge the ratios this version / base of one operation.

    >>> judge([1.10, 1.12, 1.09, 1.11, 1.10, 1.08], 0.03).word
    'SLOWER'
    >>> judge([1.10, 1.12, 0.90, 1.11, 1.10, 1.08], 0.03).word      # above the tolerance, but within the noise
    'unclear'
    >>> judge([1.01, 1.02, 1.01, 1.02, 1.01, 1.02], 0.03).word      # beyond the noise, but within the tolerance
    'same'
    """
    ratio, spread = statistics.median(ratios), interval(ratios)
    if ratio > 1 + tolerance:
        word = "SLOWER" if spread is not None and spread[0] > 1 else "unclear"
    elif ratio < 1 - tolerance and spread is not None and spread[1] < 1:
        word = "faster"
    else:
        word = "same"
    return Verdict(ratio, spread, word)


def table(rounds: Sequence[dict[str, tuple[float, ...]]], tolerance: float) -> tuple[list[str], dict[str, Verdict]]:
    """Return the table's lines and the verdict on each operation."""
    lines = ["| operation | base | now | now / base | 95% of the noise | |", "| --- | --- | --- | --- | --- | --- |"]
    verdicts = {}
    for operation in PLAN:
        pairs = [found[operation] for found in rounds if found[operation][0] > 0]
        if not pairs:
            continue  # the system does not tell the memory of a process
        verdict = verdicts[operation] = judge([now / base for base, now in pairs], tolerance)
        medians = [statistics.median(pair[side] for pair in pairs) for side in (0, 1)]
        costs = [f"{each:.0f} B" if operation.startswith("memory") else human(each * 1e9) for each in medians]
        spread = "too few rounds" if verdict.spread is None else "{:.3f} to {:.3f}".format(*verdict.spread)
        lines.append(f"| {operation} | {costs[0]} | {costs[1]} | {verdict.ratio:.3f} | {spread} | {verdict.word} |")
    return lines, verdicts


def parse_size(text: str) -> tuple[int, int]:
    """Read RESOURCESxBOOKINGS.

    >>> parse_size("20000x10"), parse_size("1,000 x 10")
    ((20000, 10), (1000, 10))
    """
    try:
        resources, bookings = (int(part.replace(",", "").strip()) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; give RESOURCESxBOOKINGS, as 20000x10") from None
    if resources < 1 or not 1 <= bookings <= 2_000:
        raise argparse.ArgumentTypeError("a size has at least one resource, and 1 to 2,000 bookings on each")
    return resources, bookings


def parse_tolerance(text: str) -> float:
    """Read a tolerance.

    >>> parse_tolerance("3%"), parse_tolerance("0.03")
    (0.03, 0.03)
    """
    try:
        value = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a tolerance; give it as 3% or 0.03")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate", description="Compare the speed of this checkout with that of an earlier commit."
    )
    parser.add_argument(
        "base",
        nargs="?",
        metavar="COMMIT",
        help="the commit to compare with (default: HEAD if bookcore/ has uncommitted changes, else HEAD~1)",
    )
    parser.add_argument("--size", type=parse_size, default=(20_000, 10), help="resources x bookings on each (20000x10)")
    parser.add_argument("--rounds", type=int, default=9, help="pairs of processes (9); fewer than 6 cannot fail")
    parser.add_argument("--tolerance", type=parse_tolerance, default=0.03, help="how much slower is let pass (3%%)")
    parser.add_argument("--seed", type=int, default=None, help="fixes data and order (default: another at each run)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate; return its exit status."""
    options = _parser().parse_args(arguments)
    if options.rounds < 1:
        _parser().error("--rounds takes a number from 1")
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave through the blocks that clean up
    try:
        return run(options)
    except KeyboardInterrupt:
        print("gate: interrupted; the temporary checkout is removed", file=sys.stderr)
        return 130
    except GateError as exc:
        print(f"gate: {exc}", file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, before)


def run(options: argparse.Namespace) -> int:
    """Measure the rounds, print the table, and say what to do."""
    base, rng, began = options.base or default_base(), random.Random(options.seed), time.monotonic()
    resources, bookings = options.size
    rounds: list[dict[str, tuple[float, ...]]] = []

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {text}", file=sys.stderr, flush=True)

    with checkout(base) as tree:
        name = git("log", "-1", "--format=%h %s", git("rev-parse", base))
        say(f"base: {name}; {resources:,} x {bookings:,}, {options.rounds} rounds")
        for number in range(1, options.rounds + 1):
            rounds.append(measure_pair((tree, ROOT), options.size, rng))
            ratios = [f"{operation} {now / then:.2f}" for operation, (then, now) in rounds[-1].items() if then > 0]
            say(f"round {number} of {options.rounds}: now / base: {', '.join(ratios)}")
    lines, verdicts = table(rounds, options.tolerance)
    print(f"Base {name}; {resources:,} x {bookings:,}, {len(rounds)} rounds, tolerance {options.tolerance:.1%}.\n")
    print("\n".join(lines) + "\n")
    failed = [operation for operation, verdict in verdicts.items() if verdict.failed]
    unclear = [operation for operation, verdict in verdicts.items() if verdict.word == "unclear"]
    if unclear:
        print(f"Above the tolerance, but within the noise: {', '.join(unclear)}. Run again with more --rounds.")
    if failed:
        print(f"FAILED: {', '.join(failed)}: slower than the tolerance, and beyond the noise. Profile what changed since")
        print(f"{name.split()[0]} there, or say in the commit what the time buys.")
        return 1
    print("Passed: no operation is slower than the tolerance beyond the noise.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
