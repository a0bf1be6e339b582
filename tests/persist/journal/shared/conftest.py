"""What the tests of shared calendars share: an address of a new journal, and calendars that are closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bookcore import Calendar


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Return the address of a journal that is not there yet."""
    return f"sqlite:///{tmp_path}/rooms.db"


@pytest.fixture
def opened(address: str, world: Any) -> Iterator[Callable[..., Calendar]]:
    """Return a function that opens one more calendar on the journal, without a follower and without syncs."""
    calendars: list[Calendar] = []

    def open_one(**options: Any) -> Calendar:
        settings = {"types": world.TYPES, "follow": False, "sync": "never", **options}
        calendars.append(Calendar.open(address, **settings))
        return calendars[-1]

    yield open_one
    for calendar in calendars:
        calendar.check()
        calendar.close()
