"""What keeps one resource from being booked, as spans in order; and what that leaves.

`Core._room` decides whether *one* span can be booked; here the same rule is turned around, to tell *which* can:

    bookings   a schedule's edges, or the runs of a profile that leave too little room, widened by turnaround
    closures   the runs of theirs
    hours      what `Hours.open_spans` leaves out

A booking [s, e) needs [s - before, e + after) to meet no full run [u, v): it must not overlap [u - after, v + before).
So every reason becomes disjoint unavailable spans of the booking itself, and what can be booked is what they leave.

Spans are half-open: of keys, or for closed bounds of places (`bookcore.index.span_algebra`). Streams are lazy over live indexes: to
be read while the calendar's lock is held, or copied.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from bookcore.index.span_algebra import Place, as_keys, as_places, complement, following, in_order, preceding
from bookcore.index.usage_profile import UsageProfile
from bookcore.model.errors import KeyTypeError
from bookcore.model.keys import HIGHEST, LOWEST, normal
from bookcore.model.lengths import clear_after, clear_before, reach
from bookcore.stores.generic import near
from bookcore.stores.memory.exclusive import ExclusiveIndex
from bookcore.stores.memory.live_usage import LiveUsage
from bookcore.stores.memory.tombstones import exact_state
from bookcore.stores.protocol import BookingStore
from bookcore.stores.record import ResourceRecord

__all__ = ["blocked", "booked", "closed", "free"]

Span: TypeAlias = tuple[Any, Any]


def blocked(
    store: BookingStore[Any], entry: ResourceRecord, low: Any, high: Any, quantity: int, is_closed: bool, length: Any = None
) -> Iterator[Span]:
    """Yield the spans, in order of start, that no booking of *quantity* may overlap, but for opening hours.

    They may overlap each other and reach out of the window. ``quantity <= entry.capacity``. Spans between which *length*
    does not fit may be yielded as one: with it, who looks for time of that length need not read all that is too short.

    Complexity: O(log m + spans) where the store keeps a schedule or a profile, as `MemoryStore` does; for others
    what their ``overlapping`` costs, and O(k log k) for k bookings in the window of a pool. With *length*, of a long
    schedule, as `GapSummary.first` for each gap long enough.
    """
    bookings = booked(store, entry, low, high, quantity, is_closed, length)
    if entry.closures is None:
        return bookings
    return in_order(bookings, closed(entry, low, high, is_closed))


def closed(entry: ResourceRecord, low: Any, high: Any, is_closed: bool) -> Iterator[Span]:
    """Yield where closures stand."""
    if entry.closures is None:
        return iter(())
    runs = entry.closures.state.profile.over(low, high, 0)
    return as_places(runs) if is_closed else runs


def booked(
    store: BookingStore[Any], entry: ResourceRecord, low: Any, high: Any, quantity: int, is_closed: bool, length: Any = None
) -> Iterator[Span]:
    """Yield where bookings leave no room for *quantity*, turnaround included."""
    state = exact_state(store, entry)
    if isinstance(state, ExclusiveIndex):
        spans = _edges(state, low, high, length)
    elif entry.plain:
        spans = ((normal(e.start), normal(e.end)) for e in store.overlapping(entry, low, high))
    else:
        use = _profile(store, entry, low, high, is_closed) if state is None else state
        spans = _widened(use, entry, low, high, quantity, is_closed)
    return as_places(spans) if is_closed else spans


def _edges(lane: ExclusiveIndex, low: Any, high: Any, length: Any) -> Iterator[Span]:
    """Yield the spans of a lane that overlap the window; several as one where *length* does not fit between them."""
    parts, long = lane.parts(), lane.long
    at = 0
    if long is not None and low is not None:
        firsts = long.firsts
        # the last part to begin at or before `low` may hold the span across it
        at = max(bisect_right(firsts, low, 1 if firsts and firsts[0] is LOWEST else 0) - 1, 0)
    begun, end = at, len(parts)
    if long is not None and high is not None:
        end = max(bisect_right(long.firsts, high, min(at + 1, len(long.firsts))), at + 1)
    while at < end:
        if long is not None and length is not None and at > begun:
            passed, at = at, min(long.widest.first(at, length), end - 1)
            if passed < at:
                yield _span(parts[passed].edges[0], parts[at - 1].edges[-1])
        part = parts[at]
        first, last = part.range(low, high)
        edges = part.edges
        for place in range(2 * first, 2 * last, 2):
            yield _span(edges[place], edges[place + 1])
        at += 1


def _span(start: Any, end: Any) -> Span:
    return None if start is LOWEST else start, None if end is HIGHEST else end


def _profile(store: BookingStore[Any], entry: ResourceRecord, low: Any, high: Any, is_closed: bool) -> UsageProfile:
    """Make the usage of a store that keeps none, as far as it matters for the window."""
    found = near(store.overlapping, entry, low, high, is_closed)
    profile = UsageProfile(is_closed)
    profile.add_all((*reach(entry, normal(e.start), normal(e.end)), e.quantity) for e in found)
    return profile


def _widened(
    use: UsageProfile | LiveUsage, entry: ResourceRecord, low: Any, high: Any, quantity: int, is_closed: bool
) -> Iterator[Span]:
    """Yield the runs without room for *quantity*, widened by what a booking keeps around itself."""
    first, last = reach(entry, low, high)
    for start, end in use.over(first, last, entry.capacity - quantity):
        # cut at the window's own reach: the booking itself is out of room from the window's end on, or up to it
        left = low if start is first else clear_before(start, entry.after, is_closed)
        yield left, high if end is last else clear_after(end, entry.before, is_closed)


def free(spans: Iterable[Span], hours: Any, low: Any, high: Any, is_closed: bool) -> Iterator[Span]:
    """Yield the maximal spans of keys that blocked spans and opening hours leave of the window, in order.

    The window's own ends come back as they are. With closed bounds they are closed spans of keys, see `as_keys`.
    """
    if not is_closed:
        for start, end in complement(spans, low, high):
            if hours is None:
                yield start, end
            else:
                yield from hours.open_spans(start, end)
        return
    first = None if low is None else Place(low, False)
    last = None if high is None else Place(high, True)
    for start, end in as_keys(complement(spans, first, last)):
        if hours is None:
            yield start, end
        else:
            yield from _open_closed(hours, start, end)


def _open_closed(hours: Any, low: Any, high: Any) -> Iterator[Span]:
    """Yield the open spans within ``[low, high]`` where openings hold their ends, one that only meets it too."""
    # asked of a window one key wider, so that an opening that ends at `low`, or begins at `high`, shows itself
    for opens, closes in hours.open_spans(_or_itself(preceding, low), _or_itself(following, high)):
        start = low if low is not None and (opens is None or not low < opens) else opens
        end = high if high is not None and (closes is None or not closes < high) else closes
        if start is None or end is None or not end < start:
            yield start, end


def _or_itself(neighbour: Any, key: Any) -> Any:
    if key is None:
        return None
    try:
        return neighbour(key)
    except (LookupError, KeyTypeError):
        return key
