"""A calendar in a directory of dbzero: the exam of journals, killed writers, damaged copies, and the founding sketch."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import bookcore
from bookcore import Calendar, MissingExtraError, Resource, copy_calendar
from bookcore.persist.journal.errors import (
    JournalClosedError,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalReplacedError,
    UnknownOutcomeError,
)
from bookcore.persist.shared import recorder, seam
from bookcore.testing import JournalContract

dbzero: Any = pytest.importorskip("dbzero", reason="dbzero is not installed: it has wheels for Linux on x86-64 only")

ROUNDS = 200 if settings().max_examples > 1000 else 5

WRITER = """
import os, random, sys
from bookcore import Calendar
calendar = Calendar.open(sys.argv[1], follow=False)
os.write(1, b"ready\\n")
number = int(sys.argv[2])
for at in range(10**9):
    id = f"{number}-{at}"
    with calendar.transaction():
        calendar.book("room", 10**6 * number + 2 * at, 10**6 * number + 2 * at + 1, id=id)
        calendar.book("room", 10**6 * number + 2 * at + 1, 10**6 * number + 2 * at + 2, id=id + "b")
    os.write(1, f"{id}\\n".encode())
    if at % 5 == 4:
        calendar.checkpoint()
"""


@pytest.fixture(autouse=True)
def _closed_dbzero(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close all that a test leaves open: a process has one directory of dbzero."""
    opened: list[Any] = []
    from bookcore.persist.shared.dbzero import DbzeroJournal

    begin = DbzeroJournal._check_path

    def noted(journal: DbzeroJournal, create: bool) -> None:
        begin(journal, create)
        opened.append(journal)

    monkeypatch.setattr(DbzeroJournal, "_check_path", noted)
    yield
    for journal in opened:
        journal.close()
    with suppress(RuntimeError):
        dbzero.close()


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Return the address of a calendar that is not there yet."""
    return f"dbzero:///{tmp_path}/store?prefix=rooms"


def booked(address: str, number: int = 3, **options: Any) -> Calendar:
    calendar: Calendar = Calendar.open(address, **options)
    room = calendar.add_resource(Resource("room"))
    for at in range(number):
        calendar.book(room, at, at + 1)
    return calendar


@pytest.mark.usefixtures("three_families")
class TestDbzero(JournalContract):
    """`Calendar.open("dbzero:///path?prefix=name")`."""

    @pytest.fixture
    def new_place(self, unsynced: Path) -> Callable[[], str]:
        """Return addresses of calendars of one directory. A change would wait for the disk four times."""
        numbers = count()
        return lambda: f"dbzero:///{unsynced}/store?prefix=calendar-{next(numbers)}"

    def opening(self, place: Any, **options: Any) -> Calendar:
        """Open without a follower."""
        opened: Calendar = Calendar.open(place, **{"follow": False, **options})
        return opened

    @contextmanager
    def failing(self, calendar: Calendar) -> Iterator[None]:
        """Let dbzero begin no block."""

        def refused() -> None:
            raise RuntimeError("no room")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dbzero, "atomic", refused)
            yield


def test_an_address_says_what_is_missing(tmp_path: Path, address: str) -> None:
    """Nothing is made of one that is refused."""
    for wrong, reason in [
        ("dbzero://path", "dbzero:///path"),
        ("dbzero:///", "dbzero:///path"),
        (f"{address}&sync=1", "prefix=name"),
        (f"dbzero:///{tmp_path}/store?name=rooms", "prefix=name"),
        (f"dbzero:///{tmp_path}/store?prefix=a/b", "prefix=name"),
        (f"dbzero:///{tmp_path}/store?prefix=", "prefix=name"),
    ]:
        with pytest.raises(JournalError, match=reason):
            Calendar.open(wrong)
    with pytest.raises(JournalError, match="says create=False"):
        Calendar.open(address, create=False)
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="is not a directory"):
        Calendar.open(f"dbzero:///{tmp_path}/file")
    with pytest.raises(JournalError, match="cannot be made: Not a directory"):
        Calendar.open(f"dbzero:///{tmp_path}/file/store")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_dbzero_the_extra_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every extra."""
    monkeypatch.setitem(sys.modules, "dbzero", None)
    monkeypatch.delitem(sys.modules, "bookcore.persist.shared.dbzero", raising=False)
    with pytest.raises(MissingExtraError, match=r"bookcore\[dbzero\]"):
        Calendar.open(address)


def test_one_calendar_at_a_time_has_it_open(tmp_path: Path, address: str) -> None:
    """A second one is told which process has it, in that process and in another one; after the end of the first it may."""
    with booked(address) as calendar:
        with pytest.raises(JournalInUseError, match=f"process {os.getpid()} "):
            Calendar.open(address)
        told = python(WRITER, address, 1)
        assert f"JournalInUseError: journal {tmp_path}/store, prefix rooms: is open in process {os.getpid()}" in told
        calendar.book("room", 8, 9)
        digest = calendar.digest()
    with Calendar.open(address) as again:
        assert again.digest() == digest


def python(program: str, *arguments: Any) -> str:
    """Run a program that fails, and return what it says."""
    done = subprocess.run(command(program, *arguments), env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode
    return done.stderr


def command(program: str, *arguments: Any) -> list[str]:
    return [sys.executable, "-c", program, *map(str, arguments)]


def environment() -> dict[str, str]:
    path = os.pathsep.join([os.path.dirname(os.path.dirname(bookcore.__file__)), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path, address: str) -> None:
    """At any instant one of the copies is whole: dbzero cannot open each file whose writer was killed amidst a commit."""
    rng = random.Random(7)
    acknowledged: set[str] = set()
    stood = 0
    with Calendar.open(address) as calendar:
        calendar.add_resource(Resource("room"))
    for number in range(1, 1 + ROUNDS):
        program = command(WRITER, address, number)
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment()) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            timer = threading.Timer(rng.random() / 5, writer.kill)
            timer.start()
            told = {line.strip() for line in writer.stdout if line.endswith("\n")}
            timer.join()
        acknowledged |= told
        with Calendar.open(address, follow=False) as calendar:
            there = {str(event.id) for event in calendar.bookings()}
            assert acknowledged <= there
            assert {id for id in there if not id.endswith("b")} == {id[:-1] for id in there if id.endswith("b")}
            at = len(told)  # the one that was not acknowledged
            stood += f"{number}-{at}" in there
            id, start = f"{number}-{at}", 10**6 * number + 2 * at
            assert calendar.book("room", start, start + 1, id=id, if_exists="return").id == id
            with suppress(bookcore.ConflictError):
                calendar.book("room", start + 1, start + 2, id=id + "b", if_exists="return")
            calendar.check()
    aside = sum(path.stat().st_size > 0 for path in tmp_path.rglob("*.damaged"))
    print(f"{ROUNDS} writers killed, {len(acknowledged)} acknowledged, {stood} more stood; copies put aside: {aside}")  # noqa: T201


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("damage", ["gone", "cut", "old"])
def test_one_copy_is_enough(tmp_path: Path, address: str, which: int, damage: str) -> None:
    """The other one is made anew."""
    file = tmp_path / "store" / f"rooms-{which}.db0"
    with booked(address) as calendar:
        calendar.checkpoint()
    if damage == "old":
        shutil.copy(file, tmp_path / "old")
    with Calendar.open(address) as calendar:
        calendar.book("room", 8, 9)
        digest = calendar.digest()
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        os.truncate(file, 30000)
    else:
        shutil.copy(tmp_path / "old", file)
    for _ in range(2):
        with Calendar.open(address) as calendar:
            assert (calendar.digest(), calendar.position) == (digest, 5)
        file = file.with_name(f"rooms-{3 - which}.db0")
        file.unlink()


@pytest.mark.parametrize("which", [1, 2])
def test_a_calendar_that_was_elsewhere_before_may_begin_in_it(tmp_path: Path, address: str, which: int) -> None:
    """Its snapshot is in both copies, and is never dropped; a second one is not copied over it."""
    with booked(f"{tmp_path}/directory") as calendar:
        digest = calendar.digest()
    copy_calendar(f"{tmp_path}/directory", address)
    with pytest.raises(JournalError, match="holds a calendar already"):
        copy_calendar(f"{tmp_path}/directory", address)
    (tmp_path / "store" / f"rooms-{which}.db0").unlink()
    with Calendar.open(address, keep=1) as calendar:
        assert (calendar.digest(), calendar.position) == (digest, 4)
        for at in range(10, 14):
            calendar.book("room", at, at + 1)
            calendar.checkpoint()
        digest = calendar.digest()
        positions = [entry.place.position for entry in calendar._recorder.journal.checkpoints()]
        assert positions == [8, 4]
    (tmp_path / "store" / f"rooms-{3 - which}.db0").unlink()
    with Calendar.open(address) as calendar:
        assert (calendar.digest(), calendar.position) == (digest, 8)
    with Calendar.open(address, as_of=5) as past:
        assert (len(past), past.position) == (4, 5)
    copy_calendar(address, f"sqlite:///{tmp_path}/rooms.db")
    with Calendar.open(f"sqlite:///{tmp_path}/rooms.db") as calendar:
        assert calendar.digest() == digest


def test_two_damaged_copies_are_refused(tmp_path: Path, address: str) -> None:
    """An empty calendar in their place would be a lie."""
    booked(address).close()
    for which in (1, 2):
        os.truncate(tmp_path / "store" / f"rooms-{which}.db0", 30000)
    with pytest.raises(JournalDamagedError, match="neither copy can be opened"):
        Calendar.open(address)
    assert not list(tmp_path.rglob("*.damaged"))


def test_copies_of_two_calendars_are_not_mixed(tmp_path: Path, address: str) -> None:
    """They tell that by the mark of the origin, which is random."""
    booked(address, 2).close()
    booked(address.replace("rooms", "other"), 3).close()
    shutil.copy(tmp_path / "store" / "other-2.db0", tmp_path / "store" / "rooms-2.db0")
    with pytest.raises(JournalError):
        Calendar.open(address)


def test_a_commit_that_fails_leaves_the_outcome_unknown(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more changes are taken; opened anew, the same call settles it. Questions are answered all the time."""
    for number in range(4):  # commits until one fails: before and after the first copy
        calendar = booked(address) if not number else Calendar.open(address)
        commit, commits = dbzero.commit, count()

        def failing(prefix: str, fails: int = number % 2, commits: Any = commits, commit: Any = commit) -> None:
            if next(commits) == 1 + fails:  # the first one is of nothing
                raise RuntimeError("CFile::write: fwrite failed")
            commit(prefix)

        at, found = 10 + number, (calendar.position, calendar.digest())
        with monkeypatch.context() as patch:
            patch.setattr(dbzero, "commit", failing)
            with pytest.raises(UnknownOutcomeError, match=r"fwrite failed.*repeat the call with the same id"):
                calendar.book("room", at, at + 1, id=f"id {number}")
        calendar.catch_up()  # as a follower does at any time: what may be lost yet is not shown
        assert (calendar.position, calendar.lag(), calendar.digest()) == (found[0], 0, found[1])
        for call in (lambda: calendar.book("room", 90, 91), calendar.checkpoint):  # noqa: B023 - called in this round
            with pytest.raises(JournalClosedError, match="fwrite failed"):
                call()
        assert calendar.is_available("room", at, at + 1)
        calendar.close()
        with Calendar.open(address) as again:
            assert again.book("room", at, at + 1, id=f"id {number}", if_exists="return").id == f"id {number}"
            assert again.position == 5 + number


def test_a_checkpoint_that_is_cut_off_is_in_both_copies_before_the_next_change(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between the two: the second one drops those that the first one has dropped."""
    calendar = booked(address, follow=False, keep=1)
    calendar.checkpoint()
    calendar.book("room", 8, 9)
    atomic, begun = dbzero.atomic, count()

    def interrupted() -> Any:
        if next(begun):
            raise KeyboardInterrupt
        return atomic()

    journal: Any = calendar._recorder.journal
    with monkeypatch.context() as patch:
        patch.setattr(dbzero, "atomic", interrupted)
        with pytest.raises(KeyboardInterrupt):
            calendar.checkpoint()
    assert [[each[0] for each in copy.checkpoints] for copy in journal._copies] == [[5], [4]]
    assert [entry.place.position for entry in journal.checkpoints()] == [5]
    assert [[each[0] for each in copy.checkpoints] for copy in journal._copies] == [[5], [5]]
    calendar.close()


def test_a_journal_that_is_forked_or_closed_reads_nothing(address: str) -> None:
    """Told in this process, of which the journal believes that it was forked: it leaves the copies to the other one."""
    calendar = booked(address, follow=False)
    journal: Any = calendar._recorder.journal
    head = journal.head()
    assert journal.wait(journal.origin, 0.0)  # there is something already
    with pytest.raises(JournalReplacedError):  # there is no such record, or not yet
        journal.read(seam.Place(head.position + 1, 0), 1)
    journal._pid += 1
    with pytest.raises(JournalClosedError, match="was forked"):
        journal.head()
    journal.close()
    journal._pid -= 1
    assert journal.head() == head
    calendar.close()
    with pytest.raises(JournalClosedError, match="was closed"):
        journal.head()


@pytest.mark.parametrize("copies", [0, 1])
def test_a_change_that_one_copy_does_not_take_is_told(copies: int, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first one refuses it nothing is changed; what it has taken stands, when the calendar is opened anew."""
    calendar = booked(address, follow=False)
    atomic, begun = dbzero.atomic, count()

    def refused() -> Any:
        if next(begun) == copies:
            raise RuntimeError("no room")
        return atomic()

    with monkeypatch.context() as patch:
        patch.setattr(dbzero, "atomic", refused)
        with pytest.raises(JournalError, match="no room") as told:
            calendar.book("room", 8, 9, id="once")
    assert isinstance(told.value, UnknownOutcomeError) is bool(copies)
    assert "once" not in calendar
    calendar.close()
    with Calendar.open(address, follow=False) as again:
        assert ("once" in again) is bool(copies)


def test_what_dbzero_says_when_it_is_given_a_directory_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is."""

    def refused(*_: Any, **__: Any) -> None:
        raise RuntimeError("no memory for the cache")

    with monkeypatch.context() as patch:
        patch.setattr(dbzero, "init", refused)
        with pytest.raises(JournalError, match="cannot be opened: no memory for the cache"):
            Calendar.open(address)
    Calendar.open(address).close()


def test_a_calendar_may_be_closed_after_dbzero_was(address: str) -> None:
    """By the program, which gives the directory back itself; nothing that was acknowledged is lost."""
    calendar = booked(address, follow=False)
    digest = calendar.digest()
    dbzero.close()
    calendar.close()
    with Calendar.open(address, follow=False) as again:
        assert again.digest() == digest


def test_records_that_outgrow_the_checkpoint_bring_a_new_one(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one at the same place is none."""
    monkeypatch.setattr(seam, "LEAST", 2000)
    monkeypatch.setattr(recorder, "ASKING", 0)
    with booked(address, follow=False) as calendar:
        for at in range(10, 14):
            calendar.book("room", at, at + 1, note="x" * 700)
        journal = calendar._recorder.journal
        assert [entry.place.position for entry in journal.checkpoints()] == [7]
        for _ in range(2):
            calendar.checkpoint()
        assert [entry.place.position for entry in journal.checkpoints()] == [8, 7]


@pytest.mark.parametrize("when", range(3))
def test_a_call_that_is_cut_off_is_made_up_for(when: int, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before, between and after the two copies: the next command makes them equal, and knows of the record."""
    calendar = booked(address)
    commit, commits = dbzero.commit, count()

    def interrupted(prefix: str) -> None:
        commit(prefix)
        if next(commits) == when:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dbzero, "commit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            calendar.book("room", 8, 9, id="cut off")
    assert "cut off" not in calendar
    assert calendar.book("room", 8, 9, id="cut off", if_exists="return").id == "cut off"
    calendar.book("room", 9, 10)
    digest = calendar.digest()
    assert calendar.position == 6
    calendar.close()
    with Calendar.open(address) as again:
        assert again.digest() == digest


def test_a_program_may_have_objects_of_its_own_beside_it(tmp_path: Path, address: str) -> None:
    """In the same directory, in prefixes of its own; what it opened last stays its default."""
    dbzero.init(str(tmp_path / "store"), autocommit=False)
    with pytest.raises(JournalError, match="with no prefix yet"):
        Calendar.open(address)
    dbzero.open("guests", "rw", autocommit=False)
    with booked(address) as calendar:
        assert dbzero.get_current_prefix().name == "guests"
        with dbzero.atomic(), pytest.raises(JournalError, match="inside an active"):
            calendar.book("room", 8, 9)
        calendar.book("room", 8, 9)
        assert calendar.position == 5
        with pytest.raises(JournalError, match="another directory"):
            Calendar.open(f"dbzero:///{tmp_path}/elsewhere")
    dbzero.commit("guests")
    with Calendar.open(address) as again:
        assert len(again) == 4
    assert dbzero.get_current_prefix().name == "guests"


def test_a_forked_process_answers_and_refuses_changes(address: str) -> None:
    """It has to end by `os._exit`, as those of `multiprocessing` do: dbzero's end waits for threads that are not there."""
    program = """
import os, sys, signal, warnings
warnings.simplefilter("ignore")
from bookcore import Calendar, Resource
from bookcore.persist.journal.errors import JournalClosedError
calendar = Calendar.open(sys.argv[1], follow=False)
calendar.add_resource(Resource("room"))
pid = os.fork()
if not pid:
    signal.alarm(20)
    assert calendar.is_available("room", 1, 2)
    for call in (lambda: calendar.book("room", 1, 2), calendar.catch_up, calendar.checkpoint):
        try:
            call()
        except JournalClosedError as error:
            assert "was forked" in str(error), error
        else:
            raise AssertionError(call)
    calendar.close()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
calendar.book("room", 1, 2)
calendar.close()
with Calendar.open(sys.argv[1]) as again:
    assert len(again) == 1
"""
    subprocess.run(command(program, address), env=environment(), check=True, timeout=60)


def test_the_sketch_gives_a_wrong_answer_and_the_calendar_the_right_one(tmp_path: Path) -> None:
    """The sketch: rooms in an index by the starts of their bookings and in one by their ends, and both conditions at once.

    A room with the bookings [1, 2) and [9, 10) has one that starts before 6 and another that ends after 4, and so is taken
    to be booked in [4, 6). The conditions have to be met by one booking. In dbzero an object under several keys of an
    index is found wrongly besides.
    """

    @dbzero.memo
    class Room:
        def __init__(self, name: int) -> None:
            self.name = name

    @dbzero.memo(singleton=True)
    class Sketch:
        def __init__(self) -> None:
            self.rooms: list[Any] = []
            self.starts, self.ends = dbzero.index(), dbzero.index()

        def booked_in(self, start: int, end: int) -> set[int]:
            found = dbzero.find(Room, self.starts.select(None, end - 1), self.ends.select(start + 1, None))
            return {room.name for room in found}

    rng = random.Random(1)
    dbzero.init(str(tmp_path / "store"), autocommit=False)
    dbzero.open("sketch", "rw", autocommit=False)
    sketch, plain = Sketch(), {}
    with Calendar.open(f"dbzero:///{tmp_path}/store?prefix=calendar", follow=False) as calendar:
        first = Room(0)
        sketch.rooms.append(first)
        calendar.add_resource(Resource(0))
        for start, end in [(1, 2), (9, 10)]:
            sketch.starts.add(start, first)
            sketch.ends.add(end, first)
            calendar.book(0, start, end)
        plain[0] = [(1, 2), (9, 10)]
        dbzero.commit("sketch")
        assert sketch.booked_in(4, 6) == {0}
        assert calendar.find_available(4, 6).ids() == [0]
        for name in range(1, 20):
            room, at = Room(name), 0
            sketch.rooms.append(room)
            calendar.add_resource(Resource(name))
            plain[name] = []
            for _ in range(rng.randrange(1, 5)):
                start = at + rng.randrange(1, 8)
                at = start + rng.randrange(1, 4)
                sketch.starts.add(start, room)
                sketch.ends.add(at, room)
                plain[name].append((start, at))
        calendar.load([bookcore.BookingEvent(name, *span) for name in plain if name for span in plain[name]])
        dbzero.commit("sketch")
        wrong = 0
        for _ in range(200):
            start = rng.randrange(30)
            end = start + rng.randrange(1, 6)
            right = {name for name in plain if any(low < end and start < high for low, high in plain[name])}
            assert set(plain) - set(calendar.find_available(start, end).ids()) == right
            wrong += sketch.booked_in(start, end) != right
        assert wrong > 50


@pytest.mark.parametrize("cut_off", ["nowhere", "before the upgrade", "amidst the upgrade"])
def test_records_of_format_1_tell_no_times(cut_off: str, address: str, brought_up: Callable[..., None]) -> None:
    """Those after the upgrade do, in both copies; whatever was cut off, writing or an upgrade."""
    with booked(address, 1) as calendar:
        copies = calendar._recorder.journal._copies
        for copy, prefix in zip(copies, calendar._recorder.journal._prefixes, strict=True):
            with dbzero.atomic():
                items = [bytes(item[:4] + item[12:]) for item in copy.records]
                copy.records = items[:1] if (cut_off, copy) == ("before the upgrade", copies[1]) else items
                if (cut_off, copy) == ("amidst the upgrade", copies[0]):
                    copy.untimed, copy.begun = len(items), -1
                else:
                    copy.version = 1
            dbzero.commit(prefix)
    brought_up(address, 1, 2)
    with Calendar.open(address) as calendar:
        one, other = calendar._recorder.journal._copies
        assert list(one.records) == list(other.records)
        assert (one.untimed, other.untimed, len(one.records)) == (2, 2, 3)
