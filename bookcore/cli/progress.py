"""Progress bars, on the error output, which disappear at the end; none if that is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from bookcore.cli.faults import errors
from bookcore.cli.streams import visible

__all__ = ["bars", "progress_bar", "step_bars"]


def bars(console: Console, *, of_bytes: bool = True) -> Progress:
    """Return progress bars on a console; *of_bytes*: they count bytes, and say how many."""
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()]
    columns += [DownloadColumn()] if of_bytes else []
    return Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def progress_bar(what: str, *, of_bytes: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar; yield the function that moves it."""
    with bars(errors(), of_bytes=of_bytes) as progress:
        task = progress.add_task(escape(visible(what)))
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def step_bars(names: dict[str, str]) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar for each step, by its name; yield the function that moves that of a step."""
    with bars(errors(), of_bytes=False) as progress:
        tasks = {step: progress.add_task(escape(visible(name)), total=None, start=False) for step, name in names.items()}

        def move(step: str, done: int, total: int) -> None:
            progress.start_task(tasks[step])
            progress.update(tasks[step], completed=done, total=total)

        yield move
