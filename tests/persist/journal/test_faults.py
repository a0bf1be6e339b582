"""Power cuts, damage and failing calls: what was acknowledged is there, exactly, or the directory is refused.

A short life of a calendar is lived on a simulated file system, and its state after each record is known from a calendar
that was never closed. Each failure names its seed, with which it can be repeated.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import textwrap
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias

import pytest
from hypothesis import settings

from bookcore import (
    BookingEvent,
    Calendar,
    ConflictError,
    Resource,
    SnapshotError,
    UnknownResourceError,
)
from bookcore.engine.recording import RecordingEngine
from bookcore.engine.state import CalendarState
from bookcore.persist.fs import sync_folder
from bookcore.persist.journal import directory, frames, reading, recovery
from bookcore.persist.journal.behind import Policy
from bookcore.persist.journal.directory import Directory, DirectoryJournal
from bookcore.persist.journal.errors import JournalClosedError, JournalDamagedError, JournalError
from bookcore.persist.journal.opening import Recorder, open_calendar
from bookcore.persist.journal.reading import Asked, Reader
from bookcore.persist.snapshot.classes import handed_in
from bookcore.persist.snapshot.save_load import load_file
from bookcore.testing.simulated_files import SimulatedFiles

MOST = settings().max_examples  # 40 as a rule, see tests/conftest.py
KNOWN = handed_in("store", ())


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Do not keep what is logged of so many torn ends."""
    caplog.set_level(logging.CRITICAL, "bookcore")


def _made(bounds: Any, event_type: type[BookingEvent]) -> tuple[Calendar, Any]:
    calendar = Calendar(bounds=bounds, event_type=event_type)
    return calendar, calendar._engine.state


def opened(fs: SimulatedFiles, **options: Any) -> Calendar:
    """Open the calendar of a simulated file system."""
    calendar, recorder = open_calendar(_made, fs.folder, fs=fs, **options)
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


class Start(NamedTuple):
    """A moment of a life at which its calendar is closed: before the step of this number, at this position."""

    step: int
    position: int
    fs: SimulatedFiles


class Life:
    """A calendar that lives through a history on a file system: what it has acknowledged, and all its states."""

    def __init__(self, seed: int, fs: SimulatedFiles | None = None, **options: Any) -> None:
        self.seed, self.options = seed, options
        self.fs = SimulatedFiles() if fs is None else fs
        self.acknowledged = 0
        self.states: list[str] = []
        self.starts = [Start(0, 0, deepcopy(self.fs))]

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
        for number, step in enumerate(self.steps(), 1):
            if step is self.reopen:
                calendar.close()
                self.acknowledged = calendar.position
                if self.fs.watch is None:
                    self.starts.append(Start(number, calendar.position, deepcopy(self.fs)))
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


class _NewError(BaseException):
    """These records were not applied to this snapshot before."""


class Openings:
    """Opens images, and applies what it has not applied before.

    Most images differ in what is torn, lost or left over, and hold the same snapshot and the same records, byte by byte.
    Then everything else of an opening is done: it is locked, read, compared, repaired and synced. What the records make of
    the snapshot is known.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self.key = key
        self._snapshots: dict[tuple[str, bytes], Any] = {}
        self._digests: dict[tuple[str, bytes, tuple[bytes, ...]], str] = {}
        self._found: tuple[str, bytes, tuple[bytes, ...]] | None = None
        self._snapshot = "", b""
        self.applied = 0

    def open(self, image: SimulatedFiles) -> tuple[int, str]:
        """Open and leave the calendar of an image; return its position and its digest. Raises: as opening does."""
        where = Directory(image.folder, image, self.key or b"")
        self._found = None
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(reading, "load_file", self._load)
                patch.setattr(recovery, "replay", self._replay)
                calendar, _, files = recovery.recover(_made, where, KNOWN, Policy(), asked=Asked(), create=True)
        except _NewError:
            return self._applied(image)
        position = files.position
        files.release()
        return position, calendar.digest() if self._found is None else self._digests[self._found]

    def _applied(self, image: SimulatedFiles) -> tuple[int, str]:
        """Open an image, and note what its records make of its snapshot."""
        found = self._found
        assert found is not None
        calendar = opened(image, key=self.key)
        calendar.check()
        self.applied += 1
        self._digests[found] = digest = calendar.digest()
        calendar._recorder.files.release()
        return calendar.position, digest

    def _load(self, make: Any, path: str, known: Any, key: bytes | None, allowed: Any, fs: Any) -> Any:
        """Load a snapshot, unless one with the same bytes was loaded."""
        self._snapshot = seen = path, bytes(fs.seen[path].seen)
        if seen not in self._snapshots:
            self._snapshots[seen] = load_file(make, path, known, key, allowed, fs)
        return self._snapshots[seen]

    def _replay(self, state: Any, known: Any, records: Any) -> None:
        """Read records, to their end. What they make of the snapshot has to be known."""
        self._found = *self._snapshot, tuple(record.data for record in records)
        if self._found not in self._digests:
            raise _NewError


class Judge:
    """Opens what crashes have left. Most images are equal to one that was judged before, and are not opened again."""

    def __init__(self, seed: int, states: list[str]) -> None:
        self.seed, self.states = seed, states
        self.judged = 0
        self.openings = Openings()
        self.positions: dict[Contents, int | None] = {}
        self.repaired: set[Contents] = set()

    def __call__(self, image: SimulatedFiles, acknowledged: int, what: object, *, may_refuse: bool = False) -> None:
        """Raise AssertionError unless everything acknowledged is there, and nothing was invented.

        With *may_refuse*, the image is damaged, and need not be opened; but then it is left as it is.
        """
        self.judged += 1
        found = contents_of(image)
        if found not in self.positions:
            self.positions[found] = self._position(image, found, f"seed {self.seed}, {what}", may_refuse)
        position = self.positions[found]
        if position is None:
            assert may_refuse, f"seed {self.seed}, {what}"
        else:
            assert acknowledged <= position, f"seed {self.seed}, {what}"

    def _position(self, image: SimulatedFiles, before: Contents, seen: str, may_refuse: bool) -> int | None:
        """Open an image, twice, and go on; return its position."""
        try:
            position, digest = self.openings.open(image)
        except (JournalError, SnapshotError):
            if not may_refuse:
                raise
            assert contents_of(image) == before, seen
            return None
        assert position < len(self.states), seen
        assert digest == self.states[position], seen
        repaired = contents_of(image)
        assert self.openings.open(image) == (position, digest), seen
        assert contents_of(image) == repaired, seen
        # files that were being written are nobody's any more, whatever is in them
        of_use = frozenset((name, b"" if name.endswith(".tmp") else data) for name, data in repaired)
        if of_use not in self.repaired:
            self._next(image, position, seen)
            self.repaired.add(of_use)
        return position

    def _next(self, image: SimulatedFiles, position: int, seen: str) -> None:
        """Open it once more, which changes nothing; go on, and lose the power again."""
        again = opened(image)
        assert (again.position, again.digest()) == (position, self.states[position]), seen
        again.add_resource(Resource("after the crash"))
        digest = again.digest()
        last = opened(image.power_cut(seen))
        assert (last.position, last.digest()) == (again.position, digest), f"{seen}: the next change is lost"
        last.check()


_states: dict[int, list[str]] = {}


def _states_of(life: Life) -> list[str]:
    if life.seed not in _states:
        life.live()
        _states[life.seed] = life.states
    return _states[life.seed]


def crashes(life: Life, images: int, see: Callable[[SimulatedFiles, str], object]) -> None:
    """Live a life; *see* gets so many images of what a power cut at each call of the file system would leave.

    It gets one where everything is synced: there are no others.
    """
    fs = life.fs

    def watch() -> None:
        rng = Random(f"{life.seed} {fs.calls}")
        for number in range(1 if fs.is_settled else images):
            see(fs.power_cut(rng), f"call {fs.calls}, image {number}")
        if not fs.calls % 7:
            see(fs.killed(), f"call {fs.calls}, killed")

    fs.watch = watch
    life.live()
    fs.watch = None


def cut_power(seed: int, least: int, **options: Any) -> None:
    """Cut the power at every call of a life, and judge at least so many images, as many of each call."""
    life = Life(seed, **options)
    judge = life.judge()
    calls = crash_points(life)
    crashes(life, -(-least // calls), lambda image, what: judge(image, life.acknowledged, what))
    assert judge.judged >= least


def crash_points(life: Life) -> int:
    """Return at how many calls of a life something is not synced."""
    same, found = Life(life.seed, **life.options), list[int]()

    def watch() -> None:
        if not same.fs.is_settled:
            found.append(same.fs.calls)

    same.fs.watch = watch
    same.live()
    return len(found)


def cut_recovery(seed: int, images: int) -> int:
    """Cut the power at every call of a life, and again at every call of the next opening; return the number of images."""
    life = Life(seed)
    judge = life.judge()
    seen: set[Contents] = set()

    def see(image: SimulatedFiles, what: str) -> None:
        if contents_of(image) in seen:
            return
        seen.add(contents_of(image))
        left: list[tuple[SimulatedFiles, str]] = []

        def watch() -> None:
            rng = Random(f"{what} {image.calls}")
            numbers = range(1 if image.is_settled else images)
            left.extend((image.power_cut(rng), f"{what}, then call {image.calls}, image {number}") for number in numbers)

        image.watch = watch
        judge.openings.open(image)
        for again, told in left:
            judge(again, life.acknowledged, told)

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
    cut_power(seed, 200_000 if MANY else 50_000, keep=1 + seed % 2)


def test_without_syncing_a_power_cut_leaves_a_prefix() -> None:
    """No state that never was; and all up to the last checkpoint or shutdown."""
    cut_power(7, 200_000 if MANY else 2_000, sync="never")


@pytest.mark.parametrize("seed", range(10 if MANY else 1))
def test_after_a_second_power_cut_during_recovery_it_is_still_there(seed: int) -> None:
    """The repair itself may be cut off at any call."""
    assert cut_recovery(seed, 12 if MANY else 3) >= 10_000


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_after_a_crash_a_damaged_newest_snapshot_loses_nothing(keep: int) -> None:
    """While there is one before it, and all records since."""
    for seed in (1, 2, 3, 4) if MANY else (1,):
        assert cut_and_damage(seed, 50 if MANY else 2, keep) > 1_700


# -- damage ------------------------------------------------------------------------------------------


class SmallStore:
    """The files of a store with two snapshots and some records after each, and what a calendar of it is like."""

    def __init__(self, key: bytes | None = None, *, is_closed: bool = True) -> None:
        fs = SimulatedFiles()
        calendar = opened(fs, key=key)
        calendar.add_resource(Resource("room"))
        calendar.checkpoint()
        calendar.book("room", 1, 2)
        calendar.checkpoint()
        self.states = [(calendar.position, calendar.digest())]
        for at, guest in ((3, "Ada"), (5, "Bo")):
            calendar.book("room", at, at + 1, guest=guest)
            self.states.append((calendar.position, calendar.digest()))
        calendar.close()
        self.files = {name: data for name, data in fs.contents().items() if name != "LOCK"}
        self.last, data = max(self.files.items())
        found = frames.read_frames(data, data[12:20], int(self.last[4:-4]), key or b"").records
        self.ends = [frames.HEADER_SIZE, *(len(data) - found[-1].end + each.end for each in found)]
        assert self.ends[-1] == len(data)
        if not is_closed:
            del self.files["CLEAN"]
        self.is_closed = is_closed
        self.openings = Openings(key)
        self.count = self.refused = 0

    def open(self, files: dict[str, bytes], what: object) -> tuple[int, str] | None:
        """Open damaged files: position and digest, or None where an error of ours refuses them, and leaves them alone."""
        self.count += 1
        image = SimulatedFiles(files=files)
        try:
            return self.openings.open(image)
        except (JournalError, SnapshotError):
            after = {name: data for name, data in image.contents().items() if name != "LOCK"}
            assert after == files, f"{what}: changed, though it was refused"
            self.refused += 1
            return None

    def allowed(self, name: str, at: int) -> list[tuple[int, str] | None]:
        """Return what may be found when a file was damaged at an offset: it is exactly as it was, or refused.

        Where it was not shut down, damage to the last record cannot be told from a write that was cut off.
        """
        exact = self.states[-1]
        if name != self.last:
            return [exact, None]
        return [None] if self.is_closed or at < self.ends[-2] else [self.states[-2]]


STORES: dict[str, Callable[[], SmallStore]] = {
    "closed": SmallStore,
    "sealed": partial(SmallStore, b"a key"),
    "not closed": partial(SmallStore, is_closed=False),
    "sealed, not closed": partial(SmallStore, b"a key", is_closed=False),
}


def damage_bits(store: SmallStore, stride: int = 1) -> None:
    """Flip every bit of each file, or one in so many."""
    for name, data in store.files.items():
        for bit in range(0, 8 * len(data), stride):
            at = bit // 8
            flipped = b"%b%c%b" % (data[:at], data[at] ^ 1 << bit % 8, data[at + 1 :])
            found = store.open({**store.files, name: flipped}, (name, bit))
            assert found in store.allowed(name, at), f"{name}: bit {bit} was not noticed"


def damage_lengths(store: SmallStore) -> None:
    """Cut each file at every length, and lengthen it: the last one, where it was not shut down, ends with a whole record."""
    for name, data in store.files.items():
        is_lawful = name == store.last and not store.is_closed
        for size in range(len(data)):
            found = store.open({**store.files, name: data[:size]}, (name, size))
            if is_lawful and size >= store.ends[0]:
                assert found == store.states[bisect_right(store.ends, size) - 1], (name, size)
            elif is_lawful:
                assert found in (store.states[0], None), (name, size)
            else:
                assert found in ((store.states[-1], None) if name != store.last else (None,)), (name, size)
        for tail in (b"\0", bytes(600), b"\1" * 50, data):
            found = store.open({**store.files, name: data + tail}, (name, "longer", len(tail)))
            assert found in (store.states[-1], None), (name, "longer", len(tail))


@pytest.mark.parametrize("kind", list(STORES) if MANY else list(STORES)[:3])
def test_every_flipped_bit_is_repaired_or_refused(kind: str) -> None:
    """A calendar never opens with less than it had, but for the last record where it was not shut down."""
    store = STORES[kind]()
    damage_bits(store)
    assert store.count > 17_000
    assert 0 < store.refused < store.count


@pytest.mark.parametrize("kind", STORES)
def test_every_other_length_is_repaired_or_refused(kind: str) -> None:
    """Each file of the store, cut at every byte."""
    store = STORES[kind]()
    damage_lengths(store)
    assert 0 < store.refused < store.count


def test_every_missing_file_is_made_up_for_or_refused() -> None:
    """Any one of the files may be gone; or, as CLEAN says how many records there were, any of the others."""
    store = SmallStore()
    others = sorted(name for name in store.files if name != "CLEAN")
    assert store.open({name: store.files[name] for name in others}, "CLEAN") == store.states[-1]
    for gone in range(1, 1 << len(others)):
        left = [name for at, name in enumerate(others) if not gone >> at & 1]
        found = store.open({name: store.files[name] for name in ["CLEAN", *left]}, left)
        assert found in (store.states[-1], None), left
    assert 0 < store.refused < store.count


# -- failing calls -----------------------------------------------------------------------------------


def fail_calls(seed: int, failure: int) -> int:
    """Let each call of a life fail once: the error is one of ours, and what was acknowledged stays; return their number."""
    whole = Life(seed)
    whole.live()
    openings = Openings()
    known: dict[Contents, tuple[int, str]] = {}
    for call in range(1, whole.fs.calls + 1):
        start = next(start for start in reversed(whole.starts) if start.fs.calls < call)
        fs = deepcopy(start.fs)
        fs.fail_at, fs.failure = call, failure
        what = f"seed {seed}, {errno.errorcode[failure]} at call {call}"
        acknowledged, states = _live_with_failure(whole, start, fs, what)
        for image in (fs.killed(), fs.power_cut(what)):
            left = contents_of(image)
            if left not in known:
                known[left] = openings.open(image)
            position, digest = known[left]
            assert position >= acknowledged, f"{what}: less than was acknowledged"
            assert digest == states[position], what
    return whole.fs.calls


def _live_with_failure(life: Life, start: Start, fs: SimulatedFiles, what: str) -> tuple[int, dict[int, str]]:
    """Live on after a call has failed, as far as that is possible; return the position acknowledged last, and digests.

    Until the call fails, everything is as in the whole life, so it begins where that was closed before.
    """
    acknowledged = start.position
    states = dict(enumerate(life.states))
    calendar: Any = None
    failing = fs.fail_at or 0
    for step in [life.reopen, *life.steps()][start.step :]:
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
        position = calendar.position
        digest = states[position]
        try:
            if step is not life.reopen:
                step(calendar)
            elif fs.calls >= failing:
                assert calendar.digest() == digest, what
            if calendar.position > position and fs.calls >= failing:
                states[calendar.position] = calendar.digest()
            acknowledged = calendar.position
        except (ConflictError, UnknownResourceError):  # because of what failed before
            pass
        except JournalClosedError as exc:
            assert "did not confirm" in str(exc) or calendar.digest() == digest, what
            with pytest.raises((JournalClosedError, ConflictError, UnknownResourceError)):
                calendar.book("a", 900, 901)
            break
        except (JournalError, SnapshotError):
            assert (calendar.position, calendar.digest()) == (position, digest), f"{what}: refused, and changed"
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


def _header_unsynced(self: Directory, store_id: bytes, first: int, time: int) -> None:
    fd = self.fs.create(self.file_path(first))
    self.fs.write(fd, memoryview(frames.header(store_id, first, time)))
    self.fs.close(fd)
    sync_folder(self.fs, self.folder)


def _unchecked(data: bytes, at: int, sequence: int, salt: int) -> list[frames.Frame]:
    found = list[frames.Frame]()
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
        files.where.save(self._state, files.store_id, position, rows)


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
    self.where.begin_file(self.store_id, first, self._time)
    self._fd = self.fs.append(self.where.file_path(first))
    self._first, self._size = first, frames.HEADER_SIZE


def powers() -> None:
    """Cut the power at every call of three lives."""
    for seed in (2, 1, 0):
        cut_power(seed, 400)


def prefixes() -> None:
    """Cut the power where nothing is synced."""
    for seed in (2, 1, 0):
        cut_power(seed, 800, sync="never")


def bits() -> None:
    """Flip bits."""
    damage_bits(SmallStore(), 13)


def crashed() -> None:
    """Flip bits of a store that was not shut down."""
    damage_bits(SmallStore(is_closed=False), 3)


def bad_disk() -> None:
    """Let each call fail, with an error of the disk."""
    assert fail_calls(3, errno.EIO) > 100


def full_disk() -> None:
    """Let each call fail because the disk is full; a write has written a part."""
    assert fail_calls(5, errno.ENOSPC) > 100


VARIANTS: dict[str, tuple[Any, str, Any, Callable[[], Any], str]] = {
    "records are not synced": (
        SimulatedFiles, "sync_data", _nothing, powers,
        "the next change is lost",
    ),
    "a call returns before its record is synced": (
        DirectoryJournal, "wait", _nothing, powers,
        "the next change is lost",
    ),
    "new files are not synced": (
        Directory, "begin_file", _header_unsynced, powers,
        "its header is damaged",
    ),
    "names are not synced": (
        directory, "sync_folder", _nothing, powers,
        "the records from .* on are gone",
    ),
    "the old file is not synced before a new one": (
        DirectoryJournal, "rotate", _rotated_unsynced, prefixes,
        "record .* is damaged$",
    ),
    "old files go before the snapshot is there": (
        Recorder, "checkpoint", _purged_early, powers,
        "all its snapshots are gone",
    ),
    "a torn end is not cut": (
        DirectoryJournal, "_repair", _nothing, powers,
        "a later one, at byte .* shows that it was written",
    ),
    "snapshots and CLEAN are replaced in place": (
        SimulatedFiles, "replace", _in_place, powers,
        "CLEAN: is not what was written",
    ),
    "checksums are not compared": (
        frames, "_following", _unchecked, crashed,
        "was not noticed",
    ),
    "what follows a bad frame is not looked at": (
        frames, "_frames_from", lambda *_: iter(()), crashed,
        "was not noticed",
    ),
    "frames say that more is on the disk than is": (
        directory, "frame", _too_sure, prefixes,
        "a later one, at byte .* shows that it was written",
    ),
    "CLEAN is not read": (
        Reader, "_least", lambda *_: 0, bits,
        "was not noticed",
    ),
    "a record written in part stays": (
        SimulatedFiles, "truncate", _not_taken_back, full_disk,
        "a later one, at byte .* shows that it was written",
    ),
    "a failed sync counts as one": (
        DirectoryJournal, "sync_once", _sync_again, bad_disk,
        "less than was acknowledged",
    ),
    "a refused record leaves its change": (
        CalendarState, "_roll_back", _nothing, full_disk,
        "refused, and changed",
    ),
}
"""What is broken, the test that notices, and what it says."""


@pytest.mark.parametrize("exam", [powers, prefixes, bad_disk, full_disk], ids=lambda exam: exam.__name__)
def test_what_notices_a_broken_variant_passes_without_it(exam: Callable[[], Any]) -> None:
    """Otherwise it would notice anything. For damage, tests above do the same with other strides."""
    exam()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_variant_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above fail if the code does not do what they are about."""
    _states_of(Life(0)), _states_of(Life(1)), _states_of(Life(2))  # as they are
    owner, what, broken, exam, told = VARIANTS[name]
    monkeypatch.setattr(owner, what, broken)
    with pytest.raises((AssertionError, JournalDamagedError), match=told):
        exam()


# -- a real process ----------------------------------------------------------------------------------

PROGRAM = """
    import os, signal, sys
    from bookcore import Calendar, Resource

    with Calendar.open(sys.argv[1]) as calendar:  # which imports what is needed: then another process is made in no time
        calendar.book(calendar.add_resource(Resource("room")), 1, 2)
        calendar.checkpoint()
    for folder in sys.stdin:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            print("ended", flush=True)
            continue
        print(os.getpid(), flush=True)
        calendar = Calendar.open(folder.strip())
        if not len(calendar.resources):
            calendar.add_resource(Resource("room"))
        for at in range(len(calendar), len(calendar) + 20):
            calendar.book("room", at, at + 1)
            print(at, flush=True)
            if at % 7 == 6:
                calendar.checkpoint()
        signal.pause()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_process_that_is_killed_loses_nothing_it_has_told(tmp_path: Path) -> None:
    """A program tells each booking after the call has returned; it is killed again and again, and all are there."""
    rng, told = Random(5), -1
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "first")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(2_000 if MANY else 100):
            folder = tmp_path / f"store {number // 10}"
            told = told if number % 10 else -1
            process.stdin.write(f"{folder}\n")
            process.stdin.flush()
            pid = int(process.stdout.readline())
            for _ in range(rng.randrange(12)):
                told = int(process.stdout.readline())
            os.kill(pid, signal.SIGKILL)
            while not (line := process.stdout.readline()).endswith("ended\n"):
                told = int(line)
            told = int(line.removesuffix("ended\n") or told)  # it may have been killed before it wrote the end of a line
            with Calendar.open(folder) as calendar:
                assert len(calendar) in (told + 1, told + 2)
                assert [event.start for event in calendar.bookings()] == list(range(len(calendar)))
                calendar.check()
                told = len(calendar) - 1


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
