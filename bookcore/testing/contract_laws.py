"""Conformance tests of the seven laws, as examples; the machine tests the laws on random histories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bookcore import BookcoreError, BookingEvent, Calendar, ConflictError, MemoryStore, Resource
from bookcore.testing.contract_store import BOUNDS
from bookcore.testing.liststore import ListStore

WINDOWS: tuple[tuple[Any, Any], ...] = ((None, None), (None, 3), (0, 1), (2, 6), (5, 5.5), (7, 12), (12, 30), (25, None))


def fingerprint(calendar: Calendar, windows: Any = WINDOWS) -> list[Any]:
    """Return every answer a calendar gives over some windows, resource by resource, as things that compare.

    Two calendars with the same history, or one before and after a refusal, have the same fingerprint.
    """

    def ids(events: Any) -> list[Any]:
        return [event.id for event in events]

    found: list[Any] = [len(calendar), calendar.resources.ids(), len(calendar.resources)]
    found += [
        (e.id, e.resource.id, _spelled(e.start), _spelled(e.end), e.quantity, str(e.status)) for e in calendar.bookings()
    ]
    found += [(c.id, c.resource.id, _spelled(c.start), _spelled(c.end), c.reason) for c in calendar.closures()]
    for start, end in windows:
        for quantity in (1, 2):
            free = calendar.find_available(start, end, quantity=quantity)
            found += [free.ids(), len(free), [resource.id for resource in free.first(3)]]
        found.append(calendar.find_booked(start, end).ids())
        found.append(ids(calendar.bookings(None, start, end)))
        for id_ in calendar.resources.ids():
            found.append([calendar.is_available(id_, start, end, quantity=q) for q in (1, 2)])
            found.append(ids(calendar.conflicts(id_, start, end)))
            found.append(ids(calendar.bookings(id_, start, end)))
    registry = calendar._engine.state.registry
    found += [(record.id, record.hours, record.active_count) for record in registry.in_order()]
    found += [(label, calendar.tagged(label).ids()) for label in sorted(registry.tags, key=repr)]
    for name in sorted(registry.indexes.by_name):
        found.append((name, calendar.resources.order_by(name).ids(), calendar.index(name).between(None, None).ids()))
    found += [(kind.__name__, calendar.find(kind).ids()) for kind in registry.classes]
    return found


def _spelled(key: Any) -> Any:
    """Return a key as something that compares, and tells spellings apart: a store may have kept an equal key of the type."""
    try:
        return type(key), repr(key)
    except Exception:  # the key's own code
        return type(key), id(key)


def busy_calendar(store: Any, bounds: Any = "[)") -> Calendar:
    """Return a calendar with resources of several capacities and buffers, bookings, tags and an index."""
    calendar = Calendar(store, bounds=bounds)
    for id in range(12):
        before, after = ((None, None), (1, None), (None, 2))[id % 3] if id % 4 == 3 else (None, None)
        calendar.add_resource(Resource(id, 1 + id % 3, before=before, after=after))
        calendar.tag(id, "even" if id % 2 == 0 else "odd")
    calendar.create_index("capacity", key=lambda resource: resource.capacity)
    for at in range(60):
        start = at * 13 % 25
        try:
            calendar.book(at * 5 % 12, start, start + 1 + at % 4)
        except ConflictError:
            continue
    calendar.book(0, None, -5)
    calendar.book(1, 40, None)
    return calendar


class LawExam:
    """The laws of the contract, each by its name there."""

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_search_never_lies(self, store: Any, bounds: Any) -> None:
        """`find_available` yields exactly the resources that `book` takes; `find_booked` all others."""
        calendar = busy_calendar(store, bounds)
        everyone = set(calendar.resources.ids())
        for start, end in WINDOWS:
            if bounds == "[)" and start == end:
                continue
            offered = set(calendar.find_available(start, end).ids())
            assert set(calendar.find_booked(start, end).ids()) == everyone - offered
            for id in everyone:
                try:
                    event = calendar.book(id, start, end)
                except ConflictError as refused:
                    assert id not in offered
                    assert refused.conflicts == calendar.conflicts(id, start, end)
                    assert refused.conflicts
                else:
                    assert id in offered
                    calendar.remove_booking(event)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_events_overlap_and_not_resources(self, store: Any, bounds: Any) -> None:
        """Booked ``[1, 2)`` and ``[9, 10)``, a resource is available in ``[4, 6)``."""
        calendar = Calendar(store, bounds=bounds)
        flat = calendar.add_resource(Resource("flat"))
        calendar.book(flat, 1, 2)
        calendar.book(flat, 9, 10)
        assert calendar.is_available(flat, 4, 6)
        assert list(calendar.find_available(4, 6)) == [flat]
        assert not calendar.find_booked(4, 6)
        assert calendar.conflicts(flat, 4, 6) == ()

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_touching_is_free_unless_bounds_are_closed(self, store: Any, bounds: Any) -> None:
        """``[1, 5)`` then ``[5, 8)`` succeed; ``[1, 5]`` then ``[5, 8]`` conflict."""
        calendar = Calendar(store, bounds=bounds)
        flat = calendar.add_resource(Resource("flat"))
        first = calendar.book(flat, 1, 5)
        if bounds == "[)":
            calendar.book(flat, 5, 8)
            calendar.book(flat, 0, 1)
        else:
            for span in ((5, 8), (0, 1)):
                with pytest.raises(ConflictError) as caught:
                    calendar.book(flat, *span)
                assert caught.value.conflicts == (first,)
            calendar.book(flat, 6, 8)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_removing_undoes_adding(self, store: Any, bounds: Any) -> None:
        """`remove_booking` after `add_booking` restores every answer."""
        calendar = busy_calendar(store, bounds)
        before = fingerprint(calendar)
        events = [calendar.add_booking(BookingEvent(id, 100 + id, 103 + id)) for id in range(12)]
        events.append(calendar.book(4, None, None) if calendar.is_available(4, None, None) else calendar.book(2, 90, 99))
        assert fingerprint(calendar) != before
        for event in events[::2] + events[1::2]:
            calendar.remove_booking(event)
        assert fingerprint(calendar) == before
        calendar.check()

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_a_refused_call_leaves_every_answer_as_it_was(self, store: Any, bounds: Any) -> None:
        """Whatever the reason."""
        calendar = busy_calendar(store, bounds)
        standing = next(calendar.bookings())
        before = fingerprint(calendar)
        thing = Resource(99)
        refused: list[Callable[[], Any]] = [
            lambda: calendar.book(0, None, None),
            lambda: calendar.book(0, 5, 2),
            lambda: calendar.book(0, 200, "x"),
            lambda: calendar.book(0, 200, float("nan")),
            lambda: calendar.book("nobody", 200, 201),
            lambda: calendar.book(0, 200, 201, quantity=7),
            lambda: calendar.book(0, 200, 201, quantity=0),
            lambda: calendar.book(0, 200, 201, id=standing.id),
            lambda: calendar.book(0, 200, 201, id=[]),  # type: ignore[arg-type]
            lambda: calendar.add_booking(standing),
            lambda: calendar.add_booking(5),  # type: ignore[arg-type]
            lambda: calendar.remove_booking("nobody"),
            lambda: calendar.load([BookingEvent(0, 200, 201), BookingEvent(0, 200, 201)]),
            lambda: calendar.add_resource(Resource(0)),
            lambda: calendar.add_resource(Resource(98, capacity=0)),
            lambda: calendar.remove_resource(standing.resource),
            lambda: calendar.remove_resource(thing),
            lambda: calendar.tag(0, "new", []),  # type: ignore[arg-type]
            lambda: calendar.tag(thing, "new"),
            lambda: calendar.create_index("capacity", key=id),
            lambda: calendar.create_index("odd", key=lambda r: r.id if r.id else "zero"),
            lambda: calendar.reindex(thing),
        ]
        for at, call in enumerate(refused):
            with pytest.raises(BookcoreError):
                call()
            assert fingerprint(calendar) == before, f"refused call {at} left a trace"
        calendar.check()

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_all_stores_give_the_same_answers_in_the_same_order(self, store: Any, bounds: Any) -> None:
        """The same history through this store, the default one and a plain list."""
        mine, memory, plain = (fingerprint(busy_calendar(one, bounds)) for one in (store, MemoryStore(), ListStore()))
        assert mine == plain
        assert memory == plain

    def test_selections_obey_the_algebra_of_sets(self, store: Any) -> None:
        """Every operator against plain Python sets, on every pair of a dozen questions."""
        calendar = busy_calendar(store)
        questions = [calendar.find_available(*window) for window in WINDOWS[:6]]
        questions += [calendar.tagged("odd"), calendar.index("capacity").between(2, None), calendar.find(Resource)]
        everything = set(calendar.resources)
        for one in questions:
            a = set(one)
            assert set(~one) == everything - a
            for two in questions:
                b = set(two)
                assert [set(one & two), set(one | two), set(one - two), set(one ^ two)] == [a & b, a | b, a - b, a ^ b]
                assert len(one & two) == len(a & b)
                assert bool(one - two) == bool(a - b)
                assert set(calendar.find(one, two)) == a & b
                assert set(calendar.find([one, two])) == a | b
