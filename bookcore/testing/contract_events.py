"""Conformance tests of event classes of the user: the span of an event is the span that is locked, or it is refused."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    ConflictError,
    FieldError,
    Resource,
    TransactionError,
    changes,
)
from bookcore.testing.contract_laws import fingerprint


@dataclass(eq=False)
class Nights(BookingEvent):
    """An event that sets its end itself, whatever end is given."""

    nights: int = 3

    def __post_init__(self) -> None:
        """Set the end."""
        self.end = self.start + self.nights


@dataclass(eq=False)
class Priced(BookingEvent):
    """An event that computes a price from its span and does not change the span."""

    rate: int = 2
    price: int = 0

    def __post_init__(self) -> None:
        """Set the price."""
        self.price = self.rate * (self.end - self.start)


@dataclass(eq=False, slots=True)
class Slotted(BookingEvent):
    """Has slots, one for every field that it inherits among them."""

    guest: str = "nobody"


class Greedy(BookingEvent):
    """An event with another quantity than the one that is given."""

    def __init__(self, resource: Any, start: Any, end: Any, *, quantity: int = 1, **fields: Any) -> None:
        super().__init__(resource, start, end, quantity=-quantity, **fields)


class Empty(BookingEvent):
    """An event that ignores its arguments."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass


class Stranger(BookingEvent):
    """Makes something else."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Return no event."""
        return 5


ALWAYS: list[BookingEvent] = []


class Same(BookingEvent):
    """A class that makes one event and returns this event every time."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Return the one there is."""
        if not ALWAYS:
            ALWAYS.append(super().__new__(cls))
        return ALWAYS[0]

    def __init__(self, *args: Any, **options: Any) -> None:
        if not hasattr(self, "_seq"):
            super().__init__(*args, **options)


class Passing(BookingEvent):
    """An event with an argument of its own, that passes other fields on."""

    def __init__(self, *args: Any, until: Any = None, **fields: Any) -> None:
        self.lasts = until
        super().__init__(*args, **fields)


class Open(BookingEvent):
    """An event that takes fields of any name, by name."""

    def __init__(self, resource: Any, start: Any, end: Any, *, id: Any = None, quantity: int = 1, **fields: Any) -> None:
        super().__init__(resource, start, end, id=id, quantity=quantity, fields=fields)


MISTAKES: dict[str, list[str]] = {
    "an argument of another call": ["ttl", "until", "strategy", "selection", "requests", "on_conflict", "before", "after",
                                    "capacity", "hold", "held"],
    "nearly an argument": ["quantitiy", "quantty", "qunatity", "Quantity", "quantity_", "id_", "ID", "Id", "if_exist",
                           "tttl", "TTL", "utnil", "untill", "fileds", "field", "befor", "atfer", "stratgy", "on_conflit"],
}  # fmt: skip
"""Keywords that were taken for fields, so that a caller got another booking than the one asked for."""

FIELDS = ["guest", "price", "note", "quality", "source", "holder", "total", "title", "state", "section", "exists", "units",
          "filter", "later", "uid", "room_rate", "water"]  # fmt: skip
"""Names of fields that are somewhat like arguments, and no mistakes."""


def _asks(calendar: Calendar) -> dict[str, Any]:
    """Return the calls that take fields as keywords."""
    return {
        "book": lambda **named: calendar.book("r", 1, 2, **named),
        "hold": lambda **named: calendar.hold("r", 1, 2, **named),
        "book_any": lambda **named: calendar.book_any(["r"], 1, 2, **named),
        "book_all": lambda **named: calendar.book_all([{"resource": "r", "start": 1, "end": 2, **named}]).booked[0],
        "BookingEvent": lambda **named: calendar.add_booking(BookingEvent("r", 1, 2, **named)),
    }


_OWN_ARGUMENTS = {"hold": {"ttl", "until"}, "book_any": {"strategy", "selection"}}


class EventExam:
    """An event class may carry what it likes; it may not have another span locked than it says."""

    @pytest.mark.parametrize("kind", [Nights, Greedy, Empty, Stranger], ids=lambda kind: kind.__name__)
    def test_a_class_that_changes_what_was_asked_for_is_refused(self, store: Any, kind: type[BookingEvent]) -> None:
        """By every call that makes an event of it; nothing is booked."""
        calendar = Calendar(store, event_type=kind)
        calendar.add_resource(Resource("r", capacity=2))
        before = fingerprint(calendar)
        for call in (
            lambda: calendar.book("r", 1, 2),
            lambda: calendar.hold("r", 1, 2),
            lambda: calendar.book_any(["r"], 1, 2),
            lambda: calendar.book_all([("r", 1, 2)]),
            lambda: calendar.book_all([("r", 1, 2)], on_conflict=ConflictError),
        ):
            with pytest.raises(FieldError) as caught:
                call()
            assert caught.value.event_type is kind
            assert fingerprint(calendar) == before
            calendar.check()

    @pytest.mark.parametrize("call", ["book", "hold", "book_any", "book_all", "BookingEvent"])
    def test_a_keyword_that_asks_something_of_a_call_is_no_field(self, store: Any, call: str) -> None:
        """Nor is one that is nearly such a keyword: it is refused by name, with the way to have a field of that name."""
        calendar = Calendar(store)
        calendar.add_resource(Resource("r", 9))
        ask = _asks(calendar)[call]
        for name in [name for names in MISTAKES.values() for name in names]:
            if name in _OWN_ARGUMENTS.get(call, ()):
                continue
            is_said = hasattr(BookingEvent, name)
            with pytest.raises(FieldError, match="says itself" if is_said else r"as fields=\{") as caught:
                ask(**{name: 5})
            assert caught.value.fields == (name,)
            assert len(calendar) == 0
            if is_said:
                continue
            event = ask(fields={name: 5})
            assert (dict(event.fields), getattr(event, name), event.quantity) == ({name: 5}, 5, 1)
            assert dict(calendar.get(event.id).fields) == {name: 5}
            assert calendar.remove_booking(event.id) == event
        calendar.check()

    @pytest.mark.parametrize("call", ["book", "hold", "book_any", "book_all", "BookingEvent"])
    def test_other_names_are_fields(self, store: Any, call: str) -> None:
        """By name or in ``fields``, and both together."""
        calendar = Calendar(store)
        calendar.add_resource(Resource("r"))
        ask = _asks(calendar)[call]
        for name in FIELDS:
            event = ask(**{name: 5}, fields={"ttl": 6})
            assert dict(event.fields) == {name: 5, "ttl": 6}
            calendar.remove_booking(event)
        assert dict(ask(fields=None).fields) == {}
        calendar.remove_booking(next(calendar.bookings()))
        for bad in ({"fields": {"guest": 1}, "guest": 1}, {"fields": {"status": 1}}, {"fields": {"start": 1}},
                    {"fields": 5}, {"fields": ["guest"]}, {"fields": {1: 2}}, {"status": 1}):  # fmt: skip
            with pytest.raises(FieldError):
                ask(**bad)
            assert len(calendar) == 0

    def test_a_class_says_itself_which_fields_it_takes(self, store: Any) -> None:
        """A dataclass those that it declares, whatever their names; another one what it does not pass on."""

        @dataclass(eq=False)
        class Lasting(BookingEvent):
            before: int = 0
            quantities: int = 0

        calendar = Calendar(store, event_type=Lasting)
        calendar.add_resource(Resource("r", 9))
        assert calendar.book("r", 1, 2, before=3).fields["before"] == 3
        assert calendar.book("r", 1, 2, fields={"before": 4}).fields["before"] == 4
        for named in ({"guest": 1}, {"fields": {"guest": 1}}, {"quantty": 1}, {"after": 1}):
            with pytest.raises(FieldError):
                calendar.book("r", 1, 2, **named)
        passing: Any = Passing("r", 1, 2, until=5, guest="Ada")
        assert calendar.add_booking(passing).fields == {"lasts": 5, "guest": "Ada"}
        for refused in ("ttl", "quantty"):
            with pytest.raises(FieldError):
                Passing("r", 1, 2, **{refused: 5})
        assert Open("r", 1, 2, ttl=5).fields["ttl"] == 5
        assert len(calendar) == 3

    def test_no_argument_of_a_booking_call_is_taken_for_a_field(self, store: Any) -> None:
        """Also not one that a call gets later."""
        named: set[str] = set()
        booking = Calendar.book, Calendar.hold, Calendar.book_any, Calendar.book_all, Calendar.add_resource
        for call in (*booking, Calendar.move, Calendar.change, Calendar.extend):
            named |= {name for name, arg in inspect.signature(call).parameters.items() if arg.kind is not arg.VAR_KEYWORD}
        for name in named - {"self", "resource", "start", "end", "id", "quantity", "event_or_id"}:
            with pytest.raises(FieldError):
                BookingEvent("r", 1, 2, **{name: 5})

    def test_what_it_says_itself_can_be_asked_for_or_added(self, store: Any) -> None:
        """The span is then the one that is locked."""
        calendar = Calendar(store, event_type=Nights)
        calendar.add_resource(Resource("r"))
        stay = calendar.book("r", 1, 4)
        calendar.add_booking(Nights("r", 4, None))
        assert not calendar.is_available("r", 6, 7)
        assert calendar.is_available("r", 7, 9)
        assert calendar.remove_booking(stay) is stay
        assert calendar.is_available("r", 1, 4)

    def test_a_class_that_works_something_out_from_its_span_is_taken(self, store: Any) -> None:
        """Also where the same request comes again, which needs one to compare with."""
        calendar = Calendar(store, event_type=Priced)
        calendar.add_resource(Resource("r"))
        stay: Any = calendar.book("r", 1, 4, id="x", if_exists="return")
        assert stay.price == 6
        assert calendar.book("r", 1, 4, id="x", if_exists="return") is stay

    def test_a_dataclass_with_slots_is_an_event_like_any_other(self, store: Any) -> None:
        """Booked, added, loaded, moved."""
        calendar = Calendar(store, event_type=Slotted)
        calendar.add_resource(Resource("r"))
        ride = calendar.book("r", 1, 2, guest="Ada")
        calendar.add_booking(Slotted("r", 5, 6))
        calendar.load([Slotted("r", 7, 8, guest="Cy")])
        moved = calendar.move(ride, end=3)
        assert (moved.start, moved.end, dict(moved.fields)) == (1, 3, {"guest": "Ada"})
        assert [dict(event.fields)["guest"] for event in calendar.bookings()] == ["Ada", "nobody", "Cy"]
        with pytest.raises(AttributeError):
            moved.start = 0
        calendar.check()

    def test_a_class_that_returns_an_event_booked_before_is_refused(self, store: Any) -> None:
        """The same event would be active twice."""
        ALWAYS.clear()
        calendar = Calendar(store, event_type=Same)
        calendar.add_resource(Resource("r"))
        calendar.book("r", 1, 2)
        with pytest.raises(BookcoreError):
            calendar.book("r", 1, 2, id="again")
        with pytest.raises(FieldError, match="has been booked"):
            calendar.book("r", 3, 4)
        assert len(calendar) == 1
        calendar.check()

    def test_a_closure_that_stands_is_not_applied_again(self, store: Any) -> None:
        """Nor a closure with the number of an active closure, which could then not be removed any more."""
        source, calendar = Calendar(), Calendar(store)
        source.add_resource(Resource("r"))
        calendar.add_resource(Resource("r"))
        own = calendar.close("r", 10, 20)
        told: list[changes.Change] = []
        source.subscribe(told.append)
        source.close("r", 1, 5)
        before = fingerprint(calendar)
        with pytest.raises(TransactionError, match="is in this calendar already"):
            calendar.apply(told[0])
        assert fingerprint(calendar) == before
        calendar.reopen(own)
        calendar.apply(told[0])
        with pytest.raises(TransactionError):
            calendar.apply(told[0])
        assert [(closure.start, closure.end) for closure in calendar.closures()] == [(1, 5)]
        calendar.remove_resource("r")
        assert not calendar.closures()
