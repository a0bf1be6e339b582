"""`Calendar.open`: what was acknowledged is there again; what is not whole, or is another's, is refused and left alone."""

from __future__ import annotations

import copy
import errno
import gc
import logging
import os
import pickle
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    ConflictError,
    QueryError,
    Resource,
    SnapshotError,
    StoreError,
    changes,
)
from bookcore.persist.copying import copy_calendar
from bookcore.persist.fs import FileSystem
from bookcore.persist.history import read_log
from bookcore.persist.journal.directory import DirectoryJournal
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalVersionError,
)
from bookcore.persist.journal.frames import read_frames, read_header
from bookcore.persist.journal.verify import verify


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a directory but the one that says who holds it."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "LOCK"}


def kill(calendar: Calendar) -> None:
    """Leave a calendar as a killed process does: descriptors closed, nothing written."""
    calendar._recorder.files.release()


def booked(folder: Path, count: int = 3, **options: Any) -> Calendar:
    """Return an open calendar with a resource and so many bookings."""
    calendar = Calendar.open(folder, **options)
    room = calendar.add_resource(Resource("room"))
    for at in range(count):
        calendar.book(room, at, at + 1)
    return calendar


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    """Under every policy, what a call returned from is in the files."""
    for sync in ("always", "never"):
        calendar = booked(tmp_path / sync, sync=sync)
        digest, position = calendar.digest(), calendar.position
        kill(calendar)
        again = Calendar.open(tmp_path / sync, sync=sync)
        assert (again.digest(), again.position, position) == (digest, position, 4)
        kill(again)
        before = contents(tmp_path / sync)
        kill(Calendar.open(tmp_path / sync))  # a second recovery changes nothing
        assert contents(tmp_path / sync) == before


def test_subscribers_are_notified_after_the_record_is_written(tmp_path: Path) -> None:
    """A follower never hears of what the directory does not hold; what it changes in turn is recorded as well."""
    heard: list[tuple[str, int, int]] = []
    with Calendar.open(tmp_path) as calendar:
        files = calendar._recorder.files

        def hear(change: changes.Change) -> None:
            heard.append((type(change).__name__, files.position, files.synced))
            if isinstance(change, changes.ResourceAdded):
                calendar.book(change.resource, 1, 2)

        calendar.subscribe(hear)
        calendar.add_resource(Resource("room"))
        assert heard == [("ResourceAdded", 1, 1), ("Booked", 2, 2)]
    with Calendar.open(tmp_path) as again:
        assert len(again) == 1


def test_a_refused_command_keeps_what_ran_out(world: SimpleNamespace, tmp_path: Path) -> None:
    """Holds that ran out as a command began stay released although the command is refused."""
    clock = world.Clock(0)
    with booked(tmp_path, 1, clock=clock) as calendar:
        told: list[Any] = []
        calendar.hold("room", 5, 6, ttl=10)
        calendar.subscribe(told.append)
        clock.now = 10
        for _ in range(3):
            with pytest.raises(ConflictError):
                calendar.book("room", 0, 1)
        assert [type(change) for change in told] == [changes.Released]
        digest = calendar.digest()
    with Calendar.open(tmp_path) as again:
        assert again.digest() == digest


def test_checkpoints_keep_as_many_snapshots_as_asked_for(tmp_path: Path) -> None:
    """Older ones go, and the records that no snapshot needs; nothing is written where nothing has changed."""
    for keep in (1, 2, 3):
        folder = tmp_path / str(keep)
        with booked(folder, 1, keep=keep) as calendar:
            for at in range(10, 14):
                calendar.checkpoint()
                calendar.checkpoint()
                calendar.book("room", at, at + 1)
            digest = calendar.digest()
            snapshots = sorted(folder.glob("snap-*"))
            assert len(snapshots) == keep
            oldest = int(snapshots[0].stem[5:])
            assert sorted(int(path.stem[4:]) for path in folder.glob("wal-*")) == list(range(oldest + 1, 7))
        for _ in range(2):
            with Calendar.open(folder, keep=keep) as again:
                assert (again.digest(), again.position) == (digest, 6)


def test_a_file_that_is_large_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are spread over files, and read in order."""
    monkeypatch.setattr(DirectoryJournal, "largest", 500)
    with booked(tmp_path, 30) as calendar:
        digest = calendar.digest()
    assert len(list(tmp_path.glob("wal-*"))) > 3
    with Calendar.open(tmp_path) as again:
        assert again.digest() == digest
    sorted(tmp_path.glob("wal-*"))[1].unlink()
    with pytest.raises(JournalDamagedError, match="are gone"):
        Calendar.open(tmp_path)


def test_a_damaged_newest_snapshot_is_told_and_the_older_one_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost, and the log names the damaged file; the next checkpoint removes it."""
    with booked(tmp_path) as calendar:
        calendar.checkpoint()
        calendar.book("room", 50, 51)
        digest = calendar.digest()
    newest = max(tmp_path.glob("snap-*"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"x")
    with caplog.at_level(logging.ERROR), Calendar.open(tmp_path) as again:
        assert again.digest() == digest
        again.checkpoint()
        assert not newest.exists()
    assert newest.name in caplog.text
    with Calendar.open(tmp_path) as again:
        assert again.digest() == digest


def test_one_calendar_at_a_time_has_a_directory(tmp_path: Path) -> None:
    """The error names the process; the one that has it open is not disturbed."""
    with booked(tmp_path) as calendar:
        before = contents(tmp_path)
        with pytest.raises(JournalInUseError, match=rf"process {os.getpid()} on [^,]*, this one;") as caught:
            Calendar.open(tmp_path)
        assert (caught.value.pid, caught.value.here) == (os.getpid(), True)
        assert contents(tmp_path) == before
        calendar.book("room", 50, 51)
    with Calendar.open(tmp_path) as again:
        assert len(again) == 4


def test_one_calendar_at_a_time_has_a_directory_whose_lock_file_is_gone(tmp_path: Path) -> None:
    """The directory itself is locked: two calendars that both write one lose what the other has acknowledged."""
    with booked(tmp_path) as calendar:
        lock = tmp_path / "LOCK"
        text = lock.read_bytes()
        lock.unlink()
        with pytest.raises(JournalInUseError, match="is open in another process") as caught:
            Calendar.open(tmp_path)
        assert caught.value.pid is None
        assert not lock.exists()
        calendar.book("room", 50, 51)
        calendar._recorder.files.release()
    lock.write_bytes(text)
    with Calendar.open(tmp_path) as again:
        assert len(again) == 4


def test_a_lock_of_an_earlier_version_keeps_others_out(tmp_path: Path) -> None:
    """That version locks LOCK and not the directory."""
    booked(tmp_path).close()
    files = FileSystem()
    lock = files.lock(str(tmp_path / "LOCK"))
    for _ in range(2):  # a refusal leaves nothing locked
        with pytest.raises(JournalInUseError, match=f"process {os.getpid()} on "):
            Calendar.open(tmp_path)
    files.unlock(lock)
    Calendar.open(tmp_path).close()


def test_where_directories_cannot_be_locked_their_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network disk, which locks only what is open for writing."""
    import fcntl

    real = fcntl.flock

    def flock(fd: int, how: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with booked(tmp_path), pytest.raises(JournalInUseError, match=f"process {os.getpid()} on "):
        Calendar.open(tmp_path)
    with Calendar.open(tmp_path) as again:
        assert len(again) == 3


@pytest.mark.parametrize("call", ["lock_folder", "lock", "truncate", "write"])
def test_what_keeps_a_directory_from_being_locked_is_the_cause_of_the_error(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = PermissionError(errno.EACCES, "Permission denied")
    monkeypatch.setattr(FileSystem, call, Mock(side_effect=fault))
    with pytest.raises(JournalError, match="cannot be locked: Permission denied") as caught:
        Calendar.open(tmp_path)
    assert caught.value.__cause__ is fault
    monkeypatch.undo()
    Calendar.open(tmp_path).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_may_ask_and_not_change(tmp_path: Path) -> None:
    """It is refused by name, and what it ends does not touch the directory of the other."""
    with booked(tmp_path) as calendar:
        before = contents(tmp_path)
        reads, writes = os.pipe()
        child = os.fork()
        if not child:
            told = "nothing"
            try:
                assert not calendar.is_available("room", 0, 1)
                calendar.book("room", 70, 71)
            except JournalClosedError as error:
                told = f"{error.reason} {len(calendar)}"
                calendar.close()
            finally:
                os.write(writes, told.encode())
                os._exit(0)
        os.waitpid(child, 0)
        told = os.read(reads, 1000).decode()
        os.close(reads)
        os.close(writes)
        assert f"process {os.getpid()} has it open" in told
        assert told.endswith(" 3")
        assert contents(tmp_path) == before
        calendar.book("room", 50, 51)
        with pytest.raises(JournalInUseError):
            Calendar.open(tmp_path)
    with Calendar.open(tmp_path) as again:
        assert len(again) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_closing_unlocks_the_directory_although_a_forked_process_lives(tmp_path: Path) -> None:
    """The child shares the open file, and with it the lock of the system."""
    calendar = booked(tmp_path)
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        os.close(writes)
        os.read(reads, 1)  # until the parent has closed its end
        os._exit(0)
    os.close(reads)
    try:
        calendar.close()
        with Calendar.open(tmp_path) as again:
            assert len(again) == 3
    finally:
        os.close(writes)
        os.waitpid(child, 0)


def test_threads_that_wait_share_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one sync runs, all others append; the next sync is for all of them."""
    syncs: list[int] = []
    written, threads = threading.Event(), 8
    append, sync = DirectoryJournal.append, FileSystem.sync_data
    appended: list[int] = []

    def counted(self: DirectoryJournal, record: bytes) -> None:
        append(self, record)
        appended.append(1)
        if len(appended) == threads:
            written.set()

    def slow(self: FileSystem, fd: int) -> None:
        syncs.append(fd)
        assert written.wait(60)
        sync(self, fd)

    with booked(tmp_path, 0) as calendar:
        monkeypatch.setattr(DirectoryJournal, "append", counted)
        monkeypatch.setattr(FileSystem, "sync_data", slow)
        work = [threading.Thread(target=calendar.book, args=("room", at, at + 1)) for at in range(threads)]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert len(calendar) == threads
        assert len(syncs) == 2


def test_a_change_that_no_file_could_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, and nothing has changed, in memory or in the directory."""
    with booked(tmp_path) as calendar:
        before, digest = contents(tmp_path), calendar.digest()
        monkeypatch.setattr(DirectoryJournal, "most", 200)
        with pytest.raises(JournalError, match="divide it"):
            calendar.book("room", 50, 51, note="x" * 500)
        assert (contents(tmp_path), calendar.digest()) == (before, digest)
        calendar.book("room", 50, 51)
    with Calendar.open(tmp_path) as again:
        assert len(again) == 4


def test_after_shutting_down_questions_are_answered_and_changes_refused(tmp_path: Path) -> None:
    """So they are after a block that raised; the directory is free in either case."""
    for raises in (False, True):
        with pytest.raises(ZeroDivisionError) if raises else pytest.raises(JournalClosedError, match="it was closed"):
            with booked(tmp_path / str(raises)) as calendar:
                if raises:
                    raise ZeroDivisionError
            calendar.close()
            digest = calendar.digest()
            assert not calendar.is_available("room", 0, 1)
            for change in (
                lambda: calendar.remove_booking(1),
                lambda: calendar.tag("room", "sea"),
                lambda: calendar.add_resource(Resource("new")),
                lambda: calendar.load([BookingEvent("room", at, at + 1) for at in range(50, 90)]),
                calendar.checkpoint,
            ):
                with pytest.raises(JournalClosedError):
                    change()
                assert calendar.digest() == digest
                calendar.check()
            calendar.book("room", 8, 9)
        with Calendar.open(tmp_path / str(raises)) as again:
            assert len(again) == 3


def test_a_calendar_says_where_it_is_kept(tmp_path: Path) -> None:
    """Also one that shows the past, and one of a database."""
    with booked(tmp_path / "rooms") as calendar, Calendar.open(f"sqlite:///{tmp_path}/rooms.db") as shared:
        assert repr(calendar).endswith(f", in a MemoryStore, kept in {tmp_path / 'rooms'}>")
        assert repr(Calendar.open(tmp_path / "rooms", as_of=1)).endswith(f", kept in {tmp_path / 'rooms'}>")
        assert repr(shared).endswith("rooms.db>")
    assert repr(Calendar()).endswith(", in a MemoryStore>")


def test_a_calendar_that_was_dropped_unlocks_its_directory(tmp_path: Path) -> None:
    """Without having been shut down it leaves what a crash leaves, which is whole."""
    calendar = booked(tmp_path)
    del calendar
    gc.collect()  # a calendar and its parts refer to each other
    with Calendar.open(tmp_path) as again:
        assert len(again) == 3


def test_a_calendar_without_a_journal_says_so() -> None:
    """It has no position, and nothing to shut down."""
    calendar = Calendar()
    calls: list[Callable[[], Any]] = [
        lambda: calendar.position, calendar.checkpoint, calendar.barrier, calendar.close, calendar.__enter__,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(QueryError, match=r"Calendar.open\(directory\)"):
            call()


ARGUMENTS: list[dict[str, Any]] = [
    {"sync": "Batch"}, {"sync": "Always"}, {"sync": None}, {"sync": True}, {"bounds": "()"}, {"bounds": 3},
    {"keep": 0}, {"keep": True}, {"keep": 2.0}, {"keep": None}, {"create": 1}, {"create": None},
    {"clock": 3}, {"resource_key": "id"}, {"keys": "dates"}, {"keys": 4}, {"progress": 7}, {"progress": "bar"},
]  # fmt: skip


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=repr)
def test_an_invalid_argument_is_refused_before_anything_is_made(arguments: dict[str, Any], tmp_path: Path) -> None:
    """`batch` is not built yet, and so it is refused as well."""
    with pytest.raises(QueryError):
        Calendar.open(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("call", [Calendar.open, read_log, verify, lambda path: copy_calendar(path, path)], ids=range(4))
@pytest.mark.parametrize("path", ["", "  ", "\t", b"", "\0", 3.5, object(), None], ids=range(8))
def test_what_is_no_place_is_refused(path: Any, call: Any) -> None:
    """Nothing is made of it; the error says what an address looks like."""
    what = "an address is empty" if isinstance(path, str) and not path.strip() else "not a path"
    way = r": write postgresql://user@host/database, sqlite:///path or dbzero:///path, or the path of a directory"
    with pytest.raises(JournalError, match=what + ".*" + way):
        call(path)


def _foreign(folder: Path) -> None:
    (folder / "letter.txt").write_text("dear")


def _remove(pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for path in sorted(folder.glob(pattern)):
            path.unlink()

    return damage


def _rename(old: str, new: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        next(folder.glob(old)).rename(folder / new)

    return damage


def _newer(folder: Path) -> None:
    from zlib import crc32

    path = max(folder.glob("wal-*"))
    data = path.read_bytes()
    head = data[:8] + b"\2\0" + data[10:36]
    path.write_bytes(head + crc32(head).to_bytes(4, "little") + data[40:])


def _mix(pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        other = folder.parent / "other"
        with booked(other) as calendar:
            calendar.checkpoint()
            calendar.book("room", 50, 51)
        path = max(other.glob(pattern))
        (folder / path.name).write_bytes(path.read_bytes())

    return damage


def _folder_for(pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = max(folder.glob(pattern))
        path.unlink()
        path.mkdir()

    return damage


BROKEN: dict[str, tuple[Callable[[Path], Any], type[BookcoreError]]] = {
    "all snapshots gone": (_remove("snap-*"), JournalDamagedError),
    "all records gone": (_remove("wal-*"), JournalDamagedError),
    "last records gone": (_remove("wal-*05.bkj"), JournalDamagedError),
    "all but CLEAN gone": (_remove("*-*"), JournalDamagedError),
    "records renamed": (_rename("wal-*05.bkj", f"wal-{6:020}.bkj"), JournalDamagedError),
    "snapshot renamed": (lambda f: (_remove("snap-*00.bks")(f), _rename("snap-*", f"snap-{3:020}.bks")(f)), SnapshotError),
    "a newer format": (_newer, JournalVersionError),
    "records of another calendar": (_mix("wal-*"), JournalDamagedError),
    "CLEAN of another calendar": (_mix("CLEAN"), JournalDamagedError),
    "a snapshot of another calendar": (_mix("snap-*"), JournalDamagedError),
    "CLEAN cut": (lambda f: (f / "CLEAN").write_bytes(b""), JournalDamagedError),
    "a folder for the records": (_folder_for("wal-*"), JournalError),
    "a folder for CLEAN": (_folder_for("CLEAN"), JournalError),
    "a folder for the snapshot": (_folder_for("snap-*"), SnapshotError),
    "LOCK is a folder": (_folder_for("LOCK"), JournalError),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_directory_that_is_not_whole_is_refused_and_left_as_it_is(name: str, tmp_path: Path) -> None:
    """The error says what is wrong, is one of ours, travels, and the second attempt says the same."""
    folder = tmp_path / "store"
    with booked(folder) as calendar:
        calendar.checkpoint()
        calendar.book("room", 50, 51)
    damage, error = BROKEN[name]
    damage(folder)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != "LOCK"}
    for _ in range(2):
        with pytest.raises(error) as caught:
            Calendar.open(folder)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(copy.copy(caught.value)) == str(caught.value)  # noqa: S301
        assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != "LOCK"} == before


def test_a_directory_of_others_is_refused_and_no_file_made(tmp_path: Path) -> None:
    """A new calendar takes an empty directory, or makes one whose parent is there."""
    _foreign(tmp_path)
    with pytest.raises(JournalError, match=r"letter\.txt"):
        Calendar.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(JournalError, match="is not a directory"):
        Calendar.open(tmp_path / "letter.txt")
    with pytest.raises(JournalError, match="cannot be opened"):
        Calendar.open(tmp_path / "no" / "such")
    for path in (tmp_path / "new", tmp_path / "empty"):
        if path.name == "empty":
            path.mkdir()
        with pytest.raises(JournalError, match="create is false"):
            Calendar.open(path, create=False)
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "empty").iterdir()) == []
    with booked(tmp_path / "new"):
        pass
    _foreign(tmp_path / "new")  # beside a calendar, files of others are left alone
    with Calendar.open(tmp_path / "new", create=False) as again:
        assert len(again) == 3


def test_times_of_records_never_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the machine may be set back, in one process or between two, and before or after a checkpoint."""
    times = iter([50, 60, 40, 70, 30, 20, 80])
    monkeypatch.setattr(FileSystem, "now", lambda _: next(times))
    with Calendar.open(tmp_path) as calendar:  # begun at 50
        for label in "abc":
            calendar.add_resource(Resource(label))
    with Calendar.open(tmp_path) as calendar:
        calendar.add_resource(Resource("d"))
        calendar.checkpoint()
    with Calendar.open(tmp_path) as calendar:
        calendar.add_resource(Resource("e"))
        calendar.add_resource(Resource("f"))
    found = []
    for path in sorted(tmp_path.glob("wal-*")):
        data = path.read_bytes()
        head = read_header(data)
        assert head is not None
        found.append((head.time, [each.time for each in read_frames(data, head.store_id, head.first).records]))
    assert found == [(50, [60, 60, 70, 70]), (70, [70, 80])]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    """Opening is for writing."""
    with booked(tmp_path / "store"):
        pass
    (tmp_path / "store").chmod(0o500)
    with pytest.raises(JournalError):
        Calendar.open(tmp_path / "store")


def test_errors_are_store_errors() -> None:
    """A program that catches `StoreError` catches them."""
    for cls in (JournalClosedError, JournalDamagedError, JournalError, JournalInUseError, JournalVersionError):
        assert issubclass(cls, StoreError)


def test_a_number_that_no_file_can_have_is_no_name_of_ours(tmp_path: Path) -> None:
    """A file has eight bytes for its number; the file is another's, and is left alone."""
    with booked(tmp_path):
        pass
    for name in (f"snap-{'9' * 20}.bks", f"wal-{1 << 63:020}.bkj", f"snap-{1 << 64:020}.bks"):
        (tmp_path / name).write_bytes(b"")
    with Calendar.open(tmp_path) as again:
        assert len(again) == 3
        again.book("room", 50, 51)
        again.checkpoint()
    assert len(list(tmp_path.glob("*"))) == 9
