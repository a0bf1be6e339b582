"""Shared journals pass the conformance suite of journals, as directories do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from bookcore import Calendar
from bookcore.persist.journal.errors import JournalError
from bookcore.testing import JournalContract


def _full(*_: Any, **__: Any) -> None:
    raise JournalError("rooms", "the disk is full")


@pytest.mark.usefixtures("three_families")
class TestShared(JournalContract):
    """`Calendar.open` with the address of a SQLite file or a PostgreSQL database."""

    @pytest.fixture
    def new_place(self, address: str) -> Callable[[], str]:
        """Return addresses of journals that are not there yet."""
        numbers = count()
        return lambda: f"{address}-{next(numbers)}"

    def opening(self, place: Any, **options: Any) -> Calendar:
        """Open without a follower and without syncs: nobody cuts the power."""
        opened: Calendar = Calendar.open(place, **{"follow": False, "sync": "never", **options})
        return opened

    def abandon(self, calendar: Calendar) -> None:
        """Cut the connections, as the end of a process does; nothing is written any more."""
        calendar._recorder.journal.close()

    @contextmanager
    def failing(self, calendar: Calendar) -> Iterator[None]:
        """Let no record be appended."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(calendar._recorder.journal, "append", _full)
            yield
