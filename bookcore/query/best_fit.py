"""The strategy ``"best_fit"``: the size of the gap around a free span.

    |--booking--|      [ span )        |--booking--|
                |<------- gap -------->|

The gap is the longest bookable span around the span (`Rules.allows`), so closures, opening hours, buffers and usage bound
it as bookings do. On the right it ends at the start of the first blocked span. On the left blocked spans cannot be
iterated backwards, so windows are searched, each reaching back twice as far as the one before. Keys are only compared and
subtracted: with closed bounds too, a gap is measured between the ends of blocked spans, so that no key needs a neighbour.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from bookcore.engine.rules import Rules
from bookcore.index.span_algebra import Place, following
from bookcore.model.arithmetic import difference, doubled, minus
from bookcore.model.errors import LACKING, KeyTypeError, blaming
from bookcore.stores.record import ResourceRecord

DOUBLINGS = 40
"""How often a search back is doubled before it reaches back without bound."""

Size = tuple[int, bool, Any]
"""Number of unbounded sides of a gap, whether its length overflows the keys' type of length, and its length."""


def tightest(rules: Rules, records: Iterable[ResourceRecord], low: Any, high: Any, quantity: int) -> ResourceRecord | None:
    """Return the record with the smallest gap around a span, the first of equals. The span is available on all records.

    Raises: `KeyTypeError` for keys that cannot be subtracted, also without records.
    Complexity: for each record O(log m) for each doubling; O(m) where the span has no end.
    """
    key = high if low is None else low
    if key is not None:
        _minus(key, key)
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
        return unbounded, False, _minus(last, first)
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
        left, back = low, _length(low, high)
        for doublings in range(DOUBLINGS, -1, -1):
            left, right = _before(left, back) if doublings else None, left
            for _, end in rules.blocked_spans(record, left, right, quantity):
                key = end.key if isinstance(end, Place) else end
                start = key if start is None or start < key else start
            if start is not None or left is None:
                break
            back = doubled(back)
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


def _length(low: Any, high: Any) -> Any:
    """Return a length by which to look back first, or None if the keys have no such length."""
    if high is None:
        return None
    try:
        if low < high:
            return _minus(high, low)
    except OverflowError:
        return None
    try:  # a span of one key: the distance to the next key
        return _minus(following(high), low)
    except (LookupError, OverflowError, KeyTypeError):
        return None


def _before(key: Any, length: Any) -> Any:
    """Return the key earlier by a length, or None (unbounded) if there is no such key."""
    try:
        earlier = minus(key, length)
        return earlier if earlier < key else None
    except LACKING:
        raise
    except Exception:  # the length is None, or the key would be before the first of its type
        return None


def _minus(later: Any, earlier: Any) -> Any:
    """Return the distance between two keys. Raises: OverflowError, `KeyTypeError`."""
    with blaming(
        lambda exc: KeyTypeError(later, f"keys like it have no lengths to compare ({type(exc).__name__})"), OverflowError
    ):
        return difference(later, earlier)
