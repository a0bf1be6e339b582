"""What is not finished: a transaction that nobody ends, closing that is cut off, a short life, a write on no disk yet."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, Resource
from bookcore.persist.journal.errors import JournalClosedError, JournalError
from bookcore.persist.shared import recorder, seam
from bookcore.testing.cutting import cut_off

Open = Callable[..., Calendar]


def test_a_transaction_that_nobody_ends_keeps_no_other_process_waiting(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The follower undoes it, though the process does nothing any more."""
    idle, other = opened(follow=True), opened(timeout=15)
    idle.add_resource(Resource("room"))
    idle._recorder.swelling = False
    with monkeypatch.context() as patch:  # and no news: then the follower has nothing else to do
        patch.setattr(recorder.SharedRecorder, "catch_up", lambda _: None)
        forgotten = idle.transaction()
        forgotten.__enter__()
        idle.book("room", 1, 2)
        del forgotten
        gc.collect()
        stay = other.book("room", 1, 2)
    idle.wait_for(other.position)
    assert [event.id for event in idle.bookings()] == [stay.id]


@pytest.mark.parametrize("follow", [False, True])
def test_closing_that_was_cut_off_is_finished_when_it_is_called_again(follow: bool, opened: Open) -> None:
    """Wherever it was. Nothing that it leaves keeps a later call, or the end of the program, waiting."""
    nth, places = 0, 0
    while places == nth:
        nth += 1
        calendar = opened(follow=follow)
        places = cut_off(calendar.close, nth)
        again = threading.Thread(target=calendar.close, daemon=True)
        again.start()
        again.join(30)
        assert not again.is_alive(), nth
        with pytest.raises(JournalClosedError):
            calendar.lag()
        journal = calendar._recorder.journal
        assert not any(getattr(journal, name, None) for name in ("_writer", "_reader", "_connections")), nth
    assert nth > 20


def test_processes_that_end_soon_write_checkpoints_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When they are closed, if the follower has not come to it; else each would read more than the one before."""
    monkeypatch.setattr(seam, "LEAST", 2000)
    monkeypatch.setattr(recorder, "ASKING", 1000)
    monkeypatch.setattr(recorder.SharedRecorder, "end_lost_block", lambda _: threading.Event().wait(60))  # it is late
    address = f"sqlite:///{tmp_path}/rooms.db"
    for at in range(12):
        with Calendar.open(address, follow=False) as calendar:
            if not at:
                calendar.add_resource(Resource("room"))
            calendar.book("room", at, at + 1, note="x" * 300)
    with Calendar.open(address) as calendar:
        calendar.load([BookingEvent("room", at, at + 1, note="x" * 20) for at in range(100, 400)])
    with sqlite3.connect(tmp_path / "rooms.db") as connection:
        (newest,) = connection.execute("SELECT max(position) FROM checkpoint").fetchone()
    connection.close()
    assert newest == calendar.position


def test_a_command_does_not_have_all_records_added_up(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a checkpoint is due is asked after as many bytes as are worth it, and by one that opens after them as well."""
    asked: list[int] = []
    monkeypatch.setattr(recorder, "ASKING", 4000)
    one = opened()
    monkeypatch.setattr(type(one._recorder.journal), "outgrown", lambda _: asked.append(one.position))
    one.add_resource(Resource("room"))
    for at in range(300):
        one.book("room", at, at + 1)
    assert 1 <= len(asked) <= 4
    other = opened()
    before = len(asked)
    other.book("room", 1000, 1001)
    assert len(asked) == before + 1


def test_a_barrier_syncs_the_file_also_while_another_program_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own checkpoint would do nothing then."""
    synced: list[str] = []

    def note(fd: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("the system does not tell which file a descriptor is of")
    with Calendar.open(f"sqlite:///{tmp_path}/rooms.db", sync="never") as calendar:
        calendar.add_resource(Resource("room"))
        reader = sqlite3.connect(tmp_path / "rooms.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM change").fetchall()
        calendar.book("room", 1, 2)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", note)
            calendar.barrier()
            with calendar.transaction():
                calendar.barrier()
        reader.close()
    assert synced == ["rooms.db-wal", tmp_path.name] * 2


def test_a_barrier_tells_that_the_disk_did_not_confirm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an error of the journal."""

    def fail(_: Any) -> None:
        raise OSError("the disk is gone")

    with Calendar.open(f"sqlite:///{tmp_path}/rooms.db", sync="never") as calendar, monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(JournalError, match="may not be on the disk: the disk is gone"):
            calendar.barrier()
