"""The argument FILE: a path, an address, or a stream, which is copied first because it can be read only once."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, NamedTuple

from bookcore.calendar import Calendar
from bookcore.cli.faults import UsageError
from bookcore.cli.progress import Bars, progress_bar
from bookcore.model.errors import SnapshotError, is_like_address, masked
from bookcore.persist.shared.address import WAYS, is_address, is_divided, shown
from bookcore.persist.snapshot.classes import StandIns
from bookcore.persist.snapshot.format import MAGIC
from bookcore.tables import TableError

STDIN = "-"
_PACKED = b"\x1f\x8b"
_SQLITE = b"SQLite format 3\0"
_LOOKED_AT = 64
"""How many bytes tell a snapshot and a calendar from a table."""
LONGEST = 2_000_000_000
"""How many bytes of a stream are copied at most: one that never ends would fill the disk."""


class Source(NamedTuple):
    """What is to be read: ``typed`` is the argument, ``name`` is for messages, ``copy`` is the copy of a stream.

    ``holder`` says what it is if it holds a calendar: ``"snapshot"``, ``"directory"`` or ``"database"``. If not, it is a
    calendar file, as ``is_calendar`` tells, or a table.
    """

    typed: str
    name: str
    holder: str | None
    copy: IO[bytes] | None = None
    is_calendar: bool = False

    def table(self) -> str | IO[bytes]:
        """Return the source for `read_csv`."""
        return self.typed if self.copy is None else self.copy

    @contextmanager
    def opened(self, progress: Bars) -> Iterator[io.BufferedIOBase]:
        """Give the bytes of the source, unpacked, as a file that *progress* follows. Raises: `TableError`."""
        with ExitStack() as files:
            try:
                file: Any = files.enter_context(open(self.typed, "rb")) if self.copy is None else self.copy
                progress.follow(f"Reading {self.name}", os.fstat(file.fileno()).st_size, file.tell)
                packed = file.peek(2)[:2] == _PACKED
            except OSError as fault:
                raise TableError(self.name, f"cannot be read ({fault.strerror or fault})") from fault
            yield gzip.GzipFile(fileobj=file) if packed else file

    def restore(self, key: bytes | None) -> Calendar:
        """Return the calendar that the source holds; classes of the program are substituted.

        Raises: `SnapshotError`, `JournalError`.
        """
        types: Any = StandIns()  # for all names in a file, because the command line has not the classes of the program
        if self.holder != "snapshot":
            with progress_bar(f"Reading {self.name}", of_bytes=self.holder == "directory") as progress:
                shown = None if self.holder == "database" and is_divided(self.typed) else progress
                return Calendar.open(self.typed, as_of="now", types=types, key=key, progress=shown)
        if self.copy is None:
            return Calendar.restore(self.typed, clock=None, types=types, key=key)
        with TemporaryDirectory(prefix="bookcore-") as folder:
            path = Path(folder, "snapshot")
            with path.open("wb") as file:
                shutil.copyfileobj(self.copy, file)
            try:
                return Calendar.restore(path, clock=None, types=types, key=key)
            except SnapshotError as fault:
                raise SnapshotError(self.name, fault.reason, offset=fault.offset) from fault


@contextmanager
def open_source(typed: str) -> Iterator[Source]:
    """Open the argument FILE as a source for the ``with`` block.

    Raises: `UsageError`, `TableError` for a stream that cannot be read.
    """
    if not typed:
        raise UsageError(f"FILE is empty; name a file, or {STDIN} for standard input")
    if is_address(typed) or os.path.isdir(typed):
        yield Source(typed, shown(typed), "database" if is_address(typed) else "directory")
        return
    if not _is_stream(typed):
        begin = _begin(typed)
        _check_address(typed, begin)
        suffix = Path(typed).suffix.lower()
        holder = "snapshot" if suffix == ".bks" or begin.startswith(MAGIC) else None
        yield Source(typed, typed, holder, None, suffix == ".ics" or _is_calendar(begin, typed))
        return
    name = "standard input" if typed in (STDIN, "/dev/stdin") else typed
    with TemporaryFile(prefix="bookcore-") as copy:
        try:
            if name == typed:
                with open(typed, "rb") as stream:
                    _copy(name, stream, copy)
            elif sys.stdin is not None:
                _copy(name, sys.stdin.buffer, copy)
        except (OSError, ValueError) as fault:
            raise TableError(name, f"cannot be read ({getattr(fault, 'strerror', None) or fault})") from fault
        copy.seek(0)
        begin = copy.read(_LOOKED_AT)
        copy.seek(0)
        is_calendar = _is_calendar(begin, copy)
        os.lseek(copy.fileno(), 0, os.SEEK_SET)
        # reopened under the name of the stream, which error messages use
        with open(name, "rb", opener=lambda *_: os.dup(copy.fileno())) as named:
            yield Source(typed, name, "snapshot" if begin.startswith(MAGIC) else None, named, is_calendar)


def _copy(name: str, stream: IO[bytes], copy: IO[bytes]) -> None:
    """Copy a stream up to its end. Raises: `TableError` for more than `LONGEST` bytes."""
    while data := stream.read(min(1 << 20, LONGEST + 1 - copy.tell())):
        copy.write(data)
        if copy.tell() > LONGEST:
            what = f"more than {LONGEST:,} bytes, which is all that is read of a stream"
            raise TableError(name, f"{what}; save it as a file, if it has an end, and name that")


def check_directory(typed: str, command: str) -> None:
    """Raise `UsageError` if the argument DIR is a database or a file, with the command that is for it."""
    kind, way = _kind(typed)
    if kind is not None:
        raise UsageError(f"{shown(typed)} is {kind}, and {command} is for directories; {way}")


def check_database(typed: str, command: str) -> None:
    """Raise `UsageError` if the argument DSN is no address, with the command that is for a directory or a file."""
    if not is_address(typed):
        kind, way = _kind(typed)
        if os.path.isdir(typed):
            kind, way = "a directory", "`bookcore verify` checks it, `bookcore copy` copies it"
        where = f"{masked(typed)} is {kind or 'no address'}, and db {command} is for databases"
        raise UsageError(f"{where}; {way or f'write {WAYS}'}")


def check_holder(typed: str) -> None:
    """Raise `UsageError` if an argument is a file that holds no calendar, or a SQLite file."""
    begin = _begin(typed)
    _check_address(typed, begin)
    if begin and not begin.startswith(MAGIC):
        what = "is neither a snapshot nor a directory"
        raise UsageError(f"{masked(typed)} {what}; of a table or a calendar file, `bookcore load --save` makes a snapshot")


def _check_address(typed: str, begin: bytes) -> None:
    """Raise `UsageError` for a SQLite file, by its first bytes."""
    if begin.startswith(_SQLITE):
        raise UsageError(f"{typed} is a SQLite file; if a calendar is in it, write sqlite:///{typed}")


def _kind(typed: str) -> tuple[str | None, str]:
    """Return what a place is that is no directory, and which command reads it; None for one that may be a directory."""
    if is_address(typed):
        way = "`bookcore db check` checks it, `bookcore copy` copies it, with --as-of the state before a damaged record"
        return "a database", way
    begin = _begin(typed)
    if begin.startswith(_SQLITE):
        way = f"if a calendar is in it, `bookcore load sqlite:///{typed}` reads it, and `bookcore db check` checks it"
        return "a SQLite file", way
    if begin.startswith(MAGIC):
        return "a snapshot", "`bookcore load` reads and checks it, `bookcore copy` copies it"
    return ("a file", "`bookcore load` reads tables and snapshots") if os.path.isfile(typed) else (None, "")


def check_target(target: str, source: str) -> Path:
    """Return the path for a snapshot: a new file, or an existing snapshot other than *source*.

    Raises: `UsageError`.
    """
    if not target.strip():
        raise UsageError("--save needs the name of a file, such as bookings.bks")
    if target == STDIN:
        raise UsageError("--save needs the name of a file; a snapshot is not written to the output")
    if is_like_address(target):
        way = "save FILE.bks, then `bookcore copy FILE.bks ADDRESS`"
        raise UsageError(f"--save {masked(target)}: that is a database, and a snapshot is a file; {way}")
    path = Path(target)
    if path.is_dir():
        raise UsageError(f"--save {target}: that is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"--save {target}: there is no folder {path.parent}")
    if not path.exists():
        return path
    if source != STDIN and os.path.exists(source) and path.samefile(source):
        raise UsageError(f"--save {target}: that is the file that is read; name another")
    if not path.is_file() or not _begin(target).startswith(MAGIC):
        raise UsageError(f"--save {target}: that file is there, and no snapshot; name another, or remove it first")
    return path


def _is_stream(typed: str) -> bool:
    if typed in (STDIN, "/dev/stdin"):
        return True
    try:
        mode = os.stat(typed).st_mode
    except (OSError, ValueError):
        return False  # the reader of the file reports the error
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _begin(typed: str) -> bytes:
    """Return the first bytes of a file; none if it cannot be read, which its reader will report."""
    try:
        with open(typed, "rb") as file:
            return file.read(_LOOKED_AT)
    except (OSError, ValueError):
        return b""


def _is_calendar(begin: bytes, file: str | IO[bytes]) -> bool:
    """Tell whether a file is a calendar by its first bytes, also where it is packed by gzip."""
    if begin.startswith(_PACKED):
        with suppress(OSError, EOFError, zlib.error), gzip.open(file) as unpacked:
            begin = unpacked.read(_LOOKED_AT)
    return begin.removeprefix(b"\xef\xbb\xbf").lstrip().upper().startswith(b"BEGIN:VCALENDAR")
