"""`Resource`: a class for bookable objects, which programs may use or subclass."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bookcore.model.errors import AssignmentError, InvalidQuantityError, ResourceError
from bookcore.model.numpy_scalars import python_int


class Binding(Protocol):
    """The reference of a resource to the calendars in which it is registered."""

    def homes(self) -> tuple[Any, ...]:
        """Return these calendars."""


@dataclass(eq=False, init=False, slots=True, weakref_slot=True)
class _Slots:
    """The slots of `Resource`, which has a property of the same name for each of the first four, to refuse assignments.

    `Resource` writes the slots by names of its own, because the properties, like a ``__setattr__``, take several times as
    long: a program makes a resource for each row of a table.
    """

    id: Hashable
    capacity: int = field(default=1, kw_only=True, repr=False)
    before: Any = field(default=None, kw_only=True, repr=False)
    after: Any = field(default=None, kw_only=True, repr=False)
    # The calendar finds its index of the resource through this slot, see `bookcore.stores.record`. Looking the id up in a
    # dict instead takes twice as long for a random one of 100,000 resources.
    _binding: Any = field(default=None, init=False, repr=False, compare=False)


_READ_ONCE = "id", "capacity", "before", "after"
_slots: Any = _Slots  # to a type checker, a slot of a class is its value and not the descriptor


class Resource(_Slots):
    """A bookable object, identified by a hashable ``id`` that does not change. Subclass it for flats, cars, seats.

    ``capacity`` is the number of units that can be used at the same time. ``before`` and ``after`` are the buffers:
    lengths, of a type that can be added to the calendar's keys, that every booking needs free around itself. They are not
    part of the booking; between two neighbours there is at least the ``after`` of the earlier plus the ``before`` of the
    later.

    The calendar reads and checks ``id``, ``capacity``, ``before`` and ``after`` once, when the resource is added. While it
    is in a calendar, they cannot be assigned to (`AssignmentError`); see `Calendar.set_capacity`.

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

    __slots__ = ()
    # a subclass may be called Resource as well, so two underscores would not keep these from its own names
    _bookcore_id, _bookcore_capacity = _slots.id, _slots.capacity
    _bookcore_before, _bookcore_after = _slots.before, _slots.after

    def __init__(self, id: Hashable, capacity: int = 1, *, before: Any = None, after: Any = None) -> None:
        self._binding = None
        self._bookcore_id = id
        self._bookcore_capacity = capacity
        self._bookcore_before = before
        self._bookcore_after = after

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        hidden = any(getattr(cls, name) is not getattr(Resource, name) for name in _READ_ONCE)
        if hidden and cls.__setattr__ is object.__setattr__:  # by the default of a dataclass, as in ``capacity: int = 3``
            cls.__setattr__, cls.__delattr__ = _assign, _delete  # type: ignore[assignment, method-assign]

    def _check_free(self, name: str) -> None:
        """Raise `AssignmentError` if the resource is in a calendar, which has read its attributes."""
        binding: Binding | None = getattr(self, "_binding", None)
        if binding is not None and binding.homes():
            way = "calendar.set_capacity(resource, ...) changes it" if name == "capacity" else "remove the resource first"
            raise AssignmentError(self, name, f"the calendar read it when the resource was added; {way}")

    def __getstate__(self) -> Any:
        # A copy, also one made by pickle, is registered in no calendar.
        state: Any = object.__getstate__(self)
        if isinstance(state, tuple):
            state[1].update(_binding=None)
        return state

    def is_available(self, start: Any, end: Any, quantity: int = 1) -> bool:
        """Tell whether the calendar of this resource would now accept a booking of *quantity* units over the span.

        Raises: `ResourceError` when the resource is in no calendar or in several (a calendar that is no longer used counts
        until Python has collected it); otherwise as `Calendar.is_available`.
        Complexity: as `Calendar.is_available`.

        >>> from bookcore import Calendar
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> stay = calendar.book(room, 9, 12)
        >>> room.is_available(11, 13), room.is_available(12, 13)
        (False, True)
        """
        binding: Binding | None = getattr(self, "_binding", None)
        homes = () if binding is None else binding.homes()
        if len(homes) != 1:
            where = f"in {len(homes)} calendars" if homes else "in no calendar"
            raise ResourceError(self, f"it is {where}; ask calendar.is_available(resource, start, end)")
        answer: bool = homes[0].is_available(self, start, end, quantity)
        return answer


def _read_once(slot: Any) -> property:
    """Return a property for a slot that a calendar reads once, when a resource is added."""
    name = slot.__name__

    def write(self: Resource, value: Any) -> None:
        self._check_free(name)
        slot.__set__(self, value)

    def delete(self: Resource) -> None:
        self._check_free(name)
        slot.__delete__(self)

    return property(slot.__get__, write, delete)


for _name in _READ_ONCE:
    setattr(Resource, _name, _read_once(getattr(_Slots, _name)))


def _assign(self: Resource, name: str, value: Any) -> None:
    """Assign to an attribute of a resource whose class hides the properties."""
    if name in _READ_ONCE:
        self._check_free(name)
    object.__setattr__(self, name, value)


def _delete(self: Resource, name: str) -> None:
    if name in _READ_ONCE:
        self._check_free(name)
    object.__delattr__(self, name)


def shows_capacity(resource: Any, capacity: int) -> bool:
    """Tell whether an object has a capacity as its own, which follows that in a calendar. Only a `Resource` is asked."""
    return issubclass(type(resource), Resource) and getattr(resource, "capacity", None) == capacity


def overwrite(resource: Resource, name: str, value: Any) -> None:
    """Write an attribute of a resource past what refuses it, as a calendar does whose resource gets another capacity."""
    if getattr(type(resource), name) is getattr(Resource, name):
        getattr(_slots, name).__set__(resource, value)
    else:  # an attribute of a subclass
        object.__setattr__(resource, name, value)


def check_quantity(quantity: object, what: str = "quantity") -> int:
    """Return a quantity as an int of Python. Raises: `InvalidQuantityError` unless it is a whole number of at least 1."""
    units = python_int(quantity)
    if units is None or units < 1:
        raise InvalidQuantityError(quantity, what)
    return units
