"""How tightly a span fits where it is free: the gap around it, measured, for the strategy ``"best_fit"``.

    |--one--|      [ span )        |--two--|
            |<------ gap --------->|

The gap is what can be booked around the span (`Rules.allows`), so closures, opening hours, turnaround and the units that
are left bound it as bookings do. To the right it ends where the first blocked span begins. To the left nothing leads
there, so windows are searched that reach back twice as far each time. Ends are compared and subtracted, nothing else:
with closed bounds too a gap reaches from what ends before to what begins after, so that no key needs a neighbour.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from bookcore.engine.rules import Rules
from bookcore.index.span_algebra import Place, following
from bookcore.model.arithmetic import difference, doubled, minus
from bookcore.model.errors import KeyTypeError
from bookcore.stores.record import ResourceRecord

__all__ = ["tightest"]

Size = tuple[int, bool, Any]
"""On how many sides a gap is unbounded, whether it is longer than a length of the keys' type can be, and its length."""


def tightest(rules: Rules, records: Iterable[ResourceRecord], low: Any, high: Any, quantity: int) -> ResourceRecord | None:
    """Return the record with the smallest gap around a span that is available on all of them, the first of equals.

    Raises: `KeyTypeError` for keys that cannot be subtracted, whatever the records.
    Complexity: for each record O(log m) for each doubling; O(m) where the span has no end.
    """
    key = high if low is None else low
    if key is not None:
        _minus(key, key)
    best: ResourceRecord | None = None
    least: Size = 0, False, None
    for record in records:
        size = _size(rules, record, low, high, quantity)
        if best is None or _smaller(size, least):
            best, least = record, size
    return best


def _smaller(one: Size, other: Size) -> bool:
    if one[:2] != other[:2] or one[2] is None:
        return one[:2] < other[:2]
    return bool(one[2] < other[2])


def _size(rules: Rules, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Size:
    """Return on how many sides only the gap is unbounded, and how long it is on the others (None: no other, or too long)."""
    left = None if low is None else _left(rules, record, low, high, quantity)
    right = None if high is None else _right(rules, record, low, high, quantity)
    unbounded = (low is not None and left is None) + (high is not None and right is None)
    if left is None and right is None:
        return unbounded, False, None
    # where the span itself is unbounded, or the gap, its length is measured from the span's other end
    first = left if left is not None else high if low is None else low
    last = right if right is not None else low if high is None else high
    try:
        return unbounded, False, _minus(last, first)
    except OverflowError:
        return unbounded, True, None


def _right(rules: Rules, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Any:
    """Return where the gap ends."""
    end = None
    for start, _ in rules.blocked_spans(record, high, None, quantity):
        end = start.key if isinstance(start, Place) else start
        break
    if record.hours is not None:
        for _, closes in rules.free((), record.hours, low, None):
            return closes if end is None or (closes is not None and closes < end) else end
    return end


def _left(rules: Rules, record: ResourceRecord, low: Any, high: Any, quantity: int) -> Any:
    """Return where the gap begins."""
    start = None
    if not _open_left(rules, record, high, quantity):
        left, back = low, _length(low, high)
        while start is None:
            left, right = _before(left, back), left
            for _, end in rules.blocked_spans(record, left, right, quantity):
                key = end.key if isinstance(end, Place) else end
                start = key if start is None or start < key else start
            back = doubled(back)
    hours = record.hours
    if hours is not None:
        # as far back as the longest opening; where there is none such, few weeks differ from the others
        opens, _ = deque(rules.free((), hours, _before(low, hours.longest), high), maxlen=1)[0]
        return opens if start is None or (opens is not None and start < opens) else start
    return start


def _open_left(rules: Rules, record: ResourceRecord, high: Any, quantity: int) -> bool:
    """Tell whether nothing at all but opening hours is in the way before the span."""
    others = (rule for rule in record.rules if rule is not rules.hours)
    return all(rule.allows(record, None, high, quantity) for rule in others) and rules.bookings.allows(
        record, None, high, quantity
    )


def _length(low: Any, high: Any) -> Any:
    """Return a length to look back by, or None: there is none."""
    if high is None:
        return None
    try:
        if low < high:
            return _minus(high, low)
    except OverflowError:
        return None
    try:  # a span of one key: as long as one key is
        return _minus(following(high), low)
    except (LookupError, OverflowError, KeyTypeError):
        return None


def _before(key: Any, length: Any) -> Any:
    """Return a key earlier by a length; None, without bound, where there is none."""
    try:
        earlier = minus(key, length)
        return earlier if earlier < key else None
    except Exception:  # no length, or beyond the first key of the type
        return None


def _minus(one: Any, other: Any) -> Any:
    """Return how far it is from one key to an earlier one. Raises: OverflowError, `KeyTypeError`."""
    try:
        return difference(one, other)
    except OverflowError:
        raise
    except Exception as exc:
        raise KeyTypeError(one, f"keys like it have no lengths to compare ({type(exc).__name__})") from exc
