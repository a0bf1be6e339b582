"""Conformance tests of `book_any`: find, choose and book as one step, whatever the strategy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bookcore import (
    Calendar,
    DuplicateBookingError,
    InvalidSpanError,
    KeyTypeError,
    MemoryStore,
    NoneAvailableError,
    QueryError,
    RecursiveCallError,
    Resource,
)
from bookcore.testing.contract_laws import fingerprint
from bookcore.testing.contract_life import rooms
from bookcore.testing.contract_store import BOUNDS
from bookcore.testing.contract_threads import run_together


class AnyExam:
    """One booking, on whichever resource is available."""

    def test_book_any_takes_the_first_that_is_available(self, store: Any) -> None:
        """In order of registration, or as the selection is ordered; of any term that `find` takes."""
        calendar = rooms(store)
        calendar.add_resource(Resource("a"))
        calendar.book("r", 1, 5)
        by_id = calendar.resources.order_by(lambda resource: str(resource.id))
        got: list[Any] = [
            calendar.book_any(calendar.resources, 1, 5, quantity=2, id="x", guest="Ada"),
            calendar.book_any(["a", "q", "nobody"], 1, 5),
            calendar.book_any(Resource, 1, 5),
            calendar.book_any(by_id, 7, 8),
        ]
        assert [event.resource.id for event in got] == ["q", "q", "a", "a"]
        assert (got[0].id, got[0].quantity, got[0].guest, got[0].owns_lock) == ("x", 2, "Ada", True)
        calendar.check()

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_book_any_takes_the_best_fit(self, store: Any, bounds: Any) -> None:
        """The smallest gap around the span: between bookings, closures, buffers, and spans where too few units are left."""
        calendar = Calendar(store, bounds=bounds)
        kinds = [("wide", 1, None), ("tight", 1, None), ("turn", 1, 2), ("left", 1, None), ("pool", 2, None)]
        for name, capacity, after in kinds:
            calendar.add_resource(Resource(name, capacity, after=after))
        calendar.book("left", 40, 50)  # bounded on one side
        calendar.book("tight", 1, 8)
        calendar.close("tight", 20, 21)  # 8 to 20
        calendar.book("pool", 1, 9, quantity=2)
        calendar.book("pool", 12, 13)
        calendar.book("pool", 18, 19, quantity=2)  # 9 to 18 for one, 13 to 18 for two
        calendar.book("turn", 1, 9)
        calendar.book("turn", 18, 19)  # 11 to 16
        order = []
        with calendar.what_if():
            while calendar.find_available(14, 15):
                event = calendar.book_any(calendar.resources, 14, 15, strategy="best_fit")
                order.append(event.resource.id)
                if event.resource.id == "pool":
                    calendar.close("pool", 14, 15)
        assert order == ["turn", "pool", "tight", "left", "wide"]
        assert calendar.book_any(["tight", "pool"], 14, 15, strategy="best_fit", quantity=1).resource.id == "pool"
        assert calendar.book_any(["wide", "left"], None, 3, strategy="best_fit").resource.id == "left"
        calendar.check()

    @pytest.mark.parametrize("strategy", ["first", "best_fit", "least_used", lambda candidates: candidates[0]])
    def test_book_any_takes_one_that_has_room_for_all_units(self, store: Any, strategy: Any) -> None:
        """A resource with fewer units left is not a candidate."""
        calendar = rooms(store)
        calendar.book("q", 1, 5, quantity=2)
        calendar.add_resource(Resource("p", 2))
        event = calendar.book_any(calendar.resources, 4, 6, quantity=2, strategy=strategy)
        assert (event.resource.id, event.quantity) == ("p", 2)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_book_any_finds_a_gap_that_begins_long_before(self, store: Any, bounds: Any) -> None:
        """However much longer than the span; an hour, and a gap of months."""
        calendar = Calendar(store, bounds=bounds)
        for name in ("never", "long ago", "lately"):
            calendar.add_resource(Resource(name))
        calendar.book("long ago", 0, 1)
        calendar.book("lately", 500, 501)
        got = [calendar.book_any(calendar.resources, 2000, 2001, strategy="best_fit").resource.id for _ in range(3)]
        assert got == ["lately", "long ago", "never"]

    def test_book_any_by_best_fit_needs_keys_that_can_be_subtracted(self, store: Any) -> None:
        """Text has no lengths: `KeyTypeError`; the other strategies do not ask for any."""
        calendar = rooms(store)
        with pytest.raises(KeyTypeError):
            calendar.book_any(calendar.resources, "a", "b", strategy="best_fit")
        assert calendar.book_any(calendar.resources, "a", "b", strategy="least_used").resource.id == "r"

    def test_book_any_takes_the_least_used(self, store: Any) -> None:
        """The resource with the fewest bookings at any time is chosen; of several such resources the first."""
        calendar = rooms(store)
        calendar.book("r", 50, 51)
        got = [calendar.book_any(calendar.resources, at, at + 1, strategy="least_used") for at in range(4)]
        assert [event.resource.id for event in got] == ["q", "r", "q", "r"]

    def test_book_any_asks_the_callers_own_function(self, store: Any) -> None:
        """The function gets the candidates in order and returns one of them or its id; it may ask the calendar."""
        calendar = rooms(store)
        calendar.add_resource(Resource("s"))
        calendar.book("s", 1, 5)
        given: list[Any] = []

        def pick(candidates: list[Any]) -> Any:
            given.append([one.id for one in candidates])
            return max(candidates, key=lambda one: sum(1 for _ in calendar.bookings(one)))

        assert calendar.book_any(calendar.resources, 6, 7, strategy=pick).resource.id == "s"
        assert calendar.book_any(calendar.resources, 1, 2, strategy=lambda candidates: "q").resource.id == "q"
        assert given == [["r", "q", "s"]]

    def test_book_any_with_a_function_that_fails_changes_nothing(self, store: Any) -> None:
        """An exception is the cause of a `QueryError`, as is an answer that is no candidate; it may not change anything."""
        calendar = rooms(store)
        calendar.book("r", 1, 5, id="x")
        before = fingerprint(calendar)

        def fail(candidates: list[Any]) -> Any:
            raise ZeroDivisionError

        def change(candidates: list[Any]) -> Any:
            calendar.remove_booking("x")
            return candidates[0]

        def choose_the_taken(candidates: list[Any]) -> Any:
            calendar.book("q", 1, 5, quantity=3)
            return candidates[0]

        with pytest.raises(QueryError) as caught:
            calendar.book_any(calendar.resources, 1, 5, strategy=fail)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        answers: list[Any] = [None, "r", "nobody", [], Resource("q2")]
        while answers:
            with pytest.raises(QueryError):
                calendar.book_any(calendar.resources, 1, 5, strategy=lambda candidates: answers.pop())
        for strategy in (change, choose_the_taken):
            with pytest.raises(RecursiveCallError):
                calendar.book_any(calendar.resources, 1, 5, strategy=strategy)
        assert fingerprint(calendar) == before
        calendar.check()

    @pytest.mark.parametrize("strategy", ["first", "best_fit", "least_used", lambda candidates: candidates[0]])
    def test_book_any_says_when_none_is_available(self, store: Any, strategy: Any) -> None:
        """`NoneAvailableError` with how many were asked about, and what was in the way of the first few."""
        calendar = rooms(store)
        wall = calendar.book("r", 1, 5)
        calendar.close("q", 4, 9, "paint")
        before = fingerprint(calendar)
        with pytest.raises(NoneAvailableError, match="paint") as caught:
            calendar.book_any(calendar.resources, 4, 6, strategy=strategy)
        error = caught.value
        assert (error.start, error.end, error.quantity, error.asked, error.http_hint) == (4, 6, 1, 2, 409)
        assert [getattr(refused.resource, "id", None) for refused in error.refused] == ["r", "q"]
        assert error.refused[0].conflicts == (wall,)
        with pytest.raises(NoneAvailableError) as caught:
            calendar.book_any([], 4, 6, strategy=strategy)
        assert (caught.value.asked, caught.value.refused) == (0, ())
        assert fingerprint(calendar) == before

    def test_book_any_again_returns_the_booking_that_stands(self, store: Any) -> None:
        """The same id and content return the booking, on whichever resource it is, even outside the selection."""
        calendar = rooms(store)
        calendar.book("r", 2, 3)
        free = calendar.find_available(1, 5)
        first = calendar.book_any(free, 1, 5, id="x", quantity=3, if_exists="return")
        assert calendar.book_any(free, 1, 5, id="x", quantity=3, if_exists="return") == first
        others: list[dict[str, Any]] = [{"quantity": 1}, {"if_exists": "raise"}, {"guest": "Bob"}]
        for other in others:
            with pytest.raises(DuplicateBookingError, match="'x'") as caught:
                calendar.book_any(free, 1, 5, **{"id": "x", "quantity": 3, "if_exists": "return", **other})
            assert caught.value.standing == first

    def test_book_any_refuses_what_makes_no_sense(self, store: Any) -> None:
        """A strategy or selection that is none, a span that is none."""
        calendar, other = rooms(store), rooms(MemoryStore())
        calls: list[tuple[type[Exception], Callable[[], Any]]] = [
            (QueryError, lambda: calendar.book_any(calendar.resources, 1, 2, strategy="cheapest")),  # type: ignore[arg-type]
            (QueryError, lambda: calendar.book_any(calendar.resources, 1, 2, strategy=None)),  # type: ignore[arg-type]
            (QueryError, lambda: calendar.book_any(other.resources, 1, 2)),
            (QueryError, lambda: calendar.book_any("r", 1, 2)),
            (QueryError, lambda: calendar.book_any(5, 1, 2)),
            (QueryError, lambda: calendar.book_any(calendar.resources, 1, 2, id="x", if_exists="ignore")),  # type: ignore[arg-type]
            (InvalidSpanError, lambda: calendar.book_any(calendar.resources, 2, 1)),
        ]
        for error, call in calls:
            with pytest.raises(error):
                call()
        assert len(calendar) == 0

    def test_threads_that_book_any_never_get_the_same_one(self, store: Any) -> None:
        """Twenty want one of twelve; twelve get one, and no two the same."""
        calendar = Calendar(store)
        for id in range(12):
            calendar.add_resource(Resource(id))
        strategies: list[Any] = ["first", "best_fit", "least_used", lambda candidates: candidates[-1]]
        won: list[int] = []
        told: list[int] = []

        def want(number: int) -> None:
            try:
                won.append(calendar.book_any(calendar.resources, 1, 5, strategy=strategies[number % 4]).resource.id)
            except NoneAvailableError:
                told.append(number)

        run_together(20, want)
        assert sorted(won) == list(range(12))
        assert len(told) == 8
