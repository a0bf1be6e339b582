"""What must hold among the parts of a calendar: bookings, holds, closures, hours, keys, and the store.

    who stands      the store's bookings, those by id, and the count of each resource are the same
    who is held     holds are of bookings that stand; each that runs out has its deadline, and deadlines are in order
    what is closed  the closures by number are those of the index; `guarded` says where any of it decides
    what may come   each kind of key that is held is known to the keyring

Proved by looking at everything, for tests; each structure proves its own invariants besides.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bookcore.index.bitmap import from_ordinals
from bookcore.model.keys import normal

if TYPE_CHECKING:
    from bookcore.engine.core import Core

__all__ = ["check_calendar"]


def check_calendar(core: Core) -> None:
    """Raise AssertionError unless all parts agree. The lock is held. O(everything)."""
    for part in (core._store, core._closures, core._catalog, core._events):
        if hasattr(part, "check"):
            part.check()
    _check_bookings(core)
    _check_holds(core)
    _check_guards(core)
    if core._undo is None and core._writing:
        raise AssertionError("somebody is taken to write, and nobody does")
    if core._still is not None and (core._writing or core._deadlines or core._still != core._version):
        raise AssertionError("who reads without the lock is told wrongly whether something changes")
    spans: list[tuple[Any, Any]] = [(event._start, event._end) for event in core._events.values()]
    spans += [(closure.start, closure.end) for closure in core._standing_closures.values()]
    for span in spans:
        for key in span:
            if key is not None and not core._keys.knows(normal(key)):
                raise AssertionError(f"key {key!r} is held, and its kind is not known")


def _check_bookings(core: Core) -> None:
    seen = 0
    for entry in core._by_id.values():
        found = core._store.overlapping(entry, None, None)
        seen += len(found)
        if len(found) != entry.count or any(core._events.get(e._id) is not e for e in found):
            raise AssertionError(f"{entry!r} holds {len(found)} bookings, {entry.count} counted")
    if seen != len(core._events):
        raise AssertionError(f"{seen} bookings in the store, {len(core._events)} by id")
    for event in core._events.values():
        if event._home is not core:
            raise AssertionError(f"{event!r} stands, and does not know where")


def _check_holds(core: Core) -> None:
    ahead = core._deadlines[core._passed :]
    due = {(seq, id) for _, seq, id in ahead}
    for id, until in core._holds.items():
        event = core._events.get(id)
        if event is None:
            raise AssertionError(f"a hold of {id!r}, which does not stand")
        if until is not None and core._clock is not None and (event._seq, id) not in due:
            raise AssertionError(f"{event!r} has no deadline")
    for (one, first, _), (other, second, _) in pairwise(ahead):
        if other < one or (not one < other and second < first):
            raise AssertionError("deadlines out of order")


def _check_guards(core: Core) -> None:
    closures = {id(closure): closure for closure in core._standing_closures.values()}
    keepers: dict[Any, list[int]] = {}
    for entry in core._by_id.values():
        for closure in core._closures_of(entry):
            if closures.pop(id(closure), None) is None:
                raise AssertionError(f"{closure!r} closes, and does not stand")
        if entry.closures is not None and entry.closures.count != len(core._closures_of(entry)):
            raise AssertionError(f"{entry.closures.count} closures counted of {entry!r}")
        if entry.guarded is not (entry.closures is not None or entry.hours is not None):
            raise AssertionError(f"{entry!r} is guarded {entry.guarded}")
        if entry.hours is not None:
            keepers.setdefault(entry.hours, []).append(entry.number)
    if closures:
        raise AssertionError(f"{len(closures)} closures stand, and close nothing")
    kept = {hours: bits.value() for hours, bits in core._hours.items()}
    if kept != {hours: from_ordinals(numbers, core._catalog.size) for hours, numbers in keepers.items()}:
        raise AssertionError("who keeps which opening hours is not what the resources say")
