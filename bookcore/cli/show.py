"""The output of the command line: tables on a terminal, plain lines in a pipe, JSON under ``--json``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bookcore.cli.faults import CLOSED_HINT
from bookcore.cli.options import Options
from bookcore.cli.questions import Free, Loaded, Reasons
from bookcore.model.errors import brief, visible
from bookcore.persist.shared.address import shown
from bookcore.tables import BadRow, CsvTable, KeyKind, KeyReader, Reason
from bookcore.tables.date_formats import formats_of

LISTED = 200  # resources on a terminal without --first
_OPEN_ENDS_HINT = "if a missing start or end means for ever:  --open-ends"


class BadRows:
    """Counts bad rows, and prints the first *limit* of them at once (*quiet*: stores them in ``kept``)."""

    def __init__(self, console: Console, *, limit: int | None = 20, quiet: bool = False) -> None:
        self.console = console
        self.limit = limit
        self.quiet = quiet
        self.count = 0
        self.reasons: Counter[Reason] = Counter()
        self.lines: dict[Reason, int] = {}
        self.kept: list[BadRow] = []

    def __call__(self, row: BadRow) -> None:
        """Count a row, and print or store it within the limit."""
        self.count += 1
        self.reasons[row.reason] += 1
        self.lines.setdefault(row.reason, row.line)
        if self.limit is None or self.count <= self.limit:
            if self.quiet:
                self.kept.append(row)
            else:
                self.print(row)

    def print(self, row: BadRow) -> None:
        """Print one row."""
        self.console.print(f"[red]line {row.line}[/]: {row.reason}: {escape(visible(row.detail))}")

    def as_json(self) -> dict[str, Any]:
        """Return the counts, and the stored rows, as plain values."""
        rows = [{"line": row.line, "reason": str(row.reason), "detail": row.detail} for row in self.kept]
        reasons = {str(reason): number for reason, number in self.reasons.most_common()}
        return {"bad_rows": self.count, "reasons": reasons, "rows": rows}


def plain(key: Any) -> Any:
    """Return a key or an id for JSON: numbers and text unchanged, dates and times as ISO 8601.

    What JSON has no numbers for is text: NaN and infinity, and ints of thousands of digits, which are hexadecimal.
    """
    if key is None or isinstance(key, str) or (isinstance(key, float) and isfinite(key)):
        return key
    if isinstance(key, int):
        return visible(key) if abs(key) >= 1 << 10_000 else key
    return key.isoformat() if isinstance(key, date | datetime) else visible(key)


def print_json(facts: dict[str, Any]) -> None:
    """Print facts as one line of JSON, with nothing in it that is not JSON."""
    print(json.dumps(facts, allow_nan=False))


def words(key: Any, unbounded: str = "...") -> str:
    """Return a key as text for people."""
    if key is None:
        return unbounded
    return key.isoformat(sep=" ") if isinstance(key, datetime) else visible(key)


def marked(key: Any, unbounded: str = "...") -> str:
    """Return a key as text for people, escaped for the markup of Rich."""
    return escape(words(key, unbounded))


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "row"), count(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bare_table(*columns: str, right: tuple[int, ...] = ()) -> Table:
    """Return a table without lines; *right* are the places of the columns of numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for at, name in enumerate(columns):
        made.add_column(name, justify="right" if at in right else "left", overflow="fold")
    return made


def show_loaded(loaded: Loaded, options: Options, bad: BadRows, saved: Path | None, *, as_json: bool) -> None:
    """Print the result of ``load``."""
    calendar, table = loaded.calendar, loaded.table
    resources, bookings = len(calendar.resources), len(calendar)
    kind = loaded.keys.kind.plural if loaded.keys is not None else "nothing"
    if as_json:
        facts: dict[str, Any] = {"file": shown(loaded.source.typed), "bookings": bookings, "resources": resources}
        facts["keys"] = kind
        if table is not None:
            facts |= {"left_out": table.left_out, "unseen": [f"{name}={value}" for name, value in table.unseen()]}
            facts |= {"states": table.states}
        facts |= bad.as_json() | {"saved": None if saved is None else str(saved)}
        print_json(facts)
        return
    console = Console(highlight=False)
    console.print(
        f"[bold green]{count(bookings, 'booking')}[/] of [bold]{count(resources, 'resource')}[/] from "
        f"{escape(visible(loaded.source.name))}"
        + (f"; starts and ends are {kind}" if bookings or bad.count else ""),
        soft_wrap=True,
    )
    if table is not None:
        for line in _choices(table):
            console.print(escape(visible(line)), soft_wrap=True)
    if bad.count:
        if bad.limit is not None and bad.count > bad.limit:
            bad.console.print(f"[dim]and {bad.count - bad.limit:,} more bad rows; --show-all prints them[/]")
        console.print(f"[bold red]{count(bad.count, 'bad row')}[/] left out:")
        reasons = bare_table("rows", "reason", "first", right=(0,))
        for reason, rows in bad.reasons.most_common():
            reasons.add_row(f"{rows:,}", str(reason), f"line {bad.lines[reason]}")
        console.print(reasons)
        for tip in dict.fromkeys(_tips(options, loaded.keys, bad.reasons, nothing_loaded=not bookings)):
            console.print(f"[dim]{escape(tip)}[/]", soft_wrap=True)
    if saved is not None:
        console.print(f"saved as {escape(visible(saved))} ({saved.stat().st_size:,} bytes)", soft_wrap=True)


def _choices(table: CsvTable) -> Iterator[str]:
    """Yield what is to be said of the rows that were chosen, or could have been."""
    if table.left_out:
        yield f"{count(table.left_out, 'row')} left out by --only and --except"
    for name, value in table.unseen():
        yield f"no row has {name}={value}; look at how it is written"
    for name, values in table.states.items():
        shown = ", ".join(brief(value, 20) for value in values[:4]) + (" ..." if len(values) > 4 else "")
        example = next((value for value in values if "cancel" in value.casefold()), values[-1])
        yield f"the column {name} has {shown}; rows of all of them were read.  --except '{name}={example}'  leaves some out"


def show_free(free: Free, bad_rows: int, *, as_json: bool) -> None:
    """Print the answer of ``available``."""
    ids = [resource.id for resource in free.resources]
    if as_json:
        facts = {"start": plain(free.start), "end": plain(free.end), "quantity": free.quantity}
        facts |= {"count": free.number, "of": free.total, "resources": [plain(id) for id in ids]}
        print_json(facts | {"bad_rows": bad_rows})
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        for id in ids:
            print(visible(id))
        return
    many = f" with room for {free.quantity}" if free.quantity > 1 else ""
    console.print(
        f"[bold green]{free.number:,}[/] of {count(free.total, 'resource')} are free{many} "
        f"from {marked(free.start)} to {marked(free.end)}"
    )
    shown = ids[:LISTED]
    if shown:
        console.print(Columns([escape(visible(id)) for id in shown], padding=(0, 2), column_first=False))
    if len(ids) > len(shown):
        console.print(f"[dim]and {len(ids) - len(shown):,} more; all of them:  --first {len(ids)} | less[/]")


def show_reasons(answer: Reasons, bad_rows: int, *, as_json: bool) -> None:
    """Print the answer of ``why``."""
    if as_json:
        facts = {"resource": plain(answer.resource.id), "start": plain(answer.start), "end": plain(answer.end)}
        facts |= {"quantity": answer.quantity, "available": answer.available}
        columns = ("kind", "id", "start", "end", "text")
        facts["causes"] = [{name: plain(getattr(cause, name)) for name in columns} for cause in answer.causes]
        near = {"before": answer.before, "after": answer.after}
        facts["nearest"] = {side: span and [plain(key) for key in span] for side, span in near.items()}
        print_json(facts | {"bad_rows": bad_rows})
        return
    console = Console(highlight=False, soft_wrap=True)
    span = f"from {marked(answer.start)} to {marked(answer.end)}"
    name = escape(visible(answer.resource.id))
    if answer.available:
        console.print(f"[bold]{name}[/] is [bold green]available[/] {span}: nothing is in the way")
        return
    console.print(f"[bold]{name}[/] is [bold red]not available[/] {span}")
    if console.is_terminal:
        shown = bare_table("in the way", "", "from", "to", "")
        for cause in answer.causes:
            cells = [escape(visible(cause.name)), marked(cause.start, ""), marked(cause.end, "")]
            shown.add_row(cause.kind, *cells, escape(visible(cause.note)))
        console.print(shown)
    else:
        for cause in answer.causes:
            cells = [cause.kind, visible(cause.name), words(cause.start), words(cause.end), visible(cause.note)]
            print("\t".join(cells).rstrip("\t"))
    for side, offer in (("before", answer.before), ("after", answer.after)):
        if offer is not None:
            console.print(f"nearest free {side}: [green]{marked(offer[0])}[/] to [green]{marked(offer[1])}[/]")


def _tips(
    options: Options, keys: KeyReader | None, reasons: Collection[Reason], *, nothing_loaded: bool
) -> Iterator[str]:
    """Yield advice for each of the reasons of bad rows, if the advice fits the rows read so far."""
    for reason in reasons:
        match reason:
            case Reason.NO_START | Reason.NO_END | Reason.NO_SPAN:
                yield _OPEN_ENDS_HINT
            case Reason.NOT_TEXT if options.encoding.lower() in ("utf-8", "utf8"):
                yield "if the text is not UTF-8:  --encoding latin-1"
            case Reason.TOO_MANY:
                yield "how many fit at one time:  --capacity N"
            case Reason.EMPTY:
                yield CLOSED_HINT
            case Reason.MIXED_ZONES if keys is not None and keys.date_format is None:
                if keys.kind is not KeyKind.ZONED:
                    yield "to take those with a zone:  --keys zoned"
                else:
                    yield "to take those without a zone:  --keys datetime"
            case Reason.UNREADABLE if keys is not None and nothing_loaded:
                # another kind or format of keys would lose rows that were loaded
                yield from _other_keys(keys)


def _other_keys(keys: KeyReader) -> Iterator[str]:
    """Yield advice for a file with keys that are all unreadable."""
    (what, _), *_ = keys.refused.most_common(1) or [("", 0)]
    if what in (KeyKind.INT, KeyKind.FLOAT, KeyKind.DATE, KeyKind.TIME, KeyKind.ZONED):
        if keys.date_format is not None:
            yield "they are read without a format:  leave --date-format out"
        elif what != keys.kind:
            yield f"if they are {KeyKind(what).plural}:  --keys {what}"
    elif what == "like a time":
        for form in formats_of(keys.like_times):
            if KeyReader(None, date_format=form).kind is keys.kind:
                yield f"if they are written otherwise:  --date-format '{form}'"
