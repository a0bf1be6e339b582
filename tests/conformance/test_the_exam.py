"""The conformance suite is tested itself: for stores and calendars with one deliberate fault each, its tests must fail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from bookcore import BookcoreError, Calendar, MemoryStore, QueryError, Resource, StoreError
from bookcore.engine.closures import Closures
from bookcore.engine.engine import Engine
from bookcore.engine.gate import Mark
from bookcore.engine.rules import Rules
from bookcore.engine.state import CalendarState
from bookcore.stores.generic import fits, widened
from bookcore.stores.protocol import Row
from bookcore.stores.record import ResourceRecord
from bookcore.testing import ListStore, StoreContract, machine
from bookcore.testing.contract_threads import run_together


class KeepsNothing(ListStore):
    """Forgets what it is given."""

    def put(self, record: Any, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Do nothing."""


class ReleasesNothing(ListStore):
    """Holds on to what it should let go of."""

    def remove(self, record: Any, start: Any, end: Any, seq: int) -> None:
        """Do nothing."""


class TouchingOverlaps(ListStore):
    """Takes every span for a closed one."""

    def bind(self, closed: bool) -> None:
        """Ignore the bounds."""
        super().bind(True)


class OutOfOrder(ListStore):
    """Answers in the order of its rows."""

    def overlapping(self, record: Any, start: Any, end: Any) -> Any:
        """Return the right rows in the wrong order."""
        right = super().overlapping(record, start, end)
        return [row for _, row in self.rows if row in right]


class ForgetsQuantities(ListStore):
    """Takes every booking for one of a single unit."""

    def put(self, record: Any, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Put one unit."""
        super().put(record, start, end, seq, 1)


class MixesUpRows(ListStore):
    """Returns another row than the one that is asked for by its number."""

    def row(self, record: Any, seq: int) -> Row:
        """Return the first row of the resource."""
        return next(row for held, row in self.rows if held is record)


class LiveAnswers(ListStore):
    """Gives out one list that it goes on using."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: list[Any] = []

    def overlapping(self, record: Any, start: Any, end: Any) -> Any:
        """Return the same list each time."""
        self.answer[:] = super().overlapping(record, start, end)
        return self.answer


class OneListForAll(ListStore):
    """Mixes up resources."""

    def overlapping(self, record: Any, start: Any, end: Any) -> Any:
        """Return the rows of all resources."""
        return [row for other in self.records for row in super(OneListForAll, self).overlapping(other, start, end)]


class ForgetsOpenEnds(ListStore):
    """Does not find a booking without end."""

    def overlapping(self, record: Any, start: Any, end: Any) -> Any:
        """Leave out unbounded ends."""
        return [row for row in super().overlapping(record, start, end) if row[1] is not None]


class AsksEquality(ListStore):
    """Asks keys for more than ``<``."""

    def put(self, record: Any, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Compare with ``<=``."""
        if start is not None and end is not None and not start <= end:
            raise StoreError(self, "reversed")
        super().put(record, start, end, seq, quantity)


class HalfDone(ListStore):
    """Writes first and compares afterwards."""

    def put(self, record: Any, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Raise when it is too late."""
        super().put(record, start, end, seq, quantity)
        if start is not None and end is not None:
            _ = start < end


class Promiscuous(ListStore):
    """Serves any number of calendars."""

    def bind(self, closed: bool) -> None:
        """Accept everyone."""
        self.closed = closed


class SaysYes(ListStore):
    """Claims to decide on room, and finds room everywhere."""

    def is_free(self, record: Any, start: Any, end: Any, quantity: int) -> bool:
        """Say yes."""
        return True

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """Say that no resource is busy."""
        return 0


class SearchFindsAll(ListStore):
    """Decides rightly on one resource, and finds room on all of them in a search."""

    def is_free(self, record: Any, start: Any, end: Any, quantity: int) -> bool:
        """Decide by the rows."""
        return fits(self.overlapping, record, start, end, quantity, bool(self.closed))

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """Say that no resource is busy."""
        return 0


class Counts(ListStore):
    """Decides by the units of all bookings that overlap, not by the peak of use."""

    def is_free(self, record: Any, start: Any, end: Any, quantity: int) -> bool:
        """Add them all up."""
        return bool(sum(row[3] for row in self.overlapping(record, start, end)) + quantity <= record.capacity)

    def busy(self, start: Any, end: Any, quantity: int) -> int:
        """Say which resources are busy by that count."""
        return sum(1 << record.number for record in self.records if not self.is_free(record, start, end, quantity))


class NoBuffers(ListStore):
    """Decides by the peak of use, but lets neighbours come too near."""

    def is_free(self, record: Any, start: Any, end: Any, quantity: int) -> bool:
        """Look at the bookings themselves."""
        bare = ResourceRecord(record.id, None, 0, record.capacity)
        rows = self.overlapping(record, start, end)
        return fits(lambda *span: rows, bare, start, end, quantity, bool(self.closed))

    busy = Counts.busy


class NewestLast(ListStore):
    """Puts what was taken out behind what was booked later: an undone change leaves a trace in the order."""

    def put(self, record: Any, start: Any, end: Any, seq: int, quantity: int) -> None:
        """Remember the order in which things were put."""
        super().put(record, start, end, seq, quantity)
        self.order = [*getattr(self, "order", []), seq]

    def overlapping(self, record: Any, start: Any, end: Any) -> Any:
        """Return equal starts in order of putting."""
        found = super().overlapping(record, start, end)
        last = {seq: at for at, seq in enumerate(self.order)}
        return sorted(found, key=lambda row: (row[0] is not None, row[0] or 0, last[row[2]]))


class UnboundedAsPut(ListStore):
    """Orders rows by start and number, but for those without a start, which come as they were put."""

    def overlapping(self, record: Any, start: Any, end: Any) -> Any:
        """Return those without a start as they were put."""
        found = super().overlapping(record, start, end)
        as_put = [row for held, row in self.rows if held is record and row[0] is None and row in found]
        return [*as_put, *(row for row in found if row[0] is not None)]


NOTICED: list[tuple[type[ListStore], str, tuple[Any, ...]]] = [
    (KeepsNothing, "test_what_is_put_is_found", ("[)",)),
    (KeepsNothing, "test_booking_holds_the_span_behind_the_calendar_too", ("[)",)),
    (ReleasesNothing, "test_booking_holds_the_span_behind_the_calendar_too", ("[)",)),
    (ReleasesNothing, "test_removing_undoes_adding", ("[)",)),
    (TouchingOverlaps, "test_touching_is_overlapping_only_with_closed_bounds", ("[)",)),
    (TouchingOverlaps, "test_touching_is_free_unless_bounds_are_closed", ("[)",)),
    (OutOfOrder, "test_equal_starts_come_in_order_of_booking_whenever_they_were_put", ("[)",)),
    (UnboundedAsPut, "test_equal_starts_come_in_order_of_booking_whenever_they_were_put", ("[)",)),
    (OutOfOrder, "test_bookings_come_by_start_and_then_in_order_of_booking", ("[)",)),
    (ForgetsQuantities, "test_what_is_put_is_found", ("[)",)),
    (MixesUpRows, "test_what_is_put_is_found", ("[)",)),
    (LiveAnswers, "test_a_given_answer_never_changes", ()),
    (OneListForAll, "test_resources_do_not_see_each_other", ()),
    (ForgetsOpenEnds, "test_unbounded_spans_reach_everywhere_and_come_first", ("[)",)),
    (ForgetsOpenEnds, "test_unbounded_bookings_and_questions_reach_everywhere", ()),
    (HalfDone, "test_a_comparison_that_fails_leaves_the_store_as_it_was", ("[)", 1, "put")),
    (Promiscuous, "test_binding_twice_is_refused", ()),
    (Promiscuous, "test_one_store_serves_one_calendar", ()),
    (SaysYes, "test_availability_agrees_with_itself", ("[)", 1)),
    (SearchFindsAll, "test_availability_agrees_with_itself", ("[)", 1)),
    (SearchFindsAll, "test_availability_agrees_with_itself", ("[]", 2)),
    (SaysYes, "test_a_hundred_threads_want_one_slot_and_one_wins", ("book",)),
    (SaysYes, "test_a_taken_span_is_refused_with_everything_in_the_way", ()),
    (Counts, "test_the_peak_of_use_decides_and_not_the_number_of_bookings", ("[)",)),
    (NoBuffers, "test_buffers_keep_neighbours_apart_in_either_order", ("[)",)),
    (NewestLast, "test_an_undone_booking_was_never_made", ()),
    (NewestLast, "test_a_move_keeps_the_place_in_the_order_of_booking", ()),
]


@pytest.mark.parametrize(("faulty", "promise", "args"), NOTICED)
def test_a_faulty_store_fails_the_promise_it_breaks(faulty: Callable[[], Any], promise: str, args: Any) -> None:
    """A test that every store passes proves nothing; a right store passes it, so the fault is what it notices."""
    getattr(StoreContract(), promise)(MemoryStore(), *args)
    with pytest.raises((Exception, pytest.fail.Exception)):
        getattr(StoreContract(), promise)(faulty(), *args)


@pytest.mark.parametrize("family", ["own"])
def test_a_store_that_asks_keys_for_more_than_less_than_fails(family: str) -> None:
    """Keys of the user's own class may know ``<`` alone."""
    from bookcore.testing import family as find

    StoreContract().test_every_family_of_keys_is_ordered_by_its_own_less_than(ListStore(), find(family), "[)")
    with pytest.raises(TypeError):
        StoreContract().test_every_family_of_keys_is_ordered_by_its_own_less_than(AsksEquality(), find(family), "[)")


class Fault:
    """Calendars with one deliberate fault each, made by patching the one that is right."""

    @staticmethod
    def closures_are_not_asked(patch: Any) -> None:
        """Leave closures and hours out of the predicate."""

        def by_bookings_alone(rules: Any, record: Any, low: Any, high: Any, quantity: int) -> bool:
            return bool(quantity <= record.capacity and rules.bookings.allows(record, low, high, quantity))

        patch.setattr(Rules, "allows", by_bookings_alone)

    @staticmethod
    def search_forgets_closures(patch: Any) -> None:
        """Leave closures out of the search over many."""
        patch.setattr(Closures, "blocked", lambda self, *span: 0)

    @staticmethod
    def holds_never_run_out(patch: Any) -> None:
        """Ignore the clock."""
        patch.setattr(CalendarState, "tick", lambda self: None)

    @staticmethod
    def nothing_is_undone(patch: Any) -> None:
        """Keep what a transaction did, whatever becomes of it."""
        patch.setattr(CalendarState, "_roll_back", lambda self, mark: None)

    @staticmethod
    def an_inner_one_undoes_the_outer(patch: Any) -> None:
        """Undo more than was done inside."""
        right = CalendarState._roll_back
        patch.setattr(CalendarState, "_roll_back", lambda self, mark: right(self, Mark(0, 0, mark.last, mark.last_closure)))

    @staticmethod
    def what_was_undone_is_told(patch: Any) -> None:
        """Notify subscribers of what is undone."""
        right = CalendarState._roll_back

        def telling(state: Any, mark: Mark) -> None:
            state.log._put([noted for noted in state.log.changes[mark.changes :] if noted[1]])
            right(state, mark)

        patch.setattr(CalendarState, "_roll_back", telling)

    @staticmethod
    def a_move_looks_at_nothing(patch: Any) -> None:
        """Move where there is no room."""
        patch.setattr(Rules, "allows_beside", lambda self, *asked: True)

    @staticmethod
    def any_takes_the_last(patch: Any) -> None:
        """Take the loosest fit, and the last that is free."""
        patch.setattr("bookcore.query.choice.tightest", lambda rules, records, *span: records[-1] if records else None)

    @staticmethod
    def gaps_touch_what_is_taken(patch: Any) -> None:
        """Leave buffers out of what is free."""

        def narrow(profile: Any, record: Any, *span: Any) -> Any:
            return widened(profile, ResourceRecord(record.id, None, 0, record.capacity), *span)

        patch.setattr("bookcore.stores.generic.widened", narrow)
        patch.setattr("bookcore.stores.memory.store.widened", narrow)

    @staticmethod
    def nothing_is_explained(patch: Any) -> None:
        """Find no cause."""
        patch.setattr(Rules, "causes", lambda self, *asked: iter(()))

    @staticmethod
    def followers_judge_again(patch: Any) -> None:
        """Refuse to a follower what is closed by now."""

        def judged(engine: Any, event: Any, held: bool, until: Any, number: int) -> None:
            copy = event._with(resource=event.resource.id)
            low, high, record = engine.examine(copy)
            engine._book(record, low, high, copy, event.id, held, until)

        patch.setattr(Engine, "_apply_booked", judged)


FAULTS: list[tuple[Any, str, tuple[Any, ...]]] = [
    (Fault.closures_are_not_asked, "test_a_closure_bars_bookings_and_lets_standing_ones_be", ("[)",)),
    (Fault.closures_are_not_asked, "test_opening_hours_decide_search_and_booking_alike", ()),
    (Fault.search_forgets_closures, "test_closures_are_kept_to_however_many_are_asked", ()),
    (Fault.holds_never_run_out, "test_a_hold_frees_its_span_everywhere_the_instant_it_runs_out", ("[)",)),
    (Fault.nothing_is_undone, "test_what_is_undone_leaves_no_trace", ("transaction",)),
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
    """The conformance suite tests the calendar as well as the store: a fault of the calendar is noticed on every store."""
    getattr(StoreContract(), promise)(store(), *args)
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        with pytest.raises((Exception, pytest.fail.Exception)):
            getattr(StoreContract(), promise)(store(), *args)


FAULTY = [KeepsNothing, ReleasesNothing, TouchingOverlaps, OutOfOrder, OneListForAll, ForgetsOpenEnds, SaysYes,
          Counts, NoBuffers]  # fmt: skip


@pytest.mark.parametrize("faulty", FAULTY)
def test_a_faulty_store_does_not_survive_a_random_walk(faulty: Callable[[], Any]) -> None:
    """The machine notices each fault as well, on histories that are not made for the fault."""
    quick = settings(
        max_examples=300, stateful_step_count=30, phases=[Phase.generate], derandomize=True, deadline=None,
        suppress_health_check=list(HealthCheck), database=None, report_multiple_bugs=False,
    )  # fmt: skip
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which, is asked below
        run_state_machine_as_test(machine(faulty), settings=quick)
    assert isinstance(
            caught.value, AssertionError | AttributeError | BaseExceptionGroup | LookupError | StoreError
        )


@pytest.mark.parametrize("faulty", [TouchingOverlaps, OutOfOrder, ForgetsOpenEnds, SaysYes, SearchFindsAll, NewestLast])
def test_a_red_walk_is_told_after_few_tries_to_make_it_shorter(faulty: Callable[[], Any]) -> None:
    """Hypothesis alone tries for up to five minutes."""
    played = [0]

    def make() -> Any:
        played[0] += 1
        return faulty()

    def walked(*phases: Phase) -> int:
        played[0] = 0
        with pytest.raises((AssertionError, AttributeError, LookupError, StoreError)):
            run_state_machine_as_test(walk, settings=settings(
                max_examples=300, stateful_step_count=20, phases=phases, derandomize=True, deadline=None,
                suppress_health_check=list(HealthCheck), database=None, report_multiple_bugs=False,
            ))  # fmt: skip
        return played[0]

    walk = machine(make)
    assert walk.shrinks == 100
    walk.shrinks = 10
    found = walked(Phase.generate)
    assert found < walked(Phase.generate, Phase.shrink) <= found + 10 + 1, "and once more, to tell it"
    assert walk.tried is None
    assert Phase.explain not in walk.TestCase.settings.phases


@pytest.mark.parametrize(
    ("count", "hang"), [(1, "all"), (3, "all"), (1, "one"), (5, "one"), (1, "in a store"), (3, "in a store")]
)
def test_threads_that_hang_are_told_and_not_waited_for(count: int, hang: str) -> None:
    """With the lines where they are: a deadlock of a store fails its test, and the other tests run."""
    go, done = threading.Event(), list[int]()

    class Waits(ListStore):
        """Waits for what never comes while the test runs."""

        def overlapping(self, record: Any, start: Any, end: Any) -> Any:
            go.wait()
            return super().overlapping(record, start, end)

    calendar = Calendar(Waits())
    calendar.add_resource(Resource("room"))

    def work(number: int) -> None:
        if hang == "in a store":
            calendar.conflicts("room", 1, 2)
        elif hang == "all" or number == 0:
            go.wait()
        done.append(number)

    stuck = 1 if hang == "one" else count
    with pytest.raises(AssertionError, match=rf"^{stuck} threads did not end within 1 s:\n") as told:
        run_together(count, work, timeout=1)
    assert "go.wait()" in str(told.value)
    assert len(done) == count - stuck
    go.set()


def test_threads_that_end_are_waited_for_and_their_errors_raised() -> None:
    """As before there was an end to patience."""
    done: list[int] = []
    run_together(20, done.append)
    assert sorted(done) == list(range(20))
    with pytest.raises(ZeroDivisionError):
        run_together(3, lambda number: done.append(1 // (number - 1)))


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
        machine(MemoryStore, bounds="()")  # type: ignore[arg-type]
