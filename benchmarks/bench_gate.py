"""The speed gate, on a tiny calendar: that it measures, judges, and cleans up after itself."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import gate

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = gate.ROOT


def worktrees() -> str:
    """Return git's list of worktrees, or skip where the benchmarks do not lie in a repository."""
    if shutil.which("git") is None or not (HERE / ".git").exists():
        pytest.skip("the gate needs a git checkout")
    done = subprocess.run(["git", "worktree", "list"], cwd=HERE, capture_output=True, text=True, check=False)  # noqa: S607
    if done.returncode:
        pytest.skip(f"git does not work here: {done.stderr.strip()}")
    return done.stdout


def test_a_pair_of_processes_measures_every_operation() -> None:
    """Either side gives a time for each operation, through the public API alone."""
    found = gate.measure_pair((HERE, HERE), (50, 4), random.Random(1))
    assert list(found) == list(gate.PLAN)
    assert all(value > 0 for name, pair in found.items() for value in pair if name != "memory a booking")


def test_the_base_is_checked_out_and_removed() -> None:
    """Whatever happens inside, the temporary worktree is gone afterwards."""
    worktrees()
    trees: list[Path] = []

    def fail() -> None:
        with gate.checkout("HEAD") as tree:
            assert (tree / "bookcore" / "__init__.py").is_file()
            trees.append(tree)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not trees[0].exists()
    assert str(trees[0]) not in worktrees()


def test_an_unknown_commit_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is no commit ends with status 2 and a sentence."""
    worktrees()
    assert gate.main(["no-such-commit"]) == 2
    assert "'no-such-commit' is not a commit of this repository" in capsys.readouterr().err


@pytest.mark.parametrize(("factor", "status"), [(1.0, 0), (1.5, 1)])
def test_a_slow_operation_closes_the_gate(
    factor: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One operation half as slow again in every round is named, and the exit status is 1."""
    worktrees()

    def measured(_: Sequence[Path], size: tuple[int, int], rng: random.Random) -> dict[str, tuple[float, ...]]:
        assert size == (20_000, 10)
        noise = {operation: rng.uniform(0.99, 1.01) for operation in gate.PLAN}
        return {name: (1e-6, 1e-6 * noise[name] * (factor if name == "book" else 1)) for name in gate.PLAN}

    monkeypatch.setattr(gate, "measure_pair", measured)
    assert gate.main(["HEAD", "--seed", "1"]) == status
    assert ("FAILED: book:" in capsys.readouterr().out) is bool(status)
