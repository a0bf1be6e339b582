"""Branches that hardly anything takes: other systems, packages that are not there, forged columns.

What is here belongs to no other test, and is there so that every branch of `bookcore.persist` is taken by one.
"""

from __future__ import annotations

import runpy
import struct
import sys
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest

from bookcore import Calendar, QueryError, Resource, SnapshotError, changes
from bookcore.engine.recording import RecordingEngine
from bookcore.persist import fs, registry
from bookcore.persist.codec import blob, scalars
from bookcore.persist.codec.blob import BlobReader, BlobWriter, MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.columns import decode_column, decode_numbers, encode_column
from bookcore.persist.errors import SnapshotDamagedError, SnapshotTypeError, SnapshotValueError
from bookcore.persist.history import read_log
from bookcore.persist.journal import opening, reading, runs, short
from bookcore.persist.journal.directory import Directory
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
)
from bookcore.persist.journal.records import Encoder, Replay
from bookcore.persist.shared import recorder, sqlite
from bookcore.persist.shared.opening import _instant
from bookcore.persist.shared.seam import Place
from bookcore.persist.snapshot import gather, rebuild, save_load
from bookcore.persist.snapshot.classes import handed_in
from bookcore.persist.snapshot.format import Facts, read_file, write_file
from bookcore.persist.snapshot.state import Bookings, State, encode_state
from bookcore.testing.every_change import Boat, register_boats
from bookcore.testing.simulated_files import SimulatedFiles

# -- other systems -----------------------------------------------------------------------------------


def test_numbers_are_little_endian_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A big-endian machine swaps their bytes when they are written, and when they are read."""
    monkeypatch.setattr(blob, "_BIG_ENDIAN", True)
    out = BlobWriter()
    out.numbers("I", [1, 2])
    swapped = sys.byteorder == "little"  # there it is wrong, which shows that it is done
    assert out.getvalue() == struct.pack(">2I" if swapped else "<2I", 1, 2)
    assert list(BlobReader(out.getvalue()).numbers("I", 2)) == [1, 2]


def test_many_short_records_are_little_endian_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As above; the form of this record is the same from both ends."""
    monkeypatch.setattr(short, "sys", SimpleNamespace(byteorder="big" if sys.byteorder == "little" else "little"))
    order = ">" if sys.byteorder == "little" else "<"
    found = short.columns_of([struct.pack(f"{order}Qqq", 3 << 56 | 3, 10, 20) + b"room"])
    assert found is not None
    assert (found.numbers, list(found.starts), list(found.ends), list(found.wheres)) == ([3], [10], [20], ["room"])


def test_a_system_without_file_locks_opens_no_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Snapshots are written there."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    monkeypatch.setattr(fs, "fcntl", None)
    calendar.snapshot(tmp_path / "snapshot")
    assert len(Calendar.restore(tmp_path / "snapshot").resources) == 1
    with pytest.raises(JournalError, match="no locks that end with their process"):
        Calendar.open(tmp_path / "store")
    files = fs.FileSystem()
    files.unlock(files.create(str(tmp_path / "file")))


def test_without_the_module_of_file_locks_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert runpy.run_path(fs.__file__)["fcntl"] is None


def test_folders_are_not_synced_where_they_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setattr(fs, "os", SimpleNamespace(name="nt"))
    assert fs.FileSystem().open_folder("folder") is None
    fs.sync_folder(fs.FileSystem(), "folder")


# -- values ------------------------------------------------------------------------------------------


def test_a_value_of_four_gibibytes_is_refused() -> None:
    """Its length is written as four bytes."""

    class Long:
        def __len__(self) -> int:
            return 1 << 32

    with pytest.raises(Unwritable, match="4 GiB"):
        BlobWriter().lengths([Long()])


def test_a_timestamp_with_a_fold_and_no_zone_is_refused() -> None:
    """Its fold says nothing, and pandas would not take it back."""
    with pytest.raises(Unwritable, match="fold and no zone"):
        encode_column([pd.Timestamp(2026, 10, 25, 2, 30, fold=1)])


def test_values_of_a_package_that_is_not_installed_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file may be read where it is."""
    data = encode_column([np.float32(1.5)])
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingCodec, match="values of numpy, which is not installed"):
        decode_column(data, 1)


_STAMP = pd.Timestamp("2026-05-01 12:00").as_unit("ns")
FORGED: dict[str, tuple[bytes, int]] = {
    "below zero": (b"V" + encode_column([-1, 1 << 64]), 2),
    "one name twice": (encode_column([{"aa": 1, "bb": 2}, {"aa": 3, "bb": 4}]).replace(b"aa\nbb", b"aa\naa"), 2),
    "too few": (struct.pack("<Q", 2) + encode_column([np.float32(1.5)])[8:], 2),
    "unknown unit": (encode_column([_STAMP]).replace(b"ns", b"xs"), 1),
    "no time": (encode_column([_STAMP]).replace(_STAMP.asm8.tobytes(), np.datetime64("NaT", "ns").tobytes()), 1),
}


@pytest.mark.parametrize("what", FORGED)
def test_forged_columns_are_unreadable(what: str) -> None:
    """The values are none that a column of this kind has."""
    data, count = FORGED[what]
    with pytest.raises(Unreadable):
        (decode_numbers if what == "below zero" else decode_column)(data, count)


def test_a_fraction_of_too_many_digits_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """To compare it would take for ever."""
    data = encode_column([Fraction(10**40, 3)])
    monkeypatch.setattr(scalars, "MAX_FRACTION_BYTES", 2)
    with pytest.raises(Unreadable, match="too many digits"):
        decode_column(data, 1)


# -- files -------------------------------------------------------------------------------------------


def _raised(found: Any) -> Any:
    if isinstance(found, BaseException):
        raise found
    return found


def test_a_snapshot_that_may_not_be_read_says_whose_it_is() -> None:
    """The superuser may read all files, so the system's answer is made up."""

    class Forbidden(fs.FileSystem):
        def open(self, path: str) -> int:
            raise PermissionError

    with pytest.raises(SnapshotError, match="belongs to the user who wrote it"):
        read_file("file", fs=Forbidden())


def test_bookings_at_one_instant_with_a_zone_come_back_in_columns() -> None:
    """Of the short form in UTC: a single record, whose keys hardly repeat."""
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    micro = (noon - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    record = struct.pack("<Qqq", 2 << 56 | 1, int(micro) * 10**6, int(micro) * 10**6 + 1) + b"room"
    found = short.columns_of([record])
    assert found is not None
    assert found.starts[0] == noon
    assert found.starts[0].tzinfo is UTC


# -- a directory -------------------------------------------------------------------------------------


def test_a_process_that_was_forked_changes_nothing(tmp_path: Path) -> None:
    """What it does is told in this process, of which the journal believes that it was forked."""
    calendar = Calendar.open(tmp_path / "store")
    room = calendar.add_resource(Resource("room"))
    files: Any = calendar._recorder.files
    files._pid += 1
    calls: list[Callable[[], Any]] = [
        lambda: calendar.book(room, 1, 2), calendar.checkpoint, lambda: files.sync(files.position + 1),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(JournalClosedError, match="was forked"):
            call()
    calendar.close()
    assert len(calendar) == 0
    with Calendar.open(tmp_path / "store") as again:
        assert again.position == 1


def test_old_files_stay_when_the_journal_was_closed_meanwhile(tmp_path: Path) -> None:
    """The directory may be another calendar's by then. A snapshot that is no newer changes no account of the records."""
    calendar = Calendar.open(tmp_path)
    calendar.add_resource(Resource("room"))
    files: Any = calendar._recorder.files
    calendar.checkpoint()
    grown, names = files.grown, sorted(each.name for each in tmp_path.iterdir())
    files.purge(files.newest, 10, 10)
    assert files.grown == grown
    calendar.close()
    files.purge(files.newest, 10, 10)
    assert {each.name for each in tmp_path.iterdir()} == {*names, "CLEAN"}


def test_a_directory_whose_opening_is_cut_off_at_its_end_is_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback that somebody keeps holds nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(opening, "Recorder", lambda *_: _raised(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            Calendar.open(tmp_path)
    Calendar.open(tmp_path).close()


@pytest.mark.parametrize("option", [{"sync": "batch"}, {"key": b"secret"}, {"progress": print}], ids=str)
def test_what_only_a_directory_has_is_refused_for_a_database(option: dict[str, Any], tmp_path: Path) -> None:
    """Nothing is made."""
    with pytest.raises(QueryError, match="database"):
        Calendar.open(f"sqlite:///{tmp_path}/rooms.db", **option)
    assert not list(tmp_path.iterdir())


def test_a_shared_calendar_is_refused_in_a_forked_process(tmp_path: Path) -> None:
    """Told in this process, of which the calendar believes that it was forked."""
    calendar = Calendar.open(f"sqlite:///{tmp_path}/rooms.db", follow=False)
    room = calendar.add_resource(Resource("room"))
    recorder: Any = calendar._recorder
    for owner in (recorder, recorder.journal):
        owner._pid += 1
        for call in (lambda: calendar.book(room, 1, 2), calendar.catch_up):
            with pytest.raises(JournalClosedError, match="was forked"):
                call()
        owner._pid -= 1
    calendar.book(room, 1, 2)
    calendar.close()


# -- records -----------------------------------------------------------------------------------------


def _replayed(*records: bytes) -> Calendar:
    """Return a calendar without a clock to which these were applied."""
    calendar = Calendar()
    replay = Replay(calendar._engine.state, handed_in("here", []))
    for record in records:
        calendar._gate.run(replay.apply, record)
    return calendar


ROOM = encode_column([(0, "room", 1, None, None, (), ":Resource", None)])
_BOOKED = (2, "room", 1, False, None, None, ":BookingEvent", "a", 1, 2, 1, None)


def test_records_of_unusual_changes_are_applied() -> None:
    """A hold that is made of a booking; a booking that has run out before; a closure that lists what is gone."""
    leader = Calendar(clock=lambda: 0)
    encoder = Encoder(leader._engine.state, "here", {})
    event = leader.book(leader.add_resource(Resource("room")), 1, 2)
    ran_out = encoder.encode([changes.Booked(event, False, None, 1, 5)])
    held = encoder.encode([changes.Held(event, 9)])
    assert not short.form_of(ran_out)
    closed = encode_column([(7, 1, "room", 5, 6, "paint", [(":BookingEvent", "gone", 5, 6, 1, None)])])
    calendar = _replayed(ROOM, ran_out, held, closed)
    assert (calendar.get(1).status.name, calendar.get(1).until) == ("HELD", 9)
    [listed] = next(iter(calendar.closures())).overlapping
    assert listed.id == "gone"
    calendar.check()


@pytest.mark.parametrize(
    "row", [(14, "a", ":BookingEvent", "b", 1, 2, 1, None), (13, "a", 5), (2, "room", 2, False, None, None, *_BOOKED[6:])]
)
def test_records_that_do_not_follow_are_unreadable(row: tuple[Any, ...]) -> None:
    """Another id, a deadline of what is no hold, an id that is taken."""
    calendar = _replayed(ROOM, encode_column([_BOOKED]))
    replay = Replay(calendar._engine.state, handed_in("here", []))
    with pytest.raises(Unreadable):
        calendar._gate.run(replay.apply, encode_column([row]))


def test_a_change_that_no_record_can_hold_is_an_error_of_the_program() -> None:
    """A new kind of change needs a case there."""

    class Odd(changes.Change):
        pass

    with pytest.raises(TypeError, match="Odd is no change that a record can hold"):
        Encoder(Calendar()._engine.state, "here", {}).encode([Odd()])


def test_lack_of_memory_is_not_damage_of_a_record() -> None:
    """It is told of the file, and says nothing against it."""
    replay: Any = SimpleNamespace(apply=lambda _: _raised(MemoryError()))
    with pytest.raises(JournalError, match="not enough memory") as caught:
        reading.apply(replay, reading.Record(1, 1, "file", 40, b"x"))
    assert type(caught.value) is JournalError


def test_a_file_of_a_format_that_never_was_is_damaged(tmp_path: Path) -> None:
    """Version 0, with the right checksum."""
    Calendar.open(tmp_path).close()
    [path] = tmp_path.glob("wal-*")
    head = bytearray(path.read_bytes()[:36])
    head[8:10] = bytes(2)
    path.write_bytes(bytes(head) + struct.pack("<I", crc32(head)))
    with pytest.raises(JournalDamagedError, match="there is no format 0"):
        Calendar.open(tmp_path)


def test_a_file_that_is_larger_than_any_of_a_journal_is_not_read() -> None:
    """Its first bytes are, where these are asked for alone."""

    class Huge(fs.FileSystem):
        def open(self, path: str) -> int:
            return 0

        def size(self, fd: int) -> int:
            return 1 << 60

        def read(self, fd: int, count: int) -> bytes:
            return bytes(count)

        def close(self, fd: int) -> None:
            pass

    with pytest.raises(JournalError, match=f"{1 << 60} bytes; at most"):
        reading.read_file(Huge(), "file")
    assert reading.read_file(Huge(), "file", 3) == bytes(3)


def test_a_clock_is_set_right_by_the_clock_of_the_database() -> None:
    """By parts of a second where it has such; a clock of whole numbers counts something else."""
    ahead: Any = SimpleNamespace(skew=1.5)
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert _instant(lambda: noon, ahead) == noon + timedelta(seconds=1.5)
    assert (_instant(lambda: 4.0, ahead), _instant(lambda: 4, ahead)) == (5.5, 4)


def test_a_file_that_is_not_there_has_no_size_for_the_progress(tmp_path: Path) -> None:
    """Its reader tells what is wrong."""
    Calendar.open(tmp_path).close()
    assert reading.Reader(Directory.of(tmp_path)).size("nowhere") == 0


# -- snapshots ---------------------------------------------------------------------------------------


def test_a_snapshot_carries_more_bookings_than_a_capacity_that_was_lowered_takes(tmp_path: Path) -> None:
    """And a label that no resource has any more."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("room", 2))
    calendar.tag(room, "sea")
    calendar.book(room, 1, 5)
    calendar.book(room, 2, 6, guest="Ada")
    calendar.set_capacity(room, 1)
    calendar.untag(room, "sea")
    calendar.snapshot(tmp_path / "snapshot")
    again = Calendar.restore(tmp_path / "snapshot")
    again.check()
    assert again.digest() == calendar.digest()
    assert not again.is_available("room", 1, 2)


@pytest.mark.parametrize(
    ("ids", "last", "numbers"),
    [([2.0, "x"], 2, [1, 2]), ([3, "x", "y"], 4, [1, 2, 3]), (["a"], 0, [1])],
    ids=["an id that equals a number", "ids that leave too few", "no number was given out"],
)
def test_bookings_get_numbers_that_were_given_out(ids: list[Any], last: int, numbers: list[int]) -> None:
    """Their own ids wherever that can be."""
    state = State(last_sequence=last, bookings=Bookings(ids=ids))
    assert list(rebuild._numbers(state)) == numbers


class Abstract(Resource):
    """A class whose instances cannot be made, though there is one."""


def test_a_class_of_which_nothing_can_be_made_is_not_carried(tmp_path: Path) -> None:
    """It is named."""
    calendar = Calendar()
    calendar.add_resource(Abstract("room"))
    sealed = ABCMeta("Sealed", (Abstract,), {"view": abstractmethod(lambda self: None)})
    with pytest.raises(SnapshotTypeError, match="Sealed cannot be carried"):
        gather._check_carried(sealed, "here")
    calendar.snapshot(tmp_path / "snapshot")


# -- a database file ---------------------------------------------------------------------------------


def test_a_database_file_refuses_what_it_cannot_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change and a snapshot that are too large; a change without its lock; anything after the end."""
    calendar = Calendar.open(f"sqlite:///{tmp_path}/rooms.db", follow=False, sync="never")
    room = calendar.add_resource(Resource("room"))
    calendar.barrier()
    journal: Any = calendar._recorder.journal
    with pytest.raises(JournalError, match="its lock was lost"):
        journal.append(calendar._recorder.place, [b"record"])
    with monkeypatch.context() as patch:
        patch.setattr(journal, "most", 10)
        for call, reason in ((lambda: calendar.book(room, 1, 2), "divide it"), (calendar.checkpoint, "a snapshot of")):
            with pytest.raises(JournalError, match=reason):
                call()
    calendar.book(room, 1, 2)
    calendar.close()
    place = Place(1, 1)
    ended: list[Callable[[], Any]] = [lambda: journal.lock(1.0, place, 1), lambda: journal.append(place, [b"record"])]
    for call in ended:
        with pytest.raises(JournalError):
            call()


def test_a_calendar_that_is_far_behind_reads_on_while_others_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the lock again for the last of it."""
    monkeypatch.setattr(recorder, "AT_ONCE", 2)
    address = f"sqlite:///{tmp_path}/rooms.db"
    with Calendar.open(address, follow=False) as one, Calendar.open(address, follow=False) as other:
        one.add_resource(Resource("room"))
        for at in range(5):
            one.book("room", at, at + 1)
        other.book("room", 9, 10)
        one.catch_up()
        assert one.digest() == other.digest()
        assert len(one) == 6


def test_the_connections_of_a_forked_process_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To close one there would take the locks of the parent away."""
    left: list[Any] = []
    monkeypatch.setattr(sqlite, "FORKED", left)
    calendar = Calendar.open(f"sqlite:///{tmp_path}/rooms.db", follow=False)
    journal: Any = calendar._recorder.journal
    journal._pid += 1
    journal.close()
    assert len(left) == 2
    for connection in left:
        connection.close()


# -- what cannot be written --------------------------------------------------------------------------


def test_a_digest_of_what_no_file_holds_names_the_value() -> None:
    """As a snapshot does."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    calendar.book("room", 1, 2, guest=object())
    with pytest.raises(SnapshotValueError, match="digest"):
        calendar.digest()


def test_a_resource_that_was_given_another_id_than_its_codec_writes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would come back with its own."""
    monkeypatch.setattr(registry, "_by_class", {})
    monkeypatch.setattr(registry, "_by_name", {})
    register_boats()
    calendar = Calendar()
    calendar.add_resource(Boat("Ahab"), id="other")
    with pytest.raises(SnapshotTypeError, match="which its codec does not carry"):
        calendar.snapshot(tmp_path / "snapshot")


def test_a_temporary_file_that_cannot_be_locked_is_closed(tmp_path: Path) -> None:
    """And no longer there, whoever has removed it."""

    class Unguarded(fs.FileSystem):
        def guard(self, path: str) -> int | None:
            self.unlink(path)
            raise OSError("no lock")

    with pytest.raises(SnapshotError, match=r"not written: no lock$"):
        write_file(tmp_path / "file", Facts(), [(b"ab", b"cd")], fs=Unguarded())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_the_system_does_not_open_is_no_snapshot() -> None:
    """Linux opens it for reading, other systems do not."""

    class Other(fs.FileSystem):
        def open(self, path: str) -> int:
            raise IsADirectoryError

    with pytest.raises(SnapshotError, match="this is a folder"):
        read_file("file", fs=Other())


@pytest.mark.parametrize("way", ["encode", "decode"])
def test_lack_of_memory_in_a_codec_of_ones_own_is_no_fault_of_it(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing against the value, nor against the file."""
    monkeypatch.setattr(registry, "_by_class", {})
    monkeypatch.setattr(registry, "_by_name", {})
    lacks = [way == "encode"]

    def convert(value: Any) -> Any:
        if lacks[0]:
            raise MemoryError
        return Opaque() if value == "opaque" else "opaque"

    registry.register_key_codec(Opaque, "test.Opaque", convert, convert)
    calendar = Calendar()
    calendar.book(calendar.add_resource(Resource("room")), 1, 2, value=Opaque())
    if way == "decode":
        calendar.snapshot(tmp_path / "file")
        lacks[0] = True
    with pytest.raises(SnapshotError, match="not enough memory"):
        calendar.snapshot(tmp_path / "file") if way == "encode" else Calendar.restore(tmp_path / "file")


class Opaque:
    """A value that only its codec knows."""


def test_what_fails_while_objects_are_made_is_told_as_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever class it is."""
    Calendar().snapshot(tmp_path / "file")
    monkeypatch.setattr(save_load, "rebuild", lambda *_: 1 / 0)
    with pytest.raises(SnapshotDamagedError, match="cannot be made"):
        Calendar.restore(tmp_path / "file")


def test_a_label_that_no_resource_has_is_passed_over(tmp_path: Path) -> None:
    """A file may name one."""
    calendar = Calendar()
    calendar.tag(calendar.add_resource(Resource("room")), "sea")
    state = gather.gather(calendar._engine.state, "file")
    state.tags.labels.append("gone")
    state.tags.members.append([])
    write_file(tmp_path / "file", Facts(bytes(16), state.last_sequence, 0), encode_state(state))
    restored = Calendar.restore(tmp_path / "file")
    assert restored.digest() == calendar.digest()
    restored.check()


def test_the_log_of_a_file_is_asked_of_the_wrong_place(tmp_path: Path) -> None:
    """A snapshot has no history."""
    Calendar().snapshot(tmp_path / "file")
    with pytest.raises(JournalError, match="tells no history"):
        read_log(tmp_path / "file")


# -- a directory -------------------------------------------------------------------------------------


def begun(sync: str = "always") -> tuple[SimulatedFiles, Any]:
    """Return a calendar in a simulated directory, with a resource."""
    files = SimulatedFiles()
    calendar, recorder = opening.open_calendar(_made, files.folder, fs=files, sync=sync)
    calendar._engine = RecordingEngine(calendar._engine.state)
    calendar._recorder = recorder
    calendar.add_resource(Resource("room"))
    return files, calendar


def _made(**options: Any) -> tuple[Calendar, Any]:
    calendar = Calendar(**options)
    return calendar, calendar._engine.state


def test_what_was_let_go_of_is_not_synced() -> None:
    """Nor is it said to be."""
    _, calendar = begun("never")
    calendar._recorder.files.release()
    with pytest.raises(JournalClosedError, match="it was closed"):
        calendar.barrier()


def test_a_record_that_was_written_in_part_and_not_taken_back_closes_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would follow it could not be read."""
    files, calendar = begun()
    with monkeypatch.context() as patch:
        for name in ("write", "truncate"):
            patch.setattr(files, name, _refused)
        with pytest.raises(JournalError, match="not written"):
            calendar.book("room", 1, 2)
    assert len(calendar) == 0
    with pytest.raises(JournalClosedError, match="written in part"):
        calendar.book("room", 1, 2)


def _refused(*_: Any) -> Any:
    raise OSError("refused")


def test_a_directory_that_lost_its_first_snapshot_is_not_begun_anew() -> None:
    """Nor is one that was never finished, if none is to be made."""
    files, _ = begun()
    left = {name: data for name, data in files.contents().items() if name.startswith("wal-")}
    with pytest.raises(JournalDamagedError, match="first snapshot is gone"):
        opening.open_calendar(_unmade, "store", fs=SimulatedFiles(files=left))
    unfinished = dict.fromkeys(left, b"")
    with pytest.raises(JournalError, match="create is false"):
        opening.open_calendar(_unmade, "store", fs=SimulatedFiles(files=unfinished), create=False)


def _unmade(**_: Any) -> Any:
    raise AssertionError("no calendar is to be made")


def test_lack_of_memory_for_many_short_records_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not tried one by one either."""
    files, calendar = begun()
    for at in range(300):
        calendar.book("room", at, at + 1)

    def lacks(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(runs, "_load", lacks)

    with pytest.raises(JournalError, match=r"wal-0*1\.bkj at byte .*not enough memory"):
        opening.open_calendar(_made, "store", fs=files.killed())
