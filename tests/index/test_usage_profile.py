"""The profile against an oracle so plain that it cannot be wrong: a list of spans, summed at every point.

Keys are drawn from a small pool and known by their rank in it. Between two neighbouring keys nothing can
change, so the axis has finitely many elementary points, numbered in order:

    -1        below every key
    2 * r     the key of rank r itself
    2 * r + 1 what lies between it and the next key (after the last: above every key)

``[a, b)`` covers the points ``2a .. 2b - 1`` and ``[a, b]`` the points ``2a .. 2b``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from bookcore.errors import InvalidSpanError
from bookcore.index.usage_profile import UsageProfile

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

POOL = 40
LAST = 2 * POOL - 1


USUAL: dict[str, int] = {}
TINY = {"most": 8, "fewest": 3}
"""Sizes with which a profile splits and joins its chunks after a few steps; `USUAL` are the defaults."""


def add_all(use: UsageProfile, spans: Iterable[tuple[Any, Any, int]]) -> None:
    """Add many ``(start, end, amount)`` to a profile at once."""
    columns = list(zip(*spans, strict=True)) or [(), (), ()]
    use.add_columns(*map(list, columns))


class Ordered:
    """A key with `<` among its own kind and nothing else: no equality, no hash, no patience for strangers."""

    __slots__ = ("rank",)
    __hash__ = None  # type: ignore[assignment]
    compared = 0
    fuse = math.inf

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: object) -> bool:
        if type(other) is not Ordered:
            raise AssertionError(f"a key was compared with {other!r}")
        Ordered.compared += 1
        if Ordered.compared > Ordered.fuse:
            raise ArithmeticError("this comparison fails")
        return self.rank < other.rank

    def _refuse(self, other: object) -> bool:
        raise AssertionError("keys are compared by < only")

    __eq__ = __ne__ = __gt__ = __le__ = __ge__ = _refuse


@pytest.fixture(autouse=True)
def _fresh_counters() -> Iterator[None]:
    Ordered.compared, Ordered.fuse = 0, math.inf
    yield
    Ordered.compared, Ordered.fuse = 0, math.inf


class Family(NamedTuple):
    """One kind of key: how to make the key of a rank, and how to read the rank off a key."""

    name: str
    key: Callable[[int], Any]
    rank: Callable[[Any], int]


MIDNIGHT = datetime(2025, 3, 30)
FAMILIES = (
    Family("int", lambda rank: 7 * rank - 50, lambda key: (int(key) + 50) // 7),
    Family(
        "datetime",
        lambda rank: MIDNIGHT + timedelta(minutes=rank),
        lambda key: (key - MIDNIGHT) // timedelta(minutes=1),
    ),
    Family("str", lambda rank: f"{rank:03}", int),
    Family("ordered", Ordered, lambda key: int(key.rank)),
)

Ends = tuple[int | None, int | None]


@dataclass
class Oracle:
    """The spans that were added, by the ranks of their ends, and every answer by summing them."""

    closed: bool
    spans: list[tuple[int | None, int | None, int]]

    def covered(self, start: int | None, end: int | None) -> range:
        first = -1 if start is None else 2 * start
        last = LAST if end is None else 2 * end - (0 if self.closed else 1)
        return range(first, last + 1)

    def level(self, point: int) -> int:
        return sum(amount for start, end, amount in self.spans if point in self.covered(start, end))

    def groups(self, window: range, mark: Callable[[int], object]) -> list[tuple[range, Any]]:
        """Return the maximal stretches of the window on which the mark of the level is the same."""
        found: list[tuple[range, Any]] = []
        for point in window:
            value = mark(self.level(point))
            if found and found[-1][1] == value:
                found[-1] = (range(found[-1][0].start, point + 1), value)
            else:
                found.append((range(point, point + 1), value))
        return found

    @staticmethod
    def ends(points: range) -> Ends:
        """Name a stretch of points by the ranks between which it lies."""
        first, last = points[0], points[-1]
        return None if first == -1 else first // 2, None if last == LAST else (last + 1) // 2

    def peak(self, start: int | None, end: int | None) -> int:
        return max(self.level(point) for point in self.covered(start, end))

    def steps(self, start: int | None, end: int | None) -> list[tuple[int | None, int | None, int]]:
        stretches = self.groups(self.covered(start, end), lambda level: level)
        return [(*self.ends(points), level) for points, level in stretches]

    def over(self, start: int | None, end: int | None, limit: int) -> list[Ends]:
        stretches = self.groups(self.covered(start, end), lambda level: level > limit)
        return [self.ends(points) for points, is_over in stretches if is_over]

    def runs(self, start: int | None, end: int | None, at_least: int) -> list[Ends]:
        window = self.covered(start, end)
        stretches = self.groups(range(-1, LAST + 1), lambda level: level >= at_least)
        return [
            self.ends(points)
            for points, is_over in stretches
            if is_over and points[0] <= window[-1] + 1 and points[-1] >= window[0] - 1
        ]


@dataclass
class Pair:
    """A profile and its oracle, spoken to in ranks."""

    profile: UsageProfile
    oracle: Oracle
    family: Family

    @classmethod
    def make(cls, sizes: dict[str, int], closed: bool, family: Family) -> Pair:
        return cls(UsageProfile(closed, **sizes), Oracle(closed, []), family)

    def key(self, rank: int | None) -> Any:
        return None if rank is None else self.family.key(rank)

    def rank(self, key: Any) -> int | None:
        return None if key is None else self.family.rank(key)

    def add(self, start: int | None, end: int | None, amount: int) -> None:
        self.profile.add(self.key(start), self.key(end), amount)
        self.oracle.spans.append((start, end, amount))

    def take_back(self, start: int | None, end: int | None, amount: int) -> None:
        self.profile.add(self.key(start), self.key(end), -amount)
        self.oracle.spans.remove((start, end, amount))

    def add_all(self, spans: Iterable[tuple[int | None, int | None, int]]) -> None:
        spans = list(spans)
        add_all(self.profile, ((self.key(start), self.key(end), amount) for start, end, amount in spans))
        self.oracle.spans += spans

    def steps(self, start: int | None = None, end: int | None = None) -> list[tuple[Any, Any, int]]:
        found = self.profile.steps(self.key(start), self.key(end))
        return [(self.rank(left), self.rank(right), level) for left, right, level in found]

    def over(self, start: int | None, end: int | None, limit: int) -> list[Ends]:
        found = self.profile.over(self.key(start), self.key(end), limit)
        return [(self.rank(left), self.rank(right)) for left, right in found]

    def runs(self, start: int | None, end: int | None, at_least: int) -> list[Ends]:
        found = self.profile.runs(self.key(start), self.key(end), at_least)
        return [(self.rank(left), self.rank(right)) for left, right in found]

    def compare(self, start: int | None, end: int | None, limit: int) -> None:
        """Ask every question of one span and one limit of both."""
        profile, oracle, a, b = self.profile, self.oracle, self.key(start), self.key(end)
        peak = oracle.peak(start, end)
        assert profile.has_room(a, b, limit) is (peak <= limit)
        assert profile.has_room(a, b, peak)
        assert not profile.has_room(a, b, peak - 1)
        assert self.steps(start, end) == oracle.steps(start, end)
        assert self.over(start, end, limit) == oracle.over(start, end, limit)
        assert self.runs(start, end, limit) == oracle.runs(start, end, limit)


@st.composite
def spans(draw: st.DrawFn, closed: bool) -> Ends:
    """Ends of a span by rank: short and long, touching often, one end or both without bound now and then."""
    start = draw(st.integers(0, POOL - 2))
    length = draw(st.one_of(st.integers(0 if closed else 1, 4), st.integers(1, POOL)))
    open_ends = draw(st.sampled_from([""] * 12 + ["start", "end", "both"]))
    return (
        None if open_ends in ("start", "both") else start,
        None if open_ends in ("end", "both") else min(start + length, POOL - 1),
    )


@st.composite
def histories(draw: st.DrawFn) -> Pair:
    """A pair after a random history of adding and taking back."""
    closed = draw(st.booleans())
    sizes = draw(st.sampled_from([TINY, TINY, USUAL]))
    pair = Pair.make(sizes, closed, draw(st.sampled_from(FAMILIES)))
    for start, end in draw(st.lists(spans(closed), max_size=40)):
        pair.add(start, end, draw(st.integers(1, 5)))
    for _ in range(draw(st.integers(0, len(pair.oracle.spans)))):
        pair.take_back(*draw(st.sampled_from(pair.oracle.spans)))
    return pair


def breakpoints(profile: UsageProfile) -> int:
    """Return the number of keys (with closed spans, of keys and sides) at which the level changes."""
    return sum(len(chunk.keys) for chunk in profile.chunks) - 1


def peak(profile: UsageProfile, start: Any, end: Any) -> int:
    """Return the highest level in a span."""
    return max(level for _, _, level in profile.steps(start, end))


def content(profile: UsageProfile) -> list[Any]:
    """Return all that a profile holds, keys by identity."""
    held: list[Any] = [[id(head) for head in profile.heads]]
    for chunk in profile.chunks:
        keys = [id(key) for key in chunk.keys]
        held.append((keys, list(chunk.levels), chunk.sides and bytes(chunk.sides)))
        held.append((chunk.shift, chunk.peak, chunk.low))
    return held


# ---- against the oracle


@settings(max_examples=MOST * 3)
@given(st.data())
def test_random_history_answers_as_the_oracle_does(data: st.DataObject) -> None:
    """Every question of every span has the answer that summing the spans at each point gives."""
    pair = data.draw(histories())
    pair.profile.check()
    for start, end in data.draw(st.lists(spans(pair.oracle.closed), min_size=1, max_size=4)):
        pair.compare(start, end, data.draw(st.integers(0, 12)))
    pair.compare(None, None, data.draw(st.integers(0, 12)))


@settings(max_examples=MOST * 2)
@given(st.data())
def test_taking_back_all_leaves_nothing(data: st.DataObject) -> None:
    """When all that was added is taken back, in any order, no breakpoint and no spare chunk remain."""
    pair = data.draw(histories())
    for span in data.draw(st.permutations(pair.oracle.spans)):
        pair.take_back(*span)
        pair.profile.check()
    assert breakpoints(pair.profile) == 0
    assert pair.steps() == [(None, None, 0)]
    assert len(pair.profile.chunks) == 1


@settings(max_examples=MOST * 2)
@given(st.data())
def test_adding_many_at_once_is_adding_each(data: st.DataObject) -> None:
    """`add_columns` on any profile holds what a loop of `add` would."""
    pair = data.draw(histories())
    several = data.draw(st.lists(spans(pair.oracle.closed), max_size=30))
    pair.add_all((start, end, data.draw(st.integers(1, 5))) for start, end in several)
    pair.profile.check()
    assert pair.steps() == pair.oracle.steps(None, None)
    pair.compare(3, 30, 4)


@settings(max_examples=MOST * 2)
@given(st.data())
def test_runs_beside_a_change_are_the_only_ones_it_changes(data: st.DataObject) -> None:
    """Replacing the runs listed for a span by those listed after an `add` gives the runs of the whole axis."""
    pair = data.draw(histories())
    start, end = data.draw(spans(pair.oracle.closed))
    at_least = data.draw(st.integers(1, 8))
    everywhere, here = pair.runs(None, None, at_least), pair.runs(start, end, at_least)
    pair.add(start, end, data.draw(st.integers(1, 5)))
    kept = [run for run in everywhere if run not in here]
    after = pair.runs(None, None, at_least)
    assert [run for run in after if run not in pair.runs(start, end, at_least)] == kept
    assert after == pair.oracle.runs(None, None, at_least)


@given(histories(), st.integers(0, 12))
def test_runs_of_the_whole_axis_are_what_is_over_the_limit(pair: Pair, limit: int) -> None:
    """Where nothing is clipped, both ways to find them name the same parts."""
    assert pair.over(None, None, limit) == pair.runs(None, None, limit + 1)


class ProfileMachine(RuleBasedStateMachine):
    """One history of additions and removals, checked after every step and compared at every question."""

    standing = Bundle("standing")

    @initialize(closed=st.booleans(), family=st.sampled_from(FAMILIES))
    def begin(self, closed: bool, family: Family) -> None:
        self.pair = Pair.make(TINY, closed, family)

    @rule(target=standing, data=st.data(), amount=st.integers(1, 20))
    def add(self, data: st.DataObject, amount: int) -> tuple[int | None, int | None, int]:
        start, end = data.draw(spans(self.pair.oracle.closed))
        self.pair.add(start, end, amount)
        return start, end, amount

    @rule(target=standing, data=st.data(), amount=st.integers(1, 3))
    def add_neighbours(self, data: st.DataObject, amount: int) -> Any:
        """Fill a stretch with short spans, so that chunks split."""
        first = data.draw(st.integers(0, POOL - 8))
        added = [(rank, rank + 1, amount + rank % 2) for rank in range(first, first + 7)]
        for span in added:
            self.pair.add(*span)
        return multiple(*added)

    @rule(target=standing, data=st.data(), amount=st.integers(1, 5))
    def add_at_once(self, data: st.DataObject, amount: int) -> Any:
        several = data.draw(st.lists(spans(self.pair.oracle.closed), max_size=6))
        added = [(start, end, amount) for start, end in several]
        self.pair.add_all(added)
        return multiple(*added)

    @rule(span=standing)
    def take_back(self, span: tuple[int | None, int | None, int]) -> None:
        if span in self.pair.oracle.spans:
            self.pair.take_back(*span)

    @rule(rank=st.integers(0, POOL - 1))
    def take_back_all_from(self, rank: int) -> None:
        """Empty a part of the axis, so that chunks join."""
        for span in list(self.pair.oracle.spans):
            if span[0] is not None and span[0] >= rank:
                self.pair.take_back(*span)
                self.pair.profile.check()

    @rule(data=st.data(), limit=st.integers(0, 30))
    def ask(self, data: st.DataObject, limit: int) -> None:
        self.pair.compare(*data.draw(spans(self.pair.oracle.closed)), limit)

    @rule(rank=st.integers(1, POOL - 2))
    def refuse(self, rank: int) -> None:
        before = content(self.pair.profile)
        with pytest.raises(InvalidSpanError):
            self.pair.profile.add(self.pair.key(rank), self.pair.key(rank - 1), 1)
        assert content(self.pair.profile) == before

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "pair"):
            self.pair.profile.check()


TestProfileMachine = ProfileMachine.TestCase
TestProfileMachine.settings = settings(max_examples=MOST, stateful_step_count=30)


# ---- examples


def test_two_bookings_that_never_meet_need_their_peak_not_their_sum() -> None:
    """Two of 3 in one span, one after the other, use 3 and leave 2 of 5."""
    use = UsageProfile()
    use.add(1, 3, 3)
    use.add(5, 7, 3)
    assert use.has_room(0, 9, 5 - 2)
    assert not use.has_room(0, 9, 2)


def test_touching_half_open_spans_do_not_add_up() -> None:
    """[1, 3) and [3, 5) of equal amounts are one step, without a breakpoint at 3."""
    use = UsageProfile()
    use.add(1, 3, 2)
    use.add(3, 5, 2)
    assert peak(use, None, None) == 2
    assert list(use.steps(0, 6)) == [(0, 1, 0), (1, 5, 2), (5, 6, 0)]
    assert breakpoints(use) == 2


def test_touching_closed_spans_add_up_in_their_shared_key() -> None:
    """[1, 3] and [3, 5] both hold 3, and nothing else of each other."""
    use = UsageProfile(closed=True)
    use.add(1, 3, 2)
    use.add(3, 5, 2)
    assert (peak(use, 1, 2), peak(use, 3, 3), peak(use, 4, 9)) == (2, 4, 2)
    assert use.runs(1, 1, 2) == [(1, 5)]
    assert use.runs(1, 1, 3) == []
    assert use.runs(None, None, 3) == [(3, 3)]
    assert list(use.over(0, 9, 3)) == list(use.over(3, 9, 3)) == list(use.over(0, 3, 3)) == [(3, 3)]


def test_zero_length_closed_span_holds_its_key_alone() -> None:
    """[4, 4] is legal, uses 4, and goes without a trace."""
    use = UsageProfile(closed=True)
    use.add(4, 4, 1)
    assert (peak(use, 4, 4), peak(use, 3, 3), peak(use, 5, 5), peak(use, 3, 5)) == (1, 0, 0, 1)
    assert list(use.steps(4, 4)) == [(4, 4, 1)]
    assert list(use.over(4, 4, 0)) == [(4, 4)]
    use.add(4, 4, -1)
    assert breakpoints(use) == 0


@pytest.mark.parametrize(
    ("closed", "start", "end"),
    [(False, 3, 3), (False, 4, 3), (True, 4, 3), (False, math.nan, 1.0), (False, 1.0, math.nan)],
)
def test_empty_or_reversed_span_is_refused_everywhere(closed: bool, start: float, end: float) -> None:
    """Whatever takes a span raises InvalidSpanError, at the call, and nothing changes."""
    use = UsageProfile(closed)
    use.add(0, 10, 1)
    before = content(use)
    calls: list[Callable[[], object]] = [
        lambda: use.add(start, end, 1),
        lambda: add_all(use, [(5, 6, 1), (start, end, 1)]),
        lambda: use.has_room(start, end, 1),
        lambda: use.steps(start, end),
        lambda: use.over(start, end, 1),
        lambda: use.runs(start, end, 1),
    ]
    for call in calls:
        with pytest.raises(InvalidSpanError):
            call()
    assert content(use) == before


def test_amount_zero_changes_nothing() -> None:
    """Adding nothing leaves no breakpoint behind, alone or among others."""
    use = UsageProfile()
    use.add(1, 3, 0)
    add_all(use, [(1, 3, 0), (None, 2, 0)])
    assert breakpoints(use) == 0


def test_unbounded_spans_reach_the_ends_of_the_axis() -> None:
    """None at an end is before, or after, every key there will be."""
    use = UsageProfile()
    use.add(None, None, 1)
    use.add(None, 5, 2)
    use.add(7, None, 4)
    assert list(use.steps(None, None)) == [(None, 5, 3), (5, 7, 1), (7, None, 5)]
    assert use.runs(6, 7, 1) == [(None, None)]
    assert use.runs(5, 6, 3) == [(None, 5)]
    assert use.runs(6, 7, 3) == [(7, None)]
    assert peak(use, -(10**30), 10**30) == 5


def test_over_is_lazy() -> None:
    """The first part of a long profile that is over a limit is found without walking to the last."""
    use = UsageProfile()
    add_all(use, [(2 * n, 2 * n + 1, 1) for n in range(5_000)])
    walk = use.over(101, None, 0)
    assert [next(walk), next(walk)] == [(102, 103), (104, 105)]


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
@pytest.mark.parametrize("closed", [False, True])
def test_long_profile_keeps_its_chunks_even(order: str, closed: bool) -> None:
    """Whatever the order of arrival, and through a full removal, no chunk grows or withers."""
    keys = list(range(0, 3_000, 2))
    if order == "descending":
        keys.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(keys)
    use = UsageProfile(closed)
    for count, key in enumerate(keys):
        use.add(key, key + 1, 1 + key % 3)
        if count % 100 == 0:
            use.check()
    use.check()
    assert breakpoints(use) == 2 * len(keys)
    assert len(use.chunks) <= breakpoints(use) // use.fewest
    for count, key in enumerate(keys):
        use.add(key, key + 1, -1 - key % 3)
        if count % 100 == 0:
            use.check()
    assert breakpoints(use) == 0
    assert [len(chunk.keys) for chunk in use.chunks] == [1]


def test_churn_leaves_no_breakpoints_behind() -> None:
    """Ten thousand changes around one standing booking leave its two breakpoints."""
    use, chance = UsageProfile(), random.Random(3)
    use.add(100, 200, 5)
    for _ in range(5_000):
        start = chance.randrange(300)
        end, amount = start + chance.randrange(1, 50), chance.randrange(1, 20)
        use.add(start, end, amount)
        use.add(start, end, -amount)
    use.check()
    assert list(use.steps(None, None)) == [(None, 100, 0), (100, 200, 5), (200, None, 0)]


def test_check_finds_what_was_taken_back_without_having_been_added() -> None:
    """A level below zero is not noticed by `add`, and is by `check`."""
    use = UsageProfile()
    use.add(1, 3, -1)
    with pytest.raises(AssertionError, match="below zero"):
        use.check()


def _many() -> UsageProfile:
    use = UsageProfile(closed=True, **TINY)
    add_all(use, [(n, n + 3, 1 + n % 5) for n in range(0, 60, 2)])
    use.check()
    return use


def _lift_one(use: UsageProfile) -> None:
    use.chunks[1].peak += 1


def _sink_one(use: UsageProfile) -> None:
    use.chunks[1].low += 1


def _repeat_level(use: UsageProfile) -> None:
    use.chunks[1].levels[1] = use.chunks[1].levels[0]


def _swap_keys(use: UsageProfile) -> None:
    keys = use.chunks[2].keys
    keys[1], keys[2] = keys[2], keys[1]


def _lose_head(use: UsageProfile) -> None:
    use.heads.pop()


def _flip_side(use: UsageProfile) -> None:
    sides = use.chunks[1].sides
    assert sides is not None
    sides[1] ^= 1


def _overfill(use: UsageProfile) -> None:
    use.chunks[0].absorb(use.chunks[1])
    use.chunks[0].absorb(use.chunks[2])
    del use.chunks[1:3], use.heads[0:2]


@pytest.mark.parametrize(
    "damage", [_lift_one, _sink_one, _repeat_level, _swap_keys, _lose_head, _flip_side, _overfill]
)
def test_check_finds_damage(damage: Callable[[UsageProfile], None]) -> None:
    """Each invariant, broken by hand, is missed by no check."""
    use = _many()
    damage(use)
    with pytest.raises(AssertionError, match="broken profile"):
        use.check()


# ---- comparisons that fail


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(("start", "end"), [(11, 52), (12, 13), (None, 31), (31, None), (13, 40)])
def test_comparison_that_raises_midway_changes_nothing(
    closed: bool, start: int | None, end: int | None
) -> None:
    """Whichever comparison of a call fails, the profile holds what it held, key for key."""
    pair = Pair.make(TINY, closed, FAMILIES[3])
    for rank in range(0, 60, 2):
        pair.add(rank, rank + 3, 1 + rank % 5)
    profile, before = pair.profile, content(pair.profile)
    a, b = pair.key(start), pair.key(end)
    calls: list[Callable[[], object]] = [
        lambda: profile.add(a, b, 1),
        lambda: add_all(profile, [(Ordered(3), Ordered(4), 1), (a, b, 1)]),
    ]
    for call in calls:
        refused = 0
        while True:
            Ordered.compared, Ordered.fuse = 0, refused
            try:
                call()
            except ArithmeticError:
                refused += 1
                assert content(profile) == before
            else:
                break
        assert refused > 3
        Ordered.fuse = math.inf
        assert content(profile) != before
        profile.check()
        before = content(profile)


def test_stranger_among_keys_changes_nothing() -> None:
    """A str among ints raises what the comparison raises, at the call, and leaves the profile as it was."""
    use = UsageProfile()
    use.add(1, 5, 1)
    before = content(use)
    for call in (
        lambda: use.add("a", "b", 1),
        lambda: use.add(None, "b", 1),
        lambda: add_all(use, [("a", "b", 1)]),
        lambda: use.steps("a", None),
        lambda: use.over(None, "b", 0),
    ):
        with pytest.raises(TypeError):
            call()
    assert content(use) == before


# ---- complexity, without a clock


def _exhaust(ask: Callable[..., Iterable[object]], *arguments: object) -> None:
    for _ in ask(*arguments):
        pass


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("bookings", [500, 4_000, 32_000])
def test_comparisons_grow_with_the_logarithm(closed: bool, bookings: int) -> None:
    """`add`, `has_room`, `runs` and `over` compare keys O(log m) times, whatever the span's length."""
    chance = random.Random(bookings)
    use = UsageProfile(closed)
    starts = [8 * rank for rank in range(bookings)]
    add_all(use, [(Ordered(start), Ordered(start + 5), chance.randint(1, 20)) for start in starts])
    assert breakpoints(use) == 2 * bookings
    # two ends, each one bisect in the heads and one in a chunk, and a few comparisons for equality
    allowed = 2 * (math.log2(2 * bookings) + 4) + 6
    for _ in range(50):
        left = chance.randrange(8 * bookings - 1)
        right = chance.randrange(left + 1, 8 * bookings)
        a, b = Ordered(left), Ordered(right)
        calls: list[Callable[[], object]] = [
            partial(use.has_room, a, b, 10),
            partial(use.runs, a, b, 19),
            partial(_exhaust, use.over, a, b, 18),
            partial(_exhaust, use.steps, a, b),
            partial(use.add, a, b, 3),
            partial(use.add, a, b, -3),
        ]
        for call in calls:
            Ordered.compared = 0
            call()
            assert 0 < Ordered.compared <= allowed
    use.check()
