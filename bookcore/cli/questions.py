"""Load a file as a calendar, and answer the queries of the command line as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from itertools import chain
from typing import Any, NamedTuple

from rich.console import Console

from bookcore.calendar import Calendar
from bookcore.cli.faults import CLOSED_HINT, UsageError
from bookcore.cli.options import Options
from bookcore.cli.progress import bars
from bookcore.cli.sources import Source, open_source
from bookcore.model.errors import InvalidSpanError, KeyTypeError, brief, visible
from bookcore.model.explanation import CauseKind
from bookcore.model.typecheck import plain_text
from bookcore.tables import (
    BadRow,
    CsvTable,
    KeyKind,
    KeyReader,
    Row,
    UnreadableKeyError,
    fill,
    read_csv,
)
from bookcore.tables.filling import sentence

_NUMBERS = {KeyKind.INT, KeyKind.FLOAT, KeyKind.OTHER}  # kinds that can be compared with each other


class Loaded(NamedTuple):
    """A file that has been loaded into a calendar.

    ``keys`` reads further keys in the same way as those of the file; None if the file and the options have no keys.
    ``table`` is the table that was read; None for everything else.
    """

    source: Source
    calendar: Calendar
    keys: KeyReader | None
    table: CsvTable | None = None

    @property
    def may_close(self) -> bool:
        """Whether ``--bounds "[]"`` applies to the file and was not given."""
        return self.source.holder is None and self.calendar.bounds == "[)"


class Free(NamedTuple):
    """The answer of ``available``: the number of free resources, and the requested part of them."""

    start: Any
    end: Any
    quantity: int
    number: int
    total: int
    resources: list[Any]


class Cause(NamedTuple):
    """One reason why a span is not available: its kind, its id or None, its span, and a sentence.

    ``name`` and ``note`` are the columns of the printed table.
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

    ``before`` and ``after`` are the nearest free spans of the same length; None if there is none or the span is available.
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
    key: bytes | None = None,
) -> Loaded:
    """Load *file*: a CSV, a calendar file, a snapshot, a directory or a database, which *key* may be the key of.

    *on_bad* receives bad rows; *strict* stops at the first.
    Shows a progress bar on *console* if that is a terminal; *on_bad* must print to the same console.
    Raises: `TableError` and its subclasses, `SnapshotError`, `JournalError`, `UsageError`.
    """
    with open_source(file) as source:
        if source.holder is not None:
            options.check_for(f"{source.name} is a {source.holder}", "--keys", "--date-format")  # of START and END
            calendar = source.restore(key)
            return Loaded(source, calendar, _keys_of(source.name, calendar, options))
        if key is not None:
            raise UsageError(f"{source.name} is not sealed by a key, as a snapshot or a directory may be")
        if source.is_calendar:
            return _from_calendar_file(source, options, console, on_bad, strict)
        calendar = Calendar(bounds=options.bounds)
        table = read_csv(source.table(), **options.arguments())
        with table, bars(console) as progress:
            progress.follow(f"Loading {table.path.name}", table.size, lambda: table.position)
            rows = fill(calendar, table, capacity=options.capacity, name_by_line=not table.has_ids)
            any_bad = _report(rows, on_bad, strict)
        return Loaded(source, calendar, table.keys if options.key_reader or any_bad or len(calendar) else None, table)


def _report(rows: Iterable[Row | BadRow], on_bad: Callable[[BadRow], None], strict: bool) -> bool:
    """Book rows, and tell whether some are bad: *on_bad* receives these, *strict* stops at the first."""
    any_bad = False
    for row in rows:
        if isinstance(row, BadRow):
            any_bad = True
            on_bad(row)
            if strict:
                break
    return any_bad


def _from_calendar_file(
    source: Source, options: Options, console: Console, on_bad: Callable[[BadRow], None], strict: bool
) -> Loaded:
    """Load a calendar file; its events are the bookings of one resource, which is called like the file."""
    from bookcore.cli.calendar_files import occurrences  # loads a reader that tables do not need

    options.check_for(f"{source.name} is a calendar file", "--zone", "--until", "--capacity", "--keys")
    calendar = Calendar()
    with bars(console) as progress:
        rows = occurrences(source, options.zone, options.until, progress)
        progress.follow("Booking its occurrences", 0, lambda: len(calendar))
        _report(fill(calendar, rows, capacity=options.capacity), on_bad, strict)
    keys = _keys_of(source.name, calendar, options)
    if options.zone is not None:  # START and END are read as the file is
        keys = KeyReader(KeyKind.ZONED, zone=options.zone)
    return Loaded(source, calendar, keys)


def _keys_of(name: str, calendar: Calendar, options: Options) -> KeyReader | None:
    """Return the reader for keys of a restored calendar; None if the calendar and the options have no keys.

    Raises: `UsageError` if the options name another kind of keys than the calendar has.
    """
    spans: Iterator[Any] = chain(calendar.bookings(), calendar.closures())
    key = next((key for span in spans for key in (span.start, span.end) if key is not None), None)
    held = KeyReader.like(key) if key is not None else None
    named = options.key_reader
    if named is None:
        return held
    if held is not None and held.kind is not named.kind and not {held.kind, named.kind} <= _NUMBERS:
        flag = "--date-format" if options.date_format is not None else "--keys"
        raise UsageError(f"{name} has {held.kind.plural}; {flag} says {named.kind.plural}")
    return named


def _span(loaded: Loaded, start: str, end: str) -> tuple[Any, Any]:
    """Return START and END as two keys of the kind that the file has; ``-`` is unbounded."""
    keys, has = loaded.keys, f"the file has {loaded.keys.kind.plural}" if loaded.keys is not None else ""
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
                    return keys(f"{text}T00:00")  # a date means its midnight, if the times have no zone
                except UnreadableKeyError:
                    pass
            raise UsageError(f"{name} {fault} ({has})") from None

    low, high = read(start, "START"), read(end, "END")
    if low is not None and high is not None:
        high = keys.after(low, high)
        if low == high and loaded.may_close:
            raise UsageError(sentence(InvalidSpanError(low, high)), CLOSED_HINT[0].upper() + CLOSED_HINT[1:])
    return low, high


def find_free(loaded: Loaded, start: str, end: str, quantity: int, first: int | None) -> Free:
    """Return the resources that are free over the whole span.

    Raises: `UsageError` for a key that cannot be read, `InvalidSpanError`.
    """
    low, high = _span(loaded, start, end)
    calendar = loaded.calendar
    free = calendar.find_available(low, high, quantity=quantity)
    listed = list(free) if first is None else free.first(first)
    return Free(low, high, quantity, len(free), len(calendar.resources), listed)


def find_reasons(loaded: Loaded, name: str, start: str, end: str, quantity: int) -> Reasons:
    """Return the causes that prevent a booking, and the nearest free spans if the keys have lengths.

    Raises: `UsageError` for a key that cannot be read and for an unknown resource, `InvalidSpanError`.
    """
    calendar = loaded.calendar
    resource = _resource(loaded, name)
    low, high = _span(loaded, start, end)
    why = calendar.explain(resource, low, high, quantity)
    causes = [_cause(cause, resource) for cause in why.causes]
    before = after = None
    if causes and low is not None and high is not None:
        with suppress(KeyTypeError, InvalidSpanError):  # keys that cannot be subtracted have no lengths
            before, after = calendar.nearest(resource, low, high, quantity=quantity)
    return Reasons(resource, low, high, quantity, not causes, causes, before, after)


def _cause(cause: Any, resource: Any) -> Cause:
    """Return a cause of `Calendar.explain` as a line of output."""
    what, note = cause.what, ""
    match cause.kind:
        case CauseKind.BOOKING | CauseKind.HOLD | CauseKind.BUFFER:
            id, name = what.id, visible(what.id)
            if cause.kind is CauseKind.BUFFER:
                needs = [f"{n} {side}" for side in ("before", "after") if (n := getattr(resource, side)) is not None]
                note = f"needs {' and '.join(needs)}"
            elif resource.capacity > 1:
                note = f"takes {what.quantity} of {resource.capacity}"
        case CauseKind.CLOSURE:
            id, name = what.id, visible(what.reason)
        case CauseKind.HOURS:
            id, name = None, "outside its opening hours"
        case _:
            id, name = None, str(cause)
    return Cause(str(cause.kind), id, cause.start, cause.end, str(cause), name, note)


def _resource(loaded: Loaded, name: str) -> Any:
    """Return the resource with an id that prints as *name*."""
    resources = list(loaded.calendar.resources)
    for by_text in ({plain_text(resource.id) or visible(resource.id): resource for resource in resources},
                    {visible(resource.id): resource for resource in resources}):  # fmt: skip
        if name in by_text:
            return by_text[name]
    close = get_close_matches(name, by_text, 5, 0.5)
    hint = f"; it has {len(by_text):,} other{'s' if len(by_text) > 1 else ''}"
    if not by_text:
        hint = ", nor any other"
    elif close:
        hint = f"; near to it: {', '.join(close)}"
    raise UsageError(f"{loaded.source.name} has no resource {brief(name)}{hint}")
