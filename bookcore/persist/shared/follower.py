"""`Follower`: the thread that applies the changes of other processes to a shared calendar.

It does not keep the calendar alive, and ends when the calendar is closed or collected.

Each command reads the new records, so the thread does not while commands are called (`SharedRecorder.fresh_for`); the first
command ends its wait. It rests for longer than it has worked: on a busy machine it reads many records at a time.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from time import monotonic
from typing import Any
from weakref import ref

from bookcore.model.errors import BookcoreError
from bookcore.persist.journal.errors import JournalError
from bookcore.persist.shared.seam import SharedJournal, something_came

LOOKING = 0.5
"""How many seconds pass at most until it looks whether the calendar is there still."""
RESTS = 9
"""For how many times as long as it has worked it rests, after it has brought something."""
PAUSES = 0.05, 2.0
"""The first and the longest pause, in seconds, after an error."""
_ENDING = 1.0


class Follower:
    """Follows for one recorder."""

    def __init__(self, recorder: Any, name: str) -> None:
        """Start the thread. *name* is that of the journal in errors. Raises: `JournalError` if that is impossible."""
        self._ended = threading.Lock()  # released to end it; no `Event`, which Ctrl-C in `set` could leave locked
        self._ended.acquire()
        self._thread = threading.Thread(
            target=_follow, args=(ref(recorder), recorder.journal, self._ended), name="bookcore follower", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError as exc:
            way = "let the program have more threads, or say follow=False"
            raise JournalError(name, f"there can be no thread that follows it ({exc}); {way}") from exc

    def is_here(self) -> bool:
        """Tell whether the caller runs in the thread of this follower."""
        return self._thread is threading.current_thread()

    def join(self) -> None:
        """Wait until the thread has ended, for a short time at most: a subscriber that it calls may wait for the caller."""
        try:
            self._ended.release()
        except RuntimeError:  # `join` was called before
            pass
        if not self.is_here():
            self._thread.join(_ENDING)


def _follow(recorder_there: Any, journal: SharedJournal, ended: threading.Lock) -> None:
    pause, longest = PAUSES
    rest, is_reported, came = 0.0, False, True
    while ended.locked():
        recorder = recorder_there()
        if recorder is None:
            journal.close()
            return
        if came:  # without news it stays subscribed to notifications
            rest = max(rest, recorder.fresh_for())
        place = recorder.place
        del recorder  # while this waits, the calendar may be collected
        if rest:
            if ended.acquire(timeout=rest):
                ended.release()
            rest = 0.0
            continue
        try:
            came, begun = something_came(partial(journal.wait, place, LOOKING, again=True)), monotonic()
            recorder = recorder_there()
            if recorder is not None and recorder.is_open():
                if came:
                    recorder.catch_up()
                    rest = min(LOOKING, RESTS * (monotonic() - begun))
                recorder.end_lost_block()
                recorder.checkpoint_if_due()
            recorder = None
            pause, is_reported = PAUSES[0], False
        except Exception as exc:
            recorder = None
            if not ended.locked():
                return
            if not is_reported:  # questions are answered from memory, and commands tell what is wrong
                trace = None if isinstance(exc, BookcoreError) else exc
                logging.getLogger("bookcore").warning(
                    "a shared calendar does not follow, and tries again until it does: %s", exc, exc_info=trace
                )
                is_reported = True
            if ended.acquire(timeout=pause):
                ended.release()
            pause = min(2 * pause, longest)
