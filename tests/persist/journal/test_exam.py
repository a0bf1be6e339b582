"""The exam of all stores, with every calendar recording: a command as a block behaves as the command does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bookcore import Calendar, MemoryStore
from bookcore.changes import Change
from bookcore.engine.recording import RecordingEngine
from bookcore.testing import StoreContract


class Kept:
    """A journal that keeps the changes themselves."""

    def __init__(self) -> None:
        self.records: list[Sequence[Change]] = []

    def append(self, changes: Sequence[Change]) -> None:
        if changes:
            self.records.append(changes)

    def wait(self) -> None:
        """Have all on the disk already."""


class TestRecordingCalendars(StoreContract):
    """`MemoryStore`, in calendars that have a journal."""

    @pytest.fixture(autouse=True)
    def _recording(self, monkeypatch: pytest.MonkeyPatch) -> None:
        make = Calendar.__init__

        def recording(self: Calendar, *args: Any, **options: Any) -> None:
            make(self, *args, **options)
            self._engine.state.log.attach(Kept())
            self._engine = RecordingEngine(self._engine.state)

        monkeypatch.setattr(Calendar, "__init__", recording)

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()
