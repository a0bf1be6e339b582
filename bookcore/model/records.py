"""What is booked, and what books it: `Resource`, `BookingEvent`, `Status`.

A `BookingEvent` is a frozen record: who, from when, to when, how many. Whether it holds the lock on its
resource is not part of the record but a fact about the calendar, asked through it (`owns_lock`, `status`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bookcore.model.errors import FieldError, InvalidQuantityError, ResourceError

if TYPE_CHECKING:
    from bookcore.calendar import Calendar

__all__ = ["BookingEvent", "Closure", "Refusal", "Report", "Resource", "Status"]


class Status(str, Enum):
    """Where a booking stands. Compares equal to its name in lower case: ``event.status == "held"``."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"

    def __str__(self) -> str:
        return self.value


@dataclass(eq=False, init=False, slots=True, weakref_slot=True)
class Resource:
    """Anything bookable, known by a stable, hashable ``id``. Subclass it for flats, cars, seats.

    ``capacity`` is how many units can be used at one time. ``before`` and ``after`` are lengths (of whatever
    type can be added to the calendar's keys) that every booking needs around itself for turnaround: they
    keep neighbours away but are not part of the booking; two neighbours stand at least the ``after`` of the
    earlier plus the ``before`` of the later apart.

    The calendar reads ``id``, ``capacity``, ``before`` and ``after`` once, when the resource is added; only then are
    they checked.

    >>> class Flat(Resource):
    ...     def __init__(self, id, price):
    ...         super().__init__(id)
    ...         self.price = price
    >>> Flat("loft", 90).capacity
    1

    A dataclass works as well (give it ``eq=False`` to keep its instances hashable):

    >>> from dataclasses import dataclass
    >>> @dataclass(eq=False)
    ... class Car(Resource):
    ...     seats: int = 5
    >>> Car("AB-123", seats=7)
    Car(id='AB-123', seats=7)
    """

    id: Hashable
    capacity: int = field(default=1, kw_only=True, repr=False)
    before: Any = field(default=None, kw_only=True, repr=False)
    after: Any = field(default=None, kw_only=True, repr=False)
    # The calendars this resource is in, as weak references: of one that is added to calendar after calendar, as by tests,
    # only the first is kept. And that one's record of it: what a calendar asks first. Slots, so that they lie in the object
    # itself.
    _calendars: Any = field(default=(), init=False, repr=False, compare=False)
    _entry: Any = field(default=None, init=False, repr=False, compare=False)
    # what answers for it there, if bookings alone decide
    _free: Any = field(default=None, init=False, repr=False, compare=False)
    _lane: Any = field(default=None, init=False, repr=False, compare=False)  # what books on it there, if they do
    _owner: Any = field(default=None, init=False, repr=False, compare=False)  # that calendar

    def __init__(self, id: Hashable, capacity: int = 1, *, before: Any = None, after: Any = None) -> None:
        self.id = id
        self.capacity = capacity
        self.before = before
        self.after = after
        self._calendars = ()
        self._entry = self._free = self._lane = self._owner = None

    def __getstate__(self) -> Any:
        # what pickle and copy take along: a copy is in no calendar
        state: Any = object.__getstate__(self)
        if isinstance(state, tuple):
            state[1].update(_calendars=(), _entry=None, _free=None, _lane=None, _owner=None)
        return state

    def is_available(self, start: Any, end: Any, quantity: int = 1) -> bool:
        """Tell whether *quantity* units are free over the whole span, in the calendar this resource is in.

        Raises: `ResourceError` when it is in no calendar or in several (one that nobody holds counts until Python has
        collected it), else as `Calendar.is_available`.
        Complexity: as `Calendar.is_available`.

        >>> from bookcore import Calendar
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> stay = calendar.book(room, 9, 12)
        >>> room.is_available(11, 13), room.is_available(12, 13)
        (False, True)
        """
        calendars = _homes(self)
        if len(calendars) != 1:
            where = f"in {len(calendars)} calendars" if calendars else "in no calendar"
            raise ResourceError(self, f"it is {where}; ask calendar.is_available(resource, start, end)")
        return calendars[0].is_available(self, start, end, quantity)


def _homes(resource: Any) -> tuple[Calendar, ...]:
    """Return the calendars *resource* has been added to."""
    return tuple(home for reference in getattr(resource, "_calendars", ()) if (home := reference()) is not None)


_OWN = frozenset({"end", "id", "quantity", "resource", "start"})
"""What every event has: properties of `BookingEvent`, whatever subclasses make of its fields."""

_SAID = frozenset({"fields", "owns_lock", "status"})
"""Names that would be hidden behind the properties of an event."""


def _home_of(event: BookingEvent) -> Calendar | None:
    """Return the calendar in which a booking stands."""
    home = getattr(event, "_home", None)
    resource = getattr(event, "_resource", None)
    if home is None and isinstance(resource, Resource):
        # another thread's transaction may have released it for the time being: that is not to be seen
        for calendar in _homes(resource):
            with calendar._lock:
                home = event._home
            if home is not None:
                break
    return home


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

    Two events are equal only if they are the same object. Once booked, its resource, span, id and quantity cannot be
    changed; what a subclass adds is as changeable as that class makes it.

    Raises: `FieldError` for a field named ``fields``, ``owns_lock`` or ``status``; AttributeError for a change once booked.
    All else is checked by the calendar.
    """

    __slots__ = ("_end", "_fields", "_home", "_id", "_quantity", "_resource", "_seq", "_start")

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
        self._home: Calendar | None = None

    resource = _frozen("_resource", "The resource that is booked.")
    start = _frozen("_start", "Where the span starts; None if it has no start.")
    end = _frozen("_end", "Where the span ends; None if it has no end.")
    id = _frozen("_id", "The id of the booking in its calendar.")
    quantity = _frozen("_quantity", "How many units of the resource the booking takes.")

    @property
    def owns_lock(self) -> bool:
        """Whether this booking holds its span on its resource now."""
        home = _home_of(self)
        return home is not None and home._holds_lock(self)

    @property
    def status(self) -> Status:
        """`Status.HELD`, `Status.CONFIRMED`, or `Status.RELEASED` when it does not own its lock (any more)."""
        home = _home_of(self)
        return Status.RELEASED if home is None else home._status(self)

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
        return _rebuild, (type(self), self.resource, self.start, self.end, self.id, self.quantity, dict(self.fields))

    def _with(self, **changes: Any) -> BookingEvent:
        """Return an unbooked copy with some of resource, start, end changed."""
        values = {"resource": self.resource, "start": self.start, "end": self.end, **changes}
        resource, start, end = values.values()
        return _rebuild(type(self), resource, start, end, self.id, self.quantity, self.fields)


@dataclass(frozen=True, slots=True, eq=False)
class Closure:
    """A span in which a resource cannot be booked, whatever its bookings say. Made by `Calendar.close`.

    ``overlapping`` are the bookings that already stood there: they stay, and what becomes of them is the caller's choice.
    """

    resource: Any
    start: Any
    end: Any
    reason: str
    id: int
    overlapping: tuple[BookingEvent, ...] = field(default=(), repr=False)

    @property
    def _seq(self) -> int:
        return self.id

    @property
    def _quantity(self) -> int:
        return 1


@dataclass(frozen=True, slots=True, eq=False)
class Refusal:
    """A request that `Calendar.book_all` could not book, and why: ``error`` is the `ConflictError`."""

    request: Any
    error: Any

    @property
    def conflicts(self) -> tuple[BookingEvent, ...]:
        """The bookings in the way."""
        found: tuple[BookingEvent, ...] = self.error.conflicts
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What came of `Calendar.book_all`: the events that were booked, and a `Refusal` for each that was not."""

    booked: tuple[BookingEvent, ...]
    refused: tuple[Refusal, ...]


def _slots_of(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(s for s in slots if not s.startswith("__"))


def _rebuild(
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


def check_capacity(resource: Any, capacity: object) -> int:
    """Return *capacity* if it is an int of at least 1, else raise `InvalidQuantityError`."""
    if type(capacity) is not int or capacity < 1:
        raise InvalidQuantityError(capacity, "capacity")
    return capacity


