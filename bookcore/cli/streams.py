r"""The standard streams, prepared so that no encoding, pipe or full disk causes a traceback.

- Characters that the encoding of the output lacks are replaced: the blocks and lines of the pictures by similar ASCII
  characters, all others by escapes such as ``\u65e5``, so that different names stay different.
- Control characters in names, and those without a width, are escaped (`visible`): a CSV must not control the terminal.
- A pipe that is closed early ends the program by SIGPIPE, as it ends other tools.
- Any other failure to write is one line on the error output, and exit code 1.
"""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bookcore.model.errors import visible

_ALIKE = dict(zip("▁▂▃▄▅▆▇█", ".:-=+*%#", strict=True)) | {
    "░": ".", "▌": "#", "▐": "#", "┃": "|", "│": "|", "─": "-", "━": "-", "╸": "-", "╺": "-",
    "·": ".", "…": "~", "•": "*", "→": ">",
}  # fmt: skip


def _alike(fault: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    shown = []
    for letter in fault.object[fault.start : fault.end]:
        plain = _ALIKE.get(letter)
        shown.append(plain if plain is not None else letter.encode("ascii", "backslashreplace").decode("ascii"))
    return "".join(shown), fault.end


def guarded(program: Callable[[], int]) -> int:
    """Run *program* on prepared streams; return its exit code, 1 if its output could not be written."""
    with _replacing_characters(), _default_sigpipe():
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
            _discard_buffers()
    return code


def _streams() -> list[Any]:
    """Return the standard output and error output, if they exist."""
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


@contextmanager
def _replacing_characters() -> Iterator[None]:
    """Replace characters that the outputs cannot encode."""
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
def _default_sigpipe() -> Iterator[None]:
    """Let SIGPIPE end the program, on systems that have it."""
    number = getattr(signal, "SIGPIPE", None)
    if number is None:
        yield
        return
    try:
        before = signal.signal(number, signal.SIG_DFL)
    except ValueError:  # signals can be set only in the main thread
        yield
        return
    try:
        yield
    finally:
        if before is not None:  # None: a handler that Python did not set, and cannot restore
            signal.signal(number, before)


def _discard_buffers() -> None:
    """Redirect streams that fail to the null device, because Python flushes them again at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in _streams():
            with suppress(OSError, ValueError):
                stream.flush()
                continue
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
