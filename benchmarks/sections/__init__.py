"""The parts of a run, by the name that ``--only`` takes. Each has a ``measure(run)``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.context import Run

__all__ = ["SECTIONS", "measure"]

SECTIONS = (
    "queries", "book", "load", "memory", "snapshot", "composed", "growth", "shapes", "real", "life", "durable", "shared",
)  # fmt: skip


def measure(name: str) -> Callable[[Run], None]:
    """Return the section's ``measure``."""
    found: Callable[[Run], None] = importlib.import_module(f"benchmarks.sections.{name}").measure
    return found
