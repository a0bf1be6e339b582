"""An occupancy index against a set of spans: random additions and removals, every chunk checked after each."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bookcore.index.bitmap import ordinals
from bookcore.index.column import Column
from bookcore.index.occupancy import OccupancyIndex
from bookcore.testing import SMALL, rank_spans
from bookcore.testing.cutting import cut_off
from bookcore.testing.families import OnlyLess

MOST = settings().max_examples
NUMBERS = st.integers(0, 30) | st.integers(0, 5)
Span = tuple[Any, Any]


def overlap(one: Span, two: Span, closed: bool) -> bool:
    """Tell whether two spans of whole numbers share a point."""
    touch = 0 if closed else 1

    def before(low: Any, high: Any) -> bool:
        return low is None or high is None or low + touch <= high

    return bool(before(one[0], two[1]) and before(two[0], one[1]))


class Naive:
    """Which ordinals are busy when: a list of spans for each."""

    def __init__(self, closed: bool) -> None:
        self.closed = closed
        self.held: dict[int, list[Span]] = {}

    def fits(self, number: int, span: Span) -> bool:
        """Tell whether the ordinal's spans stay disjoint."""
        return not any(overlap(span, other, self.closed) for other in self.held.get(number, []))

    def busy(self, span: Span) -> list[int]:
        """Return the ordinals with a span that overlaps."""
        return sorted(n for n, spans in self.held.items() if any(overlap(span, s, self.closed) for s in spans))

    def neighbours(self, number: int, span: Span) -> tuple[Any, Any]:
        """Return the starts of the ordinal's spans around one of them, None where there is none."""
        starts = [s for s, _ in self.held[number] if s is not None and s != span[0]]
        low = [s for s in starts if span[0] is not None and s < span[0]]
        high = [s for s in starts if span[0] is None or s > span[0]]
        return max(low, default=None), min(high, default=None)


class IndexMachine(RuleBasedStateMachine):
    """One index and the naive model of it."""

    closed: ClassVar[bool] = False
    make: ClassVar[Callable[[Any], Any]] = int
    sizes: ClassVar[Any] = {}
    asked: ClassVar[bool] = True  # whether each step asks about all windows, which makes every bitmap

    def __init__(self) -> None:
        super().__init__()
        self.index = OccupancyIndex(self.closed, **{**SMALL.occupancy, **self.sizes})
        self.naive = Naive(self.closed)

    def keys(self, span: Span) -> tuple[Any, Any]:
        """Return a span as keys."""
        low, high = (None if rank is None else type(self).make(rank) for rank in span)
        return low, high

    @initialize(rows=st.lists(st.tuples(NUMBERS, rank_spans("[)", 0, 60)), max_size=80))
    def begin(self, rows: list[tuple[int, Span]]) -> None:
        """Build an index of many spans at once."""
        for number, span in rows:
            if self.naive.fits(number, span):
                self.naive.held.setdefault(number, []).append(span)
        self.rebuild()

    @rule()
    def rebuild(self) -> None:
        """Build it anew from all the spans there are."""
        rows = [(number, *span) for number, spans in self.naive.held.items() for span in spans]
        starts = sorted((s, n) for n, s, _ in rows if s is not None)
        ends = sorted((e, n) for n, _, e in rows if e is not None)
        self.index.rebuild(
            max(self.index.size, max((n for n, _, _ in rows), default=-1) + 1),
            ([self.keys((s, None))[0] for s, _ in starts], [n for _, n in starts]),
            ([self.keys((e, None))[0] for e, _ in ends], [n for _, n in ends]),
            [n for n, s, _ in rows if s is None],
        )

    def bounded_rows(self) -> list[tuple[int, Any, Any]]:
        """Forget the spans that are unbounded, and return the others, each with its ordinal."""
        held = {n: [span for span in spans if None not in span] for n, spans in self.naive.held.items()}
        self.naive.held = {number: spans for number, spans in held.items() if spans}
        return [(number, *span) for number, spans in self.naive.held.items() for span in spans]

    @rule(shares=st.booleans())
    def replace(self, shares: bool) -> None:
        """Build it anew from those spans that are bounded, in any order; if they are few, they wait."""
        rows = self.bounded_rows()
        numbers = [n for n, _, _ in rows]
        starts, ends = ([self.keys((low, high))[side] for _, low, high in rows] for side in (0, 1))
        size = max(self.index.size, max(numbers, default=-1) + 1)
        self.index.replace(size, numbers, starts, ends, {*starts, *ends} if shares and type(self).make is int else ())
        waits = self.index.kind is not None and len(rows) < self.index.waiting_limit
        assert waits is (self.index.waiting is not None)

    @rule()
    def rebuild_by_key(self) -> None:
        """Build it anew from those spans that are bounded, given key by key."""
        rows = self.bounded_rows()
        ranks = sorted({key for _, start, end in rows for key in (start, end)})
        if rows:
            keys = [type(self).make(rank) for rank in ranks]
            starts = [array("I", [n for n, s, _ in rows if s == rank]) for rank in ranks]
            ends = [array("I", [n for n, _, e in rows if e == rank]) for rank in ranks]
            size = max(self.index.size, max(n for n, _, _ in rows) + 1)
            self.index.rebuild_from(size, keys, starts, ends)
        else:
            self.rebuild()

    @rule(rows=st.lists(st.tuples(NUMBERS, rank_spans("[)", 0, 60) | rank_spans("[]", 0, 60)), min_size=1, max_size=12))
    def add(self, rows: list[tuple[int, Span]]) -> None:
        """Add spans that fit."""
        for number, span in rows:
            if (self.closed or span[0] != span[1] or None in span) and self.naive.fits(number, span):
                self.index.add(number, *self.keys(span))
                self.naive.held.setdefault(number, []).append(span)

    @rule(span=rank_spans("[)", 0, 60, unbounded=False), numbers=st.sets(NUMBERS, min_size=8))
    def add_at_one_instant(self, span: Span, numbers: set[int]) -> None:
        """Give many ordinals the same span: a column that cannot be cut becomes one bitmap."""
        self.add([(number, span) for number in sorted(numbers)])

    @rule(data=st.data(), count=st.integers(1, 20))
    def remove(self, data: st.DataObject, count: int) -> None:
        """Take back spans."""
        for _ in range(count):
            rows = [(number, span) for number, spans in self.naive.held.items() for span in spans]
            if not rows:
                return
            number, span = rows[data.draw(st.integers(0, len(rows) - 1))]
            around = [None if s is None else type(self).make(s) for s in self.naive.neighbours(number, span)]
            self.index.remove(number, *self.keys(span), *around)
            self.naive.held[number].remove(span)

    @rule(spans=st.lists(rank_spans("[)", -2, 62), min_size=1, max_size=6))
    def ask(self, spans: list[Span]) -> None:
        """Ask which ordinals are busy."""
        for span in spans:
            found = list(ordinals(self.index.busy(*self.keys(span))))
            assert found == self.naive.busy(span), f"busy({span})"

    @invariant()
    def is_sound(self) -> None:
        """Every invariant holds, and every window of one cell is right."""
        self.index.check()
        assert len(self.index) == sum(map(len, self.naive.held.values()))
        for low in range(-1, 62, 7) if self.asked else ():
            span = (low, low) if self.closed else (low, low + 1)
            assert list(ordinals(self.index.busy(*self.keys(span)))) == self.naive.busy(span)


@pytest.mark.parametrize(
    "sizes", [{"smallest": 2}, {}, {"smallest": 32}, {"smallest": 32, "tail": 8}]
)
@pytest.mark.parametrize("closed", [False, True])
def test_index_agrees_with_a_set_of_spans(closed: bool, sizes: dict[str, int]) -> None:
    """Whatever is added, removed and built anew, at sizes that cut and at sizes that join."""
    make = int if sizes else OnlyLess
    walk = type("Walk", (IndexMachine,), {"closed": closed, "sizes": sizes, "make": make})
    run_state_machine_as_test(walk, settings=settings(max_examples=MOST // 2, stateful_step_count=20))


@pytest.mark.parametrize("closed", [False, True])
def test_bitmaps_made_late_agree_with_a_set_of_spans(closed: bool) -> None:
    """Chunks that were cut and that no question has read since, while spans come and go, and groups are cut and joined."""
    sizes = {"smallest": 2, "stride": 2}
    walk = type("Walk", (IndexMachine,), {"closed": closed, "sizes": sizes, "asked": False})
    run_state_machine_as_test(walk, settings=settings(max_examples=MOST // 2, stateful_step_count=20))


@given(
    days=st.lists(st.integers(0, 3), min_size=1, max_size=200),
    removed=st.sets(st.integers(0, 199)),
    closed=st.booleans(),
)
def test_starts_that_are_all_equal_cost_a_bit_each(days: list[int], removed: set[int], closed: bool) -> None:
    """Day-grained spans: columns of one key drop their lists, and answer from the bitmap."""
    line = OccupancyIndex(closed, **{**SMALL.occupancy, "smallest": 4})
    for number, day in enumerate(days):
        line.add(number, 10 * day, 10 * day + 9)
        line.check()
    gone = [number for number in removed if number < len(days)]
    for number in gone:
        line.remove(number, 10 * days[number], 10 * days[number] + 9, None, None)
        line.check()
    for day in range(4):
        right = [n for n, d in enumerate(days) if d == day and n not in gone]
        assert list(ordinals(line.busy(10 * day, 10 * day + 1))) == right
        assert list(ordinals(line.busy(10 * day + 3, 10 * day + 4))) == right


def test_a_column_of_one_key_drops_its_lists() -> None:
    """A million equal starts are one key and one bitmap; another key cuts the chunk and leaves that as it is."""
    line = OccupancyIndex(waiting_limit=0)
    for number in range(10 * OccupancyIndex.SMALLEST):
        line.add(number, 5, 9)
    assert any(chunk.starts.bits is not None for chunk in line.chunks)
    line.add(10_000, 3, 4)
    line.add(10_001, 9, 12)
    line.check()
    assert list(ordinals(line.busy(3, 4))) == [10_000]
    assert line.busy(5, 9).bit_count() == 10 * OccupancyIndex.SMALLEST


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_chunks_stay_within_their_limit_in_whatever_order_spans_come(order: str) -> None:
    """No chunk outgrows the limit, and removing everything leaves few chunks."""
    line = OccupancyIndex(False, **SMALL.occupancy)
    spans = [(at % 50, 3 * at, 3 * at + 2) for at in range(1000)]
    given_order = {"ascending": spans, "descending": spans[::-1], "shuffled": spans[::7] + spans[1::7]}[order]
    given_order = given_order if order != "shuffled" else [spans[at * 37 % 1000] for at in range(1000)]
    for row in given_order:
        line.add(*row)
    line.check()
    assert all(max(len(chunk.starts), len(chunk.ends)) <= line.limit for chunk in line.chunks)
    most = len(line.chunks)
    assert most > 20
    for number, start, end in sorted(given_order, key=lambda row: row[1]):
        line.remove(number, start, end, None, start + 150 if start + 150 < 3000 else None)
    line.check()
    assert len(line) == 0
    assert line.busy(None, None) == 0
    assert len(line.chunks) < most


@given(
    rows=st.lists(st.tuples(NUMBERS, rank_spans("[)", 0, 60)), max_size=80),
    closed=st.booleans(),
    after=st.integers(-1, 61),
    meeting=st.booleans(),
    length=st.integers(0, 62),
    within=st.integers(0, 2**31 - 1),
    smallest=st.sampled_from([2, 8, 100]),
)
@example([(0, (0, 2)), (1, (2, 4)), (2, (4, 6))], False, 2, True, 4, 7, 2)  # ends at the checkpoint before the next chunk
def test_ends_after_a_key_come_in_order_and_with_their_ordinals(
    rows: list[tuple[int, Span]], closed: bool, after: int, meeting: bool, length: int, within: int, smallest: int
) -> None:
    """Asked again from the last key on, until there is none left: every end up to the limit, once."""
    index, naive = OccupancyIndex(closed, **{**SMALL.occupancy, "smallest": smallest}), Naive(closed)
    for number, span in rows:
        if naive.fits(number, span):
            index.add(number, *span)
            naive.held.setdefault(number, []).append(span)
    until = after + length
    found: dict[int, set[int]] = {}
    low, at_low = after, meeting
    while events := index.ends_after(low, at_low, until, within):
        keys = [key for key, _, _ in events]
        assert keys == sorted(set(keys))
        assert low <= keys[0] if at_low else low < keys[0]
        for key, few, bits in events:
            assert len(few) == len(set(few))
            found[key] = {*few, *ordinals(bits)}
        low, at_low = keys[-1], False
    ends = {(end, number) for number, spans in naive.held.items() for _, end in spans if end is not None}
    right: dict[int, set[int]] = {}
    for end, number in ends:
        if (after <= end if meeting else after < end) and end <= until:
            right.setdefault(end, set()).update({number} if within >> number & 1 else ())
    assert found == right
    index.check()


class Failing:
    """A key of the user's own that compares with numbers, and raises at one comparison."""

    left = 0  # comparisons to the one that raises, 0: none does

    def __init__(self, rank: float) -> None:
        self.rank = rank

    def _ask(self, other: Any) -> Any:
        if Failing.left:
            Failing.left -= 1
            if not Failing.left:
                raise RuntimeError("not now")
        return other.rank if isinstance(other, Failing) else other

    def __lt__(self, other: Any) -> bool:
        return bool(self.rank < self._ask(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.rank > self._ask(other))


@pytest.fixture
def no_failure() -> Any:
    """Have comparisons work again afterwards."""
    yield
    Failing.left = 0


def agrees(line: OccupancyIndex, spans: dict[int, tuple[Any, Any]]) -> None:
    """Check an index, and that it answers for some windows as its spans do."""
    Failing.left = 0
    line.check()
    rank = {number: tuple(getattr(key, "rank", key) for key in span) for number, span in spans.items()}
    for low in range(0, 40, 3):
        right = sorted(number for number, (start, end) in rank.items() if start < low + 0.5 and low < end)
        assert list(ordinals(line.busy(Failing(low), Failing(low + 0.5)))) == right


def test_a_comparison_that_fails_while_a_chunk_is_cut_leaves_it_too_long(no_failure: Any) -> None:
    """The chunk stays longer than it should be, until a later addition."""
    for failing in range(1, 360, 7):
        line, spans = OccupancyIndex(), {}
        Failing.left = failing
        for number in range(66):
            span = Failing(number % 5 + number / 1000), Failing(number % 5 + number / 1000 + 0.5)
            try:
                line.add(number, *span)
            except RuntimeError:
                continue
            spans[number] = span
        agrees(line, spans)


def with_repeated_keys(spans: dict[int, tuple[Any, Any]], size: int) -> OccupancyIndex:
    """Return an index of keys that repeat: twenty spans at each even number."""
    keys = [key for key in range(0, 40, 2) for _ in range(20)]
    spans.update({number: (key, key + 1) for number, key in enumerate(keys)})
    line = OccupancyIndex()
    numbers = list(range(len(keys)))
    line.rebuild(size, (keys, numbers), ([key + 1 for key in keys], numbers), ())
    return line


def test_a_comparison_that_fails_while_a_chunk_is_cut_changes_nothing(no_failure: Any) -> None:
    """Keys of another kind among others: an addition fails as a whole, or not at all."""
    for failing in range(1, 200, 9):
        spans: dict[int, tuple[Any, Any]] = {}
        line = with_repeated_keys(spans, 20_000)
        for number in range(1000, 1300):
            span = Failing(number % 300 * 40 / 300 + 0.001), Failing(number % 300 * 40 / 300 + 0.1)
            if number > 1200:
                Failing.left = failing
            try:
                line.add(number, *span)
            except RuntimeError:
                continue
            spans[number] = span
        agrees(line, spans)


def test_a_comparison_that_fails_in_a_removal_comes_before_it(no_failure: Any) -> None:
    """Joining chunks compares nothing."""
    for failing in (1, 4, 16, 64):
        spans: dict[int, tuple[Any, Any]] = {}
        line = OccupancyIndex()
        keys = [key for key in range(0, 60, 2) for _ in range(32)] + [1000 + 2 * at for at in range(600)]
        numbers = list(range(len(keys)))
        spans.update({number: (key, key + 1) for number, key in enumerate(keys)})
        line.rebuild(40_000, (keys, numbers), ([key + 1 for key in keys], numbers), ())
        for number in [number for number, (start, _) in spans.items() if 4 <= start < 60]:
            line.remove(number, *spans.pop(number), None, None)
        for number in range(20_000, 20_060):
            start = 10 + (number - 20_000) * 0.3
            spans[number] = Failing(start), Failing(start + 0.1)
            line.add(number, *spans[number])
        before = len(line.chunks)
        for number in [number for number, (start, _) in spans.items() if type(start) is int and start >= 1010]:
            Failing.left = failing
            try:
                line.remove(number, *spans[number], None, None)
            except RuntimeError:
                continue
            del spans[number]
        agrees(line, spans)
        assert len(line.chunks) < before


def test_a_comparison_that_fails_while_all_is_built_anew_leaves_what_was_there(no_failure: Any) -> None:
    """Whatever fails, and however late."""
    spans: dict[int, tuple[Any, Any]] = {}
    line = with_repeated_keys(spans, 400)
    keys = [Failing(at) for at in range(300)]
    numbers = list(range(300))
    failed = 0
    for failing in range(1, 2000, 13):
        Failing.left = failing
        other = OccupancyIndex()
        try:
            other.rebuild(300, (keys, numbers), ([Failing(at + 0.5) for at in range(300)], numbers), ())
        except RuntimeError:
            failed += 1
            Failing.left = failing
            with pytest.raises(RuntimeError):
                line.rebuild(300, (keys, numbers), ([Failing(at + 0.5) for at in range(300)], numbers), ())
            agrees(line, spans)
    assert failed > 3


class OneWay:
    """A key that is to be asked ``<`` alone."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: Any) -> bool:
        return bool(self.rank < other.rank)

    def __gt__(self, other: Any) -> bool:
        raise RuntimeError("only < is to be asked")

    __le__ = __ge__ = __gt__


def test_keys_are_asked_nothing_but_whether_one_is_less() -> None:
    """A key whose other comparisons fail is parted by, cut by and answered for like any."""
    line = OccupancyIndex()
    for number in range(900):
        line.add(number, OneWay(number // 3), OneWay(number // 3 + 1))
    line.check()
    assert len(line.chunks) > 5
    assert list(ordinals(line.busy(OneWay(100), OneWay(102)))) == list(range(300, 306))


def test_a_chunk_that_cannot_be_cut_now_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the search for its middle raises: answers stay right, and a later addition tries again."""
    tries = 0

    def middle(self: Any, holds_low: bool) -> Any:
        nonlocal tries
        tries += 1
        raise RuntimeError("not now")

    sizes: Any = SMALL.occupancy
    line = OccupancyIndex(**sizes)
    with monkeypatch.context() as patch:
        patch.setattr("bookcore.index.column.Column.middle", middle)
        for number in range(200):
            line.add(number, number, number + 3)
    line.check()
    assert tries > 1
    assert len(line.chunks) == 1
    assert list(ordinals(line.busy(100, 101))) == [98, 99, 100]
    for number in range(200, 210):
        line.add(number, number, number + 3)
    line.check()
    assert len(line.chunks) > 1


@pytest.mark.parametrize("numbers", [[0], [3, 1], [9, 70], [200], [0, 8, 16, 24], [5, 500]])
def test_bitmaps_are_right_though_a_question_was_cut_off_twice(numbers: list[int]) -> None:
    """Wherever it was: the next one counts again, with room for every ordinal."""
    for nth in range(1, 60):
        for again in (1, 4, 9, 1 << 60):
            index: Any = OccupancyIndex(False, waiting_limit=0)
            for at, number in enumerate(numbers):
                index.add(number, at, at + 1)
            for place in (nth, again):
                cut_off(index.chunks[0].mark, place)
            index.check()
            index.remove(numbers[0], 0, 1, None, None)
            index.check()


def waiting(line: OccupancyIndex) -> int:
    """Return how many spans wait to be put in chunks."""
    return len(line.waiting or ()) // 3


@pytest.mark.parametrize(
    "end_of_waiting",
    [
        lambda line: line.busy(4, 5),
        lambda line: line.ends_after(0, False, 3, 1),
        lambda line: line.remove(0, 0, 3, None, None) or line.add(0, 0, 3),
        lambda line: line.renumber({number: number for number in range(20)}),
        lambda line: line.add(20, 40, None),
        lambda line: line.add(20, 40.5, 41.5),
        lambda line: [line.add(number, number, number + 3) for number in range(20, 30)],
    ],
)
@pytest.mark.parametrize("closed", [False, True])
def test_the_first_spans_wait_until_they_are_asked_for(closed: bool, end_of_waiting: Callable[[Any], Any]) -> None:
    """Or one of them is removed, or another kind of span comes, or they are many; then the answers are right."""
    line = OccupancyIndex(closed, waiting_limit=25)
    for number in range(20):
        assert line.add(number, number, number + 3) == (number, number + 3)
        line.check()
    assert waiting(line) == len(line) == 20
    end_of_waiting(line)
    assert line.waiting is None
    line.check()
    for low in range(15):
        span = (low, low) if closed else (low, low + 1)
        right = [own for own in range(20) if own <= low and (low <= own + 3 if closed else low < own + 3)]
        assert list(ordinals(line.busy(*span))) == right
    line.add(40, 60, 61)
    assert line.waiting is None


def test_waiting_spans_are_in_chunks_or_not_though_a_question_was_cut_off() -> None:
    """Wherever it was: nothing is lost, and nothing is there twice."""
    for nth in range(1, 600):
        line = OccupancyIndex(smallest=4, tail=1)
        for number in range(12):
            line.add(number, number, number + 3)
        begun, line.begun = line.begun, False
        places = cut_off(lambda: line.busy(4, 5), nth)  # noqa: B023
        assert begun
        assert not line.begun
        line.check()
        assert list(ordinals(line.busy(4, 5))) == [2, 3, 4]
        if places < nth:
            break
    assert 20 < places < nth


def test_an_index_that_is_emptied_lets_spans_wait_again() -> None:
    """And those of another family of keys."""
    line = OccupancyIndex()
    families: list[Span] = [(1, 2), ("a", "b"), (HOUR, HOUR + timedelta(hours=1))]
    for start, end in families:
        line.add(0, start, end)
        assert waiting(line) == 1
        assert line.busy(start, end) == 1
        assert not waiting(line)
        line.remove(0, start, end, None, None)
        line.check()


def late(line: OccupancyIndex) -> int:
    """Return how many starts and ends are late."""
    return sum(len(chunk.late_starts) + len(chunk.late_ends) for chunk in line.chunks) // 2


HOUR = datetime(2026, 5, 1, 9)
TWO_ZONES = [(9, UTC), (15, timezone(timedelta(hours=2)))]


@pytest.mark.parametrize(
    "key",
    [
        int,
        "{:03}".format,
        lambda rank: HOUR + timedelta(hours=rank),
        lambda rank: (HOUR + timedelta(hours=rank)).replace(tzinfo=UTC),
        lambda rank: HOUR.date() + timedelta(days=rank),
    ],
)
def test_entries_with_keys_of_one_plain_type_are_late(key: Callable[[int], Any]) -> None:
    """The fast path of an addition is taken, and a question does not end it."""
    line = OccupancyIndex(waiting_limit=0)
    for number in range(10):
        line.add(number, key(number), key(number + 3))
    assert late(line) == 20
    assert list(ordinals(line.busy(key(4), key(5)))) == [2, 3, 4]
    assert late(line) == 20
    line.check()


class Numeric:
    """Compares with whole numbers, and answers as arrays do: with something that is no bool."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: Any) -> Any:
        return int(self.rank < (other.rank if type(other) is Numeric else other))

    def __gt__(self, other: Any) -> Any:
        return int(self.rank > (other.rank if type(other) is Numeric else other))


@pytest.mark.parametrize("closed", [False, True])
def test_late_entries_are_found_by_keys_whose_comparisons_return_no_bool(closed: bool) -> None:
    """Whichever side of a key is looked at."""
    line = OccupancyIndex(closed, **{**SMALL.occupancy, "waiting_limit": 0})
    chosen = random.Random(5)
    found = 0
    for number in range(400):
        start = chosen.randrange(300)
        line.add(number, start, start + chosen.randrange(1, 9))
        found = max(found, late(line))
        start, end = sorted(chosen.sample(range(310), 2))
        assert line.busy(Numeric(start), Numeric(end)) == line.busy(start, end)
    assert found > 0


@pytest.mark.parametrize(
    "keys",
    [
        [(1, 2.0)],
        [(1, 2), (3.0, 4.0), (5, 6)],
        [(1.5, 2.5)],
        [(Decimal(1), Decimal(2))],
        [(OnlyLess(1), OnlyLess(2))],
        [(HOUR.replace(hour=hour, tzinfo=zone), HOUR.replace(hour=hour + 1, tzinfo=zone)) for hour, zone in TWO_ZONES],
        [(None, 5), (7, None)],
    ],
)
def test_entries_that_might_not_be_compared_later_are_put_in_order_at_once(keys: list[tuple[Any, Any]]) -> None:
    """Keys of two types or of two zones, of a type of the program's own, and spans without a start or an end."""
    line = OccupancyIndex()
    for number, span in enumerate(keys):
        line.add(number, *span)
        line.check()
    assert not late(line)  # not even the first, which was late before the second came
    for number, (start, end) in enumerate(keys):
        assert number in ordinals(line.busy(start, end))
    for number, span in enumerate(keys):
        line.remove(number, *span, None, None)
    line.check()
    assert line.busy(None, None) == 0
    line.add(0, *keys[0])
    line.check()


def test_an_index_of_late_entries_answers_as_one_of_entries_in_order() -> None:
    """The same history with whole numbers, and with keys of a class of the test's own, which take the general path."""
    chosen = random.Random(7)
    fast, general = OccupancyIndex(waiting_limit=0), OccupancyIndex()
    held: dict[tuple[int, int], int] = {}
    most = 0
    for step in range(3_000):
        number, start = step % 400, 100 * (step // 400) + chosen.randrange(50)
        end = start + chosen.randrange(1, 50)
        held[number, start] = end
        fast.add(number, start, end)
        general.add(number, OnlyLess(start), OnlyLess(end))
        if step % 3 == 2:
            number, start = chosen.choice(list(held))
            end = held.pop((number, start))
            starts = [own for other, own in held if other == number]
            before, after = [s for s in starts if s < start], [s for s in starts if s > start]
            around = max(before) if before else None, min(after) if after else None
            fast.remove(number, start, end, *around)
            keys = [None if key is None else OnlyLess(key) for key in (start, end, *around)]
            general.remove(number, *keys)
        if step % 50 == 0:
            low = chosen.randrange(800)
            high = low + chosen.choice([1, 10, 300])
            assert fast.busy(low, high) == general.busy(OnlyLess(low), OnlyLess(high))
        if step % 500 == 0:
            fast.check()
            general.check()
        most = max(most, late(fast))
        assert not late(general)
    assert most > 100
    assert len(fast.chunks) > 5


@pytest.mark.parametrize("numbers", [[5, 500], [0, 8, 16, 24]])
def test_an_absorption_that_was_cut_off_leaves_its_mark(numbers: list[int]) -> None:
    """Then the owner builds the index anew; where there is no mark, all entries are late or none is, and it is whole."""
    for nth in range(1, 40):
        index: Any = OccupancyIndex(False, waiting_limit=0)
        for at, number in enumerate(numbers):
            index.add(number, at, at + 1)
        index.begun = False
        if cut_off(lambda: index.add(1, 2.5, 3.5), nth) and not index.begun:  # noqa: B023
            index.check()
            assert late(index) in (0, 2 * len(numbers))
            assert index.count == len(numbers)


@pytest.mark.parametrize("closed", [False, True])
def test_an_index_that_is_emptied_takes_keys_of_any_family(closed: bool) -> None:
    """Whichever spans go first: no chunk is left that was cut at one of their keys."""
    for seed in range(30):
        rng = random.Random(seed)
        line = OccupancyIndex(closed, **SMALL.occupancy)
        spans = [(number, number * 3, number * 3 + rng.choice([1, 60])) for number in rng.sample(range(100), 40)]
        for number, start, end in spans:
            line.add(number, start, end)
        assert len(line.chunks) > 1, seed
        for number, start, end in rng.sample(spans, len(spans)):
            line.remove(number, start, end, None, None)
        line.add(7, "a", "c")
        line.check()
        assert list(ordinals(line.busy("b", "d"))) == [7], seed


def test_an_emptied_index_does_not_give_a_key_of_the_family_before() -> None:
    """Keys of two zones may be equal."""
    line = OccupancyIndex()
    abroad = timezone(timedelta(hours=1))
    for zone, hour in (UTC, 9), (abroad, 10):
        span = datetime(2026, 1, 1, hour, tzinfo=zone), datetime(2026, 1, 1, hour + 2, tzinfo=zone)
        given = line.add(0, *span)
        assert [key.tzinfo for key in given] == [zone, zone]
        line.check()
        line.remove(0, *span, None, None)


def test_an_index_that_shrinks_may_keep_its_late_entries() -> None:
    """A chunk has room for more of them in a larger index."""
    line = OccupancyIndex(smallest=4, tail=1, waiting_limit=0)
    for number in random.Random(1).sample(range(6000), 6000):
        line.add(number % 7, number, number + 1)
    late = [len(chunk.late_starts) for chunk in line.chunks]
    at = late.index(max(late[3:-3]), 3)
    low, high = line.heads[at - 3], line.heads[at + 2]  # its neighbours stay, so that it is not joined to one
    for number in range(6000):
        if not low <= number < high:
            line.remove(number % 7, number, number + 1, None, None)
    line.check()
    for number in range(200):
        line.add(7, 10000 + number, 10001 + number)
    assert line.room < max(len(chunk.late_starts) for chunk in line.chunks)
    line.check()


def test_a_cut_for_which_there_is_no_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have begun, so what is there is not trusted: the caller builds the index anew."""
    calls = 0
    whole = Column.cut

    def cut(self: Column, place: int) -> Column:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise MemoryError
        return whole(self, place)

    monkeypatch.setattr(Column, "cut", cut)
    sizes: Any = SMALL.occupancy
    line = OccupancyIndex(**sizes)
    with pytest.raises(MemoryError):
        for number in range(200):
            line.add(number, number, number + 3)
    assert line.begun


@pytest.mark.parametrize("waiting_limit", [0, 100])
@pytest.mark.parametrize("key", [datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 1, 1).date(), 1 << 40])
def test_equal_keys_are_one_object_that_the_index_made(key: Any, waiting_limit: int) -> None:
    """The objects of the index lie side by side in memory, where those that it is given lie anywhere."""
    line, step = OccupancyIndex(waiting_limit=waiting_limit), timedelta(1) if isinstance(key, date) else 1
    line.add(0, key - 2 * step, key - step)  # of the first span no key is known yet where no span may wait
    start, end = line.add(0, key, key + step)
    assert (start, end) == (key, key + step)
    assert start is not key
    again, beyond = line.add(0, end + step - step, key + 2 * step)
    assert again is end
    line.busy(key, key + step)
    assert line.add(1, key, beyond) == (start, beyond)
    assert line.add(2, key + step - step, beyond + step)[0] is start
    line.check()


@pytest.mark.parametrize("twice", [False, True])
def test_a_question_marks_the_ordinals_in_question_or_the_others_whichever_are_fewer(twice: bool) -> None:
    line = OccupancyIndex(smallest=1000)
    for number in range(90):
        line.add(number, number, 1000 + number)
    if twice:
        line.add(0, 95, 96)
    line.busy(0, 1)
    (chunk,) = line.chunks
    for starts, found in (
        (True, [chunk.starts_before(key, False, 0) for key in (30, 60)]),
        (False, [chunk.ends_after(key, True, 0) for key in (1060, 1030)]),
    ):
        few, many = [*range(30)] if starts else [*range(60, 90)], [*range(60)] if starts else [*range(30, 90)]
        assert found[0] == (few, [])
        assert found[1] == ((many, []) if twice else ([], [sum(1 << number for number in many)]))
    assert chunk.starts_before(60, False, 31) == ([*range(60)], [])  # the bitmap is not worth its making
