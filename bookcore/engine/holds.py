"""Holds, and when they run out.

    deadlines    (9:00, 1) (9:00, 4) | (9:05, 2) (9:30, 3)       in order; some belong to holds that are no more
                                   passed

Invariants: ``until`` has each hold by the number of its booking, with its deadline or None; each deadline in it is among
those not passed, if there is a clock; deadlines are in order, equal ones in order of number.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable
from itertools import islice, pairwise
from operator import itemgetter
from typing import Any, TypeAlias

from bookcore.model.errors import KeyTypeError, QueryError
from bookcore.model.keys import normal

__all__ = ["Holds"]

REMEMBERED = 10_000
"""How many holds that ran out are remembered, at least."""

Due: TypeAlias = tuple[Any, int]
"""A deadline and the number of the booking."""

_MISSING: Any = object()
_deadline_of = itemgetter(0)
_number_of = itemgetter(1)


class Holds:
    """The holds of one calendar. Not thread-safe: it stays behind the calendar's lock."""

    __slots__ = ("clock", "deadlines", "expired", "passed", "until")

    def __init__(self, clock: Callable[[], Any] | None) -> None:
        self.clock = clock
        self.until: dict[int, Any] = {}
        self.deadlines: list[Due] = []
        self.passed = 0  # how many of them have passed
        self.expired: dict[Hashable, Any] = {}  # the last few holds that ran out, by id: so that `confirm` can say so

    def now(self, calendar: object) -> Any:
        """Ask the clock. Raises: `QueryError` when there is none, `KeyTypeError` for what is no instant."""
        if self.clock is None:
            raise QueryError(calendar, "it cannot know the time: Calendar(clock=...) takes a function that tells it")
        now = self.clock()
        try:
            none = bool(now != now)
        except Exception as exc:
            raise KeyTypeError(now, f"the clock's instant cannot be compared ({type(exc).__name__})") from exc
        if none:  # a NaN or NaT comes before no deadline: every hold would run out
            raise KeyTypeError(now, "the clock tells no instant")
        return normal(now)

    def position(self, until: Any, seq: int) -> int | None:
        """Return where a deadline belongs, or None where none is to be put: it is there, or there is none, or no clock.

        O(log holds).

        Raises: `KeyTypeError` when deadlines cannot be compared.
        """
        if until is None or self.clock is None:  # without a clock, a hold runs out when a change says so
            return None
        try:
            high = bisect_right(self.deadlines, until, self.passed, key=_deadline_of)
            low = bisect_left(self.deadlines, until, self.passed, high, key=_deadline_of)
        except Exception as exc:
            raise KeyTypeError(until, f"cannot be compared with other deadlines ({type(exc).__name__})") from exc
        at = bisect_right(self.deadlines, seq, low, high, key=_number_of)
        if at > low and self.deadlines[at - 1][1] == seq and self.deadlines[at - 1][0] is until:
            return None  # of a hold that was confirmed or released, which is undone
        return at

    def put(self, seq: int, until: Any, position: int | None) -> None:
        """Mark a booking as held; *position* is what `position` returned. O(1), and a move of memory."""
        if position is not None:
            self.deadlines.insert(position, (until, seq))
        self.until[seq] = until

    def drop(self, seq: int) -> Any:
        """Mark a booking as held no longer; return its deadline.

        O(1): the deadline stays in the list until it has passed.
        """
        return self.until.pop(seq, None)

    def is_current(self, due: Due) -> bool:
        """Tell whether a deadline is that of a hold, and not of one that was confirmed, released or given another. O(1)."""
        return self.until.get(due[1], _MISSING) is due[0]

    def due(self, now: Any) -> list[Due]:
        """Return the deadlines that the instant has reached. O(log holds + answers).

        Raises: `KeyTypeError` when the instant cannot be compared with them.
        """
        deadlines, passed = self.deadlines, self.passed
        try:
            if passed == len(deadlines) or now < deadlines[passed][0]:
                return []
            return deadlines[passed : bisect_right(deadlines, now, passed, key=_deadline_of)]
        except Exception as exc:
            reason = f"the clock's instant cannot be compared with deadlines ({type(exc).__name__})"
            raise KeyTypeError(now, reason) from exc

    def pass_by(self, count: int, failed: list[Due]) -> None:
        """Have so many more deadlines passed, but for those that *failed*. O(1), amortised."""
        self.passed += count
        if failed:
            self.deadlines[self.passed : self.passed] = failed
        if self.passed == len(self.deadlines):
            self.deadlines.clear()
            self.passed = 0
        elif 2 * self.passed > len(self.deadlines):
            del self.deadlines[: self.passed]
            self.passed = 0

    def remember(self, id: Hashable, until: Any) -> None:
        """Remember that a hold ran out. O(1), amortised."""
        expired = self.expired
        expired[id] = until
        if len(expired) > 2 * REMEMBERED:  # seldom: each time, Python walks past all that was ever dropped
            for old in list(islice(expired, len(expired) - REMEMBERED)):
                del expired[old]

    def check(self, is_active: Callable[[int], bool]) -> None:
        """Raise AssertionError unless the invariants hold. O(holds)."""
        ahead = self.deadlines[self.passed :]
        for seq, until in self.until.items():
            if not is_active(seq):
                raise AssertionError(f"a hold of booking {seq}, which is not active")
            if until is not None and self.clock is not None and not any(u is until and s == seq for u, s in ahead):
                raise AssertionError(f"the hold of booking {seq} has no deadline")
        for (one, first), (other, second) in pairwise(ahead):
            if other < one or (not one < other and second < first):
                raise AssertionError("deadlines out of order")
