"""The commands about a calendar that is kept: ``verify``, ``log``, ``backup``, ``salvage``, ``copy``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from bookcore import changes
from bookcore.cli.faults import UsageError
from bookcore.cli.show import bare_table, count, plain, print_json, words
from bookcore.model.errors import BookcoreError, masked, visible
from bookcore.model.typecheck import plain_text
from bookcore.persist.copying import Copied
from bookcore.persist.journal.copying import Salvaged
from bookcore.persist.journal.past import Entry, History
from bookcore.persist.journal.verify import Verified
from bookcore.tables.filling import sentence


def read_key(path: str | None, flag: str = "--key-file") -> bytes | None:
    """Return the key in a file; None without one. Raises: `UsageError`."""
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read(65)  # one byte more than a key has at most, so that a longer file is refused
    except (OSError, ValueError) as fault:
        raise UsageError(f"{flag} {masked(path)}: cannot be read ({getattr(fault, 'strerror', None) or fault})") from fault


def moment(typed: str | None, flag: str = "--since") -> int | datetime | None:
    """Return the position or the instant of an option. Raises: `UsageError`."""
    if typed is None:
        return None
    if typed.isascii() and typed.isdigit() and len(typed) <= 20:
        return int(typed)
    try:
        instant = datetime.fromisoformat(typed)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise UsageError(f"{flag} {typed!r} is neither a position nor an instant such as 2026-07-04T09:00Z, with its zone")
    return instant


def about_resource(name: str | None) -> Callable[[Entry], bool]:
    """Return a function that tells whether an entry is about a resource whose id prints as *name*."""
    return lambda entry: name is None or any((plain_text(id) or visible(id)) == name for id in entry.resources)


def _fault(error: BookcoreError) -> dict[str, Any]:
    path, offset = getattr(error, "path", None), getattr(error, "offset", None)
    return {"path": None if path is None else str(path), "offset": offset, "reason": getattr(error, "reason", str(error))}


def show_verified(report: Verified, *, as_json: bool) -> None:
    """Print what is in a directory: the answer of ``verify`` and of ``backup``."""
    if as_json:
        facts = {"directory": report.directory, "whole": report.is_whole, "position": report.position}
        facts |= {"time": plain(report.time), "begins": report.begins, "records": report.records}
        facts |= {"snapshots": report.snapshots, "files": report.files}
        print_json(facts | {"damage": list(map(_fault, report.damage)), "notes": report.notes})
        return
    console = Console(highlight=False, soft_wrap=True)
    state = "[bold green]whole[/]" if report.is_whole else "[bold red]damaged[/]"
    parts = count(report.records, "record"), count(len(report.files), "file"), count(len(report.snapshots), "snapshot")
    console.print(f"[bold]{escape(visible(report.directory))}[/] is {state}: {parts[0]} in {parts[1]}, {parts[2]}")
    if report.position is not None:
        last = f"it goes up to record {report.position}, of {words(report.time)}"
        console.print(f"{last}; as_of from record {report.begins} on")
    list_damage(console, report.damage)
    for note in report.notes:
        console.print(f"[dim]note:[/] {escape(visible(note))}")


def list_damage(console: Console, faults: Iterable[BookcoreError]) -> None:
    """Print a line for each fault."""
    for fault in faults:
        console.print(f"[red]damaged:[/] {escape(visible(sentence(fault)))}")


def show_salvaged(report: Salvaged, *, as_json: bool) -> None:
    """Print what was saved and what was lost: the answer of ``salvage``."""
    if as_json:
        skipped = [{"record": number} | _fault(fault) for number, fault in report.skipped.items()]
        facts = {"directory": report.directory, "to": report.to, "complete": report.is_complete, "start": report.start}
        facts |= {"applied": report.applied, "position": report.position}
        print_json(facts | {"damage": list(map(_fault, report.damage)), "missing": report.missing, "skipped": skipped})
        return
    console = Console(highlight=False, soft_wrap=True)
    base = "nothing" if report.start is None else f"the snapshot after record {report.start}"
    since = f"{count(report.applied, 'record')} since, up to {report.position}"
    console.print(f"[bold]{escape(visible(report.to))}[/] holds {base} and {since}")
    list_damage(console, report.damage)
    for first, last in report.missing:
        console.print(f"[red]lost:[/] record {first}" if first == last else f"[red]lost:[/] records {first} to {last}")
    for number, fault in report.skipped.items():
        console.print(f"[red]left out:[/] record {number}: {escape(visible(sentence(fault)))}")
    if report.is_complete:
        console.print("[bold green]nothing was lost[/]")


def show_copied(copied: Copied, *, with_backup: bool, as_json: bool) -> None:
    """Print what was copied: the answer of ``copy``. *with_backup*: ``backup`` would have copied the records as well."""
    if as_json:
        facts = {"from": copied.source, "to": copied.to, "position": copied.position}
        facts |= {"resources": copied.resources, "bookings": copied.bookings, "digest": copied.digest}
        print_json(facts | {"resumed": copied.resumed})
        return
    console = Console(highlight=False, soft_wrap=True)
    what = f"[bold green]{count(copied.bookings, 'booking')}[/] of [bold]{count(copied.resources, 'resource')}[/]"
    where = f"[bold]{escape(visible(copied.to))}[/]"
    console.print(f"{where} holds {what}, as after record {copied.position}; it was read back and is the same")
    if copied.resumed:
        console.print(f"it went on with a copy that was cut off, which had {count(copied.resumed, 'row')} of its tables")
    rest = "; bookcore backup copies a directory with them" if with_backup else ""
    console.print(f"[dim]the present state was copied, and the records that led to it were not{rest}[/]")


# -- log ---------------------------------------------------------------------------------------------


def show_history(history: History, *, as_json: bool) -> None:
    """Print what happened, the newest last: the answer of ``log``."""
    if as_json:
        entries = [_entry(entry) for entry in history]
        print_json({"begins": history.begins, "since": plain(history.since), "entries": entries})
        return
    console = Console(highlight=False, soft_wrap=True)
    if console.is_terminal:
        shown = bare_table("record", "time", "what", "", right=(0,))
        for entry in history:
            what, details = _described(entry)
            shown.add_row(str(entry.position), words(entry.time, "unknown")[:19], what, escape(details))
        console.print(shown)
        of = "" if history.since is None else f", of {words(history.since)[:19]},"
        unread = f"records up to {history.begins}{of} were not read; " if history.begins else ""
        console.print(f"[dim]{unread}times are UTC[/]")
        return
    for entry in history:
        print("\t".join((str(entry.position), plain(entry.time) or "unknown", *_described(entry))))


def why_nothing(history: History, resource: str | None, since: str | None) -> str:
    """Return why nothing was printed by ``log`` with these options."""
    if resource is None and since is None:
        return f"no changes are kept: the records begin after record {history.begins}"
    about = "" if resource is None else f" of a resource {resource!r}"
    after = "" if since is None else f" after record {since}" if since.isdigit() else f" from {since} on"
    return f"no changes{about}{after} are in the records that are kept"


def _entry(entry: Entry) -> dict[str, Any]:
    """Return an entry for JSON."""
    what, details = _described(entry)
    facts = {"position": entry.position, "time": plain(entry.time), "change": type(entry.change).__name__, "what": what}
    return facts | {
        "resources": list(map(plain, entry.resources)), "booking": plain(entry.booking), "details": details,
    }  # fmt: skip


def _described(entry: Entry) -> tuple[str, str]:
    """Return what happened, in one word or two, and the details, as text for people."""
    change: Any = entry.change
    names = [visible(id) for id in entry.resources]
    match change:
        case changes.Booked(event, held, until):
            return ("held" if held else "booked"), _span(event, names[0]) + _until(until)
        case changes.Released(event, expired):
            return ("ran out" if expired else "released"), _span(event, names[0])
        case changes.Confirmed(event) | changes.Held(event):
            return ("confirmed" if isinstance(change, changes.Confirmed) else "held"), _span(event, names[0])
        case changes.Extended(event, until):
            return "extended", _span(event, names[0]) + (_until(until) or " without end")
        case changes.Moved(before, after):
            return "moved", f"{_span(before, names[0])} -> {names[-1]} {words(after.start)} to {words(after.end)}"
        case changes.Changed(_, after):
            fields = ", ".join(f"{name}={visible(value)}" for name, value in after.fields.items())
            return "changed", f"{_span(after, names[0])}: quantity {after.quantity}" + (f", {fields}" if fields else "")
        case changes.Closed(closure) | changes.Reopened(closure):
            what = "closed" if isinstance(change, changes.Closed) else "reopened"
            return what, f"{names[0]} {words(closure.start)} to {words(closure.end)}: {visible(closure.reason)}"
        case changes.HoursSet(_, hours):
            return "hours", f"{names[0]} {'always open' if hours is None else visible(hours.to_plain())}"
        case changes.CapacitySet(_, capacity, before):
            return "capacity", f"{names[0]} {before} -> {capacity}"
        case changes.Tagged(_, label) | changes.Untagged(_, label):
            return ("tagged" if isinstance(change, changes.Tagged) else "untagged"), f"{names[0]} {visible(label)}"
        case changes.ResourceAdded() | changes.ResourceRemoved():
            return ("added" if isinstance(change, changes.ResourceAdded) else "removed"), names[0]
        case _:
            raise TypeError(f"{type(change).__name__} has no description")


def _span(event: Any, name: str) -> str:
    many = f" x {event.quantity}" if event.quantity > 1 else ""
    return f"{visible(event.id)}: {name} {words(event.start)} to {words(event.end)}{many}"


def _until(until: Any) -> str:
    return "" if until is None else f" until {words(until)}"
