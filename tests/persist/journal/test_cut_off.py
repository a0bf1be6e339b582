"""Calls of a calendar with a journal that are cut off: by Ctrl-C or too little memory, at any place, and the calls after it.

As in `tests/life/test_cut_off.py`, at the n-th place of a call an exception is raised, for some n, or with
BOOKCORE_EXAMPLES=many for every n. What is in memory is as before the call or as after it; so is what the directory holds;
and where the calendar takes changes still, the two are the same.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bookcore import BookcoreError, BookingEvent, Calendar, Resource
from bookcore.engine.recording import RecordingEngine
from bookcore.persist.journal.errors import JournalClosedError
from bookcore.persist.journal.opening import open_calendar
from bookcore.testing.cutting import cut_off
from bookcore.testing.simulated_files import SimulatedFiles

DEEP = settings().max_examples > 40


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
    fs = SimulatedFiles()
    calendar = opened(fs)
    calendar.add_resource(Resource("room"))
    calendar.add_resource(Resource("pool", capacity=3))
    calendar.checkpoint()
    calendar.book("room", 0, 2, id="first", guest="Ada")
    calendar.checkpoint()
    calendar.book("pool", 0, 2, id="second")
    return fs, calendar


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


def stands(fs: SimulatedFiles, calendar: Calendar, allowed: set[str], least: int, what: object) -> None:
    """Judge memory and directory after a call that was cut off, and go on."""
    calendar.check()
    assert calendar.digest() in allowed, what
    try:
        calendar.book("pool", 700, 701, id="next")
    except JournalClosedError:
        assert calendar.digest() in allowed, what
        again = opened(fs.killed())
        assert again.digest() in allowed, what
    else:
        again = opened(fs.killed())
        assert (again.position, again.digest()) == (calendar.position, calendar.digest()), what
    assert again.position >= least, what
    again.check()
    again.book("pool", 800, 801)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_cut_off_leaves_memory_and_directory_in_step(name: str, error: type[BaseException]) -> None:
    """At any of its places."""
    act = COMMANDS[name]
    _, calendar = begun()
    before = calendar.digest()
    places = cut_off(partial(act, calendar), 1 << 60)
    after = calendar.digest()
    nths = range(1, places + 1)
    for nth in nths if DEEP else sorted(random.Random(name).sample(nths, min(places, 12))):
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
        if isinstance(kept[-1], Calendar):  # an exception of the user's own code may have been passed over
            kept[-1]._recorder.files.release()
        again = opened(image)
        assert again.digest() == digest, nth
        again.book("pool", 700, 701)


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


NO_MEMORY = """
    import sys
    from _testcapi import remove_mem_hooks, set_nomemory
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("cut", sys.argv[1])
    cut = module_from_spec(spec)
    spec.loader.exec_module(cut)
    sys.unraisablehook = lambda unraisable: None
    act, stride, width = cut.COMMANDS[sys.argv[2]], int(sys.argv[3]), int(sys.argv[4])
    _, calendar = cut.begun()
    before = calendar.digest()
    act(calendar)
    after = calendar.digest()
    nth, failed = 0, 0
    while True:
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
        failed += not over
        cut.stands(fs, calendar, {before, after}, least, f"allocation {nth}")
        if over:
            break
    print(failed)
"""


@pytest.mark.parametrize(("name", "width"), [("book", 1), ("transaction", 5), ("load", 1), ("checkpoint", 1)])
def test_memory_that_ends_at_any_allocation_leaves_memory_and_directory_in_step(name: str, width: int) -> None:
    """The n-th allocation of a command fails, or some from there on; in a process of its own.

    Without any memory from there on Python 3.11 may never end, because it needs some to unwind a ``with``.
    """
    pytest.importorskip("_testcapi")
    command = [sys.executable, "-c", textwrap.dedent(NO_MEMORY), __file__, name, "0" if DEEP else "8", str(width)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    if sys.version_info >= (3, 12) and done.returncode == -signal.SIGSEGV:
        pytest.skip("the interpreter crashed, without a line of C of ours; what failed before that was as it should be")
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 5
