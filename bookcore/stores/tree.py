"""`TreeStore`: an interval tree for each resource, simple and correct for every type of key.

    bookings      [9, 12) a    [10, 14) b    [9, 12) c
    edges           9    10    12    14          an edge for each place where a span begins or ends
    rank            0    40    60    80          ascending, with room between
    tree          [9, 12): a, c   [10, 14): b    a node for each distinct span, with its bookings in order

`intervaltree` hashes its boundaries and compares them with all of ``< <= > >= ==``, but a user's key may support only
``<``. So the tree contains edges, which compare by rank. A user's key is compared in one place only, the bisect that finds
its edge, before anything changes. There is one edge for each place, so equal edges are identical.

A place is a key and a side. Closed spans begin at side 0 of a key and end at side 1, so that ``[3, 3]`` has a length
and ``[1, 3]`` overlaps ``[3, 5]``. Half-open spans begin and end at side 0.

A node represents a span and not a booking, because `intervaltree` hashes intervals by their ends alone: a thousand bookings
of the same span would be a thousand collisions.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter, itemgetter
from typing import Any

from intervaltree import Interval, IntervalTree

from bookcore.model.errors import StoreError, brief_key
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord
from bookcore.stores.sizes import Sizes, check_sizes

_key = attrgetter("key")
_rank_of = attrgetter("rank")
_seq = itemgetter(2)


class _Edge:
    """One place on the axis of one resource. Hash and equality are identity; order is by rank."""

    __slots__ = ("key", "rank", "side", "uses")

    def __init__(self, key: Any, side: int, rank: float) -> None:
        self.key, self.side = key, side
        self.rank = rank  # an int, but for the two unbounded edges
        self.uses = 0

    def __lt__(self, other: _Edge) -> bool:
        return self.rank < other.rank

    def __le__(self, other: _Edge) -> bool:
        return self.rank <= other.rank

    def __gt__(self, other: _Edge) -> bool:
        return self.rank > other.rank

    def __ge__(self, other: _Edge) -> bool:
        return self.rank >= other.rank

    def __repr__(self) -> str:
        return f"<{brief_key(self.key)}.{self.side} at {self.rank}>"


_BEGINNING = _Edge("-inf", 0, float("-inf"))
_ENDING = _Edge("+inf", 1, float("inf"))


class _Axis:
    """The edges of one resource, in order."""

    __slots__ = ("edges", "spacing", "tree")

    def __init__(self, tree: IntervalTree, spacing: int) -> None:
        self.edges: list[_Edge] = []
        self.tree = tree
        # The distance between the ranks of new edges. An edge between two others halves the distance there; after some forty
        # edges, each between the two before it, no room is left, and all edges of the resource get new ranks.
        self.spacing = spacing

    def seek(self, key: Any, side: int) -> tuple[int, bool]:
        """Return the position of a place, and whether there is an edge for it. The only code that compares keys."""
        edges = self.edges
        at = bisect_left(edges, key, key=_key)
        while at < len(edges) and not key < edges[at].key:  # at most two edges share a key
            if edges[at].side >= side:
                return at, edges[at].side == side
            at += 1
        return at, False

    def make(self, at: int, key: Any, side: int) -> _Edge:
        """Insert a new edge at a position. O(edges), a move of memory."""
        edges = self.edges
        edge = _Edge(key, side, self._rank(at))
        edges.insert(at, edge)
        return edge

    def _rank(self, at: int) -> float:
        edges = self.edges
        if not edges:
            return 0
        if at == len(edges):
            return edges[-1].rank + self.spacing
        if at == 0:
            return edges[0].rank - self.spacing
        if edges[at].rank - edges[at - 1].rank < 4:
            self._number_anew()
        return (edges[at - 1].rank + edges[at].rank) // 2

    def _number_anew(self) -> None:
        """Give all edges new ranks, in the same order, so that the tree stays valid. O(m log m)."""
        known = set(self.edges)
        waiting = [self.tree.top_node]
        while waiting:  # the center of a node may be an edge that is not in `edges` any more
            node = waiting.pop()
            if node:
                known.add(node.x_center)
                waiting += (node.left_node, node.right_node)
        number, last = 0, None
        for edge in sorted(known - {_BEGINNING, _ENDING}, key=_rank_of):
            number += edge.rank != last
            last, edge.rank = edge.rank, number * self.spacing

    def probe(self, key: Any, side: int) -> _Edge:
        """Return an edge for a lookup: the edge of the place, or a temporary one with a rank in between."""
        at, exists = self.seek(key, side)
        if exists:
            return self.edges[at]
        if at < len(self.edges):
            return _Edge(key, side, self.edges[at].rank - 1)
        return _Edge(key, side, self.edges[-1].rank + 1 if self.edges else 0)


class _Branch:
    """The bookings of one resource."""

    __slots__ = ("axis", "end_side", "nodes", "rows", "tree")

    def __init__(self, closed: bool, spacing: int) -> None:
        self.end_side = 1 if closed else 0
        self.tree = IntervalTree()
        self.axis = _Axis(self.tree, spacing)
        self.nodes: dict[tuple[_Edge, _Edge], Interval] = {}
        self.rows: dict[int, Row] = {}

    def put(self, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Add a booking. O(log m), and a move of memory."""
        axis, side = self.axis, self.end_side
        low = (0, True) if start is None else axis.seek(start, 0)
        high = (0, True) if end is None else axis.seek(end, side)
        # Nothing below compares keys. The end comes first: inserting its edge does not change the position of the start.
        if end is None:
            last = _ENDING
        else:
            last = axis.edges[high[0]] if high[1] else axis.make(high[0], end, side)
        if start is None:
            first = _BEGINNING
        else:
            first = axis.edges[low[0]] if low[1] else axis.make(low[0], start, 0)
        node = self.nodes.get((first, last))
        if node is None:
            node = self.nodes[first, last] = Interval(first, last, [])
            self.tree.add(node)
            first.uses += first is not _BEGINNING
            last.uses += last is not _ENDING
        row = self.rows[seq] = start, end, seq, quantity
        insort(node.data, row, key=_seq)

    def remove(self, start: Any, end: Any, seq: int) -> bool:
        """Remove a booking; return False if it is not over this span. O(log m), and a move of memory."""
        axis = self.axis
        low = (0, True) if start is None else axis.seek(start, 0)
        high = (0, True) if end is None else axis.seek(end, self.end_side)
        if not (low[1] and high[1]):
            return False
        first = _BEGINNING if start is None else axis.edges[low[0]]
        last = _ENDING if end is None else axis.edges[high[0]]
        node = self.nodes.get((first, last))
        if node is None or seq not in map(_seq, node.data):
            return False
        node.data[:] = [row for row in node.data if row[2] != seq]
        del self.rows[seq]
        if not node.data:
            del self.nodes[first, last]
            self.tree.remove(node)
            for at, edge in ((high[0], last), (low[0], first)):  # the later edge first: the position of the other stays
                if edge is not _BEGINNING and edge is not _ENDING:
                    edge.uses -= 1
                    if not edge.uses:
                        del axis.edges[at]
        return True

    def overlapping(self, start: Any, end: Any) -> list[Row]:
        """Return the bookings that overlap the span, by start, then in order of booking."""
        first = _BEGINNING if start is None else self.axis.probe(start, 0)
        last = _ENDING if end is None else self.axis.probe(end, self.end_side)
        # not `overlaps`, which reads the whole table of boundaries
        nodes: Iterable[Interval]
        nodes = self.tree.overlap(first, last) if first < last else self.tree.at(first)
        ranked = [(node.begin.rank, row[2], row) for node in nodes for row in node.data]
        ranked.sort(key=lambda ranked_row: ranked_row[:2])
        return [row for _, _, row in ranked]

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(m log m)."""
        self.tree.verify()
        if set(self.nodes.values()) != self.tree.items():
            raise AssertionError("nodes and tree differ")
        edges = self.axis.edges
        for edge, following in pairwise(edges):
            rising = edge.key < following.key or (not following.key < edge.key and edge.side < following.side)
            if not rising or following.rank - edge.rank < 2:
                raise AssertionError(f"edge {edge!r} before {following!r}")
        uses = dict.fromkeys(edges, 0)
        for pair, node in self.nodes.items():
            for edge in pair:
                if edge in uses:
                    uses[edge] += 1
                elif edge is not _BEGINNING and edge is not _ENDING:
                    raise AssertionError(f"edge {edge!r} is on no axis")
            seqs = list(map(_seq, node.data))
            if not seqs or seqs != sorted(seqs):
                raise AssertionError(f"the bookings from {pair[0]!r} to {pair[1]!r} are out of order, or none")
        if any(edge.uses != count for edge, count in uses.items()):
            raise AssertionError("edges miscounted")


class TreeStore:
    """Bookings in one interval tree for each resource (package `intervaltree`).

    For few bookings that overlap a lot, and as an independent implementation to compare `MemoryStore` with in tests. A
    search for available resources checks each resource. Not thread-safe: used under the calendar's lock.

    >>> from bookcore import Calendar, Resource
    >>> calendar = Calendar(TreeStore())
    >>> room = calendar.add_resource(Resource("room"))
    >>> stay = calendar.book(room, 9, 12)
    >>> calendar.is_available(room, 11, 13), calendar.is_available(room, 12, 13)
    (False, True)
    """

    def __init__(self, sizes: Sizes | None = None) -> None:
        self.sizes = check_sizes(sizes)
        self._closed: bool | None = None
        self._branches: dict[int, _Branch] = {}
        self.begun = False

    def bind(self, closed: bool) -> None:
        """Attach the store to one calendar. Raises: `StoreError` if it is attached already."""
        if self._closed is not None:
            raise StoreError(self, "already serves a calendar; give each calendar a store of its own")
        self._closed = closed

    def add_resource(self, record: ResourceRecord) -> None:
        """Add a resource. O(1)."""
        record.state = self._branches[record.number] = _Branch(bool(self._closed), self.sizes.spacing)

    def remove_resource(self, record: ResourceRecord) -> None:
        """Remove a resource, which has no bookings. O(1)."""
        del self._branches[record.number]
        record.state = None

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """See `SupportsRenumbering`. O(n)."""
        self._branches = {numbers[number]: branch for number, branch in self._branches.items()}

    def put(self, record: ResourceRecord, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Add a row. O(log m) in the tree, and a move of the resource's edges in memory."""
        self.begun = True  # if a comparison fails, the calendar calls `repair`
        record.state.put(start, end, seq, quantity)

    def remove(self, record: ResourceRecord, start: Any, end: Any, seq: int) -> None:
        """Remove a row. Raises: `StoreError` when there is no such row over this span. Complexity: as `put`."""
        self.begun = True
        if not record.state.remove(start, end, seq):
            raise StoreError(self, f"booking {seq} is not held over this span")

    def repair(self, records: Sequence[ResourceRecord], keeps: Callable[[ResourceRecord, int], bool]) -> None:
        """See `SupportsRepair.repair`. O(m log m)."""
        branches: dict[int, _Branch] = {}
        for record in records:
            branch = branches[record.number] = _Branch(bool(self._closed), self.sizes.spacing)
            for row in list(record.state.rows.values()) if record.state is not None else ():
                if keeps(record, row[2]):
                    branch.put(*row)
        # only now, because a comparison may have failed
        self._branches = branches
        for record in records:
            record.state = branches[record.number]

    def row(self, record: ResourceRecord, seq: int) -> Row:
        """Return the row with this number. O(1)."""
        row: Row = record.state.rows[seq]
        return row

    def overlapping(self, record: ResourceRecord, start: Any, end: Any) -> list[Row]:
        """Return the rows that overlap the span, by start, then by number. O(edges in the span x log m)."""
        rows: list[Row] = record.state.overlapping(start, end)
        return rows

    def check(self) -> None:
        """Raise AssertionError unless every invariant holds. O(m log m)."""
        for branch in self._branches.values():
            branch.check()
