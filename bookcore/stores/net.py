"""How much of a pool is in use while some of its bookings have faded: found for the span asked about, never built.

    profile   ...5555|5566|6655|5544...      what lies there, cut at its segments
    faded            |    |1122|2211         of what has let go, as far as it overlaps a stretch that is asked about
    limit 5     yes  |  ? |  ? |  ?
    net              |5566|5533|3333         profile less faded: no room in the second stretch alone

What the profile says is too much, never too little. So a stretch where even that leaves room is passed over; in the
others the bookings that faded are looked up, one more stretch each time twice as long as the one before. Where
the highest level less the least that faded leaves room, that is enough; only where it does not is the stretch worked
out step by step. A short span is one stretch; a long one mostly costs a look at each segment.

Invariant: ``gone`` holds, by identity, those bookings of the pool that have faded.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from bookcore.errors import KeyTypeError
from bookcore.keys import normal
from bookcore.lengths import later, reach, sooner
from bookcore.profile import Profile
from bookcore.stores.pool import Pool

__all__ = ["Net"]


class Net:
    """A pool's use without what has faded; asked as a `Profile` is, and to be asked while the store does not change.

    Complexity, with k bookings and m steps within the span asked about: O(log m + k + m), of which steps are counted
    only where there is doubt, and nothing is read past the first answer that is enough.
    """

    __slots__ = ("gone", "pool")

    def __init__(self, pool: Pool, gone: Set[int]) -> None:
        self.pool, self.gone = pool, gone

    def has_room(self, start: Any, end: Any, limit: int) -> bool:
        """See `Profile.has_room`."""
        return all(net.has_room(low, high, limit) for low, high, net in self._doubtful(start, end, limit))

    def over(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any]]:
        """See `Profile.over`."""
        held: tuple[Any, Any] | None = None
        for low, high, net in self._doubtful(start, end, limit):
            for left, right in net.over(low, high, limit):
                if held is not None and held[1] < left:
                    yield held
                    held = None
                # stretches meet, and so may what is over in them
                held = (left if held is None else held[0]), right
        if held is not None:
            yield held

    def steps(self, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]:
        """See `Profile.steps`."""
        return self.pool.profile.less(self._faded(start, end), start, end).steps(start, end)

    def _doubtful(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any, Profile]]:
        """Yield ``(start, end, net profile)`` for stretches in which the level may be over a limit, in order."""
        profile = self.pool.profile
        stretches = profile.stretches(start, end)
        at, width = 0, 1
        while at < len(stretches):
            some = [stretch for stretch in stretches[at : at + width] if stretch[2] > limit]
            at, width = at + width, 2 * width
            if not some:
                continue
            faded = self._faded(some[0][0], some[-1][1])
            for low, high, level in some:
                if level - faded.lowest(low, high) > limit:
                    yield low, high, profile.less(faded, low, high)

    def _faded(self, start: Any, end: Any) -> Profile:
        """Return what that which faded used in the span."""
        entry, gone = self.pool.entry, self.gone
        try:
            near = sooner(start, entry.after), later(end, entry.before)
        except KeyTypeError:  # there are no keys so far out: look at all
            near = None, None
        found = [event for event in self.pool.overlapping(*near) if id(event) in gone]
        spans = [(normal(event._start), normal(event._end)) for event in found]
        if not (entry.before is None and entry.after is None):
            spans = [reach(entry, low, high) for low, high in spans]
        faded = Profile(self.pool.closed)
        faded.add_all((low, high, event._quantity) for (low, high), event in zip(spans, found, strict=True))
        return faded
