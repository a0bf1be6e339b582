"""A file as a calendar, and the command line's questions as plain facts. Prints but a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from difflib import get_close_matches
from itertools import chain
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from bookcore.calendar import Calendar
from bookcore.cli.options import Options
from bookcore.cli.sources import Source, UsageError, open_source
from bookcore.cli.streams import visible
from bookcore.model.errors import InvalidSpanError, KeyTypeError, brief
from bookcore.model.explanation import CauseKind
from bookcore.tables import (
    BadRow,
    CsvTable,
    KeyKind,
    KeyReader,
    TableError,
    UnreadableKeyError,
    fill,
    read_csv,
)

__all__ = ["Cause", "Free", "Loaded", "Reasons", "find_free", "find_reasons", "load_file"]

_EACH = 512  # rows between two looks at the progress bar
_NUMBERS = {KeyKind.INT, KeyKind.FLOAT, KeyKind.OTHER}  # compared with each other; the calendar knows what is no number


class Loaded(NamedTuple):
    """A file that has become a calendar.

    ``keys`` reads further keys as those of the file were read; None: the file has none, and nobody said what they are.
    """

    source: Source
    calendar: Calendar
    keys: KeyReader | None

    @property
    def may_close(self) -> bool:
        """Whether the file could have been read with closed bounds, and was not."""
        return not self.source.is_snapshot and self.calendar.bounds == "[)"


class Free(NamedTuple):
    """The answer of ``available``: how many, and the resources asked for."""

    start: Any
    end: Any
    quantity: int
    number: int
    total: int
    resources: list[Any]


class Cause(NamedTuple):
    """One thing in the way: what it is, its id if it has one, its span, and a sentence.

    ``name`` is what to call it in a line of its own, ``note`` what else there is to say there.
    """

    kind: str
    id: Any
    start: Any
    end: Any
    text: str
    name: str
    note: str = ""


class Reasons(NamedTuple):
    """The answer of ``why``.

    ``before`` and ``after`` are the nearest free spans of the same length; None: there is none, or nothing is in the way.
    """

    resource: Any
    start: Any
    end: Any
    quantity: int
    available: bool
    causes: list[Cause]
    before: tuple[Any, Any] | None
    after: tuple[Any, Any] | None


def load_file(
    file: str,
    options: Options,
    console: Console,
    *,
    on_bad: Callable[[BadRow], None],
    strict: bool = False,
    snapshots: bool = True,
) -> Loaded:
    """Return *file*, a CSV or a snapshot, as a calendar; bad rows go to *on_bad*, *strict* stops at one.

    Shows a progress bar on *console*, if that is a terminal; what *on_bad* prints must go there as well.
    Raises: `TableError` and its kin, `SnapshotError`, `UsageError`.
    """
    with open_source(file) as source:
        if source.is_snapshot:
            return _restored(source, options, snapshots)
        calendar = Calendar(bounds=options.bounds)
        table = read_csv(source.table(), **options.reading())
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
            any_bad = _follow(table, calendar, progress, options.capacity, on_bad, strict)
        told = options.keys is not None or options.date_format is not None
        return Loaded(source, calendar, table.keys if told or any_bad or len(calendar) else None)


def _restored(source: Source, options: Options, snapshots: bool) -> Loaded:
    if not snapshots:
        raise TableError(
            source.name, "that is a snapshot already; ask it with 'bookcore available' or 'bookcore why'"
        )
    wrong = options.for_csv_only()
    if wrong:
        verb = "says" if len(wrong) == 1 else "say"
        raise UsageError(
            f"{source.name} is a snapshot; {', '.join(wrong)} {verb} how to read a CSV, and cannot be given with one"
        )
    calendar = source.restore()
    return Loaded(source, calendar, _keys_of(source.name, calendar, options))


def _follow(
    table: CsvTable,
    calendar: Calendar,
    progress: Progress,
    capacity: int,
    on_bad: Callable[[BadRow], None],
    strict: bool,
) -> bool:
    """Book the rows and show how far they are; return whether any was bad."""
    task = progress.add_task(f"Loading {escape(visible(table.path.name))}", total=table.size or None)
    any_bad = False
    for n, row in enumerate(fill(calendar, table, capacity=capacity, name_by_line=not table.has_ids)):
        if isinstance(row, BadRow):
            any_bad = True
            on_bad(row)
            if strict:
                break
        if n % _EACH == 0:
            progress.update(task, completed=table.position)
    progress.update(task, completed=table.size)
    return any_bad


def _keys_of(name: str, calendar: Calendar, options: Options) -> KeyReader | None:
    """Return what reads keys like those of *calendar*; None if it holds none and none are named.

    Raises: `UsageError` if those named are not like those it holds.
    """
    held = _a_key(calendar)
    like = KeyReader.like(held) if held is not None else None
    if options.keys is None and options.date_format is None:
        return like
    told = KeyReader(options.keys, date_format=options.date_format)
    if like is not None and like.kind is not told.kind and not {like.kind, told.kind} <= _NUMBERS:
        flag = "--date-format" if options.date_format is not None else "--keys"
        raise UsageError(f"{name} has {like.kind.plural}; {flag} says {told.kind.plural}")
    return told


def _a_key(calendar: Calendar) -> Any:
    """Return a key of the calendar, or None if it holds none."""
    taken: Iterator[Any] = chain(calendar.bookings(), calendar.closures())
    return next((key for one in taken for key in (one.start, one.end) if key is not None), None)


def _span(found: Loaded, start: str, end: str) -> tuple[Any, Any]:
    """Return what was typed as two keys like those of the file; ``-`` is unbounded."""
    keys, has = found.keys, f"the file has {found.keys.kind.plural}" if found.keys is not None else ""
    if keys is None:
        keys = KeyReader.for_cells(text for text in (start, end) if text != "-")
        has = "the file has no bookings, but START and END have to be alike"

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
            raise UsageError(f"{name} {fault} ({has})") from None

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
    why = calendar.explain(resource, low, high, quantity)
    causes = [_cause(cause, resource, low) for cause in why.causes]
    before = after = None
    if causes and low is not None and high is not None:
        with suppress(KeyTypeError, InvalidSpanError):  # keys without lengths have no span of the same length
            near = calendar.nearest(resource, low, high, quantity=quantity)
            before, after = (_in_zone(span, low) for span in near)
    return Reasons(resource, low, high, quantity, not causes, causes, before, after)


def _cause(cause: Any, resource: Any, asked: Any) -> Cause:
    """Return a cause of `Calendar.explain` as a line of output; *asked* is where the question starts."""
    what, note, start, end = cause.what, "", cause.start, cause.end
    match cause.kind:
        case CauseKind.BOOKING | CauseKind.HOLD | CauseKind.TURNAROUND:
            id, name = what.id, str(what.id)
            if cause.kind is CauseKind.TURNAROUND:
                needs = [f"{n} {side}" for side in ("before", "after") if (n := getattr(resource, side)) is not None]
                note = f"needs {' and '.join(needs)}"
            elif resource.capacity > 1:
                note = f"takes {what.quantity} of {resource.capacity}"
        case CauseKind.CLOSURE:
            id, name = what.id, str(what.reason)
        case CauseKind.HOURS:
            id, name = None, "outside its opening hours"
            start, end = _in_zone((start, end), asked) or (start, end)
        case _:
            id, name = None, str(cause)
    return Cause(str(cause.kind), id, start, end, str(cause), name, note)


def _in_zone(span: tuple[Any, Any] | None, asked: Any) -> tuple[Any, Any] | None:
    """Return the same instants in the zone of the question; what is no time, or has no zone, as it is."""
    zone = asked.tzinfo if isinstance(asked, datetime) else None
    if span is None or zone is None:
        return span
    start, end = (key.astimezone(zone) if isinstance(key, datetime) else key for key in span)
    return start, end


def _named(found: Loaded, who: str) -> Any:
    """Return the resource whose id is written *who*."""
    by_text = {str(resource.id): resource for resource in found.calendar.resources}
    try:
        return by_text[who]
    except KeyError:
        close = get_close_matches(who, by_text, 5, 0.5)
    hint = f"; it has {len(by_text):,} other{'s' if len(by_text) > 1 else ''}"
    if not by_text:
        hint = ", nor any other"
    elif close:
        hint = f"; near to it: {', '.join(close)}"
    raise UsageError(f"{found.source.name} has no resource {brief(who)}{hint}")
