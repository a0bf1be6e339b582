"""The calendar's record of one resource.

    fixed at registration               id, resource, number, capacity, before, after, is_exclusive
    rules other than bookings           rules, closures, hours
    number of active bookings           active_count
    data of the store                   state, fast_index

The registry makes the record, the engine keeps it up to date, and stores read it.

A `Resource` refers to its record through a slot, its *binding*. If bookings are the only rule and the store offers an index
of them (``fast_index``), the binding is that index itself: a question about a random one of 100,000 resources mostly waits
for memory, and this is the shortest path to the keys. Every binding has ``home``, the calendar, and ``edges``: the sorted
ends of the bookings, or None if the calendar must ask the store.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from typing import Any
from weakref import ref

from bookcore.model.errors import brief
from bookcore.model.resource import Resource
from bookcore.model.typecheck import is_a


class ResourceRecord:
    """The calendar's record of one resource, as stores see it."""

    __slots__ = (
        "__weakref__",
        "active",
        "after",
        "awaited",
        "before",
        "binding",
        "capacity",
        "closures",
        "crowded",
        "fast_index",
        "home",
        "hours",
        "id",
        "is_exclusive",
        "number",
        "resource",
        "rules",
        "state",
        "tally",
    )
    edges = None

    def __init__(
        self, id: Hashable, resource: Any, number: int, capacity: int, before: Any = None, after: Any = None
    ) -> None:
        self.id = id
        self.resource = resource
        self.number = number
        self.before = before
        self.after = after
        self.resize(capacity, False)
        self.home: Any = None  # the calendar
        self.rules: tuple[Any, ...] = ()  # rules other than bookings, see `bookcore.engine.rules`
        self.closures: Any = None  # the record of the same number in the store of closures
        self.hours: Any = None
        self.state: Any = None  # data of the store
        self.fast_index: Any = None
        self.binding: Any = self
        self.awaited = False  # whether a refusal waits for a change of this resource, see `CalendarState.refused`
        self.active = 0
        self.tally: Any = self

    def resize(self, capacity: int, crowded: bool) -> None:
        """Set the capacity. O(1).

        *crowded*: bookings that were made before may use more units than that. Once this is so it remains, because a
        greater capacity may be too small still, and the end of a block may bring back bookings that were removed in it.
        """
        self.capacity = capacity
        self.crowded = crowded
        # One unit and no buffers: the bookings never overlap.
        self.is_exclusive = capacity == 1 and not crowded and self.before is None and self.after is None

    @property
    def active_count(self) -> int:
        """The number of active bookings. It is kept in the fast index, if there is one: a booking reads that anyway."""
        count: int = self.tally.active
        return count

    @active_count.setter
    def active_count(self, count: int) -> None:
        self.tally.active = count

    def offer(self, index: Any) -> None:
        """Set the store's fast index, or None. Without other rules, it checks and books one unit by itself. O(1).

        It has ``home``, ``edges``, ``record``, ``active`` and ``insert_if_free(start, end, seq)``.
        """
        count = self.tally.active
        self.fast_index = index
        self.tally = tally = self if index is None else index
        tally.active = count
        self.publish()

    def set_rule(self, rule: Any, applies: bool) -> None:
        """Have a rule other than bookings concern the resource, as the last one, or not. O(rules)."""
        others = tuple(other for other in self.rules if other is not rule)
        self.rules = (*others, rule) if applies else others
        self.publish()

    def publish(self) -> None:
        """Bind the resource to the fast index if there is one, no other rule, and no refusal, else to this record. O(1)."""
        before = self.binding
        self.binding = self if self.fast_index is None or self.rules or self.awaited else self.fast_index
        if self.fast_index is not None:
            self.fast_index.home = self.home if self.binding is self.fast_index else None
        resource = self.resource
        if before is not self.binding and is_a(resource, Resource) and getattr(resource, "_binding", None) is before:
            object.__setattr__(resource, "_binding", self.binding)

    def homes(self) -> tuple[Any, ...]:
        """Return the calendars that a resource with this binding is in."""
        return (self.home,)

    def __repr__(self) -> str:
        return f"ResourceRecord({brief(self.id)}, number={self.number}, capacity={self.capacity})"


class _Shared:
    """The binding of a resource in several calendars, which find its record by id. It does not keep calendars alive."""

    __slots__ = ("records",)
    home = edges = None

    def __init__(self, records: list[ResourceRecord]) -> None:
        self.records = [ref(record) for record in records]

    def alive(self) -> list[ResourceRecord]:
        """Return the records that still exist."""
        return [record for reference in self.records if (record := reference()) is not None]

    def homes(self) -> tuple[Any, ...]:
        """Return the calendars that the resource is in."""
        return tuple(record.home for record in self.alive())


_BINDING = threading.RLock()
"""Held while a binding is compared and set. Two threads may add the same resource to two calendars, and so may one thread,
in a finalizer."""


def _leave_threads() -> None:
    """Make the lock anew in the child of a fork, where another thread may have held it: nothing is ever half set."""
    global _BINDING  # noqa: PLW0603
    _BINDING = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_threads)


def bind(record: ResourceRecord) -> None:
    """Set the binding of a newly registered `Resource`; other objects have none. O(calendars of the resource)."""
    _rebind(record.resource, record, True)


def unbind(record: ResourceRecord) -> None:
    """Remove a calendar's record from the binding of a `Resource`. O(calendars of the resource)."""
    _rebind(record.resource, record, False)


def _rebind(resource: Any, record: ResourceRecord, added: bool) -> None:
    if not is_a(resource, Resource):
        return
    while True:
        before = getattr(resource, "_binding", None)
        records = [other for other in _records_of(before) if other is not record]
        if added:
            records.append(record)
        bound = None if not records else records[0].binding if len(records) == 1 else _Shared(records)
        with _BINDING:
            if getattr(resource, "_binding", None) is before:
                object.__setattr__(resource, "_binding", bound)
                return


def _records_of(binding: Any) -> list[ResourceRecord]:
    """Return the records of a resource in all its calendars, given its binding."""
    if binding is None:
        return []
    if type(binding) is _Shared:
        return binding.alive()
    return [binding if type(binding) is ResourceRecord else binding.record]
