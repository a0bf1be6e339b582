"""How much of a pool is in use while some of its bookings have faded: what lies there, less what faded.

    profile   ...5555|5566|6655|5544...      what lies there, cut at its segments
    faded     ...0011|1122|1122|2211...      what of it has let go
    limit 4     yes  |  ? |  ? | yes         the highest level there less the least that faded
    net              |4444|5533|             worked out where that is in doubt: no room in the third stretch

What the profile says is too much, never too little. So a stretch where even that leaves room is passed over, and so is one
where it does less the least that faded in it. The others are worked out, stretch by stretch. A short span is one stretch;
a long one mostly costs a look at each segment.

For a few stretches the bookings that faded are looked up there, and nothing is kept. Where more are in doubt, all that
faded is summed up, once; that follows as the store takes it out (`without`).

Invariant: ``gone`` holds, by identity, what faded in the store, so also what did in the pool, all of which is in it; the
sum, once made, is its use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, repeat
from operator import attrgetter
from typing import Any

from bookcore.index.usage_profile import UsageProfile
from bookcore.model.keys import normal
from bookcore.model.lengths import ahead, back, reach
from bookcore.model.records import BookingEvent
from bookcore.stores.memory.capacity import CapacityIndex

__all__ = ["LiveUsage"]

_start_of, _end_of, _quantity_of = attrgetter("_start"), attrgetter("_end"), attrgetter("_quantity")

FEW = 8
"""In how many stretches at most the bookings that faded are looked up."""


class LiveUsage:
    """A pool's use without what has faded; asked as a `UsageProfile` is, and to be asked while the store does not change.

    Complexity, with k bookings that faded: for a short span what they are there, for a long one O(k log k) once; then as
    `UsageProfile`, and O(m) for m steps of both where there is doubt, up to the first answer that is enough.
    """

    __slots__ = ("_find", "_whole", "gone", "pool")

    def __init__(self, pool: CapacityIndex, gone: set[int], find: Callable[[], Iterable[BookingEvent]]) -> None:
        self.pool, self.gone = pool, gone
        self._find = find  # how to come by all that faded
        self._whole: UsageProfile | None = None

    def _faded(self, start: Any, end: Any, stretches: int) -> UsageProfile:
        """Return what that which faded uses, throughout the span at least."""
        if self._whole is not None:
            return self._whole
        entry = self.pool.entry
        if stretches > FEW:
            self._whole = self._sum(self._find())
            return self._whole
        return self._sum(self._in(back(start, entry.after), ahead(end, entry.before)))

    def _in(self, start: Any, end: Any) -> list[BookingEvent]:
        """Return what faded and overlaps a span."""
        found = self.pool.overlapping(start, end)
        return list(compress(found, map(self.gone.__contains__, map(id, found))))

    def _sum(self, events: Iterable[BookingEvent]) -> UsageProfile:
        """Return what some bookings use."""
        entry, found = self.pool.entry, list(events)
        starts, ends = map(normal, map(_start_of, found)), map(normal, map(_end_of, found))
        if not (entry.before is None and entry.after is None):
            starts, ends = map(back, starts, repeat(entry.before)), map(ahead, ends, repeat(entry.after))
        use = UsageProfile(self.pool.closed)
        use.add_columns(list(starts), list(ends), list(map(_quantity_of, found)))
        return use

    def without(self, event: BookingEvent) -> None:
        """Follow the store, which has taken out what faded. O(log k + segments)."""
        if self._whole is not None:
            self._whole.add(*reach(self.pool.entry, normal(event._start), normal(event._end)), -event._quantity)

    def has_room(self, start: Any, end: Any, limit: int) -> bool:
        """See `UsageProfile.has_room`."""
        profile = self.pool.profile
        return all(profile.peak_less(faded, a, b) <= limit for a, b, faded in self._doubtful(start, end, limit))

    def over(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any]]:
        """See `UsageProfile.over`."""
        held: tuple[Any, Any] | None = None
        for low, high, faded in self._doubtful(start, end, limit):
            for left, right in self.pool.profile.less(faded, low, high).over(low, high, limit):
                if held is not None and held[1] < left:
                    yield held
                    held = None
                # stretches meet, and so may what is over in them
                held = (left if held is None else held[0]), right
        if held is not None:
            yield held

    def steps(self, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]:
        """See `UsageProfile.steps`."""
        profile = self.pool.profile
        return profile.less(self._faded(start, end, len(profile.stretches(start, end))), start, end).steps(start, end)

    def _doubtful(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any, UsageProfile]]:
        """Yield ``(start, end, what faded)`` for the stretches, in order, in which the level may be over a limit."""
        some = [stretch for stretch in self.pool.profile.stretches(start, end) if stretch[2] > limit]
        if some:
            faded = self._faded(some[0][0], some[-1][1], len(some))
            for low, high, level in some:
                if level - faded.lowest(low, high) > limit:
                    yield low, high, faded

    def check(self, standing: Sequence[BookingEvent]) -> None:
        """Raise AssertionError unless this is the use of the bookings that stand. O(m log m)."""
        entry, use = self.pool.entry, UsageProfile(self.pool.closed)
        use.add_all((*reach(entry, normal(e._start), normal(e._end)), e._quantity) for e in standing)
        mine, theirs = (list(one.steps(None, None)) for one in (self, use))
        same = len(mine) == len(theirs) and all(
            one[2] == two[2] and (one[0] is two[0] or not (one[0] < two[0] or two[0] < one[0]))
            for one, two in zip(mine, theirs, strict=True)
        )
        if not same:
            raise AssertionError(f"{entry!r} is said to be in use as {mine}, which is {theirs}")
