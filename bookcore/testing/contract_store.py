"""Conformance tests of a store by itself: every promise of `BookingStore`, asked of the store itself, without a calendar.

So `put` is not judged by a calendar's answers alone, nor a calendar by the store that it was built on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import pytest

from bookcore import BookcoreError, BookingStore, StoreError, SupportsAvailability, SupportsLoad
from bookcore.stores.protocol import Row, SupportsRepair
from bookcore.stores.record import ResourceRecord
from bookcore.testing.families import Family, families
from bookcore.testing.narrow import hold_only

BOUNDS = ("[)", "[]")


class Brittle:
    """A key whose ``<`` raises after `fuse` comparisons: once, or in every comparison from then on."""

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


def bound(store: BookingStore[Any], bounds: Any = "[)") -> BookingStore[Any]:
    """Bind a fresh store."""
    store.bind(bounds == "[]")
    return store


def new_record(store: BookingStore[Any], number: int = 0, **facts: Any) -> ResourceRecord:
    """Make the record of a resource and add it."""
    capacity = facts.pop("capacity", 1)
    record = ResourceRecord(f"r{number}", object(), number, capacity, **facts)
    store.add_resource(record)
    return record


def put(store: BookingStore[Any], record: ResourceRecord, start: Any, end: Any, seq: int, quantity: int = 1) -> Row:
    """Put a row; return it."""
    store.put(record, start, end, seq, quantity)
    return start, end, seq, quantity


def take(store: BookingStore[Any], record: ResourceRecord, row: Row) -> None:
    """Remove a row."""
    store.remove(record, row[0], row[1], row[2])


def check(store: Any) -> None:
    """Check the invariants of a store that has a method ``check``."""
    if hasattr(store, "check"):
        store.check()


class StoreExam:
    """Promises of the methods, and of the capabilities a store claims to have."""

    keys: ClassVar[Sequence[str] | None] = None

    @pytest.fixture(autouse=True)
    def _holds_its_families_alone(self, store: Any) -> None:
        """Skip a test as soon as it hands the store a key of another family."""
        if self.keys is not None:
            hold_only(store, self.keys)

    def test_store_has_the_methods_of_the_protocol(self, store: Any) -> None:
        """A store is recognised by its methods, not by a base class."""
        assert isinstance(store, BookingStore)

    def test_binding_twice_is_refused(self, store: Any) -> None:
        """A store serves one calendar."""
        bound(store)
        with pytest.raises(StoreError):
            store.bind(False)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_what_is_put_is_found(self, store: Any, bounds: Any) -> None:
        """A row comes back as it was put, by its span as by its number."""
        bound(store, bounds)
        for number, capacity in enumerate((1, 5)):
            record = new_record(store, number, capacity=capacity)
            first, second = 2 * number + 1, 2 * number + 2
            row = put(store, record, 3, 7, first, capacity)
            other = put(store, record, 9, None, second)
            assert list(store.overlapping(record, 4, 5)) == [row]
            assert list(store.overlapping(record, None, None)) == [row, other]
            assert store.row(record, first) == row
            assert store.row(record, second) == other
        check(store)

    @pytest.mark.parametrize("family", families(), ids=str)
    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_every_family_of_keys_is_ordered_by_its_own_less_than(self, store: Any, family: Family, bounds: Any) -> None:
        """Only ``<`` is asked of keys, and only among keys."""
        record = new_record(bound(store, bounds))
        zoned = family.name in ("aware", "pd.Timestamp+zone")

        def key(rank: int) -> Any:
            """Return a key in one form only, as a calendar passes keys to a store; in UTC where there are zones."""
            return family.key(rank, 0) if zoned else family.key(rank)

        events = [put(store, record, key(rank), key(rank + 2), seq) for seq, rank in enumerate((10, 0, 5, 15), 1)]
        assert list(store.overlapping(record, None, None)) == [events[at] for at in (1, 2, 0, 3)]
        assert list(store.overlapping(record, key(1), key(6))) == [events[1], events[2]]
        assert list(store.overlapping(record, key(3), key(4))) == []
        assert list(store.overlapping(record, key(12), None)) == ([events[0], events[3]] if bounds == "[]" else [events[3]])
        take(store, record, events[2])
        assert list(store.overlapping(record, key(1), key(6))) == [events[1]]
        check(store)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_touching_is_overlapping_only_with_closed_bounds(self, store: Any, bounds: Any) -> None:
        """Half-open spans that touch share no point; closed spans share the point where they touch."""
        record = new_record(bound(store, bounds))
        event = put(store, record, 5, 8, 1)
        meeting = [event] if bounds == "[]" else []
        assert list(store.overlapping(record, 2, 5)) == meeting
        assert list(store.overlapping(record, 8, 9)) == meeting
        assert list(store.overlapping(record, None, 5)) == meeting
        assert list(store.overlapping(record, 8, None)) == meeting

    def test_a_closed_span_without_length_is_a_point(self, store: Any) -> None:
        """With closed bounds ``[3, 3]`` is a span of one point, to hold and to ask for."""
        record = new_record(bound(store, "[]"))
        point = put(store, record, 3, 3, 1)
        after = put(store, record, 4, 6, 2)
        assert list(store.overlapping(record, 3, 3)) == [point]
        assert list(store.overlapping(record, 1, 3)) == [point]
        assert list(store.overlapping(record, 4, 4)) == [after]
        assert list(store.overlapping(record, 1, 2)) == []
        take(store, record, point)
        assert list(store.overlapping(record, None, 4)) == [after]
        check(store)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_unbounded_spans_reach_everywhere_and_come_first(self, store: Any, bounds: Any) -> None:
        """None is before every start and after every end."""
        record = new_record(bound(store, bounds), capacity=9)
        whole = put(store, record, None, None, 1)
        late = put(store, record, 90, None, 2)
        early = put(store, record, None, 10, 3)
        middle = put(store, record, 40, 50, 4)
        assert list(store.overlapping(record, None, None)) == [whole, early, middle, late]
        assert list(store.overlapping(record, -1000, -999)) == [whole, early]
        assert list(store.overlapping(record, 20, 30)) == [whole]
        assert list(store.overlapping(record, 1000, None)) == [whole, late]
        for event in (whole, early, late):
            take(store, record, event)
        assert list(store.overlapping(record, None, None)) == [middle]
        check(store)

    @pytest.mark.parametrize("bounds", BOUNDS)
    def test_equal_starts_come_in_order_of_booking_whenever_they_were_put(self, store: Any, bounds: Any) -> None:
        """Order is by start, then by number; an undone release puts an old booking back in its old place.

        Equal starts are also those that are unbounded, which come first.
        """
        record = new_record(bound(store, bounds), capacity=50)
        order = [7, 3, 9, 1, 8, 2, 6, 4, 5, 10]
        numbers = [seq for at in order for seq in (at, at + 20)]
        events = {seq: put(store, record, 5 if seq < 20 else None, 6 + seq % 3, seq) for seq in numbers}
        low, high = sorted(order), [seq + 20 for seq in sorted(order)]
        assert list(store.overlapping(record, None, None)) == [events[seq] for seq in [*high, *low]]
        for seq in (3, 9, 23, 29):
            take(store, record, events[seq])
        store.put(record, *events[3])
        store.put(record, *events[23])
        low.remove(9)
        high.remove(29)
        assert [row[2] for row in store.overlapping(record, 5, 6)] == [*high, *low]
        check(store)

    def test_a_given_answer_never_changes(self, store: Any) -> None:
        """An answer is a new sequence: changes of the store do not appear in it, nor changes of the answer in the store."""
        record = new_record(bound(store))
        first = put(store, record, 1, 2, 1)
        answer = store.overlapping(record, None, None)
        put(store, record, 3, 4, 2)
        assert len(store.overlapping(record, None, None)) == 2
        assert list(answer) == [first]
        if isinstance(answer, list):
            answer.clear()
        assert len(store.overlapping(record, None, None)) == 2

    def test_resources_do_not_see_each_other(self, store: Any) -> None:
        """The rows of a resource are not among the answers about another resource."""
        bound(store)
        one, two = new_record(store, 0), new_record(store, 1)
        event = put(store, one, 1, 9, 1)
        assert list(store.overlapping(two, None, None)) == []
        other = put(store, two, 1, 9, 2)
        take(store, one, event)
        assert list(store.overlapping(two, None, None)) == [other]
        check(store)

    def test_a_forgotten_resource_can_be_added_again(self, store: Any) -> None:
        """Removing a resource can be undone: the same record comes back, empty."""
        bound(store)
        record = new_record(store, 3)
        event = put(store, record, 1, 9, 1)
        take(store, record, event)
        store.remove_resource(record)
        store.add_resource(record)
        assert list(store.overlapping(record, None, None)) == []
        put(store, record, 1, 9, 2)
        check(store)

    # -- when a comparison fails -------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    @pytest.mark.parametrize("capacity", [1, 3])
    @pytest.mark.parametrize("call", ["put", "remove"])
    def test_a_comparison_that_fails_leaves_the_store_as_it_was(
        self, store: Any, bounds: Any, capacity: int, call: str
    ) -> None:
        """Whatever comparison raises: a call that raises has changed nothing."""
        fail_everywhere(store, bounds, capacity, call)

    # -- capabilities ------------------------------------------------------------------------------

    @pytest.mark.parametrize("bounds", BOUNDS)
    @pytest.mark.parametrize("capacity", [1, 2])
    def test_availability_agrees_with_itself(self, store: Any, bounds: Any, capacity: int) -> None:
        """`SupportsAvailability`: `is_free` and `busy` are one predicate."""
        able = isinstance(store, SupportsAvailability)
        if not able:
            pytest.skip(f"{type(store).__name__} does not claim SupportsAvailability")
        bound(store, bounds)
        records = [new_record(store, number, capacity=capacity) for number in range(12)]
        for step in range(200):
            record = records[step * 5 % 12]
            start = step * 17 % 50
            end = start + 1 + step % 7
            found = store.overlapping(record, start, end)
            free = store.is_free(record, start, end, 1)
            busy = store.busy(start, end, 1)
            assert bool(busy >> record.number & 1) is not free
            if capacity == 1:
                assert free == (not found)
            if free:
                row = put(store, record, start, end, step + 1)
                assert row in store.overlapping(record, start, end)
        check(store)

    def test_bulk_load_takes_all_rows_or_none(self, store: Any) -> None:
        """`SupportsLoad`: rows that overlap each other, or what is held, are refused as a whole."""
        able = isinstance(store, SupportsLoad)
        if not able:
            pytest.skip(f"{type(store).__name__} does not claim SupportsLoad")
        bound(store)
        records = [new_record(store, number) for number in range(3)]
        held = put(store, records[0], 10, 20, 1)

        def load(rows: list[tuple[int, int, int]]) -> bool:
            whose = [records[n] for n, _, _ in rows]
            seqs = range(100, 100 + len(rows))
            return bool(store.load(whose, [a for _, a, _ in rows], [b for _, _, b in rows], seqs))

        assert not load([(1, 1, 5), (2, 3, 9), (1, 4, 6)])
        assert not load([(1, 1, 5), (0, 19, 21)])
        assert [list(store.overlapping(e, None, None)) for e in records] == [[held], [], []]
        check(store)
        if load([(1, 4, 6), (0, 20, 21), (1, 1, 4), (0, 1, 10)]):
            assert [len(store.overlapping(e, None, None)) for e in records] == [3, 2, 0]
            assert [row[0] for row in store.overlapping(records[0], None, None)] == [1, 10, 20]
        check(store)


def fail_everywhere(store: Any, bounds: Any, capacity: int, call: str, *, lasting: bool = False) -> None:
    """Let the first comparison of a call fail, then the second, and so on; after each failure all answers are as before.

    With *lasting*, all later comparisons fail as well, so the call cannot undo a change by means of comparisons.
    """
    Brittle.lasting = lasting
    bound(store, bounds)
    record = new_record(store, 0, capacity=capacity)
    other = new_record(store, 1)
    for rank in range(0, 60, 6):
        put(store, record, Brittle(rank), Brittle(rank + 2), rank + 1, capacity)
        put(store, other, Brittle(rank), Brittle(rank + 5), rank + 2)
    before = _answers(store, record, other)
    if call == "put":
        keys = Brittle(27), Brittle(29)
        mine = (*keys, 99, capacity)
    else:
        (mine,) = store.overlapping(record, Brittle(24), Brittle(25))
    calls: Any = [lambda row: store.put(record, *row), lambda row: take(store, record, row)]
    change, opposite = calls if call == "put" else calls[::-1]
    try:
        for fuse in range(1000):
            Brittle.fuse = fuse
            try:
                change(mine)
            except ZeroDivisionError:
                Brittle.fuse = float("inf")
                _mend(store, [record, other], mine, put_back=call != "put")
            else:
                over = Brittle.fuse >= 0
                Brittle.fuse = float("inf")
                assert _answers(store, record, other) != before
                if over:
                    break
                opposite(mine)  # the call did not need the comparison that would have failed
            assert _answers(store, record, other) == before, f"comparison {fuse} failed"
            check(store)
        assert fuse < 999, "the call compares without end"
    finally:
        Brittle.fuse = float("inf")
    check(store)


def _mend(store: Any, records: list[ResourceRecord], mine: Any, *, put_back: bool) -> None:
    """Do what the calendar does after a change that failed: if the store has begun it, repair it without that row."""
    whole = store
    if isinstance(store, SupportsRepair) and store.begun:
        store.repair(records, lambda record, seq: record is not records[0] or seq != mine[2])
        if put_back:
            put(whole, records[0], *mine)
        store.begun = False


def _near(store: Any, low: int, record: ResourceRecord) -> Any:
    return store.overlapping(record, Brittle(low), Brittle(low + 4))


def _answers(store: Any, *records: ResourceRecord) -> list[list[int]]:
    """Return the answers of the store to many questions, as sequence numbers of rows."""
    windows: list[Callable[[ResourceRecord], Any]] = [lambda e: store.overlapping(e, None, None)]
    windows += [partial(_near, store, low) for low in range(0, 66, 3)]
    found = [[row[2] for row in window(record)] for record in records for window in windows]
    if isinstance(store, SupportsAvailability):
        for low in range(-3, 66, 2):
            try:
                found.append([store.busy(Brittle(low), Brittle(low + 1), 1)])
            except BookcoreError:
                found.append([])
    return found
