"""The exam examined: stores with one deliberate fault each, and the promise that has to notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from bookcore import BookingEvent, Calendar, StoreError
from bookcore.testing import ListStore, StoreContract, machine


class KeepsNothing(ListStore):
    """Forgets what it is given."""

    def put(self, entry: Any, start: Any, end: Any, event: Any) -> None:
        """Do nothing."""


class ReleasesNothing(ListStore):
    """Holds on to what it should let go of."""

    def remove(self, entry: Any, start: Any, end: Any, event: Any) -> None:
        """Do nothing."""


class TouchingOverlaps(ListStore):
    """Takes every span for a closed one."""

    def bind(self, closed: bool) -> None:
        """Ignore the bounds."""
        super().bind(True)


class OutOfOrder(ListStore):
    """Answers in the order of its rows."""

    def overlapping(self, entry: Any, start: Any, end: Any) -> Any:
        """Return the right bookings in the wrong order."""
        right = super().overlapping(entry, start, end)
        return [row[3] for row in self.rows if row[3] in right]


class Copies(ListStore):
    """Gives out equal events rather than the same ones."""

    def overlapping(self, entry: Any, start: Any, end: Any) -> Any:
        """Return copies."""
        return [BookingEvent(e.resource, e.start, e.end, id=e.id) for e in super().overlapping(entry, start, end)]


class LiveAnswers(ListStore):
    """Gives out one list that it goes on using."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: list[Any] = []

    def overlapping(self, entry: Any, start: Any, end: Any) -> Any:
        """Return the same list each time."""
        self.answer[:] = super().overlapping(entry, start, end)
        return self.answer


class OneShelfForAll(ListStore):
    """Mixes up resources."""

    def overlapping(self, entry: Any, start: Any, end: Any) -> Any:
        """Return everyone's bookings."""
        return [e for other in self.entries for e in super(OneShelfForAll, self).overlapping(other, start, end)]


class ForgetsOpenEnds(ListStore):
    """Does not find a booking without end."""

    def overlapping(self, entry: Any, start: Any, end: Any) -> Any:
        """Leave out unbounded ends."""
        return [event for event in super().overlapping(entry, start, end) if event.end is not None]


class AsksEquality(ListStore):
    """Asks keys for more than ``<``."""

    def put(self, entry: Any, start: Any, end: Any, event: Any) -> None:
        """Compare with ``<=``."""
        if start is not None and end is not None and not start <= end:
            raise StoreError(self, "reversed")
        super().put(entry, start, end, event)


class HalfDone(ListStore):
    """Writes first and compares afterwards."""

    def put(self, entry: Any, start: Any, end: Any, event: Any) -> None:
        """Raise when it is too late."""
        super().put(entry, start, end, event)
        if start is not None and end is not None:
            _ = start < end


class Promiscuous(ListStore):
    """Serves any number of calendars."""

    def bind(self, closed: bool) -> None:
        """Accept everyone."""
        self.closed = closed


class SaysYes(ListStore):
    """Claims to decide on room, and takes everything."""

    def is_free(self, entry: Any, start: Any, end: Any, quantity: int) -> bool:
        """Say yes."""
        return True

    def claim(self, entry: Any, start: Any, end: Any, event: Any) -> bool:
        """Take it."""
        self.put(entry, start, end, event)
        return True

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """Say that nobody is."""
        return 0


NOTICED: list[tuple[type[ListStore], str, tuple[Any, ...]]] = [
    (KeepsNothing, "test_what_is_put_is_found_as_the_same_object", ("[)",)),
    (KeepsNothing, "test_booking_holds_the_span_behind_the_calendar_too", ("[)",)),
    (ReleasesNothing, "test_booking_holds_the_span_behind_the_calendar_too", ("[)",)),
    (ReleasesNothing, "test_removing_undoes_adding", ("[)",)),
    (TouchingOverlaps, "test_touching_is_overlapping_only_with_closed_bounds", ("[)",)),
    (TouchingOverlaps, "test_touching_is_free_unless_bounds_are_closed", ("[)",)),
    (OutOfOrder, "test_equal_starts_come_in_order_of_booking_whenever_they_were_put", ("[)",)),
    (OutOfOrder, "test_bookings_come_by_start_and_then_in_order_of_booking", ("[)",)),
    (Copies, "test_what_is_put_is_found_as_the_same_object", ("[)",)),
    (LiveAnswers, "test_a_given_answer_never_changes", ()),
    (OneShelfForAll, "test_resources_do_not_see_each_other", ()),
    (ForgetsOpenEnds, "test_unbounded_spans_reach_everywhere_and_come_first", ("[)",)),
    (ForgetsOpenEnds, "test_unbounded_bookings_and_questions_reach_everywhere", ()),
    (HalfDone, "test_a_comparison_that_fails_leaves_the_store_as_it_was", ("[)", 1, "put")),
    (Promiscuous, "test_binding_twice_is_refused", ()),
    (Promiscuous, "test_one_store_serves_one_calendar", ()),
    (SaysYes, "test_availability_says_what_claim_does", ("[)", 1)),
    (SaysYes, "test_a_hundred_threads_want_one_slot_and_one_wins", ("book",)),
    (SaysYes, "test_a_taken_span_is_refused_with_everything_in_the_way", ()),
]


@pytest.mark.parametrize(("faulty", "promise", "args"), NOTICED)
def test_a_faulty_store_fails_the_promise_it_breaks(faulty: Callable[[], Any], promise: str, args: Any) -> None:
    """A promise that no store can break is no promise."""
    with pytest.raises((Exception, pytest.fail.Exception)):
        getattr(StoreContract(), promise)(faulty(), *args)


@pytest.mark.parametrize("family", ["own"])
def test_a_store_that_asks_keys_for_more_than_less_than_fails(family: str) -> None:
    """Keys of the user's own class may know ``<`` alone."""
    from bookcore.testing import family as find

    with pytest.raises(TypeError):
        StoreContract().test_every_family_of_keys_is_ordered_by_its_own_less_than(AsksEquality(), find(family), "[)")


FAULTY = [KeepsNothing, ReleasesNothing, TouchingOverlaps, OutOfOrder, OneShelfForAll, ForgetsOpenEnds, SaysYes]


@pytest.mark.parametrize("faulty", FAULTY)
def test_a_faulty_store_does_not_survive_a_random_walk(faulty: Callable[[], Any]) -> None:
    """The machine notices each fault too, without being told where to look."""
    quick = settings(
        max_examples=300, stateful_step_count=30, phases=[Phase.generate], derandomize=True, deadline=None,
        suppress_health_check=list(HealthCheck), database=None, report_multiple_bugs=False,
    )  # fmt: skip
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which, is asked below
        run_state_machine_as_test(machine(faulty), settings=quick)
    assert isinstance(
            caught.value, AssertionError | AttributeError | BaseExceptionGroup | LookupError | StoreError
        )


def test_a_store_without_the_methods_is_refused() -> None:
    """`Calendar` says at once that an object is no store."""
    with pytest.raises(StoreError):
        Calendar(object())  # type: ignore[arg-type]
