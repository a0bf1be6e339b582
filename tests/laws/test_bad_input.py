"""Arbitrary objects at every public argument: only `BookcoreError` comes out, and answers stay as they were.

The methods are found by looking, so a new one is under test from its first day; an argument whose name is not known
here fails the test that lists them.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bookcore
from bookcore import (
    BookcoreError,
    BookingEvent,
    BookingStore,
    Calendar,
    ConflictError,
    IndexView,
    MemoryStore,
    Resource,
    Selection,
    changes,
)
from bookcore.hours import Hours
from bookcore.persist.registry import register_key_codec
from bookcore.stores.tree import TreeStore
from bookcore.testing import IMPOSTORS, Hostile, fingerprint, strangers
from bookcore.testing.questions import Flat

MOST = settings().max_examples  # as the profile says, see tests/conftest.py
WINDOWS = ((None, None), (2, 6), (12, 30))
FILES = {"open", "restore", "snapshot"}  # what these write and read has tests of its own, in tests/persist

GOOD: dict[str, Callable[[Calendar], list[Any]]] = {
    "resource": lambda c: [0, 1, "nobody", c.resources.first(1)[0]],
    "start": lambda c: [1, 7, None],
    "end": lambda c: [3, 9, None],
    "id": lambda c: [None, "mine", 1],
    "quantity": lambda c: [1, 2],
    "event": lambda c: [BookingEvent(0, 50, 60), next(c.bookings())],
    "event_or_id": lambda c: [1, next(c.bookings())],
    "booking_id": lambda c: [1, "nobody"],
    "booking_or_resource": lambda c: [1, "nobody", next(c.bookings()), c.resources.first(1)[0]],
    "position": lambda c: [0, 1],
    "timeout": lambda c: [None, 0],
    "events": lambda c: [[BookingEvent(0, 50, 60), BookingEvent(1, 50, 60)]],
    "capacity": lambda c: [None, 2],
    "before": lambda c: [None, 1],
    "after": lambda c: [None, 1],
    "terms": lambda c: [Flat, [0, 1], c.tagged("sea")],
    "labels": lambda c: ["sea", "lake"],
    "label": lambda c: ["sea"],
    "name": lambda c: ["value", "new"],
    "key": lambda c: [len, lambda resource: 3],
    "fields": lambda c: ["Ada"],
    "remove": lambda c: [[], ["fields"]],
    "by": lambda c: ["value", lambda resource: resource.id],
    "n": lambda c: [0, 3],
    "low": lambda c: [1, None],
    "high": lambda c: [4, None],
    "value": lambda c: [2, None],
    "values": lambda c: [[1, 2]],
    "if_exists": lambda c: ["raise", "return"],
    "ttl": lambda c: [None],
    "until": lambda c: [None],
    "at": lambda c: [1, 41],
    "requests": lambda c: [[(0, 60, 70), {"resource": 1, "start": 60, "end": 70}, BookingEvent(2, 60, 70)]],
    "on_conflict": lambda c: ["raise", "skip"],
    "reason": lambda c: ["cleaning"],
    "resources": lambda c: [[0, 1], c.tagged("sea"), 2],
    "closure": lambda c: [c.close(3, 70, 80)],
    "hours": lambda c: [None],
    "callback": lambda c: [lambda change: None],
    "change": lambda c: [changes.Tagged(0, "new")],
    "length": lambda c: [1, 5],
    "at_least": lambda c: [None, 2],
    "quorum": lambda c: [None, 1],
    "step": lambda c: [None, 2],
    "selection": lambda c: [c.resources, c.find_available(1, 5).order_by("value"), Flat, [0, "nobody"]],
    "strategy": lambda c: ["first", "best_fit", "least_used", lambda candidates: candidates[-1]],
}
"""What is right for an argument of each name."""


def calendar_of(make: Callable[[], BookingStore[Any]], clock: Callable[[], Any] | None = None) -> Calendar:
    """Return a calendar in which there is something to lose."""
    calendar = Calendar(make(), clock=clock)
    for id in range(4):
        flat = Flat(id, 1 + id % 2)
        flat.value = id
        calendar.add_resource(flat)
    calendar.add_resource(Resource("turn", before=1, after=2))
    calendar.create_index("value", key=lambda resource: resource.value)
    calendar.tag(0, "sea")
    for at in range(12):
        if calendar.is_available(at % 4, at, at + 2):
            calendar.book(at % 4, at, at + 2)
    calendar.book(0, 40, None)
    return calendar


def public(cls: type) -> list[str]:
    """Return the names of the public methods of a class."""
    return [name for name, member in inspect.getmembers(cls, callable) if not name.startswith("_")]


SUBJECTS: dict[str, Callable[[Calendar], Any]] = {
    "Calendar": lambda c: c,
    "Selection": lambda c: c.find_available(1, 5, Flat),
    "IndexView": lambda c: c.index("value"),
    "Resource": lambda c: c.resources.first(1)[0],
}
CALLS = [
    (name, method)
    for name, cls in (("Calendar", Calendar), ("Selection", Selection), ("IndexView", IndexView), ("Resource", Resource))
    for method in public(cls)
    if method not in FILES and list(inspect.signature(getattr(cls, method)).parameters) != ["self"]
]


def test_every_public_argument_is_known() -> None:
    """A new argument must be told here what is right for it."""
    names = {
        parameter
        for subject, method in CALLS
        for parameter in inspect.signature(getattr(getattr(bookcore, subject), method)).parameters
    }
    assert names - {"self"} <= set(GOOD)
    assert len(CALLS) >= 25


def read(result: Any) -> None:
    """Read what a call returned in every way, which is when a lazy question is asked."""
    if isinstance(result, Selection):
        list(result)
        len(result)
        bool(result)
        result.first(2)
        result.ids()
        assert 0 in result or 0 not in result
    elif isinstance(result, Iterator):
        list(islice(result, 1000))


def arguments(calendar: Calendar, method: Callable[..., Any], draw: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
    """Draw arguments for a call, at least one of them a stranger."""
    parameters = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
    wrong = draw(st.sets(st.sampled_from([p.name for p in parameters]), min_size=1, max_size=2))
    args: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in parameters:
        right = GOOD[parameter.name](calendar)
        one = st.integers(0, len(right) - 1).map(right.__getitem__) if parameter.name not in wrong else strangers()
        if parameter.kind is parameter.VAR_POSITIONAL:
            args += draw(st.lists(one, max_size=2))
        elif parameter.kind is parameter.VAR_KEYWORD:
            named.update(draw(st.dictionaries(st.sampled_from(["guest", "self_", "note"]), one, max_size=2)))
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = draw(one)
        else:
            args.append(draw(one))
    return args, named


def throw(make: Callable[[], BookingStore[Any]], subject: str, method: str, data: st.DataObject) -> None:
    """Throw something at one method; it takes it, or raises `BookcoreError` and has changed nothing."""
    calendar = calendar_of(make)
    bound = getattr(SUBJECTS[subject](calendar), method)
    args, named = arguments(calendar, bound, data.draw)
    before = fingerprint(calendar, WINDOWS)
    try:
        read(bound(*args, **named))
    except BookcoreError as error:
        assert str(error)
        assert fingerprint(calendar, WINDOWS) == before
    calendar.check()


@pytest.mark.parametrize(("subject", "method"), CALLS)
@settings(max_examples=MOST // 4)
@given(make=st.sampled_from([MemoryStore, MemoryStore, TreeStore]), data=st.data())
def test_arbitrary_arguments_bring_out_only_errors_of_ours(
    subject: str, method: str, make: Callable[[], BookingStore[Any]], data: st.DataObject
) -> None:
    """Whatever is handed to a call, only `BookcoreError` comes out, and answers stay as they were; whoever decides."""
    throw(make, subject, method, data)


def call_with(parameter: inspect.Parameter, impostor: Any, calendar: Calendar, bound: Callable[..., Any]) -> Any:
    """Call a method with what is right for its arguments, and an impostor in the place of one of them."""
    args: list[Any] = []
    named: dict[str, Any] = {}
    for one in inspect.signature(bound).parameters.values():
        value = impostor if one.name == parameter.name else GOOD[one.name](calendar)[0]
        if one.kind is one.VAR_KEYWORD or (one.kind is one.VAR_POSITIONAL and one.name != parameter.name):
            if one.name == parameter.name:
                named["guest"] = value
        elif one.kind is one.KEYWORD_ONLY or one.default is not one.empty:
            if one.name == parameter.name or one.default is one.empty:
                named[one.name] = value
        else:
            args.append(value)
    return bound(*args, **named)


@pytest.mark.parametrize(("subject", "method"), CALLS)
def test_an_impostor_at_any_argument_brings_out_only_errors_of_ours(subject: str, method: str) -> None:
    """Each of them at each argument: by itself, in a list, and in a tuple; by chance that would take long."""
    forms: list[Callable[[Any], Any]] = [lambda one: one, lambda one: [one], lambda one: (one, one), lambda one: (one, 1, 2)]
    calendar = calendar_of(MemoryStore, clock=lambda: 0)
    before = fingerprint(calendar, WINDOWS[1:2])
    parameters = inspect.signature(getattr(SUBJECTS[subject](calendar), method)).parameters.values()
    for name in IMPOSTORS:
        with told(name):
            for parameter in parameters:
                for form in forms:
                    bound = getattr(SUBJECTS[subject](calendar), method)
                    try:
                        read(call_with(parameter, form(IMPOSTORS[name]()), calendar, bound))
                    except BookcoreError as error:
                        assert str(error)
                        continue
                    calendar.check()
                    calendar = calendar_of(MemoryStore, clock=lambda: 0)
            assert fingerprint(calendar, WINDOWS[1:2]) == before
            calendar.check()


@contextmanager
def told(name: str) -> Iterator[None]:
    """Name the impostor with whatever is raised meanwhile. All are in one test: a test each takes longer than a call."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"impostor: {name}")
        raise


HOURS = Hours({"mon-fri": "09:00-17:00"}, zone="Europe/Berlin")
DAY = datetime(2026, 5, 4, 12, tzinfo=UTC)
PLAIN = HOURS.to_plain()
OTHERS: dict[str, Callable[[Any], Any]] = {
    "Calendar(store)": Calendar,
    "Calendar(bounds=)": lambda one: Calendar(bounds=one),
    "Calendar(event_type=)": lambda one: Calendar(event_type=one),
    "BookingEvent(id=)": lambda one: calendar_of(MemoryStore).add_booking(BookingEvent(0, 50, 60, id=one)),
    "BookingEvent(quantity=)": lambda one: calendar_of(MemoryStore).add_booking(BookingEvent(0, 50, 60, quantity=one)),
    "Resource(id)": lambda one: calendar_of(MemoryStore).add_resource(Resource(one)),
    "Resource(capacity)": lambda one: calendar_of(MemoryStore).add_resource(Resource("new", one)),
    "Resource(before=)": lambda one: calendar_of(MemoryStore).add_resource(Resource("new", before=one)),
    "Resource(after=)": lambda one: calendar_of(MemoryStore).add_resource(Resource("new", after=one)),
    "Hours(weekly)": Hours,
    "Hours(a weekday)": lambda one: Hours({one: "09:00-17:00"}),
    "Hours(a day)": lambda one: Hours({"mon": one}),
    "Hours(an opening)": lambda one: Hours({"mon": [one]}),
    "Hours(a time)": lambda one: Hours({"mon": [(one, "17:00")]}),
    "Hours(zone=)": lambda one: Hours({}, zone=one),
    "Hours(exceptions=)": lambda one: Hours({}, exceptions=one),
    "Hours(a date)": lambda one: Hours({}, exceptions={one: None}),
    "Hours(a day that is an exception)": lambda one: Hours({}, exceptions={"2026-12-25": one}),
    "Hours(nonexistent=)": lambda one: Hours({}, nonexistent=one),
    "Hours(ambiguous=)": lambda one: Hours({}, ambiguous=one),
    "is_open": lambda one: HOURS.is_open(one, DAY),
    "is_open(end)": lambda one: HOURS.is_open(DAY, one),
    "open_spans": lambda one: list(HOURS.open_spans(one, DAY)),
    "closed_spans": lambda one: list(HOURS.closed_spans(DAY, one)),
    "next_open": HOURS.next_open,
    "next_open(at_least=)": lambda one: HOURS.next_open(DAY, at_least=one),
    "from_plain": Hours.from_plain,
    **{f"from_plain({name})": partial(lambda name, one: Hours.from_plain({**PLAIN, name: one}), name) for name in PLAIN},
    "from_plain(a day)": lambda one: Hours.from_plain({**PLAIN, "week": (one,) * 7}),
    "from_plain(an exception)": lambda one: Hours.from_plain({**PLAIN, "exceptions": (one,)}),
    "register_key_codec": lambda one: register_key_codec(one, "odd", len, len),
    "HoursSet": lambda one: calendar_of(MemoryStore).apply(changes.HoursSet(0, one)),
    "Booked": lambda one: calendar_of(MemoryStore).apply(changes.Booked(one)),
    "Moved": lambda one: calendar_of(MemoryStore).apply(changes.Moved(one, one)),
    "Closed": lambda one: calendar_of(MemoryStore).apply(changes.Closed(one)),
    "ResourceAdded": lambda one: calendar_of(MemoryStore).apply(changes.ResourceAdded(one)),
}
"""What else takes an argument."""


@pytest.mark.parametrize("call", OTHERS)
def test_an_impostor_at_anything_else_brings_out_only_errors_of_ours(call: str) -> None:
    """What is made before there is a calendar, and opening hours, are asked for as past the object's own code."""
    for name in IMPOSTORS:
        with told(name):
            impostor = IMPOSTORS[name]()
            if call == "Calendar(store)" and name.startswith("says it is"):
                impostor = [impostor]
            try:
                OTHERS[call](impostor)
            except BookcoreError as error:
                assert str(error)
            except TypeError as error:
                # a dict of the test's own needs keys that can be hashed
                assert call in ("Hours(a weekday)", "Hours(a date)") and "unhashable" in str(error)
            except ZeroDivisionError as error:
                assert call in ("Hours(a weekday)", "Hours(a date)") and str(error) == "__hash__"


@pytest.mark.parametrize("name", IMPOSTORS)
def test_an_impostor_among_the_types_of_a_snapshot_brings_out_only_errors_of_ours(tmp_path: Path, name: str) -> None:
    """As the list of classes, and in it."""
    calendar_of(MemoryStore).snapshot(tmp_path / "a.bks")
    for types in (IMPOSTORS[name](), [IMPOSTORS[name]()], [Flat, IMPOSTORS[name]()]):
        with suppress(BookcoreError):
            Calendar.restore(tmp_path / "a.bks", types=types)


def test_a_reason_that_cannot_be_shown_is_no_obstacle() -> None:
    """A closure has it as the text that it is, which can be shown."""
    calendar = calendar_of(MemoryStore)
    reason = calendar.close(3, 70, 80, IMPOSTORS["str without methods"]()).reason
    assert (type(reason), reason) == (str, "mon-fri")
    with pytest.raises(ConflictError, match="closed: mon-fri"):
        calendar.book(3, 70, 71)
    assert "closed [70, 80): mon-fri" in str(calendar.explain(3, 70, 71))


OPERATORS = [operator.and_, operator.or_, operator.sub, operator.xor]


@pytest.mark.parametrize("operate", OPERATORS)
@given(other=strangers(), swapped=st.booleans())
def test_operators_refuse_what_is_no_set_of_resources(operate: Any, other: Any, swapped: bool) -> None:
    """An operand that is no collection is left to Python, which raises TypeError; ours say what is wrong with it."""
    calendar = calendar_of(MemoryStore)
    selection = calendar.find_available(1, 5)
    try:
        read(operate(other, selection) if swapped else operate(selection, other))
    except (BookcoreError, TypeError):
        pass
    except ZeroDivisionError:
        # the stranger's own operator came first; nothing of ours ran
        assert swapped


@pytest.mark.parametrize("name", IMPOSTORS)
@pytest.mark.parametrize("operate", OPERATORS)
def test_operators_refuse_impostors(operate: Any, name: str) -> None:
    """Each of them as the operand of a selection."""
    selection = calendar_of(MemoryStore).find_available(1, 5)
    for operand in (IMPOSTORS[name](), [IMPOSTORS[name]()]):
        try:
            read(operate(selection, operand))
        except (BookcoreError, TypeError) as error:
            assert type(error) is not TypeError or "unsupported operand" in str(error)
        except ZeroDivisionError as error:
            # the operand was left to Python, which asked the operand
            assert str(error) == "__rsub__"


@given(thing=strangers())
def test_membership_is_asked_of_anything(thing: Any) -> None:
    """``in`` answers no for what is not there, whatever it is."""
    calendar = calendar_of(MemoryStore)
    assert isinstance(thing in calendar, bool)
    assert isinstance(thing in calendar.resources, bool)


@given(data=st.data())
def test_a_calendar_is_made_of_what_makes_one(data: st.DataObject) -> None:
    """Store, bounds, clock and event class are checked when the calendar is made."""
    wrong = data.draw(st.sampled_from(["store", "bounds", "clock", "event_type"]))
    right: dict[str, Any] = {"store": MemoryStore(), "bounds": "[)", "clock": None, "event_type": BookingEvent}
    right[wrong] = data.draw(strangers())
    if type(right["store"]).__name__ == "MagicMock" or callable(right["clock"]):
        return  # has all methods, or may be called
    try:
        calendar = Calendar(right.pop("store"), **right)
    except BookcoreError:
        return
    calendar.check()


FIELDS = ["resource", "start", "end", "id", "quantity"]


@given(values=st.lists(strangers(), min_size=5, max_size=5), standing=st.booleans())
def test_an_event_of_strangers_can_be_made_shown_and_refused(values: list[Any], standing: bool) -> None:
    """An event holds whatever it is given until it is added; once booked, its fields cannot be set."""
    calendar = calendar_of(MemoryStore)
    before = fingerprint(calendar, WINDOWS)
    event = BookingEvent(values[0], values[1], values[2], id=values[3], quantity=values[4])
    assert not event.owns_lock
    try:
        calendar.add_booking(event)
    except BookcoreError as error:
        assert str(error)
        assert fingerprint(calendar, WINDOWS) == before
        assert not event.owns_lock
    else:
        calendar.remove_booking(event)
        before_too = fingerprint(calendar, WINDOWS)
        assert before_too == before
    booked = next(calendar.bookings())
    for name, value in zip(FIELDS, values, strict=True):
        with pytest.raises(AttributeError):
            setattr(booked, name, value)
    assert fingerprint(calendar, WINDOWS) == before


@given(id=strangers(), capacity=strangers(), before=strangers(), after=strangers())
def test_a_resource_of_strangers_is_taken_or_refused_whole(id: Any, capacity: Any, before: Any, after: Any) -> None:
    """What a resource says of itself is checked when it is added."""
    calendar = calendar_of(MemoryStore)
    known = fingerprint(calendar, WINDOWS)
    resource = Resource(id, capacity, before=before, after=after)
    for thing in (resource, Resource(id), Resource("new", before=before), Resource("newer", after=after)):
        try:
            calendar.add_resource(thing)
        except BookcoreError:
            assert fingerprint(calendar, WINDOWS) == known
            continue
        try:
            calendar.is_available(thing, 1, 2)
            calendar.remove_booking(calendar.book(thing, 1, 2))
        except BookcoreError:
            pass
        calendar.remove_resource(thing)
        assert fingerprint(calendar, WINDOWS) == known


def test_an_event_that_was_never_made_whole_is_refused() -> None:
    """An event whose own ``__init__`` forgot to set it up has no span to book."""

    class Empty(BookingEvent):
        def __init__(self) -> None:
            pass

    calendar = calendar_of(MemoryStore)
    with pytest.raises(BookcoreError):
        calendar.add_booking(Empty())
    with pytest.raises(BookcoreError):
        calendar.load([Empty()])
    with pytest.raises(BookcoreError):
        calendar.remove_booking(Empty())
    assert Empty() not in calendar


def test_an_error_about_a_hostile_object_still_has_a_sentence() -> None:
    """A broken ``__repr__`` or ``id`` cannot break the error that is being built."""
    calendar = calendar_of(MemoryStore)
    for thing in (Hostile(), Hostile("__repr__"), Hostile("__getattr__", "__repr__")):
        with pytest.raises(BookcoreError) as caught:
            calendar.is_available(thing, 1, 2)
        assert "Hostile" in str(caught.value)


def test_a_text_that_lies_about_itself_breaks_no_error() -> None:
    """Neither what `repr` and `str` return, nor what a class is called, is asked more than what it holds."""

    class Text(str):
        def __len__(self) -> int:
            raise RuntimeError

        __getitem__ = __str__ = __len__  # type: ignore[assignment]

    class Nameless(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise RuntimeError

    class Day(date):
        def __str__(self) -> str:
            return Text("a day")

        __repr__ = __str__

    class Thing(metaclass=Nameless):
        def __repr__(self) -> str:
            raise RuntimeError

    assert str(bookcore.KeyTypeError(Day(2026, 5, 4), "no")) == "key a day: no"
    assert str(bookcore.ResourceError(Day(2026, 5, 4), "no")).startswith("a day ")
    assert "whose repr fails" in str(bookcore.QueryError(Thing(), "no"))


def test_keys_that_refuse_arithmetic_are_refused_by_hours() -> None:
    """Whatever the code of their class raises."""

    class Stubborn(datetime):
        def __sub__(self, other: object) -> Any:
            raise RuntimeError

    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    calendar.book("r", Stubborn(2026, 5, 4, 9), Stubborn(2026, 5, 4, 10))
    with pytest.raises(bookcore.KeyTypeError):
        calendar.set_hours("r", Hours({"mon": "09:00-17:00"}))


def test_a_dataclass_of_resources_compares_what_it_says() -> None:
    """And nothing of the calendars it is in."""

    @dataclass(unsafe_hash=True)
    class Car(Resource):
        seats: int = 5

    first, second = Car("a"), Car("a")
    assert first == second
    assert hash(first) == hash(second)
    Calendar().add_resource(first)
    assert first == second != Car("a", seats=4)
