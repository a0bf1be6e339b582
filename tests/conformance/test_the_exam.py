"""The exam examined: stores with one deliberate fault each, and the promise that has to notice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from bookcore import BookcoreError, BookingEvent, Calendar, MemoryStore, QueryError, StoreError
from bookcore.engine.core import Core
from bookcore.engine.life import Life
from bookcore.engine.transactions import Transactions
from bookcore.query import blocked_spans as _free
from bookcore.query.free_time import Finding
from bookcore.stores.generic import peak
from bookcore.stores.record import ResourceRecord
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


class ReadsTheEvent(ListStore):
    """Goes by what the event says of itself."""

    def put(self, entry: Any, start: Any, end: Any, event: Any) -> None:
        """Put it where the clock on its wall says."""
        super().put(entry, event.start, event.end, event)


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


class Counts(ListStore):
    """Decides by the units of all bookings that overlap, not by the peak of use."""

    def is_free(self, entry: Any, start: Any, end: Any, quantity: int) -> bool:
        """Add them all up."""
        return bool(sum(e.quantity for e in self.overlapping(entry, start, end)) + quantity <= entry.capacity)

    def claim(self, entry: Any, start: Any, end: Any, event: Any) -> bool:
        """Take it if there is room by that count."""
        if free := self.is_free(entry, start, end, event.quantity):
            self.put(entry, start, end, event)
        return free

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """Say who is busy by that count."""
        return sum(1 << e.number for e in self.entries if not self.is_free(e, start, end, quantity))


class NoTurnaround(ListStore):
    """Decides by the peak of use, but lets neighbours come too near."""

    def is_free(self, entry: Any, start: Any, end: Any, quantity: int) -> bool:
        """Look at the bookings themselves."""
        uses = [(e.start, e.end, e.quantity) for e in self.overlapping(entry, start, end)]
        return bool(peak(uses, start, end, bool(self.closed)) + quantity <= entry.capacity)

    claim = Counts.claim
    busy = Counts.busy


class NewestLast(ListStore):
    """Puts what was taken out behind what was booked later: an undone change leaves a trace in the order."""

    def put(self, entry: Any, start: Any, end: Any, event: Any) -> None:
        """Remember the order in which things were put."""
        super().put(entry, start, end, event)
        self.order = [*getattr(self, "order", []), event]

    def overlapping(self, entry: Any, start: Any, end: Any) -> Any:
        """Return equal starts in order of putting."""
        found = super().overlapping(entry, start, end)
        last = {id(event): at for at, event in enumerate(self.order)}
        return sorted(found, key=lambda e: (e.start is not None, e.start or 0, last[id(e)]))


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
    (ReadsTheEvent, "test_the_span_handed_in_decides_and_not_what_the_event_says", ()),
    (Promiscuous, "test_binding_twice_is_refused", ()),
    (Promiscuous, "test_one_store_serves_one_calendar", ()),
    (SaysYes, "test_availability_says_what_claim_does", ("[)", 1)),
    (SaysYes, "test_a_hundred_threads_want_one_slot_and_one_wins", ("book",)),
    (SaysYes, "test_a_taken_span_is_refused_with_everything_in_the_way", ()),
    (Counts, "test_the_peak_of_use_decides_and_not_the_number_of_bookings", ("[)",)),
    (NoTurnaround, "test_turnaround_keeps_neighbours_apart_in_either_order", ("[)",)),
    (NewestLast, "test_an_undone_booking_was_never_made", ()),
    (NewestLast, "test_a_move_keeps_the_place_in_the_order_of_booking", ()),
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


class Fault:
    """Calendars with one deliberate fault each, made by patching the one that is right."""

    @staticmethod
    def closures_are_not_asked(patch: Any) -> None:
        """Leave closures and hours out of the predicate."""
        patch.setattr(Core, "_room", lambda self, entry, *span: span[2] <= entry.capacity and self._is_free(entry, *span))

    @staticmethod
    def search_forgets_closures(patch: Any) -> None:
        """Leave closures out of the search over many."""
        patch.setattr(MemoryStore, "busy", lambda self, *span: 0)

    @staticmethod
    def holds_never_run_out(patch: Any) -> None:
        """Ignore the clock."""
        patch.setattr(Core, "_expire", lambda self: None)

    @staticmethod
    def nothing_is_undone(patch: Any) -> None:
        """Keep what a transaction did, whatever becomes of it."""
        patch.setattr(Transactions, "_roll_back", lambda self, mark, told: None)

    @staticmethod
    def an_inner_one_undoes_the_outer(patch: Any) -> None:
        """Undo more than was done inside."""
        right = Transactions._roll_back
        patch.setattr(Transactions, "_roll_back", lambda self, mark, told: right(self, 0, told))

    @staticmethod
    def what_was_undone_is_told(patch: Any) -> None:
        """Let subscribers hear of what never was."""
        right = Transactions._roll_back
        patch.setattr(Transactions, "_roll_back", lambda self, mark, told: right(self, mark, len(self._changes)))

    @staticmethod
    def a_move_looks_at_nothing(patch: Any) -> None:
        """Move where there is no room."""
        right: Any = Life._replace
        patch.setattr(Life, "_replace", lambda *facts, check: right(*facts, False))

    @staticmethod
    def any_takes_the_last(patch: Any) -> None:
        """Take the loosest fit, and the last that is free."""
        patch.setattr("bookcore.engine.requests.tightest", lambda calendar, entries, *span: entries[-1] if entries else None)

    @staticmethod
    def gaps_touch_what_is_taken(patch: Any) -> None:
        """Let turnaround out of what is free."""
        right = _free._widened

        def narrow(profile: Any, entry: Any, *span: Any) -> Any:
            return right(profile, ResourceRecord(entry.id, None, 0, entry.capacity), *span)

        patch.setattr(_free, "_widened", narrow)

    @staticmethod
    def nothing_is_explained(patch: Any) -> None:
        """Find no cause."""
        patch.setattr(Finding, "_causes", lambda self, *asked: iter(()))

    @staticmethod
    def followers_judge_again(patch: Any) -> None:
        """Refuse to a follower what is closed by now."""
        patch.setattr("bookcore.engine.life._unguarded", nullcontext)


FAULTS: list[tuple[Any, str, tuple[Any, ...]]] = [
    (Fault.closures_are_not_asked, "test_a_closure_bars_bookings_and_lets_standing_ones_be", ("[)",)),
    (Fault.closures_are_not_asked, "test_opening_hours_decide_search_and_booking_alike", ()),
    (Fault.search_forgets_closures, "test_closures_are_kept_to_however_many_are_asked", ()),
    (Fault.holds_never_run_out, "test_a_hold_frees_its_span_everywhere_the_instant_it_runs_out", ("[)",)),
    (Fault.nothing_is_undone, "test_what_is_undone_leaves_no_trace", ("transaction",)),
    (Fault.nothing_is_undone, "test_book_any_with_a_function_that_fails_changes_nothing", ()),
    (Fault.an_inner_one_undoes_the_outer, "test_what_is_kept_is_kept_whole", ()),
    (Fault.what_was_undone_is_told, "test_what_is_undone_leaves_no_trace", ("what_if",)),
    (Fault.a_move_looks_at_nothing, "test_a_refused_move_leaves_everything_as_it_was", ("[)",)),
    (Fault.any_takes_the_last, "test_book_any_takes_the_best_fit", ("[)",)),
    (Fault.gaps_touch_what_is_taken, "test_gaps_are_the_maximal_free_spans", ()),
    (Fault.nothing_is_explained, "test_explain_names_every_cause_and_none_when_available", ()),
    (Fault.followers_judge_again, "test_a_follower_that_applies_every_change_is_the_same_calendar", ()),
]


@pytest.mark.parametrize("store", [MemoryStore, ListStore])
@pytest.mark.parametrize(("fault", "promise", "args"), FAULTS)
def test_a_faulty_calendar_fails_the_promise_it_breaks(
    fault: Callable[[Any], None], promise: str, args: Any, store: Callable[[], Any]
) -> None:
    """The exam asks the calendar as much as the store: each fault of the one is noticed on any other."""
    getattr(StoreContract(), promise)(store(), *args)
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        with pytest.raises((Exception, pytest.fail.Exception)):
            getattr(StoreContract(), promise)(store(), *args)


FAULTY = [KeepsNothing, ReleasesNothing, TouchingOverlaps, OutOfOrder, OneShelfForAll, ForgetsOpenEnds, SaysYes,
          Counts, NoTurnaround]  # fmt: skip


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


WALKED = sorted({fault.__name__ for fault, *_ in FAULTS} - {"followers_judge_again", "any_takes_the_last"})
"""All but those for which a walk takes long."""


@pytest.mark.parametrize("name", WALKED)
def test_a_faulty_calendar_does_not_survive_a_random_walk(name: str) -> None:
    """Nor do faults of the calendar itself, which are the same on every store: the oracle knows better."""
    quick = settings(
        max_examples=300, stateful_step_count=30, phases=[Phase.generate], derandomize=True, deadline=None,
        suppress_health_check=list(HealthCheck), database=None, report_multiple_bugs=False,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        getattr(Fault, name)(patch)
        with pytest.raises((AssertionError, BookcoreError, BaseExceptionGroup)):
            run_state_machine_as_test(machine(MemoryStore), settings=quick)


def test_a_store_without_the_methods_is_refused() -> None:
    """`Calendar` says at once that an object is no store."""
    with pytest.raises(StoreError):
        Calendar(object())  # type: ignore[arg-type]


def test_machine_takes_whatever_makes_stores() -> None:
    """A function as well as a class; a store that is made already, and bounds that are none, are refused at once."""
    assert "partial" in machine(partial(MemoryStore)).__name__
    with pytest.raises(QueryError, match="give the class"):
        machine(MemoryStore())  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="bounds"):
        machine(MemoryStore, bounds="()")
