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

An addition finds its two chunks and leaves the rest for later (see `bookcore.index.chunk`), if its keys are of the one
plain type that all keys in the index have: only of such keys is it certain that they can be compared later. Otherwise both
entries are put in their places at once.

The first spans with such keys *wait* in a list, added one by one or all at once, until a question or a removal comes, or
there are ``waiting_limit`` of them.
Then all chunks are made at once, which takes about half the time of as many additions to chunks.

    waiting       number start end  number start end ...        of all spans; no chunk has an entry
                  None                                          the spans are in the chunks

Invariants. Spans of one ordinal are disjoint. Half-open: a start in chunk j has c[j] <= start < c[j+1], an end
c[j] < end <= c[j+1], and active is start < c < end. Closed bounds swap the sides: c[j] < start <= c[j+1],
c[j] <= end < c[j+1], active is start <= c <= end. An unbounded start is active in chunk 0, whose left edge is minus
infinity, and has no entry in ``starts``; an unbounded end has no entry in ``ends``. The groups' chunks, in order, are
``chunks``; no group is empty or has more than 2 x stride of them; ``groups[i].at == i``. ``kind`` is None, or all keys are
of this type and, if they are datetimes, have the very ``zone``. Every comparison of keys that may fail comes before the
first change.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence, Sized
from datetime import datetime
from itertools import accumulate, chain, pairwise
from math import isqrt
from operator import attrgetter, itemgetter
from typing import Any

from bookcore.index.bitmap import from_ordinals
from bookcore.index.chunk import Chunk, Group, marked, toggled
from bookcore.index.column import SHARED, Column
from bookcore.model.errors import attempt

UNUSED = 2048
"""How many keys of spans that are gone may be left in ``shared``."""
DISTINCT = 1 << 14
"""How many keys are looked at before it is judged whether they repeat: as many as there are hours in two years."""

_first = itemgetter(0)
_zone = attrgetter("tzinfo")


class OccupancyIndex:
    """The disjoint busy spans of many ordinals, answering for all of them at once.

    The sizes are arguments for tests, which want small structures, and for measurements.
    ``smallest`` is the least limit of a chunk; ``tail`` how many of its starts, and of its ends, may always be late (a
    quarter of the limit may be, too); ``stride`` how many chunks a group is made with; ``waiting_limit`` how many spans may
    wait; ``worth`` how many ordinals a question takes out of a chunk's bitmap rather than mark that many more.

    Complexity, with m spans in chunks of B: `add` O(log m + groups spanned), with an absorption, O(tail log B), once in
    tail / 2 additions, and with a cut, O(B), once in B / 2; O(1) while spans wait. `remove` O(log m + tail log B + groups
    spanned). `busy` O(log m + B + groups in the window), of which a group costs one OR at machine speed. The first of these
    two when w spans wait costs O(w log w) more.

    >>> from bookcore.index.bitmap import ordinals
    >>> index = OccupancyIndex()
    >>> index.add(0, 9, 12), index.add(3, 10, 11)
    ((9, 12), (10, 11))
    >>> list(ordinals(index.busy(11, 13)))
    [0]
    """

    SMALLEST = 64  # below it the objects of a chunk outweigh what it holds
    TAIL = 32  # as many starts, and ends, may a question have to look at one by one in each chunk that it reads
    STRIDE = 8  # more: more deltas to combine in a question; fewer: more checkpoints to mark in an addition
    WAITING_LIMIT = 1 << 14  # so many spans are put in chunks in some 20 ms, which one question takes longer
    WORTH = 64  # marking so many ordinals takes as long as making and counting the bitmaps of a chunk

    __slots__ = (
        "begun",
        "chunks",
        "closed",
        "count",
        "end_search",
        "groups",
        "heads",
        "kind",
        "limit",
        "room",
        "search",
        "shared",
        "size",
        "smallest",
        "stride",
        "tail",
        "waiting",
        "waiting_limit",
        "worth",
        "zone",
    )

    def __init__(
        self,
        closed: bool = False,
        *,
        smallest: int = SMALLEST,
        tail: int = TAIL,
        stride: int = STRIDE,
        waiting_limit: int = WAITING_LIMIT,
        worth: int = WORTH,
    ) -> None:
        self.closed = closed
        # on which side of an equal head a start falls, and an end
        self.search, self.end_search = (bisect_left, bisect_right) if closed else (bisect_right, bisect_left)
        self.smallest, self.tail, self.stride, self.waiting_limit, self.worth = smallest, tail, stride, waiting_limit, worth
        self.waiting: list[Any] | None = None
        self.shared: dict[Any, Any] | None = {}  # one object for each key, as long as keys repeat
        self.kind: Any = None
        self.zone: Any = None
        self.begun = False  # set by the first step of a change that changes something; the owner sets it back
        self.count = 0
        self.size = 0  # ordinals are below this
        self.limit = self.smallest
        self.room = 2 * self.tail  # the longest list of late entries
        self.heads: list[Any] = []
        self.chunks: list[Chunk] = []
        self.groups: list[Group] = []
        self._append(Column(), Column())

    def __len__(self) -> int:
        return self.count

    # -- changes -----------------------------------------------------------------------------------

    def add(self, number: int, start: Any, end: Any) -> tuple[Any, Any]:
        """Mark *number* busy in the span, which must not overlap another of its spans; None: unbounded.

        Returns the span in keys of the index: as long as keys repeat, one object for all equal ones, so that a caller who
        keeps the span as well keeps few objects, and the next question finds them in the cache. A datetime of a repeated
        hour (``fold``) is not replaced: it may be equal to one of the hour before.

        Every comparison of keys comes before the first change. Complexity: see the class.
        """
        kind = self.kind
        if (
            type(start) is not kind
            or type(end) is not kind
            or (kind is datetime and (start.tzinfo is not self.zone or end.tzinfo is not self.zone))
        ):
            return self._add_any(number, start, end)
        waiting = self.waiting
        if waiting is not None:
            self.begun = True
            if kind is not datetime or not (start.fold or end.fold):
                known = self.shared.get  # type: ignore[union-attr]
                start, end = known(start) or self._share(start), known(end) or self._share(end)
            waiting += (number, start, end)
            self.count += 1
            if number >= self.size:
                self.size = number + 1
            if len(waiting) >= 3 * self.waiting_limit:
                self._arrange()
            return start, end
        heads = self.heads
        first = self.search(heads, start)
        last = self.end_search(heads, end, first)
        self.begun = True
        shared = self.shared
        if shared is not None and (kind is not datetime or not (start.fold or end.fold)):
            start, end = shared.get(start) or self._share(start), shared.get(end) or self._share(end)
        self.count += 1
        if number >= self.size:
            self.size = number + 1
        chunk, end_chunk = self.chunks[first], self.chunks[last]
        late_starts, late_ends = chunk.late_starts, end_chunk.late_ends
        group, end_group = chunk.group, end_chunk.group
        late_starts += (start, number)
        late_ends += (end, number)
        group.start_int = chunk.start_bits.cached = chunk.delta_bits.cached = end_chunk.delta_bits.cached = None
        if group is not end_group:
            for each in self.groups[group.at + 1 : end_group.at + 1]:
                each.checkpoint.add(number)
        if len(late_starts) > self.room:
            self._absorb(chunk)
        if len(late_ends) > self.room:
            self._absorb(end_chunk)
        return start, end

    def _share(self, key: Any) -> Any:
        """Return the object that represents all keys equal to this one from now on. O(1).

        It is a copy, but for texts and small ints. Copies are made one after the other, so they lie side by side in memory;
        the given keys lie beside whatever was made with them, each on a page of memory with nothing else of use on it.
        """
        key = key + SHARED[self.kind]
        self.shared[key] = key  # type: ignore[index]
        return key

    def _add_any(self, number: int, start: Any, end: Any) -> tuple[Any, Any]:
        """Do what `add` does, for spans without a start or an end, and for keys of any kind: no entry is left for later."""
        kind, zone = _kind_of([key for key in (start, end) if key is not None])
        if not self.count and kind is not None:
            self.kind, self.zone = kind, zone
            self.shared = {}  # a key of another kind may equal one of these
            self.waiting = [] if self.waiting_limit else None
            if start is not None and end is not None:
                return self.add(number, start, end)
        self._arrange()
        first, last = self._locate(start, end)
        chunk = end_chunk = None
        if start is not None:
            chunk = self._settled(first)
            place = chunk.starts.place_for(start)
        if end is not None:
            end_chunk = self._settled(last)
            end_place = end_chunk.ends.place_for(end)
        # nothing below compares keys
        self.begun = True
        if (chunk or end_chunk) is not None and (kind is not self.kind or zone is not self.zone):
            self.kind = None  # until the index is empty
        self.count += 1
        self.size = max(self.size, number + 1)
        begin = 0
        if chunk is not None:
            chunk.insert_start(place, start, number)
            begin = chunk.group.at + 1
        if end_chunk is not None:
            end_chunk.insert_end(end_place, end, number)
        for group in self.groups[begin : None if end_chunk is None else end_chunk.group.at + 1]:
            group.checkpoint.add(number)
        for each in (end_chunk, chunk):
            if each is not None and self._is_crowded(each):
                self._absorb(each)
        return start, end

    def _settled(self, at: int) -> Chunk:
        """Return a chunk, in which no entry is late any more."""
        chunk = self.chunks[at]
        if chunk.late_starts or chunk.late_ends:
            begun, self.begun = self.begun, True  # which is left so if this is cut off
            chunk.absorb()
            self.begun = begun
        return chunk

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
        self._arrange()
        first, last = self._locate(start, end)
        chunks = self.chunks
        chunk = end_chunk = None
        others = False
        if start is not None:
            chunk = chunks[first]
            place = chunk.find_start(start, number)
            others = (previous is not None and self._is_in(first, previous, True)) or (
                following is not None and self._is_in(first, following, False)
            )
        if end is not None:
            end_chunk = chunks[last]
            end_place = end_chunk.find_end(end, number)
        # nothing below compares keys
        self.begun = True
        self.count -= 1
        if chunk is not None:
            chunk.delete_start(place, number, others)
        if end_chunk is not None:
            end_chunk.delete_end(end_place, number)
        begin = chunks[first].group.at + 1 if start is not None else 0
        for group in self.groups[begin : chunks[last].group.at + 1]:
            group.checkpoint.discard(number)
        if self.shared is not None and len(self.shared) > 2 * self.count + UNUSED:
            self.shared = {}  # most of these keys belong to spans that are gone
        if len(chunks) > 1 and not self.count:  # the next key may be of another family than the heads
            fresh = self._empty(self.size, 0)
            fresh._append(Column(), Column())
            self._become(fresh)
        elif len(chunks) > 1:
            least = self.limit >> 3
            for near in (last, first):
                few = 0 <= near < len(chunks) and len(chunks[near].starts.keys) < least  # that alone says it of most
                if few and chunks[near].size() < least:
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
        self._arrange()
        for group in self.groups:
            group.renumber(numbers)
        self.size = len(numbers)

    # -- questions ---------------------------------------------------------------------------------

    def busy(self, start: Any, end: Any) -> int:
        """Return the bitmap of the ordinals with a span that overlaps ``[start, end)``. Complexity: see the class."""
        if self.waiting is not None:
            self._arrange()
        heads, chunks = self.heads, self.chunks
        high = len(chunks) if end is None else bisect_right(heads, end)
        low = 0
        numbers: list[int] = []
        bitmaps: list[int] = []
        if start is not None:
            low = bisect_left(heads, start) + 1
            if low > high or low == len(chunks):
                return self._busy_within(low - 1, start, end)
            numbers, bitmaps = chunks[low - 1].ends_after(start, self.closed, self.worth)
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
            more = chunks[high].starts_before(end, self.closed, self.worth)
            numbers += more[0]
            bitmaps += more[1]
        return result | marked((numbers, bitmaps), (self.size >> 3) + 1)

    def _busy_within(self, at: int, start: Any, end: Any) -> int:
        """Answer for a span inside chunk *at*: which ordinals are busy at its start, and which start in it."""
        chunk, closed = self.chunks[at], self.closed
        length = (self.size >> 3) + 1
        bits = chunk.group.active(chunk)
        columns = (chunk.starts, chunk.ends), chunk.late()
        for starts, ends in columns:
            # half-open: a span that starts at `start` covers it; closed: it does as well, but is found below
            bits ^= toggled(starts.before(start, not closed), length) ^ toggled(ends.before(start, not closed), length)
        for starts, _ in columns:
            begun = starts.after(start, closed) if end is None else starts.between(start, end, closed)
            bits |= marked(begun, length)
        return bits

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
        self._arrange()
        length = (self.size >> 3) + 1
        members = (within & ((1 << 8 * length) - 1)).to_bytes(length, "little")
        events: list[tuple[Any, list[int], int]] = []
        for chunk in self.chunks[(bisect_left if meeting else bisect_right)(self.heads, after) :]:
            keys, numbers = chunk.ends.keys, chunk.ends.numbers
            if chunk.ends.bits is not None and not chunk.late_ends:
                key = keys[0]
                if not key < after if meeting else after < key:
                    return [] if until < key else [(key, [], chunk.ends.bits & within)]
                continue
            low = (bisect_left if meeting else bisect_right)(keys, after)
            pairs = list(zip(keys[low:], numbers[low:], strict=True))
            if chunk.late_ends:
                late = chunk.late()[1]
                low = (bisect_left if meeting else bisect_right)(late.keys, after)
                pairs += zip(late.keys[low:], late.numbers[low:], strict=True)
                pairs.sort(key=_first)
            for key, number in pairs:
                if until < key:
                    return events
                if not events or events[-1][0] < key:
                    events.append((key, [], 0))
                if members[number >> 3] >> (number & 7) & 1:
                    events[-1][1].append(number)
            if events:
                return events
        return []

    # -- chunks too long, and too short ------------------------------------------------------------

    def _absorb(self, chunk: Chunk) -> None:
        """Put the late entries of a chunk into its columns, and cut it if it is too long."""
        likely = 2 * self.limit < max(
            2 * len(chunk.starts) + len(chunk.late_starts), 2 * len(chunk.ends) + len(chunk.late_ends)
        )
        chunk.absorb(not likely)
        if self._is_crowded(chunk):
            # if keys cannot be compared now, every answer is right all the same, and a later addition tries again
            attempt(lambda: self._overflow(chunk), None)

    def _is_crowded(self, chunk: Chunk) -> bool:
        limit = self.limit
        return (len(chunk.starts) > limit and chunk.starts.bits is None) or (
            len(chunk.ends) > limit and chunk.ends.bits is None
        )

    def _overflow(self, chunk: Chunk) -> None:
        """Cut a chunk, one of whose columns is past the limit, or make that column uniform. O(B + size / 8)."""
        self._measure()
        if self.shared is not None and len(self.shared) > max(DISTINCT, self.count // 4):
            self.shared = None  # keys hardly repeat
        for column, holds_low in ((chunk.starts, not self.closed), (chunk.ends, self.closed)):
            if len(column) <= self.limit or column.bits is not None:
                continue
            head = column.middle(holds_low)
            if head is not None:
                self._cut(self.chunks.index(chunk), head)
                return
            column.make_uniform()

    def _measure(self) -> None:
        """Set the limit, of starts or of ends in a chunk, and the room for late entries, from what the index holds."""
        # what a question scans at an edge, against bitmaps to keep
        self.limit = max(self.smallest, self.size // 64, isqrt(self.count) // 2)
        self.room = 2 * max(self.tail, self.limit >> 2)  # the longer a chunk, the dearer to bring it into the cache

    def _cut(self, at: int, head: Any) -> None:
        """Cut chunk *at* in two at *head*, a key strictly inside it. O(B + size / 8)."""
        left = self.chunks[at]
        left.absorb()
        search, end_search = self.end_search, self.search  # here for a head among keys, so the other way round
        place, end_place = search(left.starts.keys, head), end_search(left.ends.keys, head)
        group = left.group
        right = Chunk(group, left.starts.cut(place), left.ends.cut(end_place))
        left.drop_bits()
        self.heads.insert(at, head)
        self.chunks.insert(at + 1, right)
        group.chunks.insert(group.chunks.index(left) + 1, right)
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
            if any(column.bits is not None for column in (chunk.starts, chunk.ends, other.starts, other.ends)):
                continue
            if max(len(chunk.starts) + len(other.starts), len(chunk.ends) + len(other.ends)) > self.limit // 2:
                continue
            group = chunk.group
            if group is not other.group:
                self._join_groups(group, other.group)
            chunk.starts.join(other.starts)
            chunk.ends.join(other.ends)
            chunk.drop_bits()
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
        """Replace everything: keys and their ordinals, for starts and for ends; the ordinals that have no start.

        Complexity: O(m log m), one bit an entry. After an exception nothing has changed.
        """
        fresh = self._built(size, starts, ends, list(unbounded))
        fresh.shared = None
        fresh.kind, fresh.zone = _kind_of(chain(starts[0], ends[0]))
        self._become(fresh)

    def _built(
        self,
        size: int,
        starts: tuple[Sequence[Any], Sequence[int]],
        ends: tuple[Sequence[Any], Sequence[int]],
        opened: list[int],
    ) -> OccupancyIndex:
        """Return a new index of these spans, as `rebuild` is given them. O(m log m). Changes nothing here."""
        keys, numbers = _in_order(*starts)
        end_keys, end_numbers = _in_order(*ends)
        fresh = self._empty(size, len(keys) + len(opened))
        fresh.heads = _choose_heads(fresh.limit, keys, end_keys)
        search, end_search = self.end_search, self.search  # here for a head among keys, so the other way round
        fresh.groups.append(Group(0, from_ordinals(opened, size)))
        low = end_low = 0
        for head in [*fresh.heads, None]:
            high = len(keys) if head is None else search(keys, head, low)
            end_high = len(end_keys) if head is None else end_search(end_keys, head, end_low)
            begun = Column(keys[low:high], numbers[low:high])
            ended = Column(end_keys[end_low:end_high], end_numbers[end_low:end_high])
            fresh._append(begun, ended)
            low, end_low = high, end_high
        fresh._settle_all()
        return fresh

    def replace(
        self, size: int, numbers: Sequence[int], starts: Sequence[Any], ends: Sequence[Any], shared: Iterable[Any] = ()
    ) -> None:
        """Replace everything by spans of which none is unbounded, given as columns. They wait if they are few.

        *shared* are the distinct keys, if equal keys are one object. Complexity: O(m), or as `rebuild`.
        """
        kind, zone = _kind_of(chain(starts, ends))
        if kind is None or len(numbers) >= self.waiting_limit:
            self.rebuild(size, (starts, numbers), (ends, numbers), ())
            return
        fresh = self._empty(size, len(numbers))
        fresh._append(Column(), Column())
        fresh.kind, fresh.zone = kind, zone
        fresh.shared = {key: key for key in shared}
        fresh.waiting = list(chain.from_iterable(zip(numbers, starts, ends, strict=True)))
        self._become(fresh)

    def rebuild_from(
        self, size: int, keys: Sequence[Any], starts: Sequence[array[int]], ends: Sequence[array[int]]
    ) -> None:
        """Replace everything, as `rebuild` does, where keys repeat and no span is unbounded.

        *keys* are the distinct ones, in order; *starts* and *ends* the ordinals that start and that end at each, as arrays
        of the type code "I", some of which may be empty.

        Complexity: O(m + keys), one bit an entry, few comparisons. After an exception nothing has changed.
        """
        fresh = self._empty(size, sum(map(len, starts)))
        fresh.shared = dict(zip(keys, keys, strict=True)) if type(keys[0]) in SHARED else None
        fresh.kind, fresh.zone = _kind_of(keys)
        heads = _choose_heads(fresh.limit, _Repeated(starts), _Repeated(ends))  # as positions among the keys
        fresh.heads = [keys[head] for head in heads]
        begun, ended = (1, 0) if self.closed else (0, 1)  # whether a start at the head, or an end, lies left of it
        low = end_low = 0
        for head in [*heads, len(keys)]:
            high, end_high = head + begun, head + ended
            columns = Column(), Column()
            columns[0].fill_lists(keys[low:high], starts[low:high])
            columns[1].fill_lists(keys[end_low:end_high], ends[end_low:end_high])
            for column in columns:  # before its entries are marked one by one
                if len(column) > fresh.limit and not column.keys[0] < column.keys[-1]:
                    column.make_uniform()
            fresh._append(*columns)
            low, end_low = high, end_high
        fresh._settle_all()
        self._become(fresh)

    def _arrange(self) -> None:
        """Put the spans that wait into chunks. O(w log w) for w of them. After an exception nothing has changed.

        A question does this too. It is no change that others could see half done: all questions that read the index have the
        calendar's lock.
        """
        waiting = self.waiting
        if waiting is None:
            return
        numbers = waiting[::3]
        fresh = self._built(self.size, (waiting[1::3], numbers), (waiting[2::3], numbers), [])
        # no call comes between these, so Ctrl-C in a question does not either
        self.heads, self.chunks, self.groups = fresh.heads, fresh.chunks, fresh.groups
        self.limit, self.room = fresh.limit, fresh.room
        self.waiting = None

    def _empty(self, size: int, count: int) -> OccupancyIndex:
        """Return an index like this one, without a chunk, made ready for so many spans."""
        sizes = {name: getattr(self, name) for name in ("smallest", "tail", "stride", "waiting_limit", "worth")}
        fresh = type(self)(self.closed, **sizes)
        fresh.size, fresh.count = size, count
        fresh._measure()
        fresh.chunks, fresh.groups = [], []
        return fresh

    def _append(self, starts: Column, ends: Column) -> None:
        """Append a chunk of these columns, and make its bitmaps. O(B + n / 8), amortised."""
        groups = self.groups
        if not groups:
            groups.append(Group(0, 0))
        elif len(groups[-1].chunks) == self.stride:
            groups.append(Group(len(groups), groups[-1].active(None)))
        group = groups[-1]
        chunk = Chunk(group, starts, ends)
        chunk.delta()  # else the first question would make those of all chunks that it reads
        self.chunks.append(chunk)
        group.chunks.append(chunk)

    def _become(self, fresh: OccupancyIndex) -> None:
        """Take over the state of another index, which is of no use then."""
        self.begun = fresh.begun = True
        for name in OccupancyIndex.__slots__:
            setattr(self, name, getattr(fresh, name))

    def _settle_all(self) -> None:
        """Cut all chunks until they are within the limit."""
        for chunk in list(self.chunks):
            self._settle(chunk)

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

        if self.waiting is not None:
            must(self.count * 3 == len(self.waiting) < 3 * self.waiting_limit, "other spans wait than are counted")
            must(not self.count or max(self.waiting[::3]) < self.size, "an ordinal is too large")
            must(not any(chunk.size() for chunk in self.chunks), "a span does not wait")
            keys = self.waiting[1::3] + self.waiting[2::3]
            must(not keys or _kind_of(keys) == (self.kind, self.zone), "keys of another kind wait")
            return
        heads, closed = self.heads, self.closed
        must(len(self.chunks) == len(heads) + 1, "chunks and heads differ")
        must(all(lower < upper for lower, upper in pairwise(heads)), "heads out of order")
        grouped_chunks = [(chunk, group) for group in self.groups for chunk in group.chunks]
        must([chunk for chunk, _ in grouped_chunks] == self.chunks, "the chunks of the groups are not the chunks")
        must(all(chunk.group is group for chunk, group in grouped_chunks), "a chunk is not in its group")
        must(all(group.at == at for at, group in enumerate(self.groups)), "a group is not in its place")
        must(all(0 < len(group.chunks) <= 2 * self.stride for group in self.groups), "a group is too long, or empty")
        active = self.groups[0].checkpoint.value()
        count = active.bit_count()
        columns = [column for chunk in self.chunks for column in (chunk.starts, chunk.ends, *chunk.late())]
        every = list(chain.from_iterable(column.keys for column in columns))
        if self.kind is not None:
            must(not every or _kind_of(every) == (self.kind, self.zone), "keys of another kind")
        for at, chunk in enumerate(self.chunks):
            group = chunk.group
            if chunk is group.chunks[0]:
                group.checkpoint.check()
                must(group.checkpoint.value() == active, f"the checkpoint of group {group.at} is wrong")
                if group.start_int is not None:
                    started = 0
                    for each in group.chunks:
                        started |= marked(each.all_starts(), (self.size >> 3) + 1)
                    must(group.start_int == started, f"the starts of group {group.at} are wrong")
            late = chunk.late()
            left = heads[at - 1] if at else None
            right = heads[at] if at < len(heads) else None
            for column, more, is_low in ((chunk.starts, late[0], not closed), (chunk.ends, late[1], closed)):
                column.check()
                for key in (*column.keys, *more.keys):
                    must(left is None or (not key < left if is_low else left < key), f"a key of chunk {at} lies before it")
                    must(right is None or (key < right if is_low else not right < key), f"a key of chunk {at} lies after it")
            length = (self.size >> 3) + 1
            starts, ends = chunk.all_starts(), chunk.all_ends()
            delta = toggled(starts, length) ^ toggled(ends, length)
            count += len(chunk.starts) + len(late[0])
            active ^= delta
            if chunk.stale:
                continue
            begun, ended = chunk.marked
            start_bits, delta_bits = chunk.start_bits, chunk.delta_bits
            start_bits.check()
            delta_bits.check()
            late_starts = len(chunk.late_starts)
            must(start_bits.cached is None or late_starts == begun, f"late starts of chunk {at} are missing")
            must(
                delta_bits.cached is None or (late_starts, len(chunk.late_ends)) == (begun, ended),
                f"late entries of chunk {at} are missing",
            )
            new, new_ends = chunk.late_starts[begun + 1 :: 2], chunk.late_ends[ended + 1 :: 2]
            started = int.from_bytes(start_bits.data, "little") | from_ordinals(new, self.size)
            must(started == marked(starts, length), f"the starts of chunk {at} are wrong")
            lag = toggled((new + new_ends, []), length)
            must(int.from_bytes(delta_bits.data, "little") == delta ^ lag, f"the delta of chunk {at} is wrong")
        must(count == self.count, f"{count} spans, {self.count} counted")


def _kind_of(keys: Iterable[Any]) -> tuple[type | None, Any]:
    """Return the one type of some keys, and their zone, if they can always be compared; else twice None. O(keys)."""
    known = list(keys)
    kinds = set(map(type, known))
    if len(kinds) != 1 or not kinds <= SHARED.keys():
        return None, None
    (kind,) = kinds
    if kind is not datetime:
        return kind, None
    zones = set(map(id, map(_zone, known)))
    return (kind, known[0].tzinfo) if len(zones) == 1 else (None, None)


def _in_order(keys: Sequence[Any], numbers: Sequence[int]) -> tuple[list[Any], list[int]]:
    """Return the keys in ascending order, and the number of each. O(keys x log keys)."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return list(map(keys.__getitem__, order)), list(map(numbers.__getitem__, order))


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
    """The positions 0, 1, 2 ... of some arrays in turn, each as often as its array is long; not written out."""

    def __init__(self, arrays: Sequence[Sized]) -> None:
        self.until = list(accumulate(map(len, arrays)))

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

