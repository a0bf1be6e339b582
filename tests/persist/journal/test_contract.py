"""The journal in a directory passes the conformance suite of journals, and a calendar whose journal has a fault does not."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bookcore import Calendar
from bookcore.changes import Change, Released
from bookcore.engine.state import CalendarState
from bookcore.persist.journal.directory import DirectoryJournal
from bookcore.persist.journal.opening import Recorder
from bookcore.persist.journal.records import Encoder, Replay
from bookcore.testing import JournalContract, family


class TestDirectories(JournalContract):
    """`Calendar.open(directory)`."""

    @pytest.fixture
    def new_place(self, unsynced: Path) -> Callable[[], Path]:
        """Return directories that are not there yet."""
        numbers = count()
        return lambda: unsynced / f"calendar-{next(numbers)}"

    def abandon(self, calendar: Calendar) -> None:
        """Leave descriptors closed, and nothing written, as a killed process does."""
        calendar._recorder.files.release()

    @contextmanager
    def failing(self, calendar: Calendar) -> Iterator[None]:
        """Let the disk be full."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(calendar._recorder.files.fs, "write", _full)
            yield


def _full(*_: Any) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


APPEND, ENCODE, BOOKED = Recorder.append, Encoder.encode, Replay._booked


def _loses_releases(self: Encoder, noted: Any) -> bytes:
    return ENCODE(self, [change for change in noted if not (isinstance(change, Released) and change.expired)])


def _a_record_for_each(self: Recorder, noted: Sequence[Change]) -> None:
    for change in noted:
        APPEND(self, [change])


def _one_more(self: Recorder, noted: Sequence[Change]) -> None:
    APPEND(self, noted)
    self.files.append(b"\0" * 8)


def _number_lost(self: Replay, *facts: Any) -> None:
    BOOKED(self, facts[0], self._state.ledger.last + 1, *facts[2:])


FAULTS: dict[str, tuple[Any, str, Any, str, tuple[Any, ...]]] = {
    "no record is written": (
        Recorder, "append", lambda *_: None, "test_a_command_is_one_record_and_so_is_a_transaction", ()),
    "each change is a record": (
        Recorder, "append", _a_record_for_each, "test_a_command_is_one_record_and_so_is_a_transaction", ()),
    "a command has two records": (
        Recorder, "append", _one_more, "test_what_changes_nothing_appends_nothing", ()),
    "what a question released is lost": (
        Encoder, "encode", _loses_releases, "test_what_a_question_releases_is_in_the_next_record", ("book",)),
    "labels are not applied": (
        Replay, "_tagged", lambda *_: None, "test_a_history_goes_on_where_it_was_left", (family("int"),)),
    "bookings get other numbers": (
        Replay, "_booked", _number_lost, "test_a_history_goes_on_where_it_was_left", (family("int"),)),
    "what is not written stays": (
        CalendarState, "_roll_back", lambda *_: None, "test_a_record_that_cannot_be_written_changes_nothing", ()),
    "a value that cannot be written stays": (
        CalendarState, "_roll_back", lambda *_: None, "test_a_value_that_no_record_holds_is_refused", (object(),)),
    "closing keeps the place": (
        DirectoryJournal, "release", lambda *_: None, "test_a_closed_calendar_answers_and_refuses_changes", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_journal_fails_the_promise_it_breaks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right one keeps it, so the fault is what is noticed."""
    owner, what, faulty, promise, args = FAULTS[name]
    numbers = count()
    exam, places = TestDirectories(), lambda: tmp_path / str(next(numbers))
    getattr(exam, promise)(places, *args)
    monkeypatch.setattr(owner, what, faulty)
    with pytest.raises((Exception, pytest.fail.Exception)):
        getattr(exam, promise)(places, *args)
