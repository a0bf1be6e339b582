"""Operations on spans in order: union, complement, intersection, and where some number of sets agree.

    first          |-------|     |---|
    second             |-------|       |---|
    union          |-----------| |---| |---|
    complement  ...|           | |   | |   |...     of the union: the gaps
    quorum 2           |---|

All functions read streams of ``(start, end)`` in order of start and yield spans lazily, in order, reading each span once.
Keys are compared by ``<`` alone; None at an end means "no bound".

Every function works on half-open spans. A closed span ``[a, b]`` is represented as the half-open span from just before
``a`` to just after ``b``: from ``Place(a, False)`` to ``Place(b, True)``. `as_places` converts closed spans of keys to
places, `as_keys` converts places back. What lies between ``[1, 3]`` and ``[5, 8]`` begins just after 3 and ends just before
5: for whole numbers that is ``[4, 4]``, for fractions it is no closed span at all. So `as_keys` needs keys that have
neighbours (`following`, `preceding`), and raises where they have none. A gap is never rounded outwards: every key in it is
free.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush, heapreplace
from numbers import Integral, Number
from typing import Any, TypeAlias

from bookcore.model.arithmetic import OWN, minus, plus
from bookcore.model.errors import LACKING, BookcoreError, KeyTypeError

Span: TypeAlias = tuple[Any, Any]


class Place:
    """A point between keys: just before one or, with ``after``, just after it.

    >>> Place(3, False) < Place(3, True) < Place(5, False)
    True
    """

    __slots__ = ("after", "key")

    def __init__(self, key: Any, after: bool) -> None:
        self.key, self.after = key, after

    def __lt__(self, other: Place) -> bool:
        if self.key < other.key:
            return True
        return self.after < other.after and not other.key < self.key

    def __repr__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.key!r}"


# -- closed spans ----------------------------------------------------------------------------------


def as_places(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield closed spans of keys as half-open spans of places.

    >>> list(as_places([(1, 3)]))
    [(before 1, after 3)]
    """
    for start, end in spans:
        yield None if start is None else Place(start, False), None if end is None else Place(end, True)


def as_keys(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield, for half-open spans of places, the largest closed spans of keys within; spans without a key are left out.

    Raises: `KeyTypeError` where the neighbour of a key is needed and keys of its type have none.

    >>> list(as_keys(complement(as_places([(1, 3), (4, 4), (6, 8)]), Place(0, False), Place(9, True))))
    [(0, 0), (5, 5), (9, 9)]
    """
    for start, end in spans:
        try:
            low = None if start is None else following(start.key) if start.after else start.key
            high = None if end is None else end.key if end.after else preceding(end.key)
        except LookupError:  # beyond the last key, or before the first
            continue
        if low is None or high is None or not high < low:
            yield low, high


def following(key: Any) -> Any:
    """Return the next key: one more for whole numbers, the next float, else one ``resolution`` of the key's type later.

    Dates, datetimes and timedeltas (those of pandas too) have a resolution; a class of the user's own may have one.

    Raises: `KeyTypeError` when keys of this type have no neighbours; LookupError after the last key of the type.

    >>> from datetime import date
    >>> following(3), following(date(2026, 5, 31))
    (4, datetime.date(2026, 6, 1))
    """
    return _neighbour(key, up=True)


def preceding(key: Any) -> Any:
    """Return the previous key. Types and errors: as `following`."""
    return _neighbour(key, up=False)


def _neighbour(key: Any, up: bool) -> Any:
    try:
        if isinstance(key, float):
            moved: Any = math.nextafter(key, math.inf if up else -math.inf)
        else:
            step: Any
            if isinstance(key, Integral):
                step = 1
            elif getattr(getattr(key, "dtype", None), "kind", "") in ("M", "m"):  # NumPy's instants and lengths
                length = key - key  # a length in the key's own unit, which NumPy requires to be named
                step = type(length)(1, str(length.dtype).partition("[")[2].rstrip("]"))
            else:
                step = type(key).resolution
            moved = plus(key, step) if up else minus(key, step)
        further = bool(key < moved if up else moved < key)
    except OverflowError as exc:
        raise LookupError(key) from exc
    except LACKING:
        raise
    except Exception as exc:
        raise KeyTypeError(
            key,
            f"has no {'next' if up else 'previous'} key, and with bounds '[]' free time begins and ends at one "
            "(whole numbers, floats, dates and datetimes have; other types by a `resolution` that can be added)",
        ) from exc
    if not further:
        raise LookupError(key)
    return moved


# -- sets of points --------------------------------------------------------------------------------


def union(*streams: Iterable[Span]) -> Iterator[Span]:
    """Yield what at least one stream covers, as disjoint spans that do not touch. Spans of one stream may overlap.

    Complexity: O(log streams) for each span.

    >>> list(union([(1, 3), (8, 9)], [(3, 5), (4, 6)]))
    [(1, 6), (8, 9)]
    """
    held: Span | None = None
    for start, end in in_order(*streams):
        if held is None:
            held = start, end
        elif held[1] is None:
            break
        elif start is not None and held[1] < start:
            yield held
            held = start, end
        elif end is None or held[1] < end:
            held = held[0], end
    if held is not None:
        yield held


def complement(spans: Iterable[Span], start: Any, end: Any) -> Iterator[Span]:
    """Yield the parts of ``[start, end)`` that no span covers. Spans come in order of start and may overlap or touch.

    Stops reading once a span reaches the end. Answers that begin at *start* or stop at *end* have these very objects.

    Complexity: O(1) for each span.

    >>> list(complement([(1, 3), (3, 5), (7, None)], 0, 9))
    [(0, 1), (5, 7)]
    """
    left, open_left = start, start is None  # open_left: there is no bound on the left, and nothing is covered yet
    for low, high in spans:
        if low is not None and (open_left or left < low):
            if end is not None and not low < end:
                break
            yield left, low
        if high is None or (end is not None and not high < end):
            return
        if open_left or left < high:
            left, open_left = high, False
    if open_left or end is None or left < end:
        yield left, end


def intersection(*streams: Iterable[Span]) -> Iterator[Span]:
    """Yield what every stream covers. Each stream has disjoint spans that do not touch. Complexity: as `quorum`.

    >>> list(intersection([(1, 5), (6, 9)], [(0, 2), (4, 7)]))
    [(1, 2), (4, 5), (6, 7)]
    """
    return quorum(streams, len(streams))


def quorum(streams: Iterable[Iterable[Span]], needed: int) -> Iterator[Span]:
    """Yield the maximal spans that the same *needed* streams, or more, cover from start to end.

    Each stream has disjoint spans that do not touch. If *needed* is less than the number of streams, answers may overlap:
    each is covered by other streams, and it is not enough that at every point some *needed* streams cover it. Answers come
    in order of start, and also of end. If *needed* is 0, the answer is the whole axis.

    Complexity: O(log streams) comparisons for each span.

    >>> list(quorum([[(1, 5)], [(3, 8)], [(4, 6)]], 2))
    [(3, 5), (4, 6)]
    """
    if needed < 1:
        yield None, None
        return
    # The ends of the spans that cover the present start, the latest end first. Up to the needed-th of these ends, enough
    # streams cover every point. A later start gives an answer only if this end is later than that of the last answer.
    ends: list[_Until] = []
    last: _Until | None = None
    rest = in_order(*streams)
    ahead = next(rest, None)
    while ahead is not None:
        start = ahead[0]
        while ends and start is not None and ends[-1].is_over(start):
            ends.pop()
        while True:  # the first without a comparison, so that each round reads on, whatever `<` answers
            insort(ends, _Until(ahead[1]))
            ahead = next(rest, None)
            if ahead is None or (start is not None if ahead[0] is None else start is None or start < ahead[0]):
                break
        if len(ends) >= needed:
            until = ends[needed - 1]
            if last is None or until < last:
                yield start, until.end
                last = until


class _Until:
    """The end of a span, in a list from the latest end to the earliest; None, no bound, is the latest."""

    __slots__ = ("end",)

    def __init__(self, end: Any) -> None:
        self.end = end

    def __lt__(self, other: _Until) -> bool:
        return other.end is not None and (self.end is None or bool(other.end < self.end))

    def is_over(self, start: Any) -> bool:
        return self.end is not None and not start < self.end


def in_order(*streams: Iterable[Any]) -> Iterator[Any]:
    """Yield the spans of several streams, each of which is in order of start, in order of start.

    Lazy: reads one span ahead of each stream. Complexity: O(log streams) comparisons for each span.
    """
    if len(streams) == 1:
        yield from streams[0]
        return
    heap = _heads(streams)
    while heap:
        head = heap[0]
        yield head.span
        following_span = next(head.rest, None)
        if following_span is None:
            heappop(heap)
        else:
            heapreplace(heap, _Head(following_span, head.rest))


def together(*streams: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield lists of the spans of several streams that have equal starts, in order of start.

    The streams are in order of start, and no start comes twice in one of them. Lazy: what follows a span is read when the
    next list is asked for. Complexity: O(log streams) comparisons for each span.

    >>> [sorted(spans) for spans in together([(1, "a"), (3, "b")], [(1, "c"), (2, "d")])]
    [[(1, 'a'), (1, 'c')], [(2, 'd')], [(3, 'b')]]
    """
    heap = _heads(streams)
    while heap:
        heads = [heappop(heap)]
        while heap and not heads[0] < heap[0]:
            heads.append(heappop(heap))
        yield [head.span for head in heads]
        for head in heads:
            for span in head.rest:
                heappush(heap, _Head(span, head.rest))
                break


def _heads(streams: Iterable[Iterable[Any]]) -> list[_Head]:
    """Return a heap of the first spans of streams."""
    heap = []
    for stream in streams:
        rest = iter(stream)
        for span in rest:
            heap.append(_Head(span, rest))
            break
    heapify(heap)
    return heap


class _Head:
    """The next span of a stream, in a heap by start."""

    __slots__ = ("rest", "span", "start")

    def __init__(self, span: Any, rest: Iterator[Any]) -> None:
        self.span, self.rest, self.start = span, rest, span[0]

    def __lt__(self, other: _Head) -> bool:
        if self.start is None or other.start is None:
            return other.start is not None
        return bool(self.start < other.start)


def fits(start: Any, length: Any, end: Any, rounded: bool = False) -> Any:
    """Return ``start + length`` if there is such a key and it is not after *end*, else None.

    *end* is a key, None for no bound, or for closed spans a `Place`. There is no such key beyond the last key of a type,
    and where a float rounds the whole length away: ``inf + 1.0`` is not after inf, and from 1e300 to itself is no span.
    With *rounded* such a rounded sum is returned, for callers that need at least this length.

    Raises: `KeyTypeError` when the length cannot be added to the key.
    """
    try:
        until = start + length if type(start) in OWN and type(length) in OWN else plus(start, length)
        if not rounded and not start < until and (until < start or (isinstance(length, Number) and bool(length))):
            return None
        if end is None:
            return until
        if isinstance(end, Place):
            return None if end < Place(until, True) else until
        return None if end < until else until
    except OverflowError:
        return None
    except (BookcoreError, *LACKING):
        raise
    except Exception as exc:
        raise KeyTypeError(start, f"cannot be moved by a length ({type(exc).__name__}: {exc})") from exc
