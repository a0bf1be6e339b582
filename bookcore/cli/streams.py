r"""The standard streams, so that no name, no terminal, no pipe and no full disk ends in a traceback.

- What the output's encoding has no character for is written otherwise: blocks and lines of the pictures as ASCII that
  looks alike, anything else as ``\u65e5``, so that two names stay two names.
- Control characters in names are shown, not sent: a CSV must not move the cursor of who reads it.
- A pipe that is closed early ends the program as it ends other tools, by its signal.
- Any other failure to write is one line on the error output and exit code 1.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["guarded", "visible"]

_ALIKE = dict(zip("▁▂▃▄▅▆▇█", ".:-=+*%#", strict=True)) | {
    "░": ".", "▌": "#", "▐": "#", "┃": "|", "│": "|", "─": "-", "━": "-", "╸": "-", "╺": "-",
    "·": ".", "…": "~", "•": "*", "→": ">",
}  # fmt: skip
# C0, DEL and C1; line and paragraph separators; what turns the direction of writing
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: object) -> str:
    r"""Return *text* with its control characters as Python writes them.

    >>> print(visible("a\x1b[31mb\n"))
    a\x1b[31mb\n
    """
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], str(text))


def _alike(fault: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    shown = []
    for letter in fault.object[fault.start : fault.end]:
        plain = _ALIKE.get(letter)
        shown.append(plain if plain is not None else letter.encode("ascii", "backslashreplace").decode("ascii"))
    return "".join(shown), fault.end


def guarded(program: Callable[[], int]) -> int:
    """Run *program* on streams that can take whatever it prints; return its exit code, 1 if it could not print."""
    with _readable(), _pipes():
        try:
            code = program()
            for stream in _streams():
                stream.flush()
        except OSError as fault:
            reason = fault.strerror or str(fault)
            what = f"{fault.filename}: {reason}" if fault.filename else f"cannot write the output ({reason})"
            code = 1
            with suppress(OSError, ValueError):
                print(f"bookcore: {visible(what)}", file=sys.stderr, flush=True)
            _drop()
    return code


def _streams() -> list[Any]:
    """Return the two outputs, those that there are."""
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


@contextmanager
def _readable() -> Iterator[None]:
    """Let the outputs write otherwise what they cannot encode."""
    codecs.register_error("bookcore-alike", _alike)
    before = [(stream, stream.errors) for stream in _streams() if isinstance(stream, io.TextIOWrapper)]
    try:
        for stream, _ in before:
            stream.reconfigure(errors="bookcore-alike")
        yield
    finally:
        for stream, errors in before:
            with suppress(OSError, ValueError):
                stream.reconfigure(errors=errors)


@contextmanager
def _pipes() -> Iterator[None]:
    """Let a pipe that nobody reads any more end the program, where the system has a signal for that."""
    number = getattr(signal, "SIGPIPE", None)
    if number is None:
        yield
        return
    try:
        before = signal.signal(number, signal.SIG_DFL)
    except ValueError:  # not the main thread: not ours to say
        yield
        return
    try:
        yield
    finally:
        if before is not None:  # None: set by other than Python, which cannot be put back
            signal.signal(number, before)


def _drop() -> None:
    """Send nowhere what is still waiting to be written: at its exit Python would try, and fail, once more."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in _streams():
            with suppress(OSError, ValueError):
                stream.flush()
                continue
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
