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


class TestShared(JournalContract):
    """`Calendar.open` with the address of a SQLite file or a PostgreSQL database."""

    @pytest.fixture
    def new_place(self, address: str) -> Callable[[], str]:
        """Return addresses of journals that are not there yet."""
        numbers = count()
        return lambda: f"{address}-{next(numbers)}"

    @pytest.fixture(autouse=True)
    def _families(self, request: pytest.FixtureRequest) -> None:
        """Let a server have three families of keys: a record is bytes to it, and a file has those of all families."""
        given = request.node.callspec.params
        if given["address"] == "postgresql" and str(given.get("keys", "int")) not in ("int", "aware", "own"):
            pytest.skip("the records of this family are tried in a SQLite file")

    def opening(self, place: Any, **options: Any) -> Calendar:
        """Open without a follower and without syncs: nobody cuts the power."""
        return Calendar.open(place, **{"follow": False, "sync": "never", **options})

    def abandon(self, calendar: Calendar) -> None:
        """Cut the connections, as the end of a process does; nothing is written any more."""
        calendar._recorder.journal.close()

    @contextmanager
    def failing(self, calendar: Calendar) -> Iterator[None]:
        """Let no record be appended."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(calendar._recorder.journal, "append", _full)
            yield
