"""`BookingEvent`, and its `Status`.

A `BookingEvent` is a value: the resource, the span, the number of units. Whether it owns the lock on its resource is not
part of the value, but state of the calendar, which the event reads through its `Home` (``owns_lock``, ``status``).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from bookcore.model.errors import FieldError

__all__ = ["BookingEvent", "Home", "Status", "make_event"]


class Status(str, Enum):
    """The state of a booking. Compares equal to its name in lower case: ``event.status == "held"``."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"

    def __str__(self) -> str:
        return self.value


class Home(Protocol):
    """The ledger of the calendar in which an event is booked."""

    def holds_lock(self, event: BookingEvent) -> bool:
        """Tell whether the event owns its lock now."""

    def status(self, event: BookingEvent) -> Status:
        """Return the event's status now."""


_OWN = frozenset({"end", "id", "quantity", "resource", "start"})
"""The properties of `BookingEvent` for the facts that every event has."""

_RESERVED = frozenset({"fields", "owns_lock", "status"})
"""Names that a field cannot have, because properties of the event would hide it."""


@dataclass(eq=False, init=False)
class _EventFields:
    """Declares the fields of an event for dataclass subclasses of `BookingEvent`; it has no slots."""

    __slots__ = ()
    resource: Any
    start: Any
    end: Any
    id: Any = field(default=None, kw_only=True)
    quantity: int = field(default=1, kw_only=True)


def _frozen(slot: str, doc: str) -> Any:
    """Return a property that reads *slot* in C and refuses to write it once the event has been booked."""

    def write(self: Any, value: Any) -> None:
        if getattr(self, "_seq", None) is not None:
            raise AttributeError(f"{slot[1:]} of a booked event cannot be changed; see Calendar.move")
        setattr(self, slot, value)

    return property(attrgetter(slot), write, doc=doc)


class BookingEvent(_EventFields):
    """A booking of a resource over a span. `Calendar.book` makes events, `Calendar.add_booking` takes them.

    ``resource`` is the object or its id (once booked: the object), ``start`` and ``end`` are keys or None for
    unbounded, ``quantity`` is the number of units that it takes. If ``id`` is None, the calendar sets it when the event is
    booked. Other keyword arguments are kept unchanged and can be read as attributes. Subclass it, also as a ``@dataclass``,
    to declare the fields of your bookings.

    >>> event = BookingEvent("loft", 3, 7, guest="Ada")
    >>> event.guest, event.owns_lock
    ('Ada', False)

    Once the event is booked, its resource, span, id and quantity cannot be changed; fields of a subclass can, if that class
    allows it. Two events are equal if they are the same object, or if they have the same lock of the same calendar: the
    event that `Calendar.get` returns equals the one that `Calendar.book` returned. `Calendar.move` gives a booking a new
    lock. The hash depends on the resource's id and the span only, so a set or a dict finds an event also after it was
    booked or released.

    Raises: `FieldError` for a field named ``fields``, ``owns_lock`` or ``status``; AttributeError for a change once booked.
    The calendar checks all other arguments when the event is booked.
    """

    # ``_home`` is the ledger in which the event is or was booked, ``_seq`` its number there. ``_lock`` changes when the
    # booking is moved; it is None if the ledger keeps this event object itself.
    __slots__ = ("_end", "_fields", "_home", "_id", "_lock", "_quantity", "_resource", "_seq", "_start")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in _OWN.intersection(_slots_of(cls)):  # `@dataclass(slots=True)` makes slots for inherited fields too
            delattr(cls, name)

    def __init__(
        self, resource: Any, start: Any, end: Any, *, id: Hashable = None, quantity: int = 1, **fields: Any
    ) -> None:
        # sets the slots, not the properties, which would take three times as long: this runs for every booking
        self._resource = resource
        self._start = start
        self._end = end
        self._id = id
        self._quantity = quantity
        self._fields = fields or None
        if fields and not _RESERVED.isdisjoint(fields):
            raise FieldError(type(self), sorted(_RESERVED.intersection(fields)), "that is what an event says itself")
        self._seq: int | None = None
        self._lock: int | None = None
        self._home: Home | None = None

    resource = _frozen("_resource", "The resource that is booked.")
    start = _frozen("_start", "The start of the span; None if it is unbounded.")
    end = _frozen("_end", "The end of the span; None if it is unbounded.")
    id = _frozen("_id", "The id of the booking in its calendar.")
    quantity = _frozen("_quantity", "The number of units of the resource that the booking takes.")

    @property
    def owns_lock(self) -> bool:
        """Whether the booking is active now, so that it locks its span on its resource."""
        home = getattr(self, "_home", None)
        return home is not None and home.holds_lock(self)

    @property
    def status(self) -> Status:
        """`Status.HELD` or `Status.CONFIRMED`; `Status.RELEASED` if it does not own its lock (any more)."""
        home = getattr(self, "_home", None)
        return Status.RELEASED if home is None else home.status(self)

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of the booking by name, without resource, span, id and quantity."""
        fields = dict(getattr(self, "_fields", None) or ())
        for cls in type(self).__mro__:
            if cls is BookingEvent:
                break
            for slot in _slots_of(cls):
                if slot not in _OWN and hasattr(self, slot):
                    fields[slot] = getattr(self, slot)
        fields.update(getattr(self, "__dict__", ()))
        return MappingProxyType(fields)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        lock = getattr(self, "_lock", None)
        if lock is None or not issubclass(type(other), BookingEvent):
            return NotImplemented if lock is not None else False
        return lock == getattr(other, "_lock", None) and self._home is getattr(other, "_home", None)

    def __hash__(self) -> int:
        # The hash uses only values that are equal in all events of a lock, and that booking, loading, releasing and undoing
        # do not change, so that a set still finds the event.
        try:
            resource = self._resource
            return hash((getattr(resource, "id", resource), self._start, self._end))
        except Exception:  # keys that cannot be hashed, or slots that are not set yet
            return hash(BookingEvent)

    if not TYPE_CHECKING:  # hidden from type checkers, for which it would make every misspelled field an ``Any``

        def __getattr__(self, name):
            if not name.startswith("_"):
                fields = getattr(self, "_fields", None)
                if fields is not None and name in fields:
                    return fields[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        resource_id = getattr(self.resource, "id", self.resource)
        parts = [f"{resource_id!r}", f"{self.start!r}", f"{self.end!r}", f"id={self.id!r}"]
        if self.quantity != 1:
            parts.append(f"quantity={self.quantity}")
        parts += [f"{name}={value!r}" for name, value in self.fields.items()]
        return f"{type(self).__name__}({', '.join(parts)})"

    def __copy__(self) -> BookingEvent:
        return self._with()

    def __reduce__(self) -> tuple[Any, ...]:
        # a copy made by pickle or deepcopy is a new event, which owns no lock
        return make_event, (type(self), self.resource, self.start, self.end, self.id, self.quantity, dict(self.fields))

    def _with(self, **changes: Any) -> BookingEvent:
        """Return an unbooked copy, with *changes* of resource, start or end."""
        values = {"resource": self.resource, "start": self.start, "end": self.end, **changes}
        resource, start, end = values.values()
        return make_event(type(self), resource, start, end, self.id, self.quantity, self.fields)


def _slots_of(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(s for s in slots if not s.startswith("__"))


def make_event(
    cls: type[BookingEvent], resource: Any, start: Any, end: Any, id: Any, quantity: int, fields: Mapping[str, Any]
) -> BookingEvent:
    """Make an event of *cls* without calling its ``__init__``, which has accepted these values before."""
    event = cls.__new__(cls)
    BookingEvent.__init__(event, resource, start, end, id=id, quantity=quantity)
    if cls is BookingEvent:
        event._fields = dict(fields) or None
        return event
    extra = {}
    for name, value in fields.items():
        try:
            object.__setattr__(event, name, value)
        except AttributeError:  # no such slot and no __dict__: it was given as another keyword argument
            extra[name] = value
    event._fields = extra or None
    return event
