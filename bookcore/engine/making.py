"""Events about to be booked: made from the arguments of `Calendar.book` or `change`, or given by the caller and checked."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, cast

from bookcore.model.errors import LACKING, FieldError, QueryError, attempt, brief, brief_key
from bookcore.model.event import NO_FIELDS, BookingEvent, checked, complete, unpacked
from bookcore.model.keys import normal
from bookcore.model.typecheck import is_a

_FACTS = frozenset({"end", "id", "resource", "start"})
"""What `Calendar.change` does not change."""

_OF_THE_CLASS = re.compile(r"(\w+\.)?(ClassVar|Final)\b", re.ASCII)
"""How the annotation begins of an attribute that the class has, and not its objects."""

_MISSING: Any = object()
_needed = attrgetter("_start", "_end", "_resource", "_quantity", "_id")


def make_event(
    cls: type[BookingEvent], resource: Any, start: Any, end: Any, quantity: Any, fields: Mapping[str, Any]
) -> BookingEvent:
    """Return an unbooked event of a class. Raises: `FieldError` if the class refuses or changes an argument.

    A class with an ``__init__`` of its own gets all fields by name; it may pass on any as ``fields`` to `BookingEvent`.
    """
    event = _made(cls, resource, start, end, quantity, fields)
    if event._fields and cls is not BookingEvent:
        _check_hidden(event, event._fields)
    return event


def _made(
    cls: type[BookingEvent], resource: Any, start: Any, end: Any, quantity: Any, fields: Mapping[str, Any]
) -> BookingEvent:
    if "fields" in fields and cls.__init__ is not BookingEvent.__init__:
        fields = unpacked(cls, fields)
    try:
        event = cls(resource, start, end, quantity=quantity, **fields)
    except (FieldError, *LACKING):
        raise
    except Exception as exc:
        raise FieldError(cls, fields, f"{type(exc).__name__}: {exc}") from exc
    if cls is BookingEvent:  # it keeps its arguments unchanged
        return event
    if not is_a(event, cls):
        raise FieldError(cls, fields, f"its __new__ makes {brief(event)}")
    complete(event)
    if event._seq is not None:
        raise FieldError(cls, fields, f"its __new__ returns {brief(event)}, which has been booked")
    # the arguments have been checked and are booked, so the event must have the same values
    for name, given in (("start", start), ("end", end), ("quantity", quantity)):
        if not _is_still(getattr(event, f"_{name}", _MISSING), given):
            has = getattr(event, name, "nothing")
            raise FieldError(cls, [name], f"asked for {name} {brief_key(given)}, its class makes it {brief_key(has)}")
    return event


def changed_event(
    event: BookingEvent, quantity: Any, fields: Mapping[str, Any], removed: Collection[str] = ()
) -> BookingEvent:
    """Return an unbooked copy of an event with another quantity, other fields, and without some. Raises: as `make_event`.

    Its class makes the copy from the fields that its constructor takes, so that it checks them and computes what follows
    from them; what the program has set on the event besides is copied. Where the class would lose a field, or keep one
    under another name, because its constructor takes other arguments than its events have fields, it is refused:

        __init__(..., **more)   self.more = more         change(event, note=...)    would nest one ``more`` in the other
        __init__(..., rate=1)   self.price = 90 * rate   change(event, guest=...)   would compute the price with rate 1
    """
    cls: Any = type(event)
    if not _FACTS.isdisjoint(fields):
        raise FieldError(cls, sorted(_FACTS.intersection(fields)), "Calendar.move gives another span or resource; ids stay")
    old = dict(event.fields)
    named = (checked if cls.__init__ is BookingEvent.__init__ else unpacked)(cls, fields)
    if missing := sorted(set(removed) - old.keys()):
        raise FieldError(cls, missing, f"the booking has no such field to remove{_nearest(missing[0], old)}")
    if both := sorted(named.keys() & removed):
        raise FieldError(cls, both, "given and removed")
    declared, takes_any = _parameters(cls)
    if needed := sorted(declared.intersection(removed)):
        raise FieldError(cls, needed, "declared by its class, so it can be given another value and not be removed")
    taken = {name: value for name, value in old.items() if name not in removed and (takes_any or name in declared)}
    facts = cls, event._resource, event._start, event._end, quantity
    new = _made(*facts, {"fields": {**taken, **named}})
    if cls is BookingEvent:
        return new
    has = new.fields
    if kept := sorted(has.keys() & removed):
        raise FieldError(cls, kept, "its class sets it anew")
    _check_hidden(new, named)
    if nowhere := sorted(named.keys() - has.keys() - declared):
        raise FieldError(cls, nowhere, "its class keeps no field of that name: remove the booking and book anew")
    if made_of := [name for name in named.keys() - declared if not _is_same(has[name], named[name])]:
        again = _made(*facts, {"fields": {**taken, **named, **{name: has[name] for name in made_of}}}).fields
        if others := sorted(name for name in made_of if not _is_same(again.get(name, _MISSING), has[name])):
            reason = f"its class keeps {brief(has[others[0]])} for it: remove the booking and book anew"
            raise FieldError(cls, others, reason)
    others = [name for name in old if name not in named and name not in removed]
    differing = [name for name in others if name in has and not _is_same(has[name], old[name])]
    if differing:
        try:
            unchanged = _made(*facts, {"fields": taken}).fields
        except FieldError:  # the class needs the given fields, and makes others of them, which are no arguments
            unchanged = has
        for name in differing:
            before = unchanged.get(name, _MISSING)
            if _is_same(before, has[name]) and unchanged is not has:  # set after the event was made
                _set(new, name, old[name])
            elif not _is_same(before, old[name]) and unchanged is not has:
                reason = f"its class makes it of arguments that are no fields, and would change {brief(old[name])} to "
                raise FieldError(cls, [name], f"{reason}{brief(has[name])}: remove the booking and book anew")
    for name in others:
        if name not in has:
            _set(new, name, old[name])
    return new


def _set(event: BookingEvent, name: str, value: Any) -> None:
    """Set a field of an unbooked event of any class."""
    try:
        object.__setattr__(event, name, value)
    except AttributeError:  # no such slot and no __dict__
        event._fields = {**(event._fields or {}), name: value}


def _is_same(value: Any, given: Any) -> bool:
    """Tell whether two values of a field are the same object, or equal; a comparison that fails tells that they are not."""
    return value is given or attempt(lambda: bool(value == given), False)


def _check_hidden(event: BookingEvent, given: Iterable[str]) -> None:
    """Raise `FieldError` where an event was given a field, and its class has set an attribute that hides it."""
    loose = event._fields or {}
    for name in given:
        if name in loose and not _is_same(now := event.fields[name], loose[name]):
            raise FieldError(type(event), [name], f"its class keeps {brief(now)}, whatever is given")


def _nearest(name: str, names: Iterable[str]) -> str:
    """Return the most similar name, as the end of a sentence."""
    from difflib import get_close_matches  # imported here, because most programs never need it

    known = sorted(names)
    near = get_close_matches(name, known, 1)
    return f": did you mean {near[0]}?" if near else f"; there are {', '.join(known)}." if known else "."


def field_reader(
    name: str, cls: type[BookingEvent], booked: Callable[[], Iterable[BookingEvent]]
) -> Callable[[BookingEvent], Any]:
    """Return the function that reads a field of an event by name, or raises LookupError. Raises: `QueryError`.

    Where *cls*, the class of the events that a calendar makes, declares its fields as a dataclass, the name is that of one
    of these, or of a field that a booking has: *booked* iterates over these.
    """
    if name in NO_FIELDS:
        raise QueryError(name, f"is no field, but said by every event: give key=lambda event: event.{name}")
    maker = next(base for base in cls.__mro__ if "__init__" in vars(base))
    if maker is not BookingEvent and "__dataclass_fields__" in vars(maker):
        known = {each.name for each in fields(cast(Any, cls))} - NO_FIELDS
        if name not in known and not any(name in event.fields for event in booked()):
            reason = f"is no field of {cls.__name__}{_nearest(name, known)}"
            raise QueryError(name, f"{reason} A value of another kind is given as key=lambda event: ...")
    return lambda event: event.fields[name]


def _parameters(cls: type) -> tuple[frozenset[str], bool]:
    """Return the arguments that the constructor of a class takes by name, and whether it takes any name."""
    if cls is BookingEvent:
        return frozenset(), True
    signature = attempt(lambda: inspect.signature(cls), None)
    if signature is None:
        return frozenset(), True
    parameters = signature.parameters.values()
    named = frozenset(each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY))
    return named, any(each.kind is each.VAR_KEYWORD for each in parameters)


def check_event_type(cls: Any) -> None:
    """Raise `QueryError` unless *cls* can be the class of the events that a calendar makes.

    A class that annotates what it does not take as fields was meant to be a dataclass: it would take any field.
    """
    if cls is BookingEvent:
        return
    if not (is_a(cls, type) and issubclass(cls, BookingEvent)):
        raise QueryError(cls, "event_type is BookingEvent or a subclass of it")
    if cls.__hash__ is None:
        raise QueryError(cls, "its events cannot be hashed, because they are compared by their fields: @dataclass(eq=False)")
    for base in cls.__mro__[: cls.__mro__.index(BookingEvent)]:
        if "__dataclass_fields__" in vars(base):
            continue
        if not vars(base).keys().isdisjoint(("__init__", "__new__")):  # its own constructor decides what it takes
            return
        public = {name: text for name, text in _annotations(base).items() if name[:1] != "_"}
        if names := [name for name, text in public.items() if not _OF_THE_CLASS.match(text)]:
            what = f"{', '.join(names)} of {base.__name__}: annotated, and no field; @dataclass(eq=False) makes it one"
            raise QueryError(cls, what)


def _annotations(cls: type) -> dict[str, str]:
    """Return the annotations of a class itself, as texts."""
    if sys.version_info >= (3, 14):
        import annotationlib  # since Python 3.14

        return annotationlib.get_annotations(cls, format=annotationlib.Format.STRING)
    return {name: text if type(text) is str else repr(text) for name, text in inspect.get_annotations(cls).items()}


def check_event(event: Any) -> None:
    """Raise `QueryError` unless an object given by the caller is an event with all fields."""
    if not issubclass(type(event), BookingEvent):  # not isinstance: an object may pretend another class
        raise QueryError(event, "is no BookingEvent")
    complete(event)
    try:
        _needed(event)
    except AttributeError as exc:
        raise QueryError(event, f"lacks a field ({exc})") from None


def _is_still(value: Any, given: Any) -> bool:
    """Tell whether a value of an event is the given object, or an equal one of the same type, in any time zone."""
    return value is given or (
        type(value) is type(given) and attempt(lambda: bool(normal(value) == normal(given)), False)
    )
