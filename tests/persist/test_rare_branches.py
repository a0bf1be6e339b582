"""Branches that hardly anything takes: other systems, packages that are not there, forged columns.

What is here belongs to no other test, and is there so that every branch of `bookcore.persist` is taken by one.
"""

from __future__ import annotations

import pickle
import runpy
import struct
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bookcore import Calendar, Resource, SnapshotError
from bookcore.persist import fs
from bookcore.persist.codec import blob, scalars
from bookcore.persist.codec.blob import BlobReader, BlobWriter, MissingCodec, Unreadable, Unwritable
from bookcore.persist.codec.columns import decode_column, decode_numbers, encode_column
from bookcore.persist.journal import short
from bookcore.persist.journal.errors import JournalClosedError, JournalError
from bookcore.persist.snapshot import flat
from bookcore.persist.snapshot.format import read_file

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
    "no time": (encode_column([_STAMP]).replace(_STAMP.asm8.tobytes(), np.datetime64("NaT").tobytes()), 1),
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


@pytest.mark.parametrize("found", [pickle.UnpicklingError("no"), (b"x", 1), [b"x"]], ids=repr)
def test_a_pickle_that_was_checked_and_is_something_else_is_refused(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the unpickler makes of it."""
    monkeypatch.setattr(flat, "_Reader", lambda _: SimpleNamespace(load=lambda: _raised(found)))
    with pytest.raises(flat.FlatError):
        flat.loads(flat_bytes())


def test_lack_of_memory_is_not_damage_of_a_section(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as it is."""
    monkeypatch.setattr(flat, "_Reader", lambda _: SimpleNamespace(load=lambda: _raised(MemoryError())))
    with pytest.raises(MemoryError):
        flat.loads(flat_bytes())


def flat_bytes() -> bytes:
    """Return a section."""
    return flat.dumps((b"abc", b"defg"))


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
