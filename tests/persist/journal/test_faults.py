"""Power cuts, damage and failing calls: what was acknowledged is there, exactly, or the directory is refused.

A short life of a calendar is lived on a simulated file system, and its state after each record is known from a calendar
that was never closed. Each failure names its seed, with which it can be repeated.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import pytest
from hypothesis import settings

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    ConflictError,
    Resource,
    SnapshotError,
    UnknownResourceError,
)
from bookcore.engine.recording import RecordingEngine
from bookcore.engine.state import CalendarState
from bookcore.persist.errors import SnapshotDamagedError
from bookcore.persist.fs import sync_folder
from bookcore.persist.journal import directory, frames
from bookcore.persist.journal.directory import DirectoryJournal
from bookcore.persist.journal.errors import JournalClosedError, JournalDamagedError, JournalError
from bookcore.persist.journal.opening import Recorder, open_calendar
from bookcore.persist.journal.reading import Reader
from bookcore.persist.snapshot.save_load import save
from bookcore.testing.simulated_files import SimulatedFiles

MOST = settings().max_examples  # 40 as a rule, see tests/conftest.py


def opened(fs: SimulatedFiles, **options: Any) -> Calendar:
    """Open the calendar of a simulated file system."""

    def make(bounds: Any, event_type: type[BookingEvent]) -> tuple[Calendar, Any]:
        calendar = Calendar(bounds=bounds, event_type=event_type)
        return calendar, calendar._engine.state

    calendar, recorder = open_calendar(make, fs.folder, fs=fs, **options)
    calendar._recorder = recorder
    calendar._engine = RecordingEngine(calendar._engine.state)
    return calendar


def _add(calendar: Calendar, *, room: str, capacity: int) -> None:
    calendar.add_resource(Resource(room, capacity))


def _step(calendar: Calendar, *, room: str, kind: int, at: int) -> None:
    """Change something."""
    match kind:
        case 2:
            for event in list(calendar.bookings())[:1]:
                calendar.remove_booking(event)
        case 3:
            calendar.book_all([(room, 100 + at, 101 + at), (room, 200 + at, 201 + at)])
        case 4:
            calendar.tag(room, f"label {at}")
        case 5:
            calendar.close(room, 300 + at, 301 + at, "x" * 100)
        case _:
            calendar.book(room, at, at + 1, guest="Ada" * (at % 3), id=f"b{at}")


class Life:
    """A calendar that lives through a history on a file system: what it has acknowledged, and all its states."""

    def __init__(self, seed: int, fs: SimulatedFiles | None = None, **options: Any) -> None:
        self.seed, self.options = seed, options
        self.fs = SimulatedFiles() if fs is None else fs
        self.acknowledged = 0
        self.states: list[str] = []

    def steps(self) -> Iterator[Callable[[Calendar], Any]]:
        """Yield what is done, the same for the same seed; None stands for shutting down and opening again."""
        rng = Random(self.seed)
        for room, capacity in (("a", 1), ("b", 3)):
            yield partial(_add, room=room, capacity=capacity)
        others = [self.checkpoint, self.reopen]
        for at in range(14):
            room, kind = rng.choice("ab"), rng.randrange(9)
            yield others[kind] if kind < 2 else partial(_step, room=room, kind=kind, at=at)

    @staticmethod
    def checkpoint(calendar: Calendar) -> None:
        calendar.checkpoint()

    @staticmethod
    def reopen(calendar: Calendar) -> None:
        """Stand for the end of one process and the beginning of another."""

    def live(self) -> None:
        """Live through all of it, or until the power is cut."""
        calendar = opened(self.fs, **self.options)
        self.states = [calendar.digest()]
        for step in self.steps():
            if step is self.reopen:
                calendar.close()
                self.acknowledged = calendar.position
                calendar = opened(self.fs, **self.options)
                continue
            with suppress(ConflictError):
                step(calendar)
            if self.options.get("sync") != "never" or step is self.checkpoint:
                self.acknowledged = calendar.position
            if calendar.position == len(self.states):
                self.states.append(calendar.digest())
            assert calendar.position == len(self.states) - 1

    def judge(self) -> Judge:
        """Return what judges the images of this life."""
        return Judge(self.seed, _states_of(Life(self.seed, sync=self.options.get("sync", "always"))))


Contents: TypeAlias = frozenset[tuple[str, bytes]]


def contents_of(image: SimulatedFiles) -> Contents:
    """Return what is on a disk, but for the file that says who has it open."""
    return frozenset((name, data) for name, data in image.contents().items() if name != "LOCK")


class Judge:
    """Opens what crashes have left. Most images are equal to one that was judged before, and are not opened again."""

    def __init__(self, seed: int, states: list[str]) -> None:
        self.seed, self.states = seed, states
        self.judged = 0
        self.positions: dict[Contents, int | None] = {}
        self.repaired: set[Contents] = set()

    def __call__(self, image: SimulatedFiles, acknowledged: int, what: object, *, may_refuse: bool = False) -> None:
        """Raise AssertionError unless everything acknowledged is there, and nothing was invented.

        With *may_refuse*, the image is damaged, and need not be opened; but then it is left as it is.
        """
        self.judged += 1
        found = contents_of(image)
        if found not in self.positions:
            self.positions[found] = self._position(image, f"seed {self.seed}, {what}", may_refuse)
        position = self.positions[found]
        if position is None:
            assert may_refuse, f"seed {self.seed}, {what}"
        else:
            assert acknowledged <= position, f"seed {self.seed}, {what}"

    def _position(self, image: SimulatedFiles, seen: str, may_refuse: bool) -> int | None:
        """Open an image, twice, and go on; return its position."""
        before = contents_of(image)
        try:
            recovered = opened(image)
        except (JournalError, SnapshotError):
            if not may_refuse:
                raise
            assert contents_of(image) == before, seen
            return None
        position = recovered.position
        assert position < len(self.states), seen
        assert recovered.digest() == self.states[position], seen
        recovered._recorder.files.release()
        repaired = contents_of(image)
        if repaired not in self.repaired:
            self._second(image, position, seen)
            self.repaired.add(repaired)
        return position

    def _second(self, image: SimulatedFiles, position: int, seen: str) -> None:
        """Open it again, which changes nothing; go on, and lose the power again."""
        before = contents_of(image)
        again = opened(image)
        assert (again.position, again.digest()) == (position, self.states[position]), seen
        assert contents_of(image) == before, seen
        again.add_resource(Resource("after the crash"))
        digest = again.digest()
        last = opened(image.power_cut(seen))
        assert (last.position, last.digest()) == (again.position, digest), seen
        last.check()


_states: dict[int, list[str]] = {}


def _states_of(life: Life) -> list[str]:
    if life.seed not in _states:
        life.live()
        _states[life.seed] = life.states
    return _states[life.seed]


def crashes(life: Life, images: int, see: Callable[[SimulatedFiles, str], object]) -> None:
    """Live a life; *see* gets so many images of what a power cut at each call of the file system would leave."""
    fs = life.fs

    def watch() -> None:
        for number in range(images):
            see(fs.power_cut((life.seed, fs.calls, number)), f"call {fs.calls}, image {number}")
        if not fs.calls % 7:
            see(fs.killed(), f"call {fs.calls}, killed")

    fs.watch = watch
    life.live()
    fs.watch = None


def cut_power(seed: int, images: int, **options: Any) -> int:
    """Cut the power at every call of a life, and judge so many images of each; return their number."""
    life = Life(seed, **options)
    judge = life.judge()
    crashes(life, images, lambda image, what: judge(image, life.acknowledged, what))
    return judge.judged


def cut_recovery(seed: int, images: int) -> int:
    """Cut the power at every call of a life, and again at every call of the next opening; return the number of images."""
    life = Life(seed)
    judge = life.judge()
    seen: set[Contents] = set()

    def see(image: SimulatedFiles, what: str) -> None:
        if contents_of(image) in seen:
            return
        seen.add(contents_of(image))

        def watch() -> None:
            for number in range(images):
                again = f"{what}, then call {image.calls}, image {number}"
                judge(image.power_cut(again), life.acknowledged, again)

        image.watch = watch
        opened(image)

    crashes(life, images, see)
    return judge.judged


def _flipped(data: bytes) -> bytes:
    at = len(data) // 3
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


DAMAGES: list[Callable[[bytes], bytes]] = [
    _flipped, lambda data: data[: len(data) // 2], lambda data: bytes(len(data)), lambda data: data[:-1], lambda data: b"",
]  # fmt: skip


def cut_and_damage(seed: int, images: int, keep: int) -> int:
    """Cut the power at every call of a life with checkpoints, and damage the newest snapshot; return the number of images.

    The one before it and all records since are whole, so nothing is lost. The only one is refused.
    """
    life = Life(seed, keep=keep)
    judge = life.judge()

    def see(image: SimulatedFiles, what: str) -> None:
        files = {name: data for name, data in image.contents().items() if name != "LOCK"}
        snapshots = sorted(name for name in files if name.startswith("snap-"))
        for at, damage in enumerate(DAMAGES if snapshots else ()):
            name = snapshots[-1]
            damaged = SimulatedFiles(files={**files, name: damage(files[name])})
            judge(damaged, life.acknowledged, f"{what}, damage {at} of {name}", may_refuse=len(snapshots) == 1)

    crashes(life, images, see)
    return judge.judged


MANY = MOST > 40


@pytest.mark.parametrize("seed", range(10 if MANY else 2))
def test_after_a_power_cut_at_any_call_everything_acknowledged_is_there(seed: int) -> None:
    """Every call of the file system is a crash point, with many images of what the disk may hold after it."""
    assert cut_power(seed, 500 if MANY else 50, keep=1 + seed % 2) > 5_000


def test_without_syncing_a_power_cut_leaves_a_prefix() -> None:
    """No state that never was; and all up to the last checkpoint or shutdown."""
    assert cut_power(7, 200 if MANY else 4, sync="never") > 500


@pytest.mark.parametrize("seed", range(10 if MANY else 1))
def test_after_a_second_power_cut_during_recovery_it_is_still_there(seed: int) -> None:
    """The repair itself may be cut off at any call."""
    assert cut_recovery(seed, 8 if MANY else 3) > 5_000


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_after_a_crash_a_damaged_newest_snapshot_loses_nothing(keep: int) -> None:
    """While there is one before it, and all records since."""
    for seed in (1, 2, 3, 4) if MANY else (1,):
        assert cut_and_damage(seed, 50 if MANY else 4, keep) > 1_000


# -- damage ------------------------------------------------------------------------------------------


def small_store() -> tuple[dict[str, bytes], str, int]:
    """Return the files of a store that was shut down, with two snapshots; and its digest and position."""
    fs = SimulatedFiles()
    calendar = opened(fs)
    calendar.add_resource(Resource("room"))
    calendar.checkpoint()
    calendar.book("room", 1, 2)
    calendar.checkpoint()
    calendar.book("room", 3, 4, guest="Ada")
    calendar.book("room", 5, 6)
    digest, position = calendar.digest(), calendar.position
    calendar.close()
    return {name: data for name, data in fs.contents().items() if name != "LOCK"}, digest, position


def exact_or_refused(files: dict[str, bytes], digest: str, position: int, what: object) -> bool:
    """Open damaged files: the calendar is exactly as it was, or an error of ours says what is wrong. True if refused."""
    image = SimulatedFiles(files=files)
    try:
        calendar = opened(image)
    except (JournalDamagedError, SnapshotDamagedError, JournalError, SnapshotError):
        after = {name: data for name, data in image.contents().items() if name != "LOCK"}
        assert after == files, f"{what}: changed, though it was refused"
        return True
    assert (calendar.digest(), calendar.position) == (digest, position), what
    return False


def damage_bits(stride: int = 1) -> tuple[int, int]:
    """Flip bits of each file; return how many were refused, of how many."""
    files, digest, position = small_store()
    refused = count = 0
    for name, data in files.items():
        for bit in range(0, 8 * len(data), stride):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            refused += exact_or_refused({**files, name: bytes(damaged)}, digest, position, (name, bit))
            count += 1
    return refused, count


def damage_crashed(stride: int = 1) -> None:
    """Flip bits of the records of a store that was not shut down: damage to any but the last one is proved by that."""
    files, _, position = small_store()
    del files["CLEAN"]
    name, data = max(files.items())
    at, length, *_ = frames.read_frames(data, data[12:20], int(name[4:-4])).records[-1]
    assert at + length == len(data)
    for bit in range(0, 8 * (at - frames.FRAME_SIZE), stride):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(JournalDamagedError):
            opened(SimulatedFiles(files={**files, name: bytes(damaged)}))
    for bit in range(8 * (at - frames.FRAME_SIZE), 8 * len(data), stride):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert opened(SimulatedFiles(files={**files, name: bytes(damaged)})).position == position - 1, bit


def test_damage_to_a_store_that_was_not_shut_down_is_refused() -> None:
    """Only the last record of all cannot be told from a write that was cut off."""
    damage_crashed(1 if MOST > 40 else 5)


def damage_lengths(stride: int = 1) -> int:
    """Cut each file at every length, and lengthen it."""
    files, digest, position = small_store()
    count = 0
    for name, data in files.items():
        for size in range(0, len(data), stride):
            exact_or_refused({**files, name: data[:size]}, digest, position, (name, size))
            count += 1
        for tail in (b"\0", bytes(600), b"\1" * 50, data):
            exact_or_refused({**files, name: data + tail}, digest, position, (name, "longer", len(tail)))
    return count


def test_every_flipped_bit_is_repaired_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    """A calendar that was shut down never opens with less than it had."""
    refused, count = damage_bits(1 if MOST > 40 else 11)
    assert 0 < refused < count


def test_every_other_length_is_repaired_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Each file of the store, cut at every byte."""
    assert damage_lengths(1 if MOST > 40 else 3) > 300


def test_every_missing_file_is_made_up_for_or_refused() -> None:
    """Any one of the files may be gone; or, as CLEAN says how many records there were, any of the others."""
    files, digest, position = small_store()
    others = sorted(name for name in files if name != "CLEAN")
    exact_or_refused({name: files[name] for name in others}, digest, position, "CLEAN")
    for gone in range(1, 1 << len(others)):
        left = [name for at, name in enumerate(others) if not gone >> at & 1]
        exact_or_refused({name: files[name] for name in ["CLEAN", *left]}, digest, position, left)


# -- failing calls -----------------------------------------------------------------------------------


def fail_calls(seed: int, failure: int) -> int:
    """Let each call of a life fail once: the error is one of ours, and what was acknowledged stays; return their number."""
    whole = Life(seed)
    whole.live()
    known: dict[Contents, Calendar] = {}
    for call in range(1, whole.fs.calls + 1):
        fs = SimulatedFiles()
        fs.fail_at, fs.failure = call, failure
        what = f"seed {seed}, {errno.errorcode[failure]} at call {call}"
        acknowledged, states = _live_with_failure(whole, fs, what)
        for image in (fs.killed(), fs.power_cut(what)):
            left = contents_of(image)
            if left not in known:
                known[left] = opened(image)
                known[left].check()
            again = known[left]
            assert again.position >= acknowledged, what
            assert again.digest() == states[again.position], what
    return whole.fs.calls


def _live_with_failure(life: Life, fs: SimulatedFiles, what: str) -> tuple[int, dict[int, str]]:
    """Live on after a call has failed, as far as that is possible; return the position acknowledged last, and digests."""
    acknowledged = 0
    states = {0: opened(SimulatedFiles()).digest()}
    calendar: Calendar | None = None
    for step in [life.reopen, *life.steps()]:
        try:
            if step is life.reopen:
                if calendar is not None:
                    calendar.close()
                calendar = None
                calendar = opened(fs)
        except (JournalError, SnapshotError):
            if calendar is not None:
                calendar._recorder.files.release()
            calendar = opened(fs)  # the call fails only once
            assert calendar.position >= acknowledged, what
        assert calendar is not None
        position = calendar.position
        digest = states[position] if position in states else states.setdefault(position, calendar.digest())
        try:
            if step is not life.reopen:
                step(calendar)
            acknowledged = calendar.position
            states[acknowledged] = calendar.digest()
        except (ConflictError, UnknownResourceError):  # because of what failed before
            pass
        except JournalClosedError as exc:
            assert "did not confirm" in str(exc) or calendar.digest() == digest, what
            with pytest.raises((JournalClosedError, ConflictError, UnknownResourceError)):
                calendar.book("a", 900, 901)
            break
        except (JournalError, SnapshotError):
            assert (calendar.position, calendar.digest()) == (position, digest), what
    if calendar is not None:
        states[calendar.position] = calendar.digest()
        calendar.check()
        calendar._recorder.files.release()
    return acknowledged, states


def test_a_failed_sync_is_not_repeated_and_questions_go_on() -> None:
    """The call raises, its change stands in memory, subscribers hear of it; every later change is refused by name."""
    fs = SimulatedFiles()
    told: list[Any] = []
    calendar = opened(fs)
    room = calendar.add_resource(Resource("room"))
    calendar.subscribe(told.append)
    fs.fail_at = fs.calls + 2  # the write, then the sync
    with pytest.raises(JournalClosedError, match="did not confirm a write"):
        calendar.book(room, 0, 1)
    assert len(told) == len(calendar) == 1
    syncs, digest = fs.syncs, calendar.digest()
    calls: list[Callable[[], Any]] = [
        lambda: calendar.book(room, 50, 51), lambda: calendar.tag(room, "sea"), lambda: calendar.remove_booking(1),
        calendar.barrier, calendar.checkpoint,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(JournalClosedError, match="did not confirm a write"):
            call()
        assert calendar.digest() == digest
    assert fs.syncs == syncs
    assert not calendar.is_available(room, 0, 1)
    with pytest.raises(JournalClosedError):
        calendar.close()
    assert opened(fs).position >= len(calendar)
    calendar.check()


def test_a_full_disk_refuses_a_change_and_takes_the_next() -> None:
    """The part that was written is taken back, so that nothing is torn when there is space again."""
    fs = SimulatedFiles()
    calendar = opened(fs)
    room = calendar.add_resource(Resource("room"))
    for at in range(3):
        before, digest = fs.contents(), calendar.digest()
        fs.failure, fs.fail_at = errno.ENOSPC, fs.calls + 1
        with pytest.raises(JournalError, match="No space left"):
            calendar.book(room, at, at + 1)
        assert (fs.contents(), calendar.digest()) == (before, digest)
        calendar.book(room, at, at + 1)
    digest = calendar.digest()
    assert opened(fs.power_cut(1)).digest() == digest


# -- deliberately broken variants --------------------------------------------------------------------


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def _header_unsynced(fs: Any, folder: str, path: str, store_id: bytes, first: int, time: int, secret: bytes) -> None:
    fd = fs.create(path)
    fs.write(fd, memoryview(frames.header(store_id, first, time)))
    fs.close(fd)
    sync_folder(fs, folder)


def _unchecked(data: bytes, sequence: int, salt: int) -> list[frames.Frame]:
    found, at = list[frames.Frame](), frames.HEADER_SIZE
    while at + frames.FRAME_SIZE < len(data):
        length, _, *rest = frames._FRAME.unpack_from(data, at)
        start = at + frames.FRAME_SIZE
        if not 0 < length <= len(data) - start or rest[0] != sequence + len(found):
            break
        found.append(frames.Frame(start, length, *rest))
        at = start + length
    return found


def _in_place(self: Any, source: str, target: str) -> None:
    file = self._file(target) if target in self.seen else None
    if file is None:
        self._name(source, target, self._file(source))
    else:
        file.truncate(0)
        file.write(0, bytes(self._file(source).seen))
        self._name(None, source, None)


def _purged_early(self: Any) -> None:
    found = self._state.gate.run(self._stand)
    if found is not None:
        files, (position, grown, rows) = self.files, found
        files._keep = 1
        files.purge(position, 0, grown)
        save(self._state, files.snapshot_path(position), fs=files.fs, store_id=files.snapshot_id(position), rows=rows)


def _too_sure(store_id: bytes, first: int, sequence: int, synced: int, time: int, record: bytes, secret: bytes) -> bytes:
    return frames.frame(store_id, first, sequence, sequence - 1, time, record)


def _not_taken_back(self: Any, fd: int, size: int) -> None:
    self._call()


def _sync_again(self: Any, position: int) -> None:
    with suppress(OSError):
        self.fs.sync_data(self._fd)
    self.synced = self.position


def _rotated_unsynced(self: Any) -> None:
    if self.position + 1 == self._first:
        return
    first = self.position + 1
    directory.begin_file(self.fs, self.folder, self.path_of(first), self.store_id, first, self._time, b"")
    self._fd = self.fs.append(self.path_of(first))
    self._first, self._size = first, frames.HEADER_SIZE


def powers() -> None:
    """Cut the power at every call of three lives."""
    for seed in (2, 1, 0):
        cut_power(seed, 2)


def prefixes() -> None:
    """Cut the power where nothing is synced."""
    for seed in (2, 1, 0):
        cut_power(seed, 4, sync="never")


def bits() -> None:
    """Flip bits."""
    damage_bits(13)


def crashed() -> None:
    """Flip bits of a store that was not shut down."""
    damage_crashed(3)


def failures() -> None:
    """Let each call fail, with an error of the disk, and with a full disk after a part was written."""
    for seed in (3, 5):
        assert fail_calls(seed, errno.EIO if seed == 3 else errno.ENOSPC) > 100


VARIANTS: dict[str, tuple[Any, str, Any, Callable[[], Any]]] = {
    "records are not synced": (SimulatedFiles, "sync_data", _nothing, powers),
    "a call returns before its record is synced": (DirectoryJournal, "wait", _nothing, powers),
    "new files are not synced": (directory, "begin_file", _header_unsynced, powers),
    "names are not synced": (directory, "sync_folder", _nothing, powers),
    "the old file is not synced before a new one": (DirectoryJournal, "rotate", _rotated_unsynced, prefixes),
    "old files go before the snapshot is there": (Recorder, "checkpoint", _purged_early, powers),
    "a torn end is not cut": (DirectoryJournal, "_repair", _nothing, powers),
    "snapshots and CLEAN are replaced in place": (SimulatedFiles, "replace", _in_place, powers),
    "checksums are not compared": (frames, "_following", _unchecked, crashed),
    "what follows a bad frame is not looked at": (frames, "_frames_from", lambda *_: iter(()), crashed),
    "frames say that more is on the disk than is": (directory, "frame", _too_sure, prefixes),
    "CLEAN is not read": (Reader, "_least", lambda *_: 0, bits),
    "a record written in part stays": (SimulatedFiles, "truncate", _not_taken_back, failures),
    "a failed sync counts as one": (DirectoryJournal, "sync_once", _sync_again, failures),
    "a refused record leaves its change": (CalendarState, "_roll_back", _nothing, failures),
}
"""What is broken, and the test that notices."""


@pytest.mark.parametrize("exam", [powers, prefixes, failures], ids=lambda exam: exam.__name__)
def test_what_notices_a_broken_variant_passes_without_it(exam: Callable[[], Any]) -> None:
    """Otherwise it would notice anything. For damage, tests above do the same with other strides."""
    exam()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_variant_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above fail if the code does not do what they are about."""
    _states_of(Life(0)), _states_of(Life(1)), _states_of(Life(2))  # as they are
    owner, what, broken, exam = VARIANTS[name]
    monkeypatch.setattr(owner, what, broken)
    with pytest.raises((AssertionError, BookcoreError, OSError, LookupError, pytest.fail.Exception)):
        exam()


# -- a real process ----------------------------------------------------------------------------------

PROGRAM = """
    import sys
    from bookcore import Calendar, Resource

    calendar = Calendar.open(sys.argv[1])
    if not len(calendar.resources):
        calendar.add_resource(Resource("room"))
    for at in range(len(calendar), 10_000):
        calendar.book("room", at, at + 1)
        print(at, flush=True)
        if at % 50 == 49:
            calendar.checkpoint()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_process_that_is_killed_loses_nothing_it_has_told(tmp_path: Path) -> None:
    """A program tells each booking after the call has returned; it is killed again and again, and all are there."""
    folder, told = tmp_path / "store", -1
    rng = Random(5)
    for _ in range(max(5, MOST // 8)):
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
            assert process.stdout is not None
            for _ in range(rng.randrange(1, 120)):
                told = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            told = max([told, *(int(line) for line in process.stdout if line.endswith("\n"))])
        with Calendar.open(folder) as calendar:
            assert len(calendar) in (told + 1, told + 2)
            assert [event.start for event in calendar.bookings()] == list(range(len(calendar)))
            calendar.check()


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("what", ["write", "sync_data", "truncate"])
def test_ctrl_c_in_a_call_leaves_memory_and_file_in_step(what: str, written: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change is in both or in neither; after a second Ctrl-C, which kept it from being taken back, no more is taken."""
    fs = SimulatedFiles()
    calendar = opened(fs)
    room = calendar.add_resource(Resource("room"))
    calls = [what] if what != "truncate" else ["write", "truncate"]
    with monkeypatch.context() as patch:
        for name in calls:
            whole = getattr(fs, name)

            def interrupted(*args: Any, whole: Any = whole) -> Any:
                if written:
                    whole(*args)
                raise KeyboardInterrupt

            patch.setattr(fs, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            calendar.book(room, 1, 2)
    calendar.check()
    assert len(calendar) == (what == "sync_data")
    if what == "truncate":
        with pytest.raises(JournalClosedError, match="cut off"):
            calendar.book(room, 3, 4)
    else:
        calendar.book(room, 3, 4)
        assert calendar.position == len(calendar) + 1
    digest, position = calendar.digest(), calendar.position
    calendar._recorder.files.release()
    again = opened(fs.killed())
    if what == "truncate" and again.position > position:  # the record was whole, and was never acknowledged
        assert again.position == position + 1
    else:
        assert (again.position, again.digest()) == (position, digest)
