"""What the tests of the journal share: a history with every kind of change, and keys of six families."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import Calendar
from bookcore.persist import registry
from bookcore.persist.fs import FileSystem
from bookcore.testing.every_change import TYPES, Boat, Clock, Flat, Stay, every_change, register_boats

MEMORY = "/dev/shm"  # noqa: S108 - a directory of its own is made in it
START = datetime(2026, 3, 28, 12)
FAMILIES: dict[str, Callable[[int], Any]] = {
    "int": int,
    "Decimal": lambda n: Decimal(n) / 4,
    "str": lambda n: f"{n:04d}",
    "datetime": lambda n: START + n * timedelta(hours=1),
    "zone": lambda n: (START + n * timedelta(hours=1)).replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Paris")),
    "tuple": lambda n: (n // 5, n % 5),
}


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a registry of its own, which knows boats."""
    monkeypatch.setattr(registry, "_by_class", {})
    monkeypatch.setattr(registry, "_by_name", {})
    register_boats()


@pytest.fixture
def unsynced() -> Iterator[Path]:
    """Return a directory in memory, where there is one: for tests of many changes, each of which would wait for the disk."""
    with TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have a clock that goes on by a second with each record in a file; the first is a second after 2026-07-01 UTC."""
    seconds = [int(datetime(2026, 7, 1, tzinfo=UTC).timestamp())]

    def now(self: FileSystem) -> int:
        seconds[0] += 1
        return seconds[0] * 1_000_000

    monkeypatch.setattr(FileSystem, "now", now)
    return seconds


@pytest.fixture
def world() -> SimpleNamespace:
    """Return what this file defines, which test files cannot import."""
    return SimpleNamespace(Boat=Boat, Clock=Clock, Flat=Flat, Stay=Stay, TYPES=TYPES, families=FAMILIES, history=history)


def history(calendar: Calendar, clock: Clock, key: Callable[[int], Any]) -> Iterator[str]:
    """Change a calendar in every way there is; yield the name of each step, after it."""
    for name, change in every_change(clock, key):
        change(calendar)
        yield name
