"""A calendar to a snapshot file and back: `save` and `load`, behind `Calendar.snapshot` and `Calendar.restore`.

    save    calendar  ->  state  ->  columns  ->  sections  ->  file beside the target  ->  in the target's place
    load    file  ->  sections  ->  columns  ->  state, checked  ->  objects  ->  a new calendar, by its own commands

Nothing is imported because a file names it: classes are looked up among those that the caller passes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from bookcore.engine.bulk_load import garbage_paused
from bookcore.engine.state import CalendarState
from bookcore.model.errors import BookcoreError, SnapshotError, brief
from bookcore.persist.codec.blob import MissingCodec, Unreadable, Unwritable
from bookcore.persist.errors import (
    SnapshotDamagedError,
    SnapshotTypeError,
    SnapshotValueError,
    failure,
    other_keys,
)
from bookcore.persist.fs import FileSystem
from bookcore.persist.snapshot.classes import handed_in
from bookcore.persist.snapshot.format import (
    VERSION,
    Facts,
    Limits,
    Section,
    check_key,
    check_limits,
    file_text,
    parsed,
    parts_of,
    read_file,
    write_file,
)
from bookcore.persist.snapshot.gather import Rows, gather
from bookcore.persist.snapshot.rebuild import classes_in, rebuild
from bookcore.persist.snapshot.state import decode_state, encode_state

C = TypeVar("C")
Make = Callable[..., tuple[C, CalendarState]]
"""Makes an empty calendar with ``bounds`` and ``event_type``, and returns it with its state."""


def save(
    calendar: CalendarState,
    path: str | os.PathLike[str],
    *,
    key: bytes | None = None,
    limits: Limits | None = None,
    fs: FileSystem | None = None,
    store_id: bytes = bytes(16),
    rows: Rows | None = None,
) -> int:
    """Write a calendar to a file, which is replaced as a whole or not at all, and return its size in bytes.

    `Calendar.snapshot` says what the file has. Attributes, fields, ids and keys are numbers, texts, dates, containers of
    these, NumPy scalars, pandas Timestamps, or what `register_key_codec` knows. A file larger than ``limits.max_bytes``
    (1 GiB) is not written, because `load` reads it with the same *limits* only. A journal gives a *store_id*, and *rows*:
    what `read` of `gather` returned at the moment that the file is to show.

    Raises: `SnapshotTypeError` for a class and `SnapshotValueError` for a value that cannot be written; `SnapshotKeyError`;
    `SnapshotError` for errors of the file system.
    Complexity: O(everything), about 0.5 us a booking. The calendar is locked for a small part of it; Python's cyclic garbage
    collector is paused meanwhile, in the whole process.
    """
    name = file_text(path)
    check_key(name, key)
    allowed = check_limits(name, limits)
    with _enough_memory(name, "write"):
        facts, sections = _encoded(calendar, name, store_id, rows)
        return write_file(name, facts, sections, key, fs or FileSystem(), allowed)


def save_bytes(calendar: CalendarState, name: str, *, store_id: bytes, rows: Rows | None = None) -> bytes:
    """Return what `save` would write to a file. Raises: as `save`, with *name* for the path."""
    with _enough_memory(name, "write"):
        return b"".join(parts_of(*_encoded(calendar, name, store_id, rows)))


def _encoded(calendar: CalendarState, name: str, store_id: bytes, rows: Rows | None) -> tuple[Facts, list[Section]]:
    def encode() -> tuple[Facts, list[Section]]:
        state = gather(calendar, name, rows, numbered=True)
        return Facts(store_id, state.last_sequence, len(state.bookings.ids), VERSION), encode_state(state)

    with garbage_paused(), translated_write_errors(name):
        return encode()  # the columns are freed before the collector could visit them


def load(
    make: Make[C],
    path: str | os.PathLike[str],
    *,
    types: Iterable[type] = (),
    key: bytes | None = None,
    limits: Limits | None = None,
    fs: FileSystem | None = None,
) -> C:
    """Return a new calendar with all that `save` wrote to the file. `Calendar.restore` says the rest.

    *make* is called once. *types* are known by their ``__qualname__``; objects are made without calling the code of their
    classes.

    Raises: `SnapshotDamagedError` for a file that is not exactly as it was written, or was not written by a calendar;
    `SnapshotTypeError` for a class or key codec that is missing; `SnapshotVersionError`, `SnapshotKeyError`; `SnapshotError`
    for a file that cannot be read. Nothing else, whatever the file contains, but for what *make* raises.
    Complexity: O(everything), about 2 us a booking. Python's cyclic garbage collector is paused meanwhile, in the whole
    process, and takes young objects for old ones afterwards, unless the program has called `gc.freeze`.
    """
    name = file_text(path)
    return load_file(make, name, handed_in(name, types), key, check_limits(name, limits), fs or FileSystem())[0]


def load_file(
    make: Make[C], name: str, known: dict[str, type], key: bytes | None, allowed: Limits, fs: FileSystem
) -> tuple[C, CalendarState, Facts]:
    """As `load`, with classes by name. Return also the calendar's state, and the facts in the file's header."""
    return _rebuilt(make, name, known, partial(read_file, name, key, allowed, fs), allowed.max_ratio)


def load_bytes(
    make: Make[C], name: str, known: dict[str, type], data: bytes
) -> tuple[C, CalendarState, Facts]:
    """As `load_file`, from the bytes that `save_bytes` returned."""
    return _rebuilt(make, name, known, partial(parsed, name, data), Limits().max_ratio)


def _rebuilt(
    make: Make[C], name: str, known: dict[str, type], parts: Callable[[], tuple[Facts, list[Section]]], max_ratio: int
) -> tuple[C, CalendarState, Facts]:
    with _enough_memory(name, "read"):
        facts, sections = parts()
    with garbage_paused(aged=True):  # a visit of the collector would take a sixth of the time
        with _translated_read_errors(name):
            state = decode_state(sections, max_ratio, numbered=facts.version >= 2)
            if facts.rows != len(state.bookings.ids) or facts.last_sequence != state.last_sequence:
                raise Unreadable("the header and the sections do not belong together")
        classes = classes_in(state, known, name)
        # an exception from here is not caused by the file
        calendar, new = make(bounds=state.bounds, event_type=classes[state.classes[state.event_type]])
        with _translated_read_errors(name):
            rebuild(new, state, classes)
    return calendar, new, facts


@contextmanager
def translated_write_errors(name: str) -> Iterator[None]:
    """Translate errors of encoding into errors that name the file."""
    try:
        yield
    except Unwritable as exc:
        raise SnapshotValueError(name, exc.value, f"{exc.reason} (in {brief(exc.value, 60)})") from exc
    except (BookcoreError, MemoryError):
        raise
    except Exception as exc:  # the code of the user's own classes may fail in any way
        raise SnapshotError(name, f"its objects cannot be read ({failure(exc)})") from exc


@contextmanager
def _translated_read_errors(name: str) -> Iterator[None]:
    """Translate errors in the contents of a file into errors that name it."""
    try:
        with _enough_memory(name, "read"):
            yield
    except MissingCodec as exc:
        raise SnapshotTypeError(name, exc.reason, [exc.name]) from exc
    except Unreadable as exc:
        raise SnapshotDamagedError(name, exc.reason) from exc
    except (SnapshotError, MemoryError):
        raise
    except BookcoreError as exc:
        if (other := other_keys(exc)) is not None:
            raise SnapshotError(name, other) from exc
        raise SnapshotDamagedError(name, f"no calendar can be in the state it describes: {exc}") from exc
    except Exception as exc:
        # the user's classes and keys may fail in any way on data of another's making
        reason = f"its objects cannot be made ({failure(exc)})"
        raise SnapshotDamagedError(name, reason) from exc


@contextmanager
def _enough_memory(name: str, what: str) -> Iterator[None]:
    """Translate lack of memory into an error that names the file, and does not call it damaged."""
    try:
        yield
    except MemoryError as exc:
        raise SnapshotError(name, f"there is not enough memory to {what} it") from exc
