"""The exam of all stores, with every calendar recording, and many in a directory, which is opened anew at random steps.

A command as a block behaves as the command does; and what was recorded so far makes the same calendar, at any time. Some
promises are about objects that no record holds: from the first of these on, a calendar keeps its changes in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any
from weakref import ref

import pytest

from bookcore import Calendar, MemoryStore, SnapshotError
from bookcore.changes import Change
from bookcore.engine.recording import RecordingEngine
from bookcore.persist.journal.opening import open_calendar
from bookcore.testing import StoreContract
from bookcore.testing.simulated_files import SimulatedFiles

_INIT = Calendar.__init__


class Kept:
    """A journal that keeps the changes themselves."""

    def __init__(self) -> None:
        self.records: list[Sequence[Change]] = []

    def append(self, changes: Sequence[Change]) -> None:
        """Keep them."""
        if changes:
            self.records.append(changes)

    def wait(self) -> None:
        """Have all on the disk already."""

    def open_anew(self) -> None:
        """Open nothing."""


def plain(**options: Any) -> tuple[Calendar, Any]:
    """Make a calendar that has no journal yet."""
    calendar: Calendar = Calendar.__new__(Calendar)
    _INIT(calendar, **options)
    return calendar, calendar._engine.state


class Reopened:
    """The journal of one calendar: a directory, from which another calendar is opened now and then."""

    def __init__(self, calendar: Calendar, rng: Random) -> None:
        self.calendar, self.fs, self.rng = ref(calendar), SimulatedFiles(), rng
        state = calendar._engine.state
        self.options: Any = {"bounds": calendar.bounds, "event_type": state.event_type}
        _, self.recorder = open_calendar(lambda **_: (calendar, state), "store", fs=self.fs, **self.options)
        self.is_written, self.types = True, set[type]()

    def append(self, changes: Sequence[Change]) -> None:
        """Write a record, as long as there is none that cannot be written."""
        if self.is_written:
            for change in changes:
                self.types |= {type(getattr(change, name)) for name in ("resource", "event") if hasattr(change, name)}
            try:
                self.recorder.append(changes)
            except SnapshotError:
                self.is_written = False

    def wait(self) -> None:
        """Have all on the disk, and open it anew at random."""
        if self.is_written:
            self.recorder.wait()
            if self.rng.random() < 0.02:
                self.open_anew()

    def open_anew(self) -> None:
        """Compare the calendar with what a process would open that begins now."""
        calendar = self.calendar()
        if calendar is None or threading.active_count() > 1:
            return
        gate, log = calendar._engine.state.gate, calendar._engine.state.log
        if gate.mode or gate.depth or gate.block is not None or not self.is_written:
            return
        digest = calendar.digest()
        if log.pending:  # which a question has found to have run out: it is in the next record
            return
        again, recorder = open_calendar(plain, "store", fs=self.fs.killed(), types=self.types, **self.options)
        recorder.files.release()
        for old, new in zip(calendar.resources, again.resources, strict=True):
            if any(getattr(old, name, None) != getattr(new, name, None) for name in ("id", "capacity", "before", "after")):
                return  # the object was changed, and the digest would speak of it
            if hasattr(old, "__dict__"):  # nor is what was assigned to it after it had been added in any record
                vars(new).update(vars(old))
        assert (recorder.position, again.digest()) == (self.recorder.position, digest)


class TestOpenedCalendars(StoreContract):
    """`MemoryStore`, in calendars that have a journal."""

    @pytest.fixture(autouse=True)
    def _opened(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        made, rng = list[Kept | Reopened](), Random(request.node.name)

        def opened(self: Calendar, *args: Any, **options: Any) -> None:
            _INIT(self, *args, **options)
            # the first of each promise is in a directory; of random histories there are hundreds
            journal = Reopened(self, rng) if not made or rng.random() < 0.1 else Kept()
            self._engine.state.log.attach(journal)
            self._engine = RecordingEngine(self._engine.state)
            made.append(journal)

        monkeypatch.setattr(Calendar, "__init__", opened)
        yield
        for each in made:
            each.open_anew()

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()
