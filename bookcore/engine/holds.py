"""Holds that run out: no answer knows of them any more from the instant the clock passes, however many they are.

    deadlines    (9:00, 1, "a") (9:00, 4, "d") | (9:05, 2, "b") (9:30, 3, "c")       in order, some of them stale
                                             passed

A hold that runs out is released at once: out of the ids, the count, the status. What the store's indexes hold of it is
another matter: there a few are taken out at once, many fade (`bookcore.stores.memory.tombstones`), and each later call takes
out some. So no call pays for all of them.

While something fades, `Tombstones` stands in the place of the store, and one deadline that names no booking is left in the
list: a list that is not empty is how every call knows that it must come by here first.

Everything here is called with the calendar's lock held.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from bookcore.index.id_table import PARTS, SHIFT
from bookcore.model.change import Released
from bookcore.model.errors import KeyTypeError
from bookcore.model.keys import normal

if TYPE_CHECKING:
    from bookcore.engine.core import Core
    from bookcore.model.records import BookingEvent
    from bookcore.stores.record import ResourceRecord

__all__ = ["expire", "finish", "place_of"]

AT_ONCE = 128
"""How many that fade a call takes out of the store: about a millisecond."""

REMEMBERED = 10_000
"""How many holds that ran out are remembered, at least."""

LAST = PARTS - 1
_MISSING: Any = object()
_by_deadline = itemgetter(0)
_by_seq = itemgetter(1)


def place_of(core: Core, until: Any, seq: int) -> int:
    """Return where among the deadlines one of a booking with this number is to be. O(log holds).

    Raises: `KeyTypeError` when the deadlines cannot be compared.
    """
    deadlines = core._deadlines
    try:
        # among equal deadlines in order of booking, also for what an undone transaction puts back; ids need not compare
        high = bisect_right(deadlines, until, core._passed, key=_by_deadline)
        low = bisect_left(deadlines, until, core._passed, high, key=_by_deadline)
    except Exception as exc:
        raise KeyTypeError(until, f"cannot be compared with other deadlines ({type(exc).__name__})") from exc
    return bisect_right(deadlines, seq, low, high, key=_by_seq)


def expire(core: Core) -> None:
    """Release the holds whose time has come. O(log holds), and O(1) for each.

    Raises: `KeyTypeError` when the clock's instant cannot be compared with the deadlines.
    """
    deadlines, passed, fading = core._deadlines, core._passed, core._fading
    now = core._now()
    try:
        due = not now < deadlines[passed][0]
        last = bisect_right(deadlines, now, passed, key=_by_deadline) if due else passed
    except Exception as exc:
        raise KeyTypeError(now, f"the clock's instant cannot be compared with deadlines ({type(exc).__name__})") from exc
    if not due and not fading:
        return
    core._still = None
    core._writing += 1
    core._version += 1
    try:
        if due:
            _run_out(core, deadlines[passed:last])
            core._passed = last
        if fading and last - passed <= AT_ONCE:
            fading.sweep(AT_ONCE)
    finally:
        _settle(core, now)
        core._writing -= 1


def _run_out(core: Core, rows: Sequence[tuple[Any, int, Hashable]]) -> None:
    """Release the holds of these deadlines. If bookings cannot be taken out of the store, those stay, and this raises."""
    parts, holds, ran_out, fading = core._events.parts, core._holds, core._ran_out, core._fading
    told: list[tuple[ResourceRecord, BookingEvent, Any]] = []
    entries: list[ResourceRecord] = []
    events: list[BookingEvent] = []
    noting = core._noting
    for due, seq, id in rows:  # once through all: each booking lies somewhere else in memory
        until = holds.pop(id, _MISSING)
        if until is _MISSING:  # confirmed, or released
            continue
        part = parts[hash(id) >> SHIFT & LAST]  # `IdTable` written out
        event = part.pop(id)
        if until is not due or event._seq != seq:  # another of the same id (and number, after an undone one)
            holds[id], part[id] = until, event
            continue
        entry: Any
        try:
            entry = event._resource._entry
            if entry.calendar is not core:
                entry = core._entry_of(event)
        except Exception:  # no `Resource`, or the object's own code
            entry = core._entry_of(event)
        entries.append(entry)
        events.append(event)
        ran_out[id] = until
        event._home = None
        entry.count -= 1
        if noting:
            told.append((entry, event, until))
    failed = None
    if fading is None:
        failed = _take_out(core, entries, events)
    else:
        fading.fade(entries, events)
    if len(ran_out) > 2 * REMEMBERED:  # seldom: each time, Python walks past all that was ever dropped
        for id in list(islice(ran_out, len(ran_out) - REMEMBERED)):
            del ran_out[id]
    for entry, event, until in told:
        if event._home is None:
            core._note(partial(core._reinsert, entry, event, True, until), Released(event, True))
    if failed is not None:
        core._reraise(failed, rows[0][0])
        raise failed


def _take_out(core: Core, entries: Sequence[ResourceRecord], events: Sequence[BookingEvent]) -> Exception | None:
    """Take bookings out of a store in which they cannot fade. Those that cannot be stand again; return why."""
    failed: Exception | None = None
    for entry, event in zip(entries, events, strict=True):
        try:
            core._own_store.remove(entry, normal(event._start), normal(event._end), event)
        except Exception as exc:
            failed = exc
            core._events[event._id], core._holds[event._id] = event, core._ran_out.pop(event._id, None)
            event._home = core  # type: ignore[assignment]
            entry.count += 1
    return failed


def _settle(core: Core, now: Any) -> None:
    """Work on what fades, or on the store itself once nothing does; drop the deadlines that have passed."""
    deadlines, passed, fading = core._deadlines, core._passed, core._fading
    if fading:
        if core._store is not fading:
            core._work_on(fading, fading)
    else:
        if core._store is not core._own_store:
            core._work_on(core._own_store, core._own_index)
        core._forget_keys()
    if passed == len(deadlines):
        deadlines.clear()
        core._passed = 0
        if fading:
            deadlines.append((now, 0, None))
    elif 2 * passed > len(deadlines):
        del deadlines[:passed]
        core._passed = 0


def finish(core: Core, most: int | None = None) -> None:
    """Take out of the store all that fades in it, unless that is more than *most*. O(log m) for each."""
    fading = core._fading
    if not fading or (most is not None and len(fading) > most):
        return
    core._still = None
    core._writing += 1
    core._version += 1
    try:
        while fading and fading.sweep(AT_ONCE):
            pass
    finally:
        if not fading:
            core._work_on(core._own_store, core._own_index)
        core._writing -= 1
