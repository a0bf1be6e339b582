"""The peers that are index structures: three C libraries, sorted arrays, interval trees, two sorted maps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any

from benchmarks.peers import _Integers, _Keyed, _module

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Dataset

__all__ = ["IntervalTrees", "Ncls", "OneIntervalTree", "RoaringBitmaps", "SortedArrays", "SuperIntervals", "TwoSortedMaps"]


class Ncls(_Integers):
    """NCLS, a nested containment list in C over NumPy arrays: built once, never changed."""

    name = "NCLS"
    does = frozenset({"count", "list"})

    def __init__(self) -> None:
        self.numpy, self.ncls = _module("numpy"), _module("ncls")

    def load(self, data: Dataset) -> None:
        """Take in the whole data set, index and all."""
        numpy = self.numpy
        ordinal, start, end = (
            numpy.frombuffer(column, dtype=numpy.int64)
            for column in (data.rows.ordinal, data.rows.start, data.rows.end)
        )
        # the payload is the resource, so that hits mark resources without a second look-up
        self.index = self.ncls.NCLS(start.copy(), end.copy(), ordinal.copy())
        self.every = numpy.arange(data.resources)
        self.one = numpy.zeros(1, dtype=numpy.int64)
        self.size = data.resources

    def _booked(self, start: int, end: int) -> Any:
        numpy = self.numpy
        a, b = numpy.array([start], dtype=numpy.int64), numpy.array([end], dtype=numpy.int64)
        _, hits = self.index.all_overlaps_both(a, b, self.one)
        mark = numpy.zeros(self.size, dtype=bool)
        mark[hits] = True
        return mark

    def count_available(self, start: int, end: int) -> int:
        """Count the resources that are free."""
        return self.size - int(self.numpy.count_nonzero(self._booked(start, end)))

    def list_available(self, start: int, end: int) -> list[int]:
        """List the resources that are free."""
        found: list[int] = self.every[~self._booked(start, end)].tolist()
        return found


class SuperIntervals(_Integers):
    """superintervals, a C++ superset index: built once, never changed. Its ends are inclusive."""

    name = "superintervals"
    does = frozenset({"count", "list"})

    def __init__(self) -> None:
        self.numpy, self.superintervals = _module("numpy"), _module("superintervals")

    def load(self, data: Dataset) -> None:
        """Take in the whole data set, index and all."""
        numpy = self.numpy
        start = numpy.array(data.rows.start, dtype=numpy.int32)
        end = numpy.array(data.rows.end, dtype=numpy.int32) - numpy.int32(1)
        self.index = self.superintervals.IntervalMap.from_arrays(start, end, data.rows.ordinal.tolist())
        self.every = range(data.resources)
        self.size = data.resources

    def count_available(self, start: int, end: int) -> int:
        """Count the resources that are free."""
        return self.size - len(set(self.index.search_values(start, end - 1)))

    def list_available(self, start: int, end: int) -> list[int]:
        """List the resources that are free."""
        booked = set(self.index.search_values(start, end - 1))
        return [ordinal for ordinal in self.every if ordinal not in booked]


class RoaringBitmaps(_Integers):
    """pyroaring, compressed bitmaps in C: for each hour the resources booked in it, and those whose booking starts there.

    A question is one union: the resources booked in its first hour, and those whose booking starts in a later one. "Hour"
    is any instant at which a booking starts or ends. Built once here: a new booking has to change a bitmap for each hour.
    """

    name = "pyroaring"
    does = frozenset({"count", "list"})

    def __init__(self) -> None:
        self.bitmap = _module("pyroaring").BitMap

    def load(self, data: Dataset) -> None:
        """Take in the whole data set, index and all."""
        starts: dict[int, list[int]] = {}
        ends: dict[int, list[int]] = {}
        for ordinal, start, end in data.rows:
            starts.setdefault(start, []).append(ordinal)
            ends.setdefault(end, []).append(ordinal)
        self.hours = sorted({*starts, *ends})
        self.started = [self.bitmap(starts.get(hour, ())) for hour in self.hours]
        self.booked = []
        now = self.bitmap()
        for hour, started in zip(self.hours, self.started, strict=True):
            now = (now - self.bitmap(ends.get(hour, ()))) | started
            self.booked.append(now)
        self.every = self.bitmap(range(data.resources))

    def _booked(self, start: int, end: int) -> Any:
        first, stop = bisect_right(self.hours, start), bisect_left(self.hours, end)
        before = self.booked[first - 1 : first] if first else []
        return self.bitmap.union(self.bitmap(), *before, *self.started[first:stop])

    def count_available(self, start: int, end: int) -> int:
        """Count the resources that are free."""
        return len(self.every) - len(self._booked(start, end))

    def list_available(self, start: int, end: int) -> list[int]:
        """List the resources that are free."""
        return list(self.every - self._booked(start, end))


class SortedArrays(_Integers):
    """Starts and ends, each sorted with its resources, in NumPy: ``searchsorted``, then a mark for each resource found.

    Booked are the resources with a start inside the window, with an end inside it, or with a booking across all of it. The
    third kind exists only where the longest booking is longer than the window; its start is then at most the longest
    booking before the window's end.
    """

    name = "sorted NumPy arrays"
    does = frozenset({"count", "list"})

    def __init__(self) -> None:
        self.numpy = _module("numpy")

    def load(self, data: Dataset) -> None:
        """Take in the whole data set, index and all."""
        numpy = self.numpy
        ordinal, start, end = (
            numpy.frombuffer(column, dtype=numpy.int64)
            for column in (data.rows.ordinal, data.rows.start, data.rows.end)
        )
        by_start, by_end = start.argsort(kind="stable"), end.argsort(kind="stable")
        self.starts, self.ordinals_by_start, self.end_of = start[by_start], ordinal[by_start], end[by_start]
        self.ends, self.ordinals_by_end = end[by_end], ordinal[by_end]
        self.longest = int((end - start).max())
        self.size = data.resources

    def _free(self, start: int, end: int) -> Any:
        numpy, starts, ends = self.numpy, self.starts, self.ends
        free = numpy.ones(self.size, dtype=bool)
        first, stop = starts.searchsorted((start, end))
        free[self.ordinals_by_start[first:stop]] = False
        low, high = ends.searchsorted((start, end), "right")
        free[self.ordinals_by_end[low:high]] = False
        if self.longest > end - start:
            early = starts.searchsorted(end - self.longest)
            across = self.end_of[early:first] > end
            free[self.ordinals_by_start[early:first][across]] = False
        return free

    def count_available(self, start: int, end: int) -> int:
        """Count the resources that are free."""
        return int(self.numpy.count_nonzero(self._free(start, end)))

    def list_available(self, start: int, end: int) -> list[int]:
        """List the resources that are free."""
        found: list[int] = self.numpy.flatnonzero(self._free(start, end)).tolist()
        return found


class IntervalTrees(_Keyed):
    """intervaltree, one tree a resource, for questions about one resource and for booking.

    At most ``only`` resources get their tree, to keep building short; smaller than ours, so never to its
    disadvantage.
    """

    name = "intervaltree"
    does = frozenset({"is_available", "book", "remove"})
    only = 100_000

    def __init__(self) -> None:
        self.intervaltree = _module("intervaltree")
        self.trees: dict[int, Any] = {}

    def load(self, data: Dataset) -> None:
        """Take in the whole data set, index and all."""
        self.key = data.key
        key, interval = data.key, self.intervaltree.Interval
        spans: dict[int, list[Any]] = {ordinal: [] for ordinal in range(min(data.resources, self.only))}
        for ordinal, start, end in data.rows:
            if ordinal in spans:
                spans[ordinal].append(interval(key(start), key(end), ordinal))
        self.trees = {ordinal: self.intervaltree.IntervalTree(found) for ordinal, found in spans.items()}

    def is_available(self, ordinal: int, start: Any, end: Any) -> bool:
        """Tell whether one is free."""
        return not self.trees[ordinal].overlap(start, end)

    def book(self, ordinal: int, start: Any, end: Any) -> Any:
        """Check and insert; None if it is taken."""
        tree = self.trees[ordinal]
        if tree.overlap(start, end):
            return None
        interval = self.intervaltree.Interval(start, end, ordinal)
        tree.add(interval)
        return interval

    def remove(self, interval: Any) -> None:
        """Take a booking out."""
        self.trees[interval.data].remove(interval)


class OneIntervalTree(_Keyed):
    """intervaltree, one tree over all bookings, for the question across resources."""

    name = "intervaltree, one tree"
    does = frozenset({"count", "list"})

    def __init__(self) -> None:
        self.intervaltree = _module("intervaltree")
        self.size = 0

    def load(self, data: Dataset) -> None:
        """Take in the whole data set, index and all."""
        self.key, self.size = data.key, data.resources
        key, interval = data.key, self.intervaltree.Interval
        self.tree = self.intervaltree.IntervalTree(
            interval(key(start), key(end), ordinal) for ordinal, start, end in data.rows
        )

    def count_available(self, start: Any, end: Any) -> int:
        """Count the resources that are free."""
        return self.size - len({found.data for found in self.tree.overlap(start, end)})

    def list_available(self, start: Any, end: Any) -> list[int]:
        """List the resources that are free."""
        booked = {found.data for found in self.tree.overlap(start, end)}
        return [ordinal for ordinal in range(self.size) if ordinal not in booked]


class TwoSortedMaps(_Keyed):
    """Two ``SortedDict``: all starts before the end, met with all ends after the start."""

    name = "two sorted maps"
    does = frozenset({"count", "list"})

    def __init__(self) -> None:
        self.new: Callable[..., Any] = _module("sortedcontainers").SortedDict
        self.size = 0

    def load(self, data: Dataset) -> None:
        """Take in the whole data set, index and all."""
        self.key, self.size = data.key, data.resources
        starts: dict[Any, set[int]] = {}
        ends: dict[Any, set[int]] = {}
        for number, (_, start, end) in enumerate(data.rows):
            starts.setdefault(start, set()).add(number)
            ends.setdefault(end, set()).add(number)
        self.starts = self.new((data.key(point), numbers) for point, numbers in starts.items())
        self.ends = self.new((data.key(point), numbers) for point, numbers in ends.items())
        self.ordinal = data.rows.ordinal.tolist()

    def _booked(self, start: Any, end: Any) -> set[int]:
        starts, ends, ordinal = self.starts, self.ends, self.ordinal
        begun: set[int] = set().union(
            *(starts[at] for at in starts.irange(None, end, inclusive=(True, False)))
        )
        unended: set[int] = set().union(
            *(ends[at] for at in ends.irange(start, None, inclusive=(False, True)))
        )
        return {ordinal[number] for number in begun & unended}

    def count_available(self, start: Any, end: Any) -> int:
        """Count the resources that are free."""
        return self.size - len(self._booked(start, end))

    def list_available(self, start: Any, end: Any) -> list[int]:
        """List the resources that are free."""
        booked = self._booked(start, end)
        return [ordinal for ordinal in range(self.size) if ordinal not in booked]
