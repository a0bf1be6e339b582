"""Programs in other processes, and a queue of threads, for tests that take part in what these do.

>>> with started("print(input() * 2)") as process:
...     tell(process, "go")
...     line_of(process)
'gogo'
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import bookcore


@contextmanager
def started(program: str, *arguments: object) -> Generator[subprocess.Popen[str]]:
    """Run a program of Python, with this bookcore, in a process of its own, which is killed at the end."""
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(bookcore.__file__))}
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    """Wait for the next line that the program prints, and return it; it is empty at the end."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], line: object) -> None:
    """Write a line to the program."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


class Waiting(deque[Any]):
    """A queue to put in place of one in which threads wait; ``told`` is released for each that comes."""

    def __init__(self) -> None:
        super().__init__()
        self.told = threading.Semaphore(0)

    def append(self, each: Any) -> None:
        """Append, and tell."""
        super().append(each)
        self.told.release()
