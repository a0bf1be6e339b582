"""Where the directory of a calendar is: it is found again wherever the program goes, and its name is on the disk as well."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bookcore import Calendar, Resource, copy_calendar
from bookcore.persist import fs as file_systems
from bookcore.persist.fs import FileSystem
from bookcore.persist.journal.copying import backup
from bookcore.persist.journal.directory import DirectoryJournal
from bookcore.persist.journal.errors import JournalClosedError, JournalError


def test_a_program_that_changes_its_folder_keeps_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoint and close go to the directory that was opened, and not to one of the same name in the new folder."""
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    with Calendar.open("rooms") as calendar:
        room = calendar.add_resource(Resource("room"))
        monkeypatch.chdir(tmp_path / "there")
        with Calendar.open("rooms") as other:
            other.add_resource(Resource("other"))
        stay = calendar.book(room, 9, 12)
        calendar.checkpoint()
        calendar.book(room, 12, 13)
        assert len(calendar.history(stay)) == 1
        digest = calendar.digest()
    with Calendar.open("rooms") as other:
        assert other.resources.ids() == ["other"]
    with Calendar.open(tmp_path / "rooms") as again:
        assert again.digest() == digest


def test_a_folder_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no place to which a relative path could lead."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for place in ("rooms", "sqlite:///rooms.db"):
        with pytest.raises(JournalError, match=r"rooms.*: cannot be opened: No such file"):
            Calendar.open(place)
    for source, to, told in [
        ("rooms", f"{tmp_path}/copy.bks", "rooms: cannot be read"),
        (f"{tmp_path}", "copy.bks", "copy.bks: cannot be written"),
        ("sqlite:///rooms.db", f"{tmp_path}/copy.bks", "rooms.db: cannot be opened"),
    ]:
        with pytest.raises(JournalError, match=told):
            copy_calendar(source, to)


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_the_name_of_a_new_directory_is_synced(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder around it, however it is written; else all of it could be gone after a power cut."""
    synced: list[str] = []
    monkeypatch.setattr(file_systems, "sync_folder", lambda fs, folder: synced.append(folder))
    Calendar.open(f"{tmp_path}/rooms{end}").close()
    assert synced == [str(tmp_path)]
    synced.clear()
    backup(tmp_path / "rooms", f"{tmp_path}/copy{end}")
    assert synced == [str(tmp_path)]
    monkeypatch.chdir(tmp_path)
    backup("rooms", f"again{end}")
    assert synced == [str(tmp_path), os.curdir]


@pytest.mark.parametrize("call", ["checkpoint", "close"])
def test_a_directory_that_was_replaced_is_left_alone(call: str, tmp_path: Path) -> None:
    """A backup was put in its place, and is open: not a file of it is removed or added. The records are in the old one."""
    calendar = Calendar.open(tmp_path / "rooms")
    room = calendar.add_resource(Resource("room"))
    backup(tmp_path / "rooms", tmp_path / "backup")
    calendar.book(room, 9, 12)
    (tmp_path / "rooms").rename(tmp_path / "old")
    (tmp_path / "backup").rename(tmp_path / "rooms")
    with Calendar.open(tmp_path / "rooms") as other:
        for at in range(5):
            other.book("room", at, at + 1)
        before = sorted(path.name for path in (tmp_path / "rooms").iterdir())
        with pytest.raises(JournalClosedError, match="moved or replaced"):
            getattr(calendar, call)()
        with pytest.raises(JournalClosedError):
            calendar.book(room, 12, 13)
        assert not calendar.is_available(room, 9, 12)
        calendar.close()
        assert sorted(path.name for path in (tmp_path / "rooms").iterdir()) == before
        digest = other.digest()
    with Calendar.open(tmp_path / "rooms") as again:
        assert again.digest() == digest
    with Calendar.open(tmp_path / "old") as old:
        assert (old.position, old.digest()) == (2, calendar.digest())


def test_a_checkpoint_is_not_followed_by_a_removal_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory is replaced while the snapshot is written."""
    calendar = Calendar.open(tmp_path / "rooms")
    calendar.add_resource(Resource("room"))
    (tmp_path / "new").mkdir()
    rotate = DirectoryJournal.rotate

    def replaced(files: DirectoryJournal) -> None:
        rotate(files)
        (tmp_path / "rooms").rename(tmp_path / "old")
        (tmp_path / "new").rename(tmp_path / "rooms")

    monkeypatch.setattr(DirectoryJournal, "rotate", replaced)
    with pytest.raises(JournalClosedError, match="moved or replaced"):
        calendar.checkpoint()


def test_a_path_over_a_link_is_not_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder around the one that a link leads to is not the one that the link is in."""
    (tmp_path / "far" / "folder").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "folder")
    monkeypatch.chdir(tmp_path)
    Calendar.open("link/../rooms").close()
    assert (tmp_path / "far" / "rooms").is_dir()
    assert FileSystem().absolute("/rooms") == "/rooms"


@pytest.mark.parametrize("name", ["rooms.db", "rooms.sqlite", "rooms.bks"])
def test_a_name_that_may_mean_a_file_makes_no_directory(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who forgot a slash would have a directory of that name, and nobody to share it with. A slash says that it is meant."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JournalError, match=r"does not say what it is to be: .*a SQLite file is sqlite:///path"):
        Calendar.open(name)
    assert not list(tmp_path.iterdir())
    for options in {"create": False}, {"as_of": "now"}:
        with pytest.raises(JournalError, match=r"there is no such directory|cannot be read"):
            Calendar.open(name, **options)
    Calendar.open(f"{name}{os.sep}").close()
    Calendar.open(name).close()
    Calendar.open(tmp_path / name).close()
    Path("made.once").mkdir()
    Calendar.open("made.once").close()


@pytest.mark.parametrize("name", ["sqlite:rooms", "postgresql:rooms"])
def test_an_address_without_slashes_makes_no_directory(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is opened. With ./ before it, it is a directory."""
    monkeypatch.chdir(tmp_path)
    for options in {}, {"create": False}, {"as_of": "now"}:
        with pytest.raises(JournalError, match=r"no address as it is read here: .*sqlite:///path.*\./ before it"):
            Calendar.open(name, **options)
    assert not list(tmp_path.iterdir())
    Calendar.open(f".{os.sep}{name}").close()
    assert (tmp_path / name).is_dir()


def test_a_sqlite_file_is_told_from_a_directory(tmp_path: Path) -> None:
    path = tmp_path / "rooms.db"
    with Calendar.open(f"sqlite:///{path}") as calendar:
        calendar.add_resource(Resource("room"))
        for options in {}, {"as_of": "now"}, {"salvage": True}:
            with pytest.raises(JournalError, match=f"not a directory but a SQLite file: write sqlite:///{path}$"):
                Calendar.open(path, **options)
    with Calendar.open(f"sqlite:///{path}") as calendar:
        assert calendar.resources.ids() == ["room"]
    os.truncate(path, 2 << 30)  # larger than what is read of a directory's files
    with pytest.raises(JournalError, match=f"not a directory but a SQLite file: write sqlite:///{path}$"):
        Calendar.open(path)
    (tmp_path / "empty").touch()
    with pytest.raises(JournalError, match="is not a directory; a snapshot file"):
        Calendar.open(tmp_path / "empty")
