"""All that a `MemoryStore` knows of one exclusive resource: a schedule that keeps its place on the timeline.

    resource ----.
      _lane      |    lane                         timeline
      _free --.  '-->   number  3                    bit 3, start and end, in the blocks they fall into
              |         events  [one, two]
              '------>  edges   (1, 3, 4, 7)

A claim asks the edges, puts the span on the timeline, and makes the edges anew; a removal goes the other way. In both
every comparison comes before the first change. While nothing but its bookings decides for it, the resource itself holds
its lane and what answers for it (`ResourceRecord.publish`): asking about a random one of 100,000 resources is waiting for memory,
and that is the shortest way to the keys.

Past `SPLIT` bookings a `ChunkedIntervals` takes over (``long``), until few are left.

Invariants: the schedule's own; ``edges`` and ``events`` are empty while ``long`` is not None; what is on the timeline
for ``number`` are these spans; ``holder`` is None or holds this lane and its `answer`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import compress
from operator import attrgetter
from typing import Any

from bookcore.index import disjoint_intervals as schedule
from bookcore.index.disjoint_intervals import ChunkedIntervals, ClosedDisjointIntervals, DisjointIntervals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.model.keys import HIGHEST, LOWEST
from bookcore.model.records import BookingEvent, Resource

__all__ = ["ClosedExclusiveIndex", "ExclusiveIndex", "fill_all"]

_slots: Any = Resource  # a type checker sees in a slot what it holds, not the descriptor
_show = _slots._free.__set__  # past any `__setattr__` of the resource's class
_schedule: Any = DisjointIntervals
_put_edges, _put_events = _schedule.edges.__set__, _schedule.events.__set__
_long_of, _holder_of = attrgetter("long"), attrgetter("holder")


class ExclusiveIndex(DisjointIntervals):
    """The bookings of one exclusive resource, half-open."""

    __slots__ = ("holder", "long", "number", "standing", "timeline")

    def __init__(self, number: int, timeline: OccupancyIndex) -> None:
        super().__init__()
        self.number = number
        self.timeline = timeline
        self.long: ChunkedIntervals | None = None
        self.holder: Any = None
        self.standing = 0  # bookings that stand, for the calendar's own count: what fades is still here

    @property
    def answer(self) -> Any:
        """What answers for one unit: the edges themselves, or an object with ``is_free(start, end)``."""
        if self.long is not None:
            return self.long
        edges = self.edges
        # who asks the edges relies on it that a key of another kind cannot be compared with them: one must be a key
        return self if len(edges) == 2 and edges[0] is LOWEST and edges[1] is HIGHEST else edges

    def parts(self) -> list[DisjointIntervals]:
        """Return the schedules this consists of, in order."""
        return [self] if self.long is None else self.long.parts

    def is_free(self, start: Any, end: Any) -> bool:
        """Tell whether no booking overlaps the span. O(log m)."""
        if self.long is not None:
            return self.long.is_free(start, end)
        if start is None or end is None:
            return super().is_free(start, end)
        edges = self.edges  # `DisjointIntervals.is_free` written out: a search for the first few asks dozens of lanes
        at = bisect_left(edges, end)
        return not at or (not at & 1 and not start < edges[at - 1])

    def overlapping(self, start: Any, end: Any) -> list[BookingEvent]:
        """Return the bookings that overlap the span, in order, as a new list. O(log m + answers)."""
        return super().overlapping(start, end) if self.long is None else self.long.overlapping(start, end)

    def claim(self, start: Any, end: Any, event: BookingEvent) -> bool:
        """Hold the booking here and on the timeline, or return False. O(log m + SPLIT + blocks crossed)."""
        if start is None or end is None or self.long is not None:
            return self.claim_anyhow(start, end, event)
        # `DisjointIntervals.claim` written out, in an order that lets both indexes share their keys and needs nothing undone:
        # the timeline makes the last comparison that can fail
        edges = self.edges
        at = bisect_left(edges, end)
        if at and (at & 1 or start < edges[at - 1]):
            return False
        self.edges = edges = edges[:at] + self.timeline.add(self.number, start, end) + edges[at:]
        events = self.events
        events.insert(at >> 1, event)
        if self.holder is not None:
            _show(self.holder, edges)
        if len(events) > schedule.SPLIT:
            self.fill(edges, events)
        return True

    def claim_anyhow(self, start: Any, end: Any, event: BookingEvent) -> bool:
        """`claim` for every case: a bound open, either kind of bounds, many bookings."""
        kept: Any = super() if self.long is None else self.long
        if not kept.claim(start, end, event):
            return False
        try:
            self.timeline.add(self.number, start, end)
        except BaseException:  # a comparison of the user's keys failed: nothing may stay
            kept.take_back(event)
            raise
        if len(self.events) > schedule.SPLIT:
            self.fill(self.edges, self.events)
        self.show()
        return True

    def remove(self, start: Any, end: Any) -> None:
        """Let go of the booking of exactly this span, here and on the timeline. O(log m + SPLIT + blocks crossed)."""
        kept: Any = self if self.long is None else self.long
        place = kept.find(start, end)
        if start is not None and end is not None:
            start, end = kept.span(place)  # in the timeline's own keys: it knows them by identity
        self.timeline.remove(self.number, start, end, *kept.around(place))
        kept.take(place)
        if self.long is not None and self.long.count <= schedule.SPLIT // 4:
            self.fill(self.long.edges, self.long.events)
        else:
            self.show()

    def fill(self, edges: Any, events: list[BookingEvent]) -> None:
        """Replace all bookings by these, whose edges are known to be in order. The timeline is the caller's. O(m)."""
        many = len(events) > schedule.SPLIT
        self.long = ChunkedIntervals(self.closed, edges, events) if many else None
        self.edges, self.events = ((), []) if many else (tuple(edges), events)
        self.show()

    def show(self) -> None:
        """Let the resource that holds the answer have the present one."""
        if self.holder is not None:
            _show(self.holder, self.answer)

    def rows(self) -> tuple[list[Any], list[BookingEvent]]:
        """Return all edges and all bookings, in order, as new lists. O(m)."""
        if self.long is not None:
            return self.long.edges, self.long.events
        return list(self.edges), list(self.events)

    @property
    def bounded(self) -> bool:
        """Whether no booking is unbounded. O(1)."""
        parts = [part.edges for part in self.parts() if part.edges]
        return not parts or (parts[0][0] is not LOWEST and parts[-1][-1] is not HIGHEST)

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m)."""
        super().check()
        if self.long is not None:
            self.long.check()
            if self.edges or self.events or not self.long.count:
                raise AssertionError("a long lane with edges of its own, or with no bookings")
        if len(self.events) > schedule.SPLIT:
            raise AssertionError(f"{len(self.events)} bookings in one piece")
        if self.holder is not None and (self.holder._lane is not self or self.holder._free is not self.answer):
            raise AssertionError(f"{self.holder!r} holds another answer")


def fill_all(lanes: Sequence[ExclusiveIndex], edges: Sequence[tuple[Any, ...]], events: Sequence[list[BookingEvent]]) -> None:
    """Replace the bookings of many lanes, as `ExclusiveIndex.fill` does for one. O(bookings), in C where all of them are short."""
    if max(map(len, events), default=0) > schedule.SPLIT or any(map(_long_of, lanes)):
        for lane, span, part in zip(lanes, edges, events, strict=True):
            lane.fill(span, part)
        return
    deque(map(_put_edges, lanes, edges), maxlen=0)
    deque(map(_put_events, lanes, events), maxlen=0)
    if lanes and not lanes[0].closed:  # a closed lane shows itself
        holders = list(map(_holder_of, lanes))
        shown = edges
        held = [holder is not None for holder in holders]  # `None in holders` would call code of the resources' class
        if not all(held):
            holders, shown = list(compress(holders, held)), list(compress(edges, held))
        deque(map(_show, holders, shown), maxlen=0)


class ClosedExclusiveIndex(ExclusiveIndex, ClosedDisjointIntervals):
    """The bookings of one exclusive resource, where the end belongs to the span."""

    __slots__ = ()

    @property
    def answer(self) -> Any:
        """An object with ``is_free(start, end)``."""
        return self if self.long is None else self.long

    def is_free(self, start: Any, end: Any) -> bool:
        """Tell whether no booking overlaps the span. O(log m)."""
        return ClosedDisjointIntervals.is_free(self, start, end) if self.long is None else self.long.is_free(start, end)

    def claim(self, start: Any, end: Any, event: BookingEvent) -> bool:
        """Hold the booking here and on the timeline, or return False. O(log m + SPLIT + blocks crossed)."""
        return self.claim_anyhow(start, end, event)
