"""A file as a calendar, and the command line's questions as plain facts. Prints but a progress bar."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from bookcore.calendar import Calendar
from bookcore.errors import BookcoreError, KeyTypeError, brief
from bookcore.persist.format import MAGIC
from bookcore.tables import BadRow, CsvTable, KeyKind, KeyReader, TableError, UnreadableKeyError, read_csv
from bookcore.tables.filling import fill

__all__ = ["Free", "Loaded", "Options", "Reasons", "find_free", "find_reasons", "load_file"]

_EACH = 512  # rows between two looks at the progress bar


class Options(NamedTuple):
    """How a CSV is to be read, as the command line was told."""

    resource: str | None = None
    start: str = "start"
    end: str = "end"
    id: str | None = None
    keys: KeyKind | None = None
    date_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    bounds: str = "[)"
    open_ends: bool = False
    capacity: int = 1


class Loaded(NamedTuple):
    """A file that has become a calendar. ``keys`` reads further keys as those of the file were read."""

    path: Path
    calendar: Calendar
    keys: KeyReader | None


class Free(NamedTuple):
    """The answer of ``available``: how many, and the resources asked for."""

    start: Any
    end: Any
    quantity: int
    number: int
    total: int
    resources: list[Any]


class Cause(NamedTuple):
    """One thing in the way: what it is, its id if it has one, its span, and a sentence."""

    kind: str
    id: Any
    start: Any
    end: Any
    text: str


class Reasons(NamedTuple):
    """The answer of ``why``. ``nearest``: free spans of the same length, before and after (None: none)."""

    resource: Any
    start: Any
    end: Any
    quantity: int
    available: bool
    causes: list[Cause]
    nearest: dict[str, tuple[Any, Any] | None]


class UsageError(BookcoreError):
    """What was typed does not fit the file. Attribute: ``reason``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def load_file(
    path: Path,
    options: Options,
    console: Console,
    *,
    on_bad: Callable[[BadRow], None],
    strict: bool = False,
    snapshots: bool = True,
) -> Loaded:
    """Return *path*, a CSV or a snapshot, as a calendar; bad rows go to *on_bad*, *strict* stops at one.

    Shows a progress bar on *console*, if that is a terminal; what *on_bad* prints must go there as well.
    Raises: `TableError` and its kin, `SnapshotError`.
    """
    if _is_snapshot(path):
        if not snapshots:
            raise TableError(
                path, "that is a snapshot already; ask it with 'bookcore available' or 'bookcore why'"
            )
        calendar = Calendar.restore(path)
        return Loaded(path, calendar, _keys_of(calendar, options))
    calendar = Calendar(bounds=options.bounds)
    table = read_csv(path, **{name: value for name, value in options._asdict().items() if name != "capacity"})
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with table, progress:
        _follow(table, calendar, progress, options.capacity, on_bad, strict)
    return Loaded(path, calendar, table.keys)


def _follow(
    table: CsvTable,
    calendar: Calendar,
    progress: Progress,
    capacity: int,
    on_bad: Callable[[BadRow], None],
    strict: bool,
) -> None:
    task = progress.add_task(f"Loading {table.path.name}", total=table.size)
    for n, row in enumerate(fill(calendar, table, capacity=capacity, name_by_line=not table.has_ids)):
        if isinstance(row, BadRow):
            on_bad(row)
            if strict:
                break
        if n % _EACH == 0:
            progress.update(task, completed=table.position)
    progress.update(task, completed=table.size)


def _is_snapshot(path: Path) -> bool:
    if path.suffix == ".bks":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False  # whoever reads it next says what is the matter


def _keys_of(calendar: Calendar, options: Options) -> KeyReader | None:
    """Return what reads keys like those of *calendar*; None if it holds none and none are named."""
    if options.keys is not None or options.date_format is not None:
        return KeyReader(options.keys or KeyKind.TIME, date_format=options.date_format)
    for event in calendar.bookings():
        for key in (event.start, event.end):
            if key is not None:
                return KeyReader.like(key)
    return None


def _span(found: Loaded, start: str, end: str) -> tuple[Any, Any]:
    """Return what was typed as two keys like those of the file; ``-`` is unbounded."""
    keys = found.keys
    if keys is None:
        keys = KeyReader.for_cells(text for text in (start, end) if text != "-")

    def read(text: str, name: str) -> Any:
        if text == "-":
            return None
        try:
            return keys(text)
        except UnreadableKeyError as fault:
            if keys.kind is KeyKind.TIME and keys.date_format is None:
                try:
                    return keys(f"{text}T00:00")  # midnight is what a date means where times have no zone
                except UnreadableKeyError:
                    pass
            raise UsageError(f"{name} {fault} (the file has {keys.kind.plural})") from None

    return read(start, "START"), read(end, "END")


def find_free(found: Loaded, start: str, end: str, quantity: int, first: int | None) -> Free:
    """Return who is free over the whole span.

    Raises: `UsageError` for what cannot be read, `InvalidSpanError`.
    """
    low, high = _span(found, start, end)
    calendar = found.calendar
    free = calendar.find_available(low, high, quantity=quantity)
    listed = list(free) if first is None else free.first(first)
    return Free(low, high, quantity, len(free), len(calendar.resources), listed)


def find_reasons(found: Loaded, who: str, start: str, end: str, quantity: int) -> Reasons:
    """Return what stands in the way of a booking, and the nearest free spans where keys have lengths.

    Raises: `UsageError` for what cannot be read and for an unknown resource, `InvalidSpanError`.
    """
    calendar = found.calendar
    resource = _named(found, who)
    low, high = _span(found, start, end)
    free = calendar.is_available(resource, low, high, quantity)
    causes = [] if free else _causes(calendar, resource, low, high, quantity)
    nearest: dict[str, tuple[Any, Any] | None] = {}
    if not free and low is not None and high is not None and hasattr(calendar, "nearest"):
        with suppress(KeyTypeError):  # keys without lengths have no nearest span of the same length
            nearest = _nearest(calendar, resource, low, high, quantity)
    return Reasons(resource, low, high, quantity, free, causes, nearest)


def _causes(calendar: Calendar, resource: Any, low: Any, high: Any, quantity: int) -> list[Cause]:
    if quantity > resource.capacity:
        text = f"{quantity} are asked for, its capacity is {resource.capacity}"
        return [Cause("capacity", None, None, None, text)]
    conflicts = calendar.conflicts(resource, low, high)
    return [Cause("booking", event.id, event.start, event.end, "") for event in conflicts]


def _nearest(
    calendar: Any, resource: Any, low: Any, high: Any, quantity: int
) -> dict[str, tuple[Any, Any] | None]:
    before, after = calendar.nearest(resource, low, high)
    return {"before": before, "after": after}


def _named(found: Loaded, who: str) -> Any:
    """Return the resource whose id is written *who*."""
    by_text = {str(resource.id): resource for resource in found.calendar.resources}
    try:
        return by_text[who]
    except KeyError:
        close = get_close_matches(who, by_text, 5, 0.5)
        hint = f"; near to it: {', '.join(close)}" if close else f"; it has {len(by_text):,} others"
        raise UsageError(f"{found.path} has no resource {brief(who)}{hint}") from None
