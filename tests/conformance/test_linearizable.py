"""The judge of shared calendars: what one order explains passes, what none does is found, in a few calls."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.testing import Call, Verdict, check_history

OPERATIONS = [*3 * ["book"], *3 * ["remove"], "hold", "confirm", "is_available", "bookings"]


class Service:
    """A calendar of one process, in the plainest way: what each call answers at the one instant at which it takes effect."""

    def __init__(self, capacity: int = 1, closed: bool = False) -> None:
        self.capacity, self.closed = capacity, closed
        self.active: dict[Any, tuple[Any, int, int, int]] = {}  # id to resource, start, end, quantity
        self.held: set[Any] = set()

    def copy(self) -> Service:
        other = Service(self.capacity, self.closed)
        other.active, other.held = dict(self.active), set(self.held)
        return other

    def touch(self, one: tuple[int, int], two: tuple[int, int]) -> bool:
        return one[0] <= two[1] and two[0] <= one[1] if self.closed else one[0] < two[1] and two[0] < one[1]

    def room(self, resource: Any, start: int, end: int, quantity: int) -> bool:
        others = [row for row in self.active.values() if row[0] == resource and self.touch((start, end), row[1:3])]
        points = {start, *(row[1] for row in others if row[1] >= start)}  # usage is highest where a booking starts
        last = 0 if self.closed else 1
        used = (sum(row[3] for row in others if self.touch((point, point + last), row[1:3])) for point in points)
        return max(used) + quantity <= self.capacity

    def answer(self, call: dict[str, Any]) -> Any:
        """Do what is asked and return the result."""
        operation, id, resource = call["operation"], call.get("id"), call["resource"]
        if operation in ("book", "hold"):
            row = (resource, call["start"], call["end"], call.get("quantity", 1))
            if id in self.active:
                return "exists"
            if not self.room(*row):
                return "refused"
            self.active[id] = row
            if operation == "hold":
                self.held.add(id)
            return "done"
        if operation == "is_available":
            return self.room(resource, call["start"], call["end"], call.get("quantity", 1))
        if operation == "bookings":
            return frozenset(id for id, row in self.active.items() if row[0] == resource)
        if operation == "confirm":
            self.held.discard(id)
            return "done" if id in self.active else "refused"
        if operation == "expire":
            if id in self.held:
                self.held.remove(id)
                del self.active[id]
            return "unknown"
        self.held.discard(id)
        return "done" if self.active.pop(id, None) else "refused"


class World:
    """Processes that call one service, in an interleaving drawn at random, and what was recorded of it.

    A call begins, takes effect and returns at three instants of its own; between them the others go on. Some answers are
    lost; such a call takes effect later, or never.
    """

    def __init__(
        self, seed: int, *, processes: int = 8, resources: int = 10, axis: int = 48, capacity: int = 1, lost: float = 0.0,
        closed: bool = False,
    ) -> None:  # fmt: skip
        self.rng = random.Random(seed)
        self.service = Service(capacity, closed)
        self.resources, self.axis, self.lost = resources, axis, lost
        self.calls: list[Call] = []
        self.running: dict[int, Iterator[None] | None] = dict.fromkeys(range(processes))
        self.time, self.ids = count(), count()
        self.late: list[Iterator[None]] = []

    def question(self) -> dict[str, Any]:
        rng = self.rng
        resource = rng.randrange(self.resources)
        ids = [id for id, row in self.service.active.items() if row[0] == resource] + [f"{resource} none"]
        start = rng.randrange(self.axis)
        quantity = rng.randint(1, self.service.capacity)
        span: dict[str, Any] = {"start": start, "end": start + rng.randint(1, 6), "quantity": quantity}
        operation = rng.choice(OPERATIONS)
        if operation in ("book", "hold"):
            id = rng.choice(ids) if rng.random() < 0.1 else f"{resource} {next(self.ids)}"
            return {"operation": operation, "resource": resource, "id": id, **span}
        if operation in ("remove", "confirm"):
            return {"operation": operation, "resource": resource, "id": rng.choice(ids)}
        return {"operation": operation, "resource": resource, **(span if operation == "is_available" else {})}

    def call(self, process: int, asked: dict[str, Any]) -> Iterator[None]:
        """Yield between the three instants of a call."""
        called = next(self.time)
        yield
        if self.rng.random() < self.lost:
            self.calls.append(Call(process, called, None, **asked))
            if self.rng.random() < 0.5:
                self.late.append(self.effect(asked))
            return
        result = self.service.answer(asked)
        yield
        returned = next(self.time)
        self.calls.append(Call(process, called, returned, result=result, **asked))
        if asked["operation"] == "hold" and result == "done":  # it runs out some time
            self.late.append(self.expiry(process, asked))

    def effect(self, asked: dict[str, Any]) -> Iterator[None]:
        self.service.answer(asked)
        yield

    def expiry(self, process: int, asked: dict[str, Any]) -> Iterator[None]:
        yield from self.call(process, {"operation": "expire", "resource": asked["resource"], "id": asked["id"]})

    def step(self) -> None:
        """Let one process go on, or something happen late."""
        if self.late and self.rng.random() < 0.1:
            late = self.rng.choice(self.late)
            if next(late, self) is self:
                self.late.remove(late)
            return
        process = self.rng.choice(list(self.running))
        running = self.running[process] or self.call(process, self.question())
        self.running[process] = None if next(running, self) is self else running

    def run(self, calls: int) -> World:
        """Go on for so many more calls, and until each has returned."""
        until = len(self.calls) + calls
        while len(self.calls) < until:
            self.step()
        for running in [*self.running.values(), *self.late]:
            for _ in running or ():
                pass
        self.running, self.late = dict.fromkeys(self.running), []
        return self

    def plant(self, result: Any, **asked: Any) -> Call:
        """Record a call with an answer that the service did not give."""
        self.calls.append(Call("planted", next(self.time), next(self.time), result=result, **asked))
        return self.calls[-1]

    def verdict(self) -> Verdict:
        """Judge what was recorded."""
        return check_history(self.calls, capacity=self.service.capacity, bounds="[]" if self.service.closed else "[)")


def plainly(calls: Sequence[Call], service: Service) -> bool:
    """Try every order of the calls."""
    if all(call.returned is None for call in calls):
        return True
    for call in calls:
        if all(other.returned is None or call.called <= other.returned for other in calls):
            after = service.copy()
            if explains(call, after) and plainly([other for other in calls if other is not call], after):
                return True
    return False


def explains(call: Call, service: Service) -> bool:
    """Ask the service, and compare the answers."""
    row = (call.resource, call.start, call.end, call.quantity)
    if call.operation in ("book", "hold"):
        if call.result == "refused":  # by a conflict, its id may be active or not
            return not service.room(*row)
        if call.result == "done" and service.active.get(call.id) == row:
            return True
    asked = {name: getattr(call, name) for name in ("operation", "resource", "id", "start", "end", "quantity")}
    return call.result in (service.answer(asked), "unknown")


TIMES = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted)
SPANS = st.tuples(st.integers(0, 3), st.integers(1, 2)).map(lambda pair: {"start": pair[0], "end": sum(pair)})
QUANTITIES = st.integers(1, 2)
IDS = st.sampled_from("abc")


@st.composite
def some_calls(draw: st.DrawFn) -> Call:
    """Draw any call on one resource, with any answer."""
    operation: Any = draw(st.sampled_from(["expire", *OPERATIONS]))
    called, returned = draw(TIMES)
    asked: dict[str, Any] = {}
    if operation in ("book", "hold", "is_available"):
        asked |= draw(SPANS) | {"quantity": draw(QUANTITIES)}
    if operation not in ("is_available", "bookings"):
        asked["id"] = draw(IDS)
    results: dict[str, list[Any]] = {
        "book": ["done", "done", "refused", "exists", "unknown"],
        "hold": ["done", "refused", "exists", "unknown"],
        "remove": ["done", "refused", "unknown"],
        "confirm": ["done", "refused", "unknown"],
        "expire": ["unknown"],
        "is_available": [True, False, "unknown"],
        "bookings": [frozenset(), frozenset("a"), frozenset("ab"), "unknown"],
    }
    result = draw(st.sampled_from(results[operation]))
    never = result == "unknown" and draw(st.booleans())
    return Call(draw(st.integers(1, 3)), called, None if never else returned, operation, "room", result=result, **asked)


@settings(max_examples=10 * settings().max_examples)
@given(st.lists(some_calls(), max_size=6), st.integers(1, 3), st.booleans())
def test_any_few_calls_are_judged_as_by_trying_every_order(calls: list[Call], capacity: int, closed: bool) -> None:
    """The verdict is the same, and what is called a contradiction is one."""
    verdict = check_history(calls, capacity=capacity, bounds="[]" if closed else "[)")
    assert bool(verdict) == plainly(calls, Service(capacity, closed))
    assert verdict or not plainly(verdict.contradiction, Service(capacity, closed))


WORLDS: dict[str, dict[str, Any]] = {
    "usual": {},
    "crowded": {"resources": 1, "axis": 6},
    "capacity": {"capacity": 4, "resources": 2},
    "closed": {"closed": True},
    "lost answers": {"lost": 0.02},
    "many lost answers": {"processes": 3, "lost": 0.2},
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("options", WORLDS.values(), ids=WORLDS)
def test_what_a_right_service_answers_is_linearizable(options: dict[str, Any], seed: int) -> None:
    """However its calls interleave, and whichever answers are lost."""
    world = World(seed, **options).run(600)
    verdict = world.verdict()
    assert verdict, verdict
    assert verdict.calls == len(world.calls) >= 600


def a_double_booking(world: World) -> list[Call]:
    resource, start, end, _ = next(iter(world.service.active.values()))
    return [world.plant("done", operation="book", resource=resource, id="second", start=start, end=end)]


def a_lost_booking(world: World) -> list[Call]:
    booked = world.plant("done", operation="book", resource=0, id="lost", start=500, end=510)
    return [booked, world.plant(True, operation="is_available", resource=0, start=505, end=506)]


def a_lost_booking_in_a_list(world: World) -> list[Call]:
    booked = world.plant("done", operation="book", resource=0, id="lost", start=500, end=510)
    left = world.service.answer({"operation": "bookings", "resource": 0})
    return [booked, world.plant(left, operation="bookings", resource=0)]


def a_lost_removal(world: World) -> list[Call]:
    id, (resource, *_) = next(iter(world.service.active.items()))
    world.plant("done", operation="remove", resource=resource, id=id)
    return [world.plant("exists", operation="book", resource=resource, id=id, start=600, end=601)]


def a_stale_refusal(world: World) -> list[Call]:
    for id in range(10):
        for facts in {"operation": "book", "start": 800, "end": 810}, {"operation": "remove"}:
            asked: dict[str, Any] = {"resource": 0, "id": id, **facts}
            world.plant(world.service.answer(asked), **asked)
    return [world.plant("refused", operation="book", resource=0, id="late", start=805, end=806)]


def a_stale_read(world: World) -> list[Call]:
    asked = {"operation": "book", "resource": 0, "id": "new", "start": 700, "end": 710}
    booked = world.plant(world.service.answer(asked), **asked)
    return [booked, world.plant(True, operation="is_available", resource=0, start=700, end=710)]


def a_stale_list(world: World) -> list[Call]:
    before = world.service.answer({"operation": "bookings", "resource": 0})
    asked = {"operation": "book", "resource": 0, "id": "new", "start": 700, "end": 710}
    booked = world.plant(world.service.answer(asked), **asked)
    return [booked, world.plant(before, operation="bookings", resource=0)]


FAULTS = [
    a_double_booking, a_lost_booking, a_lost_booking_in_a_list, a_lost_removal, a_stale_refusal, a_stale_read, a_stale_list,
]  # fmt: skip


@pytest.mark.parametrize("lost", [0.0, 0.02], ids=["", "with lost answers"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_in_a_few_calls(fault: Callable[[World], list[Call]], seed: int, lost: float) -> None:
    """Among hundreds of calls before and after it; those that it consists of, and at most the one booking beside them."""
    world = World(seed, lost=lost, axis=300).run(400)
    planted = fault(world)
    world.run(200)
    verdict = check_history(world.calls)
    assert not verdict
    assert set(planted) <= set(verdict.contradiction)
    beside = {call.id for call in verdict.contradiction if call not in planted}
    assert len(beside) <= (fault in (a_double_booking, a_lost_removal))
    assert not plainly(verdict.contradiction, Service())


def test_a_double_booking_is_told_in_two_calls() -> None:
    """Those that are in each other's way, and nothing of what else was done."""
    world = World(5).run(300)
    world.plant("done", operation="book", resource=0, id="a", start=900, end=950)
    world.plant("done", operation="book", resource=0, id="b", start=920, end=930)
    verdict = check_history(world.calls)
    assert [call.id for call in verdict.contradiction] == ["a", "b"]
    head, titles, one, two, reason = str(verdict).splitlines()
    assert head == f"not linearizable: no order explains 2 of {len(world.calls)} calls, on 0"
    assert titles.split() == ["began", "returned", "process", "call"]
    assert one.endswith("planted  book 'a' [900, 950): done")
    assert two.endswith("planted  book 'b' [920, 930): done")
    assert reason == "  no order allows book 'b' [920, 930): done: 'a' is in the way"


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ([("is_available", False)], "nothing is in the way"),
        ([("book", "done"), ("is_available", True)], "'a' is in the way"),
        ([("bookings", frozenset("a"))], "nothing is active"),
        ([("book", "done"), ("bookings", frozenset())], "active are 'a'"),
        ([("remove", "done")], "no such booking is active"),
        ([("book", "done"), ("confirm", "refused")], "the booking is active"),
        ([("book", "exists")], "no such booking is active"),
    ],
)
def test_the_reason_says_what_was_active(calls: list[tuple[Any, Any]], reason: str) -> None:
    """As far as the search came."""
    span = {"start": 1, "end": 2}
    asked: dict[str, dict[str, Any]] = {"is_available": span, "book": {"id": "a", **span}, "bookings": {}}
    history = [
        Call("p", at, at + 0.5, operation, "room", result=result, **asked.get(operation, {"id": "a"}))
        for at, (operation, result) in enumerate(calls)
    ]
    verdict = check_history(history)
    assert len(verdict.contradiction) == len(calls)
    assert verdict.reason.endswith(f": {reason}")


def test_configurations_grow_with_the_calls_and_not_faster() -> None:
    """Less than two for each call, however long the history, also where eight processes want a few slots."""
    for name in "usual", "crowded", "capacity", "closed":
        for calls in 1_000, 4_000:
            world = World(1, **WORLDS[name]).run(calls)
            verdict = world.verdict()
            assert verdict, verdict
            assert verdict.states < 2 * calls


def test_calls_at_once_that_do_not_matter_to_each_other_cost_one_configuration_each() -> None:
    """Twenty bookings side by side have two millions of millions of orders, and a refusal that none of them explains."""
    bookings = [Call(n, 0, 100, "book", "room", id=n, start=n, end=n + 1, result="done") for n in range(20)]
    assert check_history(bookings).states <= 20
    refusal = Call("p", 1, 2, "is_available", "room", start=50, end=51, result=False)
    verdict = check_history([*bookings, refusal])
    assert verdict.contradiction == (refusal,)
    assert verdict.states <= 2


def test_no_configuration_is_searched_twice() -> None:
    """Eight bookings at once that all matter to a refusal: as many configurations as sets of them, and not as orders."""
    bookings = [Call(n, 0, 100, "book", "hall", id=n, start=0, end=9, result="done") for n in range(8)]
    refusal = Call("p", 1, 2, "is_available", "hall", start=0, end=9, result=False)
    verdict = check_history([*bookings, refusal], capacity=20)
    assert refusal in verdict.contradiction
    assert verdict.states == 2**8


def call(called: float, returned: Any, operation: Any, id: Any = None, span: Any = None, result: Any = "unknown") -> Call:
    """Return a call on one room."""
    start, end = span or (None, None)
    return Call("p", called, returned, operation, "room", id=id, start=start, end=end, result=result)


def test_an_answer_may_stand_between_two_changes_that_do_not_touch() -> None:
    """It needs a removal, and a booking elsewhere must come after it; or it needs a booking, before a removal."""
    early = [call(0, 1, "book", "z", (1, 2), "done"), call(2, 20, "remove", "z", result="done")]
    free = call(2, 20, "is_available", None, (1, 10), True)
    assert check_history([*early, free, call(3, 10, "book", "o", (5, 6), "done")])
    assert not check_history([*early[:1], free, call(3, 10, "book", "o", (5, 6), "done")])
    pair = [call(0, 1, "book", "y", (5, 6), "done"), call(2, 20, "book", "x", (5, 6), "done")]
    full = call(2, 20, "is_available", None, (5, 6), False)
    assert check_history([*pair, full, call(3, 10, "remove", "y", result="done")], capacity=2)
    assert not check_history([*pair, full, call(3, 10, "remove", "y", result="done")], capacity=3)


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("between", ["remove", "confirm"])
def test_the_same_calls_in_another_order_may_leave_another_state(between: Any, free: bool) -> None:
    """A removal, or a confirmation, whose answer was lost: it came before the hold was there, or after."""
    hold = call(0, 10, "hold", "h", (1, 2), "done")
    assert check_history([hold, call(0, 10, between, "h"), call(11, 12, "expire", "h" if between == "confirm" else "other"),
                          call(13, 14, "is_available", None, (1, 2), free)])  # fmt: skip


@pytest.mark.parametrize("seen", [("is_available", None, (9, 10), False), ("book", "a", (5, 6), "exists")])
def test_what_shows_that_a_lost_booking_stands_is_told(seen: tuple[Any, ...]) -> None:
    """It is no contradiction to the rest without it, and neither would the rest be without the booking."""
    history = [call(0, None, "book", "a", (9, 12)), call(1, 2, *seen), call(3, 4, "is_available", None, (11, 12), True)]
    assert check_history(history).contradiction == tuple(history)


def test_a_lost_answer_is_settled_by_what_is_seen_later() -> None:
    """It may have taken effect at any time; once seen, it has."""
    lost = Call("p1", 0, None, "book", "room", id="a", start=9, end=12)
    free = Call("p2", 5, 6, "is_available", "room", start=9, end=12, result=True)
    taken = Call("p2", 7, 8, "is_available", "room", start=9, end=12, result=False)
    again = Call("p1", 9, 10, "book", "room", id="a", start=9, end=12, result="exists")
    assert check_history([lost])
    assert check_history([lost, free])
    assert check_history([lost, free, taken])
    assert check_history([lost, free, taken, again])
    last = Call("p2", 11, 12, "is_available", "room", start=9, end=12, result=True)
    verdict = check_history([lost, free, taken, again, last])
    assert verdict.contradiction == (lost, again, last)


def test_a_hold_runs_out_between_its_deadline_and_the_latest_clock() -> None:
    """Before, it stands; afterwards it is gone; in between it may be seen either way, but not back again."""
    hold = Call("p1", 0, 1, "hold", "room", id="h", start=9, end=12, result="done")
    expiry = Call("clock", 10, 12, "expire", "room", id="h")

    def seen(*answers: tuple[int, bool]) -> bool:
        reads = [Call("p2", at, at, "is_available", "room", start=9, end=12, result=free) for at, free in answers]
        return bool(check_history([hold, expiry, *reads]))

    assert seen((5, False), (11, False), (13, True))
    assert seen((5, False), (11, True), (13, True))
    assert not seen((5, True))
    assert not seen((11, True), (12, False))
    assert not seen((13, False))
    confirmed = Call("p1", 2, 3, "confirm", "room", id="h", result="done")
    late = Call("p2", 20, 21, "is_available", "room", start=9, end=12, result=True)
    assert len(check_history([hold, confirmed, expiry, late]).contradiction) == 4


def test_calls_that_touch_in_time_are_at_once() -> None:
    """A clock that did not advance between a return and a begin does not say which came first."""
    book = Call("p1", 0, 5, "book", "room", id="a", start=9, end=12, result="done")
    assert check_history([book, Call("p2", 5, 6, "is_available", "room", start=9, end=12, result=True)])
    assert not check_history([book, Call("p2", 6, 6, "is_available", "room", start=9, end=12, result=True)])


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"operation": "book", "result": True}, "'book' has no result True"),
        ({"operation": "is_available", "result": "done"}, "'is_available' has no result 'done'"),
        ({"operation": "bookings", "result": {"a"}}, "'bookings' has no result"),
        ({"operation": "move", "result": "done"}, "'move' has no result 'done'"),
        ({"operation": "expire", "id": 1, "result": "done"}, "'expire' has no result 'done'"),
        ({"operation": "book", "result": "done", "returned": None}, "did not return"),
        ({"operation": "book", "result": "done", "returned": 3}, "cannot have returned at 3"),
        ({"operation": "remove", "result": "done"}, "'remove' needs the id"),
    ],
)
def test_a_call_that_cannot_be_is_refused(facts: dict[str, Any], says: str) -> None:
    """Where it is recorded, and not when all are judged."""
    with pytest.raises(ValueError, match=says):
        Call(**{"process": "p", "called": 5, "returned": 6, "resource": "room", **facts})


def test_histories_that_cannot_be_are_refused() -> None:
    """One id on two resources, which would have to be judged together, and a span without length."""
    one, two = (Call("p", 0, 1, "book", room, id="a", start=1, end=2, result="done") for room in ("one", "two"))
    with pytest.raises(ValueError, match="the id 'a' is used on 'one' and on 'two'"):
        check_history([one, two])
    with pytest.raises(ValueError, match="has no length"):
        check_history([Call("p", 0, 1, "book", "one", id="a", start=2, end=2, result="done")])
    day = Call("p", 0, 1, "book", "one", id="a", start=2, end=2, result="done")
    assert check_history([day], bounds="[]")


def test_ends_may_be_unbounded_and_capacities_differ() -> None:
    """As in a calendar."""
    rest = Call("p", 0, 1, "book", "one", id="a", start=5, end=None, result="done")
    for start, end, free in (None, 5, True), (None, None, False), (900, None, False), (None, 6, False):
        read = Call("p", 2, 3, "is_available", "one", start=start, end=end, result=free)
        assert check_history([rest, read])
    second = Call("p", 2, 3, "book", "two", id="b", start=None, end=None, quantity=2, result="done")
    assert check_history([rest, second], capacity={"one": 1, "two": 2})
    assert not check_history([rest, second], capacity={"one": 1, "two": 1})


def test_a_call_and_a_verdict_can_be_sent_to_another_process() -> None:
    """As a harness of several processes does."""
    verdict = check_history([Call("p", 0, 1, "is_available", "room", start=1, end=2, result=False)])
    assert pickle.loads(pickle.dumps(verdict)) == verdict  # noqa: S301
