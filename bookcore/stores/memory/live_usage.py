"""How much of a resource with capacity is in use while some rows are hidden: the indexed usage less that of those.

    profile   ...5555|5566|6655|5544...      the indexed usage, cut at its segments
    hidden    ...0011|1122|1122|2211...      the usage of the rows that are hidden
    limit 4     yes  |  ? |  ? | yes         the highest level less the least usage of hidden rows
    live             |4444|5533|             worked out where that is in doubt: no room in the third stretch

The profile says too much, never too little. So a stretch where even that leaves room is passed over, and so is one
where it does less the least hidden usage in it. The others are worked out, stretch by stretch. A short span is one stretch;
a long one mostly costs a look at each segment.

For a few stretches the hidden rows are looked up there, and nothing is kept. Where more are in doubt, all hidden rows of the
resource are summed up, once; the sum follows as the store removes rows (`without`).

Invariant: ``hidden`` holds the numbers of hidden rows; those of this resource are in its index; the sum, once made, is their
usage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bookcore.index.usage_profile import UsageProfile
from bookcore.model.lengths import ahead, back, reach
from bookcore.stores.memory.capacity import CapacityIndex
from bookcore.stores.protocol import Row

__all__ = ["LiveUsage"]

FEW = 8
"""In how many stretches at most the hidden rows are looked up."""


class LiveUsage:
    """The usage of the rows that are not hidden, asked as a `UsageProfile` is while the store does not change.

    Complexity, with k hidden rows: for a short span what they are there, for a long one O(k log k) once; then as
    `UsageProfile`, and O(m) for m steps of both where there is doubt, up to the first answer that is enough.
    """

    __slots__ = ("_find", "_whole", "hidden", "index")

    def __init__(self, index: CapacityIndex, hidden: set[int], find: Callable[[], Iterable[int]]) -> None:
        self.index, self.hidden = index, hidden
        self._find = find  # how to come by the numbers of all hidden rows
        self._whole: UsageProfile | None = None

    def _hidden_usage(self, start: Any, end: Any, stretches: int) -> UsageProfile:
        """Return the usage of the hidden rows, throughout the span at least."""
        if self._whole is not None:
            return self._whole
        record = self.index.record
        if stretches > FEW:
            self._whole = self._sum(map(self.index.row, self._find()))
            return self._whole
        near = self.index.overlapping(back(start, record.after), ahead(end, record.before))
        return self._sum(row for row in near if row[2] in self.hidden)

    def _sum(self, rows: Iterable[Row]) -> UsageProfile:
        """Return the usage of some rows."""
        record = self.index.record
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        starts, ends, _, quantities = map(list, columns)
        if record.before is not None:
            starts = [back(start, record.before) for start in starts]
        if record.after is not None:
            ends = [ahead(end, record.after) for end in ends]
        use = UsageProfile(self.index.closed)
        use.add_columns(starts, ends, quantities)
        return use

    def without(self, row: Row) -> None:
        """Follow the store, which has removed a hidden row. O(log k + segments)."""
        if self._whole is not None:
            self._whole.add(*reach(self.index.record, row[0], row[1]), -row[3])

    def has_room(self, start: Any, end: Any, limit: int) -> bool:
        """See `UsageProfile.has_room`."""
        profile = self.index.profile
        return all(profile.peak_less(hidden, a, b) <= limit for a, b, hidden in self._doubtful(start, end, limit))

    def over(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any]]:
        """See `UsageProfile.over`."""
        held: tuple[Any, Any] | None = None
        for low, high, hidden in self._doubtful(start, end, limit):
            for left, right in self.index.profile.less(hidden, low, high).over(low, high, limit):
                if held is not None and held[1] < left:
                    yield held
                    held = None
                # stretches meet, and so may the runs in them
                held = (left if held is None else held[0]), right
        if held is not None:
            yield held

    def steps(self, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]:
        """See `UsageProfile.steps`."""
        profile = self.index.profile
        hidden = self._hidden_usage(start, end, len(profile.stretches(start, end)))
        return profile.less(hidden, start, end).steps(start, end)

    def _doubtful(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any, UsageProfile]]:
        """Yield ``(start, end, hidden usage)`` for the stretches, in order, in which the level may be over a limit."""
        some = [stretch for stretch in self.index.profile.stretches(start, end) if stretch[2] > limit]
        if some:
            hidden = self._hidden_usage(some[0][0], some[-1][1], len(some))
            for low, high, level in some:
                if level - hidden.lowest(low, high) > limit:
                    yield low, high, hidden

    def check(self, rows: Sequence[Row]) -> None:
        """Raise AssertionError unless this is the usage of the rows given, which are those not hidden. O(m log m)."""
        record, use = self.index.record, UsageProfile(self.index.closed)
        use.add_all((*reach(record, start, end), quantity) for start, end, _, quantity in rows)
        mine, theirs = (list(one.steps(None, None)) for one in (self, use))
        same = len(mine) == len(theirs) and all(
            one[2] == two[2] and (one[0] is two[0] or not (one[0] < two[0] or two[0] < one[0]))
            for one, two in zip(mine, theirs, strict=True)
        )
        if not same:
            raise AssertionError(f"{record!r} is said to be in use as {mine}, which is {theirs}")
