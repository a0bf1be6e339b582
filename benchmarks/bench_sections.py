"""Every section of ``python -m benchmarks.run``, once on little data: it measures, and its answers agree."""

from __future__ import annotations

import pytest

from benchmarks.context import Run
from benchmarks.peers import MissingError
from benchmarks.rows import Results
from benchmarks.sections import SECTIONS, measure


@pytest.mark.parametrize("name", SECTIONS)
def test_section(name: str) -> None:
    """A section gives rows or tables; what is not here is skipped with the reason."""
    run = Run("ci", Results("pytest", "ci"), rounds=1, apart=False, section=name)
    try:
        measure(name)(run)
    except MissingError as why:
        pytest.skip(str(why))
    assert run.results.rows or run.results.tables
