"""Holds and their deadlines.

    deadlines    (9:00, 1) (9:00, 4) | (9:05, 2) (9:30, 3)       in order; some holds may be confirmed or released by now
                                   passed

Invariants: ``until`` maps the number of each held booking to its deadline, or to None. If there is a clock, each of these
deadlines is in ``deadlines``, after the first ``passed``. ``deadlines`` is in order; equal deadlines are in order of number.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable
from itertools import islice, pairwise
from operator import itemgetter
from typing import Any, TypeAlias

from bookcore.model.errors import InvalidKeyError, KeyTypeError, QueryError, brief_key
from bookcore.model.keys import KeyFamily, incomparable

__all__ = ["Holds"]

REMEMBERED = 10_000
"""How many expired holds are remembered, at least."""

Due: TypeAlias = tuple[Any, int]
"""A deadline and the number of the booking."""

_MISSING: Any = object()
_deadline_of = itemgetter(0)
_number_of = itemgetter(1)


class Holds:
    """The holds of one calendar. Not thread-safe: used under the calendar's lock."""

    __slots__ = ("clock", "deadlines", "expired", "family", "passed", "until")

    def __init__(self, clock: Callable[[], Any] | None) -> None:
        self.clock = clock
        self.until: dict[int, Any] = {}
        self.deadlines: list[Due] = []
        self.passed = 0  # how many of the deadlines have passed
        self.family = KeyFamily(True, lambda: map(_deadline_of, self.deadlines[self.passed :]), "the other deadlines")
        self.expired: dict[Hashable, Any] = {}  # deadlines of the latest expired holds by id, for the error of `confirm`

    def now(self, calendar: object) -> Any:
        """Return the clock's instant. Raises: `QueryError` when there is no clock, `KeyTypeError` for an invalid instant."""
        if self.clock is None:
            raise QueryError(calendar, "it cannot know the time: Calendar(clock=...) takes a function that tells it")
        now = self.clock()
        try:
            return self.family.point(now)
        except InvalidKeyError:  # NaN and NaT are not less than any deadline: every hold would run out
            raise KeyTypeError(now, "the clock tells no instant") from None
        except KeyTypeError as exc:
            raise KeyTypeError(now, f"the clock's instant {exc.reason}") from exc

    def deadline(self, until: Any, now: Any) -> Any:
        """Return a deadline in index form. Raises: `KeyTypeError` if it cannot be compared with the clock's instant."""
        held = self.family.point(until)
        if (why := incomparable(now, held)) is not None:
            raise KeyTypeError(until, f"cannot be compared with the clock's {brief_key(now)} ({why})")
        return held

    def position(self, until: Any, seq: int) -> int | None:
        """Return the position at which to insert a deadline, or None if it is not to be inserted. O(log holds).

        Raises: `KeyTypeError` when deadlines cannot be compared.
        """
        if until is None or self.clock is None:  # without a clock, holds run out only by `Calendar.apply`
            return None
        self.family.point(until)
        try:
            high = bisect_right(self.deadlines, until, self.passed, key=_deadline_of)
            low = bisect_left(self.deadlines, until, self.passed, high, key=_deadline_of)
        except Exception as exc:
            raise KeyTypeError(until, f"cannot be compared with other deadlines ({type(exc).__name__})") from exc
        at = bisect_right(self.deadlines, seq, low, high, key=_number_of)
        if at > low and self.deadlines[at - 1][1] == seq and self.deadlines[at - 1][0] is until:
            return None  # it is still in the list: a confirmation or a release is being undone
        return at

    def put(self, seq: int, until: Any, position: int | None) -> None:
        """Mark a booking as held; *position* is the result of `position`. O(1), and a move of memory."""
        if position is not None:
            self.deadlines.insert(position, (until, seq))
            self.family.learn(until)
        self.until[seq] = until

    def drop(self, seq: int) -> Any:
        """Mark a booking as not held; return its deadline. O(1): the deadline stays in the list until it has passed."""
        return self.until.pop(seq, None)

    def is_current(self, due: Due) -> bool:
        """Tell whether a booking is still held with this deadline. O(1)."""
        return self.until.get(due[1], _MISSING) is due[0]

    def due(self, now: Any) -> list[Due]:
        """Return the deadlines that the instant *now* has reached. O(log holds + answers).

        Raises: `KeyTypeError` when the instant cannot be compared with the deadlines.
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
        """Mark the next *count* deadlines as passed, except those in *failed*. O(1), amortised."""
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
        """Remember that a hold has run out. O(1), amortised."""
        expired = self.expired
        expired[id] = until
        if len(expired) > 2 * REMEMBERED:  # in batches: iteration over a dict passes the places of all deleted keys
            for old in list(islice(expired, len(expired) - REMEMBERED)):
                del expired[old]

    def forget(self, id: Hashable) -> None:
        """Forget that a hold with this id has run out. O(1)."""
        if self.expired:
            self.expired.pop(id, None)

    def check(self, is_active: Callable[[int], bool]) -> None:
        """Raise AssertionError unless the invariants hold. O(holds)."""
        ahead = self.deadlines[self.passed :]
        for seq, until in self.until.items():
            if not is_active(seq):
                raise AssertionError(f"a hold of booking {seq}, which is not active")
            if until is not None and self.clock is not None and not any(u is until and s == seq for u, s in ahead):
                raise AssertionError(f"the hold of booking {seq} has no deadline")
        for (until, seq), (next_until, next_seq) in pairwise(ahead):
            if next_until < until or (not until < next_until and next_seq < seq):
                raise AssertionError("deadlines out of order")
