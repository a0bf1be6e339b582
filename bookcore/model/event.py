"""`BookingEvent`, and its `Status`.

A `BookingEvent` is a value: the resource, the span, the number of units. Whether it owns the lock on its resource is not
part of the value, but state of the calendar, which the event reads through its `Home` (``owns_lock``, ``status``,
``until``).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from bookcore.model.errors import LACKING, AssignmentError, FieldError, attempt, brief
from bookcore.model.numpy_scalars import python_int
from bookcore.model.typecheck import is_a


class Status(StrEnum):
    """The state of a booking. Compares equal to its name in lower case: ``event.status == "held"``."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"


class Home(Protocol):
    """The ledger of the calendar in which an event is booked."""

    def holds_lock(self, event: BookingEvent) -> bool:
        """Tell whether the event owns its lock now."""

    def status(self, event: BookingEvent) -> Status:
        """Return the event's status now."""

    def until(self, event: BookingEvent) -> Any:
        """Return the deadline of the event if it is held until a deadline now, else None."""


_OWN = frozenset({"end", "id", "quantity", "resource", "start"})
"""The properties of `BookingEvent` for the facts that every event has."""

_CALLS = {
    "after": "add_resource", "before": "add_resource", "capacity": "add_resource", "held": "hold", "hold": "hold",
    "if_exists": "book", "on_conflict": "book_all", "quantity": "book", "remove": "change", "requests": "book_all",
    "selection": "book_any", "strategy": "book_any", "ttl": "hold", "until": "hold",
}  # fmt: skip
"""Names that ask something of a booking call, and the call of `Calendar` that takes them."""

_WORDS = frozenset({"held", "hold", "remove", "requests", "selection"})
"""Those of `_CALLS` that are refused only if written exactly so: a field may well be called something like them."""


@lru_cache(maxsize=1024)
def _mistaken(name: str) -> str | None:
    """Return why a keyword is taken for a mistake and not for a field; None if it is taken for a field.

    >>> _mistaken("quantty"), _mistaken("quality")
    ("did you mean quantity? A field of that name is given as fields={'quantty': ...}", None)
    """
    from difflib import (
        SequenceMatcher,  # here, because a program whose bookings have no fields needs it never
    )

    given = f"field of that name is given as fields={{{brief(name)}: ...}}"
    if name in _CALLS:
        also = "it is what an event says itself" if name in NO_FIELDS else f"a {given}"
        return f"it is for Calendar.{_CALLS[name]}; {also}"
    lower = name.lower()
    if lower == "qty":
        return f"did you mean quantity? A {given}"
    if lower.rstrip("_") == "id":  # Python itself tells that the resource, the start or the end is not given
        return f"did you mean id? A {given}"
    for word in sorted({*_CALLS, "fields"} - _WORDS):
        # two letters that changed places make little of the ratio of a short word
        if sorted(word) == sorted(lower) or SequenceMatcher(None, word, lower).ratio() > 0.8:
            return f"did you mean {word}? A {given}"
    return None


def checked(cls: type[BookingEvent], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that keywords give. Raises: `FieldError`, also for a keyword that is taken for a mistake."""
    for name in keywords:
        if name != "fields" and (why := _mistaken(name)):
            raise FieldError(cls, [name], why)
    return unpacked(cls, keywords)


def unpacked(cls: type[BookingEvent], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that keywords give, by name or in a mapping called ``fields``. Raises: `FieldError`."""
    named = dict(keywords)
    given = named.pop("fields", None)
    if given is not None:
        more = attempt(lambda: dict(given), None) if is_a(given, (Mapping,)) else None
        if more is None or not all(type(name) is str for name in more):
            raise FieldError(cls, ["fields"], f"fields is a mapping of names to values, got {brief(given)}")
        if twice := sorted(named.keys() & more.keys()):
            raise FieldError(cls, twice, "given by name and in fields={...}")
        named.update(more)
    if hidden := sorted(NO_FIELDS.intersection(named)):
        raise FieldError(cls, hidden, "that is what an event says itself")
    return named


def _loose(cls: type[BookingEvent], keywords: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the fields of an event that are kept under their names. Raises: as `checked`; for what its own class hides."""
    fields = checked(cls, keywords)
    hidden = sorted(name for name in fields if hasattr(cls, name) and not hasattr(BookingEvent, name))
    if hidden:
        raise FieldError(cls, hidden, "its class has an attribute of that name, which would hide it")
    return fields or None


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
        if _is_booked(self):
            raise AssignmentError(self, slot[1:], "the event has been booked; see Calendar.move and Calendar.change")
        PUT[slot](self, value)

    return property(attrgetter(slot), write, doc=doc)


def _is_booked(event: Any) -> bool:
    """Tell whether an event has been booked, ever."""
    try:
        return _seq_of(event) is not None
    except AttributeError:  # the ``__init__`` of a dataclass leaves the slot out
        _put_seq(event, None)
        return False


def _set_field(self: Any, name: str, value: Any) -> None:
    """Assign an attribute of a subclass of `BookingEvent`; fields only before the event is booked."""
    # as few calls as there can be: this runs for every field of every event that a constructor of the program's own makes
    put = PUT.get(name)
    if put is None:
        try:
            booked = _seq_of(self) is not None
        except AttributeError:  # the ``__init__`` of a dataclass leaves the slot out
            _put_seq(self, None)
            booked = False
        if not booked:
            put = self._puts.get(name)
        elif name not in _OWN and name[:1] != "_":
            way = f"Calendar.change(event, {name}=...) gives a new one"
            raise AssignmentError(self, name, f"the event has been booked; {way}")
    if put is None:
        _assign(self, name, value)
    else:
        put(self, value)


def _delete_field(self: Any, name: str) -> None:
    """Delete an attribute of a subclass of `BookingEvent`; fields only before the event is booked."""
    if name[:1] != "_" and _is_booked(self):
        raise AssignmentError(self, name, "the event has been booked; Calendar.change gives a new one")
    object.__delattr__(self, name)


class BookingEvent(_EventFields):
    """A booking of a resource over a span. `Calendar.book` makes events, `Calendar.add_booking` takes them.

    ``resource`` is the object or its id (once booked: the object), ``start`` and ``end`` are keys or None for
    unbounded, ``quantity`` is the number of units that it takes. If ``id`` is None, the calendar sets it when the event is
    booked. Other keyword arguments are fields, kept unchanged, and can be read as attributes. A keyword that is an argument
    of a booking call, or nearly so (``quantty``), is refused; ``fields={...}`` takes fields of any name. Subclass it, as a
    ``@dataclass`` as well, to declare the fields of your bookings: then these are taken and no others.

    >>> event = BookingEvent("loft", 3, 7, guest="Ada")
    >>> event.guest, event.owns_lock
    ('Ada', False)

    Once the event is booked, its resource, span, id and quantity cannot be assigned to, nor its fields: subscribers, indexes
    and followers would not notice; `Calendar.move` and `Calendar.change` give a new event. Attributes that begin with an
    underscore can, and all those of a class with a ``__setattr__`` of its own. Two events are equal if they are the same
    object, or if they have the same lock of the same calendar: the event that `Calendar.get` returns equals the one that
    `Calendar.book` returned. `Calendar.move` and `Calendar.change` give a booking a new lock. The hash depends on the
    resource's id and the span only, so a set or a dict finds an event also after it was booked or released.

    Raises: `FieldError` for such a keyword, and for a field that has the name of a property of the event; `AssignmentError`
    for a change once booked (an `AttributeError`, as Python itself raises for a field of a plain `BookingEvent`). The
    calendar checks all other arguments when the event is booked.
    """

    # ``_home`` is the ledger in which the event is or was booked, ``_seq`` its number there. ``_lock`` changes when the
    # booking is moved; it is None if the ledger keeps this event object itself.
    __slots__ = ("_end", "_fields", "_home", "_id", "_lock", "_quantity", "_resource", "_seq", "_start")
    _computed: ClassVar[frozenset[str]] = frozenset()
    _puts: ClassVar[dict[str, Any]] = {}  # writes what every event has into an event that is not booked

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._computed = _computed(cls)
        for name in _OWN.intersection(_slots_of(cls)):  # `@dataclass(slots=True)` makes slots for inherited fields too
            delattr(cls, name)
        cls._puts = {name: PUT[f"_{name}"] for name in _OWN if getattr(cls, name) is getattr(BookingEvent, name)}
        # not in this class, where it would make each booking without fields slower
        if cls.__setattr__ is object.__setattr__:
            cls.__setattr__ = _set_field  # type: ignore[method-assign]
        if cls.__delattr__ is object.__delattr__:
            cls.__delattr__ = _delete_field  # type: ignore[method-assign]

    def __init__(
        self, /, resource: Any, start: Any, end: Any, *, id: Hashable = None, quantity: int = 1, **fields: Any
    ) -> None:
        # sets the slots, not the properties, which would take three times as long: this runs for every booking
        if type(self) is not BookingEvent:  # past `_set_field`
            _put_resource(self, resource)
            _put_start(self, start)
            _put_end(self, end)
            _put_id(self, id)
            _put_quantity(self, quantity)
            _put_fields(self, _loose(type(self), fields) if fields else None)
            _put_seq(self, None)
            _put_lock(self, None)
            _put_home(self, None)
            return
        self._resource = resource
        self._start = start
        self._end = end
        self._id = id
        self._quantity = quantity
        self._fields = _loose(BookingEvent, fields) if fields else None
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
    def until(self) -> Any:
        """The deadline of a hold that runs out; None for every other booking. A datetime with a zone is returned in UTC."""
        home = getattr(self, "_home", None)
        return None if home is None else home.until(self)

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
        held = getattr(self, "__dict__", None)
        if held:
            computed = self._computed
            fields.update({name: held[name] for name in held if name not in computed} if computed else held)
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
        except LACKING:
            raise
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
        if python_int(self.quantity) != 1:
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


_assign = object.__setattr__
_slots: Any = BookingEvent  # to a type checker, a slot of a class is its value and not the descriptor
_seq_of = _slots._seq.__get__
PUT: dict[str, Any] = {slot: getattr(_slots, slot).__set__ for slot in BookingEvent.__slots__}
"""The functions that write the slots of an event, past all code of its class."""
_put_resource, _put_start, _put_end, _put_id, _put_quantity, _put_fields, _put_seq, _put_lock, _put_home = (
    PUT[slot] for slot in ("_resource", "_start", "_end", "_id", "_quantity", "_fields", "_seq", "_lock", "_home")
)

NO_FIELDS = frozenset(name for name, value in vars(BookingEvent).items() if isinstance(value, property))
"""Names that a field cannot have, because it could not be read as an attribute."""


def _computed(cls: type) -> frozenset[str]:
    """Return the attributes of a class that are computed, and of which its objects may keep the value: no fields of theirs.

    ``functools.cached_property`` and those of Django and Werkzeug are of this kind. A plain property keeps nothing there.
    """
    seen = {name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}
    return frozenset(
        name
        for name, value in seen.items()
        if type(value) is not property
        and (isinstance(value, property) or (hasattr(type(value), "__get__") and "func" in getattr(value, "__dict__", ())))
    )


def _slots_of(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(s for s in slots if not s.startswith("__"))


def complete(event: BookingEvent) -> None:
    """Write the slots that the ``__init__`` of a dataclass leaves out. O(1)."""
    if not hasattr(event, "_home"):
        for put in (_put_seq, _put_lock, _put_home, _put_fields):
            put(event, None)


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
