"""Calls of a calendar with a journal that are cut off: by Ctrl-C or too little memory, at any place, and the calls after it.

As in `tests/life/test_cut_off.py`, at the n-th place of a call an exception is raised, for some n, or with
BOOKCORE_EXAMPLES=many for every n; and so before instructions of our own. What is in memory is as before the call or as
after it; so is what the directory holds; and where the calendar takes changes still, the two are the same.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from itertools import chain, count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bookcore import BookcoreError, BookingEvent, Calendar, Resource
from bookcore.engine.recording import RecordingEngine
from bookcore.persist.fs import FileSystem
from bookcore.persist.journal.errors import JournalClosedError, JournalError
from bookcore.persist.journal.opening import open_calendar
from bookcore.persist.journal.recovery import locked
from bookcore.testing.cutting import Instruction, cut_before, cut_off, instructions
from bookcore.testing.simulated_files import SimulatedFiles

MANY = settings().max_examples
DEEP = MANY > 40


def opened(fs: SimulatedFiles) -> Calendar:
    """Open the calendar of a simulated file system."""

    def make(bounds: Any, event_type: type[BookingEvent]) -> tuple[Calendar, Any]:
        calendar = Calendar(bounds=bounds, event_type=event_type)
        calendar._engine = RecordingEngine(calendar._engine.state)
        return calendar, calendar._engine.state

    calendar, recorder = open_calendar(make, fs.folder, fs=fs)
    calendar._recorder = recorder
    return calendar


def begun() -> tuple[SimulatedFiles, Calendar]:
    """Return a calendar with two snapshots and some records after them."""
    fs = SimulatedFiles(files=_begun())
    return fs, opened(fs)


@cache
def _begun() -> dict[str, bytes]:
    """Return its files."""
    fs = SimulatedFiles()
    calendar = opened(fs)
    calendar.add_resource(Resource("room"))
    calendar.add_resource(Resource("pool", capacity=3))
    calendar.checkpoint()
    calendar.book("room", 0, 2, id="first", guest="Ada")
    calendar.checkpoint()
    calendar.book("pool", 0, 2, id="second")
    return fs.contents()


def _block(calendar: Calendar) -> None:
    with calendar.transaction():
        calendar.book("room", 20, 21)
        calendar.move("first", start=30, end=31)


COMMANDS: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("room", 20, 21),
    "book with fields": lambda c: c.book("pool", 20, 21, id="third", guest="Bo"),
    "remove": lambda c: c.remove_booking("first"),
    "move": lambda c: c.move("first", start=20, end=22),
    "transaction": _block,
    "load": lambda c: c.load([BookingEvent("room", at, at + 1) for at in range(50, 90)]),
    "add_resource": lambda c: c.add_resource(Resource("new")),
    "tag": lambda c: c.tag("room", "sea"),
    "checkpoint": lambda c: c.checkpoint(),
    "barrier": lambda c: c.barrier(),
}


_known: dict[frozenset[tuple[str, bytes]], tuple[int, str]] = {}


def left(fs: SimulatedFiles) -> tuple[int, str]:
    """Return position and digest of the calendar that a killed process leaves. It goes on."""
    image = fs.killed()
    contents = frozenset((name, data) for name, data in image.contents().items() if not name.endswith((".tmp", "LOCK")))
    if contents not in _known:
        again = opened(image)
        found = again.position, again.digest()
        again.check()
        again.book("pool", 800, 801)
        _known[contents] = found
    return _known[contents]


def stands(fs: SimulatedFiles, calendar: Calendar, allowed: set[str], least: int, what: object) -> None:
    """Judge memory and directory after a call that was cut off, and go on."""
    try:
        calendar.check()
    except AssertionError as exc:
        exc.add_note(str(what))
        raise
    assert calendar.digest() in allowed, what
    try:
        calendar.book("pool", 700, 701, id="next")
    except JournalClosedError:
        assert calendar.digest() in allowed, what
        position, digest = left(fs)
        assert digest in allowed, what
    else:
        position, digest = left(fs)
        assert (position, digest) == (calendar.position, calendar.digest()), what
    assert position >= least, what


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_cut_off_leaves_memory_and_directory_in_step(name: str, error: type[BaseException]) -> None:
    """At some of its places; if many examples are asked for, at as many as that, other ones each time."""
    act = COMMANDS[name]
    _, calendar = begun()
    before = calendar.digest()
    places = cut_off(partial(act, calendar), 1 << 60)
    after = calendar.digest()
    nths = range(1, places + 1)
    chance = random.Random(None if DEEP else name)
    for nth in sorted(chance.sample(nths, min(places, MANY if DEEP else 12))):
        fs, calendar = begun()
        least = calendar.position
        with suppress(JournalClosedError):
            cut_off(partial(act, calendar), nth, error)
        stands(fs, calendar, {before, after}, least, f"{name} at place {nth} of {places}")


def _kept(kept: list[Any], image: SimulatedFiles) -> None:
    """Open a calendar and keep it; or its exception with the traceback, as an interactive program and a logger do."""
    try:
        kept.append(opened(image))
    except BaseException as exc:
        kept.append(exc)
        raise


def _release(kept: list[Any]) -> None:
    """Unlock the directory of a calendar that was opened nevertheless.

    The exception was raised in a finalizer, or passed over as one of the user's own code, or came after the opening.
    """
    for each in kept:
        if isinstance(each, Calendar):
            each._recorder.files.release()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EIO, "broken")])
def test_an_opening_that_is_cut_off_while_it_repairs_leaves_no_descriptor_open(
    error: type[BaseException] | BaseException, tmp_path: Path
) -> None:
    """Nobody could close it: there is no calendar."""
    Calendar.open(tmp_path).close()
    used: set[int] = set()

    class Files(FileSystem):
        def sync(self, fd: int) -> None:
            raise error

        def append(self, path: str) -> int:
            used.add(fd := super().append(path))
            return fd

        def close(self, fd: int) -> None:
            used.discard(fd)
            super().close(fd)

    with pytest.raises((KeyboardInterrupt, JournalError)):
        open_calendar(Calendar._maker(None, None, None, None), tmp_path, fs=Files())
    assert not used
    Calendar.open(tmp_path).close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_directory_whose_locking_is_cut_off_is_not_locked(error: type[BaseException]) -> None:
    """At every place: nobody knows of the lock, and the process may live long."""
    for nth in count(1):
        fs, kept = SimulatedFiles(files=_begun()), list[tuple[int, ...]]()
        try:
            places = cut_off(lambda: kept.append(locked(fs, fs.folder)), nth, error)  # noqa: B023
        except BookcoreError:  # too little memory to lock it
            places = nth
        for each in chain.from_iterable(kept):
            fs.unlock(each)
        assert locked(fs, fs.folder), nth
        if places < nth:
            break
    assert nth > 20


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("torn", [False, True])
def test_an_opening_that_is_cut_off_can_be_repeated(torn: bool, error: type[BaseException]) -> None:
    """The directory is as it was, or is repaired, and is not locked."""
    fs, calendar = begun()
    digest = calendar.digest()
    files = fs.contents()
    if torn:
        files[max(files)] += b"torn"
    for _ in range(2):  # the first time modules are imported
        places = cut_off(partial(opened, SimulatedFiles(files=files)), 1 << 60)
    nths = range(1, places + 1)
    kept: list[Any] = []
    for nth in nths if DEEP else sorted({*random.Random(torn).sample(nths, 20), *nths[-20:]}):
        image = SimulatedFiles(files=files)
        try:
            cut_off(partial(_kept, kept, image), nth, error)
        except BookcoreError:  # too little memory is an error of ours
            pass
        _release(kept)
        again = opened(image)
        assert again.digest() == digest, nth
        again.book("pool", 700, 701)
        kept.clear()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_closing_that_is_cut_off_can_be_repeated(error: type[BaseException]) -> None:
    """Closed again, the directory is not locked, and everything is there."""
    fs, calendar = begun()
    digest, files = calendar.digest(), fs.contents()
    places = cut_off(opened(SimulatedFiles(files=files)).close, 1 << 60)
    nths = range(1, places + 1)
    for nth in nths if DEEP else sorted({*random.Random(places).sample(nths, 20), *nths[-20:]}):
        image = SimulatedFiles(files=files)
        closing = opened(image)
        with suppress(BookcoreError):
            cut_off(closing.close, nth, error)
        closing.close()
        again = opened(image)
        assert again.digest() == digest, nth
        again.close()


def may_raise(where: Instruction, error: type[BaseException]) -> bool:
    """Tell whether an exception is tried before an instruction: in the journal anywhere.

    `tests/life/test_cut_off.py` is about the engine. There Ctrl-C is tried where Python looks for it and calls no profile
    function, and lack of memory where something may be made: not where an attribute is read or set, or at a jump.
    """
    if f"{os.sep}persist{os.sep}" in where.code.co_filename:
        return True
    if error is KeyboardInterrupt:
        return where.name in ("RESUME", "JUMP_BACKWARD")
    return where.name not in ("LOAD_ATTR", "LOAD_GLOBAL", "LOAD_METHOD", "STORE_ATTR") and "JUMP_" not in where.name


def chosen(call: Callable[[], Any], error: type[BaseException], number: int) -> list[tuple[Instruction, int]]:
    """Return some instructions of a call, each for the first time it comes there, and for the last.

    Among them are those that make something where a record is taken, or a lock handed on: a mistake there is lasting.
    """
    found = [each for each in instructions(call) if may_raise(each, error)]
    places = [(each, nth) for each in found for nth in sorted({1, each.times})]
    assert len(places) > number, "instructions are not traced"
    lasting = [place for place in places if place[0].name.startswith("BUILD_") and place[0].code.co_name in _LASTING]
    chance = random.Random(None if DEEP else len(places))
    return [*lasting, *chance.sample(places, min(len(places), MANY) if DEEP else number)]


_LASTING = {"append", "end", "locked", "recover", "open_calendar"}


traced = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="the names are those of Python 3.11, and 3.13 traced few of the instructions"
)


@traced
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_cut_off_at_an_instruction_leaves_both_in_step(name: str, error: type[BaseException]) -> None:
    """Any instruction of ours."""
    act = COMMANDS[name]
    _, calendar = begun()
    before = calendar.digest()
    act(calendar)
    after = calendar.digest()
    for where, nth in chosen(partial(act, begun()[1]), error, 40):
        fs, calendar = begun()
        least = calendar.position
        with suppress(JournalClosedError):
            cut_before(partial(act, calendar), where, nth, error)
        stands(fs, calendar, {before, after}, least, where)


@traced
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_opening_that_is_cut_off_at_an_instruction_can_be_repeated(error: type[BaseException]) -> None:
    """Any instruction of ours, of the repair as well."""
    _, calendar = begun()
    digest, files = calendar.digest(), _begun()
    files = {**files, max(files): files[max(files)] + b"torn"}
    kept: list[Any] = []
    opened(SimulatedFiles(files=files))  # the first time modules are imported
    for where, nth in chosen(lambda: opened(SimulatedFiles(files=files)), error, 60):
        image = SimulatedFiles(files=files)
        with suppress(BookcoreError):  # too little memory is an error of ours
            cut_before(partial(_kept, kept, image), where, nth, error)
        _release(kept)
        again = opened(image)
        assert again.digest() == digest, where
        again.book("pool", 700, 701)
        kept.clear()


@traced
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_closing_that_is_cut_off_at_an_instruction_can_be_repeated(error: type[BaseException]) -> None:
    """Any instruction of ours."""
    _, calendar = begun()
    digest = calendar.digest()
    for where, nth in chosen(begun()[1].close, error, 40):
        image, closing = begun()
        with suppress(BookcoreError):
            cut_before(closing.close, where, nth, error)
        closing.close()
        again = opened(image)
        assert again.digest() == digest, where
        again.close()


NO_MEMORY = """
    import sys
    from _testcapi import remove_mem_hooks, set_nomemory
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("cut", sys.argv[1])
    cut = module_from_spec(spec)
    spec.loader.exec_module(cut)
    sys.unraisablehook = lambda unraisable: None
    stride, failed = int(sys.argv[2]), []
    for name, width in (("book", 1), ("transaction", 5), ("load", 1), ("checkpoint", 1)):
        act = cut.COMMANDS[name]
        _, calendar = cut.begun()
        before = calendar.digest()
        act(calendar)
        after = calendar.digest()
        nth, over = 0, False
        failed.append(0)
        while not over:
            nth += 1 + nth * stride // 100
            fs, calendar = cut.begun()
            least, over = calendar.position, True
            set_nomemory(nth, nth + width)
            try:
                act(calendar)
            except BaseException:
                over = False
            finally:
                remove_mem_hooks()
            failed[-1] += not over
            cut.stands(fs, calendar, {before, after}, least, f"{name}, allocation {nth}")
    print(*failed)
"""


def test_memory_that_ends_at_any_allocation_leaves_memory_and_directory_in_step() -> None:
    """The n-th allocation of a command fails, or some from there on; in a process of its own.

    Without any memory from there on Python 3.11 may never end, because it needs some to unwind a ``with``.
    """
    pytest.importorskip("_testcapi")
    command = [sys.executable, "-c", textwrap.dedent(NO_MEMORY), __file__, "0" if DEEP else "10"]
    # measured by coverage it would fail: a tracer that lacks memory raises where no code can
    env = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3], env=env)
    if sys.version_info >= (3, 12) and done.returncode == -signal.SIGSEGV:
        pytest.skip("the interpreter crashed, without a line of C of ours; what failed before that was as it should be")
    assert done.returncode == 0, done.stderr[-3000:]
    assert min(map(int, done.stdout.split())) > 5
