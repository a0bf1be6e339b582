"""What is booked: `BookingEvent`, and its `Status`.

A `BookingEvent` is a frozen value: the resource, the span, the number of units. Whether it holds the lock on its resource is
not part of the value but a fact about the calendar, which the event asks for through its `Home` (``owns_lock``, ``status``).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Protocol

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
    """Where an event is booked: the ledger of a calendar."""

    def holds_lock(self, event: BookingEvent) -> bool:
        """Tell whether the event holds its span on its resource now."""

    def status(self, event: BookingEvent) -> Status:
        """Return the event's status now."""


_OWN = frozenset({"end", "id", "quantity", "resource", "start"})
"""What every event has: properties of `BookingEvent`, whatever subclasses make of its fields."""

_SAID = frozenset({"fields", "owns_lock", "status"})
"""Names that would be hidden behind the properties of an event."""


@dataclass(eq=False, init=False)
class _EventFields:
    """The fields of a booking as dataclass subclasses of `BookingEvent` inherit them; holds nothing itself."""

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
    """One resource, one span, an id: what `Calendar.book` makes and `Calendar.add_booking` takes.

    ``resource`` is the object or its id (once booked: the object), ``start`` and ``end`` are keys or None for
    unbounded, ``quantity`` is how many units of the resource it takes. An ``id`` of None is filled in by the
    calendar. Other keyword arguments are kept as they are and read as attributes. Subclass it, or give it
    ``@dataclass`` fields, to say what a booking of yours carries.

    >>> event = BookingEvent("loft", 3, 7, guest="Ada")
    >>> event.guest, event.owns_lock
    ('Ada', False)

    Once booked, its resource, span, id and quantity cannot be changed; what a subclass adds is as changeable as that class
    makes it. Two events are equal if they are the same object, or if both stand for the same lock of one calendar: what
    `Calendar.get` returns equals what `Calendar.book` returned. After `Calendar.move` the lock is another one. An event
    hashes as its resource's id and its span do, so an event that is in a set or a dict is found there also after it was
    booked or released.

    Raises: `FieldError` for a field named ``fields``, ``owns_lock`` or ``status``; AttributeError for a change once booked.
    All else is checked by the calendar.
    """

    # ``_home`` is the ledger that the event is or was booked in, ``_seq`` its number there. ``_lock`` tells a lock from the
    # one that the booking had before it was moved; it is None for an event whose very object the ledger keeps.
    __slots__ = ("_end", "_fields", "_home", "_id", "_lock", "_quantity", "_resource", "_seq", "_start")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in _OWN.intersection(_slots_of(cls)):  # `@dataclass(slots=True)` makes a slot of every field it inherits
            delattr(cls, name)

    def __init__(
        self, resource: Any, start: Any, end: Any, *, id: Hashable = None, quantity: int = 1, **fields: Any
    ) -> None:
        # plain slots, not properties: this runs once for every booking, and so costs a third
        self._resource = resource
        self._start = start
        self._end = end
        self._id = id
        self._quantity = quantity
        self._fields = fields or None
        if fields and not _SAID.isdisjoint(fields):
            raise FieldError(type(self), sorted(_SAID.intersection(fields)), "that is what an event says itself")
        self._seq: int | None = None
        self._lock: int | None = None
        self._home: Home | None = None

    resource = _frozen("_resource", "The resource that is booked.")
    start = _frozen("_start", "Where the span starts; None if it has no start.")
    end = _frozen("_end", "Where the span ends; None if it has no end.")
    id = _frozen("_id", "The id of the booking in its calendar.")
    quantity = _frozen("_quantity", "How many units of the resource the booking takes.")

    @property
    def owns_lock(self) -> bool:
        """Whether this booking holds its span on its resource now."""
        home = getattr(self, "_home", None)
        return home is not None and home.holds_lock(self)

    @property
    def status(self) -> Status:
        """`Status.HELD`, `Status.CONFIRMED`, or `Status.RELEASED` when it does not own its lock (any more)."""
        home = getattr(self, "_home", None)
        return Status.RELEASED if home is None else home.status(self)

    @property
    def fields(self) -> Mapping[str, Any]:
        """What the booking carries besides resource, span, id and quantity, by name."""
        found = dict(getattr(self, "_fields", None) or ())
        for cls in type(self).__mro__:
            if cls is BookingEvent:
                break
            for slot in _slots_of(cls):
                if slot not in _OWN and hasattr(self, slot):
                    found[slot] = getattr(self, slot)
        found.update(getattr(self, "__dict__", ()))
        return MappingProxyType(found)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        lock = getattr(self, "_lock", None)
        if lock is None or not issubclass(type(other), BookingEvent):
            return NotImplemented if lock is not None else False
        return lock == getattr(other, "_lock", None) and self._home is getattr(other, "_home", None)

    def __hash__(self) -> int:
        # Of what booking, loading, releasing and undoing do not change, so that a set finds the event after each of them;
        # and what is the same in every event of one lock.
        try:
            resource = self._resource
            return hash((getattr(resource, "id", resource), self._start, self._end))
        except Exception:  # keys that cannot be hashed, or that are not there yet
            return hash(BookingEvent)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            fields = getattr(self, "_fields", None)
            if fields is not None and name in fields:
                return fields[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        who = getattr(self.resource, "id", self.resource)
        parts = [f"{who!r}", f"{self.start!r}", f"{self.end!r}", f"id={self.id!r}"]
        if self.quantity != 1:
            parts.append(f"quantity={self.quantity}")
        parts += [f"{name}={value!r}" for name, value in self.fields.items()]
        return f"{type(self).__name__}({', '.join(parts)})"

    def __copy__(self) -> BookingEvent:
        return self._with()

    def __reduce__(self) -> tuple[Any, ...]:
        # a copy made by pickle or deepcopy is a new record: it carries the facts and owns no lock
        return make_event, (type(self), self.resource, self.start, self.end, self.id, self.quantity, dict(self.fields))

    def _with(self, **changes: Any) -> BookingEvent:
        """Return an unbooked copy with some of resource, start, end changed."""
        values = {"resource": self.resource, "start": self.start, "end": self.end, **changes}
        resource, start, end = values.values()
        return make_event(type(self), resource, start, end, self.id, self.quantity, self.fields)


def _slots_of(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(s for s in slots if not s.startswith("__"))


def make_event(
    cls: type[BookingEvent], resource: Any, start: Any, end: Any, id: Any, quantity: int, fields: Mapping[str, Any]
) -> BookingEvent:
    """Make an event of *cls* from its facts, past its ``__init__``: the facts passed it once already."""
    event = cls.__new__(cls)
    BookingEvent.__init__(event, resource, start, end, id=id, quantity=quantity)
    if cls is BookingEvent:
        event._fields = dict(fields) or None
        return event
    extra = {}
    for name, value in fields.items():
        try:
            object.__setattr__(event, name, value)
        except AttributeError:  # no such slot and no __dict__: it came in as a loose keyword
            extra[name] = value
    event._fields = extra or None
    return event
