"""Cutting a call off half-way, as Ctrl-C, lack of memory or a signal handler does.

Python runs signal handlers as a function begins, after a call of a function in C, and at the end of a loop's body. A profile
function is called at the first two kinds of places, and may raise there.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any


def cut_off(call: Callable[[], Any], nth: int, error: type[BaseException] = KeyboardInterrupt) -> int:
    """Call *call* and raise *error* at its n-th place; return how many places it came to.

    If it came to fewer, it was not cut off, and its own exceptions are raised.

    >>> cut_off(lambda: len("four"), 1), cut_off(lambda: len("four"), 99)
    (1, 2)
    """
    places = 0

    def interrupt(frame: Any, event: str, argument: Any) -> None:
        nonlocal places
        if event in ("call", "c_return"):
            places += 1
            if places == nth:
                raise error

    before, hook = sys.getprofile(), sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None  # what is raised in a finalizer is not raised anywhere
    try:
        sys.setprofile(interrupt)
        call()
    except BaseException:
        sys.setprofile(before)
        if places < nth:
            raise
    finally:
        sys.setprofile(before)
        sys.unraisablehook = hook
    gc.collect(1)  # what the frames of the call held, as when a program goes on after an interruption
    return places
