"""Which ordinals are busy when: their disjoint spans, indexed for all ordinals at once.

    heads                c1            c2            c3
    chunks        0     |      1      |      2      |      3         cut at keys that occurred, of any ordered type
    spans       r0  s---|-------------|--e          |                active across c1 and c2
                r1      |   s--e      |       s-----|---e            active across c3
    starts        [s0]  |   [s1]      |      [s1]   |                keys with ordinals
    ends                |      [e1]   |  [e0]       |  [e1]
    start_bits     r0   |    r1       |       r1    |
    delta_bits     r0   |             |   r0  r1    |   r1           active at one edge of the chunk and not at the other
    groups        `-- checkpoint: 0 --'`-- checkpoint: r0 --'        active at the left edge of a group of chunks

A chunk holds the starts and the ends that lie in it, each with its ordinal, and two bitmaps over the ordinals. A
checkpoint holds the ordinals active, that is busy across the left edge, for the first of every ``stride`` chunks or so;
the deltas of the chunks between lead from there to any other edge.
Which ordinals are busy in [a, b)? With c the first head at or after a, and d the last head at or before b:

    ends in (a, c]  |  active at c  |  start_bits of the chunks of [c, d)      |  starts in [d, b)
    scanned            one int         one int a group, or a chunk, OR in C       scanned

so the work is one OR for each group and a scan of at most one chunk at either edge, whatever the number of ordinals.
When no head falls into [a, b), the entries of the one chunk tell which ordinals are busy at a: spans of one ordinal are
disjoint, so its starts and ends alternate, and toggling its bit in the active ones once for each entry up to a leaves
exactly those that are busy at a.

A chunk that grows past the limit is cut at a key near its middle. Where all its starts (or ends) share one key it cannot
be, and need not: they become one bitmap. A chunk that has become nearly empty is joined to a neighbour.

Where keys repeat, each has a posting (see `bookcore.index.column`), found by the key in ``opens`` or ``closes``: an
addition at such keys compares nothing, and touches the ends of two arrays and of two lists.

Invariants. Spans of one ordinal are disjoint. Half-open: a start in chunk j has c[j] <= start < c[j+1], an end
c[j] < end <= c[j+1], and active is start < c < end. Closed bounds swap the sides: c[j] < start <= c[j+1],
c[j] <= end < c[j+1], active is start <= c <= end. An unbounded start is active in chunk 0, whose left edge is minus
infinity, and has no entry in ``starts``; an unbounded end has no entry in ``ends``. The groups' chunks, in order, are
``chunks``; no group is empty or has more than 2 x stride of them; ``groups[i].at == i``. ``opens`` and ``closes`` hold each
posting of starts, and of ends, by its key if that is of a type in `SHARED`, and no others; a posting's ``chunk`` is the
one that it is in. Every comparison of keys that may fail comes before the first change.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import accumulate, pairwise
from math import isqrt
from operator import itemgetter
from typing import Any

from bookcore.index.bitmap import from_ordinals
from bookcore.index.chunk import Chunk, Group, clear_bit, flip_bit, marked, toggled
from bookcore.index.column import SHARED, Column, side_of, step_of
from bookcore.index.posting_list import Posting, PostingBitmap, PostingList

__all__ = ["OccupancyIndex"]

UNUSED = 2048
"""How many keys of spans that are gone may be left in ``shared``."""

_first = itemgetter(0)


class OccupancyIndex:
    """The disjoint busy spans of many ordinals, answering for all of them at once.

    The sizes are arguments for tests, which want small structures, and for measurements; None is the default of the class.
    ``smallest`` is the least limit of a chunk, ``tail`` how many of its entries may be pending, ``stride`` how many chunks a
    group is made with, ``leaf`` how many entries a bag holds, ``often`` how many ordinals a key needs in a bag to be given
    a posting, ``near`` how many heads past its start the end of a span is looked for before it is looked for everywhere.

    Complexity, with m spans in chunks of B: `add` O(log m + groups spanned), with a cut, O(B), once in B / 2
    additions; at keys that repeat it compares nothing. `remove` O(log m + leaf + groups spanned). `busy` O(log m + B +
    groups in the window), of which a group costs one OR at machine speed.

    >>> from bookcore.index.bitmap import ordinals
    >>> index = OccupancyIndex()
    >>> index.add(0, 9, 12), index.add(3, 10, 11)
    ((9, 12), (10, 11))
    >>> list(ordinals(index.busy(11, 13)))
    [0]
    """

    SMALLEST = 64  # below it the objects of a chunk outweigh what it holds
    TAIL = 64  # what a question may find pending in each chunk that it reads
    STRIDE = 8  # more: more deltas to combine in a question; fewer: more checkpoints to mark in an addition
    LEAF = 128  # what a question may have to compare one by one at either edge
    OFTEN = 8  # a posting costs some two hundred bytes, an entry in a bag sixteen
    NEAR = 8

    __slots__ = (
        "begun", "chunks", "closed", "closes", "count", "end_search", "groups", "heads", "leaf", "limit", "near", "often",
        "opens", "search", "shared", "size", "smallest", "step", "stride", "tail",
    )  # fmt: skip

    def __init__(
        self,
        closed: bool = False,
        *,
        smallest: int | None = None,
        tail: int | None = None,
        stride: int | None = None,
        leaf: int | None = None,
        often: int | None = None,
        near: int | None = None,
    ) -> None:
        self.closed = closed
        # on which side of an equal head, and of an equal separator, a start falls, and an end
        self.search, self.end_search = (bisect_left, bisect_right) if closed else (bisect_right, bisect_left)
        self.smallest = self.SMALLEST if smallest is None else smallest
        self.tail = self.TAIL if tail is None else tail
        self.stride = self.STRIDE if stride is None else stride
        self.leaf = self.LEAF if leaf is None else leaf
        self.step = step_of(self.leaf)
        self.often = self.OFTEN if often is None else often
        self.near = self.NEAR if near is None else near
        self.opens: dict[Any, Posting] = {}
        self.closes: dict[Any, Posting] = {}
        self.shared: dict[Any, Any] | None = {}  # one object for each key, as long as keys repeat
        self.begun = False  # set by the first step of a change that changes something; the owner sets it back
        self.count = 0
        self.size = 0  # ordinals are below this
        self.limit = self.smallest
        self.heads: list[Any] = []
        self.chunks: list[Chunk] = []
        self.groups: list[Group] = []
        self._append(0, self._column(not closed), self._column(closed))

    def __len__(self) -> int:
        return self.count

    # -- changes -----------------------------------------------------------------------------------

    def add(self, number: int, start: Any, end: Any) -> tuple[Any, Any]:
        """Mark *number* busy in the span, which must not overlap another of its spans; None: unbounded.

        Returns the span in keys of the index: where an equal key of the same type is known to it, that very object, so that
        a caller who keeps the span as well keeps few objects, and the next question finds them in the cache.

        Every comparison of keys comes before the first change. Complexity: see the class.
        """
        opening = closing = None
        kind = type(start)
        if kind in SHARED and type(end) is kind:
            opening, closing = self.opens.get(start), self.closes.get(end)
        if opening is not None and closing is not None:  # nothing is compared, and next to nothing touched
            self.begun = True
            opening.append(number)
            closing.append(number)
            chunk, end_chunk, start, end = opening.chunk, closing.chunk, opening.key, closing.key
        elif start is None or end is None:
            return self._add_unbounded(number, start, end)
        else:
            heads, chunks = self.heads, self.chunks
            side = end_side = first = 0
            if opening is None:
                search = self.search
                first = search(heads, start)
                chunk = chunks[first]
                starts = chunk.starts
                at = search(starts.separators, start)
                leaf = starts.leaves[at]
                if type(leaf) is not list:
                    side = side_of(leaf, start)
            else:
                leaf, chunk = opening, opening.chunk
            if closing is None:
                search = self.end_search
                near = first + self.near  # most spans are short: a few heads are looked at before all of them
                if first and near < len(heads):
                    last = search(heads, end, first, near)
                    if last == near:
                        last = search(heads, end, near)
                else:
                    last = search(heads, end, first)
                end_chunk = chunks[last]
                ends = end_chunk.ends
                end_at = search(ends.separators, end)
                end_leaf = ends.leaves[end_at]
                if type(end_leaf) is not list:
                    end_side = side_of(end_leaf, end)
            else:
                end_leaf, end_chunk = closing, closing.chunk
            # nothing below compares keys but to part a bag, which may fail without harm
            self.begun = True
            shared = self.shared
            if shared is not None and kind in SHARED and type(end) is kind:
                start, end = shared.setdefault(start, start), shared.setdefault(end, end)
            if type(leaf) is list:
                leaf += (start, number)
                if not len(leaf) % self.step:
                    self._register(starts.part(at), chunk, self.opens)
            elif side:
                self._register(starts.insert(at, side, start, number), chunk, self.opens)
            else:
                leaf.append(number)
            if type(end_leaf) is list:
                end_leaf += (end, number)
                if not len(end_leaf) % self.step:
                    self._register(ends.part(end_at), end_chunk, self.closes)
            elif end_side:
                self._register(ends.insert(end_at, end_side, end, number), end_chunk, self.closes)
            else:
                end_leaf.append(number)
        pending, end_pending = chunk.pending, end_chunk.pending
        pending.append(number)
        end_pending.append(~number)
        self.count += 1
        if number >= self.size:
            self.size = number + 1
        group, end_group = chunk.group, end_chunk.group
        group.start_int = None
        if group is not end_group:
            for each in self.groups[group.at + 1 : end_group.at + 1]:
                each.set_active(number)
        if len(end_pending) > end_chunk.patience:
            self._absorb(end_chunk)
        if len(pending) > chunk.patience:
            self._absorb(chunk)
        return start, end

    def _add_unbounded(self, number: int, start: Any, end: Any) -> tuple[Any, Any]:
        """`add` of a span that has no start, or no end, or neither."""
        first, last = self._locate(start, end)
        column, at, side = None, 0, 0
        if start is not None:
            chunk, name, key = self.chunks[first], "starts", start
        else:
            chunk, name, key = self.chunks[last], "ends", end
        if key is not None:
            column = getattr(chunk, name)
            at = column.leaf_of(key)
            leaf = column.leaves[at]
            side = 0 if type(leaf) is list else side_of(leaf, key)
        # nothing below compares keys
        self.begun = True
        self.count += 1
        self.size = max(self.size, number + 1)
        for group in self.groups[chunk.group.at + 1 :] if start is not None else self.groups[: chunk.group.at + 1]:
            group.set_active(number)
        if column is not None:
            self._register(column.insert(at, side, key, number), chunk, self._known(name))
            chunk.pending.append(number if start is not None else ~number)
            chunk.group.start_int = None
            if len(chunk.pending) > chunk.patience:
                self._absorb(chunk)
        return start, end

    def _locate(self, start: Any, end: Any) -> tuple[int, int]:
        """Return the chunk of the start and the chunk of the end; -1 and the last where unbounded."""
        heads = self.heads
        first = self.search(heads, start) if start is not None else -1
        return first, self.end_search(heads, end) if end is not None else len(heads)

    def remove(self, number: int, start: Any, end: Any, previous: Any, following: Any) -> None:
        """Remove a span that was added before. Complexity: see the class.

        *previous* and *following* are the starts of the ordinal's neighbouring spans, None where there is none: they tell
        whether the ordinal still has a start in the chunk.
        """
        first, last = self._locate(start, end)
        chunks = self.chunks
        starts = ends = None
        others = False
        if start is not None:
            chunk = chunks[first]
            chunk.absorb()  # an entry removed here must not be pending there
            starts = chunk.starts
            at = starts.leaf_of(start)
            place = starts.find(at, start, number)
            others = (previous is not None and self._is_in(first, previous, True)) or (
                following is not None and self._is_in(first, following, False)
            )
        if end is not None:
            end_chunk = chunks[last]
            end_chunk.absorb()
            ends = end_chunk.ends
            end_at = ends.leaf_of(end)
            end_place = ends.find(end_at, end, number)
        # nothing below compares keys
        self.begun = True
        self.count -= 1
        if starts is not None:
            if not others:
                clear_bit(chunk.start_bits, number)
                chunk.start_int = chunk.group.start_int = None
            self._unregister(starts.delete(at, place, number), self.opens)
            flip_bit(chunk.delta_bits, number)
            chunk.delta_int = None
        if ends is not None:
            self._unregister(ends.delete(end_at, end_place, number), self.closes)
            flip_bit(end_chunk.delta_bits, number)
            end_chunk.delta_int = None
        begin = chunks[first].group.at + 1 if start is not None else 0
        for group in self.groups[begin : chunks[last].group.at + 1]:
            group.set_inactive(number)
        if self.shared is not None and len(self.shared) > 2 * self.count + UNUSED:
            self.shared = {}  # most of these keys belong to spans that are gone
        if len(chunks) > 1:
            least = self.limit >> 3
            for near in (last, first):
                if near >= 0 and chunks[near].starts.count + chunks[near].ends.count < least:
                    self._merge_around(near)
                    break  # positions moved; the other chunk gets its turn at a later removal

    def _is_in(self, at: int, start: Any, before: bool) -> bool:
        """Tell whether *start*, known to lie before (or after) a start in chunk *at*, lies in that chunk too."""
        if before:
            if not at:
                return True
            head = self.heads[at - 1]
            return bool(head < start) if self.closed else not start < head
        if at == len(self.heads):
            return True
        head = self.heads[at]
        return not head < start if self.closed else bool(start < head)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it; these are 0, 1, 2 ... O(m). Compares nothing."""
        for group in self.groups:
            group.renumber(numbers)
        self.size = len(numbers)

    # -- questions ---------------------------------------------------------------------------------

    def busy(self, start: Any, end: Any) -> int:
        """Return the bitmap of the ordinals with a span that overlaps ``[start, end)``. Complexity: see the class."""
        heads, chunks = self.heads, self.chunks
        high = len(chunks) if end is None else bisect_right(heads, end)
        low = 0
        numbers: list[int] = []
        bitmaps: list[int] = []
        if start is not None:
            low = bisect_left(heads, start) + 1
            if low > high or low == len(chunks):
                return self._busy_within(low - 1, start, end)
            numbers, bitmaps = chunks[low - 1].ends.after(start, self.closed)
        result = chunks[low].group.active(chunks[low])
        at = low
        while at < high:
            chunk = chunks[at]
            group = chunk.group
            if group.chunks[0] is chunk and at + len(group.chunks) <= high:
                result |= group.started()
                at += len(group.chunks)
            else:
                result |= chunk.started()
                at += 1
        if high < len(chunks):
            more = chunks[high].starts.before(end, self.closed)
            numbers += more[0]
            bitmaps += more[1]
        return result | marked((numbers, bitmaps), (self.size >> 3) + 1)

    def _busy_within(self, at: int, start: Any, end: Any) -> int:
        """Answer for a span inside chunk *at*: which ordinals are busy at its start, and which start in it."""
        chunk, closed = self.chunks[at], self.closed
        length = (self.size >> 3) + 1
        # half-open: a span that starts at `start` covers it; closed: it does as well, but is found below
        bits = chunk.group.active(chunk)
        bits ^= toggled(chunk.starts.before(start, not closed), length)
        bits ^= toggled(chunk.ends.before(start, not closed), length)
        starts = chunk.starts
        begun = starts.after(start, closed) if end is None else starts.between(start, end, closed)
        return bits | marked(begun, length)

    def ends_after(self, after: Any, meeting: bool, until: Any, within: int) -> list[tuple[Any, list[int], int]]:
        """Return the next keys at which spans end, in order, with the ordinals of *within* that have such an end.

        They are keys after *after* (with *meeting* also one equal to it) and not after *until*, all from the first chunk
        that has such keys. Each comes with its ordinals: some as a list, the others as a bitmap. A key may have no
        ordinal of *within*; an empty list means that no end is left. To go on, ask again with the last key as *after*.

        Complexity: O(log m + B log leaf), and a bisect for each chunk that has no such end.

        >>> index = OccupancyIndex()
        >>> for number in range(3):
        ...     _ = index.add(number, 0, 5 + number)
        >>> index.ends_after(5, False, 7, 0b110)
        [(6, [1], 0), (7, [2], 0)]
        """
        length = (self.size >> 3) + 1
        members = (within & ((1 << 8 * length) - 1)).to_bytes(length, "little")
        events: list[tuple[Any, list[int], int]] = []
        for chunk in self.chunks[bisect_right(self.heads, after) :]:
            ends = chunk.ends
            for leaf in ends.leaves[ends.leaf_of(after) :]:
                if type(leaf) is PostingBitmap:
                    if not leaf.key < after if meeting else after < leaf.key:
                        if until < leaf.key:
                            return events
                        events.append((leaf.key, [], leaf.bits.value() & within))
                    continue
                for key, number in _pairs(leaf):
                    if key < after if meeting else not after < key:
                        continue
                    if until < key:
                        return events
                    if not events or events[-1][0] < key:
                        events.append((key, [], 0))
                    if members[number >> 3] >> (number & 7) & 1:
                        events[-1][1].append(number)
            if events:
                return events
        return []

    # -- postings ----------------------------------------------------------------------------------

    def _known(self, name: str) -> dict[Any, Posting]:
        return self.opens if name == "starts" else self.closes

    def _register(self, postings: Iterable[Posting], chunk: Chunk, known: dict[Any, Posting]) -> None:
        """Have these postings be found by their keys, and know their chunk."""
        for posting in postings:
            posting.chunk = chunk
            if type(posting.key) in SHARED:
                known[posting.key] = posting

    def _unregister(self, posting: Posting | None, known: dict[Any, Posting]) -> None:
        """Have a posting no longer be found, if there is one."""
        if posting is not None and type(posting.key) in SHARED and known.get(posting.key) is posting:
            del known[posting.key]

    def _adopt(self, chunk: Chunk) -> None:
        """Register all postings of a chunk that has new columns."""
        self._register(chunk.starts.postings(), chunk, self.opens)
        self._register(chunk.ends.postings(), chunk, self.closes)

    # -- chunks too long, and too short ------------------------------------------------------------

    def _absorb(self, chunk: Chunk) -> None:
        """Set the bits of what is pending in a chunk, and cut it if it is too long."""
        chunk.absorb()
        chunk.patience = self.tail
        if self._is_crowded(chunk):
            try:
                self._overflow(chunk)
            except Exception:  # noqa: S110 - keys that cannot be compared now: every answer is right, a later addition tries again
                pass

    def _is_crowded(self, chunk: Chunk) -> bool:
        limit = self.limit
        return (chunk.starts.count > limit and not chunk.starts.uniform) or (
            chunk.ends.count > limit and not chunk.ends.uniform
        )

    def _overflow(self, chunk: Chunk) -> None:
        """Cut a chunk, one of whose columns is past the limit, or make that column uniform. O(B + size / 8)."""
        self.limit = self._limit()
        if self.shared is not None and len(self.shared) > max(2048, self.count // 4):
            self.shared = None  # keys hardly repeat
        for name in ("starts", "ends"):
            column: Column = getattr(chunk, name)
            if column.count <= self.limit or column.uniform:
                continue
            head, made = column.middle()
            self._register(made, chunk, self._known(name))
            if head is not None:
                self._cut(self.chunks.index(chunk), head)
                return
            keys = column.flat()[0]
            if keys[0] < keys[-1]:  # a comparison failed when the bag was to be parted; a later addition tries again
                continue
            for posting in column.postings():
                self._unregister(posting, self._known(name))
            self._register([column.make_uniform()], chunk, self._known(name))

    def _limit(self) -> int:
        """Return how many starts, or ends, a chunk may have: what a question scans at an edge, against bitmaps to keep."""
        return max(self.smallest, self.size // 64, isqrt(self.count) // 2)

    def _cut(self, at: int, head: Any) -> None:
        """Cut chunk *at* in two at *head*, a key strictly inside it. O(B + size / 8)."""
        left = self.chunks[at]
        left.absorb()
        parts = left.starts.right_of(head), left.ends.right_of(head)  # compares keys: before any change
        started, delta, apart = left.started(), left.delta(), left.started().bit_count() == left.starts.count
        group = left.group
        right = Chunk(group, left.starts.cut(*parts[0]), left.ends.cut(*parts[1]))
        self.heads.insert(at, head)
        self.chunks.insert(at + 1, right)
        group.chunks.insert(group.chunks.index(left) + 1, right)
        self._adopt(right)
        length = (self.size >> 3) + 1
        left.derive(length)
        # what the left half has not, the right half has: no need to read its entries, unless an ordinal starts in both
        right.set_bits(
            started ^ left.started() if apart else marked(right.starts.every(), length), delta ^ left.delta()
        )
        left.start_int = left.delta_int = None
        self._split(group)

    def _split(self, group: Group) -> None:
        """Split a group that has too many chunks."""
        if len(group.chunks) <= 2 * self.stride:
            return
        middle = len(group.chunks) // 2
        other = Group(group.at + 1, group.active(group.chunks[middle]))
        other.chunks = group.chunks[middle:]
        del group.chunks[middle:]
        group.start_int = None
        for chunk in other.chunks:
            chunk.group = other
        self.groups.insert(other.at, other)
        for later in self.groups[other.at + 1 :]:
            later.at += 1

    def _merge_around(self, at: int) -> None:
        """Join a nearly empty chunk to a neighbour that has room, if there is one. O(B + size / 8). Compares nothing."""
        for left in (at - 1, at):
            if left < 0 or left + 1 >= len(self.chunks):
                continue
            chunk, other = self.chunks[left], self.chunks[left + 1]
            chunk.absorb()
            other.absorb()
            if any(column.uniform for column in (chunk.starts, chunk.ends, other.starts, other.ends)):
                continue
            if max(chunk.starts.count + other.starts.count, chunk.ends.count + other.ends.count) > self.limit // 2:
                continue
            group = chunk.group
            if group is not other.group:
                self._join_groups(group, other.group)
            bits = chunk.started() | other.started(), chunk.delta() ^ other.delta()
            chunk.starts.join(self.heads[left], other.starts)
            chunk.ends.join(self.heads[left], other.ends)
            chunk.set_bits(*bits)
            self._adopt(chunk)
            del self.chunks[left + 1], self.heads[left], group.chunks[group.chunks.index(other)]
            self._split(group)
            return

    def _join_groups(self, group: Group, other: Group) -> None:
        """Move the chunks of the group that follows into a group."""
        for chunk in other.chunks:
            chunk.group = group
        group.chunks += other.chunks
        group.start_int = None
        del self.groups[other.at]
        for later in self.groups[group.at + 1 :]:
            later.at -= 1

    # -- building ----------------------------------------------------------------------------------

    def rebuild(
        self,
        size: int,
        starts: tuple[Sequence[Any], Sequence[int]],
        ends: tuple[Sequence[Any], Sequence[int]],
        unbounded: Iterable[int],
    ) -> None:
        """Replace everything: keys in order and their ordinals, for starts and for ends; the ordinals that have no start.

        Complexity: O(m), one bit an entry, few comparisons. After an exception nothing has changed.
        """
        keys, numbers = starts
        end_keys, end_numbers = ends
        opened = list(unbounded)
        fresh = self._empty(size, len(keys) + len(opened))
        fresh.shared = None
        fresh.heads = _choose_heads(fresh.limit, keys, end_keys)
        search, end_search = self.end_search, self.search  # here for a head among keys, so the other way round
        active = from_ordinals(opened, size)
        low = end_low = 0
        for head in [*fresh.heads, None]:
            high = len(keys) if head is None else search(keys, head, low)
            end_high = len(end_keys) if head is None else end_search(end_keys, head, end_low)
            begun, ended = fresh._column(not self.closed), fresh._column(self.closed)
            begun.fill(keys[low:high], numbers[low:high])
            ended.fill(end_keys[end_low:end_high], end_numbers[end_low:end_high])
            active = fresh._append(active, begun, ended)
            low, end_low = high, end_high
        self._become(fresh)

    def rebuild_from(
        self, size: int, keys: Sequence[Any], starts: Sequence[PostingList], ends: Sequence[PostingList]
    ) -> None:
        """Replace everything, as `rebuild` does, where keys repeat and no span is unbounded.

        *keys* are the distinct ones, in order; *starts* and *ends* the ordinals that start and that end at each, as posting
        lists, which the index keeps; some of them may be empty.

        Complexity: O(m + keys), one bit an entry, few comparisons. After an exception nothing has changed.
        """
        fresh = self._empty(size, sum(map(len, starts)))
        fresh.shared = dict(zip(keys, keys, strict=True)) if type(keys[0]) in SHARED else None
        heads = _choose_heads(fresh.limit, _Repeated(starts), _Repeated(ends))  # as positions among the keys
        fresh.heads = [keys[head] for head in heads]
        begun, ended = (1, 0) if self.closed else (0, 1)  # whether a start at the head, or an end, lies left of it
        active = low = end_low = 0
        for head in [*heads, len(keys)]:
            high, end_high = head + begun, head + ended
            columns = fresh._column(not self.closed), fresh._column(self.closed)
            columns[0].fill_postings(starts[low:high])
            columns[1].fill_postings(ends[end_low:end_high])
            active = fresh._append(active, *columns)
            low, end_low = high, end_high
        self._become(fresh)

    def _column(self, holds_low: bool) -> Column:
        return Column(holds_low, self.leaf, self.often)

    def _empty(self, size: int, count: int) -> OccupancyIndex:
        """Return an index like this one, without a chunk, made ready for so many spans."""
        sizes = {name: getattr(self, name) for name in ("smallest", "tail", "stride", "leaf", "often", "near")}
        fresh = type(self)(self.closed, **sizes)
        fresh.size, fresh.count = size, count
        fresh.limit = fresh._limit()
        fresh.chunks, fresh.groups = [], []
        return fresh

    def _append(self, active: int, starts: Column, ends: Column) -> int:
        """Append a chunk of these columns; *active* is busy at its left edge. Return what is at its right one. O(B)."""
        if not len(self.chunks) % self.stride:
            self.groups.append(Group(len(self.groups), active))
        group = self.groups[-1]
        chunk = Chunk(group, starts, ends)
        chunk.patience = self.tail
        chunk.derive((self.size >> 3) + 1)
        self.chunks.append(chunk)
        group.chunks.append(chunk)
        self._adopt(chunk)
        return active ^ int.from_bytes(chunk.delta_bits, "little")

    def _become(self, fresh: OccupancyIndex) -> None:
        """Take over the state of another index, which is of no use then, when its chunks are within the limit."""
        for chunk in list(fresh.chunks):
            fresh._settle(chunk)
        self.begun = fresh.begun = True
        for name in OccupancyIndex.__slots__:
            setattr(self, name, getattr(fresh, name))

    def _settle(self, chunk: Chunk) -> None:
        """Cut a chunk until no column of the parts is past the limit that can be cut."""
        pending = [chunk]
        while pending:
            chunk = pending.pop()
            if self._is_crowded(chunk):
                before = len(self.chunks)
                self._overflow(chunk)
                if len(self.chunks) > before:  # else it cannot be cut, or not now
                    pending += [chunk, self.chunks[self.chunks.index(chunk) + 1]]

    # -- invariants --------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. Changes nothing. O(m)."""

        def must(holds: bool, otherwise: str) -> None:
            if not holds:
                raise AssertionError(otherwise)

        heads, closed = self.heads, self.closed
        must(len(self.chunks) == len(heads) + 1, "chunks and heads differ")
        must(all(lower < upper for lower, upper in pairwise(heads)), "heads out of order")
        grouped_chunks = [(chunk, group) for group in self.groups for chunk in group.chunks]
        must([chunk for chunk, _ in grouped_chunks] == self.chunks, "the chunks of the groups are not the chunks")
        must(all(chunk.group is group for chunk, group in grouped_chunks), "a chunk is not in its group")
        must(all(group.at == at for at, group in enumerate(self.groups)), "a group is not in its place")
        must(all(0 < len(group.chunks) <= 2 * self.stride for group in self.groups), "a group is too long, or empty")
        active = self.groups[0].checkpoint()
        count, postings = active.bit_count(), 0
        for chunk in self.chunks:
            if chunk.absorbing:  # a question was cut off; the next one does this first
                chunk.absorb()
        for at, chunk in enumerate(self.chunks):
            group = chunk.group
            if chunk is group.chunks[0]:
                known_active = int.from_bytes(group.checkpoint_bits, "little")
                must(known_active == active, f"the checkpoint of group {group.at} is wrong")
                must(group.checkpoint_int in (None, active), f"the checkpoints of group {group.at} differ")
                started = 0
                for each in group.chunks:
                    started |= marked(each.starts.every(), (self.size >> 3) + 1)
                must(group.start_int in (None, started), f"the starts of group {group.at} are wrong")
            must(len(chunk.pending) <= self.tail, f"chunk {at} has too much pending")
            new = [number for number in chunk.pending if number >= 0]
            new_ends = [~number for number in chunk.pending if number < 0]
            left = heads[at - 1] if at else None
            right = heads[at] if at < len(heads) else None
            for column, known, pending, is_low in (
                (chunk.starts, self.opens, new, not closed),
                (chunk.ends, self.closes, new_ends, closed),
            ):
                column.check()
                must(column.holds_low == is_low, f"a column of chunk {at} takes the wrong side")
                keys, numbers = column.flat()
                must(len(numbers) == column.count + len(pending), f"a column of chunk {at} miscounted")
                for key in keys:
                    must(left is None or (not key < left if is_low else left < key), f"a key of chunk {at} lies before it")
                    must(right is None or (key < right if is_low else not right < key), f"a key of chunk {at} lies after it")
                for posting in column.postings():
                    postings += type(posting.key) in SHARED
                    must(posting.chunk is chunk, f"a posting of chunk {at} names another chunk")
                    must(
                        type(posting.key) not in SHARED or known.get(posting.key) is posting,
                        f"a posting of chunk {at} is not found",
                    )
            for bits, made in ((chunk.start_bits, chunk.start_int), (chunk.delta_bits, chunk.delta_int)):
                must(made in (None, int.from_bytes(bits, "little")), f"the bitmaps of chunk {at} differ")
            length = (self.size >> 3) + 1
            numbers = chunk.starts.flat()[1]
            count += len(numbers)
            started = int.from_bytes(chunk.start_bits, "little") | from_ordinals(new, self.size)
            must(started == from_ordinals(numbers, self.size), f"the starts of chunk {at} are wrong")
            delta = toggled(chunk.starts.every(), length) ^ toggled(chunk.ends.every(), length)
            lag = toggled((new + new_ends, []), length)
            must(int.from_bytes(chunk.delta_bits, "little") ^ lag == delta, f"the delta of chunk {at} is wrong")
            active ^= delta
        must(postings == len(self.opens) + len(self.closes), "a posting that is in no column is found")
        must(count == self.count, f"{count} spans, {self.count} counted")


def _pairs(leaf: Any) -> Iterable[tuple[Any, int]]:
    """Return the entries of a leaf in order, as pairs of key and ordinal."""
    if type(leaf) is list:
        return sorted(zip(leaf[::2], leaf[1::2], strict=True), key=_first)
    return [(leaf.key, number) for number in leaf]


def _choose_heads(limit: int, keys: Sequence[Any], end_keys: Sequence[Any]) -> list[Any]:
    """Return heads that leave about three quarters of a limit in each chunk. O(chunks x log m)."""
    fill = limit * 3 // 4  # room to grow before the first cut
    heads: list[Any] = []
    low = 0
    previous = None
    for head in [*_rising(keys[fill::fill], None, None), None]:
        high = len(end_keys) if head is None else bisect_left(end_keys, head, low)
        if high - low > limit:  # ends crowd where starts do not
            heads += _rising(end_keys[low + fill : high : fill], previous, head)
        if head is not None:
            heads.append(head)
        low, previous = high, head
    return heads


class _Repeated(Sequence[int]):
    """The positions 0, 1, 2 ... of some posting lists in turn, each as often as its list is long; not written out."""

    def __init__(self, postings: Sequence[Sized]) -> None:
        self.until = list(accumulate(map(len, postings)))

    def __len__(self) -> int:
        return self.until[-1]

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [bisect_right(self.until, position) for position in range(*at.indices(len(self)))]
        return bisect_right(self.until, at)


def _rising(keys: Sequence[Any], above: Any, below: Any) -> list[Any]:
    """Return the strictly rising ones of sorted *keys* that lie strictly between two keys (None: no limit)."""
    rising: list[Any] = []
    for key in keys:
        if (above is None or above < key) and (below is None or key < below):
            rising.append(key)
            above = key
    return rising

