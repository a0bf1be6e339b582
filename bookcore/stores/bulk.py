"""Many bookings into schedules and timeline at once: sort once, sweep once.

    rows        (entry, start, end, event), columns in any order
    by key      where keys repeat, the distinct ones sorted and the ordinals collected under them; else one sort
    schedules   the rows of each resource collected, then sorted by start, neighbours compared once
    timeline    starts in order, ends in order: `Timeline.rebuild`

Everything is built aside and only then put in place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, repeat
from operator import attrgetter, lt
from typing import Any

from bookcore.catalog import Entry
from bookcore.column import SHARED
from bookcore.model import BookingEvent
from bookcore.timeline import Timeline

__all__ = ["load"]

REBUILD = 4
"""A load goes in one piece when what stands already is at most this many times as much: past that, sorting all of it
anew costs more than inserting (5 us a booking against 1 to 2)."""


def load(
    timeline: Timeline,
    closed: bool,
    standing: Sequence[Entry],
    entries: Sequence[Entry],
    starts: Sequence[Any],
    ends: Sequence[Any],
    events: Sequence[BookingEvent],
) -> bool:
    """Put the rows into the schedules of their entries and the timeline; False, with nothing changed, if not all fit.

    *standing* are the entries with bookings already, all of them plain. Complexity: O(k log k) for k rows in all.
    """
    if len(timeline) > REBUILD * len(events):
        return False
    if standing:
        added: Any = entries, starts, ends, events
        entries, starts, ends, events = [], [], [], []
        for entry in standing:
            edges, held = entry.state.rows()
            if not entry.state.bounded:
                return False
            entries += [entry] * len(held)
            starts += edges[::2]
            ends += edges[1::2]
            events += held
        known: Any = entries, starts, ends, events
        entries, starts, ends, events = (old + list(new) for old, new in zip(known, added, strict=True))
    numbers = list(map(attrgetter("number"), entries))
    size = max(numbers) + 1
    shared = _shared(starts, ends)
    if shared is not None:
        starts, ends = list(map(shared.__getitem__, starts)), list(map(shared.__getitem__, ends))
    built: list[tuple[Entry, list[Any], list[BookingEvent]]] = []
    for rows in _groups(numbers, size):
        edges = _edges(closed, rows, starts, ends)
        if edges is None:
            return False
        built.append((entries[rows[0]], edges, list(map(events.__getitem__, rows))))
    in_order = _in_order(starts, numbers, shared), _in_order(ends, numbers, shared)
    timeline.rebuild(max(size, timeline.size), *in_order, (), shared)
    for entry, edges, held in built:
        entry.state.fill(edges, held)
    return True


def _groups(numbers: Sequence[int], size: int) -> list[list[int]]:
    """Return the positions of each number, in ascending order, for each number that there is."""
    groups: list[list[int]] = [[] for _ in range(size)]
    deque(map(list.append, map(groups.__getitem__, numbers), range(len(numbers))), maxlen=0)  # a loop in C
    return [group for group in groups if group]


def _in_order(
    keys: Sequence[Any], numbers: Sequence[int], shared: dict[Any, Any] | None
) -> tuple[list[Any], list[int]]:
    """Return the keys in ascending order and the number of each."""
    if shared is None:
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return list(map(keys.__getitem__, order)), list(map(numbers.__getitem__, order))
    bins: dict[Any, list[int]] = {key: [] for key in shared.values()}
    deque(map(list.append, map(bins.__getitem__, keys), numbers), maxlen=0)
    found = chain.from_iterable(map(repeat, bins.keys(), map(len, bins.values())))
    return list(found), list(chain.from_iterable(bins.values()))


def _shared(starts: Sequence[Any], ends: Sequence[Any]) -> dict[Any, Any] | None:
    """Return, in ascending order, one object for each distinct key, if keys repeat enough; None if they do not.

    The index then holds few objects, and a question finds them in the processor's cache: half of what one about a
    random resource costs. Only keys of one type, and one whose equals look equal as well (1 and 1.0 do not).
    """
    kinds = set(map(type, starts))
    kinds.update(map(type, ends))
    if not kinds <= SHARED or len(kinds) > 1:
        return None
    sample = 1000
    if len(starts) > sample and len(set(starts[:sample])) > sample * 9 // 10 and len(set(starts)) > len(starts) // 2:
        return None
    keys = set(starts)
    keys.update(ends)
    if len(keys) > len(starts) // 2:
        return None
    ordered = sorted(keys)
    if kinds == {datetime}:
        # new ones, side by side: those given lie wherever their bookings were made
        return {key: key.replace() for key in ordered}
    return dict(zip(ordered, ordered, strict=True))


def _edges(closed: bool, rows: list[int], starts: Sequence[Any], ends: Sequence[Any]) -> list[Any] | None:
    """Put the positions of one resource's rows in order of start and return its edges, or None if two rows overlap."""
    if len(rows) > 1:
        rows.sort(key=starts.__getitem__)
    edges: list[Any] = [None] * (2 * len(rows))
    edges[::2], edges[1::2] = map(starts.__getitem__, rows), map(ends.__getitem__, rows)
    if closed:
        return edges if all(map(lt, edges[1::2], edges[2::2])) else None
    return None if any(map(lt, edges[2::2], edges[1::2])) else edges
