"""Many bookings into schedules and timeline at once: sort once, sweep once.

    rows        (entry, start, end, event), columns in any order
    by start    one sort; where keys repeat, a sort of the distinct ones and a pass of appends
    schedules   each resource's rows in that order, neighbours compared once
    timeline    starts in order, ends in order: `Timeline.rebuild`

Everything is built aside and only then put in place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter, lt
from typing import Any

from bookcore.catalog import Entry
from bookcore.keys import HIGHEST, LOWEST
from bookcore.model import BookingEvent
from bookcore.schedule import SPLIT, LongSchedule, Schedule, make_schedule
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
            held = entry.state.edges
            if held[0] is LOWEST or held[-1] is HIGHEST:
                return False
            entries += [entry] * (len(held) >> 1)
            starts += held[::2]
            ends += held[1::2]
            events += entry.state.events
        known: Any = entries, starts, ends, events
        entries, starts, ends, events = (old + list(new) for old, new in zip(known, added, strict=True))
    numbers = list(map(attrgetter("number"), entries))
    size = max(numbers) + 1
    ranks = _ranks(starts, ends)
    order = _order(starts, ranks)
    by_start, in_order = _column(starts, order), _column(numbers, order)
    # Stable: rows of one resource stay in order of time. Sorting and slicing run in C; appending each row to a list
    # of its resource's took twice as long.
    grouped = sorted(order, key=numbers.__getitem__)
    edges: list[Any] = [None] * (2 * len(grouped))
    edges[::2], edges[1::2] = _column(starts, grouped), _column(ends, grouped)
    in_groups = _column(events, grouped)
    built: list[tuple[Entry, Any]] = []
    low = 0
    for entry, count in Counter(map(entries.__getitem__, grouped)).items():  # which keeps the order of first sight
        high = low + count
        schedule = _schedule(closed, edges[2 * low : 2 * high], in_groups[low:high])
        if schedule is None:
            return False
        built.append((entry, schedule))
        low = high
    by_end = _order(ends, ranks)
    timeline.rebuild(
        max(size, timeline.size), (by_start, in_order), (_column(ends, by_end), _column(numbers, by_end)), ()
    )
    for entry, schedule in built:
        entry.state = entry.free = schedule
    return True


def _column(values: Sequence[Any], order: list[int]) -> list[Any]:
    """Return *values* in the order of these positions."""
    return list(map(values.__getitem__, order))


def _ranks(starts: Sequence[Any], ends: Sequence[Any]) -> dict[Any, int] | None:
    """Return the rank of each distinct key, if keys repeat enough to sort them by rank; None if they do not."""
    sample = 1000
    try:
        if len(starts) > sample and len(set(starts[:sample])) > sample * 9 // 10 and len(set(starts)) > len(starts) // 2:
            return None
        keys = set(starts)
        keys.update(ends)
    except TypeError:  # keys need not be hashable
        return None
    if len(keys) > len(starts) // 2:
        return None
    return {key: rank for rank, key in enumerate(sorted(keys))}


def _order(keys: Sequence[Any], ranks: dict[Any, int] | None) -> list[int]:
    """Return the positions of *keys* in ascending order."""
    if ranks is None:
        return sorted(range(len(keys)), key=keys.__getitem__)
    buckets: list[list[int]] = [[] for _ in ranks]
    for at, rank in enumerate(map(ranks.__getitem__, keys)):
        buckets[rank].append(at)
    return list(chain.from_iterable(buckets))


def _schedule(closed: bool, edges: list[Any], events: list[BookingEvent]) -> Any:
    """Return the schedule of one resource, its rows in order of start, or None if two of them overlap."""
    if closed:
        if not all(map(lt, edges[1::2], edges[2::2])):
            return None
    elif any(map(lt, edges[2::2], edges[1::2])):
        return None
    schedule: Schedule = make_schedule(closed)
    schedule.edges, schedule.events = edges, events
    return LongSchedule(schedule) if len(events) > SPLIT else schedule
