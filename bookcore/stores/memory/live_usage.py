"""The usage of a resource with capacity while some of its rows are hidden: the indexed usage minus that of the hidden rows.

    profile   ...5555|5566|6655|5544...      the indexed usage, divided at its chunks
    hidden    ...0011|1122|1122|2211...      the usage of the hidden rows
    limit 4     yes  |  ? |  ? | yes         from the peak of the profile and the least usage of hidden rows
    live             |4444|5533|             computed for the stretches in doubt: no room in the third stretch

The profile is never lower than the live usage. A stretch is within the limit if its peak is, or if its peak minus the least
hidden usage in it is. Only for other stretches the live usage is computed. A short span is one stretch; for a long span,
mostly one comparison for each chunk is needed.

For a few stretches in doubt, the hidden rows are looked up there, and nothing is kept. For more, the usage of all hidden
rows of the resource is summed up once; the sum is updated as the store removes rows (`without`).

Invariant: ``hidden`` contains the numbers of hidden rows; those of this resource are in its index; the sum, once computed,
is their usage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bookcore.index.usage_profile import UsageProfile
from bookcore.model.lengths import ahead, back, reach
from bookcore.stores.memory.capacity import CapacityIndex
from bookcore.stores.protocol import Row

FEW = 8
"""Up to this number of stretches in doubt, the hidden rows are looked up there, and not summed up."""


class LiveUsage:
    """The usage of the rows that are not hidden, with the questions of a `UsageProfile`.

    Complexity, with k hidden rows: for a short span O(rows there), for a long span O(k log k) once. Then as `UsageProfile`,
    and O(m) for m steps of both usages in the stretches in doubt.
    """

    __slots__ = ("_find", "_whole", "hidden", "index")

    def __init__(self, index: CapacityIndex, hidden: set[int], find: Callable[[], Iterable[int]]) -> None:
        self.index, self.hidden = index, hidden
        self._find = find  # returns the numbers of all hidden rows of the resource
        self._whole: UsageProfile | None = None  # the sum of all hidden rows

    def _hidden_usage(self, start: Any, end: Any, stretches: int) -> UsageProfile:
        """Return the usage of the hidden rows, at least within the span."""
        if self._whole is not None:
            return self._whole
        record = self.index.record
        if stretches > FEW:
            self._whole = self._sum(map(self.index.row, self._find()))
            return self._whole
        near = self.index.overlapping(back(start, record.after), ahead(end, record.before))
        return self._sum(row for row in near if row[2] in self.hidden)

    def _sum(self, rows: Iterable[Row]) -> UsageProfile:
        """Return the usage of rows, buffers included."""
        record = self.index.record
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        starts, ends, _, quantities = map(list, columns)
        if record.before is not None:
            starts = [back(start, record.before) for start in starts]
        if record.after is not None:
            ends = [ahead(end, record.after) for end in ends]
        usage = UsageProfile(self.index.closed)
        usage.add_columns(starts, ends, quantities)
        return usage

    def without(self, row: Row) -> None:
        """Note that the store has removed a hidden row. O(log k + steps)."""
        if self._whole is not None:
            self._whole.add(*reach(self.index.record, row[0], row[1]), -row[3])

    def has_room(self, start: Any, end: Any, limit: int) -> bool:
        """See `UsageProfile.has_room`."""
        profile = self.index.profile
        return all(profile.peak_less(hidden, a, b) <= limit for a, b, hidden in self._doubtful(start, end, limit))

    def over(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any]]:
        """See `UsageProfile.over`."""
        run: tuple[Any, Any] | None = None
        for low, high, hidden in self._doubtful(start, end, limit):
            for left, right in self.index.profile.less(hidden, low, high).over(low, high, limit):
                if run is not None and run[1] < left:
                    yield run
                    run = None
                # neighbouring stretches meet, and so may the runs in them
                run = (left if run is None else run[0]), right
        if run is not None:
            yield run

    def steps(self, start: Any, end: Any) -> Iterator[tuple[Any, Any, int]]:
        """See `UsageProfile.steps`."""
        profile = self.index.profile
        hidden = self._hidden_usage(start, end, len(profile.stretches(start, end)))
        return profile.less(hidden, start, end).steps(start, end)

    def _doubtful(self, start: Any, end: Any, limit: int) -> Iterator[tuple[Any, Any, UsageProfile]]:
        """Yield ``(start, end, hidden usage)`` for the stretches, in order, in which the live usage may exceed a limit."""
        stretches = [stretch for stretch in self.index.profile.stretches(start, end) if stretch[2] > limit]
        if stretches:
            hidden = self._hidden_usage(stretches[0][0], stretches[-1][1], len(stretches))
            for low, high, peak in stretches:
                if peak - hidden.lowest(low, high) > limit:
                    yield low, high, hidden

    def check(self, rows: Sequence[Row]) -> None:
        """Raise AssertionError unless this is the usage of *rows*, which are those not hidden. O(m log m)."""
        record, usage = self.index.record, UsageProfile(self.index.closed)
        usage.add_all((*reach(record, start, end), quantity) for start, end, _, quantity in rows)
        steps, expected = list(self.steps(None, None)), list(usage.steps(None, None))
        same = len(steps) == len(expected) and all(
            used == right and (start is key or not (start < key or key < start))
            for (start, _, used), (key, _, right) in zip(steps, expected, strict=True)
        )
        if not same:
            raise AssertionError(f"the live usage of {record!r} is not that of its rows")
