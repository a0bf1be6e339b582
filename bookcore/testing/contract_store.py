"""The exam of a bare store: every promise of `BookingStore`, asked of the store itself, with no calendar around it.

So `put` is not judged by a calendar's answers alone, nor a calendar by the store that it was built on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookcore import BookcoreError, BookingEvent, BookingStore, StoreError, SupportsAvailability, SupportsLoad
from bookcore.stores.record import ResourceRecord
from bookcore.testing.families import Family, families

__all__ = ["BOUNDS", "Brittle", "StoreExam"]

BOUNDS = ("[)", "[]")


class Brittle:
    """A key whose ``<`` raises once `fuse` comparisons are over: that once, or from then on."""

    fuse: float = float("inf")
    lasting = False
    __slots__ = ("rank",)

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: Brittle) -> bool:
        Brittle.fuse -= 1
        if Brittle.fuse == -1 or (Brittle.fuse < 0 and Brittle.lasting):
            raise ZeroDivisionError("this comparison fails")
        return self.rank < other.rank

    def __repr__(self) -> str:
        return f"Brittle({self.rank})"


def bound(store: BookingStore[Any], bounds: str = "[)") -> BookingStore[Any]:
    """Bind a fresh store."""
    store.bind(bounds == "[]")
    return store


def new_entry(store: BookingStore[Any], number: int = 0, **facts: Any) -> ResourceRecord:
    """Make the record of a resource and add it."""
    capacity = facts.pop("capacity", 1)
    entry = ResourceRecord(f"r{number}", object(), number, capacity, **facts)
    store.add_resource(entry)
    return entry


def put(store: BookingStore[Any], entry: ResourceRecord, start: Any, end: Any, seq: int, quantity: int = 1) -> BookingEvent:
    """Put a booking, as the calendar does: with its place in the order of booking set before."""
    event = BookingEvent(entry.resource, start, end, quantity=quantity)
    event._seq = seq
    store.put(entry, start, end, event)
    return event


def check(store: Any) -> None:
    """Let a store prove its invariants, if it can."""
    if hasattr(store, "check"):
        store.check()


class StoreExam:
    """Promises of the six methods, and of the capabilities a store claims to have."""

    def test_store_has_the_methods_of_the_protocol(self, store: Any) -> None:
        """A store is recognised by its methods, not by a base class."""
        assert isinstance(store, BookingStore)

    def test_binding_twice_is_refused(self, store: Any) -> None:
        """A store serves one calendar."""
        bound(store)
        with pytest.raises(StoreError):
            store.bind(False)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_what_is_put_is_found_as_the_same_object(self, store: Any, bounds: str) -> None:
        """Events are passed by reference: in and out is one object."""
        entry = new_entry(bound(store, bounds))
        event = put(store, entry, 3, 7, 1)
        assert [found is event for found in store.overlapping(entry, 4, 5)] == [True]
        check(store)

    @pytest.mark.parametrize("family", families(), ids=str)
    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_every_family_of_keys_is_ordered_by_its_own_less_than(self, store: Any, family: Family, bounds: str) -> None:
        """Only ``<`` is asked of keys, and only among keys."""
        entry = new_entry(bound(store, bounds))
        zoned = family.name in ("aware", "pd.Timestamp+zone")

        def key(rank: int) -> Any:
            """One spelling, for the calendar settles spellings; in UTC where there are zones."""
            return family.key(rank, 0) if zoned else family.key(rank)

        events = [put(store, entry, key(rank), key(rank + 2), seq) for seq, rank in enumerate((10, 0, 5, 15), 1)]
        assert list(store.overlapping(entry, None, None)) == [events[at] for at in (1, 2, 0, 3)]
        assert list(store.overlapping(entry, key(1), key(6))) == [events[1], events[2]]
        assert list(store.overlapping(entry, key(3), key(4))) == []
        assert list(store.overlapping(entry, key(12), None)) == ([events[0], events[3]] if bounds == "[]" else [events[3]])
        store.remove(entry, key(5), key(7), events[2])
        assert list(store.overlapping(entry, key(1), key(6))) == [events[1]]
        check(store)

    def test_the_span_handed_in_decides_and_not_what_the_event_says(self, store: Any) -> None:
        """The calendar hands in instants; an event says what the clock on its wall does, one hour of the year twice."""
        entry = new_entry(bound(store))
        shown = [datetime(2026, 10, 25, 2, minute, tzinfo=ZoneInfo("Europe/Berlin")) for minute in (15, 45)]
        events = []
        for seq, fold in enumerate((1, 0), 1):
            start, end = (moment.replace(fold=fold) for moment in shown)
            event = BookingEvent(entry.resource, start, end)
            event._seq = seq
            store.put(entry, start.astimezone(UTC), end.astimezone(UTC), event)
            events.append(event)
        second, first = events
        assert list(store.overlapping(entry, None, None)) == [first, second]
        midst = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        assert list(store.overlapping(entry, midst, midst + timedelta(minutes=1))) == [first]
        store.remove(entry, *(moment.replace(fold=1).astimezone(UTC) for moment in shown), second)
        assert list(store.overlapping(entry, None, None)) == [first]
        check(store)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_touching_is_overlapping_only_with_closed_bounds(self, store: Any, bounds: str) -> None:
        """Half-open neighbours share no point; closed ones share the one where they meet."""
        entry = new_entry(bound(store, bounds))
        event = put(store, entry, 5, 8, 1)
        meeting = [event] if bounds == "[]" else []
        assert list(store.overlapping(entry, 2, 5)) == meeting
        assert list(store.overlapping(entry, 8, 9)) == meeting
        assert list(store.overlapping(entry, None, 5)) == meeting
        assert list(store.overlapping(entry, 8, None)) == meeting

    def test_a_closed_span_without_length_is_a_point(self, store: Any) -> None:
        """With closed bounds ``[3, 3]`` is a span of one point, to hold and to ask for."""
        entry = new_entry(bound(store, "[]"))
        point = put(store, entry, 3, 3, 1)
        after = put(store, entry, 4, 6, 2)
        assert list(store.overlapping(entry, 3, 3)) == [point]
        assert list(store.overlapping(entry, 1, 3)) == [point]
        assert list(store.overlapping(entry, 4, 4)) == [after]
        assert list(store.overlapping(entry, 1, 2)) == []
        store.remove(entry, 3, 3, point)
        assert list(store.overlapping(entry, None, 4)) == [after]
        check(store)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_unbounded_spans_reach_everywhere_and_come_first(self, store: Any, bounds: str) -> None:
        """None is before every start and after every end."""
        entry = new_entry(bound(store, bounds), capacity=9)
        whole = put(store, entry, None, None, 1)
        late = put(store, entry, 90, None, 2)
        early = put(store, entry, None, 10, 3)
        middle = put(store, entry, 40, 50, 4)
        assert list(store.overlapping(entry, None, None)) == [whole, early, middle, late]
        assert list(store.overlapping(entry, -1000, -999)) == [whole, early]
        assert list(store.overlapping(entry, 20, 30)) == [whole]
        assert list(store.overlapping(entry, 1000, None)) == [whole, late]
        for event in (whole, early, late):
            store.remove(entry, event.start, event.end, event)
        assert list(store.overlapping(entry, None, None)) == [middle]
        check(store)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_equal_starts_come_in_order_of_booking_whenever_they_were_put(self, store: Any, bounds: str) -> None:
        """Order is by start, then by ``_seq``; an undone release puts an old booking back in its old place."""
        entry = new_entry(bound(store, bounds), capacity=50)
        order = [7, 3, 9, 1, 8, 2, 6, 4, 5, 10]
        events = {seq: put(store, entry, 5, 5 + seq % 3 + 1, seq) for seq in order}
        assert list(store.overlapping(entry, None, None)) == [events[seq] for seq in sorted(order)]
        store.remove(entry, 5, events[3].end, events[3])
        store.remove(entry, 5, events[9].end, events[9])
        store.put(entry, 5, events[3].end, events[3])
        assert [event._seq for event in store.overlapping(entry, 5, 6)] == [1, 2, 3, 4, 5, 6, 7, 8, 10]
        check(store)

    def test_a_given_answer_never_changes(self, store: Any) -> None:
        """An answer is a new sequence: later writes do not show in it, and what the caller does to it stays there."""
        entry = new_entry(bound(store))
        first = put(store, entry, 1, 2, 1)
        answer = store.overlapping(entry, None, None)
        put(store, entry, 3, 4, 2)
        assert len(store.overlapping(entry, None, None)) == 2
        assert list(answer) == [first]
        if isinstance(answer, list):
            answer.clear()
        assert len(store.overlapping(entry, None, None)) == 2

    def test_resources_do_not_see_each_other(self, store: Any) -> None:
        """A booking is on one resource."""
        bound(store)
        one, two = new_entry(store, 0), new_entry(store, 1)
        event = put(store, one, 1, 9, 1)
        assert list(store.overlapping(two, None, None)) == []
        other = put(store, two, 1, 9, 2)
        store.remove(one, 1, 9, event)
        assert list(store.overlapping(two, None, None)) == [other]
        check(store)

    def test_a_forgotten_resource_can_be_added_again(self, store: Any) -> None:
        """Removing a resource can be undone: the same record comes back, empty."""
        bound(store)
        entry = new_entry(store, 3)
        event = put(store, entry, 1, 9, 1)
        store.remove(entry, 1, 9, event)
        store.remove_resource(entry)
        store.add_resource(entry)
        assert list(store.overlapping(entry, None, None)) == []
        put(store, entry, 1, 9, 2)
        check(store)

    # -- when a comparison fails -------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    @pytest.mark.parametrize("capacity", [1, 3])
    @pytest.mark.parametrize("call", ["put", "remove"])
    def test_a_comparison_that_fails_leaves_the_store_as_it_was(
        self, store: Any, bounds: str, capacity: int, call: str
    ) -> None:
        """Whatever comparison raises: a call that raises has changed nothing."""
        fail_everywhere(store, bounds, capacity, call)

    # -- capabilities ------------------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    @pytest.mark.parametrize("capacity", [1, 2])
    def test_availability_says_what_claim_does(self, store: Any, bounds: str, capacity: int) -> None:
        """`SupportsAvailability`: `is_free`, `claim` and `busy` are one predicate."""
        able = isinstance(store, SupportsAvailability)
        if not able:
            pytest.skip(f"{type(store).__name__} does not claim SupportsAvailability")
        bound(store, bounds)
        entries = [new_entry(store, number, capacity=capacity) for number in range(12)]
        for step in range(200):
            entry = entries[step * 5 % 12]
            start = step * 17 % 50
            end = start + 1 + step % 7
            event = BookingEvent(entry.resource, start, end)
            event._seq = step + 1
            found = store.overlapping(entry, start, end)
            free = store.is_free(entry, start, end, 1)
            busy = store.busy(start, end, 1)
            assert bool(busy >> entry.number & 1) is not free
            if capacity == 1:
                assert free == (not found)
            assert store.claim(entry, start, end, event) is free
            assert (event in store.overlapping(entry, start, end)) is free
        check(store)

    def test_bulk_load_takes_all_rows_or_none(self, store: Any) -> None:
        """`SupportsLoad`: rows that overlap each other, or what is held, are refused as a whole."""
        able = isinstance(store, SupportsLoad)
        if not able:
            pytest.skip(f"{type(store).__name__} does not claim SupportsLoad")
        bound(store)
        entries = [new_entry(store, number) for number in range(3)]
        held = put(store, entries[0], 10, 20, 1)

        def load(rows: list[tuple[int, int, int]]) -> bool:
            events = [BookingEvent(entries[n].resource, a, b) for n, a, b in rows]
            for seq, event in enumerate(events, 100):
                event._seq = seq
            whose = [entries[n] for n, _, _ in rows]
            return bool(store.load(whose, [a for _, a, _ in rows], [b for _, _, b in rows], events))

        assert not load([(1, 1, 5), (2, 3, 9), (1, 4, 6)])
        assert not load([(1, 1, 5), (0, 19, 21)])
        assert [list(store.overlapping(e, None, None)) for e in entries] == [[held], [], []]
        check(store)
        if load([(1, 4, 6), (0, 20, 21), (1, 1, 4), (0, 1, 10)]):
            assert [len(store.overlapping(e, None, None)) for e in entries] == [3, 2, 0]
            assert [e.start for e in store.overlapping(entries[0], None, None)] == [1, 10, 20]
        check(store)


def fail_everywhere(store: Any, bounds: str, capacity: int, call: str, *, lasting: bool = False) -> None:
    """Let the first comparison of a call fail, then the second, and so on; each time all must be as before.

    With *lasting*, all comparisons after the one that fails do so as well: no undoing by comparing then.
    """
    Brittle.lasting = lasting
    bound(store, bounds)
    entry = new_entry(store, 0, capacity=capacity)
    other = new_entry(store, 1)
    for rank in range(0, 60, 6):
        put(store, entry, Brittle(rank), Brittle(rank + 2), rank + 1, capacity)
        put(store, other, Brittle(rank), Brittle(rank + 5), rank + 2)
    before = _answers(store, entry, other)
    if call == "put":
        keys = Brittle(27), Brittle(29)
        mine = BookingEvent(entry.resource, *keys, quantity=capacity)
        mine._seq = 99
    else:
        keys = Brittle(24), Brittle(26)
        (mine,) = store.overlapping(entry, Brittle(24), Brittle(25))
    opposite = store.remove if call == "put" else store.put
    try:
        for fuse in range(1000):
            Brittle.fuse = fuse
            try:
                getattr(store, call)(entry, *keys, mine)
            except ZeroDivisionError:
                Brittle.fuse = float("inf")
            else:
                over = Brittle.fuse >= 0
                Brittle.fuse = float("inf")
                assert _answers(store, entry, other) != before
                if over:
                    break
                opposite(entry, *keys, mine)  # it could do without that comparison
            assert _answers(store, entry, other) == before, f"comparison {fuse} failed"
            check(store)
        assert fuse < 999, "the call compares without end"
    finally:
        Brittle.fuse = float("inf")
    check(store)


def _near(store: Any, low: int, entry: ResourceRecord) -> Any:
    return store.overlapping(entry, Brittle(low), Brittle(low + 4))


def _answers(store: Any, *entries: ResourceRecord) -> list[list[int]]:
    """Return what the store says about everything, as ids of objects."""
    windows: list[Callable[[ResourceRecord], Any]] = [lambda e: store.overlapping(e, None, None)]
    windows += [partial(_near, store, low) for low in range(0, 66, 3)]
    found = [[id(event) for event in window(entry)] for entry in entries for window in windows]
    if isinstance(store, SupportsAvailability):
        for low in range(-3, 66, 2):
            try:
                found.append([store.busy(Brittle(low), Brittle(low + 1), 1)])
            except BookcoreError:
                found.append([])
    return found
