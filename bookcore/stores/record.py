"""The calendar's record of one resource: what is settled about it, and what its store keeps there.

    settled when it is registered       id, resource, number, capacity, before, after
    what decides beside bookings        guarded, closures, hours
    how many bookings stand             count
    the store's own                     state
    the store's offer to be passed by   free

The catalog makes it, the calendar keeps it up to date, and stores read it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

__all__ = ["ResourceRecord"]


class ResourceRecord:
    """The calendar's record of one resource, as stores see it."""

    __slots__ = (
        "after",
        "before",
        "calendar",
        "capacity",
        "closures",
        "free",
        "guarded",
        "hours",
        "id",
        "number",
        "plain",
        "resource",
        "standing",
        "state",
        "tally",
    )

    def __init__(
        self, id: Hashable, resource: Any, number: int, capacity: int, before: Any = None, after: Any = None
    ) -> None:
        self.id = id
        self.resource = resource
        self.number = number
        self.capacity = capacity
        self.before = before
        self.after = after
        self.exclusive_or_not()
        self.calendar: Any = None
        self.standing = 0
        self.tally: Any = self
        # More than bookings decides: closures (a record of the same number, in the store of closures) or hours.
        self.guarded = False
        self.closures: Any = None
        self.hours: Any = None
        self.state: Any = None  # the store's own
        # May be offered by a store for an exclusive resource without turnaround: see `offer`.
        self.free: Any = None

    @property
    def count(self) -> int:
        """How many bookings stand on it; the calendar keeps it up to date.

        Kept where a booking has to look in any case: in the store's lane, if it offered one, else here.
        """
        standing: int = self.tally.standing
        return standing

    @count.setter
    def count(self, standing: int) -> None:
        self.tally.standing = standing

    def offer(self, lane: Any) -> None:
        """Take what decides and books for one unit, by bookings alone, past the store; or None. O(1).

        It has ``is_free(start, end)``, ``claim(start, end, event)``, an ``answer`` (see `bookcore.stores.memory.exclusive`), room for a
        ``holder`` and for the count of what is ``standing``. It spares the commonest calls the way through record and store.
        """
        before, self.free = self.free, lane
        if before is not None:
            before.holder = None
        standing = self.count
        self.tally = self if lane is None else lane
        self.count = standing
        self.publish()

    def publish(self) -> None:
        """Let the resource itself hold what answers for it, as long as nothing but bookings decides.

        Asking a random one of 100,000 resources is waiting for memory, and this is a way past the record.
        """
        resource, lane = self.resource, self.free
        if getattr(resource, "_entry", None) is self:
            shown = None if self.guarded else lane
            if lane is not None:
                lane.holder = None if shown is None else resource
            object.__setattr__(resource, "_lane", shown)
            object.__setattr__(resource, "_free", None if shown is None else shown.answer)

    def exclusive_or_not(self) -> None:
        """Settle ``plain``: one unit and no turnaround, so that its bookings alone say when it is free."""
        self.plain = self.capacity == 1 and self.before is None and self.after is None

    def __repr__(self) -> str:
        return f"Entry({self.id!r}, number={self.number}, capacity={self.capacity})"
