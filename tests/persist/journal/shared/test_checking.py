"""`check` of databases that are not PostgreSQL: records without a gap, chained checksums, checkpoints that replays make."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, Resource, copy_calendar
from bookcore.persist.journal.errors import JournalDamagedError, JournalError
from bookcore.persist.shared.checking import check
from bookcore.persist.shared.opening import upgrade
from bookcore.persist.shared.replaying import Inspection
from bookcore.persist.shared.seam import Checked


class Room(Resource):
    """A resource of the program, for which a check needs no class."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a file with 602 records and two checkpoints, and the digest of its calendar."""
    path = tmp_path_factory.mktemp("kept") / "rooms.db"
    with Calendar.open(f"sqlite:///{path}", sync="never", follow=False, types=[Room]) as calendar:
        calendar.add_resource(Room("a"))
        calendar.add_resource(Room("b"))
        for at in range(600):
            calendar.book("ab"[at % 2], at, at + 1)
            if at in (250, 500):
                calendar.checkpoint()
        return path, calendar.digest()


def damaged(kept: Path, folder: Path, command: str) -> Checked:
    """Return what is found in a copy that another program has changed."""
    path = shutil.copy(kept, folder / "rooms.db")
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(command)
    return check(f"sqlite:///{path}")


def test_a_whole_file_has_the_digest_of_its_calendar(kept: tuple[Path, str]) -> None:
    """Each record is applied once, and each checkpoint is compared."""
    path, digest = kept
    steps: list[tuple[int, int]] = []
    found = check(f"sqlite:///{path}", progress=lambda done, total: steps.append((done, total)))
    assert found.is_whole
    assert (found.begins, found.position, found.records, found.checkpoints) == (0, 602, 602, (253, 503))
    assert (found.digest, found.has_tables, found.database) == (digest, False, found.calendar)
    assert steps[-1] == (602, 602)
    assert steps == sorted(steps)
    assert check(f"sqlite:///{path}").digest == digest


@pytest.mark.parametrize("is_copy", [False, True])
@pytest.mark.parametrize("keep", [1, 2])
def test_a_checkpoint_that_is_removed_meanwhile_is_no_fault(
    keep: int, is_copy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes later ones while a check reads; also of a calendar that begins with a checkpoint."""
    address = f"sqlite:///{tmp_path}/rooms.db"
    if is_copy:
        with Calendar.open(f"sqlite:///{tmp_path}/source.db", sync="never") as source:
            source.book(source.add_resource(Resource("room")), -2, -1)
        copy_calendar(f"sqlite:///{tmp_path}/source.db", address)
    with Calendar.open(address, keep=keep, sync="never", follow=False) as calendar:
        calendar.add_resource(Resource("room"), if_exists="return")
        at = iter(range(99))

        def book_and_save(times: int) -> None:
            for _ in range(times):
                for start in islice(at, 5):
                    calendar.book("room", start, start + 1)
                calendar.checkpoint()

        book_and_save(2)
        read, left = Inspection._read, [2]

        def read_late(self: Inspection, most: int) -> Any:
            book_and_save(left[0])
            left[0] = 0
            return read(self, most)

        monkeypatch.setattr(Inspection, "_read", read_late)
        checked = check(address)
        assert not left[0] and checked.is_whole
        monkeypatch.undo()
        kept = check(address).checkpoints
        assert len(kept) == keep + is_copy and not set(checked.checkpoints) & set(kept[is_copy:])


DAMAGE: dict[str, tuple[str, int, str]] = {
    "a record": ("UPDATE change SET record = x'00' WHERE position = 300", 299, "record 300 is damaged or gone"),
    "a gap": ("DELETE FROM change WHERE position = 300", 299, "record 300 is damaged or gone"),
    "a mark": ("UPDATE change SET mark = mark + 1 WHERE position = 602", 601, "record 602 is damaged or gone"),
    "the beginning": ("DELETE FROM change WHERE position = 0", 0, "also that of record 1, with which it begins"),
    "the mark of the beginning": ("UPDATE change SET mark = mark + 1 WHERE position = 0", 0, "its record 0, to begin with"),
    "another origin": ("UPDATE calendar SET origin = origin + 1", 0, "its record 0, to begin with, is damaged or gone"),
    "the record of a checkpoint": ("UPDATE change SET mark = mark + 1 WHERE position = 503", 502, "record 503 is damaged"),
    "a checkpoint": ("UPDATE checkpoint SET snapshot = x'00' WHERE position = 253", 602, "checkpoint 253"),
    "a checkpoint of another place": (
        "UPDATE checkpoint SET position = 254, mark = (SELECT mark FROM change WHERE position = 254) WHERE position = 253",
        602, "checkpoint 254: it is of another place",
    ),
    "a mark of a checkpoint": (
        "UPDATE checkpoint SET mark = mark + 1 WHERE position = 503", 602, "checkpoint 503: it is of another place",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_what_is_before_it_counts(name: str, kept: tuple[Path, str], tmp_path: Path) -> None:
    """As far as records follow from each other, they are applied; a checkpoint that is wrong is in no record's way."""
    command, position, reason = DAMAGE[name]
    found = damaged(kept[0], tmp_path, command)
    assert not found.is_whole
    (fault,) = found.faults
    assert reason in str(fault)
    assert (found.position, found.records) == (int(found.begins) + position, position)


@pytest.mark.parametrize("name", ["another origin", "the record of a checkpoint"])
def test_what_is_damaged_is_not_to_be_opened_anew(name: str, kept: tuple[Path, str], tmp_path: Path) -> None:
    """Opening it names the same way out as a check: a backup, or the state before what is damaged."""
    (fault,) = damaged(kept[0], tmp_path, DAMAGE[name][0]).faults
    assert "bring back a backup" in str(fault) or "as_of=502 opens the state before it" in str(fault)
    with pytest.raises(JournalDamagedError, match=re.escape(str(fault).partition(": ")[2])):
        Calendar.open(f"sqlite:///{tmp_path}/rooms.db", types=[Room])


def test_a_calendar_that_was_copied_begins_with_its_checkpoint(kept: tuple[Path, str], tmp_path: Path) -> None:
    """Which has to be whole; so has that of a calendar with an event type."""
    address = f"sqlite:///{tmp_path}/copy.db"
    copy_calendar(f"sqlite:///{kept[0]}", address)
    with Calendar.open(address, types=[Room], follow=False) as calendar:
        calendar.book("a", 1000, 1001)
        digest = calendar.digest()
    found = check(address)
    assert found.is_whole
    assert (found.begins, found.position, found.records, found.digest) == (602, 603, 1, digest)
    broken = damaged(tmp_path / "copy.db", tmp_path, "UPDATE checkpoint SET snapshot = x'00'")
    (fault,) = broken.faults
    assert "its checkpoints are damaged or gone, also that of record 602" in str(fault)


def test_a_record_that_cannot_be_applied_is_named(kept: tuple[Path, str], tmp_path: Path) -> None:
    """Its checksum is right, and it is not what may come there: as of a program that is wrong."""
    address, path = f"sqlite:///{tmp_path}/twice.db", tmp_path / "twice.db"
    with Calendar.open(address, follow=False) as calendar:
        calendar.add_resource(Resource("a"))
        calendar.load([BookingEvent("a", 1, 2, id="one")])
        journal: Any = calendar._recorder.journal
        with closing(sqlite3.connect(path)) as other:
            (record,) = other.execute("SELECT record FROM change WHERE position = 2").fetchone()
        journal.lock(1, journal.head(), 1)
        journal.append(journal.head(), [record])
    found = check(address)
    (fault,) = found.faults
    assert "record 3" in str(fault)
    assert found.position == 2


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file that is not there, one of another program, and what is no text."""
    places: list[Any] = [f"sqlite:///{tmp_path}/none.db", "rooms", "mysql://host/rooms", "", 1, None, 1.5, [], object()]
    for place in places:
        for call in (check, upgrade):
            with pytest.raises(JournalError):
                call(place)
    assert not (tmp_path / "none.db").exists()
