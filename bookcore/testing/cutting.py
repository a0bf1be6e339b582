"""Cutting a call off half-way, as Ctrl-C, lack of memory or a signal handler does.

Python runs signal handlers as a function begins, after a call of a function in C, and at the end of a loop's body. A profile
function is called at the first two kinds of places, and may raise there: `cut_off`.

Memory may end at any instruction that makes an object. A trace function is called before each: `instructions` and
`cut_before`. Left out are those at which nothing is ever raised: they only move what is there, and Python does not look for
signals.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dis import opname
from types import CodeType
from typing import Any, NamedTuple

import bookcore

_OURS = os.path.dirname(bookcore.__file__) + os.sep
_LOGGING = logging.getLogger.__code__.co_filename
_TESTING = os.path.dirname(__file__) + os.sep
_SILENT = frozenset({
    "CACHE", "COPY", "END_FOR", "EXTENDED_ARG", "IS_OP", "JUMP_FORWARD", "KW_NAMES", "LOAD_CONST",
    "LOAD_FAST", "LOAD_FAST_AND_CLEAR", "LOAD_FAST_BORROW", "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
    "LOAD_FAST_LOAD_FAST", "LOAD_SMALL_INT", "NOP", "NOT_TAKEN", "POP_EXCEPT", "POP_ITER", "POP_TOP",
    "PRECALL", "PUSH_EXC_INFO", "PUSH_NULL", "RERAISE", "RETURN_CONST", "RETURN_VALUE", "STORE_FAST",
    "STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST", "SWAP",
})


def cut_off(call: Callable[[], Any], nth: int, error: type[BaseException] = KeyboardInterrupt) -> int:
    """Call *call* and raise *error* at its n-th place; return how many places it came to.

    If it came to fewer, it was not cut off, and its own exceptions are raised. The functions of `logging` are no places: on
    Python 3.11 its handlers would keep their locks, and every other thread that logs later would wait for ever. Nor does the
    garbage collector run meanwhile: when it does depends on what was made before, and what it calls would be places.

    >>> cut_off(lambda: len("four"), 1), cut_off(lambda: len("four"), 99)
    (1, 2)
    """
    places = 0

    def interrupt(frame: Any, event: str, argument: Any) -> None:
        nonlocal places
        if event in ("call", "c_return") and frame.f_code.co_filename != _LOGGING:
            places += 1
            if places == nth:
                raise error

    before = sys.getprofile()
    with _undisturbed():
        try:
            sys.setprofile(interrupt)
            call()
        except BaseException:
            sys.setprofile(before)
            if places < nth:
                raise
        finally:
            sys.setprofile(before)
    gc.collect(1)  # what the frames of the call held, as when a program goes on after an interruption
    return places


class Instruction(NamedTuple):
    """An instruction of a function, by its offset, and how many times a call came to it."""

    code: CodeType
    offset: int
    times: int

    @property
    def name(self) -> str:
        """What it does."""
        return opname[self.code.co_code[self.offset]]

    def __str__(self) -> str:
        """Say where it is."""
        line = next(line for begin, end, line in self.code.co_lines() if begin <= self.offset < end)
        return f"{self.name} at {self.offset} of {self.code.co_qualname}, line {line} of {self.code.co_filename}"


def instructions(call: Callable[[], Any]) -> list[Instruction]:
    """Call *call*; return the instructions of bookcore, but for `bookcore.testing`, that it came to and that can raise."""
    times: dict[tuple[CodeType, int], int] = {}

    def count(frame: Any, event: str, argument: Any) -> Any:
        if event == "opcode":
            place = frame.f_code, frame.f_lasti
            times[place] = times.get(place, 0) + 1
        return count

    def enter(frame: Any, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        return _traced(frame, count) if name.startswith(_OURS) and not name.startswith(_TESTING) else None

    gc.collect()  # so that nothing of before is finalized meanwhile
    with _tracing(enter):
        call()
    found = [Instruction(code, offset, many) for (code, offset), many in times.items()]
    return [each for each in found if each.name not in _SILENT]


def cut_before(call: Callable[[], Any], where: Instruction, nth: int = 1, error: type[BaseException] = MemoryError) -> bool:
    """Call *call* and raise *error* before an instruction, when it comes to it for the n-th time; tell whether it did.

    If it did not, the exceptions of *call* are raised.
    """
    times = 0

    def interrupt(frame: Any, event: str, argument: Any) -> Any:
        nonlocal times
        if event == "opcode" and frame.f_lasti == where.offset:
            times += 1
            if times == nth:
                raise error
        return interrupt

    def enter(frame: Any, event: str, argument: Any) -> Any:
        return _traced(frame, interrupt) if frame.f_code is where.code else None

    try:
        with _tracing(enter):
            call()
    except BaseException:
        if times < nth:
            raise
    gc.collect(1)
    return times >= nth


def _traced(frame: Any, trace: Callable[..., Any]) -> Callable[..., Any]:
    frame.f_trace_lines, frame.f_trace_opcodes = False, True
    return trace


@contextmanager
def _tracing(enter: Callable[..., Any]) -> Iterator[None]:
    """Have *enter* called for each frame that begins."""
    before = sys.gettrace()
    with _undisturbed():
        sys.settrace(enter)
        try:
            yield
        finally:
            sys.settrace(before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Run no garbage collector by itself, which stays enabled, and print nothing that is raised in a finalizer."""
    thresholds, hook = gc.get_threshold(), sys.unraisablehook
    gc.set_threshold(0)
    sys.unraisablehook = lambda unraisable: None
    try:
        yield
    finally:
        sys.unraisablehook = hook
        gc.set_threshold(*thresholds)
