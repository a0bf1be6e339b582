"""Verifying, copying and salvaging a directory: nothing of it is changed, and whatever is wrong is told with its place."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import BookcoreError, Calendar, QueryError, Resource, SnapshotError, copy_calendar
from bookcore.persist.codec.columns import encode_column
from bookcore.persist.errors import SnapshotKeyError, SnapshotTypeError
from bookcore.persist.fs import FileSystem
from bookcore.persist.history import read_log
from bookcore.persist.journal import copying, directory
from bookcore.persist.journal.copying import backup, salvage
from bookcore.persist.journal.directory import DirectoryJournal
from bookcore.persist.journal.errors import (
    JournalDamagedError,
    JournalError,
    JournalReadOnlyError,
    JournalVersionError,
)
from bookcore.persist.journal.frames import FRAME_SIZE, HEADER_SIZE, frame, header, read_frames
from bookcore.persist.journal.verify import verify
from bookcore.persist.shared.opening import upgrade

KEY = b"secret"
WRONG: Any = 7


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def kill(calendar: Calendar) -> None:
    calendar._recorder.files.release()


def store(folder: Path, **options: Any) -> Calendar:
    """Return an open calendar: records 1 to 4, a snapshot, and records 5 to 8."""
    calendar = Calendar.open(folder, **options)
    room = calendar.add_resource(Resource("room"))
    for at in range(7):
        if at == 3:
            calendar.checkpoint()
        calendar.book(room, at, at + 1, id=f"b{at}", guest="Ada" * at)
    return calendar


def last(folder: Path, pattern: str = "wal-*") -> Path:
    return max(folder.glob(pattern))


def places(path: Path) -> list[Any]:
    data = path.read_bytes()
    return read_frames(data, data[12:20], int(path.stem[4:])).records


def damage(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def test_a_whole_directory_is_verified_and_nothing_of_it_changes(tmp_path: Path) -> None:
    """While it is in use, after a crash, after it was shut down, and where it may not be written."""
    calendar = store(tmp_path)
    for state in ("open", "killed", "shut", "read-only"):
        if state == "killed":
            kill(calendar)
            kill(Calendar.open(tmp_path))
        if state == "shut":
            Calendar.open(tmp_path).close()
        if state == "read-only":
            tmp_path.chmod(0o500)
        before = contents(tmp_path)
        found = verify(tmp_path)
        assert (found.is_whole, found.position, found.begins, found.records) == (True, 8, 0, 8), state
        assert (found.snapshots, found.files) == ((0, 4), (1, 5))
        assert found.time is not None
        assert found.notes == (() if state in ("shut", "read-only") else ("it was never shut down",))
        assert contents(tmp_path) == before
    tmp_path.chmod(0o700)


def test_no_class_of_the_program_is_needed(world: SimpleNamespace, tmp_path: Path) -> None:
    """Classes are stood in for; a value that writes itself is told not to have been looked into, and is no damage."""
    from bookcore.persist import registry

    clock = world.Clock(0)
    with Calendar.open(tmp_path, types=world.TYPES, clock=clock) as calendar:
        for number, _ in enumerate(world.history(calendar, clock, int)):
            if number == 8:
                calendar.checkpoint()
        digest = calendar.digest()
    found = verify(tmp_path)
    assert (found.damage, found.notes, found.position) == ((), (), calendar.position)
    saved = salvage(tmp_path, tmp_path.parent / "saved")
    assert saved.is_complete
    with Calendar.open(tmp_path.parent / "saved", types=world.TYPES) as again:
        assert again.digest() == digest
    assert backup(tmp_path, tmp_path.parent / "copy").notes == ()
    registry._by_name.clear()
    found = verify(tmp_path)
    assert found.damage == ()
    assert found.position == calendar.position
    assert any("Boat" in note for note in found.notes)
    with pytest.raises(SnapshotTypeError, match="Boat"):
        salvage(tmp_path, tmp_path.parent / "other")
    assert not (tmp_path.parent / "other").exists()


def _three(folder: Path, to: Path, **options: Any) -> list[Callable[[], Any]]:
    """Return calls of all three."""
    both = [partial(call, folder, to, **options) for call in (backup, salvage)]
    return [partial(verify, folder, **options), *both]


def _cut(folder: Path) -> None:
    path = last(folder)
    path.write_bytes(path.read_bytes()[: places(path)[-1].at])


def _folder(folder: Path) -> None:
    last(folder).unlink()
    (folder / f"wal-{5:020}.bkj").mkdir()


DAMAGE: dict[str, tuple[Callable[[Path], Any], int | None, str, str, list[int]]] = {
    "a record": (lambda f: damage(last(f), places(last(f))[1].at), 5, "wal-*05", "record 6 is damaged", [6]),
    "a frame": (lambda f: damage(last(f), places(last(f))[2].at - FRAME_SIZE), 6, "wal-*05", "record 7 is damaged", [7]),
    "the last record": (_cut, 7, "", "had 8 records", [8]),
    "a header": (lambda f: damage(last(f), 12), 8, "wal-*05", "header is damaged", []),
    "an older record": (lambda f: damage(min(f.glob("wal-*")), 90), 8, "wal-*01", "record 1 is damaged", []),
    "the newest snapshot": (lambda f: damage(last(f, "snap-*"), 90), 8, "snap-*04", "digest does not match", []),
    "the oldest snapshot": (lambda f: damage(min(f.glob("snap-*")), 90), 8, "snap-*00", "digest does not match", []),
    "no last file": (lambda f: last(f).unlink(), 4, "", "the records from 5 on are gone", [5, 6, 7, 8]),
    "a folder for a file": (_folder, 4, "wal-*05", "", [5, 6, 7, 8]),
    "CLEAN": (lambda f: damage(f / "CLEAN", 9), 8, "CLEAN", "not what was written", []),
    "renamed": (lambda f: last(f).rename(f / f"wal-{9:020}.bkj"), 4, "", "", [5, 6, 7, 8]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told_with_its_place_and_the_rest_saved(name: str, tmp_path: Path) -> None:
    """By file and offset; what still follows is in the new directory, and opens; the old one stays as it is."""
    folder = tmp_path / "store"
    digests = [""] * 9
    with store(folder) as calendar:
        digests[8] = calendar.digest()
    for position in range(8):
        digests[position] = Calendar.open(folder, as_of=position).digest()
    hurt, reached, pattern, text, lost = DAMAGE[name]
    hurt(folder)
    before = contents(folder)
    found = verify(folder)
    assert not found.is_whole
    assert found.position == reached
    told = [error for error in found.damage if text in str(error)]
    assert told, found.damage
    if pattern:
        assert any(Path(getattr(error, "path", "")).match(f"*/{pattern}*") for error in told)
    assert [str(error) for error in pickle.loads(pickle.dumps(found.damage))] == list(map(str, found.damage))  # noqa: S301
    with pytest.raises((JournalError, SnapshotError)):
        backup(folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    saved = salvage(folder, tmp_path / "saved")
    with Calendar.open(folder, salvage=True) as shown, Calendar.open(tmp_path / "saved") as again:
        assert shown.digest() == again.digest()
        assert shown.salvaged is not None
        assert (shown.salvaged.to, repr(replace(shown.salvaged, to=saved.to))) == (None, repr(saved))
        with pytest.raises(JournalReadOnlyError, match="salvage=True"):
            shown.add_resource(Resource("new"))
        shown.check()
    assert contents(folder) == before
    with Calendar.open(tmp_path / "saved") as again:
        again.check()
        gone = [number for first, end in saved.missing for number in range(first, end + 1)]
        assert {*gone, *saved.skipped} >= {*lost}
        if lost:
            assert sorted(event.id for event in again.bookings()) == [f"b{n - 2}" for n in range(2, 9) if n not in lost]
        elif reached == 8:
            assert again.digest() == digests[8]
        again.book("room", 100, 101)
    assert verify(tmp_path / "saved").is_whole


def test_without_any_snapshot_the_records_are_saved(tmp_path: Path) -> None:
    """From the first on, if they are there; if not, what does not follow is listed."""
    with store(tmp_path / "store") as calendar:
        digest = calendar.digest()
    for path in (tmp_path / "store").glob("snap-*"):
        path.unlink()
    found = verify(tmp_path / "store")
    assert (found.position, found.begins, found.records) == (None, None, 8)
    with pytest.raises(JournalDamagedError, match="snapshots are gone"):
        backup(tmp_path / "store", tmp_path / "copy")
    saved = salvage(tmp_path / "store", tmp_path / "one")
    assert (saved.start, saved.applied, saved.position) == (None, 8, 8)
    assert Calendar.open(tmp_path / "one").digest() == digest
    min((tmp_path / "store").glob("wal-*")).unlink()
    saved = salvage(tmp_path / "store", tmp_path / "two")
    assert (saved.applied, saved.missing, list(saved.skipped)) == (0, ((1, 4),), [5, 6, 7, 8])
    assert "a resource that is not registered" in str(saved.skipped[5])
    assert len(Calendar.open(tmp_path / "two").resources) == 0
    for path in (tmp_path / "store").glob("wal-*"):
        path.write_bytes(b"")
    assert verify(tmp_path / "store").position is None
    assert salvage(tmp_path / "store", tmp_path / "three").missing == ((1, 8),)


def test_what_is_shown_of_a_damaged_directory_takes_no_changes(tmp_path: Path) -> None:
    """Nor has it a clock, or a past; bounds that it has not are refused. Databases have means of their own."""
    with store(tmp_path) as calendar:
        digest = calendar.digest()
        assert calendar.salvaged is None
    assert Calendar().salvaged is None
    with Calendar.open(tmp_path, salvage=True, bounds="[)") as shown:
        assert (shown.digest(), shown.position, shown.salvaged and shown.salvaged.is_complete) == (digest, 8, True)
        for call in (shown.checkpoint, lambda: shown.book("room", 100, 101), lambda: shown.wait_for(9)):
            with pytest.raises(JournalReadOnlyError, match="salvage=True"):
                call()
        with shown.what_if():
            shown.book("room", 100, 101)
        assert shown.digest() == digest
    refused: list[dict[str, Any]] = [{"clock": lambda: 5}, {"as_of": 3}, {"salvage": 1}, {"bounds": "[]"}]
    for options in refused:
        with pytest.raises(JournalError if "bounds" in options else QueryError):
            Calendar.open(tmp_path, **{"salvage": True, **options})
    with pytest.raises(QueryError, match="as_of opens the state before"):
        Calendar.open(f"sqlite:///{tmp_path}/rooms.db", salvage=True)
    with pytest.raises(JournalError):
        Calendar.open(tmp_path / "nothing", salvage=True)


def test_bookings_whose_place_was_given_up_by_a_lost_record_are_left_out(tmp_path: Path) -> None:
    """In a room and in one of capacity, when they are booked, moved or changed; the calendar holds what it may."""
    folder = tmp_path / "store"
    with Calendar.open(folder) as calendar:
        room, hall = calendar.add_resource(Resource("room")), calendar.add_resource(Resource("hall"), capacity=2)
        calendar.book(room, 1, 2, id="a")
        calendar.book(hall, 1, 2, id="b", quantity=2)
        calendar.book(hall, 5, 6, id="d")
        with calendar.transaction():  # record 6, which is lost
            calendar.remove_booking("a")
            calendar.remove_booking("b")
        calendar.book(room, 1, 2, id="c")
        calendar.book(hall, 1, 2, id="e")
        calendar.move("d", start=1, end=2)
        calendar.book(hall, 8, 9, id="f")
        with calendar.transaction():
            calendar.remove_booking(calendar.book(hall, 20, 21))
            calendar.change("f", quantity=2)
        calendar.tag(room, "sea")
    path = last(folder)
    damage(path, places(path)[5].at)
    saved = salvage(folder, tmp_path / "saved")
    assert saved.missing == ((6, 6),)
    assert list(saved.skipped) == [7, 8, 9]
    assert all(str(path) in str(error) for error in saved.skipped.values())
    with Calendar.open(tmp_path / "saved") as again:
        again.check()
        assert [event.id for event in again.bookings()] == ["a", "b", "d", "f"]
        assert again.tags_of("room") == {"sea"}


def test_a_file_of_a_newer_format_and_another_calendars_snapshot_are_told(tmp_path: Path) -> None:
    """By their errors; what they hold is not guessed."""
    from zlib import crc32

    with store(tmp_path / "store"):
        pass
    with store(tmp_path / "other") as other:
        other.checkpoint()
    path = last(tmp_path / "other", "snap-*")
    (tmp_path / "store" / path.name).write_bytes(path.read_bytes())
    found = verify(tmp_path / "store")
    assert any("another calendar" in str(error) for error in found.damage)
    path = last(tmp_path / "other")
    data = path.read_bytes()
    head = data[:8] + b"\2\0" + data[10:36]
    path.write_bytes(head + crc32(head).to_bytes(4, "little") + data[40:])
    assert [type(error) for error in verify(tmp_path / "other").damage] == [JournalVersionError]


def test_what_is_no_directory_of_a_calendar_is_refused(tmp_path: Path) -> None:
    """By all three, and no directory is made."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    with store(tmp_path / "store"):
        pass
    for where in ("empty", "file", "none"):
        for call in _three(tmp_path / where, tmp_path / "to"):
            with pytest.raises(JournalError):
                call()
    for to in ("store", "file", "none/deep", "store/deep"):
        before = contents(tmp_path / "store")
        for call in _three(tmp_path / "store", tmp_path / to)[1:]:
            with pytest.raises(JournalError):
                call()
        assert contents(tmp_path / "store") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "store"]
    assert backup(tmp_path / "store", tmp_path / "empty").is_whole


def test_a_sealed_directory_needs_its_key(tmp_path: Path) -> None:
    """The copy is sealed by the same one, and so is what was saved."""
    with store(tmp_path / "store", key=KEY) as calendar:
        digest = calendar.digest()
    for key in (None, b"other"):
        for number in range(3):
            with pytest.raises(SnapshotKeyError):
                _three(tmp_path / "store", tmp_path / "x", key=key)[number]()
    assert not (tmp_path / "x").exists()
    assert verify(tmp_path / "store", key=KEY).is_whole
    assert backup(tmp_path / "store", tmp_path / "copy", key=KEY).is_whole
    assert salvage(tmp_path / "store", tmp_path / "saved", key=KEY).is_complete
    for to in ("copy", "saved"):
        with pytest.raises(SnapshotKeyError):
            Calendar.open(tmp_path / to)
        with Calendar.open(tmp_path / to, key=KEY) as again:
            assert again.digest() == digest


def test_a_torn_end_is_lawful_and_a_copy_is_without_it(tmp_path: Path) -> None:
    """So is a last file without a header; files of others are named."""
    kill(store(tmp_path / "store"))
    path = last(tmp_path / "store")
    path.write_bytes(path.read_bytes() + b"torn")
    (tmp_path / "store" / "letter.txt").touch()
    found = verify(tmp_path / "store")
    assert found.is_whole
    assert "4 bytes are no record" in found.notes[0]
    assert found.notes[-1] == "files of others: letter.txt"
    copy = backup(tmp_path / "store", tmp_path / "copy")
    assert (copy.position, copy.notes) == (8, ())
    path.write_bytes(path.read_bytes()[:-4])
    (tmp_path / "store" / f"wal-{9:020}.bkj").write_bytes(b"\x89")
    found = verify(tmp_path / "store")
    assert found.is_whole
    assert "no header yet" in found.notes[0]
    assert backup(tmp_path / "store", tmp_path / "second").position == 8
    path = last(tmp_path / "copy")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(JournalDamagedError):  # a copy is a directory that was shut down
        Calendar.open(tmp_path / "copy")


def test_a_copy_of_a_directory_in_use_is_a_state_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes and checkpoints come between any two calls; the copy is the calendar at its position."""
    calendar = store(tmp_path / "store", keep=1)
    states = {calendar.position: calendar.digest()}
    opened, rng, calls = FileSystem.open, Random(3), [0]

    def open_(self: FileSystem, path: str) -> int:
        if "store" in Path(path).parts and not calls[0] % 3 and calls[0] < 20:
            calls[0] += 1
            calendar.book("room", 100 + calls[0], 101 + calls[0])
            states[calendar.position] = calendar.digest()
            if rng.random() < 0.6:
                calendar.checkpoint()
        calls[0] += 1
        return opened(self, path)

    monkeypatch.setattr(FileSystem, "open", open_)
    for number in range(4):
        found = backup(tmp_path / "store", tmp_path / f"copy-{number}")
        assert found.position is not None
        with Calendar.open(tmp_path / f"copy-{number}") as again:
            assert again.digest() == states[found.position]
    assert calls[0] > 20
    calendar.close()


def test_a_call_that_fails_leaves_no_half_of_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write, sync and rename fails once: an error of ours, and nothing is there; the next attempt succeeds."""
    with store(tmp_path / "store") as calendar:
        digest = calendar.digest()
    for name in ("create", "write", "sync", "replace", "open", "close"):
        to = tmp_path / "to"
        for call in _three(tmp_path / "store", to)[1:]:
            for at in range(1, 200):
                count = [0]
                with monkeypatch.context() as patch:
                    real = getattr(FileSystem, name)

                    def failing(self: FileSystem, *args: Any, real: Any = real, at: int = at, count: Any = count) -> Any:
                        count[0] += 1
                        if count[0] == at:
                            raise OSError(errno.EIO, os.strerror(errno.EIO))
                        return real(self, *args)

                    patch.setattr(FileSystem, name, failing)
                    try:
                        call()
                    except BookcoreError:
                        assert not to.exists(), (name, call, at)
                        continue
                if count[0] < at:
                    break
                with Calendar.open(to) as again:  # what failed did not matter: closing what was read, or reading again
                    assert again.digest() == digest or name != "write"
                for path in to.iterdir():
                    path.unlink()
                to.rmdir()
            assert at < 199
            for path in to.iterdir():
                path.unlink()
            to.rmdir()


def test_progress_is_told_and_reaches_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes that were read, never going back within one directory."""
    monkeypatch.setattr(DirectoryJournal, "largest", 500)
    with store(tmp_path / "store"):
        pass
    for number in range(3):
        seen: list[tuple[int, int]] = []

        def note(done: int, total: int, seen: list[tuple[int, int]] = seen) -> None:
            seen.append((done, total))

        _three(tmp_path / "store", tmp_path / str(number), progress=note)[number]()
        assert seen[-1][0] == seen[-1][1] > HEADER_SIZE
        assert all(done <= total for done, total in seen)


@pytest.mark.parametrize("call", [
    lambda there, to: verify(there, progress=WRONG),
    lambda there, to: backup(there, to, progress=WRONG),
    lambda there, to: salvage(there, to, progress=WRONG),
    lambda there, to: salvage(there, to, bounds="()"),
    lambda there, to: copy_calendar(there, to, progress=WRONG),
    lambda there, to: copy_calendar(there, to, resource_key=WRONG),
    lambda there, to: read_log(there, progress=WRONG),
    lambda there, to: read_log(there, wanted=WRONG),
    lambda there, to: read_log(f"sqlite:///{there}.db", progress=WRONG),
    lambda there, to: upgrade(WRONG),
])  # fmt: skip
def test_an_argument_that_is_none_of_its_kind_is_refused_and_nothing_is_made(call: Any, tmp_path: Path) -> None:
    """Also where it would not have been used: a directory without a snapshot would be salvaged with such bounds."""
    there, to = str(tmp_path / "rooms"), str(tmp_path / "to")
    with Calendar.open(there) as calendar, Calendar.open(f"sqlite:///{there}.db") as shared:
        for one in (calendar, shared):
            one.add_resource(Resource("room"))
    with pytest.raises((QueryError, JournalError)):
        call(there, to)
    assert not Path(to).exists()


def test_an_empty_directory_stays_empty_where_nothing_can_be_copied(tmp_path: Path) -> None:
    """It was there before."""
    with store(tmp_path / "store"):
        pass
    damage(last(tmp_path / "store"), 90)
    (tmp_path / "to").mkdir()
    with pytest.raises(JournalDamagedError):
        backup(tmp_path / "store", tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


def test_records_that_are_there_twice_are_applied_once(tmp_path: Path) -> None:
    """A file was copied to another name, which is damage."""
    with store(tmp_path / "store") as calendar:
        digest = calendar.digest()
    path = last(tmp_path / "store")
    (tmp_path / "store" / f"wal-{9:020}.bkj").write_bytes(path.read_bytes())
    assert "was renamed: it begins with record 5" in str(verify(tmp_path / "store").damage[0])
    saved = salvage(tmp_path / "store", tmp_path / "saved")
    assert (saved.applied, saved.missing, saved.skipped) == (4, (), {})
    assert Calendar.open(tmp_path / "saved").digest() == digest


def test_a_value_of_the_program_in_a_record_is_told_by_its_codec(world: SimpleNamespace, tmp_path: Path) -> None:
    """The snapshot can be read without it."""
    from bookcore.persist import registry

    with store(tmp_path / "store") as calendar:
        calendar.add_resource(world.Boat("boat"))
        calendar.book("room", 50, 51)
    registry._by_name.clear()
    found = verify(tmp_path / "store")
    assert (found.damage, found.position) == ((), 10)
    assert any("Boat" in note for note in found.notes)
    with pytest.raises(SnapshotTypeError, match="Boat"):
        salvage(tmp_path / "store", tmp_path / "saved")


def test_a_snapshot_that_no_calendar_wrote_is_told(tmp_path: Path) -> None:
    """Its checksum is right, and what it holds is none."""
    from bookcore.persist.snapshot.format import Facts, write_file

    with store(tmp_path / "store") as calendar:
        store_id = calendar._recorder.files.store_id
    path = tmp_path / "store" / f"snap-{4:020}.bks"
    write_file(path, Facts(store_id + (4).to_bytes(8, "little")), [(b"no",)])
    found = verify(tmp_path / "store")
    assert len(found.damage) == 1
    assert "snap-" in str(found.damage[0])


def test_a_copy_that_does_not_read_back_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that writes something else is told, and nothing is left."""
    with store(tmp_path / "store"):
        pass

    def wrong(fs: FileSystem, path: str, data: bytes) -> None:
        directory.write_file(fs, path, data[:-1])

    monkeypatch.setattr(copying, "write_file", wrong)
    with pytest.raises(JournalDamagedError, match="does not read back"):
        backup(tmp_path / "store", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_record_that_does_not_follow_is_told_though_its_checksum_is_right(tmp_path: Path) -> None:
    """It cannot be opened; what comes after it may follow nevertheless, and is saved."""
    with store(tmp_path / "store") as calendar:
        files = calendar._recorder.files
    path = last(tmp_path / "store")
    records = [encode_column([(1, "nobody")]), encode_column([(11, "room", "sea")])]
    data = b"".join(frame(files.store_id, 5, 9 + at, 8, 1 << 51, record) for at, record in enumerate(records))
    path.write_bytes(path.read_bytes() + data)
    found = verify(tmp_path / "store")
    assert (found.position, found.records) == (8, 10)
    assert [type(error) for error in found.damage] == [JournalDamagedError]
    assert "a resource that is not registered" in str(found.damage[0])
    with pytest.raises(JournalDamagedError, match="does not read back"):
        backup(tmp_path / "store", tmp_path / "to")
    saved = salvage(tmp_path / "store", tmp_path / "saved")
    assert (list(saved.skipped), saved.applied, saved.position) == ([9], 5, 10)
    with Calendar.open(tmp_path / "saved") as again:
        assert again.tags_of("room") == {"sea"}


def test_records_that_two_files_have_are_applied_once(tmp_path: Path) -> None:
    """Such files are damage, of which nothing is lost."""
    with store(tmp_path / "store") as calendar:
        files, digest = calendar._recorder.files, calendar.digest()
    path = last(tmp_path / "store")
    data = path.read_bytes()
    twice = header(files.store_id, 7, 1)
    for number, each in enumerate(places(path)[2:], 7):
        twice += frame(files.store_id, 7, number, 6, each.time, data[each.at : each.end])
    (tmp_path / "store" / f"wal-{7:020}.bkj").write_bytes(twice)
    assert not verify(tmp_path / "store").is_whole
    saved = salvage(tmp_path / "store", tmp_path / "saved")
    assert (saved.applied, saved.missing, saved.skipped) == (4, (), {})
    assert Calendar.open(tmp_path / "saved").digest() == digest
