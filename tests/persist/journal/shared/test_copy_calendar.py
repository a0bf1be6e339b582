"""Copying a calendar from any place to any other: nothing half-done is taken for whole, nothing that is there is touched."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from bookcore import Calendar, QueryError, Resource
from bookcore.model.errors import BookcoreError, SnapshotError
from bookcore.persist.copying import UNFINISHED, Copied, copy_calendar
from bookcore.persist.errors import SnapshotKeyError, SnapshotTypeError
from bookcore.persist.fs import FileSystem
from bookcore.persist.journal.copying import write_new
from bookcore.persist.journal.errors import (
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalPositionError,
)
from bookcore.persist.journal.opening import open_calendar
from bookcore.persist.snapshot.save_load import load_bytes, load_file
from bookcore.testing.cutting import cut_off

KINDS = "snapshot", "directory", "sqlite", "postgresql"
Places = Callable[[str], str]
_numbers = count(1)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    """Return a function that names a new place of a kind."""

    def new(kind: str) -> str:
        number = next(_numbers)
        if kind == "postgresql":
            address = request.getfixturevalue("postgres_address")
            return f"{address}{'&' if '?' in address else '?'}calendar=copy-{os.getpid()}-{number}"
        folder = tmp_path / f"{kind}-{number}"
        folder.mkdir()
        names = {"snapshot": f"{folder}/rooms.bks", "directory": f"{folder}/rooms"}
        return names.get(kind, f"sqlite:///{folder}/rooms.db")

    return new


@pytest.fixture
def source(tmp_path: Path, world: SimpleNamespace) -> SimpleNamespace:
    """A directory with every kind of change, and what is known of it."""
    clock = world.Clock(0)
    with Calendar.open(tmp_path / "rooms", clock=clock, types=world.TYPES) as calendar:
        for _ in world.history(calendar, clock, int):
            pass
        counts = len(calendar.resources), len(calendar)
        return SimpleNamespace(
            path=str(tmp_path / "rooms"), position=calendar.position, digest=calendar.digest(), counts=counts
        )


def standing(place: str, types: Any, **options: Any) -> Calendar:
    """Return the calendar at a place, which is only read."""
    if place.endswith(".bks"):
        return Calendar.restore(place, types=types, clock=None, **options)
    opened: Calendar = Calendar.open(place, types=types, as_of="now", **options)
    return opened


def digest_at(place: str, types: Any) -> str | None:
    """Return the digest of what is at a place; None if there is nothing that can be opened."""
    try:
        return standing(place, types).digest()
    except (JournalError, SnapshotError):
        return None


@pytest.mark.parametrize("to", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_the_calendar_that_was_copied(
    kind: str, to: str, place: Places, source: SimpleNamespace, world: SimpleNamespace
) -> None:
    """From each kind of place to each; it can be copied on, and numbers go on where they were."""
    first, second = place(kind), place(to)
    found = copy_calendar(source.path, first)
    assert isinstance(found, Copied)
    assert (found.position, found.digest) == (source.position, source.digest)
    assert (found.resources, found.bookings) == source.counts
    found = copy_calendar(first, second, types=world.TYPES)
    position = 1 if kind == "snapshot" else source.position
    assert (found.position, found.digest) == (position, source.digest)
    assert standing(second, world.TYPES).digest() == source.digest
    copied = standing(second, world.TYPES)
    copied.check()
    assert copied.get("named").fields["guest"] == "Bea"
    if to == "snapshot":
        return
    old = Calendar.open(source.path, types=world.TYPES, clock=None)
    new = Calendar.open(second, types=world.TYPES, clock=None, create=False)
    assert new.position == position
    for calendar in (old, new):
        calendar.add_resource(Resource("late"))
        calendar.book("late", 1, 2)
        calendar.close("late", 5, 6)
    assert new.digest() == old.digest()
    assert new.position == position + 3
    assert [entry.position for entry in new.history("late")] == [position + 1, position + 2, position + 3]
    new.checkpoint()
    for calendar in (old, new):
        calendar.close()
    assert standing(second, world.TYPES).position == position + 3


@pytest.mark.parametrize("to", KINDS)
def test_a_place_that_holds_something_is_refused_and_stays(
    to: str, place: Places, source: SimpleNamespace, world: SimpleNamespace, tmp_path: Path
) -> None:
    """A calendar of another, the copy itself once it is whole, files of others."""
    target = place(to)
    copy_calendar(source.path, target)
    with Calendar.open(tmp_path / "other") as other:
        other.add_resource(Resource("other"))
    for start in (tmp_path / "other", source.path, target):
        with pytest.raises(JournalError, match=r"already; name (a new directory|another)") as refused:
            copy_calendar(start, target)
        assert "secret" not in str(refused.value)
        assert digest_at(target, world.TYPES) == source.digest


def test_what_is_not_ours_is_left_alone(place: Places, source: SimpleNamespace, tmp_path: Path) -> None:
    """Files and databases of other programs, also beside the place; a name that does not say what it is to be."""
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "letter.txt").write_text("Dear Ada")
    (tmp_path / "a.txt").write_text("Dear Bea")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE t (x)")
    other.close()
    before = (tmp_path / "other.db").read_bytes()
    beside = tmp_path / f"new{UNFINISHED}"
    beside.mkdir()
    (beside / "letter.txt").touch()
    (tmp_path / f"new.bks{UNFINISHED}").write_text("Dear Cy")
    for to, reason in (
        (tmp_path / "letters", "is there and not empty"),
        (tmp_path / "a.txt", "is there already"),
        (tmp_path / "other.db", "is there already"),
        (f"sqlite:///{tmp_path}/other.db", "is a database of another program"),
        (f"sqlite:///{tmp_path}/letters", "is a directory"),
        (f"sqlite:///{tmp_path}/none/rooms.db", "there is no directory"),
        (tmp_path / "rooms.sqlite", "does not say what it is to be: .* a SQLite file is sqlite:///"),
        (f"sqlite:///{tmp_path}/rooms.db?x=1", "nothing after it, but here is [?]x"),
        ("sqlite:rooms", "does not say what it is to be"),
        (f"{source.path}/copy", "is in the directory that is read"),
        (f"{source.path}/copy.bks", "is in the directory that is read"),
        (tmp_path / "new", "is no copy that was cut off"),
        (tmp_path / "new.bks", "is no copy that was cut off"),
        (tmp_path / "none" / "rooms", "cannot be written"),
        ("mysql://ada:secret@host/rooms", "there is no journal of the kind 'mysql'"),
    ):
        with pytest.raises(JournalError, match=reason) as refused:
            copy_calendar(source.path, to)
        assert "secret" not in str(refused.value)
    with pytest.raises(SnapshotError, match="no file can be made in"):
        copy_calendar(source.path, tmp_path / "none" / "rooms.bks")
    assert (tmp_path / "other.db").read_bytes() == before
    assert os.listdir(beside) == ["letter.txt"]
    assert sorted(os.listdir(tmp_path)) == sorted(
        ["letters", "a.txt", "other.db", "rooms", f"new{UNFINISHED}", f"new.bks{UNFINISHED}"]
    )
    assert copy_calendar(source.path, f"{tmp_path}/rooms.2026/").to == f"{tmp_path}/rooms.2026/"
    (tmp_path / "empty").mkdir()
    assert copy_calendar(source.path, tmp_path / "empty").digest == source.digest


def test_what_cannot_be_read_is_refused_and_nothing_is_made(place: Places, tmp_path: Path) -> None:
    """No such place, no snapshot, a damaged directory, a class that is none."""
    (tmp_path / "a.csv").write_text("resource,start,end\n")
    with Calendar.open(tmp_path / "rooms") as calendar:
        calendar.add_resource(Resource("room"))
    path = max((tmp_path / "rooms").glob("wal-*"))
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    (tmp_path / "empty").mkdir()
    for start, reason in (
        (tmp_path / "none", "there is no such file or directory to copy"),
        (tmp_path / "a.csv", "not a bookcore snapshot"),
        (tmp_path / "rooms", "0 of them are here"),
        (tmp_path / "empty", "there is no calendar in it"),
        (f"sqlite:///{tmp_path}/none.db", "there is no such file"),
    ):
        for kind in ("snapshot", "directory", "sqlite"):
            target = place(kind)
            with pytest.raises((JournalError, SnapshotError), match=reason):
                copy_calendar(start, target)
            assert os.listdir(os.path.dirname(target.removeprefix("sqlite:///"))) == []
    with pytest.raises(SnapshotTypeError):
        copy_calendar(tmp_path / "rooms", place("directory"), types=[1])  # type: ignore[list-item]


# -- cut off, and failing ------------------------------------------------------------------------------


class Killed(BaseException):
    """Ends the process when it is raised, as a signal does that cannot be caught."""

    def __init__(self) -> None:
        os._exit(9)


class CountedFiles(FileSystem):
    """Files of which one call ends the process, or fails."""

    def __init__(self, at: int = 0, error: Callable[[], BaseException] = Killed) -> None:
        self.calls, self.at, self.error = 0, at, error

    def __getattribute__(self, name: str) -> Any:
        if name in CALLS:
            self.calls += 1
            if self.calls == self.at:
                raise self.error()
        return super().__getattribute__(name)


CALLS = {
    "append", "close", "create", "lock", "make_folder", "names", "open", "open_folder", "read", "replace", "size", "sync",
    "token", "truncate", "unlink", "unlock", "write",
}  # fmt: skip
"""The calls of a file system that may fail."""


def killed(call: Callable[[], Any]) -> bool:
    """Run a call in a child process; tell whether that was killed, and not ended by the end of the call."""
    child = os.fork()
    if not child:
        code = 3
        try:
            call()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9)
    return code == 9


def some(number: int, most: int = 12) -> list[int]:
    """Return some of the numbers from 1 to *number*, the last eight among them; 150 where many examples are asked for."""
    most = 150 if settings().max_examples > 100 else most
    return sorted({*range(1, number + 1, number // most + 1), *range(max(1, number - 7), number + 1)})


@pytest.mark.parametrize("to", KINDS)
def test_a_killed_copy_is_absent_or_whole_and_the_same_call_finishes_it(
    to: str, place: Places, source: SimpleNamespace, world: SimpleNamespace
) -> None:
    """At calls of the file system, or at places all over the call; what opens has everything."""
    start, in_files = place("snapshot"), to in ("snapshot", "directory")
    copy_calendar(source.path, start)
    files = CountedFiles()
    if in_files:
        copy_calendar(start, place(to), fs=files)
        places = some(files.calls)
    else:
        copy_calendar(start, place(to))  # the first one imports modules, which would be places
        places = some(cut_off(lambda: copy_calendar(start, place(to)), 1 << 60))
    absent = whole = 0
    for at in places:
        target = place(to)

        def call(target: str = target, at: int = at) -> None:
            if in_files:
                copy_calendar(start, target, fs=CountedFiles(at))
            else:
                cut_off(lambda: copy_calendar(start, target), at, Killed)

        assert killed(call) or not in_files
        found = digest_at(target, world.TYPES)
        if found is None:
            absent += 1
            assert copy_calendar(start, target).digest == source.digest
        else:
            whole += 1
            assert found == source.digest
            with pytest.raises(JournalError, match="already"):
                copy_calendar(start, target)
        assert digest_at(target, world.TYPES) == source.digest
        assert not os.path.exists(target + UNFINISHED)
    assert absent > 5
    assert whole


@pytest.mark.parametrize("to", ["snapshot", "directory"])
def test_a_call_that_fails_leaves_nothing(
    to: str, place: Places, source: SimpleNamespace, world: SimpleNamespace, tmp_path: Path
) -> None:
    """Calls of the file system, each once, with an error of the disk and with Ctrl-C."""
    start, files = place("snapshot"), CountedFiles()
    copy_calendar(source.path, start)
    copy_calendar(start, place(to), fs=files)
    for error in (lambda: OSError(errno.EIO, os.strerror(errno.EIO)), KeyboardInterrupt):
        for at in some(files.calls, 25):
            target = place(to)
            try:
                copy_calendar(start, target, fs=CountedFiles(at, error))
            except (BookcoreError, KeyboardInterrupt) as exc:
                found = digest_at(target, world.TYPES)
                assert found is None or "folder does not sync" in str(exc) or isinstance(exc, KeyboardInterrupt)
            assert digest_at(target, world.TYPES) or copy_calendar(start, target).digest == source.digest
            assert digest_at(target, world.TYPES) == source.digest
    assert not list(tmp_path.rglob(f"*{UNFINISHED}"))


@pytest.mark.parametrize("to", KINDS)
def test_a_copy_that_does_not_read_back_is_refused(
    to: str, place: Places, source: SimpleNamespace, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is another calendar: it is told by numbers, and is nowhere."""
    target = place(to)
    module = "bookcore.persist.copying"
    other = Calendar()
    other.add_resource(Resource("other"))

    def made(found: Any) -> Any:
        return (other._engine.state, *found[1:])

    with monkeypatch.context() as patch:
        if to == "snapshot":
            patch.setattr(f"{module}.load_file", lambda *args: made(load_file(*args)))
        elif to == "directory":
            def opened(make: Any, where: str, **options: Any) -> Any:
                found = open_calendar(make, where, **options)
                return made(found) if where.endswith(UNFINISHED) else found

            patch.setattr(f"{module}.open_calendar", opened)
        else:
            patch.setattr(f"{module}.load_bytes", lambda *args: (None, *made(load_bytes(*args)[1:])))
        with pytest.raises(JournalDamagedError, match="does not read back as it was written: 0 bookings of 1 resources"):
            copy_calendar(source.path, target)
    assert digest_at(target, world.TYPES) is None
    assert not os.path.exists(target + UNFINISHED)
    assert copy_calendar(source.path, target).digest == source.digest


def test_two_copies_into_one_directory_are_kept_apart(
    place: Places, source: SimpleNamespace, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is being made, another one is refused and leaves it alone."""
    target = place("directory")
    refused: list[BaseException] = []

    def slow(*args: Any) -> None:
        write_new(*args)
        with pytest.raises(JournalInUseError) as caught:
            copy_calendar(source.path, target)
        refused.append(caught.value)

    monkeypatch.setattr("bookcore.persist.copying.write_new", slow)
    assert copy_calendar(source.path, target).digest == source.digest
    assert len(refused) == 1
    assert digest_at(target, world.TYPES) == source.digest


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_of_many_copies_into_one_database_one_wins(
    to: str, place: Places, source: SimpleNamespace, world: SimpleNamespace
) -> None:
    """The others are refused; what is there is one of them."""
    target = place(to)
    outcomes: list[Any] = []
    begun = threading.Barrier(4)

    def work() -> None:
        begun.wait()
        try:
            outcomes.append(copy_calendar(source.path, target).digest)
        except BaseException as exc:
            outcomes.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes.count(source.digest) == 1, outcomes
    assert all(isinstance(each, JournalError) for each in outcomes if each != source.digest), outcomes
    assert digest_at(target, world.TYPES) == source.digest


# -- what a copy begins with ---------------------------------------------------------------------------


def tables(address: str) -> Any:
    """Return a connection to the database."""
    if address.startswith("sqlite"):
        return sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
    import psycopg

    database = address.partition("calendar=")[0].rstrip("&?")
    return psycopg.connect(database, autocommit=True, options="-c search_path=bookcore")


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_the_checkpoint_that_a_copy_begins_with_stays(
    to: str, place: Places, source: SimpleNamespace, world: SimpleNamespace
) -> None:
    """Whatever keep says: with the later ones damaged it is read, and all records since; without it nothing is."""
    target = place(to)
    copy_calendar(source.path, target)
    with Calendar.open(target, types=world.TYPES, clock=None, keep=1) as calendar:
        calendar.add_resource(Resource("late"))
        for at in range(3):
            calendar.book("late", at, at + 1)
            calendar.checkpoint()
        digest = calendar.digest()
        first = [source.position, source.position + 1]
        states = [Calendar.open(target, types=world.TYPES, as_of=at).digest() for at in first]
        assert states[0] == source.digest
        assert (log := calendar.history("late")).begins == source.position
        assert len(log) == 4
    with pytest.raises(JournalPositionError, match=f"what is kept begins after record {source.position}"):
        Calendar.open(target, types=world.TYPES, as_of=source.position - 1)
    with tables(target) as connection:
        only = "" if to == "sqlite" else f" AND calendar = '{target.rpartition('=')[2]}'"
        ask = f"SELECT position FROM checkpoint WHERE position >= 0{only} ORDER BY position"  # noqa: S608 - a name of this test
        assert [row[0] for row in connection.execute(ask)] == [source.position, source.position + 4]
        damage = "UPDATE checkpoint SET snapshot = 'no' WHERE position > {}" + only  # noqa: S608
        connection.execute(damage.format(source.position))
        with Calendar.open(target, types=world.TYPES, clock=None) as again:
            assert again.digest() == digest
        connection.execute(damage.format(0))
        with pytest.raises(JournalDamagedError, match=f"also that of record {source.position}, with which it begins"):
            Calendar.open(target, types=world.TYPES, clock=None)
    connection.close()


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_calendars_share_a_copy(to: str, place: Places, source: SimpleNamespace, world: SimpleNamespace) -> None:
    """Each knows what the others have done, from the checkpoint with which it begins and from later ones."""
    target = place(to)
    copy_calendar(source.path, target)
    calendars = [Calendar.open(target, types=world.TYPES, clock=None, follow=False) for _ in range(3)]
    calendars[0].add_resource(Resource("late"))
    for at in range(9):
        calendars[at % 3].book("late", at, at + 1)
        if at == 4:
            calendars[0].checkpoint()
    assert calendars[0].lag() == 2
    calendars.append(Calendar.open(target, types=world.TYPES, clock=None, follow=False))
    for calendar in calendars:
        calendar.wait_for(source.position + 10)
        calendar.check()
    assert len({calendar.digest() for calendar in calendars}) == 1
    for calendar in calendars:
        calendar.close()


@pytest.mark.parametrize("to", KINDS)
def test_an_empty_calendar_is_copied_with_its_bounds(to: str, place: Places, tmp_path: Path) -> None:
    """It is at position 1 there, so that it is not taken for one that has lost everything."""
    Calendar.open(tmp_path / "empty", bounds="[]").close()
    found = copy_calendar(tmp_path / "empty", place(to))
    assert (found.position, found.resources, found.bookings) == (1, 0, 0)
    for kind in ("directory", "sqlite"):
        with Calendar.open(copy_calendar(tmp_path / "empty", place(kind)).to) as again:
            assert (again.bounds, again.position, len(again)) == ("[]", 1, 0)


@pytest.mark.parametrize("kind", ["directory", "sqlite", "postgresql"])
def test_a_copy_of_a_calendar_in_use_is_a_state_it_had(kind: str, place: Places) -> None:
    """Changes go on meanwhile, also in an open transaction."""
    start = place(kind)
    with Calendar.open(start, clock=None) as calendar:
        calendar.add_resource(Resource("room"))
        states = {}
        for at in range(5):
            calendar.book("room", at, at + 1)
            states[calendar.position] = calendar.digest()
            found = copy_calendar(start, place("snapshot"))
            assert states[found.position] == found.digest
        with calendar.transaction():
            calendar.book("room", 50, 51)
            found = copy_calendar(start, place("directory"))
        assert (found.position, found.digest) == (6, states[6])


# -- keys, ids, progress -------------------------------------------------------------------------------


def test_a_sealed_place_needs_its_key_and_a_copy_is_sealed_by_another(place: Places, tmp_path: Path) -> None:
    """A key is never for a database."""
    with Calendar.open(tmp_path / "rooms", key=b"secret") as calendar:
        calendar.add_resource(Resource("room"))
        digest = calendar.digest()
    for kind in ("snapshot", "directory"):
        target, again = place(kind), place("directory")
        with pytest.raises(SnapshotKeyError):
            copy_calendar(tmp_path / "rooms", target)
        assert copy_calendar(tmp_path / "rooms", target, key=b"secret", to_key=b"other").digest == digest
        assert standing(target, [], key=b"other").digest() == digest
        with pytest.raises(SnapshotKeyError):
            copy_calendar(target, again, key=b"secret")
        assert copy_calendar(target, again, key=b"other").digest == digest
        assert standing(again, []).digest() == digest
        with pytest.raises(SnapshotKeyError, match="a key is 1 to 64 bytes"):
            copy_calendar(again, place(kind), to_key=b"")
    database = place("sqlite")
    with pytest.raises(QueryError, match="is a database, which is not sealed by a key"):
        copy_calendar(tmp_path / "rooms", database, key=b"secret", to_key=b"other")
    copy_calendar(tmp_path / "rooms", database, key=b"secret")
    with pytest.raises(QueryError, match="is a database, which is not sealed by a key"):
        copy_calendar(database, place("directory"), key=b"secret")


def test_ids_of_ones_own_are_made_anew(place: Places, tmp_path: Path, world: SimpleNamespace) -> None:
    """Resources that a key codec writes get them from the function that made them."""

    def upper(boat: Any) -> str:
        return str(boat.id.upper())

    with Calendar.open(tmp_path / "boats", resource_key=upper) as calendar:
        calendar.add_resource(world.Boat("ada"))
    with pytest.raises(BookcoreError, match="comes back with another id"):
        copy_calendar(tmp_path / "boats", place("directory"))
    target = place("directory")
    copy_calendar(tmp_path / "boats", target, resource_key=upper)
    assert [boat.id for boat in Calendar.open(target, resource_key=upper).resources] == ["ada"]


@pytest.mark.parametrize("to", KINDS)
def test_progress_is_told_step_by_step(to: str, place: Places, source: SimpleNamespace) -> None:
    """Each step goes up to all of it, in their order."""
    first, seen = place(to), list[tuple[str, int, int]]()
    copy_calendar(source.path, first, progress=lambda *told: seen.append(told))
    assert list(dict.fromkeys(step for step, _, _ in seen)) == ["reading", "writing", "verifying"]
    assert all(0 <= done <= total for _, done, total in seen)
    last = {step: (done, total) for step, done, total in seen}
    assert all(done == total for done, total in last.values())
