"""Progress bars, on the error output, which disappear at the end; none if that is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from bookcore.cli.faults import errors
from bookcore.model.errors import visible


class Bars(Progress):
    """Progress bars, one of which may follow what is read: no row of a long table comes before many have been read."""

    _followed: tuple[TaskID, Callable[[], int]] | None = None

    def follow(self, what: str, total: int, position: Callable[[], int]) -> None:
        """Show how far something has come, in place of what was followed before.

        *position* is called several times a second, by another thread.
        """
        before, self._followed = self._followed, (self.add_task(escape(visible(what)), total=total or None), position)
        if before is not None:
            self.remove_task(before[0])

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return what is shown now."""
        if self._followed is not None:
            task, position = self._followed
            with suppress(OSError, ValueError, KeyError):  # it is being closed, or another one followed
                self.update(task, completed=position())
        return super().get_renderables()


def bars(console: Console, *, of_bytes: bool = True) -> Bars:
    """Return progress bars on a console; *of_bytes*: they count bytes, and say how many."""
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()]
    columns += [DownloadColumn()] if of_bytes else []
    return Bars(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal, transient=True)


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
