"""Every change of a calendar, as a frozen record that holds all that is needed to do it again and to take it back.

    command    ->  plan decides  ->  record  ->  commit applies it      the calendar's own changes
                                     record  ->  subscribers            after it took effect
                                     record  ->  `Calendar.apply`       another calendar that follows
                           inverse(record)   ->  commit applies it      a transaction that is undone

A subscriber gets the records in order; one that calls `Calendar.apply` with each of them on a fresh calendar makes an equal
calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields
from typing import Any

from bookcore.model.closure import Closure
from bookcore.model.event import BookingEvent


@dataclass(frozen=True, slots=True)
class Change:
    """Base of all changes."""


@dataclass(frozen=True, slots=True)
class _Registration:
    """What a calendar holds of a resource. See `ResourceAdded`."""

    resource: Any
    capacity: int = 1
    before: Any = None
    after: Any = None
    number: int | None = None
    labels: tuple[Hashable, ...] = ()
    indexed: tuple[tuple[str, Any], ...] | None = field(default=None, compare=False, repr=False)
    id: Hashable = None
    cls: type | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ResourceAdded(_Registration, Change):
    """A resource was registered, with the capacity and buffers it is held to.

    ``id`` is the one it had then, ``number`` its place in the order of registration, ``labels`` are its tags.
    ``indexed`` are pairs of the name of an index and what that index holds of the resource; None: the indexes ask their
    key functions. ``cls`` is the class under which the resource was registered; None: the class it has now.
    """


@dataclass(frozen=True, slots=True)
class ResourceRemoved(_Registration, Change):
    """A resource was removed. The fields are those of `ResourceAdded`, as they were."""


@dataclass(frozen=True, slots=True)
class Booked(Change):
    """A booking took its lock. ``held`` is true for a hold, ``until`` is given for a hold that runs out.

    ``number`` is its place in the order of booking: the event may have been released and added again by the time that a
    subscriber reads the record. None: it is the event's present one. ``ran_out`` is the deadline of an expired hold that had
    the same id, which is forgotten now; None: there was none, or it had none. ``indexed`` is what the indexes of bookings
    are to hold of it; None: they ask their key functions.
    """

    event: BookingEvent
    held: bool = False
    until: Any = None
    number: int | None = field(default=None, compare=False, repr=False)
    ran_out: Any = field(default=None, compare=False, repr=False)
    indexed: tuple[tuple[str, Any], ...] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Released(Change):
    """A booking gave up its lock.

    ``expired`` is true if it was a hold that ran out; ``held`` and ``until`` as in `Booked`. ``ran_out`` is the deadline of
    an earlier hold with the same id, which is remembered again because a `Booked` is undone, or None as there. ``indexed``
    is what the indexes of bookings held of it, as pairs of a name and a value.
    """

    event: BookingEvent
    expired: bool = False
    held: bool = False
    until: Any = None
    ran_out: Any = field(default=None, compare=False, repr=False)
    indexed: tuple[tuple[str, Any], ...] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Confirmed(Change):
    """A hold became a booking. ``until`` was its deadline, or None."""

    event: BookingEvent
    until: Any = None


@dataclass(frozen=True, slots=True)
class Held(Change):
    """A booking became a hold again: the inverse of `Confirmed`. Subscribers do not receive it."""

    event: BookingEvent
    until: Any = None


@dataclass(frozen=True, slots=True)
class Extended(Change):
    """A hold got a later deadline, or none (None); ``before`` is the one it had."""

    event: BookingEvent
    until: Any = None
    before: Any = None


@dataclass(frozen=True, slots=True)
class _Replacement:
    """A booking before and after a change that keeps its id. See `Moved`."""

    before: BookingEvent
    after: BookingEvent
    was_indexed: tuple[tuple[str, Any], ...] | None = field(default=None, compare=False, repr=False)
    indexed: tuple[tuple[str, Any], ...] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Moved(_Replacement, Change):
    """A booking changed its span or its resource and kept its id.

    ``was_indexed`` is what the indexes of bookings held of it before, ``indexed`` what they are to hold now; None: they ask
    their key functions.
    """


@dataclass(frozen=True, slots=True)
class Changed(_Replacement, Change):
    """A booking got other fields or another quantity, and kept its id, its span and its resource.

    The fields are those of `Moved`.
    """


@dataclass(frozen=True, slots=True)
class Closed(Change):
    """A resource was closed for a span."""

    closure: Closure


@dataclass(frozen=True, slots=True)
class Reopened(Change):
    """A closure was lifted."""

    closure: Closure


@dataclass(frozen=True, slots=True)
class HoursSet(Change):
    """A resource got opening hours, or lost them (None); ``before`` are those it had."""

    resource: Any
    hours: Any
    before: Any = None


@dataclass(frozen=True, slots=True)
class CapacitySet(Change):
    """A resource got another capacity; ``before`` is the one it had.

    ``follows`` tells whether the ``capacity`` of the object was the same before, so that it follows. It is noted with the
    change, because the two may be equal by accident when that is undone.
    """

    resource: Any
    capacity: int
    before: int
    follows: bool = field(default=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Tagged(Change):
    """A resource got a label."""

    resource: Any
    label: Hashable


@dataclass(frozen=True, slots=True)
class Untagged(Change):
    """A resource lost a label."""

    resource: Any
    label: Hashable


@dataclass(frozen=True, slots=True)
class _Index:
    """An index over resources or bookings. See `IndexCreated`."""

    name: str
    key: Callable[[Any], Any]
    of_bookings: bool = False


@dataclass(frozen=True, slots=True)
class IndexCreated(_Index, Change):
    """An index over resources, or with ``of_bookings`` over bookings, was made; ``key`` says the value of each."""


@dataclass(frozen=True, slots=True)
class IndexDropped(_Index, Change):
    """An index is gone: the inverse of `IndexCreated`, with its fields. Subscribers do not receive it."""


@dataclass(frozen=True, slots=True)
class Reindexed(Change):
    """The indexes asked their key functions again for a resource.

    ``before`` and ``after`` are pairs of the name of an index and what it held, and holds now.
    """

    resource: Any
    before: tuple[tuple[str, Any], ...] = field(default=(), compare=False, repr=False)
    after: tuple[tuple[str, Any], ...] = field(default=(), compare=False, repr=False)


def inverse(change: Change) -> Change:
    """Return the change that takes a change back. O(1).

    >>> inverse(Tagged("room", "sea"))
    Untagged(resource='room', label='sea')
    """
    return _INVERSE[type(change)](change)


def _facts(change: _Registration | _Index) -> tuple[Any, ...]:
    return tuple(getattr(change, each.name) for each in fields(change))


_INVERSE: dict[type[Change], Callable[[Any], Change]] = {
    ResourceAdded: lambda c: ResourceRemoved(*_facts(c)),
    ResourceRemoved: lambda c: ResourceAdded(*_facts(c)),
    Booked: lambda c: Released(c.event, False, c.held, c.until, c.ran_out),
    Released: lambda c: Booked(c.event, c.held, c.until, indexed=c.indexed),
    Confirmed: lambda c: Held(c.event, c.until),
    Held: lambda c: Confirmed(c.event, c.until),
    Extended: lambda c: Extended(c.event, c.before, c.until),
    Moved: lambda c: Moved(c.after, c.before, indexed=c.was_indexed),
    Changed: lambda c: Changed(c.after, c.before, indexed=c.was_indexed),
    Closed: lambda c: Reopened(c.closure),
    Reopened: lambda c: Closed(c.closure),
    HoursSet: lambda c: HoursSet(c.resource, c.before, c.hours),
    CapacitySet: lambda c: CapacitySet(c.resource, c.before, c.capacity, c.follows),
    Tagged: lambda c: Untagged(c.resource, c.label),
    Untagged: lambda c: Tagged(c.resource, c.label),
    IndexCreated: lambda c: IndexDropped(*_facts(c)),
    IndexDropped: lambda c: IndexCreated(*_facts(c)),
    Reindexed: lambda c: Reindexed(c.resource, c.after, c.before),
}
