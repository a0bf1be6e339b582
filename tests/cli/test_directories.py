"""The commands about a directory of a calendar: what they print, in text and JSON, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import Result

from bookcore import BookingEvent, Calendar, Resource
from bookcore.hours import Hours
from bookcore.persist.fs import FileSystem

Run = Callable[..., Result]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a change of every kind, one a second from 2026-07-01 on."""
    seconds = [1782864000]

    def now(self: FileSystem) -> int:
        seconds[0] += 1
        return seconds[0] * 1_000_000

    monkeypatch.setattr(FileSystem, "now", now)
    clock = [datetime(2026, 7, 1)]
    with Calendar.open(tmp_path / "rooms", clock=lambda: clock[0]) as calendar:
        loft = calendar.add_resource(Resource("loft"))
        barn = calendar.add_resource(Resource(7, capacity=3))
        day = [datetime(2026, 7, at) for at in range(1, 20)]
        calendar.book(loft, day[3], day[4], id="ada")
        calendar.hold(barn, day[3], day[4], id="ben", until=day[2], quantity=2)
        calendar.extend("ben", until=day[3])
        calendar.confirm("ben")
        calendar.extend(calendar.hold(barn, day[8], day[9], id="cy", until=day[5]), until=None)
        calendar.move("ada", resource=barn, start=day[5], end=day[6])
        calendar.change("ada", guest="Ada")
        calendar.change("ben", quantity=1)
        closure = calendar.close(loft, day[7], None, "painting")
        calendar.reopen(closure)
        calendar.set_hours(loft, Hours({"mon-fri": "09:00-17:00"}))
        calendar.set_hours(loft, None)
        calendar.set_capacity(barn, 4)
        calendar.tag(loft, "sea")
        calendar.untag(loft, "sea")
        calendar.hold(barn, day[10], day[11], id="dee", until=day[12])
        clock[0] = day[13]
        calendar.remove_booking("ben")
        calendar.remove_resource(loft)
        calendar.add_booking(BookingEvent(barn, None, day[0]))
    return tmp_path / "rooms"


def hurt(store: Path) -> None:
    path = max(store.glob("wal-*"))
    data = bytearray(path.read_bytes())
    data[data.index(b"loft") + 300] ^= 1
    path.write_bytes(bytes(data))


def test_verify_says_whether_all_is_whole(run: Run, store: Path) -> None:
    """With 0 or 1, and with where it is not."""
    found = run("verify", store)
    assert found.exit_code == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[0].startswith(f"{store} is whole: ")
    assert "as_of from record 0 on" in lines[1]
    found = run("verify", store, "--json")
    facts = json.loads(found.stdout)
    assert (facts["whole"], facts["begins"], facts["damage"], facts["notes"]) == (True, 0, [], [])
    (store / "letter.txt").touch()
    assert "note: files of others: letter.txt" in run("verify", store).stdout
    hurt(store)
    found = run("verify", store)
    assert found.exit_code == 1
    assert "is damaged: " in found.stdout
    assert "damaged: " in found.stdout.splitlines()[2]
    found = run("verify", store, "--json")
    assert found.exit_code == 1
    fault = json.loads(found.stdout)["damage"][0]
    assert fault["path"].endswith(".bkj")
    assert isinstance(fault["offset"], int)
    for path in store.glob("snap-*"):
        path.unlink()
    assert "it goes up to" not in run("verify", store).stdout


def test_log_tells_every_change_newest_last(run: Run, store: Path) -> None:
    """In a pipe a line each, on a terminal a table, as JSON with ids."""
    found = run("log", store)
    assert found.exit_code == 0, found.stderr
    lines = [line.split("\t") for line in found.stdout.splitlines()]
    assert lines[0] == ["1", "2026-07-01T00:00:02+00:00", "added", "loft"]
    told = [(what, details) for _, _, what, details in lines]
    for expected in (
        ("added", "7"),
        ("booked", "ada: loft 2026-07-04 00:00:00 to 2026-07-05 00:00:00"),
        ("held", "ben: 7 2026-07-04 00:00:00 to 2026-07-05 00:00:00 x 2 until 2026-07-03 00:00:00"),
        ("extended", "ben: 7 2026-07-04 00:00:00 to 2026-07-05 00:00:00 x 2 until 2026-07-04 00:00:00"),
        ("confirmed", "ben: 7 2026-07-04 00:00:00 to 2026-07-05 00:00:00 x 2"),
        ("extended", "cy: 7 2026-07-09 00:00:00 to 2026-07-10 00:00:00 without end"),
        ("moved", "ada: loft 2026-07-04 00:00:00 to 2026-07-05 00:00:00 -> 7 2026-07-06 00:00:00 to 2026-07-07 00:00:00"),
        ("changed", "ada: 7 2026-07-06 00:00:00 to 2026-07-07 00:00:00: quantity 1, guest=Ada"),
        ("changed", "ben: 7 2026-07-04 00:00:00 to 2026-07-05 00:00:00: quantity 1"),
        ("closed", "loft 2026-07-08 00:00:00 to ...: painting"),
        ("reopened", "loft 2026-07-08 00:00:00 to ...: painting"),
        ("hours", "loft always open"),
        ("capacity", "7 3 -> 4"),
        ("tagged", "loft sea"),
        ("untagged", "loft sea"),
        ("ran out", "dee: 7 2026-07-11 00:00:00 to 2026-07-12 00:00:00"),
        ("released", "ben: 7 2026-07-04 00:00:00 to 2026-07-05 00:00:00"),
        ("removed", "loft"),
    ):
        assert expected in told
    facts = json.loads(run("log", store, "--json").stdout)
    assert (facts["begins"], len(facts["entries"])) == (0, len(lines))
    moved = next(entry for entry in facts["entries"] if entry["change"] == "Moved")
    assert (moved["resources"], moved["booking"]) == (["loft", 7], "ada")
    shown = run("log", store, terminal=True, columns=200).stdout
    assert "record" in shown
    assert "times are UTC" in shown
    assert "were not read" not in shown


def test_log_leaves_out_what_was_not_asked_for(run: Run, store: Path) -> None:
    """By the id of a resource as it prints, by a position, and by an instant."""
    of_loft = run("log", store, "--resource", "loft").stdout.splitlines()
    of_barn = run("log", store, "--resource", "7").stdout.splitlines()
    every = run("log", store).stdout.splitlines()
    assert len(of_loft) + len(of_barn) == len(every) + 1  # the booking that moved is in both
    assert run("log", store, "--resource", "nobody").stdout == ""
    later = [line for line in every if int(line.split("\t")[0]) > 5]
    assert run("log", store, "--since", "5").stdout.splitlines() == later
    assert run("log", store, "--since", "2026-07-01T02:00:07+02:00").stdout.splitlines() == later
    for since in ("yesterday", "2026-07-01", "2026-07-01T00:00", "-1", "9" * 30):
        found = run("log", store, "--since", since)
        assert found.exit_code == 2
        assert "--since" in found.stderr


def test_backup_copies_and_says_what_it_has(run: Run, store: Path, tmp_path: Path) -> None:
    """A directory that is there and not empty is left alone, and a damaged one is refused."""
    found = run("backup", store, tmp_path / "copy")
    assert found.exit_code == 0, found.stderr
    assert f"{tmp_path / 'copy'} is whole: " in found.stdout
    assert run("backup", store, tmp_path / "copy").exit_code == 2
    assert json.loads(run("backup", store, tmp_path / "other", "--json").stdout)["whole"] is True
    hurt(store)
    found = run("backup", store, tmp_path / "third", "--json")
    assert found.exit_code == 2
    assert "is damaged" in json.loads(found.stderr)["error"]


def test_salvage_says_what_was_lost(run: Run, store: Path, tmp_path: Path) -> None:
    """With 1 if anything was, and 0 if not."""
    found = run("salvage", store, tmp_path / "whole")
    assert found.exit_code == 0, found.stderr
    assert "nothing was lost" in found.stdout
    hurt(store)
    found = run("salvage", store, tmp_path / "saved")
    assert found.exit_code == 1
    assert "damaged: " in found.stdout
    assert "lost: record " in found.stdout
    found = run("salvage", store, tmp_path / "other", "--json")
    facts = json.loads(found.stdout)
    assert (found.exit_code, facts["complete"], facts["start"]) == (1, False, 0)
    assert len(facts["missing"]) == 1
    with Calendar.open(tmp_path / "saved") as again:
        again.check()
    for path in store.glob("snap-*"):
        path.unlink()
    (store / "CLEAN").unlink()
    for path in store.glob("wal-*"):
        data = path.read_bytes()
        path.write_bytes(data[:60] + b"x" * 200 + data[260:])
    found = run("salvage", store, tmp_path / "third")
    assert "holds nothing and " in found.stdout
    assert "lost: records 1 to " in found.stdout
    assert "left out: record " in found.stdout


def test_a_sealed_directory_needs_the_file_with_its_key(run: Run, tmp_path: Path) -> None:
    """A key is no argument, where others would see it."""
    (tmp_path / "key").write_bytes(b"secret")
    with Calendar.open(tmp_path / "rooms", key=b"secret") as calendar:
        calendar.add_resource(Resource("loft"))
    assert run("verify", tmp_path / "rooms").exit_code == 2
    assert run("verify", tmp_path / "rooms", "--key-file", tmp_path / "key").exit_code == 0
    assert "added" in run("log", tmp_path / "rooms", "--key-file", tmp_path / "key").stdout
    found = run("verify", tmp_path / "rooms", "--key-file", tmp_path / "none")
    assert found.exit_code == 2
    assert "--key-file" in found.stderr
    (tmp_path / "key").write_bytes(b"secret".ljust(65))
    assert "a key is 1 to 64 bytes" in run("verify", tmp_path / "rooms", "--key-file", tmp_path / "key").stderr


def test_what_is_no_directory_is_refused(run: Run, tmp_path: Path) -> None:
    """With 2 and a sentence, as JSON too."""
    for words in (["verify"], ["log"]):
        found = run(*words, tmp_path)
        assert found.exit_code == 2
        assert "there is no calendar in it" in found.stderr
        assert json.loads(run(*words, tmp_path / "none", "--json").stderr)["exit_code"] == 2
