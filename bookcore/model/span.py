"""Spans of keys: ``start, end``, of which None is unbounded."""

from __future__ import annotations

from typing import Any


def overlaps(start: Any, end: Any, other_start: Any, other_end: Any, closed: bool) -> bool:
    """Tell whether two spans share a point; None is unbounded, the ends of ``closed`` spans belong to them.

    >>> overlaps(9, 10, 10, 11, closed=False), overlaps(9, 10, 10, 11, closed=True)
    (False, True)
    """
    if closed:
        return (end is None or other_start is None or not end < other_start) and (
            other_end is None or start is None or not other_end < start
        )
    return (other_start is None or end is None or other_start < end) and (
        start is None or other_end is None or start < other_end
    )
