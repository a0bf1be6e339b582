"""The strategy ``"best_fit"``: the size of the gap around a free span.

    |--booking--|      [ span )        |--booking--|
                |<------- gap -------->|

The gap is the longest bookable span around the span (`Rules.allows`), so closures, opening hours, buffers and usage bound
it as bookings do. On the right it ends at the start of the first blocked span. On the left blocked spans cannot be
iterated backwards, so windows are searched, see `windows_back`. Keys are only compared and subtracted: with closed bounds
too, a gap is measured between the ends of blocked spans, so that no key needs a neighbour.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from numbers import Number
from typing import Any

from bookcore.engine.rules import Rules
from bookcore.index.span_algebra import Place, following
from bookcore.model.arithmetic import difference, doubled, minus
from bookcore.model.errors import KeyTypeError, attempt, blaming
from bookcore.stores.record import ResourceRecord

DOUBLINGS = 40
"""The number of windows of a search back before it reaches back without bound."""

Size = tuple[int, bool, Any]
"""Number of unbounded sides of a gap, whether its length overflows the keys' type of length, and its length."""


def tightest(rules: Rules, records: Iterable[ResourceRecord], low: Any, high: Any, quantity: int) -> ResourceRecord | None:
    """Return the record with the smallest gap around a span, the first of equals. The span is available on all records.

    Raises: `KeyTypeError` for keys that cannot be subtracted, also without records.
    Complexity: for each record O(log m) for each doubling; O(m) where the span has no end.
    """
    key = high if low is None else low
    if key is not None:
        distance(key, key)
    best: ResourceRecord | None = None
    least: Size = 0, False, None
    for record in records:
        size = gap_size(rules, record, low, high, quantity)
        if best is None or is_smaller(size, least):
            best, least = record, size
    return best


def is_smaller(size: Size, least: Size) -> bool:
    """Tell whether a gap is smaller than another one."""
    if size[:2] != least[:2] or size[2] is None:
        return size[:2] < least[:2]
    return bool(size[2] < least[2])


def gap_size(rules: Rules, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Size:
    """Return the size of the gap. A side on which the span itself is unbounded does not count; no length: None."""
    left = None if low is None else _left(rules, record, low, high, quantity)
    right = None if high is None else _right(rules, record, low, high, quantity)
    unbounded = (low is not None and left is None) + (high is not None and right is None)
    if left is None and right is None:
        return unbounded, False, None
    # if the span or the gap is unbounded on one side, the length is measured from the span's other end
    first = left if left is not None else high if low is None else low
    last = right if right is not None else low if high is None else high
    try:
        return unbounded, False, distance(first, last)
    except OverflowError:
        return unbounded, True, None


def _right(rules: Rules, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Any:
    """Return the end of the gap."""
    end = None
    for start, _ in rules.blocked_spans(record, high, None, quantity):
        end = start.key if isinstance(start, Place) else start
        break
    if record.hours is not None:
        for _, closes in rules.free((), record.hours, low, None):
            return closes if end is None or (closes is not None and closes < end) else end
    return end


def _left(rules: Rules, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Any:
    """Return the start of the gap."""
    start = None
    if not _open_left(rules, record, high, quantity):
        right = low
        for left, _ in windows_back(low, high):
            for _, end in rules.blocked_spans(record, left, right, quantity):
                key = end.key if isinstance(end, Place) else end
                start = key if start is None or start < key else start
            if start is not None:
                break
            right = left
    hours = record.hours
    if hours is not None:
        # going back by the longest opening is enough; if it is unknown, few weeks differ from the others
        opens, _ = deque(rules.free((), hours, _before(low, hours.longest), high), maxlen=1)[0]
        return opens if start is None or (opens is not None and start < opens) else start
    return start


def _open_left(rules: Rules, record: ResourceRecord, high: Any, quantity: int) -> bool:
    """Tell whether everything before the end of the span is free, apart from opening hours."""
    others = (rule for rule in record.rules if rule is not rules.hours)
    return all(rule.allows(record, None, high, quantity) for rule in others) and rules.bookings.allows(
        record, None, high, quantity
    )


def windows_back(low: Any, high: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the starts of windows before a span, each with its length and twice as long as the one before.

    The last one is None, unbounded, and so is its length. The first is as long as the span; before a span of a single key a
    day for times, because opening hours are given for days, 1 for numbers, and else the distance to the next key.
    """
    if high is None:
        length = None
    elif low < high:
        length = attempt(lambda: difference(high, low), None)
    elif isinstance(low, date | timedelta):
        length = timedelta(days=1)
    elif isinstance(low, Number):
        length = 1
    else:
        length = attempt(lambda: difference(following(low), low), None)  # it may be the last of its type
    for _ in range(DOUBLINGS):
        low = _before(low, length)
        if low is None:
            break
        yield low, length
        length = doubled(length)
    yield None, None


def _before(key: Any, length: Any) -> Any:
    """Return the key earlier by a length, or None (unbounded) if there is no such key, or no length."""

    def earlier() -> Any:
        moved = minus(key, length)
        return moved if moved < key else None

    return attempt(earlier, None)


def distance(earlier: Any, later: Any) -> Any:
    """Return the length between two keys. Raises: OverflowError, `KeyTypeError`."""
    with blaming(
        lambda exc: KeyTypeError(later, f"keys like it have no lengths to compare ({type(exc).__name__})"), OverflowError
    ):
        return difference(later, earlier)
