"""Holds and their deadlines.

    deadlines    (9:00, 1) (9:00, 4) | (9:05, 2) (9:30, 3)       in order; some holds may be confirmed or released by now
                                   passed

A deadline is found in the list by comparisons, which may fail, so the deadline of a hold that is confirmed or released stays
there, until it has passed or `tidy` finds that most of the deadlines are of that kind.

Invariants: ``until`` maps the number of each held booking to its deadline, or to None. If there is a clock, each of these
deadlines is in ``deadlines``, after the first ``passed``, and ``timed`` is their number. ``deadlines`` is in order; equal
deadlines are in order of number. After `tidy`, no deadline is left if ``timed`` is 0.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable
from itertools import chain, islice, pairwise
from operator import itemgetter
from typing import Any, TypeAlias

from bookcore.model.errors import LACKING, InvalidKeyError, KeyTypeError, QueryError, blaming, brief_key
from bookcore.model.keys import KeyFamily, incomparable

REMEMBERED = 10_000
"""How many expired holds are remembered, at least."""

Due: TypeAlias = tuple[Any, int]
"""A deadline and the number of the booking."""

_MISSING: Any = object()
_deadline_of = itemgetter(0)
_number_of = itemgetter(1)


class Holds:
    """The holds of one calendar. Not thread-safe: used under the calendar's lock."""

    __slots__ = ("clock", "deadlines", "expired", "family", "passed", "timed", "until")

    def __init__(self, clock: Callable[[], Any] | None) -> None:
        self.clock = clock
        self.until: dict[int, Any] = {}
        self.deadlines: list[Due] = []
        self.passed = 0  # how many of the deadlines have passed
        self.timed = 0  # how many bookings are held until a deadline
        self.family = KeyFamily(True, self._held, "the other deadlines")
        self.expired: dict[Hashable, Any] = {}  # deadlines of the latest expired holds by id, for the error of `confirm`

    def _held(self) -> Iterable[Any]:
        """Return all deadlines that a new one may be compared with, here or in a calendar that has a clock."""
        known = chain(map(_deadline_of, self.deadlines[self.passed :]), self.until.values())
        return (until for until in known if until is not None)

    def check_clock(self, where: object) -> None:
        """Raise `QueryError` if bookings read from *where* are held until a deadline, and there is no clock. O(holds)."""
        count = sum(until is not None for until in self.until.values())
        if self.clock is None and count:
            counted = f"has {count:,} holds with deadlines" if count > 1 else "has a hold with a deadline"
            way = "give clock=..., or clock=None if they are to stand until confirmed or removed"
            raise QueryError(where, f"{counted}: {way}")

    def now(self, calendar: object) -> Any:
        """Return the clock's instant. Raises: `QueryError` when there is no clock, `KeyTypeError` for an invalid instant."""
        if self.clock is None:
            way = "make or open it with clock=..., a function that tells it"
            raise QueryError(calendar, f"it cannot know the time: {way}")
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

        Raises: `KeyTypeError` when deadlines cannot be compared, even if there is no clock: a snapshot is restored with one.
        """
        if until is None:
            return None
        self.family.point(until)
        if self.clock is None:  # then holds run out only by `Calendar.apply`
            return None
        with blaming(lambda exc: KeyTypeError(until, f"cannot be compared with other deadlines ({type(exc).__name__})")):
            high = bisect_right(self.deadlines, until, self.passed, key=_deadline_of)
            low = bisect_left(self.deadlines, until, self.passed, high, key=_deadline_of)
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
        self.timed += self._is_timed(until)

    def drop(self, seq: int) -> None:
        """Mark a booking as not held. O(1): its deadline stays in the list."""
        self.timed -= self._is_timed(self.until.pop(seq, None))

    def _is_timed(self, until: Any) -> bool:
        return until is not None and self.clock is not None

    def tidy(self) -> None:
        """Remove the deadlines of bookings that are not held any more, when they are most of all. O(1), amortised.

        No deadline is compared.
        """
        if len(self.deadlines) - self.passed > 2 * self.timed:
            self.deadlines = [due for due in self.deadlines[self.passed :] if self.is_current(due)] if self.timed else []
            self.passed = 0

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
        except LACKING:
            raise
        except Exception as exc:
            reason = f"the clock's instant cannot be compared with deadlines ({type(exc).__name__})"
            raise KeyTypeError(now, reason) from exc

    def pass_by(self, count: int) -> None:
        """Mark the next *count* deadlines as passed. O(1), amortised."""
        self.passed += count
        if 2 * self.passed > len(self.deadlines):
            del self.deadlines[: self.passed]
            self.passed = 0

    def put_back(self, due: list[Due]) -> None:
        """Restore passed deadlines, which are the latest that passed, if the bookings are held still. O(their number)."""
        self.deadlines[self.passed : self.passed] = filter(self.is_current, due)
        self.tidy()

    def repair(self) -> None:
        """Make the deadlines anew from ``until``, after a change was cut off. O(holds). A missing one is compared."""
        known = {due[1]: due for due in self.deadlines if self.is_current(due)}
        self.deadlines, self.passed = list(known.values()), 0
        timed = {seq: until for seq, until in self.until.items() if self._is_timed(until)}
        for seq, until in timed.items():
            if seq not in known:
                position = self.position(until, seq)
                if position is not None:
                    self.deadlines.insert(position, (until, seq))
        self.timed = len(timed)

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
        if self.timed != sum(map(self._is_timed, self.until.values())) or len(ahead) > 2 * self.timed:
            raise AssertionError(f"{len(ahead)} deadlines, {self.timed} counted as held")
        for seq, until in self.until.items():
            if not is_active(seq):
                raise AssertionError(f"a hold of booking {seq}, which is not active")
            if until is not None and self.clock is not None and not any(u is until and s == seq for u, s in ahead):
                raise AssertionError(f"the hold of booking {seq} has no deadline")
        for (until, seq), (next_until, next_seq) in pairwise(ahead):
            if next_until < until or (not until < next_until and next_seq < seq):
                raise AssertionError("deadlines out of order")
