"""Conformance tests of spans and keys: what a span is, and which keys one may have."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import nextafter
from typing import Any

import pytest

from bookcore import (
    BookcoreError,
    BookingEvent,
    ConflictError,
    InvalidKeyError,
    InvalidSpanError,
    KeyTypeError,
    Resource,
)
from bookcore.testing.contract_calendar import room
from bookcore.testing.contract_store import BOUNDS
from bookcore.testing.families import Family, families


@dataclass(order=True, frozen=True)
class Version:
    """A key of the user's own: whether two can be compared depends on what is in them."""

    x: object


NEIGHBOURS = [
    (2**53, 2**53 + 1),
    (10**40, 10**40 + 1),
    (1.0, nextafter(1.0, 2.0)),
    (Fraction(1, 3), Fraction(1, 3) + Fraction(1, 10**30)),
    (Decimal("0.1234567890123456789012345678901"), Decimal("0.1234567890123456789012345678902")),
    (datetime(2026, 7, 4, 9), datetime(2026, 7, 4, 9, microsecond=1)),
    (datetime(2026, 7, 4, 9, tzinfo=UTC), datetime(2026, 7, 4, 9, microsecond=1, tzinfo=UTC)),
    (datetime.min, datetime.min + datetime.resolution),
    (datetime.max - datetime.resolution, datetime.max),
    (date.min, date(1, 1, 2)),
    ("B", "a"),
    ("a", "a "),
    ("a", "a\0"),
    ("e", "\u00e9"),
]
"""Keys that differ by less than a column of some database keeps of them."""


class SpanExam:
    """What a span may be, and keys of every family."""

    @pytest.mark.parametrize(("low", "high"), NEIGHBOURS, ids=repr)
    def test_keys_that_are_next_to_each_other_are_two(self, store: Any, low: Any, high: Any) -> None:
        """A span between them is booked, whatever a backend makes of numbers, times and texts; around it all is free."""
        calendar, flat = room(store)
        stay = calendar.book(flat, low, high)
        (found,) = calendar.bookings(flat)
        assert found == stay
        assert (found.start, found.end) == (low, high)
        assert not calendar.is_available(flat, low, high)
        assert calendar.is_available(flat, None, low)
        assert calendar.is_available(flat, high, None)
        assert calendar.find_booked(low, high).ids() == [flat.id]
        assert calendar.find_booked(None, low).ids() == calendar.find_booked(high, None).ids() == []
        assert calendar.conflicts(flat, low, high) == (stay,)
        calendar.book(flat, high, None)
        assert [event.start for event in calendar.bookings()] == [low, high]
        calendar.remove_booking(stay)
        assert calendar.is_available(flat, None, high)

    def test_ids_that_differ_by_type_alone_are_two(self, store: Any) -> None:
        """Of resources, and of bookings."""
        calendar, _ = room(store)
        for id in (1, "1", (1,), b"1"):
            calendar.add_resource(Resource(id))
        calendar.book(1, 3, 5, id=7)
        calendar.book("1", 4, 6, id="7")
        assert calendar.find_booked(3, 6, [1, "1", (1,), b"1"]).ids() == [1, "1"]
        assert [event.resource.id for event in calendar.bookings(None, 3, 6)] == [1, "1"]
        calendar.remove_booking(7)
        assert calendar.find_booked(3, 6, [1, "1", (1,), b"1"]).ids() == ["1"]
        assert calendar.is_available(1, 3, 6)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_a_reversed_span_is_refused_everywhere(self, store: Any, bounds: Any) -> None:
        """Every call that takes a span says `InvalidSpanError`, with the span, at once."""
        calendar, flat = room(store, bounds)
        for call in (
            lambda: calendar.book(flat, 5, 2),
            lambda: calendar.add_booking(BookingEvent(flat, 5, 2)),
            lambda: calendar.is_available(flat, 5, 2),
            lambda: calendar.conflicts(flat, 5, 2),
            lambda: calendar.bookings(flat, 5, 2),
            lambda: calendar.bookings(None, 5, 2),
            lambda: calendar.find_available(5, 2),
            lambda: calendar.find_booked(5, 2),
            lambda: calendar.load([BookingEvent(flat, 5, 2)]),
        ):
            with pytest.raises(InvalidSpanError) as caught:
                call()
            assert (caught.value.start, caught.value.end) == (5, 2)
        assert len(calendar) == 0

    @pytest.mark.parametrize("family", families(), ids=str)
    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_every_family_of_keys_can_be_booked_and_asked(self, store: Any, family: Family, bounds: Any) -> None:
        """Bookings keep the keys that were given, in whatever form, and answers follow the order of the keys."""
        calendar, flat = room(store, bounds)
        key = family.key
        given = [(key(rank, form), key(rank + 3, form + 1)) for form, rank in enumerate((8, 0, 4, 20))]
        events = [calendar.book(flat, *span) for span in given]
        assert all(event.start is span[0] and event.end is span[1] for event, span in zip(events, given, strict=True))
        assert list(calendar.bookings()) == [events[at] for at in (1, 2, 0, 3)]
        assert calendar.conflicts(flat, key(2, 2), key(5, 3)) == (events[1], events[2])
        assert calendar.is_available(flat, key(12, 3), key(19, 1))
        assert not calendar.is_available(flat, key(12, 1), key(21, 2))
        with pytest.raises(ConflictError):
            calendar.book(flat, key(9, 2), key(10, 4))
        for event in events:
            calendar.remove_booking(event)
        assert calendar.is_available(flat, None, None)

    @pytest.mark.parametrize("family", families(), ids=str)
    def test_keys_of_another_kind_are_refused_while_some_are_held(self, store: Any, family: Family) -> None:
        """`KeyTypeError` names the stranger; once the calendar is empty any family may move in."""
        calendar, flat = room(store)
        stay = calendar.book(flat, family.key(1), family.key(5))
        strangers = [object(), {1}, 1j, [] if family.name != "str" else 5, "x" if family.name != "str" else b"x"]
        for stranger in strangers:
            for call in (
                lambda a: calendar.book(flat, a, None),
                lambda a: calendar.is_available(flat, None, a),
                lambda a: list(calendar.find_available(a, None)),
                lambda a: calendar.conflicts(flat, a, None),
            ):
                with pytest.raises(KeyTypeError):
                    call(stranger)
        assert list(calendar.bookings()) == [stay]
        calendar.remove_booking(stay)
        other = next(one for one in families() if one.name not in (family.name, "own"))
        calendar.book(flat, other.key(1), other.key(5))

    @pytest.mark.parametrize("bounds", BOUNDS)
    @pytest.mark.parametrize("zoned", [False, True])
    def test_strangers_are_refused_also_where_no_key_stands_beside_them(
        self, store: Any, zoned: bool, bounds: Any
    ) -> None:
        """A resource without a booking compares nothing, and one that is booked for ever no more."""
        zone, other = (UTC, None) if zoned else (None, UTC)

        def year(number: int, zone: Any) -> datetime:
            return datetime(number, 1, 1, tzinfo=zone)

        calendar, _ = room(store, bounds)  # without a booking
        for name in ("for ever", "until", "since", "once"):
            calendar.add_resource(Resource(name))
        calendar.book("for ever", None, None)
        calendar.book("until", None, year(2030, zone))
        calendar.book("since", year(2030, zone), None)
        calendar.book("once", year(2029, zone), year(2030, zone))
        for resource in calendar.resources:
            for start, end in [(year(2026, other), year(2027, other)), (1, 2)]:
                for who in (resource, resource.id):
                    with pytest.raises(KeyTypeError):
                        calendar.is_available(who, start, end)
                    with pytest.raises(KeyTypeError):
                        calendar.book(who, start, end)
            for who in (resource, resource.id):
                room_for_it = calendar.is_available(who, year(2026, zone), year(2027, zone))
                assert room_for_it is (resource.id not in ("for ever", "until"))
                with pytest.raises(InvalidSpanError):
                    calendar.is_available(who, year(2027, zone), year(2026, zone))

    @pytest.mark.parametrize("nan", [float("nan"), (1, float("nan"))], ids=["nan", "in a tuple"])
    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_a_nan_is_no_key(self, store: Any, nan: Any, bounds: Any) -> None:
        """A NaN is an `InvalidSpanError` and a `KeyTypeError` at once, as start and as end, among floats and alone."""
        calendar, flat = room(store, bounds)
        good = (0, 1.0) if isinstance(nan, tuple) else 0.5
        held = calendar.book(flat, (-9, 1.0), (-8, 1.0)) if isinstance(nan, tuple) else calendar.book(flat, -9.0, -8.0)
        for span in ((nan, good), (good, nan), (nan, None), (None, nan), (nan, nan)):
            with pytest.raises(InvalidKeyError) as caught:
                calendar.book(flat, *span)
            assert isinstance(caught.value, InvalidSpanError)
            assert isinstance(caught.value, KeyTypeError)
            with pytest.raises(InvalidKeyError):
                calendar.find_booked(*span)
            with pytest.raises(InvalidKeyError):
                calendar.bookings(flat, *span)
        calendar.remove_booking(held)
        for span in ((nan, None), (None, nan), (nan, nan)):
            with pytest.raises(InvalidKeyError):
                calendar.is_available(flat, *span)
        assert len(calendar) == 0

    def test_keys_of_one_class_that_are_strangers_to_each_other_are_refused(self, store: Any) -> None:
        """By every call, with nothing changed: the class alone does not say that two can be compared."""
        calendar, flat = room(store)
        stay = calendar.book(flat, Version(1), Version(2))
        calendar.add_resource(Resource("other"))
        span = Version("x"), Version("y")
        calls: list[Callable[[], Any]] = [
            lambda: calendar.is_available("other", *span),
            lambda: calendar.book("other", *span),
            lambda: calendar.hold("other", *span),
            lambda: calendar.load([BookingEvent("other", *span)]),
            lambda: calendar.load([BookingEvent("other", Version(str(n)), Version(f"{n} ")) for n in range(40)]),
            lambda: calendar.move(stay, start=span[0], end=span[1]),
            lambda: calendar.find_available(*span),
            lambda: calendar.bookings("other", *span),
            lambda: calendar.conflicts("other", *span),
            lambda: calendar.close("other", *span, "x"),
            lambda: calendar.explain("other", *span),
            lambda: calendar.gaps("other", *span),
        ]
        for call in calls:
            with pytest.raises(KeyTypeError):
                call()
        assert calendar.find_available(Version(1), Version(5)).ids() == ["other"]
        assert list(calendar.bookings()) == [stay]

    def test_a_key_whose_comparison_fails_later_is_an_error_of_ours(self, store: Any) -> None:
        """Wherever it fails: in a question, a release, a move."""
        calendar, flat = room(store)
        keys = [Version(n) for n in range(6)]
        calendar.book(flat, keys[0], keys[1])
        stay = calendar.book(flat, keys[2], keys[3])
        object.__setattr__(keys[0], "x", "broken")
        for call in (
            lambda: calendar.is_available(flat, keys[4], keys[5]),
            lambda: calendar.conflicts(flat, keys[4], keys[5]),
            lambda: list(calendar.bookings()),
            lambda: calendar.move(stay, start=keys[4], end=keys[5]),
        ):
            with suppress(BookcoreError):
                call()

    def test_unbounded_bookings_and_questions_reach_everywhere(self, store: Any) -> None:
        """None is before and after every key, also where no key is held yet."""
        calendar, flat = room(store)
        assert calendar.is_available(flat, None, None)
        early = calendar.book(flat, None, 5)
        late = calendar.book(flat, 9, None)
        assert not calendar.is_available(flat, -(10**9), -(10**8))
        assert not calendar.is_available(flat, 10**9, None)
        assert calendar.is_available(flat, 5, 9)
        assert calendar.conflicts(flat, None, None) == (early, late)
        assert list(calendar.find_booked(None, 1)) == [flat]
        calendar.remove_booking(early)
        calendar.remove_booking(late)
        whole = calendar.book(flat, None, None)
        assert list(calendar.bookings(flat, 3, 4)) == [whole]
        assert not calendar.find_available(None, None)
