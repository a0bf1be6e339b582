"""Files that earlier versions wrote are read by this one, and answer as they did.

``persist/data/write_files.py`` has written them and says how. Format 1 of snapshots is that of 0.1.0.
"""

from __future__ import annotations

import json
import runpy
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import Calendar
from bookcore.testing import families, family
from bookcore.testing.every_change import TYPES, Clock, register_boats

DATA = Path(__file__).parent / "data"
ARCHIVES = sorted(DATA.glob("*.zip"))
THERE = {str(one) for one in families()}
WRITTEN = [
    (archive.stem, name)
    for archive in ARCHIVES
    for name in sorted({entry.split("/")[0] for entry in zipfile.ZipFile(archive).namelist()})
]


@pytest.fixture(scope="module")
def writer() -> SimpleNamespace:
    """Return what the script that wrote the files defines."""
    return SimpleNamespace(**runpy.run_path(str(DATA / "write_files.py")))


@pytest.fixture(autouse=True)
def _codecs(_own_registry: None, writer: SimpleNamespace) -> None:
    writer.register()
    register_boats()


def unpacked(version: str, name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return where the files of a family are, and what is to be answered."""
    if name not in THERE:
        pytest.skip(f"the package with the keys {name} is not installed")
    with zipfile.ZipFile(DATA / f"{version}.zip") as archive:
        archive.extractall(folder, [entry for entry in archive.namelist() if entry.startswith(f"{name}/")])
    return folder / name, json.loads((folder / name / "answers.json").read_text())


@pytest.mark.parametrize(("version", "name"), WRITTEN)
def test_a_snapshot_of_an_earlier_version_is_read(version: str, name: str, tmp_path: Path, writer: SimpleNamespace) -> None:
    """Resources, bookings, holds, closures, hours, tags; and once more after all deadlines."""
    folder, found = unpacked(version, name, tmp_path)
    keys = family(name)
    clock = Clock(keys.key(0))
    calendar = Calendar.restore(folder / "snapshot.bks", types=[writer.Flat, writer.Stay], clock=clock)
    calendar.check()
    assert writer.answers(calendar, keys) == found["snapshot"]
    clock.now = keys.key(writer.LATE)
    assert writer.answers(calendar, keys) == found["snapshot, later"]


@pytest.mark.parametrize(("version", "name"), [each for each in WRITTEN if each[0] != "0.1.0"])
def test_a_journal_of_an_earlier_version_is_read(version: str, name: str, tmp_path: Path, writer: SimpleNamespace) -> None:
    """From its newest snapshot, and from the first one on; it goes on, and is as it was after that."""
    folder, found = unpacked(version, name, tmp_path)
    keys = family(name)
    clock = Clock(keys.key(52))
    for at in range(2):
        with Calendar.open(folder / "journal", types=TYPES, clock=clock) as calendar:
            calendar.check()
            assert {"position": calendar.position, "answers": writer.answers(calendar, keys)} == found["journal"]
        if not at:
            snapshots = sorted((folder / "journal").glob("snap-*"))
            assert len(snapshots) == 2
            snapshots[1].unlink()
    with Calendar.open(folder / "journal", types=TYPES, clock=clock) as calendar:
        calendar.remove_booking(calendar.book("room", keys.key(600), keys.key(601)))
        calendar.checkpoint()
        assert writer.answers(calendar, keys) == found["journal"]["answers"]
    with Calendar.open(folder / "journal", types=TYPES, clock=clock) as calendar:
        assert writer.answers(calendar, keys) == found["journal"]["answers"]


def test_there_are_files_of_every_family_and_format() -> None:
    """Nothing is left out in silence, and the newest version's files have what there is to be had."""
    assert {version for version, _ in WRITTEN} >= {"0.1.0", "0.2"}
    plain = {str(one) for one in families() if "." not in str(one)}
    for archive in ARCHIVES:
        assert {name for version, name in WRITTEN if version == archive.stem} >= plain


def test_the_files_of_this_version_can_be_written_anew(tmp_path: Path, writer: SimpleNamespace) -> None:
    """By the script as it is: what it writes now is what it would be asked for later."""
    writer.main(tmp_path / "now.zip", lambda: [family("int"), family("aware")])
    with zipfile.ZipFile(tmp_path / "now.zip") as now, zipfile.ZipFile(ARCHIVES[-1]) as then:
        names = {name for name in then.namelist() if name.split("/")[0] in ("int", "aware")}
        assert set(now.namelist()) == names
        for name in names:
            if name.endswith(".json"):
                assert json.loads(now.read(name)) == json.loads(then.read(name))
