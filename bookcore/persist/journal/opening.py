"""`open_calendar`: a calendar from a directory, and `Recorder`, which gives its changes to the journal.

command  ->  block  ->  Recorder.append  ->  Encoder  ->  DirectoryJournal.append        under the lock
Recorder.wait                 ->  DirectoryJournal.wait          after it
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from bookcore.engine.state import CalendarState
from bookcore.model.change import Change
from bookcore.model.errors import QueryError, TransactionError
from bookcore.model.typecheck import plain_text
from bookcore.persist.fs import FileSystem
from bookcore.persist.journal.directory import DirectoryJournal
from bookcore.persist.journal.past import History, PastRecorder, about, open_past, read_history
from bookcore.persist.journal.reading import C, Make, Moment
from bookcore.persist.journal.records import Encoder
from bookcore.persist.journal.recovery import recover
from bookcore.persist.snapshot.classes import handed_in
from bookcore.persist.snapshot.format import path_text
from bookcore.persist.snapshot.gather import read
from bookcore.persist.snapshot.save_load import save, told_as_unwritable

__all__ = ["Recorder", "open_calendar"]

_POLICIES = {"always": True, "never": False}


class Recorder:
    """The journal of one calendar, as its log sees it."""

    __slots__ = ("_encoder", "_known", "_state", "files")

    def __init__(self, state: CalendarState, files: DirectoryJournal, known: dict[str, type]) -> None:
        self._state, self.files, self._known = state, files, known
        self._encoder = Encoder(state, files.folder, known)

    @property
    def position(self) -> int:
        """See `Calendar.position`."""
        return self.files.position

    def history(self, make: Make[Any], what: object, id: object) -> History:
        """See `Calendar.history`."""
        files = self.files
        return read_history(make, files.folder, files.fs, self._known, until=Moment(files.position), wanted=about(what, id))

    def append(self, changes: Sequence[Change]) -> None:
        """Append one record: what is pending, then these changes. The lock is held.

        Raises: `JournalError`; `SnapshotError` for a class or a value that cannot be written.
        """
        log = self._state.log
        with told_as_unwritable(self.files.folder):
            record = self._encoder.encode([*log.pending, *changes])
        if record:
            self.files.append(record)
            log.pending = []  # no call comes before this, so Ctrl-C does not either

    def wait(self) -> None:
        """Wait until all that was appended is on the disk, if that is the policy."""
        self.files.wait()

    def barrier(self) -> None:
        """See `Calendar.barrier`."""
        self._state.gate.run(self.append, ())
        self.files.sync(self.files.position)

    def checkpoint(self) -> None:
        """See `Calendar.checkpoint`."""
        found = self._state.gate.run(self._stand)
        if found is None:
            return
        position, rows = found
        files = self.files
        save(
            self._state, files.snapshot_path(position), fs=files.fs, store_id=files.snapshot_id(position), rows=rows
        )  # fmt: skip
        files.purge(position)

    def _stand(self) -> tuple[int, Any] | None:
        """Return the position and the rows that a snapshot shows; None if there is one already. The lock is held."""
        files = self.files
        files.check_open()
        self._refuse_in_block("checkpoint")
        self.append(())
        if files.position == files.newest:
            return None
        rows = read(self._state, files.folder)
        files.rotate()
        return files.position, rows

    def close(self) -> None:
        """See `Calendar.close`."""
        self._state.gate.run(self._close)

    def _close(self) -> None:
        self._refuse_in_block("close")
        try:
            if self._state.log.pending and self.files.takes_records():
                self.append(())
        finally:
            self.files.close()

    def _refuse_in_block(self, call: str) -> None:
        if self._state.log.changes is not None:
            raise TransactionError(f"a transaction is open, and may yet be undone; end it before {call}")


def open_calendar(
    make: Make[C],
    directory: str | os.PathLike[str],
    *,
    types: Iterable[type] = (),
    bounds: str | None = None,
    create: bool = True,
    sync: str = "always",
    keep: int = 2,
    as_of: object = None,
    fs: FileSystem | None = None,
) -> tuple[C, Recorder | PastRecorder]:
    """See `Calendar.open`. *make* is as for `bookcore.persist.snapshot.load`."""
    folder = path_text(directory)
    known = handed_in(folder, types)
    if bounds is not None and plain_text(bounds) not in ("[)", "[]"):
        raise QueryError(bounds, "bounds are '[)', '[]', or None for those that the calendar has")
    if plain_text(sync) not in _POLICIES:
        raise QueryError(sync, "sync is 'always' (each change waits for the disk) or 'never'")
    if type(create) is not bool:
        raise QueryError(create, "create is True or False")
    if type(keep) is not int or keep < 1:
        raise QueryError(keep, "keep is how many snapshots are kept, at least 1")
    fs = fs or FileSystem()
    if as_of is not None:
        return open_past(make, folder, known, fs, Moment.of(as_of), bounds)
    calendar, state, files = recover(
        make, folder, known, fs, bounds=bounds, create=create, waits=_POLICIES[sync], keep=keep
    )
    recorder = Recorder(state, files, known)
    state.log.attach(recorder)
    return calendar, recorder
